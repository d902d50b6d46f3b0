"""The statements in ``tests/corpus/statements/``: its README says how a file is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from wflo_schema.files.splitting import pieces

FOLDER = Path(__file__).parent.parent / "corpus" / "statements"

SCHEMA = (FOLDER / "schema.sql").read_text(encoding="utf-8")
FILL = (FOLDER / "fill.sql").read_text(encoding="utf-8")
"""Rows for `SCHEMA`, as many in each table as the setting ``corpus.rows`` says."""

_CASE = re.compile(r"^-- case: (?P<name>[a-z0-9-]+)\n", re.MULTILINE)
_PART = re.compile(r"^-- (?P<name>given|filled|as|when):\n", re.MULTILINE)
_SINCE = re.compile(r"^-- since: (?P<version>\d+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """Statements that somebody wants to run on a database of `SCHEMA`."""

    name: str
    group: str
    """The file's name without its ending."""
    text: str
    """The statements, as a migration file has them: with ``-- transactional: false`` where they are run one by one."""
    given: str = ""
    """What is there beyond the schema."""
    filled: str = ""
    """The rows of what is given."""
    measured_as: str = ""
    """Statements that do the same work and do not take it back, for nobody can see work that was taken back."""
    since: int = 0
    """The version of PostgreSQL that brought this."""
    depends_on_rows: bool = False
    """Whether it does something else where there are no rows."""

    @property
    def statements(self) -> tuple[str, ...]:
        """What is measured, one by one."""
        return split(self.measured_as or self.text)

    @property
    def is_transactional(self) -> bool:
        """Whether all of it is one transaction."""
        return "-- transactional: false\n" not in self.text


def split(text: str) -> tuple[str, ...]:
    """The statements of a text, without comments and semicolons between them."""
    source = text.encode()
    return tuple(source[piece.start : piece.end].decode() for piece in pieces("", source))


def _case(group: str, name: str, text: str) -> Case:
    if match := _SINCE.search(text):
        text = text.replace(match[0], "", 1)
    depends = "-- depends on rows\n" in text
    text = text.replace("-- depends on rows\n", "", 1)
    head, *rest = _PART.split(text)
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    return Case(
        name,
        group,
        (head + parts.get("when", "")).strip() + "\n",
        parts.get("given", "").strip(),
        parts.get("filled", "").strip(),
        parts.get("as", "").strip(),
        int(match["version"]) if match else 0,
        depends,
    )


def _read(path: Path) -> tuple[Case, ...]:
    _, *rest = _CASE.split(path.read_text(encoding="utf-8"))
    return tuple(_case(path.stem, name, text) for name, text in zip(rest[::2], rest[1::2], strict=True))


CASES = tuple(
    case for path in sorted(FOLDER.glob("*.sql")) if path.stem not in {"schema", "fill"} for case in _read(path)
)
