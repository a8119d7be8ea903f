"""The SBI: every call, with numbers typed again from the SBI specification."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.devices.memory import RAM, GuardedMemory
from toyvm.firmware.sbi import Sbi

BASE, TIME, SRST, DBCN = 0x10, 0x54494D45, 0x53525354, 0x4442434E
IPI, RFENCE, HSM = 0x735049, 0x52464E43, 0x48534D
NOT_SUPPORTED, INVALID_PARAM, INVALID_ADDRESS, ALREADY_AVAILABLE = -2, -3, -5, -6
ALL = 0xFFFF_FFFF
SIZE = 1 << 16


class Port:
    """A machine that remembers what the firmware did to it."""

    def __init__(self, typed: bytes = b"") -> None:
        self.memory = GuardedMemory(SIZE)
        self.printed = b""
        self.typed = list(typed)
        self.timers: list[int] = []
        self.shutdowns: list[tuple[str, int]] = []
        self.done: list[tuple[object, ...]] = []
        self.masks = {0x1000: b"\x05\0\0\0", 0x2000: b"\x10\0\0\0"}

    def console_put(self, data: bytes) -> None:
        self.printed += data

    def console_get(self) -> int:
        return self.typed.pop(0) if self.typed else -1

    def set_timer(self, ticks: int) -> None:
        self.timers.append(ticks)

    def shutdown(self, reason: str, code: int) -> None:
        self.shutdowns.append((reason, code))

    # Four harts; the calling one is hart 0, and harts 2 and 3 are stopped.
    def hart_count(self) -> int:
        return 4

    def hart_state(self, hart: int) -> int:
        return 1 if hart >= 2 else 0

    def hart_start(self, hart: int, pc: int, opaque: int) -> None:
        self.done.append(("start", hart, pc, opaque))

    def hart_stop(self) -> None:
        self.done.append(("stop",))

    def hart_suspend(self, resume: tuple[int, int] | None) -> None:
        self.done.append(("suspend", resume))

    def send_ipi(self, hart: int) -> None:
        self.done.append(("ipi", hart))

    def clear_ipi(self) -> bool:
        self.done.append(("clear",))
        return True

    def remote_fence(self, hart: int, start: int, size: int) -> None:
        self.done.append(("fence", hart, start, size))

    def read_virtual(self, va: int, n: int) -> bytes | None:
        return self.masks.get(va)

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


@pytest.mark.parametrize(
    "extension", [BASE, TIME, SRST, DBCN, IPI, RFENCE, HSM, 0, 1, 2, 3, 4, 5, 6, 7, 8]
)
def test_probe_finds_what_is_there(extension):
    assert call(Port(), BASE, 3, extension) == (0, 1)


# PMU, a legacy number without a call, and nonsense.
@pytest.mark.parametrize("extension", [0x504D55, 9, 15, 16 + 1, 0xFFFF_FFFF])
def test_what_is_not_there(extension):
    assert call(Port(), BASE, 3, extension) == (0, 0)
    error, value = call(Port(), extension)
    assert error == NOT_SUPPORTED
    assert value == (None if extension <= 0xF else 0)


# Chapter 3, "Hart list parameter": a mask, and the hart of its lowest bit; -1 means all harts.
MASKS = [
    ((0b1, 0), [0]),
    ((0b1010, 0), [1, 3]),
    ((0b11, 2), [2, 3]),
    ((0, 0), []),
    ((0, ALL), [0, 1, 2, 3]),
    ((0xFFFF_FFFF, ALL), [0, 1, 2, 3]),
    ((0b1_0000, 0), None),
    ((0b100, 2), None),
    ((1, 4), None),
    ((0, 4), None),
    ((1 << 31, 3), None),
]


@pytest.mark.parametrize(("mask", "harts"), MASKS)
def test_hart_masks(mask: tuple[int, int], harts: list[int] | None) -> None:
    for extension, function in ((IPI, 0), (RFENCE, 0), (RFENCE, 1), (RFENCE, 2)):
        port = Port()
        answer = call(port, extension, function, *mask, 0x5000, 0x1000, 7)
        assert answer == ((INVALID_PARAM, 0) if harts is None else (0, 0))
        if extension == IPI:
            assert port.done == [("ipi", hart) for hart in harts or ()]
        elif function:
            assert port.done == [("fence", hart, 0x5000, 0x1000) for hart in harts or ()]


@pytest.mark.parametrize("function", [3, 4, 5, 6, 7])
def test_fences_of_guests_are_not_there(function: int) -> None:
    port = Port()
    assert call(port, RFENCE, function, 1, 0) == (NOT_SUPPORTED, 0)
    assert port.done == []


@pytest.mark.parametrize("number", [4, 5, 6, 7])
def test_legacy_masks_lie_at_virtual_addresses(number: int) -> None:
    kind = {4: "ipi", 6: "fence", 7: "fence"}.get(number)
    for address, answer, harts in (
        (0x1000, 0, [0, 2]),
        (0, 0, [0, 1, 2, 3]),
        (0x2000, INVALID_PARAM, []),
        (0x3000, INVALID_ADDRESS, []),
    ):
        port = Port()
        assert call(port, number, 0, address, 0x5000, 0x1000) == (answer, None)
        assert [entry[1] for entry in port.done] == (harts if kind else [])
        assert all(entry[0] == kind for entry in port.done)


def test_legacy_clear_ipi_says_if_one_was_pending() -> None:
    port = Port()
    assert call(port, 3) == (1, None)
    assert port.done == [("clear",)]


# Chapter 9, the tables of errors.
@pytest.mark.parametrize(
    ("args", "answer", "done"),
    [
        ((0, 2, RAM + 0x100, 77), (0, 0), [("start", 2, RAM + 0x100, 77)]),
        ((0, 1, RAM, 0), (ALREADY_AVAILABLE, 0), []),
        ((0, 4, RAM, 0), (INVALID_PARAM, 0), []),
        ((0, 2, RAM + SIZE, 0), (INVALID_ADDRESS, 0), []),
        ((0, 2, RAM + 2, 0), (INVALID_ADDRESS, 0), []),
        ((1,), (0, 0), [("stop",)]),
        ((2, 0), (0, 0), []),
        ((2, 3), (0, 1), []),
        ((2, 4), (INVALID_PARAM, 0), []),
        ((3, 0), (0, 0), [("suspend", None)]),
        ((3, 0x8000_0000, RAM, 5), (0, 0), [("suspend", (RAM, 5))]),
        ((3, 0x8000_0000, RAM + SIZE, 5), (INVALID_ADDRESS, 0), []),
        ((3, 1), (INVALID_PARAM, 0), []),
        ((3, 0x0FFF_FFFF), (INVALID_PARAM, 0), []),
        ((3, 0x1000_0000), (NOT_SUPPORTED, 0), []),
        ((3, 0x7FFF_FFFF), (NOT_SUPPORTED, 0), []),
        ((3, 0x8000_0001), (INVALID_PARAM, 0), []),
        ((3, 0x8FFF_FFFF), (INVALID_PARAM, 0), []),
        ((3, 0x9000_0000), (NOT_SUPPORTED, 0), []),
        ((3, 0xFFFF_FFFF), (NOT_SUPPORTED, 0), []),
        ((4,), (NOT_SUPPORTED, 0), []),
    ],
)
def test_hart_state_management(args, answer, done) -> None:
    port = Port()
    assert call(port, HSM, *args) == answer
    assert port.done == done


@pytest.mark.parametrize(
    ("extension", "first"),
    [(BASE, 7), (TIME, 1), (SRST, 1), (DBCN, 3), (IPI, 1), (RFENCE, 3), (HSM, 4)],
)
def test_unknown_functions(extension, first):
    for function in (first, 99, 0xFFFF_FFFF):
        port = Port()
        assert call(port, extension, function, 1, RAM, 0) == (NOT_SUPPORTED, 0)
        assert (port.printed, port.timers, port.shutdowns) == (b"", [], [])
        assert port.done == []


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
    st.one_of(st.sampled_from([BASE, TIME, SRST, DBCN, IPI, RFENCE, HSM, *range(17)]), words),
)
def test_any_call_is_answered(registers, extension):
    port = Port(b"some input")
    error, value = Sbi(port).call([*registers, extension])
    errors = (NOT_SUPPORTED, INVALID_PARAM, INVALID_ADDRESS, ALREADY_AVAILABLE)
    # Two legacy calls return a value in place of an error: a byte, and if one was pending.
    assert error in (0, -1, *errors) or extension in (2, 3)
    assert value is None or 0 <= value <= 0xFFFF_FFFF
    assert (value is None) == (extension <= 0xF)
    port.memory.check()
