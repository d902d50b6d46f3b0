"""The table as it is in the database: its columns, keys, indexes, partitions; and which names are free there.

Hides pg_catalog, and how PostgreSQL itself is asked whether it would take a definition: on an empty copy.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database, database_error, put_schema_first
from wflo_schema.connect.queries import fetch
from wflo_schema.errors import Refused, UsageError, WfloSchemaError
from wflo_schema.names import NAME, NAME_BYTES, bare_name, identifiers, qualified, quote
from wflo_schema.words import listed

# Nobody waits behind us for longer, and we wait for nobody.
_SETTINGS = {
    "lock_timeout": "2s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "row_security": "off",  # rows that are hidden count
}

# Why rows are not counted, by sqlstate.
_UNCOUNTED = {
    "57014": "it took too long",
    "55P03": "the table is locked",
    "42501": "this role may not read all of them",
}

# How far violating rows are counted.
_MOST_ROWS = 10_000

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_PLACE = re.compile(rf"\s*(?P<names>{NAME}(?:\s*\.\s*{NAME})*)(?P<rest>.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, by its names."""

    oid: int
    schema: str
    name: str
    kind: str
    is_partition: bool
    is_visible: bool
    is_here: bool
    has_row_security: bool
    partition_key: str

    @property
    def spelled(self) -> str:
        """As a file names it: with its schema only where that is not the one in which the file runs."""
        return quote(self.name) if self.is_here else self.full

    @property
    def full(self) -> str:
        """With its schema."""
        return qualified(self.schema, self.name)

    def beside(self, name: str) -> str:
        """Spell what is in the same schema."""
        return quote(name) if self.is_here else qualified(self.schema, name)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is there; texts are empty where there is nothing."""

    name: str
    number: int
    type: str
    is_not_null: bool
    not_null_name: str
    is_not_null_valid: bool
    default: str
    generated: str
    identity: str
    collation: str
    sequence: str
    is_inherited: bool
    sequence_options: str = ""
    sequence_type: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table, or a key of another that points to it."""

    name: str
    type: str
    of_oid: int
    to_oid: int
    is_valid: bool
    is_inherited: bool
    definition: str
    index: str
    columns: list[str]
    to_columns: list[str]


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table; ``uses`` are all columns in it, in expressions too."""

    name: str
    is_unique: bool
    is_valid: bool
    is_partial: bool
    has_expressions: bool
    is_immediate: bool
    method: str
    is_of_constraint: bool
    definition: str
    columns: list[str]
    uses: list[str]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a person made."""

    name: str
    is_before_row: bool
    is_on_update: bool
    is_plain: bool
    definition: str


@dataclass(frozen=True, slots=True)
class Below:
    """A table below another."""

    oid: int
    parent: int
    depth: int


@dataclass(frozen=True, slots=True)
class _Dependent:
    column: str
    name: str


@dataclass(frozen=True, slots=True)
class _Name:
    name: str


@dataclass(frozen=True)
class Table:
    """A table and what hangs on it."""

    relation: Relation
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[Index, ...]
    triggers: tuple[Trigger, ...]
    dependents: tuple[tuple[str, str], ...]
    below: tuple[tuple[Relation, Relation], ...]
    """Each table below, and its parent; parents first."""

    @property
    def spelled(self) -> str:
        """As a file names it."""
        return self.relation.spelled

    @property
    def name(self) -> str:
        """Its bare name."""
        return self.relation.name

    @property
    def is_partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.relation.kind == "p"

    @property
    def leaves(self) -> tuple[Relation, ...]:
        """The partitions that hold rows, foreign ones left out."""
        return tuple(one for one, _ in self.below if one.kind == "r")

    @property
    def own(self) -> tuple[Constraint, ...]:
        """Its own constraints."""
        return tuple(c for c in self.constraints if c.of_oid == self.relation.oid)

    @property
    def pointing(self) -> tuple[Constraint, ...]:
        """The foreign keys of others that point to it."""
        return tuple(c for c in self.constraints if c.to_oid == self.relation.oid and c.of_oid != self.relation.oid)

    def column(self, name: str) -> Column:
        """The column of that name.  Raise `UsageError` with the nearest name where there is none."""
        found = {c.name: c for c in self.columns}
        for wish in (bare_name(name), name):
            if wish in found:
                return found[wish]
        raise UsageError(
            f"{self.spelled} has no column {name.strip()}",
            hint=_nearest(bare_name(name), found) or f"its columns are {listed(map(quote, found), 12)}",
        )

    def unused(self, wish: str) -> str:
        """A name that no column has."""
        names = {c.name for c in self.columns}
        return next(n for n in (cut(wish, f"_{k}") for k in range(1, len(names) + 2)) if n not in names)

    def refuse_children(self, why: str) -> None:
        """Raise `Refused` for a table with children that are no partitions."""
        if self.below and not self.is_partitioned:
            children = listed(one.spelled for one, _ in self.below)
            raise Refused(f"other tables inherit from {self.spelled}: {children}", hint=why)

    def key(self) -> tuple[str, ...]:
        """Columns that order all of its rows through an index: of the primary key, else of a unique one; or none."""
        primary = [c.columns for c in self.own if c.type == "p"]
        not_null = {c.name for c in self.columns if c.is_not_null and c.is_not_null_valid}
        unique = [
            i.columns
            for i in self.indexes
            if i.is_unique and i.is_valid and i.is_immediate and not i.is_partial and not i.has_expressions
            and i.method == "btree" and not_null.issuperset(i.columns)
        ]  # fmt: skip
        return tuple(next(iter((*primary, *sorted(unique, key=len))), ()))


