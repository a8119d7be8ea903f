"""The arrays of a hart and their Python face."""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm import platform
from toyvm.hart import access, csrfile, decode, execute, mmu, ops, tlb
from toyvm.hart import state as s
from toyvm.isa import csr

DECODE_SLOTS: Final = 192
"""Pages of decoded words a hart keeps (8,200 bytes each, touched when used)."""


def new_record(hart_id: int = 0, pmp: int = 16) -> np.ndarray:
    """A privileged-state record after reset: int64[state.FIELDS] (Privileged 20211203 §3.4)."""
    record = np.zeros(s.FIELDS, dtype=np.int64)
    record[s.PC] = platform.RAM_BASE
    record[s.MODE] = s.MODE_M
    record[s.MHARTID] = hart_id
    record[s.TIMECMP] = s.NEVER
    record[s.STIMECMP] = s.NEVER
    record[s.PMP_COUNT] = pmp
    record[s.DELIVER] = 1
    record[s.RESERVATION] = -1
    record[s.WATCH_HIT] = -1
    return record


def prepare_for_sbi(record: np.ndarray, pc: int) -> None:
    """Put a fresh record where an SBI firmware leaves it: S-mode, traps delegated, PMP open."""
    record[s.SBI] = 1
    record[s.STIMER_ON] = 1
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
    """

    def __init__(
        self, ram: np.ndarray, fmap: np.ndarray, hart_id: int = 0, pmp: int = 16
    ) -> None:
        self.x = np.zeros(64, dtype=np.uint32)
        self.p = new_record(hart_id, pmp)
        self.core = access.Core(
            x=self.x,
            p=self.p,
            tlb=np.full(tlb.ENTRIES, tlb.EMPTY, dtype=np.int64),
            dec=np.zeros(DECODE_SLOTS * ops.SLOT_ENTRIES, dtype=np.int64),
            slots=np.full(len(ram) >> 12, -1, dtype=np.int32),
            ram=ram,
            fmap=fmap,
        )

    def run(self, end: int) -> int:
        """Run until STEPS == `end` or an exit; returns an `execute.EXIT_` code."""
        return int(execute.execute(self.core, np.int64(end)))

    def deadline(self) -> int:
        """STEPS at which the next timer becomes pending (`state.NEVER` if none does)."""
        return int(csrfile.deadline_step(self.p))

    def pending(self) -> int:
        """mip & mie: what would wake a wfi."""
        return int(csrfile.mip_now(self.p) & self.p[s.MIE])

    def invalidate(self, offset: int, length: int) -> None:
        """A device has written bytes [offset, offset + length) of RAM."""
        core = self.core
        decode.invalidate(core.dec, core.slots, np.int64(offset), np.int64(length))
        reserved = int(self.p[s.RESERVATION])
        if reserved >= 0 and reserved < offset + length and offset < reserved + 4:
            self.p[s.RESERVATION] = -1

    def set_breakpoints(self, addresses: list[int]) -> None:
        """Stop before these virtual addresses (at most 32): `execute.EXIT_BREAK`."""
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
        decode.forget_slots(self.p, core.dec, core.slots)
        tlb.flush_all(self.p, core.tlb)

    def translate(self, va: int, kind: int = mmu.LOAD) -> int:
        """Physical address of `va` without side effects; negative if the access would fault.

        Works on a copy: A and D bits and MPRV stay as they are.
        """
        core = self.core
        record = self.p.copy()
        mode = mmu.data_mode(record)
        if mode == s.MODE_M or not int(record[s.SATP]) & csr.SATP_MODE:
            return va
        return peek_sv32(record, core.fmap, core.ram, va, kind, int(mode))


def peek_sv32(
    record: np.ndarray, fmap: np.ndarray, ram: np.ndarray, va: int, kind: int, mode: int
) -> int:
    """`mmu.walk_sv32` that writes nothing: for debuggers.  Negative if the access would fault."""
    walk_ram = ram
    no_slots = np.full(1, -1, dtype=np.int32)
    touched: list[tuple[int, int]] = []
    table = (int(record[s.SATP]) & csr.SATP_PPN) << 12
    for shift in (22, 12):
        pte_pa = table + ((va >> shift) & 1023) * 4
        offset = int(mmu.frame_offset(fmap, np.int64(pte_pa)))
        if offset < 0:
            break
        pte = int.from_bytes(walk_ram[offset : offset + 4].tobytes(), "little")
        touched.append((offset, pte))
        table = (pte >> 10) << 12
        if pte & 0b1110:
            break
    # Every touched table is within the first bytes of RAM the walk itself would write: put the
    # words back afterwards.
    slots = np.full(max(1, len(ram) >> 12), -1, dtype=np.int32) if touched else no_slots
    dec = np.zeros(1, dtype=np.int64)
    result = int(
        mmu.walk_sv32(
            record, fmap, dec, slots, ram, np.int64(va), np.int64(kind), np.int64(mode)
        )
    )
    for offset, pte in touched:
        ram[offset : offset + 4] = np.frombuffer(pte.to_bytes(4, "little"), dtype=np.uint8)
    return result
