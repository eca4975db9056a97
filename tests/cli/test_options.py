"""The command line: what it takes, and one line with a suggestion for what it does not."""

from __future__ import annotations

import smtplib
import socket
from pathlib import Path

import pytest

from pytest_smtpd.cli.options import read
from tests.cli.program import refused, running

WRONG = {
    "a misspelt option": (["--prot", "25"], "unknown option '--prot' - did you mean '--port'?"),
    "a misspelt option with =": (["--prot=25"], "did you mean '--port'?"),
    "an abbreviation": (["--pro", "x"], "unknown option '--pro'"),
    "no option": (["1025"], "unexpected argument '1025'"),
    "a port in words": (["--port", "smtp"], "--port"),
    "a port beyond": (["--port", "70000"], "port must be a port number from 0 to 65535"),
    "a value left out": (["--port"], "--port: expected one argument"),
    "a TLS mode": (["--tls", "startls"], "did you mean 'starttls'?"),
    "a login without a user": (["--auth", ":secret"], "--auth USER:PASSWORD"),
    "a login without a password": (["--auth", "app"], "SMTPD_PASSWORD"),
    "a setting": (["--set", "tsl=None"], "unknown setting 'tsl' - did you mean 'tls'?"),
    "a setting without a value": (["--set", "size"], "NAME=VALUE"),
    "a setting's value": (["--set", "size=large"], "size must be a number from 0, or None, not 'large'"),
    "rules as a setting": (["--set", "on=[]"], "rules are given with --on"),
    "a setting said twice": (["--set", "tls=None", "--tls", "none"], "--tls and --set tls="),
    "settings that contradict each other": (["--tls", "none", "--set", "require_tls=True"], "require_tls"),
    "a hook": (["--on", "rcpt, reply=550"], "unknown hook 'rcpt' - did you mean 'rcpt_to'?"),
    "a rule's option": (["--on", "rcpt_to, repyl=550"], "did you mean 'reply'?"),
    "a rule without an action": (["--on", "rcpt_to"], "a rule needs an action"),
    "a rule's reply": (["--on", "rcpt_to, reply=999"], "reply must be"),
    "a rule that is no text": (["--on", "rcpt_to, to=bob, reply=550"], "a text is quoted: 'bob'"),
    "a constant in small letters": (["--on", "data, drop=true"], "write True"),
    "a rule in Python": (["--on", "on('data', drop=True)"], "leave out on( )"),
    "a rule that is none": (["--on", "rcpt_to reply=550"], "rcpt_to, to="),
    "no hook": (["--on", "reply=550"], "one hook"),
    "two hooks": (["--on", "rcpt_to, data, reply=550"], "one hook"),
    "an option twice": (["--on", "rcpt_to, reply=550, reply=551"], "rcpt_to, to="),
    "an address of another machine": (["--port", "0", "--set", "host=192.0.2.1"], "cannot listen on 192.0.2.1"),
}


