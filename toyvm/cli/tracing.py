"""--trace: one line on stderr for every trap, or for every exit to the hypervisor.

Exits are reported by the VM itself. For traps the guest is single-stepped and observed from
outside, which is some thousand times slower than a plain run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from toyvm.debugger.symbols import Symbols
from toyvm.isa.causes import cause_title

Step = Callable[[int], Any]

_ECALL = (0x73).to_bytes(4, "little")


def trace_exits(computer: Any) -> None:
    """Have a VM print a sentence after every exit."""
    computer.trace_exits(lambda sentence: sys.stderr.write(sentence + "\n"))


def trace_traps(computer: Any, symbols: Symbols) -> Step:
    """A replacement for `computer.run` that prints every trap as it goes."""
    watch = _Traps(computer, symbols)

    def run(steps: int) -> Any:
        stop = None
        for _ in range(max(1, steps)):
            watch.before()
            stop = computer.run(1)
            watch.after()
            if stop.reason != "budget":
                break
        return stop

    return run


def _line(computer: Any, text: str) -> None:
    sys.stderr.write(f"{computer.steps:>12} {text}\n")


class _Traps:
    """A trap shows as a step after which xepc, xcause and the mode fit a delivery."""

    def __init__(self, computer: Any, symbols: Symbols) -> None:
        self.computer, self.symbols = computer, symbols
        self._pc = self._instret = self._steps = 0
        self._mode = ""
        self._calls_firmware = False

    def before(self) -> None:
        """Remember where the step starts."""
        self._pc, self._mode = self.computer.pc, self.computer.mode
        self._instret, self._steps = self.computer.instret, self.computer.steps
        self._calls_firmware = (
            self._mode == "S"
            and self.computer.bios == "sbi"
            and self.computer.read(self._pc, 4) == _ECALL
        )

    def after(self) -> None:
        """A step that retired nothing is a trap: say which."""
        computer = self.computer
        if computer.steps == self._steps or computer.instret != self._instret:
            return
        if self._calls_firmware and computer.pc == (self._pc + 4) & 0xFFFF_FFFF:
            _line(computer, f"{self._at()} {self._mode}: call to the built-in SBI firmware")
            return
        prefix = "m" if computer.mode == "M" else "s"
        cause, value = computer.csr(prefix + "cause"), computer.csr(prefix + "tval")
        _line(
            computer,
            f"{self._at()} {self._mode} -> {computer.mode}: {cause_title(cause)}, "
            f"{prefix}tval {value:#010x}, handler {computer.pc:#010x}",
        )

    def _at(self) -> str:
        name = self.symbols.describe(self._pc)
        return f"{self._pc:#010x}" + (f" <{name}>" if name else "")
