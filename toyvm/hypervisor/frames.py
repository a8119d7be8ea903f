"""Host memory: the physical RAM that VMs share out, in frames of 4 KiB."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Final

import numpy as np

from toyvm.machine.memory import PAGE, allocate_ram

CANARY: Final = 0xA5
"""What fills the frame that separates two owners."""
HOST_MAX: Final = 4 << 30
"""Bytes: the real TLB holds offsets of 32 bits, so beyond it pages would alias each other."""


class HostMemory:
    """The RAM of the machine that hosts VMs; uint8 in `ram`, frames counted from its start.

    Owners take frames when they need them and give them back.  Behind every run of fresh frames
    lies a canary frame: `intruders` tells if anybody wrote there.  The host of the process pays
    only for frames that are touched.  Several threads may take and give.
    """

    def __init__(self, size: int) -> None:
        if size > HOST_MAX:
            raise ValueError(
                f"{size >> 20} MiB of host memory: a host has at most {HOST_MAX >> 20} MiB for all "
                "its VMs together; give them less RAM"
            )
        self.ram = allocate_ram((size + PAGE - 1) // PAGE * PAGE)
        self.identity = np.arange(len(self.ram) // PAGE, dtype=np.int32)
        """The frame map of the host itself, shared by all real harts."""
        self._lock = Lock()
        self._fresh = 0
        """Frames from here on have never been owned."""
        self._returned: list[int] = []
        self._canaries: dict[int, str] = {}
        self._owned: dict[str, set[int]] = {}

    @property
    def free(self) -> int:
        """Frames that nobody owns."""
        return len(self.ram) // PAGE - self._fresh + len(self._returned)

    @property
    def owners(self) -> dict[str, int]:
        """Frames of each owner, in the order in which they first took some."""
        return {owner: len(frames) for owner, frames in self._owned.items()}

    def frames_of(self, owner: str) -> frozenset[int]:
        """The frames that `owner` holds."""
        return frozenset(self._owned.get(owner, ()))

    def take(self, owner: str, frames: int) -> list[int]:
        """Give `owner` up to `frames` frames, wherever they lie; MemoryError if there is none.

        What another owner left in a frame is wiped first.
        """
        with self._lock:
            taken = [self._returned.pop() for _ in range(min(frames, len(self._returned)))]
            for frame in taken:
                self.ram[frame * PAGE : (frame + 1) * PAGE] = 0
            room = len(self.ram) // PAGE - self._fresh
            # Beside every run of fresh frames stands a canary, if only one frame is left, too.
            fresh = min(frames - len(taken), room - 1)
            if fresh > 0:
                taken += range(self._fresh, self._fresh + fresh)
                self._set_canary(owner, self._fresh + fresh)
                self._fresh += fresh + 1
            if not taken:
                raise MemoryError(
                    f"out of frames: {owner} wants {frames} and the host's {len(self.ram) >> 20} "
                    "MiB are all in use; give VMs less RAM, or the host more"
                )
            self._owned.setdefault(owner, set()).update(taken)
            return taken

    def take_run(self, owner: str, frames: int, align: int = 1) -> int:
        """Give `owner` frames that lie together, the first at a multiple of `align` frames.

        Returns the first one's number; MemoryError if there is no such run.
        """
        with self._lock:
            first = (self._fresh + align - 1) // align * align
            if first + frames + 1 > len(self.ram) // PAGE:
                raise MemoryError(
                    f"{owner}: {frames} frames in a row wanted, {self.free} free in the host "
                    "machine; give VMs less RAM"
                )
            self._returned += range(self._fresh, first)
            self._set_canary(owner, first + frames)
            self._fresh = first + frames + 1
            self._owned.setdefault(owner, set()).update(range(first, first + frames))
            return first

    def _set_canary(self, owner: str, frame: int) -> None:
        self.ram[frame * PAGE : (frame + 1) * PAGE] = CANARY
        self._canaries[frame] = owner

    def give(self, owner: str, frames: Iterable[int]) -> None:
        """Take frames back from `owner`; ValueError if one is not its own."""
        back = set(frames)
        with self._lock:
            owned = self._owned.get(owner, set())
            if not back <= owned:
                raise ValueError(f"{owner} gives back a frame that it does not own")
            owned -= back
            self._returned += sorted(back, reverse=True)
            if not owned:
                self._owned.pop(owner, None)

    def intruders(self) -> list[str]:
        """Owners whose canary frame has been written: always empty unless we have a bug."""
        return [
            owner
            for canary, owner in self._canaries.items()
            if not np.all(self.ram[canary * PAGE : (canary + 1) * PAGE] == CANARY)
        ]
