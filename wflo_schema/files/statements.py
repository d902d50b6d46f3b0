"""What a statement of a non-transactional file does, as its text tells it.

Hides PostgreSQL's parser, and which statements PostgreSQL runs alone, as a whole or half-way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import ALONE
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.splitting import bare, refusal
from wflo_schema.files.tokens import tokens
from wflo_schema.findings import Location
from wflo_schema.words import shown

# Without these a text has nothing in it that could be taken for another word: no quotes, no comments.
_HIDING = re.compile(r"""['"$]|--|/\*""")
_PLAIN_NAME = re.compile(r'"[a-z_]+"')

# Statements that PostgreSQL always refuses inside a transaction block.  Others are tried in one first,
# with their progress, and run alone only where they turn out to be refused or to commit by themselves.
_ALONE = re.compile(
    r"""\A(?:
        CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY
      | DROP\s+INDEX\s+CONCURRENTLY
      | REINDEX | VACUUM | CLUSTER
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)
      | ALTER\s+SYSTEM
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\b(?:CONCURRENTLY|FINALIZE)
    )\b""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_FIRST_ALONE = frozenset({"CREATE", "DROP", "REINDEX", "VACUUM", "CLUSTER", "ALTER"})

# What a statement must say to be one of `_NEVER_IN_TRANSACTION`, and what it may begin with.
_SOMETIMES_ALONE = re.compile(
    rb"CONCURRENTLY|\b(?:DATABASE|TABLESPACE|SUBSCRIPTION|SYSTEM|SCHEMA|VACUUM|CLUSTER|ALL)\b", re.IGNORECASE
)
_FIRST_NEVER = ("CREATE", "DROP", "ALTER", "REINDEX", "VACUUM", "CLUSTER", "DISCARD")

# Statements that the server refuses inside of a transaction block whatever is in the database
# (PreventInTransactionBlock in its source).
_NEVER_IN_TRANSACTION = re.compile(
    r"""\A(?:
        CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\b
      | DROP\s+INDEX\s+CONCURRENTLY\b
      | REINDEX\s*(?:\([^)]*\)\s*)?(?:(?:INDEX|TABLE)\s+CONCURRENTLY|SCHEMA|DATABASE|SYSTEM)\b
      | REINDEX\s*\([^)]*\bCONCURRENTLY\b(?!\s*(?:FALSE|OFF|0|''))
      | VACUUM\b
      | CLUSTER\s*(?:\([^)]*\)|VERBOSE)?\s*\Z
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)\b
      | ALTER\s+DATABASE\s+\S+\s+SET\s+TABLESPACE\b
      | ALTER\s+SYSTEM\b
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\bCONCURRENTLY\b
      | CREATE\s+SUBSCRIPTION\b(?!.*\b(?:connect|create_slot)\s*=\s*(?:FALSE|OFF|0|''))
      | ALTER\s+SUBSCRIPTION\s+\S+\s+(?:REFRESH|SET|ADD|DROP)\s+PUBLICATION\b
        (?!.*\brefresh\s*=\s*(?:FALSE|OFF|0|''))
      | DISCARD\s+ALL\b
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

# Of those that run alone, the ones that do no harm, and do not fail, when they are done again.
_REPEATABLE = re.compile(
    r"\A(?:REINDEX|VACUUM|CLUSTER|ALTER\s+(?:SYSTEM|DATABASE|SUBSCRIPTION\s+\S+\s+(?!ADD|DROP)))\b", re.IGNORECASE
)

