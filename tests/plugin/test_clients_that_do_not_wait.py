"""A client that sends and leaves, without waiting for any reply, changes no verdict on a test.

Each inner run repeats its test, because what these tests are about happened in some runs only.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

TIMES = 40
HELPERS = """
        ENVELOPE = b"EHLO c\\r\\nMAIL FROM:<a@example.com>\\r\\nRCPT TO:<b@example.com>\\r\\n"
        MESSAGE = ENVELOPE + b"DATA\\r\\nSubject: x\\r\\n\\r\\ny\\r\\n.\\r\\n"

        CLIENTS = []

        def hurry(server, data):
            # To close with unread replies is to reset the connection (RFC 1122 section 4.2.2.13).
            with socket.create_connection(server.address) as client:
                client.sendall(data)

        def half_close(server, data):
            # As nc -N does.
            client = socket.create_connection(server.address)
            CLIENTS.append(client)
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        @pytest.fixture(scope="module", autouse=True)
        def _clients():
            yield
            for client in CLIENTS:
                client.close()
"""


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param('"command", verb="QUIT", reply=221', id="the last command"),
        pytest.param('"connect", reply=421', id="the greeting"),
        pytest.param('"data", reply=550', id="the message"),
        pytest.param('"data", after=3, reply=550', id="amid the content"),
        pytest.param('"data", subject="x", reply=550', id="what has to be parsed first"),
        pytest.param('"data", delay=60', id="a delay"),
    ],
)
@pytest.mark.parametrize("leave", ["hurry", "half_close"])
def test_a_rule_is_used_though_its_client_did_not_wait_for_the_reply(run: Run, rule: str, leave: str) -> None:
    result = run(f"""{HELPERS}
        @pytest.mark.parametrize("n", range({TIMES}))
        @pytest.mark.smtpd_on({rule})
        def test_it(smtpd, n):
            {leave}(smtpd, MESSAGE + b"QUIT\\r\\n")
    """)
    result.assert_outcomes(passed=TIMES)


def test_every_server_of_a_test_is_waited_for(run: Run) -> None:
    result = run(f"""{HELPERS}
        @pytest.mark.parametrize("n", range({TIMES}))
        def test_it(smtpd_factory, smtpd_session, n):
            for server in (smtpd_factory(), smtpd_factory(tls=None), smtpd_session):
                server.on("command", verb="QUIT", reply=221)
                hurry(server, MESSAGE + b"QUIT\\r\\n")
    """)
    result.assert_outcomes(passed=TIMES)


def test_a_hook_error_fails_the_test_in_its_call_phase_though_nobody_waited_for_the_451(run: Run) -> None:
    result = run(f"""{HELPERS}
        def wrong(session):
            raise ZeroDivisionError

        def matcher(call):
            raise ZeroDivisionError

        @pytest.mark.parametrize("n", range({TIMES}))
        @pytest.mark.smtpd_on("command", verb="QUIT", when=matcher, reply=221)
        def test_it(smtpd, n):
            hurry(smtpd, MESSAGE + b"QUIT\\r\\n")
    """)
    result.assert_outcomes(failed=TIMES)


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("fixture", ["smtpd", "smtpd_session"])
def test_the_error_of_a_close_hook_fails_the_test_in_its_call_phase(run: Run, kind: str, fixture: str) -> None:
    """The client has left, so its close hook runs by itself; the test need not call ``wait_closed()``."""
    result = run(f"""
        import asyncio, time

        async def slowly():
            await asyncio.sleep(0.05)

        @pytest.mark.parametrize("n", range(5))
        def test_it({fixture}, n):
            @{fixture}.on("close")
            {kind} broken(session):
                {"await slowly()" if kind == "async def" else "time.sleep(0.05)"}
                raise ValueError("at the end")
            send({fixture})
    """)
    result.assert_outcomes(failed=5)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_was_sent_behind_a_running_hook_comes_to_its_rule(run: Run, kind: str) -> None:
    """However short the hook is, the test may end before it."""
    result = run(f"""{HELPERS}
        {kind} hook(address, session):
            pass

        @pytest.mark.parametrize("n", range({TIMES}))
        @pytest.mark.smtpd_on("command", verb="QUIT", reply=221)
        @pytest.mark.smtpd_on("mail_from", call=hook)
        @pytest.mark.smtpd_on("rcpt_to", call=hook)
        def test_it(smtpd, n):
            half_close(smtpd, MESSAGE + b"QUIT\\r\\n")
    """)
    result.assert_outcomes(passed=TIMES)


@pytest.mark.parametrize("kind", ["", "def", "async def"])
def test_mail_does_not_leak_into_the_next_test_of_the_session(run: Run, kind: str) -> None:
    hook = '@pytest.mark.smtpd_on("rcpt_to", call=hook, optional=True)' if kind else ""
    result = run(f"""{HELPERS}
        {kind or "def"} hook(address, session):
            pass

        @pytest.mark.parametrize("n", range({TIMES}))
        {hook}
        def test_it(smtpd_session, n):
            assert not smtpd_session.envelopes
            assert not list(smtpd_session.log)
            half_close(smtpd_session, MESSAGE)
    """)
    result.assert_outcomes(passed=TIMES)


def test_what_a_client_had_sent_behind_a_delay_belongs_to_the_test_in_which_it_was_sent(run: Run) -> None:
    """The client stays, so the delay goes on; what is behind it meets neither the log nor the rules of another test."""
    result = run(f"""{HELPERS}
        @pytest.mark.smtpd_on("command", verb="EHLO", delay=0.3)
        def test_first(smtpd_session):
            client = socket.create_connection(smtpd_session.address)
            CLIENTS.append(client)
            client.sendall(MESSAGE + b"QUIT\\r\\n")

        @pytest.mark.smtpd_on("rcpt_to", reply=550, optional=True)
        @pytest.mark.smtpd_on("rcpt_to", to="nobody@example.com", reply=550, optional=True)
        def test_second(smtpd_session):
            with CLIENTS[-1] as client:
                received = client.makefile("rb").read()
            assert b"250 2.1.5" in received and b"221" in received
            assert not smtpd_session.envelopes
            assert not smtpd_session.log.calls("rcpt_to") + smtpd_session.log.calls("command")
            assert not any(rule.used for rule in smtpd_session.rules)
    """)
    result.assert_outcomes(passed=2)


def test_a_connection_that_lives_on_belongs_to_the_next_test_once_its_delay_is_over(run: Run) -> None:
    result = run(f"""{HELPERS}
        @pytest.mark.smtpd_on("command", verb="NOOP", delay=0.3)
        def test_first(smtpd_session):
            client = socket.create_connection(smtpd_session.address)
            CLIENTS.append(client)
            client.sendall(b"NOOP\\r\\n")

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_second(smtpd_session):
            with CLIENTS[-1] as client:
                replies = client.makefile("rb")
                assert replies.readline().startswith(b"220")
                assert replies.readline().startswith(b"250")
                client.sendall(ENVELOPE)
                assert any(line.startswith(b"550") for line in iter(replies.readline, b""))
            assert smtpd_session.log.calls("rcpt_to")
    """)
    result.assert_outcomes(passed=2)


def test_a_hook_that_never_ends_does_not_keep_the_test_from_ending(run: Run) -> None:
    result = run(f"""{HELPERS}
        @pytest.fixture
        def go():
            event = threading.Event()
            yield event
            event.set()

        @pytest.mark.filterwarnings("ignore:.*still blocked")
        def test_it(go, smtpd):
            entered = threading.Event()

            @smtpd.on("mail_from")
            def wait(address, session):
                entered.set()
                go.wait()

            smtpd.on("command", verb="QUIT", reply=221)
            hurry(smtpd, MESSAGE + b"QUIT\\r\\n")
            assert entered.wait(10)
    """)
    result.assert_outcomes(failed=1)
