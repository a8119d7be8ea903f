"""CSRs over a privileged-state record (Privileged 20211203, chapters 2 to 4).

`csr_legal`, `csr_read` and `csr_write` know nothing but the record, so the hypervisor applies
them to a vCPU exactly as the bare hart applies them to itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm import platform
from toyvm.hart import state as s
from toyvm.isa import csr, sv32
from toyvm.jit import entry_kernel, kernel

MPP_SHIFT: Final = csr.MSTATUS_MPP_SHIFT
MPP_MASK: Final = csr.MSTATUS_MPP
SSTATUS_MASK: Final = csr.SSTATUS_MASK
#: Changing one of these changes what an address means.
TRANSLATION_BITS: Final = csr.MSTATUS_MPRV | csr.MSTATUS_SUM | csr.MSTATUS_MXR | MPP_MASK
COUNTINHIBIT_CY: Final = csr.COUNTEREN_CY
COUNTINHIBIT_IR: Final = csr.COUNTEREN_IR
PMP_RWX: Final = sv32.PMP_R | sv32.PMP_W | sv32.PMP_X
PMP_GRAIN_NAPOT: Final = (1 << (sv32.PMP_GRAIN - 1)) - 1
"""Grain G = 10 (4 KiB): pmpaddr[G-2:0] reads as ones in NAPOT mode (§3.7.1)."""
PMP_GRAIN_TOR: Final = (1 << sv32.PMP_GRAIN) - 1
"""and pmpaddr[G-1:0] as zeros otherwise."""
# Last members of the CSR arrays.
HPMCOUNTER31: Final = csr.HPMCOUNTER3 + 28
HPMCOUNTER31H: Final = csr.HPMCOUNTER3H + 28
MHPMCOUNTER31: Final = csr.MHPMCOUNTER3 + 28
MHPMCOUNTER31H: Final = csr.MHPMCOUNTER3H + 28
MHPMEVENT31: Final = csr.MHPMEVENT3 + 28
PMPCFG3: Final = csr.PMPCFG0 + 3
PMPADDR63: Final = csr.PMPADDR0 + 63
STEPS_PER_TICK: Final = platform.STEPS_PER_TICK
TOP_BIT: Final = -(1 << 63)


@entry_kernel
def time_now(p):
    """mtime in ticks, modulo 2^64: a negative number has its top bit set."""
    return (p[s.STEPS] + p[s.IDLE]) // STEPS_PER_TICK + p[s.TIME_OFFSET]


@kernel
def _comes_after(deadline, now):
    """Is the unsigned 64-bit time `deadline` later than `now`?"""
    return (deadline ^ TOP_BIT) > (now ^ TOP_BIT)


@kernel
def _ticks_until(deadline, now):
    """Ticks from `now` to `deadline`; NEVER if it has come, or is thousands of years away."""
    if not _comes_after(deadline, now):
        return np.int64(s.NEVER)
    ticks = deadline - now
    if ticks < 0 or ticks >= s.NEVER >> 8:
        return np.int64(s.NEVER)
    return ticks


@entry_kernel
def deadline_step(p):
    """The value of STEPS at which the next timer interrupt becomes pending; NEVER if none."""
    now = time_now(p)
    ticks = _ticks_until(p[s.TIMECMP], now)
    if p[s.STIMER_ON] != 0:
        other = _ticks_until(p[s.STIMECMP], now)
        if other < ticks:
            ticks = other
    if ticks == s.NEVER:
        return np.int64(s.NEVER)
    clock = p[s.STEPS] + p[s.IDLE]
    return (clock // STEPS_PER_TICK + ticks) * STEPS_PER_TICK - p[s.IDLE]


@entry_kernel
def mip_now(p):
    """The whole of mip: software bits, device lines and timers (§3.1.9)."""
    pending = p[s.MIP] | p[s.LINES]
    now = time_now(p)
    if not _comes_after(p[s.TIMECMP], now):
        pending |= csr.MIP_MTIP
    if p[s.STIMER_ON] != 0:
        pending &= ~csr.MIP_STIP
        if not _comes_after(p[s.STIMECMP], now):
            pending |= csr.MIP_STIP
    return pending


@kernel
def pending_interrupt(p):
    """Number of the interrupt to take now, -1 if none (§3.1.9, priorities; §3.1.6.1, enables)."""
    pending = mip_now(p) & p[s.MIE]
    if pending == 0:
        return -1
    mode = p[s.MODE]
    status = p[s.MSTATUS]
    ready = np.int64(0)
    if mode < s.MODE_M or status & csr.MSTATUS_MIE != 0:
        ready = pending & ~p[s.MIDELEG]
    if ready == 0 and (mode < s.MODE_S or (mode == s.MODE_S and status & csr.MSTATUS_SIE != 0)):
        ready = pending & p[s.MIDELEG]
    if ready == 0:
        return -1
    if ready & csr.MIP_MEIP:
        return 11
    if ready & csr.MIP_MSIP:
        return 3
    if ready & csr.MIP_MTIP:
        return 7
    if ready & csr.MIP_SEIP:
        return 9
    if ready & csr.MIP_SSIP:
        return 1
    return 5


@kernel
def _counter_visible(p, bit):
    """May the current mode read the user-level counter of this bit (§3.1.11, §4.1.5)?"""
    mode = p[s.MODE]
    if mode == s.MODE_M:
        return True
    if p[s.MCOUNTEREN] & bit == 0:
        return False
    return mode == s.MODE_S or p[s.SCOUNTEREN] & bit != 0


@kernel
def csr_legal(p, number, write):
    """True if the current mode may access this CSR so; False means illegal instruction."""
    if (number >> 8) & 3 > p[s.MODE]:
        return False
    if write and number >> 10 == 3:
        return False
    if number == csr.SATP:
        return not (p[s.MODE] == s.MODE_S and p[s.MSTATUS] & csr.MSTATUS_TVM != 0)
    if number == csr.STIMECMP or number == csr.STIMECMPH:
        # Sstc 1.0.0, chapter 2: M-mode always, S-mode as menvcfg.STCE and mcounteren.TM say.
        if p[s.SSTC] == 0 or p[s.MODE] == s.MODE_M:
            return p[s.SSTC] != 0
        return p[s.STIMER_ON] != 0 and p[s.MCOUNTEREN] & csr.COUNTEREN_TM != 0
    if csr.CYCLE <= number <= HPMCOUNTER31 or csr.CYCLEH <= number <= HPMCOUNTER31H:
        return _counter_visible(p, np.int64(1) << (number & 31))
    return _exists(number)


@kernel
def _exists(number):
    """Is there such a CSR (the user-level counters and satp aside)?"""
    if number >> 8 == 1:
        return (
            number == csr.SSTATUS
            or csr.SIE <= number <= csr.SCOUNTEREN
            or number == csr.SENVCFG
            or csr.SSCRATCH <= number <= csr.SIP
        )
    if number >> 8 == 3:
        return (
            csr.MSTATUS <= number <= csr.MCOUNTEREN
            or number == csr.MENVCFG
            or number == csr.MSTATUSH
            or number == csr.MENVCFGH
            or number == csr.MCOUNTINHIBIT
            or csr.MHPMEVENT3 <= number <= MHPMEVENT31
            or csr.MSCRATCH <= number <= csr.MIP
            or csr.PMPCFG0 <= number <= PMPADDR63
        )
    if number >> 8 == 7:
        return csr.TSELECT <= number <= csr.TDATA3
    if number >> 8 == 0xB:
        return (
            number == csr.MCYCLE
            or csr.MINSTRET <= number <= MHPMCOUNTER31
            or number == csr.MCYCLEH
            or csr.MINSTRETH <= number <= MHPMCOUNTER31H
        )
    return csr.MVENDORID <= number <= csr.MCONFIGPTR


@kernel
def _cycles(p):
    """mcycle as 64 bits."""
    if p[s.MCOUNTINHIBIT] & COUNTINHIBIT_CY:
        return p[s.CYCLE_OFFSET]
    return p[s.STEPS] + p[s.CYCLE_OFFSET]


@kernel
def _instret(p):
    """minstret as 64 bits."""
    if p[s.MCOUNTINHIBIT] & COUNTINHIBIT_IR:
        return p[s.INSTRET_OFFSET]
    return p[s.STEPS] - p[s.NOT_RETIRED] + p[s.INSTRET_OFFSET]


@kernel
def _pmp_read(p, number):
    """pmpcfg and pmpaddr with the reading rules of grain 4 KiB (§3.7.1)."""
    if number < csr.PMPADDR0:
        first = (number - csr.PMPCFG0) * 4
        if number > PMPCFG3 or first >= p[s.PMP_COUNT]:
            return np.int64(0)
        return (
            p[s.PMPCFG + first]
            | p[s.PMPCFG + first + 1] << 8
            | p[s.PMPCFG + first + 2] << 16
            | p[s.PMPCFG + first + 3] << 24
        )
    entry = number - csr.PMPADDR0
    if entry >= p[s.PMP_COUNT]:
        return np.int64(0)
    if p[s.PMPCFG + entry] & sv32.PMP_A == sv32.PMP_NAPOT:
        return p[s.PMPADDR + entry] | PMP_GRAIN_NAPOT
    return p[s.PMPADDR + entry] & ~np.int64(PMP_GRAIN_TOR)


@entry_kernel
def csr_read(p, number):
    """Value of a CSR that `csr_legal` allows, zero-extended (int64)."""
    block = number >> 8
    if block == 1:
        if number == csr.SSTATUS:
            return p[s.MSTATUS] & SSTATUS_MASK
        if number == csr.SIE:
            return p[s.MIE] & p[s.MIDELEG]
        if number == csr.STVEC:
            return p[s.STVEC]
        if number == csr.SCOUNTEREN:
            return p[s.SCOUNTEREN]
        if number == csr.SENVCFG:
            return p[s.SENVCFG]
        if number == csr.SSCRATCH:
            return p[s.SSCRATCH]
        if number == csr.SEPC:
            return p[s.SEPC]
        if number == csr.SCAUSE:
            return p[s.SCAUSE]
        if number == csr.STVAL:
            return p[s.STVAL]
        if number == csr.SIP:
            return mip_now(p) & p[s.MIDELEG]
        if number == csr.SATP:
            return p[s.SATP]
        if number == csr.STIMECMP and p[s.SSTC] != 0:
            return p[s.STIMECMP] & s.MASK32
        if number == csr.STIMECMPH and p[s.SSTC] != 0:
            return (p[s.STIMECMP] >> 32) & s.MASK32
        return np.int64(0)
    if block == 3:
        if number == csr.MSTATUS:
            return p[s.MSTATUS]
        if number == csr.MISA:
            return np.int64(csr.MISA_VALUE)
        if number == csr.MEDELEG:
            return p[s.MEDELEG]
        if number == csr.MIDELEG:
            return p[s.MIDELEG]
        if number == csr.MIE:
            return p[s.MIE]
        if number == csr.MTVEC:
            return p[s.MTVEC]
        if number == csr.MCOUNTEREN:
            return p[s.MCOUNTEREN]
        if number == csr.MCOUNTINHIBIT:
            return p[s.MCOUNTINHIBIT]
        if number == csr.MENVCFG:
            return p[s.MENVCFG]
        if number == csr.MENVCFGH:
            return p[s.MENVCFGH]
        if number == csr.MSCRATCH:
            return p[s.MSCRATCH]
        if number == csr.MEPC:
            return p[s.MEPC]
        if number == csr.MCAUSE:
            return p[s.MCAUSE]
        if number == csr.MTVAL:
            return p[s.MTVAL]
        if number == csr.MIP:
            return mip_now(p)
        if csr.PMPCFG0 <= number <= PMPADDR63:
            return _pmp_read(p, number)
        return np.int64(0)
    if number == csr.CYCLE or number == csr.MCYCLE:
        return _cycles(p) & s.MASK32
    if number == csr.CYCLEH or number == csr.MCYCLEH:
        return (_cycles(p) >> 32) & s.MASK32
    if number == csr.INSTRET or number == csr.MINSTRET:
        return _instret(p) & s.MASK32
    if number == csr.INSTRETH or number == csr.MINSTRETH:
        return (_instret(p) >> 32) & s.MASK32
    if number == csr.TIME:
        return time_now(p) & s.MASK32
    if number == csr.TIMEH:
        return (time_now(p) >> 32) & s.MASK32
    if number == csr.MHARTID:
        return p[s.MHARTID]
    return np.int64(0)


@kernel
def _write_status(p, value, mask):
    """Write the bits `mask` of mstatus; effect bits."""
    old = p[s.MSTATUS]
    new = (old & ~mask) | (value & mask)
    if mask & MPP_MASK != 0 and (new & MPP_MASK) >> MPP_SHIFT == 2:
        new = (new & ~MPP_MASK) | (old & MPP_MASK)
    p[s.MSTATUS] = new
    effects = np.int64(s.EFFECT_INTERRUPT)
    if (old ^ new) & TRANSLATION_BITS:
        effects |= s.EFFECT_TRANSLATION
    return effects


@kernel
def _write_counter(p, number, value):
    """Write one half of mcycle or minstret: the next instruction reads `value` (§3.1.10)."""
    cycles = number == csr.MCYCLE or number == csr.MCYCLEH
    now = _cycles(p) if cycles else _instret(p)
    if number == csr.MCYCLE or number == csr.MINSTRET:
        new = (now & ~np.int64(s.MASK32)) | value
    else:
        new = (now & s.MASK32) | (value << 32)
    if cycles:
        if p[s.MCOUNTINHIBIT] & COUNTINHIBIT_CY == 0:
            new -= p[s.STEPS] + 1
        p[s.CYCLE_OFFSET] = new
    else:
        if p[s.MCOUNTINHIBIT] & COUNTINHIBIT_IR == 0:
            new -= p[s.STEPS] - p[s.NOT_RETIRED] + 1
        p[s.INSTRET_OFFSET] = new
    return np.int64(s.EFFECT_COUNTER)


@kernel
def _write_countinhibit(p, value):
    """Freeze or release the counters (§3.1.12): an offset becomes a value and back."""
    old = p[s.MCOUNTINHIBIT]
    new = value & (COUNTINHIBIT_CY | COUNTINHIBIT_IR)
    # The write itself still counts under the old setting: one step has passed when it is done.
    steps = p[s.STEPS] + 1
    retired = steps - p[s.NOT_RETIRED]
    if (old ^ new) & COUNTINHIBIT_CY:
        p[s.CYCLE_OFFSET] += steps if new & COUNTINHIBIT_CY else -steps
    if (old ^ new) & COUNTINHIBIT_IR:
        p[s.INSTRET_OFFSET] += retired if new & COUNTINHIBIT_IR else -retired
    p[s.MCOUNTINHIBIT] = new
    return np.int64(s.EFFECT_COUNTER)


@kernel
def _pmp_locked(p, entry):
    """Is pmpaddr of `entry` locked, by itself or by a locked TOR entry above it (§3.7.1)?"""
    if p[s.PMPCFG + entry] & sv32.PMP_L:
        return True
    if entry + 1 < p[s.PMP_COUNT]:
        above = p[s.PMPCFG + entry + 1]
        return above & sv32.PMP_L != 0 and above & sv32.PMP_A == sv32.PMP_TOR
    return False


@kernel
def _pmp_write(p, number, value):
    """Write pmpcfg (four entries) or pmpaddr (one)."""
    if number >= csr.PMPADDR0:
        entry = number - csr.PMPADDR0
        if entry < p[s.PMP_COUNT] and not _pmp_locked(p, entry):
            p[s.PMPADDR + entry] = value
        return np.int64(s.EFFECT_PMP)
    first = (number - csr.PMPCFG0) * 4
    if number > PMPCFG3 or first >= p[s.PMP_COUNT]:
        return np.int64(s.EFFECT_PMP)
    for i in range(4):
        old = p[s.PMPCFG + first + i]
        if old & sv32.PMP_L or first + i >= p[s.PMP_COUNT]:
            continue
        new = (value >> (8 * i)) & (sv32.PMP_L | sv32.PMP_A | PMP_RWX)
        if new & sv32.PMP_A == sv32.PMP_NA4:
            new = (new & ~sv32.PMP_A) | (old & sv32.PMP_A)
        if new & 3 == 2:
            new = (new & ~PMP_RWX) | (old & PMP_RWX)
        p[s.PMPCFG + first + i] = new
    return np.int64(s.EFFECT_PMP)


@entry_kernel
def csr_write(p, number, value):
    """Write `value` (0 to 2^32-1) to a CSR that `csr_legal` allows; effect bits."""
    block = number >> 8
    interrupt = np.int64(s.EFFECT_INTERRUPT)
    if block == 1:
        if number == csr.SSTATUS:
            return _write_status(p, value, np.int64(SSTATUS_MASK))
        if number == csr.SIE:
            p[s.MIE] = (p[s.MIE] & ~p[s.MIDELEG]) | (value & p[s.MIDELEG] & csr.MIE_MASK)
            return interrupt
        if number == csr.STVEC:
            p[s.STVEC] = value & csr.TVEC_MASK
        elif number == csr.SCOUNTEREN:
            p[s.SCOUNTEREN] = value & csr.COUNTEREN_MASK
        elif number == csr.SENVCFG:
            p[s.SENVCFG] = value & csr.ENVCFG_MASK
        elif number == csr.SSCRATCH:
            p[s.SSCRATCH] = value
        elif number == csr.SEPC:
            p[s.SEPC] = value & csr.EPC_MASK
        elif number == csr.SCAUSE:
            p[s.SCAUSE] = value
        elif number == csr.STVAL:
            p[s.STVAL] = value
        elif number == csr.SIP:
            mask = csr.MIP_SSIP & p[s.MIDELEG]
            p[s.MIP] = (p[s.MIP] & ~mask) | (value & mask)
            return interrupt
        elif number == csr.STIMECMP and p[s.SSTC] != 0:
            p[s.STIMECMP] = (p[s.STIMECMP] & ~np.int64(s.MASK32)) | value
            return interrupt | s.EFFECT_TIMER
        elif number == csr.STIMECMPH and p[s.SSTC] != 0:
            p[s.STIMECMP] = (p[s.STIMECMP] & s.MASK32) | (value << 32)
            return interrupt | s.EFFECT_TIMER
        elif number == csr.SATP:
            if p[s.SATP] != value:
                p[s.SATP] = value
                return np.int64(s.EFFECT_TRANSLATION)
        return np.int64(0)
    if block == 3:
        if number == csr.MSTATUS:
            return _write_status(p, value, np.int64(csr.MSTATUS_MASK))
        if number == csr.MEDELEG:
            p[s.MEDELEG] = value & csr.MEDELEG_MASK
        elif number == csr.MIDELEG:
            p[s.MIDELEG] = value & csr.MIDELEG_MASK
            return interrupt
        elif number == csr.MIE:
            p[s.MIE] = value & csr.MIE_MASK
            return interrupt
        elif number == csr.MTVEC:
            p[s.MTVEC] = value & csr.TVEC_MASK
        elif number == csr.MCOUNTEREN:
            p[s.MCOUNTEREN] = value & csr.COUNTEREN_MASK
        elif number == csr.MCOUNTINHIBIT:
            return _write_countinhibit(p, value)
        elif number == csr.MENVCFG:
            p[s.MENVCFG] = value & csr.ENVCFG_MASK
        elif number == csr.MENVCFGH:
            if p[s.SSTC] != 0:
                p[s.MENVCFGH] = value & csr.ENVCFGH_MASK
                p[s.STIMER_ON] = value >> 31
            return interrupt | s.EFFECT_TIMER
        elif number == csr.MSCRATCH:
            p[s.MSCRATCH] = value
        elif number == csr.MEPC:
            p[s.MEPC] = value & csr.EPC_MASK
        elif number == csr.MCAUSE:
            p[s.MCAUSE] = value
        elif number == csr.MTVAL:
            p[s.MTVAL] = value
        elif number == csr.MIP:
            writable = np.int64(csr.MIP_MASK)
            if p[s.STIMER_ON] != 0:
                # With Sstc on, STIP only tells what stimecmp says (Sstc 1.0.0, chapter 2).
                writable &= ~csr.MIP_STIP
            p[s.MIP] = (p[s.MIP] & ~writable) | (value & writable)
            return interrupt
        elif csr.PMPCFG0 <= number <= PMPADDR63:
            return _pmp_write(p, number, value)
        return np.int64(0)
    if (
        number == csr.MCYCLE
        or number == csr.MCYCLEH
        or number == csr.MINSTRET
        or number == csr.MINSTRETH
    ):
        return _write_counter(p, number, value)
    return np.int64(0)
