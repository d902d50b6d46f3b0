"""What to do about an error from PostgreSQL, by its sqlstate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wflo_schema.connect.pipeline import ServerError
from wflo_schema.engine.distributed import distributed_remedy
from wflo_schema.engine.instead import instead_of
from wflo_schema.errors import MigrationFailed
from wflo_schema.files.directives import ALONE
from wflo_schema.words import counted

if TYPE_CHECKING:
    from wflo_schema.files.script import Statement

# What became of a migration that is one transaction.
NOTHING_KEPT = "nothing of this migration was kept"
_REST_STAYS = "everything applied before stays"

_REMEDIES: dict[str, str] = {
    "42P07": "did an earlier migration make it, somebody by hand, or another tool? "
    "wflo-schema check --drift shows what no migration makes; wflo-schema adopt takes over what another tool made; "
    "wflo-schema test-db makes a test database anew",
    "42P01": "is its name mistyped, is an earlier migration missing, or was that applied in another schema? "
    "wflo-schema status shows what is applied; "
    "wflo-schema test-db makes a test database anew, with all migrations",
    "42703": "is the column's name mistyped? else the table is not as the migrations make it: "
    "wflo-schema check --drift says where; wflo-schema status shows what is applied",
    "42701": "did an earlier migration make the column, or somebody by hand? "
    "wflo-schema check --drift shows what no migration makes",
    "42710": "did an earlier migration make it, somebody by hand, or another tool? "
    "wflo-schema check --drift shows what no migration makes; wflo-schema adopt takes over what another tool made",
    "23505": "another row has this key: an earlier statement made it, or somebody by hand; "
    "correct the file or that row, then run it again",
    "42501": "run it as the owner of the tables, or GRANT what is missing to this role",
    "25001": ALONE,
    "2D000": f"it commits by itself: {ALONE}",
    "25006": "this database or role is set read-only (default_transaction_read_only)",
    "57014": "the statement was cancelled: raise statement_timeout if that was too short, then run it again",
}

# What is wrong with one statement, most often of a dump in another place: by sqlstate and the statement's beginning.
_REMEDIES_OF_STATEMENT = (
    ("42704", r"SET\b", "this server has no such setting: remove the line, which a newer pg_dump has written"),
    (
        "42704|42501",
        r"ALTER\b.*\bOWNER\s+TO\b|GRANT\b|REVOKE\b|ALTER\s+DEFAULT\s+PRIVILEGES\b",
        (
            "make the role first, or become a member of it; if this is a dump, write it without owners and grants "
            "(pg_dump --no-owner --no-privileges)"
        ),
    ),
    (
        "42P07",
        r"CREATE\s+TABLE\b[^(]*\b_?(?:yoyo|wflo_schema)_",
        (
            "the file holds the ledger's own tables: remove them, or write the dump without them "
            "(pg_dump --exclude-table='*yoyo_*' --exclude-table='_wflo_schema_*')"
        ),
    ),
    (
        "42P06",
        r"CREATE\s+SCHEMA\b",
        "remove the line, or write CREATE SCHEMA IF NOT EXISTS (every new database has a schema public)",
    ),
    ("42501", r"COMMENT\s+ON\s+EXTENSION\b", "remove the line: only the extension's owner may comment on it"),
    (
        "23505",
        r"CREATE\b|ALTER\b|REINDEX\b|REFRESH\b",
        "several rows have this key: delete or change all but one of them, then run it again",
    ),
    (
        "23514|23502",
        r"ALTER\b",
        "rows that are there break it: mend or delete them, then run it again",
    ),
    (
        "55P04",
        r".",
        "a new value of an enum cannot be used in the transaction that adds it: use it in the next migration",
    ),
    ("53100", "", "the server's disk is full: free space and run it again"),
    ("42601", "", "correct the statement"),
)

# "already exists" of a table or index, a type or role, a function, a schema; and of a column.
_THERE_ALREADY = frozenset({"42P07", "42710", "42723", "42P06"})
_COLUMN_THERE = "42701"
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')
# What can stand between CREATE and the name.
_BEFORE_THE_NAME = frozenset(
    "create or replace global local temp temporary unlogged foreign table unique index concurrently materialized "
    "recursive view sequence type domain function procedure schema role user extension if not exists".split()
)


def remedy(
    error: ServerError, statement: str = "", before: Sequence[Statement] = (), *, keeps_nothing: bool = True
) -> str:
    """What to do about it.

    ``statement`` is what failed, where that is known, ``before`` the statements of its file that came before it.
    ``keeps_nothing``: these were rolled back with it.
    """
    but = f"; {NOTHING_KEPT}" if keeps_nothing else ""
    if error.keeps_waiting:
        return instead_of(statement, error.table, (s.text for s in before)) + but
    if (said := distributed_remedy(error)) is not None:
        return said + but
    twin = _twin(error, before)
    if twin is not None:
        return f"line {twin.line} of this file makes it: remove one of the two, then run it again"
    for sqlstates, beginning, said in _REMEDIES_OF_STATEMENT:
        if error.sqlstate in sqlstates.split("|") and re.match(beginning, statement, re.IGNORECASE | re.DOTALL):
            return said + but
    if error.sqlstate == "23503":
        return f"delete or repair the rows that point nowhere, then run it again; {_REST_STAYS}"
    if error.sqlstate == "25001" and "ISOLATION LEVEL" in error.message:
        return "a migration runs in READ COMMITTED: remove the statement, and LOCK what must not change meanwhile"
    return _REMEDIES.get(error.sqlstate, f"correct the file, then run it again{but}")


def of_several(failed: MigrationFailed, count: int, operation: str) -> MigrationFailed:
    """The error of one of ``count`` migrations that are one transaction: say so, and what is due to that."""
    done = "rolled back" if operation == "rollback" else "applied"
    hint = failed.hint.removesuffix(f"; {NOTHING_KEPT}").removesuffix(f"; {_REST_STAYS}")
    hints = [hint, f"nothing was {done}: --together runs {counted(count, 'migration')} as one transaction"]
    if failed.sqlstate == "55P04":
        hints.insert(1, "with --together, apply the file that adds it first: wflo-schema migrate --together --to ID")
    if failed.sqlstate == "53200":
        hints.insert(
            1, "raise max_locks_per_transaction, or run fewer at once, with --to: locks are held until the end"
        )
    failed.hint = "\n".join(filter(None, hints))
    return failed


def syntax_remedy(message: str) -> str:
    """What to do about a statement that PostgreSQL cannot parse."""
    if message.endswith('near ":"'):
        return "of psql's variables :'name' and :\"name\" are put in, where the file says -- variables: name"
    if re.search(r'near "(<{7}|={7}|>{7})', message):
        return "git could not merge the two sides of this file: keep one, or write one of both"
    return "correct the statement"


def ledger_remedy(error: ServerError, grant: str) -> str:
    """What to do about an error in the statements that read or write the ledger; ``grant``: what they need."""
    if (said := distributed_remedy(error)) is not None:
        return said
    if error.sqlstate == "42501" and "row-level security" in error.message:
        table = _QUOTED.search(error.message)
        return (
            "run it as the owner of the ledger's tables or as a role with BYPASSRLS, "
            f"or ALTER TABLE {table[1] if table else '_yoyo_migration'} DISABLE ROW LEVEL SECURITY"
        )
    if error.sqlstate == "42501":
        return grant
    if error.sqlstate == "57014":
        return (
            "if nobody cancelled it, the statement_timeout of this role or database is too short: raise it, "
            "or put options=-c%20statement_timeout%3D0 into the URL"
        )
    if error.sqlstate.startswith("23") or error.sqlstate == "P0001":
        return "look at the constraints and triggers of _yoyo_migration and _yoyo_log, and at event triggers"
    if error.sqlstate in ("42P01", "42703", "3F000"):
        return "somebody, or a migration, has changed or removed the ledger's tables: bring back what they were"
    return error.hint


def _twin(error: ServerError, before: Sequence[Statement]) -> Statement | None:
    """The statement of the same file that made what is there already."""
    names = _QUOTED.findall(error.message) if error.sqlstate in (*_THERE_ALREADY, _COLUMN_THERE) else []
    if not names:
        return None
    return next((s for s in before if _makes(s, names, is_column=error.sqlstate == _COLUMN_THERE)), None)


def _makes(statement: Statement, names: Sequence[str], *, is_column: bool) -> bool:
    from wflo_schema.files.tokens import tokens

    found = [t.name or t.text for t in tokens(statement.text)]
    if is_column:
        return found[:1] == ["alter"] and "add" in found and set(names) <= set(found)
    if found[:1] != ["create"]:
        return False
    place = next((n for n, name in enumerate(found) if name not in _BEFORE_THE_NAME), len(found))
    if found[place + 1 : place + 2] == ["."]:
        place += 2
    return names[:1] == found[place : place + 1]
