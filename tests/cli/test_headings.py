"""--help shows each option once, under a heading, and a variable unless one would guess it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from tests.test_docs import commands
from wflo_schema.cli.commands import cli
from wflo_schema.cli.headings import _HEADINGS

_ROOT = click.Context(cli, info_name="wflo-schema", auto_envvar_prefix="WFLO_SCHEMA", terminal_width=10_000)


def context_of(path: tuple[str, ...]) -> click.Context:
    found = _ROOT
    for name in path:
        assert isinstance(found.command, click.Group)
        command = found.command.get_command(found, name)
        assert command is not None
        found = click.Context(command, info_name=name, parent=found, terminal_width=10_000, max_content_width=10_000)
    return found


def options_of(context: click.Context) -> Iterator[click.Option]:
    return (p for p in context.command.get_params(context) if isinstance(p, click.Option))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_each_option_stands_below_a_heading_once(path: tuple[str, ...]) -> None:
    context = context_of(path)
    shown = re.findall(r"^  (-[^\n]*?)(?=  |\n)", context.get_help(), re.MULTILINE)
    spelt = [word.rstrip(",") for one in shown for word in one.split() if word.startswith("-")]
    assert sorted(spelt) == sorted(name for one in options_of(context) for name in (*one.opts, *one.secondary_opts))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_a_variable_is_shown_or_can_be_guessed(path: tuple[str, ...]) -> None:
    context = context_of(path)
    headings = re.findall(r"^([A-Z][\w ]+):\n((?:  .*\n)+)", f"{context.get_help()}\n", re.MULTILINE)
    lines = {(heading, line.split("  ")[1]): line for heading, text in headings for line in text.splitlines()}
    for one in options_of(context):
        spelt = max(one.opts, key=len)
        heading, line = next((h, line) for (h, names), line in lines.items() if re.search(rf"{spelt}(?![\w-])", names))
        prefix = (_ROOT if heading in _HEADINGS else context).auto_envvar_prefix
        guessed = f"{prefix}_{spelt.lstrip('-').replace('-', '_').upper()}"
        names = list(one.get_help_extra(context).get("envvars", ()))
        assert names in ([], [guessed]) or all(name in line for name in names), line
