"""The page in a real browser: harmless whoever sent the mail, quick, readable, and usable by keyboard alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer, on
from tests.view.browser import Browser
from tests.view.hostile import MARKUP, URL, VECTORS
from tests.view.scenes import PICTURE, mail, send

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.wide]
TAB = ("Tab", 9)
ENTER = ("Enter", 13, "\r")


class Trap:
    """An address that nobody may connect to."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

    def caught(self) -> bool:
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    with closing(trap.socket):
        yield trap


def harmless(browser: Browser, trap: Trap) -> bool:
    """Whether nothing has run, and nothing was asked for."""
    dialogs = [one for one in browser.events if one["method"] == "Page.javascriptDialogOpening"]
    title = browser.run("document.title")
    return not dialogs and not browser.requests and not trap.caught() and title == "smtpd"


CAUGHT = ["<img loading=lazy src='URL'>", "<link rel=preconnect href='URL'>", "<script>document.title = 'x'</script>"]


@pytest.mark.parametrize("html", CAUGHT)
def test_the_trap_catches_what_it_is_meant_to_catch(browser: Browser, trap: Trap, tmp_path: Path, html: str) -> None:
    (tmp_path / "bad.html").write_text(f"<title>smtpd</title>{html.replace('URL', trap.url)}")
    browser.open(tmp_path / "bad.html")
    browser.settle()
    assert not harmless(browser, trap)


def test_the_html_of_a_hostile_mail_is_harmless(browser: Browser, trap: Trap, tmp_path: Path) -> None:
    vectors = {name: html.replace(URL, trap.url).replace("URL", trap.url) for name, html in VECTORS.items()}
    with SMTPServer() as server:
        send(server, *(mail(name, html) for name, html in vectors.items()))
        page = server.save(tmp_path)
    browser.open(page)
    for number, name in enumerate(vectors, 1):
        browser.run(f"document.querySelectorAll('.show')[{number - 1}].click()")
        browser.settle()
        assert harmless(browser, trap), name


def test_markup_in_every_other_place_is_text(browser: Browser, trap: Trap, tmp_path: Path) -> None:
    markup = MARKUP.replace("URL", trap.url)
    folded = EmailMessage()
    folded["Subject"], folded["X-Header"], folded["From"] = markup, markup, "x@example.com"
    folded.set_content(f"{markup}\nhttps://example.com/{markup}")
    folded.add_attachment(markup.encode(), maintype="text", subtype="html", filename=f"{markup}.html")
    folded.add_attachment(b"x", maintype="image", subtype="svg+xml", filename="x.svg", cid="<\"'>")
    raw = f"{markup}: x\r\nContent-Type: {markup}\r\nContent-Disposition: {markup}\r\n\r\n{markup}\r\n".encode()

    def broken(address: object, session: object) -> None:
        raise ValueError(markup)

    server = SMTPServer(on=[on("rcpt_to", to="refused@*", reply=f"550 {markup}"), on("rcpt_to", to="b@*", call=broken)])
    server.start()
    send(server, folded, raw)
    for recipient in ("refused@example.com", "b@example.com", f'"{MARKUP.replace(chr(34), "")}"@example.com'):
        send(server, raw, to=[recipient])
    with socket.create_connection(server.address) as client:
        client.sendall(f"{markup}\r\nEHLO {markup}\r\nAUTH {markup}\r\nQUIT\r\n".encode())
        while client.recv(4096):
            pass
    page = server.save(tmp_path)
    server.stop()
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.settle()
    assert harmless(browser, trap)
    assert browser.run("document.querySelectorAll('script, img, form, object').length") == 0
    assert browser.run("document.querySelector('main').textContent").count("<script>alert(1)</script>") > 12


# --- how it looks, and how it is used -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something of everything."""
    letter = mail("Your order 4711 has been shipped", "<h1>Shipped</h1><p>Dear Ada, <b>thank you</b>.</p>" * 8)
    letter.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="invoice 4711.pdf")
    letter.add_attachment(PICTURE, maintype="image", subtype="png", filename="logo.png")
    rules = [
        on("rcpt_to", to="carol@*", reply="550 5.1.1 No such user here, and a text that is long enough for two lines"),
        on("data", subject="Gone", drop=True),
        on("rcpt_to", to="late@*", delay=0.05),
    ]
    with SMTPServer(on=rules) as server:
        send(server, letter, to=["ada@example.com", "carol@example.com"])
        send(server, mail("Plain", text="Only text. " * 40), to=["late@example.com"])
        send(server, mail("Gone"))
        return server.save(tmp_path_factory.mktemp("page"))


