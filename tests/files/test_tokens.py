"""A text is cut where PostgreSQL's scanner cuts it, wherever a look into it ends."""

from __future__ import annotations

import pytest

from wflo_schema.engine.locks import LockOptions
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.script import Script, Statement, split_statements
from wflo_schema.files.statements import is_repeatable, leaves_with_session, runs_alone, runs_no_code
from wflo_schema.files.tokens import tokens

READ = {
    "words and signs": ("a_1$ <> :b::c := d->>'e'", ["a_1$", "<>", ":", "b", "::", "c", ":=", "d", "->>", "'e'"]),
    "operators and comments": ("a +-- b\n@/*-*/- 1 */", ["a", "+", "@", "-", "1", "*/"]),
    "nested comments": ("/* a /* b */ c */ d /**/ e", ["d", "e"]),
    "comment up to a carriage return": ("a -- b\rc", ["a", "c"]),
    "backslashes": (r"'a\' b E'c\' d' e", [r"'a\'", "b", r"E'c\' d'", "e"]),
    "escapes no UTF-8 database takes": (r"E'\xff\u12\0' a", [r"E'\xff\u12\0'", "a"]),
    "dollars": ("$$a'$$ $b$ $$ $b$ $1 c$d$ $é$ $ $é$", ["$$a'$$", "$b$ $$ $b$", "$1", "c$d$", "$é$ $ $é$"]),
    "quoted names": ('"a -- b" "c""d" U&"e -- \\0066"', ['"a -- b"', '"c""d"', 'U&"e -- \\0066"']),
    "other texts": ("x'1F' b'01' n'a' u&'b'", ["x'1F'", "b'01'", "n", "'a'", "u&'b'"]),
    "one text on two lines": ("'a'\n'b' c", ["'a'\n'b'", "c"]),
    "wide characters": ("é '🐘' \xa0 ü", ["é", "'🐘'", "\xa0", "ü"]),
    "a number that this version does not know": ("1 2abc 3", ["1", "2abc", "3"]),
    "commands of psql": ("\\i a", ["\\", "i", "a"]),
}


@pytest.mark.parametrize("what", READ)
def test_text_is_cut_as_postgresql_cuts_it(what: str) -> None:
    text, expected = READ[what]
    found = list(tokens(text))
    assert [t.text for t in found] == expected
    assert all(text[t.start : t.end] == t.text for t in found)


@pytest.mark.parametrize("what", READ)
def test_a_long_text_is_cut_like_a_short_one(what: str) -> None:
    """More than is looked at at once; its texts are longer than the first look, and end in each of the others."""
    piece, expected = READ[what]
    lines = "x, é\n" * 700
    text = f"{piece}\n;$long$\n{lines}$long$\n" * 100
    found = list(tokens(text))
    assert [t.text for t in found if "long" not in t.text] == [*expected, ";"] * 100
    assert all(text[t.start : t.end] == t.text for t in found)


@pytest.mark.parametrize("rest", ["'b", '"b', "/* b", "$c$ b", "E'b\\'", '"" b', "'b;\nc"])
def test_what_never_ends_is_one_token_up_to_the_end(rest: str) -> None:
    *before, last = tokens("a;\n" + "x 'y';\n" * 2000 + rest)
    assert (last.kind, last.text) == ("open", rest)
    assert [t.kind for t in before] == ["word", "sign", *["word", "text", "sign"] * 2000]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Abc", "abc", None),
        ('"A""b"', 'A"b', None),
        ('U&"d\\0061t\\+000061\\\\"', "data\\", None),
        ("'a''b'", "", "a'b"),
        ("E'a''b'", "", "a'b"),
        ("E'a\\'b'", "", None),
        ("'a\\'", "", None),
        ("$$a'b$$", "", "a'b"),
        ("$x$$$$x$", "", "$$"),
        ("''", "", ""),
        ("U&'a'", "", None),
        ("1", "", None),
    ],
)
def test_a_name_and_what_a_text_says_are_read(text: str, name: str, value: str | None) -> None:
    (token,) = tokens(text)
    assert (token.name, token.value) == (name, value)


def _statement(text: str) -> Statement:
    (statement,) = split_statements("1.sql", text.encode())
    return statement


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX CONCURRENTLY ON a (b)",
        "create/**/unique -- x\n index/* /* */ */concurrently on a (b)",
        'DROP INDEX -- why\nCONCURRENTLY "a"',
        "ALTER TABLE IF EXISTS ONLY a.b /* c */ DETACH /* d */ PARTITION e CONCURRENTLY",
        "vacuum",
        "ALTER/**/SYSTEM RESET ALL",
    ],
)
def test_a_statement_that_runs_alone_is_known_behind_comments(text: str) -> None:
    assert runs_alone(_statement(text))


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX ON a (b) -- CONCURRENTLY",
        'ALTER TABLE a RENAME TO "DETACH PARTITION b CONCURRENTLY"',
        "ALTER TABLE a ALTER b SET DEFAULT ' DETACH PARTITION b FINALIZE'",
        "CREATE TABLE a (b text DEFAULT 'pg_temp.', c text /* TEMP */)",
    ],
)
def test_words_in_quotes_and_comments_make_no_statement_another(text: str) -> None:
    assert not runs_alone(_statement(text))
    assert not leaves_with_session(_statement(text))


def test_what_a_statement_does_is_known_behind_comments() -> None:
    assert leaves_with_session(_statement("CREATE /* x */ TEMP TABLE a ()"))
    assert leaves_with_session(_statement("SELECT 1 INTO -- x\n TEMP a"))
    assert leaves_with_session(_statement('CREATE VIEW "pg_temp" . a AS SELECT 1'))
    assert leaves_with_session(_statement("DO $$ BEGIN EXECUTE 'SELECT set_config(''a.b'', ''c'', false)'; END $$"))
    assert not leaves_with_session(_statement("DO $$ BEGIN -- set_config\n NULL; END $$"))
    assert is_repeatable("ALTER/**/SYSTEM RESET ALL")
    assert is_repeatable('ALTER SUBSCRIPTION "a b" ENABLE')


