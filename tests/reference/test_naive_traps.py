"""Directed tests of the model's traps, interrupts, returns and clock.

Quotations are from the privileged manual (20211203).
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.naive import INTERRUPT, NaiveHart
from tests.support.clint import NaiveClint
from tests.support.directed import RAM_BASE, csrw, execute
from tests.support.naive_csrs import (
    MEI,
    MIE,
    MPIE,
    MPRV,
    MSI,
    MTI,
    SEI,
    SIE,
    SPIE,
    SPP,
    SSI,
    STI,
    TSR,
    TVM,
    TW,
)
from tests.support.naive_memory import M, S, U

VECTOR_M, VECTOR_S = 0x8000_0100, 0x8000_0200


def hart_in(mode: int, **csrs: int) -> NaiveHart:
    hart = NaiveHart(0x1000, pmp=0, mmio=NaiveClint())
    hart.mtvec, hart.stvec, hart.mode = VECTOR_M, VECTOR_S, mode
    for name, value in csrs.items():
        assert hasattr(hart, name)
        setattr(hart, name, value)
    return hart


class TestDelivery:
    @pytest.mark.parametrize(("mode", "cause"), [(U, 8), (S, 9), (M, 11)])
    def test_ecall(self, mode: int, cause: int) -> None:
        hart = hart_in(mode, mtval=5)
        assert execute(hart, "ecall") == cause
        assert (hart.mcause, hart.mepc, hart.mtval, hart.pc) == (cause, RAM_BASE, 0, VECTOR_M)
        assert hart.mstatus >> 11 & 3 == mode
        assert hart.mode == M
        # "ECALL and EBREAK ... are not considered to retire" (3.3.1).
        assert (hart.steps, hart.mcycle, hart.minstret) == (1, 1, 0)

    def test_ebreak_gives_its_address(self) -> None:
        hart = hart_in(M)
        assert execute(hart, "ebreak") == 3
        assert hart.mtval == RAM_BASE

    def test_trap_to_m_pushes_mie(self) -> None:
        hart = hart_in(S, mstatus=MIE)
        execute(hart, "ecall")
        assert hart.mstatus == MPIE | S << 11

    @pytest.mark.parametrize(("mode", "spp"), [(U, 0), (S, SPP)])
    def test_delegated_trap_pushes_sie(self, mode: int, spp: int) -> None:
        hart = hart_in(mode, mstatus=SIE | MIE, medeleg=0xFFFF)
        execute(hart, "ebreak")
        assert hart.mstatus == SPIE | spp | MIE
        assert (hart.scause, hart.sepc, hart.stval) == (3, RAM_BASE, RAM_BASE)
        assert (hart.mcause, hart.mepc) == (0, 0)
        assert (hart.mode, hart.pc) == (S, VECTOR_S)

    def test_no_delegation_from_m(self) -> None:
        """ "traps never transition from a more-privileged mode to a
        less-privileged mode" (3.1.8)."""
        hart = hart_in(M, medeleg=0xFFFF)
        execute(hart, "ebreak")
        assert hart.mode == M

    def test_exceptions_are_not_vectored(self) -> None:
        hart = hart_in(M, mtvec=VECTOR_M | 1)
        execute(hart, "ebreak")
        assert hart.pc == VECTOR_M


