"""Which targets are meant: patterns, a query or the lines of a file become schemas and databases, each once.

Hides where schemas and databases are looked up, and how one is recognised by whatever host, port or user it is named.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import LiteralString
from urllib.parse import quote, unquote

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.database import PATIENT, URL_EXAMPLE, Database, database_error, is_login, wait_until_ready
from wflo_schema.connect.queries import fetch
from wflo_schema.connect.schemas import near_names, pattern_hint, pattern_meant
from wflo_schema.errors import ConnectionFailed, ConnectionLost, Refused, UsageError, WfloSchemaError
from wflo_schema.names import NAME_BYTES
from wflo_schema.words import counted, listed

# How many databases are looked at, at once.
_AT_ONCE = 8

# Milliseconds that the query of --schemas-from may take.
_QUERY_MS = 60_000

# Most names that an error lists, and most lines of a file that it shows.
_SHOWN = 10

# Names among which near ones are looked for.
_MOST_COMPARED = 20_000

_OTHERS: LiteralString = (
    "SELECT nspname::text FROM pg_catalog.pg_namespace "
    "WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
)


_URL_ELSEWHERE = "give the name alone, and the URL by --database-url"

# What leads to a database: conninfo, role and password command.
_Way = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A database, with the schema that is meant, if any, and what it is called where several are spoken of.

    ``is_new``: the schema is not there, and is to be made.  ``failure``: which schemas are meant could not be found
    out; it is the outcome of this target, and nothing is tried.  Equality is name and place.
    ``place``: the database, whichever schemas of it are meant.
    """

    name: str
    database: Database
    is_new: bool = field(default=False, compare=False)
    failure: WfloSchemaError | None = field(default=None, compare=False)
    place: Database = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", self.database.without_schemas)


def by_database(targets: Iterable[Target]) -> Mapping[Database, list[Target]]:
    """Those of each database, in order."""
    found: dict[Database, list[Target]] = {}
    for target in targets:
        found.setdefault(target.place, []).append(target)
    return found