@pytest.mark.wide
@pytest.mark.parametrize(("arguments", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(arguments: list[str], text: str) -> None:
    line = refused(*arguments)
    assert line.startswith("python -m pytest_smtpd: ")
    assert text in line


def test_a_taken_port_is_one_line_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--port", str(port))
    assert f"127.0.0.1:{port}" in line
    assert "--port 0" in line


def test_a_folder_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--save" in refused("--port", "0", "--save", str(tmp_path / "file"))
    assert "--save" in refused("--port", "0", "--save", "/proc/nowhere")


def test_a_password_is_in_no_text() -> None:
    assert "hunter22" not in refused("--auth", "app:hunter22", "--prot")
    assert "hunter22" not in refused("--auth", "app:hunter22", "--set", "auth_methods=NONE")
    assert "hunter22" not in refused("--auth", "app", "--tls", "x", extra={"SMTPD_PASSWORD": "hunter22"})


CODE = {
    "a call": "rcpt_to, reply=__import__('os').system('touch {}')",
    "a call as the hook": "__import__('os').system('touch {}'), reply=550",
    "behind the rule": "rcpt_to, reply=550) or __import__('os').system('touch {}'",
    "before the rule": "x)(__import__('os').system('touch {}'), reply=550",
    "stars": "*[__import__('os').system('touch {}')]",
    "two stars": "rcpt_to, **__import__('os').system('touch {}')",
    "a lambda": "rcpt_to, call=(lambda *_: __import__('os').system('touch {}'))()",
    "an f-string": "rcpt_to, to=f\"{{__import__('os').system('touch {}')}}\", reply=550",
    "a comprehension": "rcpt_to, to=[__import__('os').system('touch {}') for _ in 'x'], reply=550",
    "a new line": "rcpt_to, reply=550)\n__import__('os').system('touch {}'",
    "very deep": "rcpt_to, to=" + "[" * 5000,
}


@pytest.mark.parametrize("rule", CODE.values(), ids=CODE)
def test_nothing_is_evaluated(rule: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(SystemExit) as ended:
        read(["--on", rule.replace("{}", str(trace)) if "{{" not in rule else rule.format(trace)])
    assert ended.value.code == 2
    assert not trace.exists()
    assert capfd.readouterr().err.count("\n") == 1


SPELLINGS = ["rcpt_to, reply=550", "'rcpt_to', reply=550", '"rcpt_to",reply=550,', "rcpt_to,\n  reply=550 # no"]


@pytest.mark.parametrize("rule", SPELLINGS)
def test_a_hook_stands_with_quotes_or_without(rule: str) -> None:
    (made,) = read(["--on", rule]).rules
    assert repr(made) == "on('rcpt_to', reply=550)"


def test_all_literals_are_taken() -> None:
    text = "data, to={'a@x.example', 'b@x.example'}, header={'Bcc': None}, raw=b'250 ok\\n', accept=True, times=2"
    (rule,) = read(["--on", text]).rules
    assert rule.options["raw"] == b"250 ok\n"
    assert rule.match["to"] == {"a@x.example", "b@x.example"}


def test_the_first_rule_given_is_asked_first() -> None:
    with running("--on", "rcpt_to, reply=551", "--on", "rcpt_to, reply=552") as program, program.client() as client:
        client.ehlo()
        client.mail("app@example.com")
        assert client.rcpt("ada@example.com")[0] == 551


SETTINGS = {
    "a number": ("size=1000", {"size": 1000}),
    "None": ("auth=None", {"auth": None}),
    "a set": ("hide={'SIZE', 'DSN'}", {"hide": {"SIZE", "DSN"}}),
    "a quoted text": ("banner='12'", {"banner": "12"}),
    "a text": ("hostname=mx.example", {"hostname": "mx.example"}),
    "a text with blanks": ("banner=ready when you are", {"banner": "ready when you are"}),
    "a text with =": ("banner=a=b", {"banner": "a=b"}),
    "a text like code": ("banner=__import__('os')", {"banner": "__import__('os')"}),
    "nothing": ("banner=", {"banner": ""}),
}


@pytest.mark.parametrize(("text", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_is_a_literal_or_a_text(text: str, expected: dict[str, object]) -> None:
    settings = read(["--set", text]).settings
    assert {name: settings[name] for name in expected} == expected


def test_the_other_options_are_settings() -> None:
    options = read(["--port", "0", "--tls", "implicit", "--lmtp", "--profile", "office365"])
    assert options.settings == {"port": 0, "tls": "implicit", "lmtp": True, "profile": "office365"}
    assert read(["--tls", "none"]).settings["tls"] is None
    assert read([]).settings == {"port": 1025}


def test_the_first_colon_divides_a_login() -> None:
    assert read(["--auth", "app:a:b"]).settings["auth"] == {"app": "a:b"}
    assert read(["--auth", "app:"]).settings["auth"] == {"app": ""}


def test_a_password_may_come_from_the_environment() -> None:
    settings = read(["--auth", "app", "--auth", "other:pass"], {"SMTPD_PASSWORD": "s3cret"}).settings
    assert settings["auth"] == {"app": "s3cret", "other": "pass"}


def test_only_the_given_logins_succeed() -> None:
    with running("--auth", "app", extra={"SMTPD_PASSWORD": "s3cret"}) as program, program.client() as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("app@example.com", "ada@example.com", "Hi")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("app", "other")
        client.login("app", "s3cret")
        client.sendmail("app@example.com", "ada@example.com", "Hi")


def test_lmtp_and_implicit_tls() -> None:
    with running("--lmtp") as program:
        assert program.env["SMTP_URL"].startswith("lmtp://")
        with smtplib.LMTP("127.0.0.1", program.port) as client:
            client.sendmail("app@example.com", "ada@example.com", "Hi")
        program.read_until("^mail 1")
    with running("--tls", "implicit") as program:
        assert program.env["SMTP_URL"].startswith("smtps://")
