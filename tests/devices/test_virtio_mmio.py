"""The MMIO transport: registers of both layouts, status machine, notification, broken rings."""

from __future__ import annotations

import struct

import pytest

from tests.devices.driver import INDIRECT, NEXT, WRITE, BlockDriver, Queue
from tests.devices.memory import RAM, GuardedMemory
from tests.devices.slots import EVENT_IDX, BlockSlot, NetSlot
from tests.devices.slots import INDIRECT as INDIRECT_FEATURE
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtqueue import RingError
from toyvm.storage import MemoryDisk

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
NEEDS_RESET = 0x40


@LAYOUTS
def test_an_empty_slot_has_magic_version_and_device_0(legacy):
    slot = VirtioMmio(None, GuardedMemory(4096), lambda level: None, legacy)
    assert slot.read(0x000, 4) == 0x7472_6976
    assert slot.read(0x004, 4) == (1 if legacy else 2)
    assert slot.read(0x008, 4) == 0
    for offset in range(0x10, 0x200, 4):
        assert slot.read(offset, 4) == 0
        assert slot.write(offset, 4, 0xFFFF_FFFF)
    assert slot.read(0x070, 4) == 0


@LAYOUTS
def test_identity_of_a_block_device(legacy):
    block = BlockSlot(legacy, driver=False)
    assert block.slot.read(0x008, 4) == 2
    assert block.slot.read(0x00C, 4) == int.from_bytes(b"QEMU", "little")
    assert NetSlot(legacy, driver=False).slot.read(0x008, 4) == 1


@pytest.mark.parametrize(
    ("offset", "width"), [(0x200, 4), (0xFFC, 4), (-4, 4), (1, 2), (0, 8), (0, 3), (0x102, 4)]
)
def test_accesses_that_fault(offset, width):
    slot = BlockSlot(False, driver=False).slot
    assert slot.read(offset, width) is None
    assert slot.write(offset, width, 0) is False


def test_registers_take_words_only():
    slot = BlockSlot(False, driver=False).slot
    assert slot.read(0x000, 1) == 0
    assert slot.write(0x070, 1, 1)
    assert slot.read(0x070, 4) == 0


def test_configuration_space_takes_every_width():
    slot = BlockSlot(False, driver=False).slot
    assert slot.read(0x100, 4) == 64
    assert slot.read(0x100, 2) == 64
    assert slot.read(0x100, 1) == 64
    assert slot.read(0x104, 4) == 0
    assert slot.read(0x1FC, 4) == 0xFFFF_FFFF  # behind the end, as on QEMU
    assert slot.write(0x100, 4, 5)
    assert slot.read(0x100, 4) == 64


def test_there_is_no_shared_memory():
    slot = BlockSlot(False, driver=False).slot
    assert slot.write(0x0AC, 4, 0)
    for offset in (0x0B0, 0x0B4, 0x0B8, 0x0BC):
        assert slot.read(offset, 4) == 0xFFFF_FFFF


# -- features and status --------------------------------------------------------------------------


def offered(slot: VirtioMmio) -> int:
    words = []
    for word in (0, 1):
        slot.write(0x014, 4, word)
        words.append(slot.read(0x010, 4))
    return words[0] | words[1] << 32


def test_features_offered():
    both = INDIRECT_FEATURE | EVENT_IDX
    block = 1 << 1 | 1 << 2 | 1 << 6 | 1 << 9 | 1 << 13 | 1 << 14
    assert offered(BlockSlot(False, driver=False).slot) == block | both | 1 << 32
    assert offered(BlockSlot(True, driver=False).slot) == block | both | 1 << 27
    net = 1 << 5 | 1 << 16
    assert offered(NetSlot(False, driver=False).slot) == net | both | 1 << 32
    read_only = offered(BlockSlot(False, read_only=True, driver=False).slot)
    assert read_only & 1 << 5
    assert not read_only & (1 << 13 | 1 << 14)


def test_feature_words_beyond_the_second_are_empty():
    slot = BlockSlot(False, driver=False).slot
    for word in (2, 3, 0xFFFF_FFFF):
        slot.write(0x014, 4, word)
        assert slot.read(0x010, 4) == 0
        slot.write(0x024, 4, word)
        slot.write(0x020, 4, 0xFFFF_FFFF)
    slot.write(0x070, 4, 0x0B)
    assert slot.read(0x070, 4) == 0x0B


def test_accepting_what_was_not_offered_is_refused():
    slot = BlockSlot(False, driver=False).slot
    slot.write(0x070, 4, 3)
    slot.write(0x024, 4, 0)
    slot.write(0x020, 4, 1 << 3)
    slot.write(0x070, 4, 0x0B)
    assert slot.read(0x070, 4) == 3
    slot.write(0x020, 4, 0)
    slot.write(0x070, 4, 0x0B)
    assert slot.read(0x070, 4) == 0x0B
    slot.write(0x020, 4, 1 << 3)  # too late: the features are settled
    assert slot.features == 0


