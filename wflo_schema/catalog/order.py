"""In which order mending statements run: what one of them needs, another has made before."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from wflo_schema.catalog.mend import (
    ABSENT,
    EXTRA,
    NAME,
    QUALIFIED,
    RANK,
    SPELLED,
    Place,
    Sides,
    add_constraint,
    comment_on,
    free_name,
    lines,
    mend_extra,
    rename,
)
from wflo_schema.catalog.objects import (
    OF_RELATION,
    Difference,
    Object,
    Path,
    table_of,
)
from wflo_schema.names import qualified, quote

_REFERENCES = re.compile(rf" REFERENCES ({SPELLED}\.{SPELLED})\(((?:[^()]|\([^()]*\))*)\)")
_KEY_COLUMNS = re.compile(r"^(?:PRIMARY KEY|UNIQUE)(?: NULLS NOT DISTINCT)? \((.*?)\)")


def in_order(found: Mapping[Place, Difference], sides: Sides) -> tuple[Difference, ...]:
    """All differences so that their mends run one after the other."""
    return tuple(difference for _, difference in placed_in_order(found, sides))


def placed_in_order(
    found: Mapping[Place, Difference], sides: Sides, *, needs: Mapping[Place, Collection[str]] | None = None
) -> list[tuple[Place, Difference]]:
    """All differences, with their places, so that their mends run one after the other.

    What is needed is made before what needs it, and dropped after what needed it; apart from that
    all that is made comes before all that is dropped, so that nothing is unprotected in between.
    A mend that needs what no mend makes is left out.  ``needs`` says of some places what they need, in place of
    what their objects mention.
    """
    needed_by = needs or {}
    mended = dict(found)
    after: dict[Place, set[Place]] = {place: set() for place in found}  # each place: what must be done before it
    exchanged = _put_aside(mended, after, sides)
    _keep_keys(mended, sides)
    makers: dict[str, list[Place]] = {}
    droppers: dict[str, list[Place]] = {}
    for place in found:
        for name in _makes(place, sides):
            makers.setdefault(name, []).append(place)
        for name in _drops(place, sides):
            droppers.setdefault(name, []).append(place)
    for place in found:
        for name in _needs(place, sides, needed_by):
            after[place].update(p for p in makers.get(name, ()) if p != place)
        for name in _needed(place, sides):
            for p in droppers.get(name, ()):
                if p != place:
                    after[p].add(place)
    done = list(_sorted(after, sides))
    for place in done:
        if mended[place].mend:
            made = (p for name in _needs(place, sides, needed_by) for p in makers.get(name, ()))
            if any(p[1] == ABSENT and p != place and not mended[p].mend for p in made):
                mended[place] = replace(mended[place], mend="")
        elif place[1] == EXTRA and place not in exchanged:
            for name in _needed(place, sides):
                for p in droppers.get(name, ()):
                    mended[p] = replace(mended[p], mend="") if p[1] == EXTRA and p != place else mended[p]
    return [(place, mended[place]) for place in done]


def _sorted(after: Mapping[Place, set[Place]], sides: Sides) -> Iterator[Place]:
    """Yield, each time, the first in the usual order that waits for nothing; cut a circle at its first."""
    # Not graphlib's sorter: it stops at a circle, and to begin a new one after each takes seconds for 1,000 circles.
    usual = {place: number for number, place in enumerate(sorted(after, key=lambda p: _usual(p, sides)))}
    waits = {place: len(before) for place, before in after.items()}
    before_what: dict[Place, list[Place]] = {}
    for place, before in after.items():
        for other in before:
            before_what.setdefault(other, []).append(place)
    left = sorted(after, key=usual.__getitem__)
    ready = [(usual[place], place) for place in left if not waits[place]]
    heapq.heapify(ready)
    done: set[Place] = set()
    cut = 0
    while len(done) < len(left):
        if ready:
            _, place = heapq.heappop(ready)
        else:
            while left[cut] in done:
                cut += 1
            place = left[cut]
        if place in done:
            continue
        done.add(place)
        yield place
        for other in before_what.get(place, ()):
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, (usual[other], other))


def _usual(place: Place, sides: Sides) -> tuple[bool, int, bool, Path, str]:
    (kind, path), attribute = place
    one = sides.wants.get(place[0]) or sides.has.get(place[0])
    is_foreign_key = one is not None and one.get("definition").startswith("FOREIGN KEY")
    rank = RANK["statistics" if attribute == "replica identity" else kind]
    if attribute == EXTRA:
        return (True, -rank, not is_foreign_key, path, attribute)
    return (False, rank, is_foreign_key, path, attribute)


def token(one: Object) -> str:
    """Say what others call it: without arguments, and without the table that an index is on."""
    if one.kind == "index" or (one.kind == "constraint" and _has_index(one)):
        return qualified(one.path[0], one.path[2])
    return one.name if one.kind in OF_RELATION or len(one.path) == 1 else qualified(*one.path[:2])


def _has_index(constraint: Object) -> bool:
    return constraint.get("definition").startswith(("PRIMARY KEY", "UNIQUE", "EXCLUDE"))


def _is_key(one: Object) -> bool:
    """Whether a foreign key may point to it."""
    if one.kind == "constraint":
        return one.get("definition").startswith(("PRIMARY KEY", "UNIQUE"))
    return one.kind == "index" and one.get("definition").startswith("CREATE UNIQUE")


_COMMENTS = ("comment", "comments")


def mentions(one: Object, attribute: str) -> set[str]:
    """Name what an object, or one attribute of it, cannot do without.  A function's body is looked at when it runs."""
    if attribute in (EXTRA, ABSENT):
        texts = [value for name, value in one.attributes if not name.endswith(_COMMENTS)]
    else:
        texts = [one.get(attribute)] if not attribute.endswith(_COMMENTS) else []
    if one.kind in ("function", "procedure"):
        texts = [re.split(r"\nAS \$", text, maxsplit=1)[0].replace(token(one), "", 1) for text in texts]
        texts.append(one.path[-1])
    texts += [text.replace("''", "'") for text in texts if "''" in text]  # the names within literals, as of nextval()
    found = {name for text in texts for name in QUALIFIED.findall(text)}
    if one.kind in OF_RELATION:
        found.add(qualified(*one.path[:2]))
    if attribute in ("replica identity", EXTRA, ABSENT) and one.get("replica identity").startswith("USING INDEX "):
        index = one.get("replica identity").removeprefix("USING INDEX ")
        found.add(f"{quote(one.path[0])}.{index}")
    references = _REFERENCES.search(one.get("definition")) if one.kind == "constraint" else None
    if references is not None:
        found.add(f"key of {references[1]}")
    is_in_two_spaces = one.kind in ("function", "procedure")  # a table may bear the same name
    return found - ({token(one)} if one.kind not in OF_RELATION and not is_in_two_spaces else set())


