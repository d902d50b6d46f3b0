"""The benchmarks run and print their tables; how fast anything is, no test asserts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.peers import NAMES, File, Tool, one_table
from tests.conftest import BIN
from tests.statements import truth

ROOT = Path(__file__).resolve().parent.parent


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def tool(name: str) -> Tool:
    return Tool(name, Path(sys.executable))


def test_migrate_benchmark_with_few_files_prints_a_ratio_for_psql() -> None:
    version = min(BIN)
    done = bench(
        "migrate",
        "--",
        "--server",
        version,
        "--fsync",
        "off",
        "--tool",
        "psql",
        "--count",
        "3",
        "--large",
        "6",
        "--rounds",
        "1",
    )
    assert done.returncode in (0, 1), done.stderr
    assert "## PostgreSQL" in done.stdout and "fsync off" in done.stdout
    assert re.search(r"^\| psql \| \d+\.\d\d \|.*\d+\.\d\d \(", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"nothing to do, 3 applied: \d+\.\d\d", done.stdout)
    assert re.search(r"^\| nothing to do \|", done.stdout, re.MULTILINE)


def test_big_files_benchmark_with_small_files_prints_ratio_and_memory() -> None:
    only = ("--only", "statement", "--only", "copy", "--only", "growth")
    done = bench("big_files", "--", "--server", min(BIN), "--scale", "0.001", "--rounds", "1", *only)
    assert done.returncode in (0, 1), done.stderr
    for what in ("rows in one INSERT", "rows of COPY data"):
        assert re.search(rf"^\| [\d,]+ {what} \| \d+\.\d \| .*\d+\.\d\d \(", done.stdout, re.MULTILINE), done.stdout
    assert len(re.findall(r"^\| [\d,]+ \| \d+\.\d\d \| \d+ \|$", done.stdout, re.MULTILINE)) == 3


def test_latency_benchmark_with_few_files_counts_round_trips() -> None:
    done = bench("latency", "--", "--tool", "wflo-schema", "--few", "2", "--many", "60", "--rounds", "1", "--rtt", "40")
    assert done.returncode in (0, 1), done.stderr
    cells = r"^\| wflo-schema \| \d+\.\d\d \| -?\d+ \| -?\d+\.\d\d \| -?\d+\.\d\d \| ≤ 1\.2"
    assert re.search(cells, done.stdout, re.MULTILINE), done.stdout


def test_adopt_benchmark_with_few_files_prints_a_ratio_for_each_case() -> None:
    done = bench("adopt", "--", "--server", max(BIN), "--fsync", "off", "--count", "12", "--rounds", "1")
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^\| 12 \| (\w+) \| \d+\.\d\d \| \d+\.\d\d \|", done.stdout, re.MULTILINE)
    assert found == ["last", "named", "sought"]


def test_fault_benchmark_with_one_trial_prints_seed_and_verdicts() -> None:
    done = bench(
        "faults",
        "--",
        "--tool",
        "wflo-schema",
        "--only",
        "edited",
        "--only",
        "failing",
        "--only",
        "kill",
        "--trials",
        "1",
        "--seed",
        "11",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 11" in done.stdout
    assert done.stdout.count("| 1 of 1 |") == 3


def test_diff_benchmark_with_one_pair_counts_both_ways() -> None:
    done = bench("diff", "--", "--tool", "wflo-schema", "--pair", "column-renamed", "--verbose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "column-renamed-back: wflo-schema: converged" in done.stdout
    assert "| wflo-schema | 2 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 2 |" in done.stdout


def test_unknown_benchmark_is_a_usage_error() -> None:
    done = bench("speed")
    assert done.returncode == 2
    assert "migrate" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_files_are_written_for_every_tool_with_their_sql(name: str, tmp_path: Path) -> None:
    files = [one_table(0), File("20250101000001_index", "CREATE INDEX CONCURRENTLY i ON t0 (name);\n", False)]
    tool(name).write(tmp_path / "new", files)
    text = "".join(p.read_text() for p in sorted((tmp_path / "new").rglob("*")) if p.suffix in (".sql", ".py", ".psql"))
    assert "CREATE TABLE t0" in text and "CREATE INDEX CONCURRENTLY i" in text


def test_recorded_of_alembic_is_everything_up_to_its_one_row() -> None:
    files = [one_table(n) for n in range(4)]
    assert tool("alembic").recorded(["20250101000002"], files) == [f.name for f in files[:3]]
    assert tool("dbmate").recorded(["20250101000002"], files) == [files[2].name]


def test_rest_of_psql_asks_its_ledger_before_each_file(tmp_path: Path) -> None:
    tool("psql").write(tmp_path / "new", [one_table(n) for n in range(3)])
    assert (tmp_path / "new" / "rest.psql").read_text().count("\\if :todo") == 3
    assert "\\if" not in (tmp_path / "new" / "all.psql").read_text()


def test_startup_benchmark_with_one_round_prints_a_ratio_for_each_command() -> None:
    done = bench("startup", "--", "--rounds", "1")
    assert done.returncode in (0, 1), done.stderr
    for name in ("migrate, nothing to do", "--version", "--help"):
        assert re.search(rf"^\| {name} \| \d+\.\d\d \(", done.stdout, re.MULTILINE), done.stdout


def test_dev_benchmark_with_one_edit_prints_a_ratio_and_keeps_rows() -> None:
    done = bench("dev", "--", "--edits", "1")
    assert done.returncode in (0, 1), done.stderr
    for what in ("a migration", "a view"):
        assert re.search(rf"^\| {what} \| \d+ \| \d+ \| \d+ \| \d\.\d\d \|$", done.stdout, re.MULTILINE), done.stdout
    assert "dev (1000, 1000)" in done.stdout


def test_live_benchmark_with_few_rows_prints_what_each_way_did_to_the_writers() -> None:
    ways = ("--way", "plain", "--way", "recipe", "--rest", "0.5", "--fsync", "off")
    done = bench("live", "--", "--rows", "2000", "--only", "check", *ways)
    assert done.returncode in (0, 1), done.stderr
    for way in ("plain", "recipe"):
        row = rf"^\| check \| {way} \| finished \| \d+\.\d s \| [\d,]+ ms \| [\d,]+ ms \| [\d,]+ \|"
        assert re.search(row, done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^\| none \| no migration \|", done.stdout, re.MULTILINE), done.stdout


def test_live_benchmark_beside_a_client_that_holds_the_table_waits_for_it() -> None:
    ways = ("--way", "held", "--hold", "1", "--rest", "0.5", "--fsync", "off")
    done = bench("live", "--", "--rows", "2000", "--only", "not-null", *ways)
    assert done.returncode in (0, 1), done.stderr
    assert re.search(r"^\| not-null \| held \| finished \| [1-9]\d*\.\d s \|", done.stdout, re.MULTILINE), done.stdout


def test_trace_benchmark_with_few_files_prints_a_ratio_for_lint() -> None:
    done = bench("trace", "--", "--server", max(BIN), "--fsync", "off", "--count", "12", "--rounds", "1")
    assert done.returncode in (0, 1), done.stderr
    assert re.search(r"^\| 12 \|(?: \d+\.\d\d s \|){3} \d+\.\d\d \| \d+\.\d\d \(", done.stdout, re.MULTILINE), (
        done.stdout
    )


def test_linters_benchmark_counts_what_is_found_and_left_alone() -> None:
    done = bench("linters", "--", "--tool", "eugene", "--version", "18")
    assert done.returncode == 0, done.stderr
    row = re.search(r"^\| eugene, blocking \| (\d+) of (\d+) \| (\d+) of (\d+) \|", done.stdout, re.MULTILINE)
    assert row is not None, done.stdout
    found, harmful, left_alone, harmless = map(int, row.groups())
    assert 0 < found < harmful
    assert 0 < left_alone < harmless
    assert harmful + harmless == len(truth.read("18"))
