"""The ledger: yoyo's tables, which record what was applied, and one of ours for progress.

Hides their SQL.  yoyo 9 makes ``_yoyo_migration``, ``_yoyo_log`` and ``_yoyo_version`` and finds
them by these names; a nullable ``checksum`` column is all that is added to them, so that plain
``yoyo list``, ``apply`` and ``rollback`` keep working.  A row that yoyo wrote has no checksum, and
a row that yoyo removed takes its checksum with it.  ``_wflo_schema_progress`` exists only once a
non-transactional migration has begun.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.connect.pipeline import BEGIN, COMMIT, ROLLBACK, Command, Pipeline, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.distributed import block, making_schema, sealing_block
from wflo_schema.engine.flaws import Flaw, Grant, flaws, flaws_command, grants, grants_command, readers_command
from wflo_schema.engine.remedies import ledger_remedy
from wflo_schema.errors import CannotRead, DatabaseError, Refused
from wflo_schema.files.folder import Migration, migration_hash
from wflo_schema.names import quote, quote_always
from wflo_schema.words import release

if TYPE_CHECKING:
    from wflo_schema.files.script import Statement

_YOYO_COLUMNS = ("migration_hash", "migration_id", "applied_at_utc")

# Tables of the ledger that yoyo has not; each is made when it is first needed.
OWN_TABLES = tuple(sorted(name for name in LEDGER_TABLES if name.startswith("_wflo_schema_")))

# All of its tables, whether they are there or not.
_TABLES = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", *OWN_TABLES)

# First of the two keys of every advisory lock taken here ("wflo" in ASCII); the second is made of
# the ledger's schema.
LOCK_SPACE = 0x77666C6F

# Texts of queries that are kept: a run over many schemas has some for each.
_CACHED = 512

# What a look at the ledger ends with, in the same statement.
_END_OF_WRITING = (
    ",\n    pg_catalog.set_config('transaction_read_only', {}, TRUE) AS is_read_only"
    ",\n    pg_catalog.set_config('synchronous_commit', 'off', TRUE) AS synchronous_commit"
)

# Stands for the checksum of a row that an adoption set aside: it belongs to other files, so it does not
# count as missing here.  The row stays for plain yoyo and the folder it came from.
_BESIDE = "beside"


# The operations of a row of progress that says of a hook that it is to be run, still, or that it was run.
DUE, RAN = "due", "ran"


class Record(NamedTuple):
    """One row of the ledger.  ``checksum`` is None where plain yoyo wrote it.

    ``is_beside``: an adoption set it aside, because it belongs to other files.
    """

    hash: str
    id: str
    applied_at: str
    checksum: str | None
    is_beside: bool = False


class Progress(NamedTuple):
    """How far a non-transactional migration has come: ``statements_done`` from the beginning.

    ``running_statement`` is the one that was under way when the record was written, if any.
    """

    hash: str
    id: str
    operation: str
    statements_done: int
    done_checksum: str
    running_statement: str | None
    running_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the ledger of a target is, and what the session that looked for it is like."""

    schema: str
    is_there: bool
    has_checksums: bool
    has_log: bool
    has_schema: bool
    own: frozenset[str]
    """Which of `OWN_TABLES` are there."""
    is_standby: bool
    backend_pid: int
    server_version: str
    role: str
    has_triggers: bool = False
    """A trigger or a rule on the ledger may keep a row from being written."""
    elsewhere: tuple[str, ...] = ()
    """Other schemas that have a ledger which this role may read."""
    path: str = ""
    """The session's search_path, as it began."""
    synchronous_commit: str = "on"
    """The setting that the session began with."""
    has_log_rows: bool = False
    """The table of progress counts log rows; one of an earlier version does not."""
    has_event_triggers: bool = False
    """Any statement may run a function of theirs."""
    flaws: tuple[Flaw, ...] = ()
    """Why its key is no lock, where it is not."""
    lacks: str = ""
    """The schema of the tables, where that is another one and not there."""
    has_citus: bool = False
    """This is a Citus coordinator, or one of its workers: the ledger's tables may be distributed."""
    is_apart: bool = False
    """It is, or will be, in a schema of its own."""
    is_of_fleet: bool = False
    """Its schema is one of many: where it is made on Citus, it is a tenant's, whose tables are distributed."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of all its tables, whether they are there or not."""
        return _TABLES

    @property
    def has_progress(self) -> bool:
        """Has a non-transactional migration ever begun?"""
        return "_wflo_schema_progress" in self.own

    def grant(self, privileges: str) -> str:
        """The statements that give the role of this run what it needs on those tables that are there."""
        there = ("_yoyo_migration", *(("_yoyo_log",) if self.has_log else ()), *sorted(self.own))
        schema, role = quote(self.schema), quote_always(self.role)
        tables = ", ".join(f"{schema}.{table}" for table in there)
        return f"GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT {privileges} ON {tables} TO {role};"

    @property
    def is_complete(self) -> bool:
        """True when a migration can be run and recorded without changing a table or making a schema first."""
        return self.is_there and self.has_checksums and self.has_log and not self.lacks

    @property
    def lock_keys(self) -> tuple[str, str]:
        """The advisory lock that a non-transactional run holds, as two int4 in text."""
        return str(LOCK_SPACE), str(self._number)

    @property
    def making_keys(self) -> tuple[str, str]:
        """The advisory lock that is held while its tables are made: CREATE TABLE IF NOT EXISTS fails when raced."""
        return str(LOCK_SPACE), str(-1 - self._number if self.lacks in ("", self.schema) else -1)

    @property
    def _number(self) -> int:
        digest = hashlib.sha256(self.schema.encode()).digest()
        return int.from_bytes(digest[:4], "big", signed=True) & 0x7FFFFFFF


