"""`smtpd_session`: one server for an application configured once; emptied, marked and verified for each test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from tests.plugin.reading import sections

Run = Callable[..., pytest.RunResult]
Failure = Callable[..., pytest.TestReport]

APP = """
@pytest.fixture(scope="session")
def app(smtpd_session):
    return smtpd_session.address              # configured once, for the whole run

def send_from(app, to):
    with smtplib.SMTP(*app, timeout=10) as client:
        client.sendmail("app@example.com", to, letter(to, "Hello", "Hi"))
"""


def test_smtpd_is_the_session_server_in_a_test_whose_fixtures_include_it(run: Run) -> None:
    result = run(
        APP
        + textwrap.dedent("""
        seen = []

        def test_by_way_of_the_application(app, smtpd):
            send_from(app, "one@example.com")
            assert smtpd.one().rcpt_to == ("one@example.com",)
            seen.append(smtpd)

        def test_emptied_before(app, smtpd):
            assert not smtpd.envelopes and len(smtpd.log) == 0
            send_from(app, "two@example.com")
            assert smtpd.one().rcpt_to == ("two@example.com",)
            assert [call.number for call in smtpd.log][:1] == [1]
            seen.append(smtpd)

        def test_the_order_of_fixtures_does_not_matter(smtpd, app, smtpd_session):
            assert smtpd is smtpd_session
            assert smtpd.address == app
            seen.append(smtpd)

        def test_alone(smtpd_session):
            assert not smtpd_session.envelopes
            send(smtpd_session)
            smtpd_session.one()
            seen.append(smtpd_session)

        def test_a_test_without_it_has_its_own(smtpd):
            assert smtpd is not seen[0]
            assert len(set(map(id, seen))) == 1 and len(seen) == 4
    """)
    )
    result.assert_outcomes(passed=5)


def test_an_application_started_for_every_test_is_emptied_and_verified_in_every_test(run: Run) -> None:
    result = run("""
        @pytest.fixture(scope="session", autouse=True)
        def app(smtpd_session):
            send(smtpd_session, "startup@example.com")
            return smtpd_session

        @pytest.mark.parametrize("n", range(2))
        def test_asking(smtpd, n):
            assert not smtpd.envelopes                 # in the first test neither: the start is no part of it

        def test_without_asking():
            pass

        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1)
        def test_marked(app):
            assert order(app) == ["marker"]

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_unused():
            pass
    """)
    result.assert_outcomes(passed=4, failed=1)


def test_an_application_that_makes_its_tls_context_once_trusts_the_server(run: Run) -> None:
    result = run("""
        @pytest.fixture(scope="session")
        def context(smtpd_session):
            return ssl.create_default_context()

        @pytest.mark.parametrize("n", range(2))
        def test_it(context, smtpd, n):
            with upgraded(smtpd, context) as client:
                assert client.noop()[0] == 250
    """)
    result.assert_outcomes(passed=2)


def test_markers_and_parameters_apply_to_one_test_only(run: Run) -> None:
    result = run(
        APP
        + textwrap.dedent("""
        @pytest.mark.smtpd(auth={"app": "s3cret"}, banner="marked", size=1000)
        @pytest.mark.smtpd_on("mail_from", reply="451 4.3.0 later", optional=True)
        def test_marked(app, smtpd):
            assert greeting(smtpd)[1] == "marked"
            assert features(smtpd)["size"] == "1000"
            assert attempt(smtpd).smtp_code == 530
            with connect(smtpd) as client:
                client.login("app", "s3cret")
                assert client.mail("app@example.com")[0] == 451

        def test_unmarked(app, smtpd):
            assert greeting(smtpd)[1] == ""
            assert not features(smtpd).get("size")
            send_from(app, "bob@example.com")

        REFUSE = on("rcpt_to", reply="550 5.1.1 parameter", times=1)

        @pytest.mark.parametrize("smtpd", [REFUSE, {"on": REFUSE}], indirect=True)
        def test_parameter(app, smtpd):
            assert order(smtpd) == ["parameter"]

        @pytest.mark.smtpd(tls=None)
        def test_no_starttls(app, smtpd):
            assert "starttls" not in features(smtpd)

        @pytest.mark.smtpd(banner="alone")
        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 alone", times=1)
        def test_alone(smtpd_session):
            assert (banner(smtpd_session), order(smtpd_session)) == ("alone", ["alone"])

        def test_rules_of_the_body_end_with_the_test(app, smtpd):
            smtpd.on("rcpt_to", reply=550, optional=True)

        def test_after_it(app, smtpd):
            assert order(smtpd) == []
            assert "starttls" in features(smtpd)
    """),
        "-p",
        "no:randomly",
    )
    result.assert_outcomes(passed=8)


@pytest.mark.parametrize(("server", "fixture"), [("smtpd_session", "smtpd_session"), ("smtpd", "smtpd, app")])
def test_it_is_verified_in_the_call_phase(run: Run, server: str, fixture: str) -> None:
    result = run(
        APP
        + textwrap.dedent(f"""
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_unused({fixture}):
            pass

        def test_hook({fixture}, request):
            server = request.getfixturevalue("smtpd_session")
            @server.on("mail_from")
            def broken(address, session):
                raise ValueError("in a hook")
            attempt(server)

        def test_innocent({fixture}):
            send({server})
    """)
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["E *ValueError: in a hook"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "'127.0.0.2'"),
        ("port", "2525"),
        ("tls", "'implicit'"),
        ("lmtp", "True"),
        ("certificate", "'expired'"),
        ("ssl_context", "ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)"),
        ("client_certificate", "'required'"),
        ("proxy_protocol", "True"),
    ],
)
@pytest.mark.parametrize("form", ["marker", "parameter"])
def test_a_setting_that_counts_at_start_is_a_one_line_error(failure: Failure, name: str, value: str, form: str) -> None:
    mark = {
        "marker": f"@pytest.mark.smtpd({name}={value})",
        "parameter": f"@pytest.mark.parametrize('smtpd', [{{'{name}': {value}}}], indirect=True, ids=['x'])",
    }
    report = failure(f"""
        def test_before(smtpd_session):
            send(smtpd_session)

        {mark[form]}
        def test_wrong(smtpd, smtpd_session):
            pass

        def test_after(smtpd_session):
            send(smtpd_session)
    """)
    assert report.when == "setup"
    text = report.longreprtext.strip()
    assert "\n" not in text
    assert name in text
    assert "smtpd_session" in text


def test_the_same_value_is_no_change(run: Run) -> None:
    result = run("""
        @pytest.mark.smtpd(host="127.0.0.1", tls="starttls", certificate="valid", lmtp=False)
        def test_same(smtpd_session):
            send(smtpd_session)
    """)
    result.assert_outcomes(passed=1)


def test_a_session_wide_config_counts_at_start(run: Run) -> None:
    result = run(
        """
        @pytest.mark.smtpd(banner="marked")
        def test_start(smtpd_session, smtpd):
            assert smtpd_session.url.startswith("smtps:")
            with connect(smtpd) as client:
                client.login("app", "s3cret")

        @pytest.mark.smtpd(tls="implicit")
        def test_the_same_is_no_change(smtpd_session):
            with connect(smtpd_session) as client:
                assert client.mail("app@example.com")[0] == 530
        """,
        conftest="""
        @pytest.fixture(scope="session")
        def smtpd_config():
            return {"tls": "implicit", "auth": {"app": "s3cret"}}
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_function_config_applies_to_the_test_and_not_to_the_start(run: Run) -> None:
    result = run("""
        class TestConfigured:
            @pytest.fixture
            def smtpd_config(self):
                return {"banner": "class"}

            def test_it(self, smtpd_session, smtpd):
                assert banner(smtpd) == "class"

        def test_other(smtpd_session, smtpd):
            assert banner(smtpd) == ""
    """)
    result.assert_outcomes(passed=2)


