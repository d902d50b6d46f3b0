"""NOT NULL, CHECK, primary and foreign keys: added unproven in a moment, then proven while everybody works."""

from __future__ import annotations

import re

from wflo_schema.connect.versions import NOT_NULL_CONSTRAINTS, NOT_VALID_KEYS_OF_PARTITIONED
from wflo_schema.errors import Refused, UsageError
from wflo_schema.names import NAME, bare_name, identifiers, quote
from wflo_schema.recipes.indexes import constraint, index_step, plain_columns, twice
from wflo_schema.recipes.live import Column, Constraint, Live, Relation, Table, column_list, copy_names, made_name
from wflo_schema.recipes.values import Answer, Step, Wish
from wflo_schema.words import listed

NOT_ENFORCED = " NOT ENFORCED"
_PROVEN = "a constraint that is proven stays so until the rollback of the file before this one drops it"
_VALIDATES = (
    "Reads the whole table, and nobody waits for it: apart from the file before, whose lock would be held meanwhile."
)
_UNPROVEN = (
    "New rows are held to it at once. Those that are there are looked at in a file of their own, without this lock."
)


def not_null(live: Live, wish: Wish) -> Answer:
    """A column gets NOT NULL."""
    table, column = live.one_column(wish.words[0])
    if column.is_not_null and column.is_not_null_valid:
        return Answer((), (f"{table.spelled}.{quote(column.name)} is NOT NULL already",))
    where = f"SELECT FROM {table.spelled} WHERE {quote(column.name)} IS NULL"
    return Answer(not_null_steps(live, table, column, name=wish.name), live.offending(where, f"no {column.name}"))


def not_null_steps(live: Live, table: Table, column: Column, *, name: str = "") -> tuple[Step, ...]:
    """The files that give a column NOT NULL, as this version of PostgreSQL can."""
    what = f"{table.spelled}.{quote(column.name)}"
    if NOT_NULL_CONSTRAINTS.is_in(live.version):
        return _not_null_constraint(live, table, column, name)
    if name:
        raise UsageError("NOT NULL has a name from PostgreSQL 18 on only", hint="leave out --name")
    alter, it = f"ALTER TABLE {table.spelled}", quote(column.name)
    proof = next(
        (c for c in table.own if c.type == "c" and c.is_valid and c.definition == f"CHECK (({it} IS NOT NULL))"), None
    )
    set_it, drop_it = f"{alter} ALTER COLUMN {it} SET NOT NULL;", f"{alter} ALTER COLUMN {it} DROP NOT NULL;"
    if proof is not None:
        why = f"The check {quote(proof.name)} proves it, so no row is read."
        return (Step(f"not null {what}", why, set_it, drop_it),)
    check = quote(live.free(f"{table.name}_{column.name}_not_null", table.relation.schema))
    add = f"{alter} ADD CONSTRAINT {check} CHECK ({it} IS NOT NULL) NOT VALID;"
    validate, drop = f"{alter} VALIDATE CONSTRAINT {check};", f"{alter} DROP CONSTRAINT {check};"
    return (
        Step(f"not null {what}: check new rows", _UNPROVEN, add, drop),
        Step(f"not null {what}: validate", _VALIDATES, validate, keeps=_PROVEN),
        Step(
            f"not null {what}: set",
            "The valid check proves it, so no row is read under this lock. Then the check has done its work.",
            f"{set_it}\n{drop}",
            f"{add}\n{validate}\n{drop_it}",
            undo_why="The check comes back first, each statement by itself: no lock is held while rows are read.",
            undo_alone=True,
        ),
    )


