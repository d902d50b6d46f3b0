"""Sqitch: a plan, and a file for each change that deploys, reverts or verifies it.

Hides the grammar of the plan and of sqitch.conf, and which file is the text of a change that was reworked.

Source: https://github.com/sqitchers/sqitch (lib/App/Sqitch/Plan.pm, Plan/Change.pm, Target.pm, Engine/pg.pm).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_source
from wflo_schema.findings import Location
from wflo_schema.imports.source import Folder, Note, Section, Source, Step, Tool, Wishes, is_sql
from wflo_schema.words import counted, shown

_CONFIG = "sqitch.conf"
_PLAN = "sqitch.plan"

_NAME = r"[^\s@:#\\\[\]]+"
_LINE = re.compile(
    rf"[ \t]*(?P<kind>@|[+-][ \t]*)?(?P<name>{_NAME})[ \t]*(?:\[(?P<needs>[^]]*)\][ \t]*)?"
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ[ \t]*[^<]+<[^>]+>[ \t]*\Z"
)
_PRAGMA = re.compile(r"[ \t]*%[ \t]*(?P<name>[^\s=]+)[ \t]*(?:=[ \t]*(?P<value>.*?))?[ \t]*\Z")
_NEED = re.compile(rf"(?P<conflicts>!?)(?:(?P<project>{_NAME}):)?(?P<change>{_NAME})?(?:@(?P<tag>{_NAME}))?\Z")
_SECTION = re.compile(r"\[\s*(?P<kind>[\w.-]+)(?:\s+\"(?P<name>(?:[^\"\\]|\\.)*)\")?\s*\]")
_SETTING = re.compile(r"(?P<key>[\w.-]+)\s*(?:=\s*(?P<value>.*))?\Z")

# Sqitch's own commands; other files beside its scripts are none of its business.
_SCRIPTS = ("deploy", "revert", "verify")


@dataclass(slots=True)
class _Change:
    """One line of the plan.

    ``number`` counts those of its name.  ``reworked_at`` are the tags between it and the next of its name, as Sqitch
    looks for its files: those of the last change first; none where there is no next.
    """

    name: str
    line: int
    needs: tuple[str, ...]
    number: int
    tags: list[str] = field(default_factory=list)
    reworked_at: tuple[str, ...] = ()

    @property
    def is_reworked(self) -> bool:
        """Is there a later one of its name?"""
        return bool(self.reworked_at)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the plan says."""

    path: str
    project: str
    changes: tuple[_Change, ...]


class _Config:
    """sqitch.conf: Git's format, with sections as core, engine "pg", target "NAME"."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._values: dict[str, str] = {}
        self._names: dict[str, str] = {}  # as they were written first
        section = ""
        joined = re.sub(r"\\\n", "", text)
        for line in joined.split("\n"):
            said = line.strip()
            if not said or said[0] in "#;":
                continue
            if (found := _SECTION.match(said)) is not None:
                section = ".".join(p for p in (found["kind"].lower(), found["name"]) if p)
                said = said[found.end() :].strip()
            if said and (setting := _SETTING.match(said)) is not None:
                key = f"{section}.{setting['key']}".lower()
                self._values[key] = _value(setting["value"])
                self._names.setdefault(key, setting["key"])

    def get(self, key: str) -> str:
        """A setting by its full name, empty without one."""
        return self._values.get(key.lower(), "")

    @property
    def engine(self) -> str:
        """The engine that is used when none is named."""
        target = self.get("core.target")
        uri = (self.get(f"target.{target}.uri") or target) if target else ""
        return self.get("core.engine").strip() or (uri.removeprefix("db:").partition(":")[0] if uri else "")

    def fetch(self, key: str) -> str:
        """A setting of the default target, of its engine, or of all."""
        target = self.get("core.target") or self.get(f"engine.{self.engine or 'pg'}.target")
        places = ([f"target.{target}"] if target else []) + [f"engine.{self.engine or 'pg'}", "core"]
        return next((value for place in places if (value := self.get(f"{place}.{key}"))), "")

    def variables(self, command: str) -> dict[str, str]:
        """The values of psql's variables for one of its commands, the last said counts."""
        target = self.get("core.target") or self.get(f"engine.{self.engine or 'pg'}.target")
        places = ["core", *dict.fromkeys(("deploy", command)), f"engine.{self.engine or 'pg'}"]
        found: dict[str, str] = {}
        for place in (*places, *([f"target.{target}"] if target else [])):
            start = f"{place}.variables.".lower()
            found |= {self._names[key]: v for key, v in self._values.items() if key.startswith(start)}
        return found


