"""Run a non-transactional file, statement by statement: its progress is recorded, and a later run goes on.

Hides what an interrupted statement may leave behind, and how a later run mends that.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql

from wflo_schema import ledger as ledger_module
from wflo_schema.database import database_error, load_sql, quote_identifier
from wflo_schema.errors import ConnectionLost, MigrationFailed, Refused
from wflo_schema.events import Notice
from wflo_schema.findings import Location
from wflo_schema.ledger import Progress
from wflo_schema.migration import Migration, Script, Statement, counted, some
from wflo_schema.pipeline import Aside, Command, ServerError, StoppedWaiting
from wflo_schema.session import BEGIN, COMMIT, DISCARD, RETRIED, ROLLBACK, Conflict, Session, as_role
from wflo_schema.statements import (
    DONE_ALREADY,
    IndexBuild,
    detached,
    dropped_indexes,
    index_build,
    is_whole,
    reindexed,
    runs_alone,
    sets_session,
    waits_harmlessly,
)

_PROBE_S = 1.0
# Seconds that a pooler has for lending a session to a second connection.

_SESSION_SETTINGS = {"default_transaction_read_only": "off", "default_transaction_isolation": "read committed"}
# What BEGIN says for a transaction, for statements that run outside of one.

_GET_LOCK_TIMEOUT = Command("SELECT pg_catalog.current_setting('lock_timeout')", keeps_rows=True)
_NO_LOCK_TIMEOUT = Command("SELECT pg_catalog.set_config('lock_timeout', '0', FALSE)")


class Stepwise:
    """A non-transactional file and the session that runs it.  ``operation``: apply or rollback."""

    def __init__(self, session: Session, m: Migration, script: Script, operation: str) -> None:
        self._session = session
        self._migration = m
        self._script = script
        self._operation = operation
        self._done_checksums = ledger_module.done_checksums(script.statements)
        self._as_ourselves = as_role(session.ledger.role, script)

    def run(self, predecessors: Collection[str]) -> None:
        """Run it, or what is left of it, and record it.

        ``predecessors`` are hashes that must be recorded: for a rollback, all that may be.  Raise
        `Conflict` where the ledger is not so, else as `migrate` says.

        One runner at a time: an advisory lock of the session, polled, because a session that waits
        inside PostgreSQL would itself be waited for by CREATE INDEX CONCURRENTLY.
        """
        m, script, operation = self._migration, self._script, self._operation
        self._session.start(m)
        self._refuse_pooler()
        if not self._session.ledger.has_progress:
            self._session.ledger = ledger_module.create_progress(self._session.pipeline, self._session.ledger)
            self._session.settle()  # an event trigger may have changed a setting
        self._take_session_lock()
        done_before = False
        try:
            recorded, progress = self._session.read()
            is_recorded = any(r.hash == m.hash for r in recorded)
            hashes = {r.hash for r in recorded}
            if is_recorded != (operation == "rollback") or not hashes.issuperset(predecessors):
                raise Conflict
            if operation == "rollback" and len(hashes) != len(predecessors):
                raise Conflict  # somebody has applied more since
            known = next((p for p in progress if p.hash == m.hash), None)
            done, interrupted = self._resume_at(known)
            settings = {**self._session.settings(m), **_SESSION_SETTINGS, "application_name": self._session.token}
            self._session.must(
                [Command("SELECT pg_catalog.set_config($1, $2, FALSE)", pair) for pair in settings.items()]
                + [Command(self._session.locks.capped(s.text)) for s in script.statements[:done] if sets_session(s)]
            )
            for number in range(done, len(script.statements)):
                if self._session.stop.is_requested:
                    raise self._session.stopped(f"{m.id} stopped after statement {number} of {len(script.statements)}")
                self._one_statement(number, interrupted)
                interrupted = None
            if interrupted is not None:  # the file was edited, and has no such statement any more
                self._repair(interrupted, "")
            record: tuple[Command, ...]
            if operation == "apply":
                record = ledger_module.insert_commands(self._session.ledger, m, predecessors=list(predecessors))
            else:
                record = (ledger_module.delete_command(self._session.ledger, m, recorded=[r.hash for r in recorded]),)
            guard = self._session.guard(m, script)[-1:] if operation == "apply" else ()
            forget = ledger_module.progress_delete_command(self._session.ledger, m)
            finish = [*self._as_ourselves, *record, forget, *guard]
            outcome = self._session.pipeline.exchange([BEGIN, *finish, COMMIT, DISCARD])
            if outcome.error is not None and outcome.error.index <= len(finish) + 1:
                self._session.settle(ROLLBACK)
                if guard and outcome.error.index == len(finish):
                    raise self._session.unrecorded(m, script, outcome.error)
                if outcome.error.sqlstate in ("23505", "23502", "22012"):
                    raise Conflict
                raise self._session.ledger_error(outcome.error)
            done_before = outcome.error is None
        except (ConnectionLost, StoppedWaiting):
            done_before = True  # the session, and its lock with it, is gone or no longer to be talked to
            raise
        finally:
            if not done_before:
                self._session.settle(ROLLBACK)
        self._session.finished(m, operation, len(script.statements), is_flushed=True)

    def _refuse_pooler(self) -> None:
        """A pooler that gives each transaction another session cannot carry a non-transactional migration.

        A pooler shows itself by telling a process id that is not the session's; that it is in
        transaction mode, by lending our session to a second connection while we hold ours, or by
        lending us another one.  Where a second connection gets none, and we, who ask later, are
        answered, the session is ours alone.
        """
        if self._session.is_direct:
            return
        ask = Command("SELECT pg_catalog.pg_backend_pid()", keeps_rows=True)
        ours = self._session.must([ask]).rows[0][0][0]
        try:
            other = Aside(self._session.beside.connect())
            try:
                other.ask("BEGIN; SELECT pg_catalog.pg_backend_pid()")
                rows = other.answer(within_s=_PROBE_S)
                is_shared = rows is not None and rows[0][0] == ours
                if not is_shared:
                    is_shared = self._session.must([ask]).rows[0][0][0] != ours
            finally:
                other.close()
        except psycopg.Error as error:
            raise database_error(error, "asking whether a pooler shares our session") from error
        if is_shared:
            raise Refused(
                f"{self._migration.id} is not transactional, and {self._session.database.label} is a connection pooler "
                "in transaction mode, which gives each statement another session",
                hint="name PostgreSQL itself in the URL for this migration (its own port, usually 5432)",
            )

    def _take_session_lock(self) -> None:
        keys = self._session.ledger.lock_keys
        ask = Command("SELECT pg_catalog.pg_try_advisory_lock($1::integer, $2::integer)", keys, keeps_rows=True)
        began = time.monotonic()
        while self._session.must([ask]).rows[0][0][0] != "t":
            self._session.wait_for_colleague(self._migration, began)

    def _resume_at(self, known: Progress | None) -> tuple[int, str | None]:
        """How many statements are done, and the one that was interrupted."""
        if known is None:
            return 0, None
        m, script, operation = self._migration, self._script, self._operation
        done = known.statements_done
        same = self._done_checksums[done : done + 1] == (known.done_checksum,)
        if self._session.must([ledger_module.superseded_command(self._session.ledger, m)]).rows[0]:
            raise Refused(
                f"{m.id} was interrupted after {counted(range(done), 'statement', 'statements')}, "
                "and another tool has applied it or rolled it back since",
                hint="see what of it is there; then, to begin it anew, "
                f"DELETE FROM {quote_identifier(self._session.ledger.schema)}._wflo_schema_progress "
                f"WHERE migration_id = {sql.Literal(m.id).as_string()}",
            )
        if known.operation != operation or done > len(script.statements) or not same:
            table = f"{quote_identifier(self._session.ledger.schema)}._wflo_schema_progress"
            raise Refused(
                f"{m.id} was interrupted after {counted(range(done), 'statement', 'statements')}, and "
                + (
                    "these were edited since"
                    if known.operation == operation
                    else f"that was during its {known.operation}"
                ),
                hint=f"bring {script.path} back as it was and run it again; or finish by hand what is half done, then "
                f"DELETE FROM {table} WHERE migration_id = {sql.Literal(m.id).as_string()}",
            )
        self._session.notify(Notice(m.id, "REPAIR", f"going on after statement {done} of {len(script.statements)}"))
        return done, known.running_statement

    def _one_statement(self, number: int, interrupted: str | None) -> None:
        m, script, as_ourselves = self._migration, self._script, self._as_ourselves
        statement = script.statements[number]
        mark = self._mark(number + 1)
        if interrupted is not None and self._repair(interrupted, statement.text):
            self._session.must([BEGIN, *as_ourselves, mark, COMMIT])
            return
        if not runs_alone(statement):
            began, attempt = time.monotonic(), 0
            while True:
                attempt += 1
                self._session.start(m)
                run = Command(self._session.locks.capped(statement.text))
                outcome = self._session.pipeline.exchange([BEGIN, run, *as_ourselves, mark, COMMIT])
                if outcome.error is None:
                    return
                self._session.must([ROLLBACK])
                if outcome.error.sqlstate in ("25001", "2D000"):
                    break  # it must be alone, or commits by itself
                if outcome.error.index > 1:
                    raise self._session.ledger_error(outcome.error)
                self._statement_refused(statement, outcome.error, attempt, began)
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            self._session.start(m)
            self._check_index(statement)
            running = self._mark(number, running=statement.text)
            patience = [_GET_LOCK_TIMEOUT, _NO_LOCK_TIMEOUT] if waits_harmlessly(statement.text) else []
            before = self._session.must([BEGIN, *as_ourselves, running, COMMIT, *patience]).rows
            if self._session.stop.is_requested:
                raise self._session.stopped(f"{m.id} stopped after statement {number} of {len(script.statements)}")
            outcome = self._session.pipeline.exchange([Command(statement.text)])
            if patience:
                back = before[-2][0]
                self._session.must([Command("SELECT pg_catalog.set_config('lock_timeout', $1, FALSE)", back)])
            if outcome.error is None:
                break
            if is_whole(statement.text):
                if interrupted == statement.text and outcome.error.sqlstate in DONE_ALREADY[statement.words[0]]:
                    said = f"statement {number + 1} had been completed when it was interrupted"
                    self._session.notify(Notice(m.id, "REPAIR", said))
                    break
                # it failed, and so has done nothing
                self._session.must([BEGIN, *as_ourselves, self._mark(number), COMMIT])
            self._statement_refused(statement, outcome.error, attempt, began)
            if self._repair(statement.text, statement.text):
                break
        self._session.must([BEGIN, *as_ourselves, mark, COMMIT])

    def _mark(self, done: int, *, running: str | None = None) -> Command:
        """Record the progress: so many statements, and the one that is about to be run."""
        return ledger_module.progress_command(
            self._session.ledger,
            self._migration,
            operation=self._operation,
            done=done,
            done_checksum=self._done_checksums[done],
            running=running,
        )

    def _statement_refused(self, statement: Statement, error: ServerError, attempt: int, began: float) -> None:
        """Pause where another try may help, else raise."""
        m, script = self._migration, self._script
        number = script.statements.index(statement)
        if self._session.stop.is_requested:
            raise self._session.stopped(
                f"{m.id} was cancelled in statement {number + 1} of {len(script.statements)}; what came before it stays"
            )
        at = ServerError(
            number, error.sqlstate, error.message, error.detail, error.hint, error.position, error.context,
            error.schema, error.table, error.column, error.constraint,
        )  # fmt: skip
        waited_s = time.monotonic() - began
        if error.sqlstate in RETRIED:
            if waited_s < self._session.locks.wait_s:
                self._session.pause(m, error.message, attempt, at_most=self._session.locks.wait_s - waited_s)
                return
            raise self._session.lock_not_acquired(m, script, script.statements, at, 0, attempt, waited_s)
        failed = self._session.failed(m, script, script.statements, at, 0)
        failed.hint = "\n".join(
            filter(
                None,
                [
                    failed.hint.replace("; nothing of this migration was kept", ""),
                    "the statements before it stay; when it is mended, run it again: "
                    f"it goes on with statement {number + 1}",
                ],
            )
        )
        build = index_build(statement.text)
        if build is not None and self._index_state(build) is not None:
            failed.message += f"\nit left the index {build.name} INVALID, which the next run drops and builds again"
        raise failed

    def _index_state(self, build: IndexBuild) -> tuple[str, bool, bool, bool] | None:
        """Qualified name, is valid, is on that table, is being built; None where there is no such index."""
        ask = Command(load_sql("index_state"), (build.table, build.name), keeps_rows=True)
        (rows,) = self._session.must([ask]).rows
        if not rows:
            return None
        is_valid, is_on_table, is_being_built, name = rows[0]
        return name or "", is_valid == "t", is_on_table == "t", is_being_built == "t"

    def _check_index(self, statement: Statement) -> None:
        """IF NOT EXISTS over an INVALID index would be a success that is none."""
        m, script = self._migration, self._script
        build = index_build(statement.text)
        state = self._index_state(build) if build is not None else None
        if state is None or state[1]:
            return
        name, _, _, is_being_built = state
        raise MigrationFailed(
            f"{m.id}: the index {name} is there, but INVALID: "
            + ("another session is building it now" if is_being_built else "a build of it was interrupted or failed"),
            hint="wait for it" if is_being_built else f"DROP INDEX CONCURRENTLY {name}; then run it again",
            migration_id=m.id,
            location=Location(script.path, statement.line, statement.column),
            statement=statement.text,
            source_line=script.source_line(statement.line),
        )

    def _repair(self, interrupted: str, text: str) -> bool:
        """Clear away what an interrupted statement left; True when it had in fact been completed."""
        build = index_build(interrupted)
        if build is not None:
            state = self._index_state(build)
            if state is None:
                return False
            name, is_valid, is_on_table, is_being_built = state
            if is_valid or not is_on_table or is_being_built:
                return is_valid and is_on_table and interrupted == text
            said = f"the index {name} was left INVALID by an interrupted build: dropping it"
            self._session.notify(Notice(self._migration.id, "REPAIR", said))
            self._drop_indexes([name])
            return False
        dropped = dropped_indexes(interrupted)
        if dropped and interrupted == text:
            gone = self._session.must(
                [Command("SELECT pg_catalog.to_regclass($1) IS NULL", (name,), keeps_rows=True) for name in dropped]
            )
            return all(rows[0][0] == "t" for rows in gone.rows)
        again = reindexed(interrupted)
        if again is not None:
            left = self._session.must([Command(load_sql("index_leftovers"), again, keeps_rows=True)]).rows[0]
            names = [name or "" for (name,) in left]
            if names:
                were = counted(names, "index was", "indexes were")
                said = f"{were} left INVALID by an interrupted REINDEX: dropping"
                self._session.notify(Notice(self._migration.id, "REPAIR", f"{said} {some(names)}"))
            self._drop_indexes(names)
        parted = detached(interrupted)
        if parted and interrupted == text:
            return self._finish_detach(parted)
        return False

    def _drop_indexes(self, names: Sequence[str]) -> None:
        for name in names:
            back = self._session.must([_GET_LOCK_TIMEOUT, _NO_LOCK_TIMEOUT]).rows[0][0]
            self._session.must([Command(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")])
            self._session.must([Command("SELECT pg_catalog.set_config('lock_timeout', $1, FALSE)", back)])

    def _finish_detach(self, names: tuple[str, str]) -> bool:
        parent, partition = names
        (rows,) = self._session.must(
            [
                Command(
                    "SELECT i.inhdetachpending FROM pg_catalog.pg_inherits AS i "
                    "WHERE i.inhparent = pg_catalog.to_regclass($1) AND i.inhrelid = pg_catalog.to_regclass($2)",
                    (parent, partition),
                    keeps_rows=True,
                )
            ]
        ).rows
        if rows and rows[0][0] == "t":
            self._session.must([Command(f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE")])
            return True
        return not rows
