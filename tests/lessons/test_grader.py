"""Points, exit codes and reports, for sources that are wrong, endless, huge or hostile."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lessons import report
from lessons.course import find
from lessons.grader import BUDGET, FAILS, GRADER, OK, UNUSABLE, grade
from tests.lessons.naive_board import NaiveBoards

FIRST = find("01_first_instruction")


def graded(tmp_path: Path, source: str | bytes, lesson=FIRST, seeds=(1, 2, 3)):
    file = tmp_path / "start.s"
    file.write_bytes(source if isinstance(source, bytes) else source.encode())
    return grade(lesson, file, seeds, NaiveBoards())


def test_points_are_the_sum_of_the_checks_that_pass(tmp_path):
    source = FIRST.solution.read_text().replace("andi    a4, a4, 255", "andi    a4, a4, 127")
    result = graded(tmp_path, source)
    status = {verdict.spec.id: verdict.status for verdict in result.verdicts}
    assert status.pop("mask") == "fail"
    assert status.pop("count") == "blocked"
    assert set(status.values()) == {"pass"}
    assert result.points == FIRST.max_points - 2 - 1
    assert result.exit_code == FAILS


def test_a_source_with_errors_gets_the_assembler_s_message(tmp_path):
    result = graded(tmp_path, ".globl start\nstart: addd a2, a0, a1\n ebreak\n")
    assert result.exit_code == UNUSABLE
    assert "start.s:2" in result.problem
    assert "addd" in result.problem
    assert "next      toyvm check 01_first_instruction" in report.text(result)
    (row,) = report.data(result)["diagnostics"]
    assert (row["severity"], row["line"], row["hint"]) == ("error", 2, "did you mean `add`?")


def test_warnings_stand_beside_what_failed(tmp_path):
    result = graded(tmp_path, ".globl start\nstart: add x0, a0, a1\n ebreak\n")
    assert result.exit_code == FAILS
    assert "warning[write-x0]: the result goes to x0" in report.text(result)
    assert [row["name"] for row in report.data(result)["diagnostics"]] == ["write-x0"]


def test_an_endless_loop_spends_the_budget(tmp_path):
    result = graded(tmp_path, ".globl start\nstart: j start\n")
    assert result.exit_code == BUDGET
    assert "no end after 2000 instructions" in report.text(result)


def test_a_missing_label_is_named(tmp_path):
    result = graded(tmp_path, ".globl main\nmain: ebreak\n")
    assert result.exit_code == FAILS
    assert "the label 'start' is missing" in report.text(result)


@pytest.mark.parametrize("source", ["", "\n\n# nothing\n", ".globl start\nstart:\n"])
def test_nothing_gets_no_points(tmp_path, source):
    result = graded(tmp_path, source)
    assert result.exit_code in (FAILS, UNUSABLE)
    assert result.points == 0


def test_a_file_that_is_not_there():
    result = grade(FIRST, Path("/nowhere/start.s"), boards=NaiveBoards())
    assert result.exit_code == UNUSABLE
    assert "/nowhere/start.s" in result.problem


def test_a_directory_is_no_source(tmp_path):
    assert grade(FIRST, tmp_path, boards=NaiveBoards()).exit_code == UNUSABLE


HOSTILE = {
    "repeats without end": ".globl start\nstart:\n.rept 100000000\nnop\n.endr\n ebreak\n",
    "nested repeats": ".rept 9999\n.rept 9999\n.rept 9999\nnop\n.endr\n.endr\n.endr\n",
    "a macro that calls itself": ".macro m\nm\nm\n.endm\nm\n",
    "a gap of 2 GB": ".globl start\nstart: ebreak\n.space 0x7fffffff\n",
    "an org far away": ".globl start\nstart: ebreak\n.org 0x7fffffff\n",
    "reads a host file": '.globl start\nstart: ebreak\n.incbin "/etc/passwd"\n',
    "includes a host file": '.include "/etc/passwd"\n',
    "includes itself": '.include "start.s"\n',
    "climbs out": '.include "../../../../etc/passwd"\n',
    "bytes of no encoding": bytes(range(256)) * 4,
    "one giant line": b"nop;" * 300_000,
    "a megabyte of newlines": b"\n" * 1_000_000,
    "a deep expression": "li a0, " + "(" * 5000 + "1" + ")" * 5000 + "\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_are_refused_in_bounded_time(tmp_path, name):
    began = time.monotonic()
    result = graded(tmp_path, HOSTILE[name], seeds=(1,))
    assert result.exit_code in (FAILS, UNUSABLE)
    assert result.points == 0
    assert "root:" not in report.text(result)
    assert time.monotonic() - began < 20


RUNNING = {
    "ends the machine": "li t0, 0x100000\n li t1, 0x5555\n sw t1, 0(t0)\n ebreak",
    "jumps into data": "li t0, 0x80060000\n jr t0",
    "waits": "wfi\n ebreak",
    "calls the firmware": "li a7, 8\n ecall\n ebreak",
    "takes over traps": "la t0, start\n csrw mtvec, t0\n ebreak",
    "returns at once": "ret",
    "overwrites everything": "li t0, 0x80000000\n1: sb zero, 0(t0)\n addi t0, t0, 1\n j 1b",
    "ebreak only": "ebreak",
    "forges a verdict": "li t0, 0x10000000\n li t1, 80\n sb t1, 0(t0)\n ebreak",
}


@pytest.mark.parametrize("name", RUNNING)
def test_hostile_programs_do_not_pass(tmp_path, name):
    result = graded(tmp_path, f".globl start\nstart: {RUNNING[name]}\n", seeds=(1,))
    assert result.exit_code in (FAILS, BUDGET)
    status = {verdict.spec.id: verdict.status for verdict in result.verdicts}
    assert "pass" not in (status["sum"], status["scale"], status["mask"], status["count"])


def test_control_characters_of_a_submission_do_not_reach_the_terminal(tmp_path):
    result = graded(tmp_path, ".globl start\nstart: \x1b[2Jevil\x07\n")
    text = report.text(result) + report.json_text(result)
    assert "\x1b" not in text
    assert "\x07" not in text


def test_json_has_the_same_facts(tmp_path):
    source = FIRST.solution.read_text().replace("slli    a3, a0, 2", "slli    a3, a0, 3")
    result = graded(tmp_path, source, seeds=(7,))
    data = json.loads(report.json_text(result))
    assert (data["exit_code"], data["passed"], data["seeds"]) == (FAILS, False, [7])
    assert (data["points"], data["max_points"]) == (result.points, FIRST.max_points)
    rows = {row["id"]: row for row in data["checks"]}
    assert rows["scale"]["status"] == "fail"
    assert rows["scale"]["where"] == "a3 was last written at start.s:8"
    assert rows["scale"]["page"] == "result"
    assert rows["sum"]["status"] == "pass"
    assert data["next"] == "toyvm hint 01_first_instruction"


def test_the_seed_is_printed_and_repeats_the_run(tmp_path):
    source = ".globl start\nstart: mv a2, a0\n ebreak\n"
    first, second = (report.text(graded(tmp_path, source, seeds=(9,))) for _ in range(2))
    assert first == second
    assert "seeds 9" in first
    assert "(seed 9, a0 = 0x" in first
    assert report.text(graded(tmp_path, source, seeds=(10,))) != first


def test_a_solution_names_the_next_lesson(tmp_path):
    result = graded(tmp_path, FIRST.solution.read_text())
    assert result.exit_code == OK
    text = report.text(result, find("02_memory_loops"))
    assert "12 of 12 points: the lesson is done" in text
    assert "next      toyvm check 02_memory_loops" in text


def test_a_hidden_check_gives_no_details(tmp_path):
    checks = tuple(replace(check, visible=False) for check in FIRST.checks)
    result = graded(tmp_path, ".globl start\nstart: ebreak\n", replace(FIRST, checks=checks))
    text = report.text(result) + report.json_text(result)
    assert "a hidden check: no details" in text
    assert "a0 + a1" not in text.replace("a2 = a0 + a1", "")
    assert "0x" not in text


def test_an_error_of_the_grader_is_not_the_student_s(tmp_path):
    class Broken(NaiveBoards):
        def machine(self):
            raise RuntimeError("no machine today")

    file = tmp_path / "start.s"
    file.write_text(FIRST.solution.read_text())
    result = grade(FIRST, file, boards=Broken())
    assert result.exit_code == GRADER
    text = report.text(result)
    assert "internal error of the grader" in text
    assert "no machine today" in text
    assert json.loads(report.json_text(result))["exit_code"] == GRADER