def raise_refused(
    error: ServerError, doing: str, ledger: Ledger | None = None, pipeline: Pipeline | None = None
) -> None:
    """Raise `CannotRead` for a lack of rights, else `DatabaseError`.

    With the ``pipeline``, raise `Refused` where the schema of the ledger is not there any more.
    """
    if ledger and pipeline and error.sqlstate in ("42P01", "3F000") and _is_gone(pipeline, ledger.schema):
        refused = Refused(
            f"the schema {ledger.schema} is not there any more: somebody has dropped or renamed it meanwhile",
            hint="nothing is left to do there, if that was meant; else bring it back, then run it again",
        )
        refused.is_missing = True
        raise refused
    grant = ledger.grant("SELECT") if ledger else "GRANT USAGE on the ledger's schema to this role"
    hint = ledger_remedy(error, grant)
    if error.sqlstate != "42501":
        raise DatabaseError(f"PostgreSQL refused while {doing}: {error.message}", sqlstate=error.sqlstate, hint=hint)
    may_hide = "row-level security" in error.message
    said = "row-level security may hide rows of the ledger from this role" if may_hide else f"not allowed while {doing}"
    raise CannotRead(f"{said}: {error.message}", sqlstate=error.sqlstate, hint=hint)


def _is_gone(pipeline: Pipeline, schema: str) -> bool:
    """Is there no such schema, as far as that can be told?"""
    query = "SELECT FROM pg_catalog.pg_namespace WHERE nspname::text OPERATOR(pg_catalog.=) $1::text"
    outcome = pipeline.exchange([Command(query, (schema,), keeps_rows=True)])
    return not outcome.error and not outcome.rows[-1]


def own_sql(name: str, schema: str) -> str:
    """A query on the ledger of this schema."""
    return _sql(name, schema)


@functools.lru_cache(_CACHED)
def _sql(name: str, schema: str, checksum: str = "NULL") -> str:
    return load_sql("engine", name).replace("{checksum}", checksum).replace("{schema}", quote_always(schema))


@functools.lru_cache(_CACHED)
def _look_sql(name: str, schema: str, ending: str, before: str) -> str:
    text = load_sql("engine", name).replace("{ending}", ending).replace("{before}", before)
    return text.replace("{schema}", quote_always(schema))


