"""A schema snapshot as one file: SQL that loads, and the catalog it came from, for review and for comparing.

Hides how the catalog is carried along in comments.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.catalog.making import making_statements
from wflo_schema.catalog.mend import QUALIFIED
from wflo_schema.catalog.objects import Catalog, Path
from wflo_schema.catalog.other_ledgers import recognise
from wflo_schema.catalog.read import columns_of_tables, read_catalog, read_surroundings, without_ledgers
from wflo_schema.catalog.text import DUMP_TITLE, catalog_text, parse_catalog
from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.schemas import refuse_missing_schema
from wflo_schema.errors import WfloSchemaError

_TITLE = "-- Schema of a PostgreSQL database, written by wflo-schema dump: SQL that loads, its catalog in comments."

# Begins every line of the catalog.
_MARK = "--|"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A schema as text.

    ``left_out`` names what the SQL does not make; the catalog in the comments has it.  ``ledgers`` are tables in
    which other tools record their migrations: neither SQL nor comments have them.
    ``needs`` are names in other schemas that a dump of one schema takes for granted.
    """

    text: str
    left_out: tuple[str, ...]
    ledgers: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def dump_schema(database: Database, *, ledger: Sequence[str] = ()) -> Snapshot:
    """Write the schema of a database (one schema, where ``database`` names one): sorted, and equal for equal schemas.

    Nothing in it depends on when and by which minor version it was written.  Loaded into an empty
    database of the same major version it gives an equal catalog, but for what ``left_out`` names.
    ``ledger`` are statements that come last: what makes the ledger, where it is wanted.  Reads only.  Raise `Refused`
    where there is no such schema.
    """
    refuse_missing_schema(database)
    with database.connect(settings=PATIENT) as connection:
        if database.schema is None:
            found = whole = read_catalog(connection, apart=database.ledger_apart)
        else:  # a database may have thousands of schemas
            found = read_catalog(connection, schemas=(database.schema,))
            whole = read_surroundings(connection, apart=database.ledger_apart)
        found = _with_schemas_of(found, whole)
        found, ledgers = without_ledgers(found, unused=_unused_ledgers(connection, found))
    extensions = tuple(o for o in whole.objects if o.kind == "extension" and o.get("schema") == database.schema)
    statements, left_out = making_statements(Catalog((*extensions, *found.objects), found.server_version))
    needs = _needs(statements, whole, database.schema) if database.schema else ()
    if database.schema and any(o.get("distribution") or o.get("distributed") for o in found.objects):
        needs += ("extension citus",)
    statements += ledger
    lines = [
        _TITLE,
        *(f"-- left out: {one}" for one in left_out),
        *(f"-- left out, another tool's ledger: {one}" for one in ledgers),
        *(f"-- needs of other schemas: {one}" for one in needs),
        "",
        "SET check_function_bodies = off;",
        "SET search_path = '';",
        *("\n" + s for s in statements),
        "",
        "RESET search_path;",
        "RESET check_function_bodies;",
        "",
        *(f"{_MARK} {line}" if line else _MARK for line in catalog_text(found).split("\n")[:-1]),
    ]
    return Snapshot("\n".join(lines) + "\n", left_out, ledgers, needs)


def _with_schemas_of(found: Catalog, whole: Catalog) -> Catalog:
    """The catalog of a schema, which is said to be distributed: what is limited to a schema does not say that."""
    kept = (whole.find("schema", *o.path) or o if o.kind == "schema" else o for o in found.objects)
    return replace(found, objects=tuple(kept))


def _unused_ledgers(connection: psycopg.Connection[TupleRow], found: Catalog) -> frozenset[Path]:
    """Tables, and their schemas, that look like a ledger and record nothing: a migration made them, and no tool.

    One whose rows this role may not see, or that is locked, is taken for a ledger.
    """
    tables = columns_of_tables(found)
    unused: set[Path] = set()
    for schema, table in tables:
        tool = recognise(schema, table, tables)
        if tool is None:
            continue
        is_empty = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table))
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '2s'")
                row = connection.execute(is_empty).fetchone()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
            continue
        if row is not None and row[0]:
            unused |= {(schema,), *((schema, name) for name in tool.all_tables)}
    return frozenset(unused)


def _needs(statements: Sequence[str], whole: Catalog, schema: str) -> tuple[str, ...]:
    """What the statements name in other schemas of the database."""
    others = {o.name for o in whole.objects if o.kind == "schema" and o.path != (schema,)}
    named = {name for text in statements for name in QUALIFIED.findall(text)}
    return tuple(sorted(n for n in named if any(n.startswith(f"{other}.") for other in others)))


def parse_snapshot(text: str) -> Catalog:
    """The catalog of a snapshot.  Raise `WfloSchemaError` when there is none in it."""
    _, begin, rest = ("\n" + text.replace("\r\n", "\n")).rpartition(f"\n{_MARK} {DUMP_TITLE}\n")
    lines = [line[len(_MARK) :].removeprefix(" ") for line in (begin + rest).split("\n") if line.startswith(_MARK)]
    if not begin:
        raise WfloSchemaError(
            "this file holds no catalog that this version reads",
            hint="write it with wflo-schema dump of this version, and keep the comments at its end",
        )
    return parse_catalog("\n".join(lines) + "\n")


def read_snapshot(path: pathlib.Path) -> Catalog:
    """The catalog of a snapshot file.  Raise `WfloSchemaError` when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise WfloSchemaError(f"cannot read {path}: {why}", hint="write it with wflo-schema dump > FILE") from None
    try:
        return parse_snapshot(text)
    except WfloSchemaError as error:
        raise WfloSchemaError(f"{path}: {error.message}", hint=error.hint) from None
