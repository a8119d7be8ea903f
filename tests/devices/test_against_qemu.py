"""The same accesses on our devices and on QEMU's ``virt`` board, side by side.

QEMU runs stopped behind its qtest socket, so no guest is needed and nothing happens by itself.
Where QEMU departs from a specification, the comparison stays away from that place and says so.
"""

from __future__ import annotations

import random
import struct
import time
from pathlib import Path

import pytest

from tests.devices.driver import BlockDriver, Driver, Qemu
from tests.devices.memory import RAM
from tests.devices.qtest import QTest, needs_qemu
from tests.devices.slots import SECTORS, BlockSlot, NetSlot, disk_content
from toyvm import platform
from toyvm.devices.clint import Clint
from toyvm.devices.finisher import Finisher
from toyvm.devices.plic import Plic
from toyvm.devices.rtc import Rtc
from toyvm.devices.uart import Uart16550
from toyvm.devices.virtio_mmio import VirtioMmio

pytestmark = needs_qemu

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
MODERN = ["-global", "virtio-mmio.force-legacy=false"]


@pytest.fixture
def board(tmp_path: Path):
    with QTest(tmp_path) as board:
        yield board


def test_uart(board):
    """Random accesses; the receive trigger stays at one byte, because QEMU's timeout interrupt
    needs a running clock."""
    rng = random.Random(16550)
    uart = Uart16550(lambda level: None, lambda data: None)
    uart.reset()
    history = []
    for _ in range(3000):
        offset, width = rng.choice([(n, 1) for n in range(8)] + [(0, 2), (2, 2), (4, 4), (0, 4)])
        address = platform.UART0_BASE + offset
        if rng.random() < 0.5:
            history.append(("read", offset, width))
            assert uart.read(offset, width) == board.load(address, width), history[-20:]
            continue
        value = rng.getrandbits(8 * width)
        if offset == 2:
            value = rng.choice((0x00, 0x01, 0x03, 0x05, 0x07))
        elif offset in (3, 4) and rng.random() < 0.7:
            value = rng.choice((0x00, 0x03, 0x10, 0x1F))
        history.append(("write", offset, width, value))
        board.store(address, width, value)
        assert uart.write(offset, width, value)


def test_uart_with_all_trigger_levels(tmp_path):
    """The interrupt is looked at when more time has passed than four characters take, as it always
    has for us.  Then QEMU reports the timeout even where the trigger level is reached."""
    rng = random.Random(16551)
    uart = Uart16550(lambda level: None, lambda data: None)
    uart.reset()
    history = []
    causes = set()
    with QTest(tmp_path, running=True) as board:

        def store(offset: int, value: int) -> None:
            history.append(("write", offset, value))
            board.store(platform.UART0_BASE + offset, 1, value)
            assert uart.write(offset, 1, value)

        for offset, value in ((3, 0x83), (0, 1), (1, 0), (3, 0x03)):  # as fast as it gets
            store(offset, value)
        for _ in range(700):
            offset = rng.choice((0, 0, 1, 2, 2, 2, 4, 5, 6))
            if rng.random() < 0.5:
                if offset == 2:
                    time.sleep(0.005)
                mine, theirs = uart.read(offset, 1), board.load(platform.UART0_BASE + offset, 1)
                history.append(("read", offset, mine, theirs))
                if offset == 2 and (mine, theirs) == (0xC4, 0xCC):
                    mine = theirs
                assert mine == theirs, history[-20:]
                if offset == 2:
                    causes.add(mine & 15)
                continue
            value = rng.getrandbits(8)
            if offset == 1:
                value = rng.choice((0, 1, 2, 3, 5, 7, 15))
            elif offset == 2:
                value = rng.choice((0x00, 0x01, 0x41, 0x81, 0xC1, 0xC1, 0x83))
            elif offset == 4:
                value = rng.choice((0x10, 0x1B, 0x1F, 0x0B))
            for _ in range(rng.choice((1, 1, 5, 17)) if offset == 0 else 1):
                store(offset, value)
    assert causes == {1, 2, 4, 6, 12}


