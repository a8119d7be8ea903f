"""`toyvm isolate`: one guest with and without another."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import FAILED, INTERNAL, OK, fail

if TYPE_CHECKING:
    from toyvm.control.labs import Lab
    from toyvm.proofs.isolate import Isolation


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="isolate",
        help="Does guest B of a lab notice guest A? Its states with and without A, and A's writes.",
        epilog="Example: toyvm isolate labs/demo.toml appliance teachos",
    )(isolate)


def isolate(
    lab: Annotated[Path, typer.Argument(help="A lab file.")],
    a: Annotated[str, typer.Argument(help="The guest that may be hostile.")],
    b: Annotated[str, typer.Argument(help="The guest that must not notice.")],
    until: Annotated[
        int, typer.Option(help="Follow B for so many steps of its own time, or to its end.")
    ] = 20_000_000,
    links: Annotated[
        bool,
        typer.Option(
            "--links", help="Keep A's cables: what A sends then counts as noticing (default: cut)."
        ),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Run the lab three times and report."""
    from toyvm.control.labrun import start_lab
    from toyvm.control.labs import load_lab
    from toyvm.proofs.isolate import isolate as run
    from toyvm.ui.progress import work_progress
    from toyvm.ui.text import did_you_mean

    from .images import open_image
    from .machines import warm_up
    from .output import print_json

    whole = load_lab(lab)
    names = [vm.name for vm in whole.vms]
    for name in (a, b):
        if name not in names:
            fail(f'{lab}: no guest "{name}"; it has {", ".join(names)}{did_you_mean(name, names)}')
    if a == b:
        fail(f'"{a}" twice: expected two different guests of the lab')
    if until < 1:
        fail(f"--until {until}: expected a positive number of steps")
    ready, cut = prepare(whole, a, links)
    warm_up(json_)

    def opener(text: str, base: Path) -> Any:
        beside = base / text
        return open_image(str(beside) if beside.is_file() else text)

    with work_progress(f"following {b}", until, show=not json_) as report:
        found = run(lambda: start_lab(ready, opener), a, b, until, report)
    if json_:
        print_json(facts(found, cut))
    else:
        _tell(found, cut, whole.clock)
    if found.errors:
        return INTERNAL
    return OK if found.isolated else FAILED


def prepare(lab: Lab, a: str, links: bool) -> tuple[Lab, list[str]]:
    """The lab with copies of disks and without captures; and the cables of A that were cut."""
    from toyvm.control.specs import DriveSpec

    cut: list[str] = []
    vms = []
    for vm in lab.vms:
        drives = tuple(
            DriveSpec("temp", path=drive.path) if drive.kind == "file" else drive
            for drive in vm.drives
        )
        nets = []
        for net in vm.nets:
            if net.kind in ("socket", "listen"):
                fail(
                    f"{lab.path}: vm.{vm.name} has a cable to another process: its frames would "
                    "not come at the same time twice; expected switches or none"
                )
            if vm.name == a and net.kind == "switch" and not links:
                cut.append(net.switch)
                net = dataclasses.replace(net, kind="none", switch="")
            nets.append(dataclasses.replace(net, pcap=None))
        vms.append(dataclasses.replace(vm, drives=drives, nets=tuple(nets)))
    switches = tuple(dataclasses.replace(switch, pcap=None) for switch in lab.switches)
    return dataclasses.replace(lab, vms=tuple(vms), switches=switches, clock="guest"), cut


def facts(found: Isolation, cut: list[str]) -> dict[str, Any]:
    """An isolation, JSON-ready."""
    sides = {}
    for name, course in (("with", found.with_a), ("without", found.without_a)):
        stop = course.ended
        sides[name] = {
            "state": course.final,
            "at": course.clock,
            "ended": stop.reason if stop else None,
            "code": stop.code if stop else None,
        }
    return {
        "a": found.a,
        "b": found.b,
        "isolated": found.isolated,
        **sides,
        "checkpoints": len(found.with_a.hashes),
        "first_difference": found.first_difference,
        "cables_cut": cut,
        "frames_outside": found.frames_outside,
        "frames_written": found.frames_written,
        "canaries_written": found.intruders,
        "errors": found.errors,
    }


def _tell(found: Isolation, cut: list[str], clock: str) -> None:
    from toyvm.ui.tables import Table, grouped, print_table

    a, b = found.a, found.b
    out = sys.stdout
    if cut:
        out.write(
            f"{a}'s cable to {', '.join(cut)} is cut in all runs: what it sends may be noticed, "
            "anything else may not (--links keeps it)\n"
        )
    if clock == "lab":
        out.write('clock = "lab" is taken as "guest": lost time is noticed by intention there\n')
    table = Table((f"what {b} shows", f"with {a}", f"without {a}", "equal"))
    rows = [
        ("virtual time in steps", *(grouped(c.clock) for c in (found.with_a, found.without_a))),
        ("ended", *(_ending(c.ended) for c in (found.with_a, found.without_a))),
        ("checkpoints", *(str(len(c.hashes)) for c in (found.with_a, found.without_a))),
        ("state at the end", *(c.final[:16] for c in (found.with_a, found.without_a))),
    ]
    for name, one, other in rows:
        table.add(name, one, other, "yes" if one == other else "NO")
    print_table(table)
    first = found.first_difference
    if first is not None:
        out.write(f"the first checkpoint that differs is at step {grouped(first)} of {b}'s time\n")
    written = found.frames_written
    out.write(
        f"frames of the host that are not {a}'s: {grouped(found.frames_outside)}, written by "
        f"{a} alone: {len(written)}" + (f" (the first one: {written[0]})" if written else "") + "\n"
        f"canaries: {'intact' if not found.intruders else 'WRITTEN: ' + ', '.join(found.intruders)}"
        f"\n{b} {'does not notice' if found.isolated else 'NOTICES'} {a}\n"
    )


def _ending(stop: Any) -> str:
    return "no" if stop is None else f"{stop.reason} {stop.code}"