def _seal(name: str, ledger: Ledger, values: tuple[str | None, ...] = (), *, is_last: bool = True) -> Command:
    """A look at the ledger that fails with 22012, and, where it ``is_last``, ends all writing."""
    if ledger.has_citus:
        return sealing_block(_look_sql(name, ledger.schema, "", "wflo_schema_before"), values, is_last=is_last)
    ending = _END_OF_WRITING.format("'on'" if is_last else "'off'")
    return Command(_look_sql(name, ledger.schema, ending, "pg_catalog.current_setting('wflo_schema.ledger')"), values)


def find_ledger(
    pipeline: Pipeline, schema: str | None, *, tables: str | None = None, looks_elsewhere: bool = False
) -> Ledger:
    """Look for the ledger: in ``schema``, or along the search_path.  Writes nothing.

    ``tables``: the schema that the tables are in, to see whether it is there; ``looks_elsewhere``: say which other
    schemas have one.
    Raise `Refused` when there is no schema to put it in, or when the ledger is one of yoyo before 6.
    """
    own = "{" + ",".join(OWN_TABLES) + "}"
    looks = "t" if looks_elsewhere else "f"
    query = Command(load_sql("engine", "ledger_find"), (schema, own, tables, looks), keeps_rows=True)
    outcome = pipeline.exchange([query])
    if outcome.error:
        raise_refused(outcome.error, "looking for the ledger")
    (row,) = outcome.rows[0]
    name, is_there, columns, has_schema, has_log, own_tables, is_standby, pid, role, *rest = row
    has_triggers, is_other_kind, elsewhere, path, synchronous_commit, has_log_rows, *rest = rest
    has_event_triggers, lacks, has_citus = rest
    if has_citus == "t" and has_triggers == "t":
        outcome = pipeline.exchange([Command(load_sql("engine", "citus_triggers"), (name,), keeps_rows=True)])
        has_triggers = outcome.rows[0][0][0] if outcome.rows else has_triggers
    if name is None:
        raise Refused(
            "this role can use no schema of its search_path, so there is nowhere to keep the ledger",
            hint="GRANT USAGE ON SCHEMA … to this role, or name one with --schema (--create-schema makes it)",
        )
    if is_other_kind == "t":
        raise Refused(
            f"{name}._yoyo_migration is not a table, and so not a ledger",
            hint="rename the view out of the way, or name the ledger's schema with --schema",
        )
    present = (columns or "").split(" ")
    if is_there == "t" and not set(_YOYO_COLUMNS) <= set(present):
        raise Refused(
            f"{name}._yoyo_migration is not a ledger of yoyo 6 or later: it has the columns {', '.join(present)}",
            hint="let yoyo 9 upgrade it first (yoyo list), or move the table away",
        )
    return Ledger(
        name,
        is_there == "t",
        "checksum" in present,
        has_log == "t",
        has_schema == "t",
        frozenset((own_tables or "").split()),
        is_standby == "t",
        int(pid or 0),
        release(pipeline.server_version),
        role or "",
        has_triggers == "t",
        tuple(elsewhere.split("\x1f")) if elsewhere else (),
        path or "",
        synchronous_commit or "on",
        has_log_rows == "t",
        has_event_triggers == "t",
        lacks=(tables or "") if lacks == "t" else "",
        has_citus=has_citus == "t",
    )


def read_session(pipeline: Pipeline) -> Ledger:
    """What a ledger says of the session that looks for it, where none is looked for yet.  Raise `DatabaseError`."""
    outcome = pipeline.exchange([Command(load_sql("engine", "session"), keeps_rows=True)])
    if outcome.error:
        raise_refused(outcome.error, "looking at the session")
    ((is_standby, pid, role, path, synchronous_commit, has_event_triggers, has_citus),) = outcome.rows[0]
    return Ledger(
        "",
        is_there=False,
        has_checksums=False,
        has_log=False,
        has_schema=False,
        own=frozenset(),
        is_standby=is_standby == "t",
        backend_pid=int(pid or 0),
        server_version=release(pipeline.server_version),
        role=role or "",
        path=path or "",
        synchronous_commit=synchronous_commit or "on",
        has_event_triggers=has_event_triggers == "t",
        has_citus=has_citus == "t",
    )


