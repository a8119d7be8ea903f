"""20,000 short random kernels: bare, virtualised and on the model, the same after every run.

The kernels start in the middle of things (tests/support/short.py): traps, returns, satp switches,
timers, faults, PMP.  `make fuzz KERNELS=200000` runs more.
"""

from __future__ import annotations

import os

import pytest

from tests.hypervisor.twin import VARIANTS
from tests.support.fast import Runner, sizes
from tests.support.short import KINDS, short_program

PROGRAMS = 20_000
PART = 1_000
OTHERS = 8_000 if os.environ.get("TOYVM_FULL") else 300
FIRST = 10_000_000  # other programs than tests/hart/test_short_programs.py


@pytest.fixture(scope="module")
def runners() -> dict[str, Runner]:
    return {kind: Runner(kind, with_vm=True) for kind in KINDS}


@pytest.mark.parametrize("first", range(FIRST, FIRST + PROGRAMS, PART))
def test_bare_virtualised_and_model(first: int, runners: dict[str, Runner]) -> None:
    tallies = [runner.tally for runner in runners.values()]
    for tally in tallies:
        tally.__init__()  # type: ignore[misc]
    for seed in range(first, first + PART):
        program = short_program(seed)
        runners[program.kind].in_runs(program, sizes(seed))
    assert sum(tally.programs for tally in tallies) == PART
    assert sum(tally.steps for tally in tallies) > 40 * PART
    for runner in runners.values():
        assert runner.computers[1].host.intruders() == []
        assert not runner.computers[1].errors
    ledgers = [runner.computers[1].ledger for runner in runners.values()]
    used = {name for ledger in ledgers for name, count in ledger.items() if count}
    assert used >= {
        "csr", "mret", "sret", "sfence", "ecall", "ebreak", "illegal", "page_fault",
        "access_fault", "misaligned", "fill", "interrupt", "mprv", "mmio", "sbi",
    }  # fmt: skip


@pytest.mark.parametrize(("technique", "shadow_mode"), [*VARIANTS[1:], ("pv", "lazy")])
def test_the_other_techniques(technique: str, shadow_mode: str) -> None:
    """Some of the same kernels where the guest runs in real S-mode, or its tables are protected."""
    runners = {
        kind: Runner(kind, with_vm=True, technique=technique, shadow_mode=shadow_mode)
        for kind in KINDS
    }
    if technique == "pv":
        for runner in runners.values():
            runner.computers[1].free_returns(True)  # type: ignore[attr-defined]
    for seed in range(FIRST, FIRST + OTHERS):
        program = short_program(seed)
        runners[program.kind].in_runs(program, sizes(seed))
    for runner in runners.values():
        assert runner.computers[1].host.intruders() == []
        assert not runner.computers[1].errors
    assert sum(runner.tally.programs for runner in runners.values()) == OTHERS
