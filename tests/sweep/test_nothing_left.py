"""What sweeps cost, and what they leave behind: nothing."""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.sweep import applications as app
from tests.sweep.inner import two_mails
from tests.sweep.sweeping import sweep

NO_HANGS = "*hang*"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def what_there_is(server: SMTPServer) -> tuple[object, ...]:
    """By their names: a server that was stopped and started has another thread."""
    threads = sorted(thread.name for thread in threading.enumerate())
    return threads, descriptors(), list(server.rules), server.settings


def sweep_once(server: SMTPServer) -> int:
    points = 0
    for fault in server.sweep(skip=NO_HANGS):
        points += 1
        with fault:
            fault.failed(two_mails(server))
    return points


@pytest.mark.skipif(sys.platform != "linux", reason="counts /proc/self/fd")
@pytest.mark.parametrize("points", [100, pytest.param(1000, marks=pytest.mark.wide)])
def test_nothing_is_left_behind(points: int) -> None:
    with SMTPServer() as server:
        own = server.on("command", verb="NOOP", reply=250)
        sweep_once(server)  # everything is imported and made now
        gc.collect()
        before = what_there_is(server)
        done = 0
        while done < points:
            done += sweep_once(server)
        gc.collect()
        assert what_there_is(server) == before
        assert server.rules == [own]


@pytest.mark.wide
def test_sweep_itself_costs_little() -> None:
    """A point costs at most 3 ms of this process beside the block; the machine may be busy with other things."""
    own = blocks = 0.0
    points = 0
    with SMTPServer(tls=None) as server:
        began = time.thread_time()
        for fault in server.sweep(skip=NO_HANGS):
            points += 1
            with fault:
                start = time.thread_time()
                fault.failed(two_mails(server))
                blocks += time.thread_time() - start
        own = time.thread_time() - began - blocks
    assert own / points < 0.003


@pytest.mark.nightly
def test_three_runs_on_a_busy_machine_find_the_same() -> None:
    end = threading.Event()

    def busy() -> None:
        while not end.is_set():
            pass

    loops = [threading.Thread(target=busy) for _ in range(2)]
    for loop in loops:
        loop.start()
    try:
        runs = [sweep(app.loses, strict=False, own_timeout=1.0) for _ in range(3)]
    finally:
        end.set()
        for loop in loops:
            loop.join()
    assert runs[0].names == {"lost"}
    assert [run.points("lost") for run in runs] == [runs[0].points("lost")] * 3
