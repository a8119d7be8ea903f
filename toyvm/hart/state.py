"""The privileged-state record: one int64 array that holds everything privileged of one hart.

The kernels of `csrfile`, `trap` and `mmu` read and write nothing but such a record (and RAM
through a frame map).  A bare hart passes its own record, the hypervisor passes the record of a
vCPU: one semantics, applied twice.  Names are indices: `p[s.MSTATUS]`.

Owners: the kernels own the CSRs; devices own LINES and TIMECMP through the machine; the machine
owns the configuration and the stop fields.  Addresses and register values are stored zero-extended.
"""

from __future__ import annotations

from typing import Final

# -- control flow -----------------------------------------------------------------------------
PC: Final = 0
MODE: Final = 1
"""0 = U, 1 = S, 3 = M."""

# -- CSRs (Privileged 20211203, chapters 3 and 4) ----------------------------------------------
MSTATUS: Final = 2
MEDELEG: Final = 3
MIDELEG: Final = 4
MIE: Final = 5
MIP: Final = 6
"""Only the software-writable bits SSIP, STIP and SEIP; see `csrfile.mip_now`."""
LINES: Final = 7
"""Interrupt lines of the devices: MSIP, MEIP and SEIP in their mip positions."""
MTVEC: Final = 8
MSCRATCH: Final = 9
MEPC: Final = 10
MCAUSE: Final = 11
MTVAL: Final = 12
MCOUNTEREN: Final = 13
MCOUNTINHIBIT: Final = 14
MENVCFG: Final = 15
STVEC: Final = 16
SSCRATCH: Final = 17
SEPC: Final = 18
SCAUSE: Final = 19
STVAL: Final = 20
SATP: Final = 21
SCOUNTEREN: Final = 22
SENVCFG: Final = 23
MHARTID: Final = 24

# -- the clock (docs/architecture.md, "Time") --------------------------------------------------
STEPS: Final = 25
"""Steps so far: instructions retired plus traps delivered."""
NOT_RETIRED: Final = 26
"""Traps delivered: STEPS - NOT_RETIRED is the number of retired instructions."""
IDLE: Final = 27
"""Steps that `wfi` slept or other harts made: they move mtime, not this hart's mcycle."""
TIME_OFFSET: Final = 28
"""Ticks added to mtime (written through the CLINT)."""
TIMECMP: Final = 29
"""mtimecmp in ticks: all 64 bits, compared as unsigned."""
STIMECMP: Final = 30
"""Supervisor deadline in ticks (SBI set_timer, or stimecmp with Sstc), as TIMECMP."""
STIMER_ON: Final = 31
"""1 if STIP follows STIMECMP instead of being a software bit."""
CYCLE_OFFSET: Final = 32
"""mcycle - STEPS; the frozen value itself while mcountinhibit.CY is set."""
INSTRET_OFFSET: Final = 33
"""minstret - retired; the frozen value itself while mcountinhibit.IR is set."""

# -- configuration -----------------------------------------------------------------------------
SBI: Final = 34
"""1 if a built-in SBI takes the ecalls of S-mode."""
PMP_COUNT: Final = 35
"""Implemented PMP entries: 0 to 16; those above read as zero and ignore writes."""
DELIVER: Final = 36
"""1: traps are delivered to this record.  0: every trap leaves `execute` (a guest's exit).
2: those that MEDELEG and MIDELEG delegate are delivered, the others leave."""
RESERVATION: Final = 37
"""Physical address (in the machine's own RAM) of the reserved word, -1 if none."""
SSTC: Final = 38
"""1 if there is a stimecmp register (Sstc)."""
AD_FAULT: Final = 39
"""1: an access that needs A or D set in the page table faults.  0: the hart sets them."""

# -- results of a kernel, read by its caller ---------------------------------------------------
CAUSE: Final = 40
"""Cause of the trap that a kernel reports."""
TVAL: Final = 41
"""Its trap value."""
WORD: Final = 42
"""Instruction bits at the trap, 0 for a fetch."""
VALUE: Final = 43
"""Value that an access kernel loaded, sign-extended as the instruction asks."""
FENCE_VA: Final = 44
"""Address of an sfence.vma, -1 for all."""
MMIO_PA: Final = 45
MMIO_WIDTH: Final = 46
MMIO_WRITE: Final = 47
MMIO_VALUE: Final = 48
"""Store: the value.  Load: 1 if the result is sign-extended."""
MMIO_RD: Final = 49
WATCH_HIT: Final = 50
"""Address of a watched access that has just been done, -1 if none."""
FENCE_ASID: Final = 51
"""Address space of an sfence.vma, -1 for all."""

# -- the hart's own housekeeping ----------------------------------------------------------------
FETCH_BASE: Final = 52
"""First TLB entry of the context that fetches use."""
DATA_BASE: Final = 53
"""First TLB entry of the context that loads and stores use."""
NEXT_CONTEXT: Final = 54
NEXT_SLOT: Final = 55
SUPERPAGES: Final = 58
"""1 once a megapage has been translated: fences then drop everything."""
FORGETS: Final = 59
"""How often the decoded words were all forgotten: a hart that shares them must notice."""
MENVCFGH: Final = 60
"""The upper half of menvcfg: bit STCE, with Sstc."""
BREAKPOINTS: Final = 56
"""How many of the BREAK fields are in use."""
WATCHES: Final = 57
"""How many of the WATCH fields are in use."""
CONTEXT_TAGS: Final = 64
"""16 tags of TLB contexts, 0 = empty."""
PMPCFG: Final = 80
"""16 configuration bytes, one a field."""
PMPADDR: Final = 96
"""16 addresses, bits 33:2 of the physical address each."""
BREAK: Final = 112
"""32 breakpoint addresses."""
WATCH: Final = 144
"""16 times (first address, last address, kinds: 1 load, 2 store)."""

FIELDS: Final = 192
"""Length of a record."""

# -- effect bits: what the caller of a kernel must do next -------------------------------------
EFFECT_TRANSLATION: Final = 1
"""mode, satp or a status bit that translation depends on has changed."""
EFFECT_INTERRUPT: Final = 2
"""an interrupt may have become deliverable."""
EFFECT_TIMER: Final = 4
"""a deadline has changed."""
EFFECT_PMP: Final = 8
"""physical memory protection has changed: nothing cached may be used."""
EFFECT_COUNTER: Final = 16
"""a counter was written."""
EFFECT_TRAP: Final = 32
"""the instruction traps: CAUSE and TVAL tell."""
EFFECT_WFI: Final = 64
"""wfi retired with nothing pending."""
EFFECT_FENCE: Final = 128
"""sfence.vma retired: FENCE_VA tells."""
EFFECT_SBI: Final = 256
"""an ecall for the built-in SBI; nothing has changed yet."""

MODE_U: Final = 0
MODE_S: Final = 1
MODE_M: Final = 3

NEVER: Final = 1 << 62
"""A number of steps that no hart reaches: no deadline."""
NO_TIME: Final = -1
"""The last tick there is, unsigned: a TIMECMP that does not come."""
MASK32: Final = 0xFFFF_FFFF