class TestInterrupts:
    def pending(self, mode: int, bits: int, **csrs: int) -> NaiveHart:
        hart = hart_in(mode, **csrs)
        hart.lines, hart.mie = bits, 0xAAA
        return hart

    def test_priority(self) -> None:
        """ "MEI, MSI, MTI, SEI, SSI, STI" (3.1.9)."""
        order = [MEI, MSI, MTI, SEI, SSI, STI]
        for higher, lower in pairwise(order):
            hart = self.pending(U, higher | lower)
            hart.step()
            assert 1 << (hart.mcause & 31) == higher

    def test_m_level_first_even_if_s_is_higher_in_the_list(self) -> None:
        hart = self.pending(U, MTI | SEI, mideleg=SEI)
        hart.step()
        assert hart.mcause == INTERRUPT | 7

    @pytest.mark.parametrize(
        ("mode", "status", "mideleg", "to"),
        [
            (M, 0, 0, None),
            (M, MIE, 0, M),
            (S, 0, 0, M),  # always enabled for a lower mode
            (U, 0, 0, M),
            (M, MIE | SIE, SSI, None),  # delegated: never taken in M-mode
            (S, 0, SSI, None),
            (S, SIE, SSI, S),
            (U, 0, SSI, S),
        ],
    )
    def test_gates(self, mode: int, status: int, mideleg: int, to: int | None) -> None:
        hart = self.pending(mode, SSI, mstatus=status, mideleg=mideleg)
        cause = execute(hart, "nop")
        if to is None:
            assert cause is None
        else:
            assert cause == INTERRUPT | 1
            assert hart.mode == to
            assert (hart.steps, hart.minstret) == (1, 0)

    def test_vectored(self) -> None:
        """ "BASE plus four times the interrupt cause number" (3.1.7)."""
        hart = self.pending(U, SEI, mideleg=SEI, stvec=VECTOR_S | 1)
        hart.step()
        assert hart.pc == VECTOR_S + 4 * 9
        assert hart.stval == 0

    def test_software_bits_and_lines_of_mip(self) -> None:
        hart = hart_in(M)
        assert csrw(hart, 0x344, 0xFFFF_FFFF) == SSI | STI | SEI
        csrw(hart, 0x344, 0)
        hart.set_line(9, True)
        hart.x[5] = SSI
        execute(hart, "csrrs", 6, 0x344, 5)  # must not copy the line into the bit
        assert hart.x[6] == SEI
        hart.set_line(9, False)
        assert hart.csr("mip") == SSI
        hart.x[5] = SEI
        execute(hart, "csrrs", 6, 0x344, 5)
        hart.set_line(9, True)
        execute(hart, "csrrc", 6, 0x344, 5)
        assert hart.csr("mip") == SSI | SEI
        hart.set_line(9, False)
        assert hart.csr("mip") == SSI

    def test_sip_and_sie_show_what_is_delegated(self) -> None:
        hart = hart_in(M, mideleg=SSI)
        hart.lines, hart.mie = SEI | MEI, 0xAAA
        assert hart.csr("sip") == 0
        assert hart.csr("sie") == SSI
        assert csrw(hart, 0x144, 0xFFFF_FFFF) == SSI
        assert csrw(hart, 0x104, 0) == 0
        assert hart.mie == 0xAAA & ~SSI
        hart.mideleg = SSI | STI | SEI
        csrw(hart, 0x344, 0)
        assert csrw(hart, 0x144, 0xFFFF_FFFF) == SSI | SEI


class TestReturns:
    def test_mret(self) -> None:
        hart = hart_in(M, mstatus=S << 11 | MPIE | MPRV | SIE, mepc=VECTOR_S)
        assert execute(hart, "mret") is None
        assert (hart.mode, hart.pc) == (S, VECTOR_S)
        assert hart.mstatus == MIE | MPIE | SIE

    def test_mret_to_m_keeps_mprv(self) -> None:
        hart = hart_in(M, mstatus=M << 11 | MPRV)
        execute(hart, "mret")
        assert hart.mode == M
        assert hart.mstatus == MPRV | MPIE

    @pytest.mark.parametrize("mode", [S, M])
    def test_sret(self, mode: int) -> None:
        hart = hart_in(mode, mstatus=SPP | SPIE | MPRV, sepc=VECTOR_M)
        assert execute(hart, "sret") is None
        assert (hart.mode, hart.pc) == (S, VECTOR_M)
        assert hart.mstatus == SIE | SPIE
        hart.sepc = RAM_BASE
        execute(hart, "sret")
        assert hart.mode == U
        assert hart.mstatus == SIE | SPIE

    @pytest.mark.parametrize(
        ("name", "mode", "status", "legal"),
        [
            ("mret", S, 0, False),
            ("mret", U, 0, False),
            ("sret", U, 0, False),
            ("sret", S, TSR, False),
            ("sret", M, TSR, True),
            ("wfi", U, 0, False),
            ("wfi", S, 0, True),
            ("wfi", S, TW, False),
            ("wfi", M, TW, True),
            ("sfence_vma", U, 0, False),
            ("sfence_vma", S, 0, True),
            ("sfence_vma", S, TVM, False),
            ("sfence_vma", M, TVM, True),
        ],
    )
    def test_where_they_are_legal(self, name: str, mode: int, status: int, legal: bool) -> None:
        hart = hart_in(mode, mstatus=status)
        assert execute(hart, name) == (None if legal else 2)

    @pytest.mark.parametrize(("mode", "legal"), [(S, False), (M, True)])
    def test_tvm_guards_satp(self, mode: int, legal: bool) -> None:
        for name in ("csrrw", "csrrs"):
            hart = hart_in(mode, mstatus=TVM)
            assert execute(hart, name, 6, 0x180, 0) == (None if legal else 2)


