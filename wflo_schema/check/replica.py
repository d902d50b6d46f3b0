"""Say which sessions write past every foreign key because they are in replica mode, and what put them there.

Hides where the setting can come from: the server's files, databases, roles, functions, event triggers,
subscriptions; and through whose rights a role that may not write to a table writes to it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wflo_schema.check.facts import Facts, Reader, RoleSetting
from wflo_schema.check.rules import finding, with_body
from wflo_schema.files.tokens import Token, tokens
from wflo_schema.findings import Finding
from wflo_schema.names import qualified, quote

# Sources in pg_settings that are this session's own, or that pg_db_role_setting tells of.
_FROM_ELSEWHERE = ("client", "database", "user", "global")
# The source of what was SET, which we never do: a trigger ON login did, or a library loaded into each session.
_AT_LOGIN = "session"
_SETTING = "session_replication_role"
_WANT = f"{_SETTING} = origin"
_DROP_LOGIN_TRIGGER = (
    "SELECT evtname, evtfoid::regproc FROM pg_event_trigger WHERE evtevent = 'login'; -- then: DROP EVENT TRIGGER …"
)


@dataclass(frozen=True, slots=True)
class _Bridge:
    role: str | None
    schema: str
    name: str
    can_write: bool


@dataclass(frozen=True, slots=True)
class _Function:
    oid: int
    schema: str
    name: str
    arguments: str
    source: str
    is_escaping: bool

    def __str__(self) -> str:
        return f"{qualified(self.schema, self.name)}({self.arguments})"


@dataclass(frozen=True, slots=True)
class _Switch(_Function):
    is_replica: bool
    is_at_login: bool
    is_by_trigger: bool


@dataclass(frozen=True, slots=True)
class _Routine(_Function):
    language: str
    is_way: bool


def _source(reader: Reader) -> str:
    """Where this session's setting comes from, empty where that may not be read."""
    if "pg_settings" in reader.session.hidden:
        return ""
    row = reader.connection.execute(
        "SELECT s.source FROM pg_catalog.pg_settings AS s WHERE s.name = 'session_replication_role'"
    ).fetchone()
    return str(row[0]) if row else ""


def _files_say_replica(reader: Reader, facts: Facts, source: str) -> bool | None:
    """Whether the server's files say so, where a setting of this role or connection overrides them; None: unknown.

    Where nothing overrides them, this session shows what they say.
    """
    if any(s.role is None and s.value != "replica" for s in facts.settings or ()):
        return False  # It overrides the files for everybody.
    is_own = any(s.role in (None, reader.session.role) for s in facts.settings or ())
    if not (source.startswith(_FROM_ELSEWHERE) if source else is_own):
        return False
    readable = reader.connection.execute(
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')"
        " AND pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')"
    ).fetchone() == (True,)
    if not readable:
        return None
    found = reader.connection.execute(
        "SELECT lower(f.setting) FROM pg_catalog.pg_file_settings AS f"
        " WHERE f.name = 'session_replication_role' AND f.error IS NULL ORDER BY f.seqno DESC LIMIT 1"
    ).fetchone()
    return found is not None and str(found[0]) == "replica"


def judge_subscriptions(reader: Reader, facts: Facts) -> Iterator[Finding]:
    """Tables that receive rows in sessions in replica mode."""
    if _is_always_enforced(facts) or "pg_subscription_rel" in reader.session.hidden:
        return  # What it would say is a warning: no verdict rests on it.
    rows = reader.connection.execute(
        "SELECT DISTINCT s.srrelid FROM pg_catalog.pg_subscription_rel AS s WHERE s.srrelid = ANY (%s) ORDER BY 1",
        ([r.oid for r in facts.relations],),
    ).fetchall()
    shown = {r.oid: str(r) for r in facts.relations}
    for (oid,) in rows:
        yield finding(
            "table-subscribed",
            shown[int(oid)],
            f"{shown[int(oid)]} receives rows by logical replication, which does not check foreign keys",
            have="a subscription",
            want="rows written by ordinary sessions",
            help_="wflo-schema check --only rows",
        )


