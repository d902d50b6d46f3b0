"""Another tool's folder in a test: laid out, imported, and proven on a real server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wflo_schema.connect.database import Database
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.imports.operations import Import, import_folder
from wflo_schema.imports.source import Wishes


def lay(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write these files, by their paths, below a folder ``theirs``; return it."""
    folder = root / "theirs"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def imported(
    root: Path,
    files: Mapping[str, str | bytes],
    database: Database | None = None,
    *,
    tool: str | None = None,
    order: str = "",
    **values: str,
) -> Import:
    """Lay these files out, and import them into ``ours``; with a database, prove them on its server."""
    folder = lay(root, files)
    return import_folder(
        str(folder), root / "ours", tool=tool, wishes=Wishes(order, values), server=database, write=True
    )


def text_of(root: Path, name: str) -> str:
    """What a file that was written says."""
    return (root / "ours" / name).read_text(encoding="utf-8")


def ours(root: Path) -> Migrations:
    """The files that were written, as migrations."""
    return read_migrations(root / "ours")


def sqitch(changes: Mapping[str, str], **others: str) -> dict[str, str]:
    """A project of Sqitch: its plan, these deploy scripts in their order, and other files by their paths."""
    lines = ["%syntax-version=1.0.0", "%project=p", ""]
    lines += [f"{name} 2024-01-0{n}T00:00:00Z N <n@example.org> # {name}" for n, name in enumerate(changes, 1)]
    return {
        "sqitch.conf": "[core]\n\tengine = pg\n",
        "sqitch.plan": "\n".join(lines) + "\n",
        **{f"deploy/{name}.sql": text for name, text in changes.items()},
        **others,
    }
