"""A page-table walk shown step by step.

Source: Privileged Architecture 20211203, section 4.3.2. This walk only looks: it sets no A or D
bit. In a VM it walks the guest's own tables, from guest-virtual to guest-physical addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from toyvm.isa import csr, sv32

_FLAGS = (
    ("D", sv32.PTE_D),
    ("A", sv32.PTE_A),
    ("G", sv32.PTE_G),
    ("U", sv32.PTE_U),
    ("X", sv32.PTE_X),
    ("W", sv32.PTE_W),
    ("R", sv32.PTE_R),
    ("V", sv32.PTE_V),
)


@dataclass
class Walk:
    """The walk of one address. `pa` is None if the walk itself fails."""

    lines: list[str] = field(default_factory=list)
    pa: int | None = None
    pte: int = 0
    fault: str = ""


def flags_text(pte: int) -> str:
    """The eight low bits of a page-table entry, a letter for each one that is set."""
    return "".join(letter if pte & bit else "-" for letter, bit in _FLAGS)


def walk(read_phys: Callable[[int, int], bytes | None], satp: int, va: int) -> Walk:
    """Walk the Sv32 tables that `satp` points at for virtual address `va`."""
    result = Walk()
    if not satp & csr.SATP_MODE:
        result.lines.append("satp.MODE = 0: addresses are physical")
        result.pa, result.pte = va, sv32.PTE_R | sv32.PTE_W | sv32.PTE_X
        return result
    table = (satp & csr.SATP_PPN) << sv32.PAGE_SHIFT
    asid = (satp & csr.SATP_ASID) >> csr.SATP_ASID_SHIFT
    result.lines.append(f"satp       {satp:#010x}: Sv32, ASID {asid}, root table {table:#010x}")
    for level in (1, 0):
        vpn = va >> (sv32.PAGE_SHIFT + 10 * level) & 0x3FF
        where = table + sv32.PTE_SIZE * vpn
        data = read_phys(where, sv32.PTE_SIZE)
        if data is None:
            result.fault = f"level {level}: the entry at {where:#x} is outside RAM: access fault"
            result.lines.append(result.fault)
            return result
        pte = int.from_bytes(data, "little")
        target = (pte >> sv32.PTE_PPN_SHIFT) << sv32.PAGE_SHIFT
        leaf = bool(pte & (sv32.PTE_R | sv32.PTE_X))
        kind = "page" if leaf else "table"
        result.lines.append(
            f"level {level}    index {vpn:#05x}: entry at {where:#010x} = {pte:#010x} "
            f"{flags_text(pte)} -> {kind} {target:#010x}"
        )
        if not pte & sv32.PTE_V:
            result.fault = f"level {level}: V = 0: page fault"
        elif pte & sv32.PTE_W and not pte & sv32.PTE_R:
            result.fault = f"level {level}: W = 1 with R = 0 is reserved: page fault"
        elif leaf and level and target & (sv32.MEGAPAGE_SIZE - 1):
            result.fault = f"level {level}: the 4 MiB page is not aligned: page fault"
        elif not leaf and level == 0:
            result.fault = "level 0: R = W = X = 0, but a table may not follow here: page fault"
        elif not leaf and pte & (sv32.PTE_D | sv32.PTE_A | sv32.PTE_U):
            result.fault = f"level {level}: D, A and U must be 0 in a table entry: page fault"
        if result.fault:
            result.lines.append(result.fault)
            return result
        if leaf:
            size = sv32.MEGAPAGE_SIZE if level else sv32.PAGE_SIZE
            result.pa, result.pte = target | (va & (size - 1)), pte
            return result
        table = target
    return result


def refused(pte: int, access: str, mode: str, sum_bit: bool, mxr: bool) -> str:
    """Why `access` ("fetch", "load" or "store") in `mode` fails on this leaf; empty if not."""
    user = bool(pte & sv32.PTE_U)
    if mode == "U" and not user:
        return "U = 0: not for U-mode"
    if mode == "S" and user and access == "fetch":
        return "U = 1: S-mode never executes user pages"
    if mode == "S" and user and not sum_bit:
        return "U = 1 and SUM = 0: not for S-mode"
    if access == "fetch":
        return "" if pte & sv32.PTE_X else "X = 0"
    if access == "store":
        return "" if pte & sv32.PTE_W else "W = 0"
    if pte & sv32.PTE_R or (mxr and pte & sv32.PTE_X):
        return ""
    return "R = 0"
