"""Guests that make one access behind page tables and report the trap that ends them."""

from __future__ import annotations

from tests.hypervisor.guests import (
    BASE,
    Tables,
    guest,
    identity,
)
from tests.hypervisor.twin import Twin, agree

#: Ends with mcause in s0, mtval in s1, mepc in s2, mstatus in s3.
REPORT = """
    .align 2
report:
    csrr s0, mcause
    csrr s1, mtval
    csrr s2, mepc
    csrr s3, mstatus
    pass
"""
START = """
    handler report
    open_pmp
    paging
"""
S_MODE = START + "    enter MSTATUS_MPP_S, kernel\nkernel:\n"
VA = 0x4000_0000
DATA = BASE + 0x2_0000
FETCH_FAULT, LOAD_FAULT, STORE_FAULT = 12, 13, 15


def faults(twin: Twin) -> tuple[int, int]:
    """(mcause, mtval) as REPORT left them."""
    return int(twin.vm.x[8]), int(twin.vm.x[9])


def supervisor(body: str, tables: Tables | None = None, data: bytes = b"") -> Twin:
    """Run `body` in S-mode behind the identity map and `tables`; it ends by a trap to M."""
    program = guest(S_MODE + body + REPORT, tables or identity())
    if data:
        program.segments.append((DATA, data, len(data)))
    return agree(program)
