"""wflo's own migrations, which come with this package and are meant by a name instead of a folder."""

from __future__ import annotations

from pathlib import Path

# The name, wherever a folder of migrations is taken.
PACKAGED = "wflo"


def packaged_folder() -> Path:
    """Where they are: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent / "migrations"
    return package if package.is_dir() else package.parent.parent / "migrations"
