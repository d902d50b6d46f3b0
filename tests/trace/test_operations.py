"""What a rehearsal says, on real servers: each statement alone, after others, and in odd company."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.files.folder import read_migrations
from wflo_schema.trace.operations import trace
from wflo_schema.trace.values import Trace, Traced

SCHEMA = """
CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, c int NOT NULL DEFAULT 1, d varchar(10), e text COLLATE "C");
CREATE INDEX t_a ON t (a);
CREATE INDEX t_e ON t (e);
CREATE TABLE u (id bigint PRIMARY KEY, t_id bigint REFERENCES t ON DELETE CASCADE, x bigint);
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS n FROM t;
CREATE UNIQUE INDEX mv_n ON mv (n);
CREATE DOMAIN dom AS int;
CREATE TABLE w (id int, d dom, g int CHECK (g IS NOT NULL));
CREATE TABLE p (id int, k int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE pd PARTITION OF p DEFAULT;
CREATE TABLE q (id int, k int) PARTITION BY LIST (k);
CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE SCHEMA s1;
CREATE TABLE s1.z (id int, g int);
CREATE FUNCTION counts_t() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM t); END';
CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN ALTER TABLE w ADD cc int; COMMIT; UPDATE w SET cc = 1; END';
CREATE FUNCTION passes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE audited (id int PRIMARY KEY);
CREATE TRIGGER audit BEFORE UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION passes();
CREATE TABLE keyed (id int PRIMARY KEY, a int, g int);
CREATE TRIGGER of_g BEFORE UPDATE OF g ON keyed FOR EACH ROW EXECUTE FUNCTION passes();
CREATE VIEW renamed AS SELECT id AS a, a AS id FROM keyed;
CREATE TABLE keying (k int REFERENCES keyed ON UPDATE CASCADE);
CREATE INDEX ON keying (k);
CREATE TABLE o (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE o1 PARTITION OF o FOR VALUES FROM (0) TO (9);
CREATE TABLE of_o (k int REFERENCES o);
CREATE PROCEDURE decides() LANGUAGE plpgsql AS
    'BEGIN IF EXISTS (SELECT FROM t) THEN ALTER TABLE w ADD cc int; END IF; COMMIT; END';
"""

AX, X, SRX, S, SUX, RX, RS, AS = (
    "AccessExclusiveLock",
    "ExclusiveLock",
    "ShareRowExclusiveLock",
    "ShareLock",
    "ShareUpdateExclusiveLock",
    "RowExclusiveLock",
    "RowShareLock",
    "AccessShareLock",
)


@dataclass(frozen=True)
class Case:
    """A statement, and what it does; locks of relations that are no index."""

    statement: str
    locks: dict[str, str] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    undecided: str = ""
    is_alone: bool = False
    versions: tuple[int, ...] = (14, 15, 16, 17, 18)

    def __str__(self) -> str:
        return self.statement[:60]


T = {"public.t": AX}
REWRITTEN = ("public.t",)
INDEXES = ("public.t_a", "public.t_e", "public.t_pkey")

KEYED = {"public.keyed": RX, "public.keying": RX}
CASES = (
    Case("ALTER TABLE t ADD f int", T),
    Case("ALTER TABLE t ADD f int DEFAULT 3", T),
    Case("ALTER TABLE t ADD f uuid DEFAULT gen_random_uuid()", T, REWRITTEN, builds=INDEXES),
    Case("ALTER TABLE t ADD f dom", T),
    Case("ALTER TABLE t ALTER d TYPE varchar(20)", T),
    Case("ALTER TABLE t ALTER d TYPE varchar(5)", T, REWRITTEN, builds=INDEXES),
    Case('ALTER TABLE t ALTER e TYPE text COLLATE "POSIX"', T, builds=("public.t_e",)),
    Case("ALTER TABLE t ALTER b SET NOT NULL", T, scans=("public.t",)),
    Case("ALTER TABLE w ALTER g SET NOT NULL", {"public.w": AX}),
    Case("ALTER TABLE t ADD CHECK (a > 0)", T, scans=("public.t",)),
    Case("ALTER TABLE t ADD CHECK (a > 0) NOT VALID", T),
    Case("ALTER TABLE t ADD UNIQUE (b)", T, builds=("public.t_b_key",)),
    Case("ALTER TABLE t ADD EXCLUDE (b WITH =)", T, scans=("public.t",), builds=("public.t_b_excl",)),
    Case(
        "ALTER TABLE u ADD FOREIGN KEY (x) REFERENCES t",
        {"public.t": SRX, "public.u": SRX},
        scans=("public.t", "public.u"),
    ),
    Case("ALTER TABLE u ADD FOREIGN KEY (x) REFERENCES t NOT VALID", {"public.t": SRX, "public.u": SRX}),
    Case("ALTER TABLE u DROP CONSTRAINT u_t_id_fkey", {"public.t": AX, "public.u": AX}),
    Case("CREATE TABLE n (t_id bigint REFERENCES t)", {"public.t": SRX}),
    Case("CREATE INDEX n ON t (b)", {"public.t": S}, builds=("public.n",)),
    Case("CREATE INDEX n ON p (id)", {"public.p": S, "public.p1": S, "public.pd": S},
         builds=("public.p1_id_idx", "public.pd_id_idx")),
    Case("REINDEX TABLE t", {"public.t": S}, builds=INDEXES),
    Case("CLUSTER t USING t_pkey", T, REWRITTEN, builds=INDEXES),
    Case("TRUNCATE t CASCADE", {"public.t": AX, "public.u": AX}),
    Case("REFRESH MATERIALIZED VIEW mv", {"public.mv": AX, "public.t": AS}, ("public.mv",), ("public.t",),
         builds=("public.mv_n",)),
    Case("REFRESH MATERIALIZED VIEW CONCURRENTLY mv", {"public.mv": X, "public.t": AS}, (),
         ("public.mv", "public.t")),
    Case("REFRESH MATERIALIZED VIEW mv WITH NO DATA", {"public.mv": AX}),
    Case("ALTER TABLE unlogged SET LOGGED", {"public.unlogged": AX}, ("public.unlogged",)),
    Case("ALTER TABLE t SET LOGGED", T),
    Case("ALTER DOMAIN dom ADD CHECK (VALUE > 0)", {"public.w": S}, scans=("public.w",)),
    Case("ALTER DOMAIN dom ADD CHECK (VALUE > 0) NOT VALID"),
    Case("CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)", {"public.p": AX, "public.pd": AX}, scans=("public.pd",)),
    Case("ALTER TABLE p ADD f int", {"public.p": AX, "public.p1": AX, "public.pd": AX}),
    Case("ALTER TABLE q DETACH PARTITION q1", {"public.q": AX, "public.q1": AX}),
    Case("ALTER TABLE parent ADD f int", {"public.parent": AX, "public.child": AX}),
    Case("ALTER TABLE t RENAME TO t2", T),
    Case("ALTER TABLE t RENAME a TO a2", T),
    Case("ALTER SCHEMA s1 RENAME TO s2"),
    Case("COMMENT ON TABLE t IS 'x'", {"public.t": SUX}),
    Case("CREATE VIEW n AS SELECT * FROM t", {"public.t": AS}),
    Case("CREATE TEMP TABLE n (id int)"),
    Case("CREATE TRIGGER n BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION passes()", {"public.t": SRX}),
    Case("CREATE TYPE n AS ENUM ('a')"),
    # rows
    Case("SELECT * FROM t WHERE id = 3", {"public.t": AS}),
    Case("SELECT count(*) FROM v", {"public.t": AS, "public.v": AS}, scans=("public.t",)),
    Case("SELECT max(id) FROM t", {"public.t": AS}),
    Case("SELECT FROM t LIMIT 1", {"public.t": AS}),
    Case("CREATE TABLE n AS SELECT * FROM t", {"public.t": AS}, scans=("public.t",)),
    Case("INSERT INTO t (id) VALUES (1)", {"public.t": RX}, changes=("public.t",)),
    Case("INSERT INTO u (id, t_id) SELECT id, id FROM t", {"public.u": RX, "public.t": AS}, scans=("public.t",),
         changes=("public.u",)),
    Case("UPDATE t SET a = 1", {"public.t": RX}, scans=("public.t",), changes=("public.t",)),
    Case("UPDATE t SET a = 1 WHERE id = 3", {"public.t": RX}, changes=("public.t",)),
    Case("UPDATE t SET b = 'x' FROM u WHERE u.id = 7 AND t.id = u.t_id", {"public.t": RX, "public.u": AS},
         changes=("public.t",)),
    Case("DELETE FROM t WHERE id = 3", {"public.t": RX, "public.u": RX}, scans=("public.u",),
         changes=("public.t", "public.u")),
    Case("UPDATE audited SET id = 3 WHERE id = 2", {"public.audited": RX}, changes=("public.audited",),
         undecided="trigger audit"),
    Case("SELECT counts_t()", {"public.t": AS}, undecided="reads public.t"),
    # code
    Case("DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN ALTER TABLE w ADD f int; END IF; END $$", {"public.t": AS},
         undecided="reads public.t"),
    Case("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_class WHERE relname = 'no') THEN ALTER TABLE w ADD f int; END IF; "
         "END $$", {"public.w": AX}),
    Case("DO $$ BEGIN IF (SELECT reltuples FROM pg_class WHERE relname = 't') > 9 THEN DROP TABLE w; END IF; END $$",
         undecided="sizes"),
    Case("DO $$ BEGIN ALTER TABLE w ADD CHECK (id > 0); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
         {"public.w": AX}, scans=("public.w",)),
    Case("DO $$ BEGIN BEGIN ALTER TABLE t ADD f uuid DEFAULT gen_random_uuid(); RAISE 'no'; EXCEPTION WHEN others THEN "
         "NULL; END; END $$", {"public.t": AX}, REWRITTEN, builds=INDEXES, undecided="caught an error"),
    Case("DO $$ BEGIN SET LOCAL client_min_messages = warning; ALTER TABLE t ADD CHECK (a > 0); END $$", T,
         scans=("public.t",)),
    # outside of transactions
    Case("CREATE INDEX CONCURRENTLY n ON t (b)", {"public.t": SUX}, builds=("public.n",), is_alone=True),
    Case("DROP INDEX CONCURRENTLY t_a", {"public.t": SUX}, is_alone=True),
    Case("REINDEX INDEX CONCURRENTLY t_a", {"public.t": SUX}, builds=("public.t_a",), is_alone=True),
    Case("REINDEX TABLE CONCURRENTLY t", {"public.t": SUX}, builds=INDEXES, is_alone=True),
    Case("VACUUM t", {"public.t": SUX}, is_alone=True),
    Case("VACUUM FULL t", T, REWRITTEN, builds=INDEXES, is_alone=True),
    Case("ALTER TABLE q DETACH PARTITION q1 CONCURRENTLY", {"public.q": SUX, "public.q1": AX}, is_alone=True),
    Case("ALTER TABLE t ADD CHECK (a > 0)", T, scans=("public.t",), is_alone=True),
    Case("UPDATE keyed SET a = 1 WHERE id = 2", {"public.keyed": RX}, changes=("public.keyed",)),
    Case("UPDATE keyed SET id = 1 WHERE id = 2", KEYED, changes=("public.keyed", "public.keying")),
    Case("INSERT INTO keyed VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 2", {"public.keyed": RX},
         changes=("public.keyed",)),
    Case("INSERT INTO keyed VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", KEYED,
         changes=("public.keyed", "public.keying")),
    Case("UPDATE keyed SET g = 1 WHERE id = 2", {"public.keyed": RX}, changes=("public.keyed",), undecided="of_g"),
    Case("UPDATE renamed SET a = 1 WHERE a = 2", {**KEYED, "public.renamed": RX},
         changes=("public.keyed", "public.keying"), undecided="of_g"),
    Case("ALTER TABLE o DETACH PARTITION o1", {"public.o": AX, "public.o1": AX, "public.of_o": AX},
         scans=("public.o1", "public.of_o")),
    Case("ALTER TABLE o DETACH PARTITION o1 CONCURRENTLY", {"public.o": SUX, "public.o1": AX, "public.of_o": S},
         scans=("public.o1", "public.of_o"), is_alone=True),
    Case("CALL decides()", {}, undecided="reads public.t", is_alone=True),
)  # fmt: skip


@pytest.fixture
def rehearse(database: Database, tmp_path: Path) -> Callable[..., Trace]:
    """Apply a schema, then rehearse files: their names and texts."""
    folder = tmp_path / "migrations"
    folder.mkdir()

    def run(*files: str, schema: str = SCHEMA) -> Trace:
        (folder / "01-schema.sql").write_text(schema)
        engine.migrate(database, read_migrations(folder))
        for number, text in enumerate(files, 2):
            (folder / f"{number:02}-file.sql").write_text(text)
        return trace(database, read_migrations(folder))

    return run


def locks_of(one: Traced) -> dict[str, str]:
    return {lock.relation: lock.mode for lock in one.locks if "index" not in lock.kind}


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.spread_over_servers
def test_statement_does_what_postgresql_says(rehearse: Callable[..., Trace], case: Case) -> None:
    head = "-- transactional: false\n" if case.is_alone else ""
    (one,) = rehearse(f"{head}{case.statement};").statements

    assert not one.error
    assert locks_of(one) == case.locks
    assert tuple(sorted(one.rewrites)) == case.rewrites
    assert tuple(sorted(one.scans)) == case.scans
    assert tuple(sorted(one.builds)) == case.builds
    assert tuple(sorted(one.changes)) == case.changes
    assert (case.undecided in one.undecided) if case.undecided else not one.undecided
    assert all(lock.held_until == ("statement" if case.is_alone else "commit") for lock in one.locks) or case.undecided
