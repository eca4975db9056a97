"""What the names of the reference mean. The generator insists that nothing is missing here, and that nothing is left over."""

# ruff: noqa: E501 - cells of tables
from __future__ import annotations

SETTINGS = {
    "host": "the address to listen on. Never anything but loopback unless you ask for it",
    "port": "the port; 0 is a free one",
    "hostname": "the name in the greeting and the EHLO reply",
    "banner": "text after `ESMTP` in the greeting",
    "tls": "`None`, `\"starttls\"` or `\"implicit\"`",
    "require_tls": "everything but NOOP, EHLO, HELO, LHLO, STARTTLS, RSET and QUIT is refused with `530 5.7.0` until TLS is on",
    "certificate": "which certificate the server shows",
    "client_certificate": "whether the client has to show one, signed by `smtpd_ca`",
    "ssl_context": "your own server-side `ssl.SSLContext`, instead of the two above. `session.tls.server_name` is then `None`",
    "trust": "for the length of the test, `ssl.create_default_context()` in this process and its children trusts the test CA beside the system's. See [TLS](../how-to/tls.md)",
    "auth": "`\"any\"`: every login succeeds and is recorded. A dict of `{user: password}`: only these; the value is also the token of XOAUTH2 and OAUTHBEARER. `None`: AUTH is not offered",
    "require_auth": "`530 5.7.0 Authentication required` before MAIL. `None` means `True` if `auth` is a dict, else `False`",
    "auth_methods": "the mechanisms on offer, in this order. `None` means all that `auth` can decide: with `\"any\"` all but SCRAM, for which the server would have to know the password",
    "auth_requires_tls": "AUTH is hidden, and refused with `538 5.7.11`, until TLS is on",
    "size": "the largest message in bytes: advertised, and enforced at `MAIL SIZE=` and at the end of the data with `552 5.3.4`",
    "max_recipients": "after so many accepted recipients, `452 4.5.3`; the `rcpt_to` hook is not asked. Advertised as `LIMITS RCPTMAX`",
    "max_messages": "after so many completed messages on a connection, accepted or not, `421 4.7.0` at the next MAIL. Advertised as `LIMITS MAILMAX`",
    "max_clients": "with so many connections open, `421 4.3.2` instead of the greeting",
    "timeout": "seconds of silence before `421 4.4.2`, not counted while a hook is pending; inside a handshake or a PROXY header the connection just closes. None by default: a client that stands in a debugger must not be lost",
    "hide": "EHLO keywords that are not advertised, but work",
    "disable": "verbs (refused with `502 5.5.1`) or EHLO keywords (their parameters refused with `555 5.5.4`), not advertised either. PIPELINING and ENHANCEDSTATUSCODES are only not advertised. `disable={\"EHLO\"}` forces HELO",
    "lmtp": "LMTP (RFC 2033): LHLO, and a reply for each accepted recipient after the data",
    "proxy_protocol": "each connection begins with a PROXY header, version 1 or 2",
    "xclient": "Postfix's XCLIENT",
    "xforward": "Postfix's XFORWARD",
    "strict": "refuse what RFC 5321 forbids and servers usually tolerate, see below",
    "name": "what reports call this server, and what the match key `name` compares",
    "on": "rules, nearest first; see [rules](rules.md)",
}

VALUES = {
    "tls": {
        "None": "no TLS at all",
        "starttls": "STARTTLS is offered",
        "implicit": "TLS from the first byte",
    },
    "certificate": {
        "valid": "names `host`, `hostname`, localhost, 127.0.0.1 and ::1",
        "expired": "was valid in the year 2000",
        "not-yet-valid": "will be valid in the year 2900",
        "wrong-host": "for another name",
        "untrusted": "signed by a CA that nobody trusts",
        "self-signed": "signed by itself",
    },
    "client_certificate": {
        "none": "not asked for",
        "optional": "asked for, and checked if there is one",
        "required": "without one, the handshake fails",
    },
    "auth_methods": {
        "PLAIN": "RFC 4616",
        "LOGIN": "not standardised, and everywhere",
        "CRAM-MD5": "RFC 2195",
        "XOAUTH2": "of Google and Microsoft",
        "OAUTHBEARER": "RFC 7628",
        "SCRAM-SHA-256": "RFC 7677",
    },
    "outcome": {
        "accepted": "what the client asked for was done",
        "refused": "it was not; decided by the first digit of the reply, even if the connection was dropped after it",
        "dropped": "the connection was closed without an answer, by a rule or by the client",
        "hung": "there was no answer",
        "error": "a hook or a match raised an exception by mistake",
        "pending": "a hook is still running",
    },
}

