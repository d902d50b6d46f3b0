"""What a trigger function can return is known where its conditions on the event can be decided."""

from __future__ import annotations

import pytest

from wflo_schema.check.plpgsql import Effect, effect, returned


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN RETURN OLD; END", {"OLD"}),
        ("BEGIN RETURN (OLD); END;", {"OLD"}),
        ("<<outer>> DECLARE n int := 1; t text; BEGIN RETURN NULL; END outer", {"NULL"}),
        ("BEGIN IF TG_OP = 'INSERT' THEN RETURN NULL; END IF; RETURN OLD; END", {"OLD"}),
        ("BEGIN IF 'DELETE' = TG_OP THEN RETURN OLD; END IF; RETURN NULL; END", {"OLD"}),
        ("BEGIN IF NOT (TG_OP IN ('INSERT', 'UPDATE')) THEN RETURN OLD; END IF; RETURN NULL; END", {"OLD"}),
        ("BEGIN IF TG_OP <> 'DELETE' OR TG_OP = 'UPDATE' THEN RETURN NEW; ELSE RETURN OLD; END IF; END", {"OLD"}),
        ("BEGIN IF TG_OP = 'DELETE' AND OLD.a THEN RETURN NULL; END IF; RETURN OLD; END", {"NULL", "OLD"}),
        ("BEGIN CASE TG_OP WHEN 'DELETE' THEN RETURN OLD; ELSE RETURN NULL; END CASE; END", {"OLD"}),
        ("BEGIN CASE WHEN OLD.a THEN RETURN OLD; ELSE RETURN NULL; END CASE; END", {"OLD", "NULL"}),
        ("BEGIN FOR r IN SELECT 1 LOOP RETURN NULL; END LOOP; RETURN OLD; END", {"OLD", "NULL"}),
        ("BEGIN IF NEW IS NULL THEN RETURN OLD; END IF; RETURN NEW; END", {"OLD"}),
        ("BEGIN IF pg_trigger_depth() = 1 THEN RETURN NULL; END IF; RETURN OLD; END", {"OLD"}),
        ("BEGIN RAISE EXCEPTION 'no'; RETURN NULL; END", set()),
        ("BEGIN RAISE NOTICE 'return null;'; RETURN OLD; -- RETURN NULL;\nEND", {"OLD"}),
        ("BEGIN EXECUTE $q$ RETURN NULL; $q$; RETURN OLD; END", {"OLD"}),
        ("BEGIN BEGIN PERFORM 1; EXCEPTION WHEN others THEN RETURN NULL; END; RETURN OLD; END", {"OLD", "NULL"}),
        ("BEGIN IF CASE WHEN OLD.a THEN true ELSE false END THEN PERFORM 1; END IF; RETURN OLD; END", {"OLD"}),
        ("BEGIN IF OLD.a THEN RETURN NULL; RETURN OLD; END", {"OLD", "NULL"}),
    ],
)
def test_only_what_a_delete_can_reach_is_returned(body: str, expected: set[str]) -> None:
    assert returned(body, "delete").expressions == expected


def test_conditions_that_cannot_be_decided_are_told() -> None:
    assert returned("BEGIN IF lower(TG_OP) = 'delete' THEN RETURN OLD; END IF; RETURN NEW; END", "delete").is_unclear
    assert returned("BEGIN IF pg_trigger_depth() = n THEN RETURN OLD; END IF; END", "delete").asks_depth
    assert not returned("BEGIN RETURN OLD; END", "delete").is_unclear