@dataclass(frozen=True, slots=True)
class Targets:
    """All that are meant, in their order: as named, then as patterns match (by name) and as the query gives them.

    ``without``: the databases in which no schema is meant.
    """

    items: tuple[Target, ...]
    without: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Target]:
        return iter(self.items)

    @property
    def by_database(self) -> Mapping[Database, list[Target]]:
        """Each database, without a schema, and the targets in it."""
        return by_database(self.items)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which targets somebody asks for.

    ``schemas``, ``patterns`` of LIKE and ``query``, whose first column names schemas, are of each database that is
    meant: those that the patterns ``databases`` fit, or of ``lines``, else the one that is given beside.  Without
    any, a database is a target itself.  A line is a database whose ``source`` is its place; it may have a schema.
    """

    schemas: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    query: str | None = None
    databases: tuple[str, ...] = ()
    lines: tuple[Database, ...] | None = None

    @property
    def asks_for_schemas(self) -> bool:
        """Do they say which schemas, rather than which databases alone?"""
        return bool(self.schemas or self.patterns or self.query is not None)


def find_targets(
    database: Database | None, wishes: Wishes, *, create: bool = False, wait_s: float | None = None
) -> Targets:
    """Find the targets that ``wishes`` ask for, on the server of ``database`` or where their lines lead.

    Reads only, by one connection for each database.  ``create``: a schema that is named and not there is to be made.
    ``wait_s``: how long to wait for a server that is still starting.  A database of a list that cannot be reached is
    a target all the same: it fails by itself.

    Raise `UsageError` where the wishes make no sense, or one target is named twice, also by another spelling of its
    host; `Refused` where a pattern matches nothing or a schema is not there; `ConnectionFailed` for ``database``.
    """
    _refuse_odd(wishes)
    bases, is_list = _bases(database, wishes)
    looks = _look_at_all(bases, wishes, is_list=is_list, wait_s=wait_s)
    chosen: list[_Chosen] = []
    for base in bases:
        chosen += _chosen(base, looks[_way(base)], wishes)
    _refuse_unmatched(wishes, looks.values())
    if not create:
        _refuse_missing([c for c in chosen if c.is_missing], looks)
    _refuse_twice(chosen)
    _refuse_shared_ledger(chosen)
    if not chosen:
        raise Refused("no schema is meant in any of these databases", hint="wflo-schema status --help")
    named = {_way(c.base) for c in chosen}
    without = tuple(b.label for b in bases if _way(b) not in named)
    return Targets(tuple(_named(chosen)), without)


def read_lines(text: Iterable[str], where: str) -> Iterator[Database]:
    """Read a list of targets: ``URL`` or ``URL#schema`` a line.  ``where`` is what messages call it.

    A ``#`` at the beginning of a line or behind a blank begins a comment.  Raise `UsageError` that names the lines
    which are none; it repeats nothing of them, as there may be a password in it.
    """
    wrong: list[tuple[str, UsageError]] = []
    known: dict[str, Database] = {}
    count = 0
    for number, line in enumerate(text, 1):
        said = re.split(r"(?:\A|\s)#", line.strip("\ufeff \t\r\n\f"), maxsplit=1)[0].strip()
        if not said:
            continue
        try:
            yield _read_line(said, f"{where}:{number}", known)
            count += 1
        except UsageError as error:
            wrong.append((f"{where}:{number}", error))
    if wrong:
        (_, first), *rest = wrong
        more = f"\nand so is {listed((place for place, _ in rest), _SHOWN)}" if rest else ""
        raise UsageError(f"{first.message}{more}", hint=first.hint)
    if not count:
        raise UsageError(f"{where} names no target", hint=_LINE)


_LINE = f"write a URL a line, and the schema behind a #: {URL_EXAMPLE}#schema"


def _read_line(said: str, place: str, known: dict[str, Database]) -> Database:
    """One line; ``known``: what URLs of other lines say."""
    url, sign, schema = said.partition("#")
    if "://" not in url or re.search(r"\s", url):
        raise UsageError(f"{place}: this is no URL of a database", hint=_LINE)
    if sign and (not schema or re.search(r"[@/:#]", schema)):
        what = "a # in it that begins no schema's name" if schema else "no schema behind its #"
        raise UsageError(
            f"{place}: the URL has {what}",
            hint="a # / : or @ in a user, a password or a schema must be percent-encoded: # is %23, @ is %40",
        )
    found = known.get(url)
    if found is None:
        found = known[url] = Database.parse(url, source=place)
    if sign and found.schema is not None:
        raise UsageError(f"{place}: the URL names a schema, and so does what is behind its #", hint="leave out one")
    if sign:
        _refuse_name(unquote(schema), place)
    return replace(found.with_schema(unquote(schema)) if sign else found, source=place)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one database said.

    ``is_which`` tells it from every other: when its server started, its port, the database's number.  ``path``: the
    schema that its search_path leads to.  ``there``: of the schemas that are named, those that are there.
    """

    is_which: tuple[object, ...] = ()
    path: str | None = None
    there: frozenset[str] = frozenset()
    matched: tuple[str, ...] = ()
    queried: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    failure: WfloSchemaError | None = None


@dataclass(frozen=True, slots=True)
class _Chosen:
    """One target before all of them are known.

    ``by`` says what named it; ``which`` database and the schema ``at`` are the same for the same place.
    """

    base: Database
    schema: str | None
    by: str
    which: tuple[object, ...]
    at: str | None = None
    is_missing: bool = False
    failure: WfloSchemaError | None = None


@dataclass(frozen=True, slots=True)
class _Identity:
    started: str
    port: str
    oid: int
    schema: str | None


@dataclass(frozen=True, slots=True)
class _Name:
    name: str


