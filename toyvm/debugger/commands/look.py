"""Commands that look: print, x, disassemble, list, context, backtrace, explain, telescope."""

from __future__ import annotations

from .. import context
from ..code import branch_note, current, line_at, word_at
from ..errors import DebugError
from ..explain import explain_word
from ..expr import address_of, evaluate, split_space
from ..formats import Format, parse_format, quoted, show, with_symbol
from ..frames import backtrace
from ..session import SECTIONS, Examined, Session
from ..target import MASK32
from .base import Command, number


class Print(Command):
    """print."""

    names = ("print", "p", "inspect", "output")
    usage = "[/FMT] EXPRESSION"
    help = """Show the value of an expression.
$a0 is a register, $mstatus a CSR, main a symbol, *$sp the word at sp, {char}p a byte.
The value is kept as $1, $2, ... for later expressions. FMT is one letter of xduotca."""
    takes_format = True
    completes = "expression"

    def run(self, session: Session, arguments: str, form: str) -> None:
        value = evaluate(session, arguments)
        session.history.append(value)
        if form:
            chosen = parse_format(form, Format())
            if chosen.count != 1 or chosen.letter in "is":
                raise DebugError(f'Format "/{form}" is meaningless in print; use x/{form}')
            text = show(value, chosen, session.symbols)
            if chosen.letter == "x":
                text = f"{int(text, 16):#x}"
        else:
            text = f"{value & MASK32:#x} ({value})"
            name = session.symbols.describe(value & MASK32)
            text += f" <{name}>" if name else ""
        session.write(f"${len(session.history)} = {text}")


