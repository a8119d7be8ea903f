"""The supervisor binary interface: one implementation for the bare machine and the hypervisor.

RISC-V SBI 1.0 with BASE, TIME, IPI, RFENCE, HSM, SRST and the legacy calls, plus the debug console
(DBCN) of SBI 2.0, which kernels probe for before they use it.  Numbers are those of the SBI
specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

SPEC_VERSION: Final = 1 << 24
"""Version 1.0: major in bits 30:24, minor below."""
IMPL_ID: Final = 0x74_6F79
"""The bytes "toy"; not one of the registered implementations."""
IMPL_VERSION: Final = 1

SUCCESS: Final = 0
ERR_NOT_SUPPORTED: Final = -2
ERR_INVALID_PARAM: Final = -3
ERR_INVALID_ADDRESS: Final = -5
ERR_ALREADY_AVAILABLE: Final = -6

EXT_SET_TIMER: Final = 0x00
EXT_PUTCHAR: Final = 0x01
EXT_GETCHAR: Final = 0x02
EXT_CLEAR_IPI: Final = 0x03
EXT_SEND_IPI: Final = 0x04
EXT_REMOTE_FENCE_I: Final = 0x05
EXT_REMOTE_SFENCE_VMA: Final = 0x06
EXT_REMOTE_SFENCE_VMA_ASID: Final = 0x07
EXT_LEGACY_LAST: Final = 0x0F
EXT_SHUTDOWN: Final = 0x08
EXT_BASE: Final = 0x10
EXT_TIME: Final = 0x5449_4D45
EXT_IPI: Final = 0x0073_5049
EXT_RFENCE: Final = 0x5246_4E43
EXT_HSM: Final = 0x0048_534D
EXT_SRST: Final = 0x5352_5354
EXT_DBCN: Final = 0x4442_434E

RESET_SHUTDOWN: Final = 0
RESET_COLD_REBOOT: Final = 1
RESET_WARM_REBOOT: Final = 2
REASON_NONE: Final = 0
REASON_FAILURE: Final = 1

HSM_STARTED: Final = 0
HSM_STOPPED: Final = 1
SUSPEND_RETENTIVE: Final = 0
SUSPEND_NON_RETENTIVE: Final = 0x8000_0000
_SUSPEND_PLATFORM: Final = 0x1000_0000
"""From here on (in either half) suspend types are a platform's own; those below are reserved."""
ALL_HARTS: Final = 0xFFFF_FFFF
"""A hart mask base that means every hart, whatever the mask."""

CONSOLE_MAX: Final = 4096
"""Bytes moved by one console call; the specification lets a call do a part."""

_WORD: Final = 0xFFFF_FFFF
_RESETS: Final = {
    RESET_SHUTDOWN: "shutdown",
    RESET_COLD_REBOOT: "cold reboot",
    RESET_WARM_REBOOT: "warm reboot",
}

Result = tuple[int, int | None]


class SbiPort(Protocol):
    """What the firmware can do to the machine it serves; addresses are physical (gpa in a VM)."""

    def console_put(self, data: bytes) -> None:
        """Print ``data`` on the console."""

    def console_get(self) -> int:
        """The next byte of console input; -1 if there is none."""

    def set_timer(self, ticks: int) -> None:
        """Set the calling hart's next supervisor timer interrupt to time ``ticks`` (64 bits) and
        clear the pending one."""

    def shutdown(self, reason: str, code: int) -> None:
        """End the machine.  ``reason`` is "shutdown", "cold reboot" or "warm reboot"; ``code`` is
        0, or 1 if the kernel reports a system failure."""

    def read_memory(self, pa: int, n: int) -> bytes | None:
        """``n`` bytes of RAM at ``pa``; None if any is outside."""

    def hart_count(self) -> int:
        """How many harts there are; their numbers start at 0."""

    def hart_state(self, hart: int) -> int:
        """The state of a hart, as HSM numbers it."""

    def hart_start(self, hart: int, pc: int, opaque: int) -> None:
        """Start a stopped hart in S-mode with its number in a0 and ``opaque`` in a1."""

    def hart_stop(self) -> None:
        """Stop the calling hart; the call does not return."""

    def hart_suspend(self, resume: tuple[int, int] | None) -> None:
        """Let the calling hart wait for an interrupt; then it begins at ``resume`` (pc, opaque)
        as if started, or goes on behind the call."""

    def send_ipi(self, hart: int) -> None:
        """Raise a hart's supervisor software interrupt; nothing if it is stopped."""

    def clear_ipi(self) -> bool:
        """Clear that of the calling hart; True if it was pending."""

    def remote_fence(self, hart: int, start: int, size: int) -> None:
        """sfence.vma of ``size`` bytes from ``start`` (0, 0: everything) on a hart."""

    def read_virtual(self, va: int, n: int) -> bytes | None:
        """``n`` bytes at an address of the calling hart; None if it cannot read there."""

    def write_memory(self, pa: int, data: bytes) -> bool:
        """Store ``data`` in RAM; False, with nothing written, if any byte is outside."""


