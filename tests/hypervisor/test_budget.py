"""`run(n)` makes exactly n steps, whatever the guest does, and stopping changes nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import RAM, A, D, R, W, guest, identity
from tests.hypervisor.twin import Twin, whole
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

#: Guests that never end, by what makes a stop hard.
ENDLESS = {
    # Every step is a trap: the handler itself is illegal.
    "trap loop": """
        handler bad
    bad:
        .word 0
    """,
    # A handler that faults in fetch: nothing can be decoded there.
    "trap loop nowhere": """
        lui  t0, 0x30000
        csrw mtvec, t0
        ecall
    """,
    "ecall storm": """
        handler back
    again:
        ecall
        j    again
        .align 2
    back:
        csrr s10, mepc
        addi s10, s10, 4
        csrw mepc, s10
        mret
    """,
    # A software interrupt that nobody takes away: each mret is interrupted again.
    "interrupt storm": """
        handler storm
        li   t0, CLINT_BASE
        li   t1, 1
        sw   t1, 0(t0)
        li   t1, MIE_MSIE
        csrw mie, t1
        csrsi mstatus, MSTATUS_MIE
    again:
        addi s0, s0, 1
        j    again
        .align 2
    storm:
        addi s1, s1, 1
        mret
    """,
    "timer": """
        handler tick
        li   s2, CLINT_BASE + 0x4000
        sw   zero, 4(s2)
        sw   zero, 0(s2)
        li   t1, MIE_MTIE
        csrw mie, t1
        csrsi mstatus, MSTATUS_MIE
    again:
        addi s0, s0, 1
        addi s0, s0, 2
        j    again
        .align 2
    tick:
        csrr t0, time
        addi t0, t0, 3
        sw   t0, 0(s2)
        mret
    """,
    "device polling": """
        li   t0, UART0_BASE
    again:
        lbu  t1, 5(t0)
        addi s0, s0, 1
        j    again
    """,
    "illegal CSR storm": """
        handler back
    again:
        .word 0x5c001073
        j    again
        .align 2
    back:
        csrr s10, mepc
        addi s10, s10, 4
        csrw mepc, s10
        mret
    """,
    "dense loop": """
    again:
        addi s0, s0, 1
        bne  s0, zero, again
        j    again
    """,
    # Straight code over the ends of three pages, and back by a jump from one page to another.
    "page ends": """
    again:
        .rept 2300
        addi s0, s0, 1
        .endr
        la   t0, again
        jr   t0
    """,
    "branch to itself": """
        beq  zero, zero, .
    """,
    # Stores into its own page, just ahead.
    "changing code": """
        la   t0, ahead
        lw   t1, 0(t0)
    again:
        sw   t1, 0(t0)
    ahead:
        addi s0, s0, 1
        addi s1, s1, 1
        j    again
    """,
}

#: In S-mode behind page tables: fills, page faults, fences.
PAGED = """
    open_pmp
    li   t0, -1
    csrw medeleg, t0
    shandler fault
    paging
    enter MSTATUS_MPP_S, kernel
kernel:
    li   s0, 0x80020000
    li   s1, 0x40000000
again:
    lw   t0, 0(s0)
    sw   t0, 4(s0)
    sfence.vma s0
    lw   t0, 0(s1)
    sfence.vma
    csrr t0, sstatus
    j    again
    .align 2
fault:
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    sret
"""


def program(name: str) -> Any:
    if name == "paged":
        return guest(PAGED, identity(32).map(0x8002_0000, 0x8002_0000, R | W | A | D))
    return guest(ENDLESS[name])


NAMES = [*ENDLESS, "paged"]


def random_sizes(name: str, total: int) -> list[int]:
    rng = random.Random(f"budget {name}")
    sizes: list[int] = []
    while sum(sizes) < total:
        sizes.append(rng.choice((1, 1, 2, 3, rng.randrange(4, 60), rng.randrange(60, 1200))))
    return sizes


@pytest.mark.parametrize("name", NAMES)
def test_runs_of_random_length_are_exact_and_agree_with_the_model(name: str) -> None:
    twin = Twin(program(name))
    total = 0
    for size in random_sizes(name, 6_000):
        assert twin.run(size).reason == "budget"
        total += size
        assert twin.bare.steps == twin.vm.steps == total
    twin.check_whole()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [Machine, Vm])
def test_many_runs_end_where_one_long_run_ends(name: str, kind: Any) -> None:
    one, many = kind(ram=RAM, bios="none"), kind(ram=RAM, bios="none")
    for computer in (one, many):
        computer.load(program(name))
    sizes = random_sizes(f"{name} again", 9_000)
    for size in sizes:
        many.run(size)
    assert one.run(sum(sizes)).reason == "budget"
    assert one.steps == many.steps == sum(sizes)
    assert whole(one) == whole(many)
    if isinstance(one, Vm):
        assert dict(one.ledger) == dict(many.ledger)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_every_stop_around_a_page_end(kind: Any) -> None:
    """Stops at each of the steps around a page's last word, from several starts."""
    for start in (1_000, 1_015, 1_023):
        for size in range(1, 40):
            computer = kind(ram=RAM, bios="none")
            computer.load(program("page ends"))
            computer.run(start)
            assert computer.run(size).reason == "budget"
            assert computer.steps == start + size
            assert computer.pc == 0x8000_0000 + 4 * (start + size)
            assert int(computer.x[8]) == start + size


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("name", ["teachos", "probe-interrupts", "probe-sv32"])
def test_shipped_guests_in_odd_runs(name: str, kind: Any) -> None:
    entry = manifest()[name]
    computer = kind(ram=entry.ram, bios=entry.bios)
    computer.load(build(name))
    total = 0
    for size in random_sizes(name, 30_000):
        stop = computer.run(size)
        if stop.reason != "budget":
            break
        if not computer.waiting:
            total += size
            assert computer.steps == total
        else:
            total = computer.steps
    one = kind(ram=entry.ram, bios=entry.bios)
    one.load(build(name))
    one.run(computer.steps)
    if computer.waiting:
        assert one.steps == computer.steps
    else:
        assert whole(one) == whole(computer)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_run_of_no_steps_changes_nothing(kind: Any) -> None:
    computer = kind(ram=RAM, bios="none")
    computer.load(program("timer"))
    computer.run(777)
    before = whole(computer)
    for size in (0, -1, -1000):
        assert computer.run(size).reason == "budget"
        assert whole(computer) == before


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_long_loop_with_interrupts_off_honours_its_budget(kind: Any) -> None:
    computer = kind(ram=RAM, bios="none")
    computer.load(program("dense loop"))
    assert computer.run(12_345_678).reason == "budget"
    assert computer.steps == 12_345_678


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_breakpoint_does_not_disturb_the_count(kind: Any) -> None:
    """Breakpoints and budget ends use the same stop words."""
    plain, stopped = kind(ram=RAM, bios="none"), kind(ram=RAM, bios="none")
    image = program("page ends")
    for computer in (plain, stopped):
        computer.load(image)
    address = 0x8000_0000 + 4 * 1500
    stopped.add_breakpoint(address)
    hits = 0
    while stopped.steps < 10_000:
        stop = stopped.resume(min(37, 10_000 - stopped.steps))
        hits += stop.reason == "breakpoint"
        assert (stop.reason == "breakpoint") <= (stopped.pc == address)
    plain.run(10_000)
    assert hits == 4  # after 1500 steps and each 2303 more
    assert whole(plain) == whole(stopped)
