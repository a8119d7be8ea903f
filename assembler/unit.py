"""One source under assembly: the loop over its lines, its symbols, sections and mistakes.

A unit is assembled from top to bottom once; all offsets inside a section are known as it
goes.  Conditional branches are first taken to reach their targets.  Where one does not, the
whole source is assembled again with that branch in its long form, until all fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from toyvm.isa.registers import NUMBERS

from . import forms
from .debuginfo import DebugInfo
from .diagnostics import Problem, Reporter, Stop, did_you_mean, similar
from .foreign import ELSEWHERE, FOREIGN, RV64_ONLY
from .frames import FILE, Frame
from .lexer import (
    SIMPLE,
    Span,
    Statement,
    parse_statement,
    split_line,
    split_operands,
)
from .limits import Limits
from .operands import cached, operand
from .reader import Reader
from .sections import Fixup, Section, default_attributes
from .source import Files
from .subsections import merge
from .values import ABSOLUTE, Rel, Symbol, anchored

if TYPE_CHECKING:
    from .macros import Macro

# Statements that mean the same everywhere: text of the line -> machine code.
_MEMO: dict[str, bytes] = {}
_MEMO_SIZE = 200_000
_MEMO_LINE = 100

# Directives without which later lines cannot be judged: what they would have defined is missed.
_DEFINING = frozenset([".include", ".macro", ".equ", ".set", ".equiv"])

# Directives that read further lines or change what is read next.
_CONTROL = frozenset(
    [
        ".macro",
        ".rept",
        ".rep",
        ".irp",
        ".irpc",
        ".irep",
        ".irepc",
        ".include",
        ".exitm",
        ".mexit",
        ".end",
        ".endm",
        ".endr",
    ]
)


class Unit(Reader):
    """The state of assembling one source."""

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
        self.option_depth = 0
        self.debug = DebugInfo()
        self.attributes: dict[int, int | str] = {}
        self.forms = forms.FORMS
        self.memo = _MEMO
        for section in (".text", ".data", ".bss"):
            self.section_named(section)
        self.sections[".text"].align = 4
        self.section = self.previous = self.sections[".text"]
        for symbol, value in defines.items():
            self.symbols[symbol] = Symbol(symbol, ABSOLUTE, value=value, variable=True)

    # -- reading lines -------------------------------------------------------------------

    def assemble(self, text: str) -> None:
        """Assemble the whole source; mistakes go to the reporter."""
        from .conditions import skip

        try:
            self.push_file(FILE, self.name, text, -1)
            while self.frames:
                frame = self.frames[-1]
                if frame.index >= len(frame.lines):
                    self.end_frame(frame)
                elif self.skipping:
                    skip(self, frame)
                else:
                    self.run_frame(frame)
            self.finish()
        except Stop:
            return
        except Problem as problem:
            self.report(problem)

    def run_frame(self, frame: Frame) -> None:
        """Assemble lines until the frame ends or another one has to be read first."""
        lines, base = frame.lines, frame.base
        i = start = frame.index
        count = min(len(lines), i + self.limits.statements - self.statements + 1)
        match = SIMPLE.match
        operand_of = cached().get
        section = self.section
        data, fixups = section.data, section.fixups
        note_offset, note_place = section.row_offsets.append, section.row_places.append
        memo = self.memo
        known_code = memo.get
        forms_of = self.forms.get
        while i < count:
            line = lines[i]
            place = base + i
            i += 1
            code = known_code(line)
            if code is not None:
                note_offset(len(data))
                note_place(place)
                data += code
                continue
            found = match(line)
            self.place = place
            if found is not None:
                label, op, text = found.groups()
                if label is not None:
                    self.define_label(label)
                if op is None:
                    continue
                by_shape = forms_of(op)
                if by_shape is not None:
                    shape = ""
                    values = []
                    before = len(fixups)
                    try:
                        if text is not None:
                            for piece in text.split(","):
                                pair = operand_of(piece) or operand(piece)
                                shape += pair[0]
                                values.append(pair[1])
                        encode = by_shape.get(shape)
                        if encode is None:
                            raise forms.mismatch(op, text.split(",") if text else (), shape)
                        code = encode(self, values)
                    except Problem as problem:
                        self.instruction_problem(problem, text)
                        code = bytes(4)
                    else:
                        if (
                            len(fixups) == before
                            and (shape.islower() or not shape)
                            and label is None
                            and len(line) < _MEMO_LINE
                        ):
                            memo[line] = code
                    note_offset(len(data))
                    note_place(place)
                    data += code
                    continue
                # A directive, a macro or an unknown word: it may change everything.
                frame.index = i
                self.guarded(self.directive, op, Span(text or "", found.start(3)))
            else:
                frame.index = i
                self.guarded(self.complex_line, line)
            if self.frames[-1:] != [frame] or self.skipping or frame.index != i:
                self.count(i - start)
                return
            section = self.section
            data, fixups = section.data, section.fixups
            note_offset, note_place = section.row_offsets.append, section.row_places.append
            memo = self.memo
            known_code = memo.get
            forms_of = self.forms.get
        frame.index = i
        self.count(i - start)
        if len(_MEMO) > _MEMO_SIZE:
            _MEMO.clear()

    def complex_line(self, line: str) -> None:
        """A line that the one-statement pattern does not cover."""
        if len(line) > self.limits.line_bytes:
            raise Problem("this line is too long", operand=None, fatal=True)
        pieces = split_line(line)
        if len(pieces) == 1:
            self.statement(parse_statement(pieces[0]))
            return
        self.count(len(pieces))
        statements = [parse_statement(piece) for piece in pieces]
        for index, statement in enumerate(statements):
            if statement.op is not None and self.controls(statement.op.text):
                if index + 1 < len(pieces):
                    self.split_frame(pieces[index:])
                    return
            self.piece = index
            self.guarded(self.statement, statement)
        self.piece = 0

    def controls(self, op: str) -> bool:
        """Whether the word may change which line comes next."""
        word = op.lower()
        return word in _CONTROL or word[:3] in (".if", ".el", ".en") or bool(self.macro_named(op))

    def statement(self, statement: Statement) -> None:
        """Assemble one statement that was taken apart with care."""
        for label in statement.labels:
            if not self.define_label(label.text):
                break
        op = statement.op
        if op is None:
            return
        if statement.target is not None:
            from .directives.symbols import assign

            assign(self, statement.target.text, op.text, statement.operands)
        elif op.text in self.forms:
            self.instruction(op.text, statement.operands)
        else:
            self.directive(op.text, statement.operands)

    def instruction(self, op: str, operands: Span) -> None:
        """Assemble an instruction."""
        pieces = [p.text for p in split_operands(operands.text)]
        try:
            pairs = [operand(piece) for piece in pieces]
            shape = "".join(p[0] for p in pairs)
            encode = self.forms[op].get(shape)
            if encode is None:
                raise forms.mismatch(op, pieces, shape)
            code = encode(self, [p[1] for p in pairs])
        except Problem as problem:
            self.instruction_problem(problem, operands.text)
            code = bytes(4)
        self.emit(code, instruction=True)

    def instruction_problem(self, problem: Problem, text: str | None) -> None:
        """Report a mistake in an instruction; find the operand if only the span is known."""
        if problem.operand == -1 and problem.span is not None:
            # The operand parser stops at the first operand that it cannot read.
            for index, piece in enumerate(split_operands(text or "")):
                try:
                    operand(piece.text)
                except Problem:
                    problem.operand = index
                    words = piece.text.split()
                    if len(words) > 1 and words[0] in NUMBERS:
                        problem.hint = "operands have commas between them: " + ", ".join(words)
                    break
        self.report(problem)

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

    def directive(self, op: str, args: Span) -> None:
        """A macro call, a directive, an assignment, or a word that is none of them."""
        macro = self.macro_named(op)
        if macro is not None:
            from .macros import call

            call(self, macro, args)
            return
        from .directives import DIRECTIVES

        handler = DIRECTIVES.get(op) or DIRECTIVES.get(op.lower())
        if handler is not None:
            try:
                handler(self, args)
            except Problem:
                self.incomplete |= op.lower() in _DEFINING
                raise
            return
        if self.section.nobits and op.lower() in forms.FORMS:
            raise Problem(
                f"section `{self.section.name}` holds no instructions",
                operand=None,
                hint="switch to .text first",
            )
        if op.lower() in forms.FORMS:
            self.instruction(op.lower(), args)
            return
        raise self.unknown_word(op, args)

    def macro_named(self, name: str) -> Macro | None:
        """The macro of that name; case does not matter if no exact name fits, as in GNU as."""
        if not self.macros:
            return None
        return self.macros.get(name) or self.macros_folded.get(name.lower())

    def unknown_word(self, op: str, args: Span) -> Problem:
        """Explain a mnemonic or directive that does not exist."""
        from .directives import DIRECTIVES

        if op.startswith("."):
            return Problem(
                f"`{op[:60]}` is not a directive",
                operand=None,
                hint=did_you_mean(op, DIRECTIVES),
                consequence=True,
            )
        known = [*forms.FORMS, *self.macros]
        notes = []
        if op.startswith(("c.", "f", "v")) and len(op) > 3:
            notes = ["this machine has RV32IMA: no compressed, floating-point or vector code"]
        elif op in ELSEWHERE:
            return Problem(f"`{op}` {ELSEWHERE[op]}", operand=None)
        elif op in RV64_ONLY:
            notes = [f"`{op}` is an instruction of RV64; registers here have 32 bits"]
        hint = FOREIGN.get(op.lower()) or did_you_mean(op, known, self.misfit(args))
        if not args.text and not (hint and len(op) < 4):
            hint = f"a label ends with a colon: `{op[:60]}:`"
            near = similar(op, known)
            hint += f"; an instruction would be `{near}`" if near else ""
        return Problem(
            f"`{op[:60]}` is not an instruction, directive or macro",
            operand=None,
            notes=notes,
            hint=hint,
            consequence=True,
        )

    def misfit(self, args: Span) -> Callable[[str], int]:
        """Tells how badly operands such as these fit a mnemonic; macros take any."""
        try:
            shape = "".join(operand(piece.text)[0] for piece in split_operands(args.text))
        except Problem:
            return lambda name: 0
        return lambda name: 0 if name in self.macros else forms.misfit(name, shape)

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
            distance = self.distance(section.fixups[index], section.parent or section)
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
        shadowed = [name for name in self.macros if name in forms.FORMS]
        if shadowed:
            self.memo = {}
            self.forms = {k: v for k, v in forms.FORMS.items() if k not in shadowed}
        else:
            self.memo, self.forms = _MEMO, forms.FORMS

    # -- the end -----------------------------------------------------------------------------

    def finish(self) -> None:
        """Checks and padding once all lines are read."""
        from .directives.debug import check_end

        self.check_numeric()
        check_end(self)
        merge(self)
        for section in self.sections.values():
            if section.code:
                section.pad_to(section.align, None)
