"""What squawk says of style, for those who want it: its rules of taste, under its own names.  It is not the judge.

Hides the program and its report (https://squawkhq.com/docs/rules).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wflo_schema.errors import Refused
from wflo_schema.files.folder import Migration
from wflo_schema.findings import Location, Severity
from wflo_schema.lint.values import LintFinding

# Before squawk's name of a rule.
PREFIX = "squawk-"

# Its rules of taste; all others are about what the rehearsal judges.
_TASTE = ("prefer-", "ban-char-field")


def style_findings(migrations: Sequence[Migration]) -> Iterator[LintFinding]:
    """The notes of squawk on these files.  Raise `Refused` where it is not installed, or fails."""
    for is_transactional in (True, False):
        by_path = {m.path: m for m in migrations if m.is_transactional is is_transactional}
        if not by_path:
            continue
        words = ["--assume-in-transaction"] if is_transactional else []
        for one in _report([*words, "--", *by_path]):
            m = by_path.get(one["file"])
            if m is None or not one["rule_name"].startswith(_TASTE):
                continue
            place = Location(m.path, one["line"] + 1, one["column"] + 1)
            lines = Path(m.path).read_text(encoding="utf-8").splitlines()
            yield LintFinding(
                f"{PREFIX}{one['rule_name']}",
                Severity.NOTE,
                m.id,
                one["message"],
                help=one["help"] or "",
                location=place,
                id=m.id,
                source_line=lines[one["line"]] if one["line"] < len(lines) else "",
            )


def _report(words: Sequence[str]) -> list[dict[str, Any]]:
    beside = Path(sys.executable).with_name("squawk")
    program = str(beside) if beside.exists() else shutil.which("squawk")
    if program is None:
        raise Refused("squawk is not installed", hint="pip install squawk-cli; or leave out --with-squawk")
    done = subprocess.run([program, "--reporter", "json", *words], check=False, capture_output=True)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode(errors="replace").strip()
        raise Refused(f"squawk failed: {said}", hint="leave out --with-squawk") from None
    return found
