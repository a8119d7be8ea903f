"""The compiled half of `prove`: execute instruction words from paired states and classify them.

A *state* is a Core (registers, record, TLB, decoded words, RAM) with the record and registers it is
put back to before each word.  Every word runs on the hart's own kernels: it is written into the
code page, its decoded entry is dropped, and `execute` makes one step.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import decode, events, execute
from toyvm.hart import state as s
from toyvm.jit import address_of, entry_kernel, kernel, load32, store32
from toyvm.proofs import bugs

# What becomes of a word: the byte that a scan leaves for it.
UNDECODED: Final = 0
"""No instruction: by the decoder alone, which sees nothing but the word."""
INNOCUOUS: Final = 1
OUTSIDE: Final = 2
"""A load or store beside the memory of the state: the same fault in every state."""
TRAPS: Final = 3
"""Traps in every mode and so never does anything by itself: ecall, ebreak, misaligned jumps."""
PRIVILEGED: Final = 4
"""Traps in U-mode and not in M- or S-mode."""
BY_MODE: Final = 5
BY_STATUS: Final = 6
BY_RELOCATION: Final = 7
BY_OWNER: Final = 8
CONTROL: Final = 9
"""Changed mode, CSRs, translation or the hart's activity in U-mode without a trap."""
NOT_EQUIVALENT: Final = 10
"""The hypervisor's emulation gives another result than the bare machine."""
SENSITIVE: Final = 32
"""Added to PRIVILEGED: it was seen to act on the machine, or to depend on it."""
MEMORY: Final = 64
"""Added by a batch whose memories differ at its end: to be done again, one by one."""

# Fields of the layout array: where things are.
CODE_VA: Final = 0
DATA_VA: Final = 1
DATA_PAGES: Final = 2
LAYOUT: Final = 3

# Fields of a place array, one for each state: byte offsets in its RAM.
CODE_AT: Final = 0
DATA_AT: Final = 1
"""DATA_PAGES offsets, one for each page; the last field is the outcome of the last step."""

NO_FENCE: Final = -2
# Outcomes of one step.
RETIRED: Final = 0
LEFT: Final = 1
"""Retired, but the hart went to sleep or to the firmware."""
BESIDE: Final = 2
TRAPPED: Final = 3


@kernel
def pattern(word):
    """Bits 14:12 and 6:0 of a word: what every row of the instruction table fixes some of."""
    return np.uint64(((word >> 5) & 0x380) | (word & 0x7F))


@kernel
def _reset(core, base, regs, place, word):
    """Put a state back, with `word` as its next instruction."""
    p = core.p
    for i in range(s.PC, s.CAUSE):
        p[i] = base[i]
    for i in range(s.PMPCFG, s.PMPADDR + 16):
        p[i] = base[i]
    p[s.MENVCFGH] = base[s.MENVCFGH]
    p[s.FENCE_VA] = NO_FENCE
    for i in range(32):
        core.x[np.uint64(i)] = np.uint32(regs[i])
    store32(core.ram, place[CODE_AT], word)
    decode.invalidate(core.dec, core.slots, place[CODE_AT], np.int64(4))


@kernel
def _step(core, base, regs, place, word, bug):
    """One word from one state: the outcome, with cause (39:32) and value (31:0) of a trap."""
    _reset(core, base, regs, place, word)
    out = _outcome(core.p, bugs.hart_step(core, base[s.STEPS] + 1, word, bug))
    place[place.size - 1] = out
    return out


@kernel
def _outcome(p, code):
    """What a step's EXIT_ code means, see `_step`."""
    if code == events.EXIT_BUDGET:
        return np.int64(RETIRED) << 40
    if code == events.EXIT_MMIO:
        return np.int64(BESIDE) << 40 | p[s.TVAL]
    if code != events.EXIT_TRAP:
        return np.int64(LEFT) << 40
    cause = p[s.CAUSE]
    if cause == 5 or cause == 7 or cause == 13 or cause == 15:
        return np.int64(BESIDE) << 40 | p[s.TVAL]
    return np.int64(TRAPPED) << 40 | cause << 32 | p[s.TVAL]


@kernel
def _same(a, b):
    """Do two states agree in registers, pc and in whether a reservation is held?"""
    if a.p[s.PC] != b.p[s.PC]:
        return False
    if (a.p[s.RESERVATION] < 0) != (b.p[s.RESERVATION] < 0):
        return False
    differs = np.int64(0)
    for i in range(32):
        differs |= np.int64(a.x[np.uint64(i)]) ^ np.int64(b.x[np.uint64(i)])
    return differs == 0


@kernel
def _acted(core, base):
    """Has the step changed anything but registers, pc, memory and the reservation?"""
    p = core.p
    for i in range(s.MODE, s.RESERVATION):
        if i != s.STEPS and p[i] != base[i]:
            return True
    for i in range(s.PMPCFG, s.PMPADDR + 16):
        if p[i] != base[i]:
            return True
    return p[s.MENVCFGH] != base[s.MENVCFGH] or p[s.FENCE_VA] != NO_FENCE


