"""The statements of a file within a transaction: which files may be one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_faults import write
from wflo_schema.engine.parts import Part
from wflo_schema.files.folder import load_script, read_migrations


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ALTER TABLE a ADD b int; UPDATE a SET b = 1 -- (SELECT", True),
        ("ALTER TABLE a ADD b int; (SELECT g FROM generate_series(1, 10000000) AS g)", False),
        ("-- all\n((TABLE a) UNION ALL SELECT 1)", False),
        ("COPY a FROM STDIN;\n1\n\\.\n", False),
        ("INSERT INTO a SELECT 1 RETURNING *", False),
        ("SET standard_conforming_strings = off", False),
        ("INSERT INTO a SELECT current_query()", False),
        ("COMMENT ON TABLE a IS '" + "x" * 100_000 + "'", False),
    ],
)
def test_a_file_is_one_message_where_its_answers_are_short_and_it_can_be_read_at_once(
    tmp_path: Path, text: str, *, fits: bool
) -> None:
    (migration,) = read_migrations(write(tmp_path / "m", {"1_a": text}))
    assert Part(load_script(migration), {}).fits_one_message is fits
