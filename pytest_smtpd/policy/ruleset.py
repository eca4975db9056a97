"""The rules of one server, nearest first."""

import threading
from collections.abc import Iterable, Iterator

from pytest_smtpd.rules.rule import Rule


class RuleSet:
    """The rules of a server. Read in the server's thread, written from any thread, one at a time.

    ``by_hook`` holds the rules that may still apply; ``every`` all of them, also those that are over.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.by_hook: dict[str, tuple[Rule, ...]] = {}
        self._declared = list(rules)  # nearest first
        self._added: list[Rule] = []  # nearest last
        self._writing = threading.Lock()
        for rule in self._declared:
            self.by_hook[rule.hook] = (*self.by_hook.get(rule.hook, ()), rule)

    @property
    def every(self) -> list[Rule]:
        """All rules, nearest first."""
        return [*reversed(self._added), *self._declared]

    def add(self, rule: Rule) -> None:
        """Add a rule in front of the others."""
        with self._writing:
            self.by_hook[rule.hook] = (rule, *self.by_hook.get(rule.hook, ()))
            self._added.append(rule)

    def at(self, hook: str) -> Iterator[Rule]:
        """The rules of one hook that are not over, nearest first. Those that are over are dropped on the way."""
        rules = self.by_hook.get(hook, ())
        for rule in rules:
            if not rule.over:
                yield rule
            elif self.by_hook.get(hook) is rules:
                self._drop_ended(hook)

    def _drop_ended(self, hook: str) -> None:
        with self._writing:
            remaining = tuple(rule for rule in self.by_hook.get(hook, ()) if not rule.over)
            if remaining:
                self.by_hook[hook] = remaining
            else:
                self.by_hook.pop(hook, None)

    def replace(self, rules: Iterable[Rule]) -> None:
        """Replace the rules by these."""
        fresh = RuleSet(rules)
        with self._writing:
            self.by_hook, self._declared, self._added = fresh.by_hook, fresh._declared, fresh._added

    def pinned(self) -> "RuleSet":
        """These rules, even after ``replace`` has installed others. Rules added before that are added here too."""
        pinned = RuleSet()
        pinned.by_hook = self.by_hook
        return pinned

    def forked(self) -> None:
        """In the child of a fork: the thread that had the lock does not exist here."""
        self._writing = threading.Lock()
