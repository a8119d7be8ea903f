"""Expressions: registers, CSRs, symbols, memory and C's operators.

    $a0+8   $sp   $mstatus   main+0x10   *$sp   {char}buffer   (1 << 12) - 1   'A'   $1

Values are Python integers; an address is used modulo 2^32. `$1` is a value printed before.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from toyvm.isa.csr import BY_NAME as CSR_BY_NAME
from toyvm.isa.registers import NUMBERS
from toyvm.ui.text import did_you_mean

from .errors import DebugError
from .target import MASK32

if TYPE_CHECKING:
    from .session import Session

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)(?![\w.])"
    r"|(?P<char>'(?:\\.|[^'\\])')"
    r"|(?P<register>\$[A-Za-z_]?[\w.]*)"
    r"|(?P<name>[A-Za-z_.][\w.$]*)"
    r"|(?P<type>\{[^}]*\})"
    r"|(?P<op><<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>()])"
    r")"
)

#: Type in braces -> (bytes, signed).
TYPES = {
    "char": (1, True),
    "byte": (1, False),
    "uint8_t": (1, False),
    "int8_t": (1, True),
    "short": (2, True),
    "half": (2, False),
    "uint16_t": (2, False),
    "int16_t": (2, True),
    "int": (4, True),
    "long": (4, True),
    "word": (4, False),
    "unsigned": (4, False),
    "uint32_t": (4, False),
    "int32_t": (4, True),
}

_LEVELS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: int(bool(a) or bool(b))},
    {"&&": lambda a, b: int(bool(a) and bool(b))},
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b),
        "<=": lambda a, b: int(a <= b),
        ">": lambda a, b: int(a > b),
        ">=": lambda a, b: int(a >= b),
    },
    {"<<": lambda a, b: _shift(a, b, True), ">>": lambda a, b: _shift(a, b, False)},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": lambda a, b: _divide(a, b)[0], "%": lambda a, b: _divide(a, b)[1]},
)

_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34, "e": 27, "a": 7}


def _shift(value: int, count: int, left: bool) -> int:
    if not 0 <= count < 64:
        raise DebugError(f"Shift by {count}: expected 0 to 63")
    return value << count if left else value >> count


def _divide(a: int, b: int) -> tuple[int, int]:
    if b == 0:
        raise DebugError("Division by zero")
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    return quotient, a - quotient * b


def tokens(text: str) -> list[tuple[str, str]]:
    """The (kind, text) tokens of an expression; DebugError at the first unknown character."""
    found: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise DebugError(f'Invalid expression at "{text[at:].strip()}"')
        assert match.lastgroup is not None
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    def __init__(self, session: Session, text: str) -> None:
        self.session = session
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def parse(self) -> int:
        value = self.binary(0)
        kind, text = self.peek()
        if kind != "end":
            raise DebugError(f'Unexpected "{text}" in "{self.text.strip()}"')
        return value

    def binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self.unary()
        value = self.binary(level + 1)
        while self.peek()[0] == "op" and self.peek()[1] in _LEVELS[level]:
            function = _LEVELS[level][self.take()[1]]
            value = function(value, self.binary(level + 1))
        return value

    def unary(self) -> int:
        self.depth += 1
        if self.depth > 40:
            raise DebugError("Expression is nested too deeply")
        try:
            return self._unary()
        finally:
            self.depth -= 1

    def _unary(self) -> int:
        kind, text = self.take()
        if kind == "op":
            if text == "(":
                value = self.binary(0)
                if self.take() != ("op", ")"):
                    raise DebugError(f'Missing ")" in "{self.text.strip()}"')
                return value
            if text == "-":
                return -self.unary()
            if text == "+":
                return self.unary()
            if text == "~":
                return ~self.unary()
            if text == "!":
                return int(not self.unary())
            if text == "*":
                return self.memory(self.unary(), 4, False)
            if text == "&":
                return self.unary()
        if kind == "type":
            size, signed = type_of(text)
            return self.memory(self.unary(), size, signed)
        if kind == "number":
            return int(text, 0) if text.lower()[:2] in ("0x", "0b") else int(text)
        if kind == "char":
            body = text[1:-1]
            if body.startswith("\\"):
                if body[1] not in _ESCAPES:
                    raise DebugError(f"Unknown escape {body} in a character")
                return _ESCAPES[body[1]]
            return ord(body)
        if kind == "register":
            return read_register(self.session, text)
        if kind == "name":
            return self.symbol(text)
        if kind == "end":
            raise DebugError(
                f'Expression expected after "{self.text.strip()}"'
                if self.text.strip()
                else "Argument required (an expression)"
            )
        raise DebugError(f'Unexpected "{text}" in "{self.text.strip()}"')

    def memory(self, address: int, size: int, signed: bool) -> int:
        data = self.session.target.read(address & MASK32, size)
        if data is None:
            raise DebugError(f"Cannot access memory at address {address & MASK32:#x}")
        return int.from_bytes(data, "little", signed=signed)

    def symbol(self, name: str) -> int:
        if self.session.symbols.get(name) is None and (name in NUMBERS or name in CSR_BY_NAME):
            raise DebugError(f'No symbol "{name}"; the register is written ${name}')
        return self.session.symbols.address(name)


def type_of(text: str) -> tuple[int, bool]:
    """(bytes, signed) of a type in braces; DebugError with the known ones otherwise."""
    name = " ".join(text.strip("{}").split()).removeprefix("unsigned ")
    if name not in TYPES:
        raise DebugError(
            f'No type "{text.strip("{}")}"{did_you_mean(name, TYPES)} (try int, short or char)'
        )
    size, signed = TYPES[name]
    return size, signed and "unsigned" not in text


def register_names() -> list[str]:
    """Every name that may follow a `$`."""
    return [*NUMBERS, "pc", *CSR_BY_NAME]


def read_register(session: Session, text: str) -> int:
    """The value of `$name`: a register, a CSR, pc, or a value of the print history."""
    name = text[1:]
    if name in NUMBERS:
        return session.target.reg(NUMBERS[name])
    if name == "pc":
        return session.target.pc
    if name in CSR_BY_NAME:
        return session.target.csr(name)
    if name == "" or name.isdigit():
        history = session.history
        index = int(name) - 1 if name else len(history) - 1
        if not 0 <= index < len(history):
            raise DebugError(f"History has not yet reached ${name or 1}")
        return history[index]
    raise DebugError(f'No register "{text}"{did_you_mean(name, register_names())}')


class _Checker(_Parser):
    """Reads an expression for its form and names alone: values may be there only later."""

    def memory(self, address: int, size: int, signed: bool) -> int:
        return 1

    def binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self.unary()
        self.binary(level + 1)
        while self.peek()[0] == "op" and self.peek()[1] in _LEVELS[level]:
            self.take()
            self.binary(level + 1)
        return 1


def check(session: Session, text: str) -> None:
    """DebugError if an expression cannot be evaluated whatever memory will hold."""
    _Checker(session, text).parse()


def evaluate(session: Session, text: str) -> int:
    """The value of an expression; DebugError with the place of the mistake."""
    return _Parser(session, text).parse()


def split_space(text: str) -> tuple[str, str]:
    """Take a leading `p:` (physical) or `v:` (virtual) off: (space, rest)."""
    stripped = text.lstrip()
    for prefix in ("p:", "v:"):
        if stripped.startswith(prefix):
            return prefix[0], stripped[2:]
    return "v", text


def address_of(session: Session, text: str) -> int:
    """An expression as a 32-bit address."""
    return evaluate(session, text) & MASK32


def location(session: Session, text: str) -> int:
    """The address of a stop: `symbol`, `*expression`, `file:line` or an expression."""
    body = text.strip()
    if not body:
        return session.target.pc
    if body.startswith("*"):
        where = address_of(session, body[1:])
    else:
        line = session.symbols.at_line(body) if session.symbols.lines else None
        where = address_of(session, body) if line is None else line
    if where % 4:
        raise DebugError(f"Cannot stop at {where:#x}: instructions lie at multiples of 4")
    return where
