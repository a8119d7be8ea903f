"""The block device: every request type, both layouts, every mistake that has an answer."""

from __future__ import annotations

import struct

import pytest

from tests.devices.memory import RAM
from tests.devices.slots import SECTORS, BlockSlot, disk_content
from toyvm.storage import DiskError, MemoryDisk

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
IN, OUT, FLUSH, GET_ID, DISCARD, ZEROES = 0, 1, 4, 8, 11, 13
OK, IOERR, UNSUPP = 0, 1, 2
ZERO_FEATURES = 1 << 13 | 1 << 14


@LAYOUTS
def test_configuration(legacy):
    config = BlockSlot(legacy).driver.config(60)
    capacity, size_max, seg_max = struct.unpack_from("<QII", config)
    assert capacity == SECTORS
    assert size_max * seg_max <= 8 << 20
    assert struct.unpack_from("<I", config, 20) == (512,)
    assert struct.unpack_from("<H", config, 34) == (1,)
    assert struct.unpack_from("<5I", config, 36) == (16384, 1, 1, 16384, 1)


@LAYOUTS
@pytest.mark.parametrize("sector", [0, 1, SECTORS - 1])
def test_read(legacy, sector):
    block = BlockSlot(legacy)
    used, status, data = block.driver.submit(IN, sector, room=512)
    assert (status, used.length) == (OK, 513)
    assert data == sector.to_bytes(2, "big") * 256
    assert block.device.stats.sectors_read == 1


@LAYOUTS
@pytest.mark.parametrize("split", [0, 1, 7, 16, 100])
def test_write_with_the_header_split_anywhere(legacy, split):
    block = BlockSlot(legacy, size=1024 if split == 1 else 128)
    data = bytes(range(256)) * 2
    used, status, _ = block.driver.submit(OUT, 7, data, split=split)
    assert (status, used.length) == (OK, 1)
    assert block.disk.read(7, 1) == data
    assert block.disk.read(6, 1) + block.disk.read(8, 1) == b"\0\6" * 256 + b"\0\10" * 256
    assert block.device.stats.sectors_written == 1


@LAYOUTS
def test_large_transfers(legacy):
    block = BlockSlot(legacy)
    used, status, data = block.driver.submit(IN, 0, room=SECTORS * 512)
    assert (status, used.length) == (OK, SECTORS * 512 + 1)
    assert data == disk_content()
    flipped = bytes(byte ^ 0xFF for byte in data)
    assert block.driver.submit(OUT, 0, flipped)[1] == OK
    assert block.disk.read(0, SECTORS) == flipped


@LAYOUTS
def test_status_may_share_the_data_buffer(legacy):
    block = BlockSlot(legacy)
    at = block.driver.scratch
    block.machine.write(at, struct.pack("<IIQ", IN, 0, 3))
    queue = block.driver.queue
    queue.offer(queue.chain([(at, 16, False), (at + 0x100, 513, True)]))
    queue.notify()
    assert queue.collect()[0].length == 513
    assert block.machine.read(at + 0x100, 513) == b"\0\3" * 256 + b"\0"


@LAYOUTS
def test_flush_and_identity(legacy):
    block = BlockSlot(legacy)
    assert block.driver.submit(FLUSH, 0)[1] == OK
    assert block.device.stats.flushes == 1
    used, status, data = block.driver.submit(GET_ID, 0, room=20)
    assert (status, used.length, data) == (OK, 21, b"serial-0001-abcdefgh")
    assert block.driver.submit(GET_ID, 0, room=4)[2] == b"seri"
    assert block.driver.submit(GET_ID, 0, room=24)[2] == data + bytes(4)


@LAYOUTS
@pytest.mark.parametrize(
    ("kind", "sector", "size", "room", "status"),
    [
        (IN, SECTORS, 0, 512, IOERR),
        (IN, SECTORS - 1, 0, 1024, IOERR),
        (IN, 1 << 63, 0, 512, IOERR),
        (IN, (1 << 64) - 1, 0, 512, IOERR),
        (IN, 0, 0, 511, IOERR),
        (IN, 0, 0, 0, OK),
        (OUT, SECTORS, 512, 0, IOERR),
        (OUT, SECTORS - 1, 1024, 0, IOERR),
        (OUT, (1 << 64) - 1, 512, 0, IOERR),
        (OUT, 0, 513, 0, IOERR),
        (2, 0, 0, 0, UNSUPP),
        (10, 0, 0, 6, UNSUPP),
        (14, 0, 16, 0, UNSUPP),
        (0x8000_0000, 0, 0, 512, UNSUPP),
        (0xFFFF_FFFF, 0, 512, 512, UNSUPP),
    ],
)
def test_answers_to_bad_requests(legacy, kind, sector, size, room, status):
    block = BlockSlot(legacy)
    used, got, data = block.driver.submit(kind, sector, bytes(size), room=room)
    assert got == status
    if status != OK:
        assert data == b"\xee" * room, "a failed request left data behind"
        assert used.length <= (0 if room else 1)
        assert block.device.stats.errors == 1
    assert block.disk.read(0, SECTORS) == disk_content()
    assert not block.driver.status & 0x40


