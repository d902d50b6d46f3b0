"""What a statement does outside the database that it runs in, as its words tell.

Hides which statements reach the whole cluster, which functions leave the server, and how a database is named in them.
What a statement of code does is not known before it runs: whoever runs it must look at what it has changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from wflo_schema.files.built import RUNS_TEXT, holds_code
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.tokens import Token, tokens
from wflo_schema.names import quote_always

# Functions that act on the server, on its files or on other servers, at once and for good.
_LEAVES = re.compile(
    r"""(?:
        dblink\w* | http(?:_(?:get|post|put|patch|delete|head))? | lo_export
      | pg_(?:terminate|cancel)_backend | pg_reload_conf | pg_rotate_logfile\w* | pg_promote
      | pg_switch_(?:wal|xlog) | pg_create_restore_point | pg_(?:wal|xlog)_replay_(?:pause|resume)
      | pg_backup_(?:start|stop) | pg_(?:start|stop)_backup | pg_log_backend_memory_contexts | pg_log_standby_snapshot
      | pg_(?:create|copy)_(?:physical|logical)_replication_slot | pg_drop_replication_slot
      | pg_replication_slot_advance | pg_sync_replication_slots
      | pg_logical_slot_(?:get|peek)_(?:binary_)?changes
      | pg_replication_origin_(?:create|drop|advance) | pg_(?:drop|create)_subscription\w*
      | pg_file_\w+ | pg_stat_reset_(?:shared|slru|replication_slot|subscription_stats|backend_stats)
      | pg_stat_statements_reset | pg_background_launch | pg_resetwal
      | schedule_in_database | postgres_fdw_disconnect\w*
      | query_export_to_s3
    )""",
    re.VERBOSE | re.IGNORECASE,
)
# The same for PostgreSQL, for a text that is put together at run time.
CALLED = re.sub(r"\s|^\(\?:|\)$", "", _LEAVES.pattern.strip())

# What the name of each of them has in it, and behind it what a call has, in lower case.  An expression that begins with
# its letters is looked for as fast as they are; the one above takes a hundred times as long.
_STEMS = (
    *("dblink", "http", "lo_export", "pg_terminate", "pg_cancel", "pg_reload", "pg_rotate", "pg_promote", "pg_switch"),
    *(
        "pg_create_",
        "pg_copy_",
        "pg_drop_",
        "_replay_",
        "_backup",
        "pg_log_",
        "replication_",
        "pg_sync_",
        "pg_logical_",
    ),
    *("pg_file_", "pg_stat_", "pg_background", "pg_resetwal", "schedule_in_", "postgres_fdw_", "query_export_"),
)
STEMS = "|".join(dict.fromkeys("pg_" if stem.startswith("pg_") else stem for stem in _STEMS))
_CALLS = tuple((stem, re.compile(stem + r"""\w*+"?\s*+(?:\(|--|/\*)""")) for stem in _STEMS)

# Languages in which a function can do whatever the server's system user can.
_UNTRUSTED = re.compile(r"\bLANGUAGE\s+'?(?:\w+u|plsh|pljavau?|plr|plx\w+)'?(?!\w)", re.IGNORECASE)

UNTRUSTED = _UNTRUSTED.pattern.replace(r"\b", r"\y").replace("'", "''").lower()

_CLUSTER = frozenset({"ROLE", "USER", "GROUP", "DATABASE", "TABLESPACE", "SUBSCRIPTION", "SYSTEM"})
_HEADS = frozenset({"CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "SECURITY", "CHECKPOINT"})
_ROLES = frozenset({"ROLE", "USER", "GROUP"})
_MAINTENANCE = frozenset({"VACUUM", "REINDEX", "CLUSTER"})
_ALWAYS = (*sorted(_HEADS | _MAINTENANCE), "COPY", "DO", "IMPORT", "TRUNCATE")

# What runs whatever its triggers, rules and views say.
_USES_RELATIONS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "SELECT", "WITH", "TRUNCATE", "TABLE"})

