"""Write the schema of many targets, each as its own text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wflo_schema.catalog.snapshot import Snapshot, dump_schema
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.planning import ledger_statements
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.outcomes import Cause, FleetOptions, causes_of_failed
from wflo_schema.fleet.runs import Leased
from wflo_schema.fleet.surveys import NotifyAsked, Survey
from wflo_schema.fleet.targets import Target


@dataclass(frozen=True, slots=True)
class FleetDump:
    """Which targets were written, with what `Snapshot` says beside its text, which is empty here; why others not."""

    written: Mapping[str, Snapshot]
    failed: Mapping[str, WfloSchemaError]

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why targets were not written."""
        return causes_of_failed(self.failed)


def dump_fleet(
    targets: Sequence[Target],
    write: Callable[[Target, str], None],
    *,
    with_ledger: Migrations | None = None,
    options: FleetOptions | None = None,
    notify: NotifyAsked | None = None,
    stop: Stop | None = None,
) -> FleetDump:
    """Hand the text of each target to ``write``, as `dump_schema` makes it; what fails stops no other.

    ``with_ledger``: the ledger comes last, with the rows of these migrations.
    """
    written: dict[str, Snapshot] = {}
    survey = Survey(targets, with_ledger or Migrations((), ()), options=options, notify=notify, stop=stop)

    def ask(target: Target, leased: Leased) -> None:
        ledger: Sequence[str] = ()
        if with_ledger is not None:
            status = operations.status(target.database, with_ledger, runs_in=leased)
            ledger = ledger_statements(status, with_ledger)
        made = dump_schema(target.database, ledger=ledger)
        write(target, made.text)
        written[target.name] = Snapshot("", made.left_out, made.ledgers, made.needs)

    survey.begin("targets")
    survey.ask(survey.read(lambda target, known: False), ask)
    in_order = {t.name: written[t.name] for t in targets if t.name in written}
    return FleetDump(in_order, {t.name: survey.failed[t.name] for t in targets if t.name in survey.failed})