# when, arguments, what it may return
HOOKS = {
    "connect": ("a client has connected, before the greeting", "session", ""),
    "secure": ("a TLS handshake is complete, by STARTTLS or implicit", "tls, session", ""),
    "auth": ("credentials have arrived", "auth, session", "the user, kept in `session.user`; what is false refuses"),
    "mail_from": ("a MAIL FROM that is well-formed and in sequence", "address, session", ""),
    "rcpt_to": ("each RCPT TO that is well-formed and in sequence", "address, session", ""),
    "data": (
        "DATA or the first BDAT was accepted; the content streams in",
        "stream, session",
        "a text for the 250; in LMTP also a list, or `{address: ...}`, of texts and `Reject`s",
    ),
    "close": ("the connection is gone, however it ended", "session", ""),
    "command": ("every command line, before the server acts on it", "command, session", ""),
}

ACTIONS = {
    "reply": "answer exactly this: a code (`550`), a text (`\"550 5.1.1 No such user\"`) or several lines (`\"550-two\\n550 lines\"`). Nothing is added to a text. 2xx accepts, 4xx and 5xx refuse, 421 closes",
    "drop": "close without an answer, or after the one that `reply` or `raw` gives. `True` and `\"fin\"` send a FIN, under TLS without a close_notify, so that the client sees the stream cut off; `\"rst\"` resets the connection. On `connect` under implicit TLS: before the handshake",
    "hang": "never answer, or after an answer fall silent. Released when the test ends",
    "raw": "put exactly these bytes on the wire. If they begin with a well-formed reply, the session goes on as after that reply, except that only `drop` closes; otherwise as if the connection had been accepted (on `connect`), or as if nothing had been said (elsewhere). `b\"\"` is an answer that never comes while the session goes on. A `334` on `auth` brings the client's next line to `auth` again",
    "call": "a [hook function](hooks.md)",
}

MODIFIERS = {
    "times": "apply to at most this many matching calls",
    "skip": "let the first so many pass",
    "delay": "seconds before the answer. Alone: the normal answer, late. A client that closes its side of the connection meanwhile is taken to have left",
    "drip": "the answer one byte at a time, so many seconds apart. Alone: the normal answer, slowly",
    "linger": "seconds between the answer and `drop`",
    "after": "on `data`: as soon as so many bytes of content have arrived, while the client is still sending. With `hang` the server stops reading, so it cannot see the client leave: the connection counts as open until the server stops. With a refusal the rest is read, thrown away and not answered again. On `secure`: so many bytes into the client's handshake",
    "accept": "on `data`: `True` keeps the message as accepted, and then the fault happens (the gap of RFC 1047, in which mail is delivered twice). With `after`, the early answer is said in passing; the rest arrives, is kept and answered as usual. `False`, with a 2xx: the client is told yes, and nothing is kept",
    "optional": "`True`: need not be used. `False`: has to be, wherever it stands. Without it, [the place decides](../explanation/unused-rules.md)",
}

KEYS = {
    "to": "an envelope recipient: the one of this RCPT; on `data` any of them, and in LMTP the one whose reply this is",
    "mail_from": "the envelope sender",
    "subject": "the parsed Subject",
    "user": "the logged-in user; on `auth`, who wants to be",
    "verb": "the verb of a `command`, in any case",
    "name": "the server's name",
    "when": "a function of the [call](received.md#call): anything else",
}

