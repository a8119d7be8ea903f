"""The loop: one compiled function that runs a hart.

`execute(core, end)` runs until STEPS reaches `end`, exactly, or something needs the caller.  It
is an outer loop of *events* (everything rare: traps, SYSTEM instructions, TLB misses, budget)
around an inner loop of straight-line execution.

In the inner loop `ip` is an index into the decoded words and `lim` the value of `ip` at which
the budget must be looked at; a jump moves both by the same distance, so the number of executed
instructions is always `limit - (lim - ip)` and nothing is counted per instruction.  The budget is
tested at taken branches and page ends only.  Within the last page's worth of steps a STOP word is
patched into the entry at which the budget ends: that makes the stop exact.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import access, csrfile, decode, mmu, ops, tlb, trap
from toyvm.hart import state as s
from toyvm.jit import kernel, load8, load16, load32, store8, store16, store32

# Why `execute` returned.
EXIT_BUDGET: Final = 0
EXIT_TRAP: Final = 1
"""Only with DELIVER = 0: a trap for the hypervisor (CAUSE, TVAL, WORD, PC)."""
EXIT_MMIO: Final = 2
EXIT_WFI: Final = 3
EXIT_SBI: Final = 4
EXIT_BREAK: Final = 5
EXIT_WATCH: Final = 6

# Events that end the inner loop.
_ENTER: Final = 0
_BUDGET: Final = 1
_JUMP: Final = 2
_DECODE: Final = 3
_STOP: Final = 4
_LOAD: Final = 5
_STORE: Final = 6
_ATOMIC: Final = 7
_SYSTEM: Final = 8
_ILLEGAL: Final = 9
_MISALIGNED: Final = 10

_PAGE_WORDS: Final = 1024


@kernel
def _divide(a, b):
    """Signed division that truncates (M extension, §7.2); a and b in int32 range, b != 0."""
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


@kernel
def _remainder(a, b):
    """The remainder that belongs to `_divide`: the sign of the dividend."""
    r = abs(a) % abs(b)
    return -r if a < 0 else r


@kernel
def _mulhu(a, b):
    """High word of an unsigned product; a and b in uint32 range."""
    return np.int64((np.uint64(a) * np.uint64(b)) >> np.uint64(32))


@kernel
def apply_effects(core, effects):
    """Answer the effect bits of a privileged kernel on the hart's own record."""
    p = core.p
    if effects & s.EFFECT_PMP:
        tlb.flush_all(p, core.tlb)
        tlb.select(p, core.tlb)
    if effects & s.EFFECT_FLUSH:
        tlb.flush_asid(p, core.tlb)
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
def _memory_event(core, event, d, va):
    """Finish a load, store or atomic that the loop could not; status of `access`.

    On OK the instruction has retired.
    """
    p = core.p
    x = core.x
    op = d & 255
    rd = (d >> ops.RD_SHIFT) & 63
    operand = np.int64(x[np.uint64((d >> ops.RS2_SHIFT) & 31)])
    if event == _LOAD:
        status = _slow_load(core, op, va, rd)
    elif event == _STORE:
        status = _slow_store(core, op, va, operand)
    else:
        status = access.atomic(core, op, va, operand)
    if status == access.OK:
        if event != _STORE:
            x[np.uint64(rd)] = np.uint32(p[s.VALUE])
        p[s.PC] = (p[s.PC] + 4) & s.MASK32
        p[s.STEPS] += 1
    return status


@kernel
def _rare_event(core, event, d, entry, va):
    """Handle an event that an instruction raised; an EXIT_ code, -1 to go on, -2 for a trap.

    PC and STEPS are those before the instruction (after it for _JUMP).
    """
    p = core.p
    if event == _DECODE:
        decode.decode_entry(p, core.dec, core.ram, entry, p[s.PC])
        return np.int64(-1)
    if event == _LOAD or event == _STORE or event == _ATOMIC:
        status = _memory_event(core, event, d, va)
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
    if event == _ILLEGAL:
        p[s.CAUSE] = trap.CAUSE_ILLEGAL
        p[s.TVAL] = word
        return np.int64(-2)
    if event == _MISALIGNED:
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
def _settle(core, outcome, end):
    """Deliver a trap and due interrupts; an EXIT_ code or -1 to run at PC.

    `outcome` is what `_rare_event` returned.
    """
    p = core.p
    if outcome >= 0:
        return outcome
    deliver = p[s.DELIVER] != 0
    if outcome == -2:
        if not deliver:
            return np.int64(EXIT_TRAP)
        apply_effects(core, trap.take_trap(p, p[s.CAUSE], p[s.TVAL]))
    if p[s.STEPS] >= end:
        return np.int64(EXIT_BUDGET)
    if deliver:
        cause = csrfile.pending_interrupt(p)
        if cause >= 0:
            apply_effects(
                core, trap.take_trap(p, cause | trap.INTERRUPT, np.int64(0))
            )
            if p[s.STEPS] >= end:
                return np.int64(EXIT_BUDGET)
    return np.int64(-1)


