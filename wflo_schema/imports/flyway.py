"""Flyway: versioned, undo, repeatable and baseline migrations, placeholders, callbacks.

Source: https://github.com/flyway/flyway (``ResourceNameParser``, ``MigrationVersion``, ``FileSystemScanner``,
``Event``, ``Parser``, ``PostgreSQLParser``, ``PlaceholderReplacingReader``, ``SqlScriptMetadata`` and others there).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.listing import AFTER_ALL, AFTER_EACH, AFTER_ROLLBACK, BEFORE_ALL, BEFORE_EACH, HOOKS, REPEATABLE
from wflo_schema.imports.settings import read_properties, read_yaml
from wflo_schema.imports.source import Folder, Note, Section, Source, Step, Tool, Wishes, holds_sql, joined
from wflo_schema.names import quote
from wflo_schema.words import listed

# Where Flyway's settings are, nearest first; in those of an application they begin with its framework's name.
_CONFIGS = (
    "flyway.toml",
    "flyway.conf",
    "conf/flyway.toml",
    "conf/flyway.conf",
    "application.properties",
    "application.yml",
    "application.yaml",
    "pom.xml",
)

_EVENT = re.compile(
    r"(?:before|after)(?:Each)?(?:Migrate|Clean|Undo|Validate|Baseline|Repair|Info|Repeatables|Versioned|Connect|"
    r"CreateSchema)(?:Statement|Applied|OperationFinish)?(?:Error)?|createSchema"
)

# A value of an application's settings that the environment gives, and the one where it gives none.
_OF_ENVIRONMENT = re.compile(r"\$\{[^:}]*(?::(?P<default>[^}]*))?\}")

_VERSION = re.compile(r"\d+(?:[._]\d+)*")

# Callbacks that run behind the versions and before what is repeatable, where there is no hook: they are migrations.
_BEHIND_VERSIONS = ("afterVersioned", "beforeRepeatables")

# Callbacks that run where a hook does, in the same transaction (DbMigrate, DefaultCallbackExecutor); those of one
# hook in this order.
_HOOK_OF = {
    "beforeMigrate": BEFORE_ALL,
    "beforeEachMigrate": BEFORE_EACH,
    "afterEachMigrate": AFTER_EACH,
    "afterMigrateApplied": AFTER_ALL,
    "afterMigrate": AFTER_ALL,
    "afterEachUndo": AFTER_ROLLBACK,
}

# Where such a hook runs not quite when the callback does.
_OTHERWISE = {
    "beforeMigrate": "Flyway runs it at each migrate; here it runs only where something is to be applied",
    "afterMigrate": "Flyway runs it at each migrate; here it runs only where something was applied",
    "beforeEachMigrate": "Flyway runs it before repeatable migrations, too; here it runs before versioned ones only",
    "afterEachMigrate": "Flyway runs it behind repeatable migrations, too; here it runs behind versioned ones only",
}

_UNDO_HINT = f"what each rollback needs: {HOOKS}/{AFTER_ROLLBACK}.sql, which is run behind each rollback file"

# What Flyway runs besides SQL, as the name ends.
_CODE = (".java", ".kt", ".groovy", ".scala", ".class", ".ps1", ".bat", ".cmd", ".sh", ".bash", ".py")

# --- settings ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a project has chosen; names are Flyway's, in lower case and without hyphens."""

    path: str = ""
    said: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """What is said of it."""
        return self.said.get(name.lower(), default)

    def is_on(self, name: str, default: bool) -> bool:
        """Is it true?"""
        return self.get(name, str(default)).strip().lower() == "true"

    @property
    def prefixes(self) -> tuple[tuple[str, str], ...]:
        """How names begin, the longest first, and the kind of migration that they are."""
        found = (
            (self.get("sqlMigrationPrefix", "V"), "V"),
            (self.get("undoSqlMigrationPrefix", "U"), "U"),
            (self.get("repeatableSqlMigrationPrefix", "R"), "R"),
            (self.get("baselineMigrationPrefix", "B"), "B"),
        )
        return tuple(sorted(found, key=lambda one: -len(one[0])))

    @property
    def separator(self) -> str:
        """What stands between a version and the words."""
        return self.get("sqlMigrationSeparator", "__")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the names of SQL files end."""
        return tuple(s.strip() for s in self.get("sqlMigrationSuffixes", ".sql").split(",") if s.strip())

    @property
    def placeholder(self) -> re.Pattern[bytes]:
        """What is replaced; names are not told apart by case."""
        begin, end = self.get("placeholderPrefix", "${"), self.get("placeholderSuffix", "}")
        text = re.escape(begin) + r"(?:(?P<name>[\s\S]*?)" + re.escape(end) + r"|[\s\S]*\Z)"
        return re.compile(text.encode(), re.IGNORECASE)

    @property
    def schemas(self) -> tuple[str, ...]:
        """Those that it makes; the first is the one that unqualified names are in."""
        names = (self.get("defaultSchema"), *self.get("schemas").split(","))
        said = (_OF_ENVIRONMENT.sub(lambda m: m["default"] or "", name).strip().strip('"') for name in names)
        return tuple(dict.fromkeys(filter(None, said)))

    def head(self, *, is_first: bool) -> bytes:
        """What it runs before a file: that makes its schemas, and is in the first of them."""
        if not self.schemas or self.schemas == ("public",):
            return b""
        made = self.schemas if is_first and self.is_on("createSchemas", True) else ()
        lines = [f"CREATE SCHEMA IF NOT EXISTS {quote(name)};" for name in made if name != "public"]
        if self.schemas[0] != "public":
            lines.append(f'SET search_path TO {quote(self.schemas[0])}, "$user", public;')
        return "".join(f"{line}\n" for line in lines).encode()

    @property
    def values(self) -> dict[str, str]:
        """Values of placeholders, those that Flyway itself gives among them."""
        schema = next(iter(self.schemas), "public")
        start = "placeholders."
        sign = self.get("placeholderSeparator", ":")
        own = {f"flyway{sign}defaultSchema": schema, f"flyway{sign}table": self.get("table", "flyway_schema_history")}
        return own | {name.removeprefix(start): v for name, v in self.said.items() if name.startswith(start)}


def _settings(folder: Folder, wishes: Wishes | None = None) -> _Settings:
    """The nearest settings, in the folder or above it; ``wishes`` may say the schemas, which a program may name."""
    found = _found_settings(folder)
    values = wishes.values if wishes is not None else {}
    wished = {name.lower(): value for name, value in values.items() if name.lower() in ("schemas", "defaultschema")}
    return replace(found, said={**found.said, **wished})


def _found_settings(folder: Folder) -> _Settings:
    for path in folder.above(*_CONFIGS):
        try:
            said = _said_in(path, Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadMigrationFile(f"cannot read {path}: {error}", hint="Flyway takes its settings from it") from None
        if said:
            return _Settings(path, said)
    return _Settings()


def _said_in(path: str, text: str) -> dict[str, str]:
    if path.endswith(".toml"):
        return dict(_flat("", tomllib.loads(text).get("flyway", {})))
    if path.endswith(".xml"):
        plugin = re.search(r"<artifactId>flyway-maven-plugin</artifactId>(.*?)</plugin>", text, re.DOTALL)
        return dict(_of_xml(plugin[1] if plugin else ""))
    if path.endswith((".yml", ".yaml")):
        try:
            tree = read_yaml(text)
        except ValueError:  # an application's settings may be written in ways that are not read here
            return {}
        return dict(_named_so(dict(_flat("", tree if isinstance(tree, dict) else {}))))
    return dict(_named_so(read_properties(text)))


def _flat(before: str, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{before}{name}.".lower(), value)
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{before}{name}".lower(), text


def _of_xml(text: str) -> Iterator[tuple[str, str]]:
    """The simple elements of a configuration, and the placeholders in it."""
    inner = re.search(r"<placeholders>(.*?)</placeholders>", text, re.DOTALL)
    for before, part in (("placeholders.", inner[1] if inner else ""), ("", text)):
        for name, value in re.findall(r"<([\w.-]+)>([^<]*)</\1>", part):
            yield f"{before}{name}".lower(), value.strip()


def _named_so(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Of an application's settings those of Flyway, by Flyway's names."""
    for name, value in said.items():
        if found := re.fullmatch(r"(?:spring\.|quarkus\.)?flyway\.(.*)", name):
            bare = found[1].lower()
            yield bare if bare.startswith("placeholders.") else bare.replace("-", ""), value


