"""Rules about the header of a message: which fields it has, how often, and whom they name."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from pytest_smtpd.lint.facts import Facts, Mail
from pytest_smtpd.lint.finding import Seen
from pytest_smtpd.smtp.values import printable, short

# RFC 5322 section 3.6: fields that may occur once.
_ONCE: Final = (
    *("date", "from", "sender", "reply-to", "to", "cc", "bcc"),
    *("message-id", "in-reply-to", "references", "subject"),
)
_RECIPIENTS: Final = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")
_ONE_CLICK: Final = "list-unsubscribe=one-click"
# A quoted string, a comment, an address in brackets, what divides mailboxes, or a word.
_TOKEN: Final = r'"(?:[^"\\]|\\.)*(?:"|$)|\([^()]*\)|<[^<>]*>|[,;:]|[^\s,;:<>()"]+'


def _about(mail: Mail, text: str) -> Seen:
    return Seen(mail.at, text, mail.envelope.session, mail.envelope)


def _line(mail: Mail, position: int) -> int:
    return mail.envelope.content.count(b"\n", 0, position) + 1


def bcc(facts: Facts) -> Iterator[Seen]:
    """A Bcc field that names somebody; an empty one only shows that there were blind copies."""
    for mail in facts.mails:
        for name in ("Bcc", "Resent-Bcc"):
            named = [value for value in mail.message.header(name) if value]
            if named:
                yield _about(mail, f"the header has {name}: {printable(short(named[0]))}")


def double_header(facts: Facts) -> Iterator[Seen]:
    """A field twice that may occur once."""
    for mail in facts.mails:
        counts = Counter(name.lower() for name, _ in mail.message.fields)
        for name in _ONCE:
            if counts[name] > 1:
                yield _about(mail, f"the header has {name.title().replace('-Id', '-ID')} {counts[name]} times")


def utf8_headers(facts: Facts) -> Iterator[Seen]:
    """A header, or that of a part, with octets beyond ASCII, in a transaction without SMTPUTF8."""
    for mail in facts.mails:
        if mail.envelope.content.isascii() or mail.envelope.smtp_utf8:
            continue
        content = mail.envelope.content
        for header in [part.header for part in mail.message.parts]:
            raw = [field for field in header.positions if not content[field[0] : field[2]].isascii()]
            if raw:
                start, colon, _ = raw[0]
                name = content[start:colon].decode("ascii", "replace").strip()
                text = f"the header {printable(short(name))} in line {_line(mail, start)} is not ASCII"
                yield _about(mail, f"{text}, and MAIL had no SMTPUTF8")
                break


def absent(name: str) -> Callable[[Facts], Iterator[Seen]]:
    """The rule that a message has this field."""

    def find(facts: Facts) -> Iterator[Seen]:
        for mail in facts.mails:
            if mail.whole and not mail.message.header(name):
                yield _about(mail, f"the header has no {name}")

    return find


def unsubscribe(facts: Facts) -> Iterator[Seen]:
    """List-Unsubscribe without List-Unsubscribe-Post, or either unlike what RFC 8058 asks for."""
    for mail in facts.mails:
        links, posts = mail.message.header("list-unsubscribe"), mail.message.header("list-unsubscribe-post")
        if problem := _unsubscribe_problem(links, posts):
            yield _about(mail, problem)


def _unsubscribe_problem(links: tuple[str, ...], posts: tuple[str, ...]) -> str | None:
    if not links:
        return "the header has List-Unsubscribe-Post and no List-Unsubscribe" if posts else None
    if not posts:
        return "the header has List-Unsubscribe and no List-Unsubscribe-Post"
    if "".join(posts[0].split()).lower() != _ONE_CLICK:
        return f"List-Unsubscribe-Post is {short(printable(posts[0]))!r}, not 'List-Unsubscribe=One-Click'"
    if "<https:" not in links[0].lower():
        return "List-Unsubscribe-Post promises one click, and List-Unsubscribe has no https address to post to"
    return None


# --- recipients ------------------------------------------------------------------------------------------------------


def not_in_headers(facts: Facts) -> Iterator[Seen]:
    """A recipient of the envelope whom no header names."""
    for mail in facts.mails:
        if not mail.whole:
            continue
        said = " ".join(_recipient_fields(mail)).lower()
        for address in dict.fromkeys(mail.envelope.rcpt_to):
            if address.lower() not in said:
                yield _about(mail, f"the recipient {_shown(address)} is in no To, Cc or Bcc")


def not_in_envelope(facts: Facts) -> Iterator[Seen]:
    """A recipient in the header to whom no copy of the message was sent."""
    sent: dict[bytes, set[str]] = {}
    for mail in facts.mails:
        everybody = (*mail.envelope.rcpt_to, *mail.envelope.refused)
        sent.setdefault(mail.envelope.content, set()).update(address.lower() for address in everybody)
    for mail in facts.mails:
        for address in _named(mail) if mail.whole else ():
            if address.lower() not in sent[mail.envelope.content]:
                yield _about(mail, f"{_shown(address)} is in To, Cc or Bcc, and no RCPT named this address")


def _recipient_fields(mail: Mail) -> list[str]:
    """The bodies of the fields that name recipients, not decoded: in decoded names, a comma may be anything."""
    header = mail.message.parts[0].header
    octets = [body for name in _RECIPIENTS for body in header.octets(name.encode())]
    return [body.decode("utf-8", "replace") for body in octets]


def _named(mail: Mail) -> list[str]:
    """The addresses of these fields, each once."""
    mailboxes = (mailbox for body in _recipient_fields(mail) for mailbox in _mailboxes(body))
    return list(dict.fromkeys(address for mailbox in mailboxes for address in mailbox if "@" in address[1:]))


def _mailboxes(body: str) -> Iterator[list[str]]:
    """What may be the address of each mailbox of a list (RFC 5322 section 3.4): the one in brackets, if there is one.

    The standard library's parser recurses into comments, as deep as a hostile sender likes.
    """
    bracketed: list[str] = []
    words: list[str] = []
    for token in [*re.findall(_TOKEN, body), ","]:
        if token in (",", ";", ":"):
            yield bracketed or words
            bracketed, words = [], []
        elif token.startswith("<"):
            bracketed.append(token.strip("<> "))
        elif token[0] not in '"(':
            words.append(token)


def _shown(address: str) -> str:
    return printable(short(address))
