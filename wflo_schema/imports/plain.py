"""Files of SQL without a tool: a bare folder in an order that is named, a dump, a structure file."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
