"""Comments in a migration file that allow a finding there, with a reason.

``-- lint: allow CODE, CODE because REASON``.  Before the first statement it is for the whole file; elsewhere for the
statement that it stands in, ends the line of, or stands above.  Hides how such a comment is found and matched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wflo_schema.files.script import Script
from wflo_schema.files.splitting import as_written, place
from wflo_schema.findings import Location
from wflo_schema.lint.rules import BY_CODE
from wflo_schema.lint.squawk import PREFIX
from wflo_schema.lint.values import Allowed, LintFinding

_COMMENT = re.compile(rb"--[ \t]*lint[ \t]*:(?P<said>[^\n]*)", re.IGNORECASE)
_ALLOW = re.compile(r"\s*allow\s+(?P<codes>[\w-]+(?:\s*,\s*[\w-]+)*)\s+because\s+(?P<reason>\S.*?)\s*", re.IGNORECASE)
# Codes of findings about allowances: what allows these would allow itself.
_OWN = frozenset({"allowance-unused", "allowance-wrong"})


@dataclass(frozen=True, slots=True)
class Allowance:
    """One comment: which codes it allows, for which statement from 1 (None: for all of the file), and why."""

    codes: tuple[str, ...]
    statement: int | None
    reason: str
    location: Location
    wrong: str = ""
    """What is wrong with how it is written."""


@dataclass(slots=True)
class Allowances:
    """Those of one file.  Every finding is asked about; those that none allows are kept."""

    all: tuple[Allowance, ...]
    allowed: list[Allowed] = field(default_factory=list)
    _used: set[tuple[Allowance, str]] = field(default_factory=set)

    def sift(self, findings: Iterable[LintFinding]) -> Iterator[LintFinding]:
        """The findings that count.  The others are noted."""
        for found in findings:
            one = next((a for a in self.all if _allows(a, found)), None)
            if one is None:
                yield found
            else:
                self._used.add((one, found.code))
                self.allowed.append(Allowed(found, one.reason, one.location))

    def unused(self) -> Iterator[tuple[Allowance, str]]:
        """Each allowance that allowed nothing, or is written wrong, and the code it is for."""
        for one in self.all:
            for code in one.codes or ("",):
                if one.wrong or (one, code) not in self._used:
                    yield one, code
                if one.wrong:
                    break


def _allows(one: Allowance, found: LintFinding) -> bool:
    return not one.wrong and found.code in one.codes and one.statement in (None, found.statement)


def read_allowances(script: Script) -> Allowances:
    """The allowances of a file, in their order."""
    source = as_written(script.source)[0]
    if _COMMENT.search(source) is None:
        return Allowances(())
    starts = [as_written(script.source, s.start)[1] for s in script.statements]
    ends = [as_written(script.source, s.end)[1] for s in script.statements]
    found = []
    for comment in _COMMENT.finditer(source):
        at = comment.start()
        before = bisect_right(starts, at)
        """How many statements begin before it; the last of them may go on."""
        number: int | None = before + 1
        if not before:
            number = None
        elif at < ends[before - 1] or b"\n" not in source[ends[before - 1] : at]:
            number = before
        found.append(_read(comment["said"].decode(), number, Location(script.path, *place(source, at))))
    return Allowances(tuple(found))


def _read(said: str, statement: int | None, location: Location) -> Allowance:
    match = _ALLOW.fullmatch(said)
    if match is None:
        words = said.split()
        wrong = f"-- lint: {' '.join(words)} is no allowance"
        if words[:1] == ["allow"]:
            wrong = "it gives no reason" if "because" not in words[:-1] else wrong
        return Allowance((), statement, "", location, wrong)
    codes = tuple(re.split(r"\s*,\s*", match["codes"]))
    unknown = next(
        (code for code in codes if not code.startswith(PREFIX) and (code not in BY_CODE or code in _OWN)), None
    )
    wrong = f"there is no code {unknown}" if unknown and unknown not in _OWN else ""
    wrong = f"{unknown} cannot be allowed" if unknown in _OWN else wrong
    return Allowance(codes, statement, match["reason"], location, wrong)
