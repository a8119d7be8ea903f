"""Modes and address spaces have their translations to themselves, and keep them."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import BASE, ROOT, RWX, A, D, R, U, V, guest, identity
from tests.hypervisor.test_memory import DATA, LOAD_FAULT, REPORT, S_MODE, STORE_FAULT, VA, faults
from tests.hypervisor.test_withdrawal import PAGES, run
from tests.hypervisor.twin import Twin
from toyvm.hypervisor import shadow

pytestmark = pytest.mark.usefixtures("variant")


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("access", ["lw a1, 0(a0)", "sw a1, 0(a0)", "jr a0"])
def test_what_a_handler_has_touched_is_not_open_to_its_user(access: str, delegated: bool) -> None:
    """The handler reads, writes and runs the page that its user may not; then the user tries."""
    tables = identity(PAGES).map(DATA, DATA, RWX | A | D)
    for page in range(2):
        tables.map(0x1000_0000 + 0x1000 * page, BASE + 0x1000 * page, RWX | U | A | D)
    level, back = ("s", "sret") if delegated else ("m", "mret")
    source = f"""
        handler {"report" if delegated else "trapped"}
        shandler trapped
        open_pmp
        li   t0, {0xB000 if delegated else 0:#x}
        csrw medeleg, t0
        paging
        li   s4, 3
        la   t0, user
        li   t1, {BASE - 0x1000_0000:#x}
        sub  t0, t0, t1
        csrw mepc, t0
        li   t1, MSTATUS_MPP
        csrc mstatus, t1
        mret
    user:
        li   a0, {DATA:#x}
        {access}
        nop
        .align 2
    trapped:
        csrr s0, {level}cause
        csrr s1, {level}tval
        addi s5, s5, 1
        addi s4, s4, -1
        beqz s4, 1f
        li   t2, 0x00008067          # ret
        sw   t2, 0(a0)
        lw   t3, 0(a0)
        fence.i
        jalr a0
        {back}
    1:  {"ecall" if delegated else "pass"}
        .align 2
    report:
        pass
    """
    cause = {"l": LOAD_FAULT, "s": STORE_FAULT, "j": 12}[access[0]]
    for twin in run(guest(source, tables)):
        assert faults(twin) == (cause, DATA)
        assert int(twin.vm.x[21]) == 3


def test_as_many_address_spaces_as_there_are_roots_stay() -> None:
    """A second and a third round through thirty of them fills nothing again."""
    spaces = shadow.ROOTS - 2
    source = f"""
        li   s2, {{rounds}}
    rounds:
        li   s1, {spaces}
        li   s3, 1 << 22
        li   t0, SATP_MODE | {ROOT >> 12:#x}
        li   s4, {VA:#x}
    again:
        csrw satp, t0
        lw   t2, 0(s4)
        add  t0, t0, s3
        addi s1, s1, -1
        bnez s1, again
        addi s2, s2, -1
        bnez s2, rounds
        ecall
    """
    tables = identity(PAGES).map(VA, DATA, R | A)
    fills = []
    for rounds in (1, 3):
        program = guest(S_MODE + source.format(rounds=rounds) + REPORT, tables)
        twin = Twin(program, judged=False)
        assert twin.to_the_end((100_000,)).reason == "exit"
        fills.append(twin.vm.ledger["fill"])
    assert fills[0] == fills[1] >= 2 * spaces


@pytest.mark.parametrize("level", ["root", "second"])
def test_a_table_in_the_first_page_of_ram(level: str) -> None:
    """The entry that counts is the very first word of RAM."""
    tables = identity(PAGES)
    leaf = DATA >> 12 << 10 | R | V
    if level == "second":
        # The first entry of the root names a table at the start of RAM.
        tables.raw(ROOT, BASE >> 12 << 10 | V)
        stores = [(BASE, leaf)]
    else:
        below = tables.second[BASE >> 22]
        tables.raw(below + 0xFFC, leaf)
        pointer = below >> 12 << 10 | V
        stores = [(BASE + 4 * (BASE >> 22), pointer), (BASE, pointer)]
    va = 0 if level == "second" else 0x3F_F000
    source = "j 1f\n1: handler report\n open_pmp\n"
    for at, word in stores:
        source += f"li t0, {word:#x}\n li t1, {at:#x}\n sw t0, 0(t1)\n"
    source += f"""
        li   t0, SATP_MODE | {(ROOT if level == "second" else BASE) >> 12:#x}
        csrw satp, t0
        li   a0, {va:#x}
        enter MSTATUS_MPP_S, kernel
    kernel:
        lw   a1, 0(a0)
        lw   a2, 4(a0)
        sw   a2, 0(a0)
    """
    program = guest(source + REPORT, tables)
    program.segments.append((DATA, b"abcdefgh", 8))
    for twin in run(program):
        assert faults(twin) == (STORE_FAULT, va)
        assert int(twin.vm.x[12]) == int.from_bytes(b"efgh", "little")
