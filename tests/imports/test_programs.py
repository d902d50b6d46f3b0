"""Folders of tools whose migrations are programs: what to type to have SQL of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, lay
from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.operations import import_folder

PROGRAMS = {
    "rails": ("20200101000000_users.rb", "class Users < ActiveRecord::Migration[7.1]", "import db/structure.sql"),
    "ecto": ("20200101000000_users.exs", "defmodule U do\n  use Ecto.Migration", "mix ecto.dump"),
    "laravel": ("2020_01_01_000000_users.php", "use Illuminate\\Database\\Migrations\\Migration;", "schema:dump"),
    "doctrine": ("Version1.php", "namespace DoctrineMigrations;", "--write-sql=doctrine.sql"),
    "ef-core": ("20200101_Init.cs", "protected override void Up(MigrationBuilder m)", "dotnet ef migrations script"),
    "typeorm": ("1-Users.ts", "export class U implements MigrationInterface {", "npx typeorm migration:run"),
    "knex": ("1_users.js", "exports.up = function (knex) {", "npx knex migrate:latest"),
    "knex with another name": (
        "1.js",
        "exports.up = (k) => k.schema.createTable('t', fill);",
        "npx knex migrate:latest",
    ),
    "sequelize": ("1-users.js", "up: async (queryInterface, Sequelize) => {", "sequelize-cli db:migrate"),
    "kysely": ("1.ts", "import { Kysely } from 'kysely'", "pg_dump --schema-only"),
    "node-pg-migrate-js": ("1_users.js", "exports.up = (pgm) => {", "node-pg-migrate up"),
    "go": ("00001_x.go", "func init() { goose.AddMigrationContext(up, down) }", "pg_dump --schema-only"),
    "aerich": ("1_x.py", "async def upgrade(db: BaseDBAsyncClient) -> str:", "aerich upgrade"),
}


@pytest.mark.parametrize("tool", PROGRAMS)
def test_a_program_is_never_run_and_what_prints_sql_is_said(tmp_path: Path, tool: str) -> None:
    name, text, how = PROGRAMS[tool]
    with pytest.raises(
        BadMigrationFile, match=f"is a folder of {tool.split()[0]}, .*none is run here: .*{name}"
    ) as refused:
        imported(tmp_path, {name: text, "helpers/x.txt": ""})
    hint = refused.value.hint or ""
    assert how in hint and "wflo-schema import " in hint


@pytest.mark.parametrize("into", ["", "plain"])
def test_a_folder_of_programs_is_said_before_that_the_files_need_another_place(tmp_path: Path, into: str) -> None:
    name, text, how = PROGRAMS["typeorm"]
    folder = lay(tmp_path, {name: text})
    with pytest.raises(BadMigrationFile, match="is a folder of typeorm") as refused:
        import_folder(str(folder), folder / into)
    assert how in str(refused.value.hint)
