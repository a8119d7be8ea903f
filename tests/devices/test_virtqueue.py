"""Split virtqueues behind the transport: order, wrap-around, interrupts, indirect tables, and every
way to break a ring."""

from __future__ import annotations

import struct

import pytest

from tests.devices.driver import INDIRECT, NEXT, WRITE, BlockDriver
from tests.devices.memory import RAM
from tests.devices.slots import EVENT_IDX, BlockSlot
from tests.devices.slots import INDIRECT as INDIRECT_FEATURE
from toyvm.storage import MemoryDisk

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
NEEDS_RESET = 0x40


def request(block: BlockSlot) -> list[tuple[int, int, bool]]:
    """Buffers of a good read of sector 2."""
    at = block.driver.scratch
    block.machine.write(at, struct.pack("<IIQ", 0, 0, 2))
    return [(at, 16, False), (at + 0x100, 512, True), (at + 0x300, 1, True)]


@LAYOUTS
def test_many_requests_wrap_around_the_ring(legacy):
    block = BlockSlot(legacy, size=8)
    for n in range(66_000 if legacy else 1000):
        block.driver.queue.offer(0) if n else block.driver.submit(0, 0, room=512)
        if n:
            block.driver.queue.notify()
            (used,) = block.driver.queue.collect()
            assert used.length == 513
    assert block.device.stats.requests == (66_000 if legacy else 1000)


@LAYOUTS
def test_one_notification_serves_all_that_wait(legacy):
    block = BlockSlot(legacy, size=16)
    queue = block.driver.queue
    heads = [queue.chain(request(block)) for _ in range(5)]
    queue.offer(*heads)
    queue.notify()
    assert [used.head for used in queue.collect()] == heads


@LAYOUTS
def test_interrupts_can_be_switched_off(legacy):
    block = BlockSlot(legacy)
    queue = block.driver.queue
    block.machine.write(queue.avail, b"\1\0")
    queue.offer(queue.chain(request(block)))
    queue.notify()
    assert queue.used_index() == 1
    assert block.level is False
    block.machine.write(queue.avail, b"\0\0")
    queue.notify()
    assert block.level is False  # nothing new: nothing to tell
    queue.offer(0)
    queue.notify()
    assert block.level is True
    block.driver.acknowledge()
    assert block.level is False


@LAYOUTS
def test_event_index_says_when_to_interrupt(legacy):
    """Section 2.7.7: an interrupt when the used index passes used_event, and none before."""
    block = BlockSlot(legacy, accept=EVENT_IDX, size=8)
    queue = block.driver.queue
    used_event = queue.avail + 4 + 2 * 8
    avail_event = queue.used + 4 + 8 * 8
    head = queue.chain(request(block))
    block.machine.write(used_event, struct.pack("<H", 2))
    levels = []
    for n in range(5):
        queue.offer(head)
        queue.notify()
        assert block.machine.read(avail_event, 2) == struct.pack("<H", n + 1)
        levels.append(block.level)
        block.driver.acknowledge()
    assert levels == [False, False, True, False, False]


@LAYOUTS
def test_indirect_descriptors(legacy):
    block = BlockSlot(legacy, accept=INDIRECT_FEATURE)
    queue = block.driver.queue
    table = block.driver.scratch + 0x1000
    queue.offer(queue.indirect(table, request(block)))
    queue.notify()
    (used,) = queue.collect()
    assert used.length == 513
    assert block.machine.read(block.driver.scratch + 0x100, 4) == b"\0\2\0\2"


def test_an_indirect_table_may_be_as_long_as_the_queue():
    block = BlockSlot(False, accept=INDIRECT_FEATURE, size=4)
    queue, at = block.driver.queue, block.driver.scratch
    header, data, status = request(block)
    halves = [(data[0], 256, True), (data[0] + 256, 256, True)]
    queue.offer(queue.indirect(at + 0x1000, [header, *halves, status]))
    queue.notify()
    assert [used.length for used in queue.collect()] == [513]


def test_an_indirect_descriptor_may_end_a_direct_chain():
    """Section 2.7.5.3.2: normal descriptors, then one with the indirect flag."""
    block = BlockSlot(False, accept=INDIRECT_FEATURE)
    queue, table = block.driver.queue, block.driver.scratch + 0x1000
    header, data, status = request(block)
    block.machine.write(
        table,
        struct.pack("<QIHH", data[0], data[1], WRITE | NEXT, 1)
        + struct.pack("<QIHH", status[0], 1, WRITE, 0),
    )
    queue.descriptor(0, header[0], 16, NEXT, 1)
    queue.descriptor(1, table, 32, INDIRECT | WRITE, 0)  # the write flag means nothing here
    queue.offer(0)
    queue.notify()
    assert [used.length for used in queue.collect()] == [513]


