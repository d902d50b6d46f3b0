"""Changelogs of Liquibase in XML, YAML and JSON, as values: hides how each writes down what Liquibase is to run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.settings import read_yaml


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a changeset does: ``kind`` is Liquibase's name of it; ``said`` by names in lower case."""

    kind: str
    said: Mapping[str, str]
    line: int = 0


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """One changeset; ``undo`` is None where nothing takes it back.

    ``conditions`` are those of its running; ``doubts`` is what a person must know of how it is read.
    """

    id: str
    author: str
    said: Mapping[str, str]
    changes: tuple[Change, ...]
    undo: tuple[Change, ...] | None
    line: int = 0
    conditions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Include:
    """A file, or all files of a folder, that is read here."""

    said: Mapping[str, str]
    is_all: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """A value that stands for ``${name}``."""

    name: str
    value: str
    said: Mapping[str, str]


Entry = ChangeSet | Include | Property

# Of a changeset, what is no change of the schema.
_BESIDE = ("comment", "validCheckSum", "validCheckSums", "tagDatabase", "modifySql", "empty", "output")


@dataclass(frozen=True, slots=True)
class _Node:
    """An element of XML, or a mapping's entry in JSON and YAML."""

    name: str
    said: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    inner: tuple[_Node, ...] = ()


def read_changelog(path: str, text: bytes) -> Iterator[Entry]:
    """The entries of a changelog, in its order.  Raise `BadMigrationFile` where it is none."""
    try:
        if path.lower().endswith(".xml"):
            nodes = _of_xml(ElementTree.fromstring(text)).inner
        else:
            loaded = json.loads(text) if path.lower().endswith(".json") else read_yaml(text.decode())
            entries = loaded.get("databaseChangeLog", []) if isinstance(loaded, dict) else []
            nodes = tuple(_of_value(name, value) for entry in entries for name, value in entry.items())
    except (ElementTree.ParseError, ValueError, AttributeError) as error:
        raise BadMigrationFile(f"cannot read {path}: {error}", hint="is it a changelog of Liquibase?") from None
    for node in nodes:
        if node.name in ("include", "includeAll"):
            yield Include(node.said, is_all=node.name == "includeAll")
        elif node.name == "property":
            yield Property(node.said.get("name", ""), node.said.get("value", ""), node.said)
        elif node.name == "changeSet":
            yield _change_set(node)


def _change_set(node: _Node) -> ChangeSet:
    inner = [n for one in node.inner for n in (one.inner if one.name == "changes" else (one,))]
    changes = [n for n in inner if n.name not in (*_BESIDE, "rollback", "preConditions")]
    undo = [n for n in inner if n.name == "rollback"]
    conditions = tuple(_flat(c) for n in inner if n.name == "preConditions" for c in n.inner)
    return ChangeSet(
        node.said.get("id", ""),
        node.said.get("author", ""),
        node.said,
        tuple(map(_change, changes)),
        tuple(c for n in undo for c in _undone(n)) if undo else None,
        conditions=conditions,
    )


def _undone(node: _Node) -> Iterator[Change]:
    """What a rollback does: its changes, its text, or another changeset."""
    inner = [n for one in node.inner for n in (one.inner if one.name == "changes" else (one,))]
    if "changesetid" in node.said:
        names = f"changeSetId:{node.said['changesetid']} changeSetAuthor:{node.said.get('changesetauthor', '')}"
        yield Change("sql", {"sql": names})
    elif node.text.strip():
        yield Change("sql", {"sql": node.text})
    yield from (_change(n) for n in inner if n.name not in _BESIDE)
    if not inner and not node.text.strip() and "changesetid" not in node.said:
        yield Change("sql", {"sql": "empty"})


def _change(node: _Node) -> Change:
    said = dict(node.said)
    if node.name == "sql":
        said.setdefault("sql", node.text)
    return Change(node.name, said)


def _flat(node: _Node) -> str:
    said = " ".join(f"{name}={value}" for name, value in node.said.items())
    return " ".join(t for t in (node.name, said, node.text.strip(), *(_flat(n) for n in node.inner)) if t)


def _of_xml(element: ElementTree.Element) -> _Node:
    said = {name.rpartition("}")[2].lower(): value for name, value in element.attrib.items()}
    inner = tuple(_of_xml(child) for child in element)
    text = "".join((element.text or "", *(child.tail or "" for child in element)))
    return _Node(element.tag.rpartition("}")[2], said, text, inner)


def _of_value(name: str, value: object) -> _Node:
    """A mapping's entry: plain values are attributes, all else stands in it."""
    if isinstance(value, dict):
        said = {k.lower(): _plain(v) for k, v in value.items() if not isinstance(v, dict | list)}
        inner = [_of_value(k, v) for k, v in value.items() if isinstance(v, dict | list)]
        inner += [_Node(k, text=_plain(v)) for k, v in value.items() if k == "rollback" and isinstance(v, str)]
        return _Node(name, said, inner=tuple(inner))
    if isinstance(value, list):
        pairs = (pair for one in value if isinstance(one, dict) for pair in one.items())
        plain = "\n".join(_plain(one) for one in value if not isinstance(one, dict | list))
        return _Node(name, {}, plain, tuple(_of_value(k, v) for k, v in pairs))
    return _Node(name, {}, _plain(value))


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
