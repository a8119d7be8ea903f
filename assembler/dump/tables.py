"""Headers, symbols, relocations and contents as text, in GNU objdump's form."""

from __future__ import annotations

from collections.abc import Iterator

from ..elfdefs import relocation_name
from ..sections import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
)
from .code import printable, relocation_value
from .view import View, ViewSection, ViewSymbol


def section_flags(section: ViewSection, relocatable: bool) -> list[str]:
    """CONTENTS, ALLOC, LOAD and so on."""
    out = []
    stored = section.type != SHT_NOBITS
    loaded = bool(section.flags & SHF_ALLOC)
    if stored:
        out.append("CONTENTS")
    if loaded:
        out.append("ALLOC")
        if stored:
            out.append("LOAD")
    if relocatable and section.relocations:
        out.append("RELOC")
    if stored or loaded:
        if not section.flags & SHF_WRITE:
            out.append("READONLY")
        if section.flags & SHF_EXECINSTR:
            out.append("CODE")
        elif loaded and stored:
            out.append("DATA")
    if not loaded and section.name.startswith((".debug", ".stab", ".line")):
        out.append("DEBUGGING")
        out.append("OCTETS")
    return out


def headers(view: View) -> Iterator[str]:
    """-h"""
    yield "Sections:"
    yield "Idx Name          Size      VMA       LMA       File off  Algn"
    for number, s in enumerate(view.sections):
        power = s.align.bit_length() - 1
        yield (
            f"{number:3} {s.name:<13} {s.size:08x}  {s.address:08x}  {s.load:08x}  "
            f"{s.offset:08x}  2**{power}"
        )
        yield " " * 18 + ", ".join(section_flags(s, view.relocatable))


def symbol_flags(s: ViewSymbol) -> str:
    """The seven letters of a symbol."""
    undefined = s.section in ("*UND*", "*COM*")
    if s.binding == "LOCAL":
        scope = "l"
    elif s.binding == "GLOBAL":
        scope = " " if undefined else "g"
    else:
        scope = " "
    weak = "w" if s.binding == "WEAK" else " "
    debugging = "d" if s.type in ("SECTION", "FILE") else " "
    kind = {"FUNC": "F", "FILE": "f", "OBJECT": "O"}.get(s.type, " ")
    return f"{scope}{weak}   {debugging}{kind}"


def symbols(view: View) -> Iterator[str]:
    """-t; the marks of code and data are left out, as GNU objdump leaves them out."""
    yield "SYMBOL TABLE:"
    for s in view.symbols[1:]:
        if s.name.startswith(("$x", "$d")) or (s.binding == "LOCAL" and s.name.startswith(".L")):
            continue
        value, size = s.value, s.size
        if s.section == "*COM*":
            value, size = s.size, s.value
        hidden = "" if s.visibility == "DEFAULT" else f".{s.visibility.lower()} "
        yield (
            f"{value:08x} {symbol_flags(s)} {view.where(s)}\t{size:08x} {hidden}{printable(s.name)}"
        )


def relocations(view: View, wanted: list[str]) -> Iterator[str]:
    """-r"""
    for section in view.sections:
        if not section.relocations or (wanted and section.name not in wanted):
            continue
        yield f"RELOCATION RECORDS FOR [{section.name}]:"
        yield "OFFSET   TYPE              VALUE"
        for r in section.relocations:
            value = relocation_value(view, r.symbol, r.addend, 8)
            yield f"{r.offset:08x} {relocation_name(r.type):<16}  {value}"
        yield ""
        yield ""


def contents(view: View, wanted: list[str]) -> Iterator[str]:
    """-s"""
    for section in view.sections:
        if not section.data or (wanted and section.name not in wanted):
            continue
        yield f"Contents of section {section.name}:"
        end = section.address + len(section.data)
        width = max(4, len(f"{end:x}"))
        for at in range(0, len(section.data), 16):
            row = section.data[at : at + 16]
            groups = " ".join(row[i : i + 4].hex() for i in range(0, len(row), 4))
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
            yield f" {section.address + at:0{width}x} {groups:<35}  {text}"
