"""What a run over many targets says at its end."""

from __future__ import annotations

import json

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.errors import DatabaseError, Interrupted, MigrationFailed
from wflo_schema.findings import Location
from wflo_schema.fleet.outcomes import FleetResult, Outcome, State
from wflo_schema.fleet.targets import Target
from wflo_schema.show.fleets import fleet_text, outcome_json, pace_text

NAMES = [f"t{number:02}" for number in range(20)]


def failed(name: str, *, migration_id: str = "1_a") -> Outcome:
    error = MigrationFailed(
        f"{migration_id} failed in {name}",
        hint="wflo-schema status",
        migration_id=migration_id,
        location=Location("migrations/1_a.sql", 2, 3),
        source_line="SELECT x",
    )
    error.applied = ("0_z",)
    return Outcome(name, State.FAILED, ("0_z",), 1.0, error)


def text(*outcomes: Outcome, operation: str = "apply", stopped: str = "", **more: str) -> list[str]:
    return fleet_text(FleetResult(operation, outcomes, 1500.0, stopped), **more).splitlines()  # type: ignore[arg-type]


def test_one_cause_is_said_once_with_the_names_of_some() -> None:
    lines = text(*map(failed, NAMES[:12]), failed("t19", migration_id="2_b"), again="to go on: x")
    assert lines == [
        "12 targets failed: t00, t01, t02, t03, t04, t05, t06, t07, t08, t09 and 2 more",
        "  for example in t00: 1_a failed in t00",
        "    --> migrations/1_a.sql:2:3",
        "    2 | SELECT x",
        "      |   ^",
        "  hint: wflo-schema status",
        "1 target failed: t19",
        "  error: 2_b failed in t19",
        "    --> migrations/1_a.sql:2:3",
        "    2 | SELECT x",
        "      |   ^",
        "  hint: wflo-schema status",
        "1 migration applied in each of 13 targets in 1.5 s; of 13 targets: 13 failed",
        "to go on: x",
    ]


def test_what_is_told_of_others_of_one_cause_follows_their_names() -> None:
    outcomes = [failed(name) for name in NAMES[:8]]
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome.error, MigrationFailed)
        outcome.error.detail = f"Key ({number or 1}) is duplicated."
    assert text(*outcomes)[6:-1] == [
        "  hint: wflo-schema status",
        "  in t02 instead: Key (2) is duplicated.",
        "  in t03 instead: Key (3) is duplicated.",
        "  in t04 instead: Key (4) is duplicated.",
        "  in t05 instead: Key (5) is duplicated.",
        "  in t06 instead: Key (6) is duplicated.",
        "  and something else in 1 more target",
    ]


def test_so_many_causes_are_told_and_the_others_counted() -> None:
    lines = text(*(failed(name, migration_id=name) for name in NAMES))
    assert sum(line.startswith("1 target failed: ") for line in lines) == 10
    assert lines[-2] == "10 targets failed for 10 other causes: t10, t11, t12, t13, t14, t15, t16, t17, t18, t19"


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([Outcome("a", State.DONE, ("1_a", "2_b"))], "2 migrations applied in 1 target in 1.5 s"),
        (
            [Outcome("a", State.DONE, ("1_a",)), Outcome("b", State.NOTHING)],
            "1 migration applied in 1.5 s; of 2 targets: 1 done, 1 with nothing to do",
        ),
        ([Outcome("a", State.DONE)], "what was left undone is done in 1 target in 1.5 s"),
        (
            [Outcome(name, State.DONE, ("1_a", "2_b")) for name in "abc"],
            "2 migrations applied in each of 3 targets in 1.5 s",
        ),
        (
            [*(Outcome(name, State.DONE, ("1_a",)) for name in "ab"), Outcome("c", State.NOTHING)],
            "1 migration applied in each of 2 targets in 1.5 s; of 3 targets: 2 done, 1 with nothing to do",
        ),
        (
            [Outcome("a", State.DONE, ("1_a", "2_b")), Outcome("b", State.DONE, ("2_b",))],
            "3 migrations applied in 2 targets in 1.5 s",
        ),
        (
            [Outcome("a", State.DONE, ("1_a",)), Outcome("b", State.DONE)],
            "1 migration applied in 2 targets in 1.5 s",
        ),
        (
            [Outcome(name, State.DONE, dropped=("repeatable/v",)) for name in "abc"],
            "dropped: what repeatable/v made in 3 targets in 1.5 s",
        ),
        (
            [Outcome("a", State.DONE, ("1_a",)), Outcome("b", State.DONE, ("1_a",), dropped=("repeatable/v",))],
            "1 migration applied in each of 2 targets in 1.5 s; dropped: what repeatable/v made in 1 target",
        ),
        ([Outcome("a", State.NOTHING)], "nothing to do: every migration is applied in 1 target  (1.5 s)"),
        ([Outcome("a", State.NOT_TRIED)], "nothing was applied in 1.5 s; of 1 target: 1 not tried"),
    ],
)
def test_the_last_line_is_the_sum(outcomes: list[Outcome], said: str) -> None:
    assert text(*outcomes)[-1] == said


def test_those_that_were_stopped_and_not_tried_are_said() -> None:
    stop = Interrupted("interrupted (SIGINT): 1_a was rolled back", hint="run it again")
    lines = text(
        Outcome("a", State.FAILED, error=stop),
        Outcome("b", State.NOT_TRIED),
        operation="rollback",
        stopped="interrupted (SIGINT)",
    )
    assert lines == [
        "1 target was stopped: a",
        "  error: interrupted (SIGINT): 1_a was rolled back",
        "1 target was not tried (interrupted (SIGINT)): b",
        "nothing was rolled back in 1.5 s; of 2 targets: 1 stopped, 1 not tried",
    ]


def test_json_of_a_target_is_a_line_without_its_password() -> None:
    target = Target("a", Database.parse("postgresql://ann:s3cret@host/db", schema="a"))
    error = DatabaseError("in postgresql://ann:s3cret@host/db\nno", hint="wflo-schema status", sqlstate="42P01")
    line = outcome_json(target, Outcome("a", State.FAILED, error=error), "apply", fit=lambda hint: f"{hint} --schema a")
    assert "\n" not in line and "s3cret" not in line
    assert json.loads(line) == {
        "target": "a",
        "database": "ann@host:5432/db",
        "schema": "a",
        "outcome": "failed",
        "applied": [],
        "duration_ms": 0.0,
        "error": {
            "code": "database-error",
            "message": "in postgresql://ann:******@host/db\nno",
            "hint": "wflo-schema status --schema a",
            "sqlstate": "42P01",
        },
    }
    assert json.loads(outcome_json(target, Outcome("a", State.NOT_TRIED), "rollback"))["rolled_back"] == []


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (None, "  10 of 1000 targets, 2 failed"),
        (20.0, "  10 of 1000 targets, 2 failed, 20 a second, about 50 s left"),
        (2.0, "  10 of 1000 targets, 2 failed, 2 a second, about 8 min left"),
        (0.05, "  10 of 1000 targets, 2 failed, 3.0 a minute, about 5 h 30 min left"),
    ],
)
def test_pace_is_said_as_far_as_it_is_known(rate: float | None, said: str) -> None:
    assert pace_text(10, 1000, 2, rate=rate) == said
    assert pace_text(10, 1000, 2, rate=rate, waits=True) == said.partition(", about")[0]
