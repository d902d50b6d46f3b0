"""Writes the safe way into pending files, and files behind them, once a replay has shown that both make the same.

Hides how a file and its rollback file are cut, and what the new files are called: their names sort behind the one that
they are cut from, and before the next.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.directives import UNDO_UNWRITTEN
from wflo_schema.files.folder import Migration, Migrations, load_rollback, load_script, read_migrations
from wflo_schema.files.naming import write_whole
from wflo_schema.files.script import Script
from wflo_schema.files.splitting import as_written
from wflo_schema.lint.operations import LintOptions, lint_with_rewrites
from wflo_schema.lint.parsing import parse
from wflo_schema.lint.rewriting import Part, Rewrite, undoes
from wflo_schema.lint.undoing import read_before
from wflo_schema.names import bare_name
from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.trace.operations import trace
from wflo_schema.trace.values import Traced

# Directives that each part of a file has as well.
_COPIED = ("lock-timeout", "block-timeout", "phase")


# Once a statement is in a file of its own, another may be the first that something is found in.
_MOST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Fixed:
    """The files that were written, and the ids of those that were left as they are, with the reason."""

    paths: tuple[Path, ...] = ()
    left: tuple[tuple[str, str], ...] = ()


class _CannotFix(Exception):
    """Why a file is left as it is."""


def fix(
    database: Database,
    migrations: Migrations,
    *,
    options: LintOptions | None = None,
    scratch: ScratchOptions | None = None,
) -> Fixed:
    """Write the safe way of what lint finds in pending files, as far as that is mechanical.

    An applied file is never touched.  What is written has been replayed: it makes the same catalog.
    Raise as `lint` does.
    """
    options = options or LintOptions()
    written: dict[Path, None] = {}
    for _ in range(_MOST_ROUNDS):
        fixed = _once(database, migrations, options, scratch)
        if not fixed.paths:
            break
        written.update(dict.fromkeys(fixed.paths))
        migrations = _read_again(migrations)
        if options.files:
            also = (m.id for m in migrations if Path(m.path) in written)
            options = replace(options, files=tuple(dict.fromkeys((*options.files, *also))))
    return Fixed(tuple(written), fixed.left)


def _read_again(migrations: Migrations, *folders: Path) -> Migrations:
    """The files as they are now, in the same folders, or in copies of these."""
    is_recursive = any(os.path.dirname(m.path) not in migrations.directories for m in migrations)
    given = {name: value for m in migrations for name, value in m.given.items()}
    return read_migrations(*(folders or migrations.directories), recursive=is_recursive, variables=given)


def _once(database: Database, migrations: Migrations, options: LintOptions, scratch: ScratchOptions | None) -> Fixed:
    result, rewrites, want = lint_with_rewrites(database, migrations, options=options, scratch=scratch)
    found = {(f.id, f.statement) for f in result.findings if f.location is not None}
    waiting = {e.id for e in engine.status(database, migrations).pending}
    files: dict[str, dict[str, str]] = {}
    left: list[tuple[str, str]] = []
    for m in migrations:
        own = {n: r for (i, n), r in rewrites.items() if i == m.id and (i, n) in found}
        if not own:
            continue
        if m.id not in waiting:
            left.append((m.id, "it is applied"))
            continue
        try:
            files[m.id] = _files_of(m, migrations, own)
        except _CannotFix as why:
            left.append((m.id, str(why)))
    judged = [i for i in result.judged if migrations.get(i) is not None]
    while files and want is not None:
        texts = {path: text for own in files.values() for path, text in own.items()}
        why_not, failed = _disproved(database, migrations, texts, judged, want, scratch)
        if not why_not:
            break
        # One that fails keeps the others back no longer.
        culprit = next((i for i, own in files.items() if any(Path(path).stem == failed for path in own)), None)
        left += [(i, why_not) for i in ([culprit] if culprit is not None else files)]
        files = {i: own for i, own in files.items() if culprit is not None and i != culprit}
    texts = {path: text for own in files.values() for path, text in own.items()}
    # rollback files first, as wherever they are written
    for path in sorted(texts, key=lambda p: (not p.endswith(".rollback.sql"), p)):
        write_whole(Path(path), texts[path])
    return Fixed(tuple(Path(p) for p in sorted(texts)), tuple(left))


# --- cutting ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cut:
    """A file that is cut: what is left of it, and the parts behind."""

    m: Migration
    script: Script
    back: Script | None
    kept: str = ""
    back_kept: str = ""
    parts: list[Part] = field(default_factory=list)


def _files_of(m: Migration, migrations: Migrations, rewrites: Mapping[int, Rewrite]) -> dict[str, str]:
    """The texts of the file, its parts, and the rollback files of all, by path.  Raise `_CannotFix`."""
    cut = _Cut(m, load_script(m.with_any_values()), load_rollback(m.with_any_values()))
    if not m.is_transactional:
        return {m.path: _replaced(cut.script, {n: _in_place(r) for n, r in rewrites.items()})}
    _refuse_overtaken(cut.script, rewrites)
    cut.kept = _replaced(cut.script, {n: r.here for n, r in rewrites.items()})
    taken: dict[int, str] = {}
    for number, rewrite in sorted(rewrites.items()):
        above = "" if rewrite.here else _above(cut.script, number).strip()
        parts = _with_undo(cut, rewrite, taken)
        cut.parts += [replace(p, sql=f"{above}\n{p.sql}" if above and p is parts[0] else p.sql) for p in parts]
    firsts = [r.undo for _, r in sorted(rewrites.items()) if r.undo]
    if cut.back is not None:
        cut.back_kept = _replaced(cut.back, dict.fromkeys(taken, ""))
        if firsts and not _has_statements(cut.back, taken):
            cut.back_kept = "\n".join(f"-- undo: {m.id}\n{one}" for one in firsts) + "\n"
        elif firsts:
            at = as_written(cut.back.source, cut.back.statements[0].start)[1]
            text = as_written(cut.back.source)[0].decode()
            cut.back_kept = text[:at] + "\n".join(firsts) + "\n" + cut.back_kept[at:]
    return _named(cut, migrations, has_statements=_has_statements(cut.script, rewrites))


# What finds other rows, or leaves other ones, where a statement that stood before it runs behind it.
_MINDS_ROWS = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|MERGE|TRUNCATE|DROP|DO|CALL|SELECT|WITH|EXECUTE|COPY)\b"
    r"|.*\b(?:DROP\s+(?!NOT\b)|TRIGGER\b|RULE\b|RENAME\b|SET\s+DEFAULT\b|TYPE\b)",
    re.IGNORECASE | re.DOTALL,
)


def _refuse_overtaken(script: Script, rewrites: Mapping[int, Rewrite]) -> None:
    """Raise `_CannotFix` where what is put apart would run behind a statement that minds: rows could be lost."""
    apart = [n for n, r in rewrites.items() if any(p.slug == "apart" for p in r.parts)]
    for number, statement in enumerate(script.statements, 1):
        if not any(n < number for n in apart):
            continue
        stays = rewrites[number].here if number in rewrites else statement.written
        if stays and _MINDS_ROWS.match(stays):
            raise _CannotFix(f"what line {statement.line} does to rows must come behind what would be put apart")


def _has_statements(script: Script, without: Mapping[int, object]) -> bool:
    gone = [n for n, r in without.items() if not (isinstance(r, Rewrite) and r.here)]
    return len(script.statements) > len(gone)


def _in_place(rewrite: Rewrite) -> str:
    """Where each statement is a transaction of its own, all of it can stand there."""
    texts = [f"{rewrite.here};"] if rewrite.here else []
    return "\n".join((*texts, *(p.sql for p in rewrite.parts))).removesuffix(";")


def _replaced(script: Script, instead: Mapping[int, str]) -> str:
    """The file's text with other texts in place of some statements, by number; empty leaves one out."""
    source = as_written(script.source)[0]
    made, done = b"", 0
    for number, statement in enumerate(script.statements, 1):
        if number not in instead:
            continue
        start, end = (as_written(script.source, at)[1] for at in (statement.start, statement.end))
        if not instead[number]:
            start -= len(_above(script, number).encode())
        made += source[done:start] + instead[number].encode()
        done = end
        if not instead[number]:
            done = source.find(b";", end) + 1 if source[end:].lstrip().startswith(b";") else end
            done += len(source[done:]) - len(source[done:].lstrip(b" \t"))
            done += source[done : done + 1] == b"\n"
    return (made + source[done:]).decode()


