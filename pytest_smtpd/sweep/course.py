"""The course of a sweep: the next point, and the results of all runs."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from pytest_smtpd import Auth
from pytest_smtpd.clock import monotonic
from pytest_smtpd.sweep.block import NOBODY, function_at
from pytest_smtpd.sweep.checks import Scene, tries_again
from pytest_smtpd.sweep.claims import shown
from pytest_smtpd.sweep.judge import FINDINGS, NOTICES, Offence, offences
from pytest_smtpd.sweep.points import Dialogue, Point, always, points_of
from pytest_smtpd.sweep.run import Run

_SHORTEST_SECRET: Final = 6  # shorter ones may be words like any other
_LONGEST: Final = 160  # characters of what the application said
_SLACK: Final = 0.5  # seconds: a busy machine is no client that hangs
PATIENCE: Final = 5.0  # seconds that a client may wait for a server that hangs, if its timeout is not known
_NUMBERS: Final = re.compile(r"0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)*", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[^\s'\"<>(){}:,;=]+@[^\s'\"<>(){}:,;]+")
_REPLIES: Final = re.compile(r"(?:(?:0[ -])?\.\.\.(?:\\r|\\n|\s)*)+")  # all lines of one, with their codes


class Order(NamedTuple):
    """The choices of the command line and of earlier runs, which override the options.

    ``only`` are ids of points of any level; ``first`` those that failed last time; ``off`` runs no point at all.
    ``part`` of ``parts`` is which share of the points is run. ``again`` gives the command that runs one point again.
    """

    only: Sequence[str] = ()
    first: Sequence[str] = ()
    off: bool = False
    part: int = 1
    parts: int = 1
    again: Callable[[str], str] | None = None


class Outcome:
    """The results of one point (``point`` is None for the run without a fault)."""

    def __init__(self, point: Point | None) -> None:
        self.point: Point | None = point
        self.found: list[Offence] = []
        self.sometimes: list[Offence] = []
        self.said: dict[str, str] = {}  # by whom it concerns
        self.alike: dict[str, str] = {}  # the same, without what differs from point to point
        self.transcript: str = ""
        self.reached: bool = True
        self.runs: int = 0

    def add(self, run: Run, found: Sequence[Offence], *, keep: bool = False) -> None:
        """Another run of the point. What it does not show again was there by chance. ``keep`` its transcript anyway."""
        self.runs += 1
        self.reached = run.reached
        if self.runs == 1:
            self.found = list(found)
            said = {offence.about: _claim(run, offence.about) for offence in found}
            self.said = {about: _for_people(text, run) for about, text in said.items()}
            self.alike = {about: _alike(text, run) for about, text in said.items()}
            if found or keep:
                self.transcript = run.log.transcript()
            return
        again = {_identity(offence) for offence in found}
        self.sometimes = [one for one in self.found if _identity(one) not in again]
        self.found = [one for one in self.found if _identity(one) in again]

    def findings(self) -> list[Offence]:
        """The offences that fail the test."""
        return [offence for offence in self.found if offence.row.name in FINDINGS]

    def notices(self) -> list[Offence]:
        """The offences that are only reported."""
        return [offence for offence in self.found if offence.row.name in NOTICES]


def _identity(offence: Offence) -> tuple[str, str]:
    """The key under which the same offence is recognised in another run."""
    return offence.row.name, offence.about


def _claim(run: Run, about: str) -> str:
    """The claim of the application, in one line."""
    if "@" in about:
        return run.claims.of(about).line
    return "returned normally" if run.error is None else f"raised {shown(run.error)}"


def _alike(text: str, run: Run) -> str:
    """The claim without numbers, addresses and the texts of the server's replies."""
    replies = {line for call in run.calls for reply in call.replies for line in reply.text.splitlines()}
    raw = run.point.options.get("raw", b"") if run.point is not None else b""
    replies.update(raw.decode("ascii", "backslashreplace").splitlines())
    for line in sorted(filter(None, replies), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(line)}(?!\w)", "...", text)
    return _REPLIES.sub("...", _NUMBERS.sub("0", _ADDRESS.sub("@", text)))


