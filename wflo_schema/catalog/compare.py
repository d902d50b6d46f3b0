"""In what two catalogs differ, each difference with the SQL that mends it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from wflo_schema.catalog.mend import (
    ABSENT,
    EXTRA,
    NAME,
    Place,
    Sides,
    are_alike,
    mend_absent,
    mend_attribute,
    mend_extra,
    rename,
)
from wflo_schema.catalog.objects import (
    GLOBAL,
    NOTHING,
    OF_RELATION,
    RELATIONS,
    TABLES,
    WITH_ARGUMENTS,
    Catalog,
    Difference,
    Key,
    Object,
    Path,
    as_key,
    column_definition,
    table_of,
)
from wflo_schema.catalog.order import in_order
from wflo_schema.catalog.same import (
    are_chosen,
    common_aliases,
    differ_in_line_ends,
    differ_in_tables_of_columns,
    is_null,
    line_ends,
    made_visible,
    regular_form,
)
from wflo_schema.connect import versions
from wflo_schema.errors import UsageError
from wflo_schema.names import identifiers, qualified, quote, quote_always

# Of several unique indexes on the same columns, PostgreSQL gives a foreign key the first: another after a restore.
# The bounds of an identity stand beside the type of its sequence, which pg_dump does not write down.
_COSMETIC = frozenset(
    {"column order", "identity sequence", "identity type", "not null constraint", "referenced index", "shard count"}
)

# What stands with every new database, or with an extension, until somebody else says otherwise.
_GIVEN_COMMENTS: frozenset[tuple[str, Path | None]] = frozenset({("schema", ("public",)), ("extension", None)})

# A name is worth telling only where what it names is on both sides.
_ONLY_BESIDE = {
    "identity sequence": "identity",
    "identity type": "identity",
    "not null constraint": "not null",
    "not null inherited": "not null",
    "colocated with": "distribution",
    "shard count": "distribution",
}

# Whether something is also the table's own, or only its parent's: told where it is inherited on both sides.
_INHERITED = frozenset({"inherited", "not null inherited"})


def compare_catalogs(
    have: Catalog, want: Catalog, *, ignore_schema_names: Mapping[str, str] | None = None
) -> tuple[Difference, ...]:
    """List in which ways ``have`` is not ``want``, sorted so that mends can run in order.

    ``ignore_schema_names`` maps names of schemas in ``have`` to those they stand for in ``want``,
    also inside definitions; names are then written as ``have`` writes them.  What hangs on an
    absent object (its columns, indexes …) is not listed beside it, nor what a partition merely
    inherits.  An index or a constraint that is there under another name is one difference.
    What pg_dump and psql change in a text that means the same is none; line ends alone are cosmetic.

    Raise `UsageError` when two schemas are mapped to one.
    """
    return in_order(*differences(have, want, ignore_schema_names=ignore_schema_names))


def differences(
    have: Catalog, want: Catalog, *, ignore_schema_names: Mapping[str, str] | None = None
) -> tuple[dict[Place, Difference], Sides]:
    """What `compare_catalogs` lists, by place and in no order, and both catalogs side by side."""
    names = _Renaming(ignore_schema_names or {})
    sides = _sides(have, want, names)
    found: dict[Place, Difference] = {}
    _forget_detached(sides)
    renamed = _renamed(sides)
    for had, wanted in renamed:
        found[wanted.key, NAME] = rename(had, wanted)
    pairs = [(sides.has[key], wanted) for key, wanted in sides.wants.items() if key in sides.has]
    for had, wanted in [*renamed, *pairs]:
        for attribute, difference in _attribute_differences(had, wanted, sides, names):
            found[wanted.key, attribute] = difference
    for relation in sides.wants.values():
        if relation.kind in TABLES and relation.key in sides.has:
            difference_or_none = _column_order(relation, sides)
            if difference_or_none is not None:
                found[relation.key, "column order"] = difference_or_none
    for key, attribute in list(found):
        for one in (sides.wants.get(key), sides.has.get(key)):
            if one is not None and one.follows and _is_the_same(found, key, (as_key(one.follows), attribute), sides):
                found.pop((key, attribute), None)
    gone = {old.key for old, _ in renamed}
    come = {new.key for _, new in renamed}
    for key, one in sides.extra.items():
        if key not in gone and not _is_told_elsewhere(one, sides.extra, sides.extra_paths):
            found[key, EXTRA] = Difference(
                one.kind, one.name, "", _show(one, sides.has_columns), NOTHING, mend_extra(one)
            )
    for key, one in sides.absent.items():
        if key not in come and not _is_told_elsewhere(one, sides.absent, sides.absent_paths):
            found[key, ABSENT] = Difference(
                one.kind, one.name, "", NOTHING, _show(one, sides.wants_columns), mend_absent(one, sides)
            )
    return found, sides


def _is_the_same(found: Mapping[Place, Difference], key: Key, followed: Place, sides: Sides) -> bool:
    """Say whether a copy's difference is told, and mended, with that of its original."""
    if followed not in found:
        return False
    attribute = followed[1]
    if attribute != "enabled" and (key[0] != "column" or attribute in (ABSENT, EXTRA)):
        return True
    both = (sides.has.get(key), sides.wants.get(key), sides.has.get(followed[0]), sides.wants.get(followed[0]))
    ours, theirs, above_ours, above_theirs = (one.get(attribute) if one else "" for one in both)
    is_same = (ours, theirs) == (above_ours, above_theirs)
    return is_same and (attribute != "enabled" or are_alike(followed[0], sides))


