"""The file is whole, each row is well-formed, and nothing in it is about anybody real.

Each test looks at all rows and lists what is wrong with which.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

import pytest

from pytest_smtpd.smtp.replies import parse_reply
from tests.providers.table import PROFILES, ROWS, TABLES, Row, texts

REQUIRED = {"situation", "role", "hook", "reply", "basis", "source"}
CHOICES = {
    "role": {"submission", "mx", "both"},
    "basis": {"wire", "doc", "list", "code"},
    "hook": {"connect", "auth", "mail_from", "rcpt_to", "data", "command"},
}


def wrong(*, holds: Callable[[Row], bool]) -> list[str]:
    return [f"{row}: {row.fields}" for row in ROWS if not holds(row)]


def test_each_row_has_all_its_fields_and_no_others() -> None:
    assert wrong(holds=lambda row: REQUIRED <= row.fields.keys() <= REQUIRED | {"verb", "drop", "date", "note"}) == []
    assert wrong(holds=lambda row: all(row.fields[field] in known for field, known in CHOICES.items())) == []
    assert wrong(holds=lambda row: ("verb" in row.fields) == (row.fields["hook"] == "command")) == []


def test_no_field_is_empty_or_has_blanks_at_its_ends() -> None:
    fields = [(str(row), name, value) for row in ROWS for name, value in row.fields.items() if isinstance(value, str)]
    assert [field for field in fields if not field[2] or field[2] != field[2].strip()] == []


def test_each_reply_is_a_refusal_and_well_formed() -> None:
    """RFC 5321 section 4.2; RFC 2034 section 4: the class of an enhanced code is the first digit of the reply's."""

    def is_refusal(row: Row) -> bool:
        reply = parse_reply(row.fields["reply"])
        agrees = reply.enhanced is None or reply.enhanced[0] == str(reply.code)[0]
        return reply.wire == row.wire and reply.refuses and agrees

    assert wrong(holds=is_refusal) == []


def test_each_reply_is_given_where_such_a_code_can_be() -> None:
    """RFC 5321 section 4.3.2 and RFC 4954 section 4: a refused login is said at AUTH, a greeting is a 421 or a 554."""
    code = {id(row): int(row.fields["reply"][:3]) for row in ROWS}
    assert wrong(holds=lambda row: code[id(row)] not in {435, 534, 535, 538} or row.fields["hook"] == "auth") == []
    assert wrong(holds=lambda row: row.fields["hook"] != "connect" or code[id(row)] in {421, 554}) == []
    assert wrong(holds=lambda row: "<ada@" not in row.fields["reply"] or row.fields["hook"] == "rcpt_to") == []


def test_no_line_is_longer_than_the_rfc_allows_but_where_the_real_one_is() -> None:
    """RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets, the code and CRLF included."""
    long = {str(row) for row in ROWS if max(map(len, row.wire.splitlines(keepends=True))) > 512}
    noted = {str(row) for row in ROWS if "longer than the 512 octets" in row.fields.get("note", "")}
    assert long == noted == {"outlook, 'not aligned'"}


def test_same_text_is_not_there_twice() -> None:
    keys = [(row.provider, row.fields["hook"], row.fields["reply"]) for row in ROWS]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


def test_each_provider_has_a_title_and_something_to_say() -> None:
    assert [name for name, table in TABLES.items() if not table.keys() <= {"title", "replies", "profile"}] == []
    assert [name for name, table in TABLES.items() if "title" not in table or len(table) == 1] == []


def test_each_profile_is_well_formed() -> None:
    """RFC 5321 section 4.1.1.1: printable lines that fit into 512 octets with their code and CRLF."""
    assert [name for name, profile in PROFILES.items() if parse_reply(profile["greeting"]).code != 220] == []
    lists = [(name, profile.get(key)) for name, profile in PROFILES.items() for key in ("ehlo_clear", "ehlo_tls")]
    lines = [(name, line) for name, known in lists for line in known or ()]
    assert len(lines) > len(PROFILES)
    assert [line for line in lines if not re.fullmatch(r"[\x20-\x7e]{1,506}", line[1])] == []


# --- where it is from -----------------------------------------------------------------------------------------------

SITES = {"github.com", "learn.microsoft.com", "support.google.com", "www.suped.com"}
SOURCES = [(str(row), row.fields) for row in ROWS] + [(f"{name}, profile", table) for name, table in PROFILES.items()]


def test_each_source_is_an_address_and_a_file_of_a_repository_is_that_of_one_commit() -> None:
    found = [(where, urlsplit(fields["source"])) for where, fields in SOURCES]
    assert [source for source in found if source[1].scheme != "https" or source[1].hostname not in SITES] == []
    files = [source for source in found if "/blob/" in source[1].path]
    assert files
    assert [source for source in files if not re.search(r"/blob/[0-9a-f]{40}/", source[1].path)] == []


