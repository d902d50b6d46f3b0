"""One parsed target (server, database name, schema) and the only way to connect to it.

Hides conninfo, the URL spellings of other tools, passwords, timeouts and what libpq says when it
cannot connect.
"""

from __future__ import annotations

import difflib
import re
import shlex
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from wflo_schema.errors import (
    CannotRead,
    ConnectionFailed,
    ConnectionLost,
    DatabaseError,
    UsageError,
)
from wflo_schema.names import NAME_BYTES, quote_always
from wflo_schema.names import quote as quote_name

if TYPE_CHECKING:
    from wflo_schema.connect.replaying import Replay

URL_EXAMPLE = "postgresql://user:password@host:5432/name"

_SCHEMES = re.compile(r"(?:jdbc:)?(?:postgres|postgresql)(?:\+[a-z0-9_]+)?\Z", re.IGNORECASE)

# Query parameters that change how a driver works and not where it connects to, nor as whom: those of SQLAlchemy's
# dialects, asyncpg, Prisma and JDBC (https://jdbc.postgresql.org/documentation/use/).
_DRIVER_ONLY_PARAMETERS = frozenset(
    {
        "binaryTransfer",
        "defaultRowFetchSize",
        "loginTimeout",
        "prepareThreshold",
        "preparedStatementCacheQueries",
        "reWriteBatchedInserts",
        "socketTimeout",
        "stringtype",
        "tcpKeepAlive",
        "tcp_keepalive",
        "async_fallback",
        "command_timeout",
        "connection_limit",
        "max_cached_statement_lifetime",
        "max_cacheable_statement_size",
        "pgbouncer",
        "pool_timeout",
        "prepared_statement_cache_size",
        "prepared_statement_name_func",
        "server_settings",
        "statement_cache_size",
    }
)

# Other drivers' names of libpq's parameters.
_SAME_PARAMETERS = {"ApplicationName": "application_name", "connectTimeout": "connect_timeout", "database": "dbname"}

# Settings of the server that other drivers take in a URL, and libpq in ``options``.
_SETTINGS = frozenset(
    {
        "DateStyle",
        "IntervalStyle",
        "TimeZone",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
        "search_path",
        "statement_timeout",
        "timezone",
        "transaction_timeout",
    }
)

# A network that went silent is noticed in a minute.  By the system's defaults it takes two hours where
# nothing was under way (probes, in seconds), and a quarter of an hour where something was and is not
# acknowledged (tcp_user_timeout, in milliseconds).
_DEFAULTS: dict[str, str] = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "application_name": "wflo-schema",
}

# The same for the server's end, so that a client that vanished does not leave its locks behind for hours: the
# server looks at the connection also while it works or waits for a lock (in milliseconds), since nobody brakes it any
# more.  A client that is there may be silent for as long as it reads a long file, whatever the role or database allows
# others.
WATCHED = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "client_connection_check_interval": "500",
    "idle_session_timeout": "0",
}

# Milliseconds, for sessions that only look: what is set for the role's other work may be too short.
PATIENT = {"statement_timeout": "120000", "idle_in_transaction_session_timeout": "0"}

# Milliseconds: a colleague's ALTER TABLE must not make a check hang, nor those who queue behind it.
LOCK_TIMEOUT_MS = 3000

# How pgbouncer and its like say that they pass no options on, and a server whose system cannot watch a connection.
_REFUSES_OPTIONS = re.compile(r"startup parameter|command-line options|client_connection_check_interval", re.IGNORECASE)

# How a server says that it, a database or a role has all the sessions that it may have.
_NO_SLOT = r"too many (?:clients|connections)|remaining connection slots|no more connections allowed"

_FULL = rf"{_NO_SLOT}|too many connections for (?:database|role)"

# Seconds that the server is given to end a session that we have closed: until then it holds its slot.  And how often
# we look.
_LEAVING_S, _POLL_S = 2.0, 0.01

