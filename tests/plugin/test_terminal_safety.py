"""No byte that a client, a hook or a certificate chose reaches a terminal raw, and none is invisible to the reader."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import sys
import unicodedata
import warnings
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_smtpd import Address, Attachment, Auth, Command, Reject, Reply, SMTPServer, TLSInfo, on
from tests.plugin.people import dialogue, shown

Failure = Callable[..., pytest.TestReport]

# What a terminal obeys, and what nobody can see: one of each kind.
HOSTILE = {
    "ESC": "\x1b[31m",
    "BEL": "\a",
    "backspaces": "\b\b\b",
    "C1": "\x9b31m",
    "DEL": "\x7f",
    "vertical tab": "\v",
    "right to left": "\u202egpj.exe",
    "isolate": "\u2066x\u2069",
    "mark": "\u200f",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "next line": "\x85",
    "zero width": "\u200b\u200d\ufeff",
    "soft hyphen": "\u00ad",
    "no-break space": "\u00a0",
    "tags": "".join(chr(0xE0000 + ord(letter)) for letter in "hidden"),
    "variation selectors": "\ufe0f\U000e0101",
    "Hangul fillers": "\u115f\u1160\u3164\uffa0",
    "grapheme joiner": "\u034f",
    "Mongolian": "\u180b\u180e",
    "Braille blank": "\u2800",
    "private use": "\ue000",
    "unassigned": "\U000e0fff",
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def unsafe(text: str) -> list[str]:
    """The characters of a text that should not be there."""
    return sorted({ascii(one) for one in text if one != "\n" and (not one.isprintable() or one in INVISIBLE)})


# Default_Ignorable_Code_Point (DerivedCoreProperties.txt) that str.isprintable lets pass, and the empty Braille cell.
INVISIBLE = {*map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180F, 0x2800, 0x3164, 0xFFA0))}
INVISIBLE |= {*map(chr, (*range(0x180B, 0x180E), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))}


@hostile
def test_what_a_client_says(text: str) -> None:
    with SMTPServer(auth="any", xclient=True, xforward=True) as server:
        dialogue(
            server,
            f"EHLO {text}client.example",
            f"NOOP {text}",
            f"{text} NOOP",
            f"VRFY {text}",
            f"HELP {text}",
            f"XCLIENT NAME={text} LOGIN={text}",
            f"EHLO {text}",
            f"XFORWARD NAME={text}",
            f"MAIL FROM:<a{text}b@client.example> SMTPUTF8 ENVID={text}",
            f"RCPT TO:<bob{text}@b{text}.example> ORCPT=rfc822;{text}",
            f'RCPT TO:<"{text}"@b.example>',
            "RCPT TO:<bob@server.example>",
            "DATA",
            f'Subject: {text}\r\nContent-Type: text/{text}; name="{text}"\r\n\r\nHi\r\n.',
            "RSET",
            b"AUTH PLAIN " + _base64(f"\0{text}\0{text}"),
            text.encode(),
            text.encode("utf-8") + b"\xff\xfe\x80",
        )
        assert unsafe(shown(server)) == []


def _base64(text: str) -> bytes:
    import base64

    return base64.b64encode(text.encode())


@hostile
def test_the_mail_of_a_client(text: str) -> None:
    import base64

    word = base64.b64encode(text.encode()).decode()
    content = (
        f"Subject: =?utf-8?b?{word}?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        f'--x\r\nContent-Type: application/x; name="=?utf-8?b?{word}?="\r\n\r\nHi\r\n--x\r\n'
        f"Content-Disposition: attachment; filename*=utf-8''{''.join(f'%{octet:02X}' for octet in text.encode())}\r\n"
        "\r\nHi\r\n--x--\r\n"
    )
    with SMTPServer() as server:
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            client.sendmail("a@b.example", "c@d.example", content)
        assert unsafe(shown(server)) == []
        with pytest.raises(AssertionError) as caught:
            server.one(subject="none", header={"Subject": "none", "Content-Type": text}, text=text, html="x")
        assert unsafe(str(caught.value)) == []


@hostile
def test_what_a_hook_says(text: str) -> None:
    with SMTPServer() as server:

        @server.on("command", verb="NOOP")
        def echo(command: Command, session: object) -> str:
            return f"250 {command.argument}"

        @server.on("mail_from")
        def refuse(address: Address, session: object) -> None:
            raise Reject(550, f"5.7.1 {text} {address}\n5.7.1 {text}")

        @server.on("command", verb="VRFY")
        def reply(command: Command, session: object) -> Reply:
            return Reply(550, None, f"{text}\n{text}")

        @server.on("auth")
        def name(auth: Auth, session: object) -> str:
            return text

        @server.on("command", verb="RSET")
        def broken(command: Command, session: object) -> None:
            raise ValueError(f"{text} {command.argument}")

        server.on("command", verb="HELP", raw=f"250 {text}\r\n".encode(), then=text.encode())
        dialogue(
            server,
            "EHLO client.example",
            f"NOOP {text}",
            "VRFY x",
            "HELP",
            b"AUTH PLAIN " + _base64("\0app\0x"),
            "MAIL FROM:<a@b.example>",
            "RSET",
        )
        assert unsafe(shown(server)) == []
        server.errors.clear()


@hostile
def test_what_a_rule_asks_for(text: str) -> None:
    rules = [
        on("rcpt_to", to=text, reply=550),
        on("rcpt_to", to={text}, reply=550),
        on("data", header={text: text}, subject=(text,), reply=550),
        on("rcpt_to", raw=text.encode()),
        on("rcpt_to", reply=f"550 {''.join(text.split())}"),
    ]
    with SMTPServer(on=rules) as server:
        texts = [
            repr(rules),
            *(server.explain_unused(rule) for rule in server.rules),
            *(rule.__name__ for rule in rules),
        ]
    assert unsafe("\n".join(texts)) == []


@hostile
def test_errors_about_it(text: str) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: SMTPServer(hostname=f"{text}\n"),
        lambda: SMTPServer(tls=text),  # type: ignore[arg-type]
        lambda: SMTPServer(hide={text}),
        lambda: SMTPServer(**{text: 1}),  # type: ignore[arg-type]
        lambda: on(text, reply=550),  # type: ignore[arg-type]
        lambda: on("rcpt_to", **{text: 1}),  # type: ignore[arg-type]
        lambda: on("rcpt_to", reply=text),
        lambda: on("rcpt_to", drop=text),  # type: ignore[arg-type]
        lambda: on("rcpt_to", to=[text], reply=550),
        lambda: SMTPServer(on=[text]),  # type: ignore[list-item]
        lambda: SMTPServer().find(**{text: 1}),  # type: ignore[arg-type]
        lambda: SMTPServer().log.calls(text),  # type: ignore[arg-type]
    ]
    for attempt in wrong:
        with pytest.raises((TypeError, ValueError)) as caught:
            attempt()
        assert unsafe(str(caught.value)) == []


class LooseContext(ssl.SSLContext):
    """A client that puts any octets into SNI."""

    def _encode_hostname(self, hostname: str) -> str:
        return hostname


@pytest.mark.parametrize("name", ["\x1b[31mred.example", "a\x07b\x7f.example", "a\nb.example"])
def test_the_name_in_a_tls_hello(smtpd_factory: Callable[..., SMTPServer], name: str) -> None:
    server = smtpd_factory(tls="implicit")
    context = LooseContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(server.ca_file)
    sock = socket.create_connection(server.address, timeout=10)
    with context.wrap_socket(sock, server_hostname=name) as secure:
        secure.recv(1000)
        secure.sendall(b"QUIT\r\n")
        with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
            secure.recv(1000)
    server.wait_closed()
    tls = server.log.sessions()[0].tls
    assert tls is not None
    assert tls.server_name == name
    assert unsafe(shown(server) + repr(tls) + "".join(map(repr, server.log.calls("secure")))) == []


@pytest.mark.parametrize("name", ["\x1b[31mred", "\u202egpj.exe", "\u2028line", "a" * 60])
def test_the_name_in_a_clients_certificate(smtpd_factory: Callable[..., SMTPServer], name: str) -> None:
    server = smtpd_factory(client_certificate="required")
    context = server.client_context
    server.ca.issue_cert(common_name=name).configure_cert(context)
    with smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.starttls(context=context)
        client.ehlo("client.example")
    server.wait_closed()
    tls = server.log.sessions()[0].tls
    assert tls is not None
    assert tls.peer_certificate is not None
    assert unsafe(shown(server) + repr(tls)) == []
    assert len(repr(tls)) < 200


@hostile
def test_values_made_by_hand(text: str) -> None:
    certificate = {"subject": ((("commonName", text),),)}
    for value in (
        Address(text, args={text: text}),
        Attachment(filename=text, content_type=f"text/{text}", content=b""),
        Auth(text, text, password=text),
        Command(text.encode()),
        Reply(250, None, text),
        TLSInfo(version="TLSv1.3", server_name=text, peer_certificate=certificate),
    ):
        assert unsafe(repr(value)) == []


def test_a_failing_test_and_what_its_hooks_raised(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            @smtpd.on("command", verb="NOOP")
            def broken(command, session):
                raise ValueError(command.argument)
            @smtpd.on("command", verb="RSET")
            def skipping(command, session):
                pytest.skip(command.argument)
            for verb in ("NOOP", "RSET"):
                with socket.create_connection(smtpd.address) as sock:
                    sock.sendall(verb.encode() + " \\x1b[2J\\u202e\\u2028\\ufe0f\\r\\n".encode())
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(1000): pass
            smtpd.wait_closed()
            assert False
    """)
    failure_text, _, transcript = report.longreprtext.partition("--- Captured smtpd call ---")
    assert len([line for line in failure_text.splitlines() if "a hook raised" in line]) == 2
    assert transcript.count("a hook raised") == 2
    assert unsafe(report.longreprtext) == []


