"""A hook cannot undo its test: it can neither skip nor xfail nor end it, however it tries, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

OUTCOMES = {
    "skip": 'pytest.skip("said in a hook")',
    "skip module": 'pytest.skip("said in a hook", allow_module_level=True)',
    "importorskip": 'pytest.importorskip("no_such_module_anywhere")',
    "xfail": 'pytest.xfail("said in a hook")',
    "exit": 'pytest.exit("said in a hook")',
    "unittest": 'raise unittest.SkipTest("said in a hook")',
    "sys.exit": "sys.exit(3)",
    "Ctrl-C": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "cancelled": "import asyncio; raise asyncio.CancelledError",
    "subclass": 'raise type("OurSkip", (pytest.skip.Exception,), {})("said in a hook")',
}
PLACES = {
    "def": 'smtpd.on("mail_from", call=hook)',
    "async def": 'smtpd.on("mail_from", call=async_hook)',
    "awaitable": 'smtpd.on("mail_from", call=lambda *args: async_hook())',
    "data": 'smtpd.on("data", call=hook)',
    "when": 'smtpd.on("mail_from", when=hook, reply=550)',
    "match": 'smtpd.on("mail_from", mail_from=hook, reply=550)',
    "header": 'smtpd.on("data", header={"Subject": hook}, reply=550)',
    "raw": 'smtpd.on("mail_from", raw=hook)',
    "close": 'smtpd.on("close", call=hook)',
}


@pytest.mark.wide
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_outcome_that_a_hook_raises_undoes_its_test(run: Run, outcome: str, place: str) -> None:
    result = run(f"""
        def hook(*args):
            {OUTCOMES[outcome]}

        async def async_hook(*args):
            {OUTCOMES[outcome]}

        def test_it(smtpd):
            {PLACES[place]}
            attempt(smtpd)
            smtpd.wait_closed()

        def test_next(smtpd):
            send(smtpd)
    """)
    result.assert_outcomes(failed=1, passed=1)


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("fixture", ["smtpd_factory", "smtpd_session"])
def test_whichever_server_it_is(run: Run, fixture: str, outcome: str) -> None:
    server = "smtpd_factory()" if fixture == "smtpd_factory" else fixture
    result = run(f"""
        def hook(*args):
            {OUTCOMES[outcome]}

        def test_it({fixture}):
            server = {server}
            server.on("mail_from", call=hook)
            attempt(server)

        def test_next(smtpd):
            send(smtpd)
    """)
    result.assert_outcomes(failed=1, passed=1)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_nor_does_one_that_is_raised_when_the_test_is_over(run: Run, outcome: str) -> None:
    """The report of the teardown fails; the run goes on."""
    result = run(f"""
        def hook(*args):
            {OUTCOMES[outcome]}

        @pytest.fixture
        def client(smtpd):
            with connect(smtpd) as client:
                yield client
                smtpd.on("command", verb="QUIT", call=hook)

        def test_it(client):
            pass

        def test_next(smtpd):
            send(smtpd)
    """)
    result.assert_outcomes(errors=1, passed=2)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_nor_does_one_of_a_server_that_the_test_has_made_itself(run: Run, outcome: str) -> None:
    """Leaving the block raises it, and so does ``verify()``."""
    result = run(f"""
        def hook(*args):
            {OUTCOMES[outcome]}

        def test_block():
            with SMTPServer(on=[on("mail_from", call=hook)]) as server:
                attempt(server)

        def test_verify():
            server = SMTPServer(on=[on("mail_from", call=hook)]).start()
            attempt(server)
            server.stop()
            server.verify()

        def test_next(smtpd):
            send(smtpd)
    """)
    result.assert_outcomes(failed=2, passed=1)


def test_an_expected_failure_needs_the_error_that_is_expected(run: Run) -> None:
    """A skip in a hook does not make a strict xfail pass."""
    result = run("""
        @pytest.mark.xfail(strict=True, raises=ZeroDivisionError)
        def test_it(smtpd):
            smtpd.on("mail_from", call=lambda *args: pytest.skip("no"))
            attempt(smtpd)
    """)
    result.assert_outcomes(failed=1)


def test_the_failure_names_what_was_raised_and_what_a_hook_may_do(run: Run) -> None:
    result = run("""
        def test_it(smtpd):
            smtpd.on("mail_from", call=lambda *args: pytest.skip("said in a hook"))
            attempt(smtpd)

        def test_own():
            with SMTPServer(on=[on("mail_from", call=lambda *args: pytest.skip("said in a hook"))]) as server:
                attempt(server)
    """)
    result.assert_outcomes(failed=2)
    text = "*a hook raised Skipped: said in a hook; a hook cannot skip or end its test, *"
    result.stdout.fnmatch_lines([text, text])
