"""Migration files as values: found and ordered as yoyo does it, split as PostgreSQL does it."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import parse_duration_ms
from wflo_schema.files.folder import (
    Migration,
    load_rollback,
    load_script,
    migration_hash,
    read_migrations,
)


def write(folder: Path, name: str, text: str | bytes = "SELECT 1") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def only(folder: Path) -> Migration:
    (item,) = read_migrations(folder)
    return item


def refused(folder: Path) -> BadMigrationFile:
    with pytest.raises(BadMigrationFile) as caught:
        for m in read_migrations(folder):
            load_script(m)
    return caught.value


# files


def test_files_are_found_named_and_ordered_as_yoyo_does(tmp_path: Path) -> None:
    from yoyo import read_migrations as read_as_yoyo

    for name in ["10-b.sql", "02-a.sql", "B.sql", "a.sql", "a.b.sql", ".hidden.sql", "_tmp_yoyonew1.sql", "é.sql"]:
        write(tmp_path, name)
    write(tmp_path, "02-a.rollback.sql")
    write(tmp_path, "README.md", "no")
    ids = [m.id for m in read_migrations(tmp_path)]
    assert ids == ["02-a", "10-b", "B", "a.b", "a", "é"]
    (tmp_path / ".hidden.sql").unlink()
    assert ids == [m.id for m in read_as_yoyo(str(tmp_path)) if m.id != "_tmp_yoyonew1"]


def test_dependencies_come_first_in_yoyos_own_order(tmp_path: Path) -> None:
    from yoyo import read_migrations as read_as_yoyo
    from yoyo.migrations import topological_sort

    write(tmp_path, "1.sql", "-- depends: 4\nSELECT 1")
    write(tmp_path, "2.sql", "-- depends: 1 3\nSELECT 1")
    write(tmp_path, "3.sql", "SELECT 1")
    write(tmp_path, "4.sql", "SELECT 1")
    found = read_migrations(tmp_path)
    ids = [m.id for m in found]
    assert ids.index("4") < ids.index("1") < ids.index("2") and ids.index("3") < ids.index("2")
    assert found.items[-1].depends == ("1", "3")
    assert ids == [m.id for m in topological_sort(read_as_yoyo(str(tmp_path)))]


def test_hash_is_yoyos(tmp_path: Path) -> None:
    from yoyo.migrations import get_migration_hash

    assert migration_hash("20251110_01_6d27a-ü") == get_migration_hash("20251110_01_6d27a-ü")


def test_several_folders_are_one_set(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, name in ((one, "1.sql"), (two, "2.sql")):
        folder.mkdir()
        write(folder, name)
    assert [m.id for m in read_migrations(one, two)] == ["1", "2"]
    write(two, "1.sql")
    with pytest.raises(BadMigrationFile, match="two migration files have the id 1"):
        read_migrations(one, two)


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=r"no folder .*nix"):
        read_migrations(tmp_path / "nix")


def test_rollback_files_of_nothing_are_listed_as_stray(tmp_path: Path) -> None:
    write(tmp_path, "1.sql")
    path = write(tmp_path, "2.rollback.sql")
    found = read_migrations(tmp_path)
    assert found.stray_rollbacks == (str(path),) and found.without_rollback == ("1",)


@pytest.mark.parametrize("name", ["1.py", "post-apply.sql"])
def test_files_that_yoyo_would_run_and_we_do_not_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    assert name in refused(tmp_path).message


def test_missing_dependency_and_circle_are_told_with_their_names(tmp_path: Path) -> None:
    write(tmp_path, "1.sql", "\n-- depends: nix\nSELECT 1")
    with pytest.raises(BadMigrationFile, match="1 depends on nix") as caught:
        read_migrations(tmp_path).refuse_absent(())
    assert caught.value.location is not None and caught.value.location.line == 2
    read_migrations(tmp_path).refuse_absent({migration_hash("nix")})
    write(tmp_path, "1.sql", "-- depends: 2\nSELECT 1")
    write(tmp_path, "2.sql", "-- depends: 1\nSELECT 1")
    assert "circle" in refused(tmp_path).message


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [(b"-- \xe4", 1, 4), (b"SELECT 1;\n-- ok\nSELECT '\xff';", 3, 9), (b"\xff\xfeS\x00", 1, 1)],
)
def test_file_that_is_not_utf8_is_refused_at_the_byte(tmp_path: Path, content: bytes, line: int, column: int) -> None:
    write(tmp_path, "1.sql", content)
    error = refused(tmp_path)
    assert "not UTF-8" in error.message and error.location is not None and error.hint is not None
    assert ("it is UTF-16" in error.hint) == content.startswith(b"\xff\xfe")
    assert (error.location.line, error.location.column) == (line, column)


def test_nul_character_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1.sql", b"SELECT 1;\nSELECT '\x00'")
    error = refused(tmp_path)
    assert "NUL" in error.message and error.location is not None and error.location.line == 2


def test_checksum_counts_content_and_neither_line_ends_nor_byte_order_mark(tmp_path: Path) -> None:
    sums = set()
    for text in (b"SELECT 1;\nSELECT 2;", b"SELECT 1;\r\nSELECT 2;", b"\xef\xbb\xbfSELECT 1;\nSELECT 2;"):
        write(tmp_path, "1.sql", text)
        sums.add(only(tmp_path).checksum)
    assert sums == {hashlib.sha256(b"SELECT 1;\nSELECT 2;").hexdigest()}
    write(tmp_path, "1.sql", b"SELECT 1;\nSELECT 2; ")
    assert only(tmp_path).checksum not in sums


def test_file_that_changed_since_it_was_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "1.sql")
    m = only(tmp_path)
    path.write_text("SELECT 2")
    with pytest.raises(BadMigrationFile, match="changed while"):
        load_script(m)


def test_id_is_found_by_its_beginning(tmp_path: Path) -> None:
    for name in ("20250101_01_abc-x", "20250101_02_def-y", "20250102_01_ghi-z"):
        write(tmp_path, f"{name}.sql")
    found = read_migrations(tmp_path)
    assert found.resolve("20250102").id == "20250102_01_ghi-z"
    assert found.resolve("20250101_01_abc-x.sql").id == "20250101_01_abc-x"
    with pytest.raises(BadMigrationFile, match="fits 2 migrations"):
        found.resolve("20250101")
    with pytest.raises(BadMigrationFile, match="no migration 2026"):
        found.resolve("2026")


@pytest.mark.parametrize(
    "wish",
    [
        "1_t",
        "1_t.sql",
        "1_t.rollback.sql",
        "{}/1_t.sql",
        "{}/1_t.rollback.sql",
        "{}/../m/1_t.sql",
        "{}/1_t",
        "old/1_t.sql",
    ],
)
def test_a_migration_is_found_by_its_file_wherever_an_id_is_taken(tmp_path: Path, wish: str) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("1_t.sql", "1_t.rollback.sql", "1_t_more.sql"):
        (folder / name).write_text("SELECT 1;")
    assert read_migrations(folder).resolve(wish.format(folder)).id == "1_t"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_migration_is_found_by_the_other_spelling_of_an_accent(tmp_path: Path, form: str) -> None:
    on_disk, typed = unicodedata.normalize("NFC", "1_é"), unicodedata.normalize("NFD", "1_é")
    if form == "NFD":
        on_disk, typed = typed, on_disk
    (tmp_path / f"{on_disk}.sql").write_text("SELECT 1;")
    assert read_migrations(tmp_path).resolve(typed).id == on_disk
    assert read_migrations(tmp_path).resolve(f"{typed}.sql").id == on_disk


def test_a_file_of_another_folder_or_no_file_is_no_migration_of_this_one(tmp_path: Path) -> None:
    for name in ("m", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1_t.sql").write_text("SELECT 1;")
    found = read_migrations(tmp_path / "m")
    with pytest.raises(BadMigrationFile, match=r"other/1_t\.sql is not in .*m"):
        found.resolve(f"{tmp_path}/other/1_t.sql")
    for wish in ("1.sql", "m/", "1_t.sql.bak", "", "/"):
        with pytest.raises(BadMigrationFile):
            found.resolve(wish)


def test_heads_are_the_ends_of_a_forked_history_only(tmp_path: Path) -> None:
    write(tmp_path, "1.sql")
    write(tmp_path, "2.sql")
    assert read_migrations(tmp_path).heads() == ()
    write(tmp_path, "3.sql", "-- depends: 1\nSELECT 1")
    assert read_migrations(tmp_path).heads() == ()
    write(tmp_path, "4.sql", "-- depends: 1\nSELECT 1")
    assert read_migrations(tmp_path).heads() == (("3", "4"),)
    write(tmp_path, "5.sql", "-- depends: 3 4\nSELECT 1")
    assert read_migrations(tmp_path).heads() == ()


# directives


def test_directives_of_the_leading_comments_count(tmp_path: Path) -> None:
    write(tmp_path, "0.sql")
    write(
        tmp_path,
        "1.sql",
        "-- why\n\n--transactional: false\n-- lock-timeout: 1.5s\n-- depends: 0\nSELECT 1;\n-- lock-timeout: 9s",
    )
    m = read_migrations(tmp_path).items[1]
    assert (m.is_transactional, m.lock_timeout_ms, m.depends) == (False, 1500, ("0",))


@pytest.mark.parametrize("line", ["-- transactional: maybe", "-- lock-timeout: soon", "-- lock-timeout: 5 parsecs"])
def test_directive_that_makes_no_sense_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    write(tmp_path, "1.sql", f"-- x\n{line}\nSELECT 1")
    error = refused(tmp_path)
    assert error.location is not None and error.location.line == 2


@pytest.mark.parametrize(
    ("text", "ms"),
    [("500ms", 500), ("2s", 2000), ("1 min", 60_000), ("'0.5h'", 1_800_000), ("0", 0), ("0s", 0), ("0.4ms", 1)],
)
def test_durations_are_read_as_postgresql_writes_them(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "s", "-1s", "1d", "1 2", "1e3"])
def test_what_is_no_duration_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration_ms(text)


# statements


SPLIT: dict[str, tuple[str, list[tuple[int, int, str]]]] = {
    "plain": ("SELECT 1; SELECT 2", [(1, 1, "SELECT 1"), (1, 11, "SELECT 2")]),
    "comments before and between": (
        "-- a;\n/* b; /* c; */ */ SELECT 1 /* ; */ -- ;\n;\n  -- d\n  SELECT 2;",
        [(2, 19, "SELECT 1"), (5, 3, "SELECT 2")],
    ),
    "strings": (
        "SELECT ';', E'\\';', $$;$$, $a$ ; $$ $a$, \";\"; SELECT 2",
        [(1, 1, "SELECT ';'"), (1, 47, "SELECT 2")],
    ),
    "atomic body": (
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC "
            "SELECT 1; SELECT CASE WHEN true THEN 2 END; END;\nSELECT 2"
        ),
        [(1, 1, "CREATE FUNCTION"), (2, 1, "SELECT 2")],
    ),
    "rule with several": (
        "CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2); SELECT 3",
        [(1, 1, "CREATE RULE"), (1, 63, "SELECT 3")],
    ),
    "empty": (" ;; \n-- x\n;", []),
    "wide characters": (
        "SELECT '🐘ä'; SELECT 2;\n/* é */ SELECT 3",
        [(1, 1, "SELECT '🐘"), (1, 14, "SELECT 2"), (2, 9, "SELECT 3")],
    ),
    "a comment that repeats the statement": (
        "-- DROP TABLE a\nDROP TABLE a;\n/* as above: DROP TABLE b */ DROP TABLE b;",
        [(2, 1, "DROP TABLE a"), (3, 30, "DROP TABLE b")],
    ),
    "a no-break space, which is no blank": ("\xa0SELECT 1;\xa0", [(1, 1, "\xa0SELECT 1"), (1, 11, "\xa0")]),
    "unknown syntax": (
        "FROBNICATE a;\nSELECT ';' ; -- ;\nSELECT (1\n;2); SELECT $x$;$x$",
        [
            (1, 1, "FROBNICATE a"),
            (2, 1, "SELECT ';'"),
            (3, 1, "SELECT (1"),
            (4, 6, "SELECT $x$"),
        ],
    ),
    "unknown syntax and an atomic body": (
        (
            "FROBNICATE;\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC "
            "SELECT 1; SELECT CASE WHEN true THEN 2 END; END;\nSELECT 2"
        ),
        [(1, 1, "FROBNICATE"), (2, 1, "CREATE FUNCTION"), (3, 1, "SELECT 2")],
    ),
}


@pytest.mark.parametrize("what", SPLIT)
def test_statements_are_split_as_postgresql_splits_them(tmp_path: Path, what: str) -> None:
    text, expected = SPLIT[what]
    write(tmp_path, "1.sql", text)
    script = load_script(only(tmp_path))
    assert [(s.line, s.column) for s in script.statements] == [(line, column) for line, column, _ in expected]
    for statement, (_, _, beginning) in zip(script.statements, expected, strict=True):
        assert statement.text.startswith(beginning)
        assert script.source[statement.start :].decode().startswith(statement.text)
        location = statement.location(script.path)
        assert (location.line, location.column) == (statement.line, statement.column)


def test_words_of_a_statement_are_its_first_without_comments(tmp_path: Path) -> None:
    write(tmp_path, "1.sql", 'create /* x */ Index -- y\n concurrently "a B" on t (x)')
    (statement,) = load_script(only(tmp_path)).statements
    assert statement.words == ("CREATE", "INDEX", "CONCURRENTLY", '"a B"', "ON", "T")


ALONE = (
    "CREATE TABLE a (id int);\n",
    "-- why; how's\n\nCREATE TABLE a (\n    id int\n)\n;\n-- end",
    "\t select 1 - -1 / 2 ; ",
    "ALTER TABLE a ADD b text",
    "vacuum",
    "SELECT a.é FROM a\r;\r",
    "UPDATE a SET b = c WHERE d @> e AND f -> g % 2 = h",
    "create index i on a (b)\v\f;",
    "SELECT $1",
    "SELECT -- ;\n1;",
    "SELECT 1--",
    "SELECT 1 -- x\n;",
    "SELECT 1;;",
    "SELECT 1\n;\n;",
    "BEGIN",
    "COMMIT -- now\n;",
)


@pytest.mark.parametrize("text", ALONE)
def test_one_plain_statement_is_found_as_the_parser_finds_it(tmp_path: Path, text: str) -> None:
    def found(text: str, above: int) -> object:
        write(tmp_path, "1.sql", text)
        try:
            return [(s.text, s.line - above, s.column) for s in load_script(only(tmp_path)).statements]
        except BadMigrationFile as error:
            assert error.location is not None
            return error.location.line - above

    assert found(text, 0) == found(f"/* with this, the parser is asked */\n{text}", 1)


def test_postgresqls_own_files_are_split_into_what_psql_sends(tmp_path: Path) -> None:
    """A body with every kind of quote, on one line and on many."""
    body = "DO $do$ BEGIN EXECUTE 'SELECT '';'''; EXECUTE $e$ SELECT ';' $e$; END $do$"
    write(tmp_path, "1.sql", f"{body};{body};\n{body}")
    assert [s.text for s in load_script(only(tmp_path)).statements] == [body] * 3


def test_rollback_says_when_there_is_nothing_to_undo(tmp_path: Path) -> None:
    write(tmp_path, "1.sql")
    assert load_rollback(only(tmp_path)) is None
    write(tmp_path, "1.rollback.sql", "-- nothing-to-undo: because\n")
    script = load_rollback(only(tmp_path))
    assert script is not None and script.nothing_to_undo and not script.statements
    write(tmp_path, "1.rollback.sql", "SELECT 1; -- nothing-to-undo\n")
    script = load_rollback(only(tmp_path))
    assert script is not None and not script.nothing_to_undo
