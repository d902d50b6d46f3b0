"""A column under another name, or of another type: a twin beside it, kept in step by a trigger, then the exchange."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.versions import NOT_NULL_CONSTRAINTS
from wflo_schema.errors import Refused, UsageError
from wflo_schema.names import quote
from wflo_schema.recipes.batches import Change, batched
from wflo_schema.recipes.columns import (
    FILLED,
    IN_BATCHES,
    MOMENT,
    concurrent,
    constraint_again,
    fired,
    identity,
    refuse_exclusion,
    refuse_users,
    swap_name,
    swapped_key,
)
from wflo_schema.recipes.hanging import granted_alike, hanging
from wflo_schema.recipes.indexes import built, taken_over
from wflo_schema.recipes.live import Column, Live, Table, behind_table, cut
from wflo_schema.recipes.values import Answer, Step, Wish

# Whoever writes a row, names and operators mean what they mean here.
_AS_HERE = "SET search_path FROM CURRENT"
# And texts of times do.
_IN_THIS_ZONE = f"{_AS_HERE} SET TimeZone FROM CURRENT SET DateStyle FROM CURRENT"


@dataclass(frozen=True, slots=True)
class _Trigger:
    """The trigger that keeps them in step; ``function`` is spelled."""

    name: str
    function: str
    table: str

    def dropped(self) -> list[str]:
        return [f"DROP TRIGGER {quote(self.name)} ON {self.table};", f"DROP FUNCTION {self.function}();"]

    def made(self, body: str) -> list[str]:
        create = f"CREATE TRIGGER {quote(self.name)} BEFORE INSERT OR UPDATE ON {self.table}"
        return [body, f"{create} FOR EACH ROW EXECUTE FUNCTION {self.function}();"]


def _trigger(live: Live, table: Table, wish: str) -> _Trigger:
    """Free names; its own sorts behind those of all other triggers, so that it sees what they change."""
    schema = table.relation.schema
    function = live.free(f"{table.name}_{wish}", schema)
    name = function
    last = max((t.name for t in table.triggers if t.is_before_row), default="")
    while name.encode() <= last.encode():
        name = cut(f"z{name}")
    return _Trigger(name, table.relation.beside(function), table.spelled)


def _filled(name: str, values: dict[str, str]) -> str:
    text = load_sql("recipes", name).partition("\n")[2].strip()
    tag = "in_step"
    while f"${tag}$" in "".join(values.values()):
        tag += "_"
    for key, value in {"tag": f"${tag}$", **values}.items():
        text = text.replace("{" + key + "}", value)
    return text


def _refuse(live: Live, table: Table, column: Column, doing: str) -> None:
    where = f"{table.spelled}.{quote(column.name)}"
    if column.is_inherited:
        raise Refused(f"{where} is inherited", hint="change it in the table from which it is")
    table.refuse_children("a trigger of the parent does not fire for their rows: change them by hand")
    if column.generated:
        raise Refused(
            f"{where} is generated, and no application writes it", hint="add another one, and drop this one later"
        )
    refuse_users(table, column, doing, also=("indexes",))


# rename


# long: the files, one after the other
def rename_column(live: Live, wish: Wish) -> Answer:
    """A column gets another name, while one version of the application uses the old one and one the new."""
    table, column = live.one_column(wish.words[0])
    from wflo_schema.names import bare_name

    name = bare_name(wish.words[1])
    if any(c.name == name for c in table.columns):
        raise UsageError(f"{table.spelled} has a column {quote(name)} already", hint="take another name")
    _refuse(live, table, column, "makes them do without it")
    old, new, alter = quote(column.name), quote(name), f"ALTER TABLE {table.spelled}"
    plain = f"{definition_of_twin(column)}"
    if live.rewrites(table, f"ADD COLUMN {new} {plain}"):
        raise Refused(
            f"PostgreSQL copies the whole table to add a column of type {column.type}",
            hint="it is a domain with a CHECK",
        )
    trigger = _trigger(live, table, f"{column.name}_{name}")
    has_equality = live.has_equality(column.type)

    def body(master: str, twin: str, *, again: bool = False) -> str:
        values = {"function": trigger.function, "old": master, "new": twin, "text": "" if has_equality else "::text"}
        values["settings"] = _AS_HERE
        text = _filled("in_step", values)
        return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1) if again else text

    def fill(master: str, twin: str) -> str:
        where = f"{twin} IS DISTINCT FROM {master}" if has_equality else f"{twin} IS NULL AND {master} IS NOT NULL"
        return batched(table, Change(f"{twin} = {master}", where), wish.batch)

    what = f"rename column {table.spelled}.{old} to {new}"
    indexes = [i for i in table.indexes if column.name in i.uses]
    named = [(i, live.free(f"{i.name}_{name}", table.relation.schema)) for i in indexes]

    def index_steps(twin: str) -> list[Step]:
        return [
            built(
                live,
                table,
                chosen,
                swap_name(behind_table(one.definition), column.name, twin),
                is_unique=one.is_unique,
            )
            for one, chosen in named
        ]

    twins = index_steps(name)
    as_old = [swap_name(s.sql, name, column.name) for s in twins]
    away = quote(table.unused(name))
    exchange = [
        f"{alter} RENAME COLUMN {new} TO {away};",
        f"{alter} RENAME COLUMN {old} TO {new};",
        f"{alter} RENAME COLUMN {away} TO {old};",
        body(old, new, again=True),
    ]
    undo_last = [
        f"{alter} ADD COLUMN {old} {plain};",
        *granted_alike(live, table, column, column.name),
        *trigger.made(body(new, old)),
        fill(new, old),
        *as_old,
        at_once(exchange),
    ]
    steps = [
        Step(
            f"{what}: a twin",
            f"The new version of the application will use {new}, and the old one still runs: whichever is written, the"
            f" trigger writes the other. {MOMENT}",
            "\n".join(
                (
                    f"{alter} ADD COLUMN {new} {plain};",
                    *granted_alike(live, table, column, name),
                    *trigger.made(body(old, new)),
                )
            ),
            "\n".join((*trigger.dropped(), f"{alter} DROP COLUMN {new};")),
        ),
        Step(f"{what}: fill", f"{IN_BATCHES}{fired(table)}", fill(old, new), keeps=FILLED, alone=True),
    ]
    if twins:
        steps.append(
            Step(
                f"{what}: indexes",
                "So that the new version of the application finds as quickly what it looks for. Built while everybody"
                " writes. They go with the twin.",
                "\n".join(s.sql for s in twins),
                "\n".join(s.undo for s in reversed(twins)),
                alone=True,
                undo_alone=True,
            )
        )
    steps.append(
        Step(
            what,
            f"Only when no old version of the application runs. The twin goes, and {old} itself gets its name, with all"
            f" that hangs on it. {MOMENT}",
            "\n".join((*trigger.dropped(), f"{alter} DROP COLUMN {new};", f"{alter} RENAME COLUMN {old} TO {new};")),
            "\n\n".join(undo_last),
            undo_why=f"Makes a twin called {old}, fills it, and exchanges the names in the end. {new} is always there.",
            undo_alone=True,
            is_after_deploy=True,
        )
    )
    return Answer(tuple(steps), notes_of(table, column))


def definition_of_twin(column: Column) -> str:
    """The type of a column, and its collation."""
    return column.type + (f" COLLATE {column.collation}" if column.collation else "")


def notes_of(table: Table, column: Column) -> tuple[str, ...]:
    """What a person has to see to."""
    notes = []
    if functions := [quote(t.name) for t in table.triggers]:
        notes.append(
            f"the code of the triggers of {table.spelled} ({', '.join(functions)}) is not looked into: where it names "
            f"{quote(column.name)}, change it in the last file"
        )
    return tuple(notes)


# another type


class _Retyping:
    """A column and the type that it is to have; ``as_it_was`` is the column that the statements begin with."""

    def __init__(self, live: Live, table: Table, column: Column, wish: Wish, change: str) -> None:
        self.live, self.table, self.column, self.wish, self.change = live, table, column, wish, change
        self.twin = table.unused(column.name)
        self.alter = f"ALTER TABLE {table.spelled}"
        self.trigger = _trigger(live, table, f"{column.name}_type")
        schema = table.relation.schema
        self.indexes = [(i, live.free(f"{i.name}_{self.twin}", schema)) for i in table.indexes if column.name in i.uses]
        own = [c for c in table.own if column.name in c.columns and c.type in "cf"]
        self.own = [(c, live.free(f"{c.name}_{self.twin}", schema)) for c in own]
        self.pointing = [
            (live.relation(c.of_oid), c, live.free(f"{c.name}_{self.twin}", live.relation(c.of_oid).schema))
            for c in table.pointing
            if column.name in c.to_columns
        ]
        self.check = live.free(f"{table.name}_{self.twin}_not_null", schema)
        self.sequence = live.free(f"{table.name}_{self.twin}_seq", schema) if column.identity else ""

    def _after(self, of_type: str) -> str:
        """What was done before the column gets this type: on the way back it has the other one."""
        return self.change if of_type == self.column.type else ""

    def expression(self, of_type: str, using: str) -> str:
        """What is assigned: so a text that is too long is an error, as for ALTER TYPE, and is not cut off."""
        it = quote(self.column.name)
        cast = f"CAST({it} AS {of_type})"
        ways = (using,) if using else (it, cast)
        after = self._after(of_type)
        found = next((w for w in ways if self.live.is_assigned(self.table, w, of_type, after=after)), None)
        if found is None:
            raise Refused(
                f"PostgreSQL makes no {of_type} of what the column holds then, so it could not be taken back",
                hint="take another column: add-column, backfill, drop-column",
            )
        return found

    def begin(self, of_type: str, using: str) -> list[str]:
        """The twin, and the trigger that fills it."""
        expression = self.expression(of_type, using)
        after = self._after(of_type)
        is_stable = not self.live.is_assigned(self.table, expression, of_type, always=True, after=after)
        body = _filled(
            "in_type",
            {
                "function": self.trigger.function,
                "new": quote(self.twin),
                "table": quote(self.table.name),
                "expression": expression,
                "settings": _IN_THIS_ZONE if is_stable else _AS_HERE,
            },
        )
        collation = f" COLLATE {self.column.collation}" if self.column.collation else ""
        if not self.live.is_assigned(self.table, "NULL", f"{of_type}{collation}"):
            collation = ""  # it is for texts only
        return [f"{self.alter} ADD COLUMN {quote(self.twin)} {of_type}{collation};", *self.trigger.made(body)]

    @staticmethod
    def _cast(expression: str, of_type: str) -> str:
        return expression if expression.startswith("CAST(") else f"CAST({expression} AS {of_type})"

    def fill(self, of_type: str, using: str) -> str:
        """The batches that fill the twin."""
        to, expression = quote(self.twin), self.expression(of_type, using)
        is_open = f"{to} IS DISTINCT FROM {self._cast(expression, of_type)}"
        if not self.live.has_equality(of_type):
            is_open = f"{to} IS NULL AND {expression} IS NOT NULL"
        return batched(self.table, Change(f"{to} = {expression}", is_open), self.wish.batch)

    def prepare(self) -> list[str]:
        """What hangs on the column, on the twin as well; each statement is a transaction."""
        old, twin, found = self.column.name, self.twin, []
        if self.column.is_not_null:
            it, check = quote(twin), quote(self.check)
            is_new = NOT_NULL_CONSTRAINTS.is_in(self.live.version)
            rule = f"NOT NULL {it}" if is_new else f"CHECK ({it} IS NOT NULL)"
            found += [
                f"{self.alter} ADD CONSTRAINT {check} {rule} NOT VALID;",
                f"{self.alter} VALIDATE CONSTRAINT {check};",
            ]
        for index, name in self.indexes:
            found.append(f"{concurrent(self.table, index, name, renamed=(old, twin))};")
        for one, name in self.own:
            if one.type == "f":
                rule = swapped_key(one.definition, old, twin, is_own=True)
            else:
                rule = swap_name(one.definition, old, twin)
            found += constraint_again(self.table.spelled, one, name, rule)
        for table, one, name in self.pointing:
            rule = swapped_key(one.definition, old, twin, is_own=False)
            found += constraint_again(table.spelled, one, name, rule)
        return found

    def unprepare(self) -> list[str]:
        """What takes that back."""
        found = [f"ALTER TABLE {t.spelled} DROP CONSTRAINT {quote(n)};" for t, _, n in self.pointing]
        found += [f"{self.alter} DROP CONSTRAINT {quote(n)};" for _, n in self.own]
        found += [f"DROP INDEX CONCURRENTLY {self.table.relation.beside(n)};" for _, n in self.indexes]
        return [*found, *([f"{self.alter} DROP CONSTRAINT {quote(self.check)};"] if self.column.is_not_null else [])]

    def exchange(self) -> list[str]:
        """The twin takes the column's place and all of its names: the catalogs alone change."""
        old, twin, alter = quote(self.column.name), quote(self.twin), self.alter
        found = [f"LOCK TABLE {self.table.spelled} IN ACCESS EXCLUSIVE MODE;", *self.trigger.dropped()]
        for table, one, name in self.pointing:
            found.append(f"ALTER TABLE {table.spelled} DROP CONSTRAINT {quote(one.name)};")
            found.append(f"ALTER TABLE {table.spelled} RENAME CONSTRAINT {quote(name)} TO {quote(one.name)};")
        if self.column.is_not_null and not NOT_NULL_CONSTRAINTS.is_in(self.live.version):
            found.append(f"{alter} ALTER COLUMN {twin} SET NOT NULL;")
            found.append(f"{alter} DROP CONSTRAINT {quote(self.check)};")
        found += self._defaults()
        found.append(f"{alter} DROP COLUMN {old};")
        found.append(f"{alter} RENAME COLUMN {twin} TO {old};")
        if self.column.is_not_null and NOT_NULL_CONSTRAINTS.is_in(self.live.version):
            found.append(f"{alter} RENAME CONSTRAINT {quote(self.check)} TO {quote(self.column.not_null_name)};")
        for index, name in self.indexes:
            found.append(f"ALTER INDEX {self.table.relation.beside(name)} RENAME TO {quote(index.name)};")
            if constraint := next((c for c in self.table.own if c.index == index.name and c.type in "pu"), None):
                found.append(f"{alter} {taken_over(constraint, constraint.name, index.name)};")
        for one, name in self.own:
            found.append(f"{alter} RENAME CONSTRAINT {quote(name)} TO {quote(one.name)};")
        made = {i.name for i, _ in self.indexes}
        made |= {c.name for c, _ in self.own} | {c.name for c in self.table.own if c.index in made}
        return [*found, *hanging(self.live, self.table, self.column, made, is_retyped=True)]

    def _defaults(self) -> list[str]:
        old, twin, alter = quote(self.column.name), quote(self.twin), self.alter
        sequence = self.table.relation.beside(self.column.sequence)
        if not self.column.identity:
            found = [f"{alter} ALTER COLUMN {twin} SET DEFAULT {self.column.default};"] if self.column.default else []
            return [
                *found,
                *([f"ALTER SEQUENCE {sequence} OWNED BY {self.table.spelled}.{twin};"] if self.column.sequence else []),
            ]
        of = self.table.relation
        own = of.beside(self.sequence)
        literal = own.replace("'", "''")
        return [
            f"{alter} ALTER COLUMN {twin} ADD {identity(self.column, own)};",
            f"PERFORM setval('{literal}', last_value, is_called) FROM {sequence};",
            f"{alter} ALTER COLUMN {old} DROP IDENTITY;",
            f"ALTER SEQUENCE {own} RENAME TO {quote(self.column.sequence)};",
        ]