# Settings that end a session that takes longer, and would end the next one too; by sqlstate.
TOO_LONG = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57P05": "idle_session_timeout",
}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Database:
    """A database that an operation acts on.  Equality is where it is, not how it was named.

    ``conninfo`` is libpq's, password and all, and so is kept out of ``repr``.  ``schema`` is where
    the ledger is and unqualified objects are made: it comes first in the session's search_path, and
    the rest of that path stays.  ``None`` leaves it to the search_path alone.  ``ledger_schema`` is where
    the ledger is instead; no search_path leads there.
    ``source`` says who named the database, for messages only.  ``password_command`` is a line for the shell; it is
    asked for the password before each connection.  ``role`` is whom each session works as, instead of the user who
    logs in: the sessions begin with it, so that RESET ROLE and DISCARD ALL go back to it.
    """

    conninfo: str = field(repr=False)
    schema: str | None = None
    source: str = field(default="", compare=False)
    replay: Replay | None = field(default=None, compare=False, repr=False)
    password_command: str | None = field(default=None, compare=False, repr=False)
    role: str | None = field(default=None, compare=False)
    ledger_schema: str | None = None

    @classmethod
    def parse(cls, url: str, *, schema: str | None = None, source: str = "") -> Database:
        """Parse a URL (libpq's, SQLAlchemy's, asyncpg's or JDBC's spelling) or a conninfo string.

        ``postgresql+asyncpg://…?ssl=require`` means what it means to SQLAlchemy, ``search_path=…`` or
        ``role=…`` what it means to asyncpg.  A ``schema`` parameter in the URL, as yoyo and Prisma take
        it, is used unless ``schema`` is given.  Quotes around the whole, which a file of variables may
        leave there, are dropped.  An empty ``url`` leaves everything to libpq's own variables (PGHOST …).

        Raise `UsageError` when it cannot be understood; the message never repeats the URL.
        """
        where = source or "the database URL"
        url = url.strip()
        if len(url) > 1 and url[0] == url[-1] and url[0] in "'\"":
            url = url[1:-1].strip()
        try:
            parameters = _from_url(url, where) if "://" in url else _from_conninfo(url, where)
        except ValueError:
            raise UsageError(
                f"{where} cannot be read as a database URL",
                hint=f"write it as {URL_EXAMPLE}; "
                "a user or password with one of @ : / ? # % [ ] must be percent-encoded",
            ) from None
        if "service" in parameters:
            raise UsageError(
                f"{where} names a service, which cannot be looked up from there",
                hint="name it by libpq's variable instead: PGSERVICE=… and no URL",
            )
        from_url, role = parameters.pop("schema", None), parameters.pop("role", None)
        chosen = schema if schema is not None else from_url
        _refuse_schema(chosen, "leave out --schema to use the search_path")
        parsed = cls(make_conninfo("", **parameters), schema=chosen, source=source)
        refuse_name(parsed.name, where)
        return parsed if role is None else parsed.with_role(role)

    @property
    def parameters(self) -> dict[str, str]:
        """What libpq will use: the conninfo over the variables (PGHOST, PGSERVICE …) over its defaults."""
        found: dict[str, str] = {}
        for option in pq.Conninfo.get_defaults():
            if option.val is not None:
                found[option.keyword.decode()] = option.val.decode()
        given = {k: str(v) for k, v in conninfo_to_dict(self.conninfo).items() if v is not None}
        return {**found, **given}

    @property
    def name(self) -> str:
        """The database's name; libpq's default, the user's name, where none is given."""
        known = self.parameters
        return known.get("dbname") or known.get("user", "")

    @property
    def label(self) -> str:
        """``user@host:port/name`` for messages; no schema, and never a password."""
        known = self.parameters
        host = known.get("host") or known.get("hostaddr") or "local socket"
        port = known.get("port", "5432")
        user = known.get("user", "")
        at = f"{user}@" if user else ""
        hosts, ports = host.split(","), port.split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        place = ",".join(
            f"{one}/.s.PGSQL.{at}" if one.startswith("/") else f"{one}:{at}"
            for one, at in zip(hosts, [at or "5432" for at in ports], strict=False)
        )
        return f"{at}{place}/{self.name}" if not host.startswith("/") else f"{at}{self.name} on {place}"

    @property
    def url(self) -> str:
        """A ``postgresql://`` URL for any client, password included: never for messages."""
        given = {k: str(v) for k, v in conninfo_to_dict(self.conninfo).items() if v is not None}
        user = quote(given.pop("user", ""), safe="")
        password = quote(given.pop("password", ""), safe="")
        host = given.pop("host", "")
        port = given.pop("port", "")
        name = quote(given.pop("dbname", ""), safe="")
        if host.startswith(("/", "@")) or "," in host:
            given = {"host": host, **({"port": port} if port else {}), **given}
            host = port = ""
        elif ":" in host:
            host = f"[{host}]"
        who = f"{user}:{password}@" if password else f"{user}@" if user else ""
        if self.role is not None:
            given["options"] = " ".join(filter(None, [given.get("options"), _role_option(self.role)]))
        query = "&".join(f"{k}={quote(v, safe='/')}" for k, v in given.items())
        return f"postgresql://{who}{host}{f':{port}' if port else ''}/{name}{f'?{query}' if query else ''}"

    def with_name(self, name: str) -> Database:
        """The same server and schema, another database.  Raise `UsageError` where no database can have that name."""
        refuse_name(name)
        return replace(self, conninfo=make_conninfo(self.conninfo, dbname=name))

    @property
    def without_password(self) -> Database:
        """The same database; whoever connects must get the password, and every other secret, from elsewhere."""
        given = conninfo_to_dict(self.conninfo)
        return replace(self, conninfo=make_conninfo("", **{k: v for k, v in given.items() if not is_secret(k)}))

    @property
    def has_password(self) -> bool:
        """Whether `without_password` leaves anything out."""
        return any(is_secret(k) for k in conninfo_to_dict(self.conninfo))

    def with_parameters(self, **parameters: str) -> Database:
        """The same database with other libpq parameters (``connect_timeout="2"``)."""
        return replace(self, conninfo=make_conninfo(self.conninfo, **parameters))

    def with_password_command(self, command: str) -> Database:
        """The same database, whose password a command prints.  Raise `UsageError` where it has a password already."""
        if "password" in conninfo_to_dict(self.conninfo):
            raise UsageError(
                f"{self.source or 'the database URL'} holds a password, and a command is to give it, too",
                hint="leave one of them out",
            )
        return replace(self, password_command=command)

    def with_role(self, role: str | None) -> Database:
        """The same database, worked in as another role (None: as the user who logs in).

        Raise `UsageError` where no role can have that name.
        """
        if role is not None and (role in ("", "none") or "\x00" in role or len(role.encode()) > NAME_BYTES):
            raise UsageError(
                f"no role can have the name {role}" if role else "the role's name is empty",
                hint="leave out --role to work as the user who logs in",
            )
        return replace(self, role=role)

    def for_replay(self, replay: Replay) -> Database:
        """The same database, in which migrations change nothing outside of it."""
        return replace(self, replay=replay)

    def with_schema(self, schema: str | None) -> Database:
        """The same database, another schema."""
        return self if schema == self.schema else replace(self, schema=schema)

    @property
    def without_schemas(self) -> Database:
        """The database, whichever schemas of it are meant."""
        is_whole = self.schema is None and self.ledger_schema is None
        return self if is_whole else replace(self, schema=None, ledger_schema=None)

    def with_ledger_schema(self, schema: str | None) -> Database:
        """The same database, whose ledger is in a schema of its own.  Raise `UsageError` where none has that name."""
        _refuse_schema(schema, "leave out --ledger-schema to keep the ledger beside the tables")
        return replace(self, ledger_schema=schema)

    @property
    def ledger_place(self) -> str | None:
        """The schema in which the ledger is looked for; None leaves it to the search_path."""
        return self.ledger_schema or self.schema

    @property
    def ledger_apart(self) -> str | None:
        """The schema that is the ledger's and not the tables', None where there is none."""
        return None if self.ledger_schema == self.schema else self.ledger_schema

    def connect(
        self, *, autocommit: bool = True, settings: Mapping[str, str] | None = None
    ) -> psycopg.Connection[TupleRow]:
        """Connect.  The client's encoding is UTF-8 and statements are never prepared on the server.

        ``settings``: what the session begins with, and RESET ALL goes back to, unless the URL's own
        options say otherwise; left out where a pooler does not pass them on.  Raise
        `ConnectionFailed` with one sentence that says which of server, password, database, role or
        privilege is missing.
        """
        given = conninfo_to_dict(self.conninfo)
        known = self.parameters
        defaults: dict[str, Any] = {
            k: v for k, v in _DEFAULTS.items() if k not in given and (k == "connect_timeout" or k not in known)
        }
        if "connect_timeout" in known:
            defaults.pop("connect_timeout", None)
        if given.get("host") and "hostaddr" not in given:
            defaults["hostaddr"] = ""  # PGHOSTADDR belongs to PGHOST, and must not lead elsewhere than the label says
        if self.password_command is not None:
            from wflo_schema.connect.passwords import ask_password

            defaults["password"] = ask_password(self.password_command)
        conninfo = make_conninfo(self.conninfo, **defaults, client_encoding="UTF8")
        role = [] if self.role is None else [_role_option(self.role)]
        if settings or role:
            options = [
                *(f"-c {k}={_in_options(v)}" for k, v in (settings or {}).items()),
                known.get("options", ""),
                *role,
            ]
            try:
                return self._as_role(_connect(make_conninfo(conninfo, options=" ".join(options).strip()), autocommit))
            except psycopg.Error as error:
                if not _REFUSES_OPTIONS.search(str(error)):
                    raise _connection_failed(self, error) from None
        try:
            return self._as_role(_connect(conninfo, autocommit))
        except psycopg.Error as error:
            raise _connection_failed(self, error) from None

    def _as_role(self, connection: psycopg.Connection[TupleRow]) -> psycopg.Connection[TupleRow]:
        """The connection, where it works as our role: a pooler may have kept the option for itself."""
        if self.role is None:
            return connection
        autocommit = connection.autocommit
        connection.autocommit = True
        row = connection.execute("SELECT CURRENT_USER::text").fetchone()
        if row is not None and row[0] == self.role:
            connection.autocommit = autocommit
            return connection
        user = quote_name(connection.info.user)
        connection.close()
        default = f"ALTER ROLE {user} IN DATABASE {quote_name(self.name)} SET role = {quote_name(self.role)}"
        raise ConnectionFailed(
            f"the pooler at {self.label} does not pass on that the session is to work as the role {self.role}",
            hint=f"name PostgreSQL itself in the URL, or make the role the user's own default: {default}",
        )


