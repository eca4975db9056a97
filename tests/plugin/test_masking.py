"""Secrets are masked in every text meant for people, content is folded, and no text grows without limit."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

import pytest

from tests.plugin.reading import failure_text, sections

Failure = Callable[..., pytest.TestReport]

# What is secret, in every form in which it crosses the wire.
SECRETS = """
USER, PASSWORD, TOKEN = "app-user", "s3cret-passw0rd", "ya29.t0ken-0123456789"
spoken = set()

def say(client, line):
    spoken.update(re.findall(r"[A-Za-z0-9+/=]{12,}", line))
    return client.docmd(line)

def leaks(text, *secrets):
    plain = {PASSWORD, TOKEN, b64(PASSWORD), b64(TOKEN), *secrets}
    return sorted(secret for secret in plain | spoken if secret and secret in text)
"""

MECHANISMS = {
    "PLAIN in one line": "say(client, 'AUTH PLAIN ' + b64(f'\\0{USER}\\0{PASSWORD}'))",
    "PLAIN in two lines": "client.docmd('AUTH PLAIN'); say(client, b64(f'\\0{USER}\\0{PASSWORD}'))",
    "PLAIN with authzid": "say(client, 'AUTH PLAIN ' + b64(f'boss\\0{USER}\\0{PASSWORD}'))",
    "LOGIN": "client.docmd('AUTH LOGIN'); client.docmd(b64(USER)); say(client, b64(PASSWORD))",
    "LOGIN with initial response": "client.docmd('AUTH LOGIN ' + b64(USER)); say(client, b64(PASSWORD))",
    "CRAM-MD5": "client.user, client.password = USER, PASSWORD; client.auth('CRAM-MD5', client.auth_cram_md5)",
    "XOAUTH2": "say(client, 'AUTH XOAUTH2 ' + b64(f'user={USER}\\1auth=Bearer {TOKEN}\\1\\1')); client.docmd('')",
    "OAUTHBEARER": "say(client, 'AUTH OAUTHBEARER ' + b64(f'n,,\\1auth=Bearer {TOKEN}\\1\\1')); client.docmd('')",
    "SCRAM-SHA-256": "spoken.add(scram(client, USER, PASSWORD)[0])",
    "lower case": "say(client, 'auth plain ' + b64(f'\\0{USER}\\0{PASSWORD}'))",
    "wrong base64": "say(client, 'AUTH PLAIN ' + PASSWORD + '!!!')",
    "not base64 at all": "client.docmd('AUTH LOGIN'); client.docmd(USER); client.docmd(PASSWORD)",
    "unknown mechanism": "say(client, 'AUTH NTLM ' + b64(PASSWORD))",
    "two arguments": "say(client, 'AUTH PLAIN ' + b64(f'\\0{USER}\\0{PASSWORD}') + ' ' + PASSWORD)",
    "after a login": "client.login(USER, PASSWORD); say(client, 'AUTH PLAIN ' + b64(f'\\0{USER}\\0{PASSWORD}'))",
    "cancelled": "client.docmd('AUTH LOGIN ' + b64(USER)); client.docmd('*')",
    "space before": "say(client, ' AUTH PLAIN ' + b64(f'\\0{USER}\\0{PASSWORD}'))",
}


@pytest.mark.parametrize("dialogue", MECHANISMS.values(), ids=MECHANISMS)
@pytest.mark.parametrize(
    "settings", ["auth={'app-user': 's3cret-passw0rd'}", "auth={'app-user': 'ya29.t0ken-0123456789'}", "auth=None"]
)
def test_no_text_shows_a_secret(failure: Failure, dialogue: str, settings: str) -> None:
    report = failure(
        SECRETS
        + textwrap.dedent(f"""
        def dialogue(client):
            {dialogue}

        @pytest.mark.smtpd({settings})
        def test_it(smtpd):
            client = connect(smtpd)
            try:
                dialogue(client)
            except (OSError, smtplib.SMTPException):
                pass
            client.close()
            shown = smtpd.log.transcript()
            for thing in (smtpd, *smtpd.log, *smtpd.log.sessions()):
                shown += f"{{thing!r}} {{thing}}"
            for call in smtpd.log:
                shown += "".join(f"{{arg!r}} {{arg}}" for arg in call.args) + f"{{call.reply!r}} {{call.reply}}"
            for query, args in ((smtpd.one, ()), (smtpd.wait_for, (9,)), (smtpd.log.wait_for, ("rcpt_to", 9))):
                try:
                    query(*args, **({{"timeout": 0}} if args else {{}}))
                except AssertionError as error:
                    shown += str(error)
            pytest.fail(f"leaks: {{leaks(shown)}} in {{sorted(spoken)}}", pytrace=False)
        """)
    )
    assert report.longreprtext.startswith("leaks: [] in "), report.longreprtext
    section = sections(report)["Captured smtpd call"]
    spoken = re.findall(r"'([^']+)'", report.longreprtext.partition(" in ")[2])
    assert [secret for secret in [*spoken, "s3cret-passw0rd", "ya29.t0ken-0123456789"] if secret in section] == []


def test_a_login_that_is_refused_before_it_is_tried_is_masked(failure: Failure) -> None:
    for settings in ("auth_requires_tls=True", "require_tls=True", "disable={'AUTH'}", "auth_methods=['LOGIN']"):
        report = failure(f"""
            @pytest.mark.smtpd({settings})
            def test_it(smtpd):
                with connect(smtpd) as client:
                    assert client.docmd("AUTH PLAIN " + b64("\\0app\\0s3cret-passw0rd"))[0] >= 500
                assert False
        """)
        section = sections(report)["Captured smtpd call"]
        assert "AUTH PLAIN" in section
        assert "AGFwcABzM2NyZXQtcGFzc3cwcmQ=" not in section
        assert "s3cret" not in section


def test_a_pipelined_login_is_masked_too(failure: Failure) -> None:
    """Whatever follows a refused AUTH at once was meant as its answer, and is no command to be shown."""
    report = failure("""
        @pytest.mark.smtpd(auth=None)
        def test_it(smtpd):
            with connect(smtpd) as client:
                client.send("AUTH LOGIN\\r\\n" + b64("app") + "\\r\\n" + b64("s3cret-passw0rd") + "\\r\\nNOOP\\r\\n")
                assert [client.getreply()[0] for _ in range(4)][-1] == 250
            assert False
    """)
    section = sections(report)["Captured smtpd call"]
    assert "czNjcmV0LXBhc3N3MHJk" not in section


def test_the_settings_of_a_server_do_not_show_its_passwords(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd(auth={"app": "s3cret-passw0rd"})
        def test_it(smtpd):
            assert smtpd is None
    """)
    assert "<SMTPServer smtpd " in report.longreprtext
    text = report.longreprtext.replace('@pytest.mark.smtpd(auth={"app": "s3cret-passw0rd"})', "")
    assert "s3cret" not in text


