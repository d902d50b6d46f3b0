"""What the ledger records of variables: the values that stood in a migration's files when it was applied.

Hides their table, which is made when the first such migration is applied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from wflo_schema.connect.pipeline import Command, Pipeline
from wflo_schema.engine.ledger import Ledger, no_longer, own_sql, raise_refused
from wflo_schema.files.folder import Migration, Migrations, migration_hash

_TABLE = "_wflo_schema_variable"

# Hash of a migration → name → value.
Recorded = Mapping[str, Mapping[str, str]]


def needs_table(ledger: Ledger, migrations: Sequence[Migration]) -> bool:
    """Is there something to record, and no table for it?"""
    return _TABLE not in ledger.own and any(m.values for m in migrations)


def record_commands(ledger: Ledger, m: Migration) -> tuple[Command, ...]:
    """Record the values of a migration's variables; of a secret only that it has one."""
    values = {name: None if name in m.secrets else value for name, value in m.values.items()}
    if not values:
        return ()
    return (Command(own_sql("variable_write", ledger.schema), (m.hash, m.id, json.dumps(values, ensure_ascii=False))),)


def forget_commands(ledger: Ledger, m: Migration) -> tuple[Command, ...]:
    """Take away what is recorded of a migration's variables."""
    if _TABLE not in ledger.own:
        return ()
    hashes = "{" + ",".join(_hashes(m)) + "}"
    return (Command(own_sql("variable_delete", ledger.schema), (hashes,)),)


def read_values(pipeline: Pipeline, ledger: Ledger, lock_timeout_ms: int | None = None) -> Recorded:
    """The values that are recorded.  Raise as `read_ledger` does."""
    if _TABLE not in ledger.own:
        return {}
    query = Command(own_sql("variable_read", ledger.schema), keeps_rows=True)
    outcome = pipeline.exchange([*no_longer(lock_timeout_ms), query])
    if outcome.error:
        raise_refused(outcome.error, "reading the recorded variables", ledger, pipeline)
    found: dict[str, dict[str, str]] = {}
    for known_as, name, value in outcome.rows[-1]:
        found.setdefault(known_as or "", {})[name or ""] = value or ""
    return found


def with_recorded(m: Migration, recorded: Recorded) -> Migration:
    """A migration with the values that it was applied with before those that are given now."""
    for known_as in reversed(_hashes(m)):
        if known_as in recorded:
            m = m.with_values(recorded[known_as])
    return m


def all_with_recorded(migrations: Migrations, recorded: Recorded) -> Migrations:
    """The same for every migration."""
    return migrations.changed(lambda m: with_recorded(m, recorded)) if recorded else migrations


def _hashes(m: Migration) -> list[str]:
    return [m.hash, *map(migration_hash, m.was)]
