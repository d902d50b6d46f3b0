"""One round of the loop: the development database is made to be what the files say, and keeps its rows.

What was applied and is not what the files say any more is undone, the newest first: by its own rollback text where the
catalog afterwards is what it was before, else by going back to a clone (or to a replay of the files) and carrying the
rows over.  Where the new text fails, the database goes on with the former one, and with its rows.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psycopg

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import RELATIONS, Catalog, Difference
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.pipeline import Stop
from wflo_schema.dev.checkout import Checkout
from wflo_schema.dev.databases import Found, Workshop
from wflo_schema.dev.marks import Draft, Mark, now
from wflo_schema.dev.rows import Lost, Rows, Shapes, Table, empty_ones, kept_rows, put_back, read_rows, shapes_of
from wflo_schema.engine import operations
from wflo_schema.engine.confinement import take_out_looks
from wflo_schema.engine.events import Notify
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, Entry, State, Status
from wflo_schema.engine.repeatables import RepeatableState
from wflo_schema.errors import Interrupted, LockNotAcquired, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, load_rollback, load_script, read_migrations, read_source
from wflo_schema.words import counted, listed

# Seconds to try for a lock: a person waits, and sees who holds it.
_LOCK_WAIT_S = 5.0

# What a development database is allowed that another is not: its files are about to change once more.
_ALLOWED = (Allow.LATE, Allow.HEADS, Allow.NOT_EMPTY)

# Migrations, at most, that are undone one by one: beyond, a clone is quicker.
_MOST_UNDONE = 20

# How the folder is called in which rows wait while drafts are undone and applied.
_ASIDE = "wflo-schema-rows-"

_log = logging.getLogger("wflo_schema")

Way = Literal["", "rollback", "clone", "files"]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did.

    ``way``: how what was ``undone`` was undone: by rollback texts, from a clone that was taken before, or from the
    files alone.  ``switched`` says that another branch's database has the project's name now, ``made`` that it was
    made for this.  ``lost`` are tables whose rows could not be kept; ``notes`` are sentences for the user.
    """

    database: Database
    branch: str
    undone: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    way: Way = ""
    switched: bool = False
    made: bool = False
    lost: tuple[Lost, ...] = ()
    notes: tuple[str, ...] = ()
    duration_ms: float = 0.0

    @property
    def did_something(self) -> bool:
        """Whether the database is another one than before, or in another state."""
        return bool(self.undone or self.applied or self.switched or self.made)


class Unproven(Exception):
    """That a rollback text does not bring back what was there; says what is left of it."""


@dataclass(slots=True)
class Follower:
    """Follows the files of one project.  Remembers, for as long as it lives, the catalogs that drafts found."""

    workshop: Workshop
    edits_committed: bool = False
    notify: Notify | None = None
    stop: Stop | None = None
    catalogs: dict[tuple[str, str], Catalog] = field(default_factory=dict)

    def round(self, files: Migrations, checkout: Checkout) -> Round:
        """Make the development database what the files say.

        Raise `BadMigrationFile` and `MigrationFailed` as `operations.migrate` does, `Refused` where a file was edited
        though it is committed.
        """
        began = time.monotonic()
        before = self.workshop.sent_away
        with self.workshop.alone():
            done = _Round(self, files, checkout).run()
        ended = self.workshop.sent_away - before
        notes = (f"{counted(ended, 'connection was', 'connections were')} closed",) if ended else ()
        return replace(done, notes=(*done.notes, *notes), duration_ms=(time.monotonic() - began) * 1000)

    def switch(self, files: Migrations, checkout: Checkout) -> Round:
        """Let the branch's database have the project's name, and apply nothing.  The caller is `Workshop.alone`."""
        return _Round(self, files, checkout).switch()


