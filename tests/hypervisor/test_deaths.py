"""A VM that dies says why, and nobody else notices."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.hypervisor.guests import RAM, guest
from tests.hypervisor.twin import ram
from toyvm.hypervisor import HostMemory, Hypervisor, Vm
from toyvm.hypervisor.vm import host_size
from toyvm.machine import Machine
from toyvm.network import Switch
from toyvm.platform import RAM_BASE

#: Works for a while over its own memory, then ends with the sum as code.
WORKER = """
    la   s0, buffer
    li   s1, 1000
    li   s2, 0
again:
    andi t0, s1, 255
    slli t0, t0, 2
    add  t0, t0, s0
    lw   t1, 0(t0)
    add  t1, t1, s1
    sw   t1, 0(t0)
    add  s2, s2, t1
    addi s1, s1, -1
    bnez s1, again
    pass
    .data
    .align 12
buffer:
    .space 4096
"""
#: What a student's kernel, or a hostile one, may be.
HOSTILE = {
    "trap loop": "handler bad\nbad: .word 0",
    "trap loop without memory": "lui t0, 0x30000\n csrw mtvec, t0\n ecall",
    "loop with interrupts off": "again: j again",
    "interrupt storm": """
        handler storm
        li   t0, CLINT_BASE
        li   t1, 1
        sw   t1, 0(t0)
        li   t1, MIE_MSIE
        csrw mie, t1
        csrsi mstatus, MSTATUS_MIE
    storm: mret
    """,
    "console flood": """
        li   t0, UART0_BASE
        li   t1, 'x'
    again:
        sb   t1, 0(t0)
        j    again
    """,
    "stores everywhere": """
        handler skip
        li   s0, 0
        li   s1, 0x9e3779b1
    again:
        add  s0, s0, s1
        sw   s0, 0(s0)
        sb   s1, 1(s0)
        amoswap.w t1, s1, (s0)
        j    again
        .align 2
    skip:
        csrr s10, mepc
        addi s10, s10, 4
        csrw mepc, s10
        mret
    """,
    "fences and roots": """
        open_pmp
        li   s1, 1
    again:
        li   t0, SATP_MODE
        or   t0, t0, s1
        csrw satp, t0
        addi s1, s1, 77
        csrw pmpaddr0, s1
        sfence.vma s1
        sfence.vma
        j    again
    """,
    "off the end of RAM": "li t0, 0x800ffffc\n sw zero, 0(t0)\n jr t0",
}


def fleet(*sources: str, slice_steps: int = 5_000) -> Hypervisor:
    hypervisor = Hypervisor([RAM] * len(sources), slice_steps=slice_steps)
    for i, source in enumerate(sources):
        hypervisor.create(f"vm{i}", RAM, bios="none").load(guest(source))
    return hypervisor


class BrokenDevice:
    """A device with a bug: the third access raises."""

    size = 0x1000

    def __init__(self) -> None:
        self.accesses = 0

    def _access(self) -> None:
        self.accesses += 1
        if self.accesses == 3:
            raise IndexError("list index out of range")

    def read(self, offset: int, width: int) -> int:
        self._access()
        return 0

    def write(self, offset: int, width: int, value: int) -> bool:
        self._access()
        return True

    def reset(self) -> None:
        self.accesses = 0


POKE = """
    lui  t0, 0x50000
again:
    lw   t1, 0(t0)
    sw   t1, 4(t0)
    j    again
