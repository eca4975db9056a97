"""Text in the charset that its sender meant, as mail programs read it."""

from __future__ import annotations

import pytest

from tests.message.reading import entity, html, mail, mixed, plain, read

# The charset parameter, the octets of a text, and what they say.
TEXTS: dict[str, tuple[str | None, bytes, str]] = {
    # Not declared, or not known
    "UTF-8, not declared": (None, "Grüße ✅".encode(), "Grüße ✅"),
    "UTF-8, an empty charset": ("", "Grüße".encode(), "Grüße"),
    "UTF-8, us-ascii declared": ("us-ascii", "Grüße".encode(), "Grüße"),
    "UTF-8, an unknown charset": ("x-mine", "Grüße".encode(), "Grüße"),
    "UTF-8, unknown-8bit": ("unknown-8bit", "Grüße".encode(), "Grüße"),
    "UTF-8, a codec of Python that is no charset": ("punycode", "Grüße".encode(), "Grüße"),
    "UTF-8, a codec of Python that is dangerous": ("unicode_escape", rb"\u0041", r"\u0041"),
    "UTF-8, a compression": ("zlib", b"x\x9c", "xœ"),
    "windows-1252, not declared": (None, b"Gr\xfc\xdfe 5 \x80", "Grüße 5 €"),
    "windows-1252, us-ascii declared": ("us-ascii", b"Gr\xfc\xdfe", "Grüße"),
    "windows-1252, ascii declared": ("ascii", b"\x93quoted\x94", "“quoted”"),
    "windows-1252, an unknown charset": ("x-mine", b"Gr\xfc\xdfe", "Grüße"),
    "UTF-8 with a wrong octet, not declared": (None, b"\xc3\xbc\xff", "Ã¼ÿ"),
    "UTF-8 that is cut off, not declared": (None, "Grüße ✅".encode()[:-1], "Grüße \ufffd"),
    "windows-1252 that looks like UTF-8 that is cut off": (None, b"Caf\xe9", "Café"),
    "octets that windows-1252 leaves undefined": (None, b"a\x81\x8d\x8f\x90\x9db", "a\x81\x8d\x8f\x90\x9db"),
    "ASCII, us-ascii declared": ("us-ascii", b"plain", "plain"),
    "an escape, us-ascii declared": ("us-ascii", b"\x1b[1m", "\x1b[1m"),
    # UTF-8
    "UTF-8": ("utf-8", "Grüße ✅".encode(), "Grüße ✅"),
    "UTF-8 in capitals": ("UTF-8", "ü".encode(), "ü"),
    "UTF-8 without a dash": ("utf8", "ü".encode(), "ü"),
    "UTF-8 with an underscore": ("UTF_8", "ü".encode(), "ü"),
    "UTF-8 with a wrong octet": ("utf-8", b"\xc3\xbc\xff", "ü\ufffd"),
    "UTF-8 as of MySQL": ("utf8mb4", "✅".encode(), "✅"),
    # Byte order marks
    "UTF-8 with a byte order mark": ("utf-8", b"\xef\xbb\xbf\xc3\xbc", "ü"),
    "a byte order mark of UTF-8, not declared": (None, b"\xef\xbb\xbf\xc3\xbc", "ü"),
    "a byte order mark of UTF-8, latin-1 declared": ("iso-8859-1", b"\xef\xbb\xbf\xc3\xbc", "ü"),
    "a byte order mark within the text": ("utf-8", b"a\xef\xbb\xbfb", "a\ufeffb"),
    "a byte order mark of UTF-16, not declared": (None, "ü".encode("utf-16"), "ü"),
    "UTF-16 with a mark": ("utf-16", b"\xfe\xff\x00\xfc", "ü"),
    "UTF-16, little-endian, without a mark": ("utf-16", "Grüße".encode("utf-16-le"), "Grüße"),
    "UTF-16, big-endian, without a mark": ("utf-16", "Grüße".encode("utf-16-be"), "Grüße"),
    "UTF-16, big-endian, without a mark, of few Latin letters": ("utf-16", "日本ab".encode("utf-16-be"), "日本ab"),
    "UTF-16LE": ("utf-16le", "Grüße".encode("utf-16-le"), "Grüße"),
    "UTF-16BE": ("utf-16be", "Grüße".encode("utf-16-be"), "Grüße"),
    "UTF-16, half a character": ("utf-16le", b"\xfc\x00\xfc", "ü\ufffd"),
    "UTF-32": ("utf-32", "ü✅".encode("utf-32"), "ü✅"),
    "UTF-7": ("utf-7", b"Gr+APwA3w-e", "Grüße"),
    "UTF-7, half of a surrogate pair": ("utf-7", b"a+2AA-b", "a\ufffdb"),
    "yao in windows-1251 is no byte order mark": ("windows-1251", b"\xff\xfe", "яю"),
    # What is called one thing and is its superset
    "latin-1": ("iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
    "latin-1 with a euro": ("iso-8859-1", b"\x80 \x93x\x94", "€ “x”"),
    "latin1": ("latin1", b"\xfc", "ü"),
    "ISO_8859-1:1987": ("ISO_8859-1:1987", b"\xfc", "ü"),
    "latin-1 with an undefined octet": ("iso-8859-1", b"a\x81b", "a\x81b"),
    "windows-1252": ("windows-1252", b"\x80", "€"),
    "cp1252": ("cp1252", b"\x80", "€"),
    "latin-5 is windows-1254": ("iso-8859-9", b"\x80\xfd", "€ı"),
    "tis-620 is windows-874": ("tis-620", b"\xa1\x80", "ก€"),
    "iso-8859-11 is windows-874": ("iso-8859-11", b"\xa1\x85", "ก…"),
    "gb2312": ("gb2312", "中文".encode("gb2312"), "中文"),
    "gb2312 with a character of gbk": ("gb2312", "镕".encode("gbk"), "镕"),
    "gb2312 with a character of gb18030": ("gb2312", "㐀".encode("gb18030"), "㐀"),
    "gb_2312-80": ("gb_2312-80", "中文".encode("gbk"), "中文"),
    "gbk with a character of gb18030": ("gbk", "㐀".encode("gb18030"), "㐀"),
    "shift_jis": ("shift_jis", "日本".encode("shift_jis"), "日本"),
    "shift_jis with a circled digit": ("shift_jis", "①㈱髙".encode("cp932"), "①㈱髙"),
    "x-sjis": ("x-sjis", "①".encode("cp932"), "①"),
    "windows-31j": ("Windows-31J", "①".encode("cp932"), "①"),
    "ks_c_5601-1987": ("ks_c_5601-1987", "한글".encode("euc-kr"), "한글"),
    "ks_c_5601-1987 with a character of cp949": ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
    "euc-kr with a character of cp949": ("euc-kr", "똠".encode("cp949"), "똠"),
    "gb2312 as Python's email package calls it": ("eucgb2312_cn", "中文".encode("gbk"), "中文"),
    "big5 as Python's email package calls it": ("big5_tw", "中文".encode("big5"), "中文"),
    "big5": ("big5", "中文".encode("big5"), "中文"),
    "big5 with a character of cp950": ("big5", "碁銹".encode("cp950"), "碁銹"),
    "big5 with a character of Hong Kong": ("big5", "㗎".encode("big5hkscs"), "㗎"),
    "iso-8859-8-i": ("iso-8859-8-i", "שלום".encode("iso-8859-8"), "שלום"),
    "iso-8859-8-e": ("iso-8859-8-e", "שלום".encode("iso-8859-8"), "שלום"),
    "iso-8859-8 with a vowel sign of windows-1255": ("iso-8859-8", "שָׁ".encode("cp1255"), "שָׁ"),
    "iso-8859-6-i": ("iso-8859-6-i", "سلام".encode("iso-8859-6"), "سلام"),
    "iso-8859-7 with a character of windows-1253": ("iso-8859-7", b"\xae", "®"),
    "euc-jp": ("euc-jp", "日本".encode("euc-jp"), "日本"),
    "euc-jp with a circled digit": ("euc-jp", b"\xad\xa1", "①"),
    "iso-2022-jp": ("iso-2022-jp", "日本".encode("iso-2022-jp"), "日本"),
    "iso-2022-jp with circled digits": ("iso-2022-jp", b'a\x1b$B-!-"\x1b(Bb', "a①②b"),
    "iso-2022-jp with half-width kana": ("iso-2022-jp", b"\x1b(I6E\x1b(B", "ｶﾅ"),
    "iso-2022-jp with an escape that nobody knows": ("iso-2022-jp", b"\x1b$B-!\x1b(Zx", "①\x1b(Zx"),
    "iso-2022-jp with both": ("iso-2022-jp", b"\x1b(I6E\x1b$B-!F|\x1b(J!", "ｶﾅ①日!"),
    "iso-2022-jp with a circled digit, cut off": ("iso-2022-jp", b"\x1b$B-!F", "①\ufffd"),
    "iso-2022-jp with a circled digit, cut off by a line end": ("iso-2022-jp", b"\x1b$B-!F\r\n-!\x1b(B", "①\ufffd\n①"),
    "iso-2022-kr": ("iso-2022-kr", "한글".encode("iso-2022-kr"), "한글"),
    "hz-gb-2312": ("hz-gb-2312", b"~{VPND~}", "中文"),
    # Others
    "latin-2": ("iso-8859-2", "řeč".encode("iso-8859-2"), "řeč"),
    "latin-9": ("iso-8859-15", b"\xa4", "€"),
    "cyrillic": ("iso-8859-5", "Привет".encode("iso-8859-5"), "Привет"),
    "windows-1251": ("windows-1251", "Привет".encode("cp1251"), "Привет"),
    "cp1251": ("cp1251", "Привет".encode("cp1251"), "Привет"),
    "koi8-r": ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
    "koi8-u": ("koi8-u", "Їжак".encode("koi8-u"), "Їжак"),
    "cp866": ("cp866", "Привет".encode("cp866"), "Привет"),
    "macintosh": ("macintosh", b"\x9f", "ü"),
    "an undefined octet": ("windows-1253", b"\xd2", "\ufffd"),
    # What is no such text
    "gb2312 declared, UTF-8 sent": ("gb2312", "✅!".encode(), "✅!"),
    "iso-2022-jp declared, UTF-8 sent": ("iso-2022-jp", "日本".encode(), "日本"),
    "gb2312, half a character at the end": ("gb2312", b"\xd6\xd0\xce", "中\ufffd"),
    # Line ends
    "CRLF": ("utf-8", b"a\r\nb\r\n", "a\nb\n"),
    "LF": ("utf-8", b"a\nb\n", "a\nb\n"),
    "CR": ("utf-8", b"a\rb\r", "a\nb\n"),
    "CRLF in UTF-16": ("utf-16le", "a\r\nb".encode("utf-16-le"), "a\nb"),
    "other separators stay": ("utf-8", "a\x0bb\u2028c\x85d".encode(), "a\x0bb\u2028c\x85d"),
    "NUL": ("utf-8", b"a\0b", "a\0b"),
}


def content_type(charset: str | None, kind: str = "text/plain") -> str:
    return kind if charset is None else f'{kind}; charset="{charset}"'


@pytest.mark.parametrize(("charset", "raw", "says"), TEXTS.values(), ids=TEXTS.keys())
def test_a_text_is_read_in_the_charset_that_was_meant(charset: str | None, raw: bytes, says: str) -> None:
    message = read(entity(content_type(charset), raw))
    assert (message.text, message.html) == (says, None)


@pytest.mark.parametrize(("charset", "raw", "says"), TEXTS.values(), ids=TEXTS.keys())
def test_html_and_attached_text_are_read_in_the_same_way(charset: str | None, raw: bytes, says: str) -> None:
    attached = entity(content_type(charset, "text/x-log"), raw, "Content-Disposition: attachment")
    message = read(mixed(entity(content_type(charset, "text/html"), raw), attached))
    assert message.html == says
    (file,) = message.attachments
    assert (file.text, file.content) == (says, raw)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (b'<meta charset="windows-1251">\xcf\xf0', '<meta charset="windows-1251">Пр'),
        (
            b'<meta http-equiv=Content-Type content="text/html; charset=koi8-r">\xf0',
            '<meta http-equiv=Content-Type content="text/html; charset=koi8-r">П',
        ),
        ("<meta charset=windows-1251>ü".encode(), "<meta charset=windows-1251>ü"),  # valid UTF-8 is no accident
        (b"<meta charset=x-mine>\xfc", "<meta charset=x-mine>ü"),
        (b"<meta charset=>\xfc", "<meta charset=>ü"),
        (b"\xfc", "ü"),
    ],
)
def test_html_without_a_charset_in_its_header_declares_it_itself(page: bytes, says: str) -> None:
    assert read(entity("text/html", page)).html == says
    assert read(entity("text/html; charset=us-ascii", page)).html == says


