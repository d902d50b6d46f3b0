"""One exchange is one round trip; a stop cancels; a second connection is never waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxy import Cut, Direction, Proxy
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Aside, Command, Pipeline, Stop, StoppedWaiting
from wflo_schema.errors import ConnectionLost


@pytest.fixture
def pipeline(database: Database) -> Iterator[Pipeline]:
    made = Pipeline(database.connect())
    yield made
    made.close()


def ask(text: str, *parameters: str | None) -> Command:
    return Command(text, parameters, keeps_rows=True)


def test_rows_are_kept_only_where_wanted(pipeline: Pipeline) -> None:
    outcome = pipeline.exchange(
        [
            ask("SELECT 1, NULL, $1::text", "ä"),
            Command("SELECT 2"),
            ask("VALUES (1), (2)"),
            Command(""),
            Command("SET x.y = 1"),
        ]
    )
    assert outcome.error is None
    assert outcome.rows == ((("1", None, "ä"),), (), (("1",), ("2",)), (), ())
    assert pipeline.round_trips == 1


def test_first_error_is_told_and_the_rest_is_skipped(pipeline: Pipeline) -> None:
    outcome = pipeline.exchange(
        [Command("CREATE TABLE a (id int)"), Command("SELECT 'ä', nix"), Command("CREATE TABLE b (id int)")]
    )
    assert outcome.error is not None
    assert (outcome.error.index, outcome.error.sqlstate, outcome.error.position) == (1, "42703", 13)
    assert len(outcome.rows) == 1
    assert pipeline.exchange([ask("SELECT to_regclass('a'), to_regclass('b')")]).rows == (((None, None),),)


def test_error_after_part_of_a_large_result_is_told(pipeline: Pipeline) -> None:
    outcome = pipeline.exchange(
        [Command("SELECT 1"), Command("SELECT 1 / (5000 - g) FROM generate_series(1, 10000) AS g"), Command("SELECT 2")]
    )
    assert outcome.error is not None and (outcome.error.index, outcome.error.sqlstate) == (1, "22012")
    assert pipeline.exchange([ask("SELECT 7")]).rows == ((("7",),),)


def test_large_results_and_large_statements_at_once_do_not_block_each_other(pipeline: Pipeline) -> None:
    big = "x" * 3_000_000
    commands = [Command("SELECT repeat('y', 3000000)"), Command(f"SELECT '{big}'"), ask("SELECT length($1)", big)] * 5
    outcome = pipeline.exchange(commands)
    assert outcome.error is None and outcome.rows[2::3] == ((("3000000",),),) * 5


def test_many_commands_are_made_and_sent_while_the_server_works(pipeline: Pipeline) -> None:
    made = 0

    def commands() -> Iterator[Command]:
        nonlocal made
        yield Command("CREATE TEMP TABLE t (id int)")
        for n in range(20_000):
            made = n
            yield Command(f"INSERT INTO t VALUES ({n})")
        yield ask("SELECT count(*), sum(id) FROM t")

    pipeline.send(commands())
    assert made < 10_000
    outcome = pipeline.receive()
    assert outcome.error is None and outcome.rows[-1] == (("20000", "199990000"),)
    assert pipeline.round_trips == 1


def test_what_follows_an_error_is_not_even_made(pipeline: Pipeline) -> None:
    made: list[int] = []

    def commands() -> Iterator[Command]:
        for n in range(100_000):
            made.append(n)
            yield Command(f"SELECT 1 / ({n} - 7000)")

    outcome = pipeline.exchange(commands())
    assert outcome.error is not None and (outcome.error.index, outcome.error.sqlstate) == (7000, "22012")
    assert len(made) < 20_000
    assert pipeline.exchange([ask("SELECT 7")]).rows == ((("7",),),)


@pytest.mark.parametrize("is_alone", [False, True])
def test_what_is_sent_behind_waits_for_what_must_be_alone(pipeline: Pipeline, *, is_alone: bool) -> None:
    copied = Command("COPY t FROM STDIN", data=memoryview(b"1\n2\n"))
    long = Command(f"INSERT INTO t SELECT length('{'x' * 1_000_000}')")
    pipeline.send([Command("CREATE TEMP TABLE t (id int)"), Command("BEGIN"), copied, long, Command("COMMIT")])
    pipeline.send([Command("SELECT 1"), *([copied] if is_alone else []), ask("SELECT count(*) FROM t")])
    assert pipeline.receive().error is None
    assert pipeline.receive().rows[-1] == ((("5" if is_alone else "3"),),)


@pytest.mark.parametrize(
    ("failing", "sqlstate", "position"),
    [
        (Command("COPY t FROM STDIN", data=memoryview(b"1\nx\n")), "22P02", 0),
        (Command("COPY nix FROM STDIN", data=memoryview(b"1\n")), "42P01", 0),
        (Command(f"INSERT INTO t SELECT nix, '{'ä' * 1_000_000}'"), "42703", 22),
    ],
)
def test_an_error_of_what_is_alone_ends_the_exchange(
    pipeline: Pipeline, failing: Command, sqlstate: str, position: int
) -> None:
    pipeline.exchange([Command("CREATE TEMP TABLE t (id int)")])
    outcome = pipeline.exchange([Command("BEGIN"), Command("SELECT 1"), failing, Command("COMMIT")])
    assert outcome.error is not None
    assert (outcome.error.index, outcome.error.sqlstate, outcome.error.position) == (2, sqlstate, position)
    assert pipeline.exchange([Command("ROLLBACK"), ask("SELECT count(*) FROM t")]).rows[1] == (("0",),)


def test_what_is_only_parsed_is_not_run(pipeline: Pipeline) -> None:
    outcome = pipeline.exchange([Command("CREATE TABLE a ()", is_only_parsed=True), ask("SELECT to_regclass('a')")])
    assert outcome.rows[1] == ((None,),)
    error = pipeline.exchange([Command("CREATE TABEL a ()", is_only_parsed=True)]).error
    assert error is not None and (error.sqlstate, error.position) == ("42601", 8)


@pytest.mark.parametrize("what", ["short commands", "copy"])
def test_a_stop_is_heeded_amid_many_commands_and_rows(database: Database, what: str) -> None:
    stop = Stop()
    pipeline = Pipeline(database.connect(), stop=stop)
    rows = memoryview(b"1\n" * 20_000_000)

    def commands() -> Iterator[Command]:
        yield Command("BEGIN")
        yield Command("CREATE TEMP TABLE t (id int)")
        if what == "copy":
            threading.Timer(0.1, stop.request, (15,)).start()
            yield Command("COPY t FROM STDIN", data=rows)
            return
        for n in range(2_000_000):
            if n == 3_000:
                stop.request(15)
            yield Command("INSERT INTO t VALUES (1)")

    outcome = pipeline.exchange(commands())
    assert outcome.error is not None and outcome.error.sqlstate == "57014"
    pipeline.close()


def test_nothing_to_send_is_one_empty_exchange(pipeline: Pipeline) -> None:
    assert pipeline.exchange([]).rows == ()


def test_one_message_is_answered_command_by_command(pipeline: Pipeline, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (a text); CREATE RULE r AS ON UPDATE TO t DO ALSO (SELECT 1; SELECT 2)")
    wanted = ("it's \\ $1", None, "ä;--")
    made = [
        Command("BEGIN"),
        Command("INSERT INTO t VALUES ($1), ($2), ($3)", wanted),
        Command("UPDATE t SET a = a -- what ends it is not part of it"),
        Command("COMMIT"),
    ]
    outcome = pipeline.exchange_as_one(made)
    assert (outcome.error, len(outcome.rows), pipeline.round_trips) == (None, 4, 1)
    assert pipeline.exchange([ask("SELECT a FROM t ORDER BY ctid")]).rows == (tuple((value,) for value in wanted),)

    failing = [*made[:3], Command("SELECT 'ää', nix")]
    error = pipeline.exchange_as_one(failing).error
    assert error is not None and (error.index, error.sqlstate, error.position) == (3, "42703", 14)
    pipeline.exchange([Command("ROLLBACK")])
    assert pipeline.exchange([ask("SELECT count(*) FROM t")]).rows == ((("3",),),)


@pytest.mark.parametrize("unreadable", ["SELEC 2", "SELECT E'\\xff'"], ids=["syntax", "bytes"])
def test_one_message_that_cannot_be_read_is_sent_one_by_one(pipeline: Pipeline, unreadable: str) -> None:
    made = [Command("BEGIN"), Command("CREATE TABLE ä (id int)"), Command("SELECT 1")]
    one_by_one = pipeline.exchange([*made, Command(unreadable)]).error
    pipeline.exchange([Command("ROLLBACK")])
    error = pipeline.exchange_as_one([*made, Command(unreadable)]).error
    assert error is not None and error.index == 3 and error == one_by_one
    pipeline.exchange([Command("ROLLBACK")])

    error = pipeline.exchange_as_one([*made[:2], Command("SELECT nix"), Command(unreadable)]).error
    assert error is not None and (error.index, error.sqlstate, error.position) == (2, "42703", 8)


def test_a_place_in_a_text_of_the_servers_own_is_no_place_in_one_message(pipeline: Pipeline) -> None:
    made = [
        Command("BEGIN -- " + "x" * 100),
        Command("CREATE TEMP TABLE t (id int)"),
        Command("CREATE INDEX ON t ((id + 1)) WHERE id > 7"),
        Command("ALTER TABLE t ALTER id TYPE text"),
    ]
    one_by_one = pipeline.exchange(made).error
    pipeline.exchange([Command("ROLLBACK")])
    error = pipeline.exchange_as_one(made).error
    assert error is not None and (error.index, error.sqlstate) == (3, "42883") and error == one_by_one


def test_one_message_can_be_stopped_and_lost(database: Database) -> None:
    stop = Stop()
    pipeline = Pipeline(database.connect(), stop=stop)
    threading.Timer(0.2, stop.request, [2]).start()
    outcome = pipeline.exchange_as_one([Command("SELECT 1"), Command("SELECT pg_sleep(60)")])
    assert outcome.error is not None and (outcome.error.index, outcome.error.sqlstate) == (1, "57014")
    pipeline.begin_anew(stop=None, on_notice=None)
    with pytest.raises(ConnectionLost, match="terminating connection"):
        pipeline.exchange_as_one([Command("SELECT 1"), Command("SELECT pg_terminate_backend(pg_backend_pid())")])
    pipeline.close()


def test_one_message_says_where_it_failed_in_a_database_of_bytes(database: Database) -> None:
    name = f"{database.name}_bytes"
    with database.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'")
    pipeline = Pipeline(database.with_name(name).connect())
    error = pipeline.exchange_as_one([Command("SELECT 'ää'"), Command("SELECT 'ää', nix")]).error
    assert error is not None and (error.index, error.position) == (1, 14)
    pipeline.close()
    with database.connect() as connection:
        connection.execute(f"DROP DATABASE {name}")


def test_notices_are_handed_over(database: Database) -> None:
    heard: list[tuple[str, str]] = []
    pipeline = Pipeline(database.connect(), on_notice=lambda severity, text: heard.append((severity, text)))
    pipeline.exchange([Command("DO $$ BEGIN RAISE WARNING 'ä'; END $$")])
    pipeline.close()
    assert heard == [("WARNING", "ä")]


def test_stop_cancels_on_the_server(database: Database) -> None:
    stop = Stop()
    pipeline = Pipeline(database.connect(), stop=stop)
    threading.Timer(0.2, stop.request, [2]).start()
    outcome = pipeline.exchange([Command("SELECT pg_sleep(60)"), Command("SELECT 1")])
    assert outcome.error is not None and outcome.error.sqlstate == "57014"  # and not the end of its sleep
    pipeline.close()


@pytest.mark.parametrize("is_one_message", [False, True])
def test_second_stop_ends_the_waiting_for_a_server_that_does_not_answer(
    database: Database, *, is_one_message: bool
) -> None:
    stop = Stop()
    with Proxy("127.0.0.1", int(database.parameters["port"])) as proxy:
        pipeline = Pipeline(database.with_parameters(port=str(proxy.port)).connect(), stop=stop)
        deaf = "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); "
        deaf += "EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
        for after_s in (0.2, 0.4):
            threading.Timer(after_s, stop.request, [15]).start()
        with pytest.raises(StoppedWaiting):
            (pipeline.exchange_as_one if is_one_message else pipeline.exchange)([Command(deaf)])
        with pytest.raises(ConnectionLost if is_one_message else StoppedWaiting):  # nor does what clears the session
            pipeline.exchange([Command("ROLLBACK")])
        pipeline.close()
    with database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'DO %LOOP%' AND pid <> pg_backend_pid()"
        )
    assert (stop.signal_number, stop.count) == (15, 2)


@pytest.mark.parametrize("direction", list(Direction))
def test_cut_connection_is_lost_and_not_waited_for(database: Database, direction: Direction) -> None:
    plain = database.with_parameters(sslmode="disable", gssencmode="disable")
    with Proxy("127.0.0.1", int(database.parameters["port"])) as proxy:
        pipeline = Pipeline(plain.with_parameters(port=str(proxy.port)).connect())
        seen = proxy.connections[0]
        before = seen.to_server if direction == Direction.TO_SERVER else seen.to_client
        pipeline.close()
    with Proxy("127.0.0.1", int(database.parameters["port"]), cut=Cut(direction, before + 3)) as proxy:
        pipeline = Pipeline(plain.with_parameters(port=str(proxy.port)).connect())
        with pytest.raises(ConnectionLost):
            pipeline.exchange([Command("SELECT 1"), Command("SELECT pg_sleep(0.1)"), Command("SELECT 2")])
        with pytest.raises(ConnectionLost):
            pipeline.exchange([Command("SELECT 1")])
        pipeline.close()


def test_terminated_session_says_why(pipeline: Pipeline, database: Database) -> None:
    def terminate() -> None:
        with database.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (pipeline.backend_pid,))

    threading.Timer(0.2, terminate).start()
    with pytest.raises(ConnectionLost, match="terminating connection due to administrator command"):
        pipeline.exchange([Command("SELECT pg_sleep(60)")])


def test_waiting_is_told_while_the_server_works(database: Database) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            other.execute("SELECT pg_advisory_unlock(7)")

    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(7)")
        pipeline = Pipeline(database.connect(), on_wait=wait)
        outcome = pipeline.exchange([Command("SET lock_timeout = '60s'"), Command("SELECT pg_advisory_lock(7)")])
        pipeline.close()
    assert outcome.error is None and waited == sorted(waited)


def test_answer_of_a_second_connection_is_not_waited_for(database: Database) -> None:
    aside = Aside(database.connect())
    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(7)")
        aside.ask("SELECT pg_advisory_xact_lock(7), $1::text", "ä")
        assert aside.answer(within_s=0.0) is None  # waited for, it would never come
        other.execute("SELECT pg_advisory_unlock(7)")
    assert aside.answer(within_s=30.0) == (("", "ä"),)
    aside.close()


def test_proxy_counts_every_message_and_delays_both_ways(database: Database) -> None:
    plain = database.with_parameters(sslmode="disable", gssencmode="disable")
    with Proxy("127.0.0.1", int(database.parameters["port"]), delay_s=0.1) as proxy:
        pipeline = Pipeline(plain.with_parameters(port=str(proxy.port)).connect())
        sent, received = proxy.connections[0].to_server, proxy.connections[0].to_client
        began = time.monotonic()
        pipeline.exchange([Command("SELECT 1"), Command("SELECT 2")])
        assert time.monotonic() - began >= 0.2
        assert proxy.connections[0].to_server - sent == 2 * 4 + 1
        assert proxy.connections[0].to_client - received == 2 * 5 + 1
        pipeline.close()
