"""Grades a submission: runs a lesson's checks over it and counts the points.

The checks are functions ``test_<id>(vm)`` in the lesson's check.py, called in the order of
lesson.toml.  check.py may also have ``facts(vm)``, which returns lines to print below the checks.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from .checks import Fail
from .course import CheckSpec, CourseError, Lesson
from .runner import SEEDS, Bench, Blocked, Boards, SubmissionError, assemble_file

if TYPE_CHECKING:
    from assembler import Diagnostic

OK, FAILS, UNUSABLE, BUDGET, GRADER = range(5)
"""Exit codes: passed; a check failed; no program to run; a budget was spent; our own error."""


@dataclass(frozen=True)
class Verdict:
    """What one check said: "pass", "fail" (with ``fail``) or "blocked" (with ``note``)."""

    spec: CheckSpec
    status: str
    fail: Fail | None = None
    note: str = ""

    @property
    def points(self) -> int:
        """Points earned: all or none."""
        return self.spec.points if self.status == "pass" else 0


@dataclass(frozen=True)
class Result:
    """A graded submission.

    ``exit_code`` is one of the module's constants.  ``problem`` says why there are no verdicts,
    ``facts`` are lines that the lesson adds, ``diagnostics`` the assembler's errors and warnings.
    """

    lesson: Lesson
    source: Path
    seeds: tuple[int, ...]
    exit_code: int
    verdicts: tuple[Verdict, ...] = ()
    problem: str = ""
    facts: tuple[str, ...] = field(default=())
    diagnostics: tuple[Diagnostic, ...] = field(default=())

    @property
    def points(self) -> int:
        """Points earned."""
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.exit_code == OK

    @property
    def first_failure(self) -> Verdict | None:
        """The first check that failed, None if none did."""
        return next((v for v in self.verdicts if v.status == "fail"), None)


def grade(
    lesson: Lesson,
    source: Path,
    seeds: Iterable[int] = SEEDS,
    boards: Boards | None = None,
) -> Result:
    """Grade one source file.  Every trouble ends in a Result, none in an exception."""
    seeds = tuple(seeds)
    try:
        program = assemble_file(source, lesson)
    except SubmissionError as error:
        return Result(
            lesson, source, seeds, UNUSABLE, problem=str(error), diagnostics=error.diagnostics
        )
    except Exception:
        return Result(lesson, source, seeds, GRADER, problem=traceback.format_exc())
    bench = Bench(lesson, program, seeds, boards, source.name)
    try:
        module = load_checks(lesson)
        verdicts = tuple(_judge(module, spec, bench) for spec in lesson.checks)
        facts = tuple(module.facts(bench)) if hasattr(module, "facts") else ()
    except Exception:
        return Result(lesson, source, seeds, GRADER, problem=traceback.format_exc())
    if all(verdict.status == "pass" for verdict in verdicts):
        code = OK
    else:
        code = BUDGET if bench.budget_spent else FAILS
    warnings = tuple(program.image.warnings)
    return Result(lesson, source, seeds, code, verdicts, facts=facts, diagnostics=warnings)


def _judge(module: ModuleType, spec: CheckSpec, bench: Bench) -> Verdict:
    try:
        getattr(module, f"test_{spec.id}")(bench)
    except Fail as fail:
        return Verdict(spec, "fail", fail)
    except Blocked as blocked:
        return Verdict(spec, "blocked", note=str(blocked))
    return Verdict(spec, "pass")


def load_checks(lesson: Lesson) -> ModuleType:
    """The lesson's check.py as a module; CourseError if a check has no function there."""
    name = f"lessons_check_{lesson.id}"
    spec = importlib.util.spec_from_file_location(name, lesson.check_file)
    if spec is None or spec.loader is None or not lesson.check_file.is_file():
        raise CourseError(f"{lesson.check_file}: not found; a lesson needs its checks there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for check in lesson.checks:
        if not callable(getattr(module, f"test_{check.id}", None)):
            raise CourseError(f"{lesson.check_file}: the function test_{check.id}(vm) is missing")
    return module
