"""A browser for the tests that look at a page; without one they are skipped, or fail where one has to be there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.view.browser import NAMES, Browser, program


@pytest.fixture(scope="session")
def _browser() -> Iterator[Browser]:
    if program() is None:
        assert not os.environ.get("PYTEST_SMTPD_REQUIRE_BROWSER"), f"none of {', '.join(NAMES)} is installed"
        pytest.skip(f"needs one of {', '.join(NAMES)}: tests/view/install.sh installs Debian's")
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(_browser: Browser) -> Browser:
    """Return a browser with nothing open."""
    _browser.call("Page.navigate", url="about:blank")
    _browser.events.clear()
    return _browser
