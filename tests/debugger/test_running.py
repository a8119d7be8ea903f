"""step, next, continue, until, advance, finish, run, and why things stop."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from toyvm.debugger.running import go


def test_stepi_makes_exact_steps(talk):
    talk.say("stepi")
    assert talk.session.target.steps == 1
    talk.say("si 3")
    assert talk.session.target.steps == 4
    talk.say("")
    assert talk.session.target.steps == 7  # an empty line repeats the last command


def test_nexti_passes_a_call(talk):
    talk.say("advance _start+16")
    text = talk.say("ni", "ni")
    assert "Hi!" in text
    assert talk.session.target.pc == talk.address("_start") + 24


def test_nexti_over_recursion_stops_in_the_same_activation(start):
    talk = start(
        """
        .globl _start
        _start: la sp, top
                li a0, 3
                call down
                nop
        down:   addi sp, sp, -16
                sw ra, 12(sp)
                addi a0, a0, -1
                blez a0, out
        inner:  call down
        after:  nop
        out:    lw ra, 12(sp)
                addi sp, sp, 16
                ret
                .bss
                .space 256
        top:
        """
    )
    talk.say("break inner", "continue")
    sp = talk.session.target.reg(2)
    talk.say("delete", "nexti", "nexti")
    assert talk.session.target.pc == talk.address("after")
    assert talk.session.target.reg(2) == sp


def test_continue_shows_output_and_the_exit(talk):
    text = talk.say("continue")
    assert "Hi!\n" in text
    assert "[naive exited with code 0: finisher;" in text


def test_after_the_exit_nothing_runs_until_run(talk):
    talk.say("continue")
    assert "has ended" in talk.say("stepi")
    assert "has ended" in talk.say("continue")
    text = talk.say("run")
    assert "Hi!" in text
    assert "exited with code 0" in text


def test_start_goes_back_to_reset_and_keeps_breakpoints(talk):
    talk.say("break triple", "continue", "start")
    assert talk.session.target.steps == 0
    assert "Breakpoint 1" in talk.say("continue")


def test_breakpoint_stops_before_and_continue_moves_on(talk):
    text = talk.say("break loop", "continue")
    assert "Breakpoint 1, 0x" in text
    assert talk.session.target.pc == talk.address("loop")
    before = talk.session.target.reg(10)
    talk.say("continue")
    assert talk.session.target.pc == talk.address("loop")
    assert talk.session.target.reg(10) == before - 1


def test_continue_n_passes_the_breakpoint(talk):
    talk.say("break loop", "continue")
    talk.say("continue 3")
    assert talk.session.target.reg(10) == 15 - 3


def test_condition_and_ignore(talk):
    talk.say("break loop if $a0 == 9", "continue")
    assert talk.session.target.reg(10) == 9
    talk.say("delete", "start", "break loop", "ignore 2 4", "continue")
    assert talk.session.target.reg(10) == 15 - 4


def test_a_condition_that_cannot_be_computed_stops_and_says_so(talk):
    text = talk.say("break loop if *$zero == 1", "continue")
    assert "Error in the condition of breakpoint 1: Cannot access memory" in text
    assert talk.session.target.pc == talk.address("loop")


def test_a_condition_without_sense_is_refused_at_once(talk):
    assert "Expression expected" in talk.say("break triple if $a0 ==")
    assert 'No symbol "nosuch"' in talk.say("break triple if nosuch == 1")
    assert "Division by zero" not in talk.say("break triple if 10 / $zero == 1"), "perhaps later"
    assert talk.say("info breakpoints").count("breakpoint ") == 1


def test_tbreak_stops_once(talk):
    assert "Temporary breakpoint 1, " in talk.say("tbreak loop", "continue")
    assert "exited with code 0" in talk.say("continue")


def test_disable_and_enable(talk):
    talk.say("break triple", "break loop", "disable 1", "continue")
    assert talk.session.target.pc == talk.address("loop")
    talk.say("enable 1", "start", "continue")
    assert talk.session.target.pc == talk.address("triple")


def test_finish_returns_to_the_caller(talk):
    talk.say("break putc", "continue", "delete")
    text = talk.say("finish")
    assert "Run till exit to" in text
    assert talk.session.target.pc == talk.address("next") + 16
    talk.say("finish")
    assert talk.session.target.pc == talk.address("_start") + 24


def test_until_leaves_a_loop(talk):
    talk.say("advance loop", "stepi")
    talk.say("until")
    assert talk.session.target.reg(10) == 0
    assert talk.session.target.pc == talk.address("loop") + 8


def test_advance_needs_a_location(talk):
    assert "Argument required" in talk.say("advance")


def test_break_by_file_and_line(talk):
    text = talk.say("break test.s:10", "continue")
    assert "file test.s, line 10" in text
    assert talk.session.target.pc == talk.address("loop")


def test_idle_is_reported(start):
    talk = start(".globl _start\n_start: wfi\n j _start\n")
    text = talk.say("continue")
    assert "Idle at" in text
    assert "nothing is enabled that could wake it" in text


def test_ctrl_c_stops_a_guest_that_never_ends(start):
    talk = start(".globl _start\n_start: j _start\n")
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    text = talk.say("continue")
    assert "Interrupted at 0x80000000 <_start>" in text
    assert "_start" in talk.say("info line")


def test_ctrl_c_stops_a_trap_loop_that_retires_nothing(start):
    # mtvec 0 is no RAM: fetching the handler traps for ever.
    talk = start(".globl _start\n_start: .word 0\n")
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert "Interrupted at" in talk.say("continue")


def test_stepping_stops_at_a_breakpoint_on_the_way(talk):
    talk.say("break triple")
    text = talk.say("stepi 1000")
    assert "Breakpoint 1" in text
    assert talk.session.target.pc == talk.address("triple")


def test_a_breakpoint_on_a_jump_to_itself_is_hit_again(start):
    talk = start(".globl _start\n_start: j _start\n")
    talk.say("break _start", "continue")
    assert talk.session.target.steps == 1
    talk.say("continue")
    assert talk.session.target.steps == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("stpe", 'Undefined command: "stpe".  Try "help"; did you mean "step"?'),
        ("break nosuch", 'No symbol "nosuch"'),
        ("break *0x80000002", "instructions lie at multiples of 4"),
        ("break loop if", "Condition expected"),
        ("break other.s:3", "No source file named other.s"),
        ("break test.s:9999", "No code at or after line 9999"),
        ("delete 9", "No breakpoint number 9."),
        ("stepi x", 'Expected a number of steps, found "x"'),
        ("continue 2", "Not stopped at any breakpoint"),
        ("stepi/x", "stepi takes no /x"),
        ("con", 'Ambiguous command "con": '),
        ("???", "Undefined command"),
    ],
)
def test_errors_are_one_line_and_the_session_goes_on(talk, line, message):
    text = talk.say(line)
    assert message in text
    assert text.count("\n") == 1
    assert talk.going


def test_unique_prefixes_are_enough(talk):
    talk.say("stepi 2")
    assert "0x80000008" in talk.say("inf reg pc")
    assert "=>" in talk.say("disas")


def test_go_arms_only_what_is_wanted(talk):
    target = talk.session.target
    talk.say("break loop", "continue")
    assert target.stops == {talk.address("loop")}
    talk.say("delete")
    go(talk.session, steps=1)
    assert target.stops == set()
