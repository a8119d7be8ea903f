"""The arrays of a hart and their Python face."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from toyvm import platform
from toyvm.hart import access, decode, execute, mmu, ops, tlb
from toyvm.hart import state as s
from toyvm.isa import csr, sv32
from toyvm.jit import address_in_python

DEFAULT_TIER: Final = 2
"""1: the loop interprets everything.  2: hot code is translated to machine code as well."""
DECODE_SLOTS: Final = 192
"""Pages of decoded words a hart keeps (8,200 bytes each, touched when used)."""


#: States of a hart, as numbered by SBI 1.0, chapter 9 (HSM); without firmware all are started.
STARTED: Final = 0
STOPPED: Final = 1
SUSPENDED: Final = 4


def new_record(
    hart_id: int = 0, pmp: int = 16, sstc: bool = False, ad_fault: bool = False
) -> np.ndarray:
    """A privileged-state record after reset: int64[state.FIELDS] (Privileged 20211203 §3.4)."""
    record = np.zeros(s.FIELDS, dtype=np.int64)
    record[s.PC] = platform.RAM_BASE
    record[s.MODE] = s.MODE_M
    record[s.MHARTID] = hart_id
    record[s.TIMECMP] = s.NO_TIME
    record[s.SSTC] = int(sstc)
    record[s.AD_FAULT] = int(ad_fault)
    record[s.PMP_COUNT] = pmp
    record[s.DELIVER] = 1
    record[s.RESERVATION] = -1
    record[s.WATCH_HIT] = -1
    return record


def prepare_for_sbi(record: np.ndarray, pc: int) -> None:
    """Put a fresh record where an SBI firmware leaves it: S-mode, traps delegated, PMP open."""
    record[s.SBI] = 1
    record[s.STIMER_ON] = 1
    record[s.STIMECMP] = s.NO_TIME
    if record[s.SSTC]:
        record[s.MENVCFGH] = csr.ENVCFGH_STCE
    record[s.MODE] = s.MODE_S
    record[s.PC] = pc
    record[s.MEDELEG] = csr.MEDELEG_MASK & ~(1 << 9)
    record[s.MIDELEG] = csr.MIDELEG_MASK
    record[s.MCOUNTEREN] = csr.COUNTEREN_MASK
    if record[s.PMP_COUNT]:
        record[s.PMPCFG] = 0x1F  # NAPOT, R, W, X
        record[s.PMPADDR] = 0xFFFF_FFFF


class Hart:
    """One hart: registers, privileged-state record, TLB and decoded words over a machine's RAM.

    `ram` is uint8[n], `fmap` int32[pages]: see `mmu`.  Everything a kernel needs is in `core`.
    Harts of one machine share RAM and decoded words: the first one is the `sibling` of the others,
    and whoever runs must `adopt` what the hart before it left.
    """

    def __init__(
        self,
        ram: np.ndarray,
        fmap: np.ndarray,
        hart_id: int = 0,
        pmp: int = 16,
        sibling: Hart | None = None,
    ) -> None:
        self.x = np.zeros(256, dtype=np.uint32)
        self.registers = self.x.data
        """As `fields`, of the registers."""
        self.p = new_record(hart_id, pmp)
        self.waiting = False
        """True while it sleeps in wfi."""
        self.state = STARTED
        """STARTED, STOPPED (it does not run) or SUSPENDED (by its firmware, until an interrupt)."""
        self.translator: Any = sibling.translator if sibling else None
        """Tier 2, if it is on, of all harts that share decoded words: see `set_tier`."""
        self.core: access.Core = access.make_core(
            x=self.x,
            p=self.p,
            tlb=np.full(tlb.ENTRIES, tlb.EMPTY, dtype=np.int64),
            dec=(
                sibling.core.dec
                if sibling
                else np.zeros(DECODE_SLOTS * ops.SLOT_ENTRIES + ops.REGION_TABLE, dtype=np.int64)
            ),
            slots=sibling.core.slots if sibling else np.zeros(len(ram) >> 12, dtype=np.int32),
            ram=ram,
            fmap=fmap,
        )
        self._watch(self.p, partial(execute.execute, address_in_python(self.core.table)))

    def _watch(self, record: np.ndarray, enter: Callable[[int], int]) -> None:
        """What the guest sees is `record`, and `enter` runs it."""
        self.record = record
        """What the guest sees as this hart's privileged state: of a vCPU, not the real hart's."""
        self.fields = record.data
        """The record for who reads single fields: an element of an array takes longer."""
        self.enter = enter
        """Run compiled code until STEPS == its argument or an exit: an `events.EXIT_` code."""

    def run(self, end: int) -> int:
        """Run until STEPS == `end`, an exit or a sample; returns an `events.EXIT_` code."""
        code = int(self.enter(self.limit(self.fields[s.STEPS], end)))
        self.sample()
        return code

    def set_tier(self, tier: int) -> str:
        """1: only the loop.  2: hot code is translated, where this computer can do that.

        Returns why it cannot, "" if it does what was asked; ValueError for any other tier.
        """
        if self.translator is not None:
            self.flush()
            self.translator = None
        if tier not in (1, 2):
            raise ValueError(f"tier {tier}: expected 1 (interpreter) or 2 (translation as well)")
        if tier == 1:
            return ""
        from toyvm.hart.translate.backend import unavailable
        from toyvm.hart.translate.translator import Translator

        reason = unavailable()
        if not reason:
            self.translator = Translator(self.core.dec, self.core.ram)
        return reason

    def limit(self, steps: int, end: int) -> int:
        """Where a run that begins at `steps` stops for a sample at the latest; `end` in tier 1."""
        return end if self.translator is None else self.translator.limit(steps, end)

    def sample(self) -> None:
        """A run has ended: tier 2 looks where."""
        if self.translator is not None:
            self.translator.sample(self)

    def adopt(self, before: Hart) -> None:
        """Take over from `before`, a hart of the same machine that has run until now."""
        if before.core.dec is self.core.dec:
            done, forgets = before.p[s.NEXT_SLOT], before.p[s.FORGETS]
            tlb.adopt_slots(self.p, self.core.tlb, self.core.dec, done, forgets)

    def invalidate(self, offset: int, length: int) -> None:
        """A device has written bytes [offset, offset + length) of RAM."""
        core = self.core
        decode.invalidate(core.dec, core.slots, np.int64(offset), np.int64(length))
        self.release(offset, length)

    def release(self, offset: int, length: int) -> None:
        """Somebody else has written these bytes of RAM: a reservation there is gone."""
        reserved = int(self.p[s.RESERVATION])
        if reserved >= 0 and reserved < offset + length and offset < reserved + 4:
            self.p[s.RESERVATION] = -1

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before these virtual addresses (at most 32): `events.EXIT_BREAK`."""
        if len(addresses) > 32:
            raise ValueError(f"{len(addresses)} breakpoints; a hart has 32. Delete some.")
        self.p[s.BREAKPOINTS] = len(addresses)
        for i, address in enumerate(addresses):
            self.p[s.BREAK + i] = address & s.MASK32
        self.flush()

    def set_watchpoints(self, ranges: list[tuple[int, int, int]]) -> None:
        """Stop after accesses to (address, length, kinds: 1 load, 2 store, 3 both); at most 16."""
        if len(ranges) > 16:
            raise ValueError(f"{len(ranges)} watchpoints; a hart has 16. Delete some.")
        self.p[s.WATCHES] = len(ranges)
        for i, (address, length, kinds) in enumerate(ranges):
            field = s.WATCH + 3 * i
            self.p[field : field + 3] = (address, address + length - 1, kinds)
        self.flush()

    def flush(self) -> None:
        """Forget decoded words and translations."""
        core = self.core
        if self.translator is not None:
            self.translator.forget()
        decode.forget_slots(self.p, core.dec, core.slots)
        tlb.flush_all(self.p, core.tlb)


