"""What the old tool has run since a database was taken over from it is run by nobody a second time."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import CannotRead, Refused
from wflo_schema.files.folder import Migrations, read_migrations

pytestmark = pytest.mark.one_server

GOLANG = "CREATE TABLE schema_migrations (version bigint, dirty boolean)"
DBMATE = "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)"
ALEMBIC = "CREATE TABLE alembic_version (version_num varchar)"
LIQUIBASE = (
    "CREATE TABLE databasechangelog (id text, author text, filename text, dateexecuted timestamp, orderexecuted int,"
    " exectype text, md5sum text)"
)


def taken_over(database: Database, folder: Path, names: str) -> Migrations:
    """Of three files, the first is recorded; adopt.toml says what ``names`` says."""
    for number in (1, 2, 3):
        (folder / f"{number:02}_t.sql").write_text(f"CREATE TABLE t{number} ();\n")
        (folder / f"{number:02}_t.rollback.sql").write_text(f"DROP TABLE t{number};\n")
    operations.migrate(database, read_migrations(folder), to="01")
    (folder / "adopt.toml").write_text(names)
    return read_migrations(folder)


def execute(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("names", "table", "values", "message"),
    [
        ('[dbmate]\n"1" = "01_t"\n"2" = "02_t"', DBMATE, "'1'), ('2'", "dbmate has run 02_t here since"),
        ('[dbmate]\n"001" = "01_t"\n"002" = "02_t"', DBMATE, "'2'", "dbmate has run 02_t here since"),
        ('[golang-migrate]\n"1" = "01_t"\n"2" = "02_t"', GOLANG, "2, FALSE", "golang-migrate has run 02_t here since"),
        ('[golang-migrate]\n"1" = "01_t"\n"2" = "02_t"', GOLANG, "2, TRUE", "begun 02_t here, which failed half way"),
        (
            '[golang-migrate]\n"1" = "01_t"\n"2" = "02_t"\n"3" = "03_t"',
            GOLANG,
            "4, FALSE",
            "has come to 4 here, which adopt.toml does not name, and may have run 02_t, 03_t, as",
        ),
        ('[alembic]\na = "01_t"\nb = "02_t"', ALEMBIC, "'c'", "has come to c here"),
        (
            '[liquibase]\n"db/a.sql::2::ann" = "02_t"',
            LIQUIBASE,
            "'2', 'ann', 'classpath:db/a.sql', now(), 1, 'EXECUTED', ''",
            "liquibase has run 02_t here since, as public.databasechangelog says",
        ),
    ],
)
def test_what_the_old_tool_may_have_run_is_refused(
    database: Database, tmp_path: Path, names: str, table: str, values: str, message: str
) -> None:
    files = taken_over(database, tmp_path, names)
    execute(database, table, f"INSERT INTO {table.split()[2]} VALUES ({values})")
    with pytest.raises(Refused, match=message) as refused:
        operations.migrate(database, files)
    assert refused.value.hint.count("wflo-schema adopt --apply") == 1
    assert [what for _, what, _ in operations.plan(database, files).refusals] == [refused.value.message]
    assert operations.status(database, files).pending


@pytest.mark.parametrize(
    ("names", "table", "values"),
    [
        ('[golang-migrate]\n"1" = "01_t"\n"2" = "02_t"', GOLANG, "1, FALSE"),
        ('[dbmate]\n"1" = "01_t"\n"2" = "02_t"', DBMATE, "'1'), ('7'"),  # it keeps all: 2 was not run
        ('[golang-migrate]\n"1" = "01_t"', GOLANG, "2, FALSE"),  # what is pending is ours
        ('[dbmate]\n"2" = "02_t"', GOLANG, "2, FALSE"),  # another tool's
        ('[golang-migrate]\n"2" = "02_t"', "CREATE TABLE schema_migrations (version text, dirty text)", "2, 'x'"),
    ],
)
def test_what_the_old_tool_has_not_run_is_applied(
    database: Database, tmp_path: Path, names: str, table: str, values: str
) -> None:
    files = taken_over(database, tmp_path, names)
    execute(database, table, f"INSERT INTO {table.split()[2]} VALUES ({values})")
    assert operations.migrate(database, files).ids == ("02_t", "03_t")


def test_what_was_rolled_back_here_is_applied_again(database: Database, tmp_path: Path) -> None:
    files = taken_over(database, tmp_path, '[golang-migrate]\n"1" = "01_t"\n"2" = "02_t"')
    operations.migrate(database, files, to="02")
    execute(database, GOLANG, "INSERT INTO schema_migrations VALUES (2, FALSE)")
    operations.rollback(database, files)
    assert operations.migrate(database, files).ids == ("02_t", "03_t")


@pytest.mark.parametrize("statement", ["REVOKE ALL ON {} FROM reader", "ALTER TABLE {} ENABLE ROW LEVEL SECURITY"])
def test_a_ledger_that_cannot_be_read_is_not_taken_for_an_empty_one(
    database: Database, tmp_path: Path, statement: str
) -> None:
    files = taken_over(database, tmp_path, '[dbmate]\n"2" = "02_t"')
    execute(
        database,
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        DBMATE,
        "INSERT INTO schema_migrations VALUES ('2')",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        statement.format("schema_migrations"),
    )
    with pytest.raises(CannotRead, match="another tool's ledger may not be read"):
        operations.plan(database.with_parameters(user="reader"), files)


def test_another_tools_ledger_that_adopt_toml_does_not_name_is_not_read(database: Database, tmp_path: Path) -> None:
    """And it hides no other: that one is looked for in public where our schema has none."""
    app = database.with_schema("app")
    execute(database, "CREATE SCHEMA app")
    files = taken_over(app, tmp_path, '[dbmate]\n"1" = "01_t"\n"2" = "02_t"')
    execute(
        database, ALEMBIC.replace("TABLE ", "TABLE app."), "ALTER TABLE app.alembic_version ENABLE ROW LEVEL SECURITY"
    )
    execute(database, "DROP ROLE IF EXISTS wflo_reader; CREATE ROLE wflo_reader LOGIN")
    execute(database, "GRANT ALL ON SCHEMA app TO wflo_reader; GRANT ALL ON ALL TABLES IN SCHEMA app TO wflo_reader")
    try:
        reader = app.with_parameters(user="wflo_reader")
        assert operations.migrate(reader, files, to="02").ids == ("02_t",)
        execute(database, DBMATE, "GRANT SELECT ON schema_migrations TO wflo_reader")
        execute(database, "INSERT INTO schema_migrations VALUES ('3')")
        (tmp_path / "adopt.toml").write_text('[dbmate]\n"3" = "03_t"')
        with pytest.raises(Refused, match="dbmate has run 03_t here since"):
            operations.migrate(reader, files)
    finally:
        execute(database, "DROP OWNED BY wflo_reader", "DROP ROLE wflo_reader")


def test_nobody_asks_the_server_where_adopt_toml_names_nothing_that_is_pending(
    database: Database, tmp_path: Path
) -> None:
    files = taken_over(database, tmp_path, '[dbmate]\n"1" = "01_t"')
    execute(database, DBMATE, "INSERT INTO schema_migrations VALUES ('1')")
    trips = operations.migrate(database, files, to="02").round_trips
    (tmp_path / "adopt.toml").unlink()
    assert operations.migrate(database, read_migrations(tmp_path)).round_trips == trips
