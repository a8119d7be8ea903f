"""What the commands learn, check, hint, reset and lesson check do, without argument parsing.

Each function writes plain text and returns the exit code of its command: 0 ok, 1 a check failed,
2 wrong usage or a source that does not assemble, 3 a budget was spent, 4 an error of our own.
"""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Any, TextIO

from . import author, grader, report
from .course import CourseError, Lesson, find, lessons
from .runner import SEEDS, Boards
from .workfolder import WorkFolder


def learn(plain: bool = False, out: TextIO | None = None, json: bool = False) -> int:
    """List the lessons with the progress and say what is next; begin the next one."""
    out = out or sys.stdout
    try:
        course = lessons()
        folder = _folder()
        following = folder.current(course)
        source = folder.provide(following) if following else None
        folder.save()
    except (CourseError, OSError) as error:
        return _trouble(error)
    if json:
        _write(out, _progress(course, folder, following, source))
        return grader.OK
    table = _table(course, folder, following)
    if plain:
        out.write(table.plain())
    else:
        from toyvm.ui.tables import print_table

        print_table(table, out)
    out.write("\n")
    if following is None or source is None:
        out.write("All lessons are done.\n")
        return grader.OK
    out.write(f"{following.title}: {following.goal}\n\n")
    out.write(f"read      {_shown(source.parent / 'README.md')}\n")
    out.write(f"edit      {_shown(source)}\n")
    out.write(f"then      toyvm check {following.id}\n")
    out.write(f"stuck     toyvm hint {following.id}\n")
    return grader.OK


def check(
    lesson: str | None = None,
    file: Path | None = None,
    seed: int | None = None,
    json: bool = False,
    out: TextIO | None = None,
    boards: Boards | None = None,
) -> int:
    """Grade the student's source of a lesson, or ``file`` without touching the progress.

    Without ``lesson`` it is the lesson that ``file`` or the current directory belongs to, else
    the first one that is not done.  ``seed`` replaces the fixed seeds by one.
    """
    out = out or sys.stdout
    try:
        course = lessons()
        folder = _folder()
        chosen = _choose(course, folder, lesson, file)
        source = folder.provide(chosen) if file is None else file
    except (CourseError, OSError) as error:
        return _trouble(error)
    seeds = SEEDS if seed is None else (seed,)
    result = grader.grade(chosen, source, seeds, boards)
    following = None
    if file is None and result.exit_code not in (grader.UNUSABLE, grader.GRADER):
        following = _keep(course, folder, chosen, result)
    shown = grader.Result(
        chosen, _shown(source), result.seeds, result.exit_code, result.verdicts, result.problem,
        result.facts, result.diagnostics,
    )  # fmt: skip
    out.write(report.json_text(shown, following) if json else report.text(shown, following))
    return result.exit_code


def hint(lesson: str | None = None, out: TextIO | None = None, json: bool = False) -> int:
    """Print the next hint of a lesson; after the last one, all of them again."""
    out = out or sys.stdout
    try:
        course = lessons()
        folder = _folder()
        chosen = _choose(course, folder, lesson, None)
        progress = folder.of(chosen)
        count = len(chosen.hints)
        again = progress.hints >= count
        if again:
            numbers = range(count)
        else:
            numbers = range(progress.hints, progress.hints + 1)
            progress.hints += 1
            folder.save()
    except (CourseError, OSError) as error:
        return _trouble(error)
    if json:
        hints = [{"number": number + 1, "text": chosen.hints[number]} for number in numbers]
        _write(out, {"lesson": chosen.id, "hints": hints, "of": count, "all_given": again})
        return grader.OK
    if again:
        out.write(f"{chosen.id}: these were all hints\n\n")
    for number in numbers:
        out.write(f"hint {number + 1} of {count}: {chosen.hints[number]}\n")
    out.write(f"\nnext      toyvm check {chosen.id}\n")
    return grader.OK


