"""Reads the ``console`` blocks of a Markdown page and runs what they say.

A line ``$ command`` is a command, ``> more`` lines after it continue it, and what follows is its
output, stdout and stderr together.  In the output ``...`` stands for any characters of a line, and
for any number of lines where it is alone on one.  A command must end with 0 unless the next one is
``$ echo $?``, whose output is then the expected exit code.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = "```"
ANYTHING = "..."
SECONDS = 120.0
#: The first run on a computer says this, later ones do not.
_ONCE = re.compile(r"^toyvm: compiling the machine.*\n", re.MULTILINE)
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
        toyvm = programs / "toyvm"
        toyvm.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m toyvm.cli.main "$@"\n')
        toyvm.chmod(toyvm.stat().st_mode | stat.S_IXUSR)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TOYVM_DATA_DIR": str(home / "data"),
            "TOYVM_STATE_DIR": str(home / "state"),
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }

    def problem(self, command: Command) -> str | None:
        """Run one command; None if it ended and printed as its page says."""
        text = STANDS_FOR.get(command.text, command.text)
        if text.startswith("make "):
            # The target must exist; running it would start these tests again.
            text, wanted = f"make -n {text[5:]}", ANYTHING
        else:
            wanted = command.output
        try:
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
        except subprocess.TimeoutExpired:
            return f"{command.place}\nno end within {SECONDS:.0f} seconds"
        printed = done.stdout.decode("utf-8", "replace")
        if done.returncode != command.code:
            return (
                f"{command.place}\nended with {done.returncode}, expected {command.code}\n{printed}"
            )
        wrong = difference(wanted, printed)
        return f"{command.place}\n{wrong}" if wrong else None
