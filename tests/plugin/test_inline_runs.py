"""Plugins' authors run pytest inside of pytest: what the inner run imports is thrown away, and imported again."""

from __future__ import annotations

import pytest

OUTER = """
    import pytest

    pytest_plugins = ["pytester"]

    INNER = '''
    import pytest
    from pytest_smtpd import Reject, WaitTimeout, on

    @pytest.mark.parametrize("smtpd", [on("connect", reply=421, optional=True), {"tls": "implicit"}], indirect=True)
    def test_inner(smtpd, smtpd_ca):
        assert smtpd.ca is smtpd_ca
        with pytest.raises(WaitTimeout):
            smtpd.wait_for(timeout=0)

        @smtpd.on("connect", optional=True)
        def refuse(session):
            raise Reject(421)
    '''

    @pytest.mark.parametrize("time", range(3))
    def test_outer(pytester, time):
        pytester.makepyfile(INNER)
        pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
"""


@pytest.mark.wide
def test_the_plugin_works_in_every_inline_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(OUTER)
    pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider").assert_outcomes(passed=3)
