"""The options of a command in its --help: its own first, then those that many commands share, under headings.

Hides under which heading an option stands, and which variable goes without saying.
"""

from __future__ import annotations

import click

# The options that several commands share, by their names in code, in the order in which they are shown.
_HEADINGS = {
    "Which database": "database_url schema ledger_schema role password_command wait env server_directory",
    "Many targets": "schemas schemas_from databases targets jobs canary stop_after_failures",
    "Which files": "migrations recursive set",
    "Locks": "lock_timeout block_timeout lock_wait",
    "Scratch database": "scratch_url scratch_template scratch_prepare allow_outside",
    "Output": "format_ help",
}
_HEADING = {name: heading for heading, names in _HEADINGS.items() for name in names.split()}
_ORDER = list(_HEADING)

# How the options are headed that a command has alone.
_OWN = {
    "check": "What is checked",
    "lint": "What is judged",
    "migrate": "What is applied",
    "plan": "What is planned",
    "rollback": "What is rolled back",
    "trace": "What is rehearsed",
}


def write_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options under their headings, and below them how their variables are called."""
    options = [p for p in command.get_params(context) if isinstance(p, click.Option) and not p.hidden]
    own = [one for one in options if _name(one) not in _HEADING]
    shared = sorted((one for one in options if _name(one) in _HEADING), key=lambda one: _ORDER.index(_name(one)))
    sections = {_OWN.get(command.name or "", "Options"): own}
    for one in shared:
        sections.setdefault(_HEADING[_name(one)], []).append(one)
    for heading, those in sections.items():
        if those:
            with formatter.section(heading):
                formatter.write_dl([_record(one, context, is_own=those is own) for one in those])
    kinds = ((own, True, f"below “{next(iter(sections))}”"), (shared, False, "below the other headings"))
    called = [
        f"{_regular(first, context, is_own=is_own)}{f' {where}' if own and shared else ''}"
        for those, is_own, where in kinds
        if (first := next((o for o in those if _is_regular(o, context, is_own=is_own)), None)) is not None
    ]
    if called:
        formatter.write_paragraph()
        with formatter.indentation():
            said = f"Each option has a variable, called as {' and '.join(called)}, unless another is named."
            formatter.write_text(said)


def _name(option: click.Option) -> str:
    """The option's name in code; Click has one of its own for --help."""
    return "help" if "--help" in option.opts else option.name or ""


def _spelt(option: click.Option) -> str:
    return max(option.opts, key=len)


def _record(option: click.Option, context: click.Context, *, is_own: bool) -> tuple[str, str]:
    """An option and what is said of it; its variable only where that is called otherwise than one would guess."""
    shows = option.show_envvar
    option.show_envvar = shows and not _is_regular(option, context, is_own=is_own)
    try:
        return option.get_help_record(context) or ("", "")
    finally:
        option.show_envvar = shows


def _regular(option: click.Option, context: click.Context, *, is_own: bool) -> str:
    """The variable as one would guess it: the command's name is in it where no other command has the option."""
    prefix = context.auto_envvar_prefix if is_own else context.find_root().auto_envvar_prefix
    return f"{prefix}_{_spelt(option).lstrip('-').replace('-', '_').upper()}"


def _is_regular(option: click.Option, context: click.Context, *, is_own: bool) -> bool:
    return option.get_help_extra(context).get("envvars", ()) == (_regular(option, context, is_own=is_own),)
