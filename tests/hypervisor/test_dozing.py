"""A guest that sleeps only has its clock moved: nobody can tell it from one that is run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.hypervisor.guests import RAM, guest
from toyvm import jit
from toyvm.hart import access
from toyvm.hypervisor import Hypervisor, Vm

#: A timer every PERIOD ticks; then a byte of the UART if there is one.  s0 counts, s1 sums up.
CLOCK = """
    handler awake
    li   s2, CLINT_BASE + 0x4000
    li   s5, UART0_BASE
    li   t1, 1
    sb   t1, 1(s5)
    li   s6, PLIC_BASE
    sw   t1, 40(s6)
    li   t0, PLIC_BASE + 0x2000
    li   t1, 1 << 10
    sw   t1, 0(t0)
    li   t1, MIE_MTIE | MIE_MEIE
    csrw mie, t1
    li   s3, PERIOD
    csrr s4, time
    add  s4, s4, s3
    sw   zero, 4(s2)
    sw   s4, 0(s2)
    csrsi mstatus, MSTATUS_MIE
again:
    wfi
    j    again
    .align 2
awake:
    csrr t0, mcause
    bltz t0, 1f
    fail 9
1:  slli t0, t0, 28
    srli t0, t0, 28
    li   t1, 7
    beq  t0, t1, tick
    li   t2, PLIC_BASE + 0x200004
    lw   t3, 0(t2)
    lbu  t4, 0(s5)
    add  s1, s1, t4
    sw   t3, 0(t2)
    mret
tick:
    addi s0, s0, 1
    add  s4, s4, s3
    sw   s4, 0(s2)
    csrr s7, time
    mret
"""
SPIN = """
    li   t0, 400000
1:  addi s0, s0, 1
    bne  s0, t0, 1b
    wfi
    j    .
"""


def lab(**configuration: object) -> Hypervisor:
    """Sleepers out of step with each other, one of another weight, and one that first works."""
    host = Hypervisor([RAM] * 5, slice_steps=5_000, **configuration)  # type: ignore[arg-type]
    for i, period in enumerate((700, 1_100, 2_501, 60_000)):
        vm = host.create(f"clock{i}", RAM, bios="none", tier=1, weight=200 if i == 1 else 100)
        vm.load(guest(CLOCK.replace("PERIOD", str(period))))
    host.create("spin", RAM, bios="none", tier=1).load(guest(SPIN))
    return host


def wide_awake(host: Hypervisor) -> None:
    """Run every VM in every round, as if nothing were known of it."""

    def never(steps: int) -> bool:
        return False

    def forget(vm: Vm, run: Callable[[int], object]) -> Callable[[int], object]:
        def run_slice(steps: int) -> object:
            stop = run(steps)
            vm._wakes = -1
            return stop

        return run_slice

    for vm in host.vms:
        vm.doze = never  # type: ignore[method-assign]
        vm.run_slice = forget(vm, vm.run_slice)  # type: ignore[method-assign, assignment]


def state(host: Hypervisor) -> list[object]:
    rows: list[object] = [host.time, dict(host.stolen)]
    for vm in host.vms:
        rows.append((vm.name, vm.clock, vm.steps, vm.pc, vm.mtime(), vm.x.tolist(), vm.stopped))
        rows.append((vm.awake, vm.sleep_distance(), dict(vm.ledger)))
    return rows


@pytest.mark.parametrize("configuration", [{}, {"clock": "lab"}, {"harts": 2}, {"parallel": True}])
def test_dozing_changes_nothing(configuration: dict[str, object]) -> None:
    dozing, awake = lab(**configuration), lab(**configuration)
    wide_awake(awake)
    slept = 0
    for number in range(400):
        assert dozing.round() == awake.round()
        slept += sum(not vm.awake for vm in dozing.vms)
        if number % 37 == 5:
            for host in (dozing, awake):
                host.vms[number % 4].feed(b"k")
        if number % 50 == 20:
            # A debugger sets a timer that is still far away to a nearer time.
            for host in (dozing, awake):
                host.vms[3].board.bus.write(0x200_4000, 4, host.vms[3].mtime() + 2_000)
        assert state(dozing) == state(awake), number
    assert slept > 100
    assert all(int(vm.x[8]) > 5 for vm in dozing.vms[:3])
    assert any(int(vm.x[9]) for vm in dozing.vms), "keys were read"
    for host in (dozing, awake):
        host.close()


def test_an_interrupt_from_outside_ends_a_doze() -> None:
    host = Hypervisor([RAM], slice_steps=5_000)
    vm = host.create("clock", RAM, bios="none", tier=1)
    vm.load(guest(CLOCK.replace("PERIOD", "1000000")))
    for _ in range(3):
        host._run(host.vms, host._turns(host.vms, 1))
    assert not vm.awake
    assert vm.doze(100)
    vm.feed(b"!")
    assert vm.awake
    assert not vm.doze(100)
    host.round()
    assert int(vm.x[9]) == ord("!")


@pytest.mark.skipif(not jit.COMPILED, reason="plain Python needs no addresses")
@pytest.mark.parametrize("wrong", [np.zeros(8, np.int32), np.zeros(8, np.int64)[::2]])
def test_compiled_code_gets_no_address_of_the_wrong_array(wrong: np.ndarray) -> None:
    right = [np.zeros(8, kind) for kind in access._KINDS]
    access.make_core(*right)
    right[1] = wrong
    with pytest.raises(TypeError, match="expected int64"):
        access.make_core(*right)
