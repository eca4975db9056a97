"""The pages of the reference are what their generators make of the code, and a new row is documented by being added."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.docs.pages import DOCS, ROOT

GENERATORS = DOCS / "_generate"
GENERATED = (
    "reference.py",
    "protocol.py",
    "providers.py",
    "lint.py",
    "map.py",
    "faults.py",
    "sweep.py",
    "libraries.py",
    "reports.py",
    "performance.py",
)


@pytest.mark.parametrize("script", GENERATED)
def test_committed_pages_are_what_the_code_gives(script: str) -> None:
    command = [sys.executable, str(GENERATORS / script), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run: python docs/_generate/{script}\n{done.stdout}{done.stderr}"


class Row(NamedTuple):
    """A row that is added, with ``TEXT`` in the place of its text, and what its page then has."""

    change: str
    module: str
    page: str
    shown: str


MOTTO = "the motto of the server"
ROWS = {
    "setting": Row(
        """
from pytest_smtpd.settings import SETTINGS, Setting
SETTINGS["motto"] = Setting("", lambda value: True, "a text", "protocol", TEXT)
""",
        "reference",
        "settings_page",
        f'| `motto` | `""` | {MOTTO} |',
    ),
    "value of a setting": Row(
        """
from pytest_smtpd.settings import SETTINGS
row = SETTINGS["certificate"]
SETTINGS["certificate"] = row._replace(choices={**row.choices, "revoked": TEXT})
""",
        "reference",
        "settings_page",
        f'| `"revoked"` | {MOTTO} |',
    ),
    "hook": Row(
        """
from pytest_smtpd.rules.hooks import HOOKS
HOOKS["helo"] = HOOKS["mail_from"]._replace(when=TEXT)
""",
        "reference",
        "hooks_page",
        f"| `helo` | {MOTTO} | `address, session` |",
    ),
    "action": Row(
        """
from pytest_smtpd.rules.options import OPTIONS
OPTIONS["sing"] = OPTIONS["hang"]._replace(meaning=TEXT)
""",
        "reference",
        "rules_page",
        f"| `sing=` | {MOTTO} |",
    ),
    "match key": Row(
        """
from pytest_smtpd.rules.match import KEYS
KEYS["mood"] = KEYS["user"]._replace(meaning=TEXT)
""",
        "reference",
        "rules_page",
        f"| `mood=` | {MOTTO} |",
    ),
    "finding of a sweep": Row(
        """
from pytest_smtpd.sweep.judge import FINDINGS
FINDINGS["sung"] = FINDINGS["lost"]._replace(name="sung", meaning=TEXT)
""",
        "sweep",
        "page",
        f"| `sung` | {MOTTO} |",
    ),
    "notice of a sweep": Row(
        """
from pytest_smtpd.sweep.judge import NOTICES
NOTICES["hummed"] = NOTICES["slow"]._replace(name="hummed", meaning=TEXT)
""",
        "sweep",
        "page",
        f"| `hummed` | {MOTTO} |",
    ),
    "option of a sweep": Row(
        """
from pytest_smtpd.sweep.options import OPTIONS
OPTIONS["tune"] = OPTIONS["strict"]._replace(meaning=TEXT)
""",
        "sweep",
        "page",
        f"| `tune` | `False` | True or False | {MOTTO} |",
    ),
    "verb": Row(
        """
from pytest_smtpd.smtp.commands import VERBS
VERBS["SING"] = VERBS["XCLIENT"]._replace(parse=VERBS["TURN"].parse, condition=TEXT)
""",
        "protocol",
        "page",
        f"| `SING` | Postfix XCLIENT | never: `502 5.5.1` | {MOTTO} |",
    ),
}


def generate(row: Row, text: str) -> subprocess.CompletedProcess[str]:
    """What a generator gives, after a change of the tables in its process."""
    head = f"import sys; sys.path.insert(0, {str(GENERATORS)!r})\nTEXT = {text!r}\n"
    code = f"{head}{row.change}\nimport {row.module}\nprint({row.module}.{row.page}())"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ROWS)
def test_a_new_row_is_documented_by_being_added(name: str) -> None:
    done = generate(ROWS[name], MOTTO)
    assert ROWS[name].shown in done.stdout, done.stderr


@pytest.mark.parametrize("name", ROWS)
def test_a_row_without_its_text_is_an_error_that_names_it(name: str) -> None:
    done = generate(ROWS[name], "")
    assert done.returncode != 0
    assert ROWS[name].shown.split("`")[1].strip('"=') in done.stderr.splitlines()[-1], done.stderr
