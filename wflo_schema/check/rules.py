"""All that can be found wrong with a database: each code with its weight, its meaning and its remedy.

Hides nothing: help, manual and JSON are made from these records, and every finding takes its weight from them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from wflo_schema.findings import Finding, Location, Severity, body_hash

# How a finding says that it has, or wants, nothing.
NOTHING = "NOTHING"

# The help for what a pending migration brings.
MIGRATE = "wflo-schema migrate"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong, in which section of `check`, and what to do about it."""

    code: str
    section: str
    severity: Severity
    title: str
    means: str
    mend: str


_E, _W, _U = Severity.ERROR, Severity.WARNING, Severity.UNKNOWN

RULES: tuple[Rule, ...] = (
    Rule(
        "schema-missing",
        "contract",
        _E,
        "the schema is not there",
        "No schema has the name that the contract or --schema gives.",
        "correct the name, or migrate",
    ),
    Rule(
        "table-missing",
        "contract",
        _E,
        "a table is not there",
        "The schema has no relation of that name; one in another schema or in other letters does not count.",
        "migrate, or correct the contract's spelling",
    ),
    Rule(
        "table-wrong-kind",
        "contract",
        _E,
        "something else bears the table's name",
        "A view, materialized view, foreign table or sequence stands where a table must: it can hold no foreign key.",
        "rename it and put the table in its place",
    ),
    Rule(
        "table-unlogged",
        "contract",
        _W,
        "a table is emptied by a crash",
        "An UNLOGGED table loses its rows when the server crashes, and is empty on standbys.",
        "ALTER TABLE … SET LOGGED",
    ),
    Rule(
        "table-subscribed",
        "contract",
        _W,
        "rows arrive by logical replication",
        "A subscription writes them in replica mode, in which foreign keys are not checked.",
        "wflo-schema check --only rows, now and then",
    ),
    Rule(
        "table-ambiguous",
        "contract",
        _W,
        "tables of these names are in two schemas of the search_path",
        "The contract names no schema, so check reads only the first one of the search_path that has its tables.",
        "[contract] schema = …, or --schema",
    ),
    Rule(
        "column-missing",
        "contract",
        _E,
        "a column is not there",
        "The table has no column of that name; a renamed column took its foreign key along.",
        "rename it back, or correct the contract",
    ),
    Rule(
        "column-wrong",
        "contract",
        _E,
        "a column is of another type, nullability or default",
        "A [columns] entry of the contract does not hold.",
        "ALTER TABLE … ALTER COLUMN …",
    ),
    Rule(
        "key-missing",
        "contract",
        _E,
        "a foreign key is not there",
        "No foreign key of this table has these columns; any row may point nowhere.",
        "ALTER TABLE … ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT",
    ),
    Rule(
        "key-wrong-columns",
        "contract",
        _E,
        "the key of that name is on other columns",
        "A foreign key bears the contract's name but not its columns, or pairs them otherwise.",
        "drop it and add the right one",
    ),
    Rule(
        "key-wrong-target",
        "contract",
        _E,
        "the key references something else",
        "The columns are right, but they reference another table, a namesake in another schema, or other columns.",
        "drop it and add the right one",
    ),
    Rule(
        "key-wrong-name",
        "contract",
        _E,
        "the key has another name",
        "A migration that drops or validates it by the contract's name would fail.",
        "ALTER TABLE … RENAME CONSTRAINT",
    ),
    Rule(
        "key-wrong-on-delete",
        "contract",
        _E,
        "the key does something else on DELETE",
        "Deleting a referenced row refuses, cascades or sets null where the contract says otherwise.",
        "drop it and add the right one in one ALTER TABLE",
    ),
    Rule(
        "key-wrong-on-update",
        "contract",
        _E,
        "the key does something else on UPDATE",
        "Changing a referenced value refuses, cascades or sets null where the contract says otherwise.",
        "drop it and add the right one in one ALTER TABLE",
    ),
    Rule(
        "key-wrong-match",
        "contract",
        _E,
        "the key matches NULLs in another way",
        "MATCH FULL and MATCH SIMPLE differ in which rows with NULL they accept.",
        "drop it and add the right one in one ALTER TABLE",
    ),
    Rule(
        "key-wrong-deferrability",
        "contract",
        _E,
        "the key is checked at another moment",
        "A deferrable key can be violated until the transaction commits.",
        "ALTER TABLE … ALTER CONSTRAINT",
    ),
    Rule(
        "key-wrong-kind",
        "contract",
        _E,
        "a PERIOD key stands for a plain one, or the reverse",
        "A PERIOD key compares ranges, not equality.",
        "drop it and add the right one",
    ),
    Rule(
        "key-not-valid",
        "contract",
        _E,
        "the key is NOT VALID",
        "New rows are checked; those that were there before never were.",
        "ALTER TABLE … VALIDATE CONSTRAINT",
    ),
    Rule(
        "key-not-enforced",
        "contract",
        _E,
        "the key is NOT ENFORCED",
        "PostgreSQL 18 records the key and checks nothing.",
        "ALTER TABLE … ALTER CONSTRAINT … ENFORCED",
    ),
    Rule(
        "key-trigger-missing",
        "contract",
        _E,
        "an internal trigger of the key is gone",
        "The key is recorded, but the trigger that enforces it on one side (or on a partition) does not exist, or is "
        "not as PostgreSQL made it.",
        "drop the key and add it again",
    ),
    Rule(
        "key-trigger-disabled",
        "contract",
        _E,
        "an internal trigger of the key is switched off",
        "The key is recorded and valid, but ordinary sessions write past it on one side (or on a partition).",
        "ALTER TABLE … ENABLE TRIGGER, then check --only rows",
    ),
    Rule(
        "key-wrong-operator",
        "contract",
        _E,
        "the key does not compare for equality",
        "Its operators in pg_constraint were edited: it accepts rows that point nowhere.",
        "drop the key and add it again",
    ),
    Rule(
        "key-not-inherited",
        "contract",
        _E,
        "rows of an inheritance child escape the key",
        "SELECT on the table shows its children's rows as well, and foreign keys are not inherited.",
        "add an equal foreign key to the child",
    ),
    Rule(
        "key-collation",
        "contract",
        _E,
        "the key's two columns disagree on which texts are equal",
        "With a nondeterministic collation on one side only, checks and cascades follow different equalities.",
        "give both columns the same collation",
    ),
    Rule(
        "key-action-defeated",
        "contract",
        _E,
        "another foreign key acts first",
        "A second key on the same column fires before this one (triggers fire in the order of their names), "
        "so deletes are refused or rows survive.",
        "ALTER TABLE … DROP CONSTRAINT the other one",
    ),
    Rule(
        "key-action-fragile",
        "contract",
        _W,
        "another foreign key acts after this one",
        "A second key on the same column wants something else and only happens to be younger; a dump and "
        "restore may reverse the order.",
        "ALTER TABLE … DROP CONSTRAINT the other one",
    ),
    Rule(
        "key-duplicate",
        "contract",
        _W,
        "the same foreign key is there twice",
        "Every write is checked twice for nothing.",
        "ALTER TABLE … DROP CONSTRAINT the other one",
    ),
    Rule(
        "key-stopped-by-trigger",
        "contract",
        _E,
        "a trigger cancels the key's action",
        "A BEFORE trigger returns NULL (RETURN NEW is NULL in a DELETE trigger), which silently leaves orphan rows; "
        "or a trigger always raises an error, or changes the very row, which PostgreSQL then refuses to change again.",
        "make the trigger return OLD, let it act AFTER, or drop it",
    ),
    Rule(
        "key-maybe-stopped",
        "contract",
        _U,
        "a trigger or rule may cancel the key's action",
        "A BEFORE trigger can silently cancel the key's DELETE or UPDATE by returning NULL, or make it fail by "
        "changing rows of the same table; a rule can change rows before the key does.  What they do cannot be known "
        "here, so the key cannot be called safe.",
        "let it plainly RETURN OLD or NEW, and act AFTER",
    ),
    Rule(
        "key-action-refused",
        "contract",
        _E,
        "the key's action always fails",
        "The table refuses what ON DELETE or ON UPDATE SET NULL or SET DEFAULT sets, by NOT NULL, a domain, CHECK, a "
        "generated column or MATCH FULL, so that no referenced row can be deleted or changed.",
        "let the column be NULL, or give the key another action",
    ),
    Rule(
        "key-action-maybe-refused",
        "contract",
        _W,
        "the key's action fails for some rows",
        "A CHECK or a generated column refuses what SET NULL or SET DEFAULT sets in some rows, or may: what these "
        "reference cannot be deleted, or changed.",
        "let the constraint accept it, or give the key another action",
    ),
    Rule(
        "key-stopped-by-rule",
        "contract",
        _E,
        "a rule replaces the key's action",
        "An INSTEAD rule rewrites the key's DELETE or UPDATE: it fails, or silently leaves orphan rows.",
        "DROP RULE … ON …",
    ),
    Rule(
        "key-owner-lacks-privilege",
        "contract",
        _E,
        "the key's own queries are not permitted",
        "PostgreSQL checks and cascades as the tables' owners; one of them lacks the privilege, so writes fail.",
        "GRANT … TO the owner",
    ),
    Rule(
        "replication-role",
        "contract",
        _E,
        "sessions start with triggers off",
        "session_replication_role = replica is the default of this server, database or of a role that writes here: "
        "no foreign key is enforced in such sessions, though every catalog looks right.",
        "ALTER DATABASE … RESET session_replication_role",
    ),
    Rule(
        "replication-role-unclear",
        "contract",
        _U,
        "sessions may start with triggers off",
        "A trigger or a function with its owner's rights sets session_replication_role, or a role in replica "
        "mode may write to the tables through such a function: what it does cannot be known.",
        "read the function, then ALTER ROUTINE … or DROP EVENT TRIGGER …",
    ),
    Rule(
        "unique-missing",
        "contract",
        _E,
        "a unique constraint is not there",
        "No valid, complete unique constraint or index has exactly these columns.",
        "ALTER TABLE … ADD UNIQUE",
    ),
    Rule(
        "check-missing",
        "contract",
        _E,
        "a check constraint is not there, or says something else",
        "The table has no check of that name and expression.",
        "ALTER TABLE … ADD CONSTRAINT … CHECK",
    ),
    Rule(
        "check-not-valid",
        "contract",
        _E,
        "a check constraint is not validated or not enforced",
        "Old rows were never looked at, or new ones are not.",
        "ALTER TABLE … VALIDATE CONSTRAINT",
    ),
    Rule(
        "required-index-missing",
        "contract",
        _E,
        "an index that the contract requires is not there",
        "No valid index has these columns in this order with this method, uniqueness and predicate.",
        "CREATE INDEX",
    ),
    Rule(
        "foreign-unguarded",
        "contract",
        _U,
        "a partition on another server guards nothing",
        "PostgreSQL records NOT NULL and CHECK of a foreign table, and checks neither: whether its rows hold to them "
        "is up to the remote table, which cannot be seen from here.",
        "make the constraint on the remote table, and allow the finding",
    ),
    Rule(
        "citus-missing",
        "contract",
        _E,
        "Citus is not there",
        "The contract says how Citus keeps the schema or its tables, and the extension is not in this database, or is "
        "older than 12.",
        "CREATE EXTENSION citus",
    ),
    Rule(
        "schema-not-distributed",
        "contract",
        _E,
        "the schema is not distributed",
        "Citus places a distributed schema, with all its tables, on one of its nodes; this one is on the coordinator.",
        "SELECT citus_schema_distribute(…)",
    ),
    Rule(
        "table-not-distributed",
        "contract",
        _E,
        "a table is not distributed",
        "The contract wants it in shards, or as a reference table; its rows are all on the coordinator.",
        "SELECT create_distributed_table(…), or create_reference_table(…)",
    ),
    Rule(
        "table-wrong-distribution",
        "contract",
        _E,
        "a table is distributed otherwise",
        "Its rows go to the shards by another column or without one, or it is a reference table and should not be, or "
        "the reverse: queries reach all nodes, or joins and keys that the contract has in mind are not possible.",
        "SELECT alter_distributed_table(…)",
    ),
    Rule(
        "table-wrong-shards",
        "contract",
        _E,
        "a table has another number of shards",
        "It can be spread over fewer nodes, or more, than the contract has in mind.",
        "SELECT alter_distributed_table(…, shard_count => …)",
    ),
    Rule(
        "table-not-colocated",
        "contract",
        _E,
        "a table is not colocated with another",
        "Rows that belong together are on different nodes: joins cross the network, and foreign keys are not possible.",
        "SELECT alter_distributed_table(…, colocate_with => …)",
    ),
    Rule(
        "shard-differs",
        "contract",
        _E,
        "a shard has not what the coordinator says",
        "The coordinator's table holds no rows: what counts is the shards, and one of them lacks a column, a "
        "constraint, an index or a foreign key that the coordinator has, or has it otherwise, INVALID or switched off.",
        "drop it with IF EXISTS and make it again, on the coordinator",
    ),
    Rule(
        "shard-unreadable",
        "contract",
        _U,
        "a node does not say what its shards have",
        "It is away, or lets this role not in: whether it enforces what the coordinator says is neither yes nor no.",
        "run it again when the node is there",
    ),
    Rule(
        "cannot-see",
        "contract",
        _U,
        "a catalog may not be read",
        "SELECT on a system catalog was revoked from this role, or another session's lock is in the way; "
        "what rests on it is neither yes nor no.",
        "GRANT SELECT ON pg_catalog.… TO the role",
    ),
    Rule(
        "allowance-unused",
        "contract",
        _W,
        "an allowance matches no finding",
        "An [[allow]] of the contract matches no finding: what it was for is mended, its code or object is misspelt, "
        "or the function's body has changed.",
        "take it out, or correct it",
    ),
    Rule(
        "ledger-pending",
        "ledger",
        _E,
        "a migration is not applied",
        "Its file is there, but the ledger has no record of it.",
        MIGRATE,
    ),
    Rule(
        "ledger-changed",
        "ledger",
        _E,
        "an applied migration was edited",
        "The file is not what was applied; another database gets something else.",
        "restore the file and put the change into a new migration",
    ),
    Rule(
        "ledger-missing",
        "ledger",
        _E,
        "an applied migration has no file",
        "Nobody can read what was applied, nor apply it to another database.",
        "restore the file",
    ),
    Rule(
        "ledger-ahead",
        "ledger",
        _E,
        "the database is ahead of the files",
        "The ledger records migrations newer than every file here.",
        "bring the newer files here: update this checkout or package",
    ),
    Rule(
        "ledger-half-done",
        "ledger",
        _E,
        "a migration was interrupted, and migrate cannot finish it",
        "A non-transactional file was interrupted, and is now gone, transactional or half rolled back.",
        "finish it, or undo it and forget it: the finding says how",
    ),
    Rule(
        "ledger-repeatable",
        "ledger",
        _E,
        "a repeatable file is not applied as it is",
        "It was never applied, was edited since, or what it made is not there any more.",
        MIGRATE,
    ),
    Rule(
        "ledger-deleted",
        "ledger",
        _W,
        "a repeatable file is gone, and what it made is there",
        "Nobody makes it in another database, and nothing replaces it here when what it is made from changes.",
        "bring the file back, or drop what it made: wflo-schema migrate --drop-deleted",
    ),
    Rule(
        "ledger-elsewhere",
        "ledger",
        _E,
        "another schema's ledger records the migrations",
        "The search_path leads to a schema whose ledger records none of them, so migrate would apply all of them "
        "again: it refuses.",
        "name the schema with --schema, or put the search_path right",
    ),
    Rule(
        "ledger-flawed",
        "ledger",
        _E,
        "the ledger's key locks nothing, or a crash empties it",
        "Its table has lost its primary key or NOT NULL, or is partitioned or inherited from, so that two runs at once "
        "could apply a migration twice; or it is UNLOGGED. migrate refuses.",
        "run the statement that the finding shows",
    ),
    Rule(
        "ledger-open",
        "ledger",
        _W,
        "others than its owner may write to the ledger",
        "Whoever may change its rows can have a migration run again or left out. A role that runs the migrations "
        "without owning the ledger needs SELECT, INSERT, UPDATE and DELETE; no other role does.",
        "REVOKE … ON TABLE … FROM …",
    ),
    Rule(
        "ledger-unreadable",
        "ledger",
        _U,
        "the ledger cannot be read",
        "This role lacks SELECT, another session's lock is in the way, or a table of that name is no ledger: "
        "whether everything is applied cannot be told.",
        "GRANT SELECT on the ledger's tables, or what the message says",
    ),
    Rule(
        "orphan-rows",
        "rows",
        _E,
        "rows point nowhere",
        "They came in while the key was absent or its triggers were off; a key marked valid does not exclude them.",
        "delete them, restore what they point to, or set them NULL",
    ),
    Rule(
        "foreign-differs",
        "rows",
        _E,
        "a partition on another server has not the table's columns",
        "The remote table is not there, or lacks a column: every query that reaches the partition fails.",
        "ALTER TABLE … on the other server",
    ),
    Rule(
        "rows-unreadable",
        "rows",
        _U,
        "the rows may not be read",
        "This role lacks SELECT, or row-level security would hide rows from it.",
        "GRANT SELECT, or run it as the owner",
    ),
    Rule(
        "rows-unfinished",
        "rows",
        _U,
        "the rows could not be read in time",
        "The time given ran out, or a lock was in the way.",
        "run it again with a longer --timeout",
    ),
    Rule(
        "index-missing",
        "indexes",
        _W,
        "no index supports the key",
        "Every delete of a referenced row reads the whole referencing table.",
        "CREATE INDEX CONCURRENTLY",
    ),
    Rule(
        "index-duplicate",
        "indexes",
        _W,
        "two indexes are the same",
        "Every write pays twice, and no query gains.",
        "DROP INDEX CONCURRENTLY",
    ),
    Rule(
        "index-invalid",
        "indexes",
        _W,
        "an index is INVALID",
        "A CREATE or REINDEX CONCURRENTLY was interrupted: it costs writes and serves no query.",
        "REINDEX INDEX CONCURRENTLY, or DROP INDEX CONCURRENTLY",
    ),
    Rule(
        "drift",
        "drift",
        _E,
        "the database is not what the migrations make",
        "Something was changed by hand, or a migration was edited.",
        "the SQL shown, or a new migration",
    ),
    Rule(
        "drift-beside",
        "drift",
        _W,
        "something is there besides what the migrations make",
        "It stands by itself: what the migrations make works the same without it.",
        "a migration that makes it, or DROP it; where it belongs to somebody else, leave it",
    ),
    Rule(
        "drift-cosmetic",
        "drift",
        _W,
        "a difference that no query notices",
        "Names or comments differ from what the migrations make.",
        "the SQL shown, or a new migration",
    ),
)

