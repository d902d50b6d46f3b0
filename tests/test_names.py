"""Names, against what PostgreSQL itself makes of them."""

from __future__ import annotations

import psycopg
import pytest

from wflo_schema.connect.database import Database
from wflo_schema.names import identifiers, listed_in_path, qualified, quote, quote_always

ODD = [
    "plain_1",
    "Upper",
    'q"q',
    '""',
    "1st",
    "é",
    "a$b",
    "$user",
    "a b",
    "a.b",
    "_",
    "-",
    "a\nb",
    "a\n",
    "'",
    "x" * 63,
]


def test_names_are_quoted_as_the_server_prints_them(database: Database) -> None:
    """More words in quotes than this server needs are allowed: those of newer ones.  Fewer are not."""
    with database.connect() as connection:
        words = [str(row[0]) for row in connection.execute("SELECT word FROM pg_catalog.pg_get_keywords()")]
        asked = connection.execute(
            "SELECT name, pg_catalog.quote_ident(name) FROM unnest(%s::text[]) AS name", ([*words, *ODD],)
        )
        printed: dict[str, str] = dict(asked.fetchall())

    assert len(words) > 400
    assert {name: quote(name) for name in ODD} == {name: printed[name] for name in ODD}
    for word in words:
        assert quote(word) in (printed[word], f'"{word}"'), word
    assert sum(quote(word) != printed[word] for word in words) < 20, "a word that no server reserves is printed plain"


@pytest.mark.parametrize("name", ODD)
def test_names_in_quotes_are_read_back_as_they_were(database: Database, name: str) -> None:
    with database.connect() as connection:
        for spelled in (quote(name), quote_always(name)):
            text = f"SELECT 1 AS {spelled}"
            cursor = psycopg.Cursor(connection).execute(text.encode())
            assert cursor.description is not None
            assert cursor.description[0].name == name


def test_lists_and_qualified_names_quote_each_part() -> None:
    assert qualified("s", "Two words", 'c"') == 's."Two words"."c"""'
    assert identifiers(["a", "B", "order"]) == 'a, "B", "order"'
    assert identifiers([]) == ""


@pytest.mark.parametrize(
    ("search_path", "names"),
    [
        ("a, b", ("a", "b")),
        ('"$user", public', ("postgres", "public")),
        ("$user", ("postgres",)),
        ("Upper,É", ("upper", "É")),
        ('"Upper","a b" , "c,d"', ("Upper", "a b", "c,d")),
        ('"q""q",""""', ('q"q', '"')),
        ("\t a\n,\n  b  ", ("a", "b")),
        ('""', ()),
        ("", ()),
        ("  ", ()),
    ],
)
def test_search_path_is_read_as_the_server_reads_it(
    database: Database, search_path: str, names: tuple[str, ...]
) -> None:
    assert listed_in_path(search_path, user="postgres") == names
    with database.connect() as connection:
        for name in names:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}".encode())
        connection.execute("SELECT pg_catalog.set_config('search_path', %s, false)", (search_path,))
        row = connection.execute("SELECT pg_catalog.current_schemas(false)::text[]").fetchone()
    assert row == (list(names),)
