"""Decoding text as mail programs do.

Senders often declare a charset and use a superset of it: text labelled ISO-8859-1 is really windows-1252, and text
labelled GB2312 contains characters that only GB18030 has. Browsers and mail programs therefore decode the superset
(WHATWG Encoding Standard, section 4.2), and so does this module.

Charsets are looked up in the table below, never by Python's codec registry: there, a sender could choose which modules
are imported and which codecs run (``punycode``, ``unicode_escape``).
"""

from typing import Final

_UTF_8_BOM: Final = b"\xef\xbb\xbf"
_UTF_16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")

# Python codecs in the order in which they are tried, and the names of the charsets that they decode. Only letters and
# digits of a name count: "ISO_8859-1" and "iso8859-1" are the same name.
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
# In these, an octet below 0x80 is not always an ASCII character, so a header cannot be written in them.
_NO_SUPERSET_OF_ASCII: Final = {"hz", "iso2022_jp", "iso2022_kr", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_7"}
_JIS: Final = range(0x21, 0x7F)  # the rows and cells of JIS X 0208
_SINGLE_OCTET: Final = ("cp12", "cp4", "cp85", "cp86", "cp87", "iso8859", "koi8", "mac")
# Octets that a single-byte codec leaves undefined: as in the WHATWG Encoding Standard, those from 0x80 to 0x9F are the
# C1 control characters of the same number.
_UNDEFINED: Final = {0xDC00 + octet: octet if octet < 0xA0 else 0xFFFD for octet in range(0x80, 0x100)}


def is_known(charset: str | None) -> bool:
    """Whether this is a charset of the table. us-ascii is not: text beyond it has to be guessed like any other."""
    return charset is not None and _squeezed(charset) in _CODECS


def decode(octets: bytes, charset: str | None, guess: str | None = None) -> str:
    """The text of ``octets``. Never raises; what cannot be decoded becomes U+FFFD.

    If the charset is missing, unknown or us-ascii, the text is read as UTF-8 if it is valid UTF-8, otherwise in the
    charset ``guess`` or as windows-1252. If the charset is known and the text is not valid in it, the text is read as
    UTF-8 if it is valid UTF-8.
    """
    if octets.startswith(_UTF_8_BOM):
        octets, charset = octets[len(_UTF_8_BOM) :], "utf-8"
    codecs = _CODECS.get(_squeezed(charset)) if charset else None
    if codecs is None:
        return _undeclared(octets, guess)
    # ASCII octets do not show that the text is UTF-8: incomplete ISO-2022-JP consists of them, too.
    text = _first_strict(octets, codecs if octets.isascii() else (*codecs, "utf_8"))
    return _tolerant(octets, codecs[0]) if text is None else text


def _undeclared(octets: bytes, guess: str | None) -> str:
    if octets.startswith(_UTF_16_BOMS):
        return _tolerant(octets, "utf_16")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        # UTF-8 that was cut off within its last character is still UTF-8 if another character shows it.
        if error.reason == "unexpected end of data" and not octets[: error.start].isascii():
            return octets.decode(errors="replace")
    codecs = _CODECS.get(_squeezed(guess), ()) if guess else ()
    text = _first_strict(octets, codecs if _NO_SUPERSET_OF_ASCII.isdisjoint(codecs) else ())
    return _tolerant(octets, "cp1252") if text is None else text


def _first_strict(octets: bytes, codecs: tuple[str, ...]) -> str | None:
    """The text, decoded with the first codec for which all octets are valid; None if there is none."""
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
    # UTF-7 can encode half of a surrogate pair, which is not a character and cannot be printed.
    return text.encode("utf-16", "surrogatepass").decode("utf-16") if codec == "utf_7" else text


def _tolerant(octets: bytes, codec: str) -> str:
    if codec.startswith(_SINGLE_OCTET):
        return octets.decode(codec, "surrogateescape").translate(_UNDEFINED)
    if codec == "iso2022_jp":
        return _cp50221(octets, "replace")
    text = octets.decode(_byte_order(octets) if codec == "utf_16" else codec, "replace")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if codec == "utf_7" else text


def _byte_order(octets: bytes) -> str:
    """The codec for UTF-16 text. Without a byte order mark, most text has zero octets that show the order."""
    if octets.startswith(_UTF_16_BOMS):
        return "utf_16"
    return "utf_16_be" if octets[0::2].count(0) > octets[1::2].count(0) else "utf_16_le"


def _cp50221(octets: bytes, errors: str = "strict") -> str:
    """ISO-2022-JP with the vendor extensions that are common in Japanese mail, such as the circled digits.

    Python has no codec for it. The octets between two escape sequences are converted to Shift_JIS, for which the codec
    cp932 has the same extensions.
    """
    if errors == "strict":
        octets.decode("ascii")  # raises UnicodeDecodeError: ISO-2022-JP is a 7-bit charset
    first, *runs = octets.split(b"\x1b")
    shifted = [first, *(_shift_jis(run) for run in runs)]
    return b"".join(shifted).decode("cp932", errors)


def _shift_jis(run: bytes) -> bytes:
    """The octets behind an ESC in Shift_JIS; they begin with the rest of the escape sequence."""
    if run.startswith((b"$@", b"$B")):
        return _double(run[2:])
    if run.startswith(b"(I"):
        return bytes(octet | 0x80 if octet > 0x20 else octet for octet in run[2:])
    if run.startswith((b"(B", b"(J")):
        return run[2:]
    return b"\x1b" + run


def _double(run: bytes) -> bytes:
    """Rows and cells of JIS X 0208 as the lead and trail octets of Shift_JIS."""
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
    """Two rows share a lead octet: odd rows have the lower trail octets, without 0x7F, even rows the upper ones."""
    return cell + (0x1F if cell < 0x60 else 0x20) if row & 1 else cell + 0x7E


def _squeezed(charset: str) -> str:
    return "".join(filter(str.isalnum, charset.lower()))
