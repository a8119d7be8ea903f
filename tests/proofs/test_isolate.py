"""Isolation: B's states with and without A; and that the check can fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hypervisor.guests import RAM, guest
from toyvm.hypervisor import Hypervisor
from toyvm.network import Switch
from toyvm.proofs.isolate import CHECKPOINT, checksums, contained, follow, isolate
from toyvm.storage import MemoryDisk

#: Counts in memory for a while, with a sleep now and then.
WORKER = """
    la   s0, buffer
    li   s1, 60000
again:
    andi t0, s1, 1023
    slli t0, t0, 2
    add  t0, t0, s0
    lw   t1, 0(t0)
    add  t1, t1, s1
    sw   t1, 0(t0)
    addi s1, s1, -1
    bnez s1, again
    pass
    .data
    .align 12
buffer:
    .space 4096
"""
FLOOD = """
    handler skip
    li   s0, 0
    li   s1, 0x9e3779b1
again:
    add  s0, s0, s1
    sw   s0, 0(s0)
    j    again
    .align 2
skip:
    csrr s10, mepc
    addi s10, s10, 4
    csrw mepc, s10
    mret
"""
SLEEPER = "again: wfi\n j again"
DOZER = """
    li   t0, CLINT_BASE + 0x4000
    li   t1, 0x7fff
    sw   t1, 4(t0)
    li   t1, MIE_MTIE
    csrw mie, t1
again: wfi
    j    again
"""


class Lab:
    """What `isolate` needs of a running lab."""

    def __init__(self, *sources: str, order: tuple[str, ...] = ("a", "b")) -> None:
        self.hypervisor = Hypervisor([RAM] * len(sources), slice_steps=7_000)
        self.switch = Switch("lan")
        for name, source in zip(order, sources, strict=True):
            vm = self.hypervisor.create(name, RAM, bios="none", drives=[MemoryDisk(4096)])
            vm.load(guest(source))
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("hostile", [FLOOD, SLEEPER, "again: j again", ".word 0", WORKER])
def test_a_worker_does_not_notice(hostile: str) -> None:
    found = isolate(lambda: Lab(hostile, WORKER), "a", "b", 2_000_000)
    assert found.isolated
    assert found.with_a.ended is not None
    assert found.with_a.ended.reason == "exit"
    assert len(found.with_a.hashes) == found.with_a.clock // CHECKPOINT
    assert len(found.with_a.hashes) >= 9
    assert found.frames_outside > RAM // 4096


def test_a_guest_that_never_ends_is_followed_to_the_step() -> None:
    found = isolate(lambda: Lab(WORKER, "again: j again"), "a", "b", 333_333)
    assert found.isolated
    assert found.with_a.clock == found.without_a.clock == 333_333
    sleeping = isolate(lambda: Lab("again: j again", SLEEPER), "a", "b", 333_333)
    assert sleeping.isolated
    assert sleeping.with_a.clock == 333_333
    # Both asleep, and one with a timer in a distant future: one long jump.
    dozing = isolate(lambda: Lab(DOZER, SLEEPER), "a", "b", 333_333)
    assert dozing.isolated


def test_a_leak_is_noticed() -> None:
    """A hypervisor with a hole: A's first slice sets a register of B."""

    def start() -> Any:
        lab = Lab("again: j again", WORKER)
        a, b = lab.hypervisor.vms
        run_slice = a.run_slice

        def leaky(steps: int) -> Any:
            b.set_x(20, 1)
            return run_slice(steps)

        a.run_slice = leaky  # type: ignore[method-assign]
        return lab

    found = isolate(start, "a", "b", 2_000_000)
    assert not found.isolated
    assert found.first_difference == CHECKPOINT
    assert found.with_a.final != found.without_a.final


def test_a_write_outside_is_noticed() -> None:
    def start() -> Any:
        lab = Lab("again: j again", WORKER)
        a = lab.hypervisor.vms[0]
        run_slice = a.run_slice

        def wild(steps: int) -> Any:
            lab.hypervisor.host.ram[-1] = 1
            return run_slice(steps)

        a.run_slice = wild  # type: ignore[method-assign]
        return lab

    outside, written = contained(start, "a", 100_000)
    last = len(checksums(start().hypervisor.host)) - 1
    assert written == [last]
    assert outside > 0


def test_unknown_guests_are_refused_and_labs_are_closed() -> None:
    labs: list[Lab] = []

    def start() -> Lab:
        labs.append(Lab(WORKER, WORKER))
        return labs[-1]

    with pytest.raises(KeyError):
        follow(start, "nobody", 1000)
    assert [lab.closed for lab in labs] == [True]
