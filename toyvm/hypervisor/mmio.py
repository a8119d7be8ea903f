"""Loads and stores done for the guest: devices, virtual MPRV, stores to protected tables.

The instruction that faulted is decoded and done by the hart's own `access` kernels on the guest's
record and frame map (`g`), so a guest's access has one meaning, natively or here.
"""

from __future__ import annotations

import numpy as np

from toyvm.hart import access, decode, events, mmu, ops
from toyvm.hart import state as s
from toyvm.hypervisor import reflect, shadow
from toyvm.jit import kernel


@kernel
def _touched(g, c, va, width):
    """Give frames to the RAM on the way to an access that failed, as `shadow.touch`."""
    mode = mmu.data_mode(g.p)
    got = shadow.touch(g, c, va, mode)
    if got == shadow.FAULT:
        got = shadow.touch(g, c, (va + width - 1) & s.MASK32, mode)
    return got


@kernel
def access_for_guest(h, g, c, word):
    """Do the load, store or atomic `word` for the vCPU; a status of `access`, or NO_FRAME.

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
    # Where the bytes will go, before they change what the address means.
    mode = mmu.data_mode(v)
    first, _, _, _ = shadow.look(g, va, mode)
    last, _, _, _ = shadow.look(g, (va + 3) & s.MASK32, mode)
    while True:
        v[s.RESERVATION] = h.p[s.RESERVATION]
        status = events.memory_instruction(g, d, va)
        h.p[s.RESERVATION] = v[s.RESERVATION]
        if status == access.OK:
            if c[shadow.PROTECT] and (atomic or code >= ops.SB):
                shadow.sync(h, c, first)
                shadow.sync(h, c, last)
            return status
        if status == access.TRAP and v[s.CAUSE] >= 12:
            break
        got = _touched(g, c, va, np.int64(4))
        if got == shadow.NO_FRAME:
            return got
        if got == shadow.FAULT:
            break
    if status == access.TRAP:
        reflect.reflect(h, g, v[s.CAUSE], v[s.TVAL])
    return status


@kernel
def kind_of_fault(cause):
    """The access that a page fault cause (12, 13, 15) stands for."""
    if cause == 12:
        return np.int64(mmu.FETCH)
    return np.int64(mmu.LOAD) if cause == 13 else np.int64(mmu.STORE)
