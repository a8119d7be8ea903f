"""The clock's alarm interrupts at its time, to the step, whatever the slices are."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import RAM, guest
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

KINDS = pytest.mark.parametrize("kind", [Machine, Vm])
DELAY_NS = 40_000

ALARM = """
    .include "plic.inc"
    .equ RTC_LOW, 0x00
    .equ RTC_HIGH, 0x04
    .equ RTC_ALARM_LOW, 0x08
    .equ RTC_ALARM_HIGH, 0x0c
    .equ RTC_IRQ_ENABLED, 0x10
    .equ RTC_CLEAR_INTERRUPT, 0x1c
    handler taken
    li   s0, RTC_BASE
    li   s1, PLIC_BASE
    li   t0, 1
    sw   t0, PLIC_PRIORITY + 4 * RTC_IRQ(s1)
    li   t1, PLIC_BASE + PLIC_ENABLE
    li   t2, 1 << RTC_IRQ
    sw   t2, 0(t1)
    li   t1, PLIC_BASE + PLIC_CONTEXT
    sw   zero, PLIC_THRESHOLD(t1)
    sw   t0, RTC_IRQ_ENABLED(s0)
    lw   s2, RTC_LOW(s0)
    lw   s3, RTC_HIGH(s0)
    li   t0, {delay}
    add  s4, s2, t0
    sltu t0, s4, s2
    add  s3, s3, t0
    sw   s3, RTC_ALARM_HIGH(s0)
    sw   s4, RTC_ALARM_LOW(s0)
    li   t0, MIE_MEIE
    csrw mie, t0
    csrsi mstatus, MSTATUS_MIE
    li   s5, 0
wait:
    {wait}
    addi s5, s5, 1
    j    wait
    .align 2
taken:
    lw   s6, RTC_LOW(s0)
    csrr s7, mcause
    li   t1, PLIC_BASE + PLIC_CONTEXT
    lw   s8, PLIC_CLAIM(t1)
    pass
    j    .
"""


def ended(kind: type, wait: str, slices: tuple[int, ...]) -> tuple[int, ...]:
    machine = kind(ram=RAM, bios="none")
    machine.load(guest(ALARM.replace("{wait}", wait).replace("{delay}", str(DELAY_NS))))
    stop, turn = machine.run(slices[0]), 0
    while stop.reason == "budget" and turn < 10_000:
        turn += 1
        stop = machine.run(slices[turn % len(slices)])
    assert (stop.reason, stop.code) == ("exit", 0), stop
    late = int(machine.x[22]) - int(machine.x[20]) & 0xFFFF_FFFF
    assert int(machine.x[23]) == 1 << 31 | 11  # machine external interrupt
    assert int(machine.x[24]) == 11
    # The trap and the load of the time take a step each; the clock counts in 100 ns.
    assert late <= 100
    return machine.steps, machine.mtime(), *map(int, machine.x[18:25])


@KINDS
@pytest.mark.parametrize("wait", ["nop", "wfi"])
def test_an_alarm(kind: type, wait: str) -> None:
    runs = {ended(kind, wait, slices) for slices in ((100_000,), (1,), (7, 1000, 13))}
    assert len(runs) == 1


@pytest.mark.parametrize("wait", ["nop", "wfi"])
def test_it_is_the_same_in_a_vm(wait: str) -> None:
    assert ended(Machine, wait, (100_000,)) == ended(Vm, wait, (100_000,))
