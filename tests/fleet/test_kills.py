"""Runs over many targets that are killed, stopped, or at work at once: each target is before or after a migration."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningServer, start_server, stop_server
from tests.engine.test_faults import choose_seed, do, wait_until, write
from tests.fleet.test_operations import tenants
from tests.forks import Command
from wflo_schema.connect.database import Database
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

SAID = "INSERT INTO said VALUES ('{}');"
MEANT = "-- lint: allow outside-schema because it is common to all\n\n"
FILES = {
    "1_a": f"CREATE TABLE said (what text); CREATE TABLE a (id int PRIMARY KEY, v int);\n{SAID.format('1_a')}",
    "2_b": f"-- transactional: false\nCREATE INDEX CONCURRENTLY a_i ON a (v);\n{SAID.format('2_b')}",
    "3_c": "-- variables: region\n-- lint: allow outside-schema because it is common to all\n\n"
    f"ALTER TABLE a ADD COLUMN region text DEFAULT :'region'; UPDATE common.total SET n = n + 1;\n{SAID.format('3_c')}",
    "4_d": f"CREATE TABLE d (id int REFERENCES common.plans); SET work_mem = '5MB'; SELECT pg_sleep(0.02);\n"
    f"{SAID.format('4_d')}",
}
BESIDE = {
    "repeatable/v": "CREATE VIEW v AS SELECT * FROM a;",
    "hooks/after-each": "INSERT INTO said SELECT 'each ' || current_setting('wflo_schema.migration');",
}
IDS = tuple(FILES)

STATE = """
SELECT
    ARRAY(SELECT migration_id FROM {0}._yoyo_migration ORDER BY applied_at_utc),
    (SELECT array_agg(what) FROM {0}.said),
    to_regclass('{0}.v') IS NOT NULL,
    NOT EXISTS (SELECT FROM pg_index AS i WHERE NOT i.indisvalid AND i.indrelid = '{0}.a'::regclass)
"""


class Fleet:
    """Tenants in several databases, a folder, and the processes that migrate them."""

    def __init__(self, folder: Path, places: list[Database], number: int) -> None:
        self.folder = folder
        self.places = places
        write(folder / "migrations", FILES)
        for name, text in BESIDE.items():
            path = folder / "migrations" / f"{name}.sql"
            path.parent.mkdir()
            path.write_text(text)
        for place in places:
            do(
                place,
                "CREATE SCHEMA common",
                "CREATE TABLE common.plans (id int PRIMARY KEY)",
                "CREATE TABLE common.total (n int)",
                "INSERT INTO common.total VALUES (0)",
            )
        self.targets: list[Target] = [target for place in places for target in tenants(place, number)]
        lines = [f"{t.database.url}#{t.database.schema}\n" for t in self.targets]
        (folder / "targets.txt").write_text("".join(lines))

    def start(self, *words: str) -> Command:
        given = ("--targets", "targets.txt", "--jobs", "3", "--set", "region=eu", "--format", "json")
        return Command("migrate", *given, *words, cwd=self.folder, env=os.environ)

    def wait_for(self, run: Command, lines: int) -> None:
        """Wait until it has told of so many targets, or is at its end."""
        told = run._paths[0]
        wait_until(
            lambda: len(told.read_text().splitlines()) >= lines or not run.process.is_alive(), f"{lines} lines", 120
        )

    def applied(self) -> Counter[int]:
        """How many migrations each target's ledger records, once it is seen that no more and no less is done there."""
        found: Counter[int] = Counter()
        for place in self.places:
            with place.connect() as connection:
                for target in (t for t in self.targets if t.database.with_schema(None) == place):
                    schema = target.database.schema
                    there = connection.execute("SELECT to_regclass(%s)", (f"{schema}.said",)).fetchone()
                    if there == (None,):
                        found[0] += 1
                        continue
                    row = connection.execute(STATE.format(schema).encode()).fetchone()
                    assert row is not None
                    self._is_whole(target.name, *row)
                    found[len(row[0])] += 1
        return found

    @staticmethod
    def _is_whole(name: str, recorded: list[str], said: list[str], has_view: bool, is_valid: bool) -> None:
        counts = Counter(said)
        assert tuple(recorded) == IDS[: len(recorded)], name
        for migration in IDS:
            is_recorded = migration in recorded
            if migration != "2_b":
                assert counts[migration] == is_recorded, (name, migration, recorded, said)
            else:  # its second statement may be done, and the third that records it not
                assert is_recorded <= counts[migration] <= 1, (name, migration, recorded, said)
            assert counts[f"each {migration}"] == is_recorded, (name, migration, recorded, said)
        if len(recorded) == len(IDS):
            assert is_valid, name

    def totals(self) -> set[tuple[int, ...]]:
        found = set()
        for place in self.places:
            with place.connect() as connection:
                found.add(connection.execute("SELECT n FROM common.total").fetchone())
        return {row for row in found if row is not None}


@pytest.fixture(scope="module")
def places(server: RunningServer) -> Iterator[list[Database]]:
    """Five databases on two servers."""
    other = start_server(server.version)
    names = [f"kills_{os.getpid()}_{n}" for n in range(5)]
    made = [(server if n < 3 else other).database.with_name(name) for n, name in enumerate(names)]
    for place in made:
        do(place.with_name("postgres"), f"CREATE DATABASE {place.name} TEMPLATE template0")
    yield made
    for place in made[:3]:
        do(server.database, f"DROP DATABASE IF EXISTS {place.name} WITH (FORCE)")
    stop_server(other)


def test_sixty_tenants_are_whole_after_every_kill_and_the_next_run_does_what_is_left(
    places: list[Database], tmp_path: Path
) -> None:
    """SIGKILL three times, then SIGTERM, then two runs at once to the end."""
    fleet = Fleet(tmp_path, places, 12)
    _, chance = choose_seed()
    for _ in range(3):
        run = fleet.start()
        fleet.wait_for(run, chance.randrange(1, 10))
        assert run.process.pid is not None
        os.kill(run.process.pid, signal.SIGKILL)
        run.finish()
        before = fleet.applied()
    run = fleet.start()
    fleet.wait_for(run, 3)
    run.send_signal(signal.SIGTERM)
    code, out, err = run.finish()
    after = fleet.applied()
    assert after[len(IDS)] >= before[len(IDS)]
    if after != {len(IDS): 60}:  # else it was done before it was told
        assert code == 143, err
        told = [json.loads(line) for line in out.splitlines()]
        assert {line["state"] for line in told if "state" in line} <= {"done", "failed", "not tried"}

    runs = [fleet.start(), fleet.start()]
    for run in runs:
        code, _, err = run.finish()
        assert code == 0, err
    assert fleet.applied() == {len(IDS): 60}
    assert fleet.totals() == {(12,)}
