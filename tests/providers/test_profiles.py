"""Profiles: values with the greeting, both EHLO lists, and the limits that these name."""

from __future__ import annotations

import asyncio
import smtplib

import aiosmtplib
import pytest

from pytest_smtpd import SMTPServer, on, providers
from tests.providers.table import PROFILES
from tests.providers.test_shape import PROFILE


def ehlo(*lists: str) -> providers.Ehlo:
    text = PROFILE.replace('ehlo_tls = ["mx.acme.example", "SIZE 1000"]', "\n".join(lists))
    found = providers.parse(text)["acme"].profile
    assert found is not None
    return found.ehlo


def acme(*lines: str) -> providers.Profile:
    return providers.Profile("acme", "", "220 mx.acme.example", providers.Ehlo((), ("mx.acme.example", *lines)), "")


def test_profiles_are_those_of_the_file_in_alphabetical_order() -> None:
    assert providers.profiles() == sorted(PROFILES)


@pytest.mark.parametrize("name", providers.profiles())
def test_profile_has_what_the_file_says(name: str) -> None:
    profile, fields = providers.profile(name), PROFILES[name]
    assert (profile.name, profile.greeting, profile.where) == (name, fields["greeting"], fields["where"])
    assert (profile.source, profile.date) == (fields["source"], fields.get("date"))
    for lines, known in zip(profile.ehlo, (fields.get("ehlo_clear"), fields.get("ehlo_tls")), strict=True):
        assert known is None or list(lines) == known


def test_lists_of_office365_are_both_known() -> None:
    clear, tls = providers.profile("office365").ehlo
    assert ("STARTTLS" in clear, "AUTH LOGIN XOAUTH2" in clear) == (True, False)
    assert ("STARTTLS" in tls, "AUTH LOGIN XOAUTH2" in tls) == (False, True)


def test_in_clear_starttls_stands_where_auth_is_under_tls() -> None:
    clear, tls = ehlo('ehlo_tls = ["mx", "SIZE 9", "AUTH PLAIN", "AUTH=PLAIN", "DSN"]')
    assert clear == ("mx", "SIZE 9", "STARTTLS", "DSN")
    assert tls == ("mx", "SIZE 9", "AUTH PLAIN", "AUTH=PLAIN", "DSN")
    assert ehlo('ehlo_tls = ["mx", "DSN"]').clear == ("mx", "DSN", "STARTTLS")


def test_under_tls_starttls_is_gone() -> None:
    """RFC 3207 section 4.2."""
    clear, tls = ehlo('ehlo_clear = ["mx", "StartTLS", "AUTH PLAIN", "DSN"]')
    assert clear == ("mx", "StartTLS", "AUTH PLAIN", "DSN")
    assert tls == ("mx", "AUTH PLAIN", "DSN")


def test_what_is_known_is_left_alone() -> None:
    assert ehlo('ehlo_clear = ["mx", "STARTTLS"]', 'ehlo_tls = ["mx", "STARTTLS", "AUTH PLAIN"]') == (
        ("mx", "STARTTLS"),
        ("mx", "STARTTLS", "AUTH PLAIN"),
    )


def test_limits_are_read_from_the_lists() -> None:
    assert providers.profile("gmail").size == 35882577
    assert providers.profile("postal").size is None
    assert providers.profile("gmail").max_recipients is None
    assert acme("SIZE 1000", "LIMITS MAILMAX=5 RCPTMAX=20").size == 1000
    assert acme("size 1000", "limits rcptmax=20 RCPTDOMAINMAX=3").max_recipients == 20
    assert acme("LIMITS RCPTDOMAINMAX=3").max_recipients is None


def test_size_of_zero_or_none_is_no_limit() -> None:
    """RFC 1870 section 4."""
    assert (acme("SIZE 0").size, acme("SIZE").size) == (None, None)


def test_profile_cannot_be_changed() -> None:
    profile = providers.profile("gmail")
    with pytest.raises(AttributeError, match="greeting"):
        profile.greeting = "220 other"  # type: ignore[misc]


def test_unknown_name_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(ValueError) as caught:
        providers.profile("offic365")
    assert str(caught.value) == "unknown provider 'offic365' - did you mean 'office365'?"


def test_provider_without_a_profile_is_an_error_that_names_those_that_have_one() -> None:
    with pytest.raises(ValueError, match=r"^provider 'comcast' has no profile \(those that have one: exim, gmail, "):
        providers.profile("comcast")


# --- do clients cope? -----------------------------------------------------------------------------------------------


def as_reply(lines: tuple[str, ...]) -> str:
    return "\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])


def dressed(name: str, lines: tuple[str, ...]) -> SMTPServer:
    """A server that shows this greeting and this list, and takes what they offer."""
    rules = [
        on("connect", reply=providers.profile(name).greeting),
        on("command", verb="EHLO", reply=as_reply(lines)),
    ]
    return SMTPServer(tls=None, on=rules)


LISTS = [
    pytest.param(name, lines, id=f"{name}-{where}")
    for name in providers.profiles()
    for where, lines in zip(("clear", "tls"), providers.profile(name).ehlo, strict=True)
]


@pytest.mark.parametrize(("name", "lines"), LISTS)
def test_smtplib_delivers(name: str, lines: tuple[str, ...]) -> None:
    with dressed(name, lines) as server, smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.ehlo()
        if "auth" in client.esmtp_features:
            client.login("app", "s3cret")
        assert client.sendmail("app@example.com", "ada@example.com", "Subject: Hello\n\nHello.") == {}
        assert server.one().rcpt_to == ("ada@example.com",)


@pytest.mark.parametrize(("name", "lines"), LISTS)
def test_aiosmtplib_delivers(name: str, lines: tuple[str, ...]) -> None:
    async def deliver(server: SMTPServer) -> None:
        client = aiosmtplib.SMTP(hostname=server.host, port=server.port, timeout=10, start_tls=False)
        async with client:
            if client.supports_extension("auth"):
                await client.login("app", "s3cret")
            await client.sendmail("app@example.com", ["ada@example.com"], b"Subject: Hello\r\n\r\nHello.\r\n")

    with dressed(name, lines) as server:
        asyncio.run(deliver(server))
        assert server.one().rcpt_to == ("ada@example.com",)
