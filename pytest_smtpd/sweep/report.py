"""What a sweep has found, for people: alike findings together, gravest first."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from pytest_smtpd.clock import monotonic
from pytest_smtpd.sweep.block import NOBODY
from pytest_smtpd.sweep.course import Course, Outcome
from pytest_smtpd.sweep.judge import FINDINGS, NOTICES, Offence

_WIDTH: Final = 116
_EXCERPT: Final = 10  # lines of a transcript
CLEAN: Final = "(without a fault)"  # stands for the id of a point


class Finding(NamedTuple):
    """One thing that an application does wrong, over all points where it was seen."""

    #: Its name: ``"lost"``.
    name: str
    #: What happened; the first line is the headline.
    text: str
    #: The ids of the points where it was seen; the first is the one with the shortest transcript.
    points: tuple[str, ...]
    #: What the application reported, in one line.
    claim: str
    #: The line that makes the failure of the first point in a test of its own.
    marker: str
    #: The conversation between client and server at the first point.
    transcript: str

    def __repr__(self) -> str:
        headline = self.text.partition("\n")[0]
        return f"<Finding {self.name} at {_plural(len(self.points), 'point')}: {headline}>"


class SweepFailure(AssertionError):
    """A sweep has found something, or could not find out. ``findings`` are its findings, the most serious first."""

    def __init__(self, text: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(text)
        #: What the sweep has found, the most serious first; notices are among them only under ``strict``.
        self.findings: tuple[Finding, ...] = tuple(findings)


Finding.__module__ = SweepFailure.__module__ = "pytest_smtpd"


class Verdict(NamedTuple):
    """What all runs together come to. ``expected`` are the entries of ``expect`` with the points that they cover."""

    findings: list[Finding]
    notices: list[Finding]
    sometimes: list[str]
    expected: dict[str, list[str]]
    stale: list[str]


def verdict_of(course: Course) -> Verdict:
    """Group what was found by what happened and what the application said."""
    expect: Mapping[str, str] = course.options["expect"]
    expected: dict[str, list[str]] = {key: [] for key in expect}
    groups: dict[tuple[str, str], list[tuple[Outcome, Offence]]] = {}
    sometimes: list[str] = []
    gravity = [*FINDINGS, *NOTICES]
    for outcome in course.outcomes.values():
        name = _name(outcome)
        sometimes += [f"{name} ({one.row.name})" for one in outcome.sometimes if one.row.name != "content"]
        for offence in outcome.found:
            if offence.row.if_retrying and not course.retries:
                continue
            covering = [key for key in expect if _covers(key, offence.row.name, name)]
            for key in covering:
                expected[key] += [name] * (name not in expected[key])
            if not covering:
                groups.setdefault((offence.row.name, _alike(outcome, offence)), []).append((outcome, offence))
    every = sorted(
        (_finding(found, course.application) for found in groups.values()),
        key=lambda finding: gravity.index(finding.name),
    )
    fails = {*FINDINGS, *(NOTICES if course.options["strict"] else ())}
    return Verdict(
        [finding for finding in every if finding.name in fails],
        [finding for finding in every if finding.name not in fails],
        list(dict.fromkeys(sometimes)),
        {key: points for key, points in expected.items() if points},
        [key for key, points in expected.items() if not points and _has_been_tried(course, key)],
    )


def _has_been_tried(course: Course, key: str) -> bool:
    """Whether every point that an entry of ``expect`` is about has been run, so that what was not seen is no more."""
    options, order = course.options, course.order
    if not (options["only"] or options["skip"] or order.only or order.off or order.parts > 1):
        return not course.not_run
    meant = [name for name in course.at_level if fnmatchcase(name, key.split(": ", 1)[1])]
    return bool(meant) and all(name in course.outcomes for name in meant)


def _covers(key: str, finding: str, point: str) -> bool:
    names, points = key.split(": ", 1)
    return fnmatchcase(finding, names) and fnmatchcase(point, points)


def _name(outcome: Outcome) -> str:
    return CLEAN if outcome.point is None else outcome.point.id


def _alike(outcome: Outcome, offence: Offence) -> str:
    """What findings of one kind have in common: what the application said; what was left behind has a name too."""
    if offence.row.name in NOTICES:
        return ""
    about = "" if "@" in offence.about else offence.about
    return f"{outcome.alike.get(offence.about, '')} {about}"


def _finding(found: Sequence[tuple[Outcome, Offence]], application: str) -> Finding:
    """One finding, shown at the point with the shortest transcript."""
    shortest, first = min(found, key=lambda one: (_is_set_up(one[0]), len(one[0].transcript)))
    row = first.row
    about = [offence.about for outcome, offence in found if outcome is shortest]
    said = f"{application} {shortest.said.get(about[0], '')}".rstrip()
    names = [_name(shortest), *(_name(outcome) for outcome, _ in found)]
    marker = "" if shortest.point is None else shortest.point.marker
    text = row.headline.format(_listed(about)) + (f"; {first.why}" if row.name in NOTICES and first.why else "")
    if row.text:
        usual = ", as in the run without a fault" if said.endswith("returned normally") else ""
        text += "\n" + row.text.format(said=f"{_begin(said)}{usual}", why=first.why)
    return Finding(row.name, text, tuple(dict.fromkeys(names)), said, marker, shortest.transcript)


def _begin(said: str) -> str:
    """At the head of a sentence; a function keeps its name as it is."""
    return f"{said[:1].upper()}{said[1:]}" if said.startswith(NOBODY) else said


def _is_set_up(outcome: Outcome) -> bool:
    return outcome.point is not None and outcome.point.step is None


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# --- the text -------------------------------------------------------------------------------------------------------


def failure(course: Course, verdict: Verdict) -> SweepFailure | None:
    """What fails the test; None if nothing does."""
    if not (verdict.findings or verdict.stale or course.not_run):
        return None
    return SweepFailure("\n".join([_head(course, verdict), "", *_body(course, verdict)]), verdict.findings)


def summary(course: Course, verdict: Verdict) -> str:
    """What a sweep says that has found nothing, in one line."""
    return _counts(course, verdict)


def _head(course: Course, verdict: Verdict) -> str:
    notices = f" (and {_plural(len(verdict.notices), 'notice')})" if verdict.notices else ""
    if verdict.findings:
        failing = {point for finding in verdict.findings for point in finding.points}
        where = f"at {len(failing - {CLEAN})} of {course.planned} failure points"
        without = " and without a fault" if CLEAN in failing else ""
        return f"{_plural(len(verdict.findings), 'finding')} {where}{without}{notices}"
    if verdict.stale:
        return f"what is expected no longer happens: {_listed([repr(key) for key in verdict.stale])}"
    over = f"the budget of {course.options['budget']:g} s is over"
    return f"{course.not_run} of {course.planned} points were not run: {over}"


def _body(course: Course, verdict: Verdict) -> Iterator[str]:
    for number, finding in enumerate(verdict.findings, 1):
        yield from _entry(number, finding, course.order.again)
    for key in verdict.stale:
        yield f"  no longer happens: remove it from expect: {key!r} ({course.options['expect'][key]})"
    if verdict.notices or verdict.sometimes or verdict.expected:
        yield "  notices (strict=True makes them failures)" if verdict.notices else "  also"
    for finding in verdict.notices:
        yield f"     {finding.name:<13} {_points(finding):<9} {finding.text}   first: {finding.points[0]}"
    for key, points in verdict.expected.items():
        yield f"     {'expected':<13} {_plural(len(points), 'point'):<9} {key}: {course.options['expect'][key]}"
    if verdict.sometimes:
        count = _plural(len(verdict.sometimes), "point")
        yield f"     {'sometimes':<13} {count:<9} not again when it was run again: {', '.join(verdict.sometimes)}"
    yield f"  {_counts(course, verdict)}"


def _points(finding: Finding) -> str:
    return _plural(len(finding.points), "point")


def _entry(number: int, finding: Finding, again: Callable[[str], str] | None) -> Iterator[str]:
    headline, _, text = finding.text.partition("\n")
    yield f"  {number}. {finding.name}: {headline} ({_points(finding)})"
    yield from _wrapped(text, "     ")
    if finding.marker:
        yield f"     Reproduce:  {finding.marker}"
    if finding.points[0] != CLEAN:
        yield f"     Run again:  {again(finding.points[0])}" if again else f"     Point:      {finding.points[0]}"
    for line in _excerpt(finding.transcript):
        yield f"        {line}".rstrip()
    others = finding.points[1:]
    if others:
        yield f"     also: {_some(others)}"
    yield ""


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _some(names: Sequence[str]) -> str:
    """As many as one line has room for, and how many more there are."""
    shown: list[str] = []
    for name in names:
        if shown and len(" ".join([*shown, name])) > _WIDTH - 18:
            break
        shown.append(name)
    more = len(names) - len(shown)
    return " ".join(shown) + (f" (+{more})" if more else "")


def _excerpt(transcript: str) -> list[str]:
    """The lines around the fault."""
    lines = transcript.splitlines()
    if len(lines) <= _EXCERPT:
        return lines
    place = next((number for number, line in enumerate(lines) if "   by on(" in line), len(lines) - 1)
    start = min(max(0, place - 2), len(lines) - _EXCERPT)
    shown = lines[start : start + _EXCERPT]
    return [*(["..."] if start else []), *shown, *(["..."] if start + _EXCERPT < len(lines) else [])]


def _counts(course: Course, verdict: Verdict) -> str:
    failing = {point for finding in verdict.findings for point in finding.points} - {CLEAN}
    known = {point for points in verdict.expected.values() for point in points} - failing - {CLEAN}
    told = Counter[str]()
    for name in [name for name in course.outcomes if name is not None and name not in failing | known]:
        first = next((finding.name for finding in verdict.notices if name in finding.points), None)
        if first is not None:
            told[first] += 1
    missed = [_name(one) for one in course.outcomes.values() if one.point is not None and not one.reached]
    passed = len(_run_points(course)) - len(failing) - len(known) - sum(told.values())
    passed -= len([name for name in missed if name not in failing])
    words = [
        f"{passed} as they should be",
        *([f"{len(failing)} failing"] if failing else []),
        *([f"{len(known)} expected"] if known else []),
        *(f"{told[name]} {name}" for name in NOTICES if told[name]),
        *([f"{len(missed)} not reached ({_few(missed)})"] if missed else []),
        *([f"{course.not_run} not run"] if course.not_run else []),
    ]
    seconds = monotonic() - course.began
    return f"{_plural(course.planned, 'point')} in {seconds:.1f} s: {', '.join(words)}.{_time_out(course)}"


def _run_points(course: Course) -> set[str]:
    return {name for name in course.outcomes if name is not None}


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])}, ..."


def _time_out(course: Course) -> str:
    if course.left_out:
        left_out = _plural(len(course.left_out), "point")
        return (
            f"  {left_out} left out at which the server falls silent: the client waits for more than 5 s "
            "(timeout=seconds runs them)."
        )
    if course.timeout is None:
        return ""
    return f"  The client's timeout: {course.timeout:.2g} s ({'measured' if course.measured else 'given'})."
