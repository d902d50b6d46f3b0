"""What marks a database as one in which migrations are only replayed: there they change nothing outside of it."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field, replace

# Around what a replay writes into code.
_MARKS = ("/*wflo-schema<*/", "/*>wflo-schema*/")
_MARKED = re.compile(re.escape(_MARKS[0]) + ".*?(?:" + re.escape(_MARKS[1]) + r"|\Z)", re.DOTALL)

# What stands between marks, for PostgreSQL.
MARKED = r"/\*wflo-schema<\*/.*?/\*>wflo-schema\*/"


def marked(text: str) -> str:
    """What a replay writes into code, so that `unmarked` finds it."""
    return text.join(_MARKS)


def unmarked(code: str) -> str:
    """Code as it was before a replay wrote into it."""
    return _MARKED.sub("", code) if _MARKS[0] in code else code


@dataclass(eq=False, slots=True)
class Replay:
    """How migrations are kept inside a database that stands for another.

    ``stands_for`` is the name by which they mean it, None where any name does.  ``roles``: they may
    make and change roles, because the server is there for tests alone.  ``allows_outside``: the user
    says that they may change whatever they want.  ``place`` names the database in messages, and
    ``options`` are the door's words for what prepares it and for what lifts this.
    """

    stands_for: str | None
    roles: bool = False
    allows_outside: bool = False
    place: str = "the scratch database"
    options: tuple[str, str, str] = ("--scratch-prepare FILE", "--scratch-template NAME", "--allow-outside")
    elsewhere: str = ""
    """The door's words for replaying on another server, where that can be asked for."""
    is_new: bool = True
    """Whether the database was made for this: what it holds is there on purpose."""
    is_of_target: bool = True
    """Whether a failure could be taken for one of the target's."""
    roles_left_out: dict[str, str] = field(default_factory=dict)
    """Role → the place of the CREATE ROLE that was left out."""
    left_out: dict[str, dict[int, str]] = field(default_factory=dict)
    """Path → the statements of that file that were left out, by their number from 0, and what each is."""
    memory: dict[str, object] = field(default_factory=dict)
    """What was learned from the migrations so far; whoever reads them keeps it here."""

    def copy(self) -> Replay:
        """The same for a copy of the database, in which other migrations may be run."""
        return replace(
            self,
            roles_left_out={**self.roles_left_out},
            left_out=deepcopy(self.left_out),
            memory=deepcopy(self.memory),
        )
