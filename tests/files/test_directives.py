"""Directives mean what they mean to yoyo, and files come in yoyo's order, though yoyo is not imported for it."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from yoyo.migrations import parse_metadata_from_sql_comments
from yoyo.topologicalsort import topological_sort

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import KNOWN, read_directives
from wflo_schema.files.folder import load_rollback, load_script, read_migrations

HEADS = (
    "-- depends: a b\n",
    "--depends:a\n",
    "  --   depends :  a   \n",
    "-- depends: a\n-- depends: b\n",
    "-- depends: a\n\n-- note\n--\n-- transactional: false\n-- depends: c\n",
    "-- transactional: FALSE\n",
    "-- transactional: true \n-- a note: with a colon\n",
    "-- depends:\n",
    "-- depends:\t a\tb\n",
    "\n\n-- depends: a\nSELECT 1;\n-- depends: b\n",
    "-- note\n--- depends: a\n",
    "-- Depends: a\n",
    "SELECT 1;\n-- depends: a\n",
    "-- depends: a",
    "-- x depends: a\n",
)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_directives_are_read_as_yoyo_reads_them(head: str, line_end: str) -> None:
    text = head + "CREATE TABLE t (id integer);\n"
    theirs, _, _ = parse_metadata_from_sql_comments(text.replace("\n", line_end))
    ours = read_directives("a.sql", text).values
    for name in ("depends", "transactional"):
        assert ours.get(name, "").split() == theirs.get(name, "").split(), name


# What a, b and c depend on, in every way that is no circle.
NEEDS = [
    (a, b, c)
    for a, b, c in itertools.product(["", "b", "c", "b c"], ["", "c", "a"], ["", "a"])
    if not (("b" in a and "a" in b) or ("c" in a and "a" in c) or ("b" in a and "c" in b and "a" in c))
]


@pytest.mark.parametrize("needs", NEEDS)
def test_files_come_in_yoyos_order(tmp_path: Path, needs: tuple[str, ...]) -> None:
    graph = {name: set(need.split()) for name, need in zip("abc", needs, strict=True)}
    wanted = list(topological_sort("abc", graph))
    for name, need in zip("abc", needs, strict=True):
        (tmp_path / f"{name}.sql").write_text(f"-- depends: {need}\nSELECT 1;\n" if need else "SELECT 1;\n")
    assert [m.id for m in read_migrations(tmp_path)] == wanted


def test_a_folder_in_order_is_read_without_importing_yoyo_or_the_parser(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- transactional: false\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- depends: a\nSELECT 1;\nSELECT 2;\n")
    code = (
        "import sys; from wflo_schema.files.folder import read_migrations\n"
        f"print([m.id for m in read_migrations({str(tmp_path)!r})], 'yoyo' in sys.modules, 'postgast' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['a', 'b'] False False"


NEARLY = {
    "-- Transactional: false": "transactional: false",
    "-- TRANSACTIONAL: FALSE": "transactional: FALSE",
    "-- transactionnal: false": "transactional: false",
    "-- transaction: false": "transactional: false",
    "-- transactional = false": "transactional: false",
    "-- transactional false": "transactional: false",
    "--- transactional: false": "transactional: false",
    "-- trasnactional:off": "transactional: off",
    "-- lock_timout: 3s": "lock-timeout: 3s",
    "-- lock timeout: 3s": "lock-timeout: 3s",
    "-- Lock-Timeout: 500ms": "lock-timeout: 500ms",
    "-- lock-timeout 3s": "lock-timeout: 3s",
    "-- block_timout: 30s": "block-timeout: 30s",
    "-- blok-timeout: 30s": "block-timeout: 30s",
    "-- block timeout: 0": "block-timeout: 0",
    "-- Block-Timeout: 500ms": "block-timeout: 500ms",
    "-- block-timeout 30s": "block-timeout: 30s",
    "-- blocktimeout -> 30s": "block-timeout: 30s",
    "-- depend: 20260101_01_a": "depends: 20260101_01_a",
    "-- depends on: 0001 0002": "depends: 0001 0002",
    "-- Depends: 0001_users": "depends: 0001_users",
    "-- nothing to undo: it only looks": "nothing-to-undo: it only looks",
    "-- 'transactional': false": "transactional: false",
    "-- `transactional: false`": "transactional: false",
    "-- [transactional: false]": "transactional: false",
    "-- !transactional: false": "transactional: false",
    "-- transactional -> false": "transactional: false",
    "-- transactional, false": "transactional: false",
    "-- transactional\uff1a false": "transactional: false",
    "-- tr\u0430nsactional: false": "transactional: false",
    "-- \u200btransactional: false": "transactional: false",
    "-- lock_timeout = '3s'": "lock-timeout: 3s",
    "-- lock_timeout 3s": "lock-timeout: 3s",
    "/* transactional: false */": "transactional: false",
    "/*\n * -- transactional: false\n */": "transactional: false",
    "/* (c) us */ -- Transactional: false": "transactional: false",
}


@pytest.mark.parametrize("head", NEARLY)
@pytest.mark.parametrize("before", ["", "-- Why we do this.\n\n", "/* A licence\n   of /* two */ lines. */\n"])
@pytest.mark.parametrize("is_rollback", [False, True])
def test_what_nearly_is_a_directive_is_refused_with_the_nearest(
    tmp_path: Path, head: str, before: str, *, is_rollback: bool
) -> None:
    texts = {"1.sql": "SELECT 1;\n", "1.rollback.sql": "SELECT 2;\n"}
    name = "1.rollback.sql" if is_rollback else "1.sql"
    texts[name] = f"{before}{head}\n{texts[name]}"
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    (m,) = read_migrations(tmp_path)
    script = load_rollback(m) if is_rollback else load_script(m)
    assert script is not None
    with pytest.raises(BadMigrationFile, match="is no directive") as caught:
        script.refuse_doubtful()
    assert f"write -- {NEARLY[head]};" in caught.value.hint
    line = texts[name][: texts[name].index(NEARLY[head].split(":")[-1].strip().split()[0])].count("\n") + 1
    assert caught.value.location is not None and caught.value.location.line == line


@pytest.mark.parametrize(
    "comment",
    [
        "-- Note: this is slow",
        "-- depends on the users table",
        "-- Depends: on the users table, which is filled by a job",
        "-- transactional because both belong together",
        "-- Transaction: one for each customer",
        "-- not transactional: see below",
        "-- lock timeout: a short one, please",
        "-- block timeout: a long one, please",
        "-- Undo: DROP TABLE t",
        "-- Author: me",
        "-- Date: 2026-01-01",
        "-- replaced: nothing",
        "-- https://example.com/transactional: false",
        "/* Note: the lock-timeout of 3s is the default */",
        "--",
        "-- a: b",
        "-- was: a text column",
        "-- replaces: the old view",
        "-- TODO: x",
        "-- transactional semantics: see above",
        "-- transactional, because false rows would stay",
        "-- depends on the weather",
    ],
)
def test_prose_is_no_directive(tmp_path: Path, comment: str) -> None:
    (tmp_path / "1.sql").write_text(f"{comment}\nSELECT 1;\n")
    (tmp_path / "2.sql").write_text(f"{comment}\nSELECT 1;\n")
    for m in read_migrations(tmp_path):
        script = load_script(m)
        script.refuse_doubtful()
        assert len(script.statements) == 1 and not m.was and not m.replaces


@pytest.mark.parametrize(
    "late", ["-- transactional: false", "  --lock-timeout: 3s", "-- block-timeout: 30s", "-- transactional: false\r"]
)
@pytest.mark.parametrize("is_rollback", [False, True])
def test_a_directive_behind_a_statement_is_not_overlooked(tmp_path: Path, late: str, *, is_rollback: bool) -> None:
    texts = {"1.sql": "SELECT 1;\n", "1.rollback.sql": "SELECT 2;\n"}
    texts["1.rollback.sql" if is_rollback else "1.sql"] = f"SET a.b = 'c';\n{late}\nSELECT 1;\n"
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    (m,) = read_migrations(tmp_path)
    script = load_rollback(m) if is_rollback else load_script(m)
    assert script is not None
    with pytest.raises(BadMigrationFile, match="stands behind a statement, where it does not count") as caught:
        script.refuse_doubtful()
    assert caught.value.location is not None and caught.value.location.line == 2


def test_a_directive_in_a_text_or_a_body_is_none(tmp_path: Path) -> None:
    body = "DO $$\nBEGIN\n-- transactional: false\nEND $$;\nSELECT '\n-- lock-timeout: 3s\n';\n"
    (tmp_path / "1.sql").write_text(f"{body}SELECT 1; -- transactional: false\n")
    (m,) = read_migrations(tmp_path)
    load_script(m).refuse_doubtful()
    assert m.is_transactional


@pytest.mark.parametrize("head", ["/* licence */\n", "/* a\n/* b */\n c */ ", "-- a\n/* b */ /* c */\n\n-- d\n"])
def test_directives_below_a_licence_count(tmp_path: Path, head: str) -> None:
    (tmp_path / "0.sql").write_text("SELECT 1;\n")
    (tmp_path / "1.sql").write_text(f"{head}-- transactional: false\n-- lock-timeout: 3s\n-- depends: 0\nSELECT 1;\n")
    m = read_migrations(tmp_path).items[1]
    assert (m.is_transactional, m.lock_timeout_ms, m.depends) == (False, 3000, ("0",))


def test_a_timeout_without_unit_is_refused_where_it_is_still_to_be_run(tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("-- why\n-- lock-timeout: 500\nSELECT 1;\n")
    (m,) = read_migrations(tmp_path)
    assert m.lock_timeout_ms == 500
    script = load_script(m)
    with pytest.raises(BadMigrationFile, match="'500' has no unit: write 500s for seconds, 500ms") as caught:
        script.refuse_doubtful()
    assert caught.value.location is not None and caught.value.location.line == 2


PHASES = {
    "-- phase: after deploy": "after-deploy",
    "-- phase: after_deploy": "after-deploy",
    "-- phase: After-Deploy": "after-deploy",
    "-- Phase: after-deploy": "after-deploy",
    "-- phases: after-deploy": "after-deploy",
    "-- phse: after-deploy": "after-deploy",
    "-- phase after-deploy": "after-deploy",
    "-- phase = after-deploy": "after-deploy",
    "-- phase: after-deploy, once nobody reads it": "after-deploy",
    "-- phase: after-deploy.": "after-deploy",
    "-- phase: after-deployment": "after-deploy",
    "-- phase: post-deploy": "after-deploy",
    "-- phase: pre deploy": "before-deploy",
    "-- phase: beforedeploy": "before-deploy",
    "-- phase: before": "before-deploy",
    "-- phase: contract": "before-deploy or -- phase: after-deploy",
    "-- phase: deploy": "before-deploy or -- phase: after-deploy",
    "/* phase: after-deploy */": "after-deploy",
}


@pytest.mark.parametrize("line", PHASES)
def test_what_nearly_is_a_phase_is_refused_where_it_is_to_be_run(tmp_path: Path, line: str) -> None:
    (tmp_path / "1.sql").write_text(f"-- Why.\n{line}\nSELECT 1;\n")
    (m,) = read_migrations(tmp_path)
    assert m.phase == "before-deploy"
    with pytest.raises(BadMigrationFile, match="the nearest is -- phase:") as caught:
        load_script(m).refuse_doubtful()
    assert f"write -- phase: {PHASES[line]};" in caught.value.hint
    assert caught.value.location is not None and caught.value.location.line == 2


@pytest.mark.parametrize(
    "line",
    [
        "-- phase: 2 of the plan",
        "-- Phase 1: create tables",
        "-- phase: create the tables",
        "-- Phase two",
        "-- phase: 1",
        "-- a phase: after the summer",
        "-- phase:",
    ],
)
def test_prose_about_phases_is_no_directive(tmp_path: Path, line: str) -> None:
    (tmp_path / "1.sql").write_text(f"{line}\nSELECT 1;\n")
    (m,) = read_migrations(tmp_path)
    load_script(m).refuse_doubtful()
    assert m.phase == "before-deploy"


@pytest.mark.parametrize("line", ["-- phase: after-deploy", "--phase:after-deploy  ", "  -- phase : after-deploy\r"])
def test_a_phase_is_read_and_behind_a_statement_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "1.sql").write_text(f"{line}\nSELECT 1;\n")
    (tmp_path / "2.sql").write_text(f"SELECT 1;\n{line}\nSELECT 2;\n")
    first, second = read_migrations(tmp_path)
    assert (first.phase, second.phase) == ("after-deploy", "before-deploy")
    load_script(first).refuse_doubtful()
    with pytest.raises(BadMigrationFile, match="stands behind a statement"):
        load_script(second).refuse_doubtful()


def test_a_repeatable_file_has_no_phase(tmp_path: Path) -> None:
    (tmp_path / "repeatable").mkdir()
    (tmp_path / "repeatable" / "v.sql").write_text("-- phase: after-deploy\nCREATE VIEW v AS SELECT 1;\n")
    with pytest.raises(BadMigrationFile, match="has a phase"):
        read_migrations(tmp_path)


def test_long_comments_are_read_in_time_with_their_length() -> None:
    for value in ("word " * 20_000, "1-," * 20_000 + " x", "1 , " * 20_000 + "x", "ab 1 " * 20_000 + "x"):
        for name in KNOWN:
            text = f"-- {name[:-1]}: {value}\n"
            with contextlib.suppress(BadMigrationFile):
                read_directives("a.sql", text).refuse_doubtful(text)
