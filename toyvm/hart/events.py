"""Events: everything rare that the loop hands over, one kernel each way.

A TLB miss, a trap, a SYSTEM instruction, a decode, a fetch from a new page: the loop brings PC and
STEPS up to date, calls `rare_event` and `settle`, and goes on where `locate` says.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import access, csrfile, decode, ops, tlb, trap
from toyvm.hart import state as s
from toyvm.jit import call_region, entry_kernel, inline_kernel, kernel

# Why `execute` returned.
EXIT_BUDGET: Final = 0
EXIT_TRAP: Final = 1
"""Only with DELIVER = 0 or 2: a trap for the hypervisor (CAUSE, TVAL, WORD, PC)."""
EXIT_MMIO: Final = 2
EXIT_WFI: Final = 3
EXIT_SBI: Final = 4
EXIT_BREAK: Final = 5
EXIT_WATCH: Final = 6

# Events that end the inner loop.  The first five stand in the immediate of RARE words.
EVENT_DECODE: Final = decode.EVENT_DECODE
EVENT_STOP: Final = decode.EVENT_STOP
EVENT_SYSTEM: Final = decode.EVENT_SYSTEM
EVENT_ILLEGAL: Final = decode.EVENT_ILLEGAL
EVENT_ATOMIC: Final = decode.EVENT_ATOMIC
EVENT_ENTER: Final = 5
EVENT_BUDGET: Final = 6
EVENT_JUMP: Final = 7
EVENT_MEMORY: Final = 8
EVENT_MISALIGNED: Final = 9
EVENT_REGION: Final = ops.REGION_EVENT
"""The head of a translated region; stands in the immediate too."""

PAGE_WORDS: Final = 1024

# What `run_regions` has done at the head of a region.
REGION_RAN: Final = 0
REGION_WAITS: Final = 1
"""Nothing this time: the budget is too short, a page is not there, or its first access misses."""
REGION_STALE: Final = 2
"""Nothing, nor ever again: its code has been overwritten."""


@entry_kernel
def apply_effects(core, effects):
    """Answer the effect bits of a privileged kernel on the hart's own record."""
    p = core.p
    if effects & s.EFFECT_PMP:
        tlb.flush_all(p, core.tlb)
        tlb.select(p, core.tlb)
    if effects & s.EFFECT_FENCE:
        if p[s.FENCE_VA] < 0:
            tlb.flush_translations(p, core.tlb)
        else:
            tlb.flush_address(p, core.tlb, p[s.FENCE_VA])
        tlb.select(p, core.tlb)
    if effects & s.EFFECT_TRANSLATION:
        tlb.select(p, core.tlb)


@kernel
def _slow_load(core, op, va, rd):
    """A load that missed; status of `access.load`."""
    if op == ops.LW:
        return access.load(core, va, np.int64(4), np.int64(0), rd)
    if op == ops.LH:
        return access.load(core, va, np.int64(2), np.int64(1), rd)
    if op == ops.LHU:
        return access.load(core, va, np.int64(2), np.int64(0), rd)
    if op == ops.LB:
        return access.load(core, va, np.int64(1), np.int64(1), rd)
    return access.load(core, va, np.int64(1), np.int64(0), rd)


@kernel
def _slow_store(core, op, va, value):
    """A store that missed; status of `access.store`."""
    width = np.int64(4)
    if op == ops.SH:
        width = np.int64(2)
    elif op == ops.SB:
        width = np.int64(1)
    return access.store(core, va, width, value)


