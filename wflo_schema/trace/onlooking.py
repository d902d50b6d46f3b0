"""Looks on while the engine itself applies what a plain rehearsal cannot: it makes room, and makes again.

Hides that behind each statement of a file something else is sent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.connect.pipeline import BEGIN, Command, Exchange, Row
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.running import Run
from wflo_schema.files.folder import Migration
from wflo_schema.files.mentions import kind_of, mentioned
from wflo_schema.files.script import Script
from wflo_schema.trace.reading import Done, Look, Relations

_LOCKED = Command(load_sql("trace", "locked"), keeps_rows=True)

# Which file, and which of its statements, from 0.
Place = tuple[Migration, Script, int]


@dataclass(slots=True)
class Onlooker:
    """What is watched for, by the text that is sent; what was seen, in its order."""

    relations: Relations
    waiting: dict[bytes, list[Place]] = field(default_factory=dict)
    seen: list[tuple[Place, Done]] = field(default_factory=list)

    def watch_for(self, files: Mapping[Migration, Script]) -> type[Run]:
        """A session that applies files as the engine does, and is looked at behind each statement of these."""
        for m, script in files.items():
            for number, statement in enumerate(script.statements):
                self.waiting.setdefault(statement.raw, []).append((m, script, number))
        onlooker = self

        class Watched(Run):
            def find_ledger(self):  # type: ignore[no-untyped-def]
                if "exchange" not in vars(self.pipeline):
                    vars(self.pipeline)["exchange"] = onlooker._around(self.pipeline.exchange)
                return super().find_ledger()

        return Watched

    def _around(self, exchange: Callable[[Sequence[Command]], Exchange]) -> Callable[[Sequence[Command]], Exchange]:
        def look_on(commands: Sequence[Command]) -> Exchange:
            sent: list[Command] = []
            looks: dict[int, bytes] = {}
            for command in commands:
                sent.append(command)
                if self.waiting.get(command.sent):
                    looks[len(sent)] = command.sent
                    sent.append(_LOCKED)
            outcome = exchange(sent)
            return self._without_looks(sent, looks, outcome)

        return look_on

    def _without_looks(self, sent: Sequence[Command], looks: Mapping[int, bytes], outcome: Exchange) -> Exchange:
        rows = []
        for index, of_one in enumerate(outcome.rows):
            if sent[index] == BEGIN:
                self.relations.commit()
                self.relations.begin()
            if index not in looks:
                rows.append(of_one)
            elif self.waiting[looks[index]]:
                place = self.waiting[looks[index]].pop(0)
                statement = place[1].statements[place[2]]
                look = Look(
                    kind_of(statement),
                    _beside_ledger(of_one),
                    names=functools.partial(mentioned, statement),
                    is_change=statement.first_word != "CREATE",
                )
                self.seen.append((place, self.relations.read(look)[0]))
        error = outcome.error
        if error is not None:
            error = replace(error, index=error.index - sum(look < error.index for look in looks))
        return Exchange(tuple(rows), error)


def _beside_ledger(rows: Sequence[Row]) -> list[Row]:
    """Without the tables in which the engine records what it does."""
    own = {row[0] for row in rows if row[2] in LEDGER_TABLES}
    return [row for row in rows if row[0] not in own and row[6] not in own]
