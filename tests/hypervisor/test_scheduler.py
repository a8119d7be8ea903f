"""Rounds of slices: the same every time, fair, and clocks that jump when everybody sleeps."""

from __future__ import annotations

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import RAM, guest
from tests.hypervisor.twin import whole
from toyvm.hypervisor import Hypervisor, Vm
from toyvm.network import Switch
from toyvm.storage import MemoryDisk

LOOP = """
again:
    addi s0, s0, 1
    j    again
"""
COUNT = """
    li   s0, COUNT_TO
again:
    addi s0, s0, -1
    bnez s0, again
    pass
"""
SLEEPER = """
    handler tick
    li   s2, CLINT_BASE + 0x4000
    li   t1, MIE_MTIE
    csrw mie, t1
    li   s3, SLEEP_TICKS
    csrr t0, time
    add  t0, t0, s3
    sw   zero, 4(s2)
    sw   t0, 0(s2)
    csrsi mstatus, MSTATUS_MIE
again:
    wfi
    j    again
    .align 2
tick:
    addi s0, s0, 1
    csrr s1, time
    add  t0, t0, s3
    sw   t0, 0(s2)
    li   t1, SLEEPS
    bne  s0, t1, 1f
    pass
1:  mret
"""
FOREVER = """
    wfi
    j    .
"""


def text(source: str, **values: int) -> str:
    for name, value in values.items():
        source = source.replace(name, str(value))
    return source


def sleeper(ticks: int, times: int) -> str:
    return text(SLEEPER, SLEEP_TICKS=ticks, SLEEPS=times)


def fleet(*sources: str, weights: tuple[int, ...] = (), slice_steps: int = 1_000) -> Hypervisor:
    hypervisor = Hypervisor([RAM] * len(sources), slice_steps=slice_steps)
    for i, source in enumerate(sources):
        weight = weights[i] if weights else 100
        vm = hypervisor.create(f"vm{i}", RAM, bios="none", weight=weight)
        vm.load(guest(source))
    return hypervisor


# ---- fairness ------------------------------------------------------------------------------------


def test_equal_weights_get_equal_steps() -> None:
    hypervisor = fleet(LOOP, LOOP, LOOP)
    hypervisor.run(max_rounds=50)
    assert [vm.steps for vm in hypervisor.vms] == [50_000] * 3
    assert hypervisor.rounds == 50


def test_steps_follow_weights() -> None:
    hypervisor = fleet(LOOP, LOOP, LOOP, weights=(50, 100, 325))
    stops = hypervisor.run(max_rounds=40)
    assert [vm.steps for vm in hypervisor.vms] == [20_000, 40_000, 130_000]
    assert {stop.reason for stop in stops.values()} == {"budget"}


def test_the_smallest_weight_still_runs() -> None:
    hypervisor = fleet(LOOP, LOOP, weights=(1, 100), slice_steps=10)
    hypervisor.run(max_rounds=30)
    assert hypervisor.vms[0].steps == 30


@pytest.mark.parametrize("noisy", ["j .", "handler bad\nbad: .word 0", "again: ecall\n j again"])
def test_a_busy_neighbour_takes_nothing(noisy: str) -> None:
    """A worker needs as many rounds beside a hostile guest as beside a quiet one."""
    rounds = []
    for neighbour in (FOREVER, noisy):
        hypervisor = fleet(text(COUNT, COUNT_TO=20_000), neighbour)
        worker = hypervisor.vms[0]
        while worker.stopped is None:
            hypervisor.round()
        rounds.append(hypervisor.rounds)
        assert worker.stopped.code == 0
    assert rounds[0] == rounds[1]


def test_turns_are_in_the_order_of_creation() -> None:
    order: list[str] = []
    hypervisor = fleet(*[text(COUNT, COUNT_TO=n) for n in (100, 100, 100)])
    hypervisor.finished = lambda vm, stop: order.append(vm.name)
    hypervisor.run()
    assert order == ["vm0", "vm1", "vm2"]


# ---- determinism ---------------------------------------------------------------------------------


def lab() -> Hypervisor:
    names = ("teachos", "appliance")
    hypervisor = Hypervisor([manifest()[name].ram for name in names])
    switch = Switch()
    hypervisor.switches.append(switch)
    for name in names:
        entry = manifest()[name]
        vm = hypervisor.create(
            name,
            entry.ram,
            bios=entry.bios,
            drives=[MemoryDisk(64 << 10)],
            nets=[switch.port(name)],
        )
        vm.load(build(name))
    return hypervisor


def test_two_runs_of_a_lab_are_the_same_in_every_round() -> None:
    first, second = lab(), lab()
    going = True
    rounds = 0
    while going and rounds < 5_000:
        going = first.round()
        assert second.round() == going
        rounds += 1
        for a, b in zip(first.vms, second.vms, strict=True):
            assert a.clock == b.clock
        if rounds % 50 == 0 or not going:
            for a, b in zip(first.vms, second.vms, strict=True):
                assert whole(a) == whole(b)
                assert dict(a.ledger) == dict(b.ledger)
    assert not going
    assert [vm.stopped.code for vm in first.vms if vm.stopped] == [0, 0]
    assert b"replies 4 of 4" in first.vms[0].console_output
    assert first.host.intruders() == []


