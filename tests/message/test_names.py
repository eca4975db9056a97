"""File names: parameters of Content-Disposition and Content-Type (RFC 2045, 2183, 2231), as senders write them."""

from __future__ import annotations

import re

import pytest

from tests.message.reading import entity, mixed, octets, plain, read

# What stands behind "attachment;" in Content-Disposition, and the name.
NAMES: dict[str, tuple[str | bytes, str | None]] = {
    # The grammar
    "a token": ("filename=a.pdf", "a.pdf"),
    "a quoted string": ('filename="a b.pdf"', "a b.pdf"),
    "in capitals": ('FILENAME="a.pdf"', "a.pdf"),
    "blanks around the equals sign": ('filename = "a.pdf"', "a.pdf"),
    "a blank behind the equals sign": ("filename= a.pdf", "a.pdf"),
    "a final semicolon": ('filename="a.pdf";', "a.pdf"),
    "several semicolons": (';; filename="a.pdf";;', "a.pdf"),
    "folded": ('\r\n filename="a.pdf"', "a.pdf"),
    "folded within": ('filename="a\r\n b.pdf"', "a b.pdf"),
    "an escaped quote": (r'filename="a\"b.pdf"', 'a"b.pdf'),
    "an escaped backslash": (r'filename="a\\b.pdf"', r"a\b.pdf"),
    "a semicolon in quotes": ('filename="a;b.pdf"', "a;b.pdf"),
    "an equals sign in quotes": ('filename="a=b.pdf"', "a=b.pdf"),
    "a comment in quotes is none": ('filename="a (the first) b.pdf"; size=3', "a (the first) b.pdf"),
    "a comment behind brackets in quotes": ('x="("; filename=a.pdf (the first)', "a.pdf"),
    "brackets in quotes": ('filename="a (1).pdf"', "a (1).pdf"),
    "other parameters around it": ('size=3; filename="a.pdf"; x=y', "a.pdf"),
    "a comment behind it": ("filename=a.pdf (the first)", "a.pdf"),
    "a comment before it": ("(the first) filename=a.pdf", "a.pdf"),
    "a comment with a semicolon": ("filename=a.pdf (the; first); size=3", "a.pdf"),
    "a comment with escapes": (r"filename=a.pdf (the \) \"first); size=3", "a.pdf"),
    "a comment within a comment": ("filename=a.pdf (the (very) first)", "a.pdf"),
    "blanks at the ends of a quoted string": ('filename=" a.pdf "', "a.pdf"),
    # No name
    "no parameter": ("", None),
    "an empty name": ('filename=""', None),
    "an empty token": ("filename=", None),
    "blanks": ('filename="  "', None),
    "a parameter without a value": ("filename", None),
    "another parameter": ("filenames=a.pdf", None),
    # Against the grammar
    "an apostrophe": ("filename=O'Brien.pdf", "O'Brien.pdf"),
    "an apostrophe in quotes": ('filename="O\'Brien.pdf"', "O'Brien.pdf"),
    "two apostrophes": ("filename='tis O'Brien.pdf", "'tis O'Brien.pdf"),
    "apostrophes around it": ("filename='a.pdf'", "'a.pdf'"),
    "apostrophes around a name with blanks": ("filename='a b.pdf'", "'a b.pdf'"),
    "blanks without quotes": ("filename=my last report.pdf", "my last report.pdf"),
    "blanks without quotes, and a next parameter": ("filename=my report.pdf; size=3", "my report.pdf"),
    "blanks without quotes, folded": ("filename=my\r\n report.pdf", "my report.pdf"),
    "a semicolon is missing": ("filename=a.pdf size=3", "a.pdf"),
    "a semicolon is missing behind a quoted string": ('filename="a.pdf" size=3', "a.pdf"),
    "no blank behind a quoted string": ('size="3"filename=a.pdf', "a.pdf"),
    "a semicolon is missing before it": ('size=3 filename="a.pdf"', "a.pdf"),
    "brackets without quotes": ("filename=a(1).pdf", "a(1).pdf"),
    "brackets and a blank without quotes": ("filename=a (1).pdf", "a (1).pdf"),
    "a bracket that is not closed": ("filename=a (1.pdf; size=3", "a (1.pdf"),
    "a quote within a token": ('filename=5"disk.img', '5"disk.img'),
    "no closing quote": ('filename="a b.pdf', "a b.pdf"),
    "no closing quote before a next parameter": ('filename="a.pdf; size=3', "a.pdf"),
    "an opening quote alone": ('filename="', None),
    "text behind a quoted string": ('filename="a.pdf"b', "a.pdf"),
    "an equals sign": ("filename=a=b.pdf", "a=b.pdf"),
    "a slash": ("filename=a/b.pdf", "a/b.pdf"),
    "an at sign, colons and commas": ("filename=a@b:c,d.pdf", "a@b:c,d.pdf"),
    "angle brackets": ("filename=<a.pdf>", "<a.pdf>"),
    # Twice
    "twice, the first counts": ("filename=a.pdf; filename=b.pdf", "a.pdf"),
    "twice, in another case": ("Filename=a.pdf; FILENAME=b.pdf", "a.pdf"),
    # Paths
    "a path": ('filename="/home/ada/a.pdf"', "/home/ada/a.pdf"),
    "a path upwards": ('filename="../../a.pdf"', "../../a.pdf"),
    "a path of Windows, not escaped": (r'filename="C:\temp\new.pdf"', r"C:\temp\new.pdf"),
    "a path of Windows, escaped": (r'filename="C:\\temp\\new.pdf"', r"C:\temp\new.pdf"),
    "a path of Windows, a token": (r"filename=C:\temp\new.pdf", r"C:\temp\new.pdf"),
    # Encoded words
    "an encoded word": ('filename="=?utf-8?q?r=C3=A4port.pdf?="', "räport.pdf"),
    "an encoded word without quotes": ("filename==?utf-8?q?r=C3=A4port.pdf?=", "räport.pdf"),
    "an encoded word in base64": ('filename="=?utf-8?b?csOkcG9ydC5wZGY=?="', "räport.pdf"),
    "an encoded word and more": ('filename="=?utf-8?q?r=C3=A4port?=.pdf"', "räport.pdf"),
    "two encoded words": ('filename="=?utf-8?q?r=C3=A4?=\r\n =?utf-8?q?port.pdf?="', "räport.pdf"),
    "two encoded words without quotes": ("filename==?utf-8?q?r=C3=A4?=\r\n =?utf-8?q?port.pdf?=", "räport.pdf"),
    "an encoded word of a character split in two": ('filename="=?utf-8?q?=C3?= =?utf-8?q?=A4?="', "ä"),
    "an encoded word in gb2312": ('filename="=?gb2312?b?1tDOxC5wZGY=?="', "中文.pdf"),
    "an encoded word in iso-2022-jp": ('filename="=?iso-2022-jp?b?GyRCRnxLXBsoQi5wZGY=?="', "日本.pdf"),
    "a broken encoded word": ('filename="=?utf-8?b?a!.pdf?="', "=?utf-8?b?a!.pdf?="),
    # Raw octets
    "UTF-8 in quotes": ('filename="räport.pdf"', "räport.pdf"),
    "UTF-8 in a token": ("filename=räport.pdf", "räport.pdf"),
    "UTF-8 with an octet that is a space in latin-1": ("filename=voilà", "voilà"),
    "UTF-8 with an octet that is a control character in latin-1": ("filename=Åland Å; size=3", "Åland Å"),
    "UTF-8 before an equals sign": ("filename=a Å=b.pdf", "a Å=b.pdf"),
    "latin-1": (b'filename="r\xe4port.pdf"', "räport.pdf"),
    "a no-break space": ('filename="a\u00a0b.pdf"', "a\u00a0b.pdf"),
    # RFC 2231
    "extended": ("filename*=utf-8''r%C3%A4port.pdf", "räport.pdf"),
    "extended, with a language": ("filename*=utf-8'de'r%C3%A4port.pdf", "räport.pdf"),
    "extended, in latin-1": ("filename*=iso-8859-1''r%E4port.pdf", "räport.pdf"),
    "extended, in a charset in capitals": ("filename*=ISO-8859-15''%A4.pdf", "€.pdf"),
    "extended, in windows-1252": ("filename*=iso-8859-1''%80.pdf", "€.pdf"),
    "extended, in gb2312": ("filename*=gb2312''%D6%D0%CE%C4.pdf", "中文.pdf"),
    "extended, in quotes": ("filename*=\"utf-8''r%C3%A4port.pdf\"", "räport.pdf"),
    "extended, with raw octets": ("filename*=utf-8''räport.pdf", "räport.pdf"),
    "extended, an apostrophe in the text": ("filename*=utf-8''O'Brien.pdf", "O'Brien.pdf"),
    "extended, an empty charset": ("filename*=''r%C3%A4port.pdf", "räport.pdf"),
    "extended, no charset": ("filename*=r%C3%A4port.pdf", "räport.pdf"),
    "extended, no charset but an apostrophe": ("filename*=O'Brien.pdf", "O'Brien.pdf"),
    "extended, one apostrophe is missing": ("filename*=utf-8'r%C3%A4port.pdf", "räport.pdf"),
    "extended, an unknown charset": ("filename*=x-mine''r%C3%A4port.pdf", "räport.pdf"),
    "extended, a wrong escape": ("filename*=utf-8''100%.pdf", "100%.pdf"),
    "extended, before the plain one": ("filename=plain.pdf; filename*=utf-8''extended.pdf", "extended.pdf"),
    "extended, behind the plain one": ("filename*=utf-8''extended.pdf; filename=plain.pdf", "extended.pdf"),
    "extended, not decodable, beside a plain one": ("filename=plain.pdf; filename*=utf-8''a%E4b.pdf", "plain.pdf"),
    "extended, empty, beside a plain one": ("filename=plain.pdf; filename*=utf-8''", "plain.pdf"),
    "in sections": ('filename*0="my "; filename*1="report.pdf"', "my report.pdf"),
    "in sections, out of order": ("filename*1=b.pdf; filename*0=a", "ab.pdf"),
    "in sections, one is missing": ("filename*0=a; filename*2=c", "a"),
    "in sections, the first is missing": ("filename*1=b; filename*2=c; filename=plain.pdf", "plain.pdf"),
    "in sections, one twice": ("filename*0=a; filename*0=x; filename*1=b", "ab"),
    "in sections, a leading zero is no number": ("filename*0=a; filename*01=b", "a"),
    "in sections, before the plain one": ("filename=plain.pdf; filename*0=a; filename*1=b", "ab"),
    "in sections, behind the extended one": ("filename*0=a; filename*1=b; filename*=utf-8''c", "c"),
    "in encoded sections": ("filename*0*=utf-8''r%C3%A4; filename*1*=port.pdf", "räport.pdf"),
    "in encoded and plain sections": ("filename*0*=utf-8''r%C3%A4; filename*1=\"po%72t.pdf\"", "räpo%72t.pdf"),
    "in plain and encoded sections": ("filename*0=a; filename*1*=%20b.pdf", "a b.pdf"),
    "a character split between sections": ("filename*0*=utf-8''r%C3; filename*1*=%A4port.pdf", "räport.pdf"),
    "an encoded word split between sections": ('filename*0="=?utf-8?b?csOk"; filename*1="cG9ydA==?="', "räport"),
    "twelve sections": ("; ".join(f"filename*{n}={n:x}" for n in range(12)), "0123456789ab"),
    "a huge section number": (f"filename*0=a; filename*{'1' * 5000}=b", "a"),
    # Kept as it stands
    "percent signs in a plain name": ("filename=r%C3%A4port.pdf", "r%C3%A4port.pdf"),
    "an entity": ('filename="a&amp;b.pdf"', "a&amp;b.pdf"),
}


