from __future__ import annotations

import pytest
from psycopg import pq

from wflo_schema.connect.database import Database
from wflo_schema.errors import ConnectionFailed, UsageError


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
