"""Lock-step comparison of a device under test with the slow reference hart."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from tests.naive import NaiveHart
from toyvm.isa.disasm import disasm

MODES = {0: "U", 1: "S", 3: "M"}
HISTORY = 8  # steps shown before a difference


class Dut(Protocol):
    """What lockstep needs of the hart under test."""

    def step(self) -> None:
        """Exactly one step."""

    def run(self, steps: int) -> None:
        """Exactly so many steps in one call; fewer only in a wfi without end."""

    def quick(self) -> tuple[Any, ...]:
        """pc, mode, x1 to x31, steps: what is compared after every step."""

    def state(self) -> dict[str, Any]:
        """All that ``NaiveHart.state`` names, with the same keys."""

    def ram_bytes(self) -> bytes:
        """All of RAM."""


memcmp = ctypes.CDLL(None).memcmp
memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
memcmp.restype = ctypes.c_int


def same_bytes(one: np.ndarray, two: np.ndarray) -> bool:
    """Are two arrays of bytes equal?  Ten times faster than NumPy says it."""
    assert one.dtype == two.dtype == np.uint8
    return one.size == two.size and memcmp(one.ctypes.data, two.ctypes.data, one.size) == 0


def quick_of(model: NaiveHart) -> tuple[Any, ...]:
    """The model's side of ``Dut.quick``."""
    return model.pc, model.mode, tuple(model.x[1:]), model.steps


LastStep = tuple[int, int, int | None, int | None, int]


def last_step(model: NaiveHart) -> LastStep:
    """What ``tell`` needs of the model's last step: noting it costs far less than telling it."""
    return model.last_mode, model.last_pc, model.last_word, model.last_cause, model.last_tval


def tell(step: LastStep) -> str:
    """A step as one line."""
    mode, pc, word, cause, tval = step
    text = "(nothing fetched)" if word is None else f"{word:08x}  {disasm(word, pc)}"
    if cause is not None:
        text += f"  -> trap {cause:#x} tval {tval:#010x}"
    return f"{MODES[mode]} {pc:#010x}  {text}"


def describe(model: NaiveHart) -> str:
    """What the model's last step was, as one line."""
    return tell(last_step(model))


def table(dut: dict[str, Any], model: dict[str, Any]) -> str:
    """The names that differ, one a line, with both values."""
    lines = [f"{'':16}{'under test':>20}{'model':>20}"]
    for name in model:
        ours, theirs = dut.get(name), model[name]
        if ours != theirs:
            shown = [f"{v:#x}" if isinstance(v, int) else str(v) for v in (ours, theirs)]
            lines.append(f"{name:16}{shown[0]:>20}{shown[1]:>20}")
    return "\n".join(lines)


def ram_difference(dut: bytes, model: bytes, base: int) -> str | None:
    """The first word of RAM that differs, or None."""
    if dut == model:
        return None
    at = next(i for i in range(len(model)) if dut[i] != model[i]) & ~3
    ours, theirs = (int.from_bytes(ram[at : at + 4], "little") for ram in (dut, model))
    return f"RAM at {base + at:#010x}: under test {ours:#010x}, model {theirs:#010x}"


def lockstep(
    dut: Dut,
    model: NaiveHart,
    steps: int,
    ram_every: int = 1000,
    full_every: int = 1,
    name: str = "",
) -> int:
    """Step both ``steps`` times and compare; returns the steps made.

    Registers, pc and mode are compared after every step; all CSRs after every
    ``full_every`` steps, after every trap and after every CSR write; RAM after
    every ``ram_every`` steps and at the end.  It ends early where the model is
    stuck in a wfi.  AssertionError shows the first difference and the
    instructions before it.
    """
    history: deque[LastStep] = deque(maxlen=HISTORY)

    def fail(what: str, step: int) -> None:
        before = "\n".join(map(tell, history))
        raise AssertionError(f"{name}: step {step} differs\n{what}\nlast steps:\n{before}")

    done = 0
    for step in range(1, steps + 1):
        model.step()
        dut.step()
        done = step
        history.append(last_step(model))
        special = model.last_cause is not None or model.csr_writes
        if special or step % full_every == 0 or dut.quick() != quick_of(model):
            ours, theirs = dut.state(), model.state()
            if ours != theirs:
                fail(table(ours, theirs), step)
            assert dut.quick() == quick_of(model), "quick() and state() disagree"
        if step % ram_every == 0:
            wrong = ram_difference(dut.ram_bytes(), bytes(model.ram), model.ram_base)
            if wrong:
                fail(wrong, step)
        if model.stuck:
            break
    ours, theirs = dut.state(), model.state()
    if ours != theirs:
        fail(table(ours, theirs), done)
    wrong = ram_difference(dut.ram_bytes(), bytes(model.ram), model.ram_base)
    if wrong:
        fail(wrong, done)
    return done


def lockstep_chunks(
    dut: Dut, model: NaiveHart, sizes: Iterable[int], name: str = "", ram_every: int = 8
) -> int:
    """The same, but the device under test runs whole chunks between comparisons.

    ``sizes`` are steps per chunk.  This is how a fast hart really runs: with a
    warm TLB, decoded code, and deadlines in the middle of a run.
    """
    done = 0
    for chunk, size in enumerate(sizes, 1):
        first = model.steps
        model.run(size)
        dut.run(size)
        done += model.steps - first
        ours, theirs = dut.state(), model.state()
        where = f"{name}: differs after {done} steps, the last {model.steps - first} in one run"
        if ours != theirs:
            raise AssertionError(f"{where}\n{table(ours, theirs)}\nlast step: {describe(model)}")
        if chunk % ram_every == 0:
            wrong = ram_difference(dut.ram_bytes(), bytes(model.ram), model.ram_base)
            if wrong:
                raise AssertionError(f"{where}\n{wrong}")
        if model.stuck:
            break
    wrong = ram_difference(dut.ram_bytes(), bytes(model.ram), model.ram_base)
    if wrong:
        raise AssertionError(f"{name}: after {done} steps: {wrong}")
    return done
