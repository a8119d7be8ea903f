"""What went wrong, where, what was expected and what to do: errors, warnings and their text.

A ``Diagnostic`` is plain data; ``render`` gives the text a person reads.  While assembling,
code that finds a mistake raises ``Problem``, which knows the operand but not the line; the
assembler turns it into a ``Diagnostic`` with the place.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .warnings import Warnings

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m"}
_BOLD = "\x1b[1m"
_BLUE = "\x1b[1;34m"
_OFF = "\x1b[0m"
_LONGEST_LINE = 160
_GIVE_UP = 5
_CANDIDATES = 3_000
_REPEATED = 200


@dataclass(frozen=True)
class Place:
    """A stretch of one source line; columns count characters from 1, 0 means unknown."""

    file: str
    line: int
    column: int = 0
    end_column: int = 0
    source: str = ""

    def __str__(self) -> str:
        text = self.file
        if self.line:
            text += f":{self.line}"
            if self.column:
                text += f":{self.column}"
        return text


@dataclass(frozen=True)
class Diagnostic:
    """One message about the source.

    ``severity`` is "error", "warning" or "note".  ``column`` and ``end_column`` count
    characters from 1; the marked text is ``source[column - 1 : end_column - 1]``.
    ``expected`` says what would have been right, ``notes`` give facts, ``hint`` says what to
    do.  ``related`` lists other places with a label each, e.g. the first definition of a
    symbol.  ``chain`` lists the macro calls and includes that lead here, innermost first.
    ``name`` identifies a kind of warning.
    """

    severity: str
    message: str
    file: str
    line: int
    column: int = 0
    end_column: int = 0
    source: str = ""
    expected: str = ""
    notes: tuple[str, ...] = ()
    hint: str = ""
    related: tuple[tuple[str, Place], ...] = ()
    chain: tuple[tuple[str, Place], ...] = ()
    name: str = ""

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.file, self.line, self.column, self.end_column, self.source)

    def as_json(self) -> dict[str, Any]:
        """Plain data for other programs; docs/assembler.md describes it."""
        return {
            "severity": self.severity,
            "name": self.name,
            "message": self.message,
            **_json_place(self.place),
            "expected": self.expected,
            "notes": list(self.notes),
            "hint": self.hint,
            "related": [{"message": text, **_json_place(place)} for text, place in self.related],
            "chain": [{"message": text, **_json_place(place)} for text, place in self.chain],
        }

    def render(self, color: bool = False) -> str:
        """The message as text of several lines, in the manner of rustc."""

        def paint(code: str, text: str) -> str:
            return f"{code}{text}{_OFF}" if color else text

        title = self.severity + (f"[{self.name}]" if self.name else "")
        head = paint(_COLOURS.get(self.severity, _BOLD), title)
        out = [head + paint(_BOLD, f": {self.message}")]
        margin = len(str(max([self.line, *(p.line for _, p in self.related)])))
        label = f"expected {self.expected}" if self.expected else ""
        bar = paint(_BLUE, "|")
        out += _excerpt(self.place, label, margin, paint)
        gap = " " * margin
        if label and not self.source:
            out.append(f"{gap} {paint(_BLUE, '=')} {label}")
        out += [f"{gap} {paint(_BLUE, '=')} note: {note}" for note in self.notes]
        if self.hint:
            out.append(f"{gap} {paint(_BLUE, '=')} help: {self.hint}")
        for text, place in self.related:
            out.append(f"{paint(_COLOURS['note'], 'note')}: {text}")
            out += _excerpt(place, "", margin, paint)
        for text, place in self.chain:
            out.append(f"{gap} {bar} {text} at {place}")
        return "\n".join(out)


def _json_place(place: Place) -> dict[str, Any]:
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end_column": place.end_column,
        "source": printable(place.source),
    }


def _excerpt(place: Place, label: str, margin: int, paint) -> list[str]:
    """The arrow line, the source line and the carets of one place."""
    gap = " " * margin
    out = [f"{gap}{paint(_BLUE, '-->')} {place}"]
    if not place.source.strip():
        return out
    bar = paint(_BLUE, "|")
    source = printable(place.source)
    start = max(place.column - 1, 0)
    end = max(place.end_column - 1, start + 1)
    if len(source) > _LONGEST_LINE:
        # A window around the marked text; everything else of a giant line is noise.
        cut = max(0, start - _LONGEST_LINE // 3)
        source = ("…" if cut else "") + source[cut : cut + _LONGEST_LINE] + "…"
        start -= cut - bool(cut)
        end = min(end - cut + bool(cut), len(source))
        end = max(end, start + 1)
    out.append(f"{gap} {bar}")
    number = paint(_BLUE, str(place.line).rjust(margin))
    out.append(f"{number} {bar} {source}".rstrip())
    if place.column:
        # Tabs keep their width under the same tabs of the line above.
        lead = "".join("\t" if c == "\t" else " " for c in source[:start])
        carets = "^" * (end - start) + (f" {label}" if label else "")
        out.append(f"{gap} {bar} {lead}{paint(_COLOURS['error'], carets)}")
    elif label:
        out.append(f"{gap} {paint(_BLUE, '=')} {label}")
    return out


def printable(text: str) -> str:
    """The text with control characters and broken bytes shown as one replacement each."""
    return "".join(
        c if c == "\t" or (c.isprintable() and not "\ud800" <= c <= "\udfff") else "\ufffd"
        for c in text
    )


class AssemblyError(Exception):
    """The sources have errors; no image was made.

    ``diagnostics`` lists the errors in the order they were found, then the warnings.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], *, more: int = 0) -> None:
        self.diagnostics: list[Diagnostic] = list(diagnostics)
        self.more = more
        super().__init__(self.render())

    @property
    def errors(self) -> list[Diagnostic]:
        """The diagnostics that are errors."""
        return [d for d in self.diagnostics if d.severity == "error"]

    def render(self, color: bool = False) -> str:
        """All messages as text, and a last line with their number."""
        parts = [d.render(color) for d in self.diagnostics]
        shown = len(self.errors)
        total = f"{shown + self.more} error{'s' if shown + self.more != 1 else ''}"
        if self.more:
            total += f" or more, {shown} shown"
        parts.append(total)
        return "\n\n".join(parts)


