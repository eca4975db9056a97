"""What several threads do at once: rules that are added, hooks that have just returned."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.rules import Rule


class Yielding(Rule):
    """A rule that lets another thread have its turn whenever it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        time.sleep(0)
        return super().__getattribute__(name)


def test_no_rule_is_lost_that_two_threads_add_at_once() -> None:
    book = RuleBook()
    start = threading.Barrier(4)

    def add() -> None:
        start.wait(20)
        for _ in range(50):
            book.add(Yielding("rcpt_to", {"reply": 550}), nearest=True)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(book.at("rcpt_to")) == len(list(book)) == 200


def test_a_hook_that_has_returned_is_not_blocked_though_the_loop_has_not_heard_of_it() -> None:
    async def main() -> tuple[list[threading.Thread], list[str]]:
        loop = asyncio.get_running_loop()
        told = threading.Event()

        class Loop:
            create_future = loop.create_future

            def call_soon_threadsafe(self, *args: Any) -> None:
                told.set()  # and the loop is busy

        workers = Workers(Loop(), "test")  # type: ignore[arg-type]
        workers.submit(int, ())
        assert told.wait(20)
        return workers.dismiss()

    (thread,), blocked = asyncio.run(main())
    assert blocked == []
    thread.join(20)
    assert not thread.is_alive()