def _above(script: Script, number: int) -> str:
    """The lines of comment right above a statement, which go where it goes; those at the top are of the file."""
    if number == 1:
        return ""
    source = as_written(script.source)[0]
    start = as_written(script.source, script.statements[number - 1].start)[1]
    end = as_written(script.source, script.statements[number - 2].end)[1]
    between = source[end:start].decode()
    lines = between.split("\n")
    found: list[str] = []
    while len(lines) > 2 and lines[-2].lstrip().startswith("--") and not lines[-1].strip():
        found.insert(0, lines.pop(-2))
    return "".join(f"{line}\n" for line in found) + (lines[-1] if found else "")


def _with_undo(cut: _Cut, rewrite: Rewrite, taken: dict[int, str]) -> list[Part]:
    """The parts with what takes them back, of which the rollback file said some."""
    said = ""
    for what in rewrite.undone_by:
        numbers = _undone_at(cut, what, taken)
        if len(numbers) > 1:
            raise _CannotFix(f"which statements of {cut.m.rollback_path} take back which of the file is not clear")
        for number in numbers:
            assert cut.back is not None
            said = f"{cut.back.statements[number - 1].written};"
            taken[number] = said
    made = []
    is_written = cut.back is not None and (cut.back.statements or cut.back.nothing_to_undo)
    for part in rewrite.parts:
        keeps = part.keeps or ("the rollback file said nothing of it" if is_written else "")
        undo = part.undo or ("" if part.keeps else said)
        made.append(Part(part.slug, part.sql, undo, keeps, is_alone=part.is_alone))
    return made


