"""yoyo: Python files that only list SQL, beside files of SQL that are ours as they stand.

Hides how such a file is read without being run.  Ids stay, because yoyo's ledger is ours.
Source: https://sr.ht/~olly/yoyo/ (``Migration.load``, ``StepCollector`` and ``read_sql_migration`` in
yoyo/migrations.py).
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import head, read_directives
from wflo_schema.files.folder import sort_ids
from wflo_schema.imports.cutting import cut_as, ended
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    each_statement,
    left_out_of,
    says_python_does_nothing,
)
from wflo_schema.words import listed, shown

# What begins a statement that changes the schema.
_CHANGES = re.compile(
    r"\b(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+|UNIQUE\s+|UNLOGGED\s+|MATERIALIZED\s+)?(?:TABLE|INDEX|VIEW|TYPE|SCHEMA|"
    r"SEQUENCE|FUNCTION|PROCEDURE|TRIGGER|EXTENSION|DOMAIN|POLICY|ROLE)\b[^\n\\\"']*",
    re.IGNORECASE,
)

# What the functions of yoyo are called; `transaction` is what `group` was.
_STEP, _GROUPS = "step", frozenset({"group", "transaction"})

# How the name of a file begins that yoyo leaves behind while a person edits it, and of one that is run every time.
_TEMPORARY, _HOOK = "_tmp_yoyonew", "post-apply"

# Functions that change the blanks of a text, and nothing else.
_BLANKS: Mapping[str, Callable[[str], str]] = {
    "dedent": textwrap.dedent,
    "cleandoc": inspect.cleandoc,
    "strip": str.strip,
    "lstrip": str.lstrip,
    "rstrip": str.rstrip,
}


@dataclass(frozen=True, slots=True)
class _Way:
    """One direction of a step: its SQL, None where there is none; where it is Python, its line and code."""

    text: str | None
    line: int = 0
    code: str = ""


@dataclass(frozen=True, eq=False)
class _Call:
    """One step; ``ignores`` is the direction whose errors are ignored."""

    line: int
    apply: _Way
    rollback: _Way
    ignores: str = ""


def read_yoyo(folder: Folder, wishes: Wishes) -> Source:
    """Read a folder of yoyo's: what is Python becomes SQL of the same id, what is SQL stays as it is."""
    names = [n for n in folder.top if n.endswith((".py", ".sql")) and not n.startswith(_TEMPORARY)]
    names = [n for n in names if n != "__init__.py" and not n.endswith(".rollback.sql")]
    hooks = [n for n in names if n.startswith(_HOOK)]
    taken: dict[str, str] = {}
    for name in names:
        if name not in hooks and (known := taken.setdefault(os.path.splitext(name)[0], name)) != name:
            raise BadMigrationFile(
                f"two migrations have one id: {folder.where(known)} and {folder.where(name)}", hint="rename one of them"
            )
    if names and not any(n.endswith(".py") for n in names):
        raise Refused(
            f"{folder.path} is a folder of ours already: there is nothing to import",
            hint=f"name it with --migrations: wflo-schema status --migrations {folder.path}",
        )
    steps = {i: _sql(folder, i, n) if n.endswith(".sql") else _python(folder, i, n, wishes) for i, n in taken.items()}
    for step in steps.values():
        if gone := [i for i in step.depends if i not in steps]:
            raise BadMigrationFile(f"{step.path} depends on {listed(gone)}, and there is no such migration")
    order = sort_ids({i: s.depends for i, s in steps.items()}, {i: s.path for i, s in steps.items()})
    used = {os.path.basename(path) for step in steps.values() for path in step.paths}
    left_out = [
        Note(folder.where(n), "is run after each apply, which no migration is", "make it a command behind migrate")
        for n in hooks
    ]
    left_out += left_out_of(folder, [n for n in folder.files if n not in {*used, *hooks}], "yoyo does not run it")
    return Source("yoyo", folder.path, "", tuple(_written(steps[i]) for i in order), (), tuple(left_out))


def _written(step: Step) -> Step:
    """A file of ours says itself what it depends on."""
    assert step.forward is not None
    return replace(step, depends=()) if step.forward.is_ours else step


def _sql(folder: Folder, id: str, name: str) -> Step:
    rollback = f"{id}.rollback.sql"
    forward = _as_it_is(folder, name)
    undo = _as_it_is(folder, rollback) if rollback in folder.top else None
    depends = read_directives(forward.path, head(forward.text)).ids("depends")
    paths = tuple(folder.where(n) for n in (name, rollback) if n in folder.top)
    return Step("", "", id, folder.where(name), forward, undo, id=id, depends=depends, files=paths)


def _as_it_is(folder: Folder, name: str) -> Section:
    path, text = folder.where(name), folder.text(name)
    is_wrapped = read_directives(path, head(text)).is_transactional is not False
    return Section(path, text, is_wrapped=is_wrapped, cut=each_statement, is_ours=True)