# Words of TRUNCATE that name no table.
_OF_TRUNCATE = frozenset({"table", "only", "restart", "continue", "identity", "cascade", "restrict"})

# What makes something that runs a function, named without brackets, when it is used.
_BUILT_OF = frozenset({"AGGREGATE", "OPERATOR"})

# What names a function or a table, and runs nothing.
_ONLY_NAMES = frozenset({"DROP", "COMMENT", "GRANT", "REVOKE", "SECURITY"})

# What calls a function of the server or of a library, which its text names.
_BY_SYMBOL = re.compile(r"\bLANGUAGE\s+'?(?:internal|c)\b", re.IGNORECASE)

# What is written down now, and run later by whoever uses it.
_DEFINES = re.compile(
    r"\ACREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?:RECURSIVE\s+)?(?:CONSTRAINT\s+)?"
    r"(FUNCTION|PROCEDURE|VIEW|TRIGGER|RULE|POLICY)\b",
    re.IGNORECASE,
)

# Functions that do nothing and often stand around one that leaves.
_HARMLESS = frozenset(
    {
        "any",
        "coalesce",
        "count",
        "current_database",
        "current_setting",
        "format",
        "now",
        "pg_backend_pid",
        "quote_ident",
    }
)

Kind = Literal["role", "database", "cluster", "leaves", "defines"]


@dataclass(frozen=True, slots=True)
class Reach:
    """What a statement does outside of its database.

    ``kind``: it is about a role, about databases by name (``names``), about something else of the
    cluster, or it leaves the server, or defines code that does so when it is run.  ``what`` says it in a
    few words, without a secret.  ``role`` is the one that it makes.  ``can_be_left_out``: nothing inside
    the database depends on it.
    """

    kind: Kind
    what: str
    names: tuple[str, ...] = ()
    role: str = ""
    can_be_left_out: bool = True


