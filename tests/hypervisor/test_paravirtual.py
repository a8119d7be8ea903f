"""The hypervisor's own calls (docs/paravirtual.md), and guests that use or ignore them."""

from __future__ import annotations

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import BASE, RAM, ROOT, RW, A, D, R, guest, identity
from toyvm.firmware import sbi
from toyvm.hypervisor import Vm
from toyvm.hypervisor.paravirtual import EXT_PV, FEATURE_FLAG, UPDATE_MAX
from toyvm.machine import Machine
from toyvm.storage import MemoryDisk

NOT_SUPPORTED, INVALID = -2 & 0xFFFF_FFFF, -3 & 0xFFFF_FFFF
DATA, PAIRS, FLAG = BASE + 0x8000, BASE + 0xC000, BASE + 0xA000
VA = 0x4000_0000
CALLS = f"""
    .equ PV, {EXT_PV:#x}
    .macro pv function
    li   a7, PV
    li   a6, \\function
    ecall
    .endm
"""


def probe(computer: Machine | Vm) -> int | None:
    return computer.sbi.call([EXT_PV, 0, 0, 0, 0, 0, 3, sbi.EXT_BASE])[1]


def run(source: str, technique: str, shadow_mode: str = "lazy", steps: int = 10_000) -> Vm:
    vm = Vm(ram=RAM, bios="sbi", technique=technique, shadow_mode=shadow_mode)
    tables = identity().map(VA, DATA, RW | A | D).map(0x10_0000, 0x10_0000, RW | A | D)
    vm.load(guest(CALLS + source, tables))
    stop = vm.run(steps)
    assert (stop.reason, stop.code) == ("exit", 0), (stop, vm.last_exits())
    assert vm.errors == 0, vm.report
    return vm


def test_only_a_paravirtual_vm_has_the_extension() -> None:
    assert probe(Machine(ram=RAM)) == 0
    for technique, there in {"u": 0, "s": 0, "pv": 1, "upv": 1}.items():
        assert probe(Vm(ram=RAM, technique=technique)) == there


@pytest.mark.parametrize("technique", ["pv", "upv"])
@pytest.mark.parametrize("shadow_mode", ["lazy", "protect"])
def test_an_update_is_seen_without_a_fence(technique: str, shadow_mode: str) -> None:
    entry = identity().map(VA, DATA, RW).entry(VA)
    vm = run(
        f"""
        li   t0, SATP_MODE | {ROOT >> 12:#x}
        csrw satp, t0
        sfence.vma
        li   s0, {DATA:#x}
        li   s1, {VA:#x}
        li   t0, 11
        sw   t0, 0(s0)
        li   t0, 22
        li   t1, 0x1000
        add  t1, t1, s0
        sw   t0, 0(t1)
        lw   s2, 0(s1)               # the old page
        li   s3, {PAIRS:#x}
        li   t0, {entry:#x}
        sw   t0, 0(s3)
        li   t0, {(DATA + 0x1000) >> 12 << 10 | R | A | 1:#x}
        sw   t0, 4(s3)
        mv   a0, s3
        li   a1, 1
        pv   2
        mv   s4, a0
        mv   s5, a1
        lw   s6, 0(s1)               # the new one
        pass
        """,
        technique,
        shadow_mode,
    )
    assert [int(vm.x[i]) for i in (18, 20, 21, 22)] == [11, 0, 1, 22]
    assert vm.ledger["sfence"] == 1


@pytest.mark.parametrize(
    ("at", "count", "first"),
    [
        (PAIRS, UPDATE_MAX + 1, ROOT),
        (BASE + RAM - 4, 1, ROOT),
        (0x1000_0000, 1, ROOT),
        (PAIRS, 2, ROOT + 2),
        (PAIRS, 2, 0x1000_0000),
        (PAIRS, 2, BASE + RAM),
    ],
)
def test_a_broken_update_writes_nothing(at: int, count: int, first: int) -> None:
    vm = Vm(ram=RAM, technique="pv")
    vm.load(guest("pass\n"))
    words = (DATA, 7, first, 7)
    vm.write_phys(PAIRS, b"".join(word.to_bytes(4, "little") for word in words))
    answer = vm.sbi.call([at, count, 0, 0, 0, 0, 2, EXT_PV])
    assert answer == (sbi.ERR_INVALID_PARAM, 0)
    assert vm.read_phys(DATA, 4) == bytes(4)
    assert vm.sbi.call([0, 0, 0, 0, 0, 0, 99, EXT_PV]) == (sbi.ERR_NOT_SUPPORTED, 0)


FLAGGED = f"""
    la   t0, handler
    csrw stvec, t0
    li   a0, {FLAG:#x}
    pv   1
    mv   s0, a0
    li   t0, 32
    csrw sie, t0
    li   a0, 20                  # at tick 20
    li   a1, 0
    li   a7, 0x54494d45
    li   a6, 0
    ecall
    li   s1, {FLAG:#x}
    li   s2, 0                   # interrupts taken
    li   s8, 0                   # times round
1:  addi s8, s8, 1
    lw   t0, 4(s1)
    beqz t0, 1b                  # held back, and we are told
    mv   s3, s2
    li   t0, 1
    sw   t0, 0(s1)
    lw   t0, 4(s1)
    beqz t0, 2f
    pv   3
2:  lw   s4, 0(s1)               # still 1 after the handler's sret
    sw   zero, 0(s1)
    csrr s5, sstatus
    pass
    .align 2
handler:
    lw   s6, 0(s1)               # a trap clears it
    csrr s7, sstatus
    addi s2, s2, 1
    csrw sie, zero
    sret
"""


