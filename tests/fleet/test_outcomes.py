"""What became of targets: one cause for what differs only in where it happened, and nothing kept that is not said."""

from __future__ import annotations

import gc
import weakref

from wflo_schema.engine.planning import Allow
from wflo_schema.errors import ConnectionFailed, DatabaseError, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.findings import Location
from wflo_schema.fleet.outcomes import Outcome, State, causes_of, forget_frames


def failures(**errors: WfloSchemaError) -> list[tuple[str, ...]]:
    """The names of each cause."""
    return [cause.targets for cause in causes_of(Outcome(n, State.FAILED, error=e) for n, e in errors.items())]


def at(line: int, message: str) -> MigrationFailed:
    return MigrationFailed(message, migration_id="1_a", location=Location("1_a.sql", line, 1), sqlstate="23505")


def test_one_statement_that_fails_is_one_cause_whatever_rows_it_met() -> None:
    assert failures(a=at(1, "key (1) exists"), b=at(2, "no"), c=at(1, "key (2) exists")) == [("a", "c"), ("b",)]


def test_rows_that_are_others_than_those_of_the_first_are_kept() -> None:
    errors = {name: at(1, "1_a failed: the key exists") for name in ("t_1", "t_2", "t_3")}
    for (name, error), key in zip(errors.items(), "112", strict=True):
        error.detail = f"Key ({key}) of {name}.x is duplicated."
    (cause,) = causes_of(Outcome(n, State.FAILED, error=e) for n, e in errors.items())
    assert cause.others == (("t_3", "Key (2) of t_3.x is duplicated."),)
    assert cause.example == "t_1"


def test_what_is_said_of_one_target_is_an_example_only_where_others_have_other_words() -> None:
    def example(*messages: str) -> str:
        errors = (Outcome(f"t_{n}", State.FAILED, error=Refused(said)) for n, said in enumerate(messages, 1))
        (cause,) = causes_of(errors)
        return cause.example

    assert (example("no", "no"), example("t_1 is no", "t_2 is no"), example("no")) == ("", "t_1", "")


def test_what_differs_only_by_the_name_of_the_target_is_one_cause() -> None:
    gone = {name: ConnectionFailed(f"there is no database {name}") for name in ("shop_1", "shop_2")}
    assert failures(**gone, shop_3=ConnectionFailed("the password is wrong")) == [("shop_1", "shop_2"), ("shop_3",)]


def test_what_stands_in_schemas_that_were_never_migrated_is_one_cause() -> None:
    held = {name: Refused(f"it holds {name * 3}", case=Allow.NOT_EMPTY) for name in ("x", "y")}
    assert failures(**held, z=Refused("it was changed: 1_a", case=Allow.CHANGED)) == [("x", "y"), ("z",)]


def test_a_number_in_a_name_tells_causes_apart_and_one_that_stands_alone_does_not() -> None:
    changed = {f"x_{n}": Refused(f"000{n}-a was changed since", case=Allow.CHANGED) for n in (1, 2)}
    assert failures(**changed) == [("x_1",), ("x_2",)]
    late = {f"x_{n}": DatabaseError(f"no lock after {n} tries over {n}.5 s (pid {n}).") for n in (1, 2)}
    assert failures(**late) == [("x_1", "x_2")]


class Big:
    """What a function may have known when an error came through it."""


def test_an_error_that_is_kept_keeps_nothing_of_the_functions_it_came_through() -> None:
    seen: list[weakref.ref[Big]] = []

    def fail() -> None:
        big = Big()
        seen.append(weakref.ref(big))
        try:
            raise ValueError("inner")
        except ValueError as inner:
            raise WfloSchemaError("outer") from inner

    try:
        fail()
    except WfloSchemaError as error:
        kept = error
    forget_frames(kept)
    gc.collect()
    assert seen[0]() is None and isinstance(kept.__cause__, ValueError)
