"""A function's body is cut into statements as PL/pgSQL cuts it, and what is none is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wflo_schema.check.effects import Effect, changed, effect
from wflo_schema.check.outcomes import Event
from wflo_schema.check.plpgsql import Assign, Block, If, Loop, Return, Unreadable, parse

DELETE = Event("DELETE", written=frozenset({"a"}), known={"tg_table_name": "t"})
SET_NULL = Event("UPDATE", "n", frozenset({"a"}))
PASSES, STOPS, FAILS, UNCLEAR = Effect.PASSES, Effect.STOPS, Effect.FAILS, Effect.UNCLEAR


def test_statements_make_a_tree() -> None:
    (block,) = parse(
        "<<b>> DECLARE r t := OLD; BEGIN IF x THEN r.a := 1; ELSE LOOP EXIT; END LOOP; END IF; RETURN r; END b"
    )

    assert isinstance(block, Block)
    assert (block.label, block.declared[0].name, block.declared[0].expression) == ("b", "r", "OLD")
    choice, last = block.body
    assert isinstance(choice, If)
    assert choice.branches == (("x", (Assign(("r", "a"), "1"),)),)
    assert isinstance(choice.otherwise[0], Loop)
    assert last == Return("r")


@pytest.mark.parametrize(
    "source", ["BEGIN", "IF", "BEGIN IF THEN", "'", "$x$", "BEGIN CASE END", "BEGIN x := 'a", "BEGIN RETURN OLD"]
)
def test_what_is_no_body_is_not_read(source: str) -> None:
    with pytest.raises(Unreadable):
        parse(source)
    assert effect(source, DELETE) is UNCLEAR


@pytest.mark.parametrize("source", ["", "END", "(", ";", "BEGIN END", "<<a>>"])
def test_any_text_is_read_without_an_error(source: str) -> None:
    effect(source, DELETE)
    effect(source, SET_NULL)


def test_a_backslash_is_not_read_where_it_may_be_an_escape() -> None:
    source = r"DECLARE a text := 'C:\'; BEGIN RETURN OLD; END"
    assert effect(source, DELETE) is PASSES
    assert effect(source, DELETE, has_plain_texts=False) is UNCLEAR
    assert effect(r"DECLARE a text := E'C:\\'; BEGIN RETURN OLD; END", DELETE, has_plain_texts=False) is PASSES


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("BEGIN NEW.b := 1; IF x THEN NEW.c = 2; END IF; RETURN NEW; END", {"b", "c"}),
        ("DECLARE n ALIAS FOR NEW; BEGIN SELECT 1 INTO n.b; RETURN n; END", None),
        ("BEGIN NEW := f(NEW); RETURN NEW; END", None),
        ("DECLARE r record := NEW; BEGIN r.b := 1; RETURN r; END", None),
        ("BEGIN RETURN f(NEW); END", None),
        ("BEGIN RETURN NULL; RETURN OLD; RETURN (NEW); END", set()),
        ("BEGIN EXECUTE 'x' INTO NEW; RETURN NEW; END", None),
        ("BEGIN", None),
    ],
)
def test_the_columns_that_a_function_may_change_are_known(source: str, columns: set[str] | None) -> None:
    assert changed(source) == columns


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN RETURN OLD; END", PASSES),
        ("BEGIN RETURN (OLD); END;", PASSES),
        ("<<outer>> DECLARE n int := 1; t text; BEGIN RETURN NULL; END outer", STOPS),
        ("BEGIN IF TG_OP = 'INSERT' THEN RETURN NULL; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF 'DELETE' = TG_OP THEN RETURN OLD; END IF; RETURN NULL; END", PASSES),
        ("BEGIN IF NOT (TG_OP IN ('INSERT', 'UPDATE')) THEN RETURN OLD; END IF; RETURN NULL; END", PASSES),
        ("BEGIN IF TG_OP = ANY (ARRAY['INSERT', 'UPDATE']) THEN RETURN NEW; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF TG_OP <> 'DELETE' OR TG_OP = 'UPDATE' THEN RETURN NEW; ELSE RETURN OLD; END IF; END", PASSES),
        ("BEGIN IF TG_OP = 'DELETE' AND OLD.b THEN RETURN NULL; END IF; RETURN OLD; END", STOPS),
        ("BEGIN CASE TG_OP WHEN 'DELETE' THEN RETURN OLD; ELSE RETURN NULL; END CASE; END", PASSES),
        ("BEGIN CASE WHEN OLD.b THEN RETURN OLD; ELSE RETURN NULL; END CASE; END", STOPS),
        ("BEGIN FOR r IN SELECT 1 LOOP RETURN NULL; END LOOP; RETURN OLD; END", UNCLEAR),
        ("BEGIN FOR r IN 1 .. 3 LOOP RETURN NULL; END LOOP; RETURN OLD; END", STOPS),
        ("BEGIN FOR r IN 1 .. 3 LOOP RETURN OLD; END LOOP; RETURN NULL; END", PASSES),
        ("BEGIN LOOP RETURN OLD; END LOOP; RETURN NULL; END", PASSES),
        ("BEGIN IF NEW IS NULL THEN RETURN OLD; END IF; RETURN NEW; END", PASSES),
        ("BEGIN IF pg_trigger_depth() = 1 THEN RETURN NULL; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF pg_trigger_depth() = 2 THEN RETURN NULL; END IF; RETURN OLD; END", STOPS),
        ("BEGIN IF pg_trigger_depth() > 2 THEN RETURN NULL; END IF; RETURN OLD; END", UNCLEAR),
        ("BEGIN IF pg_trigger_depth() = n THEN RETURN NULL; END IF; RETURN OLD; END", UNCLEAR),
        ("BEGIN RAISE EXCEPTION 'no'; RETURN NULL; END", FAILS),
        ("BEGIN RAISE NOTICE 'return null;'; RETURN OLD; -- RETURN NULL;\nEND", PASSES),
        ("BEGIN EXECUTE $q$ RETURN NULL; $q$; RETURN OLD; END", PASSES),
        ("BEGIN BEGIN PERFORM 1; EXCEPTION WHEN others THEN RETURN NULL; END; RETURN OLD; END", UNCLEAR),
        ("BEGIN RAISE 'x'; EXCEPTION WHEN others THEN RETURN NULL; END", STOPS),
        ("BEGIN RAISE 'x'; EXCEPTION WHEN others THEN RETURN OLD; END", PASSES),
        ("BEGIN IF CASE WHEN OLD.b THEN true ELSE false END THEN PERFORM 1; END IF; RETURN OLD; END", PASSES),
        ("DECLARE r t; BEGIN RETURN r; END", STOPS),
        ("DECLARE r record; s t := OLD; BEGIN r := s; RETURN r; END", PASSES),
        ("DECLARE r record; BEGIN IF OLD.b THEN r := OLD; END IF; RETURN r; END", STOPS),
        ("DECLARE r record := NULL; BEGIN IF OLD.b THEN r := OLD; ELSE r := OLD; END IF; RETURN r; END", PASSES),
        ("DECLARE r t; BEGIN r.a := 1; RETURN r; END", PASSES),
        ("DECLARE r t; BEGIN r := OLD; FOR r IN SELECT 1 LOOP END LOOP; RETURN r; END", UNCLEAR),
        ("DECLARE r t := OLD; BEGIN LOOP r := NULL; EXIT; END LOOP; RETURN r; END", STOPS),
        ("DECLARE r t := OLD; s t; BEGIN LOOP EXIT WHEN a; r := s; s := OLD; END LOOP; RETURN r; END", UNCLEAR),
        ("DECLARE r t; BEGIN BEGIN r := OLD; EXCEPTION WHEN others THEN END; RETURN r; END", UNCLEAR),
        ("DECLARE r t := NULL; BEGIN DECLARE r t := OLD; BEGIN PERFORM r; END; RETURN r; END", STOPS),
        ("DECLARE r t; BEGIN FETCH c INTO STRICT r; RETURN r; END", UNCLEAR),
        ("DECLARE r ALIAS FOR new; BEGIN RETURN r; END", STOPS),
        ("DECLARE r t := OLD; BEGIN CALL p(r); RETURN r; END", UNCLEAR),
        ("BEGIN RETURN COALESCE(NEW, NULL, OLD); END", PASSES),
        ("BEGIN RETURN COALESCE(NEW, NULL); END", STOPS),
        ("BEGIN RETURN CAST(NULL AS t); END", STOPS),
        ("BEGIN RETURN f(OLD); END", UNCLEAR),
        ("BEGIN OLD := f(OLD); RETURN OLD; END", UNCLEAR),
        ("BEGIN IF TG_TABLE_NAME = 'u' THEN RETURN NULL; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF TG_TABLE_NAME = 't' THEN RETURN NULL; END IF; RETURN OLD; END", STOPS),
        ("BEGIN IF TG_RELID = 1 THEN RETURN NULL; END IF; RETURN OLD; END", UNCLEAR),
        ("BEGIN IF 1 > pg_trigger_depth() THEN RETURN NULL; END IF; RETURN OLD; END", PASSES),
        ("BEGIN RAISE 'no'; END", FAILS),
        ("BEGIN PERFORM 1; END", FAILS),
        ("BEGIN IF OLD.b THEN RAISE 'no'; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF f(TG_OP) THEN RAISE 'no'; END IF; RAISE 'no'; END", FAILS),
        ("BEGIN IF OLD.b IS NULL THEN IF OLD.b IS NOT NULL THEN RETURN NULL; END IF; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF OLD.b = 'x' THEN RETURN OLD; ELSIF OLD.b = 'y' THEN RETURN NULL; END IF; RETURN OLD; END", STOPS),
        ("BEGIN IF OLD.b = 'x' THEN RETURN OLD; ELSIF OLD.b = 'x' THEN RETURN NULL; END IF; RETURN OLD; END", PASSES),
        ("BEGIN IF OLD.b > 1 THEN RETURN OLD; ELSIF OLD.b > 2 THEN RETURN NULL; END IF; RETURN OLD; END", UNCLEAR),
        ("BEGIN IF NEW.end THEN RETURN NULL; END IF; IF OLD.end THEN RETURN OLD; END IF; RETURN OLD; END", PASSES),
    ],
)  # fmt: skip
def test_a_delete_is_followed_to_what_is_returned(body: str, expected: Effect) -> None:
    assert effect(body, DELETE) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BEGIN RETURN NEW; END", PASSES),
        ("BEGIN RETURN OLD; END", STOPS),
        ("BEGIN NEW.b := OLD.a; RETURN NEW; END", PASSES),
        ("BEGIN NEW.a := OLD.a; RETURN NEW; END", STOPS),
        ("BEGIN SELECT OLD.a INTO NEW.a; RETURN NEW; END", STOPS),
        ("BEGIN SELECT 1, x INTO n, NEW.a FROM y; RETURN NEW; END", UNCLEAR),
        ("BEGIN SELECT a INTO NEW.b FROM y; RETURN NEW; END", PASSES),
        ("BEGIN NEW := OLD; RETURN NEW; END", STOPS),
        ("BEGIN RETURN COALESCE(NEW, OLD); END", PASSES),
        ("BEGIN OLD.a := NEW.a; RETURN OLD; END", PASSES),
        ("BEGIN NEW.a := OLD.a; NEW.a := NULL; RETURN NEW; END", PASSES),
        ("BEGIN IF NEW.b <> OLD.b THEN RETURN NULL; END IF; RETURN NEW; END", PASSES),
    ],
)
def test_an_update_is_undone_by_the_old_row_or_its_value(body: str, expected: Effect) -> None:
    assert effect(body, SET_NULL) is expected


def test_columns_that_an_earlier_trigger_may_have_changed_are_not_taken_for_unchanged() -> None:
    body = "BEGIN IF NEW.b IS DISTINCT FROM OLD.b THEN RETURN OLD; END IF; RETURN NEW; END"
    assert effect(body, SET_NULL) is PASSES
    assert effect(body, Event("UPDATE", "n", frozenset({"a"}), changed=frozenset({"b"}))) is UNCLEAR
    assert effect(body, Event("UPDATE", "n", frozenset({"a"}), changed=None)) is UNCLEAR


def test_a_column_that_the_function_does_not_name_counts_where_whole_rows_are_compared() -> None:
    body = "BEGIN IF to_jsonb(NEW) - 'a' = to_jsonb(OLD) - 'a' THEN RETURN OLD; END IF; RETURN NEW; END"
    assert effect(body, SET_NULL) is STOPS
    assert effect(body, Event("UPDATE", "n", frozenset({"a"}), changed=frozenset({"other"}))) is UNCLEAR


def test_many_conditions_are_followed_in_little_time() -> None:
    many = "".join(f"IF OLD.c{n} = 'x' THEN NEW.d{n} := {n}; END IF; " for n in range(60))
    assert effect(f"BEGIN {many} RETURN NEW; END", SET_NULL) in (PASSES, UNCLEAR)
    assert effect(f"BEGIN {many} RETURN OLD; END", SET_NULL) is not PASSES


def test_a_row_is_not_null_where_a_column_surely_is_not() -> None:
    source = "BEGIN IF NEW IS NULL THEN RETURN OLD; END IF; RETURN NEW; END"
    assert effect(source, SET_NULL) is UNCLEAR  # all that it held may have been the key
    assert effect(source, replace(SET_NULL, not_null=frozenset({"id"}))) is PASSES


def test_more_alternatives_than_are_followed_are_not_forgotten() -> None:
    arguments = ", ".join(f"NULLIF(OLD.c{n}, OLD.d{n})" for n in range(60))
    source = f"DECLARE x text := coalesce({arguments}); BEGIN IF x IS NULL THEN RETURN NULL; END IF; RETURN OLD; END"
    assert effect(source, DELETE) is UNCLEAR


@pytest.mark.parametrize(
    "source",
    [
        "DECLARE elsif int; BEGIN IF OLD.b THEN elsif := 1; RETURN NULL; ELSIF x THEN END IF; RETURN OLD; END",
        "DECLARE exception t; BEGIN exception.a := 1; RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN OLD; END",
        "DECLARE cursor int := 5; x int := cursor; BEGIN IF x IS NULL THEN RETURN OLD; END IF; RETURN NULL; END",
        "DECLARE x int; BEGIN SELECT 1 AS case INTO x; IF OLD.b THEN RETURN NULL; END IF; RETURN OLD; END",
        "DECLARE x int; BEGIN SELECT 1 case INTO x; IF OLD.b THEN RETURN NULL; END IF; RETURN OLD; END",
    ],
)
def test_a_word_that_is_a_name_here_is_no_keyword(source: str) -> None:
    assert effect(source, replace(DELETE, types={"b": "boolean"})) is STOPS


@pytest.mark.parametrize(
    "source",
    [
        "DECLARE c refcursor; BEGIN OPEN c FOR SELECT 1; IF c IS NULL THEN RETURN OLD; END IF; RETURN NULL; END",
        "DECLARE c CURSOR FOR SELECT 1; BEGIN IF c IS NULL THEN RETURN OLD; END IF; RETURN NULL; END",
        "DECLARE slice int; BEGIN FOREACH slice IN ARRAY a LOOP RETURN CASE slice WHEN 1 THEN OLD END; END LOOP; END",
        "BEGIN tg_op := 'INSERT'; IF TG_OP = 'INSERT' THEN RETURN NULL; END IF; RETURN OLD; END",
    ],
)
def test_what_a_statement_gives_a_variable_is_not_known(source: str) -> None:
    assert effect(source, DELETE) is UNCLEAR
