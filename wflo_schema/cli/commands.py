"""The command line: options, one call, one rendering, one exit code.

Knows which commands there are; each is imported when it is asked for, so that none pays for the others.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

import wflo_schema
from wflo_schema.cli.signals import signals
from wflo_schema.cli.streams import (
    EXIT_CODES,
    ReaderGone,
    discard,
    make_streams_safe,
    print_json,
    remember_format,
    say,
    show_error,
)
from wflo_schema.errors import WfloSchemaError

# The module of each command, its name there, and its line in the list, which must fit the column.
COMMANDS = {
    "adopt": ("takeover", "adopt", "Take over a database that another tool made."),
    "baseline": ("takeover", "baseline", "Record migrations as applied without running them."),
    "check": ("checks", "check", "Verify tables, ledger and foreign keys in the live catalog."),
    "config": ("config", "config", "Show which settings are in force, and where each comes from."),
    "contract": ("checks", "contract", "Write down what a database must keep."),
    "dev": ("dev", "dev", "Keep a development database as the files say, at each save."),
    "diff": ("differences", "diff", "Write what was done by hand as a migration, proven by replay."),
    "dump": ("checks", "dump", "Write the schema as SQL, for review in version control."),
    "import": ("takeover", "import_", "Turn another tool's folder into plain files, proven by replay."),
    "lint": ("linting", "lint", "Say what pending files would block, break or lose."),
    "migrate": ("migrations", "migrate", "Apply every pending migration."),
    "move": ("files", "move", "Rename a pending migration so that it comes last."),
    "new": ("files", "new", "Write an empty migration and its rollback file."),
    "plan": ("plans", "plan", "Say what migrate would do, and what would stop it."),
    "rollback": ("migrations", "rollback", "Roll back the last migration, the last few, or one."),
    "seed": ("seeds", "seed", "Load a set of seeds once: SQL, CSV, the text of COPY."),
    "server": ("servers", "server", "Run a PostgreSQL of the project's own."),
    "squash": ("files", "squash", "Write one migration in place of many, proven by replay."),
    "status": ("migrations", "status", "List the migrations: applied, pending, changed, missing."),
    "trace": ("tracing", "trace", "Rehearse what is pending: what it locks, rewrites and scans."),
    "wait": ("migrations", "wait", "Wait until the server lets you in, or the schema is there."),
    "test-db": ("databases", "test_db", "Drop, create and migrate the test database."),
}


@contextlib.contextmanager
def _told_of_reader() -> Iterator[None]:
    """That nobody reads stdout any more is not an OSError, which click would turn into exit code 1."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


def _describe(command: click.Command) -> None:
    """Give a command and those below it their help, which is a docstring: ``python -OO`` has left them out."""
    import ast
    import inspect

    source = inspect.getsource(sys.modules[command.callback.__module__])
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    docstrings = {node.name: ast.get_docstring(node) for node in functions}
    waiting = [command]
    while waiting:
        one = waiting.pop()
        one.help = docstrings.get(getattr(one.callback, "__name__", ""))
        if isinstance(one, click.Group) and one is not cli:
            waiting += one.commands.values()


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"wflo_schema.cli.{module}"), name)
        if sys.flags.optimize > 1:
            _describe(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; migrate --dry-run is plan, and takes its options."""
        if args[:1] == ["migrate"] and "--dry-run" in args:
            args = ["plan", *(word for word in args[1:] if word != "--dry-run")]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in sorted(COMMANDS.items())])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _told_of_reader():  # --help and --version print in here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _told_of_reader():
            return super().invoke(ctx)


@click.group(
    cls=_Group,
    context_settings={"auto_envvar_prefix": "WFLO_SCHEMA", "help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(wflo_schema.__version__)
def cli() -> None:
    """Plain SQL migrations for PostgreSQL, verified in the live catalog.

    \b
    Start here:
      wflo-schema server start      a PostgreSQL of the project's own, if you have none
      wflo-schema migrate           apply what is pending
      wflo-schema check             verify tables, ledger and foreign keys
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one clear text on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if sys.flags.optimize > 1:
        _describe(cli)
    if arguments is None:
        gc.set_threshold(100_000)  # what is imported stays: to look through it for garbage only costs time
    before = signals.take_over()
    remember_format("")
    make_streams_safe()
    code = _run(words)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard(stream)
    if arguments is None:
        signals.ignore()
        gc.freeze()  # nor is it looked through at exit, which takes as long as importing psycopg
    else:
        signals.give_back(before)
    sys.exit(code)


def _run(words: Sequence[str]) -> int:
    """Run one command, say what became of it, and return its exit code."""
    try:
        with signals.raising():
            cli.main(args=list(words), prog_name="wflo-schema", standalone_mode=False, obj=words)
            sys.stdout.flush()
        return 0
    except click.exceptions.Exit as stopped:
        return stopped.exit_code
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 3
    except click.ClickException as error:
        from wflo_schema.cli.suggestions import suggest

        vars(error)["possibilities"] = None  # what Click itself would suggest: it knows less, and can contradict us
        context = getattr(error, "ctx", None)
        meant = suggest(words, cli)
        hint = meant or (f"{context.command_path} --help" if context is not None else "")
        print_json(words, "usage-error", error.format_message(), hint)
        try:
            error.show()
            if meant:
                say(f"hint: {meant}")
        except OSError:
            discard(sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(words)
    except WfloSchemaError as error:
        if signals.has_raised:  # it came of being interrupted
            return _interrupted(words)
        show_error(error, words)
        return error.exit_code
    except (ReaderGone, BrokenPipeError):
        discard(sys.stdout)
        return 128 + signal.SIGPIPE
    except OSError as error:
        said = f"cannot go on: {error if error.filename else error.strerror or error}"
        hint = ""
        try:
            os.getcwd()
        except FileNotFoundError:
            said, hint = "cannot go on: the current folder has been removed", "cd to a folder that is there"
        print_json(words, "os-error", said, hint)
        say(f"error: {said}" + (f"\nhint: {hint}" if hint else ""))
        return 3
    # The one catch-all: a bug of ours, shown with its traceback, and the exit code of "could not do it".
    except Exception as error:  # noqa: BLE001
        if signals.has_raised:
            return _interrupted(words)
        import traceback

        said = f"this is a bug in wflo-schema: {type(error).__name__}"
        print_json(words, "bug", said)
        say(traceback.format_exc().rstrip())
        say(f"error: {said}")
        return 3


def _interrupted(words: Sequence[str]) -> int:
    with contextlib.suppress(ImportError, AttributeError, NameError):  # it may have come in the middle of an import
        print_json(words, "interrupted", str(signals))
    say(f"error: {signals}")
    return signals.exit_code
