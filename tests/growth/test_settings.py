"""A setting is one row of ``settings.SETTINGS``, and the line that reads it: here HELP, which says the motto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer as TypedServer
from pytest_smtpd.checks import is_line, is_word
from pytest_smtpd.settings import SETTINGS, Setting, make_settings
from pytest_smtpd.smtp.commands import VERBS, Verb
from pytest_smtpd.smtp.events import Event, Plain
from pytest_smtpd.smtp.replies import own
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve

SMTPServer: Any = TypedServer  # a type cannot grow at run time
SECRET = "zebra-crossing"
ROW = Setting("Be brief", is_line, "a text of one line", "protocol", "what HELP says")
TOKEN = Setting(None, lambda value: value is None or is_word(value), "a token", "protocol", "a secret", secret=True)
MOOD = Setting(
    None, None, "", "protocol", "how it feels", choices={None: "it does not say", "grim": "bad", "merry": "well"}
)


def parse(command: Any, argument: str, context: Any) -> Event:
    return Plain(command=command, default=own(214, "2.0.0", context.options.motto))


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "motto", ROW)
    monkeypatch.setitem(SETTINGS, "token", TOKEN)
    monkeypatch.setitem(SETTINGS, "mood", MOOD)
    monkeypatch.setitem(VERBS, "HELP", Verb("of this test", parse))


def wrong(**settings: Any) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        SMTPServer(**settings)
    return one_line(caught.value)


# --- a whole row ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "said"), [({}, "Be brief"), ({"motto": "Be kind"}, "Be kind")])
def test_it_is_read_where_its_row_says(serve: Serve, client: Connect, settings: dict[str, Any], said: str) -> None:
    assert client(serve(**settings), ehlo=True).say("HELP").text == said


def test_values_know_it() -> None:
    settings: Any = make_settings({"motto": "Be kind", "mood": "grim"})
    assert (settings.motto, settings.token) == ("Be kind", None)
    assert repr(settings) == "Settings(motto='Be kind', mood='grim')"
    assert settings.changed({"motto": "Be brief"}).motto == "Be brief"


def test_errors_know_it() -> None:
    assert wrong(moto="x").startswith("unknown setting 'moto' - did you mean 'motto'? (valid: host, ")
    assert wrong(motto=3) == "motto must be a text of one line, not 3"
    assert wrong(mood="grimm") == "mood must be one of None, 'grim', 'merry', not 'grimm' - did you mean 'grim'?"


def test_a_final_form_is_given_and_may_be_refused(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tidy(value: str) -> str:
        if "!" in value:
            raise ValueError("motto: no shouting")
        return value.strip()

    monkeypatch.setitem(SETTINGS, "motto", ROW._replace(normalise=tidy))
    assert client(serve(motto="  Be kind "), ehlo=True).say("HELP").text == "Be kind"
    assert wrong(motto="Help!") == "motto: no shouting"


def test_markers_fixtures_and_ids_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        def motto(server):
            with connect(server) as client:
                return client.docmd("HELP")[1].decode().partition(" ")[2]

        pytestmark = pytest.mark.smtpd(motto="of the module")

        def test_module(smtpd):
            assert motto(smtpd) == "of the module"

        @pytest.mark.smtpd(motto="of the test")
        def test_marker(smtpd):
            assert motto(smtpd) == "of the test"

        @pytest.mark.parametrize("smtpd", [{"motto": "brief"}, {"mood": "grim"}], indirect=True)
        def test_parameter(smtpd):
            assert motto(smtpd) in ("brief", "of the module")

        def test_factory(smtpd_factory):
            assert motto(smtpd_factory(motto="of the factory")) == "of the factory"

        class TestConfig:
            @pytest.fixture
            def smtpd_config(self):
                return {"motto": "of the class", "mood": "merry"}

            def test_nearest(self, smtpd):
                assert motto(smtpd) == "of the module"
                assert smtpd.settings.mood == "merry"

        @pytest.mark.smtpd(moto="x")
        def test_misspelt(smtpd):
            pass
        """,
        "-v",
    )
    result.assert_outcomes(passed=6, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_parameter[[]motto=brief[]] PASSED*",
            "*::test_parameter[[]mood=grim[]] PASSED*",
            "*@pytest.mark.smtpd: unknown setting 'moto' - did you mean 'motto'?*",
        ]
    )