FIXTURES = {
    "smtpd": "a running server; markers and fixture parameters apply to it. Nothing survives the test",
    "smtpd_factory": "`smtpd_factory(name=None, /, *, on=(), **settings)`: more servers, stopped and verified like `smtpd`",
    "smtpd_session": "one server per worker, for an application that is configured once. In a test whose fixtures include it, `smtpd` *is* that server: emptied of log and rules before the test, with the test's markers applied, verified and emptied after it",
    "smtpd_config": "a dict of settings and an optional `\"on\"` list of rules. Override it, with any scope, to give a directory, module or class its defaults",
    "smtpd_ca": "the `trustme.CA` that signed every certificate; `smtpd_ca.issue_cert(...)` makes a client's",
}

# Public to the package, and nothing to rely on.
OBJECTS: dict[str, tuple[str, ...]] = {
    "SMTPServer": ("strict_rules", "trust_env", "configure", "explain_unused", "errors", "rules", "settings", "on"),
    "Envelope": (),
    "Attachment": (),
    "Address": (),
    "Session": ("server", "lmtp", "verbs", "mail", "recipients"),
    "TLSInfo": (),
    "Call": ("argument", "replies", "silent", "traceback", "mail", "envelope"),
    "Command": ("secret",),
    "Auth": ("server_final", "unproven"),
    "Stream": ("open",),
    "Reply": ("wire", "digit", "refuses"),
    "Rule": ("acts", "answer", "answers", "copy", "ended", "get", "origin", "seen", "take", "would_take"),
    "Log": (),
}

