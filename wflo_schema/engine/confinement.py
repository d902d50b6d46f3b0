"""Keeps a replayed migration inside its database: what reaches further is left out, turned round or refused.

Hides what is known from a statement's words, and the look at what a transaction has changed before it commits.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import psycopg
from psycopg import sql

from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.pipeline import Command, Pipeline, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.replaying import MARKED, Replay, marked, unmarked
from wflo_schema.engine.events import Notice, Notify
from wflo_schema.errors import MigrationFailed, Refused
from wflo_schema.files.built import Looks
from wflo_schema.files.folder import Migration
from wflo_schema.files.outside import CALLED, STEMS, UNTRUSTED, Defined, Reach, with_database
from wflo_schema.files.script import Script, Statement, Statements
from wflo_schema.files.splitting import Rewritten
from wflo_schema.words import listed

_FOUND = re.compile(r"wflo-schema-outside:([a-z_ ,]+)")
_LEAVES = re.compile(r'wflo-schema-leaves:([^"\n]+)')

# An advisory lock of the session stays where code catches the error and goes on.  Its first key: "wflr".
_REFUSED = 0x77666C72
_REFUSE = (
    "('wflo-schema-leaves:' || {} || "
    f"pg_catalog.left(pg_catalog.pg_try_advisory_lock({_REFUSED}, pg_catalog.pg_backend_pid())::pg_catalog.text, 0)"
    ")::pg_catalog.int4"
)

# What a shared catalog holds, in a user's words.
_HOLDS = {
    "foreign table": "rows of another server",
    "pg_auth_members": "the members of a role",
    "pg_authid": "roles",
    "pg_database": "a database",
    "pg_db_role_setting": "settings of roles or databases",
    "pg_parameter_acl": "grants on settings",
    "pg_replication_origin": "replication origins",
    "pg_shdescription": "comments on roles or databases",
    "pg_shseclabel": "security labels",
    "pg_subscription": "subscriptions",
    "pg_tablespace": "tablespaces",
}

# What was found in a text that code puts together, in a user's words; else it is a function's name.
_BUILT = {
    "copy": "COPY with a PROGRAM, or TO a file",
    "program": "a foreign table of a program",
    "escaped": "a name in escapes",
    "refused": "what was refused when code ran it, though the code catches the error,",
    "untrusted": "code in an untrusted language",
}

# Where roles may be made: what holds them, and what is said of them.
_OF_ROLES = ("pg_auth_members", "pg_authid", "pg_db_role_setting", "pg_shdescription", "pg_shseclabel")

# A file that names one of these names no project's database.
_OF_THE_SERVER = frozenset({"postgres", "template0", "template1"})

# What is missing that the migrations take for granted: type, function, schema, relation, file of an extension, right.
_NOT_PREPARED = frozenset({"42704", "42883", "3F000", "42P01", "58P01", "0A000", "42501", "22023"})


class Confinement:
    """The rules of one replay, and the server that it runs on."""

    def __init__(self, database: Database, replay: Replay) -> None:
        self._name = database.name
        self._replay = replay
        self._roles: frozenset[str] = frozenset()
        self._elsewhere = "0"
        """How many settings, comments and labels there are of roles and of other databases."""
        self._told: set[str] = set()
        self._written: tuple[frozenset[str], Looks] | None = None
        defined = replay.memory.setdefault("defined", Defined())
        assert isinstance(defined, Defined)
        self._defined = defined

    @property
    def look(self) -> tuple[Command, ...]:
        """What is asked before a transaction commits; it fails where something outside was changed."""
        if self._replay.allows_outside:
            return ()
        look = Command(self._look_alone, is_kept=True)
        return (look, Command(load_sql("engine", "foreign"))) if self._defined.connects else (look,)

    @property
    def look_text(self) -> str:
        """What is asked, as statements on one line, for a text that commits by itself; empty where nothing is asked."""
        return f"SET CONSTRAINTS ALL IMMEDIATE; {self._look_alone}" if self.look else ""

    @property
    def _look_alone(self) -> str:
        """Without parameters, by which PostgreSQL would plan it each time."""
        look = _one_line("outside")
        allowed = ",".join(_OF_ROLES) if self._replay.roles else ""
        for number, parameter in enumerate((allowed, self._elsewhere, str(_REFUSED)), 1):
            look = look.replace(f"${number}", sql.Literal(parameter).as_string())
        return look

    @property
    def _may_make_roles(self) -> bool:
        return self._replay.roles or self._replay.allows_outside

    def loader(
        self, load: Callable[[Migration], Script], pipeline: Pipeline, notify: Notify
    ) -> Callable[[Migration], Script]:
        """Read files as ``load`` does, and confine what they say; ``notify`` is told of what is left out."""
        roles = Command("SELECT rolname FROM pg_catalog.pg_roles", keeps_rows=True)
        connects = Command("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'postgres_fdw'", keeps_rows=True)
        elsewhere = Command(load_sql("engine", "elsewhere"), keeps_rows=True)
        outcome = pipeline.exchange([roles, connects, elsewhere])
        if outcome.error is None:
            self._roles = frozenset(row[0] or "" for row in outcome.rows[0])
            self._defined.connects |= bool(outcome.rows[1])
            self._elsewhere = outcome.rows[2][0][0] or "0"
        return lambda m: self._confined(m, load(m), notify)

    def _confined(self, m: Migration, script: Script, notify: Notify) -> Script:
        """The script without what reaches beyond the database.

        Raise `Refused` for a statement that cannot be left out.
        """
        instead: dict[int, str] = {}
        for number, statement in self._defined.to_look_at(script):
            reach = self._defined.reach(statement)
            if reach is None or reach.kind == "defines":
                alone = not m.is_transactional
                built = "" if self._replay.allows_outside else self._with_looks(statement, reach, runs_alone=alone)
                if built:
                    self._replay.memory["looks"] = True
                    instead[number] = built
            else:
                instead[number] = self._turned(script, statement, reach)
                place = f"{script.path}:{statement.line}"
                if not instead[number]:
                    self._replay.left_out.setdefault(script.path, {})[number] = reach.what
                if not instead[number] and place not in self._told:
                    self._told.add(place)
                    said = f"{place}: {reach.what} reaches outside of {self._replay.place}"
                    notify(Notice(m.id, "LEFT OUT", said))
        return _with(script, instead) if instead else script

    def _with_looks(self, statement: Statement, reach: Reach | None, *, runs_alone: bool) -> str:
        """The statement with looks in its code, empty where it needs none."""
        looks = self._looks(frozenset(self._defined.names))
        return looks.into(statement, runs_alone=runs_alone) if reach is None else looks.refusing(statement, reach.what)

    def _looks(self, leaving: frozenset[str]) -> Looks:
        """What is written into code: what it does is known when it does it, and not before."""
        if self._written is not None and self._written[0] == leaving:
            return self._written[1]
        names = "|".join(re.escape(name.lower()).replace("'", "''") for name in sorted(leaving)) or "wflo_schema_none"
        words = f'copy|program|u&"|function|procedure|\\mdo\\M|query_to_xml|ts_stat|crosstab|{STEMS}|{names}'
        text = _one_line("built").replace("{words}", words).replace("{leaves}", CALLED).replace("{names}", names)
        text = text.replace("{untrusted}", UNTRUSTED).replace("{marked}", MARKED)
        text = _either_way(text.replace("{refuse}", _REFUSE.replace("{}", "wflo_schema_4.found") + "::pg_catalog.text"))
        look = self._look_alone
        look = f"SET CONSTRAINTS ALL IMMEDIATE; EXECUTE {sql.Literal(look).as_string()};"
        before, after = f"({text})".split("{text}")
        refuse = _REFUSE.replace("{}", "'{}'::pg_catalog.text")
        looks = Looks(
            (marked(before), marked(after)),
            marked(look),
            (marked("BEGIN "), marked(f"; {look} END")),
            (marked(f"SELECT {refuse}; "), marked(f"BEGIN PERFORM {refuse}; "), marked("; END")),
        )
        self._written = leaving, looks
        return looks

    def _turned(self, script: Script, statement: Statement, reach: Reach) -> str:
        """What is run in the statement's place; nothing where it is left out."""
        replay = self._replay
        if reach.kind == "database":
            meant = {n for n in reach.names if n not in _OF_THE_SERVER or n == replay.stands_for}
            meant &= {replay.stands_for, self._name} if replay.stands_for is not None else meant
            return with_database(statement.text, self._name, meant=meant) if meant else ""
        if reach.kind == "role" and self._may_make_roles:
            if reach.role in self._roles or statement.first_word == "DROP":
                return ""
            self._roles |= {reach.role}
            return statement.text
        is_repeatable = statement.first_word in ("GRANT", "REVOKE") or statement.words[1:2] == ("SYSTEM",)
        if reach.kind == "cluster" and replay.allows_outside and is_repeatable:
            return statement.text
        if reach.kind == "leaves":
            if replay.allows_outside:
                return statement.text
            if not reach.can_be_left_out:
                raise self._refused(f"{script.path}:{statement.line}: {reach.what} acts outside of the database")
        if reach.role:
            replay.roles_left_out.setdefault(reach.role, f"{script.path}:{statement.line}")
        return ""

    def _refused(self, what: str) -> Refused:
        allow, elsewhere = self._replay.options[2], self._replay.elsewhere
        instead = f"; or let it reach a server that is there for this alone: {elsewhere} {allow}" if elsewhere else ""
        return Refused(
            f"{what}, and a replay in {self._replay.place} must change nothing outside of it",
            hint=f"take it out of the migrations; or allow it, if it harms nobody: {allow}{instead}",
        )

    def refusal(self, script: Script, error: ServerError, number: int | None) -> Refused | None:
        """The refusal of what the look found; None for any other error."""
        found, leaves = _FOUND.search(error.message), _LEAVES.search(error.message)
        runs = leaves[1] if leaves is not None else "refused" if found is not None and "refused" in found[1] else ""
        statement = None if number is None else script.statements[number]
        place = f"{script.path}:{statement.line}" if statement else script.path
        if runs:
            built = "" if "(" in runs or runs == "refused" else ", in a text that code puts together,"
            runs = _BUILT.get(runs, runs)
            what = f"{statement.first_word} … {runs}" if statement else runs
            return self._refused(f"{place}: {what}{built} acts outside of the database")
        if found is None:
            return None
        changed = listed([_HOLDS.get(name, name) for name in found[1].split(",")])
        what = f"this {statement.first_word}" if statement else "it"
        refused = self._refused(f"{place}: {what} changes {changed}, outside of the database")
        if "pg_authid" in found[1]:
            refused.hint = f"if the file makes the role only where it is missing, make it beforehand; or {refused.hint}"
        return refused

    def explain(self, failed: MigrationFailed) -> None:
        """Say of a failure where it happened, and how to prepare that place."""
        replay = self._replay
        failed.message = f"in {replay.place}, {unmarked(failed.message)}"
        failed.statement, failed.detail, failed.context = map(
            unmarked, (failed.statement, failed.detail, failed.context)
        )
        if failed.location is not None:
            before = unmarked(failed.source_line[: failed.location.column - 1])
            failed.location = replace(failed.location, column=len(before) + 1)
            failed.source_line = unmarked(failed.source_line)
        prepare, template, allow = replay.options
        role = re.search(r'"([^"]*)"', failed.message) if failed.sqlstate == "42704" else None
        if role is not None and role[1] in replay.roles_left_out:
            failed.message += (
                f"\nits CREATE ROLE ({replay.roles_left_out[role[1]]}) was left out: "
                "a replay changes nothing outside of its database"
            )
            failed.hint = (
                f"make the role on that server first, as wflo-schema migrate does; or let the replay make it: {allow}"
            )
        elif failed.sqlstate in _NOT_PREPARED and "server start" not in failed.hint:
            failed.hint = (
                f"if the migrations take it for granted, prepare it: name a file of SQL that makes it ({prepare}), "
                f"or a database to copy ({template}); else a migration that makes it is missing"
            )
        if replay.is_of_target:
            failed.hint += "; the target was not touched"
        failed.args = (failed.message,)


