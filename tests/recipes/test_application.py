"""An application writes throughout: it sees no error, and no row is lost, in its old version and in its new one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.recipes.cases import KEYS
from tests.recipes.shop import apply, cook, made
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers

# Rounds that each has made before a step is taken, and after it.
ROUNDS = 20


class Application:
    """A version of an application at work: what it knows of the rows that it wrote, and its errors."""

    def __init__(self, database: Database, column: str, offset: int) -> None:
        self.database, self.column, self.number = database, column, offset
        self.known: dict[int, str | None] = {}
        self.errors: list[str] = []
        self.rounds = 0
        self.is_stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self.database.connect() as connection:
            while not self.is_stopped.is_set():
                try:
                    self._round(connection)
                except psycopg.Error as error:
                    self.errors.append(f"{error.sqlstate} {error}")
                self.rounds += 1

    def _round(self, connection: psycopg.Connection) -> None:
        self.number += 1
        mail = None if self.number % 5 == 0 else f"{self.column}{self.number}"
        written = f"INSERT INTO orders (customer_id, {self.column}) VALUES (1, %s) RETURNING id"
        with connection.transaction():
            row = connection.execute(written.encode(), (mail,)).fetchone()
            assert row is not None
            connection.execute("INSERT INTO lines (order_id) VALUES (%s)", (row[0],))
        self.known[row[0]] = mail
        if self.number % 3 == 0:
            changed = min(self.known)
            again = f"UPDATE orders SET {self.column} = %s WHERE id = %s"
            connection.execute(again.encode(), (f"changed{self.number}", changed))
            self.known[changed] = f"changed{self.number}"
        if self.number % 7 == 0:
            connection.execute("DELETE FROM orders WHERE id = %s", (row[0],))
            del self.known[row[0]]
        # what an older row holds can be read, whoever has written it
        filled = f"SELECT count(*) FROM orders WHERE id <= 500 AND {self.column} IS NULL"
        found = connection.execute(filled.encode()).fetchone()
        if found != (166,):
            self.errors.append(f"{self.column} is empty in {found} of the old rows")

    def work(self) -> None:
        """Wait until it has made some more rounds."""
        until = self.rounds + ROUNDS
        while self.rounds < until:
            assert self.thread.is_alive()
            self.is_stopped.wait(0.01)

    def stop(self) -> None:
        self.is_stopped.set()
        self.thread.join(60)
        assert self.errors == []


@contextmanager
def at_work(database: Database, column: str, offset: int) -> Iterator[Application]:
    one = Application(database, column, offset)
    one.thread.start()
    try:
        yield one
    finally:
        one.is_stopped.set()
        one.thread.join(60)


def assert_known(database: Database, column: str, *applications: Application) -> None:
    with database.connect() as connection:
        rows: dict[int, str | None] = dict(
            connection.execute(f"SELECT id, {column} FROM orders WHERE id > 500".encode()).fetchall()
        )
        lines = connection.execute("SELECT count(*) FROM lines WHERE order_id > 500").fetchone()
    known: dict[int, str | None] = {}
    for one in applications:
        known |= one.known
    assert rows == known
    assert lines == (len(known),)


def test_both_versions_work_while_a_column_is_renamed(database: Database, tmp_path: Path) -> None:
    made(database, KEYS)
    cook(database, tmp_path, "rename-column", "orders.mail", "email", batch=50)
    *before, last = read_migrations(tmp_path)
    with at_work(database, "mail", 0) as old:
        old.work()
        apply(database, tmp_path, to=before[-1].id)
        with at_work(database, "email", 100_000) as new:
            new.work()
            old.work()
            old.stop()
            apply(database, tmp_path, to=last.id)
            new.work()
            operations.rollback(database, read_migrations(tmp_path))
            new.work()
            with at_work(database, "mail", 200_000) as older:
                older.work()
                new.work()
                new.stop()
                operations.rollback(database, read_migrations(tmp_path), count=len(before))
                older.work()
                older.stop()
    assert_known(database, "mail", old, new, older)


def test_an_application_works_while_the_type_of_its_key_changes(database: Database, tmp_path: Path) -> None:
    made(database, KEYS)
    cook(database, tmp_path, "change-type", "orders.id", "bigint", batch=50)
    with at_work(database, "mail", 0) as one:
        one.work()
        apply(database, tmp_path)
        one.work()
        operations.rollback(database, read_migrations(tmp_path), count=3)
        one.work()
        one.stop()
    assert_known(database, "mail", one)
