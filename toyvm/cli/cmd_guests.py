"""`toyvm guests`: the shipped guest kernels."""

from __future__ import annotations

from typing import Annotated

import typer

from .errors import OK


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="guests",
        help="List the shipped guest kernels and what each one teaches.",
        epilog="Example: toyvm guests; toyvm run hello",
    )(guests)


def guests(
    json_: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False,
) -> int:
    """Print the manifest."""
    from toyvm.ui.tables import Table, print_table

    from .images import shipped_guests
    from .output import print_json

    rows = shipped_guests()
    if json_:
        print_json([row.as_dict() for row in rows])
        return OK
    table = Table(("guest", "bios", "what it teaches"))
    for row in rows:
        if row.listed:
            table.add(row.name, row.bios, row.teaches)
    print_table(table)
    return OK
