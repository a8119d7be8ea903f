"""Lock-step: equal where it must be, and every bug is found at the instruction that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import RAM, guest
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine
from toyvm.proofs.bugs import BY_NAME
from toyvm.proofs.compare import compare
from toyvm.proofs.snapshot import light_hash, state_hash
from toyvm.storage import MemoryDisk

LIMIT = 300_000
SPIN = "again: addi a0, a0, 1\n j again"


def shipped(name: str) -> Callable[[], tuple[Computer, Vm]]:
    row = manifest()[name]

    def make() -> tuple[Computer, Vm]:
        return pair(build(name), row.ram, row.bios, row.drives)

    return make


def own(text: str) -> Callable[[], tuple[Computer, Vm]]:
    return lambda: pair(guest(text), RAM, "none", 1)


def pair(image: Any, ram: int, bios: str, drives: int) -> tuple[Computer, Vm]:
    def parts() -> dict[str, Any]:
        return {"bios": bios, "drives": [MemoryDisk(64 << 10) for _ in range(drives)]}

    bare, vm = Machine(ram, **parts()), Vm("compared", ram, **parts())
    for computer in (bare, vm):
        computer.load(image)
    return bare, vm


@pytest.mark.parametrize("name", ["hello", "probe-blk", "probe-sfence", "probe-mprv", "teachos"])
def test_guests_are_equal(name: str) -> None:
    every = 100_000 if name == "teachos" else 5_000
    found = compare(shipped(name), every=every, limit=2_000_000)
    assert found.equal, found.difference
    assert (found.stop.reason, found.stop.code) == ("exit", 0)
    assert found.memory_checks >= 1 + found.steps // (every + 100)
    assert found.checks >= found.traps + found.memory_checks - 1


#: A guest that shows the bug, and the instruction at which the two part.
SHOWN = {
    "sfence-u": ("probe-privilege", "sfence.vma"),
    "wfi-nop": ("probe-wfi", "wfi"),
    "counters": ("probe-counters", "rdcycle s0"),
    "popf": ("probe-csr", "csrs sstatus, s0"),
    "smsw": ("probe-csr", "csrr s2, sstatus"),
    "sret-u": ("probe-privilege", "sret"),
    "csr-ignored": ("probe-csr", "csrr s2, 0x5c0"),
    "csr-value": ("csrs mhartid, t6\n" + SPIN, "csrs mhartid, t6"),
    "x0-written": ("li t0, 8\n csrw mtvec, t0\n csrwi mtvec, 0\n" + SPIN, "csrwi mtvec, 0"),
    "no-check": ("probe-csr", "csrr s2, sstatus"),
    "sret-vu": ("probe-privilege", "sret"),
    "mret-vs": ("probe-privilege", "mret"),
    "spp-set": ("probe-deleg", "ecall"),
    "spie-lost": ("probe-deleg", "ecall"),
    "handler-plus-4": ("probe-csr", "csrr s2, 0x5c0"),
    "stvec-mode": ("li t0, -1\n csrw stvec, t0\n" + SPIN, "csrw stvec, t0"),
    "vectored": ("probe-vectored", "ecall"),
    "sip-all": ("probe-warl", "csrw sip, s0"),
    "ecall-cause": ("probe-csr", "ecall"),
    "ebreak-eaten": ("probe-traps", "ebreak"),
    "sret-plus-4": ("probe-deleg", "sret"),
    "mpp-two": ("li t0, 0x1000\n csrw mstatus, t0\n" + SPIN, "csrw mstatus, t0"),
}


@pytest.mark.parametrize("bug", list(BY_NAME))
def test_a_bug_is_found_at_its_instruction(bug: str) -> None:
    name, text = SHOWN[bug]
    make = shipped(name) if name in manifest() else own(name)
    # Without the bug the same guest is equal.
    assert compare(make, limit=20_000).equal
    found = compare(make, limit=LIMIT, bug=bug, every=2_000)
    what = found.difference
    assert what is not None
    assert what.exact
    assert what.text == text
    assert what.table
    # The step is the first one: one earlier all is equal, and that is where it was.
    assert compare(make, limit=what.step - 1, bug=bug).equal


def spoiled(change: Callable[[Vm], None]) -> Callable[[], tuple[Computer, Vm]]:
    def make() -> tuple[Computer, Vm]:
        bare, vm = own(SPIN)()
        change(vm)
        return bare, vm

    return make


def test_other_memory_is_a_difference() -> None:
    found = compare(spoiled(lambda vm: vm.write_phys(0x8008_0004, b"\1")), every=50, limit=1_000)
    assert found.difference is not None
    assert ("word at 0x80080004", 0, 1) in found.difference.table
    assert found.difference.step == 1


def test_another_disk_is_a_difference() -> None:
    found = compare(
        spoiled(lambda vm: vm.board.blocks[0].disk.write(3, b"\1" * 512)), every=50, limit=1_000
    )
    assert found.difference is not None
    assert [row[0] for row in found.difference.table] == ["disk 0"]


def test_a_difference_that_needs_the_stops_is_told_as_such() -> None:
    """The second pair is sound: no probe finds the difference again."""
    made: list[Vm] = []

    def make() -> tuple[Computer, Vm]:
        bare, vm = own(SPIN)()
        if not made:
            vm.set_x(9, 77)
        made.append(vm)
        return bare, vm

    found = compare(make, every=50, limit=1_000)
    assert found.difference is not None
    assert not found.difference.exact
    assert ("s1", 0, 77) in found.difference.table


def test_the_limit_is_kept() -> None:
    found = compare(own(SPIN), every=100, limit=1_234)
    assert (found.steps, found.stop.reason, found.equal) == (1_234, "budget", True)


def test_hashes_see_what_they_say() -> None:
    bare, vm = own(SPIN)()
    assert state_hash(bare) == state_hash(vm)
    assert light_hash(bare) == light_hash(vm)
    vm.write_phys(0x8008_0004, b"\1")
    assert light_hash(bare) == light_hash(vm)
    assert state_hash(bare) != state_hash(vm)
    bare.write_phys(0x8008_0004, b"\1")
    assert state_hash(bare) == state_hash(vm)
    bare.board.blocks[0].disk.write(1, b"\2" * 512)
    assert state_hash(bare) != state_hash(vm)
    vm.set_x(4, 1)
    assert light_hash(bare) != light_hash(vm)
