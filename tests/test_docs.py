"""The documents tell the truth: commands, options, codes and names stand in them, and the example runs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

import wflo_schema
from tests.picture import draw, drawn
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine.planning import Allow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def commands(group: Any = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def hooks() -> Any:
    """What the manual's pages are completed with when the site is built."""
    spec = importlib.util.spec_from_file_location("manual_hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_is_in_the_table_of_commands(path: tuple[str, ...]) -> None:
    assert f"(#wflo-schema-{'-'.join(path)})" in COMMANDS
    assert re.search(rf"\[`(?:{' '.join(path)}|{path[-1]})\b", COMMANDS)


def test_every_command_in_the_table_of_commands_exists() -> None:
    known = {"-".join(p) for p in commands()}
    linked = re.findall(r"\(#wflo-schema-([a-z-]+)\)", COMMANDS)
    assert sorted(linked) == sorted({*known, "dev", "test-db"})


def test_every_case_of_allow_is_in_the_manual() -> None:
    for case in Allow:
        assert f"`--allow {case}`" in page("migration-files.md")


def test_every_format_of_check_is_in_the_manual() -> None:
    from wflo_schema.show.check_formats import FORMATS

    for name in FORMATS.keys() - {"text"}:
        assert f"`--format {name}`" in page("commands.md")


def test_every_directive_is_in_the_manual() -> None:
    from wflo_schema.files.directives import _DIRECTIVE

    for name in re.findall(r"[a-z\[\]_-]+", _DIRECTIVE.pattern.split("(?P<name>")[1].split(")")[0]):
        assert f"`-- {name.replace('[-_]', '-')}:" in page("migration-files.md")


def test_readme_fits_a_screen_or_three() -> None:
    assert len(README.splitlines()) <= 150


def test_readme_links_to_every_page() -> None:
    for path in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{path.name})" in README, path.name


def test_all_is_what_can_be_imported_and_is_typed() -> None:
    source = (ROOT / "wflo_schema" / "__init__.py").read_text(encoding="utf-8")
    typed = source.split("if TYPE_CHECKING:")[1].split("__all__")[0]
    for name in wflo_schema.__all__:
        assert getattr(wflo_schema, name) is not None
        assert re.search(rf"\b{name}\b", typed), name
    assert wflo_schema.__all__ == sorted(wflo_schema.__all__)


def test_the_python_example_of_the_manual_runs(database: Database) -> None:
    example = page("python-api.md").split("```python\n", 1)[1].split("```", 1)[0]
    text = re.sub(r'"postgresql://[^"]*"', repr(database.url), example)
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 []"


def test_the_example_of_many_targets_runs(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA tenant_0001")
        connection.execute("CREATE SCHEMA tenant_0002")
    example = page("python-api.md").split("## Many targets", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    text = re.sub(r'"postgresql://[^"]*"', repr(database.url), example)
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True [('tenant_0001', <State.DONE: 'done'>, ('20251110_01_")


def test_the_manifests_of_the_manual_are_manifests_whose_commands_exist() -> None:
    """Each has the parts that Kubernetes demands, and what its containers run is a command line of ours."""
    manifests = re.findall(r"^```yaml[^\n]*\n(.*?)^```", page("kubernetes.md"), re.MULTILINE | re.DOTALL)
    runs: list[list[str]] = []
    for one in map(yaml.safe_load, manifests):
        assert one["apiVersion"] in {"batch/v1", "apps/v1"} and one["metadata"]["name"]
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        pod = spec["template"]["spec"]
        if one["kind"] in ("Deployment", "StatefulSet"):
            assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
        else:
            assert pod["restartPolicy"] == "Never"
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert container["name"] and container["image"]
            words = [*container.get("command", ()), *container.get("args", ())]
            assert all(isinstance(word, str) for word in words)
            runs += [words[1:]] if words[:1] == ["wflo-schema"] else []
    assert len(runs) == len(manifests) >= 5
    for words in runs:
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None
        context = command.make_context(words[0], words[1:], parent=click.Context(cli, obj=words))
        assert context.meta["wflo_schema.schemas"] == (r"tenant\_%",)


def test_the_contracts_of_the_manual_are_contracts() -> None:
    from wflo_schema.check.contract_file import _SECTIONS, parse_contract

    contracts = re.findall(r"^```toml[^\n]*\n(.*?)^```", page("contract.md"), re.MULTILINE | re.DOTALL)
    assert len(parse_contract(contracts[0]).foreign_keys) == 1
    assert all(f"[{section}" in "".join(contracts[1:]) for section in _SECTIONS), "each kind of entry is shown"


def test_every_name_of_the_package_is_in_the_manual() -> None:
    shown = re.findall(r"^::: wflo_schema\.(\w+)$", page("python-api.md"), re.MULTILINE)
    assert sorted(shown) == wflo_schema.__all__


def test_codes_of_the_manual_and_help_are_the_same() -> None:
    from wflo_schema.check.rules import RULES

    assert "<!-- check codes -->" in page("check-codes.md")
    codes = hooks().check_codes()
    help_text = CliRunner().invoke(cli, ["check", "--help"]).output
    for rule in RULES:
        assert f"| [`{rule.code}`](#{rule.code}) | {rule.severity.value} | {rule.title} | {rule.mend} |" in codes
        assert rule.means in codes
        assert re.search(rf"^  {rule.code} +{rule.severity.value} +{re.escape(rule.title)}$", help_text, re.MULTILINE)


def test_codes_of_lint_in_the_manual_and_help_are_the_same() -> None:
    from wflo_schema.lint.rules import RULES

    assert "<!-- lint codes -->" in page("lint-codes.md")
    codes = hooks().lint_codes()
    help_text = CliRunner().invoke(cli, ["lint", "--help"]).output
    for rule in RULES:
        assert f"| [`{rule.code}`](#{rule.code}) | {rule.severity.value} | {rule.title} | {rule.mend} |" in codes
        assert rule.means in codes and rule.bad.rstrip() in codes and rule.good.rstrip() in codes
        assert re.search(rf"^  {rule.code} +{rule.severity.value} +{re.escape(rule.title)}$", help_text, re.MULTILINE)


def test_every_format_of_lint_is_in_the_manual() -> None:
    from wflo_schema.show.lint_formats import LINT_FORMATS

    for name in LINT_FORMATS.keys() - {"text"}:
        assert f"`--format {name}`" in page("lint.md")


def test_every_code_is_documented_once_and_used() -> None:
    from wflo_schema.check.rules import RULES

    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "wflo_schema").rglob("*.py") if p.stem != "rules"]
    for code in codes:
        assert any(f'"{code}"' in source for source in sources), code


def test_the_picture_of_the_house_is_the_house() -> None:
    assert drawn() == draw(), "draw it anew: python -m tests.picture"


def test_contributing_names_files_that_exist() -> None:
    for is_made, path in re.findall(r"(\*?)`([\w/.-]+)`", CONTRIBUTING):
        if "/" in path and not is_made and not re.search(r"PACKAGE|MODULE|PAGE", path):
            assert (ROOT / path).exists(), path


def test_each_of_ten_changes_touches_at_most_four_files() -> None:
    table = CONTRIBUTING.split("## For ten changes", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 10
    for row in rows:
        assert 1 <= len(re.findall(r"`[\w/.-]+/[\w.-]*`", row)) <= 4, row
