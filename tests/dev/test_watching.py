"""The loop: real saves, real checkouts, a real signal, as a person sees them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import RunningServer, start_server, stop_server
from tests.dev.shop import BASE, DRAFT, ITEMS, WEIGHTS, Shop
from wflo_schema.errors import MigrationFailed

pytestmark = pytest.mark.one_server

_PATIENCE_S = 60.0


@dataclass
class Loop:
    """A running ``wflo-schema dev``, and what it has printed."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not holds():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < end, f"{what}\n{self.text}"
            time.sleep(0.01)

    def says(self, words: str, times: int = 1) -> None:
        self.wait(lambda: self.text.count(words) >= times, words)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE_S)


@contextmanager
def running(shop: Shop, *options: str) -> Iterator[Loop]:
    words = [sys.executable, "-m", "wflo_schema", "dev", "--database-url", shop.server.url, *options]
    process = subprocess.Popen(
        words,
        cwd=shop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    loop = Loop(process)
    assert process.stdout is not None
    reader = threading.Thread(target=lambda out: loop.lines.extend(iter(out.readline, "")), args=(process.stdout,))
    reader.start()
    try:
        yield loop
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _index(shop: Shop, name: str) -> Callable[[], bool]:
    return lambda: shop.ask(f"SELECT count(*) FROM pg_indexes WHERE indexname = '{name}'") == [1]


def test_each_save_is_applied_and_rows_stay_until_the_loop_is_ended_and_after(shop: Shop) -> None:
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
        loop.says(f"applied: {DRAFT}")
        shop.ask("INSERT INTO items (name) VALUES ('a'); INSERT INTO weights (grams) VALUES (7)")
        for n in range(3):
            shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX i{n} ON weights (grams);\n")
            loop.wait(_index(shop, f"i{n}"), f"i{n}")
        assert loop.end() == 128 + signal.SIGINT
    assert "stays as it is" in loop.text
    assert "Traceback" not in loop.text
    with running(shop) as loop:
        loop.says("nothing to do")
        assert shop.ask("SELECT name FROM items") == ["a"]
        assert shop.ask("SELECT grams FROM weights") == [7]


def test_error_has_its_place_and_the_loop_goes_on(shop: Shop) -> None:
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX x ON weights (nothing);\n")
        loop.says(f"migrations/{DRAFT}.sql:2:")
        loop.says('column "nothing" does not exist')
        shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX x ON weights (grams);\n")
        loop.wait(_index(shop, "x"), "the index")


def test_editor_that_writes_by_rename_and_files_that_are_its_own(shop: Shop) -> None:
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        place = shop.migrations / f"{DRAFT}.sql"
        for n in range(3):
            (shop.migrations / f".{DRAFT}.sql.swp").write_text("no SQL")
            (shop.migrations / f"{DRAFT}.sql~").write_text("no SQL")
            aside = shop.migrations / "4913"
            aside.write_text(f"{WEIGHTS}CREATE INDEX r{n} ON weights (grams);\n")
            aside.rename(place)
            loop.wait(_index(shop, f"r{n}"), f"r{n}")
        assert "error" not in loop.text


def test_file_saved_many_times_at_once_ends_as_it_was_saved_last(shop: Shop) -> None:
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        for n in range(30):
            shop.write(DRAFT, f"{WEIGHTS}CREATE INDEX q{n} ON weights (grams);\n", "DROP TABLE weights;\n")
            time.sleep(0.01)
        loop.wait(_index(shop, "q29"), "the last one")


def test_checkout_while_watching_goes_to_the_other_database_and_back(shop: Shop) -> None:
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        shop.git("checkout", "--quiet", "-b", "feature")
        loop.says("is the database of branch feature now, and new")
        shop.write(DRAFT, WEIGHTS)
        loop.says(f"applied: {DRAFT}")
        shop.commit()
        shop.git("checkout", "--quiet", "main")
        loop.says("is the database of branch main now", 2)
        assert shop.ask("SELECT to_regclass('weights')::text") == [None]
        shop.git("checkout", "--quiet", "feature")
        loop.wait(lambda: shop.ask("SELECT to_regclass('weights')::text") == ["weights"], "weights")
        assert "error" not in loop.text


def test_folder_that_goes_and_comes_with_a_checkout_is_still_watched(shop: Shop) -> None:
    shop.git("checkout", "--quiet", "--orphan", "bare")
    shop.git("rm", "--quiet", "-rf", ".")
    shop.commit("nothing")
    shop.git("checkout", "--quiet", "main")
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        shop.git("checkout", "--quiet", "bare")
        loop.wait(lambda: not shop.migrations.exists(), "gone")
        time.sleep(1)
        shop.git("checkout", "--quiet", "main")
        shop.write(DRAFT, WEIGHTS)
        loop.says(f"applied: {DRAFT}")


def test_rebase_is_waited_for(shop: Shop) -> None:
    shop.git("checkout", "--quiet", "-b", "feature")
    shop.write(DRAFT, WEIGHTS)
    shop.commit()
    shop.git("checkout", "--quiet", "main")
    shop.write(DRAFT, "CREATE TABLE waits (a int);\n")
    shop.commit()
    shop.git("checkout", "--quiet", "feature")
    with running(shop) as loop:
        loop.says("is the database of branch feature now")
        with pytest.raises(subprocess.CalledProcessError):
            shop.git("rebase", "--quiet", "main")
        loop.says("a rebase is under way")
        shop.git("rebase", "--abort")
        loop.says("nothing to do")
        assert shop.ask("SELECT to_regclass('weights')::text") == ["weights"]


def test_server_that_goes_away_is_told_once_and_found_again(tmp_path: Path) -> None:
    server: RunningServer = start_server("18" if "18" in _versions() else "15")
    try:
        folder = tmp_path / "shop"
        (folder / "migrations").mkdir(parents=True)
        shop = Shop(folder, server.database)
        shop.git("init", "--quiet", "--initial-branch=main")
        shop.write(BASE, ITEMS)
        shop.commit()
        with running(shop) as loop:
            loop.says("is the database of branch main now")
            server.pg_ctl("-m", "immediate", "-w", "stop")
            shop.write(DRAFT, WEIGHTS)
            loop.says("error:")
            time.sleep(1)
            told = loop.text.count("error:")
            server.pg_ctl("-w", "-l", str(server.data.parent / "log"), "start")
            loop.says(f"applied: {DRAFT}")
            assert told <= 2
    finally:
        stop_server(server)


@pytest.mark.parametrize("moment_s", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_ended_at_any_moment_the_next_one_goes_on(shop: Shop, moment_s: float) -> None:
    shop.round()
    shop.ask("INSERT INTO items (name) VALUES ('a')")
    shop.write(DRAFT, WEIGHTS)
    with running(shop) as loop:
        loop.says(f"applied: {DRAFT}")
        shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
        time.sleep(moment_s)
        loop.process.send_signal(signal.SIGKILL if moment_s in (0.1, 0.4) else signal.SIGTERM)
        loop.process.wait(_PATIENCE_S)
    assert "Traceback" not in loop.text
    shop.round()
    assert _index(shop, "w")()
    assert shop.ask("SELECT name FROM items") == ["a"]


def test_killed_between_rollback_and_new_text_the_rows_of_the_draft_come_back(shop: Shop) -> None:
    shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
    shop.round()
    shop.ask("INSERT INTO weights (grams) VALUES (5), (7)")
    with running(shop) as loop:
        loop.says("nothing to do")
        shop.write(DRAFT, "SELECT pg_sleep(600);\n" + WEIGHTS)
        loop.wait(lambda: shop.ask("SELECT to_regclass('weights') IS NULL") == [True], "the rollback")
        loop.process.kill()
        loop.process.wait(_PATIENCE_S)
    shop.write(DRAFT, WEIGHTS + "SELECT 1 / 0;\n")
    with pytest.raises(MigrationFailed):
        shop.round()
    shop.write(DRAFT, WEIGHTS + "CREATE INDEX w ON weights (grams);\n")
    shop.round()
    assert shop.ask("SELECT grams FROM weights ORDER BY id") == [5, 7]
    assert shop.ask("SELECT nextval('weights_id_seq')") == [3]


def test_contract_is_told_when_it_holds_no_more_and_when_it_holds_again(shop: Shop) -> None:
    (shop.migrations / "contract.toml").write_text('[contract]\ntables = ["weights"]\n')
    with running(shop) as loop:
        loop.says("contract: 1 finding")
        shop.write(DRAFT, WEIGHTS, "DROP TABLE weights;\n")
        loop.says("contract: holds")


def test_what_is_changed_by_hand_is_told_as_drift(shop: Shop) -> None:
    with running(shop) as loop:
        loop.says("is the database of branch main now")
        shop.ask("CREATE INDEX by_hand ON items (name)")
        shop.write(DRAFT, WEIGHTS)
        loop.says("by_hand")


def _versions() -> set[str]:
    from tests.conftest import BIN

    return set(BIN)
