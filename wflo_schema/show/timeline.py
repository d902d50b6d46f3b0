"""The trace as a picture: statements across, relations down, colour by who waits, width by estimated time.

Hides how long a lock is drawn, and what is left out.  `text` is for a terminal, `svg` for a page, `html` a page itself.
"""

from __future__ import annotations

import html as html_
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from wflo_schema.trace.values import MODES, Lock, Trace, Traced, said_mode
from wflo_schema.words import counted, duration

_UNDECIDED = "? undecided"
_NOBODY = "nothing that is there is locked so that anybody waits"

# Seconds that a statement is estimated to take, the least and the most, by its place in the trace; what is not there
# has none.
Estimates = Mapping[int, tuple[float, float]]
A_MOMENT = (0.0, 0.0)
NOT_KNOWN = (0.0, math.inf)
_MOMENT = "a moment"

# Who waits while a lock is held, from the least to the most.
_LEVELS = ("none", "ddl", "writes", "reads")
_WHO = {
    "none": "nobody who reads or writes waits",
    "ddl": "other schema changes wait",
    "writes": "writers wait",
    "reads": "readers and writers wait",
}
_MARKS = (("R", "rewrites", "rewritten"), ("S", "scans", "read as a whole"), ("B", "builds_on", "index built"))
_CHANGED = ("C", "rows changed")


@dataclass(frozen=True, slots=True)
class _Bar:
    """A lock on one relation from one statement to another, both counted from 0 within the panel."""

    first: int
    last: int
    lock: Lock

    @property
    def level(self) -> str:
        return _level(self.lock)


@dataclass(frozen=True, slots=True)
class _Row:
    relation: str
    is_new: bool
    bars: tuple[_Bar, ...]
    marks: Mapping[int, tuple[str, ...]]
    """By statement: letters of what is done with the whole relation."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One migration."""

    title: str
    is_transactional: bool
    statements: tuple[Traced, ...]
    seconds: tuple[tuple[float, float] | None, ...]
    rows: tuple[_Row, ...]
    left_out: int
    """How many relations are only read, or locked so that nobody waits."""

    @property
    def refused(self) -> str:
        """Which statement PostgreSQL refused, and why; empty where none."""
        return "; ".join(f"PostgreSQL refuses statement {s.number}: {s.error}" for s in self.statements if s.error)

    @property
    def shares(self) -> tuple[float, ...]:
        """The part of the width that each statement has: half of it evenly, half by time."""
        even = 1 / len(self.statements)
        times = [sum(one) / 2 if one and one != NOT_KNOWN else 0.0 for one in self.seconds]
        total = sum(times)
        return tuple(even if not total else even / 2 + t / total / 2 for t in times)


def _number(s: Traced) -> str:
    """A statement's number, and whether what it does could not be told."""
    return f"{s.number}{'?' if s.undecided else ''}"


def _level(lock: Lock) -> str:
    if lock.stops_reads:
        return "reads"
    if lock.stops_writes:
        return "writes"
    return "ddl" if MODES.index(lock.mode) >= MODES.index("ShareUpdateExclusiveLock") else "none"


def _panels(trace: Trace, estimates: Estimates) -> list[_Panel]:
    numbered = list(enumerate(trace.statements))
    return [
        _panel(id_, [s for _, s in some], [estimates.get(n) for n, _ in some])
        for id_, of_one in groupby(numbered, key=lambda pair: pair[1].id)
        if (some := list(of_one))
    ]


def _panel(id_: str, statements: Sequence[Traced], seconds: Sequence[tuple[float, float] | None]) -> _Panel:
    bars: dict[str, list[_Bar]] = {}
    marks: dict[str, dict[int, tuple[str, ...]]] = {}
    last = len(statements) - 1
    for n, s in enumerate(statements):
        for lock in s.locks:
            if "index" not in lock.kind:
                end = n if s.is_alone or lock.held_until != "commit" else last
                bars.setdefault(lock.relation, []).append(_Bar(n, end, lock))
        for letter, field, _ in _MARKS:
            for relation in dict.fromkeys(getattr(s, field)):
                marks.setdefault(relation, {})[n] = (*marks.get(relation, {}).get(n, ()), letter)
        for relation in s.changes:
            marks.setdefault(relation, {})[n] = (*marks.get(relation, {}).get(n, ()), _CHANGED[0])
    rows, left_out = [], 0
    for relation in bars.keys() | marks.keys():
        own = bars.get(relation, [])
        if relation not in marks and all(bar.level == "none" for bar in own):
            left_out += 1
            continue
        is_new = bool(own) and all(bar.lock.is_new for bar in own)
        rows.append(_Row(relation, is_new, _strongest(own), marks.get(relation, {})))
    rows.sort(key=lambda row: (row.is_new, -max((_LEVELS.index(b.level) for b in row.bars), default=0), row.relation))
    is_transactional = all(s.is_transactional for s in statements)
    return _Panel(id_, is_transactional, tuple(statements), tuple(seconds), tuple(rows), left_out)


