"""The documents tell the truth: commands, options, codes and names stand in them, and the example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import wflo_schema
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine.planning import Allow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: Any = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_is_in_the_readme(path: tuple[str, ...]) -> None:
    words = README.replace("start\\|stop\\|status\\|url", "start server stop server status server url")
    assert " ".join(path) in words


def test_every_command_in_the_readme_exists() -> None:
    known = {" ".join(p) for p in commands()} | {p[0] for p in commands()}
    for code in re.findall(r"`wflo-schema ([a-z-]+)[^`]*`", README):
        assert code in known, code
    table = README.split("## Commands", 1)[1].split("| exit code", 1)[0]
    for row in re.findall(r"^\| `([a-z-]+)", table, re.MULTILINE):
        assert row in known, row


def test_every_case_of_allow_is_in_the_readme() -> None:
    for case in Allow:
        assert f"`{case}`" in README or f"--allow {case}`" in README


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_all_is_what_can_be_imported_and_is_typed() -> None:
    source = (ROOT / "wflo_schema" / "__init__.py").read_text(encoding="utf-8")
    typed = source.split("if TYPE_CHECKING:")[1].split("__all__")[0]
    for name in wflo_schema.__all__:
        assert getattr(wflo_schema, name) is not None
        assert re.search(rf"\b{name}\b", typed), name
    assert wflo_schema.__all__ == sorted(wflo_schema.__all__)


def test_the_python_example_of_the_readme_runs(database: Database) -> None:
    example = README.split("```python\n", 1)[1].split("```", 1)[0]
    text = re.sub(r'"postgresql://[^"]*"', repr(database.url), example)
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 []"


def test_the_contract_of_the_readme_is_one() -> None:
    from wflo_schema.check.contract_file import parse_contract

    text = README.split("```toml\n", 1)[1].split("```", 1)[0]
    assert len(parse_contract(text).foreign_keys) == 1


def test_codes_of_the_readme_help_and_json_are_the_same() -> None:
    from wflo_schema.check.rules import RULES
    from wflo_schema.show.check_formats import rules_markdown

    assert rules_markdown(RULES) in README
    help_text = CliRunner().invoke(cli, ["check", "--help"]).output
    for rule in RULES:
        assert re.search(rf"^  {rule.code} +{rule.severity.value} +{re.escape(rule.title)}$", help_text, re.MULTILINE)


def test_every_code_is_documented_once_and_used() -> None:
    from wflo_schema.check.rules import RULES

    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "wflo_schema").rglob("*.py") if p.stem != "rules"]
    for code in codes:
        assert any(f'"{code}"' in source for source in sources), code
