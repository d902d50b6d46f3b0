"""Send statements to one connection as one pipeline and wait for them in an interruptible way.

Hides libpq's pipeline mode (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html): one
`Pipeline.exchange` is one network round trip, whatever the number of statements; after the first
error PostgreSQL skips the rest of it.
"""

from __future__ import annotations

import contextlib
import re
import select
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import psycopg
from psycopg import pq
from psycopg.rows import TupleRow

from wflo_schema.connect.database import pools_statements, statements_pooled
from wflo_schema.errors import ConnectionLost, DatabaseError, Interrupted
from wflo_schema.names import literal

Row = tuple[str | None, ...]

# Seconds between looks at the stop flag and calls of the waiting callback.
TICK_S = 0.1

# Seconds that a server has for answering after a stop, and after a second one; the request to cancel may have been
# lost, or have come between two statements, and is repeated every so often.  Then nobody waits any longer.
_GRACE_S, _SHORT_GRACE_S, _CANCEL_EVERY_S = 10.0, 2.0, 0.2

# Characters: a shorter one would be in every other word of a message.
_SHORTEST_SECRET = 3


# Rows in memory at once, of a result that is thrown away.
_CHUNK_ROWS = 1_000

# Commands and bytes that are sent before they are answered: so many that the server never waits for us.
_AHEAD, _AHEAD_BYTES = 2_000, 1 << 20

# Bytes: in pipeline mode the server keeps a plan, and copies each statement's tree for it; not of a longer one.
_LONGEST_PREPARED = 1 << 19

# Bytes of a COPY's data that are handed over at once.
_COPIED_AT_ONCE = 1 << 18

# Only these can return many rows; chunks cost a little each.
_MAY_BE_LARGE = tuple(b"SELECT TABLE VALUES WITH EXECUTE FETCH INSERT UPDATE DELETE MERGE".split())

# Before libpq 17 rows come one by one.
_HAS_CHUNKS = pq.version() >= 170000

_Field = pq.DiagnosticField


_PARTS = (pq.ExecStatus.PIPELINE_ABORTED, pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_CHUNK)


class Stop:
    """A flag that a signal handler sets and a run looks at: cancel, roll back, say what was done."""

    def __init__(self) -> None:
        self.signal_number = 0
        self.count = 0
        self._raising_in: int | None = None

    def request(self, signal_number: int) -> None:
        """Ask the run to stop.  After a second request a server that does not answer is not waited for any longer.

        Raise `Interrupted` when called, by a signal handler, inside of `raising`.
        """
        self.signal_number = self.signal_number or signal_number
        self.count += 1
        if self._raising_in == threading.get_ident():
            self._raising_in = None  # once, so that nothing disturbs what the first one leads to
            raise self.interrupted("nothing was under way")

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Let a request end this block at once, because it leaves nothing half done: it connects, or reads files."""
        self._raising_in = threading.get_ident()
        try:
            if self.is_requested:
                raise self.interrupted("nothing was under way")
            yield
        finally:
            self._raising_in = None

    def interrupted(self, outcome: str) -> Interrupted:
        """The error that says what came of being stopped."""
        name = {2: "interrupted (SIGINT)", 15: "terminated (SIGTERM)"}.get(self.signal_number, "stopped")
        hint = "run it again: it goes on where it stopped"
        return Interrupted(f"{name}: {outcome}", signal_number=self.signal_number or 2, hint=hint)

    @property
    def is_requested(self) -> bool:
        """Whether somebody has asked for an end, once or more often."""
        return self.count > 0


class StoppedWaiting(Exception):
    """A stop was asked for, and the server did not answer: the outcome is unknown."""


class CopyData(Protocol):
    """What a COPY … FROM STDIN reads: bytes in memory, or of a file that is read as they are sent, in order."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> memoryview | bytes: ...


