"""The picture of a stop: registers, code around pc, the stack, and where we are.

What changed since the last stop carries a star, pc an arrow and a breakpoint a b, so that
nothing depends on colour.
"""

from __future__ import annotations

from toyvm.isa import csr
from toyvm.isa.registers import ABI_NAMES, SP

from .code import branch_note, current, lines_around, word_at
from .formats import quoted, with_symbol
from .session import SECTIONS, Session
from .symbols import Symbols
from .target import MASK32, Target

BEFORE, AFTER = 3, 5
STACK_WORDS = 8
_CHAIN = 3


def show(session: Session, sections: list[str] | None = None) -> None:
    """Print the chosen sections (default: the session's own choice)."""
    for section in session.sections if sections is None else sections:
        _PRINTERS[section](session)


def rule(session: Session, title: str) -> str:
    """A titled line across the screen."""
    return session.paint.paint("title", f"-- {title} ".ljust(session.width, "-"))


def register_cell(session: Session, name: str, value: int) -> str:
    """`*a0   0x00000001`, with a star if the value is new."""
    changed = session.changed(session.target, name, value)
    text = f"{'*' if changed else ' '}{name:<5}0x{value:08x}"
    return session.paint.paint("changed", text) if changed else text


def registers(session: Session) -> None:
    """31 registers and pc, in columns that fit the screen."""
    values = session.registers(session.target)
    names = [*ABI_NAMES[1:], "pc"]
    columns = max(1, min(8, session.width // 18))
    columns = max(c for c in (1, 2, 4, 8) if c <= columns)
    rows = len(names) // columns
    session.write(rule(session, "registers"))
    for row in range(rows):
        cells = [
            register_cell(session, names[row + rows * c], values[names[row + rows * c]])
            for c in range(columns)
        ]
        session.write("  ".join(cells).rstrip())


def code_line(
    session: Session, address: int, text: str, note: str = "", word: int | None = None
) -> str:
    """One instruction with its marks: `=>` for pc, `b` for a breakpoint."""
    target = session.target
    here = address == target.pc
    mark = "=>" if here else "  "
    stops = session.breakpoints.at(target.name, address)
    flag = session.paint.paint("break", "b") if stops else " "
    name = session.symbols.describe(address)
    label = f"<{name}>" if name else ""
    shown = f"{mark}{flag} 0x{address:08x} {label:<20} "
    if word is not None:
        shown += f"{word:08x}  "
    shown += text + (f"    ; {note}" if note else "")
    return session.paint.paint("pc", shown) if here else shown


def code(session: Session) -> None:
    """Instructions around pc; branches say whether they will be taken."""
    target, symbols = session.target, session.symbols
    session.write(rule(session, "code"))
    for line in lines_around(target, target.pc, symbols, BEFORE, AFTER):
        note = ""
        if line.address == target.pc:
            note = branch_note(target, current(target), symbols)
        start = symbols.covering(line.address)
        if start is not None and start.address == line.address:
            session.write(session.paint.paint("symbol", f"{start.name}:"))
        session.write(code_line(session, line.address, line.text, note))
    place = symbols.line_of(target.pc)
    if place is not None:
        text = symbols.source_line(*place)
        shown = f"   {place[0]}:{place[1]}" + (f"    {text.strip().expandtabs()}" if text else "")
        session.write(session.paint.paint("dim", shown))


def text_at(target: Target, address: int) -> bytes | None:
    """A printable string of at least four characters at `address`, None if there is none."""
    data = b""
    for size in (32, 8):
        found = target.read(address, size)
        if found is not None:
            data = found
            break
    text, nul, _ = data.partition(b"\0")
    good = len(text) >= 4 and all(32 <= byte < 127 or byte in (9, 10, 13) for byte in text)
    return text if good and (nul or len(text) == len(data)) else None


def chain(target: Target, symbols: Symbols, value: int) -> str:
    """Where a value points, and what is there: `0x80001000 <buf> -> "hello"`."""
    parts = []
    seen: set[int] = set()
    for _ in range(_CHAIN):
        parts.append(with_symbol(value, symbols))
        if value in seen:
            parts.append("(loop)")
            break
        seen.add(value)
        text = text_at(target, value)
        if text is not None:
            parts.append(quoted(text))
            break
        following = None if value % 4 else word_at(target, value)
        if following is None or _is_code(symbols, value):
            break
        value = following
    return " -> ".join(parts)


def _is_code(symbols: Symbols, address: int) -> bool:
    symbol = symbols.covering(address)
    return symbol is not None and symbol.is_code


def stack_lines(session: Session, address: int, count: int) -> list[str]:
    """`count` words from `address` upwards, each followed where it points."""
    target = session.target
    pointers = {
        target.reg(number): name
        for number, name in reversed(list(enumerate(ABI_NAMES)))
        if name in ("sp", "s0", "ra", "gp", "tp")
    }
    lines = []
    for index in range(count):
        where = (address + 4 * index) & MASK32
        word = word_at(target, where)
        if word is None:
            lines.append(f"   0x{where:08x} +{4 * index:02x}  (cannot read)")
            break
        mark = f"  <- ${pointers[where]}" if where in pointers else ""
        lines.append(
            f"   0x{where:08x} +{4 * index:02x}  {chain(target, session.symbols, word)}{mark}"
        )
    return lines


def stack(session: Session) -> None:
    """The words that sp points at, lowest address first."""
    sp = session.target.reg(SP)
    session.write(rule(session, "stack"))
    if sp % 4 or word_at(session.target, sp) is None:
        session.write(f"   sp = 0x{sp:08x} points at no readable word")
        return
    for line in stack_lines(session, sp, STACK_WORDS):
        session.write(line)


def satp_text(target: Target) -> str:
    """`bare` or the root table and address space of Sv32."""
    satp = target.csr("satp")
    if not satp & csr.SATP_MODE:
        return "bare"
    asid = (satp & csr.SATP_ASID) >> csr.SATP_ASID_SHIFT
    return f"Sv32 root 0x{(satp & csr.SATP_PPN) << 12:08x} asid {asid}"


def mode_text(session: Session) -> str:
    """One line: guest, mode, translation, counters, exits."""
    target = session.target
    facts = [
        f"{target.name} ({target.kind})",
        f"mode {target.mode}",
        f"satp {satp_text(target)}",
        f"instret {target.instret:,}",
        f"steps {target.steps:,}",
        f"mtime {target.mtime:,}",
    ]
    ledger = target.ledger()
    if ledger is not None:
        facts.append(f"exits {sum(ledger.values()):,}")
    return " · ".join(facts)


def mode(session: Session) -> None:
    """The mode line."""
    session.write(rule(session, "mode"))
    session.write(" " + session.paint.paint("mode", mode_text(session)))


_PRINTERS = {"registers": registers, "code": code, "stack": stack, "mode": mode}
assert tuple(_PRINTERS) == SECTIONS
