"""The harts of one computer: whose turn it is, what time it is, who sleeps.

Harts are interleaved in one thread.  The hart whose turn it is runs `turn` steps, or until it
waits; then the next one in order that can run has its turn.  There is one clock, which counts the
steps of all harts: the record of the hart that runs holds it exactly (STEPS, what the others did
and what was slept in IDLE), the others get it when their turn comes.  So time never goes back,
whoever looks at it, and a run depends on nothing but the guest and `turn`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm import platform
from toyvm.hart import core as hart_core
from toyvm.hart import csrfile
from toyvm.hart import state as s
from toyvm.hart.core import Hart
from toyvm.isa import csr
from toyvm.machine.board import Board
from toyvm.machine.inspection import UNKNOWN, Inspection

TURN: Final = 5_000
"""Steps of a hart's turn (Spike interleaves as many): 50 microseconds of guest time."""
_FAR: Final = s.NEVER >> 8
"""Ticks beyond which a deadline is none, as in csrfile."""
_MASK64: Final = (1 << 64) - 1


def check_harts(harts: int, turn: int) -> None:
    """ValueError unless a machine can have so many harts and turns of so many steps."""
    if not 1 <= harts <= platform.MAX_HARTS:
        raise ValueError(f"{harts} harts: expected 1 to {platform.MAX_HARTS}")
    if turn < 1:
        raise ValueError(f"a turn of {turn} steps: expected 1 or more")


def signed64(value: int) -> int:
    """A 64-bit number as the signed one that a record holds."""
    return ((value + (1 << 63)) & _MASK64) - (1 << 63)


