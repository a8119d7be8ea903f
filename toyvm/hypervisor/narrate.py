"""An exit as a sentence: where the guest was, what it did, what was done about it and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from toyvm.hart import state as s
from toyvm.hypervisor import ledger
from toyvm.isa import csr
from toyvm.isa.disasm import disasm
from toyvm.machine.inspection import MODES

_DONE: Final = {
    ledger.EMULATE: "emulated",
    ledger.FILLED: "filled",
    ledger.REFLECT: "reflected",
}


def _csr_detail(word: int, satp: int) -> str:
    number = word >> 20
    writes = word >> 12 & 3 == 1 or word >> 15 & 31 != 0
    if number == csr.SATP and writes:
        if not satp & csr.SATP_MODE:
            return "shadow root switched to the identity: translation is off"
        asid = (satp & csr.SATP_ASID) >> csr.SATP_ASID_SHIFT
        return f"shadow root switched to ASID {asid}"
    return f"done on the virtual {csr.csr_name(number)}"


def _sfence_detail(word: int) -> str:
    address = "one address" if word >> 15 & 31 else "all addresses"
    if word >> 20 & 31:
        return f"shadow entries of {address} in one address space dropped, globals kept"
    return f"shadow entries of {address} dropped"


def _detail(cause: int, word: int, address: int, satp: int, mode: str) -> str:
    """What this exit was about, in brackets behind the name of its cause."""
    meaning = ledger.CAUSES[cause][2]
    if cause == ledger.CSR:
        return _csr_detail(word, satp)
    if cause == ledger.SFENCE:
        return _sfence_detail(word)
    if cause in (ledger.MRET, ledger.SRET):
        return f"{meaning} to virtual {mode}-mode"
    if cause in (ledger.FILL, ledger.MMIO, ledger.MPRV, ledger.TABLE):
        return f"{meaning}, address {address:#010x}"
    if cause in (ledger.PAGE_FAULT, ledger.ACCESS_FAULT):
        return f"{meaning}, address {address:#010x}; its handler runs in virtual {mode}-mode"
    if ledger.CAUSES[cause][1] == ledger.REFLECT:
        return f"{meaning}; its handler runs in virtual {mode}-mode"
    return meaning


def narrate(fields: Sequence[int], symbol: Callable[[int], str]) -> str:
    """A sentence for one entry of the ring of exits (see `vcpu._count`)."""
    cause, where, word, steps, address, after = fields
    name, outcome, _ = ledger.CAUSES[cause]
    pc = where & s.MASK32
    mode = MODES.get(where >> 32, "?")
    who = "process" if mode == "U" else "kernel"
    if cause == ledger.INTERRUPT:
        what = f"guest {who} interrupted in virtual {mode}-mode"
    elif word or cause == ledger.ILLEGAL:
        what = f"guest {who} executed `{disasm(word, pc)}` in virtual {mode}-mode"
    else:
        what = f"guest {who} jumped to {pc:#010x} in virtual {mode}-mode"
    detail = _detail(cause, word, address, after & s.MASK32, MODES.get(after >> 32, "?"))
    return f"step {steps}: pc {pc:#010x}{symbol(pc)}: {what}: {_DONE[outcome]}, {name} ({detail})"
