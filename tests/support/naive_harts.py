"""Several slow reference harts on one machine: turns, one clock, a CLINT for all of them.

The rules are those of docs/architecture.md, "Several harts": the hart whose turn it is makes
``turn`` steps, or fewer if it comes to a wfi with nothing pending; then the next one in order has
its turn, those that sleep without an interrupt left out.  If all sleep, the clock moves to the
first deadline.  The clock counts the steps of all harts.  A reservation ends with the turn, unless
the same hart has the next one.
"""

from __future__ import annotations

from typing import Any

from tests.naive import NEVER, STEPS_PER_TICK, NaiveHart
from tests.support.clint import CLINT_BASE, END, MASK32
from tests.support.naive_csrs import MTI


class TurnHart(NaiveHart):
    """A hart whose sleep its machine ends."""

    asleep = False

    def idle(self) -> None:
        self.asleep = not self.mip() & self.mie


class NaiveHarts:
    """``count`` harts with one RAM of ``ram_size`` bytes."""

    def __init__(self, count: int, turn: int, ram_size: int, pmp: int = 16) -> None:
        self.turn = turn
        clint = Clints(self)
        self.harts = [TurnHart(ram_size, pmp=pmp, mmio=clint, hart_id=i) for i in range(count)]
        for hart in self.harts[1:]:
            hart.ram = self.harts[0].ram
        self.now = 0
        self.left = turn
        self.clock = 0
        self.stuck = False

    def share_clock(self) -> None:
        """Every hart knows the time: its own steps, and all that others made or slept."""
        offset = self.harts[self.now].time_offset
        for hart in self.harts:
            hart.idle_steps = self.clock - hart.steps
            hart.time_offset = offset

    def can_run(self, hart: TurnHart) -> bool:
        return not hart.asleep or bool(hart.mip() & hart.mie)

    def choose(self) -> bool:
        """Whose turn is next; False if all sleep for ever."""
        count = len(self.harts)
        order = [(self.now + i) % count for i in range(1, count + 1)]
        ready = [i for i in order if self.can_run(self.harts[i])]
        if not ready:
            mtime = self.harts[0].mtime
            deadlines = [
                hart.mtimecmp
                for hart in self.harts
                if hart.mie & MTI and mtime < hart.mtimecmp != NEVER
            ]
            if not deadlines:
                return False
            ticks = min(deadlines) - mtime
            self.clock += ticks * STEPS_PER_TICK - self.clock % STEPS_PER_TICK
            self.share_clock()
            ready = [i for i in order if self.can_run(self.harts[i])]
        if ready[0] != self.now:
            self.harts[self.now].reservation = None
        self.now = ready[0]
        self.left = self.turn
        self.harts[self.now].asleep = False
        return True

    def step(self) -> None:
        """One step of the hart whose turn it is; ``stuck`` if there is none and never will be."""
        if (self.left == 0 or self.harts[self.now].asleep) and not self.choose():
            self.stuck = True
            return
        self.harts[self.now].step()
        self.left -= 1
        self.clock += 1
        self.share_clock()


class Clints:
    """The CLINT of all harts, as in ``tests.support.clint``."""

    def __init__(self, machine: NaiveHarts) -> None:
        self.machine = machine

    def read(self, pa: int, width: int) -> int | None:
        offset, harts = pa - CLINT_BASE, self.machine.harts
        if width != 4 or not 0 <= offset < END:
            return None
        if offset // 4 < len(harts):
            return harts[offset // 4].lines >> 3 & 1
        if 0 <= (offset - 0x4000) // 8 < len(harts):
            return harts[(offset - 0x4000) // 8].mtimecmp >> 8 * (offset & 4) & MASK32
        if offset in (0xBFF8, 0xBFFC):
            return harts[self.machine.now].mtime >> 8 * (offset & 4) & MASK32
        return 0

    def write(self, pa: int, width: int, value: int) -> bool:
        offset, harts = pa - CLINT_BASE, self.machine.harts
        if width != 4 or not 0 <= offset < END:
            return False
        shift = 8 * (offset & 4)
        kept = MASK32 << (32 - shift)
        hart: Any
        if offset // 4 < len(harts):
            harts[offset // 4].set_line(3, bool(value & 1))
        elif 0 <= (offset - 0x4000) // 8 < len(harts):
            hart = harts[(offset - 0x4000) // 8]
            hart.mtimecmp = hart.mtimecmp & kept | value << shift
        elif offset in (0xBFF8, 0xBFFC):
            hart = harts[self.machine.now]
            hart.set_mtime(hart.mtime & kept | value << shift)
        return True
