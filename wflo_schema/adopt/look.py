"""One look at the target: its catalog, its ledgers, and the files that are held against them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wflo_schema.adopt.found import Adoption, Verdict, command, read_reconciling
from wflo_schema.adopt.ledgers import locked_by, other_ledgers
from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES, keeps_last
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Entry, State, Status
from wflo_schema.engine.taken_over import LOCK_TIMEOUT_MS, OtherLedger, tables_place
from wflo_schema.errors import DatabaseError, Refused
from wflo_schema.files.folder import Migration, Migrations
from wflo_schema.files.versions import find_version, read_names
from wflo_schema.words import listed


def _explain(ledger: OtherLedger, migrations: Migrations, names: Mapping[str, str] | None) -> OtherLedger:
    """Say what the versions stand for: by ``names``, because they are ids of ours, or (without) the numbers in them."""
    order = {m.id: n for n, m in enumerate(migrations)}
    find = find_version(names, order)
    known = {v: stands_for for v in ledger.versions if (stands_for := find(v)) is not None}
    repeatable = {m.id for m in migrations.repeatables}
    said = [stands_for for stands_for in known.values() if stands_for not in repeatable]
    unknown = tuple(v for v in ledger.versions if v not in known) if names is not None or said else ()
    there = sorted({order[s] for s in said if s})
    theirs = (set(order) if names is None else set(names.values())) - {*said, *map(find, ledger.failed)}
    start = there[-1 if keeps_last(ledger.tool) else 0] if there else len(order)
    stop = there[-1] if there and names is None else len(order)  # without names, what comes behind may be ours alone
    return replace(
        ledger,
        stands_for=migrations.items[there[-1]].id if there and "" not in said else "",
        unknown=unknown,
        left_out=tuple(m.id for m in migrations.items[start:stop] if m.id in theirs),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the target before anything is replayed."""

    database: Database
    migrations: Migrations
    reconciling: tuple[Migrations, ...]
    schema: str | None
    """The one that the caller named."""
    status: Status
    ledgers: tuple[OtherLedger, ...]
    ignore: frozenset[str]
    ignore_schemas: frozenset[str]
    have: Catalog

    @property
    def recorded(self) -> dict[str, Entry]:
        """Rows of our ledger whose file is here."""
        return {e.id: e for e in self.status.entries if e.state in (State.APPLIED, State.CHANGED)}

    @property
    def without_file(self) -> tuple[Entry, ...]:
        """Rows of our ledger whose file is not here."""
        return self.status.without_file

    @property
    def reconciled(self) -> frozenset[str]:
        """Ids of all reconciling sets."""
        return frozenset(m.id for one in self.reconciling for m in one)

    @property
    def aside(self) -> tuple[str, ...]:
        """Recorded ids that an adoption sets aside: plain yoyo's, and those of reconciling sets."""
        return tuple(e.id for e in self.without_file if not e.has_checksum or e.id in self.reconciled)

    @property
    def is_ours(self) -> bool:
        """Whether our own runs wrote the ledger: each row has a checksum and a file, and there is at least one."""
        return bool(self.recorded) and not self.without_file and all(e.has_checksum for e in self.recorded.values())

    @property
    def last_recorded(self) -> Migration | None:
        """The last of the migrations that our ledger records."""
        return next((m for m in reversed(self.migrations.items) if m.id in self.recorded), None)

    @property
    def half_way(self) -> tuple[str, ...]:
        """Migrations that are not transactional, were begun here, and are not finished."""
        return tuple(e.id for e in self.status.pending if e.statements_done is not None)

    @property
    def has_gaps(self) -> bool:
        """Whether a migration before the last one recorded is not recorded."""
        last = self.last_recorded
        return last is not None and self.migrations.items.index(last) + 1 != len(self.recorded)

    def command(self, words: str) -> str:
        """What to type next, for the same schema."""
        return command(words, self.schema)

    def check(self, words: str = "") -> str:
        """The command that checks the target: with ``words`` where there is a contract, else what needs none."""
        has_contract = any(os.path.exists(os.path.join(d, "contract.toml")) for d in self.migrations.directories[:1])
        return self.command(f"check {words}".rstrip() if has_contract else "check --only ledger --only drift")

    def to_record(self, wanted: Sequence[Migration]) -> tuple[str, ...]:
        """The ids among ``wanted`` that have no row in our ledger, or one without a checksum."""
        recorded = self.recorded
        return tuple(m.id for m in wanted if m.id not in recorded or not recorded[m.id].has_checksum)

    def read(self) -> Catalog:
        """The target's catalog as it is now."""
        schema = self.database.schema
        with self.database.connect(settings=PATIENT) as connection:
            try:
                found = read_catalog(
                    connection,
                    schemas=(schema,) if schema else None,
                    ignore=self.ignore,
                    apart=self.database.ledger_apart,
                    lock_timeout_ms=LOCK_TIMEOUT_MS,
                )
            except DatabaseError as error:
                raise (locked_by(self.database, None) if error.sqlstate == "55P03" else error) from None
        return found.without_schemas(self.ignore_schemas)

    def adoption(self, verdict: Verdict) -> Adoption:
        """Begin the result of this look."""
        status = self.status
        return Adoption(
            self.database.label,
            tables_place(self.database, status) or status.schema,
            status.server_version,
            verdict,
            self.ledgers,
            len(self.migrations),
            source=self.migrations.where,
        )

    def objections(self, last: Migration, *, minds_ledgers: bool, is_named: bool = True) -> tuple[str, ...]:
        """Why nothing may be recorded up to ``last`` although the catalog is equal."""
        found = []
        order = {m.id: n for n, m in enumerate(self.migrations)}
        beyond = [i for i in self.recorded if order[i] > order[last.id]]
        if beyond:
            found.append(
                f"the ledger already records {listed(beyond)}, but the database is only where {last.id} leads: "
                "delete those rows first (yoyo unmark), or find out why their changes are missing"
            )
        others = [e.id for e in self.without_file if e.has_checksum and e.id not in self.reconciled]
        if others:
            found.append(
                f"wflo-schema recorded {listed(others)} here, from files that are not in "
                f"{self.migrations.where}: name their folder with --migrations too"
            )
        if self.status.changed:
            found.append(
                f"applied migrations were edited since: {listed(e.id for e in self.status.changed)}: "
                "restore the files as they were"
            )
        if not minds_ledgers:
            return tuple(found)
        for ledger in self.ledgers:
            if ledger.failed:
                found.append(
                    f"{ledger.tool} says in {ledger.table} that {listed(ledger.failed)} failed half way: "
                    "it may have changed rows, which no catalog shows. "
                    f"Finish it or clean it up with {ledger.tool}; or insist: "
                    + self.command(f"baseline --to {last.id}")
                )
        agreeing = [ledger for ledger in self.ledgers if ledger.stands_for]
        is_clear = len(agreeing) == 1 and agreeing[0].stands_for == last.id
        if len(self.ledgers) > 1 and not is_named and not is_clear:
            where = " and ".join(f"{w.tool} ({w.table})" for w in self.ledgers)
            found.append(
                f"more than one tool has recorded here: {where}. Only you know which is still used; "
                f"to let the catalog decide: {self.command(f'adopt --apply --to {last.id}')}"
            )
        return tuple(found)

    def ledger_notes(self, last: Migration | None) -> Iterator[str]:
        """In which ways other ledgers and the catalog disagree."""
        order = {m.id: n for n, m in enumerate(self.migrations)}
        is_known = last is not None and self.is_ours and last.id in self.recorded
        for ledger in self.ledgers:
            if ledger.unknown:
                yield (
                    f"{ledger.table} holds {listed(ledger.unknown)}, which no file here names: "
                    "the catalog alone decides"
                )
            if is_known and last is not None and order.get(ledger.stands_for, 0) < order[last.id]:
                continue  # our own runs came after it
            if ledger.stands_for and (last is None or ledger.stands_for != last.id):
                found = "not like that" if last is None else f"where {last.id} leads"
                yield (
                    f"{ledger.table} says {listed(ledger.versions)}, which stands for {ledger.stands_for}, "
                    f"and the catalog is {found}: the catalog counts "
                    "(was the ledger stamped, or the schema changed by hand?)"
                )