# --- names ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    """A file by its name: ``kind`` is V, U, R, B, or the event of a callback.

    ``parts`` are what its version sorts by, without zeros at the end.
    """

    path: str
    kind: str
    version: str
    words: str

    @property
    def parts(self) -> tuple[int, ...]:
        found = [int(part) for part in re.split(r"[._]", self.version)] if self.version else []
        while len(found) > 1 and found[-1] == 0:
            found.pop()
        return tuple(found)


def _named(name: str, settings: _Settings, suffixes: Sequence[str]) -> _Named | None:
    """What Flyway takes the file for; None where it passes it over."""
    base = name.rpartition("/")[2]
    suffix = next((s for s in suffixes if base.upper().endswith(s.upper())), None)
    if suffix is None:
        return None
    stem = base[: -len(suffix)]
    event, _, said = stem.partition(settings.separator)
    if _EVENT.fullmatch(event):
        return _Named(name, event, "", said)
    for prefix, kind in settings.prefixes:
        if stem.startswith(prefix):
            version, _, words = stem[len(prefix) :].partition(settings.separator)
            is_right = not version if kind == "R" else _VERSION.fullmatch(version)
            return _Named(name, kind, version.replace("_", "."), words) if is_right else None
    return None


def _numbers(named: Sequence[_Named]) -> list[str]:
    """What the names here sort by: versions with as many parts each; what has none counts on behind the last."""
    versions = [one.version.split(".") for one in named if one.version]
    without = len(named) - len(versions)
    if not versions or not without:
        most = max(map(len, versions), default=0)
        return [".".join(v + ["0"] * (most - len(v))) for v in versions] or [str(n + 1) for n in range(without)]
    most = max(map(len, versions)) + 1
    numbers = [".".join(v + ["0"] * (most - len(v))) for v in versions]
    return numbers + [f"{numbers[-1].removesuffix('.0')}.{n + 1}" for n in range(without)]


def _refuse_doubled(named: Sequence[_Named], folder: Folder) -> None:
    seen: dict[tuple[str, object], str] = {}
    for one in named:
        what = one.parts or one.words.replace("_", " ")
        known = seen.setdefault((one.kind, what), one.path)
        if known != one.path and (one.version or one.kind == "R"):
            said = f"version {one.version}" if one.version else f"description {what}"
            raise BadMigrationFile(
                f"two migrations have the {said}: {folder.where(known)} and {_where(folder, one)}",
                hint="Flyway refuses to run them: name the folder of one database alone, or give one another name",
            )


# --- how Flyway sends a file ------------------------------------------------------------------

_TOKEN = re.compile(
    rb"(?P<comment>--[^\n]*)|(?P<long>/\*)|[BEX]'(?:[^'\\]|\\.|'')*'?|'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?"
    rb"|(?P<dollar>\$[^$]*\$)|(?P<mark>[();])|(?P<word>[^\W\d][\w$]*(?:\.(?:\"(?:[^\"]|\"\")*\"|[\w$]*))*)|\d[\w.]*"
    rb"|(?P<blank>\s+)|.",
    re.DOTALL,
)
_EDGE = re.compile(rb"/\*|\*/")
_COPY = re.compile(r"COPY( .*)? FROM STDIN")
_OUTSIDE = re.compile(
    r"(CREATE|DROP) (DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER SYSTEM|(CREATE|DROP)( UNIQUE)? INDEX CONCURRENTLY"
    r"|REINDEX( VERBOSE)? (SCHEMA|DATABASE|SYSTEM)|VACUUM|DISCARD ALL"
)
# Words of a statement that tell what it is.
_MOST_WORDS = 11


def _messages(text: bytes) -> Iterator[tuple[bytes, bool]]:
    """The statements as Flyway sends them, one by one, and whether it runs each in a transaction."""
    at = start = depth = 0
    words: list[str] = []
    blocks: list[str] = []
    is_anything = False
    before = ""
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None
        kind, said, at = found.lastgroup or "", found.group(), found.end()
        if kind == "mark" and said == b";" and depth == 0 and not blocks:
            if is_anything:
                is_copy = any(_COPY.fullmatch(" ".join(words[: n + 1])) for n in range(len(words)))
                at = _data_end(text, at) if is_copy else at
                yield text[start:at], not _runs_outside(words)
            start, words, is_anything, before = at, [], False, ""
            continue
        if kind == "long":
            at = _comment_end(text, at)
        elif kind == "dollar":
            end = text.find(said, at)
            at = len(text) if end < 0 else end + len(said)
        elif kind == "mark":
            depth += {b"(": 1, b")": -1}.get(said, 0)
        elif kind == "word" and depth == 0 and re.fullmatch(rb"[^\W\d]+", said):
            word = said.decode("utf-8", "replace").upper()
            _nest(blocks, before, word)
            words += [word] if len(words) < _MOST_WORDS else []
            before = word
        if kind not in ("comment", "long", "blank"):
            is_anything = True
            before = before if kind == "word" else ""
    if is_anything:
        yield text[start:], not _runs_outside(words)


def _nest(blocks: list[str], before: str, word: str) -> None:
    """Follow BEGIN ATOMIC … END, in which a semicolon ends nothing."""
    if (before, word) == ("BEGIN", "ATOMIC") or (word == "CASE" and blocks[-1:] == ["ATOMIC"]):
        blocks.append(word)
    elif word == "END" and blocks:
        blocks.pop()


def _runs_outside(words: Sequence[str]) -> bool:
    return any(_OUTSIDE.fullmatch(" ".join(words[: n + 1])) for n in range(len(words)))


def _comment_end(text: bytes, at: int) -> int:
    depth = 1
    while depth:
        found = _EDGE.search(text, at)
        if found is None:
            return len(text)
        depth += 1 if found.group() == b"/*" else -1
        at = found.end()
    return at


def _data_end(text: bytes, at: int) -> int:
    r"""Where the data of a COPY end, which begin in the next line: behind the line ``\.``."""
    found = re.compile(rb"^[ \t]*\\\.[ \t]*(?:\n|\Z)", re.MULTILINE).search(text, at)
    return found.end() if found else len(text)


def _cut(text: bytes) -> Sequence[bytes]:
    return [message for message, _ in _messages(text)]


# --- steps ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """One file as a section, None for a program; ``is_skipped``: its own settings say that it is never run."""

    section: Section | None
    notes: tuple[Note, ...] = ()
    files: tuple[str, ...] = ()
    is_skipped: bool = False


def _read(folder: Folder, settings: _Settings, name: str) -> _Read:
    """A file, with the settings beside it (``V1__x.sql.conf``)."""
    path, conf = folder.where(name), f"{name}.conf"
    own: dict[str, str] = {}
    files, notes = [path], []
    if folder.has(conf):
        files.append(folder.where(conf))
        own = {k.lower(): v for k, v in read_properties(folder.text(conf).decode()).items()}
    text = folder.text(name)
    filename = f"flyway{settings.get('placeholderSeparator', ':')}filename"
    replaces = own.get("placeholderreplacement", settings.get("placeholderReplacement", "true")).lower() == "true"
    if replaces:
        base = name.rpartition("/")[2].encode()
        text = settings.placeholder.sub(lambda m: base if m["name"] == filename.encode() else m[0], text)
    kinds = {runs for _, runs in _messages(text)}
    said = own.get("executeintransaction", "")
    is_wrapped = said.lower() == "true" if said else settings.is_on("executeInTransaction", True) and False not in kinds
    if kinds == {True, False} and not said and not settings.is_on("mixed", False):
        what = "holds statements that cannot run in a transaction beside others, which Flyway runs with mixed=true only"
        notes.append(Note(path, what))
    should = own.get("shouldexecute", "true").strip().lower()
    if should not in ("true", "false"):
        what = f"is run by Flyway only if {own['shouldexecute']}"
        notes.append(Note(path, what, "keep it if that is so for your databases", is_open=True))
    section = Section(path, text, is_wrapped=is_wrapped, cut=_cut, is_literal=not replaces)
    return _Read(section, tuple(notes), tuple(files), should == "false")


def _code_beside(folder: Folder) -> Iterator[str]:
    """Migrations in Java and its like that stand where the build keeps them, beside the SQL."""
    here = os.path.abspath(folder.root).replace(os.sep, "/")
    for language in ("java", "kotlin", "groovy", "scala"):
        there = here.replace("/resources/", f"/{language}/")
        if there != here and os.path.isdir(there):
            beside = os.path.relpath(there, folder.root or ".").replace(os.sep, "/")
            yield from (f"{beside}/{name}" for name in sorted(os.listdir(there)))


def _places(folder: Folder, settings: _Settings) -> tuple[str, ...]:
    """How the paths of files begin that lie in the settings' locations; none where a location is not in the folder."""
    base = os.path.dirname(settings.path)
    bases = (base, os.path.dirname(base), os.path.join(base, "src/main/resources"))
    found: list[str] = []
    for location in filter(None, map(str.strip, settings.get("locations").split(","))):
        said = re.sub(r"\A(?:filesystem|classpath):/?(?=[\w.])", "", location)
        there = next((path for b in bases if os.path.isdir(path := os.path.join(b, said))), "")
        inner = os.path.relpath(os.path.realpath(there), os.path.realpath(folder.root or ".")).replace(os.sep, "/")
        if not there or inner.split("/")[0] in (".", ".."):
            return ()
        found.append(f"{inner}/")
    return tuple(found)


