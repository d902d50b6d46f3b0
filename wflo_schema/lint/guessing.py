"""A trace made from the words of files alone, where no server is there to rehearse them.

Hides what a statement most likely does, by its form.  What depends on what is there is said to be undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.creations import enum_word, walk
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.script import Script
from wflo_schema.lint.context import Keys
from wflo_schema.lint.parsing import Command, Parsed, dropped_names, names_of, parse, relation_name
from wflo_schema.names import qualified
from wflo_schema.trace.choosing import choose_without_target
from wflo_schema.trace.values import MODES, HeldUntil, Lock, Trace, Traced, strongest

START = "the text alone"
MAY_BE_WRONG = "from the text alone, not rehearsed: may be wrong"
NOTE = (
    "no server was there for a rehearsal: the words of the files are all that was judged. For a rehearsal: "
    "wflo-schema server start, or --scratch-url URL"
)

_SUX, _S, _SRX, _X, _AX = MODES[3:]

# What a column can become without being copied, if it was the right thing before.
_CHEAP_TYPES = frozenset({"text", "varchar", "numeric", "timestamp", "timestamptz", "varbit", "inet", "oid"})
_STABLE = frozenset({"now", "statement_timestamp", "transaction_timestamp", "current_setting", "current_schema"})
_VOLATILE = frozenset({"random", "gen_random_uuid", "uuidv4", "uuidv7", "clock_timestamp", "timeofday", "nextval"})
_WEAK = frozenset(
    "AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetRelOptions AT_ResetRelOptions AT_ClusterOn AT_DropCluster "
    "AT_ValidateConstraint AT_AttachPartition".split()
)
_TRIGGERS = frozenset(
    "AT_EnableTrig AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll AT_DisableTrigAll "
    "AT_EnableTrigUser AT_DisableTrigUser".split()
)
_COPIES = frozenset("AT_SetLogged AT_SetUnLogged AT_SetAccessMethod AT_SetTableSpace AT_SetExpression".split())
_DROPPED = {"OBJECT_TABLE": "table", "OBJECT_VIEW": "view", "OBJECT_MATVIEW": "materialized view"}


@dataclass(slots=True)
class _Guess:
    """What one statement does, as far as its words go."""

    modes: dict[str, set[str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    rewrites: list[str] = field(default_factory=list)
    scans: list[str] = field(default_factory=list)
    builds: list[tuple[str, str]] = field(default_factory=list)
    """Indexes with their tables."""
    made: list[str] = field(default_factory=list)
    undecided: str = ""

    def lock(self, name: str, mode: str, kind: str = "table") -> str:
        """One more lock; the name of what is locked."""
        self.modes.setdefault(name, set()).add(mode)
        self.kinds[name] = kind
        return name


def guess(
    migrations: Migrations, files: Sequence[str], since: str | None, to: str | None
) -> tuple[Trace, Keys, list[tuple[Migration, BadMigrationFile]]]:
    """What the files most likely do, the unique keys that they say, and which cannot be read, and why.

    Raise as `trace` does, for a file or a revision that is not there.
    """
    migrations.refuse_empty()
    migrations, chosen = choose_without_target(migrations, files, since, to)
    before = chosen.before.items if chosen.before is not None else ()
    known = _Known()
    statements: list[Traced] = []
    new: set[str] = set()
    failures: list[tuple[Migration, BadMigrationFile]] = []
    for m in (*before, *chosen.wanted, *chosen.repeatables):
        try:
            script = load_script(m.with_any_values())
        except BadMigrationFile as error:
            if m.id in chosen.ids:
                failures.append((m, error))
            continue
        for one in _traced(m, script, known):
            if m.id in chosen.ids:
                is_told = bool(one.locks) and new >= {lock.relation for lock in one.locks}
                statements.append(replace(one, undecided="") if is_told else one)
                new.update(one.made)
    ids = tuple(i for i in chosen.ids if i not in {m.id for m, _ in failures})
    keys = {table: frozenset(found) for table, found in known.keys.items()}
    return Trace("no database", "", START, tuple(statements), ids, (NOTE,)), keys, failures


@dataclass(slots=True)
class _Known:
    """What earlier statements say: unique keys, and columns that a CHECK proves to be set."""

    keys: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    proven: set[tuple[str, str]] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)
    """Tables with a CHECK, which may be there to prove a partition's bounds."""

    def learn(self, parsed: Parsed) -> None:
        """Take from one statement what it says of keys and checks."""
        node: Any = parsed.node
        if parsed.kind == "index_stmt" and node.unique and not node.HasField("where_clause"):
            columns = frozenset(p.index_elem.name for p in node.index_params)
            self.keys.setdefault(_name(node.relation), set()).add(columns)
        for constraint, column in _constraints(parsed):
            kind = enum_word(constraint, "contype")
            table = _name(node.relation)
            if kind in ("CONSTR_PRIMARY", "CONSTR_UNIQUE") and (columns := _keyed(constraint, column)):
                self.keys.setdefault(table, set()).add(columns)
            elif kind == "CONSTR_CHECK" and not constraint.raw_expr.HasField("null_test"):
                self.checked.add(table)
            elif kind == "CONSTR_CHECK":
                test = constraint.raw_expr.null_test
                if enum_word(test, "nulltesttype") == "IS_NOT_NULL" and test.arg.HasField("column_ref"):
                    self.proven.add((table, names_of(test.arg.column_ref.fields)[-1]))


