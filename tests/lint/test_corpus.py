"""Judged by lint, as measured by PostgreSQL on tables with rows: all that is harmful is found, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from psycopg import sql

from tests.conftest import RunningServer
from tests.statements import corpus
from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.files.folder import load_script, read_migrations
from wflo_schema.findings import Severity
from wflo_schema.lint.context import Context, read_unique_keys
from wflo_schema.lint.judging import Judge
from wflo_schema.trace.rehearsal import Rehearsal
from wflo_schema.trace.values import Trace

GROUPS = sorted({case.group for case in corpus.CASES})

# What weighs as a warning although nobody waits long: things that go along, a deadlock's beginning.
OF_ANOTHER_KIND = {"cascade", "cluster-wide", "tables-locked-together"}

# Warnings, no errors: few rows are meant, which only those who know the rows can tell; what is read has a bound.
ONLY_ROWS_TELL = {"rows-updated-few-that-no-index-finds", "rows-locked-few", "table-analysed-behind-a-lock"}


@cache
def truths(version: str) -> dict[str, dict[str, object]]:
    """What was measured on a version, by the names of cases."""
    text = (corpus.FOLDER / f"truth-{version}.json").read_text(encoding="utf-8")
    cases: dict[str, dict[str, object]] = json.loads(text)["cases"]
    return cases


@pytest.fixture(scope="module")
def of_schema(server: RunningServer) -> Iterator[Database]:
    """A database of the corpus's schema, to be copied."""
    name = "wflo_lint_corpus"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    made = server.database.with_name(name)
    with made.connect() as connection:
        connection.execute(corpus.SCHEMA.encode())
    yield made
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def judged(server: RunningServer, of_schema: Database, case: corpus.Case, folder: Path) -> dict[str, Severity]:
    """The codes that a case is found with."""
    copy = of_schema.with_name(f"{of_schema.name}_copy")
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (copy.name, of_schema.name)))
    with server.database.connect() as connection:
        connection.execute(create)
    try:
        with copy.connect() as connection:
            for statement in corpus.split(case.given):
                connection.execute(statement.encode())
            keys = read_unique_keys(connection)
        (folder / "20260101_01_abcde-case.sql").write_text(case.text)
        migrations = read_migrations(folder)
        (m,) = migrations.items
        with Rehearsal.on(copy, settings=WATCHED) as rehearsal:
            rehearsal.get_ready()
            traced = tuple(rehearsal.rehearse(m, load_script(m)))
        judge = Judge(Context(keys), migrations, Trace("", server.version, "", traced, (m.id,)))
        judge.statements()
        return {f.code: f.severity for f in judge.sifted()[0]}
    finally:
        with server.database.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy.name)))


def wrong(cases: Iterable[corpus.Case], server: RunningServer, of_schema: Database, folder: Path) -> list[str]:
    """What is said of these cases that is not so, and what is left out."""
    truth = truths(server.version)
    found_wrong = []
    for case in cases:
        if case.name not in truth:
            continue
        found = judged(server, of_schema, case, folder)
        weighty = {c for c, s in found.items() if s in (Severity.ERROR, Severity.WARNING)} - OF_ANOTHER_KIND
        is_undecided = Severity.UNKNOWN in found.values()
        if truth[case.name]["harmful"] and not weighty and not (case.depends_on_rows and is_undecided):
            found_wrong.append(f"{case.name} is harmful, and not found")
        if case.name in ONLY_ROWS_TELL:
            weighty = {c for c in weighty if found[c] is Severity.ERROR}
        if not truth[case.name]["harmful"] and weighty:
            found_wrong.append(f"{case.name} is harmless, and found: {weighty}")
    return found_wrong


@pytest.mark.spread_over_servers
@pytest.mark.parametrize("group", GROUPS)
def test_all_that_is_harmful_is_found_and_no_more(
    group: str, server: RunningServer, of_schema: Database, tmp_path: Path
) -> None:
    assert wrong([case for case in corpus.CASES if case.group == group], server, of_schema, tmp_path) == []


def test_what_one_version_does_otherwise_is_judged_on_each(
    server: RunningServer, of_schema: Database, tmp_path: Path
) -> None:
    one, other = map(truths, ("15", "18"))
    cases = [case for case in corpus.CASES if one.get(case.name) != other.get(case.name)]
    assert cases
    assert wrong(cases, server, of_schema, tmp_path) == []
