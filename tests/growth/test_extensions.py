"""An ESMTP extension is one row of ``extensions.EXTENSIONS``; what it reads reaches envelope and address by that row.

The extensions are those of RFC 6710 (a priority) and RFC 7293 (the owner of a mailbox since a day), in one.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import pytest

from pytest_smtpd import Address, SMTPServer, on
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.extensions import EXTENSIONS, Extension, Parameter
from pytest_smtpd.smtp.grammar import Refused
from tests.growth.tables import mistake, one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve, Wire

KEYWORD = "MT-PRIORITY"
SINCE = date(2024, 2, 29)


def priority(value: Any, options: Any, session: Any) -> int:
    if not re.fullmatch(r"-?[0-9]", str(value)):
        raise Refused(replies.BAD_PARAMETER)
    return int(value)


def since(value: Any, options: Any, session: Any) -> date:
    return date.fromisoformat(str(value))


ROW = Extension(
    "RFC 6710",
    argument=lambda options, session: "MIXER",
    mail={"MT-PRIORITY": Parameter(priority, "priority", absent=0)},
    rcpt={"RRVS": Parameter(since, "owner_since")},
    more_octets={"MAIL": 100},
)


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTENSIONS, KEYWORD, ROW)


def send(wire: Wire, mail: str = "", rcpt: str = "") -> list[int]:
    commands = f"MAIL FROM:<ada@client.example>{mail}", f"RCPT TO:<bob@server.example>{rcpt}", "DATA", "Hello\r\n."
    return [wire.say(command).code for command in commands]


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_it_is_offered(serve: Serve, client: Connect) -> None:
    assert client(serve()).say("EHLO client.example").keywords[KEYWORD] == "MIXER"


@pytest.mark.parametrize("lmtp", [False, True])
def test_its_values_reach_the_envelope_and_the_address(serve: Serve, client: Connect, lmtp: bool) -> None:
    server = serve(lmtp=lmtp)
    wire = client(server)
    wire.steps("LHLO client.example" if lmtp else "EHLO client.example")
    assert send(wire, " MT-PRIORITY=-4", " RRVS=2024-02-29") == [250, 250, 354, 250]
    envelope: Any = server.one()
    assert envelope.priority == -4
    assert envelope.rcpt_to[0].owner_since == SINCE
    assert envelope.mail_from.args == {"MT-PRIORITY": "-4"}


@pytest.mark.parametrize("address", ["<bob@server.example>", '<"b o b"@server.example>', "<postmaster>"])
def test_without_its_parameters_the_attributes_are_there_all_the_same(
    serve: Serve, client: Connect, address: str
) -> None:
    server = serve()
    wire = client(server, ehlo=True)
    wire.steps(f"MAIL FROM:{address}", f"RCPT TO:{address}", "DATA", ".")
    envelope: Any = server.one()
    assert (envelope.priority, envelope.rcpt_to[0].owner_since) == (0, None)


def test_an_address_that_only_a_rule_accepts_has_the_attributes_too(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("command", verb="RCPT", reply=250), on("command", verb="MAIL", reply=250)])
    client(server, ehlo=True).steps("MAIL FROM:<<", "RCPT TO:<<", "DATA", ".")
    envelope: Any = server.one()
    assert (envelope.priority, envelope.rcpt_to[0].owner_since) == (0, None)


def test_hooks_see_its_values(serve: Serve, client: Connect) -> None:
    seen: list[Any] = []

    def mail_from(address: Any, session: Any) -> None:
        seen.append(session.envelope.priority)

    def rcpt_to(address: Any, session: Any) -> None:
        seen.append(address.owner_since)

    server = serve(on=[on("mail_from", call=mail_from), on("rcpt_to", call=rcpt_to)])
    send(client(server, ehlo=True), " MT-PRIORITY=9", " RRVS=2024-02-29")
    assert seen == [9, SINCE]


def test_the_log_shows_what_was_sent_and_queries_ask_for_it(serve: Serve, client: Connect) -> None:
    server = serve()
    send(client(server, ehlo=True), " MT-PRIORITY=9")
    (call,) = server.log.calls("mail_from", when=lambda call: "MT-PRIORITY" in call.argument.args)
    assert repr(call) == f"<Call {call.number} mail_from ada@client.example accepted 250>"
    assert server.find(when=lambda envelope: envelope.priority == 9) == list(server.envelopes)
    assert "C: MAIL FROM:<ada@client.example> MT-PRIORITY=9" in server.log.transcript()


def test_a_value_that_it_refuses_is_refused(serve: Serve, client: Connect) -> None:
    server = serve()
    assert client(server, ehlo=True).say("MAIL FROM:<ada@client.example> MT-PRIORITY=high").code == 501
    assert server.log.calls("mail_from") == []


@pytest.mark.parametrize(("setting", "code"), [("hide", 250), ("disable", 555)])
def test_settings_hide_and_disable_it(serve: Serve, client: Connect, setting: str, code: int) -> None:
    server = serve(**{setting: {"mt-priority"}})
    wire = client(server)
    assert KEYWORD not in wire.say("EHLO client.example").keywords
    assert wire.say("MAIL FROM:<ada@client.example> MT-PRIORITY=1").code == code
    wire.steps("RSET")
    send(wire)
    assert server.one().priority == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("setting", ["hide", "disable"])
def test_errors_about_keywords_know_it(setting: str) -> None:
    with pytest.raises(ValueError) as caught:
        SMTPServer(**{setting: {"MT-PRIORTY"}})  # type: ignore[arg-type]
    assert "did you mean 'MT-PRIORITY'?" in one_line(caught.value)


def test_it_lengthens_its_command(serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def longest() -> int:
        length = 0
        for length in range(1000, 2500, 50):
            wire = client(serve(strict=True), ehlo=True)
            line = f"MAIL FROM:<ada@client.example> X={'y' * (length - 36)}"
            assert len(line) + 2 < length
            if wire.say(line).code == 500:
                break
        return length

    before = longest()
    monkeypatch.setitem(EXTENSIONS, KEYWORD, ROW._replace(more_octets={"MAIL": 600}))
    assert longest() == before + 500


def test_an_address_keeps_its_values_when_it_is_pickled() -> None:
    address: Any = Address("bob@server.example")
    address.owner_since = SINCE
    assert pickle.loads(pickle.dumps(address)).owner_since == SINCE


def test_several_parameters_fill_one_value(serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deadline(NamedTuple):
        by: int = 0
        mode: str = "R"

    def text(value: Any, options: Any, session: Any) -> str:
        return str(value)

    parts = {
        "BY": Parameter(priority, "deadline", "by", Deadline),
        "BY-MODE": Parameter(text, "deadline", "mode", Deadline),
    }
    monkeypatch.setitem(EXTENSIONS, "DELIVERBY", Extension("RFC 2852", mail=parts))
    server = serve()
    for mail in ("", " BY=4", " BY-MODE=N BY=5"):
        send(client(server, ehlo=True), mail)
    deadlines = [envelope.deadline for envelope in server.envelopes]  # type: ignore[attr-defined]
    assert deadlines == [None, Deadline(4), Deadline(5, "N")]


def test_markers_and_the_fixture_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run("""
        def test_offered(smtpd):
            assert features(smtpd)["mt-priority"] == "MIXER"

        @pytest.mark.smtpd(hide={"MT-PRIORITY"})
        def test_hidden(smtpd):
            assert "mt-priority" not in features(smtpd)

        @pytest.mark.smtpd(hide={"MT-PRIORTY"})
        def test_misspelt(smtpd):
            pass
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*unknown EHLO keyword 'MT-PRIORTY' - did you mean 'MT-PRIORITY'?*"])