ATTRIBUTES: dict[str, dict[str, str]] = {
    "SMTPServer": {
        "log": "the [log](#log): everything, in order",
        "envelopes": "a live, read-only sequence of the accepted envelopes, in order; equal to a list of the same ones",
        "name": "what reports call it",
        "wait_timeout": "how many seconds a wait lasts by default: the ini option `smtpd_timeout`, or 5 without pytest. Assign another",
        "host": "the address it listens on",
        "port": "the port; kept by `stop()` and `start()`",
        "address": "`(host, port)`",
        "url": "`smtp://host:port`; `smtps://` under implicit TLS, `lmtp://` for LMTP",
        "ca": "the `trustme.CA` that signed its certificate",
        "ca_file": "that CA's certificate, as the path of a PEM file",
        "client_context": "a new client-side `ssl.SSLContext` that trusts the test CA only",
        "env": "a dict for a child process: `SMTP_HOST`, `SMTP_PORT`, `SMTP_URL`, `SSL_CERT_FILE`, `NODE_EXTRA_CA_CERTS`",
    },
    "Envelope": {
        "id": "unlike any other",
        "mail_from": "the sender, an [`Address`](#address)",
        "rcpt_to": "the accepted recipients, a tuple. One that was given twice is there twice. LMTP recipients that were refused after the data are in `refused`",
        "content": "the bytes as the client sent them, dot-unstuffed, nothing added, nothing changed",
        "size": "how many bytes came. `content` is not all of them where the message was over the `size` setting, or refused while it came in",
        "session": "the connection it came on",
        "user": "who was logged in",
        "body_type": "`\"7bit\"`, `\"8bitmime\"` or `\"binarymime\"`",
        "smtp_utf8": "whether MAIL had SMTPUTF8",
        "require_tls": "whether MAIL had REQUIRETLS",
        "dsn": "`ret` (`\"FULL\"`, `\"HDRS\"` or `None`) and `envid` (decoded) of MAIL",
        "accepted": "whether it was (in LMTP: for any recipient)",
        "reply": "the answer to the data (in LMTP: the first that accepts)",
        "refused": "`{address: Reply}` of this transaction's refused recipients",
        "at": "when it came, in seconds since the epoch",
        "message": "an `email.message.EmailMessage`, parsed once and on demand",
        "subject": "the decoded Subject, a plain `str`, or `None`",
        "text": "the text/plain body, its lines ended by LF, or `None`",
        "html": "the text/html body, likewise",
        "attachments": "a tuple of `Attachment`s",
        "links": "the web addresses of text and HTML, in order, each once",
    },
    "Attachment": {
        "filename": "its name, or `None`",
        "content_type": "for instance `\"application/pdf\"`",
        "content": "the decoded bytes",
    },
    "Address": {
        "local": "what stands before the last @",
        "domain": "what stands behind it; `\"\"` where there is none",
        "args": "the ESMTP parameters as sent: keys in upper case, `True` where there is no value",
        "dsn": "`notify` (a tuple) and `orcpt` (decoded) of RCPT",
    },
    "Session": {
        "id": "unlike any other",
        "local_address": "the server's end",
        "local_port": "the server's end",
        "remote_address": "the client's end; as a PROXY header or XCLIENT says, where there is one. XFORWARD leaves it alone",
        "remote_port": "likewise",
        "client_hostname": "the client's address in brackets, or the name that XCLIENT gives. The server never asks the DNS",
        "hostname_appears_as": "what the client called itself in EHLO, HELO or LHLO, in lower case",
        "opening_command": "`\"EHLO\"`, `\"HELO\"`, `\"LHLO\"`, or `None` so far",
        "tls": "a [`TLSInfo`](#tlsinfo), or `None` in clear",
        "tls_error": "why a handshake failed",
        "user": "what the `auth` hook returned, or the name that logged in",
        "transaction": "the number of the current transaction, from 1; grows with each completed message, accepted or not",
        "error": "the last refusal, a `Reply`",
        "xclient": "the attributes of XCLIENT",
        "xforward": "the attributes of XFORWARD",
        "closed": "whether the connection has ended; already `True` in the `close` hook",
        "at": "when the client connected, in seconds since the epoch",
        "secure": "whether TLS is on",
        "transmission_type": "`SMTP`, `ESMTP`, `ESMTPSA`, `LMTPS` ... (RFC 3848)",
        "commands": "the verbs of all command lines, in order",
        "envelope": "the transaction so far, an `Envelope`, or `None`",
    },
    "TLSInfo": {
        "version": "for instance `\"TLSv1.3\"`",
        "cipher": "its name",
        "server_name": "what the client asked for (SNI), or `None`; always `None` with an `ssl_context` of your own",
        "peer_certificate": "the client's verified certificate, as `ssl.SSLSocket.getpeercert()` gives it, or `None`",
    },
    "Call": {
        "hook": "its name",
        "session": "the connection",
        "number": "its place in the log, from 1",
        "at": "when it began, in seconds since the epoch",
        "duration": "how long it took, in seconds; `None` while it is pending",
        "outcome": "see below",
        "rule": "the [rule](rules.md) that decided, or `None`",
        "error": "the exception that a hook raised by mistake",
        "args": "the arguments, as the hook gets them",
        "reply": "the answer, a `Reply`, or `None`",
        "code": "the code of `reply`",
    },
    "Command": {
        "raw": "the line without its end, in bytes",
        "verb": "in upper case",
        "argument": "what follows the first space",
    },
    "Auth": {
        "method": "the mechanism",
        "username": "who wants to log in",
        "password": "of PLAIN and LOGIN",
        "authzid": "as whom, where the mechanism can say it",
        "access_token": "of XOAUTH2 and OAUTHBEARER",
        "challenge": "what the server asked (CRAM-MD5, SCRAM-SHA-256)",
        "response": "what the client answered to it; after a rule's `334`, the client's next line",
    },
    "Stream": {
        "size": "how many bytes have arrived",
        "size_exceeded": "whether that is over the `size` setting",
    },
    "Reply": {
        "code": "an `int`",
        "enhanced": "the enhanced status code, like `\"5.1.1\"`, or `None`",
        "text": "the rest; lines are joined by `\\n`",
    },
    "Rule": {
        "hook": "where it acts",
        "options": "all it was made of: action, modifiers, match",
        "match": "its match keys",
        "optional": "whether it need not be used; `None` if it does not say so and is on no server",
        "used": "how often it was applied",
    },
    "Log": {},
}

