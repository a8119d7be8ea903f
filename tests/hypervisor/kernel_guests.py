"""An S-mode kernel with everything delegated, for small guests that are compared with the model."""

from __future__ import annotations

from tests.hypervisor.guests import (
    BASE,
    RW,
    URX,
    A,
    D,
    Tables,
    guest,
    identity,
)
from tests.hypervisor.twin import Twin, agree

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
