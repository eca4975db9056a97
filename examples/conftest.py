from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from signup.mailer import MailSettings
from signup.service import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smtpd import SMTPServer


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class App:
    """The application, as it runs in production, but for its clock."""

    mail: MailSettings
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.signup, self.outbox = build(self.mail, clock=self.clock)

    def later(self, *, minutes: float) -> None:
        """Do what the application's timer would do then."""
        self.clock.now += minutes * 60
        self.outbox.flush()


@pytest.fixture
def smtpd_config() -> dict[str, Any]:
    """Every test also checks what the application says to the server; its host has no name that DNS knows."""
    return {"lint": "all", "lint_ignore": {"ehlo-unqualified"}}


@pytest.fixture
def launch(smtpd: SMTPServer) -> Callable[..., App]:
    """Start the application with other mail settings than the usual ones."""
    usual = MailSettings(host=smtpd.host, port=smtpd.port, timeout=5)

    def launch(**others: Any) -> App:
        return App(replace(usual, **others))

    return launch


@pytest.fixture
def app(launch: Callable[..., App]) -> App:
    return launch()