@kernel
def _memory_differs(a, at, b, bt, layout):
    """Is any word of the data pages of two states different?  Then copy a's to b."""
    differs = False
    for page in range(layout[DATA_PAGES]):
        one = at[DATA_AT + page]
        other = bt[DATA_AT + page]
        for i in range(0, 4096, 4):
            word = load32(a.ram, one + i)
            if word != load32(b.ram, other + i):
                differs = True
                store32(b.ram, other + i, word)
    return differs


@kernel
def _agree(out, a, other, b):
    """The same outcome, and the same state if the word retired?"""
    if out != other:
        return False
    return out >> 40 == TRAPPED or _same(a, b)


@entry_kernel
def hart_scan(
    words, kinds, batch, bug, layout, regs,
    user, user0, user_at, status, status0, status_at, moved, moved0, moved_at,
    owner, owner0, owner_at, sup, sup0, sup_at, mach, mach0, mach_at, mach2, mach20, mach2_at,
    possible, undecoded,
):  # fmt: skip
    """Classify `words` (int64) into `kinds` (uint8) by what a hart does with them.

    The states are U-mode; U-mode with other status bits, elsewhere in memory, and of another
    owner; S-mode; M-mode; M-mode of another owner.  `batch`: words between two comparisons of
    memory.  `possible` (uint8[1024], see `pattern`) tells which words the decoder need not be
    asked about; `undecoded` 1 executes the words that are no instructions as well.
    """
    start = np.int64(0)
    for i in range(words.size):
        word = words[i]
        kind = np.int64(UNDECODED)
        known = possible[pattern(word)] != 0 and decode.find_op(word) != 0
        if known or undecoded != 0:
            out = _step(user, user0, regs, user_at, word, bug)
            if not _agree(out, user, _step(status, status0, regs, status_at, word, bug), status):
                kind = np.int64(BY_STATUS)
            elif not _agree(out, user, _step(moved, moved0, regs, moved_at, word, bug), moved):
                kind = np.int64(BY_RELOCATION)
            elif not _agree(out, user, _step(owner, owner0, regs, owner_at, word, bug), owner):
                kind = np.int64(BY_OWNER)
            in_s = _step(sup, sup0, regs, sup_at, word, bug)
            in_m = _step(mach, mach0, regs, mach_at, word, bug)
            if kind == UNDECODED:
                if out >> 40 == TRAPPED:
                    kind = np.int64(TRAPS)
                    if in_m >> 40 != TRAPPED or in_s >> 40 != TRAPPED:
                        kind = np.int64(PRIVILEGED)
                        again = _step(mach2, mach20, regs, mach2_at, word, bug)
                        if (
                            in_m != 0
                            or _acted(mach, mach0)
                            or _acted(sup, sup0)
                            or not _agree(in_m, mach, again, mach2)
                        ):
                            kind |= SENSITIVE
                elif out >> 40 == BESIDE:
                    kind = np.int64(OUTSIDE)
                    if in_m != out or in_s != out:
                        kind = np.int64(BY_MODE)
                elif out != 0 or _acted(user, user0):
                    kind = np.int64(CONTROL)
                elif not (_agree(out, user, in_m, mach) and _agree(out, user, in_s, sup)):
                    kind = np.int64(BY_MODE)
                elif _acted(mach, mach0) or _acted(sup, sup0):
                    kind = np.int64(BY_MODE)
                else:
                    kind = np.int64(INNOCUOUS)
        kinds[i] = kind
        if i + 1 - start >= batch or i + 1 == words.size:
            differs = _memory_differs(user, user_at, status, status_at, layout)
            differs |= _memory_differs(user, user_at, moved, moved_at, layout)
            differs |= _memory_differs(user, user_at, owner, owner_at, layout)
            differs |= _memory_differs(user, user_at, sup, sup_at, layout)
            differs |= _memory_differs(user, user_at, mach, mach_at, layout)
            if differs:
                for k in range(start, i + 1):
                    kinds[k] |= MEMORY
            start = np.int64(i + 1)


@entry_kernel
def guest_scan(words, kinds, bug, regs, base, bare, bare_at, h, g, c, guest_at):
    """Mark the `words` that the hypervisor emulates differently from the bare machine.

    Both start from the record `base`: the bare hart in that mode, the vCPU in that virtual mode
    (and in real U-mode).  One step each; then registers and every visible field must be equal.
    """
    end = base[s.STEPS] + 1
    for i in range(words.size):
        word = words[i]
        _reset(bare, base, regs, bare_at, word)
        _reset(g, base, regs, guest_at, word)
        h.p[s.RESERVATION] = -1
        code = execute.execute(address_of(bare.table), end)
        other = bugs.guest_step(h, g, c, end, word, bug)
        same = code == other and _same(bare, g) and bare.p[s.MENVCFGH] == g.p[s.MENVCFGH]
        for k in range(s.MODE, s.SBI):
            same &= bare.p[k] == g.p[k]
        for k in range(s.PMPCFG, s.PMPADDR + 16):
            same &= bare.p[k] == g.p[k]
        if not same:
            kinds[i] = NOT_EQUIVALENT
