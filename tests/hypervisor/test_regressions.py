"""Mistakes that other hypervisors made, each as a guest that would notice.

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
    URX,
    A,
    D,
    R,
    Tables,
    V,
    W,
    X,
    guest,
    identity,
)
from tests.hypervisor.twin import Twin, agree
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = pytest.mark.usefixtures("variant")

SKIP = """
    .align 2
skip:
    csrr s10, mepc
    addi s10, s10, 4
    csrw mepc, s10
    csrr s11, mcause
    mret
"""
USER = 0x1000_0000 - BASE
"""What leads from code to its user mapping."""
#: S-mode with its own handler, everything delegated that can be.
KERNEL = """
    open_pmp
    li   t0, -1
    csrw medeleg, t0
    csrw mideleg, t0
    shandler trapped
    handler unexpected
    paging
    enter MSTATUS_MPP_S, kernel
    .align 2
unexpected:
    fail 99
kernel:
"""
TRAPPED = """
    .align 2
trapped:
    csrr s0, scause
    csrr s1, stval
    csrr s2, sepc
    csrr s3, sstatus
    csrr s4, sip
    pass
"""
PASS_PAGE = 0x0010_0000


def tables() -> Tables:
    """Kernel at home, the same pages for users at 0x10000000, the finisher at home."""
    return (
        identity(80).map(0x1000_0000, BASE, URX | A | D, 64).map(PASS_PAGE, PASS_PAGE, RW | A | D)
    )


def kernel(body: str, extra: Tables | None = None, end: str = TRAPPED) -> Twin:
    return agree(guest(KERNEL + body + end, extra or tables()))


def saved(twin: Twin, *registers: int) -> list[int]:
    return [int(twin.vm.x[i]) for i in registers]


# ---- a guest that stops the hypervisor -----------------------------------------------------------


def test_odd_accesses_to_devices_do_not_panic() -> None:
    """Byte, half-word, misaligned and atomic accesses all over every device."""
    bases = "UART0_BASE, PLIC_BASE, CLINT_BASE, VIRTIO_BASE, FINISHER_BASE + 8, RTC_BASE"
    source = "handler skip\n"
    for base in bases.split(", "):
        source += f"li a0, {base}\n"
        for offset in (0, 1, 2, 3, 5, 0x30, 0x44, 0x70, 0xFC, 0x100, 0x7F0):
            for access in ("lb t1", "lh t1", "lw t1", "sb t2", "sh t2", "sw t2"):
                if base.startswith("FINISHER") and access[0] == "s":
                    continue
                source += f"{access}, {offset}(a0)\n"
        source += "lr.w t1, (a0)\n sc.w t1, t1, (a0)\n amoadd.w t1, t2, (a0)\n"
    twin = Twin(guest(source + "pass\n" + SKIP))
    assert twin.to_the_end((1,) * 3000).reason == "exit"


def test_a_queue_that_does_not_exist_is_no_panic() -> None:
    source = """
        li   a0, VIRTIO_BASE
        li   t0, 4
        sw   t0, 0x30(a0)        # QueueSel
        lw   s0, 0x34(a0)        # QueueNumMax
        sw   t0, 0x38(a0)
        sw   t0, 0x40(a0)
        li   t0, -1
        sw   t0, 0x30(a0)
        lw   s1, 0x34(a0)
        sw   t0, 0x50(a0)        # QueueNotify
        pass
    """
    twin = Twin(guest(source), drives=1)
    assert twin.to_the_end((1,) * 40).reason == "exit"
    assert saved(twin, 8, 9) == [0, 0]


@pytest.mark.parametrize("va", [0xFFFF_F000, 0xFFC0_0000, 0xC000_0000, 0x4000_0000, 0x1000])
def test_no_virtual_address_is_reserved_for_the_hypervisor(va: int) -> None:
    """Every page of the guest's address space is its own."""
    mapped = tables().map(va, BASE + 0x8000, RW)
    twin = kernel(
        f"""
        li   a0, {va:#x}
        li   a1, 0x5aa5
        sw   a1, 8(a0)
        lw   a2, 8(a0)
        pass
        """,
        mapped,
    )
    assert saved(twin, 12) == [0x5AA5]
    assert twin.vm.read_phys(BASE + 0x8008, 2) == b"\xa5\x5a"


def test_sfence_with_registers() -> None:
    twin = kernel("""
        li   a0, 0x80008000
        li   a1, 3
        sfence.vma a0, a1
        sfence.vma a0, zero
        sfence.vma zero, a1
        sfence.vma zero, zero
        li   a0, 0xdeadb000
        sfence.vma a0, a1
        li   s5, 11
        pass
    """)
    assert saved(twin, 21) == [11]


