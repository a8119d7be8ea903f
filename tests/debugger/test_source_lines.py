"""Stepping by source line, and what the line tables of assembly and of C say."""

from __future__ import annotations

import io

import pytest

from assembler import Source, assemble
from tests.assembler.gcc import compile_c, needs_gcc
from tests.debugger.conftest import Talk
from tests.debugger.naive_target import NaiveTarget
from toyvm.debugger.repl import new_session
from toyvm.debugger.symbols import from_assembly, from_elf
from toyvm.debugger.world import Guest, SingleWorld

START = """    .globl _start
_start:
    la sp, stack
    li a0, 5
    call work
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
1:  j 1b
    .bss
    .balign 16
    .space 512
stack:
"""
WORK = """int count;
int inner(int a)
{
  return a * 3;
}
int work(int a)
{
  int b = inner(a);
  count = b;
  for (int i = 0; i < 2; i++)
    count += i;
  return count + 1;
}
"""
PLAIN = """    .globl work
work:
    addi sp, sp, -16
    sw ra, 12(sp)
    call inner
    lw ra, 12(sp)
    addi sp, sp, 16
    ret
inner:
    slli t0, a0, 1
    add a0, a0, t0
    ret
"""


def talk_to(image, symbols) -> Talk:
    def guest() -> Guest:
        target = NaiveTarget()
        for segment in image.segments:
            content = segment.data + bytes(segment.memsz - len(segment.data))
            target.hart.load_program(content, segment.addr)
        return Guest(target, symbols)

    out = io.StringIO()
    made = new_session(SingleWorld("test", guest), out)  # type: ignore[arg-type]
    made.sections = []
    return Talk(made, out)


@pytest.fixture(params=["assembly", "elf"])
def plain(request, tmp_path, monkeypatch) -> Talk:
    """The program in assembly, with lines from our image or from its ELF file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.s").write_text(START)
    (tmp_path / "work.s").write_text(PLAIN)
    image = assemble([tmp_path / "start.s", tmp_path / "work.s"], debug=True)
    if request.param == "elf":
        return talk_to(image, from_elf(image.to_elf()))
    return talk_to(assemble([tmp_path / "start.s", tmp_path / "work.s"]), from_assembly(image))


def test_step_goes_from_line_to_line(plain):
    assert "4           li a0, 5" in plain.say("step")
    assert "5           call work" in plain.say("s")
    assert "3           addi sp, sp, -16" in plain.say("step")
    assert "5           call inner" in plain.say("step 2")
    assert "6           lw ra, 12(sp)" in plain.say("next")
    assert "6           li t0, 0x100000" in plain.say("next 3")


def test_next_runs_over_a_call_but_stops_at_breakpoints(plain):
    plain.say("next 2")
    assert "6           li t0, 0x100000" in plain.say("next")
    plain.say("start", "next 2", "break work.s:9")
    text = plain.say("next")
    assert "Breakpoint 1" in text
    assert "10          slli t0, a0, 1" in text


def test_stepi_is_still_one_instruction(plain):
    first = plain.session.target.pc
    plain.say("stepi")
    assert plain.session.target.pc == first + 4
    assert "3           la sp, stack" in plain.say("start") or plain.session.target.pc == first


def test_info_and_list(plain):
    assert "work.s:5" in plain.say("info line work.s:5")
    plain.say("advance inner")
    text = plain.say("info source")
    assert "work.s" in text
    assert "Line 10 of 13" in text
    assert "start.s" in plain.say("info sources")
    text = plain.say("list 1,3")
    assert [line.split(None, 1) for line in text.splitlines()] == [
        ["1", ".globl work"], ["2", "work:"], ["3", "addi sp, sp, -16"],
    ]  # fmt: skip
    assert "=>   10      slli t0, a0, 1" in plain.say("list")
    assert "la sp, stack" in plain.say("list start.s:3,4")
    assert "precedes" in plain.say("list 3,1")
    assert "out of range" in plain.say("list 100,120")
    assert "=>   10" in plain.say("list 8")


@pytest.fixture(params=["-gdwarf-4", "-gdwarf-5"])
def in_c(request, tmp_path, monkeypatch) -> Talk:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.s").write_text(START)
    made = compile_c(tmp_path, "work.c", WORK, "-O0", request.param)
    image = assemble([tmp_path / "start.s", made], debug=True)
    return talk_to(image, from_elf(image.to_elf()))


@needs_gcc
def test_lines_of_c(in_c):
    in_c.say("break work.c:8", "continue")
    assert "work.c" in in_c.say("info source")
    assert "9         count = b;" in in_c.say("next")
    in_c.say("start", "continue")
    text = in_c.say("step")
    assert "3       {" in text or "4         return a * 3;" in text
    assert "work.c:4" in in_c.say("info line work.c:4")
    seen = [in_c.say("next").split("\n")[-2].split()[0] for _ in range(9)]
    # Both passes of the loop, one line at a time.
    assert seen.count("11") == 2


@needs_gcc
def test_a_function_without_lines_is_stepped_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start.s").write_text(START)
    made = compile_c(tmp_path, "work.c", WORK, "-O0")
    image = assemble([tmp_path / "start.s", made], debug=True)
    talk = talk_to(image, from_elf(image.to_elf()))
    talk.say("step 2")
    assert "6           li t0, 0x100000" in talk.say("step")


def test_a_line_without_end_ends_the_command():
    image = assemble(Source("a.s", "_start: nop\n1: j 1b\n"))
    talk = talk_to(image, from_assembly(image))
    talk.say("step")
    first = talk.session.target.pc
    assert "2       1: j 1b" in talk.say("step")
    assert talk.session.target.pc == first
