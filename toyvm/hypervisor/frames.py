"""Host memory: the physical RAM that VMs share out, in frames of 4 KiB."""

from __future__ import annotations

from typing import Final

import numpy as np

from toyvm.machine.memory import PAGE, allocate_ram

CANARY: Final = 0xA5
"""What fills the frame that separates two owners."""
HOST_MAX: Final = 4 << 30
"""Bytes: the real TLB holds offsets of 32 bits, so beyond it pages would alias each other."""


class HostMemory:
    """The RAM of the machine that hosts VMs; uint8 in `ram`, frames counted from its start.

    Owners get runs of frames with a canary frame behind each run: `intruders` tells if anybody
    wrote there.  The host uses memory only for frames that are touched.
    """

    def __init__(self, size: int) -> None:
        if size > HOST_MAX:
            raise ValueError(
                f"{size >> 20} MiB of host memory: a host has at most {HOST_MAX >> 20} MiB for all "
                "its VMs together; give them less RAM"
            )
        self.ram = allocate_ram((size + PAGE - 1) // PAGE * PAGE)
        self._next = 0
        self._canaries: list[int] = []
        self.owners: list[tuple[str, int, int]] = []
        """(owner, first frame, frames), in the order of allocation."""

    @property
    def free(self) -> int:
        """Frames that nobody owns."""
        return len(self.ram) // PAGE - self._next

    def take(self, owner: str, frames: int) -> int:
        """Give `owner` a run of zeroed frames; the first one's number.  MemoryError if too few."""
        if frames + 1 > self.free:
            raise MemoryError(
                f"{owner}: {frames} frames wanted, {self.free} free in the host machine; "
                "give VMs less RAM"
            )
        first = self._next
        self._next += frames + 1
        canary = first + frames
        self.ram[canary * PAGE : (canary + 1) * PAGE] = CANARY
        self._canaries.append(canary)
        self.owners.append((owner, first, frames))
        return first

    def intruders(self) -> list[str]:
        """Owners whose canary frame has been written: always empty unless we have a bug."""
        return [
            owner
            for (owner, _, _), canary in zip(self.owners, self._canaries, strict=True)
            if not np.all(self.ram[canary * PAGE : (canary + 1) * PAGE] == CANARY)
        ]
