"""What the ledger knows of repeatable files: the texts that they had, what these made, and where each file stands.

Hides the table ``_wflo_schema_repeatable``.  A file's row with the highest number is what stands; the others are
the texts before it, which a rollback puts back.
"""

from __future__ import annotations

import enum
import functools
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import sql

from wflo_schema.connect.pipeline import Command, Pipeline, array
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.ledger import Ledger, no_longer, raise_refused
from wflo_schema.errors import DatabaseError
from wflo_schema.files.folder import Migration
from wflo_schema.files.listing import REPEATABLE
from wflo_schema.names import NAME, bare_name

TABLE = "_wflo_schema_repeatable"

# How PostgreSQL identifies what belongs to a relation, such as a trigger, and what is in a schema.
_OF_RELATION = re.compile(rf"{NAME} on (?P<schema>{NAME})\.(?P<relation>{NAME})\Z")
_IN_SCHEMA = re.compile(rf"(?P<schema>{NAME})\.")
# The lines of a query that say where to look, and of these the conditions.
_PLACES = re.compile(r"^.* -- places\n", re.MULTILINE)
_IN_PLACE = re.compile(r"^        AND ((\w)\..*) -- places$", re.MULTILINE)
# Not by a transaction that began before this one: what this one changed is all of it in there.
_OF_LATE = r"        AND (\1 OR pg_catalog.age(\2.xmin) OPERATOR(pg_catalog.<=) 0)"


class Place(NamedTuple):
    """Where something is: in a schema, and where it belongs to a relation of that, such as a trigger, in this."""

    schema: str = ""
    relation: str = ""


class Thing(NamedTuple):
    """Something that a file makes, as PostgreSQL identifies it (``pg_identify_object``), with the name in it."""

    type: str
    identity: str
    name: str

    @property
    def where(self) -> Place:
        """Where it is."""
        return place_of(self.identity)


class Kept(NamedTuple):
    """A statement that gives a thing again what CREATE does not say: an owner, a grant, a comment, an index.

    ``column``: it is about that column; ``part``: it makes the index, trigger or rule of that name.
    """

    type: str
    identity: str
    what: str
    column: str
    part: str
    statement: str


class Text(NamedTuple):
    """A text that a repeatable file had when it was applied.

    ``made``: what it has made; ``position``: its place in the order in which all are made; ``after``: the hash of
    the last migration that was applied then.  ``is_down``: what it made is not there, because a migration had to
    take it away; ``kept`` is then what must be given to it again.
    """

    id: str
    number: int
    checksum: str
    content: str
    made: tuple[Thing, ...]
    position: int
    after: str
    is_down: bool
    kept: tuple[Kept, ...]
    applied_at: str


class RepeatableState(enum.StrEnum):
    """Where a repeatable file stands."""

    APPLIED = "applied"
    """Its text was applied, and what it made is there."""
    PENDING = "pending"
    """It was never applied."""
    EDITED = "edited"
    """Its text changed since: it will be applied again."""
    GONE = "gone"
    """What it made is not there any more: it will be applied again."""
    DELETED = "deleted"
    """The file is gone; what it made stays until somebody asks to drop it."""


@dataclass(frozen=True, slots=True)
class RepeatableEntry:
    """One repeatable file and its state.  ``applied_at`` is UTC in ISO 8601; ``made`` are types and identities."""

    id: str
    state: RepeatableState
    path: str | None = None
    applied_at: str | None = None
    made: tuple[str, ...] = ()


def read_texts(pipeline: Pipeline, ledger: Ledger, lock_timeout_ms: int | None = None) -> dict[str, list[Text]]:
    """The texts of each file, the last of which stands.  Raise as `read_ledger` does."""
    if TABLE not in ledger.own:
        return {}
    query = sql.SQL(load_sql("engine", "repeatable_read")).format(schema=sql.Identifier(ledger.schema)).as_string()
    outcome = pipeline.exchange([*no_longer(lock_timeout_ms), Command(query, keeps_rows=True)])
    if outcome.error:
        raise_refused(outcome.error, "reading which repeatable files were applied", ledger, pipeline)
    found: dict[str, list[Text]] = {}
    for row in outcome.rows[-1]:
        id_, number, checksum, content, made, position, after, is_down, kept, at = (value or "" for value in row)
        things = tuple(Thing(*one) for one in json.loads(made))
        back = tuple(Kept(*one) for one in json.loads(kept))
        text = Text(id_, int(number), checksum, content, things, int(position), after, is_down == "t", back, at)
        found.setdefault(id_, []).append(text)
    return found


def write_command(ledger: Ledger, text: Text) -> Command:
    """Record a text, or what is known now of one that is recorded."""
    query = sql.SQL(load_sql("engine", "repeatable_write")).format(schema=sql.Identifier(ledger.schema)).as_string()
    values = (
        text.id,
        str(text.number),
        text.checksum,
        text.content,
        json.dumps(text.made),
        str(text.position),
        text.after,
        "t" if text.is_down else "f",
        json.dumps(text.kept),
    )
    return Command(query, values)


def forget_command(ledger: Ledger, id: str, *, beyond: int = 0) -> Command:
    """Forget the texts of a file, those with a number greater than ``beyond``."""
    table = sql.Identifier(ledger.schema, TABLE).as_string()
    return Command(
        f"DELETE FROM {table} WHERE repeatable_id OPERATOR(pg_catalog.=) $1::text "
        "AND number OPERATOR(pg_catalog.>) $2::integer",
        (id, str(beyond)),
    )


def lock_command(ledger: Ledger) -> Command:
    """Keep every other run from applying repeatable files until this transaction ends."""
    return Command(f"LOCK TABLE {sql.Identifier(ledger.schema, TABLE).as_string()} IN SHARE ROW EXCLUSIVE MODE")


