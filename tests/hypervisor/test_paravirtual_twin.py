"""The rungs of hypercalls against the bare machine and the model, and what may differ: nothing.

Guests that use the calls are compared with a bare machine and a model that answer them too
(toyvm/proofs/reference.py).  Guests that ignore them are compared with a plain bare machine.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import BASE, ROOT, A, D, R, W, guest, identity
from tests.hypervisor.paravirtual_twin import ParavirtualTwin
from tests.hypervisor.test_paravirtual import CALLS, FLAGGED
from tests.hypervisor.twin import Difference, Twin
from toyvm.firmware import sbi
from toyvm.hypervisor import Vm, shadow
from toyvm.hypervisor.paravirtual import EXT_PV, Paravirtual
from toyvm.machine import Computer
from toyvm.proofs import compare as comparing
from toyvm.proofs.reference import Calls
from toyvm.proofs.snapshot import state_hash

RUNGS = ("upv", "pv")
LOADS = ("syscalls", "faults", "switches")


def go(name: str, technique: str, single: int, judged: int, times: int = 0) -> None:
    """A shipped guest in single steps, then in longer runs; the model leaves after `judged`."""
    row = manifest()[name]
    twin = ParavirtualTwin(
        build(name, {"LOAD_TIMES": times} if times else None),
        technique,
        ram_size=row.ram,
        drives=row.drives,
    )
    sizes = iter((1,) * single + (7, 61, 499) * 40)
    stop = twin.bare.stopped
    while stop is None:
        if twin.model and twin.bare.steps > judged:
            twin.check_whole()
            twin.model = None
        size = next(sizes, 1_009 if twin.model else 20_011)
        stop = twin.run(size)
        assert stop.reason in ("budget", "exit"), stop
        stop = None if stop.reason == "budget" else stop
    twin.check_whole()
    assert (stop.reason, stop.code) == ("exit", 0)
    assert twin.vm.paravirtual
    assert sum(twin.vm.paravirtual.calls) == twin.calls.made > 0


@pytest.mark.parametrize("technique", RUNGS)
def test_teachos_step_by_step(technique: str) -> None:
    go("teachos", technique, single=300, judged=10_000)


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("technique", RUNGS)
def test_the_loads_step_by_step(name: str, technique: str) -> None:
    go(name, technique, single=200, judged=6_000, times=100)


@pytest.mark.parametrize("technique", RUNGS)
@pytest.mark.parametrize("sizes", [(1,) * 400, (3, 1, 7, 2, 50)], ids=["1", "mixed"])
def test_the_flag_and_the_updates_step_by_step(technique: str, sizes: tuple[int, ...]) -> None:
    """An interrupt held back by a word of memory, and entries that change under an access."""
    text = CALLS + UPDATES + (FLAGGED if technique == "upv" else "    pass\n")
    tables = identity().map(VA, DATA, R | W | A | D).map(0x10_0000, 0x10_0000, R | W | A | D)
    twin = ParavirtualTwin(guest(text, tables), technique)
    stop = twin.to_the_end(sizes, 5_000)
    assert (stop.reason, stop.code) == ("exit", 0), stop
    assert twin.judge.made == twin.calls.made >= 2
    assert (twin.calls.flag is not None) == (technique == "upv")


VA, DATA, PAIRS = 0x4000_0000, BASE + 0x8000, BASE + 0xC000
#: Lets one page lead to another, reads through it, and makes a call that must fail.
UPDATES = f"""
    li   t0, SATP_MODE | {ROOT >> 12:#x}
    csrw satp, t0
    sfence.vma
    li   s1, {VA:#x}
    lw   s2, 0(s1)
    sw   s1, 4(s1)
    li   s3, {PAIRS:#x}
    li   t0, {identity().map(VA, DATA, R).entry(VA):#x}
    sw   t0, 0(s3)
    li   t0, {(DATA + 0x1000) >> 12 << 10 | R | A | 1:#x}
    sw   t0, 4(s3)
    mv   a0, s3
    li   a1, 1
    pv   2
    lw   s6, 4(s1)
    mv   a0, s3
    li   a1, 513
    pv   2
    mv   s7, a0
"""


@pytest.mark.parametrize("technique", RUNGS)
@pytest.mark.parametrize("name", ["hello", "probe-sbi", "probe-hsm"])
def test_a_kernel_that_ignores_the_calls_is_equal_to_a_plain_machine(
    name: str, technique: str
) -> None:
    row = manifest()[name]
    base = technique.removesuffix("pv") or "s"
    hashes = []
    for rung in (base, technique):
        twin = Twin(
            build(name), bios="sbi", ram_size=row.ram, technique=rung, judged=rung == technique
        )
        stop = twin.to_the_end((1,) * 300 + (499,), 2_000_000)
        assert stop.reason == "exit"
        hashes.append((state_hash(twin.vm), dict(twin.vm.ledger)))
    assert hashes[0] == hashes[1], "to the bit and to the exit as without the calls"


# ---- the comparison can fail ------------------------------------------------------------------


def wrong_value(vm: Vm) -> None:
    """An update that stores something else."""
    store = vm.store_entries
    vm.store_entries = (  # type: ignore[method-assign]
        lambda pa, data: store(pa, bytes((data[0], data[1] ^ 4)) + data[2:])
    )


def no_sync(vm: Vm) -> None:
    """An update that leaves the old translation."""
    vm.store_entries = vm.memory.write  # type: ignore[method-assign]


def lost_flag(vm: Vm) -> None:
    """SET_FLAG says yes and does nothing."""
    assert vm.paravirtual
    vm.paravirtual._functions[1] = lambda args: (sbi.SUCCESS, 0)


@pytest.mark.parametrize("spoil", [wrong_value, no_sync, lost_flag])
def test_a_wrong_call_is_found(spoil: Callable[[Vm], None]) -> None:
    tables = identity().map(VA, DATA, R | W | A | D).map(0x10_0000, 0x10_0000, R | W | A | D)
    twin = ParavirtualTwin(guest(CALLS + UPDATES + FLAGGED, tables), "upv")
    spoil(twin.vm)
    with pytest.raises(Difference):
        twin.to_the_end((1,) * 400, 5_000)


@pytest.mark.parametrize("technique", ["s", *RUNGS])
def test_compare_knows_every_rung(technique: str) -> None:
    row = manifest()["faults"]
    image = build("faults", {"LOAD_TIMES": 300})

    def make() -> tuple[Computer, Vm]:
        from toyvm.machine import Machine

        bare, vm = Machine(row.ram), Vm("compared", row.ram, technique=technique)
        for computer in (bare, vm):
            computer.load(image)
        return bare, vm

    found = comparing.compare(make, every=50_000)
    assert found.equal, found.difference
    assert (found.stop.reason, found.stop.code) == ("exit", 0)
    assert (found.calls is None) == (technique == "s")
    if found.calls is None:
        return
    assert found.calls > 2
    # A hypervisor that forgets nothing is found at the access that shows it.
    makes = make

    def broken() -> tuple[Computer, Vm]:
        bare, vm = makes()
        wrong_value(vm)
        return bare, vm

    other = comparing.compare(broken, every=50_000)
    assert other.difference is not None
    assert other.difference.exact
    assert other.difference.text == "ecall"


def test_the_reference_refuses_what_the_hypervisor_refuses() -> None:
    """Both answer the same to calls that make no sense."""
    vm = Vm(ram=1 << 20, technique="upv")
    vm.load(guest("pass\n"))
    assert vm.paravirtual
    twin = ParavirtualTwin(guest("pass\n"), "upv", judged=False)
    ours: Paravirtual = vm.paravirtual
    theirs: Calls = twin.calls
    top = BASE + (1 << 20)
    for function in range(6):
        for a0 in (0, 2, BASE, BASE + 4, BASE + 8, top - 8, top - 4, top, 0xFFFF_FFF8, 0xFFFF_FFFF):
            for a1 in (0, 1, 2, 512, 513, 0xFFFF_FFFF):
                args = [a0, a1, 0, 0, 0, 0, function, EXT_PV]
                assert ours.call(args) == theirs.call(args), args
    assert shadow.UNTOUCHED in vm.memory.fmap
