"""RFC 5321 sections 4.1.2 (paths, parameters) and 4.1.3 (literals), RFC 6531 (UTF-8), RFC 3461 section 4 (xtext)."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp import grammar, replies
from pytest_smtpd.smtp.grammar import Refused

BAD = replies.BAD_SENDER
ATEXT = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~"
LET_DIG = string.ascii_letters + string.digits


def refusal(attempt: Callable[[], object]) -> int:
    with pytest.raises(Refused) as refused:
        attempt()
    return refused.value.reply.code


# --- domains and literals ------

DOMAINS = [
    "localhost",
    "example.com",
    "a.b.c.d",
    "x",
    "1",
    "3com.com",
    "a-b.c--d.e",
    "xn--bcher-kva.example",
    "bücher.example",
    "例え.jp",
]
NO_DOMAINS = [
    "",
    ".",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a-",
    "a.-b.c",
    "a.b-.c",
    "a_b.example",
    "a b",
    "a/b",
    "a@b",
    "[a]",
    "exa\nmple",
    "a!b",
]


@pytest.mark.parametrize("text", DOMAINS)
def test_a_domain_is_labels_of_letters_digits_and_inner_hyphens(text: str) -> None:
    assert grammar.is_domain(text)


@pytest.mark.parametrize("text", NO_DOMAINS)
def test_what_is_no_domain_is_refused(text: str) -> None:
    assert not grammar.is_domain(text)


@pytest.mark.parametrize(
    "text",
    [
        "[192.0.2.1]",
        "[0.0.0.0]",
        "[255.255.255.255]",
        "[IPv6:::]",
        "[IPv6:::1]",
        "[IPv6:2001:db8::1]",
        "[ipv6:fe80::1]",
        "[IPv6:1:2:3:4:5:6:7:8]",
        "[IPv6:::ffff:192.0.2.1]",
        "[IPv6:1:2:3:4:5:6:192.0.2.1]",
    ],
)
def test_an_address_literal_is_ipv4_or_tagged_ipv6(text: str) -> None:
    assert grammar.is_address_literal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[",
        "]",
        "192.0.2.1",
        "[192.0.2]",
        "[192.0.2.256]",
        "[192.0.2.1.5]",
        "[ 192.0.2.1]",
        "[192.0.2.1 ]",
        "[::1]",
        "[IPv6:]",
        "[IPv6:1]",
        "[IPv6:1:2:3:4:5:6:7:8:9]",
        "[IPv6:::1::2]",
        "[IPv6:12345::]",
        "[IPv6:fe80::1%eth0]",
        "[IPv6:g::]",
        "[tag:x]",
        "[IPv6]",
        "[[192.0.2.1]]",
        "[192.0.2.1]x",
        "[IPv4:192.0.2.1]",
        "[127.1]",
        "[\u0661.2.3.4]",
    ],
)
def test_what_is_no_address_literal_is_refused(text: str) -> None:
    assert not grammar.is_address_literal(text)


# --- local parts ------


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.b",
        ATEXT,
        "a+b",
        "é",
        "用户",
        '""',
        '"a b"',
        '"a\\"b"',
        '"a\\\\"',
        '"a@b"',
        '"<>"',
        '"..."',
        '"\\a"',
        '"é"',
        '"a\tb"'[:2] + '"',
    ],
)
def test_a_local_part_is_a_dot_string_or_a_quoted_string(text: str) -> None:
    assert grammar.is_local_part(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".a",
        "a.",
        "a..b",
        "a b",
        "a@b",
        "a<b",
        "a,b",
        "a;b",
        "a:b",
        "a(b)",
        "a[b]",
        'a"b"',
        '"a',
        'a"',
        '"a"b',
        '"a"b"',
        '"\\"',
        '"a\nb"',
        '"a\tb"',
        '"\x7f"',
        "a\x00",
        '"\\é"',
        "a\\b",
    ],
)
def test_what_is_no_local_part_is_refused(text: str) -> None:
    assert not grammar.is_local_part(text)


# --- mailboxes, by the ABNF ------

_atoms = st.text(ATEXT + "éß用", min_size=1, max_size=8)
_dot_strings = st.lists(_atoms, min_size=1, max_size=4).map(".".join)
_quoted = st.lists(
    st.one_of(
        st.sampled_from([chr(code) for code in range(32, 127) if chr(code) not in '"\\']),
        st.integers(32, 126).map(lambda code: "\\" + chr(code)),
        st.just("é"),
    ),
    max_size=8,
).map(lambda parts: '"' + "".join(parts) + '"')
_labels = st.builds(
    "{}{}".format, st.sampled_from(LET_DIG), st.text(LET_DIG + "-", max_size=5).map(lambda text: text.rstrip("-"))
)
_domains = st.lists(_labels, min_size=1, max_size=4).map(".".join)
_literals = st.one_of(st.ip_addresses(v=4).map("[{}]".format), st.ip_addresses(v=6).map("[IPv6:{}]".format))
mailboxes = st.builds("{}@{}".format, st.one_of(_dot_strings, _quoted), st.one_of(_domains, _literals))
_routes = st.one_of(
    st.just(""), st.lists(_domains.map("@{}".format), min_size=1, max_size=3).map(lambda hops: ",".join(hops) + ":")
)


@settings(deadline=None, max_examples=300)
@given(mailboxes, _routes)
@example('"a>b"@example.com', "")
@example('"@x:y"@example.com', "")
def test_every_mailbox_of_the_grammar_is_read_as_it_stands(mailbox: str, route: str) -> None:
    path, parameters = grammar.split_path(f"FROM:<{route}{mailbox}> SIZE=1", "FROM:", BAD, strict=False)
    assert path == route + mailbox
    assert parameters == " SIZE=1"
    assert grammar.parse_mailbox(path, BAD, strict=False) == mailbox


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=20), st.booleans())
def test_any_text_is_a_mailbox_or_refused_with_the_reply_given(text: str, strict: bool) -> None:
    said = BAD
    try:
        mailbox = grammar.parse_mailbox(text, BAD, strict=strict)
        assert text.endswith(mailbox)
        assert "@" in mailbox or not strict
    except Refused as refused:
        said = refused.reply
    assert said is BAD


@pytest.mark.parametrize(
    "path",
    [
        "",
        "@b",
        "a@",
        "a@b@c",
        "<a@b",
        "a@b>",
        "a @b",
        "a@ b",
        "@x:",
        "@x,y:a@b",
        "@x,@:a@b",
        "@-:a@b",
        "@x_y:a@b",
        "a@b.",
        "a@[1.2.3]",
        "a@[]",
        "..a@b",
        ".a",
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_malformed_path_is_refused(path: str, strict: bool) -> None:
    assert refusal(lambda: grammar.parse_mailbox(path, BAD, strict=strict)) == 501


@pytest.mark.parametrize(
    ("path", "mailbox"),
    [
        ("root", "root"),
        ('"a b"', '"a b"'),
        ("a..", "a.."),
        ("@x:root", "root"),
        ("a.@b", "a.@b"),
        ("a..b@c", "a..b@c"),
        ("a@b_c.d", "a@b_c.d"),
        ("a@_b", "a@_b"),
        ("a@b_", "a@b_"),
    ],
)
def test_what_servers_usually_take_for_a_mailbox_is_refused_only_by_strict(path: str, mailbox: str) -> None:
    assert grammar.parse_mailbox(path, BAD, strict=False) == mailbox
    assert refusal(lambda: grammar.parse_mailbox(path, BAD, strict=True)) == 501


@settings(deadline=None)
@given(st.from_regex(grammar.USUAL_PATH, fullmatch=True))
@example("<a_b+c-d.0@x-y.z>")
def test_the_usual_path_is_one_that_the_grammar_reads_the_same_way(path: str) -> None:
    if len(path) <= grammar.MAX_LOCAL_PART:
        expected = grammar.USUAL_PATH.fullmatch(path)
        assert expected is not None
        assert grammar.split_path(f"FROM:{path}", "FROM:", BAD, strict=True) == (expected[1], "")
        assert grammar.parse_mailbox(expected[1], BAD, strict=True) == expected[1]


@pytest.mark.parametrize(
    "path", ["<>", "<a>", "<a@>", "<@b>", "<a@b", "a@b", "<a@b> ", "<a.@b>", "<a..b@c>", "<a@b.>", "<a@b_c>", "<é@b>"]
)
def test_what_is_not_usual_is_left_to_the_grammar(path: str) -> None:
    assert grammar.USUAL_PATH.fullmatch(path) is None


@pytest.mark.parametrize(
    ("local", "domain", "fits"),
    [(64, 10, True), (65, 10, False), (10, 255, True), (10, 256, False), (1, 1, True)],
)
def test_strict_holds_mailboxes_to_the_octets_of_section_4_5_3_1(local: int, domain: int, fits: bool) -> None:
    mailbox = "a" * local + "@" + "b" * domain
    if fits:
        assert grammar.parse_mailbox(mailbox, BAD, strict=True) == mailbox
    else:
        assert refusal(lambda: grammar.parse_mailbox(mailbox, BAD, strict=True)) == 501
    assert grammar.parse_mailbox(mailbox, BAD, strict=False) == mailbox


def test_octets_count_not_characters() -> None:
    assert refusal(lambda: grammar.parse_mailbox("é" * 33 + "@b", BAD, strict=True)) == 501
    assert grammar.parse_mailbox("é" * 32 + "@b", BAD, strict=True)


@pytest.mark.parametrize(("octets", "fits"), [(254, True), (255, False)])
def test_strict_holds_a_path_to_256_octets_with_its_brackets(octets: int, fits: bool) -> None:
    argument = f"FROM:<{'a' * octets}>"
    if fits:
        assert grammar.split_path(argument, "FROM:", BAD, strict=True) == ("a" * octets, "")
    else:
        assert refusal(lambda: grammar.split_path(argument, "FROM:", BAD, strict=True)) == 501
    assert grammar.split_path(argument, "FROM:", BAD, strict=False) == ("a" * octets, "")


# --- the argument of MAIL and RCPT ------


def test_a_refusal_says_its_reply() -> None:
    assert str(grammar.Refused(BAD)) == str(BAD)


@pytest.mark.parametrize(
    ("argument", "path", "rest"),
    [
        ("FROM:<a@b>", "a@b", ""),
        ("from:<a@b>", "a@b", ""),
        ("FROM:<>", "", ""),
        ("FROM:<> SIZE=1", "", " SIZE=1"),
        ('FROM:<"a>b"@c>', '"a>b"@c', ""),
        ('FROM:<"a\\">b"@c> X', '"a\\">b"@c', " X"),
        ("FROM:<a@b>  A=1  B", "a@b", "  A=1  B"),
        ("FROM:<a@b> ", "a@b", " "),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_path_stands_in_angle_brackets_and_parameters_behind_a_space(
    argument: str, path: str, rest: str, strict: bool
) -> None:
    assert grammar.split_path(argument, "FROM:", BAD, strict=strict) == (path, rest)


@pytest.mark.parametrize(
    ("argument", "path", "rest"),
    [
        ("FROM: <a@b>", "a@b", ""),
        ("FROM:   <a@b>", "a@b", ""),
        ("FROM:a@b", "a@b", ""),
        ("FROM:Xa@b", "Xa@b", ""),
        ("FROM: a@b SIZE=1", "a@b", " SIZE=1"),
        ('FROM:"a b"@c X', '"a b"@c', " X"),
    ],
)
def test_what_servers_usually_tolerate_is_refused_only_by_strict(argument: str, path: str, rest: str) -> None:
    assert grammar.split_path(argument, "FROM:", BAD, strict=False) == (path, rest)
    assert refusal(lambda: grammar.split_path(argument, "FROM:", BAD, strict=True)) == 501


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "FROM",
        "FROM:",
        "FROM: ",
        "FROM <a@b>",
        "TO:<a@b>",
        "FROM:<a@b",
        "FROM:<a@b>x",
        "FROM:<a@b>X",
        "FROM:<a@b>SIZE=1",
        "FROM:<<a@b>>",
        "FROM:a@b>",
        "ſROM:<a@b>",
        "FROM:\u00a0<a@b>",
        "FROM:<a@b>\u2003",
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_malformed_argument_is_refused_always(argument: str, strict: bool) -> None:
    assert refusal(lambda: grammar.split_path(argument, "FROM:", BAD, strict=strict)) == 501


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("FROM:<a@b>", "a@b"),
        ("from: <a b> SIZE=1", "a b"),
        ("FROM:<a>b> X", "a>b"),
        ("FROM:<<a>>", "<a>"),
        ("FROM:<a@b", "a@b"),
        ("FROM:a@b SIZE=1", "a@b"),
        ("<a@b>", "a@b"),
        ("TO:a b", "TO:a"),
        ("a", "a"),
        ("FROM:", ""),
        ("", ""),
    ],
)
def test_an_address_that_no_grammar_explains_is_what_stands_between_the_brackets(argument: str, address: str) -> None:
    """A rule may accept what is malformed; it has to be kept as something."""
    assert grammar.path_as_it_stands(argument, "FROM:") == address


@pytest.mark.parametrize(
    ("address", "folded"),
    [("Ann@Client.EXAMPLE", "Ann@client.example"), ('"A@B"@C', '"A@B"@c'), ("Postmaster", "Postmaster"), ("", "")],
)
def test_only_domains_fold(address: str, folded: str) -> None:
    """RFC 5321 section 2.4: local parts are case-sensitive."""
    assert grammar.fold_address(address) == folded


# --- parameters ------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   ", []),
        (" SIZE=10", [("SIZE", "10")]),
        (" size=10 SmtpUtf8", [("SIZE", "10"), ("SMTPUTF8", True)]),
        (" A=b B=<c@d>", [("A", "b"), ("B", "<c@d>")]),
        (" X-Y=1 8BIT=é", [("X-Y", "1"), ("8BIT", "é")]),
    ],
)
def test_parameters_are_keywords_with_or_without_a_value(text: str, expected: list[tuple[str, str | bool]]) -> None:
    assert list(grammar.parse_parameters(text)) == expected


@pytest.mark.parametrize(
    "text", [" =", " =1", " A=", " A==", " A=b=c", " -A", " A_B=1", " é=1", " A=b\tc", " A B=\x7f"]
)
def test_a_malformed_parameter_is_a_501(text: str) -> None:
    assert refusal(lambda: list(grammar.parse_parameters(text))) == 501


@pytest.mark.parametrize("text", [" A=1 A=2", " a A", " SIZE=1 size=1"])
def test_a_parameter_must_not_be_given_twice(text: str) -> None:
    assert refusal(lambda: list(grammar.parse_parameters(text))) == 501


_keywords = st.from_regex(r"\A[A-Z0-9][A-Z0-9-]{0,6}\Z")
_values = st.one_of(
    st.just(True), st.text([chr(code) for code in range(33, 127) if chr(code) != "="], min_size=1, max_size=8)
)


@settings(deadline=None)
@given(st.dictionaries(_keywords, _values, max_size=5))
def test_parameters_survive_being_written_and_read(given: dict[str, str | bool]) -> None:
    written = "".join(f" {name}" if value is True else f" {name}={value}" for name, value in given.items())
    assert dict(grammar.parse_parameters(written)) == given


# --- xtext ------


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("", ""),
        ("abc", "abc"),
        ("a+2Bb", "a+b"),
        ("a+3Db", "a=b"),
        ("+20", " "),
        ("e+3Dmc2@example.com", "e=mc2@example.com"),
        ("+C3+A9", "é"),
        ("+E9", "é"),
        ("+2B2B", "+2B"),
    ],
)
def test_xtext_is_decoded(text: str, decoded: str) -> None:
    assert grammar.decode_xtext(text) == decoded


@pytest.mark.parametrize(
    "text", ["+", "+2", "+2b", "+GG", "a=b", "a b", "é", "+0D", "+0A", "+00", "+7F", "a+", "\x7f", "+C2+80"]
)
def test_what_is_no_xtext_or_hides_a_control_character_is_refused(text: str) -> None:
    assert refusal(lambda: grammar.decode_xtext(text)) == 501


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["C"], exclude_characters="\u200b\u2060\ufeff"), max_size=20))
def test_xtext_survives_being_written_and_read(text: str) -> None:
    encoded = grammar.encode_xtext(text)
    assert grammar.decode_xtext(encoded) == text
    assert all(33 <= ord(character) <= 126 and character != "=" for character in encoded)


@pytest.mark.parametrize(
    ("text", "encoded"), [("a+b=c d", "a+2Bb+3Dc+20d"), ("~!", "~!"), ("X", "X"), ("\x7f", "+7F"), ("é", "+C3+A9")]
)
def test_xtext_escapes_what_section_4_says_and_nothing_else(text: str, encoded: str) -> None:
    assert grammar.encode_xtext(text) == encoded


# --- lines ------


@pytest.mark.parametrize("code", [*range(32), 127, 0x80, 0x9F, 0x200B, 0xFEFF])
def test_control_characters_are_refused(code: int) -> None:
    line = f"MAIL FROM:<a{chr(code)}@b>".encode()
    assert refusal(lambda: grammar.decode_line(line, replies.BAD_ENCODING)) == 501


@pytest.mark.parametrize("line", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_a_line_that_is_not_utf8_gets_the_reply_given(line: bytes) -> None:
    with pytest.raises(Refused) as refused:
        grammar.decode_line(line, replies.BAD_ENCODING)
    assert refused.value.reply is replies.BAD_ENCODING


@pytest.mark.parametrize("text", ["", "NOOP", "MAIL FROM:<é@例え.jp>", "NOOP \u00a0x", "NOOP \U0001f600"])
def test_a_line_of_utf8_is_read(text: str) -> None:
    assert grammar.decode_line(text.encode(), replies.BAD_ENCODING) == text


@pytest.mark.parametrize(("text", "expected"), [("size", "SIZE"), ("SıZE", "SıZE"), ("ſize", "ſize"), ("", "")])
def test_keywords_fold_ascii_only(text: str, expected: str) -> None:
    assert grammar.upper(text) == expected
