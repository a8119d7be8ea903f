"""What the debugger needs of the thing it looks at: a machine, a VM, later a gdb client.

Addresses are 32-bit virtual addresses of the current mode unless a name says `phys`. Reads and
writes made here have no side effects on the guest: no page fault, no device access, no A/D bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .errors import DebugError

MASK32 = 0xFFFF_FFFF


_HART_STATES = {1: "stopped", 4: "suspended"}
"""As SBI's hart state management numbers them; all others run or wait."""


class StopLike(Protocol):
    """Why a run ended: `reason`, the guest's exit `code`, and `detail` for people."""

    @property
    def reason(self) -> str: ...

    @property
    def code(self) -> int: ...

    @property
    def detail(self) -> str: ...


class Target(Protocol):
    """One hart with its memory, as a debugger sees it."""

    name: str
    kind: str
    """"machine" for bare hardware, "vm" for a guest under the hypervisor."""

    @property
    def pc(self) -> int: ...

    @property
    def mode(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def instret(self) -> int: ...

    @property
    def mtime(self) -> int: ...

    def reg(self, number: int) -> int: ...

    def csr(self, name: str) -> int: ...

    def set_reg(self, number: int, value: int) -> None: ...

    def set_csr(self, name: str, value: int) -> None: ...

    def set_pc(self, value: int) -> None: ...

    def read(self, va: int, count: int) -> bytes | None: ...

    def read_phys(self, pa: int, count: int) -> bytes | None: ...

    def write(self, va: int, data: bytes) -> bool: ...

    def write_phys(self, pa: int, data: bytes) -> bool: ...

    def run(self, steps: int) -> StopLike: ...

    def add_breakpoint(self, va: int) -> None: ...

    def remove_breakpoint(self, va: int) -> None: ...

    def new_output(self) -> bytes: ...

    def feed(self, data: bytes) -> None: ...

    def ledger(self) -> Mapping[str, int] | None: ...


class LiveTarget:
    """A `toyvm.machine.Machine` or a `toyvm.hypervisor.Vm` as a Target.

    Both are driven by the same methods, so one adapter serves both.
    """

    def __init__(self, machine: Any, name: str, kind: str, output: bytearray) -> None:
        """`output` is where the machine's console leaves its bytes; we take them away."""
        self.machine = machine
        self.name = name
        self.kind = kind
        self._output = output

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return int(self.machine.pc) & MASK32

    @property
    def mode(self) -> str:
        """The privilege mode: "M", "S" or "U" (virtual, in a VM)."""
        return str(self.machine.mode)

    @property
    def steps(self) -> int:
        """Steps since reset: retired instructions and traps delivered."""
        return int(self.machine.steps)

    @property
    def instret(self) -> int:
        """Retired instructions since reset."""
        return int(self.machine.instret)

    @property
    def mtime(self) -> int:
        """Guest time in ticks of the board's time base."""
        value = self.machine.mtime
        return int(value() if callable(value) else value)

    def reg(self, number: int) -> int:
        """Integer register 0 to 31, unsigned."""
        return int(self.machine.x[number]) & MASK32

    def csr(self, name: str) -> int:
        """A CSR by name, unsigned."""
        return int(self.machine.csr(name)) & MASK32

    def set_reg(self, number: int, value: int) -> None:
        """Write register 1 to 31; x0 stays 0."""
        if number:
            self.machine.set_x(number, value & MASK32)

    def set_csr(self, name: str, value: int) -> None:
        """Write a CSR; its WARL rules apply."""
        self.machine.set_csr(name, value & MASK32)

    def set_pc(self, value: int) -> None:
        """Continue at `value` from now on."""
        self.machine.set_pc(value & MASK32)

    def read(self, va: int, count: int) -> bytes | None:
        """`count` bytes through the current translation, None if any is not mapped RAM."""
        data = self.machine.read(va & MASK32, count)
        return None if data is None else bytes(data)

    def read_phys(self, pa: int, count: int) -> bytes | None:
        """`count` bytes of (guest-)physical memory, None if any is not RAM."""
        data = self.machine.read_phys(pa, count)
        return None if data is None else bytes(data)

    def write(self, va: int, data: bytes) -> bool:
        """Change memory through the current translation; False if it is not mapped RAM."""
        return self.machine.write(va & MASK32, data) is not False

    def write_phys(self, pa: int, data: bytes) -> bool:
        """Change (guest-)physical memory; False if it is not RAM."""
        return self.machine.write_phys(pa, data) is not False

    def run(self, steps: int) -> StopLike:
        """Run at most `steps` steps."""
        stop: StopLike = self.machine.run(steps)
        return stop

    def add_breakpoint(self, va: int) -> None:
        """Stop before the instruction at `va` is executed."""
        try:
            self.machine.add_breakpoint(va)
        except ValueError as error:
            raise DebugError(str(error)) from None

    def remove_breakpoint(self, va: int) -> None:
        """Undo `add_breakpoint`."""
        self.machine.remove_breakpoint(va)

    def forget_breakpoints(self) -> None:
        """Leave the machine without any stop."""
        for va in list(self.machine.breakpoints):
            self.machine.remove_breakpoint(va)

    def new_output(self) -> bytes:
        """What the guest wrote to its console since the last call."""
        fresh = bytes(self._output)
        self._output.clear()
        return fresh

    def feed(self, data: bytes) -> None:
        """Type `data` on the guest's console."""
        self.machine.feed(data)

    @property
    def hart_id(self) -> int:
        """Number of the hart that registers and pc are shown of."""
        return int(getattr(self.machine, "hart_id", 0))

    def select_hart(self, number: int | None) -> None:
        """Show another hart; None: the one whose turn it is.  DebugError if there is none."""
        if not hasattr(self.machine, "select"):
            return
        if number is None:
            self.machine.select_running()
            return
        try:
            self.machine.select(number)
        except ValueError as error:
            raise DebugError(str(error)) from None

    def harts(self) -> list[tuple[int, str, int, str]]:
        """(number, mode, pc, state) of every hart."""
        if not hasattr(self.machine, "select"):
            return [(0, self.mode, self.pc, "running")]
        shown, rows = self.hart_id, []
        for number, hart in enumerate(self.machine.harts):
            self.machine.select(number)
            state = _HART_STATES.get(hart.state, "running")
            if state == "running" and hart.waiting:
                state = "waits in wfi"
            rows.append((number, self.mode, self.pc, state))
        self.machine.select(shown)
        return rows

    def ledger(self) -> Mapping[str, int] | None:
        """Exits by cause, None on a bare machine (it has no hypervisor to exit to)."""
        return exits_of(self.machine)


def exits_of(machine: Any) -> dict[str, int] | None:
    """The exit ledger of a VM as cause -> count, None where there is none."""
    ledger = getattr(machine, "ledger", None)
    return None if ledger is None else {str(cause): int(ledger[cause]) for cause in ledger}
