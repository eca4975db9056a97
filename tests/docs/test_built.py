"""What readers look for is found in the built documentation: by its search, its index, and from other projects.

``make docs`` builds it; PYTEST_SMTPD_BUILT_DOCS names the folder. Without that these tests are skipped, as an old build
would say nothing.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest

BUILT = os.environ.get("PYTEST_SMTPD_BUILT_DOCS", "")

pytestmark = pytest.mark.skipif(not BUILT, reason="PYTEST_SMTPD_BUILT_DOCS names no built documentation")


def read(name: str) -> str:
    return Path(BUILT, name).read_text(encoding="utf-8")


# --- the search -----------------------------------------------------------------------------------------------------

# What users type, and a page that has to be among the results.
QUERIES = {
    "timeout": "reference/settings",
    "install": "index",
    "attachments": "how-to/messages",
    "html": "how-to/messages",
    "bcc": "how-to/messages",
    "headers": "how-to/messages",
    "starttls": "how-to/tls",
    "certificate expired": "how-to/tls",
    "self-signed": "reference/settings",
    "wrong password": "how-to/make-the-server-fail",
    "login": "how-to/logins",
    "greylisting": "recipes/greylisting",
    "mailbox full": "recipes/full-mailbox",
    "bounce": "recipes/bounces",
    "django": "recipes/django",
    "flask": "recipes/flask-mail",
    "fastapi": "recipes/fastapi-mail",
    "celery": "recipes/celery",
    "dkim": "recipes/dkim",
    "unsubscribe": "recipes/unsubscribe",
    "snapshot": "recipes/snapshots",
    "aiosmtpd": "migration/aiosmtpd",
    "mock smtplib": "migration/mocking",
    "freezegun": "how-to/forks-and-patches",
    "multiprocessing": "how-to/forks-and-patches",
    "gevent": "how-to/forks-and-patches",
    "ipv6": "how-to/addresses",
    "unix socket": "how-to/addresses",
    "windows": "reference/platforms",
    "unittest": "recipes/unittest",
    "nodemailer": "recipes/other-languages",
    "wait_for": "how-to/waiting",
    "smtpd.one": "reference/received",
    "refused": "reference/received",
    "parametrize": "how-to/rules",
    "transcript": "how-to/debugging",
    "lmtp": "how-to/lmtp",
    "changelog": "changelog",
    "vs code": "how-to/ide-and-ci",
    "pycharm": "how-to/ide-and-ci",
    "junit": "how-to/ide-and-ci",
    "github actions": "how-to/ide-and-ci",
    "pdb": "how-to/ide-and-ci",
    "artifacts": "how-to/look-at-a-mail",
    "certificate verify failed": "how-to/troubleshooting",
    "nobody has connected": "how-to/troubleshooting",
    "ScopeMismatch": "how-to/troubleshooting",
    "connection refused": "how-to/make-the-server-fail",
    "duplicate": "explanation/sweep",
    "sweep": "how-to/sweep",
    "retry": "recipes/greylisting",
    "421": "reference/protocol",
    "550": "reference/protocol",
    "xdist": "reference/platforms",
    "lint": "how-to/other-side",
}


@cache
def index() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read("searchindex.js").removeprefix("Search.setIndex(").rstrip(" ;\n)"))
    return found


@cache
def stopwords() -> set[str]:
    """The words that the search page leaves out."""
    found = re.search(r"stopwords = new Set\((\[.*?\])\)", read("_static/language_data.js"), re.DOTALL)
    assert found is not None
    return set(json.loads(found[1]))


def results(word: str) -> set[str]:
    """The pages for one word: by their text and titles, where words stand without their endings, or by an entry.

    A number, such as a reply code, is found as an entry only.
    """
    stem = pytest.importorskip("snowballstemmer").stemmer("english").stemWord(word.lower())
    pages: set[int] = set()
    for table in ("terms", "titleterms"):
        for key in {stem, word.lower()}:
            found = index()[table].get(key, [])
            pages.update([found] if isinstance(found, int) else found)
    for prefix, entries in index()["objects"].items():
        pages.update(entry[0] for entry in entries if word.lower() in f"{prefix}.{entry[4]}".lower())
    return {index()["docnames"][page] for page in pages}


@pytest.mark.parametrize("query", QUERIES)
def test_search_finds_what_users_type(query: str) -> None:
    # As the search page does: a query is split at what is neither a letter, a digit nor an underscore.
    words = [word for word in re.split(r"[^\w]+", query) if word and word.lower() not in stopwords()]
    found = set.intersection(*map(results, words))
    assert QUERIES[query] in found


def test_search_does_not_find_what_is_not_there() -> None:
    assert results("xyzzy") == set()


# --- the index, and objects.inv for other projects ------------------------------------------------------------------


@cache
def inventory() -> dict[tuple[str, str], str]:
    """Role and name of each entry, and where it is."""
    _, *_, packed = Path(BUILT, "objects.inv").read_bytes().split(b"\n", 4)
    rows = re.findall(r"^(.+?) (\S+:\S+) -?\d+ (\S+) ", zlib.decompress(packed).decode(), re.MULTILINE)
    return {(role, name): place.replace("$", name) for name, role, place in rows}


ENTRIES = {
    ("py:method", "pytest_smtpd.SMTPServer.one"): "reference/received.html",
    ("py:method", "pytest_smtpd.SMTPServer.wait_for"): "reference/received.html",
    ("py:attribute", "pytest_smtpd.Envelope.refused"): "reference/received.html",
    ("py:attribute", "pytest_smtpd.Envelope.subject"): "reference/received.html",
    ("py:class", "pytest_smtpd.Attachment"): "reference/received.html",
    ("std:setting", "timeout"): "reference/settings.html",
    ("std:setting", "trust"): "reference/settings.html",
    ("std:hook", "rcpt_to"): "reference/hooks.html",
    ("std:fixture", "smtpd_session"): "reference/fixtures.html",
    ("std:marker", "smtpd_on"): "reference/fixtures.html",
    ("std:failure", "R02"): "reference/failures.html",
    ("std:reply-code", "421"): "reference/protocol.html",
}


@pytest.mark.parametrize("entry", ENTRIES, ids=" ".join)
def test_other_projects_can_refer_to_an_entry(entry: tuple[str, str]) -> None:
    page, _, anchor = inventory()[entry].partition("#")

    assert page == ENTRIES[entry]
    assert f'id="{anchor}"' in read(page)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("one() (SMTPServer method)", "reference/received.html#pytest_smtpd.SMTPServer.one"),
        ("refused (Envelope attribute)", "reference/received.html#pytest_smtpd.Envelope.refused"),
        ("(setting)", "reference/settings.html#setting-timeout"),
        ("secure (hook)", "reference/hooks.html#hook-secure"),
    ],
)
def test_index_lists_an_entry(name: str, page: str) -> None:
    entries = re.findall(r'<a href="([^"]+)">(.*?)</a>', read("genindex.html"))
    assert (page, name) in [(target, unescape(re.sub("<.*?>", "", text))) for target, text in entries]


# --- every page -----------------------------------------------------------------------------------------------------


def test_every_page_ends_with_name_version_and_licence() -> None:
    from pytest_smtpd import __version__

    ending = f"pytest-smtpd {__version__}, under the MIT licence"
    pages = [path for path in Path(BUILT).rglob("*.html") if "_static" not in path.parts]
    assert len(pages) > 50
    assert [path.name for path in pages if ending not in path.read_text(encoding="utf-8")] == []
