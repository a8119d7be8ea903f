"""The vCPU: enter the guest, take its exit, emulate, fill or reflect, enter again.

`h` is the real hart's Core, `g` the guest's: the same registers, RAM and decoded words, but the
vCPU's record and frame map, and a TLB that is never looked at.  `c` is the control array.  Where
two Cores would be passed for each exit, `real` and `guest` are their addresses.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import access, csrfile, events, execute, mmu, tlb, trap
from toyvm.hart import state as s
from toyvm.hypervisor import emulate, ledger, mmio, reflect, shadow
from toyvm.isa import csr
from toyvm.jit import address_of, clock, entry_kernel, inline_kernel, kernel, load32, store32

EXIT_TRACE: Final = 16
"""Compiled code returns after every exit when tracing is on."""
EXIT_FRAMES: Final = 17
"""The reserve of frames is empty."""
_FUEL: Final = 4096
"""Exits without a step of progress after which a slice ends all the same."""
TRAPS_OF_S: Final = csr.MSTATUS_TVM | csr.MSTATUS_TW | csr.MSTATUS_TSR
_LIGHT: Final = s.EFFECT_TRANSLATION | s.EFFECT_INTERRUPT | s.EFFECT_TIMER | s.EFFECT_COUNTER
"""Effects that `_prepare` answers."""
_NATIVE_CAUSES: Final = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8
"""Traps that mean the same to the real hart and to the guest: misaligned, ebreak, ecall from U."""


@kernel
def _load_supervisor(p, v, c):
    """Technique s: the guest's supervisor CSRs, interrupts and clock into the real hart."""
    satp = p[s.SATP]
    for field in range(s.MSTATUS, s.INSTRET_OFFSET + 1):
        p[field] = v[field]
    p[s.SATP] = satp
    # Without translation S and U have different roots, so sret must come here.
    traps = c[shadow.TRAPS] if v[s.SATP] & csr.SATP_MODE else np.int64(TRAPS_OF_S)
    p[s.MSTATUS] = (v[s.MSTATUS] & (csr.SSTATUS_MASK | csr.MSTATUS_TSR)) | traps
    p[s.MEDELEG] = v[s.MEDELEG] & _NATIVE_CAUSES
    p[s.MCOUNTEREN] = 0
    p[s.MODE] = v[s.MODE]
    # Without translation S and U have different roots, so that a trap from U must come here.
    bare_user = v[s.MODE] == s.MODE_U and v[s.SATP] & csr.SATP_MODE == 0
    p[s.DELIVER] = 0 if bare_user else 2


@kernel
def _save_supervisor(p, v):
    """Technique s: what the guest has changed natively goes back to its record."""
    mask = np.int64(csr.SSTATUS_MASK)
    v[s.MSTATUS] = (v[s.MSTATUS] & ~mask) | (p[s.MSTATUS] & mask)
    v[s.MIE] = p[s.MIE]
    v[s.MIP] = p[s.MIP]
    for field in range(s.STVEC, s.STVAL + 1):
        v[field] = p[field]
    v[s.STIMECMP] = p[s.STIMECMP]
    v[s.SCOUNTEREN] = p[s.SCOUNTEREN]
    v[s.SENVCFG] = p[s.SENVCFG]
    v[s.NOT_RETIRED] = p[s.NOT_RETIRED]
    v[s.MODE] = p[s.MODE]


@kernel
def _flag_out(v, c, ram):
    """Paravirtual: show the guest its SIE as a word of memory, and in the next word whether an
    interrupt waits for it."""
    status = v[s.MSTATUS]
    store32(ram, c[shadow.FLAG], (status >> 1) & 1)
    waits = csrfile.mip_now(v) & v[s.MIE] & v[s.MIDELEG] != 0 and status & csr.MSTATUS_SIE == 0
    c[shadow.PV_MASKED] += waits
    store32(ram, c[shadow.FLAG] + 4, np.int64(waits))


@kernel
def _flag_in(v, c, ram):
    """Paravirtual: the guest may have stored its SIE; only bit 0 counts."""
    enabled = load32(ram, c[shadow.FLAG]) & 1
    v[s.MSTATUS] = (v[s.MSTATUS] & ~np.int64(csr.MSTATUS_SIE)) | enabled << 1


