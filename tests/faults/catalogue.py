"""Every failure a client can meet, as data: the tests walk it, and the documentation is made from it."""

from __future__ import annotations

from tests.faults.rows.auth import AUTH
from tests.faults.rows.body import BODY
from tests.faults.rows.connect import CONNECT
from tests.faults.rows.data import DATA
from tests.faults.rows.ehlo import EHLO
from tests.faults.rows.final import FINAL
from tests.faults.rows.mail import SENDER
from tests.faults.rows.memory import MEMORY
from tests.faults.rows.rcpt import RECIPIENTS
from tests.faults.rows.session import KEPT
from tests.faults.rows.tls import TLS
from tests.faults.vocabulary import Section

SECTIONS: tuple[Section, ...] = (
    CONNECT,
    EHLO,
    TLS,
    AUTH,
    SENDER,
    RECIPIENTS,
    DATA,
    BODY,
    FINAL,
    KEPT,
    MEMORY,
)

ROWS = {"C": 28, "E": 22, "S": 26, "A": 17, "M": 17, "R": 19, "D": 10, "B": 13, "X": 24, "Q": 9, "L": 9}
"""How many rows each section has: C01 to C28, E01 to E22 ..."""
