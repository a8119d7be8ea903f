"""A student's own files: a folder with a copy of each lesson begun, and the progress.

The folder ``toyvm-lessons`` is made in the current directory, or found there or above.  Progress is
one JSON file in it, written whole and then renamed, so that a broken write loses nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from .course import Lesson

NAME = "toyvm-lessons"
STATE = ".toyvm-state.json"
VERSION = 1


@dataclass
class Progress:
    """How far one lesson is: best points so far, done or not, hints given."""

    points: int = 0
    done: bool = False
    hints: int = 0


class WorkFolder:
    """The folder at ``root``; nothing is written before it is needed.

    ``notice`` is a sentence for the user when the progress file could not be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.notice = ""
        self.progress: dict[str, Progress] = self._read()

    @classmethod
    def locate(cls, start: Path | None = None) -> WorkFolder:
        """The work folder that ``start`` (default: the current directory) is in or has."""
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / STATE).is_file() or folder.name == NAME:
                return cls(folder)
        return cls(here / NAME)

    def of(self, lesson: Lesson) -> Progress:
        """The progress of a lesson, which may be changed; ``save`` keeps it."""
        return self.progress.setdefault(lesson.id, Progress())

    def file(self, lesson: Lesson) -> Path:
        """Where the student's source of a lesson is."""
        return self.root / lesson.id / "start.s"

    def provide(self, lesson: Lesson) -> Path:
        """Copy start.s and README.md of a lesson unless they are there; the source's path."""
        target = self.file(lesson)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(lesson.start, target)
        readme = target.parent / "README.md"
        if not readme.exists():
            shutil.copyfile(lesson.readme, readme)
        return target

    def reset(self, lesson: Lesson) -> Path | None:
        """Start a lesson again; the old source is kept beside it, its path is returned."""
        target = self.file(lesson)
        kept: Path | None = None
        if target.exists() and target.read_bytes() != lesson.start.read_bytes():
            kept = _free_name(target)
            os.replace(target, kept)
        self.progress[lesson.id] = Progress()
        self.provide(lesson)
        self.save()
        return kept

    def current(self, course: list[Lesson], start: Path | None = None) -> Lesson | None:
        """The lesson whose folder ``start`` is in, else the first one not done; None at the end."""
        here = (start or Path.cwd()).resolve()
        for lesson in course:
            if here.is_relative_to(self.root / lesson.id):
                return lesson
        return next((lesson for lesson in course if not self.of(lesson).done), None)

    def save(self) -> None:
        """Write the progress: a temporary file first, then renamed over the old one."""
        self.root.mkdir(parents=True, exist_ok=True)
        rows = {name: asdict(progress) for name, progress in sorted(self.progress.items())}
        text = json.dumps({"version": VERSION, "lessons": rows}, indent=2) + "\n"
        path = self.root / STATE
        temporary = path.with_name(f"{STATE}.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)

    def _read(self) -> dict[str, Progress]:
        path = self.root / STATE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return {
                str(name): Progress(int(row["points"]), bool(row["done"]), int(row["hints"]))
                for name, row in data["lessons"].items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            broken = path.with_name("toyvm-state-broken.json")
            os.replace(path, broken)
            self.notice = f"{path} was damaged: progress starts anew, the old file is {broken.name}"
            return {}


def _free_name(source: Path) -> Path:
    number = 1
    while (path := source.with_name(f"start-old-{number}.s")).exists():
        number += 1
    return path
