"""Writes what separates two databases as a migration and its rollback, and proves both by replay."""
