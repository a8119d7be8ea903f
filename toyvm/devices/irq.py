"""Interrupt lines: how a device tells somebody that it wants attention."""

from __future__ import annotations

from collections.abc import Callable

IrqLine = Callable[[bool], None]
"""Sets the level of one line: True asserts it, False deasserts it.  Repeating a level is allowed."""


def unwired(level: bool) -> None:
    """A line that goes nowhere."""
