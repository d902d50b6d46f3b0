"""wflo's migrations build what ``data/wflo-schema.toml`` lists, and nothing else."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import cast

import psycopg
import pytest
from psycopg import sql

from tests.conftest import RunningServer
from wflo_schema.connect.database import Database

MIGRATIONS = Path(__file__).parent.parent / "migrations"
EXPECTED = tomllib.loads((Path(__file__).parent / "data" / "wflo-schema.toml").read_text(encoding="utf-8"))
TABLES = [table["name"] for table in EXPECTED["tables"]]
CHILDREN = [table for table in TABLES if table not in ("workflow_definitions", "workflow_executions")]

COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

KEYS = """
SELECT conrelid::regclass::text, conname, pg_catalog.pg_get_constraintdef(oid)
FROM pg_catalog.pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype = 'f'
ORDER BY conname
"""


def forward() -> list[Path]:
    return sorted(path for path in MIGRATIONS.glob("*.sql") if not path.name.endswith(".rollback.sql"))


def rollback_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".sql") + ".rollback.sql")


def run(database: Database, *paths: Path) -> None:
    """Run each file in one transaction of its own."""
    with database.connect(autocommit=False) as connection:
        for path in paths:
            connection.execute(path.read_bytes())
            connection.commit()


def dump(server: RunningServer, database: Database) -> str:
    done = subprocess.run(
        [str(server.bin / "pg_dump"), "--schema-only", database.url],
        check=True,
        capture_output=True,
        text=True,
        user=server.user,
        cwd="/",
    )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def test_every_migration_has_a_rollback_and_yoyos_name() -> None:
    assert len(forward()) == 3
    for path in forward():
        assert re.fullmatch(r"\d{8}_\d{2}(?:\d{4})?_[0-9a-z]{5}-[a-z-]+\.sql", path.name)
        assert rollback_of(path).is_file()


def test_each_migration_depends_on_the_one_before() -> None:
    wanted = ["", *(path.name.removesuffix(".sql") for path in forward()[:-1])]
    found = [re.findall(r"^-- depends:[ ]?(.*)$", path.read_text(), re.MULTILINE) for path in forward()]
    assert found == [[one] for one in wanted]


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.sql")), ids=lambda path: path.name)
def test_migration_says_why_and_limits_its_wait_for_locks(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert re.match(r"-- [A-Z]", lines[0])
    statements = [line for line in lines if line and not line.startswith(("--", " "))]
    assert statements[0] == "SET LOCAL lock_timeout = '500ms';"


@pytest.mark.parametrize("table", EXPECTED["tables"], ids=TABLES)
def test_table_equals_the_document(wflo_database: Database, table: dict[str, list[list[object]]]) -> None:
    name = cast(str, table["name"])
    with wflo_database.connect() as connection:
        columns = [list(row) for row in connection.execute(COLUMNS, (name,))]
        constraints = connection.execute(
            "SELECT conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"
            " WHERE conrelid = %s::regclass AND contype IN ('p', 'u') ORDER BY contype, conname",
            (name,),
        ).fetchall()
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_catalog.pg_indexes"
            " WHERE schemaname = 'public' AND tablename = %s ORDER BY indexname",
            (name,),
        ).fetchall()
    assert columns == table["columns"]
    assert [list(row) for row in constraints] == table["constraints"]
    wanted = [[index, f"CREATE INDEX {index} ON public.{name} USING btree ({on})"] for index, on in table["indexes"]]
    for constraint, definition in cast(list[list[str]], table["constraints"]):
        on = definition[definition.index("(") :]
        wanted.append([constraint, f"CREATE UNIQUE INDEX {constraint} ON public.{name} USING btree {on}"])
    assert [list(row) for row in indexes] == sorted(wanted)


def test_there_are_six_tables_28_indexes_and_nothing_else(database: Database) -> None:
    run(database, *forward())
    with database.connect() as connection:
        relations = connection.execute(
            "SELECT relkind::text, count(*) FROM pg_catalog.pg_class"
            " WHERE relnamespace = 'public'::regnamespace GROUP BY relkind ORDER BY relkind"
        ).fetchall()
    assert sum(len(table["indexes"]) for table in EXPECTED["tables"]) == 28
    assert relations == [("i", 28 + 6 + 1), ("r", 6)]


def keys(*, suffix: str = "") -> list[tuple[str, str, str]]:
    found = []
    for key in EXPECTED["foreign_keys"]:
        table, column = key["from"].rstrip(")").split("(")
        definition = f"FOREIGN KEY ({column}) REFERENCES {key['to']} ON DELETE {key['on_delete']}{suffix}"
        found.append((table, key["name"], definition))
    return sorted(found, key=lambda row: row[1])


def test_five_foreign_keys_cascade_and_are_validated(wflo_database: Database) -> None:
    with wflo_database.connect() as connection:
        assert connection.execute(KEYS).fetchall() == keys()


def test_foreign_keys_are_not_valid_until_the_last_migration_and_after_its_rollback(database: Database) -> None:
    run(database, *forward()[:2])
    with database.connect() as connection:
        assert connection.execute(KEYS).fetchall() == keys(suffix=" NOT VALID")
        run(database, forward()[2], rollback_of(forward()[2]))
        assert connection.execute(KEYS).fetchall() == keys(suffix=" NOT VALID")


def test_up_down_up_again_gives_the_same_dump_at_every_step(server: RunningServer, database: Database) -> None:
    going_up = [dump(server, database)]
    for path in forward():
        run(database, path)
        going_up.append(dump(server, database))
    assert len(set(going_up)) == 4
    going_down = [going_up[-1]]
    for path in reversed(forward()):
        run(database, rollback_of(path))
        going_down.append(dump(server, database))
    assert going_down == going_up[::-1]
    run(database, *forward())
    assert dump(server, database) == going_up[-1]


def test_dump_names_every_object_of_the_document_and_no_other(server: RunningServer, database: Database) -> None:
    run(database, *forward())
    found = re.findall(r"^-- Name: (.+); Type: (.+); Schema: public;", dump(server, database), re.MULTILINE)
    wanted = [(table["name"], "TABLE") for table in EXPECTED["tables"]]
    for table in EXPECTED["tables"]:
        wanted += [(f"{table['name']} {name}", "CONSTRAINT") for name, _ in table["constraints"]]
        wanted += [(name, "INDEX") for name, _ in table["indexes"]]
    wanted += [(f"{key['from'].split('(')[0]} {key['name']}", "FK CONSTRAINT") for key in EXPECTED["foreign_keys"]]
    assert sorted(found) == sorted(wanted)


def fill(connection: psycopg.Connection[tuple[object, ...]], number: int) -> None:
    """One definition with one execution, that with one row in each of the four child tables."""
    execute = connection.execute
    execute(
        "INSERT INTO workflow_definitions (id, name, steps, policies) VALUES (%s, %s, '[]', '{}')",
        (f"d{number}", f"n{number}"),
    )
    execute(
        "INSERT INTO workflow_executions (id, workflow_id, status, trace_id, correlation_id)"
        " VALUES (%s, %s, 'RUNNING', 't', 'c')",
        (f"e{number}", f"d{number}"),
    )
    execute(
        "INSERT INTO step_executions (id, execution_id, step_id, status) VALUES (%s, %s, 's', 'DONE')",
        (f"s{number}", f"e{number}"),
    )
    execute(
        "INSERT INTO state_snapshots (id, execution_id, step_id, variables, version) VALUES (%s, %s, 's', '{}', 1)",
        (f"v{number}", f"e{number}"),
    )
    execute(
        "INSERT INTO approval_requests (id, execution_id, step_id, message, timeout_seconds, expires_at)"
        " VALUES (%s, %s, 's', 'm', 60, now())",
        (f"a{number}", f"e{number}"),
    )
    execute(
        "INSERT INTO rollback_actions (id, execution_id, snapshot_id, reason, initiated_by)"
        " VALUES (%s, %s, %s, 'r', 'me')",
        (f"r{number}", f"e{number}", f"v{number}"),
    )


def count(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    found = {}
    for table in TABLES:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        found[table] = cast(int, row[0]) if row else -1
    return found


def test_deleting_a_definition_removes_all_that_hangs_on_it_and_nothing_else(wflo_database: Database) -> None:
    with wflo_database.connect() as connection:
        fill(connection, 1)
        fill(connection, 2)
        assert set(count(connection).values()) == {2}
        connection.execute("DELETE FROM workflow_definitions WHERE id = 'd1'")
        assert set(count(connection).values()) == {1}
        assert connection.execute("SELECT execution_id FROM rollback_actions").fetchall() == [("e2",)]


@pytest.mark.parametrize("table", ["workflow_executions", *CHILDREN])
def test_row_without_its_parent_is_refused_even_before_validation(database: Database, table: str) -> None:
    column = "workflow_id" if table == "workflow_executions" else "execution_id"
    run(database, *forward()[:2])
    with database.connect() as connection:
        fill(connection, 1)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(
                sql.SQL("UPDATE {} SET {} = 'nobody'").format(sql.Identifier(table), sql.Identifier(column))
            )


def test_rows_of_before_block_only_the_validation(database: Database) -> None:
    run(database, forward()[0])
    with database.connect() as connection:
        fill(connection, 1)
        connection.execute("DELETE FROM workflow_executions")
        run(database, forward()[1])
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="fk_step_executions_execution_id"):
            run(database, forward()[2])
        connection.execute("DELETE FROM step_executions")
        for table in CHILDREN:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    run(database, forward()[2])
