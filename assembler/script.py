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
    Data,
    Fill,
    Input,
    Node,
    OutputSection,
    Pattern,
    Region,
    Script,
    ScriptError,
)
from .script_reader import Reader

_ASSIGN_OPS = frozenset(["=", "+=", "-=", "*=", "/=", "<<=", ">>=", "&=", "|="])
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


class _Parser(Reader):
    """The commands of a script."""

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


def parse_script(text: str, name: str = "<script>") -> Script:
    """The linker script in ``text``; ScriptError if it is wrong."""
    try:
        return _Parser(name, text).parse()
    except RecursionError:
        script = Script(name, text)
        raise ScriptError(script.diagnostic("error", "this is nested too deeply", 0)) from None
