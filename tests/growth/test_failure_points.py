"""A failure of a step is one row of ``faults.FAULTS``, and a set-up of the server one of ``faults.SETTINGS``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from pytest_smtpd.sweep.faults import FAULTS, NEEDS, QUICK, SETTINGS, Fault, Kind, SetUp
from pytest_smtpd.sweep.points import Dialogue
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.sweep.inner import careless, ids

ROW = Fault("571", Kind.PERMANENT, {"reply": "571 5.7.1 Not today"}, QUICK, again=True)
SET_UP = SetUp("size=21", {"size": 21}, "mail")


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, "rcpt_to", (*FAULTS["rcpt_to"], ROW))
    monkeypatch.setitem(SETTINGS, "size=21", SET_UP)


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_it_is_a_point_at_its_level_and_in_patterns() -> None:
    names = [f"rcpt_to-571-to={name}@example.com" for name in ("ada", "bob", "cyd")]
    assert ids(only=["rcpt_to-57*", "size=2?"]) == [None, *names, "size=20", "size=21"]


def test_its_report_has_the_marker_that_makes_it() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(only="rcpt_to-571-to=bob*")
        with contextlib.suppress(SweepFailure):
            for fault in sweep:
                with fault:
                    careless(server)
    (finding,) = sweep.findings
    assert finding.name == "lost"
    assert finding.marker == '@pytest.mark.smtpd_on("rcpt_to", to="bob@example.com", reply="571 5.7.1 Not today")'
    assert "S: 571 5.7.1 Not today   by on(" in finding.transcript


def test_suggestions_know_it() -> None:
    with pytest.raises(SweepFailure) as caught:
        ids(only="size=21x")
    assert "'size=21'" in one_line(caught.value)


def test_the_command_line_knows_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        from tests.sweep.inner import two_mails

        def test_sweep(smtpd, smtpd_sweep):
            for fault in smtpd_sweep:
                with fault:
                    fault.failed(two_mails(smtpd))
        """,
        "--smtpd-sweep-point=rcpt_to-571-to=cyd@example.com",
    )
    result.assert_outcomes(passed=1)
    assert "571 5.7.1 Not today" in result.stdout.str()


def test_the_reference_lists_it() -> None:
    text = page("sweep")
    assert row_of("rcpt_to-571", text)[1:] == [
        '`reply="571 5.7.1 Not today"`',
        "permanent",
        "quick, also at later calls",
    ]
    assert row_of("size=21", text)[1:] == ["`size=21`", "a mail", "set up", "quick"]


def test_every_need_of_a_set_up_can_be_met() -> None:
    assert Dialogue([], [], []).traits <= NEEDS.keys()  # an unknown one is a KeyError


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize("part", required(SET_UP))
def test_a_set_up_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(SET_UP, part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": ""}, "name='' must be what an id and a shell pattern can have"),
        ({"name": "57*"}, "name='57*' must be what an id and a shell pattern can have"),
        ({"kind": "permanent"}, "kind= must be a Kind, which says what it means to a correct client, not 'permanent'"),
        ({"level": "slow"}, "level= must be 'quick' or 'full', not 'slow'"),
        ({"options": {}}, "options= make no rule there: "),
        (
            {"options": {"repyl": 571}},
            "options= make no rule there: on('mail_from'): unknown action, modifier or match key 'repyl'",
        ),
        ({"options": {"accept": True}}, "options= make no rule there: "),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    half = ROW._replace(**change)
    assert refusal(FAULTS, "mail_from", (half,)).startswith(f"step 'mail_from': {half.name}: {problem}")


def test_two_failures_of_one_name_may_not_enter() -> None:
    assert refusal(FAULTS, "data", (ROW, ROW)) == "step 'data': 571: there are two of this name"


def test_a_step_that_is_no_hook_may_not_enter() -> None:
    assert refusal(FAULTS, "mail", (ROW,)).startswith("step 'mail': 571: options= make no rule there: ")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "other"}, "name= must be the same, not 'other'"),
        ({"needs": "luck"}, "unknown needs='luck' (valid: tls, starttls, "),
        ({"kind": None}, "kind= must be a Kind, which says what it means to a correct client, not None"),
        ({"level": ""}, "level= must be 'quick' or 'full', not ''"),
        ({"changes": {}}, "either changes= has settings, or stopped=True says that the server does not run"),
        ({"stopped": True}, "either changes= has settings, or stopped=True says that the server does not run"),
        ({"changes": {"sise": 20}}, "changes= are no settings: unknown "),
        ({"changes": {"size": "big"}}, "changes= are no settings: size must be "),
    ],
)
def test_half_a_set_up_may_not_enter(change: dict[str, Any], problem: str) -> None:
    half = SET_UP._replace(name="new")._replace(**change)
    assert refusal(SETTINGS, "new", half).startswith(f"set-up 'new': {problem}")
