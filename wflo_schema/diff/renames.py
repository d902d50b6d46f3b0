"""Renames: what is gone here and new there may be one and the same thing, which only a person knows.

Hides how alike two of them must be before somebody is asked, and how a name on the command line is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from wflo_schema.catalog.altering import attributes_of, labels_of
from wflo_schema.catalog.mend import named
from wflo_schema.catalog.objects import Catalog, Key, Object, Path
from wflo_schema.errors import Refused, UsageError
from wflo_schema.names import NAME, qualified, quote
from wflo_schema.words import listed

# In place of a kind: what is in a type.
_LABEL, _ATTRIBUTE = "enum value", "attribute"

# Kinds that hold data, or are in what does; in this order each finds what it is in under its new name.
_ASKED = ("schema", "table", "foreign table", "type", "domain", "sequence", "column", _ATTRIBUTE, _LABEL)


@dataclass(frozen=True, slots=True)
class Renaming:
    """One thing that has another name.  ``old`` and ``new`` are bare names, schema first."""

    kind: str
    old: Path
    new: Path

    @property
    def option(self) -> str:
        """What is typed to say so."""
        is_beside = self.old[:-1] == self.new[:-1]
        return f"{_spelled(self.old)}={_spelled(self.new[-1:]) if is_beside else _spelled(self.new)}"

    @property
    def back(self) -> Renaming:
        """The renaming that takes it back."""
        return Renaming(self.kind, self.new, self.old)

    @property
    def statements(self) -> str:
        """The SQL that does it."""
        old, new = self.old, self.new
        if self.kind == "column":
            return f"ALTER TABLE {qualified(*old[:2])} RENAME COLUMN {quote(old[2])} TO {quote(new[2])};"
        if self.kind == _ATTRIBUTE:
            return f"ALTER TYPE {qualified(*old[:2])} RENAME ATTRIBUTE {quote(old[2])} TO {quote(new[2])};"
        if self.kind == _LABEL:
            return f"ALTER TYPE {qualified(*old[:2])} RENAME VALUE {_literal(old[2])} TO {_literal(new[2])};"
        lines = []
        if old[:-1] != new[:-1]:
            lines.append(f"ALTER {named(Object(self.kind, old))} SET SCHEMA {quote(new[0])};")
        if old[-1] != new[-1]:
            there = Object(self.kind, (*new[:-1], old[-1]))
            lines.append(f"ALTER {named(there)} RENAME TO {quote(new[-1])};")
        return "\n".join(lines)


def _spelled(path: Path) -> str:
    return qualified(*path)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Likely:
    """What is gone, what it is, and the names under which it may be there now."""

    kind: str
    old: Path
    news: tuple[Path, ...]
    what: str

    @property
    def text(self) -> str:
        """Say what is gone, and what may be its new name."""
        new = " or ".join(f"{_spelled(n)}" for n in self.news)
        return f"{self.kind} {_spelled(self.old)}{f' ({self.what})' if self.what else ''} is gone, and {new} is new"

    def renamings(self) -> tuple[Renaming, ...]:
        """Each that it may be."""
        return tuple(Renaming(self.kind, self.old, new) for new in self.news)


# Is asked which of them it is; None where it is none, and what is gone is dropped.
Ask = Callable[[Likely], Renaming | None]


class Wishes:
    """The renames and the drops that were asked for; each must fit something."""

    def __init__(self, renames: Sequence[str] = (), drops: Sequence[str] = (), ask: Ask | None = None) -> None:
        self.ask = ask
        self._renames = {text: _read_rename(text) for text in renames}
        self._drops = {text: _names(text, "--drop") for text in drops}
        self._used: set[str] = set()
        self._dropped: set[tuple[str, Path]] = set()

    def next(self, have: Catalog, want: Catalog) -> Renaming | None:
        """The next renaming to do, None where none is left.

        Raise `Refused` where something may have been renamed, and nobody says so.
        """
        gone, come = _only_in(have, want), _only_in(want, have)
        wished = self._wished(gone, come) or self._wished_again(have, want)
        if wished is not None:
            return wished
        open_: list[Likely] = []
        for likely in candidates(have, want):
            if any(_is_meant(names, likely.old) for names in self._drops.values()):
                self._used |= {text for text, names in self._drops.items() if _is_meant(names, likely.old)}
            elif (likely.kind, likely.old) not in self._dropped:
                open_.append(likely)
        for likely in open_ if self.ask is not None else ():
            assert self.ask is not None
            chosen = self.ask(likely)
            if chosen is not None:
                return chosen
            self._dropped.add((likely.kind, likely.old))
        if open_ and self.ask is None:
            raise _refused(open_, [f"--rename {t}" for t in self._renames if t not in self._used])
        self._used |= {t for t, names in self._drops.items() if any(_is_meant(names, path) for _, path in gone)}
        return None

    def _wished(self, gone: Sequence[Key], come: Sequence[Key]) -> Renaming | None:
        """A renaming that was asked for, of what is gone to what is new."""
        for text, (old, new) in self._renames.items():
            for kind, path in gone if text not in self._used else ():
                full = (*path[:-1], *new) if len(new) == 1 else new
                found = next((p for k, p in come if k == kind and _is_meant(full, p)), None)
                if found is not None and _is_meant(old, path):
                    self._used.add(text)
                    return Renaming(kind, path, found)
        return None

    def _wished_again(self, have: Catalog, want: Catalog) -> Renaming | None:
        """One whose old name or new name is both here and there, as in a=b with b=c; of a=b with b=a the first half."""
        has, wants = _all(have), _all(want)
        circle = None
        for text, (old, new) in self._renames.items():
            for kind, path in has if text not in self._used else ():
                full = (*path[:-1], *new) if len(new) == 1 else new
                found = next((p for k, p in wants if k == kind and _is_meant(full, p)), None)
                if found is None or not _is_meant(old, path):
                    continue
                if (kind, found) not in has:
                    self._used.add(text)
                    return Renaming(kind, path, found)
                if self._leaves(found):
                    circle = circle or (text, Renaming(kind, path, (*path[:-1], f"{path[-1][:50]}_renamed")))
                elif (kind, path) not in wants:  # what has the name now is dropped
                    return Renaming(kind, found, (*found[:-1], f"{found[-1][:50]}_aside"))
        if circle is not None:
            self._renames[circle[0]] = circle[1].new, self._renames[circle[0]][1]
            return circle[1]
        return None

    def _leaves(self, path: Path) -> bool:
        """Whether what has this name is to have another one."""
        return any(_is_meant(old, path) for text, (old, _) in self._renames.items() if text not in self._used)

    def refuse_unused(self) -> None:
        """Raise `UsageError` where a wish fits nothing that differs."""
        renames = [t for t in self._renames if t not in self._used]
        if renames:
            raise UsageError(
                f"--rename {renames[0]}: there is nothing of the old name that is gone, with one of the new name that "
                "is new",
                hint="write both names as they are in the two databases: --rename public.users.name=full_name",
            )
        drops = [t for t in self._drops if t not in self._used]
        if drops:
            raise UsageError(
                f"--drop {drops[0]}: nothing of that name is gone",
                hint="write it as the migrations make it: --drop public.users.name",
            )


def _refused(open_: Sequence[Likely], unused: Sequence[str]) -> Refused:
    hints = []
    for likely in open_:
        ways = [f"--rename {r.option}" for r in likely.renamings()]
        hints.append(f"{' or '.join(ways)}; if it is to be dropped: --drop {_spelled(likely.old)}")
    return Refused(
        "it cannot be seen whether this was renamed, or dropped and another made:\n"
        + "\n".join((*(likely.text for likely in open_), *(f"{option} fits none of it" for option in unused))),
        hint="say which it is: " + "\n".join(hints),
    )


def _read_rename(text: str) -> tuple[Path, Path]:
    parts = re.fullmatch(rf"((?:{NAME}\.)*{NAME})=((?:{NAME}\.)*{NAME})", text)
    if parts is None:
        raise UsageError(f"--rename {text}: write old=new", hint="--rename public.users.name=full_name")
    return _names(parts[1], "--rename"), _names(parts[2], "--rename")


def _names(text: str, option: str) -> Path:
    if re.fullmatch(rf"(?:{NAME}\.)*{NAME}", text) is None:
        raise UsageError(f"{option} {text}: this is no name", hint=f"{option} public.users.name, quoted as in SQL")
    return tuple(_as_is(n) for n in re.findall(NAME, text))


def _as_is(name: str) -> str:
    """Without quotes; letters stay, as a label's do."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _is_meant(names: Path, path: Path) -> bool:
    """Whether names that somebody wrote are this path: the schema may be left out."""
    full = path[-len(names) :] if len(names) < len(path) and len(names) >= len(path) - 1 else path
    return len(names) == len(full) and all(p in (n, n.lower()) for n, p in zip(names, full, strict=True))


