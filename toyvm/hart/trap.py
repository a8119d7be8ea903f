"""Traps, xRET and the SYSTEM instructions over a privileged-state record.

Privileged 20211203 §3.1.6 to §3.1.15 and §3.3; §4.1 for the supervisor's half.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.hart import csrfile
from toyvm.hart import state as s
from toyvm.isa import causes, csr
from toyvm.jit import entry_kernel, inline_kernel, kernel

INTERRUPT: Final = causes.CAUSE_INTERRUPT
"""The top bit of mcause on RV32."""
_MPP_SHIFT: Final = csrfile.MPP_SHIFT
_MPP_MASK: Final = csrfile.MPP_MASK

WORD_ECALL: Final = 0x0000_0073
WORD_EBREAK: Final = 0x0010_0073
WORD_SRET: Final = 0x1020_0073
WORD_MRET: Final = 0x3020_0073
WORD_WFI: Final = 0x1050_0073

CAUSE_ILLEGAL: Final = causes.CAUSE_ILLEGAL_INSN
CAUSE_BREAKPOINT: Final = causes.CAUSE_BREAKPOINT
CAUSE_ECALL_U: Final = causes.CAUSE_ECALL_U


@entry_kernel
def take_trap(p, cause, tval):
    """Deliver a trap to the record: one step.  `cause` has bit 31 set for interrupts.

    PC must be that of the trapping (or not yet executed) instruction.  Returns effect bits.
    """
    number = cause & 31
    mode = p[s.MODE]
    delegated = p[s.MIDELEG] if cause & INTERRUPT else p[s.MEDELEG]
    status = p[s.MSTATUS]
    if mode <= s.MODE_S and (delegated >> number) & 1:
        p[s.SCAUSE] = cause
        p[s.SEPC] = p[s.PC]
        p[s.STVAL] = tval
        enabled = status & csr.MSTATUS_SIE
        status &= ~np.int64(csr.MSTATUS_SIE | csr.MSTATUS_SPIE | csr.MSTATUS_SPP)
        if enabled:
            status |= csr.MSTATUS_SPIE
        if mode == s.MODE_S:
            status |= csr.MSTATUS_SPP
        vector = p[s.STVEC]
        p[s.MODE] = s.MODE_S
    else:
        p[s.MCAUSE] = cause
        p[s.MEPC] = p[s.PC]
        p[s.MTVAL] = tval
        enabled = status & csr.MSTATUS_MIE
        status &= ~np.int64(csr.MSTATUS_MIE | csr.MSTATUS_MPIE | _MPP_MASK)
        if enabled:
            status |= csr.MSTATUS_MPIE
        status |= mode << _MPP_SHIFT
        vector = p[s.MTVEC]
        p[s.MODE] = s.MODE_M
    p[s.MSTATUS] = status
    target = vector & ~np.int64(3)
    if vector & 1 and cause & INTERRUPT:
        target += 4 * number
    p[s.PC] = target & s.MASK32
    p[s.RESERVATION] = -1
    p[s.STEPS] += 1
    p[s.NOT_RETIRED] += 1
    return np.int64(s.EFFECT_TRANSLATION | s.EFFECT_INTERRUPT)


@kernel
def mret(p):
    """Return from machine mode (§3.1.6.1); effect bits."""
    status = p[s.MSTATUS]
    mode = (status & _MPP_MASK) >> _MPP_SHIFT
    enabled = status & csr.MSTATUS_MPIE
    status &= ~np.int64(csr.MSTATUS_MIE | _MPP_MASK)
    status |= csr.MSTATUS_MPIE
    if enabled:
        status |= csr.MSTATUS_MIE
    if mode != s.MODE_M:
        status &= ~np.int64(csr.MSTATUS_MPRV)
    p[s.MSTATUS] = status
    p[s.MODE] = mode
    p[s.PC] = p[s.MEPC]
    return np.int64(s.EFFECT_TRANSLATION | s.EFFECT_INTERRUPT)


@kernel
def sret(p):
    """Return from supervisor mode (§4.1.1); effect bits."""
    status = p[s.MSTATUS]
    mode = np.int64(s.MODE_S) if status & csr.MSTATUS_SPP else np.int64(s.MODE_U)
    enabled = status & csr.MSTATUS_SPIE
    status &= ~np.int64(csr.MSTATUS_SIE | csr.MSTATUS_SPP | csr.MSTATUS_MPRV)
    status |= csr.MSTATUS_SPIE
    if enabled:
        status |= csr.MSTATUS_SIE
    p[s.MSTATUS] = status
    p[s.MODE] = mode
    p[s.PC] = p[s.SEPC]
    return np.int64(s.EFFECT_TRANSLATION | s.EFFECT_INTERRUPT)


@kernel
def _trap(p, cause, tval):
    """Report a trap without delivering it."""
    p[s.CAUSE] = cause
    p[s.TVAL] = tval
    return np.int64(s.EFFECT_TRAP)


@inline_kernel
def _csr_instruction(p, x, word):
    """CSRRW, CSRRS, CSRRC and their immediate forms (Unprivileged 20191213, chapter 9)."""
    number = (word >> 20) & 0xFFF
    function = (word >> 12) & 7
    source = (word >> 15) & 31
    rd = (word >> 7) & 31
    kind = function & 3
    # Whether it writes is decided by the register number, never by the value in it.
    writes = kind == 1 or source != 0
    if not csrfile.csr_legal(p, number, writes):
        return _trap(p, np.int64(CAUSE_ILLEGAL), word)
    operand = source if function & 4 else np.int64(x[np.uint64(source)])
    old = csrfile.csr_read(p, number)
    effects = np.int64(0)
    if writes:
        base = old
        if number == csr.MIP:
            # A read-modify-write of mip uses the software bits, not the lines (§3.1.9).
            base = p[s.MIP]
        if kind == 1:
            new = operand
        elif kind == 2:
            new = base | operand
        else:
            new = base & ~operand
        effects = csrfile.csr_write(p, number, new & s.MASK32)
    if rd != 0:
        x[np.uint64(rd)] = np.uint32(old)
    return effects


@kernel
def system(p, x, word):
    """Execute one SYSTEM instruction on a record; effect bits.

    `word` is the instruction, x the registers (uint32).  If it retires, PC, STEPS and rd are
    updated; with EFFECT_TRAP or EFFECT_SBI nothing has changed but CAUSE and TVAL.
    """
    mode = p[s.MODE]
    status = p[s.MSTATUS]
    illegal = np.int64(CAUSE_ILLEGAL)
    if word & 0x7F != 0x73:
        return _trap(p, illegal, word)
    if (word >> 12) & 7 != 0:
        if (word >> 12) & 7 == 4:
            return _trap(p, illegal, word)
        effects = _csr_instruction(p, x, word)
        if effects & s.EFFECT_TRAP == 0:
            p[s.PC] = (p[s.PC] + 4) & s.MASK32
            p[s.STEPS] += 1
        return effects
    if word == WORD_ECALL:
        if mode == s.MODE_S and p[s.SBI] != 0:
            return np.int64(s.EFFECT_SBI)
        return _trap(p, CAUSE_ECALL_U + mode, np.int64(0))
    if word == WORD_EBREAK:
        return _trap(p, np.int64(CAUSE_BREAKPOINT), p[s.PC])
    if word == WORD_MRET:
        if mode != s.MODE_M:
            return _trap(p, illegal, word)
        p[s.STEPS] += 1
        return mret(p)
    if word == WORD_SRET:
        if mode == s.MODE_U or (mode == s.MODE_S and status & csr.MSTATUS_TSR != 0):
            return _trap(p, illegal, word)
        p[s.STEPS] += 1
        return sret(p)
    if word == WORD_WFI:
        if mode == s.MODE_U or (mode == s.MODE_S and status & csr.MSTATUS_TW != 0):
            return _trap(p, illegal, word)
        p[s.PC] = (p[s.PC] + 4) & s.MASK32
        p[s.STEPS] += 1
        if csrfile.mip_now(p) & p[s.MIE] == 0:
            return np.int64(s.EFFECT_WFI)
        return np.int64(s.EFFECT_INTERRUPT)
    if word & 0xFE00_7FFF == 0x1200_0073:
        if mode == s.MODE_U or (mode == s.MODE_S and status & csr.MSTATUS_TVM != 0):
            return _trap(p, illegal, word)
        source = (word >> 15) & 31
        p[s.FENCE_VA] = np.int64(x[np.uint64(source)]) if source else np.int64(-1)
        space = (word >> 20) & 31
        p[s.FENCE_ASID] = np.int64(x[np.uint64(space)]) & 0x1FF if space else np.int64(-1)
        p[s.PC] = (p[s.PC] + 4) & s.MASK32
        p[s.STEPS] += 1
        return np.int64(s.EFFECT_FENCE)
    return _trap(p, illegal, word)
