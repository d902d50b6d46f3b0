"""Two texts that mean the same are the same, and a difference that the eye does not see is shown."""

from __future__ import annotations

import pytest

from wflo_schema.catalog.same import (
    are_chosen,
    common_aliases,
    differ_in_tables_of_columns,
    made_visible,
    regular_form,
)


@pytest.mark.parametrize(
    ("have", "want", "shown"),
    [
        ("a\r\nb", "a\nb", ("a\\r\nb", "a\nb")),
        ("a b", "a\u00a0b", ("a b", "a\\u00a0b")),
        ("ab", "a\u200bb", ("ab", "a\\u200bb")),
        ("\ufeffab", "ab", ("\\ufeffab", "ab")),
        ("caf\u00e9", "cafe\u0301", ("caf\u00e9", "cafe\\u0301")),
        ("a  \nb", "a\nb", ("a\\x20\\x20\nb", "a\nb")),
        ("a\tb", "a b", ("a\\tb", "a b")),
        ("a\x07b", "ab", ("a\\u0007b", "ab")),
        ("\uff21", "A", ("\\uff21", "A")),
        ("a", "b", ("a", "b")),
        ("a\r", "b\r", ("a\r", "b\r")),
    ],
)
def test_what_does_not_show_is_escaped_where_it_is_all_that_differs(
    have: str, want: str, shown: tuple[str, str]
) -> None:
    assert made_visible(have, want) == shown


@pytest.mark.parametrize(
    ("have", "want", "is_same"),
    [
        ("SELECT f.a\n   FROM g() f(a)", "SELECT f.a\n   FROM g() f(a, b)", True),
        ('FROM s.g(1, 2) "F"("A b", c)', 'FROM s.g(1, 2) "F"("A b")', True),
        ("FROM g() WITH ORDINALITY f(a, n)", "FROM g() WITH ORDINALITY f(a, n, m)", True),
        ("FROM g() f(a, b), h() i(c)", "FROM g() f(a), h() i(c, d)", True),
        ("SELECT f.a\n   FROM g() f(x)", "SELECT f.a\n   FROM g() f(a, b)", False),
        ("SELECT 1\n   FROM g() f(a)", "SELECT 2\n   FROM g() f(a, b)", False),
        ("FROM g() f(a integer)", "FROM g() f(a integer, b text)", False),
        ("SELECT h(a)", "SELECT h(a, b)", False),
    ],
)
def test_aliases_of_columns_that_came_later_say_nothing(have: str, want: str, is_same: bool) -> None:
    one, other = common_aliases(have, want)
    assert (one == other) is is_same


@pytest.mark.parametrize(
    ("have", "want", "is_same"),
    [
        ("ROW('x'::text, NULL)::s.t", "ROW('x'::text, NULL::numeric(3,1))::s.t", True),
        ("f(ROW(1, g(h('a'), 2), NULL, NULL)::t)", "f(ROW(1, g(h('a'), 2), NULL::date, NULL::s.e[])::t)", True),
        ("ROW(1, NULL::timestamp(3) without time zone)::t", "ROW(1, NULL)::t", True),
        ("ROW(1, NULL)", "ROW(1, NULL::text)", False),
        ("ROW(1, 'NULL::text')::t", "ROW(1, 'NULL')::t", False),
        ("ROW(1, NULL)::t", "ROW(2, NULL::text)::t", False),
        ("COALESCE(a, NULL)::t", "COALESCE(a, NULL::text)::t", False),
        (
            "((a)::text = ANY ((ARRAY['x, y'::character varying, 'it''s'::varchar(9), b])::text[]))",
            "((a)::text = ANY (ARRAY[('x, y'::character varying)::text, ('it''s'::varchar(9))::text, (b)::text]))",
            True,
        ),
        ("ANY ((ARRAY['x'::character varying])::text[])", "ANY (ARRAY[('y'::character varying)::text])", False),
        ("ANY ((ARRAY['x'::character varying])::text[])", "ANY (ARRAY['x'::character varying])", False),
    ],
)
def test_casts_that_come_with_pg_dump_and_psql_say_nothing(have: str, want: str, is_same: bool) -> None:
    assert (regular_form("column", "default", have) == regular_form("column", "default", want)) is is_same


def test_a_name_that_postgresql_chose_for_not_null_is_nobodys() -> None:
    assert are_chosen("t_a_not_null", None)
    assert are_chosen("old_a_not_null", "new_b_not_null12")
    assert not are_chosen("mine", None)


@pytest.mark.parametrize(
    ("have", "want", "is_same"),
    [
        (
            " SELECT t.a,\n    t.b\n   FROM app.t\n  WHERE (t.a > 0);",
            " SELECT a,\n    b\n   FROM app.t\n  WHERE (a > 0);",
            True,
        ),
        ('SELECT "T t"."A a" FROM app."T t"', 'SELECT "A a" FROM app."T t"', True),
        ("SELECT (f.c).x, f.a::text FROM s.f() f(c, a)", "SELECT (c).x, a::text FROM s.f() f(c, a)", True),
        ("SELECT 't.a'::text AS a FROM s.t", "SELECT 'a'::text AS a FROM s.t", False),
        ("SELECT t.a FROM s.t", "SELECT b FROM s.t", False),
        ("SELECT t.a FROM s.t", "SELECT a FROM r.t", False),
        ("SELECT t.a FROM s.t", "SELECT a FROM t", False),
        ("SELECT s.f(t.a) FROM s.t", "SELECT f(a) FROM s.t", False),
        ("SELECT t.a::s.e FROM s.t", "SELECT a::e FROM s.t", False),
        ('SELECT t.a COLLATE s."C" FROM s.t', 'SELECT a COLLATE "C" FROM s.t', False),
        ("SELECT t.a FROM s.t", "SELECT a FROM s.t WHERE a", False),
    ],
)
def test_a_column_that_one_major_version_prints_with_its_table_is_the_same(have: str, want: str, is_same: bool) -> None:
    assert differ_in_tables_of_columns(have, want) is is_same
    assert differ_in_tables_of_columns(want, have) is is_same