# How a function that has a search_path of its own says so.
_PATH_LINE = re.compile(r"^ SET search_path TO .*$", re.MULTILINE)


class _Renaming:
    """Writes what ``want`` says with the schema names of ``have``.

    The names are swapped and not just replaced, so that two different texts never become one.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        if len(set(mapping.values())) != len(mapping):
            raise UsageError("ignore_schema_names maps two schemas to the same one")
        self._to_want = {a: b for a, b in mapping.items() if a != b}
        self._to_have = {b: a for a, b in self._to_want.items()}
        for start in self._to_want:
            end = start
            while end in self._to_want:
                end = self._to_want[end]
            self._to_have.setdefault(start, end)
        spellings: dict[str, str] = {}
        for name in self._to_have:
            spellings[quote_always(name)] = name
            spellings[quote_always(name).replace("'", "''")] = name  # inside of a literal
            spellings[quote(name)] = name
        self._spellings = spellings
        one_of = "|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True))
        self._qualifier = re.compile(rf"""(?<![\w$."])({one_of})(?=\.)""") if spellings else None

    def text(self, text: str) -> str:
        if self._qualifier is None:
            return text
        text = self._qualifier.sub(lambda m: quote(self._to_have[self._spellings[m[1]]]), text)
        return _PATH_LINE.sub(self._search_path, text)

    def _search_path(self, line: re.Match[str]) -> str:
        def swapped(name: re.Match[str]) -> str:
            meant = name[1].replace("''", "'")
            return "'" + self._to_have.get(meant, meant).replace("'", "''") + "'"

        return re.sub(r"'((?:[^']|'')*)'", swapped, line[0])

    def object(self, one: Object) -> Object:
        if self._qualifier is None:
            return one
        return Object(
            one.kind,
            self._path(one.kind, one.path),
            tuple((name, self.text(value)) for name, value in one.attributes),
            (one.follows[0], *self._path(one.follows[0], one.follows[1:])) if one.follows else (),
        )

    def _path(self, kind: str, path: Path) -> Path:
        if kind in WITH_ARGUMENTS:
            path = (*path[:-1], self.text(path[-1]))
        return path if kind in GLOBAL else (self._to_have.get(path[0], path[0]), *path[1:])

    def is_same(self, have: str, want: str) -> bool:
        """Say whether a text of ``have`` and an original text of ``want`` mean the same.

        Looks at them side by side: what looks like a schema's name may be the alias of a table.
        """
        if self._qualifier is None:
            return have == want
        if _PATH_LINE.findall(have) != [_PATH_LINE.sub(self._search_path, line) for line in _PATH_LINE.findall(want)]:
            return False
        ours, theirs = (self._qualifier.split(_PATH_LINE.sub("", text)) for text in (have, want))
        if len(ours) != len(theirs) or ours[::2] != theirs[::2]:
            return False
        for ours_text, theirs_text in zip(ours[1::2], theirs[1::2], strict=True):
            our, their = self._spellings[ours_text], self._spellings[theirs_text]
            if self._to_want.get(our) != their and not (our == their and self._is_alias(our, have, want)):
                return False
        return True

    def _is_alias(self, name: str, *texts: str) -> bool:
        standing_alone = re.compile(rf"""(?<![\w$."]){re.escape(quote(name))}(?![\w$."])""")
        return all(standing_alone.search(text) for text in texts)


def is_beside(difference: Difference, below: Collection[str]) -> bool:
    """Say whether a whole object is there besides what is wanted, and changes nothing of that.

    ``below`` are the tables that inherit from a wanted one (`tables_below`).
    """
    is_whole = difference.want == NOTHING and not difference.attribute
    is_apart = difference.kind not in OF_RELATION and difference.kind != "default privileges"
    return is_whole and is_apart and difference.object not in below


def tables_below(have: Catalog, tables: Collection[Path]) -> frozenset[str]:
    """Names of other tables that inherit from one of these: their rows are read and changed with its own."""
    ours = {qualified(*path) for path in tables}
    return frozenset(
        o.name
        for o in have.objects
        if (o.get("inherits") or o.get("partition of"))
        and o.path not in tables
        and any(
            f"{parent}," in f"{o.get('inherits')}," or o.get("partition of").startswith(f"{parent} ") for parent in ours
        )
    )


def _sides(have: Catalog, want: Catalog, names: _Renaming) -> Sides:
    has = {one.key: one for one in have.objects}
    originals = {}
    wants = {}
    for original in want.objects:
        one = names.object(original)
        wants[one.key] = one
        originals[one.key] = original
    copies: dict[Key, list[Object]] = {}
    for one in wants.values():
        if one.kind == "trigger" and one.follows:
            copies.setdefault(as_key(one.follows), []).append(one)
    absent = {key: one for key, one in wants.items() if key not in has}
    extra = {key: one for key, one in has.items() if key not in wants}
    return Sides(
        has,
        wants,
        originals,
        absent,
        extra,
        _containers(absent),
        _containers(extra),
        _columns(has),
        _columns(wants),
        have.server_version,
        copies,
        min(have.server_version, want.server_version) if have.notes_of_version(want.server_version) else 0,
    )


def _containers(objects: Mapping[Key, Object]) -> frozenset[Path]:
    return frozenset(path for kind, path in objects if kind == "schema" or kind in RELATIONS)


def _columns(objects: Mapping[Key, Object]) -> dict[Path, list[Object]]:
    found: dict[Path, list[Object]] = {}
    for one in objects.values():
        if one.kind == "column" and one.get("position"):
            found.setdefault(one.path[:2], []).append(one)
    for columns in found.values():
        columns.sort(key=lambda column: int(column.get("position")))
    return found


def _is_told_elsewhere(one: Object, group: Mapping[Key, Object], containers: frozenset[Path]) -> bool:
    if one.follows and as_key(one.follows) in group:
        return True
    if one.kind in OF_RELATION and one.path[:2] in containers:
        return True
    if one.kind == "column" and not one.get("type"):
        return True  # by the definition of its view
    return one.kind != "schema" and one.kind not in GLOBAL and one.path[:1] in containers


def _renamed(sides: Sides) -> list[tuple[Object, Object]]:
    """Pair what only ``have`` holds with what only ``want`` holds where nothing but the name differs."""
    candidates: dict[tuple[str, Path, str], list[Object]] = {}
    for one in sides.extra.values():
        if one.kind in ("index", "constraint") and not one.follows:
            candidates.setdefault((one.kind, one.path[:2], one.get("definition")), []).append(one)
    found = []
    for wanted in sides.absent.values():
        if wanted.kind not in ("index", "constraint") or wanted.follows:
            continue
        same = candidates.get((wanted.kind, wanted.path[:2], wanted.get("definition")))
        if same:
            same.sort(key=lambda had: (had.attributes != wanted.attributes, had.path))
            found.append((same.pop(0), wanted))
    return found


def _forget_detached(sides: Sides) -> None:
    """Where a table is a partition on one side only, what it inherits there and owns here is no difference."""
    attached = {
        wanted.path
        for key, wanted in sides.wants.items()
        if wanted.kind in TABLES
        and key in sides.has
        and bool(wanted.get("partition of")) != bool(sides.has[key].get("partition of"))
    }
    candidates: dict[tuple[Path, str, str], list[Key]] = {}
    for key, one in sides.extra.items():
        if one.path[:2] in attached and "definition" in dict(one.attributes):
            candidates.setdefault((one.path[:2], one.kind.split()[-1], one.get("definition")), []).append(key)
    for key, one in list(sides.absent.items()):
        same = candidates.get((one.path[:2], one.kind.split()[-1], one.get("definition")))
        if same and one.kind != sides.extra[same[0]].kind:
            del sides.absent[key], sides.extra[same.pop(0)]


def _column_order(relation: Object, sides: Sides) -> Difference | None:
    # inherited ones stand where the table's own statement and ALTER TABLE … INHERIT put them, one here, one there
    ours = [one.path[2] for one in sides.has_columns.get(relation.path, []) if not one.get("inherited")]
    theirs = [one.path[2] for one in sides.wants_columns.get(relation.path, []) if not one.get("inherited")]
    both = set(ours) & set(theirs)
    had = [name for name in ours if name in both]
    wanted = [name for name in theirs if name in both]
    if had == wanted:
        return None
    have, want = (f"({identifiers(part)})" for part in (had, wanted))
    return Difference(relation.kind, relation.name, "column order", have, want, cosmetic=True)


def _attribute_differences(
    had: Object, wanted: Object, sides: Sides, names: _Renaming
) -> Iterable[tuple[str, Difference]]:
    if had.attributes == wanted.attributes:
        return
    ours, theirs = dict(had.attributes), dict(wanted.attributes)
    originally = dict(sides.originals[wanted.key].attributes)
    for attribute in sorted({*ours, *theirs} - {"position"}):
        have, want = ours.get(attribute), theirs.get(attribute)
        if have == want:
            continue
        if attribute in _ONLY_BESIDE and ours.get(_ONLY_BESIDE[attribute]) != theirs.get(_ONLY_BESIDE[attribute]):
            continue
        if attribute == "not null constraint" and are_chosen(have, want):
            continue
        if attribute == "default" and is_null(have) and is_null(want) and not _is_of_domain(wanted, sides):
            continue
        if attribute == "colocated with" and _neighbours(had, sides, sides.has) == _neighbours(
            wanted, sides, sides.wants
        ):
            continue
        if attribute in _INHERITED and not (have and want):
            continue
        if attribute == "not null inherited" and _is_validated_below(wanted, sides):
            continue
        shown = _show_attribute(had, attribute), _show_attribute(wanted, attribute)
        is_cosmetic = attribute in _COSMETIC or _is_given(wanted, attribute) or _is_of_server(wanted, attribute, sides)
        if have is not None and want is not None:
            one, other = (regular_form(wanted.kind, attribute, text) for text in (have, originally[attribute]))
            if names.is_same(*common_aliases(one, other)):
                continue
            if sides.older_version and differ_in_tables_of_columns(have, want):
                continue
            is_text = wanted.kind in ("function", "procedure") or attribute.endswith(("comment", "comments"))
            if is_text and differ_in_line_ends(have, want):
                shown, is_cosmetic = (line_ends(have), line_ends(want)), True
        mend = mend_attribute(had, wanted, attribute, sides)
        yield (attribute, Difference(wanted.kind, wanted.name, attribute, *made_visible(*shown), mend, is_cosmetic))


def _neighbours(table: Object, sides: Sides, side: Mapping[Key, Object]) -> set[Path]:
    """The tables, distributed alike on both sides, whose shards are placed with this one's: the first is no matter."""

    def first(one: Object) -> str:
        return one.get("colocated with") or one.name

    both = (
        side[key]
        for key, wanted in sides.wants.items()
        if wanted.get("distribution") and key in sides.has and sides.has[key].get("distribution")
    )
    return {one.path for one in both if first(one) == first(table)}


def _is_validated_below(column: Object, sides: Sides) -> bool:
    """Whether a NOT NULL is validated and its parent's is not: pg_dump can only write such a one as the table's own."""
    above = sides.wants.get(as_key(column.follows)) if column.follows else None
    return above is not None and above.get("not null") != column.get("not null")


def _is_of_domain(column: Object, sides: Sides) -> bool:
    """Whether the column's type may have a default of its own."""
    return any(one.kind == "domain" and one.name == column.get("type") for one in sides.wants.values())


def _is_given(one: Object, attribute: str) -> bool:
    if attribute != "comment":
        return False
    return (one.kind, one.path) in _GIVEN_COMMENTS or (one.kind, None) in _GIVEN_COMMENTS


def _is_of_server(one: Object, attribute: str, sides: Sides) -> bool:
    """Whether two major versions make it differ for one and the same statement."""
    if not sides.older_version:
        return False
    is_sequence = (one.kind, attribute) in (("sequence", "persistence"), ("column", "identity persistence"))
    is_older = not versions.UNLOGGED_SEQUENCES.is_in(sides.older_version)
    return (one.kind, attribute) == ("extension", "version") or (is_sequence and is_older)


# What an attribute that is left out means, where that is not simply nothing.
_USUAL = {
    "clustered": "no",
    "enabled": "ENABLED",
    "index valid": "VALID",
    "not null": "NULL",
    "persistence": "PERMANENT",
    "populated": "yes",
    "row security": "DISABLED",
    "row security for owner": "NOT FORCED",
    "replica identity": "DEFAULT",
    "triggers": "all internal triggers ENABLED",
    "valid": "VALID",
    "cycle": "NO CYCLE",
    "distributed": "NOT DISTRIBUTED",
    "distribution": "NOT DISTRIBUTED",
}


def _show_attribute(one: Object, attribute: str) -> str:
    if one.kind.endswith("constraint") and attribute in ("definition", "validated", "enforced"):
        return _show_constraint(one)
    return one.get(attribute) or _USUAL.get(attribute, NOTHING)


def _show_constraint(one: Object) -> str:
    definition = one.get("definition")
    text = definition.removeprefix("FOREIGN KEY ") if definition.startswith("FOREIGN KEY (") else f" {definition}"
    return " ".join(filter(None, (table_of(one) + text, one.get("validated"), one.get("enforced"))))


def _show(one: Object, columns: Mapping[Path, list[Object]]) -> str:
    if one.kind.endswith("constraint"):
        return _show_constraint(one)
    if one.kind == "column":
        return column_definition(one)
    if one.kind in TABLES:
        listed = ", ".join(f"{quote(c.path[2])} {column_definition(c)}" for c in columns.get(one.path, []))
        return f"{one.kind.upper()} {one.name} ({listed})"
    definition = one.get("definition")
    if definition:
        return " ".join(filter(None, (definition, one.get("valid"))))
    known = ", ".join(f"{name} {value}" for name, value in one.attributes if name not in ("comment", "owner"))
    return f"{one.kind.upper()} {one.name}{f' ({known})' if known else ''}"