def _not_null_constraint(live: Live, table: Table, column: Column, wish: str) -> tuple[Step, ...]:
    what, alter = f"{table.spelled}.{quote(column.name)}", f"ALTER TABLE {table.spelled}"
    validated = "a NOT NULL that is proven stays so until the rollback of the file before this one drops it"
    if column.not_null_name:  # it is there, NOT VALID
        validate = f"{alter} VALIDATE CONSTRAINT {quote(column.not_null_name)};"
        return (Step(f"not null {what}: validate", _VALIDATES, validate, keeps="it was NOT VALID before, and holds"),)
    name = quote(live.chosen(wish, made_name(table.name, column.name, "not_null"), table.relation.schema))
    add = f"{alter} ADD CONSTRAINT {name} NOT NULL {quote(column.name)} NOT VALID;"
    return (
        Step(f"not null {what}: check new rows", _UNPROVEN, add, f"{alter} DROP CONSTRAINT {name};"),
        Step(f"not null {what}: validate", _VALIDATES, f"{alter} VALIDATE CONSTRAINT {name};", keeps=validated),
    )


def check(live: Live, wish: Wish) -> Answer:
    """A table gets a CHECK."""
    table, expression = live.table(wish.words[0]), wish.words[1]
    if wrapped := re.match(r"\s*CHECK\s*(\(.*\))\s*\Z", expression, re.IGNORECASE | re.DOTALL):
        expression = wrapped[1][1:-1]
    default, definition = live.constraint(f"ALTER TABLE {quote(table.name)} ADD CHECK ({expression})", table)
    if same := next((c for c in table.own if c.definition == definition), None):
        return Answer((), (f"{table.spelled} has it already: the constraint {quote(same.name)}",))
    if same := next((c for c in table.own if c.definition == f"{definition} NOT VALID"), None):
        hint = f"wflo-schema new --recipe validate {table.spelled} {quote(same.name)}"
        raise Refused(f"{table.spelled} has it already, NOT VALID: the constraint {quote(same.name)}", hint=hint)
    name = quote(live.chosen(wish.name, default, table.relation.schema))
    alter, what = f"ALTER TABLE {table.spelled}", f"check {name} of {table.spelled}"
    add = f"{alter} ADD CONSTRAINT {name} CHECK ({expression}) NOT VALID;"
    steps = (
        Step(f"{what}: new rows", _UNPROVEN, add, f"{alter} DROP CONSTRAINT {name};"),
        Step(f"{what}: validate", _VALIDATES, f"{alter} VALIDATE CONSTRAINT {name};", keeps=_PROVEN),
    )
    query = f"SELECT FROM {table.spelled} WHERE NOT ({expression})"
    return Answer(steps, live.offending(query, "what the check forbids"))


def validate(live: Live, wish: Wish) -> Answer:
    """A constraint that is NOT VALID is proven."""
    table, wanted = live.table(wish.words[0]), bare_name(wish.words[1])
    known = {c.name: c.is_valid for c in table.own}
    known |= {c.not_null_name: c.is_not_null_valid for c in table.columns if c.not_null_name}
    if wanted not in known:
        open_ones = [quote(name) for name, is_valid in known.items() if not is_valid]
        hint = f"NOT VALID are {listed(open_ones)}" if open_ones else "all of its constraints are valid"
        raise UsageError(f"{table.spelled} has no constraint {wanted}", hint=hint)
    if any(c.name == wanted and c.definition.endswith(NOT_ENFORCED) for c in table.own):
        raise Refused(
            f"the constraint {quote(wanted)} of {table.spelled} is NOT ENFORCED, so it is never proven",
            hint="make it anew: wflo-schema new --recipe check, or foreign-key, with --name",
        )
    if known[wanted]:
        return Answer((), (f"the constraint {quote(wanted)} of {table.spelled} is valid already",))
    statement = f"ALTER TABLE {table.spelled} VALIDATE CONSTRAINT {quote(wanted)};"
    keeps = "that the constraint is proven takes nothing away"
    return Answer((Step(f"validate {table.spelled} {wanted}", _VALIDATES, statement, keeps=keeps),))


