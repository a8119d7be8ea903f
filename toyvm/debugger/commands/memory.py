"""Commands about address translation."""

from __future__ import annotations

from toyvm.isa import csr, sv32

from ..errors import DebugError
from ..expr import address_of
from ..formats import with_symbol
from ..pagewalk import refused, walk
from ..session import Session
from .base import Command

_MODES = {0: "U", 1: "S", 3: "M"}


def data_mode(session: Session) -> str:
    """The mode whose rules loads and stores follow now: MPP's if MPRV is set in M-mode."""
    target = session.target
    mstatus = target.csr("mstatus")
    if target.mode == "M" and mstatus & csr.MSTATUS_MPRV:
        return _MODES.get((mstatus & csr.MSTATUS_MPP) >> csr.MSTATUS_MPP_SHIFT, "M")
    return target.mode


class PageWalk(Command):
    """pagewalk."""

    names = ("pagewalk", "pw")
    usage = "ADDRESS"
    help = """Walk the page tables for a virtual address: entries, flags, physical address.
Then say for fetch, load and store whether the current mode may do it, and which bit forbids it.
In a VM these are the guest's own tables, from guest-virtual to guest-physical addresses."""
    completes = "expression"

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            raise DebugError("Argument required (a virtual address).")
        target = session.target
        va = address_of(session, arguments)
        session.write(f"virtual    {with_symbol(va, session.symbols)}")
        satp = target.csr("satp")
        result = walk(target.read_phys, satp, va)
        for line in result.lines:
            session.write(line)
        if result.pa is None:
            return
        size = "" if satp & csr.SATP_MODE else " (no translation)"
        beyond = " (outside of the 32-bit bus)" if result.pa > 0xFFFF_FFFF else ""
        session.write(f"physical   0x{result.pa:08x}{size}{beyond}")
        if not satp & csr.SATP_MODE:
            return
        mstatus = target.csr("mstatus")
        sum_bit, mxr = bool(mstatus & csr.MSTATUS_SUM), bool(mstatus & csr.MSTATUS_MXR)
        for access in ("fetch", "load", "store"):
            mode = target.mode if access == "fetch" else data_mode(session)
            if mode == "M":
                session.write(f"{access:<10} M-mode does not translate: physical 0x{va:08x}")
                continue
            why = refused(result.pte, access, mode, sum_bit, mxr)
            session.write(
                f"{access:<10} in {mode}-mode: "
                + (f"page fault ({why})" if why else "allowed" + self._marks(result.pte, access))
            )

    @staticmethod
    def _marks(pte: int, access: str) -> str:
        missing = [] if pte & sv32.PTE_A else ["A"]
        if access == "store" and not pte & sv32.PTE_D:
            missing.append("D")
        return f" (sets {' and '.join(missing)})" if missing else ""


COMMANDS: tuple[Command, ...] = (PageWalk(),)