def take_out_looks(database: Database) -> None:
    """Bring functions back as their files say, in a test database that is done."""
    if database.replay is None or "looks" not in database.replay.memory:
        return
    with database.connect(settings={"check_function_bodies": "off"}) as connection:
        try:
            found = connection.execute(load_sql("engine", "with_looks")).fetchall()
            for oid, code, definition, depends in found:
                if definition is None:  # a superuser's: nothing else of it changes, and no event trigger fires
                    update = "UPDATE pg_catalog.pg_proc SET prosrc = %s WHERE oid = %s"
                    connection.execute(update, (unmarked(code), oid))
                else:
                    connection.execute(f"{unmarked(definition)}; {depends}".encode())
        except psycopg.Error as error:
            raise database_error(error, "bringing functions back as their files say") from error


def _either_way(text: str) -> str:
    """SQL that means the same where texts have escapes, as old dumps set it."""
    return re.sub(r"'(?:[^']|'')*'", lambda m: ("E" + m[0].replace("\\", "\\\\")) if "\\" in m[0] else m[0], text)


@functools.cache
def _one_line(query: str) -> str:
    """A query on one line and without its comments, so that the lines behind it keep their numbers."""
    lines = (line.strip() for line in load_sql("engine", query).splitlines())
    return " ".join(line for line in lines if not line.startswith("--"))


