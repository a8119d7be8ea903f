"""Page tables of one vCPU that another one writes, whatever the shadow does.

With `--shadow protect` a vCPU's own shadow protects the tables that it was made from, and a fence
does nothing.  Another vCPU has shadow tables of its own, in which these pages can be written; so
the shadow of a vCPU is dropped whenever it gets its turn.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.access_guests import REPORT, S_MODE
from tests.hypervisor.guests import BASE, ROOT, RW, A, D, V, guest, identity
from tests.hypervisor.twin import VARIANTS
from toyvm.hypervisor import Vm
from toyvm.hypervisor.vm import Vcpu
from toyvm.machine import Computer, Machine

RAM = 1 << 20
VA, PAGES = 0x4000_0000, BASE + 0x8_0000
FINISHER = 0x10_0000
TABLES = identity(192).map(VA, PAGES, RW | A | D).map(FINISHER, FINISHER, RW | A | D)
TURN_WORD, ANSWER = BASE + 0x9_0000, BASE + 0x9_0004
ROUNDS = 24
#: Hart 0 translates and reads through VA after a fence; hart 1, in M-mode or translating itself,
#: lets the entry of VA lead to one of two pages in turn.  Each page says which it is.
SOURCE = f"""
    .equ ENTRY, {TABLES.entry(VA):#x}
    .equ TURN_WORD, {TURN_WORD:#x}
    .equ ANSWER, {ANSWER:#x}
    open_pmp
    handler bad
    csrr t0, mhartid
    bnez t0, other
    li   t0, {PAGES:#x}
    li   t1, 1
    sw   zero, 0(t0)
    li   t2, 0x1000
    add  t0, t0, t2
    sw   t1, 0(t0)
    paging
    enter 0x800, reader
reader:
    li   s0, 1                   # the round
    li   s1, {VA:#x}
    li   s2, TURN_WORD
    li   s3, ANSWER
1:  lw   t0, 0(s2)
    bne  t0, s0, 1b
    sfence.vma
    lw   t1, 0(s1)               # 1 in odd rounds
    andi t2, s0, 1
    bne  t1, t2, wrong
    sw   s0, 0(s3)
    addi s0, s0, 1
    li   t0, {ROUNDS}
    bne  s0, t0, 1b
    pass
wrong:
    fail 2
bad:
    fail 3

other:
    li   t0, OTHER_MODE
    beqz t0, writer
    paging
    enter 0x800, writer
writer:
    li   s0, 1
    li   s1, ENTRY
    li   s2, TURN_WORD
    li   s3, ANSWER
1:  andi t0, s0, 1
    slli t0, t0, 12
    li   t1, {PAGES:#x}
    add  t0, t0, t1
    srli t0, t0, 2
    ori  t0, t0, {RW | A | D | 1}
    sw   t0, 0(s1)
    fence
    sw   s0, 0(s2)
2:  lw   t0, 0(s3)
    bne  t0, s0, 2b
    addi s0, s0, 1
    j    1b
"""


def run(computer: Computer, translates: bool) -> Computer:
    text = SOURCE.replace("OTHER_MODE", str(int(translates)))
    computer.load(guest(text, TABLES))
    stop = computer.run(400_000)
    assert (stop.reason, stop.code) == ("exit", 0), stop
    return computer


@pytest.mark.parametrize("translates", [False, True], ids=["machine", "translating"])
@pytest.mark.parametrize("turn", [7, 61, 5_000])
def test_a_table_written_by_another_vcpu_is_followed_after_the_fence(
    turn: int, translates: bool
) -> None:
    bare = run(Machine(RAM, bios="none", harts=2, turn=turn), translates)
    for technique, shadow_mode in VARIANTS:
        vm = Vm(
            "twin", RAM, bios="none", vcpus=2, turn=turn, technique=technique,
            shadow_mode=shadow_mode,
        )  # fmt: skip
        run(vm, translates)
        assert vm.steps == bare.steps
        assert vm.read_phys(BASE, RAM) == bare.read_phys(BASE, RAM)
        assert vm.read_phys(ROOT, 4) != bytes(4)
        assert vm.host.intruders() == []


def test_the_test_sees_a_shadow_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dropping at each turn the reader misses what the other one wrote."""
    forget = Vm._forget_translations

    def keep(vm: Vm, hart: Vcpu) -> None:
        if vm.stopped is not None or not vm.steps:
            forget(vm, hart)

    monkeypatch.setattr(Vm, "_forget_translations", keep)
    vm = Vm("kept", RAM, bios="none", vcpus=2, turn=61, shadow_mode="protect")
    with pytest.raises(AssertionError, match="code=2"):
        run(vm, False)


# ---- written from outside ------------------------------------------------------------------------


@pytest.mark.parametrize("technique", ["u", "s"])
def test_a_protected_table_in_the_middle_of_what_a_device_writes(technique: str) -> None:
    """A device or a debugger writes pages that lie side by side, the first without a table."""
    start = ROOT - 0x1000
    # What a program brings gets its frames in order.
    tables = identity(192).map(VA, PAGES, RW | A | D).raw(start, 1)
    vm = Vm("written", RAM, bios="none", technique=technique, shadow_mode="protect")
    vm.load(guest(S_MODE + f"li a0, {VA:#x}\n1: lw a2, 0(a0)\n j 1b\n" + REPORT, tables))
    for page in range(2):
        assert vm.write_phys(PAGES + 0x1000 * page, bytes([page + 1]))
    frames = vm.memory.fmap[(start - BASE) // 0x1000 :][:4].tolist()
    assert frames == list(range(frames[0], frames[0] + 4))
    vm.run(1000)
    assert int(vm.x[12]) == 1
    data = bytearray(vm.read_phys(start, tables.entry(VA) + 4 - start) or b"")
    data[-4:] = ((PAGES + 0x1000) >> 12 << 10 | RW | A | D | V).to_bytes(4, "little")
    assert vm.write_phys(start, bytes(data))
    vm.run(1000)
    # What is protected is true without a fence.
    assert int(vm.x[12]) == 2
