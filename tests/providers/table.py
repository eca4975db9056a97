"""The data file as it is written, read without the code that is tested."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_smtpd

FILE = Path(pytest_smtpd.__file__).with_name("providers.toml")
TABLES: dict[str, dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Row:
    provider: str
    fields: dict[str, Any]

    @property
    def wire(self) -> bytes:
        """What a client has to get: the lines of the text, each with CRLF."""
        return b"".join(line.encode("ascii") + b"\r\n" for line in self.fields["reply"].split("\n"))

    def __str__(self) -> str:
        return f"{self.provider}, {self.fields['situation']!r}"


ROWS = [Row(provider, fields) for provider, table in TABLES.items() for fields in table.get("replies", ())]
PROFILES = {provider: table["profile"] for provider, table in TABLES.items() if "profile" in table}


def texts() -> list[tuple[str, str]]:
    """Everything that goes over the wire, each line with the place where it is written."""
    found = [(str(row), line) for row in ROWS for line in row.fields["reply"].split("\n")]
    for provider, profile in PROFILES.items():
        lines = [profile["greeting"], *profile.get("ehlo_clear", ()), *profile.get("ehlo_tls", ())]
        found += [(f"{provider}, profile", line) for line in lines]
    return found
