# What __init__.py loads on demand, for type checkers and editors, which do not run it.
from types import ModuleType

from pytest_smtpd.bench import SMTPServerFactory
from pytest_smtpd.calls import Call
from pytest_smtpd.errors import Reject, WaitTimeout
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.record.query import Log
from pytest_smtpd.rules import Rule, on
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.content import Attachment
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Command
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import Auth
from pytest_smtpd.smtp.session import Session, TLSInfo

__all__ = [
    "Address",
    "Attachment",
    "Auth",
    "Call",
    "Command",
    "Envelope",
    "Log",
    "Reject",
    "Reply",
    "Rule",
    "SMTPServer",
    "SMTPServerFactory",
    "Session",
    "Stream",
    "TLSInfo",
    "WaitTimeout",
    "on",
]
__version__: str

_HOMES: dict[str, str]
_lasting: dict[str, ModuleType]
