from __future__ import annotations

import contextlib
import re
import socket
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import pq, sql

from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.engine.test_faults import needs_pgbouncer, one, pgbouncer, wait_until
from tests.proxy import Cut, Direction, Proxy
from wflo_schema.connect.database import Database, database_error, wait_until_ready
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed, ConnectionLost, DatabaseError, Refused, UsageError
from wflo_schema.files.folder import Migrations, read_migrations


def test_database_connects_to_what_was_parsed(database: Database) -> None:
    with database.connect() as connection:
        row = connection.execute("SELECT current_database(), current_setting('client_encoding')").fetchone()
    assert row == (database.name, "UTF8")


@pytest.mark.parametrize(
    ("url", "conninfo"),
    [
        ("postgres://u:p%40w@h/d", "user=u password=p@w dbname=d host=h"),
        ("postgresql+asyncpg://u@h:1/d?ssl=require", "user=u dbname=d host=h port=1 sslmode=require"),
        ("postgresql+asyncpg://u@h/d?prepared_statement_cache_size=0", "user=u dbname=d host=h"),
        ("postgresql+psycopg://u@/d?host=/run/pg&port=5433", "user=u dbname=d host=/run/pg port=5433"),
        ("postgresql+psycopg2://h1:1,h2:2/d", "dbname=d host=h1,h2 port=1,2"),
        ("postgresql://u@/d?host=a:1&host=b:2", "user=u dbname=d host=a,b port=1,2"),
        ("postgresql://[::1]:5/d", "dbname=d host=::1 port=5"),
        ("host=h dbname='odd name'", "host=h dbname='odd name'"),
        ("'postgresql://u@h/d'", "user=u dbname=d host=h"),
        ('"postgresql://u@h/d" ', "user=u dbname=d host=h"),
        (
            "jdbc:postgresql://h:5/d?user=u&password=p&ApplicationName=a&prepareThreshold=0",
            "user=u password=p dbname=d host=h port=5 application_name=a",
        ),
        (
            "jdbc:postgresql://h/d?currentSchema=a,b&ssl=true",
            "dbname=d host=h options='-c search_path=a,b' sslmode=require",
        ),
        ("postgresql://h/d?search_path=a%2C%20b", r"dbname=d host=h options='-c search_path=a,\\ b'"),
        (
            "postgresql://h/d?statement_timeout=5000&options=-c%20geqo=off",
            "dbname=d host=h options='-c geqo=off -c statement_timeout=5000'",
        ),
    ],
)
def test_every_spelling_means_the_same(url: str, conninfo: str) -> None:
    assert Database.parse(url).parameters == Database.parse(conninfo).parameters
    assert Database.parse(Database.parse(url).url).parameters == Database.parse(url).parameters


