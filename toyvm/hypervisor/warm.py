"""Compile every kernel once, with progress, so that nobody waits without knowing why."""

from __future__ import annotations

from collections.abc import Callable

from toyvm import jit
from toyvm.hypervisor.vm import Vm
from toyvm.machine import Machine
from toyvm.platform import FINISHER_BASE, FINISHER_PASS

Report = Callable[[str, int, int], None]


def _tiny() -> bytes:
    """A guest that touches a device and ends: lui t0; lui t1; addi t1; sw."""
    low = FINISHER_PASS & 0xFFF
    words = (
        0x000002B7 | FINISHER_BASE,  # lui t0, finisher
        0x00000337 | ((FINISHER_PASS + (low & 0x800) * 2) & 0xFFFFF000),  # lui t1, pass
        0x00030313 | low << 20,  # addi t1, t1, pass
        0x0062A023,  # sw t1, 0(t0)
    )
    return b"".join((word & 0xFFFF_FFFF).to_bytes(4, "little") for word in words)


def _run_both() -> None:
    """Run the tiny guest bare and virtualised, through every kernel that Python calls."""
    for computer in (Machine(ram=1 << 20, bios="none"), Vm(ram=1 << 20, bios="none")):
        computer.load(_tiny())
        computer.add_breakpoint(computer.pc)
        computer.resume(2)
        computer.remove_breakpoint(computer.pc)
        computer.csr("mstatus")
        computer.set_csr("mscratch", 1)
        computer.translate(computer.pc)
        stop = computer.run(100)
        if stop.reason != "exit" or stop.code:
            raise AssertionError(f"the warm-up guest ended with {stop}")


def warm(report: Report) -> float:
    """Load or compile all kernels; seconds taken.  `report(kernel, done, total)` shows it."""
    if jit.is_warm():
        # Loading from the cache takes a fraction of a second: nothing to show.
        return jit.compile_with_progress(_run_both, lambda *_: None, 0)
    seconds = jit.compile_with_progress(_run_both, report, len(jit.KERNELS))
    jit.mark_warm()
    return seconds
