"""Line information for debuggers: .debug_line and the sections that lead to it.

What GNU as writes with -g: a line table of version 3 with one row wherever the line changes,
and a compilation unit of DWARF 2 without any types.  ``.loc`` makes the table of the source's
own lines instead, of version 5 if the source numbers a file 0.

Source: DWARF 2, 3 and 5, chapter "Line Number Information".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .debugdata import Builder, new_section, sleb, uleb
from .debuginfo import Location
from .sections import SHF_MERGE, SHF_STRINGS, Section, Steps
from .values import Rel

if TYPE_CHECKING:
    from .unit import Unit

PRODUCER = "toyvm as"
_LINE_BASE, _LINE_RANGE, _OPCODE_BASE = -5, 14, 13
_OPERANDS = bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])
# A fixed advance has two bytes; GNU as begins anew well below their limit.
_LARGEST_ADVANCE = 50_000
_COPY, _SET_FILE, _SET_COLUMN, _NEGATE = 1, 4, 5, 6
_ADVANCE_LINE, _BASIC_BLOCK, _FIXED_ADVANCE = 3, 7, 9
_PROLOGUE_END, _EPILOGUE_BEGIN, _SET_ISA = 10, 11, 12
# Set the address, which is patched.
_ADDRESS_LATER = b"\x00\x05\x02\x00\x00\x00\x00"
_LANGUAGE_ASSEMBLER = 0x8001
_FORM_STRING, _FORM_UDATA, _FORM_DATA16 = 0x08, 0x0F, 0x1E


Row: TypeAlias = tuple[int, int, int]
"""A row of the table of a source's own lines: offset in the code, file, line."""


class _Files:
    """The files of the table, numbered from 1 as they are used, with their directories."""

    def __init__(self) -> None:
        self.directories: list[str] = []
        self.names: list[tuple[str, int]] = []
        self.numbers: dict[str, int] = {}

    def number(self, path: str) -> int:
        known = self.numbers.get(path)
        if known is None:
            directory, slash, name = path.rpartition("/")
            index = self.directory(directory or slash) if slash else 0
            self.names.append((name, index))
            known = self.numbers[path] = len(self.names)
        return known

    def directory(self, text: str) -> int:
        """The number of a directory, 0 for the one of the compilation."""
        if not text:
            return 0
        if text not in self.directories:
            self.directories.append(text)
        return self.directories.index(text) + 1


def add_debug_sections(
    unit: Unit, directory: str, lines: bool = True, linked: bool = False
) -> None:
    """Write the line table of a unit into its sections.

    ``directory`` is where relative file names begin.  Without ``lines`` only the rows that
    ``.loc`` asked for are written.  A unit that is ``linked`` at once has its distances as
    numbers; an object leaves them to a linker, because linkers may shorten code.
    """
    own = bool(unit.debug.locations)
    files = _Files()
    located = _located(unit)
    tables: list[tuple[Section, list[Row]]] = []
    if own:
        pass
    elif lines and ".debug_line" not in unit.sections and not unit.debug.files:
        tables = _lines(unit, files)
    else:
        return
    if not tables and not own:
        return
    version = 5 if own and 0 in unit.debug.files else 3
    table = Builder(new_section(unit.sections, ".debug_line"))
    start = table.open_length()
    table.word(version, 2)
    if version == 5:
        table.add(4, 0)
    header = table.open_length()
    # Instructions are counted in bytes; from version 4 on there is also the size of a bundle.
    table.add(bytes([1, 1] if version > 3 else [1]), 1)
    table.add(_LINE_BASE & 0xFF, _LINE_RANGE, _OPCODE_BASE, _OPERANDS)
    if version == 5:
        _tables_v5(table, unit, directory)
    else:
        if own:
            _own_files(unit, files)
        for text in files.directories:
            table.text(text)
        table.add(0)
        for name, index in files.names:
            table.text(name)
            table.add(uleb(index), 0, 0)
        table.add(0)
    table.close_length(header)
    if own:
        for section, marked in located:
            _program(table, section, marked)
    for section, rows in tables:
        if linked and section.flags & SHF_MERGE:
            # Linking may move what the code consists of.
            _program(table, section, [Location(section, *row) for row in rows])
        else:
            _plain_program(table, section, rows, linked)
    table.close_length(start)
    if not own:
        _unit_sections(unit, [s for s, _ in tables], unit_name(files), directory)


def unit_name(files: _Files) -> str:
    """The name of the first file, as it was given."""
    return next(iter(files.numbers))


