"""What a command is, and how a typed line finds its command."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from toyvm.ui.text import did_you_mean

from ..errors import DebugError
from ..session import Session

_WORD = re.compile(r"\s*(?P<word>[A-Za-z][\w-]*|!)(?P<format>/\w*)?(?P<rest>.*)", re.DOTALL)


class Command(ABC):
    """One command. The first of `names` is its own, the others are aliases.

    `usage` is the form of the arguments, `help` the first sentence and what follows it.
    `completes` names what its arguments are: "location", "expression", "register", "csr",
    "vm", "file", "command", "number" or a list of words.
    """

    names: ClassVar[tuple[str, ...]]
    usage: ClassVar[str] = ""
    help: ClassVar[str]
    repeats: ClassVar[bool] = True
    takes_format: ClassVar[bool] = False
    completes: ClassVar[str | tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """The command's own name."""
        return self.names[0]

    @property
    def summary(self) -> str:
        """The first sentence of the help."""
        return self.help.strip().split("\n", 1)[0]

    @abstractmethod
    def run(self, session: Session, arguments: str, form: str) -> None:
        """Do it. `form` is what stood after a slash; DebugError for the user's mistakes."""


def split(line: str) -> tuple[str, str, str]:
    """A line as (command word, format, arguments)."""
    match = _WORD.fullmatch(line.strip())
    if match is None:
        raise DebugError(f'Undefined command: "{line.strip()}".  Try "help".')
    return match["word"], (match["format"] or "")[1:], match["rest"].strip()


def find(commands: Iterable[Command], word: str) -> Command:
    """The command that `word` names or begins; DebugError lists what it could mean."""
    commands = list(commands)
    names = {name: command for command in commands for name in command.names}
    if word in names:
        return names[word]
    found = {id(c): c for n, c in names.items() if n.startswith(word)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        offered = ", ".join(sorted(n for n in names if n.startswith(word)))
        raise DebugError(f'Ambiguous command "{word}": {offered}.')
    raise DebugError(f'Undefined command: "{word}".  Try "help"{did_you_mean(word, names)}')


def execute(session: Session, line: str) -> None:
    """Run one typed line; an empty one repeats the last command that may be repeated."""
    text = line.strip()
    if text.startswith("#"):
        return
    repeated = not text
    if repeated:
        text = session.last_line
        if not text:
            return
    word, form, arguments = split(text)
    command = find(session.commands.values(), word)
    if form and not command.takes_format:
        raise DebugError(f"{command.name} takes no /{form}")
    if repeated:
        arguments = command_again(command, arguments)
    # Kept before it runs: a command that fails half-way can be repeated too.
    session.last_line = text if command.repeats else ""
    command.run(session, arguments, form)


def command_again(command: Command, arguments: str) -> str:
    """The arguments of a repeated command: `x` goes on where it was."""
    return "" if command.name == "x" else arguments


def register(session: Session, commands: Sequence[Command]) -> None:
    """Give a session its commands; two commands of one name are a mistake in the code."""
    taken: dict[str, str] = {}
    for command in commands:
        for name in command.names:
            if name in taken:
                raise ValueError(f"{name}: both {taken[name]} and {command.name}")
            taken[name] = command.name
        session.commands[command.name] = command


def number(text: str, what: str, low: int = 0, high: int = 1 << 62) -> int:
    """A whole number argument; DebugError names what was expected."""
    try:
        value = int(text.replace(",", ""), 0)
    except ValueError:
        raise DebugError(f'Expected {what}, found "{text}"') from None
    if not low <= value <= high:
        raise DebugError(f"Expected {what} from {low} to {high}, found {value}")
    return value