class TestClock:
    def test_traps_count_as_steps_but_do_not_retire(self) -> None:
        hart = hart_in(M, mtvec=RAM_BASE)
        for _ in range(25):
            execute(hart, "ecall")
        assert (hart.steps, hart.mtime, hart.mcycle, hart.minstret) == (25, 2, 25, 0)

    def test_a_counter_write_is_what_the_next_instruction_reads(self) -> None:
        hart = hart_in(M)
        hart.x[5] = 1000
        for number in (0xB00, 0xB02):
            execute(hart, "csrrw", 0, number, 5)
            execute(hart, "csrrs", 6, number, 0)
            execute(hart, "csrrs", 7, number, 0)
            assert (hart.x[6], hart.x[7]) == (1000, 1001)
            execute(hart, "csrrw", 0, number | 0x80, 5)
            execute(hart, "csrrs", 6, number, 0)
            execute(hart, "csrrs", 7, number | 0x80, 0)
            assert (hart.x[6], hart.x[7]) == (1002, 1000)

    def test_counters_carry_into_the_upper_half(self) -> None:
        hart = hart_in(M)
        hart.x[5] = 0xFFFF_FFFF
        execute(hart, "csrrw", 0, 0xB02, 5)
        execute(hart, "nop")
        assert hart.minstret == 1 << 32

    def test_inhibited_counters_stop(self) -> None:
        hart = hart_in(M)
        assert csrw(hart, 0x320, 0xFFFF_FFFF) == 5
        assert (hart.mcycle, hart.minstret) == (1, 1)  # the write itself counts
        execute(hart, "nop")
        assert (hart.mcycle, hart.minstret, hart.steps) == (1, 1, 3)
        execute(hart, "csrrwi", 0, 0x320, 0)
        assert (hart.mcycle, hart.minstret, hart.steps) == (1, 1, 4)
        execute(hart, "nop")
        assert (hart.mcycle, hart.minstret, hart.steps) == (2, 2, 5)

    def test_timer_interrupt_comes_at_its_tick(self) -> None:
        hart = hart_in(M, mstatus=MIE, mie=MTI, mtimecmp=2)
        while execute(hart, "nop") is None:
            assert hart.steps <= 20
        assert hart.mcause == INTERRUPT | 7
        assert hart.steps == 21
        assert hart.mepc == RAM_BASE + 4 * 20

    def test_wfi_jumps_to_the_deadline(self) -> None:
        hart = hart_in(M, mie=MTI, mtimecmp=1000)
        assert execute(hart, "wfi") is None
        assert (hart.mtime, hart.steps, hart.pc) == (1000, 1, RAM_BASE + 4)
        assert hart.csr("mip") == MTI

    def test_wfi_does_not_wait_for_what_is_pending(self) -> None:
        """ "WFI ... is required to resume if there is a locally enabled
        interrupt pending", whatever the global enables (3.3.3)."""
        hart = hart_in(M, mie=MTI | SSI, mip_software=SSI, mtimecmp=1000)
        execute(hart, "wfi")
        assert hart.mtime == 0
        assert not hart.stuck

    def test_wfi_with_nothing_to_wake_it(self) -> None:
        hart = hart_in(M, mie=SSI, mtimecmp=1000)
        execute(hart, "wfi")
        assert hart.stuck

    def test_clint(self) -> None:
        hart = hart_in(M)
        hart.x[5], hart.x[7] = 0x0200_0000, 1
        execute(hart, "sw", 7, 0, 5)
        assert hart.csr("mip") == MSI
        hart.x[5] = 0x0200_C000
        for _ in range(9):
            execute(hart, "lw", 6, -8, 5)
        assert hart.x[6] == 0
        execute(hart, "lw", 6, -8, 5)
        assert hart.x[6] == 1
        execute(hart, "sw", 7, -4, 5)
        assert hart.mtime >> 32 == 1


def test_sbi_calls_are_steps_without_traps() -> None:
    calls: list[int] = []

    def sbi(hart: NaiveHart) -> None:
        calls.append(hart.x[17])
        hart.stimecmp = 5

    hart = NaiveHart(0x1000, sbi=sbi)
    hart.x[17] = 0x77
    hart.stvec, hart.mie, hart.mstatus = VECTOR_S, STI, SIE
    assert execute(hart, "ecall") is None
    assert calls == [0x77]
    assert (hart.mode, hart.pc, hart.steps, hart.minstret) == (S, RAM_BASE + 4, 1, 0)
    assert execute(hart, "wfi") is None
    assert hart.mtime == 5
    hart.step()
    assert (hart.scause, hart.mode) == (INTERRUPT | 5, S)
