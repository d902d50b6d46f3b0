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
    """A tool: how its files' names end, and what is in each.

    ``run`` writes ``file``, which is to be imported, and ``what`` says what that is; without a ``file`` it applies the
    migrations to an empty database.
    """

    name: str
    suffixes: tuple[str, ...]
    says: str
    run: str
    file: str = ""
    what: str = ""

    @property
    def how(self) -> str:
        """What to type."""
        if not self.file:
            return _DUMP.format(run=self.run)
        return f"let {self.what}, and import that:\n{self.run}\nwflo-schema import {self.file}"


_JS = (".js", ".cjs", ".mjs", ".ts")

# The first that fits counts.
_PROGRAMS: tuple[_Program, ...] = (
    _Program(
        "rails",
        (".rb",),
        r"ActiveRecord::Migration",
        "in config/application.rb: config.active_record.schema_format = :sql\nbin/rails db:schema:dump",
        "db/structure.sql",
        "Rails write its schema as SQL",
    ),
    _Program("sequel", (".rb",), r"Sequel\.migration", "sequel -m db/migrations postgres:///empty"),
    _Program(
        "ecto",
        (".exs", ".ex"),
        r"use Ecto\.Migration",
        "mix ecto.dump",
        "priv/repo/structure.sql",
        "Ecto write its schema as SQL",
    ),
    _Program(
        "laravel",
        (".php",),
        r"Illuminate\\Database\\Migrations",
        "php artisan schema:dump",
        "database/schema/pgsql-schema.sql",
        "Laravel write its schema as SQL",
    ),
    _Program(
        "doctrine",
        (".php",),
        r"Doctrine\\Migrations|DoctrineMigrations",
        "php bin/console doctrine:migrations:migrate --write-sql=doctrine.sql --no-interaction",
        "doctrine.sql",
        "Doctrine write them as SQL, with an empty database configured",
    ),
    _Program("phinx", (".php",), r"Phinx\\Migration", "vendor/bin/phinx migrate -e ENVIRONMENT_OF_EMPTY"),
    _Program(
        "ef-core",
        (".cs",),
        r"\bMigrationBuilder\b|EntityFrameworkCore\.Migrations",
        "dotnet ef migrations script --output ef.sql",
        "ef.sql",
        "EF Core write them as SQL",
    ),
    _Program("fluentmigrator", (".cs",), r"\bFluentMigrator\b", "dotnet fm migrate -p postgres -c CONNECTION"),
    _Program("mikro-orm", _JS, "@mikro-orm/migrations", "npx mikro-orm migration:up  # with the URL of that database"),
    _Program(
        "typeorm", _JS, r"MigrationInterface|queryRunner\.", "npx typeorm migration:run -d DATA_SOURCE_OF_THAT_DATABASE"
    ),
    _Program("sequelize", _JS, r"\bqueryInterface\b", "npx sequelize-cli db:migrate --url postgres:///empty"),
    _Program("kysely", _JS, r"\bKysely\b", "npx kysely migrate:latest  # with that database"),
    _Program(
        "knex",
        _JS,
        r"\b[kK]nex\b|\.schema\s*\.\s*(?:\w*[tT]able|raw)\(",
        "npx knex migrate:latest --connection postgres:///empty",
    ),
    _Program(
        "node-pg-migrate-js", _JS, r"\bpgm\b|MigrationBuilder", "DATABASE_URL=postgres:///empty npx node-pg-migrate up"
    ),
    _Program("db-migrate-js", _JS, r"dbm|db\.runSql", "npx db-migrate up -e empty"),
    _Program("sea-orm", (".rs",), r"\bMigrationTrait\b", "sea-orm-cli migrate up -u postgres:///empty"),
    _Program(
        "go",
        (".go",),
        r"goose\.AddMigration|\bmigrate\.Migrations\b|gormigrate\.|\bmigrations\.Register",
        "run them on it",
    ),
    _Program("aerich", (".py",), r"BaseDBAsyncClient", "aerich upgrade  # with that database"),
    _Program("piccolo", (".py",), r"MigrationManager", "piccolo migrations forwards all"),
    _Program(
        "peewee", (".py",), r"peewee_migrate|playhouse\.migrate", "pw_migrate migrate --database postgresql:///empty"
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
    says = re.compile(program.says.encode())
    return next((n for n in folder.files if n.endswith(program.suffixes) and says.search(folder.said(n))), "")


TOOLS: tuple[Tool, ...] = tuple(Tool(p.name, partial(_refuse, p), shows=partial(_shown, p)) for p in _PROGRAMS)
