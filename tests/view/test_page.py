"""What stands on the page, read without a browser."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_smtpd import SMTPServer, on
from tests.view.scenes import PICTURE, Element, data, frames, mail, page_of, send


def texts(elements: list[Element]) -> list[str]:
    return [" ".join(one.text.split()) for one in elements]


def exchanges(page: Element) -> list[tuple[str, str]]:
    """What stands on the client's side and on the server's side of each row."""
    rows = []
    for row in page.find("li"):
        if row.find("time"):
            sides = ["".join(texts(row.find("div", class_=side))) for side in ("client", "server")]
            rows.append((sides[0].removeprefix("Client: "), sides[1].removeprefix("Server: ")))
    return rows


def test_client_and_server_stand_side_by_side(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Hello"))
        rows = exchanges(page_of(server, tmp_path))
    assert rows[0] == ("", "220 localhost ESMTP")
    assert ("data", "354 End data with <CR><LF>.<CR><LF>") in rows
    assert ("QUIT", "221 2.0.0 Bye") in rows
    (content,) = [row for row in rows if "bytes of content" in row[0]]
    assert re.fullmatch(r"<\d+ bytes of content> mail 1", content[0])
    assert content[1] == "250 2.6.0 Message accepted"


def test_all_that_ehlo_offers_is_there_to_be_opened(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Hello"))
        (extensions,) = page_of(server, tmp_path).find("details", class_="extensions")
    assert "PIPELINING" in extensions.text
    assert "open" not in extensions.attributes


def test_what_went_wrong_stands_first_and_leads_to_its_place(tmp_path: Path) -> None:
    rules = [
        on("rcpt_to", to="carol@*", reply="550 5.1.1 Nobody here"),
        on("data", subject="Gone", drop=True),
        on("mail_from", mail_from="slow@*", reply="451 4.7.1 Later"),
    ]
    with SMTPServer(on=rules) as server:
        send(server, mail("Hello"), to=["ada@example.com", "carol@example.com"])
        send(server, mail("Gone"))
        page = page_of(server, tmp_path)
    troubles = page.find("section", class_="troubles")[0].find("li")
    first, second = texts(troubles)
    # How smtplib writes its verbs depends on its version.
    assert first.lower().startswith("refused 550 5.1.1 nobody here to rcpt to:<carol@example.com>")
    assert "by on('rcpt_to', reply='550 5.1.1 Nobody here', to='carol@*')" in first
    assert second.startswith("no answer dropped at data to ")
    for trouble in troubles:
        (link,) = trouble.find("a")
        (target,) = [one for one in page if one.attributes.get("id") == (link.attributes["href"] or "")[1:]]
        assert target.find("span", class_="label")


def test_a_page_without_trouble_has_no_such_section(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Hello"))
        assert page_of(server, tmp_path).find("section", class_="troubles") == []


def test_tls_stands_out(tmp_path: Path) -> None:
    import smtplib

    with SMTPServer() as server:
        with smtplib.SMTP(server.host, server.port, timeout=30) as client:
            client.starttls(context=server.client_context)
        page = page_of(server, tmp_path)
    (line,) = page.find("div", class_="tls")
    assert "TLS handshake complete: TLSv1.3" in line.text
    (heading,) = [one for one in page.find("h3") if "Connection 1" in one.text]
    assert "TLS" in heading.text
    assert "ended by QUIT" in heading.text


def test_a_late_answer_says_how_late(tmp_path: Path) -> None:
    with SMTPServer(on=[on("rcpt_to", delay=0.05)]) as server:
        send(server, mail("Hello"))
        (late,) = texts(page_of(server, tmp_path).find("span", class_="late"))
    assert re.fullmatch(r"after 0\.\d{3} s", late)


def test_a_hook_that_fails_is_shown_with_its_traceback(tmp_path: Path) -> None:
    def broken(address: object, session: object) -> None:
        raise ZeroDivisionError("in the hook")

    server = SMTPServer(on=[on("rcpt_to", call=broken)]).start()
    send(server, mail("Hello"))
    page = page_of(server, tmp_path)
    server.stop()
    (traceback,) = page.find("pre", class_="traceback")
    assert "ZeroDivisionError: in the hook" in traceback.text


def test_a_mail_is_shown_as_text_headers_structure_attachments_and_source(tmp_path: Path) -> None:
    message = mail("Übersicht", "<p>Hello <b>Ada</b></p>", text="See https://example.com/a\n")
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="bill 7.pdf")
    message.add_attachment(PICTURE, maintype="image", subtype="png", filename="logo.png")
    with SMTPServer(auth={"app": "s3cret-word"}, require_auth=False) as server:
        send(server, message)
        page = page_of(server, tmp_path)
    (section,) = page.find("details", class_="mail")
    folds = {one.find("h4")[0].text: one for one in section.find("details", class_="fold")}
    assert list(folds) == ["Text", "Attachments (2)", "Headers", "Links (1)", "Structure", "Source"]
    assert "Übersicht" in section.find("h3")[0].text
    assert "See https://example.com/a" in folds["Text"].text
    assert "https://example.com/a" in folds["Links (1)"].text
    assert "SubjectÜbersicht" in "".join(folds["Headers"].text.split())
    for kind in ("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"):
        assert kind in folds["Structure"].text
    assert "=?utf-8?" in folds["Source"].text
    bill, logo = folds["Attachments (2)"].find("a")
    assert bill.attributes["download"] == "bill 7.pdf"
    assert data(bill.attributes["href"] or "") == ("application/octet-stream", b"%PDF-1.4")
    (picture,) = folds["Attachments (2)"].find("img")
    assert data(picture.attributes["src"] or "") == ("image/png", PICTURE)
    assert logo.attributes["download"] == "logo.png"


def test_pictures_within_the_mail_are_in_its_html(tmp_path: Path) -> None:
    message = mail("Hello", '<p style="background: url(cid:logo)"><img src="cid:logo" alt="Logo"></p>')
    message.get_payload()[1].add_related(PICTURE, "image", "png", cid="<logo>")  # type: ignore[index, union-attr]
    with SMTPServer() as server:
        send(server, message)
        first, linked = frames(page_of(server, tmp_path))
    assert first == linked
    assert first.count("data:image/png;base64,") == 2
    assert "cid:" not in first


def test_a_picture_that_is_shown_very_often_does_not_blow_up_the_page(tmp_path: Path) -> None:
    message = mail("Hello", '<img src="cid:logo">' * 2000)
    message.get_payload()[1].add_related(bytes(100_000), "image", "png", cid="<logo>")  # type: ignore[index, union-attr]
    with SMTPServer() as server:
        send(server, message)
        path = server.save(tmp_path)
    assert path.stat().st_size < 25_000_000


def test_a_refused_message_is_there_too_and_has_no_file(tmp_path: Path) -> None:
    with SMTPServer(on=[on("data", subject="Bad", reply="554 5.6.0 No")]) as server:
        send(server, mail("Bad"), mail("Good"))
        page = page_of(server, tmp_path)
    good, bad = page.find("details", class_="mail")
    assert "Good" in good.text
    assert "1.eml" in good.text
    assert "refused" in texts(bad.find("span", class_="label"))
    assert ".eml" not in bad.text
    assert "554 5.6.0 No" in bad.text


def test_refused_recipients_are_named(tmp_path: Path) -> None:
    with SMTPServer(on=[on("rcpt_to", to="carol@*", reply="550 5.1.1 Nobody here")]) as server:
        send(server, mail("Hello"), to=["ada@example.com", "carol@example.com"])
        (section,) = page_of(server, tmp_path).find("details", class_="mail")
    facts = "".join(section.find("dl", class_="facts")[0].text.split())
    assert "Toada@example.com" in facts
    assert "Refusedcarol@example.com5505.1.1Nobodyhere" in facts


def test_one_frame_shows_the_html_of_all_mails(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, *(mail(f"Number {number}", f"<p>Text {number}</p>") for number in range(20)))
        page = page_of(server, tmp_path)
    (frame,) = page.find("iframe")
    assert frame.attributes["sandbox"] in ("", None)
    links = page.find("a", class_="show")
    assert len(links) == 20
    assert {one.attributes["target"] for one in links} == {frame.attributes["name"]}


def test_a_page_without_html_mail_has_no_frame(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Hello"))
        assert page_of(server, tmp_path).find("iframe") == []


def test_few_mails_are_open_and_many_are_not(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Hello"))
        (one,) = page_of(server, tmp_path).find("details", class_="mail")
        assert "open" in one.attributes
        send(server, *(mail("Hello") for _ in range(9)))
        mails = page_of(server, tmp_path).find("details", class_="mail")
    assert [one for one in mails if "open" in one.attributes] == []


def test_very_large_content_is_cut_and_says_where_the_rest_is(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, b"Subject: Large\r\n\r\n" + b"0123456789\r\n" * 100_000)
        path = server.save(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert "more characters in 1.eml" in text


def test_a_server_at_a_unix_socket_has_a_page(tmp_path: Path) -> None:
    import smtplib

    with SMTPServer(path=True, lmtp=True) as server:
        with smtplib.LMTP(server.host) as client:
            client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hello\n\nHi\n")
        page = page_of(server, tmp_path)
    assert "a Unix socket" in page.text


def test_the_page_names_its_language_title_and_parts(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Hello", "<p>Hello</p>"))
        page = page_of(server, tmp_path)
    (html,) = page.find("html")
    assert html.attributes["lang"] == "en"
    assert page.find("title")[0].text == "smtpd"
    assert next(one.tag for one in page if re.fullmatch("h[1-6]", one.tag)) == "h1"
    assert len(page.find("main")) == len(page.find("h1")) == 1
    (frame,) = page.find("iframe")
    assert frame.attributes["title"]
    identifiers = [one.attributes["id"] for one in page if "id" in one.attributes]
    assert len(identifiers) == len(set(identifiers))


def test_every_template_is_used_and_there_for_all_who_install_it() -> None:
    import pytest_smtpd.view

    folder = Path(pytest_smtpd.view.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    names = {path.stem for path in (folder / "templates").glob("*.html")}
    assert {name for name in names if f'"{name}"' not in code} == set()