def _nearest(wish: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(wish.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    meant = next((n for n in names if near and n.lower() == near[0]), None)
    return f"did you mean {quote(meant)}?" if meant is not None else ""


class Live:
    """A connection to the database, and what was read through it."""

    def __init__(self, connection: psycopg.Connection[TupleRow], label: str) -> None:
        self.connection = connection
        self.label = label
        self.version = connection.info.server_version
        self._taken: dict[str, set[str]] = {}
        self._catalog: Catalog | None = None
        self.used: list[Relation] = []
        """The tables that were looked at."""
        relations = fetch(connection, Relation, "recipes", "relations", {})
        self._relations = {one.oid: one for one in relations}

    def place(self, written: str) -> tuple[Table, tuple[str, ...]]:
        """The table of ``table.column``, ``schema.table.column`` or ``table.(a, b)``, and the columns."""
        found = _PLACE.match(written)
        names = re.findall(NAME, found["names"]) if found else []
        rest = found["rest"].strip() if found else ""
        if found and (inner := re.match(r"\.\s*\((?P<list>.*)\)\Z", rest, re.DOTALL)):
            wished = inner["list"].split(",")
        elif len(names) >= 2 and (not rest or rest.startswith(",")):
            wished, names = [names[-1], *rest.split(",")[1:]], names[:-1]
        else:
            raise UsageError(
                f"{written!r} does not name a column", hint="write TABLE.COLUMN, or TABLE.(A, B) for several"
            )
        table = self.table(".".join(names))
        return table, tuple(table.column(one.strip()).name for one in wished)

    def one_column(self, written: str) -> tuple[Table, Column]:
        """The table and the one column of ``table.column``."""
        table, names = self.place(written)
        if len(names) > 1:
            raise UsageError(f"{written} names {len(names)} columns, and this takes one", hint="once for each")
        return table, table.column(names[0])

    def split(self, written: str) -> tuple[Table, str]:
        """The table and the name of ``table.name``, where the name need not be there."""
        found = _PLACE.match(written)
        names = re.findall(NAME, found["names"]) if found and not found["rest"].strip() else []
        if len(names) < 2:
            raise UsageError(f"{written!r} does not name a column", hint="write TABLE.COLUMN")
        return self.table(".".join(names[:-1])), bare_name(names[-1])

    def table(self, written: str) -> Table:
        """The table of that name.  Raise `UsageError` with the nearest name where there is none."""
        found = _PLACE.match(written)
        names = re.findall(NAME, found["names"]) if found and not found["rest"].strip() else []
        if not 1 <= len(names) <= 2:
            raise UsageError(f"{written!r} is not the name of a table", hint="write TABLE, or SCHEMA.TABLE")
        for ways in ([{bare_name(n)} for n in names], [{bare_name(n), n} for n in names]):
            fits = [
                r
                for r in self._relations.values()
                if r.name in ways[-1] and (r.schema in ways[0] if len(names) == 2 else r.is_visible)
            ]
            if fits:
                break
        else:
            wish = bare_name(names[-1])
            known = [
                r.name if r.is_visible else f"{r.schema}.{r.name}" for r in self._relations.values() if r.kind in "rp"
            ]
            elsewhere = [r.full for r in self._relations.values() if r.name == wish and r.kind in "rp"]
            hint = f"did you mean {elsewhere[0]}?" if elsewhere else _nearest(wish, known)
            raise UsageError(
                f"there is no table {written.strip()} in {self.label}",
                hint=hint
                or (f"its tables are {listed(known, 12)}" if known else "apply the migration that makes it first"),
            )
        if fits[0].kind in _KINDS:
            raise UsageError(f"{fits[0].spelled} is {_KINDS[fits[0].kind]}, and this is for a table")
        return self._read(fits[0])

    def catalog(self) -> Catalog:
        """All of the database, with privileges; read once."""
        if self._catalog is None:
            self._catalog = read_catalog(self.connection, privileges=True)
        return self._catalog

    def relation(self, oid: int) -> Relation:
        """A table by its number."""
        return self._relations[oid]

    def of(self, relation: Relation) -> Table:
        """All of a table."""
        return self._read(relation)

    def _read(self, relation: Relation) -> Table:
        c, parameters = self.connection, {"oid": relation.oid}
        self.used.append(relation)
        dependents = fetch(c, _Dependent, "recipes", "dependents", parameters)
        below = fetch(c, Below, "recipes", "tree", parameters)
        return Table(
            relation,
            fetch(c, Column, "recipes", "columns", parameters),
            fetch(c, Constraint, "recipes", "constraints", parameters),
            fetch(c, Index, "recipes", "indexes", parameters),
            fetch(c, Trigger, "recipes", "triggers", parameters),
            tuple((d.column, d.name) for d in dependents),
            tuple((self._relations[b.oid], self._relations[b.parent]) for b in below),
        )

    # names

    def free(self, wish: str, schema: str) -> str:
        """A name that nothing has in the schema, the one wished for where it is free; it is taken from now on."""
        if schema not in self._taken:
            self._taken[schema] = {
                n.name for n in fetch(self.connection, _Name, "recipes", "taken", {"schema": schema})
            }
        taken = self._taken[schema]
        name = cut(wish)
        number = 0
        while name in taken:
            number += 1
            name = cut(wish, str(number))
        taken.add(name)
        return name

    def chosen(self, wish: str, default: str, schema: str) -> str:
        """The name that was asked for, which must be free, or one made of the default."""
        if not wish:
            return self.free(default, schema)
        name = bare_name(wish) if re.fullmatch(NAME, wish) else wish
        if len(name.encode()) > NAME_BYTES:
            raise UsageError(f"the name {name} has more than {NAME_BYTES} bytes", hint="PostgreSQL would cut it off")
        if (free := self.free(name, schema)) != name:
            raise UsageError(
                f"the name {quote(name)} is taken in the schema {quote(schema)}", hint=f"take --name {quote(free)}"
            )
        return name

    # asking PostgreSQL

    @contextmanager
    def copies(self, *tables: Table, with_indexes: bool = False) -> Iterator[psycopg.Connection[TupleRow]]:
        """Empty copies of the tables, under their names, in a transaction that is rolled back.

        Raise `UsageError` for what PostgreSQL refuses there.
        """
        try:
            with self.connection.transaction(force_rollback=True):
                for name, one in dict(zip(copy_names(*tables), tables, strict=True)).items():
                    indexes = " INCLUDING INDEXES" if with_indexes else ""
                    like = f"(LIKE {one.relation.full} INCLUDING GENERATED INCLUDING DEFAULTS{indexes})"
                    self.connection.execute(f"CREATE TEMPORARY TABLE {quote(name)} {like}".encode())
                yield self.connection
        except psycopg.Error as error:
            said = error.diag.message_primary or str(error)
            hint = error.diag.message_hint or error.diag.message_detail or ""
            raise UsageError(f"PostgreSQL does not take it: {said}", hint=hint) from None

    def constraint(self, statement: str, *tables: Table) -> tuple[str, str]:
        """Name and definition of the constraint that a statement adds to a copy of the first table."""
        before = "SELECT con.oid FROM pg_catalog.pg_constraint AS con WHERE con.conrelid = %s::regclass"
        made = (
            "SELECT con.conname::text, pg_catalog.pg_get_constraintdef(con.oid) FROM pg_catalog.pg_constraint AS con"
            " WHERE con.conrelid = %s::regclass AND con.oid <> ALL (%s) AND con.contype <> 'n'"
        )
        place = f"pg_temp.{quote(tables[0].name)}"
        with self.copies(*tables, with_indexes=len(tables) > 1) as connection:
            there = [oid for (oid,) in connection.execute(before, (place,))]
            connection.execute(statement.encode(), binary=True)  # one statement only
            row = connection.execute(made, (place, there)).fetchone()
        if row is None:
            raise UsageError(f"that makes no constraint: {statement}")
        return row[0], row[1]

    def index(self, statement: str, table: Table) -> tuple[str, str]:
        """Name and definition of the index that a statement makes on a copy; the definition begins at USING."""
        before = "SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = %s::regclass"
        made = (
            "SELECT c.relname::text, pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index AS i"
            " JOIN pg_catalog.pg_class AS c ON (c.oid = i.indexrelid)"
            " WHERE i.indrelid = %s::regclass AND i.indexrelid <> ALL (%s)"
        )
        place = f"pg_temp.{quote(table.name)}"
        with self.copies(table) as connection:
            there = [oid for (oid,) in connection.execute(before, (place,))]
            connection.execute(statement.encode(), binary=True)  # one statement only
            row = connection.execute(made, (place, there)).fetchone()
        assert row is not None
        return row[0], behind_table(row[1])

    def rewrites(self, table: Table, actions: str) -> bool:
        """Would ALTER TABLE with these actions copy the table?"""
        node = "SELECT pg_catalog.pg_relation_filenode(%s::regclass)"
        place = (f"pg_temp.{quote(table.name)}",)
        with self.copies(table) as connection:
            before = connection.execute(node, place).fetchone()
            connection.execute(f"ALTER TABLE {quote(table.name)} {actions}".encode(), binary=True)
            return connection.execute(node, place).fetchone() != before

    def has_equality(self, of_type: str) -> bool:
        """Has a type an operator that tells whether two values are the same?"""
        try:
            with self.copies() as connection:
                connection.execute(f"SELECT NULL::{of_type} IS DISTINCT FROM NULL::{of_type}".encode(), binary=True)
        except UsageError:
            return False
        return True

    def is_assigned(
        self, table: Table, expression: str, of_type: str, *, always: bool = False, after: str = ""
    ) -> bool:
        """May an expression be assigned to a column of that type?  ``always``: and is it the same each time?

        ``after``: once the table was altered so.
        """
        column, place = quote(table.unused("assigned")), quote(table.name)
        made = f"GENERATED ALWAYS AS ({expression}) STORED" if always else ""
        try:
            with self.copies(table) as connection:
                if after:
                    connection.execute(f"ALTER TABLE {place} {after}".encode(), binary=True)
                connection.execute(f"ALTER TABLE {place} ADD {column} {of_type} {made}".encode(), binary=True)
                if not always:
                    connection.execute(f"UPDATE {place} SET {column} = {expression}".encode(), binary=True)
        except UsageError:
            return False
        return True

    def bound(self, table: Table, how: str, keys: Sequence[str], until: str) -> str:
        """The upper bound of a partition as a constant; empty where there is none.

        Raise `UsageError` where PostgreSQL does not partition a table so.
        """
        whole, part = ("pg_temp.partitioned", "pg_temp.partition")
        asks = "SELECT pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM pg_catalog.pg_class AS c WHERE c.oid = "
        with self.copies() as connection:
            like = f"CREATE TABLE {whole} (LIKE {table.relation.full}) PARTITION BY {how} ({identifiers(keys)})"
            connection.execute(like.encode(), binary=True)
            if not until:
                return ""
            made = f"CREATE TABLE {part} PARTITION OF {whole} FOR VALUES FROM (MINVALUE) TO ({until})"
            connection.execute(made.encode(), binary=True)
            row = connection.execute(f"{asks} '{part}'::regclass".encode()).fetchone()
        assert row is not None
        return str(row[0]).partition(" TO (")[2].removesuffix(")")

    def misfits(self, table: Table, expression: str, of_type: str) -> tuple[str, ...]:
        """A note of the first row for which a column of that type cannot take an expression; none where all fit."""
        code = f"DECLARE one {of_type}; BEGIN FOR one IN SELECT {expression} FROM {table.spelled} LOOP END LOOP; END"
        tag = "misfits"
        while f"${tag}$" in code:
            tag += "_"
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(f"DO ${tag}${code}${tag}$".encode())
        except psycopg.Error as error:
            said = error.diag.message_primary or ""
            if not (error.sqlstate or "").startswith("22"):
                why = _UNCOUNTED.get(error.sqlstate or "", said)
                return (f"whether {of_type} takes all values that are there was not seen: {why}",)
            fails = "until that is mended, the second file fails, and so does whoever writes such a row after the first"
            return (f"{of_type} does not take all values that are there: {said}; {fails}",)
        return ()

    def retyped(self, table: Table, column: str, action: str) -> tuple[str, bool]:
        """The type that a column has after ALTER TABLE with this action, and whether nothing is rewritten for it."""
        with self.copies(table, with_indexes=True) as connection:
            before = self._nodes(table)
            connection.execute(f"ALTER TABLE {quote(table.name)} {action}".encode(), binary=True)
            row = connection.execute(
                "SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute AS a"
                " WHERE a.attrelid = %s::regclass AND a.attname = %s",
                (f"pg_temp.{quote(table.name)}", column),
            ).fetchone()
            assert row is not None
            return row[0], self._nodes(table) == before

    def is_free_after(self, table: Table, first: str, then: str) -> bool:
        """Is nothing rewritten for a second action of ALTER TABLE, once the first is done?"""
        with self.copies(table, with_indexes=True) as connection:
            connection.execute(f"ALTER TABLE {quote(table.name)} {first}".encode(), binary=True)
            before = self._nodes(table)
            connection.execute(f"ALTER TABLE {quote(table.name)} {then}".encode(), binary=True)
            return self._nodes(table) == before

    def _nodes(self, table: Table) -> set[int]:
        """The files of a copy and of its indexes."""
        query = (
            "SELECT pg_catalog.pg_relation_filenode(c.oid) FROM pg_catalog.pg_class AS c WHERE c.oid = %s::regclass"
            " OR c.oid IN (SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = %s::regclass)"
        )
        place = f"pg_temp.{quote(table.name)}"
        return {node for (node,) in self.connection.execute(query, (place, place))}

    def offending(self, query: str, what: str, *, fails: str = "the last file") -> tuple[str, ...]:
        """A note of how many rows a query finds; none where it finds none."""
        try:
            text = f"SELECT pg_catalog.count(*) FROM ({query} LIMIT {_MOST_ROWS + 1}) AS rows"
            row = self.connection.execute(text.encode()).fetchone()
        except psycopg.Error as error:
            if error.sqlstate in _UNCOUNTED:
                why = _UNCOUNTED[error.sqlstate]
                return (f"the rows were not counted, {why}; see whether there are {what}: {query};",)
            raise database_error(error, "counting rows") from error
        count = row[0] if row else 0
        if not count:
            return ()
        many = f"more than {_MOST_ROWS}" if count > _MOST_ROWS else str(count)
        have, they = ("row has", "that is") if count == 1 else ("rows have", "they are")
        shown = query.replace("SELECT FROM", "SELECT * FROM", 1)
        return (f"{many} {have} {what}, and {fails} fails until {they} mended: {shown};",)


def behind_table(definition: str) -> str:
    """The definition of an index behind the name of its table: ``USING btree (a)``."""
    name = rf"{NAME}(?:\.{NAME})?"
    found = re.match(rf"CREATE (?:UNIQUE )?INDEX {NAME} ON (?:ONLY )?{name} (?P<rest>.*)\Z", definition, re.DOTALL)
    assert found is not None, definition
    return found["rest"]


def copy_names(*tables: Table) -> tuple[str, ...]:
    """What the copies of tables are called: as these, but for a second table of one name in another schema."""
    first: dict[str, int] = {}
    return tuple(
        t.name if first.setdefault(t.name, t.relation.oid) == t.relation.oid else cut(t.name, "_other") for t in tables
    )


def made_name(table: str, column: str, kind: str) -> str:
    """The name that PostgreSQL makes of these: the longer of both is cut until all fits (makeObjectName)."""
    first, second = table.encode(), column.encode()
    while len(first) + len(second) + len(kind) + 2 > NAME_BYTES:
        first, second = (first[:-1], second) if len(first) > len(second) else (first, second[:-1])
    return "_".join((*(part.decode("utf-8", "ignore") for part in (first, second)), kind))


def cut(name: str, end: str = "") -> str:
    """The name as long as one may be, with an end that stays whole."""
    return name.encode()[: NAME_BYTES - len(end.encode())].decode("utf-8", "ignore") + end


@contextmanager
def opened(database: Database) -> Iterator[Live]:
    """Connect and read which tables there are.  Raise `DatabaseError` where the server refuses."""
    with database.connect() as connection:
        try:
            for name, value in _SETTINGS.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, FALSE)", (name, value))
            put_schema_first(connection, database.schema)
            yield Live(connection, database.label)
        except WfloSchemaError:
            raise
        except psycopg.Error as error:
            raise database_error(error, "reading the table for a recipe") from error


def column_list(names: Sequence[str]) -> str:
    """Columns in brackets."""
    return f"({identifiers(names)})"
