"""The lines of one unit in the order in which they are assembled, and what they cost.

Files, includes, macro expansions and repetitions are frames on a stack; every line read and
every character produced counts against the limits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Problem, Reporter, Stop
from .frames import SPLIT, Frame
from .lexer import Span, blank_comments, split_line
from .limits import Limits
from .names import Names

if TYPE_CHECKING:
    from .conditions import Condition

ODD_BLANK = re.compile(
    "[\x1c-\x1f\x85\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]"
)
"""What looks like a blank, or like nothing, and is none."""

# What reading from a frame costs in statements: frames are kept for diagnostics.
_FRAME_COST = 4


class Reader(Names):
    """The stack of frames and of open conditions."""

    def __init__(self, reporter: Reporter, limits: Limits) -> None:
        super().__init__(reporter, limits)
        self.frames: list[Frame] = []
        self.conditions: list[Condition] = []
        self.skipping = False
        self.plain_blanks = True
        self.ended = False
        self.statements = 0
        self.expanded = 0

    def push_file(self, kind: str, name: str, text: str, parent: int) -> None:
        """Read the lines of a file or include next."""
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            self.reporter.add(
                Diagnostic(
                    "error", "the source contains a NUL character: it is not text", name, line
                )
            )
            raise Stop
        if ODD_BLANK.search(text) is not None:
            self.plain_blanks = False
        shown = text.split("\n")
        blanked, open_comment = blank_comments(text)
        if "\r\n" in blanked:
            blanked = blanked.replace("\r\n", "\n")
        self.texts.append(blanked)
        lines = shown if blanked is text else blanked.split("\n")
        frame = self.positions.new(kind, name, name, lines, range(1, len(shown) + 1), parent, shown)
        if open_comment >= 0:
            line = text.count("\n", 0, open_comment)
            column = open_comment - (text.rfind("\n", 0, open_comment) + 1)
            self.error_at(
                frame.base + line, "this comment is never closed", column, column + 2,
                hint="end it with */",
            )  # fmt: skip
        self.push_frame(frame)

    def push_frame(self, frame: Frame) -> None:
        """Read the frame's lines next."""
        frame.conditions = len(self.conditions)
        outer = self.frames[-1] if self.frames else None
        frame.depth = (outer.depth if outer else 0) + (frame.kind != SPLIT)
        if frame.depth > self.limits.macro_depth + 1:
            raise Problem(
                f"macros, repetitions and includes are nested deeper than "
                f"{self.limits.macro_depth}",
                operand=None,
                hint="a macro that calls itself needs an .if that ends the recursion",
                fatal=True,
            )
        self.count(_FRAME_COST)
        self.frames.append(frame)

    def end_frame(self, frame: Frame) -> None:
        """A frame has no more lines: repeat it, or go back to the one that holds it."""
        if frame.kind != SPLIT and len(self.conditions) > frame.conditions:
            opened = self.conditions[frame.conditions]
            self.error_at(opened.place, "this condition is never closed", hint="add .endif")
            del self.conditions[frame.conditions :]
            self.update_skipping()
        if frame.repeats > 0 and not self.ended:
            frame.repeats -= 1
            frame.index = 0
            self.count(1)
            self.expand(frame.characters)
            return
        self.frames.pop()

    def expand(self, characters: int) -> None:
        """Account for text that macros, repetitions and includes produce."""
        self.expanded += characters
        if self.expanded > self.limits.expansion_bytes:
            raise Problem(
                f"macros, repetitions and includes produce more than "
                f"{self.limits.expansion_bytes} characters",
                operand=None,
                fatal=True,
            )

    def count(self, lines: int) -> None:
        """Account for assembled lines; Problem when the bound is reached."""
        self.statements += lines
        if self.statements > self.limits.statements:
            raise Problem(
                f"more than {self.limits.statements} lines after expansion",
                operand=None,
                notes=["macros and repetitions count with every line they produce"],
                fatal=True,
            )

    def next_line(self) -> str | None:
        """The next raw line for a macro body; None at the end of the file or expansion."""
        while self.frames:
            frame = self.frames[-1]
            if frame.index < len(frame.lines):
                line = frame.lines[frame.index]
                frame.index += 1
                self.place = frame.base + frame.index - 1
                if ";" in line:
                    pieces = split_line(line)
                    if len(pieces) > 1:
                        self.split_frame(pieces)
                        continue
                return line
            if frame.kind != SPLIT:
                return None
            self.frames.pop()
        return None

    def split_frame(self, pieces: list[Span]) -> None:
        """Read the statements of one line one after the other."""
        frame = self.positions.frame(self.place)
        number = frame.numbers[self.place - frame.base]
        lines = [" " * p.start + p.text for p in pieces]
        self.expand(sum(map(len, lines)))
        self.push_frame(
            self.positions.new(
                SPLIT, frame.name, frame.file, lines, [number] * len(lines), self.place
            )
        )

    def update_skipping(self) -> None:
        """Whether lines are left out follows from the innermost condition."""
        self.skipping = bool(self.conditions) and not self.conditions[-1].active
