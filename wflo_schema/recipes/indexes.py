"""Indexes, and the constraints that one carries: built while everybody writes, by partition where it must be."""

from __future__ import annotations

import re
from dataclasses import replace

from wflo_schema.errors import Refused
from wflo_schema.names import NAME, quote
from wflo_schema.recipes.live import Constraint, Live, Relation, Table, column_list
from wflo_schema.recipes.values import Answer, Step, Wish
from wflo_schema.words import listed

_WHILE_ALL_WRITE = "Built while everybody writes, which PostgreSQL cannot do in a transaction."
_BY_PARTITION = (
    "PostgreSQL builds no index of a partitioned table CONCURRENTLY: it is made empty, that of each partition is built"
    " while everybody writes, and joined to it."
)


def index(live: Live, wish: Wish) -> Answer:
    """An index."""
    table = live.table(wish.words[0])
    _, definition = live.index(_create(table, wish), table)
    if there := _there(table, definition):
        return there
    return Answer((index_step(live, table, wish.words[1], wish=wish),))


def index_step(live: Live, table: Table, columns: str, *, wish: Wish | None = None, why: str = "") -> Step:
    """The file that builds an index."""
    asked = replace(wish or Wish(()), words=(table.spelled, columns))
    default, definition = live.index(_create(table, asked), table)
    return built(
        live, table, live.chosen(asked.name, default, table.relation.schema), definition, default=default, why=why
    )


def _create(table: Table, wish: Wish, *, is_unique: bool = False) -> str:
    using = f" USING {wish.using}" if wish.using else ""
    where = f" WHERE {wish.where}" if wish.where else ""
    return f"CREATE {'UNIQUE ' if is_unique else ''}INDEX ON {quote(table.name)}{using} ({wish.words[1]}){where}"


def _there(table: Table, definition: str, *, is_unique: bool = False) -> Answer | None:
    """What to say where such an index is there."""
    for one in table.indexes:
        have = re.sub(r"\s+WITH \([^)]*\)", "", one.definition)
        if have.endswith(f" {definition}") and one.is_valid and one.is_unique == is_unique:
            return Answer((), (f"{table.spelled} has it already: the index {quote(one.name)}",))
    return None


def built(
    live: Live, table: Table, name: str, definition: str, *, default: str = "", why: str = "", is_unique: bool = False
) -> Step:
    """The file that builds an index of that name, whose definition begins at USING."""
    of, create = table.relation, "CREATE UNIQUE INDEX" if is_unique else "CREATE INDEX"
    definition = definition.removeprefix("USING btree ")
    chosen, default = name, default or name
    what = f"{'unique ' if is_unique else ''}index {chosen} of {of.spelled}"
    if not table.is_partitioned:
        sql = f"{create} CONCURRENTLY {quote(chosen)} ON {of.spelled} {definition};"
        undo = f"DROP INDEX CONCURRENTLY {of.beside(chosen)};"
        return Step(what, f"{why} {_WHILE_ALL_WRITE}".strip(), sql, undo, alone=True, undo_alone=True)
    names = {of.oid: (of, chosen)}
    lines = [f"{create} {quote(chosen)} ON ONLY {of.spelled} {definition};"]
    joins = []
    for one, parent in table.below:
        if one.kind == "f":
            continue
        own = live.free(_for(default, table.name, one.name), one.schema)
        names[one.oid] = (one, own)
        concurrently, only = ("", "ONLY ") if one.kind == "p" else ("CONCURRENTLY ", "")
        lines.append(f"{create} {concurrently}{quote(own)} ON {only}{one.spelled} {definition};")
        above, above_name = names[parent.oid]
        joins.append(f"ALTER INDEX {above.beside(above_name)} ATTACH PARTITION {one.beside(own)};")
    why = f"{why} {_BY_PARTITION}".strip()
    undo = f"DROP INDEX {of.beside(chosen)};"
    return Step(
        what,
        why,
        "\n".join((*lines, *reversed(joins))),
        undo,
        undo_why="Stops everybody for a moment.",
        alone=True,
        undo_alone=True,
    )


def _for(default: str, table: str, partition: str) -> str:
    """What a partition's index is called, where that of the table has this name by default."""
    return f"{partition}{default.removeprefix(table)}" if default.startswith(table) else f"{partition}_{default}"


def unique(live: Live, wish: Wish) -> Answer:
    """A UNIQUE constraint, or with a condition or an expression a unique index."""
    table = live.table(wish.words[0])
    names = wish.words[1]
    default, definition = live.index(_create(table, wish, is_unique=True), table)
    columns = plain_columns(table, names)
    rows = twice(table, columns or [names], wish.where)
    is_index = bool(wish.where) or columns is None
    if is_index and (there := _there(table, definition, is_unique=True)):
        return there
    notes = live.offending(rows, "a twin", fails="the first file")
    if columns is None or is_index:
        name = live.chosen(wish.name, default, table.relation.schema)
        step = built(live, table, name, definition, default=default, is_unique=True)
        return Answer((step,), notes)
    return constraint(live, table, wish, columns, "UNIQUE", notes)


