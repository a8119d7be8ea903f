"""Names for addresses, and lines of source for addresses."""

from __future__ import annotations

import bisect
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyvm.ui.text import did_you_mean

from .errors import DebugError

#: An address further than this behind a symbol without size does not belong to it.
REACH = 1 << 20
_LARGEST_SOURCE = 16 << 20
_ALLOCATED, _EXECUTABLE = 2, 4  # SHF_ALLOC, SHF_EXECINSTR


@dataclass(frozen=True)
class Symbol:
    """A name for an address. `size` in bytes, 0 if unknown.

    `is_function`: the image says that a function starts here (its type, or a global name).
    """

    name: str
    address: int
    size: int = 0
    is_code: bool = True
    is_function: bool = False


class Symbols:
    """Looks up names and addresses; when two names share an address, the first one given wins."""

    def __init__(
        self,
        symbols: Iterable[Symbol] = (),
        lines: Sequence[tuple[int, str, int]] = (),
        end: int | None = None,
        code: Sequence[tuple[int, int]] = (),
        texts: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        """`lines` has (address, file, line) where the line of the source changes, line 0 where
        code without lines begins; `end` is the first address behind the image; `code` has
        (start, end) of what can be executed; `texts` gives sources that are no files (any more)."""
        self._by_name: dict[str, Symbol] = {}
        for symbol in symbols:
            self._by_name.setdefault(symbol.name, symbol)
        ordered = sorted(
            (s for s in self._by_name.values() if s.is_code or s.size), key=lambda s: s.address
        )
        self._ordered: list[Symbol] = []
        for symbol in ordered:
            if not self._ordered or self._ordered[-1].address != symbol.address:
                self._ordered.append(symbol)
        self._addresses = [symbol.address for symbol in self._ordered]
        self.end = end
        self.code = list(code)
        self.lines = sorted(lines)
        self._line_addresses = [address for address, _, _ in self.lines]
        self._texts = texts
        self._sources: dict[str, list[str] | None] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def in_order(self) -> list[Symbol]:
        """All symbols by address, then name."""
        return sorted(self._by_name.values(), key=lambda s: (s.address, s.name))

    @property
    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self._by_name)

    def get(self, name: str) -> Symbol | None:
        """The symbol of that name, or None."""
        return self._by_name.get(name)

    def address(self, name: str) -> int:
        """The address of `name`; DebugError with the nearest name otherwise."""
        symbol = self._by_name.get(name)
        if symbol is None:
            raise DebugError(f'No symbol "{name}"{did_you_mean(name, self._by_name)}')
        return symbol.address

    def covering(self, address: int) -> Symbol | None:
        """The symbol that `address` lies in or behind, None if there is none near."""
        index = bisect.bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        symbol = self._ordered[index]
        offset = address - symbol.address
        if offset >= max(symbol.size, REACH if not symbol.size else 0) or (
            self.end is not None and address >= self.end
        ):
            return None
        return symbol

    def describe(self, address: int) -> str:
        """`main+12`, `main`, or an empty string."""
        symbol = self.covering(address)
        if symbol is None:
            return ""
        offset = address - symbol.address
        return f"{symbol.name}+{offset}" if offset else symbol.name

    def before(self, address: int, count: int) -> list[Symbol]:
        """The last `count` symbols at or below `address`, the nearest first."""
        index = bisect.bisect_right(self._addresses, address)
        return self._ordered[max(0, index - count) : index][::-1]

    def end_of(self, symbol: Symbol) -> int | None:
        """The first address behind `symbol`: by its size, the next symbol or the section's end."""
        if symbol.size:
            return symbol.address + symbol.size
        index = bisect.bisect_right(self._addresses, symbol.address)
        ends = [end for start, end in self.code if start <= symbol.address < end]
        ends += self._addresses[index : index + 1]
        return min(ends, default=None)

    def line_of(self, address: int) -> tuple[str, int] | None:
        """(file, line) of the source that `address` comes from, None if that is not known."""
        index = bisect.bisect_right(self._line_addresses, address) - 1
        if index < 0 or (self.end is not None and address >= self.end):
            return None
        file, line = self.lines[index][1:]
        return (file, line) if line > 0 else None

    def begins_line(self, address: int) -> bool:
        """True if a line of the source begins at `address`."""
        index = bisect.bisect_left(self._line_addresses, address)
        return index < len(self.lines) and self._line_addresses[index] == address

    @property
    def files(self) -> list[str]:
        """Every source file that code comes from."""
        return sorted({file for _, file, line in self.lines if line > 0})

    def source(self, file: str) -> list[str] | None:
        """The lines of a source file, None if it cannot be read."""
        if file not in self._sources:
            found = read_source(file)
            if found is None and self._texts is not None:
                text = self._texts().get(file)
                found = None if text is None else text.split("\n")
            self._sources[file] = found
        return self._sources[file]

    def source_line(self, file: str, line: int) -> str | None:
        """One line of a source file, None if it cannot be read."""
        text = self.source(file)
        return text[line - 1] if text is not None and 0 < line <= len(text) else None

    def at_line(self, text: str) -> int | None:
        """The first address of `file:line`; None if `text` has not that form.

        A line without code stands for the next line of its file that has some, as in gdb.
        """
        match = re.fullmatch(r"(.+):([0-9]+)", text)
        if match is None:
            return None
        name, number = match[1], int(match[2])
        known = set(self.files)
        files = {f for f in known if f == name or f.replace("\\", "/").endswith("/" + name)}
        if not files:
            near = did_you_mean(name, {f.rsplit("/", 1)[-1] for f in known})
            raise DebugError(f"No source file named {name}{near}")
        found = [
            (line, address)
            for address, file, line in self.lines
            if file in files and line >= number
        ]
        if not found:
            raise DebugError(f"No code at or after line {number} of {name}")
        return min(found)[1]


