"""Plain asserts on what was received read well, and matchers nobody here wrote work in every query."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
Failure = Callable[..., pytest.TestReport]


def test_an_assert_on_the_number_of_envelopes_shows_them(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            send(smtpd, "bob@example.com", subject="Welcome")
            assert len(smtpd.envelopes) == 2
    """)
    text = report.longreprtext
    assert "assert 1 == 2" in text
    assert "app@example.com" in text
    assert "bob@example.com" in text
    assert "Welcome" in text
    assert " object at 0x" not in text


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("envelope.subject == 'Welcom'", ["'Welcome' == 'Welcom'"]),
        ("envelope.rcpt_to == ('ada@example.com',)", ["'bob@example.com'", "'ada@example.com'", "At index 0 diff"]),
        ("envelope.text == 'Hello\\nBob\\n'", ["- Bob", "+ Ada"]),
        ("envelope.reply == 251", ["250"]),
        ("smtpd.log.calls('rcpt_to')[0].outcome == 'refused'", ["'accepted' == 'refused'"]),
        ("envelope.mail_from.domain == 'example.org'", ["'example.com' == 'example.org'"]),
        ("not smtpd.envelopes", ["bob@example.com"]),
    ],
)
def test_pytest_explains_a_comparison(failure: Failure, check: str, words: list[str]) -> None:
    report = failure(f"""
        def test_it(smtpd):
            send(smtpd, "bob@example.com", subject="Welcome", text="Hello\\nAda")
            envelope = smtpd.one()
            assert {check}
    """)
    text = report.longreprtext
    assert [word for word in words if word not in text] == []
    assert " object at 0x" not in text


def test_a_missing_envelope_is_an_index_error_with_a_text(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            smtpd.envelopes[0]
    """)
    assert "IndexError" in report.longreprtext


def test_envelopes_are_a_live_sequence(run: Run) -> None:
    result = run("""
        from collections.abc import Sequence

        def test_live(smtpd):
            outbox = smtpd.envelopes                 # kept before anything was sent
            assert isinstance(outbox, Sequence) and not outbox and outbox == []
            send(smtpd, "one@example.com")
            send(smtpd, "two@example.com")
            assert [envelope.rcpt_to[0] for envelope in outbox] == ["one@example.com", "two@example.com"]
            assert outbox[-1].rcpt_to == ("two@example.com",) and len(outbox[:1]) == 1
            assert outbox[0] in outbox and list(reversed(outbox))[0] is outbox[1]
            smtpd.clear()
            assert len(outbox) == 0

        def test_read_only(smtpd):
            assert not hasattr(smtpd.envelopes, "append")
            with pytest.raises(TypeError):
                smtpd.envelopes[0] = None

        def test_plain_values(smtpd):
            send(smtpd, "bob@example.com", subject="Welcome")
            envelope = smtpd.one()
            assert type(envelope.subject) is str and type(envelope.text) is str and envelope.html is None
    """)
    result.assert_outcomes(passed=3)


def test_matchers_of_others_work(run: Run) -> None:
    result = run("""
        from dirty_equals import IsStr, Contains

        def test_queries(smtpd):
            send(smtpd, "bob@example.com", subject="Invoice 7")
            assert smtpd.one(subject=IsStr(regex=r"Invoice \\d+")).subject == IsStr()
            assert smtpd.find(subject=IsStr(regex="Receipt.*")) == []
            with pytest.raises(AssertionError, match="IsStr"):
                smtpd.one(subject=IsStr(regex="Receipt.*"))

        def test_rules(smtpd):
            smtpd.on("rcpt_to", to=IsStr(regex="bounce@.*"), reply=550)
            assert attempt(smtpd, "bounce@example.com") is not None
            send(smtpd, "bob@example.com")

        @pytest.mark.parametrize("smtpd", [on("rcpt_to", to=IsStr(regex="b.*"), reply=550)], indirect=True)
        def test_ids(smtpd, request):
            assert attempt(smtpd) is not None
            assert request.node.name.startswith("test_ids[rcpt_to-550-to=IsStr")
    """)
    result.assert_outcomes(passed=3)


def test_an_interrupt_ends_a_wait_at_once(run: Run) -> None:
    result = run("""
        import signal

        WAITS = {
            "wait_for": lambda server: server.wait_for(timeout=300),
            "wait_closed": lambda server: server.wait_closed(timeout=300),
            "log": lambda server: server.log.wait_for("data", timeout=300),
        }

        @pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
        def test_it(smtpd, wait):
            client = connect(smtpd)
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                wait(smtpd)
            client.close()
    """)
    result.assert_outcomes(passed=3)