@LAYOUTS
@pytest.mark.parametrize("length", [1, 15])
def test_a_short_header_is_an_io_error(legacy, length):
    block = BlockSlot(legacy)
    queue, at = block.driver.queue, block.driver.scratch
    queue.offer(queue.chain([(at, length, False), (at + 0x100, 1, True)]))
    queue.notify()
    assert queue.collect()[0].length == 1
    assert block.machine.read(at + 0x100, 1) == bytes([IOERR])


def test_no_header_at_all_is_an_io_error():
    block = BlockSlot(False)
    queue, at = block.driver.queue, block.driver.scratch
    queue.offer(queue.chain([(at, 100, True)]))
    queue.notify()
    assert block.machine.read(at + 99, 1) == bytes([IOERR])


@LAYOUTS
def test_a_read_only_disk_refuses_changes(legacy):
    block = BlockSlot(legacy, read_only=True, accept=ZERO_FEATURES)
    assert block.driver.offered & 1 << 5
    assert block.driver.submit(OUT, 0, bytes(512))[1] == IOERR
    assert block.driver.submit(ZEROES, 0, struct.pack("<QII", 0, 1, 0))[1] == IOERR
    assert block.driver.submit(IN, 1, room=512)[1:] == (OK, b"\0\1" * 256)
    assert block.driver.submit(FLUSH, 0)[1] == OK


@LAYOUTS
@pytest.mark.parametrize("kind", [DISCARD, ZEROES])
@pytest.mark.parametrize(
    ("sector", "count", "flags", "discard", "zeroes"),
    [
        (2, 3, 0, OK, OK),
        (2, 3, 1, UNSUPP, OK),
        (2, 3, 2, UNSUPP, UNSUPP),
        (2, 3, 0x8000_0000, UNSUPP, UNSUPP),
        (SECTORS - 1, 2, 0, IOERR, IOERR),
        (1 << 63, 1, 0, IOERR, IOERR),
        (0, 0xFFFF_FFFF, 0, IOERR, IOERR),
    ],
)
def test_discard_and_write_zeroes(legacy, kind, sector, count, flags, discard, zeroes):
    block = BlockSlot(legacy, accept=ZERO_FEATURES)
    expected = discard if kind == DISCARD else zeroes
    _, status, _ = block.driver.submit(kind, 0, struct.pack("<QII", sector, count, flags))
    assert status == expected
    content = disk_content()
    if expected == OK:
        content = content[: sector * 512] + bytes(count * 512) + content[(sector + count) * 512 :]
    assert block.disk.read(0, SECTORS) == content


@LAYOUTS
@pytest.mark.parametrize(("kind", "bit"), [(DISCARD, 13), (ZEROES, 14)])
def test_zeroing_types_have_a_feature_each(legacy, kind, bit):
    whole = struct.pack("<QII", 1, SECTORS - 1, 0)
    block = BlockSlot(legacy, accept=1 << bit)
    assert block.driver.submit(kind, 0, whole)[1] == OK
    assert block.device.stats.sectors_written == SECTORS - 1
    assert block.disk.read(0, SECTORS) == bytes(512 * SECTORS)  # sector 0 holds zeros anyway
    other = BlockSlot(legacy, accept=ZERO_FEATURES & ~(1 << bit))
    assert other.driver.submit(kind, 0, whole)[1] == UNSUPP
    assert other.disk.read(0, SECTORS) == disk_content()


def test_the_longest_range_is_the_announced_one():
    block = BlockSlot(False, accept=ZERO_FEATURES, disk=MemoryDisk(16 << 20))
    assert block.driver.submit(ZEROES, 0, struct.pack("<QII", 5, 16384, 0))[1] == OK
    assert block.driver.submit(ZEROES, 0, struct.pack("<QII", 5, 16385, 0))[1] == IOERR


