"""Texts that tell of connections that are still open, while the server goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_smtpd.record import explain
from pytest_smtpd.record.query import Waiter
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import Transaction
from pytest_smtpd.smtp.session import Session
from tests.record.scene import Scene

TEXTS: dict[str, Callable[[Scene], str]] = {
    "wait_closed": lambda scene: explain.still_connected(scene.journal, 1),
    "wait_for": lambda scene: explain.waited(Waiter(scene.journal, "Envelope", 1, {}), 1, in_loop=False),
}


def in_a_transaction(scene: Scene, *verbs: str) -> Session:
    session = scene.connect()
    session.mail = Transaction(1, Address("a@x"), {})
    session.verbs += verbs
    return session


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_clients_may_come_and_go_meanwhile(text: Callable[[Scene], str], monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    in_a_transaction(scene, "EHLO"), in_a_transaction(scene, "EHLO")

    def slow(session: Session) -> str:
        scene.connect()
        return f"<{session.id}>"

    monkeypatch.setattr(Session, "__repr__", slow)
    told = text(scene)
    assert "<s1>" in told
    assert "<s2>" in told


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    ("verbs", "told"),
    [
        ([], "after connecting"),
        (["EHLO", "DATA"], "after DATA"),
        (["EHLO", "AUTH", "CZNJCMV0CHC="], "after an unknown command"),
        (["\x16\x03\x01\x1b[31m"], "after an unknown command"),
    ],
)
def test_the_last_command_is_told_and_nothing_that_is_none(
    text: Callable[[Scene], str], verbs: list[str], told: str
) -> None:
    scene = Scene()
    in_a_transaction(scene, *verbs)
    assert told in text(scene)
    assert all(line.isprintable() for line in text(scene).split("\n"))
    assert "CZNJ" not in text(scene)
