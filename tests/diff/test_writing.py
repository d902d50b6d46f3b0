"""What is written as a comment stays one, whatever ends a line."""

from __future__ import annotations

import pytest

from wflo_schema.catalog.changing import Statement
from wflo_schema.connect.database import Database
from wflo_schema.diff.writing import commented, sql_of

pytestmark = pytest.mark.one_server


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\r", "\n\n", "\r\r", "\f", "\v", "\x85", "\u2028"])
def test_no_line_of_a_comment_is_run(database: Database, end: str) -> None:
    text = f"SELECT 1;{end}SELECT 1 / 0;{end}"
    with database.connect() as connection:
        connection.execute(commented(text).encode())
        connection.execute(sql_of([Statement("table", "t", "", (text,), (text,))]).encode())


def test_comments_are_comments_of_comments() -> None:
    assert commented("-- a\n\nSELECT 1;") == "-- -- a\n--\n-- SELECT 1;"
