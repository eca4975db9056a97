"""Rules about logins: passwords in clear text, and wrong ones again."""

from collections.abc import Iterator
from typing import Final

from pytest_smtpd.lint.facts import Dialogue, Facts, Login, Step
from pytest_smtpd.lint.finding import Seen
from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.sasl import MECHANISMS
from pytest_smtpd.smtp.values import printable, short

_WRONG_PASSWORD: Final = 535


def clear_password(facts: Facts) -> Iterator[Seen]:
    """A mechanism that shows the password or token, without TLS; also where the server refuses it for that reason."""
    for dialogue in facts.dialogues:
        on_a_network = bool(dialogue.session.remote_address)  # nobody can listen at a Unix socket
        for at, method in sorted(_in_clear(dialogue)) if on_a_network else ():
            yield Seen(at, f"AUTH {method} sent a password or token in clear text", dialogue.session)


def _in_clear(dialogue: Dialogue) -> Iterator[tuple[float, str]]:
    """The time and the mechanism of each password that was sent without TLS."""
    complete = {id(login.step) for login in dialogue.logins}
    for step in dialogue.steps:
        if id(step) not in complete and _sends_password(step):
            yield step.call.at, _method(step)
    for login in dialogue.logins:
        if _shows(login.auth.method, login):
            yield login.call.at, login.auth.method


def _shows(method: str, where: Login | Step) -> bool:
    """Whether someone who listens learns the password or token."""
    return method in MECHANISMS and MECHANISMS[method].secret_in_clear and not where.secure


def _method(step: Step) -> str:
    return (step.command.argument.upper().split() or [""])[0]


def _sends_password(step: Step) -> bool:
    """Whether an AUTH that was refused at once carried a password; the initial response of LOGIN is a name."""
    words = step.command.argument.split()
    if step.command.verb != "AUTH" or len(words) < 2 or words[1] == "=":
        return False
    return _method(step) != "LOGIN" and _shows(_method(step), step)


def auth_again(facts: Facts) -> Iterator[Seen]:
    """The same password for the same user, after a 535 has refused it."""
    logins = [login for dialogue in facts.dialogues for login in dialogue.logins]
    wrong: list[Auth] = []
    for login in sorted(logins, key=lambda login: login.call.number):
        auth = login.auth
        if any(auth.repeats(other) for other in wrong):
            user = printable(short(auth.username))
            text = f"AUTH {auth.method} for {user!r} sent the password once more that a 535 had refused"
            yield Seen(login.call.at, text, login.call.session)
        if login.call.code == _WRONG_PASSWORD:
            wrong.append(auth)
