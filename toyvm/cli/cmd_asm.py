"""`toyvm asm`: assemble and link."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import OK, USAGE, fail


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="asm",
        help="Assemble and link sources, objects (.o) and archives (.a) into an ELF file, an "
        "object or a flat binary.",
        epilog="Example: toyvm asm boot.s main.o lib.a -T kernel.ld -o kernel.elf",
    )(asm)


def asm(
    files: Annotated[
        list[Path], typer.Argument(help="Sources, objects and archives, linked in this order.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="elf (executable), obj (relocatable object) or bin (flat binary).",
            show_default="elf",
        ),
    ] = None,
    object_only: Annotated[
        bool, typer.Option("-c", help="Do not link: the same as --format obj.")
    ] = False,
    script: Annotated[Path | None, typer.Option("-T", "--script", help="A linker script.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", "-Ttext", help="Address of the code (.text).")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-Tdata", help="Address of the data (.data).")
    ] = None,
    bss: Annotated[
        str | None, typer.Option("--bss", "-Tbss", help="Address of the zeros (.bss).")
    ] = None,
    section_start: Annotated[
        list[str] | None,
        typer.Option("--section-start", help="SECTION=ADDRESS. May be repeated."),
    ] = None,
    defsym: Annotated[
        list[str] | None,
        typer.Option("--defsym", help="SYMBOL=EXPRESSION for the linker. May be repeated."),
    ] = None,
    entry: Annotated[
        str | None, typer.Option("-e", "--entry", help="Where execution begins; else _start.")
    ] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "-g/ ",
            "--debug/--no-debug",
            help="Line information (DWARF) for debuggers.",
            show_default="debug",
        ),
    ] = True,
    listing: Annotated[
        bool, typer.Option("--listing", help="Print addresses, words and source on stdout.")
    ] = False,
    listing_file: Annotated[
        Path | None, typer.Option("--listing-file", help="Write the listing to this file.")
    ] = None,
    include: Annotated[
        list[Path] | None, typer.Option("-I", help="Search includes here too. May be repeated.")
    ] = None,
    define: Annotated[
        list[str] | None, typer.Option("-D", help="SYM=VALUE or SYM (1). May be repeated.")
    ] = None,
    warning: Annotated[
        list[str] | None,
        typer.Option(
            "-W", help="NAME or no-NAME turns a warning on or off; error makes them errors."
        ),
    ] = None,
    error_format: Annotated[str, typer.Option(help="Errors as text or json.")] = "text",
) -> int:
    """Assemble; errors go to stderr and nothing is written then."""
    from .machines import choice
    from .output import write_file

    if object_only and format_ not in (None, "obj"):
        fail(f"-c makes an object, --format {format_} does not; give one of them")
    format_ = "obj" if object_only else format_ or "elf"
    choice(format_, ("elf", "obj", "bin"), "--format")
    choice(error_format, ("text", "json"), "--error-format")
    for path in files:
        if path.is_dir():
            fail(f"{path} is a directory; expected a source, an object or an archive")
        if not path.exists():
            fail(f"no such file: {path}")
        if not path.is_file():
            fail(f"{path} is not a regular file; expected a source, an object or an archive")
    _keep_inputs(output, listing_file, [*files, *([script] if script else [])])
    common: dict[str, Any] = {
        "include_dirs": list(include or ()),
        "defines": defines(define or ()),
        "warnings": warning or (),
        "debug": debug and format_ != "bin",
    }
    if format_ == "obj":
        for option, value in (
            ("-T", script), ("--text", text), ("--data", data), ("--bss", bss), ("-e", entry),
            ("--section-start", section_start), ("--defsym", defsym), ("--listing", listing),
            ("--listing-file", listing_file),
        ):  # fmt: skip
            if value:
                fail(f"{option} is about linking; an object is not linked yet")
        return _object(files, output, common, error_format)
    places = starts(section_start or ())
    for name, address in ((".data", data), (".bss", bss)):
        if address is not None:
            places[name] = number(address, f"-T{name[1:]}")
    common["section_addresses"] = places
    common["defsyms"] = defsyms(defsym or ())
    common["script"] = script
    if text is not None:
        common["text_base"] = number(text, "-Ttext")
        if script is not None:
            places[".text"] = common["text_base"]
    if entry is not None:
        common["entry"] = number(entry, "-e") if entry[:1].isdigit() else entry
    image, problems = attempt("assemble", list(files), common)
    show(problems, error_format)
    if image is None:
        return USAGE
    try:
        content = image.to_elf() if format_ == "elf" else image.to_bin()
    except ValueError as error:
        fail(str(error))
    write_file(output, content)
    if listing_file is not None:
        write_file(listing_file, image.listing().encode("utf-8", "replace"))
    if listing:
        sys.stdout.write(image.listing())
    return OK


def _keep_inputs(output: Path, listing: Path | None, inputs: list[Path]) -> None:
    """What is read must not be written over."""
    for option, path in (("-o", output), ("--listing-file", listing)):
        for source in inputs:
            if path is not None and path.exists() and source.exists() and source.samefile(path):
                fail(f"{option} {path} is one of the sources; choose another file")
    if listing is not None and listing.absolute() == output.absolute():
        fail(f"--listing-file {listing} is the file of -o; choose another one")


def _object(files: list[Path], output: Path, common: dict[str, Any], error_format: str) -> int:
    """Assemble one source into an object."""
    from .output import write_file

    if len(files) != 1:
        fail(f"--format obj takes one source, not {len(files)}; call it once for each")
    made, problems = attempt("assemble_object", files[0], common)
    show(problems, error_format)
    if made is None:
        return USAGE
    write_file(output, made.to_elf())
    return OK


def attempt(name: str, what: Any, options: dict[str, Any]) -> tuple[Any, list[Any]]:
    """(result, diagnostics) of a function of the assembler; None for the result if it failed."""
    import assembler

    try:
        made = getattr(assembler, name)(what, **options)
    except assembler.AssemblyError as error:
        return None, list(error.diagnostics)
    except ValueError as error:
        fail(f"-W: {error}")
    return made, list(made.warnings)


def number(text: str, what: str) -> int:
    """An address of an option; a usage error if it is none."""
    try:
        # GNU ld reads these as hexadecimal with or without 0x; without it we insist on decimal.
        value = int(text, 0)
    except ValueError:
        fail(f"{what} {text}: expected an address such as 0x80000000")
    if not 0 <= value < 1 << 32:
        fail(f"{what} {text}: expected an address below 2^32")
    return value


def starts(texts: list[str] | tuple[()]) -> dict[str, int]:
    """The addresses of --section-start NAME=ADDRESS."""
    found: dict[str, int] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"--section-start {text}: expected SECTION=ADDRESS, such as .data=0x80100000")
        found[name] = number(value, f"--section-start {name}")
    return found


def defsyms(texts: list[str] | tuple[()]) -> dict[str, str]:
    """The symbols of --defsym NAME=EXPRESSION; the linker judges the expressions."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            fail(f"--defsym {text}: expected SYMBOL=EXPRESSION, such as STACK=_end+0x4000")
        found[name.strip()] = value.strip()
    return found


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
        from .output import print_json

        print_json([problem.as_json() for problem in problems], sys.stderr)
        return
    for problem in problems:
        sys.stderr.write(problem.render(color=colour_wanted(sys.stderr)) + "\n")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        sys.stderr.write(f"toyvm: {errors} error{'s' if errors > 1 else ''}; nothing was written\n")
