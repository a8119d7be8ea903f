"""`toyvm debug`: the debugger on a machine, a VM or a lab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import fail

if TYPE_CHECKING:
    from toyvm.debugger.world import World

    from .machines import Built, MachineOptions


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="debug",
        help="Debug a machine, a VM (--vm) or a lab (LAB.toml): gdb's commands, and more.",
        epilog="Example: echo 'continue' | toyvm debug teachos",
    )(debug)


def debug(
    image: Annotated[
        str,
        typer.Argument(
            help="ELF file, flat binary, .s source, the name of a shipped guest, or LAB.toml."
        ),
    ],
    vm: Annotated[bool, typer.Option("--vm", help="Run it as a guest of the hypervisor.")] = False,
    technique: Annotated[str, typer.Option(help="How it is virtualised, as in `toyvm run`.")] = "u",
    shadow: Annotated[
        str, typer.Option(help="How page tables are followed, as in `toyvm run`.")
    ] = "lazy",
    ram: Annotated[str, typer.Option(help="RAM, 64K to 2G.")] = "",
    bios: Annotated[str, typer.Option(help="sbi, none or a firmware file.")] = "",
    append: Annotated[str, typer.Option(help="Arguments for the kernel.")] = "",
    drive: Annotated[list[str] | None, typer.Option(help="A disk, as in `toyvm run`.")] = None,
    net: Annotated[list[str] | None, typer.Option(help="A card, as in `toyvm run`.")] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="A virtio device, as in `toyvm run`.")
    ] = None,
    virtio: Annotated[str, typer.Option(help="Transport: legacy or modern.")] = "legacy",
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
    ad: Annotated[str, typer.Option(help="A and D bits: hardware or fault.")] = "",
    tier: Annotated[
        int, typer.Option(help="1: interpret everything. 2: translate hot code. 0: as usual.")
    ] = 0,
    script: Annotated[
        Path | None, typer.Option("-x", "--command", help="Run the commands of this file first.")
    ] = None,
) -> int:
    """Build the world and hand it to the debugger."""
    from toyvm.control.devices import parse_device

    from .machines import MachineOptions, check

    for text in device or ():
        line = parse_device(text).serial
        if line is not None and line.kind not in ("stdio", "null", "file"):
            fail(f"--device {text}: in the debugger a console leads to stdio, null or file:PATH")
    if script is not None and not script.is_file():
        what = "a directory; expected a file of commands" if script.is_dir() else "no such file"
        fail(f"-x {script}: {what}")
    options = MachineOptions(
        image=image,
        vm=vm,
        technique=technique,
        shadow=shadow,
        ram=ram,
        bios=bios,
        append=append,
        drives=tuple(drive or ()),
        nets=tuple(net or ()),
        devices=tuple(device or ()),
        virtio=virtio,
        initrd=initrd,
        dtb=dtb,
        harts=harts,
        pmp=pmp,
        sstc=sstc,
        ad=ad,
        tier=tier,
    )
    check(options)
    worlds = _Worlds()
    try:
        world = worlds.lab(Path(image)) if image.endswith(".toml") else worlds.single(options)
        return _talk(world, script)
    finally:
        worlds.close()


def _talk(world: World, script: Path | None) -> int:
    from toyvm.debugger.repl import debug as talk

    from .machines import warm_up

    warm_up()
    return talk(world, script=script, history=history_file())


def history_file() -> Path:
    """Where the lines typed in the debugger are kept."""
    import os

    override = os.environ.get("TOYVM_DATA_DIR")
    if override:
        return Path(override) / "debug_history"
    import platformdirs

    return Path(platformdirs.user_data_dir("toyvm", "toyvm")) / "debug_history"


class _Worlds:
    """Builds worlds, and closes the files of the present one before it builds the next."""

    def __init__(self) -> None:
        self._open: Any = None

    def close(self) -> None:
        """Release disks and sockets."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def single(self, options: MachineOptions) -> World:
        """One machine or VM."""
        from toyvm.debugger.target import LiveTarget
        from toyvm.debugger.world import Guest, SingleWorld

        from .images import open_image
        from .machines import build

        image = open_image(options.image)
        kind = "vm" if options.vm else "machine"

        def make() -> Guest:
            self.close()
            collected = bytearray()
            built = build(options, collected.extend, image)
            self._open = built
            return Guest(LiveTarget(built.computer, image.name, kind, collected), image.symbols)

        return SingleWorld(f"{image.name} ({kind})", make)

    def lab(self, path: Path) -> World:
        """All guests of a lab."""
        from toyvm.control.labrun import start_lab
        from toyvm.control.labs import load_lab
        from toyvm.debugger.symbols import Symbols
        from toyvm.debugger.target import LiveTarget
        from toyvm.debugger.world import Guest, LabWorld

        from .labs import open_lab_image

        lab = load_lab(path)

        def make() -> tuple[Any, list[Guest]]:
            self.close()
            collected = {spec.name: bytearray() for spec in lab.vms}
            running = start_lab(
                lab, open_lab_image, {name: data.extend for name, data in collected.items()}
            )
            self._open = running
            running.hypervisor.keep_dead = True
            guests = [
                Guest(
                    LiveTarget(guest.vm, guest.name, "vm", collected[guest.name]),
                    getattr(guest.image, "symbols", Symbols()),
                )
                for guest in running.guests
            ]
            return running, guests

        return LabWorld(f"lab {path.name}", make)


def debug_live(built: Built) -> None:
    """The debugger on a machine that `toyvm run` is running; returns when the user quits."""
    from toyvm.debugger.repl import debug as talk
    from toyvm.debugger.target import LiveTarget, exits_of
    from toyvm.debugger.world import Guest, SingleWorld

    kind = "machine" if exits_of(built.computer) is None else "vm"
    sink = built.computer.console.sink
    collected = bytearray()
    target = LiveTarget(built.computer, built.image.name, kind, collected)
    built.computer.console.sink = collected.extend
    try:
        world = SingleWorld(
            f"{built.image.name} ({kind})", lambda: Guest(target, built.image.symbols), fixed=True
        )
        talk(world, history=history_file())
    finally:
        built.computer.console.sink = sink
        target.forget_breakpoints()
