from __future__ import annotations

import pytest

from wflo_schema.database import Database
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
    assert one.label == "u@h:5432/d, schema s"


def test_equality_is_the_place_and_not_who_named_it() -> None:
    assert Database.parse("postgresql://h/d", source="a") == Database.parse("postgres://h/d", source="b")
    assert Database.parse("postgresql://h/d") != Database.parse("postgresql://h/d", schema="s")


def test_derived_databases_keep_the_rest() -> None:
    one = Database.parse("postgresql://u:p@h:1/d", schema="s")
    assert one.with_name('o"dd').url == "postgresql://u:p@h:1/o%22dd"
    assert one.with_schema(None) == Database.parse("postgresql://u:p@h:1/d")
    assert one.with_parameters(connect_timeout="2").parameters["connect_timeout"] == "2"


def test_no_server_is_said_in_one_sentence() -> None:
    with pytest.raises(ConnectionFailed, match="^no server answers at u@127.0.0.1:1/d$"):
        Database.parse("postgresql://u:p@127.0.0.1:1/d").connect()


def test_host_of_the_url_is_not_redirected_by_a_variable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq would go to PGHOSTADDR, whatever host the URL names."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.99")
    with database.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
