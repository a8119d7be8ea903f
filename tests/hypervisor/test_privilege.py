"""Who may touch which CSR and execute what: all 4096 numbers in all virtual modes."""

from __future__ import annotations

import struct

import pytest

from tests.hypervisor.guests import BASE, guest
from tests.hypervisor.twin import agree, check_whole
from toyvm.hypervisor import Vm
from toyvm.isa.csr import BY_NUMBER
from toyvm.machine import Computer, Machine

RAM = 2 << 20
CASES, LOG = BASE + 0x8_0000, BASE + 0x10_0000
CASE = struct.Struct("<2I")

#: Patches an instruction into its own code, runs it in a mode, logs mcause and s10.
SOURCE = f"""
    handler trapped
    open_pmp
    csrwi mcounteren, 7
    csrwi scounteren, 7
    li   s0, {CASES}
    li   s1, {LOG}
    la   s3, insn
    li   s4, MSTATUS_MPP
case:
    beq  s0, s2, done
    lw   t0, 0(s0)
    sw   t0, 0(s3)
    fence.i
    lw   t0, 4(s0)
    csrc mstatus, s4
    csrs mstatus, t0
    csrw mepc, s3
    li   s10, 0
    li   ra, 0
    mret
done:
    pass
    .align 6
insn:
    nop
    ecall
    .align 2
trapped:
    csrr t0, mcause
    sw   t0, 0(s1)
    csrr t0, mtval
    sw   t0, 4(s1)
    addi s0, s0, {CASE.size}
    addi s1, s1, 8
    j    case
"""
ECALL_CAUSE = {0: 8, 1: 9, 3: 11}
READ_S10, WRITE_RA = 26 << 7 | 2 << 12 | 0x73, 26 << 7 | 2 << 12 | 1 << 15 | 0x73
"""csrrs s10, CSR, x0 and csrrs s10, CSR, ra (0: a write that changes nothing)."""


def run(kind: type, cases: list[tuple[int, int]]) -> tuple[Computer, list[tuple[int, int]]]:
    computer = kind(ram=RAM, bios="none")
    computer.load(guest(SOURCE))
    computer.write_phys(CASES, b"".join(CASE.pack(word, mode << 11) for word, mode in cases))
    computer.set_x(18, CASES + CASE.size * len(cases))
    stop = computer.run(60 * len(cases) + 100)
    assert (stop.reason, stop.code) == ("exit", 0), stop
    log = computer.read_phys(LOG, 8 * len(cases))
    assert log is not None
    return computer, list(struct.iter_unpack("<2I", log))


def legal(number: int, mode: int, write: bool) -> bool:
    """By the table of CSRs (itself compared with the manual's in tests/isa)."""
    row = BY_NUMBER.get(number)
    if row is not None and row.name.startswith("stimecmp"):
        return False  # Sstc is an option, off here
    if row is None or row.privilege > mode or (write and row.read_only):
        return False
    # hpmcounter3 to 31 need a counter-enable bit that is always zero.
    return mode == 3 or not row.name.startswith("hpmcounter")


def test_every_csr_number_in_every_mode() -> None:
    cases = [
        (number << 20 | word, mode)
        for number in range(4096)
        for mode in (0, 1, 3)
        for word in (READ_S10, WRITE_RA)
    ]
    vm, log = run(Vm, cases)
    bare, same = run(Machine, cases)
    assert log == same
    for (word, mode), (cause, value) in zip(cases, log, strict=True):
        if legal(word >> 20, mode, bool(word & 0xF8000)):
            expected = (ECALL_CAUSE[mode], 0)
        else:
            expected = (2, word)
        assert (cause, value) == expected, (hex(word), mode)
    assert isinstance(vm, Vm)
    assert isinstance(bare, Machine)
    check_whole(bare, vm)