def test_the_reference_lists_it() -> None:
    _, rfc, offered, mail, rcpt = row_of(KEYWORD, page("protocol"))
    assert (rfc, offered) == ("RFC 6710", "yes, `MIXER`")
    assert "`MT-PRIORITY`" in mail
    assert "`priority`" in mail
    assert "`RRVS`" in rcpt


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "part"), [(ROW, part) for part in required(ROW)] + [(ROW.mail[KEYWORD], "read")], ids=lambda value: ""
)
def test_a_row_without_a_part_cannot_be_made(row: Any, part: str) -> None:
    assert repr(part) in without(row, part)


def parameter(name: str = "X", **change: Any) -> dict[str, Parameter]:
    return {name: Parameter(priority)._replace(**change)}


def nothing() -> None: ...


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rfc": ""}, "rfc= must say where it is defined"),
        ({"argument": "MIXER"}, "argument= must be a function, not 'MIXER'"),
        (
            {"more_octets": {"MIAL": 10}},
            "more_octets= is by how many octets which verb's command is longer, not 'MIAL'",
        ),
        ({"more_octets": {"MAIL": 0}}, "more_octets= is by how many octets which verb's command is longer, not 'MAIL'"),
        ({"mail": parameter("x")}, "MAIL parameter 'x': its name must be in upper case"),
        ({"rcpt": parameter(read=None)}, "RCPT parameter 'X': read= must be a function, not None"),
        ({"mail": parameter(part="by")}, "MAIL parameter 'X': part= is a part of an attribute="),
        ({"mail": parameter(attribute="deadline", part="by")}, "MAIL parameter 'X': part= is a part of an attribute="),
        ({"mail": parameter(attribute="deadline", whole=nothing)}, "MAIL parameter 'X': part= is a part of an"),
        ({"mail": parameter(attribute="a", part="by", whole=nothing)}, "MAIL parameter 'X': whole= takes no part 'by'"),
        ({"mail": parameter(attribute="content")}, "MAIL parameter 'X': 'content' is Envelope's own attribute"),
        ({"mail": parameter(attribute="subject")}, "MAIL parameter 'X': 'subject' is Envelope's own attribute"),
        ({"rcpt": parameter(attribute="upper")}, "RCPT parameter 'X': 'upper' is Address's own attribute"),
        ({"rcpt": parameter(attribute="args")}, "RCPT parameter 'X': 'args' is Address's own attribute"),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(EXTENSIONS, "X-NEW", ROW._replace(**change)).startswith(f"EHLO keyword 'X-NEW': {problem}")


@pytest.mark.parametrize("keyword", ["x-new", "X_NEW", "", "-X"])
def test_a_keyword_that_no_client_could_look_for_may_not_enter(keyword: str) -> None:
    assert "RFC 5321 section 4.1.1.1" in refusal(EXTENSIONS, keyword, ROW)


def test_two_rows_that_read_one_parameter_in_two_ways_are_an_error_of_the_test(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXTENSIONS, "X-SIZE", Extension("none", mail={"SIZE": Parameter(priority)}))
    server = serve(tls=None)
    wire = client(server, ehlo=True)
    wire.send(b"MAIL FROM:<ada@client.example> SIZE=3\r\n")
    assert wire.rest() == b""
    assert mistake(server) == "MAIL parameter 'SIZE': two EHLO keywords read it, each in its own way"
