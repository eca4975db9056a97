"""Rows of reference tables as entries: each has an anchor, and stands in the index and in ``objects.inv``.

A table counts if the head of its first column is a kind of entry. The name of each row is the first code in that cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.domains.std import StandardDomain
    from sphinx.util.typing import ExtensionMetadata

#: The heads of first columns, and what the index calls such an entry.
KINDS: Final = {
    "setting": "setting",
    "hook": "hook",
    "action": "action of a rule",
    "modifier": "modifier of a rule",
    "match key": "match key",
    "fixture": "fixture",
    "marker": "marker",
    "option": "option",
    "failure": "failure",
    "finding": "finding of a sweep",
    "notice": "notice of a sweep",
    "lint rule": "lint rule",
    "reply code": "reply code",
}


class Entries(SphinxTransform):
    """Makes the entries, before the domains collect theirs."""

    default_priority = 800

    def apply(self, **kwargs: object) -> None:
        for table in self.document.findall(nodes.table):
            head = next(table.findall(nodes.thead), None)
            body = next(table.findall(nodes.tbody), None)
            if head is None or body is None:
                continue
            kind = next(head.findall(nodes.entry)).astext()
            if kind in KINDS:
                for row in body.findall(nodes.row):
                    self._enter(kind, next(row.findall(nodes.entry)))

    def _enter(self, kind: str, cell: nodes.entry) -> None:
        found = next(cell.findall(nodes.literal), None)
        if found is None:
            return
        name = found.astext().rstrip("=")
        anchor = nodes.make_id(f"{kind}-{name}")
        if anchor in self.document.ids:
            return
        cell["ids"].append(anchor)
        self.document.note_explicit_target(cell)
        index = addnodes.index(entries=[("single", f"{name} ({KINDS[kind]})", anchor, "", None)])
        found.parent.insert(0, index)
        domain = cast("StandardDomain", self.env.get_domain("std"))
        domain.note_object(kind.replace(" ", "-"), name, anchor, location=cell)


def setup(app: Sphinx) -> ExtensionMetadata:
    for kind in KINDS:
        app.add_object_type(kind.replace(" ", "-"), kind.replace(" ", "-"))
    app.add_transform(Entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
