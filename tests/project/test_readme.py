"""The pages for readers: every command works and prints what is shown, every link leads somewhere.

docs/performance.md is left out: its numbers belong to the computer they were measured on.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import typer

from toyvm.cli.main import app

from .console import ROOT, Shell, commands, difference

README = ROOT / "README.md"
PAGES = [
    path
    for path in [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if path.name != "performance.md"
]
WITH_COMMANDS = [page for page in PAGES if commands(page.read_text(encoding="utf-8"))]
needs_shell = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None,
    reason="bash is not installed: the pages' commands are for a POSIX shell",
)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Where a page's commands are run."""
    return Shell.with_copies(tmp_path)


@needs_shell
@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_commands_do_what_the_page_shows(page: Path, shell: Shell) -> None:
    found = commands(page.read_text(encoding="utf-8"), name(page))
    problems = [problem for command in found if (problem := shell.problem(command))]
    assert not problems, "\n\n".join(problems)


def test_quick_start_is_two_commands() -> None:
    first = [c.text for c in commands(README.read_text(encoding="utf-8"))[:2]]
    assert first == ["make demo", "make test"]


def test_readme_names_every_command() -> None:
    text = README.read_text(encoding="utf-8")
    group = typer.main.get_command(app)
    missing = [word for word in group.commands if f"`toyvm {word}" not in text]  # type: ignore[attr-defined]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists() or (anchor and anchor not in anchors(goal)):
            broken.append(target)
    assert broken == []


PATH = re.compile(
    r"`((?:toyvm|assembler|guestos|lessons|tests|benchmarks|fuzz|labs|docs)/[\w./*-]+)`"
)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    found = PATH.findall(page.read_text(encoding="utf-8"))
    named = {path for path in found if "NAME" not in path}
    assert [path for path in sorted(named) if not list(ROOT.glob(path.rstrip("/")))] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


# ---- the reader of pages itself --------------------------------------------------------------

PAGE = """\
Text.
```console
$ echo one
one
$ false
$ echo $?
1
$ cat <<END
> two
> END
two
```
```python
$ not this
```
"""


def test_commands_are_found() -> None:
    found = commands(PAGE)
    assert [(c.text, c.output, c.code) for c in found] == [
        ("echo one", "one\n", 0),
        ("false", "", 1),
        ("cat <<END\ntwo\nEND", "two\n", 0),
    ]


@needs_shell
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("", ""), None),
        (("$ false", "$ true"), "ended with 0, expected 1"),
        (("$ echo $?\n1\n", ""), "ended with 1, expected 0"),
        (("one\none\n", "one\nother\n"), "the page shows:\nother"),
        (("one\none\n", "one\n"), "the command printed:\none"),
    ],
)
def test_a_wrong_page_is_noticed(
    tmp_path: Path, change: tuple[str, str], problem: str | None
) -> None:
    shell = Shell(tmp_path, tmp_path / "home")
    page = PAGE.replace(*change) if change[0] else PAGE
    problems = [text for command in commands(page) if (text := shell.problem(command))]
    if problem is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert problem in problems[0]


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a 1.2 s b\n", "a 1.2 s b\n", True),
        ("a ... s b\n", "a 17.25 s b\n", True),
        ("a ... s b\n", "a 17\n s b\n", False),
        ("a\n...\nb\n", "a\nx\ny\nb\n", True),
        ("a\n...\nb\n", "a\nb\n", True),
        ("a\n...\nb\n", "a\nx\ny\n", False),
        ("a.c\n", "abc\n", False),
        ("a\n", "toyvm: compiling the machine: 3 of 9 done\na  \n", True),
        ("", "a\n", False),
    ],
)
def test_output_is_compared(expected: str, actual: str, same: bool) -> None:
    assert (difference(expected, actual) is None) == same
