"""Settings that contradict each other: an error that says how to write what may be meant."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
NO_TLS = "leave out one of them; to demand TLS that is not offered: hide={'STARTTLS'}"
NO_AUTH = "leave out one of them; to demand a login that is not offered: hide={'AUTH'}"
AGAINST: list[tuple[dict[str, Any], str]] = [
    ({"tls": None, "require_tls": True}, f"tls=None and require_tls=True contradict each other: {NO_TLS}"),
    ({"tls": None, "certificate": "expired"}, f"tls=None and certificate='expired' contradict each other: {NO_TLS}"),
    ({"tls": None, "client_certificate": "required"}, NO_TLS),
    ({"tls": None, "ssl_context": CONTEXT}, NO_TLS),
    ({"tls": None, "auth_requires_tls": True}, NO_TLS),
    ({"auth": None, "require_auth": True}, f"auth=None and require_auth=True contradict each other: {NO_AUTH}"),
    ({"auth": None, "auth_methods": ["PLAIN"]}, f"auth=None and auth_methods contradict each other: {NO_AUTH}"),
    ({"auth": None, "auth_requires_tls": True}, NO_AUTH),
    ({"ssl_context": CONTEXT, "certificate": "expired"}, "leave out one of them, or put it into the context"),
    ({"ssl_context": CONTEXT, "client_certificate": "required"}, "leave out one of them, or put it into the context"),
    ({"path": True, "port": 1025}, "path=True and port=1025 contradict each other: leave out one of them"),
    ({"path": True, "host": "::1"}, "path=True and host='::1' contradict each other: leave out one of them"),
]


@pytest.mark.parametrize(("settings", "text"), AGAINST, ids=["-".join(settings) for settings, _ in AGAINST])
def test_settings_that_contradict_each_other_are_an_error(settings: dict[str, Any], text: str) -> None:
    for given in (settings, dict(reversed(settings.items()))):
        with pytest.raises(ValueError) as caught:
            SMTPServer(**given)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"tls": None, "require_tls": False, "certificate": "valid", "client_certificate": "none", "ssl_context": None},
        {"tls": None, "auth_requires_tls": False},
        {"auth": None, "require_auth": False, "auth_methods": None, "auth_requires_tls": False},
        {"ssl_context": CONTEXT, "certificate": "valid", "client_certificate": "none"},
        {"path": None, "port": 0, "host": "127.0.0.1"},
        {"path": True, "port": 0, "host": "127.0.0.1"},
        {"hide": {"STARTTLS"}, "require_tls": True, "certificate": "expired"},
        {"hide": {"AUTH"}, "require_auth": True, "auth_methods": ["PLAIN"]},
        {"disable": {"STARTTLS"}, "require_tls": True},
    ],
)
def test_a_default_that_is_spelt_out_contradicts_nothing(settings: dict[str, Any]) -> None:
    SMTPServer(**settings)


@pytest.mark.parametrize("place", ["marker", "two markers", "config", "parameter", "factory"])
def test_wherever_the_two_come_from(reports: Callable[..., list[pytest.TestReport]], place: str) -> None:
    both = "tls=None, require_tls=True"
    got = reports(
        {
            "marker": f"@pytest.mark.smtpd({both})\ndef test_it(smtpd): pass",
            "two markers": "pytestmark = pytest.mark.smtpd(require_tls=True)\n"
            "@pytest.mark.smtpd(tls=None)\ndef test_it(smtpd): pass",
            "config": f"@pytest.fixture\ndef smtpd_config(): return dict({both})\ndef test_it(smtpd): pass",
            "parameter": f"@pytest.mark.parametrize('smtpd', [dict({both})], indirect=True)\ndef test_it(smtpd): pass",
            "factory": f"def test_it(smtpd_factory): smtpd_factory({both})",
        }[place]
    )
    assert [(report.when, report.outcome) for report in got] == [("call" if place == "factory" else "setup", "failed")]
    assert "tls=None and require_tls=True contradict each other" in got[0].longreprtext


@pytest.mark.parametrize(
    ("source", "places"),
    [
        (
            """
            @pytest.mark.smtpd(tls=None, require_tls=True)
            def test_it(smtpd): pass
            """,
            {"test_it"},
        ),
        (
            """
            @pytest.mark.smtpd(require_tls=True, hide={"STARTTLS"})
            class TestAll:
                @pytest.mark.smtpd(size=100)
                @pytest.mark.smtpd(tls=None)
                def test_it(self, smtpd): pass
            """,
            {"TestAll", "test_it"},
        ),
        (
            """
            @pytest.mark.smtpd(require_tls=True)
            @pytest.mark.parametrize("smtpd", [{"tls": None}], indirect=True)
            def test_it(smtpd): pass
            """,
            {"test_it"},
        ),
        (
            """
            @pytest.mark.smtpd(tls="implicit", require_tls=True)
            class TestAll:
                @pytest.mark.parametrize("smtpd", [{"tls": None}], indirect=True)
                def test_it(self, smtpd): pass
            """,
            {"TestAll"},
        ),
        (
            """
            @pytest.mark.smtpd(tls=None, require_tls=True)
            def test_it(smtpd_session): pass
            """,
            {"test_it"},
        ),
        (
            """
            @pytest.mark.smtpd(lmtp=True)
            def test_it(smtpd_session): pass
            """,
            {"test_it"},
        ),
    ],
    ids=["one marker", "two markers", "marker and parameter", "under a parameter", "session", "counts at start"],
)
def test_the_places_of_the_markers_are_named(
    reports: Callable[..., list[pytest.TestReport]], pytester: pytest.Pytester, source: str, places: set[str]
) -> None:
    """Of those that gave the settings which do not go together, and of no others."""
    got = reports(source)
    lines = (pytester.path / "test_inner.py").read_text(encoding="utf-8").splitlines()
    marked = [number for number, line in enumerate(lines, 1) if line.lstrip().startswith("@pytest.mark.smtpd(")]
    text = got[0].longreprtext.splitlines()[0]
    named = [int(number) for number in re.findall(r"test_inner\.py:(\d+)", text)]
    assert len(named) == len(places), text
    assert {_named_at(lines, number) for number in named} == places
    assert all(number in marked for number in named)


def _named_at(lines: list[str], number: int) -> str:
    """The name of the first class or test at or below a line."""
    found = next(line for line in lines[number - 1 :] if re.match(r"\s*(class|def) ", line))
    return re.split(r"[(:]", found.split()[1])[0]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("{'tls': None}", "smtpd_factory takes settings by keyword, like smtpd_factory('backup', tls='implicit', "),
        ("on('connect', reply=421)", "smtpd_factory takes rules by keyword, like smtpd_factory("),
        ("[on('connect', reply=421)]", "smtpd_factory takes rules by keyword, like smtpd_factory("),
        ("5", "smtpd_factory takes a name, a str, not int, like smtpd_factory("),
    ],
)
def test_what_the_factory_takes_by_keyword(
    reports: Callable[..., list[pytest.TestReport]], given: str, text: str
) -> None:
    got = reports(f"def test_it(smtpd_factory): smtpd_factory({given})")
    assert [(report.when, report.outcome) for report in got] == [("call", "failed")]
    assert f"TypeError: {text}" in got[0].longreprtext


@pytest.mark.parametrize("key", ["to", "mail_from", "subject", "user", "name"])
def test_a_list_where_one_value_is_matched_says_what_to_write(key: str) -> None:
    """It never matches, and no test would say so."""
    with SMTPServer() as server:
        asked: list[Callable[[], object]] = [
            lambda: on("data", reply=550, **{key: ["a@b.example"]}),  # type: ignore[arg-type]
            lambda: server.on("data", reply=550, **{key: ["a@b.example"]}),  # type: ignore[call-overload]
            lambda: server.one(**{key: ["a@b.example"]}),  # type: ignore[arg-type]
            lambda: server.find(**{key: ["a@b.example"]}),  # type: ignore[arg-type]
            lambda: server.wait_for(timeout=0, **{key: ["a@b.example"]}),  # type: ignore[arg-type]
            lambda: server.wait_quiet(0, **{key: ["a@b.example"]}),  # type: ignore[arg-type]
            lambda: server.log.calls("data", **{key: ["a@b.example"]}),  # type: ignore[arg-type]
            lambda: server.log.sessions(**{key: ["a@b.example"]}),  # type: ignore[arg-type]
        ]
        for ask in asked:
            with pytest.raises(TypeError) as caught:
                ask()
            assert str(caught.value) == (
                f"{key} compares one value, not the list ['a@b.example']; any of several is a set, and all recipients "
                "in order are rcpt_to=(...)"
            )
