"""Addresses and their parameters as values (RFC 5321 section 4.1.2, RFC 3461)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from pytest_smtpd.smtp.values import read_only


@read_only
@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientDSN:
    """A recipient's wishes for delivery reports (RFC 3461 section 4): ``notify`` keywords, ``orcpt`` decoded."""

    notify: tuple[str, ...] = ()
    orcpt: str | None = None


@read_only
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeDSN:
    """A message's wishes for delivery reports (RFC 3461 section 4): ``ret`` "FULL" or "HDRS", ``envid`` decoded."""

    ret: str | None = None
    envid: str | None = None


NO_ARGS: Final[Mapping[str, str | bool]] = MappingProxyType({})
NO_RECIPIENT_DSN: Final = RecipientDSN()
NO_ENVELOPE_DSN: Final = EnvelopeDSN()


class Address(str):
    """An envelope address, as the client sent it without its angle brackets; ``""`` is the null sender.

    ``local`` and ``domain`` are its two sides (``domain`` is ``""`` for the null sender and for ``Postmaster``),
    ``args`` the ESMTP parameters as sent (upper-case keys, ``True`` where there is no value), ``dsn`` what RFC 3461
    parameters ask for.
    """

    __slots__ = ("args", "dsn")

    args: Mapping[str, str | bool]
    dsn: RecipientDSN

    def __new__(
        cls,
        text: str = "",
        *,
        args: Mapping[str, str | bool] = NO_ARGS,
        dsn: RecipientDSN = NO_RECIPIENT_DSN,
    ) -> Self:
        self = super().__new__(cls, text)
        self.args, self.dsn = args, dsn
        return self

    @property
    def local(self) -> str:
        """What stands before the last ``@``."""
        return self.rpartition("@")[0] if "@" in self else str(self)

    @property
    def domain(self) -> str:
        """What stands behind the last ``@``; ``""`` where there is none."""
        return self.rpartition("@")[2] if "@" in self else ""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (str(self), dict(self.args), self.dsn)


def _rebuild(text: str, args: Mapping[str, str | bool], dsn: RecipientDSN) -> Address:
    return Address(text, args=args, dsn=dsn)


Address.__module__ = "pytest_smtpd"
