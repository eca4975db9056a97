"""What a report says, and what our sections at its end say."""

from __future__ import annotations

import re

import pytest

_OURS = re.compile(r"-+ (Captured smtpd (?:\([^\n]*\) )?(?:setup|call|teardown)) -+\n")


def sections(report: pytest.TestReport) -> dict[str, str]:
    """Our sections, by their titles."""
    _, *rest = _OURS.split(report.longreprtext)
    return dict(zip(rest[::2], rest[1::2], strict=True))


def failure_text(report: pytest.TestReport) -> str:
    """The text of the failure itself."""
    return _OURS.split(report.longreprtext)[0]