METHODS: dict[str, dict[str, str]] = {
    "SMTPServer": {
        "start": "listen and serve; does nothing if it does. `OSError` if the port is taken",
        "stop": "end every connection and release the port, in milliseconds. The port then refuses; `start()` takes the same one",
        "clear": "forget what has been received and logged so far, and return it as a `Log`. Rules, open connections and what hooks raised by mistake stay",
        "verify": "raise the first exception that a hook raised by mistake. Leaving a `with` block does it",
        "one": "the one accepted envelope that matches, or an `AssertionError` that lists what came, and how the nearest differs",
        "find": "the accepted envelopes that match, a list",
        "wait_for": "a list of at least `count` such envelopes, those that already came included; else `WaitTimeout`",
        "wait_for_async": "its twin, for asyncio and trio",
        "wait_closed": "until every connection has ended and every `close` hook has run, else `WaitTimeout`",
        "wait_closed_async": "its twin",
    },
    "Log": {
        "calls": "the calls of this hook, or of all, that match",
        "envelopes": "all envelopes that match, the refused ones too (`accepted=False`)",
        "sessions": "the connections that match",
        "transcript": "what was said, on this connection or on all: secrets masked, content folded",
        "wait_for": "a list of at least `count` such calls, else `WaitTimeout`. A call counts from the moment it begins",
        "wait_for_async": "its twin, for asyncio and trio",
    },
    "Auth": {
        "validate_password": "whether the client knows this password (XOAUTH2, OAUTHBEARER: this token), whatever the mechanism",
    },
    "Stream": {
        "read": "all that is left; blocks, so for `def` hooks only",
        "aread": "its twin for `async def` hooks",
    },
    "Rule": {"end": "apply to no further call; leaving `with rule:` does it"},
}

PROSE: dict[str, str] = {}

PROSE["settings"] = """\
# Settings

They are the same in `@pytest.mark.smtpd(...)`, `smtpd_factory(...)`, `SMTPServer(...)`, a dict of `smtpd_config`, and a
dict as parameter of the `smtpd` fixture.

{table}
What is wrong, an unknown name or a value that a setting cannot have, is one line with a suggestion: a `TypeError` or
`ValueError` where you call something, an error at the setup of that one test where it is a marker or a parameter.

These count when a server starts, and so cannot be set for a single test on `smtpd_session`: {fixed}, and
`tls="implicit"` against the other values of `tls`. All others apply to the connections that are made from then on.

## Values

{values}
## strict

A server has to be liberal in what it accepts; a test may want to know what its client sends. With `strict=True` these
are refused:

* a space after `FROM:` or `TO:`, a path without angle brackets, EHLO without a valid domain or address literal (501);
* LF instead of CRLF at the end of a command, a command that is too long (500); a path that is too long (501);
* an address in UTF-8 in a transaction without SMTPUTF8 (553).

Malformed paths, control characters (501) and unknown parameters (555) are always refused. There are no other limits
than the settings: no count of bad commands, no guard against clients that talk early or speak HTTP.

## Whatever the settings

* Only `CRLF.CRLF` ends the data. A message over `size` gets its 552 whatever a hook says.
* Nothing that was sent in clear survives STARTTLS, and the client has to greet again after it. STARTTLS inside a
  transaction is a 503.
* A reply never carries a line break that came from a client, or from a hook's text by accident.
* A client or a hook that misbehaves harms its own connection only.
* Secrets are masked in every text meant for people; only `Auth` and `Call.args` hold them.
"""

