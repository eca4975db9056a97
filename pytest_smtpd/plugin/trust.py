"""Environment variables by which TLS clients trust the test CA."""

import os

from pytest_smtpd.server import SMTPServer


class Trust:
    """Makes TLS clients in this process and its children trust the test CA as well as the system's, for a while."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] | None = None
        self._ours: dict[str, str] = {}

    def begin(self, server: SMTPServer) -> None:
        """Set the variables, unless they are set already, or the settings of the server have ``trust`` or TLS off."""
        if self._before is not None or not server.settings.trust or server.settings.tls is None:
            return
        self._ours = server.trust_env
        self._before = {name: os.environ.get(name) for name in self._ours}
        os.environ.update(self._ours)

    def end(self) -> None:
        """Restore the variables, except those that something else (``monkeypatch``, for example) has changed since."""
        before, self._before = self._before, None
        for name, value in (before or {}).items():
            if os.environ.get(name) != self._ours[name]:
                continue
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