def test_the_schema_comes_from_the_url_unless_it_is_given() -> None:
    assert Database.parse("postgresql://h/d?schema=A%20b").schema == "A b"
    assert Database.parse("postgresql://h/d?schema=a", schema="b").schema == "b"
    assert Database.parse("postgresql://h/d").schema is None
    for odd in ("", "a\x00b", "$user"):
        with pytest.raises(UsageError):
            Database.parse("postgresql://h/d", schema=odd)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:topsecret@h/d",
        "postgresql://u:topsecret#1@h/d",
        "postgresql://u:topsecret@x@h/d",
        "postgresql://u:top/secret@h/d",
        "postgresql://u:topsecret@h:port/d",
        "postgresql://u:topsecret@h/d?nonsense=1",
        "postgresql://u:topsecret@[h/d",
        "password=topsecret nonsense",
        "topsecret",
        "postgresql://u:topsecret@h/d?ssl",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database.parse(url)
    assert "secret" not in caught.value.message + caught.value.hint
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("parameter", "hint"),
    [
        ("sslmod=require", "did you mean sslmode?"),
        ("serch_path=a", "did you mean search_path?"),
        ("work_mem=4MB", "options=-c%20work_mem%3DVALUE"),
    ],
)
def test_an_unknown_parameter_is_answered_with_how_to_say_it(parameter: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database.parse(f"postgresql://h/d?{parameter}")
    assert hint in caught.value.hint


def test_settings_in_the_url_hold_in_the_session(database: Database) -> None:
    with database.connect() as connection:
        connection.execute('CREATE SCHEMA "a b"')
    url = f"{database.url}?search_path=%22a%20b%22,public&statement_timeout=5000&TimeZone=Asia/Tokyo"
    with Database.parse(url).connect(settings={"lock_timeout": "7s"}) as connection:
        names = ("search_path", "statement_timeout", "TimeZone", "lock_timeout")
        said = [connection.execute("SELECT current_setting(%s)", (name,)).fetchone() for name in names]
    assert said == [('"a b",public',), ("5s",), ("Asia/Tokyo",), ("7s",)]


@needs_pgbouncer
@pytest.mark.one_server
def test_a_pooler_that_takes_no_options_is_told_from_a_wrong_url(database: Database) -> None:
    with pgbouncer(database, "transaction", 2) as pooled, pytest.raises(ConnectionFailed) as caught:
        Database.parse(f"{pooled.url}?search_path=public").connect()
    assert "does not take an option of the URL" in caught.value.message
    assert "--schema" in caught.value.hint


@needs_pgbouncer
@pytest.mark.one_server
def test_a_pooler_that_gives_each_statement_another_connection_is_told_from_a_lost_one(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a ()")
    with pgbouncer(database, "statement", 2) as pooled, pytest.raises(DatabaseError) as caught:
        operations.migrate(pooled, read_migrations(tmp_path))
    assert "statement pooling" in caught.value.message
    assert "pool_mode" in caught.value.hint
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('a')").fetchone() == (None,)


@needs_pgbouncer
@pytest.mark.one_server
def test_a_pooler_that_gives_each_statement_another_connection_is_told_whatever_is_asked(database: Database) -> None:
    with pgbouncer(database, "statement", 2) as pooled, pytest.raises(ConnectionLost) as caught:
        with pooled.connect() as connection, connection.transaction():
            pass
    assert "was lost" not in caught.value.message and "pool_mode" in caught.value.hint


@pytest.mark.one_server
def test_a_database_that_takes_no_more_connections_is_named_with_what_opens_it(database: Database) -> None:
    role = f"plain_{database.name}"
    with database.connect() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 0".encode())
        try:
            with pytest.raises(ConnectionFailed) as caught:
                database.with_parameters(user=role).connect()
        finally:
            connection.execute(f"DROP ROLE {role}".encode())
    assert "takes no more connections" in caught.value.message
    assert f"ALTER DATABASE {database.name} CONNECTION LIMIT" in caught.value.hint


@pytest.mark.one_server
def test_a_server_that_demands_tls_is_told_from_a_missing_grant() -> None:
    server = start_server("18" if "18" in BIN else "15")
    try:
        (server.data / "pg_hba.conf").write_text("hostssl secure all all trust\nhost postgres all all trust\n")
        server.pg_ctl("reload")
        wait_until(lambda: "without TLS" in refusal(server.database.with_name("secure"), "disable"), "the new rules")
        assert "sslmode=require" in refusal(server.database.with_name("secure"), "disable")
        assert "has no TLS" in (said := refusal(server.database, "require")) and "sslmode=disable" in said
    finally:
        stop_server(server)


def refusal(database: Database, sslmode: str) -> str:
    try:
        database.with_parameters(sslmode=sslmode).connect().close()
    except ConnectionFailed as error:
        return f"{error.message}\n{error.hint}"
    return ""


def test_a_missing_privilege_is_answered_with_the_grant(server: RunningServer, database: Database) -> None:
    role = f"out_{database.name}"
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database.name)))
    try:
        with pytest.raises(ConnectionFailed) as caught:
            database.with_parameters(user=role).connect()
        grant = re.search(r"GRANT CONNECT ON DATABASE .*", caught.value.hint)
        assert grant is not None
        with database.connect() as connection:
            connection.execute(grant.group().encode())
        database.with_parameters(user=role).connect().close()
    finally:
        with database.connect() as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_waiting_ends_when_the_server_lets_us_in_and_at_once_for_what_does_not_pass(
    server: RunningServer, database: Database
) -> None:
    heard: list[str] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    late = database.with_parameters(port=str(port))

    def relay() -> None:
        wait_until(lambda: bool(heard), "a first refusal")
        with socket.create_server(("127.0.0.1", port)) as listener:
            client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", int(database.parameters["port"]))) as upstream:
            back = threading.Thread(target=_copy, args=(upstream, client))
            back.start()
            _copy(client, upstream)
            back.join()

    thread = threading.Thread(target=relay)
    thread.start()
    wait_until_ready(late, 60, notify=lambda error: heard.append(error.message))
    thread.join()
    assert heard == [f"no server answers at postgres@127.0.0.1:{port}/{database.name}"]
    with pytest.raises(ConnectionFailed, match="there is no database"):
        wait_until_ready(database.with_name("not_there"), 600, notify=lambda error: None)


