"""The recipe of a statement, as a command to be pasted; and that the recipe takes it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.lint.hinting import commands
from wflo_schema.lint.parsing import parse
from wflo_schema.lint.rules import EXAMPLE

COMMANDS = [
    (
        "type-change-rewrites",
        "ALTER TABLE users ALTER COLUMN born TYPE date USING born::date, ALTER COLUMN age SET NOT NULL",
        ["change-type users.born date --using born::date", "not-null users.age"],
    ),
    (
        "add-column-rewrites",
        "ALTER TABLE users ADD COLUMN code uuid NOT NULL DEFAULT gen_random_uuid()",
        ["add-column users.code uuid --default 'gen_random_uuid()' --not-null"],
    ),
    ("dropped", "ALTER TABLE users DROP COLUMN born", ["drop-column users.born"]),
    ("dropped", "DROP TABLE orders", ["drop-table orders"]),
    ("renamed", 'ALTER TABLE users RENAME born TO "Born"', ["rename-column users.born '\"Born\"'"]),
    (
        "rows-changed-at-once",
        "UPDATE orders SET state = 'open' WHERE state IS NULL",
        ["backfill orders \"state = 'open'\" --where 'state IS NULL'"],
    ),
    (
        "foreign-key-scans",
        "ALTER TABLE orders ADD CONSTRAINT o FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL",
        ["foreign-key orders.user_id users.id --on-delete set-null --name o"],
    ),
    ("check-scans", "ALTER TABLE orders ADD CHECK (total > 0)", ["check orders 'total > 0'"]),
    ("unique-blocks", "ALTER TABLE users ADD UNIQUE (email, born)", ["unique users 'email, born'"]),
    (
        "index-blocks-writes",
        "CREATE INDEX x ON orders USING gin (to_tsvector('simple', state)) WHERE total > 0",
        ["index orders \"to_tsvector('simple', state)\" --using gin --where 'total > 0' --name x"],
    ),
]
NONE = [
    ("rows-changed-at-once", "UPDATE orders SET total = total * 100"),
    ("rows-changed-at-once", "UPDATE orders SET state = u.name FROM users AS u WHERE u.id = user_id"),
    ("add-column-rewrites", "ALTER TABLE users ADD COLUMN no bigserial"),
    ("type-change-rewrites", "ALTER TABLE users ALTER COLUMN age TYPE bigint, SET UNLOGGED"),
    ("exclude-blocks", "ALTER TABLE orders ADD EXCLUDE USING btree (placed WITH =)"),
]


def said(code: str, text: str) -> list[str]:
    parsed = parse(text)
    assert parsed is not None
    return list(commands(code, parsed))


@pytest.mark.parametrize(("code", "text", "expected"), COMMANDS)
def test_a_statement_becomes_the_command_of_its_recipe(code: str, text: str, expected: list[str]) -> None:
    assert said(code, text) == [f"wflo-schema new --recipe {one}" for one in expected]


@pytest.mark.parametrize(("code", "text"), NONE)
def test_there_is_no_command_for_what_no_recipe_does(code: str, text: str) -> None:
    assert said(code, text) == []


@pytest.mark.one_server
def test_every_command_writes_files(database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        connection.execute(EXAMPLE.encode())
    for number, (code, text, _) in enumerate(COMMANDS):
        for command in said(code, text):
            at = ["--migrations", str(tmp_path / str(number)), "--database-url", database.url]
            result = CliRunner().invoke(cli, [*shlex.split(command)[1:], *at])
            assert (result.exit_code, result.output.count(".sql") > 0) == (0, True), (command, result.output)
