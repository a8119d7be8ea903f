"""Any access to any device: a defined value or an access fault, and never an exception.

The environment variable TOYVM_FUZZ (a factor) makes a longer campaign of it.
"""

from __future__ import annotations

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.memory import GuardedMemory
from toyvm import platform
from toyvm.devices.bus import Bus
from toyvm.devices.clint import Clint
from toyvm.devices.finisher import Finisher
from toyvm.devices.plic import Plic
from toyvm.devices.rtc import Rtc
from toyvm.devices.uart import Uart16550
from toyvm.devices.virtio_blk import VirtioBlk
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtio_net import VirtioNet
from toyvm.storage import MemoryDisk

FACTOR = int(os.environ.get("TOYVM_FUZZ", "1"))


class Board:
    """Every device at its place, wired to each other, with a little RAM for DMA."""

    def __init__(self) -> None:
        self.time = 0
        self.memory = GuardedMemory(1 << 16)
        self.outputs = [False] * 4
        self.bus = Bus()
        plic = Plic([self._output(n) for n in range(4)])
        self.net = VirtioNet(b"\x52\x54\0\0\0\1", lambda frame: self.net.receive(frame))
        backends = [VirtioBlk(MemoryDisk(1 << 15)), self.net, None, None]
        attach = self.bus.attach
        attach(platform.FINISHER_BASE, Finisher(lambda kind, code: None), "finisher")
        attach(platform.RTC_BASE, Rtc(lambda: self.time, plic.line(platform.RTC_IRQ)), "rtc")
        clint = Clint(
            lambda: self.time,
            lambda hart, ticks: None,
            lambda hart, level: None,
            2,
            lambda ticks: setattr(self, "time", ticks),
        )
        attach(platform.CLINT_BASE, clint, "clint")
        attach(platform.PLIC_BASE, plic, "plic")
        self.uart = Uart16550(plic.line(platform.UART0_IRQ), lambda data: None)
        attach(platform.UART0_BASE, self.uart, "uart")
        for n, backend in enumerate(backends):
            slot = VirtioMmio(
                backend, self.memory, plic.line(platform.virtio_irq(n)), legacy=n % 2 == 0
            )
            attach(platform.virtio_base(n), slot, f"virtio{n}")
        self.bus.reset()

    def _output(self, n: int):
        def drive(level: bool) -> None:
            self.outputs[n] = level

        return drive

    def access(self, pa: int, width: int, value: int | None) -> None:
        if value is None:
            got = self.bus.read(pa, width)
            assert got is None or (isinstance(got, int) and 0 <= got < 1 << 8 * width)
        else:
            assert self.bus.write(pa, width, value) in (True, False)


BASES = [
    platform.FINISHER_BASE,
    platform.RTC_BASE,
    platform.CLINT_BASE,
    platform.CLINT_BASE + 0x4000,
    platform.CLINT_BASE + 0xBFF0,
    platform.PLIC_BASE,
    platform.PLIC_BASE + 0x1000,
    platform.PLIC_BASE + 0x2000,
    platform.PLIC_BASE + 0x20_0000,
    platform.PLIC_BASE + 0x20_1000,
    platform.UART0_BASE,
    *(platform.virtio_base(n) for n in range(4)),
    *(platform.virtio_base(n) + 0x100 for n in range(4)),
]
addresses = st.one_of(
    st.builds(lambda base, offset: base + offset, st.sampled_from(BASES), st.integers(-8, 0x110)),
    st.integers(-(1 << 34), 1 << 66),
)
widths = st.sampled_from([1, 2, 4, 4, 4, 8, 0, 3, -1, 16])
values = st.one_of(
    st.none(),
    st.integers(0, 255),
    st.integers(0, 0xFFFF_FFFF),
    st.sampled_from([0x8_0000, 0x8000_0000, 0x8000_1000, 0xFFFF_FFFF, -1, 1 << 70]),
)


@settings(max_examples=300 * FACTOR, deadline=None)
@given(st.lists(st.tuples(addresses, widths, values), max_size=60))
def test_chosen_accesses(script):
    board = Board()
    for pa, width, value in script:
        board.access(pa, width, value)
    board.memory.check()


@settings(max_examples=200 * FACTOR, deadline=None)
@given(st.integers(-(1 << 40), 1 << 70), st.integers(-2, 20), st.integers(-(1 << 70), 1 << 70))
def test_devices_asked_directly(offset, width, value):
    """Without the bus in front, as a careless caller would."""
    for window in Board().bus.windows:
        got = window.device.read(offset, width)
        assert got is None or 0 <= got < 1 << 8 * width
        assert window.device.write(offset, width, value) in (True, False)


def test_a_long_random_walk():
    """One board, very many aligned accesses: states that short scripts never reach."""
    rng = random.Random(20)
    board = Board()
    for _ in range(150_000 * FACTOR):
        width = rng.choice((1, 2, 4, 4, 4))
        pa = (rng.choice(BASES) + rng.randrange(0x118)) & -width
        value = None if rng.random() < 0.4 else rng.choice((rng.getrandbits(32), rng.randrange(16)))
        if value is not None and rng.random() < 0.1:
            value = 0x8_0000 + rng.randrange(16)
        board.access(pa, width, value)
        if rng.random() < 0.01:
            board.uart.feed(b"input")
            board.net.receive(bytes(60))
            board.time += rng.randrange(1000)
    board.memory.check()
