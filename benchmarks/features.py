"""What each feature of the machine costs in the loop: the same program with it and without."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from assembler import Source, assemble
from toyvm.hart import ops
from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.platform import RAM_BASE
from toyvm.proofs.peers import BARE, PAGED, RAM, elf, repetitions, steps_of
from toyvm.proofs.timing import timed

PROGRAM: Final = "core"
_FAR: Final = RAM_BASE + RAM - 0x8000
"""An address that the program never comes to."""


_PAIRS: Final = {
    ops.ADDI_BNE: ops.ADDI,
    ops.ADDI_BGE: ops.ADDI,
    ops.ADDI_ADDI: ops.ADDI,
    ops.ADD_BLT: ops.ADD,
    ops.ADD_BLTU: ops.ADD,
    ops.ADD_LW: ops.ADD,
    ops.ANDI_BEQ: ops.ANDI,
    ops.SLLI_ADD: ops.SLLI,
    ops.LUI_ADDI: ops.LUI,
}
"""The codes of pairs of instructions, and that of the first of each."""
_STORES: Final = """
    .equ FINISHER, 0x100000
    .globl _start
_start:
    la   t0, word
    li   t1, 2000000
1:  sw   t1, 0(t0)
    addi t1, t1, -1
    bnez t1, 1b
    li   t0, FINISHER
    li   t1, 0x5555
    sw   t1, 0(t0)
    j    .
    .balign {alignment}
word:
    .word 0
"""
"""A loop that stores to its own page or, with an alignment of 4096, to another one."""


def _plain(machine: Any) -> None:
    """Nothing more."""


def _watch(machine: Any) -> None:
    machine.set_watchpoints([(_FAR, 4, 3)])


def _breakpoints(machine: Any) -> None:
    for at in range(8):
        machine.add_breakpoint(_FAR + 4 * at)


def _single(machine: Any) -> None:
    """Take decoded pairs apart, once the program has been everywhere."""
    machine.run(sum(steps_of(PROGRAM)))
    assert len(_PAIRS) == 63 - ops.NOP
    dec = machine.hart.core.dec
    for pair, code in _PAIRS.items():
        found = (dec & 63 == pair) & (np.arange(len(dec)) < len(dec) - ops.REGION_TABLE)
        dec[found] += code - pair


def _trace(vm: Any) -> None:
    vm.trace_exits(lambda _sentence: None)


#: Name: (kind, mode, configuration, what is done to it).
FEATURES: Final[dict[str, tuple[Any, int, dict[str, Any], Callable[[Any], None]]]] = {
    "plain: M-mode, PMP of 16 entries": (Machine, BARE, {}, _plain),
    "without PMP": (Machine, BARE, {"pmp": 0}, _plain),
    "Sv32 with 4 KiB pages": (Machine, PAGED, {}, _plain),
    "without pairs (fusion)": (Machine, BARE, {}, _single),
    "a watchpoint on another page": (Machine, BARE, {}, _watch),
    "eight breakpoints elsewhere (stop words)": (Machine, BARE, {}, _breakpoints),
    "in a VM, Sv32 behind shadow tables": (Vm, PAGED, {}, _plain),
    "in a VM, each exit told to a tracer": (Vm, PAGED, {}, _trace),
}


def measure(rounds: int, steps: int = 60_000_000) -> list[tuple[str, float, float]]:
    """(feature, MIPS, time relative to the first) in tier 1; medians of rounds in turns."""
    times = repetitions(PROGRAM, steps)
    seconds: dict[str, list[float]] = {name: [] for name in FEATURES}
    counts: dict[str, int] = {}
    for _ in range(rounds):
        for name, (kind, mode, configuration, prepare) in FEATURES.items():
            computer = kind(ram=RAM, bios="none", tier=1, **configuration)
            took, counts[name] = timed(computer, elf(PROGRAM, times, mode), prepare)
            seconds[name].append(took)
    return _rows(seconds, counts)


def stores(rounds: int) -> list[tuple[str, float, float]]:
    """The same for a loop of stores: to a page of data, and to its own page, which holds code."""
    images = {
        "a loop of stores to a page of data": 4096,
        "the same to its own page, which holds decoded words": 4,
    }
    seconds: dict[str, list[float]] = {name: [] for name in images}
    counts = {}
    for _ in range(rounds):
        for name, alignment in images.items():
            image = assemble([Source("stores.s", _STORES.format(alignment=alignment))])
            took, counts[name] = timed(Machine(ram=RAM, bios="none", tier=1), image)
            seconds[name].append(took)
    return _rows(seconds, counts)


def _rows(
    seconds: dict[str, list[float]], counts: dict[str, int]
) -> list[tuple[str, float, float]]:
    """(name, MIPS, time of a step relative to the first name): medians of the rounds."""
    steps = {name: [took / counts[name] for took in values] for name, values in seconds.items()}
    first = next(iter(steps.values()))
    return [
        (
            name,
            1e-6 / statistics.median(values),
            statistics.median(a / b for a, b in zip(values, first, strict=True)),
        )
        for name, values in steps.items()
    ]
