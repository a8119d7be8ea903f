"""What many guests cost: threads, sleepers, memory, and the start of a small one."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any, Final

from toyvm.hypervisor import Hypervisor, Vm

_MIB: Final = 1 << 20

#: Wakes up WAKES times a second, counts, sleeps again: an idle guest with a clock.
IDLE_SOURCE: Final = """
        .include "csr.inc"
        .include "platform.inc"
        .equ PERIOD, TIMEBASE_HZ / WAKES
_start: la      t0, tick
        csrw    mtvec, t0
        li      s2, CLINT_BASE + 0x4000
        li      t0, MIE_MTIE
        csrw    mie, t0
        csrr    s3, time
        li      s4, PERIOD
        call    next
        csrsi   mstatus, MSTATUS_MIE
1:      wfi
        j       1b
        .align  2
tick:   addi    s0, s0, 1
        call    next
        mret
next:   add     s3, s3, s4
        sw      zero, 4(s2)
        sw      s3, 0(s2)
        ret
"""


def _idle_image(wakes: int = 10) -> Any:
    from assembler import Source, assemble
    from guestos import include_dirs

    source = Source("idle.s", IDLE_SOURCE)
    return assemble([source], include_dirs=include_dirs(), defines={"WAKES": wakes})


def threads(rounds: int = 3) -> dict[str, Any]:
    """Elapsed time of two compute-bound VMs on two threads against one after the other."""
    import guestos

    image = guestos.build("cpu", {"CPU_ROUNDS": 400})
    times: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(max(rounds, 7)):
        # Elapsed time: whatever else the computer does shows, so more rounds, and either first.
        for parallel in (False, True) if turn % 2 else (True, False):
            host = Hypervisor([16 * _MIB] * 2, slice_steps=5_000_000, parallel=parallel)
            for i in range(2):
                host.create(f"vm{i}", 16 * _MIB, tier=1).load(image)
            began = time.perf_counter()
            while host.advance(40):
                pass
            times[parallel].append(time.perf_counter() - began)
            host.close()
    ratios = [a / b for a, b in zip(times[False], times[True], strict=True)]
    return {
        "two VMs in turns, s": round(statistics.median(times[False]), 3),
        "two VMs on two threads, s": round(statistics.median(times[True]), 3),
        "throughput, threads / turns": round(statistics.median(ratios), 3),
    }


def idle_guests(count: int = 100, seconds: float = 5.0, wakes: int = 10) -> dict[str, Any]:
    """Part of a core that `count` guests use that wake `wakes` times a second, in real time.

    Their start, the first slice of each, is over before anything is measured.
    """
    image = _idle_image(wakes)
    host = Hypervisor([_MIB] * count)
    for i in range(count):
        host.create(f"vm{i}", _MIB, bios="none").load(image)
    rate = 100_000_000  # steps of guest time in a second
    host.round()
    started = host.vms[0].clock
    began, busy = time.monotonic(), time.process_time()
    while (elapsed := time.monotonic() - began) < seconds:
        while host.vms[0].clock - started < elapsed * rate and host.round():
            pass
        # Until the host's time is where the guests' clocks have already jumped.
        ahead = (host.vms[0].clock - started) / rate - (time.monotonic() - began)
        time.sleep(min(max(ahead, 0.001), max(0.0, seconds - elapsed)))
    used = time.process_time() - busy
    ticks = [int(vm.x[8]) for vm in host.vms]
    return {
        "guests": count,
        "wake-ups of each a second": wakes,
        "ticks of each in the time": min(ticks),
        "processor seconds a second": round(used / seconds, 3),
    }


def _resident() -> int:
    """Bytes of this process that are in memory (Linux; 0 elsewhere)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    import resource

    return pages * resource.getpagesize()


def idle_memory(count: int = 50, ram: int = 128 * _MIB) -> dict[str, Any]:
    """Resident memory that each further idle VM costs."""
    image = _idle_image()

    def build(number: int) -> Hypervisor:
        host = Hypervisor([ram] * number)
        for i in range(number):
            host.create(f"vm{i}", ram, bios="none").load(image)
        for _ in range(20):
            host.round()
        return host

    first = build(1)
    before = _resident()
    kept = []
    # A host has at most 4 GiB: several of them.
    for _ in range(max(1, count // 10)):
        kept.append(build(10))
    after = _resident()
    del first
    return {
        "VMs": 10 * len(kept),
        "RAM of each, MiB": ram // _MIB,
        "resident memory of each, MiB": round((after - before) / (10 * len(kept)) / _MIB, 3),
    }


def boot(rounds: int = 50) -> dict[str, Any]:
    """Host time from nothing to the end of the smallest guest, everything warm."""
    import guestos

    image = guestos.build("hello")

    def once() -> float:
        began = time.perf_counter()
        vm = Vm(ram=_MIB * 16)
        vm.load(image)
        stop = vm.run(1 << 40)
        if stop.reason != "exit" or stop.code:
            raise RuntimeError(f"hello ended with {stop}")
        return time.perf_counter() - began

    once()
    return {
        "create, load and run hello in a VM, ms": round(
            1000 * statistics.median(once() for _ in range(rounds)), 3
        )
    }
