"""`trust`: for the length of the test, code that verifies certificates works unchanged; then all is as before."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from pytest_smtpd import SMTPServer

Run = Callable[..., pytest.RunResult]


def test_the_default_context_verifies_the_server_in_this_process_and_its_children(run: Run) -> None:
    result = run("""
        import subprocess

        CHILD = "\\n".join([
            "import smtplib, ssl, sys",
            "with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), timeout=10) as client:",
            "    client.starttls(context=ssl.create_default_context())",
            "    print(client.ehlo()[0])",
        ])

        def test_here(smtpd):
            with upgraded(smtpd, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250
            assert smtpd.log.calls("secure")

        def test_by_name(smtpd):
            context = ssl.create_default_context()
            with socket.create_connection(smtpd.address, timeout=10) as sock:
                sock.recv(1000), sock.sendall(b"STARTTLS\\r\\n"), sock.recv(1000)
                with context.wrap_socket(sock, server_hostname="localhost") as secure:
                    assert secure.version()

        @pytest.mark.smtpd(tls="implicit")
        def test_implicit(smtpd):
            with smtplib.SMTP_SSL(smtpd.host, smtpd.port, timeout=10, context=ssl.create_default_context()) as client:
                assert client.noop()[0] == 250

        def test_in_a_child(smtpd):
            command = [sys.executable, "-c", CHILD, smtpd.host, str(smtpd.port)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=240)
            assert (done.stdout.strip(), done.stderr) == ("250", "")
    """)
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("certificate", ["expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed"])
def test_trust_is_no_excuse_for_a_bad_certificate(run: Run, certificate: str) -> None:
    result = run(f"""
        @pytest.mark.smtpd(certificate="{certificate}")
        def test_it(smtpd):
            with pytest.raises(ssl.SSLCertVerificationError):
                upgraded(smtpd, ssl.create_default_context())
    """)
    result.assert_outcomes(passed=1)


def test_without_trust_nothing_is_touched(run: Run) -> None:
    result = run("""
        before = dict(os.environ)

        @pytest.mark.smtpd(trust=False)
        def test_it(smtpd):
            now = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
            assert now == {key: value for key, value in before.items() if key != "PYTEST_CURRENT_TEST"}
            with pytest.raises(ssl.SSLCertVerificationError):
                upgraded(smtpd, ssl.create_default_context())
            with upgraded(smtpd, smtpd.client_context) as client:
                assert client.noop()[0] == 250
    """)
    result.assert_outcomes(passed=1)


def test_it_is_undone_after_the_test(run: Run) -> None:
    result = run("""
        NAMES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        files = []

        def test_before():
            assert not set(NAMES) & set(os.environ)

        def test_trusting(smtpd, smtpd_factory):
            smtpd_factory("relay")
            assert set(NAMES) <= set(os.environ)
            files.extend(os.environ[name] for name in NAMES)
            assert all(map(os.path.exists, files))

        def test_after():
            assert not set(NAMES) & set(os.environ)

        def test_failing(smtpd):
            assert False

        def test_after_a_failure():
            assert not set(NAMES) & set(os.environ)
    """)
    result.assert_outcomes(passed=4, failed=1)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
def test_a_file_of_the_user_is_merged_and_restored(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(own)
    monkeypatch.setenv(name, str(own))
    result = run(f"""
        NAME, OWN = {name!r}, {str(own)!r}

        def test_merged(smtpd, smtpd_ca):
            assert os.environ[NAME] != OWN
            context = ssl.create_default_context(cafile=os.environ[NAME])
            for pem in (open_text(OWN), smtpd_ca.cert_pem.bytes().decode()):
                assert ssl.PEM_cert_to_DER_cert(pem) in context.get_ca_certs(binary_form=True)

        def open_text(path):
            with open(path) as file:
                return file.read()

        def test_restored():
            assert os.environ[NAME] == OWN
    """)
    result.assert_outcomes(passed=2)
    assert own.read_text().count("BEGIN CERTIFICATE") == 1  # and the file itself is as it was


def test_a_file_of_the_user_that_is_missing_is_no_obstacle(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    result = run("""
        def test_it(smtpd):
            with upgraded(smtpd, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250
    """)
    result.assert_outcomes(passed=1)


def test_the_authorities_of_the_system_are_still_there(run: Run) -> None:
    paths = ssl.get_default_verify_paths()
    system = len(ssl.create_default_context(cafile=paths.cafile).get_ca_certs()) if paths.cafile else 0
    result = run(f"""
        def test_it(smtpd):
            paths = ssl.get_default_verify_paths()
            assert len(ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]).get_ca_certs()) >= {system} + 1
            assert paths.cafile == os.environ["SSL_CERT_FILE"]
    """)
    result.assert_outcomes(passed=1)


def test_a_change_the_test_made_itself_is_left_alone_or_undone_by_monkeypatch(run: Run) -> None:
    result = run("""
        def test_own(monkeypatch, smtpd):
            monkeypatch.setenv("SSL_CERT_FILE", str(smtpd.ca_file))
            with upgraded(smtpd, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250

        def test_the_other_order(smtpd, monkeypatch):
            monkeypatch.setenv("SSL_CERT_FILE", str(smtpd.ca_file))

        def test_after():
            assert "SSL_CERT_FILE" not in os.environ
    """)
    result.assert_outcomes(passed=3)


def test_the_session_server_is_trusted_too(run: Run) -> None:
    result = run("""
        def test_alone(smtpd_session):
            with upgraded(smtpd_session, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250

        def test_without_server():
            pass

        @pytest.mark.smtpd(trust=False)
        def test_not_now(smtpd_session):
            assert "SSL_CERT_FILE" not in os.environ
    """)
    result.assert_outcomes(passed=3)


def test_a_run_of_pytest_inside_a_test_leaves_the_outer_trust_alone(run: Run, request: pytest.FixtureRequest) -> None:
    server: SMTPServer = request.getfixturevalue("smtpd")
    before = {name: os.environ[name] for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")}
    result = run("""
        def test_inner(smtpd, smtpd_session):
            with upgraded(smtpd, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250
    """)
    result.assert_outcomes(passed=1)
    assert {name: os.environ.get(name) for name in before} == before
    with smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context())
        assert client.ehlo()[0] == 250


def test_env_is_for_children_that_are_configured_by_hand(run: Run) -> None:
    result = run("""
        @pytest.mark.smtpd(trust=False)
        def test_it(smtpd):
            env = smtpd.env
            assert (env["SMTP_HOST"], env["SMTP_PORT"], env["SMTP_URL"]) == (smtpd.host, str(smtpd.port), smtpd.url)
            for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
                context = ssl.create_default_context(cafile=env[name])
                with upgraded(smtpd, context) as client:
                    assert client.noop()[0] == 250
            assert all(isinstance(value, str) for value in env.values())
    """)
    result.assert_outcomes(passed=1)


def test_what_monkeypatch_has_put_back_stays_as_it_is(run: Run) -> None:
    """A fixture that sets the variable before the server, and takes it away again before the server's trust ends."""
    result = run("""
        import os

        @pytest.fixture
        def own_ca(monkeypatch, tmp_path):
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
            monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "own.pem"))

        def test_a(own_ca, smtpd):
            assert "own" not in os.environ["SSL_CERT_FILE"]

        def test_b():
            assert "own" not in os.environ.get("SSL_CERT_FILE", "")
            assert "own" not in os.environ.get("NODE_EXTRA_CA_CERTS", "")
    """)
    result.assert_outcomes(passed=2)