class Broken:
    """Ways to break a ring; each is applied to a queue of 8 with a good request in place."""

    def head_too_large(self, q, m):
        q.offer(8)

    def index_jump(self, q, m):
        m.write(q.avail + 2, struct.pack("<H", 40_000))

    def loop(self, q, m):
        q.descriptor(0, RAM + 0x9000, 16, NEXT, 0)
        q.offer(0)

    def long_loop(self, q, m):
        for n in range(8):
            q.descriptor(n, RAM + 0x9000, 16, NEXT, (n + 1) % 8)
        q.offer(0)

    def next_too_large(self, q, m):
        q.descriptor(0, RAM + 0x9000, 16, NEXT, 8)
        q.offer(0)

    def length_zero(self, q, m):
        q.descriptor(0, RAM + 0x9000, 0, 0, 0)
        q.offer(0)

    def length_all_ones(self, q, m):
        q.descriptor(0, RAM, 0xFFFF_FFFF, 0, 0)
        q.offer(0)

    def address_wraps(self, q, m):
        q.descriptor(0, (1 << 64) - 8, 16, 0, 0)
        q.offer(0)

    def end_outside(self, q, m):
        q.descriptor(0, RAM + 0x4_0000 - 8, 16, 0, 0)
        q.offer(0)

    def below_ram(self, q, m):
        q.descriptor(0, 0x1000_0000, 16, 0, 0)
        q.offer(0)

    def above_32_bits(self, q, m):
        q.descriptor(0, RAM + (1 << 32), 16, 0, 0)
        q.offer(0)

    def readable_behind_writable(self, q, m):
        q.descriptor(0, RAM + 0x9000, 16, WRITE | NEXT, 1)
        q.descriptor(1, RAM + 0xA000, 16, 0, 0)
        q.offer(0)

    def indirect_not_negotiated(self, q, m):
        q.descriptor(0, RAM + 0x9000, 16, INDIRECT, 0)
        q.offer(0)

    def no_room_for_status(self, q, m):
        q.descriptor(0, RAM + 0x9000, 16, 0, 0)
        q.offer(0)


WAYS = [name for name in vars(Broken) if not name.startswith("_")]


@LAYOUTS
@pytest.mark.parametrize("way", WAYS)
def test_a_broken_ring_needs_a_reset(legacy, way):
    block = BlockSlot(legacy, size=8)
    queue = block.driver.queue
    request(block)
    getattr(Broken(), way)(queue, block.machine)
    before = block.memory.reads
    queue.notify()
    assert block.memory.reads - before < 100
    assert block.driver.status & NEEDS_RESET
    assert block.driver.interrupt & 2
    assert block.level
    assert "queue 0" in block.slot.fault
    assert queue.used_index() == 0
    # Dead until the driver resets it.
    queue.offer(queue.chain(request(block)))
    queue.notify()
    assert queue.used_index() == 0
    block.machine.store(0x70, 0x0F)
    assert block.driver.status & NEEDS_RESET
    again = BlockDriver(block.machine, RAM)
    assert again.submit(0, 1, room=512)[1] == 0
    block.memory.check()


@pytest.mark.parametrize(
    ("table", "length", "flags", "first"),
    [
        (RAM + 0x9000, 0, INDIRECT, None),
        (RAM + 0x9000, 24, INDIRECT, None),
        (RAM + 0x9000, 16 * 9, INDIRECT, None),
        (RAM + 0x9000, 16, INDIRECT | NEXT, None),
        (RAM + 0x4_0000, 16, INDIRECT, None),
        (RAM + 0x9000, 16, INDIRECT, (RAM + 0x9000, 16, INDIRECT, 0)),
        (RAM + 0x9000, 32, INDIRECT, (RAM + 0xA000, 16, NEXT, 2)),
        (RAM + 0x9000, 32, INDIRECT, (RAM + 0xA000, 16, NEXT, 0)),
    ],
    ids=["empty", "uneven", "long", "next", "outside", "nested", "far", "loop"],
)
def test_broken_indirect_tables(table, length, flags, first):
    block = BlockSlot(False, accept=INDIRECT_FEATURE, size=8)
    queue = block.driver.queue
    if first:
        block.machine.write(table, struct.pack("<QIHH", *first))
    queue.descriptor(0, table, length, flags, 1)
    queue.offer(0)
    queue.notify()
    assert block.driver.status & NEEDS_RESET
    block.memory.check()


def test_a_chain_of_all_descriptors_is_legal():
    block = BlockSlot(False, size=8)
    at = block.driver.scratch
    block.machine.write(at, struct.pack("<IIQ", 0, 0, 7))
    buffers = [(at, 16, False)]
    buffers += [(at + 0x100 + 100 * n, 100, True) for n in range(5)]
    buffers += [(at + 0x400, 12, True), (at + 0x500, 1, True)]
    assert len(buffers) == 8
    block.driver.queue.offer(block.driver.queue.chain(buffers))
    block.driver.queue.notify()
    assert [used.length for used in block.driver.queue.collect()] == [513]
    assert block.machine.read(at + 0x500, 1) == b"\0"


class EndlessDisk(MemoryDisk):
    """Every sector read from it is an available ring that announces one request more."""

    reads = 0

    def read(self, sector: int, count: int) -> bytes:
        self.reads += 1
        return struct.pack("<H", self.reads + 1 & 0xFFFF).ljust(512 * count, b"\0")


def test_dma_into_the_own_ring_stays_bounded():
    """Reads that land on the available ring announce requests for ever; one notification still
    ends, and the poll goes on in the same measured steps."""
    disk = EndlessDisk(64 * 512)
    block = BlockSlot(False, size=4, disk=disk)
    queue, at = block.driver.queue, block.driver.scratch
    block.machine.write(at, struct.pack("<IIQ", 0, 0, 0))
    queue.descriptor(0, at, 16, NEXT, 1)
    queue.descriptor(1, queue.avail + 2, 512, NEXT | WRITE, 2)
    queue.descriptor(2, at + 0x400, 1, WRITE, 0)
    queue.offer(0)
    queue.notify()
    assert disk.reads == 4
    for n in range(2, 10):
        block.slot.poll()
        assert disk.reads == 4 * n
    block.machine.store(0x70, 0)
    block.slot.poll()
    assert disk.reads == 36
    block.memory.check()
