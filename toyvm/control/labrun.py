"""A lab brought to life: images, disks, cables, VMs and the hypervisor that runs them.

`build_hypervisor` is the only place that knows how VMs and the hypervisor are constructed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from toyvm.network import PcapWriter, Switch
from toyvm.network.socket_peer import PeerError
from toyvm.platform import NS_PER_TICK, STEPS_PER_TICK, TIMEBASE_HZ
from toyvm.storage.disk import DiskError

from .backends import Card, lab_mac, open_drive, open_net
from .devices import make_device
from .labs import Lab, LabError, VmSpec

if TYPE_CHECKING:
    from toyvm.hypervisor import Hypervisor
    from toyvm.storage import Disk


class Image(Protocol):
    """What a lab needs of an image: its bytes for the loader and the firmware it asks for."""

    name: str
    data: Any
    bios: str


#: Opens an image by name; the second argument is the folder of the lab file.
Opener = Callable[[str, Path], Image]
Sink = Callable[[bytes], None]
#: With cables to other processes: what sleeping guests sleep at a time, a millisecond.
NAP_STEPS = TIMEBASE_HZ * STEPS_PER_TICK // 1000


@dataclass(frozen=True)
class Halt:
    """A guest that stands still for the debugger; the same fields as a machine's Stop."""

    reason: str
    code: int = 0
    detail: str = ""


@dataclass
class LabGuest:
    """One guest of a running lab with the host side of its hardware."""

    spec: VmSpec
    image: Image
    drives: list[Disk] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    vm: Any = None
    stop: Any = None
    disks_before: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The guest's name in the lab file."""
        return self.spec.name

    @property
    def exits(self) -> dict[str, int]:
        """The exit ledger: cause -> count."""
        return {str(cause): int(self.vm.ledger[cause]) for cause in self.vm.ledger}

    @property
    def sectors(self) -> int:
        """Sectors read and written by the guest."""
        stats = [block.stats for block in self.vm.board.blocks]
        return sum(s.sectors_read + s.sectors_written for s in stats)

    @property
    def frames(self) -> int:
        """Frames sent and received by the guest."""
        stats = [nic.stats for nic in self.vm.board.nics]
        return sum(s.frames_in + s.frames_out for s in stats)

    @property
    def state(self) -> str:
        """`running`, or how it ended."""
        if self.stop is None:
            return "running"
        if self.stop.reason == "exit":
            return f"exit {self.stop.code}"
        return str(self.stop.reason)


