"""Every CSR number in every form and mode, against the model: 442,368 single instructions.

4096 numbers x six instructions x M, S and U x three kinds of rs1 (x0, a register that holds zero,
one that holds a value; for the immediate forms 0, 1 and 31) x rd (x0 or not).  What decides about
an access (mcounteren, scounteren, TVM) and the values are drawn anew for each.  After each the
whole state is compared, RAM included; then both sides are put back.

With Sstc the numbers that exist run again.  tests/hart/test_csr_exhaustive.py does a part of this
through whole programs, whose returns enter the modes.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.support.asm import CSR_OPS
from tests.support.fast import STARTED, Runner
from tests.support.naive_csrs import NAMES, TVM
from tests.support.programs import RAM_BASE
from tests.support.short import RAM_SIZE, Short
from toyvm.hart import state as s

MODES = {"U": 0, "S": 1, "M": 3}
CODE, HANDLER = RAM_BASE + 0x4000, RAM_BASE + 0x1000
ZERO, VALUE, RD = 6, 7, 5
FORMS = tuple(itertools.product((0, ZERO, VALUE), (0, RD)))
EDGES = (0xFFFF_FFFF, 0, 0x5555_5555, 0xAAAA_AAAA, 1 << 31, 0x1800, 0x1000)
NEVER = (1 << 64) - 1

CSRS = {
    "medeleg": 0,
    "mideleg": 0x222,
    "mie": 0,
    "mip": 0x20,
    "mtvec": HANDLER,
    "stvec": 0x3333_3330,
    "mscratch": 0x1111_1111,
    "sscratch": 0x2222_2222,
    "mepc": 0x1234_5678,
    "sepc": 0x8765_4320,
    "mcycle": 0xFFFF_FFF0,
    "minstret": 0x1234_5678,
    "pmpaddr15": 0xFFFF_FFFF,
    "pmpcfg3": 0x1F00_0000,
}


class Counting(Runner):
    """Machine and model, put back to one state after each case."""

    def begin(self) -> None:
        csrs = tuple((NAMES[name], value) for name, value in CSRS.items())
        image = bytes(RAM_SIZE)
        self.program = Short("CSR", image, CODE, 3, (0,) * 32, csrs, NEVER, NEVER, 0, self.kind)
        self.model: Any = self.start(self.program)
        self.base = [(at, get, get(self.model)) for at, get in STARTED]
        self.names = [get.__reduce__()[1][0] for _, get in STARTED]
        self.outcomes: Counter[int | None] = Counter()

    def code(self, words: list[int]) -> None:
        """One word for each number; what was decoded before is forgotten."""
        data = b"".join(word.to_bytes(4, "little") for word in words)
        at = CODE - RAM_BASE
        self.model.ram[at : at + len(data)] = data
        self.views[0][at : at + len(data)] = np.frombuffer(data, dtype=np.uint8)
        self.bare.hart.flush()
        self.bare._trapping = 0  # most cases trap, which is no trap loop here

    def put_back(self) -> None:
        """The state of the beginning; counters and the clock run on."""
        record, model = self.bare.record, self.model
        for (at, _, value), name in zip(self.base, self.names, strict=True):
            if at not in (s.IDLE, s.TIME_OFFSET):
                record[at] = value
                setattr(model, name, value)
        model.stimecmp = NEVER
        record[s.STIMECMP], record[s.STIMER_ON] = -1, 0
        # A counter may have been stopped: give the record the model's again.
        steps, retired = model.steps, model.steps - int(record[s.NOT_RETIRED])
        record[s.CYCLE_OFFSET] = _signed(model.mcycle - steps)
        record[s.INSTRET_OFFSET] = _signed(model.minstret - retired)

    def pmp(self) -> None:
        """No entry but the last, as at the beginning."""
        record, model = self.bare.record, self.model
        model.pmpcfg[:15], model.pmpaddr[:15] = [0] * 15, [0] * 15
        model.pmpcfg[15], model.pmpaddr[15] = 0x1F, 0xFFFF_FFFF
        model.pmp_changed()
        record[s.PMPCFG : s.PMPCFG + 16] = model.pmpcfg[:16]
        record[s.PMPADDR : s.PMPADDR + 16] = model.pmpaddr[:16]
        self.bare.hart.flush()

    def case(self, number: int, mode: int, rng: random.Random) -> None:
        record, model, bare = self.bare.record, self.model, self.bare
        status = TVM if rng.random() < 0.2 else 0
        for at, name, value in (
            (s.PC, "pc", CODE + 4 * number),
            (s.MODE, "mode", mode),
            (s.MSTATUS, "mstatus", status),
            (s.MCOUNTEREN, "mcounteren", rng.getrandbits(3)),
            (s.SCOUNTEREN, "scounteren", rng.getrandbits(3)),
        ):
            record[at] = value
            setattr(model, name, value)
        value = rng.choice(EDGES) if rng.random() < 0.5 else rng.getrandbits(32)
        model.x[RD], model.x[VALUE] = 0xDEAD_BEEF, value
        bare.x[RD], bare.x[VALUE] = 0xDEAD_BEEF, value
        model.step()
        bare.run(1)
        self.outcomes[model.last_cause] += 1
        try:
            self.compare(self.program, model, 0)
        except AssertionError as difference:
            what = f"CSR {number:#x}, mode {mode}, value {value:#x}, mstatus {status:#x}"
            raise AssertionError(f"{what}\n{difference}") from None
        if model.csr_writes:
            self.put_back()
            if number >> 4 in range(0x3A, 0x3F):
                self.pmp()


def _signed(value: int) -> int:
    value &= NEVER
    return value - (1 << 64) if value >> 63 else value


def words(name: str, source: int, rd: int) -> list[int]:
    """The instruction for each of the 4096 numbers."""
    operand = source if not name.endswith("i") else {0: 0, ZERO: 1, VALUE: 31}[source]
    low = operand << 15 | CSR_OPS[name] << 12 | rd << 7 | 0x73
    return [number << 20 | low for number in range(4096)]


def play(kind: str, name: str, mode: str, numbers: Sequence[int]) -> Counter[int | None]:
    runner = Counting(kind)
    runner.begin()
    rng = random.Random(f"every CSR {kind} {name} {mode}")
    for source, rd in FORMS:
        runner.code(words(name, source, rd))
        for number in numbers:
            runner.case(number, MODES[mode], rng)
    assert runner.outcomes.total() == len(FORMS) * len(numbers)
    return runner.outcomes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CSR_OPS)
def test_every_number(name: str, mode: str) -> None:
    outcomes = play("plain", name, mode, list(range(4096)))
    # U-mode has only read-only registers, so a swap is never legal there.
    legal = {None} if mode != "U" or name not in ("csrrw", "csrrwi") else set()
    assert set(outcomes) == {2} | legal


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CSR_OPS)
def test_with_sstc(name: str, mode: str) -> None:
    outcomes = play("sstc", name, mode, sorted(set(NAMES.values())))
    assert outcomes[2] > 100
