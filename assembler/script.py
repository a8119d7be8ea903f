"""Linker scripts: the subset of GNU ld's language that kernels and bare-metal programs use.

ENTRY, MEMORY, SECTIONS with ``.``, symbols, PROVIDE, ASSERT, ALIGN and the other functions,
patterns with KEEP, SORT and EXCLUDE_FILE, AT, regions, fill, data, and /DISCARD/.  OUTPUT_ARCH,
OUTPUT_FORMAT, TARGET, SEARCH_DIR and PHDRS are accepted without effect.

Source: the GNU linker manual, chapter "Linker Scripts".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from .diagnostics import did_you_mean
from .script_nodes import (
    Assert,
    Assign,
    Call,
    Data,
    Fill,
    Input,
    Node,
    Num,
    Op,
    OutputSection,
    Pattern,
    Region,
    Script,
    ScriptError,
    Sym,
)

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
_ASSIGN_OPS = frozenset(["=", "+=", "-=", "*=", "/=", "<<=", ">>=", "&=", "|="])

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
_COMMANDS = (
    "ENTRY", "SECTIONS", "MEMORY", "OUTPUT_ARCH", "OUTPUT_FORMAT", "OUTPUT", "TARGET", "PROVIDE",
    "PROVIDE_HIDDEN", "HIDDEN", "ASSERT", "EXTERN", "PHDRS", "SEARCH_DIR",
)  # fmt: skip
_NOT_HERE = {
    "INPUT": "name the files on the command line instead",
    "GROUP": "name the archives on the command line; their order does not matter here",
    "INCLUDE": "put the text of that file here",
    "OVERLAY": "give each part a section of its own",
    "VERSION": "programs here are not shared libraries",
    "REGION_ALIAS": "use the name of the region itself",
    "INSERT": "put the sections into this script",
}


class _Parser:
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

    # -- commands ----------------------------------------------------------------------------

    def parse(self) -> Script:
        while token := self.peek():
            if token == ";":
                self.next()
            elif token in ("ENTRY", "OUTPUT_ARCH", "OUTPUT", "TARGET", "STARTUP"):
                at = self.place()
                self.next()
                value = self.words(at)
                if token == "ENTRY":
                    self.script.entry = value[0] if value else ""
            elif token in ("OUTPUT_FORMAT", "SEARCH_DIR", "EXTERN"):
                at = self.place()
                self.next()
                value = self.words(at)
                if token == "EXTERN":
                    self.script.externs += value
            elif token == "MEMORY":
                self.next()
                self.memory()
            elif token == "PHDRS":
                self.next()
                self.skip_block()
            elif token == "SECTIONS":
                self.next()
                self.sections()
            else:
                found = self.assignment_or_assert()
                if found is None:
                    self.unknown(token)
                where = self.script.sections if self.script.has_sections else self.script.before
                where.append(found)
        return self.script

    def unknown(self, token: str) -> NoReturn:
        if token in _NOT_HERE:
            raise self.wrong(f"`{token}` is not supported", hint=_NOT_HERE[token])
        raise self.wrong(
            f"`{token}` is not a command of linker scripts", hint=did_you_mean(token, _COMMANDS)
        )

    def words(self, at: int) -> list[str]:
        """The words between parentheses."""
        self.expect("(")
        out: list[str] = []
        while (token := self.next(pattern=True)) != ")":
            if not token:
                raise self.wrong("this is never closed", at, "add )")
            if token != ",":
                out.append(token.strip('"'))
        return out

    def skip_block(self) -> None:
        at = self.place()
        self.expect("{")
        depth = 1
        while depth:
            token = self.next(pattern=True)
            if not token:
                raise self.wrong("this block is never closed", at, "add }")
            depth += (token == "{") - (token == "}")

    def memory(self) -> None:
        self.expect("{")
        while not self.accept("}"):
            at = self.place()
            name = self.name("the name of a memory region")
            attributes = ""
            if self.accept("("):
                while (token := self.next(pattern=True)) != ")":
                    if not token:
                        raise self.wrong("`)` is missing", at)
                    attributes += token
            self.expect(":")
            origin = self.region_value(("ORIGIN", "org", "o"))
            self.accept(",")
            length = self.region_value(("LENGTH", "len", "l"))
            if name in self.script.regions:
                raise self.wrong(f"the region `{name}` is described twice", at)
            self.script.regions[name] = Region(name, attributes, origin, length, at)
            self.count()

    def region_value(self, names: Sequence[str]) -> Node:
        token = self.peek()
        if token not in names:
            self.fail(
                f"{names[0]} is expected here", token, "ram : ORIGIN = 0x80000000, LENGTH = 1M"
            )
        self.next()
        self.expect("=")
        return self.expression()

    def count(self) -> None:
        self.statements += 1
        if self.statements > _STATEMENTS_MAX:
            raise self.wrong(f"the script has more than {_STATEMENTS_MAX} statements")

    # -- SECTIONS ----------------------------------------------------------------------------

    def sections(self) -> None:
        self.script.has_sections = True
        opened = self.place()
        self.expect("{")
        while True:
            self.count()
            token = self.peek(pattern=True)
            if token == "}":
                self.next()
                return
            if not token:
                raise self.wrong("SECTIONS is never closed", opened, "add }")
            if token == ";":
                self.next()
                continue
            if token == "ENTRY":
                at = self.place()
                self.next()
                value = self.words(at)
                self.script.entry = value[0] if value else ""
                continue
            if token in _NOT_HERE:
                self.unknown(token)
            found = self.assignment_or_assert()
            self.script.sections.append(found if found is not None else self.output_section())

    def assignment_or_assert(self) -> Assign | Assert | None:
        """One of the two, None if the next tokens are neither."""
        start, at = self.at, self.place()
        token = self.peek(pattern=True)
        if token == "ASSERT":
            self.next()
            self.expect("(")
            condition = self.expression()
            self.expect(",", 'ASSERT(condition, "message")')
            message = self.next()
            if not message.startswith('"'):
                raise self.wrong("the message must be in quotes", at)
            self.expect(")")
            self.accept(";")
            return Assert(condition, message[1:-1], at)
        if token in ("PROVIDE", "PROVIDE_HIDDEN", "HIDDEN"):
            self.next()
            self.expect("(")
            inner = self.place()
            name = self.name("a symbol")
            self.expect("=")
            value = self.expression()
            self.expect(")")
            self.accept(";")
            return Assign(name, "=", value, inner, token.startswith("PROVIDE"), "HIDDEN" in token)
        if not re.match(r'[A-Za-z_.$"]', token):
            return None
        try:
            name = self.next()
            op = self.peek()
        except ScriptError:
            self.at = start
            return None
        if op not in _ASSIGN_OPS:
            self.at = start
            return None
        self.next()
        value = self.expression()
        if not self.accept(";") and self.peek(pattern=True) not in ("}", ""):
            self.fail("`;` is expected behind an assignment", self.peek(pattern=True))
        return Assign(name.strip('"'), op, value, at)

    def output_section(self) -> OutputSection:
        at = self.place()
        name = self.next(pattern=True)
        if name in ("{", "(", ")", ":", ",", "="):
            raise self.wrong(f"`{name}` does not belong here", at)
        out = OutputSection(name.strip('"'), at)
        if self.peek() != ":":
            if self.peek() == "(" and self._kind_ahead():
                self.kind(out)
            elif self.peek() == "":
                raise self.wrong("`:` is expected behind the name of a section", at)
            else:
                out.address = self.expression()
                if self.peek() == "(":
                    self.kind(out)
        self.expect(":", "name : { patterns }")
        while self.peek() in ("AT", "ALIGN", "SUBALIGN", "ONLY_IF_RO", "ONLY_IF_RW",
                              "ALIGN_WITH_INPUT"):  # fmt: skip
            word = self.next()
            if word not in ("AT", "ALIGN", "SUBALIGN"):
                continue
            self.expect("(")
            value = self.expression()
            self.expect(")")
            if word == "AT":
                out.load = value
            elif word == "ALIGN":
                out.align = value
            else:
                out.subalign = value
        opened = self.place()
        self.expect("{")
        while not self._closes():
            self.count()
            if not self.peek(pattern=True):
                raise self.wrong(f"section `{out.name}` is never closed", opened, "add }")
            self.statement(out)
        while True:
            token = self.peek()
            if token == ">":
                self.next()
                out.region = self.name("a memory region")
            elif token == "AT":
                self.next()
                self.expect(">")
                out.load_region = self.name("a memory region")
            elif token == ":":
                self.next()
                self.name("a segment")
            elif token == "=":
                self.next()
                out.fill = self.expression()
            elif token == ",":
                self.next()
            else:
                return out

    def _closes(self) -> bool:
        if self.peek(pattern=True) == "}":
            self.next()
            return True
        return False

    def _kind_ahead(self) -> bool:
        return bool(re.match(r"\s*\(\s*(NOLOAD|DSECT|COPY|INFO|OVERLAY|READONLY|TYPE)\b",
                             self.text[self.at : self.at + 200]))  # fmt: skip

    def kind(self, out: OutputSection) -> None:
        self.expect("(")
        while (token := self.next()) != ")":
            if not token:
                raise self.wrong("`)` is missing")
            out.kind = out.kind or token

    def statement(self, out: OutputSection) -> None:
        at = self.place()
        token = self.peek(pattern=True)
        if token == ";":
            self.next()
            return
        if token in ("BYTE", "SHORT", "LONG", "QUAD", "SQUAD"):
            self.next()
            self.expect("(")
            size = {"BYTE": 1, "SHORT": 2, "LONG": 4}.get(token, 8)
            out.statements.append(Data(size, self.expression(), at))
            self.expect(")")
            return
        if token == "FILL":
            self.next()
            self.expect("(")
            out.statements.append(Fill(self.expression()))
            self.expect(")")
            return
        if token in ("CREATE_OBJECT_SYMBOLS", "CONSTRUCTORS"):
            self.next()
            return
        if token in _NOT_HERE:
            self.unknown(token)
        found = self.assignment_or_assert()
        if found is not None:
            out.statements.append(found)
            return
        if token == "KEEP":
            self.next()
            self.expect("(")
            out.statements.append(self.input())
            self.expect(")")
            return
        out.statements.append(self.input())

    def input(self) -> Input:
        """``file(patterns)``"""
        excluded: tuple[str, ...] = ()
        sort = False
        token = self.next(pattern=True)
        if token == "EXCLUDE_FILE":
            excluded = tuple(self.words(self.place()))
            token = self.next(pattern=True)
        if token in ("SORT", "SORT_BY_NAME", "SORT_NONE"):
            sort = token != "SORT_NONE"
            self.expect("(")
            token = self.next(pattern=True)
            self.expect(")")
        if not token or token in "{}()=,":
            self.fail("a pattern such as *(.text) is expected here", token)
        if self.peek(pattern=True) != "(":
            return Input(token.strip('"'), (Pattern("*"),), excluded, sort)
        opened = self.place()
        self.next()
        patterns: list[Pattern] = []
        while self.peek(pattern=True) != ")":
            if not self.peek(pattern=True):
                raise self.wrong("this list of sections is never closed", opened, "add )")
            patterns.append(self.pattern((), ()))
            if self.peek(pattern=True) == ",":
                self.next()
        self.next()
        return Input(token.strip('"'), tuple(patterns), excluded, sort)

    def pattern(self, sort: tuple[str, ...], excluded: tuple[str, ...]) -> Pattern:
        token = self.next(pattern=True)
        if token.startswith("SORT") and self.peek(pattern=True) == "(":
            if len(sort) > 2:
                raise self.wrong("this is sorted too often")
            self.next()
            found = self.pattern((*sort, token), excluded)
            if self.next(pattern=True) != ")":
                raise self.wrong("`)` is missing behind the pattern")
            return found
        if token == "EXCLUDE_FILE":
            words = tuple(self.words(self.place()))
            return self.pattern(sort, (*excluded, *words))
        if not token or token in "{}(=;":
            self.fail("the name of a section is expected here", token)
        return Pattern(token.strip('"'), sort, excluded)

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


def parse_script(text: str, name: str = "<script>") -> Script:
    """The linker script in ``text``; ScriptError if it is wrong."""
    try:
        return _Parser(name, text).parse()
    except RecursionError:
        script = Script(name, text)
        raise ScriptError(script.diagnostic("error", "this is nested too deeply", 0)) from None


def parse_expression(text: str, name: str = "--defsym") -> tuple[Script, Node]:
    """One expression, as ``--defsym`` takes it, and the text it stands in for messages."""
    parser = _Parser(name, text)
    value = parser.expression()
    if parser.peek():
        raise parser.wrong("this does not belong to the expression")
    return parser.script, value
