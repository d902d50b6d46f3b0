"""Writes one migration in place of many, and proves by replay that both make the same."""
