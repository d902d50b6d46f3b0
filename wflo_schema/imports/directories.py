"""Tools that have a folder for each migration, or plain files in a folder of their own: diesel, Prisma, Hasura.

Hides where in a project their folder lies.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.splitting import pieces
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    is_sql,
    natural,
    no_sql,
    source_of,
)
from wflo_schema.words import counted, listed

_NUMBER = re.compile(r"(?P<number>\d+)[-_. ]*(?P<words>.*)", re.DOTALL)


def _named(name: str) -> tuple[str, str]:
    """The digits that a name begins with, and its words."""
    found = _NUMBER.fullmatch(name)
    return (found["number"], found["words"]) if found else ("", name)


def _home(folder: Folder, tool: str, homes: Iterable[str]) -> str:
    """The one place in the folder where the tool's migrations are.  Raise `BadMigrationFile` where there are more."""
    found = sorted(set(homes))
    if len(found) > 1:
        where = [folder.where(home) if home else folder.path for home in found]
        raise BadMigrationFile(
            f"{folder.path} holds {counted(len(found), 'folder')} with migrations of {tool}: {listed(where)}",
            hint="import one of them: each is for a database of its own, and needs an --into of its own",
        )
    return found[0] if found else ""


def _by_folder(
    folder: Folder, tool: str, names: Iterable[str], *, numbered: bool = False
) -> tuple[str, dict[str, set[str]]]:
    """Where the tool's folders are, and the files of each of them; ``names`` are those that show one."""
    wanted = frozenset(names)
    homes = set()
    for name in folder.files:
        *above, inner, base = ["", *name.split("/")]
        if above and base in wanted and (not numbered or re.match(r"\d+_", inner)):
            homes.add("/".join(above[1:]))
    home = _home(folder, tool, homes)
    start = f"{home}/" if home else ""
    found: dict[str, set[str]] = {}
    for name in folder.files:
        inner, slash, base = name.removeprefix(start).partition("/")
        if name.startswith(start) and slash and "/" not in base:
            found.setdefault(inner, set()).add(base)
    return start, found


# --- diesel -----------------------------------------------------------------------------------


def read_diesel(folder: Folder, wishes: Wishes) -> Source:
    """Diesel: up.sql, down.sql and metadata.toml in a folder each, in the order of their versions as texts.

    The version is the folder's name up to the first _, without its dashes.  Each file is one message, in a
    transaction unless metadata.toml says otherwise; that file counts only where it is TOML, and then what it does
    not say is false.

    Source: https://github.com/diesel-rs/diesel (diesel_migrations/migrations_internals/src/lib.rs,
    diesel_migrations/src/file_based_migrations.rs and migration_harness.rs).
    """
    start, found = _by_folder(folder, "diesel", ("up.sql", "down.sql"))
    steps: list[Step] = []
    for inner, names in found.items():
        if "up.sql" not in names:
            if any(is_sql(name) for name in names):
                raise BadMigrationFile(
                    f"{folder.where(start + inner)} has no up.sql; it holds {listed(sorted(names))}",
                    hint="diesel refuses such a folder: restore the file, or move the folder away",
                )
            continue
        is_wrapped, notes = _is_wrapped(folder, f"{start}{inner}/metadata.toml")
        version = inner.partition("_")[0].replace("-", "")
        read = [f"{start}{inner}/{name}" for name in ("up.sql", "down.sql", "metadata.toml") if name in names]
        steps.append(
            Step(
                version,
                version if version.isdecimal() else "",
                inner.partition("_")[2] if version.isdecimal() else inner,
                folder.where(read[0]),
                folder.section(read[0], is_wrapped=is_wrapped),
                folder.section(read[1], is_wrapped=is_wrapped) if "down.sql" in names else None,
                notes=notes,
                files=tuple(map(folder.where, read)),
            )
        )
    steps.sort(key=lambda step: step.version)
    return source_of(folder, "diesel", steps, keeps_session=True)


def _is_wrapped(folder: Folder, name: str) -> tuple[bool, tuple[Note, ...]]:
    if name not in folder.files:
        return True, ()
    try:
        said = tomllib.loads(folder.text(name).decode())
    except tomllib.TOMLDecodeError as error:
        return True, (Note(folder.where(name), f"is no TOML, and diesel does as if it were not there: {error}"),)
    more = sorted(said.keys() - {"run_in_transaction"})
    notes = (Note(folder.where(name), f"says {listed(more)} as well, which means nothing here"),) if more else ()
    return said.get("run_in_transaction", False) is True, notes


