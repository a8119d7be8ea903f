"""The integer registers: numbers, ABI names and roles.

Source: RISC-V ABIs Specification 1.0, section "Integer Register Convention".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Register:
    """One integer register; ``saver`` is "caller", "callee" or "" for the fixed ones."""

    number: int
    name: str
    saver: str
    meaning: str


REGISTERS: tuple[Register, ...] = (
    Register(0, "zero", "", "always 0; writes are dropped"),
    Register(1, "ra", "caller", "return address"),
    Register(2, "sp", "callee", "stack pointer"),
    Register(3, "gp", "", "global pointer"),
    Register(4, "tp", "", "thread pointer"),
    Register(5, "t0", "caller", "temporary; alternate link register"),
    Register(6, "t1", "caller", "temporary"),
    Register(7, "t2", "caller", "temporary"),
    Register(8, "s0", "callee", "saved register; frame pointer (also named fp)"),
    Register(9, "s1", "callee", "saved register"),
    Register(10, "a0", "caller", "argument 0; result 0"),
    Register(11, "a1", "caller", "argument 1; result 1"),
    Register(12, "a2", "caller", "argument 2"),
    Register(13, "a3", "caller", "argument 3"),
    Register(14, "a4", "caller", "argument 4"),
    Register(15, "a5", "caller", "argument 5"),
    Register(16, "a6", "caller", "argument 6; SBI function"),
    Register(17, "a7", "caller", "argument 7; system call number or SBI extension"),
    Register(18, "s2", "callee", "saved register"),
    Register(19, "s3", "callee", "saved register"),
    Register(20, "s4", "callee", "saved register"),
    Register(21, "s5", "callee", "saved register"),
    Register(22, "s6", "callee", "saved register"),
    Register(23, "s7", "callee", "saved register"),
    Register(24, "s8", "callee", "saved register"),
    Register(25, "s9", "callee", "saved register"),
    Register(26, "s10", "callee", "saved register"),
    Register(27, "s11", "callee", "saved register"),
    Register(28, "t3", "caller", "temporary"),
    Register(29, "t4", "caller", "temporary"),
    Register(30, "t5", "caller", "temporary"),
    Register(31, "t6", "caller", "temporary"),
)

ABI_NAMES: tuple[str, ...] = tuple(r.name for r in REGISTERS)
"""ABI name by number: ``ABI_NAMES[10] == "a0"``."""

NUMBERS: dict[str, int] = {
    **{f"x{r.number}": r.number for r in REGISTERS},
    **{r.name: r.number for r in REGISTERS},
    "fp": 8,
}
"""Number by any accepted name: x0..x31, the ABI names and fp."""

# Numbers of the registers that calling conventions name.
ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1 = range(10)
A0, A1, A2, A3, A4, A5, A6, A7 = range(10, 18)


def register_number(name: str) -> int:
    """The number of a register written as x0..x31, ABI name or fp; ValueError otherwise."""
    try:
        return NUMBERS[name]
    except KeyError:
        raise ValueError(
            f"'{name}' is not a register: expected x0 to x31, fp or an ABI name such as a0"
        ) from None
