"""Frames on demand: a VM owns what it has touched, and the host gives what it has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hypervisor.guests import BASE, ROOT, RW, RWX, A, D, Tables, guest, identity
from tests.hypervisor.test_shadow import check_shadow, tables_of
from tests.hypervisor.twin import Twin, agree
from toyvm.hypervisor import HostMemory, Vm
from toyvm.machine import LoadError, Program
from toyvm.machine.memory import PAGE
from toyvm.platform import RAM_BASE

MIB = 1 << 20
#: Writes its number to every page from 0x80010000 on, then adds them up.
TOUCH = """
    li   s0, 0x80010000
    li   s1, {last:#x}
    li   s2, 4096
    mv   t0, s0
1:  sw   t0, 8(t0)
    add  t0, t0, s2
    bltu t0, s1, 1b
    mv   t0, s0
    li   s3, 0
2:  lw   t1, 8(t0)
    srli t1, t1, 12
    add  s3, s3, t1
    add  t0, t0, s2
    bltu t0, s1, 2b
    pass
"""


def touching(pages: int) -> Program:
    return guest(TOUCH.format(last=0x8001_0000 + pages * PAGE))


def total(pages: int) -> int:
    return sum(0x80010 + i for i in range(pages))


def test_a_vm_owns_what_it_has_touched() -> None:
    vm = Vm(ram=128 * MIB, bios="none")
    vm.load(touching(50))
    # The image and the device tree, which stands at the end of RAM.
    assert 2 <= vm.touched <= 4
    before = vm.touched
    assert vm.run(10_000).reason == "exit"
    assert vm.touched == before + 50
    assert int(vm.x[19]) == total(50)
    check_shadow(vm)


def test_reading_gives_no_frame_and_reads_zeros() -> None:
    vm = Vm(ram=64 * MIB, bios="none")
    vm.load(guest("pass\n"))
    before = vm.touched
    assert vm.read_phys(RAM_BASE, 64 * MIB).count(0) > 64 * MIB - 8192  # type: ignore[union-attr]
    assert vm.write_phys(RAM_BASE + 32 * MIB, bytes(1 * MIB))
    assert vm.touched == before
    assert vm.write_phys(RAM_BASE + 32 * MIB + 4095, b"\1\2")
    assert vm.touched == before + 2
    assert vm.read_phys(RAM_BASE + 32 * MIB + 4094, 4) == b"\0\1\2\0"


def test_a_large_bss_costs_nothing() -> None:
    program = guest("pass\n")
    program.segments.append((BASE + MIB, b"\7", 60 * MIB))
    vm = Vm(ram=64 * MIB, bios="none")
    vm.load(program)
    assert vm.touched <= 4
    assert vm.read_phys(BASE + MIB, 2) == b"\7\0"


def test_an_idle_vm_costs_less_than_two_mebibytes_beside_what_it_touched() -> None:
    """Resident memory of this process before and after twenty VMs that wait for ever."""
    script = """
from pathlib import Path
from tests.hypervisor.guests import guest
from toyvm.hypervisor import HostMemory, Vm

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

program = guest("li t0, 0x80100000\\n sw t0, 0(t0)\\n wfi\\n")
host = HostMemory(1 << 30)
def idle(i):
    vm = Vm(f"vm{i}", 128 << 20, bios="none", host=host)
    vm.load(program)
    assert vm.run(1000).reason == "idle"
    return vm
vms = [idle(i) for i in range(3)]
before = resident()
vms += [idle(i + 10) for i in range(20)]
touched = sum(vm.touched for vm in vms[3:]) * 4096
print((resident() - before - touched) // 20)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc/self/statm")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) <= 2 * MIB, done.stdout


def test_who_finds_no_frame_ends_alone() -> None:
    """Two VMs of 4 MiB on a host of 2 MiB: the greedy one ends with a report, the other works."""
    host = HostMemory(2 * MIB)
    modest, greedy = (
        Vm("modest", 4 * MIB, "none", host=host),
        Vm("greedy", 4 * MIB, "none", host=host),
    )
    modest.load(touching(40))
    greedy.load(touching(900))
    stop = greedy.run(100_000)
    assert stop.reason == "error"
    assert stop.code == 1
    assert "out of frames: greedy wants 64" in stop.detail
    assert "host's 2 MiB are all in use" in stop.detail
    assert "greedy: stopped: out of frames" in greedy.death()
    assert greedy.errors == 0
    # It even used the frames of its own shadow tables.
    assert host.free == 0
    greedy.release()
    assert modest.run(10_000).reason == "exit"
    assert int(modest.x[19]) == total(40)
    assert host.intruders() == []


def test_frames_that_come_back_are_wiped() -> None:
    host = HostMemory(2 * MIB)
    first = Vm("first", 4 * MIB, "none", host=host)
    first.load(touching(200))
    first.run(10_000)
    first.write_phys(BASE + 0x20000, b"secret" * 600)
    first.release()
    assert "first" not in host.owners
    spy = Vm("spy", 4 * MIB, "none", host=host)
    spy.load(touching(300))
    assert spy.run(10_000).reason == "exit"
    seen = b"".join(
        host.ram[frame * PAGE : (frame + 1) * PAGE].tobytes() for frame in host.frames_of("spy")
    )
    assert b"secret" not in seen
    with pytest.raises(ValueError, match="does not own"):
        host.give("spy", [0, 1 << 20])


def test_an_image_that_finds_no_frames_is_refused() -> None:
    program = guest("pass\n")
    program.segments.append((BASE + MIB, b"\7" * MIB, MIB))
    with pytest.raises(LoadError, match="out of frames"):
        Vm(ram=4 * MIB, bios="none", host=HostMemory(MIB // 2)).load(program)


def test_devices_write_to_pages_that_nobody_touched() -> None:
    vm = Vm(ram=64 * MIB, bios="none")
    vm.load(guest("pass\n"))
    before = vm.touched
    assert vm.memory.write(BASE + 20 * MIB - 100, b"\x5a" * 200)
    assert vm.touched == before + 2
    assert vm.memory.read(BASE + 20 * MIB - 101, 3) == b"\0\x5a\x5a"


def test_a_page_table_nobody_wrote_is_a_page_of_zeros() -> None:
    """satp names RAM without a frame, and so does an entry: page faults, as on the bare machine."""
    tables = identity().raw(ROOT + 4 * (0x4000_0000 >> 22), (BASE + 0x9_0000) >> 12 << 10 | 1)
    source = """
        handler trapped
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   t0, 0x40000000
        lw   t1, 0(t0)
        .align 2
    trapped:
        csrr s0, mcause
        la   t0, second
        csrw mtvec, t0
        li   t0, SATP_MODE | 0x800a0
        csrw satp, t0
        sfence.vma
        enter MSTATUS_MPP_S, kernel
        .align 2
    second:
        csrr s1, mcause
        pass
    """
    twin = agree(guest(source, tables))
    assert [int(twin.vm.x[i]) for i in (8, 9)] == [13, 12]


MEGA = """
    handler done
    open_pmp
    paging
    enter MSTATUS_MPP_S, kernel
kernel:
    li   s0, 0x80020000
    li   s1, 0x80120000
    li   s2, 4096
1:  sw   s0, 0(s0)
    add  s0, s0, s2
    bltu s0, s1, 1b
    ecall
    .align 2
done:
    pass
"""


@pytest.mark.parametrize("technique", ["u", "s"])
def test_a_megapage_is_one_entry_where_its_frames_lie_together(technique: str) -> None:
    tables = Tables().mega(BASE, BASE, RWX | A | D)
    pieces, whole = (
        Twin(guest(MEGA, tables), ram_size=8 * MIB, technique=technique, reserved=reserved)
        for reserved in (False, True)
    )
    for twin in (pieces, whole):
        assert twin.to_the_end((1,) * 60 + (499,)).reason == "exit"
        check_shadow(twin.vm)
    # M-mode (three times: PMP writes), fetch and store in S-mode; pieces: one for each page.
    assert whole.vm.ledger["fill"] == 3 + 2
    assert pieces.vm.ledger["fill"] == 3 + 1 + 256
    mega = [(gva, leaf) for tag, gva, leaf in tables_of(whole.vm) if tag & 8]
    assert [gva for gva, _ in mega] == [BASE]


def test_a_megapage_that_pmp_divides_is_shadowed_in_pieces() -> None:
    source = MEGA.replace(
        "    open_pmp\n",
        "    open_pmp\n    li t0, 0x80100000 >> 2 | 0x1ff\n csrw pmpaddr0, t0\n"
        " li t0, 0x18\n csrw pmpcfg0, t0\n",
    ).replace("done:\n", "done:\n csrr s4, mcause\n csrr s5, mtval\n")
    tables = Tables().mega(BASE, BASE, RWX | A | D)
    twin = Twin(guest(source, tables), ram_size=8 * MIB, reserved=True)
    assert twin.to_the_end((1,) * 60 + (499,)).reason == "exit"
    assert [int(twin.vm.x[i]) for i in (20, 21)] == [7, 0x8010_0000]


def test_a_megapage_becomes_a_table_and_back() -> None:
    """The guest changes the kind of an entry, with and without touching it in between."""
    tables = Tables().mega(BASE, BASE, RWX | A | D).mega(0x4000_0000, BASE, RW | A | D)
    tables.map(0x5000_0000, BASE + 0x9000, RW | A | D)
    below = tables.second[0x5000_0000 >> 22]
    source = f"""
        handler done
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   a0, 0x40000000
        li   a1, {ROOT + 4 * (0x4000_0000 >> 22):#x}
        lw   a2, 0(a1)
        li   a3, {below >> 12 << 10 | 1:#x}
        li   s2, 0x10000
        add  s2, s2, a0
        sw   a0, 0(s2)
        sw   a3, 0(a1)
        sfence.vma
        sw   a1, 0(a0)
        lw   s3, 0(a0)
        sw   a2, 0(a1)
        sfence.vma a0
        sfence.vma
        lw   s4, 0(s2)
        ecall
        .align 2
    done:
        pass
    """
    for reserved in (False, True):
        twin = Twin(guest(source, tables), ram_size=8 * MIB, reserved=reserved)
        assert twin.to_the_end((1,) * 60 + (499,)).reason == "exit"
        assert int(twin.vm.x[19]) == ROOT + 4 * (0x4000_0000 >> 22)
        assert int(twin.vm.x[20]) == 0x4000_0000
        check_shadow(twin.vm)
