"""LR/SC: what keeps a reservation in a VM is what keeps it on the bare machine."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import BASE, RAM, A, D, R, W, guest, identity
from tests.hypervisor.twin import Twin, agree
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

#: What stands between LR and SC, and whether the SC then succeeds.
BETWEEN = {
    "nothing": ("", True),
    "an addition": ("addi t3, t3, 1", True),
    "a fill for a load": ("lw t3, 0(s5)", True),
    "a fill for a store": ("sw t3, 0(s6)", True),
    "a fill for a fetch": ("jal far", True),
    "a device read": ("lbu t3, 5(s7)", True),
    "a device write": ("sb t3, 0(s7)", True),
    "a CSR of virtual M-mode": ("csrr t3, mstatus", True),
    "a CSR write": ("csrw mscratch, t3", True),
    "a fence": ("fence", True),
    "an sfence.vma": ("sfence.vma", True),
    "a PMP write": ("csrw pmpaddr0, zero", True),
    "a store to the word itself": ("sw t2, 0(s2)", True),
    "an xRET": ("la t3, 1f\n csrw mepc, t3\n mret\n1:", True),
    "a wfi that does not wait": ("wfi", True),
    "another LR": ("lr.w t3, (s3)", False),
    "an SC elsewhere": ("sc.w t3, t2, (s3)", False),
    "an ecall": ("ecall", False),
    "an ebreak": ("ebreak", False),
    "an illegal instruction": (".word 0", False),
    "a load that faults": ("lw t3, 0(zero)", False),
    "a store to a hole": ("sw t3, 0(s8)", False),
    "an interrupt": ("csrsi mstatus, MSTATUS_MIE\n nop", False),
    "a misaligned LR": ("addi t3, s2, 1\n lr.w t3, (t3)", False),
}
SOURCE = """
    handler skip
    la   s2, word
    la   s3, other
    li   s5, BASE_ADDRESS + 0x20000
    li   s6, BASE_ADDRESS + 0x21000
    li   s7, UART0_BASE
    lui  s8, 0x90000
    li   t0, MSTATUS_MPP_M
    csrs mstatus, t0
    # A software interrupt is pending and enabled in mie, but not taken while MIE is 0.
    li   t0, CLINT_BASE
    li   t1, 1
    sw   t1, 0(t0)
    li   t1, MIE_MSIE
    csrw mie, t1
    lw   t0, 0(s2)
    sw   t0, 0(s2)
    li   t2, 42
    lr.w t1, (s2)
    BETWEEN
    sc.w s9, t2, (s2)
    pass

    .align 2
skip:
    csrr s10, mcause
    bltz s10, taken
    csrr s10, mepc
    addi s10, s10, 4
    csrw mepc, s10
    mret
taken:
    csrw mie, zero
    mret

    .align 12
far:
    ret

    .data
    .align 12
word:
    .word 5
other:
    .word 6
"""


@pytest.mark.parametrize("name", BETWEEN)
def test_between_lr_and_sc(name: str) -> None:
    between, kept = BETWEEN[name]
    source = SOURCE.replace("BETWEEN", between).replace("BASE_ADDRESS", str(BASE))
    twin = agree(guest(source))
    assert int(twin.vm.x[25]) == (0 if kept else 1)
    word = twin.vm.read_phys(twin.vm.program.symbols["word"], 4) if twin.vm.program else b""
    assert int.from_bytes(word or b"", "little") == (42 if kept else 5)


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_slice_ends_keep_the_reservation(kind: type, size: int) -> None:
    """Runs of one step: the reservation outlives every one of them."""
    computer = kind(ram=RAM, bios="none")
    source = SOURCE.replace("BETWEEN", "nop\n" * 5).replace("BASE_ADDRESS", str(BASE))
    computer.load(guest(source))
    while computer.run(size).reason == "budget":
        pass
    assert int(computer.x[25]) == 0


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize(
    ("at", "length", "kept"),
    [(0, 4, False), (3, 1, False), (-2, 4, False), (4, 4, True), (-4, 4, True)],
)
def test_writes_from_outside_end_it_where_they_touch(
    kind: type, at: int, length: int, kept: bool
) -> None:
    computer = kind(ram=RAM, bios="none")
    source = SOURCE.replace("BETWEEN", "here:\n nop").replace("BASE_ADDRESS", str(BASE))
    program = computer.load(guest(source))
    computer.add_breakpoint(program.symbols["here"])
    assert computer.run(10_000).reason == "breakpoint"
    assert computer.write_phys(program.symbols["word"] + at, bytes(length))
    assert computer.resume(10_000).reason == "exit"
    assert int(computer.x[25]) == (0 if kept else 1)


def test_sc_to_another_page_of_the_same_word() -> None:
    """A reservation is of physical memory: SC through an alias succeeds, elsewhere it fails."""
    data = BASE + 0x8000
    tables = identity(32).map(0x4000_0000, data, R | W | A | D, 2)
    source = """
        handler done
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s2, 0x80008000
        li   s3, 0x40000000
        li   s4, 0x40001000
        li   t2, 9
        lr.w t0, (s2)
        sc.w s5, t2, (s3)
        lr.w t0, (s2)
        sc.w s6, t2, (s4)
        sc.w s7, t2, (s2)
        ecall
        .align 2
    done:
        pass
    """
    twin = agree(guest(source, tables))
    assert [int(twin.vm.x[i]) for i in (21, 22, 23)] == [0, 1, 1]


def test_a_failing_sc_can_still_fault() -> None:
    tables = identity(32).map(0x4000_0000, BASE + 0x8000, R | A)
    source = """
        handler done
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s2, 0x40000000
        sc.w s5, t2, (s2)
        ecall
        .align 2
    done:
        csrr s0, mcause
        csrr s1, mtval
        pass
    """
    twin = agree(guest(source, tables))
    assert (int(twin.vm.x[8]), int(twin.vm.x[9])) == (15, 0x4000_0000)


def test_two_vms_have_a_reservation_each() -> None:
    """A slice of one between LR and SC of the other changes nothing: other memory, other hart."""
    from toyvm.hypervisor import Hypervisor

    source = SOURCE.replace("BETWEEN", "nop").replace("BASE_ADDRESS", str(BASE))
    hypervisor = Hypervisor([RAM, RAM], slice_steps=1)
    for name in ("a", "b"):
        hypervisor.create(name, RAM, bios="none").load(guest(source))
    assert {stop.reason for stop in hypervisor.run().values()} == {"exit"}
    for vm in hypervisor.vms:
        assert int(vm.x[25]) == 0


def test_load_forgets_the_reservation_of_the_guest_before() -> None:
    twin = Twin(guest("li s2, 0x80050000\n lr.w t0, (s2)\n j ."), judged=False)
    for computer in (twin.bare, twin.vm):
        computer.run(10)
        computer.load(guest("li s2, 0x80050000\n sc.w s3, zero, (s2)\n pass"))
        assert computer.run(100).reason == "exit"
        assert int(computer.x[19]) == 1
