"""The listing: for every source line its address and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toyvm.isa.disasm import disasm

if TYPE_CHECKING:
    from .image import Image, Row

_BYTES_SHOWN = 8
_INSTRUCTIONS_SHOWN = 64


def listing(image: Image) -> str:
    """Address, bytes, line number and text; the lines of expansions are marked with ``+``.

    A line that stands for other instructions than it names (``li``, ``la``, ``call``, ``ret``) is
    followed by each of them, marked with ``=``, with its word.
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
        if row.code:
            out += _instructions(row, data)
    return out


def _instructions(row: Row, data: bytes) -> list[str]:
    """The instructions that a line stands for, where it does not name them itself."""
    words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data) - 3, 4)]
    several = len(words) > 1
    texts = [disasm(w, row.addr + 4 * i, pseudo=several) for i, w in enumerate(words)]
    if not several and texts:
        # The mnemonic may have a label before it; atomics carry their order as suffixes.
        name = texts[0].split(" ", 1)[0]
        if name in row.text.replace(":", " ").split() or name.startswith(".word"):
            return []
    return [
        f"{row.addr + 4 * i:08x} {words[i]:08x}{'':8} {'=':>5}    {text}"
        for i, text in enumerate(texts[:_INSTRUCTIONS_SHOWN])
    ]


def _content(image: Image, addr: int, size: int) -> bytes:
    for segment in image.segments:
        if segment.addr <= addr < segment.addr + len(segment.data):
            start = addr - segment.addr
            return segment.data[start : start + size]
    return b""