@dataclass(slots=True)
class Defined:
    """What the statements so far have defined that leaves the server when it is used: functions, tables, views."""

    names: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    """Tables whose rows are another server's: TRUNCATE of one empties it there."""
    connects: bool = False
    """Whether there may be tables whose rows are another PostgreSQL's."""

    def to_look_at(self, script: Script) -> Iterator[tuple[int, Statement]]:
        """The statements that could reach out, in order: all of a file that names what does."""
        for _, statement in script.statements.beginning_with("CREATE"):
            self.reach(statement)  # what it defines may be used in the same file
        lower = script.source.decode().lower()
        self.connects |= "postgres_fdw" in lower
        if self._names_what_leaves(lower):
            return enumerate(script.statements)
        return iter(sorted(script.statements.beginning_with(*_ALWAYS), key=lambda found: found[0]))

    def _names_what_leaves(self, lower: str) -> bool:
        return (
            'u&"' in lower
            or RUNS_TEXT.search(lower) is not None
            or any(stem in lower and call.search(lower) for stem, call in _CALLS)
            or any(name.lower() in lower for name in self.names)
        )

    def reach(self, statement: Statement) -> Reach | None:
        """What the statement does outside of its database, None where its words name nothing of the kind."""
        first = statement.first_word
        if first in _HEADS:
            found = _of_cluster(statement)
            if found is not None:
                return found
        if first in _MAINTENANCE:
            return _of_maintenance(statement)
        text = statement.text
        self._note_names(statement)
        if first in _ONLY_NAMES or (first == "ALTER" and statement.words[1:2] not in (("TABLE",), ("MATERIALIZED",))):
            return None
        if first == "TRUNCATE":
            said = list(tokens(text))
            name, is_alone = self._emptied(said), {t.name for t in said[1:] if t.name} <= self.foreign | _OF_TRUNCATE
            return Reach("leaves", f"TRUNCATE of {name}", can_be_left_out=is_alone) if name else None
        is_code = first in ("DO", "CREATE") and bool(
            _UNTRUSTED.search(text) or _BY_SYMBOL.search(text) or (self.foreign and "truncate" in text.lower())
        )
        may_copy = first in ("COPY", "DO", "CREATE") and "copy" in text.lower()
        if is_code or may_copy or self._names_what_leaves(text.lower()):
            return self._leaving(statement)
        return None

    def _note_names(self, statement: Statement) -> None:
        """Take down foreign tables, and the tables that they are a part of, and what goes by another name now."""
        words = statement.words
        is_foreign = words[:1] in (("CREATE",), ("IMPORT",)) and words[1:3] in (
            ("FOREIGN", "TABLE"),
            ("FOREIGN", "SCHEMA"),
        )
        is_renamed = words[:1] == ("ALTER",) and bool(self.foreign or self.names)
        if not is_foreign and not is_renamed:
            return
        found = list(tokens(statement.text))
        named = [t.name for t in found if t.name]
        if is_foreign:
            self.foreign |= set(_behind(found, "TABLE", "EXISTS", "OF", "TO"))
            if "program" in named:
                self.names |= self.foreign & set(named)  # whoever reads it runs that
            return
        renamed = named[-1:] if [n.lower() for n in named[-3:-1]] == ["rename", "to"] else []
        parents = _behind(found, "TABLE", "EXISTS", "ONLY") if "attach" in named else []
        for names in (self.names, self.foreign):
            if names & set(named):
                names |= set(renamed) | (set(parents) if names is self.foreign else set())

    def _emptied(self, found: Sequence[Token]) -> str:
        """A table of another server that TRUNCATE would empty."""
        is_truncate = any(t.kind == "word" and t.text.upper() == "TRUNCATE" for t in found)
        return next((t.name for t in found if t.name in self.foreign), "") if is_truncate else ""

    def _leaving(self, statement: Statement) -> Reach | None:
        first, text = statement.first_word, statement.text
        found = list(tokens(text))
        defines = _DEFINES.match(" ".join(t.text for t in found[:8]))
        is_built = first == "CREATE" and bool(_BUILT_OF & set(_words(found)[:4]))
        culprit = self._culprit(
            found, is_code=first == "DO" or defines is not None, uses=first in _USES_RELATIONS or is_built
        )
        if not culprit and (first == "DO" or defines) and _UNTRUSTED.search(text):
            culprit = "code in an untrusted language"
        if not culprit and defines and _BY_SYMBOL.search(text):
            symbols = [(t.value or "").removeprefix("be_") for t in found]
            culprit = next((one for one in symbols if _LEAVES.fullmatch(one)), "")
        if not culprit and first == "COPY":
            return _of_copy(found)
        if defines is not None:
            is_refused_there = bool(culprit) and not _UNTRUSTED.search(text) and holds_code(found)
            defined = _defined_names(found, defines[1].upper())
            for name in defined:
                (self.names.add if culprit and not is_refused_there else self.names.discard)(name)
            return Reach("defines", f"{'.'.join(defined)}()") if is_refused_there else None
        if not culprit:
            return None
        called = {name for name in _called(found) if name not in _HARMLESS}
        is_plain = first == "SELECT" and "INTO" not in _words(found) and all(_LEAVES.fullmatch(n) for n in called)
        what = f"{first} … {culprit}" if first != "DO" else f"DO … {culprit}"
        return Reach("leaves", what, can_be_left_out=is_plain)

    def _culprit(self, found: Sequence[Token], *, is_code: bool, uses: bool) -> str:
        """What of it leaves the server, empty where nothing does."""
        # a text in PL/pgSQL is looked at when it is run
        said = list(_flat(found, 1 if holds_code(found) else 4) if is_code else found)
        for name in _called(said):
            if _LEAVES.fullmatch(name) or name in self.names:
                return f"{name}()"
        if uses or is_code:
            for token in said:
                if token.name in self.names:
                    return token.name
        if is_code:
            if name := self._emptied(said):
                return f"TRUNCATE of {name}"
            for place, token in enumerate(said):
                if token.text.upper() == "COPY" and token.kind == "word":
                    reach = _of_copy(said[place:])
                    if reach is not None:
                        return reach.what
        return ""


