"""The line table of a file that is looked at; in an object its relocations are done first."""

from __future__ import annotations

from ..elfdefs import R_32, R_ADD8, R_ADD64, R_SET8, R_SET32, R_SUB8, R_SUB64
from ..lineread import Broken, Cursor, LineEntry, read_form, read_lines
from .view import View, ViewSection

_SPREAD = 1 << 24


def line_rows(view: View) -> dict[int, list[LineEntry]]:
    """The rows of every section with code, by the section's index."""
    table = view.section_named(".debug_line")
    if table is None:
        return {}
    code = [s for s in view.sections if s.code]
    strings = _content(view, ".debug_str")
    line_strings = _content(view, ".debug_line_str")
    if not view.relocatable:
        rows = read_lines(table.data, strings, line_strings, directories(view).get)
        return {s.index: rows for s in code}
    # All sections of an object begin at 0: spread them out, so that rows tell them apart.
    bases = {s.index: n * _SPREAD for n, s in enumerate(code) if n < 250}
    data = relocated(view, table, bases)
    rows = read_lines(data, strings, line_strings, directories(view).get)
    out: dict[int, list[LineEntry]] = {index: [] for index in bases}
    owner = {base // _SPREAD: index for index, base in bases.items()}
    for row in rows:
        index = owner.get(row.address // _SPREAD)
        if index is not None:
            here = row.address - bases[index]
            out[index].append(LineEntry(here, row.file, row.line, row.is_stmt, row.end))
    return out


def _content(view: View, name: str) -> bytes:
    section = view.section_named(name)
    return section.data if section is not None else b""


def relocated(view: View, section: ViewSection, bases: dict[int, int]) -> bytes:
    """The content of a debugging section with its relocations applied."""
    data = bytearray(section.data)
    for r in section.relocations:
        value = r.addend
        if 0 < r.symbol < len(view.symbols):
            symbol = view.symbols[r.symbol]
            if isinstance(symbol.section, int):
                value += symbol.value + bases.get(symbol.section, 0)
        if r.type == R_32:
            size, sign = 4, 0
        elif R_ADD8 <= r.type <= R_ADD64:
            size, sign = 1 << (r.type - R_ADD8), 1
        elif R_SUB8 <= r.type <= R_SUB64:
            size, sign = 1 << (r.type - R_SUB8), -1
        elif R_SET8 <= r.type <= R_SET32:
            size, sign = 1 << (r.type - R_SET8), 0
        else:
            continue
        old = int.from_bytes(data[r.offset : r.offset + size], "little")
        new = (old * abs(sign) + (value if sign >= 0 else -value)) & ((1 << 8 * size) - 1)
        if r.offset + size <= len(data):
            data[r.offset : r.offset + size] = new.to_bytes(size, "little")
    return bytes(data)


class _Directories(dict[int, str]):
    """A table that has no directory for tables it does not know."""

    def get(self, key: int, default: str = "") -> str:  # type: ignore[override]
        return super().get(key, default)


def directories(view: View) -> _Directories:
    """The directory of the compilation for the offset of each line table.

    Only units without children and of the forms that assemblers write are read; for others the
    line table (from DWARF 5 on) has the directory itself.
    """
    out = _Directories()
    info, abbrev = view.section_named(".debug_info"), view.section_named(".debug_abbrev")
    if info is None or abbrev is None:
        return out
    data = relocated(view, info, {}) if view.relocatable else info.data
    strings, line_strings = _content(view, ".debug_str"), _content(view, ".debug_line_str")
    at = 0
    while at + 11 <= len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        end = at + 4 + length
        if length < 8 or end > len(data):
            break
        found = _unit(data[at + 4 : end], abbrev.data, strings, line_strings)
        if found is not None:
            out[found[0]] = found[1]
        at = end
    return out


def _unit(
    unit: bytes, abbrev: bytes, strings: bytes, line_strings: bytes
) -> tuple[int, str] | None:
    """(offset of the line table, directory) of a unit."""
    c = Cursor(unit, 0, len(unit))
    try:
        version = c.number(2)
        if version == 5:
            c.take(2)
            table = c.number(4)
        else:
            table = c.number(4)
            c.take(1)
        code = c.uleb()
        a = Cursor(abbrev, table, len(abbrev))
        while (number := a.uleb()) != code:
            if number == 0:
                return None
            a.uleb()
            a.take(1)
            while a.uleb() | a.uleb():
                pass
        a.uleb()
        a.take(1)
        lines, directory = -1, ""
        while True:
            name, form = a.uleb(), a.uleb()
            if name == 0 and form == 0:
                break
            if form == 0x21:
                a.sleb()
                continue
            if form in (0x01, 0x17, 0x0C):
                value: str | int = c.number(1 if form == 0x0C else 4)
            elif form == 0x0D:
                value = c.sleb()
            elif form == 0x19:
                value = 1
            else:
                value = read_form(c, form, strings, line_strings)
            if name == 0x10 and isinstance(value, int):
                lines = value
            elif name == 0x1B:
                directory = str(value)
    except Broken:
        return None
    return (lines, directory) if lines >= 0 else None