class Command(NamedTuple):
    """One statement with text parameters ($1 …).  Its rows are thrown away unless ``keeps_rows``.

    ``data`` is what a COPY … FROM STDIN reads.  ``is_only_parsed``: the server reads it, and runs nothing.
    ``is_kept``: the server keeps it prepared until `DISCARD`, for a session that is ours alone.
    """

    text: str | bytes
    parameters: tuple[str | None, ...] = ()
    keeps_rows: bool = False
    data: CopyData | None = None
    is_only_parsed: bool = False
    is_kept: bool = False

    @property
    def is_alone(self) -> bool:
        """Is it one for which pipeline mode is left: COPY, or what is so long that preparing it doubles the work?"""
        return self.data is not None or (len(self.text) > _LONGEST_PREPARED and not self.parameters)

    @property
    def sent(self) -> bytes:
        """The text as it is sent."""
        return self.text if isinstance(self.text, bytes) else self.text.encode()


@dataclass(frozen=True, slots=True)
class ServerError:
    """What PostgreSQL said of a statement.  ``position`` is in characters from 1 in its text, 0 if none.

    ``index`` counts the commands of the exchange from 0.
    """

    index: int
    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    position: int = 0
    context: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""
    keeps_waiting: bool = False
    """It was canceled because it kept others waiting for too long."""


class Exchange(NamedTuple):
    """The outcome of one round trip: the first error, and the rows of each command that succeeded.

    They are empty where they were not to be kept.
    """

    rows: tuple[tuple[Row, ...], ...]
    error: ServerError | None = None


def array(values: Iterable[str]) -> str:
    """An array of texts, as PostgreSQL reads it."""
    return "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"


