"""A provider's reply is one row of ``providers.toml``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import providers
from tests.growth.tables import one_line, page, row_of
from tests.rfc.wire import Connect, Serve

OWN_FILE = providers._DATA
REPLY = {
    "situation": '"out for lunch"',
    "role": '"mx"',
    "hook": '"rcpt_to"',
    "reply": '"450 4.3.2 Out for lunch"',
    "basis": '"doc"',
    "source": '"https://www.example.com/lunch"',
}
PROFILE = {
    "where": '"mx"',
    "greeting": '"220 mx.acme.example ESMTP"',
    "source": '"https://www.example.com/"',
    "ehlo_tls": '["mx.acme.example", "SIZE 1000"]',
}


def toml(head: str, fields: dict[str, str]) -> str:
    return "\n".join([head, *(f"{name} = {value}" for name, value in fields.items())]) + "\n"


def file_with(*rows: str) -> bytes:
    """The package's own file, and more rows behind it."""
    return OWN_FILE + "".join(f"\n{row}" for row in rows).encode()


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = toml("[acme]", {"title": '"Acme Mail"'}), toml("[acme.profile]", PROFILE)
    rows = file_with(toml("[[gmail.replies]]", REPLY), *acme, toml("[[acme.replies]]", REPLY))
    monkeypatch.setattr(providers, "_DATA", rows)


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_it_is_found_by_each_of_its_names() -> None:
    ids = ["gmail-out-for-lunch", "acme-out-for-lunch"]
    assert [rule.__name__ for rule in providers.replies(situation="out for lunch")] == ids
    assert [rule.__name__ for rule in providers.replies("acme")] == ids[1:]
    assert ids[0] in [rule.__name__ for rule in providers.replies("gmail", hook="rcpt_to")]
    assert "acme" in providers.names()
    assert "out for lunch" in providers.situations()
    assert providers.profile("acme").size == 1000


def test_the_server_gives_it(serve: Serve, client: Connect) -> None:
    server = serve(on=providers.replies("acme"))
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ada@client.example>")
    assert wire.say("RCPT TO:<bob@server.example>").lines == ("4.3.2 Out for lunch",)
    (call,) = server.log.calls("rcpt_to", outcome="refused")
    assert repr(call.rule) == "on('rcpt_to', reply='450 4.3.2 Out for lunch')"
    assert "S: 450 4.3.2 Out for lunch   by on('rcpt_to', " in server.log.transcript()


def test_errors_know_it() -> None:
    def wrong(**names: Any) -> str:
        with pytest.raises(ValueError) as caught:
            providers.replies(**names)
        return one_line(caught.value)

    assert wrong(provider="acne") == "unknown provider 'acne' - did you mean 'acme'?"
    assert wrong(situation="out for lunhc").endswith("did you mean 'out for lunch'?")
    text = "no reply has provider 'acme' and hook 'data'; 'acme' has: out for lunch (rcpt_to)"
    assert wrong(provider="acme", hook="data") == text


def test_markers_parameters_and_ids_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        from pytest_smtpd import providers

        @pytest.mark.parametrize("smtpd", providers.replies(situation="out for lunch"), indirect=True)
        def test_parameter(smtpd):
            assert "Out for lunch" in str(attempt(smtpd))

        @pytest.mark.smtpd_on(providers.replies("acme")[0])
        def test_marker(smtpd):
            assert "Out for lunch" in str(attempt(smtpd))
        """,
        "-v",
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        ["*::test_parameter[[]gmail-out-for-lunch[]] PASSED*", "*::test_parameter[[]acme-out-for-lunch[]] PASSED*"]
    )


def test_the_reference_lists_it() -> None:
    text = page("providers")
    assert row_of("gmail-out-for-lunch", text)[1:4] == ["`rcpt_to`", "`450 4.3.2 Out for lunch`", "mx"]
    assert row_of("acme-out-for-lunch", text)[2] == "`450 4.3.2 Out for lunch`"


# --- half a row -----------------------------------------------------------------------------------------------------


def problem(monkeypatch: pytest.MonkeyPatch, *rows: str) -> str:
    """The error of the first who asks, whatever for."""
    monkeypatch.setattr(providers, "_DATA", file_with(*rows))
    with pytest.raises(ValueError) as caught:
        providers.names()
    return one_line(caught.value)


@pytest.mark.parametrize("part", REPLY)
def test_a_reply_without_a_part_is_an_error_for_whoever_asks(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    half = {name: value for name, value in REPLY.items() if name != part}
    assert problem(monkeypatch, toml("[[postfix.replies]]", half)).endswith(f": lacks {part}")


@pytest.mark.parametrize("part", PROFILE)
def test_a_profile_without_a_part_is_an_error_for_whoever_asks(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    half = {name: value for name, value in PROFILE.items() if name != part}
    rows = toml("[acme]", {"title": '"Acme"'}), toml("[acme.profile]", half)
    assert problem(monkeypatch, *rows).startswith("providers.toml: acme, profile: lacks ")
    assert part in problem(monkeypatch, *rows)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hook": '"rcpt"'}, "unknown hook 'rcpt' - did you mean 'rcpt_to'? (valid: connect, "),
        ({"hook": '"command"'}, "hook 'command' needs a verb"),
        ({"hook": '"command"', "verb": '"MIAL"'}, "unknown verb 'MIAL' - did you mean 'MAIL'? (valid: EHLO, "),
        ({"verb": '"RCPT"'}, "only the hook 'command' has a verb, not 'rcpt_to'"),
        ({"reply": '"Out for lunch"'}, "reply must be a code like 550 or text like"),
        ({"reply": '"4500 Out for lunch"'}, "reply must be a code like 550 or text like"),
        ({"role": '"mta"'}, "unknown role 'mta' (valid: submission, mx, both)"),
        ({"rpely": '"450"'}, "unknown field 'rpely' - did you mean 'reply'? (valid: situation, "),
    ],
)
def test_a_wrong_part_is_an_error_for_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str], text: str
) -> None:
    rows = toml("[acme]", {"title": '"Acme"'}), toml("[[acme.replies]]", REPLY | change)
    assert problem(monkeypatch, *rows).startswith(f"providers.toml: acme, reply 1: {text}")
