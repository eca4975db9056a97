"""Names that people bring along from other tools: the error says what to write instead."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_smtpd import Attachment, Reply, SMTPServer
from pytest_smtpd.foreign import _INSTEAD
from tests.plugin.mail import connect


@pytest.fixture(scope="module")
def objects() -> Iterator[dict[str, Any]]:
    """One of each, by the name that the texts give it."""
    content = (
        'Subject: Hi\nFrom: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="x"\n\n'
        "--x\nContent-Type: text/plain\n\nHello\n--x\nContent-Type: text/csv\n"
        "Content-Disposition: attachment; filename=a.csv\n\n1\n--x--\n"
    )
    streams: list[Any] = []
    with SMTPServer() as smtpd:

        @smtpd.on("data")
        def keep(stream: Any, session: Any) -> None:
            streams.append(stream)

        with connect(smtpd) as client:
            client.login("ada", "s3cret")
            client.sendmail("a@b.example", ["c@d.example"], content)
        smtpd.wait_closed()
        (auth,) = smtpd.log.calls("auth")
        (call,) = smtpd.log.calls("rcpt_to")
        yield {
            "smtpd": smtpd,
            "envelope": smtpd.envelopes[0],
            "envelopes": smtpd.envelopes,
            "session": call.session,
            "log": smtpd.log,
            "call": call,
            "attachment": smtpd.envelopes[0].attachments[0],
            "command": smtpd.log.calls("command")[0].argument,
            "reply": call.reply,
            "auth": auth.argument,
            "address": call.argument,
            "stream": streams[0],
        }


@pytest.mark.parametrize(
    ("used", "instead"),
    [
        ("smtpd.messages", "smtpd.envelopes, or smtpd.find(), smtpd.one() and smtpd.wait_for()"),
        ("smtpd.outbox", "smtpd.envelopes, or smtpd.find(), smtpd.one() and smtpd.wait_for()"),
        ("smtpd.hostname", "smtpd.host"),
        ("smtpd.reset()", "smtpd.clear()"),
        ("smtpd.sessions", "smtpd.log.sessions()"),
        ("smtpd.config", "smtpd.settings"),
        ("smtpd.tls", "smtpd.settings.tls"),
        ("smtpd.last_message", "smtpd.envelopes[-1]"),
        ("smtpd.waitFor(1)", "smtpd.wait_for"),
        ("envelope.to", "envelope.rcpt_to"),
        ("envelope.recipients", "envelope.rcpt_to"),
        ("envelope.rcpt_tos", "envelope.rcpt_to"),
        ("envelope.sender", "envelope.mail_from"),
        ("envelope.mailFrom", "envelope.mail_from"),
        ("envelope.body", "envelope.text or envelope.html"),
        ("envelope.get_payload()", "envelope.text or envelope.html"),
        ("envelope.headers", "envelope.message"),
        ("envelope.data", "envelope.content"),
        ("envelope.raw", "envelope.content"),
        ("envelope.message_id", 'envelope.message["Message-Id"]'),
        ("envelope.cc", 'envelope.message["Cc"]'),
        ("session.peer", "session.remote_address"),
        ("session.host_name", "session.hostname_appears_as"),
        ("session.hostNameAppearsAs", "session.hostname_appears_as"),
        ("session.remoteAddress", "session.remote_address"),
        ("session.ssl", "session.tls"),
        ("log.messages", "log.envelopes()"),
        ("log.entries", "log.calls()"),
        ("envelopes.last", "smtpd.envelopes[-1]"),
        ("call.status", "call.code"),
        ("attachment.payload", "attachment.content"),
        ("attachment.name", "attachment.filename"),
        ("reply.message", "reply.text"),
        ("command.line", "command.raw"),
        ("auth.user", "auth.username"),
        ("address.user", "address.local"),
        ("stream.content", "stream.read()"),
    ],
)
def test_a_foreign_name_is_an_error_that_names_ours(objects: dict[str, Any], used: str, instead: str) -> None:
    with pytest.raises(AttributeError) as caught:
        eval(used, objects)
    place, _, name = used.removesuffix("()").removesuffix("(1)").partition(".")
    assert str(caught.value).endswith(f" object has no attribute {name!r}: write {instead}")
    assert (caught.value.name, caught.value.obj) == (name, objects[place])


@pytest.mark.parametrize(
    ("used", "words"),
    [
        ("len(smtpd)", "len(smtpd.envelopes)"),
        ("smtpd[0]", "smtpd.envelopes[0]"),
        ("smtpd[-1]['Subject']", "smtpd.envelopes"),
        ("list(smtpd)", "for ... in"),
        ("'a@b.example' in smtpd", "smtpd.envelopes"),
        ("envelope['Subject']", 'envelope.message["Subject"]'),
        ("envelope['Subject']", "envelope.subject"),
        ("log[0]", "log.calls()"),
    ],
)
def test_what_is_no_list_or_dict_says_what_is(objects: dict[str, Any], used: str, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        eval(used, objects)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


ROWS = [(kind, text, names.split()) for kind, rows in _INSTEAD.items() for text, names in rows.items()]


@pytest.mark.parametrize(("kind", "text", "names"), ROWS, ids=[f"{kind}-{text}" for kind, text, _ in ROWS])
def test_every_row_names_what_there_is_for_what_there_is_not(
    objects: dict[str, Any], kind: str, text: str, names: list[str]
) -> None:
    place = next(name for name, value in objects.items() if type(value).__name__ == kind)
    assert [name for name in names if hasattr(objects[place], name)] == []
    for name in names:
        for one in re.split(r",? or |, | and ", text.format(name=name)):
            eval(one.removesuffix("()"), objects)


def test_a_slip_of_one_letter_is_corrected(objects: dict[str, Any]) -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'envelops' - did you mean smtpd\.envelopes\?"):
        _ = objects["smtpd"].envelops
    with pytest.raises(AttributeError, match=r"no attribute 'subjet' - did you mean envelope\.subject\?"):
        _ = objects["envelope"].subjet


@pytest.mark.parametrize("name", ["xyzzy", "_messages", "__wrapped__", "_repr_html_"])
def test_of_a_name_that_means_nothing_nothing_is_said(objects: dict[str, Any], name: str) -> None:
    for value in objects.values():
        assert not hasattr(value, name)
        with pytest.raises(AttributeError, match=f"^'{type(value).__name__}' object has no attribute '{name}'$"):
            getattr(value, name)


def test_a_server_without_messages_is_still_true() -> None:
    assert bool(SMTPServer()) is True


def test_an_attribute_error_inside_a_property_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise AttributeError("the real reason")

    monkeypatch.setattr(SMTPServer, "ca_file", property(broken))
    with pytest.raises(AttributeError, match=r"^the real reason$"):
        _ = SMTPServer().ca_file


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_values_can_still_be_copied(objects: dict[str, Any], again: Callable[[Any], Any]) -> None:
    attachment: Attachment = objects["attachment"]
    reply: Reply = objects["reply"]
    assert again(attachment) == attachment
    assert again(reply) == reply
    assert again(objects["address"]) == objects["address"]


def test_what_a_test_sees_of_it_is_its_own_line(failure: Callable[..., pytest.TestReport]) -> None:
    report = failure("""
        def test_it(smtpd):
            send(smtpd)
            assert smtpd.messages[0]
    """)
    text = report.longreprtext.partition("\n--")[0]
    assert "AttributeError: 'SMTPServer' object has no attribute 'messages': write smtpd.envelopes" in text
    assert text.splitlines()[-1].startswith("test_inner.py:")
