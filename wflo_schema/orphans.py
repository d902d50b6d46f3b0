"""Count and show the rows that a foreign key refuses: rows whose key points at no row.

Hides the anti-join and where its columns come from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from wflo_schema.database import load_sql
from wflo_schema.findings import OrphanRows

SAMPLE = 5
# Rows shown.

TIMEOUT_MS = 10_000
# Milliseconds for counting: an error message is worth waiting for, but not for long.


@dataclass(frozen=True, slots=True)
class _Key:
    schema: str
    table_name: str
    referenced_schema: str
    referenced_table: str
    name: str
    columns: list[str]
    referenced_columns: list[str]


def of_failed_statement(
    connection: psycopg.Connection[TupleRow], text: str, *, table: tuple[str, str]
) -> OrphanRows | None:
    """The orphan rows that made an ALTER TABLE … VALIDATE or ADD FOREIGN KEY fail.

    ``text`` is the statement, ``table`` the schema and name that PostgreSQL's error named.  None
    where the statement is of another kind.  Reads only, for at most `TIMEOUT_MS`.
    """
    key = _key_of(connection, text, table)
    if key is None:
        return None
    leaf = sql.Identifier(key.schema, key.table_name)
    primary = [
        row[0] for row in connection.execute(load_sql("orphans_primary_key"), {"table": leaf.as_string()}).fetchall()
    ] or ["ctid"]
    shown = list(dict.fromkeys([*primary, *key.columns]))
    from_where = sql.SQL(
        "FROM {leaf} AS t WHERE {filled} AND NOT EXISTS (SELECT FROM {root} AS r WHERE {equal})"
    ).format(
        leaf=leaf,
        root=sql.Identifier(key.referenced_schema, key.referenced_table),
        filled=sql.SQL(" AND ").join(sql.SQL("t.{} IS NOT NULL").format(sql.Identifier(c)) for c in key.columns),
        equal=sql.SQL(" AND ").join(
            sql.SQL("r.{} = t.{}").format(sql.Identifier(d), sql.Identifier(c))
            for c, d in zip(key.columns, key.referenced_columns, strict=True)
        ),
    )
    query = sql.SQL("SELECT {shown} {from_where}").format(
        shown=sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(c)) for c in shown), from_where=from_where
    )
    connection.execute("SELECT pg_catalog.set_config('statement_timeout', %s, FALSE)", (str(TIMEOUT_MS),))
    made = OrphanRows(
        f"{key.table_name}({', '.join(key.columns)}) REFERENCES "
        f"{key.referenced_table}({', '.join(key.referenced_columns)})",
        key.name,
        None,
        (),
        query.as_string() + ";",
    )
    try:
        rows = connection.execute(sql.SQL("{} LIMIT {}").format(query, sql.Literal(SAMPLE))).fetchall()
        sample = tuple(", ".join(f"{c}={v}" for c, v in zip(shown, row, strict=True)) for row in rows)
        made = replace(made, sample=sample)
        counted = connection.execute(sql.SQL("SELECT pg_catalog.count(*) {}").format(from_where)).fetchone()
        return replace(made, count=counted[0] if counted else None)
    except psycopg.errors.QueryCanceled:
        return made


def _key_of(connection: psycopg.Connection[TupleRow], text: str, table: tuple[str, str]) -> _Key | None:
    import postgast

    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1 or not tree.stmts[0].stmt.HasField("alter_table_stmt"):
        return None
    schema, name = table
    leaf = sql.Identifier(schema, name).as_string()
    for item in tree.stmts[0].stmt.alter_table_stmt.cmds:
        command = item.alter_table_cmd
        definition = getattr(command, "def")
        if definition.HasField("constraint"):
            added = _added_key(connection, definition.constraint, table)
            if added is not None:
                return added
        elif command.name:
            with connection.cursor(row_factory=class_row(_Key)) as cursor:
                found = cursor.execute(load_sql("orphans_key"), {"table": leaf, "name": command.name}).fetchone()
            if found is not None:
                return found
    return None


def _added_key(connection: psycopg.Connection[TupleRow], constraint: Any, table: tuple[str, str]) -> _Key | None:
    if not constraint.HasField("pktable"):
        return None
    root = constraint.pktable
    names = [p for p in (root.schemaname, root.relname) if p]
    row = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass(%s)",
        (sql.Identifier(*names).as_string(),),
    ).fetchone()
    if row is None:
        return None
    columns = [i.string.sval for i in constraint.fk_attrs]
    referenced = [i.string.sval for i in constraint.pk_attrs] or [
        r[0]
        for r in connection.execute(
            load_sql("orphans_primary_key"), {"table": sql.Identifier(*row).as_string()}
        ).fetchall()
    ]
    if not columns or len(columns) != len(referenced):
        return None
    return _Key(table[0], table[1], row[0], row[1], constraint.conname, columns, referenced)
