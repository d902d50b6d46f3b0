"""Tools whose migrations are programs, which are never run here: what each can print as SQL, to be imported instead."""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple, NoReturn

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.source import Folder, Tool, Wishes, is_sql

# For tools that print no SQL: what they make of an empty database, as one file.
_DUMP = """make an empty database with it, and begin with what is in there:
createdb empty
{run}
pg_dump --schema-only --no-owner --no-privileges empty > schema.sql
wflo-schema import schema.sql"""


class _Program(NamedTuple):
    """A tool: how its files' names end, what is in each, and how to come by SQL."""

    name: str
    suffixes: tuple[str, ...]
    says: str
    how: str


_JS = (".js", ".cjs", ".mjs", ".ts")

# The first that fits counts.
_PROGRAMS: tuple[_Program, ...] = (
    _Program(
        "rails",
        (".rb",),
        r"ActiveRecord::Migration",
        "let Rails write its schema as SQL, and import that:\n"
        "in config/application.rb: config.active_record.schema_format = :sql\n"
        "bin/rails db:schema:dump\n"
        "wflo-schema import db/structure.sql",
    ),
    _Program("sequel", (".rb",), r"Sequel\.migration", _DUMP.format(run="sequel -m db/migrations postgres:///empty")),
    _Program(
        "ecto",
        (".exs", ".ex"),
        r"use Ecto\.Migration",
        "let Ecto write its schema as SQL, and import that:\nmix ecto.dump\nwflo-schema import priv/repo/structure.sql",
    ),
    _Program(
        "laravel",
        (".php",),
        r"Illuminate\\Database\\Migrations",
        "let Laravel write its schema as SQL, and import that:\n"
        "php artisan schema:dump\nwflo-schema import database/schema/pgsql-schema.sql",
    ),
    _Program(
        "doctrine",
        (".php",),
        r"Doctrine\\Migrations|DoctrineMigrations",
        "let Doctrine write them as SQL, with an empty database configured, and import that:\n"
        "php bin/console doctrine:migrations:migrate --write-sql=doctrine.sql --no-interaction\n"
        "wflo-schema import doctrine.sql",
    ),
    _Program(
        "phinx", (".php",), r"Phinx\\Migration", _DUMP.format(run="vendor/bin/phinx migrate -e ENVIRONMENT_OF_EMPTY")
    ),
    _Program(
        "ef-core",
        (".cs",),
        r"\bMigrationBuilder\b|EntityFrameworkCore\.Migrations",
        "let EF Core write them as SQL, and import that:\n"
        "dotnet ef migrations script --output ef.sql\nwflo-schema import ef.sql",
    ),
    _Program(
        "fluentmigrator",
        (".cs",),
        r"\bFluentMigrator\b",
        _DUMP.format(run="dotnet fm migrate -p postgres -c CONNECTION"),
    ),
    _Program(
        "mikro-orm",
        _JS,
        r"@mikro-orm/migrations",
        _DUMP.format(run="npx mikro-orm migration:up  # with the URL of that database"),
    ),
    _Program(
        "typeorm",
        _JS,
        r"MigrationInterface|queryRunner\.",
        _DUMP.format(run="npx typeorm migration:run -d DATA_SOURCE_OF_THAT_DATABASE"),
    ),
    _Program(
        "sequelize",
        _JS,
        r"\bqueryInterface\b",
        _DUMP.format(run="npx sequelize-cli db:migrate --url postgres:///empty"),
    ),
    _Program("kysely", _JS, r"\bKysely\b", _DUMP.format(run="npx kysely migrate:latest  # with that database")),
    _Program(
        "knex", _JS, r"\bknex\b|\bKnex\b", _DUMP.format(run="npx knex migrate:latest --connection postgres:///empty")
    ),
    _Program(
        "node-pg-migrate-js",
        _JS,
        r"\bpgm\b|MigrationBuilder",
        _DUMP.format(run="DATABASE_URL=postgres:///empty npx node-pg-migrate up"),
    ),
    _Program("db-migrate-js", _JS, r"dbm|db\.runSql", _DUMP.format(run="npx db-migrate up -e empty")),
    _Program(
        "sea-orm", (".rs",), r"\bMigrationTrait\b", _DUMP.format(run="sea-orm-cli migrate up -u postgres:///empty")
    ),
    _Program(
        "go",
        (".go",),
        r"goose\.AddMigration|\bmigrate\.Migrations\b|gormigrate\.|\bmigrations\.Register",
        _DUMP.format(run="run them on it"),
    ),
    _Program("aerich", (".py",), r"BaseDBAsyncClient", _DUMP.format(run="aerich upgrade  # with that database")),
    _Program("piccolo", (".py",), r"MigrationManager", _DUMP.format(run="piccolo migrations forwards all")),
    _Program(
        "peewee",
        (".py",),
        r"peewee_migrate|playhouse\.migrate",
        _DUMP.format(run="pw_migrate migrate --database postgresql:///empty"),
    ),
)


def _refuse(program: _Program, folder: Folder, _: Wishes) -> NoReturn:
    example = next((folder.where(n) for n in folder.files if n.endswith(program.suffixes)), folder.path)
    raise BadMigrationFile(
        f"{folder.path} is a folder of {program.name}, whose migrations are programs, and none is run here: {example}",
        hint=program.how,
    )


def _shown(program: _Program, folder: Folder) -> str:
    """A file of the tool's, in a folder that holds no SQL."""
    if any(is_sql(n) for n in folder.files):
        return ""
    return next((n for n in folder.files if n.endswith(program.suffixes) and _says(program, folder, n)), "")


def _says(program: _Program, folder: Folder, name: str) -> bool:
    try:
        return re.search(program.says.encode(), folder.text(name)) is not None
    except BadMigrationFile:
        return False


TOOLS: tuple[Tool, ...] = tuple(Tool(p.name, partial(_refuse, p), shows=partial(_shown, p)) for p in _PROGRAMS)
