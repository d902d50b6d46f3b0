"""Findings that somebody has accepted, with a reason: which of them a contract allows, and which it allows in vain.

Hides how an allowance is matched: by code, by object or pattern, and by the body of a function as it was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from wflo_schema.check.contract import Allowance, Contract
from wflo_schema.check.rules import NOTHING, finding, section_of
from wflo_schema.findings import Finding, Location
from wflo_schema.names import quote


@dataclass(frozen=True, slots=True)
class Allowed:
    """A finding that does not count, because ``allowance`` says so: its code and pattern, ``reason`` and place."""

    finding: Finding
    pattern: str
    reason: str
    location: Location | None = None


@dataclass(slots=True)
class Allowances:
    """What a contract allows.  Every finding is asked about; those that none allows are kept."""

    contract: Contract | None
    allowed: list[Allowed] = field(default_factory=list)
    _used: set[Allowance] = field(default_factory=set)
    _near: dict[Allowance, Finding] = field(default_factory=dict)
    """Findings that an allowance would match, had their function the body that it names."""

    def allows(self, found: Finding) -> bool:
        """Whether the contract allows the finding; nothing is noted."""
        return self._of(found) is not None

    def sift(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings that count.  The others are noted."""
        kept = []
        for found in findings:
            one = self._of(found)
            if one is None:
                kept.append(found)
            else:
                self._used.add(one)
                self.allowed.append(Allowed(found, one.object, one.reason, one.location))
        return kept

    def _of(self, found: Finding) -> Allowance | None:
        for one in self.contract.allowances if self.contract else ():
            if not _covers(one.code, found.code) or not (
                one.object == found.object or fnmatchcase(found.object, one.object)
            ):
                continue
            if (one.body or "") == found.body:
                return one
            self._near.setdefault(one, found)
        return None

    def unused(
        self, sections: Collection[str], *, schemas: Collection[str] | None = None, ungranted: Collection[str] | None
    ) -> Iterator[Finding]:
        """Allowances that allow nothing, of codes that these sections, which were gone through, report.

        ``schemas`` are the only ones that were looked in, where not all were; ``ungranted`` are the objects of which
        owner and grants were not compared, None where they were or nothing was.
        """
        for one in self.contract.allowances if self.contract else ():
            if one in self._used or not section_of(one.code) <= set(sections):
                continue
            its = _QUALIFIER.match(one.object)
            is_here = schemas is None or (its is not None and its[0] in map(quote, schemas))
            if not is_here and (its or "ledger" not in section_of(one.code)):  # migrations are in no schema
                continue
            if one.code == "drift" and ungranted is not None and _is_of_grants(one.object, ungranted):
                continue
            near = self._near.get(one)
            yield finding(
                "allowance-unused",
                f"{one.code} {one.object}",
                "no finding is allowed by it" if near is None else _other_body(one, near),
                have=NOTHING if near is None else f'body = "{near.body}"' if near.body else "a finding without a body",
                want="a finding that it allows",
                help_=f"take it out of {one.path or 'the contract'}"
                if near is None
                else f'read the function, then write body = "{near.body}"'
                if near.body
                else "take body out of the allowance",
                location=one.location,
            )


def _covers(allowed: str, code: str) -> bool:
    """Whether an allowance of one code is meant for another as well: drift for what weighs less of it."""
    return allowed == code or (allowed == "drift" and code.startswith("drift-"))


# The schema in front of a name, where it is written out.
_QUALIFIER = re.compile(r'("(?:[^"]|"")+"|[^\W\d]\w*)(?=\.)')
# How the name of default privileges ends: role, schema and what they are for.
_DEFAULT_PRIVILEGES = re.compile(r'\."(TABLES|SEQUENCES|FUNCTIONS|TYPES|SCHEMAS|LARGE OBJECTS)"$')


def _is_of_grants(pattern: str, ungranted: Collection[str]) -> bool:
    """Whether what it allows may be an owner or a grant that was not compared."""
    return bool(_DEFAULT_PRIVILEGES.search(pattern)) or any(fnmatchcase(name, pattern) for name in ungranted)


def _other_body(one: Allowance, near: Finding) -> str:
    if not near.body:
        return "this finding depends on no function, so an allowance with a body never matches it"
    if one.body is None:
        return (
            "this finding depends on a function: name its body in the allowance, and check asks again when it changes"
        )
    return "the function's body is not the one that was allowed"
