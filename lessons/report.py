"""Puts a graded submission into words: plain text, or JSON.

Every failed check gives the fact, what was expected and where; the last line is the next command.
A check that is not visible says no more than that it failed.
"""

from __future__ import annotations

import json
from pathlib import Path

from toyvm.ui.text import printable

from .course import Lesson
from .grader import GRADER, OK, UNUSABLE, Result, Verdict

MAX_TEXT = 4000
"""Characters of one message at most."""
MAX_WARNINGS = 3
"""Warnings of the assembler that a report shows: they may be why a check fails."""
_MARK = {"pass": "pass", "fail": "FAIL", "blocked": "-"}


def clean(text: str) -> str:
    """Text that cannot control a terminal and is not endless."""
    text = "".join(printable(line) for line in text.splitlines(keepends=True))
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " ... (cut)"


def page_path(page: str) -> str:
    """The page about a kind of check as a path to read, "" if there is none.

    The pages are docs/checks/ in a checkout and lessons/data/checks/ in an installed package.
    """
    lessons = Path(__file__).resolve().parent
    here = Path.cwd().resolve()
    for folder in (lessons / "data" / "checks", lessons.parent / "docs" / "checks"):
        path = folder / f"{page}.md"
        if page and path.is_file():
            return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
    return ""


def next_command(result: Result, following: Lesson | None = None) -> str:
    """What to type next; ``following`` is the lesson to do after this one."""
    lesson = result.lesson.id
    if result.exit_code == OK:
        return f"toyvm check {following.id}" if following else "toyvm learn"
    if result.exit_code == UNUSABLE:
        return f"toyvm check {lesson}"
    failure = result.first_failure
    if failure is not None and failure.fail is not None and failure.fail.next:
        return failure.fail.next
    return f"toyvm hint {lesson}"


def text(result: Result, following: Lesson | None = None) -> str:
    """The report as lines of plain text."""
    lesson = result.lesson
    seeds = " ".join(str(seed) for seed in result.seeds)
    lines = [f"{lesson.id}: {lesson.title}", f"{result.source}, seeds {seeds}", ""]
    if result.problem:
        if result.exit_code == GRADER:
            lines.append("internal error of the grader, not of the submission:")
        lines += [clean(result.problem).rstrip(), ""]
        if result.exit_code == GRADER:
            lines.append("Please report it with the lines above and the submission.")
        else:
            lines.append(f"next      {next_command(result)}")
        return "\n".join(lines) + "\n"
    width = max(len(verdict.spec.id) for verdict in result.verdicts)
    for verdict in result.verdicts:
        lines += _lines(verdict, width)
    notes = dict.fromkeys(verdict.note for verdict in result.verdicts if verdict.note)
    if notes:
        lines += ["", f"-     not judged: {clean('; '.join(notes))}"]
    lines.append("")
    if result.facts:
        lines += [clean(fact) for fact in result.facts] + [""]
    if result.exit_code != OK:
        for warning in result.diagnostics[:MAX_WARNINGS]:
            lines += [clean(warning.render()), ""]
    total = f"{result.points} of {lesson.max_points} points"
    if result.exit_code == OK:
        lines.append(f"{total}: the lesson is done")
        lines.append(f"compare   {lesson.solution}")
    else:
        lines.append(total)
    lines.append(f"next      {next_command(result, following)}")
    return "\n".join(lines) + "\n"


def _lines(verdict: Verdict, width: int) -> list[str]:
    spec = verdict.spec
    points = f"{verdict.points}/{spec.points}"
    head = (
        f"{_MARK[verdict.status]:4}  {points:>5}  {spec.id:{width}}  task {spec.task}: {spec.title}"
    )
    lines = [head]
    indent = " " * 13
    fail = verdict.fail
    if fail is None:
        return lines
    if not spec.visible:
        return [*lines, f"{indent}a hidden check: no details"]
    lines.append(f"{indent}{clean(fail.fact)}")
    page = page_path(fail.page)
    for title, part in (("expected", fail.expected), ("where", fail.where), ("read", page)):
        if part:
            lines.append(f"{indent}{title:8}  {clean(part)}")
    return lines


def data(result: Result, following: Lesson | None = None) -> dict[str, object]:
    """The same facts as plain data for ``--json``."""
    return {
        "lesson": result.lesson.id,
        "file": str(result.source),
        "seeds": list(result.seeds),
        "exit_code": result.exit_code,
        "passed": result.passed,
        "points": result.points,
        "max_points": result.lesson.max_points,
        "problem": clean(result.problem),
        "checks": [_check_data(verdict) for verdict in result.verdicts],
        "facts": [clean(fact) for fact in result.facts],
        "diagnostics": [item.as_json() for item in result.diagnostics],
        "next": next_command(result, following),
    }


def _check_data(verdict: Verdict) -> dict[str, object]:
    spec, fail = verdict.spec, verdict.fail
    row: dict[str, object] = {
        "id": spec.id,
        "title": spec.title,
        "task": spec.task,
        "status": verdict.status,
        "points": verdict.points,
        "max_points": spec.points,
    }
    if verdict.note:
        row["note"] = clean(verdict.note)
    if fail is not None and spec.visible:
        row |= {
            "fact": clean(fail.fact),
            "expected": clean(fail.expected),
            "where": clean(fail.where),
            "page": fail.page,
        }
    return row


def json_text(result: Result, following: Lesson | None = None) -> str:
    """One JSON object and a newline."""
    return json.dumps(data(result, following), indent=2, ensure_ascii=False) + "\n"