PROSE["hooks"] = """\
# Hooks

A hook is a function, `def` or `async def`, that is asked at one point of the conversation. It is given by
`@smtpd.on(hook)` or `on(hook, call=function)`. How to write one: [Write hooks](../how-to/hooks.md).

{table}
## Accepting and refusing

A hook accepts by returning, and refuses by raising `Reject(code=None, message=None, *, data=None)`:

`code`
: from 400 to 599; without one, the hook's own default.

`message`
: may begin with an enhanced status code, which has to be of the code's class; without one, the hook's default is added, or `x.0.0`
  where the class differs. It may have several lines.

`data`
: the JSON object (`status`, `schemes`, `scope`) with which XOAUTH2 and OAUTHBEARER explain a refused token.

A `Reject` that cannot be said is a `ValueError` where it is made.

Any other exception is a bug in the test, also `assert` and `pytest.fail` in a hook: the client gets `451 4.3.0`, and
the test fails in its call phase with that exception and its traceback. What is raised in the teardown of fixtures, or
in a test that skips itself, is an error of the teardown. A list of the wrong length for LMTP, or a list in SMTP, is a
bug, too. An address that is missing from a dict is accepted; addresses compare without case in the domain.

A function that does not take the arguments of its hook, or is a generator, is a `TypeError` when the rule is made.

## Order

* The greeting is the answer to `connect`, the reply after the data is the answer to `data`, and the 354 is the answer
  to the `command` whose verb is DATA.
* `command` is passed first: if a rule answers there, or a hook refuses, the more special hook is not asked. A rule that
  accepts BDAT gives the reply to its chunk, one that accepts XCLIENT the greeting.
* Every connection has one session and exactly one `close`. Under implicit TLS the order is handshake, `connect`,
  `secure`, greeting.
* `connect` waits for a PROXY header, and is not passed by a client over `max_clients`, or with a bad header or
  handshake. After XCLIENT it
  is passed again, and its LOGIN goes to `auth`.
* The hooks of one connection run one at a time, in the order of the protocol; connections do not wait for each other.
* When the client goes away, an `async def` hook that is pending is cancelled, and a `def` hook runs to its end, for
  which `close` waits. The call counts as
  `"dropped"`, and no hook but `close` runs after it.
"""

PROSE["rules"] = """\
# Rules

A rule is what the server does at one [hook](hooks.md), when something matches.

```text
{signature}
```

`@pytest.mark.smtpd_on(...)`, `smtpd.on(...)` and `on(...)` take the same. `on(...)` is a plain value; every server
takes its own copy, so that its counters start fresh. `smtpd.on(...)` returns the [`Rule`](received.md#rule), and is a
decorator for a hook function where no action is given (match keys, `times`, `skip`, `delay` and `drip` may be). What could
never work is an error when the rule is made.

## Actions

One; or `reply` or `raw`, followed by `drop` or `hang`.

{actions}
The session goes on by the first digit of the answer. Only a command that is malformed or out of sequence changes
nothing, whatever a rule on `command` answers: after a 354 to it, the server goes on reading commands.

## Modifiers

{modifiers}
`times` and `skip` count only the calls that reach the rule. A rule with nothing but `delay` or `drip` slows the answer
down, and the search for a rule that answers goes on.

## Match keys

All have to match. A `str` matches if it is equal, or as a shell pattern like `"*@example.com"`; addresses compare
without case in the domain. A `re.Pattern` matches by search, a function by its truth, anything else by `==`, so that
[dirty-equals](https://dirty-equals.helpmanual.io/) works. An exception in a match is a bug in the test, like one in
a hook.

{keys}
[Queries](received.md) match in the same way, and know some keys more; their `when` gets the envelope, call or session.

{more}
## Which hook can have what

{matrix}
## In LMTP

A `data` rule with `to` stands in the place of that recipient's reply: its `delay`, `drip` and `accept` concern that
recipient alone, and behind its `drop` or `hang` nobody is told anything. Without `to`, `reply` answers for each recipient,
and `raw`, `drop` and `hang` happen once. A `call` decides for all recipients, whatever its `to`.

## Codes

A bare code says what the standard says; where it is also the code of the hook's own refusal, it says that one.

{standard}"""