# ---------------------------------------------------------------- folded and capped


def test_content_is_folded_whatever_carries_it(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            with connect(smtpd) as client:
                content = b"Subject: Hello\\r\\n\\r\\n" + b"DATA-LINE\\r\\n" * 1000
                client.sendmail("app@example.com", "bob@example.com", content)
                client.mail("app@example.com")
                client.rcpt("bob@example.com")
                client.send(b"BDAT 12\\r\\nCHUNK-LINE\\r\\nBDAT 6 LAST\\r\\nLAST\\r\\n")
                client.getreply(), client.getreply()
            assert False
    """)
    section = sections(report)["Captured smtpd call"]
    assert "DATA-LINE" not in section
    assert "CHUNK-LINE" not in section
    assert f"<{18 + 11 * 1000} bytes of content>" in section
    assert re.search(r"<(12|18) bytes of content>", section)


def test_a_long_session_is_capped_and_says_so(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            with connect(smtpd) as client:
                client.docmd("NOOP first")
                for n in range(600):
                    client.noop()
                client.docmd("NOOP last")
            assert False
    """)
    section = sections(report)["Captured smtpd call"]
    assert 50 < len(section.splitlines()) < 260
    assert "NOOP first" in section  # how it began
    assert "NOOP last" in section  # and where it ended: that is what a reader needs
    assert re.search(r"\b\d{3,4}\b.*(lines|more|omitted)", section)


def test_many_sessions_are_capped_too(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            for n in range(150):
                with connect(smtpd) as client:
                    client.docmd(f"NOOP number{n}")
            assert False
    """)
    section = sections(report)["Captured smtpd call"]
    assert "number149" in section
    assert len(section.splitlines()) < 1000


def test_a_long_line_is_cut(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            with connect(smtpd) as client:
                client.docmd("NOOP " + "x" * 100_000)
            assert False
    """)
    section = sections(report)["Captured smtpd call"]
    assert max(map(len, section.splitlines())) < 1000


def test_what_a_client_sends_cannot_draw_on_the_terminal(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            with connect(smtpd) as client:
                client.send(b"NOOP \\x1b[31mred\\x07\\x00\\xff\\xe9\\r\\n")
                client.getreply()
                client.send(b"\\x1b]0;title\\x07\\r\\n")
                client.getreply()
            print(*smtpd.log)
            assert False
    """)
    for title, text in sections(report).items():
        assert [c for c in text if not (c.isprintable() or c == "\n")] == [], title


def test_reprs_are_one_short_line(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            rule = smtpd.on("rcpt_to", to="carol@example.com", reply=550, optional=True)
            with connect(smtpd) as client:
                content = letter("bob@example.com", "Long " * 50, "Hi " * 500)
                client.sendmail("app@example.com", ["bob@example.com"] * 50, content)
            things = [smtpd, smtpd.log, smtpd.envelopes, rule, Reject(550)]
            things += [*smtpd.log, *smtpd.log.sessions(), *smtpd.envelopes]
            for name in ("args", "reply", "session", "mail_from"):
                things += [getattr(one, name) for one in things if hasattr(one, name)]
            texts = set(map(repr, things))
            bad = [text for text in texts if len(text) > 300 or "\\n" in text or " object at 0x" in text]
            pytest.fail(f"bad: {bad[:3]}", pytrace=False)
    """)
    assert failure_text(report).strip() == "bad: []"