class Reading(NamedTuple):
    """What the ledger says, oldest first, what is half way, and what is wrong with its tables."""

    records: tuple[Record, ...]
    progress: tuple[Progress, ...]
    flaws: tuple[Flaw, ...]


def read_ledger(
    pipeline: Pipeline,
    ledger: Ledger,
    *,
    lock_timeout_ms: int | None = None,
    only: Sequence[str] | None = None,
    first: Sequence[Command] = (),
) -> Reading:
    """Read it, in one exchange; with ``only``, the rows of these hashes, and nothing of what is wrong with its tables.

    ``first``: a transaction that comes before it in that exchange.
    Raise `CannotRead` without privilege, `DatabaseError` with sqlstate 55P03 when a table is locked
    for ``lock_timeout_ms`` (None: the server's own).
    """
    if not ledger.is_there:
        return Reading((), (), ())
    commands = [read_command(ledger, only)]
    if only is None:
        commands.append(flaws_command(ledger.schema))
    if ledger.has_progress:
        commands.append(Command(_sql("progress_read", ledger.schema), keeps_rows=True))
    waiting = no_longer(lock_timeout_ms)
    outcome = pipeline.exchange([*first, *waiting, *commands])
    if outcome.error:
        raise_refused(outcome.error, "reading the ledger", ledger, pipeline)
    rows = list(outcome.rows[len(first) + len(waiting) :])
    if only is not None:
        rows.insert(1, ())
    progress = tuple(
        Progress(h or "", i or "", o or "", int(n or 0), c or "", r, tuple((names or "").splitlines()))
        for h, i, o, n, c, r, names in (rows[2] if ledger.has_progress else ())
    )
    return Reading(records(rows[0]), progress, flaws(rows[1]))


def no_longer(lock_timeout_ms: int | None) -> tuple[Command, ...]:
    """What comes before a read in its exchange: it waits so long for a lock, and no longer (None: as is set).

    All that one exchange sends is one transaction.
    """
    if lock_timeout_ms is None:
        return ()
    return (Command("SELECT pg_catalog.set_config('lock_timeout', $1, TRUE)", (str(lock_timeout_ms),)),)


def read_command(ledger: Ledger, only: Sequence[str] | None = None) -> Command:
    """The query that reads the ledger's rows, or those of these hashes."""
    text = _sql("ledger_read", ledger.schema, "m.checksum" if ledger.has_checksums else "NULL::varchar")
    return Command(text, (None if only is None else "{" + ",".join(only) + "}",), keeps_rows=True)


def last_applied(recorded: Iterable[Record]) -> str | None:
    """When the last of them was applied; a clock may have jumped back since."""
    return max((r.applied_at for r in recorded), default="") or None


def records(rows: Sequence[tuple[str | None, ...]]) -> tuple[Record, ...]:
    """The rows of `read_command` as records."""
    return tuple(
        Record(h or "", i or f"(row {h})", at or "", None if c == _BESIDE else c, c == _BESIDE) for h, i, at, c in rows
    )


