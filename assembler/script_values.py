"""What expressions of linker scripts are worth.

Values are numbers or addresses: inside a section ``. = 16`` goes to 16 bytes behind its
beginning, ``. = ADDR`` to that address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from .diagnostics import did_you_mean
from .layout import up
from .script_nodes import Call, Node, Num, Op, Script, ScriptError, Sym

_CONSTANTS = {"MAXPAGESIZE": 0x1000, "COMMONPAGESIZE": 0x1000}
Lookup: TypeAlias = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or an address."""

    number: int
    address: bool = False


class Evaluator:
    """Works out expressions; what a script defines is looked up before all other names."""

    def __init__(self, script: Script, lookup: Lookup) -> None:
        self.script = script
        self.lookup = lookup
        self.values: dict[str, Value] = {}
        self.dot: Value | None = None
        self.strict = True
        self.asked: set[str] = set()
        """Names that an expression wanted in vain, while that is no mistake yet."""

    def error(self, message: str, at: int, hint: str = "") -> ScriptError:
        """An error at a place of the script."""
        return ScriptError(self.script.diagnostic("error", message, at, hint))

    def section(self, name: str, at: int) -> tuple[int, int, int, int]:
        """(address, size, load address, alignment) of an output section."""
        raise self.error(f"there is no section `{name}` here", at)

    def region(self, name: str, at: int) -> tuple[int, int]:
        """(origin, length) of a memory region."""
        raise self.error(f"there is no memory region `{name}`", at)

    def is_defined(self, name: str) -> bool:
        """What DEFINED says of a name."""
        return name in self.values or self.lookup(name) is not None

    def number(self, node: Node) -> int:
        """The value without its kind."""
        return self.value(node).number

    def value(self, node: Node, depth: int = 0) -> Value:
        """What an expression is worth here."""
        if isinstance(node, Num):
            return Value(node.value)
        if isinstance(node, Sym):
            return self.symbol(node)
        if isinstance(node, Call):
            return self.call(node)
        return self.operation(node)

    def symbol(self, node: Sym) -> Value:
        if node.name == ".":
            if self.dot is None:
                raise self.error("`.` has no meaning here", node.at)
            return self.dot
        known = self.values.get(node.name)
        if known is not None:
            return known
        found = self.lookup(node.name)
        if found is not None:
            return Value(found, True)
        if not self.strict:
            self.asked.add(node.name)
            return Value(0)
        raise self.error(
            f"`{node.name}` is not defined", node.at, did_you_mean(node.name, self.values)
        )

    def operation(self, node: Op) -> Value:
        op = node.op
        first = self.value(node.args[0])
        a = first.number
        if len(node.args) == 1:
            return Value({"-": -a, "~": ~a, "!": int(not a)}[op])
        if op == "?":
            return self.value(node.args[1] if a else node.args[2])
        if op in ("&&", "||"):
            if bool(a) == (op == "||"):
                return Value(int(bool(a)))
            return Value(int(bool(self.number(node.args[1]))))
        second = self.value(node.args[1])
        b = second.number
        if op in ("/", "%"):
            if b == 0:
                if not self.strict:
                    return Value(0)
                raise self.error("division by zero", node.at)
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return Value(quotient if op == "/" else a - b * quotient)
        if op in ("<<", ">>"):
            if not 0 <= b < 64:
                raise self.error(f"the shift amount {b} is out of range", node.at)
            return Value((a << b) & (1 << 64) - 1 if op == "<<" else a >> b)
        if op == "+":
            return Value(a + b, first.address or second.address)
        if op == "-":
            return Value(a - b, first.address and not second.address)
        if op in _COMPARISONS:
            return Value(int(_COMPARISONS[op](a, b)))
        both = first.address or second.address
        result = {"*": a * b, "&": a & b, "|": a | b, "^": a ^ b}[op]
        if abs(result) >= 1 << 64:
            raise self.error("this number is too large", node.at)
        return Value(result, both and op != "*")

    def call(self, node: Call) -> Value:
        name = node.function
        if name in ("ADDR", "SIZEOF", "LOADADDR", "ALIGNOF"):
            address, size, load, align = self.section(node.name, node.at)
            found = {"ADDR": address, "SIZEOF": size, "LOADADDR": load, "ALIGNOF": align}[name]
            return Value(found, name in ("ADDR", "LOADADDR"))
        if name in ("ORIGIN", "LENGTH"):
            origin, length = self.region(node.name, node.at)
            return Value(origin, True) if name == "ORIGIN" else Value(length)
        if name == "DEFINED":
            return Value(int(self.is_defined(node.name)))
        if name == "CONSTANT":
            if node.name not in _CONSTANTS:
                raise self.error(f"`{node.name}` is not a constant", node.at,
                                 did_you_mean(node.name, _CONSTANTS))  # fmt: skip
            return Value(_CONSTANTS[node.name])
        args = [self.value(a) for a in node.args]
        if name in ("MAX", "MIN"):
            pick = max if name == "MAX" else min
            return pick(args, key=lambda v: v.number)
        if name in ("ALIGN", "BLOCK"):
            if len(args) == 1:
                if self.dot is None:
                    raise self.error("`.` has no meaning here", node.at)
                return Value(self.up(self.dot.number, args[0].number, node.at), True)
            return Value(self.up(args[0].number, args[1].number, node.at), True)
        if name == "NEXT":
            base = self.dot.number if self.dot else 0
            return Value(self.up(base + 1, args[0].number, node.at), True)
        if name == "DATA_SEGMENT_ALIGN":
            if self.dot is None:
                raise self.error("`.` has no meaning here", node.at)
            page = args[0].number
            return Value(
                self.up(self.dot.number, page, node.at) + (self.dot.number & (page - 1)), True
            )
        if name == "LOG2CEIL":
            return Value(max(args[0].number - 1, 0).bit_length())
        if name == "ASSERT":
            if not args[0].number and self.strict:
                raise self.error(node.name, node.at)
            return args[0]
        return Value(args[0].number, True)

    def up(self, value: int, align: int, at: int) -> int:
        """The next multiple."""
        if align < 1 or align & (align - 1):
            if align == 0 or not self.strict:
                return value
            raise self.error(f"the alignment {align} is not a power of two", at)
        return up(value, align)


_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}  # fmt: skip
