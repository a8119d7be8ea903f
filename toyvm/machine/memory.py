"""RAM: allocation with guard pages, and the bounds-checked map through which everybody but the
compiled loop reaches it."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from toyvm.platform import RAM_BASE, RAM_MAX

PAGE: Final = 4096
UNTOUCHED: Final = -1
"""In a frame map: RAM that has no frame yet."""
_GUARD: Final = 1 << 20
"""Bytes that nobody may touch before and after RAM: a wild access faults instead of corrupting."""


def check_ram_size(size: int) -> int:
    """Return `size` if a machine can have that much RAM; ValueError says what would fit."""
    if size < 64 << 10 or size > RAM_MAX or size % PAGE:
        raise ValueError(
            f"RAM of {size} bytes does not fit: expected 64 KiB to {RAM_MAX >> 20} MiB in whole "
            "4 KiB pages, for example 128M"
        )
    return size


def allocate_ram(size: int) -> np.ndarray:
    """Zeroed RAM of `size` bytes as uint8[size]; host memory is used when it is touched.

    On Linux and macOS the pages around it cannot be accessed.
    """
    if sys.platform == "win32":
        return np.zeros(size, dtype=np.uint8)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    area = mmap.mmap(-1, size + 2 * _GUARD, flags=flags)
    try:
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        libc = ctypes.CDLL(None, use_errno=True)
        for start in (address, address + _GUARD + size):
            # A refusal leaves the guard readable: RAM works all the same.
            libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(_GUARD), 0)
    except (OSError, AttributeError, ValueError, TypeError):
        return np.zeros(size, dtype=np.uint8)
    return np.frombuffer(area, dtype=np.uint8, count=size, offset=_GUARD)


class GuestRam:
    """The RAM of one machine or VM by physical address (gpa in a VM), every access checked.

    `fmap` maps pages from RAM_BASE to pages of `ram`, which need not lie together; negative is a
    hole.  Where there is a `claim`, UNTOUCHED is a page that reads as zeros until it is written;
    `claim(page)` then gives it one of `ram`, or -1.  `written(offset, length)` hears of every
    write so that decoded words and reservations can be dropped.
    """

    def __init__(
        self,
        ram: np.ndarray,
        fmap: np.ndarray,
        written: Callable[[int, int], None],
        claim: Callable[[int], int] | None = None,
    ) -> None:
        self.ram = ram
        self.fmap = fmap
        self._written = written
        self._claim = claim
        self.size = len(fmap) * PAGE

    def _inside(self, pa: int, n: int) -> int:
        """Where in `ram` a range lies that one page holds, as nearly all do; else negative."""
        page, inside = divmod(pa - RAM_BASE, PAGE)
        if not 0 <= page < len(self.fmap) or not 0 < n <= PAGE - inside:
            return -1
        frame = int(self.fmap[page])
        return frame * PAGE + inside if frame >= 0 else -1

    def _pages(self, pa: int, n: int) -> range | None:
        """The pages of RAM that a range touches; None if any byte is outside RAM."""
        start = pa - RAM_BASE
        if n < 0 or start < 0 or start + n > self.size:
            return None
        pages = range(start // PAGE, (start + n + PAGE - 1) // PAGE)
        frames = self.fmap[pages.start : pages.stop]
        holes = frames[frames < 0]
        if len(holes) and (self._claim is None or (holes != UNTOUCHED).any()):
            return None
        return pages

    def _stretches(self, pa: int, n: int, pages: range) -> Iterator[tuple[int, int, int]]:
        """(place in `ram`, offset in the range, length) of each part that lies in one piece.

        The place of what has never been touched is negative.
        """
        if not n:
            return
        frames = self.fmap[pages.start : pages.stop]
        # What follows its neighbour in `ram`, or has no frame as it has none, belongs to it.
        joined = np.diff(frames) == np.where(frames[1:] < 0, 0, 1)
        ends = [*(np.flatnonzero(~joined) + 1).tolist(), len(frames)]
        inside = (pa - RAM_BASE) % PAGE
        first = done = 0
        for end in ends:
            length = min(end * PAGE - inside, n) - done
            at = int(frames[first]) * PAGE + (inside + done) % PAGE
            yield at if frames[first] >= 0 else -1, done, length
            first, done = end, done + length

    def read(self, pa: int, n: int) -> bytes | None:
        """The `n` bytes at `pa`; None if any of them is outside RAM."""
        at = self._inside(pa, n)
        if at >= 0:
            return self.ram[at : at + n].tobytes()
        pages = self._pages(pa, n)
        if pages is None:
            return None
        out = [
            self.ram[at : at + length].tobytes() if at >= 0 else bytes(length)
            for at, _, length in self._stretches(pa, n, pages)
        ]
        return b"".join(out)

    def write(self, pa: int, data: bytes) -> bool:
        """Store `data` at `pa`; False, with nothing written, if any byte is outside RAM.

        Zeros for a page that has never been touched need no memory.
        """
        n = len(data)
        at = self._inside(pa, n)
        if at >= 0:
            self.ram[at : at + n] = np.frombuffer(data, np.uint8)
            self._written(at, n)
            return True
        pages = self._pages(pa, n)
        if pages is None:
            return False
        content = np.frombuffer(data, np.uint8)
        if self._claim and not self._give_frames(pa, content, pages):
            return False
        for at, done, length in self._stretches(pa, n, pages):
            if at >= 0:
                self.ram[at : at + length] = content[done : done + length]
                self._written(at, length)
        return True

    def _give_frames(self, pa: int, content: np.ndarray, pages: range) -> bool:
        """Frames for the pages that have none and get more than zeros; False if there are none."""
        assert self._claim
        start = pa - RAM_BASE
        without = np.flatnonzero(self.fmap[pages.start : pages.stop] < 0).tolist()
        for page in (pages[index] for index in without):
            part = content[max(page * PAGE - start, 0) : (page + 1) * PAGE - start]
            if part.any() and self._claim(page) < 0:
                return False
        return True
