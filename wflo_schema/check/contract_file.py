"""A contract as a TOML file: read with lines in every error, and written."""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from wflo_schema.catalog.keys import DEFERRABLE, DEFERRED, NOT_DEFERRABLE
from wflo_schema.check.contract import (
    ACTIONS,
    MATCHES,
    Allowance,
    Contract,
    Name,
    RequiredCheck,
    RequiredColumn,
    RequiredDistribution,
    RequiredIndex,
    RequiredKey,
    RequiredTable,
    RequiredUnique,
)
from wflo_schema.check.rules import CODES
from wflo_schema.errors import BadContract
from wflo_schema.names import NAME_BYTES, identifiers, quote
from wflo_schema.words import counted

if TYPE_CHECKING:
    from tomlkit.items import Array, Key, String, Table

_IDENTIFIER = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[^\W\d][\w$]*))\s*')


def read_contract(path: str | Path) -> Contract:
    """Read a contract file.

    Raise `BadContract` when it is not there, is not TOML, or asks for something absurd; the
    message names the file and the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        freeze = shlex.join(["wflo-schema", "contract", "freeze", "--output", str(path)])
        raise BadContract(
            f"there is no contract {path}",
            hint=f"write one from a database that is right: {freeze}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadContract(f"the contract {path} cannot be read: {error}") from error
    return parse_contract(text, path=str(path))


def with_allowances(contract: Contract | None, paths: Iterable[Path]) -> Contract | None:
    """The contract, which allows what these files allow, too.

    Raise `BadContract` as `read_contract` does, and for a file that holds more than allowances.
    """
    for path in paths:
        more = read_contract(path)
        if more.names or more.schema is not None:
            raise BadContract(
                f"{path} is to hold allowances alone, and requires something of the database",
                hint="leave [[allow]] alone in it; what must hold stands in the contract",
            )
        contract = more if contract is None else replace(contract, allowances=contract.allowances + more.allowances)
    return contract


def parse_contract(text: str, *, path: str = "contract.toml") -> Contract:
    """Parse a contract's text.  Raise `BadContract` as `read_contract` does."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadContract(f"{path} is not TOML: {error}", hint="see https://toml.io for the format") from error
    return _Parser(path, _Lines.of(text)).contract(document)


_Item = TypeVar("_Item")
_SECTIONS = {
    "contract": ("schema", "distributed_schema", "tables", "production"),
    "tables": (),
    "foreign_key": ("name", "from", "to", "on_delete", "on_update", "match", "deferrable"),
    "columns": (),
    "unique": ("name", "on", "primary"),
    "check": ("name", "on", "expression"),
    "index": ("name", "on", "unique", "using", "where"),
    "allow": ("code", "object", "body", "reason"),
}


