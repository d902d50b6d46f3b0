"""Reads the manual's pages, and does in a folder and on a database what they tell their reader to type.

A page begins with ``<!-- place: NAME -->``: ``shop`` is an empty folder, ``wflo`` is a checkout of the project.  What
stands in a block with a title is a file, and is written.  ``console`` shows commands after ``$`` and what they print,
``sh`` commands alone.  Comments before a block say what is special about it:

    <!-- exits with 1 -->        so does the block's last command
    <!-- not run: why -->        commands and options are looked up, and nothing is run
    <!-- not compared: why -->   what is printed differs from run to run
    <!-- run: command -->        is run, and not shown
    <!-- state: NAME -->         makes the database wflo anew, in one of the states of ``tests.wflo_states``

A line ``…`` of shown output stands for any lines, ``…`` in a line for any text.  ``python -m tests.manual FILE …``
writes into the pages what their commands print now.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
from psycopg import sql

from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.forks import Command
from tests.wflo_states import STATES
from wflo_schema.cli.commands import cli

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

# Where the pages say that the server is.
SHOWN_SERVER = "localhost:5432"

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+) *(?P<kind>[a-z]*)(?P<rest>[^`]*)$")
_NOTE = re.compile(r"^ *<!-- (?P<name>[a-z]+(?: [a-z]+)?)(?:: (?P<value>.*?))?(?: (?P<number>\d+))? -->$")
# A command that needs no shell.
_IS_OURS_ALONE = re.compile(r"""wflo-schema(?: (?:[\w./:@=-]+|"[\w ]+"))*""")

_DURATION = re.compile(r"(\bin |\(|, |\bfor |: )[\d.,]+ ?(?:ms|s|min|h)\b(?: to [\d.,]+ ?(?:ms|s|min|h)\b)?")
_ID = re.compile(r"\d{8}_\d\d(?:\d{4})?_[0-9a-z]{5}(?=-)")


@dataclass(frozen=True, slots=True)
class Note:
    """What a comment says of the next block, or has done before it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.  ``first`` is the line of its first text line in the page, counted from 0."""

    kind: str
    title: str
    lines: tuple[str, ...]
    first: int
    notes: tuple[Note, ...] = ()

    def note(self, name: str) -> str | None:
        return next((n.value for n in self.notes if n.name == name), None)

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command, with the lines that are shown after it."""
        found: list[tuple[str, list[str]]] = []
        is_continued = False
        for line in self.lines:
            if is_continued:
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            elif self.kind == "console" and not line.startswith("$ "):
                found[-1][1].append(line)
                continue
            elif self.kind == "console" or (line.strip() and not line.startswith("#")):
                found.append((line.removeprefix("$ "), []))
            is_continued = line.endswith("\\")
        return found


def read_blocks(page: Path) -> Iterator[Block]:
    notes: list[Note] = []
    opened: re.Match[str] | None = None
    body: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines()):
        if opened is not None:
            if line.strip() != opened["fence"]:
                body.append(line.removeprefix(opened["indent"]))
                continue
            title = re.search(r'title="([^"]*)"', opened["rest"])
            yield Block(opened["kind"], title[1] if title else "", tuple(body), number - len(body), tuple(notes))
            opened, notes, body = None, [], []
        elif (opened := _FENCE.match(line)) is None and (note := _NOTE.match(line)):
            notes.append(Note(note["name"], note["value"] or note["number"] or ""))


