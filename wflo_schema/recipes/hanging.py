"""What goes with a column that is made anew, besides its keys: grants, comments, statistics, options."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from wflo_schema.catalog.altering import rights_again
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog, Object
from wflo_schema.names import quote
from wflo_schema.recipes.live import Column, Live, Relation, Table

# What ALTER TYPE leaves alone; how a value is stored follows from the type.
_KEPT = frozenset({"comment", "options", "statistics", "identity comment", "not null comment", "clustered"})
_STORED = frozenset({"storage", "compression"})


def hanging(live: Live, table: Table, column: Column, made: Collection[str], *, is_retyped: bool = False) -> list[str]:
    """Statements that give it all back to a column, and to the indexes and constraints of these names.

    A dropped column takes it along silently, extended statistics and the replica identity too.
    """
    found = live.catalog()
    place = (table.relation.schema, table.name)
    names = {name.partition(" ")[2] for of, name in table.dependents if of == column.name}
    lost = _KEPT if is_retyped else _KEPT | _STORED
    have, want, granted = [], [], []
    for one in found.objects:
        if one.path[:2] == place and (
            (one.kind == "column" and one.path[2] == column.name)
            or (one.kind in ("index", "constraint") and one.path[2] in made)
        ):
            want.append(one)
            have.append(_without(one, lost))
            if one.kind == "column":
                granted += rights_again(_without(one, {"privileges"}), one)
        elif one.kind == "statistics" and one.follows[1:3] == place and one.path[1] in names:
            want.append(_without(one, {"owner"}))
        elif one.kind == "table" and one.path == place and _index_of_identity(one) in made:
            want.append(one)
            have.append(_without(one, {"replica identity"}))
    mends = compare_catalogs(Catalog(tuple(have), live.version), Catalog(tuple(want), live.version))
    return [here(text, table.relation) for text in (*(d.mend for d in mends), *granted) if text]


def granted_alike(live: Live, table: Table, column: Column, name: str) -> list[str]:
    """Statements that give the roles which have rights on a column the same on another."""
    one = live.catalog().find("column", table.relation.schema, table.name, column.name)
    if one is None or not one.get("privileges"):
        return []
    other = replace(one, path=(*one.path[:2], name))
    return [here(text, table.relation) for text in rights_again(_without(other, {"privileges"}), other)]


def _index_of_identity(table: Object) -> str:
    """The bare name of the index by which replicas find rows, if it is one."""
    found = re.match(r"USING INDEX (?P<name>.*)\Z", table.get("replica identity"), re.DOTALL)
    return found["name"].strip('"').replace('""', '"') if found else ""


def _without(one: Object, names: Collection[str]) -> Object:
    return replace(one, attributes=tuple(a for a in one.attributes if a[0] not in names))


def here(text: str, relation: Relation) -> str:
    """SQL without the name of the schema in which the file runs, but in strings."""
    if not relation.is_here:
        return text
    prefix = re.compile(rf'(?<![\w"$.]){re.escape(quote(relation.schema))}\.(?=[\w"])')
    pieces = re.split(r"('(?:[^']|'')*')", text)
    return "".join(p if n % 2 else prefix.sub("", p) for n, p in enumerate(pieces))
