"""What stands in the comment of a development database: whose it is, and what must be known to undo its drafts.

Hides how texts are kept short in it.  The comment goes where the database goes, and is changed in one transaction with
its name: nothing that could disagree with it is kept elsewhere.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

# A draft's two texts are kept up to this many characters, as they are written down; a longer one is undone by a clone.
_LONGEST = 100_000

# Drafts whose texts are kept, the newest: who has more has committed the others.
_MOST_DRAFTS = 20

Purpose = Literal["dev", "dev-clone"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A migration that was applied before it was committed.

    ``before`` is the fingerprint of the catalog that it found, ``makes`` the tables that it made.  ``rollback`` is
    None where it had no rollback file; ``forward`` is empty where the two were too long to keep.
    """

    id: str
    checksum: str
    before: str
    forward: str = ""
    rollback: str | None = None
    makes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A development database (``dev``), or a clone of one before its drafts (``dev-clone``).

    ``folder`` is the project's first folder of migrations, ``repository`` git's own folder, ``branch`` empty where
    there is no git.
    """

    purpose: Purpose
    folder: str
    repository: str
    branch: str
    made_at: datetime
    used_at: datetime
    drafts: tuple[Draft, ...] = ()
    repeated: frozenset[str] = frozenset()
    """What repeatable files made: it is there before and after a draft, in whatever shape."""
    kept: tuple[str, ...] = ()
    """Folders with rows that a round keeps aside: where it was killed, the next one puts them back."""

    def draft(self, migration_id: str, checksum: str | None) -> Draft | None:
        """What is known of a draft as it was applied."""
        return next((d for d in self.drafts if (d.id, d.checksum) == (migration_id, checksum)), None)

    def with_draft(self, draft: Draft) -> Mark:
        """The same, once that one is applied."""
        others = tuple(d for d in self.drafts if d.id != draft.id)
        return replace(self, drafts=(*others, draft)[-_MOST_DRAFTS:])

    def without_draft(self, migration_id: str) -> Mark:
        """The same, once that one is undone."""
        return replace(self, drafts=tuple(d for d in self.drafts if d.id != migration_id))

    @property
    def comment(self) -> str:
        """The text of the comment."""
        said = {
            "purpose": self.purpose,
            "made_at": _moment(self.made_at),
            "used_at": _moment(self.used_at),
            "about": self.folder,
            "repository": self.repository,
            "branch": self.branch,
            "drafts": [_written(d) for d in self.drafts],
            "repeated": sorted(self.repeated),
            "kept": list(self.kept),
        }
        return json.dumps({"wflo_schema": said})


def now() -> datetime:
    """This moment, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def read_mark(comment: str) -> Mark | None:
    """What a comment says; None where it is no mark of ours."""
    try:
        said = json.loads(comment)["wflo_schema"]
        if said["purpose"] not in ("dev", "dev-clone"):
            return None
        made, used = datetime.fromisoformat(said["made_at"]), datetime.fromisoformat(said["used_at"])
        drafts = tuple(_read(d) for d in said["drafts"])
        whose = (said["purpose"], said["about"], said["repository"], said["branch"])
        return Mark(*whose, made, used, drafts, frozenset(said["repeated"]), tuple(said.get("kept", ())))
    except (ValueError, KeyError, TypeError, IndexError, zlib.error):
        return None


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _written(draft: Draft) -> list[Any]:
    texts = json.dumps([draft.forward, draft.rollback])
    packed = base64.b85encode(zlib.compress(texts.encode(), 9)).decode("ascii") if draft.forward else ""
    return [draft.id, draft.checksum, draft.before, packed if len(packed) <= _LONGEST else "", draft.makes]


def _read(said: list[Any]) -> Draft:
    id_, checksum, before, packed, makes = said
    forward, rollback = json.loads(zlib.decompress(base64.b85decode(packed))) if packed else ("", None)
    return Draft(id_, checksum, before, forward, rollback, tuple((schema, name) for schema, name in makes))
