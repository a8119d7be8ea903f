"""The result of assembling: segments, symbols, lines, and the files made from them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from .diagnostics import Diagnostic
from .layout import Output

PF_X = 1
PF_W = 2
PF_R = 4


@dataclass(frozen=True)
class Segment:
    """Memory that the program needs: ``data`` at ``addr``, zeros up to ``memsz`` bytes.

    ``flags`` is a sum of PF_R (4), PF_W (2) and PF_X (1).  ``load_offset`` is the distance of the
    load address, where a linker script asks for one (AT).
    """

    addr: int
    data: bytes
    memsz: int
    flags: int
    load_offset: int = 0

    @property
    def load(self) -> int:
        """The physical address in the ELF file, where a loader puts the content."""
        return (self.addr + self.load_offset) & 0xFFFF_FFFF

    @property
    def bytes(self) -> bytes:
        """The stored content."""
        return self.data


class SymbolInfo(NamedTuple):
    """A symbol of the program, as it stands in the ELF symbol table.

    ``section`` is the name of its output section, "" for an absolute value.
    """

    name: str
    value: int
    size: int
    type: str
    binding: str
    section: str
    unit: str


@dataclass(frozen=True)
class Row:
    """Content and its source: ``size`` bytes at ``addr`` come from this line.

    ``file`` and ``line`` name the line outside all macros; ``text`` is the line that was
    assembled, an expanded one inside a macro, whose nesting is ``depth``.  ``code`` says that
    these are instructions.
    """

    addr: int
    size: int
    file: str
    line: int
    text: str
    depth: int
    code: bool = False


class Origin(Protocol):
    """What still knows the sources: the linker."""

    def lines(self) -> list[tuple[int, str, int]]:
        """(address, file, line) where the line changes."""

    def rows(self) -> list[Row]:
        """All content with its line."""

    def sources(self) -> dict[str, str]:
        """The text of every file by name."""

    def mapping(self) -> list[tuple[str, int, str]]:
        """(name, address, output section) of the symbols that tell code from data."""


@dataclass
class Image:
    """A linked program.

    ``symbols`` maps names to addresses or values (a global one wins over a local one of the
    same name); ``symtab`` has them all.  ``outputs`` are the sections.  ``origin`` knows where
    every byte comes from; ``lines``, ``rows`` and ``sources`` are worked out when first asked.
    """

    entry: int
    segments: list[Segment]
    symbols: dict[str, int]
    symtab: list[SymbolInfo]
    warnings: list[Diagnostic]
    outputs: list[Output] = field(repr=False, default_factory=list)
    origin: Origin | None = field(repr=False, default=None)

    @cached_property
    def lines(self) -> list[tuple[int, str, int]]:
        """(address, file, line) in rising order of address, where the line changes."""
        return self.origin.lines() if self.origin else []

    @cached_property
    def rows(self) -> list[Row]:
        """All content with the line that it comes from, in the order of the sources."""
        return self.origin.rows() if self.origin else []

    @cached_property
    def sources(self) -> dict[str, str]:
        """The text of every source and included file by name."""
        return self.origin.sources() if self.origin else {}

    def to_elf(self) -> bytes:
        """An ELF32 little-endian RISC-V executable."""
        from .elf import executable

        return executable(self)

    def to_bin(self) -> bytes:
        """A flat binary from the lowest address on; gaps are zeros, .bss is left away.

        ValueError if the addresses are so far apart that the file would exceed 256 MiB.
        """
        stored = [s for s in self.segments if s.data]
        if not stored:
            return b""
        low = min(s.load for s in stored)
        size = max(s.load + len(s.data) for s in stored) - low
        if size > 256 << 20:
            raise ValueError(
                f"a flat binary would have {size} bytes, because sections are far apart; use ELF"
            )
        out = bytearray(size)
        for s in stored:
            out[s.load - low : s.load - low + len(s.data)] = s.data
        return bytes(out)

    def symbol_at(self, addr: int) -> tuple[str, int] | None:
        """The nearest label at or below the address in the same section, and the distance."""
        addresses, names, ends = self._labels
        i = bisect_right(addresses, addr) - 1
        if i < 0 or addr >= ends[i]:
            return None
        return names[i], addr - addresses[i]

    def line_at(self, addr: int) -> tuple[str, int] | None:
        """The source file and line of the instruction or data at the address."""
        i = bisect_right(self._line_addresses, addr) - 1
        if i < 0 or addr >= self._line_ends[i]:
            return None
        _, file, line = self.lines[i]
        return file, line

    def address_of(self, file: str, line: int) -> int | None:
        """The first address that comes from the line, or from the next line that has any."""
        best: tuple[int, int] | None = None
        for addr, name, number in self.lines:
            if number < line or (name != file and not name.endswith("/" + file)):
                continue
            if best is None or (number, addr) < best:
                best = number, addr
        return None if best is None else best[1]

    def listing(self) -> str:
        """Addresses, bytes and source lines side by side."""
        from .listing import listing

        return listing(self)

    @cached_property
    def _labels(self) -> tuple[list[int], list[str], list[int]]:
        ranges = {o.name: (o.address, o.address + o.size) for o in self.outputs}
        rank = {"GLOBAL": 0, "WEAK": 1, "LOCAL": 2}
        best: dict[int, tuple[tuple[int, bool, str], str, int]] = {}
        for s in self.symtab:
            if not s.section or s.section not in ranges:
                continue
            key = (rank.get(s.binding, 3), s.name.startswith("."), s.name)
            # A label may stand at the very end of its section.
            end = max(ranges[s.section][1], s.value + 1)
            if s.value not in best or key < best[s.value][0]:
                best[s.value] = key, s.name, end
        addresses = sorted(best)
        return addresses, [best[a][1] for a in addresses], [best[a][2] for a in addresses]

    @cached_property
    def _line_addresses(self) -> list[int]:
        return [addr for addr, _, _ in self.lines]

    @cached_property
    def _line_ends(self) -> list[int]:
        """Where each row of ``lines`` ends: at the next one or at the end of its section."""
        borders = sorted(o.address + o.size for o in self.outputs if o.size)
        out = []
        for i, (addr, _, _) in enumerate(self.lines):
            k = bisect_right(borders, addr)
            end = borders[k] if k < len(borders) else addr + 4
            following = self.lines[i + 1][0] if i + 1 < len(self.lines) else end
            out.append(min(end, following) if following > addr else end)
        return out
