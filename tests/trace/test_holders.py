"""Who holds a table now: whoever a statement would wait for, and nobody else."""

from __future__ import annotations

import pytest

from tests.conftest import BIN, start_server, stop_server
from wflo_schema.connect.database import Database
from wflo_schema.trace.holders import CONFLICTS, read_holders
from wflo_schema.trace.values import MODES, Lock, Traced, said_mode

pytestmark = pytest.mark.spread_over_servers


def run(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


def lock(mode: str, relation: str = "public.t") -> Lock:
    return Lock(relation, "table", mode)


@pytest.mark.parametrize("held", MODES)
def test_those_are_told_whose_lock_conflicts(database: Database, held: str) -> None:
    run(database, "CREATE TABLE t (); CREATE TABLE u ()")
    with database.connect() as other:
        other.execute(f"BEGIN; LOCK TABLE t IN {said_mode(held)} MODE".encode())
        found = read_holders(database, ["public.t", "public.u", "public.gone"])
        for mode in MODES:
            told = found.of(lock(mode))
            assert [one.mode for one in told] == ([held] if held in CONFLICTS[mode] else [])
            assert mode in CONFLICTS[held] or not told  # a conflict is one both ways
        (one,) = found.of(lock("AccessExclusiveLock"))
        assert (one.pid, one.state, one.is_granted) == (other.info.backend_pid, "idle in transaction", True)
        assert one.query.endswith(f"IN {said_mode(held)} MODE")
        assert one.age_s is not None
        assert found.of(lock("AccessExclusiveLock", "public.u")) == ()


@pytest.mark.parametrize("version", ["15", "18"])
def test_a_prepared_transaction_is_told_by_its_name_also_after_a_restart(version: str) -> None:
    if version not in BIN:
        pytest.skip(f"no programs of PostgreSQL {version} here")
    own = start_server(version, settings={"max_prepared_transactions": "5", "fsync": "on"})
    try:
        run(own.database, "CREATE TABLE t ()")
        run(own.database, "BEGIN; LOCK TABLE t IN EXCLUSIVE MODE; PREPARE TRANSACTION 'left'")
        for _ in range(2):
            found = read_holders(own.database, ["public.t"])
            (one,) = found.of(lock("ShareLock"))
            assert (one.pid, one.prepared_as, one.role) == (None, "left", "postgres")
            assert one.age_s is not None
            assert [old.prepared_as for old in found.old] == ["left"]
            own.pg_ctl("restart", "-m", "fast", "-w")
    finally:
        stop_server(own)


def test_a_stranger_sees_that_somebody_holds_it(database: Database) -> None:
    run(database, "CREATE TABLE t (); CREATE ROLE wflo_stranger LOGIN")
    try:
        with database.connect() as other:
            other.execute("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE")
            found = read_holders(database.with_parameters(user="wflo_stranger"), ["public.t"])
            (one,) = found.of(lock("ShareLock"))
            assert (one.pid, one.age_s) == (other.info.backend_pid, None)
    finally:
        run(database, "DROP ROLE wflo_stranger")


def test_what_is_done_concurrently_waits_for_old_transactions_too(database: Database) -> None:
    run(database, "CREATE TABLE t ()")
    with database.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_sleep(2.5)")
        other.execute("SELECT 1")
        found = read_holders(database, ["public.t"])
        alone = Traced("1", "1.sql", 1, 1, 1, "", builds=("public.i",), is_alone=True)
        assert [one.pid for one in found.for_concurrent(alone)] == [other.info.backend_pid]
        assert found.for_concurrent(Traced("1", "1.sql", 1, 1, 1, "", builds=("public.i",))) == ()
