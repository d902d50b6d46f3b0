"""Types and expressions as PostgreSQL itself understands them: which spellings mean the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg

from wflo_schema.catalog.keys import Column
from wflo_schema.check.contract import Name
from wflo_schema.check.facts import Reader
from wflo_schema.names import identifiers, quote


def is_same_expression(
    reader: Reader, columns: Sequence[Column], table: Name, one: str, other: str, *, as_type: str = ""
) -> bool | None:
    """Whether PostgreSQL makes the same of two expressions over a table's columns; None: this role may not ask.

    EXPLAIN spells both out, over VALUES with the columns' types: no table is read or locked, nothing runs.
    ``as_type`` is what both become: a column's type where they are its defaults.
    """
    if not (is_expression(one) and is_expression(other)):
        return False
    text = f"{one} {other}".lower()
    used = [c for c in columns if c.name.lower() in text]
    nulls = [
        f"CAST(NULL AS {c.type})" + (f" COLLATE {c.collation_name}" if c.collation_name and c.collation else "")
        for c in used
    ] or ["NULL"]
    rows = f"({', '.join(nulls)}), ({', '.join(['NULL'] * len(nulls))})"  # one row alone would be computed at once
    names = identifiers(c.name for c in used) or "nothing"
    shown = [f"CAST(({e}\n) AS {_bare_type(as_type)})" if as_type else f"({e}\n)" for e in (one, other)]
    query = f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {', '.join(shown)} FROM (VALUES {rows})"
    query += f" AS {quote(table.name)} ({names})"
    try:
        with reader.connection.transaction():  # in binary, as the protocol then takes one statement only
            row = reader.connection.execute(query.encode(), binary=True).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    except psycopg.Error:
        if reader.connection.closed:
            raise
        return False
    (plan,) = row[0] if row else ({},)
    output = plan.get("Plan", {}).get("Output", [])
    return len(output) == 2 and output[0] == output[1]


def is_expression(text: str | None) -> bool:
    """Whether it is one expression, with nothing before or behind it."""
    import postgast

    if text is None:
        return False
    try:
        statements = postgast.parse(f"SELECT ({text}\n)").stmts
    except postgast.PgQueryError:
        return False
    if len(statements) != 1 or not statements[0].stmt.HasField("select_stmt"):
        return False
    select = statements[0].stmt.select_stmt
    return len(select.target_list) == 1 and not (
        select.from_clause
        or select.HasField("where_clause")
        or select.HasField("larg")
        or select.HasField("into_clause")
        or select.HasField("limit_count")
        or select.HasField("limit_offset")
        or select.sort_clause
        or select.group_clause
        or select.locking_clause
        or select.target_list[0].res_target.name
    )


def _bare_type(text: str) -> str:
    """The type without its length: a CAST would truncate to it what an assignment refuses."""
    bare = re.sub(r"\([\d, -]+\)", "", text)
    return {"character": "bpchar", "bit": '"bit"'}.get(bare, bare)


def is_same_type(reader: Reader, one: str, other: str) -> bool | None:
    """Whether two spellings name the same type of the same length; None: this role may not ask."""
    if not (is_expression(f"CAST(NULL AS {one}\n)") and is_expression(f"CAST(NULL AS {other}\n)")):
        return False
    try:
        with reader.connection.transaction():
            named = reader.connection.execute(
                "SELECT pg_catalog.to_regtype(%s) = pg_catalog.to_regtype(%s)", (one, other)
            ).fetchone()
            query = f"SELECT CAST(NULL AS {one}), CAST(NULL AS {other}) LIMIT 0"
            found = reader.connection.execute(query.encode(), binary=True).pgresult
    except psycopg.errors.InsufficientPrivilege:
        return None
    except psycopg.Error:
        if reader.connection.closed:
            raise
        return False
    return named == (True,) and found is not None and found.fmod(0) == found.fmod(1)


def has_type(reader: Reader, text: str) -> bool | None:
    """Whether there is a type of that name; None: that cannot be asked."""
    try:
        with reader.connection.transaction():
            return reader.connection.execute("SELECT pg_catalog.to_regtype(%s) IS NOT NULL", (text,)).fetchone() == (
                True,
            )
    except psycopg.Error:
        if reader.connection.closed:
            raise
        return None


def builtin_types(reader: Reader) -> tuple[str, ...]:
    """The names of PostgreSQL's own types, without those of arrays and of its catalogs' rows."""
    if not reader.can("pg_namespace"):
        return ()
    rows = reader.connection.execute(
        "SELECT t.typname::text FROM pg_catalog.pg_type AS t"
        " WHERE t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace"
        " AND t.typrelid = 0 AND t.typcategory <> 'A' AND t.typtype IN ('b', 'r', 'm')"
    ).fetchall()
    return tuple(str(r[0]) for r in rows)
