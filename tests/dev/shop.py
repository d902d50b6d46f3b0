"""A project in a folder with git, and what a person does in it."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.connect.database import Database
from wflo_schema.dev.checkout import project_folder
from wflo_schema.dev.databases import Project, Workshop, dev_name
from wflo_schema.dev.rounds import Round
from wflo_schema.dev.watching import Told, Watched, follow_once
from wflo_schema.errors import ConnectionFailed

BASE = "20250101_01_aaaaa-items"
DRAFT = "20250102_01_bbbbb-weights"
NEXT = "20250103_01_ccccc-colours"

ITEMS = "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL);\n"
WEIGHTS = "CREATE TABLE weights (id serial PRIMARY KEY, item int REFERENCES items, grams int);\n"


@dataclass
class Shop:
    """``folder`` has migrations/ and, once `git` began it, a repository; ``server`` is any database of the server."""

    folder: Path
    server: Database
    told: list[Told] = field(default_factory=list)

    @property
    def migrations(self) -> Path:
        return self.folder / "migrations"

    @property
    def project(self) -> Project:
        return Project(self.server, dev_name(project_folder(str(self.migrations))), os.path.realpath(self.migrations))

    @property
    def database(self) -> Database:
        return self.project.database

    def write(self, migration_id: str, forward: str, rollback: str | None = None) -> None:
        (self.migrations / f"{migration_id}.sql").write_text(forward)
        if rollback is not None:
            (self.migrations / f"{migration_id}.rollback.sql").write_text(rollback)

    def remove(self, migration_id: str) -> None:
        for path in self.migrations.glob(f"{migration_id}*"):
            path.unlink()

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, said: str = "more") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", said)

    def round(self, **options: Any) -> Round:
        watched = Watched(self.project, (str(self.migrations),), **options)
        return follow_once(watched, tell=self.told.append)

    def ask(self, query: str) -> list[Any]:
        """The first column of what a query returns."""
        with self._connect() as connection:
            cursor = connection.execute(query.encode())
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    def _connect(self) -> psycopg.Connection[TupleRow]:
        """Connect; while databases are switched, nobody is let in for a moment."""
        end = time.monotonic() + 60
        while True:
            try:
                return self.database.connect()
            except ConnectionFailed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def names(self) -> list[str]:
        """All databases of the project."""
        with Workshop.open(self.project) as workshop:
            return sorted(f.name for f in workshop.found())

    def drop_all(self) -> None:
        with self.server.connect() as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{self.project.name}%",)
            ).fetchall()
            for (name,) in rows:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
