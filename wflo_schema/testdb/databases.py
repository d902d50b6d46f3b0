"""The test database beside a target: made, kept, listed, pruned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg

from wflo_schema.connect.database import Database, database_error
from wflo_schema.engine.events import Begun, Event, Notify
from wflo_schema.errors import (
    ConnectionFailed,
    Refused,
)
from wflo_schema.files.folder import Migrations
from wflo_schema.names import NAME_BYTES
from wflo_schema.testdb.recipe import Recipe
from wflo_schema.testdb.session import (
    NOTHING_DROPPED,
    SUFFIX,
    TEMPLATES_KEPT_S,
    Made,
    Pruned,
    ServerSession,
    TestDatabase,
    elapsed_ms,
    made_databases,
    maintenance,
    run_seeds,
)


def make_test_database(
    database: Database,
    migrations: Migrations,
    *,
    name: str | None = None,
    keep: bool = False,
    recipe: Recipe | None = None,
    seeds: Sequence[Path | str] = (),
    notify: Notify | None = None,
) -> TestDatabase:
    """Drop and recreate the test database of a target, on the same server, with every migration applied.

    ``name`` is the target's with ``_test`` behind it unless given.  With ``keep`` what is there
    stays, and only what is pending is applied.  ``seeds`` are
    sets, each a folder, that are loaded then.  It has the target's encoding and locale, and what the
    migrations set on the database; they change nothing else outside of it.  The target itself need not
    exist and is never touched.  The new database is complete before the old one is dropped; open connections to the
    old one are closed by force.  Runs at the same time replace it one after the other: advisory
    lock on its name.

    Raise `Refused`, with nothing dropped, when the name does not end in ``_test`` or is the
    target's own; `DatabaseError` when a privilege is missing.
    """
    began = time.monotonic()
    chosen = _test_name(database, name)
    wanted = database.with_name(chosen)
    migrations.refuse_empty("name the right folder with --migrations; nothing was dropped")
    recipe = replace(recipe or Recipe(), like=database.name, stands_for=database.name)
    with ServerSession.open(database, recipe) as session:
        there = session.kind_of(chosen)
        if there == "template":
            raise Refused(
                f"{chosen} is marked as a template, not a test database",
                hint=f'nothing was dropped; if it may go: ALTER DATABASE "{chosen}" IS_TEMPLATE false',
            )
        if there and _is_same(database, chosen):
            raise Refused(
                f"{chosen} is what the server calls the target itself, and the target is never dropped",
                hint=f"choose another name with --name; {NOTHING_DROPPED}",
            )
        if keep and there == "database":
            return _keep(wanted, recipe, migrations, seeds, notify, began)
        template = session.template(migrations, schema=database.schema, seeds=seeds, notify=_telling(notify, wanted))
        fresh = session.clone(template)
        try:
            session.mark(fresh, "test-db", about=database.name)
            with session.replacing(chosen):
                if keep and session.kind_of(chosen):  # somebody made it in the meantime
                    session.drop(fresh)
                    return _keep(wanted, recipe, migrations, seeds, notify, began)
                session.drop(chosen)
                session.rename(fresh, chosen)
        except BaseException:
            session.drop_quietly(fresh)
            raise
    return TestDatabase(wanted, not template.was_built, elapsed_ms(began), template.applied)


def _keep(
    wanted: Database,
    recipe: Recipe,
    migrations: Migrations,
    seeds: Sequence[Path | str],
    notify: Notify | None,
    began: float,
) -> TestDatabase:
    from wflo_schema.engine import operations
    from wflo_schema.engine.confinement import take_out_looks
    from wflo_schema.engine.planning import Allow

    try:
        replayed = wanted.for_replay(recipe.replay(is_new=False))
        result = operations.migrate(replayed, migrations, notify=notify)
        take_out_looks(replayed)
        run_seeds(wanted, migrations, seeds)
    except Refused as refused:
        if refused.case == Allow.NOT_EMPTY:
            refused.hint = "leave out --keep to make it anew; or name another one with --name"
        raise
    return TestDatabase(wanted, False, elapsed_ms(began), result.ids)


def list_test_databases(database: Database) -> tuple[Made, ...]:
    """Find every database that wflo-schema made on the target's server, by name.  Writes nothing."""
    with maintenance(database) as connection:
        return tuple(made for made, _ in made_databases(connection))


