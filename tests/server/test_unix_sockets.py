"""``path``: a Unix socket instead of host and port."""

from __future__ import annotations

import os
import smtplib
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer, on
from tests.server.talk import ADA, BODY, HELLO, LHLO, MAIL, Serve, points, script

Run = Callable[..., pytest.RunResult]


def talk(path: str, *lines: str) -> list[bytes]:
    """The last line of each reply to a client that waits for none of them."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(path)
        client.sendall(script(*lines, "QUIT"))
        with client.makefile("rb") as replies:
            return [line for line in replies if line[3:4] == b" "]


def test_the_standard_librarys_lmtp_client_takes_the_host_for_a_path(serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp.sock")
    server = serve(path=path, lmtp=True)
    with smtplib.LMTP(server.host) as client:
        client.sendmail("app@example.com", ["ada@example.com"], b"Subject: Hi\r\n\r\nHello\r\n")
    assert server.one().rcpt_to == ("ada@example.com",)
    address: object = server.address  # which is typed as that of a port, as it nearly always is
    assert (server.path, server.host, server.port, address) == (path, path, 0, path)
    assert server.url == f"lmtp+unix://{path}"
    assert server.env["SMTP_HOST"] == path


def test_it_may_speak_smtp_too(serve: Serve, tmp_path: Path) -> None:
    server = serve(path=str(tmp_path / "smtp.sock"))
    told = talk(server.host, HELLO, MAIL, ADA, "DATA", BODY)
    assert [line[:3] for line in told] == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert server.one().subject == "Hi"


def test_the_path_may_be_a_path_object(serve: Serve, tmp_path: Path) -> None:
    server = serve(path=tmp_path / "smtp.sock")
    assert talk(server.host, HELLO)[0].startswith(b"220")
    assert (server.path, server.host) == (str(tmp_path / "smtp.sock"),) * 2


def test_true_is_a_path_in_a_folder_of_its_own_that_is_removed_at_stop(serve: Serve) -> None:
    server = serve(path=True, lmtp=True)
    path = Path(server.host)
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert path.parent.stat().st_mode & 0o077 == 0, "nobody else's business"
    assert talk(server.host, LHLO)[0].startswith(b"220")
    server.stop()
    assert not path.parent.exists()


def test_a_path_of_the_test_is_removed_at_stop_and_its_folder_stays(serve: Serve, tmp_path: Path) -> None:
    server = serve(path=str(tmp_path / "smtp.sock"))
    server.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_server_starts_again_at_its_path(serve: Serve, tmp_path: Path) -> None:
    server = serve(path=str(tmp_path / "smtp.sock"))
    server.stop()
    server.start()
    assert talk(str(tmp_path / "smtp.sock"), "NOOP")[1].startswith(b"250")


def test_what_is_at_the_path_already_is_an_error_that_names_it_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.write_text("mine")
    with pytest.raises(OSError, match=f"smtpd cannot listen on {path}: "):
        SMTPServer(path=str(path)).start()
    assert path.read_text() == "mine"


def test_a_path_that_is_too_long_or_nowhere_is_an_error_that_names_it(tmp_path: Path) -> None:
    for path in (str(tmp_path / ("x" * 200)), str(tmp_path / "missing" / "smtp.sock")):
        with pytest.raises(OSError, match=r"smtpd cannot listen on .*/(x+|smtp\.sock): "):
            SMTPServer(path=path).start()
    assert list(tmp_path.iterdir()) == []


def test_the_client_has_no_address(serve: Serve, tmp_path: Path) -> None:
    server = serve(on("connect", name="smtpd", delay=0), path=str(tmp_path / "smtp.sock"))
    talk(server.host, HELLO, "NOOP")
    server.wait_closed()
    (session,) = server.log.sessions()
    assert (session.remote_address, session.remote_port) == ("", 0)
    assert (session.local_address, session.local_port) == (server.host, 0)
    assert session.ended == "quit"
    assert points(server) == "connect EHLO NOOP QUIT close"
    assert "\n" not in repr(session)
    assert server.log.transcript().startswith("session 1 from a Unix socket closed\n")


def test_tls_is_there_as_ever(serve: Serve, tmp_path: Path) -> None:
    server = serve(path=str(tmp_path / "smtp.sock"), tls="implicit")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(server.host)
        with server.client_context.wrap_socket(client, server_hostname="localhost") as secure:
            assert secure.recv(3) == b"220"


@pytest.mark.parametrize("wrong", ["", 5, False, b"/tmp/x", "a\0b"])
def test_what_is_no_path_is_an_error_at_once(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^path must be the path of a Unix socket, True for one in a folder"):
        SMTPServer(path=wrong)  # type: ignore[arg-type]


def test_the_session_server_cannot_change_its_path(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.smtpd(path=True)
        def test_it(smtpd_session): pass
    """)
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:xdist", "--tb=line")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*path*smtpd_session*"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_does_not_remove_the_path_at_its_end(tmp_path: Path) -> None:
    """A child that ends in its own good order stops, or forgets, the servers that it has inherited."""
    path = tmp_path / "smtp.sock"
    program = f"""
import os, warnings
from pytest_smtpd import SMTPServer
server = SMTPServer(path={str(path)!r}).start()
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if child == 0:
    server.stop()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert os.path.exists({str(path)!r})
server.stop()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