def take_look(database: Database, migrations: Migrations) -> Look:
    """Read the target's ledgers and its catalog so that the two belong to one moment.

    Raise `Refused` for a folder without migrations, and where the ledger changes between looks again and again.
    """
    migrations.refuse_empty("name the right folder with --migrations")
    if not migrations.items:
        raise Refused(
            f"{migrations.where} holds repeatable files alone, which are applied whenever their text changed",
            hint="nothing need be recorded before: wflo-schema migrate",
        )
    named = database.schema
    status = status_of(database, migrations)
    database = database.with_schema(tables_place(database, status))
    migrations = operations.with_recorded_values(database, migrations)
    names, reconciling = read_names(migrations), read_reconciling(migrations)
    found = other_ledgers(database, database.schema)
    ledgers = [_explain(w, migrations, names.get(w.tool, {} if names else None)) for w in found.ledgers]
    ids = {m.id for one in reconciling for m in one}
    by_yoyo = tuple(
        e.id for e in status.entries if e.state is not State.PENDING and not e.has_checksum and e.id not in ids
    )
    if by_yoyo:
        yoyo = OtherLedger("yoyo", f"{status.schema}._yoyo_migration", by_yoyo)
        ledgers.append(_explain(yoyo, migrations, names.get("yoyo")))
    look = Look(
        database,
        migrations,
        reconciling,
        named,
        status,
        tuple(ledgers),
        LEDGER_TABLES | found.tables,
        found.schemas,
        Catalog(()),
    )
    for _ in range(MOST_LOOKS):  # a migration that commits in between would make ledger and catalog disagree
        have, now = look.read(), status_of(database, migrations)
        if now.entries == look.status.entries:
            return replace(look, have=have)
        look = replace(look, status=now)
    raise Refused(f"{database.label} is being migrated while it is looked at", hint="run this again when that is done")


def status_of(database: Database, migrations: Migrations) -> Status:
    """Read our ledger, waiting no longer than ``LOCK_TIMEOUT_MS`` for a lock.

    Raise `DatabaseError` that names who holds the lock.
    """
    try:
        return operations.status(database, migrations, lock_timeout_ms=LOCK_TIMEOUT_MS)
    except DatabaseError as error:
        raise (locked_by(database, LEDGER_TABLES) if error.sqlstate == "55P03" else error) from None


# How often ledger and catalog are read when the ledger keeps changing.
MOST_LOOKS = 20