def _is_always_enforced(facts: Facts) -> bool:
    """Whether every trigger of every key fires even in sessions in replica mode (ENABLE ALWAYS TRIGGER)."""
    return bool(facts.key_triggers) and all(t.enabled == "A" for t in facts.key_triggers or ())


def judge_sessions(reader: Reader, facts: Facts) -> Iterator[Finding]:
    """Sessions that start in replica mode, in which no key is enforced, wherever that comes from."""
    if _is_always_enforced(facts):
        return
    yield from _this_session(reader, facts)
    here = {s.role for s in facts.settings or () if s.is_for_database}
    known = [s for s in facts.settings or () if s.value == "replica" and (s.is_for_database or s.role not in here)]
    yield from _roles(reader, facts, known)
    if reader.can("pg_proc", "pg_language", "pg_depend", "pg_event_trigger", "pg_trigger"):
        yield from _switches(reader, facts)


def _this_session(reader: Reader, facts: Facts) -> Iterator[Finding]:
    """What our own session shows of the others: of all, or of those of this role, database or connection."""
    session = reader.session
    is_replica, source = session.replication_role == "replica", _source(reader)
    if is_replica:
        reader.can("pg_settings")
    in_files = _files_say_replica(reader, facts, source)
    role, database = quote(session.role), quote(session.database)
    if is_replica and source == _AT_LOGIN:
        yield _replica(
            f"sessions of database {database}",
            "something switches foreign keys off as a session starts: an event trigger ON login, or a pooler's "
            "client that left them off",
            _DROP_LOGIN_TRIGGER,
        )
    elif in_files or (is_replica and source and not source.startswith(_FROM_ELSEWHERE)):
        yield _replica(
            f"server ({source or 'configuration file'})",
            "every session of this server starts with foreign keys switched off",
            f"ALTER SYSTEM RESET {_SETTING}; SELECT pg_reload_conf();",
        )
    elif is_replica and source == "client":
        yield _replica(
            "this connection",
            "this connection switches foreign keys off itself, as whoever connects in the same way does",
            f"take {_SETTING} out of the URL's options, PGOPTIONS or the service file",
        )
    elif is_replica and not any(s.value == "replica" and s.role in (None, session.role) for s in facts.settings or ()):
        yield _replica(  # what a default of a role or database does, `_roles` says
            f"sessions of {role} in database {database}",
            f"this session started with foreign keys switched off (SHOW {_SETTING})",
            "SELECT s.setdatabase, s.setrole::regrole, s.setconfig FROM pg_db_role_setting AS s;"
            f" -- as a superuser; then: ALTER DATABASE or ALTER ROLE … RESET {_SETTING};",
        )
    elif in_files is None:
        yield finding(
            "cannot-see",
            "pg_catalog.pg_file_settings",
            f"{session.role} has a {_SETTING} of its own and may not see what the others get from the server's files",
            have="no SELECT on pg_catalog.pg_file_settings",
            want=_WANT,
            help_=f"GRANT SELECT ON pg_catalog.pg_file_settings TO {role};"
            f" GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {role};",
        )


def _replica(who: str, message: str, help_: str) -> Finding:
    return finding("replication-role", who, message, have=f"{_SETTING} = replica", want=_WANT, help_=help_)


def _roles(reader: Reader, facts: Facts, known: Sequence[RoleSetting]) -> Iterator[Finding]:
    """Roles and databases whose sessions are in replica mode, where they may write to the tables."""
    database = quote(reader.session.database)
    by_detour: dict[str, RoleSetting] = {}
    for setting in known:
        if setting.can_write:
            yield _in_replica_mode(setting, database, "rows may point nowhere")
        elif setting.role is not None and setting.can_login:
            by_detour.setdefault(setting.role, setting)
    if not by_detour or not reader.can("pg_proc", "pg_language", "pg_depend", "pg_rewrite", "pg_trigger"):
        return
    for role, setting in by_detour.items():
        bridges, routines = _detours(reader, facts, [role])
        views = [qualified(b.schema, b.name) for b in bridges if b.can_write]
        certain, unclear = _writing(facts, routines, bridges)
        calls = [str(r) for r in routines if r.is_way and r.oid in certain]
        if views or calls:
            way = " and ".join((views + calls)[:3])
            yield _in_replica_mode(setting, database, f"{quote(role)} may write to the tables through {way}")
            continue
        may = [str(r) for r in routines if r.is_way and r.oid in unclear]
        if may:
            yield finding(
                "replication-role-unclear",
                f"role {quote(role)}",
                f"its sessions start with foreign keys switched off, and it may call {' and '.join(may[:3])}, "
                "which may write to the tables as another role",
                have="session_replication_role = replica",
                want=_WANT,
                help_=_default_of(setting, database)[1],
            )


