"""The comment lines at the head of a file that say how it is run: which there are, and what their values mean."""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.tokens import closed_comment, skip_blank
from wflo_schema.findings import Location

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>ms|s|min|h)?", re.IGNORECASE | re.ASCII)
_UNITS_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}

_LONGEST_MS = 2**31 - 1

# What to do about a statement that cannot run in a transaction.
ALONE = "begin the file with -- transactional: false, and keep such statements in a file of their own"

# What `new` writes where the work is to stand.
UNWRITTEN = "-- (write the SQL here)"
UNDO_UNWRITTEN = "-- (write what takes it back, or: -- nothing-to-undo: why)"

# Bytes: the leading comments of nearly every file end in these.
_HEAD = 8_192


def parse_duration_ms(text: str, *, unit: str = "") -> int:
    """Read ``500ms``, ``2s``, ``1min`` or ``1h``; more than nothing is never rounded to 0, which may mean for ever.

    ``unit`` is that of a bare number; without it only 0 needs none.  Raise ValueError otherwise.
    """
    match = _DURATION.fullmatch(text.strip().strip("'\""))
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 500ms, 2s or 1min")
    number, said = float(match["number"]), (match["unit"] or unit).lower()
    if number and not said:
        bare = match["number"]
        raise ValueError(f"{text!r} has no unit: write {bare}s for seconds, {bare}ms for milliseconds")
    exact_ms = number * _UNITS_MS[said or "ms"]
    if exact_ms > _LONGEST_MS:
        raise ValueError(f"{text!r} is longer than PostgreSQL can wait: {_LONGEST_MS} ms, or 24 days, at most")
    return max(round(exact_ms), 1 if number else 0)


