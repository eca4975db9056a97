"""Connections that are left open, and closed by the garbage collection: counted as that, whatever warnings are for."""

from __future__ import annotations

import gc
import smtplib
import socket
import warnings
from collections.abc import Callable

import pytest

from pytest_smtpd import Fault, Finding, SMTPServer, Sweep, SweepFailure
from tests.sweep.conftest import Run
from tests.sweep.inner import TIMEOUT, letter

Application = Callable[[SMTPServer], "Exception | None"]
POINT = "mail_from-550"


def forgets(server: SMTPServer) -> Exception | None:
    """After a failure the connection is left to the frames of the exception."""
    client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    try:
        client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
    except smtplib.SMTPException as error:
        return error
    client.quit()
    return None


def forgets_in_a_cycle(server: SMTPServer) -> Exception | None:
    client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    client.itself = client  # type: ignore[attr-defined]
    try:
        client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
    except smtplib.SMTPException as error:
        return type(error)("refused") if not isinstance(error, smtplib.SMTPResponseException) else OSError("550")
    client.quit()
    return None


def forgets_and_collects(server: SMTPServer) -> Exception | None:
    """The same, with a garbage collection while the application still runs, as happens at any time."""
    error = forgets_in_a_cycle(server)
    gc.collect()
    return error


def forgets_at_once(server: SMTPServer) -> Exception | None:
    """Nobody has the connection any more when the function has returned."""
    error = forgets(server)
    return None if error is None else OSError("550")


APPLICATIONS = [forgets, forgets_in_a_cycle, forgets_and_collects, forgets_at_once]


def sweep(application: Application, **options: object) -> tuple[Finding, ...]:
    with SMTPServer() as server:
        try:
            for fault in server.sweep(**{"only": POINT, "timeout": 1, **options}):  # type: ignore[arg-type]
                with fault:
                    error = application(server)  # kept until the next turn, as in many a test
                    if error is not None:
                        fault.failed({"ada@example.com": error})
        except SweepFailure as failure:
            return failure.findings
    return ()


def sweep_with(sweep: Sweep, block: Callable[[Fault], None]) -> None:
    for fault in sweep:
        with fault:
            block(fault)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("application", APPLICATIONS)
def test_forgotten_connection_is_reported_by_its_name(application: Application) -> None:
    found = sweep(application, strict=True)
    assert [(finding.name, finding.points) for finding in found] == [("collected", (POINT,))]


def test_forgotten_connection_of_the_run_without_a_fault_is_reported_once() -> None:
    def application(server: SMTPServer) -> None:
        smtplib.SMTP(server.host, server.port, timeout=TIMEOUT).sendmail("a@b.example", ["c@d.example"], letter("x"))

    (finding,) = sweep(application, strict=True)
    assert (finding.name, finding.points) == ("collected", ("(without a fault)",))


def test_connection_that_is_closed_is_not_reported() -> None:
    def application(server: SMTPServer) -> Exception | None:
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            try:
                client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            except smtplib.SMTPException as error:
                return error
        return None

    assert sweep(application, strict=True) == ()


def test_connection_that_is_kept_is_a_leak() -> None:
    kept = []

    def application(server: SMTPServer) -> Exception | None:
        client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
        try:
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
        except smtplib.SMTPException as error:
            kept.append(client)
            return error
        client.quit()
        return None

    found = sweep(application, timeout=0.2)
    for client in kept:
        client.close()
    assert [finding.name for finding in found] == ["leak"]


def test_other_warnings_of_the_block_are_as_ever() -> None:
    def block(fault: Fault) -> None:
        warnings.warn("of the block", UserWarning, stacklevel=1)
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            client.docmd("QUIT")

    with SMTPServer() as server, pytest.warns(UserWarning, match="of the block") as caught:
        sweep_with(server.sweep(only="QUIT-421"), block)
    assert [str(warning.message) for warning in caught] == ["of the block"] * 2


def test_filters_of_warnings_are_left_as_they_were() -> None:
    before, show = list(warnings.filters), warnings.showwarning
    with SMTPServer() as server:
        for fault in server.sweep(only=POINT):
            with fault:
                fault.failed({"ada@example.com": error} if (error := forgets(server)) else {})
        assert (warnings.filters, warnings.showwarning) == (before, show)
        with pytest.raises(KeyboardInterrupt):
            for fault in server.sweep(only=POINT):
                with fault:
                    raise KeyboardInterrupt
    assert (warnings.filters, warnings.showwarning) == (before, show)


def test_warning_of_another_thing_that_is_left_open_still_fails() -> None:
    def block(fault: Fault) -> None:
        if fault.point is None:
            open(__file__)  # noqa: SIM115, PTH123
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            client.docmd("QUIT")

    with SMTPServer() as server, pytest.warns(ResourceWarning, match="unclosed file"):
        sweep_with(server.sweep(only="QUIT-421"), block)


def test_socket_of_something_else_is_none_of_the_sweeps_business() -> None:
    def block(fault: Fault) -> None:
        if fault.point is None:
            socket.create_connection(other.getsockname())
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            client.docmd("QUIT")

    with socket.create_server(("127.0.0.1", 0)) as other, SMTPServer() as server:
        sweep = server.sweep(only="QUIT-421", strict=True)
        with pytest.warns(ResourceWarning, match="unclosed <socket"):
            sweep_with(sweep, block)
    assert sweep.findings == ()


def test_strict_warnings_do_not_fail_a_test_whose_sweep_counts_the_connection(run: Run) -> None:
    result = run(
        """
    import gc

    def careless(smtpd):
        client = smtplib.SMTP(smtpd.host, smtpd.port, timeout=5)
        try:
            client.sendmail("app@example.com", ["ada@example.com"], "Subject: x\\r\\n\\r\\nx\\r\\n")
        except smtplib.SMTPException as error:
            return {"ada@example.com": str(error)}
        client.quit()
        return {}

    def test_it(smtpd, smtpd_sweep):
        for fault in smtpd_sweep(only="mail_from-550"):
            with fault:
                fault.failed(careless(smtpd))
                gc.collect()
""",
        "-v",
    )
    result.assert_outcomes(passed=1)
    assert "1 collected" in result.stdout.str()
