"""Writes docs/how-to/make-the-server-fail.md from the catalogue that tests/faults walks."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults import hooks  # noqa: E402 - found by the line above
from tests.faults.catalogue import SECTIONS  # noqa: E402
from tests.faults.vocabulary import Fault, Section, Verdict, Way  # noqa: E402

PAGE = ROOT / "docs" / "how-to" / "make-the-server-fail.md"

INTRODUCTION = """\
<!-- Made by docs/_generate/faults.py from tests/faults: change it there. -->

# Make the server fail

Every failure that a client can meet is one line: a rule, `on(...)`, or a setting. This page lists them by the moment at
which they happen. Each line is run by the tests of this project, in clear text, after STARTTLS and in TLS from the
first byte, against a client that checks every byte.

A rule can be written in four places. These are the same:

```python
import smtplib

import pytest
from pytest_smtpd import on


def refused(smtpd):
    with smtplib.SMTP(smtpd.host, smtpd.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("ada@example.com", "bob@example.com", "Subject: Hello\\n\\nHello.")


@pytest.mark.smtpd_on("rcpt_to", reply=550)
def test_marker(smtpd):
    refused(smtpd)


@pytest.mark.parametrize("smtpd", [on("rcpt_to", reply=550)], indirect=True)
def test_parameter(smtpd):
    refused(smtpd)


def test_in_the_body(smtpd):
    smtpd.on("rcpt_to", reply=550)
    refused(smtpd)


def test_another_server(smtpd_factory):
    refused(smtpd_factory(on=[on("rcpt_to", reply=550)]))
```

A setting such as `size=1000` is written `@pytest.mark.smtpd(size=1000)`, `{"size": 1000}` as a parameter, and
`smtpd_factory(size=1000)`. Two rules in one line, `on=[on(...), on(...)]`, are a setting too. *No rule needed* means
that the server always does that, when a client does what the failure describes.

Every line can be made narrower or rarer: `to="bob@*"` for one recipient, `times=2` for two failures and then none,
`skip=1` for the second of something, `delay=0.1` to have it late.

## What a correct client does

The last column begins with the right outcome for the application.

| | |
|---|---|
"""

MEANINGS = {
    Verdict.OK: "the message is delivered, and nobody has to do anything",
    Verdict.RETRY: "the whole message again, later, at another host first if there is one; a lost connection is the "
    "same as a 451",
    Verdict.BOUNCE: "not again; the sender gets to know",
    Verdict.PART: "a result for each recipient: some delivered, some to be tried again, some given up",
    Verdict.STOP: "a wrong setting or password: someone has to look; no loop, and nothing weaker instead",
    Verdict.FALLBACK: "something simpler on the same connection",
    Verdict.AMBIG: "the server may have the message: sending it again may deliver it twice",
}

FUNCTIONS = """
## Functions used above

If a failure depends on what the server does while it reads, or on a TLS library that is older than yours, the line uses
a function:

"""

OUT_OF_REACH = """
## Out of a server's reach

| | failure | why |
|---|---|---|
"""


def code(text: str) -> str:
    """Text as code in a cell of a table."""
    fence = "``" if "`" in text else "`"
    return fence + text.replace("|", "\\|") + fence if text else ""


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


def rows(fault: Fault) -> list[str]:
    """A row for each way; what they share is in the first."""
    client = f"{'/'.join(fault.verdicts)}: {fault.client} (RFC {fault.rfc.replace(' ', ', ')})"
    return [row(fault, way, client if number == 0 else "") for number, way in enumerate(fault.ways)]


def row(fault: Fault, way: Way, client: str) -> str:
    first = bool(client)
    what = ": ".join(filter(None, [fault.title if first else "", way.what]))
    line = code(way.line) if way.line else "*no rule needed*"
    return f"| {fault.id if first else ''} | {cell(what)} | {line} | {cell(client)} |"


def table(section: Section) -> str:
    head = f"## {section.title}\n\n| | failure | line | a correct client |\n|---|---|---|---|\n"
    return head + "".join(f"{line}\n" for fault in section.faults for line in rows(fault))


def out_of_reach() -> str:
    """What no line can do, and what to do instead."""
    missing = [fault for section in SECTIONS for fault in section.faults if fault.reason]
    return OUT_OF_REACH + "".join(f"| {f.id} | {cell(f.title)} | {cell(f.reason)} |\n" for f in missing)


def functions() -> str:
    sources = "\n\n\n".join(inspect.getsource(function).rstrip() for function in hooks.SHOWN)
    imports = "import ssl\nimport time\nimport warnings\n\nfrom pytest_smtpd import Session, Stream"
    return f"{FUNCTIONS}```python\n{imports}\n\n\n{sources}\n```\n"


def page() -> str:
    """The whole page."""
    meanings = "".join(f"| {verdict} | {meaning} |\n" for verdict, meaning in MEANINGS.items())
    tables = "\n".join(table(section) for section in SECTIONS)
    return f"{INTRODUCTION}{meanings}\n{tables}{functions()}{out_of_reach()}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