def _both(place: Place, sides: Sides) -> tuple[Object | None, Object | None]:
    return sides.has.get(place[0]), sides.wants.get(place[0])


# Attributes whose mend may drop the object and make it again.
_REPLACED = ("definition", "enforced", "validated", "triggers")


def _makes(place: Place, sides: Sides) -> Iterator[str]:
    had, wanted = _both(place, sides)
    attribute = place[1]
    if wanted is not None and attribute in (ABSENT, NAME, *_REPLACED):
        if wanted.kind not in OF_RELATION or wanted.kind in ("index", "constraint"):
            yield token(wanted)
        if _is_key(wanted):
            yield f"key of {table_of(wanted)}"
    if had is not None and attribute in (EXTRA, *_REPLACED):
        if attribute == EXTRA:
            yield f"free {token(had)}"
        if had.get("definition").startswith("PRIMARY KEY"):
            yield f"no primary key on {table_of(had)}"
    if wanted is not None and wanted.kind == "column" and attribute in (ABSENT, "type", "generated"):
        yield f"columns of {table_of(wanted)}"
    if had is not None and wanted is not None and had.kind == "column":
        if attribute == "type":
            yield f"type {wanted.name}"
        if attribute == "not null" and wanted.get("not null"):
            yield f"not null {wanted.name}"
        if attribute == "default" and not wanted.get("default"):
            yield f"no default {wanted.name}"
        if attribute == "identity" and not wanted.get("identity"):
            yield f"no identity {wanted.name}"
            yield f"free {had.get('identity sequence')}"


def _needs(place: Place, sides: Sides, needed_by: Mapping[Place, Collection[str]]) -> Iterator[str]:
    if place in needed_by:
        yield from sorted(needed_by[place])
        return
    _, wanted = _both(place, sides)
    attribute = place[1]
    if wanted is None:
        return
    if attribute != NAME:
        yield from sorted(mentions(wanted, attribute))
    if attribute not in (ABSENT, NAME, *_REPLACED):
        yield token(wanted)
    if attribute in (ABSENT, NAME):
        yield f"free {token(wanted)}"
    if attribute == ABSENT and wanted.get("definition").startswith("PRIMARY KEY"):
        yield f"no primary key on {table_of(wanted)}"
    if wanted.kind in ("function", "procedure") and "\nBEGIN ATOMIC" in wanted.get("definition"):
        yield from (f"columns of {name}" for name in sorted(mentions(wanted, attribute)))
    if wanted.kind == "column":
        if attribute in ("default", "identity"):
            yield f"type {wanted.name}"
        if attribute == "identity" and wanted.get("identity"):
            yield from (f"not null {wanted.name}", f"no default {wanted.name}")
        if attribute == "default" and wanted.get("default"):
            yield f"no identity {wanted.name}"
        if attribute == "not null" and not wanted.get("not null"):
            yield from (f"no primary key on {table_of(wanted)}", f"no identity {wanted.name}")


