"""Sample applications: for each finding and each notice one that has that defect, and one like it that has not.

Each sends two mails, to two people and to one, and tells its caller what became of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.sweep.client import FAILURES, INVOICE, MAILS, Client, Failure, Mail, Refused, wanted
from tests.sweep.links import Dial, Link, Place

KEPT: Final[list[object]] = []  # what a leaking application does not let go of


@dataclass
class Report:
    """What an application tells its caller: nothing of whom the mail has reached."""

    failed: dict[str, Any] = field(default_factory=dict)
    delayed: list[str] = field(default_factory=list)


Application = Callable[[Dial, Place], Coroutine[Any, Any, Report]]
Step = Callable[[Client, Mail], Awaitable[dict[str, Failure]]]


async def deliver(client: Client, mail: Mail) -> dict[str, Failure]:
    """One mail on a fresh connection, from the greeting to QUIT. Returns who was refused."""
    await client.begin()
    refused = await client.mail(mail)
    await client.quit()
    return refused


async def attempt(dial: Dial, place: Place, mail: Mail, step: Step = deliver) -> dict[str, Failure]:
    """One mail on a connection of its own. Returns who has not got it, and why."""
    try:
        link = await dial(place)
        try:
            return await step(Client(link, place), mail)
        finally:
            await link.close()
    except FAILURES as error:
        return dict.fromkeys(mail.to, error)


def with_step(step: Step, mails: Sequence[Mail] = MAILS) -> Application:
    """Make an application that takes ``step`` for each of its mails, and reports whom it has not reached."""

    async def application(dial: Dial, place: Place) -> Report:
        report = Report()
        for mail in mails:
            report.failed |= await attempt(dial, place, mail, step)
        return report

    return application


careful = with_step(deliver)
one_mail = with_step(deliver, [INVOICE])


async def one_connection(dial: Dial, place: Place) -> Report:
    """Both mails on one connection, as long as there is one."""
    report, todo = Report(), list(MAILS)
    try:
        link = await dial(place)
        try:
            client = Client(link, place)
            await client.begin()
            while todo:
                report.failed |= await on_the_way(client, todo.pop(0))
                if not goes_on(report.failed.values()):
                    break
                await client.say("RSET")
            else:
                await client.quit()
        finally:
            await link.close()
    except FAILURES as error:
        report.failed |= {address: error for mail in todo for address in mail.to}
    else:
        gone = ConnectionError("the connection has ended before this mail")
        report.failed |= {address: gone for mail in todo for address in mail.to}
    return report


async def on_the_way(client: Client, mail: Mail) -> dict[str, Failure]:
    try:
        return await client.mail(mail)
    except FAILURES as error:
        return dict.fromkeys(mail.to, error)


def goes_on(failed: Iterable[Failure]) -> bool:
    """Whether the connection can be used on."""
    return all(isinstance(why, Refused) and why.code != 421 for why in failed)


# --- retries --------------------------------------------------------------------------------------------------------


def is_temporary(why: Failure) -> bool:
    return not isinstance(why, Refused) or why.code // 100 == 4


def queue(*, stable: bool = True, on: Callable[[Failure], bool] = is_temporary, times: int = 3) -> Application:
    """Make an application that tries again, by itself, what has failed for a reason that ``on`` takes for temporary.

    What is left of it is still in its queue. With ``stable`` all attempts of a mail have one Message-ID.
    """

    async def application(dial: Dial, place: Place) -> Report:
        report = Report()
        for number, mail in enumerate(MAILS):
            todo, names = mail.to, ", ".join(mail.to)
            for turn in range(times):
                name = f"{number}" if stable else f"{number}.{turn}"
                failed = await attempt(dial, place, mail._replace(to=todo, message_id=name, header_to=names))
                report.failed |= {address: why for address, why in failed.items() if not on(why)}
                todo = tuple(address for address, why in failed.items() if on(why))
                if not todo:
                    break
            report.delayed += todo
        return report

    return application


async def gave_up(dial: Dial, place: Place) -> Report:
    """Try again after a broken connection, and leave what was refused for now in the queue, for good."""
    report = await queue(on=lambda why: not isinstance(why, Refused))(dial, place)
    later = [address for address, why in report.failed.items() if is_temporary(why)]
    for address in later:
        del report.failed[address]
    report.delayed += later
    return report


# --- one defect each ------------------------------------------------------------------------------------------------


async def _loses(client: Client, mail: Mail) -> dict[str, Failure]:
    await client.begin()
    refused = await client.mail(mail)
    await client.quit()
    return refused if len(refused) == len(mail.to) else {}


async def _reports_quit(client: Client, mail: Mail) -> dict[str, Failure]:
    await client.begin()
    refused = await client.mail(mail)
    await client.insist("QUIT")
    return refused


async def stops_at_the_first(dial: Dial, place: Place) -> Report:
    """What fails for one mail is taken for the end of all of them."""
    report = Report()
    for mail in MAILS:
        failed = await attempt(dial, place, mail)
        report.failed |= failed
        if len(failed) == len(mail.to):
            left = [address for other in MAILS[MAILS.index(mail) + 1 :] for address in other.to]
            report.failed |= dict.fromkeys(left, next(iter(failed.values())))
            break
    return report


async def _tells_the_postmaster(client: Client, mail: Mail) -> dict[str, Failure]:
    await client.begin()
    refused = await client.recipients(mail)
    accepted = [address for address in mail.to if address not in refused]
    if refused and (await client.say("RCPT TO:<postmaster@example.com>"))[0] == 250:
        accepted.append("postmaster@example.com")
    if accepted:
        refused |= await client.content(mail, accepted)
    await client.quit()
    refused.pop("postmaster@example.com", None)
    return refused


async def _explains_in_the_mail(client: Client, mail: Mail) -> dict[str, Failure]:
    await client.begin()
    refused = await client.recipients(mail)
    accepted = [address for address in mail.to if address not in refused]
    if accepted:
        note = f"{mail.text} (not to {', '.join(refused)})" if refused else mail.text
        refused |= await client.content(mail._replace(text=note), accepted)
    await client.quit()
    return refused


async def _begins_without_tls(client: Client, mail: Mail, *, login: bool, send: bool) -> dict[str, Failure]:
    """Go on in clear where STARTTLS is refused; with the login, the mail, or both."""
    wanted(await client.reply(), 2)
    await client.greet()
    refusal: Refused | None = None
    try:
        await client.protect()
    except Refused as error:
        refusal = error
    if client.place.login and (login or client.link.secure):
        await client.login()
    if refusal and not send:
        raise refusal
    refused = await client.mail(mail)
    await client.quit()
    return refused


async def _password_in_clear(client: Client, mail: Mail) -> dict[str, Failure]:
    return await _begins_without_tls(client, mail, login=True, send=False)


async def _mail_in_clear(client: Client, mail: Mail) -> dict[str, Failure]:
    return await _begins_without_tls(client, mail, login=False, send=True)


async def trusts_anybody(dial: Dial, place: Place) -> Report:
    return await careful(dial, place._replace(verify=False))


async def splits_too_far(dial: Dial, place: Place) -> Report:
    """Look for a word of each refusal, whether or not it has so many."""
    report = await one_mail(dial, place)
    for why in report.failed.values():
        if isinstance(why, Refused):
            why.text.split()[40]
    return report


async def _waits_for_ever(client: Client, mail: Mail) -> dict[str, Failure]:
    client.link.patient()
    return await deliver(client, mail)


def leaving(leave: Callable[[Link], object]) -> Application:
    """Make an application that does not close its connection when something fails: ``leave`` gets it."""

    async def application(dial: Dial, place: Place) -> Report:
        report = Report()
        for mail in MAILS:
            try:
                link = await dial(place)
            except FAILURES as error:
                report.failed |= dict.fromkeys(mail.to, error)
                continue
            try:
                report.failed |= await deliver(Client(link, place), mail)
                await link.close()
            except FAILURES as error:
                report.failed |= dict.fromkeys(mail.to, error)
                leave(link)
        return report

    return application


class Ring:
    """Refers to itself, so that only the garbage collection frees what it holds."""

    def __init__(self, link: Link) -> None:
        self.link, self.ring = link, self


async def starts_a_thread(dial: Dial, place: Place) -> Report:
    report = await careful(dial, place)
    if report.failed:
        end = threading.Event()
        KEPT.append(end)
        threading.Thread(target=end.wait, daemon=True, name="left over").start()
    return report


async def starts_a_task(dial: Dial, place: Place) -> Report:
    report = await careful(dial, place)
    if report.failed:
        KEPT.append(asyncio.create_task(asyncio.Event().wait(), name="left over"))
    return report


async def _speaks_out_of_turn(client: Client, mail: Mail) -> dict[str, Failure]:
    await client.begin()
    refused = await client.recipients(mail)
    accepted = [address for address in mail.to if address not in refused]
    if accepted:
        refused |= await client.content(mail, accepted)
    else:
        await client.say("DATA")
    await client.quit()
    return refused


# --- what is only noticed -------------------------------------------------------------------------------------------


class SendingFailed(Exception):
    """An application's own error."""