@pytest.mark.parametrize(("parameters", "name"), NAMES.values(), ids=NAMES.keys())
def test_a_file_is_named_as_mail_programs_name_it(parameters: str | bytes, name: str | None) -> None:
    part = entity("application/pdf", "%PDF", b"Content-Disposition: attachment; " + octets(parameters))
    (file,) = read(mixed(plain("text"), part)).attachments
    assert (file.filename, file.disposition, file.content) == (name, "attachment", b"%PDF")


@pytest.mark.parametrize(("parameters", "name"), NAMES.values(), ids=NAMES.keys())
def test_the_name_of_a_content_type_is_read_in_the_same_way(parameters: str | bytes, name: str | None) -> None:
    raw = re.sub(rb"(?i)filename", b"name", octets(parameters))
    (file,) = read(mixed(plain("text"), entity(b"application/pdf; " + raw, "%PDF"))).attachments
    assert (file.filename, file.content_type, file.disposition) == (name, "application/pdf", None)


# Content-Type, Content-Disposition, and the name.
PAIRS = {
    "disposition alone": ("application/pdf", "attachment; filename=a.pdf", "a.pdf"),
    "type alone": ("application/pdf; name=b.pdf", "attachment", "b.pdf"),
    "both": ("application/pdf; name=b.pdf", "attachment; filename=a.pdf", "a.pdf"),
    "an extended one in the type": ("application/pdf; name*=utf-8''b.pdf", "attachment; filename=a.pdf", "a.pdf"),
    "an empty one in the disposition": ("application/pdf; name=b.pdf", 'attachment; filename=""', "b.pdf"),
    "name in the disposition": ("application/pdf", "attachment; name=a.pdf", None),
    "filename in the type": ("application/pdf; filename=b.pdf", "attachment", None),
    "a disposition without a value": ("application/pdf", "; filename=a.pdf", "a.pdf"),
    "a disposition of parameters": ("application/pdf", "filename=a.pdf", "a.pdf"),
    "a semicolon is missing": ("application/pdf", "attachment filename=a.pdf", "a.pdf"),
    "in the charset of the part": ("text/x-a; charset=koi8-r", b"attachment; filename=\xc1", "а"),
}


