"""Tools that are programs, by the SQL that they write or hold: Alembic, Django, yoyo, pgroll."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
