"""The hypervisor's own calls: what a guest that knows about us can do with fewer exits.

An SBI extension in the range of vendors (SBI 1.0, chapter 3), found with `probe_extension` like
any other; docs/paravirtual.md is its specification for writers of guests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from toyvm.firmware.sbi import ERR_INVALID_PARAM, ERR_NOT_SUPPORTED, SUCCESS, Result
from toyvm.hart.mmu import frame_offset
from toyvm.hypervisor import shadow
from toyvm.machine.memory import GuestRam

EXT_PV: Final = 0x0974_6F79
"""0x09 for vendors, then the bytes "toy"."""
FEATURES, SET_FLAG, UPDATE, YIELD, RETURNS = range(5)
FEATURE_UPDATE: Final = 1 << 0
FEATURE_YIELD: Final = 1 << 1
FEATURE_FLAG: Final = 1 << 2
FEATURE_ROOTS: Final = 1 << 3
FEATURE_RETURNS: Final = 1 << 4
NO_FLAG: Final = 0xFFFF_FFFF
UPDATE_MAX: Final = 512
"""Entries of one update: a page full of pairs."""
_PAIR: Final = 8


class Guest(Protocol):
    """What the calls need of the VM that makes them."""

    memory: GuestRam

    @property
    def control(self) -> np.ndarray: ...

    def store_entries(self, pa: int, data: bytes) -> bool:
        """Write words of a guest's page table; False if there is no memory for them."""

    def yield_turn(self) -> None:
        """The guest gives up the rest of its slice."""

    def free_returns(self, free: bool) -> None:
        """May the guest's sret go without an exit?"""


class Paravirtual:
    """Answers the calls of one VM.

    `flag` says if it may keep its SIE in memory, `returns` if its sret may go without an exit.
    """

    def __init__(self, vm: Guest, flag: bool, returns: bool) -> None:
        self._vm = vm
        self.features = FEATURE_UPDATE | FEATURE_YIELD | FEATURE_ROOTS
        if flag:
            self.features |= FEATURE_FLAG
        if returns:
            self.features |= FEATURE_RETURNS
        self.calls = [0, 0, 0, 0, 0]
        """How often each function was called."""
        self._functions: list[Callable[[Sequence[int]], Result]] = [
            lambda args: (SUCCESS, self.features),
            self._set_flag,
            self._update,
            self._yield,
            self._returns,
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
        runs = _runs(np.frombuffer(data, dtype="<u4").reshape(-1, 2))
        if any(at % 4 or memory.read(at, len(words)) is None for at, words in runs):
            return ERR_INVALID_PARAM, 0
        for at, words in runs:
            if not self._vm.store_entries(at, words):
                return ERR_INVALID_PARAM, 0
        return SUCCESS, count

    def _yield(self, args: Sequence[int]) -> Result:
        self._vm.yield_turn()
        return SUCCESS, 0

    def _returns(self, args: Sequence[int]) -> Result:
        """a0: 1 if sret need not exit any more, 0 if it shall again."""
        if not self.features & FEATURE_RETURNS:
            return ERR_NOT_SUPPORTED, 0
        if args[0] > 1:
            return ERR_INVALID_PARAM, 0
        self._vm.free_returns(bool(args[0]))
        return SUCCESS, 0


def _runs(pairs: np.ndarray) -> list[tuple[int, bytes]]:
    """Pairs (address, word) as (address, words) for each stretch of ascending neighbours."""
    at, words = pairs[:, 0].astype(np.int64), pairs[:, 1].copy()
    cuts = [0, *(np.flatnonzero(np.diff(at) != 4) + 1).tolist(), len(at)]
    return [
        (int(at[first]), words[first:end].tobytes()) for first, end in pairwise(cuts) if first < end
    ]
