"""A sweep of nodemailer used as it should be: two mails, refusals reported, timeouts of its own, in a child process."""

from __future__ import annotations

import json

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.libraries.blocks import PASSWORD, USER, with_nodemailer
from tests.interop.presence import NODE_MODULES, node, require


@pytest.mark.parametrize(
    "level", [pytest.param("quick", marks=pytest.mark.wide), pytest.param("full", marks=pytest.mark.nightly)]
)
def test_nothing_is_found_in_nodemailer(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    require(node("nodemailer"))
    monkeypatch.setenv("NODE_PATH", str(NODE_MODULES))
    with SMTPServer(auth={USER: PASSWORD}) as server:
        for fault in server.sweep(level=level):
            with fault:
                with_nodemailer(server, fault)