def _behind(found: Sequence[Token], *words: str) -> list[str]:
    """The names, without their schemas, that stand behind one of these words, or behind a comma after one."""
    names: list[str] = []
    for place, token in enumerate(found[:-1]):
        if token.kind == "word" and token.text.upper() in words:
            at = place + 1
            while at + 2 < len(found) and found[at + 1].text == ".":
                at += 2
            names.append(found[at].name)
    return [name for name in names if name]


def _of_cluster(statement: Statement) -> Reach | None:
    """What the first words of a definition, grant or comment say of the cluster."""
    words = statement.words
    first = words[0]
    if first == "CHECKPOINT":
        return Reach("cluster", first)
    second = words[1:2]
    if first in ("CREATE", "ALTER", "DROP"):
        if second and second[0] in _CLUSTER and words[2:3] != ("MAPPING",):
            return _of_object(statement, second[0], first)
        return None
    if first == "COMMENT" and words[2:3] and words[2] in _CLUSTER:
        return _of_object(statement, words[2], "COMMENT ON")
    if first not in ("SECURITY", "GRANT", "REVOKE"):
        return None
    found = list(tokens(statement.text))
    if first == "SECURITY":
        said = _words(found)
        kind = said[said.index("ON") + 1] if "ON" in said[:-1] else ""
        return _of_object(statement, kind, "SECURITY LABEL ON") if kind in _CLUSTER else None
    return _of_grant(statement, found)


def _of_grant(statement: Statement, found: Sequence[Token]) -> Reach | None:
    first = statement.first_word
    said = _words(found)
    ends = [said.index(word) for word in ("TO", "FROM") if word in said]
    before = said[: min(ends)] if ends else said
    if "ON" not in before:
        return Reach("role", f"{first} of a role")
    kind = said[said.index("ON") + 1 : said.index("ON") + 2]
    if kind == ["DATABASE"]:
        return Reach("database", f"{first} ON DATABASE", _database_names(found))
    if kind in (["TABLESPACE"], ["PARAMETER"]):
        return Reach("cluster", f"{first} ON {kind[0]}")
    return None


def _of_object(statement: Statement, kind: str, verb: str) -> Reach:
    found = list(tokens(statement.text))
    at = next(n for n, t in enumerate(found) if t.kind == "word" and t.text.upper() == kind)
    rest = [t for t in found[at + 1 :] if t.text.upper() not in ("IF", "NOT", "EXISTS")]
    name = rest[0].name if rest else ""
    what = f"{verb} {kind}" + (f" {name}" if name and kind != "SYSTEM" else "")
    if kind == "DATABASE":
        after = _words(found[at + 2 :])[:2]
        sets = verb == "ALTER" and after[:1] in (["SET"], ["RESET"]) and after[1:] != ["TABLESPACE"]
        return Reach("database" if sets else "cluster", what, _database_names(found))
    if kind in _ROLES:
        named = _database_names(found)
        if named and verb == "ALTER":
            return Reach("database", f"{what} IN DATABASE", named)
        renamed = [t.name for t in rest[-2:]] if "RENAME" in _words(rest) else [""]
        return Reach("role", what, role=name if verb == "CREATE" else renamed[-1])
    return Reach("cluster", what)


# The catalogs that all databases share.
_SHARED = frozenset(
    {
        "pg_authid",
        "pg_auth_members",
        "pg_database",
        "pg_db_role_setting",
        "pg_parameter_acl",
        "pg_replication_origin",
        "pg_shdepend",
        "pg_shdescription",
        "pg_shseclabel",
        "pg_subscription",
        "pg_tablespace",
    }
)


def _of_maintenance(statement: Statement) -> Reach | None:
    """Maintenance of whole databases, or of what they share."""
    found = list(tokens(statement.text))
    named = [t.name for t in found[1:] if t.name]
    is_whole = statement.first_word == "REINDEX" and bool({"system", "database"} & set(named[:8]))
    if is_whole or _SHARED & set(named):
        return Reach("cluster", f"{statement.first_word} of what all databases share")
    return None


