"""Ids of fixture parameters: readable without help, unique where the rules differ, and never a secret."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def ids(run: Run) -> Callable[..., list[str]]:
    """Return a function that collects a test with these parameters and gives what stands between its brackets."""

    def ids(*params: str, setup: str = "", args: tuple[str, ...] = ()) -> list[str]:
        marker = f'@pytest.mark.parametrize("smtpd", [{", ".join(params)}], indirect=True)'
        result = run(
            f"{setup}\n{marker}\ndef test_it(smtpd): pass\n",
            *["--collect-only", "-q", *args],
        )
        assert result.ret == 0, result.stdout.str()
        return [match[1] for line in result.outlines if (match := re.search(r"::test_it\[(.*)\]$", line))]

    return ids


PROMISED = {
    "on('connect', reply=421)": "connect-421",
    "on('data', drop=True)": "data-drop",
    "on('data', drop='rst')": "data-drop=rst",
    "on('data', reply=552, after=10)": "data-552-after=10",
    "on('rcpt_to', to='bounce@*', reply=550)": "rcpt_to-550-to=bounce@*",
    "{'tls': 'implicit'}": "tls=implicit",
}


def test_the_ids_of_the_contract(ids: Callable[..., list[str]]) -> None:
    assert ids(*PROMISED) == list(PROMISED.values())


# In one family, nothing differs but what the id has to show.
DIFFERENT = [
    "on('rcpt_to', reply=550)",
    "on('rcpt_to', reply='550 5.1.1 No such user')",
    "on('rcpt_to', reply='550 5.7.1 Go away')",
    "on('rcpt_to', reply='550-5.1.1 two\\n550 5.1.1 lines')",
    "on('rcpt_to', reply=451)",
    "on('rcpt_to', reply=550, times=1)",
    "on('rcpt_to', reply=550, times=2)",
    "on('rcpt_to', reply=550, skip=1)",
    "on('rcpt_to', reply=550, delay=0.5)",
    "on('rcpt_to', reply=550, drip=0.5)",
    "on('rcpt_to', reply=550, drop=True)",
    "on('rcpt_to', reply=550, drop='rst')",
    "on('rcpt_to', reply=550, drop=True, linger=1)",
    "on('rcpt_to', reply=550, hang=True)",
    "on('rcpt_to', hang=True)",
    "on('rcpt_to', raw=b'')",
    "on('rcpt_to', raw=b'\\x00\\xff')",
    "on('rcpt_to', raw=b'550 5.1.1 x\\r\\n')",
    "on('rcpt_to', delay=0.5)",
    "on('rcpt_to', to='a@example.com', reply=550)",
    "on('rcpt_to', to=re.compile('a@'), reply=550)",
    "on('rcpt_to', mail_from='a@example.com', reply=550)",
    "on('rcpt_to', user='app', reply=550)",
    "on('rcpt_to', name='relay', reply=550)",
    "on('rcpt_to', call=refuse)",
    "on('rcpt_to', call=accept)",
    "on('rcpt_to', when=odd, reply=550)",
    "on('rcpt_to', when=even, reply=550)",
    "on('data', drop=True, accept=True)",
    "on('data', reply=250, accept=False)",
    "on('data', hang=True, after=5)",
    "on('command', verb='NOOP', reply=500)",
    "on('command', verb='DATA', reply=500)",
    "{'tls': None}",
    "{'tls': 'implicit', 'certificate': 'expired'}",
    "{'size': 1000}",
    "{'auth': None}",
    "{'auth': {'app': 's3cret'}}",
    "{'on': on('connect', reply=421)}",
    "{'on': [on('connect', reply=421), on('data', drop=True)]}",
    "[on('connect', reply=421), on('mail_from', reply=451)]",
    "[on('connect', reply=421), on('mail_from', reply=452)]",
]

FUNCTIONS = """
def refuse(address, session): raise Reject
def accept(address, session): pass
def odd(call): return call.number % 2 == 1
def even(call): return call.number % 2 == 0
"""


def test_ids_are_unique_where_the_rules_differ(ids: Callable[..., list[str]]) -> None:
    strict = ("-o", "strict_parametrization_ids=true") if pytest.version_tuple >= (9,) else ()
    got = ids(*DIFFERENT, setup=FUNCTIONS, args=strict)
    assert len(set(got)) == len(DIFFERENT)
    assert [one for one in got if re.search(r"smtpd\d|_\d$", one)] == []  # a number that pytest had to add
    assert [one for one in got if not one.isprintable() or not one.isascii()] == []
    # a way to say which test to run is not a place for an essay
    assert [one for one in got if len(one) > 80] == []


@pytest.mark.parametrize(
    "param",
    [
        "{'auth': {'app': 's3cret'}}",
        "{'auth': {'app': 's3cret', 'other': 's3cret2'}, 'tls': None}",
        "[{'auth': {'app': 's3cret'}}][0]",
    ],
)
def test_an_id_is_never_a_secret(ids: Callable[..., list[str]], param: str) -> None:
    (got,) = ids(param)
    assert "s3cret" not in got
    assert "auth" in got


def test_accounts_that_differ_in_the_secret_alone_do_not_show_it(run: Run) -> None:
    result = run(
        """
        @pytest.mark.parametrize("smtpd", [{"auth": {"app": "s3cret1"}}, {"auth": {"app": "s3cret2"}}], indirect=True)
        def test_it(smtpd): pass
        """,
        *["--collect-only", "-q"],
    )
    result.stdout.no_fnmatch_line("*s3cret*")
    result.stdout.fnmatch_lines(["2 tests collected*"])


def test_an_id_of_the_user_wins(ids: Callable[..., list[str]]) -> None:
    assert ids("pytest.param(on('connect', reply=421), id='busy')") == ["busy"]


def test_other_parameters_keep_their_own_ids(run: Run) -> None:
    result = run(
        """
        def custom(value):
            return "mine"

        DROP = (on("data", drop=True), smtplib.SMTPServerDisconnected)

        @pytest.mark.parametrize(("smtpd", "error"), [DROP], indirect=["smtpd"])
        def test_two(smtpd, error): pass

        @pytest.mark.parametrize("config", [{"tls": "implicit"}, ["a"]])
        def test_dict(config): pass

        @pytest.mark.parametrize("rule", [on("connect", reply=421)])
        def test_direct(rule): pass

        @pytest.mark.parametrize("smtpd", [on("connect", reply=421)], indirect=True, ids=custom)
        def test_custom(smtpd): pass
        """,
        *["--collect-only", "-q"],
    )
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == [
        "test_two[data-drop-SMTPServerDisconnected]",
        "test_dict[config0]",
        "test_dict[config1]",
        "test_direct[connect-421]",
        "test_custom[mine]",
    ]


def test_the_id_selects_the_test(run: Run) -> None:
    result = run(
        """
        @pytest.mark.parametrize("smtpd", [on("connect", reply=421), on("data", drop=True)], indirect=True)
        def test_it(smtpd):
            assert attempt(smtpd) is not None
        """,
        "test_inner.py::test_it[data-drop]",
    )
    result.assert_outcomes(passed=1)


def test_workers_agree_on_the_ids(run: Run) -> None:
    """Neither addresses of functions nor the order of a set, which differ from process to process."""
    result = run(
        """
        @pytest.mark.parametrize("smtpd", [
            on("rcpt_to", when=lambda call: True, reply=550, optional=True),
            on("rcpt_to", call=lambda address, session: None, optional=True),
            on("rcpt_to", to=lambda address: True, reply=550, optional=True),
            {"disable": {"EHLO", "SIZE", "DSN", "VRFY", "CHUNKING", "8BITMIME"}},
            {"hide": frozenset({"SIZE", "DSN", "CHUNKING", "8BITMIME", "STARTTLS"})},
            {"ssl_context": ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)},
        ], indirect=True)
        def test_it(smtpd): pass
        """,
        *["-p", "xdist", "-n", "2"],
    )
    result.assert_outcomes(passed=6)


def test_an_id_has_no_address_in_memory(ids: Callable[..., list[str]]) -> None:
    """Every worker of xdist has another one, and refuses to run when the ids differ."""
    setup = FUNCTIONS + "\nimport functools\nclass Odd:\n    def __call__(self, *args): return True\n"
    got = ids(
        "on('rcpt_to', reply=550, when=Odd())",
        "on('rcpt_to', reply=550, to=Odd())",
        "on('rcpt_to', call=functools.partial(refuse))",
        setup=setup,
    )
    assert got == ["rcpt_to-550-when=Odd", "rcpt_to-550-to=Odd", "rcpt_to-call=refuse"]


def test_what_is_too_long_for_an_id_is_told_apart(ids: Callable[..., list[str]]) -> None:
    long = "x" * 300
    texts = [f"550 {long}a{long}", f"550 {long}b{long}"]
    got = ids(*(f"on('rcpt_to', reply='{text}')" for text in texts))
    assert len(set(got)) == 2
    assert all(len(one) < 130 and "~" in one for one in got), got


def test_the_flags_of_a_pattern_are_in_the_id(ids: Callable[..., list[str]]) -> None:
    got = ids(
        "on('rcpt_to', reply=550, to=re.compile('a'))",
        "on('rcpt_to', reply=550, to=re.compile('a', re.IGNORECASE))",
        setup="import re",
    )
    assert got == ["rcpt_to-550-to=re.compile('a')", "rcpt_to-550-to=re.compile('a', re.IGNORECASE)"]
