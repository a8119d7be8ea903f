"""info: facts about registers, CSRs, symbols, guests and exits."""

from __future__ import annotations

import re
from collections.abc import Callable

from toyvm.isa.causes import cause_title
from toyvm.isa.csr import BY_NAME, Csr
from toyvm.isa.registers import ABI_NAMES, NUMBERS
from toyvm.ui.tables import Table, grouped
from toyvm.ui.text import did_you_mean

from .. import context
from ..code import branch_note, current, line_at
from ..errors import DebugError
from ..expr import address_of
from ..formats import with_symbol
from ..running import ending, hart_of
from ..session import Session
from .base import Command

#: CSRs that `info csr` lists without arguments: those a kernel works with.
_USUAL = (
    "mstatus", "mtvec", "mepc", "mcause", "mtval", "mie", "mip", "medeleg", "mideleg", "mscratch",
    "sstatus", "stvec", "sepc", "scause", "stval", "sie", "sip", "sscratch", "satp",
    "mcounteren", "scounteren", "mcycle", "minstret", "time",
)  # fmt: skip


def _write_table(session: Session, table: Table) -> None:
    session.write(table.plain().rstrip("\n"))


def info_registers(session: Session, arguments: str) -> None:
    """Integer registers and pc; those named, or all of them."""
    values = session.registers(session.target)
    words = arguments.replace(",", " ").split()
    if words == ["all"]:
        info_registers(session, "")
        info_csr(session, "")
        return
    names = []
    for word in words:
        bare = word.lstrip("$")
        if bare in NUMBERS:
            names.append(ABI_NAMES[NUMBERS[bare]])
        elif bare == "pc":
            names.append("pc")
        elif bare in BY_NAME:
            info_csr(session, bare)
        else:
            known = [*NUMBERS, "pc", *BY_NAME]
            raise DebugError(f'Invalid register "{bare}"{did_you_mean(bare, known)}')
    if words and not names:
        return
    for name in names or [*ABI_NAMES, "pc"]:
        value = values[name]
        signed = value - (1 << 32) if value >> 31 else value
        mark = "*" if session.changed(session.target, name, value) else " "
        note = session.symbols.describe(value)
        line = f"{mark}{name:<6} 0x{value:08x}  {signed:<12} {f'<{note}>' if note else ''}".rstrip()
        session.write(session.paint.paint("changed", line) if mark == "*" else line)


def csr_note(row: Csr, value: int, session: Session) -> str:
    """The fields of a CSR's value that are not 0, or what the value means."""
    if row.name in ("mcause", "scause"):
        return cause_title(value)
    if row.name in ("mepc", "sepc", "mtvec", "stvec"):
        name = session.symbols.describe(value & ~3)
        return f"<{name}>" if name else ""
    parts = []
    for field in row.fields:
        part = (value & field.mask) >> field.lo
        if part:
            parts.append(field.name if field.hi == field.lo else f"{field.name}={part:#x}")
    return " ".join(parts)


def info_csr(session: Session, arguments: str) -> None:
    """CSRs with their fields; one in detail when it is named."""
    names = arguments.replace(",", " ").replace("$", "").split()
    target = session.target
    if not names or names == ["all"]:
        table = Table(("csr", "value", "fields"))
        for name in _USUAL if not names else BY_NAME:
            value = target.csr(name)
            table.add(name, f"0x{value:08x}", csr_note(BY_NAME[name], value, session))
        _write_table(session, table)
        return
    for name in names:
        row = BY_NAME.get(name)
        if row is None:
            raise DebugError(f'No CSR "{name}"{did_you_mean(name, BY_NAME)}')
        value = target.csr(name)
        session.write(f"{row.name} ({row.number:#05x}) = 0x{value:08x}: {row.meaning}")
        note = csr_note(row, value, session)
        if not row.fields and note:
            session.write(f"  {note}")
        for field in row.fields:
            part = (value & field.mask) >> field.lo
            span = f"{field.hi}:{field.lo}" if field.hi != field.lo else f"{field.lo}"
            session.write(f"  {span:>6}  {field.name:<10} = {part:#x}  {field.meaning}")
        if row.name in ("mcause", "scause"):
            session.write(f"  {cause_title(value)}")
        if row.note:
            session.write(f"  note: {row.note}")


