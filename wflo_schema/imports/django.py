"""Django, by the SQL that ``manage.py sqlmigrate`` prints, in the order of ``showmigrations --plan``.

Hides which file is of which migration, and which of Django's own steps in Python do nothing in an empty database.
Source: https://github.com/django/django (core/management/commands/sqlmigrate.py and showmigrations.py,
db/migrations/migration.py).
"""

from __future__ import annotations

import re
import shlex

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    each_statement,
    is_sql,
    says_python_does_nothing,
    source_of,
)
from wflo_schema.words import counted, listed

# "[X]  auth.0001_initial", with -v 2 " ... (contenttypes.0001_initial)" behind it.
_PLANNED = re.compile(r"\[[X ]\]\s+(?P<app>\w+)\.(?P<name>\w+)(?:\s+\.\.\. \(.*\))?\s*")
_PYTHON = re.compile(
    rb"^-- (?:THIS OPERATION CANNOT BE WRITTEN AS SQL|MIGRATION NOW PERFORMS OPERATION THAT .*)$", re.MULTILINE
)
_BEGUN = re.compile(rb"\A\s*BEGIN;", re.IGNORECASE)

# What cannot be in a transaction, or counts only behind its end.
_OUTSIDE = re.compile(
    rb"\bCONCURRENTLY\b|\bADD\s+VALUE\b|^\s*(?:VACUUM|REINDEX|CLUSTER|ALTER\s+SYSTEM)\b", re.IGNORECASE | re.MULTILINE
)

# How the name of a file ends that takes back.
_UNDO = ("down", "backwards", "backward", "rollback", "reverse", "undo")

# Of django.contrib: what these do in Python changes rows that an empty database does not have, or nothing.
_NO_ROWS = frozenset({"contenttypes.0002_remove_content_type_name", "auth.0011_update_proxy_permissions"})

_SQL_FOLDER = "django-sql"
_WHERE = (
    "let Django write them as SQL, where manage.py is, with an empty database in its settings: "
    "sqlmigrate asks the database for names, and each migration is to be written where it is the next"
)
_HOW = (
    f"mkdir {_SQL_FOLDER}; python manage.py showmigrations --plan > {_SQL_FOLDER}/plan.txt\n"
    rf"sed 's/^.*\] *//; s/[.]/ /' {_SQL_FOLDER}/plan.txt | xargs -L 1 sh -c 'f={_SQL_FOLDER}/$0.$1; "
    "python manage.py sqlmigrate $0 $1 > $f.sql || echo -- THIS OPERATION CANNOT BE WRITTEN AS SQL > $f.sql; "
    "python manage.py migrate -v 0 $0 $1 || exit 255; python manage.py sqlmigrate --backwards $0 $1 > $f.down.sql'\n"
    f"wflo-schema import {_SQL_FOLDER}"
)


def read_django(folder: Folder, wishes: Wishes) -> Source:
    """Read what sqlmigrate printed of each migration of the plan: ``app.name.sql`` or ``app/name.sql``."""
    plan_path, plan_name, plan = _plan(folder, wishes)
    files = set(folder.files)
    steps, used, missing = [], {plan_name}, []
    for app, name in plan:
        stems = (f"{app}.{name}", f"{app}/{name}")
        forward = next((f"{s}.sql" for s in stems if f"{s}.sql" in files), "")
        undo = next((f for s in stems for way in _UNDO if (f := f"{s}.{way}.sql") in files), "")
        used |= {forward, undo}
        if not forward:
            missing.append(f"{app}.{name}")
        else:
            steps.append(_step(folder, f"{app}.{name}", forward, undo, wishes))
    unplanned = [name for name in folder.without(used) if is_sql(name)]
    if missing:
        what = (
            f"{plan_path} names {counted(len(missing), 'migration')} without a file in {folder.path}: {listed(missing)}"
        )
        raise BadMigrationFile(what, hint=f"{_WHERE}\n{_HOW}")
    if unplanned:
        what = f"{plan_path} does not name {listed(map(folder.where, unplanned))}"
        raise BadMigrationFile(what, hint=f"write the plan anew: python manage.py showmigrations --plan > {plan_path}")
    return source_of(folder, "django", steps, [Note(plan_path, "lists the order")], why="no SQL", keeps_session=True)


def _step(folder: Folder, version: str, forward: str, undo: str, wishes: Wishes) -> Step:
    app, _, name = version.partition(".")
    section = _section(folder, forward, version, wishes)
    back = _section(folder, undo, version, wishes) if undo else None
    notes: tuple[Note, ...] = ()
    if back is not None and back.is_blank and not section.is_blank:
        back = None
        notes = (Note(folder.where(undo), "is empty: Django cannot take that migration back"),)
    paths = tuple(folder.where(f) for f in (forward, undo) if f)
    return Step(version, "", f"{app}_{name}", folder.where(forward), section, back, notes, files=paths)


