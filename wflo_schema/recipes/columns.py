"""Columns: added, dropped, renamed and filled while an application goes on using them, its old version and its new."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from wflo_schema.connect.versions import NOT_NULL_CONSTRAINTS
from wflo_schema.errors import Refused, UsageError
from wflo_schema.names import NAME, identifiers, quote
from wflo_schema.recipes.batches import Change, batched
from wflo_schema.recipes.constraints import NOT_ENFORCED, not_null_steps
from wflo_schema.recipes.hanging import hanging
from wflo_schema.recipes.indexes import taken_over
from wflo_schema.recipes.live import Column, Constraint, Index, Live, Table
from wflo_schema.recipes.values import BATCH, Answer, Step, Wish
from wflo_schema.words import listed

IN_BATCHES = (
    "A few rows at a time, each batch committed: no row is locked for long, and what was done stays when it is"
    " interrupted. PostgreSQL can do that outside of a transaction only."
)
MOMENT = "Takes a moment, in which everybody waits."
FILLED = "what was filled in goes with the column, in the rollback of the file before"


def backfill(live: Live, wish: Wish) -> Answer:
    """All rows, or some, are changed in batches."""
    table, sets = live.table(wish.words[0]), wish.words[1]
    targets = _assignments(table, sets)
    where = wish.where or _not_done(live, table, targets)
    with live.copies(table) as connection:  # does PostgreSQL take it?
        connection.execute(f"UPDATE {quote(table.name)} SET {sets} WHERE {where}".encode(), binary=True)
    step = Step(
        f"backfill {table.spelled} {' '.join(name for name, _ in targets)}",
        f"{IN_BATCHES}{fired(table)}",
        batched(table, Change(sets, where), wish.batch),
        keeps="what the rows held before is not kept",
        alone=True,
    )
    return Answer((step,))


def _assignments(table: Table, sets: str) -> list[tuple[str, str]]:
    """Each column that is set, and the expression; empty where several are set by one."""
    import postgast

    try:
        tree = postgast.parse(f"UPDATE t SET {sets}")
    except postgast.PgQueryError as error:
        raise UsageError(
            f"{sets!r} is not what UPDATE … SET takes: {error}", hint="write COLUMN = EXPRESSION"
        ) from None
    update: Any = tree.stmts[0].stmt.update_stmt
    if len(tree.stmts) != 1 or {f.name for f, _ in update.ListFields()} - {"relation", "target_list"}:
        raise UsageError(f"{sets!r} is more than UPDATE … SET takes", hint="give the condition as --where")
    found = []
    for one in update.target_list:
        target = one.res_target
        column = table.column(quote(target.name))
        several = target.val.HasField("multi_assign_ref")
        found.append((column.name, "" if several else _expression(target.val)))
    return found


def _expression(node: Any) -> str:
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return str(postgast.deparse(tree)).removeprefix("SELECT ")


def _not_done(live: Live, table: Table, targets: list[tuple[str, str]]) -> str:
    """The condition of a row that is not done.  Raise `UsageError` where an expression does not tell."""
    conditions = []
    own = {name for name, _ in targets}
    for name, expression in targets:
        cast = f"CAST({expression} AS {table.column(quote(name)).type})"
        why = "" if expression and expression != "DEFAULT" else "cannot be compared with"
        used = {c.name for c in table.columns if re.search(rf"(?<!\w){re.escape(c.name)}(?!\w)", expression)}
        if own & used:
            why = f"is made of {identifiers(sorted(own & used))}, which changes"
        elif not why:
            try:
                live.index(f"CREATE INDEX ON {quote(table.name)} (({cast}))", table)
            except UsageError as error:
                why = f"may come out otherwise each time ({error.message.rpartition(': ')[2]})"
        if why:
            raise UsageError(
                f"which rows are done cannot be told from {name} = {expression or '…'}: that {why}",
                hint=f"say which are not: --where 'CONDITION'; for example --where '{quote(name)} IS NULL'",
            )
        conditions.append(f"{quote(name)} IS DISTINCT FROM {cast}")
    return " OR ".join(conditions)


def fired(table: Table) -> str:
    """What to say of the triggers that fire for each row that is changed."""
    names = [quote(t.name) for t in table.triggers if t.is_on_update]
    return f" The trigger{'s' if len(names) > 1 else ''} {listed(names)} fire for each row." if names else ""


def add_column(live: Live, wish: Wish) -> Answer:
    """A column is added, with a default that no lock waits for."""
    table, name = live.split(wish.words[0])
    of_type, it = wish.words[1], quote(name)
    if any(c.name == name for c in table.columns):
        return Answer((), (f"{table.spelled} has a column {it} already",))
    alter, what = f"ALTER TABLE {table.spelled}", f"add column {table.spelled}.{it}"
    default = f" DEFAULT {wish.default}" if wish.default else ""
    not_null = " NOT NULL" if wish.not_null else ""
    drop = f"{alter} DROP COLUMN {it};"
    if live.rewrites(table, f"ADD COLUMN {it} {of_type}"):
        raise Refused(
            f"PostgreSQL copies the whole table to add a column of type {of_type}",
            hint="a domain with a CHECK, an identity and a generated column do that: take the plain type",
        )
    if wish.not_null and not wish.default:
        raise UsageError(
            "the rows that are there would have nothing in it", hint="give --default, or leave out --not-null"
        )
    if not live.rewrites(table, f"ADD COLUMN {it} {of_type}{default}{not_null}"):
        why = "The default is the same for all rows, so PostgreSQL writes it to none of them." if default else ""
        add = f"{alter} ADD COLUMN {it} {of_type}{default}{not_null};"
        return Answer((Step(what, f"{why} {MOMENT}".strip(), add, drop),))
    added = f"{alter} ADD COLUMN {it} {of_type};\n{alter} ALTER COLUMN {it} SET DEFAULT {wish.default};"
    column = Column(name, 0, of_type, False, "", True, wish.default, "", "", "", "", is_inherited=False)
    steps = (
        Step(
            f"{what}: empty",
            "Each row gets a default of its own, for which PostgreSQL would copy the whole table: new rows have it at"
            " once, those that are there get it in the next file.",
            added,
            drop,
        ),
        Step(
            f"{what}: fill",
            f"{IN_BATCHES}{fired(table)}",
            batched(table, Change(f"{it} = DEFAULT", f"{it} IS NULL"), wish.batch),
            keeps=FILLED,
            alone=True,
        ),
        *(not_null_steps(live, table, column) if wish.not_null else ()),
    )
    return Answer(steps)


def refuse_users(table: Table, column: Column, doing: str, *, also: tuple[str, ...] = ()) -> None:
    """Raise `Refused` where something depends on a column that this cannot take along."""
    users = [name for of, name in table.dependents if of == column.name and not name.startswith("statistics ")]
    if "indexes" in also:
        users += [f"partition key of {table.spelled}"] if _is_in(table.relation.partition_key, column.name) else []
    if users:
        raise Refused(
            f"{table.spelled}.{quote(column.name)} is used by {listed(users)}",
            hint=f"first a migration that {doing}",
        )


def _is_in(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w\"]){re.escape(quote(name))}(?![\w\"])", text))


def drop_column(live: Live, wish: Wish) -> Answer:
    """A column is dropped, once no version of the application that runs knows it."""
    table, column = live.one_column(wish.words[0])
    it, alter = quote(column.name), f"ALTER TABLE {table.spelled}"
    what = f"drop column {table.spelled}.{it}"
    if column.is_inherited:
        raise Refused(f"{table.spelled}.{it} is inherited", hint="drop it in the table from which it is")
    refuse_users(table, column, "makes them do without it", also=("indexes",))
    pointing = [
        f"{quote(c.name)} of {live.relation(c.of_oid).spelled}" for c in table.pointing if column.name in c.to_columns
    ]
    if pointing or any(c.type == "p" and column.name in c.columns for c in table.own):
        raise Refused(
            f"{table.spelled}.{it} is part of "
            + (f"what {listed(pointing)} references" if pointing else "the primary key"),
            hint="first a migration that drops that",
        )
    refuse_exclusion(table, column)
    steps: list[Step] = []
    has_own = bool(column.default or column.identity or column.generated)
    if column.is_not_null and not has_own:
        steps.append(
            Step(
                f"{what}: new rows may lack it",
                f"So that a version of the application that does not know it can insert rows. {MOMENT}",
                f"{alter} ALTER COLUMN {it} DROP NOT NULL;",
                "\n".join(not_null_again(live, table, column)),
                undo_why="Fails while a row has nothing in it: fill them first.",
                undo_alone=True,
            )
        )
    again = [*_added_again(live, table, column)]
    if column.is_not_null and has_own and not column.identity:
        again += not_null_again(live, table, column)
    again += made_again(live, table, column)
    steps.append(
        Step(
            what,
            f"Only when no version of the application that runs uses the column. {MOMENT}",
            f"{alter} DROP COLUMN {it};",
            "\n".join(again),
            undo_why="loses data: what the column held is not there any more, and it is now the last one.",
            undo_alone=True,
            is_after_deploy=True,
            loses=True,
        )
    )
    return Answer(tuple(steps))


def _added_again(live: Live, table: Table, column: Column) -> Iterable[str]:
    """The column as it was, empty or with its default: the table is copied for none."""
    alter, it = f"ALTER TABLE {table.spelled}", quote(column.name)
    sequence = table.relation.beside(column.sequence)
    if column.sequence and not column.identity:
        yield f"CREATE SEQUENCE {sequence} AS {column.sequence_type} {column.sequence_options};"
    trial = f"ADD COLUMN {quote(table.unused(column.name))} {column.type} DEFAULT {column.default}"
    of_all = any(i.is_unique and column.name in i.columns for i in table.indexes)
    if column.default and (of_all or column.sequence or live.rewrites(table, trial)):
        yield f"{alter} ADD COLUMN {it} {definition(table, replace(column, default=''))};"
        yield f"{alter} ALTER COLUMN {it} SET DEFAULT {column.default};"
        if column.is_not_null:
            yield batched(table, Change(f"{it} = DEFAULT", f"{it} IS NULL"), BATCH)
    else:
        yield f"{alter} ADD COLUMN {it} {definition(table, column)};"
    if column.sequence and not column.identity:
        yield f"ALTER SEQUENCE {sequence} OWNED BY {table.spelled}.{it};"


def exclusion(table: Table, column: Column) -> tuple[str, ...]:
    """The constraints on a column that no index which is built while everybody writes can become."""
    methods = {i.name: i.method for i in table.indexes if column.name in i.uses}
    return tuple(c.name for c in table.own if c.index in methods and (c.type == "x" or methods[c.index] != "btree"))


def refuse_exclusion(table: Table, column: Column) -> None:
    """Raise `Refused` where a constraint could be made again only while everybody waits."""
    if names := exclusion(table, column):
        raise Refused(
            f"{table.spelled}.{quote(column.name)} is part of {listed(map(quote, names))}, which PostgreSQL can make"
            " again only while everybody waits",
            hint="first a migration that drops that, and another that makes it again",
        )


def definition(table: Table, column: Column) -> str:
    """What follows the name of a column in ADD COLUMN, but NOT NULL."""
    parts = [column.type]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.default:
        parts.append(f"DEFAULT {column.default}")
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS {column.generated}")
    if column.identity:
        parts.append(identity(column, table.relation.beside(column.sequence)))
    return " ".join(parts)


def identity(column: Column, sequence: str) -> str:
    """GENERATED … AS IDENTITY as a column is, with its options, from a sequence that is called so."""
    kind = "ALWAYS" if column.identity == "a" else "BY DEFAULT"
    return f"GENERATED {kind} AS IDENTITY (SEQUENCE NAME {sequence} {column.sequence_options})"


def not_null_again(live: Live, table: Table, column: Column) -> tuple[str, ...]:
    """Statements, each a transaction, that make a column NOT NULL again."""
    alter, it = f"ALTER TABLE {table.spelled}", quote(column.name)
    if NOT_NULL_CONSTRAINTS.is_in(live.version):
        name = quote(column.not_null_name)
        return (f"{alter} ADD CONSTRAINT {name} NOT NULL {it} NOT VALID;", f"{alter} VALIDATE CONSTRAINT {name};")
    check = quote(live.free(f"{table.name}_{column.name}_not_null", table.relation.schema))
    return (
        f"{alter} ADD CONSTRAINT {check} CHECK ({it} IS NOT NULL) NOT VALID;",
        f"{alter} VALIDATE CONSTRAINT {check};",
        f"{alter} ALTER COLUMN {it} SET NOT NULL;",
        f"{alter} DROP CONSTRAINT {check};",
    )


def made_again(live: Live, table: Table, column: Column) -> tuple[str, ...]:
    """Statements, each a transaction, that make what goes with a column when it is dropped."""
    found: list[str] = []
    alter = f"ALTER TABLE {table.spelled}"
    for index in table.indexes:
        if column.name in index.uses and not index.is_of_constraint:
            found.append(f"{concurrent(table, index, index.name)};")
    for one in table.own:
        carrier = next((i for i in table.indexes if i.name == one.index), None)
        if column.name not in (carrier.uses if carrier else one.columns) or one.is_inherited:
            continue
        if carrier is not None:
            found.append(f"{concurrent(table, carrier, carrier.name)};")
            found.append(f"{alter} {taken_over(one, one.name, carrier.name)};")
        else:
            found += constraint_again(table.spelled, one, one.name, one.definition)
    made = {i.name for i in table.indexes if column.name in i.uses}
    made |= {c.name for c in table.own if column.name in c.columns} | {c.name for c in table.own if c.index in made}
    return (*found, *hanging(live, table, column, made))


def constraint_again(table: str, one: Constraint, name: str, rule: str) -> tuple[str, ...]:
    """Statements, each a transaction, that make a CHECK or a foreign key like this one, with that rule."""
    alter, it = f"ALTER TABLE {table}", quote(name)
    if rule.endswith(NOT_ENFORCED):
        return (f"{alter} ADD CONSTRAINT {it} {rule};",)
    add = f"{alter} ADD CONSTRAINT {it} {rule.removesuffix(' NOT VALID')} NOT VALID;"
    return (add, f"{alter} VALIDATE CONSTRAINT {it};") if one.is_valid else (add,)


def concurrent(table: Table, index: Index, name: str, *, renamed: tuple[str, str] | None = None) -> str:
    """CREATE INDEX CONCURRENTLY as an index is, under another name, and of another column where ``renamed`` says so."""
    from wflo_schema.recipes.live import behind_table

    rest = behind_table(index.definition)
    if renamed is not None:
        rest = swap_name(rest, *renamed)
    unique = "UNIQUE " if index.is_unique else ""
    at_once = "" if table.is_partitioned else " CONCURRENTLY"
    return f"CREATE {unique}INDEX{at_once} {quote(name)} ON {table.spelled} {rest.removeprefix('USING btree ')}"


_KEY = re.compile(
    rf"(?P<own>FOREIGN KEY \(.*?\) REFERENCES )(?P<table>{NAME}(?:\.{NAME})?)"
    r"""\((?P<others>(?:"(?:[^"]|"")*"|[^")])*)\)(?P<rest>.*)\Z""",
    re.DOTALL,
)


def swapped_key(definition: str, old: str, new: str, *, is_own: bool) -> str:
    """A foreign key whose own column, or the one that it points to, has another name: both may have had the same."""
    found = _KEY.match(definition)
    assert found is not None, definition
    own, others, rest = found["own"], found["others"], found["rest"]
    if is_own:
        own, rest = swap_name(own, old, new), swap_name(rest, old, new)
    else:
        others = swap_name(others, old, new)
    return f"{own}{found['table']}({others}){rest}"


def swap_name(text: str, old: str, new: str) -> str:
    """SQL in which a column has another name; strings and longer names are left alone."""
    pieces = re.split(r"('(?:[^']|'')*')", text)
    pattern = re.compile(rf"(?<![\w\"$.])(?<!::){re.escape(quote(old))}(?![\w\"$(.])")
    return "".join(p if n % 2 else pattern.sub(lambda _: quote(new), p) for n, p in enumerate(pieces))