def plain_columns(table: Table, written: str) -> list[str] | None:
    """The columns that are listed; None where something else is."""
    parts = [p.strip() for p in written.split(",")]
    if not all(re.fullmatch(NAME, p) for p in parts):
        return None
    return [table.column(p).name for p in parts]


def twice(table: Table, columns: list[str], where: str) -> str:
    """The query for values that several rows have."""
    listed_ = ", ".join(quote(c) for c in columns) if columns and "(" not in columns[0] else columns[0]
    filled = f"({listed_}) IS NOT NULL"
    condition = f" WHERE {filled}" + (f" AND ({where})" if where else "")
    return f"SELECT {listed_}, count(*) FROM {table.spelled}{condition} GROUP BY {listed_} HAVING count(*) > 1"


def constraint(live: Live, table: Table, wish: Wish, columns: list[str], kind: str, notes: tuple[str, ...]) -> Answer:
    """The files that make a UNIQUE or PRIMARY KEY constraint: ``kind`` says which."""
    of, listed_ = table.relation, column_list(columns)
    for one in table.own:
        if one.type in "pu" and one.columns == columns:
            return Answer((), (f"{of.spelled} has it already: {one.definition} of the constraint {quote(one.name)}",))
    default, _ = live.constraint(f"ALTER TABLE {quote(table.name)} ADD {kind} {listed_}", table)
    name = live.chosen(wish.name, default, of.schema)
    what = f"{kind.lower()} {name} of {of.spelled}"
    if table.is_partitioned:
        return Answer((_constraint_of_partitioned(live, table, name, default, columns, kind),), notes)
    it, alter = quote(name), f"ALTER TABLE {of.spelled}"
    build = f"CREATE UNIQUE INDEX CONCURRENTLY {it} ON {of.spelled} {listed_};"
    twin = quote(live.free(f"{name}_again", of.schema))
    steps = (
        Step(
            f"{what}: build its index",
            _WHILE_ALL_WRITE + " From then on, no row can get a twin.",
            build,
            f"DROP INDEX CONCURRENTLY {of.beside(name)};",
            alone=True,
            undo_alone=True,
        ),
        Step(
            what,
            "The index proves it, so no row is read. Apart from its building, because this is a transaction.",
            f"{alter} ADD CONSTRAINT {it} {kind} USING INDEX {it};",
            "\n".join(
                (
                    f"CREATE UNIQUE INDEX CONCURRENTLY {twin} ON {of.spelled} {listed_};",
                    f"{alter} DROP CONSTRAINT {it};",
                    f"ALTER INDEX {of.beside(bare(twin))} RENAME TO {it};",
                )
            ),
            undo_why="The constraint takes its index along, so another is built first: rows stay unique throughout.",
            undo_alone=True,
        ),
    )
    return Answer(steps, notes)


def taken_over(one: Constraint, name: str, index: str) -> str:
    """The action by which an index that is there becomes a constraint like this one, under a name."""
    kind = "PRIMARY KEY" if one.type == "p" else "UNIQUE"
    when = re.search(r" DEFERRABLE( INITIALLY DEFERRED)?\Z", one.definition)
    return f"ADD CONSTRAINT {quote(name)} {kind} USING INDEX {quote(index)}{when[0] if when else ''}"


def bare(name: str) -> str:
    """A quoted name without its quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _constraint_of_partitioned(
    live: Live, table: Table, name: str, default: str, columns: list[str], kind: str
) -> Step:
    of, listed_ = table.relation, column_list(columns)
    if foreign := [one.spelled for one, _ in table.below if one.kind == "f"]:
        raise Refused(
            f"a partition in another database can be no part of it: {listed(foreign)}", hint="detach it first"
        )
    lines = [f"ALTER TABLE ONLY {of.spelled} ADD CONSTRAINT {quote(name)} {kind} {listed_};"]
    names: dict[int, tuple[Relation, str]] = {of.oid: (of, name)}
    joins = []
    for one, parent in table.below:
        own = live.free(_for(default, table.name, one.name), one.schema)
        names[one.oid] = (one, own)
        if one.kind == "p":
            lines.append(f"ALTER TABLE ONLY {one.spelled} ADD CONSTRAINT {quote(own)} {kind} {listed_};")
        else:
            lines.append(f"CREATE UNIQUE INDEX CONCURRENTLY {quote(own)} ON {one.spelled} {listed_};")
            lines.append(f"ALTER TABLE {one.spelled} ADD CONSTRAINT {quote(own)} {kind} USING INDEX {quote(own)};")
        above, above_name = names[parent.oid]
        joins.append(f"ALTER INDEX {above.beside(above_name)} ATTACH PARTITION {one.beside(own)};")
    return Step(
        f"{kind.lower()} {name} of {of.spelled}",
        _BY_PARTITION,
        "\n".join((*lines, *reversed(joins))),
        f"ALTER TABLE {of.spelled} DROP CONSTRAINT {quote(name)};",
        undo_why="Stops everybody for a moment.",
        alone=True,
        undo_alone=True,
    )
