"""Mutants that no test can kill, because they do the same: name and why.

A mutant is named as `Mutant.name` does.  It is judged like all others; one that is killed has no
place here, and a test says so of names that no longer exist.  What a guest cannot notice but a
clock can (a cache that is emptied too often) does not belong here: it is a survivor.
"""

from __future__ import annotations

_NEGATIVE = "every caller asks whether it is negative, and it is"
_NEVER_DUE = "a deadline that comes after now is at least one tick away, so 0 does not come up"
_NOTHING_AT_0 = "only for physical address 0, where nothing lies: an access fault either way"
_NO_RIGHTS = "a leaf with neither R nor X allows nothing (W alone is refused next): a page fault"
_FRAME_0 = "host frame 0 never belongs to a VM (`Vm._refill` leaves it out), so no offset is 0"
_UNUSED = "where the walk fails, callers use the address alone"

EQUIVALENT: dict[str, str] = {
    "hart.csrfile._pmp_read: `number > PMPCFG3 or first >= p[s.PMP_COUNT]` with And": (
        "what it would read are fields of entries that are not there, which nothing ever writes"
    ),
    "hart.csrfile._ticks_until: 0 + 1": _NEVER_DUE,
    "hart.csrfile._ticks_until: `ticks < 0` with LtE": _NEVER_DUE,
    "hart.csrfile.deadline_step: `other < ticks` with LtE": "equal times are the same time",
    "hart.csrfile.pending_interrupt: 1 + 1 (1)": _NEGATIVE,
    "hart.csrfile.pending_interrupt: 1 + 1 (2)": _NEGATIVE,
    "hart.mmu.pmp_range: `entry > 0` with GtE": (
        "what lies before the first address is the last configuration byte, shifted by 10 to 0"
    ),
    "hart.mmu.pmp_range: 1 + 1 (2)": "ones + 1 is a multiple of 1024, so one more is shifted out",
    "hart.mmu.pmp_range: 0 + 1 (2)": "pages from 1 to 0 are as few as those from 0 to 0",
    "hart.mmu.walk_sv32: `pte & (sv32.PTE_R | sv32.PTE_X)` with BitOr": _NO_RIGHTS,
    "hart.mmu.walk_sv32: 0 + 1 (3)": _NO_RIGHTS,
    "hart.mmu.walk_sv32: 4 + 1": "one more decoded word is forgotten, and decoded again",
    "hart.mmu.translate: `pa < 0` with LtE": _NOTHING_AT_0,
    "hart.mmu.translate: 0 + 1 (1)": _NOTHING_AT_0,
    "hart.trap.take_trap: 1 + 1 (2)": "any negative offset means that no word is reserved",
    "hypervisor.shadow._new_table: `offset >= 0` with Gt": _FRAME_0,
    "hypervisor.shadow.fill: `pa >= 0` with Gt (1)": _NOTHING_AT_0,
    "hypervisor.shadow.look: 0 + 1 (6)": _UNUSED,
    "hypervisor.shadow.look: 0 + 1 (7)": _UNUSED,
    "hypervisor.shadow.sync: `pa < 0` with LtE": _NOTHING_AT_0,
    "hypervisor.shadow.touch: 0 + 1": _NOTHING_AT_0,
    "hypervisor.shadow.touch: `pa < 0` with LtE": _NOTHING_AT_0,
    "hypervisor.vcpu.run: `v[s.STEPS] < until` with LtE": (
        "entered with no step left, the hart comes back at once and the loop prepares again"
    ),
}
