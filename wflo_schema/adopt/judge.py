"""Take over a live database: recognise another tool's ledger, compare the catalog, then record.

Hides what other tools' ledgers look like, and what follows from where a catalog is found in the history of
migrations: a place is proven by equality.  A ledger says where to look first, and which of several equal ones it is.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from wflo_schema.adopt import found as values
from wflo_schema.adopt.found import Adoption, Verdict, command, read_reconciling
from wflo_schema.adopt.history import (
    TABLES,
    Compared,
    History,
    Place,
    choose_place,
    compare_recorded,
    first_look,
    look_around,
    replay_history,
    replayed_texts,
    scratch_notes,
)
from wflo_schema.adopt.ledgers import locked_by
from wflo_schema.adopt.look import Look, status_of, take_look
from wflo_schema.adopt.reconciling import (
    BELIEVED,
    KnownSet,
    ReconcilingSet,
    find_set,
    forget_statement,
    reconciling_sets,
)
from wflo_schema.catalog.objects import Path
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, Plan, resolve_wish
from wflo_schema.engine.repeatables import RepeatableState, Text
from wflo_schema.errors import DatabaseError, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations
from wflo_schema.files.versions import read_names
from wflo_schema.scratch.replay import ScratchOptions, scratch_database
from wflo_schema.words import counted, listed

# Patience with our own ledger while recording: whoever rolls back or changes it holds it for a moment.
_RECORDING = LockOptions(500, 3.0)


def adopt_database(
    database: Database,
    migrations: Migrations,
    *,
    apply: bool = False,
    to: str | None = None,
    scratch: ScratchOptions | None = None,
) -> Adoption:
    """Say up to which migration a database made by something else matches ours; with ``apply``, record that.

    Only tables that the migrations make are compared, with all that hangs on them; a column's place
    in its table does not count.  Without ``apply`` the database is only read.  With it, and only
    where the catalog is equal and nothing is objected, the migrations up to that one are recorded
    with their checksums in one transaction, after one more look at the catalog.  The other tool's
    ledger is not touched, and no object of the database is changed.  ``to`` is the migration that
    the caller expects, where several are equal or two tools have recorded here.  This tool's own
    ledger is believed no more than another's.

    Raise `Refused` when there is no such schema, when no scratch database may be made, or when the
    catalog changed before recording; `MigrationFailed` when the migrations do not run in the scratch
    database; `DatabaseError`, naming the table and who holds it, when a ledger stays locked.
    """
    look = take_look(database, migrations)
    found = _judge(look, to=to, scratch=scratch)
    if not apply or found.verdict is not Verdict.EQUAL or found.objections:
        return found
    return record(look, found, texts=replayed_texts(look, scratch) if found.repeatables else ())


def baseline(
    database: Database,
    migrations: Migrations,
    to: str,
    *,
    verified: bool = True,
    scratch: ScratchOptions | None = None,
) -> Adoption:
    """Record every migration up to ``to`` as applied, once the catalog is seen to match ours up to it.

    Unlike `adopt_database` it ignores other tools' ledgers, and an empty database is a no.
    ``verified`` False compares nothing.
    """
    look = take_look(database, migrations)
    last = resolve_wish(to, look.status, migrations)
    if verified:
        found = _judge(look, to=last.id, scratch=scratch, minds_ledgers=False)
        if found.verdict is Verdict.EMPTY:
            why = f"none of the tables of {last.id} is there, so there is nothing to record"
            return replace(found, objections=(why, *found.objections))
        if found.verdict is not Verdict.EQUAL or found.objections:
            return found
        return record(look, found, texts=replayed_texts(look, scratch) if found.repeatables else ())
    wanted = list(migrations)[: list(migrations).index(last) + 1]
    found = replace(
        look.adoption(Verdict.EQUAL if look.to_record(wanted) or look.aside else Verdict.OURS),
        id=last.id,
        number=len(wanted),
        record=look.to_record(wanted),
        aside=look.aside,
        objections=look.objections(last, minds_ledgers=False),
        notes=("nothing was compared: --unverified",),
    )
    return found if found.verdict is Verdict.OURS or found.objections else record(look, found, verify=False)


def _judge(look: Look, *, to: str | None, scratch: ScratchOptions | None, minds_ledgers: bool = True) -> Adoption:
    """Find the target in the history."""
    migrations, have = look.migrations, look.have
    wish = resolve_wish(to, look.status, migrations) if to is not None else None
    is_recorded = wish is None or wish.id in look.recorded
    since = _gone_on(look) if wish is None and minds_ledgers else None
    said = compare_recorded(look, scratch) if look.is_ours else None
    if said is not None and not said.differences and is_recorded and since is None:
        return _as_recorded(look, said)
    with scratch_database(look.database, scratch=scratch) as empty:
        history = replay_history(empty, look, first_look(look, since or wish), scratch)
        _refuse_behind_broken(look, history, since or wish)
        there = [p for p in history.places if p.migration == since and p.is_equal]
        if there:
            return _at_a_place(look, history, there, None, minds_ledgers=minds_ledgers)
        if said is not None and not said.differences and is_recorded:
            return _as_recorded(look, said)
        is_there = history.has_any
        if said is None and look.recorded and not is_there:
            last = look.last_recorded
            said = next(p.compared for p in history.places if p.migration == last)
        if said is not None and said.differences and (is_recorded or not is_there):
            history = look_around(look, history, scratch) if is_there else history
            return _drift(look, history, said, empty, is_there=is_there)
        if not is_there and history.broken is not None and look.status.unrecorded:
            raise history.broken.error  # what is there may be of what comes from there on
        if not is_there:
            return _empty(look, history, {o.path for o in have.objects if o.kind in TABLES})
        wished = [p for p in history.places if wish is not None and p.migration.id == wish.id]
        if wished and wished[0].is_equal:
            return _at_a_place(look, history, wished, wish, minds_ledgers=minds_ledgers)
        if wish is None and _is_settled(look, history):
            return _at_a_place(look, history, history.places, None, minds_ledgers=minds_ledgers)
        sets = (
            () if history.broken or (wish and wish != migrations.items[-1]) else reconciling_sets(look)
        )  # they lead to the end
        known = find_set(look, history, empty, sets) if _is_nowhere(history) else None
        if known is None:
            history = look_around(look, history, scratch)
        places = history.places
        equal = [p for p in places if p.is_equal]
        if wished and equal:
            words = "adopt --apply --to" if minds_ledgers else "baseline --to"
            there_is = equal[-1].migration
            return _elsewhere(look, history, wished[0], there_is, look.command(f"{words} {there_is.id}"))
        if not equal and not wished and history.broken:
            raise history.broken.error  # it may be anywhere behind that
        if not equal:
            return _different(look, history, wished or places, known, sets)
    return _at_a_place(look, history, places, wish, minds_ledgers=minds_ledgers)


def _refuse_behind_broken(look: Look, history: History, wish: Migration | None) -> None:
    """Raise what a migration raised that cannot be replayed, where somebody says that the target is behind it."""
    if history.broken is not None:
        said = {wish.id} if wish is not None else {w.stands_for for w in look.ledgers}
        if (said | look.recorded.keys()) & {m.id for m in look.migrations.items[history.end :]}:
            raise history.broken.error


def _gone_on(look: Look) -> Migration | None:
    """Where the target stands if another tool has gone on since our ledger was written, and both ledgers are right.

    None where it has not, and where a migration before that is in neither: adopt.toml says which ones the other tool
    has.
    """
    names = read_names(look.migrations)
    order = {m.id: n for n, m in enumerate(look.migrations)}
    recorded = look.recorded
    for ledger in look.ledgers if look.is_ours else ():
        if ledger.stands_for and ledger.stands_for not in recorded:
            last = order[ledger.stands_for]
            theirs = {i for i in names.get(ledger.tool, {}).values() if i in order and order[i] <= last}
            place = max(last, *(order[i] for i in recorded))
            if all(m.id in recorded or m.id in theirs for m in look.migrations.items[: place + 1]):
                return look.migrations.items[place]
    return None


def _is_nowhere(history: History) -> bool:
    return not any(p.is_equal for p in history.places)


def _is_settled(look: Look, history: History) -> bool:
    """Whether no other place need be looked at: a ledger names an equal one, or those beside what is equal are not."""
    places = history.places
    equal = [p for p in places if p.is_equal]
    if any(w.stands_for == p.migration.id for w in look.ledgers for p in equal):
        return True
    numbers = {p.number for p in places}
    ends = {equal[0].number - 1, equal[-1].number + 1} if equal else {-2}
    return bool(equal) and ends <= {*numbers, -1, history.end}


def _shown(places: Sequence[Place]) -> tuple[values.Place, ...]:
    return tuple(values.Place(p.migration.id, *p.compared.distance) for p in places)


def _at_a_place(
    look: Look, history: History, places: Sequence[Place], wish: Migration | None, *, minds_ledgers: bool
) -> Adoption:
    """The catalog matches ours up to one migration, or several: what would be recorded, and what objects to it."""
    equal = [p for p in places if p.is_equal]
    chosen = choose_place(look, equal)
    m, found, number = chosen.migration, chosen.compared, chosen.number + 1
    record = look.to_record(look.migrations.items[:number])
    steps: tuple[str, ...]
    if len(equal) > 1 and not any(w.stands_for in {p.migration.id for p in equal} for w in look.ledgers):
        verdict = Verdict.AMBIGUOUS
        steps = _ways_to_decide(look, places)
    else:
        verdict = Verdict.EQUAL if record or look.aside else Verdict.OURS
        steps = (look.command("adopt --apply" if verdict is Verdict.EQUAL else "migrate"),)
    objections = look.objections(m, minds_ledgers=minds_ledgers, is_named=wish is not None)
    if wish is None:
        objections += tuple(_unproven(look, history, chosen))
    waiting = [e.id for e in look.status.repeatables if e.state is RepeatableState.PENDING]
    notes = (*look.ledger_notes(m), *scratch_notes(look, history))
    if waiting and not chosen.is_repeated:
        notes += (f"what {listed(waiting)} make was not compared: migrate applies them behind the last migration",)
    half = [i for i in look.half_way if i in record]
    if half:
        objections += (
            f"{listed(half)} was begun here by wflo-schema and is not finished; finish it first: "
            + look.command("migrate"),
        )
    if verdict is Verdict.EQUAL and wish is not None and minds_ledgers:
        steps = (look.command(f"adopt --apply --to {m.id}"),)
    return replace(
        look.adoption(verdict),
        id=m.id,
        number=number,
        record=record,
        repeatables=tuple(waiting) if chosen.is_repeated else (),
        aside=look.aside,
        objections=objections,
        notes=notes,
        next_steps=() if objections else steps,
        places=_shown(places),
        differences=found.cosmetic,
        beside=found.beside,
    )


def _unproven(look: Look, history: History, chosen: Place) -> Iterator[str]:
    """Why nothing shows whether each migration up to the chosen place was run, and none behind it."""
    m, insisting = chosen.migration, look.command(f"adopt --apply --to {chosen.migration.id}")
    is_said = m == look.last_recorded or any(w.stands_for == m.id for w in look.ledgers)
    if history.broken is not None and chosen.number + 1 == history.end and not is_said:
        behind = look.migrations.items[history.end].id
        yield f"nothing shows whether this database has {behind}, too; if it has not: {insisting}"
    order = {one.id: n for n, one in enumerate(look.migrations)}
    for ledger in look.ledgers:
        doubtful = (i for i in ledger.left_out if i not in look.recorded and order[i] <= chosen.number)
        left_out = [i for i in doubtful if not history.shows(order[i], chosen.number)]
        if left_out:
            yield (
                f"{ledger.table} of {ledger.tool} does not record {listed(left_out)}, which may change rows only, so "
                f"no catalog shows whether it was run: let {ledger.tool} run it; or, if it was: {insisting}"
            )


def _ways_to_decide(look: Look, places: Sequence[Place]) -> tuple[str, ...]:
    """One command for each that it may be, the last first; those between two that are equal may be it too."""
    numbers = [places[0].number] if places[0].is_equal else []
    for before, here in itertools.pairwise(places):
        if here.is_equal:
            numbers += range(before.number + 1 if before.is_equal else here.number, here.number + 1)
    if len(numbers) > _MOST_STEPS:
        numbers = [numbers[0], numbers[-1]]
    return tuple(look.command(f"adopt --apply --to {look.migrations.items[n].id}") for n in reversed(numbers))


def _elsewhere(look: Look, history: History, wished: Place, there: Migration, step: str) -> Adoption:
    m, found = wished.migration, wished.compared
    note = f"this database is where {there.id} leads, not {m.id}"
    return replace(
        look.adoption(Verdict.DIFFERENT),
        id=m.id,
        number=wished.number + 1,
        notes=(note, *scratch_notes(look, history)),
        next_steps=(step,),
        places=_shown((wished,)),
        differences=(*found.differences, *found.cosmetic),
        beside=found.beside,
    )


def _empty(look: Look, history: History, present: Collection[Path]) -> Adoption:
    bare = {path[-1] for path in history.tables}
    elsewhere = sorted({path[0] for path in present if path[-1] in bare})
    beside = " --allow not-empty" if look.status.unrecorded else ""
    steps = tuple(command("adopt", s) for s in elsewhere) or (look.command(f"migrate{beside}"),)
    notes = tuple(f"tables of the same names are in the schema {s}" for s in elsewhere)
    return replace(
        look.adoption(Verdict.EMPTY),
        notes=(*look.ledger_notes(None), *scratch_notes(look, history)),
        next_steps=steps,
        objections=notes,
    )


def _as_recorded(look: Look, said: Compared) -> Adoption:
    """The catalog is what our ledger says."""
    last = look.last_recorded
    assert last is not None
    left = (
        *(f"{w.table} of {w.tool} is left as it is" for w in look.ledgers if w.stands_for in ("", *look.recorded)),
        *look.ledger_notes(last),
    )
    objections = look.objections(last, minds_ledgers=False)
    step = look.command("migrate") if look.status.pending else look.check()
    return replace(
        look.adoption(Verdict.OURS),
        id=last.id,
        number=look.migrations.items.index(last) + 1,
        notes=left,
        objections=objections,
        next_steps=() if objections else (step,),
        differences=said.cosmetic,
        beside=said.beside,
    )


def _drift(
    look: Look,
    history: History,
    said: Compared,
    replayed: Database,
    *,
    is_there: bool,
) -> Adoption:
    """The catalog is not what our ledger says: where it is instead, and the way back to the truth."""
    last = look.last_recorded
    assert last is not None
    order = {m.id: n for n, m in enumerate(look.migrations)}
    table = f"{look.status.schema}._yoyo_migration"
    recorded = f"{table} records {counted(len(look.recorded), 'migration')} up to {last.id}"
    places = history.places
    equal = [p.migration for p in places if p.is_equal] if is_there else []
    truth = next((m for m in reversed(equal) if order[m.id] <= order[last.id]), equal[0] if equal else None)
    steps: tuple[str, ...]
    if look.half_way:
        where = f"on its way to {listed(look.half_way)}, which is half applied"
        steps = (look.command("migrate"),)
    elif truth is not None or not is_there:
        where = f"where {truth.id} leads" if truth else "not like that: none of the tables is there"
        steps = _way_to_the_truth(look, order, truth)
    else:
        sets = reconciling_sets(look) if history.broken is None else ()
        known = find_set(look, history, replayed, sets)
        if known is not None or any(s.is_under_way for s in sets):
            found = _different(look, history, places, known, sets)
            return replace(found, notes=(*found.notes, f"{recorded}, and the catalog is not like that"))
        where = "not like that"
        steps = _mends(look, said)
    return replace(
        look.adoption(Verdict.DRIFT),
        id=last.id,
        number=order[last.id] + 1,
        notes=(
            f"{recorded}, and the catalog is {where}" + ("" if look.half_way else BELIEVED),
            *scratch_notes(look, history),
        ),
        objections=look.objections(last, minds_ledgers=False),
        next_steps=steps,
        places=_shown(places),
        differences=(*said.differences, *said.cosmetic),
        beside=said.beside,
    )


def _way_to_the_truth(look: Look, order: Mapping[str, int], truth: Migration | None) -> tuple[str, ...]:
    """The steps after which the ledger says what is true: applied up to ``truth``, or nothing where it is None."""
    number = order[truth.id] if truth is not None else -1
    untrue = [m.id for m in look.migrations if m.id in look.recorded and order[m.id] > number]
    unsaid = [m for m in look.migrations if m.id not in look.recorded and order[m.id] <= number]
    steps: tuple[str, ...] = ()
    if untrue:
        steps += (f"if that is so, delete the records in psql: {forget_statement(look, untrue)}",)
    if unsaid and truth is not None:
        steps += (look.command(f"baseline --to {truth.id}"),)
    return (*steps, look.command("migrate")) if number + 1 < len(order) else steps


def _mends(look: Look, said: Compared) -> tuple[str, ...]:
    """What brings the catalog back to what is recorded, and the command that then says whether it is."""
    mends = [_one_line(d.mend) for d in said.differences if d.mend]
    by_hand = len(said.differences) - len(mends)
    more = len(mends) - _MOST_STEPS
    verify = look.check("--drift")
    undo = f"undo by hand {counted(by_hand, 'difference')} that no statement mends without losing rows"
    keep = f"or keep what was changed: write it as a migration ({_NEW}), and record that: "
    return (
        *(f"in psql: {mend}" for mend in mends[:_MOST_STEPS]),
        *((f"and {counted(more, 'more statement')}: {verify}",) if more > 0 else ()),
        *((undo, keep + look.command("baseline --to ID")) if by_hand else ()),
        verify,
    )


_NEW = 'wflo-schema new "keep what was changed by hand"'

# Most statements that are shown; more would be too much to read.
_MOST_STEPS = 10


def _one_line(mend: str) -> str:
    """The statements on one line; unchanged where one of them spans several."""
    lines = mend.splitlines()
    return " ".join(lines) if all(line.endswith(";") for line in lines) else mend


def _different(
    look: Look,
    history: History,
    places: Sequence[Place],
    known: KnownSet | None,
    sets: Sequence[ReconcilingSet],
) -> Adoption:
    nearest = min(places, key=lambda p: (*p.compared.distance, -p.number))
    begun = next((s for s in sets if s.is_under_way), None)
    steps: tuple[str, ...]
    verdict = Verdict.DIFFERENT
    if known is not None:
        nearest = places[-1]
        folder = known.set.folder
        after = f", after {known.set.done} of its {len(known.set.migrations)} migrations" if known.set.done else ""
        but = f", except for what the set validates: {listed(known.not_valid)}" if known.not_valid else ""
        notes = (f"this is the state that {folder} is for{after}{but}", *scratch_notes(look, history))
        steps = (*known.set.steps(look), look.command("adopt --apply"))
        verdict = Verdict.RECONCILE
    elif begun is not None:
        begun_note = f"{begun.folder} was begun here and is not finished"
        notes = (begun_note, *look.ledger_notes(None), *scratch_notes(look, history))
        steps = (*begun.steps(look), look.command("adopt --apply"))
    elif look.half_way:
        notes = (f"{listed(look.half_way)} was begun here and is not finished", *scratch_notes(look, history))
        steps = (look.command("migrate"),)
    else:
        notes = (*look.ledger_notes(None), *scratch_notes(look, history))
        to = nearest.migration.id
        mends = [d.mend for d in nearest.compared.differences if d.attribute == "validated" and d.mend]
        bring: tuple[str, ...]
        bring = ("bring the database there, then: " + look.command(f"adopt --apply --to {to}"),)
        if mends and len(mends) == len(nearest.compared.differences):
            bring = (*(f"in psql: {_one_line(mend)}" for mend in mends), look.command(f"adopt --apply --to {to}"))
        steps = (*bring, "or insist that the database is right: " + look.command(f"baseline --to {to} --unverified"))
    m, found = nearest.migration, nearest.compared
    return replace(
        look.adoption(verdict),
        id=m.id,
        number=nearest.number + 1,
        notes=notes,
        next_steps=steps,
        objections=look.objections(m, minds_ledgers=True),
        places=_shown(places),
        differences=(*found.differences, *found.cosmetic),
        beside=found.beside,
        reconciling=known.set.folder if known else None,
    )


def explain_refusal(database: Database, migrations: Migrations, refused: Refused) -> Refused:
    """Where the engine refused because of a reconciling set's records, say what to do about them.

    Any other refusal is given back as it is.
    """
    told = _not_adopted(database, migrations) if refused.case in _WITHOUT_FILE else None
    if told is not None:
        refused.message, refused.hint = told
    return refused


def explain_plan(database: Database, migrations: Migrations, planned: Plan) -> Plan:
    """The same for what would stop `engine.migrate`."""
    lacks_files = any(c in _WITHOUT_FILE for c, _, _ in planned.refusals)
    told = _not_adopted(database, migrations) if lacks_files else None
    if told is None:
        return planned
    refusals = tuple((c, *(told if c in _WITHOUT_FILE else (what, how))) for c, what, how in planned.refusals)
    return replace(planned, refusals=refusals)


# The cases in which a record without a file is refused.
_WITHOUT_FILE = frozenset({Allow.MISSING, Allow.AHEAD})


def _not_adopted(database: Database, migrations: Migrations) -> tuple[str, str] | None:
    """What is wrong and how to mend it, where a reconciling set recorded all that has no file here."""
    try:
        reconciling = read_reconciling(migrations)
        status = operations.status(database, migrations)
    except WfloSchemaError:
        return None  # the refusal matters more
    without_file = [e.id for e in status.without_file]
    for one in reconciling:
        ours = [i for i in without_file if one.get(i) is not None]
        if not ours or len(ours) != len(without_file):
            continue
        folder = one.directories[0]
        adopting = command("adopt --apply", database.schema)
        finishing = command(f"migrate --migrations {shlex.quote(folder)}", database.schema)
        if len(ours) == len(one):
            return (
                f"{folder} was run here, and this database is not adopted yet: {listed(ours)}",
                f"{adopting}, which sets its records aside; then run this again",
            )
        return (
            f"{folder} was begun here and is not finished: {listed(ours)}",
            f"finish it: {finishing}; then: {adopting}",
        )
    return None


def record(look: Look, found: Adoption, *, verify: bool = True, texts: Sequence[Text] = ()) -> Adoption:
    """Record what was found, once another look shows that nothing has changed since.

    ``texts`` are of repeatable files, of which those are recorded that ``found`` names, and that make something: of
    what changes rows alone no catalog shows whether it was run.
    """
    repeatables = [text for text in texts if text.id in found.repeatables and text.made]
    found = replace(found, repeatables=tuple(text.id for text in repeatables))

    def same_as_before() -> None:
        if look.read() != look.have:
            raise Refused(
                f"the catalog of {look.database.label} changed while it was looked at; nothing was recorded",
                hint=f"run {look.command('adopt')} again when nobody changes tables",
            )

    check: Callable[[], None] | None = same_as_before if verify else None
    try:
        operations.baseline(
            look.database,
            look.migrations,
            found.record,
            repeatables=repeatables,
            aside=found.aside,
            verify=check,
            locks=_RECORDING,
        )
    except Refused:
        if not _has_recorded(look, found):
            raise
        note = "another run recorded the same at the same time"
        done = replace(found, verdict=Verdict.OURS, record=(), aside=(), notes=(*found.notes, note))
    except DatabaseError as error:
        raise (locked_by(look.database, LEDGER_TABLES) if error.sqlstate == "55P03" else error) from error
    else:
        done = replace(found, is_applied=True)
    pending = len(look.migrations) > found.number or len(look.migrations.repeatables) > len(found.repeatables)
    return replace(done, next_steps=(look.command("migrate") if pending else look.check(),))


def _has_recorded(look: Look, found: Adoption) -> bool:
    """Whether what was to be recorded is there by now, and the catalog is still the same."""
    now = status_of(look.database, look.migrations)
    there = {e.id for e in now.applied if e.has_checksum}
    without_file = {e.id for e in now.without_file}
    return there.issuperset(found.record) and without_file.isdisjoint(found.aside) and look.read() == look.have
