"""The UART: registers, FIFOs and interrupts, as the 16550A data sheet and QEMU have them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyvm.devices.uart import Uart16550

DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR = 0, 1, 2, 2, 3, 4, 5, 6, 7


class Line:
    def __init__(self) -> None:
        self.level = False
        self.sent = b""
        self.uart = Uart16550(self._irq, self._tx)
        self.uart.reset()

    def _irq(self, level: bool) -> None:
        self.level = level

    def _tx(self, data: bytes) -> None:
        self.sent += data

    def get(self, register: int, width: int = 1) -> int:
        value = self.uart.read(register, width)
        assert value is not None
        return value

    def put(self, register: int, value: int, width: int = 1) -> None:
        assert self.uart.write(register, width, value)


@pytest.fixture
def line() -> Line:
    return Line()


def test_power_on_values(line):
    registers = [line.get(n) for n in range(8)]
    assert registers == [0, 0, 0x01, 0, 0x08, 0x60, 0xB0, 0]
    assert line.level is False


def test_transmit(line):
    for byte in b"hello\xff":
        assert line.get(LSR) & 0x60 == 0x60
        line.put(DATA, byte)
    assert line.sent == b"hello\xff"
    assert line.uart.stats.bytes_out == 6


def test_wide_accesses_use_the_low_byte(line):
    line.put(DATA, 0xDEAD_BE41, 4)
    line.put(DATA, 0xFF42, 2)
    assert line.sent == b"AB"
    line.put(SCR, 0x99)
    assert line.get(4, 4) == 0x08
    assert line.get(6, 2) == 0xB0
    assert line.uart.read(7, 2) is None
    assert line.uart.read(0, 8) is None


@pytest.mark.parametrize("offset", [8, 9, 0xFF, 0x100, -1])
def test_behind_the_registers_is_a_fault(line, offset):
    assert line.uart.read(offset, 1) is None
    assert line.uart.write(offset, 1, 0) is False


def test_divisor_latch_hides_data_and_ier(line):
    line.put(LCR, 0x83)
    line.put(DATA, 0x34)
    line.put(IER, 0x12)
    assert (line.get(DATA), line.get(IER)) == (0x34, 0x12)
    line.put(LCR, 0x03)
    assert line.sent == b""
    assert (line.get(DATA), line.get(IER)) == (0, 0)
    assert line.get(LCR) == 3


def test_receive_without_fifo(line):
    line.uart.feed(b"xy")
    assert line.uart.backlog == 1
    assert line.get(LSR) & 1
    assert line.get(DATA) == ord("x")
    assert line.get(LSR) & 1
    assert line.get(DATA) == ord("y")
    assert not line.get(LSR) & 1
    assert line.uart.stats.bytes_in == 2


def test_receive_interrupt_and_its_identification(line):
    line.put(IER, 1)
    assert line.level is False
    line.uart.feed(b"a")
    assert line.level is True
    assert line.get(IIR) == 0x04
    line.get(DATA)
    assert line.level is False
    assert line.get(IIR) == 0x01


@pytest.mark.parametrize(("select", "trigger"), [(0, 1), (1, 4), (2, 8), (3, 14)])
def test_fifo_trigger_levels(line, select, trigger):
    line.put(FCR, 0x01 | select << 6)
    line.put(IER, 1)
    line.uart.feed(b"q" * trigger)
    assert line.get(IIR) == 0xC4
    line.get(DATA)
    # Below the level the timeout interrupt tells the driver about the rest.
    assert line.get(IIR) == (0xCC if trigger > 1 else 0xC1)
    assert line.level is (trigger > 1)


def test_fifo_holds_sixteen_and_loses_nothing(line):
    line.put(FCR, 0x01)
    text = bytes(range(256)) * 3
    line.uart.feed(text)
    assert line.uart.backlog == len(text) - 16
    got = bytearray()
    while line.get(LSR) & 1:
        got.append(line.get(DATA))
    assert bytes(got) == text
    assert not line.get(LSR) & 2


def test_transmit_interrupt(line):
    line.put(IER, 2)
    assert line.level is True
    assert line.get(IIR) == 0x02  # reading the cause clears it
    assert line.level is False
    assert line.get(IIR) == 0x01
    line.put(DATA, 0x41)
    assert line.level is True
    line.put(IER, 0)
    assert line.level is False
    line.put(IER, 2)
    assert line.level is True


def test_priorities_of_the_causes(line):
    line.put(IER, 0x07)
    line.uart.feed(b"z")
    assert line.get(IIR) == 0x04
    line.put(MCR, 0x10)
    line.put(DATA, 1)  # overrun: the byte from the host was not read
    assert line.get(IIR) == 0x06
    assert line.get(LSR) & 0x02
    assert line.get(IIR) == 0x04
    line.get(DATA)
    assert line.get(IIR) == 0x02


def test_loopback_sends_to_itself(line):
    line.put(MCR, 0x10)
    line.put(DATA, 0x5A)
    assert line.sent == b""
    assert line.get(LSR) & 1
    assert line.get(DATA) == 0x5A
    line.uart.feed(b"k")
    assert not line.get(LSR) & 1
    line.put(MCR, 0)
    assert line.get(DATA) == ord("k")


@pytest.mark.parametrize(
    ("mcr", "msr"), [(0x10, 0), (0x11, 0x20), (0x12, 0x10), (0x14, 0x40), (0x18, 0x80)]
)
def test_loopback_modem_lines(line, mcr, msr):
    line.put(MCR, mcr)
    assert line.get(MSR) == msr


def test_clearing_the_receive_fifo(line):
    line.put(FCR, 0x01)
    line.uart.feed(b"abc")
    line.put(FCR, 0x03)
    assert not line.get(LSR) & 1


def test_reset_keeps_input_nobody_has_seen(line):
    line.uart.feed(b"abc")
    line.uart.reset()
    assert line.get(DATA) == ord("b")


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.sampled_from(["feed", "get", "poll"]), st.integers(0, 9)), max_size=40),
    st.sampled_from([0x00, 0x01, 0x41, 0x81, 0xC1]),
)
def test_input_arrives_in_order_with_an_interrupt(text, script, fcr):
    """An interrupt-driven reader, however it is interleaved with typing, sees every byte."""
    line = Line()
    line.put(FCR, fcr)
    line.put(IER, 1)
    fed, got = 0, bytearray()
    for action, amount in script:
        if action == "feed":
            line.uart.feed(text[fed : fed + amount])
            fed = min(fed + amount, len(text))
        else:
            for _ in range(amount):
                if not line.level:
                    break
                assert line.get(IIR) & 0x0F in (0x04, 0x0C)
                got.append(line.get(DATA))
    while line.level:
        got.append(line.get(DATA))
    assert bytes(got) == text[:fed]
