"""Mistakes that other hypervisors made with shadow tables, each as a guest that would notice.

Found by reading the sources of small trap-and-emulate hypervisors; the names say what was wrong.
All guests run bare, virtualised and on the model.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import (
    BASE,
    ROOT,
    RW,
    RWX,
    URW,
    A,
    D,
    R,
    Tables,
    V,
    X,
    guest,
)
from tests.hypervisor.kernel_guests import (
    KERNEL,
    TRAPPED,
    USER,
    kernel,
    saved,
    tables,
)
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = pytest.mark.usefixtures("variant")


# ---- shadow tables -------------------------------------------------------------------------------


def test_an_invalid_entry_is_not_remembered() -> None:
    """Fault, make the page valid, fence, go on: one fault for each page, however often."""
    mapped = tables()
    entry = mapped.entry(0x4000_0000)
    source = f"""
        li   s5, 0x40000000
        li   s6, {entry:#x}
        li   s7, 10
    again:
        lw   a0, 0(s5)
        sw   zero, 0(s6)
        sfence.vma
        addi s7, s7, -1
        bnez s7, again
        pass
        .align 2
    trapped:
        addi s8, s8, 1
        li   t0, {(BASE + 0x8000) >> 12 << 10 | V | R:#x}
        sw   t0, 0(s6)
        sfence.vma s5
        sret
    """
    twin = kernel(source, mapped, end="")
    assert saved(twin, 24) == [10]
    assert twin.vm.ledger["page_fault"] == 10


def test_a_page_that_moves_is_found_at_its_new_place() -> None:
    """The same virtual page leads to another frame after the fence, for loads, stores, fetches."""
    mapped = tables().map(0x4000_0000, BASE + 0x8000, RWX | A | D)
    entry = mapped.entry(0x4000_0000)
    ret = 0x0000_8067
    source = f"""
        li   s5, 0x40000000
        li   s6, {entry:#x}
        li   t0, 0x00100513      # li a0, 1
        li   t1, {ret:#x}
        li   s7, 0x80008000
        sw   t0, 0(s7)
        sw   t1, 4(s7)
        li   t0, 0x00200513      # li a0, 2
        li   s7, 0x80009000
        sw   t0, 0(s7)
        sw   t1, 4(s7)
        jalr s5
        mv   s8, a0
        li   t0, {(BASE + 0x9000) >> 12 << 10 | RWX | A | D | V:#x}
        sw   t0, 0(s6)
        sfence.vma s5
        jalr s5
        mv   s9, a0
        lw   s10, 0(s5)
        sw   s10, 8(s5)
        pass
    """
    twin = kernel(source, mapped)
    assert saved(twin, 24, 25, 26) == [1, 2, 0x0020_0513]
    assert twin.vm.read_phys(BASE + 0x9008, 4) == bytes.fromhex("13052000")
    assert twin.vm.read_phys(BASE + 0x8008, 4) == bytes(4)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_without_a_fence_an_access_follows_the_old_entry_or_the_new_never_both(kind: type) -> None:
    """The frame of one and the rights of the other would be a mapping that never was."""
    mapped = tables().map(0x4000_0000, BASE + 0x8000, R | A)
    entry = mapped.entry(0x4000_0000)
    source = f"""
        li   s5, 0x40000000
        lw   s6, 0(s5)               # the old entry is known: readable
        li   t0, 0x80009000
        li   t1, 0x00008067          # ret
        sw   t1, 0(t0)
        li   t0, {entry:#x}
        li   t1, {(BASE + 0x9000) >> 12 << 10 | X | A | V:#x}
        sw   t1, 0(t0)               # the new one can only be executed
        jalr s5
        li   t0, 0x40100000
        lw   t0, 0(t0)               # the same set of the TLB
        lw   s7, 0(s5)
        pass
    """
    mapped.map(0x4010_0000, BASE + 0xA000, R | A)
    computer = kind(ram=1 << 20, bios="none")
    program = guest(KERNEL + source + TRAPPED, mapped)
    program.segments.append((BASE + 0x8000, b"old!", 4))
    computer.load(program)
    assert computer.run(1_000).reason == "exit"
    old = int.from_bytes(b"old!", "little")
    assert int(computer.x[22]) == old
    # Loaded by the old entry, refused by the new one, or already refused to be fetched.
    assert int(computer.x[23]) == old or int(computer.x[8]) in (12, 13)


def test_rights_that_are_taken_away_are_gone_after_the_fence() -> None:
    mapped = tables().map(0x4000_0000, BASE + 0x8000, RW | A | D)
    entry = mapped.entry(0x4000_0000)
    twin = kernel(
        f"""
        li   s5, 0x40000000
        sw   s5, 0(s5)
        li   s6, {entry:#x}
        li   t0, {(BASE + 0x8000) >> 12 << 10 | R | A | D | V:#x}
        sw   t0, 0(s6)
        sfence.vma s5
        lw   s7, 0(s5)
        sw   zero, 4(s5)
        """,
        mapped,
    )
    assert saved(twin, 8, 9, 23) == [15, 0x4000_0004, 0x4000_0000]


def test_a_guest_may_hand_its_page_table_to_a_device_queue() -> None:
    """Frames change their use all the time; nothing but the guest's own tables says what maps."""
    mapped = tables().map(0x4000_0000, BASE + 0x8000, RW | A | D)
    twin = kernel(
        f"""
        li   s5, 0x40000000
        sw   s5, 0(s5)
        li   s6, {mapped.second[0x4000_0000 >> 22]:#x}
        li   t0, {ROOT:#x}
        mv   t1, s6
        li   t2, 1024
    1:  sw   zero, 0(t1)
        addi t1, t1, 4
        addi t2, t2, -1
        bnez t2, 1b
        sfence.vma
        lw   s7, 0(s5)
        """,
        mapped,
    )
    assert saved(twin, 8, 9) == [13, 0x4000_0000]


def test_global_entries_are_entries_of_their_own_table() -> None:
    """G says that all address spaces share a mapping; it never lends one to another table."""
    other = Tables(ROOT + 0x8000).map(BASE, BASE, RWX | A | D, 80)
    mapped = tables().map(0x4000_0000, BASE + 0x8000, RW | A | D | 0x20)
    mapped.words.update(other.words)
    twin = kernel(
        f"""
        li   s5, 0x40000000
        lw   t0, 0(s5)
        li   t0, SATP_MODE | {(ROOT + 0x8000) >> 12:#x} | 5 << 22
        csrw satp, t0
        sfence.vma
        lw   t0, 0(s5)
        """,
        mapped,
        TRAPPED.replace(
            "    pass",
            f"    li t0, SATP_MODE | {ROOT >> 12:#x}\n csrw satp, t0\n sfence.vma\n pass",
        ),
    )
    assert saved(twin, 8, 9) == [13, 0x4000_0000]


def test_a_user_page_used_by_kernel_and_user() -> None:
    """The kernel writes it under SUM, the user reads it: two roots over one page."""
    mapped = tables().map(0x4000_0000, BASE + 0x8000, URW)
    twin = kernel(
        f"""
        li   s5, 0x40000000
        li   t0, SSTATUS_SUM
        csrs sstatus, t0
        li   t1, 0x77
        sw   t1, 0(s5)
        la   t0, user
        li   t1, {USER:#x}
        add  t0, t0, t1
        csrw sepc, t0
        li   t1, SSTATUS_SPP
        csrc sstatus, t1
        sret
    user:
        lw   s6, 0(s5)
        addi s6, s6, 1
        sw   s6, 4(s5)
        ecall
        """,
        mapped,
    )
    assert saved(twin, 8, 22) == [8, 0x78]
    assert twin.vm.read_phys(BASE + 0x8000, 8) == bytes.fromhex("7700000078000000")
