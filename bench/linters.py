"""What linters say of the statements in ``tests/corpus/statements``, beside what PostgreSQL does: counted.

    python -m bench.linters
    python -m bench.linters --tool squawk --version 18 --verbose

Each case is a file of its own, run in one transaction unless it says ``-- transactional: false``.  A harmful case is
found if the tool objects to the file, a harmless one is left alone if it does not; ``--verbose`` names the others.
``blocking`` counts only the rules of a tool that are about locks, scans and rewrites, of ours those that are errors or
say that it cannot be told; ``all`` counts whatever is on by itself.  The rules of eugene 0.8.2 are written down here
anew, from what its ``lint`` publishes: its program is in no registry of packages for Python or npm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgast

from tests.conftest import RunningServer
from tests.statements import truth
from tests.statements.corpus import CASES, SCHEMA, Case
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Severity
from wflo_schema.lint.operations import lint
from wflo_schema.lint.rules import BY_CODE

# Case → the names of the rules that object to it.
Said = dict[str, frozenset[str]]

SQUAWK_BLOCKING = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-serial-primary-key-field",
        "ban-alter-domain-with-add-constraint",
        "ban-concurrent-index-creation-in-transaction",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "prefer-repack",
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
        "require-concurrent-partition-detach",
        "require-concurrent-reindex",
    }
)
# Left out are all others: ban-… and prefer-… but for those three, renaming-…, require-lock-timeout,
# require-statement-timeout, require-table-schema, require-enum-value-ordering, adding-required-field,
# identifier-too-long and transaction-nesting.

EUGENE_BLOCKING = frozenset({"E1", "E2", "E4", "E5", "E6", "E7", "E8", "E11", "W14"})
# Left out: E3 (json), E9 (no lock timeout), W12 (several ALTER TABLE), W13 (enum).


def squawk(cases: Sequence[Case], version: str, folder: Path) -> Said:
    """What squawk says, all its rules that are on by themselves."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    for is_transactional, words in ((True, ["--assume-in-transaction"]), (False, [])):
        paths = []
        for case in cases:
            if case.is_transactional is is_transactional:
                path = folder / f"{case.name}.sql"
                path.write_text(case.text, encoding="utf-8")
                paths.append(str(path))
        done = subprocess.run(
            ["squawk", "--reporter", "json", "--pg-version", version, *words, *paths], capture_output=True, text=True
        )
        for finding in json.loads(done.stdout):
            said[Path(finding["file"]).stem].add(finding["rule_name"])
    return {name: frozenset(rules) for name, rules in said.items()}


@dataclass(slots=True)
class _Eugene:
    """One script, read from its beginning to its end, as eugene does."""

    made: set[tuple[str, str]]
    altered: set[tuple[str, str]]
    has_timeout: bool = False
    holds: bool = False

    def rules(self, kind: str, node: Any) -> Iterator[str]:
        """The rules that object to a statement."""
        place = (
            (node.relation.schemaname, node.relation.relname) if kind in {"alter_table_stmt", "index_stmt"} else None
        )
        is_visible = place is not None and place not in self.made
        if self.holds:
            yield "E4"
        if kind == "create_enum_stmt":
            yield "W13"
        if kind == "create_stmt" and any(_type(e.column_def) == "json" for e in node.table_elts):
            yield "E3"
        if kind == "index_stmt" and is_visible and not node.concurrent:
            yield "E6"
            if not self.has_timeout:
                yield "E9"
        if kind == "alter_table_stmt":
            for command in node.cmds:
                yield from _eugene_of_command(command.alter_table_cmd, is_visible=is_visible)
            if is_visible and not self.has_timeout:
                yield "E9"
            if is_visible and place in self.altered:
                yield "W12"

    def go_on(self, kind: str, node: Any) -> None:
        """Keep in mind what a statement did."""
        if kind == "variable_set_stmt" and node.name == "lock_timeout":
            self.has_timeout = True
        elif kind == "create_stmt":
            self.made.add((node.relation.schemaname, node.relation.relname))
        elif kind == "create_table_as_stmt":
            self.made.add((node.into.rel.schemaname, node.into.rel.relname))
        elif kind == "index_stmt":
            self.made.add((node.relation.schemaname, node.idxname))
        elif kind == "alter_table_stmt":
            place = (node.relation.schemaname, node.relation.relname)
            self.holds = self.holds or place not in self.made
            self.altered.add(place)


def _type(column: Any) -> str:
    return ".".join(name.string.sval for name in column.type_name.names)


def _eugene_of_command(command: Any, *, is_visible: bool) -> Iterator[str]:
    """The rules that object to one part of an ALTER TABLE."""
    kind = postgast.pg_query_pb2.AlterTableType.Name(command.subtype)
    defined = getattr(command, "def")  # a keyword of Python
    column, added = defined.column_def, defined.constraint
    constraints = [c.constraint for c in column.constraints] if kind == "AT_AddColumn" else []
    names = [postgast.pg_query_pb2.ConstrType.Name(c.contype) for c in constraints]
    if kind in {"AT_AddColumn", "AT_AlterColumnType"} and _type(column) == "json":
        yield "E3"
    if not is_visible:
        return
    if kind == "AT_SetNotNull":
        yield "E2"
    elif kind == "AT_AlterColumnType":
        yield "E5"
    elif kind == "AT_AddColumn":
        if {"CONSTR_CHECK", "CONSTR_FOREIGN"} & set(names):
            yield "E1"
        is_stored = any(
            n == "CONSTR_GENERATED" and c.generated_when == "a" for n, c in zip(names, constraints, strict=True)
        )
        if is_stored or _type(column) in {"serial", "bigserial"}:
            yield "E11"
    elif kind == "AT_AddConstraint":
        name = postgast.pg_query_pb2.ConstrType.Name(added.contype)
        if name in {"CONSTR_CHECK", "CONSTR_NOTNULL", "CONSTR_FOREIGN"} and not added.skip_validation:
            yield "E1"
        if name == "CONSTR_EXCLUSION":
            yield "E8"
        if name in {"CONSTR_UNIQUE", "CONSTR_PRIMARY"} and not added.indexname:
            yield "E7"
        if name == "CONSTR_PRIMARY" and added.indexname:
            yield "W14"