def _in_replica_mode(setting: RoleSetting, database: str, so: str) -> Finding:
    who, mend = _default_of(setting, database)
    return finding(
        "replication-role",
        who,
        f"sessions of {who} start with foreign keys switched off: {so}",
        have="session_replication_role = replica",
        want=_WANT,
        help_=f"{mend} -- then: wflo-schema check --only rows",
    )


def _detours(reader: Reader, facts: Facts, roles: Sequence[str]) -> tuple[tuple[_Bridge, ...], tuple[_Routine, ...]]:
    """Views and functions through which somebody may write to the tables without a privilege on them."""
    asked = {"relations": facts.everywhere, "roles": list(roles)}
    return (
        reader.rows(_Bridge, "bridges", asked),
        reader.rows(_Routine, "routines", asked),
    )


_LANGUAGES = ("sql", "plpgsql")


def _code(source: str) -> list[Token]:
    """What a function says in SQL or PL/pgSQL, and what stands in the texts that it executes."""
    found: list[Token] = []
    is_executed = False
    for token in tokens(source):
        found.append(token)
        if token.kind == "text" and is_executed:
            found += _code(token.value or "")
        elif (token.kind == "word" and token.name in ("execute", "using")) or token.text == ";":
            is_executed = token.name == "execute"
    return found


def _is_other_where_escaped(code: Iterable[Token]) -> bool:
    """Whether the texts end elsewhere with standard_conforming_strings = off."""
    return any(t.kind == "text" and t.text[0] == "'" and "\\" in t.text for t in code)


def _written(code: Sequence[Token]) -> Iterator[str]:
    """The names of what is written to, without their schemas."""
    words = [t.name if t.kind == "word" else t.text for t in code]
    for place, word in enumerate(words):
        if [word, *words[place + 1 : place + 2]] in (["insert", "into"], ["delete", "from"], ["merge", "into"]):
            place += 2
        elif word in ("update", "copy"):
            place += 1
        else:
            continue
        while words[place : place + 1] in (["only"], ["("]):
            place += 1
        while words[place + 1 : place + 2] == ["."]:
            place += 2
        yield from (token.name for token in code[place : place + 1])


def _writing(facts: Facts, routines: Sequence[_Routine], bridges: Iterable[_Bridge]) -> tuple[set[int], set[int]]:
    """Which functions write to one of the tables, by themselves or through another, and of which that is unclear."""
    tables = {r.name for r in facts.relations}.union(b.name for b in bridges)
    code = {r.oid: _code(r.source) if r.language in _LANGUAGES else [] for r in routines}
    words = {oid: {t.name for t in found} for oid, found in code.items()}
    certain = {oid for oid, found in code.items() if any(name in tables for name in _written(found))}
    unclear = {
        r.oid
        for r in routines
        if r.language not in _LANGUAGES
        or not code[r.oid]  # written as BEGIN ATOMIC: there is no text
        or words[r.oid] & {"execute", "uescape"}
        or code[r.oid][-1].kind == "open"
        or ((r.is_escaping or facts.is_escaping) and _is_other_where_escaped(code[r.oid]))
    }
    for found in (certain, unclear):
        grown = True
        while grown:
            names = {r.name for r in routines if r.oid in found}
            more = {r.oid for r in routines if r.oid not in found and words[r.oid] & names}
            found |= more
            grown = bool(more)
    return certain, unclear


