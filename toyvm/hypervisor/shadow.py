"""Shadow page tables: gva -> hpa, filled on demand.

What the real hart walks while a guest runs is a *shadow* table that we build: one root for each
context in use (technique u: virtual mode, SUM, MXR, satp, MPRV; technique s: satp alone, because
the real hart then applies U, SUM and MXR itself).  An entry appears when the guest faults on a page
that its own tables (and its virtual PMP) allow; it is born with A = D = 1 and only with the rights
that have been checked, so the first store to a page still exits and sets the guest's D bit.

The tables are a cache, and there are two ways to keep it true.  *Lazy*: an entry may be stale until
the guest's sfence.vma names it, as in a TLB.  *Protect*: pages that hold guest tables are not
writable in the shadow; each store to one exits, is done here, and takes the entries with it that
it changes, so that sfence.vma has nothing left to do.

Frames for tables, and for guest pages that are touched for the first time, come from the VM's own
reserve (`STACK`), which Python refills.
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
_SCALARS: Final = ledger.COUNT
FREE: Final = _SCALARS
"""Frames in the reserve; the stack at STACK holds their numbers."""
NODES: Final = _SCALARS + 1
"""Shadow tables in use, roots included."""
NEXT_ROOT: Final = _SCALARS + 2
TRACE: Final = _SCALARS + 3
"""1: leave compiled code after every exit."""
LAST_CAUSE: Final = _SCALARS + 4
"""Ledger index of the last exit."""
SERIAL: Final = _SCALARS + 5
"""Exits so far: position in the ring of the last ones."""
CURRENT: Final = _SCALARS + 6
"""The root that the real satp names."""
PROTECT: Final = _SCALARS + 7
"""1: guest tables are write-protected.  0: stale until sfence.vma."""
TECHNIQUE: Final = _SCALARS + 8
"""TECHNIQUE_U or TECHNIQUE_S."""
FLAG: Final = _SCALARS + 9
"""Paravirtual: offset in the host's RAM of the guest's interrupt flag, 0 for none."""
PV_MASKED: Final = _SCALARS + 10
"""How often the guest was told of an interrupt that its flag held back."""
TRAPS: Final = _SCALARS + 11
"""TVM, TW, TSR: what traps while the guest runs in real S-mode with translation."""
SAMPLES: Final = _SCALARS + 16
"""For each cause: exits whose time in the hypervisor was measured (one in SAMPLE_EVERY)."""
SAMPLE_TICKS: Final = SAMPLES + ledger.COUNT
"""and how many ticks of the host's counter they took together."""
SAMPLE_EVERY: Final = 64
ROOTS: Final = 32
TAGS: Final = SAMPLE_TICKS + ledger.COUNT
"""ROOTS tags, 0 = unused."""
TABLES: Final = TAGS + ROOTS
"""ROOTS frame numbers of root tables."""
RING: Final = TABLES + ROOTS
RING_LENGTH: Final = 16
RING_FIELDS: Final = 6
"""An exit: ledger index, pc (mode above it), instruction, STEPS, two details (see `vcpu`)."""
RESERVE: Final = 256
"""Most shadow tables of a vCPU: 1 MiB."""
NODE_FRAME: Final = RING + RING_FIELDS * RING_LENGTH
"""Frame of each table."""
NODE_GUEST: Final = NODE_FRAME + RESERVE
"""Guest page number (gpa >> 12) of the table it shadows, -1 for none."""
NODE_KEY: Final = NODE_GUEST + RESERVE
"""root << 11, plus 1 + the entry of the root that points here for a second-level table."""
STACK: Final = NODE_KEY + RESERVE
STACK_LENGTH: Final = RESERVE + 256
FIELDS: Final = STACK + STACK_LENGTH

TECHNIQUE_U: Final = 0
"""All of the guest runs in real U-mode."""
TECHNIQUE_S: Final = 1
"""Virtual S runs in real S with TVM, TW and TSR set, virtual U in real U, virtual M in real U."""
UNTOUCHED: Final = -1
"""In a frame map: RAM of the guest that has no frame yet."""
FILLED: Final = 0
FAULT: Final = 1
NOT_RAM: Final = 2
NO_FRAME: Final = 3
"""The reserve is empty: refill it and run the instruction again."""
BY_HAND: Final = 4
"""The access is allowed but no entry may say so: do it for the guest."""