# --- Prisma -----------------------------------------------------------------------------------


def read_prisma(folder: Folder, wishes: Wishes) -> Source:
    """Prisma: migration.sql in a folder each, in the order of their names; one message each, and no way back.

    Its ledger records the whole name.

    Source: https://github.com/prisma/prisma-engines (schema-engine/connectors/schema-connector/src/
    migrations_directory.rs, schema-engine/connectors/sql-schema-connector/src/apply_migration.rs).
    """
    start, found = _by_folder(folder, "prisma", ("migration.sql",))
    lock = f"{start}migration_lock.toml"
    if lock in folder.files:
        _refuse_other_database(folder, lock)
    steps: list[Step] = []
    left_out: list[Note] = []
    for inner in sorted(found):
        names = found[inner]
        path = f"{start}{inner}/migration.sql"
        if "migration.sql" not in names and not re.match(r"\d", inner):
            continue
        if "migration.sql" not in names:
            steps.append(_not_sql(folder, inner, [f"{start}{inner}/{name}" for name in sorted(names)]))
            continue
        number, words = _named(inner)
        undo = f"{start}{inner}/down.sql"
        has_undo = undo in folder.files
        notes = (Note(folder.where(undo), "Prisma runs it by hand only, with db execute"),) if has_undo else ()
        steps.append(
            Step(
                inner,
                number,
                words,
                folder.where(path),
                folder.section(path, is_wrapped=False),
                folder.section(undo, is_wrapped=False) if has_undo else None,
                notes=notes,
                files=tuple(map(folder.where, (path, undo) if has_undo else (path,))),
            )
        )
    if lock in folder.files:
        left_out.append(Note(folder.where(lock), "says which database it is for"))
    return source_of(folder, "prisma", steps, left_out, keeps_session=True)


def _not_sql(folder: Folder, inner: str, names: Sequence[str]) -> Step:
    """The step of a folder that holds a program instead.  Raise `BadMigrationFile` where it holds none."""
    if not any(_CODE.search(name) for name in names):
        raise BadMigrationFile(
            f"{folder.where(names[0].rpartition('/')[0])} has no migration.sql; it holds {listed(names)}",
            hint="Prisma refuses such a folder (P3015): restore the file, or remove the folder",
        )
    number, words = _named(inner)
    paths = tuple(map(folder.where, names))
    return Step(inner, number, words, paths[0], None, notes=(no_sql(paths[0]),), files=paths)


_CODE = re.compile(r"\.(?:[cm]?[jt]sx?|py|rs|go|rb|sh)\Z", re.IGNORECASE)


def _refuse_other_database(folder: Folder, lock: str) -> None:
    try:
        provider = tomllib.loads(folder.text(lock).decode()).get("provider", "postgresql")
    except tomllib.TOMLDecodeError as error:
        raise BadMigrationFile(
            f"cannot read {folder.where(lock)}: {error}", hint='it must say provider = "postgresql"'
        ) from None
    if provider not in ("postgresql", "postgres"):
        raise BadMigrationFile(
            f"{folder.where(lock)} says that these migrations are for {provider}",
            hint="only PostgreSQL's can be imported; some projects keep a folder for each database",
        )


# --- Hasura -----------------------------------------------------------------------------------

# 1591085467216_init/up.sql, and 1591085467216_init.up.sql of its first version.
_HASURA = re.compile(r"(?P<number>\d+)_(?P<words>[^/]*?)[./](?P<direction>up|down)\.(?P<kind>sql|yaml)")


def read_hasura(folder: Folder, wishes: Wishes) -> Source:
    """Hasura: up.sql and down.sql in a folder each, or beside each other; in the order of their numbers.

    Each file is one run_sql, which the engine runs in a transaction.  An empty file does not count.

    Source: https://github.com/hasura/graphql-engine (cli/migrate/source/parse.go, cli/migrate/source/file/file.go).
    """
    found: dict[str, dict[str, str]] = {}
    homes = set()
    for name in folder.files:
        for cut in (n for n in range(len(name)) if n == 0 or name[n - 1] == "/"):
            part = _HASURA.fullmatch(name[cut:])
            if part is not None:
                homes.add(name[:cut].rstrip("/"))
                key = f"{part['number']}_{part['words']}"
                found.setdefault(key, {})[f"{part['direction']}.{part['kind']}"] = name
                break
    _home(folder, "hasura", homes)
    steps, left_out = [], []
    for key, names in found.items():
        step, notes = _hasura_step(folder, key, names)
        steps += [step] if step is not None else []
        left_out += notes
    steps.sort(key=lambda step: natural(step.version))
    return source_of(folder, "hasura", steps, left_out)


