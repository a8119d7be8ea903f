"""The bus, and the small devices on it: CLINT, finisher, clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyvm.devices.bus import Bus
from toyvm.devices.clint import Clint
from toyvm.devices.finisher import Finisher
from toyvm.devices.rtc import Rtc

NEVER = (1 << 64) - 1


class Recorder:
    """A device that remembers what it was asked."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen: list[tuple] = []

    def read(self, offset: int, width: int) -> int | None:
        self.seen.append(("read", offset, width))
        return offset

    def write(self, offset: int, width: int, value: int) -> bool:
        self.seen.append(("write", offset, width, value))
        return True

    def reset(self) -> None:
        self.seen.append(("reset",))


def test_bus_routes_by_address():
    bus, low, high = Bus(), Recorder(0x100), Recorder(0x10)
    bus.attach(0x2000, high, "high")
    bus.attach(0x1000, low, "low")
    assert bus.read(0x1000, 4) == 0
    assert bus.read(0x10FC, 4) == 0xFC
    assert bus.write(0x200F, 1, 7)
    assert high.seen == [("write", 0xF, 1, 7)]
    assert bus.find(0x1004) == (low, 4)
    assert [window.name for window in bus.windows] == ["low", "high"]


@pytest.mark.parametrize("pa", [-4, 0, 0xFFC, 0x1100, 0x1FFC, 0x2010, 1 << 34, 1 << 64])
def test_a_hole_is_an_access_fault(pa):
    bus = Bus()
    bus.attach(0x1000, Recorder(0x100), "low")
    bus.attach(0x2000, Recorder(0x10), "high")
    assert bus.read(pa, 4) is None
    assert bus.write(pa, 4, 0) is False
    assert bus.find(pa) is None


@pytest.mark.parametrize(("pa", "width"), [(0x1001, 2), (0x1002, 4), (0x1004, 8), (0x1000, 3)])
def test_misaligned_and_odd_widths_never_reach_the_device(pa, width):
    bus, device = Bus(), Recorder(0x100)
    bus.attach(0x1000, device, "device")
    assert bus.read(pa, width) is None
    assert bus.write(pa, width, 0) is False
    assert device.seen == []


@pytest.mark.parametrize("base", [0xF01, 0x1000, 0x10FF])
def test_overlapping_windows_are_a_mistake_in_the_board(base):
    bus = Bus()
    bus.attach(0x1000, Recorder(0x100), "first")
    with pytest.raises(ValueError, match=r"second at .* overlaps first"):
        bus.attach(base, Recorder(0x100), "second")


def test_bus_resets_every_device():
    bus, a, b = Bus(), Recorder(4), Recorder(4)
    bus.attach(0, a, "a")
    bus.attach(8, b, "b")
    bus.reset()
    assert a.seen == b.seen == [("reset",)]


# -- CLINT ----------------------------------------------------------------------------------------


class ClintHost:
    def __init__(self, harts: int = 2, settable: bool = True) -> None:
        self.time = 0
        self.timecmp: dict[int, int] = {}
        self.msip: dict[int, bool] = {}
        self.clint = Clint(
            lambda: self.time,
            self.timecmp.__setitem__,
            self.msip.__setitem__,
            harts,
            (lambda ticks: setattr(self, "time", ticks)) if settable else None,
        )


def test_clint_reset_lowers_every_line():
    host = ClintHost()
    assert host.timecmp == {}
    host.clint.reset()
    assert host.timecmp == {0: NEVER, 1: NEVER}
    assert host.msip == {0: False, 1: False}


def test_clint_software_interrupts_keep_bit_0():
    host = ClintHost()
    assert host.clint.write(4, 4, 0xFFFF_FFFF)
    assert host.msip == {1: True}
    assert host.clint.read(4, 4) == 1
    assert host.clint.write(4, 4, 2)
    assert host.msip == {1: False}
    assert host.clint.write(8, 4, 1)  # hart 2 does not exist
    assert host.clint.read(8, 4) == 0
    assert host.msip == {1: False}


def test_clint_deadline_is_written_in_halves_each_published():
    host = ClintHost()
    host.clint.reset()
    host.clint.write(0x4008, 4, 0x1234_5678)
    assert host.timecmp[1] == 0xFFFF_FFFF_1234_5678
    host.clint.write(0x400C, 4, 9)
    assert host.timecmp[1] == 0x9_1234_5678
    assert (host.clint.read(0x4008, 4), host.clint.read(0x400C, 4)) == (0x1234_5678, 9)
    assert host.timecmp[0] == NEVER
    assert host.clint.write(0x4000, 8, 5)
    assert host.clint.read(0x4000, 8) == 5