def _keyed(constraint: Any, column: str) -> frozenset[str]:
    return frozenset(names_of(constraint.keys) or filter(None, (column,)))


def _constraints(parsed: Parsed) -> Iterator[tuple[Any, str]]:
    """The constraints that a CREATE or ALTER TABLE has, each with its column."""
    if parsed.kind == "create_stmt":
        for element in parsed.node.table_elts:
            if element.HasField("constraint"):
                yield element.constraint, ""
            elif element.HasField("column_def"):
                for one in element.column_def.constraints:
                    yield one.constraint, element.column_def.colname
    for command in parsed.commands:
        column = command.definition.colname if command.subtype == "AT_AddColumn" else ""
        yield from ((one, column) for one in command.constraints)


def _traced(m: Migration, script: Script, known: _Known) -> Iterator[Traced]:
    for number, statement in enumerate(script.statements, 1):
        parsed = parse(statement.text)
        found = _guessed(parsed, known)
        if parsed is not None:
            known.learn(parsed)
        until: HeldUntil = "commit" if m.is_transactional else "statement"
        yield Traced(
            m.id, script.path, statement.line, statement.column, number, statement.written,
            locks=tuple(Lock(n, found.kinds[n], strongest(of), until) for n, of in found.modes.items()),
            rewrites=tuple(found.rewrites), scans=tuple(found.scans),
            builds=tuple(index for index, _ in found.builds),
            builds_on=tuple(dict.fromkeys(table for _, table in found.builds)),
            undecided=found.undecided, is_alone=not m.is_transactional, is_transactional=m.is_transactional,
            made=tuple(found.made), source_line=script.source_line(statement.line),
        )  # fmt: skip


def _guessed(parsed: Parsed | None, known: _Known) -> _Guess:
    found = _Guess()
    if parsed is None:
        found.undecided = "the parser does not read it"
    elif parsed.kind in ("do_stmt", "call_stmt"):
        found.undecided = "what it runs is not read"
    elif parsed.kind == "alter_domain_stmt":
        found.undecided = "which tables have columns of the domain is not in the text"
    elif parsed.kind == "alter_table_stmt":
        _alter(parsed, found, known)
    elif parsed.is_of_rows:
        for node in walk(parsed.node):
            if type(node).__name__ == "RangeVar":
                read = found.lock(_name(node), MODES[0])
                if parsed.kind in ("insert_stmt", "merge_stmt") and node != parsed.node.relation:
                    found.scans.append(read)
        if hasattr(parsed.node, "relation"):
            found.lock(_name(parsed.node.relation), MODES[2])
    else:
        _other(parsed, found)
    return found


def _name(relation: Any) -> str:
    """With its schema, which is public where the text names none."""
    return relation_name(relation) if relation.schemaname else qualified("public", relation.relname)


def _other(parsed: Parsed, found: _Guess) -> None:
    """What makes, drops, renames, copies or locks."""
    node: Any = parsed.node
    match parsed.kind:
        case "create_stmt":
            found.made.append(_name(node.relation))
            for constraint, _ in _constraints(parsed):
                if enum_word(constraint, "contype") == "CONSTR_FOREIGN":
                    found.lock(_name(constraint.pktable), _SRX)
            if node.HasField("partbound"):
                found.lock(_name(node.inh_relations[0].range_var), _AX)
        case "create_table_as_stmt":
            found.made.append(_name(node.into.rel))
        case "view_stmt":
            found.made.append(_name(node.view))
        case "index_stmt":
            table = found.lock(_name(node.relation), _SUX if node.concurrent else _S)
            if not node.concurrent:
                columns = [p.index_elem.name or "expr" for p in node.index_params]
                index = node.idxname or "_".join((node.relation.relname, *columns, "idx"))
                found.builds.append((qualified(*filter(None, (node.relation.schemaname, index))), table))
        case "drop_stmt":
            kind = _DROPPED.get(enum_word(node, "remove_type"))
            for parts in dropped_names(node) if kind is not None else ():
                found.lock(qualified(*(parts if len(parts) > 1 else ("public", *parts))), _AX, kind or "")
        case "rename_stmt" | "alter_object_schema_stmt" | "rule_stmt" | "create_policy_stmt":
            if (relation := getattr(node, "relation", None) or getattr(node, "table", None)) and relation.relname:
                found.lock(_name(relation), _AX)
                if parsed.kind == "rename_stmt" and enum_word(node, "rename_type") == "OBJECT_TABLE":
                    renamed = qualified(relation.schemaname or "public", node.newname)
                    found.made.append(renamed)
        case "truncate_stmt":
            for one in node.relations:
                found.lock(_name(one.range_var), _AX)
        case "create_trig_stmt":
            found.lock(_name(node.relation), _SRX)
        case "lock_stmt":
            for one in node.relations:
                found.lock(_name(one.range_var), MODES[node.mode - 1])
        case "refresh_mat_view_stmt" | "cluster_stmt" if not getattr(node, "concurrent", False):
            kind = "materialized view" if parsed.kind == "refresh_mat_view_stmt" else "table"
            found.rewrites.append(found.lock(_name(node.relation), _AX, kind))
        case "vacuum_stmt" if "full" in _options(node.options):
            for one in node.rels:
                found.rewrites.append(found.lock(_name(one.vacuum_relation.relation), _AX))
        case "reindex_stmt" if node.relation.relname and "concurrently" not in _options(node.params):
            what = found.lock(_name(node.relation), _S)
            found.builds.append((what, what))