@pytest.mark.parametrize("store", ["sb", "sh", "sw"])
def test_stores_of_every_width_to_page_tables(store: str) -> None:
    """A table is memory like any other: only the byte that is written changes."""
    mapped = tables().map(0x4000_0000, BASE + 0x8000, R | A)
    entry = mapped.entry(0x4000_0000)
    assert entry < BASE + 80 * 0x1000
    twin = kernel(
        f"""
        li   a0, {entry:#x}
        li   a1, 0x40000000
        lw   a2, 0(a1)
        li   a3, {V | R | W | A | D:#x}
        lw   a4, 0(a0)
        srli a4, a4, 8
        slli a4, a4, 8
        or   a3, a3, a4
        {store} a3, 0(a0)
        sfence.vma a1
        sw   a0, 0(a1)
        lw   a5, 0(a1)
        pass
        """,
        mapped,
    )
    assert saved(twin, 15) == [entry]


def test_unknown_instructions_are_the_guests_own_problem() -> None:
    words = (0, 0xFFFF_FFFF, 0x0000_0053, 0x0000_2007, 0x1234_5678, 0x0020_0073, 0xF000_4073)
    source = "handler skip\n" + "".join(f".word {word:#x}\n" for word in words)
    twin = agree(guest(source + "pass\n" + SKIP))
    assert twin.vm.ledger["illegal"] == len(words)


def test_an_unknown_sbi_call_is_answered() -> None:
    source = """
        li   a7, 0x12345678
        li   a6, 3
        ecall
        mv   s0, a0
        li   a7, 9
        ecall
        mv   s1, a0
        li   a7, 8
        ecall
    """
    twin = Twin(guest(source, base=BASE + (4 << 20)), bios="sbi", ram_size=8 << 20)
    assert twin.to_the_end((1,) * 30).reason == "exit"
    assert saved(twin, 8, 9) == [0xFFFF_FFFE, 0xFFFF_FFFE]


# ---- what is emulated, and with what -------------------------------------------------------------


def test_the_instruction_that_faulted_is_emulated_not_the_one_that_is_there_now() -> None:
    """The same address holds another instruction the second time; both are emulated as they are."""
    source = """
        la   s5, slot
        li   s6, 0x34202573          # csrr a0, mcause
        li   s7, 0x343025f3          # csrr a1, mtval
        li   t0, 0x111
        csrw mcause, t0
        li   t0, 0x222
        csrw mtval, t0
        li   s8, 2
    again:
    slot:
        .word 0x34202573
        sw   s7, 0(s5)
        fence.i
        addi s8, s8, -1
        bnez s8, again
        pass
    """
    twin = agree(guest(source))
    assert saved(twin, 10, 11) == [0x111, 0x222]


def test_a_device_access_by_code_that_has_changed_under_it() -> None:
    """The instruction is taken from what was executed, at any of its addresses."""
    source = """
        la   s5, slot
        li   s6, UART0_BASE
        li   t0, 'a'
        li   t1, 'b'
        li   s8, 2
        li   s7, 0x006b0023          # sb t1, 0(s6)
        slli s7, s7, 0
    again:
    slot:
        sb   t0, 0(s6)
        lw   t2, patch
        sw   t2, 0(s5)
        fence.i
        addi s8, s8, -1
        bnez s8, again
        pass
        .align 2
    patch:
        sb   t1, 0(s6)
    """.replace("lw   t2, patch", "la   t2, patch\n lw   t2, 0(t2)")
    twin = agree(guest(source))
    assert twin.vm.console_output == b"ab"


def test_emulated_results_go_to_the_register_they_name_and_x0_stays_zero() -> None:
    source = "li t0, 0x77\n csrw mscratch, t0\n"
    for register in range(1, 32):
        source += f"csrr x{register}, mscratch\n"
    source += "csrr x0, mscratch\n csrr t2, mhartid\n"
    program = guest(source + "1: j 1b\n")
    twin = Twin(program)
    for _ in range(36):
        twin.run(1)
    assert saved(twin, 0, 7) == [0, 0]
    assert saved(twin, *[i for i in range(1, 32) if i != 7]) == [0x77] * 30


# ---- traps that are reflected --------------------------------------------------------------------


def test_sret_to_a_user_page_without_a_shadow() -> None:
    """The fetch faults in the shadow first; if the guest has no page there, cause 12 at that pc."""
    twin = kernel(f"""
        li   t0, SSTATUS_SPP
        csrc sstatus, t0
        li   t0, {0x7000_0000:#x}
        csrw sepc, t0
        sret
    """)
    assert saved(twin, 8, 9, 18) == [12, 0x7000_0000, 0x7000_0000]
    assert int(twin.vm.x[19]) & 0x100 == 0


