"""Tools that have a folder for each migration, or plain files in a folder of their own: diesel, Prisma, Hasura."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
