"""The hypervisor's own calls: what a guest that knows about us can do with fewer exits.

An SBI extension in the range of vendors (SBI 1.0, chapter 3), found with `probe_extension` like
any other; docs/paravirtual.md is its specification for writers of guests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np

from toyvm.firmware.sbi import ERR_INVALID_PARAM, ERR_NOT_SUPPORTED, SUCCESS, Result
from toyvm.hart.mmu import frame_offset
from toyvm.hypervisor import shadow
from toyvm.machine.memory import GuestRam

EXT_PV: Final = 0x0974_6F79
"""0x09 for vendors, then the bytes "toy"."""
FEATURES, SET_FLAG, UPDATE, YIELD = range(4)
FEATURE_UPDATE: Final = 1 << 0
FEATURE_YIELD: Final = 1 << 1
FEATURE_FLAG: Final = 1 << 2
FEATURE_ROOTS: Final = 1 << 3
NO_FLAG: Final = 0xFFFF_FFFF
UPDATE_MAX: Final = 512
"""Entries of one update: a page full of pairs."""
_PAIR: Final = 8


class Guest(Protocol):
    """What the calls need of the VM that makes them."""

    memory: GuestRam

    @property
    def control(self) -> np.ndarray: ...

    def store_entry(self, pa: int, value: int) -> bool:
        """Write a word of a guest's page table; False if there is no memory for it."""

    def yield_turn(self) -> None:
        """The guest gives up the rest of its slice."""


class Paravirtual:
    """Answers the calls of one VM; `flag` says if it may keep its SIE in memory."""

    def __init__(self, vm: Guest, flag: bool) -> None:
        self._vm = vm
        self.features = FEATURE_UPDATE | FEATURE_YIELD | FEATURE_ROOTS
        if flag:
            self.features |= FEATURE_FLAG
        self.calls = [0, 0, 0, 0]
        """How often each function was called."""
        self._functions: list[Callable[[Sequence[int]], Result]] = [
            lambda args: (SUCCESS, self.features),
            self._set_flag,
            self._update,
            self._yield,
        ]

    def call(self, args: Sequence[int]) -> Result:
        """Do the call in a0 to a7, as Sbi.call."""
        function = args[6]
        if function >= len(self._functions):
            return ERR_NOT_SUPPORTED, 0
        self.calls[function] += 1
        return self._functions[function](args)

    def _set_flag(self, args: Sequence[int]) -> Result:
        """a0: physical address of two words, or NO_FLAG to take sstatus.SIE again."""
        pa = args[0]
        if not self.features & FEATURE_FLAG:
            return ERR_NOT_SUPPORTED, 0
        if pa == NO_FLAG:
            self._vm.control[shadow.FLAG] = 0
            return SUCCESS, 0
        # Writing makes sure that the page has a frame, and keeps it.
        memory = self._vm.memory
        if (
            pa % _PAIR
            or not memory.write(pa, b"\0\0\0\0\1\0\0\0")
            or not memory.write(pa, bytes(8))
        ):
            return ERR_INVALID_PARAM, 0
        self._vm.control[shadow.FLAG] = int(frame_offset(memory.fmap, np.int64(pa)))
        return SUCCESS, 0

    def _update(self, args: Sequence[int]) -> Result:
        """a0: physical address of pairs (address of an entry, its new value); a1: how many.

        All are checked before the first one is written.
        """
        pa, count = args[0], args[1]
        memory = self._vm.memory
        data = memory.read(pa, _PAIR * count) if count <= UPDATE_MAX else None
        if data is None:
            return ERR_INVALID_PARAM, 0
        words = np.frombuffer(data, dtype="<u4").tolist()
        pairs = list(zip(words[::2], words[1::2], strict=True))
        if any(at % 4 or memory.read(at, 4) is None for at, _ in pairs):
            return ERR_INVALID_PARAM, 0
        for at, value in pairs:
            if not self._vm.store_entry(at, value):
                return ERR_INVALID_PARAM, 0
        return SUCCESS, count

    def _yield(self, args: Sequence[int]) -> Result:
        self._vm.yield_turn()
        return SUCCESS, 0
