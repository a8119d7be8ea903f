"""What one exit costs, and how long a start takes; medians, as plain facts for a table."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from toyvm.hypervisor import Vm
from toyvm.proofs.timing import timed

_CSR_LOOP: Final = """
_start: li      t0, {count}
1:      csrr    t1, mscratch
        addi    t0, t0, -1
        bnez    t0, 1b
        li      t1, 0x100000
        li      t2, 0x5555
        sw      t2, 0(t1)
"""
_MMIO_LOOP: Final = _CSR_LOOP.replace("csrr    t1, mscratch", "lbu     t1, 5(t3)").replace(
    "_start: ", "_start: li      t3, 0x10000000\n        "
)
_EMPTY_LOOP: Final = _CSR_LOOP.replace("csrr    t1, mscratch", "nop")


def exits(rounds: int = 3) -> dict[str, Any]:
    """Cost of one exit in nanoseconds: emulated in compiled code, and a device through Python."""
    from assembler import Source, assemble

    def cost(text: str, count: int) -> float:
        image = assemble([Source("loop.s", text.format(count=count))])
        empty = assemble([Source("empty.s", _EMPTY_LOOP.format(count=count))])
        costs = []
        for _ in range(rounds):
            seconds, _steps = timed(Vm(ram=1 << 20, bios="none", tier=1), image)
            base, _steps = timed(Vm(ram=1 << 20, bios="none", tier=1), empty)
            costs.append((seconds - base) / count * 1e9)
        return statistics.median(costs)

    return {
        "compiled exit (csrr), ns": round(cost(_CSR_LOOP, 2_000_000), 1),
        "device exit through Python (UART LSR), ns": round(cost(_MMIO_LOOP, 100_000), 1),
    }


def _elapsed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    return time.perf_counter() - began


def start(rounds: int = 5) -> dict[str, Any]:
    """Seconds of elapsed time of starts as a user sees them; medians."""
    toyvm = [sys.executable, "-m", "toyvm.cli.main"]

    def many(measure: Callable[[], float]) -> float:
        return round(statistics.median(measure() for _ in range(rounds)), 3)

    hello = [*toyvm, "run", "hello"]
    _elapsed(hello)
    return {
        "toyvm --help, s": many(lambda: _elapsed([*toyvm, "--help"])),
        "toyvm run hello from the cache, process start to end, s": many(lambda: _elapsed(hello)),
        "python -c pass, s": many(lambda: _elapsed([sys.executable, "-c", "pass"])),
    }
