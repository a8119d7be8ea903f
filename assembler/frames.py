"""Where lines come from: files, includes, macro expansions and repetitions, and positions.

A source position is packed into one int, frame number and line index, so that recording one
for every instruction costs nothing; ``Frames`` unpacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .diagnostics import Place

_INDEX_BITS = 28
_INDEX_MASK = (1 << _INDEX_BITS) - 1

FILE = "file"
INCLUDE = "include"
MACRO = "macro"
REPEAT = "repeat"
SPLIT = "split"


@dataclass(eq=False, slots=True)
class Frame:
    """A run of lines being read.

    ``numbers`` gives the line number in ``file`` of each line; ``parent`` is the packed
    position of the call, include or ``.rept``, -1 for the source itself.  ``repeats`` counts
    further passes over the lines, each of ``characters``.  A SPLIT frame holds the
    statements of one line.
    """

    kind: str
    name: str
    file: str
    lines: Sequence[str]
    numbers: Sequence[int]
    parent: int
    base: int
    shown: Sequence[str]
    index: int = 0
    repeats: int = 0
    conditions: int = 0
    depth: int = 0
    characters: int = 0


@dataclass
class Frames:
    """All frames of one unit, and the meaning of packed positions."""

    frames: list[Frame] = field(default_factory=list)

    def new(
        self,
        kind: str,
        name: str,
        file: str,
        lines: Sequence[str],
        numbers: Sequence[int],
        parent: int,
        shown: Sequence[str] | None = None,
    ) -> Frame:
        """Register a frame."""
        base = len(self.frames) << _INDEX_BITS
        frame = Frame(
            kind, name, file, lines, numbers, parent, base, lines if shown is None else shown
        )
        self.frames.append(frame)
        return frame

    def frame(self, place: int) -> Frame:
        """The frame of a packed position."""
        return self.frames[place >> _INDEX_BITS]

    def text(self, place: int) -> str:
        """The line at a position, as it was assembled."""
        frame = self.frame(place)
        return frame.lines[place & _INDEX_MASK]

    def locate(self, place: int) -> Place:
        """The file, line and text of a position; no columns."""
        if place < 0:
            return Place("<command line>", 0)
        frame = self.frame(place)
        index = place & _INDEX_MASK
        if frame.kind == SPLIT:
            parent = self.locate(frame.parent)
            return Place(frame.file, frame.numbers[index], 0, 0, parent.source)
        return Place(frame.file, frame.numbers[index], 0, 0, frame.shown[index])

    def outermost(self, place: int) -> tuple[str, int]:
        """The file and line outside all macros and repetitions: what a debugger shows."""
        while True:
            frame = self.frame(place)
            if frame.kind in (FILE, INCLUDE) or frame.parent < 0:
                return frame.file, frame.numbers[place & _INDEX_MASK]
            if frame.kind == REPEAT:
                # The body of a repetition stands in the file (or macro) that holds it.
                holder = self.frame(frame.parent)
                if holder.kind in (FILE, INCLUDE):
                    return frame.file, frame.numbers[place & _INDEX_MASK]
            place = frame.parent

    def outermosts(self, places: Iterable[int]) -> Iterator[tuple[str, int]]:
        """``outermost`` of many places; each frame is looked at once."""
        numbers: dict[int, tuple[str, Sequence[int] | int]] = {}
        for place in places:
            known = numbers.get(place >> _INDEX_BITS)
            if known is None:
                frame = self.frame(place)
                file, line = self.outermost(place)
                # All lines of a macro stand for the line that calls it.
                direct = frame.kind in (FILE, INCLUDE) or frame.parent < 0
                if not direct and frame.kind == REPEAT:
                    direct = self.frame(frame.parent).kind in (FILE, INCLUDE)
                known = numbers[place >> _INDEX_BITS] = file, frame.numbers if direct else line
            file, lines = known
            yield file, lines if isinstance(lines, int) else lines[place & _INDEX_MASK]

    def chain(self, place: int) -> tuple[tuple[str, Place], ...]:
        """The calls and includes that lead to a position, innermost first."""
        out: list[tuple[str, Place]] = []
        while place >= 0:
            frame = self.frame(place)
            if frame.parent >= 0 and frame.kind != SPLIT:
                text = {
                    INCLUDE: "included",
                    MACRO: f"in the expansion of macro `{frame.name}`, called",
                    REPEAT: f"in the repetition `{frame.name}`",
                }.get(frame.kind, "from")
                if len(out) < 12:
                    out.append((text, self.locate(frame.parent)))
            place = frame.parent
        return tuple(out)
