"""Which targets are meant: each found once, in a stable order, and what cannot be meant is one clear error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql

from tests.conftest import RunningServer
from wflo_schema.connect.database import Database
from wflo_schema.connect.schemas import near_names
from wflo_schema.errors import ConnectionFailed, DatabaseError, Refused, UsageError, WfloSchemaError
from wflo_schema.fleet.targets import Targets, Wishes, find_targets, read_lines

pytestmark = pytest.mark.spread_over_servers


@pytest.fixture
def tenants(database: Database) -> Database:
    """A database with the schemas tenant_1 to tenant_3, tenantless and "Tenant 1"."""
    make(database, "tenant_2", "tenant_1", "tenant_3", "tenantless", "Tenant 1")
    return database


def make(database: Database, *schemas: str) -> None:
    with database.connect() as connection:
        for name in schemas:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))


def names(found: Targets) -> list[str]:
    return [one.name for one in found]


def refusal(database: Database | None, wishes: Wishes) -> WfloSchemaError:
    with pytest.raises(WfloSchemaError) as caught:
        find_targets(database, wishes)
    return caught.value


def lines(*text: str) -> Wishes:
    return Wishes(lines=tuple(read_lines(text, "list.txt")))


def test_a_pattern_finds_each_schema_by_name_and_none_of_the_systems(tenants: Database) -> None:
    found = find_targets(tenants, Wishes(patterns=(r"tenant\_%", "tenant_1")))
    assert names(found) == ["tenant_1", "tenant_2", "tenant_3"]
    assert [one.database.schema for one in found] == names(found)
    everything = names(find_targets(tenants, Wishes(patterns=("%",))))
    assert everything == ["Tenant 1", "public", "tenant_1", "tenant_2", "tenant_3", "tenantless"]


def test_the_underscore_of_a_pattern_stands_for_any_character(tenants: Database) -> None:
    assert "tenantless" in names(find_targets(tenants, Wishes(patterns=("tenant_%",))))


def test_a_schema_of_an_extension_is_no_tenants(tenants: Database) -> None:
    with tenants.connect() as connection:
        connection.execute(
            "INSERT INTO pg_depend SELECT 'pg_namespace'::regclass, n.oid, 0, e.tableoid, e.oid, 0, 'e'"
            " FROM pg_namespace AS n, pg_extension AS e WHERE nspname = 'tenantless' AND extname = 'plpgsql'"
        )
    assert "tenantless" not in names(find_targets(tenants, Wishes(patterns=("tenant%",))))


def test_named_schemas_keep_their_order_and_come_before_patterns(tenants: Database) -> None:
    found = find_targets(tenants, Wishes(schemas=("tenantless", "Tenant 1"), patterns=(r"tenant\_%",)))
    assert names(found) == ["tenantless", "Tenant 1", "tenant_1", "tenant_2", "tenant_3"]


def test_the_query_keeps_its_order_and_reads_whatever_its_type(tenants: Database) -> None:
    query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant\\_%' ORDER BY 1 DESC; -- biggest first"
    assert names(find_targets(tenants, Wishes(query=query))) == ["tenant_3", "tenant_2", "tenant_1"]
    with tenants.connect() as connection:
        connection.execute("CREATE TYPE public.tier AS ENUM ('tenant_2')")
    assert names(find_targets(tenants, Wishes(query="SELECT 'tenant_2'::public.tier"))) == ["tenant_2"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT unnest(ARRAY['tenant_1', NULL])", "returns NULL in its row 2"),
        ("SELECT unnest(ARRAY['tenant_1', 'tenant_1'])", "returns tenant_1 more than once"),
        ("SELECT 'tenant_1' WHERE false", "returns no row"),
        ("SELECT 'tenant_1'; DROP SCHEMA tenant_1", "cannot insert multiple commands"),
        ("DROP SCHEMA tenant_1", "cannot execute DROP SCHEMA in a read-only transaction"),
        ("COMMIT", "is no query"),
        ("SELECT nothing", 'column "nothing" does not exist'),
        (" ", "--schemas-from is empty"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_and_changes_nothing(tenants: Database, query: str, said: str) -> None:
    assert said in refusal(tenants, Wishes(query=query)).message
    assert "tenant_1" in names(find_targets(tenants, Wishes(patterns=("tenant_1",))))


def test_a_query_is_stopped_when_it_takes_too_long(tenants: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wflo_schema.fleet.targets._QUERY_MS", 100)
    error = refusal(tenants, Wishes(query="SELECT pg_sleep(600)::text"))
    assert isinstance(error, DatabaseError) and error.sqlstate == "57014"


@pytest.mark.parametrize(
    ("pattern", "said", "hint"),
    [
        ("tennant_%", "no schema fits --schemas tennant_%", "the nearest: tenant"),
        ("tenant*", "no schema fits --schemas 'tenant*'", "--schemas tenant%"),
        ("tenant", "no schema fits", "--schemas tenant%"),
        ("%xyz%", "no schema fits", "there is: "),
        ("pg_%", "no schema fits", ""),
        ("tenant\\", "is no pattern of LIKE", "for example"),
        ("", "--schemas is empty", "for example"),
    ],
)
def test_a_pattern_that_matches_nothing_says_what_is_near(
    tenants: Database, pattern: str, said: str, hint: str
) -> None:
    error = refusal(tenants, Wishes(patterns=(pattern,)))
    assert said in error.message and hint in error.hint


def test_schemas_that_are_not_there_are_named_all_at_once(tenants: Database) -> None:
    error = refusal(tenants, Wishes(schemas=("tenant_11", "tenant_1", "Tenantles")))
    assert isinstance(error, Refused) and error.is_missing
    assert error.message == f"there is no schema tenant_11, Tenantles in {tenants.label}"
    assert "tenant_11: did you mean tenant_1?\nTenantles: did you mean tenantless?\nto make them: " in error.hint


@pytest.mark.parametrize("asked", [Wishes(schemas=("tenant_1", "tenant_%")), Wishes(schemas=("tenant*", "x"))])
def test_a_pattern_in_place_of_a_name_is_never_offered_to_be_made(tenants: Database, asked: Wishes) -> None:
    error = refusal(tenants, asked)
    assert "there is no schema" in error.message and "--create-schema" not in error.hint
    assert "--schemas tenant_%" in error.hint or "--schemas tenant%" in error.hint


def test_a_pattern_in_place_of_a_name_in_a_line(tenants: Database) -> None:
    error = refusal(None, lines(f"{tenants.url}#tenant_%"))
    assert error.message.startswith("list.txt:1: there is no schema tenant_% in ")
    assert error.hint.startswith("a pattern is given by --schemas tenant_%")


def test_the_nearest_name_is_the_one_with_the_same_numbers() -> None:
    there = [f"tenant_{n:03}" for n in range(1, 301)]
    assert [near_names(wish, there)[:1] for wish in ("tenant_1", "Tenant_01", "tenant_0100")] == [
        ["tenant_001"],
        ["tenant_001"],
        ["tenant_100"],
    ]
    assert near_names("tenant_1", ["tenant_10", "tenant_2"]) and near_names("orders", there) == []


@pytest.mark.parametrize("text", ["postgresql://u:s3cret@h/d", "host=h password=s3cret"])
def test_a_url_in_place_of_a_name_is_not_shown(tenants: Database, text: str) -> None:
    for asked in (Wishes(schemas=(text,)), Wishes(patterns=(text,)), Wishes(databases=(text,))):
        error = refusal(tenants, asked)
        assert isinstance(error, UsageError) and "s3cret" not in error.message + error.hint
    with pytest.raises(UsageError) as caught:
        Database.parse(tenants.url, schema=text)
    assert "s3cret" not in caught.value.message + caught.value.hint


def test_a_schema_that_is_to_be_made_is_new(tenants: Database) -> None:
    found = find_targets(tenants, Wishes(schemas=("tenant_1", "tenant_9")), create=True)
    assert [(one.name, one.is_new) for one in found] == [("tenant_1", False), ("tenant_9", True)]


def test_a_schema_with_too_long_a_name_is_refused(tenants: Database) -> None:
    assert "no schema can have the name" in refusal(tenants, Wishes(schemas=("é" * 32, "tenant_1"))).message


def test_one_schema_that_is_named_in_two_ways_is_refused_with_both(tenants: Database) -> None:
    error = refusal(tenants, Wishes(schemas=("tenant_2",), patterns=("tenant_%",)))
    assert isinstance(error, UsageError)
    assert "named twice: the schema tenant_2" in error.message
    assert "by --schema tenant_2 and by --schemas tenant_%" in error.message
    assert "twice" in refusal(tenants, Wishes(schemas=("tenant_1", "tenant_1"))).message


def test_targets_that_would_share_a_ledger_are_refused(tenants: Database) -> None:
    apart = tenants.with_ledger_schema("tenantless")
    error = refusal(apart, Wishes(schemas=("tenant_1", "tenant_2")))
    assert "tenant_1 and tenant_2 would share the ledger in tenantless" in error.message
    assert len(find_targets(apart, Wishes(schemas=("tenant_1",)))) == 1


def test_databases_are_found_by_a_pattern_without_templates_and_closed_ones(
    database: Database, second: Database
) -> None:
    with database.connect() as connection:
        closed = sql.Identifier(f"{database.name}_closed")
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false").format(closed))
    try:
        pattern = database.name.replace("_", r"\_") + "%"
        found = find_targets(database.with_name("postgres"), Wishes(databases=(pattern, "template%")))
        assert names(found) == [database.name, second.name]
        make(second, "shop")
        found = find_targets(database, Wishes(databases=(pattern,), patterns=("shop", "public")))
        assert names(found) == [f"{database.name}#public", f"{second.name}#public", f"{second.name}#shop"]
        found = find_targets(database, Wishes(databases=(pattern,), patterns=("shop",)))
        assert names(found) == ["shop"] and found.without == (database.label,)
    finally:
        with database.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {}").format(closed))


def test_a_database_that_was_made_for_development_is_a_target_only_where_it_is_named(
    database: Database, second: Database
) -> None:
    with database.connect() as connection:
        name = sql.Identifier(second.name)
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, '{"wflo_schema": {"purpose": "dev"}}'))
    assert names(find_targets(database, Wishes(databases=(f"{database.name}%",)))) == [database.name]
    found = find_targets(database, Wishes(databases=(database.name, second.name)))
    assert names(found) == [database.name, second.name]


def test_databases_that_are_not_there_are_said_with_the_nearest(database: Database) -> None:
    wishes = Wishes(databases=(f"{database.name[:-1]}%%x",))
    assert "no database fits" in refusal(database, wishes).message
    error = refusal(database.with_name("not_here"), Wishes(databases=("%",)))
    assert isinstance(error, ConnectionFailed) and "--databases asks this one" in error.hint


def test_a_list_keeps_its_order_whatever_the_databases(tenants: Database, second: Database) -> None:
    make(second, "b")
    found = find_targets(
        None,
        lines(
            "# the tenants",
            "",
            f"{tenants.url}#tenant_1  # the first",
            f"\t{second.url}#b\r\n",
            f"{tenants.url}#Tenant%201",
            second.url,
        ),
    )
    assert names(found) == [f"{tenants.name}#tenant_1", f"{second.name}#b", f"{tenants.name}#Tenant 1", second.name]
    assert [d.name for d in found.by_database] == [tenants.name, second.name]
    assert [len(those) for those in found.by_database.values()] == [2, 2]


def _spellings(server: RunningServer, database: Database) -> Iterator[str]:
    port, name, folder = database.parameters["port"], database.name, str(server.data.parent).replace("/", "%2F")
    with database.connect() as connection:
        connection.execute("CREATE ROLE fleet_other SUPERUSER LOGIN")
    yield f"postgresql://postgres@localhost:{port}/{name}"
    yield f"postgresql://postgres@{folder}:{port}/{name}"
    yield f"postgresql://fleet_other@127.0.0.1:{port}/{name}"
    yield f"postgresql://postgres@127.0.0.1:{port}/{name}?application_name=x"
    yield f"postgresql://postgres@127.0.0.1:{port}/{name}#public"


def test_one_target_by_another_spelling_is_refused_with_both_places(server: RunningServer, database: Database) -> None:
    try:
        for other in _spellings(server, database):
            error = refusal(None, lines(database.url, "", other))
            assert "one target is named twice" in error.message, other
            assert "list.txt:1" in error.message and "list.txt:3" in error.message
    finally:
        with database.connect() as connection:
            connection.execute("DROP ROLE fleet_other")


def test_the_same_name_on_two_ports_is_two_targets_and_called_by_their_servers(database: Database) -> None:
    port = database.parameters["port"]
    found = find_targets(None, lines(f"{database.url}#public", "postgresql://postgres@127.0.0.1:1/gone#public"))
    assert names(found) == [f"127.0.0.1:{port}/{database.name}#public", "127.0.0.1:1/gone#public"]


def test_a_database_of_a_list_that_cannot_be_reached_is_a_target_that_fails_by_itself(tenants: Database) -> None:
    gone = "postgresql://postgres@127.0.0.1:1/gone"
    found = find_targets(None, lines(tenants.url, gone))
    assert [one.failure for one in found] == [None, None]
    bases = lines(tenants.url, gone, "postgresql://postgres@127.0.0.1:1/gone_2").lines
    found = find_targets(None, Wishes(lines=bases, patterns=(r"tenant\_1",)))
    assert [one.database.schema for one in found] == ["tenant_1", None, None]
    assert [isinstance(one.failure, ConnectionFailed) for one in found] == [False, True, True]


def test_a_schema_of_a_list_that_is_not_there_is_said_with_its_line(tenants: Database) -> None:
    error = refusal(None, lines(f"{tenants.url}#tenant_1", f"{tenants.url}#tenant_4"))
    assert error.message == f"list.txt:2: there is no schema tenant_4 in {tenants.label}"


def test_lines_that_name_a_schema_and_an_option_that_does_are_refused(tenants: Database) -> None:
    wishes = Wishes(patterns=("%",), lines=lines(tenants.url, f"{tenants.url}#tenant_1").lines)
    assert "list.txt:2 names a schema, and an option" in refusal(None, wishes).message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tenant_40", "this is no URL of a database"),
        ("postgres:/u:s3cret@h/d", "this is no URL"),
        ("u:s3cret@h/d#tenant_1", "this is no URL"),
        ("host=h user=u password=s3cret dbname=d", "this is no URL"),
        ("password=s3cret://d", "it starts with something else"),
        ("postgresql://u:s3cret@h/d e", "this is no URL"),
        ("postgresql://u:s3#cret@h/d", "a # in it that begins no schema's name"),
        ("postgresql://u:5#s3cret@h/d", "a # in it that begins no schema's name"),
        ("postgresql://u:s3cret@h/d#", "no schema behind its #"),
        ("postgresql://u:s3cret@h:x/d", "cannot be read as a database URL"),
        ("mysql://u:s3cret@h/d", "not a PostgreSQL URL"),
        ("postgresql://u:s3cret@h/d?schema=a#b", "names a schema, and so does"),
        ("postgresql://u:s3cret@h/d#$user", "$user is no schema's name"),
        ("postgresql://u:s3cret@h/d#" + "x" * 64, "no schema can have the name"),
        ("postgresql://u:s3cret@h/d?nope=s3cret", "a parameter that libpq does not know: nope"),
    ],
)
def test_a_typo_in_a_line_is_said_with_its_place_and_no_password(line: str, said: str) -> None:
    text = [f"postgresql://h/d#tenant_{n}" for n in range(39)]
    with pytest.raises(UsageError) as caught:
        list(read_lines([*text, line, "also wrong"], "tenants.txt"))
    message = caught.value.message
    assert message.startswith("tenants.txt:40") and said in message
    assert "tenants.txt:41" in message
    assert "s3" not in message + caught.value.hint


def test_a_list_without_a_target_is_refused() -> None:
    with pytest.raises(UsageError, match=r"empty.txt names no target"):
        list(read_lines(["", "# nobody", "   "], "empty.txt"))


def test_every_target_has_a_name_of_its_own() -> None:
    found = find_targets(None, lines("postgresql://a@127.0.0.1:1/gone#x", "postgresql://b@127.0.0.1:1/gone#x"))
    assert names(found) == ["gone#x (list.txt:1)", "gone#x (list.txt:2)"]


def test_names_that_hold_the_sign_between_database_and_schema_are_told_apart() -> None:
    url = "postgresql://nobody@127.0.0.1:1/"
    found = find_targets(None, Wishes(schemas=("x#y", "y"), lines=tuple(read_lines([f"{url}d", f"{url}d%23x"], "l"))))
    assert names(found) == ["d#x%23y (--schema)", "d#y", "d#x#x#y", "d%23x#y (--schema)"]
