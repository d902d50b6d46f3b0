"""Which rows a statement means, by its words alone."""

from __future__ import annotations

import pytest

from wflo_schema.lint.parsing import changes_many, in_block, parse

KEYS = [frozenset({"id"})]

NO_ROWS = [
    "UPDATE t SET a = 1 WHERE false",
    "UPDATE t SET a = 1 WHERE a = 2 AND NOT 'yes'::boolean",
    "DELETE FROM t WHERE 1 = 0 OR NULL",
    "DELETE FROM t USING u WHERE t.x = u.x AND 'a' = 'b'",
    "SELECT FROM t WHERE 2 < 1 FOR UPDATE",
]
FEW_ROWS = [
    "DELETE FROM t WHERE id = 1 OR id = 2",
    "DELETE FROM t WHERE id = 1 OR false",
    "DELETE FROM t WHERE id = ANY ('{1,2}')",
    "UPDATE t SET a = v.a FROM (VALUES (1, 'a'), (2, 'b')) AS v (i, a) WHERE t.id = v.i",
    "WITH v (i) AS (VALUES (1)) DELETE FROM t USING v AS w WHERE t.id = w.i",
]
MANY_ROWS = [
    "UPDATE t SET a = 1 WHERE true",
    "DELETE FROM t WHERE id = 1 OR a = 2",
    "DELETE FROM t WHERE NOT (NULL::boolean)",
    "DELETE FROM t WHERE 'a' < 'b'",
    "UPDATE t SET a = v.a FROM (VALUES (1, 'a')) AS v (i, a) WHERE t.x = v.i",
    "UPDATE t SET a = u.a FROM u WHERE t.id = u.id",
    "DELETE FROM t USING (VALUES (1)) AS v (id) WHERE v.id = 1",
]


@pytest.mark.parametrize("text", NO_ROWS + FEW_ROWS)
def test_no_rows_or_few_are_meant(text: str) -> None:
    parsed = parse(text)
    assert parsed is not None
    assert not changes_many(parsed.node, KEYS)


@pytest.mark.parametrize("text", MANY_ROWS)
def test_many_rows_may_be_meant(text: str) -> None:
    parsed = parse(text)
    assert parsed is not None
    assert changes_many(parsed.node, KEYS)


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ("BEGIN IF EXISTS (SELECT FROM u) THEN UPDATE t SET a = 'x'; END IF; END", ["update_stmt"]),
        ("BEGIN UPDATE t SET a = 'x'; COMMIT; END", []),
        ("DECLARE r record; BEGIN FOR r IN SELECT 1 AS i LOOP DELETE FROM t WHERE id = r.i; END LOOP; END", []),
        ("BEGIN EXECUTE 'DELETE FROM t'; END", []),
        ("BEGIN UPDATE; END", []),
    ],
    ids=["in a branch", "commits", "by a variable", "made as a text", "no SQL"],
)
def test_a_block_is_read_for_what_it_changes(body: str, kinds: list[str]) -> None:
    parsed = parse(f"DO $do$ {body} $do$")
    assert parsed is not None
    inner, variables = in_block(parsed.node)
    assert [one.kind for one in inner if changes_many(one.node, KEYS, variables)] == kinds