@pytest.mark.parametrize(("content_type", "disposition", "name"), PAIRS.values(), ids=PAIRS.keys())
def test_the_disposition_names_a_file_before_its_type_does(
    content_type: str, disposition: str | bytes, name: str | None
) -> None:
    part = entity(content_type, "x", b"Content-Disposition: " + octets(disposition))
    (file,) = read(mixed(plain(""), part)).attachments
    assert file.filename == name


# A Content-Type field, the type it is read as, and its charset.
TYPES: dict[str, tuple[str, str, str | None]] = {
    "none": ("", "text/plain", None),
    "a type": ("application/pdf", "application/pdf", None),
    "in capitals": ("Application/PDF", "application/pdf", None),
    "blanks around the slash": ("application / pdf", "application/pdf", None),
    "a comment": ("application/pdf (a file)", "application/pdf", None),
    "a comment without a blank": ("application/pdf(a file); x=y", "application/pdf", None),
    "a comment with a semicolon": ("application/pdf (a; b); charset=utf-8", "application/pdf", "utf-8"),
    "a comment first": ("(a file) application/pdf", "application/pdf", None),
    "a final semicolon": ("application/pdf;", "application/pdf", None),
    "in quotes": ('"application/pdf"', "application/pdf", None),
    "a charset": ("text/x-log; charset=UTF-8", "text/x-log", "utf-8"),
    "a charset and a comment": ("text/x-log; charset=us-ascii (Plain text)", "text/x-log", "us-ascii"),
    "a charset in quotes": ('text/x-log; charset="utf-8"', "text/x-log", "utf-8"),
    "no closing quote": ('text/x-log; charset="utf-8', "text/x-log", "utf-8"),
    "no closing quote before a parameter": ('text/x-log; charset="utf-8; format=flowed', "text/x-log", "utf-8"),
    "no semicolon": ("text/x-log charset=utf-8", "text/x-log", "utf-8"),
    "no semicolon between parameters": ("text/x-log; charset=utf-8 format=flowed", "text/x-log", "utf-8"),
    "an empty charset": ("text/x-log; charset=", "text/x-log", None),
    "no subtype": ("application", "text/plain", None),
    "an empty subtype": ("application/", "text/plain", None),
    "no type": ("/pdf", "text/plain", None),
    "two slashes": ("application/pdf/x", "text/plain", None),
    "a blank in it": ("application/octet stream", "application/octetstream", None),
    "characters that no type has": ("application/<pdf>", "text/plain", None),
    "parameters alone": ("charset=utf-8", "text/plain", "utf-8"),
}


