"""A real SMTP server for tests: it records what it is sent, and it fails in every way a mail server can.

Everything here is loaded when it is first used, so that importing the package costs nothing.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_smtpd.bench import SMTPServerFactory as SMTPServerFactory
    from pytest_smtpd.calls import Call as Call
    from pytest_smtpd.errors import Reject as Reject
    from pytest_smtpd.errors import WaitTimeout as WaitTimeout
    from pytest_smtpd.policy.streams import Stream as Stream
    from pytest_smtpd.record.query import Log as Log
    from pytest_smtpd.rules import Rule as Rule
    from pytest_smtpd.rules import on as on
    from pytest_smtpd.server import SMTPServer as SMTPServer
    from pytest_smtpd.smtp.address import Address as Address
    from pytest_smtpd.smtp.content import Attachment as Attachment
    from pytest_smtpd.smtp.envelope import Envelope as Envelope
    from pytest_smtpd.smtp.events import Command as Command
    from pytest_smtpd.smtp.replies import Reply as Reply
    from pytest_smtpd.smtp.sasl import Auth as Auth
    from pytest_smtpd.smtp.session import Session as Session
    from pytest_smtpd.smtp.session import TLSInfo as TLSInfo

# What cannot be imported twice in one process. Where pytest runs inside of pytest, all that the inner run has imported
# is taken out of sys.modules after it; this package stays, as long as the outer run has the plugin.
_lasting: dict[str, ModuleType] = {}

__version__ = "0.1.0"

_HOMES = {
    "Address": "smtp.address",
    "Attachment": "smtp.content",
    "Auth": "smtp.sasl",
    "Call": "calls",
    "Command": "smtp.events",
    "Envelope": "smtp.envelope",
    "Log": "record.query",
    "Reject": "errors",
    "Reply": "smtp.replies",
    "Rule": "rules",
    "SMTPServer": "server",
    "SMTPServerFactory": "bench",
    "Session": "smtp.session",
    "Stream": "policy.streams",
    "TLSInfo": "smtp.session",
    "WaitTimeout": "errors",
    "on": "rules",
}
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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)  # not kept: after an inner run it is another one


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
