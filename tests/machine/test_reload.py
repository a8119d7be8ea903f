"""One machine, several programs after each other: nothing of the one before is left."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import RAM, guest
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine

KINDS = (Machine, Vm)
#: Jumps from its first page to another and back.
FAR = """
    li   s0, 0
    call far
    addi s0, s0, 1
    call far
    addi s0, s0, 1
    pass
    .align 12
    .space {skip}
far:
    addi s1, s1, {step}
    ret
"""


def far(pages: int, step: int) -> str:
    return FAR.format(skip=4096 * pages, step=step)


def run(computer: Computer, source: str) -> None:
    computer.load(guest(source))
    stop = computer.run(1_000)
    assert (stop.reason, stop.code) == ("exit", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_decoded_pages_of_the_program_before_are_forgotten(kind: type) -> None:
    """The second program uses other pages of code; each must be decoded anew."""
    computer = kind(ram=RAM, bios="none")
    for pages, step in ((0, 1), (1, 10), (2, 100), (0, 1000), (5, 2)):
        run(computer, far(pages, step))
        assert int(computer.x[8]) == 2
        assert int(computer.x[9]) == 2 * step


@pytest.mark.parametrize("kind", KINDS)
def test_load_starts_from_power_on(kind: type) -> None:
    """Clock, counters, CSRs, registers and devices are as at the first load."""
    source = """
        li   t0, -1
        csrw mtvec, t0
        csrw medeleg, t0
        csrw mcountinhibit, t0
        csrw pmpaddr3, t0
        li   t0, CLINT_BASE + 0xbff8
        sw   t0, 0(t0)
        li   t0, PLIC_BASE
        li   t1, 7
        sw   t1, 40(t0)
        li   t0, MSTATUS_MPRV | MSTATUS_MPP_M
        csrw mstatus, t0
        pass
    """
    fresh, used = kind(ram=RAM, bios="none"), kind(ram=RAM, bios="none")
    run(used, source)
    for computer in (fresh, used):
        computer.load(guest(far(0, 1)))
    from tests.hypervisor.twin import whole

    assert whole(fresh) | {"console": b""} == whole(used) | {"console": b""}
    assert used.read_phys(0x8000_0000, 64) == fresh.read_phys(0x8000_0000, 64)
    assert used.board.plic.read(40, 4) == 0
    assert used.steps == used.mtime() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_breakpoints_outlive_a_load(kind: type) -> None:
    """A debugger that starts a program again keeps its breakpoints."""
    computer = kind(ram=RAM, bios="none")
    program = computer.load(guest(far(1, 1)))
    computer.add_breakpoint(program.symbols["far"])
    for _ in range(3):
        computer.load(guest(far(1, 1)))
        assert computer.breakpoints == {program.symbols["far"]}
        stop = computer.run(1_000)
        assert (stop.reason, computer.pc) == ("breakpoint", program.symbols["far"])


@pytest.mark.parametrize("kind", KINDS)
def test_watchpoints_outlive_a_load(kind: type) -> None:
    computer = kind(ram=RAM, bios="none")
    source = "la t0, word\n sw t0, 0(t0)\n pass\n .data\nword: .word 0\n"
    program = computer.load(guest(source))
    computer.set_watchpoints([(program.symbols["word"], 4, 2)])
    for _ in range(2):
        computer.load(guest(source))
        assert computer.run(1_000).reason == "watchpoint"


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_that_ended_can_be_loaded_again(kind: type) -> None:
    computer = kind(ram=RAM, bios="none")
    run(computer, far(0, 1))
    ended = computer.stopped
    assert computer.run(100) == ended
    run(computer, far(0, 3))
    assert int(computer.x[9]) == 6
