"""Tools with marks of their own kind in a file: node-pg-migrate, tern, graphile-migrate, Atlas and others."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
