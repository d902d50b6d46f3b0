"""Whole tables: made a partitioned one without copying a row, and dropped without locking others for long."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wflo_schema.connect.queries import fetch
from wflo_schema.errors import Refused, UsageError
from wflo_schema.names import NAME, identifiers, quote
from wflo_schema.recipes.columns import MOMENT, identity
from wflo_schema.recipes.constraints import not_null_steps
from wflo_schema.recipes.hanging import granted_alike
from wflo_schema.recipes.indexes import taken_over
from wflo_schema.recipes.live import Constraint, Live, Relation, Table, behind_table
from wflo_schema.recipes.twins import at_once
from wflo_schema.recipes.values import Answer, Step, Wish
from wflo_schema.words import listed

# The first list of columns in the definition of an index or a constraint.
_LIST = re.compile(rf"\((?P<list>{NAME}(?:, {NAME})*)\)")


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a table is neither a column nor a constraint nor an index."""

    owner: str
    comment: str
    has_row_security: bool
    is_unlogged: bool
    options: str
    is_published: bool
    has_parent: bool
    grants: list[str]


# dropping


def drop_table(live: Live, wish: Wish) -> Answer:
    """A table is dropped, once no version of the application that runs knows it."""
    table = live.table(wish.words[0])
    users = sorted({name for _, name in table.dependents if not name.startswith(("generated column", "statistics"))})
    users = [u for u in users if not u.startswith(("policy", "trigger"))]
    if users:
        raise Refused(f"{table.spelled} is used by {listed(users)}", hint="first a migration that drops them")
    if table.below:
        below = listed(one.spelled for one, _ in table.below)
        raise Refused(f"{table.spelled} has partitions or children: {below}", hint="drop each of these first")
    if table.relation.is_partition:
        raise Refused(f"{table.spelled} is a partition", hint="first ALTER TABLE … DETACH PARTITION … CONCURRENTLY")
    steps = [
        _drop_key(live.relation(c.of_oid), c, live.relation(c.to_oid))
        for c in (*table.pointing, *table.own)
        if c.type == "f"
    ]
    (rest,) = fetch(live.connection, _Rest, "recipes", "table", {"oid": table.relation.oid})
    made, again = _made_again(live, table, rest)
    steps.append(
        Step(
            f"drop table {table.spelled}",
            f"Only when no version of the application that runs uses it. {MOMENT}",
            f"DROP TABLE {table.spelled};",
            made,
            undo_why="loses data: the rows are not there any more.",
            is_after_deploy=True,
            loses=True,
        )
    )
    return Answer(tuple(steps), again)


def _drop_key(table: Relation, key: Constraint, other: Relation) -> Step:
    alter, name = f"ALTER TABLE {table.spelled}", quote(key.name)
    add = f"{alter} ADD CONSTRAINT {name} {key.definition.removesuffix(' NOT VALID')} NOT VALID;"
    back = f"{add}\n{alter} VALIDATE CONSTRAINT {name};" if key.is_valid else add
    return Step(
        f"drop foreign key {key.name} of {table.spelled}",
        f"By itself, because it stops everybody on {table.spelled} and {other.spelled} at once, for a moment.",
        f"{alter} DROP CONSTRAINT {name};",
        back,
        undo_alone=True,
        is_after_deploy=True,
    )


def _made_again(live: Live, table: Table, rest: _Rest) -> tuple[str, tuple[str, ...]]:
    """The statements that make a table as it is, without keys to others, and what they leave out."""
    from wflo_schema.catalog.making import making_statements
    from wflo_schema.catalog.objects import OF_RELATION, Catalog
    from wflo_schema.catalog.read import read_catalog

    found = read_catalog(live.connection, schemas=(table.relation.schema,))
    place = (table.relation.schema, table.name)
    kept = [
        o
        for o in found.objects
        if (o.path[:2] == place and (o.kind in OF_RELATION or o.kind == "table"))
        or (o.kind == "sequence" and o.follows[1:3] == place)
    ]
    kept = [o for o in kept if not (o.kind == "constraint" and o.get("definition").startswith("FOREIGN KEY"))]
    statements, left = making_statements(Catalog(tuple(kept), found.server_version))
    granted = [f"GRANT {g.replace(' TO ', f' ON {table.spelled} TO ', 1)};" for g in rest.grants]
    owner = [f"ALTER TABLE {table.spelled} OWNER TO {rest.owner};"] if rest.owner else []
    return "\n".join((*statements, *owner, *granted)), tuple(f"its rollback does not make: {one}" for one in left)


# partitions


