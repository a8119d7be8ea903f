"""One source under assembly: the loop over its lines, its symbols, sections and mistakes.

A unit is assembled from top to bottom once; all offsets inside a section are known as it
goes.  Conditional branches are first taken to reach their targets.  Where one does not, the
whole source is assembled again with that branch in its long form, until all fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from toyvm.isa.registers import NUMBERS

from . import forms
from .content import MEMO, Content
from .diagnostics import Problem, Stop, did_you_mean, similar
from .explicit import settle
from .expressions import Name, unquoted
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
from .operands import Operand, cached, operand, plain_operand
from .sections import Section
from .subsections import merge
from .values import UNDEFINED, WEAK_BINDING

if TYPE_CHECKING:
    from .encode import Encoder
    from .macros import Macro

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

_NUMBER_SIGN = re.compile(r",\s*#\s*-?[0-9]").search
_LABEL_ALONE = re.compile(r"(?:[A-Za-z_.$][\w.$]*|[0-9]+):", re.ASCII).fullmatch
# The text of a directive: one string, or no quotes at all; then perhaps a comment.
_PLAIN_TEXT = re.compile(
    r"""("(?:[^"\\]|\\.)*+"[ \t]*+|[^"'#;/\\\r\f\v\0=:][^"'#;/\\\r\f\v\0]*+)(?:\#.*)?"""
).fullmatch