def _section(folder: Folder, name: str, version: str, wishes: Wishes) -> Section:
    """What sqlmigrate printed: with BEGIN and COMMIT it is one transaction, else each statement is sent by itself.

    It is one here, too, where nothing forbids that: SET CONSTRAINTS, which Django writes, means nothing otherwise.
    """
    text, path = folder.text(name), folder.where(name)
    notes = []
    for found in _PYTHON.finditer(text):
        line = text.count(b"\n", 0, found.start()) + 1
        if version in _NO_ROWS:
            notes.append(Note(path, "runs Python here, which does nothing in an empty database", line=line))
        else:
            notes.append(says_python_does_nothing(path, line, wishes))
    if _BEGUN.match(text):
        return Section(path, text, is_wrapped=False, notes=tuple(notes))
    is_apart = _OUTSIDE.search(text) is not None
    if not is_apart and text.strip():
        notes.append(Note(path, "Django runs each of its statements by itself; here they are one transaction"))
    return Section(path, text, is_wrapped=not is_apart, cut=each_statement, notes=tuple(notes))


def _plan(folder: Folder, wishes: Wishes) -> tuple[str, str, list[tuple[str, str]]]:
    """The path of the plan, its name in the folder where it is there, and what it lists."""
    if wishes.order in ("name", "number"):
        raise BadMigrationFile(
            f"--order {wishes.order} is not the order of Django's migrations",
            hint="python manage.py showmigrations --plan > plan.txt, and --order plan.txt",
        )
    if wishes.order:
        found = _read_plan(wishes.order)
        name = next((n for n in folder.files if folder.where(n) == wishes.order), "")
        return wishes.order, name, found
    if name := _plan_in(folder):
        return folder.where(name), name, _read_plan(folder.where(name))
    sql = [name for name in folder.files if is_sql(name)]
    if not sql or folder.has("manage.py"):
        raise BadMigrationFile(
            f"{folder.path} holds Django's migrations as Python, which is not run here: {_python(folder)}",
            hint=f"{_WHERE}\n{_HOW}",
        )
    raise BadMigrationFile(
        f"in which order the migrations in {folder.path} are run is not known",
        hint=f"python manage.py showmigrations --plan > {shlex.quote(folder.where('plan.txt'))}",
    )


def _plan_in(folder: Folder) -> str:
    return next((n for n in folder.files if n.endswith((".txt", ".plan")) and _is_plan(folder, n)), "")


def _is_plan(folder: Folder, name: str) -> bool:
    lines = folder.said(name).decode().split("\n")
    return any(_PLANNED.fullmatch(line.strip()) for line in lines[:_LOOKED_AT])


# Lines of a file in which a plan begins: something may be printed before it.
_LOOKED_AT = 50


def _read_plan(path: str) -> list[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadMigrationFile(f"cannot read {path}: {error}") from None
    found: dict[tuple[str, str], None] = {}
    for number, line in enumerate(lines, 1):
        planned = _PLANNED.fullmatch(line.strip())
        if planned is not None:
            found[planned["app"], planned["name"]] = None
        elif line.strip() and found:
            raise BadMigrationFile(
                f"{path}:{number} is no line of a plan: {line.strip()[:60]}",
                hint=f"python manage.py showmigrations --plan > {shlex.quote(path)}",
            )
    if not found:
        raise BadMigrationFile(
            f"{path} lists no migration", hint=f"python manage.py showmigrations --plan > {shlex.quote(path)}"
        )
    return list(found)


# --- what shows it ----------------------------------------------------------------------------

_PRINTED = re.compile(r"(?:[a-z_]\w*[./])\d{4}_\w+(?:\.\w+)?\.sql")
# What sqlmigrate writes above each operation; a folder with numbered files in it may be anybody's.
_HEADED = re.compile(rb"^--\n-- \S.*\n--$", re.MULTILINE)
_CODE = re.compile(rb"^from django\.db import .*\bmigrations\b|^class Migration\(migrations\.Migration\)", re.MULTILINE)


def _shows(folder: Folder) -> str:
    if folder.has("manage.py"):
        return "manage.py"
    if plan := _plan_in(folder):
        return f"{plan} is the output of showmigrations --plan"
    sql = [name for name in folder.files if is_sql(name)]
    if sql and all(_PRINTED.fullmatch(name) and ("/" not in name or _HEADED.search(folder.text(name))) for name in sql):
        return sql[0]
    python = _python(folder)
    return f"{python} is a migration" if python else ""


def _python(folder: Folder) -> str:
    return next((n for n in folder.files if n.endswith(".py") and _CODE.search(folder.said(n))), "")


TOOL = Tool("django", read_django, shows=_shows, also=frozenset({"golang-migrate"}), takes_order=True)