def existing(pipeline: Pipeline, texts: Mapping[str, Sequence[Text]]) -> frozenset[tuple[str, str]]:
    """Of what the standing texts made: types and identities of what is there."""
    things = [thing for of_one in texts.values() for thing in of_one[-1].made]
    names = sorted({thing.name for thing in things})
    there = named(pipeline, names, {thing.where for thing in things}) if names else ()
    return frozenset((t.type, t.identity) for t in there)


class Named(NamedTuple):
    """Something that bears a name: what `Thing` says, where it is in the catalogs, and a relation's columns.

    ``version``: another one once it was changed or made anew; ``is_ours``: that was done in this transaction.
    ``is_near``: what is made by a bare name comes into its ``schema``.
    """

    classid: str
    objid: str
    type: str
    identity: str
    name: str
    version: str
    shape: str
    is_ours: bool
    schema: str
    is_near: bool

    @property
    def key(self) -> tuple[str, str]:
        """What it is, for PostgreSQL and for us."""
        return self.type, self.identity

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Where it is in the catalogs, and what it is."""
        return self.classid, self.objid, self.type, self.identity

    @property
    def thing(self) -> Thing:
        """The same without where it is today."""
        return Thing(self.type, self.identity, self.name)


def place_of(identity: str) -> Place:
    """Where it is what PostgreSQL identifies so; nowhere in particular what belongs to the whole database."""
    found = _OF_RELATION.match(identity)
    if found is not None:
        return Place(bare_name(found["schema"]), bare_name(found["relation"]))
    found = _IN_SCHEMA.match(identity)
    return Place() if found is None else Place(bare_name(found["schema"]))


def named(pipeline: Pipeline, names: Iterable[str], places: Collection[Place] | None = None) -> tuple[Named, ...]:
    """What bears one of these names and may be made by a repeatable file: in these places, or in the whole database.

    Raise `DatabaseError`.
    """
    outcome = pipeline.exchange([named_command(names, places)])
    if outcome.error:
        raise DatabaseError(
            f"PostgreSQL refused while looking for what repeatable files made: {outcome.error.message}",
            sqlstate=outcome.error.sqlstate,
        )
    return named_of(outcome.rows[0])


def named_command(
    names: Iterable[str], places: Collection[Place] | None = None, *, or_ours: bool = False, is_kept: bool = False
) -> Command:
    """Ask for the same.  Schemas to which a bare name leads are looked at besides ``places``.

    The whole database holds the same names as many times as it has tenants.  ``or_ours``: ask as well for what this
    transaction made or changed, wherever that is.
    """
    if places is None:
        return Command(named_everywhere(), (array(names),), keeps_rows=True, is_kept=is_kept)
    where = (array(sorted({one[part] for one in places if one[part]})) for part in (0, 1))
    text = _named_or_ours() if or_ours else load_sql("engine", "things_named")
    return Command(text, (array(names), *where), keeps_rows=True, is_kept=is_kept)


@functools.cache
def named_everywhere() -> str:
    """The query for what bears one of some names ($1), wherever it is."""
    return _PLACES.sub("", load_sql("engine", "things_named"))


@functools.cache
def _named_or_ours() -> str:
    before, end, conditions = load_sql("engine", "things_named").partition("\n) -- places\n")
    return f"{before}{end}{_IN_PLACE.sub(_OF_LATE, conditions)}"


def named_of(rows: Iterable[Sequence[str | None]]) -> tuple[Named, ...]:
    """What was answered."""
    found = (tuple(value or "" for value in row) for row in rows)
    return tuple(
        Named(classid, objid, type_, identity, name, version, shape, is_ours == "t", schema, is_near == "t")
        for classid, objid, type_, identity, name, version, shape, is_ours, schema, is_near in found
    )


def compare_repeatables(
    files: Sequence[Migration], texts: Mapping[str, Sequence[Text]], there: Collection[tuple[str, str]]
) -> tuple[RepeatableEntry, ...]:
    """Where every repeatable file stands, those that are gone included, by id."""
    entries = []
    for m in files:
        last = texts[m.id][-1] if m.id in texts else None
        if last is None:
            entries.append(RepeatableEntry(m.id, RepeatableState.PENDING, m.path))
            continue
        is_there = not last.is_down and all((t.type, t.identity) in there for t in last.made)
        state = RepeatableState.APPLIED if is_there else RepeatableState.GONE
        state = state if is_text_of(m, last) else RepeatableState.EDITED
        entries.append(RepeatableEntry(m.id, state, m.path, last.applied_at, _said(last)))
    known = {m.id for m in files}
    for id_, of_one in texts.items():
        if id_ not in known:
            last = of_one[-1]
            entries.append(RepeatableEntry(id_, RepeatableState.DELETED, None, last.applied_at, _said(last)))
    return tuple(sorted(entries, key=lambda e: e.id))


def repeatable_id(wish: str) -> str | None:
    """The id of a repeatable file that is named by its id or its path; None where it is another's."""
    parts = wish.removesuffix(".sql").replace(os.sep, "/").split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 and parts[-2] == REPEATABLE else None


def is_text_of(m: Migration, text: Text) -> bool:
    """Is it what the file says today, with the values of today, as far as they are known?"""
    if text.checksum != m.checksum or not m.values or m.unset:
        return text.checksum == m.checksum
    from wflo_schema.files.folder import load_script

    return load_script(m).source == text.content.encode()


def _said(text: Text) -> tuple[str, ...]:
    return tuple(f"{thing.type} {thing.identity}" for thing in text.made)
