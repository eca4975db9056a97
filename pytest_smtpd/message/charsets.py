"""Octets to text, the way mail programs read them.

Senders name a charset and mean its superset: what is called ISO-8859-1 was written on Windows, GB2312 text contains
characters that only GB18030 has. Browsers and mail programs therefore read the superset (WHATWG Encoding Standard,
section 4.2), and so does this module. A name is looked up in the table below and never handed to Python's own codec
search, which would import modules and run codecs (``punycode``, ``unicode_escape``) at the wish of a sender.
"""

from typing import Final

_UTF_8_BOM: Final = b"\xef\xbb\xbf"
_UTF_16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")

# The Python codecs that read a charset, in the order in which they are tried, and the names of that charset. Only
# letters and digits of a name count: "ISO_8859-1", "iso8859-1" and "iso-8859-1" are one.
_TABLE: Final[dict[tuple[str, ...], str]] = {
    ("utf_8",): "utf8 utf8mb4 unicode11utf8 cp65001",
    ("cp1252",): "iso88591 iso885911987 88591 latin1 l1 isolatin1 cp819 ibm819 windows1252 cp1252 win1252 xcp1252 ansi",
    ("iso8859_2",): "iso88592 iso885921987 88592 latin2 l2",
    ("iso8859_3",): "iso88593 iso885931988 latin3 l3",
    ("iso8859_4",): "iso88594 iso885941988 latin4 l4",
    ("iso8859_5",): "iso88595 iso885951988 cyrillic",
    ("iso8859_6", "cp1256"): "iso88596 iso88596i iso88596e iso885961987 arabic asmo708 ecma114",
    ("iso8859_7", "cp1253"): "iso88597 iso885971987 greek greek8 ecma118 elot928",
    ("iso8859_8", "cp1255"): "iso88598 iso88598i iso88598e iso885981988 hebrew logical visual",
    ("cp1254",): "iso88599 iso885991989 latin5 l5 windows1254 cp1254 win1254 xcp1254",
    ("iso8859_10",): "iso885910 latin6 l6",
    ("cp874",): "iso885911 tis620 windows874 cp874 dos874",
    ("iso8859_13",): "iso885913 latin7",
    ("iso8859_14",): "iso885914 latin8",
    ("iso8859_15",): "iso885915 latin9 l9",
    ("iso8859_16",): "iso885916 latin10",
    ("cp1250",): "windows1250 cp1250 win1250 xcp1250",
    ("cp1251",): "windows1251 cp1251 win1251 xcp1251",
    ("cp1253",): "windows1253 cp1253 win1253 xcp1253",
    ("cp1255",): "windows1255 cp1255 win1255 xcp1255",
    ("cp1256",): "windows1256 cp1256 win1256 xcp1256",
    ("cp1257",): "windows1257 cp1257 win1257 xcp1257",
    ("cp1258",): "windows1258 cp1258 win1258 xcp1258",
    ("cp437",): "cp437 ibm437",
    ("cp850",): "cp850 ibm850",
    ("cp852",): "cp852 ibm852",
    ("cp855",): "cp855 ibm855",
    ("cp858",): "cp858 ibm858 cp00858",
    ("cp862",): "cp862 ibm862 dos862",
    ("cp866",): "cp866 ibm866",
    ("koi8_r",): "koi8r koi8 koi",
    ("koi8_u",): "koi8u koi8ru",
    ("mac_roman",): "macintosh macroman xmacroman mac",
    ("mac_cyrillic",): "xmaccyrillic maccyrillic xmacukrainian",
    ("mac_latin2",): "xmacce xmaccentraleurope",
    ("mac_greek",): "xmacgreek",
    ("mac_turkish",): "xmacturkish",
    ("gb18030",): "gb18030 gbk gb2312 gb231280 xgbk cp936 ms936 windows936 chinese csgb2312 euccn xeuccn eucgb2312cn",
    ("hz",): "hzgb2312 hz",
    ("cp950", "big5hkscs"): "big5 big5hkscs big5tw cnbig5 xxbig5 cp950 windows950 csbig5",
    ("cp932",): "shiftjis sjis xsjis mskanji windows31j cp932 ms932 cswindows31j csshiftjis windows932",
    ("euc_jp", "euc_jisx0213"): "eucjp xeucjp ujis cseucpkdfmtjapanese",
    ("iso2022_jp", "iso2022_jp_ext", "cp50221"): (
        "iso2022jp csiso2022jp iso2022jp1 iso2022jpms cp50220 cp50221 cp50222 iso2022jpesc"
    ),
    ("iso2022_jp_2",): "iso2022jp2",
    ("iso2022_jp_3",): "iso2022jp3",
    ("iso2022_jp_2004",): "iso2022jp2004",
    ("cp949",): "euckr ksc56011987 ksc56011989 ksc5601 ksx1001 korean uhc windows949 cp949 ms949 isoir149 cseuckr",
    ("iso2022_kr",): "iso2022kr csiso2022kr",
    ("johab",): "johab",
    ("utf_16",): "utf16 ucs2 iso10646ucs2",
    ("utf_16_le",): "utf16le",
    ("utf_16_be",): "utf16be",
    ("utf_32",): "utf32",
    ("utf_7",): "utf7 unicode11utf7",
}
_CODECS: Final = {name: codecs for codecs, names in _TABLE.items() for name in names.split()}
# In these, an octet below 0x80 is not always the ASCII character, so that they cannot explain raw octets of a header.
_NO_SUPERSET_OF_ASCII: Final = {"hz", "iso2022_jp", "iso2022_kr", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_7"}
_JIS: Final = range(0x21, 0x7F)  # the rows and cells of JIS X 0208
_SINGLE_OCTET: Final = ("cp12", "cp4", "cp85", "cp86", "cp87", "iso8859", "koi8", "mac")
# Where a Windows charset leaves an octet undefined, programs take the C1 control character of the same number.
_UNDEFINED: Final = {0xDC00 + octet: octet if octet < 0xA0 else 0xFFFD for octet in range(0x80, 0x100)}


def is_known(charset: str | None) -> bool:
    """Whether this names a charset; us-ascii counts as none, because octets beyond it have to be explained."""
    return charset is not None and _squeezed(charset) in _CODECS


def decode(octets: bytes, charset: str | None, guess: str | None = None) -> str:
    """The text of ``octets``. Never raises; U+FFFD stands only where no reading makes sense of an octet.

    Without a charset, with an unknown one, and with us-ascii, the text is UTF-8 where it is valid, else in the charset
    ``guess``, else in windows-1252. With a charset in which it is not valid, it is UTF-8 where it is valid.
    """
    if octets.startswith(_UTF_8_BOM):
        octets, charset = octets[len(_UTF_8_BOM) :], "utf-8"
    codecs = _CODECS.get(_squeezed(charset)) if charset else None
    if codecs is None:
        return _undeclared(octets, guess)
    # Octets that are all ASCII prove nothing: ISO-2022-JP that is cut off would count as UTF-8.
    text = _first_strict(octets, codecs if octets.isascii() else (*codecs, "utf_8"))
    return _tolerant(octets, codecs[0]) if text is None else text


def _undeclared(octets: bytes, guess: str | None) -> str:
    if octets.startswith(_UTF_16_BOMS):
        return _tolerant(octets, "utf_16")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        # UTF-8 that was cut off within its last character is still UTF-8, if there are other characters to prove it.
        if error.reason == "unexpected end of data" and not octets[: error.start].isascii():
            return octets.decode(errors="replace")
    codecs = _CODECS.get(_squeezed(guess), ()) if guess else ()
    text = _first_strict(octets, codecs if _NO_SUPERSET_OF_ASCII.isdisjoint(codecs) else ())
    return _tolerant(octets, "cp1252") if text is None else text


def _first_strict(octets: bytes, codecs: tuple[str, ...]) -> str | None:
    """The text in the first codec in which all octets are valid."""
    for codec in codecs:
        try:
            return _strict(octets, codec)
        except UnicodeError:
            continue
    return None


def _strict(octets: bytes, codec: str) -> str:
    if codec == "cp50221":
        return _cp50221(octets)
    if codec == "utf_16":
        return octets.decode(_byte_order(octets))
    text = octets.decode(codec)
    # UTF-7 alone can spell half of a surrogate pair, which is no character and cannot be printed.
    return text.encode("utf-16", "surrogatepass").decode("utf-16") if codec == "utf_7" else text


def _tolerant(octets: bytes, codec: str) -> str:
    if codec.startswith(_SINGLE_OCTET):
        return octets.decode(codec, "surrogateescape").translate(_UNDEFINED)
    if codec == "iso2022_jp":
        return _cp50221(octets, "replace")
    text = octets.decode(_byte_order(octets) if codec == "utf_16" else codec, "replace")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if codec == "utf_7" else text


def _byte_order(octets: bytes) -> str:
    """UTF-16 without a byte order mark: text is mostly Latin or has blanks, so the zero octets show the order."""
    if octets.startswith(_UTF_16_BOMS):
        return "utf_16"
    return "utf_16_be" if octets[0::2].count(0) > octets[1::2].count(0) else "utf_16_le"


def _cp50221(octets: bytes, errors: str = "strict") -> str:
    """ISO-2022-JP with the vendors' characters, such as the circled digits, that Japanese mail is full of.

    Python has no codec for it. Each run of octets between two escape sequences is rewritten in Shift_JIS, which cp932
    reads with the same extensions.
    """
    if errors == "strict":
        octets.decode("ascii")  # raises UnicodeDecodeError: octets beyond it are another charset
    first, *runs = octets.split(b"\x1b")
    shifted = [first, *(_shift_jis(run) for run in runs)]
    return b"".join(shifted).decode("cp932", errors)


def _shift_jis(run: bytes) -> bytes:
    if run.startswith((b"$@", b"$B")):
        return _double(run[2:])
    if run.startswith(b"(I"):
        return bytes(octet | 0x80 if octet > 0x20 else octet for octet in run[2:])
    if run.startswith((b"(B", b"(J")):
        return run[2:]
    return b"\x1b" + run


def _double(run: bytes) -> bytes:
    """JIS X 0208 by rows and cells, in the places where Shift_JIS has them."""
    shifted = bytearray()
    octets = iter(run)
    for row in octets:
        if row not in _JIS:
            shifted.append(row)
            continue
        lead = ((row - 0x21) >> 1) + 0x81
        shifted.append(lead + (0x40 if lead > 0x9F else 0))
        for cell in octets:
            shifted.append(_trail(row, cell) if cell in _JIS else cell)
            break
    return bytes(shifted)


def _trail(row: int, cell: int) -> int:
    """Even rows have the upper half of the cells of a lead octet; 0x7F is left out in the lower one."""
    return cell + (0x1F if cell < 0x60 else 0x20) if row & 1 else cell + 0x7E


def _squeezed(charset: str) -> str:
    return "".join(filter(str.isalnum, charset.lower()))