def _strongest(bars: Sequence[_Bar]) -> tuple[_Bar, ...]:
    """The bars of one relation without those that a stronger one covers, each up to where a stronger one begins."""
    found: list[_Bar] = []
    for bar in sorted(bars, key=lambda b: b.first):
        over = next((b for b in found if b.last >= bar.first), None)
        if over is not None and MODES.index(over.lock.mode) >= MODES.index(bar.lock.mode) and over.last >= bar.last:
            continue
        found = [b if b.last < bar.first else _Bar(b.first, bar.first - 1, b.lock) for b in found]
        found = [b for b in found if b.first <= b.last]
        found.append(bar)
    return tuple(found)


# --- in a terminal ----------------------------------------------------------------------------

_SHADES = {"reads": "█", "writes": "▓", "ddl": "░", "none": "·"}
_CELL, _CELL_WITH_TIME = 4, 11


def timeline_text(trace: Trace, estimates: Estimates | None = None) -> str:
    """The picture for a terminal: a block for each migration, one column for each statement."""
    lines = [line for panel in _panels(trace, estimates or {}) for line in (*_text_panel(panel), "")]
    lines += [line for note in trace.untouched_note for line in (note, "")]
    if not any(_SHADES[level] in line for line in lines for level in ("reads", "writes", "ddl")):
        return "\n".join(lines).rstrip()
    shades = ", ".join(f"{_SHADES[level]} {_WHO[level]}" for level in reversed(_LEVELS))
    letters = ", ".join(f"{letter} {said}" for letter, _, said in _MARKS)
    return "\n".join([*lines, f"{shades};", f"{letters}, {_CHANGED[0]} {_CHANGED[1]}, {_UNDECIDED}"])


def _text_panel(panel: _Panel) -> list[str]:
    title = f"{panel.title}{'' if panel.is_transactional else '  (no transaction)'}"
    refused = [f"  {panel.refused}"] if panel.refused else []
    if not panel.rows:
        return [title, *refused] if refused else [f"{title}: {_NOBODY}"]
    width = max(len(row.relation) for row in panel.rows) + len(" (new)") * any(row.is_new for row in panel.rows)
    times = [_seconds(one, is_short=True) for one in panel.seconds] if any(panel.seconds) else []
    cell = max([_CELL_WITH_TIME, *(len(said) + 2 for said in times)]) if times else _CELL
    numbers = "".join(f"{_number(s):<{cell}}" for s in panel.statements)
    lines = [title, f"  {'':{width}}  {numbers}".rstrip()]
    for row in panel.rows:
        cells = []
        for n in range(len(panel.statements)):
            bar = next((b for b in row.bars if b.first <= n <= b.last), None)
            shade = _SHADES[bar.level] if bar is not None else " "
            said = "".join(row.marks.get(n, ()))[: cell - 1]
            is_last = bar is None or n == len(panel.statements) - 1 or bar.lock.held_until != "commit"
            cells.append(f"{said}{shade * (cell - len(said) - is_last)}{' ' * is_last}")
        name = f"{row.relation} (new)" if row.is_new else row.relation
        lines.append(f"  {name:{width}}  {''.join(cells)}".rstrip())
    if times:
        lines.append(f"  {'takes':{width}}  {''.join(f'{said:<{cell}}' for said in times)}".rstrip())
    return [*lines, *refused]


def _seconds(one: tuple[float, float] | None, *, is_short: bool = False) -> str:
    """An estimate in words."""
    if one is None:
        return ""
    if one == NOT_KNOWN:
        return "not known"
    if one[1] < 0.05:
        return _MOMENT
    low, high = (1000 * seconds for seconds in one)
    if is_short:
        return f"≤ {duration(high)}"
    return duration(high) if duration(low) == duration(high) else f"{duration(low)} to {duration(high)}"


# --- as SVG -----------------------------------------------------------------------------------

_WIDTH, _ROW, _HEAD, _LEAST, _LETTER = 960, 28, 52, 18, 7.3

