"""Helpers for directed tests of a NaiveHart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.naive import NaiveHart
from tests.support.asm import Asm
from tests.support.naive_memory import Trap

RAM_BASE = 0x8000_0000


def execute(hart: NaiveHart, name: str, *operands: Any) -> int | None:
    """Put one instruction at the hart's pc in RAM and step; returns last_cause."""
    asm = Asm(hart.pc)
    asm.op(name, *operands)
    (word,) = asm.words()
    return execute_word(hart, word)


def execute_word(hart: NaiveHart, word: int) -> int | None:
    """The same for a word."""
    hart.load_program(word.to_bytes(4, "little"), hart.pc)
    hart.step()
    return hart.last_cause


def trap_of(action: Callable[..., Any], *operands: Any) -> tuple[int, int] | None:
    """(cause, tval) of the Trap that a call raises, or None."""
    try:
        action(*operands)
    except Trap as trap:
        return trap.cause, trap.tval
    return None


def csrw(hart: NaiveHart, number: int, value: int) -> int:
    """Write a CSR by an instruction in the hart's mode; returns what it reads then."""
    hart.x[5] = value
    assert execute(hart, "csrrw", 0, number, 5) is None
    assert execute(hart, "csrrs", 6, number, 0) is None
    return hart.x[6]
