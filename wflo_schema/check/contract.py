"""What a contract requires of a database, as values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from wflo_schema.catalog import keys
from wflo_schema.catalog.keys import NOT_DEFERRABLE, Paired, key_columns
from wflo_schema.findings import Location
from wflo_schema.names import qualified, quote

ACTIONS = tuple(keys.ACTIONS.values())
MATCHES = ("SIMPLE", "FULL")


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A table's name.  ``schema`` is None where that of the whole contract counts."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return qualified(self.schema, self.name) if self.schema else quote(self.name)


@dataclass(frozen=True, slots=True)
class RequiredTable:
    """A table that must be there as an ordinary or partitioned table.  ``line`` does not count for equality."""

    name: Name
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredKey(Paired):
    """A foreign key that must be there and enforced.

    ``columns`` and ``to_columns`` belong together pairwise.  ``name`` is None where any name will
    do.  ``set_columns`` are those of ``ON DELETE SET NULL (…)``.  ``period`` says that the last
    column is a PERIOD.  What the file leaves out is what SQL means by leaving it out: NO ACTION,
    MATCH SIMPLE, NOT DEFERRABLE.
    """

    name: str | None
    table: Name
    columns: tuple[str, ...]
    to_table: Name
    to_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    set_columns: tuple[str, ...] = ()
    on_update: str = "NO ACTION"
    match: str = "SIMPLE"
    deferrable: str = NOT_DEFERRABLE
    period: bool = False
    line: int = field(default=0, compare=False)

    @property
    def source(self) -> str:
        """``table(columns)``."""
        return f"{self.table}({key_columns(self.columns, self.period)})"

    @property
    def target(self) -> str:
        """``table(columns)`` on the referenced side."""
        return f"{self.to_table}({key_columns(self.to_columns, self.period)})"


@dataclass(frozen=True, slots=True)
class RequiredColumn:
    """A column that must be there.  A ``type``, ``default`` or ``is_nullable`` of None is not looked at."""

    table: Name
    name: str
    type: str | None = None
    is_nullable: bool | None = None
    default: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredUnique:
    """Columns that must be unique together, in any order, by a constraint or a plain unique index."""

    name: str | None
    table: Name
    columns: tuple[str, ...]
    is_primary: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredCheck:
    """A check constraint.  ``expression`` is SQL, in any spelling that means the same; None where any will do."""

    name: str
    table: Name
    expression: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredIndex:
    """A valid index on these columns in this order.  ``where`` is SQL, in any spelling that means the same."""

    name: str | None
    table: Name
    columns: tuple[str, ...]
    is_unique: bool = False
    method: str = "btree"
    where: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredDistribution:
    """How Citus must keep a table: in shards on its nodes, or as a reference table whole on each of them.

    ``column`` is the one by which rows go to a shard, None where any will do, or none.  ``shards`` None is not
    looked at.
    """

    table: Name
    column: str | None = None
    is_reference: bool = False
    colocated_with: Name | None = None
    shards: int | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Allowance:
    """A finding that somebody has accepted.

    ``object`` is what the finding calls it, or a pattern as a shell has them.  ``body`` is that of the function
    that the finding rests on, as `findings.body_hash` makes it.
    """

    code: str
    object: str
    reason: str
    body: str | None = None
    line: int = field(default=0, compare=False)
    path: str = field(default="", compare=False)

    @property
    def location(self) -> Location | None:
        """The place in its file, None for what no file says."""
        return Location(self.path, self.line) if self.line else None


@dataclass(frozen=True)
class Contract:
    """Everything that is required, and what is allowed.

    ``path`` and lines are for messages and do not count for equality.
    """

    schema: str | None = None
    tables: tuple[RequiredTable, ...] = ()
    foreign_keys: tuple[RequiredKey, ...] = ()
    columns: tuple[RequiredColumn, ...] = ()
    uniques: tuple[RequiredUnique, ...] = ()
    checks: tuple[RequiredCheck, ...] = ()
    indexes: tuple[RequiredIndex, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    is_schema_distributed: bool = False
    """Whether the schema must be one of Citus's distributed schemas, which keeps a tenant's tables on one node."""
    distributions: tuple[RequiredDistribution, ...] = ()
    production: tuple[str, ...] = ()
    """Databases that are production's: ``DATABASE`` or ``HOST/DATABASE``, as patterns of a shell."""
    path: str = field(default="contract.toml", compare=False)

    @property
    def names(self) -> tuple[Name, ...]:
        """Every table that is named anywhere, once, in the order of the file."""
        found: dict[Name, None] = {}
        for table in self.tables:
            found.setdefault(table.name)
        for key in self.foreign_keys:
            found.setdefault(key.table)
            found.setdefault(key.to_table)
        for group in (self.columns, self.uniques, self.checks, self.indexes):
            for item in group:
                found.setdefault(item.table)
        for one in self.distributions:
            found.setdefault(one.table)
            if one.colocated_with is not None:
                found.setdefault(one.colocated_with)
        return tuple(found)

    def without_schema(self) -> Contract:
        """The same for whichever schema it is held to: what it has in its own schema is named without it."""
        if self.schema is None:
            return self

        def bare(name: Name) -> Name:
            return Name(name.name) if name.schema == self.schema else name

        return replace(
            self,
            schema=None,
            tables=tuple(replace(t, name=bare(t.name)) for t in self.tables),
            foreign_keys=tuple(replace(k, table=bare(k.table), to_table=bare(k.to_table)) for k in self.foreign_keys),
            columns=tuple(replace(c, table=bare(c.table)) for c in self.columns),
            uniques=tuple(replace(u, table=bare(u.table)) for u in self.uniques),
            checks=tuple(replace(c, table=bare(c.table)) for c in self.checks),
            indexes=tuple(replace(i, table=bare(i.table)) for i in self.indexes),
            distributions=tuple(
                replace(d, table=bare(d.table), colocated_with=d.colocated_with and bare(d.colocated_with))
                for d in self.distributions
            ),
        )

    @property
    def is_about_citus(self) -> bool:
        """Whether it says of anything how Citus must keep it."""
        return self.is_schema_distributed or bool(self.distributions)

    @cached_property
    def listed(self) -> frozenset[Name]:
        """The tables that are required for themselves, and not only named by a key or a column."""
        return frozenset(t.name for t in self.tables)

    def location(self, line: int) -> Location | None:
        """The place in the file, None for what no file says."""
        return Location(self.path, line) if line else None
