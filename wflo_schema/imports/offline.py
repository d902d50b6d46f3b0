"""Tools that are programs, by the SQL that they write or hold: Alembic, Django, yoyo, pgroll."""

from __future__ import annotations

from wflo_schema.imports import alembic, django, pgroll, programs, yoyo
from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = (alembic.TOOL, django.TOOL, yoyo.TOOL, pgroll.TOOL, *programs.TOOLS)