def _retyped(live: Live, table: Table, column: Column, wish: Wish) -> tuple[str, bool, str]:
    """The type as PostgreSQL spells it, whether nothing is rewritten for it, and the action that gives it.

    It keeps its collation, where the type has one.
    """
    using = f" USING {wish.using}" if wish.using else ""
    collations = (f" COLLATE {column.collation}", "") if column.collation else ("",)
    for collation in collations:
        change = f"ALTER COLUMN {quote(column.name)} TYPE {wish.words[1]}{collation}{using}"
        try:
            return (*live.retyped(table, column.name, change), change)
        except UsageError as error:
            if collation:
                continue
            if "default for column" in error.message:
                raise Refused(error.message, hint="first a migration that drops the default") from None
            raise
    raise AssertionError("the last try returns or raises")


# long: the files, one after the other
def change_type(live: Live, wish: Wish) -> Answer:
    """A column gets another type, for which PostgreSQL would copy the table."""
    table, column = live.one_column(wish.words[0])
    it, alter = quote(column.name), f"ALTER TABLE {table.spelled}"
    of_type, is_free, change = _retyped(live, table, column, wish)
    if of_type == column.type and not wish.using:
        return Answer((), (f"{table.spelled}.{it} is {of_type} already",))
    what = f"change type {table.spelled}.{it} to {of_type}"
    refuse_users(table, column, "drops them, and another that makes them again", also=("indexes",))
    hangs = [c for c in table.constraints if column.name in (*c.columns, *c.to_columns) and c.type in "cf"]
    back = f"ALTER COLUMN {it} TYPE {definition_of_twin(column)}"
    if is_free and not hangs and live.is_free_after(table, change, back):
        return Answer(
            (Step(what, f"PostgreSQL rewrites nothing for it. {MOMENT}", f"{alter} {change};", f"{alter} {back};"),)
        )
    _refuse(live, table, column, "makes them do without it")
    if table.is_partitioned:
        raise Refused(f"{table.spelled} is partitioned", hint="for that there is no recipe: make a new table and copy")
    refuse_exclusion(table, column)
    if any(c.type == "f" and c.to_oid == c.of_oid and column.name in (*c.columns, *c.to_columns) for c in table.own):
        raise Refused(
            f"{table.spelled}.{it} is part of a key of the table to itself", hint="first drop that, add it again later"
        )
    if live.rewrites(table, f"ADD COLUMN {quote(table.unused(column.name))} {of_type}"):
        raise Refused(
            f"PostgreSQL copies the whole table to add a column of type {of_type}",
            hint="it is a domain with a CHECK: take the plain type, and the recipe check for the rest",
        )
    if column.identity and of_type not in ("smallint", "integer", "bigint"):
        raise Refused(
            f"{table.spelled}.{it} is an identity, which no {of_type} is", hint="first a migration that drops that"
        )
    r = _Retyping(live, table, column, wish, change)
    one_by_one = "\n".join
    undo = [
        *r.begin(column.type, ""),
        r.fill(column.type, ""),
        *r.prepare(),
        at_once(r.exchange()),
    ]
    forward = [*r.begin(of_type, wish.using), r.fill(of_type, wish.using), *r.prepare()]
    if is_free and not hangs:
        step = Step(
            what,
            f"PostgreSQL rewrites nothing for it. {MOMENT}",
            f"{alter} {change};",
            one_by_one(undo),
            undo_alone=True,
        )
        return Answer((step,))
    notes = (*notes_of(table, column), *live.misfits(table, r.expression(of_type, wish.using), of_type))
    if wish.using:
        way = r.expression(column.type, "")
        notes = (*notes, f"whether {way} gives back what the rows held is for you to say: see the last rollback")
    prepared = one_by_one((r.fill(of_type, wish.using), *r.prepare()))
    return Answer(
        (
            Step(
                f"{what}: a twin",
                f"A column beside it, of the new type, which a trigger fills when a row is written. {MOMENT}",
                one_by_one(r.begin(of_type, wish.using)),
                one_by_one((*r.trigger.dropped(), f"{alter} DROP COLUMN {quote(r.twin)};")),
            ),
            Step(
                f"{what}: fill and prepare",
                f"{IN_BATCHES} Then the twin gets all that hangs on the column, built and proven while everybody"
                f" writes.{fired(table)}",
                prepared,
                one_by_one(r.unprepare()) if r.unprepare() else "",
                keeps=FILLED,
                alone=True,
                undo_alone=bool(r.unprepare()),
            ),
            Step(
                what,
                f"The twin takes the place of the column. {MOMENT} A session that has prepared a statement which reads"
                " the column must prepare it again.",
                at_once(r.exchange()),
                one_by_one((*undo, *forward)),
                undo_why="Goes the whole way back: fails where a row holds what the old type does not. Then begins the"
                " way forward again, up to here.",
                alone=True,
                undo_alone=True,
            ),
        ),
        notes,
    )


def at_once(statements: list[str]) -> str:
    """Statements as one, and so in one transaction."""
    lines = "\n".join(f"    {re.sub('^SELECT ', 'PERFORM ', one)}" for one in statements)
    tag = "exchange"
    while f"${tag}$" in lines:
        tag += "_"
    return f"DO ${tag}$\nBEGIN\n{lines}\nEND\n${tag}$;"
