"""What repeatable files make is theirs: it is left out of a migration, and told beside it where somebody changed it.

Hides how it is known of an object which file makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from wflo_schema.catalog.changing import Statement
from wflo_schema.catalog.mend import ABSENT
from wflo_schema.catalog.objects import OF_RELATION, TABLES, VIEWS, Catalog, Key, Object, table_of
from wflo_schema.catalog.order import mentions, token
from wflo_schema.engine.repeatables import RepeatableEntry
from wflo_schema.files.creations import creations
from wflo_schema.files.folder import Migrations, load_script
from wflo_schema.names import qualified, quote

# Of these no repeatable file makes any, or it belongs to something else.
_NEVER = TABLES | {"schema", "extension", "column", "constraint", "sequence"}


@dataclass(frozen=True, slots=True)
class Edit:
    """What is wanted of an object that a repeatable file makes, and how that file is to make it.

    ``path`` is empty where no file makes it yet, but it needs something that one makes.  ``failure``: what PostgreSQL
    says to the file as it is, behind the migration.
    """

    path: str
    object: str
    text: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """Which repeatable file makes what: ``paths`` by key, ``names`` by the names that the files say."""

    paths: Mapping[Key, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def without(self, want: Catalog, have: Catalog) -> Catalog:
        """The catalog without what the files make; what migrations made before is as they made it."""
        objects = [have.find(o.kind, *o.path) if o.key in self.paths else o for o in want.objects]
        return replace(want, objects=tuple(o for o in objects if o is not None))

    def edits(self, statements: Sequence[Statement], failures: Mapping[str, str]) -> tuple[Edit, ...]:
        """What is to be done to the files, of the statements that lead from what they make to what is wanted."""
        found = []
        for one in statements:
            path = self.paths.get(one.key, self.names.get(_name(one.key), ""))
            found.append(Edit(path, f"{one.kind} {one.object}", one.text, failures.get(path, "")))
        return tuple(found)


def owned(files: Migrations, entries: Sequence[RepeatableEntry], have: Catalog, want: Catalog) -> Owned:
    """What the repeatable files make of what is wanted; ``entries`` say what they have made there."""
    names = {c.name: m.path for m in files.repeatables for c in creations(load_script(m))}
    # of a file that was deleted all stays that it made, until somebody drops it
    made = {said.replace(", ", ","): e.path or f"{e.id}.sql (deleted)" for e in entries for said in e.made}
    known = {o.key for o in have.objects}
    paths: dict[Key, str] = {}
    for one in want.objects:
        if one.kind not in _NEVER:
            path = made.get(_identity(one))
            if path is None and one.key not in known:
                path = names.get(_name(one.key))
            if path is not None:
                paths[one.key] = path
    _add_parts(paths, want)
    _add_dependents(paths, want, known)
    return Owned(paths, names)


def _identity(one: Object) -> str:
    """As `pg_identify_object` says it."""
    if one.kind == "index":
        return f"index {qualified(one.path[0], one.path[2])}"
    if one.kind in OF_RELATION:
        return f"{one.kind} {quote(one.path[2])} on {table_of(one)}"
    return f"{'type' if one.kind == 'domain' else one.kind} {one.name}".replace(", ", ",")


def _name(key: Key) -> str:
    kind, path = key
    if kind in ("function", "procedure", "aggregate"):
        return path[1]
    return path[-1]


def _add_parts(paths: dict[Key, str], want: Catalog) -> None:
    views = {key[1]: path for key, path in paths.items() if key[0] in VIEWS}
    for one in want.objects:
        if one.kind in OF_RELATION and one.path[:2] in views:
            paths.setdefault(one.key, views[one.path[:2]])


def _add_dependents(paths: dict[Key, str], want: Catalog, known: set[Key]) -> None:
    """What is new and needs what a file makes can only be made behind it."""
    new = [o for o in want.objects if o.key not in known and o.kind not in _NEVER]
    while True:
        tokens = {token(o) for o in want.objects if o.key in paths and o.kind not in OF_RELATION}
        more = [o for o in new if o.key not in paths and mentions(o, ABSENT) & tokens]
        if not more:
            return
        paths.update((o.key, "") for o in more)
        _add_parts(paths, want)


def failing(files: Migrations, said: str) -> str:
    """The path of the repeatable file that a message is about, empty where it is about none."""
    about = [m for m in files.repeatables if m.id in said]
    return max(about, key=lambda m: len(m.id)).path if about else ""


def without_file(files: Migrations, path: str) -> Migrations:
    """The same without one repeatable file."""
    return replace(files, repeatables=tuple(m for m in files.repeatables if m.path != path))