def test_each_date_is_a_day_or_a_month_or_a_year() -> None:
    dates = [(where, fields["date"]) for where, fields in SOURCES if "date" in fields]
    assert [found for found in dates if not re.fullmatch(r"20\d\d(-\d\d(-\d\d)?)?", found[1])] == []
    for _, text in dates:
        date.fromisoformat(f"{text}-01-01"[:10] if len(text) < 10 else text)


# --- nobody real ----------------------------------------------------------------------------------------------------

EXAMPLES = ("example.com", ".example.com", ".example", "EXAMPLE.COM", ".EXAMPLE")
# What providers publish themselves: their domains, the names of their services, the addresses of their help pages.
PUBLISHED = {
    *("support.google.com", "smtp.gmail.com"),
    *("aka.ms", "go.microsoft.com", "mail.live.com", "postmaster.live.com"),
    *("email-smtp.amazonaws.com", "sendgrid.com", "smtp.sendgrid.net"),
    *("mail.zoho.com", "www.zoho.com", "zoho.com", "mx.zohomail.com"),
    *("postmaster.yahoo.com", "postmaster.yahooinc.com", "smtp.mail.yahoo.com", "yahoo.com"),
    *("me.com", "support.apple.com", "postmaster.comcast.net", "ya.cc", "service.exmail.qq.com", "ssl0.ovh.net"),
    *("community.mimecast.com", "prs.proofpoint.com", "postgrey.schweikert.ch"),
}
# Names of errors and files that look like hosts.
NO_HOSTS = re.compile(
    r"5322\.From|RESOLVER\.ADR\.\w+|STOREDRV\.[\w.]+|SendAsDeniedException\.\w+|QuotaExceededException\.\w+|"
    r"(usage-policy|example\.com|550-bl23)\.html|smtp-error-codes\.php|troubleshooting\.aspx"
)
# Invented ids count up, or are all zeros but one. The others mean something: a size, "Password:" in base64, the account
# number of Amazon's examples.
IDS = re.compile(
    r"0123456789\w*|1234567abc|AM0(PR|EUR)00\w+|EXAMPLE00|123456789012|ismtpd0001p1lon1|35882577|UGFzc3dvcmQ6|25010400",
    re.IGNORECASE,
)


Finder = Callable[[str], list[str]]


def hosts(text: str) -> list[str]:
    found = re.findall(r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,}", NO_HOSTS.sub("", text))
    return [host for host in found if not host.endswith(EXAMPLES) and host not in PUBLISHED]


def mailboxes(text: str) -> list[str]:
    return [mailbox for mailbox in re.findall(r"[\w.+-]+@[\w.-]+", text) if not mailbox.endswith(EXAMPLES)]


def addresses(text: str) -> list[str]:
    """All but those for documentation (RFC 5737, RFC 3849), and but the number that Yahoo gives to a reason."""
    found = re.findall(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){3,}", text)
    return [
        address for address in found if not address.startswith(("192.0.2.", "2001:db8:")) and address != "4.16.55.1"
    ]


def ids(text: str) -> list[str]:
    """What mixes letters and digits, ten of them or more."""
    found = re.findall(r"\b(?=\w*[0-9])(?=\w*[A-Za-z])\w{10,}\b", text)
    return [word for word in found if not IDS.fullmatch(word)]


def placeholders(text: str) -> list[str]:
    meant = {"<ada@example.com>", "<app@nowhere.example>", "<client.example>", "<LF>", "</a>"}
    found = re.findall(r"<[^<>]*>?|(?i:x\.x|xxx|\[#\]|##|\{\w+\})", text)
    return [text for text in found if text not in meant and not text.startswith("<a href=")]


FINDERS = [hosts, mailboxes, addresses, ids, placeholders]


@pytest.mark.parametrize("find", FINDERS)
def test_nothing_on_the_wire_is_of_anybody_real(find: Finder) -> None:
    assert [f"{where}: {found}" for where, text in texts() for found in find(text)] == []


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (hosts, "550 refused [MW2NAM10.prod.outlook.com]"),
        (mailboxes, "550 <ada@example.com.acme.test>: unknown"),
        (addresses, "421 blocked: 198.18.0.1"),
        (addresses, "421 blocked: 2001:470:1::2"),
        (ids, "550 5.1.1 no such user d75a77b69052e-4535f85b3d9sm7257481cf.29 - gsmtp"),
        (placeholders, "535 no <session> - gsmtp"),
        (placeholders, "451 rate limited [#]"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_real_would_be_found(find: Finder, text: str) -> None:
    assert find(text)
