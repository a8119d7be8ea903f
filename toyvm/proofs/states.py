"""The states from which `prove` executes words, and why these.

All states of a pair agree in registers and in what memory holds at each virtual address.  They
differ in one thing each: the mode, the status bits, where memory lies, or whose the machine is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from toyvm import platform
from toyvm.hart import state as s
from toyvm.hart.core import Hart
from toyvm.hypervisor import Vm, shadow
from toyvm.isa import csr, sv32
from toyvm.isa.table import INSNS
from toyvm.machine.memory import PAGE, allocate_ram
from toyvm.proofs import scan

RAM: Final = 32 * PAGE
CODE_VA: Final = platform.RAM_BASE + 4 * PAGE
ENTRY: Final = CODE_VA + 0x100
DATA_VA: Final = platform.RAM_BASE + 8 * PAGE
DATA_PAGES: Final = 3
ZERO: Final = 31
"""A register that is not x0 and holds 0: what a CSR write decided by value gets wrong."""
_MISALIGNED: Final = {9: 1, 17: 2, 25: 3}
_RESERVED: Final = 10
"""The register whose word is reserved, so that one sc.w in 31 succeeds."""
# Where the pages of the moved state lie: no two of them side by side, none at its old place.
_ROOT, _TABLE, _MOVED_CODE = 1, 2, 12
_MOVED_DATA: Final = (20, 17, 26)


@dataclass(frozen=True)
class State:
    """One state: the arrays of a hart, what it is put back to, where its pages are."""

    name: str
    core: Any
    base: np.ndarray
    place: np.ndarray


def layout() -> np.ndarray:
    """The layout array of `scan`."""
    out = np.zeros(scan.LAYOUT, dtype=np.int64)
    out[scan.CODE_VA], out[scan.DATA_VA], out[scan.DATA_PAGES] = CODE_VA, DATA_VA, DATA_PAGES
    return out


def possible() -> np.ndarray:
    """uint8[1024]: is there an instruction with these bits 14:12 and 6:0 (`scan.pattern`)?

    Made from the table of instructions alone, which is also what the decoder searches.
    """
    out = np.zeros(1024, dtype=np.uint8)
    for key in range(1024):
        word = (key >> 7) << 12 | (key & 0x7F)
        out[key] = any((word ^ insn.match) & insn.mask & 0x707F == 0 for insn in INSNS)
    return out


def addresses() -> np.ndarray:
    """Registers that point into the data pages (uint32[32]), some of them misaligned."""
    regs = np.zeros(32, dtype=np.uint32)
    for i in range(1, 32):
        regs[i] = DATA_VA + PAGE + 8 * i + _MISALIGNED.get(i, 0)
    regs[ZERO] = 0
    return regs


def values() -> np.ndarray:
    """Registers with all kinds of bits (uint32[32]), for CSR writes: a fixed random sequence."""
    regs = np.random.default_rng(19740701).integers(0, 1 << 32, 32, dtype=np.uint32)
    regs[0] = regs[ZERO] = 0
    regs[5] = 0xFFFF_FFFF
    regs[6] = 0x8000_0007
    regs[7] = csr.MSTATUS_MPP & ~(1 << csr.MSTATUS_MPP_SHIFT)
    return regs


def _memory(hart: Hart, data: tuple[int, ...]) -> None:
    contents = np.random.default_rng(1974).integers(0, 256, DATA_PAGES * PAGE, dtype=np.uint8)
    for page, frame in enumerate(data):
        part = contents[page * PAGE : (page + 1) * PAGE]
        hart.core.ram[frame * PAGE : (frame + 1) * PAGE] = part


def _state(name: str, fields: dict[int, int], moved: bool = False) -> State:
    """A bare hart of its own, every trap returned, with these fields in its record."""
    hart = Hart(allocate_ram(RAM), np.arange(RAM // PAGE, dtype=np.int32), pmp=0)
    code, data = (
        (CODE_VA - platform.RAM_BASE) // PAGE,
        tuple((DATA_VA - platform.RAM_BASE) // PAGE + i for i in range(DATA_PAGES)),
    )
    base = hart.p.copy()
    base[s.DELIVER] = 0
    base[s.SSTC] = 1
    base[s.PC] = ENTRY
    base[s.STEPS] = 1000
    for field, value in fields.items():
        base[field] = value
    if moved:
        code, data = _MOVED_CODE, _MOVED_DATA
        base[s.SATP] = csr.SATP_MODE | (platform.RAM_BASE >> 12) + _ROOT
        _map(hart, code, data)
    _memory(hart, data)
    # x10 points into the second page, at a word that is reserved.
    base[s.RESERVATION] = data[1] * PAGE + 8 * _RESERVED
    place = np.array([code * PAGE + ENTRY % PAGE, *(d * PAGE for d in data), 0], dtype=np.int64)
    return State(name, hart.core, base, place)


def _map(hart: Hart, code: int, data: tuple[int, ...]) -> None:
    """Page tables that put the code and data pages at their virtual addresses."""
    words = hart.core.ram.view("<u4")
    flags = sv32.PTE_V | sv32.PTE_R | sv32.PTE_W | sv32.PTE_X | sv32.PTE_U | sv32.PTE_A
    flags |= sv32.PTE_D
    first = platform.RAM_BASE >> 12

    def pte(frame: int) -> int:
        return first + frame << sv32.PTE_PPN_SHIFT

    words[_ROOT * 1024 + (CODE_VA >> 22)] = pte(_TABLE) | sv32.PTE_V
    pages = (CODE_VA, *(DATA_VA + i * PAGE for i in range(DATA_PAGES)))
    for va, frame in zip(pages, (code, *data), strict=True):
        words[_TABLE * 1024 + (va >> 12 & 1023)] = pte(frame) | flags


_OTHER_STATUS: Final = csr.MSTATUS_MASK
_OWNER: Final = {
    s.MEDELEG: 0xB1FF,
    s.MIDELEG: 0x222,
    s.MTVEC: 0x8000_1000,
    s.MSCRATCH: 0x1234_5678,
    s.MEPC: 0x8000_0BAC,
    s.MCAUSE: 7,
    s.MTVAL: 0xDEAD_BEEF,
    s.MENVCFG: 1,
    s.STVEC: 0x8000_2001,
    s.SSCRATCH: 0x8765_4321,
    s.SEPC: 0x8000_0CAC,
    s.SCAUSE: 9,
    s.STVAL: 0x0BAD_CAFE,
    s.SENVCFG: 1,
    s.MHARTID: 3,
    s.STEPS: 123_456_789_012,
    s.NOT_RETIRED: 777_777,
    s.IDLE: 31_415_926,
    s.TIME_OFFSET: 2_718_281_828,
    s.CYCLE_OFFSET: 99,
    s.INSTRET_OFFSET: -99,
}


def hart_states() -> list[State]:
    """The seven states of `scan.hart_scan`, in its order."""
    user = {s.MODE: s.MODE_U}
    return [
        _state("U-mode", user),
        _state("U-mode, other status bits", {**user, s.MSTATUS: _OTHER_STATUS}),
        _state("U-mode, elsewhere in memory", user, moved=True),
        _state("U-mode, another owner", {**user, **_OWNER}),
        _state("S-mode", {s.MODE: s.MODE_S}),
        _state("M-mode", {s.MODE: s.MODE_M}),
        _state("M-mode, another owner", {s.MODE: s.MODE_M, s.MSTATUS: csr.MSTATUS_SUM, **_OWNER}),
    ]


#: Virtual states in which words are emulated: all traps to M, or all that may go to S.
GUESTS: Final[dict[str, dict[int, int]]] = {
    "virtual M-mode": {s.MODE: s.MODE_M, s.MSTATUS: csr.MSTATUS_MIE | csr.MSTATUS_MPIE},
    "virtual S-mode": {
        s.MODE: s.MODE_S,
        s.MSTATUS: csr.MSTATUS_SIE | csr.MSTATUS_SPIE | csr.MSTATUS_SPP,
        s.MEDELEG: csr.MEDELEG_MASK,
        s.MIDELEG: csr.MIDELEG_MASK,
        s.MCOUNTEREN: csr.COUNTEREN_MASK,
    },
    "virtual S-mode, TVM, TW and TSR set": {
        s.MODE: s.MODE_S,
        s.MSTATUS: csr.MSTATUS_TVM | csr.MSTATUS_TW | csr.MSTATUS_TSR,
        s.MIDELEG: csr.MIP_SSIP,
    },
    "virtual U-mode": {
        s.MODE: s.MODE_U,
        s.MSTATUS: csr.MSTATUS_SIE | csr.MSTATUS_SUM,
        s.MEDELEG: csr.MEDELEG_MASK,
        s.MIDELEG: csr.MIDELEG_MASK,
    },
}
_GUEST_FIELDS: Final = {
    s.MTVEC: CODE_VA | 1,
    s.STVEC: (CODE_VA + 0x400) | 1,
    s.MEPC: CODE_VA + 0x10,
    s.SEPC: CODE_VA + 0x20,
    s.MSCRATCH: 0x0F0F_0F0F,
    s.SSCRATCH: 0x1E1E_1E1E,
    s.SCAUSE: 13,
    s.MCAUSE: 5,
    s.STVAL: 0x2D2D_2D2D,
    s.MTVAL: 0x3C3C_3C3C,
    s.STEPS: 987_654_321,
    s.NOT_RETIRED: 12_345,
    s.IDLE: 4_000,
    s.TIME_OFFSET: 55,
    s.CYCLE_OFFSET: 5,
    s.INSTRET_OFFSET: 6,
    s.MCOUNTINHIBIT: csr.COUNTEREN_IR,
    # With a stimecmp, which virtual S-mode may use.
    s.SSTC: 1,
    s.MENVCFGH: csr.ENVCFGH_STCE,
}


class GuestPair:
    """A bare hart and a VM that start from the same record, for `scan.guest_scan`."""

    def __init__(self) -> None:
        self.bare = Hart(allocate_ram(RAM), np.arange(RAM // PAGE, dtype=np.int32))
        self.vm = Vm("prove", RAM, bios="none", reserved=True)
        # Compiled code runs it word after word: nobody refills its reserve.
        self.vm.stock(shadow.RESERVE)
        page = (CODE_VA - platform.RAM_BASE) // PAGE
        at = ENTRY % PAGE
        frame = int(self.vm.memory.fmap[page])
        self.bare_at = np.array([page * PAGE + at], dtype=np.int64)
        self.guest_at = np.array([frame * PAGE + at], dtype=np.int64)

    def base(self, name: str) -> np.ndarray:
        """The record of the virtual state of this name; PMP is open to all modes."""
        record = self.bare.p.copy()
        record[s.PC] = ENTRY
        record[s.RESERVATION] = -1
        for field, value in {**_GUEST_FIELDS, **GUESTS[name]}.items():
            record[field] = value
        record[s.PMPCFG + 15] = sv32.PMP_NAPOT | sv32.PMP_R | sv32.PMP_W | sv32.PMP_X
        record[s.PMPADDR + 15] = s.MASK32
        return record

    @property
    def record(self) -> np.ndarray:
        """The vCPU's record."""
        return self.vm.record
