"""20,000 random programs in both tiers, in lock step, and mistakes that must be found.

Each starts from a random privileged state (tests/support/hot.py): any mode, paging, PMP, interrupts
a few steps away; it then runs loops over pages that are mapped, broken or change.  All of its code
is translated before it runs.  After every run, whatever its length, both tiers must agree in
registers, every field of the record, the TLB and every byte of RAM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fast import Difference
from tests.support.hot import FAMILY, hot_program, random_sizes
from toyvm.hart import ops
from toyvm.hart.translate import emit
from toyvm.hart.translate.backend import unavailable
from toyvm.hart.translate.region import Region

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

if not unavailable():
    from tests.support.lockstep import INTERRUPTS, Batch, Counts, Pairs, Prepared

PROGRAMS = 20_000
PART = 1_000
FAMILIES = PART // FAMILY
TOGETHER = 4
"""Families that are translated as one module: beyond that it takes memory and saves nothing."""
EXCEPTIONS = {2, 5, 7, 8, 12, 13, 15}


@pytest.fixture(scope="module")
def machines() -> dict[bool, Any]:
    return {virtual: Pairs(virtual) for virtual in (False, True)}


@pytest.mark.parametrize("first", range(0, PROGRAMS, PART))
def test_both_tiers_agree(first: int, machines: dict[bool, Any]) -> None:
    """Bare and in VMs by turns; some of it as users have it, through all passes."""
    total = Counts()
    families = range(first // FAMILY, first // FAMILY + FAMILIES)
    part = first // PART
    for turn, number in enumerate(families[::TOGETHER]):
        thorough = part % 4 == 0 and turn == 2
        batch = Batch(range(number, number + TOGETHER), thorough, bodies=turn == part % 2)
        total.add(machines[turn % 2 == 1].run(batch))
    assert total.programs == PART
    # Nearly all programs get into translated code, and a good part of all their steps is made in
    # it; the rest is what only tier 1 does: handlers full of CSRs, faults, misses of the TLB.
    assert total.translated > 0.95 * PART
    assert total.steps > 900 * PART
    assert total.inside > 0.35 * total.steps
    # Stops of the budget, not only exits, fall upon translated instructions.
    assert total.covered > 0.4 * total.stops > 2 * PART
    # Regions are overwritten, and traps happen all the time.
    assert total.dropped > 0.1 * PART
    assert total.traps > 10 * PART
    assert (EXCEPTIONS | INTERRUPTS) - total.causes == set(), "never happened"
    assert {(0, True), (1, True), (3, True), (0, False), (1, False), (3, False)} == total.modes


def test_the_model_agrees(machines: dict[bool, Any]) -> None:
    """Both tiers against the independent model: the programs are no worse judged than others."""
    pairs = machines[False]
    batch = Batch(range(400, 404))
    for seed, program in list(batch.programs.items())[::8]:
        pair = pairs.of[program.kind]
        pair.translator.prepare(batch.ready(seed))
        before = pair.translator.steps()
        pair.in_runs(program, random_sizes(seed, 400))
        assert pair.translator.steps() > before
    for pair in pairs.of.values():
        for computer in pair.computers:
            computer.hart.flush()
    batch.close()


def test_a_program_is_its_seed() -> None:
    """The same program again, whatever was made before it; its family shares the routines."""
    programs = [hot_program(seed) for seed in (3, FAMILY * 7, 3, 7)]
    assert programs[0] == programs[2]
    assert programs[0].image != programs[3].image
    assert programs[0].image[0x4000:0x7000] == programs[3].image[0x4000:0x7000]


# ---- the comparison itself: each of these mistakes is found in a few hundred programs ----------


def other_words(change: Callable[[int], int]) -> Callable[[pytest.MonkeyPatch], None]:
    """A translator that takes one instruction for another one."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        right = emit.emit

        def wrong(region: Region, name: str = "region") -> str:
            words = {rel: change(word) for rel, word in region.words.items()}
            return right(Region(words, region.heads, region.uncached), name)

        monkeypatch.setattr(emit, "emit", wrong)

    return plant


