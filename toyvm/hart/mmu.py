"""Physical memory protection and Sv32 (Privileged 20211203 §3.7 and §4.3).

`translate` turns a virtual address into a physical one for one access, by the record `p` and
RAM through a frame map: int32 array, page number from the start of RAM -> page of the array
`ram`, negative where there is none.  It is the identity on the bare machine, guest-physical to
host-physical in a VM.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm import platform
from toyvm.hart import csrfile, decode
from toyvm.hart import state as s
from toyvm.isa import csr, sv32
from toyvm.jit import entry_kernel, kernel, load32, store32

LOAD: Final = 1
STORE: Final = 2
FETCH: Final = 4
"""Kinds of access, as the R, W and X bits of PMP."""

PAGE_FAULT: Final = -1
ACCESS_FAULT: Final = -2
_RAM_BASE: Final = platform.RAM_BASE


@entry_kernel
def frame_offset(fmap, pa):
    """Byte offset in `ram` of the physical address `pa`, negative if that is not RAM."""
    index = (pa - _RAM_BASE) >> 12
    if index < 0 or index >= fmap.size:
        return np.int64(-1)
    frame = np.int64(fmap[index])
    if frame < 0:
        return np.int64(-1)
    return (frame << 12) | (pa & 0xFFF)


@kernel
def pmp_range(p, entry):
    """Is the entry on, and which pages [first, end) does it cover (page numbers)?"""
    kind = p[s.PMPCFG + entry] & sv32.PMP_A
    address = p[s.PMPADDR + entry]
    if kind == sv32.PMP_TOR:
        first = np.int64(0)
        if entry > 0:
            first = p[s.PMPADDR + entry - 1] >> sv32.PMP_GRAIN
        return first, address >> sv32.PMP_GRAIN
    if kind == sv32.PMP_NAPOT:
        address |= csrfile.PMP_GRAIN_NAPOT
        ones = address ^ (address + 1)
        first = (address & ~ones) >> sv32.PMP_GRAIN
        return first, first + ((ones + 1) >> sv32.PMP_GRAIN)
    return np.int64(0), np.int64(0)


@kernel
def pmp_allows(p, pa, access, mode):
    """May `mode` do this access to the page of `pa` (§3.7.1, matching and priority)?"""
    count = p[s.PMP_COUNT]
    if count == 0:
        return True
    page = pa >> 12
    for entry in range(count & 31):
        first, end = pmp_range(p, entry)
        if first <= page < end:
            config = p[s.PMPCFG + entry]
            if mode == s.MODE_M and config & sv32.PMP_L == 0:
                return True
            return config & access != 0
    return mode == s.MODE_M


@entry_kernel
def data_mode(p):
    """The mode whose rules loads and stores follow (§3.1.6.3, MPRV)."""
    if p[s.MODE] == s.MODE_M and p[s.MSTATUS] & csr.MSTATUS_MPRV:
        return (p[s.MSTATUS] & csrfile.MPP_MASK) >> csrfile.MPP_SHIFT
    return p[s.MODE]


@kernel
def _leaf_allows(pte, status, access, mode):
    """Do the leaf's U, R, W and X bits allow the access (§4.3.2, step 5)?"""
    if pte & sv32.PTE_U:
        if mode == s.MODE_S and (status & csr.MSTATUS_SUM == 0 or access == FETCH):
            return False
    elif mode == s.MODE_U:
        return False
    if access == FETCH:
        return pte & sv32.PTE_X != 0
    if access == STORE:
        return pte & sv32.PTE_W != 0
    return pte & sv32.PTE_R != 0 or (pte & sv32.PTE_X != 0 and status & csr.MSTATUS_MXR != 0)


@kernel
def walk_sv32(p, fmap, dec, slots, ram, va, access, mode):
    """Walk the page table of satp (§4.3.2); physical address, PAGE_FAULT or ACCESS_FAULT.

    The A bit, and D for a store, are set in the table when the access is allowed; with AD_FAULT
    the access faults instead (§4.3.2, step 7, the first of the two schemes).
    """
    table = (p[s.SATP] & csr.SATP_PPN) << 12
    megapage = True
    pte_pa = table + ((va >> 22) << 2)
    offset = frame_offset(fmap, pte_pa)
    if offset < 0 or not pmp_allows(p, pte_pa, np.int64(LOAD), np.int64(s.MODE_S)):
        return np.int64(ACCESS_FAULT)
    pte = load32(ram, offset)
    if pte & sv32.PTE_V and pte & (sv32.PTE_R | sv32.PTE_W | sv32.PTE_X) == 0:
        # A pointer to the second level; its A, D and U bits are reserved.
        if pte & (sv32.PTE_A | sv32.PTE_D | sv32.PTE_U):
            return np.int64(PAGE_FAULT)
        megapage = False
        pte_pa = ((pte >> sv32.PTE_PPN_SHIFT) << 12) + (((va >> 12) & 1023) << 2)
        offset = frame_offset(fmap, pte_pa)
        if offset < 0 or not pmp_allows(p, pte_pa, np.int64(LOAD), np.int64(s.MODE_S)):
            return np.int64(ACCESS_FAULT)
        pte = load32(ram, offset)
    if pte & sv32.PTE_V == 0 or pte & (sv32.PTE_R | sv32.PTE_X) == 0:
        return np.int64(PAGE_FAULT)
    if pte & (sv32.PTE_R | sv32.PTE_W) == sv32.PTE_W:
        return np.int64(PAGE_FAULT)
    ppn = pte >> sv32.PTE_PPN_SHIFT
    if megapage and ppn & 1023 != 0:
        return np.int64(PAGE_FAULT)
    if not _leaf_allows(pte, p[s.MSTATUS], access, mode):
        return np.int64(PAGE_FAULT)
    wanted = np.int64(sv32.PTE_A)
    if access == STORE:
        wanted |= sv32.PTE_D
    if pte & wanted != wanted:
        if p[s.AD_FAULT] != 0:
            return np.int64(PAGE_FAULT)
        if not pmp_allows(p, pte_pa, np.int64(STORE), np.int64(s.MODE_S)):
            return np.int64(ACCESS_FAULT)
        store32(ram, offset, pte | wanted)
        decode.invalidate(dec, slots, offset, np.int64(4))
    if megapage:
        p[s.SUPERPAGES] = 1
        return ((ppn << 12) & ~np.int64(0x3F_FFFF)) | (va & 0x3F_FFFF)
    return (ppn << 12) | (va & 0xFFF)


@kernel
def translate(p, fmap, dec, slots, ram, va, access, mode):
    """Physical address of `va` for one access by `mode`, PAGE_FAULT or ACCESS_FAULT."""
    if mode == s.MODE_M or p[s.SATP] & csr.SATP_MODE == 0:
        pa = va
    else:
        pa = walk_sv32(p, fmap, dec, slots, ram, va, access, mode)
        if pa < 0:
            return pa
    if not pmp_allows(p, pa, access, mode):
        return np.int64(ACCESS_FAULT)
    return pa


@kernel
def fault_cause(status, access):
    """Exception number of a failed translation: `status` PAGE_FAULT or ACCESS_FAULT."""
    if status == PAGE_FAULT:
        if access == FETCH:
            return np.int64(12)
        return np.int64(13) if access == LOAD else np.int64(15)
    if access == FETCH:
        return np.int64(1)
    return np.int64(5) if access == LOAD else np.int64(7)
