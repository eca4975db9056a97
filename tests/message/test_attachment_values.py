"""An attachment is a value: read-only, compared by what it holds, shown in one line."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from pytest_smtpd.smtp.attachment import Attachment
from tests.message.reading import entity, mixed, plain, read


def attachment(**values: Any) -> Attachment:
    return Attachment(**{"filename": "a.txt", "content_type": "text/plain", "content": b"text", **values})


def test_an_attachment_holds_what_it_was_made_of() -> None:
    made = attachment(disposition="inline", content_id="x@y.example", text="text")
    assert (made.filename, made.content_type, made.content) == ("a.txt", "text/plain", b"text")
    assert (made.disposition, made.content_id, made.text) == ("inline", "x@y.example", "text")


def test_what_is_not_given_is_none() -> None:
    made = attachment()
    assert (made.disposition, made.content_id, made.text) == (None, None, None)


def test_attachments_with_the_same_values_are_equal() -> None:
    assert attachment(text="text") == attachment(text=lambda: "text")
    assert hash(attachment(text="text")) == hash(attachment(text=lambda: "text"))


@pytest.mark.parametrize(
    "values",
    [
        {"filename": "b.txt"},
        {"filename": None},
        {"content_type": "text/html"},
        {"content": b""},
        {"disposition": "inline"},
        {"content_id": "x"},
        {"text": "text"},
    ],
)
def test_attachments_with_different_values_are_not(values: dict[str, Any]) -> None:
    assert attachment(**values) != attachment()


def test_an_attachment_equals_nothing_else() -> None:
    assert attachment() != ("a.txt", "text/plain", b"text")
    assert attachment() != None  # noqa: E711


def test_a_text_is_decoded_when_it_is_first_looked_at_and_once() -> None:
    asked = []

    def decode() -> str:
        asked.append(1)
        return "text"

    made = attachment(text=decode)
    assert asked == []
    assert (made.text, made.text, len(asked)) == ("text", "text", 1)


@pytest.mark.parametrize("name", ["filename", "content", "text", "other"])
def test_an_attachment_cannot_be_changed(name: str) -> None:
    made = attachment()
    with pytest.raises(AttributeError, match=f"cannot assign to '{name}' of <Attachment 'a.txt' .*it is read-only"):
        setattr(made, name, "x")
    with pytest.raises(AttributeError, match=f"cannot delete '{name}' of <Attachment 'a.txt' .*it is read-only"):
        delattr(made, name)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_is_equal(make: Any) -> None:
    (made,) = read(mixed(plain("x"), plain("ü", "Content-ID: <a@b>"))).attachments
    assert make(made) == made
    assert make(made).text == "ü"


def test_it_is_shown_in_one_short_line() -> None:
    assert repr(attachment()) == "<Attachment 'a.txt' text/plain 4 bytes>"
    assert repr(attachment(filename=None)) == "<Attachment None text/plain 4 bytes>"
    assert repr(attachment(filename="a\n\x1b\u202e")) == r"<Attachment 'a\n\x1b\u202e' text/plain 4 bytes>"
    long = repr(attachment(filename="x" * 1000, content_type="a/" + "y" * 1000))
    assert len(long) < 200


def test_one_that_was_received_equals_one_that_was_written_down() -> None:
    pdf = entity("application/pdf", "%PDF", "Content-Disposition: attachment; filename=a.pdf")
    assert read(mixed(plain("text"), pdf)).attachments == (
        Attachment(filename="a.pdf", content_type="application/pdf", content=b"%PDF", disposition="attachment"),
    )