def test_rtc(tmp_path):
    """QEMU's clock stands still, so both see the same time, and alarms are past or far away."""
    rng = random.Random(11)
    base = platform.RTC_BASE
    with QTest(tmp_path, "-rtc", "clock=vm") as board:
        now = board.load(base, 4) | board.load(base + 4, 4) << 32
        lines = []
        rtc = Rtc(lambda: now, lines.append)
        rtc.read(0, 4)
        board.store(platform.PLIC_BASE + 0x2000, 4, 1 << 11)
        board.store(platform.PLIC_BASE + 4 * 11, 4, 1)
        high, fired = False, 0
        for _ in range(3000):
            offset = rng.choice((0, 4, 8, 8, 12, 12, 16, 20, 24, 28, 32))
            if rng.random() < 0.5:
                assert rtc.read(offset, 4) == board.load(base + offset, 4), offset
                continue
            value = rng.choice((0, 1, 0xFFFF_FFFF, rng.getrandbits(32)))
            board.store(base + offset, 4, value)
            lines.clear()
            rtc.write(offset, 4, value)
            # The PLIC remembers that the line was high until somebody claims it.
            claimed = board.load(platform.PLIC_BASE + 0x20_0004, 4)
            if any(lines):
                assert claimed == 11
                board.store(platform.PLIC_BASE + 0x20_0004, 4, 11)
                fired += 1
            else:
                assert claimed == 0 or high
            high = lines[-1] if lines else high
        assert fired > 20


def test_clint(board):
    rng = random.Random(1)
    clint = Clint(lambda: 0, lambda hart, ticks: None, lambda hart, level: None, 1)
    registers = [0x0, 0x4, 0x8, 0x4000, 0x4004, 0x4008, 0x400C, 0x8000]
    for offset in (0x4000, 0x4004):
        board.store(platform.CLINT_BASE + offset, 4, 0xFFFF_FFFF)
    for _ in range(500):
        offset = rng.choice(registers)
        if rng.random() < 0.5:
            value = rng.getrandbits(32)
            board.store(platform.CLINT_BASE + offset, 4, value)
            assert clint.write(offset, 4, value)
        assert clint.read(offset, 4) == board.load(platform.CLINT_BASE + offset, 4), hex(offset)


def test_plic(board):
    """One real source, the UART: its transmit interrupt comes and goes, in service or not, with or
    without an acknowledgement.  QEMU's claim obeys the threshold, it completes for a context that
    has the source disabled, and bit 0 of the enable words can be set there: the script touches
    none of it."""
    rng = random.Random(2)
    plic = Plic([lambda level: None, lambda level: None])
    uart = Uart16550(plic.line(platform.UART0_IRQ), lambda data: None)
    base = platform.PLIC_BASE

    def store(offset: int, value: int) -> None:
        board.store(base + offset, 4, value)
        assert plic.write(offset, 4, value)

    def same(offset: int) -> int:
        value = plic.read(offset, 4)
        assert value == board.load(base + offset, 4), hex(offset)
        return value

    def interrupt(level: bool) -> None:
        board.store(platform.UART0_BASE + 1, 1, 2 * level)
        uart.write(1, 1, 2 * level)

    in_service = False
    served = withheld = 0
    for _ in range(3000):
        context = rng.randrange(2)
        claim = 0x20_0004 + 0x1000 * context
        match rng.randrange(9):
            case 0:
                store(4 * rng.randrange(1, 96), rng.getrandbits(32))
            case 1:
                store(40, rng.randrange(1, 8))
            case 2:
                at = 0x2000 + 0x80 * context + 4 * rng.randrange(3)
                store(at, rng.getrandbits(32) & ~1)
                same(at)
            case 3:
                interrupt(True)
            case 4:
                interrupt(False)
            case 5:
                source = same(claim)
                served += source == 10
                withheld += source == 0 and uart.read(5, 1) == board.load(
                    platform.UART0_BASE + 5, 1
                )
                in_service |= source == 10
            case 7:
                board.store(platform.UART0_BASE, 1, 65)
                uart.write(0, 1, 65)
            case 8:
                assert uart.read(2, 1) == board.load(platform.UART0_BASE + 2, 1)
            case 6 if in_service:
                for c in (0, 1):  # a completion counts only where the source is enabled
                    store(0x2000 + 0x80 * c, 1 << 10)
                store(claim, 10)
                in_service = False
        same(0x1000)
        same(4 * rng.randrange(1, 96))
    assert served > 50
    assert withheld > 50


