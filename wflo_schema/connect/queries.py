"""The query files: which folder holds the SQL that a package sends."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import LiteralString, TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row

_Row = TypeVar("_Row")

# Reads from wherever the package was imported, a zip too.
_LOADER = globals()["__loader__"]
_HOME = os.path.dirname(os.path.dirname(__file__))


@functools.cache
def load_sql(package: str, name: str, server_version: int | None = None) -> LiteralString:
    """Read one query of ``wflo_schema/<package>/sql/``; its first line says what one row of the answer is.

    ``server_version`` is needed for a query that differs by version, as `versions.CHANGES` says.
    """
    path = os.path.join(_HOME, package, "sql", f"{name}.sql")
    text: LiteralString = _LOADER.get_data(path).decode("utf-8")
    if server_version is None:
        return text
    from wflo_schema.connect.versions import rewrite  # the engine's queries are the same for all, and start faster

    return rewrite(text, server_version)


def fetch(
    connection: psycopg.Connection[TupleRow],
    kind: type[_Row],
    package: str,
    name: str,
    parameters: Mapping[str, object],
) -> tuple[_Row, ...]:
    """Send one query of ``wflo_schema/<package>/sql/``; each row becomes a ``kind``, whose fields are its columns."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        query = load_sql(package, name, connection.info.server_version)
        return tuple(cursor.execute(query, parameters).fetchall())