def peek(record: np.ndarray, fmap: np.ndarray, ram: np.ndarray, va: int) -> int:
    """Physical address that a load from `va` would reach by `record`, without side effects.

    Negative if it would fault.  A debugger's view: A and D bits stay, PMP is not asked.
    """
    mode = int(mmu.data_mode(record))
    if mode == s.MODE_M or not int(record[s.SATP]) & csr.SATP_MODE:
        return va
    return _walk_read_only(record, fmap, ram, va)


def _walk_read_only(record: np.ndarray, fmap: np.ndarray, ram: np.ndarray, va: int) -> int:
    """Sv32 without permissions: where `va` is mapped to, negative if it is not."""
    table = (int(record[s.SATP]) & csr.SATP_PPN) << 12
    for shift in (22, 12):
        offset = int(mmu.frame_offset(fmap, np.int64(table + ((va >> shift) & 1023) * 4)))
        if offset < 0:
            return mmu.ACCESS_FAULT
        pte = int.from_bytes(ram[offset : offset + 4].tobytes(), "little")
        if not pte & sv32.PTE_V:
            return mmu.PAGE_FAULT
        table = (pte >> sv32.PTE_PPN_SHIFT) << 12
        if pte & (sv32.PTE_R | sv32.PTE_W | sv32.PTE_X):
            inside = (1 << shift) - 1
            return (table & ~inside) | (va & inside)
    return mmu.PAGE_FAULT
