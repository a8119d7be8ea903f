"""Guest output made safe and orderly for a shared terminal.

`toyvm run` hands the guest's bytes through untouched. Where several guests share one screen, a
guest's escape sequences must not be able to move the cursor into a neighbour's lines.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable, Iterable

# CSI, OSC and the short two-character escapes of ECMA-48.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
#: A line longer than this is cut into several: a guest that never ends a line must show up too.
MAX_LINE = 4096


def printable(text: str) -> str:
    """`text` without escape sequences and control characters (tabs and newlines stay)."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


class LineSplitter:
    """Turns a guest's bytes into whole printable lines, handed to `sink` one at a time."""

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """Take more bytes; complete lines go out at once."""
        self._rest += self._decoder.decode(data)
        while True:
            end = self._rest.find("\n")
            if end < 0:
                if len(self._rest) < MAX_LINE:
                    return
                end = MAX_LINE
                line, self._rest = self._rest[:end], self._rest[end:]
            else:
                line, self._rest = self._rest[:end], self._rest[end + 1 :]
            self._sink(printable(line))

    def finish(self) -> None:
        """Hand out an unfinished last line, if there is one."""
        self._rest += self._decoder.decode(b"", True)
        if self._rest:
            line, self._rest = self._rest, ""
            self._sink(printable(line))

    @property
    def unfinished(self) -> str:
        """The text after the last newline, made printable."""
        return printable(self._rest)


class Tail:
    """The last lines of a guest's console, for a pane of a live view."""

    def __init__(self, keep: int = 200) -> None:
        self._lines: deque[str] = deque(maxlen=keep)
        self._splitter = LineSplitter(self._lines.append)

    def feed(self, data: bytes) -> None:
        """Take more console bytes."""
        self._splitter.feed(data)

    def lines(self, count: int) -> list[str]:
        """The last `count` lines, the unfinished one included."""
        lines = list(self._lines)
        if self._splitter.unfinished:
            lines.append(self._splitter.unfinished)
        return lines[-count:] if count > 0 else []


def either(known: Iterable[object]) -> str:
    """A list of choices as a reader says it.

    >>> either(("u", "s", "pv"))
    'u, s or pv'
    """
    *most, last = [str(item) for item in known]
    return f"{', '.join(most)} or {last}" if most else last


def distance(a: str, b: str) -> int:
    """How many typing mistakes lie between two words: a letter more, less, other, or swapped."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def did_you_mean(word: str, known: Iterable[object]) -> str:
    """`; did you mean "x"?` for the nearest of `known`, or an empty string.

    >>> did_you_mean("teachso", ["teachos", "hello"])
    '; did you mean "teachos"?'
    """
    allowed = max(1, len(word) // 3)
    lower = word.lower()
    ranked = sorted(
        (distance(lower, name.lower()), index, name)
        for index, name in enumerate(str(item) for item in known)
        if abs(len(name) - len(word)) <= allowed
    )
    if not ranked or ranked[0][0] > allowed or (len(word) < 2 and ranked[0][0]):
        return ""
    return f'; did you mean "{ranked[0][2]}"?'
