"""Reflect: the trap is the guest's own, so its own handler gets it.

Nothing here but the hart's `take_trap`, applied to the vCPU's record.
"""

from __future__ import annotations

import numpy as np

from toyvm.hart import csrfile, trap
from toyvm.hart import state as s
from toyvm.jit import kernel


@kernel
def reflect(h, g, cause, tval):
    """Deliver a trap to the vCPU: virtual CSRs, mode and pc change, the reservation goes."""
    trap.take_trap(g.p, cause, tval)
    h.p[s.RESERVATION] = -1


@kernel
def inject(h, g):
    """Deliver the most urgent deliverable virtual interrupt; True if there was one."""
    cause = csrfile.pending_interrupt(g.p)
    if cause < 0:
        return False
    reflect(h, g, cause | trap.INTERRUPT, np.int64(0))
    return True
