"""`toyvm run`: one machine, bare or virtualised, with its console on stdio."""

from __future__ import annotations

from typing import Annotated

import typer

TRACES = ("exits", "traps")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="run",
        help="Run one machine: bare, or with --vm under the hypervisor.",
        epilog="Example: toyvm run hello --vm --json. Ctrl-A X leaves, Ctrl-A H helps.",
    )(run)


def run(
    image: Annotated[
        str,
        typer.Argument(help="ELF file, flat binary, .s source or the name of a shipped guest."),
    ],
    vm: Annotated[bool, typer.Option("--vm", help="Run it as a guest of the hypervisor.")] = False,
    technique: Annotated[
        str,
        typer.Option(
            help="With --vm: u runs the guest's kernel in user mode, s in supervisor mode with "
            "TVM, TW and TSR set; pv and upv are s and u with hypercalls for guests that know them."
        ),
    ] = "u",
    shadow: Annotated[
        str,
        typer.Option(
            help="With --vm: lazy follows the guest's page tables at sfence.vma, protect at "
            "each store to them."
        ),
    ] = "lazy",
    ram: Annotated[str, typer.Option(help="RAM, 64K to 2G.")] = "",
    bios: Annotated[
        str,
        typer.Option(
            help="sbi (built in), none (start at 0x80000000 in M-mode) or a firmware file; "
            "default: what a shipped guest needs, else sbi."
        ),
    ] = "",
    append: Annotated[str, typer.Option(help="Arguments for the kernel.")] = "",
    drive: Annotated[
        list[str] | None,
        typer.Option(help="A disk: FILE, FILE,ro, temp:SIZE or temp:FILE. May be repeated."),
    ] = None,
    net: Annotated[
        list[str] | None,
        typer.Option(
            help="A network card: none, socket:HOST:PORT or listen:HOST:PORT, then "
            "[,mac=MAC][,pcap=FILE]. May be repeated."
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="A further virtio device: virtio-console[,SERIAL] or "
            "virtio-rng[,seed=N|,host]. May be repeated."
        ),
    ] = None,
    virtio: Annotated[str, typer.Option(help="Transport: legacy or modern.")] = "legacy",
    serial: Annotated[
        str,
        typer.Option(
            help="The serial line: stdio, null, file:PATH, pty, socket:HOST:PORT or unix:PATH "
            "(these two with ,server to be connected to)."
        ),
    ] = "stdio",
    initrd: Annotated[str, typer.Option(help="An initial RAM disk for the kernel.")] = "",
    dtb: Annotated[str, typer.Option(help="A device tree to use instead of our own.")] = "",
    harts: Annotated[
        int | None,
        typer.Option(
            "--harts",
            "--smp",
            help="Harts (vCPUs with --vm), 1 to 8; default: what a shipped guest needs, else 1.",
        ),
    ] = None,
    pmp: Annotated[int, typer.Option(help="PMP entries, 0 to 16.")] = 16,
    sstc: Annotated[bool, typer.Option("--sstc", help="Harts have stimecmp (Sstc).")] = False,
    ad: Annotated[
        str,
        typer.Option(
            help="A and D bits of page tables: hardware sets them, or accesses that need them "
            "fault."
        ),
    ] = "",
    tier: Annotated[
        int, typer.Option(help="1: interpret everything. 2: translate hot code. 0: as usual.")
    ] = 0,
    max_insns: Annotated[
        int, typer.Option(help="Stop after this many steps, with exit code 3; 0: no limit.")
    ] = 0,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime", help="Sleep in wfi takes host time (always so with socket and listen)."
        ),
    ] = False,
    no_reboot: Annotated[
        bool, typer.Option("--no-reboot", help="A guest that resets the machine ends the run.")
    ] = False,
    trace: Annotated[
        str, typer.Option(help="Trace exits or traps to stderr (single-steps: slow).")
    ] = "",
    json_: Annotated[bool, typer.Option("--json", help="Report as JSON on stderr.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Report at the end.")] = False,
) -> int:
    """Check the options, build the machine, run it."""
    from .runner import RunOptions, run_image

    options = RunOptions(
        image=image,
        vm=vm,
        technique=technique,
        shadow=shadow,
        ram=ram,
        bios=bios,
        append=append,
        drives=tuple(drive or ()),
        nets=tuple(net or ()),
        virtio=virtio,
        harts=harts,
        pmp=pmp,
        sstc=sstc,
        ad=ad,
        tier=tier,
        max_steps=max_insns,
        serial=serial,
        devices=tuple(device or ()),
        initrd=initrd,
        dtb=dtb,
        realtime=realtime,
        reboot=not no_reboot,
        trace=trace,
        json=json_,
        verbose=verbose,
    )
    return run_image(options)
