"""Each branch has a database, and the one that git is on has the project's name."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.dev.shop import BASE, DRAFT, ITEMS, NEXT, WEIGHTS, Shop
from wflo_schema.dev.branches import drop_branch, list_branches, prune_branches, switch_branch
from wflo_schema.dev.checkout import DETACHED
from wflo_schema.errors import Refused, UsageError

pytestmark = pytest.mark.spread_over_servers


def _folders(shop: Shop) -> tuple[str, ...]:
    return (str(shop.migrations),)


def test_new_branch_has_the_rows_of_the_one_that_it_comes_from(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('of main')")
    shop.git("checkout", "--quiet", "-b", "feature/weights")
    done = shop.round()
    assert (done.branch, done.made, done.switched) == ("feature/weights", True, True)
    assert shop.ask("SELECT name FROM items") == ["of main"]


def test_going_back_needs_no_rollback_file_and_finds_the_rows_of_that_branch(shop: Shop) -> None:
    shop.round()
    shop.git("checkout", "--quiet", "-b", "feature")
    shop.write(DRAFT, "ALTER TABLE items DROP COLUMN name;\n")
    shop.commit()
    shop.round()
    shop.git("checkout", "--quiet", "main")
    done = shop.round()
    assert (done.branch, done.made, done.switched, done.undone) == ("main", False, True, ())
    shop.ask("INSERT INTO items (name) VALUES ('of main')")
    shop.git("checkout", "--quiet", "feature")
    assert shop.round().undone == ()
    assert shop.ask("SELECT count(*) FROM items") == [0]
    shop.git("checkout", "--quiet", "main")
    shop.round()
    assert shop.ask("SELECT name FROM items") == ["of main"]


def test_branch_that_no_database_fits_is_made_of_its_files_with_the_rows_that_fit(shop: Shop) -> None:
    shop.git("checkout", "--quiet", "-b", "feature")
    shop.write(DRAFT, WEIGHTS)
    shop.commit()
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.git("checkout", "--quiet", "main")
    done = shop.round()
    assert done.made
    assert shop.ask("SELECT to_regclass('weights')::text") == [None]
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_uncommitted_file_goes_along_to_another_branch(shop: Shop) -> None:
    shop.round()
    shop.git("branch", "other")
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.git("checkout", "--quiet", "other")
    shop.round()
    assert shop.ask("SELECT to_regclass('weights')::text") == ["weights"]
    shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
    assert shop.round().way == "rollback"
    shop.commit()
    shop.git("checkout", "--quiet", "main")
    done = shop.round()
    assert done.undone == (DRAFT,)
    assert shop.ask("SELECT to_regclass('weights')::text") == [None]


def test_session_in_a_database_that_goes_aside_is_sent_away(shop: Shop) -> None:
    shop.round()
    with shop.database.connect() as application:
        shop.git("checkout", "--quiet", "-b", "feature")
        assert "1 connection was closed" in shop.round().notes
        with pytest.raises(psycopg.OperationalError):
            application.execute("SELECT 1")
    assert shop.ask("SELECT count(*) FROM items") == [0]


def test_detached_head_has_a_database_of_its_own(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS)
    shop.commit()
    shop.round()
    shop.git("checkout", "--quiet", "--detach", "HEAD~1")
    done = shop.round()
    assert done.branch == DETACHED
    assert shop.ask("SELECT to_regclass('weights')::text") == [None]
    shop.git("checkout", "--quiet", "main")
    assert shop.round().undone == ()
    assert shop.ask("SELECT to_regclass('weights')::text") == ["weights"]


def test_renamed_branch_keeps_its_database(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.git("branch", "--move", "trunk")
    done = shop.round()
    assert (done.branch, done.made) == ("trunk", False)
    assert shop.ask("SELECT name FROM items") == ["a"]
    assert len(shop.names()) == 1


def test_worktree_has_a_database_of_its_own_with_the_rows_of_the_first(shop: Shop) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    place = shop.folder.parent / f"{shop.folder.name} second"
    shop.git("worktree", "add", "--quiet", "-b", "feature", str(place))
    second = Shop(place, shop.server)
    try:
        done = second.round()
        assert (done.branch, done.made) == ("feature", True)
        assert second.database.name != shop.database.name
        assert second.ask("SELECT name FROM items") == ["a"]
        assert shop.names() == [shop.database.name]
    finally:
        second.drop_all()


def test_two_branches_whose_names_are_alike_have_two_databases(shop: Shop) -> None:
    shop.round()
    for branch in ("a/b", "a_b", "a-b"):
        shop.git("checkout", "--quiet", "-b", branch)
        shop.round()
    shop.git("checkout", "--quiet", "main")
    shop.round()
    found = list_branches(shop.project, _folders(shop))
    assert [d.branch for d in found] == ["main", "a-b", "a/b", "a_b"]
    assert len({d.name for d in found}) == 4


@pytest.mark.one_server
def test_branch_with_the_longest_name_has_a_database(shop: Shop) -> None:
    shop.round()
    for branch in ("x" * 120, "x" * 119 + "y", "ä" * 60):
        shop.git("checkout", "--quiet", "-b", branch)
        shop.round()
    shop.git("checkout", "--quiet", "main")
    shop.round()
    assert len(shop.names()) == 4


def test_list_says_which_is_current_and_which_branch_is_gone(shop: Shop) -> None:
    shop.round()
    shop.git("checkout", "--quiet", "-b", "feature")
    shop.write(DRAFT, WEIGHTS)
    shop.round()
    shop.remove(DRAFT)
    shop.git("checkout", "--quiet", "main")
    shop.git("branch", "--delete", "--force", "feature")
    shop.round()
    found = list_branches(shop.project, _folders(shop))
    assert [(d.branch, d.purpose, d.is_current, d.is_gone) for d in found] == [
        ("main", "dev", True, False),
        ("feature", "dev", False, True),
        ("feature", "dev-clone", False, True),
    ]
    assert all(d.size_bytes for d in found)
    assert set(prune_branches(shop.project, _folders(shop))) == {d.name for d in found[1:]}
    assert shop.names() == [shop.database.name]


def test_switch_by_hand_makes_and_drop_takes_away(shop: Shop) -> None:
    shop.round()
    done = switch_branch(shop.project, _folders(shop), "feature")
    assert (done.branch, done.made) == ("feature", True)
    with pytest.raises(Refused, match="in use"):
        drop_branch(shop.project, "feature")
    switch_branch(shop.project, _folders(shop), "main")
    assert len(drop_branch(shop.project, "feature")) == 1
    with pytest.raises(UsageError, match="no development database of feature"):
        drop_branch(shop.project, "feature")


def test_rebase_in_the_middle_counts_as_its_branch(shop: Shop) -> None:
    shop.git("checkout", "--quiet", "-b", "feature")
    shop.write(NEXT, "CREATE TABLE colours (name text);\n")
    shop.commit()
    shop.git("checkout", "--quiet", "main")
    shop.write(NEXT, "CREATE TABLE colors (name text);\n")
    shop.commit()
    shop.git("checkout", "--quiet", "feature")
    shop.round()
    with pytest.raises(Exception, match="git"):
        shop.git("rebase", "--quiet", "main")
    from wflo_schema.dev.checkout import Repository

    found = Repository(_folders(shop)).read()
    assert (found.branch, found.under_way) == ("feature", "rebase")
    shop.git("rebase", "--abort")
    assert Repository(_folders(shop)).read().under_way == ""


def test_moved_folder_on_another_machine_is_not_taken_over(shop: Shop, tmp_path: Path) -> None:
    shop.round()
    moved = Shop(tmp_path / "moved" / shop.folder.name, shop.server)
    moved.folder.parent.mkdir()
    shop.folder.rename(moved.folder)
    with pytest.raises(Refused, match="is the development database of"):
        moved.round()
    moved.folder.rename(shop.folder)
    assert not shop.round().did_something
    assert (shop.migrations / f"{BASE}.sql").exists()


def test_databases_of_another_project_that_is_gone_are_not_taken_over(shop: Shop, tmp_path: Path) -> None:
    shop.round()
    (socket,) = shop.ask("SHOW unix_socket_directories")
    gone = tmp_path / "gone"
    shop.folder.rename(gone)
    other = Shop(tmp_path / f"other {tmp_path.name}", shop.server.with_parameters(host=socket))
    (other.migrations).mkdir(parents=True)
    other.git("init", "--quiet", "--initial-branch=main")
    other.write(BASE, ITEMS)
    other.commit()
    try:
        assert other.round().made
        assert other.names() == [other.project.name]
    finally:
        other.drop_all()
    gone.rename(shop.folder)
    assert not shop.round().did_something
