"""The interface to the reader of messages: the protocol keeps the bytes, and leaves their meaning to others.

Subject, text, attachments and so on are read by the package ``message``, which is a layer above this one. So a session
is made with a function that reads a message.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pytest_smtpd.smtp.attachment import Attachment

if TYPE_CHECKING:
    from email.message import EmailMessage


class Message(Protocol):
    """The values that are read from the bytes of a message."""

    @property
    def parsed(self) -> "EmailMessage": ...
    @property
    def subject(self) -> str | None: ...
    @property
    def text(self) -> str | None: ...
    @property
    def html(self) -> str | None: ...
    @property
    def attachments(self) -> tuple[Attachment, ...]: ...
    @property
    def links(self) -> tuple[str, ...]: ...

    def header(self, name: str, /) -> tuple[str, ...]:
        """The decoded values of the header fields of that name, in order."""
        ...

    def snapshot(self) -> str:
        """A text for snapshot tests, the same in each run."""
        ...


ReadMessage = Callable[[bytes], Message]


def no_reader(content: bytes) -> Message:
    """The reader of a session that was made by hand. Raises ``RuntimeError``."""
    raise RuntimeError("this session was made without a reader of messages: Session(id, read)")
