"""The listing: for every source line its address and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toyvm.isa.disasm import disasm

if TYPE_CHECKING:
    from .image import Image, Row

_BYTES_SHOWN = 8


def listing(image: Image) -> str:
    """Address, bytes, line number and text; the lines of expansions are marked with ``+``.

    A line that gives several instructions (``li``, ``la``, ``call``, a macro) shows each of
    them disassembled.
    """
    rows: dict[tuple[str, int], list[Row]] = {}
    for row in image.rows:
        rows.setdefault((row.file, row.line), []).append(row)
    out: list[str] = []
    for file, text in image.sources.items():
        out.append(f"# {file}")
        for number, line in enumerate(text.split("\n"), 1):
            out += _line(image, number, line, rows.get((file, number), []))
    return "\n".join(out).rstrip() + "\n"


def _line(image: Image, number: int, text: str, rows: list[Row]) -> list[str]:
    if not rows:
        return [f"{'':8} {'':16} {number:5}  {text}".rstrip()]
    out: list[str] = []
    for i, row in enumerate(rows):
        data = _content(image, row.addr, row.size)
        shown = data[:_BYTES_SHOWN].hex() + ("…" if len(data) > _BYTES_SHOWN else "")
        if i == 0:
            out.append(f"{row.addr:08x} {shown:16} {number:5}  {text}".rstrip())
        if row.depth > 1:
            out.append(f"{row.addr:08x} {shown:16} {'+':>5}  {row.text.strip()}")
        elif i > 0:
            out.append(f"{row.addr:08x} {shown:16} {'':5}")
        if row.size == 8 and not row.text.strip().startswith("."):
            for at in (0, 4):
                word = int.from_bytes(data[at : at + 4], "little")
                out.append(f"{row.addr + at:08x} {'':16} {'=':>5}    {disasm(word, row.addr + at)}")
    return out


def _content(image: Image, addr: int, size: int) -> bytes:
    for segment in image.segments:
        if segment.addr <= addr < segment.addr + len(segment.data):
            start = addr - segment.addr
            return segment.data[start : start + size]
    return b""
