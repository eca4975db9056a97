"""The files that show what a server saw: ``transcript.txt``, each accepted mail as ``N.eml``, and ``index.html``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pytest_smtpd.log.query import Log
from pytest_smtpd.view.page import envelopes, page

PAGE: Final = "index.html"
TRANSCRIPT: Final = "transcript.txt"


def save(folder: str | os.PathLike[str], logs: Sequence[Log], title: str, address: str) -> Path:
    """Write the contents of these logs to a folder, which is made if need be. Returns the path of the page.

    Files that are there already and have these names are replaced. Raises ``OSError``.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    stores = [log._store for log in logs]
    for number, envelope in enumerate(envelopes(stores)[0], 1):
        envelope.save(path / f"{number}.eml")
    save_text(path / TRANSCRIPT, transcript(logs, address))
    save_text(path / PAGE, page(title, address, stores))
    return path / PAGE


def transcript(logs: Sequence[Log], address: str) -> str:
    """The whole transcript, of any length."""
    texts = [text for log in logs if (text := log.shown(whole=True))]
    return "\n".join(texts or [f"nobody has connected to {address}"]) + "\n"


def save_text(path: Path, text: str) -> None:
    """Replace a file in one step: whoever reads it meanwhile has the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(text.encode("utf-8", "backslashreplace"))
    part.replace(path)
