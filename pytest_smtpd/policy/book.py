"""The rules of one server, nearest first."""

import threading
from collections.abc import Iterable, Iterator

from pytest_smtpd.rules import Rule


class RuleBook:
    """What the server is asked to do. Read on the loop, written from any thread, one at a time."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._by_hook: dict[str, tuple[Rule, ...]] = {}
        self._all: tuple[Rule, ...] = ()
        self._writing = threading.Lock()
        for rule in rules:
            self.add(rule)

    def __iter__(self) -> Iterator[Rule]:
        """All rules, ended ones too, nearest first."""
        return iter(self._all)

    def add(self, rule: Rule, *, nearest: bool = False) -> None:
        """Add a rule, behind the others or before them."""
        with self._writing:
            here = self._by_hook.get(rule.hook, ())
            self._by_hook[rule.hook] = (rule, *here) if nearest else (*here, rule)
            self._all = (rule, *self._all) if nearest else (*self._all, rule)

    def at(self, hook: str) -> tuple[Rule, ...]:
        """The rules for this hook, nearest first."""
        return self._by_hook.get(hook, ())

    def replace(self, rules: Iterable[Rule]) -> None:
        """These rules instead."""
        fresh = RuleBook(rules)
        with self._writing:
            self._by_hook, self._all = fresh._by_hook, fresh._all
