"""Where the repeatable files of many targets stand: equal ledgers are compared once, what they made is looked for once.

Hides that what many targets made bears the same few names.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from wflo_schema.connect.pipeline import Command
from wflo_schema.engine.kept import Kept
from wflo_schema.engine.repeatables import (
    RepeatableEntry,
    RepeatableState,
    Text,
    Thing,
    compare_repeatables,
    named_command,
)
from wflo_schema.files.folder import Migration

# By the id of a file, what its text made.
_Made = Mapping[str, Sequence[Thing]]


class Standing(NamedTuple):
    """What a ledger says of the texts that stand: as JSON, equal where the files are, and what each has made.

    ``is_down``: something of that was taken away, and is to be made again.
    """

    texts: str = "[]"
    made: _Made = MappingProxyType({})
    is_down: bool = False

    @classmethod
    def of(cls, is_down: str | None, texts: str | None, made: str | None) -> Standing:
        """As the server says it."""
        things = {id_: [Thing(*one) for one in those] for id_, those in json.loads(made or "{}").items()}
        return cls(texts or "[]", things, is_down == "t")


@dataclass(slots=True)
class _Named:
    """What in a database bears one of these names: types and identities."""

    names: set[str] = field(default_factory=set)
    found: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Repeated:
    """The repeatable files of a folder, in the targets of a fleet."""

    def __init__(self, files: Sequence[Migration]) -> None:
        self._files = files
        self.with_variables = [m.id for m in files if m.variables]
        """Ids of those whose text differs with what is given."""
        self._entries: dict[str, tuple[RepeatableEntry, ...]] = {}
        """By the texts: where each file stands if all is there that they made."""
        self._named: dict[str, _Named] = {}
        """By the database."""

    def compare(self, kept: Kept, found: Mapping[str, Standing]) -> dict[str, tuple[RepeatableEntry, ...]]:
        """Where each file stands in the schemas of this connection's database, without when and what was made.

        Those are left out of which that is not certain.  Raise `ConnectionLost`.
        """
        there = self._there(kept, (one.made for one in found.values()))
        if there is None:
            return {}
        entries = {}
        for schema, one in found.items():
            if not one.is_down:
                gone = {i for i, made in one.made.items() for t in made if (t.type, t.identity) not in there}
                entries[schema] = self._compared(one.texts, gone)
        return entries

    def _compared(self, texts: str, gone: set[str]) -> tuple[RepeatableEntry, ...]:
        """The same for these texts, where what some files made is gone."""
        entries = self._entries.get(texts)
        if entries is None:
            standing = {
                id_: [Text(id_, 1, checksum, content or "", (), 0, "", False, (), "")]
                for id_, checksum, content in json.loads(texts)
            }
            entries = self._entries[texts] = compare_repeatables(self._files, standing, ())
        if not gone:
            return entries
        return tuple(
            replace(e, state=RepeatableState.GONE) if e.id in gone and e.state is RepeatableState.APPLIED else e
            for e in entries
        )

    def _there(self, kept: Kept, made: Iterable[_Made]) -> set[tuple[str, str]] | None:
        """Types and identities of what bears a name of what was made; None where that cannot be told."""
        names = {thing.name for one in made for things in one.values() for thing in things}
        named = self._named.setdefault(kept.label, _Named())
        with named.lock:
            if not names <= named.names:
                query = named_command(sorted(names - named.names))
                only_keys = f"SELECT n.type, n.identity FROM (\n{query.text!s}\n) AS n"
                outcome = kept.pipeline.exchange([Command("SET LOCAL jit = off"), query._replace(text=only_keys)])
                if outcome.error is not None:
                    return None
                named.found |= {(type_ or "", identity or "") for type_, identity in outcome.rows[1]}
                named.names |= names
        return named.found