def _copy(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def test_no_text_of_a_database_holds_its_password() -> None:
    one = Database.parse("postgresql://u:topsecret@h/d?schema=s")
    assert "topsecret" not in repr(one) + str(one) + one.label
    assert one.label == "u@h:5432/d"


def test_equality_is_the_place_and_not_who_named_it() -> None:
    assert Database.parse("postgresql://h/d", source="a") == Database.parse("postgres://h/d", source="b")
    assert Database.parse("postgresql://h/d") != Database.parse("postgresql://h/d", schema="s")


def test_derived_databases_keep_the_rest() -> None:
    one = Database.parse("postgresql://u:p@h:1/d", schema="s")
    assert one.with_name('o"dd').url == "postgresql://u:p@h:1/o%22dd"
    assert one.with_schema(None) == Database.parse("postgresql://u:p@h:1/d")
    assert one.with_parameters(connect_timeout="2").parameters["connect_timeout"] == "2"


def test_no_server_is_said_in_one_sentence() -> None:
    with pytest.raises(ConnectionFailed, match=r"^no server answers at u@127\.0\.0\.1:1/d$"):
        Database.parse("postgresql://u:p@127.0.0.1:1/d").connect()


def test_host_of_the_url_is_not_redirected_by_a_variable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq would go to PGHOSTADDR, whatever host the URL names."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.99")
    with database.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_name_that_the_server_would_cut_off_is_refused_wherever_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest = "ü" * 31 + "x"
    assert Database.parse(f"postgresql://h/{longest}").with_name(longest).name == longest
    for name in (longest + "x", "x" * 64):
        with pytest.raises(UsageError, match="has 64 bytes"):
            Database.parse(f"postgresql://h/{name}")
        with pytest.raises(UsageError, match="has 64 bytes"):
            Database.parse("postgresql://h/d").with_name(name)
        monkeypatch.setenv("PGDATABASE", name)
        with pytest.raises(UsageError, match="has 64 bytes"):
            Database.parse("")
        monkeypatch.delenv("PGDATABASE")


def test_a_url_as_a_databases_name_is_refused_and_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "postgresql://u:topsecret@h/d")
    with pytest.raises(UsageError) as caught:
        Database.parse("")
    assert "secret" not in caught.value.message + caught.value.hint


