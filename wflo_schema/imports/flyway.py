"""Flyway: versioned, undo, repeatable and baseline migrations, placeholders, callbacks."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
