"""Say whether Citus keeps tables as a contract requires, and whether the shards are as the coordinator says.

Hides Citus's own catalog, and how each node is asked for what its shards have: the coordinator's tables are empty,
and what is recorded there enforces nothing.  Reads only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.catalog.keys import Key, key_columns
from wflo_schema.check.contract import Contract, Name, RequiredDistribution, RequiredKey
from wflo_schema.check.facts import CheckConstraint, Facts, Index, Reader, by_relation, read_checks
from wflo_schema.check.rules import NOTHING, finding
from wflo_schema.check.tables import absent, absent_columns
from wflo_schema.connect.queries import load_sql
from wflo_schema.findings import Finding
from wflo_schema.names import identifiers, literal, qualified, quote
from wflo_schema.words import counted, plural

_CATALOGS = ("pg_dist_partition", "pg_dist_schema", "pg_dist_shard", "pg_dist_placement", "pg_dist_node")


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that Citus keeps.

    ``kind`` is hash, range, append, single shard, schema (of a distributed schema), reference or local.  ``column`` is
    empty for a kind without one.  Tables of one ``colocation`` have their shards side by side.
    """

    relation: int
    schema: str
    kind: str
    column: str
    colocation: int
    shards: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A copy of a shard on a node.  Of two tables side by side, shards of the same ``range`` belong together."""

    relation: int
    shard: int
    range: str
    name: str
    indexes: list[int]
    index_names: list[str]
    node: str
    port: int

    @property
    def place(self) -> str:
        """The node, as its address."""
        return f"{self.node}:{self.port}"

    def __str__(self) -> str:
        return f"{self.name} on {self.place}"


@dataclass(frozen=True, slots=True)
class _KeyThere:
    """A foreign key of a shard, by the numbers of both shards."""

    pairs: Counter[tuple[str, str]]
    on_delete: str
    on_update: str
    is_validated: bool
    triggers: int


@dataclass(frozen=True)
class Node:
    """What one node has of the shards that are placed there, by their names; ``fault`` is why it said nothing."""

    place: str
    fault: str = ""
    is_replica: bool = False
    columns: Mapping[str, frozenset[tuple[str, str, bool]]] = field(default_factory=dict)
    """Of each shard that is there: name, type, whether it is NOT NULL."""
    checks: Counter[str] = field(default_factory=Counter)
    """How many validated CHECK constraints a shard has."""
    indexes: frozenset[str] = frozenset()
    """The valid ones."""
    keys: Mapping[tuple[str, str], Sequence[_KeyThere]] = field(default_factory=dict)


@dataclass(frozen=True)
class Distribution:
    """How Citus keeps the tables of a contract, and what their shards have, where that was asked for."""

    has_citus: bool = False
    is_read: bool = True
    is_schema_distributed: bool = False
    kept: Mapping[int, Kept] = field(default_factory=dict)
    shards: tuple[Shard, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    checks: tuple[CheckConstraint, ...] = ()

    @cached_property
    def shards_of(self) -> Mapping[int, Sequence[Shard]]:
        """The shards of each table."""
        return by_relation(self.shards)

    @cached_property
    def _checks(self) -> Counter[int]:
        return Counter(c.relation for c in self.checks if c.is_validated)

    def answered(self, relation: int) -> Iterator[tuple[Shard, Node]]:
        """The shards of a table of which their node has said what they have."""
        for shard in self.shards_of.get(relation, ()):
            if not self.nodes[shard.place].fault:
                yield shard, self.nodes[shard.place]

    def checks_on(self, relation: int) -> int:
        """How many validated CHECK constraints the coordinator records of it."""
        return self._checks[relation]


def read(reader: Reader, facts: Facts, contract: Contract, *, shards: bool) -> Distribution:
    """Read how Citus keeps the tables, and with ``shards`` what each node has of them."""
    if not reader.session.has_citus or not (facts.relations or contract.is_about_citus):
        return Distribution(reader.session.has_citus)
    if not reader.can(*_CATALOGS):
        return Distribution(has_citus=True, is_read=False)
    kept = {k.relation: k for k in read_kept(reader, facts.everywhere)}
    placed = reader.rows(Shard, "citus_shards", {"relations": sorted(kept)}) if kept and shards else ()
    return Distribution(
        has_citus=True,
        is_schema_distributed=_is_distributed(reader, facts.schema),
        kept=kept,
        shards=placed,
        nodes=_ask_nodes(reader, placed),
        checks=read_checks(reader, sorted(kept)) if placed and reader.can("pg_constraint") else (),
    )


def read_kept(reader: Reader, relations: Sequence[int]) -> tuple[Kept, ...]:
    """How Citus keeps the tables of these OIDs; nothing where it is not there, or its catalog may not be read."""
    if not reader.session.has_citus or not reader.can(*_CATALOGS):
        return ()
    return reader.rows(Kept, "citus_kept", {"relations": relations})


def _is_distributed(reader: Reader, schema: str) -> bool:
    query = (
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_dist_schema AS s"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = s.schemaid WHERE n.nspname = %s)"
    )
    return reader.connection.execute(query, (schema,)).fetchone() == (True,)


def _ask_nodes(reader: Reader, placed: Iterable[Shard]) -> dict[str, Node]:
    """Ask each node for its shards, all at once; it answers with one text."""
    by_place: dict[tuple[str, int], list[str]] = {}
    for shard in placed:
        by_place.setdefault((shard.node, shard.port), []).append(shard.name)
    if not by_place:
        return {}
    query = load_sql("check", "shards_on_node")
    texts = psycopg.ClientCursor(reader.connection)
    asked = {
        "nodes": [node for node, _ in by_place],
        "ports": [port for _, port in by_place],
        "commands": [texts.mogrify(query, {"names": names}) for names in by_place.values()],
    }
    try:
        with reader.connection.transaction():
            rows = reader.connection.execute(load_sql("check", "citus_nodes"), asked).fetchall()
    except psycopg.Error as error:
        if reader.connection.closed:
            raise
        said = error.diag.message_primary or str(error)
        return {f"{node}:{port}": Node(f"{node}:{port}", said) for node, port in by_place}
    return {f"{r[0]}:{r[1]}": _node(r, by_place[str(r[0]), int(r[1])]) for r in rows}


def _node(row: TupleRow, names: Sequence[str]) -> Node:
    place, text = f"{row[0]}:{row[1]}", str(row[3])
    if not row[2]:
        return Node(place, text)
    said = json.loads(text)

    def name(number: int) -> str:
        return names[number - 1]

    columns: dict[str, set[tuple[str, str, bool]]] = {name(n): set() for n in said["shards"]}
    for number, column, type_, is_not_null in said["columns"]:
        columns[name(number)].add((column, type_, is_not_null))
    keys: dict[tuple[str, str], list[_KeyThere]] = {}
    for number, target, pairs, *rest in said["keys"]:
        keys.setdefault((name(number), name(target)), []).append(_KeyThere(Counter(map(tuple, pairs)), *rest))
    return Node(
        place,
        is_replica=said["is_replica"],
        columns={n: frozenset(c) for n, c in columns.items()},
        checks=Counter(map(name, said["checks"])),
        indexes=frozenset(said["indexes"]),
        keys=keys,
    )


def judge_schema(dist: Distribution, facts: Facts, contract: Contract) -> Iterator[Finding]:
    """A schema that must be distributed, and is not."""
    if not contract.is_schema_distributed:
        return
    schema = quote(facts.schema)
    if not dist.has_citus:
        yield _without_citus()
    elif dist.is_read and not dist.is_schema_distributed:
        yield finding(
            "schema-not-distributed",
            schema,
            f"Citus does not distribute the schema {schema}: its tables stay where they are",
            have=f"schema {schema}",
            want=f"distributed schema {schema}",
            help_=f"SELECT citus_schema_distribute({literal(schema)});",
        )


def _without_citus() -> Finding:
    return finding(
        "citus-missing",
        "citus",
        "the contract says how Citus keeps tables, and the extension (12 or later) is not in this database",
        have=NOTHING,
        want="extension citus",
        help_="CREATE EXTENSION citus;",
    )


def judge_table(
    dist: Distribution, facts: Facts, contract: Contract, required: RequiredDistribution
) -> Iterator[Finding]:
    """A table that is not distributed as required: not at all, otherwise, in other shards, or apart from another."""
    where = contract.location(required.line)
    for name in filter(None, (required.table, required.colocated_with)):
        if name not in contract.listed:
            yield from absent(facts, name, where)
    table = facts.table(required.table)
    if not dist.has_citus:
        yield _without_citus()
        return
    if not dist.is_read:
        return
    shown, want = facts.full(required.table), _wanted(facts, required)
    if table is None:
        message = "its table is not there"
        yield finding("table-not-distributed", shown, message, have=NOTHING, want=want, location=where)
        return
    have = dist.kept.get(table.oid)
    columns = [required.column] if required.column is not None else []
    missing = list(absent_columns(facts, table, columns, where))
    yield from missing
    wrong = _wrong(have, required)
    if wrong is not None:
        code, message = wrong
        yield finding(
            code,
            shown,
            f"{shown} {message}",
            have=_said(have),
            want=want,
            help_="" if missing else _remedy(facts, contract, required, shown, have),
            location=where,
        )
    elif have is not None:
        yield from _judge_shards(facts, contract, required, have)
        yield from _judge_neighbour(dist, facts, contract, required, have)


def _wrong(have: Kept | None, required: RequiredDistribution) -> tuple[str, str] | None:
    """The code and the message where the table is not kept in that way at all."""
    if have is None or have.kind == "local":
        return "table-not-distributed", "is a local table: all its rows are on the coordinator"
    if required.is_reference:
        return None if have.kind == "reference" else ("table-wrong-distribution", "is no reference table")
    if have.kind == "reference":
        return "table-wrong-distribution", "is a reference table: every node has all its rows"
    if required.column is None or have.column == required.column:
        return None
    by = f"by {quote(have.column)}" if have.column else "without a column"
    return "table-wrong-distribution", f"is distributed {by}, not by {quote(required.column)}"


def _said(have: Kept | None) -> str:
    if have is None or have.kind == "local":
        return "local table"
    if have.kind == "reference":
        return "reference table"
    if have.kind == "schema":
        return f"table of the distributed schema {quote(have.schema)}"
    if have.kind == "single shard":
        return "distributed without a column, 1 shard"
    how = "" if have.kind == "hash" else f" ({have.kind})"
    return f"distributed by {quote(have.column)}{how}, {counted(have.shards, 'shard')}"


def _wanted(facts: Facts, required: RequiredDistribution) -> str:
    if required.is_reference:
        return "reference table"
    words = ["distributed" + (f" by {quote(required.column)}" if required.column is not None else "")]
    if required.shards is not None:
        words.append(counted(required.shards, "shard"))
    if required.colocated_with is not None:
        words.append(f"colocated with {facts.full(required.colocated_with)}")
    return ", ".join(words)


def _remedy(facts: Facts, contract: Contract, required: RequiredDistribution, shown: str, have: Kept | None) -> str:
    """The statements that distribute the table as required."""
    if have is not None and have.kind == "schema":
        return ""  # as long as the schema is distributed, its tables are kept like this
    undo = "" if have is None or have.kind == "local" else f"SELECT undistribute_table({literal(shown)}); "
    if required.is_reference:
        return f"{undo}SELECT create_reference_table({literal(shown)});"
    if have is not None and have.kind == "hash" and required.column is not None:
        return f"SELECT alter_distributed_table({literal(shown)}, distribution_column => {literal(required.column)});"
    if required.column is None and contract.is_schema_distributed and required.table.schema is None:
        return f"SELECT citus_schema_distribute({literal(quote(facts.schema))});"
    column = literal(required.column) if required.column is not None else "NULL"
    more = "" if required.shards is None else f", shard_count => {required.shards}"
    if required.colocated_with is not None:
        more = f", colocate_with => {literal(facts.full(required.colocated_with))}"
    return f"{undo}SELECT create_distributed_table({literal(shown)}, {column}{more});"


def _judge_shards(facts: Facts, contract: Contract, required: RequiredDistribution, have: Kept) -> Iterator[Finding]:
    if required.shards is None or required.shards == have.shards:
        return
    shown = facts.full(required.table)
    change = f"shard_count => {required.shards}, cascade_to_colocated => true"
    yield finding(
        "table-wrong-shards",
        shown,
        f"{shown} has {counted(have.shards, 'shard')}, not {required.shards}",
        have=_said(have),
        want=_wanted(facts, required),
        help_=f"SELECT alter_distributed_table({literal(shown)}, {change});" if have.kind == "hash" else "",
        location=contract.location(required.line),
    )


def _judge_neighbour(
    dist: Distribution, facts: Facts, contract: Contract, required: RequiredDistribution, have: Kept
) -> Iterator[Finding]:
    if required.colocated_with is None:
        return
    shown, beside = facts.full(required.table), facts.full(required.colocated_with)
    other = facts.table(required.colocated_with)
    its = dist.kept.get(other.oid) if other is not None else None
    if its is not None and its.colocation == have.colocation:
        return
    is_alike = its is not None and its.kind == have.kind == "hash"
    move = f"SELECT alter_distributed_table({literal(shown)}, colocate_with => {literal(beside)});"
    yield finding(
        "table-not-colocated",
        shown,
        f"the shards of {shown} are not placed with those of {beside}",
        have=f"{shown}: {_said(have)}; {beside}: {NOTHING if other is None else _said(its)}",
        want=_wanted(facts, required),
        help_=move if is_alike else "",
        location=contract.location(required.line),
    )


def judge_nodes(dist: Distribution) -> Iterator[Finding]:
    """Nodes on which the sessions that write to shards start with triggers off."""
    for node in dist.nodes.values():
        if node.is_replica:
            yield finding(
                "replication-role",
                f"sessions on {node.place}",
                f"every session on the node {node.place} starts with foreign keys switched off: rows may point nowhere",
                have="session_replication_role = replica",
                want="session_replication_role = origin",
                help_="ALTER DATABASE … RESET session_replication_role; -- on that node; then: check --only rows",
            )


def _unreadable(node: Node) -> Finding:
    return finding(
        "shard-unreadable",
        node.place,
        f"the node {node.place} does not say what its shards have: {node.fault}",
        have=node.fault.splitlines()[0] if node.fault else "",
        want="an answer",
        help_="run it again when the node is there; a role needs LOGIN there, too",
    )


def _unanswered(dist: Distribution, shards: Iterable[Shard]) -> Iterator[Finding]:
    for place in dict.fromkeys(s.place for s in shards):
        if dist.nodes[place].fault:
            yield _unreadable(dist.nodes[place])


def judge_shards(dist: Distribution, facts: Facts, name: Name) -> Iterator[Finding]:
    """Shards of a table, or of its partitions, that are not there, or without a column as the coordinator has it."""
    table = facts.table(name)
    for relation in facts.tree(table) if table is not None else ():
        shards = dist.shards_of.get(relation.oid, ())
        yield from _unanswered(dist, shards)
        wanted = {(c.name, c.type, not c.is_nullable) for c in facts.columns_of(relation.oid).values()}
        found: dict[str, list[Shard]] = {}
        for shard, node in dist.answered(relation.oid):
            there = node.columns.get(shard.name)
            lacking = sorted(c for c, *_ in wanted - there) if there is not None else []
            said = f"without {identifiers(lacking)} as the coordinator has it" if lacking else ""
            if there is None or said:
                found.setdefault(said or "not there", []).append(shard)
        for said, places in found.items():
            yield _differs(str(relation), said, shards, places)


def judge_checks(dist: Distribution, facts: Facts, name: Name) -> Iterator[Finding]:
    """Shards that lack a validated CHECK constraint which the coordinator has."""
    table = facts.table(name)
    for relation in facts.tree(table) if table is not None else ():
        wanted = dist.checks_on(relation.oid)
        places = [s for s, n in dist.answered(relation.oid) if s.name in n.columns and n.checks[s.name] < wanted]
        if places:
            said = "without a CHECK constraint that the coordinator has, or with one that is NOT VALID"
            yield _differs(str(relation), said, dist.shards_of[relation.oid], places)


def lacking_index(dist: Distribution, index: Index) -> list[Shard]:
    """The shards on which an index is not there, or INVALID."""
    return [
        shard
        for shard, node in dist.answered(index.relation)
        if index.oid in shard.indexes
        and shard.name in node.columns
        and shard.index_names[shard.indexes.index(index.oid)] not in node.indexes
    ]


def judge_index(dist: Distribution, enough: Iterable[Index]) -> Iterator[Finding]:
    """An index that is required, and of which no one of those that would be ``enough`` is on every shard."""
    lacks = [(i, lacking_index(dist, i)) for i in enough if i.is_valid and dist.shards_of.get(i.relation)]
    if lacks and all(places for _, places in lacks):
        index, places = lacks[0]
        shards = dist.shards_of[index.relation]
        yield _differs(str(index), "without it as a valid index", shards, places, _index_again(index))


def judge_all_indexes(dist: Distribution, indexes: Iterable[Index]) -> Iterator[Finding]:
    """Indexes that are valid on the coordinator, and not on each shard."""
    for index in indexes:
        places = lacking_index(dist, index)
        if places:
            number = f"{len(places)} of {counted(len(dist.shards_of[index.relation]), 'shard')}"
            yield finding(
                "index-invalid",
                str(index),
                f"{index} is INVALID or not there on {number}: {_shown(places)}",
                have=f"not valid on {number}",
                want="valid on every shard",
                help_=_index_again(index),
            )


def _index_again(index: Index) -> str:
    if index.is_of_constraint:
        return f"drop the constraint of {index} with IF EXISTS, and add it again, on the coordinator"
    return f"DROP INDEX CONCURRENTLY IF EXISTS {index}; -- then CREATE INDEX CONCURRENTLY again, on the coordinator"


def _shown(shards: Sequence[Shard]) -> str:
    return ", ".join([str(s) for s in shards[:3]] + (["…"] if len(shards) > 3 else []))


def _differs(object_: str, said: str, shards: Sequence[Shard], places: Sequence[Shard], help_: str = "") -> Finding:
    number = f"{len(places)} of {counted(len(shards), 'shard')}"
    return finding(
        "shard-differs",
        object_,
        f"{number} {plural(len(places), 'is', 'are')} {said}: {_shown(places)}",
        have=f"{number} {said}",
        want="every shard as the coordinator says",
        help_=help_,
    )


def judge_key(dist: Distribution, facts: Facts, key: RequiredKey) -> Iterator[Finding]:
    """Where shards lack a key that the coordinator has, or do not enforce it."""
    table, target = facts.table(key.table), facts.table(key.to_table)
    if table is None or target is None or not dist.shards:
        return
    exact = facts.keys_like(key.pairs, table, target)
    have = next((k for k in exact if k.name == key.name), next(iter(exact), None))
    if have is None:
        return
    for member in facts.family(have):
        shards = dist.shards_of.get(member.relation, ())
        yield from _unanswered(dist, shards)
        found: dict[str, list[Shard]] = {}
        for shard, node in dist.answered(member.relation):
            said = _weakness(dist, facts, member, shard, node)
            if said:
                found.setdefault(said, []).append(shard)
        its = qualified(member.schema, member.table)
        for said, places in found.items():
            yield _differs(f"{its} {quote(member.name)}", said, shards, places, _key_again(member, its, said))


_NOT_VALID = "with the key NOT VALID"


def _weakness(dist: Distribution, facts: Facts, key: Key, shard: Shard, node: Node) -> str:
    """In what the shard's key is less than the coordinator's; empty where it is not."""
    targets = dist.shards_of.get(key.to_relation, ())
    beside = [t for t in targets if t.place == shard.place and (t.range == shard.range or not t.range)]
    there = [
        k
        for target in beside
        for k in node.keys.get((shard.name, target.name), ())
        if k.pairs == key.pairs and (k.on_delete, k.on_update) == (key.on_delete, key.on_update)
    ]
    if not there:
        return "without the key"
    wanted = sum(t.is_on for t in facts.triggers_by(key))
    if all(k.triggers < wanted for k in there):
        return "with triggers of the key switched off"
    return _NOT_VALID if key.is_validated and not any(k.is_validated for k in there) else ""


def _key_again(key: Key, table: str, said: str) -> str:
    name = quote(key.name)
    if key.parent:
        return ""  # mended with the key that it is a copy of
    if said == _NOT_VALID:
        return f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    rest = str(key).partition(" REFERENCES ")[2]
    add = f"ADD CONSTRAINT {name} FOREIGN KEY ({key_columns(key.columns, key.is_period)}) REFERENCES {rest};"
    return f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}; ALTER TABLE {table} {add}"
