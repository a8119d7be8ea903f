"""The exit ledger counts what happened, and the trace says it in words."""

from __future__ import annotations

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import BASE, RAM, A, D, R, Tables, V, W, guest, identity
from tests.hypervisor.twin import agree, whole
from toyvm.hypervisor import Ledger, Vm
from toyvm.hypervisor.ledger import CAUSES

#: A handler of four exits (itself counted as the trap): csrr, csrw, mret.
SKIP = """
    .align 2
skip:
    csrr s10, mepc
    addi s10, s10, 4
    csrw mepc, s10
    mret
"""

MACHINE = (
    """
    handler skip                 # csr 1
    csrr t1, mscratch            # csr 2
    csrrwi zero, mscratch, 3     # csr 3
    ecall                        # ecall 1
    ebreak                       # ebreak 1
    .word 0                      # illegal 1
    csrr t1, 0x5c0               # illegal 2
    li   t0, UART0_BASE
    lbu  t1, 5(t0)               # mmio 1
    lbu  t1, 5(t0)               # mmio 2
    li   t1, 'x'
    sb   t1, 0(t0)               # mmio 3
    sfence.vma                   # sfence 1
    li   t0, CLINT_BASE
    li   t1, 1
    sw   t1, 0(t0)               # mmio 4: msip, masked
    li   t1, MIE_MSIE
    csrw mie, t1                 # csr 4
    wfi                          # wfi 1: pending, so it does not wait
    la   t1, interrupted
    csrw mtvec, t1               # csr 5
    csrsi mstatus, MSTATUS_MIE   # csr 6; interrupt 1
    nop
after:
    handler skip                 # csr 7
    lui  t1, 0x70000
    lw   t2, 0(t1)               # access_fault 1: a hole
    la   t1, odd + 2
    jr   t1                      # misaligned 1
odd:
    li   t0, 0x80000101
    lr.w t1, (t0)                # misaligned 2
    la   t0, data
    li   t1, MSTATUS_MPRV
    li   t2, MSTATUS_MPP_M
    csrs mstatus, t2             # csr 8
    csrs mstatus, t1             # csr 9
    lw   t3, 0(t0)               # mprv 1
    sw   t3, 0(t0)               # mprv 2
    amoadd.w t3, t3, (t0)        # mprv 3
    csrc mstatus, t1             # csr 10
    pass                         # mmio 5
"""
    + SKIP
    + """
    .align 2
interrupted:
    li   t0, CLINT_BASE
    sw   zero, 0(t0)             # mmio 6
    la   t0, after
    csrw mepc, t0                # csr 11
    mret                         # mret 1
    .data
    .align 12
data:
    .word 0
"""
)
#: ecall, ebreak, two illegal, hole, two misaligned: each is skipped with two csr and an mret.
SKIPPED = 7
MACHINE_EXITS = {
    "csr": 11 + 2 * SKIPPED,
    "mret": 1 + SKIPPED,
    "ecall": 1,
    "ebreak": 1,
    "illegal": 2,
    "mmio": 6,
    "sfence": 1,
    "wfi": 1,
    "interrupt": 1,
    "access_fault": 1,
    "misaligned": 2,
    "mprv": 3,
    # The code page for fetches, in M-mode and in M-mode under MPRV.
    "fill": 2,
}


def test_every_exit_of_a_machine_mode_guest_is_counted() -> None:
    vm = agree(guest(MACHINE)).vm
    assert {name: count for name, count in vm.ledger.items() if count} == MACHINE_EXITS
    assert vm.ledger.total == sum(MACHINE_EXITS.values())
    assert vm.ledger.by_outcome() == {
        "emulate": 25 + 8 + 1 + 1 + 6 + 3,
        "fill": 2,
        "reflect": 1 + 1 + 2 + 1 + 1 + 2,
    }