# They wait for transactions to end, often long, in a lock mode that keeps no reader or writer waiting.
_WAITS_HARMLESSLY = re.compile(r"\A(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL)


# Statements that make or drop something as a whole or not at all: the parser's names, what, and which.
_KINDS = (
    ("createdb_stmt", "dbname", "database", True),
    ("dropdb_stmt", "dbname", "database", False),
    ("create_table_space_stmt", "tablespacename", "tablespace", True),
    ("drop_table_space_stmt", "tablespacename", "tablespace", False),
    ("create_subscription_stmt", "subname", "subscription", True),
    ("drop_subscription_stmt", "subname", "subscription", False),
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A statement that makes (``is_there`` afterwards) or drops a database, tablespace or subscription."""

    kind: str
    name: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """A CREATE INDEX CONCURRENTLY; ``table`` is quoted, ``name`` is not."""

    name: str
    table: str
    if_not_exists: bool


def index_build(text: str) -> IndexBuild | None:
    """What CREATE INDEX CONCURRENTLY is about to build; None for any other statement."""
    node = _parse_one(text, "index_stmt") if "CONCURRENTLY" in text.upper() else None
    if node is None or not node.concurrent:
        return None
    relation = node.relation
    parts = [p for p in (relation.schemaname, relation.relname) if p]
    return IndexBuild(node.idxname, sql.Identifier(*parts).as_string(), node.if_not_exists)


def dropped_indexes(text: str) -> tuple[str, ...]:
    """The quoted names in a DROP INDEX CONCURRENTLY; none for any other statement."""
    node: Any = _parse_one(text, "drop_stmt") if "CONCURRENTLY" in text.upper() else None
    if node is None or not node.concurrent:
        return ()
    return tuple(sql.Identifier(*(i.string.sval for i in o.list.items)).as_string() for o in node.objects)


def reindexed(text: str) -> tuple[str, str | None] | None:
    """``relation``, ``schema`` or ``database``, and its name, of a REINDEX; None for any other statement."""
    node: Any = _parse_one(text, "reindex_stmt")
    if node is None:
        return None
    if node.HasField("relation"):
        parts = [p for p in (node.relation.schemaname, node.relation.relname) if p]
        return "relation", sql.Identifier(*parts).as_string()
    kind = node.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[node.kind].name
    return ("schema", node.name) if kind == "REINDEX_OBJECT_SCHEMA" else ("database", None)


def detached(text: str) -> tuple[str, str] | None:
    """Parent and partition, quoted, of an ALTER TABLE … DETACH PARTITION; None for any other statement."""
    node: Any = _parse_one(text, "alter_table_stmt") if "DETACH" in text.upper() else None
    if (
        node is None
        or len(node.cmds) != 1
        or not getattr(node.cmds[0].alter_table_cmd, "def").HasField("partition_cmd")
    ):
        return None
    inner = getattr(node.cmds[0].alter_table_cmd, "def").partition_cmd.name
    names = [sql.Identifier(*(p for p in (r.schemaname, r.relname) if p)).as_string() for r in (node.relation, inner)]
    return names[0], names[1]


def _parse_one(text: str, node: str) -> Any:
    import postgast

    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1 or not tree.stmts[0].stmt.HasField(node):
        return None
    return getattr(tree.stmts[0].stmt, node)


def _bare(text: str) -> str:
    """Its words and signs, for the expressions above: no comments, and nothing in quotes but a plain name."""
    if not _HIDING.search(text):
        return text
    return " ".join(
        "''" if t.kind == "text" else '""' if t.kind == "quoted" and not _PLAIN_NAME.fullmatch(t.text) else t.text
        for t in tokens(text)
    )


def _calls(text: str, function: str) -> bool:
    """Does it name the function (given in lower case)?  A DO block's own code counts."""
    if function not in text.lower():
        return False
    found = list(tokens(text))
    code = [t for t in found if t.kind == "text"] if found[0].text.upper() == "DO" else []
    return any(t.kind != "text" and t.text.strip('"').lower() == function for t in found) or any(
        t.value is None or _calls(f"DO {t.value}", function) for t in code
    )


def runs_alone(statement: Statement) -> bool:
    """Does PostgreSQL refuse it inside a transaction block?"""
    return statement.first_word in _FIRST_ALONE and bool(_ALONE.match(_bare(statement.text)))


def refuse_outside_transaction(script: Script) -> None:
    """Raise `BadMigrationFile` for a statement of a transactional file that cannot run in a transaction."""
    for _, statement in script.statements.beginning_with(*_FIRST_NEVER):
        if not _SOMETIMES_ALONE.search(script.source, statement.start, statement.end):
            continue
        text = bare(statement.raw)
        found = _NEVER_IN_TRANSACTION.match(text)
        if found:
            raise refusal(
                script.path,
                script.source,
                statement.start,
                f"{' '.join(found.group().split()).upper()[:60]} cannot run in a transaction",
                hint=ALONE,
            )


def whole(text: str) -> Whole | None:
    """What is made or dropped as a whole; None for any other statement."""
    for node_name, field, kind, is_there in _KINDS:
        if kind.upper() in text.upper():
            node = _parse_one(text, node_name)
            if node is not None:
                return Whole(kind, getattr(node, field), is_there)
    return None


# What the code of a DO block begins with where its author says that it can be run again after an interruption.
_RESUMABLE = re.compile(r"\ADO\s+(?:LANGUAGE\s+\w+\s+)?(?:\$\w*\$|')\s*--\s*resumable\s*:\s*\S", re.IGNORECASE)


def is_repeatable(text: str) -> bool:
    """Can it be run again after an interruption, and come to the same?"""
    return bool(_REPEATABLE.match(_bare(text))) or is_resumable(text)


def is_resumable(text: str) -> bool:
    """Is it a block of which its author says that it can be run again after an interruption?"""
    return bool(_RESUMABLE.match(text))


def waits_harmlessly(text: str) -> bool:
    """Does it wait for transactions to end in a lock mode that keeps no reader or writer waiting?"""
    return "CONCURRENTLY" in text.upper() and bool(_WAITS_HARMLESSLY.match(_bare(text)))


def sets_session(statement: Statement) -> bool:
    """Does it do no more than give the session a setting, which a later session must be given again?"""
    first = statement.first_word
    if first == "SELECT":
        return _is_set_config(statement.text)
    return first == "RESET" or (
        first == "SET" and statement.words[1:2] not in (("LOCAL",), ("CONSTRAINTS",), ("TRANSACTION",))
    )


def _is_set_config(text: str) -> bool:
    """``SELECT set_config(constant, constant, constant)`` and no more, as pg_dump writes it."""
    select: Any = _parse_one(text, "select_stmt") if "set_config" in text.lower() else None
    if select is None or len(select.target_list) != 1 or select.from_clause or select.HasField("where_clause"):
        return False
    value = select.target_list[0].res_target.val
    if not value.HasField("func_call") or [n.string.sval for n in value.func_call.funcname][-1:] != ["set_config"]:
        return False
    return all(_is_constant(a) for a in value.func_call.args)


def _is_constant(node: Any) -> bool:
    return bool(node.HasField("a_const") or (node.HasField("type_cast") and node.type_cast.arg.HasField("a_const")))


# Settings that a migration runs with, and that a file may put back to what the server has.
OURS = ("lock_timeout", "search_path", "standard_conforming_strings")


def resets(statement: Statement) -> tuple[str, ...]:
    """The settings of `OURS` that it resets to the server's value; to set another value does not count."""
    if statement.first_word in ("SET", "RESET"):
        node: Any = _parse_one(statement.text, "variable_set_stmt")
        if node is None:
            return ()
        kind = node.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[node.kind].name
        if kind == "VAR_RESET_ALL":
            return OURS
        return (node.name.lower(),) if kind in ("VAR_RESET", "VAR_SET_DEFAULT") and node.name.lower() in OURS else ()
    if statement.first_word == "SELECT" and _is_set_config(statement.text):
        name, value, *_ = _parse_one(statement.text, "select_stmt").target_list[0].res_target.val.func_call.args
        if value.a_const.isnull and name.a_const.sval.sval.lower() in OURS:
            return (name.a_const.sval.sval.lower(),)
    return ()


# What makes CREATE TABLE run a query, look at rows and expressions of another table, or work an expression out.
_MAY_RUN_CODE = re.compile(r"\b(?:AS|OF|LIKE|INHERITS|EXECUTE|EXCLUDE|PARTITION)\b", re.IGNORECASE)
_IDENTITY = re.compile(r"\bGENERATED\s+(?:ALWAYS|BY\s+DEFAULT)\s+AS\s+IDENTITY\b", re.IGNORECASE)
_PLAIN_TABLE = re.compile(r"CREATE\s+TABLE\s+(?P<table>[\w.]+)\s*\(", re.IGNORECASE)
_PLAIN_INDEX = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+\w+\s+ON\s+(?P<table>[\w.]+)\s*\([\w\s,]+\)\s*\Z", re.IGNORECASE
)


def runs_no_code(script: Script) -> bool:
    """Is it certain that no function of anybody's is run by it, unless by an event trigger?

    That is so for CREATE TABLE with columns and constraints, and for indexes of columns of these tables: they are
    empty, so no default, check or comparison is evaluated, and no trigger fires.  Of every other statement it is
    not said.
    """
    made = set()
    for statement in script.statements:
        text = statement.text
        if index := _PLAIN_INDEX.match(text):
            if index["table"].lower() not in made:
                return False
        elif table := _PLAIN_TABLE.match(text):
            if ";" in text or "pg_temp" in text.lower() or _MAY_RUN_CODE.search(_IDENTITY.sub("", text)):
                return False
            made.add(table["table"].lower())
        else:
            return False
    return True


_PLAIN_DROP = re.compile(
    r"DROP\s+(?:TABLE|INDEX|SEQUENCE|(?:MATERIALIZED\s+)?VIEW|TYPE|DOMAIN)\s+(?!CONCURRENTLY\b)", re.IGNORECASE
)


def only_drops(script: Script) -> bool:
    """Does it only drop relations and types, by which no function is run, unless by an event trigger?"""
    return all(_PLAIN_DROP.match(statement.text) for statement in script.statements)


_LEAVES_WITH_SESSION = re.compile(
    r"""\A(?:
        CREATE\s+(?:OR\s+REPLACE\s+)?(?:GLOBAL\s+|LOCAL\s+)?TEMP(?:ORARY)?\b
      | CREATE\b.*?\bpg_temp"?\s*\.
      | (?:SELECT|WITH)\b.*\bINTO\s+(?:GLOBAL\s+|LOCAL\s+)?TEMP(?:ORARY)?\b
      | PREPARE\s+(?!TRANSACTION\b)
      | DECLARE\b.*\bWITH\s+HOLD\b
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def leaves_with_session(statement: Statement) -> bool:
    """Does it make or set what ends with its session, other than a setting that can be set again?"""
    first = statement.first_word
    begins = first in ("CREATE", "SELECT", "WITH", "PREPARE", "DECLARE")
    if begins and _LEAVES_WITH_SESSION.match(_bare(statement.text)):
        return True
    runs_code = first in ("SELECT", "WITH", "VALUES", "DO", "CALL")
    return runs_code and _calls(statement.text, "set_config") and not sets_session(statement)


def _gives_up_locks(statement: Statement) -> bool:
    if statement.first_word == "DISCARD":
        return statement.words[1:2] == ("ALL",)
    may_call = statement.first_word in ("SELECT", "WITH", "VALUES", "DO", "TABLE")
    return may_call and _calls(statement.text, "pg_advisory_unlock_all")


def refuse_unresumable(script: Script, statement: Statement) -> None:
    """Raise `BadMigrationFile` for a statement after which a later session could not go on."""
    build = index_build(statement.text)
    what, hint = "", ""
    if build is not None and not build.name:
        what = "CREATE INDEX CONCURRENTLY without a name"
        hint = "name the index: without a name, what an interrupted build leaves behind cannot be found again"
    elif _gives_up_locks(statement):
        text = shown(statement.written)
        what = f"{text} gives up the lock that keeps a second run from doing the same statements at the same time"
        hint = "remove it: the session is cleared after each migration; release your own locks with pg_advisory_unlock"
    if what:
        raise BadMigrationFile(
            f"{script.path}:{statement.line}: {what}",
            hint=hint,
            location=Location(script.path, statement.line, statement.column),
        )
