"""The vCPU: enter the guest, take its exit, emulate, fill or reflect, enter again.

`h` is the real hart's Core, `g` the guest's: the same registers, RAM and decoded words, but the
vCPU's record and frame map, and a TLB that is never looked at.  `c` is the control array.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import access, csrfile, events, execute, mmu
from toyvm.hart import state as s
from toyvm.hypervisor import emulate, ledger, mmio, reflect, shadow
from toyvm.jit import entry_kernel, kernel

EXIT_TRACE: Final = 16
"""Compiled code returns after every exit when tracing is on."""
_FUEL: Final = 4096
"""Exits without a step of progress after which a slice ends all the same."""


@kernel
def _enter(h, g, end):
    """Run the guest on the real hart until STEPS == end or an exit; an events.EXIT_ code."""
    p = h.p
    v = g.p
    p[s.PC] = v[s.PC]
    p[s.STEPS] = v[s.STEPS]
    code = execute.execute(h, end)
    v[s.PC] = p[s.PC]
    v[s.STEPS] = p[s.STEPS]
    return code


@kernel
def _where(v):
    """pc and virtual mode (bits 33:32) of the exit that is about to be handled."""
    return v[s.PC] | v[s.MODE] << 32


@kernel
def _count(g, c, cause, where, word):
    """Book an exit in the ledger and in the ring of the last ones."""
    c[shadow.COUNTERS + cause] += 1
    c[shadow.LAST_CAUSE] = cause
    entry = shadow.RING + 4 * (c[shadow.SERIAL] & (shadow.RING_LENGTH - 1))
    c[entry] = cause
    c[entry + 1] = where
    c[entry + 2] = word
    c[entry + 3] = g.p[s.STEPS]
    c[shadow.SERIAL] += 1


@kernel
def _page_fault(h, g, c, cause):
    """A real page fault: fill, reflect, or do the access; (ledger index, EXIT_ code or -1)."""
    p = h.p
    v = g.p
    kind = mmio.kind_of_fault(cause)
    redirected = kind != mmu.FETCH and shadow.executes_only(v)
    if not redirected:
        outcome = shadow.fill(h, g, c, p[s.TVAL], kind)
        if outcome == shadow.FILLED:
            return np.int64(ledger.FILL), np.int64(-1)
        if outcome == shadow.NOT_RAM and kind == mmu.FETCH:
            v[s.CAUSE] = mmu.fault_cause(np.int64(mmu.ACCESS_FAULT), kind)
            v[s.TVAL] = p[s.TVAL]
            outcome = np.int64(shadow.FAULT)
        if outcome == shadow.FAULT:
            cause = v[s.CAUSE]
            reflect.reflect(h, g, cause, v[s.TVAL])
            if cause >= 12:
                return np.int64(ledger.PAGE_FAULT), np.int64(-1)
            return np.int64(ledger.ACCESS_FAULT), np.int64(-1)
    status = mmio.access_for_guest(h, g, p[s.WORD])
    if status == access.MMIO:
        return np.int64(ledger.MMIO), np.int64(events.EXIT_MMIO)
    if redirected:
        if v[s.WATCH_HIT] < 0:
            return np.int64(ledger.MPRV), np.int64(-1)
        p[s.WATCH_HIT] = v[s.WATCH_HIT]
        v[s.WATCH_HIT] = -1
        return np.int64(ledger.MPRV), np.int64(events.EXIT_WATCH)
    return np.int64(ledger.ACCESS_FAULT), np.int64(-1)


@kernel
def _handle(h, g, c):
    """Answer the exit that `execute` has just returned with EXIT_TRAP; an EXIT_ code or -1."""
    p = h.p
    v = g.p
    cause = p[s.CAUSE]
    where = _where(v)
    code = np.int64(-1)
    if cause == 2 or cause == 3 or cause == 8:
        booked, effects = emulate.emulate(h, g, c, p[s.WORD])
        if effects & s.EFFECT_SBI:
            code = np.int64(events.EXIT_SBI)
        elif effects & s.EFFECT_WFI:
            code = np.int64(events.EXIT_WFI)
    elif cause >= 12:
        booked, code = _page_fault(h, g, c, cause)
    else:
        reflect.reflect(h, g, cause, p[s.TVAL])
        booked = np.int64(ledger.MISALIGNED)
    _count(g, c, booked, where, p[s.WORD])
    return code


@entry_kernel
def run(h, g, c, end):
    """Run the vCPU until its STEPS == end or something needs Python; an EXIT_ code.

    Exits that are emulated, filled or reflected never leave this loop (unless traced).
    """
    v = g.p
    fuel = np.int64(_FUEL)
    progress = v[s.STEPS]
    while True:
        if v[s.STEPS] >= end:
            return np.int64(events.EXIT_BUDGET)
        if v[s.STEPS] != progress:
            progress = v[s.STEPS]
            fuel = np.int64(_FUEL)
        where = _where(v)
        if reflect.inject(h, g):
            _count(g, c, np.int64(ledger.INTERRUPT), where, np.int64(0))
            if c[shadow.TRACE]:
                return np.int64(EXIT_TRACE)
            continue
        shadow.point(h, g, c)
        deadline = csrfile.deadline_step(v)
        code = _enter(h, g, deadline if deadline < end else end)
        if code == events.EXIT_BUDGET:
            continue
        if code != events.EXIT_TRAP:
            return code
        fuel -= 1
        if fuel < 0:
            return np.int64(events.EXIT_BUDGET)
        code = _handle(h, g, c)
        if code >= 0:
            return code
        if c[shadow.TRACE]:
            return np.int64(EXIT_TRACE)
