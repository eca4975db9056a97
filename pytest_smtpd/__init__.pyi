# What __init__.py loads on demand, for type checkers and editors, which do not run it.
from types import ModuleType

from pytest_smtpd.clock import Clock
from pytest_smtpd.errors import Reject, WaitTimeout
from pytest_smtpd.lint.finding import Lint, SMTPLintWarning
from pytest_smtpd.log.log import Call
from pytest_smtpd.log.query import Log
from pytest_smtpd.plugin.servers import SMTPServerFactory
from pytest_smtpd.policy.stream import Stream
from pytest_smtpd.rules.rule import Rule, on
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.attachment import Attachment
from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.tls import TLSInfo
from pytest_smtpd.sweep.report import Finding, SweepFailure
from pytest_smtpd.sweep.sweep import Fault, Sweep

__all__ = [
    "Address",
    "Attachment",
    "Auth",
    "Call",
    "Clock",
    "Command",
    "Envelope",
    "Fault",
    "Finding",
    "Lint",
    "Log",
    "Reject",
    "Reply",
    "Rule",
    "SMTPLintWarning",
    "SMTPServer",
    "SMTPServerFactory",
    "Session",
    "Stream",
    "Sweep",
    "SweepFailure",
    "TLSInfo",
    "WaitTimeout",
    "on",
]
__version__: str

_HOMES: dict[str, str]
_lasting: dict[str, ModuleType]
