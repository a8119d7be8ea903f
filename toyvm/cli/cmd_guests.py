"""`toyvm guests`: the shipped guest kernels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import OK, fail

if TYPE_CHECKING:
    from guestos import Guest


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="guests",
        help="List the shipped guest kernels and what each one teaches, or write one as ELF.",
        epilog="Example: toyvm guests; toyvm guests teachos -o teachos.elf",
    )(guests)


def guests(
    name: Annotated[
        str | None, typer.Argument(help="One guest; default: list them.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Assemble the guest and write its ELF.")
    ] = None,
    probes: Annotated[bool, typer.Option("--probes", help="List the probes too.")] = False,
    hostile: Annotated[
        bool, typer.Option("--hostile", help="List the hostile guests and what happens to each.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="JSON.")] = False,
) -> int:
    """Print the manifest, or one guest."""
    from .images import open_image, shipped_guests
    from .output import print_json, write_file

    rows = shipped_guests()
    if name is not None:
        rows = [row for row in rows if row.name == name]
        if not rows:
            # The message with the near names is open_image's.
            open_image(name)
            fail(f'"{name}" is a file, not a shipped guest')
        if output is not None:
            write_file(output, open_image(name).elf)
            return OK
    elif output is not None:
        fail("-o needs the name of a guest; toyvm guests lists them")
    elif hostile:
        rows = [row for row in rows if row.kind == "hostile"]
    else:
        hidden = () if json_ else ("hostile",) if probes else ("hostile", "probe")
        rows = [row for row in rows if row.kind not in hidden]
    if json_:
        print_json([facts(row) for row in rows])
    elif hostile:
        _print_hostile(rows)
    else:
        _print(rows, whole=name is not None)
    return OK


def _print_hostile(rows: list[Guest]) -> None:
    from guestos import expectation
    from toyvm.ui.tables import Table, print_table

    table = Table(("guest", "what it tries", "what happens"))
    for row in rows:
        table.add(row.name, row.summary, expectation(row.name))
    print_table(table)


def facts(row: Guest) -> dict[str, Any]:
    """One guest, JSON-ready."""
    from guestos import expectation

    return {
        "name": row.name,
        "kind": row.kind,
        "mode": row.mode,
        "bios": row.bios,
        "ram": row.ram,
        "drives": row.drives,
        "nets": row.nets,
        "summary": row.summary,
        "teaches": row.teaches,
        **({"expect": expectation(row.name)} if row.kind == "hostile" else {}),
    }


def _print(rows: list[Guest], whole: bool) -> None:
    from toyvm.ui.tables import Table, print_table

    if whole:
        table = Table(("what", "value"))
        for key, value in facts(rows[0]).items():
            table.add(key, value)
    else:
        table = Table(("guest", "kind", "mode", "what it is", "what it teaches"))
        for row in rows:
            table.add(row.name, row.kind, row.mode, row.summary, row.teaches)
    print_table(table)