def test_a_connection_kept_open_by_the_application_lives_on(run: Run) -> None:
    result = run("""
        @pytest.fixture(scope="session")
        def client(smtpd_session):
            with connect(smtpd_session) as client:
                yield client

        @pytest.mark.parametrize("to", ["one@example.com", "two@example.com"])
        def test_pooled(client, smtpd, to):
            client.sendmail("app@example.com", to, b"Subject: Hello\\r\\n\\r\\nHi\\r\\n")
            assert smtpd.one().rcpt_to == (to,)

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_markers_reach_it(client, smtpd):
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("app@example.com", "bob@example.com", b"Subject: Hello\\r\\n\\r\\nHi\\r\\n")
    """)
    result.assert_outcomes(passed=3)


def test_a_stop_in_one_test_does_not_take_the_server_from_the_next(run: Run) -> None:
    result = run(
        APP
        + textwrap.dedent("""
        def test_outage(app, smtpd):
            smtpd.stop()
            with pytest.raises(ConnectionRefusedError):
                send_from(app, "bob@example.com")

        def test_after(app, smtpd):
            send_from(app, "bob@example.com")
            smtpd.one()
    """)
    )
    result.assert_outcomes(passed=2)


def test_the_transcript_is_of_this_test_only(failure: Failure) -> None:
    report = failure("""
        def test_before(smtpd_session):
            send(smtpd_session, "before@example.com")

        def test_fails(smtpd_session):
            send(smtpd_session, "now@example.com")
            assert False
    """)
    shown = sections(report)
    assert "now@example.com" in shown["Captured smtpd call"]
    assert "before@example.com" not in shown["Captured smtpd call"]
