"""What the Python clients share: the job comes in on stdin, what happened goes out on stdout, both as JSON."""

import base64
import json
import os
import smtplib
import ssl
import sys
from collections.abc import Callable
from typing import Any

Job = dict[str, Any]

HOST = os.environ["SMTP_HOST"]
PORT = int(os.environ["SMTP_PORT"])


def verify_by_default() -> None:
    """Give libraries that call `starttls()` without a context a verifying one: smtplib's verifies nothing."""

    def verifying_context(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        return ssl.create_default_context()

    ssl._create_stdlib_context = verifying_context  # type: ignore[attr-defined]


def watch(owner: type) -> list[bytes]:
    """Note every message that is handed to the DATA command of an SMTP class."""
    sent: list[bytes] = []
    original = owner.data  # type: ignore[attr-defined]

    def data(self: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(message if isinstance(message, bytes) else message.encode())
        return original(self, message, *args, **kwargs)

    owner.data = data  # type: ignore[attr-defined]
    return sent


def main(send: Callable[[Job], Any], *, smtp: type = smtplib.SMTP) -> None:
    """Run `send` and report the bytes that went out, or the error as this library words it."""
    job = json.load(sys.stdin)
    sent = watch(smtp)
    try:
        send(job)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is what is to be reported
        print(json.dumps({"error": type(error).__name__, "text": str(error)}))
        sys.exit(1)
    print(json.dumps({"sent": base64.b64encode(sent[-1]).decode()}))