_GLOBAL: Final = 1 << 8
"""In a shadow leaf (RSW): the guest's entry is global."""
_PIECE: Final = 1 << 9
"""In a shadow leaf: a part of a guest's megapage.  In a pointer: there are such leaves below."""
_MPRV: Final = 1 << 40
_NATIVE: Final = 1 << 41
"""In a tag: a root for real S- and U-mode (technique s)."""
_PTE_LEAF: Final = sv32.PTE_V | sv32.PTE_A | sv32.PTE_D
_RWX: Final = sv32.PTE_R | sv32.PTE_W | sv32.PTE_X
_RAM_PAGE: Final = platform.RAM_BASE >> 12
_MODE_SV32: Final = csr.SATP_MODE


# ---- frames ----------------------------------------------------------------------------------


@kernel
def _take_frame(c, ram):
    """A zeroed frame of the reserve, which must not be empty."""
    c[FREE] -= 1
    frame = c[STACK + c[FREE]]
    for i in range(1024):
        store32(ram, (frame << 12) + 4 * i, np.int64(0))
    return frame


@kernel
def _claim(g, c, pa):
    """Give the guest page of `pa` a frame: FILLED, NO_FRAME, or FAULT if it needs none."""
    index = (pa >> 12) - _RAM_PAGE
    if index < 0 or index >= g.fmap.size or np.int64(g.fmap[index]) != UNTOUCHED:
        return np.int64(FAULT)
    if c[FREE] == 0:
        return np.int64(NO_FRAME)
    g.fmap[index] = np.int32(_take_frame(c, g.ram))
    return np.int64(FILLED)


@kernel
def look(g, va, mode):
    """Walk the guest's tables without rights or side effects.

    (physical address or -1, leaf entry or 0, megapage, page of the leaf's table or -1).  The
    address is that of the entry itself where a table has no frame, so that `touch` can give one.
    """
    v = g.p
    none = np.int64(-1)
    if mode == s.MODE_M or v[s.SATP] & csr.SATP_MODE == 0:
        return va, np.int64(0), False, none
    at = ((v[s.SATP] & csr.SATP_PPN) << 12) + ((va >> 22) << 2)
    offset = mmu.frame_offset(g.fmap, at)
    if offset < 0:
        return at, np.int64(0), False, none
    pte = load32(g.ram, offset)
    megapage = True
    if pte & sv32.PTE_V and pte & _RWX == 0:
        megapage = False
        at = ((pte >> sv32.PTE_PPN_SHIFT) << 12) + (((va >> 12) & 1023) << 2)
        offset = mmu.frame_offset(g.fmap, at)
        if offset < 0:
            return at, np.int64(0), False, none
        pte = load32(g.ram, offset)
    if pte & sv32.PTE_V == 0:
        return none, np.int64(0), False, none
    inside = va & (0x3F_FFFF if megapage else 0xFFF)
    return ((pte >> sv32.PTE_PPN_SHIFT) << 12) | inside, pte, megapage, at >> 12


@kernel
def touch(g, c, va, mode):
    """Give a frame to the first page without one on the way to `va`; as `_claim`."""
    pa, _, _, _ = look(g, va, mode)
    if pa < 0:
        return np.int64(FAULT)
    return _claim(g, c, pa)


# ---- forgetting --------------------------------------------------------------------------------


@kernel
def _forget(h, root):
    """Withdraw what the real TLB knows of a root (its real ASID is root + 1)."""
    for i in range(tlb.CONTEXTS):
        tag = h.p[s.CONTEXT_TAGS + i]
        if tag & tlb.TRANSLATED and (tag >> 28) & 0x1FF == root + 1:
            # The context is emptied when it is taken again.
            h.p[s.CONTEXT_TAGS + i] = 0


@kernel
def _drop_nodes(c, first, last):
    """Give back the tables whose key lies in [first, last]."""
    kept = np.int64(0)
    for i in range(c[NODES]):
        key = c[NODE_KEY + i]
        if first <= key <= last:
            c[STACK + c[FREE]] = c[NODE_FRAME + i]
            c[FREE] += 1
        else:
            c[NODE_FRAME + kept] = c[NODE_FRAME + i]
            c[NODE_GUEST + kept] = c[NODE_GUEST + i]
            c[NODE_KEY + kept] = key
            kept += 1
    c[NODES] = kept


@kernel
def _drop_root(h, c, root):
    """Free a root table and everything below it."""
    _drop_nodes(c, root << 11, root << 11 | 2047)
    c[TAGS + root] = 0
    _forget(h, root)


