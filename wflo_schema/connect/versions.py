"""What differs between PostgreSQL's major versions, each difference once, with the version that brought it.

The query files are written for the newest server; `rewrite` swaps what an older one does not know.  Code asks
`Change.is_in`.  A column that a new version brings needs one `Change` here, and a place in its query.
"""

from __future__ import annotations

import re
from typing import Final, LiteralString


class Change:
    """What a major version brought.

    ``columns``: a column of the catalogs → what stands for it on an older server; {t} is its table there.
    ``fragments``: a piece of the query files → what stands for it on an older server.
    """

    __slots__ = ("columns", "fragments", "means", "since")

    def __init__(
        self,
        since: int,
        means: str,
        *,
        columns: dict[LiteralString, LiteralString] | None = None,
        fragments: dict[LiteralString, LiteralString] | None = None,
    ) -> None:
        self.since: Final = since
        self.means: Final = means
        self.columns: Final = columns or {}
        self.fragments: Final = fragments or {}

    def is_in(self, server_version: int) -> bool:
        """Whether a server has it; ``server_version`` is libpq's number (180006)."""
        return server_version >= self.since * 10000


# Those that code asks for.
NOT_NULL_CONSTRAINTS = Change(18, "NOT NULL is a constraint with a name, and can be NOT VALID")
NOT_VALID_KEYS_OF_PARTITIONED = Change(18, "a foreign key of a partitioned table can be added NOT VALID")
FILE_COPY_METHOD = Change(18, "the setting file_copy_method: CREATE DATABASE can clone files")
SET_EXPRESSION = Change(17, "the expression of a generated column can be set")
TRANSACTION_TIMEOUT = Change(17, "the setting transaction_timeout")
IDENTITY_OF_PARTITIONS = Change(17, "a partition has its identity columns from its parent")
STORAGE_DEFAULT = Change(16, "SET STORAGE DEFAULT")
FOREIGN_SERVER_WAIT = Change(16, "statement_timeout ends the wait of postgres_fdw for a server that does not answer")
UNLOGGED_SEQUENCES = Change(15, "sequences can be UNLOGGED, and are where their table is")
CREATE_DATABASE_STRATEGY = Change(15, "CREATE DATABASE … STRATEGY")
TRIGGERS_OF_PARTITIONED = Change(
    15,
    "a foreign key has triggers on partitioned tables too, not on their partitions only; on an older server"
    " it takes an UPDATE that moves a row to another partition for a DELETE",
    # two on the referencing table, two on the referenced one: a key with a parent has only those of one side
    fragments={
        "CASE con.conparentid WHEN 0 THEN 4 ELSE 2 END": """(
            SELECT 2 * (c.relkind = 'r' AND up.conrelid IS DISTINCT FROM con.conrelid)::integer
                + 2 * (rc.relkind = 'r' AND COALESCE(up.conrelid, con.conrelid) = con.conrelid)::integer
            FROM (SELECT) AS one
            LEFT JOIN pg_catalog.pg_constraint AS up ON (up.oid = con.conparentid))"""
    },
)

# The newest first: what one version renamed, an older one may lack.
CHANGES: tuple[Change, ...] = (
    NOT_NULL_CONSTRAINTS,
    NOT_VALID_KEYS_OF_PARTITIONED,
    FILE_COPY_METHOD,
    Change(18, "constraints can be NOT ENFORCED", columns={"conenforced": "true"}),
    Change(18, "foreign keys can hold for a PERIOD", columns={"conperiod": "false"}),
    Change(18, "generated columns can be published", columns={"pubgencols": "'n'"}),
    SET_EXPRESSION,
    TRANSACTION_TIMEOUT,
    IDENTITY_OF_PARTITIONS,
    Change(
        17,
        "the builtin locale provider, so that the locale's name is no longer ICU's alone",
        columns={"colllocale": "{t}.colliculocale", "datlocale": "{t}.daticulocale"},
    ),
    STORAGE_DEFAULT,
    Change(16, "collations can have ICU rules", columns={"collicurules": "NULL::text", "daticurules": "NULL::text"}),
    FOREIGN_SERVER_WAIT,
    UNLOGGED_SEQUENCES,
    CREATE_DATABASE_STRATEGY,
    TRIGGERS_OF_PARTITIONED,
    Change(
        15,
        "a database can have ICU's locale",
        columns={"colliculocale": "NULL::text", "daticulocale": "NULL::text", "datlocprovider": "NULL::text"},
    ),
    Change(
        15,
        "a database remembers the version of its collations",
        fragments={"pg_catalog.pg_database_collation_actual_version(d.oid)": "NULL::text"},
    ),
    Change(15, "NULLs can count as equal in a unique index", columns={"indnullsnotdistinct": "false"}),
    Change(15, "ON DELETE SET NULL and SET DEFAULT of some columns", columns={"confdelsetcols": "NULL::smallint[]"}),
    Change(
        15,
        "a trigger that a partition has from its parent is a user's, before it is called internal",
        fragments={"NOT tg.tgisinternal": "(NOT tg.tgisinternal OR tg.tgparentid <> 0)"},
    ),
    Change(
        15,
        "some rows or columns of a table can be published, and whole schemas",
        columns={"prattrs": "NULL::int2vector", "prqual": "NULL::pg_node_tree"},
        fragments={
            "FROM pg_catalog.pg_publication_namespace AS ps": "FROM (SELECT 0::oid, 0::oid) AS ps(pnpubid, pnnspid)"
        },
    ),
)


def rewrite(query: LiteralString, server_version: int) -> LiteralString:
    """Give a query file, which is written for the newest server, as a server of this version understands it."""
    for change in CHANGES:
        if change.is_in(server_version):
            continue
        for column, older in change.columns.items():
            query = re.sub(rf"\b(\w+)\.{column}\b", older.replace("{t}", r"\1"), query)
        for newer, older in change.fragments.items():
            query = query.replace(newer, older)
    return query


# What a person can set on a column, a table, a view or an index, as the manual lists it for these servers.  Nothing
# else counts: PostgreSQL keeps notes of its own there (15.20: pg_attver, another number for every column made).
_COLUMN_OPTIONS = "n_distinct|n_distinct_inherited"
_RELATION_OPTIONS = "|".join(
    """autosummarize autovacuum_[a-z_]+ buffering check_option deduplicate_items fastupdate fillfactor
    gin_pending_list_limit log_autovacuum_min_duration pages_per_range parallel_workers security_barrier
    security_invoker toast_tuple_target user_catalog_table vacuum_[a-z_]+""".split()
)
_OPTIONS_KNOWN_BELOW = 190000

# Which options count where no list is known: on a newer server, and for the access methods of extensions.
_NOT_INTERNAL = "^(?!pg_)"


def options_that_count(server_version: int) -> dict[str, str]:
    """Parameters of the catalog's queries: regular expressions for the options that a person sets."""
    is_known = server_version < _OPTIONS_KNOWN_BELOW
    return {
        "column_options": f"^({_COLUMN_OPTIONS})=" if is_known else _NOT_INTERNAL,
        "relation_options": f"^({_RELATION_OPTIONS})=" if is_known else _NOT_INTERNAL,
        "other_options": _NOT_INTERNAL,
    }
