"""The text of the files, from steps."""

from __future__ import annotations

import datetime
import re
import textwrap
from pathlib import Path

from wflo_schema.files.directives import Phase
from wflo_schema.files.naming import slug_of, write_pair
from wflo_schema.recipes.values import Step

_WIDTH = 116

# A rehearsal has no rows to go through.
_IN_BATCHES = "-- lint: allow undecided because it goes through the rows in batches, and locks nothing but these\n"


def forward_text(step: Step) -> str:
    """The migration."""
    head = _head(step.title, step.why, alone=step.alone or None, is_late=step.is_after_deploy)
    return f"{head}{_IN_BATCHES if '-- resumable:' in step.sql else ''}\n{step.sql.strip()}\n"


def rollback_text(step: Step) -> str:
    """Its rollback."""
    if not step.undo:
        return f"-- undo: {step.title}\n-- nothing-to-undo: {step.keeps}\n"
    # what it does not say, it takes from the forward file
    alone = step.undo_alone if step.undo_alone or step.alone else None
    allowed = "-- lint: allow rollback-loses because that is what it was dropped for\n" if step.loses else ""
    return f"{_head(f'undo: {step.title}', step.undo_why, alone=alone)}{allowed}\n{step.undo.strip()}\n"


def _head(title: str, why: str, *, alone: bool | None = None, is_late: bool = False) -> str:
    lines = [f"-- {title}"]
    if why:
        lines += [f"-- {line}" for line in textwrap.wrap(why, _WIDTH)]
    if alone is not None:
        lines.append(f"-- transactional: {'false' if alone else 'true'}")
    if is_late:
        lines.append(f"-- phase: {Phase.AFTER_DEPLOY}")
    return "\n".join(lines) + "\n"


def write_step(folder: Path, stem: str, step: Step) -> tuple[Path, Path]:
    """Write a step's two files."""
    return write_pair(folder / stem, forward_text(step), rollback_text(step))


def slug(step: Step) -> str:
    """What a step's file is called."""
    return slug_of(re.sub(r"[.:\"]", " ", step.title))


def second_after(now: datetime.datetime, number: int) -> datetime.datetime:
    """The time in the name of the file of that number: names have an order."""
    return now + datetime.timedelta(seconds=number)
