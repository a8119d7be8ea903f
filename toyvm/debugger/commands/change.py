"""Commands that change the guest: set, input, vm."""

from __future__ import annotations

import codecs
import re

from toyvm.isa.csr import BY_NAME
from toyvm.isa.registers import NUMBERS, ZERO
from toyvm.ui.text import did_you_mean

from .. import context
from ..errors import DebugError
from ..expr import evaluate, register_names, split_space, type_of
from ..running import hart_of, show_hart
from ..session import Session
from ..target import MASK32
from .base import Command
from .look import sections

_ASSIGN = re.compile(r"(?P<left>.+?)(?<![=!<>])=(?!=)(?P<right>.+)", re.DOTALL)


class Set(Command):
    """set."""

    names = ("set",)
    usage = "$REGISTER=VALUE | {TYPE}[p:]ADDRESS=VALUE | context SECTION ..."
    help = """Change a register, a CSR, pc or memory.
set $a0 = 5        set $pc = main        set $mstatus = $mstatus | 8
set {int}$sp = -1  set {char}p:0x80000000 = 'A'
A CSR keeps its WARL rules: `print` shows what was taken.
`set context code mode` chooses the sections shown at every stop (on, off, or names)."""
    completes = "expression"
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        text = arguments.removeprefix("var ").strip()
        if text.split()[:1] == ["context"]:
            self._context(session, text.removeprefix("context").strip())
            return
        match = _ASSIGN.fullmatch(text)
        if match is None:
            raise DebugError("Expected an assignment such as: set $a0 = 5")
        left, value = match["left"].strip(), evaluate(session, match["right"])
        if left.startswith("$"):
            self._register(session, left[1:], value)
        elif left.startswith("{"):
            self._memory(session, left, value)
        else:
            raise DebugError(
                f'Left operand "{left}": expected $REGISTER or {{TYPE}}ADDRESS, '
                f"such as set {{int}}{left} = {value}"
            )

    @staticmethod
    def _context(session: Session, text: str) -> None:
        if text in ("on", "off", ""):
            session.sections = [] if text == "off" else list(context.SECTIONS)
        else:
            session.sections = sections(text)

    @staticmethod
    def _register(session: Session, name: str, value: int) -> None:
        target = session.target
        if name in NUMBERS:
            if NUMBERS[name] == ZERO:
                raise DebugError("zero is always 0.")
            target.set_reg(NUMBERS[name], value)
        elif name == "pc":
            if value % 4:
                raise DebugError(f"pc must be a multiple of 4, not {value & MASK32:#x}")
            target.set_pc(value)
        elif name in BY_NAME:
            if BY_NAME[name].read_only:
                raise DebugError(f"{name} is read-only.")
            target.set_csr(name, value)
            now = target.csr(name)
            if now != value & MASK32:
                session.write(f"{name} is now {now:#010x}: the other bits cannot be changed")
        else:
            raise DebugError(f'No register "${name}"{did_you_mean(name, register_names())}')

    @staticmethod
    def _memory(session: Session, left: str, value: int) -> None:
        kind, brace, where = left.partition("}")
        if not brace:
            raise DebugError(f'Missing "}}" in "{left}"')
        size, _ = type_of(kind)
        space, expression = split_space(where)
        address = evaluate(session, expression) & MASK32
        data = (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
        write = session.target.write_phys if space == "p" else session.target.write
        if not write(address, data):
            raise DebugError(f"Cannot access memory at address {address:#x}")


class Input(Command):
    """input."""

    names = ("input", "type")
    usage = "TEXT"
    help = r"""Type TEXT and a newline on the guest's console; \n, \t and \xNN are understood.
It is read when the guest runs. `input -n TEXT` sends no newline."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        newline = True
        if arguments == "-n" or arguments.startswith("-n "):
            arguments, newline = arguments[2:].lstrip(), False
        try:
            data = codecs.escape_decode(arguments.encode())[0]
        except ValueError as error:
            raise DebugError(f"Bad escape in the text: {error}") from None
        session.target.feed(bytes(data) + (b"\n" if newline else b""))


class Vm(Command):
    """vm."""

    names = ("vm", "inferior")
    usage = "[NAME]"
    help = """Select the guest that commands talk about; without a name, list the guests."""
    completes = "vm"
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        from .info import info_vm

        if not arguments:
            info_vm(session, "")
            return
        session.select(arguments)
        session.write(f"[Switching to {arguments}]")
        context.show(session, ["mode"])


class Thread(Command):
    """thread."""

    names = ("thread", "hart")
    usage = "[NUMBER]"
    help = """Select the hart whose registers are shown; without a number, list the harts.
All harts take turns: a command that runs goes on with the one whose turn it is."""
    completes = "number"
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        from .info import info_threads

        if not arguments:
            info_threads(session, "")
            return
        if not arguments.isdigit():
            raise DebugError(f'"{arguments}" is no hart: expected a number, as `info threads` has.')
        show_hart(session.target, int(arguments))
        session.write(f"[Switching to hart {hart_of(session.target)}]")
        context.show(session, ["mode"])


COMMANDS: tuple[Command, ...] = (Set(), Input(), Vm(), Thread())