def _undone_at(cut: _Cut, what: str, taken: Mapping[int, str]) -> list[int]:
    """The numbers of statements of the rollback file that take this back."""
    found = []
    for number, statement in enumerate(cut.back.statements if cut.back is not None else (), 1):
        parsed = parse(statement.text) if number not in taken else None
        if parsed is None:
            continue
        if what.startswith(("index ", "constraint ", "not null ")):
            is_it = undoes(parsed, what)
        else:
            of, _, name = what.partition(" ")
            relation = getattr(parsed.node, "relation", None)
            is_it = relation is not None and relation.relname == bare_name(name) and parsed.is_of_rows == (of == "rows")
        if is_it:
            found.append(number)
    return found


def _named(cut: _Cut, migrations: Migrations, *, has_statements: bool) -> dict[str, str]:
    """All texts by path; where nothing is left of the file, the first part takes its place."""
    m, parts = cut.m, list(cut.parts)
    texts: dict[str, str] = {}
    if has_statements:
        texts[m.path] = _with_variables_in_use(cut.script, cut.kept)
        if m.rollback_path is not None:
            texts[m.rollback_path] = cut.back_kept or f"-- undo: {m.id}\n-- nothing-to-undo: the files behind it do\n"
    elif parts:
        first = parts.pop(0)
        head = "-- transactional: false\n" if first.is_alone else ""
        text = f"{head}{cut.kept.strip()}\n{first.sql}\n".replace("\n\n\n", "\n\n")
        texts[m.path] = _with_variables_in_use(cut.script, text)
        if m.rollback_path is not None:
            texts[m.rollback_path] = f"{_undo_text(first, m.id)}{_rest(cut)}"
    is_tied = bool(m.depends) or any(m.id in other.depends for other in migrations)
    before = m.id
    there = sum(other.id.startswith(f"{m.id}_") for other in migrations)
    for number, part in enumerate(parts, 2 + there):
        stem = f"{m.id}_{number:02}-{part.slug}"
        _refuse_misplaced(stem, m, migrations)
        lines = [f"-- {part.slug.replace('-', ' ')}: cut from {m.id}"]
        lines += ["-- transactional: false"] if part.is_alone else []
        lines += [f"-- depends: {before}"] if is_tied else []
        lines += [
            f"-- {n}: {cut.script.directives.values[n].strip()}" for n in _COPIED if cut.script.directives.says(n)
        ]
        lines += [f"-- variables: {used}"] if (used := _variables_in(cut.script, part.sql)) else []
        path = os.path.join(os.path.dirname(m.path), stem)
        texts[f"{path}.sql"] = "\n".join((*lines, "", part.sql, ""))
        if m.rollback_path is not None:
            texts[f"{path}.rollback.sql"] = _undo_text(part, stem)
        before = stem
    return texts