def _refuse_odd(wishes: Wishes) -> None:
    """Raise `UsageError` for what cannot be a pattern or a name."""
    for option, patterns in (("--schemas", wishes.patterns), ("--databases", wishes.databases)):
        for pattern in patterns:
            if is_login(pattern):
                raise UsageError(f"{option} takes a pattern, and is given a URL", hint=_URL_ELSEWHERE)
            slashes = len(pattern) - len(pattern.rstrip("\\"))
            if not pattern or "\x00" in pattern or slashes % 2:
                what = "is empty" if not pattern else f"{pattern} is no pattern of LIKE"
                raise UsageError(
                    f"{option} {what}", hint=f"for example {option} 'tenant_%'; \\_ is a _ and \\\\ is a \\"
                )
    for name in wishes.schemas:
        _refuse_name(name, "--schema")
    if wishes.query is not None and not wishes.query.strip():
        raise UsageError("--schemas-from is empty", hint="for example --schemas-from 'SELECT schema FROM tenants'")
    if twice := _repeated(wishes.schemas):
        raise UsageError(f"--schema names {listed(twice)} twice", hint="name each once")


def _refuse_name(name: str, place: str) -> None:
    """Raise `UsageError` where no schema can be called so."""
    if is_login(name):
        raise UsageError(f"{place}: a URL is no schema's name", hint=_URL_ELSEWHERE)
    if not name or name == "$user" or "\x00" in name:
        raise UsageError(f"{place}: {name or 'nothing'} is no schema's name", hint="give the schema's own name")
    if len(name.encode("utf-8", "surrogateescape")) > NAME_BYTES:
        raise UsageError(
            f"{place}: no schema can have the name {name}", hint=f"PostgreSQL keeps {NAME_BYTES} bytes of a name"
        )


def _bases(database: Database | None, wishes: Wishes) -> tuple[tuple[Database, ...], bool]:
    """The databases that are meant, and whether they are a list of which some may fail."""
    if wishes.lines is not None:
        own = next((line for line in wishes.lines if line.schema is not None), None)
        if own is not None and wishes.asks_for_schemas:
            raise UsageError(
                f"{own.source} names a schema, and an option says which schemas are meant in each database",
                hint="leave out the option, or what is behind the # of the lines",
            )
        return wishes.lines, True
    assert database is not None, "a server is asked, or lines are given"
    if not wishes.databases:
        return (database,), False
    try:
        with database.connect(settings=PATIENT) as connection:
            parameters = {"patterns": list(wishes.databases)}
            rows = fetch(connection, _Name, "fleet", "matching_databases", parameters)
            if rows:
                return tuple(database.with_name(row.name) for row in rows), True
            known = "SELECT datname::text FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY 1"
            raise _unmatched("--databases", "database", wishes.databases, _names(connection, known), database.label)
    except ConnectionFailed as error:
        if error.is_missing:
            error.hint = f"--databases asks this one which others there are: name one that is there, as {_POSTGRES}"
        raise
    except psycopg.Error as error:
        raise database_error(error, "looking for databases") from error


_POSTGRES = "postgresql://user@host:5432/postgres"


def _way(base: Database) -> _Way:
    """What leads to it: the same way is looked at once."""
    return (base.conninfo, base.role, base.password_command)


