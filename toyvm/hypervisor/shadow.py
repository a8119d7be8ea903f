"""Shadow page tables: gva -> hpa, filled on demand.

The real hart runs every guest in U-mode with Sv32 on.  What it walks is a *shadow* table that we
build: one root for each (virtual mode, SUM, MXR, satp, MPRV) in use.  An entry appears when the
guest faults on a page that its own tables (and its virtual PMP) allow; it is born with A = D = 1
and only with the rights that have been checked, so the first store to a page still exits and sets
the guest's D bit.  Frames for tables come from the VM's own reserve; when it is empty all roots
are dropped, which is always allowed: a shadow table is a cache.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm import platform
from toyvm.hart import mmu, tlb
from toyvm.hart import state as s
from toyvm.hypervisor import ledger
from toyvm.isa import csr, sv32
from toyvm.jit import entry_kernel, kernel, load32, store32

# Fields of a vCPU's control array (int64), which only the hypervisor sees.
COUNTERS: Final = 0
"""ledger.COUNT counters of exits."""
FIRST: Final = ledger.COUNT
"""First frame of the reserve."""
FRAMES: Final = ledger.COUNT + 1
"""Frames in the reserve."""
FREE: Final = ledger.COUNT + 2
"""How many of them are free; the stack at STACK holds their numbers."""
NEXT_ROOT: Final = ledger.COUNT + 3
TRACE: Final = ledger.COUNT + 4
"""1: leave compiled code after every exit."""
LAST_CAUSE: Final = ledger.COUNT + 5
"""Ledger index of the last exit."""
SERIAL: Final = ledger.COUNT + 6
"""Exits so far: position in the ring of the last ones."""
CURRENT: Final = ledger.COUNT + 7
"""The root that the real satp names."""
ROOTS: Final = 32
TAGS: Final = 32
"""ROOTS tags, 0 = unused."""
TABLES: Final = TAGS + ROOTS
"""ROOTS frame numbers of root tables."""
RING: Final = TABLES + ROOTS
RING_LENGTH: Final = 16
"""The last exits, four fields each: ledger index, pc (mode above it), instruction, STEPS."""
STACK: Final = RING + 4 * RING_LENGTH
RESERVE: Final = 256
"""Frames of a vCPU's reserve: 1 MiB, of which the host only pays what is used."""
FIELDS: Final = STACK + RESERVE

FILLED: Final = 0
FAULT: Final = 1
NOT_RAM: Final = 2

_MPRV: Final = 1 << 40
_PTE_LEAF: Final = sv32.PTE_V | sv32.PTE_U | sv32.PTE_A | sv32.PTE_D
_RAM_PAGE: Final = platform.RAM_BASE >> 12
_MODE_SV32: Final = csr.SATP_MODE


@kernel
def _take_frame(c, ram):
    """A zeroed frame of the reserve, -1 if it is empty."""
    if c[FREE] == 0:
        return np.int64(-1)
    c[FREE] -= 1
    frame = c[STACK + c[FREE]]
    for i in range(1024):
        store32(ram, (frame << 12) + 4 * i, np.int64(0))
    return frame


@kernel
def _give_frame(c, frame):
    """Put a frame back into the reserve."""
    c[STACK + c[FREE]] = frame
    c[FREE] += 1


@kernel
def _drop_root(c, ram, root):
    """Free a root table and everything below it."""
    table = c[TABLES + root] << 12
    for i in range(1024):
        pte = load32(ram, table + 4 * i)
        if pte & sv32.PTE_V:
            _give_frame(c, (pte >> sv32.PTE_PPN_SHIFT) - _RAM_PAGE)
    _give_frame(c, c[TABLES + root])
    c[TAGS + root] = 0


@entry_kernel
def drop_all(h, c):
    """Forget every shadow table (PMP has changed, or the reserve is empty)."""
    for root in range(ROOTS):
        if c[TAGS + root] != 0:
            _drop_root(c, h.ram, root)
    tlb.flush_translations(h.p, h.tlb)


@kernel
def drop_translated(h, g, c):
    """Forget the shadows of guest page tables; those of identity translation stay."""
    for root in range(ROOTS):
        if c[TAGS + root] & tlb.TRANSLATED:
            _drop_root(c, h.ram, root)
    g.p[s.SUPERPAGES] = 0
    tlb.flush_translations(h.p, h.tlb)


