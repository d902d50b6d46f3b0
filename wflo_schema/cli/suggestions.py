"""The next command to paste, with the options that were given: also for somebody who typed another tool's word.

Nothing here runs unless a command line could not be understood, or something stands against it.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote

import click

from wflo_schema.connect.database import Database
from wflo_schema.errors import UsageError
from wflo_schema.words import listed

# What the word is called here, by the group that it was said to.
_WORDS: dict[str, dict[str, str]] = {
    "cli": {
        **dict.fromkeys(("up", "upgrade", "apply", "deploy", "run", "latest", "push", "update", "forward"), "migrate"),
        **dict.fromkeys(("down", "downgrade", "revert", "undo", "rollback-to", "back"), "rollback"),
        **dict.fromkeys(("create", "add", "generate", "make", "revision", "init", "migration"), "new"),
        **dict.fromkeys(
            ("current", "history", "list", "ls", "show", "info", "log", "version", "pending", "heads"), "status"
        ),
        **dict.fromkeys(("validate", "verify", "test"), "check"),
        **dict.fromkeys(("drift", "compare"), "check --drift"),
        **dict.fromkeys(("makemigrations", "autogenerate"), "diff"),
        **dict.fromkeys(("stamp", "mark", "fake", "resolve", "record"), "baseline"),
        **dict.fromkeys(("takeover", "pull"), "adopt"),
        **dict.fromkeys(("convert", "translate", "from"), "import"),
        **dict.fromkeys(("dry-run", "preview", "script"), "plan"),
        **dict.fromkeys(("analyze", "analyse", "review", "squawk", "eugene"), "lint"),
        **dict.fromkeys(("rehearse", "simulate", "explain"), "trace"),
        "recipe": "new --recipe",
        **dict.fromkeys(("reset", "drop", "recreate", "fresh", "testdb", "test_db"), "test-db"),
        **dict.fromkeys(("schema", "snapshot", "export"), "dump"),
        "prune": "test-db prune",
        "freeze": "contract freeze",
        "start": "server start",
        "stop": "server stop",
        "help": "--help",
    },
    "server": {
        **dict.fromkeys(("up", "run", "create", "init", "restart"), "start"),
        **dict.fromkeys(("down", "kill", "shutdown"), "stop"),
        **dict.fromkeys(("info", "show", "url", "ps"), "status"),
    },
    "contract": dict.fromkeys(("new", "init", "create", "write", "dump", "generate"), "freeze"),
    "test-db": {
        **dict.fromkeys(("create", "new", "reset", "recreate", "make"), ""),
        **dict.fromkeys(("drop", "clean", "remove", "delete"), "prune"),
        **dict.fromkeys(("ls", "show"), "list"),
    },
}

# What the option is called here; "plan" is a command of its own.
_OPTIONS = {
    **dict.fromkeys(("--url", "--dsn", "--db", "--database", "--uri", "-d", "--connection"), "--database-url"),
    **dict.fromkeys(
        ("--dir", "--path", "--folder", "--source", "--migrations-dir", "--directory", "-p", "-m"), "--migrations"
    ),
    **dict.fromkeys(("--target", "--version", "--revision", "--until", "--id"), "--to"),
    **dict.fromkeys(("--steps", "--step", "--number"), "--count"),
}
_COMMANDS_BY_OPTION = {
    **dict.fromkeys(("--dry-run", "--dryrun", "--dry", "--pretend", "--plan", "--sql", "--preview"), "plan"),
    **dict.fromkeys(("--fake", "--stamp", "--mark"), "baseline"),
}

_NEWEST = ("head", "heads", "latest", "HEAD")


def is_count(word: str) -> bool:
    """Whether a number is more likely how many migrations are meant than the beginning of an id."""
    return word.isdecimal() and len(word) <= 2


def suggest(words: Sequence[str], root: click.Group) -> str:
    """The command line that was meant, fit to be pasted, without any password; empty where nobody can know."""
    here: click.Command = root
    way: list[str] = []
    options: list[tuple[str, str | None]] = []
    arguments: list[str] = []
    takes_value = _options_of(root, inner=True)
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word.startswith("-") and word.strip("-") and not word.strip("-").isdecimal():
            name, has_value, value = word.partition("=")
            if name == "--json":
                name, has_value, value = "--format", "=", "json"
            elif not has_value and takes_value.get(_named(name, takes_value)) and rest:
                has_value, value = "=", rest.popleft()
            options.append((name, value if has_value else None))
        elif isinstance(here, click.Group) and (meant := _meant(here, word)) is not None:
            for part in meant.split():
                if part.startswith("-"):
                    options.append((part, None))
                else:
                    here = _inner(here, part)
                    way.append(part)
        elif here is root:
            return ""
        elif way == ["migrate"] and (other := _said_after_migrate(root, word)):
            way = [other]
            here = _inner(root, other)
        else:
            arguments.append(word)
    # A flag of another command says what is to be done, as --fix: it is not to be left out.
    known = {*(name for name, takes in takes_value.items() if takes), *_COMMANDS_BY_OPTION, *_OPTIONS}
    own_options = {*_options_of(here, inner=True), "--help"}
    for name, _ in options:
        if name not in known and _named(name, own_options) not in own_options:
            return ""  # it may resemble another command's, and mean something that is not to be left out
        if here.name == "rollback" and _named(name, _options_of(here)) not in (*_options_of(here), "--help"):
            return ""  # what an option of no use was to hold back would be rolled back without it
        if name in _COMMANDS_BY_OPTION and name not in _options_of(here):
            way = [_COMMANDS_BY_OPTION[name]]
            here = _inner(root, way[0])
    if isinstance(here, click.Group) and not here.invoke_without_command:
        way += [own for name, _ in options if (own := _named(name, _options_of(here))) in _options_of(here)][:1]
        if way and way[-1].startswith("-"):
            return " ".join(["wflo-schema", *way])
        return " ".join(["wflo-schema", *way, "--help"])
    said = _arguments(here, arguments)
    if arguments and not said and arguments[0] not in _NEWEST:
        return ""
    said += [word for name, value in options for word in _option(here, name, value)]
    said += _missing(here, said)
    return shlex.join(["wflo-schema", *way, *said]) if [*way, *said] != list(words) else ""


def meant() -> str:
    """`suggest` for the command line that is being run, which is the ``obj`` of the root's context."""
    root = click.get_current_context().find_root()
    assert isinstance(root.command, click.Group)
    return suggest(root.obj, root.command)


