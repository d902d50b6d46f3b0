"""The query files: which folder holds the SQL that a package sends."""

from __future__ import annotations

import os
from typing import LiteralString

_HOME = os.path.dirname(os.path.dirname(__file__))


def load_sql(package: str, name: str) -> LiteralString:
    """Read one query of ``wflo_schema/<package>/sql/``; its first line says what one row of the answer is."""
    with open(os.path.join(_HOME, package, "sql", f"{name}.sql"), encoding="utf-8") as file:
        text: LiteralString = file.read()
    return text
