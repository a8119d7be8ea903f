"""HTIF, the host interface of Spike: a guest's words `tohost` and `fromhost`.

A 64-bit command in `tohost` has the device in bits 63:56, the command in bits 55:48 and a payload.
Device 0 ends the machine (payload odd: exit code times two plus one) or does a system call (payload
even: the address of eight 64-bit words, number and arguments, the result replaces the first).
Device 1 is a console: command 1 puts the byte of the payload, command 0 asks for one.  An answer
appears in `fromhost` as soon as that is zero; `tohost` is zeroed when a command is taken.

An RV32 guest stores a command in two halves, in either order.  A command takes effect when both
are stored; where one half is all that is stored (most exits), WAIT steps later, or as soon as the
guest goes to sleep.  Spike looks every few thousand steps instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from struct import Struct
from typing import Final, Protocol

SIZE: Final = 8
WORDS: Final = Struct("<8Q")
WRITE_MOST: Final = 1 << 16
"""Bytes that one `write` call puts at most; it says how many, as `write` does."""

WAIT: Final = 1000
"""Steps between the store of one half and the command, if the other half is not stored."""

DEVICE_SYSCALL: Final = 0
DEVICE_CONSOLE: Final = 1
CONSOLE_GET: Final = 0
CONSOLE_PUT: Final = 1

SYS_CLOSE: Final = 57
SYS_READ: Final = 63
SYS_WRITE: Final = 64
SYS_EXIT: Final = 93
ENOSYS: Final = 38
EBADF: Final = 9
EFAULT: Final = 14


class HtifPort(Protocol):
    """What HTIF needs of the computer; `read` and `write` take virtual addresses."""

    def read(self, va: int, n: int) -> bytes | None: ...
    def write(self, va: int, data: bytes) -> bool: ...
    def read_phys(self, pa: int, n: int) -> bytes | None: ...
    def write_phys(self, pa: int, data: bytes) -> bool: ...
    def console_put(self, data: bytes) -> None: ...
    def console_get(self) -> int: ...
    def shutdown(self, reason: str, code: int) -> None: ...
    @property
    def clock(self) -> int: ...


class Htif:
    """The host's side; without the symbol `tohost` it does nothing."""

    def __init__(self, port: HtifPort) -> None:
        self._port = port
        self.watch({})

    def watch(self, symbols: Mapping[str, int]) -> None:
        """Start again, with a program's symbols."""
        self._tohost = symbols.get("tohost", -1)
        self._fromhost = symbols.get("fromhost", -1)
        self._answers: deque[int] = deque()
        self._wanted = 0
        self._stored: set[bool] = set()
        self.due: int | None = None
        """The clock at which a command that is half stored takes effect."""

    def ranges(self) -> list[tuple[int, int, int]]:
        """Watchpoints (va, length, kinds): stores to `tohost`; to `fromhost` while we wait."""
        ranges = []
        if self._tohost >= 0:
            ranges.append((self._tohost, SIZE, 2))
            if self._fromhost >= 0 and self._fromhost != self._tohost:
                ranges.append((self._fromhost, SIZE, 2))
        return ranges

    def hit(self, va: int) -> bool:
        """A store at `va` was watched; True if it was ours."""
        if self._tohost < 0:
            return False
        if self._fromhost >= 0 and self._fromhost <= va < self._fromhost + SIZE:
            self.poll()
            return True
        if not self._tohost <= va < self._tohost + SIZE:
            return False
        self._stored.add(va < self._tohost + SIZE // 2)
        if len(self._stored) == 2:
            self.settle()
        elif self.due is None:
            self.due = self._port.clock + WAIT
        self.poll()
        return True

    def settle(self) -> None:
        """Do what `tohost` says now."""
        self._stored.clear()
        self.due = None
        value = int.from_bytes(self._port.read(self._tohost, SIZE) or b"", "little")
        device, command, payload = value >> 56, value >> 48 & 0xFF, value & (1 << 48) - 1
        if device == DEVICE_CONSOLE and command == CONSOLE_PUT:
            self._port.console_put(bytes([payload & 0xFF]))
            self._taken()
        elif device == DEVICE_CONSOLE and command == CONSOLE_GET:
            self._wanted += 1
            self._taken()
        elif device == DEVICE_SYSCALL and command == 0 and payload & 1:
            self._port.shutdown("tohost", (payload & 0xFFFF_FFFF) >> 1)
        elif device == DEVICE_SYSCALL and command == 0 and payload:
            self._taken()
            self._system_call(payload)
        self.poll()

    def _taken(self) -> None:
        self._port.write(self._tohost, bytes(SIZE))

    @property
    def busy(self) -> bool:
        """True while a guest waits for an answer."""
        return bool(self._wanted or self._answers)

    def poll(self) -> None:
        """Give answers that wait to a `fromhost` that is free."""
        if self._wanted and self._fromhost >= 0:
            byte = self._port.console_get()
            if byte >= 0:
                self._wanted -= 1
                self._answers.append(DEVICE_CONSOLE << 56 | CONSOLE_GET << 48 | 0x100 | byte)
        if not self._answers or self._fromhost < 0:
            return
        if self._port.read(self._fromhost, SIZE) == bytes(SIZE):
            self._port.write(self._fromhost, self._answers.popleft().to_bytes(SIZE, "little"))

    def _system_call(self, at: int) -> None:
        words = self._port.read_phys(at, WORDS.size)
        if words is not None:
            number, *arguments = WORDS.unpack(words)
            result = self._do(number, arguments)
            self._port.write_phys(at, (result & (1 << 64) - 1).to_bytes(8, "little"))
        self._answers.append(1)

    def _do(self, number: int, arguments: list[int]) -> int:
        """One system call of a bare program; its result, negative for an error."""
        first, address, size = arguments[:3]
        if number == SYS_EXIT:
            self._port.shutdown("tohost", first & 0xFFFF_FFFF)
            return 0
        if number == SYS_WRITE:
            if first not in (1, 2):
                return -EBADF
            data = self._port.read_phys(address, min(size, WRITE_MOST))
            if data is None:
                return -EFAULT
            self._port.console_put(data)
            return len(data)
        if number == SYS_READ:
            return self._read(first, address, size)
        if number == SYS_CLOSE:
            return 0
        return -ENOSYS

    def _read(self, file: int, address: int, size: int) -> int:
        if file:
            return -EBADF
        # The range first: input taken for a bad buffer would be lost.
        size = min(size, WRITE_MOST)
        if self._port.read_phys(address, size) is None:
            return -EFAULT
        data = bytearray()
        while len(data) < size and (byte := self._port.console_get()) >= 0:
            data.append(byte)
        self._port.write_phys(address, bytes(data))
        return len(data)