@kernel
def _locate(core, end):
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
        code = _settle(core, np.int64(-2), end)
        if code >= 0:
            return np.int64(-1), code


@kernel
def execute(core, end):
    """Run until p[STEPS] == end or an exit; returns an EXIT_ code.

    p[PC] and p[STEPS] are exact at every return.  Traps are delivered (DELIVER = 1) or returned.
    """
    x = core.x
    p = core.p
    dec = core.dec
    ram = core.ram
    tl = core.tlb
    tlb.select(p, tl)
    p[s.WATCH_HIT] = -1
    event = np.int64(_ENTER)
    d = np.int64(0)
    va = np.int64(0)
    ip = np.int64(0)
    lim = np.int64(0)
    limit = np.int64(0)
    hard = np.int64(0)
    vbase = np.int64(0)
    stop_at = np.int64(-1)
    stop_word = np.int64(0)
    while True:
        # ---- an event: bring the record up to date, handle it, find the way back in
        if stop_at >= 0:
            dec[stop_at] = stop_word
            stop_at = np.int64(-1)
        outcome = np.int64(-1)
        if event == _JUMP:
            p[s.PC] = va & s.MASK32
            p[s.STEPS] = limit - (lim - ip)
        elif event == _BUDGET:
            p[s.PC] = (vbase + (ip << 2)) & s.MASK32
            p[s.STEPS] = limit - (lim - ip)
        elif event != _ENTER:
            ip -= 1
            p[s.PC] = (vbase + (ip << 2)) & s.MASK32
            p[s.STEPS] = limit - (lim - ip)
            if event != _STOP:
                outcome = _rare_event(core, event, d, ip, va)
            elif p[s.STEPS] < hard and dec[ip] & 255 == ops.STOP:
                # Not the end of the budget, nor the deadline of a timer: a breakpoint.
                return np.int64(EXIT_BREAK)
        code = _settle(core, outcome, end)
        if code < 0:
            base, code = _locate(core, end)
        if code >= 0:
            return code
        # ---- choose how far the inner loop may run
        steps = p[s.STEPS]
        hard = end
        if p[s.DELIVER] != 0:
            hard = min(end, csrfile.deadline_step(p))
        pc = p[s.PC]
        word = (pc >> 2) & (_PAGE_WORDS - 1)
        ip = base + word
        vbase = pc - (ip << 2)
        left = hard - steps
        if left > _PAGE_WORDS:
            limit = hard - _PAGE_WORDS
        else:
            limit = steps
            if word + left < _PAGE_WORDS:
                stop_at = ip + left
                stop_word = dec[stop_at]
                dec[stop_at] = ops.STOP
        lim = ip + (limit - steps)
        fetch = p[s.FETCH_BASE] + tlb.FETCH
        read = p[s.DATA_BASE] + tlb.READ
        write = p[s.DATA_BASE] + tlb.WRITE
        # ---- straight-line execution
        while True:
            d = dec[np.uint64(ip)]
            ip += 1
            op = d & 255
            if op == ops.ADDI:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a + (d >> 32)) & s.MASK32)
                continue
            elif op == ops.ADD:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a + b) & s.MASK32)
                continue
            elif op == ops.SUB:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a - b) & s.MASK32)
                continue
            elif op == ops.LW:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F003):
                    x[np.uint64((d >> 8) & 63)] = np.uint32(load32(ram, (e >> 32) + (va & 0xFFF)))
                    continue
                event = np.int64(_LOAD)
                break
            elif op == ops.LBU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F000):
                    x[np.uint64((d >> 8) & 63)] = np.uint32(load8(ram, (e >> 32) + (va & 0xFFF)))
                    continue
                event = np.int64(_LOAD)
                break
            elif op == ops.LB:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F000):
                    b = load8(ram, (e >> 32) + (va & 0xFFF))
                    x[np.uint64((d >> 8) & 63)] = np.uint32(((b ^ 0x80) - 0x80) & s.MASK32)
                    continue
                event = np.int64(_LOAD)
                break
            elif op == ops.LHU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F001):
                    x[np.uint64((d >> 8) & 63)] = np.uint32(load16(ram, (e >> 32) + (va & 0xFFF)))
                    continue
                event = np.int64(_LOAD)
                break
            elif op == ops.LH:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F001):
                    b = load16(ram, (e >> 32) + (va & 0xFFF))
                    x[np.uint64((d >> 8) & 63)] = np.uint32(((b ^ 0x8000) - 0x8000) & s.MASK32)
                    continue
                event = np.int64(_LOAD)
                break
            elif op == ops.SW:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(write + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F003):
                    store32(ram, (e >> 32) + (va & 0xFFF), np.int64(x[np.uint64((d >> 20) & 31)]))
                    continue
                event = np.int64(_STORE)
                break
            elif op == ops.SB:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(write + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F000):
                    store8(ram, (e >> 32) + (va & 0xFFF), np.int64(x[np.uint64((d >> 20) & 31)]))
                    continue
                event = np.int64(_STORE)
                break
            elif op == ops.SH:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(write + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F001):
                    store16(ram, (e >> 32) + (va & 0xFFF), np.int64(x[np.uint64((d >> 20) & 31)]))
                    continue
                event = np.int64(_STORE)
                break
            elif op == ops.BEQ_NEAR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a != b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.BNE_NEAR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a == b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.BLT_NEAR:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                if a >= b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.BGE_NEAR:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                if a < b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.BLTU_NEAR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a >= b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.BGEU_NEAR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a < b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.JAL_NEAR:
                x[np.uint64((d >> 8) & 63)] = np.uint32((vbase + (ip << 2)) & s.MASK32)
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            elif op == ops.JALR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                va = (a + (d >> 32)) & 0xFFFF_FFFE
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
                x[np.uint64((d >> 8) & 63)] = np.uint32((vbase + (ip << 2)) & s.MASK32)
            elif op == ops.JAL:
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
                x[np.uint64((d >> 8) & 63)] = np.uint32((vbase + (ip << 2)) & s.MASK32)
            elif op == ops.PAGE_END:
                ip -= 1
                va = (vbase + (ip << 2)) & s.MASK32
            elif op == ops.BEQ:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a != b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
            elif op == ops.BNE:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a == b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
            elif op == ops.BLT:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                if a >= b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
            elif op == ops.BGE:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                if a < b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
            elif op == ops.BLTU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a >= b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
            elif op == ops.BGEU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                if a < b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(_MISALIGNED)
                    break
            elif op == ops.LUI:
                x[np.uint64((d >> 8) & 63)] = np.uint32(((d >> 32)) & s.MASK32)
                continue
            elif op == ops.AUIPC:
                x[np.uint64((d >> 8) & 63)] = np.uint32((vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32)
                continue
            elif op == ops.ANDI:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a & (d >> 32)) & s.MASK32)
                continue
            elif op == ops.ORI:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a | (d >> 32)) & s.MASK32)
                continue
            elif op == ops.XORI:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a ^ (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SLLI:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a << (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SRLI:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a >> (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SRAI:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32((a >> (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SLTI:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32(1 if a < (d >> 32) else 0)
                continue
            elif op == ops.SLTIU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32(1 if a < ((d >> 32) & s.MASK32) else 0)
                continue
            elif op == ops.AND:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a & b) & s.MASK32)
                continue
            elif op == ops.OR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a | b) & s.MASK32)
                continue
            elif op == ops.XOR:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a ^ b) & s.MASK32)
                continue
            elif op == ops.SLL:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a << (b & 31)) & s.MASK32)
                continue
            elif op == ops.SRL:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a >> (b & 31)) & s.MASK32)
                continue
            elif op == ops.SRA:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a >> (b & 31)) & s.MASK32)
                continue
            elif op == ops.SLT:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32(1 if a < b else 0)
                continue
            elif op == ops.SLTU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32(1 if a < b else 0)
                continue
            elif op == ops.MUL:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32((a * b) & s.MASK32)
                continue
            elif op == ops.MULH:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32(((a * b) >> 32) & s.MASK32)
                continue
            elif op == ops.MULHSU:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32(((a * b) >> 32) & s.MASK32)
                continue
            elif op == ops.MULHU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((_mulhu(a, b)) & s.MASK32)
                continue
            elif op == ops.DIV:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32((np.int64(-1) if b == 0 else _divide(a, b)) & s.MASK32)
                continue
            elif op == ops.DIVU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((np.int64(-1) if b == 0 else a // b) & s.MASK32)
                continue
            elif op == ops.REM:
                a = np.int64(np.int32(x[np.uint64((d >> 15) & 31)]))
                b = np.int64(np.int32(x[np.uint64((d >> 20) & 31)]))
                x[np.uint64((d >> 8) & 63)] = np.uint32((a if b == 0 else _remainder(a, b)) & s.MASK32)
                continue
            elif op == ops.REMU:
                a = np.int64(x[np.uint64((d >> 15) & 31)])
                b = np.int64(x[np.uint64((d >> 20) & 31)])
                x[np.uint64((d >> 8) & 63)] = np.uint32((a if b == 0 else a % b) & s.MASK32)
                continue
            elif op == ops.NOP:
                continue
            elif op == ops.UNDECODED:
                event = np.int64(_DECODE)
                break
            elif op == ops.STOP:
                event = np.int64(_STOP)
                break
            elif op == ops.SYSTEM:
                event = np.int64(_SYSTEM)
                break
            elif op == ops.ILLEGAL:
                event = np.int64(_ILLEGAL)
                break
            else:
                # LR, SC and AMO.
                va = np.int64(x[np.uint64((d >> 15) & 31)])
                event = np.int64(_ATOMIC)
                break
            # ---- a jump to va: stay in the loop if its page is known
            e = tl[np.uint64(fetch + ((va >> 12) & 255))]
            if (e & s.MASK32) == (va & 0xFFFF_F003):
                e >>= 32
                a = e + ((va >> 2) & 1023)
                vbase = (va & 0xFFFF_F000) - (e << 2)
                lim += a - ip
                ip = a
                if ip < lim:
                    continue
                event = np.int64(_BUDGET)
                break
            event = np.int64(_JUMP)
            break
