"""A fault behind the server's start is one line at setup, and leaves no server; what is not needed is no fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]

TLS = """
        def deliver(smtpd):
            with upgraded(smtpd, ssl.create_default_context()) as client:
                client.sendmail("a@example.com", ["b@example.com"], "Subject: x\\r\\n\\r\\ny")
            assert smtpd.one().subject == "x"
"""
NOTHING_RUNS = """
        def test_nothing_runs():
            assert [thread.name for thread in threading.enumerate() if thread.name.startswith("smtpd")] == []
"""
FIXTURES = ["smtpd", "smtpd_session", "smtpd_session, smtpd"]


@pytest.mark.parametrize("fixture", FIXTURES)
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
@pytest.mark.parametrize("value", ["folder", "missing", "/dev/null/x", "empty", ""])
def test_a_certificate_file_that_is_none_is_no_obstacle(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, variable: str, fixture: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    monkeypatch.setenv(variable, str(tmp_path / value) if value else "")
    result = run(
        f"""
        {TLS}
        def test_it_is_trusted_all_the_same({fixture}):
            deliver({fixture.rpartition(" ")[2]})
        """
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("fixture", FIXTURES)
def test_a_folder_for_temporary_files_that_is_gone_is_no_obstacle(
    pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str], fixture: str
) -> None:
    write(
        f"""
        import tempfile
        {TLS}
        @pytest.fixture(scope="session", autouse=True)
        def gone():
            with pytest.MonkeyPatch.context() as patched:
                patched.setenv("TMPDIR", "/dev/null/gone")
                patched.setattr(tempfile, "tempdir", "/dev/null/gone")
                yield

        def test_it_is_trusted_all_the_same({fixture}):
            deliver({fixture.rpartition(" ")[2]})

        def test_a_socket_has_a_path_too(smtpd_factory):
            assert smtplib.LMTP(smtpd_factory(path=True, lmtp=True).path).quit()[0] == 221
        """
    )
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=2)


def test_a_folder_that_a_test_removes_is_made_again(
    pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str], tmp_path: Path
) -> None:
    """Also for a certificate that a later server needs, and for a bundle that was there already."""
    here = tmp_path / "temporary"
    here.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(here))
        write(
            f"""
        import shutil
        {TLS}
        @pytest.mark.parametrize("time", range(3))
        def test_it_is_trusted(smtpd, smtpd_factory, time):
            deliver(smtpd)
            other = smtpd_factory("other", hostname="mail%d.example" % time, client_certificate="optional")
            deliver(other)
            assert os.path.exists(other.ca_file)
            shutil.rmtree({str(here)!r}, ignore_errors=True)

        def test_the_folder_is_back(smtpd):
            os.mkdir({str(here)!r})
            deliver(smtpd)
        """
        )
        result = pytester.runpytest_subprocess(*arguments, "-p", "no:randomly", f"--basetemp={tmp_path / 'base'}")
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(("fixture", "name"), [("smtpd", "smtpd"), ("smtpd_factory", "smtpd_factory()")])
def test_a_place_for_no_file_at_all_is_one_line(reports: Reports, fixture: str, name: str) -> None:
    found = reports(
        f"""
        from pytest_smtpd import certificates, files

        @pytest.fixture
        def nowhere(monkeypatch):
            monkeypatch.setattr(files, "_places", lambda: iter(["/dev/null"]))
            monkeypatch.setattr(certificates, "authority", lambda made=certificates.Authority(): made)

        def test_it(nowhere, {fixture}):
            {name}

        {NOTHING_RUNS}
        def test_without_tls(nowhere, smtpd_factory):
            smtpd_factory(tls=None)
        """,
        "-p",
        "no:randomly",
    )
    (failed,) = [report for report in found if report.failed]
    text = "no folder for the certificate of the test CA: Not a directory: /dev/null/pytest-smtpd-"
    assert text in failed.longreprtext
    assert "or do without TLS: tls=None" in failed.longreprtext
    assert failed.when == ("setup" if fixture == "smtpd" else "call")
    assert [report.outcome for report in found if report.when == "call"].count("passed") == 2


@pytest.mark.parametrize("fixture", FIXTURES)
def test_whatever_fails_behind_the_start_leaves_no_server(reports: Reports, fixture: str) -> None:
    found = reports(
        f"""
        @pytest.fixture(scope="session")
        def broken():
            from pytest_smtpd.plugin import trust
            with pytest.MonkeyPatch.context() as patched:
                def fail(*args):
                    raise LookupError("behind the start")
                patched.setattr(trust.Trust, "begin", fail)
                yield

        def test_it(broken, {fixture}):
            pass

        {NOTHING_RUNS}
        """,
        "-p",
        "no:randomly",
    )
    (failed,) = [report for report in found if report.failed]
    assert failed.when == "setup"
    assert "behind the start" in failed.longreprtext
    assert [report.outcome for report in found if report.when == "call"] == ["passed"]


def test_a_bundle_that_disappears_while_a_server_runs_is_made_again(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(own))
        result = run(
            f"""
        import shutil
        {TLS}
        def test_first(smtpd):
            with open({str(own)!r}, "wb") as file:
                file.write(smtpd.ca.cert_pem.bytes())
            deliver(smtpd)
            os.unlink(os.environ["SSL_CERT_FILE"])

        def test_second(smtpd):
            deliver(smtpd)
            os.unlink(os.environ["SSL_CERT_FILE"])

        def test_third(smtpd):
            deliver(smtpd)
        """,
            "-p",
            "no:randomly",
        )
    result.assert_outcomes(passed=3)
