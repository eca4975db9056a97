"""What a message says: its header fields, text, HTML, attachments and links, read from the octets that were sent."""

from pytest_smtpd.message.message import Message

__all__ = ["Message"]