def _for_people(text: str, run: Run) -> str:
    """An application may put into its errors what a report must not show: passwords, control characters."""
    for call in run.calls:
        password = call.argument.password if isinstance(call.argument, Auth) else None
        if password and len(password) >= _SHORTEST_SECRET:
            text = text.replace(password, "***")
    text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 10]}..."


class Course:
    """Gives out points, and collects what their runs have shown."""

    def __init__(self, options: Mapping[str, Any], order: Order) -> None:
        self.options: Mapping[str, Any] = options
        self.order: Order = order
        self.timeout: float | None = options["timeout"]
        self.measured: bool = False
        self.clean: Run | None = None
        self.scene: Scene | None = None
        self.outcomes: dict[str | None, Outcome] = {}
        self.planned: int = 0
        self.place: tuple[str, int] | None = None  # the file and the line of the block
        self.left_out: list[str] = []  # points at which the client would wait for too long
        self.retries: bool = False  # whether the application was seen to try again
        self.began: float = monotonic()
        self._queue: deque[Point | None] = deque([None])
        self._always_added = False
        self._points: list[Point] = []
        self.known: Sequence[str] = ()  # the ids of all points of this dialogue, where some are asked for by theirs
        self.at_level: Sequence[str] = ()  # the ids of all points at this level, chosen or not

    # --- what comes next --------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be run."""
        if not self._queue and self.retries and not self._always_added:
            self._add_always()
        return not self._queue or (self.not_run > 0 and self._is_over_budget())

    def next(self) -> Point | None:
        """The next point; None for the run without a fault."""
        return self._queue.popleft()

    @property
    def not_run(self) -> int:
        """How many points have still to be run."""
        return len({point.id for point in self._queue if point is not None and point.id not in self.outcomes})

    def _is_over_budget(self) -> bool:
        budget = self.options["budget"]
        return budget is not None and monotonic() - self.began > budget

    def _add_always(self) -> None:
        self._always_added = True
        added = [lasting for point in self._points if (lasting := always(point))]
        self._plan([point for point in added if self._is_chosen(point.id)])

    def _plan(self, points: Sequence[Point]) -> None:
        self._queue.extend(points)
        self.planned += len(points)

    def _is_chosen(self, name: str) -> bool:
        only, skip = self.options["only"], self.options["skip"]
        if only and not any(fnmatchcase(name, pattern) for pattern in only):
            return False
        return not any(fnmatchcase(name, pattern) for pattern in skip)

    # --- the results ------------------------------------------------------------------------------------------------

    @property
    def application(self) -> str:
        """Who it is whose mails are sent, in a report: the function that the block calls, if that can be told."""
        return NOBODY if self.place is None else function_at(*self.place)

    def begin(self, clean: Run, current: Mapping[str, Any], can_be_set: Callable[[Mapping[str, Any]], bool]) -> None:
        """The run without a fault: what follows from its dialogue.

        ``current`` are the sets among the settings of the server; ``can_be_set`` is whether others go with the rest.
        """
        self.clean = clean
        recipients = list(dict.fromkeys(address for envelope in clean.accepted for address in envelope.rcpt_to))
        self.scene = Scene(clean, recipients, self.timeout)
        dialogue = Dialogue(clean.calls, clean.accepted, clean.sessions)
        chosen = [] if self.order.off else self._choose(dialogue, current, can_be_set)
        share = chosen[self.order.part - 1 :: self.order.parts]
        failed = set(self.order.first)
        self._points = sorted(share, key=lambda point: point.id not in failed)
        self._plan(self._points)
        self._judge(clean)

    def _choose(
        self, dialogue: Dialogue, current: Mapping[str, Any], can_be_set: Callable[[Mapping[str, Any]], bool]
    ) -> list[Point]:
        """The points that are asked for: by their ids on the command line, else by the options.

        Raises ``LookupError`` for a pattern of ``only`` that matches none.
        """
        every = [point for point in points_of(dialogue, "full", current) if can_be_set(point.settings)]
        if self.order.only:
            self._always_added = True
            every += [lasting for point in every if (lasting := always(point))]
            self.known = [point.id for point in every]
            return [point for point in every if point.id in self.order.only]
        chosen = {point.id for point in points_of(dialogue, self.options["level"], current)}
        self.at_level = [point.id for point in every if point.id in chosen]
        for pattern in self.options["only"]:
            chosen |= _beyond_level(pattern, chosen, [point.id for point in every])
        return [point for point in every if point.id in chosen and self._is_chosen(point.id)]

    def add(self, run: Run) -> None:
        """Another run has ended."""
        assert self.scene is not None
        if run.point is None:
            self._compare_clean(run)
            return
        if _hangs(run.point) and self.timeout is None and not self._measure(run):
            return
        self.scene = self.scene._replace(timeout=self.timeout)
        self.retries = self.retries or tries_again(run, self.scene)
        self._judge(run)

    def _judge(self, run: Run) -> None:
        assert self.scene is not None
        name = None if run.point is None else run.point.id
        outcome = self.outcomes.setdefault(name, Outcome(run.point))
        usual = () if run.point is None else {_identity(one) for one in self.outcomes[None].found}
        found = [one for one in offences(run, self.scene) if _identity(one) not in usual]
        outcome.add(run, found, keep=bool(self.order.only))
        if outcome.runs == 1:
            self._repeat(run, {one.row.name for one in found if self._needs_proof(one)})

    def _needs_proof(self, offence: Offence) -> bool:
        """Whether the point is run once more, to see that this was no chance."""
        return offence.row.name in FINDINGS or offence.row.name == "slow" or bool(self.options["strict"])

    def _repeat(self, run: Run, names: set[str]) -> None:
        """Run the point again for its findings; if the content differs, the run without a fault too."""
        if names:
            self._queue.appendleft(run.point)
        if "content" in names and None not in self._queue:
            self._queue.appendleft(None)  # the content may differ from run to run

    def _compare_clean(self, run: Run) -> None:
        """A second run without a fault."""
        assert self.scene is not None
        assert self.clean is not None
        if sorted(run.content) != sorted(self.clean.content):
            self.scene = self.scene._replace(volatile=True)
        if self.outcomes[None].runs == 1:
            self.outcomes[None].add(run, offences(run, self.scene._replace(clean=run)))

    def _measure(self, run: Run) -> bool:
        """Measure the client's timeout at a server that hangs. Returns whether the client has one."""
        hit = run.hit
        if hit is None:
            return True
        ends = [call.at - hit.at for call in run.log.calls("close") if call.session is hit.session]
        gave_up = self.scene is not None and run.claims.any_failed(self.scene.recipients)
        if not ends and gave_up:  # and has not closed the connection
            ends = [run.reacting - (hit.at - run.calls[0].at)]
        if run.overrun or not ends or min(ends) > PATIENCE:
            self._leave_out(run)
            return False
        self.timeout, self.measured = min(ends), True
        return True

    def _leave_out(self, run: Run) -> None:
        """Leave out the points at which the server hangs: this client waits for too long."""
        hanging = [point for point in self._queue if point is not None and _hangs(point)]
        self.left_out = [*([] if run.point is None else [run.point.id]), *(point.id for point in hanging)]
        self._queue = deque(point for point in self._queue if point not in hanging)
        self._points = [point for point in self._points if point not in hanging]

    def limit(self, point: Point | None, connections: int, paused: float) -> float:
        """The seconds that a block may take after ``connections``, and ``paused`` seconds without any."""
        usual = 0.0 if self.clean is None else self.clean.seconds
        if self.timeout is None and point is not None and _hangs(point):
            return PATIENCE + usual + paused
        return 2 * (self.timeout or PATIENCE) * max(1, connections) + 2 * usual + paused + _SLACK


def _beyond_level(pattern: str, chosen: set[str], every: Sequence[str]) -> set[str]:
    """The points for a pattern of ``only`` that matches none at this level: those of level full that it matches."""
    if any(fnmatchcase(name, pattern) for name in chosen):
        return set()
    found = {name for name in every if fnmatchcase(name, pattern.removesuffix(":always"))}
    if not found:
        raise LookupError(pattern, every)
    return found


def _hangs(point: Point) -> bool:
    return bool(point.options.get("hang"))
