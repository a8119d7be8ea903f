"""Memory of the slow reference hart: PMP, Sv32, RAM, MMIO and reservations.

Written from the RISC-V manuals alone (privileged architecture, document
version 20211203; unprivileged ISA, version 20191213).  It shares no code and
no constant with the project, so that a mistake made there is not made here.

Addresses are plain ints: *va* is a 32-bit virtual address, *pa* a 34-bit
physical one (Sv32 makes 34-bit physical addresses; only the lower 4 GiB exist
here, what lies above answers with an access fault).
"""

from __future__ import annotations

from typing import Protocol

MASK32 = 0xFFFF_FFFF

# Privilege modes (privileged manual, table 1.1).
U, S, M = 0, 1, 3

# The three kinds of access, each with its access fault and its page fault
# (privileged manual, table 3.6).  AMO and SC count as STORE, LR as LOAD.
FETCH, LOAD, STORE = 0, 1, 2
ACCESS_FAULT = {FETCH: 1, LOAD: 5, STORE: 7}
PAGE_FAULT = {FETCH: 12, LOAD: 13, STORE: 15}
LOAD_MISALIGNED = 4
STORE_MISALIGNED = 6

# PTE bits (privileged manual, figure 4.18).
PTE_V, PTE_R, PTE_W, PTE_X, PTE_U, PTE_G, PTE_A, PTE_D = (1 << i for i in range(8))

# mstatus bits that change what an access may do.
MPRV, SUM, MXR = 1 << 17, 1 << 18, 1 << 19

# Address-matching modes of a PMP entry, bits 4:3 of its configuration byte.
PMP_OFF, PMP_TOR, PMP_NA4, PMP_NAPOT = 0, 1, 2, 3
PMP_R, PMP_W, PMP_X, PMP_L = 1, 2, 4, 0x80


class Trap(Exception):
    """A synchronous exception: its cause number and the value for xtval."""

    def __init__(self, cause: int, tval: int) -> None:
        super().__init__(f"cause {cause}, tval {tval:#010x}")
        self.cause = cause
        self.tval = tval & MASK32


class Mmio(Protocol):
    """What answers outside RAM.  ``None`` and ``False`` mean access fault."""

    def read(self, pa: int, width: int) -> int | None: ...

    def write(self, pa: int, width: int, value: int) -> bool: ...


