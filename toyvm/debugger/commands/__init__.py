"""The debugger's commands, grouped as `help` readers look for them."""

from __future__ import annotations

from . import change, displays, info, look, memory, meta, running, stops
from .base import Command, execute, register

__all__ = ["ALL", "Command", "execute", "register"]

ALL: tuple[Command, ...] = (
    *running.COMMANDS,
    *stops.COMMANDS,
    *look.COMMANDS,
    *displays.COMMANDS,
    *memory.COMMANDS,
    *change.COMMANDS,
    *info.COMMANDS,
    *meta.COMMANDS,
)
