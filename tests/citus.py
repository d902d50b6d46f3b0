"""A Citus cluster for the tests that are marked ``citus``: they run where the environment names one.

``WFLO_SCHEMA_TEST_CITUS_URL`` is the URL of a database on its coordinator, as a superuser.  Everything that a test
makes there bears a prefix of its own and is dropped behind it, so several runs may share a cluster.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.connect.database import Database

VARIABLE = "WFLO_SCHEMA_TEST_CITUS_URL"

# Read before the environment is cleared of everything that begins like this; by another name it is there for the
# processes of pytest-xdist, which inherit what is left.
_INHERITED = "CITUS_URL_OF_TESTS"
URL = os.environ.get(VARIABLE) or os.environ.get(_INHERITED, "")
if URL:
    os.environ[_INHERITED] = URL

SKIPPED = (
    f"no Citus cluster: {VARIABLE} is to be the URL of a database on its coordinator, as a superuser "
    f"({VARIABLE}=postgresql://postgres@localhost:5432/citus make test ARGS='-m citus')"
)


@dataclass(frozen=True)
class Cluster:
    """A coordinator with its workers, and what this test alone may make there: names that begin with ``prefix``."""

    database: Database
    prefix: str

    def name(self, word: str) -> str:
        """A name of this test's own, for a schema or a database; what bears it is dropped behind the test."""
        return f"{self.prefix}_{word}"

    def tenant(self, word: str = "tenant") -> Database:
        """A new schema of schema-based sharding, as the target."""
        name = self.name(word)
        with self.database.connect() as connection:
            connection.execute("SET citus.enable_schema_based_sharding = on")
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return self.database.with_schema(name)

    def local(self, word: str = "local") -> Database:
        """A new schema whose tables stay on the coordinator, as the target."""
        name = self.name(word)
        with self.database.connect() as connection:
            connection.execute("SET citus.enable_schema_based_sharding = off")
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return self.database.with_schema(name)

    def drop(self) -> None:
        """Drop all schemas and databases of these names."""
        begins = f"{self.prefix}\\_%"
        with self.database.connect() as connection:
            connection.execute("SET client_min_messages = warning")
            for query, drop in (
                ("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", "DROP SCHEMA {} CASCADE"),
                ("SELECT datname FROM pg_database WHERE datname LIKE %s", "DROP DATABASE {} WITH (FORCE)"),
            ):
                for (name,) in connection.execute(query, (begins,)).fetchall():
                    _again(connection, sql.SQL(drop).format(sql.Identifier(name)))


def _again(connection: psycopg.Connection[TupleRow], statement: sql.Composed) -> None:
    """Run it; Citus locks local tables of other schemas, too, as it drops one, and two that do so may meet."""
    for left in reversed(range(20)):
        try:
            connection.execute(statement)
            return
        except psycopg.errors.DeadlockDetected:
            if not left:
                raise


@contextmanager
def cluster_of(url: str) -> Iterator[Cluster]:
    """The cluster behind a URL, for one test."""
    cluster = Cluster(Database.parse(url), f"wfs_{secrets.token_hex(4)}")
    try:
        yield cluster
    finally:
        cluster.drop()
