"""What was done by hand becomes a migration and its rollback, or nothing is written and what is missing is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import BIN, RunningServer, start_server, stop_server
from wflo_schema.adopt.judge import baseline
from wflo_schema.catalog.snapshot import dump_schema, parse_snapshot
from wflo_schema.connect.database import Database
from wflo_schema.diff.operations import Diff, Snapshot, diff, diff_catalogs
from wflo_schema.diff.renames import Likely, Renaming, Wishes
from wflo_schema.engine import operations
from wflo_schema.errors import DatabaseError, Refused, UsageError
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import ScratchOptions

pytestmark = pytest.mark.spread_over_servers

USERS = "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    made.mkdir()
    (made / "0001-users.sql").write_text(USERS)
    (made / "0001-users.rollback.sql").write_text("DROP TABLE users;\n")
    return made


@pytest.fixture
def migrated(database: Database, folder: Path) -> Database:
    operations.migrate(database, read_migrations(folder))
    return database


def run(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


def found(database: Database, folder: Path, *, name: str = "", wishes: Wishes | None = None) -> Diff:
    return diff(database, read_migrations(folder), database, name=name, wishes=wishes)


def texts(diff: Diff) -> list[str]:
    return [s.text for s in diff.statements]


def test_a_database_that_is_as_the_migrations_make_it_has_nothing_to_write(migrated: Database, folder: Path) -> None:
    result = found(migrated, folder)
    assert result.is_equal
    assert result.is_proven
    assert result.statements == ()


def test_what_was_written_is_recorded_and_rolled_back_like_any_other(migrated: Database, folder: Path) -> None:
    run(
        migrated,
        "ALTER TABLE users ADD weight numeric NOT NULL DEFAULT 1; CREATE VIEW heavy AS SELECT weight FROM users",
    )
    written = found(migrated, folder, name="add weights")
    assert written.is_proven
    assert [p.name for p in written.paths] == [f"{written.id}.sql", f"{written.id}.rollback.sql"]
    assert written.next_step == f"wflo-schema baseline --to {written.id}"
    files = read_migrations(folder)
    assert files.items[-1].id == written.id
    assert baseline(migrated, files, written.id).is_applied
    assert found(migrated, folder).is_equal
    operations.rollback(migrated, files)
    operations.migrate(migrated, files)
    assert found(migrated, folder).is_equal


def test_what_loses_data_is_marked_in_both_files(migrated: Database, folder: Path) -> None:
    run(migrated, "ALTER TABLE users DROP name; CREATE TABLE notes (id integer)")
    written = found(migrated, folder, name="notes")
    assert written.losses == ("what public.users.name holds",)
    forward, back = (path.read_text() for path in written.paths)
    assert forward.startswith("-- notes\n\n")
    assert "-- loses data: what public.users.name holds\nALTER TABLE public.users DROP COLUMN name;\n" in forward
    assert "-- loses data: all rows of public.notes\nDROP TABLE public.notes;\n" in back


def test_a_rename_is_refused_with_the_options_that_say_what_it_is(migrated: Database, folder: Path) -> None:
    run(migrated, "ALTER TABLE users RENAME name TO full_name")
    with pytest.raises(Refused) as refused:
        found(migrated, folder, name="names")
    assert "--rename public.users.name=full_name" in refused.value.hint
    assert "--drop public.users.name" in refused.value.hint
    assert len(read_migrations(folder)) == 1
    written = found(migrated, folder, name="names", wishes=Wishes(["users.name=full_name"]))
    assert written.paths[0].read_text() == "-- names\n\nALTER TABLE public.users RENAME COLUMN name TO full_name;\n"
    assert (
        written.paths[1].read_text() == "-- undo: names\n\nALTER TABLE public.users RENAME COLUMN full_name TO name;\n"
    )


def test_somebody_who_is_asked_may_say_that_it_is_dropped(migrated: Database, folder: Path) -> None:
    run(migrated, "ALTER TABLE users DROP name, ADD bio text")
    asked: list[Likely] = []

    def drop(likely: Likely) -> Renaming | None:
        asked.append(likely)
        return None

    result = found(migrated, folder, wishes=Wishes(ask=drop))
    assert [one.text for one in asked] == ["column public.users.name (text) is gone, and public.users.bio is new"]
    assert "ALTER TABLE public.users DROP COLUMN name;" in texts(result)


@pytest.mark.parametrize(
    "wishes", [Wishes(["public.users.nam=x"]), Wishes(drops=["public.posts"]), Wishes(["users.name=no_such"])]
)
def test_a_wish_that_fits_nothing_is_refused(migrated: Database, folder: Path, wishes: Wishes) -> None:
    run(migrated, "ALTER TABLE users DROP name")
    with pytest.raises(UsageError):
        found(migrated, folder, wishes=wishes)


def test_a_database_that_is_behind_the_files_is_refused(migrated: Database, folder: Path) -> None:
    (folder / "0002-more.sql").write_text("CREATE TABLE more (id integer);\n")
    (folder / "0002-more.rollback.sql").write_text("DROP TABLE more;\n")
    with pytest.raises(Refused, match="0002-more"):
        found(migrated, folder)


def test_what_no_statement_makes_is_told_and_not_written(migrated: Database, folder: Path) -> None:
    (folder / "0002-parts.sql").write_text("CREATE TABLE parts (id integer, at date) PARTITION BY RANGE (at);\n")
    (folder / "0002-parts.rollback.sql").write_text("DROP TABLE parts;\n")
    operations.migrate(migrated, read_migrations(folder))
    run(migrated, "DROP TABLE parts; CREATE TABLE parts (id integer, at date) PARTITION BY LIST (id)")
    shown = found(migrated, folder)
    assert not shown.is_proven
    assert [(d.object, d.attribute) for d in shown.remaining] == [("public.parts", "partition key")]
    with pytest.raises(Refused, match=r"table public\.parts partition key"):
        found(migrated, folder, name="parts")
    assert len(read_migrations(folder)) == 2


def test_rows_of_the_database_are_never_touched(migrated: Database, folder: Path) -> None:
    run(migrated, "INSERT INTO users (name) VALUES ('a'); ALTER TABLE users ADD weight integer DEFAULT 3")
    found(migrated, folder, name="weights")
    with migrated.connect() as connection:
        assert connection.execute("SELECT name, weight FROM users").fetchall() == [("a", 3)]


def test_ledgers_of_other_tools_are_left_out(migrated: Database, folder: Path) -> None:
    run(
        migrated,
        "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, version varchar(50), description"
        " varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer,"
        " installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), execution_time integer"
        " NOT NULL, success boolean NOT NULL)",
    )
    assert found(migrated, folder).is_equal


def test_owners_and_grants_are_compared_only_where_that_is_asked(migrated: Database, folder: Path) -> None:
    run(migrated, "GRANT SELECT ON users TO PUBLIC; GRANT UPDATE (name) ON users TO PUBLIC")
    assert found(migrated, folder).is_equal
    files = read_migrations(folder)
    asked = diff(migrated, files, migrated, privileges=True)
    assert asked.is_proven
    assert sorted(texts(asked)) == [
        "GRANT SELECT ON TABLE public.users TO PUBLIC;",
        "GRANT UPDATE (name) ON TABLE public.users TO PUBLIC;",
    ]
    assert sorted(s.text for s in asked.rollback) == [
        "REVOKE SELECT ON TABLE public.users FROM PUBLIC;",
        "REVOKE UPDATE (name) ON TABLE public.users FROM PUBLIC;",
    ]


def test_a_schema_can_be_compared_by_itself(database: Database, folder: Path) -> None:
    run(database, "CREATE SCHEMA app; CREATE TABLE beside (id integer)")
    inside = database.with_schema("app")
    operations.migrate(inside, read_migrations(folder))
    run(database, "ALTER TABLE app.users ADD weight integer")
    assert texts(found(inside, folder)) == ["ALTER TABLE app.users ADD COLUMN weight integer;"]


def _snapshot(database: Database, path: Path) -> Snapshot:
    return Snapshot(path, parse_snapshot(dump_schema(database).text))


def test_two_snapshots_need_no_server_and_with_one_they_are_proven(migrated: Database, tmp_path: Path) -> None:
    before = _snapshot(migrated, tmp_path / "before.sql")
    run(migrated, "ALTER TABLE users ADD weight integer; CREATE INDEX users_weight ON users (weight)")
    after = _snapshot(migrated, tmp_path / "after.sql")
    alone = diff_catalogs(before, after)
    proven = diff(migrated, before, after)
    assert texts(alone) == texts(proven)
    assert (alone.is_tried, alone.is_proven) == (False, False)
    assert (proven.is_tried, proven.is_proven) == (True, True)
    with pytest.raises(Refused, match="server"):
        diff_catalogs(before, _renamed(after), wishes=Wishes(["public.users.name=called"]))


def _renamed(snapshot: Snapshot) -> Snapshot:
    objects = tuple(
        o if o.path[-1:] != ("name",) else type(o)(o.kind, (*o.path[:-1], "called"), o.attributes, o.follows)
        for o in snapshot.catalog.objects
    )
    return Snapshot(snapshot.path, type(snapshot.catalog)(tuple(sorted(objects, key=lambda o: o.key))))


def test_two_databases_are_compared_both_ways(migrated: Database, second: Database) -> None:
    run(second, "CREATE TABLE other (id serial PRIMARY KEY)")
    there, back = diff(migrated, migrated, second), diff(migrated, second, migrated)
    assert there.is_proven
    assert back.is_proven
    assert "DROP TABLE public.users;" in texts(there)


def test_another_version_prints_the_same_and_only_what_differs_is_written(folder: Path, tmp_path: Path) -> None:
    versions = sorted(set(BIN) & {"15", "18"})
    if len(versions) < 2:
        pytest.skip("needs PostgreSQL 15 and 18")
    old, new = (start_server(v) for v in versions)
    try:
        view = "CREATE VIEW v AS SELECT u.id, u.name FROM users u JOIN users w USING (id) WHERE u.name IN ('a', 'b');\n"
        (folder / "0002-v.sql").write_text(view)
        (folder / "0002-v.rollback.sql").write_text("DROP VIEW v;\n")
        files = read_migrations(folder)
        operations.migrate(old.database, files)
        scratch = ScratchOptions(new.database)
        equal = diff(old.database, files, old.database, scratch=scratch)
        assert equal.is_equal
        assert any("15" in note for note in equal.notes)
        run(old.database, "ALTER TABLE users ALTER name SET NOT NULL")
        result = diff(old.database, files, old.database, scratch=scratch)
        assert texts(result) == ["ALTER TABLE public.users ALTER COLUMN name SET NOT NULL;"]
    finally:
        stop_server(old)
        stop_server(new)


def test_nothing_stays_of_the_scratch_databases(migrated: Database, folder: Path, server: RunningServer) -> None:
    run(migrated, "ALTER TABLE users ADD weight integer")
    found(migrated, folder, name="weights")
    with server.database.connect() as connection:
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'wflo_schema_scratch%'"
        assert connection.execute(query).fetchall() == []


def test_a_snapshot_that_cannot_be_made_is_refused(migrated: Database, folder: Path, tmp_path: Path) -> None:
    run(migrated, "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (m mood)")
    snapshot = _snapshot(migrated, tmp_path / "x.sql")
    kept = tuple(o for o in snapshot.catalog.objects if o.kind != "type")
    broken = Snapshot(snapshot.path, type(snapshot.catalog)(kept, snapshot.catalog.server_version))
    with pytest.raises((Refused, DatabaseError), match=r"cannot be made on PostgreSQL"):
        diff(migrated, broken, migrated)


def test_what_is_dropped_and_made_again_keeps_its_owner_and_its_grants(database: Database, folder: Path) -> None:
    (folder / "0002-view.sql").write_text(
        "CREATE VIEW names AS SELECT id, name FROM users;\n"
        "GRANT SELECT ON names TO pg_monitor WITH GRANT OPTION;\nGRANT UPDATE (name) ON names TO pg_monitor;\n"
        "CREATE FUNCTION one(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"
        "REVOKE EXECUTE ON FUNCTION one(integer) FROM PUBLIC;\n"
    )
    (folder / "0002-view.rollback.sql").write_text("DROP VIEW names; DROP FUNCTION one(integer);\n")
    operations.migrate(database, read_migrations(folder))
    run(
        database,
        "DROP VIEW names; ALTER TABLE users ALTER name TYPE varchar(9);"
        "CREATE VIEW names AS SELECT id, name FROM users;"
        "DROP FUNCTION one(integer); CREATE FUNCTION one(integer) RETURNS text LANGUAGE sql AS 'SELECT ''1''';",
    )
    result = found(database, folder)
    assert result.is_proven
    for statements in (result.statements, result.rollback):
        written = "\n".join(s.text for s in statements)
        assert "GRANT SELECT ON TABLE public.names TO pg_monitor WITH GRANT OPTION;" in written
        assert "GRANT UPDATE (name) ON TABLE public.names TO pg_monitor;" in written
        assert "REVOKE EXECUTE ON FUNCTION public.one(integer) FROM PUBLIC;" in written


def test_an_identity_goes_on_behind_the_values_that_are_there(database: Database, folder: Path) -> None:
    (folder / "0002-notes.sql").write_text("CREATE TABLE notes (id serial PRIMARY KEY, text text);\n")
    (folder / "0002-notes.rollback.sql").write_text("DROP TABLE notes;\n")
    operations.migrate(database, read_migrations(folder))
    run(
        database,
        "INSERT INTO notes (text) SELECT 'x' FROM generate_series(1, 9); ALTER TABLE notes ALTER id DROP DEFAULT;"
        "DROP SEQUENCE notes_id_seq; ALTER TABLE notes ALTER id ADD GENERATED ALWAYS AS IDENTITY (RESTART 10);",
    )
    result = found(database, folder)
    assert result.is_proven
    for statements in (result.rollback, result.statements):
        run(database, "\n".join(s.text for s in statements))
        run(database, "INSERT INTO notes (text) VALUES ('y')")
