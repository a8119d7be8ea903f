"""The causes of exits as the lessons name them, in terms of the hypervisor's ledger.

All knowledge of the ledger's own names is in this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A cause in a lesson: the sum of the ledger's entries ``names``."""

    id: str
    title: str
    names: tuple[str, ...]


COUNTED: tuple[Cause, ...] = (
    Cause("csr", "CSR accesses", ("csr",)),
    Cause("mmio", "device accesses", ("mmio",)),
    Cause("sbi", "SBI calls", ("sbi",)),
    Cause(
        "other",
        "others",
        ("mret", "sret", "wfi", "sfence", "mprv", "ecall", "ebreak", "illegal", "page_fault",
         "access_fault", "misaligned"),
    ),
)  # fmt: skip
"""Exits that an instruction of the guest causes each time; they make up the lesson's total."""

NOT_COUNTED = ("fill", "interrupt", "table")
"""Page fills happen once a page and interrupts come from outside: no instruction's own doing.
Stores to page tables exit only if they are write-protected, which lessons do not ask for."""


def counted(ledger: Mapping[str, int]) -> dict[str, int]:
    """Exits by the lessons' causes."""
    return {cause.id: sum(ledger.get(name, 0) for name in cause.names) for cause in COUNTED}


def title(cause_id: str) -> str:
    """What the cause is called in messages."""
    return next(cause.title for cause in COUNTED if cause.id == cause_id)
