"""Statements end where psql ends them, in time and memory that the file's size alone decides."""

from __future__ import annotations

import itertools
import tracemalloc

import postgast
import pytest

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.script import Script, split_statements
from wflo_schema.files.splitting import bare, pieces

# Each is one statement, and holds something in which a semicolon ends nothing, or what only looks like its beginning.
WHOLE = (
    "SELECT ';'",
    "SELECT 'it''s; one'",
    r"SELECT '\'",
    r"SELECT E'a\';b', 'c;'",
    r"SELECT e'\\', 1",
    "SELECT E'a''b;'",
    "SELECT E'a'\n  'b\\';c'",
    "SELECT E'a' -- ;\n  'b\\';c'",
    "SELECT name'a;', type 'b'",
    r"SELECT date'\', 1",
    'SELECT ";", "a"";b"',
    r'SELECT U&"d\0061;", U&' + r"'\0061;'",
    "SELECT $$;$$, $a$;$$;$a$, $é$;$é$",
    "SELECT a$b$, c$b$ FROM a$$",
    "SELECT $1, $2",
    "SELECT b';', x';', n';'",
    "SELECT 1 -- ; ' \" $$ /*\n, 2",
    "SELECT 1 /* ; ' \" $$ -- */, 2",
    "SELECT 1 /* /* ; */ ; */, 2",
    "SELECT 1 - 2 / 3 -+ 4, '{}' - 'a', a->>'b;'",
    "SELECT 'a' 'b' FROM t WHERE (a = ')')",
    "CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT ');'; UPDATE a SET b = 1)",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 2 END; END",
    "CREATE OR REPLACE PROCEDURE p() /* ; */ BEGIN /* x */ ATOMIC INSERT INTO t VALUES (1); END",
    "CREATE TABLE atomic (begin int, rule text)",
    "DO $do$ BEGIN EXECUTE 'SELECT '';'''; EXECUTE $e$ SELECT ';' $e$; END $do$",
    "(SELECT 1)",
    "CREATE TABLE é (ü int)",
)


def texts(source: str) -> list[str]:
    raw = source.encode()
    return [raw[p.start : p.end].decode() for p in pieces("1.sql", raw)]


@pytest.mark.parametrize("one", WHOLE)
@pytest.mark.parametrize("between", [";", ";\n-- x; y\n;", " /* ; /* ; */ */ ;;\t", " -- it's\r;"])
def test_a_statement_ends_at_its_own_semicolon(one: str, between: str) -> None:
    for other in WHOLE:
        assert texts(f"{one}{between}{other}{between}{one}") == [one, other, one]


def test_statements_are_those_of_postgresqls_parser() -> None:
    for one, other in itertools.product(WHOLE, repeat=2):
        try:
            theirs = [s.strip() for s in postgast.split(f"{one};{other}")]
        except postgast.PgQueryError:
            continue  # no statement to PostgreSQL
        assert texts(f"{one};{other}") == theirs


@pytest.mark.parametrize(
    "open_",
    ["SELECT 'a; b", 'SELECT "a; b', "SELECT $x$ a; b", r"SELECT E'a\'; b", "SELECT (1; SELECT 2", "SELECT $$;$a$"],
)
def test_what_is_never_closed_takes_all_that_follows(open_: str) -> None:
    assert texts(f"SELECT 1;\n{open_}") == ["SELECT 1", open_]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("SELECT 1;\n  /* a /* b */ ;", 2, 3, "never closed"),
        ("SELECT 1 /* a", 1, 10, "never closed"),
        ("SELECT 1;\nSELECT 'é' \\gset\n", 2, 12, r"\\gset is a command of psql"),
        ("  \\connect other\n", 1, 3, "connect is a command"),
        ("\\restrict\n", 1, 1, "restrict is a command"),
        ("SELECT 1 \\restrict abc\n", 1, 10, "restrict is a command"),
        ("\\set ON_ERROR_STOP off\n", 1, 1, "set is a command"),
        ("\\set x 1\n", 1, 1, "set is a command"),
        ("CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; \\x\n)", 1, 52, "x is a command"),
    ],
)
def test_what_is_no_sql_is_refused_where_it_stands(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(BadMigrationFile, match=said) as caught:
        list(pieces("1.sql", text.encode()))
    location = caught.value.location
    assert location is not None and (location.line, location.column) == (line, column)
    assert caught.value.source_line == text.split("\n")[line - 1]


def test_commands_of_pg_dump_that_change_nothing_are_passed_over() -> None:
    stop = "\\set ON_ERROR_STOP on\n\\set ON_ERROR_STOP\n\\set ON_ERROR_STOP 1\n"
    assert texts(f"\\restrict aB3\n\nSELECT 1;\n\\unrestrict aB3\n{stop}") == ["SELECT 1"]


def test_data_of_copy_is_no_sql() -> None:
    first = b"COPY a FROM stdin;\n'; \" $$ /* \\i\n\\.x\n\\.\n\n"
    source = first + b"COPY b (c) FROM STDIN WITH (FORMAT csv) ; -- x\n\\.\nSELECT 1;"
    found = list(pieces("1.sql", source))
    assert [source[p.start : p.end][:6] for p in found] == [b"COPY a", b"COPY b", b"SELECT"]
    assert [p.data and source[slice(*p.data)] for p in found] == [b"'; \" $$ /* \\i\n\\.x\n", b"", None]


@pytest.mark.parametrize(
    "text", ["COPY a FROM '/x/stdin'", "COPY (SELECT 1 FROM stdin) TO '/x'", "COPY \"from stdin\" FROM '/x'"]
)
def test_a_copy_of_the_servers_files_has_no_data(text: str) -> None:
    (piece,) = pieces("1.sql", text.encode())
    assert piece.data is None


def test_bare_text_keeps_words_and_signs_only() -> None:
    assert bare(b"SELECT /* x */ 'a' -- y\n, \"b\", $$c$$").split() == ["SELECT", "''", ",", "''", ",", "''"]


def test_a_million_statements_take_little_more_memory_than_their_text() -> None:
    source = b"INSERT INTO t (id, name) VALUES (1, 'one of very many rows; each is short');\n" * 200_000
    tracemalloc.start()
    script = Script("1.sql", source, "", split_statements("1.sql", source))
    assert len(script.statements) == 200_000
    assert sum(1 for s in script.statements if s.raw.endswith(b")")) == 200_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(source)
    last = script.statements[-1]
    assert (last.line, last.column, last.words[:3]) == (200_000, 1, ("INSERT", "INTO", "T"))