def _options(options: Iterable[Any]) -> set[str]:
    return {o.def_elem.defname for o in options}


def _alter(parsed: Parsed, found: _Guess, known: _Known) -> None:
    node: Any = parsed.node
    kind = {"OBJECT_INDEX": "index", "OBJECT_VIEW": "view", "OBJECT_SEQUENCE": "sequence"}
    of = kind.get(enum_word(node, "objtype"), "table")
    table = _name(node.relation)
    for command in parsed.commands:
        found.lock(table, _mode(command), of)
        if command.subtype in _COPIES and of == "table":
            found.rewrites.append(table)
        elif command.subtype in ("AT_ValidateConstraint", "AT_SetNotNull"):
            is_proven = command.subtype == "AT_SetNotNull" and (table, command.name) in known.proven
            found.scans += () if is_proven else (table,)
        elif command.subtype == "AT_AlterColumnType":
            type_name = names_of(command.definition.type_name.names)[-1]
            if type_name in _CHEAP_TYPES and not command.definition.HasField("raw_default"):
                found.undecided = "whether the new type copies the table depends on the old one"
            else:
                found.rewrites.append(table)
        elif command.subtype == "AT_AttachPartition":
            part = found.lock(_name(command.definition.name), _AX)
            found.scans += () if part in known.checked else (part,)
        elif command.subtype == "AT_AddColumn" and command.definition is not None:
            _add_column(command, table, found)
        for constraint in command.constraints:
            _constrain(constraint, table, found, is_new_column=command.subtype == "AT_AddColumn")


def _mode(command: Command) -> str:
    if command.subtype in _WEAK or (command.subtype == "AT_DetachPartition" and command.definition.concurrent):
        return _SUX
    kinds = command.constraint_kinds
    is_key = command.subtype == "AT_AddConstraint" and kinds == ("CONSTR_FOREIGN",)
    return _SRX if is_key or command.subtype in _TRIGGERS else _AX


def _add_column(command: Command, table: str, found: _Guess) -> None:
    """A new column: does each row get another value?"""
    type_name = names_of(command.definition.type_name.names)[-1]
    if "serial" in type_name or "CONSTR_IDENTITY" in command.constraint_kinds:
        found.rewrites.append(table)
    for constraint in command.constraints:
        kind = enum_word(constraint, "contype")
        called = [names_of(n.funcname)[-1] for n in walk(constraint.raw_expr) if type(n).__name__ == "FuncCall"]
        is_volatile = any(name in _VOLATILE or name.startswith("uuid_") for name in called)
        is_stored = kind == "CONSTR_GENERATED" and getattr(constraint, "generated_kind", "s") != "v"
        if is_stored or (kind == "CONSTR_DEFAULT" and is_volatile):
            found.rewrites.append(table)
        elif kind == "CONSTR_DEFAULT" and not set(called) <= _STABLE:
            found.undecided = f"whether {called[0]}() is volatile, and the table copied, is not in the text"


def _constrain(constraint: Any, table: str, found: _Guess, *, is_new_column: bool) -> None:
    kind = enum_word(constraint, "contype")
    if kind in ("CONSTR_CHECK", "CONSTR_NOTNULL") and not constraint.skip_validation:
        if kind == "CONSTR_CHECK" or not is_new_column:
            found.scans.append(table)
    elif kind == "CONSTR_FOREIGN":
        other = found.lock(_name(constraint.pktable), _SRX)
        if not constraint.skip_validation and not is_new_column:
            found.scans += [table, other]
    elif kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_EXCLUSION") and not constraint.indexname:
        end = "pkey" if kind == "CONSTR_PRIMARY" else "key"
        columns = () if kind == "CONSTR_PRIMARY" else names_of(constraint.keys)
        bare = table.rpartition(".")[2]
        found.builds.append((constraint.conname or "_".join((bare, *columns, end)), table))
