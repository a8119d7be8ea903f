"""What the commands do: work folder, progress, hints, reset, exit codes."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from lessons import cli_api
from lessons.course import find
from lessons.workfolder import NAME, STATE, WorkFolder
from tests.lessons.naive_board import NaiveBoards

BOARDS = NaiveBoards()
FIRST = find("1")


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(function, *args, **named) -> tuple[int, str]:
    out = io.StringIO()
    code = function(*args, out=out, **named)
    return code, out.getvalue()


def solve(lesson_id: str) -> None:
    lesson = find(lesson_id)
    WorkFolder.locate().provide(lesson).write_text(lesson.solution.read_text())


def test_learn_begins_the_first_lesson():
    code, text = said(cli_api.learn, True)
    assert code == 0
    assert "next  01_first_instruction" in text
    assert f"edit      {NAME}/01_first_instruction/start.s" in text
    folder = Path(NAME) / "01_first_instruction"
    assert (folder / "start.s").read_bytes() == FIRST.start.read_bytes()
    assert (folder / "README.md").is_file()
    assert not (Path(NAME) / "02_memory_loops").exists()


def test_learn_keeps_what_a_student_wrote():
    said(cli_api.learn, True)
    file = Path(NAME) / "01_first_instruction" / "start.s"
    file.write_text("# mine\n")
    said(cli_api.learn, True)
    assert file.read_text() == "# mine\n"


def test_check_moves_on_when_a_lesson_is_done():
    code, text = said(cli_api.check, boards=BOARDS)
    assert code == 1
    assert "01_first_instruction: First instruction" in text
    solve("1")
    code, text = said(cli_api.check, boards=BOARDS)
    assert code == 0
    assert "next      toyvm check 02_memory_loops" in text
    code, text = said(cli_api.learn, True)
    assert re.search(r"^done +01_first_instruction +First instruction +12/12$", text, re.M)
    assert "next  02_memory_loops" in text
    code, text = said(cli_api.check, boards=BOARDS)
    assert "02_memory_loops: Memory and loops" in text


def test_points_never_go_down_and_done_stays_done():
    solve("1")
    said(cli_api.check, "1", boards=BOARDS)
    WorkFolder.locate().file(FIRST).write_text(".globl start\nstart: ebreak\n")
    assert said(cli_api.check, "1", boards=BOARDS)[0] == 1
    progress = WorkFolder.locate().of(FIRST)
    assert (progress.points, progress.done) == (12, True)


def test_a_named_file_is_graded_without_a_work_folder(tmp_path):
    code, text = said(cli_api.check, None, FIRST.solution, boards=BOARDS)
    assert code == 0
    assert "12 of 12 points" in text
    file = tmp_path / "mine.s"
    file.write_text(FIRST.start.read_text())
    assert said(cli_api.check, "1", file, boards=BOARDS)[0] == 1
    assert not (tmp_path / NAME).exists()


def test_a_file_of_no_known_lesson_asks_for_one(tmp_path, capsys):
    assert said(cli_api.check, None, tmp_path / "mine.s", boards=BOARDS)[0] == 2
    assert "name one of 01_first_instruction" in capsys.readouterr().err


def test_the_lesson_is_taken_from_the_current_directory(monkeypatch):
    WorkFolder.locate().provide(find("3"))
    WorkFolder.locate().save()
    monkeypatch.chdir(Path(NAME) / "03_calls_stack")
    code, text = said(cli_api.check, boards=BOARDS)
    assert code == 1
    assert text.startswith("03_calls_stack: ")
    assert not (Path.cwd() / NAME).exists()


@pytest.mark.parametrize("function", [cli_api.check, cli_api.hint, cli_api.reset])
def test_an_unknown_lesson_is_wrong_usage(function, capsys):
    assert said(function, "99")[0] == 2
    assert "'99' is no lesson: expected one of 01_first" in capsys.readouterr().err
    assert said(cli_api.lesson_check, "99")[0] == 2


def test_one_seed_and_json():
    code, text = said(cli_api.check, "1", None, 42, True, boards=BOARDS)
    data = json.loads(text)
    assert code == data["exit_code"] == 1
    assert data["seeds"] == [42]
    assert data["file"] == f"{NAME}/01_first_instruction/start.s"


def test_hints_come_one_at_a_time_and_then_all_again():
    texts = [said(cli_api.hint, "1")[1] for _ in range(4)]
    for number in range(3):
        assert f"hint {number + 1} of 3: {FIRST.hints[number]}" in texts[number]
        assert texts[number].count("hint ") == 1
    assert "these were all hints" in texts[3]
    assert all(hint in texts[3] for hint in FIRST.hints)


def test_reset_keeps_the_old_source():
    said(cli_api.learn, True)
    file = WorkFolder.locate().file(FIRST)
    for text in ("# one\n", "# two\n"):
        file.write_text(text)
        code, said_text = said(cli_api.reset, "1")
        assert code == 0
    assert file.read_bytes() == FIRST.start.read_bytes()
    assert file.with_name("start-old-1.s").read_text() == "# one\n"
    assert file.with_name("start-old-2.s").read_text() == "# two\n"
    assert "start-old-2.s" in said_text
    assert said(cli_api.reset, "1")[1].count("old") == 0


def test_reset_forgets_the_progress():
    solve("1")
    said(cli_api.check, "1", boards=BOARDS)
    said(cli_api.reset, "1")
    text = said(cli_api.learn, True)[1]
    assert re.search(r"^next +01_first_instruction +First instruction +0/12$", text, re.M)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lessons": 3}', '{"lessons": {"a": {}}}'])
def test_a_damaged_progress_file_is_put_aside(text, capsys):
    said(cli_api.learn, True)
    state = Path(NAME) / STATE
    state.write_text(text)
    assert said(cli_api.learn, True)[0] == 0
    assert "was damaged" in capsys.readouterr().err
    assert (Path(NAME) / "toyvm-state-broken.json").read_text() == text
    assert json.loads(state.read_text())["version"] == 1


def test_progress_is_renamed_into_place(monkeypatch):
    said(cli_api.learn, True)
    before = (Path(NAME) / STATE).read_text()
    folder = WorkFolder.locate()
    folder.of(FIRST).points = 5

    def fails(source, target):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="no space"):
        folder.save()
    assert (Path(NAME) / STATE).read_text() == before


def test_lesson_check_reports_each_lesson():
    code, text = said(cli_api.lesson_check, "1", boards=BOARDS)
    assert (code, text) == (
        0, "01_first_instruction: ok, 9 wrong solutions, each caught by its check\n"
    )  # fmt: skip


def test_lesson_check_as_json(monkeypatch):
    """The verdicts are those of the author's check; that runs in the test above."""
    monkeypatch.setattr(cli_api.author, "verify", lambda lesson, boards: ["a hole"])
    code, text = said(cli_api.lesson_check, "1", boards=BOARDS, json=True)
    report = json.loads(text)
    assert (code, report["passed"]) == (1, False)
    assert [(row["lesson"], row["problems"]) for row in report["lessons"]] == [
        ("01_first_instruction", ["a hole"])
    ]
    assert report["lessons"][0]["wrong"] == sorted(path.name for path in FIRST.wrong)
    monkeypatch.setattr(cli_api.author, "verify", lambda lesson, boards: [])
    code, text = said(cli_api.lesson_check, "1", boards=BOARDS, json=True)
    assert (code, json.loads(text)["passed"]) == (0, True)


@pytest.mark.parametrize(
    ("typed", "near"), [("memory_lops", "memory_loops"), ("05_exits", "04_exits")]
)
def test_a_mistyped_lesson_is_proposed(typed, near, capsys):
    assert cli_api.hint(typed, out=io.StringIO()) == 2
    error = capsys.readouterr().err
    assert error.startswith("toyvm: error: ")
    assert f'did you mean "{near}"?' in error
