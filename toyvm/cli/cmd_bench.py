"""`toyvm bench`: measured here and now."""

from __future__ import annotations

from typing import Annotated

import typer

from .errors import fail

WHAT = ("cpu", "overhead", "start")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="bench",
        help="Measure on this computer: cpu (MIPS), overhead (virtualised / bare) or start.",
        epilog="Example: toyvm bench overhead --json",
    )(bench)


def bench(
    what: Annotated[str, typer.Argument(help="cpu, overhead or start.")] = "overhead",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Run one measurement."""
    import importlib

    from toyvm.ui.tables import Table, print_table

    from .machines import choice, warm_up
    from .output import print_json

    choice(what, WHAT, "bench")
    module = importlib.import_module("toyvm.proofs.bench")
    measure = getattr(module, what, None)
    if measure is None:
        fail(f"bench {what}: this version cannot measure it")
    if what != "start":
        warm_up(json_)
    facts = measure()
    if json_:
        print_json(facts)
        return 0
    table = Table(("what", "value"), right=("value",), title=f"bench {what}")
    for name, value in facts.items():
        table.add(name, f"{value:,.3f}" if isinstance(value, float) else value)
    print_table(table)
    return 0
