"""Reading linker scripts: their tokens and their expressions.

Source: the GNU linker manual, chapter "Expressions in Linker Scripts".
"""

from __future__ import annotations

import re
from typing import NoReturn

from .script_nodes import Call, Node, Num, Op, Script, ScriptError, Sym

_DEEPEST = 60
_STATEMENTS_MAX = 20_000
_LARGEST_SCRIPT = 1 << 20

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"[^"\n]*")
    | (?P<op>[(){}=;:,<>&|!~+^])
    | (?P<word>[^\s"(){};:,=&|!~<>+^]+)
    )""",
    re.VERBOSE,
)
_EXPRESSION_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"[^"\n]*")
    | (?P<op><<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|&=|\|=|[-+*/%(){}<>=;:,?!~&|^])
    | (?P<word>[A-Za-z_.$0-9][\w.$]*|/DISCARD/)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"(?:(0[xX][0-9a-fA-F]+)|\$([0-9a-fA-F]+)|([0-9]+))([KkMm]?)$")
_SUFFIXES = {"": 1, "k": 1 << 10, "m": 1 << 20}
_PRECEDENCE = {
    "*": 10, "/": 10, "%": 10, "+": 9, "-": 9, "<<": 8, ">>": 8, "<": 7, ">": 7, "<=": 7,
    ">=": 7, "==": 6, "!=": 6, "&": 5, "^": 4, "|": 3, "&&": 2, "||": 1,
}  # fmt: skip

FUNCTIONS = {
    "ALIGN": (1, 2), "BLOCK": (1, 2), "ADDR": (1, 1), "SIZEOF": (1, 1), "LOADADDR": (1, 1),
    "ALIGNOF": (1, 1), "DEFINED": (1, 1), "ORIGIN": (1, 1), "LENGTH": (1, 1), "MAX": (2, 2),
    "MIN": (2, 2), "ABSOLUTE": (1, 1), "LOG2CEIL": (1, 1), "NEXT": (1, 1),
    "CONSTANT": (1, 1), "SIZEOF_HEADERS": (0, 0), "ASSERT": (2, 2),
    "DATA_SEGMENT_ALIGN": (2, 2), "DATA_SEGMENT_END": (1, 1), "SEGMENT_START": (2, 2),
}  # fmt: skip
"""Functions of expressions with the numbers of their arguments."""
_NAMED = frozenset(
    ["ADDR", "SIZEOF", "LOADADDR", "ALIGNOF", "DEFINED", "ORIGIN", "LENGTH", "CONSTANT"]
)


class Reader:
    """A reader of tokens; patterns and expressions cut the same characters differently."""

    def __init__(self, name: str, text: str) -> None:
        self.script = Script(name, text)
        # Comments become blanks, so that positions stay.
        self.text = re.sub(
            r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL
        )
        self.at = 0
        self.depth = 0
        self.statements = 0
        if len(text) > _LARGEST_SCRIPT:
            raise self.wrong("the linker script is larger than 1 MiB", 0)
        if "/*" in self.text:
            raise self.wrong(
                "this comment is never closed", self.text.index("/*"), "end it with */"
            )

    # -- tokens ------------------------------------------------------------------------------

    def wrong(self, message: str, at: int | None = None, hint: str = "") -> ScriptError:
        where = self.place() if at is None else at
        return ScriptError(self.script.diagnostic("error", message, where, hint))

    def place(self) -> int:
        """Where the next token begins."""
        at = self.at
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return min(at, max(len(self.text) - 1, 0))

    def peek(self, pattern: bool = False) -> str:
        """The next token, "" at the end."""
        found = (_TOKEN if pattern else _EXPRESSION_TOKEN).match(self.text, self.at)
        if found is None:
            if not self.text[self.at :].strip():
                return ""
            rest = self.text[self.place()]
            if not pattern and rest in "[\\@":
                return rest
            raise self.wrong(f"`{rest}` does not belong here")
        return found[found.lastgroup or 0]

    def next(self, pattern: bool = False) -> str:
        found = (_TOKEN if pattern else _EXPRESSION_TOKEN).match(self.text, self.at)
        token = self.peek(pattern)
        if found is not None:
            self.at = found.end()
        return token

    def expect(self, token: str, after: str = "") -> None:
        if self.peek() != token:
            found = self.peek()
            self.fail(f"`{token}` is expected here", found, after)
        self.next()

    def fail(self, message: str, found: str, after: str = "") -> NoReturn:
        shown = f", not `{found[:40]}`" if found else ", not the end of the script"
        raise self.wrong(message + shown, hint=after)

    def accept(self, token: str) -> bool:
        if self.peek() == token:
            self.next()
            return True
        return False

    def name(self, what: str) -> str:
        token = self.peek()
        if token.startswith('"') and len(token) > 2:
            return self.next()[1:-1]
        if not re.match(r"[A-Za-z_.$]", token):
            self.fail(f"{what} is expected here", token)
        return self.next()

    def count(self) -> None:
        self.statements += 1
        if self.statements > _STATEMENTS_MAX:
            raise self.wrong(f"the script has more than {_STATEMENTS_MAX} statements")

    # -- expressions -------------------------------------------------------------------------

    def expression(self, least: int = 0) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.wrong("this expression is nested too deeply")
        left = self.operand()
        while True:
            op, at = self.peek(), self.place()
            if op == "?" and least == 0:
                self.next()
                yes = self.expression()
                self.expect(":")
                left = Op("?", (left, yes, self.expression()), at)
                continue
            level = _PRECEDENCE.get(op, 0)
            if level == 0 or level <= least:
                break
            self.next()
            self.count()
            left = Op(op, (left, self.expression(level)), at)
        self.depth -= 1
        return left

    def operand(self) -> Node:
        at = self.place()
        token = self.next()
        if token in ("-", "+", "~", "!"):
            self.depth += 1
            if self.depth > _DEEPEST:
                raise self.wrong("this expression is nested too deeply", at)
            value = self.operand()
            self.depth -= 1
            return value if token == "+" else Op(token, (value,), at)
        if token == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        number = _NUMBER.match(token)
        if number is not None:
            hexadecimal, dollar, digits, suffix = number.groups()
            text = hexadecimal or dollar or digits
            if len(text) > 20:
                raise self.wrong("this number is too large", at)
            base = 16 if hexadecimal or dollar else 8 if text[0] == "0" and len(text) > 1 else 10
            try:
                return Num(int(text, base) * _SUFFIXES[suffix.lower()])
            except ValueError:
                raise self.wrong(f"`{token}` is not a number", at) from None
        if token in FUNCTIONS and (self.peek() == "(" or token == "SIZEOF_HEADERS"):
            return self.call(token, at)
        if token.startswith('"') and len(token) > 2:
            return Sym(token[1:-1], at)
        if not re.match(r"[A-Za-z_.$]", token):
            self.at = at
            self.fail("a number or a symbol is expected here", token)
        return Sym(token, at)

    def call(self, function: str, at: int) -> Node:
        least, most = FUNCTIONS[function]
        if function == "SIZEOF_HEADERS":
            return Num(0)
        self.expect("(")
        name = ""
        args: list[Node] = []
        if function in _NAMED:
            name = self.next(pattern=True).strip('"')
        elif function == "SEGMENT_START":
            self.next()
            self.expect(",")
            value = self.expression()
            self.expect(")")
            return value
        elif function == "ASSERT":
            condition = self.expression()
            self.expect(",")
            name = self.next().strip('"')
            args.append(condition)
        else:
            args.append(self.expression())
            while self.accept(","):
                args.append(self.expression())
            if not least <= len(args) <= most:
                raise self.wrong(f"{function} takes {least} values, not {len(args)}", at)
        self.expect(")")
        return Call(function, name, tuple(args), at)


def parse_expression(text: str, name: str = "--defsym") -> tuple[Script, Node]:
    """One expression, as ``--defsym`` takes it, and the text it stands in for messages."""
    parser = Reader(name, text)
    value = parser.expression()
    if parser.peek():
        raise parser.wrong("this does not belong to the expression")
    return parser.script, value