class RunningLab:
    """All guests of a lab under one hypervisor; `close` releases files and sockets."""

    def __init__(
        self,
        lab: Lab,
        guests: list[LabGuest],
        switches: dict[str, Switch],
        parallel: bool = False,
    ) -> None:
        self.lab = lab
        self.parallel = parallel
        self.guests = guests
        self.switches = switches
        self.hypervisor: Any = None
        self._told: set[str] = set()

    def guest(self, name: str) -> LabGuest:
        """The guest called `name`."""
        return next(guest for guest in self.guests if guest.name == name)

    @property
    def running(self) -> list[LabGuest]:
        """The guests that have not ended."""
        return [guest for guest in self.guests if guest.stop is None]

    def share(self, name: str) -> float:
        """The part of a physical hart that guest `name` has had while it wanted to run."""
        ran = self.guest(name).vm.steps
        stolen = self.hypervisor.stolen[name]
        return ran / (ran + stolen) if ran else 0.0

    def turn(self, steps: int) -> bool:
        """Rounds of slices for at most `steps` steps of each guest, or one round.

        True when nothing can happen any more although guests are left: all of them sleep, and
        neither a timer nor a frame will wake one.
        """
        # A guest may get all that the others leave, so no round is longer than this for anybody.
        weights = sum(guest.spec.weight for guest in self.running)
        longest = max(1, self.hypervisor.slice_steps * weights // 100)
        alive = self.hypervisor.advance(max(1, steps // longest))
        self._note_ends()
        return not alive and bool(self.running) and not self.remote

    def run(self, steps: int) -> tuple[str, Any] | None:
        """As `turn`, for a debugger: the guest that ended or reached a breakpoint, and why.

        Every guest's end is told once, also when several end in one round.
        """
        rounds = max(1, steps // self.hypervisor.slice_steps)
        for _ in range(rounds):
            ended = self._untold()
            if ended is not None:
                return ended
            alive = self.hypervisor.round()
            self._note_ends()
            for guest in self.running:
                if guest.vm.breakpoints and guest.vm.pc in guest.vm.breakpoints:
                    return guest.name, Halt("breakpoint")
            if not alive:
                return self._untold() or (self.guests[0].name, Halt("idle"))
        return self._untold()

    def _untold(self) -> tuple[str, Any] | None:
        for guest in self.guests:
            if guest.stop is not None and guest.name not in self._told:
                self._told.add(guest.name)
                return guest.name, guest.stop
        return None

    def _note_ends(self) -> None:
        for guest in self.running:
            guest.stop = guest.vm.stopped

    @property
    def remote(self) -> bool:
        """True when frames may arrive from outside of this process."""
        return any(card.remote for guest in self.running for card in guest.cards)

    def close(self) -> None:
        """Close disks, cables, switches' captures; end the threads."""
        if self.hypervisor is not None:
            self.hypervisor.close()
        for guest in self.guests:
            for card in guest.cards:
                card.close()
            for drive in guest.drives:
                drive.close()
        for switch in self.switches.values():
            if switch.capture is not None:
                switch.capture.close()


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Say where in the lab file the thing is asked for that cannot be opened."""
    try:
        yield
    except (LabError, DiskError, PeerError) as error:
        raise LabError(f"{where}: {error}" if where else str(error)) from None


def open_parts(lab: Lab, open_image: Opener, parallel: bool = False) -> RunningLab:
    """Open every image, disk and cable of the lab; whatever fails closes the rest again."""
    switches: dict[str, Switch] = {}
    running = RunningLab(lab, [], switches, parallel)
    index = 0
    try:
        for spec in lab.switches:
            capture = PcapWriter(spec.pcap) if spec.pcap else None
            switches[spec.name] = Switch(spec.name, capture=capture)
        for vm in lab.vms:
            with _named(vm.places.get("image", "")):
                guest = LabGuest(vm, open_image(vm.image, lab.base))
            running.guests.append(guest)
            with _named(vm.places.get("drive", "")):
                for drive in vm.drives:
                    guest.drives.append(open_drive(drive))
            with _named(vm.places.get("net", "")):
                for number, net in enumerate(vm.nets):
                    port = f"{vm.name}.{number}"
                    guest.cards.append(open_net(net, lab_mac(index), port, switches))
                    index += 1
    except BaseException:
        running.close()
        raise
    return running


def build_hypervisor(running: RunningLab, sinks: Mapping[str, Sink]) -> Hypervisor:
    """Make a VM of every guest on one hypervisor, with its image loaded; sets `guest.vm`.

    `sinks[name]` hears the console of guest `name`. LabError names the guest that cannot be.
    """
    from toyvm.machine import Console

    lab = running.lab
    try:
        hypervisor = _hypervisor(running)
    except ValueError as error:
        raise LabError(f"{lab.path}: {error}") from None
    for guest in running.guests:
        spec = guest.spec
        bios = spec.bios or guest.image.bios
        try:
            guest.vm = hypervisor.create(
                spec.name,
                spec.ram,
                bios=bios if bios in ("sbi", "none") else lab.base / bios,
                drives=guest.drives,
                nets=guest.cards,
                devices=[make_device(device, sinks.get(spec.name)) for device in spec.devices],
                virtio=spec.virtio,
                console=Console(sinks.get(spec.name)),
                append=spec.append,
                pmp=spec.pmp,
                vcpus=spec.vcpus,
                sstc=spec.sstc,
                ad_fault=spec.ad == "fault",
                **({"tier": spec.tier} if spec.tier else {}),
                weight=spec.weight,
                cap=spec.cap,
                reservation=spec.reservation,
            )
            guest.vm.load(guest.image.data)
        except ValueError as error:
            raise LabError(f"{lab.path}: vm.{spec.name}: {error}") from None
        for card in guest.cards:
            card.now_ns = _clock_of(guest.vm)
    hypervisor.switches = list(running.switches.values())
    first = running.guests[0].vm
    for switch in running.switches.values():
        switch.now_ns = _clock_of(first)
        switch.timekeeper = first.name
    return hypervisor


def _hypervisor(running: RunningLab) -> Hypervisor:
    """The hypervisor for a lab's guests, without VMs yet."""
    from toyvm.hypervisor import Hypervisor

    lab = running.lab
    rams = [guest.spec.ram for guest in running.guests]
    vcpus = [guest.spec.vcpus for guest in running.guests]
    host: dict[str, Any] = {
        "slice_steps": lab.slice_steps,
        "harts": lab.harts,
        "clock": lab.clock,
        "vcpus": vcpus,
    }
    if not running.remote:
        return Hypervisor(rams, **host, parallel=running.parallel)

    class HostTime(Hypervisor):
        """A neighbour in another process lives in host time: so does the sleep of these guests."""

        batch = 1

        def _distance(self, timers: list[int]) -> int | None:
            nap = min([NAP_STEPS, *timers])
            # Asleep, the clocks have also moved by a slice in this round.
            time.sleep((nap + self.slice_steps) / (TIMEBASE_HZ * STEPS_PER_TICK))
            return nap

    return HostTime(rams, **host)


def _clock_of(vm: Any) -> Callable[[], int]:
    """Guest time of `vm` in nanoseconds."""
    return lambda: int(vm.mtime()) * NS_PER_TICK


def start_lab(
    lab: Lab,
    open_image: Opener,
    sinks: Mapping[str, Sink] | None = None,
    parallel: bool = False,
) -> RunningLab:
    """Open everything and build the hypervisor: the lab is ready to run.

    With `parallel` its VMs run on threads side by side; LabError if a cable leads to another
    process, whose frames come at any time.
    """
    from toyvm.storage import disk_sha256

    running = open_parts(lab, open_image, parallel)
    if parallel and running.remote:
        running.close()
        raise LabError(
            f"{lab.path}: --parallel: a cable leads to another process (socket or listen); "
            "run this lab without it"
        )
    try:
        for guest in running.guests:
            guest.disks_before = [disk_sha256(drive) for drive in guest.drives]
        running.hypervisor = build_hypervisor(running, sinks or {})
    except BaseException:
        running.close()
        raise
    return running
