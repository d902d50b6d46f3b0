"""The engine's run as a fleet uses it: on a kept connection, with files and ledgers that were read once for all.

Hides what equal targets share.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine.events import Notify
from wflo_schema.engine.kept import Kept, Known
from wflo_schema.engine.ledger import Progress, Record
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Entry, Plan, Scripts, Status
from wflo_schema.engine.running import Run
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.script import Script
from wflo_schema.fleet.naming import find_named_schemas, refuse_named_schemas

# Bytes of files that are kept for all targets; what is beyond is read for each.
_KEPT_BYTES = 64_000_000

# What stands in a file that names a schema, and in few others: these are parsed.
_MAY_NAME = re.compile(rb'[\w"]\s*\.\s*["\w]|schema|search_path', re.IGNORECASE)


class Shared:
    """What runs on many targets share: files, each read and checked once, and what equal ledgers lead to."""

    def __init__(self, migrations: Migrations, schemas: frozenset[str]) -> None:
        self.migrations, self._schemas = migrations, schemas
        self._lock = threading.RLock()
        self._scripts: dict[tuple[str, str, str], Script] = {}
        self._bytes = 0
        self._checked: set[tuple[str, str]] = set()
        self._statuses: dict[int, tuple[tuple[Record, ...], Status]] = {}
        self._plans: dict[int, tuple[tuple[Entry, ...], Plan]] = {}
        """By the ids of records and of entries, which are kept with them."""

    def load(self, load: Callable[[Migration], Script]) -> Callable[[Migration], Script]:
        """The same as ``load``, for a file that was read already."""

        def once(m: Migration) -> Script:
            key = (getattr(load, "__name__", ""), m.path, m.checksum)
            with self._lock:
                script = self._scripts.get(key)
                if script is None:
                    script = load(m)
                    if self._bytes + len(script.source) <= _KEPT_BYTES:
                        self._bytes += len(script.source)
                        self._scripts[key] = script
                return script

        return once

    def validate(self, version: str, files: Sequence[Migration], validate: Callable[[], None]) -> None:
        """Check these files, unless all were for a server of this version."""
        keys = {(version, m.id) for m in files}
        with self._lock:
            if not keys <= self._checked:
                validate()
                self._checked |= keys

    def refuse_named(self, files: Iterable[Migration], load: Callable[[Migration], Script]) -> None:
        """Raise `BadMigrationFile` where one of the files names a schema outright, and the targets are schemas."""
        if self._schemas:
            refuse_named_schemas(files, self._schemas, load=load)

    def may_refuse(self, files: Iterable[Migration]) -> bool:
        """Would `refuse_named` raise for one of these files?"""
        return any(_names_schema(m, self._schemas, self.load(load_script)) for m in files) if self._schemas else False

    def status(self, records: tuple[Record, ...], compare: Callable[[], Status]) -> Status:
        """What ``compare`` says of these records, which many targets have."""
        with self._lock:
            found = self._statuses.get(id(records))
            if found is None:
                found = self._statuses[id(records)] = records, compare()
            return found[1]

    def plan(self, status: Status, plan_from: Callable[[Status], Plan]) -> Plan:
        """What ``plan_from`` says of this status, whose entries many targets have."""
        with self._lock:
            if (known := self._plans.get(id(status.entries))) is not None:
                return replace(known[1], status=status)
            planned = plan_from(status)
            if not planned.refusals:
                self._plans[id(status.entries)] = status.entries, planned
            return planned


def _names_schema(m: Migration, schemas: frozenset[str], load: Callable[[Migration], Script]) -> bool:
    try:
        script = load(m)
        return _MAY_NAME.search(script.source) is not None and bool(find_named_schemas(script, schemas))
    except BadMigrationFile:
        return False  # that is said when it is run


class FleetRun(Run):
    """A run on one target of many."""

    shared: Shared | None = None
    known_records: tuple[Record, ...] | None = None
    """What was read beforehand."""
    is_behind = False
    """Something is committed, and may not be on disk yet."""

    def compared(self, migrations: Migrations, recorded: Sequence[Record], progress: Sequence[Progress]) -> Status:
        """As `Run.compared`; what equal targets lead to is compared once."""
        if self.shared is None or progress or self.known_records is not recorded:
            return super().compared(migrations, recorded, progress)
        found = self.shared.status(
            self.known_records, lambda: super(FleetRun, self).compared(migrations, recorded, progress)
        )
        ledger = self.ledger
        return replace(
            found,
            label=self.label,
            schema=ledger.schema,
            server_version=ledger.server_version,
            has_ledger=ledger.is_there,
            flaws=ledger.flaws,
        )

    def planned(self, status: Status, plan_from: Callable[[Status], Plan]) -> Plan:
        """As `Run.planned`; of equal targets it is planned once."""
        is_like_others = not (status.repeatables or status.unrecorded or status.elsewhere or status.half_done)
        return self.shared.plan(status, plan_from) if self.shared is not None and is_like_others else plan_from(status)

    def flush(self) -> None:
        """As `Run.flush`, where it is to be on disk; else whoever keeps the connection sees to that for several."""
        if self.flushes_last:
            super().flush()
        elif self._unflushed:
            self.is_behind = True
            self._report()

    def loader(self, load: Callable[[Migration], Script]) -> Callable[[Migration], Script]:
        """As `Run.loader`; a file is read once for all targets."""
        loader = super().loader(load)
        return loader if self.shared is None else self.shared.load(loader)

    def validate(self, scripts: Scripts, check: Callable[[Migration, Script], None]) -> None:
        """As `Run.validate`; a file is checked once for all targets of a version."""
        if self.shared is None:
            super().validate(scripts, check)
        else:
            with_super = super().validate
            shared, is_schema = self.shared, self.database.schema is not None
            kind = f"{self.ledger.server_version} {getattr(check, '__name__', '')} {is_schema}"

            def validate() -> None:
                if is_schema:
                    shared.refuse_named(scripts.files, scripts.take)
                with_super(scripts, check)

            shared.validate(kind, scripts.files, validate)


class Leased:
    """Begins runs on a kept connection."""

    def __init__(self, kept: Kept, shared: Shared, known: Known | None, *, flushes: bool = True) -> None:
        self._kept, self._shared, self._known, self._flushes = kept, shared, known, flushes
        self.is_behind = False
        """What a run has committed may not be on disk yet."""

    @contextmanager
    def on(
        self,
        database: Database,
        *,
        locks: LockOptions | None = None,
        notify: Notify | None = None,
        stop: Stop | None = None,
        settings: Mapping[str, str] = WATCHED,
    ) -> Iterator[Run]:
        """As `Run.on`; the connection stays open, and begins with the settings that it was made with."""
        known = None if self._known is None else self._kept.known(self._known)
        options: dict[str, Any] = {"locks": locks, "notify": notify, "stop": stop}
        with FleetRun.on(database, **options, kept=self._kept, known=known) as run:
            run.shared = self._shared
            run.known_records = None if known is None else known.records
            run.flushes_last = self._flushes
            try:
                yield run
            finally:
                self.is_behind |= run.is_behind
