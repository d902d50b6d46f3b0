"""The trace as a picture: how long a lock is drawn, what is marked, and that SVG and page are well-formed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.files.folder import read_migrations
from wflo_schema.show.timeline import A_MOMENT, NOT_KNOWN, timeline_html, timeline_svg, timeline_text
from wflo_schema.trace.operations import trace
from wflo_schema.trace.values import HeldUntil, Lock, Trace, Traced


class _Tags(HTMLParser):
    """The names of all tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


_SVG = "{http://www.w3.org/2000/svg}"


def _statement(
    number: int,
    *locks: tuple[str, str],
    id_: str = "0001_a",
    held_until: HeldUntil = "commit",
    builds_on: tuple[str, ...] = (),
    rewrites: tuple[str, ...] = (),
) -> Traced:
    taken = tuple(Lock(relation, "table", mode, held_until) for relation, mode in locks)
    text = f"SELECT '<&\x01{number}'"
    return Traced(id_, f"m/{id_}.sql", number, 1, number, text, taken, rewrites=rewrites, builds_on=builds_on)


def _trace(*statements: Traced) -> Trace:
    return Trace("db", "18.6", "nothing", statements, tuple(dict.fromkeys(s.id for s in statements)))


def _bars(svg: str, kind: str) -> list[tuple[float, float]]:
    """Where the bars of a kind begin and end, without the legend's."""
    found = [r for r in ET.fromstring(svg).iter(f"{_SVG}rect") if r.get("class", "").split()[0] == kind]
    return [(float(r.attrib["x"]), float(r.attrib["x"]) + float(r.attrib["width"])) for r in found[:-1]]


def test_a_lock_is_drawn_to_the_end_of_its_transaction() -> None:
    trace = _trace(
        _statement(1, ("public.t", "AccessExclusiveLock")),
        _statement(2, ("public.u", "ShareLock"), builds_on=("public.u",)),
        _statement(3),
    )
    lines = timeline_text(trace).splitlines()
    assert lines[2:4] == ["  public.t  ███████████", "  public.u      B▓▓▓▓▓▓"]
    svg = timeline_svg(trace)
    (reads,), (writes,) = _bars(svg, "reads"), _bars(svg, "writes")
    assert reads[1] == writes[1]
    assert reads[0] < writes[0]


def test_a_lock_of_a_statement_by_itself_ends_with_it() -> None:
    trace = _trace(
        _statement(1, ("public.t", "ShareUpdateExclusiveLock"), held_until="statement"),
        _statement(2, ("public.t", "AccessExclusiveLock"), held_until="statement"),
    )
    assert timeline_text(trace).splitlines()[2] == "  public.t  ░░░ ███"


def test_a_stronger_lock_takes_the_place_of_a_weaker_one() -> None:
    trace = _trace(
        _statement(1, ("public.t", "ShareLock")),
        _statement(2, ("public.t", "AccessExclusiveLock")),
        _statement(3, ("public.t", "ShareUpdateExclusiveLock")),
    )
    assert timeline_text(trace).splitlines()[2] == "  public.t  ▓▓▓▓███████"


def test_what_nobody_waits_for_is_left_out_and_counted() -> None:
    trace = _trace(_statement(1, ("public.t", "AccessExclusiveLock"), ("public.u", "AccessShareLock")))
    assert "public.u" not in timeline_text(trace)
    assert "and 1 relation locked so that nobody waits" in timeline_svg(trace)
    only_read = _trace(_statement(1, ("public.u", "AccessShareLock")))
    assert timeline_text(only_read) == "0001_a: nothing that is there is locked so that anybody waits"


def test_width_is_by_estimated_time() -> None:
    trace = _trace(
        _statement(1, ("public.t", "AccessExclusiveLock"), held_until="statement", rewrites=("public.t",)),
        _statement(2, ("public.u", "AccessExclusiveLock"), held_until="statement"),
    )
    even, timed = timeline_svg(trace), timeline_svg(trace, {0: (8.0, 12.0)})
    first, second = _bars(even, "reads")
    assert abs((first[1] - first[0]) - (second[1] - second[0])) <= 2
    first, second = _bars(timed, "reads")
    assert first[1] - first[0] > 2.5 * (second[1] - second[0])
    assert "8.0 s to 12.0 s" in timed
    assert "12.0 s" in timeline_text(trace, {0: (8.0, 12.0)})
    takes = next(
        line for line in timeline_text(trace, {0: (70.0, 4000.0), 1: NOT_KNOWN}).splitlines() if "takes" in line
    )
    assert takes.endswith(" ≤ 66 min 40 s  not known")
    assert "how long it takes is not known" in timeline_html(trace, {0: A_MOMENT, 1: NOT_KNOWN})


def test_any_text_makes_well_formed_pages() -> None:
    trace = _trace(*(_statement(n, ('public."<b>&"', "AccessExclusiveLock"), id_=f"{n}_<i>") for n in range(1, 4)))
    ET.fromstring(timeline_svg(trace))
    page = timeline_html(trace)
    tags = _Tags()
    tags.feed(page)
    assert not {"b", "i"} & tags.seen
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_many_statements_stay_in_the_picture() -> None:
    trace = _trace(*(_statement(n, (f"public.t{n % 7}", "AccessExclusiveLock")) for n in range(1, 301)))
    for begin, end in _bars(timeline_svg(trace), "reads"):
        assert 0 <= begin <= end <= 960


@pytest.mark.one_server
def test_the_picture_in_the_manual_is_the_trace_of_those_files(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(__file__).parents[2]
    monkeypatch.chdir(home)
    migrations = read_migrations("migrations")
    engine.migrate(database, migrations, to="20251110_01")
    drawn = timeline_svg(trace(database, migrations))

    def known(svg: str) -> str:
        return re.sub(r"PostgreSQL [\d.]+", "PostgreSQL", svg).strip()

    assert known(drawn) == known((home / "docs" / "trace.svg").read_text(encoding="utf-8"))
