"""Writes docs/reference/providers.md from pytest_smtpd/providers.toml."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from tables import code, codes, explained, table, write_or_check  # noqa: E402 - found by the line above

from pytest_smtpd import providers  # noqa: E402
from pytest_smtpd.smtp.replies import parse_reply  # noqa: E402

# Columns of a line of code.
WIDTH = 88

PAGE = """\
<!-- Made by docs/_generate/providers.py from pytest_smtpd/providers.toml: change it there. -->

# Providers

How real mail providers and servers refuse: {count} replies of {names} of them, each with its source,
and {profiles} profiles with greeting and EHLO list. `providers.replies(...)` makes rules of the replies:

```python
import smtplib

import pytest
from pytest_smtpd import providers


FULL = providers.replies(situation="mailbox full", hook="rcpt_to")


@pytest.mark.parametrize("smtpd", FULL, indirect=True)
def test_full_mailbox(smtpd):  # [gmail-mailbox-full], [icloud-mailbox-full], ...
    with smtplib.SMTP(smtpd.host, smtpd.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("app@example.com", "ada@example.com", "Hello.")
```

Two recipes use them: [Recognise a full mailbox at any provider](../recipes/full-mailbox.md) and
[A bounce classifier](../recipes/bounce-classifier.md).

## What this is, and what it is not

These are texts that somebody has received from a provider, that a provider has documented, or that stand in the source
code of a server. Each names its source, and "as of" is when the source read so. Providers change their texts without
notice, use several at the same time, and have more than anybody has collected: a client that copes with all of these
knows the variety, and still has to cope with a text that is new.

It is no simulation either. A rule gives the reply at the right place of the dialogue, to every client; it does not
know what makes the real server give it.

Nothing here names a person, a customer or a single machine. Session ids, host names, addresses and mailboxes are
invented and stand where the real ones stood; what providers publish themselves, such as the addresses of their help
pages, is as they write it.

{bases}
## Functions

`from pytest_smtpd import providers`

{functions}
An unknown name is a `ValueError` with a suggestion. So is a combination that no reply has; it lists what there is.

## By situation

{situations}
## Profiles

{lists}
## By provider

The first column is the id of the rule, the second the hook at which the reply is given. "submission" is what a provider
replies to its own customers when they send, "mx" what it replies to the rest of the world; servers reply so to both.

{sections}"""

BASES = {
    "wire": "seen on the wire: in a log, a transcript or a bounce",
    "doc": "the provider's own documentation",
    "list": "a public collection of replies. Such lists often join the lines of a reply, and leave session ids out",
    "code": "the source code of the server",
}
FUNCTIONS = {
    "replies(provider=None, situation=None, *, hook=None)": "a list of rules, new ones at each call, in the order of "
    'this page; each argument narrows the choice. A situation includes its variants: `"mailbox full"` also gives the '
    'replies for `"mailbox full, temporary"`. A rule is used like any other: as a fixture parameter, in `on=`, in '
    "`smtpd.on(rule)`",
    "names()": "the providers that have replies",
    "situations()": "what the replies are about",
    "profile(name)": "a read-only value with `greeting`, `ehlo.clear` and `ehlo.tls` (the lines of the EHLO reply; "
    "where one list is unknown, it is made from the other: STARTTLS in place of AUTH in clear text, no STARTTLS under "
    "TLS), "
    "`size`, `max_recipients`, `where`, `source`, `date`, `note`",
    "profiles()": "the providers that have a profile",
}


def page() -> str:
    known = providers.load()
    every = [reply for provider in known.values() for reply in provider.replies]
    return PAGE.format(
        count=len(every),
        names=len(providers.names()),
        profiles=len(providers.profiles()),
        bases=table(("basis", "what it is"), [(code(basis), text) for basis, text in bases(every)]),
        functions=table(("function", "gives"), [(code(name), text) for name, text in FUNCTIONS.items()]),
        situations=table(("situation", "at", "providers and codes"), map(situation_row, providers.situations())),
        lists=table(("profile", "seen", "`SIZE`", "what is odd", "as of"), map(profile_row, providers.profiles())),
        sections="\n".join(section(name, provider) for name, provider in known.items()),
    )


def bases(every: list[providers.ProviderReply]) -> list[tuple[str, str]]:
    return explained(sorted({reply.basis for reply in every}, key=list(BASES).index), BASES, "bases")


def situation_row(situation: str) -> tuple[str, str, str]:
    found = [reply for provider in providers.load().values() for reply in provider.replies]
    given: dict[str, list[str]] = {}
    for reply in found:
        if reply.situation == situation:
            given.setdefault(reply.provider, []).append(short_code(reply.reply))
    hooks = dict.fromkeys(reply.hook for reply in found if reply.situation == situation)
    who = "; ".join(f"[{name}](#{name}) {', '.join(replies)}" for name, replies in given.items())
    return situation, codes(hooks), who


def short_code(text: str) -> str:
    reply = parse_reply(text)
    return " ".join(filter(None, (str(reply.code), reply.enhanced)))


def profile_row(name: str) -> tuple[str, str, str, str, str]:
    profile = providers.profile(name)
    return f"[{name}](#{name})", profile.where, str(profile.size or ""), profile.note or "", as_of(profile.date)


def section(name: str, provider: providers.Provider) -> str:
    parts = [f"### {name}\n\n{provider.title}.\n"]
    if provider.profile:
        parts.append(lists(provider.profile))
    if provider.replies:
        head = ("id", "at", "reply", "role", "source", "as of")
        parts.append(table(head, map(reply_row, provider.replies)))
    return "\n".join(parts)


def lists(profile: providers.Profile) -> str:
    """The greeting and the two lists, as a client sees them."""
    clear, tls = profile.ehlo
    same = clear == tls
    greeting = textwrap.shorten(profile.greeting, WIDTH, placeholder=" ...")
    text = f"Profile ({profile.where}; {link(profile.source)}, {as_of(profile.date)}):\n\n```text\n{greeting}\n"
    text += f"\n{'in clear text and under TLS' if same else 'in clear text'}\n{ehlo(clear)}"
    return text + ("" if same else f"\nunder TLS\n{ehlo(tls)}") + "```\n"


def ehlo(lines: tuple[str, ...]) -> str:
    return "".join(f"250{' ' if number == len(lines) else '-'}{line}\n" for number, line in enumerate(lines, 1))


def reply_row(reply: providers.ProviderReply) -> tuple[str, str, str, str, str, str]:
    where = code(reply.hook) + (f", verb {reply.verb}" if reply.verb else "")
    text = "<br>".join(code(line) for line in reply.reply.split("\n"))
    ending = "<br>then the connection closes" if reply.drop else ""
    remark = f"<br>{reply.note}" if reply.note else ""
    role = "" if reply.role == "both" else reply.role
    source = f"{reply.basis}: {link(reply.source)}"
    return code(reply.id), where, text + ending + remark, role, source, as_of(reply.date)


def as_of(date: str | None) -> str:
    return date or "unknown"


def link(address: str) -> str:
    """A link with a short text: an issue as GitHub writes it, a file by its name, else the site."""
    parts = urlsplit(address)
    issue = re.fullmatch(r"/([^/]+/[^/]+)/(?:issues|pull)/(\d+)", parts.path)
    if issue:
        return f"[{issue[1]}#{issue[2]}]({address})"
    name = f"{parts.path.split('/')[2]}, {parts.path.rpartition('/')[2]}" if "/blob/" in parts.path else parts.hostname
    return f"[{name}]({address})"


PAGES = {"reference/providers.md": page}

if __name__ == "__main__":
    write_or_check(PAGES)