@kernel
def memory_instruction(core, d, va):
    """Do a load, store or atomic (decoded word `d`) at `va` by `access`; its status.

    On OK the instruction has retired: rd, PC and STEPS are updated.
    """
    p = core.p
    x = core.x
    op = d & 63
    rd = (d >> ops.RD_SHIFT) & 63
    operand = np.int64(x[np.uint64((d >> ops.RS2_SHIFT) & 31)])
    if ops.LB <= op <= ops.LHU:
        status = _slow_load(core, op, va, rd)
    elif ops.SB <= op <= ops.SW:
        status = _slow_store(core, op, va, operand)
    else:
        status = access.atomic(core, (d >> 40) & 255, va, operand)
    if status == access.OK:
        if not ops.SB <= op <= ops.SW:
            x[np.uint64(rd)] = np.uint32(p[s.VALUE])
        p[s.PC] = (p[s.PC] + 4) & s.MASK32
        p[s.STEPS] += 1
    return status


@inline_kernel
def rare_event(core, event, d, entry, va):
    """Handle an event that an instruction raised; an EXIT_ code, -1 to go on, -2 for a trap.

    PC and STEPS are those before the instruction (after it for EVENT_JUMP).
    """
    p = core.p
    if event == EVENT_DECODE:
        decode.decode_entry(p, core.dec, core.ram, entry, p[s.PC])
        return np.int64(-1)
    if event == EVENT_MEMORY or event == EVENT_ATOMIC:
        if event == EVENT_ATOMIC:
            va = np.int64(core.x[np.uint64((d >> ops.RS1_SHIFT) & 31)])
        status = memory_instruction(core, d, va)
        if status == access.OK:
            if p[s.WATCH_HIT] >= 0:
                return np.int64(EXIT_WATCH)
            return np.int64(-1)
        p[s.WORD] = decode.word_at(core.dec, core.ram, entry)
        if status == access.MMIO:
            return np.int64(EXIT_MMIO)
        return np.int64(-2)
    word = decode.word_at(core.dec, core.ram, entry)
    p[s.WORD] = word
    if event == EVENT_ILLEGAL:
        p[s.CAUSE] = trap.CAUSE_ILLEGAL
        p[s.TVAL] = word
        return np.int64(-2)
    if event == EVENT_MISALIGNED:
        p[s.CAUSE] = 0
        p[s.TVAL] = va & s.MASK32
        return np.int64(-2)
    effects = trap.system(p, core.x, word)
    if effects & s.EFFECT_TRAP:
        return np.int64(-2)
    if effects & s.EFFECT_SBI:
        return np.int64(EXIT_SBI)
    apply_effects(core, effects)
    if effects & s.EFFECT_WFI:
        return np.int64(EXIT_WFI)
    return np.int64(-1)


@kernel
def _region_fits(core, row, home):
    """May the region of `row` be entered with its home page at `home`?  REGION_ code.

    All its pages must be where it expects them, by the fetch entries of the TLB, and unchanged.
    """
    p = core.p
    dec = core.dec
    fetch = p[s.FETCH_BASE] + tlb.FETCH
    for i in range(dec[row + 1] & (2 * ops.REGION_PAGES - 1)):
        at = row + 4 + 3 * i
        base = dec[at + 1]
        va = (home + dec[at]) & s.MASK32
        if dec[base + 1024] != dec[at + 2]:
            return np.int64(REGION_STALE)
        if core.tlb[fetch + ((va >> 12) & (tlb.SETS - 1))] != base << 32 | va:
            return np.int64(REGION_WAITS)
    return np.int64(REGION_RAN)


