"""RULES: one row for each lint rule."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from pytest_smtpd.lint import content, dialogue, header, login
from pytest_smtpd.lint.facts import Facts
from pytest_smtpd.lint.finding import LintRule, Seen
from pytest_smtpd.lint.mime import mime
from pytest_smtpd.smtp.table import Table


def _long_lines(facts: Facts) -> Iterator[Seen]:
    return chain(dialogue.long_commands(facts), content.long_lines(facts))


def _smtputf8(facts: Facts) -> Iterator[Seen]:
    return chain(dialogue.utf8_addresses(facts), header.utf8_headers(facts))


_ROWS: Final = {
    "clear-password": LintRule(
        "AUTH with PLAIN, LOGIN, XOAUTH2 or OAUTHBEARER without TLS",
        rfc="RFC 4954 4, RFC 8314 3",
        certain=True,
        default=True,
        find=login.clear_password,
        advice="log in after STARTTLS, or connect with TLS",
    ),
    "bare-lf": LintRule(
        "a bare LF in the content (not of a BINARYMIME message)",
        rfc="RFC 5321 2.3.8",
        certain=True,
        default=True,
        find=content.bare_lf,
        advice="end each line with CRLF; servers refuse this since it can smuggle a second message",
    ),
    "bare-cr": LintRule(
        "a bare CR in the content (not of a BINARYMIME message)",
        rfc="RFC 5321 2.3.8",
        certain=True,
        default=True,
        find=content.bare_cr,
        advice="end each line with CRLF, or encode the part in base64",
    ),
    "nul": LintRule(
        "NUL in the content (not of a BINARYMIME message)",
        rfc="RFC 2045 2.8",
        certain=True,
        default=True,
        find=content.nul,
        advice="encode the part in base64",
    ),
    "dot-stuffed-lf": LintRule(
        "a line behind a bare LF begins with two dots: the reader sees one too many",
        rfc="RFC 5321 4.5.2",
        certain=True,
        default=True,
        find=content.dot_stuffed_lf,
        advice="convert line ends to CRLF before dots are doubled",
    ),
    "line-length": LintRule(
        "a content line over 998 octets (not of a BINARYMIME message); a command line over 510 (AUTH: 12,288; MAIL and "
        "RCPT: more by what their extensions allow); a path over 256",
        rfc="RFC 5321 4.5.3.1",
        certain=True,
        default=True,
        find=_long_lines,
        advice="keep to the limit: content fits in quoted-printable or base64, a header when it is folded",
    ),
    "early-talk": LintRule(
        "bytes before the greeting, or between STARTTLS and its 220",
        rfc="RFC 5321 3.1, RFC 3207 4",
        certain=True,
        default=True,
        find=dialogue.early_talk,
        advice="wait for the reply first; servers hang up on clients that do not, as spammers do",
    ),
    "pipelining": LintRule(
        "commands ahead of a reply although PIPELINING was not offered; anything behind DATA, EHLO, STARTTLS, AUTH or "
        "QUIT in one go",
        rfc="RFC 2920 3.1",
        certain=True,
        default=True,
        find=dialogue.pipelining,
        advice="wait for each reply, or pipeline only what may be and only where it is offered",
    ),
    "smtputf8": LintRule(
        "a non-ASCII address or header without the parameter SMTPUTF8",
        rfc="RFC 6531 3.4",
        certain=True,
        default=True,
        find=_smtputf8,
        advice="send SMTPUTF8 with MAIL where it is offered, or encode: RFC 2047 for headers, punycode for domains",
    ),
    "ehlo-name": LintRule(
        "EHLO or HELO with neither a domain nor an address literal",
        rfc="RFC 5321 4.1.1.1",
        certain=True,
        default=True,
        find=dialogue.ehlo_name,
        advice="give the client's host name in ASCII without underscores, or its address as [192.0.2.1]",
    ),
    "out-of-step": LintRule(
        "a 500, 501, 503 or 555 that no rule gave (not to what was pipelined behind a refusal)",
        rfc="RFC 5321 4.1.4",
        certain=True,
        default=True,
        find=dialogue.out_of_step,
        advice="the command, or its place in the dialogue, is wrong: see what came before it",
    ),
    "limits": LintRule(
        "more recipients or messages than LIMITS offers; a message over SIZE sent without saying so",
        rfc="RFC 9422 4",
        certain=True,
        default=True,
        find=dialogue.limits,
        advice="read the limits in the EHLO reply; begin another transaction or connection, or announce SIZE=",
    ),
    "bcc": LintRule(
        "a Bcc header goes out",
        rfc="RFC 5322 3.6.3",
        certain=True,
        default=True,
        find=header.bcc,
        advice="take it out before the message is sent: every recipient can read it",
    ),
    "double-header": LintRule(
        "a header twice that RFC 5322 allows once",
        rfc="RFC 5322 3.6",
        certain=True,
        default=True,
        find=header.double_header,
        advice="set it once; Gmail and others refuse such mail",
    ),
    "auth-again": LintRule(
        "the same password after a 535",
        rfc="RFC 4954 6",
        certain=True,
        default=True,
        find=login.auth_again,
        advice="ask for another password; providers lock accounts for this",
    ),
    "same-message-id": LintRule(
        "two accepted messages of different content with one Message-ID",
        rfc="RFC 5322 3.6.4",
        certain=True,
        default=True,
        find=content.same_message_id,
        advice="make a new Message-ID for each message; mailboxes throw the second one away",
    ),
    "8bit": LintRule(
        "8-bit content without BODY=8BITMIME",
        rfc="RFC 6152 3",
        certain=True,
        default=False,
        find=content.eight_bit,
        advice="send BODY=8BITMIME with MAIL, or encode the content in quoted-printable or base64",
    ),
    "no-date": LintRule(
        "no Date header; a submission server may add it (RFC 6409 8)",
        rfc="RFC 5322 3.6.1",
        certain=True,
        default=False,
        find=header.absent("Date"),
        advice="set it when the message is written",
    ),
    "no-from": LintRule(
        "no From header",
        rfc="RFC 5322 3.6.2",
        certain=True,
        default=False,
        find=header.absent("From"),
        advice="say who wrote the message",
    ),
    "no-message-id": LintRule(
        "no Message-ID header; a submission server may add it (RFC 6409 8)",
        rfc="RFC 5322 3.6.4",
        certain=False,
        default=False,
        find=header.absent("Message-ID"),
        advice="set one: with it, a receiver recognises a second copy",
    ),
    "no-quit": LintRule(
        "the client closes the connection without QUIT",
        rfc="RFC 5321 4.1.1.10",
        certain=False,
        default=False,
        find=dialogue.no_quit,
        advice="send QUIT, and wait for its reply",
    ),
    "helo-first": LintRule(
        "HELO without having tried EHLO",
        rfc="RFC 5321 3.2",
        certain=False,
        default=False,
        find=dialogue.helo_first,
        advice="begin with EHLO; without it there is no TLS, no login and no SIZE",
    ),
    "size-wrong": LintRule(
        "SIZE= is far from the size of the message",
        rfc="RFC 1870 5",
        certain=False,
        default=False,
        find=content.size_wrong,
        advice="count the octets as they are sent, with CRLF and without doubled dots",
    ),
    "ehlo-unqualified": LintRule(
        "EHLO or HELO with a name that is no full one, or that only a local network knows",
        rfc="RFC 5321 2.3.5",
        certain=False,
        default=False,
        find=dialogue.ehlo_unqualified,
        advice="give a name that DNS knows, or the address as [192.0.2.1]; many servers check it",
    ),
    "mime": LintRule(
        "defects of parts, a part without an encoding that it needs, broken encoded words",
        rfc="RFC 2045",
        certain=True,
        default=False,
        find=mime,
        advice="let a mail library write the message",
    ),
    "unsubscribe": LintRule(
        "List-Unsubscribe without List-Unsubscribe-Post, or unlike what that promises",
        rfc="RFC 8058 3.1",
        certain=False,
        default=False,
        find=header.unsubscribe,
        advice="give an https address and List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ),
    "not-in-headers": LintRule(
        "a recipient of the envelope who is in no header",
        rfc="RFC 5322 3.6.3",
        certain=False,
        default=False,
        find=header.not_in_headers,
        advice="that is right for blind copies and mailing lists only",
    ),
    "not-in-envelope": LintRule(
        "a recipient in a header who is not in the envelope",
        rfc="RFC 5322 3.6.3",
        certain=False,
        default=False,
        find=header.not_in_envelope,
        advice="name everybody of To, Cc and Bcc in RCPT, or send each a message of their own",
    ),
}
RULES: Final = Table("lint rule", LintRule.problems, _ROWS)
