"""What a parsed linker script consists of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from .diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Num:
    """A number."""

    value: int


@dataclass(frozen=True, slots=True)
class Sym:
    """A symbol, or ``.``."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Op:
    """An operation; one operand for unary ones, three for ``?:``."""

    op: str
    args: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function; ``name`` is the argument of those that take a name."""

    function: str
    name: str
    args: tuple[Node, ...]
    at: int


Node: TypeAlias = Num | Sym | Op | Call


@dataclass(frozen=True, slots=True)
class Assign:
    """``name op= value``; ``provide`` only if somebody needs it, ``hidden`` for nobody else."""

    name: str
    op: str
    value: Node
    at: int
    provide: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Assert:
    """``ASSERT(condition, message)``"""

    condition: Node
    message: str
    at: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A section name with wildcards, how to sort, and files that it does not mean."""

    text: str
    sort: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """``file(patterns)``; ``sort`` orders the files."""

    file: str
    patterns: tuple[Pattern, ...]
    excluded: tuple[str, ...] = ()
    sort: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """BYTE, SHORT, LONG or QUAD."""

    size: int
    value: Node
    at: int


@dataclass(frozen=True, slots=True)
class Fill:
    """FILL(value): the pattern of gaps from here on."""

    value: Node


@dataclass(slots=True)
class OutputSection:
    """One section of the output, with what goes into it."""

    name: str
    at: int
    address: Node | None = None
    kind: str = ""
    load: Node | None = None
    align: Node | None = None
    subalign: Node | None = None
    statements: list[Assign | Assert | Input | Data | Fill] = field(default_factory=list)
    region: str = ""
    load_region: str = ""
    fill: Node | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A line of MEMORY."""

    name: str
    attributes: str
    origin: Node
    length: Node
    at: int


@dataclass
class Script:
    """A parsed linker script."""

    name: str
    text: str
    entry: str = ""
    externs: list[str] = field(default_factory=list)
    regions: dict[str, Region] = field(default_factory=dict)
    before: list[Assign | Assert] = field(default_factory=list)
    sections: list[OutputSection | Assign | Assert] = field(default_factory=list)
    has_sections: bool = False

    def diagnostic(self, severity: str, message: str, at: int, hint: str = "") -> Diagnostic:
        """A message about the place ``at`` in the script."""
        line = self.text.count("\n", 0, at) + 1
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        source = self.text[start : end if end >= 0 else len(self.text)]
        word = re.compile(r"[\w.$]+|.", re.DOTALL).match(self.text, at)
        width = len(word[0]) if word else 1
        return Diagnostic(
            severity, message, self.name, line, at - start + 1, at - start + 1 + width, source,
            hint=hint,
        )  # fmt: skip


class ScriptError(Exception):
    """The script is wrong; ``diagnostic`` says where."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
