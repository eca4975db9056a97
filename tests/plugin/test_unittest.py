"""unittest.TestCase: markers on methods, verification, and the outcomes that unittest keeps to itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]


def test_unittest_classes_are_verified(run: Run) -> None:
    result = run("""
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _smtpd(self, smtpd):
                self.smtpd = smtpd

            def test_hook(self):
                @self.smtpd.on("mail_from")
                def broken(address, session):
                    raise ValueError("in unittest")
                attempt(self.smtpd)

            @pytest.mark.smtpd_on("mail_from", reply=550)
            def test_unused(self):
                pass

            @pytest.mark.smtpd_on("mail_from", reply=550)
            def test_used(self):
                self.assertEqual(attempt(self.smtpd).smtp_code, 550)
    """)
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["E *ValueError: in unittest"])


def test_outcomes_of_unittest_are_never_hidden(run: Run) -> None:
    """unittest swallows its exceptions, so that a test that failed looks to a plugin like one that passed."""
    result = run(
        """
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _smtpd(self, smtpd):
                self.smtpd = smtpd

            @pytest.mark.smtpd_on("rcpt_to", reply=550)
            def test_fails(self):
                self.fail("of the test")

            @pytest.mark.smtpd_on("rcpt_to", reply=550)
            def test_skips(self):
                self.skipTest("of the test")

            @pytest.mark.smtpd_on("rcpt_to", reply=550)
            @unittest.expectedFailure
            def test_expected(self):
                self.fail("of the test")

            def test_fails_after_a_hook(self):
                self.smtpd.on("mail_from", call=lambda address, session: int("of the hook"))
                attempt(self.smtpd)
                self.fail("of the test")
        """,
        "-rfsx",
    )
    result.assert_outcomes(failed=2, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *test_fails - AssertionError: of the test",
            "FAILED *test_fails_after_a_hook - AssertionError: of th*",
            "*ValueError: invalid literal for int() with base 10: 'of the hook'",
            "SKIPPED *of the test",
        ]
    )
    result.stdout.no_fnmatch_line("*never used*")


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 reports subtests")
def test_each_failing_subtest_of_unittest_has_the_transcript(run: Run) -> None:
    result = run("""
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _smtpd(self, smtpd):
                self.smtpd = smtpd

            def test_it(self):
                for n in range(2):
                    with self.subTest(n=n):
                        send(self.smtpd, f"number{n}@example.com")
                        self.assertEqual(n, 0)
    """)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*Captured smtpd call*", "*number1@example.com*"])