def _refuse_schema(name: str | None, hint: str) -> None:
    if name is not None and (not name or "\x00" in name):
        raise UsageError("the schema's name is empty", hint=hint)
    if name is not None and is_login(name):
        raise UsageError("the schema's name is a URL", hint="give the name alone, and the URL by --database-url")
    if name == "$user":
        raise UsageError(
            "$user is not a schema's name: in a search_path it stands for the schema named like the role",
            hint="give the schema's own name",
        )


def put_schema_first(connection: psycopg.Connection[TupleRow], schema: str | None) -> None:
    """Put ``schema``, if any, before what the session's search_path has already."""
    if schema is not None:
        connection.execute(
            "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', %s::text,"
            " NULLIF(pg_catalog.current_setting('search_path'), '')), FALSE)",
            (quote_always(schema),),
        )


def is_secret(keyword: str) -> bool:
    """Whether the value of this libpq parameter must never be shown, whichever release brought it."""
    return bool(re.search(r"password|secret|scram_(?:client|server)_key", keyword))


def is_login(text: str) -> bool:
    """Whether it says how to log in, where it should be a name: then it is not shown, for there may be a password."""
    return bool(re.match(r"[a-z+0-9]+:/", text, re.IGNORECASE) or re.search(r"\bpassword\s*=", text, re.IGNORECASE))


