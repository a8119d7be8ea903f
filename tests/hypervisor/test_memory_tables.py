"""What a guest's accesses mean: odd page tables, misalignment.

Each guest runs bare, virtualised and on the model, compared step by step; the assertions name the
fact that the guest is about.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.access_guests import (
    DATA,
    LOAD_FAULT,
    REPORT,
    STORE_FAULT,
    VA,
    faults,
    supervisor,
)
from tests.hypervisor.guests import (
    BASE,
    ROOT,
    RW,
    RWX,
    RX,
    A,
    D,
    R,
    Tables,
    U,
    V,
    W,
    X,
    guest,
    identity,
)
from tests.hypervisor.twin import agree

# ---- page tables that no kernel should have ------------------------------------------------------


def first_touch(tables: Tables, access: str = "lw a1, 0(a0)", va: int = VA) -> tuple[int, int]:
    return faults(supervisor(f"li a0, {va:#x}\n {access}\n", tables))


def satp_to(ppn: int) -> tuple[int, int]:
    """satp names any page; the next fetch in S-mode walks from there."""
    source = f"""
        handler report
        open_pmp
        li   t0, SATP_MODE | {ppn:#x}
        csrw satp, t0
        sfence.vma
        enter MSTATUS_MPP_S, kernel
    kernel:
        nop
    """
    return faults(agree(guest(source + REPORT)))


@pytest.mark.parametrize(
    ("name", "ppn"),
    [
        ("outside RAM", 0x9_0000),
        ("just past RAM", (BASE + (1 << 20)) >> 12),
        ("zero", 0),
        ("a device", 0x1_0000),
        ("beyond 4 GiB", 0x10_0000 | BASE >> 12),
        ("the last page there is", 0x3F_FFFF),
    ],
)
def test_a_root_that_is_no_memory_is_an_access_fault(name: str, ppn: int) -> None:
    cause, tval = satp_to(ppn)
    assert cause == 1
    assert tval > BASE


def test_a_root_in_code_is_read_as_it_stands() -> None:
    """Code as page table: whatever its words say, the model says the same."""
    assert satp_to(BASE >> 12)[0] in (1, 12)


def test_a_table_that_maps_itself() -> None:
    """An entry of the root that points to the root: the walk ends after two levels."""
    tables = identity()
    tables.raw(tables.root + 4 * (VA >> 22), tables.root >> 12 << 10 | V)
    # The second walk finds a pointer again, at level 0: a page fault.
    assert first_touch(tables, va=VA | (VA >> 22) << 12) == (LOAD_FAULT, VA | (VA >> 22) << 12)
    # Through it, entry 0x200 of the root is a leaf that shows the identity table itself.
    assert first_touch(tables, va=VA | 0x200 << 12) == (LOAD_FAULT, VA | 0x200 << 12)


def test_a_recursive_map_shows_the_tables() -> None:
    """The classic trick: a leaf that maps the root itself, writable, and used to map a page."""
    tables = identity().map(VA, ROOT, RW | A | D)
    body = f"""
        li   a0, {VA:#x}
        li   a1, {BASE >> 12 << 10 | RWX | V | A | D:#x}
        sw   a1, 0x7fc(a0)
        sfence.vma
        li   a2, 0x7fc00000
        lw   a3, 0(a2)
        ecall
    """
    # 0x7fc / 4 = 511: the megapage of 0x7fc00000, at RAM's start, which is aligned to 4 MiB.
    twin = supervisor(body, tables)
    assert faults(twin) == (9, 0)
    assert int(twin.vm.x[13]) == int.from_bytes(twin.vm.read_phys(BASE, 4) or b"", "little")


@pytest.mark.parametrize(
    ("access", "cause"),
    [("lw a1, 0(a0)", 5), ("sw a1, 0(a0)", 7), ("jr a0", 1), ("amoor.w a1, a1, (a0)", 7)],
)
@pytest.mark.parametrize("table", [0x9000_0000, 0x1000_0000, 1 << 32 | BASE, 3 << 32 | ROOT])
def test_a_second_level_that_is_no_memory(access: str, cause: int, table: int) -> None:
    tables = identity().raw(ROOT + 4 * (VA >> 22), table >> 12 << 10 | V)
    assert first_touch(tables, access) == (cause, VA)


@pytest.mark.parametrize("page", [1 << 32 | BASE, 2 << 32 | DATA, 3 << 32 | 0x1000_0000])
def test_a_page_beyond_4_gib_is_not_truncated(page: int) -> None:
    tables = identity().map(VA, page, RWX | A | D)
    for access, cause in (("lw a1, 0(a0)", 5), ("sw a1, 0(a0)", 7), ("jr a0", 1)):
        assert first_touch(tables, access) == (cause, VA)


def test_pages_of_devices() -> None:
    """Loads and stores through a page table reach the device; fetches and atomics do not."""
    tables = identity().map(VA, 0x1000_0000, RWX | A | D)
    for access, cause in (("jr a0", 1), ("lr.w a1, (a0)", 5), ("sc.w a1, a1, (a0)", 7)):
        assert first_touch(tables, access) == (cause, VA)
    assert first_touch(tables, "lw a1, 2(a0)") == (5, VA + 2)
    assert first_touch(tables, "lbu a1, 5(a0)\n ecall") == (9, 0)


def test_a_misaligned_megapage_faults() -> None:
    tables = identity().mega(VA, BASE + 0x1000, RWX | A | D)
    assert first_touch(tables) == (LOAD_FAULT, VA)


def test_megapages_work_in_pieces_and_go_as_a_whole() -> None:
    tables = identity(80).mega(VA, BASE, RWX | A | D)
    body = f"""
        li   a0, {VA + 0x1_0000:#x}
        li   a1, {VA + 0x1_5000:#x}
        sw   a0, 0(a0)
        sw   a1, 0(a1)
        lw   a2, 0(a0)
        li   a3, {ROOT + 4 * (VA >> 22):#x}
        sw   zero, 0(a3)
        sfence.vma a0
        lw   a4, 0(a1)
    """
    # One sfence for one address of it forgets all of a megapage.
    twin = supervisor(body, tables)
    assert faults(twin) == (LOAD_FAULT, VA + 0x1_5000)
    assert int(twin.vm.x[12]) == VA + 0x1_0000


@pytest.mark.parametrize("flags", [W, W | X, W | U, W | X | U | A | D])
def test_writable_but_not_readable_is_reserved(flags: int) -> None:
    tables = identity().map(VA, DATA, flags)
    for access, cause in (("lw a1, 0(a0)", 13), ("sw a1, 0(a0)", 15), ("jr a0", 12)):
        assert first_touch(tables, access) == (cause, VA)


def test_the_dirty_bit_waits_for_a_store_and_a_failing_store_sets_nothing() -> None:
    tables = identity().map(VA, DATA, R)
    twin = supervisor(f"li a0, {VA}\n sw a0, 0(a0)\n", tables)
    assert faults(twin) == (STORE_FAULT, VA)
    pte = int.from_bytes(twin.vm.read_phys(tables.entry(VA), 4) or b"", "little")
    assert pte & (A | D) == 0


def test_address_spaces_are_kept_apart() -> None:
    """Two roots, two ASIDs, one virtual address; no fence between them."""
    other = (
        Tables(ROOT + 0x8000).map(BASE, BASE, RWX | A | D, 64).map(VA, DATA + 0x1000, RW | A | D)
    )
    tables = identity().map(VA, DATA, RW | A | D)
    tables.words.update(other.words)
    body = f"""
        li   a0, {VA}
        li   s5, SATP_MODE | {ROOT >> 12:#x}
        li   s6, SATP_MODE | {(ROOT + 0x8000) >> 12:#x} | 1 << 22
        li   s7, 50
    again:
        csrw satp, s5
        lw   a1, 0(a0)
        addi a1, a1, 1
        sw   a1, 0(a0)
        csrw satp, s6
        lw   a1, 0(a0)
        addi a1, a1, 3
        sw   a1, 0(a0)
        addi s7, s7, -1
        bnez s7, again
        ecall
    """
    twin = supervisor(body, tables)
    assert faults(twin) == (9, 0)
    assert twin.vm.read_phys(DATA, 1) == bytes([50])
    assert twin.vm.read_phys(DATA + 0x1000, 1) == bytes([150])
    # Each root is filled once, not at every switch.
    assert twin.vm.ledger["fill"] < 20


def test_turning_paging_off_and_on_again() -> None:
    body = f"""
        li   a0, {VA}
        lw   a1, 0(a0)
        csrr t0, satp
        csrw satp, zero
        li   a2, {DATA}
        lw   a2, 0(a2)
        csrw satp, t0
        lw   a3, 0(a0)
        ecall
    """
    twin = supervisor(body, identity().map(VA, DATA, R | A), b"abcd")
    assert faults(twin) == (9, 0)
    assert [int(twin.vm.x[i]) for i in (11, 12, 13)] == [int.from_bytes(b"abcd", "little")] * 3


# ---- misaligned accesses -------------------------------------------------------------------------


EDGE = VA + 0xFFD


@pytest.mark.parametrize(
    ("access", "cause"),
    [("lw a1, 0(a0)", LOAD_FAULT), ("sw a1, 0(a0)", STORE_FAULT), ("lh a1, 2(a0)", LOAD_FAULT)],
)
def test_the_second_page_is_not_mapped(access: str, cause: int) -> None:
    """Both pages are checked before a byte moves; tval is where the second page begins."""
    tables = identity().map(VA, DATA, RW | A | D)
    twin = supervisor(f"li a0, {EDGE:#x}\n li a1, -1\n {access}\n", tables, b"\x77" * 0x1000)
    assert faults(twin) == (cause, VA + 0x1000)
    assert twin.vm.read_phys(DATA + 0xFF0, 16) == b"\x77" * 16


def test_the_first_page_is_not_mapped() -> None:
    tables = identity().map(VA + 0x1000, DATA, RW | A | D)
    assert first_touch(tables, "lw a1, 0(a0)", EDGE) == (LOAD_FAULT, EDGE)


def test_the_second_page_is_read_only() -> None:
    tables = identity().map(VA, DATA, RW | A | D).map(VA + 0x1000, DATA + 0x1000, R | A)
    body = f"li a0, {EDGE:#x}\n lw a1, 0(a0)\n sw a1, 0(a0)\n"
    twin = supervisor(body, tables, b"\x77" * 0x2000)
    assert faults(twin) == (STORE_FAULT, VA + 0x1000)
    assert int(twin.vm.x[11]) == 0x7777_7777
    assert twin.vm.read_phys(DATA + 0xFF0, 16) == b"\x77" * 16


@pytest.mark.parametrize("second", [0x1000_0000, 0x9000_0000])
def test_the_second_page_is_no_memory(second: int) -> None:
    tables = identity().map(VA, DATA, RW | A | D).map(VA + 0x1000, second, RW | A | D)
    assert first_touch(tables, "lw a1, 0(a0)", EDGE) == (5, VA + 0x1000)
    assert first_touch(tables, "sw a1, 0(a0)", EDGE) == (7, VA + 0x1000)


def test_pages_that_do_not_lie_together() -> None:
    """The two halves of a word go to pages far apart, also in host memory."""
    tables = identity().map(VA, DATA + 0x3000, RW).map(VA + 0x1000, DATA, RW)
    body = f"""
        li   a0, {EDGE:#x}
        li   a1, 0x11223344
        sw   a1, 0(a0)
        lw   a2, 0(a0)
        lhu  a3, 2(a0)
        ecall
    """
    twin = supervisor(body, tables)
    assert faults(twin) == (9, 0)
    assert [int(twin.vm.x[i]) for i in (12, 13)] == [0x1122_3344, 0x1122]
    assert twin.vm.read_phys(DATA + 0x3FFD, 3) == b"\x44\x33\x22"
    assert twin.vm.read_phys(DATA, 1) == b"\x11"


def test_across_the_top_of_the_address_space() -> None:
    tables = identity().map(0xFFFF_F000, DATA, RW | A | D)
    assert first_touch(tables, "lw a1, 0(a0)", 0xFFFF_FFFE) == (LOAD_FAULT, 0)
    tables = tables.map(0, DATA + 0x1000, RX | A)
    twin = supervisor("li a0, -2\n lw a1, 0(a0)\n ecall\n", tables, bytes(0xFFE) + b"\1\2\3\4")
    assert faults(twin) == (9, 0)
    assert int(twin.vm.x[11]) == 0x0403_0201


@pytest.mark.parametrize(("access", "cause"), [("lr.w a1, (a0)", 4), ("sc.w a1, a1, (a0)", 6)])
def test_misaligned_atomics_trap_before_translation(access: str, cause: int) -> None:
    assert first_touch(identity(), access, VA + 1) == (cause, VA + 1)
