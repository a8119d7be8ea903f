"""Directed tests of the model's Sv32, PMP, reservations and misaligned accesses.

Quotations are from the privileged manual (20211203) unless they say otherwise.
"""

from __future__ import annotations

import pytest

from tests.naive import NaiveHart
from tests.support.clint import NaiveClint
from tests.support.directed import RAM_BASE, csrw, execute, trap_of
from tests.support.naive_memory import FETCH, LOAD, MPRV, MXR, STORE, SUM, M, S, U

V, R, W, X, PU, G, A, D = (1 << i for i in range(8))
ROOT, TABLE, PAGE = RAM_BASE + 0x1000, RAM_BASE + 0x2000, RAM_BASE + 0x3000
VA = 0x1234_5678
LOAD_FAULT, STORE_FAULT, FETCH_FAULT = 13, 15, 12


def paged(bits: int, pa: int = PAGE, level: int = 0) -> NaiveHart:
    """S-mode with one leaf for VA: 4 KiB (level 0) or 4 MiB (level 1)."""
    hart = NaiveHart(0x10000, pmp=0)
    hart.mode, hart.satp = S, 1 << 31 | ROOT >> 12
    leaf = (pa >> 12) << 10 | bits
    if level == 1:
        hart.ram_write(ROOT + 4 * (VA >> 22), 4, leaf)
    else:
        hart.ram_write(ROOT + 4 * (VA >> 22), 4, (TABLE >> 12) << 10 | V)
        hart.ram_write(TABLE + 4 * (VA >> 12 & 0x3FF), 4, leaf)
    return hart


def leaf_of(hart: NaiveHart) -> int:
    return hart.ram_read(TABLE + 4 * (VA >> 12 & 0x3FF), 4) & 0x3FF


