"""What the application tells its caller about each recipient, in the words of RFC 3464: delivered, failed, delayed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from pytest_smtpd.suggest import did_you_mean

State = Literal["delivered", "failed", "delayed"]


class Claim(NamedTuple):
    """``words`` is what was said of a failure, with its causes; ``own`` the same without what was merely in the way.

    ``said`` is the claim in one line for a report.
    """

    state: State
    said: str
    words: str = ""
    own: str = ""


RETURNED: Final = Claim("delivered", "your code returned normally")


class Claims:
    """What is said of recipients while the block runs; what is said later counts.

    ``clean`` is what was said in the run without a fault. A block that hands over a list there, of those that are
    delayed or delivered, does so in each run: where it is empty, it means nobody.
    """

    def __init__(self, clean: "Claims | None" = None) -> None:
        self._listing: set[str] = set() if clean is None else clean._lists
        self._lists: set[str] = set()
        self._said: dict[str, Claim] = {}
        self._all: Claim | None = None
        self._delivered: set[str] = set()
        self._all_delivered = False

    def failed(self, what: Any) -> None:
        """These failed. Raises ``TypeError`` for what names no address."""
        if isinstance(what, Mapping):
            for address, reason in what.items():
                self._said[_key(address)] = _failure(reason)
            return
        for address in _addresses(what):
            self._said[_key(address)] = Claim("failed", "your code reported it as failed")

    def all_failed(self) -> None:
        """All failed."""
        self._all = Claim("failed", "your code reported it as failed")

    def raised(self, error: BaseException) -> None:
        """This has left the block: everybody failed who was not named otherwise."""
        self._all = _failure(error)

    def delayed(self, addresses: Iterable[Any]) -> None:
        """These are still queued; all, where there are none."""
        claim = Claim("delayed", "your code reported it as delayed")
        named = [_key(address) for address in addresses]
        self._lists.add("delayed")
        self._said.update(dict.fromkeys(named, claim))
        if not named and "delayed" not in self._listing:
            self._all = claim

    def delivered(self, addresses: Iterable[Any]) -> None:
        """These were delivered, whatever else is said; all, where there are none."""
        named = [_key(address) for address in addresses]
        if named:
            self._lists.add("delivered")
        self._delivered.update(named)
        self._all_delivered = self._all_delivered or not (named or "delivered" in self._listing)

    def of(self, address: str) -> Claim:
        """What is claimed of this recipient."""
        key = _key(address)
        if self._all_delivered or key in self._delivered:
            return Claim("delivered", "your code reported it as delivered")
        return self._said.get(key) or self._all or RETURNED

    @property
    def any_failed(self) -> bool:
        """Whether a failure was reported."""
        return any(claim.state == "failed" for claim in (*self._said.values(), *filter(None, [self._all])))

    def unknown(self, recipients: Iterable[str]) -> str | None:
        """What is wrong with a claim about somebody to whom nothing was sent."""
        known = {_key(address): address for address in recipients}
        for key in (*self._said, *self._delivered):
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
        return Claim(
            "failed", f"your code raised {shown(reason)}", everything(reason), everything(reason, context=False)
        )
    return Claim("failed", f"your code reported {_short(repr(reason))}", repr(reason), repr(reason))


def shown(error: BaseException) -> str:
    """An exception in one line; one whose text cannot be had, by its type."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {_short(' '.join(text.split()))}" if text else type(error).__name__


def leaves(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions of a group, or the one that it is."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    elif error is not None:
        yield error


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:150]}..."


def everything(error: BaseException, *, context: bool = True) -> str:
    """All that an application can find in an exception and its causes; without what was merely being handled."""
    found: list[str] = []
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found += [type(one).__name__, *(_text(value) for value in (one, one.args, *vars(one).values()))]
        in_the_way = one.__context__ if context and not one.__suppress_context__ else None
        todo += [one.__cause__, in_the_way, *getattr(one, "exceptions", ())]
    return "\n".join(found)


def _text(value: Any) -> str:
    try:
        return f"{value} {value!r}"
    except Exception:
        return ""
