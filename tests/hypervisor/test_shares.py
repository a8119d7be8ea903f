"""Weights, caps, reservations, several physical harts, stolen time, and VMs on threads."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest

from tests.hypervisor.guests import RAM, guest
from tests.hypervisor.test_scheduler import FOREVER, LOOP, fleet, lab, sleeper
from tests.hypervisor.twin import whole
from toyvm.hypervisor import Hypervisor
from toyvm.hypervisor.scheduler import Share, check_reservations, divide
from toyvm.network import PcapWriter, Switch
from toyvm.network.switch import sender

#: Counts the ticks of `time` and the cycles between two readings, in s0 and s1.
CLOCKS = """
    csrr s2, time
    csrr s3, cycle
again:
    csrr s0, time
    sub  s0, s0, s2
    csrr s1, cycle
    sub  s1, s1, s3
    j    again
"""


def shares_at_random(dice: random.Random, harts: int) -> list[Share]:
    """One to six guests whose reservations can be kept."""
    shares: list[Share] = []
    promised = 0
    for _ in range(dice.randint(1, 6)):
        cap = dice.choice([None, None, dice.randint(5, 100)])
        reservation = dice.choice([0, 0, dice.randint(0, min(cap or 100, 100 * harts - promised))])
        promised += reservation
        shares.append(Share(dice.choice([10, 50, 100, 100, 300, 1000]), cap, reservation))
    return shares


def by_bisection(shares: list[Share], harts: int) -> list[float]:
    """The same division found in another way: the level of the water by bisection, in floats."""
    low = [share.reservation / 100 for share in shares]
    high = [1.0 if share.cap is None else share.cap / 100 for share in shares]
    there_is = min(float(harts), sum(high))
    bottom, top = 0.0, 1.0
    for _ in range(200):
        level = (bottom + top) / 2
        parts = [
            min(max(level * share.weight, lo), hi)
            for share, lo, hi in zip(shares, low, high, strict=True)
        ]
        if sum(parts) > there_is:
            top = level
        else:
            bottom = level
    return parts


# ---- dividing ------------------------------------------------------------------------------------


def test_the_division_of_a_hart() -> None:
    """Cases that can be checked by hand."""
    third = Fraction(1, 3)
    assert divide([Share(), Share(), Share()], 1) == [third] * 3
    assert divide([Share(100), Share(300)], 1) == [Fraction(1, 4), Fraction(3, 4)]
    # What a cap leaves goes to the others.
    assert divide([Share(cap=10), Share()], 1) == [Fraction(1, 10), Fraction(9, 10)]
    # Nobody to take it: the hart idles.
    assert divide([Share(cap=10), Share(cap=20)], 1) == [Fraction(1, 10), Fraction(1, 5)]
    # A reservation comes first; the others share what is left by weight.
    parts = divide([Share(1, reservation=40), Share(100), Share(200)], 1)
    assert parts == [Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)]
    # One vCPU can use one hart at most, whatever its weight.
    assert divide([Share(10_000), Share(1), Share(1)], 2) == [1, Fraction(1, 2), Fraction(1, 2)]
    assert divide([Share(vcpus=2), Share()], 4) == [2, 1]


def test_the_division_agrees_with_bisection() -> None:
    dice = random.Random(18)
    for _ in range(1_000):
        harts = dice.randint(1, 4)
        shares = shares_at_random(dice, harts)
        parts = divide(shares, harts)
        assert [float(part) for part in parts] == pytest.approx(by_bisection(shares, harts))


def test_a_thousand_configurations_run_as_divided() -> None:
    """Random weights, caps and reservations: steps within 2 %, nobody waits two periods."""
    program = guest(LOOP)
    dice = random.Random(1818)
    for _ in range(1_000):
        harts = dice.choice([1, 1, 2, 3])
        shares = shares_at_random(dice, harts)
        hypervisor = Hypervisor([RAM] * len(shares), slice_steps=2_000, harts=harts)
        for i, share in enumerate(shares):
            vm = hypervisor.create(
                f"vm{i}", RAM, share.weight, share.cap, share.reservation, bios="none"
            )
            vm.load(program)
        rounds = 20
        for _ in range(rounds):
            before = [vm.steps for vm in hypervisor.vms]
            hypervisor.round()
            assert all(vm.steps > at for vm, at in zip(hypervisor.vms, before, strict=True))
        period = 2_000 * sum(share.weight for share in shares) / 100 / harts
        wanted = [part * period * rounds for part in by_bisection(shares, harts)]
        for vm, steps in zip(hypervisor.vms, wanted, strict=True):
            assert abs(vm.steps - steps) <= max(0.02 * steps, rounds), (shares, harts)


def test_fair_over_a_hundred_million_steps() -> None:
    """Two equal guests and one of half their weight, with slices that do not divide evenly."""
    hypervisor = fleet(LOOP, LOOP, LOOP, weights=(100, 100, 50), slice_steps=33_333)
    hypervisor.advance(1_200)
    steps = [vm.steps for vm in hypervisor.vms]
    assert sum(steps) == pytest.approx(1e8, rel=0.01)
    assert steps[0] == steps[1]
    assert steps[2] / steps[0] == pytest.approx(0.5, rel=0.02)


def test_what_sleeps_is_not_given_a_share() -> None:
    """A cap counts among those that want to run: beside a sleeper it still holds."""
    hypervisor = Hypervisor([RAM] * 3, slice_steps=1_000)
    for name, source, cap in (("a", LOOP, 25), ("b", LOOP, None), ("c", FOREVER, None)):
        hypervisor.create(name, RAM, cap=cap, bios="none").load(guest(source))
    hypervisor.run(max_rounds=1)
    before = [vm.steps for vm in hypervisor.vms]
    hypervisor.run(max_rounds=40)
    ran = [vm.steps - at for vm, at in zip(hypervisor.vms, before, strict=True)]
    # a and b share rounds of 2,000 steps.
    assert ran == [40 * 500, 40 * 1_500, 0]


# ---- what cannot be ------------------------------------------------------------------------------


def test_more_than_there_is_cannot_be_promised() -> None:
    check_reservations([Share(reservation=60), Share(reservation=40)], 1)
    with pytest.raises(ValueError, match="reservations of 110 percent: 1 physical hart can"):
        check_reservations([Share(reservation=60), Share(reservation=50)], 1)
    hypervisor = Hypervisor([RAM] * 2)
    hypervisor.create("a", RAM, reservation=70)
    with pytest.raises(ValueError, match="reservations of 140 percent"):
        hypervisor.create("b", RAM, reservation=70)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": 0}, "weight 0: expected 1 or more"),
        ({"cap": 0}, "cap 0: expected 1 to 100 percent"),
        ({"cap": 101}, "cap 101: expected 1 to 100 percent"),
        ({"cap": 201, "vcpus": 2}, r"expected 1 to 200 percent of a hart \(2 vCPUs\)"),
        ({"cap": 30, "reservation": 31}, "reservation 31: expected 0 to 30 percent"),
    ],
)
def test_shares_that_make_no_sense(values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Share(**values)


@pytest.mark.parametrize("bad", [{"harts": 0}, {"harts": 65}, {"clock": "wall"}])
def test_hosts_that_make_no_sense(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Hypervisor([RAM], **bad)  # type: ignore[arg-type]


# ---- stolen time ---------------------------------------------------------------------------------


def clocks(clock: str) -> list[tuple[int, int]]:
    """Ticks and cycles that three busy guests, one of weight 200, counted in 100 rounds."""
    hypervisor = Hypervisor([RAM] * 3, slice_steps=10_000, clock=clock)
    for i, weight in enumerate((100, 100, 200)):
        hypervisor.create(f"vm{i}", RAM, weight, bios="none").load(guest(CLOCKS))
    hypervisor.run(max_rounds=100)
    return [(int(vm.x[8]), int(vm.x[9])) for vm in hypervisor.vms]


def test_time_lost_to_others_is_invisible() -> None:
    for ticks, cycles in clocks("guest"):
        assert ticks == pytest.approx(cycles / 10, rel=0.001)


def test_time_lost_to_others_shows_on_the_labs_clock() -> None:
    """Each guest sees its part of the machine: a quarter, a quarter, a half."""
    for (ticks, cycles), part in zip(clocks("lab"), (0.25, 0.25, 0.5), strict=True):
        # The last reading is from inside the last round.
        assert cycles / 10 / ticks == pytest.approx(part, rel=0.03)


def test_stolen_time_is_counted() -> None:
    hypervisor = fleet(LOOP, LOOP)
    hypervisor.clock = "lab"
    hypervisor.run(max_rounds=50)
    assert hypervisor.stolen == {"vm0": 50_000, "vm1": 50_000}
    assert [vm.clock for vm in hypervisor.vms] == [100_000, 100_000]


def test_a_sleeper_on_the_labs_clock_wakes_in_time() -> None:
    """Its timer counts physical time, so it ticks as often beside two workers as alone."""
    hypervisor = Hypervisor([RAM] * 3, slice_steps=1_000, clock="lab")
    for i, source in enumerate((sleeper(1_000, 10_000), LOOP, LOOP)):
        hypervisor.create(f"vm{i}", RAM, bios="none").load(guest(source))
    hypervisor.run(max_rounds=500)
    # The workers' rounds are 2,000 steps, so a million steps of physical time, or a little more.
    assert 95 <= int(hypervisor.vms[0].x[8]) <= 110


# ---- side by side --------------------------------------------------------------------------------


def test_threads_and_turns_do_the_same_in_every_round(tmp_path: Path) -> None:
    """Two guests that talk over a switch: equal in every round, and so is the capture."""
    pair = []
    for parallel in (False, True):
        hypervisor = lab()
        hypervisor.parallel = parallel
        switch = hypervisor.switches[0]
        first = hypervisor.vms[0]
        switch.now_ns = lambda vm=first: vm.mtime() * 100
        switch.timekeeper = first.name
        switch.capture = PcapWriter(tmp_path / f"{parallel}.pcap")
        pair.append(hypervisor)
    serial, threaded = pair
    going = True
    while going and serial.rounds < 5_000:
        going = serial.round()
        assert threaded.round() == going
        for a, b in zip(serial.vms, threaded.vms, strict=True):
            assert whole(a) == whole(b)
            assert dict(a.ledger) == dict(b.ledger)
    assert not going
    assert b"replies 4 of 4" in threaded.vms[0].console_output
    for hypervisor in pair:
        hypervisor.close()
        hypervisor.switches[0].capture.close()
    captures = [(tmp_path / f"{parallel}.pcap").read_bytes() for parallel in (False, True)]
    assert captures[0] == captures[1]
    assert len(captures[0]) > 500


def test_threads_with_caps_and_the_labs_clock() -> None:
    ends = []
    for parallel in (False, True):
        hypervisor = Hypervisor([RAM] * 4, slice_steps=777, harts=2, clock="lab", parallel=parallel)
        sources = (CLOCKS, LOOP, sleeper(500, 10_000), CLOCKS)
        for i, source in enumerate(sources):
            hypervisor.create(
                f"vm{i}", RAM, 100 + 37 * i, 40 if i == 1 else None, 20 * (i == 3), bios="none"
            ).load(guest(source))
        for _ in range(200):
            hypervisor.round()
        ends.append([whole(vm) for vm in hypervisor.vms] + [hypervisor.stolen])
        hypervisor.close()
    assert ends[0] == ends[1]


def test_a_batch_of_rounds_is_the_rounds() -> None:
    """Guests that nothing joins reach the same state in long slices as in short ones."""
    ends = []
    for batch in (1, 7, 40):
        hypervisor = fleet(sleeper(300, 50), sleeper(700, 20), LOOP)
        hypervisor.batch = batch
        hypervisor.advance(400)
        ends.append([whole(vm) for vm in hypervisor.vms[:2]] + [hypervisor.vms[2].steps])
        assert [vm.stopped.reason for vm in hypervisor.vms[:2] if vm.stopped] == ["exit"] * 2
    assert ends[0] == ends[1] == ends[2]


def test_a_switch_sends_what_it_held_in_the_order_of_machines() -> None:
    switch = Switch()
    ports = {name: switch.port(name) for name in ("a", "b", "c")}
    heard: list[bytes] = []
    ports["c"].on_frame = heard.append

    def frame(source: int, number: int) -> bytes:
        return b"\xff" * 6 + bytes((2, 0, 0, 0, 0, source)) + bytes((number,)) * 46

    with switch.holding(["a", "b", "c"]):
        for name, source, number in (("b", 2, 0), ("a", 1, 1), ("b", 2, 2), ("a", 1, 3)):
            with sender(name):
                ports[name].send(frame(source, number))
        assert ports["c"].waiting == 0
    switch.deliver()
    assert [f[12] for f in heard] == [1, 3, 0, 2]