class Sbi:
    """Answers the calls of the hart that runs, through ``port``."""

    def __init__(self, port: SbiPort) -> None:
        self._port = port
        self._extensions: dict[int, Callable[[Sequence[int]], Result]] = {
            EXT_SET_TIMER: self._legacy_set_timer,
            EXT_PUTCHAR: self._legacy_putchar,
            EXT_GETCHAR: self._legacy_getchar,
            EXT_CLEAR_IPI: self._legacy_clear_ipi,
            EXT_SEND_IPI: self._legacy_send_ipi,
            EXT_REMOTE_FENCE_I: self._legacy_fence,
            EXT_REMOTE_SFENCE_VMA: self._legacy_fence,
            EXT_REMOTE_SFENCE_VMA_ASID: self._legacy_fence,
            EXT_SHUTDOWN: self._legacy_shutdown,
            EXT_BASE: self._base,
            EXT_TIME: self._time,
            EXT_IPI: self._ipi,
            EXT_RFENCE: self._rfence,
            EXT_HSM: self._hsm,
            EXT_SRST: self._srst,
            EXT_DBCN: self._dbcn,
        }

    def extend(self, extension: int, handler: Callable[[Sequence[int]], Result]) -> None:
        """Answer one more extension; `handler` gets a0 to a7 and returns as `call` does."""
        self._extensions[extension] = handler

    def call(self, args: Sequence[int]) -> Result:
        """Do the call in ``args``, the registers a0 to a7 as unsigned 32-bit numbers.

        a7 is the extension, a6 the function.  Returns (error, value) for a0 and a1: error is 0 or
        negative, to be stored modulo 2**32.  A value of None leaves a1 as it is: legacy calls
        return in a0 only.
        """
        extension = args[7] & _WORD
        handler = self._extensions.get(extension)
        if handler is not None:
            return handler([value & _WORD for value in args])
        if extension <= EXT_LEGACY_LAST:
            return ERR_NOT_SUPPORTED, None
        return ERR_NOT_SUPPORTED, 0

    # -- legacy (one extension a function) --------------------------------------------------------

    def _legacy_set_timer(self, args: Sequence[int]) -> Result:
        self._port.set_timer(args[0] | args[1] << 32)
        return SUCCESS, None

    def _legacy_putchar(self, args: Sequence[int]) -> Result:
        self._port.console_put(bytes([args[0] & 0xFF]))
        return SUCCESS, None

    def _legacy_getchar(self, args: Sequence[int]) -> Result:
        return self._port.console_get(), None

    def _legacy_shutdown(self, args: Sequence[int]) -> Result:
        self._port.shutdown("shutdown", 0)
        return SUCCESS, None

    # -- BASE -------------------------------------------------------------------------------------

    def _base(self, args: Sequence[int]) -> Result:
        function = args[6]
        if function == 3:
            return SUCCESS, int(args[0] in self._extensions)
        # Then vendor, architecture and implementation id of the machine, all zero.
        answers = (SPEC_VERSION, IMPL_ID, IMPL_VERSION, 0, 0, 0, 0)
        if function < len(answers):
            return SUCCESS, answers[function]
        return ERR_NOT_SUPPORTED, 0

    # -- TIME -------------------------------------------------------------------------------------

    def _time(self, args: Sequence[int]) -> Result:
        if args[6] != 0:
            return ERR_NOT_SUPPORTED, 0
        self._port.set_timer(args[0] | args[1] << 32)
        return SUCCESS, 0

    # -- IPI and RFENCE (chapters 7 and 8) --------------------------------------------------------

    def _targets(self, mask: int, base: int) -> list[int] | None:
        """The harts of a mask that begins at hart ``base``; None if one of them is not there."""
        count = self._port.hart_count()
        if base == ALL_HARTS:
            return list(range(count))
        if base >= count or mask >> (count - base):
            return None
        return [base + i for i in range(count - base) if mask >> i & 1]

    def _ipi(self, args: Sequence[int]) -> Result:
        if args[6] != 0:
            return ERR_NOT_SUPPORTED, 0
        targets = self._targets(args[0], args[1])
        if targets is None:
            return ERR_INVALID_PARAM, 0
        for hart in targets:
            self._port.send_ipi(hart)
        return SUCCESS, 0

    def _rfence(self, args: Sequence[int]) -> Result:
        # fence.i, sfence.vma and sfence.vma with an address space; those of hypervisors are not.
        function = args[6]
        if function > 2:
            return ERR_NOT_SUPPORTED, 0
        targets = self._targets(args[0], args[1])
        if targets is None:
            return ERR_INVALID_PARAM, 0
        if function:
            for hart in targets:
                # An address space may be fenced with all others: more is always allowed.
                self._port.remote_fence(hart, args[2], args[3])
        return SUCCESS, 0

    def _legacy_clear_ipi(self, args: Sequence[int]) -> Result:
        return int(self._port.clear_ipi()), None

    def _legacy_targets(self, address: int) -> list[int] | int:
        """The harts of the mask at a virtual address (0: all), or an error."""
        if address == 0:
            return list(range(self._port.hart_count()))
        word = self._port.read_virtual(address, 4)
        if word is None:
            return ERR_INVALID_ADDRESS
        targets = self._targets(int.from_bytes(word, "little"), 0)
        return ERR_INVALID_PARAM if targets is None else targets

    def _legacy_send_ipi(self, args: Sequence[int]) -> Result:
        targets = self._legacy_targets(args[0])
        if isinstance(targets, int):
            return targets, None
        for hart in targets:
            self._port.send_ipi(hart)
        return SUCCESS, None

    def _legacy_fence(self, args: Sequence[int]) -> Result:
        targets = self._legacy_targets(args[0])
        if isinstance(targets, int):
            return targets, None
        if args[7] != EXT_REMOTE_FENCE_I:
            for hart in targets:
                self._port.remote_fence(hart, args[1], args[2])
        return SUCCESS, None

    # -- HSM (chapter 9) ---------------------------------------------------------------------------

    def _hsm(self, args: Sequence[int]) -> Result:
        function = args[6]
        if function == 0:
            return self._hart_start(args[0], args[1], args[2])
        if function == 1:
            self._port.hart_stop()
            return SUCCESS, 0
        if function == 2:
            if args[0] >= self._port.hart_count():
                return ERR_INVALID_PARAM, 0
            return SUCCESS, self._port.hart_state(args[0])
        if function == 3:
            return self._hart_suspend(args[0], args[1], args[2])
        return ERR_NOT_SUPPORTED, 0

    def _is_entry(self, pa: int) -> bool:
        """Can a hart begin at ``pa``?"""
        return pa % 4 == 0 and self._port.read_memory(pa, 4) is not None

    def _hart_start(self, hart: int, pc: int, opaque: int) -> Result:
        if hart >= self._port.hart_count():
            return ERR_INVALID_PARAM, 0
        if not self._is_entry(pc):
            return ERR_INVALID_ADDRESS, 0
        if self._port.hart_state(hart) != HSM_STOPPED:
            return ERR_ALREADY_AVAILABLE, 0
        self._port.hart_start(hart, pc, opaque)
        return SUCCESS, 0

    def _hart_suspend(self, kind: int, pc: int, opaque: int) -> Result:
        if kind == SUSPEND_RETENTIVE:
            self._port.hart_suspend(None)
        elif kind == SUSPEND_NON_RETENTIVE:
            if not self._is_entry(pc):
                return ERR_INVALID_ADDRESS, 0
            self._port.hart_suspend((pc, opaque))
        elif kind % SUSPEND_NON_RETENTIVE < _SUSPEND_PLATFORM:
            return ERR_INVALID_PARAM, 0
        else:
            return ERR_NOT_SUPPORTED, 0
        return SUCCESS, 0

    # -- SRST -------------------------------------------------------------------------------------

    def _srst(self, args: Sequence[int]) -> Result:
        if args[6] != 0:
            return ERR_NOT_SUPPORTED, 0
        kind, reason = _RESETS.get(args[0]), args[1]
        if kind is None or reason not in (REASON_NONE, REASON_FAILURE):
            return ERR_INVALID_PARAM, 0
        self._port.shutdown(kind, int(reason == REASON_FAILURE))
        return SUCCESS, 0

    # -- DBCN -------------------------------------------------------------------------------------

    def _dbcn(self, args: Sequence[int]) -> Result:
        count, base, function = args[0], args[1] | args[2] << 32, args[6]
        if function == 0:
            return self._console_write(base, count)
        if function == 1:
            return self._console_read(base, count)
        if function == 2:
            self._port.console_put(bytes([args[0] & 0xFF]))
            return SUCCESS, 0
        return ERR_NOT_SUPPORTED, 0

    def _buffer(self, base: int, count: int) -> bytes | None:
        """The first part of a buffer; None unless all ``count`` bytes are in RAM."""
        if count and self._port.read_memory(base + count - 1, 1) is None:
            return None
        return self._port.read_memory(base, min(count, CONSOLE_MAX))

    def _console_write(self, base: int, count: int) -> Result:
        if not count:
            return SUCCESS, 0
        data = self._buffer(base, count)
        if data is None:
            return ERR_INVALID_PARAM, 0
        self._port.console_put(data)
        return SUCCESS, len(data)

    def _console_read(self, base: int, count: int) -> Result:
        if not count:
            return SUCCESS, 0
        # The range is checked first: input taken for a bad buffer would be lost.
        if self._buffer(base, count) is None:
            return ERR_INVALID_PARAM, 0
        data = bytearray()
        while len(data) < min(count, CONSOLE_MAX):
            byte = self._port.console_get()
            if byte < 0:
                break
            data.append(byte & 0xFF)
        if data and not self._port.write_memory(base, bytes(data)):
            return ERR_INVALID_PARAM, 0
        return SUCCESS, len(data)