def read_elsewhere(
    pipeline: Pipeline, ledger: Ledger, hashes: Sequence[str], lock_timeout_ms: int | None = None
) -> tuple[str, ...]:
    """The other schemas whose ledgers record any of these migrations.  Raise as `read_ledger` does."""
    if not ledger.elsewhere:
        return ()
    one = sql.SQL(load_sql("engine", "ledger_elsewhere"))
    asked = [one.format(schema=sql.Identifier(s), name=sql.Literal(s)).as_string() for s in ledger.elsewhere]
    wanted = "{" + ",".join(hashes) + "}"
    query = Command("\nUNION ALL\n".join(asked), (wanted,), keeps_rows=True)
    outcome = pipeline.exchange([*no_longer(lock_timeout_ms), query])
    if outcome.error and outcome.error.sqlstate == "42501":
        return ()  # its policies hide rows from this role
    if outcome.error and outcome.error.sqlstate in ("42P01", "3F000"):  # somebody has dropped one meanwhile
        some = ledger.elsewhere
        parts = (some[: len(some) // 2], some[len(some) // 2 :]) if len(some) > 1 else ()
        found = (read_elsewhere(pipeline, replace(ledger, elsewhere=part), hashes, lock_timeout_ms) for part in parts)
        return tuple(sorted(itertools.chain.from_iterable(found)))
    if outcome.error:
        raise_refused(outcome.error, "reading the ledgers of other schemas")
    return tuple(sorted(schema or "" for schema, _ in outcome.rows[-1]))


def read_grants(pipeline: Pipeline, ledger: Ledger) -> tuple[Grant, ...]:
    """What others than its owner may do to the ledger, reading apart."""
    outcome = pipeline.exchange([grants_command(ledger.schema, ledger.tables)])
    if outcome.error:
        raise_refused(outcome.error, "reading who may write to the ledger")
    return grants(outcome.rows[0])


def create_ledger(pipeline: Pipeline, ledger: Ledger, *, lock_timeout_ms: int = 0, makes_schema: bool = True) -> Ledger:
    """Make what the ledger lacks, once however many runs try: under an advisory lock of the transaction.

    The tables' schema is made, too, where it is lacking.  What is made belongs to its owner alone: of what default
    privileges grant, SELECT stays.
    Raise `DatabaseError` with sqlstate 55P03 when a table of yoyo's is in use for ``lock_timeout_ms``, with 3F000
    where its own schema is gone and it is not to make that (``makes_schema``).
    """

    def missing(now: Ledger) -> ToMake:
        return ledger_to_make(now if makes_schema else replace(now, has_schema=True), ledger.lacks)

    _create_under_lock(pipeline, ledger, missing, lock_timeout_ms)
    return completed(ledger)


def completed(ledger: Ledger) -> Ledger:
    """The ledger once `ledger_to_make` is made."""
    return replace(ledger, is_there=True, has_checksums=True, has_log=True, has_schema=True, lacks="")


def ledger_to_make(now: Ledger, lacks: str) -> ToMake:
    """What the ledger lacks, and the schema that the tables lack."""
    is_tenant = True if now.is_of_fleet else None
    schemas = making_schema(lacks, has_citus=now.has_citus, is_tenant=is_tenant) if lacks else []
    if now.is_complete:
        return ToMake(schemas)
    made = sql.SQL(load_sql("engine", "ledger_create")).format(schema=sql.Identifier(now.schema)).as_string()
    schema = making_schema(now.schema, has_citus=now.has_citus, is_tenant=False if now.is_apart else is_tenant)
    there = {"_yoyo_migration": now.is_there, "_yoyo_log": now.has_log, "_yoyo_version": now.is_there}
    return ToMake(
        [*([] if now.has_schema else schema), *schemas, *_statements(made)],
        tuple(name for name, is_there in there.items() if not is_there),
    )


def create_progress(pipeline: Pipeline, ledger: Ledger) -> Ledger:
    """Make the table of progress if it is not there, or is one of an earlier version."""
    now = create_own(pipeline, ledger, "progress_create", is_whole=lambda now: now.has_log_rows)
    return replace(now, has_log_rows=True)


def create_own(
    pipeline: Pipeline, ledger: Ledger, query: str, *, is_whole: Callable[[Ledger], bool] = lambda now: True
) -> Ledger:
    """Make ``_wflo_schema_NAME``, by the query ``NAME_create``, if it is not there or not ``is_whole``.

    Like the rest of the ledger it belongs to its owner alone; who may read ``_yoyo_migration`` may read it, too.
    """
    table = f"_wflo_schema_{query.removesuffix('_create')}"
    assert table in OWN_TABLES

    def missing(now: Ledger) -> ToMake:
        return ToMake() if table in now.own and is_whole(now) else own_to_make(now, query)

    if not (table in ledger.own and is_whole(ledger)):
        _create_under_lock(pipeline, ledger, missing)
    return replace(ledger, own=ledger.own | {table})


def own_to_make(now: Ledger, query: str) -> ToMake:
    """What makes ``_wflo_schema_NAME`` by the query ``NAME_create``, or gives it what it had not."""
    table = f"_wflo_schema_{query.removesuffix('_create')}"
    return ToMake(_statements(_sql(query, now.schema)), () if table in now.own else (table,))


class ToMake(NamedTuple):
    """Statements, and the tables that they make."""

    statements: Sequence[str] = ()
    tables: Sequence[str] = ()


def begin_making(ledger: Ledger) -> tuple[Command, ...]:
    """Begin the transaction in which tables of the ledger are made: one at a time."""
    return (
        BEGIN,
        Command("SET LOCAL lock_timeout = 0"),
        Command("SET LOCAL statement_timeout = 0"),
        Command("SELECT pg_catalog.pg_advisory_xact_lock($1::integer, $2::integer)", ledger.making_keys),
    )


def _create_under_lock(
    pipeline: Pipeline, ledger: Ledger, missing: Callable[[Ledger], ToMake], lock_timeout_ms: int = 0
) -> None:
    """Run what is ``missing`` once the lock is held: who comes second finds it made, and locks no table."""
    on_notice, pipeline.on_notice = pipeline.on_notice, None
    try:
        outcome = pipeline.exchange(begin_making(ledger))
        if outcome.error is None:
            now = find_ledger(pipeline, ledger.schema)
            statements, tables = missing(replace(now, is_apart=ledger.is_apart, is_of_fleet=ledger.is_of_fleet))
            patience = Command(f"SET LOCAL lock_timeout = {lock_timeout_ms:d}")
            made = [patience, *(Command(s) for s in statements)]
            reading, writing = readers_command(ledger.schema, tables), grants_command(ledger.schema, tables)
            outcome = pipeline.exchange([*made, reading, writing])
        if outcome.error is None:
            *_, readers, writers = outcome.rows
            revokes = [Command(grant.revoke) for grant in grants(writers)]
            outcome = pipeline.exchange([*revokes, *(Command(grant or "") for (grant,) in readers), COMMIT])
        if outcome.error is None:
            return
        pipeline.exchange([ROLLBACK])
    finally:
        pipeline.on_notice = on_notice
    error = outcome.error
    if error.sqlstate == "42501":
        raise DatabaseError(
            f"this role may not make the ledger's tables: {error.message}",
            sqlstate=error.sqlstate,
            hint=(
                "run it once as the owner of _yoyo_migration, which gets a column for checksums"
                if "must be owner" in error.message
                else "GRANT CREATE on the schema to this role, or run as the owner of the tables"
            ),
        )
    raise_refused(error, "making the ledger's tables")


def _statements(text: str) -> list[str]:
    return [s.strip() for s in text.split(";") if s.strip()]


def insert_commands(
    ledger: Ledger,
    migration: Migration,
    *,
    predecessors: Sequence[str],
    after: str | None,
    operation: str = "apply",
) -> tuple[Command, Command]:
    """Record a migration: its row, and its log row.  ``after``: the last time in the ledger, as `last_applied` has it.

    The first fails with 23505 where it is recorded already, and with 23502 where a row of
    ``predecessors`` (hashes) is not there: the plan is out of date in both cases.  It fails with
    22012 while another run is at work on a non-transactional migration.
    """
    values = (migration.hash, migration.id, migration.checksum, *ledger.lock_keys, after)
    if ledger.has_citus:
        before = sorted(set(predecessors))
        insert = block("citus_insert", ledger.schema, (*values, "{" + ",".join(before) + "}", str(len(before))))
    else:
        insert = Command(_insert_sql(ledger.schema, len(predecessors)), (*values, *predecessors))
    return (
        insert,
        Command(
            _sql("ledger_log", ledger.schema),
            (_new_id(), migration.hash, migration.id, operation, _user_name(), _host_name()),
        ),
    )


@functools.lru_cache(_CACHED)
def _insert_sql(schema: str, predecessors: int) -> str:
    """Looks up each predecessor by its key: one query over all of them costs PostgreSQL more."""
    there = "".join(
        f"\n            AND EXISTS (SELECT FROM {{schema}}._yoyo_migration WHERE migration_hash"
        f" OPERATOR(pg_catalog.=) ${n}::text)"
        for n in range(7, 7 + predecessors)
    )
    text = load_sql("engine", "ledger_insert").replace("{predecessors}", there)
    return text.replace("{schema}", quote_always(schema))


def seal_command(ledger: Ledger, migration: Migration) -> Command:
    """Fail with 22012 unless the record of a migration is there; from then on the transaction writes nothing."""
    return _seal("ledger_seal", ledger, (migration.hash, migration.id, migration.checksum))


def seal_all_command(ledger: Ledger, migrations: Collection[Migration], *, is_last: bool) -> Command:
    """Fail with 22012 unless the records of all of them are there; then, if it ``is_last``, as `seal_command`."""
    hashes = ",".join(m.hash for m in migrations)
    digest = _digest(f"{m.hash} {m.checksum}" for m in migrations)
    return _seal("ledger_seal_all", ledger, (hashes, digest), is_last=is_last)


def seal_removal_command(ledger: Ledger, migration: Migration, *, recorded: Collection[str]) -> Command:
    """The same for a rollback: fail with 22012 unless the other hashes of ``recorded`` are there, and no more."""
    gone = migration.hash
    return _seal("ledger_seal_removal", ledger, (_digest(h for h in recorded if h != gone),))


def _digest(hashes: Iterable[str]) -> str:
    """Of a set of rows, as the queries make it of the ledger; nothing for none."""
    text = ",".join(sorted(hashes))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() if text else ""


def checksum_command(ledger: Ledger, migration_id: str, checksum: str | None) -> Command:
    """Give a recorded row its checksum, or set it aside (None).  Fails with 22012 where there is no such row."""
    return Command(
        _sql("ledger_checksum", ledger.schema),
        (
            migration_hash(migration_id),
            migration_id,
            _BESIDE if checksum is None else checksum,
            _new_id(),
            "beside" if checksum is None else "checksum",
            _user_name(),
            _host_name(),
        ),
    )


def follow_command(ledger: Ledger, migration: Migration, hashes: Sequence[str], *, is_verified: bool) -> Command:
    """Record a migration in place of those of ``hashes``, whose rows are set aside.

    Fails with 22012 unless all of them are recorded and none is set aside: the plan is out of date.
    """
    return Command(
        _sql("ledger_follow", ledger.schema),
        (
            migration.hash,
            migration.id,
            migration.checksum if is_verified else None,
            f"{{{','.join(hashes)}}}",
            str(len(hashes)),
            _new_id(),
            _user_name(),
            _host_name(),
        ),
    )


def delete_command(ledger: Ledger, migration: Migration, *, recorded: Collection[str]) -> Command:
    """Take a migration's record away and log it.

    Fails with 22012 unless the ledger holds exactly the hashes in ``recorded``: the plan is out of date.
    """
    return Command(
        _sql("ledger_delete", ledger.schema),
        (
            migration.hash,
            migration.id,
            _new_id(),
            _user_name(),
            _host_name(),
            _digest(recorded),
        ),
    )


def share_command(ledger: Ledger) -> Command:
    """Keep non-transactional runs away until this transaction ends; fails with 22012 while one is at work.

    Never waits inside PostgreSQL: CREATE INDEX CONCURRENTLY would wait for it in turn.
    """
    return Command(
        "SELECT 1 / pg_catalog.pg_try_advisory_xact_lock_shared($1::integer, $2::integer)::integer", ledger.lock_keys
    )


def lock_command(ledger: Ledger) -> Command:
    """Keep every other run from recording anything until this transaction ends."""
    table = sql.Identifier(ledger.schema, "_yoyo_migration").as_string()
    return Command(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True, slots=True)
class Step:
    """How far a non-transactional migration is: so many statements, and the one that is under way, if any.

    ``running_names``: the qualified names of what that one drops.
    """

    done: int
    done_checksum: str
    running: str | None = None
    running_names: tuple[str, ...] = ()


def progress_command(
    ledger: Ledger, migration: Migration, *, operation: str, now: Step, before: Step | None
) -> Command:
    """Say how far a migration is, where nobody else has gone on with it: it must be as ``before`` (None: not begun).

    Takes the lock of the session again: a statement may have given it up.  Fails with 22012 where another run has it
    or has written meanwhile, and with 23505 where another run has begun.
    """
    row = (migration.hash, migration.id, operation, str(now.done), now.done_checksum, now.running)
    names = "\n".join(now.running_names) or None
    expected = () if before is None else (str(before.done), before.done_checksum, before.running)
    values = (*row, names, *ledger.lock_keys, *expected)
    if ledger.has_citus:
        return block("citus_progress_begin" if before is None else "citus_progress_write", ledger.schema, values)
    return Command(_sql("progress_begin" if before is None else "progress_write", ledger.schema), values)


def superseded_command(ledger: Ledger, migration: Migration) -> Command:
    """A row where another tool applied or rolled back the migration after its progress was begun."""
    return Command(_sql("progress_superseded", ledger.schema), (migration.hash,), keeps_rows=True)


def progress_delete_command(ledger: Ledger, migration: Migration) -> Command:
    """Forget the progress of a migration that is finished."""
    table = sql.Identifier(ledger.schema, "_wflo_schema_progress").as_string()
    return Command(f"DELETE FROM {table} WHERE migration_hash = $1", (migration.hash,))


def hook_commands(ledger: Ledger) -> tuple[Command, ...]:
    """Before a hook in a transaction of its own: keep all other runs away, and remember what the ledger records."""
    remember = Command(_sql("hook_begin", ledger.schema))
    if ledger.has_citus:
        remember = block("citus_hook_begin", ledger.schema, ())
    return share_command(ledger), lock_command(ledger), remember


def hook_seal_command(ledger: Ledger) -> Command:
    """Fail with 22012 where the ledger records anything else than before; then end all writing."""
    return _seal("hook_seal", ledger)


def due_command(ledger: Ledger, hook: Migration) -> Command:
    """Say, together with a migration's record, that this hook is due: a later run sees it where this one is killed.

    Whoever runs the hook meanwhile waits until this transaction has ended.
    """
    return Command(_sql("hook_write", ledger.schema), (hook.hash, hook.id, DUE))


def ran_command(ledger: Ledger, hook: Migration) -> Command:
    """Say that a hook was run: what it has made is then ours, although no migration is recorded yet."""
    return Command(_sql("hook_write", ledger.schema), (hook.hash, hook.id, RAN))


def due_removal_command(ledger: Ledger, hook: Migration) -> Command:
    """Say that a hook is not due any more; fails with 22012 where it is not: another run was faster."""
    return Command(_sql("hook_done", ledger.schema), (hook.hash,))


def progress_of(schema: str, migration_id: str) -> tuple[str, str]:
    """Table and condition that are the record of a migration's progress, for what a person is to type."""
    where = f"WHERE migration_id = {sql.Literal(migration_id).as_string()}"
    return sql.Identifier(schema, "_wflo_schema_progress").as_string(), where


def forget_progress(schema: str, migration_id: str) -> str:
    """The statement by which a person lets a migration begin anew."""
    return "DELETE FROM " + " ".join(progress_of(schema, migration_id))


def move_ledger(schema: str, to: str) -> str:
    """The statements by which a person moves the ledger of a schema to another one."""
    place = sql.Identifier(to).as_string()
    tables = (sql.Identifier(schema, table).as_string() for table in _TABLES)
    moves = (f"ALTER TABLE IF EXISTS {table} SET SCHEMA {place}" for table in tables)
    return "; ".join((f"CREATE SCHEMA IF NOT EXISTS {place}", *moves))


def done_checksums(statements: Sequence[Statement]) -> tuple[str, ...]:
    """The SHA-256 of the first 0, 1, 2 … statements, to see later whether the file still begins with them."""
    digest = hashlib.sha256()
    sums = [digest.hexdigest()]
    for number, statement in enumerate(statements):
        digest.update(b"\x00" * (number > 0) + statement.raw)
        if statement.data is not None:
            digest.update(memoryview(statement.source)[slice(*statement.data)])
        sums.append(digest.hexdigest())
    return tuple(sums)


@functools.cache
def _user_name() -> str:
    import os

    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name[:255]
    except (ImportError, KeyError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _new_id() -> str:
    import uuid

    return str(uuid.uuid4())


@functools.cache
def _host_name() -> str:
    return socket.gethostname()[:255]