_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\b": "\b", r"\\": "\\"}


def _value(said: str | None) -> str:
    """A value as Sqitch's reader has it (Config::GitLike): within quotes an escaped quote keeps its backslash."""
    if said is None:
        return "true"
    value = ""
    for part in re.finditer(
        r"(?P<comment>[#;].*)|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<escaped>\\.)|(?P<blank>[ \t]+)|(?P<plain>.)", said
    ):
        if part["comment"]:
            break
        if part["quoted"] is not None:
            value += re.sub(r"\\[ntb\\]", lambda m: _ESCAPES[m[0]], part["quoted"])
        elif part["escaped"]:
            value += _ESCAPES.get(part["escaped"], part["escaped"][1:])
        else:
            value += " " if part["blank"] else part["plain"]
    return value.strip()


def read_sqitch(folder: Folder, wishes: Wishes) -> Source:
    """Sqitch: changes in the order of the plan, each file by psql in a session of its own, with ON_ERROR_STOP."""
    return _Project(folder).source()


class _Project:
    """A folder with what sqitch.conf says of it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._root = _root_of(folder)
        path = os.path.join(self._root, _CONFIG)
        self._config = _Config(path, _read(path) if os.path.isfile(path) else "")
        if self._config.engine not in ("", "pg"):
            raise BadMigrationFile(
                f"{path}: its engine is {self._config.engine}, and this is for PostgreSQL (pg)",
                hint="name the folder of the PostgreSQL project",
            )
        self._top = self._join(self._config.fetch("top_dir") or ".")
        self._extension = self._config.fetch("extension") or "sql"
        plan = self._config.fetch("plan_file")
        self._plan_path = self._join(plan) if plan else os.path.normpath(os.path.join(self._top, _PLAN))

    def _join(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._root, path))

    def _directory(self, script: str, *, is_reworked: bool) -> str:
        """The folder of deploy, revert or verify scripts; those of reworked changes may have their own."""
        kind = f"{'reworked_' if is_reworked else ''}{script}_dir"
        if said := self._config.fetch(kind):
            return self._join(said)
        top = self._config.fetch("reworked_dir") if is_reworked else ""
        return os.path.normpath(os.path.join(self._join(top) if top else self._top, script))

    def source(self) -> Source:
        """All of it."""
        plan = _read_plan(self._plan_path)
        steps = tuple(self._step(change, n) for n, change in enumerate(plan.changes, 1))
        used = {os.path.realpath(path) for step in steps for path in step.paths}
        return Source(
            "sqitch",
            self._folder.path,
            f"{self._plan_path} is its plan, of the project {plan.project}",
            steps,
            ledgers=("sqitch",),
            left_out=tuple(self._left_out(plan, used)),
        )

    def _left_out(self, plan: _Plan, used: set[str]) -> Iterator[Note]:
        verify = {path for c in plan.changes if os.path.isfile(path := self._path(c, "verify"))}
        if verify:
            where = self._directory("verify", is_reworked=False)
            yield Note(where, f"{counted(len(verify), 'file')} that verify changes, which is not done here")
            used = used | {os.path.realpath(path) for path in verify}
        others: dict[str, int] = {}
        kinds = [(script, is_old) for script in _SCRIPTS for is_old in (False, True)]
        scripts = tuple(os.path.realpath(self._directory(s, is_reworked=old)) + os.sep for s, old in kinds)
        for name in self._folder.files:
            path = self._folder.where(name)
            real = os.path.realpath(path)
            if os.path.basename(name) in (_CONFIG, _PLAN):
                continue
            if real.startswith(scripts) and name.endswith(f".{self._extension}") and real not in used:
                yield Note(path, "the plan names no such change, so Sqitch never runs it")
            elif is_sql(name) and real not in used:
                yield Note(path, "is no script of a change")
            elif real not in used:
                others[name.partition("/")[0]] = others.get(name.partition("/")[0], 0) + 1
        for name, count in others.items():
            yield Note(self._folder.where(name), f"no script of a change in it: {counted(count, 'file')}")

    def _path(self, change: _Change, script: str) -> str:
        """The path of a change's script: of a reworked one it has the first of the tags behind it that has a file."""
        directory = self._directory(script, is_reworked=change.is_reworked)
        names = [change.name]
        if change.is_reworked:
            names = [f"{change.name}@{tag}" for tag in change.reworked_at]
            deploy = self._directory("deploy", is_reworked=True)
            names = [n for n in names if os.path.isfile(os.path.join(deploy, f"{n}.{self._extension}"))] or names
        return os.path.join(directory, *f"{names[0]}.{self._extension}".split("/"))

    def _step(self, change: _Change, number: int) -> Step:
        deploy, revert = self._path(change, "deploy"), self._path(change, "revert")
        notes: list[Note] = []
        forward = self._section(deploy)
        if forward is None:
            what = f"the plan names the change {change.name}, and there is no {deploy}"
            notes.append(Note(self._plan_path, what, "bring the file back", change.line, is_open=True))
        notes += self._foreign(change)
        files = tuple(path for path in (deploy, revert) if os.path.isfile(path))
        name = f"{change.name}@{os.path.basename(deploy).partition('@')[2]}" if change.is_reworked else change.name
        return Step(
            change.name if change.number == 1 else f"{change.name}#{change.number}",
            str(number),
            name.removesuffix(f".{self._extension}").replace("/", "-"),
            deploy if forward is not None else self._plan_path,
            forward,
            self._section(revert, "revert"),
            notes=tuple(notes),
            files=files,
        )

    def _foreign(self, change: _Change) -> Iterator[Note]:
        for need in change.needs:
            found = _NEED.match(need)
            if found is not None and found["project"] and not found["conflicts"]:
                what = f"{change.name} needs {need}, of another project"
                yield Note(self._plan_path, what, "apply that one before", change.line)

    def _section(self, path: str, command: str = "deploy") -> Section | None:
        if not os.path.isfile(path):
            return None
        inside = os.path.relpath(path, self._folder.root or ".").replace(os.sep, "/")
        text = self._folder.text(inside)
        values = self._config.variables(command)
        return Section(path, text, is_wrapped=False, is_psql=True, directory=self._root, values=values)


