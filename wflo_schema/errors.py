"""Every error this package raises; each class knows its exit code, each error its hint.

::

    WfloSchemaError                  3  could not do it
    ├── UsageError                   2  the options make no sense together
    │   └── NoDatabase               2  nothing says which database is meant
    ├── BadMigrationFile             3  a file in the migrations folder cannot be used
    ├── BadContract                  3  contract.toml cannot be used
    ├── DatabaseError                3  the server refused or was not there
    │   ├── ConnectionFailed         3  no connection could be made
    │   ├── ConnectionLost           3  the connection went away while in use
    │   └── CannotRead               3  a catalog, the ledger or rows may not be read
    ├── Refused                      3  doing it would be unsafe; nothing was done
    ├── MigrationFailed              3  PostgreSQL refused a statement of a migration
    │   └── LockNotAcquired          3  a lock could not be acquired in the time given
    ├── ServerNotReady               3  a PostgreSQL server could not be started or stopped
    ├── CannotWrite                  3  the answer could not be written down
    ├── CommandFailed                3  a command that follows a run failed; the run did its work
    └── Interrupted            130/143  stopped by a signal
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from wflo_schema.findings import Location, OrphanRows


class WfloSchemaError(Exception):
    """Base of every error raised on purpose.

    ``message`` says what happened and where, its first line in one sentence.  ``hint`` says what
    to type or change; it may be empty.  Neither ever holds a password.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.applied: tuple[str, ...] = ()
        """Ids that this run had finished before it stopped; that stays as it is."""
        self.operation = "apply"
        """What it did with them: apply, rollback, or mark (record without running)."""
        self.not_tried: tuple[str, ...] = ()
        """Ids that this run did not reach."""
        self.is_missing = False
        """Whether it is that the database, or the schema, which is meant is not there."""

    @property
    def code(self) -> str:
        """The class's name in kebab-case, as ``--format json`` shows it."""
        name = next(c.__name__ for c in type(self).__mro__ if c.__module__ == __name__)
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class UsageError(WfloSchemaError):
    """What was asked for makes no sense; nothing was tried."""

    exit_code: ClassVar[int] = 2


class NoDatabase(UsageError):
    """No option, variable or started server says which database is meant."""


class BadMigrationFile(WfloSchemaError):
    """A migration file cannot be used; raised before anything runs.

    ``location`` points into the file, where one place is to blame; ``source_line`` is that line.
    """

    def __init__(
        self, message: str, *, hint: str = "", location: Location | None = None, source_line: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.location = location
        self.source_line = source_line


class BadContract(WfloSchemaError):
    """A contract file cannot be read or asks for something absurd."""


class DatabaseError(WfloSchemaError):
    """PostgreSQL refused, or was not there.  ``sqlstate`` is empty where none was given."""

    def __init__(self, message: str, *, hint: str = "", sqlstate: str = "") -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class ConnectionFailed(DatabaseError):
    """No connection could be made.

    ``is_of_server``: no other database of that server can be reached, either.  ``may_pass``: it may work later.
    """

    is_full = False
    """Whether it is that the server, the database or the role has all the connections that it may have."""

    def __init__(self, message: str, *, hint: str = "", is_of_server: bool = False, may_pass: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_of_server = is_of_server
        self.may_pass = may_pass


class ConnectionLost(DatabaseError):
    """The connection went away while it was in use."""


class CannotRead(DatabaseError):
    """A catalog, the ledger or the rows asked for may not be read by this role."""


class Refused(WfloSchemaError):
    """Going on would be unsafe or would not do what was meant; nothing was done.

    ``case`` is the word that ``--allow`` takes where the user may insist, else empty.
    """

    def __init__(self, message: str, *, hint: str = "", case: str = "") -> None:
        super().__init__(message, hint=hint)
        self.case = case


class MigrationFailed(WfloSchemaError):
    """PostgreSQL refused a statement; the migration was rolled back, those before it stay.

    ``statement`` is the failing text, ``source_line`` the file's line that ``location`` points at.
    """

    # many parameters: what is known of a failure, each shown where it is there
    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        migration_id: str = "",
        location: Location | None = None,
        statement: str = "",
        source_line: str = "",
        sqlstate: str = "",
        detail: str = "",
        server_hint: str = "",
        context: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.migration_id = migration_id
        self.location = location
        self.statement = statement
        self.source_line = source_line
        self.sqlstate = sqlstate
        self.detail = detail
        self.server_hint = server_hint
        self.context = context
        self.orphans: OrphanRows | None = None
        """The rows that violate a foreign key, where that is why it failed."""


class LockNotAcquired(MigrationFailed):
    """A lock could not be acquired in the total time given; nothing of the migration stays."""


class ServerNotReady(WfloSchemaError):
    """A PostgreSQL server of ours could not be made, started, reached or stopped."""


class CannotWrite(WfloSchemaError):
    """The answer could not be written where it should go; the message says what was done all the same."""


class CommandFailed(WfloSchemaError):
    """A command of the settings file, which follows a run that did something, failed; what the run did stays."""


class Interrupted(WfloSchemaError):
    """A signal asked the run to stop; what was applied is recorded, the rest was not tried."""

    def __init__(self, message: str, *, hint: str = "", signal_number: int = 2) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number  # type: ignore[misc]