def test_previous_mode_and_interrupt_enable_are_pushed() -> None:
    """SPP tells who trapped, SPIE what SIE was."""
    to_user = f"""
        csrsi sstatus, 2
        la   t0, user
        li   t1, {USER:#x}
        add  t0, t0, t1
        csrw sepc, t0
        li   t1, SSTATUS_SPP
        csrc sstatus, t1
        li   t1, SSTATUS_SPIE
        csrs sstatus, t1
        sret
    user:
        ebreak
    """
    # The handler's store to the finisher is in S-mode.
    twin = kernel(to_user)
    assert saved(twin, 8)[0] == 3
    assert int(twin.vm.x[19]) & (0x100 | 0x20 | 2) == 0x20
    for bits, pushed in (("csrsi sstatus, 2", 0x20), ("csrci sstatus, 2", 0)):
        twin = kernel(f"{bits}\n ebreak\n")
        assert int(twin.vm.x[19]) & (0x100 | 0x20 | 2) == 0x100 | pushed


def test_epc_of_a_reflected_trap_is_the_instruction_itself() -> None:
    twin = kernel("nop\nhere: .word 0xffffffff\n")
    symbols = twin.vm.program.symbols if twin.vm.program else {}
    assert saved(twin, 8, 9, 18) == [2, 0xFFFF_FFFF, symbols["here"]]


def test_breakpoints_of_the_guest_are_its_own() -> None:
    """ebreak is forwarded, not swallowed; its value is its address."""
    twin = kernel("here: ebreak\n")
    symbols = twin.vm.program.symbols if twin.vm.program else {}
    assert saved(twin, 8, 9) == [3, symbols["here"]]


def test_ecalls_of_virtual_modes_have_their_own_causes() -> None:
    source = """
        handler skip
        open_pmp
        ecall
        mv   s0, s11
        enter MSTATUS_MPP_S, kernel
    kernel:
        ecall
        mv   s1, s11
        la   t0, user
        csrw sepc, t0
        li   t0, SSTATUS_SPP
        csrc sstatus, t0
        sret
    user:
        ecall
        mv   s2, s11
        pass
    """
    assert saved(agree(guest(source + SKIP)), 8, 9, 18) == [11, 9, 8]


def test_delegated_traps_of_machine_mode_stay_in_machine_mode() -> None:
    source = """
        handler skip
        li   t0, -1
        csrw medeleg, t0
        shandler wrong
        ebreak
        mv   s0, s11
        pass
        .align 2
    wrong:
        fail 5
    """
    assert saved(agree(guest(source + SKIP)), 8) == [3]


# ---- interrupts ----------------------------------------------------------------------------------


def interrupts(sie: int, sip: int, end: str = TRAPPED) -> Twin:
    """SSIP, STIP and SEIP set from M-mode as `sip`, enabled by `sie`, then SIE."""
    return agree(
        guest(
            f"""
            open_pmp
            li   t0, -1
            csrw mideleg, t0
            shandler trapped
            li   t0, {sip:#x}
            csrw mip, t0
            li   t0, {sie:#x}
            csrw mie, t0
            enter MSTATUS_MPP_S, kernel
        kernel:
            csrsi sstatus, 2
        1:  j    1b
            """
            + end
        )
    )


@pytest.mark.parametrize(
    ("sie", "sip", "cause"),
    [
        (0x222, 0x222, 9),
        (0x222, 0x022, 1),
        (0x222, 0x020, 5),
        (0x022, 0x222, 1),
        (0x020, 0x222, 5),
        (0x200, 0x222, 9),
        (0x002, 0x222, 1),
    ],
)
def test_the_most_urgent_enabled_interrupt_is_taken(sie: int, sip: int, cause: int) -> None:
    """External before software before timer, chosen among those that are enabled."""
    twin = interrupts(sie, sip)
    assert saved(twin, 8, 9) == [1 << 31 | cause, 0]
    assert int(twin.vm.x[19]) & 0x100
    assert int(twin.vm.x[20]) == sip


def test_supervisor_interrupts_reach_user_mode_whatever_sie_is() -> None:
    twin = agree(
        guest(
            """
            open_pmp
            li   t0, -1
            csrw mideleg, t0
            shandler trapped
            csrwi mip, 2
            csrwi mie, 2
            enter MSTATUS_MPP_U, user
        user:
            j    user
            """
            + TRAPPED
        )
    )
    assert saved(twin, 8) == [1 << 31 | 1]
    assert int(twin.vm.x[19]) & 0x100 == 0


