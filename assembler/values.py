"""What expressions mean at a place: symbols, addresses relative to sections, and the rest.

A bound value is an int, a ``Rel`` (a section or symbol plus a number) or a ``Tree`` over
bound values that only the final addresses can work out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from .diagnostics import Problem
from .expressions import (
    Binary,
    Expr,
    Here,
    Local,
    Modified,
    Name,
    Quoted,
    Unary,
    compute,
    compute_unary,
)
from .sections import Section

UNDEFINED = 0
LABEL = 1
ABSOLUTE = 2
EXPRESSION = 3
COMMON = 4

LOCAL_BINDING = 0
GLOBAL_BINDING = 1
WEAK_BINDING = 2


class Symbol:
    """A symbol of one unit.

    What is never set stays in the class: most symbols have a name and a place, and there are
    many of them.

    ``state`` says how it is defined: LABEL (``section`` and offset ``value``), ABSOLUTE
    (``value``), EXPRESSION (``bound``) or COMMON (``value`` bytes, ``align``).  ``variable``
    marks one that ``.set`` may define again.  ``target`` leads to the definition in another
    unit after linking.  ``elf_name`` is the name in an object file if it is another one.
    ``visibility`` is that of ELF: 0 default, 1 internal, 2 hidden, 3 protected.
    ``weakref`` is what an alias of ``.weakref`` stands for; tables do not list aliases.
    Places are packed source positions, -1 for none.
    """

    state: int = UNDEFINED
    section: Section | None = None
    value: int = 0
    bound: Bound = 0
    binding: int = LOCAL_BINDING
    declared: bool = False
    variable: bool = False
    type: str = ""
    size: Bound = 0
    align: int = 1
    visibility: int = 0
    weakref: Symbol | None = None
    defined_at: int = -1
    used_at: int = -1
    target: Symbol | None = None
    elf_name: str = ""
    reference: Rel | None = None
    resolving: bool = False

    def __init__(
        self,
        name: str,
        state: int = UNDEFINED,
        section: Section | None = None,
        value: int = 0,
        **more: Any,
    ) -> None:
        self.name = name
        if state != UNDEFINED:
            self.state, self.section, self.value = state, section, value
        if more:
            for key, given in more.items():
                setattr(self, key, given)

    def __repr__(self) -> str:
        return f"Symbol({self.name!r}, state={self.state}, value={self.value})"


@dataclass(eq=False, slots=True)
class Rel:
    """An address: the start of a section, or a symbol, plus ``addend`` bytes; never changed."""

    base: Section | Symbol
    addend: int


@dataclass(eq=False, slots=True)
class Tree:
    """An operation left for later; ``b`` is None for a unary one.  Never changed."""

    op: str
    a: Bound
    b: Bound | None
    nodes: int


Bound: TypeAlias = int | Rel | Tree

_LARGEST_TREE = 250
_DEEPEST = 300


class Scope:
    """What ``bind`` needs to know of the place: implemented by the unit under assembly."""

    def lookup(self, name: str, quoted: bool = False) -> Symbol:
        """The symbol of that name, created undefined if it is new."""
        raise KeyError(name)

    def local(self, number: int, forward: bool) -> Symbol:
        """The numeric label that 1b or 1f means here."""
        raise KeyError(number)

    def here(self) -> Rel | int:
        """The location counter."""
        raise KeyError(".")


def bind(tree: Expr, scope: Scope) -> Bound:
    """Give the tree its meaning at the present place."""
    if isinstance(tree, Name):
        return symbol_value(scope.lookup(tree.name, isinstance(tree, Quoted)))
    if isinstance(tree, int):
        return tree
    if isinstance(tree, Local):
        return symbol_value(scope.local(tree.number, tree.forward))
    if isinstance(tree, Here):
        return scope.here()
    if isinstance(tree, Unary):
        return fold_unary(tree.op, bind(tree.a, scope))
    if isinstance(tree, Binary):
        return fold(tree.op, bind(tree.a, scope), bind(tree.b, scope))
    assert isinstance(tree, Modified)
    if tree.op == "plt":
        raise Problem("`@plt` belongs to `call` and `tail`", hint="leave `@plt` away")
    raise Problem(
        f"`%{tree.op}` cannot be used here",
        hint="relocation operators belong into lui, auipc, addi, loads and stores",
    )


def bind_stored(tree: Expr, scope: Scope) -> Bound:
    """Like ``bind``, for a value that is stored: a distance inside code stays a difference.

    GNU as leaves such distances to the linker, because linkers may shorten code.
    """
    value = bind(tree, scope)
    if not isinstance(value, int) or not isinstance(tree, Binary):
        return value
    plus: list[Rel] = []
    minus: list[Rel] = []
    if not _collect(tree, scope, plus, minus) or len(plus) != 1 or len(minus) != 1:
        return value
    first, second = plus[0], minus[0]
    base = anchored(second).base
    if not isinstance(base, Section) or not base.code:
        return value
    here, there = anchored(first), anchored(second)
    rest = value - (here.addend - there.addend)
    return Tree("-", Rel(first.base, first.addend + rest), second, 3)


def _collect(tree: Expr, scope: Scope, plus: list[Rel], minus: list[Rel]) -> bool:
    """The addresses that a sum adds and takes away; False if it is no plain sum."""
    if isinstance(tree, Binary):
        if tree.op not in ("+", "-"):
            return isinstance(bind(tree, scope), int)
        left = _collect(tree.a, scope, plus, minus)
        if tree.op == "+":
            return left and _collect(tree.b, scope, plus, minus)
        return left and _collect(tree.b, scope, minus, plus)
    if isinstance(tree, Unary):
        return isinstance(bind(tree, scope), int)
    value = bind(tree, scope)
    if isinstance(value, Rel):
        plus.append(value)
    return isinstance(value, int | Rel)


def symbol_value(symbol: Symbol) -> Bound:
    """The symbol as a bound value: a number if it is one now, else a reference to it."""
    if symbol.state == ABSOLUTE:
        return symbol.value
    reference = symbol.reference
    if reference is None:
        reference = symbol.reference = Rel(symbol, 0)
    return reference


def anchored(value: Rel) -> Rel:
    """The same address relative to its section, if that is known now and will not change."""
    base: Section | Symbol = value.base
    addend = value.addend
    for _ in range(_DEEPEST):
        if isinstance(base, Section):
            if base.parent is not None and base.shift >= 0:
                return Rel(base.parent, addend + base.shift)
            break
        if base.binding == WEAK_BINDING:
            break
        if base.state == LABEL and base.section is not None:
            addend += base.value
            base = base.section
            continue
        further = base.bound
        if base.state != EXPRESSION or not isinstance(further, Rel):
            break
        base, addend = further.base, further.addend + addend
    return Rel(base, addend)


def _size(value: Bound) -> int:
    return value.nodes if isinstance(value, Tree) else 1


def fold_unary(op: str, a: Bound) -> Bound:
    """``op a``, now if possible."""
    if isinstance(a, int):
        return compute_unary(op, a)
    return Tree(op, a, None, _size(a) + 1)


def fold(op: str, a: Bound, b: Bound) -> Bound:
    """``a op b``, now if possible; Problem if the arithmetic is impossible."""
    if isinstance(a, int) and isinstance(b, int):
        try:
            return compute(op, a, b)
        except ArithmeticError as error:
            raise Problem(str(error)) from None
    if isinstance(a, Rel):
        if isinstance(b, int):
            if op == "+":
                return Rel(a.base, a.addend + b)
            if op == "-":
                return Rel(a.base, a.addend - b)
        elif isinstance(b, Rel) and op in _DIFFERENCE_OPS:
            first, second = anchored(a), anchored(b)
            if first.base is second.base:
                return compute(op, first.addend, second.addend)
    elif isinstance(a, int) and isinstance(b, Rel) and op == "+":
        return Rel(b.base, a + b.addend)
    nodes = _size(a) + _size(b) + 1
    if nodes > _LARGEST_TREE:
        raise Problem("this expression is too large")
    return Tree(op, a, b, nodes)


# Operations on two addresses of one section that do not depend on where the section goes.
_DIFFERENCE_OPS = frozenset(["-", "==", "=", "!=", "<>", "<", ">", "<=", ">="])


class Unresolved(Exception):
    """A value needs a symbol that has no definition, or that is defined by itself."""

    def __init__(self, symbol: Symbol, circular: bool = False) -> None:
        super().__init__(symbol.name)
        self.symbol = symbol
        self.circular = circular


def resolve(value: Bound, depth: int = 0) -> int:
    """The number that the value is once sections have addresses.

    Raises Unresolved for an undefined symbol (a weak one counts as 0) and Problem for
    impossible arithmetic.
    """
    if isinstance(value, Rel):
        base = value.base
        if isinstance(base, Section):
            return base.address + value.addend
        if base.state == LABEL and base.target is None and base.section is not None:
            return base.section.address + base.value + value.addend
        return symbol_address(base, depth) + value.addend
    if isinstance(value, int):
        return value
    if depth > _DEEPEST:
        raise Problem("this expression is nested too deeply")
    a = resolve(value.a, depth + 1)
    if value.b is None:
        return compute_unary(value.op, a)
    b = resolve(value.b, depth + 1)
    try:
        return compute(value.op, a, b)
    except ArithmeticError as error:
        raise Problem(str(error)) from None


def symbol_address(symbol: Symbol, depth: int = 0) -> int:
    """The final value of a symbol; Unresolved if it has none."""
    if depth > _DEEPEST:
        raise Unresolved(symbol, circular=True)
    if symbol.target is not None:
        return symbol_address(symbol.target, depth + 1)
    if symbol.state == LABEL:
        assert symbol.section is not None
        return symbol.section.address + symbol.value
    if symbol.state == ABSOLUTE:
        return symbol.value
    if symbol.state == EXPRESSION:
        if symbol.resolving:
            raise Unresolved(symbol, circular=True)
        symbol.resolving = True
        try:
            return resolve(symbol.bound, depth + 1)
        finally:
            symbol.resolving = False
    if symbol.binding == WEAK_BINDING and symbol.state == UNDEFINED:
        return 0
    raise Unresolved(symbol)


Resolver: TypeAlias = Callable[[Bound], int]
