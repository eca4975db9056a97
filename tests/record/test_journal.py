"""What the journal keeps, in which order, and what ``clear()`` forgets."""

from __future__ import annotations

import threading

import pytest

from pytest_smtpd.record.query import Envelopes
from tests.record.scene import Scene


def test_calls_are_numbered_over_the_whole_log() -> None:
    scene = Scene()
    first, second = scene.connect(), scene.connect()
    calls = [scene.call("connect", first), scene.call("connect", second), scene.call("close", first)]
    assert [call.number for call in calls] == [1, 2, 3]
    assert list(scene.log) == calls
    assert len(scene.log) == 3


def test_a_call_is_pending_until_it_is_decided() -> None:
    scene = Scene()
    session = scene.connect()
    call = scene.call("rcpt_to", session, "b@x")
    assert (call.outcome, call.reply, call.code, call.duration, call.args) == (
        "pending",
        None,
        None,
        None,
        ("b@x", session),
    )
    other = scene.call("rcpt_to", session, "c@x", "550 5.1.1 No")
    assert (other.outcome, other.code, other.duration) == ("refused", 550, 0.25)
    assert call.outcome == "pending"


def test_a_mistake_is_kept_with_its_traceback_as_text() -> None:
    scene = Scene()
    try:
        raise ValueError("wrong")
    except ValueError as error:
        call = scene.call("data", scene.connect(), outcome="error", error=error)
    assert isinstance(call.error, ValueError)
    assert call.traceback is not None
    assert "ValueError: wrong" in call.traceback
    assert __file__ in call.traceback


def test_only_accepted_envelopes_are_in_the_everyday_view() -> None:
    scene = Scene()
    session = scene.connect()
    yes, no = scene.deliver(session, "b@x"), scene.deliver(session, "c@x", accepted=False)
    assert scene.journal.accepted == [yes]
    assert scene.log.envelopes() == [yes, no]
    assert scene.log.envelopes(accepted=False) == [no]


def test_clear_forgets_all_but_open_connections_and_hands_the_past_on() -> None:
    scene = Scene()
    gone, here = scene.connect(), scene.connect()
    scene.call("connect", gone)
    scene.deliver(here, "b@x")
    scene.journal.closed(gone)
    past = scene.journal.clear()
    assert (len(past.calls), len(past.accepted), past.sessions) == (1, 1, [gone, here])
    assert (scene.journal.calls, scene.journal.envelopes, scene.journal.accepted, scene.journal.sessions) == (
        [],
        [],
        [],
        [],
    )
    assert scene.journal.open == {here}
    assert repr(scene.log) == "<Log 0 sessions, 0 calls, 0 envelopes>"
    assert scene.call("rcpt_to", here, "x@y").number == 1
    assert scene.journal.sessions == [here]


def test_the_close_of_a_connection_that_was_cleared_away_is_not_logged() -> None:
    scene = Scene()
    session = scene.connect()
    scene.journal.clear()
    scene.call("close", session)
    assert len(scene.log) == 0
    scene.call("rcpt_to", session, "x@y")
    scene.call("close", session)
    assert [call.hook for call in scene.log] == ["rcpt_to", "close"]


def test_the_end_of_a_connection_that_was_cleared_away_is_not_logged_however_it_comes() -> None:
    scene = Scene()
    session = scene.connect()
    scene.journal.clear()
    scene.journal.note(session, "the client reset the connection (ConnectionResetError)")
    scene.call("close", session)
    assert (len(scene.log), scene.journal.sessions) == (0, [])
    scene.journal.note(session, "***", "C")
    assert scene.journal.sessions == [session]


def test_a_view_taken_before_clear_is_live() -> None:
    scene = Scene()
    view = Envelopes(scene.journal)
    session = scene.connect()
    scene.deliver(session, "b@x")
    assert len(view) == 1
    scene.journal.clear()
    assert len(view) == 0
    again = scene.deliver(session, "c@x")
    assert list(view) == [again]


def test_writers_in_many_threads_lose_nothing() -> None:
    scene = Scene()

    def write() -> None:
        session = scene.connect()
        for _ in range(200):
            scene.call("rcpt_to", session, "b@x")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(call.number for call in scene.log) == list(range(1, 801))
    assert [call.number for call in scene.log] == list(range(1, 801))


# --- the view of envelopes ------


def test_the_view_is_a_read_only_sequence_equal_to_a_list() -> None:
    scene = Scene()
    session = scene.connect()
    view = Envelopes(scene.journal)
    assert view == []
    assert not view
    one, two = scene.deliver(session, "b@x"), scene.deliver(session, "c@x")
    assert view == [one, two]
    assert view == (one, two)
    assert view == Envelopes(scene.journal)
    assert view != [two, one]
    assert view != 5
    assert (view[0], view[-1], view[0:1], list(reversed(view))) == (one, two, [one], [two, one])
    assert one in view
    assert view.index(two) == 1
    assert repr(view) == repr([one, two])
    assert not hasattr(view, "append")
    with pytest.raises(TypeError):
        hash(view)


@pytest.mark.parametrize("index", [2, -3])
def test_an_index_out_of_range_says_what_came(index: int) -> None:
    scene = Scene()
    view = Envelopes(scene.journal)
    with pytest.raises(IndexError, match="nobody connected to the server"):
        view[index]
    session = scene.connect()
    scene.deliver(session, "b@x", accepted=False)
    with pytest.raises(IndexError, match="no message was accepted on 1 connection"):
        view[index]
    scene.deliver(session, "b@x")
    scene.deliver(session, "b@x")
    with pytest.raises(IndexError, match="2 envelopes came"):
        view[index]


def test_envelopes_may_come_while_the_view_is_walked() -> None:
    scene = Scene()
    session = scene.connect()
    scene.deliver(session, "b@x")
    for _ in Envelopes(scene.journal):
        scene.deliver(session, "b@x")
    assert len(scene.journal.accepted) == 2


# --- queries ------


def test_the_log_selects_by_hook_and_match() -> None:
    scene = Scene()
    session = scene.connect()
    session.hostname_appears_as = "client.example"
    yes = scene.call("rcpt_to", session, "b@x", "250 ok")
    no = scene.call("rcpt_to", session, "c@x", "550 no")
    scene.call("connect", session)
    assert scene.log.calls("rcpt_to") == [yes, no]
    assert scene.log.calls("rcpt_to", to="c@*") == [no]
    assert scene.log.calls(outcome="refused") == [no]
    assert scene.log.calls(code=250) == [yes]
    assert scene.log.calls(reply=550) == [no]
    assert scene.log.calls(number=3, session=session) != []
    assert scene.log.sessions(hostname_appears_as="*.example") == [session]
    assert scene.log.sessions(closed=True) == []
    with pytest.raises(TypeError, match="unknown match key 'outcom'"):
        scene.log.calls(outcom="x")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="unknown hook 'rcpt'"):
        scene.log.calls("rcpt")  # type: ignore[arg-type]