PROSE["received"] = """\
# What was received

## SMTPServer

`smtpd` is one. Without pytest: `with SMTPServer(on=[...], **settings) as server:`.

{SMTPServer}
{SMTPServer_methods}
`**match` are [match keys](rules.md#match-keys). `timeout` is in seconds; without it, the server's `wait_timeout` counts.
`WaitTimeout` is an `AssertionError` and a `TimeoutError`, and says what came instead. An unknown match key is a
`TypeError`.

## Log

Iterating gives the calls, and `len` their number.

{Log_methods}
Everything is recorded before the client can see the answer, so when the client's call returns, asserting needs no wait.
Only `close` has no reply: `wait_closed()` waits for it. See [Recorded before replied](../explanation/recorded.md).

## Envelope

A snapshot: nothing changes it later; only its `session` is the live object.

{Envelope}
## Attachment

{Attachment}
## Address

A `str`, without the angle brackets. `""` is the null sender.

{Address}
## Session

One connection. The server keeps it up to date while the connection lives, and it stays readable afterwards.

{Session}
## TLSInfo

{TLSInfo}
## Call

One passing of a hook point, whether or not anyone hooked it. It is in the log from the moment it begins. The `command`
call of MAIL, RCPT, AUTH and so on carries the same reply as the special hook's.

{Call}
{outcomes}
## Command

{Command}
## Auth

Attributes are `None` where the mechanism does not have them. The secrets among them are in no `repr`.

{Auth}
{Auth_methods}
`validate_password` must have been asked for a SCRAM login to succeed.

## Stream

The content, dot-unstuffed, while it arrives: `for chunk in stream` in a `def` hook, `async for chunk in stream` in an
`async def` hook. What a hook leaves unread is read for it.

{Stream}
{Stream_methods}
If the client vanishes, or gives the message up, reading raises `ConnectionError`, which is no bug of the test when it
leaves the hook.

## Reply

Equal to its code: `call.reply == 550`.

{Reply}
## Rule

A context manager: `with smtpd.on("rcpt_to", reply=450):` ends the rule with the block.

{Rule}
{Rule_methods}"""

PROSE["fixtures"] = """\
# Fixtures, markers, option

## Fixtures

{table}
`smtpd_session` alone in a test, without `smtpd`, is likewise emptied, marked and verified. Settings of `smtpd_config`
apply to servers of `smtpd_factory` too; markers and parameters apply to `smtpd`. The exception is a rule with `name=`,
which is handed to every server of the test, and acts on the one that is called so.

## Markers

{markers}
Both pass `--strict-markers`. The first takes [settings](settings.md), the second a [rule](rules.md). A wrong marker, or
one on a test that uses none of the fixtures, is an error of that test, at its setup, in one line.

## Fixture parameters

With `indirect=True`, `smtpd` takes a rule, a list of rules, or a dict of settings with `"on"` for rules. Ids are
readable without help, and never show a password: `[connect-421]`, `[data-drop]`, `[rcpt_to-550-to=bounce@*]`,
`[tls=implicit]`.

## Precedence

Nearest first: `smtpd.on(...)` in the body of the test; fixture parameter; `pytest.param(marks=...)`; marker of the
function; of its class, a child before its base; of the module; `smtpd_config`; defaults. Settings merge key by key.
Rules accumulate, and the nearest is asked first; within one level the latest `smtpd.on(...)`, the lowest decorator, the
earliest in a list. See [Who answers](../explanation/order.md).

## Types

Everything is typed. In annotations, `smtpd` and `smtpd_session` are a `SMTPServer`, and `smtpd_factory` is a
`SMTPServerFactory`. These names can be imported from `pytest_smtpd`:

{names}

## Ini option

`smtpd_timeout`
: seconds that every wait lasts by default, 5 if not set.

## Plugin

The entry point is called `pytest-smtpd`; `-p no:pytest-smtpd` switches it off. If another plugin's fixture called
`smtpd` takes the place of this one (smtpdfix has one too), the test says so by name.
"""