"""


# ---- a fleet with one that dies ------------------------------------------------------------------


def test_a_device_that_raises_ends_its_vm_and_no_other() -> None:
    hypervisor = fleet(POKE, WORKER, WORKER)
    hypervisor.vms[0].board.bus.attach(0x5000_0000, BrokenDevice(), "broken")
    ended: list[str] = []
    hypervisor.finished = lambda vm, stop: ended.append(vm.name)
    stops = hypervisor.run()
    dead = hypervisor.vms[0]
    assert (stops["vm0"].reason, stops["vm0"].code) == ("error", 4)
    assert "IndexError in a device: list index out of range" in stops["vm0"].detail
    assert dead.errors == 1
    assert "Traceback" in dead.report
    assert 'raise IndexError("list index out of range")' in dead.report
    assert [stops[name].reason for name in ("vm1", "vm2")] == ["exit", "exit"]
    assert sorted(ended) == ["vm0", "vm1", "vm2"]
    assert len(hypervisor.deaths()) == 1
    death = hypervisor.deaths()[0]
    assert death.startswith("vm0: stopped: IndexError in a device")
    assert "pc 0x80000004 <again>, virtual M-mode" in death
    assert "`lw t1, 0(t0)`" in death
    assert dead.run(100) == stops["vm0"]
    assert dead.steps == 4  # lui, lw, sw, j; the second lw raised


def test_a_bare_machine_reports_a_device_that_raises() -> None:
    machine = Machine(ram=RAM, bios="none")
    machine.board.bus.attach(0x5000_0000, BrokenDevice(), "broken")
    machine.load(guest(POKE))
    stop = machine.run(1_000)
    assert (stop.reason, stop.code, machine.errors) == ("error", 4, 1)
    assert machine.load(guest(WORKER))
    assert machine.run(100_000).reason == "exit"


def test_a_card_that_raises_while_frames_are_delivered_ends_its_vm_only() -> None:
    """Delivery happens between slices, outside any VM's own run."""
    hypervisor = Hypervisor([RAM, RAM], slice_steps=1_000)
    switch = Switch()
    hypervisor.switches.append(switch)
    ports = [switch.port(name) for name in ("a", "b")]
    for i, port in enumerate(ports):
        vm = hypervisor.create(f"vm{i}", RAM, bios="none", nets=[port])
        vm.load(guest("li t0, UART0_BASE\n sb t0, 0(t0)\n" + WORKER if i else "j ."))

    def broken(queue: int) -> None:
        raise KeyError("no such buffer")

    nic = hypervisor.vms[0].board.nics[0]
    assert nic.transport is not None
    nic.transport.service = broken  # type: ignore[method-assign]
    nic.transport.__class__ = type(
        "Ready", (type(nic.transport),), {"live": True, "driver_ok": True}
    )
    frame = b"\xff" * 6 + bytes((2, 0, 0, 0, 0, 1)) + bytes(50)
    # The second VM sends in its own slice, so the first one's card hears of it between slices.
    hypervisor.vms[1].console.sink = lambda data: ports[1].send(frame)
    ended: list[str] = []
    hypervisor.finished = lambda vm, stop: ended.append(f"{vm.name} {stop.reason}")
    stops = hypervisor.run(max_rounds=50)
    assert ended == ["vm0 error", "vm1 exit"]
    assert stops["vm0"].reason == "error"
    assert "KeyError" in stops["vm0"].detail
    assert hypervisor.vms[0].errors == 1
    assert "no such buffer" in hypervisor.vms[0].report
    assert stops["vm1"].reason == "exit"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_guests_leave_the_others_alone(name: str) -> None:
    alone = fleet(WORKER)
    alone.run()
    expected = zlib.crc32(ram(alone.vms[0]))
    hypervisor = fleet(WORKER, HOSTILE[name], WORKER)
    stops = hypervisor.run(max_rounds=40)
    assert (stops["vm0"].reason, stops["vm2"].reason) == ("exit", "exit")
    for index in (0, 2):
        worker = hypervisor.vms[index]
        assert zlib.crc32(ram(worker)) == expected
        assert worker.steps == alone.vms[0].steps
    assert hypervisor.vms[1].errors == 0
    assert hypervisor.host.intruders() == []
    assert hypervisor.vms[1].steps > 0


@pytest.mark.parametrize(("slice_steps", "weight"), [(50_000, 100), (500, 100), (5_000, 10)])
def test_a_trap_loop_ends_its_vm_whatever_the_slices(slice_steps: int, weight: int) -> None:
    hypervisor = Hypervisor([RAM, RAM], slice_steps=slice_steps)
    hypervisor.create("looping", RAM, bios="none", weight=weight).load(
        guest("handler bad\n nop\nbad: .word 0xffffffff")
    )
    hypervisor.create("working", RAM, bios="none").load(guest(WORKER))
    stops = hypervisor.run(max_rounds=200)
    assert stops["looping"].reason == "error"
    assert "traps in a row" in stops["looping"].detail
    assert "illegal instruction" in stops["looping"].detail.lower()
    assert "0xffffffff" in stops["looping"].detail
    assert "set mtvec to" in stops["looping"].detail
    assert stops["working"].reason == "exit"
    assert "<bad>" in hypervisor.deaths()[0]


def test_a_handler_that_gets_on_is_no_trap_loop() -> None:
    """Many traps, but each handler retires instructions: the guest's own business."""
    source = """
        handler back
    again:
        ecall
        j    again
        .align 2
    back:
        csrr s10, mepc
        addi s10, s10, 4
        csrw mepc, s10
        mret
    """
    hypervisor = fleet(source, slice_steps=50_000)
    assert hypervisor.run(max_rounds=10)["vm0"].reason == "budget"


