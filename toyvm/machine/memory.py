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

    `fmap` maps pages from RAM_BASE to pages of `ram`.  `written(offset, length)` hears of every
    write so that decoded words and reservations can be dropped.
    """

    def __init__(
        self, ram: np.ndarray, fmap: np.ndarray, written: Callable[[int, int], None]
    ) -> None:
        self.ram = ram
        self.fmap = fmap
        self._written = written
        self.size = len(fmap) * PAGE

    def _pieces(self, pa: int, n: int) -> list[tuple[int, int]] | None:
        """(offset in `ram`, length) of each page's part; None if any byte is outside RAM."""
        start = pa - RAM_BASE
        if n < 0 or start < 0 or start + n > self.size:
            return None
        pieces = []
        while n > 0:
            inside = start % PAGE
            frame = int(self.fmap[start // PAGE])
            if frame < 0:
                return None
            length = min(n, PAGE - inside)
            pieces.append((frame * PAGE + inside, length))
            start += length
            n -= length
        return pieces

    def read(self, pa: int, n: int) -> bytes | None:
        """The `n` bytes at `pa`; None if any of them is outside RAM."""
        pieces = self._pieces(pa, n)
        if pieces is None:
            return None
        return b"".join(self.ram[at : at + length].tobytes() for at, length in pieces)

    def write(self, pa: int, data: bytes) -> bool:
        """Store `data` at `pa`; False, with nothing written, if any byte is outside RAM."""
        pieces = self._pieces(pa, len(data))
        if pieces is None:
            return False
        done = 0
        for at, length in pieces:
            self.ram[at : at + length] = np.frombuffer(data, np.uint8, length, done)
            self._written(at, length)
            done += length
        return True