_STYLE = """
.wt { --ink: #1d2733; --soft: #5b6b7c; --line: #d5dce4; --paper: #ffffff;
  --reads: #c8372d; --writes: #e08a00; --ddl: #6d9bd1; --none: #c9d3dd; --on: #ffffff; --on-soft: #1d2733;
  color: var(--ink); background: var(--paper); font: 13px/1.45 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .wt { --ink: #e6ebf0; --soft: #9aa8b6; --line: #39444f; --paper: #14191f;
  --reads: #e5564b; --writes: #f0a530; --ddl: #4f7fb8; --none: #44505c; --on: #14191f; --on-soft: #e6ebf0; } }
.wt text { fill: var(--ink); font: 12px ui-monospace, Menlo, Consolas, monospace; }
.wt text.title { font: 600 14px system-ui, sans-serif; }
.wt text.soft { fill: var(--soft); font: 11px system-ui, sans-serif; }
.wt text.mark { fill: var(--on); font-weight: 700; text-anchor: middle; }
.wt text.mark.none, .wt text.mark.bare { fill: var(--on-soft); }
.wt line { stroke: var(--line); }
.wt rect.paper { fill: var(--paper); }
.wt rect.reads { fill: var(--reads); } .wt rect.writes { fill: var(--writes); }
.wt rect.ddl { fill: var(--ddl); } .wt rect.none { fill: var(--none); }
.wt .new { opacity: 0.35; }
""".strip()


def timeline_svg(trace: Trace, estimates: Estimates | None = None) -> str:
    """The picture as one SVG, which follows the reader's light or dark."""
    parts, height = [], 16
    for panel in _panels(trace, estimates or {}):
        drawn, used = _svg_panel(panel, height)
        parts += drawn
        height += used
    parts += _legend(height)
    height += 50
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="wt" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-label="{_safe(_about(trace))}">\n<style>{_STYLE}</style>\n'
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>\n' + "\n".join(parts) + "\n</svg>"
    )


def _about(trace: Trace) -> str:
    return (
        f"{counted(len(trace.statements), 'statement')} of {counted(len(trace.migrations), 'migration')}, "
        f"rehearsed on PostgreSQL {trace.server_version}"
    )


def _svg_panel(panel: _Panel, top: int) -> tuple[list[str], int]:
    kind = "one transaction" if panel.is_transactional else "no transaction: each statement by itself"
    parts = [_text(16, top + 14, panel.title, "title")]
    if not panel.rows:
        said = panel.refused or f"{kind}; {_NOBODY}"
        return [*parts, _text(16, top + 32, said, "soft")], 52
    parts.append(_text(16, top + 32, f"{kind}; {panel.refused}" if panel.refused else kind, "soft"))
    names = max(len(row.relation) + 6 * row.is_new for row in panel.rows)
    left = 16 + min(int(names * _LETTER) + 12, 320)
    edges = _edges(panel, left)
    bottom = top + _HEAD + _ROW * len(panel.rows)
    for n, s in enumerate(panel.statements):
        parts.append(f'<line x1="{edges[n]}" y1="{top + 34}" x2="{edges[n]}" y2="{bottom}"/>')
        if edges[n + 1] - edges[n] >= _LEAST:
            shown = f"<text x='{edges[n] + 3}' y='{top + 46}' class='soft'>{_number(s)}</text>"
            parts.append(f"<g><title>{_safe(_told(s, panel.seconds[n]))}</title>{shown}</g>")
    for number, row in enumerate(panel.rows):
        parts += _svg_row(row, panel, edges, top + _HEAD + _ROW * number)
    used = _HEAD + _ROW * len(panel.rows)
    if any(panel.seconds):
        parts.append(_text(16, bottom + 15, "takes", "soft"))
        for n, one in enumerate(panel.seconds):
            said = _seconds(one)
            if said and len(said) * 6 > edges[n + 1] - edges[n]:
                said = _seconds(one, is_short=True)
            if said and len(said) * 6 <= edges[n + 1] - edges[n]:
                parts.append(_text(edges[n] + 3, bottom + 15, said, "soft"))
        used += 20
    if panel.left_out:
        more = counted(panel.left_out, "relation")
        parts.append(_text(16, top + used + 14, f"and {more} locked so that nobody waits", "soft"))
        used += 18
    return parts, used + 26


def _edges(panel: _Panel, left: int) -> list[int]:
    """Where the statements begin, and where the last one ends."""
    places, at = [left], float(left)
    for share in panel.shares:
        at += share * (_WIDTH - 16 - left)
        places.append(round(at))
    return places


def _svg_row(row: _Row, panel: _Panel, edges: Sequence[int], top: int) -> list[str]:
    name = f"{row.relation} (new)" if row.is_new else row.relation
    parts = [_text(16, top + 18, _shortened(name, int((edges[0] - 20) / _LETTER)), "")]
    parts.append(f'<line x1="16" y1="{top + _ROW}" x2="{_WIDTH - 16}" y2="{top + _ROW}"/>')
    fade = " new" if row.is_new else ""
    for bar in row.bars:
        x, width = edges[bar.first] + 1, edges[bar.last + 1] - edges[bar.first] - 2
        until = "the end of the transaction" if bar.lock.held_until == "commit" else f"the {bar.lock.held_until}'s end"
        said = f"{row.relation}: {said_mode(bar.lock.mode)} until {until}; {_WHO[bar.level]}"
        height, y = (6, top + 11) if bar.level == "none" else (18, top + 5)
        parts.append(
            f'<rect class="{bar.level}{fade}" x="{x}" y="{y}" width="{max(width, 2)}" height="{height}" rx="3">'
            f"<title>{_safe(said)}</title></rect>"
        )
    for n, letters in row.marks.items():
        over = next((b for b in row.bars if b.first <= n <= b.last), None)
        level = over.level if over is not None and not row.is_new else "bare"
        if edges[n + 1] - edges[n] < _LETTER * len(letters):
            continue
        middle = (edges[n] + edges[n + 1]) // 2
        parts.append(
            f"<g><title>{_safe(_told(panel.statements[n], panel.seconds[n]))}</title>"
            f'<text class="mark {level}" x="{middle}" y="{top + 18}">{"".join(letters)}</text></g>'
        )
    return parts