def partition(live: Live, wish: Wish) -> Answer:
    """A table becomes partitioned: the one that is there is its first partition, and no row is copied."""
    table, by = live.table(wish.words[0]), wish.words[1].strip()
    found = re.fullmatch(r"(?P<how>range|list|hash)\s*\((?P<keys>.*)\)", by, re.IGNORECASE | re.DOTALL)
    if found is None:
        raise UsageError(f"{by!r} is not how a table is partitioned", hint="write 'RANGE (COLUMN)' or 'LIST (COLUMN)'")
    keys = [table.column(k.strip()).name for k in found["keys"].split(",")]
    how = found["how"].upper()
    if how == "HASH":
        raise Refused("every row would have to be moved to the partition of its hash", hint="take RANGE or LIST")
    if table.is_partitioned:
        return Answer((), (f"{table.spelled} is partitioned already: {table.relation.partition_key}",))
    if wish.until and how != "RANGE":
        raise UsageError("--until is for RANGE", hint=f"without it {table.spelled} becomes the default partition")
    if wish.until and len(keys) > 1:
        raise UsageError("--until is for one column", hint=f"without it {table.spelled} becomes the default partition")
    (rest,) = fetch(live.connection, _Rest, "recipes", "table", {"oid": table.relation.oid})
    _refuse_partition(table, rest, keys)
    until = live.bound(table, how, keys, wish.until)
    return _Partitioning(live, table, rest, how, keys, until).answer()


def _refuse_partition(table: Table, rest: _Rest, keys: list[str]) -> None:
    of = table.spelled
    views = sorted(
        {name for _, name in table.dependents if name.startswith(("view", "materialized", "rule", "function"))}
    )
    pointing = [quote(c.name) for c in table.constraints if c.to_oid == table.relation.oid]
    methods = {i.name: i.method for i in table.indexes}
    excludes = [quote(c.name) for c in table.own if c.type == "x" or (c.type in "pu" and methods[c.index] != "btree")]
    loose = [quote(c.name) for c in table.own if not c.is_valid]
    own = [quote(c.name) for c in table.own if c.type == "c" and " NO INHERIT" in c.definition]
    uniques = [
        quote(i.name)
        for i in table.indexes
        if i.is_unique and not i.is_of_constraint and not set(keys) <= set(i.columns)
    ]
    invalid = [quote(i.name) for i in table.indexes if not i.is_valid]
    odd = [quote(g.name) for g in table.triggers if not g.is_plain]
    reasons = (
        (bool(table.below) or rest.has_parent, f"{of} inherits, or other tables inherit from it", "end that first"),
        (
            bool(views),
            f"{listed(views)} would go on reading the one partition",
            "drop them first, make them again later",
        ),
        (
            bool(pointing),
            f"keys point to {of}: {listed(pointing)}",
            "drop them first: they would need the partition's key, too",
        ),
        (rest.has_row_security, f"{of} has row security", "there is no recipe for it"),
        (rest.is_published, f"{of} is part of a publication", "there is no recipe for it"),
        (rest.is_unlogged, f"{of} is UNLOGGED, and a partitioned table cannot be", "there is no recipe for it"),
        (bool(excludes), f"{listed(excludes)} cannot be carried over", "drop that first"),
        (bool(loose), f"{listed(loose)} would have to read all rows", "first: wflo-schema new --recipe validate"),
        (bool(own), f"{listed(own)} is for one table alone", "make it again without NO INHERIT first"),
        (
            bool(uniques),
            f"the unique index {listed(uniques)} has not all of {identifiers(keys)} in it",
            "drop it first, or make a UNIQUE constraint of it",
        ),
        (bool(invalid), f"the index {listed(invalid)} is INVALID", "drop it first"),
        (bool(odd), f"the trigger {listed(odd)} is switched off, or has transition tables", "drop it first"),
    )
    for is_so, why, hint in reasons:
        if is_so:
            raise Refused(f"{of} cannot be made a partitioned table: {why}", hint=hint)


