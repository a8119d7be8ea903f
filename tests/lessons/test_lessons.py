"""The shipped lessons: proved by the author's check, on the real machines and independently."""

from __future__ import annotations

import pytest

from lessons import author, report
from lessons.checks import Fail
from lessons.course import Lesson, course_folder, find, lessons
from lessons.exits import COUNTED, NOT_COUNTED
from lessons.grader import FAILS, OK, grade
from tests.lessons.naive_board import NaiveBoards

COURSE = lessons()
ON_MACHINE = [lesson for lesson in COURSE if lesson.target == "machine"]


@pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.id)
def test_the_author_s_check_finds_nothing(lesson: Lesson):
    assert author.verify(lesson) == []


@pytest.mark.parametrize("lesson", ON_MACHINE, ids=lambda lesson: lesson.id)
def test_an_independent_hart_gives_the_same_points(lesson: Lesson):
    for path in (lesson.start, lesson.solution):
        ours, other = grade(lesson, path), grade(lesson, path, boards=NaiveBoards())
        assert [v.status for v in ours.verdicts] == [v.status for v in other.verdicts]
    assert other.exit_code == OK


@pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.id)
@pytest.mark.parametrize("seed", [11, 12345, 2**63])
def test_the_solution_passes_with_other_seeds(lesson: Lesson, seed: int):
    assert grade(lesson, lesson.solution, (seed,)).exit_code == OK


def test_the_lessons_name_every_cause_of_the_ledger_once():
    from toyvm.hypervisor.ledger import CAUSES

    names = [name for cause in COUNTED for name in cause.names] + list(NOT_COUNTED)
    assert sorted(names) == sorted(name for name, _, _ in CAUSES)


def test_exits_of_the_given_kernel_follow_from_its_text():
    """Counted by hand from start.s: four CSR accesses a round, two device accesses a letter."""
    from lessons.runner import Bench, assemble_file

    lesson = find("04_exits")
    bench = Bench(lesson, assemble_file(lesson.start, lesson), (5,))
    from lessons.grader import load_checks

    module = load_checks(lesson)
    for make in module.ALL:
        for run in bench.guests(make):
            n = run.case.expected[0]
            assert run.exits == {"csr": 4 * n + 2, "mmio": 2 * (n + 1), "sbi": 1, "other": 0}


@pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.id)
def test_messages_have_all_parts_and_no_forbidden_words(lesson: Lesson):
    for path in lesson.wrong:
        result = grade(lesson, path, (1,))
        if not result.first_failure:  # caught by another seed only
            continue
        fail = result.first_failure.fail
        assert isinstance(fail, Fail)
        assert fail.fact
        assert fail.expected
        assert (course_folder().parent / "docs" / "checks" / f"{fail.page}.md").is_file()
        text = report.text(result)
        assert "next      toyvm " in text
        for word in (" you ", " your ", "simply", "just add", "\x1b"):
            assert word not in text.lower()


def test_solutions_are_not_given_away():
    for lesson in COURSE:
        text = report.text(grade(lesson, lesson.start))
        assert "solution" not in text


def test_pages_of_the_checks_have_their_five_parts():
    pages = sorted((course_folder().parent / "docs" / "checks").glob("*.md"))
    assert len(pages) >= 9
    for page in pages:
        if page.name == "README.md":
            continue
        text = page.read_text()
        for part in ("Meaning", "Example", "How to debug", "How it is detected", "How to switch"):
            assert f"**{part}" in text, page.name


def test_a_start_file_fails_with_exit_code_1():
    for lesson in COURSE:
        assert grade(lesson, lesson.start).exit_code == FAILS