@kernel
def drop_address(h, g, c, va):
    """sfence.vma of one address: its entry in every root, all of them if megapages were seen."""
    if g.p[s.SUPERPAGES]:
        drop_translated(h, g, c)
        return
    for root in range(ROOTS):
        if c[TAGS + root] & tlb.TRANSLATED:
            pte = load32(h.ram, (c[TABLES + root] << 12) + ((va >> 22) << 2))
            if pte & sv32.PTE_V:
                leaf = ((pte >> sv32.PTE_PPN_SHIFT) - _RAM_PAGE) << 12
                store32(h.ram, leaf + (((va >> 12) & 1023) << 2), np.int64(0))
    tlb.flush_address(h.p, h.tlb, va)


@kernel
def _root_tag(v):
    """What a shadow root depends on: the context of fetches, and whether MPRV redirects data."""
    tag = tlb.context_tag(v, v[s.MODE])
    if v[s.MODE] == s.MODE_M and v[s.MSTATUS] & csr.MSTATUS_MPRV:
        tag |= _MPRV
    return tag


@kernel
def executes_only(v):
    """Does the guest run on an execute-only root, so that all its data accesses exit?"""
    return v[s.MODE] == s.MODE_M and v[s.MSTATUS] & csr.MSTATUS_MPRV != 0


@kernel
def point(h, g, c):
    """Point the real satp at the root of the vCPU's current context.

    The root's number is its real ASID, so the real TLB keeps the roots apart.
    """
    tag = _root_tag(g.p)
    if c[TAGS + c[CURRENT]] == tag:
        return np.int64(0)
    for root in range(ROOTS):
        if c[TAGS + root] == tag:
            c[CURRENT] = root
            h.p[s.SATP] = (
                _MODE_SV32 | (root + 1) << csr.SATP_ASID_SHIFT | c[TABLES + root] + _RAM_PAGE
            )
            return np.int64(0)
    root = c[NEXT_ROOT] & (ROOTS - 1)
    c[NEXT_ROOT] = root + 1
    if c[TAGS + root] != 0:
        _drop_root(c, h.ram, root)
        tlb.flush_translations(h.p, h.tlb)
    frame = _take_frame(c, h.ram)
    if frame < 0:
        drop_all(h, c)
        frame = _take_frame(c, h.ram)
    c[TAGS + root] = tag
    c[TABLES + root] = frame
    c[CURRENT] = root
    h.p[s.SATP] = _MODE_SV32 | (root + 1) << csr.SATP_ASID_SHIFT | frame + _RAM_PAGE
    return np.int64(0)


@kernel
def fill(h, g, c, va, access):
    """Answer a real page fault: FILLED, FAULT (CAUSE and TVAL of the vCPU are set) or NOT_RAM."""
    v = g.p
    mode = v[s.MODE] if access == mmu.FETCH else mmu.data_mode(v)
    pa = mmu.translate(v, g.fmap, h.dec, h.slots, h.ram, va, access, mode)
    if pa < 0:
        v[s.CAUSE] = mmu.fault_cause(pa, access)
        v[s.TVAL] = va
        return np.int64(FAULT)
    offset = mmu.frame_offset(g.fmap, pa)
    if offset < 0:
        return np.int64(NOT_RAM)
    rights = np.int64(sv32.PTE_X)
    if access == mmu.LOAD:
        rights = np.int64(sv32.PTE_R)
    elif access == mmu.STORE:
        rights = np.int64(sv32.PTE_R | sv32.PTE_W)
    table = ((h.p[s.SATP] & csr.SATP_PPN) - _RAM_PAGE) << 12
    pointer = table + ((va >> 22) << 2)
    pte = load32(h.ram, pointer)
    if pte & sv32.PTE_V == 0:
        frame = _take_frame(c, h.ram)
        if frame < 0:
            # Start again with empty tables: the access exits once more and then fits.
            drop_all(h, c)
            return np.int64(FILLED)
        pte = (frame + _RAM_PAGE) << sv32.PTE_PPN_SHIFT | sv32.PTE_V
        store32(h.ram, pointer, pte)
    leaf = (((pte >> sv32.PTE_PPN_SHIFT) - _RAM_PAGE) << 12) + (((va >> 12) & 1023) << 2)
    entry = ((offset >> 12) + _RAM_PAGE) << sv32.PTE_PPN_SHIFT
    old = load32(h.ram, leaf)
    if old & sv32.PTE_PPN == entry:
        rights |= old & (sv32.PTE_R | sv32.PTE_W | sv32.PTE_X)
    elif old & sv32.PTE_V:
        # The guest has changed its table without a fence; what the real TLB holds must go too.
        tlb.flush_address(h.p, h.tlb, va)
    store32(h.ram, leaf, entry | _PTE_LEAF | rights)
    return np.int64(FILLED)