def _told(s: Traced, seconds: tuple[float, float] | None) -> str:
    return "\n".join([f"{s.file}:{s.line}", s.text, *_takes(seconds)])


def _takes(seconds: tuple[float, float] | None) -> list[str]:
    """How long, as a sentence; none where nothing is known of any."""
    if seconds == NOT_KNOWN:
        return ["how long it takes is not known"]
    said = _seconds(seconds)
    return [f"takes {'' if said == _MOMENT else 'about '}{said}"] if said else []


def _legend(top: int) -> list[str]:
    parts, x = [], 16
    for level in reversed(_LEVELS):
        height, y = (6, top + 12) if level == "none" else (14, top + 8)
        parts.append(f'<rect class="{level}" x="{x}" y="{y}" width="22" height="{height}" rx="3"/>')
        parts.append(_text(x + 28, top + 19, _WHO[level], "soft"))
        x += 28 + int(len(_WHO[level]) * 5.9) + 22
    letters = ", ".join(f"{letter} {said}" for letter, said in [*((a, c) for a, _, c in _MARKS), _CHANGED])
    parts.append(_text(16, top + 41, f"{letters}, {_UNDECIDED}. The bar ends where the lock is given back.", "soft"))
    return parts


def _text(x: int, y: int, said: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{_safe(said)}</text>'


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[-(most - 1) :]}"


def _safe(text: str) -> str:
    """Text for XML, without characters that it forbids."""
    kept = "".join(c if c >= " " or c in "\n\t" else "�" for c in text)
    return html_.escape(kept)


# --- as a page --------------------------------------------------------------------------------

_PAGE = """
body { margin: 0; } main { max-width: 992px; margin: 0 auto; padding: 16px; }
.wt h1 { font-size: 20px; margin: 8px 0 2px; } .wt p { color: var(--soft); margin: 2px 0 16px; }
.wt svg { max-width: 100%; height: auto; } .wt h2 { font-size: 15px; margin: 24px 0 4px; }
.wt ol { padding-left: 44px; } .wt li { margin: 0 0 10px; }
.wt pre { margin: 0; font: 12px/1.45 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.wt small { color: var(--soft); }
""".strip()


def timeline_html(trace: Trace, estimates: Estimates | None = None) -> str:
    """The picture as a page that needs nothing else, with every statement below it."""
    estimates = estimates or {}
    where = _about(trace) if trace.label in trace.start else f"{_about(trace)}, from {trace.start}"
    body = [f"<h1>{_safe(trace.label)}</h1>", f"<p>{_safe(where)}</p>", timeline_svg(trace, estimates)]
    body += [f"<p>{_safe(note)}</p>" for note in (*trace.notes, *trace.untouched_note)]
    number = 0
    for id_, some in groupby(trace.statements, key=lambda s: s.id):
        body.append(f"<h2>{_safe(id_)}</h2>\n<ol>")
        for s in some:
            said = "; ".join(_html_facts(s, estimates.get(number)))
            body.append(f'<li value="{s.number}"><pre>{_safe(s.text)}</pre><small>{_safe(said)}</small></li>')
            number += 1
        body.append("</ol>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_safe(trace.label)}: trace</title>\n<style>{_STYLE}\n{_PAGE}</style>\n</head>\n"
        '<body class="wt">\n<main>\n' + "\n".join(body) + "\n</main>\n</body>\n</html>"
    )


def _html_facts(s: Traced, seconds: tuple[float, float] | None) -> list[str]:
    facts = [f"line {s.line}"]
    facts += [f"{said_mode(lock.mode)} on {lock.relation}" for lock in s.locks if _level(lock) != "none"]
    facts += [
        f"{what} {name}"
        for what, names in (
            ("rewrites", s.rewrites),
            ("reads all of", s.scans),
            ("builds", s.builds),
            ("changes rows of", s.changes),
        )
        for name in names
    ]
    facts += [f"undecided: {s.undecided}"] if s.undecided else []
    facts += [f"refused: {s.error}"] if s.error else []
    return [*facts, *_takes(seconds)]
