"""Every guest and every probe does the same bare and virtualised, to the step and the tick.

The bare side is itself judged by the independent model of tests/naive.py, because a mistake in a
kernel that both sides share would change both alike.
"""

from __future__ import annotations

import pytest

from guestos import build, manifest
from tests.hypervisor.twin import Twin
from toyvm.machine import Machine
from toyvm.storage import MemoryDisk

#: Those of one ordinary hart: test_vcpus.py runs the others, test_hostile.py the hostile ones.
GUESTS = [
    guest
    for guest in manifest().values()
    if guest.kind not in ("firmware", "hostile")
    and (guest.harts, guest.sstc, guest.ad) == (1, False, "hardware")
]
PROBES = [guest.name for guest in GUESTS if guest.kind == "probe"]
#: Steps that the model goes along: it makes some 100,000 a second.
LOADS = ("syscalls", "faults", "switches")
JUDGED = {
    "teachos": 150_000,
    "cpu": 30_000,
    "ckernel": 60_000,
    "cnet": 60_000,
    **dict.fromkeys(LOADS, 60_000),
}
SINGLE_STEPS = 1_500
PRIMES = (7, 61, 499)
LONG = {
    "teachos": 7_919,
    "cpu": 499_979,
    "ckernel": 49_999,
    "cnet": 49_999,
    **dict.fromkeys(LOADS, 99_991),
}


def test_there_is_something_to_compare() -> None:
    assert len(PROBES) >= 10
    assert {"hello", "teachos", "appliance", "cpu"} <= {guest.name for guest in GUESTS}


def run_all(name: str, judged: bool, virtio: str = "legacy") -> Twin:
    """To the guest's end, step by step first, then in ever longer runs."""
    guest = manifest()[name]
    twin = Twin(
        build(name),
        bios=guest.bios,
        ram_size=guest.ram,
        drives=guest.drives,
        judged=judged,
        virtio=virtio,
    )
    for _ in range(SINGLE_STEPS if judged else SINGLE_STEPS // 5):
        if twin.run(1).reason != "budget":
            break
    stop = twin.bare.stopped
    limit = JUDGED.get(name, 1 << 62)
    sizes = iter(PRIMES * 40)
    while stop is None:
        if twin.model and twin.bare.steps > limit:
            twin.check_whole()
            twin.model = None
        size = next(sizes, LONG.get(name, 1009) if twin.model is None else 1009)
        stop = twin.run(size)
        assert stop.reason in ("budget", "exit"), stop
        if stop.reason == "budget":
            stop = None
    twin.check_whole()
    return twin


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.name)
def test_same_bare_and_virtualised(guest) -> None:  # type: ignore[no-untyped-def]
    twin = run_all(guest.name, judged=True)
    assert twin.bare.stopped is not None
    assert (twin.bare.stopped.reason, twin.bare.stopped.code) == ("exit", 0)
    if guest.kind == "probe":
        assert twin.vm.console_output.endswith(f"{guest.name.replace('-', ' ')}: ok\n".encode())
    assert twin.vm.ledger.total > 0
    # One long run ends in the same state as all the short ones.
    again = Twin(
        build(guest.name),
        bios=guest.bios,
        ram_size=guest.ram,
        drives=guest.drives,
        judged=False,
    )
    again.run(1 << 40)
    again.check_whole()
    assert again.bare.steps == twin.bare.steps
    assert again.bare.console_output == twin.bare.console_output


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.name)
def test_same_in_every_variant(guest, variant: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    """Where the guest's kernel runs and how its shadow follows changes nothing for the guest."""
    twin = run_all(guest.name, judged=False)
    assert (twin.bare.stopped.reason, twin.bare.stopped.code) == ("exit", 0)


@pytest.mark.parametrize("name", ["probe-blk", "teachos", "appliance"])
def test_modern_virtio(name: str) -> None:
    assert run_all(name, judged=False, virtio="modern").bare.stopped.code == 0


def test_without_pmp() -> None:
    """A board without PMP entries: its registers read as zero and everything is open."""
    twin = Twin(build("probe-arith"), ram_size=16 << 20, pmp=0)
    stop = twin.to_the_end((1,) * 500)
    assert (stop.reason, stop.code) == ("exit", 0)


@pytest.mark.parametrize("name", ["hello", "probe-sbi", "teachos"])
def test_kernels_above_our_own_firmware(name: str) -> None:
    """M-mode firmware in assembly below an S-mode kernel: all three virtual modes at work."""
    guest = manifest()[name]
    twin = Twin(
        build(name),
        bios=build("sbi"),
        ram_size=guest.ram,
        drives=guest.drives,
        judged=name != "teachos",
    )
    for _ in range(SINGLE_STEPS):
        if twin.run(1).reason != "budget":
            break
    if twin.bare.stopped is None:
        stop = twin.to_the_end((*PRIMES, 4_001), 20_000_000)
        assert (stop.reason, stop.code) == ("exit", 0)
    twin.check_whole()
    assert twin.vm.ledger["sbi"] == 0
    assert twin.vm.ledger["ecall"] > 0
    assert twin.vm.ledger["mret"] > 0
    builtin = Machine(guest.ram, bios="sbi", drives=[MemoryDisk(64 << 10)] * guest.drives)
    builtin.load(build(name))
    builtin.run(1 << 40)
    if name == "probe-sbi":
        # The same words from the built-in firmware and from ours.
        assert builtin.console_output == twin.vm.console_output