def _look_at_all(
    bases: Sequence[Database], wishes: Wishes, *, is_list: bool, wait_s: float | None
) -> dict[_Way, _Look]:
    """Look at each database once, at several at a time.  Raise where ``bases`` is no list, and it cannot be reached."""
    named: dict[_Way, set[str]] = {}
    first: dict[_Way, Database] = {}
    for base in bases:
        way = _way(base)
        first.setdefault(way, base)
        named.setdefault(way, set(wishes.schemas)).update(filter(None, [base.schema]))
    if wishes.databases and not any(named.values()) and not wishes.asks_for_schemas:  # each is there, once
        return dict.fromkeys(first, _Look())
    gone: dict[tuple[str, ...], ConnectionFailed] = {}

    def look(way: _Way) -> _Look:
        base = first[way]
        server = _server(base)
        try:
            if server in gone:  # its other databases would only be waited for
                raise gone[server]
            if wait_s is not None:
                wait_until_ready(base, wait_s, notify=lambda _: None)
            with base.connect(settings=PATIENT) as connection:
                return _look(connection, wishes, named[way], base)
        except (ConnectionFailed, ConnectionLost) as error:
            if not is_list:
                raise
            if isinstance(error, ConnectionFailed) and error.is_of_server:
                gone.setdefault(server, error)
            return _Look(("?", *way), failure=error)

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        return dict(zip(first, pool.map(look, first), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def _server(base: Database) -> tuple[str, ...]:
    known = base.parameters
    return tuple(known.get(key, "") for key in ("host", "hostaddr", "port", "user"))


def _look(connection: psycopg.Connection[TupleRow], wishes: Wishes, named: Collection[str], base: Database) -> _Look:
    """Ask one database all that there is to know."""
    doing = "looking at it"
    try:
        (here,) = fetch(connection, _Identity, "fleet", "identity", {})
        doing = "looking for its schemas"
        matched = fetch(connection, _Name, "fleet", "matching_schemas", {"patterns": list(wishes.patterns)})
        doing = "running the query of --schemas-from"
        queried = _query(connection, wishes.query, base) if wishes.query is not None else ()
        doing = "looking for its schemas"
        there = _there(connection, [*named, *queried])
        is_short = len(there) < len({*named, *queried}) or (wishes.patterns and not matched)
        others = _names(connection, _OTHERS) if is_short else ()
    except psycopg.Error as error:
        raise _of(base, database_error(error, doing)) from error
    which = (here.started, here.port, here.oid)
    return _Look(which, here.schema, there, tuple(row.name for row in matched), queried, others)


def _of(base: Database, error: WfloSchemaError) -> WfloSchemaError:
    error.message = f"{error.message}\nin {base.label}"
    error.args = (error.message,)
    return error


def _query(connection: psycopg.Connection[TupleRow], query: str, base: Database) -> tuple[str, ...]:
    """The names that the query gives.  It can write nothing, and is one statement: it goes by the extended protocol."""
    connection.execute("BEGIN READ ONLY")
    connection.execute(f"SET LOCAL statement_timeout = {_QUERY_MS}".encode())
    rows = connection.execute(query.encode(), binary=True)
    if rows.description is None:
        raise UsageError("--schemas-from is no query: it returns no rows", hint="its first column is to name schemas")
    found: list[str] = []
    for number, row in enumerate(rows, 1):
        value = row[0] if row else None
        if value is None:
            raise UsageError(
                f"the query of --schemas-from returns NULL in its row {number}, in {base.label}",
                hint="leave such rows out: … WHERE the column IS NOT NULL",
            )
        found.append(value.decode() if isinstance(value, bytes) else str(value))
    connection.execute("ROLLBACK")
    if not found:
        raise Refused(
            f"the query of --schemas-from returns no row in {base.label}", hint="run it in psql, as this user"
        )
    if len(set(found)) < len(found):
        raise UsageError(
            f"the query of --schemas-from returns {listed(_repeated(found))} more than once, in {base.label}",
            hint="write SELECT DISTINCT, if that is meant",
        )
    return tuple(found)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _there(connection: psycopg.Connection[TupleRow], names: Sequence[str]) -> frozenset[str]:
    query: LiteralString = (
        "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname::text OPERATOR(pg_catalog.=) ANY (%s::text[])"
    )
    return frozenset(name for (name,) in connection.execute(query, (list(names),))) if names else frozenset()


def _names(connection: psycopg.Connection[TupleRow], query: LiteralString) -> tuple[str, ...]:
    return tuple(name for (name,) in connection.execute(query))


def _chosen(base: Database, look: _Look, wishes: Wishes) -> Iterator[_Chosen]:
    """The targets in one database."""
    own = [(base.schema, base.source or "--schema")] if base.schema is not None and not wishes.asks_for_schemas else []
    by_name = [*own, *((name, "--schema") for name in wishes.schemas)]
    patterns = f"--schemas {shlex.join(wishes.patterns)}"
    if look.failure is not None:
        for name, by in by_name:
            yield _Chosen(base, name, by, look.is_which, name)
        if wishes.patterns or wishes.query is not None:
            yield _Chosen(base, None, patterns, look.is_which, failure=look.failure)
    elif by_name or wishes.asks_for_schemas:
        seen_by = [
            *by_name,
            *((name, patterns) for name in look.matched),
            *((name, "--schemas-from") for name in look.queried),
        ]
        matched = frozenset(look.matched)
        for name, by in seen_by:
            assert name is not None
            yield _Chosen(base, name, by, look.is_which, name, name not in look.there and name not in matched)
    if not by_name and not wishes.asks_for_schemas:
        yield _Chosen(base, None, base.source or base.label, look.is_which or _way(base), look.path)


def _refuse_unmatched(wishes: Wishes, looks: Collection[_Look]) -> None:
    if not wishes.patterns or any(look.matched or look.failure for look in looks):
        return
    there = tuple(dict.fromkeys(name for look in looks for name in look.others))
    where = "" if len(looks) == 1 else f" any of {counted(len(looks), 'database')}"
    raise _unmatched("--schemas", "schema", wishes.patterns, there, where)


def _unmatched(option: str, kind: str, patterns: Sequence[str], there: Sequence[str], where: str) -> Refused:
    """The error for patterns that nothing fits."""
    said = listed(map(shlex.quote, patterns), _SHOWN)
    shell_like = next((p for p in patterns if re.search(r"[*?]", p) and not re.search(r"[%]", p)), None)
    if shell_like is not None:
        meant = re.sub(r"\?", "_", shell_like.replace("_", r"\_").replace("*", "%"))
        hint = f"it is a pattern of LIKE, in which % stands for any text: {option} {shlex.quote(meant)}"
    else:
        beginning = re.sub(r"(?<!\\)%.*", "", patterns[0])
        near = _nearest(beginning, there, is_beginning="%" in patterns[0]) if beginning else []
        hint = f"the nearest: {listed(near)}" if near else f"there is: {listed(there, _SHOWN)}" if there else ""
        hint = hint or "there is none at all"
        if "%" not in patterns[0]:
            hint += f"; % stands for any text, as in {option} {shlex.quote(patterns[0] + '%')}"
    refused = Refused(f"no {kind} fits {option} {said}{f' in {where.strip()}' if where else ''}", hint=hint)
    refused.is_missing = True
    return refused


def _nearest(wish: str, there: Sequence[str], *, is_beginning: bool = False) -> list[str]:
    """Names that are like it; ``is_beginning``: that begin like it."""
    if not is_beginning:
        return near_names(wish, there[:_MOST_COMPARED], 3)
    by_part: dict[str, list[str]] = {}
    for name in there[:_MOST_COMPARED]:
        by_part.setdefault(name[: len(wish)].lower(), []).append(name)
    return [
        name for part in difflib.get_close_matches(wish.lower(), by_part, n=3, cutoff=0.6) for name in by_part[part]
    ]


def _refuse_missing(missing: Sequence[_Chosen], looks: dict[_Way, _Look]) -> None:
    """Raise `Refused` that names all schemas which are not there."""
    if not missing:
        return
    names = [one.schema or "" for one in missing]
    patterns = [p for c in missing[:_SHOWN] if (p := pattern_meant(c.schema or "", looks[_way(c.base)].others))]
    near = [f"{name}: did you mean {found[0]}?" for name, found in _meant(missing, looks) if not patterns]
    is_one, places = len(missing) == 1, {_way(one.base) for one in missing}
    if len(places) == 1 and missing[0].base.source not in {one.by for one in missing}:
        said = f"there is no schema {listed(names, _SHOWN)} in {missing[0].base.label}"
    else:
        lines = [f"{_said(one)}: there is no schema {one.schema} in {one.base.label}" for one in missing[:_SHOWN]]
        said = "\n".join([*lines, *([f"and {len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else [])])
    making = f"to make {'it' if is_one else 'them'}: wflo-schema migrate --create-schema"
    refused = Refused(said, hint=pattern_hint(patterns[0]) if patterns else "\n".join([*near, making]))
    refused.is_missing = True
    raise refused


def _meant(missing: Sequence[_Chosen], looks: dict[_Way, _Look]) -> Iterator[tuple[str, list[str]]]:
    """Of the first that are missing, what is there and nearly called so."""
    for one in missing[:_SHOWN]:
        if near := _nearest(one.schema or "", looks[_way(one.base)].others):
            yield one.schema or "", near


def _refuse_twice(chosen: Iterable[_Chosen]) -> None:
    """Raise `UsageError` for one target that is named twice, with both places."""
    seen: dict[tuple[tuple[object, ...], str | None], _Chosen] = {}
    for one in chosen:
        first = seen.setdefault((one.which, one.at), one)
        if first is one or one.failure is not None:
            continue
        where = one.base.with_schema(None).label
        is_respelt = first.base.conninfo != one.base.conninfo
        also = f" (there it is {first.base.label}: the same database)" if is_respelt else ""
        what = f"the schema {one.schema} of {where}" if one.schema else where
        raise UsageError(
            f"one target is named twice: {what}\nby {_said(first)}{also} and by {_said(one)}",
            hint="name it once: two runs on one target would wait for each other",
        )


def _said(one: _Chosen) -> str:
    return f"--schema {shlex.quote(one.schema or '')}" if one.by == "--schema" else one.by


def _refuse_shared_ledger(chosen: Sequence[_Chosen]) -> None:
    """Raise `UsageError` where several targets would have one ledger."""
    ledgers: dict[tuple[tuple[object, ...], str], _Chosen] = {}
    for one in chosen:
        apart = one.base.with_schema(one.schema).ledger_apart
        if apart is None or one.failure is not None:
            continue
        first = ledgers.setdefault((one.which, apart), one)
        if first is not one:
            raise UsageError(
                f"{first.schema or 'one target'} and {one.schema or 'another'} would share the ledger in {apart}, in "
                f"{one.base.label}: what one has would be recorded of both",
                hint="leave out --ledger-schema: the ledger of each target is in its schema",
            )


def _firsts(chosen: Iterable[_Chosen]) -> Iterable[_Chosen]:
    """One of each way to a database."""
    return {_way(one.base): one for one in chosen}.values()


def _named(chosen: Sequence[_Chosen]) -> Iterator[Target]:
    """The targets with names that are as short as is clear, each its own."""
    of_base = {_way(c.base): _place(c.base) for c in _firsts(chosen)}
    places = [of_base[_way(c.base)] for c in chosen]
    has_servers = len({place[:2] for place in places}) > 1
    has_databases = has_servers or len(set(places)) > 1
    found, encoded = [], []
    for one, (host, port, name) in zip(chosen, places, strict=True):
        where = f"{host}:{port}/{name}" if has_servers else name
        found.append(where if one.schema is None else f"{where}#{one.schema}" if has_databases else one.schema)
        encoded.append("#".join(quote(part, safe="/:") for part in (where, one.schema) if part is not None))
    times, seen = Counter(found), Counter[str]()
    for one, called, clear in zip(chosen, found, encoded, strict=True):
        if times[called] > 1:  # a # is in their names, or they are led to by other users, and not to be reached
            called = f"{clear} ({one.by})"
        seen[called] += 1
        called = called if seen[called] == 1 else f"{called} ({seen[called]})"
        yield Target(called, one.base.with_schema(one.schema), one.is_missing, one.failure)


def _place(base: Database) -> tuple[str, str, str]:
    known = base.parameters
    return (known.get("host") or known.get("hostaddr") or "local socket", known.get("port") or "5432", base.name)
