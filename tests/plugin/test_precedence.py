"""Precedence and merging: whose rule is asked first, whose setting counts.

Every rule here refuses one RCPT with its own word: successive words are the order in which they are asked.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

WORD = """
def word(text, **more):
    return on("rcpt_to", reply=f"550 5.1.1 {text}", times=1, **more)

def rule(text, **more):
    return pytest.mark.smtpd_on("rcpt_to", reply=f"550 5.1.1 {text}", times=1, **more)
"""

LEVELS = {
    "body before function": """
        @rule("function")
        def test(smtpd):
            smtpd.on("rcpt_to", reply="550 5.1.1 body", times=1)
            assert order(smtpd) == ["body", "function"]
    """,
    "latest in the body first": """
        def test(smtpd):
            smtpd.on("rcpt_to", reply="550 5.1.1 early", times=1)
            smtpd.on("rcpt_to", reply="550 5.1.1 late", times=1)
            assert order(smtpd) == ["late", "early"]
    """,
    "parameter before function": """
        @rule("function")
        @pytest.mark.parametrize("smtpd", [word("parameter")], indirect=True)
        def test(smtpd):
            assert order(smtpd) == ["parameter", "function"]
    """,
    "parameter before the marks of its param": """
        @rule("function")
        @pytest.mark.parametrize("smtpd", [pytest.param(word("parameter"), marks=rule("param"))], indirect=True)
        def test(smtpd):
            assert order(smtpd) == ["parameter", "param", "function"]
    """,
    "marks of pytest.param before function": """
        @pytest.mark.parametrize("x", [pytest.param(1, marks=rule("param"))])
        @rule("function")
        def test(smtpd, x):
            assert order(smtpd) == ["param", "function"]
    """,
    "lowest decorator first": """
        @rule("upper")
        @rule("middle")
        @rule("lower")
        def test(smtpd):
            assert order(smtpd) == ["lower", "middle", "upper"]
    """,
    "earliest of a parameter's list first": """
        @pytest.mark.parametrize("smtpd", [[word("one"), word("two"), word("three")]], indirect=True)
        def test(smtpd):
            assert order(smtpd) == ["one", "two", "three"]
    """,
    "earliest of a dict's list first": """
        @pytest.mark.parametrize("smtpd", [{"on": [word("one"), word("two")], "banner": "dict"}], indirect=True)
        def test(smtpd):
            assert banner(smtpd) == "dict"
            assert order(smtpd) == ["one", "two"]
    """,
    "earliest of a marker's list first": """
        @pytest.mark.smtpd(on=[word("one"), word("two")])
        def test(smtpd):
            assert order(smtpd) == ["one", "two"]
    """,
    "function before class before module": """
        pytestmark = rule("module")

        @rule("class")
        class TestIt:
            @rule("function")
            def test(self, smtpd):
                assert order(smtpd) == ["function", "class", "module"]
    """,
    "earliest of a pytestmark list first": """
        pytestmark = [rule("one"), rule("two")]

        class TestIt:
            pytestmark = [rule("three"), rule("four")]

            def test(self, smtpd):
                assert order(smtpd) == ["three", "four", "one", "two"]
    """,
    "child before base": """
        @rule("grandparent")
        class Grandparent:
            pass

        @rule("base")
        class Base(Grandparent):
            @rule("function")
            def test(self, smtpd):
                assert order(smtpd) == ["function", "child", "base", "grandparent"]

        @rule("child")
        class TestChild(Base):
            pass
    """,
    "child before base with pytestmark lists": """
        class Base:
            pytestmark = [rule("base")]

            def test(self, smtpd):
                assert order(smtpd) == ["child1", "child2", "base"]

        class TestChild(Base):
            pytestmark = [rule("child1"), rule("child2")]
    """,
    "inner class before outer": """
        @rule("outer")
        class TestOuter:
            @rule("inner")
            class TestInner:
                def test(self, smtpd):
                    assert order(smtpd) == ["inner", "outer"]
    """,
    "marker before smtpd_config": """
        pytestmark = rule("module")

        @pytest.fixture
        def smtpd_config():
            return {"on": [word("config1"), word("config2")]}

        def test(smtpd):
            assert order(smtpd) == ["module", "config1", "config2"]
    """,
    "applied marker": """
        @pytest.fixture
        def refusing(request):
            request.applymarker(rule("applied"))
            return request.getfixturevalue("smtpd")

        def test(refusing):
            assert order(refusing) == ["applied"]
    """,
    "applied marker before class": """
        @pytest.fixture
        def refusing(request):
            request.applymarker(rule("applied"))
            return request.getfixturevalue("smtpd")

        @rule("class")
        class TestIt:
            def test(self, refusing):
                assert order(refusing) == ["applied", "class"]
    """,
    "a rule of a fixture is nearer than a marker": """
        @pytest.fixture
        def refusing(smtpd):
            smtpd.on("rcpt_to", reply="550 5.1.1 fixture", times=1)
            return smtpd

        @rule("function")
        def test(refusing):
            refusing.on("rcpt_to", reply="550 5.1.1 body", times=1)
            assert order(refusing) == ["body", "fixture", "function"]
    """,
    "everything at once": """
        pytestmark = rule("module")

        @pytest.fixture
        def smtpd_config():
            return {"on": word("config")}

        @rule("base")
        class Base:
            pass

        @rule("child")
        class TestIt(Base):
            @pytest.mark.parametrize("smtpd", [pytest.param(word("parameter"), marks=rule("param"))], indirect=True)
            @rule("function")
            def test(self, smtpd):
                smtpd.on("rcpt_to", reply="550 5.1.1 body", times=1)
                assert order(smtpd) == ["body", "parameter", "param", "function", "child", "base", "module", "config"]
    """,
}


@pytest.mark.parametrize("source", LEVELS.values(), ids=LEVELS)
def test_the_nearest_rule_is_asked_first(run: Run, source: str) -> None:
    run(WORD + textwrap.dedent(source)).assert_outcomes(passed=1)


SETTINGS = {
    "key by key": """
        pytestmark = pytest.mark.smtpd(banner="module", size=1000, hostname="module.example")

        @pytest.mark.smtpd(banner="class", size=2000)
        class TestIt:
            @pytest.mark.smtpd(banner="function")
            def test(self, smtpd):
                assert seen(smtpd) == ("module.example", "function", "2000")
    """,
    "lowest decorator": """
        @pytest.mark.smtpd(banner="upper", size=1000)
        @pytest.mark.smtpd(banner="lower")
        def test(smtpd):
            assert seen(smtpd) == ("localhost", "lower", "1000")
    """,
    "earliest in a pytestmark list": """
        pytestmark = [pytest.mark.smtpd(banner="one"), pytest.mark.smtpd(banner="two", size=2000)]

        def test(smtpd):
            assert seen(smtpd) == ("localhost", "one", "2000")
    """,
    "child before base": """
        @pytest.mark.smtpd(banner="base", size=1000)
        class Base:
            def test(self, smtpd):
                assert seen(smtpd) == ("localhost", "child", "1000")

        @pytest.mark.smtpd(banner="child")
        class TestChild(Base):
            pass
    """,
    "param marks before function": """
        @pytest.mark.smtpd(banner="function", size=1000)
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.smtpd(banner="param"))])
        def test(smtpd, x):
            assert seen(smtpd) == ("localhost", "param", "1000")
    """,
    "parameter before all markers": """
        @pytest.mark.smtpd(banner="function", size=1000)
        @pytest.mark.parametrize("smtpd", [
            pytest.param({"banner": "parameter"}, marks=pytest.mark.smtpd(banner="param", hostname="p.example")),
        ], indirect=True)
        def test(smtpd):
            assert seen(smtpd) == ("p.example", "parameter", "1000")
    """,
    "marker before smtpd_config": """
        @pytest.fixture
        def smtpd_config():
            return {"banner": "config", "size": 1000}

        @pytest.mark.smtpd(banner="function")
        def test(smtpd):
            assert seen(smtpd) == ("localhost", "function", "1000")
    """,
    "a nearer default undoes a setting": """
        pytestmark = pytest.mark.smtpd(size=1000, banner="module")

        @pytest.mark.smtpd(size=None, banner="")
        def test(smtpd):
            assert seen(smtpd) == ("localhost", "", None)
    """,
    "rules and settings of one test": """
        @pytest.mark.smtpd(banner="function")
        @pytest.mark.smtpd_on("mail_from", reply=451, times=1)
        @pytest.mark.parametrize("smtpd", [{"size": 1000, "on": on("rcpt_to", reply=550)}], indirect=True)
        def test(smtpd):
            assert seen(smtpd) == ("localhost", "function", "1000")
            assert attempt(smtpd).smtp_code == 451
            assert list(attempt(smtpd).recipients.values())[0][0] == 550
    """,
    "two parameters of one test": """
        @pytest.mark.parametrize("size", [1000])
        @pytest.mark.parametrize(("smtpd", "expected"), [({"banner": "one"}, "one")], indirect=["smtpd"])
        def test(smtpd, expected, size):
            assert seen(smtpd) == ("localhost", expected, None)
    """,
}

SEEN = """
def seen(server):
    return *greeting(server), features(server).get("size") or None
"""


@pytest.mark.parametrize("source", SETTINGS.values(), ids=SETTINGS)
def test_settings_merge_key_by_key(run: Run, source: str) -> None:
    run(SEEN + textwrap.dedent(source)).assert_outcomes(passed=1)


def test_counters_start_fresh_in_each_test(run: Run) -> None:
    result = run(
        WORD
        + textwrap.dedent("""
        SHARED = word("shared")

        @pytest.mark.parametrize("n", range(2))
        @pytest.mark.smtpd(on=[SHARED])
        def test_marker(smtpd, n):
            assert order(smtpd) == ["shared"]

        @pytest.mark.parametrize("n", range(2))
        def test_body(smtpd, smtpd_factory, n):
            assert order(smtpd_factory("a", on=[SHARED])) == order(smtpd_factory("b", on=[SHARED])) == ["shared"]
    """)
    )
    result.assert_outcomes(passed=4)
