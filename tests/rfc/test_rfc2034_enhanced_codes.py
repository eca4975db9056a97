"""RFC 2034 and RFC 3463: enhanced status codes, in every reply and of the reply's own class.

Every reply that any conformance test reads is checked for this; here are the codes that are promised by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.dialogue import DATA, EHLO, MAIL, MESSAGE, RCPT, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from tests.rfc.wire import Wire, WireReply

ALL = "MUST preface the text part of almost all response lines with a status code"

STANDARD = (
    Dialogue("offered", "3", "the EHLO keyword value is ENHANCEDSTATUSCODES", f"{EHLO}E: ENHANCEDSTATUSCODES"),
    Dialogue(
        "one_session_of_them",
        "4",
        ALL,
        f"""{DATA}{MESSAGE}
        C: RSET
        S: 250 2.0.0
        C: NOOP
        S: 250 2.0.0
        C: VRFY bob
        S: 252 2.5.0/2.1.5
        C: QUIT
        S: 221 2.0.0
        """.replace(" 2.5.0/2.1.5", ""),
    ),
    Dialogue(
        "sequence",
        "RFC 3463 section 3.6",
        "X.5.1 Invalid command",
        "C: DATA\nS: 503/554 5.5.1\nC: RCPT TO:<a@b.example>\nS: 503 5.5.1",
        after=EHLO,
    ),
    Dialogue(
        "syntax", "RFC 3463 section 3.6", "X.5.4 Invalid command arguments", "C: RSET x\nS: 501 5.5.4", after=EHLO
    ),
    Dialogue("unknown", "RFC 3463 section 3.6", "X.5.2 Syntax error", "C: WHAT\nS: 500 5.5.2", after=EHLO),
    Dialogue(
        "sender_syntax",
        "RFC 3463 section 3.2",
        "X.1.7 Bad sender's mailbox address syntax",
        "C: MAIL FROM:<@broken>\nS: 501/553 5.1.7",
        after=EHLO,
    ),
    Dialogue(
        "recipient_syntax",
        "RFC 3463 section 3.2",
        "X.1.3 Bad destination mailbox address syntax",
        "C: RCPT TO:<@broken>\nS: 501/553 5.1.3",
        after=MAIL,
    ),
    Dialogue(
        "disabled_is_only_not_advertised",
        "4",
        ALL,
        f"{EHLO}E! ENHANCEDSTATUSCODES\n{RCPT.removeprefix(EHLO)}C: WHAT\nS: 500 5.5.2",
        settings={"disable": {"ENHANCEDSTATUSCODES"}},
    ),
    Dialogue(
        "hidden_is_only_not_advertised",
        "4",
        ALL,
        f"{EHLO}E! ENHANCEDSTATUSCODES\n{RCPT.removeprefix(EHLO)}C: WHAT\nS: 500 5.5.2",
        settings={"hide": {"ENHANCEDSTATUSCODES"}},
    ),
)


@dialogues(STANDARD)
def test_standard_codes(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


STEPS = {
    "mail_from": ("EHLO c", "MAIL FROM:<a@x.example>"),
    "rcpt_to": ("EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>"),
    "data": ("EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n."),
    "auth": ("EHLO c", "AUTH PLAIN AGEAYg=="),
    "command": ("NOOP",),
}
DEFAULTS = {
    "connect": (554, "5.3.2"),
    "mail_from": (550, "5.7.1"),
    "rcpt_to": (550, "5.1.1"),
    "data": (554, "5.6.0"),
    "auth": (535, "5.7.8"),
    "command": (502, "5.5.1"),
}


def last(wire: Wire, hook: str) -> WireReply:
    """The reply to the last step that leads to the hook; the greeting for ``connect``."""
    replies = [wire.reply()]
    replies += [wire.say(step) for step in STEPS.get(hook, ())]
    return replies[-1]


def rejecting(serve: Serve, client: Connect, hook: Any, *reject: Any) -> WireReply:
    from pytest_smtpd import Reject

    server = serve()

    def refuse(*args: object) -> None:
        if hook != "command" or getattr(args[0], "verb", "") == "NOOP":
            raise Reject(*reject)

    server.on(hook)(refuse)
    return last(client(server, greet=False), hook)


@pytest.mark.parametrize("hook", DEFAULTS)
def test_bare_reject_is_the_hooks_default(serve: Serve, client: Connect, hook: str) -> None:
    reply = rejecting(serve, client, hook)
    assert (reply.code, reply.enhanced) == DEFAULTS[hook]


@pytest.mark.parametrize("hook", DEFAULTS)
def test_text_without_a_code_gets_the_hooks_default(serve: Serve, client: Connect, hook: str) -> None:
    code, enhanced = DEFAULTS[hook]
    reply = rejecting(serve, client, hook, code, "Not today")
    assert (reply.code, reply.enhanced, reply.text) == (code, enhanced, "Not today")


@pytest.mark.parametrize("hook", DEFAULTS)
def test_code_of_the_other_class_gets_a_plain_enhanced_code(serve: Serve, client: Connect, hook: str) -> None:
    """Section 4: a 4xx reply with a 5.y.z code would contradict itself."""
    reply = rejecting(serve, client, hook, 450, "Later")
    assert (reply.code, reply.enhanced, reply.text) == (450, "4.0.0", "Later")


@pytest.mark.parametrize("hook", DEFAULTS)
def test_own_enhanced_code_is_kept(serve: Serve, client: Connect, hook: str) -> None:
    reply = rejecting(serve, client, hook, 451, "4.7.26 Policy")
    assert (reply.code, reply.enhanced, reply.text) == (451, "4.7.26", "Policy")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (250, None),
        (354, None),
        (399, None),
        (600, None),
        (0, None),
        (-550, None),
        (999, "x"),
        (550, "4.7.1 Later"),
        (450, "5.7.1 Never"),
        (550, "2.0.0 Fine"),
    ],
)
def test_contradictory_reject_cannot_be_made(code: int, message: str | None) -> None:
    """Section 4: "the first digit of the status code must agree with the first digit of the reply"."""
    from pytest_smtpd import Reject

    with pytest.raises(ValueError):
        Reject(code, message)


@pytest.mark.parametrize(
    "code", [421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 521, 535, 550, 551, 552, 553, 554, 555, 556]
)
@pytest.mark.parametrize("hook", ["mail_from", "rcpt_to", "data"])
def test_rule_with_only_a_code_gives_a_fitting_enhanced_code(
    serve: Serve, client: Connect, hook: Any, code: int
) -> None:
    """Section 4: every 4xx and 5xx reply has an enhanced code, of its class."""
    from pytest_smtpd import on

    reply = last(client(serve(on=[on(hook, reply=code)]), greet=False), hook)
    assert reply.code == code
    assert reply.enhanced
    assert reply.enhanced[0] == str(code)[0]


def test_rule_with_a_text_is_sent_exactly_so(serve: Serve, client: Connect) -> None:
    """Nothing is added to a text: a server without enhanced codes can be played too."""
    from pytest_smtpd import on

    reply = last(client(serve(on=[on("mail_from", reply="550-no\n550 really not")]), greet=False), "mail_from")
    assert (reply.code, reply.lines) == (550, ("no", "really not"))


def test_enhanced_code_is_in_every_line_of_a_hooks_text(serve: Serve, client: Connect) -> None:
    """Section 4: "in all lines of a multiline reply"."""
    reply = rejecting(serve, client, "rcpt_to", 550, "5.7.1 one\ntwo\r\nthree\rfour")
    assert reply.lines == ("5.7.1 one", "5.7.1 two", "5.7.1 three", "5.7.1 four")


def test_error_in_a_hook_is_451_for_the_client() -> None:
    """A hook's bug is the server's trouble, not the client's: transient, and nothing of it on the wire."""
    from pytest_smtpd import SMTPServer
    from tests.rfc.wire import connect

    replies = []
    with pytest.raises(ZeroDivisionError), SMTPServer() as server:  # noqa: PT012

        @server.on("mail_from")
        def broken(address: str, session: object) -> float:
            return 1 / 0

        with connect(server, ehlo=True) as wire:
            replies = [wire.say("MAIL FROM:<a@x.example>"), wire.say("NOOP")]
    assert [(reply.code, reply.enhanced) for reply in replies] == [(451, "4.3.0"), (250, "2.0.0")]
    assert "Zero" not in replies[0].lines[0]
