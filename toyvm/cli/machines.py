"""From options to a machine or VM that is loaded and ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toyvm.ui.text import did_you_mean

from .errors import fail
from .images import LoadedImage, open_image

TECHNIQUES = {
    "u": "the guest's kernel runs in user mode and its privileged instructions trap",
}


@dataclass(frozen=True)
class MachineOptions:
    """The hardware that the options of `run` and `debug` describe, as typed."""

    image: str
    vm: bool = False
    technique: str = "u"
    ram: str = ""
    bios: str = ""
    append: str = ""
    drives: tuple[str, ...] = ()
    nets: tuple[str, ...] = ()
    virtio: str = "legacy"
    pmp: int = 16


@dataclass
class Built:
    """A loaded computer with what it was made from; `close` releases files and sockets."""

    computer: Any
    image: LoadedImage
    drives: list[Any] = field(default_factory=list)
    cards: list[Any] = field(default_factory=list)
    ram: int = 0
    bios: str = ""

    @property
    def remote(self) -> bool:
        """True when frames may come from another process."""
        return any(card.remote for card in self.cards)

    def descriptors(self) -> list[int]:
        """Where to wait for frames from other processes."""
        return [number for card in self.cards if (number := card.fileno()) >= 0]

    def close(self) -> None:
        """Close disks, cables and captures."""
        for part in (*self.cards, *self.drives):
            part.close()


def choice(value: str, known: Sequence[str], what: str) -> str:
    """`value` if it is one of `known`; a usage error otherwise."""
    if value not in known:
        fail(f'{what} "{value}": expected {" or ".join(known)}{did_you_mean(value, known)}')
    return value


def check(options: MachineOptions) -> None:
    """Refuse combinations that need no file to be judged."""
    choice(options.virtio, ("legacy", "modern"), "--virtio")
    choice(options.technique, tuple(TECHNIQUES), "--technique")
    if options.pmp not in (0, 16):
        fail(f"--pmp {options.pmp}: expected 16, or 0 for kernels that never open PMP")


def build(
    options: MachineOptions,
    sink: Callable[[bytes], None] | None = None,
    image: LoadedImage | None = None,
) -> Built:
    """Make the computer and load it. `sink` hears the guest's console."""
    from toyvm.control.backends import lab_mac, open_drive, open_net
    from toyvm.control.specs import parse_drive, parse_net, parse_ram

    check(options)
    if options.ram:
        parse_ram(options.ram)
    drive_specs = [parse_drive(text) for text in options.drives]
    net_specs = [parse_net(text) for text in options.nets]
    image = open_image(options.image) if image is None else image
    ram = parse_ram(options.ram or image.ram)
    bios = firmware(options.bios or image.bios)
    from toyvm.machine import Console

    drives: list[Any] = []
    cards: list[Any] = []
    try:
        for spec in drive_specs:
            drives.append(open_drive(spec))
        for index, net in enumerate(net_specs):
            cards.append(open_net(net, lab_mac(index)))
        computer = _computer(
            options,
            name=image.name,
            ram=ram,
            bios=bios,
            drives=drives,
            nets=cards,
            virtio=options.virtio,
            console=Console(sink),
            append=options.append,
            pmp=options.pmp,
        )
        computer.load(image.data)
    except BaseException:
        for part in (*cards, *drives):
            part.close()
        raise
    for card in cards:
        card.now_ns = guest_clock(computer)
    return Built(computer, image, drives, cards, ram, str(bios))


def _computer(options: MachineOptions, name: str, **parts: Any) -> Any:
    try:
        if options.vm:
            from toyvm.hypervisor import Vm

            return Vm(name, **parts)
        from toyvm.machine import Machine

        return Machine(**parts)
    except ValueError as error:
        fail(str(error))


def firmware(text: str) -> Any:
    """The value of --bios for a computer: "sbi", "none", a path, or an assembled firmware."""
    if text in ("sbi", "none"):
        return text
    path = Path(text).expanduser()
    if not path.is_file():
        near = did_you_mean(text, ("sbi", "none"))
        fail(f"--bios {text}: no such file; expected sbi, none or an ELF file{near}")
    if path.suffix.lower() == ".s":
        return open_image(text).data
    return path


def mtime_of(computer: Any) -> int:
    """Guest time in ticks."""
    value = computer.mtime
    return int(value() if callable(value) else value)


def guest_clock(computer: Any) -> Callable[[], int]:
    """Guest time in nanoseconds since the start."""
    from toyvm.platform import NS_PER_TICK

    return lambda: mtime_of(computer) * NS_PER_TICK


def warm_up(quiet: bool = False) -> None:
    """Compile the machine if this is the first run, and show that; fast afterwards."""
    from toyvm import jit

    if jit.is_warm():
        # What a run needs is loaded from the cache when it is first called.
        return
    from toyvm.hypervisor.warm import warm
    from toyvm.ui.progress import compile_progress

    with compile_progress(show=not quiet) as report:
        warm(report)
