"""The board: the devices of QEMU's `virt` on a bus, for the machine and for a VM alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from toyvm import platform
from toyvm.devices.bus import Bus
from toyvm.devices.clint import Clint
from toyvm.devices.dma import DmaMemory
from toyvm.devices.finisher import Finisher
from toyvm.devices.irq import IrqLine
from toyvm.devices.plic import Plic
from toyvm.devices.rtc import Rtc
from toyvm.devices.uart import Uart16550
from toyvm.devices.virtio import VirtioDevice
from toyvm.devices.virtio_blk import VirtioBlk
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtio_net import VirtioNet

EPOCH_NS: Final = 1_767_225_600_000_000_000
"""What the real-time clock shows when a machine starts: 2026-01-01, the same in every run."""
_KEEP: Final = 4 << 20


class NetBackend(Protocol):
    """The host side of a NIC: a switch port, a socket peer, or nothing at all."""

    on_frame: Callable[[bytes], None] | None

    def send(self, frame: bytes) -> None:
        """Take a frame that the guest sent."""


class HartPort(Protocol):
    """What the board needs of the hart's owner: its clock and its interrupt lines."""

    def mtime(self) -> int: ...
    def set_mtime(self, ticks: int) -> None: ...
    def set_timecmp(self, hart: int, ticks: int) -> None: ...
    def set_line(self, bit: int, level: bool, hart: int = 0) -> None: ...
    def exited(self, kind: str, code: int) -> None: ...
    def failed(self, error: Exception) -> object: ...


class Console:
    """Bytes between a guest and its user: output is kept (the last 4 MiB) and passed on.

    `sink(data)` hears every byte as it is written; `feed` queues input.
    """

    def __init__(self, sink: Callable[[bytes], None] | None = None) -> None:
        self.sink = sink
        self._output = bytearray()
        self.written = 0
        """Bytes written in all."""
        self._input = bytearray()

    @property
    def output(self) -> bytes:
        """The last 4 MiB that the guest wrote."""
        return bytes(self._output[-_KEEP:])

    def write(self, data: bytes) -> None:
        """Take bytes of the guest."""
        self.written += len(data)
        self._output += data
        if len(self._output) > 2 * _KEEP:
            del self._output[:-_KEEP]
        if self.sink:
            self.sink(data)

    def feed(self, data: bytes) -> None:
        """Queue input for an SBI console."""
        self._input += data

    def get(self) -> int:
        """The next byte of input, -1 if there is none."""
        if not self._input:
            return -1
        byte = self._input[0]
        del self._input[0]
        return byte


def default_mac(index: int) -> bytes:
    """MAC address of NIC `index` where nobody chose one: QEMU's first addresses."""
    return bytes((0x52, 0x54, 0, 0x12, 0x34, (0x56 + index) & 255))


def _line(port: HartPort, bit: int, hart: int) -> IrqLine:
    """The line of an interrupt controller to bit `bit` of a hart's mip."""
    return lambda level: port.set_line(bit, level, hart)


class Board:
    """All devices, wired to each other, to memory and to the hart's owner.

    NICs whose backend has no `mac` get the addresses `default_mac(first_mac)` and up.  Drives have
    the first virtio slots, then come NICs, then `devices`.
    """

    def __init__(
        self,
        port: HartPort,
        memory: DmaMemory,
        console: Console,
        drives: Sequence[Any] = (),
        nets: Sequence[Any] = (),
        virtio: str = "legacy",
        first_mac: int = 0,
        devices: Sequence[VirtioDevice] = (),
        harts: int = 1,
    ) -> None:
        if virtio not in ("legacy", "modern"):
            raise ValueError(f"virtio {virtio!r}: expected legacy or modern")
        if len(drives) + len(nets) + len(devices) > platform.VIRTIO_SLOTS:
            more = f" and {len(devices)} further devices" if devices else ""
            raise ValueError(
                f"{len(drives)} drives{',' if more else ' and'} {len(nets)} NICs{more}: a machine "
                f"has {platform.VIRTIO_SLOTS} virtio slots; leave some out"
            )
        self._port = port
        self.bus = Bus()
        self.console = console
        self.clint = Clint(
            now=port.mtime,
            set_timecmp=port.set_timecmp,
            set_msip=lambda hart, level: port.set_line(3, level, hart),
            harts=harts,
            set_time=port.set_mtime,
        )
        self.plic = Plic([_line(port, bit, hart) for hart in range(harts) for bit in (11, 9)])
        self.uart = Uart16550(self.plic.line(platform.UART0_IRQ), console.write)
        self.rtc = Rtc(
            lambda: EPOCH_NS + port.mtime() * platform.NS_PER_TICK,
            self.plic.line(platform.RTC_IRQ),
        )
        self.finisher = Finisher(port.exited)
        self.bus.attach(platform.FINISHER_BASE, self.finisher, "finisher")
        self.bus.attach(platform.RTC_BASE, self.rtc, "rtc")
        self.bus.attach(platform.CLINT_BASE, self.clint, "clint")
        self.bus.attach(platform.PLIC_BASE, self.plic, "plic")
        self.bus.attach(platform.UART0_BASE, self.uart, "uart0")
        self.blocks = [VirtioBlk(drive) for drive in drives]
        self.nics: list[VirtioNet] = []
        self.nets = list(nets)
        for index, net in enumerate(nets):
            nic = VirtioNet(getattr(net, "mac", None) or default_mac(first_mac + index), net.send)
            net.on_frame = self._guarded(nic.receive)
            self.nics.append(nic)
        self.devices = list(devices)
        models: list[Any] = [*self.blocks, *self.nics, *self.devices]
        models += [None] * (platform.VIRTIO_SLOTS - len(models))
        self.transports: list[VirtioMmio] = []
        self._served: list[VirtioMmio] = []
        for slot, model in enumerate(models):
            transport = VirtioMmio(
                model, memory, self.plic.line(platform.VIRTIO_IRQ + slot), virtio == "legacy"
            )
            self.transports.append(transport)
            if model is not None:
                self._served.append(transport)
            self.bus.attach(platform.virtio_base(slot), transport, f"virtio{slot}")

    def _guarded(self, receive: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """`receive` for callers outside this machine's run: what it raises ends this machine."""

        def on_frame(frame: bytes) -> None:
            try:
                receive(frame)
            except Exception as error:
                self._port.failed(error)

        return on_frame

    def reset(self) -> None:
        """Power-on state of every device."""
        self.bus.reset()

    def poll(self) -> None:
        """Let the host sides of the NICs hand over what has arrived."""
        for net in self.nets:
            poll = getattr(net, "poll", None)
            if poll:
                poll()
        for device in self.devices:
            device.poll()
        self.rtc.poll()
        self.work()

    def deadline(self) -> int | None:
        """mtime at which a device next does something by itself: the clock's alarm."""
        alarm = self.rtc.alarm_in
        if alarm is None:
            return None
        return self._port.mtime() + -(-alarm // platform.NS_PER_TICK)

    def work(self) -> None:
        """Go on with virtio requests that a notification left over: its work is bounded."""
        for transport in self._served:
            if transport.busy:
                transport.poll()

    @property
    def quiet(self) -> bool:
        """True if the host's side can neither bring anything nor has work left over."""
        if self.nets or self.devices or self.rtc.armed:
            return False
        return not any(transport.busy for transport in self._served)
