"""A TCP proxy that knows where PostgreSQL's protocol messages end: it counts, cuts and delays.

See https://www.postgresql.org/docs/current/protocol-message-formats.html.  Knows plain connections
only; ask for ``sslmode=disable`` where the server would offer TLS.
"""

from __future__ import annotations

import contextlib
import enum
import queue
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104

# From linux/tcp.h; Python has no name for it.
_TCP_REPAIR = 19


class Direction(enum.StrEnum):
    """Which way a message goes."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


@dataclass(frozen=True)
class Cut:
    """Cut a connection, the first or ``connection`` of them, once ``after`` messages have gone ``direction``.

    0 cuts before the first message.
    ``silently``: the server is not told, as when a host loses its power; needs root, and Linux.
    ``hangs``: nothing is cut, but nothing gets through any more, on new connections either.
    """

    direction: Direction
    after: int
    silently: bool = False
    connection: int = 0
    hangs: bool = False


@dataclass
class Counts:
    """Messages that one connection carried, each way."""

    to_server: int = 0
    to_client: int = 0


class _Splitter:
    """Finds the ends of messages in a stream."""

    def __init__(self, direction: Direction) -> None:
        self._buffer = bytearray()
        self._direction = direction
        self.is_starting = direction == Direction.TO_SERVER
        self.expects_one_byte = False

    def feed(self, chunk: bytes) -> list[bytes]:
        self._buffer += chunk
        messages = []
        while (size := self._next_size()) and len(self._buffer) >= size:
            message = bytes(self._buffer[:size])
            del self._buffer[:size]
            if self.is_starting and self._direction == Direction.TO_SERVER:
                code = struct.unpack_from("!I", message, 4)[0]
                self.is_starting = code in (_SSL_REQUEST, _GSS_REQUEST)
            self.expects_one_byte = False
            messages.append(message)
        return messages

    def _next_size(self) -> int:
        if self.expects_one_byte:
            return 1
        if self.is_starting:
            return int(struct.unpack_from("!I", self._buffer)[0]) if len(self._buffer) >= 4 else 0
        return 1 + int(struct.unpack_from("!I", self._buffer, 1)[0]) if len(self._buffer) >= 5 else 0


@dataclass
class Proxy:
    """Listens on ``port`` of ``address`` while it is open, and passes everything on to ``host``:``target_port``.

    ``leaves_open``: what the server closes stays open at the client's end.

    ``delay_s`` is the time a chunk is under way, each way; any amount may be under way at once.
    """

    host: str
    target_port: int
    cut: Cut | None = None
    delay_s: float = 0.0
    address: str = "127.0.0.1"
    leaves_open: bool = False
    connections: list[Counts] = field(default_factory=list)
    was_cut: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server((self.address, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._vanished: set[socket.socket] = set()
        self._is_closed = self._hangs = False

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            self._shut(one)
        for thread in self._threads:
            thread.join(timeout=5)
        for one in self._sockets:
            one.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._hangs:
                self._sockets.append(client)
                continue
            try:
                server = socket.create_connection((self.host, self.target_port))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(one)
            counts = Counts()
            self.connections.append(counts)
            is_meant = self.cut is not None and len(self.connections) == self.cut.connection + 1
            cut = self.cut if is_meant else None
            if cut is not None and cut.after == 0:
                self.was_cut.set()
                _shut(client)
                _shut(server)
                continue
            to_server, to_client = _Splitter(Direction.TO_SERVER), _Splitter(Direction.TO_CLIENT)
            self._start(self._pass_on, client, server, Direction.TO_SERVER, to_server, to_client, counts, cut)
            self._start(self._pass_on, server, client, Direction.TO_CLIENT, to_client, to_server, counts, cut)

    def _pass_on(
        self,
        source: socket.socket,
        sink: socket.socket,
        direction: Direction,
        splitter: _Splitter,
        other: _Splitter,
        counts: Counts,
        cut: Cut | None,
    ) -> None:
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        if self.delay_s:
            self._start(_deliver, under_way, sink)
        name = "to_server" if direction == Direction.TO_SERVER else "to_client"
        try:
            while chunk := source.recv(65536):
                messages = splitter.feed(chunk)
                if direction == Direction.TO_SERVER and splitter.is_starting and messages:
                    other.expects_one_byte = True
                if self._hangs:
                    return
                count = getattr(counts, name)
                setattr(counts, name, count + len(messages))
                if cut is not None and cut.direction == direction and count + len(messages) >= cut.after:
                    self._hangs = cut.hangs
                    sink.sendall(b"".join(messages[: cut.after - count]))
                    if cut.hangs:
                        self.was_cut.set()
                        return
                    if cut.silently:
                        self._vanish(sink)
                    self.was_cut.set()
                    break
                if self.delay_s:
                    under_way.put((time.monotonic() + self.delay_s, b"".join(messages)))
                elif messages:
                    sink.sendall(b"".join(messages))
        except OSError:
            pass
        if self.delay_s:
            under_way.put((time.monotonic() + self.delay_s, b""))
        elif not (self.leaves_open and direction == Direction.TO_CLIENT):
            self._shut(sink)
        self._shut(source)

    def _vanish(self, one: socket.socket) -> None:
        """Forget a connection without a word to the other end (TCP_REPAIR, see tcp(7) and criu.org)."""
        self._vanished.add(one)
        time.sleep(0.3)  # what was sent is acknowledged by then: an acknowledgement would be answered by a reset
        one.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        one.shutdown(socket.SHUT_RD)  # wakes who reads from it, and sends nothing
        one.close()

    def _shut(self, one: socket.socket) -> None:
        if one not in self._vanished:
            _shut(one)


def _deliver(under_way: queue.SimpleQueue[tuple[float, bytes]], sink: socket.socket) -> None:
    while True:
        at, chunk = under_way.get()
        time.sleep(max(0.0, at - time.monotonic()))
        if not chunk:
            _shut(sink)
            return
        with contextlib.suppress(OSError):
            sink.sendall(chunk)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":  # python -m tests.proxy ADDRESS HOST PORT: prints its port
    with Proxy(sys.argv[2], int(sys.argv[3]), address=sys.argv[1]) as relay:
        print(relay.port, flush=True)
        threading.Event().wait()
