"""``wflo-schema dev`` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.test_commands import Ran, run
from tests.conftest import RunningServer
from tests.dev.conftest import shop as shop
from tests.dev.shop import BASE, DRAFT, WEIGHTS, Shop

pytestmark = pytest.mark.one_server


def dev(shop: Shop, *words: str) -> Ran:
    return run("dev", *words, cwd=shop.folder, env={"DATABASE_URL": shop.server.url})


def test_once_as_json_is_one_value_on_stdout(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS)
    ran = dev(shop, "--once", "--format", "json")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert (said["branch"], said["applied"], said["made"]) == ("main", [DRAFT], True)
    assert said["url"].endswith(shop.database.name)


def test_url_is_the_one_that_a_client_connects_with(shop: Shop) -> None:
    dev(shop, "--once")
    ran = dev(shop, "url")
    assert ran.code == 0
    assert ran.out == f"{shop.database.url}\n"
    again = run("dev", "--once", cwd=shop.folder, env={"DATABASE_URL": ran.out.strip()})
    assert again.code == 0, again.err
    assert "nothing to do" in again.out


def test_refused_edit_says_the_way_out_and_exits_with_3(shop: Shop) -> None:
    dev(shop, "--once")
    shop.write(BASE, "CREATE TABLE things (id int);\n")
    ran = dev(shop, "--once")
    assert ran.code == 3
    assert f"edited: {BASE}" in ran.err
    assert "--edit-committed" in ran.err
    assert dev(shop, "--once", "--edit-committed").code == 0


def test_branches_are_listed_as_json_switched_and_dropped(shop: Shop) -> None:
    dev(shop, "--once")
    assert dev(shop, "branch", "other").out.startswith(f"{shop.database.name} is the database of branch other now")
    found = json.loads(dev(shop, "branch", "--format", "json").out)
    assert [(d["branch"], d["is_current"]) for d in found] == [("other", True), ("main", False)]
    assert dev(shop, "branch", "main").code == 0
    assert dev(shop, "branch", "--drop", "other").out.startswith("dropped: ")
    assert dev(shop, "branch", "--prune").out == "dropped: nothing\n"
    assert dev(shop, "branch", "main", "--prune").code == 2


def test_unknown_base_is_a_usage_error(shop: Shop) -> None:
    ran = dev(shop, "--once", "--base", "nowhere")
    assert ran.code == 2
    assert "git knows no revision nowhere" in ran.err


def test_without_watchfiles_the_error_says_what_to_install(shop: Shop) -> None:
    hide = "import sys; sys.modules['watchfiles'] = None; from wflo_schema.cli.commands import main; main()"
    words = [sys.executable, "-c", hide, "dev", "--database-url", shop.server.url]
    done = subprocess.run(words, cwd=shop.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install 'wflo-schema[dev]'" in done.stderr


def test_role_that_is_no_superuser_has_it_all(shop: Shop, server: RunningServer) -> None:
    with server.database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS dev_plain")
        connection.execute("CREATE ROLE dev_plain LOGIN CREATEDB")
    try:
        shop.server = server.database.with_parameters(user="dev_plain")
        assert dev(shop, "--once").code == 0
        shop.ask("INSERT INTO items (name) VALUES ('a')")
        shop.write(DRAFT, WEIGHTS)
        assert dev(shop, "--once").code == 0
        shop.ask("INSERT INTO weights (item) VALUES (1)")
        shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
        ran = dev(shop, "--once")
        assert "gone back to the clone" in ran.out, ran
        assert shop.ask("SELECT items.name FROM weights JOIN items ON items.id = item") == ["a"]
        shop.git("checkout", "--quiet", "-b", "other")
        assert dev(shop, "--once").code == 0
        assert shop.ask("SELECT items.name FROM weights JOIN items ON items.id = item") == ["a"]
    finally:
        shop.server = server.database
        shop.drop_all()
        with server.database.connect() as connection:
            for (name,) in connection.execute(
                "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = 'dev_plain'"
            ).fetchall():
                connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false'.encode())
                connection.execute(f'DROP DATABASE "{name}"'.encode())
            connection.execute("DROP ROLE dev_plain")
