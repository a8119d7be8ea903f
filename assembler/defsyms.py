"""Symbols that the linker's caller defines: ``--defsym SYM=EXPRESSION``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .diagnostics import Reporter
from .script_nodes import Node, Script, ScriptError
from .script_reader import parse_expression
from .script_values import Evaluator, Lookup, Value


class Defsyms:
    """The symbols of ``--defsym SYM=EXPRESSION``."""

    def __init__(self, given: Sequence[tuple[str, str]], reporter: Reporter) -> None:
        self.reporter = reporter
        self.parsed: list[tuple[str, Script, Node]] = []
        for name, text in given:
            try:
                script, node = parse_expression(text, f"--defsym {name}")
            except ScriptError as error:
                reporter.add(error.diagnostic)
                continue
            self.parsed.append((name, script, node))

    @property
    def names(self) -> list[str]:
        """What they define."""
        return [name for name, _, _ in self.parsed]

    def numbers(self, lookup: Lookup) -> Iterator[tuple[str, int]]:
        """The names with their values as far as they are known: a script may ask for them."""
        values: dict[str, Value] = {}
        for name, script, node in self.parsed:
            evaluator = Evaluator(script, lookup)
            evaluator.values, evaluator.strict = values, False
            try:
                values[name] = evaluator.value(node)
            except ScriptError:
                continue
            if not evaluator.asked:
                yield name, values[name].number

    def evaluate(self, lookup: Lookup, publish: Callable[[str, int], None]) -> None:
        """Work them out, once everything else has an address."""
        values: dict[str, Value] = {}
        for name, script, node in self.parsed:
            evaluator = Evaluator(script, lookup)
            evaluator.values = values
            try:
                values[name] = evaluator.value(node)
            except ScriptError as error:
                self.reporter.add(error.diagnostic)
                continue
            publish(name, values[name].number)