@dataclass(frozen=True, slots=True)
class _Parser:
    path: str
    lines: _Lines

    def contract(self, document: Mapping[str, object]) -> Contract:
        self.only_known(document, tuple(_SECTIONS), "", 0)
        head = self.mapping(document.get("contract", {}), "[contract]", self.line_of("contract", 0))
        line = self.line_of("contract", 0)
        self.only_known(head, _SECTIONS["contract"], "[contract]", line)
        schema = None
        if "schema" in head:
            schema = self.name(self.string(head["schema"], "schema", "[contract]", line), "schema", line)
        listed = head.get("tables", [])
        if not isinstance(listed, list):
            self.fail('tables must be a list of names: tables = ["a", "b"]', line)
        tables: list[RequiredTable] = []
        told: dict[str, int] = {}
        for entry in listed:
            value = self.string(entry, "tables", "[contract]", line)
            here = told[value] = self.line_with(value, told.get(value, line - 1) + 1)
            tables.append(RequiredTable(self.table(value, here), here))
        contract = Contract(
            schema=schema,
            tables=tuple(tables),
            foreign_keys=self.entries(document, "foreign_key", self.foreign_key),
            columns=tuple(self.required_columns(document)),
            uniques=self.entries(document, "unique", self.unique),
            checks=self.entries(document, "check", self.check),
            indexes=self.entries(document, "index", self.index),
            allowances=self.entries(document, "allow", self.allowance),
            is_schema_distributed=self.boolean(head, "distributed_schema", "[contract]", line),
            distributions=tuple(self.required_distributions(document)),
            production=self.production(head.get("production", []), line),
            path=self.path,
        )
        self.refuse_absurd(contract)
        return contract

    def production(self, value: object, line: int) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip("/") for v in value):
            self.fail(
                'production must be a list of databases: production = ["shop"], or ["db.example.com/shop"]',
                self.line_after(line, "production"),
            )
        return tuple(value)

    def refuse_absurd(self, contract: Contract) -> None:
        if not (contract.names or contract.is_about_citus or contract.allowances or contract.production):
            self.fail(
                "it requires nothing of the database",
                0,
                hint='name what must hold: [contract] tables = ["…"] or [[foreign_key]]',
            )
        self.once((t.name, t.line, f"table {t.name}") for t in contract.tables)
        keys = tuple(
            replace(k, table=self.placed(contract, k.table), to_table=self.placed(contract, k.to_table))
            for k in contract.foreign_keys
        )
        self.once(((k.table, k.name), k.line, f"the key {quote(k.name or '')} of {k.table}") for k in keys if k.name)
        self.once(
            (
                (k.table, frozenset(zip(k.columns, k.to_columns, strict=True)), k.to_table),
                k.line,
                f"the key {k.source} to {k.target}",
            )
            for k in keys
        )
        self.once(((u.table, frozenset(u.columns)), u.line, f"unique on {u.table}") for u in contract.uniques)
        self.once(((c.table, c.name), c.line, f"check {quote(c.name)} of {c.table}") for c in contract.checks)
        self.once((i, i.line, f"an index on {i.table}") for i in contract.indexes)
        self.once((d.table, d.line, f"[tables.{d.table}]") for d in contract.distributions)
        self.once(((a.code, a.object, a.body), a.line, f"{a.code} of {a.object}") for a in contract.allowances)

    def placed(self, contract: Contract, name: Name) -> Name:
        """The name, without its schema where that is the contract's own."""
        return Name(name.name) if name.schema == contract.schema else name

    def once(self, things: Iterable[tuple[object, int, str]]) -> None:
        seen: dict[object, int] = {}
        for thing, line, shown in things:
            if thing in seen:
                self.fail(f"{shown} is required twice (first at line {seen[thing]})", line, hint="remove one of them")
            seen[thing] = line

    def foreign_key(self, entry: Mapping[str, object], where: str, line: int) -> RequiredKey:
        table, columns, period = self.place(entry, "from", where, line)
        to_table, to_columns, to_period = self.place(entry, "to", where, line)
        if len(columns) != len(to_columns):
            self.fail(
                f"{where}: {counted(len(columns), 'column')} cannot reference {len(to_columns)}",
                line,
                hint='"from" and "to" need equally many columns, paired in order',
            )
        if period != to_period:
            self.fail(f"{where}: PERIOD must stand on both sides or on none", line)
        if len(set(to_columns)) != len(to_columns):
            self.fail(f'{where}: a column appears twice in "to"', line)
        action, set_columns = self.action(entry, "on_delete", where, line)
        update, update_columns = self.action(entry, "on_update", where, line)
        if update_columns:
            self.fail(f"{where}: on_update takes no column list: PostgreSQL has one for on_delete only", line)
        for column in set_columns:
            if column not in columns:
                self.fail(f"{where}: on_delete names {quote(column)}, which is no column of from", line)
        return RequiredKey(
            name=self.optional_name(entry, where, line),
            table=table,
            columns=columns,
            to_table=to_table,
            to_columns=to_columns,
            on_delete=action,
            set_columns=set_columns,
            on_update=update,
            match=self.word(entry, "match", MATCHES, "SIMPLE", where, line),
            deferrable=self.deferrable(entry, where, line),
            period=period,
            line=line,
        )

    def unique(self, entry: Mapping[str, object], where: str, line: int) -> RequiredUnique:
        table, columns, _ = self.place(entry, "on", where, line)
        if len(set(columns)) != len(columns):
            self.fail(f"{where}: a column appears twice", line)
        return RequiredUnique(
            self.optional_name(entry, where, line), table, columns, self.boolean(entry, "primary", where, line), line
        )

    def check(self, entry: Mapping[str, object], where: str, line: int) -> RequiredCheck:
        name = self.optional_name(entry, where, line)
        if name is None:
            self.fail(f"{where} needs a name", line)
        table = self.table(self.string(entry.get("on"), "on", where, line), line)
        expression = self.string(entry["expression"], "expression", where, line) if "expression" in entry else None
        return RequiredCheck(name, table, expression, line)

    def index(self, entry: Mapping[str, object], where: str, line: int) -> RequiredIndex:
        table, columns, _ = self.place(entry, "on", where, line)
        return RequiredIndex(
            self.optional_name(entry, where, line),
            table,
            columns,
            self.boolean(entry, "unique", where, line),
            self.string(entry.get("using", "btree"), "using", where, line).lower(),
            self.string(entry["where"], "where", where, line) if "where" in entry else None,
            line,
        )

    def allowance(self, entry: Mapping[str, object], where: str, line: int) -> Allowance:
        code = self.string(entry.get("code"), "code", where, line)
        if code not in CODES:
            self.fail(
                f"{where}: check has no code {code}",
                line,
                hint=_nearest(code, CODES) or "wflo-schema check --help lists them",
            )
        object_ = self.string(entry.get("object"), "object", where, line)
        reason = self.string(entry.get("reason"), "reason", where, line)
        body = self.string(entry["body"], "body", where, line) if "body" in entry else None
        return Allowance(code, object_, reason, body, line, self.path)

    def required_distributions(self, document: Mapping[str, object]) -> Iterable[RequiredDistribution]:
        for key, entries in self.mapping(document.get("tables", {}), "[tables]", 0).items():
            line, where = self.line_of_table("tables", key), f"[tables.{key}]"
            entry = self.mapping(entries, where, line)
            self.only_known(entry, _DISTRIBUTION, where, line)
            table = self.table(key, line)
            column = entry.get("distributed_by")
            other = entry.get("colocated_with")
            shards = entry.get("shards")
            is_reference = self.boolean(entry, "reference", where, line)
            says_distributed = self.boolean(entry, "distributed", where, line)
            if not (is_reference or says_distributed) and column is other is shards is None:
                self.fail(f"{where} requires nothing", line, hint=f"say one of {', '.join(_DISTRIBUTION)}")
            contradicting = [name for name in _DISTRIBUTION if name != "reference" and entry.get(name)]
            if is_reference and contradicting:
                self.fail(
                    f"{where}: a reference table is whole on every node, and {contradicting[0]} says otherwise", line
                )
            if shards is not None and (type(shards) is not int or shards < 1):
                self.fail(
                    f"{where}: shards must be a number from 1 on, not {shards!r}", self.line_after(line, "shards")
                )
            name = None
            if column is not None:
                text = self.string(column, "distributed_by", where, line)
                name = self.name(text, "column", line)
            beside = self.table(self.string(other, "colocated_with", where, line), line) if other is not None else None
            if beside == table:
                self.fail(f"{where}: a table is always colocated with itself", self.line_after(line, "colocated_with"))
            yield RequiredDistribution(table, name, is_reference, beside, shards, line)

    def line_of_table(self, section: str, key: str) -> int:
        """The line of ``[section.key]``, in quotes or not."""
        line = self.line_of(section, 0)
        for spelled in (f"'{key}'", f'"{key}"', key):
            line = self.line_with(f"[{section}.{spelled}]", line)
        return line

    def required_columns(self, document: Mapping[str, object]) -> Iterable[RequiredColumn]:
        for key, entries in self.mapping(document.get("columns", {}), "[columns]", 0).items():
            line = self.line_of_table("columns", key)
            where = f"[columns.{key}]"
            table = self.table(key, line)
            for name, wanted in self.mapping(entries, where, line).items():
                text = self.string(wanted, name, where, line)
                try:
                    type_, nullable, default = _column_words(text)
                except ValueError as error:
                    self.fail(
                        f'{where}: write {name} = "type [not null] [default expression]", not {text!r}: {error}',
                        self.line_after(line, name),
                    )
                yield RequiredColumn(
                    table,
                    self.name(name, "column", line, is_exact=True),
                    type_,
                    nullable,
                    default,
                    self.line_after(line, name),
                )

    def entries(
        self, document: Mapping[str, object], section: str, read_one: Callable[[Mapping[str, object], str, int], _Item]
    ) -> tuple[_Item, ...]:
        listed = document.get(section, [])
        if not isinstance(listed, list):
            self.fail(f"write [[{section}]] with two brackets: there may be several", self.line_of(section, 0))
        found = []
        for number, value in enumerate(listed):
            line = self.line_of(section, number)
            where = f"[[{section}]] {number + 1}"
            entry = self.mapping(value, where, line)
            if isinstance(entry.get("name"), str):
                where = f"[[{section}]] {entry['name']}"
            self.only_known(entry, _SECTIONS[section], where, line)
            found.append(read_one(entry, where, line))
        return tuple(found)

    def place(
        self, entry: Mapping[str, object], field_name: str, where: str, line: int
    ) -> tuple[Name, tuple[str, ...], bool]:
        text = self.string(entry.get(field_name), field_name, where, line)
        match = re.fullmatch(r"(?P<table>(?:\"(?:[^\"]|\"\")*\"|[^\"()])*)\((?P<columns>.*)\)\s*", text, re.DOTALL)
        if match is None:
            self.fail(f'{where}: {field_name} must be written as "table(column)", not "{text}"', line)
        columns: list[str] = []
        rest, period = match["columns"], False
        while True:
            word = re.match(r"\s*PERIOD\s+(?=[\"\w])", rest)
            if word:
                period, rest = True, rest[word.end() :]
            found = _IDENTIFIER.match(rest)
            if found is None:
                self.fail(f'{where}: {field_name} names no column at "{rest}"', line, hint=_NAME_HINT)
            columns.append(self.checked(_spelled(found), "column", line))
            rest = rest[found.end() :]
            if not rest:
                break
            if not rest.startswith(",") or period:
                self.fail(f'{where}: {field_name} cannot be read at "{rest}"', line, hint=_NAME_HINT)
            rest = rest[1:]
        return self.table(match["table"], line), tuple(columns), period

    def table(self, text: str, line: int) -> Name:
        first = _IDENTIFIER.match(text)
        if first is not None and first.end() == len(text):
            return Name(self.checked(_spelled(first), "table", line))
        if first is not None and text[first.end() :][:1] == ".":
            second = _IDENTIFIER.fullmatch(text[first.end() + 1 :])
            if second is not None:
                return Name(
                    self.checked(_spelled(second), "table", line), self.checked(_spelled(first), "schema", line)
                )
        self.fail(f'"{text}" is not the name of a table', line, hint=_NAME_HINT)

    def name(self, text: str, kind: str, line: int, *, is_exact: bool = False) -> str:
        match = _IDENTIFIER.fullmatch(text)
        if match is None:
            return self.checked(text, kind, line)
        return self.checked(text if is_exact else _spelled(match), kind, line)

    def checked(self, name: str, kind: str, line: int) -> str:
        if not name or "\x00" in name:
            self.fail(f"a {kind}'s name is empty", line)
        if len(name.encode()) > NAME_BYTES:
            self.fail(f"no {kind} can have the name {name}: PostgreSQL's names end after {NAME_BYTES} bytes", line)
        return name

    def optional_name(self, entry: Mapping[str, object], where: str, line: int) -> str | None:
        if "name" not in entry:
            return None
        return self.name(self.string(entry["name"], "name", where, line), "constraint", line)

    def action(
        self, entry: Mapping[str, object], field_name: str, where: str, line: int
    ) -> tuple[str, tuple[str, ...]]:
        text = self.string(entry.get(field_name, "NO ACTION"), field_name, where, line)
        verb, bracket, rest = text.partition("(")
        word = " ".join(verb.split()).upper().replace("_", " ")
        if word not in ACTIONS:
            self.fail(
                f'{where}: {field_name} = "{text}" is none of {", ".join(ACTIONS)}',
                line,
                hint=_nearest(word, ACTIONS),
            )
        if not bracket:
            return word, ()
        if not word.startswith("SET"):
            self.fail(f"{where}: {field_name} {word} takes no column list", line)
        _, columns, _ = self.place({field_name: f"x({rest}"}, field_name, where, line)
        return word, columns

    def deferrable(self, entry: Mapping[str, object], where: str, line: int) -> str:
        value = entry.get("deferrable", False)
        if value is False:
            return NOT_DEFERRABLE
        if value is True:
            return DEFERRABLE
        text = " ".join(self.string(value, "deferrable", where, line).upper().split())
        known = {
            NOT_DEFERRABLE: NOT_DEFERRABLE,
            "DEFERRABLE": DEFERRABLE,
            DEFERRABLE: DEFERRABLE,
            DEFERRED: DEFERRED,
            "INITIALLY DEFERRED": DEFERRED,
            "INITIALLY IMMEDIATE": DEFERRABLE,
        }
        if text not in known:
            self.fail(f'{where}: deferrable must be false, true, or "{DEFERRED}"', line, hint=_nearest(text, known))
        return known[text]

    def word(
        self, entry: Mapping[str, object], field_name: str, known: tuple[str, ...], default: str, where: str, line: int
    ) -> str:
        text = " ".join(self.string(entry.get(field_name, default), field_name, where, line).upper().split())
        if text not in known:
            self.fail(
                f'{where}: {field_name} = "{text}" is none of {", ".join(known)}', line, hint=_nearest(text, known)
            )
        return text

    def boolean(self, entry: Mapping[str, object], field_name: str, where: str, line: int) -> bool:
        value = entry.get(field_name, False)
        if not isinstance(value, bool):
            self.fail(f"{where}: {field_name} must be true or false", line)
        return bool(value)

    def string(self, value: object, field_name: str, where: str, line: int) -> str:
        if value is None:
            self.fail(f"{where} needs {field_name}", line)
        if not isinstance(value, str):
            self.fail(f"{where}: {field_name} must be a string, not {value!r}", line)
        text = str(value)
        if not text.strip() or "\x00" in text:
            self.fail(f"{where}: {field_name} is empty", line)
        return text

    def mapping(self, value: object, where: str, line: int) -> Mapping[str, object]:
        if not isinstance(value, dict):
            self.fail(f"{where} must be a TOML table", line)
        return value

    def only_known(self, entry: Mapping[str, object], known: tuple[str, ...], where: str, line: int) -> None:
        for key in entry:
            if key not in known:
                place = f"{where} has" if where else "the contract has"
                self.fail(
                    f"{place} an unknown entry {key}",
                    self.line_after(line, key),
                    hint=_nearest(key, known) or f"known entries: {', '.join(known)}",
                )

    def fail(self, message: str, line: int, *, hint: str = "") -> NoReturn:
        place = f"{self.path}:{line}" if line else self.path
        raise BadContract(f"{place}: {message}", hint=hint)

    def line_of(self, section: str, number: int) -> int:
        """The line of the ``number``-th header of a section, 0 where it has none (an inline table)."""
        headers = self.lines.headers.get(section, [])
        return headers[number] if number < len(headers) else 0

    def line_with(self, words: str, otherwise: int) -> int:
        """The first line from ``otherwise`` on that is these words, or has them in quotes."""
        return _first(self.lines.words.get(words, []), otherwise) or otherwise

    def line_after(self, start: int, key: str) -> int:
        """The first line below ``start`` where that key or section begins."""
        return _first(self.lines.keys.get(key, []), start + 1) or start


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where things stand in a contract's text, read once: tomllib does not say.  Line numbers ascend."""

    headers: Mapping[str, list[int]]
    """Of each section: ``[section]``, ``[[section]]``, ``[section.name]``."""
    keys: Mapping[str, list[int]]
    """Of each key, and of each section again."""
    words: Mapping[str, list[int]]
    """Of what stands in quotes, and of whole lines."""

    @classmethod
    def of(cls, text: str) -> _Lines:
        headers: dict[str, list[int]] = {}
        keys: dict[str, list[int]] = {}
        words: dict[str, list[int]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            header = _HEADER.match(line)
            key = _KEY.match(line)
            if header:
                headers.setdefault(header[1], []).append(number)
                keys.setdefault(header[1], []).append(number)
            if key:
                keys.setdefault(next(filter(None, key.groups()), ""), []).append(number)
            for word in {line.strip(), *_IN_DOUBLE_QUOTES.findall(line), *_IN_SINGLE_QUOTES.findall(line)}:
                words.setdefault(word, []).append(number)
        return cls(headers, keys, words)


# What [tables.NAME] may say of how Citus keeps the table.
_DISTRIBUTION = ("distributed_by", "colocated_with", "shards", "distributed", "reference")

_HEADER = re.compile(r"[ \t]*\[{1,2}\s*([\w-]+)\s*[\].]")
_KEY = re.compile(r"""[ \t]*(?:"([^"]*)"|'([^']*)'|([\w-]+))[ \t]*=""")
_IN_DOUBLE_QUOTES = re.compile(r'"([^"]*)"')
_IN_SINGLE_QUOTES = re.compile(r"'([^']*)'")


def _first(lines: Sequence[int], start: int) -> int:
    """The first of these lines that is not above ``start``, 0 where all are."""
    place = bisect_left(lines, start)
    return lines[place] if place < len(lines) else 0


_NAME_HINT = (
    "write names exactly as PostgreSQL stores them; put one with odd characters into double quotes: "
    """'"Odd name"("Some column")'"""
)


@lru_cache(maxsize=4096)
def _column_words(text: str) -> tuple[str, bool | None, str | None]:
    """Type, nullability and default of a column, as PostgreSQL's own parser reads them, in any order.

    Raise `ValueError` for what is none.
    """
    import postgast

    before = "CREATE TABLE t (c "
    sql = f"{before}{text}\n)"
    try:
        statements = postgast.parse(sql).stmts
    except postgast.PgQueryError as error:
        return _loosely(text, error.message)
    elements = [e for s in statements for e in s.stmt.create_stmt.table_elts]
    if len(statements) != 1 or len(elements) != 1 or elements[0].WhichOneof("node") != "column_def":
        raise ValueError("that is more than one column")
    column = elements[0].column_def
    if column.HasField("coll_clause"):
        raise ValueError("a collation cannot be required")
    content = sql.encode()
    parts = [c.constraint for c in column.constraints]
    places = [*(c.location for c in parts), len(content) - len("\n)")]
    nulls, defaults = set[bool](), list[str]()
    for one, start, end in zip(parts, places, places[1:], strict=False):
        if one.contype in (postgast.pg_query_pb2.CONSTR_NOTNULL, postgast.pg_query_pb2.CONSTR_NULL):
            nulls.add(one.contype == postgast.pg_query_pb2.CONSTR_NULL)
        elif one.contype == postgast.pg_query_pb2.CONSTR_DEFAULT:
            defaults.append(content[start:end].decode().strip()[len("default") :].strip())
        else:
            raise ValueError("only null, not null and default belong here: keys, checks and the rest have their own")
    if len(nulls) > 1 or len(defaults) > 1:
        raise ValueError("it contradicts itself")
    type_ = " ".join(content[len(before) : places[0]].decode().split())
    return type_, (nulls.pop() if nulls else None), (defaults[0] if defaults else None)


def _loosely(text: str, fault: str) -> tuple[str, bool | None, str | None]:
    """The same where the default is an expression that SQL would want in brackets there: now() AT TIME ZONE 'utc'."""
    import postgast

    first, found, default = text.partition(" default ")
    try:
        postgast.parse(f"SELECT ({default}\n)")
    except postgast.PgQueryError:
        found = ""
    if not found:
        raise ValueError(fault)
    type_, nullable, _ = _column_words(first)
    return type_, nullable, default.strip()


def _nearest(word: str, known: Iterable[str]) -> str:
    """What was meant, as a hint; empty where nothing comes near."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {close[0]}?" if close else ""


def _spelled(match: re.Match[str]) -> str:
    quoted = match["quoted"]
    return quoted.replace('""', '"') if quoted is not None else match["plain"]


def render_contract(contract: Contract, *, comment: str = "") -> str:
    """Write a contract as TOML that `parse_contract` reads back as an equal value."""
    import tomlkit

    document = tomlkit.document()
    for line in comment.splitlines():
        document.add(tomlkit.comment(line))
    if comment:
        document.add(tomlkit.nl())
    head: dict[str, str | bool | Array | None] = {
        "schema": _spelled_or_none(contract.schema),
        "distributed_schema": contract.is_schema_distributed or None,
        "tables": _listed(contract.tables),
    }
    document.add("contract", _table({**head, "production": _texts(contract.production)}))
    if contract.distributions:
        document.add("tables", _distribution_tables(contract.distributions))
    sections: tuple[tuple[str, Iterable[_Entry]], ...] = (
        ("foreign_key", map(_key_entry, contract.foreign_keys)),
        ("unique", map(_unique_entry, contract.uniques)),
        ("check", map(_check_entry, contract.checks)),
        ("index", map(_index_entry, contract.indexes)),
        ("allow", map(_allow_entry, contract.allowances)),
    )
    for section, entries in sections:
        tables = [_table(entry) for entry in entries]
        if tables:
            document.add(section, tomlkit.aot())
            for table in tables:
                table.trivia.indent = "\n"
                document[section].append(table)
    if contract.columns:
        document.add("columns", _column_tables(contract.columns))
    return tomlkit.dumps(document)


_Entry = Mapping[str, "str | bool | int | Array | None"]


def _key_entry(key: RequiredKey) -> _Entry:
    sets = f" ({identifiers(key.set_columns)})" if key.set_columns else ""
    return {
        "name": _spelled_or_none(key.name),
        "from": key.source,
        "to": key.target,
        "on_delete": key.on_delete + sets if key.on_delete != "NO ACTION" else None,
        "on_update": key.on_update if key.on_update != "NO ACTION" else None,
        "match": key.match if key.match != "SIMPLE" else None,
        "deferrable": key.deferrable if key.deferrable != NOT_DEFERRABLE else None,
    }


def _unique_entry(unique: RequiredUnique) -> _Entry:
    return {
        "name": _spelled_or_none(unique.name),
        "on": f"{unique.table}({identifiers(unique.columns)})",
        "primary": unique.is_primary or None,
    }


def _check_entry(check: RequiredCheck) -> _Entry:
    return {"name": quote(check.name), "on": str(check.table), "expression": check.expression}


def _index_entry(index: RequiredIndex) -> _Entry:
    return {
        "name": _spelled_or_none(index.name),
        "on": f"{index.table}({identifiers(index.columns)})",
        "unique": index.is_unique or None,
        "using": index.method if index.method != "btree" else None,
        "where": index.where,
    }


def _allow_entry(one: Allowance) -> _Entry:
    return {"code": one.code, "object": one.object, "body": one.body, "reason": one.reason}


def _distribution_tables(required: Iterable[RequiredDistribution]) -> Table:
    import tomlkit

    tables = tomlkit.table(is_super_table=True)
    for one in required:
        is_said = one.is_reference or one.column or one.colocated_with or one.shards
        table = _table(
            {
                "reference": one.is_reference or None,
                "distributed_by": _spelled_or_none(one.column),
                "colocated_with": str(one.colocated_with) if one.colocated_with is not None else None,
                "distributed": None if is_said else True,
                "shards": one.shards,
            }
        )
        table.trivia.indent = "\n" if tables else ""
        tables.append(_toml_key(str(one.table)), table)
    return tables


def _column_tables(required: Iterable[RequiredColumn]) -> Table:
    import tomlkit

    tables = tomlkit.table(is_super_table=True)  # its first table brings the blank line before it
    for name, group in groupby(required, key=lambda column: column.table):
        entry = {}
        for column in group:
            words = [column.type or ""]
            if column.is_nullable is not None:
                words.append("null" if column.is_nullable else "not null")
            if column.default is not None:
                words.append(f"default {column.default}")
            entry[column.name] = " ".join(words)
        table = _table(entry)
        table.trivia.indent = "\n" if tables else ""
        tables.append(_toml_key(str(name)), table)
    return tables


def _spelled_or_none(name: str | None) -> str | None:
    return None if name is None else quote(name)


def _table(entry: _Entry) -> Table:
    """A table of the entries that are not None."""
    import tomlkit

    table = tomlkit.table()
    for key, value in entry.items():
        if value is not None:
            table.append(_toml_key(key), _toml(value) if isinstance(value, str) else value)
    return table


def _listed(tables: Iterable[RequiredTable]) -> Array | None:
    import tomlkit

    names = [_toml(str(table.name)) for table in tables]
    # From its text: an array that grows one by one is indexed anew for each.
    array = tomlkit.array(f"[{', '.join(name.as_string() for name in names)}]")
    return array.multiline(True) if names else None


def _texts(values: Iterable[str]) -> Array | None:
    import tomlkit

    texts = [_toml(value).as_string() for value in values]
    return tomlkit.array(f"[{', '.join(texts)}]") if texts else None


def _toml(text: str) -> String:
    """Names in quotes are easier to read in a string that takes them as they are."""
    import tomlkit

    is_literal = '"' in text and "'" not in text and text.isprintable()
    return tomlkit.string(text, literal=is_literal)


def _toml_key(text: str) -> Key:
    from tomlkit.items import KeyType, SingleKey

    is_literal = '"' in text and "'" not in text and text.isprintable()
    return SingleKey(text, KeyType.Literal if is_literal else None)