def test_no_secret_is_left_without_the_password() -> None:
    """Also those of newer libpq."""
    secrets = {"password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}
    known = secrets & {o.keyword.decode() for o in pq.Conninfo.get_defaults()}
    assert known >= {"password", "sslpassword"}
    query = "&".join(f"{keyword}=topsecret" for keyword in sorted(known - {"password"}))
    one = Database.parse(f"postgresql://u:topsecret@h/d?{query}&sslkey=k")
    assert one.has_password and not one.without_password.has_password
    assert one.without_password.url == "postgresql://u@h/d?sslkey=k"
    for text in (repr(one), one.label, one.without_password.conninfo):
        assert "topsecret" not in text
    for keyword in known:
        assert Database.parse(f"{keyword}=topsecret dbname=d").without_password.conninfo == "dbname=d"


def test_label_gives_each_of_several_hosts_its_port() -> None:
    assert Database.parse("postgresql://u@a:1,b:2/d").label == "u@a:1,b:2/d"
    assert Database.parse("postgresql://u@a,b/d").label == "u@a:5432,b:5432/d"
    assert Database.parse("host=a,b port=7 user=u dbname=d").label == "u@a:7,b:7/d"
    assert Database.parse("host=a,b port=7, user=u dbname=d").label == "u@a:7,b:5432/d"
    assert Database.parse("host=/run/pg user=u dbname=d").label == "u@d on /run/pg/.s.PGSQL.5432"


# How a session ends, by a statement or (empty) by a cut.
ENDS = {
    "SELECT pg_terminate_backend(pg_backend_pid())": "terminating connection due to administrator command",
    "SET idle_session_timeout = '10ms'": "terminating connection due to idle-session timeout|server closed",
    "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10ms'": "due to idle-in-trans|server closed",
    "": "server closed the connection unexpectedly",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("leaves_open", [False, True])
def test_session_that_ended_is_a_lost_connection_whatever_is_asked_of_it(
    database: Database, end: str, leaves_open: bool
) -> None:
    """Also where a proxy leaves our end of the connection open, and for those who handle psycopg's errors."""
    cut = None if end else Cut(Direction.TO_SERVER, 2)
    with Proxy("127.0.0.1", int(database.parameters["port"]), cut=cut, leaves_open=leaves_open) as proxy:
        through = database.with_parameters(port=str(proxy.port), sslmode="disable", gssencmode="disable")
        with pytest.raises(ConnectionLost, match=ENDS[end]) as caught, through.connect() as connection:
            connection.execute(end.encode() or b"SELECT 1")
            there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            wait_until(lambda: one(database, there, connection.info.backend_pid) == (0,), "the end of the session")
            connection.execute("SELECT 1")
        lost: Exception = caught.value
        assert caught.value.code == "connection-lost" and "run it again" in caught.value.hint
        assert isinstance(lost, psycopg.OperationalError)
        for ask in (connection.commit, connection.cursor, lambda: connection.execute("SELECT 1")):
            with pytest.raises(psycopg.OperationalError):
                ask()
        said = database_error(lost, "looking")
        assert isinstance(said, ConnectionLost) and re.search(ENDS[end], said.message) and "looking" in said.message


@pytest.mark.parametrize(
    "password",
    [
        "12/secret",
        "12?secret",
        "12?secret=a",
        "a@b/secret",
        "a@b?secret=c",
        "12#secret",
        "a@secret",
        "1:secret",
        "12?a=secret/x",
    ],
)
def test_a_password_that_was_not_encoded_is_shown_nowhere(password: str) -> None:
    with pytest.raises((UsageError, ConnectionFailed)) as caught:
        Database.parse(f"postgresql://u:{password}@127.0.0.1:1/d").connect()
    said = caught.value.message + caught.value.hint
    assert "secret" not in said
    assert "percent-encoded" in said or "no server answers at u@127.0.0.1:1/d" in said


def test_an_at_sign_that_means_no_host_stays_allowed() -> None:
    assert Database.parse("postgresql://u%40x:p@h/d?options=-c%20a%3Db@c").parameters["options"] == "-c a=b@c"
    assert Database.parse("postgresql:///d?host=@socket").parameters["host"] == "@socket"
    assert Database.parse("postgresql://h/a%40b").name == "a@b"


def test_a_role_that_may_have_one_connection_is_served_while_its_last_one_still_ends(database: Database) -> None:
    role = f"single_{database.name}"
    with database.connect() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1".encode())
    try:
        alone = database.with_parameters(user=role)
        for _ in range(30):
            alone.connect().close()
        with alone.connect(), pytest.raises(ConnectionFailed, match="may not open another connection"):
            alone.connect()
        with pytest.raises(Refused, match="there is no schema nosuch") as caught:
            operations.status(alone.with_schema("nosuch"), Migrations((), ()))
        assert "--create-schema" in caught.value.hint
    finally:
        with database.connect() as connection:
            connection.execute(f"DROP ROLE {role}".encode())
