"""The exit ledger: how often a guest left the real hart, by cause and by outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import numpy as np

from toyvm.jit import clock, entry_kernel

# Indices into a vCPU's counters.
CSR: Final = 0
MRET: Final = 1
SRET: Final = 2
WFI: Final = 3
SFENCE: Final = 4
SBI: Final = 5
ECALL: Final = 6
EBREAK: Final = 7
ILLEGAL: Final = 8
PAGE_FAULT: Final = 9
ACCESS_FAULT: Final = 10
MISALIGNED: Final = 11
FILL: Final = 12
MMIO: Final = 13
MPRV: Final = 14
INTERRUPT: Final = 15
TABLE: Final = 16
COUNT: Final = 17
SAMPLES: Final = COUNT + 16
"""Where a vCPU's control array has its samples of time (see shadow.SAMPLES)."""

EMULATE, FILLED, REFLECT = "emulate", "fill", "reflect"

#: (name, outcome, meaning) by index.
CAUSES: Final = (
    ("csr", EMULATE, "a CSR instruction, done on the virtual record"),
    ("mret", EMULATE, "return from virtual M-mode"),
    ("sret", EMULATE, "return from virtual S-mode"),
    ("wfi", EMULATE, "the guest waits for an interrupt"),
    ("sfence", EMULATE, "sfence.vma: shadow entries dropped"),
    ("sbi", EMULATE, "a call of the SBI firmware"),
    ("ecall", REFLECT, "a system call of the guest's own"),
    ("ebreak", REFLECT, "a breakpoint instruction"),
    ("illegal", REFLECT, "an instruction that is illegal for the guest too"),
    ("page_fault", REFLECT, "a fault by the guest's own page table"),
    ("access_fault", REFLECT, "no memory and no device at the address, or PMP forbids it"),
    ("misaligned", REFLECT, "a misaligned jump or atomic"),
    ("fill", FILLED, "the shadow page table lacked an entry"),
    ("mmio", EMULATE, "a load or store to a device"),
    ("mprv", EMULATE, "a load or store under virtual MPRV"),
    ("interrupt", REFLECT, "a virtual interrupt injected"),
    ("table", EMULATE, "a store to a write-protected page table"),
)
assert len(CAUSES) == COUNT


@entry_kernel
def _ticks():
    """The counter that samples are measured with."""
    return clock()


@cache
def ns_per_tick() -> float:
    """Nanoseconds of a tick of `jit.clock`, 0 if the host has no such counter; takes 10 ms."""
    ticks, began = int(_ticks()), time.perf_counter_ns()
    time.sleep(0.01)
    passed = int(_ticks()) - ticks
    return (time.perf_counter_ns() - began) / passed if passed else 0.0


class Ledger(Mapping[str, int]):
    """Exits by cause name; reads the counters that compiled code keeps, of all vCPUs."""

    def __init__(self, *counters: np.ndarray) -> None:
        self._counters = counters

    def __getitem__(self, name: str) -> int:
        for index, (known, _, _) in enumerate(CAUSES):
            if known == name:
                return sum(int(one[index]) for one in self._counters)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(name for name, _, _ in CAUSES)

    def __len__(self) -> int:
        return COUNT

    @property
    def total(self) -> int:
        """Exits in all."""
        return sum(int(one[:COUNT].sum()) for one in self._counters)

    def by_outcome(self) -> dict[str, int]:
        """Exits by what was done: emulate, fill, reflect."""
        sums = {EMULATE: 0, FILLED: 0, REFLECT: 0}
        for name, outcome, _ in CAUSES:
            sums[outcome] += self[name]
        return sums

    def nonzero(self) -> dict[str, int]:
        """The causes that occurred, most frequent first."""
        found = {name: self[name] for name in self if self[name]}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def host_ns(self) -> dict[str, tuple[int, float]]:
        """(samples, mean nanoseconds in the hypervisor) of each cause that was sampled.

        One compiled exit in 64 is measured, from the moment the guest's hart stopped to the
        moment it may go on.  Leaving and entering the hart's loop, and what Python does for
        devices and firmware, is not in it.
        """
        found = {}
        for index, (name, _, _) in enumerate(CAUSES):
            samples = sum(int(one[SAMPLES + index]) for one in self._counters)
            ticks = sum(int(one[SAMPLES + COUNT + index]) for one in self._counters)
            if samples:
                found[name] = samples, ticks * ns_per_tick() / samples
        return found

    def sampled_ns(self) -> float:
        """Mean of `host_ns` over all samples; 0 if there is none."""
        rows = self.host_ns().values()
        return sum(n * mean for n, mean in rows) / max(1, sum(n for n, _ in rows))