class _Round:
    """The state of one round."""

    def __init__(self, follower: Follower, files: Migrations, checkout: Checkout) -> None:
        self.follower = follower
        self.workshop = follower.workshop
        self.files = files
        self.checkout = checkout
        self.notes: list[str] = []
        self.lost: list[Lost] = []
        self.repeated: list[str] = []
        self.aside = ""
        """The folder in which this round keeps rows."""
        self.versioned: Mark | None = None
        """The mark once all versioned files are applied."""

    def run(self) -> Round:
        database = self.workshop.project.database
        mark, switched, made = self._open_branch()
        known = replace(self.files, directories=()) if _is_empty(self.files) else self.files
        status = operations.status(database, known)
        wrong = self._wrong(status, mark)
        self._refuse_edited(status)
        self._refuse_unreadable(status)
        way: Way = ""
        if wrong:
            mark, way = self._go_back(database, mark, wrong)
        else:
            mark = self._apply(database, replace(mark, used_at=now()), status=status)
            self.workshop.sign(database.name, mark)
        self._find_again(database, mark)
        undone = tuple(e.id for e in wrong)
        pending = {e.id for e in status.pending}
        return Round(
            database,
            mark.branch,
            undone,
            (*(m.id for m in self.files if m.id in pending or m.id in undone), *self.repeated),
            way,
            switched,
            made,
            tuple(self.lost),
            tuple(self.notes),
        )

    def switch(self) -> Round:
        """Only go to the branch's database."""
        mark, switched, made = self._open_branch()
        database = self.workshop.project.database
        return Round(
            database, mark.branch, switched=switched, made=made, lost=tuple(self.lost), notes=tuple(self.notes)
        )

    def _refuse_unreadable(self, status: Status) -> None:
        """Read what is going to be applied, and its rollback files, before anything is undone."""
        for e in (*status.pending, *status.changed):
            if (m := self.files.get(e.id)) is not None:
                load_script(m)
                load_rollback(m)

    def _refuse_edited(self, status: Status) -> None:
        """Raise `Refused` where a committed file is not as it is committed, unless the user has said that it may be."""
        if self.follower.edits_committed:
            return
        settled = self.checkout.settled
        edited = [m.id for m in self.files if m.checksum != settled.get(m.id, m.checksum)]
        here = {m.id for m in self.files}
        gone = [i for i in settled if i not in here and i in status.recorded] if self.checkout.is_of_head else []
        if edited or gone:
            what = f"edited: {listed(edited)}" if edited else f"deleted: {listed(gone)}"
            raise Refused(
                f"what is committed was {what}; dev applies again only what is not committed yet",
                hint="bring it back (git restore) and write a new migration for the change: wflo-schema new; or, if no "
                "other database has it yet, follow it all the same: wflo-schema dev --edit-committed; or, for all that "
                "this branch adds to another: wflo-schema dev --base origin/main",
            )

    # branches

    def _open_branch(self) -> tuple[Mark, bool, bool]:
        """The mark of the branch's database, once it has the project's name; and what was done for that."""
        shop, branch = self.workshop, self.checkout.branch
        mark = shop.current()
        if mark is not None and mark.branch == branch:
            return mark, False, False
        there = [f for f in shop.found() if f.mark.purpose == "dev"]
        mine = next((f for f in there if f.mark.branch == branch), None)
        if mine is not None and mine.name != shop.project.name:
            signed = replace(mine.mark, used_at=now())
            shop.take_place(mine.name, signed, aside=mark.branch if mark else None)
            return signed, True, False
        if mark is not None and (mark.branch not in self.checkout.branches):
            renamed = replace(mark, branch=branch, repository=self.checkout.repository)
            shop.sign(shop.project.name, renamed)
            return renamed, False, False
        return self._make_branch(mark), mark is not None, True

    def _make_branch(self, now_current: Mark | None) -> Mark:
        """Make the branch's database: a clone of the nearest, else of the files, with the rows that fit."""
        shop = self.workshop
        fresh = Mark("dev", shop.project.folder, self.checkout.repository, self.checkout.branch, now(), now())
        nearest = self._nearest(shop.found(repository=self.checkout.repository))
        name = None
        for one in nearest:
            name = shop.copy_of(one.name, by_force=one.name == shop.project.name)
            if name is not None:
                fresh = replace(fresh, drafts=one.mark.drafts, repeated=one.mark.repeated)
                if one.mark.branch:
                    self.notes.append(f"made from the database of {one.mark.branch}, with its rows")
                break
        if name is None:
            name = shop.copy_of_files(self._settled())
            if now_current is not None:
                with kept_rows(shop.project.database) as rows:
                    self._carry(shop.project.named(name), rows)
        aside = now_current.branch if now_current is not None else None
        self._in_place_or_dropped(name, fresh, aside)
        return fresh

    def _in_place_or_dropped(self, name: str, mark: Mark, aside: str | None) -> None:
        try:
            self.workshop.take_place(name, mark, aside=aside)
        except BaseException:
            self.workshop.session.drop_quietly(name)
            raise

    def _nearest(self, found: Iterable[Found]) -> list[Found]:
        """Those in which nothing is applied that the files do not say, the one with most of them first."""
        fitting = []
        for one in found:
            if _is_empty(self.files) or not one.lets_in:
                continue
            try:
                status = operations.status(self.workshop.project.named(one.name), self.files)
            except WfloSchemaError as error:
                _log.info("%s is left aside: %s", one.name, error)
                continue
            if status.applied and not (status.changed or status.without_file or status.half_done):
                is_ours = one.name == self.workshop.project.name
                fitting.append((len(status.applied), is_ours, one.mark.purpose == "dev", one))
        return [one for *_, one in sorted(fitting, key=lambda f: f[:3], reverse=True)]

    def _settled(self) -> Migrations:
        """The committed migrations, without repeatables: those are applied last."""
        return _chosen(self.files, [m for m in self.files if m.id in self.checkout.settled])

    # what is wrong

    def _wrong(self, status: Status, mark: Mark) -> list[Entry]:
        """What has to be undone, in the order in which it was applied."""
        settled, entries = self.checkout.settled, status.entries
        half = {h.id for h in status.half_done} | {e.id for e in entries if e.interrupted}
        bad = {e.id for e in (*status.changed, *status.without_file)} | half
        bad |= {m.id for m in self.files if self._has_another_rollback(m, mark)}
        firsts = [n for n, e in enumerate(entries) if e.id in bad or (e.state is State.PENDING and e.is_late)]
        if not firsts:
            return []
        return [
            e
            for n, e in enumerate(entries)
            if e.id in bad or (e.state is State.APPLIED and n > firsts[0] and e.id not in settled)
        ]

    def _has_another_rollback(self, m: Migration, mark: Mark) -> bool:
        """Whether only the rollback file of a draft was edited: then it is tried."""
        draft = mark.draft(m.id, m.checksum)
        if draft is None or not draft.forward or m.id in self.checkout.settled:
            return False
        return _rollback_text(m) != draft.rollback

    # undoing

    def _go_back(self, database: Database, mark: Mark, wrong: Sequence[Entry]) -> tuple[Mark, Way]:
        """Undo what is wrong and apply what is there instead."""
        drafts = self._undoable(mark, wrong)
        if not drafts:
            return self._rebuild(database, mark, None)
        made = {t for d in drafts for t in d.makes}
        with self._kept(database, mark, made) as (rows, mark):
            try:
                undone, before = self._undo(database, mark, drafts)
            except Unproven as reason:
                self.notes.append(str(reason))
                signed, way = self._rebuild(database, mark, rows)
                return self._let_go(database, signed), way
            try:
                signed = self._apply(database, undone, before=before)
            except WfloSchemaError as error:
                if self.versioned is not None:  # only what is repeated fails
                    self.workshop.sign(database.name, self.versioned)
                    self._carry_made(database, rows)
                    self._let_go(database, self.versioned)
                elif self._put_former_back(database, undone, drafts, rows):
                    error.hint += "; the development database goes on with the text before"
                raise
            self._carry_made(database, rows)
        return self._let_go(database, signed), "rollback"

    @contextmanager
    def _kept(self, database: Database, mark: Mark, made: Collection[Table]) -> Iterator[tuple[Rows, Mark]]:
        """Rows of these tables, and a mark that says where they are, so that a kill does not lose them."""
        self.aside = tempfile.mkdtemp(prefix=_ASIDE)
        with kept_rows(database, made, folder=self.aside) as rows:
            if rows.tables:
                mark = replace(mark, kept=(*mark.kept, self.aside))
                self.workshop.sign(database.name, mark)
            else:
                shutil.rmtree(self.aside, ignore_errors=True)
            yield rows, mark

    def _let_go(self, database: Database, mark: Mark) -> Mark:
        """Sign the database, whose rows are back where they belong."""
        mark = replace(mark, kept=tuple(k for k in mark.kept if k != self.aside))
        self.workshop.sign(database.name, mark)
        shutil.rmtree(self.aside, ignore_errors=True)
        return mark

    def _find_again(self, database: Database, mark: Mark) -> None:
        """Put the rows back that a round kept aside and did not come to put back, where nobody has written since."""
        for folder in mark.kept:
            if not os.path.basename(folder).startswith(_ASIDE):
                continue
            with read_rows(folder) as rows:
                if rows.tables:
                    self.lost += put_back(database, rows, empty_ones(database, rows.tables))
            self.aside = folder
            mark = self._let_go(database, mark)

    def _undoable(self, mark: Mark, wrong: Sequence[Entry]) -> list[Draft]:
        """The drafts to undo, the newest first; none where one of them is not known as it was applied."""
        known = {d.id: d for d in mark.drafts}
        drafts = [known[e.id] for e in reversed(wrong) if e.id in known]
        if len(drafts) < len(wrong) or len(drafts) > _MOST_UNDONE or any(e.interrupted for e in wrong):
            return []
        for n, draft in enumerate(drafts):
            m = self.files.get(draft.id)
            if m is not None and m.checksum == draft.checksum:
                drafts[n] = replace(draft, rollback=_rollback_text(m))
        return drafts if all(d.forward and d.rollback is not None for d in drafts) else []

    def _undo(self, database: Database, mark: Mark, drafts: Sequence[Draft]) -> tuple[Mark, Catalog | None]:
        """Roll drafts back by their own texts; returns the catalog that is there then.

        Raise `Unproven` where one does not bring back what was there.
        """
        after = None
        with self._written_down(drafts) as written:
            recorded = {e.id: e.state for e in operations.status(database, written).entries}
            for draft in drafts:
                if recorded.get(draft.id) is not State.APPLIED:
                    raise Unproven(f"{draft.id} was applied with another text than is known")
                try:
                    operations.rollback(database, written, only=draft.id, locks=_LOCKS, stop=self.follower.stop)
                except (Interrupted, LockNotAcquired):
                    raise
                except WfloSchemaError as error:
                    raise Unproven(f"the rollback of {draft.id} fails: {error.message}") from error
                mark = mark.without_draft(draft.id)
                self.workshop.sign(database.name, mark)
                after = self._catalog(database)
                if fingerprint(after, mark.repeated) != draft.before:
                    raise Unproven(self._what_is_left(draft, after))
        return mark, after

    @contextmanager
    def _written_down(self, drafts: Sequence[Draft]) -> Iterator[Migrations]:
        """Drafts as files, as they were applied."""
        values = next((m.given for m in self.files), None)
        with tempfile.TemporaryDirectory(prefix="wfs") as folder:
            for draft in drafts:
                Path(folder, f"{draft.id}.sql").write_text(draft.forward, encoding="utf-8")
                if draft.rollback is not None:
                    Path(folder, f"{draft.id}.rollback.sql").write_text(draft.rollback, encoding="utf-8")
            yield replace(read_migrations(folder, variables=values), repeatables=self.files.repeatables)

    def _what_is_left(self, draft: Draft, after: Catalog) -> str:
        before = self.follower.catalogs.get((draft.id, draft.before))
        said = f"the rollback of {draft.id} does not bring back what was there before"
        if before is None:
            return said
        left = [_shown(d) for d in compare_catalogs(after, before)]
        return f"{said}: {listed(left, 5)}" if left else said

    def _put_former_back(self, database: Database, mark: Mark, drafts: Sequence[Draft], rows: Rows) -> bool:
        """After the new text failed: let the database go on with the former one, if that can be."""
        with self._written_down(drafts) as written:
            try:
                operations.migrate(database, written, allow=tuple(Allow), locks=_LOCKS)
                take_out_looks(database)
                self._carry_made(database, rows)
                for draft in reversed(drafts):
                    mark = mark.with_draft(draft)
                self._let_go(database, mark)
            except WfloSchemaError as error:
                _log.warning("the former text could not be applied again: %s", error.message)
                return False
        return True

    def _carry_made(self, database: Database, rows: Rows) -> None:
        """Put the rows of tables that drafts made into the same tables, made anew."""
        if rows.tables:
            there = shapes_of(database)
            self.lost += put_back(database, rows, {t: there[t].columns for t in rows.tables if t in there})

    def _rebuild(self, database: Database, mark: Mark, made: Rows | None) -> tuple[Mark, Way]:
        """Go back to a clone, or to the files, apply what is there instead, and take the rows along."""
        shop = self.workshop
        clones = [f for f in shop.found() if f.mark.purpose == "dev-clone"]
        way: Way = "files"
        name, mark = None, replace(mark, drafts=())
        for one in self._nearest(sorted(clones, key=lambda f: f.mark.branch == mark.branch)):
            name = shop.copy_of(one.name, by_force=True)
            mark, way = replace(mark, drafts=one.mark.drafts, repeated=one.mark.repeated), "clone"
            break
        if name is None:
            name, mark = shop.copy_of_files(self._settled()), replace(mark, repeated=frozenset())
        fresh = shop.project.named(name)
        try:
            with kept_rows(database) as rows:
                both = Rows({**(made.tables if made else {}), **rows.tables}, rows.sequences)
                before = self._carry(fresh, both)
                mark = self._apply(fresh, mark)
                self._carry_rest(fresh, both, before, way)
            shop.take_place(name, mark, aside=None)
        except BaseException:
            shop.session.drop_quietly(name)
            raise
        return mark, way

    def _carry(self, fresh: Database, rows: Rows) -> dict[Table, list[str]]:
        """Put rows into those tables of a new database that have no other columns; returns what its tables have."""
        there = shapes_of(fresh)
        fitting = {
            t: s.columns for t, s in there.items() if t in rows.tables and set(s.columns) <= set(rows.tables[t][0])
        }
        self.lost += put_back(fresh, rows, fitting)
        return {t: s.columns for t, s in there.items()}

    def _carry_rest(self, fresh: Database, rows: Rows, before: Mapping[Table, Collection[str]], way: Way) -> None:
        """Put rows into the tables that the drafts made or changed, and into those that did not fit before."""
        wanted: dict[Table, Collection[str]] = {}
        for table, shape in shapes_of(fresh).items():
            had, kept = before.get(table), rows.tables.get(table, ((), None))[0]
            if kept and had == shape.columns and not set(had) <= set(kept) and way == "clone":
                self.notes.append(
                    f"the rows of {'.'.join(table)} are those of the clone: later ones lack a column that is back"
                )
            elif had != shape.columns or not set(had) <= set(kept):
                wanted[table] = shape.columns
        self.lost += put_back(fresh, rows, wanted)

    # applying

    def _apply(
        self, database: Database, mark: Mark, *, status: Status | None = None, before: Catalog | None = None
    ) -> Mark:
        """Apply what is pending, each draft by itself, then repeatables; returns the mark, which is not signed yet.

        ``status`` is given where nothing was undone: then a clone is kept first.  ``before``: the catalog, where it is
        known.
        """
        if _is_empty(self.files):
            return mark
        keeps_clone, status = status is not None, status or operations.status(database, self.files)
        pending = [m for e in status.pending if (m := self.files.get(e.id)) is not None]
        drafts = [m for m in pending if m.id not in self.checkout.settled][-_MOST_UNDONE:]
        if len(drafts) < len(pending):
            self._migrate(database, _chosen(self.files, [m for m in self.files if m not in drafts]))
            before = None
        has_drafts = any(mark.draft(m.id, m.checksum) for m in self.files if m.id not in self.checkout.settled)
        if drafts and keeps_clone and not has_drafts and self.workshop.keep_clone(mark) is None:
            self.notes.append(
                "no clone was taken, for somebody is connected: where a rollback file does not do, dev makes the "
                "database of the files anew, and carries its rows over"
            )
        for number, m in enumerate(drafts, 1):
            before = before or self._catalog(database)
            upto = [one for one in self.files if one not in drafts[number:]]
            self._migrate(database, _chosen(self.files, upto))
            mark = mark.with_draft(self._draft(m, before, shapes_of(database), mark.repeated))
            self.workshop.sign(database.name, mark)
            before = None  # another one
        self.versioned = mark
        return self._repeat(database, mark, None if pending else status)

    def _draft(self, m: Migration, before: Catalog, after: Shapes, repeated: frozenset[str]) -> Draft:
        had = {o.path for o in before.objects if o.kind in RELATIONS}
        makes = tuple(t for t in after if t not in had)
        print_ = fingerprint(before, repeated)
        self.follower.catalogs[m.id, print_] = before
        forward = read_source(m.path)[0].decode()
        return Draft(m.id, m.checksum, print_, forward, _rollback_text(m), makes)

    def _repeat(self, database: Database, mark: Mark, status: Status | None) -> Mark:
        """Apply repeatables, where there are or were any, and remember what they made.

        ``status``: that of the database, where it is known; then nothing was applied yet.
        """
        if not self.files.repeatables and not mark.repeated:
            if status is not None:
                self._migrate(database, self.files)
            return mark
        found = status or operations.status(database, self.files)
        if all(e.state is RepeatableState.APPLIED for e in found.repeatables):
            if status is not None:
                self._migrate(database, self.files)
            return mark
        had = set(self._catalog(database).objects)
        self._migrate(database, self.files)
        made = {_key(o) for o in self._catalog(database).objects if o not in had}
        return replace(mark, repeated=mark.repeated | made)

    def _migrate(self, database: Database, files: Migrations) -> None:
        if _is_empty(files):
            return
        result = operations.migrate(
            database,
            files,
            drop_deleted=files is self.files,
            allow=tuple(Allow) if self.follower.edits_committed else _ALLOWED,
            create_schema=True,
            locks=_LOCKS,
            notify=self.follower.notify,
            stop=self.follower.stop,
        )
        take_out_looks(database)
        self.repeated += [i for i in result.ids if self.files.get(i) is None]

    def _catalog(self, database: Database) -> Catalog:
        with database.connect() as connection:
            try:
                found = read_catalog(connection, privileges=True, apart=database.ledger_apart)
            except psycopg.Error as error:
                raise database_error(error, "reading the catalog") from error
        return found.renamed(database.name, self.workshop.project.name)


_LOCKS = LockOptions(wait_s=_LOCK_WAIT_S)


def fingerprint(catalog: Catalog, without: frozenset[str] = frozenset()) -> str:
    """What is another text for every other catalog; what stands in ``without`` does not count."""
    digest = hashlib.sha256()
    for one in catalog.objects:
        if not without or _key(one) not in without:
            digest.update(repr((one.kind, one.path, one.attributes)).encode())
    return digest.hexdigest()[:32]


def _key(one: object) -> str:
    kind, path = one.kind, one.path  # type: ignore[attr-defined]
    return ".".join((kind, *path))


def _shown(difference: Difference) -> str:
    what = f"{difference.kind} {difference.object}"
    return f"{what} ({difference.attribute})" if difference.attribute else what


def _chosen(files: Migrations, items: Sequence[Migration]) -> Migrations:
    """Some migrations of the files, without repeatables."""
    return replace(files, items=tuple(items), repeatables=(), _by_id={m.id: m for m in items})


def _is_empty(files: Migrations) -> bool:
    return not files.items and not files.repeatables


def _rollback_text(m: Migration) -> str | None:
    return read_source(m.rollback_path)[0].decode() if m.rollback_path is not None else None
