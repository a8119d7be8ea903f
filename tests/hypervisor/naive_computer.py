"""The independent slow hart on the project's board of devices: the judge of whole guests.

Instructions, CSRs, traps, translation and the clock are the model's own; devices and firmware are
the project's (tests/devices and tests/firmware judge those).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.naive import NaiveHart
from tests.support.compare import same_bytes
from tests.support.naive_csrs import SSI
from toyvm.firmware.sbi import Sbi
from toyvm.hart import state as s
from toyvm.machine import Board, Computer, Console
from toyvm.machine.memory import PAGE

MASK32 = 0xFFFF_FFFF


class NaiveRam:
    """DmaMemory over the model's RAM."""

    def __init__(self, hart: NaiveHart) -> None:
        self.hart = hart

    def read(self, pa: int, n: int) -> bytes | None:
        if n < 0 or not self.hart.in_ram(pa, n):
            return None
        at = pa - self.hart.ram_base
        return bytes(self.hart.ram[at : at + n])

    def write(self, pa: int, data: bytes) -> bool:
        if not self.hart.in_ram(pa, len(data)):
            return False
        self.hart.dma_write(pa, data)
        return True


class NaiveComputer:
    """A NaiveHart in the state that a freshly loaded computer is in.

    `drives` must be other disks with the same content, for they are written.
    """

    def __init__(self, like: Computer, drives: Any = (), virtio: str = "legacy") -> None:
        size = like.memory.size
        sbi = like.bios == "sbi"
        self.hart = NaiveHart(
            size,
            pmp=int(like.record[s.PMP_COUNT]),
            sbi=self._ecall if sbi else None,
            sstc=bool(like.record[s.SSTC]),
            ad_fault=bool(like.record[s.AD_FAULT]),
        )
        theirs, ours = self._both(like)
        # Zeros are there already, and writing them would cost memory and time.
        used = theirs.reshape(-1, PAGE).any(axis=1)
        ours.reshape(-1, PAGE)[used] = theirs.reshape(-1, PAGE)[used]
        self.hart.x[:] = [int(value) for value in like.x[:32]]
        self.hart.pc = like.pc
        self.ended: tuple[str, int] | None = None
        self.console = Console()
        self.memory = NaiveRam(self.hart)
        self.board = Board(self, self.memory, self.console, drives, virtio=virtio)
        self.board.reset()
        self.sbi = Sbi(self)
        self.hart.mmio = self.board.bus

    def _both(self, bare: Computer) -> tuple[np.ndarray, np.ndarray]:
        """The RAM of a bare computer and of this one, where they lie."""
        fmap = bare.memory.fmap
        assert (np.diff(fmap) == 1).all()
        theirs = bare.memory.ram[int(fmap[0]) * PAGE :][: bare.memory.size]
        return theirs, np.frombuffer(self.hart.ram, dtype=np.uint8)

    def same_ram(self, bare: Computer) -> bool:
        """Is every byte of RAM the same there?"""
        theirs, ours = self._both(bare)
        return same_bytes(theirs, ours)

    def run(self, steps: int) -> None:
        """Exactly `steps` steps, fewer if the guest ends or sleeps for ever."""
        hart = self.hart
        for _ in range(steps):
            if self.ended or hart.stuck:
                break
            hart.step()

    def _ecall(self, hart: NaiveHart) -> None:
        error, value = self.sbi.call(list(hart.x[10:18]))
        hart.set_x(10, error & MASK32)
        if value is not None:
            hart.set_x(11, value & MASK32)

    # ---- what the board and the firmware ask of a computer -------------------------------------

    def mtime(self) -> int:
        return self.hart.mtime

    def set_mtime(self, ticks: int) -> None:
        self.hart.set_mtime(ticks)

    def set_timecmp(self, hart: int, ticks: int) -> None:
        self.hart.mtimecmp = ticks

    def set_line(self, bit: int, level: bool, hart: int = 0) -> None:
        self.hart.set_line(bit, level)

    def exited(self, kind: str, code: int) -> None:
        self.ended = (kind, code)

    def failed(self, error: Exception) -> None:
        raise error

    def shutdown(self, reason: str, code: int) -> None:
        self.ended = (reason, code)

    def set_timer(self, ticks: int) -> None:
        self.hart.stimecmp = ticks

    def console_put(self, data: bytes) -> None:
        self.console.write(data)

    def console_get(self) -> int:
        return self.console.get()

    def read_memory(self, pa: int, n: int) -> bytes | None:
        return self.memory.read(pa, n)

    def write_memory(self, pa: int, data: bytes) -> bool:
        return self.memory.write(pa, data)

    # One hart, which runs while it calls (SBI 1.0, chapters 7 to 9).

    def hart_count(self) -> int:
        return 1

    def hart_state(self, hart: int) -> int:
        return 0  # STARTED

    def send_ipi(self, hart: int) -> None:
        self.hart.mip_software |= SSI

    def clear_ipi(self) -> bool:
        pending = bool(self.hart.mip() & SSI)
        self.hart.mip_software &= ~SSI
        return pending

    def remote_fence(self, hart: int, start: int, size: int) -> None:
        """Nothing to forget: the model walks the page tables at every access."""

    def read_virtual(self, va: int, n: int) -> bytes | None:
        """The probes' masks lie where virtual and physical addresses are equal."""
        return self.memory.read(va, n)
