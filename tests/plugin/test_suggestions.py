"""What an error about an unknown name suggests: what was meant, where the name belongs, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from pytest_smtpd.settings import SETTINGS
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.suggest import distance

Make = Callable[..., Any]


def hook(name: str) -> None:
    on(name, reply=550)  # type: ignore[arg-type]


def option(name: str) -> None:
    on("data", **{name: 1})  # type: ignore[arg-type]


def setting(name: str) -> None:
    SMTPServer(**{name: 1})  # type: ignore[arg-type]


def key(name: str) -> None:
    SMTPServer().find(**{name: 1})  # type: ignore[arg-type]


def text(make: Make, name: str) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        make(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "name", "meant"),
    [
        *((hook, name, "auth") for name in ("login", "authentication", "auht", "onAuth", "user")),
        *((hook, name, "rcpt_to") for name in ("rctp", "RCPT", "rcpt-to", "onRcptTo", "rcpto", "recipient", "to")),
        *((hook, name, "mail_from") for name in ("mail", "MAIL_FROM", "mailfrom", "from", "sender")),
        *((hook, name, "data") for name in ("DATA", "message", "body", "content", "onData")),
        *((hook, name, "connect") for name in ("connection", "conect", "greeting")),
        *((hook, name, "close") for name in ("disconnect", "closed", "onClose")),
        *((hook, name, "secure") for name in ("tls", "handshake", "secrue")),
        *((option, name, "reply") for name in ("code", "status", "response", "rely", "message")),
        *((option, name, "drop") for name in ("close", "disconnect", "rst")),
        *((option, name, "delay") for name in ("sleep", "wait", "dealy")),
        *((option, name, "times") for name in ("count", "time", "repeat")),
        *((option, name, "call") for name in ("function", "callback", "side_effect")),
        (option, "timeout", "hang"),
        *((option, name, "to") for name in ("recipient", "to_addr")),
        *((option, name, "mail_from") for name in ("sender", "from_addr")),
        *((setting, name, "tls") for name in ("tsl", "TLS")),
        *((setting, name, "size") for name in ("sise", "max_size", "max_message_size")),
        *((setting, name, "max_clients") for name in ("clients", "max_connections", "max_client")),
        *((setting, name, "max_recipients") for name in ("recipients", "max_rcpt")),
        *((setting, name, "require_tls") for name in ("requre_tls", "enforce_tls")),
        *((setting, name, "auth_methods") for name in ("methods", "mechanisms")),
        *((setting, name, "host") for name in ("hots", "ip", "bind")),
        *((setting, name, "hide") for name in ("hides", "hidden")),
        *((key, name, "to") for name in ("recipient", "rcpt", "to_addr")),
        *((key, name, "rcpt_to") for name in ("rcptto", "rcpt_tos")),
        *((key, name, "subject") for name in ("subjekt", "Subject")),
        *((key, name, "text") for name in ("body", "plain", "txt")),
        *((key, name, "user") for name in ("username", "login")),
    ],
)
def test_a_slip_is_corrected(make: Make, name: str, meant: str) -> None:
    said = text(make, name)
    assert f"{name!r} - did you mean {meant!r}?" in said


@pytest.mark.parametrize("verb", sorted({*VERBS} - {"MAIL", "RCPT", "DATA", "AUTH"}))
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_verb_in_the_place_of_a_hook_is_a_command(verb: str, case: Callable[[str], str]) -> None:
    assert f'{case(verb)!r} - write on("command", verb="{verb}", ...)' in text(hook, case(verb))


@pytest.mark.parametrize(
    ("make", "name", "advice"),
    [
        *((setting, name, "write auth={'user': 'password'}") for name in ("user", "password", "username", "login")),
        *((setting, name, "rules are given as on=[...]") for name in ("rules", "hooks")),
        *((setting, name, "write tls='starttls', tls='implicit' or tls=None") for name in ("ssl", "starttls", "smtps")),
        *(
            (setting, name, 'that belongs to a rule: @pytest.mark.smtpd_on("rcpt_to", ...), or on=[on("rcpt_to", ...)]')
            for name in ("reply", "drop", "hang", "raw", "times", "delay", "to", "mail_from", "subject", "code")
        ),
        *((option, name, f"that is a setting: @pytest.mark.smtpd({name}=...)") for name in ("tls", "auth", "size")),
        *((option, name, f"that is a setting: @pytest.mark.smtpd({name}=...)") for name in ("lmtp", "require_tls")),
        (key, "message_id", 'write header={"Message-Id": ...}'),
        (key, "reply_to", 'write header={"Reply-To": ...}'),
        (key, "cc", 'write header={"Cc": ...}'),
    ],
)
def test_a_name_of_another_place_says_where_it_belongs(make: Make, name: str, advice: str) -> None:
    assert f"{name!r} - {advice}" in text(make, name)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((hook, name) for name in ("size", "accept", "timeout", "xyzzy", "envelope", "550", "rules")),
        *((option, name) for name in ("host", "first", "address", "error_code", "xyzzy")),
        *((setting, name) for name in ("quit", "client", "debug", "verbose", "loglevel", "xyzzy", "trace")),
        *((key, name) for name in ("tls", "count", "timeout", "times", "hook", "attachment", "secure", "xyzzy")),
    ],
)
def test_no_suggestion_is_better_than_a_far_one(make: Make, name: str) -> None:
    said = text(make, name)
    assert "did you mean" not in said
    assert " - " not in said
    assert "(valid: " in said


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: on("rcpt_to", reply=550, after=1), "'after' applies to data and secure, not to rcpt_to"),
        (lambda: on("connect", reply=421, after=1), "'after' applies to data and secure, not to connect"),
        (
            lambda: on("connect", reply=421, to="a@b.example"),
            "'to' applies to close, command, data and rcpt_to, not",
        ),
        (lambda: on("rcpt_to", reply=550, subject="Hi"), "'subject' applies to data, not to rcpt_to"),
        (lambda: on("mail_from", reply=550, header={"Cc": None}), "'header' applies to data, not to mail_from"),
        (lambda: on("rcpt_to", reply=550, verb="RCPT"), "'verb' applies to command, not to rcpt_to"),
    ],
)
def test_an_option_at_the_wrong_hook_says_at_which_it_can_be(make: Make, where: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert where in str(caught.value)


def test_every_name_of_a_setting_is_its_own_nearest() -> None:
    for name in SETTINGS:
        for i in range(len(name)):
            slip = name[:i] + name[i + 1 :]
            if len(slip) > 3 and slip not in SETTINGS and slip != "client":  # which may be any of three
                assert f"did you mean {name!r}?" in text(setting, slip)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("", "", 0),
        ("tls", "tls", 0),
        ("tsl", "tls", 1),
        ("rctp", "rcpt", 1),
        ("tl", "tls", 1),
        ("tlss", "tls", 1),
        ("tlz", "tls", 1),
        ("quit", "auth", 3),
        ("lint", "client", 2),
        ("", "tls", 3),
        ("abcdef", "badcfe", 3),
    ],
)
def test_distance_counts_slips(one: str, other: str, slips: int) -> None:
    assert distance(one, other) == distance(other, one) == slips


def test_a_long_text_is_compared_in_no_time() -> None:
    with pytest.raises(ValueError, match="tls must be"):
        SMTPServer(tls="x" * 1_000_000)  # type: ignore[arg-type]
