"""Mutants of kernels: one small mistake each, made in the syntax tree of one function.

A mutant is installed by giving the function another code object, so it needs kernels that are plain
Python (NUMBA_DISABLE_JIT=1) and costs nothing to switch.
"""

from __future__ import annotations

import ast
import copy
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETS = {
    "shared": ("toyvm.hart.csrfile", "toyvm.hart.trap", "toyvm.hart.mmu"),
    "hypervisor": tuple(
        f"toyvm.hypervisor.{name}" for name in ("vcpu", "emulate", "shadow", "reflect", "mmio")
    ),
}
COMPARE = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitXor: ast.BitOr,
    ast.FloorDiv: ast.Mult, ast.Mult: ast.Add,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is, what was done, and the function with it."""

    module: str
    function: str
    line: int
    what: str
    tree: ast.FunctionDef

    def __str__(self) -> str:
        return f"{self.module.split('.', 1)[1]}:{self.line} {self.function}: {self.what}"

    def install(self) -> None:
        """Give the function this code.  There is no way back but a process of its own."""
        module: Any = importlib.import_module(self.module)
        tree = copy.deepcopy(self.tree)
        tree.decorator_list = []
        unit = ast.fix_missing_locations(ast.Module([tree], []))
        names: dict[str, Any] = {}
        exec(compile(unit, module.__file__, "exec"), vars(module), names)
        getattr(module, self.function).__code__ = names[self.function].__code__


def _is_kernel(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(d, ast.Name) and d.id in ("kernel", "entry_kernel") for d in node.decorator_list
    )


def mutants(name: str) -> list[Mutant]:
    """All mutants of a set, in the order of the source."""
    out = []
    for module in SETS[name]:
        path = Path(str(importlib.import_module(module).__file__))
        for function in ast.parse(path.read_text("utf-8")).body:
            if _is_kernel(function):
                assert isinstance(function, ast.FunctionDef)
                out += list(_of_function(module, function))
    return out


def _of_function(module: str, function: ast.FunctionDef) -> Iterator[Mutant]:
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        # The docstring is not code.
        function = copy.deepcopy(function)
        function.body = function.body[1:] or [ast.Pass()]
    nodes = list(ast.walk(function))
    for index, node in enumerate(nodes):
        for variant, (what, change) in enumerate(_changes(node)):
            tree = copy.deepcopy(function)
            target = list(ast.walk(tree))[index]
            list(_changes(target))[variant][1]()
            assert change
            yield Mutant(module, function.name, getattr(node, "lineno", 0), what, tree)


def _changes(node: ast.AST) -> list[tuple[str, Any]]:
    """(description, what makes the change in this very node)."""
    found: list[tuple[str, Any]] = []
    text = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else ""
    short = text.splitlines()[0] if text else ""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARE.get(type(node.ops[0]), ()):
            found.append((f"`{short}` with {other.__name__}", _setter(node, "ops", [other()])))
    elif isinstance(node, ast.BoolOp):
        op: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        found.append((f"`{short}` with {type(op).__name__}", _setter(node, "op", op)))
    elif isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        kind = BINARY[type(node.op)]
        found.append((f"`{short}` with {kind.__name__}", _setter(node, "op", kind())))
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        test = ast.UnaryOp(ast.Not(), node.test)
        if not (isinstance(node, ast.While) and isinstance(node.test, ast.Constant)):
            found.append((f"negated `{ast.unparse(node.test)}`", _setter(node, "test", test)))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
        found.append((f"`{short}` without the operator", _setter(node, "op", ast.UAdd())))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        found.append((f"{node.value} turned", _setter(node, "value", not node.value)))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        found.append((f"{node.value} + 1", _setter(node, "value", node.value + 1)))
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) and text:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        # Without its first assignment a local name would only be missing.
        if not isinstance(target, ast.Name | ast.Tuple):
            found.append((f"without `{short}`", _emptier(node)))
    return found


def _setter(node: ast.AST, field: str, value: Any) -> Any:
    return lambda: setattr(node, field, value)


def _emptier(node: ast.AST) -> Any:
    def change() -> None:
        # A statement that does nothing, in place of this one.
        place = {"lineno": node.lineno, "col_offset": 0}  # type: ignore[attr-defined]
        nothing = ast.Expr(ast.Constant(None, **place), **place)
        node.__class__ = ast.Expr  # type: ignore[assignment]
        node.__dict__.clear()
        node.__dict__.update(vars(nothing))

    return change
