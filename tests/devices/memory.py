"""Guest memory for device tests: a piece of RAM inside canaries, with a log of what was written."""

from __future__ import annotations

import random

RAM = 0x8000_0000
_GUARD = 8192


class GuardedMemory:
    """DmaMemory over ``size`` bytes at RAM.  It refuses what is outside, and checks itself that
    nothing around it changed and that no write touched a protected range."""

    def __init__(self, size: int, base: int = RAM) -> None:
        self.base = base
        self.size = size
        noise = random.Random(size).randbytes(_GUARD)
        self._canary = noise
        self._bytes = bytearray(noise + bytes(size) + noise)
        self.protected: list[tuple[int, int]] = []
        self.reads = 0

    def _at(self, pa: int, n: int) -> int | None:
        if n < 0 or pa < self.base or pa + n > self.base + self.size:
            return None
        return pa - self.base + _GUARD

    def read(self, pa: int, n: int) -> bytes | None:
        self.reads += 1
        at = self._at(pa, n)
        return None if at is None else bytes(self._bytes[at : at + n])

    def write(self, pa: int, data: bytes) -> bool:
        at = self._at(pa, len(data))
        if at is None:
            return False
        for start, length in self.protected:
            assert pa + len(data) <= start or start + length <= pa, (
                f"the device wrote {len(data)} bytes at {pa:#x} into a read-only buffer"
            )
        self._bytes[at : at + len(data)] = data
        return True

    def check(self) -> None:
        assert self._bytes[:_GUARD] == self._canary, "bytes below RAM changed"
        assert self._bytes[-_GUARD:] == self._canary, "bytes above RAM changed"
        assert len(self._bytes) == self.size + 2 * _GUARD