def refuse_name(name: str, where: str = "") -> None:
    """Raise `UsageError` for a name that no database can have; ``where`` says who gave it.

    The server truncates a name that is too long without a word, and lets the session into the
    database of that shorter name.
    """
    named = f"the database's name{f' in {where}' if where else ''}"
    size = len(name.encode("utf-8", "surrogateescape"))
    if size > NAME_BYTES:
        raise UsageError(
            f"{named} has {size} bytes, but PostgreSQL keeps {NAME_BYTES} of them: {name}",
            hint="give a shorter name: what is left of this one may name another database",
        )
    if re.match(r"[a-z+0-9]+://", name, re.IGNORECASE):
        raise UsageError(f"{named} is a URL", hint="give the name alone, or the URL by --database-url or DATABASE_URL")


class _Lost(ConnectionLost, psycopg.OperationalError):  # type: ignore[misc]
    """For those who handle our errors, and for those who handle psycopg's; both have a ``sqlstate``."""

    def __init__(self, reason: str, sqlstate: str) -> None:
        said, hint = f"the connection to the server was lost: {reason}", _run_again(sqlstate)
        if pools_statements(reason):
            pooled = statements_pooled(reason)
            said, hint = pooled.message, pooled.hint
        ConnectionLost.__init__(self, said, sqlstate=sqlstate, hint=hint)
        self.reason = reason