class Phase(enum.StrEnum):
    """When a file is applied: around it a new version of the application is started."""

    BEFORE_DEPLOY = "before-deploy"
    AFTER_DEPLOY = "after-deploy"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: ``example`` is a right value, ``read`` raises ValueError for a wrong one.

    ``is_meant`` tells, of a line that nearly has the name, whether its value is one, or all is prose.
    """

    name: str
    example: str
    read: Callable[[str], object]
    is_meant: re.Pattern[str]


def _read_truth(value: str) -> bool:
    said = value.strip().lower()
    if said not in ("true", "false"):
        raise ValueError(f"is {said!r}, and must be true or false")
    return said == "true"


def _read_timeout(value: str) -> int:
    """As an applied file may have it, too: milliseconds, where it gives no unit."""
    return parse_duration_ms(value, unit="ms")


def read_names(value: str) -> dict[str, bool]:
    """The names of a list, and whether each is a secret.  Raise ValueError for what is no name."""
    found = {}
    for name, secret in re.findall(r"([^\s,()]+)(\s*\(secret\))?|[^\s,]", value):
        if not name.isidentifier():
            raise ValueError(f"has {name or '('!r}, and a name is made of letters, digits and _")
        found[name] = bool(secret)
    if not found:
        raise ValueError("names nothing")
    return found


def _read_phase(value: str) -> Phase:
    try:
        return Phase(value.strip())
    except ValueError:
        raise ValueError(f"is {value.strip()!r}, and must be {' or '.join(Phase)}") from None


_NAMES_LISTED = re.compile(r"[^\W\d]\w*(?:\s*\(secret\))?(?:[\s,]+[^\W\d]\w*(?:\s*\(secret\))?)*|-")
_NAMES_MEANT = re.compile(r"\w+(?:\s*\(secret\))?(?:\s*,\s*\w+(?:\s*\(secret\))?)*")
_TRUTH = re.compile(r"(?:true|false|yes|no|on|off|0|1)\W*", re.IGNORECASE)
# Ids have a digit or a sign that joins words; a single word may be one too.
_IDS = re.compile(r"\S+|\s*[^\s\d_-]*[\d_-]\S*(?:\s+(?:,\s+)?[^\s\d_-]*[\d_-]\S*)*(?:\s+,)?\s*")
# What makes prose of a word that is nearer to everyday words: no digit.
_ID, _NUMBERED = re.compile(r"[^\s\d]*\d\S*"), re.compile(r"[^\s\d]*\d\S*(?:\s+[^\s\d]*\d\S*)*\s*")
_ANYTHING = re.compile(r".*")
# A phase, whatever it is called, and all that follows; a number or a title is prose.
_PHASE = re.compile(
    r"(?:before|after|pre|post)[-_ ]?depl.*|(?:before|after|pre|post)\W+\w+\W*|[^\W\d_]+(?:[-_ ]+depl\w*)?\W*",
    re.IGNORECASE,
)

# One line for each directive.  Whoever obeys it asks `Directives` by this name.
KNOWN = {
    d.name: d
    for d in (
        Directive("depends", "ID ID", str.split, _IDS),
        Directive("transactional", "false", _read_truth, _TRUTH),
        Directive("lock-timeout", "500ms", _read_timeout, re.compile(r"[.\d].*")),
        Directive("block-timeout", "30s", _read_timeout, re.compile(r"[.\d].*")),
        Directive("phase", Phase.AFTER_DEPLOY, _read_phase, _PHASE),
        Directive("nothing-to-undo", "why", str, _ANYTHING),
        Directive("was", "OLD-ID", str.split, _ID),
        Directive("replaces", "ID ID", str.split, _NUMBERED),
        Directive("variables", "name, name", read_names, _NAMES_MEANT),
    )
}

_NAMES = "|".join(re.escape(name).replace(r"\-", "[-_]") for name in KNOWN)
_DIRECTIVE = re.compile(rf"^\s*--\s*(?P<name>{_NAMES})\s*(?::\s*(?P<value>.*))?$")

# What may be meant for one: a name of a few words, then a sign and a value, in a comment of either kind.
_LETTERS = r"[^\W\d_]+"
_LIKE_DIRECTIVE = re.compile(
    rf"\W*(?P<name>{_LETTERS}(?:[-_ ]{_LETTERS}){{0,3}})[\s\"'`\])]*[:=]\s*[\"']?(?P<value>.*?)[\s*/\"'`\]]*"
)
# "transactional false", "lock_timeout -> 3s": where the name is right, the value must be, and be all.
_WITHOUT_SIGN = re.compile(
    r"\W*(?:(?P<name>transactional|b?lock[-_ ]?timeout)\W+(?P<value>\w[\w.]*)"
    r"|(?P<phase>phase)\W+(?P<when>\w+[-_ ]depl\w+))\W*",
    re.IGNORECASE,
)
# One that stands too late to count.
LATE = re.compile(
    rb"^[ \t]*--[ \t]*(?:(?:transactional|b?lock[-_]timeout)[ \t]*:[ \t]*(?:true|false|\d[\w.]*)"
    rb"|phase[ \t]*:[ \t]*(?:before|after)-deploy)[ \t]*$",
    re.MULTILINE,
)
# Letters that may be wrong, of so many.
_FURTHEST, _OF = 2, 3


@dataclass(frozen=True, slots=True)
class Directives:
    """The directives of one file: the value of each as it is written, and the line of its first."""

    path: str
    values: dict[str, str]
    lines: dict[str, int]

    def says(self, name: str) -> bool:
        """Is it there, with or without a value?"""
        return name in self.values

    def ids(self, name: str) -> tuple[str, ...]:
        """The ids that it names, each once."""
        return tuple(dict.fromkeys(self.values.get(name, "").split()))

    @property
    def is_transactional(self) -> bool | None:
        """None where the file does not say it."""
        return _read_truth(self.values["transactional"]) if "transactional" in self.values else None

    @property
    def lock_timeout_ms(self) -> int | None:
        """None where the file does not say it."""
        return _read_timeout(self.values["lock-timeout"]) if "lock-timeout" in self.values else None

    @property
    def block_timeout_ms(self) -> int | None:
        """None where the file does not say it."""
        return _read_timeout(self.values["block-timeout"]) if "block-timeout" in self.values else None

    @property
    def phase(self) -> Phase:
        """Before the deploy, where the file does not say it."""
        return _read_phase(self.values.get("phase", Phase.BEFORE_DEPLOY))

    @property
    def variables(self) -> dict[str, bool]:
        """The names that it declares, and whether the value of each is a secret."""
        return read_names(self.values["variables"]) if "variables" in self.values else {}

    def _wrong(self, name: str, error: ValueError) -> BadMigrationFile:
        return BadMigrationFile(
            f"{self.path}: {name} {error}",
            hint=f"write for example -- {name}: {KNOWN[name].example}, or remove the line",
            location=Location(self.path, self.lines[name]),
        )

    def refuse_wrong(self) -> None:
        """Raise `BadMigrationFile` for a value that makes no sense."""
        for name, value in self.values.items():
            try:
                KNOWN[name].read(value)
            except ValueError as error:
                raise self._wrong(name, error) from None

    def refuse_doubtful(self, text: str) -> None:
        """Raise `BadMigrationFile`, in a file that is to be run, for what nearly is a directive of ``text``.

        That is a line that has nearly its name, and a duration without a unit.
        """
        for name in ("lock-timeout", "block-timeout"):
            try:
                parse_duration_ms(self.values.get(name, "0"))
            except ValueError as error:
                raise self._wrong(name, error) from None
        for number, line, is_outside in _comment_lines(text):
            if is_outside and (match := _DIRECTIVE.match(line)) and not _is_prose(match):
                continue
            meant = _nearest(line)
            if meant is not None:
                name, value = meant
                inside = "" if is_outside else " inside of a /* comment */"
                raise BadMigrationFile(
                    f"{self.path}:{number}: {line.strip()} is no directive{inside}; the nearest is -- {name}:",
                    hint=f"write -- {name}: {value}; or, if it is only a comment, put other words in front of it",
                    location=Location(self.path, number),
                )


def read_directives(path: str, text: str) -> Directives:
    """The directives of a file's leading comments.  Raise `BadMigrationFile` for a value that makes no sense.

    ``transactional`` and ``depends`` mean what they mean to yoyo
    (``yoyo.migrations.parse_metadata_from_sql_comments``), without the time that importing it takes.  Below a block
    comment, where yoyo does not look any more, they mean the same.
    """
    found: dict[str, str] = {}
    at: dict[str, int] = {}
    for number, line, is_outside in _comment_lines(text):
        match = _DIRECTIVE.match(line) if is_outside else None
        if match and not _is_prose(match):
            name = match["name"].replace("_", "-")
            found[name] = f"{found[name]} {match['value'] or ''}" if name in found else (match["value"] or "")
            at.setdefault(name, number)
    made = Directives(path, found, at)
    made.refuse_wrong()
    return made


def lines_like_directives(text: str) -> Iterator[int]:
    """The numbers of lines in a file's leading comments that are directives, or nearly."""
    for number, line, is_outside in _comment_lines(text):
        match = _DIRECTIVE.match(line) if is_outside else None
        if not _is_prose(match) if match else _nearest(line):
            yield number