def _variables_in(script: Script, text: str) -> str:
    """Those of the file's variables that a text uses, as its directive declares them."""
    declared = script.directives.values.get("variables", "").split(",")
    return ", ".join(one.strip() for one in declared if re.search(rf""":(['"]){one.split("(")[0].strip()}\1""", text))


def _with_variables_in_use(script: Script, text: str) -> str:
    """What is left of a file, without the variables that only what was cut off uses."""
    if not script.directives.says("variables"):
        return text
    used = _variables_in(script, text)
    return re.sub(r"^--\s*variables:.*\n", f"-- variables: {used}\n" if used else "", text, count=1, flags=re.MULTILINE)


def _rest(cut: _Cut) -> str:
    """What the rollback file says besides."""
    lines = [line for line in cut.back_kept.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return "\n".join(lines) + "\n" if lines else ""


def _undo_text(part: Part, stem: str) -> str:
    if not part.undo:
        return f"-- undo: {stem}\n" + (f"-- nothing-to-undo: {part.keeps}\n" if part.keeps else f"{UNDO_UNWRITTEN}\n")
    alone = "-- transactional: false\n" if "CONCURRENTLY" in part.undo else "-- transactional: true\n"
    return f"-- undo: {stem}\n{alone}{part.undo}\n"


def _refuse_misplaced(stem: str, m: Migration, migrations: Migrations) -> None:
    """Raise `_CannotFix` where no name behind the file sorts before the next one."""
    place = migrations.items.index(m)
    others = [one.id for one in migrations.items[place + 1 :] if not one.id.startswith(f"{m.id}_")]
    is_behind = f"{m.id}.sql" < f"{stem}.sql" and all(f"{stem}.sql" < f"{i}.sql" for i in others[:1])
    if not is_behind or migrations.get(stem) is not None:
        raise _CannotFix(f"a file {stem} would not be applied behind it: give the file another name")


# --- proving ----------------------------------------------------------------------------------


def _disproved(
    database: Database,
    migrations: Migrations,
    texts: Mapping[str, str],
    judged: Sequence[str],
    want: Catalog,
    scratch: ScratchOptions | None,
) -> tuple[str, str]:
    """Why the new files do not make the same as the old ones, and which of them fails; nothing where they do."""
    with ExitStack() as stack:
        folders = {}
        for folder in migrations.directories:
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wfs"))) / "files"
            shutil.copytree(folder, copy)
            folders[os.path.abspath(folder)] = copy
        for path, text in texts.items():
            of = next(f for f in folders if os.path.abspath(path).startswith(f + os.sep))
            (folders[of] / os.path.relpath(os.path.abspath(path), of)).write_text(text, encoding="utf-8")
        seen: list[Catalog] = []

        def look(empty: Database, ids: Sequence[str], statements: Sequence[Traced]) -> None:
            seen.append(read_before(empty))

        try:
            fixed = _read_again(migrations, *folders.values())
            cut = {Path(p).stem for p in texts if not p.endswith(".rollback.sql")}
            ids = [m.id for m in fixed if m.id in judged or m.id in cut]
            found = trace(database, fixed, files=ids, scratch=scratch, look=look, takes_unfinished=True)
        except WfloSchemaError as error:
            return f"cut into parts, it fails: {error.message}", ""
        if found.failed:
            one = found.failed[0]
            return f"cut into parts, {one.id} fails: {one.error}", one.id
        differences = [d for d in compare_catalogs(seen[-1], want) if not d.cosmetic]
        if differences:
            d = differences[0]
            return f"cut into parts, it makes another {d.kind} {d.object}: {d.have}, not {d.want}", ""
    return "", ""