def info_breakpoints(session: Session, arguments: str) -> None:
    """Numbers, places, conditions and hits."""
    if not len(session.breakpoints):
        session.write("No breakpoints.")
        return
    table = Table(("num", "kind", "on", "address", "where", "hits", "condition"), right=("hits",))
    for point in session.breakpoints:
        vm = f"{point.vm}: " if session.many else ""
        table.add(
            point.number,
            "temporary" if point.temporary else "breakpoint",
            "y" if point.enabled else "n",
            f"0x{point.address:08x}",
            f"{vm}{session.symbols.describe(point.address) or point.text}",
            point.hits,
            point.condition + (f" (ignore next {point.ignore})" if point.ignore else ""),
        )
    _write_table(session, table)


def info_symbols(session: Session, arguments: str) -> None:
    """All symbols, or those that match a regular expression."""
    try:
        pattern = re.compile(arguments)
    except re.error as error:
        raise DebugError(f"Invalid regular expression: {error}") from None
    found = [s for s in session.symbols.in_order() if pattern.search(s.name)]
    if not found:
        raise DebugError(f'No symbol matches "{arguments}".' if arguments else "No symbols.")
    for symbol in found:
        size = f"  {symbol.size} bytes" if symbol.size else ""
        session.write(f"0x{symbol.address:08x}  {symbol.name}{size}")


def info_symbol(session: Session, arguments: str) -> None:
    """The symbol that an address belongs to."""
    address = address_of(session, arguments)
    name = session.symbols.describe(address)
    session.write(f"{name} is at 0x{address:08x}" if name else f"No symbol covers 0x{address:08x}.")


def info_source(session: Session, arguments: str) -> None:
    """The source file at pc."""
    place = session.symbols.line_of(session.target.pc)
    if place is None:
        raise DebugError("No current source file: no line is known for pc.")
    text = session.symbols.source(place[0])
    session.write(f"Current source file is {place[0]}")
    session.write(f"Line {place[1]}" + (f" of {len(text)}" if text is not None else ""))
    if text is None:
        session.write("The file cannot be read.")


def info_sources(session: Session, arguments: str) -> None:
    """The source files that the image's code comes from."""
    files = [file for file in session.symbols.files if arguments in file]
    if not files:
        raise DebugError("No source files are known: the image has no line information.")
    for file in files:
        session.write(file)


def info_line(session: Session, arguments: str) -> None:
    """The source line of an address or of FILE:LINE (default: pc) and its instruction."""
    symbols = session.symbols
    found = symbols.at_line(arguments) if arguments and symbols.lines else None
    address = session.target.pc if found is None else found
    if arguments and found is None:
        address = address_of(session, arguments.lstrip("*"))
    place = session.symbols.line_of(address & ~3)
    where = f"{place[0]}:{place[1]}" if place else "no source line known"
    line = line_at(session.target, address & ~3, session.symbols)
    note = ""
    if line.address == session.target.pc:
        note = branch_note(session.target, current(session.target), session.symbols)
    session.write(f"{with_symbol(address, session.symbols)}: {where}")
    session.write(context.code_line(session, line.address, line.text, note))


def info_vm(session: Session, arguments: str) -> None:
    """The guests: mode, pc, counters, state; an arrow marks the selected one."""
    heads = ("", "name", "kind", "mode", "pc", "instret", "exits", "state")
    table = Table(heads, right=("instret", "exits"))
    for guest in session.world.guests:
        target = guest.target
        ledger = target.ledger()
        end = session.ended.get(target.name)
        table.add(
            "=>" if target.name == session.selected else "",
            target.name,
            target.kind,
            target.mode,
            with_symbol(target.pc, guest.symbols),
            grouped(target.instret),
            None if ledger is None else grouped(sum(ledger.values())),
            ending(end) if end else "stopped",
        )
    _write_table(session, table)


