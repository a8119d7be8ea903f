"""Turning mistakes into diagnostics: the place, the columns, the chain of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .diagnostics import Diagnostic, Place, Problem, Reporter, Stop
from .frames import MACRO, REPEAT, Frames
from .lexer import Span, parse_statement, split_line, split_operands
from .limits import Limits

WHOLE = -2
"""As an operand index: all operands together."""


class Reporting:
    """Knows the present place in the source and reports problems there."""

    def __init__(self, reporter: Reporter, limits: Limits) -> None:
        self.reporter = reporter
        self.limits = limits
        self.positions = Frames()
        self.place = -1
        self.piece = 0
        self.incomplete = False

    def guarded(self, action: Callable[..., None], *args: Any) -> None:
        """Do it, and report the mistake it may find."""
        try:
            action(*args)
        except (Problem, RecursionError) as mistake:
            self.failed(mistake)

    def failed(self, mistake: Problem | RecursionError) -> None:
        """Report what stopped a statement; Stop if nothing can follow it."""
        if isinstance(mistake, RecursionError):
            mistake = Problem("this is nested too deeply", operand=None)
        self.report(mistake)
        if mistake.fatal:
            raise Stop from None

    def report(self, problem: Problem, severity: str = "error", name: str = "") -> None:
        """Turn a mistake in the present statement into a diagnostic.

        A consequence of an earlier mistake is not worth a message of its own.
        """
        if problem.consequence and self.incomplete:
            return
        start, end = self.span_of(problem)
        self.diagnose(
            self.place, severity, problem.message, start, end, expected=problem.expected,
            notes=problem.notes, hint=problem.hint, related=problem.related, name=name,
        )  # fmt: skip

    def warn(self, name: str, message: str, *, operand: int | None = None, hint: str = "") -> None:
        """A warning about the present statement."""
        self.report(Problem(message, operand=operand, hint=hint), "warning", name)

    def error_at(
        self, place: int, message: str, start: int = 0, end: int = 0, *, hint: str = ""
    ) -> None:
        """An error at a position."""
        self.diagnose(place, "error", message, start, end, hint=hint)

    def diagnose(
        self, place: int, severity: str, message: str, start: int, end: int, **more: Any
    ) -> None:
        """Report at a position; columns count from 0, an empty range marks the statement."""
        where = self.positions.locate(place)
        source = where.source
        chain: tuple[tuple[str, Place], ...] = ()
        if place >= 0:
            if self.positions.frame(place).kind in (MACRO, REPEAT):
                source = self.positions.text(place)
            if end <= start:
                statement = self.positions.text(place).split("#")[0].rstrip()
                start, end = len(statement) - len(statement.lstrip()), len(statement)
            chain = self.positions.chain(place)
        item = Diagnostic(
            severity, message, where.file, where.line, start + 1, end + 1, source,
            chain=chain, **more,
        )  # fmt: skip
        self.reporter.add(item)

    def mark(self, place: Place, word: str) -> Place:
        """The place with columns around the first occurrence of a word."""
        start, end = find_word(place.source, word)
        if end == 0:
            return place
        return Place(place.file, place.line, start + 1, end + 1, place.source)

    def columns(self, place: int, word: str) -> tuple[int, int]:
        """Columns (from 0) of a word in the line at a position, (0, 0) if it is not there."""
        return find_word(self.positions.text(place), word)

    def span_of(self, problem: Problem) -> tuple[int, int]:
        """The columns (from 0) that a problem is about."""
        if self.place < 0:
            return 0, 0
        pieces = split_line(self.positions.text(self.place))
        statement = parse_statement(pieces[min(self.piece, len(pieces) - 1)])
        op, operands = statement.op, statement.operands
        label = statement.labels[-1] if statement.labels else None
        if problem.label or op is None:
            return (label.start, label.end) if label else (0, 0)
        head = statement.target or op
        if problem.operand is None:
            return head.start, head.end
        if problem.operand == WHOLE:
            spans = [operands]
            index = 0
        else:
            spans = split_operands(operands.text, operands.start)
            index = problem.operand
        if 0 <= index < len(spans):
            return _inside(spans[index], problem.span)
        if index >= 0:
            return operands.end, operands.end + 1
        return head.start, max(operands.end if operands.text else op.end, op.end)


def _inside(span: Span, part: tuple[int, int] | None) -> tuple[int, int]:
    """The columns of an operand, or of a part of it."""
    if part is not None:
        return span.start + part[0], span.start + part[1]
    lead = len(span.text) - len(span.text.lstrip())
    return span.start + lead, span.start + lead + max(len(span.text.strip()), 1)


def find_word(text: str, word: str) -> tuple[int, int]:
    """Columns (from 0) of the first whole-word occurrence, (0, 0) if there is none."""
    at = -1
    while word:
        at = text.find(word, at + 1)
        if at < 0:
            break
        before = text[at - 1] if at else " "
        after = text[at + len(word) : at + len(word) + 1] or " "
        if not (before.isalnum() or before in "_.$" or after.isalnum() or after in "_.$"):
            return at, at + len(word)
    return 0, 0
