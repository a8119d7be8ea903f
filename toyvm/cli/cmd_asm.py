"""`toyvm asm`: assemble and link."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .errors import OK, USAGE, fail


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="asm",
        help="Assemble and link sources into an ELF file or a flat binary.",
        epilog="Example: toyvm asm boot.s lib.s -o kernel.elf --listing -D DEBUG=1",
    )(asm)


def asm(
    files: Annotated[list[Path], typer.Argument(help="Assembly sources, linked in this order.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    format_: Annotated[
        str, typer.Option("--format", help="elf (executable) or bin (flat binary).")
    ] = "elf",
    listing: Annotated[
        bool, typer.Option("--listing", help="Print addresses, words and source on stdout.")
    ] = False,
    include: Annotated[
        list[Path] | None, typer.Option("-I", help="Search includes here too. May be repeated.")
    ] = None,
    define: Annotated[
        list[str] | None, typer.Option("-D", help="SYM=VALUE or SYM (1). May be repeated.")
    ] = None,
    error_format: Annotated[str, typer.Option(help="Errors as text or json.")] = "text",
) -> int:
    """Assemble; errors go to stderr and nothing is written then."""
    from .images import assemble_files
    from .machines import choice
    from .output import write_file

    choice(format_, ("elf", "bin"), "--format")
    choice(error_format, ("text", "json"), "--error-format")
    for path in files:
        if path.exists() and output.exists() and path.samefile(output):
            fail(f"-o {output} is one of the sources; choose another file")
    image, problems = assemble_files(files, include or (), defines(define or ()))
    show(problems, error_format)
    if image is None:
        return USAGE
    try:
        data = image.to_elf() if format_ == "elf" else image.to_bin()
    except ValueError as error:
        fail(str(error))
    write_file(output, data)
    if listing:
        sys.stdout.write(image.listing())
    return OK


def defines(texts: list[str] | tuple[()]) -> dict[str, int]:
    """The symbols of -D SYM=VALUE; a usage error names the bad one."""
    found: dict[str, int] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name.isidentifier():
            fail(f"-D {text}: expected SYM=VALUE, such as -D DEBUG=1")
        try:
            found[name] = int(value, 0) if equals else 1
        except ValueError:
            fail(f'-D {text}: "{value}" is no number; expected for example 10 or 0x10')
    return found


def show(problems: list, form: str) -> None:
    """Print diagnostics on stderr: as text for people, or as one JSON list."""
    from toyvm.ui.theme import colour_wanted

    if form == "json":
        from dataclasses import asdict

        from .output import print_json

        print_json([asdict(problem) for problem in problems], sys.stderr)
        return
    for problem in problems:
        sys.stderr.write(problem.render(color=colour_wanted(sys.stderr)) + "\n")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        sys.stderr.write(f"toyvm: {errors} error{'s' if errors > 1 else ''}; nothing was written\n")
