"""`toyvm disasm`: instructions of an ELF file or a flat binary."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .errors import OK


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="disasm",
        help="Disassemble an image: addresses, words, instructions, symbols.",
        epilog="Example: toyvm disasm kernel.elf --no-pseudo",
    )(disasm)


def disasm(
    file: Annotated[
        str,
        typer.Argument(help="ELF file, flat binary, .s source or the name of a shipped guest."),
    ],
    pseudo: Annotated[
        bool, typer.Option("--pseudo/--no-pseudo", help="Show pseudo-instructions such as li.")
    ] = True,
    base: Annotated[
        str, typer.Option(help="Address of a flat binary's first byte.")
    ] = "0x80000000",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Print every word of the executable sections."""
    from .images import code_of, open_image, parse_address
    from .output import print_json

    image = open_image(file)
    sections = code_of(image, parse_address(base, "--base"))
    rows: list[dict[str, Any]] = []
    for name, address, data in sections:
        rows += _lines(name, address, data, image, pseudo)
    if json_:
        print_json({"image": image.name, "instructions": rows})
        return OK
    _print(image.name, rows)
    return OK


def _lines(
    section: str, address: int, data: bytes, image: Any, pseudo: bool
) -> list[dict[str, Any]]:
    from toyvm.isa.disasm import disasm as text_of

    symbols = image.symbols
    starts = {symbol.address: symbol.name for symbol in symbols.in_order()}

    def name_of(where: int) -> str | None:
        symbol = symbols.covering(where)
        if symbol is None:
            return None
        offset = where - symbol.address
        return f"{symbol.name}+{offset:#x}" if offset else symbol.name

    rows = []
    for offset in range(0, len(data) - len(data) % 4, 4):
        word = int.from_bytes(data[offset : offset + 4], "little")
        where = address + offset
        rows.append(
            {
                "section": section,
                "address": where,
                "symbol": starts.get(where, ""),
                "word": word,
                "text": text_of(word, where, name_of, pseudo),
            }
        )
    rest = data[len(data) - len(data) % 4 :]
    for index, byte in enumerate(rest):
        where = address + len(data) - len(rest) + index
        rows.append(
            {
                "section": section,
                "address": where,
                "symbol": starts.get(where, ""),
                "word": byte,
                "text": f".byte {byte:#04x}",
            }
        )
    return rows


def _print(name: str, rows: list[dict[str, Any]]) -> None:
    out = [f"{name}:\n"]
    section = None
    for row in rows:
        if row["section"] != section:
            section = row["section"]
            out.append(f"\nsection {section}:\n")
        if row["symbol"]:
            out.append(f"\n{row['address']:08x} <{row['symbol']}>:\n")
        width = 2 if row["text"].startswith(".byte") else 8
        mnemonic, _, operands = row["text"].partition(" ")
        text = f"{mnemonic:<8} {operands}".rstrip()
        out.append(f"{row['address']:8x}:  {row['word']:0{width}x}{' ' * (10 - width)}{text}\n")
    sys.stdout.write("".join(out))
