"""Counts, lists and durations in words."""

from __future__ import annotations

import pytest

from wflo_schema.words import counted, duration, listed, plural


def test_one_is_singular_and_everything_else_plural() -> None:
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [counted(n, "try", "tries") for n in (1, 3)] == ["1 try", "3 tries"]
    assert plural(2, "index was", "indexes were") == "indexes were"


def test_a_long_list_says_how_many_more_there_are() -> None:
    assert listed("abcde") == "a, b, c, d, e"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"
    assert listed(iter("abc"), 1) == "a and 2 more"
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("ms", "text"), [(0.4, "0 ms"), (41, "41 ms"), (1300, "1.3 s"), (60_000, "1 min 0 s"), (125_000, "2 min 5 s")]
)
def test_a_duration_is_told_in_the_unit_that_fits(ms: float, text: str) -> None:
    assert duration(ms) == text