def test_a_legacy_driver_gets_only_what_was_offered():
    block = BlockSlot(True, driver=False)
    block.slot.write(0x020, 4, 0xFFFF_FFFF)
    assert block.slot.features == offered(block.slot) & 0xFFFF_FFFF


def test_a_modern_driver_without_version_1_is_served():
    """As on QEMU; the frame header has its legacy length then."""
    net = NetSlot(False, driver=False)
    slot = net.slot
    slot.write(0x070, 4, 3)
    slot.write(0x070, 4, 0x0B)
    queue = Queue(net.machine, 1, 8, RAM, legacy=False)
    slot.write(0x070, 4, 0x0F)
    net.machine.write(net.TX_AT, bytes(10) + bytes(range(60)))
    queue.offer(queue.chain([(net.TX_AT, 70, False)]))
    queue.notify()
    assert net.sent == [bytes(range(60))]


def test_nothing_happens_before_driver_ok_on_the_modern_layout():
    block = BlockSlot(False)
    driver = block.driver
    block.machine.store(0x70, 0x0B)
    driver.queue.offer(driver.queue.chain([(RAM + 0x9000, 16, False), (RAM + 0xA000, 1, True)]))
    driver.queue.notify()
    assert driver.queue.used_index() == 0
    block.machine.store(0x70, 0x0F)
    driver.queue.notify()
    assert driver.queue.used_index() == 1


def test_a_legacy_driver_may_work_before_driver_ok():
    block = BlockSlot(True)
    block.machine.store(0x70, 3)
    _, status, data = block.driver.submit(0, 5, room=512)
    assert (status, data[:2]) == (0, b"\0\5")


@LAYOUTS
def test_reset_forgets_the_session(legacy):
    block = BlockSlot(legacy)
    block.driver.submit(0, 0, room=512)
    assert block.level
    assert block.driver.interrupt == 1
    block.machine.store(0x70, 0)
    assert block.driver.status == 0
    assert block.driver.interrupt == 0
    assert block.level is False
    assert block.machine.load(0x40 if legacy else 0x44) == 0
    block.driver.queue.offer(0)
    block.driver.queue.notify()
    assert block.driver.queue.used_index() == 1
    again = BlockDriver(block.machine, RAM)
    assert again.submit(0, 3, room=512)[1] == 0


def test_linux_sets_the_page_size_before_it_resets():
    block = BlockSlot(True, driver=False)
    block.slot.write(0x28, 4, 4096)
    block.slot.write(0x70, 4, 0)
    block.slot.write(0x70, 4, 3)
    block.slot.write(0x30, 4, 0)
    block.slot.write(0x38, 4, 8)
    block.slot.write(0x40, 4, RAM >> 12)
    assert block.slot.queues[0].desc == RAM
    block.slot.reset()
    block.slot.write(0x40, 4, 1)
    assert block.slot.queues[0].desc == 1 != 4096  # a power cycle forgets it


# -- queue registers ------------------------------------------------------------------------------


@LAYOUTS
def test_queue_number_limits(legacy):
    block = BlockSlot(legacy, driver=False)
    slot, queue = block.slot, block.slot.queues[0]
    assert slot.read(0x34, 4) == 1024
    slot.write(0x38, 4, 8)
    for bad in (0, 3, 2048, 65535, 0xFFFF_FFFF):
        slot.write(0x38, 4, bad)
        assert queue.size == 8
    slot.write(0x30, 4, 1)
    assert slot.read(0x34, 4) == 0
    slot.write(0x38, 4, 16)
    slot.write(0x40, 4, 5)
    slot.write(0x44, 4, 1)
    assert slot.read(0x40, 4) == slot.read(0x44, 4) == 0
    assert queue.size == 8


@LAYOUTS
def test_a_queue_in_use_keeps_its_size_and_place(legacy):
    block = BlockSlot(legacy)
    block.machine.store(0x38, 4)
    if not legacy:
        block.machine.store(0x80, 0)
    assert block.slot.queues[0].size == 16
    assert block.driver.submit(0, 9, room=512)[1] == 0


@LAYOUTS
def test_notifying_a_queue_that_does_not_exist(legacy):
    block = BlockSlot(legacy)
    for number in (1, 2, 0xFFFF, 0xFFFF_FFFF):
        block.machine.store(0x50, number)
    assert not block.driver.status & NEEDS_RESET
    assert block.device.stats.kicks == 4