def place_of(page: Path) -> str:
    found = re.search(r"^<!-- place: (\w+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def refuse_unknown(command: str) -> None:
    """Raise where a shell line names a command, an option or a make target that does not exist."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for part in re.split(r"&&|\|\||[|;]|\$\(|[()]", command):
        try:
            words = shlex.split(part.split(" > ")[0].split(" # ")[0].strip('"'))
        except ValueError:
            continue  # a quotation that goes on in the next part holds no command of ours
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words[:1] == ["wflo-schema"]:
            _parse(cli, "wflo-schema", words[1:], None)
        if words[:1] == ["make"]:
            for target in (w for w in words[1:] if "=" not in w):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no make {target}"


def _parse(command: click.Command, name: str, words: list[str], parent: click.Context | None) -> None:
    if "--env" in words:  # its value is a name of the reader's own
        at = words.index("--env")
        del words[at : at + 2]
    try:
        context = command.make_context(name, list(words), parent=parent)
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):  # help, or the version
        return
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        inner_name, inner, rest = command.resolve_command(context, rest)
        assert inner is not None
        _parse(inner, inner_name or "", rest, context)


@dataclass
class Place:
    """Where a page's reader is: a folder, a shell's variables, a server at the address that the page shows."""

    name: str
    server: RunningServer
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="wfm", dir="/tmp")))
    renamed: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)
        self.variables = self._first_variables()
        self._write_programs(self.folder / ".venv" / "bin")
        if self.name == "wflo":
            for file in ("Makefile", "docker-compose.yml"):
                shutil.copy(ROOT / file, self.folder)
            for file in (
                "setup.cfg",
                "pyproject.toml",
            ):  # for make; the project's options for pytest are not a reader's
                (self.folder / file).touch()
            shutil.copytree(ROOT / "migrations", self.folder / "migrations")
            for mark in (".ready", ".ready-to-test"):  # younger than what they are compared with
                (self.folder / ".venv" / mark).touch()
        self.set_state("empty")

    def _write_programs(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, words in (("wflo-schema", "-m wflo_schema"), ("python", ""), ("pytest", "-m pytest")):
            (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n', encoding="utf-8")
            (folder / name).chmod(0o755)

    @property
    def _address(self) -> str:
        known = self.server.database.parameters
        return f"{known['host']}:{known['port']}"

    def set_state(self, state: str) -> None:
        """Make the server's databases as the page wants to find them."""
        with self.server.database.connect() as connection:
            old = connection.execute("SELECT datname FROM pg_catalog.pg_database WHERE datname ~ '^wflo'").fetchall()
            for (name,) in old:
                connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute("DROP ROLE IF EXISTS wflo_user")
            connection.execute("CREATE ROLE wflo_user SUPERUSER LOGIN")
            connection.execute("CREATE DATABASE wflo OWNER wflo_user")
        if state == "empty":
            return
        revisions, statements = STATES[state]
        with self.server.database.with_name("wflo").connect() as connection:
            connection.execute(statements.encode())
            connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
            for revision in revisions:
                connection.execute("INSERT INTO alembic_version VALUES (%s)", (revision,))

    def write(self, path: str, text: str) -> None:
        file = self.folder / self.typed(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.typed(text), encoding="utf-8")

    def run(self, command: str) -> tuple[str, int]:
        """Run a command after those before it: what it prints, as the page would show it, and its exit code."""
        typed = self.typed(command)
        if _IS_OURS_ALONE.fullmatch(typed):
            started = Command(*shlex.split(typed)[1:], cwd=self.folder, env=self.variables, is_merged=True)
            code, printed, _ = started.finish(120)
            return self.shown(printed), code
        kept = self.folder / ".venv" / "variables"
        done = subprocess.run(
            ["bash", "-c", f"{typed}\ncode=$?\nenv -0 > {kept}\nexit $code\n"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        set_now = (word.split("=", 1) for word in kept.read_text(encoding="utf-8").split("\0") if word)
        self.variables = dict(set_now)
        return self.shown(done.stdout), done.returncode

    def _first_variables(self) -> dict[str, str]:
        unwanted = ("PG", "WFLO_", "PYTEST_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted) and k != "DATABASE_URL"}
        return {
            **kept,
            "PATH": f"{self.folder}/.venv/bin:{self.server.bin}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:asyncio",
            "PSQL_PAGER": "",
            "WFLO_TEST_DATABASE_URL": self.server.database.url,
        }

    def typed(self, text: str) -> str:
        """What a page shows, as it is here."""
        text = text.replace(SHOWN_SERVER, self._address).replace(f"/srv/{self.name}", str(self.folder))
        return _ID.sub(lambda m: self.renamed.get(m[0], m[0]), text)

    def shown(self, text: str) -> str:
        """What is here, as a page shows it."""
        text = text.replace(self._address, SHOWN_SERVER).replace(str(self.folder), f"/srv/{self.name}")
        back = {here: there for there, here in self.renamed.items()}
        return _ID.sub(lambda m: back.get(m[0], m[0]), text)

    def learn_names(self, shown: list[str], printed: str) -> None:
        """The files that a command has just named otherwise than the page does."""
        there, here = _ID.findall("\n".join(shown)), _ID.findall(printed)
        if len(there) == len(here):
            self.renamed |= {a: b for a, b in zip(there, here, strict=True) if a != b}

    def close(self) -> None:
        if (self.folder / ".wflo-schema").exists():
            self.run("wflo-schema server stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def as_pattern(shown: list[str]) -> re.Pattern[str]:
    """Matches what a page shows, whatever the day, the hour and the speed of the machine."""
    parts = []
    for line in shown:
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*")
        else:
            parts.append(".*".join(re.escape(piece) for piece in constant(line).split("…")) + "\n")
    return re.compile("".join(parts))


def constant(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"\b[\d.,]+ ?(?:ms|s|min|h)\b", "0 s", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "0000-00-00 00:00:00", text)
    text = re.sub(r"\b\d+ MB\b", "0 MB", text)
    text = re.sub(r"PostgreSQL \d+(?:\.\d+)?", "PostgreSQL 0", text)
    text = re.sub(r"\b(process|template_|Trigger_[ac]_|oid) ?[0-9a-f]+", r"\1 0", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def follow(page: Path, server: RunningServer) -> Iterator[tuple[Block, str, list[str], str, int]]:
    """Do what a page says: each block with each command, what the page shows, what was printed, the exit code."""
    place = Place(place_of(page), server)
    try:
        for block in read_blocks(page):
            for note in block.notes:
                if note.name == "state":
                    place.set_state(note.value)
                elif note.name == "run":
                    printed, code = place.run(note.value)
                    assert code == 0, f"{note.value}\n{printed}"
            if block.note("not run") is not None:
                continue
            if block.title:
                place.write(block.title, block.text)
            elif block.kind in ("console", "sh"):
                for command, shown in block.commands:
                    printed, code = place.run(command)
                    place.learn_names(shown, printed)
                    yield block, command, shown, place.shown(printed), code
    finally:
        place.close()


def write_outputs(page: Path, server: RunningServer) -> None:
    """Put into a page what its commands print now, where that is not what it shows; without durations."""
    lines = page.read_text(encoding="utf-8").splitlines()
    blocks: dict[int, list[str]] = {}
    lengths: dict[int, int] = {}
    for block, command, shown, printed, _ in follow(page, server):
        if block.kind == "console":
            is_right = block.note("not compared") is not None or as_pattern(shown).fullmatch(constant(printed))
            output = shown if is_right else _DURATION.sub(r"\1…", printed).rstrip("\n").splitlines()
            blocks.setdefault(block.first, []).extend([f"$ {command}", *output])
            lengths[block.first] = len(block.lines)
    for first in sorted(blocks, reverse=True):
        lines[first : first + lengths[first]] = blocks[first]
    page.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main(pages: list[str]) -> None:
    server = start_server(max(BIN))
    began = time.monotonic()
    try:
        for page in pages:
            write_outputs(Path(page).resolve(), server)
            print(f"{page}: {time.monotonic() - began:.0f} s")
    finally:
        stop_server(server)


if __name__ == "__main__":
    main(sys.argv[1:])
