"""Directives mean what they mean to yoyo, and files come in yoyo's order, though yoyo is not imported for it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from yoyo.migrations import parse_metadata_from_sql_comments
from yoyo.topologicalsort import topological_sort

from wflo_schema.files.directives import read_directives
from wflo_schema.files.folder import read_migrations

HEADS = (
    "-- depends: a b\n",
    "--depends:a\n",
    "  --   depends :  a   \n",
    "-- depends: a\n-- depends: b\n",
    "-- depends: a\n\n-- note\n--\n-- transactional: false\n-- depends: c\n",
    "-- transactional: FALSE\n",
    "-- transactional: true \n-- a note: with a colon\n",
    "-- depends:\n",
    "-- depends:\t a\tb\n",
    "\n\n-- depends: a\nSELECT 1;\n-- depends: b\n",
    "-- note\n--- depends: a\n",
    "-- Depends: a\n",
    "SELECT 1;\n-- depends: a\n",
    "-- depends: a",
    "-- x depends: a\n",
)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_directives_are_read_as_yoyo_reads_them(head: str, line_end: str) -> None:
    text = head + "CREATE TABLE t (id integer);\n"
    theirs, _, _ = parse_metadata_from_sql_comments(text.replace("\n", line_end))
    ours, _ = read_directives("a.sql", text)
    for name in ("depends", "transactional"):
        assert ours.get(name, "").split() == theirs.get(name, "").split(), name


# What a, b and c depend on, in every way that is no circle.
NEEDS = [
    (a, b, c)
    for a, b, c in itertools.product(["", "b", "c", "b c"], ["", "c", "a"], ["", "a"])
    if not (("b" in a and "a" in b) or ("c" in a and "a" in c) or ("b" in a and "c" in b and "a" in c))
]


@pytest.mark.parametrize("needs", NEEDS)
def test_files_come_in_yoyos_order(tmp_path: Path, needs: tuple[str, ...]) -> None:
    graph = {name: set(need.split()) for name, need in zip("abc", needs, strict=True)}
    wanted = list(topological_sort("abc", graph))
    for name, need in zip("abc", needs, strict=True):
        (tmp_path / f"{name}.sql").write_text(f"-- depends: {need}\nSELECT 1;\n" if need else "SELECT 1;\n")
    assert [m.id for m in read_migrations(tmp_path)] == wanted


def test_a_folder_in_order_is_read_without_importing_yoyo_or_the_parser(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- transactional: false\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- depends: a\nSELECT 1;\nSELECT 2;\n")
    code = (
        "import sys; from wflo_schema.files.folder import read_migrations\n"
        f"print([m.id for m in read_migrations({str(tmp_path)!r})], 'yoyo' in sys.modules, 'postgast' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['a', 'b'] False False"
