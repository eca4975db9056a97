"""A line of the catalogue can be written wherever rules and settings go."""

from __future__ import annotations

import pytest

from tests.faults.catalogue import SECTIONS

WAYS = [way for section in SECTIONS for fault in section.faults for way in fault.ways]
LINES = sorted({way.line for way in WAYS if way.line and not way.is_statement})


def _as_parameter(line: str) -> str:
    return line if line.startswith("on(") else f"dict({line})"


def _as_marker(line: str) -> str:
    return f"smtpd_on({line[3:]}" if line.startswith("on(") else f"smtpd({line})"


BARE = ("--import-mode=importlib", "-p", "no:asyncio", "-p", "no:randomly", "-p", "no:xdist")
HEAD = "import pytest, re\nfrom pytest_smtpd import on\nfrom tests.faults.hooks import *\n"


@pytest.mark.wide
def test_every_line_is_a_parameter_with_an_id_of_its_own(pytester: pytest.Pytester) -> None:
    parameters = "".join(f"    {_as_parameter(line)},\n" for line in LINES)
    pytester.makepyfile(
        f"{HEAD}\n@pytest.mark.parametrize('smtpd', [\n{parameters}], indirect=True)\ndef test_it(smtpd): ...\n"
    )
    result = pytester.runpytest_subprocess(*BARE, "--collect-only", "-q")
    ids = [line for line in result.outlines if "::test_it[" in line]
    assert len(ids) == len(LINES)
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if one.endswith(tuple(f"{digit}]" for digit in "0123456789")) and "smtpd" in one] == []


@pytest.mark.wide
def test_every_line_is_a_marker_and_its_rules_must_be_used(pytester: pytest.Pytester) -> None:
    tests = "".join(
        f"@pytest.mark.{_as_marker(line)}\ndef test_{number}(smtpd): ...\n\n" for number, line in enumerate(LINES)
    )
    pytester.makepyfile(HEAD + tests)
    result = pytester.runpytest_subprocess(*BARE, "--strict-markers", "--tb=line")
    declaring = sum("on(" in line for line in LINES)
    result.assert_outcomes(passed=len(LINES) - declaring, failed=declaring)
