"""The software TLB: 16 contexts of 256 fetch, read and write entries each.

An entry packs the page's virtual address (low 32 bits) and where the page is (high 32 bits): for
reads and writes what to add to the address, modulo 2^32, to get the byte offset in `ram`; for
fetches the first entry of the decoded page.  The
low two bits of the compared address must be 0, so that one comparison also checks alignment.

A context belongs to (mode, SUM, MXR, satp); a change of mode or of satp selects another context
and flushes nothing: what a page table said before holds until an sfence.vma.  Identity translation
is an ordinary context.  Only RAM has entries.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import mmu, ops
from toyvm.hart import state as s
from toyvm.isa import csr
from toyvm.jit import entry_kernel, kernel

SETS: Final = 256
FETCH: Final = 0
READ: Final = SETS
WRITE: Final = 2 * SETS
CONTEXT: Final = 3 * SETS
"""Entries of one context."""
CONTEXTS: Final = 16
ENTRIES: Final = CONTEXTS * CONTEXT
EMPTY: Final = -1
"""No aligned address has these low 32 bits."""
TRANSLATED: Final = 8


@kernel
def context_tag(p, mode):
    """The tag of the context in which `mode` translates; never 0."""
    if mode == s.MODE_M or p[s.SATP] & csr.SATP_MODE == 0:
        return np.int64(1) | mode << 1
    status = p[s.MSTATUS] & (csr.MSTATUS_SUM | csr.MSTATUS_MXR)
    table = p[s.SATP] & (csr.SATP_ASID | csr.SATP_PPN)
    return np.int64(1) | mode << 1 | TRANSLATED | (status >> 14) | table << 6


@kernel
def _find(p, tlb, tag):
    """First entry of the context with this tag; takes a context if there is none."""
    for i in range(CONTEXTS):
        if p[s.CONTEXT_TAGS + i] == tag:
            return np.int64(i * CONTEXT)
    i = p[s.NEXT_CONTEXT] & (CONTEXTS - 1)
    p[s.NEXT_CONTEXT] = i + 1
    p[s.CONTEXT_TAGS + i] = tag
    base = np.int64(i * CONTEXT)
    for entry in range(base, base + CONTEXT):
        tlb[entry] = EMPTY
    return base


@kernel
def select(p, tlb):
    """Point FETCH_BASE and DATA_BASE at the contexts of the current mode and status."""
    tag = context_tag(p, p[s.MODE])
    if p[s.CONTEXT_TAGS + p[s.FETCH_BASE] // CONTEXT] != tag:
        p[s.FETCH_BASE] = _find(p, tlb, tag)
    if p[s.MSTATUS] & csr.MSTATUS_MPRV == 0:
        p[s.DATA_BASE] = p[s.FETCH_BASE]
        return
    tag = context_tag(p, mmu.data_mode(p))
    if p[s.CONTEXT_TAGS + p[s.DATA_BASE] // CONTEXT] != tag:
        p[s.DATA_BASE] = _find(p, tlb, tag)
        tag = context_tag(p, p[s.MODE])
        if p[s.CONTEXT_TAGS + p[s.FETCH_BASE] // CONTEXT] != tag:
            # The turn was at the context of the fetches; the next one cannot be the data's.
            p[s.FETCH_BASE] = _find(p, tlb, tag)


@entry_kernel
def flush_all(p, tlb):
    """Forget every translation, identity included (PMP, watchpoints, decoded pages)."""
    for i in range(CONTEXTS):
        if p[s.CONTEXT_TAGS + i] != 0:
            p[s.CONTEXT_TAGS + i] = 0
            for entry in range(i * CONTEXT, (i + 1) * CONTEXT):
                tlb[entry] = EMPTY
    p[s.SUPERPAGES] = 0


@kernel
def flush_translations(p, tlb):
    """Forget what page tables said; identity contexts stay."""
    for i in range(CONTEXTS):
        if p[s.CONTEXT_TAGS + i] & TRANSLATED:
            p[s.CONTEXT_TAGS + i] = 0
            for entry in range(i * CONTEXT, (i + 1) * CONTEXT):
                tlb[entry] = EMPTY
    p[s.SUPERPAGES] = 0


@kernel
def flush_address(p, tlb, va):
    """sfence.vma of one address in every ASID: more than asked for is always allowed."""
    if p[s.SUPERPAGES]:
        # Pieces of a megapage lie in many sets.
        flush_translations(p, tlb)
        return
    entry = (va >> 12) & (SETS - 1)
    for i in range(3 * CONTEXTS):
        tlb[i * SETS + entry] = EMPTY


@kernel
def drop_writes(tlb, ram_page):
    """Withdraw write entries that lead to a page of `ram`: it now holds decoded words."""
    for i in range(CONTEXTS):
        base = i * CONTEXT + WRITE
        for entry in range(base, base + SETS):
            e = tlb[entry]
            if e != EMPTY and (((e >> 32) + e) & s.MASK32) >> 12 == ram_page:
                tlb[entry] = EMPTY


@entry_kernel
def adopt_slots(p, tlb, dec, next_slot, forgets):
    """Another hart with the same decoded words has run: `next_slot` and `forgets` are its fields.

    Pages that it decoded lose their write entries here, too; if it forgot all slots, what our
    fetch entries point at is gone.
    """
    if forgets != p[s.FORGETS]:
        flush_all(p, tlb)
    else:
        for slot in range(p[s.NEXT_SLOT], next_slot):
            drop_writes(tlb, dec[slot * ops.SLOT_ENTRIES + 1024] >> 32)
    p[s.NEXT_SLOT] = next_slot
    p[s.FORGETS] = forgets


@kernel
def put_data(tlb, base, va, offset):
    """Enter a page of RAM: `base` is a context plus READ or WRITE, `offset` the page's in `ram`."""
    page = va & 0xFFFF_F000
    tlb[base + ((va >> 12) & (SETS - 1))] = (offset - page) << 32 | page


@kernel
def put_fetch(tlb, base, va, entry):
    """Enter a decoded page: `base` is a context plus FETCH, `entry` its first decoded word."""
    tlb[base + ((va >> 12) & (SETS - 1))] = entry << 32 | (va & 0xFFFF_F000)
