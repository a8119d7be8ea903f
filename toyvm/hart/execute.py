"""The loop: one compiled function that runs a hart.

`execute(at, end)` runs until STEPS reaches `end`, exactly, or something needs the caller.  It
is an outer loop of *events* (everything rare: traps, SYSTEM instructions, TLB misses, budget)
around an inner loop of straight-line execution.

In the inner loop `ip` is an index into the decoded words and `lim` the value of `ip` at which
the budget must be looked at; a jump moves both by the same distance, so the number of executed
instructions is always `limit - (lim - ip)` and nothing is counted per instruction.  The budget is
tested at taken branches and page ends only.  Within the last page's worth of steps a STOP word is
patched into the entry at which the budget ends: that makes the stop exact.
"""

from __future__ import annotations

import numpy as np

from toyvm.hart import access, arithmetic, csrfile, decode, events, ops, tlb, trap
from toyvm.hart import state as s
from toyvm.jit import entry_kernel, kernel, load8, load16, load32, never, store8, store16, store32


@entry_kernel
def execute(at, end):
    """Run the Core at an address until p[STEPS] == end or an exit; returns an EXIT_ code.

    p[PC] and p[STEPS] are exact at every return.  Traps are delivered (DELIVER = 1) or returned.
    """
    core = access.core_at(at)
    tlb.select(core.p, core.tlb)
    return resume(at, end)


