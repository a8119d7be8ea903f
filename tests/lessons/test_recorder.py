"""The recorder: every rule it watches, on the independent hart; each test names the rule's source.

The calling convention is that of the RISC-V ABIs Specification 1.0, sections "Integer Register
Convention" and "Integer Calling Convention".
"""

from __future__ import annotations

import pytest

from lessons.record import Access


def lines(run, pc):
    return run.program.where(pc)


def test_a_return_ends_the_run_and_instructions_are_counted(record):
    run = record("f: addi a0, a0, 1\n add a0, a0, a0\n ret")
    assert run.record.outcome == "returned"
    assert run.ended
    assert run.reg("a0") == 12
    assert run.record.retired == 3


def test_registers_without_a_value_are_random_and_memory_too(record):
    run = record("f: mv a1, t3\n mv a2, t4\n mv a3, s7\n ret")
    values = {run.reg("a1"), run.reg("a2"), run.reg("a3"), 0}
    assert len(values) == 4
    assert len(set(run.read(0x8008_0000, 64))) > 30


def test_loads_and_stores_are_recorded_with_address_width_and_value(record):
    run = record(
        """
        f:  addi sp, sp, -16
            li   t0, 0x1234
            sw   t0, 4(sp)
            lhu  t1, 4(sp)
            sb   t0, 9(sp)
            addi sp, sp, 16
            ret
        """
    )
    sp = run.record.entry_sp - 16
    stores = [(a.address, a.width, a.value) for a in run.record.stores]
    assert stores == [(sp + 4, 4, 0x1234), (sp + 9, 1, 0x34)]
    assert [(a.address, a.width, a.value) for a in run.record.loads] == [(sp + 4, 2, 0x1234)]
    assert all(access.in_frame for access in run.record.stores)
    assert run.record.lowest_sp == sp


@pytest.mark.parametrize(
    ("address", "width", "inside"),
    [(100, 4, True), (108, 4, True), (109, 4, False), (99, 4, False), (111, 1, True)],
)
def test_an_access_is_inside_only_with_all_its_bytes(address, width, inside):
    assert Access(0, address, width, 0, True, 0, 0).inside(100, 12) is inside


def test_an_atomic_counts_as_load_and_store(record):
    run = record(
        """
        f:  addi sp, sp, -16
            sw   a0, 0(sp)
            li   t0, 7
            amoadd.w t1, t0, (sp)
            lr.w t2, (sp)
            sc.w t3, t0, (sp)
            sc.w t4, t0, (sp)
            addi sp, sp, 16
            ret
        """
    )
    assert [a.value for a in run.record.stores] == [5, 12, 7]
    assert len(run.record.loads) == 2


@pytest.mark.parametrize(
    "source",
    [
        "f: add a0, a0, t0\n ret",
        "f: bnez t2, f\n ret",
        "f: lw a0, 0(s3)\n ret",
        "f: sw a0, 0(gp)\n ret",
        "f: mv a1, t5\n addi a0, a1, 1\n ret",
        "f: jr t6",
    ],
)
def test_use_of_a_register_without_a_value_ends_the_run(record, source):
    run = record(source)
    assert run.record.outcome == "breach"
    assert run.record.breach.kind == "defined"


@pytest.mark.parametrize(
    "source",
    [
        "f: addi sp, sp, -16\n sw s0, 0(sp)\n li s0, 1\n lw s0, 0(sp)\n addi sp, sp, 16\n ret",
        "f: xor t0, t0, t0\n add a0, a0, t0\n ret",
        "f: sub t1, t1, t1\n add a0, a0, t1\n ret",
        "f: mv t0, s4\n mv s4, t0\n ret",
        "f: lui t0, 5\n add a0, a0, t0\n ret",
        "f: auipc t0, 0\n add a0, a0, t0\n ret",
    ],
)
def test_saving_a_register_is_no_use_of_it(record, source):
    run = record(source)
    assert run.record.breach is None
    assert run.ended


def test_a_stack_word_that_nobody_wrote_has_no_value(record):
    run = record("f: addi sp, sp, -16\n lw t0, 8(sp)\n add a0, a0, t0\n addi sp, sp, 16\n ret")
    assert (run.record.breach.kind, run.record.breach.why) == ("defined", "memory")


FRAME = """
f:      addi    sp, sp, -16
        sw      ra, 12(sp)
        sw      s0, 8(sp)
        {before}
        call    g
        {after}
        lw      s0, 8(sp)
        lw      ra, 12(sp)
        addi    sp, sp, 16
        ret
g:      {callee}
        ret
"""


def call(record, before="", after="", callee=""):
    return record(FRAME.format(before=before, after=after, callee=callee))


