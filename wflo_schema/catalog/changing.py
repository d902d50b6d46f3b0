"""Every statement that makes one catalog into another, also where that drops or rewrites what is there.

Hides what PostgreSQL cannot change in place, and what has to be dropped around such a change and made again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from wflo_schema.catalog.altering import (
    alter_attribute,
    drop,
    exchange_enum,
    labels_of,
    losses_of_drop,
    notes_on,
    terse,
)
from wflo_schema.catalog.compare import differences
from wflo_schema.catalog.counting import handings
from wflo_schema.catalog.making import (
    WRITTEN_WITH_TABLE,
    TablePlan,
    at_once,
    attach,
    only,
)
from wflo_schema.catalog.mend import ABSENT, EXTRA, NAME, RANK, Place, mend_absent
from wflo_schema.catalog.objects import (
    GLOBAL,
    NOTHING,
    OF_RELATION,
    RELATIONS,
    TABLES,
    VIEWS,
    Catalog,
    Difference,
    Key,
    Object,
    Path,
    as_key,
    table_of,
)
from wflo_schema.catalog.order import mentions, placed_in_order, token
from wflo_schema.names import quote


@dataclass(frozen=True, slots=True)
class Statement:
    """One step of a change: its SQL, which may be several statements, and what a reader must know.

    ``kind`` and ``object`` say what it is about; ``loses`` which data it takes away for good, ``notes`` what may
    stop it, or hurt, where there are rows.
    """

    kind: str
    object: str
    text: str
    loses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    key: Key = ("", ())


@dataclass(frozen=True, slots=True)
class Change:
    """Statements in the order in which they run, and differences for which there is none."""

    statements: tuple[Statement, ...]
    undone: tuple[Difference, ...] = ()


# What CREATE TABLE makes of a constraint.
_INSIDE = frozenset({"definition", "referenced index"})

# Dropped and made again where PostgreSQL cannot alter it: nothing is kept in it.
_REMADE = frozenset(
    {"view", "materialized view", "function", "procedure", "aggregate", "operator", "cast", "collation", "conversion"}
    | {"transform", "statistics", "index", "constraint", "trigger", "rule", "policy", "event trigger", "publication"}
    | {"text search configuration", "text search dictionary", "text search template", "text search parser"}
    | {"operator class", "operator family", "type", "language", "user mapping"}
)

# Attributes that nothing is remade for.
_BESIDE = frozenset({"owner", "privileges", "comment"})

# What is told, and mended, with another attribute of the same object.
_TOLD_WITH = {("column", "collation"): ("type",), ("view", "options"): ("definition",)} | {
    (kind, attribute): ("definition",)
    for kind in ("trigger", "rule", "policy", "event trigger")
    for attribute in ("enabled", "comment")
}

# What others are in: dropped when all else is gone.
_LAST = frozenset(
    {"schema", "extension", "foreign data wrapper", "foreign server", "language", "access method", "user mapping"}
)


def change_statements(have: Catalog, want: Catalog, *, remade: Collection[Key] = ()) -> Change:
    """Say with which statements ``have`` becomes ``want``, in one transaction.

    ``remade`` are objects that PostgreSQL is known to refuse to replace or alter in place.  Differences that are only
    cosmetic are left alone.
    """
    return _Change(have, want, frozenset(remade)).made()


class _Change:
    """``gone`` is what is taken away first, ``silent`` what goes without a statement of its own."""

    def __init__(self, have: Catalog, want: Catalog, remade: frozenset[Key]) -> None:
        self.want, self.remade = want, remade
        self.version = have.server_version
        self.has = {one.key: one for one in have.objects}
        found, self.sides = differences(have, want)
        self.wants = self.sides.wants
        self.found = {p: d for p, d in found.items() if not d.cosmetic}
        named = {d.object for (_, attribute), d in found.items() if attribute == NAME}
        self.extra = {
            k: o for k, o in self.sides.extra.items() if not (k[0] in ("index", "constraint") and o.name in named)
        }
        self.pointed: dict[str, set[str]] = {}  # by table: those that its foreign keys, which go, point to
        for one in self.extra.values():
            to = re.search(r" REFERENCES (\S+?)\(", one.get("definition")) if one.kind == "constraint" else None
            if to is not None:
                self.pointed.setdefault(table_of(one), set()).add(to[1])
        self.gone: dict[Key, Object] = {}
        self.silent: dict[Key, Object] = {}
        self.cleared: dict[Key, Object] = {}
        self.exchanged: dict[Key, Object] = {}
        self.on: dict[Path, list[Key]] = {}
        for key, one in self.has.items():
            if one.kind in OF_RELATION:
                self.on.setdefault(one.path[:2], []).append(key)
        self.handings = handings(self.has, self.wants)
        self.handed = {h.old.key: h for h in self.handings.values() if h.old is not None}
        self.relations_by_name = {o.name: o.key for o in self.has.values() if o.kind in RELATIONS}
        self.mentions = {o.key: self._mentions(o) for o in have.objects}
        self.mentioned: dict[str, list[Key]] = {}
        for key, names in self.mentions.items():
            for name in names:
                self.mentioned.setdefault(name, []).append(key)

    def _mentions(self, one: Object) -> set[str]:
        found = mentions(one, EXTRA)
        if one.kind in TABLES:
            for column in self.sides.has_columns.get(one.path, ()):
                found |= mentions(column, EXTRA)
        return found - {token(one)}

    def made(self) -> Change:
        """All of it."""
        for (key, attribute), difference in list(self.found.items()):
            self._look_at(key, attribute, difference)
        new_names = {
            token(o) for o in self.sides.absent.values() if o.kind in RELATIONS | {"sequence", "type", "domain"}
        }
        for one in list(self.extra.values()):
            if one.kind in RELATIONS | {"sequence", "type", "domain"} and token(one) in new_names:
                self._remake(one)
            elif one.kind == "constraint":
                self._release_pointing(one)
        early, late = self._drops()
        middle, undone = self._rest()
        steps = [*self._cleared(), *early, *self._exchanged(), *middle, *late]
        return Change(tuple(steps), tuple(undone))

    # --- what has to go first --------------------------------------------------------------------

    def _look_at(self, key: Key, attribute: str, difference: Difference) -> None:
        if attribute in (EXTRA, ABSENT, NAME) or key not in self.has or key not in self.wants:
            return
        had, wanted = self.has[key], self.wants[key]
        if had.kind == "column":
            if attribute in ("type", "collation"):
                self._release_column(had, is_rewritten=True)
            elif attribute == "generated" and not alter_attribute(had, wanted, attribute, self.sides):
                self._remake_column(had)
            return
        if had.kind == "type" and attribute == "definition" and had.get("definition").startswith("ENUM"):
            if (not difference.mend or key in self.remade) and wanted.get("definition").startswith("ENUM"):
                self._exchange(had)
            return
        if key in self.remade or (attribute == "definition" and had.kind in ("index", "constraint")):
            self._remake(had)
        elif attribute == "definition" and had.kind == "view":
            names = {k[1][2] for k in self.has if k[0] == "column" and k[1][:2] == had.path}
            if not names <= {k[1][2] for k in self.wants if k[0] == "column" and k[1][:2] == had.path}:
                self._remake(had)
        elif self._is_remade(had, wanted, attribute):
            self._remake(had)

    def _is_remade(self, had: Object, wanted: Object, attribute: str) -> bool:
        is_counted = attribute not in _BESIDE and had.kind in _REMADE
        return is_counted and not alter_attribute(had, wanted, attribute, self.sides)

    def _remake(self, one: Object) -> None:
        """Drop it before all else, with what depends on it; what is wanted is made again."""
        if one.key in self.gone or (one.follows and one.kind != "statistics"):
            return
        self.gone[one.key] = one
        for key in self.mentioned.get(token(one), ()):
            self._release(key)
        self._release_pointing(one)

    def _release_pointing(self, one: Object) -> None:
        """Make room below a key, which foreign keys point to."""
        if one.kind == "constraint" and one.get("definition").startswith(("PRIMARY KEY", "UNIQUE")):
            for key in self.mentioned.get(f"key of {table_of(one)}", ()):
                if key in self.has and not self._points_elsewhere(self.has[key], one):
                    self._release(key)

    def _points_elsewhere(self, foreign_key: Object, key: Object) -> bool:
        to = re.search(r" REFERENCES [^(]*\(([^()]*)\)", foreign_key.get("definition"))
        own = re.search(r"\(([^()]*)\)", key.get("definition"))
        return to is not None and own is not None and set(to[1].split(", ")) != set(own[1].split(", "))

    def _release(self, key: Key) -> None:
        """Make room below what depends on something that is dropped and made again."""
        one = self.has[key]
        if one.kind == "column":
            if one.get("generated"):
                self._remake_column(one)
            elif one.get("default"):
                self.cleared[key] = one
        elif one.kind in _REMADE and one.kind != "type":
            self._remake(one)

    def _remake_column(self, column: Object) -> None:
        if column.key in self.gone or column.follows:
            return
        self.gone[column.key] = column
        self._release_column(column, is_rewritten=False)

    def _release_column(self, column: Object, *, is_rewritten: bool) -> None:
        """Make room around a column that gets another type, or is dropped and made again."""
        word = _word(column.path[2])
        table = table_of(column)
        if is_rewritten and column.get("default") and column.key not in self.cleared:
            self.cleared[column.key] = column
        for key in [*self.mentioned.get(table, ()), *self.on.get(column.path[:2], ())]:
            one = self.has[key]
            if key == column.key or one.follows or not any(word.search(t) for n, t in one.attributes if n != "comment"):
                continue
            if one.kind in ("index", "constraint"):
                is_changed = (key, "definition") in self.found or self.wants.get(key) is None
                if one.path[:2] != column.path[:2]:
                    is_changed = is_changed or not is_rewritten
                elif not is_rewritten:
                    self.silent[key] = one
                    self._remake(one)
                    continue
                if is_changed:
                    self._remake(one)
            elif one.kind == "column" and one.path[:2] == column.path[:2] and one.get("generated"):
                self._remake_column(one)
            elif one.kind in _REMADE and one.kind != "type":
                self._remake(one)

    def _exchange(self, enum: Object) -> None:
        """Put a new type in its place, which all columns take."""
        if enum.key in self.exchanged:
            return
        self.exchanged[enum.key] = enum
        for key in list(self.mentioned.get(token(enum), ())):
            one = self.has[key]
            if one.kind == "column" and not one.get("generated"):
                self._release_column(one, is_rewritten=True)
            if one.kind != "column" or one.get("generated"):
                self._release(key)

    def _columns_of(self, type_: Object) -> list[Object]:
        names = (type_.name, f"{type_.name}[]")
        found = (o for o in self.has.values() if o.kind == "column" and o.get("type") in names and not o.follows)
        return [o for o in found if o.key not in self.gone]

    # --- drops -----------------------------------------------------------------------------------

    def _stays(self, key: Key) -> bool:
        one = self.has[key]
        if key in self.gone or key in self.extra:
            return False
        if one.kind in OF_RELATION:
            for kind in RELATIONS:
                place = (kind, one.path[:2])
                if place in self.gone or place in self.extra:
                    return False
        return not (one.follows and not self._stays_if_there(as_key(one.follows)))

    def _stays_if_there(self, key: Key) -> bool:
        return key not in self.has or self._stays(key)

    def _drops(self) -> tuple[list[Statement], list[Statement]]:
        leaving = {**self.extra, **self.gone}
        late: set[Key] = set()
        waiting = [k for k in self.extra if self._is_held(k)]
        while waiting:
            key = waiting.pop()
            if key in late:
                continue
            late.add(key)
            held = self.mentions.get(key, set())
            waiting += [k for k, o in self.extra.items() if k not in late and k != key and token(o) in held]
        told = [o for k, o in leaving.items() if not self._goes_with_another(o, leaving)]
        ordered = self._dependents_first(told)
        early = [self._drop(o) for o in ordered if o.key not in late or o.key in self.gone]
        return early, [self._drop(o) for o in ordered if o.key in late and o.key not in self.gone]

    def _is_held(self, key: Key) -> bool:
        """Whether something that stays, and changes, lets it go only then."""
        one = self.extra[key]
        if one.kind in _LAST or key in self.handed:
            return True
        if one.kind == "column":
            word = _word(one.path[2])
            on_it = (*self.mentioned.get(table_of(one), ()), *self.on.get(one.path[:2], ()))
            users = (k for k in on_it if k != key and k not in self.cleared and self._stays(k))
            return any(
                word.search(text)
                for k in users
                if self.has[k].kind not in ("index", "constraint", "table")
                for name, text in self.has[k].attributes
                if name not in ("comment", "identity sequence")
            )
        return any(
            self._stays(k) and (k not in self.cleared or self._holds_type(k, one))
            for k in self.mentioned.get(token(one), ())
        )

    def _holds_type(self, key: Key, one: Object) -> bool:
        return one.name in self.has[key].get("type")

    def _goes_with_another(self, one: Object, leaving: dict[Key, Object]) -> bool:
        if one.key in self.silent:
            return True
        if one.follows and as_key(one.follows) in leaving:
            return True
        if one.kind in OF_RELATION:
            if any((kind, one.path[:2]) in leaving for kind in RELATIONS):
                # a foreign key to a table that goes, too, is in the way of its drop; so is a rule or a policy
                return not (self._references(one, leaving) or self._reads_another(one, leaving))
            if one.kind in ("index", "constraint") and one.key in self.extra:
                columns = [o for o in self.extra.values() if o.kind == "column" and o.path[:2] == one.path[:2]]
                text = one.get("definition").partition(" REFERENCES ")[0]
                return any(_word(c.path[2]).search(text) for c in columns) and not self._is_pointed_at(one)
            if one.kind == "column" and not one.get("type"):
                return True
            return one.kind.startswith("inherited")
        return False

    def _is_pointed_at(self, one: Object) -> bool:
        return one.kind == "constraint" and f"key of {table_of(one)}" in self.mentioned

    def _references(self, one: Object, leaving: dict[Key, Object]) -> bool:
        """Whether it is a foreign key to a table that goes as well, and is in a circle of such."""
        to = re.search(r" REFERENCES (\S+?)\(", one.get("definition")) if one.kind == "constraint" else None
        if to is None or to[1] == table_of(one):
            return False
        return self._is_in_circle(table_of(one), to[1])

    def _reads_another(self, one: Object, leaving: dict[Key, Object]) -> bool:
        """Whether it is a rule or a policy of a table, and names another table that goes as well."""
        if one.kind not in ("rule", "policy") or ("table", one.path[:2]) not in leaving:
            return False
        return any(self.relations_by_name.get(n) in leaving for n in self.mentions[one.key] - {table_of(one)})

    def _is_in_circle(self, table: str, other: str) -> bool:
        reached: set[str] = set()
        left = [other]
        while left:
            new = self.pointed.get(left.pop(), set()) - reached
            reached |= new
            left += new
        return table in reached

    def _needs_of_drop(self, one: Object) -> set[str]:
        """Names of what it depends on, and must be gone before."""
        found = set(self.mentions[one.key])
        if one.kind in RELATIONS:
            for key in self.on.get(one.path, ()):
                is_alone = key[0] in ("rule", "policy") and one.kind == "table"  # see `_reads_another`
                if not is_alone and (key[0] != "column" or self.has[key].get("type")):
                    found |= {n for n in self.mentions[key] if not n.startswith("key of ")}
                    found |= {f"{n.removeprefix('key of ')}" for n in self.mentions[key] if n.startswith("key of ")}
        return found

    def _dependents_first(self, told: Iterable[Object]) -> list[Object]:
        usual = sorted(told, key=lambda o: (-RANK[o.kind], not o.get("definition").startswith("FOREIGN KEY"), o.path))
        by_name: dict[str, list[Object]] = {}
        for one in usual:
            by_name.setdefault(token(one), []).append(one)
            if one.kind == "constraint" and one.get("definition").startswith(("PRIMARY KEY", "UNIQUE")):
                by_name.setdefault(f"key of {table_of(one)}", []).append(one)
        before: dict[Key, list[Object]] = {o.key: [] for o in usual}  # what depends on it, and goes first
        for one in usual:
            for name in self._needs_of_drop(one):
                for other in by_name.get(name, ()):
                    if other.key != one.key:
                        before[other.key].append(one)
        done: dict[Key, Object] = {}
        open_: set[Key] = set()

        def visit(one: Object) -> None:
            if one.key in done or one.key in open_:
                return
            open_.add(one.key)
            for other in before[one.key]:
                visit(other)
            done[one.key] = one

        for one in usual:
            visit(one)
        return list(done.values())

    def _drop(self, one: Object) -> Statement:
        loses = losses_of_drop(one) if one.key in self.extra or one.kind == "column" else ()
        text = drop(one)
        if one.kind == "column" and ("foreign table", one.path[:2]) in self.has:
            loses = ()
        handed = self.handed.get(one.key)
        if handed is not None:
            loses, text = (), drop(handed.old_aside or one)
        notes: tuple[str, ...] = ()
        if one.key in self.gone and one.key in self.wants and one.kind in VIEWS | {"function", "procedure"}:
            notes = ("it is made again below; a grant that is not written there is lost",)
        return Statement(one.kind, one.name, text, loses, notes, one.key)

    # --- what is altered and made ----------------------------------------------------------------

    def _cleared(self) -> Iterator[Statement]:
        for key, one in self.cleared.items():
            if key not in self.gone and self._stays(key):
                text = f"ALTER TABLE {table_of(one)} ALTER COLUMN {quote(one.path[2])} DROP DEFAULT;"
                yield Statement(one.kind, one.name, text, key=key)

    def _exchanged(self) -> Iterator[Statement]:
        for key, had in self.exchanged.items():
            wanted = self.wants[key]
            columns = [c for c in self._columns_of(had) if self._stays(c.key)]
            removed = [label for label in labels_of(had) if label not in labels_of(wanted)]
            notes: tuple[str, ...] = ()
            if removed and columns:
                notes = (f"fails where a row has {' or '.join(removed)}",)
            if columns:
                notes += ("rewrites the tables of this type, and nobody can use them meanwhile",)
            yield Statement("type", had.name, exchange_enum(had, wanted, columns), (), notes, key)

    def _middle_catalog(self) -> tuple[Catalog, dict[Place, str], dict[Place, set[str]]]:
        """What is there once that has gone, and tables and sequences are made; with what makes these."""
        there: dict[Key, Object] = {}
        for key, one in self.has.items():
            if not self._stays(key):
                continue
            if key in self.cleared:
                one = replace(one, attributes=tuple(a for a in one.attributes if a[0] != "default"))
            elif key in self.exchanged:
                one = replace(one, attributes=self.wants[key].attributes)
            there[key] = one
        making, needs = _Tables(self.want, there).made(self.sides.absent, self.wants, self.gone)
        for handing in self.handings.values():
            if handing.is_made_with_identity and handing.new is not None:
                needs[handing.new.key, ABSENT].add(f"no identity {handing.wanted.name}")
        return Catalog(tuple(sorted(there.values(), key=lambda o: o.key)), self.version), making, needs

    def _rest(self) -> tuple[list[Statement], list[Difference]]:
        middle, making, needs = self._middle_catalog()
        found, sides = differences(middle, self.want)
        found = {p: d for p, d in found.items() if not d.cosmetic}
        for place in making:
            one = self.wants[place[0]]
            found[place] = Difference(one.kind, one.name, "", NOTHING, one.name, making[place])
        for place, difference in list(found.items()):
            key, attribute = place
            if (
                place not in making
                and attribute not in (EXTRA, ABSENT, NAME)
                and key in sides.has
                and key in sides.wants
            ):
                text = alter_attribute(sides.has[key], sides.wants[key], attribute, sides)
                found[place] = replace(difference, mend=text or difference.mend)
            elif attribute == EXTRA:
                del found[place]
        for key, attribute in list(found):
            if any((key, other) in found for other in _TOLD_WITH.get((key[0], attribute), ())):
                del found[key, attribute]
        new = frozenset(path for (kind, path), _ in making if kind in TABLES)
        with_identity = {h.new.key for h in self.handings.values() if h.new is not None and h.had.get("identity")}
        steps: list[Statement] = []
        undone: list[Difference] = []
        for (key, attribute), difference in placed_in_order(found, sides, needs=needs):
            text = terse(at_once(difference.mend), key[0])
            if key[0] == "extension" and attribute == ABSENT and key not in self.remade:
                text = f"CREATE EXTENSION {self.wants[key].name} WITH SCHEMA {quote(self.wants[key].get('schema'))};"
            if not text:
                undone.append(difference)
                continue
            had, wanted = self.has.get(key), self.wants[key]
            if key in with_identity and attribute == ABSENT:
                continue
            if any(step.text == text and step.key == key for step in steps):
                continue
            loses, notes = notes_on(had, wanted, attribute) if wanted.path[:2] not in new else ((), ())
            if key in self.handings and attribute in ("identity", "default"):
                text, loses = self._handed_on(key, attribute, text, making), ()
            steps.append(Statement(difference.kind, difference.object, text, loses, notes, key))
        return steps, undone

    def _handed_on(self, column: Key, attribute: str, text: str, making: dict[Place, str]) -> str:
        """With what lets a sequence that is new for a column go on where the one before it stands."""
        handing = self.handings[column]
        create = making.get((handing.new.key, ABSENT), "") if handing.new is not None else ""
        return handing.statements(attribute, text, terse(create, "sequence"))


class _Tables:
    """Tables, sequences and schemas that are made, and are taken to be there for all that follows."""

    def __init__(self, want: Catalog, there: dict[Key, Object]) -> None:
        self.want, self.there = want, there
        self.plan = TablePlan(want)
        self.joins: dict[Path, list[str]] = {}
        for table, text in self.plan.joins():
            self.joins.setdefault(table.path, []).append(text)
        self.on: dict[Path, list[Object]] = {}
        for one in want.objects:
            if one.kind in OF_RELATION:
                self.on.setdefault(one.path[:2], []).append(one)
        self.making: dict[Place, str] = {}
        self.needs: dict[Place, set[str]] = {}

    def made(
        self, absent: dict[Key, Object], wants: dict[Key, Object], gone: dict[Key, Object]
    ) -> tuple[dict[Place, str], dict[Place, set[str]]]:
        """Put what is made among what is there; return what makes it, and what that needs."""
        for key, one in absent.items():
            if one.kind == "schema":
                self._take(one, f"CREATE SCHEMA {one.name};", set())
            elif one.kind == "sequence":
                self._sequence(one)
            elif one.kind in TABLES:
                self._table(one)
            if one.kind in VIEWS or (one.kind == "column" and key not in self.there):
                self._columns_of_view(one, wants)
        for one in gone.values():
            if one.kind in VIEWS:
                self._columns_of_view(one, wants)
        return self.making, self.needs

    def _take(self, one: Object, text: str, needs: set[str]) -> None:
        """As `making` has it, without attributes."""
        self.there[one.key] = replace(one, attributes=())
        self.making[one.key, ABSENT] = text
        self.needs[one.key, ABSENT] = needs | {f"free {token(one)}"} | self._schema_of(one)

    def _schema_of(self, one: Object) -> set[str]:
        return {quote(one.path[0])} if one.kind not in GLOBAL and len(one.path) > 1 else set()

    def _sequence(self, one: Object) -> None:
        bare = tuple(a for a in one.attributes if a[0] not in ("owned by", "comment", "owner", "privileges"))
        made = replace(one, attributes=bare, follows=())
        self._take(one, mend_sequence(made), set())
        self.there[one.key] = made

    def _table(self, one: Object) -> None:
        columns = [o for o in self.on.get(one.path, ()) if o.kind == "column"]
        columns.sort(key=lambda c: int(c.get("position") or 0))
        made = [self.plan.column_as_made(c) for c in columns]
        needs = mentions(one, ABSENT)
        for column in made:
            needs |= mentions(column, ABSENT) - {one.name}
        inside = [o for o in self.on.get(one.path, ()) if self._is_inside(o, needs)]
        self._take(one, self._create(one, columns, inside), needs)
        self.there[one.key] = only(one, WRITTEN_WITH_TABLE)
        for column, wanted in zip(made, columns, strict=True):
            self.there[column.key] = replace(column, follows=wanted.follows)
        for constraint in inside:
            self.there[constraint.key] = only(constraint, _INSIDE)
        if one.get("partition of"):
            self.there.update((o.key, o) for o in self.on.get(one.path, ()) if o.follows and o.kind != "column")

    def _is_inside(self, one: Object, needs: set[str]) -> bool:
        """Whether it is a constraint that CREATE TABLE can say itself."""
        if one.kind != "constraint" or one.follows or any(one.get(n) for n in ("validated", "enforced", "inherited")):
            return False
        is_of_rows = one.get("definition").startswith(("PRIMARY KEY", "UNIQUE", "CHECK"))
        return is_of_rows and mentions(one, ABSENT) - {table_of(one)} <= needs

    def _create(self, one: Object, columns: list[Object], inside: list[Object]) -> str:
        said = one.get("partition of")
        constraints = [f"CONSTRAINT {quote(o.path[2])} {o.get('definition')}" for o in inside]
        if not said:
            return "\n".join((self.plan.create(one, constraints), *self.joins.get(one.path, ())))
        parent = max((t.name for t in self.plan.tables.values() if said.startswith(f"{t.name} ")), key=len, default="")
        is_plain = bool(parent) and not inside and all(self._is_like_parent(c) for c in columns)
        if not is_plain:
            return "\n".join((self.plan.create(one, constraints), attach(one, self.plan.tables)))
        kind = "UNLOGGED TABLE" if one.get("persistence") == "UNLOGGED" else one.kind.upper()
        words = (
            f"CREATE {kind} {one.name} PARTITION OF {parent} {said[len(parent) + 1 :]}",
            f"PARTITION BY {one.get('partition key')}" if one.get("partition key") else "",
            f"USING {one.get('access method')}" if one.get("access method") else "",
            f"SERVER {quote(one.get('server'))}" if one.get("server") else "",
            f"OPTIONS ({one.get('foreign options')})" if one.get("foreign options") else "",
            f"WITH ({one.get('options')})" if one.get("options") else "",
        )
        return " ".join(filter(None, words)) + ";"

    def _is_like_parent(self, column: Object) -> bool:
        above = self.want.find(column.follows[0], *column.follows[1:]) if column.follows else None
        if above is None:
            return False
        apart = ("position", "comment", "identity sequence", "not null constraint", "owner", "privileges")
        one, other = (tuple(a for a in o.attributes if a[0] not in apart) for o in (column, above))
        return one == other

    def _columns_of_view(self, one: Object, wants: dict[Key, Object]) -> None:
        view = one.path[:2]
        if not any((kind, view) in wants for kind in VIEWS):
            return
        for o in self.on.get(view, ()):
            if o.kind == "column" and o.key not in self.there:
                self.there[o.key] = replace(o, attributes=())


def mend_sequence(one: Object) -> str:
    """Write CREATE SEQUENCE."""
    sides = differences(Catalog(()), Catalog((one,)))[1]
    return mend_absent(one, sides)


def _word(name: str) -> re.Pattern[str]:
    """A name standing alone."""
    return re.compile(rf"""(?<![\w$"]){re.escape(quote(name))}(?![\w$"])""")
