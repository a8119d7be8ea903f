"""The author's check: proves that a lesson judges what it says.

It grades the start file, the solution and every wrong solution three times, and looks at the
folder.  A lesson is right when the start file fails, the solution passes with all points, every
wrong solution fails first in the check that it names, every check is named by one of them, and
scores never vary.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .course import Lesson
from .grader import BUDGET, FAILS, OK, Result, grade
from .runner import Boards

LEAST_WRONG = 5
RUNS = 3
_EXPECT = re.compile(r"# expect: ([a-z0-9_]+)\s*\Z")
_FILES = {"lesson.toml", "README.md", "start.s", "check.py", "solution.s", "wrong"}

Progress = Callable[[str], None]


def verify(
    lesson: Lesson, boards: Boards | None = None, runs: int = RUNS, progress: Progress | None = None
) -> list[str]:
    """Everything that is wrong with the lesson, one sentence each; empty if it is right."""
    tell = progress or (lambda text: None)
    problems = folder_problems(lesson)
    if any(not path.is_file() for path in (lesson.start, lesson.solution, lesson.check_file)):
        return problems
    named = set()
    for path in [lesson.start, lesson.solution, *lesson.wrong]:
        tell(f"{lesson.id}: {path.relative_to(lesson.folder)}")
        results = [grade(lesson, path, boards=boards) for _ in range(runs)]
        problems += [f"{_name(lesson, path)}: {text}" for text in _compare(results)]
        if path == lesson.start:
            judge = _start(results[0])
        elif path == lesson.solution:
            judge = _solution(results[0])
        else:
            named.add(expected_check(path))
            judge = _wrong(lesson, path, results[0])
        problems += [f"{_name(lesson, path)}: {text}" for text in judge]
    for check in lesson.checks:
        if check.id not in named:
            problems.append(f"no wrong solution is caught by the check '{check.id}'")
    return problems


def expected_check(path: Path) -> str:
    """The check that a wrong solution names in its first line, "" if it names none."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    found = _EXPECT.match(first)
    return found[1] if found else ""


def folder_problems(lesson: Lesson) -> list[str]:
    """What is wrong with the files and texts of a lesson, without running anything."""
    problems = []
    folder = lesson.folder
    for path in (lesson.start, lesson.solution, lesson.readme, lesson.check_file):
        if not path.is_file():
            problems.append(f"{path.name} is missing")
    for path in sorted(folder.iterdir()):
        if path.name not in _FILES and path.name != "__pycache__":
            problems.append(
                f"{path.name} is a stray file: expected only {', '.join(sorted(_FILES))}"
            )
    if (folder / "wrong").is_dir():
        for path in sorted((folder / "wrong").iterdir()):
            if path.suffix != ".s":
                problems.append(f"wrong/{path.name} is a stray file: expected only *.s")
    if not lesson.hints or any(not hint.strip() for hint in lesson.hints):
        problems.append("hints must be at least one, none of them empty")
    if not lesson.title.strip() or not lesson.goal.strip():
        problems.append("title and goal must not be empty")
    if any(check.points < 1 for check in lesson.checks):
        problems.append("every check must be worth at least one point")
    if lesson.readme.is_file():
        problems += _readme(lesson)
    if lesson.start.is_file() and "TODO" not in lesson.start.read_text(encoding="utf-8"):
        problems.append("start.s has no TODO: nothing says what to do")
    if lesson.solution.is_file() and "TODO" in lesson.solution.read_text(encoding="utf-8"):
        problems.append("solution.s still has a TODO")
    if len(lesson.wrong) < LEAST_WRONG:
        count = len(lesson.wrong)
        problems.append(f"{count} wrong solutions: expected at least {LEAST_WRONG}")
    return problems


def _readme(lesson: Lesson) -> list[str]:
    text = lesson.readme.read_text(encoding="utf-8")
    numbers = {int(n) for n in re.findall(r"^(\d+)\. ", text, re.MULTILINE)}
    problems = []
    for check in lesson.checks:
        if check.task not in numbers:
            problems.append(f"check '{check.id}' belongs to task {check.task}, not in README.md")
    if lesson.id not in text:
        problems.append(f"README.md does not show 'toyvm check {lesson.id}'")
    return problems


def _name(lesson: Lesson, path: Path) -> str:
    return path.relative_to(lesson.folder).as_posix()


def _compare(results: list[Result]) -> list[str]:
    scores = [(result.exit_code, result.points) for result in results]
    if len(set(scores)) > 1:
        return [f"the score varies between runs: {', '.join(str(points) for _, points in scores)}"]
    return []


def _start(result: Result) -> list[str]:
    if result.exit_code == OK:
        return ["passes as shipped"]
    if result.exit_code != FAILS:
        return [f"ends with exit code {result.exit_code}, expected {FAILS}: {result.problem}"]
    return []


def _solution(result: Result) -> list[str]:
    if result.exit_code == OK:
        return []
    failure = result.first_failure
    why = f"check '{failure.spec.id}': {failure.fail}" if failure else result.problem
    return [f"does not pass: {why}"]


def _wrong(lesson: Lesson, path: Path, result: Result) -> list[str]:
    want = expected_check(path)
    if want not in {check.id for check in lesson.checks}:
        return [f"the first line must be '# expect: <check id>', found check '{want}'"]
    if result.exit_code not in (FAILS, BUDGET):
        why = result.problem or "every check passes"
        return [f"is not caught by '{want}': {why}"]
    failure = result.first_failure
    caught = failure.spec.id if failure else "nothing"
    if caught != want:
        words = f" ({failure.fail})" if failure else ""
        return [f"is caught by '{caught}'{words}, expected '{want}'"]
    return []
