"""How far a run is, in one line."""

from __future__ import annotations

import pytest

from wflo_schema.engine.events import Running, StatementProgress
from wflo_schema.show.progress import progress_text, running_text
from wflo_schema.words import size

MB = 1 << 20

SAID = {
    "": None,
    "statement 2 of 3": StatementProgress(number=2, of=3),
    "on big, about 12 MB": StatementProgress(relation="big", total=12 * MB, unit="bytes", is_estimate=True),
    "on big: writing a new copy, about 1.0 MB of 12 MB (8 %), about 11.0 s left": StatementProgress(
        phase="writing a new copy",
        relation="big",
        done=MB,
        total=12 * MB,
        unit="bytes",
        is_estimate=True,
        left_s=11.0,
    ),
    "CREATE INDEX on big: loading tuples in tree, 1,000 of 4,000 rows (25 %)": StatementProgress(
        command="CREATE INDEX", phase="loading tuples in tree", relation="big", done=1000, total=4000, unit="rows"
    ),
    "COPY FROM, 1.0 kB": StatementProgress(command="COPY FROM", done=1024, unit="bytes"),
    "VACUUM on big: vacuuming indexes, 1 of 2 indexes": StatementProgress(
        command="VACUUM", phase="vacuuming indexes", relation="big", done=1, total=2, unit="indexes"
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_progress_is_said_as_far_as_it_is_known(said: str) -> None:
    assert progress_text(SAID[said]) == said


def test_running_says_for_how_long_or_what_it_waits_for() -> None:
    assert running_text(Running("1_a", 1, 2, 61.0)) == "  1_a is running (1 min 1 s)"
    assert (
        running_text(Running("1_a", 1, 2, 2.0, SAID["statement 2 of 3"]))
        == "  1_a is running (2.0 s): statement 2 of 3"
    )
    assert running_text(Running("1_a", 1, 2, 2.0, waits="another run")) == "  1_a waits (2.0 s): another run"


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 kB"), (20 * MB, "20 MB"), (1 << 52, "4096 TB")],
)
def test_sizes_are_said_as_postgresql_says_them(count: int, said: str) -> None:
    assert size(count) == said
