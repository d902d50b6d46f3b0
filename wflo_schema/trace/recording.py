"""Runs `migrate` in a scratch database that stands for the target, to know what it would send there.

Hides how a scratch database gets the target's ledger, owners and grants, and how it is known to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING, Difference
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import PATIENT, Database, database_error
from wflo_schema.connect.pipeline import Command
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations as engine
from wflo_schema.engine.ledger import Ledger, create_ledger, create_own
from wflo_schema.engine.recording import Recorder, Unit, giving, read_made
from wflo_schema.engine.running import Run
from wflo_schema.errors import Refused
from wflo_schema.files.folder import Migrations
from wflo_schema.scratch.replay import ScratchOptions, as_in_target, lead_to_the_same_schema, scratch_database
from wflo_schema.trace.start import fill
from wflo_schema.words import listed

# Differences that are named where there are many.
_NAMED = 3

_OPENING = ("BEGIN", "SET LOCAL check_function_bodies = off", "SET LOCAL search_path = ''")


def record(
    database: Database, migrations: Migrations, *, scratch: ScratchOptions | None = None, **options: Any
) -> Mapping[str, Unit]:
    """What `migrate` would send to ``database``, with these ``options`` of its own.  Writes nothing there.

    Raise `Refused` where the target cannot be made again in a scratch database, and as `engine.migrate` does.
    """
    with scratch_database(database, scratch=scratch) as empty:
        _make_the_same(database, empty, scratch)
        recorder = Recorder()
        engine.migrate(empty, migrations, **options, runs_in=recorder.watch())
        return recorder.units


def _make_the_same(database: Database, empty: Database, scratch: ScratchOptions | None) -> None:
    """Make the target again.  Raise `Refused` where it is not the same in all on which it depends what is sent."""
    lead_to_the_same_schema(database, empty, (scratch and scratch.on) or database)
    fill(database, empty)
    with Run.on(database, settings=PATIENT) as run, Run.on(empty) as other:
        here, there = _session_of(run), _session_of(other)
        if here != there:
            raise _cannot(database, f"its sessions have {listed(here)}, and those there {listed(there)}")
        names = [t.name for of_one in run.read_texts().values() for t in of_one[-1].made]
        mends = [d.mend for d in _differences(database, empty) if d.mend]
        error = other.pipeline.exchange(
            Command(text) for text in (*_OPENING, *mends, *_given(run, other, names), "COMMIT", "DISCARD ALL")
        ).error
        if error is not None:
            raise _cannot(database, error.message)
        some = [
            f"{d.kind} {d.object}{f' ({d.attribute})' if d.attribute else ''}" for d in _differences(database, empty)
        ]
        if some:
            raise _cannot(database, f"it differs in {listed(some[:_NAMED], len(some))}")
        if read_made(run, names) != read_made(other, names):
            raise _cannot(database, "what repeatable files made differs there in its columns, grants or comments")
        if run.ledger.is_there:
            _copy_ledger(run, other)


def _given(run: Run, other: Run, names: Sequence[str]) -> list[str]:
    """The statements that give the other database owners, grants and default privileges of this one."""
    defaults = run.must([Command(load_sql("trace", "default_privileges"), keeps_rows=True)]).rows[-1]
    return [*giving(run, other, names), *(row[0] or "" for row in defaults)]


def _cannot(database: Database, why: str) -> Refused:
    return Refused(
        f"what {database.label} holds cannot be made the same in a scratch database: {why}",
        hint="name another server for the scratch databases: --scratch-url URL",
    )


def _session_of(run: Run) -> tuple[str, ...]:
    """On what it depends what is sent, besides the catalog."""
    ledger = run.ledger
    return (
        f"PostgreSQL {ledger.server_version.split('.')[0]}",
        f"role {ledger.role}",
        f"search_path {ledger.path}",
        f"schema {ledger.schema}",
        f"standard_conforming_strings {'off' if run.pipeline.reads_backslashes else 'on'}",
    )


def _differences(database: Database, empty: Database) -> list[Difference]:
    """In what the scratch database is not the target, rights included."""
    with database.connect(settings=PATIENT) as one, empty.connect() as other:
        want = read_catalog(one, privileges=True, apart=database.ledger_apart)
        have = as_in_target(empty, read_catalog(other, privileges=True, apart=database.ledger_apart))
    return [
        d
        for d in compare_catalogs(have, want)
        # a schema that is not there yet is made by the run; whose things are, and grants, are looked at by themselves
        if not d.cosmetic
        and d.kind not in ("database", "default privileges")
        and d.attribute not in ("owner", "privileges")
        and not (d.kind == "schema" and d.want == NOTHING)
    ]


def _copy_ledger(run: Run, other: Run) -> None:
    """Give the scratch database the same rows.  Raise `DatabaseError`."""
    ledger = create_ledger(other.pipeline, other.ledger)
    tables = ["_yoyo_migration"]
    for name in ("repeatable", "progress", "variable"):
        if f"_wflo_schema_{name}" in run.ledger.own:
            ledger = create_own(other.pipeline, ledger, f"{name}_create")
            tables.append(f"_wflo_schema_{name}")
    try:
        with run.database.connect(settings=PATIENT) as one, other.database.connect() as connection:
            for table in tables:
                _copy(one, connection, run.ledger, table)
    except psycopg.Error as error:
        raise database_error(error, "copying the ledger to a scratch database") from error


def _copy(one: psycopg.Connection[Any], other: psycopg.Connection[Any], ledger: Ledger, table: str) -> None:
    name = sql.Identifier(ledger.schema, table)
    rows = one.execute(sql.SQL("SELECT pg_catalog.to_jsonb(t)::text FROM {} AS t").format(name)).fetchall()
    with other.cursor() as cursor:
        insert = sql.SQL(
            "INSERT INTO {0} SELECT (pg_catalog.jsonb_populate_record(NULL::{0}, %s::pg_catalog.jsonb)).*"
        ).format(name)
        cursor.executemany(insert, rows)
