"""A round makes the development database what the files say, and keeps its rows."""

from __future__ import annotations

import pytest

from tests.dev.shop import BASE, DRAFT, NEXT, WEIGHTS, Shop
from wflo_schema.dev.databases import Workshop
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, LockNotAcquired, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers


def test_first_round_makes_the_database(shop: Shop) -> None:
    done = shop.round()
    assert done.made
    assert done.branch == "main"
    assert shop.ask("SELECT count(*) FROM items") == [0]
    assert not shop.round().did_something


def test_edited_draft_is_applied_again_and_all_rows_stay(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    assert shop.round().applied == (DRAFT,)
    shop.ask("INSERT INTO items (name) VALUES ('a'), ('b'); INSERT INTO weights (item, grams) VALUES (1, 10), (2, 20)")
    for n in range(3):
        shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX weights_{n} ON weights (grams);\n")
        done = shop.round()
        assert (done.undone, done.applied, done.way, done.lost) == ((DRAFT,), (DRAFT,), "rollback", ())
    assert shop.ask("SELECT name FROM items ORDER BY id") == ["a", "b"]
    assert shop.ask("SELECT grams FROM weights ORDER BY id") == [10, 20]
    assert shop.ask("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'weights__'") == ["weights_2"]
    assert shop.ask("INSERT INTO weights (grams) VALUES (30) RETURNING id") == [3]


def test_rows_follow_into_the_columns_that_are_still_there(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.ask("INSERT INTO weights (grams) VALUES (10)")
    shop.write(DRAFT, "CREATE TABLE weights (grams bigint, note text DEFAULT 'x');\n")
    done = shop.round()
    assert done.lost == ()
    assert shop.ask("SELECT grams || note FROM weights") == ["10x"]


def test_rows_that_fit_no_more_are_told_as_lost(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.ask("INSERT INTO weights (grams) VALUES (10)")
    shop.write(DRAFT, "CREATE TABLE weights (grams int, note text NOT NULL);\n")
    done = shop.round()
    assert [one.table for one in done.lost] == ["public.weights"]
    assert shop.ask("SELECT count(*) FROM weights") == [0]


def test_draft_without_rollback_file_goes_back_to_the_clone_and_rows_stay(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('before')")
    shop.write(DRAFT, "ALTER TABLE items ADD COLUMN grams int;\n" + WEIGHTS)
    shop.round()
    shop.ask("INSERT INTO items (name, grams) VALUES ('after', 5); INSERT INTO weights (item, grams) VALUES (2, 20)")
    shop.write(DRAFT, "ALTER TABLE items ADD COLUMN grams int;\n" + WEIGHTS + "COMMENT ON TABLE items IS 'x';\n")
    done = shop.round()
    assert (done.undone, done.applied, done.way, done.lost) == ((DRAFT,), (DRAFT,), "clone", ())
    assert shop.ask("SELECT name || COALESCE(grams, 0) FROM items ORDER BY id") == ["before0", "after5"]
    assert shop.ask("SELECT grams FROM weights") == [20]
    assert shop.ask("INSERT INTO items (name) VALUES ('more') RETURNING id") == [3]


def test_rollback_file_that_leaves_something_is_said_and_not_believed(shop: Shop) -> None:
    shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX by_name ON items (name);\n", "DROP TABLE weights;\n")
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a'); INSERT INTO weights (grams) VALUES (7)")
    shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX by_name ON items (name, id);\n")
    done = shop.round()
    assert done.way == "clone"
    assert any("does not bring back what was there before" in note for note in done.notes)
    assert shop.ask("SELECT indexdef LIKE '%(name, id)' FROM pg_indexes WHERE indexname = 'by_name'") == [True]
    assert shop.ask("SELECT name FROM items") == ["a"]
    assert shop.ask("SELECT grams FROM weights") == [7]


def test_rollback_file_that_fails_is_said_and_not_used(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE waits;\n")
    shop.round()
    shop.write(DRAFT, WEIGHTS + "COMMENT ON TABLE weights IS 'x';\n")
    done = shop.round()
    assert done.way == "clone"
    assert any('"waits" does not exist' in note for note in done.notes)


def test_edited_rollback_file_is_tried_at_once(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE waits;\n")
    shop.round()
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    done = shop.round()
    assert (done.undone, done.way) == ((DRAFT,), "rollback")
    assert not shop.round().did_something


def test_file_saved_half_changes_nothing(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.ask("INSERT INTO weights (grams) VALUES (7)")
    shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX ON weigh")
    with pytest.raises((MigrationFailed, BadMigrationFile)):
        shop.round()
    assert shop.ask("SELECT grams FROM weights") == [7]
    shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX x ON weights (grams);\n")
    assert shop.round().applied == (DRAFT,)
    assert shop.ask("SELECT grams FROM weights") == [7]


@pytest.mark.parametrize("rollback", ["DROP TABLE weights;\n", None], ids=["rollback", "clone"])
def test_text_that_fails_leaves_the_former_one_and_its_rows(shop: Shop, rollback: str | None) -> None:
    shop.write(DRAFT, WEIGHTS, rollback)
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a'); INSERT INTO weights (item, grams) VALUES (1, 7)")
    shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX ON weights (nothing);\n")
    with pytest.raises(MigrationFailed) as failed:
        shop.round()
    assert failed.value.location is not None
    assert failed.value.location.line == 2
    assert shop.ask("SELECT grams FROM weights") == [7]
    assert shop.ask("SELECT name FROM items") == ["a"]
    shop.write(DRAFT, WEIGHTS)
    assert not shop.round().did_something


def test_several_drafts_of_which_the_first_is_edited(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.write(NEXT, "ALTER TABLE weights ADD COLUMN colour text;\n", "ALTER TABLE weights DROP COLUMN colour;\n")
    assert shop.round().applied == (DRAFT, NEXT)
    shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
    done = shop.round()
    assert (done.undone, done.applied, done.way) == ((DRAFT, NEXT), (DRAFT, NEXT), "rollback")
    shop.write(NEXT, "ALTER TABLE weights ADD COLUMN colour varchar;\n")
    assert shop.round().undone == (NEXT,)


@pytest.mark.parametrize("rollback", ["DROP TABLE weights;\n", None], ids=["rollback", "clone"])
def test_removed_draft_is_undone_though_its_files_are_gone(shop: Shop, rollback: str | None) -> None:
    shop.write(DRAFT, WEIGHTS, rollback)
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.remove(DRAFT)
    done = shop.round()
    assert (done.undone, done.applied) == ((DRAFT,), ())
    assert done.way == ("rollback" if rollback else "clone")
    assert shop.ask("SELECT to_regclass('weights')::text") == [None]
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_renamed_draft_keeps_its_rows(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.ask("INSERT INTO weights (grams) VALUES (7)")
    shop.remove(DRAFT)
    shop.write(NEXT, WEIGHTS, "DROP TABLE weights;\n")
    done = shop.round()
    assert (done.undone, done.applied) == ((DRAFT,), (NEXT,))
    assert shop.ask("SELECT grams FROM weights") == [7]


def test_edited_committed_file_is_refused_with_the_way_out_and_followed_when_asked(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.write(BASE, "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, code text);\n")
    with pytest.raises(Refused, match=f"edited: {BASE}") as refused:
        shop.round()
    assert "--edit-committed" in refused.value.hint
    done = shop.round(edits_committed=True)
    assert (done.undone, done.applied, done.way) == ((BASE,), (BASE,), "files")
    assert shop.ask("SELECT name FROM items") == ["a"]
    assert shop.ask("SELECT code FROM items") == [None]


def test_deleted_committed_file_is_refused(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS)
    shop.commit()
    shop.round()
    shop.remove(DRAFT)
    with pytest.raises(Refused, match=f"deleted: {DRAFT}"):
        shop.round()


def test_what_the_base_has_not_may_be_edited_though_committed(shop: Shop) -> None:
    shop.git("branch", "release")
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.commit()
    shop.round(revision="release")
    shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
    with pytest.raises(Refused):
        shop.round()
    assert shop.round(revision="release").way == "rollback"


def test_amended_commit_is_followed(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.commit()
    shop.round()
    shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
    shop.git("add", "--all")
    shop.git("commit", "--quiet", "--amend", "--no-edit")
    done = shop.round()
    assert (done.undone, done.applied) == ((DRAFT,), (DRAFT,))


def test_pulled_file_that_sorts_before_a_draft_goes_below_it(shop: Shop) -> None:
    shop.write(NEXT, "CREATE TABLE colours (name text);\n", "DROP TABLE colours;\n")
    shop.round()
    shop.ask("INSERT INTO colours VALUES ('red')")
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.git("add", f"migrations/{DRAFT}.sql", f"migrations/{DRAFT}.rollback.sql")
    shop.git("commit", "--quiet", "--message", "pulled")
    done = shop.round()
    assert (done.undone, done.applied) == ((NEXT,), (DRAFT, NEXT))
    assert shop.ask("SELECT name FROM colours") == ["red"]


def test_non_transactional_draft(shop: Shop) -> None:
    head = "-- transactional: false\n"
    shop.write(DRAFT, f"{head}CREATE INDEX CONCURRENTLY by_name ON items (name);\n", f"{head}DROP INDEX by_name;\n")
    shop.round()
    shop.write(DRAFT, f"{head}CREATE INDEX CONCURRENTLY by_name ON items (name, id);\n")
    assert shop.round().way == "rollback"
    shop.write(DRAFT, f"{head}CREATE INDEX by_id ON items (id);\nCREATE INDEX CONCURRENTLY no ON items (nothing);\n")
    with pytest.raises(MigrationFailed):
        shop.round()
    shop.write(DRAFT, f"{head}CREATE INDEX CONCURRENTLY by_name ON items (name);\n")
    done = shop.round()
    assert done.applied == (DRAFT,)
    assert shop.ask("SELECT indexname FROM pg_indexes WHERE tablename = 'items' ORDER BY 1") == [
        "by_name",
        "items_pkey",
    ]


def test_empty_folder_and_its_first_file(shop: Shop) -> None:
    shop.remove(BASE)
    shop.commit()
    done = shop.round()
    assert done.made
    assert done.applied == ()
    shop.write(DRAFT, "CREATE TABLE one (a int);\n")
    assert shop.round().applied == (DRAFT,)
    shop.remove(DRAFT)
    assert shop.round().undone == (DRAFT,)
    assert shop.ask("SELECT to_regclass('one')::text") == [None]


def test_without_git_every_file_may_be_edited(shop: Shop) -> None:
    shop.git("init", "--quiet", "--separate-git-dir", str(shop.folder / "elsewhere"))
    (shop.folder / ".git").unlink()
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    done = shop.round()
    assert (done.branch, done.applied) == ("", (BASE, DRAFT))
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.write(BASE, "CREATE TABLE items (id serial PRIMARY KEY, name varchar NOT NULL);\n")
    done = shop.round()
    assert (done.undone, done.applied, done.way) == ((BASE, DRAFT), (BASE, DRAFT), "rollback")
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_what_was_applied_by_migrate_itself_is_undone_from_the_files(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    operations.migrate(shop.database, read_migrations(shop.migrations))
    shop.write(DRAFT, WEIGHTS + "COMMENT ON TABLE weights IS 'x';\n")
    done = shop.round()
    assert done.way == "files"
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_lock_of_another_session_is_waited_for_and_named(shop: Shop) -> None:
    shop.write(DRAFT, "CREATE INDEX by_name ON items (name);\n", "DROP INDEX by_name;\n")
    shop.round()
    shop.write(DRAFT, "CREATE INDEX by_name ON items (name, id);\n")
    with shop.database.connect(autocommit=False) as other:
        other.execute("SELECT FROM items")
        with pytest.raises(LockNotAcquired):
            shop.round()
        other.rollback()
    assert shop.round().way == "rollback"


def test_clone_is_not_taken_from_under_a_session_and_rows_stay_all_the_same(shop: Shop) -> None:
    shop.round()
    shop.write(DRAFT, WEIGHTS)
    with shop.database.connect() as psql:
        done = shop.round()
        assert any("somebody is connected" in note for note in done.notes)
        psql.execute("INSERT INTO items (name) VALUES ('a')")
    assert shop.names() == [shop.database.name]
    shop.write(DRAFT, WEIGHTS + "COMMENT ON TABLE weights IS 'x';\n")
    assert shop.round().way == "files"
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_triggers_and_foreign_keys_do_not_stand_in_the_way_of_rows(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS + "ALTER TABLE items ADD COLUMN best int REFERENCES weights;\n")
    shop.write(
        NEXT,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;\n"
        "CREATE TRIGGER no BEFORE INSERT ON weights FOR EACH ROW WHEN (NEW.grams > 5) EXECUTE FUNCTION no();\n",
    )
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a'); INSERT INTO weights (item, grams) VALUES (1, 5)")
    shop.ask("UPDATE weights SET grams = 6")
    shop.write(NEXT, (shop.migrations / f"{NEXT}.sql").read_text() + "-- more\n")
    assert shop.round().lost == ()
    assert shop.ask("SELECT grams FROM weights") == [6]
    assert shop.ask("SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'no'") == ["O"]


def test_database_that_somebody_else_made_is_not_touched(shop: Shop) -> None:
    with shop.server.connect() as connection:
        connection.execute(f'CREATE DATABASE "{shop.project.name}"'.encode())
    with pytest.raises(Refused, match="was not made by wflo-schema dev"):
        shop.round()
    assert shop.ask("SELECT to_regclass('items')::text") == [None]


def test_database_of_another_folder_of_the_same_name_is_not_touched(shop: Shop) -> None:
    shop.round()
    other = Shop(shop.folder.parent / "copy" / shop.folder.name, shop.server)
    other.migrations.mkdir(parents=True)
    (other.folder / "setup.py").touch()
    other.write(DRAFT, "CREATE TABLE one (a int);\n")
    with pytest.raises(Refused, match="is the development database of"):
        other.round()
    with Workshop.open(other.project) as workshop:
        assert workshop.found() == []


def test_column_that_is_dropped_no_more_comes_back_with_its_values(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.write(DRAFT, "ALTER TABLE items DROP COLUMN name;\n")
    shop.round()
    shop.write(DRAFT, "ALTER TABLE items ADD COLUMN grams int;\n")
    done = shop.round()
    assert any("are those of the clone" in note for note in done.notes) or done.lost == ()
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_view_is_followed_and_stands_beside_a_draft_that_is_edited(shop: Shop) -> None:
    views = shop.migrations / "repeatable"
    views.mkdir()
    (views / "named.sql").write_text("CREATE VIEW named AS SELECT id, name FROM items;\n")
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    for n in range(2):
        shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX w{n} ON weights (grams);\n")
        assert shop.round().way == "rollback"
        (views / "named.sql").write_text(f"CREATE VIEW named AS SELECT id, {n} AS n, name FROM items;\n")
        done = shop.round()
        assert (done.undone, done.applied) == ((), ("repeatable/named",))
        assert shop.ask("SELECT n FROM named") == [n]
    (views / "named.sql").unlink()
    shop.round()
    assert shop.ask("SELECT to_regclass('named')::text") == [None]
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_view_over_what_a_draft_makes(shop: Shop) -> None:
    views = shop.migrations / "repeatable"
    views.mkdir()
    shop.write(
        DRAFT, "CREATE TABLE weights (id int GENERATED ALWAYS AS IDENTITY, grams int);\n", "DROP TABLE weights;\n"
    )
    (views / "heavy.sql").write_text("CREATE VIEW heavy AS SELECT grams FROM weights;\n")
    shop.round()
    shop.ask("INSERT INTO weights (grams) VALUES (7)")
    shop.write(DRAFT, "CREATE TABLE weights (id int GENERATED ALWAYS AS IDENTITY, grams bigint);\n")
    done = shop.round()
    assert (done.way, done.notes, done.lost) == ("rollback", (), ())
    assert shop.ask("SELECT grams FROM heavy") == [7]
    (views / "heavy.sql").write_text("CREATE VIEW heavy AS SELECT nothing FROM weights;\n")
    with pytest.raises(MigrationFailed):
        shop.round()
    assert shop.ask("SELECT grams FROM heavy") == [7]
    (views / "heavy.sql").write_text("CREATE VIEW heavy AS SELECT grams, id FROM weights;\n")
    shop.round()
    assert shop.ask("SELECT id FROM heavy") == [1]


def test_only_repeatable_files(shop: Shop) -> None:
    views = shop.migrations / "repeatable"
    views.mkdir()
    shop.remove(BASE)
    (views / "one.sql").write_text("CREATE VIEW one AS SELECT 1 AS a;\n")
    shop.commit()
    assert shop.round().applied == ("repeatable/one",)
    (views / "one.sql").write_text("CREATE VIEW one AS SELECT 2 AS a;\n")
    shop.round()
    assert shop.ask("SELECT a FROM one") == [2]


def test_variables_have_their_values(shop: Shop) -> None:
    text = "-- variables: colour\nCREATE TABLE colours AS SELECT :'colour' AS name;\n"
    shop.write(DRAFT, text, "DROP TABLE colours;\n")
    shop.round(variables={"colour": "red"})
    shop.write(DRAFT, f"{text}-- more\n")
    assert shop.round(variables={"colour": "red"}).way == "rollback"
    assert shop.ask("SELECT name FROM colours") == ["red"]


def test_committed_file_that_was_pulled_is_applied(shop: Shop) -> None:
    shop.round()
    shop.write(DRAFT, WEIGHTS)
    shop.commit()
    assert shop.round().applied == (DRAFT,)
    assert shop.ask("SELECT to_regclass('weights')::text") == ["weights"]


def test_rows_of_many_tables_follow_when_all_is_made_anew(shop: Shop) -> None:
    shop.write(
        DRAFT,
        "CREATE TABLE parts (id int PRIMARY KEY, above int REFERENCES parts, item int REFERENCES items);\n"
        "CREATE TABLE moments (at date, n int GENERATED ALWAYS AS IDENTITY, two int GENERATED ALWAYS AS (1 + 1) STORED)"
        " PARTITION BY RANGE (at);\n"
        "CREATE TABLE moments_2025 PARTITION OF moments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n"
        'CREATE TABLE "Odd Name" ("a ""b" text, j jsonb, b bytea, a int[]);\n',
    )
    shop.commit()
    shop.round()
    shop.ask("INSERT INTO items (name) SELECT 'n' || n FROM generate_series(1, 500) AS n")
    shop.ask("INSERT INTO parts VALUES (2, NULL, 1), (1, 2, 500)")
    shop.ask("INSERT INTO moments (at) VALUES ('2025-05-05'), ('2025-06-06')")
    shop.ask("""INSERT INTO "Odd Name" VALUES (E'tab\\t\\\\ and \\n', '{"a": "\\\\u00e4"}', '\\x00ff', '{1,NULL}')""")
    told = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (TABLE \"Odd Name\") AS t"
    before = shop.ask(told)
    shop.write(NEXT, "CREATE TABLE colours (name text);\n")
    shop.write(BASE, "CREATE TABLE items (id serial PRIMARY KEY, name varchar NOT NULL);\n")
    done = shop.round(edits_committed=True)
    assert (done.way, done.lost) == ("files", ())
    assert shop.ask("SELECT count(*) FROM items") == [500]
    assert shop.ask("SELECT id FROM parts ORDER BY id") == [1, 2]
    assert shop.ask("SELECT n FROM moments ORDER BY at") == [1, 2]
    assert shop.ask(told) == before
    assert shop.ask("INSERT INTO items (name) VALUES ('x') RETURNING id") == [501]
