"""One test that fails, to show what a failing test's report looks like.

Run it with ``pytest examples/test_fails_on_purpose.py``.

The service invites two people, the server refuses one of them, and the test expects the mail all the same. The report
shows what came instead, and in its section "Captured smtpd call" what client and server said to each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import App
    from pytest_smtpd import SMTPServer


@pytest.mark.smtpd(auth={"app": "s3cret"})
@pytest.mark.smtpd_on("rcpt_to", to="ada@*", reply="550 5.1.1 No such user")
def test_fails_on_purpose(smtpd: SMTPServer, launch: Callable[..., App]) -> None:
    app = launch(user="app", password="s3cret")
    app.signup.invite("Compilers", ["ada@example.com", "grace@example.com"])

    assert smtpd.one(to="ada@example.com").subject == "Join Compilers"
