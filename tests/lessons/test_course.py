"""Lesson folders: what is read, how lessons are named, what breaks the format."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lessons.course import CourseError, course_folder, find, lessons, load

IDS = ["01_first_instruction", "02_memory_loops", "03_calls_stack", "04_exits"]


def test_the_course_is_in_order_and_needs_only_earlier_lessons():
    course = lessons()
    assert [lesson.id for lesson in course] == IDS
    for number, lesson in enumerate(course):
        assert set(lesson.needs) <= {earlier.id for earlier in course[:number]}
        assert len(lesson.wrong) >= 5


@pytest.mark.parametrize("name", ["02_memory_loops", "2", "02", "memory", "02_mem", "memory_loops"])
def test_a_lesson_has_several_names(name):
    assert find(name).id == "02_memory_loops"


@pytest.mark.parametrize("name", ["", "99", "traps", "0", "../01_first_instruction", "²"])
def test_an_unknown_name_lists_the_lessons(name):
    with pytest.raises(CourseError, match="expected one of 01_first_instruction, 02_memory"):
        find(name)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "01_first_instruction"
    shutil.copytree(course_folder() / "01_first_instruction", target)
    return target


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "01', 'id = "02', "expected the folder '01_first_instruction'"),
        ('target = "machine"', 'target = "phone"', "expected one of machine, vm"),
        ('target = "machine"', "", "the field 'target' is missing"),
        ('title = "First instruction"', "title = 3", "'title' is 3, expected str"),
        ("insns = 2000", "insns = true", "'insns' is True, expected int"),
        ("needs = []", 'needs = []\nseconds = 5', "unknown field 'seconds'"),
        ('{ id = "ends"', '{ id = "defined"', "each with an id of its own"),
        ("points = 1,", "points = 1, weight = 2,", "unknown field 'weight'"),
        ("goal =", "goal = =", "Invalid value"),
    ],
)  # fmt: skip
def test_a_broken_description_names_file_and_field(copy, old, new, message):
    path = copy / "lesson.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CourseError, match=r"lesson\.toml") as caught:
        load(copy)
    assert message in str(caught.value)


def test_a_need_that_is_no_lesson(copy):
    path = copy / "lesson.toml"
    path.write_text(path.read_text().replace("needs = []", 'needs = ["00_nothing"]'))
    with pytest.raises(CourseError, match="needs '00_nothing'"):
        lessons(copy.parent)


def test_a_missing_description(tmp_path):
    (tmp_path / "05_empty").mkdir()
    with pytest.raises(CourseError, match=r"lesson\.toml: No such file"):
        lessons(tmp_path)
