"""From what a rehearsal showed to findings: each rule asked of each statement, each finding put in its place.

Hides which statements a rehearsal leaves out, and which file's comments allow what.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from wflo_schema.catalog.objects import Difference
from wflo_schema.errors import BadMigrationFile, Refused, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.faults import refuse_unfit, refuse_unready
from wflo_schema.files.folder import Migration, Migrations, load_rollback, load_script, read_beside
from wflo_schema.files.script import Script
from wflo_schema.findings import Finding, Location
from wflo_schema.lint import breaking
from wflo_schema.lint.allowances import Allowances, read_allowances
from wflo_schema.lint.blocking import Flaw, Step, Transaction
from wflo_schema.lint.context import Context, New
from wflo_schema.lint.ending import BareKey, State, Twins
from wflo_schema.lint.hinting import commands, way
from wflo_schema.lint.parsing import Parsed, parse, relation_name
from wflo_schema.lint.rewriting import APART, NewConstraint, Rewrite, rewrite
from wflo_schema.lint.rules import BY_CODE
from wflo_schema.lint.squawk import PREFIX, style_findings
from wflo_schema.lint.undoing import Undone, loses, named_in
from wflo_schema.lint.values import Allowed, LintFinding
from wflo_schema.names import bare_name, qualified
from wflo_schema.trace.estimate import Estimate, estimate
from wflo_schema.trace.values import Trace, Traced


class Judge:
    """One run: what was found so far, and what is new so far."""

    def __init__(
        self, context: Context, migrations: Migrations, found: Trace, constraints: Sequence[NewConstraint] = ()
    ) -> None:
        self._context = context
        self._migrations = migrations
        self._trace = found
        self._constraints = constraints
        self.rewrites: dict[tuple[str, int], Rewrite] = {}
        """The safe way for statements, by migration and number, where that is mechanical."""
        self._new = New()
        """Relations that the statements so far have made: nobody uses them yet."""
        self._found: list[LintFinding] = []
        self._scripts: dict[str, tuple[Migration, Script]] = {}
        """By their paths, with the migration that they are of."""
        """Statements, by path and number, that the rehearsal left out because they reach further."""
        self._touches_new: set[str] = set()
        """Files of which a statement is about something new, so that it cannot be judged whether it allows in vain."""

    def statements(self) -> None:
        """Judge all statements, file by file."""
        by_id = {i: list(group) for i, group in groupby(self._trace.statements, key=lambda s: s.id)}
        for i in self._trace.migrations:
            m = self._migration(i, by_id.get(i, ()))
            self._file(m, by_id.get(i, []))
        for hook in self._migrations.hooks:
            if any(s.file == hook.path for s in self._trace.statements):
                self._script(hook)

    def _migration(self, i: str, traced: Sequence[Traced]) -> Migration:
        m = self._migrations.get(i)
        m = m or next((one for one in self._migrations.beside if one.id == i), None)
        return m or read_beside(next(s.file for s in traced if not s.hook))

    def _file(self, m: Migration, traced: Sequence[Traced]) -> None:
        script = self._script(m)
        refused = self._refused(m, script)
        if refused is not None:
            self.failure(m, refused)
        for flaw, one in self._flaws(m, traced):
            if refused is None or flaw.code != "statement-refused":
                self._add(flaw, m, one)
        back = self._rollback(m) if refused is None else None
        if back is not None:
            for flaw, number in loses(m, script, back, self._new):
                statement = back.statements[number - 1]
                place = Location(back.path, statement.line, statement.column)
                self._found.append(found_in(flaw, m.id, place, back.source_line(statement.line), number))

    def _script(self, m: Migration) -> Script:
        if m.path not in self._scripts:
            self._scripts[m.path] = m, load_script(m.with_any_values())
        return self._scripts[m.path][1]

    @staticmethod
    def _refused(m: Migration, script: Script) -> BadMigrationFile | None:
        """Why `migrate` would refuse the file before it runs anything."""
        try:
            refuse_unready(m.with_any_values(), script, lambda text: None)
            refuse_unfit(script, is_transactional=m.is_transactional)
        except BadMigrationFile as error:
            return error
        return None

    def _flaws(self, m: Migration, traced: Sequence[Traced]) -> Iterator[tuple[Flaw, Traced]]:
        """What is wrong with the statements of one file."""
        transaction = Transaction(self._context, self._new)
        for one in traced:
            made_before = {lock.relation for lock in one.locks if lock.is_new}
            self._new.add(made_before)
            if made_before:
                self._touches_new.add(one.file)
            step = _step(one)
            if one.is_alone:
                transaction = Transaction(self._context, self._new)
            if one.error:
                yield Flaw("statement-refused", m.id, _refusal(one)), one
                yield from ((flaw, one) for flaw in breaking.outside(step, self._context))
                return
            for flaw in transaction.judge(step):
                yield flaw, one
            broken = list(breaking.judge(step, self._context, self._new, is_late=m.phase is Phase.AFTER_DEPLOY))
            if one.is_left_out and not any(f.code == "cluster-wide" for f in broken):
                broken.append(Flaw("not-rehearsed", m.id, "it acts outside of the database, so it was left out"))
            for flaw in broken:
                yield flaw, one
            if one.undecided and not one.is_left_out:
                yield Flaw("undecided", m.id, one.undecided), one
            self._new.add((*one.made, *breaking.renamed_new(step, self._new)))
            self._new.columns |= breaking.added_columns(step)

    def _add(self, flaw: Flaw, m: Migration, one: Traced) -> None:
        line, column = (one.error_line, one.error_column) if one.error_line else (one.line, one.column)
        time = None
        if BY_CODE[flaw.code].section == "blocks" and not one.undecided:
            time = estimate(one, self._context.sizes, self._context.rates)
        place = Location(one.file, line, column)
        made = None if one.hook else rewrite(flaw, _step(one), self._constraints, self._context.keys)
        help_ = ""
        if made is not None:
            key = (m.id, one.number)
            known = self.rewrites.setdefault(key, made)
            if flaw.code in APART:
                self.rewrites[key] = known.apart
            help_ = made.text
        elif flaw.code == "statement-refused":
            help_ = one.hint
        elif not one.hook:
            help_ = self._help(flaw, one)
        self._found.append(found_in(flaw, m.id, place, one.source_line, one.number, help_, time))

    def _help(self, flaw: Flaw, one: Traced) -> str:
        """What the rule says, with the recipes for it, which know tables that are there; empty where it says all."""
        parsed = _parse_once(one.text) if one.locks else None
        if parsed is None:
            return ""
        names = {bare_name(k.relation) for k in one.locks if k.kind in _OF_RECIPES and not k.is_new}
        relation = getattr(parsed.node, "relation", None)
        is_known = relation is None or bare_name(relation_name(relation)) in names
        said = commands(flaw.code, parsed) if names and is_known else ()
        if said and any(t in names and re.search(rf"\b{re.escape(c)}\b", one.text) for t, c in self._new.columns):
            said = (*said, "(once what comes before it is applied)")
        what = way(flaw.code, parsed)
        return "\n".join((f"{what or BY_CODE[flaw.code].mend}:", *said)) if said else what

    def failure(self, m: Migration, error: WfloSchemaError) -> None:
        """A file that cannot be run, or rehearsed."""
        code = "not-rehearsed" if isinstance(error, Refused) else "file-refused"
        place = error.location if isinstance(error, BadMigrationFile) else None
        line = error.source_line if isinstance(error, BadMigrationFile) else ""
        said = error.message.removeprefix(f"{place}: ") if place is not None else error.message
        self._found.append(found_in(Flaw(code, m.id, said), m.id, place or Location(m.path, 1), line, 0, error.hint))

    def style(self) -> None:
        """What squawk says of all files."""
        known = (self._migrations.get(i) for i in self._trace.migrations)
        self._found += style_findings([m for m in known if m is not None])

    def ending(self, state: State) -> None:
        """What is left behind."""
        makers = _Makers(self._trace.statements if state.bare_keys or state.twins else ())
        for key in state.bare_keys:
            by = makers.of_key(key)
            if by is not None:
                is_new = key.table in self._new or by.text[:6].upper() == "CREATE"
                kinds = {lock.relation: lock.kind for lock in by.locks}
                self._left(key.flaw(), by, key.help(is_new=is_new, kind=kinds.get(key.table, "table")))
        for twins in state.twins:
            by = makers.of_index(twins)
            if by is not None:
                self._left(twins.flaw(), by, "")

    def _left(self, flaw: Flaw, by: Traced, help_: str) -> None:
        at = Location(by.file, by.line, by.column)
        self._found.append(found_in(flaw, by.id, at, by.source_line, by.number, help_))

    def undone(self, undone: Undone) -> None:
        """What a rollback does not take back."""
        if undone.failed is not None:
            one = undone.failed
            place = Location(one.file, one.error_line or one.line, one.error_column or one.column)
            flaw = Flaw("rollback-refused", one.id, _refusal(one))
            self._found.append(found_in(flaw, one.id, place, one.source_line, one.number))
        for difference in undone.differences:
            by = self._blamed(difference, undone)
            if by is not None:
                m, back = by
                what = f"{difference.kind} {difference.object}"
                what += f": {difference.attribute}" if difference.attribute else ""
                said = f"{what} is {difference.have} behind it, and was {difference.want} before {m.id}"
                place = Location(back.path, 1)
                self._found.append(
                    found_in(Flaw("rollback-differs", difference.object, said), m.id, place, "", 0, difference.mend)
                )

    def _blamed(self, difference: Difference, undone: Undone) -> tuple[Migration, Script] | None:
        """The last file that names what differs; None where its rollback says that there is nothing to undo."""
        naming = [m for m in undone.migrations if named_in(difference, self._script(m).source.decode())]
        m = next(iter((*naming[::-1], *(m for m in undone.migrations[::-1] if m.rollback_path))), None)
        back = self._rollback(m) if m is not None else None
        return None if m is None or back is None or back.nothing_to_undo else (m, back)

    def _rollback(self, m: Migration) -> Script | None:
        if m.rollback_path is None:
            return None
        if m.rollback_path not in self._scripts:
            back = load_rollback(m.with_any_values())
            assert back is not None
            self._scripts[m.rollback_path] = m, back
        return self._scripts[m.rollback_path][1]

    def contract(self, broken: Iterable[Finding]) -> None:
        """What the contract requires and is not there in the end."""
        for one in broken:
            flaw = Flaw("contract-broken", one.object, one.message)
            place = one.location or Location("contract.toml", 1)
            self._found.append(found_in(flaw, self._trace.migrations[-1], place, "", 0))

    def sifted(self) -> tuple[tuple[LintFinding, ...], tuple[Allowed, ...]]:
        """All that no comment allows, each once, with what is wrong with such comments; and what is allowed."""
        found = list({(f.code, f.location, f.message): f for f in reversed(self._found)}.values())[::-1]
        order = {
            path: number for number, path in enumerate(dict.fromkeys(f.location.path for f in found if f.location))
        }
        by_path: defaultdict[str, list[LintFinding]] = defaultdict(list)
        for f in found:
            by_path[f.location.path if f.location is not None else ""].append(f)
        kept = [f for path, some in by_path.items() if path not in self._scripts for f in some]
        allowed: list[Allowed] = []
        for path, (m, script) in self._scripts.items():
            allowances = read_allowances(script)
            kept += allowances.sift(by_path[path])
            allowed += allowances.allowed
            kept += self._allowed_in_vain(m, script, allowances)
        return tuple(sorted(kept, key=lambda f: _in_order(f, order))), tuple(allowed)

    def _allowed_in_vain(self, m: Migration, script: Script, allowances: Allowances) -> Iterator[LintFinding]:
        is_told = script.path not in self._touches_new and m.id not in self._trace.not_rehearsed
        for one, code in allowances.unused():
            if not one.wrong and (not is_told or code.startswith(PREFIX)):
                continue
            flaw = Flaw("allowance-unused", code, f"there is no finding {code} where it stands")
            if one.wrong:
                flaw = Flaw("allowance-wrong", "allowance", one.wrong)
            yield found_in(flaw, m.id, one.location, script.source_line(one.location.line), 0)


_OF_RECIPES = frozenset({"table", "partitioned table"})


def _in_order(found: LintFinding, files: dict[str, int]) -> tuple[int, int, int]:
    """By file as they run, then by line."""
    place = found.location or Location("", 0)
    return (files.get(place.path, len(files)), place.line, place.column)


def _refusal(one: Traced) -> str:
    """What PostgreSQL says of a statement that it refuses."""
    return f"{one.error} ({one.detail.rstrip('.')})" if one.detail else one.error


def _step(one: Traced) -> Step:
    return Step(one, functools.partial(_parse_once, one.text))


class _Makers:
    """Which statement has made something: the last of those that look most like it."""

    def __init__(self, statements: Iterable[Traced]) -> None:
        self._statements = tuple(statements)
        self._touching: defaultdict[str, list[int]] = defaultdict(list)
        """The places of the statements that make or lock a relation, by its name."""
        self._with_key: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
        """Of those that make a foreign key, by its columns."""
        self._made: dict[str, int] = {}
        for place, s in enumerate(self._statements):
            for name in {*s.made, *(lock.relation for lock in s.locks)}:
                self._touching[name].append(place)
            self._made.update(dict.fromkeys((*s.made, *s.builds), place))
            parsed = _parse_once(s.text) if "references" in s.text.lower() else None
            for columns in parsed.foreign_keys if parsed is not None else ():
                self._with_key[columns].add(place)

    def of_key(self, key: BareKey) -> Traced | None:
        """The one that has made it, or has taken its index away."""
        touching, like = self._touching[key.table], self._with_key[tuple(key.columns)]
        both = like.intersection(touching)
        if both or like:  # it may have had another name then
            return self._statements[max(both or like)]
        for may_make in (_MAKES_KEYS, _MAKES_BARE):
            for place in reversed(touching):
                if may_make.search(self._statements[place].text):
                    return self._statements[place]
        return None

    def of_index(self, twins: Twins) -> Traced | None:
        """The one that has made the later of the two."""
        place = self._made.get(qualified(twins.schema, twins.index))
        if place is not None:
            return self._statements[place]
        return next((s for s in reversed(self._statements) if twins.index.lower() in s.text.lower()), None)


_MAKES_KEYS = re.compile(r"\bDO\b|\bCALL\b|\bREFERENCES\b", re.IGNORECASE)
_MAKES_BARE = re.compile(r"\bDROP\b|\bALTER\b", re.IGNORECASE)


@functools.lru_cache(maxsize=8)
def _parse_once(text: str) -> Parsed | None:
    return parse(text)


def found_in(
    flaw: Flaw,
    i: str,
    place: Location,
    line: str,
    statement: int,
    help_: str = "",
    time: Estimate | None = None,
) -> LintFinding:
    """A finding of the weight that its rule gives it, in the migration of this id."""
    rule = BY_CODE[flaw.code]
    return LintFinding(
        flaw.code,
        flaw.severity or rule.severity,
        flaw.object,
        flaw.message,
        help=help_ or rule.mend,
        location=place,
        id=i,
        statement=statement,
        estimate=time,
        source_line=line,
    )