def _parts(one: Object) -> Iterator[tuple[str, Path]]:
    definition = one.get("definition")
    if one.kind == "type" and definition.startswith("ENUM"):
        yield from ((_LABEL, (*one.path, label[1:-1].replace("''", "'"))) for label in labels_of(one))
    elif one.kind == "type" and definition.startswith("("):
        yield from ((_ATTRIBUTE, (*one.path, _as_is(name))) for name in attributes_of(definition))


def _all(catalog: Catalog) -> dict[tuple[str, Path], None]:
    found: dict[tuple[str, Path], None] = {}
    for one in catalog.objects:
        if not one.follows or one.kind == "sequence":
            found[one.key] = None
            found.update(dict.fromkeys(_parts(one)))
    return found


def _only_in(one: Catalog, other: Catalog) -> list[tuple[str, Path]]:
    there = _all(other)
    rank = {kind: number for number, kind in enumerate(_ASKED)}
    return sorted((k for k in _all(one) if k not in there), key=lambda k: (rank.get(k[0], len(rank)), k))


def owned_sequences(have: Catalog, want: Catalog) -> Iterator[Renaming]:
    """Sequences of one and the same column that are called otherwise: nobody needs to be asked."""
    owned = {
        one.get("owned by"): one
        for one in want.objects
        if one.kind == "sequence" and one.get("owned by") and have.find("sequence", *one.path) is None
    }
    for one in have.objects:
        wanted = owned.get(one.get("owned by")) if one.kind == "sequence" and one.get("owned by") else None
        if wanted is not None and want.find("sequence", *one.path) is None:
            yield Renaming("sequence", one.path, wanted.path)