def _hasura_step(folder: Folder, key: str, names: Mapping[str, str]) -> tuple[Step | None, list[Note]]:
    number, words = _named(key)
    left_out = []
    forward, undo, notes = names.get("up.sql"), names.get("down.sql"), []
    for kind in ("up.yaml", "down.yaml"):
        if kind in names:
            said = folder.text(names[kind])
            if b"run_sql" in said:
                what, how = "runs SQL from YAML", "write its run_sql entries into the file as SQL"
                notes.append(Note(folder.where(names[kind]), what, how, is_open=kind == "up.yaml"))
            else:
                left_out.append(Note(folder.where(names[kind]), "changes Hasura's metadata, and no schema"))
    if forward is None and not any(note.is_open for note in notes):
        if undo is not None:
            left_out.append(Note(folder.where(undo), "takes back what no file makes", "is its up.sql missing?"))
        return None, left_out
    path = forward or names["up.yaml"]
    used = [*(n for n in (forward, undo) if n), *(n.path for n in notes)]
    step = Step(
        str(int(number)),
        number,
        words,
        folder.where(path),
        None if notes and forward is None else folder.section(path),
        folder.section(undo) if undo is not None else None,
        notes=tuple(notes),
        files=tuple(dict.fromkeys(folder.where(n) if n in folder.files else n for n in used)),
    )
    return step, left_out


# --- Supabase ---------------------------------------------------------------------------------

_SUPABASE = re.compile(r"(?P<number>\d+)_(?P<words>.*)\.sql\Z", re.DOTALL)

# Its CLI leaves out a first file of this name that is older than this.
_FIRST, _SINCE = re.compile(r"(\d{14})_init\.sql"), 20211209000000

# What Supabase's image of PostgreSQL has and a plain server lacks.
_PROVIDED: Mapping[str, re.Pattern[bytes]] = {
    "the schema auth": re.compile(rb'"?\bauth"?\."?\w', re.IGNORECASE),
    "the schema storage": re.compile(rb'"?\bstorage"?\."?(?:buckets|objects|\w+\()', re.IGNORECASE),
    "the schema extensions": re.compile(rb'\bSCHEMA\s+"?extensions\b|"?\bextensions"?\."?\w+"?\(', re.IGNORECASE),
    "the schema vault": re.compile(rb'"?\bvault"?\."?\w', re.IGNORECASE),
    "the role anon": re.compile(rb'\b(?:TO|FROM|ROLE)\b[^;\n]*"?\banon\b', re.IGNORECASE),
    "the role authenticated": re.compile(rb'\b(?:TO|FROM|ROLE)\b[^;\n]*"?\bauthenticated\b', re.IGNORECASE),
    "the role service_role": re.compile(rb'\b(?:TO|FROM|ROLE)\b[^;\n]*"?\bservice_role\b', re.IGNORECASE),
    "the publication supabase_realtime": re.compile(rb"\bPUBLICATION\s+\"?supabase_realtime\b", re.IGNORECASE),
}


def read_supabase(folder: Folder, wishes: Wishes) -> Source:
    """Supabase CLI: numbered files in supabase/migrations, in the order of their names.

    It sends the statements of a file in one batch, with the row of its ledger, so they are one transaction; what
    the file sets is reset before the next.  Since version 2.109 a statement that cannot run in a transaction is
    sent by itself, and divides the batch; versions before it, from 1.223 on, refuse such a file.

    Source: https://github.com/supabase/cli (pkg/migration/list.go, file.go and apply.go; pull requests 5156, 6009
    and 6276).
    """
    home = _home(folder, "supabase", _supabase_homes(folder))
    left_out: list[Note] = []
    steps: list[Step] = []
    told: set[str] = set()
    for n, name in enumerate(folder.inside(home)):
        base = name.rpartition("/")[2]
        found = _SUPABASE.match(base)
        first = _FIRST.search(base)
        if found is None and is_sql(base):
            left_out.append(
                Note(folder.where(name), "is left out by the Supabase CLI: its name is not NUMBER_NAME.sql")
            )
        elif n == 0 and first and int(first[1]) < _SINCE:
            left_out.append(Note(folder.where(name), "is left out by the Supabase CLI, as a first _init.sql of old"))
        elif found is not None:
            section = folder.section(name)
            if _is_divided(section):
                section = replace(section, is_wrapped=False, cut=_batches)
            notes = tuple(_needs(section, told))
            path = folder.where(name)
            steps.append(Step(found[1], found[1], found[2], path, section, notes=notes))
    put_back = ("ALL", "search_path")  # the role stays, and so do temporary tables
    return replace(source_of(folder, "supabase", steps, left_out), keeps_session=True, puts_back=put_back)


