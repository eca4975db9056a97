"""Which rules one gets, what they are called, and what is said about names that do not exist."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_smtpd import Rule, providers
from tests.providers.table import ROWS, TABLES


def ids(*args: Any, **kwargs: Any) -> list[str]:
    return [rule.__name__ for rule in providers.replies(*args, **kwargs)]


def test_without_a_choice_there_is_a_rule_for_each_row() -> None:
    rules = providers.replies()

    assert all(isinstance(rule, Rule) for rule in rules)
    assert [rule.options["reply"] for rule in rules] == [row.fields["reply"] for row in ROWS]
    assert [rule.hook for rule in rules] == [row.fields["hook"] for row in ROWS]


def test_each_call_makes_new_rules() -> None:
    assert providers.replies("ses")[0] is not providers.replies("ses")[0]


def test_names_and_situations_are_those_of_the_file_in_alphabetical_order() -> None:
    assert providers.names() == sorted(name for name, table in TABLES.items() if "replies" in table)
    assert providers.situations() == sorted({row.fields["situation"] for row in ROWS}, key=str.lower)


def test_provider_and_situation_and_hook_narrow_the_choice() -> None:
    assert ids("gmail", "auth failed") == ["gmail-auth-failed"]
    assert ids("gmail", "unknown user") == ["gmail-unknown-user"]
    assert {"gmail-mailbox-full", "outlook-mailbox-full", "icloud-mailbox-full"} <= set(ids(situation="mailbox full"))
    assert all(name.startswith("ses-") for name in ids("ses"))
    assert {rule.hook for rule in providers.replies(hook="connect")} == {"connect"}
    assert ids("exim", hook="auth") == ["exim-auth-failed", "exim-auth-backend-down"]


def test_a_situation_includes_its_variants() -> None:
    assert ids("gmail", "mailbox full") == [
        "gmail-mailbox-full",
        "gmail-mailbox-full-2",
        "gmail-mailbox-full-temporary",
    ]
    assert ids("gmail", "mailbox full, temporary") == ["gmail-mailbox-full-temporary"]


def test_a_situation_does_not_include_those_that_merely_begin_like_it() -> None:
    assert "gmail-not-aligned-bulk-throttled" not in ids(situation="not aligned")


@pytest.mark.parametrize("name", providers.names())
def test_every_provider_has_replies(name: str) -> None:
    assert len(providers.replies(name)) == len(TABLES[name]["replies"])


@pytest.mark.parametrize("situation", providers.situations())
def test_every_situation_has_replies(situation: str) -> None:
    assert providers.replies(situation=situation)


def test_ids_are_unique_and_read_like_words() -> None:
    every = ids()
    assert len(set(every)) == len(every)
    assert [name for name in every if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)] == []
    assert max(map(len, every)) <= 50


def test_pytest_shows_the_ids_without_help(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import smtplib

        import pytest
        from pytest_smtpd import providers

        @pytest.mark.parametrize("smtpd", providers.replies("icloud", "mailbox full"), indirect=True)
        def test_full(smtpd):
            with smtplib.SMTP(smtpd.host, smtpd.port) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("app@example.com", "ada@example.com", "Subject: Hello\\n\\nHello.")

        @pytest.mark.parametrize("smtpd", [providers.replies("icloud", hook="command")], indirect=True)
        def test_list(smtpd):
            with smtplib.SMTP(smtpd.host, smtpd.port) as client:
                client.ehlo()
                client.mail("app@example.com")
                assert client.rcpt("ada@example.com") == (421, b"4.7.0 me.com Error: too many errors")
        """
    )
    result = pytester.runpytest_inprocess("-p", "pytest-smtpd", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*::test_full[[]icloud-mailbox-full[]] *", "*[[]icloud-mailbox-full-2[]] *", "*[[]icloud-too-many-errors[]] *"]
    )


WRONG = {
    "unknown provider 'gmial' - did you mean 'gmail'?": ("gmial", None, None),
    "unknown provider 'Gmail' - did you mean 'gmail'?": ("Gmail", None, None),
    "unknown situation 'mailbx full' - did you mean 'mailbox full'?": (None, "mailbx full", None),
    "unknown situation 'timeout' - did you mean 'time-out'?": (None, "timeout", None),
    "unknown hook 'rcpt' - did you mean 'rcpt_to'?": (None, None, "rcpt"),
    "no reply has hook 'secure'": (None, None, "secure"),
    "no reply has provider 'ovh'; it has a profile only": ("ovh", None, None),
    "no reply has provider 'gmx' and situation 'spam'; 'gmx' has: mailbox full (rcpt_to), unknown user (rcpt_to)": (
        "gmx",
        "spam",
        None,
    ),
    "no reply has provider 'gmx' and hook 'connect'; 'gmx' has: mailbox full (rcpt_to), unknown user (rcpt_to)": (
        "gmx",
        None,
        "connect",
    ),
    "no reply has situation 'bare LF' and hook 'connect'; 'bare LF' has: postfix (data)": (None, "bare LF", "connect"),
}


@pytest.mark.parametrize(
    ("text", "choice"), WRONG.items(), ids=[" ".join(filter(None, wrong)) for wrong in WRONG.values()]
)
def test_what_does_not_exist_is_an_error_in_one_line(text: str, choice: tuple[Any, Any, Any]) -> None:
    provider, situation, hook = choice
    with pytest.raises(ValueError) as caught:
        providers.replies(provider, situation, hook=hook)
    assert str(caught.value) == text


def test_name_like_no_other_is_answered_with_all_there_are() -> None:
    with pytest.raises(ValueError) as caught:
        providers.replies("zzzz")
    assert str(caught.value).startswith("unknown provider 'zzzz' (valid: barracuda, comcast, ")


def test_wrong_type_is_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"unknown provider \['gmail'\]"):
        providers.replies(["gmail"])  # type: ignore[arg-type]
