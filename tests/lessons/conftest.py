"""Sources written in a test, assembled and run on the independent hart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lessons.course import Lesson, find
from lessons.runner import Bench, Case, Inputs, Run, assemble_file
from tests.lessons.naive_board import NaiveBoards


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Run]:
    """Runs a source from its label ``f`` and gives the Run; a0 = 5 is the only input."""

    def run(source: str, ends: str = "return", insns: int = 500) -> Run:
        file = tmp_path / "test.s"
        file.write_text(f".globl f\n{source}\n")
        lesson = find("01_first_instruction")
        lesson = Lesson(**{**lesson.__dict__, "insns": insns})
        bench = Bench(lesson, assemble_file(file, lesson), (1,), NaiveBoards())

        def case(inputs: Inputs) -> Case:
            return Case(note="a0 = 5", entry="f", ends=ends, registers={"a0": 5})

        return bench.attempts(case)[0]

    return run