SUPERVISOR = """
    open_pmp                     # csr 1, 2
    li   t0, -1
    csrw medeleg, t0             # csr 3
    paging                       # csr 4, sfence 1
    shandler fault               # csr 5
    enter MSTATUS_MPP_S, kernel  # csr 6, 7, 8, mret 1

kernel:                          # fills 1 to 3: M-mode, again after each PMP write; 4: fetch
    la   s0, page
    lw   t0, 0(s0)               # fill 5: load
    lw   t0, 4(s0)
    sw   t0, 0(s0)               # fill 6: store
    sw   t0, 4(s0)
    sfence.vma s0                # sfence 2
    sw   t0, 8(s0)               # fill 7: store
    lw   t0, 8(s0)
    sfence.vma                   # sfence 3
    lw   t0, 0(s0)               # fill 8: fetch, fill 9: load
    lui  t1, 0x40000
    lw   t0, 0(t1)               # page_fault 1
    csrr t0, scause              # csr 11
    pass                         # mmio 1
fault:
    csrr t0, sepc                # csr 9
    addi t0, t0, 4
    csrw sepc, t0                # csr 10
    sret                         # sret 1
    .data
    .align 12
page:
    .space 4096
"""


def test_fills_and_faults_of_a_supervisor_are_counted() -> None:
    tables = identity(16).map(0x0010_0000, 0x0010_0000, R | W | A | D)
    vm = agree(guest(SUPERVISOR, tables)).vm
    assert {name: count for name, count in vm.ledger.items() if count} == {
        "csr": 11,
        "mret": 1,
        "sret": 1,
        "sfence": 3,
        "page_fault": 1,
        "fill": 9,
        "mmio": 1,
    }


def test_a_store_after_a_load_sets_the_dirty_bit_with_one_more_fill() -> None:
    """Shadow entries are writable only when the guest's D bit is set: the first store exits."""
    data = BASE + 0x8000
    tables = identity(8).map(data, data, R | W | A).map(0x0010_0000, 0x0010_0000, R | W)
    source = """
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s0, 0x80008000
        lw   t0, 0(s0)
        lw   t0, 0(s0)
        sw   t0, 0(s0)
        sw   t0, 0(s0)
        pass
    """
    twin = agree(guest(source, tables))
    pte = twin.vm.read_phys(tables.entry(data), 4)
    assert int.from_bytes(pte or b"", "little") & 0xFF == V | R | W | A | D
    # Fetches in M-mode (three: PMP writes drop everything) and in S-mode, the load, the store.
    assert twin.vm.ledger["fill"] == 3 + 1 + 2


def test_an_sbi_guest_counts_its_calls() -> None:
    vm = agree(build("hello"), bios="sbi", ram_size=manifest()["hello"].ram).vm
    assert vm.ledger.nonzero() == {"sbi": 2, "fill": 1}


def test_the_ledger_is_a_mapping_that_names_all_causes() -> None:
    vm = Vm(ram=RAM, bios="none")
    assert list(vm.ledger) == [name for name, _, _ in CAUSES]
    assert len(vm.ledger) == len(CAUSES)
    assert dict(vm.ledger) == {name: 0 for name, _, _ in CAUSES}
    assert isinstance(vm.ledger, Ledger)
    with pytest.raises(KeyError):
        vm.ledger["vmexit"]


def test_load_starts_a_new_ledger() -> None:
    vm = Vm(ram=RAM, bios="none")
    vm.load(guest(MACHINE))
    assert vm.run(10_000).reason == "exit"
    first = dict(vm.ledger)
    vm.load(guest(MACHINE))
    assert vm.ledger.total == 0
    assert vm.last_exits() == []
    assert vm.run(10_000).reason == "exit"
    assert dict(vm.ledger) == first


# ---- tracing -------------------------------------------------------------------------------------


def traced(source: str, tables: Tables | None = None) -> tuple[Vm, list[str]]:
    vm = Vm(ram=RAM, bios="none")
    vm.load(guest(source, tables))
    sentences: list[str] = []
    vm.trace_exits(sentences.append)
    assert vm.run(20_000).reason == "exit"
    return vm, sentences


