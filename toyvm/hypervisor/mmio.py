"""Loads and stores done for the guest: devices, virtual MPRV, what crosses out of RAM.

The instruction that faulted is decoded and done by the hart's own `access` kernels on the guest's
record and frame map (`g`), so a guest's access has one meaning, natively or here.
"""

from __future__ import annotations

import numpy as np

from toyvm.hart import access, decode, events, mmu, ops
from toyvm.hart import state as s
from toyvm.hypervisor import reflect
from toyvm.jit import kernel


@kernel
def access_for_guest(h, g, word):
    """Do the load, store or atomic `word` for the vCPU; a status of `access`.

    OK: retired.  TRAP: reflected.  MMIO: the board must do it (fields MMIO_ of the vCPU).
    """
    v = g.p
    d = decode.decode_word(word, np.int64(0))
    code = d & 63
    atomic = code == ops.RARE and (d >> 32) & 255 == events.EVENT_ATOMIC
    if not (ops.LB <= code <= ops.SW or atomic):
        # The word was changed under us by its own page: run it again.
        return np.int64(access.OK)
    va = np.int64(g.x[np.uint64((d >> ops.RS1_SHIFT) & 31)])
    if not atomic:
        va = (va + (d >> 32)) & s.MASK32
    v[s.RESERVATION] = h.p[s.RESERVATION]
    status = events.memory_instruction(g, d, va)
    h.p[s.RESERVATION] = v[s.RESERVATION]
    if status == access.TRAP:
        reflect.reflect(h, g, v[s.CAUSE], v[s.TVAL])
    return status


@kernel
def kind_of_fault(cause):
    """The access that a page fault cause (12, 13, 15) stands for."""
    if cause == 12:
        return np.int64(mmu.FETCH)
    return np.int64(mmu.LOAD) if cause == 13 else np.int64(mmu.STORE)
