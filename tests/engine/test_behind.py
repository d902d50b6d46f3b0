"""How the time of those who wait behind a transaction is counted."""

from __future__ import annotations

from wflo_schema.engine.behind import Behind, Patience, Waiter


def seen(own_ms: int = 0, queued_ms: int = 0, held_ms: int = 0) -> Behind:
    return Behind(own_ms, queued_ms, held_ms, False, 0, None)


def waiter(waited_ms: float) -> Waiter:
    return Waiter(1, "", "", "", "t", "", waited_ms, 0)


def test_who_queued_behind_our_wait_may_wait_so_much_longer_for_what_we_hold_then() -> None:
    patience = Patience(2000, lambda: (900, 0))
    assert patience.limit_ms == 2000
    assert patience.look(500, seen(own_ms=600, queued_ms=300)) == ""
    assert patience.limit_ms == 2300
    assert patience.look(200, seen(own_ms=800, queued_ms=500)) == ""
    assert patience.limit_ms == 2500
    assert "gave way" in patience.look(390, seen(own_ms=1200, queued_ms=900))


def test_another_try_may_end_otherwise_only_where_we_waited_ourselves_for_a_good_part() -> None:
    patience = Patience(2000, lambda: (0, 0))
    assert patience.look(400, seen(own_ms=400, held_ms=400)) == ""
    assert patience.limit_ms == 2000, "it waits for what we hold"
    assert not patience.may_end_otherwise(waiter(2000))
    assert patience.look(200, seen(own_ms=600, held_ms=600)) == ""
    assert patience.may_end_otherwise(waiter(2000))


def test_what_others_waited_counts_in_the_next_part_of_the_same_transaction() -> None:
    former, patience = Patience(2000, lambda: (900, 0)), Patience(2000, lambda: (900, 0))
    former.look(600, seen(own_ms=600, queued_ms=600))
    patience.count(former)
    assert patience.limit_ms == 2600
    assert "gave way" in patience.look(300, seen(own_ms=300, queued_ms=300))


def test_off_is_off() -> None:
    patience = Patience(0, lambda: (0, 0))
    assert patience.limit_ms is None
    assert patience.look(10_000, seen(own_ms=10_000, queued_ms=10_000, held_ms=10_000)) == ""


def test_what_this_role_may_not_see_of_a_session_is_left_out() -> None:
    row = (
        "0",
        "0",
        "2100",
        "t",
        "2500",
        "7",
        "",
        "",
        "<insufficient privilege>",
        "t",
        "ROW EXCLUSIVE",
        "3",
        None,
        "f",
        "[]",
    )
    found = Behind.of(row)
    assert found.is_canceled and found.waiter is not None
    assert (str(found.waiter), found.waiter.query, found.waiter.others) == ("pid 7", "", 3)
