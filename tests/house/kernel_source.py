"""The kernels' source as syntax trees, for tests that lint it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import toyvm

ROOT = Path(toyvm.__file__).parent
DECORATORS = {"kernel", "entry_kernel", "inline_kernel"}


@dataclass(frozen=True)
class Kernel:
    """One compiled function: its module (below toyvm, dotted), its file and its tree."""

    module: str
    path: Path
    function: ast.FunctionDef

    @property
    def name(self) -> str:
        return self.function.name

    def place(self, node: ast.AST) -> str:
        """Where a node is, for a message."""
        line = getattr(node, "lineno", 0)
        return f"{self.path.relative_to(ROOT.parent)}:{line} ({self.name})"

    def walk(self) -> Iterator[ast.AST]:
        """All nodes of the body."""
        for statement in self.function.body:
            yield from ast.walk(statement)


def _decorated(function: ast.FunctionDef) -> bool:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id in DECORATORS:
            return True
        if isinstance(decorator, ast.Attribute) and decorator.attr in DECORATORS:
            return True
    return False


@cache
def kernels() -> tuple[Kernel, ...]:
    """Every kernel of the project, those of jit.py's uncompiled stand-ins included."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and _decorated(node):
                found.append(Kernel(module, path, node))
    return tuple(found)


def loop_kernels() -> list[Kernel]:
    """All kernels but the stand-ins for raw loads and stores in jit.py."""
    return [kernel for kernel in kernels() if kernel.module != "jit"]


def called(node: ast.Call) -> str:
    """The last name of what is called: `f` of `f()` and of `module.f()`."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""