# --- Python -----------------------------------------------------------------------------------


def _python(folder: Folder, id: str, name: str, wishes: Wishes) -> Step:
    path = folder.where(name)
    try:
        tree = ast.parse(folder.text(name), path)
    except (SyntaxError, ValueError) as error:
        raise BadMigrationFile(f"{path} is no Python: {error}") from None
    read = _Module(tree, folder.text(name).decode())
    words = " ".join((ast.get_docstring(tree) or "").split())
    say = partial(_say, path, wishes, read)
    notes = [say(line, None) for line in read.python]
    forward = _section(path, [c.apply for c in read.calls], is_wrapped=read.is_wrapped, say=say)
    forward = replace(forward, notes=(*notes, *_of_errors(path, read.calls, "apply"), *forward.notes))
    if words:
        forward = replace(forward, text=f"-- {words}\n".encode() + forward.text)
    undo = None
    if any(c.rollback.text is not None or c.rollback.line for c in read.calls):
        undo = _section(path, [c.rollback for c in reversed(read.calls)], is_wrapped=read.is_wrapped, say=say)
        undo = replace(undo, notes=(*undo.notes, *_of_errors(path, read.calls, "rollback")))
    return Step("", "", id, path, forward, undo, id=id, depends=read.depends)


def _section(path: str, ways: Sequence[_Way], *, is_wrapped: bool, say: Callable[[int, str], Note]) -> Section:
    """The SQL of the steps, in order; each of them is one message.  What is Python stands there as a comment."""
    texts = [ended(textwrap.dedent(way.text or "").strip().encode()) for way in ways]
    messages = [text + b"\n" for text in texts if text]
    notes = [say(way.line, way.code) for way in ways if way.line]
    shown = [*messages]
    if any(note.is_open for note in notes):
        shown = [_commented(way.code) if way.line else text for way, text in zip(ways, texts, strict=True)]
    return Section(path, b"\n".join(shown), is_wrapped=is_wrapped, cut=cut_as(messages), notes=tuple(notes))


def _commented(code: str) -> bytes:
    return "".join(f"-- {line}".rstrip() + "\n" for line in code.splitlines()).encode()


def _say(path: str, wishes: Wishes, read: _Module, line: int, function: str | None) -> Note:
    """What is to be said of Python at that line: a function, or None for what decides which steps there are."""
    texts = [function] if function else list(read.functions.values())
    found = next((m for text in texts for m in _CHANGES.finditer(text)), None)
    return says_python_does_nothing(path, line, wishes, changes=shown(found[0]) if found else "")


def _of_errors(path: str, calls: Sequence[_Call], way: str) -> Iterator[Note]:
    for call in calls:
        if call.ignores in (way, "all") and getattr(call, way).text is not None:
            what = "yoyo goes on where this step fails, and a migration of ours does not"
            yield Note(path, what, "where it may fail, say it in SQL: IF EXISTS, IF NOT EXISTS, ON CONFLICT", call.line)


