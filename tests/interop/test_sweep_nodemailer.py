"""A sweep of nodemailer used as it should be: two mails, refusals reported, timeouts of its own, in a child process."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.libraries.blocks import PASSWORD, USER, with_nodemailer
from tests.interop.presence import NODE_MODULES, node, require

#: Its connection to a server that stops reading amid the content outlives its own timeout by some seconds, and the
#: process with it: "What mail libraries do wrong" has it as a hang, which on a slow machine may be only slow.
ITS_OWN_HANG = "data-early-hang*"


@pytest.mark.parametrize(
    "level", [pytest.param("quick", marks=pytest.mark.wide), pytest.param("full", marks=pytest.mark.nightly)]
)
def test_nothing_is_found_in_nodemailer(level: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    require(node("nodemailer"))
    monkeypatch.setenv("NODE_PATH", str(NODE_MODULES))
    with SMTPServer(auth={USER: PASSWORD}) as server:
        for fault in server.sweep(level=level, skip=ITS_OWN_HANG):
            with fault:
                with_nodemailer(server, fault)