def test_any_text_is_read_without_an_error() -> None:
    for text in ("", "END", "BEGIN", "IF", "(", "BEGIN IF THEN", "$x$", "'", "BEGIN CASE END"):
        returned(text, "update")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("DECLARE r t; BEGIN RETURN r; END", Effect.STOPS),
        ("DECLARE r record; s t := OLD; BEGIN r := s; RETURN r; END", Effect.PASSES),
        ("DECLARE r record; BEGIN IF OLD.a THEN r := OLD; END IF; RETURN r; END", Effect.STOPS),
        ("DECLARE r record := NULL; BEGIN IF OLD.a THEN r := OLD; ELSE r := OLD; END IF; RETURN r; END", Effect.PASSES),
        ("DECLARE r t; BEGIN r.a := 1; RETURN r; END", Effect.PASSES),
        ("DECLARE r t; BEGIN r := OLD; FOR r IN SELECT 1 LOOP END LOOP; RETURN r; END", Effect.UNCLEAR),
        ("DECLARE r t := OLD; BEGIN LOOP r := NULL; EXIT; END LOOP; RETURN r; END", Effect.STOPS),
        ("DECLARE r t := OLD; s t; BEGIN LOOP EXIT WHEN a; r := s; s := OLD; END LOOP; RETURN r; END", Effect.STOPS),
        ("DECLARE r t; BEGIN BEGIN r := OLD; EXCEPTION WHEN others THEN END; RETURN r; END", Effect.STOPS),
        ("DECLARE r t; BEGIN FETCH c INTO STRICT r; RETURN r; END", Effect.UNCLEAR),
        ("DECLARE r ALIAS FOR new; BEGIN RETURN r; END", Effect.STOPS),
        ("DECLARE r t := OLD; BEGIN CALL p(r); RETURN r; END", Effect.UNCLEAR),
        ("BEGIN RETURN COALESCE(NEW, NULL, OLD); END", Effect.PASSES),
        ("BEGIN RETURN COALESCE(NEW, NULL); END", Effect.STOPS),
        ("BEGIN RETURN CAST(NULL AS t); END", Effect.STOPS),
        ("BEGIN RETURN f(OLD); END", Effect.UNCLEAR),
        ("BEGIN OLD := f(OLD); RETURN OLD; END", Effect.UNCLEAR),
        ("BEGIN IF TG_TABLE_NAME = 'u' THEN RETURN NULL; END IF; RETURN OLD; END", Effect.PASSES),
        ("BEGIN IF TG_TABLE_NAME = 't' THEN RETURN NULL; END IF; RETURN OLD; END", Effect.STOPS),
        ("BEGIN IF TG_RELID = 1 THEN RETURN NULL; END IF; RETURN OLD; END", Effect.UNCLEAR),
        ("BEGIN IF 1 > pg_trigger_depth() THEN RETURN NULL; END IF; RETURN OLD; END", Effect.PASSES),
        ("BEGIN RAISE 'no'; END", Effect.FAILS),
        ("BEGIN PERFORM 1; END", Effect.FAILS),
        ("BEGIN IF OLD.a THEN RAISE 'no'; END IF; RETURN OLD; END", Effect.PASSES),
        ("BEGIN IF f(TG_OP) THEN RAISE 'no'; END IF; RAISE 'no'; END", Effect.UNCLEAR),
    ],
)
def test_what_is_returned_is_followed_through_variables(body: str, expected: Effect) -> None:
    assert effect(body, "delete", known={"tg_table_name": "t"}) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN RETURN NEW; END", Effect.PASSES),
        ("BEGIN RETURN OLD; END", Effect.STOPS),
        ("BEGIN NEW.b := OLD.a; RETURN NEW; END", Effect.PASSES),
        ("BEGIN NEW.a := OLD.a; RETURN NEW; END", Effect.STOPS),
        ("BEGIN SELECT OLD.a INTO NEW.a; RETURN NEW; END", Effect.STOPS),
        ("BEGIN SELECT 1, x INTO n, NEW.a FROM y; RETURN NEW; END", Effect.UNCLEAR),
        ("BEGIN SELECT a INTO NEW.b FROM y; RETURN NEW; END", Effect.PASSES),
        ("BEGIN NEW := OLD; RETURN NEW; END", Effect.STOPS),
        ("BEGIN RETURN COALESCE(NEW, OLD); END", Effect.PASSES),
    ],
)
def test_an_update_is_undone_by_the_old_row_or_its_value(body: str, expected: Effect) -> None:
    assert effect(body, "update", ("a",)) is expected
