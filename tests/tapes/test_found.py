"""What tapes have found, as a client does it."""

from __future__ import annotations

import pytest

from pytest_smtpd import Reject, SMTPServer, on
from tests.rfc.wire import connect
from tests.server.talk import codes


@pytest.mark.parametrize("mechanism", ["LOGIN", "X-MAGIC"])
def test_auth_that_a_rule_prolongs_is_answered_by_the_end_of_its_exchange(mechanism: str) -> None:
    """Whether or not the server knows the mechanism: RFC 4954 section 4, the client cancels."""
    rule = on("command", verb="AUTH", reply="334 Zm9v")
    with SMTPServer(auth="any", on=[rule]) as server, connect(server) as wire:
        assert codes(wire, "EHLO client.example", f"AUTH {mechanism}", "*", "NOOP") == [250, 334, 501, 250]
        auth = next(call for call in server.log.calls("command") if call.argument.verb == "AUTH")
        assert (auth.outcome, auth.code) == ("refused", 501)


def test_a_refusal_at_close_is_reported_with_the_line_of_the_hook_alone() -> None:
    def too_late(session: object) -> None:
        raise Reject

    with SMTPServer(on=[on("close", call=too_late)]) as server:
        with connect(server) as wire:
            wire.say("QUIT")
        server.wait_closed()
        (error,) = server.errors
        server.errors.clear()
    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is not None
    assert error.__cause__.__traceback__.tb_frame.f_code is too_late.__code__


def test_an_envelope_is_shown_without_what_a_terminal_would_obey() -> None:
    """Addresses that a rule accepts stand as they were sent, ESC included."""
    rules = [on("mail_from", reply=250), on("command", verb="MAIL", reply=250), on("command", verb="RCPT", reply=250)]
    with SMTPServer(on=rules) as server, connect(server) as wire:
        wire.steps("EHLO client.example", "MAIL FROM:<a\x1b[2J@b.example>", "RCPT TO:<c\x1b[2J@d.example>", "DATA")
        wire.say("Subject: x\r\n\r\ny\r\n.")
        (envelope,) = server.envelopes
    assert envelope.rcpt_to == ("c\x1b[2J@d.example",)
    assert repr(envelope) == r"<Envelope a\x1b[2J@b.example -> c\x1b[2J@d.example 'x'>"
    assert "\x1b" not in server.log.transcript()