def test_a_call_that_keeps_the_contract(record):
    run = call(record, before="mv s0, a0", after="add a0, a0, s0", callee="addi a0, a0, 1")
    assert run.ended
    assert run.reg("a0") == 11
    assert run.record.depth == 2
    assert run.record.calls[run.program.symbols["g"]] == 1


@pytest.mark.parametrize(
    ("parts", "kind", "name"),
    [
        ({"callee": "li s0, 1"}, "saved", 8),
        ({"callee": "li s11, 1"}, "saved", 27),
        ({"callee": "addi sp, sp, 16"}, "sp", 2),
        ({"before": "addi sp, sp, -8"}, "align", 2),
        ({"before": "li t1, 1", "after": "add a0, a0, t1"}, "temps", 6),
        ({"before": "li a3, 1", "after": "add a0, a0, a3"}, "temps", 13),
        ({"callee": "add a0, a0, ra", "after": "addi a0, ra, 0\n add a0, a0, a0"}, "temps", 10),
        ({"before": "li t2, 1", "callee": "add a0, a0, t2"}, "defined", 7),
        ({"callee": "addi ra, ra, 4"}, "returns", 1),
    ],
)
def test_a_breach_of_the_calling_convention_ends_the_run(record, parts, kind, name):
    run = call(record, **parts)
    assert run.record.outcome == "breach"
    assert (run.record.breach.kind, run.record.breach.register) == (kind, name)


def test_a_return_that_nobody_notices_is_still_compared(record):
    run = record("f: li s5, 1\n ret")
    assert (run.record.breach.kind, run.record.breach.register) == ("saved", 21)
    assert run.record.breach.want != 1


def test_ra_overwritten_by_an_inner_call(record):
    run = record("f: call g\n ret\ng: ret")
    breach = run.record.breach
    assert breach.kind == "returns"
    assert lines(run, breach.pc) == "test.s:3"
    assert breach.got == breach.pc


def test_a_return_through_another_register_is_a_return(record):
    run = record("f: mv t1, ra\n jal t0, g\n jr t1\ng: jr t0")
    assert run.record.breach.kind == "temps"
    run = record("f: addi sp, sp, -16\n sw ra, 0(sp)\n jal t0, g\n lw t1, 0(sp)\n"
                 " addi sp, sp, 16\n jr t1\ng: jr t0")  # fmt: skip
    assert run.ended


def test_a_trap_ends_the_run_with_its_cause(record):
    run = record("f: li t0, 0\n lw a0, 4(t0)\n ret")
    assert run.record.outcome == "trap"
    assert (run.record.trap.cause, run.record.trap.tval) == (5, 4)
    assert lines(run, run.record.trap.epc) == "test.s:3"
    assert run.record.retired == 1


@pytest.mark.parametrize("insn", ["csrr a0, mstatus", "csrw mtvec, a0", "rdcycle a0", "mret"])
def test_submissions_run_in_user_mode(record, insn):
    run = record(f"f: {insn}\n ret")
    assert run.record.trap.cause == 2


def test_ebreak_ends_a_run_only_where_it_is_asked_for(record):
    assert record("f: ebreak", ends="ebreak").ended
    assert not record("f: ebreak").ended
    assert not record("f: ret", ends="ebreak").ended


def test_leaving_the_program_is_not_a_trap(record):
    run = record("f: nop\n nop")
    assert run.record.outcome == "left"
    assert run.record.end_pc == run.record.last_pc + 4
    run = record("f: li t0, 0x80050000\n jr t0")
    assert (run.record.outcome, run.record.end_pc) == ("left", 0x80050000)


def test_the_budget_counts_retired_instructions(record):
    run = record("f: addi a0, a0, 1\n j f", insns=100)
    assert run.record.outcome == "budget"
    assert run.record.retired == 100
    assert run.record.visits[run.program.symbols["f"]] == 50


@pytest.mark.parametrize(
    ("insn", "lost"),
    [
        ("add x0, a0, a0", True),
        ("lui x0, 1", True),
        ("nop", False),
        ("jal x0, 1f\n1:", False),
        ("beq a0, a0, 1f\n1:", False),
    ],
)
def test_results_in_x0(record, insn, lost):
    run = record(f"f: {insn}\n ret")
    assert bool(run.record.lost) is lost


def test_code_that_changes_itself_is_recorded_as_executed(record):
    run = record(
        """
        f:  la   t0, patch
            li   t1, 0x00150513         # addi a0, a0, 1
            sw   t1, 0(t0)
            fence.i
        patch:
            addi a0, a0, 100
            ret
        """
    )
    assert run.ended
    assert run.reg("a0") == 6


def test_the_same_seed_gives_the_same_run(record):
    first, second = (record("f: mv a1, t3\n ret") for _ in range(2))
    assert first.x == second.x
    assert first.machine.read_phys(0x80060000, 64) == second.machine.read_phys(0x80060000, 64)
