"""Interrupt lines: how a device tells somebody that it wants attention."""

from __future__ import annotations

from collections.abc import Callable

IrqLine = Callable[[bool], None]
"""Sets the level of a line: True asserts it, False deasserts it.  A level may be repeated."""


def unwired(level: bool) -> None:
    """A line that goes nowhere."""