# What says that something could not be looked at, so that nobody knows what else would have been found.
UNREADABLE = frozenset({"cannot-see", "shard-unreadable", "ledger-unreadable", "rows-unreadable", "rows-unfinished"})

_REMEDIES = {rule.code: rule.mend for rule in RULES}
_SEVERITIES = {rule.code: rule.severity for rule in RULES}
CODES = tuple(_SEVERITIES)
_SECTION = {rule.code: frozenset({rule.section}) for rule in RULES} | {
    "cannot-see": frozenset({"contract", "indexes", "rows", "drift"}),
}


def section_of(code: str) -> frozenset[str]:
    """The sections of `check` that can report the code."""
    return _SECTION[code]


def remedy_of(code: str) -> str:
    """What the rule says to do."""
    return _REMEDIES[code]


def finding(
    code: str,
    object_: str,
    message: str,
    *,
    have: str = "",
    want: str = "",
    help_: str = "",
    location: Location | None = None,
) -> Finding:
    """A finding of the weight that the code's rule gives it."""
    return Finding(code, _SEVERITIES[code], object_, message, have, want, help_, location)


def with_body(found: Finding, source: str, library: str = "") -> Finding:
    """A finding that rests on a function's body: its help says what allows it, after the SQL and as its comment."""
    body = body_hash(source, library)
    said = {"code": found.code, "object": found.object, "body": body, "reason": "…"}
    lines = "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in said.items())
    help_ = f"{found.help}\n/* or, if it is right as it is, in the contract:\n[[allow]]\n{lines}\n*/"
    return replace(found, help=help_.lstrip(), body=body)
