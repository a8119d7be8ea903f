"""Each kernel of the vCPU by itself: CSRs in and out, page faults, booking, making ready.

Layouts: docstrings of `vcpu` and `shadow`, docs/hypervisor.md; traps: Privileged 20211203 §3.1.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.hypervisor.kernel_bench import (
    ALL,
    CSRR,
    ECALL,
    RAM,
    RAM_PAGE,
    SFENCE,
    SV32,
    WFI,
    Bench,
    V,
    own,
)
from tests.hypervisor.test_kernels_mmio import LW_A0, SW_A0, loading
from toyvm.hart import events, tlb
from toyvm.hart import state as s
from toyvm.hypervisor import ledger, shadow, vcpu
from toyvm.isa import csr

U_TECH, S_TECH = shadow.TECHNIQUE_U, shadow.TECHNIQUE_S


# ---- technique s: CSRs in and out ----------------------------------------------------------------


def full(record: Any, salt: int) -> None:
    """Every field of a record another number."""
    for i in range(s.FIELDS):
        record[i] = salt + 0x101 * i


def loaded(mode: int, satp: int, traps: int = csr.MSTATUS_TW) -> tuple[Bench, Any]:
    b = Bench(S_TECH)
    full(b.hp, 0x10_0000)
    full(b.v, 0x20_0000)
    b.v[s.MODE], b.v[s.SATP], b.c[shadow.TRAPS] = mode, satp, traps
    b.v[s.MSTATUS], b.v[s.MEDELEG] = -1 & 0xFFFF_FFFF, 0xFFFF
    _, changed = b.changes(lambda: vcpu._load_supervisor(b.hp, b.v, b.c))
    return b, changed


def test_the_real_hart_gets_the_guests_supervisor() -> None:
    satp = SV32 | 5
    for mode, deliver in ((s.MODE_S, 2), (s.MODE_U, 2)):
        b, changed = loaded(mode, satp)
        wanted = {("h", i): int(b.v[i]) for i in range(s.MSTATUS, s.INSTRET_OFFSET + 1)}
        del wanted["h", s.SATP]
        visible = csr.SSTATUS_MASK | csr.MSTATUS_TSR | csr.MSTATUS_TW
        wanted |= {("h", s.MSTATUS): visible, ("h", s.MCOUNTEREN): 0}
        # Misaligned fetch, load and store, ebreak, ecall from U.
        wanted["h", s.MEDELEG] = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8
        wanted |= {("h", s.MODE): mode, ("h", s.DELIVER): deliver}
        assert changed == wanted


def test_without_translation_more_comes_to_us() -> None:
    every = csr.MSTATUS_TVM | csr.MSTATUS_TW | csr.MSTATUS_TSR
    for mode, deliver in ((s.MODE_S, 2), (s.MODE_U, 0)):
        b, _ = loaded(mode, 5)
        assert b.hp[s.MSTATUS] == csr.SSTATUS_MASK | every
        assert (b.hp[s.DELIVER], b.hp[s.MODE]) == (deliver, mode)
    # The guest's own TVM and TW are not the real ones; its TSR is.
    b = Bench(S_TECH)
    b.v[s.MODE], b.v[s.SATP] = s.MODE_S, SV32
    for own_bits, wanted in ((csr.MSTATUS_TVM, 0), (csr.MSTATUS_TSR, csr.MSTATUS_TSR), (0, 0)):
        b.v[s.MSTATUS] = own_bits
        vcpu._load_supervisor(b.hp, b.v, b.c)
        assert b.hp[s.MSTATUS] == wanted


def test_the_guests_record_gets_what_it_did_natively() -> None:
    b = Bench(S_TECH)
    full(b.hp, 0x10_0000)
    full(b.v, 0x20_0000)
    b.hp[s.MSTATUS], b.v[s.MSTATUS] = csr.MSTATUS_SUM | csr.MSTATUS_TSR, csr.MSTATUS_MPRV | 2
    _, changed = b.changes(lambda: vcpu._save_supervisor(b.hp, b.v))
    fields = [s.MIE, s.MIP, s.STVEC, s.SSCRATCH, s.SEPC, s.SCAUSE, s.STVAL, s.STIMECMP]
    fields += [s.SCOUNTEREN, s.SENVCFG, s.NOT_RETIRED, s.MODE]
    wanted = {("v", i): int(b.hp[i]) for i in fields}
    assert changed == wanted | {("v", s.MSTATUS): csr.MSTATUS_SUM | csr.MSTATUS_MPRV}


# ---- the paravirtual flag ------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [0, 1])
@pytest.mark.parametrize("delegated", [0, 1])
@pytest.mark.parametrize("wanted", [0, 1])
@pytest.mark.parametrize("pending", [0, 1])
def test_the_flag_shows_what_waits(enabled: int, delegated: int, wanted: int, pending: int) -> None:
    b = Bench()
    b.c[shadow.FLAG], b.c[shadow.PV_MASKED] = 20 << 12, 7
    b.put(20, 0, 99)
    b.put(20, 1, 99)
    b.v[s.MSTATUS] = enabled << 1 | csr.MSTATUS_MIE | csr.MSTATUS_MPRV
    b.v[s.LINES] = pending << 9 | 1 << 11
    b.v[s.MIE] = wanted << 9 | 1 << 5
    b.v[s.MIDELEG] = delegated << 9 | 1 << 1
    waits = int(not enabled and delegated and wanted and pending)
    _, changed = b.changes(lambda: vcpu._flag_out(b.v, b.c, b.ram))
    words = {("ram", 20 * 1024): enabled, ("ram", 20 * 1024 + 1): waits}
    assert changed == words | ({("c", shadow.PV_MASKED): 8} if waits else {})


def test_the_flag_is_taken_over() -> None:
    b = Bench()
    b.c[shadow.FLAG] = 20 << 12
    b.put(20, 1, 1)
    others = csr.MSTATUS_MIE | csr.MSTATUS_SPIE
    for stored, enabled in ((0, 0), (1, 2), (2, 0), (3, 2), (0xFFFF_FFFE, 0)):
        for before in (0, 2):
            b.put(20, 0, stored)
            b.v[s.MSTATUS] = others | before
            vcpu._flag_in(b.v, b.c, b.ram)
            assert b.v[s.MSTATUS] == others | enabled


# ---- booking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("serial", [0, 1, 15, 16, 37])
def test_an_exit_is_booked_in_the_ring(serial: int) -> None:
    b = Bench()
    b.c[shadow.SERIAL], b.c[shadow.COUNTERS + 14] = serial, 5
    b.v[s.PC], b.v[s.MODE], b.v[s.STEPS], b.v[s.SATP] = 0x8000_0010, 1, 1234, SV32 | 77
    where = vcpu._where(b.v)
    assert where == 1 << 32 | 0x8000_0010
    _, changed = b.changes(lambda: vcpu._count(b.v, b.c, 14, where, 0x111, 0x222))
    entry = shadow.RING + 6 * (serial % 16)
    row = (14, where, 0x111, 1234, 0x222, 1 << 32 | SV32 | 77)
    fields = {entry + i: n for i, n in enumerate(row)}
    fields |= {shadow.SERIAL: serial + 1, shadow.LAST_CAUSE: 14, shadow.COUNTERS + 14: 6}
    assert changed == {("c", i): n for i, n in fields.items()}


def test_how_a_reflected_fault_is_booked() -> None:
    b = Bench()
    page, elsewhere = ledger.PAGE_FAULT, ledger.ACCESS_FAULT
    for cause, booked in ((1, elsewhere), (5, elsewhere), (7, elsewhere), (12, page), (13, page)):
        b.v[s.CAUSE] = cause
        assert vcpu._fault_booked(b.v) == booked
    assert [c for c in range(16) if vcpu._is_system(c)] == [2, 3, 8, 9]


# ---- page faults ---------------------------------------------------------------------------------


def exiting(mode: int = s.MODE_M, tval: int = RAM + 0x3008, word: int = LW_A0, **o: Any) -> Bench:
    """The real hart has just faulted at `tval`."""
    b = loading(RAM + 0x3000, **o)
    b.v[s.MODE] = mode
    shadow.point(b.h, b.g, b.c)
    b.hp[s.TVAL], b.hp[s.WORD] = tval, word
    return b


def faulted(b: Bench, cause: int) -> tuple[int, int]:
    booked, code = vcpu._page_fault(b.h, b.g, b.c, cause)
    return int(booked), int(code)


def test_a_fault_that_is_filled() -> None:
    for cause in (12, 13, 15):
        b = exiting()
        assert faulted(b, cause) == (ledger.FILL, -1)
        assert b.v[s.STEPS] == 100
        b = exiting()
        b.c[shadow.FREE] = 0
        assert faulted(b, cause) == (ledger.FILL, vcpu.EXIT_FRAMES)


def test_a_fetch_of_what_is_no_ram() -> None:
    b = exiting(tval=0x1000_0000)
    assert faulted(b, 12) == (ledger.ACCESS_FAULT, -1)
    assert (b.v[s.MCAUSE], b.v[s.MTVAL], b.v[s.PC]) == (1, 0x1000_0000, 0x8000_0400)
    assert (b.v[s.CAUSE], b.v[s.TVAL]) == (1, 0x1000_0000)


def test_a_load_of_a_device() -> None:
    b = exiting(tval=0x1000_0008)
    b.x[11] = 0x1000_0000
    assert faulted(b, 13) == (ledger.MMIO, events.EXIT_MMIO)
    assert b.v[s.MMIO_PA] == 0x1000_0008
    assert b.v[s.STEPS] == 100
    # A misaligned one: no device answers that.
    b = exiting(tval=0x1000_0009)
    b.x[11] = 0x1000_0001
    assert faulted(b, 13) == (ledger.ACCESS_FAULT, -1)
    assert (b.v[s.MCAUSE], b.v[s.MTVAL]) == (5, 0x1000_0009)


def in_tables(leaf: int, **options: Any) -> Bench:
    """S-mode at 0x3008 of its own tables (pages 1 and 2)."""
    b = loading(0x3000, **options)
    b.v[s.MODE], b.v[s.SATP] = s.MODE_S, SV32 | RAM_PAGE + 1
    b.put(9, 0, own(2, V))
    b.put(10, 3, leaf)
    shadow.point(b.h, b.g, b.c)
    b.hp[s.TVAL], b.hp[s.WORD] = 0x3008, LW_A0
    return b


def test_a_fault_of_the_guests_own() -> None:
    b = in_tables(0)
    assert faulted(b, 13) == (ledger.PAGE_FAULT, -1)
    assert (b.v[s.MCAUSE], b.v[s.MTVAL], b.v[s.STEPS]) == (13, 0x3008, 101)
    b = in_tables(own(7, ALL))
    b.put(9, 0, own(99, V))
    assert faulted(b, 13) == (ledger.ACCESS_FAULT, -1)
    assert b.v[s.MCAUSE] == 5


def test_a_store_to_a_guests_table() -> None:
    b = in_tables(own(2, ALL), protect=1)
    b.hp[s.WORD] = SW_A0
    vcpu._page_fault(b.h, b.g, b.c, 13)
    assert faulted(b, 15) == (ledger.TABLE, -1)
    assert b.v[s.STEPS] == 101
    b = in_tables(own(2, ALL), protect=1)
    vcpu._page_fault(b.h, b.g, b.c, 13)
    b.hp[s.WORD] = SW_A0
    # The second half lies in a page that has no frame, and none is left.
    b.put(10, 4, own(30, ALL))
    b.x[11], b.c[shadow.FREE] = 0x3FFE - 8, 0
    assert faulted(b, 15) == (ledger.FILL, vcpu.EXIT_FRAMES)
    # The second half faults.
    b.put(10, 4, 0)
    assert faulted(b, 15) == (ledger.PAGE_FAULT, -1)
    assert (b.v[s.MCAUSE], b.v[s.MTVAL]) == (15, 0x4000)


def test_data_under_mprv_is_done_by_hand() -> None:
    b = in_tables(own(7, ALL))
    b.v[s.MODE], b.v[s.MSTATUS] = s.MODE_M, csr.MSTATUS_MPRV | s.MODE_S << 11
    b.put(15, 2, 4321)
    before = b.c[shadow.NODES]
    assert faulted(b, 13) == (ledger.MPRV, -1)
    assert (int(b.x[10]), b.v[s.STEPS], b.c[shadow.NODES]) == (4321, 101, before)
    # What faults then is booked as MPRV as well.
    b.put(10, 3, 0)
    assert faulted(b, 13) == (ledger.MPRV, -1)
    assert b.v[s.MCAUSE] == 13
    # Fetches are filled: by M-mode's rules.
    b = exiting()
    b.v[s.MSTATUS] = csr.MSTATUS_MPRV
    assert faulted(b, 12) == (ledger.FILL, -1)


@pytest.mark.parametrize("address", [0, 0x3008])
def test_a_watched_access_is_told(address: int) -> None:
    b = in_tables(own(7, ALL))
    b.v[s.MODE], b.v[s.MSTATUS] = s.MODE_M, csr.MSTATUS_MPRV | s.MODE_S << 11
    b.put(10, 0, own(7, ALL))
    b.x[11] = (address - 8) & s.MASK32
    b.v[s.WATCHES] = 1
    b.v[s.WATCH : s.WATCH + 3] = address, address + 3, 1
    assert faulted(b, 13) == (ledger.MPRV, events.EXIT_WATCH)
    assert (b.hp[s.WATCH_HIT], b.v[s.WATCH_HIT]) == (address, -1)


# ---- handling and preparing ----------------------------------------------------------------------


def handled(b: Bench, effects: int = -1) -> tuple[int, list[int]]:
    """The code, and what was booked."""
    code = vcpu._handle(b.h.table, b.g.table, b.c, 0x77, effects)
    counters = b.c[shadow.COUNTERS : shadow.COUNTERS + ledger.COUNT]
    return int(code), [i for i, n in enumerate(counters) for _ in range(int(n))]


def test_an_exit_is_handled() -> None:
    b = exiting()
    b.hp[s.CAUSE] = 13
    assert handled(b) == (-1, [ledger.FILL])
    ring = [int(n) for n in b.c[shadow.RING : shadow.RING + 5]]
    assert ring == [ledger.FILL, 0x77, LW_A0, 100, RAM + 0x3008]
    b = exiting()
    b.hp[s.CAUSE], b.c[shadow.FREE] = 13, 0
    assert handled(b) == (vcpu.EXIT_FRAMES, [])
    for cause in (0, 4, 6):
        b = exiting()
        b.hp[s.CAUSE] = cause
        assert handled(b) == (-1, [ledger.MISALIGNED])
        assert (b.v[s.MCAUSE], b.v[s.MTVAL]) == (cause, RAM + 0x3008)
    for effects, word, code, booked in (
        (s.EFFECT_SBI, ECALL, events.EXIT_SBI, ledger.SBI),
        (s.EFFECT_WFI, WFI, events.EXIT_WFI, ledger.WFI),
        (s.EFFECT_FENCE, SFENCE, -1, ledger.SFENCE),
        (s.EFFECT_PMP, CSRR, -1, ledger.CSR),
    ):
        b = exiting()
        b.hp[s.CAUSE], b.hp[s.WORD] = 2, word
        assert handled(b, effects) == (code, [booked])


def prepared(b: Bench, end: int) -> tuple[int, int]:
    code, until = vcpu._prepare(b.h.table, b.g.table, b.c, end)
    return int(code), int(until)


def test_making_ready_to_enter() -> None:
    b = exiting()
    assert prepared(b, 5000) == (-1, 5000)
    # A deadline: mtimecmp 20 is step 200 (ten steps a tick).
    b.v[s.TIMECMP] = 20
    assert prepared(b, 5000) == (-1, 200)
    assert prepared(b, 200) == (-1, 200)
    assert prepared(b, 150) == (-1, 150)
    assert b.c[shadow.SERIAL] == 0


def test_an_interrupt_before_the_entry() -> None:
    for trace, code in ((0, -2), (1, vcpu.EXIT_TRACE)):
        b = exiting(mode=s.MODE_U)
        b.c[shadow.TRACE], b.c[shadow.COUNTERS + ledger.INTERRUPT] = trace, 4
        b.v[s.LINES] = b.v[s.MIE] = 1 << 3
        assert prepared(b, 5000) == (code, 5000)
        assert b.c[shadow.COUNTERS + ledger.INTERRUPT] == 5
        ring = [int(n) for n in b.c[shadow.RING : shadow.RING + 5]]
        assert ring == [ledger.INTERRUPT, 0x8000_1230, 0, 101, 0]


def test_no_frame_to_enter_with() -> None:
    b = exiting()
    b.v[s.MODE], b.v[s.SATP], b.c[shadow.FREE] = s.MODE_S, SV32 | RAM_PAGE + 1, 0
    assert prepared(b, 5000) == (vcpu.EXIT_FRAMES, 5000)


def test_the_tlb_follows_the_root() -> None:
    """Under technique u the context is chosen here, by the new real satp; under s on entry."""
    for technique in (U_TECH, S_TECH):
        b = Bench(technique)
        b.v[s.MODE] = s.MODE_M
        assert prepared(b, 10) == (-1, 10)
        tags = [int(t) for t in b.hp[s.CONTEXT_TAGS : s.CONTEXT_TAGS + 16] if t]
        wanted = tlb.context_tag(b.hp, s.MODE_U)
        assert tags == ([int(wanted)] if technique == U_TECH else [])
