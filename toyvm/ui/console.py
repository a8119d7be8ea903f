"""The user's terminal as a guest's console: keys in, Ctrl-A commands out."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from typing import IO

from .rawterm import HELP, EscapeFilter, raw_mode
from .stdin import InputSource


class GuestKeys:
    """Input for a guest while the `with` block lasts.

    On a terminal the keys come one by one and Ctrl-A starts a command; from a pipe or a file
    every byte is the guest's. `command` is "leave" or "debug" once the user asked for that;
    `breaks` counts the breaks that are to be sent on the serial line.
    """

    def __init__(self, source: InputSource | None = None, notes: IO[str] | None = None) -> None:
        self.source = InputSource.standard() if source is None else source
        self.notes = sys.stderr if notes is None else notes
        self.command = ""
        self.breaks = 0
        self.interactive = False
        self._filter = EscapeFilter()
        self._stack = ExitStack()

    def __enter__(self) -> GuestKeys:
        if self.source.fd is not None and not self.source.ended:
            self.interactive = self._stack.enter_context(raw_mode(self.source.fd))
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()
        self.interactive = False

    @property
    def ended(self) -> bool:
        """True when no more input will ever come."""
        return self.source.ended

    def poll(self, timeout: float = 0.0, also: Iterable[int] = ()) -> bytes:
        """Bytes for the guest, waiting at most `timeout` seconds for the first one."""
        data = self.source.poll(timeout, also)
        if not self.interactive or not data:
            return data
        data, commands = self._filter.feed(data)
        for command in commands:
            if command == "help":
                self.notes.write("\n" + HELP)
                self.notes.flush()
            elif command == "break":
                self.breaks += 1
            else:
                self.command = command
        return data

    def take_command(self) -> str:
        """The pending command, once."""
        command, self.command = self.command, ""
        return command
