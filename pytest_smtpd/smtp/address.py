"""Addresses and their parameters as values (RFC 5321 section 4.1.2, RFC 3461)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from pytest_smtpd.errors import no_attribute
from pytest_smtpd.smtp.values import ReadOnly, quoted, safe_repr, set_once


class RecipientDSN(ReadOnly):
    """The delivery reports a recipient's RCPT asks for (RFC 3461 section 4): ``notify`` keywords, ``orcpt`` decoded."""

    __slots__ = ("notify", "orcpt")

    notify: tuple[str, ...]
    orcpt: str | None

    def __init__(self, *, notify: tuple[str, ...] = (), orcpt: str | None = None) -> None:
        set_once(self, "notify", notify)
        set_once(self, "orcpt", orcpt)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RecipientDSN):
            return (self.notify, self.orcpt) == (other.notify, other.orcpt)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.notify, self.orcpt))

    def __repr__(self) -> str:
        return f"RecipientDSN(notify={safe_repr(self.notify)}, orcpt={safe_repr(self.orcpt)})"


class EnvelopeDSN(ReadOnly):
    """The delivery reports that MAIL asks for (RFC 3461 section 4): ``ret`` "FULL" or "HDRS", ``envid`` decoded."""

    __slots__ = ("envid", "ret")

    ret: str | None
    envid: str | None

    def __init__(self, *, ret: str | None = None, envid: str | None = None) -> None:
        set_once(self, "ret", ret)
        set_once(self, "envid", envid)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EnvelopeDSN):
            return (self.ret, self.envid) == (other.ret, other.envid)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.ret, self.envid))

    def __repr__(self) -> str:
        return f"EnvelopeDSN(ret={safe_repr(self.ret)}, envid={safe_repr(self.envid)})"


NO_ARGS: Final[Mapping[str, str | bool]] = MappingProxyType({})
NO_RECIPIENT_DSN: Final = RecipientDSN()
NO_ENVELOPE_DSN: Final = EnvelopeDSN()


class Address(str):  # noqa: SLOT000 - what most addresses lack stands in the class
    """An envelope address, a ``str``, as the client sent it without its angle brackets; ``""`` is the null sender."""

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute

    #: The ESMTP parameters as sent: upper-case keys, True for a parameter without a value.
    args: Mapping[str, str | bool] = NO_ARGS
    #: The delivery reports that RCPT asks for (RFC 3461): ``notify`` (a tuple of keywords) and ``orcpt`` (decoded).
    dsn: RecipientDSN = NO_RECIPIENT_DSN

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
        """The part before the last ``@``; the whole address if there is none, as in ``Postmaster``."""
        return self.rpartition("@")[0] if "@" in self else str(self)

    @property
    def domain(self) -> str:
        """The part behind the last ``@``; ``""`` if there is none."""
        return self.rpartition("@")[2] if "@" in self else ""

    def __repr__(self) -> str:
        return quoted(self)

    def __reduce__(self) -> tuple[object, ...]:
        more = {name: value for name, value in vars(self).items() if name not in ("args", "dsn")}
        return _rebuild, (str(self), dict(self.args), self.dsn), more or None


def _rebuild(text: str, args: Mapping[str, str | bool], dsn: RecipientDSN) -> Address:
    return Address(text, args=args, dsn=dsn)


Address.__module__ = "pytest_smtpd"
