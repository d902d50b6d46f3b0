"""A migration that names a schema outright is a finding; what only reads what is common is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import load_rollback, load_script, read_migrations
from wflo_schema.fleet.naming import find_named_schemas, refuse_named_schemas

TENANTS = frozenset({"tenant_1", "Tenant 2"})

NAMED = (
    "CREATE TABLE common.t (a int)",
    "CREATE TABLE common.t AS SELECT 1",
    "SELECT 1 INTO common.t",
    "CREATE UNIQUE INDEX i ON common.t (a)",
    "ALTER TABLE common.t ADD b int",
    "ALTER TABLE common.t RENAME a TO b",
    "ALTER TABLE common.t OWNER TO u",
    "ALTER TABLE t SET SCHEMA common",
    "DROP TABLE t, common.t",
    "DROP TRIGGER a ON common.t",
    "DROP FUNCTION common.f(int)",
    "DROP TYPE common.t",
    "DROP OPERATOR CLASS common.o USING btree",
    "DROP SCHEMA common",
    "COMMENT ON TABLE common.t IS 'x'",
    "COMMENT ON COLUMN common.t.c IS 'x'",
    "COMMENT ON CONSTRAINT c ON DOMAIN common.d IS 'x'",
    "COMMENT ON SCHEMA common IS 'x'",
    "GRANT SELECT ON common.t TO u",
    "GRANT USAGE ON SCHEMA common TO u",
    "REVOKE ALL ON ALL TABLES IN SCHEMA common FROM u",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA common GRANT SELECT ON TABLES TO u",
    "CREATE SCHEMA IF NOT EXISTS common",
    "ALTER SCHEMA common RENAME TO y",
    "CREATE VIEW common.v AS SELECT 1",
    "CREATE MATERIALIZED VIEW common.v AS SELECT 1",
    "REFRESH MATERIALIZED VIEW common.v",
    "CREATE FUNCTION common.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION common.f(int) OWNER TO u",
    "ALTER FUNCTION common.f(int) COST 3",
    "CREATE TYPE common.e AS ENUM ('a')",
    "ALTER TYPE common.e ADD VALUE 'b'",
    "CREATE TYPE common.c AS (a int)",
    "CREATE DOMAIN common.d AS int",
    "ALTER DOMAIN common.d ADD CHECK (true)",
    "CREATE SEQUENCE common.s",
    "ALTER SEQUENCE common.s RESTART",
    "CREATE TRIGGER a BEFORE INSERT ON common.t EXECUTE FUNCTION f()",
    "CREATE POLICY p ON common.t",
    "CREATE RULE r AS ON INSERT TO common.t DO NOTHING",
    "CREATE STATISTICS common.s ON a, b FROM t",
    "CREATE AGGREGATE common.a(int) (sfunc = x, stype = int)",
    "CREATE OPERATOR CLASS common.o FOR TYPE int USING btree AS STORAGE int",
    'CREATE COLLATION common.c FROM "C"',
    "CREATE TEXT SEARCH CONFIGURATION common.c (COPY = simple)",
    "ALTER TEXT SEARCH CONFIGURATION common.c DROP MAPPING FOR x",
    "CREATE FOREIGN TABLE common.t (a int) SERVER q",
    "IMPORT FOREIGN SCHEMA r FROM SERVER q INTO common",
    "TRUNCATE common.t",
    "SET search_path = common",
    "SET LOCAL search_path TO x",
    "SET SCHEMA 'x'",
    "RESET search_path",
    "SELECT pg_catalog.set_config('search_path', '', false)",
    "ALTER ROLE x SET search_path = a",
    "ALTER DATABASE x SET search_path = a",
    "SELECT * FROM tenant_1.t",
    "SELECT * FROM TENANT_1.t",
    "SELECT tenant_1.t.a FROM t",
    "SELECT tenant_1.f(1)",
    "SELECT nextval('tenant_1.s')",
    "SELECT '\"Tenant 2\".t'::regclass",
    'INSERT INTO "Tenant 2".t VALUES (1)',
    "CREATE VIEW v AS SELECT * FROM tenant_1.t",
    "CREATE TABLE t (a tenant_1.ty)",
    "CREATE TABLE t (LIKE tenant_1.t)",
    "CREATE TRIGGER a BEFORE INSERT ON t EXECUTE FUNCTION tenant_1.f()",
    "ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES tenant_1.t",
    "DO $$ BEGIN CREATE TABLE common.t (a int); END $$",
    "DO $$ BEGIN IF true THEN PERFORM set_config('search_path', 'x', true); END IF; END $$",
    "DO $$ BEGIN EXECUTE 'DROP TABLE common.t'; END $$",
    "DO $$ BEGIN INSERT INTO tenant_1.t VALUES (1); END $$",
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT a FROM tenant_1.t); END $$",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT tenant_1.f(1)'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = tenant_1 AS 'SELECT 1'",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM tenant_1.t; END",
)

FINE = (
    "CREATE TABLE t (a int REFERENCES common.users, b timestamptz DEFAULT pg_catalog.now(), c common.ty)",
    "CREATE TABLE pg_temp.t (a int)",
    "CREATE TEMP TABLE t (a int)",
    "CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA extensions",
    "ALTER EXTENSION pgcrypto SET SCHEMA extensions",
    "INSERT INTO common.log SELECT current_schema()",
    "SELECT tenant_1.a FROM x AS tenant_1",
    "CREATE TRIGGER a BEFORE INSERT ON t EXECUTE FUNCTION common.f()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = pg_catalog AS 'SELECT 1'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ DECLARE tenant_1 record; BEGIN RETURN tenant_1.a; END $$",
    "ALTER TABLE t ALTER c TYPE common.ty USING c::common.ty",
    "COMMENT ON TABLE t IS 'see tenant_1'",
    "COMMENT ON COLUMN t.c IS 'x'",
    "DROP TRIGGER a ON t",
    "DROP OPERATOR CLASS o USING btree",
    "DROP CAST (common.a AS int)",
    "CREATE INDEX i ON t (common.f(a))",
    "CREATE TABLE t (tenant_1 int, x int, PRIMARY KEY (tenant_1, x))",
    "DO $$ BEGIN PERFORM common.f(); END $$",
    "SET lock_timeout = '1s'",
)


def lay(folder: Path, text: str, rollback: str = "SELECT 1;") -> Path:
    (folder / "001_a.sql").write_text(text)
    (folder / "001_a.rollback.sql").write_text(rollback)
    return folder


@pytest.mark.parametrize("text", NAMED)
def test_a_statement_about_a_named_schema_is_a_finding(tmp_path: Path, text: str) -> None:
    assert find_named_schemas(load_script(read_migrations(lay(tmp_path, f"{text};")).items[0]), TENANTS)


@pytest.mark.parametrize("text", FINE)
def test_a_statement_that_only_reads_what_is_common_is_none(tmp_path: Path, text: str) -> None:
    assert not find_named_schemas(load_script(read_migrations(lay(tmp_path, f"{text};")).items[0]), TENANTS)


def test_the_place_and_what_to_write_instead_are_said(tmp_path: Path) -> None:
    files = read_migrations(
        lay(
            tmp_path,
            "SELECT 1;\nCREATE TABLE a ();\nCREATE INDEX i\n  ON common.t (a);\nRESET ALL;\nDROP TABLE common.u;",
        )
    )
    with pytest.raises(BadMigrationFile) as caught:
        refuse_named_schemas(files, TENANTS)
    error = caught.value
    assert error.location is not None and (error.location.line, error.location.column) == (4, 6)
    assert error.source_line == "  ON common.t (a);"
    assert "it makes or changes common.t, which is one for all targets" in error.message
    assert "and likewise: " in error.message and "001_a.sql:6:12" in error.message
    assert "write t: it is made in each target's schema" in error.hint
    assert "-- lint: allow outside-schema because" in error.hint


def test_rollback_files_are_looked_at_as_well(tmp_path: Path) -> None:
    files = read_migrations(lay(tmp_path, "CREATE TABLE t ();", "DROP TABLE common.t;"))
    refuse_named_schemas(files, TENANTS)
    with pytest.raises(BadMigrationFile, match=r"001_a\.rollback\.sql:1:12"):
        refuse_named_schemas(files, TENANTS, load=load_rollback)


def test_a_comment_with_a_reason_allows_a_statement_or_the_file(tmp_path: Path) -> None:
    allow = "-- lint: allow outside-schema because each target makes it if it is missing\n"
    made = "CREATE TABLE IF NOT EXISTS common.t (a int);\n"
    refuse_named_schemas(read_migrations(lay(tmp_path, f"SELECT 1;\n{allow}{made}")), TENANTS)
    refuse_named_schemas(read_migrations(lay(tmp_path, f"{allow}SELECT 1;\n{made}")), TENANTS)
    for wrong in (f"SELECT 1;\n{allow}SELECT 2;\n{made}", f"SELECT 1;\n{allow.split(' because')[0]}\n{made}"):
        with pytest.raises(BadMigrationFile):
            refuse_named_schemas(read_migrations(lay(tmp_path, wrong)), TENANTS)
