"""Yields a running server as a URL: the embedded one, or Docker's."""