class Unit(Content):
    """The state of assembling one source.

    Nearly all lines are a label, an instruction of known form with plain operands, or a directive
    with plain text.  The loop takes those apart itself; everything else, mistakes included, goes
    through the careful parser of ``lexer``.
    """

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
        from .directives import DIRECTIVES

        lines, base = frame.lines, frame.base
        i = start = frame.index
        count = min(len(lines), i + self.limits.statements - self.statements + 1)
        operand_of = cached().get
        directive_of = DIRECTIVES.get
        frames, macros, plain = self.frames, self.macros, self.plain_blanks
        section: Section = self.section
        memo: dict[str, bytes] = {}
        while i < count:
            if memo is not self.memo or section is not self.section:
                section = self.section
                data, fixups = section.data, section.fixups
                note_offset, note_place = section.row_offsets.append, section.row_places.append
                memo = self.memo
                known_code = memo.get
                forms_of = self.forms.get
            line = lines[i]
            place = base + i
            i += 1
            code = known_code(line)
            if code is not None:
                note_offset(len(data))
                note_place(place)
                data += code
                continue
            words = line.split(None, 1)
            if not words:
                continue
            self.place = place
            op = words[0]
            by_shape = forms_of(op)
            if by_shape is not None:
                if len(words) == 2 and plain:
                    text = words[1]
                    if "#" in text:
                        text = text[: text.index("#")]
                    shape = ""
                    values = []
                    for piece in text.split(","):
                        pair = operand_of(piece) or plain_operand(piece)
                        if pair is None:
                            break
                        shape += pair[0]
                        values.append(pair[1])
                    else:
                        encode = by_shape.get(shape)
                        if encode is not None:
                            before = len(fixups)
                            try:
                                code = encode(self, values)
                            except Problem as problem:
                                self.instruction_problem(problem, text)
                                code = bytes(4)
                            else:
                                if len(fixups) == before and shape.islower():
                                    if len(line) < _MEMO_LINE:
                                        memo[line] = code
                            note_offset(len(data))
                            note_place(place)
                            data += code
                            continue
            elif op[0] == "#":
                continue
            elif len(words) == 1 and _LABEL_ALONE(op) is not None:
                self.define_label(op[:-1])
                continue
            frame.index = i
            handler = directive_of(op) if plain else None
            if handler is not None and macros and self.macro_named(op) is not None:
                handler = None
            args = Span("", len(line))
            if handler is not None and len(words) == 2:
                found = _PLAIN_TEXT(words[1])
                if found is None:
                    handler = None
                else:
                    args = Span(found[1], len(line) - len(words[1]))
            try:
                if handler is not None:
                    handler(self, args)
                else:
                    self.other_line(line)
            except (Problem, RecursionError) as mistake:
                self.incomplete |= handler is not None and op in _DEFINING
                self.failed(mistake)
            if not frames or frames[-1] is not frame or self.skipping or frame.index != i:
                self.count(i - start)
                return
        frame.index = i
        self.count(i - start)
        if len(MEMO) > _MEMO_SIZE:
            MEMO.clear()

    def other_line(self, line: str) -> None:
        """A line that the loop does not take apart itself."""
        found = SIMPLE.match(line)
        if found is None:
            self.complex_line(line)
            return
        label, op, text = found.groups()
        if label is not None:
            self.define_label(label)
        if op is None:
            return
        if op not in self.forms:
            self.directive(op, Span(text or "", found.start(3)))
            return
        section = self.section
        before = len(section.fixups)
        code, same = self.encoded(op, text.split(",") if text else [], text)
        if same and len(section.fixups) == before and label is None and len(line) < _MEMO_LINE:
            self.memo[line] = code
        section.row_offsets.append(len(section.data))
        section.row_places.append(self.place)
        section.data += code

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
            if label.text[0] == '"':
                defined = self.define_label(unquoted(label.text), True)
            else:
                defined = self.define_label(label.text)
            if not defined:
                break
        op = statement.op
        if op is None:
            return
        if statement.target is not None:
            from .directives.symbols import assign

            target = statement.target.text
            name = unquoted(target) if target[0] == '"' else target
            assign(self, name, op.text, statement.operands)
        elif op.text in self.forms:
            self.instruction(op.text, statement.operands)
        else:
            self.directive(op.text, statement.operands)

    def instruction(self, op: str, operands: Span) -> None:
        """Assemble an instruction."""
        pieces = [p.text for p in split_operands(operands.text)]
        self.emit(self.encoded(op, pieces, operands.text)[0], instruction=True)

    def encoded(self, op: str, pieces: list[str], text: str | None) -> tuple[bytes, bool]:
        """The machine code, and whether the operands alone decide it; mistakes are reported."""
        try:
            pairs = [operand(piece) for piece in pieces]
            shape = "".join(p[0] for p in pairs)
            encode = self.forms[op].get(shape)
            if encode is None:
                encode, pairs = self.with_symbol(op, pieces, pairs, shape)
            same = all(p[0].islower() for p in pairs)
            return encode(self, [p[1] for p in pairs]), same
        except Problem as problem:
            self.instruction_problem(problem, text)
            return bytes(4), False

    def with_symbol(
        self, op: str, pieces: list[str], pairs: list[Operand], shape: str
    ) -> tuple[Encoder, list[Operand]]:
        """The form that fits if an operand is a symbol with the name of a register."""
        for index in reversed(range(len(pairs))):
            name = pieces[index].strip()
            if shape[index] != "r" or not self.means_symbol(name):
                continue
            encode = self.forms[op].get(f"{shape[:index]}X{shape[index + 1 :]}")
            if encode is not None:
                return encode, [*pairs[:index], ("X", Name(name)), *pairs[index + 1 :]]
        raise forms.mismatch(op, pieces, shape)

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
        line = self.positions.text(self.place) if self.place >= 0 else ""
        if problem.message == "a value is missing here" and _NUMBER_SIGN(line) is not None:
            problem.hint = "`#` begins a comment; numbers stand without it"
        self.report(problem)

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
        if op.startswith('"'):
            return Problem(
                f"`{op[:60]}` is not an instruction, directive or macro", operand=None,
                hint='a text needs a directive in front of it: .asciz "text"',
            )  # fmt: skip
        known = [*forms.FORMS, *self.macros]
        notes = []
        if op.startswith(("c.", "f", "v")) and len(op) > 3:
            notes = ["this machine has RV32IMA: no compressed, floating-point or vector code"]
        elif op in ELSEWHERE:
            return Problem(f"`{op}` {ELSEWHERE[op]}", operand=None)
        elif op in RV64_ONLY:
            notes = [f"`{op}` is an instruction of RV64; registers here have 32 bits"]
        hint = FOREIGN.get(op.lower()) or did_you_mean(op, known, self.misfit(args))
        foreign = op.lower() in FOREIGN
        if not args.text and not foreign and not (hint and len(op) < 4):
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

    # -- the end -----------------------------------------------------------------------------

    def finish(self) -> None:
        """Checks and padding once all lines are read."""
        from .directives.debug import check_end

        self.check_numeric()
        for symbol, other in (*reversed(self.copies), *self.copies):
            symbol.type = other.type or symbol.type
            symbol.size = symbol.size or other.size
        for symbol in self.symbols.values():
            target = symbol.weakref
            if target is not None and target.state == UNDEFINED and not target.declared:
                # A name that only aliases use may stay undefined.
                target.binding = WEAK_BINDING if target.used_at < 0 else target.binding
        check_end(self)
        merge(self)
        settle(self)
        for section in self.sections.values():
            if section.linked and self.linked_section(section) is None:
                self.error_at(
                    section.row_places[0] if section.row_places else -1,
                    f"`{section.linked}`, which section `{section.name}` names, is not defined",
                )
            if section.code:
                section.pad_to(section.align, None)
