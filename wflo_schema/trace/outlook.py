"""What is ahead of a database: the statements that would run, how big what they touch is there, who is in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wflo_schema.connect.database import Database
from wflo_schema.engine.planning import Plan
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.trace.estimate import Estimate, estimate, needs_rates
from wflo_schema.trace.holders import Held, Holder, Holders, read_holders
from wflo_schema.trace.operations import trace
from wflo_schema.trace.rates import Rates, measure_rates
from wflo_schema.trace.sizes import Size, read_sizes
from wflo_schema.trace.values import Lock, Trace, Traced

# A table with fewer rows is gone through in so little time that lint leaves it alone where sizes are known.
ROWS_THAT_MATTER = 10_000


@dataclass(frozen=True, slots=True)
class Ahead:
    """One statement that would run: what it does, how long that takes, and whom it would wait for now.

    ``until_end`` is the time from its beginning to the end of its transaction, for as long as it holds its locks.
    """

    statement: Traced
    estimate: Estimate | None = None
    until_end: Estimate | None = None
    waits_for: tuple[Held, ...] = ()
    waits_out: tuple[Holder, ...] = ()
    """Transactions whose end it needs, although they hold nothing of what it touches."""

    @property
    def blocking(self) -> tuple[Lock, ...]:
        """Its locks behind which readers or writers wait, on what they may use now."""
        return tuple(lock for lock in self.statement.locks if lock.stops_writes and not lock.is_new)

    @property
    def rank(self) -> int:
        """Where it stands for who decides: 0 stops reads, 1 stops writes, 2 nobody who reads or writes."""
        return 0 if any(lock.stops_reads for lock in self.blocking) else 1 if self.blocking else 2


@dataclass(frozen=True, slots=True)
class Outlook:
    """The statements of a plan, in their order, and the sizes of the relations that they lock.

    ``trace`` is None where there is none, and ``why_not`` says why: then nothing is known of the statements.
    """

    trace: Trace | None = None
    statements: tuple[Ahead, ...] = ()
    sizes: tuple[Size, ...] = ()
    why_not: str = ""

    def size(self, relation: str) -> Size | None:
        """How big a relation is, by its qualified name; None where it is not there."""
        return next((size for size in self.sizes if size.relation == relation), None)


def look_ahead(
    database: Database, migrations: Migrations, planned: Plan, *, scratch: ScratchOptions | None = None
) -> Outlook:
    """Rehearse what is planned in a scratch database, and look in ``database`` at what it would touch.

    Writes nothing in ``database``.  Where it cannot be rehearsed, `Outlook.why_not` says why.
    """
    if not len(planned):
        return Outlook()
    try:
        found = trace(database, migrations, only=[m.id for m in planned.files], scratch=scratch)
    except WfloSchemaError as error:
        return Outlook(why_not=error.message)
    there = [lock.relation for s in found.statements for lock in s.locks if not lock.is_new]
    estimates, sizes = estimates_of(database, found, also=there, scratch=scratch)
    holders = read_holders(database, there) if there else Holders()
    ahead = tuple(
        Ahead(
            s,
            estimates[n],
            _until_end(found.statements, estimates, n),
            tuple(held for lock in s.locks if not lock.is_new for held in holders.of(lock)),
            holders.for_concurrent(s),
        )
        for n, s in enumerate(found.statements)
    )
    return Outlook(found, ahead, tuple(sizes.values()))


def estimates_of(
    database: Database, found: Trace, *, also: Sequence[str] = (), scratch: ScratchOptions | None = None
) -> tuple[list[Estimate | None], dict[str, Size]]:
    """How long each statement would take in ``database``, and how big what they touch, or ``also``, is there."""
    touched = [name for s in found.statements for name in (*s.works_on, *s.changes, *s.builds)]
    sizes = read_sizes(database, [*also, *touched])
    large = needs_rates(found.statements, sizes)
    rates = measure_rates(database, large, scratch=scratch) if large else Rates()
    return [estimate(s, sizes, rates) for s in found.statements], sizes


def _until_end(statements: tuple[Traced, ...], estimates: list[Estimate | None], number: int) -> Estimate | None:
    """How long from the beginning of a statement to the end of its transaction; None where nothing there takes long."""
    s = statements[number]
    if s.is_alone:
        return estimates[number]
    behind = [
        one
        for one, other in zip(estimates[number:], statements[number:], strict=True)
        if one is not None and other.id == s.id and not other.is_alone
    ]
    known = [one for one in behind if not one.is_small]
    if not known:
        return behind[0] if behind else None
    why_not = next((one.why_not for one in known if one.why_not), "")
    reads, writes = sum(one.reads for one in behind), sum(one.writes for one in behind)
    if why_not:
        return Estimate(reads, writes, why_not=why_not)
    return Estimate(reads, writes, sum(one.low_ms or 0 for one in known), sum(one.high_ms or 0 for one in known))
