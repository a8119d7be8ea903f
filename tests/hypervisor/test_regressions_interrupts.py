"""Mistakes that other hypervisors made with interrupts and time, each as a guest that would notice.

Found by reading the sources of small trap-and-emulate hypervisors; the names say what was wrong.
All guests run bare, virtualised and on the model.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import (
    guest,
)
from tests.hypervisor.kernel_guests import (
    TRAPPED,
    saved,
)
from tests.hypervisor.twin import Twin, agree
from toyvm.hypervisor import Vm

pytestmark = pytest.mark.usefixtures("variant")


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