class _Module:
    """What a migration in Python says: its steps in the order in which yoyo collects them, and its settings.

    ``python`` are the lines that nobody can understand without running them.
    """

    def __init__(self, tree: ast.Module, source: str) -> None:
        self.calls: list[_Call] = []
        self.depends: tuple[str, ...] = ()
        self.is_wrapped = True
        self._texts: dict[str, str] = {}
        self.python: list[int] = []
        self.functions = {
            n.name: ast.get_source_segment(source, n) or "" for n in tree.body if isinstance(n, ast.FunctionDef)
        }
        self._steps: dict[str, list[_Call]] = {}
        self._names: dict[str, str] = {}
        for node in tree.body:
            self._take(node)

    def _take(self, node: ast.stmt) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "yoyo":
            self._names |= {a.asname or a.name: a.name for a in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self._assign([t.id for t in targets if isinstance(t, ast.Name)], node.value)
        elif isinstance(node, ast.Expr):
            self._collect(node.value)
        elif self._calls_in(node) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            self.python.append(node.lineno)  # what decides whether there is a step, or how many

    def _assign(self, names: Sequence[str], value: ast.expr) -> None:
        if set(names) & {"__depends__", "__transactional__"}:
            try:
                self._set(names, ast.literal_eval(value))
            except ValueError:
                self.python.append(value.lineno)
            return
        text = self._text(value)
        for name in names:
            self._texts.pop(name, None)
        if text is not None:
            self._texts |= dict.fromkeys(names, text)
        else:
            self._steps |= dict.fromkeys(names, self._collect(value))

    def _set(self, names: Sequence[str], value: object) -> None:
        if "__transactional__" in names:
            self.is_wrapped = bool(value)
        elif isinstance(value, str):
            self.depends = (value,)
        elif isinstance(value, set | list | tuple | dict):
            self.depends = tuple(sorted(map(str, value)))

    def _collect(self, node: ast.expr) -> list[_Call]:
        """The steps that an expression makes, or names, in the order in which Python makes them."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [step for inner in node.elts for step in self._collect(inner)]
        if isinstance(node, ast.Starred):
            return self._collect(node.value)
        if isinstance(node, ast.Name):
            return self._steps.get(node.id, [])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return [*self._collect(node.left), *self._collect(node.right)]
        called = self._called(node)
        if isinstance(node, ast.Call) and called == _STEP:
            step = self._step(node)
            self.calls.append(step)
            return [step]
        if isinstance(node, ast.Call) and called in _GROUPS:
            return self._group(node)
        if self._calls_in(node):
            self.python.append(node.lineno)
        return []

    def _group(self, node: ast.Call) -> list[_Call]:
        given = [*node.args, *(k.value for k in node.keywords if k.arg == "steps")]
        ignores = next((self._text(k.value) or "" for k in node.keywords if k.arg == "ignore_errors"), "")
        inside = [step for inner in given for step in self._collect(inner)]
        self.calls = [c for c in self.calls if c not in inside]
        grouped = [replace(step, ignores=ignores or step.ignores) for step in inside]
        self.calls += grouped
        return grouped

    def _step(self, node: ast.Call) -> _Call:
        is_whole = not any(isinstance(a, ast.Starred) for a in node.args) and all(k.arg for k in node.keywords)
        given = dict(zip(("apply", "rollback", "ignore_errors"), node.args if is_whole else (), strict=False))
        given |= {k.arg: k.value for k in node.keywords if k.arg is not None}
        if not is_whole:
            self.python.append(node.lineno)
        ignores = self._text(given["ignore_errors"]) or "" if "ignore_errors" in given else ""
        return _Call(node.lineno, self._way(given.get("apply")), self._way(given.get("rollback")), ignores)

    def _way(self, node: ast.expr | None) -> _Way:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return _Way(None)
        text = self._text(node)
        return _Way(text) if text is not None else _Way(None, node.lineno, self._code(node))

    def _code(self, node: ast.expr) -> str:
        """The function that an expression names, or the expression."""
        return self.functions.get(node.id, "") if isinstance(node, ast.Name) else ast.unparse(node)

    def _called(self, node: ast.AST) -> str:
        """What function of yoyo is called, or nothing."""
        if not isinstance(node, ast.Call):
            return ""
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            return node.func.attr if node.func.value.id == "yoyo" else ""
        if isinstance(node.func, ast.Name):
            name = self._names.get(node.func.id, node.func.id)
            return name if name == _STEP or name in _GROUPS else ""
        return ""

    def _calls_in(self, node: ast.AST) -> bool:
        return any(self._called(inner) for inner in ast.walk(node))

    def _text(self, node: ast.expr) -> str | None:
        """The text that an expression is, where it says so by itself; else None."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self._texts.get(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._text(node.left), self._text(node.right)
            return None if left is None or right is None else left + right
        if isinstance(node, ast.JoinedStr):
            parts = [self._text(part) for part in node.values]
            return None if None in parts else "".join(part or "" for part in parts)
        if isinstance(node, ast.FormattedValue):
            return self._text(node.value) if node.conversion == -1 and node.format_spec is None else None
        if isinstance(node, ast.Call) and not node.keywords:
            return self._of_blanks(node)
        return None

    def _of_blanks(self, node: ast.Call) -> str | None:
        """The text of dedent("…"), textwrap.dedent("…") or "…".strip()."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [*node.args]
        if isinstance(node.func, ast.Attribute) and name.endswith("strip"):
            given = [node.func.value, *given]
        text = self._text(given[0]) if len(given) == 1 else None
        return _BLANKS[name](text) if text is not None and name in _BLANKS else None


# --- what shows it ----------------------------------------------------------------------------


def _shows(folder: Folder) -> str:
    for name in folder.top:
        if name.endswith(".py") and b"yoyo" in (text := folder.said(name)) and b"step" in text:
            return f"{name} lists steps"
    names = [n for n in folder.top if n.endswith(".sql")]
    rollback = next((n for n in names if f"{n.removesuffix('.sql')}.rollback.sql" in names), "")
    if rollback:
        return f"{rollback} has a rollback file"
    return f"{ini} names it" if names and (ini := _named_by(folder)) else ""


def _named_by(folder: Folder) -> str:
    """The settings in or above it that name the folder as one of their sources; empty without them."""
    for path in folder.above("yoyo.ini"):
        with open(path, encoding="utf-8", errors="replace") as file:
            said = re.search(r"^sources\s*=\s*(.+)$", file.read(), re.MULTILINE)
        sources = re.split(r"[\s,;]+", said[1].strip()) if said else []
        if folder.full_path in [os.path.abspath(os.path.join(os.path.dirname(path), one)) for one in sources]:
            return path
    return ""


TOOL = Tool("yoyo", read_yoyo, shows=_shows, is_flat=True)
