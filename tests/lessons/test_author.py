"""The author's check finds what is wrong with a lesson."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lessons.author import verify
from lessons.course import course_folder, load
from tests.lessons.naive_board import NaiveBoards


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "01_first_instruction"
    shutil.copytree(
        course_folder() / "01_first_instruction", target, ignore=shutil.ignore_patterns("__py*")
    )
    return target


def problems(folder: Path) -> str:
    return "\n".join(verify(load(folder), NaiveBoards(), runs=1))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_untouched_lesson_is_right(copy):
    assert problems(copy) == ""


def test_a_start_file_that_passes(copy):
    text = "# TODO nothing\n" + (copy / "solution.s").read_text()
    (copy / "start.s").write_text(text)
    assert problems(copy) == "start.s: passes as shipped"


def test_a_start_file_that_does_not_assemble(copy):
    edit(copy / "start.s", "mv      a2, a0", "mv      a2")
    assert "start.s: ends with exit code 2, expected 1" in problems(copy)


def test_a_solution_that_does_not_pass(copy):
    edit(copy / "solution.s", "slli    a3, a0, 2", "slli    a3, a0, 1")
    assert "solution.s: does not pass: check 'scale'" in problems(copy)


def test_a_wrong_solution_that_passes(copy):
    shutil.copy(copy / "solution.s", copy / "wrong" / "right.s")
    edit(copy / "wrong" / "right.s", "# Lesson 1: a", "# expect: sum\n# a")
    assert problems(copy) == "wrong/right.s: is not caught by 'sum': every check passes"


def test_a_wrong_solution_that_another_check_catches(copy):
    edit(copy / "wrong" / "seven_bits.s", "# expect: mask", "# expect: sum")
    text = problems(copy)
    assert "wrong/seven_bits.s: is caught by 'mask'" in text
    assert "expected 'sum'" in text
    assert "no wrong solution is caught by the check 'mask'" in text


@pytest.mark.parametrize("first", ["# expect: speed", "# expects: mask", "# mask"])
def test_a_wrong_solution_that_names_no_check(copy, first):
    edit(copy / "wrong" / "seven_bits.s", "# expect: mask", first)
    assert "wrong/seven_bits.s: the first line must be '# expect: <check id>'" in problems(copy)


def test_too_few_wrong_solutions(copy):
    for path in sorted((copy / "wrong").glob("*.s"))[4:]:
        path.unlink()
    assert "4 wrong solutions: expected at least 5" in problems(copy)


@pytest.mark.parametrize("name", ["notes.txt", "wrong/draft.txt"])
def test_a_stray_file(copy, name):
    (copy / name).write_text("")
    assert f"{name} is a stray file" in problems(copy)


@pytest.mark.parametrize("name", ["README.md", "solution.s", "check.py", "start.s"])
def test_a_missing_file(copy, name):
    (copy / name).unlink()
    assert f"{name} is missing" in problems(copy)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"xor compares', '" ", "xor compares', "hints must be at least one, none of them empty"),
        ("task = 4", "task = 9", "check 'mask' belongs to task 9, not in README.md"),
        ("points = 2", "points = 0", "every check must be worth at least one point"),
        ('title = "First instruction"', 'title = ""', "title and goal must not be empty"),
    ],
)
def test_a_description_that_does_not_hold(copy, old, new, message):
    edit(copy / "lesson.toml", old, new)
    assert message in problems(copy)


def test_a_check_without_a_function_is_an_error_of_the_lesson(copy):
    edit(copy / "check.py", "def test_mask", "def test_musk")
    assert "the function test_mask(vm) is missing" in problems(copy)


def test_a_score_that_varies(copy):
    edit(
        copy / "check.py",
        "def test_count(vm: Bench) -> None:\n",
        "calls = __import__('itertools').count()\n"
        "import lessons.checks as c\n"
        "c.varies = getattr(c, 'varies', 0)\n\n\n"
        "def test_count(vm: Bench) -> None:\n"
        "    c.varies += 1\n"
        "    if c.varies % 2:\n"
        "        raise checks.Fail('odd', 'even')\n",
    )
    text = "\n".join(verify(load(copy), NaiveBoards(), runs=3))
    assert "solution.s: the score varies between runs" in text
