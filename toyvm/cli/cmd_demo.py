"""`toyvm demo`: two guest kernels side by side, with a summary at the end."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import FAILED, OK, CliError, say

if TYPE_CHECKING:
    from .labs import LabResult

NEXT = """\
What to try next:
  toyvm run hello                   one small kernel on the bare machine
  toyvm run hello --vm -v           the same kernel as a guest, with its exits
  toyvm debug teachos               stop, step and look: the debugger
  toyvm up labs/demo.toml           this lab from its file: change it
  toyvm learn                       lessons that grade themselves
"""
#: Steps a second on a live view: slow enough to watch, some seconds for the whole demo.
WATCHABLE = 250_000


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="demo",
        help="Two different guest kernels under the hypervisor, with disks and a network.",
        epilog="Example: toyvm demo --json",
    )(demo)


def demo(
    live: Annotated[
        bool | None, typer.Option("--live/--lines", help="Live view, or lines; default: by tty.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Do not slow the live view down.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
) -> int:
    """Assemble, boot, show, sum up."""
    from toyvm.control.labs import load_lab
    from toyvm.ui.theme import live_wanted

    from .labs import LabOptions, execute_lab, facts
    from .output import print_json

    began = time.monotonic()
    watched = (live_wanted(sys.stdout) if live is None else live) and not json_
    lab = load_lab(demo_lab())
    started: list[float] = []
    if not json_:
        say("assembling teachos and appliance, starting two VMs ...")
    options = LabOptions(
        max_steps=2_000_000_000,
        live=live,
        json=json_,
        pace=WATCHABLE if watched and not fast else 0,
    )
    result = execute_lab(lab, options, lambda: started.append(time.monotonic() - began))
    overhead = measure_overhead() if result.reason == "ended" else {}
    if json_:
        print_json(
            {
                **facts(result),
                "seconds_to_first_instruction": round(started[0], 3),
                "overhead": overhead,
            }
        )
        return result.exit_code
    return tell(result, overhead, started[0])


def demo_lab() -> Path:
    """The demo's lab file: the shipped one, whatever lies in the current directory."""
    from toyvm.control.labs import shipped_labs

    found = shipped_labs().get("labs/demo.toml")
    if found is None:
        raise CliError("labs/demo.toml is missing from this installation; install toyvm again")
    return found


def measure_overhead() -> dict[str, Any]:
    """Virtualised against bare on a CPU-bound image, measured now."""
    from toyvm.proofs.overhead import measure

    (load,) = measure(("cpu",), ("u",), rounds=3)
    ratio = load.ratio("u")
    return {
        "image": load.name,
        "instructions": load.steps,
        "ratio": ratio["median"],
        "ratio_min": ratio["min"],
        "ratio_max": ratio["max"],
        "exits": sum(load.exits["u"].values()),
        "instructions_per_exit": load.per_exit("u"),
    }


def tell(result: LabResult, overhead: dict[str, Any], started: float) -> int:
    """The summary for people; the exit code of the command."""
    from .labs import endings, facts, summary

    out = sys.stdout
    summary(result, out)
    known = facts(result)
    out.write(
        f"\n{known['pings']} pings sent, {known['replies']} answered; "
        + "; ".join(f"{name}: {_disks(guest['disks'])}" for name, guest in known["guests"].items())
        + "\n"
    )
    if "ratio" in overhead:
        out.write(
            f"virtualised / bare on the CPU-bound image `cpu`: {overhead['ratio']:.3f} "
            f"(1.000 would be no overhead)\n"
        )
    out.write(
        f"first guest instruction after {started:.1f} s, lab done in {result.seconds:.1f} s\n"
    )
    endings(result)
    code = result.exit_code
    if code == OK and known["replies"] == 0:
        say("no ping was answered")
        code = FAILED
    out.write("\n" + NEXT)
    out.flush()
    return code


def _disks(disks: list[dict[str, Any]]) -> str:
    if not disks:
        return "no disk"
    changed = [disk["sha256_before"] != disk["sha256_after"] for disk in disks]
    states = ["changed" if flag else "unchanged" for flag in changed]
    return "disk " + ", ".join(states)