_REPEATED = frozenset(
    "database_url server_directory schema migrations recursive contract scratch_url scratch_template "
    "scratch_prepare allow_outside into values env password_command role ledger_schema "
    "schemas schemas_from databases targets".split()
)
# One that is spoken of, as in "as wflo-schema migrate does", is not to be typed.
_NEXT_STEP = re.compile(
    r"(?<!as )(?<!of )(?<!by )(?<!that )(?<!after )wflo-schema (?P<words>[a-z-]+(?: [a-z]+)?)(?=(?P<rest>[^;\n]*))"
)


def with_given_options(hint: str, context: click.Context, naming: Mapping[str, Sequence[str]] | None = None) -> str:
    """The text whose commands say where again; variables stay set and are not repeated.

    ``naming``: the options that name the targets that are meant, in place of those of this command line.
    """
    command_line = click.core.ParameterSource.COMMANDLINE
    given: dict[str, list[str]] = {}
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in _REPEATED or context.get_parameter_source(name) is not command_line:
            continue
        spelt, value = parameter.opts[0], context.meta.get(f"wflo_schema.{name}", context.params.get(name))
        values = map(str, value if isinstance(value, tuple) else (value,))
        is_flag = isinstance(parameter, click.Option) and parameter.is_flag
        said = map(without_password, values) if spelt.endswith("-url") else values
        given[spelt] = [spelt] if is_flag else [word for one in said for word in (spelt, one)]
    for spelt, names in (naming or {}).items():
        replaced = _NAMING[:3] if spelt == "--schema" else (spelt,)
        given = {name: words for name, words in given.items() if name not in replaced}
        given[spelt] = [word for one in names for word in (spelt, one)]

    def repeat(found: re.Match[str]) -> str:
        here: click.Command = context.find_root().command
        words, way = deque(found["words"].split(" ")), []
        while words and isinstance(here, click.Group) and words[0] in here.list_commands(context):
            way.append(words.popleft())
            here = _inner(here, way[-1])
        said = f"{' '.join(words)}{found['rest']}"
        if not way or "--help" in said:
            return found[0]
        takes = set(_options_of(here))
        if re.search(r"--schema[ =]", said):  # it is about one target
            takes -= {"--schemas", "--schemas-from"}
        more = [w for name, values in given.items() if name in takes and name not in said for w in values]
        return " ".join(("wflo-schema", *way, *map(shlex.quote, more), *words))

    return _NEXT_STEP.sub(repeat, hint)


# What names targets.
_NAMING = ("--schema", "--schemas", "--schemas-from", "--databases", "--targets")


