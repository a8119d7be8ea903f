"""Mutants of kernels: one small mistake each, made in the syntax tree of one function.

A mutant is installed by giving the function another code object, so it needs kernels that are plain
Python (NUMBA_DISABLE_JIT=1) and costs nothing to switch.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SHARED = ("toyvm.hart.csrfile", "toyvm.hart.trap", "toyvm.hart.mmu")
_HYPERVISOR = tuple(
    f"toyvm.hypervisor.{name}" for name in ("vcpu", "emulate", "shadow", "reflect", "mmio")
)
#: What is judged together.  `constants` are the masks and numbers of the other modules (isa above
#: all) and of their own that the kernels of the first two sets use, wrong wherever they are used.
SETS = {
    "shared": _SHARED,
    "hypervisor": _HYPERVISOR,
    "memory": ("toyvm.hart.access", "toyvm.hart.tlb", "toyvm.hart.events"),
    "constants": _SHARED + _HYPERVISOR,
}
#: Modules whose names are places in an array, not values; a few of them are values all the same.
_PLACES = {"s", "shadow", "ledger", "ops"}
_VALUES = ("MODE_", "EFFECT_", "MASK32", "NEVER")
COMPARE = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitXor: ast.BitOr,
    ast.FloorDiv: ast.Mult, ast.Mult: ast.Add,
}  # fmt: skip


Changes = Callable[[ast.AST], list[tuple[str, Any]]]


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is and what was done.

    `node` is the place in `ast.walk(source)`, `variant` which of its changes, `number` which of
    the mutants of this function that read alike.
    """

    module: str
    function: str
    line: int
    what: str
    number: int
    node: int
    variant: int
    source: ast.FunctionDef
    changes: Changes

    def __str__(self) -> str:
        return f"{self.module.split('.', 1)[1]}:{self.line} {self.function}: {self.what}"

    @property
    def name(self) -> str:
        """The same as long as the function is: it has no line in it."""
        again = f" ({self.number})" if self.number else ""
        return f"{self.module.split('.', 1)[1]}.{self.function}: {self.what}{again}"

    def install(self) -> None:
        """Give the function this code.  There is no way back but a process of its own."""
        tree = copy.deepcopy(self.source)
        self.changes(list(ast.walk(tree))[self.node])[self.variant][1]()
        install(self.module, tree)

    def changed(self, node: ast.AST) -> Any:
        """A copy of its node alone, with the mistake in it."""
        other = copy.deepcopy(node)
        self.changes(other)[self.variant][1]()
        return other


def install(module_name: str, tree: ast.FunctionDef) -> None:
    """Replace the code of a kernel by that of `tree`."""
    module: Any = importlib.import_module(module_name)
    tree.decorator_list = []
    unit = ast.fix_missing_locations(ast.Module([tree], []))
    names: dict[str, Any] = {}
    exec(compile(unit, module.__file__, "exec"), vars(module), names)
    getattr(module, tree.name).__code__ = names[tree.name].__code__


def text_hash(name: str) -> str:
    """Of the modules of a set and of the operators: what numbers and names of mutants depend on."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for module in SETS[name]:
        digest.update(Path(str(importlib.import_module(module).__file__)).read_bytes())
    return digest.hexdigest()[:12]


def _is_kernel(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(d, ast.Name) and d.id in ("kernel", "entry_kernel", "inline_kernel")
        for d in node.decorator_list
    )


def mutants(name: str) -> list[Mutant]:
    """All mutants of a set, in the order of the source."""
    out: list[Mutant] = []
    changes = _constants if name == "constants" else _changes
    for module in SETS[name]:
        path = Path(str(importlib.import_module(module).__file__))
        for function in ast.parse(path.read_text("utf-8")).body:
            if _is_kernel(function):
                assert isinstance(function, ast.FunctionDef)
                out += list(_of_function(module, function, changes))
    return out


def _of_function(module: str, function: ast.FunctionDef, changes: Changes) -> Iterator[Mutant]:
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        # The docstring is not code.
        function.body = body[1:] or [ast.Pass()]
    seen: Counter[str] = Counter()
    for index, node in enumerate(ast.walk(function)):
        if changes is _constants and changes(node) and not _value(module, node):
            continue  # nothing can be taken from 0, and twice 0 is 0
        for variant, (what, _) in enumerate(changes(node)):
            line = getattr(node, "lineno", 0)
            of = seen[what]
            yield Mutant(module, function.name, line, what, of, index, variant, function, changes)
            seen[what] += 1


def _value(module: str, node: ast.AST) -> Any:
    assert isinstance(node, ast.expr)
    return eval(ast.unparse(node), vars(importlib.import_module(module)))


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


def _constants(node: ast.AST) -> list[tuple[str, Any]]:
    """As `_changes`: a constant of a module loses its lowest bit, or is doubled."""
    text = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    module, _, name = text.rpartition(".")
    if not name.lstrip("_").isupper() or (module in _PLACES and not name.startswith(_VALUES)):
        return []
    if "." in module or module == "np":
        return []

    def become(op: ast.operator, right: ast.expr) -> Any:
        def change() -> None:
            left = copy.deepcopy(node)
            node.__class__ = ast.BinOp
            node.__dict__.update(left=left, op=op, right=right)

        return change

    less = ast.BinOp(copy.deepcopy(node), ast.Sub(), ast.Constant(1))  # type: ignore[arg-type]
    return [
        (f"{text} without its lowest bit", become(ast.BitAnd(), less)),
        (f"{text} doubled", become(ast.LShift(), ast.Constant(1))),
    ]


def _setter(node: ast.AST, field: str, value: Any) -> Any:
    return lambda: setattr(node, field, value)


def _emptier(node: ast.AST) -> Any:
    def change() -> None:
        # A statement that does nothing, in place of this one.
        place = {"lineno": node.lineno, "col_offset": 0}  # type: ignore[attr-defined]
        nothing = ast.Expr(ast.Constant(None, **place), **place)
        node.__class__ = ast.Expr
        node.__dict__.clear()
        node.__dict__.update(vars(nothing))

    return change