def _root_of(folder: Folder) -> str:
    """Where sqitch.conf or the plan is: the folder, or one above it."""
    start = folder.root or "."
    above = start
    for _ in range(3):
        if any(os.path.isfile(os.path.join(above, name)) for name in (_CONFIG, _PLAN)):
            return os.path.normpath(above)
        above = os.path.join(above, "..")
    raise BadMigrationFile(
        f"there is no {_PLAN} and no {_CONFIG} in {start}, nor above it",
        hint="name the folder that holds sqitch.plan: it says in which order the changes are deployed",
    )


def _read(path: str) -> str:
    return read_source(path)[0].decode()


# --- the plan ---------------------------------------------------------------------------------


def _read_plan(path: str) -> _Plan:
    """Read the plan.  Raise `BadMigrationFile` where Sqitch itself would not take it."""
    if not os.path.isfile(path):
        raise BadMigrationFile(
            f"there is no plan {path}", hint="name the folder that holds sqitch.plan, or say plan_file in sqitch.conf"
        )
    changes: list[_Change] = []
    tags: set[str] = set()
    since: dict[str, int] = {}  # changes since the last tag, by name
    project = ""
    for number, line in enumerate(_read(path).split("\n"), 1):
        said = line.partition("#")[0].rstrip()
        if not said.strip():
            continue
        if not changes and (pragma := _PRAGMA.match(said)) is not None:
            project = pragma["value"] if pragma["name"] == "project" else project
            continue
        found = _LINE.match(said)
        if found is None:
            what = f"is no line of a plan: {shown(said)}"
            raise _refused(path, number, what, "write NAME [needs] TIME PLANNER <EMAIL>, as sqitch add does")
        name = found["name"]
        if found["kind"] == "@":
            if name in tags or not changes:
                what = f"the tag @{name} stands {'twice' if name in tags else 'before all changes'}"
                raise _refused(path, number, what, "remove the line")
            tags.add(name)
            since.clear()
            changes[-1].tags.append(name)
            continue
        if name in since:
            what = f"the change {name} stands in line {since[name]} as well, with no tag between them"
            raise _refused(path, number, what, "remove one of the two, or rework it behind a tag")
        if (found["kind"] or "").startswith("-"):
            raise _refused(path, number, f"-{name} stands for no change", "remove the line")
        since[name] = number
        count = sum(c.name == name for c in changes) + 1
        changes.append(_Change(name, number, tuple((found["needs"] or "").split()), count))
    if not project:
        raise _refused(path, 1, "the plan names no %project", "write %project=NAME into its first lines")
    _rework(changes)
    plan = _Plan(path, project, tuple(changes))
    _refuse_unfit_needs(plan)
    return plan


