"""Processes that start in milliseconds: forks of one that has imported everything, and runs nothing itself.

For tests whose point is what a command says and does, or when it is killed.  Those about the start itself (imports,
streams, signals in between) start Python.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from wflo_schema.__main__ import main
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow
from wflo_schema.files.folder import read_migrations

# What a command imports only when it needs it.
_USED_BY_COMMANDS = (
    "postgast",
    "rich.progress",
    "yoyo.migrations",
    "wflo_schema.adopt.judge",
    "wflo_schema.check.freeze",
    "wflo_schema.check.verdict",
    "wflo_schema.cli.checks",
    "wflo_schema.cli.commands",
    "wflo_schema.cli.databases",
    "wflo_schema.cli.migrations",
    "wflo_schema.cli.servers",
    "wflo_schema.cli.takeover",
    "wflo_schema.scratch.replay",
    "wflo_schema.server.embedded",
    "wflo_schema.show.check_formats",
    "wflo_schema.testdb.databases",
)

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload([__name__, *_USED_BY_COMMANDS])


def migrate(database: Database, folder: str) -> None:
    """Apply a folder to a database that need not be empty, as the target of a process."""
    operations.migrate(database, read_migrations(folder), allow=(Allow.NOT_EMPTY,))


class Command:
    """One ``wflo-schema`` process, from its start; ``finish`` gives exit code, stdout and stderr.

    ``is_merged``: stdout has both, in the order in which they were written.
    """

    def __init__(self, *words: str, cwd: Path, env: Mapping[str, str], is_merged: bool = False) -> None:
        self._said = tempfile.TemporaryDirectory(prefix="wfo")
        self._paths = [Path(self._said.name, name) for name in ("out", "err")]
        for path in self._paths:
            path.touch()
        self.process = forks.Process(target=_run, args=(words, str(cwd), dict(env), *map(str, self._paths), is_merged))
        self.process.start()

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    @property
    def err(self) -> str:
        """What it has written to stderr so far."""
        return self._paths[1].read_text(encoding="utf-8")

    def finish(self, seconds: float = 120.0) -> tuple[int, str, str]:
        self.process.join(seconds)
        is_late = self.process.is_alive()
        if is_late:
            self.process.kill()
            self.process.join()
        out, err = (path.read_text(encoding="utf-8") for path in self._paths)
        self._said.cleanup()
        assert not is_late, f"still running after {seconds} s; stdout: {out}; stderr: {err}"
        assert self.process.exitcode is not None
        return self.process.exitcode, out, err


def _run(words: tuple[str, ...], cwd: str, env: dict[str, str], out: str, err: str, is_merged: bool) -> None:
    """Be the process: in its folder and environment, with its three streams, as Python would have opened them."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate((os.devnull, out, err)):
        opened = os.open(path, os.O_WRONLY if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    if is_merged:
        os.dup2(1, 2)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    unbuffered = io.FileIO(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(unbuffered, encoding="utf-8", errors="backslashreplace", write_through=True)
    sys.argv = ["wflo-schema", *words]
    main()
