"""A new row of the file works at once; half a row is an error that says what is wrong."""

from __future__ import annotations

import pytest

from pytest_smtpd import SMTPServer, providers

ROW = """
[acme]
title = "Acme Mail"

[[acme.replies]]
situation = "mailbox full"
role = "mx"
hook = "rcpt_to"
reply = "552 5.2.2 Full up"
basis = "doc"
source = "https://acme.example/errors"
"""

PROFILE = """
[acme]
title = "Acme Mail"

[acme.profile]
where = "submission"
greeting = "220 mx.acme.example ESMTP"
ehlo_tls = ["mx.acme.example", "SIZE 1000"]
source = "https://acme.example/errors"
"""


def test_new_row_is_all_that_a_reply_needs() -> None:
    (reply,) = providers.parse(ROW)["acme"].replies
    assert (reply.id, reply.provider, reply.verb, reply.drop, reply.date) == (
        "acme-mailbox-full",
        "acme",
        None,
        False,
        None,
    )
    with SMTPServer(tls=None, on=[reply.rule()]) as server:
        assert [rule.__name__ for rule in server.rules] == ["acme-mailbox-full"]


def test_second_reply_for_a_situation_gets_a_number() -> None:
    again = ROW + ROW.partition("\n\n")[2].replace("Full up", "Still full")
    assert [reply.id for reply in providers.parse(again)["acme"].replies] == [
        "acme-mailbox-full",
        "acme-mailbox-full-2",
    ]


BROKEN = {
    "acme, reply 1: lacks source": ('source = "https://acme.example/errors"', ""),
    "acme, reply 1: lacks situation, hook": (
        'situation = "mailbox full"\nrole = "mx"\nhook = "rcpt_to"',
        'role = "mx"',
    ),
    "acme, reply 1: unknown field 'sources' - did you mean 'source'? "
    "(valid: situation, role, hook, reply, basis, source, verb, drop, date, note)": ("source =", "sources ="),
    "acme, reply 1: unknown role 'mta' (valid: submission, mx, both)": ('"mx"', '"mta"'),
    "acme, reply 1: unknown basis 'docs' - did you mean 'doc'? (valid: wire, doc, list, code)": ('"doc"', '"docs"'),
    "acme, reply 1: situation must be a str, not 552": ('"mailbox full"', "552"),
    "acme, reply 1: hook 'command' needs a verb": ('"rcpt_to"', '"command"'),
    "acme: lacks title": ('title = "Acme Mail"', ""),
    "acme: unknown field 'reply' (valid: title, replies, profile)": (
        "acme.replies",
        "acme.reply",
    ),
}


@pytest.mark.parametrize(
    ("text", "change"), BROKEN.items(), ids=[f"{change[0]}-{change[1]}" for change in BROKEN.values()]
)
def test_half_a_row_is_an_error_in_one_line(text: str, change: tuple[str, str]) -> None:
    broken = ROW.replace(*change)
    assert broken != ROW
    with pytest.raises(ValueError) as caught:
        providers.parse(broken)
    assert str(caught.value) == f"providers.toml: {text}"


def test_unknown_hook_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(
        ValueError, match=r"^providers.toml: acme, reply 1: unknown hook 'rcpt' - did you mean 'rcpt_to'"
    ):
        providers.parse(ROW.replace("rcpt_to", "rcpt"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('"552 5.2.2 Full up"', '"5522 Full up"'), "reply must be a code like 550"),
        (('hook = "rcpt_to"', 'hook = "rcpt_to"\nverb = "RCPT"'), "verb"),
    ],
    ids=["no-reply", "verb-without-command"],
)
def test_row_of_which_no_rule_can_be_made_is_an_error_when_the_file_is_read(
    change: tuple[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=rf"^providers.toml: acme, reply 1: .*{problem}"):
        providers.parse(ROW.replace(*change))


BROKEN_PROFILES = {
    "acme, profile: lacks ehlo_clear, ehlo_tls or both": ('ehlo_tls = ["mx.acme.example", "SIZE 1000"]', ""),
    "acme, profile: lacks greeting": ('greeting = "220 mx.acme.example ESMTP"', ""),
    "acme, profile: ehlo_tls must be a list, not 'SIZE'": ('["mx.acme.example", "SIZE 1000"]', '"SIZE"'),
    "acme, profile: greeting: reply must be a code like 550 or text like '550 5.1.1 No such user', not 'Hello'": (
        "220 mx.acme.example ESMTP",
        "Hello",
    ),
}


@pytest.mark.parametrize(("text", "change"), BROKEN_PROFILES.items(), ids=[text[:40] for text in BROKEN_PROFILES])
def test_half_a_profile_is_an_error_in_one_line(text: str, change: tuple[str, str]) -> None:
    broken = PROFILE.replace(*change)
    assert broken != PROFILE
    with pytest.raises(ValueError) as caught:
        providers.parse(broken)
    assert str(caught.value) == f"providers.toml: {text}"
