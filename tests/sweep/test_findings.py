"""Each defect is found by exactly its name, in every world, and an application without it passes."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from tests.sweep.defects import DEFECTS
from tests.sweep.sweeping import sweep

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # leaks are the subject


#: The gravest and the most intricate.
OFTEN = ("lost", "sent-but-failed", "duplicate", "collateral", "clear-password", "leak", "ambiguous", "code-lost")


def cases() -> Iterator[Any]:
    """The usual world and way of the gravest defects; what differs in one respect is wide, the rest for the night."""
    for name, defect in DEFECTS.items():
        for world in defect.worlds:
            for way in defect.ways:
                rank = (world != defect.worlds[0]) + (way != "sync") + (name not in OFTEN)
                marks = ((), (pytest.mark.wide,), (pytest.mark.nightly,))[min(rank, 2)]
                yield pytest.param(name, world, way, id=f"{name}-{world}-{way}", marks=marks)


@pytest.mark.parametrize(("name", "world", "way"), list(cases()))
def test_defect_is_found_by_its_name(name: str, world: str, way: str) -> None:
    defect = DEFECTS[name]
    found = sweep(defect.application, world, way, level="full", only=defect.points, **defect.options)
    assert found.names - (defect.beside - {name}) == {name}, found.text


@pytest.mark.wide
@pytest.mark.parametrize(("name", "world", "way"), list(cases()))
def test_twin_without_the_defect_passes(name: str, world: str, way: str) -> None:
    defect = DEFECTS[name]
    found = sweep(defect.twin, world, way, level="full", only=defect.points, **defect.options)
    assert found.names <= defect.beside - {name}, found.text


@pytest.mark.nightly
@pytest.mark.parametrize("level", ["quick", "full"])
@pytest.mark.parametrize(("name", "world"), [(name, world) for name, row in DEFECTS.items() for world in row.worlds])
def test_defect_is_found_among_all_points(name: str, world: str, level: str) -> None:
    defect = DEFECTS[name]
    options = {**defect.options, "timeout": 0.5}
    found = sweep(defect.application, world, level=level, **options)
    assert name in found.names, found.text


def test_task_that_is_left_behind_is_a_leak() -> None:
    from tests.sweep.applications import starts_a_task

    found = sweep(starts_a_task, way="async", only="mail_from-550", timeout=0.2)
    assert found.names == {"leak"}
    assert "the task 'left over'" in found.findings[0].text


def test_thread_that_is_left_behind_is_a_leak() -> None:
    from tests.sweep.applications import starts_a_thread

    found = sweep(starts_a_thread, only="mail_from-550", timeout=0.2)
    assert found.names == {"leak"}
    assert "the thread 'left over'" in found.findings[0].text


@pytest.mark.parametrize("auth", ["any", {"app": "s3cret-pw"}])
def test_password_that_is_sent_once_more_by_another_mechanism_is_sent_again(auth: Any) -> None:
    """smtplib proves it by CRAM-MD5 first; after the 535, it sends it by PLAIN."""
    with SMTPServer(auth=auth) as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only="auth-535*", strict=True):
            with fault, smtplib.SMTP(server.host, server.port, timeout=1) as client:
                client.starttls(context=server.client_context)
                client.login("app", "s3cret-pw")
                client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hi\r\n\r\nHi\r\n")
    assert "auth-again" in {finding.name for finding in failure.value.findings}
