"""The MMIO transport: registers of both layouts, status machine, notification, broken rings."""

from __future__ import annotations

import pytest

from tests.devices.driver import BlockDriver, Queue
from tests.devices.memory import RAM, GuardedMemory
from tests.devices.slots import EVENT_IDX, BlockSlot, NetSlot
from tests.devices.slots import INDIRECT as INDIRECT_FEATURE
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtqueue import RingError

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
    block = sum(1 << n for n in (1, 2, 4, 6, 9, 10, 11, 13, 14))
    assert offered(BlockSlot(False, driver=False).slot) == block | both | 1 << 32
    assert offered(BlockSlot(True, driver=False).slot) == block | both | 1 << 24 | 1 << 27
    net = sum(1 << n for n in (5, 15, 16, 17, 18, 19, 20, 23))
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
