"""Expressions: tokens, the parser with GNU as's precedence, and their arithmetic.

Numbers are 64-bit as in GNU as: signed, wrapping; ``>>`` shifts zeros in; comparisons give
-1 for true, ``&&`` and ``||`` give 1.  Precedence from tight to loose: unary ``- + ~ !``;
``* / % << >>``; ``| & ^ !``; ``+ -``; ``== = != <> < > <= >=``; ``&&``; ``||``.
Operators of one level group to the left.  Between values ``a ! b`` is ``a | ~b`` and ``!!`` is
``^``.

The tree is independent of any symbol table, so parsed text can be cached; ``values.bind``
gives it a meaning at a place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from .diagnostics import Problem, printable
from .limits import DEFAULT_LIMITS


@dataclass(slots=True)
class Name:
    """A symbol by name."""

    name: str


@dataclass(slots=True)
class Quoted(Name):
    """A symbol by its name in quotes, which may hold any character."""


@dataclass(slots=True)
class Local:
    """A numeric label, ``1b`` or ``1f``."""

    number: int
    forward: bool


@dataclass(frozen=True, slots=True)
class Here:
    """The location counter, ``.``."""


@dataclass(frozen=True, slots=True)
class Unary:
    """``-a``, ``~a`` or ``!a``."""

    op: str
    a: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """``a op b``."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Modified:
    """A relocation operator around an expression, e.g. ``%lo(symbol + 4)``."""

    op: str
    a: Expr


Expr: TypeAlias = int | Name | Local | Here | Unary | Binary | Modified

MODIFIERS = frozenset(
    ["hi", "lo", "pcrel_hi", "pcrel_lo", "tprel_hi", "tprel_lo", "tprel_add", "got_pcrel_hi",
     "tls_ie_pcrel_hi", "tls_gd_pcrel_hi"]
)  # fmt: skip
"""The relocation operators that GNU as knows for RISC-V."""

