"""The command line, read into the settings and rules of a server. A mistake is one line, with a suggestion."""

import argparse
import ast
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn, TypeVar, cast

from pytest_smtpd.rules.rule import Rule, on
from pytest_smtpd.settings import SETTINGS
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.values import printable
from pytest_smtpd.suggest import did_you_mean

PROGRAM: Final = "python -m pytest_smtpd"
PASSWORD: Final = "SMTPD_PASSWORD"
DEFAULT_PORT: Final = 1025
_TLS_MODES: Final[Mapping[str, str | None]] = {"starttls": "starttls", "implicit": "implicit", "none": None}
_NO_LITERAL: Final = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)

T = TypeVar("T")


class Options(NamedTuple):
    """``settings`` and ``rules`` of the server, and the folder in which to ``save`` the messages."""

    settings: dict[str, Any]
    rules: list[Rule]
    save: str | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End the program as everything does that is wrong: one line on stderr, and exit code 2."""
        fail(message)


def fail(problem: str) -> NoReturn:
    """Report the mistake in one line, and end with exit code 2."""
    sys.stderr.write(f"{PROGRAM}: {printable(' '.join(problem.split()))}\n")
    raise SystemExit(2)


def read(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """The options of this command line. Raises ``SystemExit``."""
    parser = _parser()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        fail(_unknown(unknown[0], [name for action in parser._actions for name in action.option_strings]))
    settings: dict[str, Any] = dict(given.set)
    named = {
        "port": given.port,
        "tls": given.tls,
        "lmtp": given.lmtp,
        "profile": given.profile,
        "auth": _logins(given.auth, environment),
    }
    for name, value in named.items():
        if value is not _ABSENT and name in settings:
            fail(f"--{name} and --set {name}=... set the same thing: leave one of them out")
        if value is not _ABSENT:
            settings[name] = value
    settings.setdefault("port", 0 if "path" in settings else DEFAULT_PORT)
    return Options(settings, given.on, given.save)


class _Absent:
    """The value of an option that was not given."""


_ABSENT: Final = _Absent()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="An SMTP server to try an application against. It shows each conversation as it happens, and "
        "keeps every message to itself. Ctrl-C ends it.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    add("--port", type=int, default=_ABSENT, help=f"where to listen, by default {DEFAULT_PORT}; 0 is a free port")
    add("--tls", type=_checked(_tls_mode), default=_ABSENT, metavar="{starttls,implicit,none}", help="TLS, and when")
    add("--auth", action="append", default=[], metavar="USER[:PASSWORD]",
        help=f"a login that succeeds, all others fail; without a password it is taken from {PASSWORD}")  # fmt: skip
    add("--lmtp", action="store_const", const=True, default=_ABSENT, help="speak LMTP (RFC 2033)")
    add("--profile", default=_ABSENT, metavar="NAME", help="greet, offer and limit as this provider does")
    add("--set", action="append", default=[], type=_checked(_setting), metavar="NAME=VALUE",
        help="any other setting; a VALUE that is no Python literal is a text")  # fmt: skip
    add("--on", action="append", default=[], type=_checked(_rule), metavar="RULE",
        help="""a rule, as between the parentheses of on(...): 'rcpt_to, to="bounce@*", reply=550'""")  # fmt: skip
    add("--save", metavar="FOLDER", help="write the transcript, every mail and a page for the browser there")
    return parser


def _checked(convert: Callable[[str], T]) -> Callable[[str], T]:
    """A conversion whose errors are shown as they are."""

    def converted(text: str) -> T:
        try:
            return convert(text)
        except _NO_LITERAL as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return converted


def _unknown(argument: str, known: list[str]) -> str:
    name = argument.partition("=")[0]
    if not name.startswith("-"):
        return f"unexpected argument {argument!r}: every option begins with --, and a value with blanks is quoted"
    return f"unknown option {name!r}{did_you_mean(name, known, 'command line option')}"


def _tls_mode(text: str) -> str | None:
    if text not in _TLS_MODES:
        raise ValueError(f"not {text!r}{did_you_mean(text, _TLS_MODES, 'value')}")
    return _TLS_MODES[text]


def _logins(given: Sequence[str], environment: Mapping[str, str]) -> "dict[str, str] | _Absent":
    """Users and passwords; the first colon divides them."""
    logins: dict[str, str] = {}
    for login in given:
        user, colon, password = login.partition(":")
        if not user:
            fail("--auth needs a user: --auth USER:PASSWORD")
        if not colon and PASSWORD not in environment:
            fail(f"--auth {user} needs a password: --auth {user}:PASSWORD, or in the variable {PASSWORD}")
        logins[user] = password if colon else environment[PASSWORD]
    return logins if given else _ABSENT


def _setting(text: str) -> tuple[str, Any]:
    """A setting and its value. Raises ``ValueError``."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals:
        raise ValueError(f"not {text!r}: write NAME=VALUE, for instance size=1000")
    if name == "on":
        raise ValueError("rules are given with --on")
    if name not in SETTINGS:
        raise ValueError(f"unknown setting {name!r}{did_you_mean(name, SETTINGS, 'setting')}")
    try:
        return name, _literal(value.strip())
    except _NO_LITERAL:
        return name, value


def _literal(text: str) -> Any:
    """The value of a Python literal. Raises one of ``_NO_LITERAL``."""
    return ast.literal_eval(_tree(text))


def _tree(text: str) -> ast.Expression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in texts
        return ast.parse(text, mode="eval")


def _rule(text: str) -> Rule:
    """The rule of these arguments. They are literals: nothing is evaluated. Raises ``TypeError`` or ``ValueError``."""
    example = "write it like 'rcpt_to, to=\"bounce@*\", reply=550'"
    try:
        call = _tree(f"on({text}\n)").body
    except _NO_LITERAL:
        raise ValueError(f"not {text!r}: {example}") from None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and len(call.args) == 1):
        raise ValueError(f"not {text!r}: one hook, then name=value: {example}")
    hook = call.args[0]
    name = hook.id if isinstance(hook, ast.Name) else _value("the hook", hook)
    options: dict[str, Any] = {str(one.arg): _value(f"{one.arg}=", one.value) for one in call.keywords if one.arg}
    if len(options) < len(call.keywords):
        raise ValueError(f"not {text!r}: each option once, by its name: {example}")
    return on(cast("HookName", name), **cast("Any", options))  # which checks all of them


def _value(what: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except _NO_LITERAL:
        shown = ast.unparse(node)
        if isinstance(node, ast.Name):
            constant = {"true": "True", "false": "False", "none": "None"}.get(shown)
            hint = f"; write {constant}" if constant else f"; a text is quoted: {shown!r}"
        else:
            hint = "; leave out on( )" if shown.startswith("on(") else "; nothing is evaluated"
        raise ValueError(f"{what} must be a literal, not {shown}{hint}") from None