SIZES = [(360, 740), (768, 1024), (1400, 900)]
OVERFLOW = """
    [...document.querySelectorAll('body *')].filter(one =>
        one.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !one.closest('pre')
        && getComputedStyle(one).position !== 'absolute').map(one => one.outerHTML.slice(0, 80))
"""
# The contrast of each text to what is behind it: WCAG 2.2, section 1.4.3.
CONTRAST = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255)).reduce(
      (sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = one => { for (; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour; } return [255, 255, 255]; };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !one.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(one.outerHTML.slice(0, 80));
  }
  return poor;
})()
"""
SMALL_TARGETS = """
    [...document.querySelectorAll('a, summary')].filter(one => one.checkVisibility() && !one.classList.contains('skip'))
    .filter(one => one.getBoundingClientRect().height < 24 && getComputedStyle(one).display != 'inline')
    .map(one => one.outerHTML.slice(0, 80))
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES, ids=str)
def test_it_is_readable(browser: Browser, scene: Path, width: int, height: int, dark: bool) -> None:
    browser.open(scene, width=width, height=height, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.settle()
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(OVERFLOW) == []
    assert browser.run(CONTRAST) == []
    assert browser.run(SMALL_TARGETS) == []


def test_dark_is_dark(browser: Browser, scene: Path) -> None:
    grounds = []
    for dark in (False, True):
        browser.open(scene, dark=dark)
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    light, dark_ground = (sum(map(int, ground.strip("rgb()").split(","))) for ground in grounds)
    assert light > 600
    assert dark_ground < 150


def test_everything_can_be_reached_and_opened_by_keyboard(browser: Browser, scene: Path) -> None:
    browser.open(scene)
    seen: list[str] = []
    for _ in range(200):
        browser.press(*TAB)
        active = browser.run("document.activeElement.outerHTML.slice(0, 400)")
        if active in seen[:1] or active.startswith("<body"):
            break
        seen.append(active)
        assert "<iframe" in active or browser.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert seen[0].startswith('<a class="skip"')
    for wanted in ('href="#c1-', "Connection 2", 'class="show"', "Headers", "Source", "download=", "<iframe"):
        assert any(wanted in one for one in seen), wanted


def test_a_fold_opens_by_keyboard(browser: Browser, scene: Path) -> None:
    browser.open(scene)
    browser.run("[...document.querySelectorAll('summary')].find(one => one.innerText == 'Headers').focus()")
    assert not browser.run("document.activeElement.parentElement.open")
    browser.press(*ENTER)
    assert browser.run("document.activeElement.parentElement.open")
    assert "Your order 4711" in browser.run("document.activeElement.parentElement.innerText")


def has_scrolled(browser: Browser) -> bool:
    browser.press("End", 35)
    browser.settle()
    return bool(browser.run_in_frame("document.scrollingElement.scrollTop") > 100)


def test_the_html_of_a_mail_scrolls_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("Long", "<p>line</p>" * 200))
        page = server.save(tmp_path)
    browser.open(page)
    browser.settle()
    browser.run("document.querySelector('.html summary').focus()")
    browser.press(*TAB)
    assert any(has_scrolled(browser) for _ in range(20))  # the focus reaches the frame's own process when it does


def test_the_html_of_another_mail_is_shown_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, mail("One", "<p>first</p>"), mail("Two", "<p>second</p>"))
        page = server.save(tmp_path)
    browser.open(page)
    before = shown(browser)
    browser.run("document.querySelectorAll('.show')[1].focus()")
    browser.press(*ENTER)
    browser.settle()
    assert before == "Mail 1"
    assert shown(browser) == "Mail 2"


def shown(browser: Browser) -> str:
    """The caption of what the frame shows."""
    return str(browser.run_in_frame("document.querySelector('.pytest-smtpd-caption').innerText"))


def test_a_link_to_what_went_wrong_opens_the_connection_in_which_it_was(browser: Browser, tmp_path: Path) -> None:
    with SMTPServer(on=[on("rcpt_to", to="carol@*", reply=550)]) as server:
        for number in range(12):
            send(server, mail("x"), to=["carol@example.com" if number == 7 else "ada@example.com"])
        page = server.save(tmp_path)
    browser.open(page)
    browser.run("document.querySelector('.troubles a').focus()")
    browser.press(*ENTER)
    browser.settle()
    box = "document.querySelector(':target').getBoundingClientRect()"
    assert browser.run("document.querySelector(':target').innerText").startswith("Server:\nrefused 550")
    assert browser.run(f"{box}.top >= 0 && {box}.bottom <= innerHeight && {box}.height > 0")


def seconds_to_open(browser: Browser, page: Path) -> float:
    begin = time.monotonic()
    browser.open(page)
    browser.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return time.monotonic() - begin


def test_500_mails_are_there_within_two_seconds(browser: Browser, tmp_path: Path) -> None:
    html = "<table><tr><td><p>Dear Ada, <b>thank you</b> for your order.</p></td></tr></table>" * 40
    with SMTPServer() as server:
        send(server, *(mail(f"Order {number}", html, "Thank you.\n" * 20) for number in range(500)))
        begin = time.monotonic()
        page = server.save(tmp_path)
        written = time.monotonic() - begin
    # The first time warms the browser up; and a busy machine gets another chance.
    assert min(seconds_to_open(browser, page) for _ in range(4)) < 2
    assert browser.run("document.querySelectorAll('details.mail').length") == 500
    assert written < 10
    browser.run("document.querySelectorAll('.mail > summary')[499].focus()")
    browser.press(*ENTER)
    assert browser.run("document.querySelectorAll('.mail')[499].open")


def test_it_prints_with_what_is_folded(browser: Browser, scene: Path) -> None:
    browser.open(scene)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    heights = browser.run("document.querySelector('.mail').scrollHeight")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert heights > 400
    assert len(browser.call("Page.printToPDF")["data"]) > 10_000
