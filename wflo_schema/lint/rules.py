"""All that lint can find in a file: each code with its weight, its meaning, its remedy, and an example of both kinds.

Hides nothing: help, manual, JSON and tests are made from these records, and every finding takes its weight from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from wflo_schema.check.rules import Rule
from wflo_schema.findings import Severity

_E, _W, _U, _N = Severity.ERROR, Severity.WARNING, Severity.UNKNOWN, Severity.NOTE

# What is there before each example, with rows in it.
EXAMPLE = """\
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name varchar(50), age integer, born text, seen json);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, total numeric(10, 2), state text, placed date NOT NULL);
CREATE INDEX orders_user_id ON orders (user_id);
"""


# Stands between two files of an example.
_NEXT_FILE = "-- next file\n"

# Stands in one before its rollback file.
ROLLBACK = "-- its rollback file\n"


@dataclass(frozen=True, slots=True)
class LintRule(Rule):
    """One thing that can be wrong with a file, in which section, and what to do about it.

    ``bad`` and ``good`` are migration files, one behind the other, on top of `EXAMPLE` and ``given``.
    """

    bad: str = ""
    good: str = ""
    given: str = ""


def files_of(example: str) -> tuple[str, ...]:
    """The files of an example."""
    return tuple(example.split(_NEXT_FILE)) if example else ()


RULES: tuple[LintRule, ...] = (
    LintRule(
        "index-blocks-writes",
        "blocks",
        _E,
        "an index is built while nobody may write",
        "CREATE INDEX holds SHARE on the table for as long as it reads it: INSERT, UPDATE and DELETE wait.",
        "CREATE INDEX CONCURRENTLY, in a file of its own that begins with -- transactional: false",
        """\
CREATE INDEX orders_state ON orders (state);
""",
        """\
-- transactional: false
CREATE INDEX CONCURRENTLY orders_state ON orders (state);
""",
    ),
    LintRule(
        "reindex-blocks",
        "blocks",
        _E,
        "an index is built again while nobody may write",
        "REINDEX holds SHARE on the table, and ACCESS EXCLUSIVE on the index, which stops most readers as well.",
        "REINDEX … CONCURRENTLY, in a file of its own that begins with -- transactional: false",
        """\
REINDEX INDEX orders_user_id;
""",
        """\
-- transactional: false
REINDEX INDEX CONCURRENTLY orders_user_id;
""",
    ),
    LintRule(
        "unique-blocks",
        "blocks",
        _E,
        "a UNIQUE or PRIMARY KEY constraint builds its index while nobody may read or write",
        "ALTER TABLE … ADD UNIQUE holds ACCESS EXCLUSIVE on the table for as long as the index takes.",
        "CREATE UNIQUE INDEX CONCURRENTLY in a file of its own, then ADD CONSTRAINT … UNIQUE USING INDEX",
        """\
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
""",
        """\