class _Partitioning:
    """The statements by which a table becomes the first partition of one that takes its name."""

    def __init__(self, live: Live, table: Table, rest: _Rest, how: str, keys: list[str], until: str) -> None:
        self.live, self.table, self.rest, self.how, self.keys, self.until = live, table, rest, how, keys, until
        schema = table.relation.schema
        self.old = live.free(f"{table.name}_{'before' if until else 'default'}", schema)
        self.rest_name = live.free(f"{table.name}_default", schema) if until else ""
        self.check = live.free(f"{table.name}_until", schema) if until else ""
        self.old_spelled = table.relation.beside(self.old)
        self.uniques = [
            (c, live.free(f"{c.name}_{keys[-1]}", schema))
            for c in table.own
            if c.type in "pu" and not set(keys) <= set(c.columns)
        ]
        self.again = {c.index: live.free(f"{self.old}_{c.index}_again", schema) for c, _ in self.uniques}
        self.moved = {i.name: live.free(f"{self.old}_{i.name}", schema) for i in table.indexes}
        self.sequences = {c.name: live.free(f"{self.old}_{c.name}_seq", schema) for c in table.columns if c.identity}

    # long: the files, one after the other
    def answer(self) -> Answer:
        table, live, of = self.table, self.live, self.table.spelled
        what, alter = f"partition {of}", f"ALTER TABLE {of}"
        steps: list[Step] = []
        needs = [table.column(quote(k)) for k in self.keys]
        for column in needs:
            if not column.is_not_null and (self.until or self.uniques or any(c.type == "p" for c in table.own)):
                steps += not_null_steps(live, table, column)
        for one, name in self.uniques:
            steps.append(
                Step(
                    f"{what}: index {name}",
                    f"What is unique in a partitioned table has {identifiers(self.keys)} in it. Built while all write.",
                    f"CREATE UNIQUE INDEX CONCURRENTLY {quote(name)} ON {of} {self._wider(self._index(one))};",
                    f"DROP INDEX CONCURRENTLY {table.relation.beside(name)};",
                    alone=True,
                    undo_alone=True,
                )
            )
        notes: tuple[str, ...] = tuple(
            f"{quote(one.name)} will be unique for {identifiers([*one.columns, *self.keys])} together only"
            for one, _ in self.uniques
        )
        if self.until:
            key, check = quote(self.keys[0]), quote(self.check)
            notes = (
                *notes,
                *live.offending(
                    f"SELECT FROM {of} WHERE {key} >= {self.until}", f"{self.keys[0]} from {self.until} on"
                ),
            )
            add = f"{alter} ADD CONSTRAINT {check} CHECK ({key} IS NOT NULL AND {key} < {self.until}) NOT VALID;"
            why = (
                f"The bound of the partition that {of} will be. Until the last of these files, no row beyond is taken."
            )
            steps.append(Step(f"{what}: its bound", why, add, f"{alter} DROP CONSTRAINT IF EXISTS {check};"))
            steps.append(
                Step(
                    f"{what}: validate",
                    "Reads the whole table, and nobody waits for it.",
                    f"{alter} VALIDATE CONSTRAINT {check};",
                    keeps="the rollback of the file before this one drops the constraint",
                )
            )
        proof = (
            "The constraint proves that all rows are in its bounds, so none is read."
            if self.until
            else ("As the default partition, and the only one, it may hold any row, so none is read.")
        )
        steps.append(
            Step(
                what,
                f"A partitioned table takes the name of {of}, which becomes its first partition. {proof} {MOMENT}",
                "\n".join(self.forward()),
                "\n".join(self.back()),
                undo_why="Rows of other partitions go back into it while everybody waits: do it while they are few."
                + (" The bound does not come back, for rows may be beyond it." if self.until else ""),
                undo_alone=True,
            )
        )
        return Answer(tuple(steps), notes)

    def forward(self) -> list[str]:
        t, of, old = self.table, self.table.spelled, self.old_spelled
        relation = t.relation
        found = [f"DROP TRIGGER {quote(g.name)} ON {of};" for g in t.triggers]
        for one, name in self.uniques:
            found.append(f"ALTER TABLE {of} DROP CONSTRAINT {quote(one.name)};")
            found.append(f"ALTER TABLE {of} {taken_over(one, self.moved[one.index], name)};")
        changed = {one.index for one, _ in self.uniques}
        for name, new in self.moved.items():
            if name not in changed:
                found.append(f"ALTER INDEX {relation.beside(name)} RENAME TO {quote(new)};")
        found.append(
            "-- lint: allow renamed because the partitioned table takes the name before anybody can ask for it"
        )
        found.append(f"ALTER TABLE {of} RENAME TO {quote(self.old)};")
        kinds = ("DEFAULTS", "GENERATED", "CONSTRAINTS", "STORAGE", "COMPRESSION", "COMMENTS")
        like = " ".join(f"INCLUDING {kind}" for kind in kinds)
        found.append(f"CREATE TABLE {of} (LIKE {old} {like}) PARTITION BY {self.how} ({identifiers(self.keys)});")
        if self.rest.owner:
            found.append(f"ALTER TABLE {of} OWNER TO {self.rest.owner};")
        found += self._identities(of, old, self.sequences)
        if self.check:
            found.append(f"ALTER TABLE {of} DROP CONSTRAINT IF EXISTS {quote(self.check)};")
        found += self._hung(of)
        bound = f"FOR VALUES FROM (MINVALUE) TO ({self.until})" if self.until else "DEFAULT"
        found.append(f"ALTER TABLE {of} ATTACH PARTITION {old} {bound};")
        if self.until:
            found.append(f"ALTER TABLE {old} DROP CONSTRAINT IF EXISTS {quote(self.check)};")
            options = f" WITH ({self.rest.options})" if self.rest.options else ""
            found.append(f"CREATE TABLE {relation.beside(self.rest_name)} PARTITION OF {of} DEFAULT{options};")
        return found

    def _index(self, one: Constraint) -> str:
        """The definition of a constraint's index behind the name of its table."""
        definition = behind_table(next(i.definition for i in self.table.indexes if i.name == one.index))
        return definition.removeprefix("USING btree ")

    def _wider(self, definition: str) -> str:
        """A definition whose first list of columns has those of the partition's key in it, too."""
        found = _LIST.search(definition)
        assert found is not None, definition
        columns = re.findall(NAME, found["list"])
        more = [k for k in map(quote, self.keys) if k not in columns]
        return f"{definition[: found.end('list')]}{''.join(f', {k}' for k in more)}{definition[found.end('list') :]}"

    def _hung(self, of: str) -> list[str]:
        """What hangs on the table, made anew on the partitioned one; a partition's own of the same kind joins it."""
        t, alter = self.table, f"ALTER TABLE {of}"
        found = []
        for one in t.own:
            if one.type in "pu":
                found.append(f"{alter} ADD CONSTRAINT {quote(one.name)} {self._wider(one.definition)};")
            elif one.type == "f":
                found.append(f"{alter} ADD CONSTRAINT {quote(one.name)} {one.definition};")
        for index in t.indexes:
            if not index.is_of_constraint:
                unique = "UNIQUE " if index.is_unique else ""
                found.append(f"CREATE {unique}INDEX {quote(index.name)} ON {of} {behind_table(index.definition)};")
        found += [f"{g.definition};" for g in t.triggers]
        found += [f"GRANT {g.replace(' TO ', f' ON {of} TO ', 1)};" for g in self.rest.grants]
        for column in t.columns:
            found += granted_alike(self.live, t, column, column.name)
        if self.rest.comment:
            text = self.rest.comment.replace("'", "''")
            found.append(f"COMMENT ON TABLE {of} IS '{text}';")
        return found

    def _identities(self, to: str, of: str, names: dict[str, str]) -> list[str]:
        """Numbers are given by the partitioned table from now on, and go on where they were."""
        found = []
        for column in self.table.columns:
            it = quote(column.name)
            if column.identity:
                own = self.table.relation.beside(names[column.name])
                there = self.table.relation.beside(column.sequence)
                found.append(f"ALTER TABLE {to} ALTER COLUMN {it} ADD {identity(column, own)};")
                literal, last = own.replace("'", "''"), f"(SELECT s.last_value FROM {there} AS s)"
                called = f"(SELECT s.is_called FROM {there} AS s)"
                found.append(f"SELECT setval('{literal}', {last}, {called});")
                found.append(f"ALTER TABLE {of} ALTER COLUMN {it} DROP IDENTITY;")
                found.append(f"ALTER SEQUENCE {own} RENAME TO {quote(column.sequence)};")
            elif column.sequence:
                found.append(f"ALTER SEQUENCE {self.table.relation.beside(column.sequence)} OWNED BY {to}.{it};")
        return found

    def back(self) -> list[str]:
        """Statements, each a transaction: what takes long comes before the exchange, or after it."""
        old, found = self.old_spelled, []
        for one, name in self.uniques:
            again, definition = quote(self.again[one.index]), self._index(one)
            found.append(f"CREATE UNIQUE INDEX CONCURRENTLY {again} ON {old} {definition};")
            found.append(f"CREATE UNIQUE INDEX CONCURRENTLY {quote(name)} ON {old} {self._wider(definition)};")
        found.append(at_once(self._back_at_once()))
        return found

    def _back_at_once(self) -> list[str]:
        t, of, old = self.table, self.table.spelled, self.old_spelled
        relation = t.relation
        columns = identifiers(c.name for c in t.columns if not c.generated)
        found = [f"ALTER TABLE {of} DETACH PARTITION {old};"]
        found += self._identities(old, of, self.sequences)
        found.append(f"INSERT INTO {old} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {of};")
        found.append(f"DROP TABLE {of};")
        found.append(f"ALTER TABLE {old} RENAME TO {quote(t.name)};")
        changed = {one.index for one, _ in self.uniques}
        for name, new in self.moved.items():
            if name not in changed:
                found.append(f"ALTER INDEX {relation.beside(new)} RENAME TO {quote(name)};")
        for one, _ in self.uniques:
            found.append(f"ALTER TABLE {of} DROP CONSTRAINT {quote(self.moved[one.index])};")
            found.append(f"ALTER TABLE {of} {taken_over(one, one.name, self.again[one.index])};")
        found += [f"{g.definition};" for g in t.triggers]
        return found
