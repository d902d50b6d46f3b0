"""The free tests that the project's own plugin gives to any project, for the project's own migrations."""

from __future__ import annotations

from collections.abc import Callable


def test_migrations_keep_their_promises(wflo_free_test: Callable[[], None]) -> None:
    wflo_free_test()
