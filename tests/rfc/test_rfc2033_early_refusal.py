"""RFC 2033 section 4.2: each recipient has a reply of their own, also when the message is refused while it comes in."""

from __future__ import annotations

from pytest_smtpd import on
from tests.rfc.wire import Connect, Serve


def test_an_early_refusal_is_said_to_each_recipient(serve: Serve, client: Connect) -> None:
    server = serve(lmtp=True, on=[on("data", reply="550 5.6.0 No", after=3)])
    wire = client(server)
    for command in (b"LHLO x", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@d.example>", b"RCPT TO:<e@d.example>"):
        wire.send(command + b"\r\n")
        assert wire.reply().code == 250
    wire.send(b"DATA\r\n")
    assert wire.reply().code == 354
    wire.send(b"0123456789\r\n.\r\nNOOP\r\n")
    assert [wire.reply().code for _ in range(3)] == [550, 550, 250]
    (envelope,) = server.log.envelopes()
    assert (envelope.accepted, envelope.rcpt_to) == (False, ())
    assert dict(envelope.refused) == {"c@d.example": 550, "e@d.example": 550}


def test_a_transcript_names_a_rule_where_it_has_spoken(serve: Serve, client: Connect) -> None:
    server = serve(lmtp=True, on=[on("data", reply="550 5.1.1 Full", to="e@*")])
    wire = client(server)
    for command in (b"LHLO x", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@d.example>", b"RCPT TO:<e@d.example>"):
        wire.send(command + b"\r\n")
        wire.reply()
    wire.send(b"DATA\r\n")
    wire.reply()
    wire.send(b"x\r\n.\r\n")
    assert [wire.reply().code for _ in range(2)] == [250, 550]
    lines = [line.partition("S: ")[2] for line in server.log.transcript().splitlines()][-2:]
    assert lines == ["250 2.6.0 Message accepted", "550 5.1.1 Full   by on('data', reply='550 5.1.1 Full', to='e@*')"]