@LAYOUTS
def test_zeroing_needs_its_feature_and_one_whole_range(legacy):
    block = BlockSlot(legacy)
    assert block.driver.submit(ZEROES, 0, struct.pack("<QII", 0, 1, 0))[1] == UNSUPP
    block = BlockSlot(legacy, accept=ZERO_FEATURES)
    one = struct.pack("<QII", 0, 1, 0)
    for data in (b"", one[:15], one + one):
        assert block.driver.submit(ZEROES, 0, data)[1] == IOERR
    assert block.disk.read(0, SECTORS) == disk_content()


class FailingDisk(MemoryDisk):
    """A host whose medium is broken."""

    def read(self, sector, count):
        raise DiskError("read failed")

    def write(self, sector, data):
        raise OSError(28, "No space left on device")

    def flush(self):
        raise DiskError("flush failed")


@LAYOUTS
def test_trouble_on_the_host_is_an_io_error(legacy):
    block = BlockSlot(legacy, disk=FailingDisk(SECTORS * 512))
    assert block.driver.submit(IN, 0, room=512)[1] == IOERR
    assert block.driver.submit(OUT, 0, bytes(512))[1] == IOERR
    assert block.driver.submit(FLUSH, 0)[1] == IOERR
    stats = block.device.stats
    assert (stats.errors, stats.requests) == (3, 3)
    assert stats.sectors_read == stats.sectors_written == stats.flushes == 0


def test_an_oversized_request_is_an_io_error():
    block = BlockSlot(False, ram=10 << 20, disk=MemoryDisk(32 << 20))
    queue, at = block.driver.queue, block.driver.scratch
    block.machine.write(at, struct.pack("<IIQ", IN, 0, 0))
    data = RAM + 0x2_0000
    queue.offer(queue.chain([(at, 16, False), (data, (8 << 20) + 512, True), (at + 64, 1, True)]))
    queue.notify()
    assert block.machine.read(at + 64, 1) == bytes([IOERR])
    queue.offer(queue.chain([(at, 16, False), (data, 8 << 20, True), (at + 64, 1, True)]))
    queue.notify()
    assert block.machine.read(at + 64, 1) == bytes([OK])


def test_work_beyond_the_limit_of_one_notification_waits_for_the_poll():
    block = BlockSlot(False, ram=10 << 20, disk=MemoryDisk(32 << 20), size=64)
    queue, at = block.driver.queue, block.driver.scratch
    block.machine.write(at, struct.pack("<IIQ", IN, 0, 0))
    buffers = [(at, 16, False), (RAM + 0x2_0000, 8 << 20, True), (at + 64, 1, True)]
    queue.offer(*[queue.chain(buffers) for _ in range(10)])
    queue.notify()
    done = queue.used_index()
    assert 1 <= done < 10
    polls = 0
    while queue.used_index() < 10:
        before = queue.used_index()
        block.slot.poll()
        polls += 1
        assert queue.used_index() > before
    assert polls >= 2
    block.slot.poll()
    assert queue.used_index() == 10


@LAYOUTS
def test_write_through_when_the_driver_asks(legacy):
    """The cache mode of the configuration space: 0 makes each write durable before its answer."""
    flushes = []
    disk = MemoryDisk(disk_content())
    disk.flush = lambda: flushes.append(1)
    block = BlockSlot(legacy, accept=1 << 11 | 1 << 9, disk=disk)
    assert block.driver.config(33)[32] == 1
    assert block.driver.submit(OUT, 0, bytes(512))[1] == OK
    assert flushes == []
    block.machine.store(0x120, 0, 1)
    assert block.driver.config(33)[32] == 0
    assert flushes == [1]
    assert block.driver.submit(OUT, 0, bytes(512))[1] == OK
    assert flushes == [1, 1]
    block.machine.store(0x120, 1, 1)
    assert block.driver.submit(OUT, 0, bytes(512))[1] == OK
    assert flushes == [1, 1]
    block.machine.store(0x120, 0, 1)
    block.machine.store(0x70, 0)
    assert block.driver.config(33)[32] == 1
    plain = BlockSlot(legacy, disk=disk)
    plain.machine.store(0x120, 0, 1)
    assert plain.driver.config(33)[32] == 1, "the driver did not accept the feature"