def test_the_charset_of_the_header_goes_before_the_one_in_the_html() -> None:
    page = b"<meta charset=windows-1251>\xfc"
    assert read(entity("text/html; charset=iso-8859-1", page)).html == "<meta charset=windows-1251>ü"


def test_plain_text_declares_nothing_itself() -> None:
    assert read(entity("text/plain", b"charset=koi8-r \xfc")).text == "charset=koi8-r ü"


def test_flowed_text_keeps_the_lines_that_were_sent() -> None:
    """RFC 3676: a line with a blank at its end goes on in the next one, at the reader's."""
    content = mail(
        "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes", "", "> one ", "> two", "-- ", "x"
    )
    assert read(content).text == "> one \n> two\n-- \nx\n"


def test_each_part_has_a_charset_of_its_own() -> None:
    message = read(
        mixed(plain("ü"), entity("text/plain; charset=koi8-r", b"\xf0"), entity("text/plain", b"\x80"), html("✅"))
    )
    assert [message.text, *(file.text for file in message.attachments), message.html] == ["ü", "П", "€", "✅"]


def test_all_characters_of_japanese_mail_are_read_beside_one_that_the_charset_has_not() -> None:
    """Shift_JIS, in which they are looked up, differs from ISO-2022-JP in the width of six characters."""
    characters = [read_alone(bytes((row, cell))) for row in range(0x21, 0x7F) for cell in range(0x21, 0x7F)]
    rows = bytes(octet for found in characters if found for octet in found[0])
    text = "".join(found[1] for found in characters if found)
    assert len(text) == 6879
    wide = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
    content = entity("text/plain; charset=iso-2022-jp", b"\x1b$B" + rows + b"-!\x1b(B")
    assert read(content).text == text.translate(wide) + "①"


def read_alone(octets: bytes) -> tuple[bytes, str] | None:
    try:
        return octets, (b"\x1b$B" + octets + b"\x1b(B").decode("iso2022_jp")
    except UnicodeDecodeError:
        return None