@pytest.mark.parametrize(
    ("text", "is_certain"),
    [
        ("CREATE TABLE a (b int PRIMARY KEY, c text NOT NULL DEFAULT 'x' CHECK (f(c)))", True),
        ("-- why\nCREATE TABLE a.b (c int REFERENCES d); /* x */ create table e ()", True),
        ("CREATE TABLE A (b int); CREATE UNIQUE INDEX i ON a (b DESC, c); CREATE INDEX j ON a (c text_ops)", True),
        ("CREATE TABLE a (b int GENERATED ALWAYS AS IDENTITY, c int GENERATED BY DEFAULT AS IDENTITY)", True),
        ("CREATE TABLE a (b int, c int GENERATED ALWAYS AS (f(b)) STORED)", False),
        ("CREATE TABLE a (b int); CREATE INDEX i ON a (f(b))", False),
        ("CREATE TABLE a (b int); CREATE INDEX i ON a (b) WHERE f(1)", False),
        ("CREATE TABLE a (b int); CREATE INDEX i ON c (b)", False),
        ("CREATE TABLE IF NOT EXISTS a (b int); CREATE INDEX i ON a (b)", False),
        ("CREATE TABLE a (b int) PARTITION BY RANGE ((b + f(1)))", False),
        ("CREATE TABLE a (b int, EXCLUDE USING gist (f(1) WITH =))", False),
        ("CREATE TABLE a (b int); SELECT f()", False),
        ("CREATE TABLE a AS SELECT f()", False),
        ("CREATE TABLE a/**/AS/**/EXECUTE p", False),
        ("CREATE TABLE a PARTITION OF b DEFAULT", False),
        ("CREATE TABLE a (LIKE b INCLUDING ALL)", False),
        ("CREATE TABLE a () INHERITS (b)", False),
        ("CREATE TABLE a (b FROBNICATED, ); SELECT f()", False),
        ("CREATE UNLOGGED TABLE a ()", False),
        ("CREATE TABLE PG_TEMP.a ()", False),
        ("CREATE INDEX ON a (f(b))", False),
        ("ALTER TABLE a ADD b int DEFAULT f()", False),
        ("COMMENT ON TABLE a IS 'x'", False),
    ],
)
def test_only_of_plain_tables_it_is_certain_that_no_function_runs(text: str, is_certain: bool) -> None:
    assert runs_no_code(Script("1.sql", text.encode(), "", split_statements("1.sql", text.encode()))) is is_certain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT 1", ("SELECT",)),
        ("SELECT E'a'", ("SELECT",)),
        ('SELECT U&"a" b', ("SELECT", 'U&"a"', "B")),
        ('ALTER TABLE "a b"."c" RENAME', ("ALTER", "TABLE", '"a b"')),
        ('é/**/a -- b\r c\n\n"d""e" f', ("É", "A", "C", '"d""e"', "F")),
        ("a b c d e f g h i", tuple("ABCDEFGH")),
        ("a b c d e f g h -- i", tuple("ABCDEFGH")),
        ("(SELECT 1)", ()),
    ],
)
def test_first_words_are_those_that_the_scanner_finds(text: str, words: tuple[str, ...]) -> None:
    statement = Statement(text.encode())
    assert statement.words == words
    assert statement.first_word == next(iter(words), "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"SELECT E'\xff;'; SELECT 2", [r"SELECT E'\xff;'", "SELECT 2"]),
        ("FROBNICATE 12abc; SELECT 2", ["FROBNICATE 12abc", "SELECT 2"]),
        ("SELECT 1; SELECT 'a; b", ["SELECT 1", "SELECT 'a; b"]),
        ("FROBNICATE /* ; /* ; */ ; */ 1; -- ;\rSELECT 2", ["FROBNICATE /* ; /* ; */ ; */ 1", "SELECT 2"]),
        ("FROBNICATE U&\";\" '\\'; SELECT '\\'", ["FROBNICATE U&\";\" '\\'", "SELECT '\\'"]),
    ],
)
def test_a_text_that_this_parser_does_not_know_is_split_at_the_same_tokens(text: str, expected: list[str]) -> None:
    assert [s.text for s in split_statements("1.sql", text.encode())] == expected


@pytest.mark.parametrize(
    "text",
    [
        "SET/**/standard_conforming_strings = off",
        "SET LOCAL -- x\n \"standard_conforming_strings\" TO 'False'",
        "SELECT set_config('standard_conforming_strings', E'off', true)",
    ],
)
def test_a_file_whose_backslashes_become_escapes_is_refused(text: str) -> None:
    with pytest.raises(BadMigrationFile, match="a backslash in a string is an escape"):
        split_statements("1.sql", f"{text}; SELECT '\\'".encode())
    for harmless in ("SET standard_conforming_strings = on", "SELECT current_setting('standard_conforming_strings')"):
        assert len(split_statements("1.sql", f"{harmless}; SELECT '\\'".encode())) == 2


def test_a_lock_timeout_is_held_to_its_limit_behind_a_comment() -> None:
    locks = LockOptions(timeout_ms=500)
    for text in ("SET/**/lock_timeout = '20s'", "SET LOCAL -- x\n lock_timeout TO 20000", "RESET /* x */ lock_timeout"):
        assert locks.capped(text).endswith("lock_timeout = 500")
    assert locks.capped("SET a.b = 'SET lock_timeout = 0'") == "SET a.b = 'SET lock_timeout = 0'"
