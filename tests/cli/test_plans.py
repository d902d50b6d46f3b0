"""wflo-schema plan, and migrate --dry-run, which is the same: what a person reads before it is too late."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.test_commands import count, run, write
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.one_server

_LARGE = (
    "CREATE TABLE large AS SELECT g AS id, repeat('x', 500) AS note FROM generate_series(1, 30000) AS g;"
    "ALTER TABLE large ADD PRIMARY KEY (id); ANALYZE large"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    return tmp_path


def prepare(database: Database, text: str = _LARGE) -> dict[str, str]:
    with database.connect() as connection:
        connection.execute(text.encode())
    return {"DATABASE_URL": database.url}


def without_times(text: str) -> str:
    return re.sub(r"for [\d.]+ (?:ms|s|min)(?: to [\d.]+ (?:ms|s|min))?", "for …", text)


def test_what_stops_others_comes_first_with_its_size_and_time(database: Database, folder: Path) -> None:
    env = prepare(database)
    write(
        folder,
        a="COMMENT ON TABLE large IS '';\nALTER TABLE large ALTER note TYPE varchar(600);\nCREATE TABLE small ();",
    )
    ran = run("plan", "--allow", "not-empty", cwd=folder, env=env)
    lines = without_times(ran.out).splitlines()
    assert lines[1] == "  would apply a"
    assert lines[2] == "    line 2: ALTER TABLE large ALTER note TYPE varchar(600)"
    size = r"\(30,000 rows, \d+ MB, 1 index of \d+ kB\)"
    assert re.fullmatch(rf"      stops readers and writers of public.large {size} for …, until it commits", lines[3])
    assert lines[4].startswith("      rewrites public.large; builds public.large_pkey: ")
    assert lines[5].startswith("      lint: error [type-change-rewrites] ")
    assert lines[-2] == "1 migration to apply"
    assert lines[-1].startswith("no: lint objects (1 error)")
    assert ran.code == 1


def test_dry_run_is_the_same_and_writes_nothing(database: Database, folder: Path) -> None:
    env = prepare(database, "CREATE TABLE t (id int)")
    write(folder, a="ALTER TABLE t ADD c int;", b="CREATE TABLE b ();")
    words = ("--allow", "not-empty", "--to", "a", "--lock-timeout", "1s", "--create-schema")
    planned, dry = run("plan", *words, cwd=folder, env=env), run("migrate", *words, "--dry-run", cwd=folder, env=env)
    assert (dry.code, dry.out, dry.err) == (planned.code, planned.out, planned.err)
    assert dry.code == 0 and "would apply a" in dry.out and "would apply b" not in dry.out
    assert run("migrate", "--dry-run", "--no-trace", "--allow", "not-empty", cwd=folder, env=env).code == 0
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname ~ '_yoyo|_wflo'") == 0
    assert count(database, "SELECT count(*) FROM pg_attribute WHERE attname = 'c' AND attrelid = 't'::regclass") == 0


def test_dry_run_of_a_settings_file_applies_nothing(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TABLE a ();")
    (folder / "wflo-schema.toml").write_text("[migrate]\ndry-run = true\n")
    ran = run("migrate", cwd=folder, env={"DATABASE_URL": database.url})
    assert ran.code == 0 and "would apply a" in ran.out, ran
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname = 'a'") == 0


def test_json_has_the_fields_of_before_and_the_statements(database: Database, folder: Path) -> None:
    env = prepare(database)
    write(folder, a="ALTER TABLE large ADD c int;\nALTER TABLE large ADD CHECK (id > 0);")
    ran = run("plan", "--format", "json", "--allow", "not-empty", cwd=folder, env=env)
    found = ran.json
    assert {"status", "pending", "refusals", "wrapped", "hooks", "repeatables"} <= found.keys()
    first, second = found["statements"]
    assert (first["id"], first["line"], second["line"]) == ("a", 1, 2)
    assert first["locks"][0]["blocks"] == ["reads", "writes", "ddl"]
    assert first["estimate"] is None
    assert first["until_end"] == second["until_end"]
    assert 0 < second["estimate"]["low_ms"] < second["estimate"]["high_ms"]
    assert [(size["relation"], size["rows"]) for size in found["sizes"]] == [("public.large", 30000)]
    assert found["not_rehearsed"] == ""
    assert all({"code", "id", "statement"} <= finding.keys() for finding in found["findings"])
    bare = run("plan", "--format", "json", "--no-trace", "--allow", "not-empty", cwd=folder, env=env).json
    assert "statements" not in bare and bare["pending"][0]["id"] == "a"


def test_who_holds_a_table_is_told_with_the_query(database: Database, folder: Path) -> None:
    env = prepare(database, "CREATE TABLE t (id int)")
    write(folder, a="ALTER TABLE t ADD c int;")
    with database.with_parameters(application_name="nightly").connect() as other:
        other.execute("BEGIN; INSERT INTO t VALUES (1)")
        ran = run("plan", "--allow", "not-empty", cwd=folder, env=env)
        pid = other.info.backend_pid
    who = f"would wait now for pid {pid} (postgres, nightly) on public.t, idle in transaction for "
    assert who in ran.out and "BEGIN; INSERT INTO t VALUES (1)" in ran.out


def test_without_a_scratch_database_the_rest_is_shown(database: Database, folder: Path) -> None:
    prepare(
        database, "CREATE TABLE t (id int); CREATE ROLE wflo_plans LOGIN; GRANT CREATE ON SCHEMA public TO wflo_plans"
    )
    try:
        write(folder, a="ALTER TABLE t ALTER id TYPE bigint;")
        env = {"DATABASE_URL": database.with_parameters(user="wflo_plans").url}
        ran = run("plan", "--allow", "not-empty", cwd=folder, env=env)
        assert ran.code == 0
        assert "would apply a" in ran.out and "1 migration to apply" in ran.out
        assert "as they were not rehearsed: " in ran.out and "may not create the scratch database" in ran.out
        assert run("plan", "--format", "json", "--allow", "not-empty", cwd=folder, env=env).json["statements"] is None
        assert run("plan", cwd=folder, env=env).code == 1
    finally:
        prepare(database, "DROP OWNED BY wflo_plans; DROP ROLE wflo_plans")


def test_a_statement_that_is_refused_is_shown_and_counts(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TYPE e AS ENUM ('x');")
    env = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=folder, env=env).code == 0
    write(folder, b="CREATE TABLE a ();\nALTER TYPE e ADD VALUE 'y';\nSELECT 'y'::e;", c="DROP TABLE a;")
    ran = run("plan", cwd=folder, env=env)
    assert ran.code == 1
    assert 'PostgreSQL refuses it in the rehearsal: unsafe use of new value "y" of enum type e' in ran.out
    assert "hint: New enum values must be committed before they can be used." in ran.out
    assert "note: not rehearsed, as PostgreSQL refuses b: c\n" in ran.out
    linted = run("lint", cwd=folder, env=env).out
    assert "instead: New enum values must be committed" in linted
    assert "note: not rehearsed, as PostgreSQL refuses b: c\n" in linted and "1 migration looked at" in linted
    picture = run("trace", "--format", "timeline", cwd=folder, env=env).out
    assert 'PostgreSQL refuses statement 3: unsafe use of new value "y" of enum type e' in picture
    assert "not rehearsed, as PostgreSQL refuses b: c\n" in picture


def test_sql_is_a_script_and_writes_nothing(database: Database, folder: Path) -> None:
    env = {"DATABASE_URL": database.url}
    write(folder, a="CREATE TABLE a ();")
    ran = run("plan", "--sql", cwd=folder, env=env)
    assert ran.code == 0 and ran.out.startswith("-- What wflo-schema migrate would send to ")
    assert "CREATE TABLE a ();" in ran.out and "_yoyo_migration" in ran.out
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname IN ('a', '_yoyo_migration')") == 0
    assert run("migrate", "--dry-run", "--sql", "--format", "json", cwd=folder, env=env).json.keys() == {"sql"}


def test_drop_deleted_says_what_would_go(database: Database, folder: Path) -> None:
    env = {"DATABASE_URL": database.url}
    write(folder, a="CREATE TABLE a ();")
    (folder / "migrations" / "repeatable").mkdir()
    file = folder / "migrations" / "repeatable" / "v.sql"
    file.write_text("CREATE VIEW v AS SELECT 1 AS n;")
    assert run("migrate", cwd=folder, env=env).code == 0
    file.unlink()
    ran = run("plan", "--drop-deleted", cwd=folder, env=env)
    assert ran.code == 0 and "would drop what repeatable/v made" in ran.out
    ran = run("plan", "--sql", "--drop-deleted", cwd=folder, env=env)
    assert ran.code == 0 and "DROP VIEW public.v" in ran.out


def test_a_partition_is_told_with_its_table(database: Database, folder: Path) -> None:
    parts = "".join(f"CREATE TABLE e{n} PARTITION OF e FOR VALUES IN ({n});" for n in range(5))
    env = prepare(
        database, f"CREATE TABLE e (n int) PARTITION BY LIST (n); {parts} INSERT INTO e VALUES (1); ANALYZE e"
    )
    write(folder, a="ALTER TABLE e ADD c int;")
    ran = run("plan", "--allow", "not-empty", cwd=folder, env=env)
    assert ran.out.count("stops readers and writers") == 1
    assert "stops readers and writers of public.e (1 row, 8192 bytes, 5 partitions) for a moment" in ran.out


def test_the_picture_of_a_trace_is_as_wide_as_the_time_that_a_statement_takes(database: Database, folder: Path) -> None:
    env = prepare(database)
    write(folder, a="ALTER TABLE large ALTER note TYPE varchar(600);\nCOMMENT ON TABLE large IS '';")
    lines = run("trace", "--format", "timeline", cwd=folder, env=env).out.splitlines()
    assert lines[0] == "a"
    assert re.fullmatch(r"  takes +≤ [\d.]+ (?:ms|s) +a moment", lines[3])
    page = run("trace", "--format", "html", cwd=folder, env=env)
    assert page.code == 0
    first, second = re.findall(r'<rect class="reads" x="\d+" y="\d+" width="(\d+)"', page.out)[:1], page.out
    assert int(first[0]) > 600  # from the first statement to the end of the transaction
    assert "; takes about " in second