SESSION = """
    @pytest.fixture(scope="session")
    def smtpd_config():
        return {"motto": "of the session"}

    def motto(server):
        with connect(server) as client:
            return client.docmd("HELP")[1].decode().partition(" ")[2]

    def test_session(smtpd_session):
        assert motto(smtpd_session) == "of the session"

    @pytest.mark.smtpd(motto="of the test")
    def test_marker(smtpd, smtpd_session):
        assert motto(smtpd) == "of the test"
"""


def test_the_session_server_takes_it_for_a_test(run: Callable[..., pytest.RunResult]) -> None:
    run(SESSION).assert_outcomes(passed=2)


def test_one_that_counts_at_start_only_is_refused_there(
    run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "motto", ROW._replace(at_start=True))
    result = run(SESSION)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*motto cannot change on a running server; on smtpd_session it counts at start only*"])


def test_the_reference_lists_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "motto", ROW._replace(at_start=True))
    text = page("settings")
    assert row_of("motto", text) == ["`motto`", '`"Be brief"`', "what HELP says"]
    assert row_of('"grim"', text) == ['`"grim"`', "bad"]
    assert "`motto`" in text.partition("count only when a server starts")[2].partition("## Values")[0]


# --- a secret -------------------------------------------------------------------------------------------------------


def test_a_secret_is_seen_in_no_value_and_in_no_error() -> None:
    assert repr(make_settings({"token": SECRET})) == "Settings(token=***)"
    assert wrong(token=[SECRET]) == "token must be a token, not a list"
    assert SECRET not in wrong(token={"ada": SECRET})


def test_a_secret_is_masked_in_what_a_client_says(serve: Serve, client: Connect) -> None:
    server = serve(token=SECRET)
    client(server, ehlo=True).say(f"NOOP {SECRET}")
    assert "C: NOOP ***" in server.log.transcript()
    assert SECRET not in repr(list(server.log))


def test_a_secret_is_in_no_id(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        f"""
        @pytest.mark.parametrize("smtpd", [{{"token": "{SECRET}"}}, {{"token": None}}], indirect=True)
        def test_it(smtpd):
            pass
        """,
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it[[]token[]] PASSED*", "*::test_it[[]token=None[]] PASSED*"])
    assert SECRET not in result.stdout.str()


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"meaning": ""}, "meaning= must say what it does, and wanted= or choices= what it may be"),
        ({"wanted": ""}, "meaning= must say what it does, and wanted= or choices= what it may be"),
        ({"read_by": "nobody"}, "unknown read_by='nobody' (valid: listener, protocol, conversation, certificates, "),
        ({"check": "text"}, "check= must be a function, not 'text'"),
        ({"normalise": None}, "normalise= must be a function, not None"),
        ({"default": 3}, "default=3 is not a text of one line, in its final form"),
        ({"normalise": str.upper}, "default='Be brief' is not a text of one line, in its final form"),
        ({"check": None}, "default='Be brief' is not a text of one line, in its final form"),
        ({"choices": {7: "seven"}}, "choices= has 7, which check= refuses"),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(SETTINGS, "new", ROW._replace(**change)).startswith(f"setting 'new': {problem}")


@pytest.mark.parametrize("name", ["two words", "on", "cache", "methods", "passwords", "changed"])
def test_a_name_that_nobody_can_write_or_somebody_has_may_not_enter(name: str) -> None:
    assert "nothing else of Settings has" in refusal(SETTINGS, name, ROW)
