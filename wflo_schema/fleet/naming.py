"""Migrations that name a schema outright: in a fleet they would all be about one place, whichever target they run for.

Hides which statements that is, and how a file says that it is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import Migration, load_script
from wflo_schema.files.places import changed_places, mentioned_schemas, parsed_parts, place_of, sets_path
from wflo_schema.files.script import Script, Statement
from wflo_schema.findings import Finding, Location, Severity
from wflo_schema.names import qualified, quote
from wflo_schema.words import listed

CODE = "outside-schema"

# Most places that an error lists.
_SHOWN = 10

_MEANT = f"if that is meant for each target, say so above it: -- lint: allow {CODE} because …"


def find_named_schemas(script: Script, schemas: Collection[str]) -> tuple[Finding, ...]:
    """The statements of a file that are about one place, whichever of the targets' ``schemas`` it runs for.

    They make or change something in a schema that they name, name one of the targets' schemas, or set the search_path.
    What only reads or references what is common is none, and neither is what a comment in the file allows.
    """
    found: list[tuple[int, Finding]] = []
    for number, statement in enumerate(script.statements, 1):
        finding = next(_judge(script.path, statement, schemas), None)
        if finding is not None:
            found.append((number, finding))
    if not found:
        return ()
    from wflo_schema.lint.allowances import read_allowances

    allowed = {a.statement for a in read_allowances(script).all if CODE in a.codes and not a.wrong}
    return tuple(finding for number, finding in found if not {number, None} & allowed)


def refuse_named_schemas(
    files: Iterable[Migration], schemas: Collection[str], *, load: Callable[[Migration], Script | None] = load_script
) -> None:
    """Raise `BadMigrationFile` where one of the files names a schema outright; see `find_named_schemas`.

    ``load``: `load_rollback` for their rollback files.
    """
    scripts = (script for m in files if (script := load(m)) is not None)
    found = [(script, finding) for script in scripts for finding in find_named_schemas(script, schemas)]
    if not found:
        return
    (script, first), *rest = found
    more = [str(finding.location) for _, finding in rest]
    also = f"\nand likewise: {listed(more, _SHOWN)}" if more else ""
    assert first.location is not None
    raise BadMigrationFile(
        f"{first.location}: {first.message}{also}",
        hint=f"{first.help}\n{_MEANT}",
        location=first.location,
        source_line=script.source_line(first.location.line),
    )


def _judge(path: str, statement: Statement, schemas: Collection[str]) -> Iterator[Finding]:
    for kind, node in parsed_parts(statement):
        if sets_path(kind, node):
            yield _finding(
                "search_path",
                "it sets the search_path, and what follows would not be about the target's schema",
                "leave it out: the target's schema comes first in the search_path",
                statement.location(path, place_of(statement, "search_path")),
            )
        for schema, name in changed_places(kind, node):
            what = qualified(schema, name) if name else f"the schema {quote(schema)}"
            yield _finding(
                schema,
                f"it makes or changes {what}, which is one for all targets",
                f"write {quote(name)}: it is made in each target's schema"
                if name
                else "leave it out: the schemas of the targets are there, and what is common is no target's migration",
                statement.location(path, place_of(statement, schema)),
            )
        for schema in mentioned_schemas(statement, node, schemas):
            yield _finding(
                schema,
                f"it names {quote(schema)}, the schema of one target, and would run for the others, too",
                f"leave {quote(schema)}. out: a bare name is looked for in each target's schema first",
                statement.location(path, place_of(statement, schema)),
            )


def _finding(what: str, message: str, help: str, location: Location) -> Finding:
    return Finding(CODE, Severity.ERROR, what, message, help=help, location=location)
