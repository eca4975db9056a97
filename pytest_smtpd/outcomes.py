"""A hook error fails its test, whichever exception the hook has raised."""

import sys

from pytest_smtpd.smtp.values import printable, safe_repr


class HookError(AssertionError):
    """A hook tried to skip, xfail or end its test, which no hook can, or raised what pytest cannot show."""

    __module__ = "pytest_smtpd"


def as_test_error(error: BaseException) -> BaseException:
    """The error with which a test fails for a hook error: the hook's own, unless that would undo the test."""
    if not isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, *_outcomes())):
        return error
    what = printable(f"{type(error).__name__}: {error}".rstrip(": "))
    failure = HookError(f"a hook raised {what}; a hook cannot skip or end its test, it accepts or raises Reject")
    return failure.with_traceback(error.__traceback__)


def as_pytest_error(error: BaseException) -> BaseException:
    """The same for pytest, which gets the error from the plugin: an error that pytest can show."""
    if _has_truth(error):
        return as_test_error(error)
    return HookError(f"a hook raised {safe_repr(error)}").with_traceback(error.__traceback__)


def _outcomes() -> tuple[type[BaseException], ...]:
    """The exceptions that test frameworks take for an outcome, of the frameworks that are imported."""
    pytest, unittest = sys.modules.get("pytest"), sys.modules.get("unittest.case")
    found = [] if pytest is None else [outcome.Exception for outcome in (pytest.skip, pytest.xfail, pytest.exit)]
    return (*found, *([] if unittest is None else [unittest.SkipTest]))


def _has_truth(error: BaseException) -> bool:
    """Whether an exception can be asked if it is true: pytest asks it, and ends the whole run if it cannot."""
    try:
        return bool(error) or True
    except BaseException:
        return False