@kernel
def resume(at, end):
    """`execute` for who knows that the TLB's contexts are already those of the hart's mode."""
    core = access.core_at(at)
    x = core.x
    p = core.p
    dec = core.dec
    ram = core.ram
    tl = core.tlb
    p[s.WATCH_HIT] = -1
    event = np.int64(events.EVENT_ENTER)
    d = np.int64(0)
    va = np.int64(0)
    ip = np.int64(0)
    lim = np.int64(0)
    limit = np.int64(0)
    hard = np.int64(0)
    vbase = np.int64(0)
    stop_at = np.int64(-1)
    stop_word = np.int64(0)
    stop_entry = np.int64(events.EVENT_STOP) << 32
    head_at = np.int64(-1)
    head_word = np.int64(0)
    while True:
        # ---- an event: bring the record up to date, handle it, find the way back in
        if stop_at >= 0:
            dec[stop_at] = stop_word
            stop_at = np.int64(-1)
        if head_at >= 0:
            dec[head_at] = head_word
            head_at = np.int64(-1)
        if event == events.EVENT_JUMP:
            p[s.PC] = va & s.MASK32
            p[s.STEPS] = limit - (lim - ip)
            event = np.int64(events.EVENT_STOP)
        elif event == events.EVENT_BUDGET:
            p[s.PC] = (vbase + (ip << 2)) & s.MASK32
            p[s.STEPS] = limit - (lim - ip)
            event = np.int64(events.EVENT_STOP)
        elif event == events.EVENT_ENTER:
            event = np.int64(events.EVENT_STOP)
        else:
            ip -= 1
            p[s.PC] = (vbase + (ip << 2)) & s.MASK32
            p[s.STEPS] = limit - (lim - ip)
            if event == events.EVENT_REGION:
                ran = events.run_regions(at, d, hard)
                if ran != events.REGION_RAN:
                    # Its first instruction is done here: this time only, or from now on.
                    decode.decode_entry(p, dec, ram, ip, p[s.PC])
                    if ran == events.REGION_WAITS:
                        head_at = ip
                        head_word = d
                event = np.int64(events.EVENT_STOP)
            elif event == events.EVENT_SYSTEM and p[s.DELIVER] == 0 and p[s.MODE] == s.MODE_U:
                # Nothing of SYSTEM is allowed to a guest, so its hypervisor looks at the word.
                p[s.WORD] = decode.word_at(dec, ram, ip)
                p[s.CAUSE] = trap.CAUSE_ILLEGAL
                return np.int64(events.EXIT_TRAP)
            elif event == events.EVENT_STOP and p[s.STEPS] < hard and dec[ip] == stop_entry:
                # Not the end of the budget, nor the deadline of a timer: a breakpoint.
                return np.int64(events.EXIT_BREAK)
        pc = p[s.PC]
        e = tl[np.uint64(p[s.FETCH_BASE] + tlb.FETCH + ((pc >> 12) & (tlb.SETS - 1)))]
        if (
            event == events.EVENT_STOP
            and e & s.MASK32 == pc & 0xFFFF_F003
            and p[s.DELIVER] == 0
            and p[s.STEPS] < end
        ):
            # Into a guest's known page: there is nothing to settle.
            base = e >> 32
        else:
            base, code = events.serve(at, event, d, ip, va, end)
            if code >= 0:
                if head_at >= 0:
                    dec[head_at] = head_word
                return code
        # ---- choose how far the inner loop may run
        steps = p[s.STEPS]
        hard = end
        if p[s.DELIVER] != 0:
            hard = csrfile.deadline_step(p)
            if hard > end:
                hard = end
        pc = p[s.PC]
        word = (pc >> 2) & (events.PAGE_WORDS - 1)
        ip = base + word
        vbase = pc - (ip << 2)
        left = hard - steps
        if left > events.PAGE_WORDS:
            limit = hard - events.PAGE_WORDS
        else:
            limit = steps
            if word + left < events.PAGE_WORDS:
                stop_at = ip + left
                stop_word = dec[stop_at]
                dec[stop_at] = stop_entry
        lim = ip + (limit - steps)
        fetch = p[s.FETCH_BASE] + tlb.FETCH
        read = p[s.DATA_BASE] + tlb.READ
        write = p[s.DATA_BASE] + tlb.WRITE
        # ---- straight-line execution
        while True:
            d = dec[np.uint64(ip)]
            ip += 1
            op = d & 63
            if never(ip):
                break
            if op == ops.ADDI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + (d >> 32)) & s.MASK32)
                continue
            elif op == ops.ADD:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + b) & s.MASK32)
                continue
            elif op == ops.SUB:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a - b) & s.MASK32)
                continue
            elif op == ops.LW:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F003):
                    e = ((e >> 32) + va) & s.MASK32
                    x[np.uint64((d >> 24) & 255)] = np.uint32(load32(ram, e))
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.LBU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F000):
                    e = ((e >> 32) + va) & s.MASK32
                    x[np.uint64((d >> 24) & 255)] = np.uint32(load8(ram, e))
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.LB:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F000):
                    e = ((e >> 32) + va) & s.MASK32
                    b = load8(ram, e)
                    x[np.uint64((d >> 24) & 255)] = np.uint32(((b ^ 0x80) - 0x80) & s.MASK32)
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.LHU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F001):
                    e = ((e >> 32) + va) & s.MASK32
                    x[np.uint64((d >> 24) & 255)] = np.uint32(load16(ram, e))
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.LH:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F001):
                    e = ((e >> 32) + va) & s.MASK32
                    b = load16(ram, e)
                    x[np.uint64((d >> 24) & 255)] = np.uint32(((b ^ 0x8000) - 0x8000) & s.MASK32)
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.SW:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(write + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F003):
                    store32(
                        ram, ((e >> 32) + va) & s.MASK32, np.int64(x[np.uint64((d >> 16) & 255)])
                    )
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.SB:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(write + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F000):
                    store8(
                        ram, ((e >> 32) + va) & s.MASK32, np.int64(x[np.uint64((d >> 16) & 255)])
                    )
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.SH:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(write + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F001):
                    store16(
                        ram, ((e >> 32) + va) & s.MASK32, np.int64(x[np.uint64((d >> 16) & 255)])
                    )
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.BEQ_NEAR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a != b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.BNE_NEAR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a == b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.BLT_NEAR:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                if a >= b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.BGE_NEAR:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                if a < b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.BLTU_NEAR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a >= b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.BGEU_NEAR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a < b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.JAL_NEAR:
                x[np.uint64((d >> 24) & 255)] = np.uint32((vbase + (ip << 2)) & s.MASK32)
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.ADDI_BNE:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + (d >> 32)) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.BNE_NEAR:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a == b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.ADD_BLT:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + b) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.BLT_NEAR:
                    continue
                ip += 1
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                if a >= b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.ADD_BLTU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + b) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.BLTU_NEAR:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a >= b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.ANDI_BEQ:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a & (d >> 32)) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.BEQ_NEAR:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a != b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.SLLI_ADD:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a << (d >> 32)) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.ADD:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + b) & s.MASK32)
                continue
            elif op == ops.ADD_LW:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + b) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.LW:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & s.MASK32
                e = tl[np.uint64(read + ((va >> 12) & 255))]
                if (e & s.MASK32) == (va & 0xFFFF_F003):
                    e = ((e >> 32) + va) & s.MASK32
                    x[np.uint64((d >> 24) & 255)] = np.uint32(load32(ram, e))
                    continue
                event = np.int64(events.EVENT_MEMORY)
                break
            elif op == ops.ADDI_ADDI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + (d >> 32)) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.ADDI:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + (d >> 32)) & s.MASK32)
                continue
            elif op == ops.ADDI_BGE:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + (d >> 32)) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.BGE_NEAR:
                    continue
                ip += 1
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                if a < b:
                    continue
                ip += d >> 32
                lim += d >> 32
                if ip < lim:
                    continue
                event = np.int64(events.EVENT_BUDGET)
                break
            elif op == ops.LUI_ADDI:
                x[np.uint64((d >> 24) & 255)] = np.uint32((d >> 32) & s.MASK32)
                d = dec[np.uint64(ip)]
                if d & 63 != ops.ADDI:
                    continue
                ip += 1
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a + (d >> 32)) & s.MASK32)
                continue
            elif op == ops.JALR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                va = (a + (d >> 32)) & 0xFFFF_FFFE
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
                x[np.uint64((d >> 24) & 255)] = np.uint32((vbase + (ip << 2)) & s.MASK32)
            elif op == ops.JAL:
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
                x[np.uint64((d >> 24) & 255)] = np.uint32((vbase + (ip << 2)) & s.MASK32)
            elif op == ops.PAGE_END:
                ip -= 1
                va = (vbase + (ip << 2)) & s.MASK32
            elif op == ops.BEQ:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a != b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
            elif op == ops.BNE:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a == b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
            elif op == ops.BLT:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                if a >= b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
            elif op == ops.BGE:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                if a < b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
            elif op == ops.BLTU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a >= b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
            elif op == ops.BGEU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                if a < b:
                    continue
                va = (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                if va & 2:
                    event = np.int64(events.EVENT_MISALIGNED)
                    break
            elif op == ops.LUI:
                x[np.uint64((d >> 24) & 255)] = np.uint32((d >> 32) & s.MASK32)
                continue
            elif op == ops.AUIPC:
                x[np.uint64((d >> 24) & 255)] = np.uint32(
                    (vbase + (ip << 2) - 4 + (d >> 32)) & s.MASK32
                )
                continue
            elif op == ops.ANDI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a & (d >> 32)) & s.MASK32)
                continue
            elif op == ops.ORI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a | (d >> 32)) & s.MASK32)
                continue
            elif op == ops.XORI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a ^ (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SLLI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a << (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SRLI:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a >> (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SRAI:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32((a >> (d >> 32)) & s.MASK32)
                continue
            elif op == ops.SLTI:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32(1 if a < (d >> 32) else 0)
                continue
            elif op == ops.SLTIU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32(1 if a < ((d >> 32) & s.MASK32) else 0)
                continue
            elif op == ops.AND:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a & b) & s.MASK32)
                continue
            elif op == ops.OR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a | b) & s.MASK32)
                continue
            elif op == ops.XOR:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a ^ b) & s.MASK32)
                continue
            elif op == ops.SLL:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a << (b & 31)) & s.MASK32)
                continue
            elif op == ops.SRL:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a >> (b & 31)) & s.MASK32)
                continue
            elif op == ops.SRA:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32((a >> (b & 31)) & s.MASK32)
                continue
            elif op == ops.SLT:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32(1 if a < b else 0)
                continue
            elif op == ops.SLTU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32(1 if a < b else 0)
                continue
            elif op == ops.MUL:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32((a * b) & s.MASK32)
                continue
            elif op == ops.MULH:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32(((a * b) >> 32) & s.MASK32)
                continue
            elif op == ops.MULHSU:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32(((a * b) >> 32) & s.MASK32)
                continue
            elif op == ops.MULHU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32(arithmetic.mulhu(a, b) & s.MASK32)
                continue
            elif op == ops.DIV:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32(arithmetic.divide(a, b) & s.MASK32)
                continue
            elif op == ops.DIVU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32(
                    arithmetic.divide_unsigned(a, b) & s.MASK32
                )
                continue
            elif op == ops.REM:
                a = np.int64(np.int32(x[np.uint64((d >> 8) & 255)]))
                b = np.int64(np.int32(x[np.uint64((d >> 16) & 255)]))
                x[np.uint64((d >> 24) & 255)] = np.uint32(arithmetic.remainder(a, b) & s.MASK32)
                continue
            elif op == ops.REMU:
                a = np.int64(x[np.uint64((d >> 8) & 255)])
                b = np.int64(x[np.uint64((d >> 16) & 255)])
                x[np.uint64((d >> 24) & 255)] = np.uint32(
                    arithmetic.remainder_unsigned(a, b) & s.MASK32
                )
                continue
            elif op == ops.NOP:
                continue
            elif op == ops.RARE:
                # The event is in the immediate.
                event = (d >> 32) & 255
                break
            else:
                # There is no other code: the compiler knows that, and tests no range.
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
                event = np.int64(events.EVENT_BUDGET)
                break
            event = np.int64(events.EVENT_JUMP)
            break