def prune_test_databases(
    database: Database, *, kept: bool = False, templates_older_than_s: float = TEMPLATES_KEPT_S
) -> Pruned:
    """Drop what killed sessions left, and templates that are old and not in use.

    A clone goes when the session that made it is dead and nobody is connected to it.  With
    ``kept`` also those that were kept to be looked at.  A ``test-db`` stays: it is somebody's.
    Never touches a database that wflo-schema did not make.
    """
    dropped: list[Made] = []
    left: list[tuple[Made, str]] = []
    with ServerSession.open(database) as session:
        for made, is_ours in made_databases(session.connection):
            reason = _why_left(made, is_ours, kept, templates_older_than_s)
            if not reason:
                reason = session.drop_made(made)
            if reason:
                left.append((made, reason))
            else:
                dropped.append(made)
    return Pruned(tuple(dropped), tuple(left))


def _why_left(made: Made, is_ours: bool, kept: bool, templates_older_than_s: float) -> str:
    if made.purpose == "test-db":
        return "it is somebody's test database; wflo-schema test-db recreates it"
    if made.purpose == "kept" and not kept:
        return "it was kept to be looked at; --kept drops it"
    if made.is_alive:
        return "it is in use" if made.purpose == "template" else "the session that made it still runs"
    if made.connections:
        return f"sessions connected to it: {made.connections}"
    if made.purpose == "template" and made.age_s < templates_older_than_s:
        return "it is young enough to be used again"
    return "" if is_ours else "it belongs to another role"


def _is_same(target: Database, name: str) -> bool:
    """Whether a connection to the target is one to the database ``name``; the server itself says."""
    try:
        with target.connect() as connection:
            row = connection.execute("SELECT pg_catalog.current_database()::text").fetchone()
    except ConnectionFailed:
        return False  # it need not exist
    except psycopg.Error as error:
        raise database_error(error, "asking for the target's name") from error
    return row is not None and row[0] == name


def _test_name(database: Database, name: str | None) -> str:
    target = database.name
    chosen = name if name is not None else target + SUFFIX
    nothing = NOTHING_DROPPED
    if name is None and target.endswith(SUFFIX):
        raise Refused(
            f"the target {target} looks like a test database; "
            "a test database is made for another one, and is never the target",
            hint=f"name the database that is tested ({target.removesuffix(SUFFIX)}) in the URL; it need not exist; "
            f"{nothing}",
        )
    if chosen == target:
        raise Refused(
            f"{chosen} is the target itself, and the target is never dropped",
            hint=f"leave --name out to get {target + SUFFIX}; {nothing}",
        )
    if not chosen.endswith(SUFFIX):
        raise Refused(
            f"{chosen} is not a test database: its name does not end in {SUFFIX}",
            hint=f"choose a name that does ({chosen + SUFFIX}); {nothing}",
        )
    size = len(chosen.encode("utf-8"))
    if size > NAME_BYTES or "\x00" in chosen:
        raise Refused(
            f"the name {chosen} has {size} bytes, but PostgreSQL keeps {NAME_BYTES} of them",
            hint=f"choose a shorter one with --name; {nothing}",
        )
    return chosen


def _telling(notify: Notify | None, wanted: Database) -> Notify | None:
    """Speak of the database that was asked for, not of the template that is being built."""
    if notify is None:
        return None

    def tell(event: Event) -> None:
        notify(replace(event, label=wanted.label) if isinstance(event, Begun) else event)

    return tell
