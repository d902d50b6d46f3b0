"""Reaches a server: one parsed target, one way to connect, libpq's pipeline mode."""
