"""Whatever clients, rules and hook functions do together, the server goes on, its log is whole, and nothing is left."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tapes.ingredients import NAMES
from tests.tapes.invariants import check, nothing_left
from tests.tapes.seeds import catalogue, order, others, seeds
from tests.tapes.tape import ORDERS, play, written

_CATALOGUE = {letter: list(rows) for letter, rows in groupby(catalogue(), lambda row: row[0][0])}
_OTHERS = list(others())


def played(name: str, tape: bytes) -> None:
    try:
        with nothing_left():
            result = play(tape)
        if result is not None:
            check(result)
    except BaseException as error:
        error.add_note(f"{name}: {tape!r}")
        raise


@pytest.mark.parametrize("section", _CATALOGUE)
def test_the_server_survives_the_talks_of_the_catalogue(section: str) -> None:
    for name, tape in _CATALOGUE[section]:
        played(name, tape)


@pytest.mark.parametrize("part", range(8))
def test_the_server_survives_every_hook_function(part: int) -> None:
    for name, tape in _OTHERS[part::8]:
        played(name, tape)


_scripts = [tape[1 + 2 * tape[0] :] for _, tape in seeds()]
_orders = st.builds(order, st.sampled_from(sorted(ORDERS)), st.integers(0, 255), st.integers(0, 255))
_parts = st.one_of(_orders, st.sampled_from(_scripts), st.binary(max_size=8))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(NAMES), max_size=4), st.lists(_parts, max_size=4))
def test_the_server_survives_any_mixture(names: list[str], parts: list[bytes]) -> None:
    played(", ".join(names), written(names, b"".join(parts)))