WORDS = {
    "mret": (0x3020_0073, {3}),
    "sret": (0x1020_0073, {1, 3}),
    "wfi": (0x1050_0073, {1, 3}),
    "sfence.vma": (0x1200_0073, {1, 3}),
    "sfence.vma a0, a1": (0x12B5_0073, {1, 3}),
    "fence": (0x0FF0_000F, {0, 1, 3}),
    "fence.i": (0x0000_100F, {0, 1, 3}),
    "uret": (0x0020_0073, set()),
    "dret": (0x7B20_0073, set()),
    "sinval.vma": (0x1600_0073, set()),
    "hfence.gvma": (0x6200_0073, set()),
    "mret with rd": (0x3020_00F3, set()),
    "wfi with rs1": (0x1050_8073, set()),
    "ecall with rd": (0x0000_00F3, set()),
    "system funct3 4": (0x3000_4073, set()),
    "zero": (0, set()),
    "ones": (0xFFFF_FFFF, set()),
    "compressed": (0x0001_0001, set()),
    "fld": (0x0000_3007, set()),
    "ld": (0x0000_3003, set()),
}
ALONE = ("fence", "fence.i", "sfence.vma", "sfence.vma a0, a1")


@pytest.mark.parametrize("name", WORDS)
def test_what_is_illegal_is_reflected_and_not_emulated(name: str) -> None:
    """A privilege check comes before any emulation, with the bits of the faulting instruction."""
    word, modes = WORDS[name]
    illegal = [mode for mode in (0, 1, 3) if mode not in modes]
    allowed = [mode for mode in modes if name in ALONE]
    cases = [(word, mode) for mode in (*illegal, *allowed)]
    vm, log = run(Vm, cases)
    _, same = run(Machine, cases)
    assert log == same
    assert log[: len(illegal)] == [(2, word)] * len(illegal)
    assert log[len(illegal) :] == [(ECALL_CAUSE[mode], 0) for mode in allowed]
    assert isinstance(vm, Vm)
    assert vm.ledger["illegal"] == len(illegal)


@pytest.mark.parametrize(
    ("bit", "instruction"),
    [
        ("MSTATUS_TVM", "sfence.vma"),
        ("MSTATUS_TVM", "csrr t1, satp"),
        ("MSTATUS_TVM", "csrw satp, t1"),
        ("MSTATUS_TW", "wfi"),
        ("MSTATUS_TSR", "sret"),
    ],
)
def test_virtual_trap_bits_are_honoured(bit: str, instruction: str) -> None:
    twin = agree(
        guest(f"""
            handler trapped
            open_pmp
            li   t0, {bit}
            csrw mstatus, t0
            enter MSTATUS_MPP_S, kernel
        kernel:
            {instruction}
            fail 3
            .align 2
        trapped:
            csrr s0, mcause
            csrr s1, mtval
            pass
        """)
    )
    assert twin.bare.stopped is not None
    assert int(twin.vm.x[8]) == 2
    assert int(twin.vm.x[9]) & 0x7F == 0x73


def test_an_unknown_csr_in_supervisor_mode_traps_and_is_not_skipped() -> None:
    twin = agree(
        guest("""
            shandler trapped
            open_pmp
            li   t0, -1
            csrw medeleg, t0
            enter MSTATUS_MPP_S, kernel
        kernel:
            li   s0, 7
            .word 0x5c002473          # csrr s0, 0x5c0
            fail 3
            .align 2
        trapped:
            csrr s1, scause
            csrr s2, stval
            pass
        """)
    )
    assert [int(twin.vm.x[i]) for i in (8, 9, 18)] == [7, 2, 0x5C00_2473]


def test_writes_are_decided_by_the_register_number_not_by_its_value() -> None:
    """csrrs with a register that holds 0 is a write: illegal on a read-only CSR."""
    cases = [(0xF14 << 20 | READ_S10, 3), (0xF14 << 20 | WRITE_RA, 3)]
    _, log = run(Vm, cases)
    assert log == [(11, 0), (2, cases[1][0])]


def test_x0_as_destination_stays_zero() -> None:
    twin = agree(
        guest("""
            li   t0, 0x1234
            csrw mscratch, t0
            csrr zero, mscratch
            csrrw zero, mscratch, zero
            la   t1, _start
            lw   zero, 0(t1)
            li   t1, UART0_BASE
            lbu  zero, 5(t1)
            mv   s0, zero
            pass
        """)
    )
    assert int(twin.vm.x[0]) == int(twin.vm.x[8]) == 0