def _of_copy(found: Sequence[Token]) -> Reach | None:
    """COPY that runs a program or writes a file of the server."""
    depth = 0
    for place, token in enumerate(found):
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
        elif token.text == ";" and depth == 0:
            return None
        elif depth == 0 and token.kind == "word" and token.text.upper() in ("TO", "FROM") and place:
            way, target = token.text.upper(), found[place + 1 : place + 2]
            if not target:
                return None
            if target[0].text.upper() == "PROGRAM":
                return Reach("leaves", f"COPY … {way} PROGRAM", can_be_left_out=way == "TO")
            if way == "TO" and target[0].text.upper() not in ("STDOUT", "STDIN"):
                return Reach("leaves", "COPY … TO a file")
            return None
    return None


def with_database(text: str, name: str, *, meant: Collection[str] | None) -> str:
    """The statement with ``name`` in the place of the databases that it names, of those that are ``meant`` (None: all).

    Empty where it names no other.
    """
    found = list(tokens(text))
    spans = [(t.start, t.end) for t in _database_tokens(found)]
    if meant is not None and not any(t.name in meant for t in _database_tokens(found)):
        return ""
    return text[: spans[0][0]] + quote_always(name) + text[spans[-1][1] :] if spans else ""


def _database_names(found: Sequence[Token]) -> tuple[str, ...]:
    return tuple(t.name for t in _database_tokens(found))


def _database_tokens(found: Sequence[Token]) -> list[Token]:
    """The names behind the first word DATABASE."""
    at = next((n for n, t in enumerate(found) if t.kind == "word" and t.text.upper() == "DATABASE"), None)
    if at is None:
        return []
    names = found[at + 1 : at + 2]
    at += 2
    while at + 1 < len(found) and found[at].text == ",":
        names = [*names, found[at + 1]]
        at += 2
    return [token for token in names if token.name]


def _defined_names(found: Sequence[Token], kind: str) -> tuple[str, ...]:
    """The name by which what is defined is used: that of a function or view, the table of a trigger, rule or policy."""
    mark = kind if kind in ("FUNCTION", "PROCEDURE", "VIEW") else "TO" if kind == "RULE" else "ON"
    words = [t.text.upper() if t.kind == "word" else "" for t in found]
    at = words.index(mark) + 1 if mark in words else len(words)
    while at < len(words) and words[at] in ("IF", "NOT", "EXISTS"):
        at += 1
    while at + 2 < len(found) and found[at + 1].text == ".":
        at += 2
    return (found[at].name,) if at < len(found) and found[at].name else ()


def _flat(found: Sequence[Token], depth: int) -> Iterator[Token]:
    """What runs of the tokens, and of those of the texts in them, ``depth`` deep: code is written in texts."""
    before, names = "", False
    for place, token in enumerate(found):
        word = token.text.upper() if token.kind == "word" else ""
        if before in _BEGINS_IN_CODE:
            after = next((t.text.upper() for t in found[place + 1 : place + 2] if t.kind != "sign"), "")
            names = bool(after) and (
                word in _ONLY_NAMES or (word == "ALTER" and after not in ("TABLE", "MATERIALIZED"))
            )
        before = word or token.text
        if names and before != ";":
            continue
        yield token
        if token.kind == "text" and depth:
            written = token.value if token.value is not None else token.text.partition("'")[2][:-1]
            yield from _flat(list(tokens(written)), depth - 1)


# Behind them a statement begins.
_BEGINS_IN_CODE = frozenset({"", ";", "BEGIN", "THEN", "ELSE", "LOOP"})


def _called(said: Sequence[Token]) -> set[str]:
    """The names of functions that are called, and those that a trigger is to call."""
    return {
        one.name
        for place, (one, after) in enumerate(pairwise(said))
        if one.name and after.text == "(" and not (place and said[place - 1].text.upper() in _BEFORE_COLUMNS)
    }


# Behind them stands the name of a table, and its columns in brackets.
_BEFORE_COLUMNS = frozenset({"INTO", "TABLE", "EXISTS", "REFERENCES", "ON"})


def _words(found: Sequence[Token]) -> list[str]:
    return [t.text.upper() for t in found if t.kind == "word"]
