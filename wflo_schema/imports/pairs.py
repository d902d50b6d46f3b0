"""Tools that have a file for each direction, side by side: golang-migrate, sqlx, pop and those like them."""

from __future__ import annotations

import re

from wflo_schema.imports.source import Folder, Note, Source, Step, Tool, Wishes, natural, numbered, refuse_doubled

# 000001_users.up.sql
_PAIR = re.compile(r"(?P<stem>\d+_.*)\.(?P<direction>up|down)\.sql\Z", re.IGNORECASE)


def read_golang_migrate(folder: Folder, wishes: Wishes) -> Source:
    """golang-migrate: numbered pairs in the order of their numbers, each file one message, so one transaction.

    Source: https://github.com/golang-migrate/migrate (source/parse.go, database/postgres).
    """
    return _read_pairs(folder, "golang-migrate", "golang-migrate", keeps_session=True)


def _read_pairs(folder: Folder, tool: str, ledger: str, *, keeps_session: bool) -> Source:
    halves: dict[str, dict[str, str]] = {}
    left_out: list[Note] = []
    for name in folder.top:
        found = _PAIR.match(name)
        if found is None:
            left_out.append(Note(folder.where(name), f"is no file of {tool}"))
        else:
            halves.setdefault(found["stem"], {})[found["direction"].lower()] = name
    steps: list[Step] = []
    for stem, names in halves.items():
        number, words = numbered(stem)
        if "up" not in names:
            left_out.append(
                Note(folder.where(names["down"]), "takes back what no file makes", "is its .up.sql missing?")
            )
            continue
        steps.append(
            Step(
                str(int(number)),
                number,
                words,
                folder.where(names["up"]),
                folder.section(names["up"], is_wrapped=False),
                folder.section(names["down"], is_wrapped=False) if "down" in names else None,
                files=tuple(folder.where(n) for n in names.values()),
            )
        )
    steps.sort(key=lambda step: natural(step.version))
    refuse_doubled(steps, tool)
    return Source(
        tool, folder.path, "", tuple(steps), ledgers=(ledger,), left_out=tuple(left_out), keeps_session=keeps_session
    )


TOOLS: tuple[Tool, ...] = (Tool("golang-migrate", read_golang_migrate, "golang-migrate"),)