def test_a_hook_that_skips_with_a_clients_words(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            smtpd.on("mail_from", call=lambda address, session: pytest.skip(f"\\x1b[2J{address}\\u202e"))
            attempt(smtpd)
    """)
    assert "a hook raised Skipped" in report.longreprtext
    assert unsafe(report.longreprtext) == []


def test_the_note_of_a_server_without_pytest() -> None:
    def broken(command: Command, session: object) -> None:
        raise ValueError(command.argument)

    def run() -> None:
        with SMTPServer(on=[on("command", verb="NOOP", call=broken)]) as server:
            dialogue(server, "NOOP \x1b[2J\u202e")
            raise LookupError

    with pytest.raises(LookupError) as caught:
        run()
    (note,) = caught.value.__notes__
    assert "ValueError" in note
    assert unsafe(note) == []


def test_the_warning_about_a_blocked_hook() -> None:
    import threading

    release = threading.Event()

    def blocked(session: object) -> None:
        release.wait(20)

    blocked.__qualname__ = "\x1b[2Jblocked\u202e"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with SMTPServer(on=[on("connect", call=blocked)]) as server, socket.create_connection(server.address):
            server.log.wait_for("connect", timeout=10)
        release.set()
    texts = [str(warning.message) for warning in caught if "still blocked" in str(warning.message)]
    assert len(texts) == 1
    assert unsafe(texts[0]) == []


def test_visible_text_of_any_language_is_shown_as_it_is() -> None:
    for text in ("Grüße", "日本語", "Здравствуйте", "مرحبا", "שלום", "हिन्दी", "ไทย", "한국어", "😀", "a\u0301"):
        with SMTPServer() as server:
            dialogue(server, "EHLO c.example", f"MAIL FROM:<{text}@b.example> SMTPUTF8", f"NOOP {text}")
            assert f"NOOP {text}" in server.log.transcript()
            assert text in repr(server.log.calls("mail_from")[0])


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@example("".join(map(chr, range(0x20, 0x250))))
def test_any_text_of_a_client(text: str) -> None:
    with SMTPServer() as server:
        line = text.replace("\n", "").replace("\r", "")
        dialogue(server, "EHLO c.example", f"NOOP {line}", f"MAIL FROM:<a{line}@b.example> SMTPUTF8", line)
        assert unsafe(shown(server)) == []


def test_the_invisible_characters_are_those_of_this_pythons_unicode() -> None:
    """Whatever Python calls printable, and Unicode gives no shape, is escaped: by name, where a name says so."""
    words = ("FILLER", "VARIATION SELECTOR", "GRAPHEME JOINER", "INHERENT", "PATTERN BLANK")
    named = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if character.isprintable() and any(word in unicodedata.name(character, "") for word in words)
    ]
    assert len(named) > 250
    assert [hex(ord(one)) for one in named if unsafe(repr(Address(one)))] == []
