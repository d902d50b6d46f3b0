"""The query files: which folder holds the SQL that a package sends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import LiteralString, TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row

_Row = TypeVar("_Row")

_HOME = os.path.dirname(os.path.dirname(__file__))


def load_sql(package: str, name: str) -> LiteralString:
    """Read one query of ``wflo_schema/<package>/sql/``; its first line says what one row of the answer is."""
    with open(os.path.join(_HOME, package, "sql", f"{name}.sql"), encoding="utf-8") as file:
        text: LiteralString = file.read()
    return text


def fetch(
    connection: psycopg.Connection[TupleRow],
    kind: type[_Row],
    package: str,
    name: str,
    parameters: Mapping[str, object],
) -> tuple[_Row, ...]:
    """Send one query of ``wflo_schema/<package>/sql/``; each row becomes a ``kind``, whose fields are its columns."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(cursor.execute(load_sql(package, name), parameters).fetchall())
