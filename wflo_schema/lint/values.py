"""What lint reports: a finding with its place in a file, and all of them together with what allowed some."""

from __future__ import annotations

from dataclasses import dataclass

from wflo_schema.findings import Finding, Location, Severity
from wflo_schema.trace.estimate import Estimate


@dataclass(frozen=True, slots=True)
class LintFinding(Finding):
    """A finding in a file.  ``id`` is the migration's, ``statement`` counts from 1 there; 0 is the whole file.

    ``message`` says why, ``estimate`` how long that takes, where sizes are known; ``help`` is the SQL to write instead,
    or what to do.  ``source_line`` is the line that ``location`` points to.
    """

    id: str = ""
    statement: int = 0
    estimate: Estimate | None = None
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A finding that does not count: a comment in its file allows it, for a ``reason``."""

    finding: LintFinding
    reason: str
    location: Location


@dataclass(frozen=True, slots=True)
class LintResult:
    """What was found in which files (``judged``: their ids), and from where they were rehearsed (``start``).

    ``is_rehearsed`` is False where no server was there to ask: then the words of the files are all that was judged.
    """

    label: str
    start: str
    judged: tuple[str, ...]
    findings: tuple[LintFinding, ...]
    allowed: tuple[Allowed, ...] = ()
    notes: tuple[str, ...] = ()
    server_version: str = ""
    is_rehearsed: bool = True
    fail_on: Severity = Severity.ERROR
    duration_ms: int = 0

    @property
    def exit_code(self) -> int:
        """0 nothing at the fail-on level · 1 the answer is no · 3 cannot tell.  A certain no wins."""
        levels = {f.severity for f in self.findings}
        failing = {Severity.ERROR, *((Severity.WARNING,) if self.fail_on is Severity.WARNING else ())}
        return 1 if levels & failing else 3 if Severity.UNKNOWN in levels else 0
