"""A catalog as text for review, and back."""

from __future__ import annotations

import json
import re

from wflo_schema.catalog.objects import (
    WITH_ARGUMENTS,
    Catalog,
    Object,
    Path,
)
from wflo_schema.errors import WfloSchemaError

DUMP_TITLE = "# catalog of a PostgreSQL database, written by wflo-schema; format 3"


def catalog_text(catalog: Catalog) -> str:
    """Write a catalog as text for review: sorted, the same for equal catalogs of one major version."""
    lines = [DUMP_TITLE, f"# server: PostgreSQL {catalog.server_version // 10000}"]
    for one in catalog.objects:
        lines += ["", f"{one.kind}: {_dump_path(one.kind, one.path)}"]
        for name, value in one.attributes:
            lines.append(f"    {name}: {_dump_value(value)}")
        if one.follows:
            lines.append(f"    follows: {one.follows[0]}: {_dump_path(one.follows[0], one.follows[1:])}")
    return "\n".join(lines) + "\n"


def _dump_path(kind: str, path: Path) -> str:
    parts = [part if _PLAIN.fullmatch(part) else json.dumps(part) for part in path]
    if kind in WITH_ARGUMENTS and path[-1].startswith("(") and path[-1].isprintable():
        return ".".join(parts[:-1]) + path[-1]
    return ".".join(parts)


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def _dump_value(value: str) -> str:
    lines = value.split("\n")
    is_readable = all(line == line.rstrip() and line.replace("\t", "").isprintable() for line in lines)
    if is_readable and len(lines) > 1 and lines[-1]:
        return "\n".join(["|", *(f"        {line}" if line else "" for line in lines)])
    if is_readable and len(lines) == 1 and value == value.strip() and value and not value.startswith(('"', "|")):
        return value
    return json.dumps(value)


def parse_catalog(text: str) -> Catalog:
    """Read what `catalog_text` wrote.

    Raise `WfloSchemaError` when it is something else, with the number of the line.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != DUMP_TITLE:
        raise WfloSchemaError(
            "this is not a catalog written by wflo-schema", hint=f"its first line would be: {DUMP_TITLE}"
        )
    major = re.fullmatch(r"# server: PostgreSQL (\d+)", lines[1]) if len(lines) > 1 else None
    objects: list[Object] = []
    kind = ""
    path: Path = ()
    follows: Path = ()
    attributes: list[tuple[str, str]] = []

    def finish() -> None:
        if kind:
            objects.append(Object(kind, path, tuple(attributes), follows))

    number = 1
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line or line.startswith("#"):
            continue
        head, colon, rest = line.partition(": ")
        try:
            if not colon:
                raise ValueError
            if not line.startswith(" "):
                finish()
                kind, path, follows, attributes = head, _load_path(rest), (), []
            elif head == "    follows":
                followed, _, where = rest.partition(": ")
                follows = (followed, *_load_path(where))
            elif rest == "|":
                block = []
                while number < len(lines) and (not lines[number] or lines[number].startswith(" " * 8)):
                    block.append(lines[number][8:])
                    number += 1
                attributes.append((head.strip(), "\n".join(block).rstrip("\n")))
            else:
                attributes.append((head.strip(), json.loads(rest) if rest.startswith('"') else rest))
        except ValueError:
            raise WfloSchemaError(
                f"line {number} of the catalog file cannot be read: {line.strip()[:60]}",
                hint="write it again with wflo-schema dump",
            ) from None
    finish()
    return Catalog(tuple(sorted(objects, key=lambda one: one.key)), int(major[1]) * 10000 if major else 0)


def _load_path(text: str) -> Path:
    parts: list[str] = []
    while text:
        plain = _PLAIN.match(text)
        if plain:
            parts.append(plain[0])
            text = text[plain.end() :]
        elif text.startswith('"'):
            part, end = json.JSONDecoder().raw_decode(text)
            parts.append(str(part))
            text = text[end:]
        elif text.startswith("("):
            return (*parts, text)
        else:
            raise ValueError
        text = text.removeprefix(".")
    if not parts:
        raise ValueError
    return tuple(parts)
