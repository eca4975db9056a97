"""Something done beside the test, whose result or failure the test gets."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Background:
    """A call in a thread for the length of a block, joined at its end."""

    def __init__(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> None:
        self._call = (function, args, keywords)
        self._error: BaseException | None = None
        self.result: Any = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive(), "still running"
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        function, args, keywords = self._call
        try:
            self.result = function(*args, **keywords)
        except BaseException as error:  # noqa: BLE001 - the test gets it
            self._error = error
