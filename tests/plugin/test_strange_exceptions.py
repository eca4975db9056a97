"""Exceptions and values of the strangest kinds in hooks: the run goes on, and each test is judged as it should be."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pytest_smtpd import Reject

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]
Failure = Callable[..., pytest.TestReport]

# Exceptions whose own methods fail, each in its way.
STRANGE = """
from dataclasses import dataclass

class Base(Exception):
    pass

class BadRepr(Base):
    def __repr__(self):
        raise LookupError("in __repr__")

class BadStr(Base):
    def __str__(self):
        raise LookupError("in __str__")

class BadBoth(Base):
    __repr__ = __str__ = lambda self: 1 / 0

class NoText(Base):
    __repr__ = __str__ = lambda self: None

class FailingRepr(Base):
    def __repr__(self):
        pytest.fail("in __repr__")

class SkippingRepr(Base):
    def __repr__(self):
        pytest.skip("in __repr__")

class ExitingRepr(Base):
    def __repr__(self):
        raise SystemExit(3)

class EndlessRepr(Base):
    def __repr__(self):
        return repr(self)

class BadEq(Base):
    __hash__ = None
    def __eq__(self, other):
        raise LookupError("in __eq__")

class BadBool(Base):
    def __bool__(self):
        raise LookupError("in __bool__")

    __len__ = __bool__

class BadNotes(Base):
    __notes__ = 5

class BadAddNote(Base):
    def add_note(self, note):
        raise LookupError("in add_note")

class BadWithTraceback(Base):
    def with_traceback(self, traceback):
        raise LookupError("in with_traceback")

@dataclass(frozen=True)
class Frozen(Base):
    why: str = "frozen"

class ManyLines(Base):
    __str__ = __repr__ = lambda self: "one\\ntwo\\x1b[2Jthree"

KINDS = [kind for kind in list(globals().values()) if isinstance(kind, type) and issubclass(kind, Base)]

def raising(kind):
    def hook(address, session):
        raise kind()
    return hook

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
"""


def count(run: Run, source: str, *args: str) -> int:
    """How many kinds there are."""
    result = run(f"{STRANGE}\n{source}", *args)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["*kinds:*"])
    (line,) = [line for line in result.outlines if line.startswith("kinds:")]
    result.assert_outcomes(failed=int(line.partition(":")[2]), passed=1)
    return int(line.partition(":")[2])


INNOCENT = """
def test_innocent(smtpd, capsys):
    send(smtpd)
    with capsys.disabled():
        print(f"\\nkinds:{len(KINDS)}")
"""


def test_a_hook_may_raise_any_exception_in_a_test_that_passes(run: Run) -> None:
    source = """
@all_kinds
def test_swallows(smtpd, kind):
    smtpd.on("mail_from", call=raising(kind))
    attempt(smtpd)
    assert smtpd.log.calls("mail_from")[0].outcome == "error"
"""
    assert count(run, source + INNOCENT) > 12


@pytest.mark.parametrize("way", ["assert False", "pytest.fail('of the test')", "raise kind()"])
def test_a_hook_may_raise_any_exception_in_a_test_that_fails(run: Run, way: str) -> None:
    source = f"""
@all_kinds
def test_own(smtpd, kind):
    smtpd.on("mail_from", call=raising(kind))
    attempt(smtpd)
    if kind is BadBool and "raise" in {way!r}:  # with which pytest cannot go on by itself
        assert False
    {way}
"""
    assert count(run, source + INNOCENT) > 12


def test_the_report_of_both_failures_is_whole(failure: Failure) -> None:
    report = failure(
        STRANGE
        + """
def test_own(smtpd):
    smtpd.on("mail_from", call=raising(BadBoth))
    attempt(smtpd)
    assert 1 == 2, "of the test"
"""
    )
    assert "of the test" in report.longreprtext
    assert "smtpd: a hook raised <BadBoth, whose repr raised ZeroDivisionError>" in report.longreprtext
    assert "raise kind()" in report.longreprtext.partition("Captured smtpd call")[2]


def test_a_note_that_a_frozen_exception_cannot_take_is_no_error(failure: Failure) -> None:
    """`add_note` sets an attribute, which the frozen dataclass that the test itself raises does not allow."""
    report = failure(
        STRANGE
        + """
def test_own(smtpd):
    smtpd.on("mail_from", call=raising(ValueError))
    attempt(smtpd)
    raise Frozen()
"""
    )
    assert report.when == "call"
    assert "Frozen" in report.longreprtext
    assert "ValueError" in report.longreprtext.partition("Captured smtpd call")[2]


def test_without_pytest_it_is_raised_as_it_is(run: Run) -> None:
    result = run(
        STRANGE
        + """
@all_kinds
def test_constructor(kind):
    with pytest.raises(kind):
        with SMTPServer(on=[on("mail_from", call=raising(kind))]) as server:
            attempt(server)

