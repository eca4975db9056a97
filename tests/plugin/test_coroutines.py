"""Tests written as coroutines: pytest-asyncio in both modes, anyio with both of its backends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

ASYNC = """
import aiosmtplib

async def asend(server, to="bob@example.com"):
    await aiosmtplib.send(letter(to, "Hello", "Hi"), sender="app@example.com", recipients=[to],
                          hostname=server.host, port=server.port, timeout=10, start_tls=False)
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(run: Run, mode: str) -> None:
    mark = "" if mode == "auto" else "pytestmark = pytest.mark.asyncio\n"
    result = run(
        ASYNC
        + mark
        + """
import asyncio

async def test_send(smtpd):
    await asend(smtpd)
    smtpd.one(to="bob@example.com")

async def test_wait(smtpd):
    task = asyncio.create_task(asend(smtpd))
    (envelope,) = await smtpd.wait_for_async(to="bob@example.com")
    await task
    await smtpd.wait_closed_async()
    assert (await smtpd.log.wait_for_async("close"))[0].hook == "close"
    with pytest.raises(WaitTimeout):
        await smtpd.wait_for_async(2, timeout=0.01)

async def test_hook_in_the_loop_of_the_server(smtpd):
    loops = []
    @smtpd.on("rcpt_to")
    async def slow(address, session):
        await asyncio.sleep(0.001)
        loops.append(asyncio.get_running_loop())
    await asend(smtpd)
    assert loops and loops[0] is not asyncio.get_running_loop()

async def test_hook_error(smtpd):
    @smtpd.on("mail_from")
    async def broken(address, session):
        raise ValueError("async hook")
    with pytest.raises(aiosmtplib.SMTPException):
        await asend(smtpd)

@pytest.mark.smtpd_on("rcpt_to", reply=550)
async def test_unused(smtpd):
    pass
""",
        *[
            "-p",
            "pytest_asyncio.plugin",
            "-o",
            f"asyncio_mode={mode}",
            "-o",
            "asyncio_default_fixture_loop_scope=function",
        ],
    )
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(["E *ValueError: async hook"])


def test_anyio_with_asyncio_and_trio(run: Run) -> None:
    result = run(
        """
        import anyio

        pytestmark = pytest.mark.anyio

        async def test_wait(smtpd):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, send, smtpd)
                (envelope,) = await smtpd.wait_for_async()
            assert envelope.rcpt_to == ("bob@example.com",)
            await smtpd.wait_closed_async()
            assert await smtpd.log.wait_for_async("close")

        async def test_time_out(smtpd):
            with pytest.raises(WaitTimeout):
                await smtpd.wait_for_async(timeout=0.01)

        async def test_cancelled(smtpd):
            with anyio.move_on_after(0.01) as scope:
                await smtpd.wait_for_async(timeout=10)
            assert scope.cancelled_caught

        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1)
        async def test_marker(smtpd):
            assert await anyio.to_thread.run_sync(order, smtpd) == ["marker"]
        """,
        *["-p", "anyio.pytest_plugin"],
    )
    result.assert_outcomes(passed=8)
