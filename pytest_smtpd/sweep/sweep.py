"""Sweep and Fault: the loop that a test writes."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from pytest_smtpd import Rule, SMTPServer
from pytest_smtpd.clock import epoch, monotonic
from pytest_smtpd.errors import no_attribute
from pytest_smtpd.settings import SweepOptions
from pytest_smtpd.suggest import did_you_mean
from pytest_smtpd.sweep.claims import Claims, leaves
from pytest_smtpd.sweep.course import PATIENCE, Course, Order
from pytest_smtpd.sweep.options import OPTIONS, check_here, check_options
from pytest_smtpd.sweep.points import Point
from pytest_smtpd.sweep.report import Finding, SweepFailure, failure, summary, verdict_of
from pytest_smtpd.sweep.run import Run
from pytest_smtpd.sweep.stage import Stage
from pytest_smtpd.sweep.watch import Leftovers, Watchdog, let_go

__tracebackhide__ = True  # failures point at the loop

_GRACE: Final = 1.0  # seconds for what outlasts the block, as long as the client's timeout is not known
_SHOWN: Final = 12  # ids of points in an error about a pattern that matches none
_EVERYTHING: Final = Order()


class Fault:
    """One turn of a sweep's loop: ``with fault:``. An exception that leaves the block is a claim: the mail failed."""

    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown attributes
        __getattr__ = no_attribute

    def __init__(self, sweep: "Sweep", point: Point | None) -> None:
        #: The id of the failure point; None in the run without a fault.
        self.point: str | None = None if point is None else point.id
        #: What the server does wrong, written as the marker of a test; None in the run without a fault.
        self.rule: str | None = None if point is None else point.marker
        #: The exception that has left the block, as a claim.
        self.error: BaseException | None = None
        self._sweep = sweep
        self._claims = sweep._new_claims()
        self._misuse: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Fault {self.point or 'none'}>"

    def failed(self, *what: Any) -> None:
        """These recipients failed: addresses, or what ``sendmail()`` returned; without an argument all of them."""
        if not what:
            self._claims.all_failed()
        for one in what:
            self._claim(self._claims.failed, one)

    def delayed(self, *addresses: str) -> None:
        """The mail to these recipients (to all, without an argument) is still queued, and will be tried again."""
        self._claim(self._claims.delayed, addresses)

    def delivered(self, *addresses: str) -> None:
        """These recipients (all, without an argument) got the mail, whatever else is reported of them."""
        self._claim(self._claims.delivered, addresses)

    def _claim(self, say: Callable[[Any], None], what: Any) -> None:
        try:
            say(what)
        except TypeError as error:
            self._misuse = error
            raise

    def __enter__(self) -> Self:
        self._sweep._enter(self, sys._getframe(1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        __tracebackhide__ = True
        del traceback  # or it would keep the frames of the block, and their connections
        if not self._sweep._stop_watching(self, error):
            return False
        self._sweep._leftovers.wait(self._sweep._grace)
        return self._sweep._leave(self)

    async def __aenter__(self) -> Self:
        self._sweep._enter(self, sys._getframe(1))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        __tracebackhide__ = True
        del traceback  # or it would keep the frames of the block, and their connections
        if not self._sweep._stop_watching(self, error):
            return False
        await self._sweep._leftovers.wait_async(self._sweep._grace)
        return self._sweep._leave(self)


class Sweep:
    """Runs a block against every failure of its own dialogue: ``for fault in sweep: with fault: ...``.

    Its first turn is without a fault; the points follow from the dialogue of that turn. Calling it sets options and
    returns it. When all points have been run, the loop ends, or raises ``SweepFailure``. ``findings`` are its results.
    Raises ``RuntimeError`` if it is iterated a second time.
    """

    __module__ = "pytest_smtpd"

    def __init__(
        self, server: SMTPServer, options: Mapping[str, Any], order: Order = _EVERYTHING, name: str = "smtpd_sweep"
    ) -> None:
        #: The server that fails: the test's ``smtpd``.
        self.server: SMTPServer = server
        self.order: Order = order
        self._name: str = name  # how a test gets it, for errors about its use
        self.options: dict[str, Any] = {name: row.default for name, row in OPTIONS.items()} | check_options(options)
        #: The findings, the most serious first, once the loop has ended; notices are among them only under ``strict``.
        self.findings: tuple[Finding, ...] = ()
        self.counts: str = ""  # how many points there were and what came of them, of a sweep that has passed
        self.fixed: Mapping[str, Any] = {}  # options from the command line, which override all others
        self._course: Course | None = None
        self._dog = Watchdog(server.stop)
        self._fault: Fault | None = None  # that was given out, and has not been run
        self._point: Point | None = None
        self._stage = Stage(server)
        self._rule: Rule | None = None
        self._leftovers = Leftovers(server)
        self._seconds = self._began = 0.0
        self._ended = self._finished = False

    def __call__(self, **options: Unpack[SweepOptions]) -> Self:
        """Set options. Raises ``TypeError`` or ``ValueError`` with a one-line message for a mistake in them."""
        __tracebackhide__ = True
        self.options.update(check_here(options))
        return self

    def __repr__(self) -> str:
        done = 0 if self._course is None else len(self._course.outcomes.keys() - {None})
        return f"<Sweep of {self.server.name}, {done} {'point' if done == 1 else 'points'} run>"

    # --- the loop ---------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Fault]:
        __tracebackhide__ = True
        self._begin()
        return self

    def __next__(self) -> Fault:
        __tracebackhide__ = True
        fault = self._next()
        if fault is None:
            raise StopIteration
        return fault

    def __aiter__(self) -> AsyncIterator[Fault]:
        __tracebackhide__ = True
        self._begin()
        return self

    async def __anext__(self) -> Fault:
        __tracebackhide__ = True
        fault = self._next()
        if fault is None:
            raise StopAsyncIteration
        return fault

    def _begin(self) -> None:
        if self._course is not None:
            raise RuntimeError("a sweep is iterated once; for another one, ask for a fresh server")
        self._course = Course({**self.options, **self.fixed}, self.order)

    def _next(self) -> Fault | None:
        __tracebackhide__ = True
        assert self._course is not None
        if self._fault is not None:
            self.abandon()
            raise RuntimeError(f"the block 'with fault:' is missing in the loop; {self._use}")
        if self._course.is_over:
            self._finish()
            return None
        self._point = self._course.next()
        self._fault = Fault(self, self._point)
        return self._fault

    def _finish(self) -> None:
        __tracebackhide__ = True
        assert self._course is not None
        self.abandon()
        verdict = verdict_of(self._course)
        self._finished = True
        self.findings = tuple(verdict.findings)
        found = failure(self._course, verdict)
        if found is not None:
            raise found
        self.counts = summary(self._course, verdict)

    def abandon(self) -> None:
        """The loop is over, one way or another."""
        self._ended = True
        self._stage.end()
        self._dog.rest()

    @property
    def is_complete(self) -> bool:
        """Whether all points have been run."""
        return self._course is not None and self._finished

    @property
    def transcripts(self) -> list[tuple[str, str]]:
        """The points that were asked for by their ids, each with its transcript."""
        if self._course is None or not self.order.only:
            return []
        outcomes = self._course.outcomes.items()
        return [(name, outcome.transcript) for name, outcome in outcomes if name is not None]

    @property
    def unknown(self) -> list[str]:
        """The points that were asked for by their ids and are none of this dialogue, each with a suggestion."""
        known = () if self._course is None else self._course.known
        asked = [name for name in self.order.only if known and name not in known]
        hints = (did_you_mean(name, known, "failure point", listing=False) for name in asked)
        return [f"no failure point {name!r} here{hint}" for name, hint in zip(asked, hints, strict=True)]

    @property
    def problem(self) -> str | None:
        """The error about a loop that was not brought to its end; None if it was."""
        if self._course is None:
            return f"{self._name} was never iterated; {self._use}"
        if self._ended:
            return None
        left = self._course.not_run
        if not left:
            return "the loop was left early: findings are reported at its end"
        return f"the loop was left early: {left} of {self._course.planned} points were not run"

    @property
    def _use(self) -> str:
        return f"write: for fault in {self._name}: with fault: ... (async for and async with in a coroutine)"

    def verify(self) -> None:
        """Raise ``SweepFailure`` if the loop was left early, or never begun."""
        __tracebackhide__ = True
        if self.problem:
            raise SweepFailure(self.problem)

    # --- one turn ---------------------------------------------------------------------------------------------------

    def _enter(self, fault: Fault, block: FrameType) -> None:
        """Arm the fault, and begin to watch."""
        assert self._course is not None
        self._course.place = block.f_code.co_filename, block.f_lineno
        if fault is not self._fault:
            self.abandon()
            raise RuntimeError("each fault of a sweep is entered once, in its own turn of the loop")
        self._fault = None
        course, point, server = self._course, self._point, self.server
        self._rule = self._stage.set_up(point)
        self._leftovers = Leftovers(server)
        leftovers = self._leftovers
        self._began = monotonic() + epoch()
        self._dog.watch(lambda: course.limit(point, len(server.log.sessions()), leftovers.pauses(PATIENCE)))

    def _new_claims(self) -> Claims:
        clean = None if self._course is None else self._course.clean
        return Claims(None if clean is None else clean.claims)

    def _stop_watching(self, fault: Fault, error: BaseException | None) -> bool:
        """The block has ended. False if this exception is no claim, and has to leave the loop."""
        assert self._course is not None
        self._seconds = self._dog.rest()
        if error is None:
            return True
        if self._point is None or _is_no_claim(fault, error):
            self.abandon()
            return False
        if not (isinstance(error, SystemExit) and error.code in (None, 0)):
            fault.error = error
            fault._claims.raised(error)
            let_go(error)
        return True

    @property
    def _grace(self) -> float:
        """How long to wait for what outlasts the block; not at all where that is its way."""
        assert self._course is not None
        clean = self._course.clean
        if (clean is not None and clean.leaks) or self._is_deaf:
            return 0.0
        return self._course.timeout or _GRACE

    @property
    def _is_deaf(self) -> bool:
        """Whether the server does not read any more, and cannot see that the client has left."""
        return self._point is not None and {"after", "hang"} <= self._point.options.keys()

    def _leave(self, fault: Fault) -> bool:
        """Gather what the turn has shown. Swallows what has left the block."""
        __tracebackhide__ = True
        assert self._course is not None
        try:
            run = self._gather(fault)
            self._stage.reset()
            if self._point is None and self._course.clean is None:
                self._begin_with(run)
            else:
                self._check_claims(run)
                self._course.add(run)
        except BaseException:
            self.abandon()
            raise
        return True

    def _gather(self, fault: Fault) -> Run:
        before = [] if self._is_deaf else self._leftovers.in_words()
        if before:
            for error in fault._claims.errors:  # which the test may keep for longer than the application would
                let_go(error)
            self._leftovers.collect()
        after = self._leftovers.in_words() if before else []
        run = Run(self._point, self.server.log, fault._claims, self._rule)
        run.error, run.seconds, run.overrun = fault.error, self._seconds, self._dog.barked
        run.before = max(0.0, run.calls[0].at - self._began) if run.calls else 0.0
        closed = [what for what in before if what not in after]
        fault._claims.errors.clear()
        run.leaks, run.collected = after, list(dict.fromkeys([*self._stage.forgotten, *closed]))
        if run.overrun or self._is_deaf:
            self._stage.restart()
        return run

    def _begin_with(self, run: Run) -> None:
        """Judge whether the run without a fault is one."""
        assert self._course is not None
        if run.claims.any_failed(address for envelope in run.accepted for address in envelope.rcpt_to):
            raise SweepFailure(f"the run without a fault was reported as failed\n\n{run.log.transcript()}")
        if not run.accepted:
            raise SweepFailure(f"the run without a fault has delivered no mail{self._why_none(run)}")
        settings = self.server.settings
        try:
            self._course.begin(run, {"hide": settings.hide, "disable": settings.disable}, self._stage.can_be_set)
        except LookupError as error:
            pattern, known = error.args
            hint = did_you_mean(pattern, known, "failure point of this dialogue", listing=False)
            more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
            points = f"{', '.join(known[:_SHOWN])}{more}"
            raise SweepFailure(f"only={pattern!r} matches no failure point of this dialogue{hint} ({points})") from None
        self._check_claims(run)

    def _why_none(self, run: Run) -> str:
        """What there was instead of a mail: the conversation, or no connection at all."""
        if run.sessions:
            return f"\n\n{run.log.transcript()}".rstrip()
        where = f"{self.server.host} port {self.server.port}"
        return (
            f": no client has connected to {where}, where the server of this test listens (smtpd.host and smtpd.port)"
        )

    def _check_claims(self, run: Run) -> None:
        assert self._course is not None
        assert self._course.scene is not None
        problem = run.claims.unknown([*self._course.scene.recipients, *self._course.scene.clean.named, *run.named])
        if problem:
            raise SweepFailure(problem)


def _is_no_claim(fault: Fault, error: BaseException) -> bool:
    """Whether an exception is about the test, not about the mail: what ends tests, and what ends loops."""
    return any(
        one is fault._misuse or isinstance(one, AssertionError) or not isinstance(one, Exception | SystemExit)
        for one in leaves(error)
    )
