"""A table becomes partitioned without a row being copied, or is dropped; both can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.cases import KEYS
from tests.recipes.shop import apply, assert_same, catalog, cook, made, positions_left_out, rows, take_back
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import Refused
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers

MORE = """
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := upper(NEW.note); RETURN NEW; END';
CREATE TRIGGER shouts BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION shout();
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers, ADD CHECK (amount > 0), ADD UNIQUE (at, id);
CREATE UNIQUE INDEX ON orders (at, id, note);
ALTER TABLE orders ADD UNIQUE (mail, id) INCLUDE (note) DEFERRABLE; ALTER TABLE orders SET (fillfactor = 70);
ALTER SEQUENCE orders_id_seq INCREMENT 1 MAXVALUE 90000; ALTER SEQUENCE orders_id_seq RENAME TO "odd ""seq.1";
GRANT UPDATE (note) ON orders TO pg_monitor;
COMMENT ON TABLE orders IS 'it''s orders'; COMMENT ON COLUMN orders.note IS 'note';
GRANT SELECT, INSERT ON orders TO pg_monitor;
"""


@pytest.mark.parametrize("until", ["'2027-01-01'", ""])
@pytest.mark.parametrize("more", [MORE, "ALTER TABLE orders DROP CONSTRAINT orders_pkey", ""])
def test_a_table_becomes_partitioned_and_goes_back(until: str, more: str, database: Database, tmp_path: Path) -> None:
    made(database, more)
    before, rows_before = catalog(database), rows(database, "orders")
    with database.connect() as connection:
        (node,) = connection.execute("SELECT pg_relation_filenode('orders')").fetchone() or (None,)
    cook(database, tmp_path, "partition", "orders", "RANGE (at)", **({"until": until} if until else {}))
    apply(database, tmp_path)
    assert rows(database, "orders") == rows_before
    with database.connect() as connection:
        first = "orders_before" if until else "orders_default"
        assert connection.execute(f"SELECT pg_relation_filenode('{first}')".encode()).fetchone() == (node,)
        connection.execute(
            "INSERT INTO orders (customer_id, at, note) VALUES (1, '2026-06-01', 'a'), (2, '2027-06-01', 'b')"
        )
        ids = connection.execute("SELECT max(id), count(*) FROM orders").fetchone()
        assert ids == (502, 502)
        comment = connection.execute("SELECT obj_description('orders'::regclass)").fetchone()
        assert comment == ("it's orders" if more is MORE else None,)
        granted = "SELECT has_table_privilege('pg_monitor', 'orders', 'INSERT')"
        assert connection.execute(granted).fetchone() == (more is MORE,)
    assert not cook(database, tmp_path, "partition", "orders", "RANGE (at)").paths
    files = read_migrations(tmp_path)
    operations.rollback(database, files)
    assert len(rows(database, "orders")) == 502
    with database.connect() as connection:
        connection.execute("DELETE FROM orders WHERE id > 500")
    take_back(database, tmp_path)
    assert_same(catalog(database), before)
    assert rows(database, "orders") == rows_before
    apply(database, tmp_path)


@pytest.mark.one_server
def test_what_cannot_be_partitioned_is_refused(database: Database, tmp_path: Path) -> None:
    made(database, KEYS, "CREATE VIEW notes AS SELECT note FROM customers, orders")
    with database.connect() as connection:
        connection.execute("CREATE TABLE loose (id int UNIQUE, at date, CHECK (id > 0) NO INHERIT)")
        connection.execute("CREATE TABLE one (id int, at date); CREATE UNIQUE INDEX ON one (id)")
        connection.execute("CREATE TABLE two (id int, at date); ALTER TABLE two ADD CHECK (id > 0) NOT VALID")
    for words in (
        ("orders", "RANGE (at)"), ("orders", "HASH (id)"), ("customers", "LIST (region)"), ("loose", "RANGE (at)"),
        ("one", "RANGE (at)"), ("two", "RANGE (at)"),
    ):  # fmt: skip
        with pytest.raises(Refused):
            cook(database, tmp_path, "partition", *words)
    assert cook(database, tmp_path, "partition", "lines", "LIST (id)").paths


def test_a_table_is_dropped_and_comes_back_empty(database: Database, tmp_path: Path) -> None:
    made(database, KEYS, MORE)
    before = catalog(database)
    written = cook(database, tmp_path, "drop-table", "orders")
    assert [p.name.split("-", 1)[1] for p in written.paths[::2]] == [
        "drop-foreign-key-lines-order-id-fkey-of-lines.sql",
        "drop-foreign-key-orders-customer-id-fkey-of-orders.sql",
        "drop-table-orders.sql",
    ]
    with database.connect() as connection:
        connection.execute("TRUNCATE lines")
    apply(database, tmp_path)
    take_back(database, tmp_path)
    assert_same(positions_left_out(catalog(database)), positions_left_out(before))
