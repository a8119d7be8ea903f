"""The supervisor binary interface: one implementation for the bare machine and the hypervisor.

RISC-V SBI 1.0 with BASE, TIME, SRST and the legacy calls, plus the debug console (DBCN) of SBI 2.0,
which kernels probe for before they use it.  Numbers are those of the SBI specification.
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

EXT_SET_TIMER: Final = 0x00
EXT_PUTCHAR: Final = 0x01
EXT_GETCHAR: Final = 0x02
EXT_LEGACY_LAST: Final = 0x0F
EXT_SHUTDOWN: Final = 0x08
EXT_BASE: Final = 0x10
EXT_TIME: Final = 0x5449_4D45
EXT_SRST: Final = 0x5352_5354
EXT_DBCN: Final = 0x4442_434E

RESET_SHUTDOWN: Final = 0
RESET_COLD_REBOOT: Final = 1
RESET_WARM_REBOOT: Final = 2
REASON_NONE: Final = 0
REASON_FAILURE: Final = 1

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

    def write_memory(self, pa: int, data: bytes) -> bool:
        """Store ``data`` in RAM; False, with nothing written, if any byte is outside."""


class Sbi:
    """Answers the calls of one hart's supervisor through ``port``."""

    def __init__(self, port: SbiPort) -> None:
        self._port = port
        self._extensions: dict[int, Callable[[Sequence[int]], Result]] = {
            EXT_SET_TIMER: self._legacy_set_timer,
            EXT_PUTCHAR: self._legacy_putchar,
            EXT_GETCHAR: self._legacy_getchar,
            EXT_SHUTDOWN: self._legacy_shutdown,
            EXT_BASE: self._base,
            EXT_TIME: self._time,
            EXT_SRST: self._srst,
            EXT_DBCN: self._dbcn,
        }

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
