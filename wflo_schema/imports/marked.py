"""Tools whose file holds both directions between marks: dbmate, goose, sql-migrate and those like them."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
