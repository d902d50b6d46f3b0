"""Draws the house of CONTRIBUTING.md from the order of imports, the packages' own lines and what they import.

``python -m tests.picture`` draws it anew where it is out of date.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.test_layers import HOUSE, PACKAGE, imports, tree_of

CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"

_DRAWN = re.compile(r"(?<=<!-- picture: python -m tests\.picture -->\n```text\n).*?(?=```\n)", re.DOTALL)
_WIDTH = 9


def draw() -> str:
    """Who stands above goes first; below each package what it calls, and that stands lower down."""
    lines: list[str] = []
    seen: set[str] = set()
    packages = [package for package, _ in HOUSE if package]
    for package, modules in reversed(HOUSE):
        if not package:
            continue
        text = ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))) or ""
        if packages.count(package) > 1 and package not in seen:  # its one line stands where it begins, lower down
            text = f"(its upper floor: {', '.join(modules)})"
        seen.add(package)
        called = {
            name.removeprefix("wflo_schema.").split(".")[0]
            for module in modules
            for name in imports(tree_of(f"{package}.{module}"))
            if name.startswith("wflo_schema.")
        }
        below = [p for p in dict.fromkeys(reversed(packages)) if p in called - {package}]
        lines += [f"{package:<{_WIDTH}}{text}", f"   ▼     {', '.join(below) or 'the ground'}"]
    ground = next(modules for package, modules in HOUSE if not package)
    return "".join(f"{line}\n" for line in [*lines, f"{', '.join(ground)}: values that everybody needs"])


def drawn() -> str:
    """The picture that stands in CONTRIBUTING.md."""
    found = _DRAWN.search(CONTRIBUTING.read_text(encoding="utf-8"))
    assert found is not None
    return found[0]


if __name__ == "__main__":
    text = CONTRIBUTING.read_text(encoding="utf-8")
    CONTRIBUTING.write_text(_DRAWN.sub(lambda _: draw(), text), encoding="utf-8")