# Of two tables' columns, the share that both have, and of their names.
_ALIKE = 0.5


def candidates(have: Catalog, want: Catalog) -> tuple[Likely, ...]:
    """What is gone, each with all of the same kind and place that are new and like it."""
    gone, come = _only_in(have, want), _only_in(want, have)
    known = _Contents(have), _Contents(want)
    found = []
    for kind, old in gone:
        if kind not in _ASKED:
            continue
        news = tuple(new for k, new in come if k == kind and _is_like(kind, old, new, *known))
        if news:
            found.append(Likely(kind, old, news, known[0].what(kind, old)))
    first = min((_ASKED.index(one.kind) for one in found), default=0)
    return tuple(one for one in found if _ASKED.index(one.kind) == first)


class _Contents:
    """What is in a schema, a table or a type, to be held against another's."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._in: dict[tuple[str, Path], set[str]] = {}
        for one in catalog.objects:
            if one.kind == "column" and one.get("type"):
                self._in.setdefault(("table", one.path[:2]), set()).add(f"{one.path[2]} {one.get('type')}")
            if one.kind in ("table", "view", "type", "domain", "function"):
                self._in.setdefault(("schema", one.path[:1]), set()).add(f"{one.kind} {one.path[1:]}")
            if one.kind == "type":
                self._in[("type", one.path)] = {path[-1] for _, path in _parts(one)} or {one.get("definition")}

    def of(self, kind: str, path: Path) -> set[str]:
        return self._in.get(("table" if kind == "foreign table" else kind, path), set())

    def what(self, kind: str, path: Path) -> str:
        if kind in ("column", "domain"):
            return self.get(kind, path).get("type")
        return ""

    def get(self, kind: str, path: Path) -> Object:
        return self._catalog.find(kind, *path) or Object(kind, path)

    def labels(self, path: Path) -> list[str]:
        return [p[-1] for _, p in _parts(self.get("type", path))]


def _is_like(kind: str, old: Path, new: Path, have: _Contents, want: _Contents) -> bool:
    if kind in ("schema", "table", "foreign table", "type"):
        if old[:-1] != new[:-1] and old[-1] != new[-1]:
            return False
        ours, theirs = have.of(kind, old), want.of(kind, new)
        return bool(ours or theirs) and len(ours & theirs) >= _ALIKE * max(len(ours), len(theirs))
    if old[:-1] != new[:-1]:
        return False
    if kind == "column":
        one, other = have.get(kind, old), want.get(kind, new)
        return bool(one.get("type")) and one.get("type") == other.get("type") and not one.get("generated")
    if kind == "domain":
        return have.get(kind, old).get("type") == want.get(kind, new).get("type")
    if kind == "sequence":
        return have.get(kind, old).get("owned by") == want.get(kind, new).get("owned by")
    if kind == _ATTRIBUTE:
        had, wanted = (attributes_of(c.get("type", old[:2]).get("definition")) for c in (have, want))
        return had.get(quote(old[2])) == wanted.get(quote(new[2]))
    labels, others = have.labels(old[:2]), want.labels(old[:2])
    return len(labels) == len(others) and labels.index(old[2]) == others.index(new[2])


def said(renamings: Collection[Renaming]) -> str:
    """The renamings in words."""
    return listed((r.option for r in renamings), 10)
