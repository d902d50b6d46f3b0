"""A migration as it is sent: one transaction, with its record, its statements and those of its hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wflo_schema.connect.pipeline import COMMIT, DISCARD, Command
from wflo_schema.engine.parts import Part
from wflo_schema.files.folder import Migration, migration_hash

if TYPE_CHECKING:
    from wflo_schema.files.script import Script, Statement

# A file that names the ledger's tables may have taken away what makes its key a lock.
_OF_LEDGER = b"_yoyo_"


class Transaction(NamedTuple):
    """A migration as it is sent: what begins it and changes the ledger, settings, statements, the end.

    Its commands are made while they are sent: a file may have a million.  ``seal``: what comes right before COMMIT,
    as `Session.seal` says; where it ``is_flushed``, what puts it on disk comes behind COMMIT.  ``is_followed``: the
    session is cleared by what is sent behind it; else at once.
    """

    migration: Migration
    script: Script
    opening: tuple[Command, ...]
    lasting: tuple[Command, ...]
    """Settings of the session that the next one may find: of a file that changes nothing but tables."""
    record: tuple[Command, ...]
    """First asks whether a non-transactional run is at work, then changes the ledger."""
    settings: tuple[Command, ...]
    command: Callable[[Statement], Command]
    parts: tuple[Part, ...]
    """The file's statements, and those of the hooks around them."""
    seal: tuple[Command, ...]
    after: tuple[Command, ...]
    is_flushed: bool = True
    is_followed: bool = False
    is_ourselves: bool = False
    """It is sealed as the role that the run began as."""
    is_around: bool = False
    """What repeatable files made is taken down for it, and put back behind it."""
    undoes: frozenset[str] = frozenset()
    """The hashes of the migration that it rolls back: that of its id, and of those it had, or replaces."""
    is_continued: bool = False
    """The session is as the one before has left it, and has the lasting settings."""
    closing: tuple[Command, ...] = (COMMIT,)
    """What ends it; where it is one of several in a transaction, what makes way for the next."""

    def continues(self, one: Transaction) -> bool:
        """Does it find the session behind another one as it needs it?"""
        return bool(self.lasting) and self.lasting == one.lasting

    @property
    def names_ledger(self) -> bool:
        """Does the file or a hook name the ledger's tables?"""
        return any_names_ledger(self.parts)

    @property
    def fits_one_message(self) -> bool:
        """May its commands be read before the first is run?"""
        return all(part.fits_one_message for part in self.parts)

    @property
    def share_index(self) -> int:
        """Where it asks whether a non-transactional run is at work."""
        return len(self.opening) + (0 if self.is_continued else len(self.lasting))

    @property
    def ledger_index(self) -> int:
        """Of the last command that changes the ledger."""
        return self.share_index + len(self.record) - 1

    @property
    def before(self) -> tuple[Command, ...]:
        """What comes before the statements."""
        return (*self.opening, *(() if self.is_continued else self.lasting), *self.record, *self.settings)

    def commands(self) -> Iterator[Command]:
        """All of them, in order."""
        yield from self.before
        for part in self.parts:
            yield from (one for _, one in part.commands(self.command))
        yield from self.seal
        yield from self.closing
        yield from self.after

    def statements(self) -> Iterator[tuple[Part, int | None, Command]]:
        """The commands of its parts, each with its part and the statement that it is or comes behind."""
        for part in self.parts:
            yield from ((part, number, one) for number, one in part.commands(self.command))

    def sent(self) -> Iterator[Command]:
        """The commands, and what clears the session where nothing behind them does."""
        yield from self.commands()
        if not self.is_followed:
            yield DISCARD

    @property
    def seal_index(self) -> int:
        """Of the first command behind the statements."""
        return len(self.before) + sum(part.size for part in self.parts)

    @property
    def commit_index(self) -> int:
        """Of COMMIT."""
        return self.seal_index + len(self.seal)

    def at(self, index: int) -> tuple[Part, int | None]:
        """The part that a command belongs to, given by its index, and the statement of it, from 0, if it is one."""
        index -= len(self.before)
        for part in self.parts:
            if index < part.size:
                return part, part.number(index)
            index -= part.size
        return next(part for part in self.parts if not part.hook), None


def any_names_ledger(parts: Sequence[Part]) -> bool:
    """Does one of them name the ledger's tables?"""
    return any(_OF_LEDGER in part.script.source for part in parts)


def hashes_of(m: Migration) -> frozenset[str]:
    """Under which it may have been recorded when a repeatable file was applied."""
    return frozenset({m.hash, *map(migration_hash, (*m.was, *m.replaces))})
