"""What PostgreSQL's grammar does not take is found among any number of statements, without a server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wflo_schema.files.faults import syntax_faults
from wflo_schema.files.grammar import fault_of
from wflo_schema.files.script import Script, split_statements


def found(text: str) -> list[tuple[int, str]]:
    source = text.encode()
    script = Script("1.sql", source, "", split_statements("1.sql", source))
    return [(statement.line, fault.message) for statement, fault in syntax_faults(script)]


@pytest.mark.parametrize("line", [1, 2_500, 6_000])
def test_the_one_wrong_statement_of_many_is_found(line: int) -> None:
    lines = ["INSERT INTO t VALUES (1, 'a value of some length; with a semicolon');"] * 6_000
    lines[line - 1] = "INSRT INTO t VALUES (1);"
    assert found("\n".join(lines)) == [(line, 'syntax error at or near "INSRT"')]


def test_every_wrong_statement_is_found_and_data_of_copy_is_none() -> None:
    text = "SELECT 1;\nSELEC 2;\nCOPY a FROM stdin;\nSELEC 3;\n\\.\nSELECT (4;\n5);\nSELECT 6"
    assert [line for line, _ in found(text)] == [2, 6]


def test_of_a_very_long_statement_the_server_alone_judges() -> None:
    values = ", ".join(f"({n})" for n in range(200_000))
    assert found(f"SELECT 1;\nINSERT INTO t VALUES {values} oops oops") == []


def test_a_fault_is_placed_in_characters() -> None:
    fault = fault_of("SELECT 'é🐘' FROM WHERE".encode())
    assert fault is not None and fault.position == 18
    assert fault_of(b"SELECT 1; SELECT 2") is None


def test_the_grammar_is_asked_without_the_trees_being_imported() -> None:
    code = (
        "import sys; from wflo_schema.files.grammar import fault_of\n"
        "print(fault_of(b'SELECT'), 'postgast' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None False"