class _Connection(psycopg.Connection[TupleRow]):
    """Whatever is asked of a connection that is gone, or goes meanwhile, ends in `ConnectionLost`."""

    _lost: _Lost | None = None
    last_closed_at: ClassVar[float] = float("-inf")
    """By time.monotonic(), of any of them."""

    def close(self) -> None:
        super().close()
        _Connection.last_closed_at = time.monotonic()

    def wait(self, gen: Generator[Any, Any, _T], *args: Any, **kwargs: Any) -> _T:
        try:
            return super().wait(_attentive(gen, self.pgconn), *args, **kwargs)
        except psycopg.Error as error:
            raise self._told(error) from None

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().cursor(*args, **kwargs)
        except psycopg.Error as error:
            raise self._told(error) from None

    def _told(self, error: psycopg.Error) -> psycopg.Error:
        """The same error; where the session is over, one that says so, and why it came to that."""
        if not self._closed and self._lost is None and (self.closed or _ends_session(error)):
            self._lost = _Lost(_said(error), error.sqlstate or "")
            self.close()  # libpq may not have noticed yet
        return self._lost or error


def _attentive(gen: Generator[Any, Any, _T], pgconn: pq.abc.PGconn) -> Generator[Any, Any, _T]:
    """Wait as ``gen`` does, but not for a server that has ended the session and leaves the socket open."""
    try:
        waits_for = next(gen)
        while True:
            ready = yield waits_for
            if not ready and re.search(rb"^(FATAL|PANIC)", said := pgconn.error_message, re.MULTILINE):
                raise psycopg.OperationalError(said.decode("utf-8", "replace"))
            waits_for = gen.send(ready)
    except StopIteration as done:
        result: _T = done.value
        return result


def _ends_session(error: psycopg.Error) -> bool:
    """Not where the server says ERROR: it has lost another server, a foreign one or a node of Citus."""
    severity = error.diag.severity_nonlocalized or str(error).partition(":")[0]
    return severity in ("FATAL", "PANIC") or (severity != "ERROR" and (error.sqlstate or "").startswith("08"))


def _said(error: psycopg.Error) -> str:
    """Why, in one line."""
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    return error.diag.message_primary or re.sub(r"^(consuming input failed: |(FATAL|PANIC):\s+)", "", first)


def _run_again(sqlstate: str) -> str:
    again = "run it again: nothing is half done"
    return f"{again}; but first raise {TOO_LONG[sqlstate]} of this role or database" if sqlstate in TOO_LONG else again


def _connect(conninfo: str, autocommit: bool) -> psycopg.Connection[TupleRow]:
    end = _Connection.last_closed_at + _LEAVING_S
    while True:
        try:
            return _Connection.connect(conninfo, autocommit=autocommit, prepare_threshold=None)
        except psycopg.OperationalError as error:
            if time.monotonic() > end or not re.search(_NO_SLOT, str(error)):
                raise
            time.sleep(_POLL_S)


def _from_conninfo(text: str, where: str) -> dict[str, str]:
    try:
        return {k: str(v) for k, v in conninfo_to_dict(text).items() if v is not None}
    except psycopg.ProgrammingError:
        raise UsageError(
            f"{where} is neither a URL nor a libpq connection string",
            hint=f"write it as {URL_EXAMPLE}",
        ) from None


def _is_cut_short(parts: SplitResult) -> bool:
    """Did a password that was not encoded end the authority early?  Then it would show up as a name or a parameter."""
    if "@" in parts.path:
        return True
    is_query_odd = "@" in parts.query and (not parts.path or re.search(r"@[^/&=]*/", parts.query))
    return bool(parts.netloc and is_query_odd)


