"""The server's own files, in the real file system, even if a test replaces ``os``, ``open`` or ``tempfile``.

OpenSSL and the kernel cannot see a fake file system that a test has installed (pyfakefs, for example), and a test may
replace or remove its folder for temporary files at any time. So the functions of ``os`` are taken here at import, and
kept in a class, where tools that patch modules and functions do not look for them.
"""

import os
import sys
from collections.abc import Iterator
from secrets import token_hex
from typing import Final

_COMMON: Final = ("/tmp", "/var/tmp", "/usr/tmp")


class _System:
    """The functions of ``os`` as they were at import."""

    close = staticmethod(os.close)
    fstat = staticmethod(os.fstat)
    getcwd = staticmethod(os.getcwd)
    listdir = staticmethod(os.listdir)
    mkdir = staticmethod(os.mkdir)
    open = staticmethod(os.open)
    read = staticmethod(os.read)
    rmdir = staticmethod(os.rmdir)
    stat = staticmethod(os.stat)
    unlink = staticmethod(os.unlink)
    write = staticmethod(os.write)


def make_folder(prefix: str) -> str:
    """Create a temporary folder for this user only, and return its path. Raises ``OSError`` if no place allows it."""
    problem: OSError | None = None
    for place in _places():
        try:
            folder = f"{place}/{prefix}{token_hex(6)}"
            _System.mkdir(folder, 0o700)
        except OSError as error:
            problem = problem or error
        else:
            return folder
    raise problem or FileNotFoundError("no folder for temporary files")


def _places() -> Iterator[str]:
    """Where temporary files may be: first what ``tempfile`` or the environment is set to, then the usual places."""
    chosen = getattr(sys.modules.get("tempfile"), "tempdir", None)
    for place in (chosen, *map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), *_COMMON):
        if place and isinstance(place, str):
            yield place
    yield _System.getcwd()


def state(path: str) -> tuple[int, int]:
    """A value that changes when the file does: its time of modification in nanoseconds, and its size.

    Raises ``OSError``.
    """
    facts = _System.stat(path)
    return facts.st_mtime_ns, facts.st_size


def exists(path: str) -> bool:
    """Whether there is a file or a folder at ``path``."""
    try:
        _System.stat(path)
    except OSError:
        return False
    return True


def read(path: str) -> bytes:
    """The content of a file. Raises ``OSError``."""
    descriptor = _System.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := _System.read(descriptor, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        _System.close(descriptor)


def write(path: str, content: bytes) -> None:
    """Write a file; if it does not exist, it is created for this user only. Raises ``OSError``."""
    descriptor = _System.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while content:
            content = content[_System.write(descriptor, content) :]
    finally:
        _System.close(descriptor)


def remove(path: str) -> None:
    """Remove a file, or a folder with the files in it. What is missing or cannot be removed is no error."""
    try:
        _System.unlink(path)
    except FileNotFoundError:
        return
    except OSError:  # a folder
        try:
            for name in _System.listdir(path):
                _System.unlink(f"{path}/{name}")
            _System.rmdir(path)
        except OSError:
            return