def _needed(place: Place, sides: Sides) -> Iterator[str]:
    """What a drop or a change lets go."""
    had, _ = _both(place, sides)
    if had is not None and place[1] != NAME:
        yield from sorted(mentions(had, place[1]))


def _drops(place: Place, sides: Sides) -> Iterator[str]:
    had, _ = _both(place, sides)
    if had is None or place[1] not in (EXTRA, *_REPLACED):
        return
    if had.kind not in OF_RELATION or had.kind in ("index", "constraint"):
        yield token(had)
    if _is_key(had):
        yield f"key of {table_of(had)}"


def _put_aside(found: dict[Place, Difference], after: dict[Place, set[Place]], sides: Sides) -> set[Place]:
    """Where an index takes the name of another, the other is renamed first, and dropped afterwards.

    A primary key is exchanged for another in one statement; return those that this drops.
    """
    exchanged: set[Place] = set()
    going: dict[Path, Place] = {}
    keys: dict[Path, Place] = {}
    for place in found:
        if place[1] == EXTRA and (one := sides.has[place[0]]).kind in ("index", "constraint"):
            if one.kind == "index" or _has_index(one):
                going[one.path[0], one.path[2]] = place
            if one.get("definition").startswith("PRIMARY KEY"):
                keys[one.path[:2]] = place
    for place in list(found):
        if place[1] != ABSENT or not found[place].mend or place[0][0] not in ("index", "constraint"):
            continue
        wanted = sides.wants[place[0]]
        old = keys.get(wanted.path[:2])
        if old is not None and wanted.get("definition").startswith("PRIMARY KEY"):
            drop = f"DROP CONSTRAINT {quote(sides.has[old[0]].path[2])}, ADD CONSTRAINT"
            found[place] = replace(found[place], mend=found[place].mend.replace("ADD CONSTRAINT", drop, 1))
            found[old] = replace(found[old], mend="")
            exchanged.add(old)
            continue
        old = going.get((wanted.path[0], wanted.path[2])) if wanted.kind == "index" or _has_index(wanted) else None
        if old is None:
            continue
        had = sides.has[old[0]]
        name = free_name(had, "_old", sides)
        aside = replace(had, path=(*had.path[:2], name))
        found[place] = replace(found[place], mend=lines(rename(had, aside).mend, found[place].mend))
        found[old] = replace(found[old], mend=mend_extra(aside))
        after[old].add(place)
    return exchanged


def _keep_keys(found: dict[Place, Difference], sides: Sides) -> None:
    """Where a key is replaced, the foreign keys that point to it and stay are made again in the same transaction."""
    for place, difference in list(found.items()):
        had = sides.has.get(place[0])
        if place[1] != "definition" or had is None or not _is_key(had) or not difference.mend:
            continue
        columns = _KEY_COLUMNS.match(had.get("definition"))
        pointing = [
            (one, sides.wants[key])
            for key, one in sides.has.items()
            if one.kind == "constraint"
            and key in sides.wants
            and (reference := _REFERENCES.search(one.get("definition"))) is not None
            and reference[1] == table_of(had)
            and columns is not None
            and _bare(reference[2]) == _bare(columns[1])
        ]
        if not pointing or had.kind == "index":
            continue
        drops = [f"ALTER TABLE {table_of(one)} DROP CONSTRAINT {quote(one.path[2])};" for one, _ in pointing]
        adds = [add_constraint(one, sides).split("\n") for _, one in pointing]
        comments = [comment_on(one, one.get("comment")) for _, one in pointing if one.get("comment")]
        found[place] = replace(
            difference,
            mend=lines(
                "BEGIN;",
                *drops,
                difference.mend,
                *(add[0] for add in adds),
                *comments,
                "COMMIT;",
                *(line for add in adds for line in add[1:]),
            ),
        )


def _bare(columns: str) -> frozenset[str]:
    return frozenset(re.sub(r"\bPERIOD | WITHOUT OVERLAPS", "", columns).split(", "))
