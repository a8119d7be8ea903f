"""The little of an SBI that random S-mode programs need, for the slow reference hart.

From the RISC-V SBI specification 1.0: legacy set_timer and extension TIME.
Every other call answers SBI_ERR_NOT_SUPPORTED.
"""

from __future__ import annotations

from tests.naive import NaiveHart

LEGACY_SET_TIMER = 0
TIME = 0x5449_4D45
NOT_SUPPORTED = -2
A0, A1, A6, A7 = 10, 11, 16, 17


def timer_sbi(hart: NaiveHart) -> None:
    """Serve one ecall: arguments in a0 to a7, the error in a0, the value in a1."""
    extension, function = hart.x[A7], hart.x[A6]
    deadline = hart.x[A0] | hart.x[A1] << 32
    if extension == LEGACY_SET_TIMER:
        hart.stimecmp = deadline
        hart.set_x(A0, 0)  # legacy calls leave a1 alone
    elif extension == TIME and function == 0:
        hart.stimecmp = deadline
        hart.set_x(A0, 0)
        hart.set_x(A1, 0)
    else:
        hart.set_x(A0, NOT_SUPPORTED)
        hart.set_x(A1, 0)
