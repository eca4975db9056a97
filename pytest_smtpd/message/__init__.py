"""What a message says: header fields, text, HTML, attachments, links, from the octets that were sent."""

from pytest_smtpd.message.message import Message
from pytest_smtpd.message.parts import Part

__all__ = ["Message", "Part"]
