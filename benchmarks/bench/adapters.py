"""The Python servers behind one face: started in this very process, keeping every message they are sent."""

import importlib
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol

from bench import environment

# Imports by name: these are other people's packages, partly untyped, and each host process needs only one of them.
load: Callable[[str], Any] = importlib.import_module


class Adapter(Protocol):
    """A mail server for tests."""

    def start(self, tls: str) -> int:
        """Start a new server (`tls` is "clear", "starttls" or "implicit") and say its port."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...

    def clear(self) -> None:
        """Forget what was received."""
        ...

    def count(self) -> int:
        """How many messages are kept."""
        ...


class Ours:
    """pytest_smtpd as it comes: nothing is switched off, not even what the scenario has no use for."""

    SETTINGS: dict[str, dict[str, str]] = {"clear": {}, "starttls": {}, "implicit": {"tls": "implicit"}}  # noqa: RUF012

    def start(self, tls: str, *rules: object) -> int:
        self.server = load("pytest_smtpd").SMTPServer(**self.SETTINGS[tls], on=rules)
        self.server.start()
        return int(self.server.port)

    def recipients(self, indices: list[int]) -> list[str]:
        """Whom some of the messages were for."""
        return [str(self.server.envelopes[index].rcpt_to[0]) for index in indices]

    def query(self, **match: str) -> None:
        """Find the one message there is."""
        self.server.one(**match)

    def stop(self) -> None:
        self.server.stop()

    def clear(self) -> None:
        self.server.clear()

    def count(self) -> int:
        return len(self.server.envelopes)


class Keep:
    """The handler that a user of aiosmtpd writes: keep the envelope."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.kept.append(envelope)
        return "250 OK"


class Aiosmtpd:
    """aiosmtpd's Controller, its limit of 32 MB per message lifted."""

    def start(self, tls: str) -> int:
        context = environment.server_context() if tls != "clear" else None
        settings = {"ssl_context": context} if tls == "implicit" else {"tls_context": context}
        self.handler, port = Keep(), free_port()
        self.controller = load("aiosmtpd.controller").Controller(
            self.handler, hostname="127.0.0.1", port=port, data_size_limit=None, **settings
        )
        self.controller.start()
        return port

    def stop(self) -> None:
        self.controller.stop()

    def clear(self) -> None:
        self.handler.kept.clear()

    def count(self) -> int:
        return len(self.handler.kept)


class Smtpdfix:
    """smtpdfix, whose settings are the process environment."""

    SWITCH = {"clear": None, "starttls": "SMTPD_USE_STARTTLS", "implicit": "SMTPD_USE_SSL"}  # noqa: RUF012

    def start(self, tls: str) -> int:
        os.environ["SMTPD_SSL_CERTIFICATE_FILE"] = str(environment.CERTIFICATE)
        os.environ["SMTPD_SSL_KEY_FILE"] = str(environment.KEY)
        if switch := self.SWITCH[tls]:
            os.environ[switch] = "True"
        port = free_port()
        self.running = load("smtpdfix").SMTPDFix("127.0.0.1", port)
        self.controller = self.running.__enter__()
        return port

    def stop(self) -> None:
        self.running.__exit__(None, None, None)

    def clear(self) -> None:
        self.controller._messages.clear()  # its public list is a copy

    def count(self) -> int:
        return len(self.controller.messages)


class Localserver:
    """pytest-localserver's SMTP server."""

    def start(self, tls: str) -> int:
        if tls != "clear":
            raise NotImplementedError("no TLS")
        self.server = load("pytest_localserver.smtp").Server("127.0.0.1")
        self.server.start()
        return int(self.server.addr[1])

    def stop(self) -> None:
        self.server.stop()

    def clear(self) -> None:
        self.server.outbox.clear()

    def count(self) -> int:
        return len(self.server.outbox)


class Forgetful:
    """What has nothing to clear or count."""

    def clear(self) -> None:
        pass

    def count(self) -> int:
        return 0


class BareAsyncio(Forgetful):
    """An asyncio protocol that keeps nothing."""

    def start(self, tls: str) -> int:
        if tls != "clear":
            raise NotImplementedError("no TLS")
        self.server = load("bench.bare").BareServer()
        return int(self.server.start())

    def stop(self) -> None:
        self.server.stop()


class ClientOnly(Forgetful):
    """No server here: the sending side for servers that live in a process of their own."""

    def start(self, tls: str) -> int:
        return 0

    def stop(self) -> None:
        pass


ADAPTERS: dict[str, Callable[[], Adapter]] = {
    "pytest_smtpd": Ours,
    "aiosmtpd": Aiosmtpd,
    "smtpdfix": Smtpdfix,
    "pytest-localserver": Localserver,
    "bare asyncio": BareAsyncio,
    "client": ClientOnly,
}


def free_port() -> int:
    """A port for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