class TestSv32:
    def test_translation_and_bits(self) -> None:
        hart = paged(V | R | W)
        assert hart.translate(VA, LOAD, S) == PAGE | 0x678
        assert leaf_of(hart) == V | R | W | A
        assert hart.translate(VA, STORE, S) == PAGE | 0x678
        assert leaf_of(hart) == V | R | W | A | D

    def test_m_mode_and_bare_do_not_translate(self) -> None:
        hart = paged(0)
        assert hart.translate(VA, LOAD, M) == VA
        hart.satp = ROOT >> 12
        assert hart.translate(VA, LOAD, S) == VA

    @pytest.mark.parametrize("bits", [0, R | W | X, V | W, V | W | X], ids=str)
    @pytest.mark.parametrize(
        ("access", "cause"), [(FETCH, FETCH_FAULT), (LOAD, LOAD_FAULT), (STORE, STORE_FAULT)]
    )
    def test_invalid_leaf(self, bits: int, access: int, cause: int) -> None:
        """ "If pte.v = 0, or if pte.r = 0 and pte.w = 1, ... stop and raise a
        page-fault exception corresponding to the original access type." (4.3.2)"""
        assert trap_of(paged(bits).translate, VA, access, S) == (cause, VA)

    def test_pointer_at_the_last_level(self) -> None:
        """ "Otherwise, this PTE is a pointer to the next level ... If i < 0, stop
        and raise a page-fault exception" """
        assert trap_of(paged(V).translate, VA, LOAD, S) == (LOAD_FAULT, VA)

    @pytest.mark.parametrize("bit", [A, D, PU])
    def test_reserved_bits_of_a_pointer(self, bit: int) -> None:
        """ "For non-leaf PTEs, the D, A, and U bits are reserved" (4.3.1), and a
        reserved bit that is set raises a page fault (4.3.2, step 3)."""
        hart = paged(V | R)
        hart.ram_write(ROOT + 4 * (VA >> 22), 4, (TABLE >> 12) << 10 | V | bit)
        assert trap_of(hart.translate, VA, LOAD, S) == (LOAD_FAULT, VA)

    def test_g_and_rsw_do_not_matter(self) -> None:
        hart = paged(V | R | G | 0x300)
        hart.ram_write(ROOT + 4 * (VA >> 22), 4, (TABLE >> 12) << 10 | V | G | 0x300)
        assert hart.translate(VA, LOAD, S) == PAGE | 0x678
        assert leaf_of(hart) == V | R | G | 0x300 | A

    def test_superpage(self) -> None:
        hart = paged(V | R, pa=RAM_BASE, level=1)
        assert hart.translate(VA, LOAD, S) == RAM_BASE | VA & 0x3F_FFFF
        hart = paged(V | R, pa=RAM_BASE + 0x1000, level=1)
        assert trap_of(hart.translate, VA, LOAD, S) == (LOAD_FAULT, VA)

    def test_user_bit(self) -> None:
        """ "The U bit indicates whether the page is accessible to user mode ...
        When the SUM bit is 1, such accesses [by S-mode] are permitted.  S-mode
        may not execute code on user pages, regardless of the state of SUM." """
        user, kernel = paged(V | R | X | PU), paged(V | R | X)
        assert trap_of(user.translate, VA, LOAD, U) is None
        assert trap_of(kernel.translate, VA, LOAD, U) == (LOAD_FAULT, VA)
        assert trap_of(user.translate, VA, LOAD, S) == (LOAD_FAULT, VA)
        user.mstatus = SUM
        assert trap_of(user.translate, VA, LOAD, S) is None
        assert trap_of(user.translate, VA, FETCH, S) == (FETCH_FAULT, VA)

    def test_mxr(self) -> None:
        """ "When MXR=1, loads from pages marked either readable or executable
        (R=1 or X=1) will succeed." (3.1.6.3)"""
        hart = paged(V | X)
        assert trap_of(hart.translate, VA, LOAD, S) == (LOAD_FAULT, VA)
        hart.mstatus = MXR
        assert trap_of(hart.translate, VA, LOAD, S) is None
        assert trap_of(hart.translate, VA, STORE, S) == (STORE_FAULT, VA)

    def test_nothing_is_set_when_access_is_refused(self) -> None:
        hart = paged(V | R)
        assert trap_of(hart.translate, VA, STORE, S) == (STORE_FAULT, VA)
        assert leaf_of(hart) == V | R

    def test_table_outside_ram(self) -> None:
        """ "If accessing pte violates a PMA or PMP check, raise an access-fault
        exception corresponding to the original access type." (4.3.2, step 2)"""
        hart = paged(V | R)
        hart.satp = 1 << 31 | 0x1000
        assert trap_of(hart.translate, VA, FETCH, S) == (1, VA)
        assert trap_of(hart.translate, VA, LOAD, S) == (5, VA)
        assert trap_of(hart.translate, VA, STORE, S) == (7, VA)

    def test_physical_addresses_have_34_bits(self) -> None:
        """A page at 4 GiB + RAM is not RAM, and neither is a table there."""
        hart = paged(V | R, pa=PAGE + (1 << 32))
        assert trap_of(hart.load, VA, 4) == (5, VA)
        hart = paged(V | R)
        hart.satp = 1 << 31 | (ROOT + (2 << 32)) >> 12
        assert trap_of(hart.load, VA, 4) == (5, VA)

    def test_mprv_moves_data_but_not_fetch(self) -> None:
        hart = paged(V | R)
        hart.mode, hart.pc = M, RAM_BASE
        hart.mstatus = MPRV | S << 11
        hart.ram_write(PAGE | 0x678, 4, 77)
        hart.x[5] = VA
        assert execute(hart, "lw", 6, 0, 5) is None
        assert hart.x[6] == 77

    @pytest.mark.parametrize(
        ("name", "operands", "cause"),
        [
            ("lr", (6, 5), LOAD_FAULT),
            ("sc", (6, 5, 7), STORE_FAULT),
            ("amoadd", (6, 5, 7), STORE_FAULT),
        ],
    )
    def test_atomics_fault_as_loads_or_stores(
        self, name: str, operands: tuple[int, ...], cause: int
    ) -> None:
        """ "AMOs never raise load page-fault exceptions." """
        hart = paged(0)
        hart.mode, hart.mstatus, hart.x[5] = M, MPRV | S << 11, VA
        assert execute(hart, name, *operands) == cause


