"""Every shipped guest and every probe, in both tiers: the same at each stop and at the end.

Bare and in a VM; in the VM on every rung from plain trap-and-emulate to paravirtual, with both
kinds of shadow.  All code that has been executed is translated, by LLVM at its lowest level where
nothing else is said: the passes have their tests in test_translate.py and test_two_tiers.py.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

import guestos
from guestos import manifest
from tests.hypervisor.test_scheduler import lab
from tests.hypervisor.twin import whole
from tests.support.tiers import QuickCode, Tiers, translate_eagerly
from toyvm.hart.translate import pool as pools
from toyvm.hart.translate.backend import unavailable
from toyvm.hart.translate.pool import Pool
from toyvm.hypervisor import Vm
from toyvm.hypervisor.vm import SHADOWS, TECHNIQUES
from toyvm.machine import Machine

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

FULL = bool(os.environ.get("TOYVM_FULL"))
STEPS = 2_000_000 if FULL else 25_000
GUESTS = sorted(name for name, guest in manifest().items() if guest.kind != "firmware")
RUNGS = [(technique, shadow) for shadow in sorted(SHADOWS) for technique in sorted(TECHNIQUES)]
#: Kernels with paging of their own, which meet every rung in a plain run too.
KERNELS = ("teachos", "switches", "faults", "cnet", "probe-sv32", "probe-sfence")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "Code", QuickCode)


@pytest.fixture(scope="module")
def shared() -> Pool:
    """One pool for all guests, as in one process: what one has had translated others use."""
    return Pool()


def run(name: str, kind: type, pool: Pool, **options: Any) -> Tiers:
    """One guest in both tiers, in runs of any length, for STEPS or to its end."""
    guest = manifest()[name]
    options.setdefault("harts" if kind is Machine else "vcpus", guest.harts)
    options |= {"ram": guest.ram, "bios": guest.bios, "disks": guest.drives, "nets": guest.nets}
    options |= {"sstc": guest.sstc, "ad_fault": guest.ad == "fault"}
    pair = Tiers(guestos.build(name), kind, pool, **options)
    rng = random.Random(name)
    left = STEPS
    sizes = []
    while left > 0:
        sizes.append(rng.choice((60, 700, 701, 3000, 9000)))
        left -= sizes[-1]
    pair.finish(sizes)
    assert pair.one.steps == pair.two.steps > 0
    return pair


@pytest.mark.parametrize("name", GUESTS)
def test_bare(name: str, quick: None, shared: Pool) -> None:
    run(name, Machine, shared)


@pytest.mark.parametrize("name", GUESTS)
def test_in_a_vm(name: str, quick: None, shared: Pool) -> None:
    """The rungs take turns; with TOYVM_FULL=1 each guest stands on all of them."""
    rungs = RUNGS if FULL or name in KERNELS else [RUNGS[GUESTS.index(name) % len(RUNGS)]]
    for technique, shadow in rungs:
        run(name, Vm, shared, technique=technique, shadow_mode=shadow)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_through_all_passes(kind: type, shared: Pool) -> None:
    pair = run("teachos", kind, Pool())
    assert pair.translated > 0.5 * STEPS


# ---- several harts, several VMs, little memory -----------------------------------------------


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize(("name", "turn"), [("probe-smp", 37), ("probe-hsm", 41), ("cnet", 999)])
def test_harts_that_share_decoded_words(
    name: str, turn: int, kind: type, quick: None, shared: Pool
) -> None:
    """Turns shorter than regions run: each hart goes on where another one has translated."""
    guest = manifest()[name]
    count = {"harts" if kind is Machine else "vcpus": max(guest.harts, 3)}
    pair = run(name, kind, shared, turn=turn, **count)
    assert len(pair.two.harts) >= 3
    assert pair.translated > 0


def test_threads_share_translated_code(quick: None) -> None:
    """Two VMs on a switch: in turn and in tier 1, or on two threads with translated code."""
    pool = Pool()
    serial, threaded = lab(), lab()
    threaded.parallel = True
    for one, two in zip(serial.vms, threaded.vms, strict=True):
        for hart in one.harts:
            hart.translator = None
        translate_eagerly(two, pool)
    going = True
    while going and serial.rounds < 5_000:
        going = serial.round()
        assert threaded.round() == going
        for one, two in zip(serial.vms, threaded.vms, strict=True):
            assert (one.steps, one.pc, one.mtime()) == (two.steps, two.pc, two.mtime())
            if serial.rounds % 50 == 0 or not going:
                assert whole(one) == whole(two)
                assert dict(one.ledger) == dict(two.ledger)
    assert not going
    assert b"replies 4 of 4" in threaded.vms[0].console_output
    assert not pool.failures
    assert all(vm.harts[0].translator.steps() > 1000 for vm in threaded.vms)
    for hypervisor in (serial, threaded):
        hypervisor.close()


def test_many_guests_in_a_small_pool(quick: None) -> None:
    """Code is unloaded under VMs that use it, made again, and shared by those of one image."""
    pool = Pool(limit=300_000)
    names = ("teachos", "probe-sv32", "teachos", "ckernel", "probe-selfmod", "teachos")
    pairs = []
    for i, name in enumerate(names):
        guest = manifest()[name]
        options = {"ram": guest.ram, "bios": guest.bios, "disks": guest.drives, "nets": guest.nets}
        technique, shadow = RUNGS[i]
        pairs.append(
            Tiers(guestos.build(name), Vm, pool, technique=technique, shadow_mode=shadow, **options)
        )
    rng = random.Random(7)
    for turn in range(14):
        for pair in pairs:
            if pair.one.stopped is None:
                pair.run(rng.choice((60, 701, 3000)))
        if turn % 5 == 4:
            # What is in use cannot be unloaded: at each look a machine gives half of it back.
            for _ in range(8):
                for pair in pairs:
                    pair.translator._review()
            assert pool.size <= pool.limit
    for pair in pairs:
        pair.finish()
    assert pool.shared > 0
    assert sum(pair.translator.dropped for pair in pairs) > 10
    assert len(pool._all) < pool.made