def _kinds(folder: Folder, settings: _Settings) -> tuple[list[_Named], list[_Named], list[Note]]:
    """The files by their names: SQL, code, and what is no migration."""
    scripts: list[_Named] = []
    code: list[_Named] = []
    left: list[Note] = []
    places = _places(folder, settings)
    for name in (*folder.files, *_code_beside(folder)):
        if places and name in folder.files and not name.startswith(places):
            if os.path.abspath(folder.where(name)) == settings.path:
                continue
            left.append(Note(folder.where(name), f"lies in none of the locations that {settings.path} names"))
            continue
        script = _named(name, settings, settings.suffixes)
        found = script or _named(name, settings, _CODE)
        if found and len(found.kind) > 1 and not (script and found.kind in (*_BEHIND_VERSIONS, *_HOOK_OF)):
            what = f"is a callback: Flyway runs it at {found.kind}, and nothing does so here"
            how = _UNDO_HINT if "Undo" in found.kind else "write what the schema needs of it as a migration"
            left.append(Note(_where(folder, found), what, how))
        elif found:
            (scripts if script else code).append(found)
        elif os.path.abspath(folder.where(name)) != settings.path and not (
            name.endswith(".conf") and folder.has(name.removesuffix(".conf"))
        ):
            left.append(Note(folder.where(name), "is no migration of Flyway by its name"))
    if settings.path:
        left.append(Note(settings.path, "its settings are used"))
    return scripts, code, left