def _may_switch(source: str) -> bool:
    """Whether it does more with the setting than ask for it or set it back."""
    found = list(tokens(source)) if _SETTING in source.lower() else []
    said = ["", "", *(t.name or (t.value or t.text).lower() for t in found), "", ""]
    for place, token in enumerate(found, 2):
        if _SETTING not in token.text.lower():
            continue
        before, after = said[place - 2 : place], said[place + 1 : place + 4]
        if token.kind == "text":
            is_asked = before == ["current_setting", "("]
            is_set_back = before == ["set_config", "("] and after in ([",", "origin", ","], [",", "local", ","])
            inner = (token.value or "").lower()
            is_harmless = (is_asked or is_set_back) if inner == _SETTING else inner != "" and not _may_switch(inner)
        else:
            is_set = "set" in before and said[place] == _SETTING and after[0] in ("=", "to")
            is_harmless = is_set and after[1] in ("origin", "local", "default")
        if not is_harmless:
            return True
    return False


def _switches(reader: Reader, facts: Facts) -> Iterator[Finding]:
    """Functions that switch replica mode on, for themselves or for their caller."""
    found = [
        s
        for s in reader.rows(_Switch, "switches", {})
        if s.is_replica
        or _may_switch(s.source)
        or ((s.is_escaping or facts.is_escaping) and _is_other_where_escaped(tokens(s.source)))
    ]
    if not found:
        return
    bridges, routines = _detours(reader, facts, [])
    certain, unclear = _writing(facts, routines, bridges)
    for switch in found:
        said = _said_of(switch, certain, unclear)
        if said is not None:
            yield with_body(said, switch.source)


def _said_of(switch: _Switch, certain: set[int], unclear: set[int]) -> Finding | None:
    """What a function that switches replica mode on comes to."""
    have = f"session_replication_role in {switch}"
    if switch.is_replica and switch.oid in certain:
        return finding(
            "replication-role",
            f"function {switch}",
            f"{switch} runs with foreign keys switched off and writes to the tables: rows may point nowhere",
            have="SET session_replication_role = replica",
            want=_WANT,
            help_=f"ALTER ROUTINE {switch} RESET session_replication_role; -- then: wflo-schema check --only rows",
        )
    if switch.is_replica and switch.oid in unclear:
        return finding(
            "replication-role-unclear",
            f"function {switch}",
            f"{switch} runs with foreign keys switched off, and whether it writes to the tables cannot be told",
            have="SET session_replication_role = replica",
            want=_WANT,
            help_=f"ALTER ROUTINE {switch} RESET session_replication_role;",
        )
    if switch.is_at_login and "session_replication_role" in switch.source.lower():
        return finding(
            "replication-role-unclear",
            f"function {switch}",
            f"{switch} runs as sessions start and names session_replication_role: it may set it in other sessions",
            have=have,
            want="sessions that start with foreign keys switched on",
            help_=_DROP_LOGIN_TRIGGER,
        )
    if switch.is_by_trigger and not switch.is_replica:
        return finding(
            "replication-role-unclear",
            f"function {switch}",
            f"{switch} is called by a trigger and can switch foreign keys off for the rest of the transaction",
            have=have,
            want="no trigger that sets it",
            help_="read the function and take it out",
        )
    if not switch.is_replica:
        return finding(
            "replication-role-unclear",
            f"function {switch}",
            f"{switch} can switch foreign keys off with its owner's rights, for whoever calls it",
            have=have,
            want="no SECURITY DEFINER function that sets it",
            help_=f"ALTER ROUTINE {switch} SECURITY INVOKER;",
        )
    return None


def _default_of(setting: RoleSetting, database: str) -> tuple[str, str]:
    """Whose default it is, and the statement that takes it away."""
    if setting.role is None and setting.is_for_database:
        return f"database {database}", f"ALTER DATABASE {database} RESET session_replication_role;"
    if setting.role is None:
        return "all roles", "ALTER ROLE ALL RESET session_replication_role;"
    role = quote(setting.role)
    if setting.is_for_database:
        return f"role {role} in database {database}", (
            f"ALTER ROLE {role} IN DATABASE {database} RESET session_replication_role;"
        )
    return f"role {role}", f"ALTER ROLE {role} RESET session_replication_role;"
