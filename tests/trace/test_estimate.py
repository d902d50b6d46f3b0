"""How long a statement would take: a range from what was measured, or why there is none."""

from __future__ import annotations

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.trace.estimate import estimate, needs_rates
from wflo_schema.trace.rates import SMALL_BYTES, Rates, Span, Work, measure_rates
from wflo_schema.trace.sizes import Size, read_sizes
from wflo_schema.trace.values import Traced

_LARGE = "CREATE TABLE large AS SELECT g AS id, repeat('x', 500) AS note FROM generate_series(1, 30000) AS g;"

WORK = Work(
    rows=100_000, bytes=10_000_000, check=0.01, key=0.02, build_numbers=0.03, build_texts=0.1, update=0.04, rewrite=0.1,
    rewrite_random=0.3,
)  # fmt: skip


def traced(text: str = "", **what: object) -> Traced:
    return Traced("id", "file.sql", 1, 1, 1, text, **what)  # type: ignore[arg-type]


def sized(name: str, bytes_: int, rows: int | None) -> Size:
    return Size(name, "public", name.partition(".")[2], "r", rows, bytes_)


SIZES = {s.relation: s for s in (sized("public.t", 100_000_000, 1_000_000), sized("public.small", 8192, 3))}


@pytest.mark.spread_over_servers
def test_reading_and_work_are_measured_on_the_server(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(_LARGE)
        connection.execute("ANALYZE large")
    sizes = read_sizes(database, ["public.large"])
    rates = measure_rates(database, sizes.values())
    assert rates.why_not == ""
    assert rates.work is not None
    assert rates.work.rows > 0
    assert min(rates.work.check, rates.work.key, rates.work.build_texts, rates.work.rewrite) > 0
    assert rates.reads["public.large"].slow >= rates.reads["public.large"].fast > 0
    with database.connect() as connection:
        left = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'wflo_schema_scratch%'")
        assert left.fetchone() == (0,)


@pytest.mark.one_server
def test_without_scratch_databases_there_is_a_rate_for_reading_only(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(_LARGE)
        connection.execute("CREATE ROLE wflo_reader LOGIN; GRANT SELECT ON large TO wflo_reader; ANALYZE large")
    try:
        reader = database.with_parameters(user="wflo_reader")
        sizes = read_sizes(reader, ["public.large"])
        rates = measure_rates(reader, sizes.values())
        assert rates.work is None
        assert "may not create the scratch database" in rates.why_not
        scan = estimate(traced("ADD CHECK", scans=("public.large",)), sizes, rates)
        build = estimate(traced("CREATE INDEX", builds=("public.i",), builds_on=("public.large",)), sizes, rates)
        assert scan is not None
        assert scan.high_ms is not None
        assert build is not None
        assert (build.low_ms, build.why_not) == (None, rates.why_not)
    finally:
        with database.connect() as connection:
            connection.execute("DROP OWNED BY wflo_reader; DROP ROLE wflo_reader")


@pytest.mark.one_server
def test_a_table_that_may_not_be_read_is_not_measured(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(_LARGE)
        connection.execute("CREATE ROLE wflo_stranger LOGIN")
    try:
        stranger = database.with_parameters(user="wflo_stranger")
        rates = measure_rates(stranger, read_sizes(stranger, ["public.large"]).values())
        assert rates.reads == {}
        assert rates.read("public.large") is None
    finally:
        with database.connect() as connection:
            connection.execute("DROP ROLE wflo_stranger")


@pytest.mark.one_server
def test_where_all_is_small_nobody_is_asked() -> None:
    nowhere = Database.parse("postgresql://nobody@127.0.0.1:1/nothing")
    assert measure_rates(nowhere, [sized("public.t", SMALL_BYTES - 1, 3)]) == Rates(why_not="no table is large")


def test_scratch_databases_elsewhere_say_nothing_of_this_server(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(_LARGE)
    sizes = read_sizes(database, ["public.large"])
    rates = measure_rates(database, sizes.values(), scratch=ScratchOptions(on=database))
    assert rates.work is None
    assert rates.why_not == "scratch databases are on another server"


@pytest.mark.parametrize(
    ("one", "low", "high"),
    [
        (traced(scans=("public.t",)), 40, 300),
        (traced("VALIDATE CONSTRAINT k", scans=("public.t",)), 40, 600),
        (traced(builds=("public.i",), builds_on=("public.t",)), 120, 3000),
        (traced(builds=("public.i", "public.j"), builds_on=("public.t",)), 240, 6000),
        (traced("ALTER TYPE bigint", rewrites=("public.t",)), 400, 3000),
        (traced("DEFAULT random()", rewrites=("public.t",)), 400, 9000),
        (traced("UPDATE t SET a = 1", scans=("public.t",), changes=("public.t",)), 440, 12300),
        (traced("DELETE FROM t WHERE a = 1", scans=("public.t",), changes=("public.t",)), 40, 12300),
        (traced("INSERT INTO small SELECT FROM t", scans=("public.t",), changes=("public.small",)), 40, 12300),
    ],
)
def test_the_range_grows_with_the_rows(one: Traced, low: float, high: float) -> None:
    found = estimate(one, SIZES, Rates({}, WORK))
    assert found is not None
    assert found.low_ms == pytest.approx(low)
    assert found.high_ms == pytest.approx(high)


def test_what_is_not_cached_is_read_as_well() -> None:
    rates = Rates({"public.t": Span(1e-9, 1e-8)}, WORK)
    found = estimate(traced(scans=("public.t",)), SIZES, rates)
    assert found is not None
    assert found.high_ms == pytest.approx(300 + 1000)
    twice = estimate(traced(builds=("public.i",), builds_on=("public.t",), is_alone=True), SIZES, rates)
    assert twice is not None
    assert twice.high_ms == pytest.approx(3000 + 2000)


def test_of_a_small_table_it_is_only_said_that_it_is_small() -> None:
    found = estimate(traced(scans=("public.small",)), SIZES, Rates())
    assert found is not None
    assert found.is_small
    assert found.low_ms is None
    assert needs_rates([traced(scans=("public.small",))], SIZES) == ()


@pytest.mark.parametrize(
    "one",
    [
        traced("UPDATE t SET a = 1 WHERE id = 2", changes=("public.t",)),
        traced("UPDATE t SET a = 1 FROM small", scans=("public.small",), changes=("public.t",)),
        traced("DELETE FROM t", scans=("public.t",), changes=("public.t",), fires=("key k of public.u: CASCADE",)),
    ],
)
def test_how_many_rows_are_changed_is_not_guessed(one: Traced) -> None:
    found = estimate(one, SIZES, Rates({}, WORK))
    assert found is not None
    assert found.why_not.endswith("is not known")


def test_what_does_not_grow_with_a_table_has_no_estimate() -> None:
    assert estimate(traced("COMMENT ON TABLE t IS ''"), SIZES, Rates({}, WORK)) is None
    assert estimate(traced(scans=("public.gone",)), SIZES, Rates({}, WORK)) is None


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (traced(undecided="it depends on rows", scans=("public.t",)), "it depends on rows"),
        (traced("UPDATE t", changes=("public.t",)), "how many rows it changes is not known"),
        (traced("DO $$-- resumable: yes\n$$", scans=("public.t",)), "how many rows it changes is not known"),
    ],
)
def test_what_cannot_be_known_is_not_estimated(one: Traced, why: str) -> None:
    found = estimate(one, SIZES, Rates({}, WORK))
    assert found is not None
    assert (found.low_ms, found.high_ms, found.why_not) == (None, None, why)


def test_without_statistics_the_bytes_count() -> None:
    found = estimate(traced(scans=("public.t",)), {"public.t": sized("public.t", 100_000_000, None)}, Rates({}, WORK))
    assert found is not None
    assert [found.low_ms, found.high_ms] == pytest.approx([40, 300])