@entry_kernel
def drop_all(h, c):
    """Forget every shadow table (PMP has changed, or there are too many tables)."""
    for root in range(ROOTS):
        if c[TAGS + root] != 0:
            _drop_root(h, c, root)


@kernel
def _drop_upper(h, c, root, index):
    """Forget entry `index` of a root: a megapage, or a table and all below it."""
    at = (c[TABLES + root] << 12) + (index << 2)
    pte = load32(h.ram, at)
    if pte & sv32.PTE_V:
        store32(h.ram, at, np.int64(0))
        if pte & _RWX == 0:
            _drop_nodes(c, root << 11 | index + 1, root << 11 | index + 1)
        _forget(h, root)


@kernel
def _clear(ram, frame, first, last, mask, value):
    """Clear the leaves [first, last] of a table whose bits `mask` are `value`."""
    for i in range(first, last + 1):
        pte = load32(ram, (frame << 12) + (i << 2))
        if pte & _RWX and pte & mask == value:
            store32(ram, (frame << 12) + (i << 2), np.int64(0))


@kernel
def _fence_address(h, c, root, va, mask):
    """Forget the leaf of `va` in one root, unless it has a bit of `mask` (global)."""
    table = c[TABLES + root]
    upper = va >> 22
    pte = load32(h.ram, (table << 12) + (upper << 2))
    if pte & sv32.PTE_V == 0:
        return
    if pte & _RWX:
        _clear(h.ram, table, upper, upper, mask, np.int64(0))
        _forget(h, root)
        return
    below = (pte >> sv32.PTE_PPN_SHIFT) - _RAM_PAGE
    if pte & _PIECE:
        # One address of a megapage names all of it.
        _clear(h.ram, below, np.int64(0), np.int64(1023), mask | _PIECE, np.int64(_PIECE))
        _forget(h, root)
    lower = (va >> 12) & 1023
    _clear(h.ram, below, lower, lower, mask, np.int64(0))


@kernel
def fence(h, g, c, va, asid):
    """sfence.vma (§4.2.1): one address or all (-1), one address space or all (-1).

    With an address space given, global entries stay.  Protected tables are never stale.
    """
    if c[PROTECT]:
        return
    keep = np.int64(0) if asid < 0 else np.int64(_GLOBAL)
    for root in range(ROOTS):
        tag = c[TAGS + root]
        if tag & tlb.TRANSLATED == 0 or (asid >= 0 and (tag >> 28) & 0x1FF != asid):
            continue
        if va >= 0:
            _fence_address(h, c, root, va, keep)
        elif keep == 0:
            _drop_root(h, c, root)
        else:
            for i in range(c[NODES]):
                if c[NODE_KEY + i] >> 11 == root:
                    frame = c[NODE_FRAME + i]
                    _clear(h.ram, frame, np.int64(0), np.int64(1023), keep, np.int64(0))
            _forget(h, root)
    if va >= 0:
        tlb.flush_address(h.p, h.tlb, va)


# ---- write protection of guest tables ----------------------------------------------------------


@kernel
def _is_table(c, page):
    """Does this guest page hold a table that a shadow was made from?"""
    found = False
    for i in range(c[NODES]):
        found |= c[NODE_GUEST + i] == page
    return found


@kernel
def _withdraw_writes(h, c, frame):
    """A frame now holds a guest table: no shadow entry may let the guest write it."""
    entry = (frame + _RAM_PAGE) << sv32.PTE_PPN_SHIFT
    for i in range(c[NODES]):
        table = c[NODE_FRAME + i] << 12
        for k in range(1024):
            pte = load32(h.ram, table + 4 * k)
            if pte & sv32.PTE_W and pte & sv32.PTE_PPN == entry:
                store32(h.ram, table + 4 * k, pte & ~np.int64(sv32.PTE_W))
    tlb.drop_writes(h.tlb, frame)


@entry_kernel
def sync(h, c, pa):
    """The word at guest-physical `pa` has been stored: forget what was made from that entry."""
    if pa < 0:
        return
    index = (pa & 0xFFF) >> 2
    i = np.int64(0)
    while i < c[NODES]:
        if c[NODE_GUEST + i] == pa >> 12:
            root = c[NODE_KEY + i] >> 11
            below = c[NODE_KEY + i] & 2047
            if below == 0:
                # Dropping a table moves others to its place, but only behind its root.
                _drop_upper(h, c, root, index)
            else:
                store32(h.ram, (c[NODE_FRAME + i] << 12) + (index << 2), np.int64(0))
                tlb.flush_address(h.p, h.tlb, (below - 1) << 22 | index << 12)
        i += 1


