"""How long a traced statement would take, as a range.  Hides how what was measured is carried over to other tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wflo_schema.files.statements import is_resumable
from wflo_schema.trace.rates import SMALL_BYTES, Rates, Span, Work
from wflo_schema.trace.sizes import Size
from wflo_schema.trace.values import Traced

# What was timed is multiplied by these.  A large table does not fit into the caches, is sorted in parts and written
# while checkpoints are; a busy moment of the measuring may have made everything look slower than it is.
_AT_BEST, _AT_WORST = 0.4, 3.0

# So many indexes has the table of which a tenth of the rows was updated.
_INDEXES_UPDATED = 2
# Keys in order go into an index so many times faster than those that were timed, which are in none.
_IN_ORDER = 4

_WHICH = re.compile(r"\b(?:WHERE|FROM|JOIN)\b", re.IGNORECASE)
_KEY = re.compile(r"\b(?:REFERENCES|VALIDATE)\b", re.IGNORECASE)
_COMPUTES = re.compile(r"\b(?:DEFAULT|GENERATED|SERIAL|BIGSERIAL|SMALLSERIAL|ADD|USING)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a statement would take, without waiting for locks: ``low_ms`` to ``high_ms``.

    Both are None where it cannot be told, and ``why_not`` says why.  ``reads`` and ``writes`` are the bytes of the
    tables that it goes through and copies.  ``is_small``: so few that nothing was measured.
    """

    reads: int = 0
    writes: int = 0
    low_ms: float | None = None
    high_ms: float | None = None
    why_not: str = ""
    is_small: bool = False


def needs_rates(statements: Iterable[Traced], sizes: Mapping[str, Size]) -> tuple[Size, ...]:
    """The large tables that these go through: those for which it is worth measuring anything."""
    names = dict.fromkeys(name for s in statements for name in s.works_on)
    return tuple(sizes[name] for name in names if name in sizes and sizes[name].own_bytes >= SMALL_BYTES)


def estimate(s: Traced, sizes: Mapping[str, Size], rates: Rates) -> Estimate | None:
    """How long this statement would take; None where its time does not grow with any table."""
    if s.is_left_out:
        return None
    if s.undecided:
        return Estimate(why_not=s.undecided)
    if (s.changes and not _bounds_rows(s, sizes)) or (needs_rates([s], sizes) and is_resumable(s.text)):
        return Estimate(why_not="how many rows it changes is not known")
    if s.fires:
        return Estimate(why_not=f"how often {s.fires[0]} is followed is not known")
    tables = [sizes[name] for name in s.works_on if name in sizes]
    if not tables:
        return None
    reads = sum(t.own_bytes if t.relation in s.rewrites else t.bytes for t in tables)
    writes = sum(sizes[name].own_bytes for name in s.rewrites if name in sizes)
    writes += sum(sizes[name].bytes for name in s.builds if name in sizes)
    if all(t.own_bytes < SMALL_BYTES for t in tables):
        return Estimate(reads, writes, is_small=True)
    largest = max(tables, key=lambda t: t.own_bytes)
    spans = [span for t in tables if (span := _span(s, t, rates, is_key=t is largest and bool(_KEY.search(s.text))))]
    if len(spans) < len(tables):
        return Estimate(reads, writes, why_not=rates.why_not or "nothing was measured")
    if rates.work is not None and (s.changes or s.made or _first_word(s) == "INSERT"):
        changing, bytes_ = _changing(s, tables, sizes, rates.work)
        spans.append(changing)
        writes += bytes_
    elif s.changes:
        return Estimate(reads, writes, why_not=rates.why_not or "nothing was measured")
    low, high = sum(span.fast for span in spans), sum(span.slow for span in spans)
    return Estimate(reads, writes, 1000 * low, 1000 * high)


def _first_word(s: Traced) -> str:
    return (s.text.split(None, 1) or [""])[0].upper()


def _bounds_rows(s: Traced, sizes: Mapping[str, Size]) -> bool:
    """Does it read what says how many rows it changes at most: of an UPDATE or DELETE, the table itself?"""
    if not s.works_on:
        return False
    unread = [sizes[name] for name in s.changes if name in sizes and name not in s.works_on]
    return _first_word(s) == "INSERT" or all(t.own_bytes < SMALL_BYTES or t.partitions for t in unread)


def _changing(s: Traced, tables: Sequence[Size], sizes: Mapping[str, Size], work: Work) -> tuple[Span, int]:
    """Seconds for the rows that it changes, from none where it says which to all, and their bytes at most."""
    changed = [sizes[name] for name in s.changes if name in sizes]
    of = tables if _first_word(s) not in ("UPDATE", "DELETE") else [t for t in tables if t in changed]
    seconds = 10 * work.update * sum(max((t.rows or 0) / work.rows, t.bytes / work.bytes) for t in of)
    indexes = max((t.indexes for t in changed), default=0)
    is_of_all = _first_word(s) == "UPDATE" and _WHICH.search(s.text) is None
    slow = seconds * max(1, indexes / _INDEXES_UPDATED) * _AT_WORST
    return Span(seconds * _AT_BEST / _IN_ORDER if is_of_all else 0.0, slow), sum(t.own_bytes for t in of)


def _span(s: Traced, t: Size, rates: Rates, *, is_key: bool) -> Span | None:
    """Seconds that the work on one table takes; ``is_key``: its rows may be looked up in another one."""
    read, work = rates.read(t.relation), rates.work
    is_only_read = t.relation in s.scans and t.relation not in (*s.rewrites, *s.builds_on)
    if work is None:
        if read is None or not is_only_read or is_key:
            return None
        return Span(t.bytes * read.fast, t.bytes * read.slow * _AT_WORST)
    fast, slow = _times(s, t, work, is_key=is_key)
    cold = t.bytes * read.slow if read is not None else 0.0
    passes = 2 if s.is_alone and t.relation in s.builds_on else 1  # CONCURRENTLY looks a second time
    return Span(fast * _AT_BEST, slow * _AT_WORST + cold * passes)


def _times(s: Traced, t: Size, work: Work, *, is_key: bool) -> tuple[float, float]:
    """The same by what was timed in a scratch database, before it is stretched."""
    by_bytes = t.bytes / work.bytes
    by_rows = by_bytes if t.rows is None else t.rows / work.rows
    least, most = min(by_rows, by_bytes), max(by_rows, by_bytes)
    fast = slow = 0.0
    if t.relation in s.scans:
        fast += work.check * least
        slow += (work.key if is_key else work.check) * most
    if t.relation in s.rewrites:
        fast += work.rewrite * least
        slow += (work.rewrite_random if _COMPUTES.search(s.text) else work.rewrite) * max(
            most, t.own_bytes / work.bytes
        )
    if t.relation in s.builds_on:
        indexes = max(len(s.builds) / len(s.builds_on), 1)
        fast += work.build_numbers * by_rows * indexes
        slow += work.build_texts * by_rows * indexes
    return fast, slow