def swap(opcode: int, funct3: int, other: int, funct7: int = -1) -> Callable[[int], int]:
    """Another funct3 for one instruction."""

    def change(word: int) -> int:
        same = word & 0x7F == opcode and word >> 12 & 7 == funct3
        if same and funct7 in (-1, word >> 25):
            return word & ~0x7000 | other << 12
        return word

    return change


def arithmetic_as_logical(word: int) -> int:
    """SRA and SRAI as SRL and SRLI."""
    if word & 0x5F == 0x13 and word >> 12 & 7 == 5:
        return word & ~(1 << 30)
    return word


def method(name: str, change: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """An emitter one of whose methods is changed."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(emit.Emitter, name, change(getattr(emit.Emitter, name)))

    return plant


def one_step_too_many(right: Any) -> Any:
    return lambda self, rel, done: right(self, rel, done + 1)


def one_instruction_too_far(right: Any) -> Any:
    return lambda self, rel, done: right(self, rel + 4 if isinstance(rel, int) else rel, done)


def one_register_too_few(right: Any) -> Any:
    return lambda self: right(self)[:-1]


def any_alignment(right: Any) -> Any:
    return lambda self, rel, rs1, imm, width, write, done: right(
        self, rel, rs1, imm, 1, write, done
    )


def reads_for_writes(right: Any) -> Any:
    return lambda self, tag, cache, write, out: right(self, tag, cache, False, out)


def one_move_too_few(right: Any) -> Any:
    return lambda self, *loop: right(self, *loop)[:-2]


def no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are taken for short: a region goes on past its budget."""
    right = emit.r.longest_paths

    def wrong(*arguments: Any) -> dict[int, int]:
        return dict.fromkeys(right(*arguments), 1)

    monkeypatch.setattr(emit.r, "longest_paths", wrong)


def stale_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of TLB entries outlive the entry into a region."""
    right = emit.emit

    def wrong(region: Region, name: str = "region") -> str:
        return right(region, name).replace("store i32 -1, ptr %v", "store i32 -1, ptr %rel ;")

    monkeypatch.setattr(emit, "emit", wrong)


def never_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores into translated code are not noticed."""
    right = Prepared._install

    def wrong(self: Any, job: Any, places: Any) -> bool:
        done = right(self, job, places)
        for page, (base, _) in places.items():
            at = base + job.result.indices[page]
            words = self.dec[at]
            head = words & ops.REGION_WORD_MASK == ops.REGION_WORD
            self.dec[at] = words & ~(ops.COVERED * ~head)
        return done

    monkeypatch.setattr(Prepared, "_install", wrong)


MISTAKES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "BLT as BLTU": other_words(swap(0x63, 4, 6)),
    "BGEU as BGE": other_words(swap(0x63, 7, 5)),
    "LB as LBU": other_words(swap(0x03, 0, 4)),
    "LHU as LH": other_words(swap(0x03, 5, 1)),
    "SLTI as SLTIU": other_words(swap(0x13, 2, 3)),
    "SRA as SRL": other_words(arithmetic_as_logical),
    "MULHSU as MULHU": other_words(swap(0x33, 2, 3, funct7=1)),
    "REM as REMU": other_words(swap(0x33, 6, 7, funct7=1)),
    "a step too many at an exit": method("leave", one_step_too_many),
    "an exit behind its instruction": method("leave", one_instruction_too_far),
    "a register forgotten": method("store_changed", one_register_too_few),
    "misaligned accesses": method("address", any_alignment),
    "stores by read entries": method("cached", reads_for_writes),
    "a register forgotten where a loop is left": method("flush", one_move_too_few),
    "a register forgotten where a loop is entered": method("fetch", one_move_too_few),
    "no budget": no_budget,
    "stale copies of TLB entries": stale_copies,
    "code that was overwritten": never_overwritten,
}


JUDGES = range(500, 512)
"""Families that find the mistakes; none of their bodies is translated."""


def test_without_a_mistake_they_agree(machines: dict[bool, Any]) -> None:
    counts = machines[False].run(Batch(JUDGES, bodies=False))
    assert counts.translated > 0.9 * FAMILY * len(JUDGES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(
    name: str, machines: dict[bool, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)

    def many() -> None:
        for number in JUDGES:
            machines[False].run(Batch(range(number, number + 1), bodies=False))

    with pytest.raises(Difference, match="tier 1 and tier 2 differ"):
        many()