@all_kinds
def test_with_another(kind):
    with pytest.raises(kind):
        with SMTPServer(on=[on("mail_from", call=raising(ValueError))]) as server:
            attempt(server)
            raise kind()
"""
    )
    assert "INTERNALERROR" not in result.stdout.str()
    outcomes = result.parseoutcomes()
    assert list(outcomes) == ["passed"], result.stdout.str()[-3000:]


@pytest.mark.parametrize("where", ["setup", "teardown", "close"])
def test_wherever_it_is_raised(reports: Reports, where: str) -> None:
    source = {
        "setup": """
@pytest.fixture
def prepared(smtpd):
    smtpd.on("mail_from", call=raising(BadBoth))
    attempt(smtpd)

def test_it(smtpd, prepared): pass
""",
        "teardown": """
@pytest.fixture
def late(smtpd):
    yield
    smtpd.on("mail_from", call=raising(BadEq))
    attempt(smtpd)

def test_it(smtpd, late): pass
""",
        "close": """
def test_it(smtpd):
    @smtpd.on("close")
    def broken(session):
        raise BadBoth()
    send(smtpd)
    smtpd.wait_closed()
""",
    }[where]
    failed = [report for report in reports(STRANGE + source) if report.failed]
    assert [report.when for report in failed] == ["teardown" if where == "teardown" else "call"]
    assert re.search(r"^E +.*Bad(Both|Eq)", failed[0].longreprtext, re.MULTILINE)


def test_on_the_session_server(run: Run) -> None:
    source = """
@all_kinds
def test_swallows(smtpd_session, kind):
    smtpd_session.on("mail_from", call=raising(kind))
    attempt(smtpd_session)
"""
    assert count(run, source + INNOCENT) > 12


VALUES = """
class Broken:
    '''Whatever is asked of it fails.'''
    def __getattribute__(self, name):
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise LookupError(name)
    def fail(self, *args):
        raise LookupError("broken")
    __eq__ = __bool__ = __len__ = __iter__ = __str__ = __repr__ = fail
    __hash__ = object.__hash__
"""


def test_a_hook_may_return_anything(run: Run) -> None:
    """It is a hook error, or means nothing; never a crash of the server."""
    result = run(
        VALUES
        + """
@pytest.mark.parametrize("hook", ["connect", "auth", "mail_from", "rcpt_to", "data", "command", "close"])
@pytest.mark.parametrize("lmtp", [False, True])
def test_it(hook, lmtp):
    with SMTPServer(lmtp=lmtp) as server:
        server.on(hook, call=lambda *args: Broken())
        lines = ["LHLO c" if lmtp else "EHLO c", "AUTH PLAIN AGEAYg==", "MAIL FROM:<a@b.example>",
                 "RCPT TO:<c@d.example>", "RCPT TO:<e@f.example>", "DATA", "Hi", ".", "QUIT"]
        with socket.create_connection(server.address, timeout=10) as sock:
            sock.sendall("".join(f"{line}\\r\\n" for line in lines).encode())
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        server.wait_closed(timeout=5)
        notes = [note for error in server.errors for note in getattr(error, "__notes__", ())]
        assert notes == []
        outcomes = {call.outcome for call in server.log}
        assert outcomes <= {"accepted", "refused", "error"}
        str(server.log.transcript())
        server.errors.clear()
"""
    )
    result.assert_outcomes(passed=14)


def test_a_match_may_be_anything(run: Run) -> None:
    result = run(
        VALUES
        + """
def test_rule(smtpd):
    smtpd.on("rcpt_to", to=Broken(), reply=550)
    attempt(smtpd)

@pytest.mark.smtpd_on("rcpt_to", to=Broken(), mail_from="nobody@*", reply=550)
def test_unused(smtpd):
    pass

@pytest.mark.smtpd_on("rcpt_to", user=Broken(), mail_from="nobody@*", reply=550)
def test_unmatched(smtpd):
    attempt(smtpd)

def test_query(smtpd):
    send(smtpd)
    smtpd.one(subject=Broken())

def test_wait(smtpd):
    smtpd.wait_for(timeout=0, subject=Broken())

def test_innocent(smtpd):
    send(smtpd)
"""
    )
    result.assert_outcomes(failed=5, passed=1)
    assert "INTERNALERROR" not in result.stdout.str()


def test_an_explanation_of_a_token_that_cannot_be_sent_is_an_error_of_the_hook() -> None:
    """`Reject(data=...)` goes to the client as JSON."""
    for data in ({"status": object()}, "text", [("status", "401")], {"status": b"x"}, {1: {2}}):
        with pytest.raises(TypeError, match="data of Reject is a dict that can be sent as JSON") as caught:
            Reject(535, data=data)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