class MemorySystem:
    """Loads, stores and fetches of one hart.  Mixed into ``NaiveHart``."""

    ram: bytearray
    ram_base: int
    ad_fault: bool
    mmio: Mmio | None
    mode: int
    mstatus: int
    satp: int
    pmpcfg: list[int]
    pmpaddr: list[int]
    pmp_entries: int
    reservation: int | None
    stores: list[tuple[int, int, int]]
    pieces: list[tuple[int, int]]

    # ---- physical memory -------------------------------------------------

    def in_ram(self, pa: int, width: int) -> bool:
        """True if all ``width`` bytes from ``pa`` are RAM."""
        return self.ram_base <= pa and pa + width <= self.ram_base + len(self.ram)

    def ram_read(self, pa: int, width: int) -> int:
        """Little-endian value of ``width`` bytes of RAM at ``pa``."""
        at = pa - self.ram_base
        return int.from_bytes(self.ram[at : at + width], "little")

    def ram_write(self, pa: int, width: int, value: int) -> None:
        """Store ``width`` bytes to RAM at ``pa``."""
        at = pa - self.ram_base
        self.ram[at : at + width] = value.to_bytes(width, "little")

    def dma_write(self, pa: int, data: bytes) -> None:
        """A device's store to RAM.  It ends a reservation it touches."""
        at = pa - self.ram_base
        if at < 0 or at + len(data) > len(self.ram):
            raise ValueError(f"DMA to {pa:#x}+{len(data)} leaves RAM")
        self.ram[at : at + len(data)] = data
        held = self.reservation
        if held is not None and pa < held + 4 and held < pa + len(data):
            self.reservation = None

    # ---- physical memory protection (privileged manual, 3.7) ---------------

    def pmp_region(self, i: int) -> tuple[int, int]:
        """First and last+1 byte address that entry ``i`` matches; empty if off.

        The grain is 4 KiB (G = 10): the low 10 bits of a TOR bound and the
        low 9 bits of a NAPOT address do not take part.
        """
        match_mode = (self.pmpcfg[i] >> 3) & 3
        if match_mode == PMP_TOR:
            low = self.pmpaddr[i - 1] & ~0x3FF if i else 0
            return low << 2, (self.pmpaddr[i] & ~0x3FF) << 2
        if match_mode == PMP_NAPOT:
            address = self.pmpaddr[i] | 0x1FF
            ones = 0
            while (address >> ones) & 1:
                ones += 1
            size = 1 << (ones + 3)
            base = (address << 2) & ~(size - 1)
            return base, base + size
        return 0, 0

    def pmp_changed(self) -> None:
        """Work out the regions again after a PMP register changed."""
        self._regions = [
            (*self.pmp_region(i), self.pmpcfg[i])
            for i in range(self.pmp_entries)
            if (self.pmpcfg[i] >> 3) & 3 != PMP_OFF
        ]
        self._some_locked = any(cfg & PMP_L for _, _, cfg in self._regions)

    def pmp_permits(self, pa: int, access: int, mode: int) -> bool:
        """Does PMP allow this access?  The lowest-numbered match decides.

        "If no PMP entry matches an M-mode access, the access succeeds.  If no
        PMP entry matches an S-mode or U-mode access, but at least one PMP
        entry is implemented, the access fails."
        """
        if mode == M and not self._some_locked:
            return True
        for low, high, cfg in self._regions:
            if low <= pa < high:
                if mode == M and not cfg & PMP_L:
                    return True
                need = (PMP_X, PMP_R, PMP_W)[access]
                return bool(cfg & need)
        return mode == M or self.pmp_entries == 0

    # ---- Sv32 (privileged manual, 4.3) --------------------------------------

    def data_mode(self) -> int:
        """The mode loads and stores are checked with: MPRV borrows MPP's."""
        if self.mstatus & MPRV:
            return (self.mstatus >> 11) & 3
        return self.mode

    def translate(self, va: int, access: int, mode: int) -> int:
        """Physical address of ``va``; sets A and D in the leaf PTE.

        Raises Trap with the page fault, or for a page table outside RAM or
        closed by PMP the access fault, of the original access type.
        """
        if mode == M or not self.satp >> 31:
            return va
        table = (self.satp & 0x3F_FFFF) << 12
        level = 1
        while True:
            vpn = (va >> (12 + 10 * level)) & 0x3FF
            pte_pa = table + 4 * vpn
            # The walk reads and writes PTEs with S-mode's permissions.
            if not self.in_ram(pte_pa, 4) or not self.pmp_permits(pte_pa, LOAD, S):
                raise Trap(ACCESS_FAULT[access], va)
            pte = self.ram_read(pte_pa, 4)
            if not pte & PTE_V or (pte & PTE_W and not pte & PTE_R):
                raise Trap(PAGE_FAULT[access], va)
            if pte & (PTE_R | PTE_X):
                break
            # "For non-leaf PTEs, the D, A, and U bits are reserved for future
            # standard use", and a set reserved bit raises a page fault.
            if pte & (PTE_D | PTE_A | PTE_U) or level == 0:
                raise Trap(PAGE_FAULT[access], va)
            table = (pte >> 10) << 12
            level -= 1
        if not self._leaf_allows(pte, access, mode):
            raise Trap(PAGE_FAULT[access], va)
        if level == 1 and (pte >> 10) & 0x3FF:
            raise Trap(PAGE_FAULT[access], va)
        wanted = pte | PTE_A | (PTE_D if access == STORE else 0)
        if wanted != pte:
            # "the implementation performs one of two operations: either a page-fault exception
            # is raised ... or" A and D are set (4.3.2, step 7).
            if self.ad_fault:
                raise Trap(PAGE_FAULT[access], va)
            if not self.pmp_permits(pte_pa, STORE, S):
                raise Trap(ACCESS_FAULT[access], va)
            self.ram_write(pte_pa, 4, wanted)
        page = (pte >> 10) << 12
        if level == 1:
            return page | (va & 0x3F_FFFF)
        return page | (va & 0xFFF)

    def _leaf_allows(self, pte: int, access: int, mode: int) -> bool:
        if mode == U and not pte & PTE_U:
            return False
        if mode == S and pte & PTE_U and (access == FETCH or not self.mstatus & SUM):
            return False
        if access == FETCH:
            return bool(pte & PTE_X)
        if access == STORE:
            return bool(pte & PTE_W)
        return bool(pte & PTE_R or (pte & PTE_X and self.mstatus & MXR))

    # ---- accesses --------------------------------------------------------------

    def fetch(self, pc: int) -> int:
        """The instruction word at ``pc``.  Only RAM can be executed."""
        pa = self.translate(pc, FETCH, self.mode)
        if not self.pmp_permits(pa, FETCH, self.mode) or not self.in_ram(pa, 4):
            raise Trap(ACCESS_FAULT[FETCH], pc)
        return self.ram_read(pa, 4)

    def _pieces(self, va: int, width: int, access: int) -> list[tuple[int, int]]:
        """(pa, bytes) of the access in each page it touches, all checked.

        A piece outside RAM is allowed only to a whole aligned access.  The
        fault's tval is the address of the first byte in the failing page.
        After a fault ``self.pieces`` holds what was found before it.
        """
        mode = self.data_mode()
        in_first = min(width, 0x1000 - (va & 0xFFF))
        self.pieces = pieces = []
        for start, count in ((va, in_first), (va + in_first & MASK32, width - in_first)):
            if count:
                pa = self.translate(start, access, mode)
                if not self.pmp_permits(pa, access, mode):
                    raise Trap(ACCESS_FAULT[access], start)
                if va % width and not self.in_ram(pa, count):
                    raise Trap(ACCESS_FAULT[access], start)
                pieces.append((pa, count))
        return pieces

    def load(self, va: int, width: int) -> int:
        """Unsigned value of ``width`` bytes (1, 2, 4) at ``va``."""
        pieces = self._pieces(va, width, LOAD)
        pa = pieces[0][0]
        if len(pieces) == 1 and not self.in_ram(pa, width):
            value = self.mmio.read(pa, width) if self.mmio and pa <= MASK32 else None
            if value is None:
                raise Trap(ACCESS_FAULT[LOAD], va)
            return value
        value, shift = 0, 0
        for pa, count in pieces:
            value |= self.ram_read(pa, count) << shift
            shift += 8 * count
        return value

    def store(self, va: int, width: int, value: int) -> None:
        """Store the low ``width`` bytes of ``value`` at ``va``."""
        value &= (1 << 8 * width) - 1
        pieces = self._pieces(va, width, STORE)
        pa = pieces[0][0]
        if len(pieces) == 1 and not self.in_ram(pa, width):
            done = self.mmio.write(pa, width, value) if self.mmio and pa <= MASK32 else False
            if not done:
                raise Trap(ACCESS_FAULT[STORE], va)
        else:
            rest = value
            for pa, count in pieces:
                self.ram_write(pa, count, rest & ((1 << 8 * count) - 1))
                rest >>= 8 * count
        self.stores.append((va, width, value))

    def _atomic_address(self, va: int, access: int) -> int:
        """Checked physical address of the RAM word an atomic works on."""
        if va % 4:
            raise Trap(LOAD_MISALIGNED if access == LOAD else STORE_MISALIGNED, va)
        mode = self.data_mode()
        pa = self.translate(va, access, mode)
        if not self.pmp_permits(pa, access, mode) or not self.in_ram(pa, 4):
            raise Trap(ACCESS_FAULT[access], va)
        return pa

    def load_reserved(self, va: int) -> int:
        """LR.W: the word at ``va``; the reservation is that word's pa."""
        pa = self._atomic_address(va, LOAD)
        self.reservation = pa
        return self.ram_read(pa, 4)

    def store_conditional(self, va: int, value: int) -> int:
        """SC.W: 0 if stored, 1 if not.  Either way the reservation ends.

        The address is translated and checked first, so that an SC that would
        fail can fault all the same.
        """
        pa = self._atomic_address(va, STORE)
        held, self.reservation = self.reservation, None
        if held != pa:
            return 1
        self.ram_write(pa, 4, value)
        self.stores.append((va, 4, value))
        return 0

    def amo_read(self, va: int) -> int:
        """First half of an AMO: the word at ``va``, checked as a store."""
        return self.ram_read(self._atomic_address(va, STORE), 4)

    def amo_write(self, va: int, value: int) -> None:
        """Second half of an AMO: the same address again, which cannot fail."""
        self.ram_write(self._atomic_address(va, STORE), 4, value)
        self.stores.append((va, 4, value))