class TestPmp:
    def configure(self, entries: dict[int, tuple[int, int]]) -> NaiveHart:
        hart = NaiveHart(0x10000)
        for i, (_, address) in entries.items():
            csrw(hart, 0x3B0 + i, address)
        for i, (config, _) in entries.items():
            old = hart.read_csr(0x3A0 + i // 4)
            csrw(hart, 0x3A0 + i // 4, old | config << 8 * (i % 4))
        return hart

    def test_no_match(self) -> None:
        hart = NaiveHart(0x1000)
        assert hart.pmp_permits(RAM_BASE, LOAD, M)
        assert not hart.pmp_permits(RAM_BASE, LOAD, S)
        assert not hart.pmp_permits(RAM_BASE, LOAD, U)
        assert NaiveHart(0x1000, pmp=0).pmp_permits(RAM_BASE, LOAD, U)

    def test_napot(self) -> None:
        hart = self.configure({0: (0x19, (RAM_BASE >> 2) | 0x1FF)})
        for pa, allowed in ((-1, False), (0, True), (0xFFF, True), (0x1000, False)):
            assert hart.pmp_permits(RAM_BASE + pa, LOAD, S) == allowed
        assert not hart.pmp_permits(RAM_BASE, STORE, S)
        assert not hart.pmp_permits(RAM_BASE, FETCH, U)

    def test_all_ones_is_everything(self) -> None:
        hart = self.configure({0: (0x1F, 0xFFFF_FFFF)})
        assert hart.pmp_permits(0, LOAD, U)
        assert hart.pmp_permits((1 << 34) - 1, FETCH, U)

    def test_tor(self) -> None:
        """ "matches any address y such that pmpaddr[i-1] <= y < pmpaddr[i]"; low
        bits under the grain do not count."""
        low, high = RAM_BASE >> 2, (RAM_BASE + 0x3000) >> 2
        hart = self.configure({2: (0, low | 0x155), 3: (0x0B, high | 0x3FF)})
        assert not hart.pmp_permits(RAM_BASE - 1, LOAD, S)
        assert hart.pmp_permits(RAM_BASE, LOAD, S)
        assert hart.pmp_permits(RAM_BASE + 0x2FFF, STORE, S)
        assert not hart.pmp_permits(RAM_BASE + 0x3000, LOAD, S)

    def test_tor_of_entry_zero_starts_at_zero(self) -> None:
        hart = self.configure({0: (0x09, RAM_BASE >> 2)})
        assert hart.pmp_permits(0, LOAD, U)
        assert not hart.pmp_permits(RAM_BASE, LOAD, U)

    def test_empty_tor_matches_nothing(self) -> None:
        low = RAM_BASE >> 2
        hart = self.configure({0: (0, low), 1: (0x08, low), 2: (0x1F, 0xFFFF_FFFF)})
        assert hart.pmp_permits(RAM_BASE, LOAD, U)

    def test_lowest_entry_wins_and_lock_binds_m_mode(self) -> None:
        page = (RAM_BASE >> 2) + 0x400 | 0x1FF
        hart = self.configure({1: (0x98, page), 2: (0x1F, 0xFFFF_FFFF)})
        pa = RAM_BASE + 0x1000
        assert not hart.pmp_permits(pa, LOAD, U)
        assert not hart.pmp_permits(pa, LOAD, M)
        assert hart.pmp_permits(pa + 0x1000, LOAD, U)
        # "writes to the configuration register and associated address
        # registers are ignored" for a locked entry.
        assert csrw(hart, 0x3A0, 0) >> 8 & 0xFF == 0x98
        assert csrw(hart, 0x3B1, 0) == page

    def test_locked_tor_locks_the_address_below(self) -> None:
        low, high = (RAM_BASE + 0x1000) >> 2, (RAM_BASE + 0x2000) >> 2
        hart = self.configure({4: (0, low), 5: (0x89, high)})
        assert csrw(hart, 0x3B4, 0) == low
        assert csrw(hart, 0x3B6, 0x1234_5400) == 0x1234_5400

    def test_grain_in_what_is_read(self) -> None:
        hart = NaiveHart(0x1000)
        assert csrw(hart, 0x3B0, 0xFFFF_FFFF) == 0xFFFF_FC00
        csrw(hart, 0x3A0, 0x18)
        assert hart.csr("pmpaddr0") == 0xFFFF_FFFF
        assert csrw(hart, 0x3B0, 0x1234_5400) == 0x1234_55FF
        csrw(hart, 0x3A0, 0x08)
        assert hart.csr("pmpaddr0") == 0x1234_5400

    def test_warl_of_a_configuration(self) -> None:
        hart = NaiveHart(0x1000)
        assert csrw(hart, 0x3A0, 0x7F) == 0x1F  # bits 5 and 6 are zero
        assert csrw(hart, 0x3A0, 0x17) == 0x1F  # NA4 keeps the mode
        assert csrw(hart, 0x3A0, 0x0A) == 0x0F  # W without R keeps the rights
        assert csrw(hart, 0x3A4, 0xFFFF_FFFF) == 0
        assert csrw(hart, 0x3C0, 0xFFFF_FFFF) == 0

    def test_page_walk_is_checked_as_s_mode(self) -> None:
        hart = paged(V | R | W | PU)
        hart.pmp_entries = 16
        hart.write_csr(0x3B0, (TABLE >> 2) | 0x1FF)
        hart.write_csr(0x3B1, 0xFFFF_FFFF)
        hart.write_csr(0x3A0, 0x1F18)  # the table closed, the rest open
        assert trap_of(hart.translate, VA, LOAD, U) == (5, VA)
        assert trap_of(hart.translate, VA, STORE, U) == (7, VA)
        hart.write_csr(0x3A0, 0x1F19)  # readable: but A cannot be set
        assert trap_of(hart.translate, VA, LOAD, U) == (5, VA)
        assert leaf_of(hart) == V | R | W | PU


class TestReservations:
    def hart(self) -> NaiveHart:
        hart = NaiveHart(0x10000, mmio=NaiveClint())
        hart.x[5], hart.x[6], hart.x[7] = PAGE, PAGE + 4, 99
        return hart

    def test_pair(self) -> None:
        hart = self.hart()
        execute(hart, "lr", 1, 5)
        execute(hart, "sc", 2, 5, 7)
        assert (hart.x[2], hart.ram_read(PAGE, 4)) == (0, 99)
        execute(hart, "sc", 2, 5, 7)
        assert hart.x[2] == 1

    def test_another_word_fails_and_ends_it(self) -> None:
        hart = self.hart()
        execute(hart, "lr", 1, 5)
        execute(hart, "sc", 2, 6, 7)
        assert (hart.x[2], hart.ram_read(PAGE + 4, 4)) == (1, 0)
        execute(hart, "sc", 2, 5, 7)
        assert hart.x[2] == 1

    def test_own_store_keeps_it_trap_and_dma_end_it(self) -> None:
        hart = self.hart()
        execute(hart, "lr", 1, 5)
        execute(hart, "sw", 7, 0, 5)
        execute(hart, "sc", 2, 5, 7)
        assert hart.x[2] == 0
        execute(hart, "lr", 1, 5)
        assert execute(hart, "ecall") == 11
        hart.pc = RAM_BASE
        execute(hart, "sc", 2, 5, 7)
        assert hart.x[2] == 1
        execute(hart, "lr", 1, 5)
        hart.dma_write(PAGE + 4, b"\1")
        assert hart.reservation == PAGE
        hart.dma_write(PAGE - 1, b"\1\2")
        assert hart.reservation is None

    def test_mret_keeps_it(self) -> None:
        hart = self.hart()
        execute(hart, "lr", 1, 5)
        hart.mepc, hart.mstatus = RAM_BASE, 3 << 11
        execute(hart, "mret")
        execute(hart, "sc", 2, 5, 7)
        assert hart.x[2] == 0

    @pytest.mark.parametrize(
        ("name", "operands", "misaligned", "device"),
        [("lr", (1, 5), 4, 5), ("sc", (1, 5, 7), 6, 7), ("amoor", (1, 5, 7), 6, 7)],
    )
    def test_faults(
        self, name: str, operands: tuple[int, ...], misaligned: int, device: int
    ) -> None:
        hart = self.hart()
        hart.x[5] = PAGE + 2
        assert execute(hart, name, *operands) == misaligned
        assert hart.mtval == PAGE + 2
        hart.pc, hart.x[5] = RAM_BASE, 0x0200_0000
        assert execute(hart, name, *operands) == device


class TestMisaligned:
    def test_in_ram(self) -> None:
        hart = NaiveHart(0x10000)
        hart.store(PAGE + 0xFFD, 4, 0x4433_2211)
        assert hart.load(PAGE + 0xFFE, 2) == 0x3322
        assert hart.load(PAGE + 0xFFD, 4) == 0x4433_2211

    def test_across_the_end_of_ram(self) -> None:
        hart = NaiveHart(0x1000)
        end = RAM_BASE + 0x1000
        assert trap_of(hart.load, end - 2, 4) == (5, end)
        assert trap_of(hart.store, end - 1, 2, 0xFFFF) == (7, end)
        assert hart.load(end - 2, 2) == 0
        assert trap_of(hart.load, RAM_BASE - 1, 2) == (5, RAM_BASE - 1)

    def test_second_page_faults_before_a_byte_moves(self) -> None:
        hart = paged(V | R | W | A | D)
        va = (VA & ~0xFFF) + 0xFFE
        assert trap_of(hart.store, va, 4, 0xFFFF_FFFF) == (STORE_FAULT, va + 2)
        assert hart.ram_read(PAGE + 0xFFC, 4) == 0

    def test_devices_take_aligned_words_only(self) -> None:
        hart = NaiveHart(0x1000, mmio=NaiveClint())
        assert hart.load(0x0200_4000, 4) == 0xFFFF_FFFF
        assert trap_of(hart.load, 0x0200_4002, 4) == (5, 0x0200_4002)
        assert trap_of(hart.store, 0x0200_0001, 2, 0) == (7, 0x0200_0001)
        assert trap_of(hart.load, 0x0300_0000, 4) == (5, 0x0300_0000)

    def test_only_ram_is_executed(self) -> None:
        hart = NaiveHart(0x1000, mmio=NaiveClint())
        hart.pc = 0x0200_0000
        hart.step()
        assert (hart.mcause, hart.mtval, hart.mepc) == (1, 0x0200_0000, 0x0200_0000)