def _where(folder: Folder, one: _Named) -> str:
    return os.path.normpath(folder.where(one.path))


def read_flyway(folder: Folder, wishes: Wishes) -> Source:
    """Flyway: by version, then what is repeatable by its description; each statement alone, each file a transaction.

    What is repeatable and one transaction is so here, and callbacks are hooks where there is such a hook.
    A baseline takes the place of all versions up to its own, as in a new database.
    """
    settings = _settings(folder, wishes)
    scripts, code, left = _kinds(folder, settings)
    _refuse_doubled([*scripts, *code], folder)
    every = sorted((one for one in (*scripts, *code) if one.kind in "VB"), key=lambda one: (one.parts, one.kind == "V"))
    base = next((one for one in reversed(every) if one.kind == "B"), None)
    old = [one for one in every if base is not None and one is not base and one.parts <= base.parts]
    left += [
        Note(_where(folder, one), f"is in {base.path.rpartition('/')[2]}, which Flyway runs in place of it")
        for one in old
        if base is not None
    ]
    undos = {one.parts: one for one in scripts if one.kind == "U"}
    repeatable, last = _behind_versions(folder, settings, [*scripts, *code])
    steps: list[Step] = []
    chosen = [*(one for one in every if one not in old), *last]
    for one, number in zip((*chosen, *repeatable), (*_numbers(chosen), *("" for _ in repeatable)), strict=True):
        undo = undos.pop(one.parts, None) if one.version and one is not base else None
        step = _step(folder, settings, (one, undo), number, is_code=one in code)
        if step is None:
            left.append(Note(_where(folder, one), "is never run: its settings say shouldExecute=false"))
            continue
        if one is base:
            step = replace(step, also=tuple(dict.fromkeys(o.version for o in old if o.version != one.version)))
        elif last and one is last[-1] and len(one.kind) > 1 and len(chosen) > len(last):
            step = replace(step, also=(chosen[-len(last) - 1].version,))  # whoever is there has run them as well
        steps.append(step if one not in repeatable else replace(step, home=REPEATABLE))
    steps += _hooks(folder, settings, scripts, left)
    for gone in undos.values():
        of = "a version that a baseline holds" if gone.parts in {o.parts for o in old} else "what no file makes"
        left.append(Note(folder.where(gone.path), f"takes back {of}"))
    places = _places(folder, settings)
    return Source(
        "flyway",
        folder.path,
        f"{settings.path} says that it is in {listed(places)}" if places else "",
        tuple(_in_schemas(steps, settings)),
        ledgers=("flyway",),
        left_out=tuple(left),
        placeholder=settings.placeholder,
        values=settings.values,
        keeps_session=True,
        puts_back=("role", "search_path"),  # DbMigrate, PostgreSQLConnection
    )


