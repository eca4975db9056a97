"""One message on its way through its rules and its hook, handed over piece by piece. No network, no connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.clock import Clock
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.policy.message import Message
from pytest_smtpd.policy.responder import Responder
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.rules import Rule
from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import Transaction
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import Answer, Fin, Send, Stall, Step, Wait

HEAD, REST = b"Subject: Hi\r\n", b"\r\nHello\r\n"
TWO = ("ada@example.com", "bob@example.com")
THREE = (*TWO, "eve@example.com")
MEBIBYTE = 1 << 20

Main = Callable[["Letter"], Awaitable[Any]]


class Letter:
    """A message from app@example.com, and the policy that it meets. Used on a running loop."""

    def __init__(self, rules: Sequence[Rule], recipients: Sequence[str], **settings: Any) -> None:
        options = make_settings(settings)
        self.session = Session(id="1", lmtp=options.lmtp)
        self.mail = Transaction(number=1, mail_from=Address("app@example.com"), parameters={})
        self.mail.recipients += map(Address, recipients)
        self.session.mail = self.mail
        self.book = RuleBook(rules)
        self.workers = Workers(asyncio.get_running_loop(), "test")
        journal = Journal(Clock())
        self.responder = Responder(options, self.session, self.book, journal, self.workers)
        self.call = self.responder.begin("data", Stream())
        self.message = Message(self.responder, self.call)

    async def bring(self, *chunks: bytes) -> list[Rule | None]:
        """Content arrives; what strikes at each chunk."""
        return [await self._bring(chunk) for chunk in chunks]

    async def _bring(self, chunk: bytes) -> Rule | None:
        self.mail.add(chunk, None)
        return await self.message.feed(chunk, self.mail.size)

    async def deliver(self, *chunks: bytes) -> Answer:
        await self.message.start()
        await self.bring(*(chunks or (HEAD, REST)))
        return await self.complete()

    async def complete(self) -> Answer:
        return await self.message.complete(replies.MESSAGE_OK, final=False)


def send(*rules: Rule, main: Main | None = None, to: Sequence[str] = TWO[:1], **settings: Any) -> Any:
    """Let a message pass these rules; what ``main`` gives, or the answer."""

    async def sent() -> Any:
        letter = Letter(rules, to, **settings)
        try:
            async with asyncio.timeout(20):
                return await (letter.deliver() if main is None else main(letter))
        finally:
            threads, _ = letter.workers.dismiss()
            for thread in threads:
                await asyncio.to_thread(thread.join, 5)

    return asyncio.run(sent())


def codes(answer: Answer) -> list[int]:
    return [reply.code for reply in answer.replies]


def steps(answer: Answer) -> list[Step]:
    data = b"".join(reply.wire for reply in answer.replies)
    dressed = list(answer.dress(data)) if answer.dress else [Send(data)]
    return [step for step in dressed if step != Send(b"")]


async def settled() -> None:
    """Whoever can go on has gone on as far as possible."""
    for _ in range(20):
        await asyncio.sleep(0)


def nothing(stream: Stream, session: Session) -> None:
    """A hook that returns without reading."""


async def read(stream: Stream, session: Session) -> None:
    await stream.aread()


def refuse(stream: Stream, session: Session) -> None:
    raise Reject(450, "4.7.1 later")


# --- which rule decides ------


CHOICES: list[tuple[list[Rule], int, int | None]] = [
    ([], 250, None),
    ([on("data", reply=554), on("data", reply=451)], 554, 0),
    ([on("data", reply=250), on("data", reply=451)], 250, 0),
    ([on("data", to="bob@*", reply=554), on("data", to="ada@*", reply=451)], 451, 1),
    ([on("data", mail_from="other@*", reply=554)], 250, None),
    ([on("data", mail_from="app@*", reply=554)], 554, 0),
    ([on("data", user="ada", reply=554)], 250, None),
    ([on("data", subject="Hi", reply=554)], 554, 0),
    ([on("data", subject="Other", reply=554)], 250, None),
    ([on("data", subject="Other", reply=554), on("data", reply=451)], 451, 1),
    ([on("data", subject="Hi", reply=554), on("data", reply=451)], 554, 0),
    ([on("data", subject="Hi", reply=554), on("data", call=nothing)], 554, 0),
    ([on("data", subject="Other", reply=554), on("data", call=nothing)], 250, 1),
    ([on("data", reply=451), on("data", subject="Hi", reply=554)], 451, 0),
    ([on("data", when=lambda call: b"Hello" in call.session.envelope.content, reply=554)], 554, 0),
    ([on("data", when=lambda call: b"Servus" in call.session.envelope.content, reply=554)], 250, None),
    ([on("data", drip=1), on("data", reply=554)], 554, 1),
    ([on("data", drip=1)], 250, None),
    ([on("data", skip=1, reply=554), on("data", reply=451)], 451, 1),
    ([on("data", after=99, reply=552), on("data", reply=451)], 451, 1),
    ([on("data", after=1, reply=552)], 250, None),  # nothing here looks at what feed() says
    ([on("rcpt_to", reply=550)], 250, None),
]


@pytest.mark.parametrize(("rules", "code", "place"), CHOICES)
def test_the_nearest_rule_that_matches_and_answers_decides(rules: list[Rule], code: int, place: int | None) -> None:
    fresh = [rule.copy() for rule in rules]
    answer = send(*fresh)
    assert codes(answer) == [code]
    assert answer.rule is (None if place is None else fresh[place])
    assert answer.outcome == ("accepted" if code == 250 else "refused")


@pytest.mark.parametrize(
    ("rules", "used"),
    [
        ([on("data", reply=554), on("data", reply=451)], [1, 0]),
        ([on("data", drip=1), on("data", subject="Other", reply=554), on("data", reply=451)], [1, 0, 1]),
        ([on("data", subject="Hi", reply=554), on("data", call=nothing)], [1, 0]),
        ([on("data", reply=554), on("data", subject="Hi", reply=451)], [1, 0]),
    ],
)
def test_a_rule_is_used_once_for_a_message_and_only_if_it_was_reached(rules: list[Rule], used: list[int]) -> None:
    fresh = [rule.copy() for rule in rules]
    send(*fresh)
    assert [rule.used for rule in fresh] == used


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        ([on("data", to="ada@*", reply=554)], 0, 0),
        ([on("data", subject="Hi", reply=554)], None, 0),
        ([on("data", subject="Hi", reply=554), on("data", reply=451)], None, 0),
        ([on("data", subject="Other", reply=554), on("data", reply=451)], None, 1),
        ([on("data", to="bob@*", reply=554), on("data", reply=451)], 1, 1),
    ],
)
def test_a_rule_that_matches_by_content_waits_for_the_end_and_so_do_all_behind_it(
    rules: list[Rule], before: int | None, after: int
) -> None:
    fresh = [rule.copy() for rule in rules]

    async def main(letter: Letter) -> tuple[Rule | None, Rule | None]:
        await letter.message.start()
        await letter.bring(HEAD, REST)
        early = letter.call.rule
        await letter.complete()
        return early, letter.call.rule

    assert send(*fresh, main=main) == (None if before is None else fresh[before], fresh[after])


def test_a_rule_that_comes_after_the_message_began_is_for_the_next_one() -> None:
    async def main(letter: Letter) -> Answer:
        await letter.message.start()
        letter.book.add(on("data", reply=554), nearest=True)
        await letter.bring(HEAD, REST)
        return await letter.complete()

    assert codes(send(main=main)) == [250]


@pytest.mark.parametrize("rules", [[on("data", drip=2)], [on("data", drip=2), on("data", reply="250 ok")]])
def test_a_drip_alone_slows_whatever_is_answered(rules: list[Rule]) -> None:
    dripping = steps(send(*rules))
    assert dripping[1] == Wait(2)
    assert {len(step.data) for step in dripping if isinstance(step, Send)} == {1}


@pytest.mark.parametrize("key", ["to", "subject", "when"])
def test_a_mistake_in_a_match_is_told_at_the_end(key: Any) -> None:
    error = LookupError("x")

    def wrong(value: object) -> bool:
        raise error

    options: dict[str, Any] = {key: wrong}
    answer = send(on("data", **options, reply=554), on("data", reply=250))
    assert codes(answer) == [451]
    assert (answer.outcome, answer.error) == ("error", error)


def test_a_rule_behind_a_mistake_in_a_match_is_not_used() -> None:
    behind = on("data", reply=554)
    assert codes(send(on("data", to=lambda address: 1 / 0, reply=451), behind)) == [451]
    assert behind.used == 0


def test_a_mistake_in_a_match_is_told_to_each_recipient_of_lmtp() -> None:
    answer = send(on("data", subject=lambda subject: 1 / 0, reply=554), lmtp=True, to=TWO)
    assert codes(answer) == [451, 451]
    assert isinstance(answer.error, ZeroDivisionError)


# --- a hook that reads ------


def test_a_hook_reads_while_the_content_arrives() -> None:
    read: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> str:
        async for chunk in stream:
            read.append(chunk)  # noqa: PERF401 - one by one, as they come
        return "done"

    async def main(letter: Letter) -> Answer:
        await letter.message.start()
        for number, chunk in enumerate((HEAD, REST), start=1):
            await letter.bring(chunk)
            await settled()
            assert len(read) == number
        return await letter.complete()

    answer = send(on("data", call=hook), main=main)
    assert read == [HEAD, REST]
    assert [(reply.code, reply.text) for reply in answer.replies] == [(250, "done")]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_hook_behind_a_rule_that_waits_gets_the_whole_content(kind: str) -> None:
    read: list[bytes] = []

    def plain(stream: Stream, session: Session) -> None:
        read.append(stream.read())

    async def asynchronous(stream: Stream, session: Session) -> None:
        read.append(await stream.aread())

    async def main(letter: Letter) -> Answer:
        await letter.message.start()
        await letter.bring(HEAD, REST)
        await settled()
        assert read == []
        return await letter.complete()

    hook = plain if kind == "def" else asynchronous
    answer = send(on("data", subject="Other", reply=554), on("data", call=hook), main=main)
    assert codes(answer) == [250]
    assert read == [HEAD + REST]


@pytest.mark.parametrize("size", [None, 12, 13, 22])
def test_the_stream_knows_how_much_has_come_and_whether_it_is_too_much(size: int | None) -> None:
    seen: list[tuple[int, bool]] = []

    async def main(letter: Letter) -> Answer:
        await letter.message.start()
        seen.append((letter.call.argument.size, letter.call.argument.size_exceeded))
        for chunk in (HEAD, REST):
            await letter.bring(chunk)
            seen.append((letter.call.argument.size, letter.call.argument.size_exceeded))
        return await letter.complete()

    send(on("data", call=read), main=main, size=size)
    limit = 99 if size is None else size
    assert seen == [(0, False), (13, limit < 13), (22, limit < 22)]


def test_a_slow_hook_makes_the_client_wait_but_not_for_ever() -> None:
    go = asyncio.Event()

    async def hook(stream: Stream, session: Session) -> None:
        await go.wait()
        await stream.aread()

    async def main(letter: Letter) -> tuple[bool, Answer]:
        await letter.message.start()
        feeding = asyncio.ensure_future(letter.bring(b"x" * 2 * MEBIBYTE))
        await settled()
        waited = not feeding.done()
        go.set()
        await feeding
        return waited, await letter.complete()

    waited, answer = send(on("data", call=hook), main=main)
    assert waited
    assert codes(answer) == [250]


@pytest.mark.parametrize("hook", [nothing, lambda stream, session: next(iter(stream))])
def test_what_a_hook_leaves_is_read_for_it(hook: Callable[..., Any]) -> None:
    async def main(letter: Letter) -> Answer:
        return await letter.deliver(b"a", *[b"x" * MEBIBYTE] * 4)

    rule = on("data", call=lambda stream, session: hook(stream, session) and None)
    answer = send(rule, main=main)
    assert (codes(answer), answer.rule, answer.error) == ([250], rule, None)


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("value", [None, "fine", Reject(550, "no")])
def test_what_is_final_wins_over_any_hook(value: Any, final: bool) -> None:
    read: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> Any:
        read.append(await stream.aread())
        if isinstance(value, Reject):
            raise value
        return value

    async def main(letter: Letter) -> Answer:
        await letter.message.start()
        await letter.bring(HEAD, REST)
        return await letter.message.complete(replies.TOO_BIG, final=final)

    answer = send(on("data", call=hook), main=main)
    assert read == [HEAD + REST]
    (reply,) = answer.replies
    if final:
        assert (reply, answer.outcome) == (replies.TOO_BIG, "refused")
    else:
        assert reply == (550 if isinstance(value, Reject) else 250)


def test_what_is_final_wins_over_any_rule_and_is_told_to_each_recipient_of_lmtp() -> None:
    async def main(letter: Letter) -> Answer:
        await letter.message.start()
        await letter.bring(HEAD, REST)
        return await letter.message.complete(replies.TOO_BIG, final=True)

    rules = [on("data", to="ada@*", reply=250), on("data", reply=250)]
    assert codes(send(*rules, main=main, lmtp=True, to=TWO)) == [552, 552]


BUGS: list[Any] = [5, True, b"x", ["x"], {"ada@example.com": "x"}, Reject]


@pytest.mark.parametrize("value", BUGS, ids=repr)
def test_what_means_nothing_is_a_mistake_of_the_hook(value: Any) -> None:
    answer = send(on("data", call=lambda stream, session: value))
    assert codes(answer) == [451]
    assert answer.outcome == "error"
    assert isinstance(answer.error, TypeError | ValueError)


def test_a_connection_error_of_its_own_is_a_mistake_of_the_hook() -> None:
    error = ConnectionError("to the database")

    async def hook(stream: Stream, session: Session) -> None:
        await stream.aread()
        raise error

    answer = send(on("data", call=hook))
    assert (codes(answer), answer.error) == ([451], error)


# --- a message that breaks off ------


async def break_off(letter: Letter) -> Answer | None:
    await letter.message.start()
    await letter.bring(HEAD)
    await settled()
    return await letter.message.discard("the client closed the connection")


def test_a_reader_is_told_why_the_message_broke_off() -> None:
    got: list[bytes | str] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            async for chunk in stream:
                got.append(chunk)  # noqa: PERF401 - what came before the error counts
        except ConnectionError as error:
            got.append(str(error))
            raise

    assert send(on("data", call=hook), main=break_off) is None
    assert got == [HEAD, "the client closed the connection"]


def test_a_hook_that_does_not_read_is_cancelled() -> None:
    got: list[str] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            got.append("cancelled")

    assert send(on("data", call=hook), main=break_off) is None
    assert got == ["cancelled"]


def test_a_reader_in_a_thread_is_woken_and_not_cancelled() -> None:
    got: list[str] = []

    def hook(stream: Stream, session: Session) -> None:
        try:
            stream.read()
        except ConnectionError as error:
            got.append(str(error))

    assert send(on("data", call=hook), main=break_off) is None
    assert got == ["the client closed the connection"]


def test_a_blocked_def_hook_runs_to_its_end_and_its_mistake_is_told() -> None:
    gate, error = threading.Event(), ValueError("x")

    def hook(stream: Stream, session: Session) -> None:
        gate.wait(20)
        raise error

    async def main(letter: Letter) -> tuple[bool, Answer | None]:
        await letter.message.start()
        await settled()
        giving_up = asyncio.ensure_future(letter.message.discard("the client closed the connection"))
        await settled()
        waited = not giving_up.done()
        gate.set()
        return waited, await giving_up

    waited, answer = send(on("data", call=hook), main=main)
    assert waited
    assert answer is not None
    assert answer.error is error


@pytest.mark.parametrize("moment", ["at the break", "before it"])
def test_a_mistake_is_one_even_if_the_message_breaks_off(moment: str) -> None:
    error = ValueError("x")

    async def hook(stream: Stream, session: Session) -> None:
        try:
            if moment == "at the break":
                await stream.aread()
        finally:
            raise error

    rule = on("data", call=hook)
    answer = send(rule, main=break_off)
    assert (answer.error, answer.outcome, answer.rule) == (error, "error", rule)
    assert answer.replies == ()


@pytest.mark.parametrize("rules", [[], [on("data", reply=554)], [on("data", call=nothing)], [on("data", call=refuse)]])
def test_of_a_message_that_broke_off_nothing_but_a_mistake_is_left_to_tell(rules: list[Rule]) -> None:
    assert send(*(rule.copy() for rule in rules), main=break_off) is None


# --- rules that strike in the middle ------


STRIKES: list[tuple[list[Rule], list[int | None]]] = [
    ([on("data", after=13, reply=552)], [None, 0, None]),
    ([on("data", after=14, reply=552)], [None, None, 0]),
    ([on("data", after=0, reply=552)], [0, None, None]),
    ([on("data", after=99, reply=552)], [None, None, None]),
    ([on("data", reply=552)], [None, None, None]),
    ([on("data", after=1, to="bob@*", reply=552), on("data", after=2, to="ada@*", reply=552)], [None, 1, None]),
    ([on("data", after=1, skip=1, reply=552)], [None, None, 0]),
    ([on("data", after=20, reply=552), on("data", after=5, reply=552)], [None, 1, 0]),
    ([on("data", reply=554), on("data", after=5, reply=552)], [None, 1, None]),
]


@pytest.mark.parametrize(("rules", "expected"), STRIKES)
def test_a_rule_strikes_once_when_its_bytes_have_come(rules: list[Rule], expected: list[int | None]) -> None:
    """At the beginning, at 13 bytes, at 22 bytes."""
    fresh = [rule.copy() for rule in rules]

    async def main(letter: Letter) -> list[Rule | None]:
        return [await letter.message.start(), *await letter.bring(HEAD, REST)]

    assert send(*fresh, main=main) == [None if place is None else fresh[place] for place in expected]


def test_a_rule_that_has_struck_says_nothing_at_the_end() -> None:
    rule = on("data", after=1, reply=552)
    assert codes(send(rule)) == [250]
    assert rule.used == 1


# --- LMTP ------


def texts(*texts: Any) -> Callable[..., Any]:
    return lambda stream, session: list(texts)


ANSWERS: list[tuple[list[Rule], list[int]]] = [
    ([], [250, 250, 250]),
    ([on("data", reply=554)], [554, 554, 554]),
    ([on("data", call=nothing)], [250, 250, 250]),
    ([on("data", call=refuse)], [450, 450, 450]),
    ([on("data", call=texts("a", Reject(550), None))], [250, 550, 250]),
    ([on("data", call=lambda stream, session: {"bob@example.com": Reject(450)})], [250, 450, 250]),
    ([on("data", call=texts("a", "b"))], [451, 451, 451]),
    ([on("data", call=lambda stream, session: {"nobody@example.com": "a"})], [451, 451, 451]),
    ([on("data", to="bob@*", reply=550)], [250, 550, 250]),
    ([on("data", to="*@EXAMPLE.com", reply=550)], [550, 550, 550]),
    ([on("data", to="nobody@*", reply=550)], [250, 250, 250]),
    ([on("data", to="bob@*", reply=550), on("data", to="*", reply=450)], [450, 550, 450]),
    ([on("data", to="*", reply=450), on("data", to="bob@*", reply=550)], [450, 450, 450]),
    ([on("data", to="bob@*", reply=550), on("data", reply=451)], [451, 550, 451]),
    ([on("data", reply=451), on("data", to="bob@*", reply=550)], [451, 451, 451]),
    ([on("data", to="bob@*", reply=250), on("data", call=refuse)], [450, 250, 450]),
    ([on("data", to="bob@*", reply=550), on("data", call=texts("a", "b", Reject(551)))], [250, 550, 551]),
    ([on("data", to="bob@*", mail_from="other@*", reply=550)], [250, 250, 250]),
    ([on("data", to="bob@*", mail_from="app@*", reply=550)], [250, 550, 250]),
    ([on("data", to="bob@*", subject="Hi", reply=550)], [250, 550, 250]),
    ([on("data", to="bob@*", subject="Other", reply=550)], [250, 250, 250]),
    ([on("data", to="bob@*", subject="Other", reply=550), on("data", reply=451)], [451, 451, 451]),
    ([on("data", to="bob@*", reply=550, skip=1)], [250, 250, 250]),
    ([on("data", to="bob@*", raw=b"552 no\r\n")], [250, 552, 250]),
    ([on("data", to="eve@*", reply=550), on("data", to="ada@*", reply=450)], [450, 250, 550]),
    ([on("data", mail_from="app@*", reply=451), on("data", reply=554)], [451, 451, 451]),
    ([on("data", subject="Other", reply=554), on("data", to="bob@*", reply=550)], [250, 550, 250]),
    ([on("data", drip=1), on("data", to="bob@*", reply=550)], [250, 550, 250]),
    ([on("data", to="nobody@*", call=refuse), on("data", to="bob@*", reply=550)], [250, 550, 250]),
]


@pytest.mark.parametrize(("rules", "expected"), ANSWERS)
def test_each_recipient_of_lmtp_has_the_answer_that_is_meant_for_it(rules: list[Rule], expected: list[int]) -> None:
    answer = send(*(rule.copy() for rule in rules), lmtp=True, to=THREE)
    assert codes(answer) == expected
    assert answer.outcome == ("error" if 451 in expected and answer.error else accepted_if(250 in expected))
    assert b"".join(reply.wire for reply in answer.replies) == said(answer)


def accepted_if(accepted: bool) -> str:
    return "accepted" if accepted else "refused"


def said(answer: Answer) -> bytes:
    return b"".join(step.data for step in steps(answer) if isinstance(step, Send))


def test_a_rule_for_one_recipient_is_used_once_however_many_it_names() -> None:
    rule = on("data", to="*@example.com", reply=550, times=1)
    assert codes(send(rule, lmtp=True, to=THREE)) == [550, 550, 550]
    assert rule.used == 1


def test_a_rule_for_nobody_who_is_there_is_not_used() -> None:
    rules = [on("data", to="nobody@*", reply=550), on("data", to="bob@*", reply=551), on("data", to="b*", reply=552)]
    assert codes(send(*rules, lmtp=True, to=TWO)) == [250, 551]
    assert [rule.used for rule in rules] == [0, 1, 0]


def test_a_recipient_given_twice_is_answered_twice() -> None:
    answer = send(on("data", to="ada@*", reply=550), lmtp=True, to=("ada@x", "bob@x", "ada@x"))
    assert codes(answer) == [550, 250, 550]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([on("data", raw=b"250 once\r\n")], [Send(b"250 once\r\n")]),
        ([on("data", drop=True)], [Fin()]),
        ([on("data", hang=True)], [Stall(reading=True)]),
        ([on("data", reply="554 no", drop=True)], [Send(b"554 no\r\n554 no\r\n"), Fin()]),
        ([on("data", to="ada@*", reply="550 a"), on("data", drop=True)], [Send(b"550 a\r\n"), Fin()]),
    ],
)
def test_without_to_a_rule_replies_to_each_but_drops_hangs_and_says_raw_bytes_once(
    rules: list[Rule], expected: list[Step]
) -> None:
    assert steps(send(*(rule.copy() for rule in rules), lmtp=True, to=TWO)) == expected


@pytest.mark.parametrize("options", [{"drop": True}, {"hang": True}])
def test_a_fault_for_one_recipient_comes_behind_the_answers_before_it(options: dict[str, Any]) -> None:
    answer = send(on("data", to="bob@*", **options), on("data", reply="250 yes"), lmtp=True, to=TWO)
    ending = Fin() if "drop" in options else Stall(reading=True)
    assert steps(answer)[:2] == [Send(b"250 yes\r\n"), ending]


def test_in_smtp_a_rule_with_to_answers_for_the_whole_message() -> None:
    rule = on("data", to="bob@*", reply=554)
    answer = send(rule, to=THREE)
    assert (codes(answer), answer.rule) == ([554], rule)


def test_in_lmtp_a_hook_with_to_decides_for_the_whole_message() -> None:
    rule = on("data", to="bob@*", call=texts("a", Reject(550), "c"))
    answer = send(rule, lmtp=True, to=THREE)
    assert (codes(answer), answer.rule) == ([250, 550, 250], rule)
