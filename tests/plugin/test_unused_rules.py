"""A rule that was declared for the test itself and never used fails the test, if it otherwise passed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.reading import failure_text

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]

# Declared on the test itself: each of these must fail.
OWN = {
    "function marker": """
        @pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550)
        def test(smtpd):
            send(smtpd)
    """,
    "rule in a function marker's settings": """
        @pytest.mark.smtpd(on=on("rcpt_to", to="bounce@*", reply=550))
        def test(smtpd):
            send(smtpd)
    """,
    "body": """
        def test(smtpd):
            smtpd.on("rcpt_to", to="bounce@*", reply=550)
            send(smtpd)
    """,
    "body, by way of a helper": """
        def arrange(server):
            server.on("rcpt_to", to="bounce@*", reply=550)

        def test(smtpd):
            arrange(smtpd)
            send(smtpd)
    """,
    "ended before it was used": """
        def test(smtpd):
            with smtpd.on("rcpt_to", to="bounce@*", reply=550):
                pass
            send(smtpd, "bounce@example.com")
    """,
    "body, on a fixture asked for late": """
        def test(request):
            smtpd = request.getfixturevalue("smtpd")
            smtpd.on("rcpt_to", to="bounce@*", reply=550)
            send(smtpd)
    """,
    "body, in another thread": """
        def test(smtpd):
            thread = threading.Thread(target=smtpd.on, args=["rcpt_to"], kwargs={"to": "bounce@*", "reply": 550})
            thread.start()
            thread.join()
            send(smtpd)
    """,
    "decorated hook": """
        def test(smtpd):
            @smtpd.on("rcpt_to", to="bounce@*")
            def never(address, session):
                raise Reject
            send(smtpd)
    """,
    "parameter": """
        @pytest.mark.parametrize("smtpd", [on("rcpt_to", to="bounce@*", reply=550)], indirect=True)
        def test(smtpd):
            send(smtpd)
    """,
    "one of a parameter's list": """
        RULES = [on("rcpt_to", reply=250), on("rcpt_to", to="bounce@*", reply=550)]

        @pytest.mark.parametrize("smtpd", [RULES], indirect=True)
        def test(smtpd):
            send(smtpd)
    """,
    "marks of pytest.param": """
        BOUNCE = pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550)

        @pytest.mark.parametrize("x", [pytest.param(1, marks=BOUNCE)])
        def test(smtpd, x):
            send(smtpd)
    """,
    "applied marker": """
        @pytest.fixture
        def applied(request):
            request.applymarker(pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550))
            return request.getfixturevalue("smtpd")

        def test(applied):
            send(applied)
    """,
    "factory call in the body": """
        def test(smtpd_factory):
            send(smtpd_factory("relay", on=[on("rcpt_to", to="bounce@*", reply=550)]))
    """,
    "rule of the body on a server of a fixture": """
        @pytest.fixture
        def relay(smtpd_factory):
            return smtpd_factory("relay")

        def test(relay):
            relay.on("rcpt_to", to="bounce@*", reply=550)
            send(relay)
    """,
    "class rule that asks for it": """
        @pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550, optional=False)
        class TestIt:
            def test(self, smtpd):
                send(smtpd)
    """,
    "module rule that asks for it": """
        pytestmark = pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550, optional=False)

        def test(smtpd):
            send(smtpd)
    """,
    "config rule that asks for it": """
        @pytest.fixture
        def smtpd_config():
            return {"on": [on("rcpt_to", to="bounce@*", reply=550, optional=False)]}

        def test(smtpd):
            send(smtpd)
    """,
    "fixture rule that asks for it": """
        @pytest.fixture
        def bouncing(smtpd):
            smtpd.on("rcpt_to", to="bounce@*", reply=550, optional=False)

        def test(bouncing, smtpd):
            send(smtpd)
    """,
    "never reached because a nearer one answers": """
        @pytest.mark.smtpd_on("rcpt_to", to="b*", reply=550)
        def test(smtpd):
            smtpd.on("rcpt_to", reply=250)
            send(smtpd)
    """,
    "skipped calls only": """
        def test(smtpd):
            smtpd.on("rcpt_to", to="b*", reply=550, skip=1)
            send(smtpd)
    """,
}


@pytest.mark.parametrize("source", OWN.values(), ids=OWN)
def test_an_unused_rule_of_the_test_itself_fails_it(reports: Reports, source: str) -> None:
    (report,) = reports(source)
    assert (report.when, report.outcome) == ("call", "failed")
    text = report.longreprtext
    assert "'rcpt_to'" in text
    assert "to='b" in text
    assert "never" in text
    assert "optional=True" in text  # what to do
    assert "Traceback" not in text
    assert "--full-trace" not in text
    assert "def test" not in text  # no source of the test: nothing in it raised


# Allowed: each of these must pass.
ALLOWED = {
    "optional": """
        @pytest.mark.smtpd_on("rcpt_to", reply=550, optional=True)
        def test(smtpd):
            smtpd.on("mail_from", reply=550, optional=True)
    """,
    "used once of twice": """
        @pytest.mark.smtpd_on("rcpt_to", reply=550, times=2)
        def test(smtpd):
            attempt(smtpd)
    """,
    "class": """
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        class TestIt:
            def test(self, smtpd):
                pass
    """,
    "base class and pytestmark": """
        class Base:
            pytestmark = [pytest.mark.smtpd_on("rcpt_to", reply=550)]

        class TestIt(Base):
            def test(self, smtpd):
                pass
    """,
    "module": """
        pytestmark = [pytest.mark.smtpd_on("rcpt_to", reply=550), pytest.mark.smtpd(on=on("data", reply=550))]

        def test(smtpd):
            pass
    """,
    "config": """
        @pytest.fixture
        def smtpd_config():
            return {"on": [on("rcpt_to", reply=550)]}

        def test(smtpd, smtpd_factory):
            smtpd_factory("relay")
    """,
    "another fixture": """
        @pytest.fixture
        def refusing(smtpd):
            smtpd.on("rcpt_to", reply=550)
            return smtpd

        def test(refusing):
            pass
    """,
    "factory call in a fixture": """
        @pytest.fixture
        def relay(smtpd_factory):
            return smtpd_factory("relay", on=on("rcpt_to", reply=550))

        def test(relay):
            pass
    """,
    "close": """
        @pytest.mark.smtpd_on("close", call=print)
        def test(smtpd):
            @smtpd.on("close")
            def closed(session):
                pass
    """,
    "modifier alone": """
        @pytest.mark.smtpd_on("rcpt_to", delay=0.001)
        def test(smtpd):
            send(smtpd)
    """,
    "used on one of the servers it was handed to": """
        @pytest.mark.smtpd_on("rcpt_to", reply=550, name="relay")
        def test(smtpd, smtpd_factory):
            attempt(smtpd_factory("relay"))
            smtpd_factory("third")
    """,
    "used before it ended": """
        def test(smtpd):
            with smtpd.on("rcpt_to", reply=550) as rule:
                assert not rule.used
                attempt(smtpd)
                assert rule.used
            send(smtpd)
    """,
    "used before the log was cleared": """
        def test(smtpd):
            smtpd.on("rcpt_to", reply=550, times=1)
            attempt(smtpd)
            smtpd.clear()
    """,
    "used after stop and start": """
        def test(smtpd):
            smtpd.on("rcpt_to", reply=550, times=1)
            smtpd.stop()
            smtpd.start()
            assert attempt(smtpd) is not None
    """,
}


@pytest.mark.parametrize("source", ALLOWED.values(), ids=ALLOWED)
def test_what_may_remain_unused(run: Run, source: str) -> None:
    run(source).assert_outcomes(passed=1)


def test_each_parameter_is_verified_for_itself(run: Run) -> None:
    result = run("""
        @pytest.mark.parametrize("smtpd", [on("rcpt_to", reply=550), on("data", reply=550)], indirect=True)
        def test_it(smtpd):
            with connect(smtpd) as client:
                client.mail("app@example.com")
                client.rcpt("bob@example.com")
    """)
    result.assert_outcomes(passed=1, failed=1)


def test_a_rule_for_smtpd_in_a_test_without_smtpd(reports: Reports) -> None:
    (report,) = reports("""
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test(smtpd_factory):
            send(smtpd_factory("relay"))
    """)
    assert (report.when, report.outcome) == ("call", "failed")
    assert failure_text(report).strip() == (
        "on('rcpt_to', reply=550) was never used: it is for smtpd, which this test does not use; "
        "use smtpd, give the rule to smtpd_factory(on=[...]), or give it the name= of a server"
    )


def test_a_rule_for_smtpd_whose_test_asks_for_it_late(run: Run) -> None:
    result = run("""
        @pytest.mark.smtpd_on("mail_from", reply=550)
        def test(smtpd_factory, request):
            send(smtpd_factory("relay"))
            with pytest.raises(smtplib.SMTPSenderRefused):
                send(request.getfixturevalue("smtpd"))
    """)
    result.assert_outcomes(passed=1)


def test_a_rule_without_an_action_that_decorates_nothing_fails_the_test(reports: Reports) -> None:
    (report,) = reports("""
        def test(smtpd):
            smtpd.on("rcpt_to", to="bob@*", times=2)
            send(smtpd)
    """)
    assert (report.when, report.outcome) == ("call", "failed")
    assert failure_text(report).strip() == (
        "on('rcpt_to', times=2, to='bob@*') has no action, and no function was decorated with it; "
        "give it an action, like reply=550, or a function"
    )


def test_a_decorator_may_be_kept_for_later(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def decorator(smtpd):
            smtpd.on("data")                         # of a fixture: may remain unused
            return smtpd.on("rcpt_to")

        def test_of_a_fixture(decorator):
            pass

        def test_twice(smtpd):
            hook = smtpd.on("rcpt_to", times=1)
            for text in ("first", "second"):
                @hook
                def refuse(address, session, text=text):
                    raise Reject(550, text)
            assert order(smtpd) == ["second", "first"]

        def test_before(smtpd_session):
            smtpd_session.on("rcpt_to", optional=True)

        def test_after(smtpd_session):
            send(smtpd_session)
    """)
    result.assert_outcomes(passed=4)


ASKS_FOR_NOTHING = """
    @pytest.mark.smtpd_on("rcpt_to", reply=550{more})
    def test(request):
        pass
"""


def test_a_rule_of_a_test_that_could_ask_for_a_server_and_does_not(reports: Reports) -> None:
    (report,) = reports(ASKS_FOR_NOTHING.format(more=""))
    assert (report.when, report.outcome) == ("call", "failed")
    assert failure_text(report).strip() == (
        "on('rcpt_to', reply=550) was never used: "
        "the test has asked for none of the fixtures smtpd, smtpd_factory, smtpd_session"
    )


@pytest.mark.parametrize("scope", ["optional", "module"])
def test_a_rule_that_need_not_be_used_needs_no_server(run: Run, scope: str) -> None:
    source = ASKS_FOR_NOTHING.format(more=", optional=True")
    if scope == "module":
        source = 'pytestmark = pytest.mark.smtpd_on("rcpt_to", reply=550)\ndef test(request): pass'
    run(source).assert_outcomes(passed=1)
