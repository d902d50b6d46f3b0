"""What `migrate` would send, written down instead: for a place where only psql may run.

Hides that a run is planned and put together as usual, and that what it would send goes into blocks.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from psycopg import sql

from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, Command
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Done
from wflo_schema.engine.flaws import grants_command, readers_command
from wflo_schema.engine.ledger import (
    ToMake,
    begin_making,
    completed,
    follow_command,
    ledger_to_make,
    own_to_make,
    seal_all_command,
    seal_command,
    share_command,
)
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, Followed, Plan, Scripts, plan_migrations, refuse, refuse_elsewhere
from wflo_schema.engine.recording import REPEATED, TOGETHER, Made, Unit, ask_for, digest_of_made, read_made
from wflo_schema.engine.repeatables import TABLE
from wflo_schema.engine.running import Run
from wflo_schema.engine.session import SETTLE
from wflo_schema.engine.stepwise import Stepwise
from wflo_schema.engine.together import RESET_SETTINGS
from wflo_schema.engine.transaction import Transaction
from wflo_schema.engine.values import needs_table
from wflo_schema.errors import Refused, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.listing import AROUND_APPLYING
from wflo_schema.files.script import Script
from wflo_schema.words import listed

# Stands for the query of what repeatable files made, which is long.
MADE_NOW = "wflo_schema_made"

_READING = {**PATIENT, "row_security": "off"}


@dataclass(frozen=True, slots=True)
class Block:
    """What is sent for one thing: a migration, a hook, the ledger's tables.

    Of the commands in ``asking`` each row is itself a statement that is run.
    """

    title: str
    commands: tuple[Command, ...]
    asking: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Written:
    """All that a run would send to a database, the first of it what looks whether the ledger is as it was."""

    label: str
    server_version: str
    role: str
    blocks: tuple[Block, ...]
    made: str = ""
    """A query that stands in them as `MADE_NOW`, where it does."""
    secrets: tuple[str, ...] = ()
    """Variables whose values are in it, and are secret."""


class Record(Protocol):
    """Runs `migrate` in a database that stands for the target, and says what that sends."""

    def __call__(self, database: Database, migrations: Migrations, **options: Any) -> Mapping[str, Unit]:
        """``options`` are those of `migrate`."""


# many parameters: those of `migrate`, and what else writes it down
def write_script(
    database: Database,
    migrations: Migrations,
    *,
    to: str | None = None,
    allow: Collection[Allow] = (),
    together: bool = False,
    create_schema: bool = False,
    drop_deleted: bool = False,
    phase: Phase | None = None,
    locks: LockOptions | None = None,
    record: Record | None = None,
) -> Written:
    """Write down what `migrate` would send with the same arguments.  Writes nothing in ``database``.

    What is sent for repeatable files depends on what the server answers: ``record`` says what that is where the same
    is run in another database.
    Raise what `migrate` raises before it begins; `Refused` where repeatable files are due and ``record`` raises, or is
    None, and for a file that was interrupted.
    """
    migrations.refuse_empty()
    options = {"to": to, "allow": allow, "together": together, "drop_deleted": drop_deleted, "phase": phase}
    with Writing.on(database, locks=locks, settings=_READING) as run:
        run.creates_schema = create_schema
        plan_from = functools.partial(
            plan_migrations, migrations=migrations, to=to, allow=allow, together=together, phase=phase
        )
        planned = plan_from(run.status(migrations))
        refuse_elsewhere(planned.status)
        refuse(run.unless_run_elsewhere(planned, migrations))
        run.refuse_answered(planned)
        scripts = Scripts(planned.files, load_script)
        run.expect_repeatables(planned, drop_deleted=drop_deleted)
        run.validate(scripts, run.look_for_cascade)
        if len(planned) or run.is_due:
            run.read_hooks(migrations, AROUND_APPLYING, load_script)
        run.refuse_flaws()
        run.record(planned, functools.partial(record, database, migrations, **options, locks=locks) if record else None)
        run.guard()
        run.follow(planned.status.followed, migrations)
        run.migrate(planned, scripts, migrations, plan_from, together=(lambda: None) if together else None)
        if drop_deleted or run.is_to_repeat(planned):
            run.repeat(migrations, scripts, drop_deleted=drop_deleted)
        run.after_all()
        files = (*planned.files, *(h for h in migrations.hooks if h.id in run.hooks_of(planned)))
        secrets = sorted({name for m in files for name in m.secrets})
        made = digest_of_made() if run.recorded else ""
        blocks = tuple(run.blocks)
        return Written(database.label, run.ledger.server_version, run.ledger.role, blocks, made, tuple(secrets))


class Writing(Run):
    """A run that writes down what it would send, and sends none of it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.blocks: list[Block] = []
        self.recorded: Mapping[str, Unit] = {}
        """What the same run has sent elsewhere, where that depends on what it is answered."""
        self._has_cascade = False

    def refuse_answered(self, planned: Plan) -> None:
        """Raise `Refused` where what is sent depends on what the server answers."""
        half = [m.id for m in planned.pending if m.hash in self._half_way]
        if half:
            raise Refused(
                f"{listed(half)} was interrupted, and how it goes on depends on what it has left",
                hint="finish it first: wflo-schema migrate",
            )

    def look_for_cascade(self, m: Migration, script: Script) -> None:
        """Check a file; may it drop what repeatable files made?"""
        self.check_ready(m, script)
        self._has_cascade |= self._may_take_away(script)

    def record(self, planned: Plan, record: Callable[[], Mapping[str, Unit]] | None) -> None:
        """Have it run elsewhere, where what is sent depends on what the server answers.

        Raise `Refused` where that is not known, and needed.
        """
        is_needed = self.repeats or self._has_cascade
        if not is_needed and not (planned.pending and (self._texts or self._files.repeatables)):
            return
        why, hint = "", "apply them with wflo-schema migrate"
        try:
            if record is not None:
                self.recorded = record()
                return
        except WfloSchemaError as error:
            why, hint = f": {error.message}", f"{error.hint}; or {hint}" if error.hint else hint
        if is_needed:  # else what PostgreSQL refuses fails the script
            raise Refused(f"what is sent for repeatable files depends on what the server answers{why}", hint=hint)

    def require_primary(self) -> None:
        """It need not be one: nothing is written here."""

    def guard(self) -> None:
        """Write down what looks whether all is as it is now."""
        ledger = self.ledger
        recorded, _ = self.read()
        rows = sorted((r.hash, "beside" if r.is_beside else r.checksum or "") for r in recorded)
        digest = _md5(",".join(f"{h} {checksum}" for h, checksum in rows))
        tag = "guard"
        while tag in ledger.role + ledger.path + ledger.schema:
            tag += "_"
        table, texts = (sql.Identifier(ledger.schema, name) for name in ("_yoyo_migration", TABLE))
        text = sql.SQL(load_sql("engine", "script_guard")).format(
            tag=sql.SQL(f"${tag}$"),
            role=sql.Literal(ledger.role),
            path=sql.Literal(ledger.path),
            table=sql.Literal(table.as_string()),
            ledger=table,
            recorded=sql.Literal(digest if ledger.is_there else ""),
            repeatables=sql.Literal(texts.as_string()),
            texts=texts,
            repeated=sql.Literal(self._digest_of_texts() if TABLE in ledger.own else ""),
        )
        names = [t.name for of_one in self._texts.values() for t in of_one[-1].made]
        made = (BEGIN, *_must_be(read_made(self, names), "it was"), COMMIT) if self.recorded and names else ()
        self._write("the ledger must be as it was", (Command(text.as_string()), *made))

    def _digest_of_texts(self) -> str:
        rows = [
            f"{t.id} {t.number} {t.checksum} {'t' if t.is_down else 'f'} {_md5(t.content)}"
            for _, of_one in sorted(self._texts.items())
            for t in of_one
        ]
        return _md5(",".join(rows))

    def _write_recorded(self, name: str) -> Unit | None:
        """Write down what was recorded by that name; None where nothing was."""
        unit = self.recorded.get(name)
        if unit is not None:
            self._make_repeatables()
            end = unit.commands.index(COMMIT)
            look = _must_be(unit.made, "it would be")
            self._write(name, (*unit.commands[:end], *look, *unit.commands[end:]))
            self._has_taken_down = unit.has_taken_down
        return unit

    def _write(self, title: str, commands: Iterable[Command], asking: Collection[int] = ()) -> None:
        self.blocks.append(Block(title, tuple(commands), frozenset(asking)))

    def _make(self, title: str, to_make: ToMake) -> None:
        patience = f"SET LOCAL lock_timeout = {self.locks.of(None):d}"
        made = [*begin_making(self.ledger), Command(patience), Command("SET LOCAL client_min_messages = warning")]
        made += [Command(statement) for statement in to_make.statements]
        readers = readers_command(self.ledger.schema, to_make.tables)
        writers = grants_command(self.ledger.schema, to_make.tables)
        revoke = "SELECT pg_catalog.format('REVOKE %s ON TABLE %s FROM %s', g.privileges, g.relation, g.grantee) FROM ("
        revokes = Command(f"{revoke}\n{writers.sent.decode()}\n) AS g", writers.parameters)
        self._write(title, [*made, revokes, readers, COMMIT, DISCARD], (len(made), len(made) + 1))

    def _make_ledger(self) -> None:
        self._make("the ledger's tables", ledger_to_make(self.ledger, self.ledger.lacks))
        self.ledger = completed(self.ledger)

    def _own(self, query: str) -> None:
        self._make("a table of the ledger", own_to_make(self.ledger, query))
        table = f"_wflo_schema_{query.removesuffix('_create')}"
        has_log_rows = self.ledger.has_log_rows or query == "progress_create"
        self.ledger = replace(self.ledger, own=self.ledger.own | {table}, has_log_rows=has_log_rows)

    def make_progress(self) -> None:
        """Write down what makes the table of progress, where it is not there."""
        if not (self.ledger.has_progress and self.ledger.has_log_rows):
            self._own("progress_create")

    def _make_repeatables(self) -> None:
        if TABLE not in self.ledger.own:
            self._own("repeatable_create")

    def _make_values(self, migrations: Sequence[Migration]) -> None:
        if needs_table(self.ledger, migrations):
            self._own("variable_create")

    def _look_at_ledger(self) -> None:
        """Take it as it is: nothing was sent."""

    def follow(self, followed: Sequence[Followed], migrations: Migrations) -> bool:
        """Write down what records these by their new names."""
        chosen = [(f, m) for f in followed if (m := migrations.get(f.id)) is not None]
        if chosen:
            if not self.ledger.is_complete:
                self._make_ledger()
            before = [BEGIN, *self.set_local({"lock_timeout": str(self.locks.of(None))}), share_command(self.ledger)]
            records = [follow_command(self.ledger, m, f.hashes, is_verified=f.is_verified) for f, m in chosen]
            seal = [SETTLE, *(seal_command(self.ledger, m) for f, m in chosen if f.is_verified)]
            self._write(
                f"{listed(m.id for _, m in chosen)}, recorded by another name",
                [*before, *records, *seal, COMMIT, *self.to_disk, DISCARD],
            )
        return True

    def _apply(self, one: Transaction, following: Callable[[], Transaction | None], *, is_sent: bool) -> None:
        self._transaction(one)
        self._written(one.migration, one.script)

    def _transaction(self, one: Transaction, outcome: object = None) -> bool:
        if self._write_recorded(one.migration.id) is None:
            self._write(one.migration.id, [*one.commands(), DISCARD])
        return True

    def finished(self, m: Migration, operation: str, statements: int, **how: object) -> None:
        """It counts as done."""
        self._count(m.id, statements)

    def repeat(self, migrations: Migrations, scripts: Scripts, *, drop_deleted: bool) -> None:
        """Write down what applies the repeatable files."""
        self._begin_repeating(migrations)
        self._begin_hooks()
        self._before_all()
        unit = self._write_recorded(REPEATED)
        for id_ in unit.applied if unit is not None else ():
            self._count(id_, 0)

    def _run_hook(self, name: str, *record: Command, then: str) -> None:
        self._transaction(self._as_hook(name, *record))

    def _step_by_step(self, m: Migration, script: Script, operation: str, recorded: Collection[str]) -> None:
        self.make_progress()
        self._write(m.id, [*Stepwise(self, m, script, operation).sent(recorded), *self.to_disk, DISCARD])
        self._written(m, script)

    def _apply_as_one(self, targets: Sequence[Migration], parts: Callable[[], Any], repeat: object) -> None:
        is_recorded = self._write_recorded(TOGETHER) is not None
        commands: list[Command] = []
        for one in parts():
            commands += one.commands()
            self._written(one.migration, one.script)
        if is_recorded:
            return
        seal = seal_all_command(self.ledger, targets, is_last=True)
        ending = [RESET_SETTINGS, SETTLE, *self.as_ourselves(), seal, COMMIT, *self.to_disk, DISCARD]
        self._write(listed([m.id for m in targets], len(targets)), [*commands, *ending])

    def _written(self, m: Migration, script: Script) -> None:
        """It counts as done for what comes behind it."""
        self._count(m.id, len(script.statements))

    def _count(self, id_: str, statements: int) -> None:
        number = len(self._done) + 1
        self._done.append(Done(id_, "apply", 0.0, statements, number, number))

    def flush(self) -> None:
        """Nothing is to be waited for."""


def _must_be(made: Made, as_what: str) -> tuple[Command, ...]:
    """What fails, in a transaction, where what repeatable files made is not so."""
    look = Command(f"SELECT pg_catalog.set_config('wflo_schema.made', ({MADE_NOW}), TRUE)")
    text = load_sql("engine", "script_made").replace("{digest}", made.digest).replace("{as_what}", as_what)
    return ask_for(made.names), look, Command(text)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
