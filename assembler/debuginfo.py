"""What a source says for debuggers: its own files and lines, and how to unwind the stack.

The directives ``.file``, ``.loc`` and ``.cfi_*`` fill these records while a unit is read; the
writers of ``.debug_line``, ``.debug_frame`` and ``.eh_frame`` take them from ``unit.debug``.
Offsets are bytes from the start of the section.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sections import Section
    from .values import Bound, Symbol

OMITTED = 0xFF
"""The pointer encoding DW_EH_PE_omit."""


@dataclass(frozen=True, slots=True)
class DebugFile:
    """A file of ``.file NUMBER``; ``md5`` is -1 if it was not given."""

    name: str
    directory: str = ""
    md5: int = -1


@dataclass(frozen=True, slots=True)
class Location:
    """A row of the line table: the code from ``offset`` on comes from this line."""

    section: Section
    offset: int
    file: int
    line: int
    column: int = 0
    is_stmt: bool = True
    basic_block: bool = False
    prologue_end: bool = False
    epilogue_begin: bool = False
    isa: int = 0
    discriminator: int = 0


@dataclass(frozen=True, slots=True)
class CfiOp:
    """One rule from ``offset`` on.

    ``name`` is the directive without ``.cfi_``; ``args`` are its operands: DWARF register
    numbers (x0 to x31, f0 to f31, then 4096 + CSR number) and bytes.  The rule "label" defines
    ``symbol`` in the table.
    """

    offset: int
    name: str
    args: tuple[int, ...] = ()
    symbol: Symbol | None = None


@dataclass(slots=True)
class CfiFrame:
    """The unwinding rules between ``.cfi_startproc`` and ``.cfi_endproc``.

    ``personality`` and ``lsda`` are (pointer encoding, value); ``simple`` leaves the initial
    rules of the machine away.
    """

    section: Section
    start: int
    place: int
    end: int = 0
    simple: bool = False
    signal: bool = False
    return_column: int = 1
    personality: tuple[int, Bound] = (OMITTED, 0)
    lsda: tuple[int, Bound] = (OMITTED, 0)
    ops: list[CfiOp] = field(default_factory=list)
    depth: int = 0


@dataclass(slots=True)
class DebugInfo:
    """Everything of one unit.

    ``eh_frame`` and ``debug_frame`` say which sections ``.cfi_sections`` asked for.
    """

    source_name: str = ""
    files: dict[int, DebugFile] = field(default_factory=dict)
    locations: list[Location] = field(default_factory=list)
    frames: list[CfiFrame] = field(default_factory=list)
    open_frame: CfiFrame | None = None
    eh_frame: bool = True
    debug_frame: bool = False
    is_stmt: bool = True
    isa: int = 0
