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
    Cause("sbi", "SBI calls", ("ecall", "sbi", "hypercall")),
    Cause("other", "others", ("sret", "mret", "wfi", "sfence", "reflect", "mprv")),
)
"""Exits that an instruction of the guest causes each time; they make up the lesson's total."""


def counted(ledger: Mapping[str, int]) -> dict[str, int]:
    """Exits by the lessons' causes; page fills and the ends of time slices are left out."""
    return {cause.id: sum(ledger.get(name, 0) for name in cause.names) for cause in COUNTED}


def title(cause_id: str) -> str:
    """What the cause is called in messages."""
    return next(cause.title for cause in COUNTED if cause.id == cause_id)
