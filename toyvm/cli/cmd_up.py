"""`toyvm up`: a lab of guests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .errors import fail


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="up",
        help="Run all guests of a lab file, with their disks and network.",
        epilog="Example: toyvm up labs/demo.toml --json",
    )(up)


def up(
    lab: Annotated[Path, typer.Argument(help="A lab file.")],
    max_insns: Annotated[
        int, typer.Option(help="Stop after this many steps of any guest, exit code 3; 0: no limit.")
    ] = 0,
    live: Annotated[
        bool | None, typer.Option("--live/--lines", help="Live view, or lines; default: by tty.")
    ] = None,
    parallel: Annotated[
        bool,
        typer.Option("--parallel", help="Run VMs on threads side by side; the result is the same."),
    ] = False,
    tier: Annotated[
        int,
        typer.Option(help="1: interpret everything. 2: translate hot code. 0: as the lab says."),
    ] = 0,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
) -> int:
    """Load the lab and run it to its end."""
    from toyvm.control.labs import load_lab

    from .labs import LabOptions, run_lab
    from .machines import check_tier

    check_tier(tier)
    if max_insns < 0:
        fail(f"--max-insns {max_insns}: expected a positive number, or 0 for no limit")
    options = LabOptions(max_steps=max_insns, live=live, json=json_, parallel=parallel)
    loaded = load_lab(lab)
    if tier:
        loaded = replace(loaded, vms=tuple(replace(vm, tier=tier) for vm in loaded.vms))
    return run_lab(loaded, options)