def _from_url(url: str, where: str) -> dict[str, str]:
    scheme, _, rest = url.partition("://")
    if not _SCHEMES.match(scheme):
        shown = f"{scheme}://" if re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}", scheme) else "something else"
        raise UsageError(
            f"{where} is not a PostgreSQL URL: it starts with {shown}",
            hint=f"write it as {URL_EXAMPLE}",
        )
    parts = urlsplit(f"postgresql://{rest}")
    if "#" in rest or _is_cut_short(parts):
        raise ValueError
    extra: dict[str, str] = {}
    hosts: list[str] = []
    settings: list[str] = []
    for key, value in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)):
        if key in _DRIVER_ONLY_PARAMETERS:
            continue
        key = _SAME_PARAMETERS.get(key, key)
        if key in _SETTINGS or key == "currentSchema":
            name = "search_path" if key == "currentSchema" else key
            settings.append(f"-c {name}={_in_options(value)}")
        elif key == "ssl":
            extra["sslmode"] = {"true": "require", "1": "require", "false": "disable", "0": "disable"}.get(
                value.lower(), value
            )
        elif key == "host":
            hosts.append(value)
        else:
            extra[key] = value
    if settings:
        extra["options"] = " ".join([*filter(None, [extra.get("options")]), *settings])
    ours = {name: extra.pop(name) for name in ("schema", "role") if name in extra}
    authority = parts.netloc
    userinfo, at, hostspec = authority.rpartition("@")
    if "@" in userinfo or "/" in userinfo:
        raise ValueError
    base = f"postgresql://{userinfo}{at}{hostspec}{parts.path}"
    try:
        parameters = {k: str(v) for k, v in conninfo_to_dict(base).items() if v is not None}
    except psycopg.ProgrammingError:
        raise ValueError from None
    if hosts:
        parameters.update(_host_parameters(hosts))
    parameters.update(extra)
    try:
        make_conninfo("", **parameters)
    except psycopg.ProgrammingError:
        unknown = sorted(set(extra) - {o.keyword.decode() for o in pq.Conninfo.get_defaults()})
        if not unknown:
            raise ValueError from None
        raise UsageError(
            f"{where} has a parameter that libpq does not know: {', '.join(unknown)}",
            hint=_how_to_say(unknown[0]),
        ) from None
    port = parameters.get("port", "")
    if any(p and not p.isdigit() for p in port.split(",")):
        raise ValueError
    if "schema" in ours:
        ours["schema"] = unquote(ours["schema"])
    return parameters | ours


