"""Reading a message: its header fields, text, HTML, attachments and links, from the octets that were sent."""

from pytest_smtpd.message.message import Message

__all__ = ["Message"]