def typed_again(context: click.Context, *, schemas: Sequence[str] = ()) -> str:
    """The command line that is being run, fit to be pasted, without any password; for these schemas only, if any."""
    words = deque(context.find_root().obj or context.command_path.split()[1:])
    said: list[str] = []
    while words:
        word = words.popleft()
        name, sign, value = word.partition("=")
        if schemas and name in _NAMING:
            if not sign and words:
                words.popleft()
        elif name.startswith("--") and sign and "://" in value:
            said.append(f"{name}={without_password(value)}")
        else:
            said.append(without_password(word) if "://" in word else word)
    return shlex.join(["wflo-schema", *said, *(w for schema in schemas for w in ("--schema", schema))])


def refuse_options_before(context: click.Context, name: str) -> None:
    """Raise `UsageError` for options of a group that stand before its command ``name``, which would not see them."""
    command_line = click.core.ParameterSource.COMMANDLINE
    early = [p.opts[0] for p in context.command.params if context.get_parameter_source(p.name or "") is command_line]
    raise UsageError(
        f"{listed(early)} stands before {name}, which would not see it",
        hint=f"put options behind the last command: {meant()}",
    )


def _said_after_migrate(root: click.Group, word: str) -> str:
    """The command that other tools spell ``migrate up``, ``migrate status``; empty for the beginning of an id."""
    names = root.list_commands(click.Context(root))
    said = word if word in names else _WORDS["cli"].get(word, "")
    return said if said in names else ""


def _inner(group: click.Command, name: str) -> click.Command:
    found = group.get_command(click.Context(group), name) if isinstance(group, click.Group) else None
    assert found is not None, name
    return found


def _options_of(command: click.Command, *, inner: bool = False) -> dict[str, bool]:
    """Every spelling of the options, and whether it takes a value; ``inner`` with those of the commands in it."""
    found = {name: not p.is_flag for p in command.params if isinstance(p, click.Option) for name in p.opts}
    if inner and isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found.update(_options_of(_inner(command, name), inner=True))
    return found


def _meant(group: click.Group, word: str) -> str | None:
    """The command of the group that a word stands for, None where it resembles none."""
    names = group.list_commands(click.Context(group))
    if word in names:
        return word
    known = _WORDS.get(group.name or "", {})
    near = difflib.get_close_matches(word.lower(), [*names, *known], n=1, cutoff=0.75)
    return known.get(near[0], near[0]) if near else None


def _arguments(command: click.Command, given: Sequence[str]) -> list[str]:
    if command.name == "new":
        return [" ".join(given) or "add a column"]
    if not given or given[0] in _NEWEST:
        return []
    if command.name == "rollback" and is_count(given[0].removeprefix("-")):
        return ["--count", given[0].removeprefix("-")]
    if any(isinstance(p, click.Argument) for p in command.params):
        return [given[0]]
    return ["--to", given[0]] if "--to" in _options_of(command) else []


def _missing(command: click.Command, said: Collection[str]) -> list[str]:
    """What the command cannot do without, and was not said, by the names that its help has for it."""
    missing: list[str] = []
    for p in command.params:
        if not p.required or not {*p.opts}.isdisjoint(said):
            continue
        if isinstance(p, click.Option):
            missing += [p.opts[0]] if p.is_flag else [p.opts[0], p.metavar or "VALUE"]
        elif not said or next(iter(said)).startswith("-"):
            missing.insert(0, p.metavar or (p.name or "").upper())
    return missing


def _option(command: click.Command, name: str, value: str | None) -> tuple[str, ...]:
    """The option as the command takes it, nothing where it takes none like it."""
    options = {**_options_of(command), "--help": False}
    name = _named(name, options)
    if name not in options:
        return ()
    if not options[name]:
        return (name,)
    if value is None:
        return (name, next(p.metavar or "VALUE" for p in command.params if name in p.opts))
    return (name, without_password(value) if name.endswith("-url") else value)


def _named(name: str, options: Collection[str]) -> str:
    """The spelling of an option that was meant."""
    known = name if name in options else _OPTIONS.get(name, name)
    if known in options or known in _COMMANDS_BY_OPTION:
        return known
    near = difflib.get_close_matches(known, options, n=1, cutoff=0.75)
    others = difflib.get_close_matches(known, _OPTIONS, n=1, cutoff=0.9)  # another tool's word, by a hair
    if others and not (near and _likeness(known, near[0]) >= _likeness(known, others[0])):
        return _OPTIONS[others[0]]
    return near[0] if near else known


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    try:
        database = Database.parse(url)
    except UsageError:
        return "URL"
    shown = database.without_password.url
    return shown if database.schema is None else f"{shown}{'&' if '?' in shown else '?'}schema={quote(database.schema)}"
