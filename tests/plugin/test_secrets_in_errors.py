"""Errors about wrong settings, markers and rules, ids and reprs: none of them repeats a password that stood in them."""

from __future__ import annotations

import smtplib
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from pytest_smtpd import Auth, Reject, Session, SMTPServer, on

Reports = Callable[..., list[pytest.TestReport]]
Run = Callable[..., pytest.RunResult]

SECRET = "s3cr3tpw"  # what must not be seen

# What a user writes in the wrong place, as a marker.
MARKERS = [
    "smtpd({'auth': {'app': PW}})",
    "smtpd([('app', PW)])",
    "smtpd(dict(app=PW), tls=None)",
    "smtpd(auth=('app', PW))",
    "smtpd(auth=[('app', PW)])",
    "smtpd(auth=PW)",
    "smtpd(auth={'app': [PW]})",
    "smtpd(auth={'app': PW.encode()})",
    "smtpd(auth={'app': PW + chr(0xd800)})",
    "smtpd(auth={'app': {'password': PW}})",
    "smtpd(tls={'auth': {'app': PW}})",
    "smtpd(host={'app': PW})",
    "smtpd(name={'app': PW})",
    "smtpd(size={'app': PW})",
    "smtpd(require_auth={'app': PW})",
    "smtpd(auth_methods={'app': PW}.items())",
    "smtpd(auth_methods=[('app', PW)])",
    "smtpd(hide=[{'app': PW}])",
    "smtpd(advertise=[{'app': PW}])",
    "smtpd(ssl_context={'app': PW})",
    "smtpd(ssl_context=(object(), PW))",
    "smtpd(credentials={'app': PW})",
    "smtpd(username='app', password=PW)",
    "smtpd(on={'auth': {'app': PW}})",
    "smtpd(on=[on('connect', reply=421), {'auth': {'app': PW}}])",
    "smtpd(on=[[{'auth': {'app': PW}}]])",
    "smtpd(on=({'auth': {'app': PW}},))",
    "smtpd(on={PW: 1}.items())",
    "smtpd_on({'auth': {'app': PW}})",
    "smtpd_on({'app': PW}, reply=535)",
    "smtpd_on(('auth', PW), reply=535)",
    "smtpd_on('auth', {'app': PW})",
    "smtpd_on('auth', password=PW, reply=535)",
    "smtpd_on('auth', reply={'app': PW})",
    "smtpd_on('auth', call={'app': PW})",
    "smtpd_on('auth', user=[{'app': PW}], reply=535)",
    "smtpd_on('auth', when={'app': PW}, reply=535)",
    "smtpd_on('data', header=[('X-Key', PW)], reply=550)",
    "smtpd_on('data', header=[{'X-Key': PW}], reply=550)",
    "smtpd_on('auth', drop={'app': PW})",
    "smtpd_on('auth', reply=535, times={'app': PW})",
    "smtpd_on('auth', raw={'app': PW})",
]
PARAMETERS = [
    "{'auth': ('app', PW)}",
    "{'auth': [('app', PW)]}",
    "{'auth': {'app': PW}}",
    "{'auth': PW}",
    "{'auth': {PW}}",
    "{'password': PW}",
    "{'credentials': ['app', PW]}",
    "{'credentials': {'app': PW}}",
    "{'hide': [{'app': PW}]}",
    "{'tls': {'app': PW}}",
    "{'on': [on('connect', reply=421), {'auth': {'app': PW}}]}",
    "{'on': {'auth': {'app': PW}}}",
    "[on('connect', reply=421), {'auth': {'app': PW}}]",
    "({'auth': {'app': PW}},)",
    "(('auth', ('app', PW)),)",
    "frozenset({('app', PW)})",
    "Account('app', PW)",
    "on('auth', call=functools.partial(check, PW))",
    "on('auth', call=functools.partial(print, PW))",
    "on('auth', user=functools.partial(check, PW), reply=535)",
]
SETUP = f"""
import functools
from collections import namedtuple
PW = "{SECRET}"
Account = namedtuple("Account", "user password")
def check(password, auth, session): return auth.validate_password(password)
"""


