"""What to write instead of a statement that kept others waiting for too long, by its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from wflo_schema.files.creations import enum_word, parse_one
from wflo_schema.files.tokens import tokens

_RECIPE = "wflo-schema new --recipe {} writes the files"
_ALONE = "in a file of its own with -- transactional: false"
_IN_BATCHES = f"change the rows in batches, each with a commit of its own ({_RECIPE.format('backfill')})"
_THEN_VALIDATE = "NOT VALID here, and VALIDATE CONSTRAINT in another migration"
_ON_INDEX = f"build the index CONCURRENTLY first, {_ALONE}, then ADD CONSTRAINT … USING INDEX"
_NEW_COLUMN = "add a new column, fill it in batches, and drop the old one once nobody uses it"
_DEFAULT_APART = "ADD COLUMN without the default, then SET DEFAULT, and fill the rows that are there in batches"

# What ALTER TABLE does, by PostgreSQL's name of it.
_ALTERATIONS = {
    "AT_SetNotNull": ("not-null", f"ADD CHECK (… IS NOT NULL) {_THEN_VALIDATE}; then SET NOT NULL reads nothing"),
    "AT_AlterColumnType": ("change-type", _NEW_COLUMN),
    "AT_AddColumn": ("add-column", _DEFAULT_APART),
    "AT_DropColumn": ("drop-column", "drop the column by itself, in a migration of its own"),
    "AT_AttachPartition": (
        "partition",
        f"ADD CHECK with the partition's bound {_THEN_VALIDATE}, before it is attached",
    ),
    "AT_DetachPartition": ("partition", f"DETACH PARTITION … CONCURRENTLY {_ALONE}"),
}
_CONSTRAINTS = {
    "CONSTR_CHECK": ("check", f"ADD CHECK … {_THEN_VALIDATE}"),
    "CONSTR_NOTNULL": ("not-null", f"ADD … NOT NULL … {_THEN_VALIDATE}"),
    "CONSTR_FOREIGN": ("foreign-key", f"ADD FOREIGN KEY … {_THEN_VALIDATE}"),
    "CONSTR_UNIQUE": ("unique", _ON_INDEX),
    "CONSTR_PRIMARY": ("unique", _ON_INDEX),
}

# Statements of other kinds, by the words that they begin with.
_OTHERS = {
    ("update",): _IN_BATCHES,
    ("delete",): _IN_BATCHES,
    ("insert",): _IN_BATCHES,
    ("merge",): _IN_BATCHES,
    ("do",): _IN_BATCHES,
    ("reindex",): f"REINDEX … CONCURRENTLY {_ALONE}",
    ("refresh", "materialized", "view"): "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index",
    ("drop", "index"): f"DROP INDEX CONCURRENTLY {_ALONE}",
    ("create", "index"): f"CREATE INDEX CONCURRENTLY {_ALONE} ({_RECIPE.format('index')})",
    ("create", "unique", "index"): f"CREATE UNIQUE INDEX CONCURRENTLY {_ALONE} ({_RECIPE.format('index')})",
    ("cluster",): "it copies the whole table: do it by hand while nobody uses that",
    ("vacuum",): "VACUUM without FULL, which keeps nobody waiting",
}


def instead_of(text: str, table: str, before: Iterable[str] = ()) -> str:
    """What to do about a statement; empty ``text``: something else took that long.

    ``table`` is what others waited for: where the statement does not name it, and one of those ``before`` does, that
    has locked it.
    """
    words = [token.name or token.text for token in tokens(text[:_READ])]
    name = table.rpartition(".")[2].strip('"')
    ways = list(_ways(text, words))
    if words and name and name not in words and any(name in one for one in before):
        ways.insert(0, f"give this statement a migration of its own: an earlier one has locked {table} until the end")
    elif not ways:
        ways.append("give what takes so long a migration of its own, or have it do less at once")
    return f"{'; '.join(dict.fromkeys(ways))}; or, where a longer stop is meant, -- block-timeout: 30s"


# Characters: what kind of statement it is stands in front.
_READ = 10_000


def _ways(text: str, words: list[str]) -> Iterator[str]:
    if words[:1] == ["alter"]:
        for recipe, way in _alterations(text):
            yield f"{way} ({_RECIPE.format(recipe)})"
        return
    for count in (3, 2, 1):
        if (other := _OTHERS.get(tuple(words[:count]))) is not None:
            yield other
            return


def _alterations(text: str) -> Iterator[tuple[str, str]]:
    parsed = parse_one(text)
    if parsed is None or parsed[0] != "alter_table_stmt":
        return
    for node in parsed[1].cmds:
        command: Any = node.alter_table_cmd
        kind = enum_word(command, "subtype")
        if kind == "AT_AddConstraint":
            constraint = getattr(command, "def").constraint
            if (way := _CONSTRAINTS.get(enum_word(constraint, "contype"))) is not None:
                yield way
        elif kind in _ALTERATIONS:
            yield _ALTERATIONS[kind]
