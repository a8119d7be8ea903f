"""The hostile corpus: alone bare, alone in a VM, and beside seven guests that work.

What must happen to each guest stands in its own header (`# expect:`).  Nothing a guest does may
raise in Python, be seen by another guest, or be different bare and virtualised.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from guestos import build, expectation, manifest
from tests.hypervisor.guests import guest
from toyvm.hypervisor import Hypervisor, Vm
from toyvm.machine import Computer, Machine, Stop
from toyvm.network import Switch
from toyvm.proofs.snapshot import state_hash
from toyvm.storage import MemoryDisk

HOSTILE = [name for name, row in manifest().items() if row.kind == "hostile"]
EXPECT = re.compile(r'exit \d+|dies "[^"]+"|budget|idle')
#: Steps after which a guest that goes on for ever is left alone, and how they are cut.
LIMIT, SLICE = 400_000, 50_000
#: Hostile guests in one fleet: all at once unless everything is wanted.
TOGETHER = 1 if os.environ.get("TOYVM_FULL") else 6


class Cable:
    """A network backend whose frames go nowhere."""

    mac = None
    on_frame = None

    def send(self, frame: bytes) -> None:
        assert len(frame) <= 1 << 16


def parts(name: str) -> dict[str, Any]:
    """RAM, firmware and devices of a hostile guest."""
    row = manifest()[name]
    return {
        "ram": row.ram,
        "bios": row.bios,
        "drives": [MemoryDisk(64 << 10) for _ in range(row.drives)],
        "nets": [Cable() for _ in range(row.nets)],
    }


def run(computer: Computer) -> Stop:
    """Slices up to the limit, as a hypervisor gives them."""
    stop = Stop("budget")
    while computer.steps < LIMIT:
        stop = computer.run(min(SLICE, LIMIT - computer.steps))
        if stop.reason != "budget":
            break
    return stop


def is_as_expected(stop: Stop, expect: str) -> bool:
    """Does the Stop fit the words of a header?"""
    if expect.startswith("exit"):
        return (stop.reason, stop.code) == ("exit", int(expect.split()[1]))
    if expect.startswith("dies"):
        return (stop.reason, stop.code) == ("error", 1) and expect.split('"')[1] in stop.detail
    return stop.reason == expect


def test_the_corpus_is_large_and_every_guest_says_what_must_happen() -> None:
    assert len(HOSTILE) >= 60
    assert not [name for name in HOSTILE if not EXPECT.fullmatch(expectation(name))]
    kinds = {expectation(name).split()[0] for name in HOSTILE}
    assert kinds == {"exit", "dies", "budget", "idle"}


def test_an_expectation_can_fail() -> None:
    assert not is_as_expected(Stop("exit", 1), "exit 0")
    assert not is_as_expected(Stop("error", 4, "IndexError in a device"), 'dies "trap loop"')
    assert not is_as_expected(Stop("budget"), "idle")


#: Guests that meet a choice of the architecture: a fence of one address space may keep global
#: entries (Privileged 20211203 §4.2.1). The bare TLB drops them, the shadow keeps them.
OPEN = {"hostile-global-abuse"}


@pytest.mark.parametrize("name", HOSTILE)
def test_alone_it_does_what_its_header_says_bare_and_virtualised(name: str) -> None:
    bare, vm = Machine(**parts(name)), Vm(name, **parts(name))
    for computer in (bare, vm):
        computer.load(build(name))
        stop = run(computer)
        assert computer.errors == 0, computer.report
        assert is_as_expected(stop, expectation(name)), (stop, hex(computer.pc))
        assert len(computer.console_output) <= 4 << 20
    assert vm.host.intruders() == []
    if name in OPEN:
        # The guest has checked that it saw one of the two; how it went on from there differs.
        assert state_hash(bare) != state_hash(vm)
    else:
        assert state_hash(bare) == state_hash(vm)


# ---- beside seven that work ----------------------------------------------------------------------

ROUNDS = 3_000
#: Adds up multiples over a page of memory; SUM is the result, by Python.
ADDER = f"""
    li   s0, {ROUNDS}
    li   s1, 0
    la   s2, hold