def test_the_error_of_a_wrong_marker_repeats_no_password(reports: Reports) -> None:
    tests = "\n".join(f"@pytest.mark.{marker}\ndef test_{n}(smtpd): pass\n" for n, marker in enumerate(MARKERS))
    got = reports(SETUP + tests)
    assert [report.when for report in got] == ["setup"] * len(MARKERS)
    assert [(one.nodeid, one.longreprtext) for one in got if SECRET in one.longreprtext] == []
    assert [(one.nodeid, one.longreprtext) for one in got if "\n" in one.longreprtext.strip()] == []


def test_neither_error_nor_id_of_a_parameter_repeats_a_password(run: Run) -> None:
    tests = "\n".join(
        f"@pytest.mark.parametrize('smtpd', [{one}], indirect=True)\ndef test_{n}(smtpd): pass\n"
        for n, one in enumerate(PARAMETERS)
    )
    result = run(SETUP + tests, "-rA", "-v", "--junitxml=out.xml")
    assert SECRET not in result.stdout.str()
    assert result.parseoutcomes().get("errors", 0) > 10
    junit = (result.outlines and __import__("pathlib").Path("out.xml").read_text(encoding="utf-8")) or ""
    assert "<testsuite" in junit
    assert SECRET not in junit


def test_the_id_of_a_login_names_the_users_only(run: Run) -> None:
    result = run(
        """
        @pytest.mark.parametrize("smtpd", [{"auth": ("app", "s3cr3tpw")}, {"auth": {"app": "s3cr3tpw"}}], indirect=True)
        def test_it(smtpd): pass
        """,
        *["--collect-only", "-q"],
    )
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == [
        "test_it[auth]",
        "test_it[auth=app]",
    ]


CONFIGS = ["{'auth': ('app', PW)}", "[('auth', {'app': PW})]", "({'auth': {'app': PW}},)", "{'on': [{'app': PW}]}"]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_error_of_a_wrong_config_repeats_no_password(reports: Reports, config: str) -> None:
    (report,) = reports(f"""
        PW = "{SECRET}"

        @pytest.fixture
        def smtpd_config():
            return {config}

        def test_it(smtpd): pass
    """)
    assert report.when == "setup"
    assert SECRET not in report.longreprtext
    assert "smtpd_config" in report.longreprtext
    assert "\n" not in report.longreprtext.strip()


FACTORY = [
    "smtpd_factory(CONFIG)",
    "smtpd_factory(CONFIG, CONFIG)",
    "smtpd_factory(**{**CONFIG, 'tls': CONFIG})",
    "smtpd_factory(on=[on('connect', reply=421), CONFIG])",
    "smtpd_factory(on=CONFIG)",
    "smtpd_factory('relay', auth=['app', CONFIG['auth']['app']])",
    "SMTPServer(CONFIG)",
    "SMTPServer(on=[CONFIG])",
    "smtpd.on(CONFIG, reply=550)",
    "smtpd.on('auth', CONFIG)",
    "smtpd.wait_for(CONFIG)",
    "smtpd.find(to=[CONFIG])",
    "smtpd.log.calls(CONFIG)",
]


def test_what_is_raised_in_a_test_repeats_no_password(reports: Reports) -> None:
    tests = "\n".join(f"def test_{n}(smtpd, smtpd_factory): {code}\n" for n, code in enumerate(FACTORY))
    config = f'CONFIG = {{"auth": {{"app": "{SECRET}"}}}}\n'
    got = reports(config + tests)
    assert [report.when for report in got] == ["call"] * len(FACTORY)
    shown = {FACTORY[int(one.nodeid.rpartition("_")[2])]: one.longreprtext for one in got}
    assert [code for code, text in shown.items() if SECRET in text.replace(config.strip(), "")] == []


@dataclass
class Account:
    """A user's own type, which shows what is in it."""

    name: str
    password: str


def check(password: str, auth: Auth, session: Session) -> Account:
    return Account(auth.username, password)


