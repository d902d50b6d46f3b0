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
from wflo_schema.engine.ledger import Ledger, Record, read_ledger
from wflo_schema.errors import DatabaseError

# Ledgers that are read in one query: PostgreSQL locks each until it is answered, and has room for some 6,000 locks.
_AT_ONCE = 200

# Milliseconds that a ledger is waited for which somebody has locked: it is looked at by itself when it is its turn.
_LOCK_TIMEOUT_MS = 300

# The ledger's tables that yoyo has, and those that make a target one to be looked at by itself: a file was begun or a
# hook is due, or repeatable files were applied.
_NAMES = sorted(name for name in LEDGER_TABLES if name.startswith(("_yoyo_", "_wflo_schema_")))
_ALONE = frozenset({"_wflo_schema_progress", "_wflo_schema_repeatable"})


class Read(NamedTuple):
    """What was read of one target.

    ``known`` is None where it must be looked at by itself: nobody may enter it, it is not there, or it is half-way.
    ``digest`` is equal for equal records in the same order; empty where nothing is recorded.
    """

    known: Known | None
    digest: str = ""


class Reader:
    """Reads ledgers of one fleet; what was read of one is used for all that record the same."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[Record, ...]] = {"": ()}
        """By the digest."""

    def read(self, kept: Kept, schemas: Sequence[str]) -> Iterator[tuple[str, Read]]:
        """Each schema of this connection's database with what its ledger says.

        Raise `ConnectionLost`; whatever else is wrong with a target is told when that is looked at.
        """
        rest = iter(schemas)
        while some := list(islice(rest, _AT_ONCE)):
            yield from self._read_some(kept.pipeline, kept.session, some).items()

    def _read_some(self, pipeline: Pipeline, base: Ledger, schemas: Sequence[str]) -> Mapping[str, Read]:
        found = dict.fromkeys(schemas, Read(None))
        query = Command(load_sql("fleet", "ledgers"), (array(schemas), array(_NAMES)), keeps_rows=True)
        outcome = pipeline.exchange([Command("SET LOCAL jit = off"), query])
        if outcome.error is not None:
            return found
        ledgers: dict[str, Ledger] = {}
        empty: set[str] = set()
        for row in outcome.rows[1]:
            schema, has_schema, is_there, columns, has_checksums, has_log, has_log_rows, has_triggers, own, *rest = row
            is_readable, is_empty = rest
            assert schema is not None
            if has_schema != "t" or is_readable != "t" or (is_there != "t" and columns != "0"):
                continue
            tables = frozenset((own or "").split())
            if tables & _ALONE:
                continue
            ledgers[schema] = replace(
                base,
                schema=schema,
                is_there=is_there == "t",
                has_checksums=has_checksums == "t",
                has_log=has_log == "t",
                has_schema=True,
                own=tables,
                has_triggers=has_triggers == "t",
                has_log_rows=has_log_rows == "t",
            )
            if is_empty == "t":
                empty.add(schema)
        digests = self._digests(pipeline, [one for one in ledgers.values() if one.is_there])
        for schema, ledger in ledgers.items():
            number, after, digest = digests.get(schema, ("0", None, "")) if ledger.is_there else ("0", None, "")
            if ledger.is_there and schema not in digests:
                continue
            digest = digest if number != "0" else ""
            records = self._recorded(pipeline, ledger, digest)
            if records or schema in empty:
                found[schema] = Read(Known(ledger, records, after, schema in empty), digest)
        return found

    def _digests(self, pipeline: Pipeline, ledgers: Sequence[Ledger]) -> dict[str, tuple[str, str | None, str]]:
        """Of each ledger how much it records, when the last was applied, and an md5; of none that cannot be read."""
        if not ledgers:
            return {}
        query = sql.SQL(load_sql("fleet", "recorded").partition("\n")[2])
        asked = (
            query.format(
                number=sql.Literal(number),
                schema=sql.Identifier(one.schema),
                checksum=sql.SQL("m.checksum" if one.has_checksums else "NULL"),
            ).as_string()
            for number, one in enumerate(ledgers)
        )
        text = "\nUNION ALL\n".join(asked)
        wait = Command(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
        outcome = pipeline.exchange([wait, Command("SET LOCAL jit = off"), Command(text, keeps_rows=True)])
        if outcome.error is None:
            return {
                ledgers[int(number or 0)].schema: ("" if digest else "0", after, digest or "")
                for number, after, digest in outcome.rows[2]
            }
        if len(ledgers) == 1:
            return {}
        half = len(ledgers) // 2  # one of them is locked, or gone
        return self._digests(pipeline, ledgers[:half]) | self._digests(pipeline, ledgers[half:])

    def _recorded(self, pipeline: Pipeline, ledger: Ledger, digest: str) -> tuple[Record, ...]:
        found = self._records.get(digest)
        if found is None:
            try:
                found = read_ledger(pipeline, ledger, lock_timeout_ms=_LOCK_TIMEOUT_MS).records
            except DatabaseError:
                return ()
            self._records[digest] = found
        return found

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
                found[schema] = known[schema]._replace(ledger=replace(known[schema].ledger, flaws=flaws(of_one)))
        return found