def confinement_of(database: Database) -> Confinement | None:
    """The rules of the replay that a database is marked for; None for a real target."""
    return Confinement(database, database.replay) if database.replay is not None else None


def _with(script: Script, instead: Mapping[int, str]) -> Script:
    """The script with other texts for some of its statements, on the lines where they stood; empty: without it."""
    source = bytearray()
    done = 0
    kept, other = [], []
    for number, statement in enumerate(script.statements):
        text = instead.get(number)
        before = len(source) - done
        if text == "":  # blanks in its place: the whole text may be sent, and no place in it moves
            source += script.source[done : statement.start]
            source += re.sub(rb"[^\n]", b" ", script.source[statement.start : statement.end])
            other.append((statement.start, statement.end, bytes(source[statement.start + before :])))
            done = statement.end
            continue
        shift = len(source) - done
        begin, data = statement.start + shift, statement.data
        if text is not None:
            source += script.source[done : statement.start] + text.encode()
            other.append((statement.start, statement.end, text.encode()))
            done = statement.end
        if data is not None:
            shift = len(source) - done
            data = (data[0] + shift, data[1] + shift)
        kept.append((begin, statement.end + len(source) - done, statement.first_word.encode(), data))
    source += script.source[done:]
    made = Rewritten.of(script.source, other) if isinstance(script.source, Rewritten) else bytes(source)
    statements = Statements(made)
    for one in kept:
        statements.add(*one)
    statements.is_wrapped = script.statements.is_wrapped
    return replace(script, source=made, statements=statements)