def _lines(unit: Unit, files: _Files) -> list[tuple[Section, list[Row]]]:
    """The rows of all instructions, by section."""
    tables = []
    for section in unit.sections.values():
        if not section.code or section.nobits or not section.row_offsets:
            continue
        data = frozenset(section.data_rows)
        rows: list[Row] = []
        name, file, line = "", 0, 0
        places = unit.positions.outermosts(section.row_places)
        for index, (offset, (path, number)) in enumerate(
            zip(section.row_offsets, places, strict=True)
        ):
            if (number != line or path != name) and index not in data:
                if path != name:
                    name, file = path, files.number(path)
                line = number
                rows.append((offset, file, line))
        if rows:
            tables.append((section, rows))
    return tables


def _located(unit: Unit) -> list[tuple[Section, list[Location]]]:
    """The rows that ``.loc`` asked for, by section."""
    found: dict[int, tuple[Section, list[Location]]] = {}
    for where in unit.debug.locations:
        found.setdefault(id(where.section), (where.section, []))[1].append(where)
    for _, rows in found.values():
        rows.sort(key=lambda r: r.offset)
    return list(found.values())


def _own_files(unit: Unit, files: _Files) -> None:
    """The files that ``.file`` numbered; numbers that were left out have no name."""
    known = unit.debug.files
    for number in range(1, max(known, default=0) + 1):
        entry = known.get(number)
        name, directory = (entry.name, entry.directory) if entry else ("", "")
        if not directory and "/" in name:
            directory, _, name = name.rpartition("/")
        files.names.append((name, files.directory(directory)))


def _tables_v5(table: Builder, unit: Unit, directory: str) -> None:
    """The directories and files of version 5, with their strings in place."""
    known = unit.debug.files
    first = known[0]
    directories = [first.directory or directory]
    entries: list[tuple[str, int, int]] = []
    for number in range(max(known) + 1):
        entry = known.get(number)
        name = entry.name if entry else ""
        where = entry.directory if entry else ""
        if where and where not in directories:
            directories.append(where)
        md5 = entry.md5 if entry else -1
        entries.append((name, directories.index(where) if where else 0, md5))
    table.add(1, 1, _FORM_STRING, uleb(len(directories)))
    for text in directories:
        table.text(text)
    hashed = all(md5 >= 0 for _, _, md5 in entries)
    table.add(3 if hashed else 2, 1, _FORM_STRING, 2, _FORM_UDATA)
    if hashed:
        table.add(5, _FORM_DATA16)
    table.add(uleb(len(entries)))
    for name, index, md5 in entries:
        table.text(name)
        table.add(uleb(index))
        if hashed:
            table.add(md5.to_bytes(16, "big"))


def _program(table: Builder, section: Section, rows: list[Location], end: bool = True) -> None:
    """The line number program of one section."""
    file, line, column, isa, is_stmt = 1, 1, 0, 0, True
    last: Rel | None = None
    for row in rows:
        if row.file != file:
            file = row.file
            table.add(_SET_FILE, uleb(file))
        if row.column != column:
            column = row.column
            table.add(_SET_COLUMN, uleb(column))
        if row.discriminator:
            body = uleb(row.discriminator)
            table.add(0, uleb(len(body) + 1), 4, body)
        if row.isa != isa:
            isa = row.isa
            table.add(_SET_ISA, uleb(isa))
        if row.is_stmt != is_stmt:
            is_stmt = row.is_stmt
            table.add(_NEGATE)
        for wanted, opcode in (
            (row.basic_block, _BASIC_BLOCK), (row.prologue_end, _PROLOGUE_END),
            (row.epilogue_begin, _EPILOGUE_BEGIN),
        ):  # fmt: skip
            if wanted:
                table.add(opcode)
        here = Rel(section, row.offset)
        delta = row.line - line
        line = row.line
        if last is None:
            _set_address(table, here)
            if delta == 0:
                table.add(_COPY)
            elif _LINE_BASE <= delta < _LINE_BASE + _LINE_RANGE:
                table.add(delta - _LINE_BASE + _OPCODE_BASE)
            else:
                table.add(_ADVANCE_LINE, sleb(delta), _COPY)
        else:
            table.add(_ADVANCE_LINE, sleb(delta))
            _advance(table, here, last)
            table.add(_COPY)
        last = here
    if end:
        assert last is not None
        _advance(table, Rel(section, section.size), last)
        table.add(0, 1, 1)


