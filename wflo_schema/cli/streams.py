"""What is printed: data on stdout, the rest on stderr, safe on every terminal, pipe and encoding."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from wflo_schema.errors import CannotWrite, UsageError, WfloSchemaError

# The end of each command's help.
EXIT_CODES = """\b
Exit codes: 0 done, nothing found; 1 answered, and the answer is no;
2 usage; 3 could not do it; 130/143 stopped by Ctrl-C/SIGTERM."""


def warn(text: str) -> None:
    """Print a warning on stderr."""
    say(f"{click.style('warning:', fg='yellow')} {visible(text)}")


def say(text: str) -> None:
    """Print on stderr; a failure to print stops nothing."""
    try:
        click.echo(text, err=True)
    except OSError:
        discard(sys.stderr)


def write_file(path: Path, text: str) -> None:
    """Put the text there in one step: whatever fails, the file is as it was, or whole.  Raise `UsageError`."""
    place = path.resolve()
    half_made = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        half_made.write_text(text, encoding="utf-8")
        if place.exists():
            half_made.chmod(place.stat().st_mode)
        half_made.replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            half_made.unlink()
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="name a file in a folder that is there"
        ) from error


def visible(text: str) -> str:
    """Write control characters out, so that no name from a file or a server steers the terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


class _Terminal(io.TextIOWrapper):
    """A terminal to which no control characters are sent."""

    def write(self, text: str) -> int:
        return super().write(visible(text))


def discard(stream: IO[str]) -> None:
    """Point the stream at /dev/null, so that Python does not fail at exit over what it cannot write."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def make_streams_safe() -> None:
    """Open closed streams on /dev/null; write characters that a stream's encoding lacks as JSON escapes."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # in this order each gets its own descriptor back
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("wflo-schema", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="wflo-schema")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():
        encoding = sys.stdout.encoding
        sys.stdout = _Terminal(sys.stdout.detach(), encoding=encoding, errors="wflo-schema", line_buffering=True)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    import json

    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


class ReaderGone(Exception):
    """Nobody reads stdout any more."""


def answer(text: str | bytes, done: str = "") -> None:
    """Print what a command has to say on stdout, or raise `CannotWrite`.

    ``done`` is what stays done all the same, as in "1 database was dropped".
    """
    try:
        click.echo(text, nl=isinstance(text, str))
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        discard(sys.stdout)
        what = f"{done}; but the answer" if done else "the answer"
        raise CannotWrite(
            f"{what} could not be written to stdout: {error.strerror}",
            hint="make room where stdout is written to",
        ) from None


def show_error(error: WfloSchemaError, words: Sequence[str]) -> None:
    """Print an error on stderr; where ``words`` ask for JSON, print it as JSON on stdout, too."""
    from wflo_schema.show.text import error_json, error_text

    if _wants_json(words):
        _print(error_json(error, is_line=_is_in_lines(words)))
    text = error_text(error)
    if sys.stderr.isatty():
        text = visible(text)
        text = text.replace("error:", click.style("error:", fg="red"), 1)
    say(text)


def print_json(words: Sequence[str], code: str, message: str, hint: str = "") -> None:
    """Print an error that is no `WfloSchemaError` in the shape of one, where JSON was asked for."""
    if _wants_json(words):
        import json

        from wflo_schema.show.text import json_text

        said = {"error": {"code": code, "message": message, "hint": hint}, "applied": (), "not_tried": ()}
        _print(json.dumps(said, ensure_ascii=False) if _is_in_lines(words) else json_text(said))


def _print(text: str) -> None:
    """Print an error on stdout; nobody reading it does not change its exit code."""
    try:
        click.echo(text)
    except OSError:
        discard(sys.stdout)


class _Format:
    """What files and variables say of the format, while a command runs: its context is gone when its error is shown."""

    name = ""
    is_lines = False


def remember_format(name: str) -> None:
    """The format that is meant where the command line names none."""
    _Format.name, _Format.is_lines = name, False


def write_json_in_lines() -> None:
    """From now on each object of JSON is one line, also an error."""
    _Format.is_lines = True


def _is_in_lines(words: Sequence[str]) -> bool:
    """Is an error one line of JSON?  What is typed counts also where the command was not understood yet."""
    return _Format.is_lines or any(word.partition("=")[0] in _OF_SEVERAL for word in words)


_OF_SEVERAL = ("--schemas", "--schemas-from", "--databases", "--targets")


def _wants_json(words: Sequence[str]) -> bool:
    for before, word in zip(["", *words], words, strict=False):
        if word == "--format=json" or (before == "--format" and word == "json"):
            return True
    named = os.environ.get("WFLO_SCHEMA_FORMAT") or _Format.name
    return named == "json" and not any(w.startswith("--format") for w in words)
