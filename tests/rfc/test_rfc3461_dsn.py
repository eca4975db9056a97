"""RFC 3461: RET and ENVID at MAIL, NOTIFY and ORCPT at RCPT, xtext in both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import EHLO, MAIL, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

SAME_REPLY = (
    "MUST return the same reply-code as it would to the same MAIL command without the ENVID and/or RET parameters"
)
INVALID = "if the associated esmtp-value is not valid the server MUST issue the reply-code 501"
TWICE = 'If more than one of either of these parameters appears ... the ESMTP server SHOULD respond with "501 ..."'

VALID_MAIL = (
    "RET=FULL",
    "RET=HDRS",
    "ret=hdrs",
    "RET=Full",
    "ENVID=QQ314159",
    "ENVID=a+2Bb+3Dc",
    "RET=HDRS ENVID=x",
    f"ENVID={'e' * 100}",
)
INVALID_MAIL = {
    "RET": "it MUST have an associated esmtp-value",
    "RET=": "it MUST have an associated esmtp-value",
    "RET=ALL": "it MUST have an associated esmtp-value, which is one of the following keywords",
    "RET=FULL RET=FULL": TWICE,
    "RET=FULL RET=HDRS": TWICE,
    "ENVID": "The ENVID esmtp-keyword MUST have an associated esmtp-value",
    "ENVID=": "The ENVID esmtp-keyword MUST have an associated esmtp-value",
    "ENVID=a+2": "hexchar = ASCII + immediately followed by two upper case hexadecimal digits",
    "ENVID=a+zz": "hexchar = ASCII + immediately followed by two upper case hexadecimal digits",
    "ENVID=a+2b": "hexchar = ASCII + immediately followed by two upper case hexadecimal digits",
    "ENVID=a=b": 'xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="',
    "ENVID=a+0D+0Ab": "the value of the ENVID parameter prior to encoding ... MUST consist entirely of printable",
    f"ENVID={'e' * 101}": "The ENVID parameter MAY be up to 100 characters in length",
    "ENVID=x ENVID=y": TWICE,
}
VALID_RCPT = (
    "NOTIFY=NEVER",
    "NOTIFY=SUCCESS",
    "NOTIFY=SUCCESS,FAILURE,DELAY",
    "notify=success,Failure",
    "ORCPT=rfc822;bob@server.example",
    "ORCPT=x400;/c+3Dus/s+3Do+2Bx",
    "NOTIFY=DELAY ORCPT=rfc822;Bob+2Bx@server.example",
)
INVALID_RCPT = {
    "NOTIFY": "it MUST have an associated esmtp-value",
    "NOTIFY=": "it MUST have an associated esmtp-value",
    "NOTIFY=SOMETIMES": 'notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"',
    "NOTIFY=NEVER,SUCCESS": "the NEVER keyword MUST appear by itself",
    "NOTIFY=SUCCESS,NEVER": "the NEVER keyword MUST appear by itself",
    "NOTIFY=,": 'notify-esmtp-value = "NEVER" / 1#notify-list-element',
    "NOTIFY=NEVER NOTIFY=NEVER": TWICE,
    "ORCPT": "it MUST have an associated esmtp-value",
    "ORCPT=": "it MUST have an associated esmtp-value",
    "ORCPT=bob@server.example": 'original-recipient-address = addr-type ";" xtext',
    "ORCPT=;bob@server.example": "addr-type = atom",
    "ORCPT=rfc822;a+b": "hexchar = ASCII + immediately followed by two upper case hexadecimal digits",
    "ORCPT=rfc822;a ORCPT=rfc822;a": TWICE,
}

PARAMETERS = (
    Dialogue("DSN_is_offered", "3", "no parameters are allowed with this EHLO keyword value", f"{EHLO}E: DSN"),
    *(
        Dialogue(
            f"MAIL_{value}", "5.1", SAME_REPLY, f"C: MAIL FROM:<ann@client.example> {value}\nS: 250 2.1.0", after=EHLO
        )
        for value in VALID_MAIL
    ),
    *(
        Dialogue(
            f"MAIL_{value}_is_501",
            "4.3 to 5.1",
            quote,
            f"C: MAIL FROM:<> {value}\nS: 501\n{MAIL.removeprefix(EHLO)}",
            after=EHLO,
        )
        for value, quote in INVALID_MAIL.items()
    ),
    *(
        Dialogue(
            f"RCPT_{value}", "5.1", SAME_REPLY, f"C: RCPT TO:<bob@server.example> {value}\nS: 250 2.1.5", after=MAIL
        )
        for value in VALID_RCPT
    ),
    *(
        Dialogue(
            f"RCPT_{value}_is_501",
            "4.1 to 5.1",
            quote,
            f"C: RCPT TO:<b@x.example> {value}\nS: 501\nC: DATA\nS: 503/554",
            after=MAIL,
        )
        for value, quote in INVALID_RCPT.items()
    ),
    Dialogue(
        "disabled_DSN_knows_no_parameter",
        "RFC 5321 section 4.1.1.11",
        "it will return code 555",
        f"{EHLO}E! DSN\nC: MAIL FROM:<> RET=FULL\nS: 555 5.5.4\nC: MAIL FROM:<> ENVID=x\nS: 555 5.5.4\n"
        "C: MAIL FROM:<>\nS: 250\nC: RCPT TO:<b@x.example> NOTIFY=NEVER\nS: 555 5.5.4\n"
        "C: RCPT TO:<b@x.example> ORCPT=rfc822;b\nS: 555 5.5.4",
        settings={"disable": {"DSN"}},
    ),
    Dialogue(
        "hidden_DSN_still_works",
        "5.1",
        SAME_REPLY,
        f"{EHLO}E! DSN\nC: MAIL FROM:<> RET=FULL ENVID=x\nS: 250\nC: RCPT TO:<b@x.example> NOTIFY=NEVER\nS: 250",
        settings={"hide": {"DSN"}},
    ),
)


@dialogues(PARAMETERS)
def test_dsn(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


def test_envelope_tells_what_was_asked(serve: Serve, client: Connect) -> None:
    """Section 4: RET, ENVID, NOTIFY and ORCPT; "the ENVID and ORCPT parameters are encoded as xtext"."""
    server = serve()
    wire = client(server, ehlo=True)
    assert wire.say("MAIL FROM:<ann@client.example> RET=hdrs ENVID=Q+2BQ+3D1").code == 250
    assert wire.say("RCPT TO:<bob@server.example> NOTIFY=success,DELAY ORCPT=rfc822;Bob+2Bx@server.example").code == 250
    assert wire.say("RCPT TO:<carol@server.example>").code == 250
    wire.say("DATA")
    assert wire.say("x\r\n.").code == 250
    envelope = server.one()
    assert (envelope.dsn.ret, envelope.dsn.envid) == ("HDRS", "Q+Q=1")
    bob, carol = envelope.rcpt_to
    assert tuple(bob.dsn.notify) == ("SUCCESS", "DELAY")
    assert bob.dsn.orcpt == "rfc822;Bob+x@server.example"
    assert bob.args == {"NOTIFY": "success,DELAY", "ORCPT": "rfc822;Bob+2Bx@server.example"}
    assert not carol.dsn.notify
    assert carol.dsn.orcpt is None
    assert not carol.args


@pytest.mark.parametrize("again", ["RSET", "EHLO client.example"])
def test_what_one_message_asked_is_not_asked_for_the_next(serve: Serve, client: Connect, again: str) -> None:
    """RFC 5321 section 4.1.1.5: "all buffers and state tables cleared"."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example> RET=FULL ENVID=first BODY=8BITMIME SMTPUTF8")
    wire.say("RCPT TO:<b@x.example> NOTIFY=NEVER")
    wire.say(again)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    envelope = server.one()
    assert not envelope.dsn.ret
    assert not envelope.dsn.envid
    assert (envelope.body_type, envelope.smtp_utf8) == ("7bit", False)
    assert not envelope.rcpt_to[0].dsn.notify
