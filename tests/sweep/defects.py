"""For each finding and each notice: an application that has the defect, and one like it that has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from tests.sweep import applications as app
from tests.sweep.applications import Application
from tests.sweep.sweeping import WAYS, WORLDS

EVERYWHERE: Final = tuple(WORLDS)
PROTECTED: Final = ("starttls", "implicit", "lmtp")
UPGRADED: Final = ("starttls", "lmtp")
NO_CHILD: Final = ("sync", "async")


class Defect(NamedTuple):
    """``points`` are patterns of points that show it; ``beside`` is what both applications show anyway."""

    application: Application
    twin: Application
    points: Sequence[str]
    worlds: Sequence[str] = EVERYWHERE
    ways: Sequence[str] = WAYS
    beside: frozenset[str] = frozenset({"ambiguous"})
    options: Mapping[str, Any] = {}


AGAIN: Final = frozenset({"duplicate-recognisable"})

DEFECTS: Final[Mapping[str, Defect]] = {
    "lost": Defect(app.loses, app.careful, ["rcpt_to-*"]),
    "sent-but-failed": Defect(app.reports_quit, app.careful, ["QUIT*"]),
    "duplicate": Defect(app.queued_anew, app.queued, ["data-accept-drop*"], beside=AGAIN),
    "collateral": Defect(app.stops_at_the_first, app.careful, ["mail_from-*"]),
    "stranger": Defect(app.tells_the_postmaster, app.careful, ["rcpt_to-550-*"]),
    "content": Defect(app.explains_in_the_mail, app.careful, ["rcpt_to-550-*"]),
    "clear-password": Defect(app.password_in_clear, app.careful, ["STARTTLS-454", "*=STARTTLS"], UPGRADED),
    "downgrade": Defect(app.mail_in_clear, app.careful, ["STARTTLS-454", "*=STARTTLS"], UPGRADED),
    "bad-certificate": Defect(app.trusts_anybody, app.careful, ["certificate=*"], PROTECTED),
    "internal-error": Defect(app.splits_too_far, app.one_mail, ["mail_from-550*"], ways=NO_CHILD),
    "hang": Defect(app.waits_for_ever, app.careful, ["data-hang*"], options={"timeout": 0.5}),
    "leak": Defect(app.leaks, app.careful, ["mail_from-550*"], ways=NO_CHILD, options={"timeout": 0.5}),
    "gave-up": Defect(app.gave_up, app.queued, ["mail_from-451*", "mail_from-drop*"], beside=AGAIN),
    "permanent-retried": Defect(app.stubborn, app.queued, ["mail_from-*"], beside=AGAIN),
    "out-of-step": Defect(app.speaks_out_of_turn, app.careful, ["rcpt_to-550-to=cyd*"]),
    # notices
    "duplicate-recognisable": Defect(app.queued, app.careful, ["data-accept-drop*"]),
    "code-lost": Defect(app.says_nothing, app.careful, ["mail_from-5*"]),
    "masked": Defect(app.masks, app.one_mail, ["mail_from-550*"], ways=NO_CHILD),
    "after-421": Defect(app.resets_after_all, app.careful, ["mail_from-421-stays*"]),
    "auth-again": Defect(app.tries_the_password_again, app.careful, ["auth-535*"], PROTECTED),
    "intolerant": Defect(app.knows_250_only, app.careful, ["rcpt_to-251-*"]),
    "slow": Defect(app.dawdles, app.careful, ["connect-hang", "mail_from-hang"]),
    # With asyncio it is a leak: the loop still has the transport, so the garbage collection does not close it.
    "collected": Defect(app.forgets, app.careful, ["mail_from-550*"], ways=("sync",), options={"timeout": 0.5}),
    "ambiguous": Defect(app.careful, app.queued, ["data-accept-drop*"], beside=AGAIN),
}
