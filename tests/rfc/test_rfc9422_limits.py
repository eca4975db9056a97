"""RFC 9422: LIMITS, advertised and kept."""

from __future__ import annotations

from collections.abc import Callable

from tests.rfc.dialogue import DATA, DELIVERED, EHLO, MESSAGE, RCPT, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

SYNTAX = "limits-param = limit-name-value 0*[SP limit-name-value]"

DIALOGUES = (
    Dialogue("no_limit_no_keyword", "3", "limits-param = limit-name-value 0*[SP limit-name-value]", f"{EHLO}E! LIMITS"),
    Dialogue("RCPTMAX", "4.2", SYNTAX, f"{EHLO}E: LIMITS RCPTMAX=2", settings={"max_recipients": 2}),
    Dialogue("MAILMAX", "4.1", SYNTAX, f"{EHLO}E: LIMITS MAILMAX=3", settings={"max_messages": 3}),
    Dialogue(
        "too_many_recipients",
        "RFC 5321 section 4.5.3.1.10",
        "452 too many recipients",
        f"""
        C: RCPT TO:<carol@server.example>
        S: 452 4.5.3
        C: DATA
        S: 354
        {MESSAGE}{RCPT.removeprefix(EHLO)}""",
        after=RCPT,
        settings={"max_recipients": 1},
        hooks="mail_from rcpt_to data mail_from rcpt_to",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "messages_over_the_limit_are_421_at_MAIL",
        "4.1",
        "MAILMAX specifies the maximum number of transactions ... the server will accept in a single session",
        "C: MAIL FROM:<ann@client.example>\nS: 421 4.7.0\nCLOSED",
        after=DATA + MESSAGE,
        settings={"max_messages": 1},
        hooks="mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "abandoned_transactions_are_not_counted",
        "4.1",
        "MAILMAX specifies the maximum number of transactions ... the server will accept in a single session",
        f"C: RSET\nS: 250\n{DATA.removeprefix(EHLO)}{MESSAGE}",
        after=RCPT,
        settings={"max_messages": 1},
        mails=(DELIVERED,),
    ),
)


@dialogues(DIALOGUES)
def test_limits(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


def test_both_limits_stand_in_one_line(serve: Serve, client: Connect) -> None:
    """Section 3: one EHLO keyword with every limit as a parameter."""
    reply = client(serve(max_recipients=5, max_messages=2)).say("EHLO client.example")
    assert sorted(reply.keywords["LIMITS"].split(" ")) == ["MAILMAX=2", "RCPTMAX=5"]


def test_refused_recipients_do_not_fill_the_limit(serve: Serve, client: Connect) -> None:
    """Section 4.2: accepted recipients count."""
    from pytest_smtpd import on

    wire = client(serve(max_recipients=1, on=[on("rcpt_to", to="bad@*", reply=550)]), ehlo=True)
    wire.say("MAIL FROM:<a@x.example>")
    codes = [wire.say(f"RCPT TO:<{name}@x.example>").code for name in ("bad", "bad", "good", "more")]
    assert codes == [550, 550, 250, 452]


def test_client_over_the_limit_is_421_instead_of_the_greeting(serve: Serve, client: Connect) -> None:
    """RFC 5321 section 3.8: 421 "Service not available, closing transmission channel"."""
    server = serve(max_clients=1)
    first = client(server)
    second = client(server, greet=False)
    reply = second.reply()
    assert (reply.code, reply.enhanced) == (421, "4.3.2")
    assert second.rest() == b""
    assert first.say("QUIT").code == 221
    first.close()
    server.wait_closed()
    assert len(server.log.calls("connect")) == 1
    assert len(server.log.calls("close")) == 2
    assert client(server).say("NOOP").code == 250
