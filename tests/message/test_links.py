"""The web addresses of a message."""

from __future__ import annotations

import pytest

from tests.message.reading import alternative, html, mixed, plain, read

A, B = "http://a.example/", "http://b.example/"

# A text, and its links.
TEXTS: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", []),
    "no link": ("no link", []),
    "one": ("http://a.example", ["http://a.example"]),
    "in capitals": ("HTTPS://A.example/x", ["HTTPS://A.example/x"]),
    "in a sentence": ("(see http://a.example/x).", ["http://a.example/x"]),
    "with brackets of its own": ("http://a.example/x_(y)", ["http://a.example/x_(y)"]),
    "with brackets of its own, in brackets": ("(http://a.example/x_(y))", ["http://a.example/x_(y)"]),
    "in angle brackets": ("<http://a.example/x>", ["http://a.example/x"]),
    "in square brackets": ("[http://a.example]", ["http://a.example"]),
    "in quotes": ('"http://a.example/x"', ["http://a.example/x"]),
    "a list": ("http://a.example, http://b.example!", ["http://a.example", "http://b.example"]),
    "twice": ("http://a.example http://a.example", ["http://a.example"]),
    "a query and a fragment": ("http://a.example/?q=1&r=2#f", ["http://a.example/?q=1&r=2#f"]),
    "punctuation within": ("http://a.example/a,b;c:d!e?f", ["http://a.example/a,b;c:d!e?f"]),
    "emphasis": ("*http://a.example/* _http://b.example/_", ["http://a.example/", "http://b.example/"]),
    "much punctuation": ("http://a.example/x...!?)", ["http://a.example/x"]),
    "an IDN": ("http://exämple.example/ü", ["http://exämple.example/ü"]),
    "an IPv6 address": ("http://[::1]:8000/x", ["http://[::1]:8000/x"]),
    "other schemes": ("ftp://a.example mailto:a@b.example", []),
    "no host": ("http:// https://", []),
    "a line end behind it": ("http://a.example/x\r\nnext", ["http://a.example/x"]),
    "an entity is text": ("http://a.example/?a&amp;b", ["http://a.example/?a&amp;b"]),
}


@pytest.mark.parametrize(("text", "links"), TEXTS.values(), ids=TEXTS.keys())
def test_links_of_a_text_end_where_people_end_them(text: str, links: list[str]) -> None:
    assert list(read(plain(text)).links) == links


# HTML, and its links.
PAGES: dict[str, tuple[str, list[str]]] = {
    "double quotes": (f'<a href="{A}">x</a>', [A]),
    "single quotes": (f"<a href='{A}'>x</a>", [A]),
    "no quotes": (f"<a href={A}>x</a>", [A]),
    "no quotes and a next attribute": (f"<a href={A} class=b>x</a>", [A]),
    "in capitals": (f'<A HREF="{A}">x</A>', [A]),
    "blanks around the equals sign": (f'<a href = "{A}">', [A]),
    "behind other attributes": (f'<a class="b" id=c disabled href="{A}">', [A]),
    "a line end in the tag": (f'<a\nhref="{A}"\n>', [A]),
    "a slash in the tag": (f'<a/href="{A}"/>', [A]),
    "blanks in the quotes": (f'<a href=" {A} ">', [A]),
    "a line end within the address": ('<a href="http://a.example/\r\n x">', ["http://a.example/ x"]),
    "an entity": ('<a href="http://a.example/?a&amp;b">', ["http://a.example/?a&b"]),
    "a number for a character": ('<a href="http://a.example/&#252;&#xfc;">', ["http://a.example/üü"]),
    "a huge number": (f'<a href="http://a.example/&#{"9" * 5000};">', [f"http://a.example/&#{'9' * 5000};"]),
    "an entity in the scheme": ('<a href="&#104;ttp://a.example/">', [A]),
    "an IDN": ('<a href="http://exämple.example/">', ["http://exämple.example/"]),
    "punctuation stays": ('<a href="http://a.example/x.">', ["http://a.example/x."]),
    "a greater-than sign in an attribute": (f'<a title="a > b" href="{A}">', [A]),
    "a tag in an attribute": (f'<img alt="<a href={B}>"><a href="{A}">', [A]),
    "quotes in the other quotes": (f"""<a title='"' href="{A}">""", [A]),
    "two": (f'<a href="{A}">x</a> <a href="{B}">y</a>', [A, B]),
    "twice": (f'<a href="{A}">x</a> <a href="{A}">y</a>', [A]),
    "the first of two addresses in one tag": (f'<a href="{A}" href="{B}">', [A]),
    "an empty first address": (f'<a href="" href="{B}">', []),
    "relative": ('<a href="/x">', []),
    "empty": ('<a href="">', []),
    "no value": ("<a href>", []),
    "other schemes": ('<a href="mailto:a@b.example"><a href="javascript:x">', []),
    "another element": (f'<abbr href="{A}"><link href="{A}"><area href="{A}">', []),
    "an image": (f'<img src="{A}">', []),
    "another attribute": (f'<a data-href="{A}" xhref="{B}">', []),
    "the text of the page": (f"<p>{A}</p>", []),
    "a closing tag": (f'</a href="{A}">', []),
    "a comment": (f'<!-- <a href="{A}"> --><a href="{B}">', [B]),
    "an empty comment": (f'<!--><a href="{A}"><!---><a href="{B}">', [A, B]),
    "a comment that is not closed": (f'<a href="{A}"><!-- <a href="{B}">', [A]),
    "a conditional comment of Outlook": (f'<!--[if mso]><a href="{A}"><![endif]--><a href="{B}">', [B]),
    "a doctype": (f'<!DOCTYPE html><a href="{A}">', [A]),
    "a tag in a declaration": (f'<! <a href="{A}"><a href="{B}">', [B]),
    "a processing instruction": (f'<?xml version="1.0"?><a href="{A}">', [A]),
    "a script": (f'<script>"<a href={A}>"</script><a href="{B}">', [B]),
    "a style": (f'<STYLE>/* <a href={A}> */</Style><a href="{B}">', [B]),
    "a title": (f"<title><a href={A}></title>", []),
    "a script that is not closed": (f"<script><a href={A}>", []),
    "a tag that is not closed": (f'<a href="{A}"', []),
    "quotes that are not closed": (f'<a href="{A}>x</a>', []),
    "a less-than sign in the text": (f'1 < 2 <3 <a href="{A}">', [A]),
    "a tag within a tag": (f'<a <a href="{A}">', [A]),
    "an equals sign before the name": (f'<a =href="{B}" href="{A}">', [A]),
    "nothing": ("", []),
    "a less-than sign at the end": ("<", []),
    "a tag name at the end": ("<a", []),
}


@pytest.mark.parametrize(("page", "links"), PAGES.values(), ids=PAGES.keys())
def test_links_of_html_are_those_of_its_anchors(page: str, links: list[str]) -> None:
    assert list(read(html(page)).links) == links


def test_links_of_the_text_come_first_and_each_comes_once() -> None:
    message = read(alternative(plain(f"{A} {B}"), html(f'<a href="{B}"><a href="http://c.example/">')))
    assert message.links == (A, B, "http://c.example/")


def test_attachments_have_no_links() -> None:
    assert read(mixed(plain(A), plain(B))).links == (A,)