def test_the_repr_of_settings_and_rules_shows_no_password() -> None:
    rules = [
        on("auth", call=partial(check, SECRET)),
        on("auth", call=partial(print, SECRET)),
        on("auth", call=partial(partial(check, SECRET))),
        on("auth", user=partial(str.__eq__, SECRET), reply=535),
        on("auth", when=partial(lambda password, call: True, SECRET), reply=535),
    ]
    server = SMTPServer(auth={"app": SECRET, "other": SECRET}, on=rules)
    for thing in (server, server.settings, server.log, *server.rules, *rules):
        assert SECRET not in f"{thing!r} {thing}"
    assert "auth=***" in repr(server.settings)


def test_a_user_that_a_hook_has_made_is_shown_by_its_type_alone() -> None:
    import smtplib

    with SMTPServer(on=[on("auth", call=partial(check, SECRET))]) as server:
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            client.login("app", SECRET)
            client.sendmail("a@b.example", "c@d.example", b"Hi")
        assert server.envelopes[0].user == Account("app", SECRET)
        texts = [repr(server.log.sessions()[0]), repr(server.envelopes[0])]
        for query in (
            lambda: server.one(user="nobody"),
            lambda: server.wait_for(timeout=0, user="nobody"),
            lambda: server.log.wait_for("rcpt_to", timeout=0, user="nobody"),
            lambda: server.log.wait_for("auth", 9, timeout=0, user="nobody"),
        ):
            with pytest.raises(AssertionError) as caught:
                query()
            texts.append(str(caught.value))
    assert [text for text in texts if SECRET in text] == []
    assert "user is Account, not 'nobody'" in texts[2]


def test_a_blocked_hook_is_named_without_its_arguments() -> None:
    import smtplib
    import threading

    release = threading.Event()

    def blocked(password: str, auth: Auth, session: Session) -> str:
        release.wait(20)
        return password

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with SMTPServer(on=[on("auth", call=partial(blocked, SECRET))]) as server:
            client = smtplib.SMTP(server.host, server.port, timeout=10)
            client.ehlo("client.example")
            client.putcmd("AUTH", "PLAIN AGEAYg==")
            server.log.wait_for("auth", timeout=10)
        release.set()
        client.close()
    (text,) = [str(warning.message) for warning in caught if "still blocked" in str(warning.message)]
    assert SECRET not in text
    assert "blocked" in text.rpartition(": ")[2]


def test_a_private_key_is_nowhere_to_be_seen(smtpd: SMTPServer) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    smtpd.ca.issue_cert("localhost").configure_cert(context)
    with SMTPServer(ssl_context=context) as server:
        texts = [repr(server.settings), repr(server), repr(server.ca), repr(server.env)]
    assert [text for text in texts if "PRIVATE" in text] == []


@pytest.mark.parametrize("wrong", [{"app": SECRET}, [("app", SECRET)], Account("app", SECRET)])
def test_a_wrong_reject_does_not_repeat_it(wrong: Any) -> None:
    for arguments in ((wrong,), (550, wrong)):
        with pytest.raises((TypeError, ValueError)) as caught:
            Reject(*arguments)
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_known_password_in_the_place_of_an_address_or_a_subject_is_in_no_repr_and_no_failure_text() -> None:
    with SMTPServer(auth={"app": SECRET}, require_auth=False) as server:
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            client.sendmail(f"{SECRET}@example.com", [f"{SECRET}@example.org"], f"Subject: {SECRET}\r\n\r\nHi\r\n")
        texts = [repr(server.log.calls()), repr(server.envelopes)]
        server.wait_timeout = 0
        waits: list[Callable[..., Any]] = [server.wait_for, partial(server.log.wait_for, "rcpt_to")]
        for query in (server.one, *waits):
            with pytest.raises(AssertionError) as failure:
                query(to="nobody@example.com")
            texts.append(str(failure.value))
    assert [text for text in texts if SECRET in text] == []
    assert all("***@example.org" in text for text in texts)
