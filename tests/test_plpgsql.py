"""What a trigger function can return is known where its conditions on the event can be decided."""

from __future__ import annotations

import pytest

from wflo_schema.plpgsql import returned


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
