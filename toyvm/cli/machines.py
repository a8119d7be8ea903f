"""From options to a machine or VM that is loaded and ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toyvm.platform import MAX_HARTS
from toyvm.ui.text import did_you_mean, either

from .errors import fail, say
from .images import LoadedImage, open_guest, open_image, shipped_guests

TECHNIQUES = {
    "u": "the guest's kernel runs in user mode and its privileged instructions trap",
    "s": "the guest's kernel runs in supervisor mode with TVM, TW and TSR set",
    "pv": "as s, and the guest may call the hypervisor instead of trapping",
    "upv": "as u, with the calls of pv",
}
SHADOWS = ("lazy", "protect")


@dataclass(frozen=True)
class MachineOptions:
    """The hardware that the options of `run` and `debug` describe, as typed."""

    image: str
    vm: bool = False
    technique: str = "u"
    shadow: str = "lazy"
    ram: str = ""
    bios: str = ""
    append: str = ""
    drives: tuple[str, ...] = ()
    nets: tuple[str, ...] = ()
    virtio: str = "legacy"
    harts: int | None = None
    """None: what the image asks for."""
    pmp: int = 16
    tier: int = 0
    serial: str = "stdio"
    devices: tuple[str, ...] = ()
    initrd: str = ""
    dtb: str = ""
    sstc: bool = False
    ad: str = ""


@dataclass
class Built:
    """A loaded computer with what it was made from; `close` releases files and sockets."""

    computer: Any
    image: LoadedImage
    drives: list[Any] = field(default_factory=list)
    cards: list[Any] = field(default_factory=list)
    ram: int = 0
    bios: str = ""
    lines: list[tuple[Any, Callable[[bytes], None]]] = field(default_factory=list)
    """Serial lines that lead elsewhere than to stdio, each with what feeds its device."""
    keyboards: list[Callable[[bytes], None]] = field(default_factory=list)
    """What takes the bytes of stdin."""

    reboots: int = 0
    spent: int = 0
    """Steps before the last reboot."""

    def restart(self) -> None:
        """The guest asked for a reboot."""
        self.reboots += 1
        self.spent += self.computer.steps
        self.computer.restart()

    @property
    def remote(self) -> bool:
        """True when frames may come from another process."""
        return any(card.remote for card in self.cards)

    def descriptors(self) -> list[int]:
        """Where to wait for frames from other processes."""
        parts = [*self.cards, *(line for line, _ in self.lines)]
        return [number for part in parts if (number := part.fileno()) >= 0]

    @property
    def attended(self) -> bool:
        """True while input may come through a serial line that is not stdio."""
        return any(line.attended for line, _ in self.lines)

    def type(self, data: bytes) -> None:
        """Bytes of stdin, for whoever reads it."""
        for feed in self.keyboards:
            feed(data)

    def pump(self) -> None:
        """Move bytes between the guest and its serial lines."""
        for line, feed in self.lines:
            data = line.pump()
            if data:
                feed(data)

    def close(self) -> None:
        """Close disks, cables, captures and serial lines."""
        for part in (*(line for line, _ in self.lines), *self.cards, *self.drives):
            part.close()


def choice(value: str, known: Sequence[str], what: str) -> str:
    """`value` if it is one of `known`; a usage error otherwise."""
    if value not in known:
        fail(f'{what} "{value}": expected {either(known)}{did_you_mean(value, known)}')
    return value


def check(options: MachineOptions, both: bool = False) -> None:
    """Refuse combinations that need no file to be judged.

    `both`: the image runs bare and virtualised, so what is for VMs is not in vain.
    """
    choice(options.virtio, ("legacy", "modern"), "--virtio")
    choice(options.technique, tuple(TECHNIQUES), "--technique")
    if options.ad:
        choice(options.ad, ("hardware", "fault"), "--ad")
    if options.harts is not None and not 1 <= options.harts <= MAX_HARTS:
        fail(f"--harts {options.harts}: expected 1 to {MAX_HARTS}")
    if not 0 <= options.pmp <= 16:
        fail(f"--pmp {options.pmp}: expected 0 to 16, 0 for kernels that never open PMP")
    choice(options.shadow, SHADOWS, "--shadow")
    if not (options.vm or both) and (options.technique, options.shadow) != ("u", "lazy"):
        fail("--technique and --shadow need --vm: a bare machine has no hypervisor")
    check_tier(options.tier)


def check_tier(tier: int) -> None:
    """Refuse a --tier that does not exist."""
    if tier not in (0, 1, 2):
        fail(f"--tier {tier}: expected 1 (interpreter) or 2 (translation of hot code as well)")


def tier_of(tier: int) -> dict[str, int]:
    """The argument of a Machine or Vm for --tier; 0 leaves it to them."""
    return {"tier": tier} if tier else {}


def build(
    options: MachineOptions,
    sink: Callable[[bytes], None] | None = None,
    image: LoadedImage | None = None,
) -> Built:
    """Make the computer and load it. `sink` hears the guest's console.

    The options have passed `check`.
    """
    from toyvm.control.backends import lab_mac, open_drive, open_net
    from toyvm.control.devices import make_rng, parse_device
    from toyvm.control.serial import SerialSpec, open_serial, parse_serial
    from toyvm.control.specs import parse_drive, parse_net, parse_ram
    from toyvm.devices.virtio_console import VirtioConsole

    if options.ram:
        parse_ram(options.ram)
    for what, text in (("--initrd", options.initrd), ("--dtb", options.dtb)):
        if text and not Path(text).exists():
            fail(f"{what} {text}: no such file")
        if text and Path(text).is_dir():
            fail(f"{what} {text}: a directory; expected a file")
    drive_specs = [parse_drive(text) for text in options.drives]
    net_specs = [parse_net(text) for text in options.nets]
    serial_spec = parse_serial(options.serial)
    device_specs = [parse_device(text) for text in options.devices]
    image = open_image(options.image) if image is None else image
    ram = parse_ram(options.ram or image.ram)
    bios = firmware(options.bios or image.bios)
    from toyvm.machine import Console

    drives: list[Any] = []
    cards: list[Any] = []
    lines: list[Any] = []
    devices: list[Any] = []
    # For each user of a serial line: its backend, or None for stdio, and what feeds it.
    users: list[tuple[Any, Callable[[bytes], None]]] = []

    def attach(spec: SerialSpec) -> tuple[Any, Callable[[bytes], None] | None]:
        if spec.kind == "stdio":
            return None, sink
        lines.append(open_serial(spec, say))
        return lines[-1], lines[-1].write

    try:
        for spec in drive_specs:
            drives.append(open_drive(spec))
        for index, net in enumerate(net_specs):
            cards.append(open_net(net, lab_mac(index)))
        serial, output = attach(serial_spec)
        for device in device_specs:
            if device.serial is None:
                devices.append(make_rng(device))
                continue
            line, out = attach(device.serial)
            devices.append(VirtioConsole(out or (lambda data: None)))
            users.append((line, devices[-1].feed))
        computer = _computer(
            options,
            name=image.name,
            harts=image.harts if options.harts is None else options.harts,
            ram=ram,
            bios=bios,
            drives=drives,
            nets=cards,
            virtio=options.virtio,
            console=Console(output),
            append=options.append,
            pmp=options.pmp,
            **tier_of(options.tier),
            devices=devices,
            initrd=options.initrd or None,
            dtb=options.dtb or None,
            sstc=options.sstc or image.sstc,
            ad_fault=(options.ad or image.ad) == "fault",
        )
        users.append((serial, computer.feed))
        computer.load(image.data)
    except BaseException:
        for part in (*lines, *cards, *drives):
            part.close()
        raise
    for card in cards:
        card.now_ns = guest_clock(computer)
    elsewhere = [(line, feed) for line, feed in users if line is not None]
    here = [feed for line, feed in users if line is None]
    return Built(computer, image, drives, cards, ram, str(bios), elsewhere, here)


def _computer(options: MachineOptions, name: str, harts: int, **parts: Any) -> Any:
    try:
        if options.vm:
            from toyvm.hypervisor import Vm

            return Vm(
                name,
                vcpus=harts,
                technique=options.technique,
                shadow_mode=options.shadow,
                **parts,
            )
        from toyvm.machine import Machine

        return Machine(harts=harts, **parts)
    except ValueError as error:
        fail(str(error))


def firmware(text: str) -> Any:
    """The value of --bios for a computer: "sbi", "none", a path, or an assembled firmware."""
    if text in ("sbi", "none"):
        return text
    path = Path(text).expanduser()
    if path.is_dir():
        fail(f"--bios {text}: a directory; expected sbi, none, an ELF file or a flat binary")
    if not path.exists():
        shipped = [guest.name for guest in shipped_guests() if guest.kind == "firmware"]
        if text in shipped:
            return open_guest(text).data
        near = did_you_mean(text, ("sbi", "none", *shipped))
        others = [name for name in shipped if name != "sbi"]
        known = either(("sbi", "none", "an ELF file", "a flat binary", *others))
        fail(f"--bios {text}: no such file; expected {known}{near}")
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