def reset(lesson: str | None = None, out: TextIO | None = None, json: bool = False) -> int:
    """Start a lesson again from its start file; the old source is kept beside it."""
    out = out or sys.stdout
    try:
        course = lessons()
        folder = _folder()
        chosen = _choose(course, folder, lesson, None)
        kept = folder.reset(chosen)
    except (CourseError, OSError) as error:
        return _trouble(error)
    if json:
        old = None if kept is None else str(_shown(kept))
        file = str(_shown(folder.file(chosen)))
        _write(out, {"lesson": chosen.id, "file": file, "old_source": old})
        return grader.OK
    out.write(f"{chosen.id} starts again: {_shown(folder.file(chosen))}\n")
    if kept is not None:
        out.write(f"the old source is {_shown(kept)}\n")
    return grader.OK


def lesson_check(
    lesson: str | None = None,
    out: TextIO | None = None,
    boards: Boards | None = None,
    json: bool = False,
) -> int:
    """The author's check of one lesson or of all: 0 if nothing is wrong with any."""
    out = out or sys.stdout
    try:
        course = lessons()
        chosen = course if lesson is None else [find(lesson, course)]
        found = 0
        rows: list[dict[str, Any]] = []
        for one in chosen:
            problems = author.verify(one, boards)
            found += len(problems)
            if json:
                wrong = [path.name for path in one.wrong]
                rows.append({"lesson": one.id, "problems": problems, "wrong": wrong})
                continue
            count = f"{len(one.wrong)} wrong solutions, each caught by its check"
            state = f"{len(problems)} problems" if problems else f"ok, {count}"
            out.write(f"{one.id}: {state}\n")
            for problem in problems:
                out.write(f"    {report.clean(problem)}\n")
            out.flush()
    except (CourseError, OSError) as error:
        return _trouble(error)
    if json:
        _write(out, {"passed": not found, "lessons": rows})
    return grader.FAILS if found else grader.OK


def _folder() -> WorkFolder:
    folder = WorkFolder.locate()
    if folder.notice:
        sys.stderr.write(f"toyvm: {folder.notice}\n")
    return folder


def _choose(
    course: list[Lesson], folder: WorkFolder, name: str | None, file: Path | None
) -> Lesson:
    if name is not None:
        return find(name, course)
    if file is not None:
        for part in reversed(file.resolve().parts):
            for lesson in course:
                if part == lesson.id:
                    return lesson
        known = ", ".join(lesson.id for lesson in course)
        raise CourseError(f"{file}: no folder in its path is a lesson; name one of {known}")
    current = folder.current(course)
    return current if current is not None else course[-1]


def _keep(
    course: list[Lesson], folder: WorkFolder, lesson: Lesson, result: grader.Result
) -> Lesson | None:
    progress = folder.of(lesson)
    progress.points = max(progress.points, result.points)
    progress.done = progress.done or result.passed
    folder.save()
    return next((one for one in course if not folder.of(one).done), None)


def _table(course: list[Lesson], folder: WorkFolder, following: Lesson | None):
    from toyvm.ui.tables import Table

    table = Table(("", "lesson", "title", "points"), right=("points",))
    for lesson in course:
        progress = folder.of(lesson)
        mark = "done" if progress.done else "next" if lesson is following else ""
        table.add(mark, lesson.id, lesson.title, f"{progress.points}/{lesson.max_points}")
    return table


def _progress(
    course: list[Lesson], folder: WorkFolder, following: Lesson | None, source: Path | None
) -> dict[str, Any]:
    rows = []
    for lesson in course:
        progress = folder.of(lesson)
        rows.append(
            {
                "id": lesson.id,
                "title": lesson.title,
                "goal": lesson.goal,
                "done": progress.done,
                "points": progress.points,
                "max_points": lesson.max_points,
                "hints_given": progress.hints,
            }
        )
    return {
        "lessons": rows,
        "next": following.id if following else None,
        "file": str(_shown(source)) if source else None,
    }


def _write(out: TextIO, facts: dict[str, Any]) -> None:
    out.write(json_module.dumps(facts, indent=2) + "\n")


def _shown(path: Path) -> Path:
    here = Path.cwd().resolve()
    full = path.resolve()
    return full.relative_to(here) if full.is_relative_to(here) else path


def _trouble(error: Exception) -> int:
    message = str(error)
    if isinstance(error, OSError) and error.filename:
        message = f"{error.filename}: {error.strerror}; go where a folder can be made"
    sys.stderr.write(f"toyvm: error: {report.clean(message)}\n")
    return grader.UNUSABLE
