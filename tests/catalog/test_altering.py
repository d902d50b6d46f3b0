"""What a change of type takes away is said."""

from __future__ import annotations

import pytest

from wflo_schema.catalog.altering import notes_on
from wflo_schema.catalog.objects import Object


def losses(old: str, new: str) -> tuple[str, ...]:
    had, wanted = (Object("column", ("public", "t", "c"), (("type", one),)) for one in (old, new))
    return notes_on(had, wanted, "type")[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("numeric(10,4)", "numeric(10,2)"),
        ("numeric(10,4)[]", "numeric(10,2)[]"),
        ("text[]", "character varying(3)[]"),
        ("text", "numeric(3,1)"),
        ("text", "date"),
        ("text", "name"),
        ("timestamp without time zone", "timestamp(0) without time zone"),
        ("timestamp with time zone", "time without time zone"),
        ("interval", "interval(0)"),
        ("time with time zone", "time without time zone"),
        ("timestamp without time zone", "date"),
        ("inet", "cidr"),
        ("integer", "boolean"),
        ("integer", "real"),
        ("polygon", "point"),
    ],
)
def test_what_postgresql_cuts_off_without_a_word_is_a_loss(old: str, new: str) -> None:
    assert losses(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("integer", "bigint"),
        ("integer[]", "bigint[]"),
        ("text", "character varying(3)"),
        ("character varying(9)[]", "character varying(3)[]"),
        ("date", "timestamp without time zone"),
        ("timestamp(0) without time zone", "timestamp without time zone"),
        ("text", "integer"),
    ],
)
def test_what_is_kept_or_refused_is_none(old: str, new: str) -> None:
    assert losses(old, new) == ()