@inline_kernel
def _enter(h, g, c, end):
    """Run the guest on the real hart until STEPS == end or an exit; an events.EXIT_ code.

    Under technique u the real TLB's context is the one that `_prepare` has chosen.
    """
    p = h.p
    v = g.p
    at = address_of(h.table)
    p[s.PC] = v[s.PC]
    p[s.STEPS] = v[s.STEPS]
    if c[shadow.TECHNIQUE] != shadow.TECHNIQUE_U:
        supervisor = shadow.native(v, c)
        if supervisor:
            _load_supervisor(p, v, c)
        else:
            p[s.MODE] = s.MODE_U
            p[s.MSTATUS] = 0
            p[s.DELIVER] = 0
        code = execute.execute(at, end)
        if supervisor:
            _save_supervisor(p, v)
    elif c[shadow.FLAG]:
        _flag_out(v, c, h.ram)
        code = execute.resume(at, end)
        _flag_in(v, c, h.ram)
    else:
        code = execute.resume(at, end)
    v[s.PC] = p[s.PC]
    v[s.STEPS] = p[s.STEPS]
    return code


@inline_kernel
def _where(v):
    """pc and virtual mode (bits 33:32) of the exit that is about to be handled."""
    return v[s.PC] | v[s.MODE] << 32


@inline_kernel
def _count(v, c, cause, where, word, detail):
    """Book an exit in the ledger and in the ring of the last ones.

    `detail` is the address of a fault; beside it stand the mode and satp after the exit.
    """
    c[shadow.COUNTERS + cause] += 1
    c[shadow.LAST_CAUSE] = cause
    slot = c[shadow.SERIAL] & (shadow.RING_LENGTH - 1)
    entry = shadow.RING + shadow.RING_FIELDS * slot
    c[entry] = cause
    c[entry + 1] = where
    c[entry + 2] = word
    c[entry + 3] = v[s.STEPS]
    c[entry + 4] = detail
    c[entry + 5] = v[s.SATP] | v[s.MODE] << 32
    c[shadow.SERIAL] += 1


@kernel
def _fault_booked(v):
    """Ledger index of a fault that was reflected."""
    return np.int64(ledger.PAGE_FAULT if v[s.CAUSE] >= 12 else ledger.ACCESS_FAULT)


@kernel
def _page_fault(h, g, c, cause):
    """A real page fault: fill, reflect, or do the access; (ledger index, EXIT_ code or -1)."""
    p = h.p
    v = g.p
    kind = mmio.kind_of_fault(cause)
    booked = np.int64(ledger.MPRV)
    if kind == mmu.FETCH or not shadow.executes_only(v):
        outcome = shadow.fill(h, g, c, p[s.TVAL], kind)
        if outcome == shadow.FILLED:
            return np.int64(ledger.FILL), np.int64(-1)
        if outcome == shadow.NO_FRAME:
            return np.int64(ledger.FILL), np.int64(EXIT_FRAMES)
        if outcome == shadow.NOT_RAM and kind == mmu.FETCH:
            v[s.CAUSE] = mmu.fault_cause(np.int64(mmu.ACCESS_FAULT), kind)
            v[s.TVAL] = p[s.TVAL]
            outcome = np.int64(shadow.FAULT)
        if outcome == shadow.FAULT:
            booked = _fault_booked(v)
            reflect.reflect(h, g, v[s.CAUSE], v[s.TVAL])
            return booked, np.int64(-1)
        booked = np.int64(ledger.TABLE)
        if outcome == shadow.NOT_RAM:
            booked = np.int64(ledger.ACCESS_FAULT)
    status = mmio.access_for_guest(h, g, c, p[s.WORD])
    if status == shadow.NO_FRAME:
        return np.int64(ledger.FILL), np.int64(EXIT_FRAMES)
    if status == access.MMIO:
        return np.int64(ledger.MMIO), np.int64(events.EXIT_MMIO)
    if status == access.TRAP and booked != ledger.MPRV:
        booked = _fault_booked(v)
    if v[s.WATCH_HIT] >= 0:
        p[s.WATCH_HIT] = v[s.WATCH_HIT]
        v[s.WATCH_HIT] = -1
        return booked, np.int64(events.EXIT_WATCH)
    return booked, np.int64(-1)


