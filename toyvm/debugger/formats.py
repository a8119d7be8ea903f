"""The /FMT of `x` and `print`: count, letter and size, as in gdb.

letters  x hex   d signed   u unsigned   o octal   t binary   c character   a address
         i instruction   s string
sizes    b 1 byte   h 2 bytes   w 4 bytes
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .errors import DebugError
from .symbols import Symbols
from .target import MASK32

LETTERS = "xduotcais"
SIZES = {"b": 1, "h": 2, "w": 4}
_FORMAT = re.compile(r"(?P<count>[0-9]*)(?P<letters>[a-zA-Z]*)")
MAX_COUNT = 4096


@dataclass(frozen=True)
class Format:
    """How many items, shown how, of what size in bytes (0: the letter's own size)."""

    count: int = 1
    letter: str = "x"
    size: int = 4


def parse_format(text: str, previous: Format) -> Format:
    """Read what stands after the slash; what is left out comes from `previous`."""
    match = _FORMAT.fullmatch(text.strip())
    if match is None:
        raise DebugError(f'Invalid format "/{text}": expected count, letter, size, such as /4xw')
    result = replace(previous, count=1)
    if match["count"]:
        count = int(match["count"])
        if not 1 <= count <= MAX_COUNT:
            raise DebugError(f"Count {count}: expected 1 to {MAX_COUNT}")
        result = replace(result, count=count)
    for letter in match["letters"]:
        if letter in SIZES:
            result = replace(result, size=SIZES[letter])
        elif letter in LETTERS:
            result = replace(result, letter=letter)
        elif letter == "g":
            raise DebugError('Size "g" (8 bytes): expected b, h or w on a 32-bit machine')
        else:
            raise DebugError(
                f'Undefined output format "{letter}": expected one of {", ".join(LETTERS)} '
                "and a size b, h or w"
            )
    if "c" in match["letters"] and not set(match["letters"]) & set(SIZES):
        result = replace(result, size=1)
    if result.letter in "ia":
        result = replace(result, size=4)
    return result


_SPECIAL = {0: "\\0", 7: "\\a", 9: "\\t", 10: "\\n", 13: "\\r", 27: "\\e", 92: "\\\\"}


def character(code: int, quote: str) -> str:
    """One byte as it stands in a C literal between `quote` characters."""
    if code in _SPECIAL:
        return _SPECIAL[code]
    if chr(code) == quote:
        return "\\" + quote
    return chr(code) if 32 <= code < 127 else f"\\{code:03o}"


def quoted(data: bytes) -> str:
    """Bytes as a C string literal."""
    return '"' + "".join(character(byte, '"') for byte in data) + '"'


def show(value: int, form: Format, symbols: Symbols) -> str:
    """One value of `form.size` bytes as text."""
    bits = form.size * 8
    value &= (1 << bits) - 1
    signed = value - (1 << bits) if value >> (bits - 1) else value
    letter = form.letter
    if letter == "x":
        return f"0x{value:0{form.size * 2}x}"
    if letter == "d":
        return str(signed)
    if letter == "u":
        return str(value)
    if letter == "o":
        return f"0{value:o}"
    if letter == "t":
        return f"{value:0{bits}b}"
    if letter == "c":
        code = value & 255
        return f"{code - 256 if code > 127 else code} '{character(code, chr(39))}'"
    if letter == "a":
        return with_symbol(value, symbols)
    raise DebugError(f'Format letter "{letter}" is meaningless here; try it with x')


def with_symbol(address: int, symbols: Symbols) -> str:
    """`0x80000010 <main+4>`, or the address alone."""
    name = symbols.describe(address & MASK32)
    return f"0x{address & MASK32:08x}" + (f" <{name}>" if name else "")
