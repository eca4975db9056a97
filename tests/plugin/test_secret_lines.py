"""Where a client puts its credentials in the wrong place, no text for people shows them."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Callable
from time import thread_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_smtpd import Command, SMTPServer
from tests.plugin.people import dialogue, shown

USER, PASSWORD, TOKEN = "app", "s3cret-pw", "ya29.t0ken-0123456789"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PLAIN = b64(f"\0{USER}\0{PASSWORD}")
XOAUTH2 = b64(f"user={USER}\1auth=Bearer {TOKEN}\1\1")
LONG = "correct horse battery staple " * 3  # whose base64 is folded by many an encoder

# What a confused client sends, and what of it is secret beside the password and its base64.
LINES: dict[str, list[str]] = {
    "PLAIN in two halves": ["AUTH PLAIN", PLAIN[:12], PLAIN[12:]],
    "PLAIN, the first half in the command": [f"AUTH PLAIN {PLAIN[:12]}", PLAIN[12:]],
    "the response once more": [f"AUTH PLAIN {PLAIN}", PLAIN, b64(PASSWORD), PASSWORD],
    "LOGIN with an initial response, then both": [f"AUTH LOGIN {b64(USER)}", b64(PASSWORD), b64(USER), b64(PASSWORD)],
    "LOGIN with an initial response and the user again": [f"AUTH LOGIN {b64(USER)}", b64(USER), b64(PASSWORD)],
    "LOGIN, a command between": ["AUTH LOGIN", "NOOP", b64(USER), b64(PASSWORD)],
    "LOGIN, cancelled": ["AUTH LOGIN", "*", b64(USER), b64(PASSWORD)],
    "behind other commands after the login": [f"AUTH PLAIN {PLAIN}", "NOOP", "RSET", PASSWORD, b64(PASSWORD)],
    "in the middle of a transaction": [f"AUTH PLAIN {PLAIN}", "MAIL FROM:<a@b.example>", PASSWORD, b64(PASSWORD)],
    "behind a chunk of no transaction": ["BDAT 5", f"AUTH PLAIN {PLAIN}"],
    "behind a chunk that takes its head": ["BDAT 7 LAST", f"AUTH PLAIN {PLAIN}"],
    "behind a chunk that takes more": ["BDAT 16 LAST", f"AUTH PLAIN {PLAIN}", PLAIN],
    "behind a chunk, in two lines": ["BDAT 4", "AUTH LOGIN", b64(USER), b64(PASSWORD)],
    "AUTHPLAIN": [f"AUTHPLAIN {PLAIN}"],
    "AUTHPLAIN in two lines": ["AUTHPLAIN", PLAIN],
    "all glued": [f"AUTHPLAIN{PLAIN}"],
    "AUTH=PLAIN": [f"AUTH=PLAIN {PLAIN}", f"AUTH:PLAIN {PLAIN}", f"AUTH-PLAIN {PLAIN}", f"AUTH\tPLAIN\t{PLAIN}"],
    "no mechanism": [f"AUTH {PLAIN}", f"AUTH PLAIN{PLAIN}"],
    "misspelt": [f"{verb} PLAIN {PLAIN}" for verb in ("ATUH", "AUT", "UTH", "AUTHH", "AUHT", "OAUTH")],
    "misspelt mechanism": [f"AUTH PLIAN {PLAIN}", f"AUTH {PLAIN} PLAIN"],
    "AUTHENTICATE": [f"AUTHENTICATE PLAIN {PLAIN}", f'AUTHENTICATE "PLAIN" "{PLAIN}"', f"AUTHORIZE {PLAIN}"],
    "a NUL before": [f"\0AUTH PLAIN {PLAIN}", f"A\0UTH PLAIN {PLAIN}"],
    "a BOM before": [f"\ufeffAUTH PLAIN {PLAIN}", f"\u200bAUTH PLAIN {PLAIN}", f"\u00a0AUTH PLAIN {PLAIN}"],
    "blanks before": [f" AUTH PLAIN {PLAIN}", f"\tAUTH PLAIN {PLAIN}"],
    "a prompt before": [f"> AUTH PLAIN {PLAIN}", f"C: AUTH PLAIN {PLAIN}", f"<- AUTH PLAIN {PLAIN}"],
    "behind HELP": [f"HELP AUTH PLAIN {PLAIN}", f"NOOP AUTH PLAIN {PLAIN}", f"NOOP NOOP AUTH PLAIN {PLAIN}"],
    "behind EHLO": [f"EHLO client.example AUTH PLAIN {PLAIN}"],
    "behind STARTTLS": [f"STARTTLS AUTH PLAIN {PLAIN}"],
    "behind nothing": [f"NOOP {PLAIN}", f"VRFY {PLAIN}", f"RSET {PLAIN}", f"NOOP {XOAUTH2}"],
    "POP3": [f"USER {USER}", f"PASS {PASSWORD}"],
    "POP3 in small letters": [f"pass {PASSWORD}", f"pass: {PASSWORD}", f"Password: {PASSWORD}"],
    "POP3 with a digest": [f"APOP {USER} c4c9334bac560ecc979e58001b3e22fb"],
    "IMAP": [f"a1 LOGIN {USER} {PASSWORD}", f'a2 LOGIN "{USER}" "{PASSWORD}"', f"a3 AUTHENTICATE PLAIN {PLAIN}"],
    "IMAP without a tag": [f"LOGIN {USER} {PASSWORD}"],
    "IMAP, in two lines": ["a1 AUTHENTICATE PLAIN", PLAIN],
    "HTTP": ["GET / HTTP/1.1", f"Authorization: Basic {b64(f'{USER}:{PASSWORD}')}", f"Authorization: Bearer {TOKEN}"],
    "HTTP proxy": [f"Proxy-Authorization: Basic {b64(f'{USER}:{PASSWORD}')}"],
    "HTTP of an interface": [f"X-Api-Key: {TOKEN}", f"Cookie: t={TOKEN}"],
    "a form": [f"user={USER}&password={PASSWORD}", f"api_key={TOKEN}&x=1", f'{{"password": "{PASSWORD}"}}'],
    "an address of the web": [f"GET smtp://{USER}:{PASSWORD}@mx.example/", f"EHLO smtp://a:{PASSWORD}@b.example"],
    "a credential as an attribute": [f"XCLIENT NAME=a PASSWORD={PASSWORD}", f"XCLIENT TOKEN={TOKEN}"],
    "bearer": [f"AUTH XOAUTH2 {XOAUTH2}", XOAUTH2, f"NOOP Bearer {TOKEN}", f"AUTH BEARER {TOKEN}"],
}  # fmt: skip
SECRETS = (PASSWORD, TOKEN, PLAIN, PLAIN[12:], b64(PASSWORD), XOAUTH2, b64(f"{USER}:{PASSWORD}"), "c4c9334bac")


def leaks(text: str, *secrets: str) -> list[str]:
    """The lines that show a secret, upper-cased or not."""
    wanted = [secret.casefold() for secret in secrets]
    return [line for line in text.splitlines() if any(secret in line.casefold() for secret in wanted)]


@pytest.mark.parametrize("auth", ["any", {USER: PASSWORD, "other": TOKEN}, {USER: "something-else"}, None])
@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_no_text_shows_a_credential_in_the_wrong_place(lines: list[str], auth: object) -> None:
    with SMTPServer(auth=auth) as server:  # type: ignore[arg-type]
        dialogue(server, "EHLO client.example", *lines, "NOOP the end")
        assert "NOOP the end" in server.log.transcript()
        assert leaks(shown(server), *SECRETS) == []


@pytest.mark.parametrize("auth", ["any", {USER: LONG}])
def test_a_response_with_line_breaks_is_masked_to_its_end(auth: object) -> None:
    """RFC 4954 section 4 forbids them, and `base64.encodebytes` puts them in."""
    folded = base64.encodebytes(f"\0{USER}\0{LONG}".encode()).decode().splitlines()
    assert len(folded) > 1
    with SMTPServer(auth=auth) as server:  # type: ignore[arg-type]
        dialogue(server, "EHLO client.example", f"AUTH PLAIN {folded[0]}", *folded[1:])
        dialogue(server, "EHLO client.example", "AUTH PLAIN", *folded)
        assert leaks(shown(server), *folded, LONG) == []


KNOWN = {
    "in clear": [f"NOOP {PASSWORD}", f"VRFY x{PASSWORD}x", f"EHLO {PASSWORD}", f"MAIL FROM:<{PASSWORD}@b.example>"],
    "in base64": [f"NOOP {b64(PASSWORD)}", f"HELP {b64('x' + PASSWORD)} {b64('xy' + PASSWORD)}", b64("xyz" + PASSWORD)],
    "in base64 for addresses": [f"NOOP {base64.urlsafe_b64encode(b'~~~' + PASSWORD.encode()).decode().rstrip('=')}"],
    "cut off in front": [f"NOOP {b64('xxxx' + PASSWORD)[1:]}", f"NOOP {b64('xxxxxx' + PASSWORD)[3:]}"],
    "per cent": [f"EHLO {PASSWORD.replace('-', '%2D')}", f"EHLO {PASSWORD.replace('-', '%2d')}"],
}


@pytest.mark.parametrize("lines", KNOWN.values(), ids=KNOWN)
def test_a_known_password_is_masked_in_any_line_of_a_client(lines: list[str]) -> None:
    secrets = [word for line in lines for word in re.findall(r"[\w%=-]{12,}", line)]
    with SMTPServer(auth={USER: PASSWORD}) as server:
        dialogue(server, *lines)
        assert leaks(server.log.transcript(), PASSWORD, *secrets) == []
        assert leaks("\n".join(map(repr, server.log.calls("command"))), PASSWORD, *secrets) == []


@pytest.mark.parametrize("auth", ["any", {USER: "something-else"}, None])
@pytest.mark.parametrize("sent", [PASSWORD, TOKEN, b64(PASSWORD), PLAIN])
@pytest.mark.parametrize("reply", ["334", "334 go on", "235 2.7.0 OK", "535 5.7.8 No"])
def test_a_password_in_the_place_of_the_mechanism_is_not_shown_where_a_rule_replies(
    reply: str, sent: str, auth: object
) -> None:
    """With a 334 the attempt reaches `auth` hooks, and its mechanism is the word behind AUTH, in upper case."""
    with SMTPServer(auth=auth) as server:  # type: ignore[arg-type]
        server.on("command", verb="AUTH", reply=reply)
        dialogue(server, "EHLO client.example", f"AUTH {sent}", "a line", f"AUTH {sent} {sent}", "a line", "NOOP")
        assert leaks(shown(server) + "\n".join(map(str, server.lint)), *SECRETS) == []


@pytest.mark.parametrize("mechanism", ["NTLM", "gssapi", "EXTERNAL", "SCRAM-SHA-512", "ANONYMOUS"])
def test_the_name_of_a_mechanism_that_other_servers_have_is_shown(mechanism: str) -> None:
    with SMTPServer() as server:
        server.on("command", verb="AUTH", reply="334")
        dialogue(server, "EHLO client.example", f"AUTH {mechanism}", b64("a response"))
        assert [repr(call.argument) for call in server.log.calls("auth")] == [f"<Auth {mechanism.upper()} ''>"]


def test_of_two_known_passwords_that_begin_alike_nothing_is_left() -> None:
    with SMTPServer(auth={"one": "s3cret", "two": "s3cret-and-more"}) as server:
        dialogue(server, "NOOP s3cret-and-more", "NOOP s3cret")
        assert leaks(shown(server), "s3cret", "-and-more") == []


def test_a_known_password_in_another_encoding_is_masked() -> None:
    with SMTPServer(auth={USER: "pässwörter"}) as server:
        dialogue(server, "NOOP pässwörter".encode("latin-1"), "NOOP pässwörter".encode(), "NOOP end")
        text = shown(server)
        assert leaks(text, "sswörter", r"p\xe4ssw", "pässw") == []
        assert "NOOP end" in text


def test_user_and_password_the_wrong_way_round_show_no_known_password() -> None:
    """`client.login(password, user)`: what comes as the user is the password."""
    for lines in (
        ["AUTH LOGIN", b64(f"{USER}:{PASSWORD}"), "x"],
        ["AUTH LOGIN", b64(b64(PASSWORD)), b64(b64(USER))],
        ["AUTH PLAIN " + b64(f"\0{PASSWORD}\0{USER}")],
        ["AUTH LOGIN", b64(PASSWORD), b64(USER)],
        ["AUTH XOAUTH2 " + b64(f"user={PASSWORD}\1auth=Bearer {USER}\1\1"), ""],
    ):
        with SMTPServer(auth={USER: PASSWORD, PASSWORD: USER}) as server:  # the second lets it in
            dialogue(server, "EHLO client.example", *lines, "MAIL FROM:<a@b.example>", "RCPT TO:<a@b.example>")
            dialogue(server, "EHLO client.example", *lines)
            assert leaks(shown(server), PASSWORD) == []


def test_a_hook_that_repeats_what_the_client_said_repeats_no_known_password() -> None:
    with SMTPServer(auth={USER: PASSWORD}) as server:

        @server.on("command", verb="NOOP")
        def parrot(command: object, session: object) -> str:
            return f"250 2.0.0 You said {command.raw.decode()}"  # type: ignore[attr-defined]

        @server.on("command", verb="RSET")
        def broken(command: object, session: object) -> None:
            raise ValueError(command.raw.decode())  # type: ignore[attr-defined]

        dialogue(server, f"NOOP {PASSWORD}", f"RSET {PASSWORD}")
        assert "You said" in server.log.transcript()
        assert leaks(server.log.transcript(), PASSWORD) == []
        server.errors.clear()


ORDINARY = [
    "EHLO auth.example.com",
    "EHLO login.example.com",
    "EHLO plain",
    "MAIL FROM:<login@plain.example> AUTH=<> SIZE=1000 BODY=8BITMIME",
    "MAIL FROM:<a@b.example> AUTH=ada+3Dx@example.com",
    "RCPT TO:<auth@example.com> NOTIFY=NEVER ORCPT=rfc822;token+3Dabc@example.com",
    "RCPT TO:<bounces+0123456789abcdef=bob=example.com@lists.example>",
    "RCPT TO:<token=abcdef@example.com>",
    "XCLIENT NAME=mx.example ADDR=192.0.2.1 LOGIN=ada",
    "NOOP a compass rose",
    "NOOP 0123456789",
    "VRFY Administrator",
    "HELP AUTH",
    "HELP LOGIN",
    "BDAT 1234567890 LAST",
    "AUTH",
    "AUTH PLAIN",
    "AUTH LOGIN",
    "XFROBNICATE all the things",
    "GET /path/to/page.html?x=1 HTTP/1.1",
    "Host: mx.example",
    "StartTls",
]


@pytest.mark.parametrize("line", ORDINARY)
def test_what_is_no_secret_is_shown(line: str) -> None:
    with SMTPServer(xclient=True) as server:
        dialogue(server, "EHLO client.example", line)
        assert line in server.log.transcript()
        (command,) = server.log.calls("command", number=4)[:1] or server.log.calls("command")[-1:]
        assert str(command.args[0]) == line


def test_the_commands_of_a_session_name_no_word_that_may_be_a_secret() -> None:
    with SMTPServer() as server:
        dialogue(server, "EHLO c.example", "XFOO", PLAIN, f"AUTH PLAIN {PLAIN}", PASSWORD, "NOOP", PASSWORD, "QUIT")
        assert server.log.sessions()[0].commands == ("EHLO", "XFOO", "***", "AUTH", "***", "NOOP", "***", "QUIT")


# ---------------------------------------------------------------- whatever a client sends

METHODS = ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "SCRAM-SHA-256", "Basic"]
COMMANDS = [
    "AUTH",
    "auth",
    "NOOP",
    "RSET",
    "HELP",
    "EHLO",
    "BDAT 3",
    "MAIL FROM:<a@b.example>",
    "RCPT TO:<a@b.example>",
]
WORDS = st.sampled_from([*METHODS, *COMMANDS, "PASS", "a1", "=", "*", "", "\0", "\t", "x"])
FORMS: dict[str, Callable[[str, str], str]] = {
    "clear": lambda user, password: password,
    "base64": lambda user, password: b64(password),
    "PLAIN": lambda user, password: b64(f"\0{user}\0{password}"),
    "Basic": lambda user, password: b64(f"{user}:{password}"),
    "XOAUTH2": lambda user, password: b64(f"user={user}\1auth=Bearer {password}\1\1"),
    "OAUTHBEARER": lambda user, password: b64(f"n,a={user},\1auth=Bearer {password}\1\1"),
    "folded": lambda user, password: base64.encodebytes(f"\0{user}\0{password * 5}".encode()).decode().strip(),
    "user": lambda user, password: b64(user),
}
PASSWORDS = st.text(string.ascii_letters + string.digits + string.punctuation + " äß€😀", min_size=6, max_size=20)


def pieces(form: str) -> set[str]:
    """What of an encoded password must not be seen: all of it, and any line of it that is not short."""
    return {form, *(line for line in form.splitlines() if len(line) > 8)}


@settings(max_examples=150, deadline=None)
@given(
    password=PASSWORDS.filter(lambda text: len(text.strip()) > 5),
    lines=st.lists(st.lists(WORDS | st.sampled_from(sorted(FORMS)), min_size=1, max_size=4), max_size=6),
)
@example(password="QUIT now", lines=[["AUTH", "LOGIN"], ["clear"], ["clear"], ["NOOP", "clear"]])
@example(password="\\x00abc", lines=[["clear"], ["NOOP", "base64"]])
@example(password="closed", lines=[])
def test_after_auth_has_begun_a_known_password_is_never_shown(password: str, lines: list[list[str]]) -> None:
    def text_for(people: dict[str, str], sent: str) -> str:
        said = [" ".join(FORMS[word]("app", sent) if word in FORMS else word for word in line) for line in lines]
        with SMTPServer(auth=people) as server:
            dialogue(server, "EHLO client.example", "AUTH LOGIN", *said)
            return server.log.transcript() + "".join(repr(call) for call in server.log)

    text = text_for({"app": password, "other": "other-password"}, password)
    secrets = {piece for name in FORMS if name != "user" for piece in pieces(FORMS[name]("app", password))}
    found = [secret for secret in secrets if secret in text]
    if found:  # the password may be a word that is there anyway, such as "closed"
        others = text_for({"app": "s0mething-else", "other": "other-password"}, "s0mething-else")
        found = [secret for secret in found if secret not in others]
    assert not found, text


@settings(max_examples=80, deadline=None)
@given(octets=st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=5))
@example(octets=[b"\xff\xfeAUTH PLAIN \x1b[31m"])
@example(octets=[b"A" * 3000, b"=" * 50, b"AUTH " + b"=" * 50])
def test_whatever_octets_come_the_transcript_is_made(octets: list[bytes]) -> None:
    with SMTPServer(auth={USER: PASSWORD}) as server:
        dialogue(server, "EHLO client.example", *octets)
        text = shown(server)
    assert leaks(text, PASSWORD) == []
    assert [line for line in server.log.transcript().splitlines() if not line.isprintable()] == []


def test_masking_takes_time_that_grows_with_the_line() -> None:
    """No pattern looks at a line again and again: a line of 12,000 octets is masked at once."""

    def seconds(line: bytes) -> float:
        start = thread_time()
        str(Command(line, passwords=("s3cret-pw",)))
        return thread_time() - start

    for head in (b"AUTH ", b"a ", b"pass", b"x-", b"NOOP token", b"http://a:", b" ", b"=", b"PLAIN ", b"A1/", b"\t"):
        for unit in (b"a", b" ", b"a ", b"=", b"-", b":", b"auth ", b"token", b"A1+/", b"a:", b"\0", b"PLAIN"):
            short, long = head + unit * (500 // len(unit)), head + unit * (12000 // len(unit))
            base = max(min(seconds(short) for _ in range(5)), 2e-5)
            assert min(seconds(long) for _ in range(3)) < base * 24 * 6, (head, unit)  # 576 where it is quadratic
