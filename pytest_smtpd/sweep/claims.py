"""Claims: what the application reports of each recipient, in the terms of RFC 3464: delivered, failed, delayed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from pytest_smtpd.suggest import did_you_mean

State = Literal["delivered", "failed", "delayed"]


class Claim(NamedTuple):
    """A claim about one recipient.

    ``line`` is the claim in one line for a report, without its subject: "raised OSError: timed out". ``words`` is all
    text of a failure, that of its causes and contexts included; ``own`` is the same without the contexts.
    """

    state: State
    line: str
    words: str = ""
    own: str = ""


RETURNED: Final = Claim("delivered", "returned normally")


class Claims:
    """The claims that a block makes; of two about one recipient, the later one counts.

    ``clean`` are those of the run without a fault. If they were made with a list of addresses that are delayed or
    delivered, an empty list in a later run means nobody; otherwise it means everybody.
    """

    def __init__(self, clean: "Claims | None" = None) -> None:
        self._listing: set[str] = set() if clean is None else clean._lists
        self._lists: set[str] = set()
        self._by_address: dict[str, Claim] = {}
        self._all: Claim | None = None
        self._delivered: set[str] = set()
        self.errors: list[BaseException] = []  # that were handed over, and may keep connections alive
        self._all_delivered = False

    def failed(self, what: Any) -> None:
        """These failed. Raises ``TypeError`` for a value that names no address."""
        if isinstance(what, Mapping):
            for address, reason in what.items():
                self._by_address[_key(address)] = _failure(reason)
            self.errors += [reason for reason in what.values() if isinstance(reason, BaseException)]
            return
        for address in _addresses(what):
            self._by_address[_key(address)] = Claim("failed", "reported it as failed")

    def all_failed(self) -> None:
        """All failed."""
        self._all = Claim("failed", "reported it as failed")

    def raised(self, error: BaseException) -> None:
        """An exception has left the block: every recipient without another claim failed."""
        self._all = _failure(error)

    def delayed(self, addresses: Iterable[Any]) -> None:
        """These are still queued; without addresses, all."""
        claim = Claim("delayed", "reported it as delayed")
        named = [_key(address) for address in addresses]
        self._lists.add("delayed")
        self._by_address.update(dict.fromkeys(named, claim))
        if not named and "delayed" not in self._listing:
            self._all = claim

    def delivered(self, addresses: Iterable[Any]) -> None:
        """These were delivered, and no other claim about them counts; without addresses, all."""
        named = [_key(address) for address in addresses]
        if named:
            self._lists.add("delivered")
        self._delivered.update(named)
        self._all_delivered = self._all_delivered or not (named or "delivered" in self._listing)

    def of(self, address: str) -> Claim:
        """The claim about this recipient."""
        key = _key(address)
        if self._all_delivered or key in self._delivered:
            return Claim("delivered", "reported it as delivered")
        return self._by_address.get(key) or self._all or RETURNED

    def any_failed(self, recipients: Iterable[str]) -> bool:
        """Whether one was reported to have failed: one of these recipients, another address, or everybody."""
        return any(self.of(address).state == "failed" for address in [*recipients, *self._by_address] or [""])

    def unknown(self, recipients: Iterable[str]) -> str | None:
        """The error about a claim for a recipient to whom nothing was sent; None if there is none."""
        known = {_key(address): address for address in recipients}
        for key in (*self._by_address, *self._delivered):
            if key not in known:
                near = did_you_mean(key, known.values(), "recipient")
                return f"nothing was sent to {key!r} in the run without a fault{near}"
        return None


def _key(address: Any) -> str:
    """An address as it is compared: without case in its domain, and without a display name."""
    if not isinstance(address, str):
        raise TypeError(f"a recipient is a str, not {address!r}")
    if "<" in address:
        from email.utils import parseaddr

        address = parseaddr(address)[1]
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def _addresses(what: Any) -> Iterable[Any]:
    if isinstance(what, str):
        return [what]
    if isinstance(what, Iterable):
        return what
    raise TypeError(f"failed() takes addresses, or what sendmail() returned, not {what!r}")


def _failure(reason: Any) -> Claim:
    if isinstance(reason, BaseException):
        return Claim("failed", f"raised {shown(reason)}", everything(reason), everything(reason, context=False))
    return Claim("failed", f"reported {reason!r}", repr(reason), repr(reason))


def shown(error: BaseException) -> str:
    """An exception in one line; one whose text cannot be had, by its type."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {' '.join(text.split())}" if text else type(error).__name__


def leaves(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions of a group; of another exception, itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    elif error is not None:
        yield error


def everything(error: BaseException, *, context: bool = True) -> str:
    """All text in an exception, its causes and, with ``context``, the exceptions that were being handled."""
    found: list[str] = []
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found += [type(one).__name__, *(_text(value) for value in (one, one.args, *vars(one).values()))]
        handled = one.__context__ if context and not one.__suppress_context__ else None
        todo += [one.__cause__, handled, *getattr(one, "exceptions", ())]
    return "\n".join(found)


def _text(value: Any) -> str:
    try:
        return f"{value} {value!r}"
    except Exception:
        return ""