@kernel
def _handle(real, guest, c, where, effects):
    """Answer the exit that `execute` has just returned with EXIT_TRAP; an EXIT_ code or -1.

    `effects` are those of a SYSTEM instruction, if it was one.
    """
    h = access.core_at(real)
    g = access.core_at(guest)
    p = h.p
    v = g.p
    cause = p[s.CAUSE]
    code = np.int64(-1)
    if _is_system(cause):
        booked = emulate.answer(h, g, c, p[s.WORD], effects)
        if effects & s.EFFECT_SBI:
            code = np.int64(events.EXIT_SBI)
        elif effects & s.EFFECT_WFI:
            code = np.int64(events.EXIT_WFI)
    elif cause >= 12:
        booked, code = _page_fault(h, g, c, cause)
        if code == EXIT_FRAMES:
            return code
    else:
        reflect.reflect(h, g, cause, p[s.TVAL])
        booked = np.int64(ledger.MISALIGNED)
    _count(v, c, booked, where, p[s.WORD], p[s.TVAL])
    return code


@inline_kernel
def _is_system(cause):
    """Is it a trap of a SYSTEM instruction: illegal, ebreak, ecall from U or S?"""
    return cause == 2 or cause == 3 or cause == 8 or cause == 9


@kernel
def _prepare(real, guest, c, end):
    """Inject an interrupt that is due, or make ready to enter; (EXIT_ code, -1 to enter or -2 for
    an injection; the step at which to come back)."""
    h = access.core_at(real)
    g = access.core_at(guest)
    v = g.p
    where = _where(v)
    if reflect.inject(h, g):
        _count(v, c, np.int64(ledger.INTERRUPT), where, np.int64(0), np.int64(0))
        return np.int64(EXIT_TRACE if c[shadow.TRACE] else -2), end
    if shadow.point(h, g, c) == shadow.NO_FRAME:
        return np.int64(EXIT_FRAMES), end
    if c[shadow.TECHNIQUE] == shadow.TECHNIQUE_U:
        tlb.select(h.p, h.tlb)
    deadline = csrfile.deadline_step(v)
    return np.int64(-1), deadline if deadline < end else end


@entry_kernel
def run(real, guest, c, end):
    """Run the vCPU until its STEPS == end or something needs Python; an EXIT_ code.

    Exits that are emulated, filled or reflected never leave this loop (unless traced).
    """
    h = access.core_at(real)
    g = access.core_at(guest)
    v = g.p
    fuel = np.int64(_FUEL)
    progress = v[s.STEPS]
    ready = False
    until = end
    while True:
        if v[s.STEPS] >= end:
            return np.int64(events.EXIT_BUDGET)
        if not ready:
            if v[s.STEPS] != progress:
                progress = v[s.STEPS]
                fuel = np.int64(_FUEL)
            code, until = _prepare(real, guest, c, end)
            if code == -2:
                continue
            if code >= 0:
                return code
        code = _enter(h, g, c, until)
        ready = False
        if code == events.EXIT_BUDGET:
            continue
        if code != events.EXIT_TRAP:
            return code
        began = np.int64(0)
        sampled = c[shadow.SERIAL] & (shadow.SAMPLE_EVERY - 1) == 0
        if sampled:
            began = clock()
        where = _where(v)
        effects = np.int64(-1)
        if _is_system(h.p[s.CAUSE]):
            effects = trap.system(v, g.x, h.p[s.WORD])
        if effects >= 0 and effects & ~np.int64(_LIGHT) == 0:
            # Done, and if nothing depends on the CSR, in again at once.
            _count(v, c, emulate.cause_of(h.p[s.WORD]), where, h.p[s.WORD], np.int64(0))
            ready = effects == 0 and v[s.STEPS] < until
        else:
            fuel -= 1
            if fuel < 0:
                return np.int64(events.EXIT_BUDGET)
            code = _handle(real, guest, c, where, effects)
            if code >= 0:
                return code
        if sampled:
            c[shadow.SAMPLE_TICKS + c[shadow.LAST_CAUSE]] += clock() - began
            c[shadow.SAMPLES + c[shadow.LAST_CAUSE]] += 1
        if c[shadow.TRACE]:
            return np.int64(EXIT_TRACE)
