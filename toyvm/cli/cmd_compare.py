"""`toyvm compare`: a guest bare and virtualised, in lock-step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import FAILED, INTERNAL, OK, fail

if TYPE_CHECKING:
    from toyvm.proofs.compare import Comparison

    from .machines import Built, MachineOptions


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="compare",
        help="Run a guest bare and virtualised in lock-step; show the first difference.",
        epilog="Example: toyvm compare teachos --drive temp:64K; "
        "toyvm compare teachos --bug spp-set",
    )(compare)


def compare(
    image: Annotated[
        str,
        typer.Argument(help="ELF file, flat binary, .s source or the name of a shipped guest."),
    ],
    every: Annotated[
        int, typer.Option(help="Compare memory and disks after so many steps.")
    ] = 100_000,
    max_insns: Annotated[int, typer.Option(help="Compare so many steps at most.")] = 100_000_000,
    technique: Annotated[str, typer.Option(help="How it is virtualised, as for run.")] = "u",
    bug: Annotated[
        str, typer.Option(help="Give the hypervisor a historical bug; `toyvm prove --bug list`.")
    ] = "",
    ram: Annotated[str, typer.Option(help="RAM, 64K to 2G.")] = "",
    bios: Annotated[str, typer.Option(help="sbi, none or a firmware file.")] = "",
    append: Annotated[str, typer.Option(help="Arguments for the kernel.")] = "",
    drive: Annotated[
        list[str] | None,
        typer.Option(help="A disk, as for run; both sides get a copy, the file stays as it is."),
    ] = None,
    net: Annotated[
        list[str] | None, typer.Option(help="A network card: only `none`, without a cable.")
    ] = None,
    virtio: Annotated[str, typer.Option(help="Transport: legacy or modern.")] = "legacy",
    pmp: Annotated[int, typer.Option(help="PMP entries, 0 to 16.")] = 16,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Check the options, run both, report."""
    from .machines import MachineOptions

    if every < 1 or max_insns < 1:
        fail(f"--every {every} --max-insns {max_insns}: expected positive numbers of steps")
    options = MachineOptions(
        image=image,
        technique=technique,
        ram=ram,
        bios=bios,
        append=append,
        drives=tuple(copy_of(text) for text in drive or ()),
        nets=tuple(cable_free(text) for text in net or ()),
        virtio=virtio,
        pmp=pmp,
    )
    return compare_image(options, every, max_insns, bug, json_)


def copy_of(text: str) -> str:
    """The spec of a temporary copy of a drive: the two sides must not share a file."""
    from toyvm.control.specs import parse_drive

    spec = parse_drive(text)
    return text if spec.kind == "temp" else f"temp:{spec.path}"


def cable_free(text: str) -> str:
    """A network card without a cable; a usage error for one with."""
    from toyvm.control.specs import parse_net

    if parse_net(text).kind != "none":
        fail(f"--net {text}: the frames would not come at the same step twice; expected none")
    return text


def compare_image(options: MachineOptions, every: int, limit: int, bug: str, json_: bool) -> int:
    """The whole of `toyvm compare`; its exit code."""
    import dataclasses

    from toyvm.proofs import bugs
    from toyvm.proofs.compare import compare as run
    from toyvm.ui.progress import work_progress
    from toyvm.ui.text import did_you_mean

    from .images import open_image
    from .machines import build, check, warm_up
    from .output import print_json

    if bug == "list":
        from .cmd_prove import list_bugs

        return list_bugs(json_)
    if bug and bug not in bugs.BY_NAME:
        near = did_you_mean(bug, list(bugs.BY_NAME))
        fail(f'--bug "{bug}": no such bug{near}; toyvm prove --bug list shows them')
    check(options, both=True)
    image = open_image(options.image)
    warm_up(json_)
    made: list[Built] = []

    def make() -> Any:
        for built in made:
            built.close()
        made.clear()
        for vm in (False, True):
            # The image is opened once; its symbols are shared.
            side = dataclasses.replace(options, vm=vm, technique=options.technique if vm else "u")
            made.append(build(side, image=image))
        return made[0].computer, made[1].computer

    try:
        with work_progress("comparing", limit, show=not json_) as report:
            found = run(make, every, limit, bug or None, report)
        errors = sum(built.computer.errors for built in made)
    finally:
        for built in made:
            built.close()
    if json_:
        print_json(facts(image.name, found, bug))
    else:
        _tell(image, found, bug)
    if errors:
        return INTERNAL
    return OK if found.equal else FAILED


def notes(found: Comparison) -> str:
    """What the comparison cannot see, and by what the two sides differ on purpose."""
    from toyvm.proofs import compare, reference

    return compare.NOTE if found.calls is None else f"{compare.NOTE}; {reference.NOTE}"


def facts(name: str, found: Comparison, bug: str) -> dict[str, Any]:
    """A comparison, JSON-ready."""
    what = found.difference
    return {
        "image": name,
        "equal": found.equal,
        "bug": bug or None,
        "steps": found.steps,
        "ended": found.stop.reason,
        "code": found.stop.code,
        "checks": found.checks,
        "memory_checks": found.memory_checks,
        "virtual_traps": found.traps,
        "hypercalls": found.calls,
        "note": notes(found),
        "difference": None
        if what is None
        else {
            "step": what.step,
            "exact": what.exact,
            "since": what.since if not what.exact else what.step - 1,
            "pc": what.pc,
            "mode": what.mode,
            "word": what.word,
            "instruction": what.text,
            "values": [list(row) for row in what.table],
            "exits": what.exits,
        },
    }


def _tell(image: Any, found: Comparison, bug: str) -> None:
    from toyvm.ui.tables import Table, grouped, print_table

    out = sys.stdout
    if bug:
        from toyvm.proofs.bugs import BY_NAME

        out.write(f"bug {bug}: {BY_NAME[bug].what}\n")
    counts = (
        f"{grouped(found.steps)} steps; compared {grouped(found.checks)} times, of these "
        f"{grouped(found.traps)} at virtual traps and {grouped(found.memory_checks)} with "
        "memory and disks"
    )
    if found.calls is not None:
        counts += f"; it called the hypervisor {grouped(found.calls)} times"
    what = found.difference
    if what is None:
        how = {
            "exit": f"ended with code {found.stop.code}",
            "budget": "had not ended",
            "idle": "waits for ever",
        }.get(found.stop.reason, f"died: {found.stop.detail}")
        out.write(
            f"{image.name}: bare and virtualised are equal; it {how}\n{counts}\n({notes(found)})\n"
        )
        return
    where = image.symbols.describe(what.pc)
    place = f"{what.pc:#010x}" + (f" <{where}>" if where else "")
    if what.exact:
        out.write(
            f"{image.name}: bare and virtualised differ after step {what.step:,}\n"
            f"the instruction: {place} in {what.mode}-mode: {what.text}\n\n"
        )
    else:
        out.write(
            f"{image.name}: bare and virtualised differ somewhere in steps {what.since + 1:,} to "
            f"{what.step:,}, and only if both are stopped there; they are at {place}\n\n"
        )
    table = Table(("what", "bare", "virtualised"))
    for name, one, other in what.table:
        table.add(name, *(hex(v) if isinstance(v, int) else v for v in (one, other)))
    print_table(table)
    if what.exits:
        out.write("\nthe last exits of the VM:\n")
        out.writelines(f"  {sentence}\n" for sentence in what.exits)
    out.write(f"\n{counts}\n({notes(found)})\n")
