"""Reading line tables (.debug_line of DWARF 2 to 5) that any compiler or assembler wrote.

A broken table gives the rows up to the mistake; nothing in it can cost more than its own size
allows.  Source: DWARF 5, section 6.2.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from .source import decode

_ROWS_MAX = 4_000_000
_FILES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class LineEntry:
    """Code from ``address`` on comes from this line; ``end`` marks the end of a sequence."""

    address: int
    file: str
    line: int
    is_stmt: bool
    end: bool = False


class Broken(Exception):
    """The data ends too early, or says something impossible."""


class Cursor:
    """Reads numbers and strings; Broken at the end."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count < 0 or self.at + count > self.end:
            raise Broken
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        """The next number of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def uleb(self) -> int:
        """The next unsigned number of variable length."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 70:
                raise Broken

    def sleb(self) -> int:
        """The next signed number of variable length."""
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def string(self) -> str:
        """The next string."""
        stop = self.data.find(b"\0", self.at, self.end)
        if stop < 0:
            raise Broken
        text = self.data[self.at : stop]
        self.at = stop + 1
        return decode(text)


def read_lines(
    table: bytes,
    strings: bytes = b"",
    line_strings: bytes = b"",
    directory_of: Callable[[int], str] = lambda offset: "",
) -> list[LineEntry]:
    """The rows of all units in the order of the table.

    ``strings`` and ``line_strings`` are .debug_str and .debug_line_str.  ``directory_of`` gives
    the directory of the compilation whose table begins at an offset; relative names of files
    are joined to it if it is known.
    """
    rows: list[LineEntry] = []
    at = 0
    while at + 4 < len(table) and len(rows) < _ROWS_MAX:
        length = int.from_bytes(table[at : at + 4], "little")
        end = at + 4 + length
        if length >= 0xFFFF_FFF0 or end > len(table) or length < 10:
            break
        with suppress(Broken):
            _unit(Cursor(table, at + 4, end), rows, strings, line_strings, directory_of(at))
        at = end
    return rows


def _unit(
    c: Cursor, rows: list[LineEntry], strings: bytes, line_strings: bytes, directory: str
) -> None:
    version = c.number(2)
    if not 2 <= version <= 5:
        raise Broken
    if version == 5:
        c.take(2)
    program = c.number(4)
    program += c.at
    minimum = c.number(1)
    if version >= 4:
        c.take(1)
    default_stmt = bool(c.number(1))
    base = int.from_bytes(c.take(1), "little", signed=True)
    width, opcodes = c.number(1), c.number(1)
    lengths = c.take(max(opcodes - 1, 0))
    if width == 0:
        raise Broken
    if version == 5:
        files = _files_v5(c, strings, line_strings)
    else:
        files = _files(c)
    names = [_joined(directory, d, n) for d, n in files]
    c.at = program
    _program(c, rows, names, minimum, default_stmt, base, width, lengths)


def _files(c: Cursor) -> list[tuple[str, str]]:
    """(directory, name) by number; number 0 repeats the first, as nobody uses it."""
    directories = [""]
    while text := c.string():
        directories.append(text)
    files: list[tuple[str, str]] = []
    while text := c.string():
        index = c.uleb()
        c.uleb()
        c.uleb()
        files.append((directories[index] if index < len(directories) else "", text))
        if len(files) > _FILES_MAX:
            raise Broken
    return files[:1] + files


def _files_v5(c: Cursor, strings: bytes, line_strings: bytes) -> list[tuple[str, str]]:
    directories = [str(e.get(1, "")) for e in _entries(c, strings, line_strings)]
    files = []
    for entry in _entries(c, strings, line_strings):
        index = entry.get(2, 0)
        known = isinstance(index, int) and index < len(directories)
        directory = directories[index] if known and isinstance(index, int) else ""
        files.append((directory, str(entry.get(1, ""))))
    if directories:
        # The first directory is that of the compilation.
        files = [(_joined(directories[0], d, "").rstrip("/"), n) for d, n in files]
    return files


def _entries(c: Cursor, strings: bytes, line_strings: bytes) -> list[dict[int, str | int]]:
    formats = [(c.uleb(), c.uleb()) for _ in range(c.number(1))]
    count = c.uleb()
    if count > _FILES_MAX or (count and not formats):
        raise Broken
    return [{kind: read_form(c, form, strings, line_strings) for kind, form in formats}
            for _ in range(count)]  # fmt: skip


def read_form(c: Cursor, form: int, strings: bytes, line_strings: bytes) -> str | int:
    """The next value of a form (DWARF 5, section 7.5.6)."""
    if form == 0x08:
        return c.string()
    if form in (0x0E, 0x1F):
        pool = strings if form == 0x0E else line_strings
        at = c.number(4)
        return Cursor(pool, at, len(pool)).string() if at < len(pool) else ""
    if form == 0x0F:
        return c.uleb()
    sizes = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
    if form in sizes:
        return c.number(sizes[form])
    if form == 0x09:
        c.take(c.uleb())
        return ""
    raise Broken


def _joined(directory: str, middle: str, name: str) -> str:
    for part in (middle, directory):
        if part and not name.startswith("/"):
            name = f"{part}/{name}"
    return name


def _program(
    c: Cursor, rows: list[LineEntry], names: list[str], minimum: int, default_stmt: bool,
    base: int, width: int, lengths: bytes,
) -> None:  # fmt: skip
    address, file, line, stmt = 0, 1, 1, default_stmt
    first_special = len(lengths) + 1

    def emit(end: bool = False) -> None:
        if len(rows) >= _ROWS_MAX:
            raise Broken
        name = names[file] if 0 <= file < len(names) else ""
        rows.append(LineEntry(address & 0xFFFF_FFFF, name, line, stmt, end))

    while c.at < c.end:
        opcode = c.number(1)
        if opcode >= first_special:
            step = opcode - first_special
            address += minimum * (step // width)
            line += base + step % width
            emit()
        elif opcode == 0:
            length = c.uleb()
            stop = c.at + length
            what = c.number(1) if length else 0
            if what == 1:
                emit(True)
                address, file, line, stmt = 0, 1, 1, default_stmt
            elif what == 2:
                address = c.number(length - 1)
            if stop > c.end:
                raise Broken
            c.at = stop
        elif opcode == 1:
            emit()
        elif opcode == 2:
            address += minimum * c.uleb()
        elif opcode == 3:
            line += c.sleb()
        elif opcode == 4:
            file = c.uleb()
        elif opcode == 6:
            stmt = not stmt
        elif opcode == 8:
            address += minimum * ((255 - first_special) // width)
        elif opcode == 9:
            address += c.number(2)
        else:
            for _ in range(lengths[opcode - 1]):
                c.uleb()
        line = max(-(1 << 40), min(line, 1 << 40))
        address &= (1 << 64) - 1
