"""Sqitch: a plan, and a file for each change that deploys, reverts or verifies it."""

from __future__ import annotations

from wflo_schema.imports.source import Tool

TOOLS: tuple[Tool, ...] = ()