def test_clint_time_reads_and_writes_both_halves():
    host = ClintHost()
    host.time = 0x5_0000_0007
    assert (host.clint.read(0xBFF8, 4), host.clint.read(0xBFFC, 4)) == (7, 5)
    assert host.clint.read(0xBFF8, 8) == 0x5_0000_0007
    host.clint.write(0xBFFC, 4, 1)
    host.clint.write(0xBFF8, 4, 0xFFFF_FFFF)
    assert host.time == 0x1_FFFF_FFFF
    fixed = ClintHost(settable=False)
    assert fixed.clint.write(0xBFF8, 4, 3)
    assert fixed.time == 0


@pytest.mark.parametrize(
    ("offset", "width"),
    [(0, 1), (0, 2), (0, 8), (2, 4), (0x4004, 8), (0x4000, 1), (0xC000, 4), (-4, 4), (0xFFFC, 4)],
)
def test_clint_refuses_other_accesses(offset, width):
    host = ClintHost()
    assert host.clint.read(offset, width) is None
    assert host.clint.write(offset, width, 1) is False
    assert host.timecmp == {}
    assert host.msip == {}


# -- finisher -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "value", "heard"),
    [
        (4, 0x5555, [("pass", 0)]),
        (2, 0x5555, [("pass", 0)]),
        (4, 0x3333, [("fail", 0)]),
        (4, 0x7_3333, [("fail", 7)]),
        (4, 0xFFFF_3333, [("fail", 0xFFFF)]),
        (4, 0x7777, [("reset", 0)]),
        (4, 0x1234, []),
        (4, 0, []),
    ],
)
def test_finisher_values(width, value, heard):
    calls: list[tuple[str, int]] = []
    finisher = Finisher(lambda kind, code: calls.append((kind, code)))
    assert finisher.write(0, width, value)
    assert calls == heard
    assert finisher.read(0, width) == 0


def test_finisher_elsewhere_does_nothing():
    calls: list[tuple[str, int]] = []
    finisher = Finisher(lambda kind, code: calls.append((kind, code)))
    assert finisher.write(4, 4, 0x5555)
    assert not finisher.write(0, 1, 0x55)
    assert not finisher.write(0x1000, 4, 0x5555)
    assert calls == []


# -- clock ----------------------------------------------------------------------------------------


class RtcHost:
    def __init__(self) -> None:
        self.ns = 1_700_000_000_000_000_000
        self.level = None
        self.rtc = Rtc(lambda: self.ns, lambda level: setattr(self, "level", level))

    def time(self) -> int:
        low = self.rtc.read(0x00, 4)
        return self.rtc.read(0x04, 4) << 32 | low


def test_rtc_latches_the_high_half():
    host = RtcHost()
    assert host.time() == host.ns
    host.ns = (6 << 32) - 1
    low = host.rtc.read(0x00, 4)
    host.ns += 1
    assert host.rtc.read(0x04, 4) << 32 | low == (6 << 32) - 1


@given(st.integers(0, NEVER), st.integers(0, NEVER))
def test_rtc_can_be_set_and_goes_on(start, target):
    host = RtcHost()
    host.ns = start
    host.rtc.write(0x04, 4, target >> 32)
    host.rtc.write(0x00, 4, target & 0xFFFF_FFFF)
    assert host.time() == target
    host.ns += 1000
    assert host.time() == (target + 1000) & NEVER


def test_rtc_alarm_interrupts_once():
    host = RtcHost()
    host.rtc.reset()
    assert host.level is False
    due = host.ns + 500
    host.rtc.write(0x10, 4, 1)
    host.rtc.write(0x0C, 4, due >> 32)
    host.rtc.write(0x08, 4, due & 0xFFFF_FFFF)
    assert host.rtc.read(0x18, 4) == 1
    host.ns = due - 1
    host.rtc.poll()
    assert host.level is False
    host.ns = due
    host.rtc.poll()
    assert host.level is True
    assert host.rtc.read(0x18, 4) == 0
    host.rtc.write(0x1C, 4, 1)
    assert host.level is False
    host.rtc.poll()
    assert host.level is False


def test_rtc_cleared_or_masked_alarm_stays_silent():
    host = RtcHost()
    host.rtc.write(0x10, 4, 1)
    host.rtc.write(0x0C, 4, 0xFFFF_FFFF)
    host.rtc.write(0x08, 4, 0)
    host.rtc.write(0x14, 4, 1)
    assert host.rtc.read(0x18, 4) == 0
    host.rtc.write(0x10, 4, 0)
    host.rtc.write(0x0C, 4, 0)
    host.rtc.write(0x08, 4, 1)  # long ago: due at once
    assert host.level is False
    host.rtc.write(0x10, 4, 1)  # unmasked while pending
    assert host.level is True