class Problem(Exception):
    """A mistake in the statement at hand, before its place is known.

    ``operand`` is the index of the operand that is wrong, None for the mnemonic or directive,
    -1 for the whole statement, -2 for all operands; ``span`` narrows it to characters inside
    that operand's text.  ``label`` says that the statement's label is wrong.  A ``consequence``
    is not reported if an earlier mistake explains it; after a ``fatal`` one assembly stops.
    """

    def __init__(
        self,
        message: str,
        *,
        operand: int | None = -1,
        span: tuple[int, int] | None = None,
        expected: str = "",
        notes: Iterable[str] = (),
        hint: str = "",
        related: Iterable[tuple[str, Place]] = (),
        fatal: bool = False,
        consequence: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operand = operand
        self.span = span
        self.expected = expected
        self.notes = tuple(notes)
        self.hint = hint
        self.related = tuple(related)
        self.fatal = fatal
        self.consequence = consequence
        self.label = False


class Stop(Exception):
    """Assembly cannot go on usefully: too many errors or a bound was reached."""


@dataclass
class Reporter:
    """Collects diagnostics: each once, at most ``max_errors`` errors kept.

    Warnings that ``warnings_on`` turns off are dropped, others may become errors.
    """

    warnings_on: Warnings
    max_errors: int = 20
    max_warnings: int = 100
    diagnostics: list[Diagnostic] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    repeated: int = 0
    _seen: set[tuple[str, str, int, int, str]] = field(default_factory=set)

    def add(self, item: Diagnostic) -> None:
        """Keep ``item`` unless it was seen before or there are too many of its kind."""
        if item.severity == "warning" and item.name:
            if item.name not in self.warnings_on.enabled:
                return
            if item.name in self.warnings_on.errors:
                item = replace(item, severity="error")
        key = (item.severity, item.file, item.line, item.column, item.message)
        if key in self._seen:
            # A repetition makes the same mistake again and again.
            self.repeated += 1
            if self.repeated > _REPEATED and self.errors:
                raise Stop
            return
        self._seen.add(key)
        if item.severity == "error":
            self.errors += 1
            if self.errors <= self.max_errors:
                self.diagnostics.append(item)
        else:
            self.warnings += 1
            if self.warnings <= self.max_warnings:
                self.diagnostics.append(item)
        if self.errors > _GIVE_UP * self.max_errors:
            raise Stop

    def absorb(self, other: Reporter) -> None:
        """Take over what another reporter collected, with what it counted but did not keep."""
        for item in other.diagnostics:
            self.add(item)
        kept = sum(d.severity == "error" for d in other.diagnostics)
        self.errors += other.errors - kept
        self.warnings += other.warnings - (len(other.diagnostics) - kept)

    def failure(self) -> AssemblyError:
        """The exception for what was collected: errors first."""
        errors = [d for d in self.diagnostics if d.severity == "error"]
        # What is missing elsewhere may be what makes a label look unused.
        others = [d for d in self.diagnostics if d.severity != "error" and d.name != "unused-label"]
        return AssemblyError(errors + others, more=max(0, self.errors - len(errors)))


def similar(word: str, known: Iterable[str], misfit: Callable[[str], int] = lambda name: 0) -> str:
    """The nearest known word, or "" if none is near; the least ``misfit`` decides ties."""
    if not 1 < len(word) <= 40:
        return ""
    lowered = word.lower()
    names = [n for n in islice(known, _CANDIDATES) if abs(len(n) - len(word)) <= 3]
    if lowered != word and lowered in names:
        return lowered
    found = difflib.get_close_matches(word, names, 6, 0.6)
    if not found:
        found = difflib.get_close_matches(lowered, names, 6, 0.6)
    # Among the near ones: the fewest slips, letters changed in place or swapped before others.

    def rank(name: str) -> tuple[int, int, int, int]:
        same = _alike(lowered, name) + _alike(lowered[::-1], name[::-1])
        slips = _slips(lowered, name.lower())
        return slips, misfit(name), abs(len(name) - len(word)), -same

    return min(found, key=rank, default="")


def _alike(a: str, b: str) -> int:
    """How many letters both begin with."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _slips(a: str, b: str) -> int:
    """Letters to insert, remove, change or swap with a neighbour, to come from one to the other."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]


def did_you_mean(
    word: str, known: Iterable[str], misfit: Callable[[str], int] = lambda name: 0
) -> str:
    """A hint sentence naming the nearest known word, or ""; see ``similar``."""
    near = similar(word, known, misfit)
    return f"did you mean `{near}`?" if near else ""
