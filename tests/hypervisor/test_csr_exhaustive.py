"""Every CSR operation in virtual M-, S- and U-mode, against the model: single instructions in a VM.

The cases are those of tests/hart/test_csr_every.py: 4096 numbers x six instructions x three modes
x three kinds of rs1 x rd or x0.  Here each is an exit of a VM (or native, under technique s).
All 442,368 with TOYVM_FULL=1, for both techniques; otherwise those CSRs that exist and a draw of
the others.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.hart.test_csr_every import FORMS, MODES, Counting, words
from tests.support.asm import CSR_OPS
from tests.support.naive_csrs import NAMES
from toyvm.hypervisor import Vm

FULL = bool(os.environ.get("TOYVM_FULL"))
OTHERS = 24


class Virtual(Counting):
    """The same cases; the machine that does them is a VM."""

    bare: Vm  # type: ignore[assignment]

    def __init__(self, technique: str) -> None:
        super().__init__("plain", with_vm=True, technique=technique)
        vm = self.computers[1]
        assert isinstance(vm, Vm)
        self.bare = vm
        self.computers, self.views, self.fresh = [vm], self.views[1:], self.fresh[1:]
        self.places = self.places[1:]

    def pmp(self) -> None:
        super().pmp()
        self.bare._forget_translations(self.bare.hart)


def numbers(name: str, mode: str) -> list[int]:
    """All numbers there are, or a slice."""
    if FULL:
        return list(range(4096))
    rng = random.Random(f"CSR in a VM {name} {mode}")
    known = sorted(set(NAMES.values()))
    return sorted({*rng.sample(known, len(known) // 3), *rng.sample(range(4096), OTHERS)})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("technique", ["u", "s"])
def test_every_csr_operation_in_a_vm(technique: str, mode: str) -> None:
    runner = Virtual(technique)
    runner.begin()
    cases = 0
    for name in CSR_OPS:
        rng = random.Random(f"{technique} {name} {mode}")
        for source, rd in FORMS:
            runner.code(words(name, source, rd))
            for number in numbers(name, mode):
                runner.case(number, MODES[mode], rng)
                cases += 1
    assert runner.outcomes.total() == cases
    assert cases == 4096 * 36 or not FULL
    assert set(runner.outcomes) == {None, 2}
    ledger = runner.bare.ledger
    assert ledger["illegal"] > 0
    if mode != "U":
        # Where the kernel runs in S-mode most of its registers need no exit.
        native = technique == "s" and mode == "S"
        assert (ledger["csr"] < runner.outcomes[None] // 2) == native
    assert runner.bare.host.intruders() == []


def test_a_wrong_csr_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A VM whose x0 keeps a value, or whose clock is a step late, differs at once."""
    runner = Virtual("u")
    runner.begin()
    runner.code(words("csrrw", 7, 5))
    run = runner.bare.run

    def late(steps: int, idle: int | None = None):  # type: ignore[no-untyped-def]
        stop = run(steps, idle)
        runner.bare.set_x(5, int(runner.bare.x[5]) ^ 1)
        return stop

    monkeypatch.setattr(runner.bare, "run", late)
    with pytest.raises(AssertionError, match="CSR 0x340"):
        runner.case(0x340, 3, random.Random(1))