def primary_key(live: Live, wish: Wish) -> Answer:
    """A PRIMARY KEY, and NOT NULL for its columns."""
    table = live.table(wish.words[0])
    columns = plain_columns(table, wish.words[1])
    if columns is None:
        raise UsageError("a primary key is of columns", hint="name them: a, b")
    there = next((c for c in table.own if c.type == "p"), None)
    if there is not None and there.columns != columns:
        raise Refused(
            f"{table.spelled} has a primary key: {quote(there.name)} on {column_list(there.columns)}",
            hint="one that is there is dropped by a migration of its own first",
        )
    if there is not None:
        return Answer((), (f"{table.spelled} has it already: the primary key {quote(there.name)}",))
    first: list[Step] = []
    notes: tuple[str, ...] = live.offending(twice(table, columns, ""), "a twin", fails="the file that builds its index")
    for name in columns:
        column = table.column(name)
        if not (column.is_not_null and column.is_not_null_valid):
            first += not_null_steps(live, table, column)
            query = f"SELECT FROM {table.spelled} WHERE {quote(name)} IS NULL"
            notes = (*notes, *live.offending(query, f"no {name}"))
    answer = constraint(live, table, wish, columns, "PRIMARY KEY", notes)
    return Answer((*first, *answer.steps), answer.notes)


_ACTIONS = {
    "cascade": "CASCADE",
    "restrict": "RESTRICT",
    "set-null": "SET NULL",
    "set-default": "SET DEFAULT",
    "no-action": "",
}


def foreign_key(live: Live, wish: Wish) -> Answer:
    """A foreign key, and an index on its columns where there is none."""
    table, columns = live.place(wish.words[0])
    other, to = _referenced(live, wish.words[1])
    if not to:
        to = next((tuple(c.columns) for c in other.own if c.type == "p"), ())
        if not to:
            raise UsageError(f"{other.spelled} has no primary key", hint=f"name the columns: {other.spelled}.COLUMN")
    actions = "".join(
        f" ON {event} {_ACTIONS[action]}"
        for event, action in (("DELETE", wish.on_delete), ("UPDATE", wish.on_update))
        if _ACTIONS.get(action)
    )
    _refuse_no_key(other, to)
    copy = copy_names(table, other)[1]
    made = f"FOREIGN KEY {column_list(columns)} REFERENCES {quote(copy)} {column_list(to)}{actions}"
    default, _ = live.constraint(f"ALTER TABLE {quote(table.name)} ADD {made}", table, other)
    pairs = sorted(zip(columns, to, strict=True))
    for one in table.own:
        is_to_it = one.type == "f" and one.to_oid == other.relation.oid
        if is_to_it and pairs == sorted(zip(one.columns, one.to_columns, strict=True)):
            there = _key_is_there(table, one, actions, is_second=bool(wish.name))
            if there is not None:
                return there
    name = live.chosen(wish.name, default, table.relation.schema)
    key = f"FOREIGN KEY {column_list(columns)} REFERENCES {other.spelled} {column_list(to)}{actions}"
    steps: list[Step] = []
    if not any(
        i.is_valid and not i.is_partial and set(i.columns[: len(columns)]) == set(columns) for i in table.indexes
    ):
        why = f"Without it, each change of a key in {other.spelled} reads all of {table.spelled}."
        steps.append(index_step(live, table, identifiers(columns), why=why))
    if table.is_partitioned and not NOT_VALID_KEYS_OF_PARTITIONED.is_in(live.version):
        steps += _key_of_partitioned(live, table, name, key)
    else:
        steps += _key(table.relation, other.relation, name, key)
    filled = " AND ".join(f"r.{quote(c)} IS NOT NULL" for c in columns)
    matches = " AND ".join(f"k.{quote(k)} = r.{quote(c)}" for c, k in zip(columns, to, strict=True))
    without = f"NOT EXISTS (SELECT FROM {other.spelled} AS k WHERE {matches})"
    orphans = f"SELECT FROM {table.spelled} AS r WHERE {filled} AND {without}"
    return Answer(tuple(steps), live.offending(orphans, f"no row in {other.spelled}"))


