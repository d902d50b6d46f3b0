"""The files of a folder as they are in another revision of git, and as they will be once both are merged.

Hides git: nothing is checked out, and nothing of the repository is written.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from wflo_schema.errors import Refused, UsageError
from wflo_schema.files.folder import Migrations, read_migrations

# Name → content, of one folder's SQL files.
_Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Merged:
    """Both sides of a merge: ``theirs`` as they are in ``revision`` (``label`` has its commit), ``both`` in one folder.

    ``has_base``: the commit that both come from is known.  Without it, what is only theirs is taken for new.
    """

    label: str
    theirs: Migrations
    both: Migrations
    has_base: bool


def merge_with_revision(directories: Sequence[Path | str], revision: str) -> Merged:
    """Read the folders as they are on disk, as they are in ``revision``, and as a merge of both would leave them.

    Raise `UsageError` where they are in no git repository, or there is no such revision; `Refused` where git fails.
    """
    folders = [os.fspath(d) for d in directories]
    first = folders[0]
    if not os.path.isdir(first):
        read_migrations(*folders)  # which says so
    commit = commit_of(first, revision)
    base = git(first, "merge-base", "HEAD", commit, may_fail=True).decode().strip()
    both: list[str] = []
    theirs: list[str] = []
    with ExitStack() as stack:
        for folder in folders:
            of_revision = files_in(folder, commit)
            of_base = files_in(folder, base) if base else {}
            merged = _merge(_files_on_disk(folder), of_revision, of_base)
            for files, found in ((of_revision, theirs), (merged, both)):
                copy = stack.enter_context(tempfile.TemporaryDirectory(prefix="wfs"))
                for name, content in files.items():
                    Path(copy, name).write_bytes(content)
                found.append(copy)
        shown = {copy: folder for copies in (both, theirs) for copy, folder in zip(copies, folders, strict=True)}
        return Merged(f"{revision} ({commit[:10]})", _read(theirs, shown), _read(both, shown), has_base=bool(base))


def _merge(ours: _Files, theirs: _Files, base: _Files) -> _Files:
    """What a merge leaves: the side that changed a file, ours where both did."""
    merged = {}
    for name in {*ours, *theirs}:
        here, there, before = ours.get(name), theirs.get(name), base.get(name)
        content = there if here == before and (there is not None or name in base) else here
        if here is None and name not in base:
            content = there
        if content is not None:
            merged[name] = content
    return merged


def _read(copies: Sequence[str], shown: dict[str, str]) -> Migrations:
    """Read copies of folders, and name the folders that they stand for."""

    def real(path: str) -> str:
        return os.path.join(shown[os.path.dirname(path)], os.path.basename(path))

    found = read_migrations(*copies)
    items = tuple(replace(m, path=real(m.path), rollback_path=m.rollback_path and real(m.rollback_path)) for m in found)
    absent = tuple(replace(a, location=replace(a.location, path=real(a.location.path))) for a in found.absent)
    return Migrations(tuple(shown[c] for c in copies), items, absent=absent, _by_id={m.id: m for m in items})


def _files_on_disk(folder: str) -> _Files:
    with os.scandir(folder) as entries:
        return {e.name: Path(e.path).read_bytes() for e in entries if e.name.endswith(".sql") and e.is_file()}


def files_in(folder: str, commit: str) -> _Files:
    """A folder's SQL files as a commit has them, by name; by one process, for a history may have thousands."""
    prefix = git(folder, "rev-parse", "--show-prefix").decode().rstrip("\n")
    listed = git(folder, "ls-tree", "-z", "--full-tree", commit, "--", prefix or ".")
    blobs: dict[str, str] = {}
    for line in filter(None, listed.decode("utf-8", "surrogateescape").split("\0")):
        kind, _, path = line.partition("\t")
        _, what, blob = kind.split()
        name = path.removeprefix(prefix)
        if what == "blob" and name.endswith(".sql") and "/" not in name:
            blobs[name] = blob
    if not blobs:
        return {}
    content = git(folder, "cat-file", "--batch", stdin="".join(f"{b}\n" for b in blobs.values()).encode())
    found, start = {}, 0
    for name in blobs:
        head = content.index(b"\n", start)
        size = int(content[start:head].split()[2])
        found[name] = content[head + 1 : head + 1 + size]
        start = head + 1 + size + 1
    return found


def commit_of(folder: str, revision: str) -> str:
    """The commit that a revision is.  Raise `UsageError` where there is no repository or no such revision."""
    if git(folder, "rev-parse", "--is-inside-work-tree", may_fail=True).strip() != b"true":
        raise UsageError(
            f"{folder} is in no git repository, so there is no revision {revision}",
            hint="run it in the repository; or leave out the revision",
        )
    commit = git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", may_fail=True
    )
    if not commit:
        raise UsageError(
            f"git knows no revision {revision}",
            hint=f"fetch it first: git fetch origin {revision.removeprefix('origin/')}; a branch of the "
            "remote is called origin/NAME",
        )
    return commit.decode().strip()


def git(folder: str, *words: str, stdin: bytes = b"", may_fail: bool = False) -> bytes:
    """What git prints in a folder; nothing where it fails and may.  Raise `Refused` where it must not."""
    try:
        done = subprocess.run(["git", "-C", folder, *words], check=False, input=stdin, capture_output=True)
    except FileNotFoundError:
        raise Refused("git is needed for this, and is not installed or not on the PATH", hint="install git") from None
    if done.returncode and not may_fail:
        said = done.stderr.decode(errors="replace").strip()
        raise Refused(f"git {words[0]} failed: {said}", hint="look at the repository with git status")
    return b"" if done.returncode else done.stdout
