"""Steps of public histories, as somebody takes them who keeps views and functions in repeatable files.

The shapes are those of LemmyNet/lemmy (the type of a column below a pile of views and a materialized view; a table
with a serial key below a view, dropped on the way back) and of hashicorp/boundary (a view's columns named and ordered
anew; functions that return other rows; the type of columns becomes a domain).  The texts are our own.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.engine.test_repeating import Folder, apply, run, states
from tests.engine.test_repeating_kinds import dump
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.repeatables import RepeatableState
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers

TABLES = """
CREATE TABLE author (id serial PRIMARY KEY, handle varchar(20) NOT NULL, answers_to integer REFERENCES author);
CREATE TABLE story (id serial PRIMARY KEY, author_id integer NOT NULL REFERENCES author, title varchar(100) NOT NULL);
CREATE TABLE applause (story_id integer REFERENCES story, author_id integer REFERENCES author, points integer);
"""
PILE = {
    "warmth": "CREATE OR REPLACE FUNCTION warmth(points bigint) RETURNS integer LANGUAGE sql IMMUTABLE AS "
    "$$ SELECT (points * 10)::integer $$;",
    "story_sums": "CREATE OR REPLACE VIEW story_sums AS SELECT s.id, s.title, s.author_id, sum(a.points) AS points, "
    "warmth(sum(a.points)) AS warmth FROM story s LEFT JOIN applause a ON a.story_id = s.id GROUP BY s.id;",
    "story_kept": "CREATE MATERIALIZED VIEW story_kept AS SELECT * FROM story_sums;"
    "CREATE UNIQUE INDEX story_kept_id ON story_kept (id);",
    "story_page": "CREATE VIEW story_page AS WITH every AS (SELECT * FROM story_kept) "
    "SELECT e.*, u.id AS reader FROM author u CROSS JOIN every e UNION ALL SELECT e.*, 0 FROM every e;",
    "moderation": "CREATE OR REPLACE VIEW moderation AS SELECT a.handle, (SELECT title FROM story s WHERE "
    "s.author_id = a.id LIMIT 1) AS title FROM author a;",
    "best": "CREATE OR REPLACE FUNCTION best() RETURNS TABLE (title text, points bigint) LANGUAGE sql AS "
    "$$ SELECT title, points FROM story_kept $$;",
    "digest": "CREATE OR REPLACE VIEW digest AS SELECT b.title FROM best() b;",
}
GIVEN = (
    "GRANT SELECT ON story_sums, story_page TO pg_monitor WITH GRANT OPTION",
    "GRANT SELECT (title) ON story_kept TO pg_read_all_stats",
    "GRANT SELECT, UPDATE (handle) ON moderation TO pg_monitor",
    "REVOKE ALL ON FUNCTION best, warmth FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION best TO pg_monitor",
    "COMMENT ON VIEW story_sums IS 'a story with its applause'",
    "COMMENT ON COLUMN story_page.reader IS 'who looks at it'",
    "COMMENT ON COLUMN story_sums.title IS 'as printed'",
    "COMMENT ON MATERIALIZED VIEW story_kept IS 'refreshed at night'",
    "COMMENT ON INDEX story_kept_id IS 'for REFRESH … CONCURRENTLY'",
    "COMMENT ON FUNCTION best() IS 'of all'",
    "COMMENT ON VIEW digest IS 'mailed on Mondays'",
    "ALTER VIEW digest OWNER TO pg_database_owner",
)


@dataclass(frozen=True)
class Step:
    """What a release changes, and the lines of pg_dump that must differ for it, gone and come, in their order."""

    migration: str
    back: str
    edits: dict[str, str]
    changed: tuple[str, ...]


STEPS = {
    "a column's type below a pile of views": Step(
        "ALTER TABLE story ALTER COLUMN title TYPE varchar(200);",
        "ALTER TABLE story ALTER COLUMN title TYPE varchar(100);",
        {},
        ("-    title character varying(100) NOT NULL", "+    title character varying(200) NOT NULL"),
    ),
    "columns become those of a domain": Step(
        "CREATE DOMAIN name_text AS text CHECK (length(VALUE) < 300);"
        "ALTER TABLE author ALTER handle TYPE name_text; ALTER TABLE story ALTER title TYPE name_text;",
        "ALTER TABLE author ALTER handle TYPE varchar(20); ALTER TABLE story ALTER title TYPE varchar(100);"
        "DROP DOMAIN name_text;",
        {},
        (
            "+CREATE DOMAIN public.name_text AS text",
            "+\tCONSTRAINT name_text_check CHECK ((length(VALUE) < 300));",
            "-    handle character varying(20) NOT NULL,",
            "+    handle public.name_text NOT NULL,",
            "-    title character varying(100) NOT NULL",
            "+    title public.name_text NOT NULL",
        ),
    ),
    "a view's columns reordered, and one gone": Step(
        "SELECT 1;",
        "SELECT 1;",
        {
            "moderation": "CREATE OR REPLACE VIEW moderation AS SELECT (SELECT title FROM story s WHERE "
            "s.author_id = a.id LIMIT 1) AS title, a.handle FROM author a;",
            "story_sums": "CREATE OR REPLACE VIEW story_sums AS SELECT s.title, s.id, sum(a.points) AS points, "
            "warmth(sum(a.points)) AS warmth FROM story s LEFT JOIN applause a ON a.story_id = s.id GROUP BY s.id;",
        },
        (),
    ),
    "what functions return": Step(
        "SELECT 1;",
        "SELECT 1;",
        {
            "warmth": "CREATE OR REPLACE FUNCTION warmth(points bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS "
            "$$ SELECT points * 1.5 $$;",
            "best": "CREATE OR REPLACE FUNCTION best() RETURNS TABLE (id integer, title text, warmth numeric) "
            "LANGUAGE sql AS $$ SELECT id, title, warmth FROM story_kept $$;",
        },
        (),
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "migrations")
    folder.write(_1_a=TABLES, **PILE)
    return folder


def given_of(lines: list[str]) -> list[str]:
    """The grants, comments, owners and indexes in a dump."""
    return [line for line in lines if line.startswith(("GRANT", "REVOKE", "COMMENT", "ALTER", "CREATE UNIQUE"))]


def difference(before: list[str], after: list[str]) -> list[str]:
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    beside = ("    NULL::", "ALTER DOMAIN")  # what pg_dump says of columns before the view is made; the domain's owner
    return [line for line in lines if line[:3] not in ("---", "+++", "@@ ") and not line[1:].startswith(beside)]


@pytest.mark.parametrize("case", STEPS)
def test_release_keeps_grants_and_comments_there_and_back(
    case: str, server: RunningServer, database: Database, folder: Folder
) -> None:
    step = STEPS[case]
    apply(database, folder)
    run(database, *GIVEN)
    before = dump(server, database)
    folder.write(_2_b=step.migration, _2_b__rollback=step.back, **step.edits)
    assert set(apply(database, folder)) >= {"2_b", *(f"repeatable/{name}" for name in step.edits)}
    after = dump(server, database)
    assert difference(given_of(before), given_of(after)) == []
    if not step.edits:
        assert difference(before, after) == list(step.changed)
    assert set(states(database, folder).values()) == {RepeatableState.APPLIED}
    assert apply(database, folder) == ()

    operations.rollback(database, read_migrations(folder.path))
    assert difference(before, dump(server, database)) == []


def test_release_makes_what_the_history_made(
    server: RunningServer, database: Database, second: Database, folder: Folder
) -> None:
    """The same, where each view and function is dropped and made by hand, and given all of it again."""
    folder.write(**STEPS["what functions return"].edits)
    folder.write(**STEPS["a view's columns reordered, and one gone"].edits)
    edited = {name: (folder.path / "repeatable" / f"{name}.sql").read_text() for name in PILE}
    run(second, TABLES, *PILE.values(), *GIVEN)
    run(
        second,
        "DROP VIEW digest, moderation, story_page; DROP FUNCTION best; DROP MATERIALIZED VIEW story_kept",
        "DROP VIEW story_sums; DROP FUNCTION warmth; ALTER TABLE story ALTER title TYPE varchar(200)",
        *edited.values(),
        *GIVEN,
    )
    folder.write(**PILE)
    apply(database, folder)
    run(database, *GIVEN)
    folder.write(_2_b="ALTER TABLE story ALTER title TYPE varchar(200);", **edited)
    apply(database, folder)
    assert difference(dump(server, second), dump(server, database)) == []


def test_table_with_a_serial_key_below_a_view_is_dropped_on_the_way_back(
    server: RunningServer, database: Database, folder: Folder
) -> None:
    apply(database, folder)
    run(database, *GIVEN)
    before = dump(server, database)
    folder.write(
        _2_b="CREATE TABLE pinned (id serial PRIMARY KEY, story_id integer NOT NULL REFERENCES story, "
        "instead_of integer REFERENCES pinned);",
        _2_b__rollback="DROP TABLE pinned;",
        pinned_page="CREATE VIEW pinned_page AS SELECT p.*, s.title FROM pinned p JOIN story s ON s.id = p.story_id;",
    )
    apply(database, folder)
    operations.rollback(database, read_migrations(folder.path))
    assert difference(before, dump(server, database)) == []
    assert apply(database, folder) == ("2_b", "repeatable/pinned_page")


TOLD = {
    "sums": "CREATE OR REPLACE VIEW sums AS SELECT s.*, count(*) AS n FROM story s GROUP BY s.id;",
    "kept": "CREATE MATERIALIZED VIEW kept AS WITH every AS (SELECT * FROM sums) SELECT * FROM every;",
    "plain": "CREATE VIEW plain AS SELECT id, 3 * 4 AS n FROM story;",
    "named": 'CREATE VIEW named (a, "B.c") AS SELECT * FROM applause;',
}


@pytest.mark.parametrize("together", [False, True])
def test_views_of_all_columns_get_those_that_a_migration_adds(
    together: bool, server: RunningServer, database: Database, second: Database, folder: Folder
) -> None:
    for name in PILE:
        folder.delete(name)
    folder.write(**TOLD)
    apply(database, folder)
    given = (
        "GRANT SELECT ON sums, kept, plain TO pg_monitor",
        "COMMENT ON VIEW sums IS 'a'",
        "COMMENT ON COLUMN sums.n IS 'b'",
        "COMMENT ON MATERIALIZED VIEW kept IS 'c'",
        "COMMENT ON VIEW named IS 'd'",
    )
    run(database, *given)
    before = dump(server, database)
    folder.write(
        _2_b="ALTER TABLE story ADD hidden boolean DEFAULT false; ALTER TABLE applause ADD at timestamptz;",
        _2_b__rollback="ALTER TABLE story DROP hidden; ALTER TABLE applause DROP at;",
    )
    files = read_migrations(folder.path)
    applied = operations.migrate(database, files, together=together).ids
    assert set(applied) == {"2_b", "repeatable/sums", "repeatable/kept", "repeatable/named"}
    operations.migrate(second, files)
    run(second, *given)
    assert difference(dump(server, second), dump(server, database)) == []
    assert apply(database, folder) == ()
    folder.write(_3_c="ALTER TABLE author ADD age integer;", _3_c__rollback="ALTER TABLE author DROP age;")
    assert apply(database, folder) == ("3_c",)
    operations.rollback(database, read_migrations(folder.path), count=2)
    assert difference(before, dump(server, database)) == []


def test_what_is_new_goes_with_what_it_is_made_from(server: RunningServer, database: Database, folder: Folder) -> None:
    """On the way back, beside an edited view; a new view of a column that goes, too."""
    apply(database, folder)
    run(database, *GIVEN)
    before = dump(server, database)
    folder.write(
        _2_b="CREATE TABLE pinned (id serial PRIMARY KEY, story_id integer); ALTER TABLE author ADD age integer;",
        _2_b__rollback="DROP TABLE pinned; ALTER TABLE author DROP age;",
        pinned_page="CREATE VIEW pinned_page AS SELECT p.*, m.title, m.age FROM pinned p, moderation m;",
        moderation="CREATE OR REPLACE VIEW moderation AS SELECT a.handle, (SELECT title FROM story s WHERE "
        "s.author_id = a.id LIMIT 1) AS title, a.age FROM author a;",
        ages="CREATE VIEW ages AS SELECT age FROM moderation;",
    )
    apply(database, folder)
    operations.rollback(database, read_migrations(folder.path))
    assert difference(before, dump(server, database)) == []


@pytest.mark.parametrize("together", [False, True])
def test_deleted_file_goes_with_the_column_that_it_is_made_from(
    together: bool, database: Database, folder: Folder
) -> None:
    folder.write(
        ages="CREATE VIEW ages AS SELECT age FROM base;",
        base="CREATE VIEW base AS SELECT id, age FROM author;",
        _2_b="ALTER TABLE author ADD age integer;",
    )
    apply(database, folder)
    folder.delete("ages")
    folder.write(base="CREATE VIEW base AS SELECT id FROM author;", _3_c="ALTER TABLE author DROP age;")
    files = read_migrations(folder.path)
    operations.migrate(database, files, drop_deleted=True, together=together)
    assert run(database, "SELECT to_regclass('ages'), to_regclass('base') IS NULL") == [(None, False)]
    assert "ages" not in states(database, folder)
    folder.write(ages="CREATE VIEW ages AS SELECT id FROM base;")
    apply(database, folder)
    folder.delete("ages")
    folder.write(base="CREATE VIEW base AS SELECT handle FROM author;")
    apply(database, folder, drop_deleted=True)
    assert run(database, "SELECT to_regclass('ages')") == [(None,)]
