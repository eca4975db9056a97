"""The sign-up service against every failure of a mail server: nothing is lost, doubled or reported wrongly."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from signup.mailer import MailSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import App
    from pytest_smtpd import Sweep


@pytest.mark.smtpd(auth={"app": "s3cret"}, require_tls=True)
@pytest.mark.smtpd_sweep(timeout=1)
def test_no_failure_loses_a_mail(smtpd_sweep: Sweep, launch: Callable[..., App]) -> None:
    for fault in smtpd_sweep:
        with fault:
            app = launch(user="app", password="s3cret", timeout=1)
            with suppress(MailSettingsError):  # somebody has to look; the mail waits in the outbox
                app.signup.register("ada@example.com")
            with suppress(MailSettingsError):
                app.signup.invite("Compilers", ["grace@example.com", "mary@example.com"])

            for parcel in app.outbox.pending:
                fault.delayed(*parcel.recipients)
            fault.failed(app.signup.unreachable())
