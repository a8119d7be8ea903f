"""Words to packed decoded words, and the pages that hold them.

A page of RAM that is executed gets a slot of 1025 int64 entries; each entry starts UNDECODED and
is filled when it is first reached.  A store into such a page clears the entries it touches
(`invalidate`), whether it comes from the hart, from a page-table walk or from a device.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import ops
from toyvm.hart import state as s
from toyvm.isa.op import Op
from toyvm.isa.table import INSNS
from toyvm.jit import entry_kernel, kernel, load32

UNDECODED: Final = 0
"""A word that has not been looked at, or was overwritten: RARE with event 0."""
# Events of RARE words; the others are in `events`.
EVENT_DECODE: Final = 0
EVENT_STOP: Final = 1
EVENT_SYSTEM: Final = 2
EVENT_ILLEGAL: Final = 3
EVENT_ATOMIC: Final = 4

_BY_OP = sorted(INSNS, key=lambda insn: int(insn.op))
_MASK = np.array([insn.mask for insn in _BY_OP], dtype=np.int64)
_MATCH = np.array([insn.match for insn in _BY_OP], dtype=np.int64)
_OP = np.array([int(insn.op) for insn in _BY_OP], dtype=np.int64)
assert len(_OP) == len(Op)


@kernel
def find_op(word):
    """Number of the instruction that `word` is, 0 if it is none (ISA table, MASK and MATCH)."""
    for i in range(_MASK.size):
        if word & _MASK[i] == _MATCH[i]:
            return _OP[i]
    return np.int64(0)


@kernel
def sign_extend(value, bits):
    """The low `bits` bits of `value` as a signed number."""
    top = np.int64(1) << (bits - 1)
    return ((value & ((top << 1) - 1)) ^ top) - top


@kernel
def imm_i(word):
    """The I-type immediate, signed."""
    return sign_extend(word >> 20, np.int64(12))


@kernel
def imm_s(word):
    """The S-type immediate, signed."""
    return sign_extend(((word >> 25) << 5) | ((word >> 7) & 31), np.int64(12))


@kernel
def _imm_b(word):
    return sign_extend(
        ((word >> 31) << 12)
        | (((word >> 7) & 1) << 11)
        | (((word >> 25) & 63) << 5)
        | (((word >> 8) & 15) << 1),
        np.int64(13),
    )


@kernel
def _imm_j(word):
    return sign_extend(
        ((word >> 31) << 20)
        | (((word >> 12) & 255) << 12)
        | (((word >> 20) & 1) << 11)
        | (((word >> 21) & 1023) << 1),
        np.int64(21),
    )


@kernel
def rare(event):
    """A decoded word that raises an event."""
    return event << 32


@kernel
def decode_word(word, index):
    """Pack the instruction `word` that stands at word `index` of its page."""
    op = find_op(word)
    if op == 0:
        return rare(np.int64(EVENT_ILLEGAL))
    if ops.OP_ECALL <= op <= ops.OP_CSRRCI or ops.OP_MRET <= op <= ops.OP_SFENCE_VMA:
        return rare(np.int64(EVENT_SYSTEM))
    code = np.int64(ops.CODE_OF[op])
    rd = (word >> 7) & 31
    if rd == 0:
        rd = np.int64(ops.SINK)
    imm = np.int64(0)
    if code == ops.RARE:
        imm = EVENT_ATOMIC | op << 8
    elif code == ops.LUI or code == ops.AUIPC:
        imm = sign_extend(word & 0xFFFF_F000, np.int64(32))
    elif code == ops.JAL or ops.BEQ <= code <= ops.BGEU:
        imm = _imm_j(word) if code == ops.JAL else _imm_b(word)
        target = index + (imm >> 2)
        if imm & 3 == 0 and 0 <= target < 1024:
            # Counted from the entry after the branch, where the loop's index already is.
            imm = (imm >> 2) - 1
            code = np.int64(ops.JAL_NEAR) if code == ops.JAL else code - ops.BEQ + ops.BEQ_NEAR
    elif ops.SB <= code <= ops.SW:
        imm = imm_s(word)
    elif ops.SLLI <= code <= ops.SRAI:
        imm = (word >> 20) & 31
    elif code == ops.JALR or ops.LB <= code <= ops.LHU or ops.ADDI <= code <= ops.ANDI:
        imm = imm_i(word)
    return (
        (imm << 32)
        | (rd << ops.RD_SHIFT)
        | (((word >> 20) & 31) << ops.RS2_SHIFT)
        | (((word >> 15) & 31) << ops.RS1_SHIFT)
        | code
    )


@kernel
def fuse(first, second):
    """The code of `first` if the loop can do it and `second` in one go, else its own."""
    code = first & 63
    then = second & 63
    if code == ops.ADDI:
        if then == ops.BNE_NEAR:
            return np.int64(ops.ADDI_BNE)
        if then == ops.BGE_NEAR:
            return np.int64(ops.ADDI_BGE)
        if then == ops.ADDI:
            return np.int64(ops.ADDI_ADDI)
    elif code == ops.ADD:
        if then == ops.BLT_NEAR:
            return np.int64(ops.ADD_BLT)
        if then == ops.BLTU_NEAR:
            return np.int64(ops.ADD_BLTU)
        if then == ops.LW:
            return np.int64(ops.ADD_LW)
    elif code == ops.ANDI and then == ops.BEQ_NEAR:
        return np.int64(ops.ANDI_BEQ)
    elif code == ops.SLLI and then == ops.ADD:
        return np.int64(ops.SLLI_ADD)
    elif code == ops.LUI and then == ops.ADDI:
        return np.int64(ops.LUI_ADDI)
    return code


@kernel
def decode_entry(p, dec, ram, entry, pc):
    """Fill the UNDECODED `entry` of `dec` from RAM; `pc` is its virtual address."""
    slot = entry // ops.SLOT_ENTRIES
    index = entry - slot * ops.SLOT_ENTRIES
    page = dec[slot * ops.SLOT_ENTRIES + 1024] >> 32
    word = load32(ram, (page << 12) + (index << 2))
    packed = decode_word(word, index)
    if packed & 63 != ops.RARE and index < 1023:
        # The pair is looked at again when it runs: the next entry may be a stop by then.
        second = decode_word(load32(ram, (page << 12) + (index << 2) + 4), index + 1)
        packed = (packed & ~np.int64(63)) | fuse(packed, second)
    for i in range(p[s.BREAKPOINTS] & 63):
        # The page may be entered through another address: the debugger steps over a stop
        # that is not its own.
        if (p[s.BREAK + i] ^ pc) & 0xFFF == 0:
            packed = rare(np.int64(EVENT_STOP))
    dec[entry] = packed | (dec[entry] & ops.COVERED)


@kernel
def word_at(dec, ram, entry):
    """The instruction bits behind a decoded entry."""
    slot = entry // ops.SLOT_ENTRIES
    page = dec[slot * ops.SLOT_ENTRIES + 1024] >> 32
    return load32(ram, (page << 12) + ((entry - slot * ops.SLOT_ENTRIES) << 2))


@entry_kernel
def invalidate(dec, slots, offset, length):
    """Forget the decoded words that the bytes [offset, offset + length) of RAM may have changed.

    The one function for stores, page-table updates and DMA.  The range must lie in RAM.
    """
    if length <= 0:
        return
    first = offset >> 2
    last = (offset + length - 1) >> 2
    for word in range(first, last + 1):
        slot = np.int64(slots[word >> 10]) - 1
        if slot >= 0:
            entry = slot * ops.SLOT_ENTRIES + (word & 1023)
            if dec[entry] & ops.COVERED:
                # No region that was made from this page is entered any more.
                end = slot * ops.SLOT_ENTRIES + 1024
                if dec[end] & ops.VERSION_MASK != ops.VERSION_MASK:
                    dec[end] += ops.VERSION
            dec[entry] = UNDECODED


@kernel
def take_slot(p, dec, slots, page):
    """Give `page` of RAM a slot of decoded words; -1 if all are taken (flush, then ask again)."""
    slot = p[s.NEXT_SLOT]
    if (slot + 1) * ops.SLOT_ENTRIES > dec.size - ops.REGION_TABLE:
        return np.int64(-1)
    p[s.NEXT_SLOT] = slot + 1
    base = slot * ops.SLOT_ENTRIES
    for i in range(1024):
        dec[base + i] = UNDECODED
    dec[base + 1024] = (page << 32) | ops.PAGE_END
    slots[page] = slot + 1
    return slot


@entry_kernel
def forget_slots(p, dec, slots):
    """Take all slots back.  The caller flushes every fetch entry of the TLB."""
    for slot in range(p[s.NEXT_SLOT]):
        page = dec[slot * ops.SLOT_ENTRIES + 1024] >> 32
        slots[page] = 0
    p[s.NEXT_SLOT] = 0
    p[s.FORGETS] += 1
