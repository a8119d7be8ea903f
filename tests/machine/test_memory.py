"""RAM: its sizes, its guards, and the map through which everybody but the loop reaches it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyvm.hypervisor import Vm
from toyvm.machine import GuestRam, Machine, allocate_ram
from toyvm.machine.memory import UNTOUCHED, check_ram_size
from toyvm.platform import RAM_BASE, RAM_MAX

PAGES = 6
SIZE = PAGES * 4096
#: Where each guest page lies: out of order, one missing.
FRAMES = [4, 1, 7, -1, 0, 9]
HOST = 10 * 4096


class Reference:
    """The same as one bytearray a page."""

    def __init__(self) -> None:
        self.pages = [bytearray(4096) if frame >= 0 else None for frame in FRAMES]

    def page(self, pa: int) -> bytearray | None:
        index = (pa - RAM_BASE) // 4096
        return self.pages[index] if 0 <= index < PAGES else None

    def inside(self, pa: int, n: int) -> bool:
        if n > SIZE:
            return False
        return all(self.page(pa + i) is not None for i in (*range(0, n, 4096), n - 1))

    def write(self, pa: int, data: bytes) -> None:
        for i, byte in enumerate(data):
            page = self.page(pa + i)
            assert page is not None
            page[(pa + i) % 4096] = byte


def guest_ram() -> tuple[GuestRam, list[tuple[int, int]]]:
    heard: list[tuple[int, int]] = []
    ram = GuestRam(
        np.zeros(HOST, dtype=np.uint8),
        np.array(FRAMES, dtype=np.int32),
        lambda at, n: heard.append((at, n)),
    )
    return ram, heard


ADDRESSES = st.one_of(
    st.integers(RAM_BASE - 5000, RAM_BASE + SIZE + 5000),
    st.integers(-(1 << 70), 1 << 70),
    st.sampled_from([0, -1, RAM_BASE - 1, RAM_BASE, RAM_BASE + SIZE, 1 << 32, 1 << 63, 1 << 64]),
)
LENGTHS = st.one_of(
    st.integers(0, 64),
    st.integers(0, SIZE + 10),
    st.sampled_from([-1, -(1 << 63), 1 << 31, 1 << 32, 1 << 63, 1 << 70]),
)


@settings(max_examples=400, deadline=None)
@given(ADDRESSES, LENGTHS)
def test_reads_anywhere(pa: int, n: int) -> None:
    ram, heard = guest_ram()
    got = ram.read(pa, n)
    if n > 0:
        assert got == (bytes(n) if Reference().inside(pa, n) else None)
    else:
        assert got in (None, b"")
    assert heard == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ADDRESSES, st.binary(min_size=1, max_size=9000)), max_size=6))
def test_writes_are_whole_or_not_at_all(writes: list[tuple[int, bytes]]) -> None:
    ram, heard = guest_ram()
    reference = Reference()
    for pa, data in writes:
        before = ram.ram.copy()
        heard.clear()
        done = ram.write(pa, data)
        assert done == reference.inside(pa, len(data))
        if not done:
            assert np.array_equal(before, ram.ram)
            assert heard == []
            continue
        reference.write(pa, data)
        assert sum(n for _, n in heard) == len(data)
    for page, frame in enumerate(FRAMES):
        if frame >= 0:
            at = RAM_BASE + 4096 * page
            want = bytes(reference.pages[page] or b"")
            assert ram.read(at, 4096) == want
            assert ram.ram[4096 * frame : 4096 * frame + 4096].tobytes() == want
    # Frames that belong to nobody are never touched.
    for frame in set(range(10)) - set(FRAMES):
        assert not ram.ram[4096 * frame : 4096 * frame + 4096].any()


def test_a_write_across_frames_is_heard_in_pieces() -> None:
    ram, heard = guest_ram()
    assert ram.write(RAM_BASE + 4090, b"abcdefghijkl")
    assert heard == [(4 * 4096 + 4090, 6), (1 * 4096, 6)]


#: Neighbours, pages that were never touched, and what their claims get; then nothing is left.
ON_DEMAND = [2, 3, UNTOUCHED, UNTOUCHED, 6, UNTOUCHED]
SPARE = [4, 9]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(RAM_BASE, RAM_BASE + SIZE),
            st.one_of(st.binary(max_size=9000), st.integers(0, SIZE).map(bytes)),
        ),
        max_size=6,
    ),
    ADDRESSES,
    LENGTHS,
)
def test_pages_come_when_they_are_first_written(
    writes: list[tuple[int, bytes]], pa: int, n: int
) -> None:
    """Neighbours are written in one go, zeros claim nothing, no page is given without a frame."""
    heard: list[tuple[int, int]] = []
    spare = list(SPARE)
    fmap = np.array(ON_DEMAND, dtype=np.int32)

    def claim(page: int) -> int:
        assert fmap[page] == UNTOUCHED
        if not spare:
            return -1
        fmap[page] = spare.pop(0)
        return int(fmap[page])

    host = np.zeros(HOST, dtype=np.uint8)
    ram = GuestRam(host, fmap, lambda at, length: heard.append((at, length)), claim)
    whole = bytearray(SIZE)
    for at, data in writes:
        start, left, heard[:] = at - RAM_BASE, len(spare), []
        needed = [
            page
            for page in range(PAGES)
            if fmap[page] == UNTOUCHED
            and any(data[max(4096 * page - start, 0) : max(4096 * (page + 1) - start, 0)])
        ]
        done = ram.write(at, data)
        assert done == (start + len(data) <= SIZE and len(needed) <= left)
        if not done:
            assert heard == []
            continue
        whole[start : start + len(data)] = data
        assert len(spare) == left - len(needed)
        framed = {(start + i) // 4096 for i in range(len(data)) if fmap[(start + i) // 4096] >= 0}
        assert {
            at // 4096 + i for at, n in heard for i in range((at % 4096 + n + 4095) // 4096)
        } == {int(fmap[page]) for page in framed}
    assert ram.read(RAM_BASE, SIZE) == whole
    inside = 0 <= pa - RAM_BASE <= SIZE - n and n >= 0
    assert ram.read(pa, n) == (bytes(whole[pa - RAM_BASE : pa - RAM_BASE + n]) if inside else None)
    for frame in set(range(10)) - set(fmap.tolist()):
        assert not host[4096 * frame : 4096 * frame + 4096].any()


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64 << 10, 1 << 20, (1 << 20) + 4096, 128 << 20, 1 << 30, RAM_MAX])
def test_sizes_that_fit(size: int) -> None:
    machine = Machine(ram=size, bios="none")
    machine.load(bytes.fromhex("6f000000"))
    last = RAM_BASE + size - 4
    assert machine.write_phys(last, b"last")
    assert machine.read_phys(last, 4) == b"last"
    assert machine.read_phys(last + 1, 4) is None
    assert machine.run(3).reason == "budget"


@pytest.mark.parametrize(
    "size", [0, -4096, 1, 4096, (64 << 10) - 4096, (1 << 20) + 1, RAM_MAX + 4096]
)
@pytest.mark.parametrize("kind", [Machine, Vm])
def test_sizes_that_do_not_fit(size: int, kind: type) -> None:
    with pytest.raises(ValueError, match=f"RAM of {size} bytes does not fit: expected 64 KiB"):
        kind(ram=size)
    with pytest.raises(ValueError, match="for example 128M"):
        check_ram_size(size)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_the_last_byte_of_the_address_space(kind: type) -> None:
    """With 2 GiB of RAM every address from 0x80000000 up is memory; the next one is 0."""
    from tests.hypervisor.guests import guest

    computer = kind(ram=RAM_MAX, bios="none")
    computer.load(
        guest("""
            handler trapped
            li   s0, -4
            li   s1, 0x1234567
            sw   s1, 0(s0)
            lw   s2, 0(s0)
            lbu  s3, 3(s0)
            lw   s4, 1(s0)
            pass
            .align 2
        trapped:
            csrr s5, mcause
            csrr s6, mtval
            pass
        """)
    )
    # The device tree lies at the end of RAM; its last bytes may be overwritten.
    assert computer.run(100).reason == "exit"
    assert [int(computer.x[i]) for i in (18, 19, 21, 22)] == [0x123_4567, 1, 5, 0]
    assert computer.errors == 0


@pytest.mark.skipif(sys.platform == "win32", reason="guard pages need mprotect")
def test_a_wild_access_faults_instead_of_corrupting() -> None:
    """The pages before and after RAM cannot be touched: the process dies, no neighbour does."""
    import subprocess

    for offset in ("-1", "size"):
        code = (
            "import ctypes, numpy as np\n"
            "from toyvm.machine import allocate_ram\n"
            "size = 1 << 16\n"
            "ram = allocate_ram(size)\n"
            "ram[0] = ram[size - 1] = 1\n"
            "print('ready', flush=True)\n"
            f"ctypes.memset(ram.ctypes.data + ({offset}), 1, 1)\n"
            "print('alive', flush=True)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout == "ready\n"
        assert done.returncode < 0


def test_ram_is_zero_and_costs_nothing_until_it_is_touched() -> None:
    ram = allocate_ram(1 << 30)
    assert ram.dtype == np.uint8
    assert len(ram) == 1 << 30
    assert not ram[::4097][:1000].any()