@pytest.mark.parametrize(
    ("desc", "avail", "used"),
    [
        (RAM + 8, RAM + 0x1000, RAM + 0x2000),
        (RAM, RAM + 0x1001, RAM + 0x2000),
        (RAM, RAM + 0x1000, RAM + 0x2002),
        (RAM - 16, RAM + 0x1000, RAM + 0x2000),
        (0, RAM + 0x1000, RAM + 0x2000),
        (RAM, RAM + 0x4_0000 - 8, RAM + 0x2000),
        (RAM, RAM + 0x1000, (1 << 64) - 4),
        ((1 << 64) - 16, RAM + 0x1000, RAM + 0x2000),
        (RAM + (1 << 32), RAM + 0x1000, RAM + 0x2000),
    ],
)
def test_a_modern_queue_outside_memory_or_misaligned_breaks(desc, avail, used):
    block = BlockSlot(False, driver=False)
    slot = block.slot
    slot.write(0x70, 4, 0x0F)
    slot.write(0x38, 4, 16)
    for register, address in ((0x80, desc), (0x90, avail), (0xA0, used)):
        slot.write(register, 4, address & 0xFFFF_FFFF)
        slot.write(register + 4, 4, address >> 32)
    slot.write(0x44, 4, 1)
    assert slot.read(0x44, 4) == 0
    assert slot.read(0x70, 4) & NEEDS_RESET
    assert slot.read(0x60, 4) == 2
    assert block.level
    assert slot.fault
    slot.write(0x70, 4, 0)
    assert slot.read(0x70, 4) == 0
    assert slot.fault == ""


@pytest.mark.parametrize("pfn", [1, 0xFFFF_FFFF, (RAM >> 12) - 1, (RAM + 0x4_0000) >> 12])
def test_a_legacy_queue_outside_memory_breaks(pfn):
    block = BlockSlot(True, driver=False)
    block.slot.write(0x28, 4, 4096)
    block.slot.write(0x40, 4, pfn)
    assert block.slot.read(0x70, 4) & NEEDS_RESET
    block.memory.check()


def test_the_last_byte_of_memory_is_enough():
    """Each area may end with memory, and may not be one byte longer (section 2.7, sizes of the
    three areas; the two bytes of the event index count)."""
    end = RAM + (1 << 18)
    for size in (1, 8, 64):
        lengths = {"desc": 16 * size, "avail": 6 + 2 * size, "used": 6 + 8 * size}
        for area, length in lengths.items():
            alignment = {"desc": 16, "avail": 2, "used": 4}[area]
            fits = (end - length) // alignment * alignment
            for address, works in ((fits, True), (fits + alignment, False)):
                queue = BlockSlot(False, driver=False).slot.queues[0]
                queue.size = size
                queue.desc, queue.avail, queue.used = RAM, RAM + 0x1000, RAM + 0x2000
                setattr(queue, area, address)
                if works:
                    queue.enable()
                else:
                    with pytest.raises(RingError, match="is not in memory"):
                        queue.enable()
                assert queue.ready is works


@pytest.mark.parametrize("align", [4, 64, 4096, 65536])
def test_a_legacy_queue_follows_its_alignment(align):
    """Section 2.7.2: the used ring starts at the next multiple of QueueAlign."""
    block = BlockSlot(True, driver=False)
    for register, value in ((0x28, 4096), (0x30, 0), (0x38, 8), (0x3C, align)):
        block.machine.store(register, value)
    for bad in (0, 3, 1 << 17):
        block.machine.store(0x3C, bad)
    block.machine.store(0x40, (RAM >> 12) + 16)
    queue, at = block.slot.queues[0], RAM + 0x1_0000
    assert (queue.desc, queue.avail) == (at, at + 128)
    assert queue.used % align == 0
    assert at + 150 <= queue.used < at + 150 + align
    block.machine.store(0x70, 0)
    block.machine.store(0x40, (RAM >> 12) + 16)
    assert queue.size == 1024
    assert queue.used == at + (16 * 1024 + 6 + 2 * 1024 + 4095) // 4096 * 4096


def test_addresses_have_a_high_half():
    block = BlockSlot(False, driver=False)
    for register in (0x80, 0x90, 0xA0):
        block.machine.store(register, register)
        block.machine.store(register + 4, register + 4)
    queue = block.slot.queues[0]
    assert queue.desc == 0x84_0000_0080
    assert queue.avail == 0x94_0000_0090
    assert queue.used == 0xA4_0000_00A0


def test_pfn_zero_stops_a_legacy_queue():
    block = BlockSlot(True)
    block.machine.store(0x40, 0)
    assert block.machine.load(0x40) == 0
    block.driver.queue.offer(0)
    block.driver.queue.notify()
    assert block.driver.queue.used_index() == 0
    assert not block.driver.status & NEEDS_RESET


# -- rings ----------------------------------------------------------------------------------------


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
