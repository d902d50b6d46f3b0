"""Liquibase's formatted SQL: changesets with their attributes and rollbacks."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