def _plain_program(table: Builder, section: Section, rows: list[Row], linked: bool) -> None:
    """The program of rows with files and lines alone: what ``_program`` gives.

    Distances are bytes at once if the unit is ``linked``, else steps for the linker.
    """
    _program(table, section, [Location(section, *rows[0])], end=False)
    out = bytearray()
    base = len(table)
    steps = Steps(section)
    at, file, line = rows[0]
    known: dict[tuple[int, int], bytes] = {}
    for offset, file_, number in rows[1:]:
        if file_ != file:
            file = file_
            out.append(_SET_FILE)
            out += uleb(file)
        distance, delta = offset - at, number - line
        line = number
        # What is left to the linker is zeros here.
        shown = distance if linked or distance > _LARGEST_ADVANCE else 0
        code = known.get((shown, delta))
        if code is None:
            code = bytes([_ADVANCE_LINE]) + sleb(delta)
            if distance > _LARGEST_ADVANCE:
                table.address_at(base + len(out) + len(code) + 3, Rel(section, offset))
                code += _ADDRESS_LATER + bytes([_COPY])
            else:
                code += bytes([_FIXED_ADVANCE]) + shown.to_bytes(2, "little") + bytes([_COPY])
                known[shown, delta] = code
        if not linked and shown == 0:
            steps.add(base + len(out) + len(code) - 3, at, offset)
        at = offset
        out += code
    size = section.size
    if size - at > _LARGEST_ADVANCE:
        table.address_at(base + len(out) + 3, Rel(section, size))
        out += _ADDRESS_LATER
    else:
        out.append(_FIXED_ADVANCE)
        if linked:
            out += (size - at).to_bytes(2, "little")
        else:
            steps.add(base + len(out), at, size)
            out += bytes(2)
    table.add(bytes(out), 0, 1, 1)
    if steps.at:
        table.section.steps.append(steps)


def _set_address(table: Builder, to: Rel) -> None:
    table.add(0, 5, 2)
    table.address(to)


def _advance(table: Builder, to: Rel, last: Rel) -> None:
    """Go on to an address of the same section."""
    if to.addend - last.addend > _LARGEST_ADVANCE:
        _set_address(table, to)
    else:
        table.add(_FIXED_ADVANCE)
        table.distance(to, last, 2)


def _unit_sections(unit: Unit, code: list[Section], name: str, directory: str) -> None:
    """The compilation unit: .debug_info, .debug_abbrev, .debug_aranges, .debug_str."""
    known = unit.sections
    ranges = len(code) > 1
    info = Builder(new_section(known, ".debug_info"))
    abbrev = Builder(new_section(known, ".debug_abbrev"))
    aranges = Builder(new_section(known, ".debug_aranges", align=8))
    strings = Builder(new_section(known, ".debug_str", SHF_MERGE | SHF_STRINGS, entsize=1))
    table = known[".debug_line"]
    spans = [(Rel(s, 0), Rel(s, s.size)) for s in code]

    start = info.open_length()
    info.word(2, 2)
    info.address(Rel(abbrev.section, 0))
    info.add(4, 1)
    info.address(Rel(table, 0))
    if ranges:
        listed = Builder(new_section(known, ".debug_ranges", align=8))
        info.address(Rel(listed.section, 0))
        # The base address of what follows is 0.
        listed.word(0xFFFF_FFFF)
        listed.word(0)
        for low, high in spans:
            listed.address(low)
            listed.address(high)
        listed.add(bytes(8))
    else:
        info.address(spans[0][0])
        info.address(spans[0][1])
    for text in (name, directory, PRODUCER):
        info.address(Rel(strings.section, len(strings)))
        strings.text(text)
    info.word(_LANGUAGE_ASSEMBLER, 2)
    info.close_length(start)

    # Compilation unit without children: stmt_list, addresses, name, comp_dir, producer, language.
    abbrev.add(1, 0x11, 0, 0x10, 0x06)
    abbrev.add(bytes([0x55, 0x06] if ranges else [0x11, 0x01, 0x12, 0x01]))
    abbrev.add(bytes([0x03, 0x0E, 0x1B, 0x0E, 0x25, 0x0E, 0x13, 0x05, 0, 0, 0]))

    start = aranges.open_length()
    aranges.word(2, 2)
    aranges.address(Rel(info.section, 0))
    aranges.add(4, 0, bytes(4))
    for low, high in spans:
        aranges.address(low)
        aranges.distance(high, low)
    aranges.add(bytes(8))
    aranges.close_length(start)
