"""Waiting until many targets are migrated, by whomever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.fleet.test_looking import THREE, execute, folder, migrated, write
from wflo_schema.connect.database import Database
from wflo_schema.errors import ConnectionFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.looking import Standing
from wflo_schema.fleet.operations import migrate_fleet
from wflo_schema.fleet.targets import Target
from wflo_schema.fleet.waiting import Patience, find_patiently, wait_for_fleet

pytestmark = pytest.mark.one_server

__all__ = ["folder"]


def test_waits_until_the_last_is_migrated_and_says_for_whom(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 3)
    write(folder, c=THREE)
    files = read_migrations(folder)
    said: list[str] = []
    runs: list[threading.Thread] = []

    def notify(what: str) -> None:
        said.append(what)
        if len(said) == 1:
            runs.append(threading.Thread(target=migrate_fleet, args=(targets, files)))
            runs[0].start()

    found = wait_for_fleet(targets, files, Patience(60, notify))
    runs[0].join(60)
    assert said[0] == "3 of 3 targets are not migrated yet: tenant_00, tenant_01, tenant_02"
    assert {look.standing for look in found.looks} == {Standing.UP_TO_DATE}


def test_where_the_time_is_over_it_says_how_each_stands(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 2)
    execute(database, "DELETE FROM tenant_01._yoyo_migration WHERE migration_id = 'b'")
    found = wait_for_fleet(targets, read_migrations(folder), Patience(0, lambda said: None))
    assert [look.standing for look in found.looks] == [Standing.UP_TO_DATE, Standing.PENDING]


def test_what_does_not_pass_ends_it_at_once(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 1)
    wrong = Target("wrong", database.with_parameters(user="nobody_of_this_name").with_schema("tenant_00"))
    found = wait_for_fleet((*targets, wrong), read_migrations(folder), Patience(600, lambda said: None))
    assert [look.standing for look in found.looks] == [Standing.UP_TO_DATE, Standing.UNREADABLE]


def test_targets_that_are_not_there_yet_are_looked_for_again() -> None:
    missing = Refused("no schema fits")
    missing.is_missing = True
    target = Target("one", Database.parse("postgresql://localhost/one"))
    away = Target("one", target.database, failure=ConnectionFailed("it starts", may_pass=True))
    answers = iter((missing, (away,), (target,)))

    def find() -> tuple[Target, ...]:
        one = next(answers)
        if isinstance(one, Refused):
            raise one
        return one

    said: list[str] = []
    assert find_patiently(find, Patience(60, said.append)) == (target,)
    assert said == ["no schema fits", "it starts"]