@pytest.mark.parametrize(("field", "content_type", "charset"), TYPES.values(), ids=TYPES.keys())
def test_a_content_type_is_read_as_mail_programs_read_it(field: str, content_type: str, charset: str | None) -> None:
    part = entity(field, "x", "Content-Disposition: attachment")
    message = read(mixed(plain("text"), part))
    (file,) = message.attachments
    assert file.content_type == content_type
    assert message.parts[-1].charset == charset


@pytest.mark.parametrize(
    ("field", "disposition"),
    [
        ("attachment", "attachment"),
        ("ATTACHMENT", "attachment"),
        ("inline", "inline"),
        ("inline (shown)", "inline"),
        ("form-data; name=x", "form-data"),
        ('"attachment"', "attachment"),
        ("", None),
        (";", None),
    ],
)
def test_a_disposition_is_in_lower_case_and_none_where_there_is_none(field: str, disposition: str | None) -> None:
    part = entity("application/pdf", "x", f"Content-Disposition: {field}")
    assert read(part).attachments[0].disposition == disposition


@pytest.mark.parametrize(
    ("field", "content_id"),
    [
        ("<a@b.example>", "a@b.example"),
        ("a@b.example", "a@b.example"),
        (" < a@b.example > ", "a@b.example"),
        ("<a@b.example> (a picture)", "a@b.example"),
        ("<>", None),
        ("", None),
    ],
)
def test_a_content_id_has_no_brackets(field: str, content_id: str | None) -> None:
    assert read(entity("image/png", "x", f"Content-ID: {field}")).attachments[0].content_id == content_id


def test_parameters_are_decoded_and_found_by_name() -> None:
    part = read(entity("text/plain; Charset=utf-8; name*0*=utf-8''%C3%BC; name*1=x; Delsp=yes", "")).parts[0]
    assert part.parameters == {"charset": "utf-8", "name": "üx", "delsp": "yes"}