def test_vectored_handlers_are_for_interrupts_only() -> None:
    source = """
        open_pmp
        li   t0, -1
        csrw mideleg, t0
        csrw medeleg, t0
        la   t0, table + 1
        csrw stvec, t0
        csrwi mip, 2
        csrwi mie, 2
        enter MSTATUS_MPP_S, kernel
    kernel:
        ebreak
        csrsi sstatus, 2
    1:  j    1b
        .align 6
    table:
        j    exception
        j    software
        .rept 10
        j    wrong
        .endr
    exception:
        csrr t0, sepc
        addi t0, t0, 4
        csrw sepc, t0
        addi s5, s5, 1
        sret
    software:
        pass
    wrong:
        fail 3
    """
    assert saved(agree(guest(source)), 21) == [1]


def test_enabling_takes_effect_before_the_next_instruction() -> None:
    for enable in ("csrsi sstatus, 2", "csrs sie, s6", "csrs sip, s6"):
        source = """
            open_pmp
            li   t0, -1
            csrw mideleg, t0
            shandler trapped
            li   s6, 2
            csrw mip, s6
            csrw mie, s6
            enter MSTATUS_MPP_S, kernel
        kernel:
        """
        before = {
            "csrs sie, s6": "csrci sie, 2\n csrsi sstatus, 2\n",
            "csrs sip, s6": "csrci sip, 2\n csrsi sstatus, 2\n",
        }
        source += before.get(enable, "") + f"{enable}\n addi s5, s5, 1\n addi s5, s5, 1\n fail 1\n"
        assert saved(agree(guest(source + TRAPPED)), 8, 21) == [1 << 31 | 1, 0]


def test_timer_and_external_bits_of_sip_are_read_only_for_the_supervisor() -> None:
    source = """
        open_pmp
        li   t0, -1
        csrw mideleg, t0
        handler done
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   t0, 0x222
        csrw sip, t0
        csrr s0, sip
        csrci sip, 2
        csrr s1, sip
        ecall
        .align 2
    done:
        csrr s2, mip
        pass
    """
    assert saved(agree(guest(source)), 8, 9, 18) == [2, 0, 0]


def test_seip_is_the_or_of_a_bit_and_a_line_and_only_the_bit_is_written_back() -> None:
    source = """
        csrr s0, mip
        csrsi mip, 2
        csrr s1, mip
        li   t0, 0x200
        csrs mip, t0
        csrc mip, t0
        csrr s2, mip
        pass
    """
    twin = Twin(guest(source))
    for computer in (twin.bare, twin.vm, twin.model):
        assert computer
        computer.set_line(9, True)
    assert twin.to_the_end((1,) * 30).reason == "exit"
    assert saved(twin, 8, 9, 18) == [0x200, 0x202, 0x202]
    for computer in (twin.bare, twin.vm):
        computer.set_line(9, False)
        assert computer.csr("mip") == 2


def test_wfi_goes_on_with_interrupts_disabled_at_the_next_instruction() -> None:
    """A pending enabled interrupt ends the wait even with MIE = 0; nothing is taken."""
    source = """
        handler wrong
        li   s2, CLINT_BASE + 0x4000
        li   t0, 500
        sw   zero, 4(s2)
        sw   t0, 0(s2)
        li   t0, MIE_MTIE
        csrw mie, t0
        wfi
        csrr s0, time
        csrr s1, mip
        pass
        .align 2
    wrong:
        fail 2
    """
    twin = agree(guest(source))
    assert saved(twin, 8, 9) == [500, 0x80]


def test_a_deadline_written_in_two_halves_interrupts_no_earlier_than_it_should() -> None:
    """The usual sequence (low half -1, high, low) never makes a deadline in the past."""
    source = """
        handler wrong
        li   t0, MIE_MTIE
        csrw mie, t0
        csrsi mstatus, MSTATUS_MIE
        li   s2, CLINT_BASE + 0x4000
        li   t0, -1
        sw   t0, 0(s2)
        sw   zero, 4(s2)
        li   t0, 200000
        sw   t0, 0(s2)
        nop
        pass
        .align 2
    wrong:
        fail 2
    """
    assert agree(guest(source)).vm.stopped is not None


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


# ---- time ----------------------------------------------------------------------------------------


def test_counters_are_the_guests_own() -> None:
    """A guest that reads cycle, time and instret sees its own work, not the hypervisor's."""
    source = """
        csrr s0, mcycle
        csrr s1, minstret
        .rept 20
        csrr t0, mstatus
        .endr
        csrr s2, mcycle
        csrr s3, minstret
        pass
    """
    twin = agree(guest(source))
    assert saved(twin, 8, 9, 18, 19) == [0, 1, 22, 23]


def test_a_stopped_vm_loses_no_time() -> None:
    """Time passes with the guest's own steps only."""
    vm = Vm(ram=1 << 20, bios="none")
    vm.load(guest("1: csrr s0, time\n j 1b\n"))
    vm.run(1_000)
    before = vm.mtime()
    assert before == 100
    vm.run(1_000)
    assert vm.mtime() == 200