def _rework(changes: Sequence[_Change]) -> None:
    """Find the tags at which each change was reworked."""
    later: dict[str, int] = {}
    for n in range(len(changes) - 1, -1, -1):
        change = changes[n]
        if change.name in later:
            between = reversed(changes[n : later[change.name]])
            change.reworked_at = tuple(tag for one in between for tag in one.tags)
        later[change.name] = n


def _refuse_unfit_needs(plan: _Plan) -> None:
    """Raise where a change needs what the plan does not name before it, or conflicts with what it does name."""
    named = {change.name for change in plan.changes}
    before: set[str] = set()
    seen_tags: set[str] = set()
    for change in plan.changes:
        for need in change.needs:
            found = _NEED.match(need)
            if found is None:
                raise _refused(plan.path, change.line, f"{need} is no dependency", "write NAME, NAME@TAG or !NAME")
            is_own = not found["project"] or found["project"] == plan.project
            if not is_own or re.fullmatch(r"[0-9a-f]{40}", found["change"] or ""):
                continue
            is_there = (not found["change"] or found["change"] in before) and (
                not found["tag"] or found["tag"] in seen_tags
            )
            if found["conflicts"] and is_there:
                what = f"{change.name} conflicts with {need[1:]}, which is deployed before it"
                raise _refused(plan.path, change.line, what, "Sqitch refuses it as well: remove one of them")
            if found["conflicts"] and found["change"] and found["change"] not in named:
                what = f"{change.name} conflicts with {found['change']}, which the plan does not name"
                raise _refused(plan.path, change.line, what, "remove it from the brackets")
            if not found["conflicts"] and not is_there:
                what = f"{change.name} needs {need}, and the plan names no such change before it"
                raise _refused(plan.path, change.line, what, "put it before this line, or remove it from the brackets")
        before.add(change.name)
        seen_tags |= set(change.tags)


def _refused(path: str, line: int, what: str, how: str) -> BadMigrationFile:
    return BadMigrationFile(f"{path}:{line}: {what}", hint=how, location=Location(path, line))


TOOLS: tuple[Tool, ...] = (Tool("sqitch", read_sqitch, "Sqitch"),)
