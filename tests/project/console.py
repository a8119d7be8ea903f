"""Reads the ``console`` blocks of a Markdown page and runs what they say.

A line ``$ command`` is a command, ``> more`` lines after it continue it, and what follows is its
output, stdout and stderr together.  In the output ``...`` stands for any characters of a line, and
for any number of lines where it is alone on one.  A command must end with 0 unless the next one is
``$ echo $?``, whose output is then the expected exit code.

    python -m tests.project.console docs/guests.md

runs the commands of a page and puts in what they print now, where the page shows something else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked import program

ROOT = Path(__file__).resolve().parents[2]
FENCE = "```"
ANYTHING = "..."
SECONDS = 300.0
"""More than the first start on a slow computer takes, which compiles."""
#: The first run on a computer says this, later ones do not.
_ONCE = re.compile(r"^toyvm: compiling the machine.*\n", re.MULTILINE)
#: What commands of the pages read from the folder they are run in.
READ = ("labs", "lessons", "guestos", "Makefile", "pyproject.toml")
#: Commands that set up environments: what runs here in their stead.
STANDS_FOR = {"make demo": "toyvm demo"}


@dataclass
class Command:
    """One command of a page: what is typed, what it prints, and with which code it ends."""

    page: str
    line: int
    text: str
    output: str = ""
    code: int = 0

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}: $ {self.text}"


def commands(text: str, page: str = "page") -> list[Command]:
    """All commands of the console blocks of a page; ValueError where a block makes no sense."""
    found: list[Command] = []
    inside = False
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(FENCE):
            inside = not inside and line[len(FENCE) :].strip() == "console"
            start = len(found)
        elif not inside:
            continue
        elif line.startswith("$ "):
            found.append(Command(page, number, line[2:]))
        elif len(found) == start:
            raise ValueError(f"{page}:{number}: a console block starts with `$ command`")
        elif line.startswith("> ") and not found[-1].output:
            found[-1].text += "\n" + line[2:]
        else:
            found[-1].output += line + "\n"
    return _with_codes(found)


def _with_codes(found: list[Command]) -> list[Command]:
    kept: list[Command] = []
    for command in found:
        if command.text == "echo $?":
            kept[-1].code = int(command.output)
        else:
            kept.append(command)
    return kept


def difference(expected: str, actual: str) -> str | None:
    """Why ``actual`` is not what the page shows; None if it is."""
    if re.fullmatch(_pattern(expected), _plain(actual)):
        return None
    return f"the page shows:\n{expected}\nthe command printed:\n{actual}"


def _plain(text: str) -> str:
    text = _ONCE.sub("", text.replace("\r\n", "\n"))
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def _pattern(expected: str) -> str:
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == ANYTHING:
            pattern += r"(?:.*\n)*?"
        else:
            parts = line.rstrip().split(ANYTHING)
            pattern += r"[^\n]*?".join(re.escape(part) for part in parts) + r"\n"
    return pattern


class Shell:
    """A folder and an environment in which the commands of a page are run, one after another."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        programs = home / "bin"
        programs.mkdir(parents=True)
        program(programs)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TOYVM_DATA_DIR": str(home / "data"),
            "TOYVM_STATE_DIR": str(home / "state"),
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }

    @classmethod
    def with_copies(cls, place: Path) -> Shell:
        """In a copy of what the commands need, so that they leave nothing in the checkout."""
        folder = place / "toyvm"
        folder.mkdir()
        for part in READ:
            source = ROOT / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("*.pyc", "*.py")
                shutil.copytree(source, folder / part, ignore=ignored)
            else:
                shutil.copy(source, folder / part)
        return cls(folder, place / "home")

    def really(self, command: Command) -> tuple[str, str]:
        """What is run for a command, and the output it must have.

        A target of make must exist; most of them would start these tests again.
        """
        if not command.text.startswith("make "):
            return command.text, command.output
        text = STANDS_FOR.get(command.text, f"make -n {command.text[5:]}")
        return text, command.output or ANYTHING

    def run(self, text: str) -> tuple[int, str]:
        """Exit code and output of a command line; TimeoutExpired after SECONDS."""
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def problem(self, command: Command) -> str | None:
        """Run one command; None if it ended and printed as its page says."""
        text, wanted = self.really(command)
        try:
            code, printed = self.run(text)
        except subprocess.TimeoutExpired:
            return f"{command.place}\nno end within {SECONDS:.0f} seconds"
        if code != command.code:
            return f"{command.place}\nended with {code}, expected {command.code}\n{printed}"
        wrong = difference(wanted, printed)
        return f"{command.place}\n{wrong}" if wrong else None


def renew(page: Path) -> int:
    """Put today's output into a page where it shows another; how many commands that were."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found = commands("\n".join(lines), page.name)
    changes: list[tuple[Command, str]] = []
    with tempfile.TemporaryDirectory() as place:
        shell = Shell.with_copies(Path(place))
        for command in found:
            text, wanted = shell.really(command)
            _, printed = shell.run(text)
            if difference(wanted, printed) is not None:
                changes.append((command, _plain(printed).replace(str(ROOT), ANYTHING)))
    for command, printed in reversed(changes):
        start = command.line + command.text.count("\n")
        lines[start : start + command.output.count("\n")] = printed.splitlines()
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(changes)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(f"{argument}: {renew(Path(argument))} outputs renewed")
