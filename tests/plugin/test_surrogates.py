"""Lone surrogates, which nobody can send: refused where they are given, in one line, never replaced without a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_smtpd import Reject, Reply, SMTPServer, on
from tests.plugin.people import dialogue

LONE = "\ud800"

WRONG: dict[str, Callable[[], object]] = {
    "a password": lambda: SMTPServer(auth={"app": LONE}),
    "a user": lambda: SMTPServer(auth={LONE: "s3cret"}),
    "a reply": lambda: on("rcpt_to", reply=f"550 {LONE}"),
    "one of several": lambda: on("rcpt_to", reply=[550, f"550 {LONE}"]),
    "a second line": lambda: on("rcpt_to", reply=f"550-one\n550 {LONE}"),
    "a Reply": lambda: Reply(550, "5.1.1", LONE),
    "a Reject": lambda: Reject(550, LONE),
    "a Reject with a code": lambda: Reject(550, f"5.1.1 {LONE}"),
    "the host": lambda: SMTPServer(host=LONE),
    "the host's name": lambda: SMTPServer(hostname=LONE),
    "the banner": lambda: SMTPServer(banner=LONE),
    "the server's name": lambda: SMTPServer(name=LONE),
    "a line of EHLO": lambda: SMTPServer(advertise=[LONE]),
    "a keyword": lambda: SMTPServer(hide={LONE}),
    "a method": lambda: SMTPServer(auth_methods=[LONE]),  # type: ignore[list-item]
    "a path": lambda: SMTPServer(path=f"/tmp/{LONE}"),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_a_lone_surrogate_is_refused_where_it_is_given(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert type(caught.value) is ValueError
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_name_that_is_no_utf_8_may_be_a_path() -> None:
    SMTPServer(path="/tmp/\udcff")


@pytest.mark.parametrize(
    ("hook", "value"),
    [("rcpt_to", f"550 {LONE}"), ("data", LONE), ("data", f"2.0.0 {LONE}"), ("command", f"250 {LONE}")],
)
def test_a_hook_that_returns_one_has_made_a_mistake(hook: str, value: str) -> None:
    with SMTPServer() as server:
        server.on(hook, call=lambda argument, session: value)  # type: ignore[call-overload]
        dialogue(server, "EHLO c", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA", "Hi", ".")
        assert {call.code for call in server.log.calls(hook)} == {451}  # type: ignore[arg-type]
        assert {type(error) for error in server.errors} == {ValueError}
        server.errors.clear()


def test_a_hook_that_rejects_with_one_is_shown_its_line() -> None:
    def refuse(address: object, session: object) -> None:
        raise Reject(550, LONE)

    with SMTPServer(on=[on("mail_from", call=refuse)]) as server:
        dialogue(server, "EHLO c", "MAIL FROM:<a@b.example>")
        (error,) = server.errors
        assert "cannot be sent as UTF-8" in str(error)
        assert "raise Reject(550, LONE)" in server.log.transcript()
        server.errors.clear()


def test_a_match_that_holds_one_matches_nothing_and_is_shown() -> None:
    with SMTPServer() as server:
        server.on("rcpt_to", to=LONE, user=LONE, reply=550)
        dialogue(server, "EHLO c", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>")
        assert server.log.calls("rcpt_to")[0].code == 250
        assert "\\ud800" in server.explain_unused(server.rules[0])
