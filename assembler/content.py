"""The content of one source under assembly: its sections, and the branches between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import forms
from .debuginfo import DebugInfo
from .diagnostics import Problem, Reporter
from .limits import Limits
from .reader import Reader
from .sections import Fixup, Section, default_attributes
from .source import Files
from .values import ABSOLUTE, EXPRESSION, LABEL, UNDEFINED, Rel, Symbol, anchored

if TYPE_CHECKING:
    from .encode import Encoder
    from .explicit import Explicit
    from .macros import Macro
    from .versions import Version

MEMO: dict[str, bytes] = {}
"""Statements that mean the same everywhere: text of the line -> machine code."""


class Content(Reader):
    """What a source has made so far."""

    def __init__(
        self,
        name: str,
        files: Files,
        reporter: Reporter,
        limits: Limits,
        defines: Mapping[str, int],
        long_branches: set[int],
    ) -> None:
        super().__init__(reporter, limits)
        self.name = name
        self.files = files
        self.sections: dict[str, Section] = {}
        self.section_stack: list[tuple[Section, Section]] = []
        self.macros: dict[str, Macro] = {}
        self.macros_folded: dict[str, Macro] = {}
        self.macro_count = 0
        self.local_count = 0
        self.altmacro = False
        self.stored = 0
        self.branch_count = 0
        self.branches: list[tuple[int, Section, int]] = []
        self.part_labels: list[Symbol] = []
        self.long_branches = long_branches
        self.options: list[int | str | None] = []
        self.debug = DebugInfo()
        self.forms: Mapping[str, Mapping[str, Encoder]] = forms.FORMS
        self.memo = MEMO
        self.explicit: list[Explicit] = []
        self.versions: list[Version] = []
        self.copies: list[tuple[Symbol, Symbol]] = []
        self.attributes: dict[int, int | str] = {}
        for section in (".text", ".data", ".bss"):
            self.section_named(section)
        self.sections[".text"].align = 4
        self.section = self.previous = self.sections[".text"]
        for symbol, value in defines.items():
            self.symbols[symbol] = Symbol(symbol, ABSOLUTE, value=value, variable=True)

    def copy_kind(self, symbol: Symbol, value: Rel) -> None:
        """`.set NAME, OTHER` takes over OTHER's type and size, at the end if it comes later."""
        other = value.base
        if not isinstance(other, Symbol) or other is symbol:
            return
        if other.state in (UNDEFINED, EXPRESSION):
            self.copies.append((symbol, other))
            return
        symbol.type = other.type or symbol.type
        symbol.size = symbol.size or other.size

    def emit(self, code: bytes, instruction: bool = False) -> None:
        """Append bytes to the current section and remember where they come from."""
        section = self.section
        self.stored += len(code)
        if self.stored > self.limits.image_bytes:
            raise Problem(
                f"the program is larger than {self.limits.image_bytes} bytes",
                operand=None,
                fatal=True,
            )
        if section.nobits:
            if not any(code):
                section.reserved += len(code)
                return
            raise Problem(
                f"section `{section.name}` has no content: it can only reserve space",
                operand=None,
                hint="use .space here, or put this into .text or .data",
            )
        section.note(self.place, instruction)
        section.data += code

    # -- branches ----------------------------------------------------------------------------

    def next_branch_is_long(self) -> bool:
        """Number the next conditional branch; whether it must take the long form."""
        number = self.branch_count
        self.branch_count = number + 1
        if number in self.long_branches:
            return True
        self.branches.append((number, self.section, len(self.section.fixups)))
        return False

    def out_of_reach(self) -> set[int]:
        """The numbers of the short branches whose targets are too far or in other sections."""
        far: set[int] = set()
        for number, section, index in self.branches:
            fixup = section.fixups[index]
            value = fixup.value
            if type(value) is Rel and type(base := value.base) is Symbol:
                # By far the most: a label of the section itself.
                if base.section is section and base.state == LABEL and not base.binding:
                    if -4096 <= base.value + value.addend - fixup.offset < 4096:
                        continue
            distance = self.distance(fixup, section.parent or section)
            if distance is None or not -4096 <= distance < 4096:
                far.add(number)
        return far

    def distance(self, fixup: Fixup, section: Section) -> int | None:
        """Bytes from a branch to its target, None if it is not in the branch's section."""
        if not isinstance(fixup.value, Rel):
            return None
        target = anchored(fixup.value)
        return target.addend - fixup.offset if target.base is section else None

    # -- sections ----------------------------------------------------------------------------

    def section_named(self, name: str) -> Section:
        """The section of that name, created with its usual attributes."""
        section = self.sections.get(name)
        if section is None:
            flags, kind = default_attributes(name) or (0, 1)
            section = Section(name, flags, kind, len(self.sections))
            self.sections[name] = section
        return section

    def linked_section(self, section: Section) -> Section | None:
        """The section that one with "o" among its flags names, by a symbol or its own name."""
        symbol = self.symbols.get(section.linked)
        if symbol is not None and symbol.section is not None:
            return symbol.section
        return next((s for s in self.sections.values() if s.name == section.linked), None)

    def switch(self, section: Section) -> None:
        """Make it the current section."""
        self.previous, self.section = self.section, section
        if section.code and section.align < 4:
            section.align = 4
        self.choose_memo()

    def choose_memo(self) -> None:
        """Known statements may be used where nothing changes their meaning."""
        if self.section.nobits:
            self.memo, self.forms = {}, {}
            return
        shadowed = self.macros and [name for name in self.macros if name in forms.FORMS]
        if shadowed:
            self.memo = {}
            self.forms = {k: v for k, v in forms.FORMS.items() if k not in shadowed}
        else:
            self.memo, self.forms = MEMO, forms.FORMS
