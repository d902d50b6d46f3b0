"""What a file does with transactions of its own comes to the same in ours, or waits for a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, ours, sqitch, text_of
from wflo_schema.connect.database import Database
from wflo_schema.imports.operations import Import

T = "CREATE TABLE t (i int);"
ENUM = "CREATE TYPE mood AS ENUM ('sad');"
PROCEDURE = "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$;"

# What psql is given, what of it is left (None: all), whether it is transactional, and what is noted.
SAME = [
    (f"BEGIN;\n{T}\nCOMMIT;\n", f"{T}\n", True, ""),
    (f"start transaction; {T} end transaction;", f" {T}", True, ""),
    (f"SET lock_timeout = '1s';\nBEGIN;\n{T}\nCOMMIT AND NO CHAIN;\nRESET lock_timeout;\n", None, True, ""),
    (f"BEGIN;\n{T}\nCOMMIT;\nBEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT;\n", None, True, "its 2 transactions are one"),
    (f"{T}\nBEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT;\nINSERT INTO t VALUES (2);\n", None, True, "its 2 transactions"),
    (f"{T}\nCOMMIT;\nINSERT INTO t VALUES (1);\n", None, True, ""),
    (f"{T}\nBEGIN;\nINSERT INTO t VALUES (1);\nROLLBACK;\n", f"{T}\n", True, "rolls back what it does up to line 4"),
    (f"BEGIN;\nSELECT 1/0;\n{T}\nROLLBACK;\n".replace("1/0", "1"), "", True, "rolls back"),
    (f"SET LOCAL search_path = pg_temp;\n{T}\n", f"{T}\n", True, "has no effect outside of a transaction: left out"),
    (f"BEGIN;\nSET LOCAL search_path = public;\n{T}\nCOMMIT;\n", None, True, ""),
    (
        f"BEGIN;\nSET LOCAL lock_timeout = '1s';\n{T}\nCOMMIT;\nINSERT INTO t VALUES (1);\n",
        None,
        True,
        "2 transactions",
    ),
    (f"BEGIN;\nSAVEPOINT a;\n{T}\nROLLBACK TO a;\n{T}\nRELEASE a;\nCOMMIT;\n", None, True, ""),
    (f"BEGIN ISOLATION LEVEL READ COMMITTED;\nSET TRANSACTION READ WRITE;\n{T}\nCOMMIT;\n", None, True, ""),
    (f"{ENUM}\nALTER TYPE mood ADD VALUE 'ok';\nSELECT 'ok'::mood;\n", None, False, ""),
    (f"{ENUM}\nBEGIN;\nALTER TYPE mood ADD VALUE 'ok';\nCOMMIT;\nSELECT 'ok'::mood;\n", None, False, "each by itself"),
    (f"BEGIN;\n{ENUM}\nALTER TYPE mood ADD VALUE 'ok';\nCOMMIT;\n", None, True, ""),
    (f"BEGIN;\n{T}\nCOMMIT;\nCREATE INDEX CONCURRENTLY t_i ON t (i);\n", None, False, "each by itself"),
    (f"{T}\nDO $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$;\n", None, False, ""),
    (f"{T}\n{PROCEDURE}\nCALL fill();\n", None, False, ""),
    (f"{T}\nDO $$ BEGIN RAISE NOTICE 'commit'; END $$;\n", None, True, ""),
]

WAITS = [
    (f"BEGIN ISOLATION LEVEL SERIALIZABLE;\n{T}\nCOMMIT;\n", 1, "a migration's transaction is READ COMMITTED"),
    (f"BEGIN;\nSET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n{T}\nCOMMIT;\n", 2, "is READ COMMITTED"),
    (f"BEGIN;\n{T}\nCOMMIT AND CHAIN;\nSELECT 1;\nCOMMIT;\n", 3, "COMMIT AND CHAIN is no part of a migration"),
    (f"BEGIN;\n{T}\nPREPARE TRANSACTION 'x';\n", 3, "PREPARE TRANSACTION 'x' is no part of a migration"),
    (f"BEGIN;\n{T}\n", 1, "it begins a transaction that nothing ends"),
    ("BEGIN;\nSET LOCAL search_path = other;\nCOMMIT;\nCREATE TABLE t ();\n", 2, "ends with its transaction there"),
    ("BEGIN;\nSET CONSTRAINTS ALL DEFERRED;\nCOMMIT;\nSELECT 1;\n", 2, "ends with its transaction there"),
    ("BEGIN;\nCREATE TEMP TABLE x () ON COMMIT DROP;\nCOMMIT;\nSELECT 1;\n", 2, "ends with its transaction there"),
    ("BEGIN;\nLOCK TABLE t;\nCOMMIT;\nVACUUM t;\n", 2, "needs a transaction, and the statements of this file run each"),
    ("BEGIN;\nSAVEPOINT a;\nCOMMIT;\nVACUUM t;\n", 2, "needs a transaction, and the statements of this file run each"),
    ("BEGIN;\nSET LOCAL role = x;\nSELECT 1;\nCOMMIT;\nVACUUM t;\n", 2, "SET LOCAL role = x"),
]


def _one(tmp_path: Path, text: str, database: Database | None = None) -> Import:
    return imported(tmp_path, sqitch({"one": text}), database)


@pytest.mark.parametrize(("text", "left", "is_transactional", "said"), SAME)
def test_transactions_of_a_file_are_left_out_where_that_is_the_same(
    tmp_path: Path, text: str, left: str | None, is_transactional: bool, said: str
) -> None:
    found = _one(tmp_path, text)
    (one,) = found.files
    assert (one.is_open, one.is_transactional) == (False, is_transactional)
    assert said in "\n".join(one.notes) and bool(said) == bool(one.notes), one.notes
    written = text_of(tmp_path, "0001_one.sql")
    lines = [line for line in written.split("\n") if not line.startswith("--")]
    assert left is None or "\n".join(lines).strip() == left.strip()


@pytest.mark.parametrize(("text", "line", "said"), WAITS)
def test_a_transaction_that_means_something_else_here_waits_for_a_person(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    (one,) = _one(tmp_path, text).files
    assert one.is_open
    assert any(f"one.sql:{line}: " in note and said in note for note in one.notes), one.notes


@pytest.mark.spread_over_servers
def test_what_is_left_of_a_files_transactions_makes_the_same(tmp_path: Path, database: Database) -> None:
    changes = {}
    for n, (text, *_) in enumerate(SAME):
        for name in ("t", "fill", "mood"):
            text = text.replace(f" {name} ", f" {name}{n} ").replace(f"{name}()", f"{name}{n}()")
        changes[f"c{n:02}"] = text.replace("::mood", f"::mood{n}").replace("t_i ON", f"t_i{n} ON")
    files = sqitch(changes)
    files["sqitch.plan"] = files["sqitch.plan"].replace("2024-01-0", "2024-01-").replace("2024-01-", "2024-01-0")
    lines = [f"{name} 2024-01-01T00:00:00Z N <n@example.org>" for name in changes]
    found = imported(tmp_path, files | {"sqitch.plan": "%project=p\n\n" + "\n".join(lines) + "\n"}, database)
    assert found.open_files == ()
    assert found.proof is not None and found.proof.is_whole, found.proof
    assert len(ours(tmp_path)) == len(SAME)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("CREATE TABLE t (a text);\n-- it's\nINSERT INTO t VALUES ('a'),\n  ('b\nc');\n", 3),
        ("COMMENT ON TABLE t IS $$a\nb$$;\n", 1),
        ("CREATE TABLE t (\n  a text DEFAULT 'a\nb');\n", 1),
        ("CREATE VIEW v AS SELECT 'a\nb' AS a;\n", 1),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n SELECT 1;\n$$;\nINSERT INTO t\n VALUES ('a');\n", 0),
        ("SELECT 1 -- it's\n + 2; /* it's\n */ DO $$\nBEGIN END $$;\n", 0),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_text_whose_lines_end_otherwise_here_is_told(tmp_path: Path, text: str, line: int, end: str) -> None:
    found = imported(tmp_path, {"0001_a.up.sql": text.replace("\n", end).encode()})
    notes = [note for note in found.files[0].notes if "CR LF" in note]
    told = [f"0001_a.up.sql:{line}: " in note for note in notes]
    assert told == ([True] if line and end == "\r\n" else [])


@pytest.mark.parametrize(
    ("tool", "name", "text"),
    [
        ("flyway", "V1__a.sql", "-- " + "${" * 100_000),
        ("liquibase", "a.sql", "-- " + "${ " * 100_000),
        ("liquibase", "a.sql", "--changeset" + " " * 100_000),
        ("pop", "1_a.up.sql", "-- " + "{{ " * 100_000),
        ("tern", "001_a.sql", "-- " + "{{ " * 100_000),
        ("tern", "001_a.sql", "-- {{ " + '"a" ' * 100_000),
        ("sqitch", "deploy/a.sql", "\\copy a" + " " * 100_000),
    ],
)
def test_what_has_no_end_is_read_once_however_often_it_begins(tmp_path: Path, tool: str, name: str, text: str) -> None:
    head = "--liquibase formatted sql\n--changeset n:1\n" if tool == "liquibase" else ""
    files = {name: f"{head}{T}\n{text}\n"}
    found = imported(tmp_path, sqitch({"a": files[name]}) if tool == "sqitch" else files, tool=tool)
    assert len(found.files) == 1


@pytest.mark.parametrize(
    "comment",
    [
        "-- migrate:down",
        "-- +goose StatementBegin",
        "-- depends: a",
        "-- lock_timeout -> 3s",
        "/*\ntransactional: false\n*/",
        f"{T}\n-- transactional: false",
        "DROP TABLE t;\n-- rollback",
    ],
)
def test_every_comment_that_would_mean_something_here_is_given_other_words(tmp_path: Path, comment: str) -> None:
    files = {"1_a.up.sql": f"{comment}\n" * 1_100 + T}
    found = imported(tmp_path, files, tool="golang-migrate")
    (one,) = found.files
    assert not one.is_open, one.notes
    assert text_of(tmp_path, "0001_a.sql").count("as it was: ") == 1_100
    assert ours(tmp_path).items[0].is_transactional