class Examine(Command):
    """x."""

    names = ("x",)
    usage = "[/FMT] [p:]EXPRESSION"
    help = """Look at memory: x/4xw $sp, x/8i $pc, x/s message, x/16xb p:0x80000000.
FMT is a count, a letter of xduotcais and a size b, h or w; the last ones are kept.
p: takes a physical address, v: (the default) a virtual one. An empty line goes on."""
    takes_format = True
    completes = "expression"

    def run(self, session: Session, arguments: str, form: str) -> None:
        last = session.examined
        chosen = parse_format(form, last.form)
        address, space = last.address, last.space
        if arguments:
            space, expression = split_space(arguments)
            address = address_of(session, expression)
        session.examined = Examined(address, space, chosen)
        session.examined.address = self._show(session, address, space, chosen) & MASK32

    def _show(self, session: Session, address: int, space: str, form: Format) -> int:
        """Print; the address behind what was shown."""
        if form.letter == "i":
            return self._instructions(session, address, space, form.count)
        if form.letter == "s":
            for _ in range(form.count):
                address = self._string(session, address, space)
            return address
        per_line = {1: 8, 2: 8, 4: 4}[form.size]
        if form.letter in "act":
            per_line = max(1, per_line // 2)
        for start in range(0, form.count, per_line):
            cells: list[str] = []
            first = (address + start * form.size) & MASK32
            for index in range(start, min(form.count, start + per_line)):
                where = (address + index * form.size) & MASK32
                data = self.read(session, where, form.size, space)
                if data is None:
                    if cells:
                        session.write(self._label(session, first) + "  ".join(cells))
                    raise DebugError(f"Cannot access memory at address {where:#x}")
                cells.append(show(int.from_bytes(data, "little"), form, session.symbols))
            session.write(self._label(session, first) + "  ".join(cells))
        return address + form.count * form.size

    def _instructions(self, session: Session, address: int, space: str, count: int) -> int:
        if address % 4:
            raise DebugError(f"Instructions lie at multiples of 4, not at {address:#x}")
        for _ in range(count):
            data = self.read(session, address, 4, space)
            if data is None:
                raise DebugError(f"Cannot access memory at address {address:#x}")
            if space == "p":
                from toyvm.isa.disasm import disasm

                text = disasm(int.from_bytes(data, "little"), address)
                session.write(f"    p:0x{address:08x}  {text}")
            else:
                line = line_at(session.target, address, session.symbols)
                session.write(context.code_line(session, address, line.text))
            address = (address + 4) & MASK32
        return address

    def _string(self, session: Session, address: int, space: str) -> int:
        data = bytearray()
        while len(data) < 200:
            byte = self.read(session, (address + len(data)) & MASK32, 1, space)
            if byte is None:
                if not data:
                    raise DebugError(f"Cannot access memory at address {address:#x}")
                break
            if byte == b"\0":
                session.write(self._label(session, address) + quoted(bytes(data)))
                return address + len(data) + 1
            data += byte
        session.write(self._label(session, address) + quoted(bytes(data)) + "...")
        return address + len(data)

    @staticmethod
    def _label(session: Session, address: int) -> str:
        return with_symbol(address, session.symbols) + ":  "

    @staticmethod
    def read(session: Session, address: int, count: int, space: str) -> bytes | None:
        """`count` bytes from the chosen address space."""
        reader = session.target.read_phys if space == "p" else session.target.read
        return reader(address, count)


class Disassemble(Command):
    """disassemble."""

    names = ("disassemble", "disas")
    usage = "[LOCATION] [, END]"
    help = """Show the instructions of the function around LOCATION (default: pc), or up to END.
=> marks pc, b a breakpoint. END may be +N instructions."""
    completes = "location"
    MOST = 200
    FOLDED, FAR = 8, 1 << 14

    def run(self, session: Session, arguments: str, form: str) -> None:
        start_text, comma, end_text = arguments.partition(",")
        symbols = session.symbols
        address = address_of(session, start_text.lstrip("*")) if start_text else session.target.pc
        address &= ~3
        if comma:
            end_text = end_text.strip()
            if end_text.startswith("+"):
                end = address + 4 * evaluate(session, end_text[1:])
            else:
                end = address_of(session, end_text)
            start = address
        else:
            symbol = symbols.covering(address)
            start = symbol.address & ~3 if symbol else address
            end = (symbols.end_of(symbol) if symbol else None) or start + 64
        at, shown = start, 0
        while (at < end or not shown) and shown < self.MOST:
            line = line_at(session.target, at, symbols)
            if line.word is None:
                if not shown:
                    raise DebugError(f"Cannot access memory at address {start:#x}")
                return
            note = ""
            if line.address == session.target.pc:
                note = branch_note(session.target, current(session.target), symbols)
            session.write(context.code_line(session, line.address, line.text, note, line.word))
            at, shown = at + 4, shown + 1
            same = self._same(session, line.word, at, end)
            if same >= self.FOLDED:
                at += 4 * same
                session.write(f"    ... {same} more of the same, to {at - 4:#x}")
        if at < end:
            session.write(f"... (disassemble {at:#x}, {end:#x} shows the rest)")

    @staticmethod
    def _same(session: Session, word: int, at: int, end: int) -> int:
        """How many instructions from `at` on are `word`, up to the next that is marked."""
        marked = {session.target.pc}
        marked.update(point.address for point in session.breakpoints)
        count = 0
        end = min(end, at + 4 * Disassemble.FAR)
        while at < end and at not in marked and word_at(session.target, at) == word:
            at, count = at + 4, count + 1
        return count


class List(Command):
    """list."""

    names = ("list", "l")
    usage = "[LOCATION | LINE | FIRST,LAST]"
    help = """Show the source around LOCATION (default: pc), where the image knows its sources.
LOCATION is a symbol, *ADDRESS or FILE:LINE; a number is a line of the file at pc, and
FIRST,LAST shows those lines."""
    completes = "location"

    def run(self, session: Session, arguments: str, form: str) -> None:
        symbols = session.symbols
        here = symbols.line_of(session.target.pc)
        file, first, last, centre = self._wanted(session, arguments.strip(), here)
        text = symbols.source(file)
        if text is None:
            raise DebugError(f"{file}: the source cannot be read; try `disassemble`.")
        if first > len(text):
            raise DebugError(f"Line number {first} out of range; {file} has {len(text)} lines.")
        for index in range(max(1, first), min(len(text), last) + 1):
            mark = "=>" if index == centre else "  "
            session.write(f"{mark} {index:4}  {text[index - 1].expandtabs()}".rstrip())

    def _wanted(
        self, session: Session, text: str, here: tuple[str, int] | None
    ) -> tuple[str, int, int, int]:
        """(file, first line, last line, marked line)."""
        symbols = session.symbols
        head, comma, tail = text.partition(",")
        head, tail = head.strip(), tail.strip()
        _, colon, line = head.rpartition(":")
        if comma and tail.isdigit() and line.isdigit():
            # Lines of a file, whether code comes from them or not.
            if colon:
                address = symbols.at_line(head)
                place = symbols.line_of(address) if address is not None else None
            else:
                place = here
            if place is None:
                raise DebugError("No source file here; name one: list FILE:FIRST,LAST")
            first, last = int(line), int(tail)
            if last < first:
                raise DebugError(f"Second line {last} precedes first line {first}.")
            marked = here[1] if here is not None and here[0] == place[0] else 0
            return place[0], first, min(last, first + 1000), marked
        if head.isdigit() and here is not None and len(head) < 9:
            number_ = int(head)
            return here[0], number_ - 5, number_ + 5, here[1]
        where = session.target.pc
        if head:
            line_ = symbols.at_line(head) if symbols.lines else None
            where = address_of(session, head.lstrip("*")) if line_ is None else line_
        place = symbols.line_of(where & ~3)
        if place is None:
            raise DebugError(
                f"No source line for {with_symbol(where, symbols)}; try `disassemble`."
            )
        return place[0], place[1] - 5, place[1] + 5, place[1]


class Context(Command):
    """context."""

    names = ("context", "ctx")
    usage = "[SECTION ... | on | off]"
    help = """Show the picture of the stop: registers, code, stack and mode.
With names of sections, only those. `set context code mode` chooses what every stop shows,
`context off` and `context on` switch it."""
    completes = (*SECTIONS, "on", "off")

    def run(self, session: Session, arguments: str, form: str) -> None:
        if arguments in ("on", "off"):
            session.sections = list(SECTIONS) if arguments == "on" else []
            return
        context.show(session, sections(arguments) if arguments else list(SECTIONS))


def sections(text: str) -> list[str]:
    """Names of context sections; DebugError lists the known ones."""
    chosen = text.replace(",", " ").split()
    for name in chosen:
        if name not in SECTIONS:
            raise DebugError(f'No section "{name}": expected {", ".join(SECTIONS)}')
    return chosen


class Backtrace(Command):
    """backtrace."""

    names = ("backtrace", "bt", "where")
    usage = "[N]"
    help = """Show who called whom, at most N frames.
There are no unwind tables: frame 0 is certain, the others are read from ra and from the
saved ra of straight prologues, up to the nearest symbol. Hand-written code may fool it."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        limit = number(arguments, "a number of frames", 1, 1000) if arguments else 32
        frames = backtrace(session.target, session.symbols, limit)
        for index, frame in enumerate(frames):
            how = "" if index == 0 else f"   (from {frame.how})"
            session.write(f"#{index}  {with_symbol(frame.pc, session.symbols)}{how}")
        if len(frames) < limit:
            session.write("(no further frame can be told from ra and the prologues)")


class Explain(Command):
    """explain."""

    names = ("explain",)
    usage = "[ADDRESS | word WORD]"
    help = """Take the instruction at pc (or at ADDRESS) apart: fields, meaning, values now.
`explain word 0x00a50533` explains a word that is not in memory."""
    completes = "expression"

    def run(self, session: Session, arguments: str, form: str) -> None:
        if arguments.split()[:1] == ["word"]:
            word = evaluate(session, arguments.split(None, 1)[1] if " " in arguments else "")
            lines = explain_word(session, word & MASK32, None)
        else:
            where = address_of(session, arguments.lstrip("*")) if arguments else session.target.pc
            line = line_at(session.target, where, session.symbols)
            if line.word is None:
                raise DebugError(f"Cannot access memory at address {where:#x}")
            session.write(with_symbol(where, session.symbols))
            lines = explain_word(session, line.word, where)
        for text in lines:
            session.write(text)


class Telescope(Command):
    """telescope."""

    names = ("telescope", "tele")
    usage = "[ADDRESS] [COUNT]"
    help = """Show words in memory and what they point at (default: 8 words from sp)."""
    completes = "expression"

    def run(self, session: Session, arguments: str, form: str) -> None:
        count = context.STACK_WORDS
        head, _, tail = arguments.rpartition(" ")
        if head and tail.isdigit():
            arguments, count = head, number(tail, "a count", 1, 512)
        address = address_of(session, arguments) if arguments else session.target.reg(2)
        for line in context.stack_lines(session, address & ~3, count):
            session.write(line)


COMMANDS: tuple[Command, ...] = (
    Print(),
    Examine(),
    Disassemble(),
    List(),
    Context(),
    Backtrace(),
    Explain(),
    Telescope(),
)
