"""Looking into a computer and changing it by hand: what debuggers, lessons and tests use.

Nothing here runs the guest; reads have no side effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from toyvm.hart import core as hart_core
from toyvm.hart import csrfile, events
from toyvm.hart import state as s
from toyvm.hart.core import Hart
from toyvm.isa import csr
from toyvm.machine.memory import PAGE, GuestRam

MODES: Final = {s.MODE_U: "U", s.MODE_S: "S", s.MODE_M: "M"}

UNKNOWN: Final = -1
"""When a computer wakes, before anybody has found out."""


class Inspection:
    """Registers, CSRs and memory of a computer, by the guest's names and addresses."""

    _wakes = UNKNOWN
    """While it sleeps: the `clock` at which a timer wakes it, if nobody changes anything before."""
    hart: Hart
    x: np.ndarray
    record: np.ndarray
    memory: GuestRam

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return int(self.record[s.PC])

    @property
    def mode(self) -> str:
        """Privilege mode: "M", "S" or "U" (virtual in a VM)."""
        return MODES[int(self.record[s.MODE])]

    def csr(self, name: str | int) -> int:
        """The value of a CSR by name or number; KeyError if there is none."""
        number = csr.BY_NAME[name].number if isinstance(name, str) else name
        if number not in csr.BY_NUMBER:
            raise KeyError(name)
        return int(csrfile.csr_read(self.record, np.int64(number)))

    def set_csr(self, name: str | int, value: int) -> None:
        """Write a CSR as a csrw in machine mode would; its WARL rules hold."""
        number = csr.BY_NAME[name].number if isinstance(name, str) else name
        if number not in csr.BY_NUMBER:
            raise KeyError(name)
        self._wakes = UNKNOWN
        # The kernel writes as an instruction that has yet to be counted; here there is none.
        counters = {name: self._counter(name) for name in ("mcycle", "minstret")}
        effects = int(csrfile.csr_write(self.record, np.int64(number), np.int64(value & s.MASK32)))
        if effects & s.EFFECT_COUNTER:
            for name, old in counters.items():
                low = csr.BY_NAME[name].number
                if number == low:
                    old = (old & ~s.MASK32) | (value & s.MASK32)
                elif number == csr.BY_NAME[name + "h"].number:
                    old = (old & s.MASK32) | (value & s.MASK32) << 32
                self._set_counter(name, old)
        self._effects(effects)

    def _counter(self, name: str) -> int:
        """mcycle or minstret, 64 bits."""
        return self.csr(name) | self.csr(name + "h") << 32

    def _set_counter(self, name: str, value: int) -> None:
        """Make mcycle or minstret read `value` now, frozen or not."""
        steps, hidden = int(self.record[s.STEPS]), int(self.record[s.NOT_RETIRED])
        cycles = name == "mcycle"
        bit = csr.COUNTEREN_CY if cycles else csr.COUNTEREN_IR
        if not int(self.record[s.MCOUNTINHIBIT]) & bit:
            value -= steps if cycles else steps - hidden
        field = s.CYCLE_OFFSET if cycles else s.INSTRET_OFFSET
        self.record[field] = (value + (1 << 63)) % (1 << 64) - (1 << 63)

    def _effects(self, effects: int) -> None:
        """Answer effect bits that a debugger's write caused."""
        events.apply_effects(self.hart.core, np.int64(effects))

    def set_pc(self, value: int) -> None:
        self.record[s.PC] = value & s.MASK32

    def set_x(self, index: int, value: int) -> None:
        """Write a register; x0 stays 0."""
        if index:
            self.x[index] = value & s.MASK32

    def translate(self, va: int) -> int:
        """Physical address (gpa) of a load from `va` now; negative if it would fault."""
        return hart_core.peek(self.record, self.memory.fmap, self.memory.ram, va)

    def read(self, va: int, n: int) -> bytes | None:
        """`n` bytes at a virtual address, without side effects; None if not RAM or not mapped."""
        return self._pieces(va, n, lambda pa, at, length: self.memory.read(pa, length))

    def write(self, va: int, data: bytes) -> bool:
        """Write bytes at a virtual address as a debugger does; False if not RAM or not mapped."""
        if self.read(va, len(data)) is None:
            return False
        self._pieces(
            va,
            len(data),
            lambda pa, at, length: b"" if self.memory.write(pa, data[at : at + length]) else None,
        )
        return True

    def _pieces(self, va: int, n: int, do: Callable[[int, int, int], bytes | None]) -> bytes | None:
        """Call `do(pa, offset in the range, length)` for each page of a virtual range."""
        out = []
        done = 0
        while done < n:
            address = (va + done) & s.MASK32
            length = min(n - done, PAGE - address % PAGE)
            pa = self.translate(address)
            piece = do(pa, done, length) if pa >= 0 else None
            if piece is None:
                return None
            out.append(piece)
            done += length
        return b"".join(out)

    def read_phys(self, pa: int, n: int) -> bytes | None:
        """`n` bytes of RAM at a physical address (gpa in a VM); None outside RAM."""
        return self.memory.read(pa, n)

    def write_phys(self, pa: int, data: bytes) -> bool:
        """Write RAM at a physical address; False outside RAM."""
        return self.memory.write(pa, data)
