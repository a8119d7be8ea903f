"""Every memory access that the fast path leaves alone: TLB misses, faults, misaligned accesses,
MMIO, stores into pages with decoded words, watched pages, LR/SC and AMO.

Each kernel returns OK, TRAP (CAUSE and TVAL are set, nothing has changed) or MMIO (MMIO_PA and
its companions are set; the machine performs the access and finishes the instruction).
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any, Final

import numpy as np

from toyvm.hart import decode, mmu, ops, tlb
from toyvm.hart import state as s
from toyvm.jit import (
    kernel,
    load8,
    load16,
    load32,
    opener,
    store8,
    store16,
    store32,
    table_of,
)

OK: Final = 0
TRAP: Final = 1
MMIO: Final = 2

#: The arrays of a hart, passed to kernels as one: registers (uint32[256], 32 of which count),
#: record (int64), TLB and decoded words (int64), slot + 1 of each RAM page (int32, 0 none),
#: RAM (uint8), frame map (int32; the identity unless a VM's).
Core = namedtuple("Core", ["x", "p", "tlb", "dec", "slots", "ram", "fmap", "table"])
_KINDS: Final = ("uint32", "int64", "int64", "int64", "int32", "uint8", "int32")
#: The Core whose `table` is at an address.  A kernel that is called often takes the address, one
#: word, and not the arrays, which are seven words each.
core_at = opener(Core, _KINDS)


def make_core(x: Any, p: Any, tlb: Any, dec: Any, slots: Any, ram: Any, fmap: Any) -> Core:
    """The Core of these arrays; `table` says where they are."""
    arrays = (x, p, tlb, dec, slots, ram, fmap)
    return Core(*arrays, table_of(arrays, _KINDS))


@kernel
def _fault(p, status, access, va):
    """Report a failed translation of `va`."""
    p[s.CAUSE] = mmu.fault_cause(status, access)
    p[s.TVAL] = va & s.MASK32
    return np.int64(TRAP)


@kernel
def watched(p, va, width, access):
    """Does the access touch a watchpoint of its kind?"""
    for i in range(p[s.WATCHES] & 31):
        field = s.WATCH + 3 * i
        if va + width > p[field] and va <= p[field + 1] and p[field + 2] & access:
            return True
    return False


@kernel
def _watched_page(p, va):
    """Is there any watchpoint in the page of `va`?  Such a page has no TLB entry."""
    page = va & 0xFFFF_F000
    return p[s.WATCHES] != 0 and watched(p, page, np.int64(4096), np.int64(3))


@kernel
def find_ram(core, va, width, access):
    """Translate a data access within one page; offset in `ram`, or -1 with p[VALUE] a status.

    Enters the translation in the TLB where the page may have an entry.  p[MMIO_PA] is the
    physical address.
    """
    p = core.p
    mode = mmu.data_mode(p)
    pa = mmu.translate(p, core.fmap, core.dec, core.slots, core.ram, va, access, mode)
    if pa < 0:
        p[s.VALUE] = _fault(p, pa, access, va)
        return np.int64(-1)
    p[s.MMIO_PA] = pa
    offset = mmu.frame_offset(core.fmap, pa)
    if offset < 0:
        if va & (width - 1) or pa > s.MASK32:
            p[s.VALUE] = _fault(p, np.int64(mmu.ACCESS_FAULT), access, va)
        else:
            p[s.VALUE] = MMIO
            p[s.TVAL] = va
        return np.int64(-1)
    return offset


@kernel
def _enter(core, va, offset, access):
    """Put a translated page of RAM in the TLB, unless it is watched or (writes) holds code."""
    p = core.p
    if _watched_page(p, va):
        return
    page = offset & ~np.int64(0xFFF)
    if access == mmu.LOAD:
        tlb.put_data(core.tlb, p[s.DATA_BASE] + tlb.READ, va, page)
    elif core.slots[page >> 12] == 0:
        tlb.put_data(core.tlb, p[s.DATA_BASE] + tlb.WRITE, va, page)


@kernel
def _note_watch(p, va, width, access):
    if p[s.WATCHES] != 0 and watched(p, va, width, access):
        p[s.WATCH_HIT] = va


@kernel
def _second_page(core, va, width, access):
    """For an access that crosses into the next page: offsets in `ram` of both parts.

    Both pages are checked before any byte moves.  (-1, -1) with p[VALUE] set if one fails.
    """
    p = core.p
    mode = mmu.data_mode(p)
    next_va = ((va | 0xFFF) + 1) & s.MASK32
    first = np.int64(-1)
    second = np.int64(-1)
    pa = mmu.translate(p, core.fmap, core.dec, core.slots, core.ram, va, access, mode)
    if pa >= 0:
        first = mmu.frame_offset(core.fmap, pa)
        pa = np.int64(mmu.ACCESS_FAULT)
    if first < 0:
        p[s.VALUE] = _fault(p, pa, access, va)
        return np.int64(-1), np.int64(-1)
    pa = mmu.translate(p, core.fmap, core.dec, core.slots, core.ram, next_va, access, mode)
    if pa >= 0:
        second = mmu.frame_offset(core.fmap, pa)
        pa = np.int64(mmu.ACCESS_FAULT)
    if second < 0:
        p[s.VALUE] = _fault(p, pa, access, next_va)
        return np.int64(-1), np.int64(-1)
    return first, second


@kernel
def _extend(value, width, signed):
    """A loaded value as the register gets it (uint32 range)."""
    if signed:
        return decode.sign_extend(value, 8 * width) & s.MASK32
    return value


@kernel
def _mmio(p, width, write, value, rd):
    p[s.MMIO_WIDTH] = width
    p[s.MMIO_WRITE] = write
    p[s.MMIO_VALUE] = value
    p[s.MMIO_RD] = rd
    return np.int64(MMIO)


@kernel
def load(core, va, width, signed, rd):
    """Load `width` bytes at `va` for register `rd`; on OK the value is in p[VALUE]."""
    p = core.p
    ram = core.ram
    access = np.int64(mmu.LOAD)
    if (va & 0xFFF) + width > 4096:
        first, second = _second_page(core, va, width, access)
        if first < 0:
            return p[s.VALUE]
        head = 4096 - (va & 0xFFF)
        value = np.int64(0)
        for i in range(width):
            at = first + i if i < head else second + i - head
            value |= load8(ram, at) << (8 * i)
    else:
        offset = find_ram(core, va, width, access)
        if offset < 0:
            if p[s.VALUE] == MMIO:
                return _mmio(p, width, np.int64(0), signed, rd)
            return p[s.VALUE]
        _enter(core, va, offset, access)
        if width == 4:
            value = load32(ram, offset)
        elif width == 2:
            value = load16(ram, offset)
        else:
            value = load8(ram, offset)
    _note_watch(p, va, width, access)
    p[s.VALUE] = _extend(value, width, signed)
    return np.int64(OK)


@kernel
def store(core, va, width, value):
    """Store the low `width` bytes of `value` at `va`."""
    p = core.p
    ram = core.ram
    access = np.int64(mmu.STORE)
    if (va & 0xFFF) + width > 4096:
        first, second = _second_page(core, va, width, access)
        if first < 0:
            return p[s.VALUE]
        head = 4096 - (va & 0xFFF)
        for i in range(width):
            at = first + i if i < head else second + i - head
            store8(ram, at, value >> (8 * i))
        decode.invalidate(core.dec, core.slots, first, head)
        decode.invalidate(core.dec, core.slots, second, width - head)
    else:
        offset = find_ram(core, va, width, access)
        if offset < 0:
            if p[s.VALUE] == MMIO:
                shift = 8 * width
                return _mmio(
                    p, width, np.int64(1), value & ((np.int64(1) << shift) - 1), np.int64(ops.SINK)
                )
            return p[s.VALUE]
        _enter(core, va, offset, access)
        if width == 4:
            store32(ram, offset, value)
        elif width == 2:
            store16(ram, offset, value)
        else:
            store8(ram, offset, value)
        decode.invalidate(core.dec, core.slots, offset, width)
    _note_watch(p, va, width, access)
    return np.int64(OK)


@kernel
def _signed(value):
    return decode.sign_extend(value, np.int64(32))


@kernel
def _amo_result(op, old, operand):
    """What an AMO stores (Unprivileged 20191213 §8.4); operands in uint32 range."""
    if op == ops.AMOSWAP_W:
        return operand
    if op == ops.AMOADD_W:
        return (old + operand) & s.MASK32
    if op == ops.AMOXOR_W:
        return old ^ operand
    if op == ops.AMOAND_W:
        return old & operand
    if op == ops.AMOOR_W:
        return old | operand
    if op == ops.AMOMIN_W:
        return old if _signed(old) < _signed(operand) else operand
    if op == ops.AMOMAX_W:
        return old if _signed(old) > _signed(operand) else operand
    if op == ops.AMOMINU_W:
        return old if old < operand else operand
    return old if old > operand else operand


@kernel
def atomic(core, op, va, operand):
    """LR, SC or an AMO on the word at `va`; on OK the value for rd is in p[VALUE].

    LR faults as a load, SC and AMO as stores; the word must be aligned and in RAM.
    """
    p = core.p
    access = np.int64(mmu.LOAD) if op == ops.LR_W else np.int64(mmu.STORE)
    if va & 3:
        p[s.CAUSE] = 4 if op == ops.LR_W else 6
        p[s.TVAL] = va
        return np.int64(TRAP)
    offset = find_ram(core, va, np.int64(4), access)
    if offset < 0:
        if p[s.VALUE] == MMIO:
            return _fault(p, np.int64(mmu.ACCESS_FAULT), access, va)
        return np.int64(TRAP)
    old = load32(core.ram, offset)
    if op == ops.LR_W:
        p[s.RESERVATION] = offset
        _note_watch(p, va, np.int64(4), access)
        p[s.VALUE] = old
        return np.int64(OK)
    if op == ops.SC_W:
        granted = p[s.RESERVATION] == offset
        p[s.RESERVATION] = -1
        if not granted:
            p[s.VALUE] = 1
            return np.int64(OK)
        store32(core.ram, offset, operand)
        old = np.int64(0)
    else:
        store32(core.ram, offset, _amo_result(op, old, operand))
        access |= mmu.LOAD
    decode.invalidate(core.dec, core.slots, offset, np.int64(4))
    _note_watch(p, va, np.int64(4), access)
    p[s.VALUE] = old
    return np.int64(OK)


@kernel
def fetch(core, pc):
    """First decoded entry of the page of `pc` for the current mode; -1 with CAUSE and TVAL set."""
    p = core.p
    access = np.int64(mmu.FETCH)
    pa = mmu.translate(p, core.fmap, core.dec, core.slots, core.ram, pc, access, p[s.MODE])
    offset = np.int64(-1)
    if pa >= 0:
        offset = mmu.frame_offset(core.fmap, pa)
        pa = np.int64(mmu.ACCESS_FAULT)
    if offset < 0:
        _fault(p, pa, access, pc)
        return np.int64(-1)
    page = offset >> 12
    slot = np.int64(core.slots[page]) - 1
    if slot < 0:
        slot = decode.take_slot(p, core.dec, core.slots, page)
        if slot < 0:
            decode.forget_slots(p, core.dec, core.slots)
            tlb.flush_all(p, core.tlb)
            tlb.select(p, core.tlb)
            slot = decode.take_slot(p, core.dec, core.slots, page)
        tlb.drop_writes(core.tlb, page)
    base = slot * ops.SLOT_ENTRIES
    tlb.put_fetch(core.tlb, p[s.FETCH_BASE] + tlb.FETCH, pc, base)
    return base