def test_a_guest_alone_does_the_same_whatever_the_slices() -> None:
    ends = []
    for slice_steps in (500, 1_000, 50_000, 1_000_000):
        hypervisor = fleet(sleeper(300, 20), slice_steps=slice_steps)
        stops = hypervisor.run()
        assert stops["vm0"].reason == "exit"
        ends.append(whole(hypervisor.vms[0]))
    assert all(end == ends[0] for end in ends)


# ---- idle ----------------------------------------------------------------------------------------


def test_a_sleeping_guest_jumps_to_its_timer() -> None:
    """A second of guest time needs next to no steps."""
    hypervisor = fleet(sleeper(1_000_000, 10))
    stops = hypervisor.run()
    vm = hypervisor.vms[0]
    assert stops["vm0"].reason == "exit"
    assert vm.mtime() >= 10_000_000
    assert vm.steps < 1_000
    assert hypervisor.rounds < 100


def test_guests_that_sleep_keep_the_same_time() -> None:
    """All clocks jump by the same distance, so guests of one host stay together."""
    hypervisor = fleet(sleeper(100_000, 30), sleeper(170_000, 30), sleeper(1_000_000, 3))
    while hypervisor.round():
        clocks = [vm.clock for vm in hypervisor.running]
        if clocks:
            assert max(clocks) - min(clocks) <= 2 * hypervisor.slice_steps
    for vm in hypervisor.vms:
        assert vm.stopped is not None
        assert vm.stopped.reason == "exit"


def test_a_sleeper_beside_a_worker_loses_no_time() -> None:
    """It moves its clock one slice a turn while the other one runs."""
    hypervisor = fleet(sleeper(1_000, 10_000), LOOP)
    hypervisor.run(max_rounds=500)
    sleeping, working = hypervisor.vms
    assert abs(sleeping.clock - working.clock) <= hypervisor.slice_steps
    assert sleeping.steps < working.steps // 10
    # It ticked every 1,000 ticks = 10,000 steps of the half million.
    assert 45 <= int(sleeping.x[8]) <= 50


def test_nobody_can_wake_up() -> None:
    hypervisor = fleet(FOREVER, FOREVER)
    stops = hypervisor.run()
    assert {name: stop.reason for name, stop in stops.items()} == {"vm0": "idle", "vm1": "idle"}
    assert not hypervisor.round()


def test_one_ends_and_the_other_can_never_wake() -> None:
    stops = fleet(FOREVER, text(COUNT, COUNT_TO=5_000)).run()
    assert (stops["vm0"].reason, stops["vm1"].reason) == ("idle", "exit")


def test_a_timer_that_is_not_enabled_wakes_nobody_and_moves_no_clock() -> None:
    """A deadline alone is no reason to let time pass: nothing would come of it."""
    source = """
        li   s2, CLINT_BASE + 0x4000
        li   t0, 500000
        sw   zero, 4(s2)
        sw   t0, 0(s2)
        wfi
        j    .
    """
    hypervisor = fleet(source)
    assert hypervisor.run()["vm0"].reason == "idle"
    assert hypervisor.vms[0].mtime() < 500_000
    vm = Vm(ram=RAM, bios="none")
    vm.load(guest(source))
    assert vm.run(100).reason == "idle"
    assert vm.mtime() == 0


def test_an_interrupt_line_wakes_an_idle_guest() -> None:
    source = """
        handler woken
        li   t0, MIE_MEIE
        csrw mie, t0
        csrsi mstatus, MSTATUS_MIE
        wfi
        j    .
        .align 2
    woken:
        pass
    """
    hypervisor = fleet(source, FOREVER)
    assert hypervisor.run(max_rounds=5)["vm0"].reason == "idle"
    hypervisor.vms[0].set_line(11, True)
    assert hypervisor.run()["vm0"].reason == "exit"


def test_frames_arrive_at_the_receivers_next_slice() -> None:
    """A frame does not reach its receiver within the sender's slice, whatever the order."""
    heard: list[tuple[str, int]] = []
    hypervisor = fleet(LOOP, LOOP)
    switch = Switch()
    hypervisor.switches.append(switch)
    ports = [switch.port(name) for name in ("a", "b")]
    for port in ports:
        port.on_frame = lambda frame, name=port.name: heard.append((name, hypervisor.rounds))
    frame = b"\xff" * 6 + bytes((2, 0, 0, 0, 0, 1)) + bytes(50)
    hypervisor.vms[1].console.sink = None
    hypervisor.round()
    ports[0].send(frame)
    assert heard == []
    hypervisor.round()
    assert heard == [("b", 2)]


# ---- what cannot be ------------------------------------------------------------------------------


def test_names_differ() -> None:
    hypervisor = fleet(LOOP, LOOP)
    with pytest.raises(ValueError, match="two VMs called 'vm0'"):
        hypervisor.create("vm0", RAM)


def test_memory_for_a_vm_that_wants_all_of_it_at_once() -> None:
    hypervisor = Hypervisor([RAM])
    hypervisor.create("first", RAM, reserved=True)
    with pytest.raises(MemoryError, match="second: 512 frames in a row wanted"):
        hypervisor.create("second", 2 * RAM, reserved=True)
