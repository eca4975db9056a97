"""Header fields as text: folding (RFC 5322), encoded words (RFC 2047), raw octets (RFC 6532)."""

from __future__ import annotations

import pytest

from tests.message.reading import mail, read

# What stands behind "Subject:", folding included, and what it says.
SUBJECTS: dict[str, tuple[bytes, str]] = {
    # Folding
    "plain": (b" Hello", "Hello"),
    "no blank behind the colon": (b"Hello", "Hello"),
    "many blanks at both ends": (b" \t  Hello \t ", "Hello"),
    "empty": (b"", ""),
    "blanks alone": (b"   ", ""),
    "folded": (b" one\r\n two", "one two"),
    "folded, with more than one blank": (b" one\r\n   two", "one   two"),
    "folded with a tab, which stays": (b" one\r\n\ttwo", "one\ttwo"),
    "folded before the first word": (b"\r\n one", "one"),
    "folded before the first encoded word": (b" \r\n =?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
    "folded twice before the first word": (b"\r\n \r\n one", "one"),
    "folded with bare LF": (b" one\n two", "one two"),
    "a last line of blanks": (b" one\r\n ", "one"),
    "folded with CR CR LF": (b" one\r\r\n two", "one two"),
    "a colon in it": (b" Re: your mail: again", "Re: your mail: again"),
    "a lone CR is a character": (b" one\rBcc: two", "one\rBcc: two"),
    # Encoded words
    "base64": (b" =?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
    "base64, small letters": (b" =?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"),
    "quoted": (b" =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
    "quoted, small digits": (b" =?utf-8?q?Gr=c3=bc=c3=9fe?=", "Grüße"),
    "an underscore is a blank": (b" =?utf-8?q?two_words?=", "two words"),
    "an encoded underscore is none": (b" =?utf-8?q?two=5Fwords?=", "two_words"),
    "blanks in a quoted word": (b" =?utf-8?Q?two words?=", "two words"),
    "a question mark in a quoted word": (b" =?utf-8?Q?Really??=", "Really?"),
    "a blank at the end of an encoded word": (b" =?utf-8?q?Hello_?=", "Hello"),
    "a language": (b" =?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
    "an empty word": (b" a =?utf-8?q??= b", "a  b"),
    "words around an encoded one": (b" Re: =?utf-8?q?=C3=BC?= and so on", "Re: ü and so on"),
    "no blanks around an encoded one": (b" [=?utf-8?q?=C3=BC?=]", "[ü]"),
    "within quotation marks": (b' "=?utf-8?q?=C3=BC?="', '"ü"'),
    "two, the blank between them is none": (b" =?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
    "two on two lines": (b" =?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
    "two without a blank": (b" =?utf-8?q?a?==?utf-8?q?b?=", "ab"),
    "two with text between": (b" =?utf-8?q?a?= and =?utf-8?q?b?=", "a and b"),
    "two of different encodings": (b" =?utf-8?q?a?= =?utf-8?b?Yg==?=", "ab"),
    "two of different charsets": (b" =?utf-8?q?=C3=BC?= =?iso-8859-1?q?=FC?=", "üü"),
    "a character split between two": (b" =?utf-8?q?=C3?=\r\n =?utf-8?q?=BC?=", "ü"),
    "a character split between two in base64": (b" =?utf-8?b?4pw=?= =?utf-8?b?hQ==?=", "✅"),
    "a character split between two encodings": (b" =?utf-8?q?=E2=9C?= =?utf-8?b?hQ==?=", "✅"),
    "a character split between names of one charset": (b" =?UTF-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
    "a kanji split between two": (b" =?shift_jis?q?=93?= =?shift_jis?q?=FA?=", "日"),
    "padding is missing": (b" =?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
    "one padding character of two": (b" =?utf-8?b?R3LDvMOfZQ=?=", "Grüße"),
    "a blank within base64": (b" =?utf-8?b?R3LDv MOfZQ==?=", "Grüße"),
    "a wrong escape stays": (b" =?utf-8?q?100=25 of =ZZ?=", "100% of =ZZ"),
    "CR LF from an encoded word": (b" =?utf-8?q?a=0D=0Ab?=", "a\r\nb"),
    # Encoded words that are none
    "an unknown encoding": (b" =?utf-8?x?abc?=", "=?utf-8?x?abc?="),
    "characters that base64 has not": (b" =?utf-8?b?a!b?=", "=?utf-8?b?a!b?="),
    "a single character of base64": (b" =?utf-8?b?A?=", "=?utf-8?b?A?="),
    "no end": (b" =?utf-8?q?abc", "=?utf-8?q?abc"),
    "no charset": (b" =??q?abc?=", "=??q?abc?="),
    "a blank in the charset": (b" =?utf 8?q?abc?=", "=?utf 8?q?abc?="),
    "one question mark": (b" 2 =? 3", "2 =? 3"),
    "a broken word before a good one": (b" =?utf-8?q?broken =?utf-8?q?=C3=BC?=", "=?utf-8?q?broken ü"),
    "a broken word behind a good one": (b" =?utf-8?q?=C3=BC?= =?utf-8?q?", "ü =?utf-8?q?"),
    "marks alone": (b" =?=?=?=", "=?=?=?="),
    # Charsets
    "latin-1": (b" =?iso-8859-1?q?Gr=FC=DFe?=", "Grüße"),
    "a euro in what is called latin-1": (b" =?iso-8859-1?q?=80?=", "€"),
    "gb2312 with a character of gb18030": (b"=?gb2312?q?=E9F?=", "镕"),
    "ks_c_5601-1987 with a character of cp949": (b" =?ks_c_5601-1987?q?=8Cc?=", "똠"),
    "shift_jis with a character of cp932": (b" =?shift_jis?q?=87@?=", "①"),
    "iso-8859-8-i": (b" =?iso-8859-8-i?q?=F9=EC=E5=ED?=", "שלום"),
    "iso-2022-jp": (b" =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
    "iso-2022-jp with a circled digit": (b" =?iso-2022-jp?b?GyRCLSEbKEI=?=", "①"),
    "an unknown charset that is UTF-8": (b" =?x-mine?q?=C3=BC?=", "ü"),
    "an unknown charset that is none": (b" =?x-mine?q?=FC?=", "ü"),
    "us-ascii that is UTF-8": (b" =?us-ascii?q?=C3=BC?=", "ü"),
    # Raw octets
    "UTF-8": ("Grüße ✅".encode(), "Grüße ✅"),
    "UTF-8 beside an encoded word": ("ü =?utf-8?q?=C3=BC?=".encode(), "ü ü"),
    "neither UTF-8 nor declared": (b"Gr\xfc\xdfe", "Grüße"),
    "windows-1252": (b"100 \x80", "100 €"),
}


@pytest.mark.parametrize(("raw", "says"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_a_subject_says_what_mail_programs_show(raw: bytes, says: str) -> None:
    assert read(mail("From: ada@example.com", b"Subject:" + raw, "", "text")).subject == says


@pytest.mark.parametrize(("raw", "says"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_any_other_field_is_read_in_the_same_way(raw: bytes, says: str) -> None:
    message = read(mail("From: ada@example.com", b"X-Note:" + raw, "", "text"))
    assert message.header("x-note") == (says,)
    assert message.fields == (("From", "ada@example.com"), ("X-Note", says))


@pytest.mark.parametrize(
    ("charset", "raw", "says"),
    [
        ("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
        ("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
        ("gb2312", b"\xc4\xe3\xba\xc3", "你好"),
        ("shift_jis", b"\x93\xfa\x96{", "日本"),
        ("utf-16", b"h\xe9", "hé"),  # cannot be meant: a header is a superset of ASCII
        ("us-ascii", b"h\xe9", "hé"),
        ("windows-1251", "ü".encode(), "ü"),  # valid UTF-8 is no accident
    ],
)
def test_raw_octets_of_a_header_are_in_the_charset_of_the_body(charset: str, raw: bytes, says: str) -> None:
    content = mail(b"Subject: " + raw, f"Content-Type: text/plain; charset={charset}", "", "text")
    assert read(content).subject == says


# The lines of a mail, and its fields.
FIELDS: dict[str, tuple[bytes, tuple[tuple[str, str], ...]]] = {
    "none": (mail("", "text"), ()),
    "no header": (mail("text"), ()),
    "a header alone": (b"Subject: x", (("Subject", "x"),)),
    "a header alone with its line end": (mail("Subject: x"), (("Subject", "x"),)),
    "names as they are written": (mail("sUBJECT: x", ""), (("sUBJECT", "x"),)),
    "white space before the colon": (mail("Subject : x", ""), (("Subject", "x"),)),
    "bare LF": (b"A: b\nC: d\n\ntext", (("A", "b"), ("C", "d"))),
    "bare LF before the body only": (b"A: b\r\n\ntext", (("A", "b"),)),
    "the same field twice": (mail("X: 1", "X: 2", ""), (("X", "1"), ("X", "2"))),
    "an mbox mark": (mail("From ada@example.com Mon Jan  1 10:00:00 2024", "A: b", ""), (("A", "b"),)),
    "a line of blanks first": (mail("  \t", "A: b", ""), (("A", "b"),)),
    "an empty line first": (mail("", "A: b", ""), ()),
    "an mbox mark within": (mail("A: b", "From ada@example.com Mon Jan  1 10:00:00 2024", "C: d", ""), (("A", "b"),)),
    "a body without an empty line": (mail("A: b", "no field"), (("A", "b"),)),
    "a name with a blank in it": (mail("A: b", "no field: c", "D: e"), (("A", "b"),)),
    "no name": (mail("A: b", ": c"), (("A", "b"),)),
    "a name beyond ASCII": (mail("A: b", "Ü: c"), (("A", "b"),)),
    "odd characters in a name": (mail("X-!#$/=[]{}~: c", ""), (("X-!#$/=[]{}~", "c"),)),
    "a folded first line": (mail(" A: b", ""), ()),
    "an address with an encoded name": (
        mail("From: =?utf-8?q?J=C3=BCrgen?= <ada@example.com>", ""),
        (("From", "Jürgen <ada@example.com>"),),
    ),
    "an address in UTF-8": (mail("To: jürgen@exämple.example", ""), (("To", "jürgen@exämple.example"),)),
    "a comment": (mail("To: a@b.example (=?utf-8?q?=C3=BC?=)", ""), (("To", "a@b.example (ü)"),)),
    "a NUL": (b"A: b\0c\r\n\r\n", (("A", "b\0c"),)),
}


@pytest.mark.parametrize(("content", "fields"), FIELDS.values(), ids=FIELDS.keys())
def test_fields_are_those_of_the_header_in_order(content: bytes, fields: tuple[tuple[str, str], ...]) -> None:
    assert read(content).fields == fields


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (mail("text"), "text\n"),
        (mail("A: b", "no field"), "no field\n"),
        (mail("", "text"), "text\n"),
        (mail("A: b", "", "text"), "text\n"),
        (mail("A: b"), ""),
        (b"", ""),
        (mail(" folded", "A: b"), " folded\nA: b\n"),
        (mail("A: b", "", "", "two empty lines"), "\ntwo empty lines\n"),
    ],
)
def test_the_body_begins_behind_the_header(content: bytes, text: str) -> None:
    assert read(content).text == text


def test_a_field_is_found_by_its_name_in_any_case() -> None:
    message = read(mail("X-Tag: one", "x-TAG: two", "X-Tagged: no", "X: no", ""))
    assert message.header("X-tag") == ("one", "two")
    assert message.header("X-None") == ()
    assert message.header("Grüße") == ()


def test_the_first_of_several_subjects_counts() -> None:
    assert read(mail("Subject: one", "Subject: two", "")).subject == "one"


def test_a_message_without_a_subject_has_none() -> None:
    assert read(mail("X-Subject: one", "")).subject is None
