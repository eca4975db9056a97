"""Hook functions that remember what came before."""

from typing import Any, Self


class Stateful:
    """A hook function with a memory. Each rule that is copied for a server gets a fresh one, which remembers nothing.

    So a marker's rule counts for each server and each test apart.
    """

    def __call__(self, *args: Any) -> Any:
        """Decide, like any hook function."""
        raise NotImplementedError

    def fresh(self) -> Self:
        """The same function with a fresh state."""
        raise NotImplementedError

    def check(self, hook: str) -> None:
        """Raise ``TypeError`` with a one-line message for a hook at which it could never decide."""
