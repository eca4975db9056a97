"""``--smtpd-artifacts``: for each test that fails, a folder with what its servers saw.

Every worker of xdist computes the same folder for a test without asking the others: the name is readable, and unique by
a hash of the test's id.
"""

import contextlib
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_smtpd.log.query import Log
    from pytest_smtpd.server import SMTPServer

LONGEST: Final = 200  # bytes of a folder's name; file systems allow 255
_HASH: Final = 8
_READABLE: Final = LONGEST - _HASH - 2
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # Windows reserves these, with any extension
_OURS: Final = re.compile(r"index\.html|transcript\.txt|\d+\.eml")


def base_of(config: pytest.Config) -> Path:
    """The folder for all tests. A path in an ini file is relative to that file."""
    given = config.getoption("smtpd_artifacts", None)
    if given:
        return config.invocation_params.dir / str(given)
    beside = config.inipath.parent if config.inipath is not None else config.rootpath
    return beside / str(config.getini("smtpd_artifacts"))


def folder_name(nodeid: str) -> str:
    """A name that is good on every file system, readable, at most ``LONGEST`` bytes long, and this test's alone."""
    digest = sha256(nodeid.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{plain(nodeid)}-{digest}"


def plain(text: str) -> str:
    """The end of the text in letters, digits and ``._-``, without what means something to a file system."""
    name = re.sub(r"[^A-Za-z0-9._]+", "-", text)[-_READABLE:].strip("-.")
    return f"_{name}" if _RESERVED.match(name) else name


def save(folder: Path, logs: "Iterable[tuple[SMTPServer, Sequence[Log]]]", nodeid: str) -> Path | None:
    """Write what each server saw; the first one's in the folder itself. Returns the path of its page."""
    from pytest_smtpd.view.files import save

    remove(folder)
    pages: list[Path] = []
    taken: set[str] = set()
    for server, own in logs:
        place = folder if not pages else folder / _free(plain(server.name) or "server", taken)
        pages.append(save(place, own, nodeid, server.url.partition("://")[2]))
    return pages[0] if pages else None


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number if another server has it, or it is one of our files."""
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    found = next(one for one in names if one.lower() not in taken and not _OURS.fullmatch(one.lower()))
    taken.add(found.lower())
    return found


def remove(folder: Path) -> None:
    """Remove what an earlier attempt has written, and nothing else."""
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                remove(path)
            elif _OURS.fullmatch(path.name):
                path.unlink()
        folder.rmdir()
