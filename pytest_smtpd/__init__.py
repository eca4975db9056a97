"""A real SMTP server for tests: it records what it is sent, and it fails in every way a mail server can.

Everything here is loaded when it is first used, so that importing the package costs nothing.
"""

from importlib import import_module

# Modules that cannot be imported twice in one process. If pytest runs inside of pytest, all that the inner run has
# imported is taken out of sys.modules after it; this package stays, as long as the outer run has the plugin.
_lasting = {}

__version__ = "0.1.0"

# The modules of the public names. Type checkers read __init__.pyi instead.
_HOMES = {
    "Address": "smtp.address",
    "Attachment": "smtp.attachment",
    "Auth": "smtp.auth",
    "Call": "log.log",
    "Clock": "clock",
    "Command": "smtp.framing",
    "Envelope": "smtp.session",
    "Fault": "sweep.sweep",
    "Finding": "sweep.report",
    "Lint": "lint.finding",
    "Log": "log.query",
    "Reject": "errors",
    "Reply": "smtp.replies",
    "Rule": "rules.rule",
    "SMTPLintWarning": "lint.finding",
    "SMTPServer": "server",
    "SMTPServerFactory": "plugin.servers",
    "Session": "smtp.session",
    "Stream": "policy.stream",
    "Sweep": "sweep.sweep",
    "SweepFailure": "sweep.report",
    "TLSInfo": "smtp.tls",
    "WaitTimeout": "errors",
    "on": "rules.rule",
}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)  # not kept: after an inner run it is another one


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
