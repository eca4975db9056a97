"""What lines of the catalogue name beside `on` and `re`; the documentation shows each function as it stands here."""

from __future__ import annotations

import ssl
import time
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_smtpd import Session, Stream


def read_slowly(stream: Stream, session: Session) -> None:
    for _ in stream:
        time.sleep(0.02)


def only_tls_1_1() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The version is deprecated, which is why it is here.
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def no_common_cipher() -> ssl.SSLContext:
    # Without a certificate, no cipher is left to agree on.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


SHOWN = (read_slowly, only_tls_1_1, no_common_cipher)
