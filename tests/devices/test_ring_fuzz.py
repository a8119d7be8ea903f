"""Random rings and descriptors for the block and the network device, on both layouts.

Checked for every script: no exception; nothing outside RAM and nothing in a read-only buffer
changes; a notification's work is bounded; afterwards a correct driver can reset the device and use
it.  TOYVM_FUZZ multiplies the number of cases.
"""

from __future__ import annotations

import os
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.driver import INDIRECT, NEXT, WRITE, BlockDriver, Driver
from tests.devices.memory import RAM
from tests.devices.slots import EVENT_IDX, BlockSlot, NetSlot
from tests.devices.slots import INDIRECT as INDIRECT_FEATURE

FACTOR = int(os.environ.get("TOYVM_FUZZ", "1"))
END = RAM + (1 << 18)
LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
SIZE = 8

addresses = st.one_of(
    st.integers(RAM, END - 1),
    st.integers(RAM + 0x8000, RAM + 0x9000),
    st.sampled_from([0, RAM - 1, END - 1, END, 1 << 32, (1 << 64) - 1, (1 << 64) - 512]),
    st.integers(0, (1 << 64) - 1),
)
lengths = st.one_of(
    st.sampled_from([0, 1, 10, 12, 16, 32, 512, 513, 1024, 4096, 0xFFFF_FFFF]),
    st.integers(0, 3000),
    st.integers(0, 0xFFFF_FFFF),
)
flags = st.one_of(st.sampled_from([0, NEXT, WRITE, NEXT | WRITE, INDIRECT]), st.integers(0, 0xFFFF))
descriptors = st.tuples(
    st.just("descriptor"),
    st.integers(0, 1),
    st.integers(0, SIZE - 1),
    addresses,
    lengths,
    flags,
    st.one_of(st.integers(0, SIZE - 1), st.integers(0, 0xFFFF)),
)
steps = st.one_of(
    descriptors,
    descriptors,
    st.tuples(st.just("offer"), st.integers(0, 1), st.integers(0, SIZE)),
    st.tuples(st.just("notify"), st.integers(0, 2)),
    st.tuples(st.just("index"), st.integers(0, 1), st.integers(0, 0xFFFF)),
    st.tuples(
        st.just("register"), st.sampled_from(range(0, 0x110, 4)), st.integers(0, 0xFFFF_FFFF)
    ),
    st.tuples(st.just("status"), st.sampled_from([0, 1, 3, 4, 0x0B, 0x0F, 0x8F])),
    st.tuples(st.just("memory"), st.integers(RAM, END - 64), st.binary(max_size=64)),
    st.tuples(st.just("frame"), st.integers(0, 2000)),
)
scripts = st.lists(steps, max_size=50)


def play(target, queues, script) -> None:
    machine, memory = target.machine, target.memory
    for step in script:
        reads = memory.reads
        match step:
            case ("descriptor", queue, *fields):
                queues[queue % len(queues)].descriptor(*fields)
            case ("offer", queue, head):
                queues[queue % len(queues)].offer(head)
            case ("notify", queue):
                machine.store(0x50, queue)
            case ("index", queue, value):
                memory.write(queues[queue % len(queues)].avail + 2, struct.pack("<H", value))
            case ("register", offset, value):
                machine.store(offset, value)
            case ("status", value):
                machine.store(0x70, value)
            case ("memory", at, data):
                memory.write(at, data)
            case ("frame", size) if isinstance(target, NetSlot):
                target.device.receive(bytes(size))
        # Each of at most `size` chains has at most size + 1 descriptors; a few reads for each.
        size = max(queue.size for queue in target.slot.queues)
        assert memory.reads - reads <= 6 * (size + 2) ** 2
    target.slot.poll()
    memory.check()


@LAYOUTS
@settings(max_examples=250 * FACTOR, deadline=None)
@given(scripts)
def test_block_device(legacy, script):
    block = BlockSlot(legacy, accept=INDIRECT_FEATURE | EVENT_IDX, size=SIZE)
    play(block, [block.driver.queue], script)
    block.slot.reset()
    again = BlockDriver(block.machine, RAM)
    assert again.submit(0, 1, room=512)[1] == 0
    assert block.disk.sectors == 64


@LAYOUTS
@settings(max_examples=250 * FACTOR, deadline=None)
@given(scripts)
def test_network_device(legacy, script):
    net = NetSlot(legacy, accept=INDIRECT_FEATURE | EVENT_IDX, size=SIZE)
    play(net, [net.rx, net.tx], script)
    net.slot.reset()
    net.sent.clear()
    net.driver = Driver(net.machine, RAM, 2, SIZE)
    net.rx, net.tx = net.driver.queues
    net.transmit(bytes(60))
    assert net.sent == [bytes(60)]


@LAYOUTS
def test_read_only_buffers_stay_as_they_are(legacy):
    """Random requests, well-formed and not; every device-readable buffer is protected."""
    rng = random.Random(7 + legacy)
    for _ in range(1500 * FACTOR):
        block = BlockSlot(legacy, size=SIZE)
        queue = block.driver.queue
        header = struct.pack("<IIQ", rng.choice((0, 0, 1, 4, 8, 11, 13, 99)), 0, rng.randrange(80))
        at = RAM + 0x9000
        cut = rng.randrange(1, 16)
        block.machine.write(at, header[:cut])
        block.machine.write(at + 0x40, header[cut:])
        buffers = [(at, cut, False), (at + 0x40, 16 - cut, False)]
        if rng.random() < 0.5:
            buffers.append((at + 0x100, rng.choice((1, 512, 1024)), False))
        for n in range(rng.randrange(3)):
            buffers.append((at + 0x1000 + 0x1000 * n, rng.choice((1, 511, 512, 1024)), True))
        if rng.random() < 0.2:
            rng.shuffle(buffers)
        queue.offer(queue.chain(buffers))
        block.memory.protected = [(a, n) for a, n, writable in buffers if not writable]
        queue.notify()
        block.memory.protected = []
        block.memory.check()
        served = queue.used_index()
        assert served == 1 or block.driver.status & 0x40


@LAYOUTS
def test_random_requests_match_a_model_disk(legacy):
    """A correct driver with random requests in random splits: the disk is the model's disk."""
    rng = random.Random(31 + legacy)
    block = BlockSlot(legacy, size=256, accept=1 << 13 | 1 << 14)
    model = bytearray(block.disk.read(0, 64))
    for _ in range(1500 * FACTOR):
        sector, count = rng.randrange(70), rng.randrange(1, 5)
        inside = sector + count <= 64
        split = rng.choice((0, 0, 13, 16, 512))
        match rng.choice(("read", "write", "zero")):
            case "read":
                _, status, data = block.driver.submit(0, sector, room=512 * count, split=split)
                if inside:
                    assert data == model[sector * 512 : (sector + count) * 512]
            case "write":
                payload = rng.randbytes(512 * count)
                _, status, _ = block.driver.submit(1, sector, payload, split=split)
                if inside:
                    model[sector * 512 : (sector + count) * 512] = payload
            case "zero":
                area = struct.pack("<QII", sector, count, 0)
                _, status, _ = block.driver.submit(rng.choice((11, 13)), 0, area, split=split)
                if inside:
                    model[sector * 512 : (sector + count) * 512] = bytes(512 * count)
        assert status == (0 if inside else 1)
    assert block.disk.read(0, 64) == model
    block.memory.check()
