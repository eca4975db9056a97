"""TCP promises octets in order, and nothing else: it never matters how they are cut."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_smtpd.settings import Settings, make_settings
from tests.rfc.dialogue import Dialogue
from tests.smtp.clients import DIALOGUES, READY, streams
from tests.smtp.core import Cut, at, flights, octet_by_octet, poured
from tests.smtp.walk import SETTINGS

Conversation = tuple[Settings, list[bytes]]
# STARTTLS is left out: what comes with it in one piece is thrown away on purpose (RFC 3207 section 4.2).
IN_CLEAR = [make_settings(given) for given in SETTINGS if given.get("tls", "starttls") is None]


def spoken(dialogue: Dialogue) -> Conversation:
    return make_settings(dict(dialogue.settings)), flights(dialogue)


written = st.sampled_from(DIALOGUES).map(spoken)
mixed = st.tuples(st.sampled_from(IN_CLEAR), streams.map(lambda sent: [sent]))
cuts = st.lists(st.one_of(st.integers(0, 300), st.integers(0, 26_000)), max_size=12).map(lambda places: at(*places))


def each_octet_by_octet(test: Callable[[Conversation, Cut], None]) -> Callable[[Conversation, Cut], None]:
    for dialogue in DIALOGUES:
        test = example(spoken(dialogue), octet_by_octet)(test)
    return test


@settings(max_examples=1000, deadline=None)
@given(st.one_of(written, mixed), st.one_of(cuts, st.just(octet_by_octet)))
@example((IN_CLEAR[0], [READY + b"DATA\r\n.\r\n"]), at(50, 51))
@example((IN_CLEAR[0], [READY + b"BDAT 5\r\n.\r\n.\r\n"]), at(53, 54, 55))
@each_octet_by_octet
def test_cutting_octets_never_matters(conversation: Conversation, cut: Cut) -> None:
    assert poured(*conversation, cut).history == poured(*conversation).history
