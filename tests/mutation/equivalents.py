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
_NO_NUMBER_0 = "no interrupt has number 0 (manual, table 3.6), so -1 is all that is below 1"
_ONE_SET = "`tlb.flush_address` goes by bits 19:12 of the address alone, and these are higher ones"
_ONLY_DATA = "loads, stores and atomics fault with 13 or 15; 12 is of a fetch"
_SET_FIRST = "the loop sets it before anything reads it; here it only has to be negative"

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
    "hypervisor.shadow.fill: `pa >= 0` with Gt (1)": _NOTHING_AT_0,
    "hypervisor.shadow.sync: `pa < 0` with LtE": _NOTHING_AT_0,
    "hypervisor.shadow.touch: 0 + 1": _NOTHING_AT_0,
    "hypervisor.shadow.touch: `pa < 0` with LtE": _NOTHING_AT_0,
    "hypervisor.mmio.access_for_guest: 0 + 1": (
        "where a word stands in its page matters to branches alone, and these are not done here"
    ),
    "hypervisor.mmio.access_for_guest: 12 + 1": _ONLY_DATA,
    "hypervisor.mmio.access_for_guest: `v[s.CAUSE] >= 12` with Gt": _ONLY_DATA,
    "hypervisor.reflect.inject: 0 + 1": _NO_NUMBER_0,
    "hypervisor.reflect.inject: `cause < 0` with LtE": _NO_NUMBER_0,
    "hypervisor.shadow._new_table: 0 + 1 (1)": _NOTHING_AT_0,
    "hypervisor.shadow._new_table: `guest >= 0` with Gt": _NOTHING_AT_0,
    "hypervisor.shadow._root_tag: 0 + 1 (1)": "bit 0 is set in every tag (`tlb.context_tag`)",
    "hypervisor.shadow._withdraw_writes: `pte & sv32.PTE_W` with BitOr": (
        "an entry without W is stored again as it is"
    ),
    "hypervisor.shadow.fill: 0 + 1 (10)": "bit 0 is V, which the entry gets anyway",
    "hypervisor.shadow.fill: 0 + 1 (2)": _NOTHING_AT_0,
    "hypervisor.shadow.fill: 0 + 1 (9)": _NOTHING_AT_0,
    "hypervisor.shadow.fill: 1 + 1": _SET_FIRST,
    "hypervisor.shadow.fill: 1 + 1 (1)": _SET_FIRST,
    "hypervisor.shadow.fill: `pa >= 0` with Gt": _NOTHING_AT_0,
    "hypervisor.shadow.sync: 0 + 1": _NOTHING_AT_0,
    "hypervisor.shadow.sync: 1 + 1 (1)": _ONE_SET,
    "hypervisor.shadow.sync: 22 + 1": _ONE_SET,
    "hypervisor.shadow.sync: `below - 1 << 22` with RShift": _ONE_SET,
    "hypervisor.shadow.sync: `below - 1` with Add": _ONE_SET,
    "hypervisor.vcpu._prepare: `deadline < end` with LtE": "equal steps are the same step",
    "hypervisor.vcpu.run: 0 + 1": "it is read only where `clock` has set it",
}
