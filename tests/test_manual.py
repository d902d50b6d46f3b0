"""The manual tells the truth: what its pages tell a reader to type is typed here, and prints what they show."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.manual import PAGES, ROOT, as_pattern, constant, follow, place_of, read_blocks, refuse_unknown
from tests.test_docs import commands
from wflo_schema.cli.commands import cli

NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


@pytest.fixture(scope="module")
def manual_server() -> Iterator[RunningServer]:
    started = start_server(max(BIN))
    yield started
    stop_server(started)


@pytest.mark.parametrize("name", [name for name, page in zip(NAMES, PAGES, strict=True) if place_of(page)])
def test_page_does_what_it_says(name: str, manual_server: RunningServer) -> None:
    count = 0
    for block, command, shown, printed, code in follow(ROOT / name, manual_server):
        where = f"{name}:{block.first}: $ {command}\n{printed}"
        is_last = command == block.commands[-1][0]
        assert code == int(block.note("exits with") or 0 if is_last else 0), f"exit code {code}\n{where}"
        if block.kind == "console" and block.note("not compared") is None:
            assert as_pattern(shown).fullmatch(constant(printed)), f"shown otherwise (python -m tests.manual)\n{where}"
        count += 1
    assert count


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_options_of_a_page_exist(name: str) -> None:
    page = ROOT / name
    for block in read_blocks(page):
        if block.kind not in ("console", "sh"):
            continue
        is_run = block.note("not run") is None and not block.title
        assert not is_run or place_of(page), f"{name}:{block.first} says not where it is run"
        for command, _ in block.commands:
            refuse_unknown(command)
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`\n]*\b(?:wflo-schema|make) [^`\n]*)`", text):
        if not re.search(r"\[|\\\||…$", code):  # what may be left out, or is one of several
            refuse_unknown(code)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_examples_of_the_help_are_commands(path: tuple[str, ...]) -> None:
    command: click.Command = cli
    for word in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    examples = re.findall(
        r"^ +(.*\bwflo-schema .*?)(?:   .*)?$", (command.help or "").split("Example:")[1], re.MULTILINE
    )
    assert examples
    for example in examples:
        refuse_unknown(example)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make docs`` builds it."""
    pytest.importorskip("mkdocs", reason="MkDocs is not installed here: pip install 'wflo-schema[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9", "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


def test_search_finds_every_command_code_and_name(site: Path) -> None:
    import wflo_schema
    from wflo_schema.check.rules import RULES

    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"] for entry in index["docs"]}
    assert {f"check-codes.html#{rule.code}" for rule in RULES} <= places
    assert {f"commands.html#wflo-schema-{'-'.join(path)}" for path in commands()} <= places
    assert {f"python-api.html#wflo_schema.{name}" for name in wflo_schema.__all__} <= places


def test_examples_of_commands_keep_their_lines(site: Path) -> None:
    text = (site / "commands.html").read_text(encoding="utf-8")
    assert "<strong>Example:</strong>" in text and not re.search(r"<p>(?:Example|Start here)", text)


def test_site_asks_nothing_of_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe|source)[^>]+src=\"?(?:https?:)?//[^\s>]+", text), page
        links = re.findall(r"<link[^>]+>", text)
        assert not [link for link in links if re.search(r"(?:https?:)?//", link)], page
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style
