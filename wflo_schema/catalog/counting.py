"""SQL by which the sequence that a column gets goes on where the one that it had stands.

Hides that a default, a serial column and an identity each name their sequence otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wflo_schema.catalog.making import identity_of
from wflo_schema.catalog.mend import SPELLED, lines
from wflo_schema.catalog.objects import Key, Object, table_of
from wflo_schema.names import qualified, quote

_NEXTVAL = re.compile(r"nextval\('((?:[^']|'')*)'::regclass\)")
_NUMBER = re.compile(r"(START WITH|INCREMENT BY) (-?\d+)")


@dataclass(frozen=True, slots=True)
class Handing:
    """A column that gets its numbers from another sequence.

    ``old`` is the sequence of its default, ``new`` the one that its default gets; an identity's is in the column.
    """

    had: Object
    wanted: Object
    old: Object | None
    new: Object | None

    @property
    def _from(self) -> str:
        """The sequence that it had, by the name that this has meanwhile."""
        old = _identity_sequence(self.had) or (self.old.name if self.old is not None else "")
        return old if old != self._to else qualified(*self._aside(old))

    @property
    def _to(self) -> str:
        return self.new.name if self.new is not None else _identity_sequence(self.wanted)

    def _aside(self, name: str) -> tuple[str, str]:
        schema, bare = (_bare(part) for part in re.findall(SPELLED, name))
        return schema, f"{bare[:58]}_old"

    @property
    def old_aside(self) -> Object | None:
        """The sequence of the default, by the name under which it is dropped."""
        if self.old is None or self.old.name != self._to:
            return self.old
        return Object(self.old.kind, self._aside(self.old.name), self.old.attributes)

    def _makes_room(self) -> Iterator[str]:
        old = _identity_sequence(self.had) or (self.old.name if self.old is not None else "")
        if self.old is not None and self.old.get("owned by") == self.wanted.name and self.wanted.get("identity"):
            yield f"ALTER SEQUENCE {old} OWNED BY NONE;"
        if old and old == self._to:
            yield f"ALTER SEQUENCE {old} RENAME TO {quote(self._aside(old)[1])};"

    @property
    def is_made_with_identity(self) -> bool:
        """Whether the new sequence is made while the identity that goes is still there."""
        return bool(self.had.get("identity")) and self.new is not None

    def statements(self, attribute: str, text: str, create: str) -> str:
        """What changes one attribute of the column, with what hands the value on; ``create`` makes the new sequence."""
        if attribute == "identity":
            if self.wanted.get("identity"):
                add = text.replace(self.wanted.get("identity"), identity_of(self.wanted))
                return lines(*self._makes_room(), add, self._set(self.wanted.get("identity")))
            return lines(*self._makes_room(), create, self._set(create), text)
        return text if self.had.get("identity") or self.wanted.get("identity") else lines(text, self._set(create))

    def _set(self, options: str) -> str:
        numbers = {name: int(number) for name, number in _NUMBER.findall(options)}
        start, is_down = numbers.get("START WITH", 1), numbers.get("INCREMENT BY", 1) < 0
        column, table = quote(self.wanted.path[2]), table_of(self.wanted)
        if self.new is not None:
            new = _text(self.new.name)
        else:
            new = f"pg_get_serial_sequence({_text(table)}, {_text(self.wanted.path[2])})"
        is_behind = f"{'<=' if is_down else '>='} {start}"
        if self._from:
            return f"SELECT setval({new}, last_value, is_called) FROM {self._from} WHERE last_value {is_behind};"
        last = f"{'min' if is_down else 'max'}({column})"
        return f"SELECT setval({new}, last) FROM (SELECT {last} AS last FROM {table}) AS had WHERE last {is_behind};"


def handings(has: Mapping[Key, Object], wants: Mapping[Key, Object]) -> dict[Key, Handing]:
    """The columns that get a sequence which is not there."""
    there, wanted_there = ({o.name: o for o in side.values() if o.kind == "sequence"} for side in (has, wants))
    found = {}
    for key, wanted in wants.items():
        had = has.get(key)
        if had is None or wanted.kind != "column" or (had.get("identity") and wanted.get("identity")):
            continue
        new = wanted_there.get(_sequence_of(wanted))
        if new is not None and new.key in has:
            continue
        if new is not None or wanted.get("identity"):
            found[key] = Handing(had, wanted, there.get(_sequence_of(had)), new)
    return found


def _sequence_of(column: Object) -> str:
    found = _NEXTVAL.search(column.get("default"))
    return found[1].replace("''", "'") if found is not None else ""


def _identity_sequence(column: Object) -> str:
    if not column.get("identity"):
        return ""
    schema, table, name = column.path
    return column.get("identity sequence") or qualified(schema, f"{table}_{name}_seq")


def _bare(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
