"""Another tool's folder is named, and nothing of it is read as a migration; a folder of ours never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.files.naming import new_migration
from wflo_schema.files.tools import LAYOUTS, UNDO

CREATE = "CREATE TABLE t (a int);\n"
DROP = "DROP TABLE t;\n"


def lay_out(root: Path, *names: str, text: str = CREATE) -> Path:
    folder = root / "migrations"
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(BadMigrationFile) as caught:
        read_migrations(folder)
    said, _, named = caught.value.hint.partition("wflo-schema import ")
    assert "nothing of it was run" in said and named in (str(folder), str(folder.parent))
    return caught.value.message


NAMES = {
    "golang-migrate": ("000001_users.up.sql", "000001_users.down.sql"),
    "golang-migrate, one way": ("000001_users.up.sql",),
    "Bun": ("1_users.tx.up.sql", "1_users.tx.down.sql"),
    "Postgrator": ("001.do.sql", "001.undo.sql"),
    "Postgrator, with words": ("001.do.users.sql", "001.undo.users.sql"),
    "db-migrate": ("20240101-users-up.sql", "20240101-users-down.sql"),
    "Flyway": ("V1__users.sql",),
    "Flyway, undo": ("V1.1__users.sql", "U1.1__users.sql"),
    "Flyway, repeatable": ("R__view.sql",),
    "Flyway, callback": ("users.sql", "afterMigrate.sql"),
    "Liquibase": ("users.sql", "db.changelog-master.xml"),
    "tern": ("001_users.sql", "tern.conf"),
    "Sqitch": ("sqitch.plan", "deploy/users.sql", "revert/users.sql", "verify/users.sql"),
    "Drizzle": ("0000_users.sql", "meta/_journal.json"),
    "Atlas": ("20240101_users.sql", "atlas.sum"),
    "Pop": ("20180413_users.postgres.up.sql", "20180413_users.postgres.down.sql"),
    "Pop, fizz": ("20180413_users.up.fizz", "20180413_users.down.fizz", "20180414_views.sql"),
    "Hasura": ("1597329123456_users/up.sql", "1597329123456_users/down.sql"),
    "Hasura, one way, flat": ("1597329123456_users.up.sql",),
    "grate": ("up/001_users.sql", "views/people.sql", "runAfterOtherAnyTimeScripts/grants.sql"),
    "Flyway, other callbacks": ("users.sql", "afterClean.sql"),
    "Prisma, without its lock": ("20240101_users/migration.sql", "20240101_users/README.md"),
    "Prisma": ("20240101_users/migration.sql", "migration_lock.toml"),
    "Diesel": ("2024-01-01_users/up.sql", "2024-01-01_users/down.sql"),
    "Alembic": ("script.py.mako", "users.sql"),
    "golang-migrate, by another ending": ("1_users.up.pgsql", "1_users.down.pgsql"),
    "golang-migrate, templates": ("1_users.up.sql.tmpl", "1_users.down.sql.tmpl"),
    "grate, a file for one environment": ("001_users.TEST.ENV.sql", "001_users.PROD.ENV.sql"),
    "Bytebase": ("prod##20240101##ddl##users.sql",),
    "Ebean": ("1.0__users.sql", "model/1.0.model.xml"),
}
UNNAMED = [
    ("1_users_up.sql", "1_users_down.sql"),
    ("users.sql", "users.down.sql"),
    ("users.sql", "users_down.sql"),
    ("users.sql", "users-rollback.sql"),
    ("users.up.sql", "users.rollback.sql"),
    ("users.forward.sql", "users.backward.sql"),
    ("users.fwd.sql", "users.rev.sql"),
    ("001_deploy.sql", "001_revert.sql"),
    ("001_install.sql", "001_uninstall.sql"),
    ("001_create.sql", "001_drop.sql"),
    ("usersUp.sql", "usersDown.sql"),
    ("001up.sql", "001down.sql"),
    ("up_001.sql", "down_001.sql"),
    ("123-U.sql", "123-d.sql"),
    ("7-up-create-users.sql", "7-down-drop-users.sql"),
    ("users.undo.sql",),
    ("users.UP.SQL", "users.DOWN.SQL"),
    ("up/001.sql", "down/001.sql"),
    ("apply/001.sql", "unapply/001.sql"),
    ("001/forward.sql", "001/backward.sql"),
    ("001/do.sql", "001/undo.sql"),
    ("001_create_users.sql", "001_drop_users.sql"),
    ("001_users_create.sql", "001_users_drop.sql"),
    ("v1-to-v2.sql", "v2-to-v1.sql"),
    ("shop--1.0--1.1.sql", "shop--1.1--1.0.sql"),
    ("001_users.sql", "001_users.inverse.sql"),
    ("001_users.back.sql",),
    ("001_users.rb.sql",),
    ("upUsers.sql", "downUsers.sql"),
    ("001_users.sql", "001_usersRollback.sql"),
    ("usersUpgrade.sql", "usersDowngrade.sql"),
    ("down.sql",),
    ("up.sql",),
    ("rollback.sql",),
    ("001_users.sql", "001_users.ROLLBACK.sql"),
    ("001_users.sql", "001_rollback_users.sql"),
    ("001_users.sql", "001_undo_users.sql"),
    ("001_users.sql", "undo_001_users.sql"),
    ("init_dbs/1.0.sql", "rollback_dbs/1.0.sql"),
    ("down-migration.sql",),
    ("undo_scripts.sql",),
    ("rollbacks.sql",),
    ("001_users.deploy.sql", "001_users.rollback.sql"),
]


@pytest.mark.parametrize("case", NAMES)
def test_a_tools_folder_is_known_by_its_names(tmp_path: Path, case: str) -> None:
    tool = case.partition(",")[0]
    assert f" {tool} folder: " in refused(lay_out(tmp_path, *NAMES[case]))


@pytest.mark.parametrize("names", UNNAMED, ids=" ".join)
def test_pairs_of_which_one_undoes_the_other_are_nobodys_migrations(tmp_path: Path, names: tuple[str, ...]) -> None:
    message = refused(lay_out(tmp_path, *names))
    assert message.startswith("this is ") and all(Path(n).parts[-1] in message or "/" in n for n in names), message


def test_the_half_that_undoes_is_no_folder_of_migrations(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, "up/001.sql", "down/001.sql")
    assert "up, and down takes it back" in refused(folder / "down")


@pytest.mark.parametrize("undo", ["teardown.sql", "drop.sql", "150_users_down.sql", "150_users.down.sql", "down/a.sql"])
def test_one_that_undoes_among_many_that_do_not_is_found(tmp_path: Path, undo: str) -> None:
    folder = lay_out(tmp_path, *(f"{n:03d}_users.sql" for n in range(200)), undo)
    assert undo.removesuffix("a.sql") in refused(folder)


@pytest.mark.parametrize("folder", ["down", "rollbacks", "2024/undo", "down_migrations", "rollback-scripts"])
def test_a_sub_folder_that_undoes_is_not_run_with_the_others(tmp_path: Path, folder: str) -> None:
    where = lay_out(tmp_path, "001_users.sql", f"{folder}/001_users_away.sql")
    with pytest.raises(BadMigrationFile, match="another tool's folder"):
        read_migrations(where, recursive=True)


@pytest.mark.parametrize(
    ("other", "undo"),
    [
        ("001_users_runter.sql", DROP),
        ("001_users_annuler.sql", "-- annuler\nDROP TABLE IF EXISTS public.t CASCADE;\n"),
        ("001_users_bajar.sql", "BEGIN;\nDROP TABLE t;\nCOMMIT;\n"),
        ("001-.sql", DROP),
        ("001_disable_users.sql", 'DROP TABLE "t";\n'),
        ("001_users_revertir.sql", "DELETE FROM t;\nDROP INDEX t_a;\n"),
        ("U001--users.sql", DROP),
    ],
)
def test_of_two_with_one_number_the_one_that_only_undoes_the_other_is_no_migration(
    tmp_path: Path, other: str, undo: str
) -> None:
    folder = lay_out(
        tmp_path, "001_users.sql", text=f"{CREATE}CREATE INDEX CONCURRENTLY t_a ON t (a);\nINSERT INTO t VALUES (1);\n"
    )
    (folder / other).write_text(undo)
    assert f"001_users.sql, and {other} takes it back" in refused(folder)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ("001_old.sql", "DROP TABLE old;\n"),
        ("001_moved.sql", f"INSERT INTO u SELECT * FROM t;\n{DROP}"),
        ("001_renewed.sql", f"{DROP}{CREATE}"),
        ("002_gone.sql", DROP),
        ("001_gone.sql", f"-- depends: 001_users\n{DROP}"),
        ("drop_old_001.sql", DROP),
    ],
)
def test_of_two_with_one_number_both_are_run_where_neither_only_undoes_the_other(
    tmp_path: Path, other: str, text: str
) -> None:
    folder = lay_out(tmp_path, "001_users.sql")
    (folder / other).write_text(text)
    assert len(read_migrations(folder)) == 2


@pytest.mark.parametrize("day", ["2024-01-05", "2024_01_05", "20240105", "240105"])
@pytest.mark.parametrize("names", [("a", "b"), ("create_t", "drop_t")], ids=" ".join)
def test_what_is_made_and_dropped_on_one_day_is_ours(tmp_path: Path, day: str, names: tuple[str, str]) -> None:
    folder = lay_out(tmp_path, f"{day}_{names[0]}.sql")
    (folder / f"{day}_{names[1]}.sql").write_text(DROP)
    assert len(read_migrations(folder)) == 2


def test_a_helper_made_used_and_dropped_under_one_number_is_ours(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, "00_02a_make.sql", "00_02b_use.sql")
    (folder / "00_02c_drop.sql").write_text(DROP)
    assert len(read_migrations(folder)) == 3


@pytest.mark.parametrize(
    "name", ["002_rename.go", "002_rename.js", "V2_rename.java", "20240102000000_rename.rb", "2.xml"]
)
def test_a_step_in_another_language_is_not_left_out_between_two(tmp_path: Path, name: str) -> None:
    folder = lay_out(tmp_path, "001_users.sql", name, "003_orders.sql")
    with pytest.raises(BadMigrationFile, match=f"{name} is numbered like a migration, and only plain SQL is run"):
        read_migrations(folder)


@pytest.mark.parametrize(
    "name", ["0001_initial.py", "2024_users.rb", "1_users.js", "1-Users.ts", "1_users.go", "1_x.json"]
)
def test_where_all_steps_are_programs_import_is_what_says_whose_they_are(tmp_path: Path, name: str) -> None:
    folder = lay_out(tmp_path, name)
    with pytest.raises((BadMigrationFile, Refused)) as caught:
        read_migrations(folder).refuse_empty()
    assert f"wflo-schema import {folder}" in caught.value.hint


def test_the_tool_is_named_where_its_files_are_in_two_languages(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, "001_users.sql", "002_rename.go", text=TEXTS["goose"])
    assert "this is a goose folder" in refused(folder)


INNER = {
    "Prisma": ("2020_init/migration.sql",),
    "Prisma, an own name": ("migration_lock.toml", "init/migration.sql"),
    "Prisma, in capitals": ("0_init/MIGRATION.sql",),
    "Diesel": ("2024-01-01-000000_users/up.sql", "2024-01-01-000000_users/down.sql"),
    "Diesel, one way": ("00000000000000_setup/up.sql",),
    "Diesel, the way back alone": ("2024_users/down.sql",),
}


@pytest.mark.parametrize("case", INNER)
def test_one_migration_of_a_tool_with_a_folder_for_each_is_known_like_its_parent(tmp_path: Path, case: str) -> None:
    tool = case.partition(",")[0]
    folder = lay_out(tmp_path, *INNER[case]) / Path(INNER[case][-1]).parent
    assert f" {tool} folder: {folder}" in refused(folder)
    assert f" {tool} folder: " in refused(folder.parent)


@pytest.mark.parametrize("name", ["migrations/migration.sql", "2024/001_migration.sql", "db/001_up.sql"])
def test_a_file_called_migration_is_one_of_ours(tmp_path: Path, name: str) -> None:
    assert len(read_migrations((lay_out(tmp_path, name) / name).parent)) == 1


@pytest.mark.parametrize(
    "names",
    [
        ("01-set-up.sql", "02-tear-down.sql"),
        ("20240101_01_scale-up.sql", "20240102_01_scale-down.sql"),
        ("20251110_01_d3e4f-users.sql", "20251110_02_e1d2f-users.sql"),
        ("vitamin.sql", "vitamin-d.sql"),
        ("20240101_create-copy.sql", "20240101_drop-copy.sql"),
        ("v1-to-v2.sql", "v2-to-v3.sql"),
        ("2024-01-02.sql", "2024-02-01.sql"),
        ("setup.sql", "setup.rollback.sql", "deploy.sql", "deploy.rollback.sql"),
        ("go-back.sql", "undo-the-index.sql", "shut-down.sql", "add-index.sql", "drop-index.sql"),
        ("01.sql", "01.rollback.sql", "contract.toml", "adopt.toml", "README.md", "reconcile/x/01_x.sql"),
        ("01-meta__data.sql", "changelog.md"),
        ("20240101_apply_discount.sql", "20240101_revert_prices.sql"),
        ("20240101_prices.sql", "20240101_revert_prices.sql"),
        ("a.sql", "b.sql", "c.sql", "d.sql", "u.sql"),
        ("01.sql", "notes.yml", "load.sh", "2024.md"),
        ("01_before.sql", "02_after.sql"),
        ("71_revert_070.sql", "72_teardown.sql", "rollback_policy.sql", "down_payments.sql"),
        ("users.sql", "users.down.sql.skip"),
    ],
    ids=" ".join,
)
def test_names_of_ours_with_such_words_are_migrations(tmp_path: Path, names: tuple[str, ...]) -> None:
    expected = {n for n in names if n.endswith(".sql") and ".rollback" not in n and "/" not in n}
    assert {f"{m.id}.sql" for m in read_migrations(lay_out(tmp_path, *names))} == expected


def sections(up: str, down: str, before: str = "") -> str:
    return f"{before}{up}\n{CREATE}\n{down}\n{DROP}"


TEXTS = {
    "dbmate": sections("-- migrate:up", "-- migrate:down"),
    "dbmate, options": sections("-- migrate:up transaction:false", "-- migrate:down transaction:false"),
    "dbmate, one way": f"-- migrate:up\n{CREATE}",
    "dbmate, below a licence": sections("-- migrate:up", "-- migrate:down", "-- Copyright\n--\n-- MIT\n\n"),
    "dbmate, below a block": sections("-- migrate:up", "-- migrate:down", "/* Copyright\n * MIT\n */\n"),
    "dbmate, other case and blanks": sections("  --   MIGRATE:UP", "\t--Migrate:Down"),
    "goose": sections("-- +goose Up\n-- +goose StatementBegin", "-- +goose Down"),
    "sql-migrate": sections("-- +migrate Up", "-- +migrate Down"),
    "Micrate": sections("-- +micrate Up", "-- +micrate Down"),
    "MyBatis Migrations": sections("-- // create users", "-- //@UNDO"),
    "shmig": sections("-- ====  UP  ====", "-- ==== DOWN ===="),
    "Rambler": sections("-- rambler up", "-- rambler down"),
    "Liquibase": f"--liquibase formatted sql\n--changeset ann:1\n{CREATE}--rollback {DROP}",
    "tern": f"{CREATE}\n---- create above / drop below ----\n\n{DROP}",
    "node-pg-migrate": sections("-- Up Migration", "-- Down Migration"),
    "Play evolutions": sections("# --- !Ups", "# --- !Downs"),
    "graphile-migrate": f"--! Previous: -\n--! Hash: sha1:c0ffee\n\n{CREATE}",
    "Sqitch": f"-- Deploy shop:users to pg\n\n{CREATE}",
    "Drizzle": f"{CREATE}--> statement-breakpoint\n{CREATE}",
    "Atlas": f"-- atlas:txmode none\n\n{CREATE}",
    "postgres-migrations": f"-- postgres-migrations disable-transaction\n{CREATE}",
    "Alembic": f"BEGIN;\n\n-- Running downgrade ae10 -> 1975\n\n{DROP}\nCOMMIT;\n",
    "Bun": f"{CREATE}--bun:split\n{CREATE}",
    "graphile-migrate, what is not committed yet": f"--!include users.sql\n{CREATE}",
    "tern, one way": f"-- Write your migrate up statements here\n{CREATE}",
    "sqlx": f"-- no-transaction\n{CREATE}",
    "Marv": f"-- @MARV AUDIT = false\n{CREATE}",
    "dbmate, behind what looks like a comment": sections("-- migrate:up", "-- migrate:down", "SELECT '\n/* ';\n")
    + "-- */\n",
    "dbmate, behind a command of psql": f"\\connect shop\n-- migrate:up\n{CREATE}",
}
UNNAMED_TEXTS = {
    "words": sections("-- Up", "-- Down"),
    "capitals": sections("-- UP", "-- DOWN"),
    "signs": sections("--- [UP] ---", "--- [DOWN] ---"),
    "boxes": sections("--------\n-- Up\n--------", "--------\n-- Down\n--------"),
    "equal signs": sections("-- ==== UP ====", "-- ==== DOWN ===="),
    "at": sections("-- @Up()", "-- @Down()"),
    "hash": sections("-- #UP", "-- #DOWN"),
    "semicolons": sections("--;; up", "--;; down"),
    "tool": sections("-- tool:up", "-- tool:down"),
    "plus": sections("-- +duck Up", "-- +duck Down"),
    "block comments": sections("/* UP */", "/* DOWN */"),
    "long block comments": sections("/*\n * Up\n */", "/*\n * Down\n */"),
    "no forward mark": f"{CREATE}-- ROLLBACK SCRIPT\n{DROP}",
    "two words": f"{CREATE}-- roll back:\n{DROP}",
    "undo first": f"-- down\n{DROP}-- up\n{CREATE}",
    "install": sections("-- install", "-- uninstall"),
    "prose behind it": sections("-- UP: creates users", "-- DOWN: drops users"),
    "prose in brackets": sections("-- Up Migration (users)", "-- Down Migration (drops users)"),
    "windows": sections("-- Up", "-- Down").replace("\n", "\r\n"),
    "old mac": sections("-- Up", "-- Down").replace("\n", "\r"),
    "underlined": sections("-- __UP__", "-- __DOWN__"),
    "named": sections("-- name: up", "-- name: down"),
    "to": f"{CREATE}-- To rollback:\n{DROP}",
    "banners": sections("/*\n * ====\n * UP\n * ====\n */", "/*\n * ====\n * DOWN\n * ====\n */"),
    "stars": sections("-- *****\n-- UP\n-- *****", "-- *****\n-- DOWN\n-- *****"),
    "one word of two": sections("-- migrateUp", "-- migrateDown"),
    "changes": sections("-- Apply changes", "-- Revert changes"),
    "this": f"{CREATE}-- Rollback this migration\n{DROP}",
    "the half that undoes, alone": f"/* licence */\n-- Down\n{DROP}ALTER TABLE u DROP COLUMN a;\n",
    "regions": sections("--#region Up", "--#endregion\n--#region Down"),
    **{f"the word {word}": sections("-- apply", f"-- {word}") for word in sorted(UNDO - {"d"})},
}
# In each a line of its own is left open.
HIDDEN = {
    "COPY": "COPY t (a) FROM stdin;\n{}\nit's\n/* open\n\\.\n",
    "COPY, other options": "copy t from STDIN with (format csv, delimiter '|');\n{}\n\\.\n",
    "COPY, first of all": "-- rows\n\nCOPY t FROM stdin;\n{}\n\\.\n",
    "comment in a comment": "/* as it was: /* or so */\n{}\n*/\n",
    "function": "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\nSELECT '\n{}\n'\n$$;\n",
    "text": "INSERT INTO t VALUES (E'it\\'s\n{}\n');\n",
    "identifier": 'CREATE TABLE "t\n{}\n" ();\n',
}
MARKERS = [text.splitlines()[0] for case, text in TEXTS.items() if text.startswith("-")]
MARKERS += ["-- migrate:down", "---- create above / drop below ----", "-- down", "-- Rollback", "# --- !Downs"]


@pytest.mark.parametrize("case", TEXTS)
def test_a_tools_file_is_known_by_its_comments(tmp_path: Path, case: str) -> None:
    assert f" {case.partition(',')[0]} folder: " in refused(lay_out(tmp_path, "001_users.sql", text=TEXTS[case]))


@pytest.mark.parametrize("case", UNNAMED_TEXTS)
def test_a_file_with_a_part_that_undoes_is_nobodys_migration(tmp_path: Path, case: str) -> None:
    folder = lay_out(tmp_path)
    folder.mkdir()
    (folder / "001_users.sql").write_bytes(UNNAMED_TEXTS[case].encode())
    assert refused(folder).startswith("this is another tool's folder: ")


@pytest.mark.parametrize(
    "text",
    [
        f"-- rollback: DROP TABLE t;\n{CREATE}-- rollback: DROP TABLE u;\nCREATE TABLE u ();\n",
        f"{CREATE}-- Rollback:\n-- DROP TABLE t;\nCREATE TABLE u ();\n",
        f"{CREATE}-- down\n-- DROP TABLE t;\n",
        f"{CREATE}-- Rollback\n-- (none)\n{DROP}",
        f"{CREATE}-- undo:\n-- not possible\n{DROP}",
        f"{CREATE}-- Rollback:\n--\n--   DROP TABLE t;\nCREATE TABLE u ();\n",
        f"{CREATE}-- undo:\n/* DROP TABLE t; */\nSELECT 1;\n",
        f"-- Up: makes t\n-- Down: see 001_users.rollback.sql\n{CREATE}",
        f"{CREATE}-- Down migration: see 001_users.rollback.sql\nCREATE TABLE u ();\n",
        f"-- revert\n{DROP}{CREATE}",
        f"-- Down payments\n{DROP}",
        f"-- down\nUPDATE t SET a = 0;\n{DROP}",
        f"{CREATE}-- Undo the change of March, see the ticket\nDROP TABLE u;\n",
        f"{CREATE}-- scale up\n{DROP}-- scale down now\n{CREATE}",
        f"{CREATE}-- TODO: revert\n{DROP}",
        f"{CREATE}-- @author Down\n{DROP}",
        f"{CREATE}-- reverse\n{DROP}",
        "CREATE TABLE t (\n-- up\na int,\n-- down\nb int);\n",
        f"CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n-- down\nRETURN 1;\nEND $$;\n{DROP}",
        "INSERT INTO t VALUES ('x\n-- migrate:down\n-- +goose Down\n');\nSELECT 1;\n",
        "SELECT 1; -- migrate:down\nSELECT 2;\n",
        f"/* was:\n-- migrate:up\n*/\n{CREATE}",
        f"-- we deploy users to prod\n-- verify it on monday\n{CREATE}",
        f"{CREATE}--ROLLBACK;\nSELECT 1;\n",
        f"{CREATE}-- Rollback:\n-- *****\n-- DROP TABLE t;\nSELECT 1;\n",
        f"{CREATE}-- Revert the change of last week\n{DROP}",
    ],
)
def test_a_file_of_ours_that_mentions_such_words_is_a_migration(tmp_path: Path, text: str) -> None:
    assert len(read_migrations(lay_out(tmp_path, "001_users.sql", text=text))) == 1


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("place", HIDDEN)
def test_another_tools_mark_in_data_or_in_quotes_is_none(tmp_path: Path, place: str, marker: str) -> None:
    text = f"{CREATE}{HIDDEN[place].format(marker)}\n{DROP}"
    for n, said in enumerate((text, text.replace("\n", "\r\n"), text.removeprefix(CREATE))):
        lay_out(tmp_path, f"00{n}_users.sql", text="").joinpath(f"00{n}_users.sql").write_bytes(said.encode())
    assert len(read_migrations(tmp_path / "migrations")) == 3


def test_what_new_writes_is_ours(tmp_path: Path) -> None:
    for words in ("revert", "undo", "down", "rollback", "migrate up and down", "tear down"):
        forward, _ = new_migration(tmp_path, words)
        forward.write_text(f"{forward.read_text()}{DROP}{CREATE}")
    assert len(read_migrations(tmp_path)) == 6


def test_every_record_has_a_case() -> None:
    cases = {case.partition(",")[0] for case in (*NAMES, *TEXTS)}
    assert cases == {layout.tool for layout in LAYOUTS}