def test_finisher_reads_as_zero(board):
    finisher = Finisher(lambda kind, code: None)
    for offset in (0, 4, 0xFFC):
        assert finisher.read(offset, 4) == board.load(platform.FINISHER_BASE + offset, 4)


@LAYOUTS
def test_empty_slots(tmp_path, legacy):
    with QTest(tmp_path, *([] if legacy else MODERN)) as board:
        slot = VirtioMmio(None, None, lambda level: None, legacy)  # type: ignore[arg-type]
        for offset in range(0, 0x200, 4):
            assert slot.read(offset, 4) == board.load(platform.virtio_base(3) + offset, 4)


def block_pair(tmp_path: Path, legacy: bool, read_only: bool = False):
    image = tmp_path / "disk.img"
    image.write_bytes(disk_content())
    drive = f"file={image},format=raw,if=none,id=d0,cache=writethrough"
    args = ["-drive", drive + (",readonly=on" if read_only else "")]
    args += [
        "-device",
        "virtio-blk-device,drive=d0,serial=serial-0001-abcdefgh,bus=virtio-mmio-bus.0",
    ]
    return image, QTest(tmp_path, *args, *([] if legacy else MODERN))


@LAYOUTS
def test_block_device_registers(tmp_path, legacy):
    _, qemu = block_pair(tmp_path, legacy)
    with qemu:
        ours = BlockSlot(legacy, driver=False).machine
        theirs = Qemu(qemu, platform.virtio_base(0))
        for offset in (0x00, 0x04, 0x08, 0x0C, 0x34, 0x40, 0x44, 0x60, 0x70):
            assert ours.load(offset) == theirs.load(offset), hex(offset)
        ours_driver, their_driver = BlockDriver(ours, RAM), BlockDriver(theirs, RAM)
        # Everything else that we offer is known to QEMU too; ANY_LAYOUT it does without saying.
        only_ours = 1 << 1 | (1 << 27 if legacy else 0)
        assert ours_driver.offered & ~their_driver.offered == only_ours
        # It offers besides: SCSI commands (legacy), and a reset of a single queue (modern).
        only_theirs = 1 << 7 if legacy else 1 << 40
        assert their_driver.offered & ~ours_driver.offered == only_theirs
        # All but the largest buffer (8), the cache mode that block_pair chooses (32) and the most
        # sectors to discard (36) and to zero (48), for which we set smaller limits.
        for at, size in ((0, 8), (12, 20), (33, 3), (40, 8), (52, 8)):
            mine, other = (d.config(at + size)[at:] for d in (ours_driver, their_driver))
            assert mine == other, f"configuration bytes {at} to {at + size}"


REQUESTS = [
    *[(0, sector, b"", 512 * count, 0) for sector, count in ((0, 1), (5, 3), (63, 1), (0, 64))],
    *[(1, sector, bytes(range(256)) * 2, 0, split) for sector, split in ((1, 0), (2, 7), (63, 64))],
    (0, 0, b"", 64 * 512, 0),
    (4, 0, b"", 0, 0),
    (8, 0, b"", 20, 0),
    # refused with IOERR
    (0, 64, b"", 512, 0),
    (0, 63, b"", 1024, 0),
    (0, 1 << 63, b"", 512, 0),
    (0, 0, b"", 511, 0),
    (1, 64, bytes(512), 0, 0),
    (1, 0, bytes(513), 0, 0),
    (11, 0, struct.pack("<QII", 63, 2, 0), 0, 0),
    (13, 0, struct.pack("<QII", 1 << 63, 1, 0), 0, 0),
    # refused with UNSUPP
    (99, 0, b"", 0, 0),
    (14, 0, bytes(16), 0, 0),
    (11, 0, struct.pack("<QII", 0, 1, 1), 0, 0),
    (13, 0, struct.pack("<QII", 0, 1, 2), 0, 0),
    # and zeroes
    (13, 0, struct.pack("<QII", 10, 4, 0), 0, 0),
    (0, 9, b"", 512 * 6, 0),
]


