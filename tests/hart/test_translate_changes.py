"""Tier 2 where the ground moves: code, page tables, budgets, timers, debuggers, memory."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import BASE, RAM, RX, A, D, R, Tables, W, guest, identity
from tests.support.tiers import COUNT, HUNDRED, ONE, Tiers, both
from toyvm.hart.translate.backend import unavailable
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

LONG = (60, 60, 500, 3000, 3000, 20_000)


def test_every_stop_in_a_hot_loop_is_exact() -> None:
    """Runs of every length from 1 to 40, from every instruction of the loop."""
    for pair in both(guest(COUNT.format(count=100_000)), (100, 100), ram=RAM, bios="none"):
        for length in range(1, 41):
            before = pair.one.steps
            assert pair.run(length).reason == "budget"
            assert pair.two.steps == before + length
        assert pair.translated == 0 or pair.translator.installed
        before = pair.translated
        pair.run(1001)
        assert pair.translated > before + 900


def test_timers_interrupt_at_the_same_step() -> None:
    """A timer fires again and again in a translated loop; its handler looks at the clock."""
    program = guest("""
            handler tick
            li   t0, CLINT_BASE + 0x4000
            li   t1, 20
            sw   t1, 0(t0)
            sw   zero, 4(t0)
            li   t1, 0x80
            csrw mie, t1
            csrsi mstatus, 8
            li   s4, 20000
        loop:
            addi a0, a0, 1
            xor  a1, a1, a0
            addi s4, s4, -1
            bnez s4, loop
            pass
        .balign 4
        tick:
            li   t0, CLINT_BASE + 0xbff8
            lw   t1, 0(t0)
            add  s5, s5, t1
            add  s6, s6, a0
            addi s7, s7, 1
            addi t1, t1, 37
            li   t0, CLINT_BASE + 0x4000
            sw   t1, 0(t0)
            mret
    """)
    for pair in both(program, (*LONG, 90_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert int(pair.one.x[23]) > 100
        assert pair.translated > 30_000


def test_a_store_into_a_translated_loop() -> None:
    program = guest(f"""
            li   s0, {ONE:#x}
            li   s1, {HUNDRED:#x}
            la   s2, slot
            li   s3, 0
        again:
            addi s5, s5, 3
        slot:
            .word {ONE}
            addi s3, s3, 1
            li   t0, 2000
            bne  s3, t0, 1f
            sw   s1, 0(s2)
        1:  li   t0, 3000
            bne  s3, t0, 1f
            sw   s0, 0(s2)
        1:  li   t0, 5000
            blt  s3, t0, again
            pass
    """)
    for pair in both(program, (*LONG, 60_000), ram=RAM, bios="none"):
        assert int(pair.one.x[10]) == 4000 + 1000 * 100
        assert pair.translator.dropped >= 1
        assert pair.translated > 5000


def test_dma_into_a_translated_loop() -> None:
    """What a device writes is what runs next."""
    for pair in both(guest(COUNT.format(count=3000)), LONG[:4], ram=RAM, bios="none"):
        loop = pair.one.program.symbols["loop"]
        for computer in (pair.one, pair.two):
            before = int(computer.x[10])
            assert computer.write_phys(loop, HUNDRED.to_bytes(4, "little"))
        installed = pair.translator.installed
        pair.run(60)
        assert int(pair.two.x[10]) >= before + 900
        pair.run(600)
        pair.run(600)
        assert pair.translator.installed > installed
        pair.finish((50_000,))
        assert pair.one.stopped is not None


def paged(body: str, tables: Tables) -> object:
    """S-mode code with Sv32 on; `ecall` ends it, `trap` gets every other trap."""
    return guest(
        """
            handler first
            open_pmp
            paging
            enter 0x800, super
        first:
            csrr t0, mcause
            addi t0, t0, -9
            bnez t0, trap
            pass
        .balign 4096
        super:
        """
        + body,
        tables,
    )


def test_page_tables_that_change_under_translated_code() -> None:
    """Two pages with different code at one address; sfence.vma after each change."""
    tables = identity(80)
    window = 0x4000_0000
    tables.map(window, BASE + 0x8000, RX | A)
    entry = tables.entry(window)
    first = (BASE + 0x8000) >> 12 << 10 | RX | A | 1
    second = (BASE + 0x9000) >> 12 << 10 | RX | A | 1
    program = paged(
        f"""
            li   s0, {entry:#x}
            li   s1, {first:#x}
            li   s2, {second:#x}
            li   s3, {window:#x}
            li   s4, 40
        turn:
            li   a5, 60
            jalr s3
            sw   s2, 0(s0)
            sfence.vma
            li   a5, 60
            jalr s3
            sw   s1, 0(s0)
            sfence.vma s3
            addi s4, s4, -1
            bnez s4, turn
            ecall
        trap:
            fail 3
        .org 0x8000
        1:  addi a0, a0, 1
            addi a5, a5, -1
            bnez a5, 1b
            ret
        .org 0x9000
        1:  addi a6, a6, 7
            xor  a2, a2, a6
            addi a5, a5, -1
            bnez a5, 1b
            ret
        """,
        tables,
    )
    for pair in both(program, (300, 300, 300, 300, 700, 20_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.one.stopped.code == 0
        assert (int(pair.two.x[10]), int(pair.two.x[16])) == (2400, 7 * 2400)
        assert pair.translated > 5000


def test_faults_in_translated_loops_have_their_pc_and_value() -> None:
    """A loop that walks off its page, into one that is not mapped, again and again."""
    tables = identity(80)
    window = 0x4000_0000
    tables.map(window, BASE + 0xA000, R | W | A | D)
    program = paged(
        f"""
            li   s4, 30
        again:
            li   a0, {window + 0xE00:#x}
            la   s5, next
        1:  lw   a1, 0(a0)
            add  a2, a2, a1
            sw   a2, 0(a0)
            addi a0, a0, 4
            j    1b
        next:
            addi s4, s4, -1
            bnez s4, again
            ecall
        .balign 4
        trap:
            csrr t0, mepc
            add  s6, s6, t0
            csrr t0, mtval
            add  s7, s7, t0
            csrr t0, mcause
            add  s8, s8, t0
            csrw mepc, s5
            mret
        """,
        tables,
    )
    for pair in both(program, (900, 900, 900, 40_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert int(pair.two.x[23]) == 30 * (window + 0x1000) & 0xFFFF_FFFF
        assert int(pair.two.x[24]) == 30 * 13
        assert pair.translated > 10_000


def test_the_same_code_at_two_addresses() -> None:
    """A region does not know its address: links and auipc come out right at each."""
    tables = identity(80)
    window = 0x4000_0000
    tables.map(window, BASE + 0x8000, RX | A)
    program = paged(
        f"""
            li   s3, {window:#x}
            li   s5, {BASE + 0x8000:#x}
            li   s4, 50
        turn:
            jalr s3
            jalr s5
            addi s4, s4, -1
            bnez s4, turn
            ecall
        trap:
            fail 3
        .org 0x8000
            mv   s6, ra
            li   a5, 20
        1:  auipc t0, 1
            xor  a0, a0, t0
            jal  2f
            addi a5, a5, -1
            bnez a5, 1b
            jr   s6
        2:  add  a1, a1, ra
            ret
        """,
        tables,
    )
    for pair in both(program, (400, 400, 400, 40_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.translated > 5000


CROSSING = """
        li   s4, 400
        j    far
    .org 0xff0
    loop:
        addi a0, a0, 1
        xor  a1, a1, a0
        add  a2, a2, a1
        addi a3, a3, 5
        slli a4, a3, 1          # first word of the second page
        call leaf
        addi s4, s4, -1
        bnez s4, loop
        pass
    far:
        j    loop
    .org 0x2ffc
    leaf:
        add  a5, a5, ra
        addi a6, a6, 1
        ret
"""


def test_regions_across_pages() -> None:
    for pair in both(guest(CROSSING), (200, 200, 200, 900, 20_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert max(len(one.pages) for one in pair.translator.regions) >= 2
        assert pair.translated > 3000


def test_a_region_across_pages_needs_all_of_them() -> None:
    """A store into its second page, and the first page's head does not run it any more."""
    pair = Tiers(guest(CROSSING.replace("400", "4000")), ram=RAM, bios="none")
    for size in (*[200] * 9, 900):
        pair.run(size)
    assert pair.translated > 500
    for computer in (pair.one, pair.two):
        computer.write_phys(BASE + 0x1000, ONE.to_bytes(4, "little"))
    pair.finish((100, 100, 100, 60_000))
    assert pair.one.stopped is not None


def test_jumps_to_odd_places() -> None:
    """A misaligned target traps at the jump, in translated code too."""
    program = guest("""
            handler trap
            li   s4, 200
            la   s5, target
        again:
            addi a0, a0, 1
            andi t1, s4, 15
            seqz t1, t1
            slli t1, t1, 1
            add  t1, t1, s5
            jalr ra, t1
        target:
            addi s4, s4, -1
            bnez s4, again
            pass
        .balign 4
        trap:
            csrr t0, mtval
            add  s6, s6, t0
            add  s7, s7, ra
            csrw mepc, s5
            mret
    """)
    for pair in both(program, (200, 200, 200, 20_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.translated > 500


def test_devices_and_misaligned_accesses_inside_loops() -> None:
    program = guest("""
            li   s4, 300
            li   s5, UART0_BASE
            la   s6, data + 4094
        again:
            addi a5, a5, 3
            xor  a6, a6, a5
            lbu  a0, 5(s5)
            add  a1, a1, a0
            sw   a1, 0(s6)
            lw   a2, 0(s6)
            lhu  a3, 1(s6)
            add  a4, a4, a3
            addi s4, s4, -1
            bnez s4, again
            pass
        .balign 4096
        data:
            .space 8192
    """)
    for pair in both(program, (200, 200, 200, 20_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.translated > 300


def test_breakpoints_and_watchpoints_stop_translated_code() -> None:
    program = guest("""
            li   s4, 3000
            la   s5, data
        again:
            addi a0, a0, 1
            sw   a0, 0(s5)
            addi s4, s4, -1
        here:
            bnez s4, again
            pass
        .balign 4096
        data:
            .word 0
    """)
    for kind in (Machine, Vm):
        pair = Tiers(program, kind, ram=RAM, bios="none")
        for size in (100, 100, 1000):
            pair.run(size)
        before = pair.translated
        assert before > 500
        symbols = pair.one.program.symbols
        for computer in (pair.one, pair.two):
            computer.add_breakpoint(symbols["here"])
            assert computer.run(1000).reason == "breakpoint"
            assert computer.resume(1000).reason == "breakpoint"
            computer.remove_breakpoint(symbols["here"])
        pair.check_quick()
        for _ in range(3):
            pair.run(1000)
        assert pair.translated > 500
        for computer in (pair.one, pair.two):
            computer.set_watchpoints([(symbols["data"], 4, 2)])
            assert computer.run(1000).reason == "watchpoint"
            computer.set_watchpoints([])
        pair.finish((700, 700, 50_000))
        assert pair.one.stopped is not None
