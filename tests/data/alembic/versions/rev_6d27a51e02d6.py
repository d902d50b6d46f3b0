"""The six tables, made of what ``wflo-schema.toml`` lists, without foreign keys."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "6d27a51e02d6"
down_revision = None

EXPECTED = tomllib.loads((Path(__file__).parent.parent.parent / "wflo-schema.toml").read_text(encoding="utf-8"))

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "integer": sa.Integer(),
    "json": sa.JSON(),
    "boolean": sa.Boolean(),
    "timestamp with time zone": sa.DateTime(timezone=True),
    "double precision": sa.Float(53),
}


def type_of(text: str) -> sa.types.TypeEngine[Any]:
    length = re.fullmatch(r"character varying\((\d+)\)", text)
    return sa.String(int(length[1])) if length else TYPES[text]


def upgrade() -> None:
    for table in EXPECTED["tables"]:
        columns = [
            sa.Column(name, type_of(kind), nullable=nullable, server_default=sa.text(default) if default else None)
            for name, kind, nullable, default in table["columns"]
        ]
        uniques = [
            sa.UniqueConstraint(*re.findall(r"\w+", definition)[1:], name=name)
            for name, definition in table["constraints"]
            if definition.startswith("UNIQUE")
        ]
        op.create_table(table["name"], *columns, sa.PrimaryKeyConstraint("id"), *uniques)
        for name, indexed in table["indexes"]:
            op.create_index(name, table["name"], indexed.split(", "))