def _step(
    folder: Folder, settings: _Settings, pair: tuple[_Named, _Named | None], number: str, *, is_code: bool
) -> Step | None:
    """One migration; None where Flyway never runs it."""
    one, undo = pair
    path = _where(folder, one)
    base = one.path.rpartition("/")[2]
    version = one.version or (base if one.kind == "R" else "")
    is_last = not one.version and not number
    before = "" if one.version or is_last else "repeatable_" if one.kind == "R" else f"{one.kind}_"
    words = f"{before}{one.words}".rstrip("_")
    back = _read(folder, settings, undo.path) if undo is not None else None
    if is_code:
        note = Note(path, f"{base} is no SQL", "write as SQL what it does to the schema", is_open=True)
        read = _Read(None, (note,), (path,))
    else:
        read = _read(folder, settings, one.path)
    if read.is_skipped:
        return None
    notes = read.notes
    if not one.version and not is_last and not is_code:
        when = "whenever its text changed" if one.kind == "R" else f"at each {one.kind}"
        what = f"Flyway runs it again {when}; here it is a migration as any other"
        notes += (Note(path, what, "a change of it is a new migration"),)
    files = (*read.files, *(back.files if back else ()))
    return Step(version, number, words, path, read.section, back.section if back else None, notes, files=files)


