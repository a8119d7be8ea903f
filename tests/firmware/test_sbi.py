"""The SBI: every call, with numbers typed again from the SBI specification."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.memory import RAM, GuardedMemory
from toyvm.firmware.sbi import Sbi

BASE, TIME, SRST, DBCN = 0x10, 0x54494D45, 0x53525354, 0x4442434E
NOT_SUPPORTED, INVALID_PARAM = -2, -3
SIZE = 1 << 16


class Port:
    """A machine that remembers what the firmware did to it."""

    def __init__(self, typed: bytes = b"") -> None:
        self.memory = GuardedMemory(SIZE)
        self.printed = b""
        self.typed = list(typed)
        self.timers: list[int] = []
        self.shutdowns: list[tuple[str, int]] = []

    def console_put(self, data: bytes) -> None:
        self.printed += data

    def console_get(self) -> int:
        return self.typed.pop(0) if self.typed else -1

    def set_timer(self, ticks: int) -> None:
        self.timers.append(ticks)

    def shutdown(self, reason: str, code: int) -> None:
        self.shutdowns.append((reason, code))

    def read_memory(self, pa: int, n: int) -> bytes | None:
        return self.memory.read(pa, n)

    def write_memory(self, pa: int, data: bytes) -> bool:
        return self.memory.write(pa, data)


def call(port: Port, extension: int, function: int = 0, *args: int):
    registers = [*args, *[0] * (6 - len(args)), function, extension]
    return Sbi(port).call(registers)


@pytest.mark.parametrize(
    ("function", "value"), [(0, 0x0100_0000), (1, 0x746F79), (2, 1), (4, 0), (5, 0), (6, 0)]
)
def test_base(function, value):
    assert call(Port(), BASE, function) == (0, value)


@pytest.mark.parametrize("extension", [BASE, TIME, SRST, DBCN, 0, 1, 2, 8])
def test_probe_finds_what_is_there(extension):
    assert call(Port(), BASE, 3, extension) == (0, 1)


# IPI, RFENCE, HSM, PMU, the legacy calls that are not here, and nonsense.
@pytest.mark.parametrize(
    "extension", [0x735049, 0x52464E43, 0x48534D, 0x504D55, 3, 4, 5, 6, 7, 9, 0xFFFF_FFFF]
)
def test_what_is_not_there(extension):
    assert call(Port(), BASE, 3, extension) == (0, 0)
    error, value = call(Port(), extension)
    assert error == NOT_SUPPORTED
    assert value == (None if extension <= 0xF else 0)


@pytest.mark.parametrize(("extension", "first"), [(BASE, 7), (TIME, 1), (SRST, 1), (DBCN, 3)])
def test_unknown_functions(extension, first):
    for function in (first, 99, 0xFFFF_FFFF):
        port = Port()
        assert call(port, extension, function, 1, RAM, 0) == (NOT_SUPPORTED, 0)
        assert (port.printed, port.timers, port.shutdowns) == (b"", [], [])


@pytest.mark.parametrize(("extension", "value"), [(TIME, 0), (0, None)])
def test_set_timer(extension, value):
    port = Port()
    assert call(port, extension, 0, 0x1234_5678, 0x9ABC_DEF0) == (0, value)
    assert call(port, extension, 0, 0xFFFF_FFFF, 0xFFFF_FFFF) == (0, value)
    assert port.timers == [0x9ABC_DEF0_1234_5678, (1 << 64) - 1]


@pytest.mark.parametrize(
    ("kind", "reason", "heard"),
    [
        (0, 0, ("shutdown", 0)),
        (0, 1, ("shutdown", 1)),
        (1, 0, ("cold reboot", 0)),
        (2, 1, ("warm reboot", 1)),
    ],
)
def test_system_reset(kind, reason, heard):
    port = Port()
    assert call(port, SRST, 0, kind, reason) == (0, 0)
    assert port.shutdowns == [heard]


@pytest.mark.parametrize(
    ("kind", "reason"), [(3, 0), (0xF000_0000, 0), (0, 2), (0, 0xE000_0000), (0, 0xF000_0000)]
)
def test_reserved_resets_are_refused(kind, reason):
    port = Port()
    assert call(port, SRST, 0, kind, reason) == (INVALID_PARAM, 0)
    assert port.shutdowns == []


def test_legacy_console_and_shutdown():
    port = Port(b"k")
    assert call(port, 1, 0, 0x141) == (0, None)
    assert port.printed == b"A"
    assert call(port, 2) == (ord("k"), None)
    assert call(port, 2) == (-1, None)
    # The function number means nothing to a legacy call.
    assert call(port, 1, 77, ord("B")) == (0, None)
    call(port, 8)
    assert port.printed == b"AB"
    assert port.shutdowns == [("shutdown", 0)]


def test_console_write():
    port = Port()
    port.memory.write(RAM + 100, b"hello, world")
    assert call(port, DBCN, 0, 12, RAM + 100, 0) == (0, 12)
    assert call(port, DBCN, 0, 0, RAM, 0) == (0, 0)
    assert call(port, DBCN, 2, 0x121) == (0, 0)
    assert port.printed == b"hello, world!"


def test_a_long_console_write_is_done_in_parts():
    port = Port()
    text = bytes(n % 251 for n in range(10_000))
    port.memory.write(RAM, text)
    at, calls = 0, 0
    while at < len(text):
        error, done = call(port, DBCN, 0, len(text) - at, RAM + at, 0)
        assert error == 0
        assert 0 < done <= 4096
        at, calls = at + done, calls + 1
    assert port.printed == text
    assert calls == 3


def test_console_read():
    port = Port(b"abcdef")
    assert call(port, DBCN, 1, 4, RAM + 8, 0) == (0, 4)
    assert port.memory.read(RAM + 8, 5) == b"abcd\0"
    assert call(port, DBCN, 1, 100, RAM + 8, 0) == (0, 2)
    assert call(port, DBCN, 1, 100, RAM + 8, 0) == (0, 0)
    assert port.memory.read(RAM + 8, 5) == b"efcd\0"


@pytest.mark.parametrize("function", [0, 1])
@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (1, RAM - 1, 0),
        (1, RAM + SIZE, 0),
        (2, RAM + SIZE - 1, 0),
        (SIZE + 1, RAM, 0),
        (1, RAM, 1),
        (0xFFFF_FFFF, RAM, 0),
        (0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF),
        (16, 0x1000_0000, 0),
    ],
)
def test_bad_buffers_move_nothing(function, count, low, high):
    port = Port(b"input")
    assert call(port, DBCN, function, count, low, high) == (INVALID_PARAM, 0)
    assert port.printed == b""
    assert port.typed == list(b"input")
    port.memory.check()


words = st.integers(0, 0xFFFF_FFFF)
interesting = st.one_of(words, st.integers(0, 16), st.integers(RAM, RAM + SIZE))


@settings(max_examples=500, deadline=None)
@given(
    st.lists(interesting, min_size=7, max_size=7),
    st.one_of(st.sampled_from([BASE, TIME, SRST, DBCN, *range(17)]), words),
)
def test_any_call_is_answered(registers, extension):
    port = Port(b"some input")
    error, value = Sbi(port).call([*registers, extension])
    assert error in (0, -1, NOT_SUPPORTED, INVALID_PARAM) or extension == 2
    assert value is None or 0 <= value <= 0xFFFF_FFFF
    assert (value is None) == (extension <= 0xF)
    port.memory.check()
