"""Whether all that a client needs is on this machine: its program, and the modules that its script loads.

That a program exists is not enough. Every Debian machine has Perl, and Perl comes with Net::SMTP, but TLS and AUTH are
in packages of their own. So each client lists everything that it needs, and each need is a command that checks for it.
"""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

INTEROP = Path(os.environ.get("PYTEST_SMTPD_INTEROP_DIR", Path(__file__).parents[2] / ".interop"))
VENV = INTEROP / "venv/bin/python"
VENV_MAILERS = INTEROP / "venv-mailers/bin/python"
NODE_MODULES = INTEROP / "npm/node_modules"


@dataclass(frozen=True)
class Need:
    """One thing that a client cannot do without."""

    program: str
    """The program, by name or path."""
    arguments: tuple[str, ...] = ()
    """The program exits with 0 when called with these. Empty: it is enough that the program exists."""
    pattern: str = ""
    """Its output matches this regular expression, whatever its exit code."""
    name: str = ""
    """What a skipped test reports as missing, if the program exists but the rest does not hold."""

    def missing(self) -> str | None:
        """Return the name of what is missing, or None if the need is met."""
        if shutil.which(self.program) is None:
            return self.program
        if not self.arguments or _is_met(self.program, self.arguments, self.pattern):
            return None
        return self.name


@functools.cache
def _is_met(program: str, arguments: Sequence[str], pattern: str) -> bool:
    # The client will run in an environment as bare as this one.
    environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(NODE_MODULES)}
    done = subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        timeout=30,
        check=False,
    )
    return re.search(pattern, done.stdout.decode()) is not None if pattern else done.returncode == 0


def program(name: str | Path) -> tuple[Need]:
    return (Need(str(name)),)


def features(name: str, options: Sequence[str], patterns: Mapping[str, str]) -> tuple[Need, ...]:
    """Require features that a program is built with or without: a name and a pattern in the output for each."""
    return tuple(
        Need(name, tuple(options), pattern=pattern, name=f"{name} with {feature}")
        for feature, pattern in patterns.items()
    )


def perl(*modules: str) -> tuple[Need, ...]:
    return tuple(Need("perl", (f"-M{module}", "-e", "1"), name=f"Perl module {module}") for module in modules)


def python(interpreter: str | Path, *modules: str) -> tuple[Need, ...]:
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('{}') is None)"
    return tuple(Need(str(interpreter), ("-c", find.format(name)), name=f"Python module {name}") for name in modules)


def node(*packages: str) -> tuple[Need, ...]:
    return tuple(
        Need("node", ("-e", f"require.resolve('{package}')"), name=f"npm package {package}") for package in packages
    )


def php(library: str, *extensions: str) -> tuple[Need, ...]:
    """Require a library on PHP's include path, and extensions of PHP itself."""
    resolve = f"exit(stream_resolve_include_path('{library}') === false ? 1 : 0);"
    loaded = "exit(extension_loaded('{}') ? 0 : 1);"
    return (
        Need("php", ("-r", resolve), name=f"PHP library {library}"),
        *(Need("php", ("-r", loaded.format(name)), name=f"PHP extension {name}") for name in extensions),
    )


def ruby(*libraries: str) -> tuple[Need, ...]:
    return tuple(Need("ruby", ("-r", library, "-e", ""), name=f"Ruby library {library}") for library in libraries)


def missing(needs: Iterable[Need]) -> list[str]:
    """Return the names of what is missing, each once."""
    return list(dict.fromkeys(name for need in needs if (name := need.missing()) is not None))


def require(needs: Iterable[Need]) -> None:
    """Skip the test if something is missing, or fail it where everything has to be there."""
    absent = missing(needs)
    if not absent:
        return
    reason = f"not installed: {', '.join(absent)} (tests/interop/install.sh installs it)"
    if os.environ.get("PYTEST_SMTPD_REQUIRE_PEERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
