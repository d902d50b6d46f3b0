"""Other tools' ledgers: one list, and what compares, dumps and adopts takes every tool from it."""

from __future__ import annotations

import pytest

from wflo_schema.adopt.ledgers import other_ledgers
from wflo_schema.catalog.other_ledgers import OTHER_TOOLS, OtherTool
from wflo_schema.catalog.read import read_migrated
from wflo_schema.catalog.snapshot import dump_schema
from wflo_schema.check.contract import Name
from wflo_schema.check.contract_file import parse_contract
from wflo_schema.check.freeze import freeze_contract
from wflo_schema.connect.database import Database
from wflo_schema.errors import Refused
from wflo_schema.names import identifiers, qualified

pytestmark = pytest.mark.spread_over_servers

# Of what type a column is where text will not do for the tool's query.
TYPES = {
    "dirty": "boolean",
    "is_applied": "boolean",
    "success": "boolean",
    "version_id": "bigint",
    "cli_state": "jsonb",
}
TYPES |= {"id": "serial", "applied": "integer", "total": "integer"}


def make(database: Database, tool: OtherTool, schema: str) -> None:
    tables = dict.fromkeys(tool.own_schema, frozenset({"id"})) | {tool.table: tool.columns}
    tables |= {tool.beside: tool.beside_columns} if tool.beside else {}
    tables |= dict.fromkeys(tool.more, frozenset({"id"}))
    with database.connect() as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifiers([schema])}".encode())
        for name, columns in tables.items():
            of_type = ", ".join(f"{identifiers([c])} {TYPES.get(c, 'text')}" for c in sorted(columns))
            connection.execute(f"CREATE TABLE {qualified(schema, name)} ({of_type})".encode())
            connection.execute(f"INSERT INTO {qualified(schema, name)} DEFAULT VALUES".encode())


@pytest.mark.parametrize("schema", ["public", "reg", "home"])
@pytest.mark.parametrize("tool", OTHER_TOOLS, ids=lambda t: f"{t.name}-{t.table}")
def test_every_tool_that_adopting_knows_is_left_out_of_drift_dump_and_freeze(
    database: Database, tool: OtherTool, schema: str
) -> None:
    schema = schema.replace("home", tool.home or "public")
    with database.connect() as connection:
        connection.execute("CREATE TABLE public.events_of_mine (id integer)")
        before = read_migrated(connection)
    make(database, tool, schema)
    with database.connect() as connection:
        after = read_migrated(connection)

    assert [ledger.tool for ledger in other_ledgers(database, None).ledgers] == [tool.name]
    is_kept_for_it = schema == tool.home or (bool(tool.own_schema) and schema != "public")
    wanted = before.objects if is_kept_for_it or schema == "public" else after.objects
    assert after.objects == wanted
    assert [o.path for o in after.objects if o.kind == "table"] == [("public", "events_of_mine")]
    assert not any(name in dump_schema(database).text for name in (f".{t} " for t in tool.tables))
    if schema == "public":
        assert [t.name for t in parse_contract(freeze_contract(database)).tables] == [Name("events_of_mine")]


def test_tables_that_are_only_called_like_sqitchs_stay(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE changes (id integer); CREATE TABLE events (id integer)")
        found = read_migrated(connection)
    assert [o.path[1] for o in found.objects if o.kind == "table"] == ["changes", "events"]


@pytest.mark.parametrize("path", ["reg, public", "public, pg_catalog", "information_schema"])
def test_freeze_passes_over_schemas_with_nothing_but_a_registry_or_the_system(database: Database, path: str) -> None:
    (sqitch,) = (t for t in OTHER_TOOLS if t.name == "sqitch")
    make(database, sqitch, "reg" if "reg" in path else "public")
    there = database.with_parameters(options=f"-c search_path={path.replace(' ', '')}")
    with pytest.raises(Refused, match=r"no schema of the search_path of .* has a table that a contract could require"):
        freeze_contract(there)
    with pytest.raises(Refused, match=r"the schema public of .* has no table that a contract could require"):
        freeze_contract(there, schema="public")
    with database.connect() as connection:
        connection.execute("CREATE TABLE public.mine (id integer)")
    assert [t.name for t in parse_contract(freeze_contract(there)).tables] == [Name("mine")]


def test_tools_are_told_once() -> None:
    assert len({(t.name, t.table, t.columns) for t in OTHER_TOOLS}) == len(OTHER_TOOLS)


@pytest.mark.parametrize(
    "table",
    [
        "schema_migrations (version text PRIMARY KEY, what text, at timestamptz)",
        "schema_migration (version text, done boolean)",
        "schema_version (version integer, note text)",
        "migrations (id serial, species text, leaves date)",
        "migrations (id serial, name text, batch integer, season text)",
        "alembic_version (id integer)",
        '"SequelizeMeta" (id integer)',
        "databasechangelog (id integer, what text)",
        "aerich (id integer)",
    ],
)
def test_a_table_that_is_only_called_like_a_ledger_is_the_migrations_own(database: Database, table: str) -> None:
    with database.connect() as connection:
        connection.execute(f"CREATE TABLE {table}".encode())
        found = read_migrated(connection)
    assert [o.kind for o in found.objects].count("table") == 1
    made = dump_schema(database)
    assert made.ledgers == ()
    assert f"TABLE public.{table.partition(' ')[0]} (" in made.text


def test_a_ledger_that_a_dump_leaves_out_is_named(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE knex_migrations (id serial, name text, batch integer, migration_time timestamptz);"
            "CREATE TABLE knex_migrations_lock (index serial, is_locked integer); CREATE TABLE mine (id integer);"
            "CREATE SCHEMA drizzle;"
            "CREATE TABLE drizzle.__drizzle_migrations (id serial, hash text, created_at bigint);"
            "INSERT INTO drizzle.__drizzle_migrations (hash) VALUES ('x');"
            "INSERT INTO knex_migrations (name) VALUES ('y');"
            "CREATE TABLE schema_migrations (version text PRIMARY KEY)"
        )
    made = dump_schema(database)
    assert made.ledgers == ("public.knex_migrations", "public.knex_migrations_lock", "schema drizzle")
    assert "_seq" not in made.text
    assert "CREATE TABLE public.schema_migrations" in made.text  # it records nothing: a migration made it
    assert "-- left out, another tool's ledger: schema drizzle" in made.text