def _key_is_there(table: Table, one: Constraint, actions: str, *, is_second: bool) -> Answer | None:
    it = f"{table.spelled} has that key already: {quote(one.name)}"
    asked = re.compile(r" ON (DELETE|UPDATE) ([A-Z]+(?: NULL| DEFAULT)?)")
    have, want = (dict(asked.findall(text)) for text in (one.definition, actions))
    is_enforced = not one.definition.endswith(NOT_ENFORCED)
    if have != want or not is_enforced:
        if is_second:
            return None
        there = ", ".join(f"ON {event} {action}" for event, action in have.items()) or "no action"
        there = f"with {there}" if is_enforced else "NOT ENFORCED"
        raise Refused(f"{it}, {there}", hint="--name NAME makes a second one; drop the first then")
    more = "" if one.is_valid else f", NOT VALID: wflo-schema new --recipe validate {table.spelled} {quote(one.name)}"
    return Answer((), (f"{it}{more}",))


def _referenced(live: Live, written: str) -> tuple[Table, tuple[str, ...]]:
    """A table alone, or with columns; of ``a.b`` both may be meant."""
    names = re.findall(NAME, written)
    try:
        return live.place(written)
    except UsageError as error:
        if "(" in written or len(names) > 2 or "," in written:
            raise
        try:
            return live.table(written), ()
        except UsageError:
            raise (error if len(names) > 1 else UsageError(error.message, hint=error.hint)) from None


def _refuse_no_key(other: Table, to: tuple[str, ...]) -> None:
    if not any(
        i.is_unique and i.is_valid and not i.is_partial and not i.has_expressions and sorted(i.columns) == sorted(to)
        for i in other.indexes
    ):
        raise Refused(
            f"{other.spelled} has no unique key on {column_list(to)}, so nothing may reference it",
            hint=f"first: wflo-schema new --recipe unique {other.spelled} {identifiers(to)!r}",
        )


def _key(table: Relation, other: Relation, name: str, key: str) -> list[Step]:
    alter, it = f"ALTER TABLE {table.spelled}", quote(name)
    what = f"foreign key {name} of {table.spelled}"
    why = f"Stops writers of {table.spelled} and {other.spelled} for a moment. {_UNPROVEN}"
    add, drop = f"{alter} ADD CONSTRAINT {it} {key} NOT VALID;", f"{alter} DROP CONSTRAINT {it};"
    return [
        Step(f"{what}: new rows", why, add, drop),
        Step(f"{what}: validate", _VALIDATES, f"{alter} VALIDATE CONSTRAINT {it};", keeps=_PROVEN),
    ]


def _key_of_partitioned(live: Live, table: Table, name: str, key: str) -> list[Step]:
    """Before 18 such a key cannot be NOT VALID: its partitions get theirs first, and it takes them over."""
    what, it = f"foreign key {name} of {table.spelled}", quote(name)
    adds, validates, drops = [], [], []
    for leaf in table.leaves:
        alter = f"ALTER TABLE {leaf.spelled}"
        if any(c.name == name for c in live.of(leaf).own):
            raise Refused(f"the partition {leaf.spelled} has a constraint {it} already", hint="take another --name")
        adds.append(f"{alter} ADD CONSTRAINT {it} {key} NOT VALID;")
        validates.append(f"{alter} VALIDATE CONSTRAINT {it};")
        drops.append(f"{alter} DROP CONSTRAINT {it};")
    whole = f"ALTER TABLE {table.spelled} ADD CONSTRAINT {it} {key};"
    each = "Each partition by itself, so that no lock is held for longer than one takes."
    again = [*adds, *validates]
    return [
        Step(
            f"{what}: new rows of each partition",
            f"{_UNPROVEN} {each}",
            "\n".join(adds),
            "\n".join(drops),
            alone=True,
            undo_alone=True,
        ),
        Step(
            f"{what}: validate each partition", f"{_VALIDATES} {each}", "\n".join(validates), keeps=_PROVEN, alone=True
        ),
        Step(
            what,
            "Takes over the keys of the partitions, which are proven, so no row is read.",
            whole,
            "\n".join((f"ALTER TABLE {table.spelled} DROP CONSTRAINT {it};", *again)),
            undo_why="The partitions get back their own.",
            undo_alone=True,
        ),
    ]