@LAYOUTS
def test_block_requests(tmp_path, legacy):
    image, qemu = block_pair(tmp_path, legacy)
    with qemu:
        features = 1 << 13 | 1 << 14
        ours = BlockSlot(legacy, accept=features, size=128)
        theirs = BlockDriver(Qemu(qemu, platform.virtio_base(0)), RAM, 128, features)
        for kind, sector, data, room, split in REQUESTS:
            mine = ours.driver.submit(kind, sector, data, room, split)
            other = theirs.submit(kind, sector, data, room, split)
            assert mine[1] == other[1], f"status of {kind} at {sector}"
            if mine[1] == 0:
                assert mine == other, f"answer to {kind} at {sector}"
            assert theirs.interrupt == ours.driver.interrupt == 1
            theirs.acknowledge()
            ours.driver.acknowledge()
    assert image.read_bytes() == ours.disk.read(0, SECTORS)


@LAYOUTS
def test_read_only_block_requests(tmp_path, legacy):
    _, qemu = block_pair(tmp_path, legacy, read_only=True)
    with qemu:
        ours = BlockSlot(legacy, read_only=True)
        theirs = BlockDriver(Qemu(qemu, platform.virtio_base(0)), RAM)
        assert theirs.offered & 1 << 5 == ours.driver.offered & 1 << 5 != 0
        for request in ((1, 0, bytes(512)), (0, 3, b"", 512), (4, 0)):
            assert ours.driver.submit(*request)[1] == theirs.submit(*request)[1]


@LAYOUTS
def test_network_card_registers(tmp_path, legacy):
    args = ["-netdev", "user,id=n0", "-device"]
    args += ["virtio-net-device,netdev=n0,mac=52:54:00:aa:bb:cc,bus=virtio-mmio-bus.0"]
    try:
        qemu = QTest(tmp_path, *args, *([] if legacy else MODERN))
    except AssertionError:
        pytest.skip("this QEMU has no user network")
    with qemu:
        net = NetSlot(legacy)
        theirs = Driver(Qemu(qemu, platform.virtio_base(0)), RAM, 2)
        assert theirs.device_id == net.driver.device_id == 1
        assert net.driver.offered & ~theirs.offered == 0
        # It offers besides: offloads that may change, announcements, and what all devices do.
        more = (1 << 6 if legacy else 1 << 40) | 1 << 2 | 1 << 21
        assert theirs.offered & ~net.driver.offered == more
        assert theirs.config(8) == net.driver.config(8)


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("accept", [0, 1 << 24], ids=["", "on empty"])
def test_interrupts_that_the_driver_does_not_want(tmp_path, accept, event_idx):
    """With NOTIFY_ON_EMPTY (legacy) an emptied ring interrupts all the same."""
    accept |= event_idx << 29
    _, qemu = block_pair(tmp_path, legacy=True)
    with qemu:
        ours = BlockSlot(True, accept=accept).driver
        theirs = BlockDriver(Qemu(qemu, platform.virtio_base(0)), RAM, 16, accept)
        for driver in (ours, theirs):
            # The flag says no interrupt; with event indices it is one that is never reached.
            driver.machine.write(driver.queue.avail, b"\1\0")
            driver.machine.write(driver.queue.avail + 4 + 2 * 16, b"\x00\x80")
            # QEMU tells of the first request in any case.
            driver.submit(0, 0, b"", 512)
            driver.acknowledge()
            driver.submit(0, 0, b"", 512)
        assert ours.interrupt == theirs.interrupt == accept >> 24 & 1