class Harts(Inspection):
    """What Computer knows of its harts.  `hart`, `x` and `record` are those of one of them."""

    harts: list[Hart]
    turn: int
    board: Board

    def _seat(self, harts: list[Hart], turn: int) -> None:
        """Take these harts; the first one has the first turn."""
        self.harts = harts
        self.turn = turn
        self._here = 0
        self._turn = 0
        self._turn_end = 0
        self._wakes = UNKNOWN
        self.hart = harts[0]
        self.x = self.hart.x
        self.record = self.hart.record

    @property
    def hart_id(self) -> int:
        """Number of the hart that `x`, `pc` and `csr` show."""
        return self._here

    def select(self, hart_id: int) -> None:
        """Look at another hart; ValueError if there is none.  It does not change whose turn it is.

        A run goes back to the hart whose turn it is.
        """
        if not 0 <= hart_id < len(self.harts):
            raise ValueError(f"hart {hart_id}: this machine has harts 0 to {len(self.harts) - 1}")
        self._point(hart_id)

    def select_running(self) -> None:
        """Look at the hart whose turn it is."""
        self._point(self._turn)

    @property
    def steps(self) -> int:
        """Steps so far, of all harts: retired instructions and delivered traps."""
        steps = 0
        for hart in self.harts:
            steps += hart.fields[s.STEPS]
        return steps

    @property
    def clock(self) -> int:
        """Guest time in steps: what ran and what slept."""
        fields = self.hart.fields
        return fields[s.STEPS] + fields[s.IDLE]

    @property
    def instret(self) -> int:
        """Instructions retired so far, by all harts."""
        return sum(int(h.record[s.STEPS] - h.record[s.NOT_RETIRED]) for h in self.harts)

    @property
    def waiting(self) -> bool:
        """True while every hart sleeps in wfi."""
        return self.hart.waiting and all(hart.waiting for hart in self.harts)

    # ---- turns --------------------------------------------------------------------------------

    def _point(self, index: int) -> None:
        """Let `hart`, `x` and `record` be those of another hart, and give it the clock."""
        if index == self._here:
            return
        new = self.harts[index]
        new.adopt(self.hart)
        self._give_clock(new)
        self._here = index
        self.hart, self.x, self.record = new, new.x, new.record

    def _give_clock(self, hart: Hart) -> None:
        """Bring the clock of another hart's record up to date."""
        if hart is self.hart:
            return
        now, record = self.record, hart.record
        record[s.IDLE] = now[s.STEPS] + now[s.IDLE] - record[s.STEPS]
        record[s.TIME_OFFSET] = now[s.TIME_OFFSET]

    def _pending(self, hart: Hart) -> int:
        """mip & mie of a hart: what ends its wfi."""
        self._give_clock(hart)
        return int(csrfile.mip_now(hart.record)) & hart.fields[s.MIE]

    def _following(self) -> int:
        """The next hart in order that can run, -1 if all of them sleep."""
        count = len(self.harts)
        if count == 1:
            hart = self.hart
            able = not hart.waiting or (hart.state != hart_core.STOPPED and self._pending(hart))
            return 0 if able else -1
        for index in range(self._turn + 1, self._turn + 1 + count):
            hart = self.harts[index % count]
            if not hart.waiting:
                return index % count
            if hart.state != hart_core.STOPPED and self._pending(hart):
                return index % count
        return -1

    def _begin_turn(self, index: int) -> int:
        """It is the turn of hart `index`; returns how far its STEPS are ahead of the last one's."""
        before = self.hart.fields[s.STEPS]
        if index != self._turn:
            # What the other hart reserved is gone: others may store to it now.
            last = self.harts[self._turn]
            last.p[s.RESERVATION] = -1
            last.record[s.RESERVATION] = -1
        self._turn = index
        self._wakes = UNKNOWN
        if index != self._here:
            self._point(index)
        self.hart.waiting = False
        if self.hart.state == hart_core.SUSPENDED:
            self.hart.state = hart_core.STARTED
        steps = self.hart.fields[s.STEPS]
        self._turn_end = steps + self.turn if len(self.harts) > 1 else s.NEVER
        return steps - before

    # ---- sleeping -------------------------------------------------------------------------------

    def hart_pending(self) -> int:
        """mip & mie of the first hart that an interrupt would wake from wfi; 0 if none."""
        for hart in self.harts:
            if hart.state != hart_core.STOPPED:
                pending = self._pending(hart)
                if pending:
                    return pending
        return 0

    def sleep_distance(self) -> int | None:
        """Steps until a timer wakes a sleeping hart; None if none will: none set or enabled."""
        now = self.mtime()
        first = s.NEVER
        for hart in self.harts:
            for tick in self._deadlines(hart, now):
                first = min(first, tick)
        if self.board.rtc.armed:
            device = self.board.deadline()
            if device is not None and now < device < _FAR:
                first = min(first, device)
        return None if first == s.NEVER else self._steps_to(first, now)

    def _steps_to(self, tick: int, now: int) -> int:
        """Steps, running or asleep, until mtime, which is `now`, is `tick`."""
        return (tick - now) * platform.STEPS_PER_TICK - self.clock % platform.STEPS_PER_TICK

    def _deadlines(self, hart: Hart, now: int) -> list[int]:
        """The times, after `now`, that would wake this hart."""
        if hart.state == hart_core.STOPPED:
            return []
        fields = hart.fields
        enabled = fields[s.MIE]
        ticks = []
        if enabled & csr.MIP_MTIP:
            ticks.append(fields[s.TIMECMP] & _MASK64)
        if enabled & csr.MIP_STIP and fields[s.STIMER_ON]:
            ticks.append(fields[s.STIMECMP] & _MASK64)
        return [tick for tick in ticks if 0 < tick - now < _FAR]

    # ---- the clock and the lines (HartPort) -----------------------------------------

    def mtime(self) -> int:
        """Guest time in ticks, the same for all harts."""
        return int(csrfile.time_now(self.record)) & _MASK64

    def set_mtime(self, ticks: int) -> None:
        """The guest wrote mtime."""
        self._wakes = UNKNOWN
        clock = int(self.record[s.STEPS] + self.record[s.IDLE])
        self.record[s.TIME_OFFSET] = signed64(ticks - clock // platform.STEPS_PER_TICK)

    def set_timecmp(self, hart: int, ticks: int) -> None:
        """The guest wrote mtimecmp of a hart."""
        self._wakes = UNKNOWN
        self.harts[hart].record[s.TIMECMP] = signed64(ticks)

    def set_line(self, bit: int, level: bool, hart: int = 0) -> None:
        """An interrupt line of a hart: `bit` is its position in mip."""
        fields = self.harts[hart].fields
        lines = fields[s.LINES]
        fields[s.LINES] = lines | 1 << bit if level else lines & ~(1 << bit)
        self._wakes = UNKNOWN

    # ---- what the firmware asks of us (SbiPort) -------------------------------------

    def hart_count(self) -> int:
        """Harts there are; their numbers start at 0."""
        return len(self.harts)

    def hart_state(self, hart: int) -> int:
        """STARTED, STOPPED or SUSPENDED (SBI 1.0, chapter 9)."""
        return self.harts[hart].state

    def hart_start(self, hart: int, pc: int, opaque: int) -> None:
        """Start a stopped hart in S-mode with its number in a0 and `opaque` in a1."""
        target = self.harts[hart]
        target.record[s.MIE] = 0
        target.record[s.MIP] = 0
        target.record[s.STIMECMP] = s.NO_TIME
        target.x[:32] = 0
        self._enter_supervisor(target, pc, opaque)
        target.state = hart_core.STARTED
        target.waiting = False

    def hart_stop(self) -> None:
        """Stop the calling hart until somebody starts it."""
        self.hart.state = hart_core.STOPPED
        self.hart.waiting = True

    def hart_suspend(self, resume: tuple[int, int] | None) -> None:
        """Let the calling hart wait for an interrupt.

        With `resume` (pc, opaque) it then begins there as if just started, but with its interrupt
        enables and its timer; without it goes on behind the call.
        """
        self.hart.state = hart_core.SUSPENDED
        self.hart.waiting = True
        self._resume = resume

    _resume: tuple[int, int] | None = None

    def _enter_supervisor(self, hart: Hart, pc: int, opaque: int) -> None:
        """The state in which SBI 1.0, table 11, has a hart begin: S-mode, satp = 0, SIE = 0."""
        timer = int(hart.record[s.STIMECMP])
        hart_core.prepare_for_sbi(hart.record, pc)
        hart.record[s.STIMECMP] = timer
        hart.record[s.MSTATUS] = 0
        hart.record[s.SATP] = 0
        hart.x[10] = hart.record[s.MHARTID]
        hart.x[11] = opaque & s.MASK32
        hart.p[s.RESERVATION] = -1
        self._forget_translations(hart)

    def send_ipi(self, hart: int) -> None:
        """Raise the supervisor software interrupt of a hart, unless it is stopped."""
        target = self.harts[hart]
        if target.state != hart_core.STOPPED:
            target.record[s.MIP] |= csr.MIP_SSIP

    def clear_ipi(self) -> bool:
        """Clear that of the calling hart; was it pending?"""
        pending = bool(int(self.record[s.MIP]) & csr.MIP_SSIP)
        self.record[s.MIP] &= ~np.int64(csr.MIP_SSIP)
        return pending

    def remote_fence(self, hart: int, start: int, size: int) -> None:
        """sfence.vma of [start, start + size) on a hart; more than that is always allowed."""
        self._forget_translations(self.harts[hart])

    def _forget_translations(self, hart: Hart) -> None:
        """sfence.vma of everything on a hart."""
        raise AssertionError("Harts is a base class: use Machine or Vm")
