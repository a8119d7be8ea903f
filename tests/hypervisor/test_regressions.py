"""Mistakes that other hypervisors made, each as a guest that would notice: exits and traps.

Found by reading the sources of small trap-and-emulate hypervisors; the names say what was wrong.
All guests run bare, virtualised and on the model.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import (
    BASE,
    RW,
    A,
    D,
    R,
    V,
    W,
    guest,
)
from tests.hypervisor.kernel_guests import (
    SKIP,
    USER,
    kernel,
    saved,
    tables,
)
from tests.hypervisor.twin import Twin, agree

pytestmark = pytest.mark.usefixtures("variant")


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