@entry_kernel
def sync_all(h, c, places):
    """`sync` for each address of an int64 array."""
    for i in range(places.size):
        sync(h, c, places[i])


# ---- roots -------------------------------------------------------------------------------------


@kernel
def native(v, c):
    """Does the guest's mode run in the real mode of the same name?"""
    return c[TECHNIQUE] == TECHNIQUE_S and v[s.MODE] != s.MODE_M


@kernel
def _root_tag(v, c):
    """What a shadow root depends on; never 0."""
    if not native(v, c):
        # The context of fetches, and whether MPRV redirects data.
        return tlb.context_tag(v, v[s.MODE]) | (_MPRV if executes_only(v) else 0)
    if v[s.SATP] & csr.SATP_MODE == 0:
        return _NATIVE | 1 | v[s.MODE] << 1
    return _NATIVE | 1 | tlb.TRANSLATED | (v[s.SATP] & (csr.SATP_ASID | csr.SATP_PPN)) << 6


@kernel
def executes_only(v):
    """Does the guest run on an execute-only root, so that all its data accesses exit?"""
    return v[s.MODE] == s.MODE_M and v[s.MSTATUS] & csr.MSTATUS_MPRV != 0


@kernel
def _new_table(h, g, c, key, guest):
    """A shadow table for the guest's table in page `guest`; its frame, -1 if there is no room."""
    if c[FREE] == 0 or c[NODES] == RESERVE:
        return np.int64(-1)
    if c[PROTECT] and guest >= 0 and not _is_table(c, guest):
        offset = mmu.frame_offset(g.fmap, guest << 12)
        if offset >= 0:
            _withdraw_writes(h, c, offset >> 12)
    frame = _take_frame(c, h.ram)
    node = c[NODES]
    c[NODES] = node + 1
    c[NODE_FRAME + node] = frame
    c[NODE_GUEST + node] = guest
    c[NODE_KEY + node] = key
    return frame


@kernel
def point(h, g, c):
    """Point the real satp at the root of the vCPU's current context; FILLED or NO_FRAME.

    The root's number is its real ASID, so the real TLB keeps the roots apart.
    """
    tag = _root_tag(g.p, c)
    root = c[CURRENT]
    if c[TAGS + root] == tag:
        return np.int64(FILLED)
    for i in range(ROOTS):
        if c[TAGS + i] == tag:
            root = np.int64(i)
    if c[TAGS + root] != tag:
        if c[NODES] == RESERVE:
            drop_all(h, c)
        if c[FREE] == 0:
            return np.int64(NO_FRAME)
        root = c[NEXT_ROOT] & (ROOTS - 1)
        c[NEXT_ROOT] = root + 1
        if c[TAGS + root] != 0:
            _drop_root(h, c, root)
        guest = g.p[s.SATP] & csr.SATP_PPN if tag & tlb.TRANSLATED else np.int64(-1)
        c[TABLES + root] = _new_table(h, g, c, root << 11, guest)
        c[TAGS + root] = tag
    c[CURRENT] = root
    h.p[s.SATP] = _MODE_SV32 | (root + 1) << csr.SATP_ASID_SHIFT | c[TABLES + root] + _RAM_PAGE
    return np.int64(FILLED)


# ---- filling -----------------------------------------------------------------------------------


@kernel
def _whole(g, c, page):
    """Can the megapage of guest pages from `page` be one in the shadow?  Its first frame or -1.

    Its frames must lie together and aligned, none may be protected, and PMP must treat it alike.
    """
    index = page - _RAM_PAGE
    if index < 0 or index + 1024 > g.fmap.size:
        return np.int64(-1)
    first = np.int64(g.fmap[index])
    if first < 0 or first & 1023 != 0:
        return np.int64(-1)
    for i in range(1024):
        if np.int64(g.fmap[index + i]) != first + i:
            return np.int64(-1)
    for i in range(c[NODES]):
        if c[PROTECT] and c[NODE_GUEST + i] >> 10 == page >> 10:
            return np.int64(-1)
    for entry in range(g.p[s.PMP_COUNT] & 31):
        start, end = mmu.pmp_range(g.p, np.int64(entry))
        if start <= page and page + 1024 <= end:
            break
        if start < page + 1024 and page < end:
            return np.int64(-1)
    return first


