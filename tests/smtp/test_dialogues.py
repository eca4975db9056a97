"""The dialogues of ``tests/rfc``, held with the protocol core alone: what a client gets does not depend on a socket."""

from __future__ import annotations

import pytest

from pytest_smtpd.settings import make_settings
from tests.rfc.dialogue import Dialogue
from tests.smtp.clients import DIALOGUES
from tests.smtp.core import flights, held, poured


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=[dialogue.title for dialogue in DIALOGUES])
def test_dialogue_goes_as_the_rfc_says_whether_or_not_the_client_waits(dialogue: Dialogue) -> None:
    """RFC 2920 section 3.1: a client may send commands in groups."""
    line = held(dialogue)
    assert poured(make_settings(dict(dialogue.settings)), flights(dialogue)).history == line.history
