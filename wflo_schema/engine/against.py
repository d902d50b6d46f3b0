"""Plan beside a revision of git instead of a database: whether this branch's files fit behind that one's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wflo_schema.engine.ledger import Record
from wflo_schema.engine.planning import Plan, Scripts, compare_with, plan_migrations
from wflo_schema.files.directives import Phase
from wflo_schema.files.faults import refuse_unready
from wflo_schema.files.folder import Migration, load_script
from wflo_schema.files.git import merge_with_revision


def plan_against(
    directories: Sequence[Path | str],
    revision: str,
    *,
    to: str | None = None,
    together: bool = False,
    phase: Phase | None = None,
) -> Plan:
    """Say what `migrate` would do after a merge with ``revision``, to a database that has all files of that revision.

    Asks no database, so syntax errors are not found, and checks nothing out.  Raise as
    `merge_with_revision` and `read_migrations` do.
    """
    merged = merge_with_revision(directories, revision)
    recorded = tuple(Record(m.hash, m.id, "", m.checksum) for m in merged.theirs)
    status = compare_with(merged.label, merged.both, recorded)
    planned = plan_migrations(
        status, merged.both.changed(Migration.with_any_values), to, (), together=together, phase=phase
    )
    scripts = Scripts(planned.pending, load_script)
    scripts.validate(lambda: None, lambda m, script: refuse_unready(m, script, lambda _: None))
    return replace(planned, wrapped=tuple(scripts.wrapped))