def info_threads(session: Session, arguments: str) -> None:
    """The harts of the selected guest: mode, pc, state; an arrow marks the one that is shown."""
    target = session.target
    harts = getattr(target, "harts", None)
    if harts is None:
        info_vm(session, arguments)
        return
    table = Table(("", "hart", "mode", "pc", "state"), right=("hart",))
    for number, mode, pc, state in harts():
        mark = "=>" if number == hart_of(target) else ""
        table.add(mark, number, mode, with_symbol(pc, session.symbols), state)
    _write_table(session, table)


def info_exits(session: Session, arguments: str) -> None:
    """The exit ledger: how often the guest left to the hypervisor, by cause."""
    target = session.target
    ledger = target.ledger()
    if ledger is None:
        raise DebugError(
            f"{target.name} is a bare machine: nothing exits. "
            "Debug it in a VM (toyvm debug --vm IMAGE) to count exits."
        )
    table = Table(("cause", "exits"), right=("exits",))
    for cause, count in sorted(ledger.items(), key=lambda item: (-item[1], item[0])):
        if count:
            table.add(cause, grouped(count))
    total = sum(ledger.values())
    table.add("total", grouped(total))
    _write_table(session, table)
    if total:
        session.write(f"{target.instret // total:,} instructions per exit")


def info_display(session: Session, arguments: str) -> None:
    """The expressions shown at every stop."""
    if not session.displays:
        session.write("There are no auto-display expressions now.")
    for display in session.displays:
        session.write(f"{display.number}: {display.text}")


_TOPICS: dict[str, Callable[[Session, str], None]] = {
    "registers": info_registers,
    "csr": info_csr,
    "breakpoints": info_breakpoints,
    "symbols": info_symbols,
    "symbol": info_symbol,
    "line": info_line,
    "source": info_source,
    "sources": info_sources,
    "vm": info_vm,
    "threads": info_threads,
    "exits": info_exits,
    "display": info_display,
}
_ALIASES = {
    "r": "registers",
    "ir": "registers",
    "b": "breakpoints",
    "functions": "symbols",
    "inferiors": "vm",
    "harts": "threads",
    "ledger": "exits",
}


class Info(Command):
    """info."""

    names = ("info", "i", "inf")
    usage = "TOPIC [ARGUMENTS]"
    help = (
        "Show facts: "
        + ", ".join(f"{name}" for name in sorted(_TOPICS))
        + """.
info registers [NAME ... | all]   integer registers; * marks what changed
info csr [NAME ... | all]         CSRs with their fields
info breakpoints                  breakpoints, hits and conditions
info symbols [REGEXP]             names with their addresses
info symbol ADDRESS               the name that an address belongs to
info line [ADDRESS | FILE:LINE]   source line and instruction
info source                       the source file at pc
info sources [TEXT]               all source files
info vm                           the guests
info threads                      the harts of the selected guest
info exits                        exits by cause (VMs)
info display                      expressions shown at every stop"""
    )
    completes = tuple(sorted([*_TOPICS, "ledger"]))

    def run(self, session: Session, arguments: str, form: str) -> None:
        topic, _, rest = arguments.partition(" ")
        if not topic:
            for name in sorted(_TOPICS):
                first = (_TOPICS[name].__doc__ or "").split("\n", 1)[0]
                session.write(f"info {name:<12} {first}")
            return
        topic = _ALIASES.get(topic, topic)
        matches = [name for name in _TOPICS if name.startswith(topic)]
        if topic in _TOPICS:
            matches = [topic]
        if not matches:
            near = did_you_mean(topic, [*_TOPICS, *_ALIASES])
            raise DebugError(f'Undefined info command: "{topic}".  Try "help info"{near}')
        if len(matches) > 1:
            raise DebugError(f'Ambiguous info command "{topic}": {", ".join(matches)}.')
        _TOPICS[matches[0]](session, rest.strip())


class InfoRegisters(Command):
    """ir, as gef has it."""

    names = ("ir",)
    usage = "[NAME ...]"
    help = """Short for `info registers`."""
    completes = "register"

    def run(self, session: Session, arguments: str, form: str) -> None:
        info_registers(session, arguments)


COMMANDS: tuple[Command, ...] = (Info(), InfoRegisters())