def eugene(cases: Sequence[Case], version: str, folder: Path) -> Said:
    """What eugene's published rules say, on every version the same."""
    said = {}
    for case in cases:
        rules: set[str] = set()
        reading = _Eugene(set(), set())
        for raw in postgast.parse(case.text).stmts:
            if not case.is_transactional:  # a script for each, for it takes a script to be one transaction
                reading = _Eugene(set(), set())
            kind = raw.stmt.WhichOneof("node")
            node = getattr(raw.stmt, kind)
            rules |= set(reading.rules(kind, node))
            reading.go_on(kind, node)
        said[case.name] = frozenset(rules)
    return said


def ours(cases: Sequence[Case], version: str, folder: Path) -> Said:
    """What `wflo-schema lint` says of each file, with a database without rows as its target."""
    with truth.running(version) as server:
        empty = truth.make(server, "corpus_empty", "template0")
        with empty.connect() as connection:
            connection.execute(SCHEMA.encode())

        def judge(case: Case) -> tuple[str, frozenset[str]]:
            return case.name, _ours_of_case(server, case, folder)

        with ThreadPoolExecutor(2) as pool:
            return dict(pool.map(judge, cases))


def _ours_of_case(server: RunningServer, case: Case, folder: Path) -> frozenset[str]:
    own = folder / case.name
    own.mkdir()
    (own / f"0001-{case.name}.sql").write_text(case.text, encoding="utf-8")
    name = f"corpus_{case.name.replace('-', '_')}"[:63]
    database = truth.make(server, name, "corpus_empty")
    try:
        with database.connect() as connection:
            connection.execute(case.given.encode())
        result = lint(database, read_migrations(str(own)))
        return frozenset(f.code for f in result.findings)
    finally:
        truth.drop(server, name)


_OURS_BLOCKING = frozenset(
    code
    for code, rule in BY_CODE.items()
    if rule.section == "blocks" and rule.severity in (Severity.ERROR, Severity.UNKNOWN)
)

TOOLS: dict[str, tuple[Callable[[Sequence[Case], str, Path], Said], frozenset[str]]] = {
    "wflo-schema": (ours, _OURS_BLOCKING),
    "squawk": (squawk, SQUAWK_BLOCKING),
    "eugene": (eugene, EUGENE_BLOCKING),
}


@dataclass(frozen=True, slots=True)
class Score:
    """How often a tool was right on one version."""

    missed: tuple[str, ...]
    """Harmful cases that it let pass."""
    flagged: tuple[str, ...]
    """Harmless cases that it objects to."""
    harmful: int
    harmless: int

    def row(self) -> str:
        """As two cells of a table."""
        found, alone = self.harmful - len(self.missed), self.harmless - len(self.flagged)
        return f"{found} of {self.harmful} | {alone} of {self.harmless}"


def score(said: Said, rules: frozenset[str] | None, version: str) -> Score:
    """Compare what a tool said with the truth; ``rules`` None: all of its rules count."""
    truths = truth.read(version)
    objects = {name for name, codes in said.items() if (codes if rules is None else codes & rules)}
    harmful = [name for name, seen in truths.items() if seen.harmful]
    harmless = [name for name, seen in truths.items() if not seen.harmful]
    return Score(
        tuple(n for n in harmful if n not in objects),
        tuple(n for n in harmless if n in objects),
        len(harmful),
        len(harmless),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tool", action="append", choices=TOOLS)
    parser.add_argument("--version", action="append", choices=truth.VERSIONS)
    parser.add_argument("--verbose", action="store_true", help="name what each tool missed and flagged")
    chosen = parser.parse_args()
    versions = chosen.version or truth.VERSIONS
    print(f"| tool, rules | {' | '.join(f'{v}: harmful found | {v}: harmless left alone' for v in versions)} |")
    print(f"|{'---|' * (1 + 2 * len(versions))}")
    told = []
    for tool in chosen.tool or TOOLS:
        ask, blocking = TOOLS[tool]
        said = {}
        for version in versions:
            cases = [case for case in CASES if case.since <= int(version)]
            with tempfile.TemporaryDirectory() as folder:
                said[version] = ask(cases, version, Path(folder))
        for name, rules in (("blocking", blocking), ("all", None)):
            scores = {version: score(said[version], rules, version) for version in versions}
            print(f"| {tool}, {name} | {' | '.join(one.row() for one in scores.values())} |", flush=True)
            told += [
                f"{tool}, {name}, {version} {what}: {case} ({', '.join(sorted(said[version].get(case, ())))})"
                for version, one in scores.items()
                for what, cases_ in (("missed", one.missed), ("flagged", one.flagged))
                for case in cases_
            ]
    if chosen.verbose:
        print("", *told, sep="\n")


if __name__ == "__main__":
    main()
