"""A client counts as present only where everything that it needs is installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.peers import PEERS, Job, Peer
from tests.interop.presence import Need, missing, program, require

Install = Callable[[str], str]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Put an executable shell script into a folder, and return its path."""

    def install(script: str) -> str:
        path = tmp_path / "client"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return install


def test_program_that_exists_is_present(install: Install) -> None:
    assert missing(program(install("exit 1"))) == []


def test_program_that_does_not_exist_is_named_once_and_nothing_else_is_asked(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    needs = [Need(absent), Need(absent, ("--tls",), name="TLS"), Need(absent, ("--auth",), name="AUTH")]

    assert missing(needs) == [absent]


def test_program_without_one_of_its_modules_lacks_just_that_module(install: Install) -> None:
    perl = install('test "$1" != -MAuthen::SASL')
    needs = [Need(perl, (f"-M{name}",), name=name) for name in ("Net::SMTP", "Authen::SASL")]

    assert missing(needs) == ["Authen::SASL"]


@pytest.mark.parametrize(("pattern", "lacking"), [(r"\+tls\b", []), (r"\+sasl\b", ["SASL"])])
@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("code", [0, 1])
def test_feature_is_found_in_the_output_whatever_the_exit_code(
    pattern: str, lacking: list[str], stream: int, code: int, install: Install
) -> None:
    client = install(f"echo '+smtp +tls -sasl' >&{stream}; exit {code}")

    assert missing([Need(client, ("--version",), pattern=pattern, name="SASL")]) == lacking


def test_test_is_skipped_with_the_names_of_what_is_missing(monkeypatch: pytest.MonkeyPatch, install: Install) -> None:
    monkeypatch.delenv("PYTEST_SMTPD_REQUIRE_PEERS", raising=False)
    client = install("exit 1")

    with pytest.raises(pytest.skip.Exception, match=r"^not installed: module A, module B \("):
        require(Need(client, (name,), name=f"module {name}") for name in "AB")


def test_test_fails_with_these_names_where_every_client_has_to_be_there(
    monkeypatch: pytest.MonkeyPatch, install: Install
) -> None:
    monkeypatch.setenv("PYTEST_SMTPD_REQUIRE_PEERS", "1")

    with pytest.raises(pytest.fail.Exception, match=r"^not installed: module A \("):
        require([Need(install("exit 1"), ("A",), name="module A")])


def test_nothing_happens_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, install: Install) -> None:
    monkeypatch.setenv("PYTEST_SMTPD_REQUIRE_PEERS", "1")

    require(program(install("")))


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.name != "smtplib"], ids=lambda peer: peer.name)
def test_every_client_asks_its_own_program_for_more_than_to_exist(peer: Peer, tmp_path: Path) -> None:
    env = {"SMTP_HOST": "localhost", "SMTP_PORT": "25", "SSL_CERT_FILE": "ca.pem"}
    client = peer.command(Job(env=env, folder=tmp_path)).argv[0]

    assert str(client) in {need.program for need in peer.needs}
    assert all(need.arguments and need.name for need in peer.needs)
