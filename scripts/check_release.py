"""Build the wheel and the sdist, install each into an empty environment, and use the fixture there.

Run by ``make release-check``. Needs the dependency group "release". Leaves the two files in ``dist/``.
"""

from __future__ import annotations

import email.parser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"

DEPENDENCIES = {"pytest", "trustme"}
# Code, and the files that are no code: types, data, and the markup and styles of pages.
IN_THE_WHEEL = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "pytest_smtpd").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
TOP_LEVEL = {"pytest_smtpd"}

USE = """
import smtplib
import ssl

import pytest
from pytest_smtpd import providers


def test_the_installed_fixture_receives_mail(smtpd):
    with smtplib.SMTP(smtpd.host, smtpd.port, timeout=5) as client:
        client.starttls(context=ssl.create_default_context())
        client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hello\\r\\n\\r\\nHi\\r\\n")
    assert smtpd.one(to="ada@example.com").subject == "Hello"


def test_the_installed_templates_make_a_page(smtpd, tmp_path):
    assert "Nobody has connected" in smtpd.save(tmp_path).read_text()


@pytest.mark.parametrize("smtpd", providers.replies("icloud", "mailbox full"), indirect=True)
def test_the_installed_data_refuses_a_recipient(smtpd):
    with smtplib.SMTP(smtpd.host, smtpd.port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hello\\r\\n\\r\\nHi\\r\\n")


@pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 No such user")
def test_the_installed_marker_refuses_a_recipient(smtpd):
    with smtplib.SMTP(smtpd.host, smtpd.port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hello\\r\\n\\r\\nHi\\r\\n")
"""


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    print("+", *command, flush=True)
    # Without PYTHONPATH, or the work tree would be tested instead of what was installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([str(part) for part in command], cwd=cwd, check=True, env=environment)


def require(holds: bool, problem: str) -> None:
    if not holds:
        raise SystemExit(f"release check: {problem}")


def build() -> tuple[Path, Path]:
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST)
    wheels, sdists = list(DIST.glob("*.whl")), list(DIST.glob("*.tar.gz"))
    require(len(wheels) == len(sdists) == 1, f"expected one wheel and one sdist, got {sorted(DIST.iterdir())}")
    return wheels[0], sdists[0]


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.parser.Parser().parsestr(archive.read(info).decode())
        entry_points = archive.read(info.replace("METADATA", "entry_points.txt")).decode()
    missing = IN_THE_WHEEL - names
    require(not missing, f"the wheel lacks {sorted(missing)}")
    strays = {name.split("/")[0] for name in names if ".dist-info/" not in name} - TOP_LEVEL
    require(not strays, f"the wheel also installs {sorted(strays)}")
    # A bound may move; another package that every user has to install may not slip in.
    dependencies = {re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in metadata.get_all("Requires-Dist", [])}
    require(dependencies == DEPENDENCIES, f"the wheel depends on {sorted(dependencies)}")
    require("pytest-smtpd = pytest_smtpd.plugin" in entry_points, "the pytest11 entry point is missing")


def check_installed(artefact: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pytest-smtpd-release-") as folder:
        room = Path(folder)
        venv.create(room / "venv", with_pip=True)
        python = room / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        (room / "test_use.py").write_text(USE)
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", artefact)
        run(python, "-W", "error", "-X", "dev", "-m", "pytest", "--strict-markers", "-v", "test_use.py", cwd=room)
        run(python, "-m", "pip", "check", "--disable-pip-version-check", cwd=room)


def main() -> None:
    wheel, sdist = build()
    check_contents(wheel)
    for artefact in (wheel, sdist):
        check_installed(artefact)
    print(f"release check: {wheel.name} and {sdist.name} install and work")


if __name__ == "__main__":
    main()