@kernel
def _put(h, c, at, entry, va):
    """Write a leaf; the rights of one that leads to the same frame are kept."""
    old = load32(h.ram, at)
    if old & (sv32.PTE_PPN | sv32.PTE_U) == entry & (sv32.PTE_PPN | sv32.PTE_U):
        entry |= old & _RWX
    elif old & sv32.PTE_V:
        # The guest has changed its table without a fence; what the real TLB holds must go too.
        tlb.flush_address(h.p, h.tlb, va)
    store32(h.ram, at, entry)
    return np.int64(FILLED)


@kernel
def fill(h, g, c, va, access):
    """Answer a real page fault: FILLED, FAULT (CAUSE and TVAL of the vCPU are set), NOT_RAM,
    NO_FRAME or BY_HAND."""
    v = g.p
    mode = v[s.MODE] if access == mmu.FETCH else mmu.data_mode(v)
    pa = np.int64(-1)
    offset = np.int64(-1)
    while offset < 0:
        pa = mmu.translate(v, g.fmap, h.dec, h.slots, h.ram, va, access, mode)
        if pa >= 0:
            offset = mmu.frame_offset(g.fmap, pa)
        if offset < 0:
            got = np.int64(FAULT) if pa == mmu.PAGE_FAULT else touch(g, c, va, mode)
            if got == NO_FRAME:
                return got
            if got == FAULT and pa >= 0:
                return np.int64(NOT_RAM)
            if got == FAULT:
                v[s.CAUSE] = mmu.fault_cause(pa, access)
                v[s.TVAL] = va
                return got
    if access == mmu.STORE and c[PROTECT] and _is_table(c, pa >> 12):
        return np.int64(BY_HAND)
    _, leaf, megapage, guest = look(g, va, mode)
    rights = np.int64(sv32.PTE_X)
    if access == mmu.LOAD:
        rights = np.int64(sv32.PTE_R)
    elif access == mmu.STORE:
        rights = np.int64(sv32.PTE_R | sv32.PTE_W)
    user = np.int64(sv32.PTE_U)
    if native(v, c):
        # The real hart applies U, SUM and MXR: the entry says what the guest's own says.
        user = leaf & sv32.PTE_U
        if leaf == 0:
            user = np.int64(sv32.PTE_U) if mode == s.MODE_U else np.int64(0)
        elif access == mmu.LOAD and leaf & sv32.PTE_R == 0:
            # Readable by MXR alone: through an entry that can be executed, if PMP lets it.
            rights = np.int64(sv32.PTE_X)
            if not mmu.pmp_allows(v, pa, np.int64(mmu.FETCH), mode):
                return np.int64(BY_HAND)
    rights |= _PTE_LEAF | user
    if leaf & sv32.PTE_G:
        rights |= _GLOBAL
    root = c[CURRENT]
    upper = va >> 22
    pointer = (c[TABLES + root] << 12) + (upper << 2)
    pte = load32(h.ram, pointer)
    if megapage:
        guest = np.int64(-1)
        first = _whole(g, c, (pa >> 12) & ~np.int64(1023))
        if first >= 0:
            if pte & _RWX == 0:
                _drop_upper(h, c, root, upper)
            return _put(h, c, pointer, (first + _RAM_PAGE) << sv32.PTE_PPN_SHIFT | rights, va)
        rights |= _PIECE
    if pte & _RWX:
        _drop_upper(h, c, root, upper)
        pte = np.int64(0)
    if pte & sv32.PTE_V == 0:
        frame = _new_table(h, g, c, root << 11 | upper + 1, guest)
        if frame < 0:
            if c[NODES] < RESERVE:
                return np.int64(NO_FRAME)
            # Start again with empty tables: the access exits once more and then fits.
            drop_all(h, c)
            return np.int64(FILLED)
        pte = (frame + _RAM_PAGE) << sv32.PTE_PPN_SHIFT | sv32.PTE_V
    store32(h.ram, pointer, pte | (rights & _PIECE))
    below = ((pte >> sv32.PTE_PPN_SHIFT) - _RAM_PAGE) << 12
    entry = ((offset >> 12) + _RAM_PAGE) << sv32.PTE_PPN_SHIFT
    return _put(h, c, below + (((va >> 12) & 1023) << 2), entry | rights, va)