BEGIN = Command("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
COMMIT = Command("COMMIT")
ROLLBACK = Command("ROLLBACK")

# Clears the session.
DISCARD = Command("DISCARD ALL")

# Is no command: has the server send its answers to all before it at once, where it would wait for a bufferful.
FLUSH = Command("")

# What else takes prepared statements away, and how it begins.
_FORGETS = re.compile(rb"(?:DISCARD\s+ALL|DEALLOCATE)\b", re.IGNORECASE)
_FORGETTING = ("D", "d", b"D", b"d")

# Between two commands of one message: one may end with a comment.
_BETWEEN = b"\n;\n"

_PARAMETER = re.compile(r"\$(\d+)")

# Stands among what was sent for the preparing of the command behind it.
_PREPARING = Command("")


class _Sending:
    """What was given to `Pipeline.send` in one go, and how far it is."""

    __slots__ = ("alone", "commands", "in_flight", "is_synced")

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = iter(commands)
        self.in_flight: deque[Command] = deque()
        """Sent, and not answered."""
        self.alone: Command | None = None
        """What cannot be sent in pipeline mode, and is next once all that was sent before it is answered."""
        self.is_synced = False
        """Is all of it sent?"""


class Pipeline:
    """One connection in pipeline mode.

    ``on_wait`` is called every `TICK_S` while the server works, with the seconds waited; ``stop``
    makes it cancel the running statement.
    """

    def __init__(
        self,
        connection: psycopg.Connection[TupleRow],
        *,
        stop: Stop | None = None,
        on_wait: Callable[[float], None] | None = None,
        on_notice: Callable[[str, str], None] | None = None,
    ) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._stop = stop
        self._stopping_since: float | None = None
        self._cancelled: _Sending | None = None
        self._cancel_at = 0.0
        self._sent: deque[_Sending] = deque()
        self._kept: dict[str | bytes, bytes] = {}
        """The names of prepared statements, by their text."""
        self._kept_count = 0
        self._unanswered = self._unanswered_bytes = 0
        self.on_wait = on_wait
        self.on_notice = on_notice
        self.on_answer: Callable[[int], None] | None = None
        """Is called with how many commands of what is awaited have succeeded, each time one is answered."""
        self._awaited: _Sending | None = None
        self._next_tick = 0.0
        self._secrets: tuple[str, ...] = ()
        self.on_canceled: Callable[[ServerError], ServerError] | None = None
        """Is told of a statement that was canceled, unless by a stop, or with its session; returns what that means."""
        self.on_error: Callable[[ServerError], ServerError] | None = None
        """Says of each error what it means, where the server hands on what another one has said."""
        self.tick_s = TICK_S
        self.round_trips = 0
        self.copied = 0
        """Rows of the last COPY."""
        self.to_copy: int | None = None
        """Bytes that a COPY is given which is under way."""
        self.reads_backslashes = self._pgconn.parameter_status(b"standard_conforming_strings") == b"off"
        """Is standard_conforming_strings off, by the server's, the database's or the role's configuration?"""
        self._pgconn.notice_handler = self._notice
        self._selector = selectors.DefaultSelector()
        try:
            self._pgconn.nonblocking = 1
            self._pgconn.enter_pipeline_mode()
            self._selector.register(self._pgconn.socket, selectors.EVENT_READ)
        except psycopg.Error as failure:
            raise self._lost(None, str(failure)) from None

    def begin_anew(self, *, stop: Stop | None, on_notice: Callable[[str, str], None] | None) -> None:
        """Serve another run, which counts its own round trips and has its own secrets."""
        self._stop, self._stopping_since, self._cancelled, self._cancel_at = stop, None, None, 0.0
        self._secrets = ()
        self.on_notice, self.on_wait, self.on_answer, self.on_canceled = on_notice, None, None, None
        self.round_trips = 0

    def keep_secret(self, values: Iterable[str]) -> None:
        """From now on let no message of the server show these; as a literal a quote in one stands twice."""
        known = {form for v in values for form in (v, v.replace("'", "''")) if len(v) >= _SHORTEST_SECRET}
        self._secrets = tuple(sorted(known.union(self._secrets), key=len, reverse=True))

    def without_secrets(self, text: str) -> str:
        """What may be shown of a message."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text

    @property
    def backend_pid(self) -> int:
        """The server process as the connection was told it; a pooler tells a number of its own."""
        return self._pgconn.backend_pid

    @property
    def awaited(self) -> object:
        """Stands for what was sent in one go and is being answered."""
        return self._awaited

    @property
    def is_awaited(self) -> bool:
        """Is something sent whose answer nobody has received?"""
        return bool(self._sent)

    @property
    def server_version(self) -> int:
        """As 150004 or 180000."""
        return self._pgconn.server_version

    def close(self) -> None:
        """Close the connection; the server rolls back what was not committed."""
        self._selector.close()
        self._connection.close()

    def exchange(self, commands: Iterable[Command]) -> Exchange:
        """Send all commands, wait for all answers.

        Raise `ConnectionLost` when the server goes away, and `StoppedWaiting` when it does not answer
        after a stop; in both cases the outcome is unknown.
        """
        while self._sent:
            self.receive()
        self.send(commands)
        return self.receive()

    def send(self, commands: Iterable[Command]) -> None:
        """Send all commands; `receive` waits for the answers, for each sending in turn.

        The server begins with them when it is done with what was sent before.  Of many commands only so many are
        sent, and made, that the server has work; the rest follows in `receive`.  Raise `ConnectionLost`.
        """
        self.round_trips += 1
        self._sent.append(_Sending(commands))
        try:
            self._send_more()
        except psycopg.Error as failure:
            raise self._lost(self._last_word(), str(failure)) from None

    def exchange_as_one(self, commands: Sequence[Command]) -> Exchange:
        """The same, as one message of text: of many short commands this costs the server less than one by one.

        None may be a COPY, nor one whose rows are wanted; each is a whole statement that needs no setting that one
        before it makes in order to be read.  The server reads all of them before it runs the first; where it cannot,
        they are sent one by one, so that it is told of the same one, in the same words.
        """
        while self._sent:
            self.receive()
        self.round_trips += 1
        texts = [_with_values(command) for command in commands]
        done, error = 0, None
        self._kept.clear()  # it may be what takes them away
        self._awaited = _Sending(())
        try:
            self._pgconn.exit_pipeline_mode()
            self._pgconn.send_query(_BETWEEN.join(texts))
            self._wait()
            while (result := self._next()) is not None:
                if result.status != pq.ExecStatus.FATAL_ERROR:
                    done += bool(result.command_status)  # what a rule's own SELECT returns has none
                    continue
                error = self._placed(self._error(result, done), texts)
                if _is_last_word(result) or self._pgconn.status == pq.ConnStatus.BAD:
                    raise self._lost(error)
            self._pgconn.enter_pipeline_mode()
        except psycopg.Error as failure:
            raise self._lost(error, str(failure)) from None
        if error is not None and not done and not (self._stop is not None and self._stop.is_requested):
            return self.exchange(commands)
        return Exchange(((),) * done, None if error is None else self._meant(error))

    def _placed(self, error: ServerError, texts: Sequence[bytes]) -> ServerError:
        """An error with its place in its command; the server counts from the first one's beginning."""
        in_bytes = self._pgconn.parameter_status(b"server_encoding") == b"SQL_ASCII"
        before = sum(len(t if in_bytes else t.decode()) + len(_BETWEEN) for t in texts[: error.index])
        if error.position <= before:
            return error  # in a text of the server's own, as that of an index which it makes again
        error = replace(error, position=error.position - before)
        return self._in_characters(error, Command(b"".join(texts[error.index : error.index + 1])))

    def _send_more(self) -> None:
        """Send what is next, where the server has not much left to do."""
        if self._unanswered > _AHEAD // 2 or self._unanswered_bytes > _AHEAD_BYTES // 2:
            return
        for sending in self._sent:
            if sending.alone is not None or not (sending.is_synced or self._send_of(sending)):
                return

    def _send_of(self, sending: _Sending) -> bool:
        """Send of one sending what may be under way; is that all of it?"""
        pgconn = self._pgconn
        while self._unanswered < _AHEAD and self._unanswered_bytes < _AHEAD_BYTES:
            command = next(sending.commands, None)
            if command is None or command.is_alone:
                pgconn.pipeline_sync()
                sending.alone, sending.is_synced = command, command is None
                return sending.is_synced
            if command is FLUSH:
                pgconn.send_flush_request()
                continue
            sent = command.sent
            if command.is_only_parsed:
                pgconn.send_prepare(b"", sent)
            elif command.is_kept:
                name = self._kept.get(command.text) or self._prepare(sending, command)
                pgconn.send_query_prepared(name, [None if p is None else p.encode() for p in command.parameters])
            elif command.parameters:
                pgconn.send_query_params(sent, [None if p is None else p.encode() for p in command.parameters])
            else:
                pgconn.send_query_params(sent, None)
            sending.in_flight.append(command)
            self._unanswered += 1
            self._unanswered_bytes += len(sent)
            if self._kept and command.text[:1] in _FORGETTING and _FORGETS.match(command.sent):
                self._kept.clear()
        pgconn.send_flush_request()  # without it the server might keep its answers, and each would wait for the other
        return False

    def _prepare(self, sending: _Sending, command: Command) -> bytes:
        """Send what prepares a command; return its name, which is never used again once something has failed."""
        self._kept_count += 1
        name = self._kept[command.text] = b"wflo_schema_%d" % self._kept_count
        self._pgconn.send_prepare(name, command.sent)
        sending.in_flight.append(_PREPARING)
        self._unanswered += 1
        return name

    def _last_word(self) -> ServerError | None:
        """What the server said before it closed the connection, where it said something; nobody waits for more."""
        with contextlib.suppress(psycopg.Error):
            self._pgconn.consume_input()
            while not self._pgconn.is_busy() and (result := self._pgconn.get_result()) is not None:
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    return self._error(result, 0)
        return None

    def receive(self) -> Exchange:
        """Wait for the answers to what was sent first.  Raise as `exchange` does."""
        pgconn = self._pgconn
        sending = self._awaited = self._sent[0]
        rows: list[tuple[Row, ...]] = []
        error: ServerError | None = None
        try:
            self._wait()
            while True:
                result = self._next()
                if result is None:
                    self._answered(sending, len(rows))
                    continue
                status = result.status
                if status == pq.ExecStatus.PIPELINE_SYNC:
                    command, sending.alone = sending.alone, None
                    if command is None or error is not None:
                        break
                    error = self._run_alone(command, len(rows))
                    if error is not None:
                        break
                    rows.append(())
                    self._send_more()
                elif status == pq.ExecStatus.TUPLES_OK:
                    rows.append(_rows(result) if sending.in_flight[0].keeps_rows else ())
                elif status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY):
                    if sending.in_flight[0] is not _PREPARING:
                        rows.append(())
                elif status in _PARTS:
                    pass
                elif _is_last_word(result):
                    raise self._lost(self._error(result, len(rows)))
                elif error is None:
                    error = self._in_characters(self._error(result, len(rows)), sending.in_flight[0])
                    sending.commands = iter(())  # the server skips the rest
                    self._kept.clear()  # of what it skips it prepares nothing
                    self._cancelled = None
                if pgconn.status == pq.ConnStatus.BAD:
                    raise self._lost(error)
            self._sent.popleft()
            self._send_more()
        except psycopg.Error as failure:
            raise self._lost(error, str(failure)) from None
        finally:
            if self._sent and self._sent[0] is sending:
                self._sent.popleft()
        return Exchange(tuple(rows), None if error is None else self._meant(error))

    def _meant(self, error: ServerError) -> ServerError:
        """What those say of it who know more."""
        if self.on_error is not None:
            error = self.on_error(error)
        is_stopped = self._stop is not None and self._stop.is_requested
        if error.sqlstate == "57014" and self.on_canceled is not None and not is_stopped:
            error = self.on_canceled(error)
        return error

    def _answered(self, sending: _Sending, count: int) -> None:
        """The answer to a command has come as a whole; ``count`` have succeeded."""
        if self.on_answer is not None:
            self.on_answer(count)
        if self._stop is not None and self._stop.is_requested:  # among many short commands `_wait` sees no time pass
            now = time.monotonic()
            self._end(self._stop, now)
            self._stopping_since = now  # it does answer
        self._tick()
        done = sending.in_flight.popleft()
        self._unanswered -= 1
        self._unanswered_bytes -= len(done.text)
        self._send_more()
        if sending.in_flight:
            self._take_in_chunks(sending.in_flight[0])

    def _run_alone(self, command: Command, index: int) -> ServerError | None:
        """Run a command outside of pipeline mode, in the same transaction."""
        pgconn = self._pgconn
        error: ServerError | None = None
        pgconn.exit_pipeline_mode()
        pgconn.send_query(command.sent)  # not in chunks: libpq would not forget that for what is sent next
        self._wait()
        while (result := self._next()) is not None:
            if result.status == pq.ExecStatus.COPY_IN and command.data is not None:
                self._feed(command.data)
            elif _is_last_word(result):
                raise self._lost(self._error(result, index))
            elif result.status == pq.ExecStatus.FATAL_ERROR and error is None:
                error = self._in_characters(self._error(result, index), command)
            elif result.status == pq.ExecStatus.COMMAND_OK:
                self.copied = result.command_tuples or 0
            if pgconn.status == pq.ConnStatus.BAD:
                raise self._lost(error)
        pgconn.enter_pipeline_mode()
        return error

    def _feed(self, data: CopyData) -> None:
        self.to_copy = len(data)
        try:
            self._feed_all(data)
        finally:
            self.to_copy = None

    def _feed_all(self, data: CopyData) -> None:
        for start in range(0, len(data), _COPIED_AT_ONCE):
            if self._stop is not None and self._stop.is_requested:
                self._pgconn.put_copy_end(b"stopped")
                return
            self._pgconn.put_copy_data(bytes(data[start : start + _COPIED_AT_ONCE]))
            self._wait()
            self._tick()
        self._pgconn.put_copy_end()
        self._wait()

    def _take_in_chunks(self, command: Command) -> None:
        """Have a result that is thrown away come in parts, so that its size does not matter."""
        if command.keeps_rows or not command.sent[:40].lstrip(b"( \t\r\n")[:7].upper().startswith(_MAY_BE_LARGE):
            return
        with contextlib.suppress(psycopg.OperationalError):  # it has failed already
            if _HAS_CHUNKS:
                self._pgconn.set_chunked_rows_mode(_CHUNK_ROWS)
            else:
                self._pgconn.set_single_row_mode()

    def _in_characters(self, error: ServerError, command: Command) -> ServerError:
        """The error with its position in characters; where the database is SQL_ASCII, PostgreSQL counts bytes."""
        if error.position < 1 or self._pgconn.parameter_status(b"server_encoding") != b"SQL_ASCII":
            return error
        before = command.sent[: error.position - 1].decode("utf-8", "ignore")
        return replace(error, position=len(before) + 1)

    def _lost(self, error: ServerError | None, said: str = "") -> DatabaseError:
        if error is not None and error.sqlstate == "57P01" and self.on_canceled is not None:
            error = self.on_canceled(error)
        first = (said.strip().splitlines() or ["it was closed"])[0]
        reason = error.message if error else first.removeprefix("consuming input failed: ")
        if pools_statements(reason):
            return statements_pooled(reason)
        self._connection.close()  # libpq may not have noticed yet, and what it would still receive belongs to nothing
        return ConnectionLost(
            f"the connection to the server was lost: {reason}",
            sqlstate=error.sqlstate if error else "",
            hint="run it again: it goes on where it stopped",
        )

    def _next(self) -> pq.abc.PGresult | None:
        if self._pgconn.is_busy():
            self._wait()
        return self._pgconn.get_result()

    def _wait(self) -> None:
        """Write what is unsent and read until an answer is there."""
        pgconn, selector = self._pgconn, self._selector
        began = time.monotonic()
        if abs(self._next_tick - began) > self.tick_s:  # else many short waits in a row are a long one
            self._next_tick = began + self.tick_s
        while True:
            unsent = pgconn.flush()
            if not unsent and not pgconn.is_busy():
                return
            selector.modify(pgconn.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0))
            ready = selector.select(max(self._next_tick - time.monotonic(), 0.0))
            if ready and ready[0][1] & selectors.EVENT_READ:
                pgconn.consume_input()
                if pgconn.status == pq.ConnStatus.BAD and not pgconn.is_busy():
                    return
            now = time.monotonic()
            if now >= self._next_tick:
                if self._stop is not None and self._stop.is_requested:
                    self._end(self._stop, now)
                self._tick(now - began)

    def _tick(self, waited_s: float = 0.0) -> None:
        """Let others look, where it is time: among many short commands `_wait` need not wait."""
        if time.monotonic() < self._next_tick:
            return
        if self.on_wait is not None:
            self.on_wait(waited_s)
        self._next_tick = time.monotonic() + self.tick_s

    def _end(self, stop: Stop, now: float) -> None:
        """Cancel what is being waited for; raise `StoppedWaiting` where that has not helped."""
        if self._stopping_since is None:
            self._stopping_since, self._cancelled = now, self._awaited
        elif now - self._stopping_since > (_SHORT_GRACE_S if stop.count > 1 else _GRACE_S):
            raise StoppedWaiting
        if self._cancelled is self._awaited and now >= self._cancel_at:
            self.cancel()
            self._cancel_at = time.monotonic() + _CANCEL_EVERY_S

    def cancel(self) -> None:
        """Ask the server to cancel what it is doing for this connection."""
        with contextlib.suppress(psycopg.Error):  # the answer to wait for comes all the same, or the connection is gone
            self._connection.cancel_safe(timeout=1.0)

    def _notice(self, result: pq.abc.PGresult) -> None:
        if self.on_notice is not None:
            severity = (result.error_field(_Field.SEVERITY_NONLOCALIZED) or b"NOTICE").decode("utf-8", "replace")
            message = (result.error_field(_Field.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
            self.on_notice(severity, self.without_secrets(message))

    def _error(self, result: pq.abc.PGresult, index: int) -> ServerError:
        error = _error(result, index)
        if not self._secrets:
            return error
        return replace(
            error,
            message=self.without_secrets(error.message),
            detail=self.without_secrets(error.detail),
            hint=self.without_secrets(error.hint),
            context=self.without_secrets(error.context),
        )


class Aside:
    """A second connection that is asked one thing at a time and never waited for long.

    A pooler may keep its client waiting for as long as the first connection is in use.
    """

    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._pgconn.nonblocking = 1
        self._rows: list[Row] = []
        self.is_asked = False

    def close(self) -> None:
        """Close the connection, answered or not."""
        self._connection.close()

    def ask(self, text: str, *parameters: str | None) -> None:
        """Send a query.  Raise psycopg.Error where the connection is gone."""
        if parameters:
            self._pgconn.send_query_params(text.encode(), [None if p is None else p.encode() for p in parameters])
        else:
            self._pgconn.send_query(text.encode())
        self._rows = []
        self.is_asked = True

    def answer(self, *, within_s: float) -> tuple[Row, ...] | None:
        """The rows of what was asked, None where they have not come yet.

        Raise psycopg.Error where the connection is gone or the query was refused.
        """
        until = time.monotonic() + within_s
        while self.is_asked:
            unsent = self._pgconn.flush()
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self.is_asked = False
                    return tuple(self._rows)
                if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                    raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
                self._rows.extend(_rows(result))
            left = until - time.monotonic()
            if left <= 0:
                return None
            socket = self._pgconn.socket
            select.select([socket], [socket] if unsent else [], [], left)
        return tuple(self._rows)


def _with_values(command: Command) -> bytes:
    """The text of a command with its parameters written out."""
    if not command.parameters:
        return command.sent
    values = ["NULL" if value is None else literal(value) for value in command.parameters]
    text = command.text if isinstance(command.text, str) else command.text.decode()
    return _PARAMETER.sub(lambda found: values[int(found[1]) - 1], text).encode()


def _rows(result: pq.abc.PGresult) -> tuple[Row, ...]:
    width = range(result.nfields)
    return tuple(
        tuple(None if (v := result.get_value(r, c)) is None else v.decode("utf-8", "replace") for c in width)
        for r in range(result.ntuples)
    )


def _is_last_word(result: pq.abc.PGresult) -> bool:
    """Does the session end with it, whether or not the connection is closed?"""
    return result.error_field(_Field.SEVERITY_NONLOCALIZED) in (b"FATAL", b"PANIC")


def _error(result: pq.abc.PGresult, index: int) -> ServerError:
    def field(which: pq.DiagnosticField) -> str:
        return (result.error_field(which) or b"").decode("utf-8", "replace")

    position = field(_Field.STATEMENT_POSITION)
    sqlstate = field(_Field.SQLSTATE)
    message = field(_Field.MESSAGE_PRIMARY) or result.error_message.decode("utf-8", "replace").strip()
    is_of_catalog = sqlstate == "23505" and field(_Field.SCHEMA_NAME) == "pg_catalog"
    if is_of_catalog or (sqlstate == "XX000" and message.startswith("tuple concurrently ")):
        sqlstate = "40001"  # another session made or changed the same object at the same time
    return ServerError(
        index,
        sqlstate,
        message,
        field(_Field.MESSAGE_DETAIL),
        field(_Field.MESSAGE_HINT),
        int(position) if position.isdigit() else 0,
        field(_Field.CONTEXT),
        field(_Field.SCHEMA_NAME),
        field(_Field.TABLE_NAME),
        field(_Field.COLUMN_NAME),
        field(_Field.CONSTRAINT_NAME),
    )