def _in_options(value: str) -> str:
    """A value as ``options`` takes it: https://www.postgresql.org/docs/current/libpq-connect.html."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def _role_option(role: str) -> str:
    return f"-c role={_in_options(role)}"


def _how_to_say(parameter: str) -> str:
    known = [o.keyword.decode() for o in pq.Conninfo.get_defaults()]
    near = difflib.get_close_matches(parameter, [*known, *_SETTINGS, "role", "schema"], n=1, cutoff=0.75)
    if near:
        return f"did you mean {near[0]}?"
    return (
        f"remove it from the URL; or, if it is a setting of the server, write options=-c%20{parameter}%3DVALUE "
        "(https://www.postgresql.org/docs/current/libpq-connect.html)"
    )


def _host_parameters(hosts: list[str]) -> dict[str, str]:
    """SQLAlchemy writes several hosts as ``host=a:5432&host=b:5432``; libpq as two lists."""
    names, ports = [], []
    for entry in ",".join(hosts).split(","):
        name, colon, port = entry.rpartition(":")
        if colon and port.isdigit() and not entry.startswith("/"):
            names.append(name)
            ports.append(port)
        else:
            names.append(entry)
            ports.append("")
    found = {"host": ",".join(names)}
    if any(ports):
        found["port"] = ",".join(ports)
    return found


def _connection_failed(database: Database, error: psycopg.Error) -> ConnectionFailed:
    text = str(error).strip()
    fatal = re.findall(r"FATAL:\s+(.+)", text)
    first = text.splitlines()[0] if text else ""
    user = database.parameters.get("user", "")
    words = {
        "said": fatal[-1].strip() if fatal else re.sub(r"^connection (?:failed|is bad): ", "", first),
        "where": database.label,
        "name": database.name,
        "user": user,
        "the_user": user or "the user",
        "this_role": user or "this role",
        "name_quoted": quote_name(database.name),
        "user_quoted": quote_name(user),
        "createdb": _createdb(database),
    }
    if database.role is not None and f'role "{database.role}"' in text and database.role != user:
        words["role"], words["role_quoted"] = database.role, quote_name(database.role)
        failure = _NO_ROLE if "does not exist" in text else _NOT_A_MEMBER
    else:
        failure = next(f for f in _FAILURES if re.search(f.pattern, text, re.IGNORECASE))
    failed = ConnectionFailed(
        failure.message.format_map(words),
        hint=failure.hint.format_map(words),
        is_of_server=failure.is_of_server,
        may_pass=failure.may_pass,
    )
    failed.is_missing = failure.is_missing
    failed.is_full = bool(re.search(_FULL, text))
    if failure is _FAILURES[0] and database.password_command is not None:
        failed.hint = "check the user in the URL, and what the password command prints"
    return failed


@dataclass(frozen=True, slots=True)
class _Failure:
    """How libpq, the server or a pooler says why there is no connection, and how we do."""

    pattern: str
    message: str
    hint: str
    is_of_server: bool = False
    may_pass: bool = False
    is_missing: bool = False


# Of the role that the session is to work as.
_NO_ROLE = _Failure(
    "",
    "there is no role {role} at {where}, and the session is to work as it",
    "correct --role, or create it: CREATE ROLE {role_quoted}; GRANT {role_quoted} TO {user_quoted}",
)
_NOT_A_MEMBER = _Failure(
    "",
    "{the_user} may not work as the role {role} at {where}: {said}",
    "as a superuser, or as an admin of that role: GRANT {role_quoted} TO {user_quoted}",
)

# The first that fits counts; the last fits always.
_FAILURES = (
    _Failure(
        r"password authentication failed|no password supplied|authentication failed",
        "the server refused the password or login of {the_user} at {where}",
        "check user and password in the URL (a password with @ : / ? # must be percent-encoded)",
    ),
    _Failure(
        r'database "[^"]*" does not exist',
        "there is no database {name} at {where}",
        "create it ({createdb}; or migrate with --create-database), or correct the name at the end of the URL",
        is_missing=True,
    ),
    _Failure(
        r'role "[^"]*" does not exist',
        "there is no role {user} at {where}",
        "correct the user in the URL, or create the role",
        is_of_server=True,
    ),
    _Failure(
        r"local user with ID \d+ does not exist",
        "no role is named, and this system user has no name to take its place at {where}: {said}",
        "name the role in the URL (postgresql://user@host:5432/name) or by PGUSER",
        is_of_server=True,
    ),
    _Failure(
        r"permission denied for database",
        "{this_role} may not connect to {where}: {said}",
        "ask the owner of the database for GRANT CONNECT ON DATABASE {name_quoted} TO {user_quoted}",
    ),
    _Failure(
        r"no pg_hba\.conf entry.*(?:no encryption|SSL off)",
        "the server does not let {this_role} connect to {where} without TLS: {said}",
        "put sslmode=require into the URL; where that is refused too, ask for a line in pg_hba.conf",
    ),
    _Failure(
        r"no pg_hba\.conf entry|pg_hba\.conf rejects connection",
        "the server does not let {this_role} connect to {where}: {said}",
        "ask for a line in the server's pg_hba.conf",
    ),
    _Failure(
        r"server does not support SSL",
        "the server at {where} has no TLS, and the URL demands it",
        "put sslmode=disable into the URL, where the network is safe; or switch TLS on in the server",
        is_of_server=True,
    ),
    _Failure(
        r"unsupported startup parameter|unrecognized configuration parameter",
        "the server or pooler at {where} does not take an option of the URL: {said}",
        "for a schema, leave search_path out and give --schema; other options need the server itself, not its pooler",
    ),
    _Failure(
        r"too many connections for database",
        "{where} takes no more connections: {said}",
        "run it again when connections are free, or as its owner: ALTER DATABASE {name_quoted} CONNECTION LIMIT 10",
    ),
    _Failure(
        r"too many connections for role",
        "{the_user} may not open another connection to {where}: {said}",
        "some commands need two connections at once; as a superuser: ALTER ROLE {user_quoted} CONNECTION LIMIT 10",
    ),
    _Failure(
        _NO_SLOT,
        "the server at {where} has no free connection slot: {said}",
        "run it again when connections are free; nothing was changed",
        may_pass=True,
    ),
    _Failure(
        r"the database system is (?:starting up|shutting down|in recovery mode|not yet accepting)",
        "the server at {where} is not ready: {said}",
        "run it again in a moment; nothing was changed",
        is_of_server=True,
        may_pass=True,
    ),
    _Failure(
        r"failed to resolve host|could not translate host name|Name or service not known",
        "the host of {where} has no address",
        "check the host's name in the URL",
        is_of_server=True,
        may_pass=True,
    ),
    _Failure(
        r"timeout expired|Connection timed out",
        "the server at {where} did not answer in time",
        "check host and port, or give it longer with connect_timeout=SECONDS in the URL",
        is_of_server=True,
        may_pass=True,
    ),
    _Failure(
        r"Connection refused|No such file or directory|No route to host|Network is unreachable|could not connect",
        "no server answers at {where}",
        "start it, or check host and port in the URL",
        is_of_server=True,
        may_pass=True,
    ),
    _Failure(
        r"server closed the connection|Connection reset|terminating connection",
        "the server at {where} closed the connection while it was being made",
        "run it again; if it fails again, see the server's log",
        may_pass=True,
    ),
    _Failure("", "cannot connect to {where}: {said}", "check the URL and the server's log"),
)


def _createdb(database: Database) -> str:
    """The shell command that makes it, on its own server."""
    known = database.parameters
    words = [f"--{long}={shlex.quote(known[key])}" for long, key in _CREATEDB if known.get(key)]
    return " ".join(["createdb", *words, shlex.quote(database.name)])


_CREATEDB = (("host", "host"), ("port", "port"), ("username", "user"))


def database_error(error: psycopg.Error, doing: str) -> DatabaseError:
    """Turn what psycopg raised while ``doing`` something ("reading the ledger") into one of ours."""
    diagnostic, sqlstate = error.diag, error.sqlstate or ""
    said = error.reason if isinstance(error, _Lost) else _said(error)
    if pools_statements(said):
        return statements_pooled(said)
    is_unsaid = not sqlstate and isinstance(error, psycopg.OperationalError)  # of libpq itself
    if is_unsaid or _ends_session(error) or isinstance(error, _Lost):
        return ConnectionLost(
            f"the connection was lost while {doing}: {said}", sqlstate=sqlstate, hint=_run_again(sqlstate)
        )
    hint = diagnostic.message_hint or ""
    if sqlstate == "42501":
        return CannotRead(f"not allowed while {doing}: {said}", sqlstate=sqlstate, hint=hint)
    return DatabaseError(f"PostgreSQL refused while {doing}: {said}", sqlstate=sqlstate, hint=hint)


def pools_statements(said: str) -> bool:
    """Whether this is how pgbouncer says that it gives each statement another connection."""
    return "statement pooling mode" in said


def statements_pooled(said: str) -> DatabaseError:
    """The error for a pooler that keeps no transaction together."""
    return DatabaseError(
        f"the pooler gives each statement another connection, so nothing was done: {said}",
        hint="a migration needs a transaction: set pool_mode to transaction or session, or name the server itself",
        sqlstate="08P01",
    )


def wait_until_ready(database: Database, timeout_s: float, *, notify: Callable[[ConnectionFailed], None]) -> None:
    """Return as soon as the server lets us in; ``notify`` hears of the first failure.

    Raise `ConnectionFailed` at once for what waiting does not mend (a wrong password, no such database),
    else when ``timeout_s`` seconds are over.
    """
    end = time.monotonic() + timeout_s
    pause_s = 0.1
    is_first = True
    while True:
        try:
            database.connect().close()
        except ConnectionFailed as error:
            if not error.may_pass or time.monotonic() + pause_s > end:
                raise
            if is_first:
                notify(error)
            is_first = False
        else:
            return
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 1)