def _behind_versions(folder: Folder, settings: _Settings, named: Sequence[_Named]) -> tuple[list[_Named], list[_Named]]:
    """What is repeatable here, and what runs once behind the versions: callbacks, and what is no transaction."""
    callbacks = [one for one in named if one.kind in _BEHIND_VERSIONS]
    callbacks.sort(key=lambda one: (_BEHIND_VERSIONS.index(one.kind), one.words.replace("_", " ")))
    every = sorted((one for one in named if one.kind == "R"), key=lambda one: one.words.replace("_", " "))
    apart = [one for one in every if not one.path.endswith(_CODE) and _runs_apart(folder, settings, one)]
    return [one for one in every if one not in apart], [*callbacks, *apart]


def _runs_apart(folder: Folder, settings: _Settings, one: _Named) -> bool:
    section = _read(folder, settings, one.path).section
    return section is not None and not section.is_wrapped


def _hooks(folder: Folder, settings: _Settings, scripts: Sequence[_Named], left: list[Note]) -> Iterator[Step]:
    """The hooks, each with all callbacks that it stands for; ``left`` is given a note for each that is left out."""
    for hook in (AFTER_ALL, BEFORE_ALL, BEFORE_EACH, AFTER_EACH, AFTER_ROLLBACK):
        ones = [one for one in scripts if _HOOK_OF.get(one.kind) == hook]
        ones.sort(key=lambda one: (list(_HOOK_OF).index(one.kind), one.words.replace("_", " ")))
        parts: list[Section] = []
        notes: list[Note] = []
        files: list[str] = []
        for one in ones:
            read, path = _read(folder, settings, one.path), _where(folder, one)
            what = "is never run: its settings say shouldExecute=false" if read.is_skipped else ""
            if read.section is not None and not read.is_skipped:
                what = "" if holds_sql(read.section.text) else "holds no statement"
                if not read.section.is_wrapped:
                    what = f"cannot run in a transaction, and {HOOKS}/{hook}.sql is part of one"
            if what or read.section is None:
                left.append(Note(path, what))
                continue
            parts.append(read.section)
            files += read.files
            notes += read.notes
            notes += [Note(path, _OTHERWISE[one.kind])] if one.kind in _OTHERWISE else []
        if len(parts) > 1:
            notes.append(Note(parts[0].path, f"{listed(files)} are one file here, and one transaction"))
        if parts:
            yield Step("", "", hook, parts[0].path, joined(parts), notes=tuple(notes), files=tuple(files), home=HOOKS)


