"""What a check does to a mutant before it is asked to kill it.

All mutants of a set are watched in one run of the kernels as they are: every expression that a
mutant changes is computed in both ways, and the mutant is *noticed* where the values differ.  A
check that never notices a mutant cannot kill it, so it need not be run on it.  Where computing
something twice would do something twice, getting there counts as noticing.
"""

from __future__ import annotations

import ast
import copy
import importlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from tests.mutation.mutants import Mutant, install

#: Calls that only compute.
_PURE = {"int64", "uint64", "int32", "uint32", "load8", "load16", "load32"}


class Watch:
    """Puts the watching code into the kernels; `seen` holds numbers of noticed mutants."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.seen: set[int] = set()
        self._codes: list[tuple[Any, Any]] = []
        functions: dict[tuple[str, str], dict[int, list[tuple[int, Mutant]]]] = {}
        sources: dict[tuple[str, str], ast.FunctionDef] = {}
        for number, mutant in enumerate(mutants):
            where = mutant.module, mutant.function
            sources[where] = mutant.source
            at = functions.setdefault(where, defaultdict(list))
            at[mutant.node].append((number, mutant))
        for (module, name), wanted in functions.items():
            space = vars(importlib.import_module(module))
            space["_both"], space["_here"] = self.both, self.here
            tree = copy.deepcopy(sources[module, name])
            places = {id(node): wanted[i] for i, node in enumerate(ast.walk(tree)) if i in wanted}
            self._codes.append((space[name], space[name].__code__))
            install(module, _Probes(places).visit(tree))

    def remove(self) -> None:
        """The kernels as they were."""
        for function, code in self._codes:
            function.__code__ = code

    def both(self, value: Any, other: Callable[[], Any], number: int) -> Any:
        """The value of an expression; `other` computes the mutant's."""
        if number not in self.seen:
            try:
                if value != other():
                    self.seen.add(number)
            except Exception:
                self.seen.add(number)
        return value

    def here(self, value: Any, number: int) -> Any:
        """A mutant's place has been reached."""
        self.seen.add(number)
        return value


def _only_computes(node: ast.AST) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else part.func.id  # type: ignore[attr-defined]
            if name not in _PURE:
                return False
    return True


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _later(value: ast.expr) -> ast.Lambda:
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(nothing, value)


class _Probes(ast.NodeTransformer):
    def __init__(self, places: dict[int, list[tuple[int, Mutant]]]) -> None:
        self.places = places

    def visit(self, node: ast.AST) -> Any:
        mine = self.places.get(id(node), [])
        others = [(number, mutant.changed(node)) for number, mutant in mine]
        before = copy.deepcopy(node) if mine else node
        done: Any = self.generic_visit(node)
        for number, other in others:
            key = ast.Constant(number)
            if isinstance(done, ast.If | ast.While):
                done.test = _call("_here", done.test, key)
            elif isinstance(done, ast.expr):
                if _only_computes(other):
                    done = _call("_both", done, _later(other), key)
                else:
                    done = _call("_here", done, key)
            else:
                return [ast.Expr(self._statement(before, key)), done]
        return done

    @staticmethod
    def _statement(node: ast.AST, key: ast.expr) -> ast.expr:
        """A statement is missed only if it changes something."""
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            place: Any = copy.deepcopy(node.targets[0])
            place.ctx = ast.Load()
            if _only_computes(node):
                return _call("_both", node.value, _later(place), key)
        return _call("_here", ast.Constant(None), key)