# ---- host memory ---------------------------------------------------------------------------------


def test_owners_are_separated_by_canaries() -> None:
    hypervisor = fleet(WORKER, WORKER)
    host = hypervisor.host
    assert list(host.owners) == ["vm0", "vm1"]
    assert not host.frames_of("vm0") & host.frames_of("vm1")
    assert host.intruders() == []
    behind = max(host.frames_of("vm0")) + 1
    assert behind not in host.frames_of("vm0") | host.frames_of("vm1")
    host.ram[behind * 4096 + 17] ^= 1
    assert host.intruders() == ["vm0"]


def test_a_guest_sees_only_its_own_memory() -> None:
    """Two guests write different words to the same addresses; each finds its own."""
    source = """
        li   s0, 0x80010000
        li   s1, 0x800ff000
        li   s3, 4096
    again:
        sw   s2, 0(s0)
        add  s0, s0, s3
        bltu s0, s1, again
        pass
    """
    hypervisor = fleet(source, source)
    for number, vm in enumerate(hypervisor.vms, 1):
        vm.set_x(18, 0x1111_1111 * number)
    hypervisor.run()
    for number, vm in enumerate(hypervisor.vms, 1):
        words = np.frombuffer(ram(vm)[0x10000:0xFF000], dtype="<u4")[::1024]
        assert set(words.tolist()) == {0x1111_1111 * number}


def test_loads_at_random_physical_addresses_find_no_neighbour() -> None:
    """One VM's memory is full of a pattern; the other reads everywhere it can and never sees it."""
    hypervisor = Hypervisor([RAM, RAM])
    spy = hypervisor.create("spy", RAM, bios="none")
    victim = hypervisor.create("victim", RAM, bios="none")
    victim.write_phys(RAM_BASE, b"\x5a" * RAM)
    rng = random.Random("spy")
    source = "handler skip\n"
    for _ in range(300):
        address = rng.choice((rng.getrandbits(32), RAM_BASE + rng.randrange(8 * RAM))) & ~3
        source += f"li t0, {address:#x}\n li t1, 0\n lw t1, 0(t0)\n xor s2, t1, s1\n"
        source += "bnez s2, 1f\n fail 77\n1:\n"
    source += "pass\n.align 2\nskip: csrr s10, mepc\n addi s10, s10, 4\n csrw mepc, s10\n mret\n"
    spy.load(guest(source))
    spy.set_x(9, 0x5A5A_5A5A)
    stop = spy.run(100_000)
    assert (stop.reason, stop.code) == ("exit", 0)
    assert ram(victim) == b"\x5a" * RAM


def test_more_host_memory_than_the_translation_reaches_is_refused() -> None:
    """Offsets in host memory have 32 bits: beyond 4 GiB one VM's pages would alias another's."""
    with pytest.raises(ValueError, match="4096 MiB"):
        Hypervisor([2 << 30, 2 << 30])
    assert host_size([2 << 30]) < 1 << 32
    with pytest.raises(ValueError, match="4096 MiB"):
        HostMemory((4 << 30) + 4096)


def test_a_lab_that_wants_more_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from toyvm.cli.main import call

    lab = tmp_path / "big.toml"
    lab.write_text("".join(f'[vm.{n}]\nimage = "hello"\nram = "2G"\n' for n in "abc"))
    assert call(["up", str(lab)]) == 2
    assert "a host has at most 4096 MiB for all its VMs together" in capsys.readouterr().err


def test_the_last_frames_of_a_large_host_work() -> None:
    """Three guests of 1 GiB: the third one's frames lie above 2 GiB."""
    sizes = [1 << 30, 1 << 30, 1 << 30]
    hypervisor = Hypervisor(sizes)
    source = """
        li   s0, 0xbffef000
        li   s1, 0x12345678
        sw   s1, 0(s0)
        lw   s2, 0(s0)
        pass
    """
    for i, size in enumerate(sizes):
        hypervisor.create(f"vm{i}", size, bios="none").load(guest(source))
    assert {stop.reason for stop in hypervisor.run().values()} == {"exit"}
    for vm in hypervisor.vms:
        assert int(vm.x[18]) == 0x1234_5678
        assert vm.read_phys(0xBFFE_F000, 4) == bytes.fromhex("78563412")
    assert hypervisor.host.intruders() == []


def test_pmp_and_ram_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="17 PMP entries"):
        Vm(ram=RAM, pmp=17)
    with pytest.raises(ValueError, match="RAM of 100 bytes"):
        Vm(ram=100)
