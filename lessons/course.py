"""The lessons: one folder each, described by its ``lesson.toml``.

A lesson folder holds ``lesson.toml``, ``README.md``, ``start.s`` (what the student edits),
``check.py`` (the grader's part), ``solution.s`` and ``wrong/*.s``; nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from toyvm.ui.text import did_you_mean

T = TypeVar("T")

FOLDER = re.compile(r"\d\d_[a-z0-9_]{1,28}\Z")
TARGETS = ("machine", "vm")
_FIELDS = {"id", "title", "goal", "target", "needs", "budget", "checks", "hints"}
_CHECK_FIELDS = {"id", "title", "points", "visible", "task"}


class CourseError(Exception):
    """A lesson that does not exist, or a lesson folder that breaks the format."""


@dataclass(frozen=True)
class CheckSpec:
    """One check of a lesson: worth ``points``, belonging to numbered task ``task`` of its README.

    A check that is not ``visible`` gives no details of its failure to the student.
    """

    id: str
    title: str
    points: int
    visible: bool
    task: int


@dataclass(frozen=True)
class Lesson:
    """One lesson folder.  ``insns`` and ``traps`` are the budget of one run of a submission."""

    id: str
    title: str
    goal: str
    target: str
    needs: tuple[str, ...]
    insns: int
    traps: int
    checks: tuple[CheckSpec, ...]
    hints: tuple[str, ...]
    folder: Path

    @property
    def start(self) -> Path:
        """The file that a student starts from."""
        return self.folder / "start.s"

    @property
    def solution(self) -> Path:
        """The model solution, shown once the lesson is done."""
        return self.folder / "solution.s"

    @property
    def readme(self) -> Path:
        """The text of the lesson."""
        return self.folder / "README.md"

    @property
    def check_file(self) -> Path:
        """The checks, loaded by path."""
        return self.folder / "check.py"

    @property
    def wrong(self) -> list[Path]:
        """The named wrong solutions, each of which one check must catch."""
        return sorted((self.folder / "wrong").glob("*.s"))

    @property
    def max_points(self) -> int:
        """Points of a submission that passes every check."""
        return sum(check.points for check in self.checks)


def course_folder() -> Path:
    """The folder that holds the lesson folders, in a checkout or in the installed package."""
    return Path(str(files("lessons")))


def lessons(folder: Path | None = None) -> list[Lesson]:
    """All lessons in the order of the course; CourseError if one breaks the format."""
    root = folder or course_folder()
    found = [load(path) for path in sorted(root.iterdir()) if FOLDER.match(path.name)]
    known = {lesson.id for lesson in found}
    for lesson in found:
        for need in lesson.needs:
            if need not in known:
                path = lesson.folder / "lesson.toml"
                raise CourseError(f"{path}: needs '{need}', which is no lesson")
    return found


def find(name: str, course: list[Lesson] | None = None) -> Lesson:
    """The lesson called ``name``: its id, its number ("2", "02") or the start of its id."""
    course = lessons() if course is None else course
    wanted = name.strip().rstrip("/")
    for lesson in course:
        if wanted == lesson.id:
            return lesson
    hits = [lesson for lesson in course if wanted and _called(lesson.id, wanted)]
    if len(hits) == 1:
        return hits[0]
    known = [lesson.id for lesson in course]
    trouble = "names more than one lesson" if hits else "is no lesson"
    near = "" if hits else did_you_mean(wanted, [*known, *(one.partition("_")[2] for one in known)])
    raise CourseError(f"'{name}' {trouble}: expected one of {', '.join(known)}{near}")


def _called(lesson_id: str, wanted: str) -> bool:
    number, _, topic = lesson_id.partition("_")
    if wanted.isdecimal() and len(wanted) < 4:
        return int(number) == int(wanted)
    return lesson_id.startswith(wanted) or topic.startswith(wanted)


def load(folder: Path) -> Lesson:
    """Read one lesson folder; CourseError names the file and the field that is wrong."""
    path = folder / "lesson.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"{path}: {error.strerror}; a lesson folder needs lesson.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: {error}") from None
    unknown = sorted(set(data) - _FIELDS)
    if unknown:
        raise CourseError(f"{path}: unknown field {unknown[0]!r}; known: {sorted(_FIELDS)}")
    lesson_id = _get(path, data, "id", str)
    if lesson_id != folder.name:
        raise CourseError(f"{path}: id is '{lesson_id}', expected the folder '{folder.name}'")
    target = _get(path, data, "target", str)
    if target not in TARGETS:
        raise CourseError(f"{path}: target is '{target}', expected one of {', '.join(TARGETS)}")
    budget = _get(path, data, "budget", dict)
    return Lesson(
        id=lesson_id,
        title=_get(path, data, "title", str),
        goal=_get(path, data, "goal", str),
        target=target,
        needs=tuple(_get(path, data, "needs", list)),
        insns=_get(path, budget, "insns", int),
        traps=_get(path, budget, "traps", int),
        checks=_checks(path, _get(path, data, "checks", list)),
        hints=tuple(_get(path, data, "hints", list)),
        folder=folder,
    )


def _checks(path: Path, rows: list[Mapping[str, Any]]) -> tuple[CheckSpec, ...]:
    checks = []
    for row in rows:
        unknown = sorted(set(row) - _CHECK_FIELDS)
        if unknown:
            raise CourseError(f"{path}: a check has the unknown field {unknown[0]!r}")
        checks.append(
            CheckSpec(
                id=_get(path, row, "id", str),
                title=_get(path, row, "title", str),
                points=_get(path, row, "points", int),
                visible=_get(path, row, "visible", bool),
                task=_get(path, row, "task", int),
            )
        )
    ids = [check.id for check in checks]
    if not ids or len(set(ids)) != len(ids):
        raise CourseError(f"{path}: checks must be at least one, each with an id of its own")
    return tuple(checks)


def _get(path: Path, data: Mapping[str, Any], field: str, kind: type[T]) -> T:
    if field not in data:
        raise CourseError(f"{path}: the field '{field}' is missing")
    value = data[field]
    if type(value) is not kind:
        raise CourseError(f"{path}: '{field}' is {value!r}, expected {kind.__name__}")
    return value
