"""Wait for a database as an application does that must not start before its schema is there."""

from __future__ import annotations

import time
from collections.abc import Callable

from wflo_schema.connect.database import Database
from wflo_schema.engine.operations import status
from wflo_schema.engine.planning import Status
from wflo_schema.errors import ConnectionLost, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migrations
from wflo_schema.words import counted, listed

# Seconds between two looks: at first, and at most.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0


def wait_until_applied(
    database: Database,
    migrations: Migrations,
    *,
    timeout_s: float,
    phase: Phase | None = None,
    notify: Callable[[str], None] = lambda said: None,
) -> Status:
    """Return once all migrations and repeatable files are applied and no hook is due, or after ``timeout_s`` seconds.

    With the ``phase`` before the deploy, those for after it are not waited for.  Whether it is: `Status.is_applied`.
    A server that is starting, a database and a schema that are not there yet are waited for, too; where they do not
    come, their error is raised.  ``notify`` hears what is waited for whenever
    that changes.  Writes nothing.  Raise what else `status` raises at once.
    """
    end = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    said = ""
    while True:
        found: Status | WfloSchemaError
        try:
            found = status(database, migrations)
            ids, again = [e.id for e in found.pending_by(phase)], [e.id for e in found.to_repeat]
            what = [counted(len(ids), "migration")] if ids else []
            what += [counted(len(again), "repeatable file")] if again else []
            what += [counted(len(found.hooks_due), "hook")] if found.hooks_due else []
            waited_for = f"{' and '.join(what)} pending: {listed((*ids, *again, *found.hooks_due))}"
            if found.is_applied(phase):
                return found
        except WfloSchemaError as error:
            if not (error.is_missing or isinstance(error, ConnectionLost) or getattr(error, "may_pass", False)):
                raise
            found, waited_for = error, error.message
        if waited_for != said:
            notify(waited_for)
            said = waited_for
        if time.monotonic() + pause_s > end:
            if isinstance(found, WfloSchemaError):
                raise found
            return found
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
