"""The state of one debugging session, shared by all commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from toyvm.isa.registers import ABI_NAMES
from toyvm.ui.text import LineSplitter
from toyvm.ui.theme import Painter, colour_wanted

from .breakpoints import Armed, Breakpoints
from .formats import Format
from .symbols import Symbols
from .target import StopLike, Target
from .world import World, find_guest

if TYPE_CHECKING:
    from .commands.base import Command

SECTIONS = ("registers", "code", "stack", "mode")


@dataclass
class Display:
    """An expression shown at every stop."""

    number: int
    text: str
    form: Format | None


@dataclass
class Examined:
    """Where `x` left off: it continues there when it is repeated."""

    address: int = 0
    space: str = "v"
    form: Format = field(default_factory=Format)


class Session:
    """One user, one world, one selected target.

    `out` is where everything goes that the debugger and the guests say. `keys` gives console
    input for a running guest, or None when the input belongs to the debugger alone.
    """

    def __init__(self, world: World, out: IO[str] | None = None, keys: Any = None) -> None:
        self.world = world
        self.out = sys.stdout if out is None else out
        self.paint = Painter(colour_wanted(self.out))
        self.keys = keys
        self.selected = world.guests[0].target.name
        self.breakpoints = Breakpoints()
        self.history: list[int] = []
        self.displays: list[Display] = []
        self.examined = Examined()
        self.sections: list[str] = list(SECTIONS)
        self.ended: dict[str, StopLike] = {}
        self.before: dict[str, dict[str, int]] = {}
        self.reported: dict[str, int] = {}
        """Guest -> its steps when a stop of it was reported."""
        self.last_line = ""
        self.commands: dict[str, Command] = {}
        self.script_depth = 0
        self.wrote_newline = True
        self._armed: dict[str, Armed] = {}
        self._lines: dict[str, LineSplitter] = {}
        self.remember()

    # -- the selected guest ------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """The selected machine or VM."""
        return find_guest(self.world, self.selected).target

    @property
    def symbols(self) -> Symbols:
        """The names of the selected guest."""
        return find_guest(self.world, self.selected).symbols

    @property
    def many(self) -> bool:
        """True when there is more than one guest."""
        return len(self.world.guests) > 1

    def select(self, name: str) -> None:
        """Make guest `name` the one that commands talk about; DebugError if there is none."""
        find_guest(self.world, name)
        self.selected = name

    def armed(self, target: Target) -> Armed:
        """The stops set in `target`."""
        if target.name not in self._armed:
            self._armed[target.name] = Armed(target)
        return self._armed[target.name]

    def restart(self) -> None:
        """Build the world again; breakpoints and displays stay."""
        self.world.restart()
        self._armed.clear()
        self.ended.clear()
        self.before.clear()
        self.reported.clear()
        self.remember()

    # -- registers at the last stop ------------------------------------------------------------

    def registers(self, target: Target) -> dict[str, int]:
        """All integer registers and pc by name."""
        values = {name: target.reg(number) for number, name in enumerate(ABI_NAMES)}
        values["pc"] = target.pc
        return values

    def remember(self) -> None:
        """Keep the registers of all guests, to mark at the next stop what changed."""
        for guest in self.world.guests:
            self.before[guest.target.name] = self.registers(guest.target)

    def changed(self, target: Target, name: str, value: int) -> bool:
        """True if register `name` had another value when the guest was last started."""
        return self.before.get(target.name, {}).get(name, value) != value

    # -- output ------------------------------------------------------------------------------

    def write(self, text: str = "") -> None:
        """One line (or several) of the debugger's own."""
        self.end_line()
        self.out.write(text + "\n")
        self.wrote_newline = True

    def end_line(self) -> None:
        """Start a new line if the guest left the cursor in the middle of one."""
        if not self.wrote_newline:
            self.out.write("\n")
            self.wrote_newline = True

    def drain(self) -> None:
        """Show what the guests wrote to their consoles: one guest as it is, several by line."""
        for guest in self.world.guests:
            data = guest.target.new_output()
            if not data:
                continue
            if self.many:
                self._by_line(guest.target.name).feed(data)
            else:
                self._raw(data)
        self.out.flush()

    def _by_line(self, name: str) -> LineSplitter:
        if name not in self._lines:
            self._lines[name] = LineSplitter(self._prefixed(name))
        return self._lines[name]

    def _prefixed(self, name: str) -> Callable[[str], None]:
        def write(line: str) -> None:
            self.write(f"{self.paint.paint('symbol', name)} | {line}")

        return write

    def finish_output(self) -> None:
        """Show unfinished lines, at the end of the session."""
        for splitter in self._lines.values():
            splitter.finish()
        self.end_line()
        self.out.flush()

    def _raw(self, data: bytes) -> None:
        self.out.flush()
        binary = getattr(self.out, "buffer", None)
        if binary is not None:
            binary.write(data)
            binary.flush()
        else:
            self.out.write(data.decode("utf-8", "replace"))
        self.wrote_newline = data.endswith(b"\n")

    @property
    def width(self) -> int:
        """Columns for output."""
        try:
            return max(60, min(132, os.get_terminal_size(self.out.fileno()).columns))
        except (OSError, ValueError, AttributeError):
            return 96