def test_a_trace_has_one_sentence_for_each_exit_and_changes_nothing() -> None:
    vm, sentences = traced(MACHINE)
    assert len(sentences) == vm.ledger.total
    plain = Vm(ram=RAM, bios="none")
    plain.load(guest(MACHINE))
    plain.run(20_000)
    assert whole(plain) == whole(vm)
    assert dict(plain.ledger) == dict(vm.ledger)
    assert vm.last_exits()[-3:] == sentences[-3:]
    assert len(vm.last_exits()) == 16


def sentence_of(sentences: list[str], vm: Vm, symbol: str, offset: int = 0) -> str:
    assert vm.program
    pc = f"pc {vm.program.symbols[symbol] + offset:#010x}"
    found = [sentence for sentence in sentences if pc in sentence]
    assert found, (pc, sentences)
    return found[0]


def test_sentences_say_where_what_and_what_was_done() -> None:
    source = (
        """
        handler skip
    here:
        csrr a0, mhartid
    zero:
        .word 0
    call:
        ecall
    device:
        li   t0, UART0_BASE
        lbu  t1, 5(t0)
    hole:
        li   t0, 0x40000000
    empty:
        lw   t0, 0(t0)
        la   t1, back
        csrw mtvec, t1
        lui  t0, 0x40000
        jr   t0
    back:
        pass
    """
        + SKIP
    )
    vm, sentences = traced(source)
    first = sentences[0]
    assert "step 0: pc 0x80000000 <_start>: guest kernel jumped to 0x80000000" in first
    assert "filled, fill" in first
    here = sentence_of(sentences, vm, "here")
    assert (
        "<here>: guest kernel executed `csrr a0, mhartid` in virtual M-mode: emulated, csr" in here
    )
    zero = sentence_of(sentences, vm, "zero")
    assert "guest kernel executed `.word 0x00000000`" in zero
    assert "reflected, illegal (an instruction that is illegal for the guest too; " in zero
    assert "`ecall` in virtual M-mode: reflected, ecall" in sentence_of(sentences, vm, "call")
    device = sentence_of(sentences, vm, "device", 4)
    assert "<device+0x4>: guest kernel executed `lbu t1, 5(t0)`" in device
    assert "emulated, mmio" in device
    hole = sentence_of(sentences, vm, "empty")
    assert "guest kernel executed `lw t0, 0(t0)`" in hole
    assert "reflected, access_fault" in hole
    jump = next(sentence for sentence in sentences if "jumped to 0x40000000" in sentence)
    assert "reflected, access_fault" in jump


def test_interrupts_and_supervisor_modes_are_named() -> None:
    source = """
        open_pmp
        shandler kernel_trap
        li   t0, 1 << 8
        csrw medeleg, t0
        li   t0, MIP_SSIP
        csrw mideleg, t0
        csrw mie, t0
        enter MSTATUS_MPP_U, user
    user:
        ecall
    kernel_trap:
        csrsi sip, 2
        la   t0, interrupted
        csrw stvec, t0
        csrsi sstatus, 2
    wait:
        j    wait
        .align 2
    interrupted:
        pass
    """
    _, sentences = traced(source)
    text = "\n".join(sentences)
    assert "guest process executed `ecall` in virtual U-mode: reflected, ecall" in text
    assert "guest kernel interrupted in virtual S-mode: reflected, interrupt" in text
    assert "`csrsi sip, 2` in virtual S-mode: emulated, csr" in text


def test_tracing_can_be_switched_off() -> None:
    vm = Vm(ram=RAM, bios="none")
    vm.load(guest(MACHINE))
    sentences: list[str] = []
    vm.trace_exits(sentences.append)
    vm.run(5)
    count = len(sentences)
    assert 0 < count <= 5
    vm.trace_exits(None)
    assert vm.run(20_000).reason == "exit"
    assert len(sentences) == count


def test_exits_of_the_shipped_guests_are_few() -> None:
    """Efficiency is part of what a virtual machine is: most instructions run without an exit."""
    guest_cpu = manifest()["cpu"]
    vm = Vm(ram=guest_cpu.ram)
    vm.load(build("cpu"))
    vm.run(3_000_000)
    assert vm.instret // vm.ledger.total > 10_000
    assert vm.ledger["mprv"] == 0
