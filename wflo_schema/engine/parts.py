"""The statements of one file within a transaction: the migration's own, or those of a hook around them.

Hides which statement a command stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wflo_schema.connect.pipeline import Command

if TYPE_CHECKING:
    from wflo_schema.files.script import Script, Statement

# Bytes of a file that is sent as one message.
_LONGEST_MESSAGE = 100_000

# First words; one in parentheses has none.
_MAY_ANSWER_MUCH = (*"COPY EXECUTE FETCH SELECT TABLE VALUES WITH".split(), "")


class Part(NamedTuple):
    """What is sent of one file.

    ``again``: what is sent behind a statement, by its number from 0: settings that it has reset.
    ``hook``: the hook's name, empty for the migration's own file.  ``before``: how a hook finds the session, whatever
    the file has done to it.
    """

    script: Script
    again: Mapping[int, Sequence[Command]]
    hook: str = ""
    before: tuple[Command, ...] = ()

    def commands(self, command: Callable[[Statement], Command]) -> Iterator[tuple[int | None, Command]]:
        """Each with the number of the statement that it is or comes behind, None for what comes before."""
        for one in self.before:
            yield None, one
        for number, statement in enumerate(self.script.statements):
            yield number, command(statement)
            if number in self.again:
                yield from ((number, one) for one in self.again[number])

    @property
    def fits_one_message(self) -> bool:
        """Is it short, with few rows to be answered, no data, and nothing that changes how what follows is read?

        Nor does it ask for the text that was sent.
        """
        return self.script.once(_fits_one_message)

    @property
    def size(self) -> int:
        """How many commands it has."""
        return len(self.before) + len(self.script.statements) + sum(len(a) for a in self.again.values())

    def number(self, index: int) -> int | None:
        """The statement, from 0, that a command stands for, given by its index."""
        number = index - len(self.before)
        for reset in sorted(self.again):
            if number <= reset:
                break
            number = max(number - len(self.again[reset]), reset)
        return number if 0 <= number < len(self.script.statements) else None


def _fits_one_message(script: Script) -> bool:
    if len(script.source) > _LONGEST_MESSAGE or any(script.statements.beginning_with(*_MAY_ANSWER_MUCH)):
        return False
    source = script.source.lower()
    return not any(word in source for word in (b"returning", b"standard_conforming_strings", b"current_query"))


def set_local(settings: Mapping[str, str]) -> list[Command]:
    """Settings of this transaction; the values are numbers, words and quoted names of our own making."""
    return [Command(f"SET LOCAL {name} = {value}") for name, value in settings.items()]