def _in_schemas(steps: Sequence[Step], settings: _Settings) -> Iterator[Step]:
    """The steps with what makes the schemas of the settings, and with those in each file's search_path."""
    first = next((step for step in steps if step.forward is not None and holds_sql(step.forward.text)), None)
    for step in steps:
        is_first = step is first or (step.home == HOOKS and step.name == BEFORE_ALL)  # Flyway makes them before all
        forward = _behind(settings.head(is_first=is_first), step.forward)
        yield replace(step, forward=forward, undo=_behind(settings.head(is_first=False), step.undo))


def _behind(head: bytes, section: Section | None) -> Section | None:
    if section is None or not head or not holds_sql(section.text):
        return section
    more = head.count(b"\n")
    places = tuple((line + more, path, there) for line, path, there in section.places)
    return replace(section, text=head + section.text, line=section.line - more, places=places)


def _shows(folder: Folder) -> str:
    """Are there settings of Flyway, and a file that they name a migration?"""
    settings = _settings(folder)
    fits = settings.path and [n for n in folder.files if _named(n, settings, settings.suffixes)]
    return f"{settings.path}, by which {listed(fits, 2)} is a migration" if fits else ""


TOOLS: tuple[Tool, ...] = (Tool("flyway", read_flyway, "Flyway", _shows),)
