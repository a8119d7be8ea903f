"""RAM: allocation with guard pages, and the bounds-checked map through which everybody but the
compiled loop reaches it."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
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

    def _pieces(self, pa: int, n: int) -> list[tuple[int, int, int]] | None:
        """(page, offset in it, length) of each page's part; None if any byte is outside RAM."""
        start = pa - RAM_BASE
        if n < 0 or start < 0 or start + n > self.size:
            return None
        pieces = []
        while n > 0:
            inside = start % PAGE
            frame = int(self.fmap[start // PAGE])
            if frame < 0 and (self._claim is None or frame != UNTOUCHED):
                return None
            length = min(n, PAGE - inside)
            pieces.append((start // PAGE, inside, length))
            start += length
            n -= length
        return pieces

    def read(self, pa: int, n: int) -> bytes | None:
        """The `n` bytes at `pa`; None if any of them is outside RAM."""
        pieces = self._pieces(pa, n)
        if pieces is None:
            return None
        out = []
        for page, inside, length in pieces:
            frame = int(self.fmap[page])
            at = frame * PAGE + inside
            out.append(self.ram[at : at + length].tobytes() if frame >= 0 else bytes(length))
        return b"".join(out)

    def write(self, pa: int, data: bytes) -> bool:
        """Store `data` at `pa`; False, with nothing written, if any byte is outside RAM.

        Zeros for a page that has never been touched need no memory.
        """
        pieces = self._pieces(pa, len(data))
        if pieces is None:
            return False
        view = memoryview(data)
        wanted = []
        done = 0
        for page, inside, length in pieces:
            part = view[done : done + length]
            frame = int(self.fmap[page])
            if frame < 0 and self._claim and part != memoryview(bytes(length)):
                frame = self._claim(page)
                if frame < 0:
                    return False
            if frame >= 0:
                wanted.append((frame * PAGE + inside, part))
            done += length
        for at, part in wanted:
            self.ram[at : at + len(part)] = np.frombuffer(part, np.uint8)
            self._written(at, len(part))
        return True
