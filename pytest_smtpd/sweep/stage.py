"""The server of a sweep as one run needs it: emptied, set up for the point, and afterwards as it was before."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from pytest_smtpd import Rule, SMTPServer, on
from pytest_smtpd.sweep.points import Point
from pytest_smtpd.sweep.watch import forgotten


class Stage:
    """The server between runs and during one of them."""

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._undo = ExitStack()
        self.forgotten: list[str] = []  # connections of this run that only the garbage collection has closed
        self._used: dict[Rule, int] = {}  # how often the test's own rules were used in earlier runs

    def set_up(self, point: Point | None) -> Rule | None:
        """Empty the log, and make the server fail at this point. Returns the rule that does it, if it is a rule."""
        self._server.clear()
        self._begin_anew(self._server.rules)
        self.forgotten = self._undo.enter_context(forgotten(self._server.port))
        return None if point is None else self._arm(point)

    def _begin_anew(self, rules: Sequence[Rule]) -> None:
        """The test's own rules count from the start in each run, and in the end over all of them."""
        for rule in rules:
            self._used[rule] = self._used.get(rule, 0) + rule.used
            rule.begin_anew()
        self._server.use_rules(rules)  # also those that the server has dropped because they were over

    def _arm(self, point: Point) -> Rule | None:
        server = self._server
        if point.stopped:
            server.stop()
            self._undo.callback(server.start)
        elif point.step is None:
            self._undo.enter_context(server.changed(**point.settings))
        else:
            rule = self._undo.enter_context(server.on(on(point.hook, **point.options)))
            rule.optional = True  # not to be reached is no failure of the test
            self._undo.callback(lambda: server.use_rules([one for one in server.rules if one is not rule]))
            return rule
        return None

    def restart(self) -> None:
        """Stop the server, which ends every connection, and start it again."""
        self._server.stop()
        self._server.start()

    def reset(self) -> None:
        """Take back what ``set_up`` has done for a point."""
        self._undo.close()

    def end(self) -> None:
        """Reset, and let the test's own rules count over all runs."""
        for rule, used in self._used.items():
            rule.used += used
        self._used.clear()
        self.reset()

    def can_be_set(self, settings: Mapping[str, Any]) -> bool:
        """Whether settings do not contradict those of the test."""
        try:
            with self._server.changed(**settings):
                return True
        except ValueError:
            return False
