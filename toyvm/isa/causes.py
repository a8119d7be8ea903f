"""Trap causes: the numbers in mcause and scause.

Source: Privileged Architecture 20211203, table 3.6 (values after a trap), table 3.7
(priority of synchronous exceptions) and section 3.1.9 (priority of interrupts).
"""

from __future__ import annotations

from dataclasses import dataclass

CAUSE_INTERRUPT = 1 << 31
"""Bit 31 of mcause and scause: set for interrupts, clear for exceptions."""

CAUSE_INSN_MISALIGNED = 0
CAUSE_INSN_ACCESS_FAULT = 1
CAUSE_ILLEGAL_INSN = 2
CAUSE_BREAKPOINT = 3
CAUSE_LOAD_MISALIGNED = 4
CAUSE_LOAD_ACCESS_FAULT = 5
CAUSE_STORE_MISALIGNED = 6
CAUSE_STORE_ACCESS_FAULT = 7
CAUSE_ECALL_U = 8
CAUSE_ECALL_S = 9
CAUSE_ECALL_M = 11
CAUSE_INSN_PAGE_FAULT = 12
CAUSE_LOAD_PAGE_FAULT = 13
CAUSE_STORE_PAGE_FAULT = 15

IRQ_SSI = 1
IRQ_MSI = 3
IRQ_STI = 5
IRQ_MTI = 7
IRQ_SEI = 9
IRQ_MEI = 11


@dataclass(frozen=True)
class Cause:
    """One trap cause.

    ``number`` is without the interrupt bit; ``value`` is what mcause reads.  ``name`` is the
    constant's name in this module and in csr.inc.  ``tval`` says what xtval holds.
    """

    number: int
    name: str
    title: str
    meaning: str
    tval: str
    interrupt: bool = False

    @property
    def value(self) -> int:
        """The 32-bit value of mcause or scause."""
        return self.number | (CAUSE_INTERRUPT if self.interrupt else 0)


EXCEPTIONS: tuple[Cause, ...] = (
    Cause(
        CAUSE_INSN_MISALIGNED,
        "CAUSE_INSN_MISALIGNED",
        "instruction address misaligned",
        "A jump or taken branch has a target that is not a multiple of 4. "
        "The jump itself traps and writes no register.",
        "the target",
    ),
    Cause(
        CAUSE_INSN_ACCESS_FAULT,
        "CAUSE_INSN_ACCESS_FAULT",
        "instruction access fault",
        "The instruction was fetched from where no RAM is or where PMP forbids execution.",
        "the virtual address",
    ),
    Cause(
        CAUSE_ILLEGAL_INSN,
        "CAUSE_ILLEGAL_INSN",
        "illegal instruction",
        "The word is no instruction, or the privilege mode may not execute it, "
        "or it names a CSR that does not exist or may not be accessed so.",
        "the instruction word",
    ),
    Cause(
        CAUSE_BREAKPOINT,
        "CAUSE_BREAKPOINT",
        "breakpoint",
        "An ebreak was executed.",
        "the address of the ebreak",
    ),
    Cause(
        CAUSE_LOAD_MISALIGNED,
        "CAUSE_LOAD_MISALIGNED",
        "load address misaligned",
        "An lr.w has an address that is not a multiple of 4. "
        "Ordinary misaligned loads are carried out.",
        "the virtual address",
    ),
    Cause(
        CAUSE_LOAD_ACCESS_FAULT,
        "CAUSE_LOAD_ACCESS_FAULT",
        "load access fault",
        "A load reached neither RAM nor a device that accepts it, or PMP forbids it.",
        "the virtual address",
    ),
    Cause(
        CAUSE_STORE_MISALIGNED,
        "CAUSE_STORE_MISALIGNED",
        "store/AMO address misaligned",
        "An sc.w or AMO has an address that is not a multiple of 4. "
        "Ordinary misaligned stores are carried out.",
        "the virtual address",
    ),
    Cause(
        CAUSE_STORE_ACCESS_FAULT,
        "CAUSE_STORE_ACCESS_FAULT",
        "store/AMO access fault",
        "A store, sc.w or AMO reached neither RAM nor a device that accepts it, or PMP forbids it.",
        "the virtual address",
    ),
    Cause(
        CAUSE_ECALL_U,
        "CAUSE_ECALL_U",
        "environment call from U-mode",
        "A user program called its kernel with ecall.",
        "0",
    ),
    Cause(
        CAUSE_ECALL_S,
        "CAUSE_ECALL_S",
        "environment call from S-mode",
        "A kernel called its firmware (SBI) with ecall.",
        "0",
    ),
    Cause(
        CAUSE_ECALL_M,
        "CAUSE_ECALL_M",
        "environment call from M-mode",
        "M-mode executed ecall.",
        "0",
    ),
    Cause(
        CAUSE_INSN_PAGE_FAULT,
        "CAUSE_INSN_PAGE_FAULT",
        "instruction page fault",
        "The page of the instruction is not mapped or not executable in this mode.",
        "the virtual address",
    ),
    Cause(
        CAUSE_LOAD_PAGE_FAULT,
        "CAUSE_LOAD_PAGE_FAULT",
        "load page fault",
        "The page is not mapped or not readable in this mode.",
        "the virtual address of the first byte in the failing page",
    ),
    Cause(
        CAUSE_STORE_PAGE_FAULT,
        "CAUSE_STORE_PAGE_FAULT",
        "store/AMO page fault",
        "The page is not mapped or not writable in this mode.",
        "the virtual address of the first byte in the failing page",
    ),
)

INTERRUPTS: tuple[Cause, ...] = (
    Cause(
        IRQ_SSI,
        "IRQ_SSI",
        "supervisor software interrupt",
        "Software set mip.SSIP or sip.SSIP.",
        "0",
        True,
    ),
    Cause(
        IRQ_MSI,
        "IRQ_MSI",
        "machine software interrupt",
        "The hart's msip register in the CLINT is 1.",
        "0",
        True,
    ),
    Cause(
        IRQ_STI,
        "IRQ_STI",
        "supervisor timer interrupt",
        "M-mode software (SBI) set mip.STIP because a deadline has passed.",
        "0",
        True,
    ),
    Cause(
        IRQ_MTI,
        "IRQ_MTI",
        "machine timer interrupt",
        "mtime has reached mtimecmp in the CLINT.",
        "0",
        True,
    ),
    Cause(
        IRQ_SEI,
        "IRQ_SEI",
        "supervisor external interrupt",
        "The PLIC's S context has a device interrupt to claim, or software set mip.SEIP.",
        "0",
        True,
    ),
    Cause(
        IRQ_MEI,
        "IRQ_MEI",
        "machine external interrupt",
        "The PLIC's M context has a device interrupt to claim.",
        "0",
        True,
    ),
)

CAUSES: tuple[Cause, ...] = EXCEPTIONS + INTERRUPTS

BY_VALUE: dict[int, Cause] = {c.value: c for c in CAUSES}
"""Cause by the value of mcause (with the interrupt bit)."""

INTERRUPT_PRIORITY: tuple[int, ...] = (IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI)
"""Interrupt numbers, most urgent first, among those taken to the same mode."""


def cause_title(value: int) -> str:
    """What a value of mcause means in words; unknown numbers are named as such."""
    cause = BY_VALUE.get(value & 0xFFFFFFFF)
    if cause is not None:
        return cause.title
    kind = "interrupt" if value & CAUSE_INTERRUPT else "exception"
    return f"reserved {kind} {value & ~CAUSE_INTERRUPT & 0xFFFFFFFF}"
