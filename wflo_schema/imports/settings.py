"""What a project's settings say, written as properties, or in YAML of the kind in which settings and changelogs are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

# name = value, name: value; a #, ! or ; begins a comment.
_PROPERTY = re.compile(r"^[ \t]*(?![#!;])(?P<name>[^\s=:]+)[ \t]*[=:][ \t]*(?P<value>.*?)\s*$", re.MULTILINE)


def read_properties(text: str) -> dict[str, str]:
    """The values of settings by their names, the last of each."""
    return {m["name"]: m["value"] for m in _PROPERTY.finditer(text)}


def read_yaml(text: str) -> object:
    """What YAML says.  Raise ValueError where it is written in other ways than settings and changelogs are."""
    return _Yaml(text).load()


class _Yaml:
    """Mappings, sequences, plain and quoted values, and blocks of text, as they are written in changelogs."""

    def __init__(self, text: str) -> None:
        self._lines = text.expandtabs(2).split("\n")
        self._at = 0

    def load(self) -> object:
        """All of it."""
        found = self._value(0)
        if self._next() is not None:
            raise ValueError(f"line {self._at + 1} is YAML that is not understood")
        return found

    def _next(self) -> str | None:
        """The next line that says something."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and not line.lstrip().startswith("#") and line.strip() not in ("---", "..."):
                return line
            self._at += 1
        return None

    def _value(self, least: int) -> object:
        line = self._next()
        if line is None or (depth := _depth(line)) < least:
            return None
        if re.match(r"-(?:\s|\Z)", line.lstrip()):
            return self._sequence(depth)
        if _KEY.match(line.strip()):
            return self._mapping(depth)
        self._at += 1
        return _scalar(line.strip())

    def _sequence(self, depth: int) -> list[object]:
        found: list[object] = []
        while (line := self._next()) is not None and _depth(line) == depth and re.match(r"-(?:\s|\Z)", line.lstrip()):
            self._lines[self._at] = f"{' ' * depth} {line[depth + 1 :]}"
            found.append(self._value(depth + 1))
        return found

    def _mapping(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while (line := self._next()) is not None and _depth(line) == depth and (key := _KEY.match(line.strip())):
            name, rest = str(_scalar(key["name"])), key["rest"].strip()
            self._at += 1
            if re.fullmatch(r"[|>][+-]?\d?(?:\s+#.*)?", rest):
                found[name] = self._block(depth, folds=rest[0] == ">")
            elif not rest or rest.startswith("#"):
                after = self._next()
                is_list = after is not None and _depth(after) == depth and after.lstrip().startswith("- ")
                found[name] = self._value(depth if is_list else depth + 1)
            else:
                found[name] = _scalar(rest)
        return found

    def _block(self, depth: int, *, folds: bool) -> str:
        begin = self._at
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and _depth(line) <= depth:
                break
            self._at += 1
        lines: Sequence[str] = self._lines[begin : self._at]
        least = min((_depth(one) for one in lines if one.strip()), default=0)
        text = "\n".join(one[least:] for one in lines).strip("\n")
        return re.sub(r"(?<!\n)\n(?!\n)", " ", text) if folds else text


_KEY = re.compile(r"(?P<name>\"[^\"]*\"|'[^']*'|[^\s#\"'\[{][^#]*?):(?P<rest>\s.*|)\Z")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _scalar(text: str) -> object:
    if found := re.fullmatch(r"'((?:[^']|'')*)'(?:\s+#.*)?", text):
        return found[1].replace("''", "'")
    if found := re.fullmatch(r'("(?:[^"\\]|\\.)*")(?:\s+#.*)?', text):
        return json.loads(found[1])
    bare = re.sub(r"\s+#.*", "", text)
    return [] if bare == "[]" else {} if bare == "{}" else None if bare in ("~", "null") else bare
