"""`smtpd_config` at every level and scope, and tests that put their own `smtpd` on top of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
Failure = Callable[..., pytest.TestReport]


def test_smtpd_config_of_conftest_module_and_class(run: Run) -> None:
    result = run(
        """
        def test_conftest(smtpd):
            assert (banner(smtpd), order(smtpd)) == ("conftest", ["conftest"])

        class TestClass:
            @pytest.fixture
            def smtpd_config(self):
                return {"banner": "class"}

            def test_class_replaces_it(self, smtpd):
                assert (banner(smtpd), order(smtpd)) == ("class", [])

        class TestUnion:
            @pytest.fixture
            def smtpd_config(self, smtpd_config):
                return {**smtpd_config, "hostname": "class.example"}

            def test_class_builds_on_it(self, smtpd):
                assert greeting(smtpd) == ("class.example", "conftest")
        """,
        test_module="""
        @pytest.fixture
        def smtpd_config():
            return {"banner": "module"}

        def test_module(smtpd):
            assert (banner(smtpd), order(smtpd)) == ("module", [])
        """,
        conftest="""
        @pytest.fixture
        def smtpd_config():
            return {"banner": "conftest", "on": [on("rcpt_to", reply="550 5.1.1 conftest", times=1)]}
        """,
    )
    result.assert_outcomes(passed=4)


def test_the_default_config_can_be_built_upon(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def smtpd_config(smtpd_config):
            assert isinstance(smtpd_config, dict)
            return {**smtpd_config, "banner": "built"}

        def test_it(smtpd):
            assert banner(smtpd) == "built"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_smtpd_config_with_a_wider_scope(run: Run, scope: str) -> None:
    result = run(f"""
        made = []

        @pytest.fixture(scope="{scope}")
        def smtpd_config():
            made.append(1)
            return {{"banner": "wide", "on": [on("rcpt_to", reply="550 5.1.1 wide", times=1)]}}

        class TestIt:
            @pytest.mark.parametrize("n", range(2))
            def test_counters_start_fresh_all_the_same(self, smtpd, n):
                assert (banner(smtpd), order(smtpd), made) == ("wide", ["wide"], [1])
    """)
    result.assert_outcomes(passed=2)


def test_smtpd_config_is_not_changed_by_what_is_merged_into_it(run: Run) -> None:
    result = run("""
        CONFIG = {"banner": "config", "on": [on("rcpt_to", reply="550 5.1.1 config", times=1)]}

        @pytest.fixture(scope="session")
        def smtpd_config():
            return CONFIG

        @pytest.mark.smtpd(banner="marker", size=10)
        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1)
        def test_first(smtpd):
            smtpd.on("rcpt_to", reply="550 5.1.1 body", times=1)
            assert order(smtpd) == ["body", "marker", "config"]

        def test_second(smtpd):
            assert (banner(smtpd), order(smtpd)) == ("config", ["config"])
            assert list(CONFIG) == ["banner", "on"] and len(CONFIG["on"]) == 1
    """)
    result.assert_outcomes(passed=2)


def test_smtpd_config_applies_to_the_factory_and_its_arguments_win(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def smtpd_config():
            return {"banner": "config", "size": 1000, "on": [on("rcpt_to", reply="550 5.1.1 config", times=1)]}

        def test_it(smtpd_factory):
            relay = smtpd_factory("relay", banner="factory", on=[on("rcpt_to", reply="550 5.1.1 factory", times=1)])
            assert (banner(relay), features(relay)["size"]) == ("factory", "1000")
            assert order(relay) == ["factory", "config"]
    """)
    result.assert_outcomes(passed=1)


def test_smtpd_config_may_use_other_fixtures_and_parameters(run: Run) -> None:
    result = run("""
        @pytest.fixture(params=["one", "two"])
        def word(request):
            return request.param

        @pytest.fixture
        def smtpd_config(word):
            return {"banner": word}

        def test_it(smtpd, word):
            assert banner(smtpd) == word
    """)
    result.assert_outcomes(passed=2)


def test_a_wrong_smtpd_config_is_one_line_that_names_it(failure: Failure) -> None:
    report = failure("""
        @pytest.fixture
        def smtpd_config():
            return {"tsl": "implicit"}

        def test_it(smtpd):
            pass
    """)
    assert report.when == "setup"
    text = report.longreprtext.strip()
    assert "\n" not in text
    assert "smtpd_config" in text
    assert "unknown setting 'tsl' - did you mean 'tls'?" in text


def test_a_smtpd_config_that_is_no_dict_is_one_line_that_names_it(failure: Failure) -> None:
    report = failure("""
        @pytest.fixture
        def smtpd_config():
            return [on("connect", reply=421)]

        def test_it(smtpd):
            pass
    """)
    assert report.when == "setup"
    assert "\n" not in report.longreprtext.strip()
    assert "smtpd_config" in report.longreprtext
    assert "dict" in report.longreprtext


# ---------------------------------------------------------------- overriding smtpd


def test_a_class_or_module_may_override_smtpd_and_build_on_it(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def smtpd(smtpd):
            smtpd.on("rcpt_to", reply="550 5.1.1 module", times=1)
            return smtpd

        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1)
        def test_module(smtpd):
            assert order(smtpd) == ["module", "marker"]

        def test_the_rule_of_a_fixture_is_optional(smtpd):
            pass

        class TestIt:
            @pytest.fixture
            def smtpd(self, smtpd):
                smtpd.on("rcpt_to", reply="550 5.1.1 class", times=1)
                return smtpd

            @pytest.mark.parametrize("smtpd", [{"size": 1000}], indirect=True)
            @pytest.mark.smtpd(banner="marked")
            def test_class(self, smtpd):
                assert (banner(smtpd), features(smtpd)["size"]) == ("marked", "1000")
                assert order(smtpd) == ["class", "module"]
    """)
    result.assert_outcomes(passed=3)


def test_an_override_may_return_something_built_around_our_server(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def smtpd(smtpd):
            return {"server": smtpd, "url": smtpd.url}

        @pytest.mark.smtpd(banner="marked")
        def test_it(smtpd):
            assert banner(smtpd["server"]) == "marked"
    """)
    result.assert_outcomes(passed=1)


def test_an_override_may_come_from_the_factory(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def smtpd(smtpd_factory):
            return smtpd_factory("smtpd", banner="own")

        def test_it(smtpd):
            assert banner(smtpd) == "own"
    """)
    result.assert_outcomes(passed=1)