def read_source(file: str) -> list[str] | None:
    """The lines of a file, None if it cannot be read or is no text of a usual size."""
    try:
        path = Path(file)
        if not path.is_file() or path.stat().st_size > _LARGEST_SOURCE:
            return None
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return None


def elf_lines(data: bytes) -> list[tuple[int, str, int]]:
    """(address, file, line) from the line table of an ELF file; line 0 behind each sequence."""
    from assembler.dump.lines import line_rows
    from assembler.dump.view import read_view
    from assembler.objread import ObjectError

    try:
        tables = line_rows(read_view(data, "image"))
    except ObjectError:
        return []
    rows = next(iter(tables.values()), [])
    # A sequence that begins where another one ends goes on from there.
    starts = {row.address for row in rows if not row.end}
    lines: dict[int, tuple[int, str, int]] = {}
    for row in rows:
        if row.end:
            if row.address not in starts:
                lines[row.address] = (row.address, "", 0)
        elif row.is_stmt and row.line > 0 and row.address:
            # Of several rows at one address the last one counts, as in gdb.
            lines[row.address] = (row.address, row.file, row.line)
    return sorted(lines.values())


def from_elf(data: bytes) -> Symbols:
    """The symbols and lines of an ELF file, mapping symbols ($x, $d) left out."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    elf = ELFFile(io.BytesIO(data))
    end = max((s["p_vaddr"] + s["p_memsz"] for s in elf.iter_segments()), default=None)
    sections = list(elf.iter_sections())
    code = {i for i, section in enumerate(sections) if section["sh_flags"] & _EXECUTABLE}
    allocated = {i for i, section in enumerate(sections) if section["sh_flags"] & _ALLOCATED}
    found: list[tuple[int, Symbol]] = []
    for section in sections:
        if not isinstance(section, SymbolTableSection):
            continue
        for entry in section.iter_symbols():
            kind = entry["st_info"]["type"]
            name = entry.name
            where = entry["st_shndx"]
            if not name or name.startswith("$") or kind in ("STT_FILE", "STT_SECTION"):
                continue
            if where == "SHN_UNDEF":
                continue
            in_memory = where in allocated
            outside = entry["st_info"]["bind"] == "STB_GLOBAL"
            symbol = Symbol(
                name,
                entry["st_value"],
                entry["st_size"] if in_memory else 0,
                in_memory and kind != "STT_OBJECT",
                where in code and (outside or kind == "STT_FUNC"),
            )
            # Global names before local ones at the same address.
            rank = 0 if outside else 1
            found.append((rank, symbol))
    found.sort(key=lambda item: item[0])
    ranges = [
        (sections[i]["sh_addr"], sections[i]["sh_addr"] + sections[i]["sh_size"])
        for i in sorted(code)
    ]
    return Symbols((symbol for _, symbol in found), elf_lines(data), end, ranges)


def from_assembly(image: Any) -> Symbols:
    """The symbols and source lines of an `assembler.Image`."""
    code = {
        output.name: (output.address, output.address + output.size)
        for output in image.outputs
        if output.flags & _EXECUTABLE
    }
    end = max((s.addr + max(s.memsz, len(s.data)) for s in image.segments), default=None)
    found: list[tuple[int, Symbol]] = []
    for row in image.symtab:
        if row.type in ("FILE", "SECTION"):
            continue
        outside = row.binding == "GLOBAL"
        symbol = Symbol(
            row.name,
            row.value,
            row.size if row.section else 0,
            bool(row.section) and row.type != "OBJECT",
            row.section in code and (outside or row.type == "FUNC"),
        )
        # Global names before local ones at the same address.
        found.append((0 if outside else 1, symbol))
    found.sort(key=lambda item: item[0])
    ranges = list(code.values())
    named = (symbol for _, symbol in found)
    # What the linker took from objects brings its lines in its own tables.
    lines = list(image.lines)
    if any(output.name == ".debug_line" for output in image.outputs):
        known = {address for address, _, _ in lines}
        lines += [row for row in elf_lines(image.to_elf()) if row[0] not in known]
    return Symbols(named, lines, end, ranges, lambda: image.sources)
