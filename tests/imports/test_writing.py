"""What is written beside the migrations: adopt.toml says what the versions of a tool's ledger stand for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.imports.laid import imported, ours
from wflo_schema.adopt.look import take_look
from wflo_schema.connect.database import Database

ONE, TWO = "CREATE TABLE one (id int);\n", "CREATE TABLE two (id int);\n"
JOURNAL = '{"dialect": "postgresql", "entries": [{"tag": "0000_one", "when": 1}, {"tag": "0001_two", "when": 2}]}'
ATLAS_TABLE = (
    "CREATE SCHEMA atlas_schema_revisions; CREATE TABLE atlas_schema_revisions.atlas_schema_revisions "
    "(version varchar PRIMARY KEY, description varchar, type bigint, applied bigint, total bigint, "
    "executed_at timestamptz, execution_time bigint, error text, error_stmt text, hash varchar, "
    "partial_hashes jsonb, operator_version varchar); INSERT INTO atlas_schema_revisions.atlas_schema_revisions "
    "(version, applied, total) VALUES ('.atlas_cloud_identifier', 0, 0), ('3', 1, 1)"
)
LEDGERS = {
    "node-pg-migrate": (
        {"1_one.sql": f"-- Up Migration\n{ONE}", "10_two.sql": TWO},
        (
            "CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL);"
            "INSERT INTO pgmigrations (name, run_on) VALUES ('1_one', now()), ('10_two', now())"
        ),
    ),
    "tern": (
        {"1_one.sql": ONE, "2_two.sql": TWO},
        "CREATE TABLE schema_version (version int4 NOT NULL PRIMARY KEY); INSERT INTO schema_version VALUES (2)",
    ),
    "postgres-migrations": (
        {"1_one.sql": ONE, "2_two.sql": TWO},
        (
            "CREATE TABLE migrations (id integer PRIMARY KEY, name varchar(100) UNIQUE NOT NULL, hash "
            "varchar(40) NOT NULL, executed_at timestamp DEFAULT current_timestamp); "
            "INSERT INTO migrations (id, name, hash) VALUES "
            "(0, 'create-migrations-table', '-'), (1, 'one', '-'), (2, 'two', '-')"
        ),
    ),
    "marv": (
        {"1.one.sql": ONE, "7.two.sql": TWO},
        (
            "CREATE TABLE migrations (level integer, comment text, timestamp timestamptz, checksum text, "
            "namespace text, PRIMARY KEY (level, namespace)); "
            "CREATE TABLE migrations_lock (dummy_column int NOT NULL DEFAULT 1);"
            "INSERT INTO migrations VALUES (1, 'one', now(), '-', 'default'), (7, 'two', now(), '-', 'default')"
        ),
    ),
    "atlas": (
        {"1_one.sql": ONE, "2_two.sql": TWO, "3_all.sql": f"-- atlas:checkpoint\n\n{ONE}{TWO}"},
        ATLAS_TABLE,
    ),
    "drizzle": (
        {"0000_one.sql": ONE, "0001_two.sql": TWO, "meta/_journal.json": JOURNAL},
        "CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL,"
        " created_at bigint); INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES "
        + ", ".join(f"('{hashlib.sha256(text.encode()).hexdigest()}', 1)" for text in (ONE, TWO)),
    ),
    "graphile-migrate": (
        {
            "committed/000001.sql": f"--! Previous: -\n--! Hash: sha1:a\n\n{ONE}",
            "committed/000002-two.sql": f"--! Previous: sha1:a\n--! Hash: sha1:b\n\n{TWO}",
        },
        (
            "CREATE SCHEMA graphile_migrate; CREATE TABLE graphile_migrate.migrations (hash text PRIMARY KEY, "
            "previous_hash text, filename text NOT NULL, date timestamptz NOT NULL DEFAULT now()); "
            "CREATE TABLE graphile_migrate.current (filename text PRIMARY KEY, content text NOT NULL, "
            "date timestamptz); "
            "INSERT INTO graphile_migrate.migrations VALUES ('sha1:a', NULL, '000001.sql'), "
            "('sha1:b', 'sha1:a', '000002.sql')"
        ),
    ),
}


@pytest.mark.spread_over_servers
@pytest.mark.parametrize("tool", LEDGERS)
def test_all_that_a_tools_ledger_holds_is_known_and_stands_for_the_last(
    tmp_path: Path, database: Database, tool: str
) -> None:
    files, ledger = LEDGERS[tool]
    found = imported(tmp_path, files, tool=tool)
    with database.connect() as connection:
        connection.execute(f"{ONE}{TWO}{ledger}")
    (seen,) = take_look(database, ours(tmp_path)).ledgers
    assert seen.tool == tool and not seen.unknown and not seen.failed
    assert seen.stands_for == found.files[-1].id
