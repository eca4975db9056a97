"""Whoever does not ask for providers pays nothing for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

LOADED = 'print(*sorted({"tomllib", "pytest_smtpd.providers"} & set(sys.modules)))'


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import pytest_smtpd", ""),
        ("import pytest_smtpd.plugin", ""),
        ("from pytest_smtpd import SMTPServer, on; on('connect', reply=421)", ""),
        ("from pytest_smtpd import providers", "pytest_smtpd.providers"),
        ("from pytest_smtpd import providers; providers.names()", "pytest_smtpd.providers tomllib"),
    ],
    ids=["package", "plugin", "rule", "module", "names"],
)
def test_file_is_parsed_when_it_is_asked_for_and_not_before(code: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{LOADED}"], capture_output=True, text=True, check=True, timeout=240
    )
    assert done.stdout.strip() == loaded


def test_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_smtpd import providers

    calls: list[str] = []
    parse = providers.parse

    def count(text: str) -> Mapping[str, providers.Provider]:
        calls.append(text)
        return parse(text)

    monkeypatch.setattr(providers, "parse", count)
    monkeypatch.setattr(providers, "_DATA", providers._DATA + b"\n# read anew")
    providers.names()
    providers.replies("gmail")
    providers.profile("gmail")
    assert len(calls) == 1