# What is no prose, where a line that was written before there was such a directive may be one.
_NOT_PROSE = {
    "was": _IDS,
    "replaces": _IDS,
    "variables": _NAMES_LISTED,
    "phase": re.compile("|".join(map(re.escape, Phase))),
}


def _is_prose(directive: re.Match[str]) -> bool:
    """Does it say what a column was, in words?  Of several words, an id is one with a digit or a sign in it."""
    means = _NOT_PROSE.get(directive["name"])
    return means is not None and not means.fullmatch((directive["value"] or "").strip() or "-")


def without_directive(text: str, name: str) -> tuple[str, ...]:
    """The text without lines of that directive: without all of them first, then without some."""
    numbers = [
        number
        for number, line, is_outside in _comment_lines(text)
        if is_outside and (match := _DIRECTIVE.match(line)) and match["name"].replace("_", "-") == name
    ][:_MOST_LINES]
    lines = text.split("\n")
    return tuple(
        "\n".join(line for number, line in enumerate(lines, 1) if number not in left_out)
        for count in range(len(numbers), 0, -1)
        for left_out in itertools.combinations(numbers, count)
    )


# Lines of one directive that are tried; each more doubles the tries.
_MOST_LINES = 5


def head(source: bytes) -> str:
    """As much of a file's text as its leading comments can be read from."""
    text = source[:_HEAD].decode("utf-8", "ignore")
    reached = skip_blank(text, 0, len(text))
    is_whole = reached < len(text) and not text.startswith("/*", reached)
    return text if is_whole or len(source) <= _HEAD else source.decode()


def _comment_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """The lines of the leading comments, numbered, that are not blank; is each outside of block comments?"""
    start, number, length = 0, 1, len(text)
    while start < length:
        end = text.find("\n", start)
        end = length if end < 0 else end
        line = text[start:end]
        stripped = line.strip()
        if stripped.startswith("/*"):
            begin = text.index("/*", start)
            end = closed_comment(text, begin)
            if end == begin:
                return
            for inside in text[begin:end].split("\n"):
                yield number, inside, False
                number += 1
            number -= 1  # what follows in the line where it ends
        elif not stripped:
            number += 1
            end += 1
        elif stripped.startswith("--"):
            yield number, line, True
            number += 1
            end += 1
        else:
            return
        start = end


def _nearest(line: str) -> tuple[str, str] | None:
    """The directive that a comment line may be meant for, and the value that it gives."""
    if not line.isascii():
        import unicodedata

        line = "".join(c for c in unicodedata.normalize("NFKC", line) if unicodedata.category(c) != "Cf")
    if match := _WITHOUT_SIGN.fullmatch(line):
        if match["phase"]:
            return "phase", _phase_meant(match["when"])
        said = re.sub(r"[-_ ]?timeout", "-timeout", match["name"].lower())
        return (said, match["value"]) if KNOWN[said].is_meant.fullmatch(match["value"]) else None
    match = _LIKE_DIRECTIVE.fullmatch(line)
    if match is None:
        return None
    said, value = re.sub(r"[-_ ]", "-", match["name"].lower()), match["value"]
    said = said.removesuffix("-on")
    near = [(far, n) for n in KNOWN if (far := _distance(said, n)) <= min(_FURTHEST, len(n) // _OF)]
    meant = [(far, n) for far, n in near if value and KNOWN[n].is_meant.fullmatch(value)]
    if not meant:
        return None
    name = min(meant)[1]
    return name, _phase_meant(value) if name == "phase" else value


def _phase_meant(value: str) -> str:
    said = value.lower()
    meant = [Phase.BEFORE_DEPLOY] if said.startswith(("before", "pre")) else [Phase.AFTER_DEPLOY]
    is_clear = said.startswith(("before", "pre", "after", "post"))
    return " or -- phase: ".join(meant if is_clear else Phase)


def _distance(one: str, other: str) -> int:
    """How many letters have to be put in, left out, changed or swapped with the next; of too many no exact number."""
    if abs(len(one) - len(other)) > _FURTHEST:
        return _FURTHEST + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            cost = min(row[-1] + 1, before[j] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