def test_the_interrupt_flag_is_a_word_of_memory() -> None:
    """No exit to set or clear it, and no interrupt while it is 0."""
    vm = run(FLAGGED, "upv")
    x = {f"s{i}": int(vm.x[i + 16]) for i in range(2, 9)} | {"s0": int(vm.x[8])}
    assert x["s0"] == 0
    assert x["s8"] > 10
    assert (x["s3"], x["s2"]) == (0, 1), "held back, then taken once"
    assert (x["s6"], x["s4"]) == (0, 1)
    assert x["s7"] & 0x122 == 0x120, "SPP and SPIE are pushed, SIE is 0"
    assert x["s5"] & 2 == 0, "sstatus shows the word"
    # satp, stvec, sie twice, three reads of sstatus: none of the exits is for SIE.
    assert vm.ledger["csr"] == 5


def test_the_flag_is_refused_where_it_would_save_nothing() -> None:
    vm = run(f"li a0, {FLAG:#x}\n pv 1\n mv s0, a0\n pv 0\n mv s1, a1\n pass\n", "pv")
    assert int(vm.x[8]) == NOT_SUPPORTED
    assert int(vm.x[9]) & FEATURE_FLAG == 0
    vm = run("li a0, 2\n pv 1\n mv s0, a0\n li a0, 0x1000\n pv 1\n mv s1, a0\n pass\n", "upv")
    assert [int(vm.x[i]) for i in (8, 9)] == [INVALID, INVALID]
    vm = run(f"li a0, {FLAG:#x}\n pv 1\n li a0, -1\n pv 1\n mv s0, a0\n pass\n", "upv")
    assert int(vm.x[8]) == 0


def test_yield_gives_up_the_slice() -> None:
    source = CALLS + "1:  pv 3\n addi s0, s0, 1\n j 1b\n"
    vm = Vm(ram=RAM, bios="sbi", technique="pv")
    vm.load(guest(source))
    for turn in range(1, 5):
        assert vm.run_slice(10_000).reason == "budget"
        assert int(vm.x[8]) == turn - 1
    # Alone there is nobody to yield to.
    steps = vm.steps
    assert vm.run(500).reason == "budget"
    assert vm.steps == steps + 500


def test_teachos_does_the_same_with_fewer_exits() -> None:
    exits = {}
    consoles = set()
    for technique in ("u", "upv", "s", "pv"):
        vm = Vm(ram=manifest()["teachos"].ram, drives=[MemoryDisk(64 << 10)], technique=technique)
        vm.load(build("teachos"))
        stop = vm.run(1 << 40)
        assert (stop.reason, stop.code, vm.errors) == ("exit", 0, 0)
        exits[technique] = vm.ledger
        consoles.add(vm.console_output)
        calls = vm.paravirtual.calls if vm.paravirtual else None
        assert (calls is None) == (technique in "us")
        assert not calls or (calls[0] == 1 and calls[2] > 5)
    assert len(consoles) == 1
    totals = {technique: vm_exits.total for technique, vm_exits in exits.items()}
    assert totals["u"] > totals["upv"] > totals["s"] > totals["pv"]
    # System calls reach the guest's kernel natively, and its fences are no longer needed.
    assert exits["s"]["ecall"] == 0 < exits["u"]["ecall"]
    assert exits["pv"]["sfence"] < exits["s"]["sfence"]
    assert exits["pv"]["fill"] < exits["s"]["fill"]
    # Its returns do without us.
    assert exits["pv"]["sret"] == 0 < exits["s"]["sret"]


@pytest.mark.parametrize(
    ("name", "most"), [("syscalls", 0.05), ("switches", 1.05), ("faults", 1.5)]
)
def test_what_is_left_of_the_loads_on_the_last_rung(name: str, most: float) -> None:
    """Exits of one system call, switch or page of a kernel that uses the calls."""
    times = {"syscalls": 2_000, "switches": 1_000, "faults": 1_024}[name]
    operations = 2 * times if name == "switches" else times
    exits = {}
    for technique in ("s", "pv"):
        vm = Vm(ram=manifest()[name].ram, technique=technique)
        vm.load(build(name, {"LOAD_TIMES": times}))
        stop = vm.run(1 << 40)
        assert (stop.reason, stop.code, vm.errors) == ("exit", 0, 0)
        exits[technique] = vm.ledger.total / operations
    assert exits["pv"] < most
    assert exits["pv"] < 0.7 * exits["s"]


def test_returns_without_an_exit_can_be_taken_back() -> None:
    source = """
    la   t0, user
    csrw stvec, t0
    li   t0, SATP_MODE | %#x
    csrw satp, t0
    sfence.vma
    li   s0, 3
    li   s1, 1                   # free, not free, refused
again:
    mv   a0, s1
    pv   4
    mv   s2, a0
    la   t0, 1f
    csrw sepc, t0
    li   t0, MSTATUS_SPP
    csrs sstatus, t0
    sret
1:  xori s1, s1, 1
    addi s0, s0, -1
    bnez s0, again
    li   a0, 2
    pv   4
    mv   s3, a0
    pass
user:
    fail 1
""" % (ROOT >> 12)
    vm = run(source, "pv")
    assert vm.ledger["sret"] == 1
    assert (int(vm.x[18]), int(vm.x[19])) == (0, INVALID)
    vm = run(source, "upv")
    assert vm.ledger["sret"] == 3
    assert (int(vm.x[18]), int(vm.x[19])) == (NOT_SUPPORTED, NOT_SUPPORTED)
