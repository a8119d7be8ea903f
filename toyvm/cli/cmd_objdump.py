"""`toyvm objdump`: what object files, executables and archives hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import OK, fail

if TYPE_CHECKING:
    from assembler.dump.code import SourceLines
    from assembler.dump.view import View, ViewSection

_LARGEST_SOURCE = 16 << 20


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="objdump",
        help="Show what an executable, an object, an archive or a guest holds, as GNU objdump "
        "does; without options its disassembly.",
        epilog="Example: toyvm objdump -d -r main.o",
    )(objdump)


def objdump(
    file: Annotated[
        str, typer.Argument(help="ELF file (.elf, .o), archive (.a), .s source or a guest's name.")
    ],
    disassemble: Annotated[
        bool, typer.Option("-d", "--disassemble", help="Disassemble the code (the default).")
    ] = False,
    headers: Annotated[
        bool, typer.Option("-h", "--headers", help="The sections: sizes, addresses, flags.")
    ] = False,
    symbols: Annotated[bool, typer.Option("-t", "--syms", help="The symbol table.")] = False,
    relocations: Annotated[
        bool, typer.Option("-r", "--reloc", help="Relocations; with -d between the instructions.")
    ] = False,
    contents: Annotated[
        bool, typer.Option("-s", "--full-contents", help="The bytes of all sections.")
    ] = False,
    source: Annotated[
        bool, typer.Option("-S", "--source", help="Source lines between the instructions.")
    ] = False,
    line_numbers: Annotated[
        bool, typer.Option("-l", "--line-numbers", help="File and line between the instructions.")
    ] = False,
    section: Annotated[
        list[str] | None, typer.Option("-j", "--section", help="Only this one. May be repeated.")
    ] = None,
    machine: Annotated[
        list[str] | None,
        typer.Option("-M", help="no-aliases shows real instructions: addi, not li."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Print the parts that were asked for, of every file in an archive."""
    from assembler.dump import code, tables
    from assembler.dump.view import views
    from assembler.objread import ObjectError

    for word in machine or ():
        if word != "no-aliases":
            fail(f'-M "{word}": expected no-aliases')
    wanted = list(section or ())
    disassemble = disassemble or source or line_numbers
    if not (disassemble or headers or symbols or relocations or contents):
        disassemble = True
    name, data = _read(file)
    try:
        found = list(views(data, name))
    except ObjectError as error:
        fail(f"{name}: {error}")
    for view in found:
        names = {s.name for s in view.sections}
        for one in wanted:
            if one not in names:
                fail(f'{view.name} has no section "{one}"; it has {", ".join(sorted(names))}')
    aliases = not machine
    if json_:
        from .output import print_json

        print_json({"file": file, "members": [_as_data(v, wanted, aliases) for v in found]})
        return OK
    write = sys.stdout.write
    if data[:1] == b"!":
        write(f"In archive {name}:\n")
    for view in found:
        write(f"\n{view.name}:     file format elf32-littleriscv\n\n")
        parts: list[Iterator[str]] = []
        if headers:
            parts.append(tables.headers(view))
        if symbols:
            parts.append(iter([*tables.symbols(view), "", ""]))
        if relocations and not disassemble:
            parts.append(iter(["", *tables.relocations(view, wanted)]))
        if contents:
            parts.append(tables.contents(view, wanted))
        if disassemble:
            lines = _lines(view, line_numbers, source) if source or line_numbers else None
            parts.append(code.disassembly(view, wanted, aliases, relocations, lines))
        for part in parts:
            for text in part:
                write(text + "\n")
    return OK


def _read(file: str) -> tuple[str, bytes]:
    """(name, content) of the file; a source or guest is assembled with line information."""
    path = Path(file).expanduser()
    if path.is_file() and path.suffix.lower() != ".s":
        try:
            data = path.read_bytes()
        except OSError as error:
            fail(f"cannot read {path}: {error.strerror}")
        if data[:4] != b"\x7fELF" and data[:1] != b"!":
            fail(f"{path} is neither an ELF file nor an archive; toyvm disasm shows flat binaries")
        return str(path), data
    if path.is_file():
        from .cmd_asm import attempt, show

        image, problems = attempt("assemble", path, {"debug": True})
        if image is None:
            show(problems, "text")
            fail(f"{path} does not assemble")
        return str(path), image.to_elf()
    from .images import open_image

    image = open_image(file)
    if image.kind == "guest":
        from assembler import assemble
        from guestos.images import guest, include_dirs, sources

        about = guest(file)
        if not about.elf:
            made = assemble(
                sources(file), include_dirs=include_dirs(), text_base=about.base, debug=True
            )
            return file, made.to_elf()
    return image.name, image.elf


def _lines(view: View, names: bool, source: bool) -> Callable[[ViewSection], SourceLines]:
    from assembler.dump.code import SourceLines
    from assembler.dump.lines import line_rows

    rows = line_rows(view)
    texts: dict[str, list[str]] = {}

    def read(path: str) -> list[str]:
        if path not in texts:
            texts[path] = _source(path)
        return texts[path]

    return lambda section: SourceLines(rows.get(section.index, []), names, source, read)


def _source(path: str) -> list[str]:
    """The lines of a source file; none if it cannot be read."""
    try:
        where = Path(path)
        if not where.is_file() or where.stat().st_size > _LARGEST_SOURCE:
            return []
        return where.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return []


def _as_data(view: View, wanted: list[str], aliases: bool) -> dict[str, Any]:
    """Everything about one file, for programs."""
    from assembler.dump import tables
    from assembler.dump.code import Disassembler, code_sections, relocation_value
    from assembler.dump.lines import line_rows
    from assembler.elfdefs import relocation_name

    rows = line_rows(view)
    instructions = []
    for section in code_sections(view, wanted):
        starts = {r.address: r for r in rows.get(section.index, []) if not r.end}
        here: Any = None
        for line in Disassembler(view, section, aliases).lines():
            here = starts.get(line.address, here)
            mnemonic, _, operands = line.text.partition("\t")
            instructions.append(
                {
                    "section": line.section,
                    "address": line.address,
                    "size": line.size,
                    "word": line.word,
                    "text": f"{mnemonic} {operands}".strip(),
                    "skipped": line.skipped,
                    "file": here.file if here else None,
                    "line": here.line if here else None,
                }
            )
    return {
        "name": view.name,
        "relocatable": view.relocatable,
        "entry": view.entry,
        "sections": [
            {
                "name": s.name,
                "size": s.size,
                "address": s.address,
                "load": s.load,
                "offset": s.offset,
                "align": s.align,
                "flags": tables.section_flags(s, view.relocatable),
            }
            for s in view.sections
        ],
        "symbols": [
            {
                "name": s.name,
                "value": s.value,
                "size": s.size,
                "type": s.type,
                "binding": s.binding,
                "section": view.where(s),
            }
            for s in view.symbols[1:]
        ],
        "relocations": [
            {
                "section": s.name,
                "offset": r.offset,
                "type": relocation_name(r.type),
                "value": relocation_value(view, r.symbol, r.addend),
            }
            for s in view.sections
            for r in s.relocations
        ],
        "instructions": instructions,
    }