-- transactional: false
CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);
-- next file
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;
""",
    ),
    LintRule(
        "exclude-blocks",
        "blocks",
        _E,
        "an EXCLUDE constraint builds its index while nobody may read or write",
        "PostgreSQL has no way to add one with an index that is there already.",
        "do it while nobody uses the table; or guard new rows in the application",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_one_a_day EXCLUDE USING btree (placed WITH =);
""",
        """\
CREATE TABLE rooms (day date, EXCLUDE USING btree (day WITH =));
""",
    ),
    LintRule(
        "index-built",
        "blocks",
        _E,
        "indexes are built again while nobody may write",
        "The statement needs an index to be built, such as one of an expression whose column gets another type.",
        "drop the index first, and build it CONCURRENTLY afterwards",
        """\
ALTER TABLE users ALTER COLUMN born TYPE varchar;
""",
        """\
DROP INDEX users_born;
ALTER TABLE users ALTER COLUMN born TYPE varchar;
""",
        """\
CREATE INDEX users_born ON users (lower(born));
""",
    ),
    LintRule(
        "add-column-rewrites",
        "blocks",
        _E,
        "a new column rewrites the table",
        "A default that differs from row to row, a stored generated column, an identity or a domain with a CHECK: "
        "PostgreSQL writes each row anew under ACCESS EXCLUSIVE.",
        "add the column without it; SET DEFAULT in a second statement, and fill the rows that are there in batches",
        """\
ALTER TABLE users ADD COLUMN public_id uuid DEFAULT gen_random_uuid();
""",
        """\
ALTER TABLE users ADD COLUMN public_id uuid;
ALTER TABLE users ALTER COLUMN public_id SET DEFAULT gen_random_uuid();
""",
    ),
    LintRule(
        "type-change-rewrites",
        "blocks",
        _E,
        "a column's new type rewrites the table",
        "The old values do not look the same in the new type, so each row is written anew under ACCESS EXCLUSIVE.",
        "add a column of the new type, keep both filled, and swap them",
        """\
ALTER TABLE users ALTER COLUMN age TYPE bigint;
""",
        """\
ALTER TABLE users ALTER COLUMN name TYPE varchar(80);
""",
    ),
    LintRule(
        "table-rewritten",
        "blocks",
        _E,
        "a table is written anew while nobody may read it",
        "The whole table is copied under ACCESS EXCLUSIVE.",
        "do it while nobody uses the table; for CLUSTER and VACUUM FULL there are pg_repack and plain VACUUM",
        """\
ALTER TABLE users SET UNLOGGED;
""",
        """\
ALTER TABLE users SET (fillfactor = 80);
""",
    ),
    LintRule(
        "view-refreshed",
        "blocks",
        _E,
        "a materialized view is filled while nobody may read it",
        "REFRESH MATERIALIZED VIEW holds ACCESS EXCLUSIVE on it until the query is done and the transaction committed.",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view",
        """\
REFRESH MATERIALIZED VIEW totals;
""",
        """\
REFRESH MATERIALIZED VIEW CONCURRENTLY totals;
""",
        """\
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) FROM orders GROUP BY user_id;
CREATE UNIQUE INDEX totals_user_id ON totals (user_id);
""",
    ),
    LintRule(
        "check-scans",
        "blocks",
        _E,
        "a CHECK constraint reads the table while nobody may read or write",
        "ADD CONSTRAINT … CHECK holds ACCESS EXCLUSIVE until each row is looked at.",
        "ADD CONSTRAINT … CHECK … NOT VALID; VALIDATE CONSTRAINT in the next file",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0);
