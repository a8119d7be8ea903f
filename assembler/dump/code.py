"""Disassembly with symbols, data in code, relocations and source lines between.

The text is that of GNU objdump; what differs on purpose:

- ``addi`` is called ``addi`` (GNU objdump 2.40 writes ``add`` for it, and likewise ``and``,
  ``or``, ``xor``, ``sll``, ``srl``, ``sra``, ``slt``, ``sltu``, ``csrw``, ``csrs`` and ``csrc``
  with a number);
- an address outside of all sections is shown without a name (there: the nearest symbol, however
  far away, and absolute symbols, whatever they mean).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from toyvm.isa.decode import Decoded, decode
from toyvm.isa.disasm import disasm
from toyvm.isa.op import Op

from ..elfdefs import relocation_name
from ..lineread import LineEntry
from ..sections import SHT_NOBITS
from .view import View, ViewSection, ViewSymbol

_LOADS = frozenset([Op.LB, Op.LH, Op.LW, Op.LBU, Op.LHU])
_STORES = frozenset([Op.SB, Op.SH, Op.SW])
_SHIFTS = frozenset([Op.SLLI, Op.SRLI, Op.SRAI])
_TARGET = re.compile(r"0x([0-9a-f]+)(?: <.*>)?$")
_JUMPS = frozenset([Op.JAL, Op.BEQ, Op.BNE, Op.BLT, Op.BGE, Op.BLTU, Op.BGEU])


@dataclass(frozen=True)
class CodeLine:
    """One line of the listing: an instruction, data, or (with ``skipped``) zeros left out."""

    section: str
    address: int
    size: int
    word: int
    text: str
    note: str = ""
    skipped: bool = False


class Names:
    """The symbols of a section (or of a whole program) by address."""

    def __init__(self, view: View, section: ViewSection | None) -> None:
        best: dict[int, tuple[tuple[object, ...], str]] = {}
        inside = {s.index for s in view.sections if s.loaded or s.code}
        for order, s in enumerate(view.symbols):
            if not _is_label(s) or isinstance(s.section, str):
                continue
            if section is not None and view.relocatable and s.section != section.index:
                continue
            if s.section not in inside:
                continue
            key = (*_rank(s), order)
            if s.value not in best or key < best[s.value][0]:
                best[s.value] = key, printable(s.name)
        self.ranges = [
            (s.address, s.address + s.size)
            for s in ([section] if section is not None and view.relocatable else view.sections)
            if s.loaded or s.code
        ]
        self.addresses = sorted(best)
        self.names = [best[a][1] for a in self.addresses]

    def label(self, address: int) -> str:
        """The symbol at exactly this address, or ""."""
        i = bisect_right(self.addresses, address) - 1
        return self.names[i] if i >= 0 and self.addresses[i] == address else ""

    def describe(self, address: int) -> str:
        """`<name+0x4>`; "" for an address that lies in no section."""
        if not self.addresses or not any(low <= address <= high for low, high in self.ranges):
            return ""
        i = max(bisect_right(self.addresses, address) - 1, 0)
        offset = address - self.addresses[i]
        if offset == 0:
            return f"<{self.names[i]}>"
        return f"<{self.names[i]}{'+' if offset > 0 else '-'}{abs(offset):#x}>"

    def following(self, address: int) -> int | None:
        """The next address behind this one that has a symbol."""
        i = bisect_right(self.addresses, address)
        return self.addresses[i] if i < len(self.addresses) else None


def _is_label(s: ViewSymbol) -> bool:
    if s.name == ".L0 ":
        # A place that an assembler needed, without a name in the source.
        return False
    return bool(s.name) and s.type not in ("SECTION", "FILE") and not s.name.startswith("$")


def _rank(s: ViewSymbol) -> tuple[object, ...]:
    """Which of several symbols at one address is shown: as GNU objdump chooses."""
    return (
        s.type != "FUNC",
        s.type != "OBJECT",
        -s.size,
        s.binding != "GLOBAL",
        s.name.startswith("."),
        s.name,
    )


def marks(view: View, section: ViewSection) -> tuple[list[int], list[bool]]:
    """Where code (True) and data begin, by the mapping symbols of a section."""
    found = {
        s.value: s.name[1] == "x"
        for s in view.symbols
        if s.section == section.index and s.name[:2] in ("$x", "$d")
    }
    places = sorted(found)
    return places, [found[p] for p in places]


class Disassembler:
    """Goes through one section."""

    def __init__(self, view: View, section: ViewSection, aliases: bool = True) -> None:
        self.view = view
        self.section = section
        self.aliases = aliases
        self.names = Names(view, section)
        self.places, self.kinds = marks(view, section)
        self.high: dict[int, int] = {}
        pointer = next((s.value for s in view.symbols if s.name == "__global_pointer$"), None)
        self.pointer = pointer

    def lines(self) -> Iterator[CodeLine]:
        """Every instruction and datum."""
        section = self.section
        at, end = 0, len(section.data)
        while at < end:
            address = section.address + at
            border = self.names.following(address)
            stop = end if border is None else min(end, border - section.address)
            zeros = self._zeros(at, stop)
            if zeros:
                yield CodeLine(section.name, address, zeros, 0, "...", skipped=True)
                at += zeros
                continue
            line = self._line(at, end)
            yield line
            at += line.size

    def _zeros(self, at: int, stop: int) -> int:
        """How many zero bytes are left out here."""
        data = self.section.data
        z = at
        while z < stop and not data[z]:
            z += 1
        if z - at >= 8 or (z == stop and 0 < z - at < 3):
            return z - at if z == stop else (z - at) & ~3
        return 0

    def _line(self, at: int, end: int) -> CodeLine:
        section = self.section
        address = section.address + at
        i = bisect_right(self.places, address) - 1
        is_code = self.kinds[i] if i >= 0 else section.code
        nearest = self.places[i + 1] - section.address if i + 1 < len(self.places) else end
        pair = section.data[at : at + 2]
        if is_code and len(pair) == 2 and pair[0] & 3 != 3 and any(pair):
            # The length of an instruction stands in its low bits; this one would have 2 bytes.
            value = int.from_bytes(section.data[at : at + 2], "little")
            return CodeLine(section.name, address, 2, value, f".2byte\t{value:#x}")
        if is_code and end - at >= 4:
            word = int.from_bytes(section.data[at : at + 4], "little")
            text, note = self._instruction(word, address)
            return CodeLine(section.name, address, 4, word, text, note)
        size = 4
        while size > 1 and (at + size > min(end, nearest) or address % size):
            size //= 2
        value = int.from_bytes(section.data[at : at + size], "little")
        name = {4: ".word", 2: ".2byte", 1: ".byte"}[size]
        digits = 2 * size + 2 if size != 2 else 0
        return CodeLine(section.name, address, size, value, f"{name}\t{value:#0{digits}x}")

    def _instruction(self, word: int, address: int) -> tuple[str, str]:
        """(mnemonic and operands, the note behind them)."""
        text = disasm(word, address, None, self.aliases)
        mnemonic, _, operands = text.partition(" ")
        decoded = decode(word)
        note = ""
        operands = operands.replace(", ", ",")
        if decoded is None:
            return f"{mnemonic}\t{operands}", ""
        if decoded.op in _JUMPS:
            found = _TARGET.search(operands)
            if found is not None:
                target = int(found[1], 16)
                shown = f"{target:x} {self.names.describe(target)}".rstrip()
                operands = operands[: found.start()] + shown
        if decoded.op in _SHIFTS:
            # GNU objdump shows shift amounts as hexadecimal numbers.
            operands = re.sub(r"[0-9]+$", lambda m: hex(int(m[0])), operands)
        hint = self._address(decoded, address)
        if hint is not None:
            note = f" # {hint:x} {self.names.describe(hint)}".rstrip()
        return (f"{mnemonic}\t{operands}" if operands else mnemonic), note

    def _address(self, decoded: Decoded, address: int) -> int | None:
        """The address that an instruction completes, as a pair with lui or auipc before it."""
        op = decoded.op
        if op in (Op.LUI, Op.AUIPC):
            base = address if op == Op.AUIPC else 0
            self.high[decoded.rd] = (base + (decoded.imm << 12)) & 0xFFFF_FFFF
            return None
        if op not in _LOADS and op not in _STORES and op not in (Op.ADDI, Op.JALR):
            return None
        register, offset = decoded.rs1, decoded.imm
        if op == Op.ADDI and (register == 0 or (offset == 0 and self.aliases)):
            return None
        if op == Op.JALR and decoded.word == _RET and self.aliases:
            return None
        if register in self.high:
            # The zero register has no upper part, whatever was loaded into it.
            base = self.high.pop(register) if register else 0
            return (base + offset) & 0xFFFF_FFFF
        if register == 3 and self.pointer is not None:
            return (self.pointer + offset) & 0xFFFF_FFFF
        return offset & 0xFFFF_FFFF if register in (0, 4) else None


_RET = 0x0000_8067


class SourceLines:
    """What stands in front of an instruction with -l and -S."""

    def __init__(
        self, rows: list[LineEntry], names: bool, source: bool, read: Callable[[str], list[str]]
    ) -> None:
        self.rows = sorted((r for r in rows), key=lambda r: (r.address, not r.end))
        self.addresses = [r.address for r in self.rows]
        self.names = names
        self.source = source
        self.read = read
        self.last: tuple[str, int] = ("", 0)
        self.shown: dict[str, int] = {}

    def before(self, address: int) -> list[str]:
        """The lines to print before the instruction at ``address``."""
        i = bisect_right(self.addresses, address) - 1
        if i < 0 or self.rows[i].end:
            return []
        row = self.rows[i]
        here = (row.file, row.line)
        if here == self.last or row.line <= 0:
            return []
        out: list[str] = []
        if self.names:
            out.append(f"{row.file}:{row.line}")
        if self.source:
            text = self.read(row.file)
            start = row.line - 1
            previous = self.shown.get(row.file, 0)
            if previous < row.line and row.line - previous <= 5 + 1 and previous:
                start = previous
            elif previous == 0:
                start = max(0, row.line - 5)
            out += text[start : row.line]
            self.shown[row.file] = max(previous, row.line)
        self.last = here
        return out


def code_sections(view: View, wanted: list[str]) -> list[ViewSection]:
    """The sections to disassemble: those with code, or the ones that were asked for."""
    if wanted:
        return [s for s in view.sections if s.name in wanted]
    return [s for s in view.sections if s.code and s.type != SHT_NOBITS and s.data]


def disassembly(
    view: View,
    wanted: list[str],
    aliases: bool = True,
    relocations: bool = False,
    lines: Callable[[ViewSection], SourceLines] | None = None,
) -> Iterator[str]:
    """The text, line by line."""
    for section in code_sections(view, wanted):
        yield ""
        yield f"Disassembly of section {section.name}:"
        dis = Disassembler(view, section, aliases)
        width = 8 if section.address + section.size > 0xFFFF else 4
        pending = sorted(section.relocations, key=lambda r: r.offset) if relocations else []
        number = 0
        source = lines(section) if lines is not None else None
        for line in dis.lines():
            label = dis.names.label(line.address)
            if label or line.address == section.address:
                yield ""
                yield f"{line.address:08x} <{label or section.name}>:"
            if source is not None:
                yield from source.before(line.address)
            if line.skipped:
                yield "\t..."
            else:
                shown = f"{line.word:0{2 * line.size}x}"
                yield f"{line.address:{width}x}:\t{shown:<18}\t{line.text}{line.note}"
            end = line.address + line.size - section.address
            while number < len(pending) and pending[number].offset < end:
                r = pending[number]
                number += 1
                value = relocation_value(view, r.symbol, r.addend)
                place = section.address + r.offset
                yield f"\t\t\t{place:x}: {relocation_name(r.type)}\t{value}"


def relocation_value(view: View, symbol: int, addend: int, digits: int = 0) -> str:
    """`name+0x4`, as relocations are shown."""
    name = "*ABS*"
    if 0 < symbol < len(view.symbols):
        name = view.symbols[symbol].name or "*ABS*"
    if not addend:
        return printable(name)
    sign = "+" if addend > 0 else "-"
    return f"{printable(name)}{sign}{abs(addend):#0{digits + 2 if digits else 0}x}"


def printable(name: str) -> str:
    """Control characters as ^B and so on."""
    return "".join(c if c >= " " else "^" + chr(ord(c) + 64) for c in name)
