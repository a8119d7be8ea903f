"""Devices that write to guest memory: over code, over reservations, and never outside it."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import guest
from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.storage import MemoryDisk

#: addi a0, a0, 100 and ret
HUNDRED, RET = 0x0645_0513, 0x0000_8067
SECTOR = 512

#: Offsets are those of the legacy transport (virtio 1.2, section 4.2.4).
NAMES = """
    .equ VQ, 0x80030000          # descriptors, then the available ring
    .equ AVAIL, VQ + 8 * 16
    .equ USED, VQ + 4096
    .equ HEADER, 0x80034000
    .equ STATUS, 0x80034010
    .equ DEV_STATUS, 0x70
"""
#: A driver in a few lines: one request at a time, polled.  Slot 0, queue 0, 8 entries.
DRIVER = """
setup:
    li   s11, VIRTIO_BASE
    sw   zero, DEV_STATUS(s11)
    li   t0, 3
    sw   t0, DEV_STATUS(s11)
    li   t0, 4096
    sw   t0, 0x28(s11)           # GuestPageSize
    sw   zero, 0x30(s11)         # QueueSel
    li   t0, 8
    sw   t0, 0x38(s11)           # QueueNum
    li   t0, 4096
    sw   t0, 0x3c(s11)           # QueueAlign
    li   t0, VQ >> 12
    sw   t0, 0x40(s11)           # QueuePFN
    li   t0, 7
    sw   t0, DEV_STATUS(s11)
    ret

# submit: read sector 0 into a1; the device has seen it when this returns.
submit:
    li   t0, STATUS
    li   t1, 0xff
    sb   t1, 0(t0)
    li   t0, HEADER
    sw   zero, 0(t0)             # VIRTIO_BLK_T_IN
    sw   zero, 4(t0)
    sw   zero, 8(t0)
    sw   zero, 12(t0)
    li   t1, VQ
    sw   t0, 0(t1)               # descriptor 0: header
    sw   zero, 4(t1)
    li   t2, 16
    sw   t2, 8(t1)
    li   t2, 1 | 1 << 16         # next = 1
    sw   t2, 12(t1)
    sw   a1, 16(t1)              # descriptor 1: data
    sw   zero, 20(t1)
    li   t2, 512
    sw   t2, 24(t1)
    li   t2, 3 | 2 << 16         # written by the device, next = 2
    sw   t2, 28(t1)
    li   t2, STATUS
    sw   t2, 32(t1)              # descriptor 2: status
    sw   zero, 36(t1)
    li   t2, 1
    sw   t2, 40(t1)
    li   t2, 2
    sw   t2, 44(t1)
    li   t1, AVAIL
    lhu  t2, 2(t1)
    andi t0, t2, 7
    slli t0, t0, 1
    add  t0, t0, t1
    sh   zero, 4(t0)
    addi t2, t2, 1
    sh   t2, 2(t1)
    sw   zero, 0x50(s11)         # QueueNotify
    ret

# request: the same, until it is done.
request:
    mv   s10, ra
    call submit
    li   t0, AVAIL
    lhu  t0, 2(t0)
    li   t1, USED
1:  lhu  t2, 2(t1)
    bne  t0, t2, 1b
    jr   s10
"""


def with_disk(source: str, sector: list[int], kind: type) -> Machine | Vm:
    """Run a guest with a disk whose first sector holds these words."""
    data = b"".join(word.to_bytes(4, "little") for word in sector)
    disk = MemoryDisk(data.ljust(64 << 10, b"\0"))
    computer = kind(ram=1 << 20, bios="none", drives=[disk])
    computer.load(guest(NAMES + source + DRIVER))
    stop = computer.run(100_000)
    assert (stop.reason, stop.code) == ("exit", 0), (stop, hex(computer.pc))
    assert computer.errors == 0
    return computer


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_disk_read_over_decoded_code_is_executed(kind: type) -> None:
    """The routine runs, then the disk's sector is read over it, then it runs again."""
    source = """
        call setup
        call routine
        call routine
        mv   s5, a0
        la   a1, routine
        call request
        li   a0, 1000
        call routine
        pass
        .align 9
    routine:
        addi a0, a0, 1
        ret
        .space 504
    """
    computer = with_disk(source, [HUNDRED, HUNDRED, RET], kind)
    assert int(computer.x[10]) == 1200


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_disk_read_ends_a_reservation_on_its_words_only(kind: type) -> None:
    source = """
        call setup
        la   s2, buffer
        la   s4, buffer + 512
        li   s6, 7
        mv   a1, s2
        lr.w t0, (s2)
        call request
        sc.w s3, s6, (s2)
        lr.w t0, (s4)
        call request
        sc.w s5, s6, (s4)
        pass
        .data
        .align 9
    buffer:
        .space 1024
    """
    computer = with_disk(source, [1, 2, 3], kind)
    assert int(computer.x[19]) == 1, "the sector was read over the reserved word"
    assert int(computer.x[21]) == 0, "it was read elsewhere"
    assert computer.program is not None
    assert computer.read_phys(computer.program.symbols["buffer"], 4) == bytes([1, 0, 0, 0])


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize(
    "address", [0x7FFF_FF00, 0x800F_FF00, 0x8010_0000, 0xFFFF_FF00, 0x0010_0000, 0]
)
def test_a_buffer_that_leaves_memory_is_refused_as_a_whole(kind: type, address: int) -> None:
    """One that begins before RAM, ends behind it, wraps around, or lies in a device."""
    source = f"""
        call setup
        li   a1, {address:#x}
        call submit
        li   t0, STATUS
        lbu  s3, 0(t0)
        lw   s4, DEV_STATUS(s11)
        pass
    """
    computer = with_disk(source, [0xAAAA_AAAA] * 128, kind)
    refused = int(computer.x[20]) & 0x40 or int(computer.x[19]) not in (0, 0xFF)
    assert refused, "neither DEVICE_NEEDS_RESET nor an error status"
    ram = computer.read_phys(0x8000_0000, computer.memory.size)
    assert ram is not None
    assert b"\xaa" * 4 not in ram
    if isinstance(computer, Vm):
        assert computer.host.intruders() == []


def test_dma_of_one_vm_stays_in_its_memory() -> None:
    """The neighbour's RAM begins where this one's ends, one canary and some tables further."""
    from toyvm.hypervisor import Hypervisor

    hypervisor = Hypervisor([1 << 20, 1 << 20])
    disk = MemoryDisk(b"\xaa" * (64 << 10))
    attacker = hypervisor.create("attacker", 1 << 20, bios="none", drives=[disk])
    attacker.write_phys(0x8000_0000, b"attacker")
    neighbour = hypervisor.create("neighbour", 1 << 20, bios="none")
    neighbour.write_phys(0x8000_0000, b"neighbour")
    gap = (neighbour.memory.fmap[0] - attacker.memory.fmap[0]) * 4096
    source = f"call setup\n li a1, {0x8000_0000 + int(gap):#x}\n call submit\n pass\n"
    attacker.load(guest(NAMES + source + DRIVER))
    assert attacker.run(10_000).reason == "exit"
    assert neighbour.read_phys(0x8000_0000, 1 << 20) == b"neighbour".ljust(1 << 20, b"\0")
    assert hypervisor.host.intruders() == []
