"""Emulate: a privileged instruction of a deprivileged kernel, done on the virtual record.

The instruction itself is the hart's own `trap.system`, applied to the vCPU.  What is left is to
answer the effect bits: where the bare hart re-points its TLB, we re-point the shadow root.
"""

from __future__ import annotations

import numpy as np

from toyvm.hart import state as s
from toyvm.hart import trap
from toyvm.hypervisor import ledger, reflect, shadow
from toyvm.jit import kernel


@kernel
def cause_of(word):
    """Ledger index of a SYSTEM instruction."""
    if (word >> 12) & 7:
        return np.int64(ledger.CSR)
    if word == trap.WORD_MRET:
        return np.int64(ledger.MRET)
    if word == trap.WORD_SRET:
        return np.int64(ledger.SRET)
    if word == trap.WORD_WFI:
        return np.int64(ledger.WFI)
    if word == trap.WORD_ECALL:
        return np.int64(ledger.ECALL)
    if word == trap.WORD_EBREAK:
        return np.int64(ledger.EBREAK)
    return np.int64(ledger.SFENCE)


@kernel
def answer(h, g, c, word, effects):
    """Answer the effects of `word`, which has been done on the vCPU; its ledger index."""
    v = g.p
    if effects & s.EFFECT_TRAP:
        cause = v[s.CAUSE]
        reflect.reflect(h, g, cause, v[s.TVAL])
        if cause == trap.CAUSE_ILLEGAL:
            return np.int64(ledger.ILLEGAL)
        return cause_of(word)
    if effects & s.EFFECT_SBI:
        return np.int64(ledger.SBI)
    if effects & s.EFFECT_FENCE:
        shadow.fence(h, g, c, v[s.FENCE_VA], v[s.FENCE_ASID])
    if effects & s.EFFECT_PMP:
        shadow.drop_all(h, c)
    # EFFECT_TRANSLATION: the next entry points at the root of the new context.
    # EFFECT_INTERRUPT: the next entry injects what has become deliverable.
    return cause_of(word)