""",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
-- next file
ALTER TABLE orders VALIDATE CONSTRAINT orders_total;
""",
    ),
    LintRule(
        "not-null-scans",
        "blocks",
        _E,
        "NOT NULL reads the table while nobody may read or write",
        "SET NOT NULL holds ACCESS EXCLUSIVE until each row is looked at, unless a valid CHECK has proven it.",
        "ADD CONSTRAINT … CHECK (c IS NOT NULL) NOT VALID; VALIDATE it in the next file; then SET NOT NULL reads "
        "nothing",
        """\
ALTER TABLE orders ALTER COLUMN user_id SET NOT NULL;
""",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_user_id_set CHECK (user_id IS NOT NULL) NOT VALID;
-- next file
ALTER TABLE orders VALIDATE CONSTRAINT orders_user_id_set;
-- next file
ALTER TABLE orders ALTER COLUMN user_id SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_set;
""",
    ),
    LintRule(
        "foreign-key-scans",
        "blocks",
        _E,
        "a foreign key reads the table while nobody may write to either",
        "ADD FOREIGN KEY holds SHARE ROW EXCLUSIVE on both tables until each row has been looked up.",
        "ADD CONSTRAINT … FOREIGN KEY … NOT VALID; VALIDATE CONSTRAINT in the next file",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users;
""",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users NOT VALID;
-- next file
ALTER TABLE orders VALIDATE CONSTRAINT orders_user;
""",
    ),
    LintRule(
        "partition-scans",
        "blocks",
        _E,
        "a partition's bounds make a table be read while nobody may read or write",
        "ATTACH PARTITION reads the table that is attached, and a new partition the default one, under ACCESS "
        "EXCLUSIVE, unless a valid CHECK has proven that no row is in the way.",
        "first ADD CONSTRAINT … CHECK with the bounds NOT VALID, and VALIDATE it in the next file; then attach",
        """\
ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
""",
        """\
ALTER TABLE events_2025 ADD CONSTRAINT events_2025_day
    CHECK (day >= DATE '2025-01-01' AND day < DATE '2026-01-01') NOT VALID;
-- next file
ALTER TABLE events_2025 VALIDATE CONSTRAINT events_2025_day;
-- next file
ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
""",
        """\
CREATE TABLE events (day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE events_2025 (day date NOT NULL);
""",
    ),
    LintRule(
        "domain-scans",
        "blocks",
        _E,
        "a domain's constraint reads every table that uses it while nobody may write",
        "Each table with a column of the domain is read under SHARE; VALIDATE CONSTRAINT of a domain does so as well.",
        "ADD CONSTRAINT … NOT VALID holds for new values; or put the CHECK on the table, where VALIDATE stops nobody",
        """\
ALTER DOMAIN grade ADD CONSTRAINT grade_range CHECK (VALUE > 0);
""",
        """\
ALTER DOMAIN grade ADD CONSTRAINT grade_range CHECK (VALUE > 0) NOT VALID;
""",
        """\
CREATE DOMAIN grade AS integer;
ALTER TABLE users ADD COLUMN level grade;
""",
    ),
    LintRule(
        "table-scanned",
        "blocks",
        _E,
        "a table is read as a whole while nobody may write to it",
        "The statement reads each row under a lock that stops writers.",
        "do it in steps of which none reads and locks",
        """\
DO $$ BEGIN ALTER TABLE orders ALTER COLUMN user_id SET NOT NULL; END $$;
""",
        """\
DO $$ BEGIN ALTER TABLE orders ALTER COLUMN user_id SET DEFAULT 0; END $$;
""",
    ),
    LintRule(
        "validated-at-once",
        "blocks",
        _E,
        "NOT VALID and VALIDATE are in one transaction",
        "VALIDATE stops nobody, but the lock of ADD CONSTRAINT is held until the commit, and so all the while.",
        "move VALIDATE CONSTRAINT into the next file",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_total;
""",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
-- next file
ALTER TABLE orders VALIDATE CONSTRAINT orders_total;
""",
    ),
    LintRule(
        "lock-held",
        "blocks",
        _E,
        "a strong lock is held over a slow statement",
        "A lock is held until the commit: what is slow behind it in the same file keeps others waiting.",
        "move one of the two into a file of its own",
        """\
ALTER TABLE users ADD COLUMN nick text;
INSERT INTO orders (id, placed) SELECT id, '2025-01-01' FROM orders;
""",
        """\
ALTER TABLE users ADD COLUMN nick text;
-- next file
INSERT INTO orders (id, placed) SELECT id, '2025-01-01' FROM orders;
""",
    ),
    LintRule(
        "rows-changed-at-once",
        "blocks",
        _E,
        "many rows are changed in one transaction",
        "Each row that is changed stays locked until the commit, and its old version cannot be cleaned up meanwhile.",
        "change them in batches, each in a transaction of its own",
        """\
UPDATE orders SET state = 'open' WHERE state IS NULL;
""",
        """\
UPDATE orders SET state = 'open' WHERE id = 7;
""",
    ),
    LintRule(
        "data-with-schema",
        "blocks",
        _W,
        "rows and schema are changed in one transaction",
        "The rows stay locked while the schema's lock is waited for, and both until the commit.",
        "move the change of rows into a file of its own",
        """\
INSERT INTO orders (id, placed) SELECT id, '2025-01-01' FROM users;
ALTER TABLE users ADD COLUMN nick text;
""",
        """\
INSERT INTO orders (id, placed) SELECT id, '2025-01-01' FROM users;
-- next file
ALTER TABLE users ADD COLUMN nick text;
""",
    ),
    LintRule(
        "tables-locked-together",
        "blocks",
        _W,
        "one transaction locks one table behind another",
        "While it waits for the second, nobody gets at the first; and whoever takes them in the other order deadlocks.",
        "a file for each table",
        """\
ALTER TABLE users ADD COLUMN nick text;
ALTER TABLE orders ADD COLUMN note text;
""",
        """\
ALTER TABLE users ADD COLUMN nick text;
-- next file
ALTER TABLE orders ADD COLUMN note text;
""",
    ),
    LintRule(
        "lock-timeout-lifted",
        "blocks",
        _W,
        "a file waits for locks for ever",
        "A statement that waits for a strong lock keeps all others waiting behind it.",
        "remove it: wflo-schema sets a lock timeout, and tries again",
        """\
SET LOCAL lock_timeout = 0;
ALTER TABLE users ADD COLUMN nick text;
""",
        """\
SET LOCAL lock_timeout = '2s';
ALTER TABLE users ADD COLUMN nick text;
""",
    ),
    LintRule(
        "undecided",
        "blocks",
        _U,
        "what it does depends on rows",
        "The rehearsal has none, so what this does in production was not seen.",
        "write plain statements; or look at what it does, and -- lint: allow undecided because …",
        """\
DO $$ BEGIN IF EXISTS (SELECT FROM orders) THEN ALTER TABLE orders ADD COLUMN note text; END IF; END $$;
""",
        """\
DO $$ BEGIN ALTER TABLE orders ADD COLUMN note text; END $$;
""",
    ),
    LintRule(
        "not-rehearsed",
        "blocks",
        _U,
        "it was not rehearsed",
        "It acts outside of its database, so a rehearsal refuses it; what it and those behind it do was not seen.",
        "--allow-outside, where the server of the scratch databases is there for this alone",
        """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid();
""",
        """\
SELECT count(*) FROM pg_stat_activity;
""",
    ),
    LintRule(
        "refused-on-rows",
        "fails",
        _E,
        "PostgreSQL refuses it as soon as there is a row",
        "On empty tables it passes, so no test shows it.",
        "give the column a default; or add it without NOT NULL, fill it, and set NOT NULL later",
        """\
ALTER TABLE users ADD COLUMN country text NOT NULL;
""",
        """\
ALTER TABLE users ADD COLUMN country text NOT NULL DEFAULT 'at';
""",
    ),
    LintRule(
        "statement-refused",
        "fails",
        _E,
        "PostgreSQL refuses it",
        "In the rehearsal, at the schema as it would be then, the statement failed; what follows it was not tried.",
        "correct it",
        """\
ALTER TABLE users ADD COLUMN email text;
""",
        """\
ALTER TABLE users ADD COLUMN IF NOT EXISTS email text;
""",
    ),
    LintRule(
        "file-refused",
        "fails",
        _E,
        "the file cannot be run",
        "migrate refuses it before it runs anything.",
        "what the message says",
        """\
CREATE INDEX CONCURRENTLY orders_state ON orders (state);
""",
        """\
-- transactional: false
CREATE INDEX CONCURRENTLY orders_state ON orders (state);
""",
    ),
    LintRule(
        "renamed",
        "breaks",
        _N,
        "a name that is in use is another one afterwards",
        "Until each copy of the application is replaced, the old version asks for the old name, and the new one may "
        "ask too early for the new name.",
        "keep both: add the new one, fill both, change the application, and drop the old one after the deploy; a "
        "view may bear a table's old name",
        """\
ALTER TABLE users RENAME COLUMN name TO full_name;
""",
        """\
ALTER TABLE users RENAME CONSTRAINT users_pkey TO users_key;
""",
    ),
    LintRule(
        "dropped",
        "breaks",
        _N,
        "what is in use is gone afterwards",
        "Until each copy of the application is replaced, the old version asks for it; and what was in it is lost.",
        "drop it once no version of the application uses it, in a file with -- phase: after-deploy",
        """\
ALTER TABLE users DROP COLUMN born;
""",
        """\
CREATE TABLE notes (id bigint, text text);
DROP TABLE notes;
""",
    ),
    LintRule(
        "cascade",
        "loses",
        _W,
        "CASCADE takes other things along",
        "Whatever depends on it goes too, named or not: views, foreign keys, and with TRUNCATE all rows of others.",
        "name each thing that is to go, and leave CASCADE out",
        """\
DROP TABLE users CASCADE;
""",
        """\
DROP VIEW emails;
DROP TABLE users;
""",
        """\
CREATE VIEW emails AS SELECT email FROM users;
""",
    ),
    LintRule(
        "truncated",
        "loses",
        _N,
        "all rows of a table are removed",
        "TRUNCATE stops readers and writers until the commit, and no rollback file can bring the rows back.",
        "make sure that nobody needs them; DELETE in batches stops nobody",
        """\
TRUNCATE orders;
""",
        """\
CREATE TABLE notes (id bigint);
TRUNCATE notes;
""",
    ),
    LintRule(
        "rollback-refused",
        "loses",
        _E,
        "PostgreSQL refuses the rollback",
        "Rolled back behind the rehearsal, a statement of the rollback file failed.",
        "correct it; or write -- nothing-to-undo: why",
        """\
CREATE TABLE notes (id bigint);
-- its rollback file
DROP TABLE note;
""",
        """\
CREATE TABLE notes (id bigint);
-- its rollback file
DROP TABLE notes;
""",
    ),
    LintRule(
        "rollback-differs",
        "loses",
        _W,
        "the rollback does not take everything back",
        "All were applied and rolled back in the rehearsal, and the catalog is another one than before.",
        "undo it in the rollback file as well; or write -- nothing-to-undo: why, where it may stay",
        """\
CREATE TABLE notes (id bigint);
ALTER TABLE users ADD COLUMN nick text;
-- its rollback file
DROP TABLE notes;
""",
        """\
CREATE TABLE notes (id bigint);
ALTER TABLE users ADD COLUMN nick text;
-- its rollback file
ALTER TABLE users DROP COLUMN nick;
DROP TABLE notes;
""",
    ),
    LintRule(
        "rollback-loses",
        "loses",
        _W,
        "the rollback loses rows",
        "It drops or empties what the migration has not made, or makes again, empty, what the migration drops.",
        "keep what is dropped under another name until nobody will roll back; or write -- nothing-to-undo: why",
        """\
ALTER TABLE users DROP COLUMN born;
-- its rollback file
ALTER TABLE users ADD COLUMN born text;
""",
        """\
ALTER TABLE users RENAME COLUMN born TO born_unused;
-- its rollback file
ALTER TABLE users RENAME COLUMN born_unused TO born;
""",
    ),
    LintRule(
        "cluster-wide",
        "reaches",
        _W,
        "it changes more than this database",
        "Roles, databases, tablespaces and settings of the server belong to every database on it; test databases "
        "and rehearsals leave such statements out or refuse them.",
        "keep it out of the migrations: whoever runs the server does it once",
        """\
CREATE ROLE reader;
""",
        """\
GRANT SELECT ON users TO CURRENT_USER;
""",
    ),
    LintRule(
        "outside-schema",
        "reaches",
        _W,
        "it is about another schema than the target's",
        "The target was named with --schema, and this makes or changes something outside of it.",
        "leave the schema out of the name; or migrate it as a target of its own",
    ),
    LintRule(
        "granted-to-public",
        "reaches",
        _N,
        "a grant is for everybody",
        "PUBLIC is every role of the server, those that are made later as well.",
        "grant it to a role",
        """\
GRANT SELECT ON users TO PUBLIC;
""",
        """\
GRANT SELECT ON users TO CURRENT_USER;
""",
    ),
    LintRule(
        "key-without-index",
        "later",
        _N,
        "a foreign key has no index on its columns",
        "Each DELETE of a row that could be pointed to, and each change of its key, reads the whole table.",
        "CREATE INDEX CONCURRENTLY on the columns, in a file of its own that begins with -- transactional: false",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_of FOREIGN KEY (product_id) REFERENCES products NOT VALID;
""",
        """\
ALTER TABLE orders ADD CONSTRAINT orders_of FOREIGN KEY (user_id) REFERENCES users NOT VALID;
""",
        """\
CREATE TABLE products (id bigint PRIMARY KEY);
ALTER TABLE orders ADD COLUMN product_id bigint;
""",
    ),
    LintRule(
        "index-twice",
        "later",
        _W,
        "an index is there already under another name",
        "Each write keeps both up, and no query gains by the second.",
        "leave it out",
        """\
-- transactional: false
CREATE INDEX CONCURRENTLY orders_by_user ON orders (user_id);
""",
        """\
-- transactional: false
CREATE INDEX CONCURRENTLY orders_by_user ON orders (user_id, placed);
""",
    ),
    LintRule(
        "contract-broken",
        "breaks",
        _E,
        "the contract does not hold once all has run",
        "contract.toml requires something that no migration makes, or that one takes away.",
        "write the migration that makes it; or take it out of the contract, if no application needs it any more",
    ),
    LintRule(
        "json-column",
        "later",
        _N,
        "a column is json",
        "json has no equality: SELECT DISTINCT, UNION and GROUP BY of the column fail, even in queries that exist.",
        "jsonb",
        """\
ALTER TABLE users ADD COLUMN extra json;
""",
        """\
ALTER TABLE users ADD COLUMN extra jsonb;
""",
    ),
    LintRule(
        "small-key",
        "later",
        _N,
        "a primary key counts in integer",
        "It ends at 2,147,483,647, and to make it bigger then means to write the table anew.",
        "bigint",
        """\
CREATE TABLE notes (id serial PRIMARY KEY);
""",
        """\
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
""",
    ),
    LintRule(
        "allowance-unused",
        "files",
        _W,
        "an allowance allows nothing",
        "A comment -- lint: allow … has no such finding to allow where it stands.",
        "remove it",
        """\
-- lint: allow check-scans because it is small
ALTER TABLE users ADD COLUMN nick text;
""",
        """\
-- lint: allow check-scans because it is small
ALTER TABLE users ADD CHECK (age > 0);
""",
    ),
    LintRule(
        "allowance-wrong",
        "files",
        _E,
        "an allowance is not written right",
        "It names no code that there is, or gives no reason; so it allows nothing.",
        "-- lint: allow CODE because REASON",
        """\
-- lint: allow check-scans
ALTER TABLE users ADD CHECK (age > 0);
""",
        """\
-- lint: allow check-scans because it is small
ALTER TABLE users ADD CHECK (age > 0);
""",
    ),
)

SECTIONS = {
    "blocks": "Others would wait",
    "fails": "It would fail",
    "breaks": "An application would break",
    "loses": "Something is lost",
    "reaches": "It reaches further",
    "later": "It costs later",
    "files": "What is written in the files",
}

BY_CODE = {rule.code: rule for rule in RULES}