@kernel
def run_regions(at, d, hard):
    """Run translated code from PC, whose decoded word `d` is a region's head; a REGION_ code.

    Regions follow one another as long as each begins where the last one ended.  STEPS stays
    below `hard`, or meets it; PC and STEPS are exact.
    """
    core = access.core_at(at)
    p = core.p
    dec = core.dec
    table = np.int64(dec.size - ops.REGION_TABLE)
    begun = p[s.STEPS]
    while True:
        number = (d >> ops.REGION_ROW_SHIFT) & (ops.REGION_ROWS - 1)
        row = table + number * ops.REGION_ROW
        page = (d >> ops.REGION_PAGE_SHIFT) & (ops.REGION_PAGES - 1)
        pc = p[s.PC]
        home = ((pc & 0xFFFF_F000) - dec[row + 4 + 3 * page]) & s.MASK32
        fits = _region_fits(core, row, home)
        if fits != REGION_RAN:
            return fits if p[s.STEPS] == begun else np.int64(REGION_RAN)
        left = hard - p[s.STEPS]
        if left > 0x4000_0000:
            left = np.int64(0x4000_0000)
        state = call_region(
            dec[row],
            core.x,
            core.ram,
            core.tlb,
            p[s.DATA_BASE] + tlb.READ,
            dec,
            table + ops.REGION_CACHES + number * ops.REGION_CACHE,
            left << 32 | pc,
            home,
        )
        done = left - (state >> 32)
        dec[row + ops.REGION_HITS] += 1
        dec[row + ops.REGION_STEPS] += done
        p[s.STEPS] += done
        pc = state & s.MASK32
        p[s.PC] = pc
        if done == 0:
            break
        e = core.tlb[p[s.FETCH_BASE] + tlb.FETCH + ((pc >> 12) & (tlb.SETS - 1))]
        if e & s.MASK32 != pc & 0xFFFF_F003:
            break
        d = dec[(e >> 32) + ((pc >> 2) & (PAGE_WORDS - 1))]
        if d & ops.REGION_WORD_MASK != ops.REGION_WORD:
            break
    return np.int64(REGION_RAN) if p[s.STEPS] != begun else np.int64(REGION_WAITS)


@inline_kernel
def settle(core, outcome, end):
    """Deliver a trap and due interrupts; an EXIT_ code or -1 to run at PC.

    `outcome` is what `rare_event` returned.
    """
    p = core.p
    if outcome >= 0:
        return outcome
    deliver = p[s.DELIVER]
    if outcome == -2:
        if deliver == 0 or (deliver == 2 and (p[s.MEDELEG] >> p[s.CAUSE]) & 1 == 0):
            return np.int64(EXIT_TRAP)
        apply_effects(core, trap.take_trap(p, p[s.CAUSE], p[s.TVAL]))
    while p[s.STEPS] < end:
        cause = np.int64(-1)
        if deliver != 0:
            # Again after each delivery: its step may be the one at which a timer comes due.
            cause = csrfile.pending_interrupt(p)
        if cause < 0:
            return np.int64(-1)
        if deliver == 2 and (p[s.MIDELEG] >> cause) & 1 == 0:
            # Not for the real S-mode: the hypervisor injects it.
            return np.int64(EXIT_BUDGET)
        apply_effects(core, trap.take_trap(p, cause | trap.INTERRUPT, np.int64(0)))
    return np.int64(EXIT_BUDGET)


@inline_kernel
def locate(core, end):
    """Decoded entry of the page of PC, delivering fetch faults on the way.

    Returns (first entry of the page, -1), or (-1, EXIT_ code).
    """
    p = core.p
    while True:
        pc = p[s.PC]
        e = core.tlb[p[s.FETCH_BASE] + tlb.FETCH + ((pc >> 12) & (tlb.SETS - 1))]
        if e & s.MASK32 == pc & 0xFFFF_F003:
            return e >> 32, np.int64(-1)
        base = access.fetch(core, pc)
        if base >= 0:
            return base, np.int64(-1)
        p[s.WORD] = 0
        code = settle(core, np.int64(-2), end)
        if code >= 0:
            return np.int64(-1), code


@kernel
def serve(at, event, d, entry, va, end):
    """Handle an event (EVENT_STOP: none) of the Core at an address, and find where to go on; as
    `locate`."""
    core = access.core_at(at)
    outcome = np.int64(-1)
    if event != EVENT_STOP:
        outcome = rare_event(core, event, d, entry, va)
    code = settle(core, outcome, end)
    if code >= 0:
        return np.int64(-1), code
    return locate(core, end)