_TOKEN = re.compile(
    r"""[ \t\f\v\r]*(?:
      (?P<local>[0-9]+[bf](?![\w.$]))
    | (?P<number>[0-9][\w]*)
    | (?P<name>(?:[^\W\d]|[.$])[\w.$]*)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<char>'(?:\\[0-7]{1,3}|\\.|[^\\])'?)
    | (?P<op><<|>>|<>|<=|>=|==|!=|&&|\|\||[-+*/%<>=!~&|^()])
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]+)$|0[bB](?P<bin>[01]+)$|(?P<dec>[0-9]+)$")

# What other assemblers write.
_FOREIGN = {
    "[": "memory is written offset(register), as in 0(a1)",
    "=": "a name alone is meant: `la` loads the address of a label, `li` a number",
}
_QUOTING = re.compile(r"\\([\\\"])")


def unquoted(text: str) -> str:
    """The symbol name in quotes; Problem if there is none."""
    name = _QUOTING.sub(r"\1", text[1:-1])
    if not name or "\0" in name:
        raise Problem("a name in quotes needs characters")
    return name


_PRECEDENCE = {
    "*": 8, "/": 8, "%": 8, "<<": 8, ">>": 8,
    "|": 7, "&": 7, "^": 7, "!": 7,
    "+": 5, "-": 5,
    "==": 4, "=": 4, "!=": 4, "<>": 4, "<": 4, ">": 4, "<=": 4, ">=": 4,
    "&&": 3, "||": 2,
}  # fmt: skip

_ESCAPES = {"b": 8, "f": 12, "n": 10, "r": 13, "t": 9}


def signed64(value: int) -> int:
    """The value wrapped into 64 bits, as a signed number."""
    return ((value + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.tokens = 0
        self.nodes = 0
        self.kind = ""
        self.token = ""
        self.start = 0
        self.advance()

    def advance(self) -> None:
        self.tokens += 1
        if self.tokens > DEFAULT_LIMITS.expression_tokens:
            raise Problem("this expression is too long")
        found = _TOKEN.match(self.text, self.position)
        if found is None:
            rest = self.text[self.position :]
            lead = len(rest) - len(rest.lstrip())
            self.start = self.position + lead
            self.kind = "end" if lead == len(rest) else "bad"
            self.token = rest.lstrip()[:1]
            return
        self.kind = found.lastgroup or ""
        self.token = found[self.kind]
        self.start = found.start(self.kind)
        self.position = found.end()

    def fail(self, message: str, start: int | None = None, end: int | None = None, **more):
        begin = self.start if start is None else start
        stop = begin + max(len(self.token), 1) if end is None else end
        return Problem(message, span=(begin, stop), **more)

    def unexpected(self) -> Problem:
        if self.kind == "end":
            if not self.text.strip():
                return self.fail("a value is missing here", expected="a number or a symbol")
            at = len(self.text.rstrip())
            return self.fail(
                "the expression ends too early", at, at + 1, expected="a number or a symbol"
            )
        return self.fail(
            f"unexpected `{printable(self.token)}` in this expression",
            expected="a number or a symbol",
            hint=_FOREIGN.get(self.token, ""),
        )

    def parse(self) -> Expr:
        if self.kind == "op" and self.token == "%":
            tree = self.modified()
        else:
            tree = self.binary(1)
        if self.kind != "end":
            if self.kind == "bad":
                raise self.fail(
                    f"unexpected character `{printable(self.token)}`",
                    hint="a line cannot be continued; parameters such as \\x live inside macros"
                    if self.token == "\\"
                    else _FOREIGN.get(self.token, ""),
                )
            if self.token == "(" and ")" not in self.text[self.start :]:
                raise self.fail("this `(` is never closed")
            raise self.fail(
                f"unexpected `{printable(self.token)}` after the value",
                hint="a comma or an operator may be missing",
            )
        return tree

    def modified(self) -> Expr:
        """``%op(expr)``, possibly followed by ``+ number``, which belongs inside."""
        start = self.start
        self.advance()
        op = self.token
        if self.kind != "name" or op not in MODIFIERS:
            raise self.fail(
                f"`%{printable(op)}` is not a relocation operator", start, start + 1 + len(op),
                expected="%hi, %lo, %pcrel_hi or %pcrel_lo",
            )  # fmt: skip
        self.advance()
        if self.token != "(":
            raise self.fail(f"`%{op}` needs its symbol in parentheses", hint=f"write %{op}(symbol)")
        tree = self.primary()
        while self.kind == "op" and self.token in ("+", "-"):
            sign = self.token
            self.advance()
            tree = self.binary_node(sign, tree, self.binary(6))
        return Modified(op, tree)

    def binary(self, lowest: int) -> Expr:
        self.depth += 1
        if self.depth > DEFAULT_LIMITS.expression_depth:
            raise self.fail("this expression is nested too deeply")
        left = self.unary()
        while self.kind == "op":
            op = self.token
            rank = _PRECEDENCE.get(op, 0)
            if rank < lowest:
                break
            at, end = self.start, self.start + len(op)
            self.advance()
            if op == "!" and self.kind == "op" and self.token == "!":
                # GNU as knows "!!" between values as exclusive or.
                op = "^"
                self.advance()
            right = self.binary(rank + 1)
            left = self.fold(op, left, right, at, end)
        self.depth -= 1
        return left

    def unary(self) -> Expr:
        signs: list[str] = []
        while self.kind == "op" and self.token in ("-", "+", "~", "!"):
            signs.append(self.token)
            if len(signs) > DEFAULT_LIMITS.expression_depth:
                raise self.fail("this expression is nested too deeply")
            self.advance()
        tree = self.primary()
        for sign in reversed(signs):
            if sign == "+":
                continue
            if isinstance(tree, int) and (sign != "~" or ~tree >= -(1 << 31)):
                tree = compute_unary(sign, tree)
            else:
                tree = Unary(sign, tree)
        return tree

    def fold(self, op: str, left: Expr, right: Expr, at: int, end: int) -> Expr:
        """The value of ``left op right`` if both are numbers, else the tree.

        Results that 64-bit arithmetic filled with high bits keep their operator, so that who
        wants 32 bits can tell them from a number written too large.
        """
        if not (isinstance(left, int) and isinstance(right, int)):
            return self.binary_node(op, left, right)
        try:
            value = compute(op, left, right)
        except ArithmeticError as error:
            raise self.fail(str(error), at, end) from None
        return value if op != ">>" or value < 1 << 32 else self.binary_node(op, left, right)

    def binary_node(self, op: str, left: Expr, right: Expr) -> Binary:
        """A node that stays in the tree; their number bounds the depth of the tree."""
        self.nodes += 1
        if self.nodes > DEFAULT_LIMITS.expression_nodes:
            raise self.fail("this expression has too many symbols")
        return Binary(op, left, right)

    def primary(self) -> Expr:
        kind, token = self.kind, self.token
        tree: Expr
        if kind == "number":
            tree = self.number(token)
        elif kind == "name":
            tree = Here() if token == "." else Name(token)
        elif kind == "quoted":
            tree = Quoted(unquoted(token))
        elif kind == "local":
            if len(token) > 10:
                raise self.fail(f"the label number `{token}` is too large")
            tree = Local(int(token[:-1]), token[-1] == "f")
        elif kind == "char":
            tree = self.character(token)
        elif kind == "op" and token == "(":
            opened = self.start
            self.advance()
            tree = self.binary(1)
            if self.token != ")" or self.kind != "op":
                raise self.fail("this `(` is never closed", opened, opened + 1)
        elif kind == "op" and token == "%":
            raise self.fail(
                "a relocation operator must stand alone",
                hint="put the whole expression inside, as in %lo(symbol + 4)",
            )
        else:
            raise self.unexpected()
        self.advance()
        return tree

    def number(self, token: str) -> int:
        found = _NUMBER.match(token)
        if found is None:
            if re.match(r"0[xXbB]", token):
                base = "hexadecimal" if token[1] in "xX" else "binary"
                raise self.fail(f"`{printable(token)}` is not a {base} number")
            raise self.fail(
                f"`{printable(token)}` is not a number",
                hint="names begin with a letter, `_`, `.` or `$`",
            )
        if len(token) > 80:
            raise self.fail("this number does not fit in 64 bits")
        if found["hex"]:
            value = int(found["hex"], 16)
        elif found["bin"]:
            value = int(found["bin"], 2)
        elif token[0] == "0" and len(token) > 1:
            try:
                value = int(token, 8)
            except ValueError:
                raise self.fail(
                    f"`{token}` is not an octal number",
                    hint="a leading 0 means octal, as in C; leave it away for a decimal number",
                ) from None
        else:
            value = int(token)
        if value >= 1 << 64:
            raise self.fail("this number does not fit in 64 bits")
        return signed64(value)

    def character(self, token: str) -> int:
        body = token[1:]
        if len(body) > 1 and body.endswith("'"):
            body = body[:-1]
        if body == "":
            raise self.fail("a character is missing after `'`")
        if body[0] == "\\" and len(body) > 1:
            if body[1] in "01234567":
                return int(body[1:], 8) & 0xFF
            return _ESCAPES.get(body[1], ord(body[1]))
        code = ord(body[0])
        if code > 0x7F:
            raise self.fail(
                f"`{printable(body[0])}` is not an ASCII character",
                hint="a character outside ASCII is several bytes; use .ascii for it",
            )
        return code


_PLAIN_NUMBER = re.compile(
    r"[ \t]*(-?(?:0[xX][0-9a-fA-F]{1,8}|0|[1-9][0-9]{0,9}))[ \t]*$", re.ASCII
)
_parsed: dict[str, Expr] = {}
_PARSED_SIZE = 20_000
_PARSED_LENGTH = 64


def parse(text: str) -> Expr:
    """The tree of an expression; constants are folded.  Problem (with a span) if malformed.

    Trees are never changed, so what was parsed before is given again.
    """
    plain = _PLAIN_NUMBER.match(text)
    if plain is not None:
        return int(plain[1], 0)
    tree = _parsed.get(text)
    if tree is None:
        tree = _Parser(text).parse()
        if len(text) <= _PARSED_LENGTH:
            if len(_parsed) >= _PARSED_SIZE:
                _parsed.clear()
            _parsed[text] = tree
    return tree


def compute_unary(op: str, a: int) -> int:
    """``op a`` in 64-bit arithmetic."""
    if op == "-":
        return signed64(-a)
    if op == "~":
        return ~a
    return int(a == 0)


def compute(op: str, a: int, b: int) -> int:
    """``a op b`` in 64-bit arithmetic; ArithmeticError for division by zero or a bad shift."""
    if op == "+":
        return signed64(a + b)
    if op == "-":
        return signed64(a - b)
    if op == "*":
        return signed64(a * b)
    if op in ("/", "%"):
        if b == 0:
            raise ArithmeticError("division by zero")
        quotient = abs(a) // abs(b)
        if (a < 0) != (b < 0):
            quotient = -quotient
        return signed64(quotient if op == "/" else a - quotient * b)
    if op in ("<<", ">>"):
        if not 0 <= b < 64:
            raise ArithmeticError(f"shift by {b}: the amount must be 0 to 63")
        return signed64(a << b if op == "<<" else (a & ((1 << 64) - 1)) >> b)
    if op == "|":
        return a | b
    if op == "&":
        return a & b
    if op == "^":
        return a ^ b
    if op == "!":
        return a | ~b
    if op == "&&":
        return int(a != 0 and b != 0)
    if op == "||":
        return int(a != 0 or b != 0)
    return -int(_COMPARE[op](a, b))


_COMPARE = {
    "==": int.__eq__, "=": int.__eq__, "!=": int.__ne__, "<>": int.__ne__,
    "<": int.__lt__, ">": int.__gt__, "<=": int.__le__, ">=": int.__ge__,
}  # fmt: skip


def contains(tree: Expr, ops: frozenset[str]) -> bool:
    """Whether any of the operators occurs in the tree."""
    if isinstance(tree, Binary):
        return tree.op in ops or contains(tree.a, ops) or contains(tree.b, ops)
    if isinstance(tree, Unary | Modified):
        return tree.op in ops or contains(tree.a, ops)
    return False
