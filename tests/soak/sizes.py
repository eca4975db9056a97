"""How much: reduced for every run of the suite, in full with PYTEST_SMTPD_SOAK=full in the environment."""

import os

FULL = os.environ.get("PYTEST_SMTPD_SOAK", "") == "full"


def sized(reduced: int, full: int) -> int:
    """The number that applies."""
    return full if FULL else reduced
