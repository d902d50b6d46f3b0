"""Which branch a project's folder is on, and which of its files are committed.

Hides git's own folders: worktrees, a detached HEAD, a rebase that is under way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wflo_schema.errors import Refused
from wflo_schema.files.git import commit_of, files_in, git

# The name of the branch where HEAD is on none.
DETACHED = "HEAD"

# Where git keeps what it is in the middle of, and how a person calls that.
_UNDER_WAY = {"rebase-merge": "rebase", "rebase-apply": "rebase", "index.lock": "checkout"}

# What changes when HEAD goes to another branch, in either way that git keeps its references.
_HEADS = ("HEAD", "reftable/tables.list")


@dataclass(frozen=True, slots=True)
class Checkout:
    """What git knows of a folder.

    ``branch`` is empty where there is no git, and `DETACHED` where HEAD is on none.  ``settled`` has the ids that are
    committed, each with the checksum of its text.  ``repository`` is the folder that all worktrees share.
    ``under_way`` says what git has begun and not finished.
    """

    branch: str = ""
    repository: str = ""
    settled: Mapping[str, str] = field(default_factory=dict)
    branches: frozenset[str] = frozenset()
    under_way: str = ""
    is_of_head: bool = True
    """Whether ``settled`` is what HEAD has."""


class Repository:
    """Git's view of the folders of one project; what a commit holds is read once."""

    def __init__(self, folders: Sequence[str], revision: str | None = None) -> None:
        self._folders = [os.path.realpath(f) for f in folders]
        self._revision = revision
        self._known: tuple[str, Mapping[str, str]] = ("", {})
        said: list[str] = []
        try:
            asked = ("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir")
            said = git(self._folders[0], *asked, may_fail=True).decode("utf-8", "surrogateescape").splitlines()
        except Refused:
            if revision is not None:
                raise
        self._own, self._common = (said[0], said[1]) if len(said) == 2 else ("", "")
        if revision is not None and not self._own:
            commit_of(self._folders[0], revision)  # which says so

    def read(self) -> Checkout:
        """Look at HEAD and at what is committed.  Raise `UsageError` where the revision is unknown."""
        if not self._own:
            return Checkout()
        first = self._folders[0]
        head = git(first, "symbolic-ref", "--quiet", "HEAD", may_fail=True).decode().strip()
        begun = next((n for n in _UNDER_WAY if Path(self._own, n).exists()), "")
        if not head and begun.startswith("rebase"):
            named = Path(self._own, begun, "head-name")
            head = named.read_text(encoding="utf-8").strip() if named.exists() else ""
        listed = git(first, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", may_fail=True)
        return Checkout(
            head.removeprefix("refs/heads/") or DETACHED,
            self._common,
            self._settled(),
            frozenset(listed.decode().split("\n")) - {""},
            _UNDER_WAY.get(begun, ""),
            self._revision is None,
        )

    def signature(self) -> object:
        """What is another value once HEAD is on another branch, and costs next to nothing to ask."""
        found: list[object] = []
        for name in _HEADS:
            try:
                path = Path(self._own, name)
                found.append((path.stat().st_mtime_ns, path.read_bytes() if name == "HEAD" else b""))
            except OSError:
                found.append(None)
        return found if self._own else None

    @property
    def is_busy(self) -> bool:
        """Whether git is in the middle of something that changes files."""
        return bool(self._own) and any(Path(self._own, name).exists() for name in _UNDER_WAY)

    def _settled(self) -> Mapping[str, str]:
        first = self._folders[0]
        if self._revision is not None:
            commit = commit_of(first, self._revision)
        else:
            commit = git(first, "rev-parse", "--verify", "--quiet", "HEAD", may_fail=True).decode().strip()
        if not commit:
            return {}
        if commit != self._known[0]:
            settled: dict[str, str] = {}
            for folder in self._folders:
                for name, content in files_in(folder, commit).items():
                    if not name.endswith(".rollback.sql"):
                        text = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
                        settled[name.removesuffix(".sql")] = hashlib.sha256(text).hexdigest()
            self._known = (commit, settled)
        return self._known[1]


def project_folder(migrations: str) -> str:
    """The folder of the project that a folder of migrations belongs to: where its build files or its .git are."""
    real = Path(os.path.realpath(migrations))
    for above in real.parents:
        if any((above / name).exists() for name in _OF_A_PROJECT):
            return str(above)
    return str(real.parent)


_OF_A_PROJECT = (
    "wflo-schema.toml pyproject.toml setup.cfg setup.py package.json go.mod Cargo.toml Gemfile pom.xml build.gradle "
    "mix.exs composer.json docker-compose.yml .git"
).split()