again:
    slli t0, s0, 3
    xor  t0, t0, s0
    add  s1, s1, t0
    sw   s1, 0(s2)
    lw   s1, 0(s2)
    addi s0, s0, -1
    bnez s0, again
    pass
    .data
hold:
    .word 0
"""
SUM = sum(i << 3 ^ i for i in range(1, ROUNDS + 1)) & 0xFFFF_FFFF
WORKERS = ("teachos", "probe-sv32", "probe-blk", "probe-interrupts", "probe-sfence", "probe-sbi")
RAMS = {"teachos": 8 << 20, "probe-sbi": 8 << 20}


def workers(hypervisor: Hypervisor) -> list[Vm]:
    """Seven guests with work of their own, made before the hostile ones."""
    out = []
    for name in WORKERS:
        row = manifest()[name]
        drives = [MemoryDisk(64 << 10) for _ in range(row.drives)]
        vm = hypervisor.create(name, RAMS.get(name, 1 << 20), bios=row.bios, drives=drives)
        vm.load(build(name))
        out.append(vm)
    vm = hypervisor.create("adder", 1 << 20, bios="none")
    vm.load(guest(ADDER))
    return [*out, vm]


def finish(hypervisor: Hypervisor, busy: list[Vm]) -> dict[str, int]:
    """Rounds until these have ended; the round in which each did.

    Nobody gets more of a round than its share, whatever it does there.
    """
    ended: dict[str, int] = {}
    for number in range(400):
        before = {vm.name: vm.steps for vm in hypervisor.vms}
        hypervisor.round()
        used = {vm.name: vm.steps - before[vm.name] for vm in hypervisor.vms}
        assert max(used.values()) <= SLICE, used
        for vm in busy:
            if vm.stopped:
                ended.setdefault(vm.name, number)
        if len(ended) == len(busy):
            return ended
    raise AssertionError([(vm.name, vm.stopped) for vm in busy])


def rams(names: list[str]) -> list[int]:
    return [RAMS.get(name, 1 << 20) for name in (*WORKERS, "adder")] + [
        manifest()[name].ram for name in names
    ]


@pytest.fixture(scope="module")
def undisturbed() -> tuple[list[str], dict[str, int]]:
    """The seven when nobody else is there: state hashes at their ends, and their last rounds."""
    hypervisor = Hypervisor(rams([]), slice_steps=SLICE)
    busy = workers(hypervisor)
    rounds = finish(hypervisor, busy)
    return [state_hash(vm) for vm in busy], rounds


def groups() -> Iterator[list[str]]:
    """The corpus in groups that mix all kinds."""
    count = -(-len(HOSTILE) // TOGETHER)
    for first in range(count):
        yield HOSTILE[first::count]


@pytest.mark.parametrize(
    "names", list(groups()), ids=lambda names: names[0].removeprefix("hostile-")
)
def test_seven_guests_work_beside_it(
    names: list[str], undisturbed: tuple[list[str], dict[str, int]]
) -> None:
    hypervisor = Hypervisor(rams(names), slice_steps=SLICE)
    switch = Switch("lan")
    hypervisor.switches = [switch]
    busy = workers(hypervisor)
    bad = []
    for name in names:
        devices = {**parts(name)}
        devices["nets"] = [switch.port(f"{name}.{i}") for i in range(len(devices["nets"]))]
        vm = hypervisor.create(name, devices.pop("ram"), **devices)
        vm.load(build(name))
        bad.append(vm)
    hashes, rounds = undisturbed
    assert finish(hypervisor, busy) == rounds, "as many rounds as alone: nothing of a share is lost"
    for vm in busy:
        assert vm.stopped == Stop("exit", 0, vm.stopped.detail if vm.stopped else "")
    assert int(busy[-1].x[9]) == SUM, "s1 of the adder"
    assert [state_hash(vm) for vm in busy] == hashes
    assert [vm.report for vm in hypervisor.vms if vm.errors] == []
    assert hypervisor.host.intruders() == []
    for vm in bad:
        if vm.stopped is not None and not expectation(vm.name).startswith(("budget", "idle")):
            assert is_as_expected(vm.stopped, expectation(vm.name)), vm.stopped