_ALONE = re.compile(
    rb"(?:(?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX\s+CONCURRENTLY|REINDEX\b.*\bCONCURRENTLY|VACUUM|ALTER\s+SYSTEM|CLUSTER)\b",
    re.IGNORECASE | re.DOTALL,
)
_ALONE_SOMEWHERE = re.compile(rb"\b(?:CONCURRENTLY|VACUUM|SYSTEM|CLUSTER)\b", re.IGNORECASE)


def _is_divided(section: Section) -> bool:
    with contextlib.suppress(BadMigrationFile):  # said where it is translated
        if _ALONE_SOMEWHERE.search(section.text):
            return any(_ALONE.match(section.text, piece.start) for piece in pieces(section.path, section.text))
    return False


def _batches(text: bytes) -> list[bytes]:
    """The messages of a file: statements that cannot run in a transaction by themselves, and those between them."""
    found: list[bytes] = []
    start = end = 0
    for piece in pieces("", text):
        if _ALONE.match(text, piece.start):
            found += [text[start:end], text[piece.start : piece.end]]
            start = piece.end
        end = piece.data[1] + 2 if piece.data else piece.end
    return [one for one in (*found, text[start:end]) if one.strip(b"; \t\n")]


def _needs(section: Section, told: set[str]) -> Iterable[Note]:
    """What a file is the first to need of that which Supabase provides."""
    needed = [what for what, pattern in _PROVIDED.items() if what not in told and pattern.search(section.text)]
    told.update(needed)
    if needed:
        yield Note(
            section.path,
            f"needs {listed(needed)}, which Supabase provides and a plain server lacks",
            "for scratch databases, make it with --scratch-prepare FILE",
        )


def _supabase_homes(folder: Folder) -> list[str]:
    """Where its migrations are: in the folder itself, or in supabase/migrations in it."""
    below = {name.rpartition("/")[0] for name in folder.files if _SUPABASE.match(name.rpartition("/")[2])}
    inner = [home for home in below if re.search(r"(?:^|/)supabase/migrations\Z", home)]
    if inner or "" in below:
        return [*inner, *([""] if "" in below and not inner else [])]
    return [home for home in below if home == "migrations"]


def _shows_supabase(folder: Folder) -> str:
    if folder.is_file:
        return ""
    if any(_SUPABASE.match(name) for name in folder.top):
        for config in ("../config.toml", "config.toml"):
            if folder.has(config) and _is_supabase(folder.text(config)):
                return f"{folder.where(config)} is Supabase's"
        if re.search(r"(?:^|[\\/])supabase[\\/]migrations\Z", folder.full_path):
            return "it is called supabase/migrations"
        return ""
    if (
        folder.has("config.toml")
        and "migrations" in _supabase_homes(folder)
        and _is_supabase(folder.text("config.toml"))
    ):
        return f"{folder.where('config.toml')} is Supabase's"
    if os.path.basename(folder.full_path) == "supabase" and "migrations" in _supabase_homes(folder):
        return "it is called supabase, and holds migrations"
    homes = [home for home in _supabase_homes(folder) if home.endswith("supabase/migrations")]
    return f"it holds {homes[0]}" if homes else ""


def _is_supabase(config: bytes) -> bool:
    return (
        re.search(rb"^\s*(?:project_id\s*=|\[(?:api|auth|db|studio|storage|realtime)\])", config, re.MULTILINE)
        is not None
    )


TOOLS: tuple[Tool, ...] = (
    Tool("diesel", read_diesel, "Diesel"),
    Tool("prisma", read_prisma, "Prisma"),
    Tool("hasura", read_hasura, "Hasura"),
    Tool("supabase", read_supabase, shows=_shows_supabase),
)
