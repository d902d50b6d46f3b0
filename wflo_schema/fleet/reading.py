"""The ledgers of all schemas of a database, read together: each costs one row, and equal ones are read once.

Hides how the server says what a ledger records without sending it, and which targets must be looked at by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from psycopg import sql

from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.connect.pipeline import Command, Pipeline, Row, array
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.flaws import flaws, flaws_command
from wflo_schema.engine.kept import Kept, Known
from wflo_schema.engine.ledger import Ledger, Record, read_command, records
from wflo_schema.engine.repeatables import RepeatableEntry
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.repeated import Repeated, Standing

# Schemas that are looked at in one query, and ledgers that are read in one: PostgreSQL locks each of these until it is
# answered, has room for some 6,000 locks, and takes the longer for each the more there are.
_AT_ONCE, _READ_AT_ONCE = 500, 50

# Of fewer schemas each is looked at closely.
_MANY = 50

# Milliseconds that a ledger is waited for which somebody has locked: it is looked at by itself when it is its turn.
_LOCK_TIMEOUT_MS = 300

# The ledger's tables; those that say that a file was begun or a hook is due, and what repeatable files have made.
_NAMES = sorted(name for name in LEDGER_TABLES if name.startswith(("_yoyo_", "_wflo_schema_")))
_HALF_WAY, _REPEATABLE = "_wflo_schema_progress", "_wflo_schema_repeatable"


class Read(NamedTuple):
    """What was read of one target.

    ``known`` is None where it must be looked at by itself: nobody may enter it, it is not there, or it is half-way.
    ``digest`` is equal for equal records in the same order; empty where nothing is recorded.  ``repeatables``: where
    each repeatable file stands, without when it was applied and what it made; None where that is not certain.
    """

    known: Known | None
    digest: str = ""
    repeatables: tuple[RepeatableEntry, ...] | None = None


class _Said(NamedTuple):
    """What a ledger says: when the last was applied, an md5 of what it records, and of repeatable files."""

    after: str | None = None
    digest: str = ""
    standing: Standing = Standing()


class Reader:
    """Reads ledgers of one fleet; what was read of one is used for all that record the same."""

    def __init__(self, migrations: Migrations) -> None:
        self._repeated = Repeated(migrations.repeatables)
        self._records: dict[str, tuple[Record, ...]] = {"": ()}
        """By the digest."""
        self._regular: dict[str, frozenset[str]] = {}
        """By the database."""

    def read(self, kept: Kept, schemas: Sequence[str]) -> Iterator[tuple[str, Read]]:
        """Each schema of this connection's database with what its ledger says.

        Raise `ConnectionLost`; whatever else is wrong with a target is told when that is looked at.
        """
        unrecorded: dict[str, Read] = {}
        rest = iter(schemas)
        while some := list(islice(rest, _AT_ONCE)):
            for schema, one in self._read_some(kept, some).items():
                if one.known is not None and not one.known.records:
                    unrecorded[schema] = one
                else:
                    yield schema, one
        if unrecorded:
            yield from self._empty(kept.pipeline, unrecorded).items()

    @staticmethod
    def _empty(pipeline: Pipeline, unrecorded: Mapping[str, Read]) -> Mapping[str, Read]:
        """Those in which nothing is recorded: known where nothing is in them, either."""
        query = Command(load_sql("fleet", "occupied"), (array(unrecorded), array(_NAMES)), keeps_rows=True)
        outcome = pipeline.exchange([query])
        if outcome.error is not None:
            return dict.fromkeys(unrecorded, Read(None))
        occupied = {schema for (schema,) in outcome.rows[0]}
        return {
            schema: Read(None)
            if schema in occupied or one.known is None
            else one._replace(known=one.known._replace(is_empty=True))
            for schema, one in unrecorded.items()
        }

    def _read_some(self, kept: Kept, schemas: Sequence[str]) -> Mapping[str, Read]:
        """The same; nobody has looked whether there is something where nothing is recorded."""
        found = dict.fromkeys(schemas, Read(None))
        pipeline, ledgers = kept.pipeline, self._ledgers(kept, schemas)
        said = self._ask(pipeline, [one for one in ledgers.values() if one.is_there])
        said |= {schema: _Said() for schema, one in ledgers.items() if not one.is_there}
        repeatables = self._repeated.compare(kept, {schema: one.standing for schema, one in said.items()})
        for schema, one in said.items():
            recorded = self._recorded(pipeline, ledgers[schema], one.digest)
            if recorded or not one.digest:
                known = Known(ledgers[schema], recorded, one.after)
                found[schema] = Read(known, one.digest, repeatables.get(schema))
        return found

    def _ledgers(self, kept: Kept, schemas: Sequence[str]) -> dict[str, Ledger]:
        """What the ledger of each is like; those are left out that must be looked at by themselves.

        Most are as they are made, and told at once for a whole database; the others are looked at more closely.
        """
        whole = replace(
            kept.session,
            is_there=True,
            has_checksums=True,
            has_log=True,
            has_schema=True,
            own=frozenset(),
            has_triggers=False,
            has_log_rows=False,
        )
        regular = self._regular_of(kept) if len(schemas) >= _MANY else frozenset()
        found = {schema: replace(whole, schema=schema) for schema in schemas if schema in regular}
        odd = [schema for schema in schemas if schema not in regular]
        query = Command(load_sql("fleet", "ledgers"), (array(odd), array(_NAMES)), keeps_rows=True)
        outcome = kept.pipeline.exchange([Command("SET LOCAL jit = off"), query] if odd else [])
        for row in outcome.rows[1] if len(outcome.rows) > 1 else ():
            schema, has_schema, is_there, columns, has_sums, has_log, has_log_rows, has_triggers, own, may_read = row
            tables = frozenset((own or "").split())
            is_other = is_there != "t" and columns != "0"
            if has_schema != "t" or may_read != "t" or is_other or (tables and is_there != "t"):
                continue
            found[schema or ""] = replace(
                kept.session,
                schema=schema or "",
                is_there=is_there == "t",
                has_checksums=has_sums == "t",
                has_log=has_log == "t",
                has_schema=True,
                own=tables,
                has_triggers=has_triggers == "t",
                has_log_rows=has_log_rows == "t",
            )
        return found

    def _regular_of(self, kept: Kept) -> frozenset[str]:
        """The schemas of its database whose ledgers are as they are made."""
        if (found := self._regular.get(kept.label)) is None:
            query = Command(load_sql("fleet", "regular_ledgers"), (array(_NAMES),), keeps_rows=True)
            outcome = kept.pipeline.exchange([Command("SET LOCAL jit = off"), query])
            rows = outcome.rows[1] if outcome.error is None else ()
            found = self._regular[kept.label] = frozenset(schema or "" for (schema,) in rows)
        return found

    def _ask(self, pipeline: Pipeline, ledgers: Sequence[Ledger], *, at_once: int = _READ_AT_ONCE) -> dict[str, _Said]:
        """What each ledger says; nothing of those that cannot be read, and of those that are half-way."""
        some = [ledgers[at : at + at_once] for at in range(0, len(ledgers), at_once)]
        for of_one in some:
            pipeline.send(self._questions(of_one))
        found: dict[str, _Said] = {}
        failed: list[Ledger] = []
        for of_one in some:
            outcome = pipeline.receive()
            if outcome.error is None:
                recorded, repeated, half_way = outcome.rows[-3:]
                standing = {number: Standing.of(*rest) for number, *rest in repeated}
                began = {number for (number,) in half_way}
                found.update(
                    (of_one[int(n or 0)].schema, _Said(at, digest or "", standing.get(n, Standing())))
                    for n, at, digest in recorded
                    if n not in began
                )
            elif len(of_one) > 1:  # one of them is locked, or gone
                failed += of_one
        if failed:
            found |= self._ask(pipeline, failed, at_once=1)
        return found

    def _questions(self, ledgers: Sequence[Ledger]) -> list[Command]:
        """Ask what each records; then what may have come with that: what repeatable files made, what is half-way."""
        numbered = list(enumerate(ledgers))
        half_way = [(n, one) for n, one in numbered if _HALF_WAY in one.own]
        repeated = [(n, one) for n, one in numbered if _REPEATABLE in one.own]
        return [
            Command(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"),
            Command("SET LOCAL jit = off"),
            _digests(ledgers),
            _of_each("repeated", repeated, array(self._repeated.with_variables)),
            _of_each("half_way", half_way),
        ]

    def _recorded(self, pipeline: Pipeline, ledger: Ledger, digest: str) -> tuple[Record, ...]:
        """The records of this digest; none where this ledger, which had it, has changed since."""
        if digest not in self._records:
            outcome = pipeline.exchange(
                [
                    Command("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
                    Command(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"),
                    _digests([ledger]),
                    read_command(ledger),
                ]
            )
            if outcome.error is not None or outcome.rows[2][0][2] != digest:
                return ()
            self._records[digest] = records(outcome.rows[3])
        return self._records[digest]

    def flawed(self, kept: Kept, known: Mapping[str, Known]) -> dict[str, Known]:
        """The same by schema, with what keeps each ledger's tables from doing their part."""
        found = dict(known)
        rest = iter(known)
        while some := list(islice(rest, _AT_ONCE)):
            rows = kept.pipeline.exchange([Command("SET LOCAL jit = off"), flaws_command(*some)]).rows
            of_schema: dict[str, list[Row]] = {}
            for row in rows[1] if len(rows) > 1 else ():
                of_schema.setdefault(row[0] or "", []).append(row)
            for schema, of_one in of_schema.items():
                if told := flaws(of_one):
                    found[schema] = known[schema]._replace(ledger=replace(known[schema].ledger, flaws=told))
        return found


def _digests(ledgers: Sequence[Ledger]) -> Command:
    """Ask each what it records."""
    has_checksums = array("t" if one.has_checksums else "f" for one in ledgers)
    return Command(
        load_sql("fleet", "recorded"), (array(one.schema for one in ledgers), has_checksums), keeps_rows=True
    )


def _of_each(name: str, ledgers: Sequence[tuple[int, Ledger]], *parameters: str) -> Command:
    """One query for all of these ledgers; no row where there are none."""
    if not ledgers:
        return Command("SELECT WHERE FALSE", keeps_rows=True)
    query = sql.SQL("".join(line for line in load_sql("fleet", name).splitlines(True) if not line.startswith("--")))
    asked = (
        query.format(
            number=sql.Literal(number),
            schema=sql.Identifier(one.schema),
        ).as_string()
        for number, one in ledgers
    )
    return Command("\nUNION ALL\n".join(asked), parameters, keeps_rows=True)
