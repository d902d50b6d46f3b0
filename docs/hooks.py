"""What the manual takes from elsewhere: the project's own documents, the rules of check, Click's help.

MkDocs calls the functions whose names begin with ``on_``.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent

# Pages that are documents of the repository, where a reader of the sources looks for them.
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/shop/README.md": "shop.md",
}

# Columns that a code block shows without scrolling.
HELP_WIDTH = 84

SECTIONS = {
    "contract": "Contract",
    "ledger": "Ledger",
    "rows": "Rows",
    "indexes": "Indexes",
    "drift": "Drift",
}

# The link of a document to another: as seen from the repository, so that both sites can follow it.
_LINK = re.compile(r"\]\((?P<path>[^)#:\s]+\.md)(?P<anchor>#[^)\s]*)?\)")

_HELP_EXAMPLE = re.compile(r"^\x08\n(?P<title>[^\n]+):\n(?P<lines>(?:  [^\n]*(?:\n|\Z))+)", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Make Click's help ready for Markdown: what it shows line by line is shown so here."""
    from wflo_schema.cli.commands import cli

    cli.context_settings = {**cli.context_settings, "terminal_width": HELP_WIDTH}
    _mark_examples(cli)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the documents that stand elsewhere in the repository."""
    from mkdocs.structure.files import File

    for source, page in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=with_links(text, source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the check codes where the page wants them, and make links lead to pages."""
    if page.file.src_uri not in ELSEWHERE.values():
        markdown = with_links(markdown, f"docs/{page.file.src_uri}")
    markdown = markdown.replace("<!-- lint codes -->", lint_codes()) if "<!-- lint codes -->" in markdown else markdown
    return markdown.replace("<!-- check codes -->", check_codes())


def with_links(text: str, source: str) -> str:
    """The text of a document with its links to other documents as links between pages."""

    def page_of(match: re.Match[str]) -> str:
        target = (ROOT / source).parent.joinpath(match["path"]).resolve().relative_to(ROOT).as_posix()
        page = ELSEWHERE.get(target, target.removeprefix("docs/"))
        return f"]({page}{match['anchor'] or ''})"

    return _LINK.sub(page_of, text)


def check_codes() -> str:
    """A table of all codes, then each with what it means."""
    from wflo_schema.check.rules import RULES
    from wflo_schema.show.check_formats import rules_markdown

    table = re.sub(r"^\| `([a-z-]+)`", r"| [`\1`](#\1)", rules_markdown(RULES), flags=re.MULTILINE)
    lines = [table, ""]
    for section in dict.fromkeys(rule.section for rule in RULES):
        lines += [f"## {SECTIONS.get(section, section)}", ""]
        for rule in RULES:
            if rule.section == section:
                title = rule.title[:1].upper() + rule.title[1:]
                lines += [f"### `{rule.code}` {{ #{rule.code} }}", "", f"**{title}** ({rule.severity.value})", ""]
                lines += [rule.means, "", f"To do: {rule.mend}", ""]
    return "\n".join(lines)


def lint_codes() -> str:
    """A table of all codes, then each with what it means, and an example of both kinds."""
    from wflo_schema.lint.rules import RULES
    from wflo_schema.lint.rules import SECTIONS as sections
    from wflo_schema.show.check_formats import rules_markdown

    lines = [re.sub(r"^\| `([a-z-]+)`", r"| [`\1`](#\1)", rules_markdown(RULES), flags=re.MULTILINE), ""]
    for section, title in sections.items():
        lines += [f"## {title}", ""]
        for rule in RULES:
            if rule.section == section:
                title = rule.title[:1].upper() + rule.title[1:]
                lines += [f"### `{rule.code}` {{ #{rule.code} }}", "", f"**{title}** ({rule.severity.value})", ""]
                lines += [rule.means, "", f"To do: {rule.mend}", ""]
                for said, example in (("Found", rule.bad), ("Not found", rule.good)):
                    lines += [f"{said}:", "", "```sql", example.rstrip(), "```", ""] if example else []
    return "\n".join(lines)


def _mark_examples(command: Any) -> None:
    text = inspect.cleandoc(command.help or "")

    def as_block(match: re.Match[str]) -> str:
        kind = "sh" if match["title"] == "Example" else "text"
        return f"**{match['title']}:**\n\n```{kind}\n{inspect.cleandoc(match['lines'])}\n```\n"

    command.help = _HELP_EXAMPLE.sub(as_block, text)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            _mark_examples(command.get_command(context, name))