async def says_nothing(dial: Dial, place: Place) -> Report:
    """Replace every error by one that says nothing of it."""
    report = await careful(dial, place)
    return Report(dict.fromkeys(report.failed, "could not send"))


async def masks(dial: Dial, place: Place) -> Report:
    """While one error is handled, another one happens."""
    report = await one_mail(dial, place)
    refusals = [why for why in report.failed.values() if isinstance(why, Refused)]
    if not refusals:
        return report
    try:
        raise refusals[0]
    except Refused:
        raise SendingFailed("no rollback: there is no transaction")  # noqa: B904  # by accident


async def _resets_after_all(client: Client, mail: Mail) -> dict[str, Failure]:
    try:
        return await deliver(client, mail)
    except Refused:
        with contextlib.suppress(*FAILURES):
            await client.say("RSET")
        raise


async def _tries_the_password_again(client: Client, mail: Mail) -> dict[str, Failure]:
    wanted(await client.reply(), 2)
    await client.greet()
    if client.place.starttls:
        await client.protect()
    if client.place.login:
        try:
            await client.login()
        except Refused as error:
            if error.code == 421:
                raise
            await client.login()
    refused = await client.mail(mail)
    await client.quit()
    return refused


async def _knows_250_only(client: Client, mail: Mail) -> dict[str, Failure]:
    await client.begin()
    await client.insist("MAIL FROM:<app@example.com>")
    refused: dict[str, Failure] = {}
    for address in mail.to:
        code, text = await client.say(f"RCPT TO:<{address}>")
        if code != 250:
            refused[address] = Refused(code, text)
        if code == 421:
            raise Refused(code, text)
    accepted = [address for address in mail.to if address not in refused]
    if accepted:
        refused |= await client.content(mail, accepted)
    await client.quit()
    return refused


async def dawdles(dial: Dial, place: Place) -> Report:
    """Wait on after each time-out."""
    report = await careful(dial, place)
    late = sum(isinstance(why, TimeoutError) for why in report.failed.values())
    if late:
        await dawdle(place)
    return report


async def dawdle(place: Place) -> None:
    """Do nothing for most of a time-out."""
    import time

    time.sleep(place.timeout * 2.6)  # noqa: ASYNC251  # two connections may take three time-outs


loses = with_step(_loses)
reports_quit = with_step(_reports_quit)
tells_the_postmaster = with_step(_tells_the_postmaster)
explains_in_the_mail = with_step(_explains_in_the_mail)
password_in_clear = with_step(_password_in_clear)
mail_in_clear = with_step(_mail_in_clear)
waits_for_ever = with_step(_waits_for_ever)
speaks_out_of_turn = with_step(_speaks_out_of_turn)
resets_after_all = with_step(_resets_after_all)
tries_the_password_again = with_step(_tries_the_password_again)
knows_250_only = with_step(_knows_250_only)
leaks = leaving(KEPT.append)
forgets = leaving(Ring)
queued = queue()
queued_anew = queue(stable=False)
stubborn = queue(on=lambda why: True)
