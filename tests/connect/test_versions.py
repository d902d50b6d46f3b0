"""The table of version differences holds nothing dead, and every query is understood by every supported server."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import psycopg
import pytest

from tests import servers
from tests.conftest import RunningServer
from tests.test_layers import MODULES, QUERIES, tree_of
from wflo_schema.catalog.other_ledgers import OTHER_TOOLS
from wflo_schema.connect import versions
from wflo_schema.connect.database import Database
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.versions import CHANGES, Change, rewrite

OLDEST = int(servers.SUPPORTED[-1]) * 10000
NEWEST = int(servers.SUPPORTED[0]) * 10000


def query(path: str, server_version: int | None = None) -> str:
    package, _, name = path.removesuffix(".sql").split("/")
    return load_sql(package, name, server_version)


def differ(package: str, name: str | None) -> bool:
    """Whether a query of the package, or the one of that name, is another on the oldest server."""
    paths = [q for q in QUERIES if q.startswith(f"{package}/") and name in (None, Path(q).stem)]
    return any(query(path, OLDEST) != query(path) for path in paths)


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.means[:50])
def test_a_change_came_with_a_supported_version_and_stands_where_it_is_needed(change: Change) -> None:
    assert OLDEST < change.since * 10000 <= NEWEST, "every supported server has it, or none"
    texts = [query(path, change.since * 10000) for path in QUERIES]
    older = [query(path, change.since * 10000 - 1) for path in QUERIES]
    for column in change.columns:
        assert any(re.search(rf"\w\.{column}\b", text) for text in texts), f"no query reads {column}"
        assert not any(re.search(rf"\w\.{column}\b", text) for text in older)
    for fragment in change.fragments:
        assert any(fragment in text for text in texts), f"no query holds {fragment}"
    if not change.columns and not change.fragments:
        name = next(name for name, value in vars(versions).items() if value is change)
        asked = {n.attr for m in MODULES for n in ast.walk(tree_of(m)) if isinstance(n, ast.Attribute)}
        assert name in asked, "nobody asks for it"


def test_changes_stand_from_the_newest_to_the_oldest() -> None:
    assert [c.since for c in CHANGES] == sorted((c.since for c in CHANGES), reverse=True)
    assert {id(value) for value in vars(versions).values() if isinstance(value, Change)} <= {id(c) for c in CHANGES}


def test_a_column_that_was_renamed_is_swapped_down_to_a_server_that_has_none() -> None:
    assert rewrite("c.colllocale, d.datlocale", 170000) == "c.colllocale, d.datlocale"
    assert rewrite("c.colllocale, d.datlocale", 160000) == "c.colliculocale, d.daticulocale"
    assert rewrite("c.colllocale, d.datlocale", 140000) == "NULL::text, NULL::text"


def test_a_query_that_differs_by_version_is_loaded_with_the_version() -> None:
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load_sql":
                package, name = node.args[:2]
                if module == "connect.queries" or len(node.args) != 2:
                    continue
                # a tool's ledger is read by the query that its entry names
                named = [t.query for t in OTHER_TOOLS] if module == "catalog.other_ledgers" else [None]
                for known in [ast.literal_eval(name)] if isinstance(name, ast.Constant) else named:
                    assert not differ(ast.literal_eval(package), known), f"{module} loads {ast.unparse(node)}"


def test_no_code_compares_versions_itself() -> None:
    """But for libpq's own, which is no server's."""
    for module in set(MODULES) - {"connect.versions"}:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Constant) and type(node.value) is int and 130000 < node.value < 300000:
                assert node.value % 10000 or module == "connect.pipeline", f"{module} knows {node.value}"
    for name in QUERIES:
        # the ledger's table may lack a column on any server, and an answer of our own has what it was asked for
        is_other = name == "engine/sql/script_guard.sql" or name.startswith("fleet/sql/catalog_")
        assert is_other or "to_jsonb" not in query(name), f"{name} reads columns that a server may lack in its own way"


@pytest.mark.every_version
def test_every_query_is_understood_by_this_server(server: RunningServer, wflo_database: Database) -> None:
    refused = {}
    with wflo_database.connect() as connection:
        for path in QUERIES:
            text = query(path, connection.info.server_version)
            if re.search(r"\{\w+\}", text):
                continue  # the name of a ledger is missing there: whoever migrates or adopts sends it
            if Path(path).name.startswith("citus_"):
                continue  # sent where that extension is
            if re.search(r";\n(?:SELECT|ALTER|CREATE)\b", text):
                continue  # several statements, which no server prepares: whoever measures sends them
            names = dict.fromkeys(re.findall(r"%\((\w+)\)s", text))
            for number, name in enumerate(names, 1):
                text = text.replace(f"%({name})s", f"${number}")
            done = connection.pgconn.prepare(b"", text.replace("%%", "%").encode())
            if done.status != psycopg.pq.ExecStatus.COMMAND_OK:
                refused[path] = done.error_message.decode()
    assert refused == {}
