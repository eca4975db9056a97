"""The slips that everybody makes once: what is said of each, in one line, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_smtpd import SMTPServer, on

RULE = on("rcpt_to", reply=550)

SLIPS: dict[str, tuple[Callable[[SMTPServer], object], type[Exception], str]] = {
    "more words beside a rule": (
        lambda smtpd: smtpd.on(RULE, times=2),  # type: ignore[call-overload]
        TypeError,
        "on('rcpt_to', reply=550) is a rule already; give times= to the on(...) that makes it",
    ),
    "a misspelled word beside a rule": (
        lambda smtpd: smtpd.on(RULE, tims=2, skip=1),  # type: ignore[call-overload]
        TypeError,
        "on('rcpt_to', reply=550) is a rule already; give tims=, skip= to the on(...) that makes it",
    ),
    "a rule made of a rule": (
        lambda smtpd: on(RULE),  # type: ignore[arg-type]
        TypeError,
        "on('rcpt_to', reply=550) is a rule already",
    ),
    "a message kept that cannot come": (
        lambda smtpd: on("data", after=5, drop=True, accept=True),
        ValueError,
        "on('data'): after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
    ),
    "the same with hang": (
        lambda smtpd: on("data", after=5, reply=451, hang=True, accept=True),
        ValueError,
        "on('data'): after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
    ),
}


@pytest.mark.parametrize(("slip", "kind", "text"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_said_with_what_to_write_instead(
    smtpd: SMTPServer, slip: Callable[[SMTPServer], object], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        slip(smtpd)
    assert type(caught.value) is kind
    assert str(caught.value) == text
