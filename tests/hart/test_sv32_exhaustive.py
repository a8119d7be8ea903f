"""Every kind of Sv32 access: 98,304 of them, TLB cold, warm, and after the PTE has changed.

Leaf bits V R W X U A D x four shapes of the walk x SUM x MXR x four effective modes x six accesses
x the two ways to treat A and D (set by the hart, or left to software by a fault).  G and the bits
for software take every value along the way, which must change nothing.

Each case is an instruction on the machine and on the independent model, from the same state:

* cold: nothing is in the TLB;
* warm: the same access again;
* after the PTE has changed, without a fence: what the old PTE says or what the new one says ("it is
  unspecified whether the translation uses the old or the new value", 4.2.1);
* after an sfence.vma: what the new PTE says.

Everything is compared after each but the third: registers, CSRs, and every byte of RAM, so a wrong
A or D bit is seen.  The model's own walk is compared with Spike in tests/reference.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.support.asm import Asm
from tests.support.fast import Runner
from tests.support.programs import RAM_BASE
from tests.support.short import RAM_SIZE, Short
from tests.support.sv32_cases import ACCESSES, MODES, A, Case, D, R, U, V, W, X, all_cases
from toyvm.hart import state as s

ROOT, TABLE, PAGE = RAM_BASE + 0x10000, RAM_BASE + 0x11000, RAM_BASE + 0x5000
CODE, HANDLER = RAM_BASE + 0x1000, RAM_BASE + 0x2000
VA = 0x1000_5340  # its 4 MiB offset is PAGE's, so that both page sizes reach it
ROOT_PTE, TABLE_PTE = ROOT + 4 * (VA >> 22), TABLE + 4 * (VA >> 12 & 0x3FF)
CODE_PTE = ROOT + 4 * (RAM_BASE >> 22)
MPRV = 1 << 17
PARTS = 16
DATA = 0x0000_0013  # what lies at VA: a nop when it is executed
DONT_CARE = tuple(g << 5 | rsw << 8 for g in (0, 1) for rsw in range(4))


def code() -> bytes:
    """One instruction an access, then sfence.vma; x13 holds VA."""
    a = Asm(RAM_BASE)
    a.pad_to(CODE)
    a.nop()
    a.lw(5, 0, 13)
    a.sw(7, 0, 13)
    a.lr(5, 13)
    a.sc(5, 13, 7)
    a.amoadd(5, 13, 7)
    a.sfence_vma()
    a.pad_to(HANDLER)
    a.mret()
    return a.image().ljust(RAM_SIZE, b"\0")


FENCE = CODE + 4 * len(ACCESSES)


def program() -> Short:
    """RAM with the code, and a state in which only the page tables are missing."""
    registers = tuple({7: 0x1234_5678, 13: VA}.get(i, 0) for i in range(32))
    csrs = (
        (0x305, HANDLER),
        (0x3BF, 0xFFFF_FFFF),
        (0x3A3, 0x1F00_0000),
        (0x180, 1 << 31 | ROOT >> 12),
    )
    never = (1 << 64) - 1
    return Short("Sv32", code(), CODE, 3, registers, csrs, never, never, 0, "plain")


class Walker(Runner):
    """Machine and model, taken from case to case without a reset."""

    def begin(self) -> None:
        self.program = program()
        self.model: Any = self.start(self.program)
        self.view = self.views[0]
        self.words = self.view.view(np.uint32)
        self.outcomes: Counter[tuple[str, int | None]] = Counter()

    def write(self, pa: int, word: int) -> None:
        """A word of RAM on both sides, behind the TLB's back; no code lies there."""
        at = pa - RAM_BASE
        self.words[at >> 2] = word
        self.model.ram[at : at + 4] = word.to_bytes(4, "little")

    def place(self, pc: int, mode: int, mstatus: int, reserve: bool = False) -> None:
        """The same pc, mode, mstatus and reservation on both sides."""
        record, model, offset = self.bare.record, self.model, PAGE + (VA & 0xFFF) - RAM_BASE
        record[s.PC], record[s.MODE], record[s.MSTATUS] = pc, mode, mstatus
        model.pc, model.mode, model.mstatus = pc, mode, mstatus
        record[s.RESERVATION] = offset if reserve else -1
        model.reservation = RAM_BASE + offset if reserve else None
        model.x[5] = 0
        self.bare.x[5] = 0

    def both(self, what: object) -> None:
        """One step on each, everything compared."""
        self.model.step()
        self.bare.run(1)
        try:
            self.compare(self.program, self.model, 0)
        except AssertionError as difference:
            raise AssertionError(f"{what}\n{difference}") from None

    def flush(self) -> None:
        self.bare.hart.flush()

    # ---- one case -----------------------------------------------------------------------------

    def case(self, case: Case, extra: int, changed: int) -> None:
        """Cold, warm, changed without and with a fence; ``extra`` and ``changed`` are PTE bits."""
        leaf_at, _ = self.tables(case, case.flags | extra)
        go = self.entry(case)
        self.flush()
        self.place(*go)
        self.both((case, "cold"))
        self.outcomes[case.access, self.model.last_cause] += 1
        self.place(*go)
        self.both((case, "warm"))
        old = self.model.last_cause
        new_leaf = self.tables(case, changed)[1]
        self.unfenced(case, go, old, leaf_at, new_leaf)
        self.tables(case, changed)
        self.place(FENCE, 3, 0)
        self.both((case, "sfence.vma"))
        self.place(*go)
        self.both((case, changed, "changed"))

    def unfenced(
        self, case: Case, go: tuple[int, int, int, bool], old: int | None, at: int, leaf: int
    ) -> None:
        """The machine may do what the old PTE says or what the new one says, and nothing else."""
        bare, model = self.bare, self.model
        before, word = int(bare.record[s.NOT_RETIRED]), (at - RAM_BASE) >> 2
        self.place(*go)
        bare.run(1)
        trapped = int(bare.record[s.NOT_RETIRED]) != before
        cause = int(bare.record[s.MCAUSE]) if trapped else None
        after = int(self.words[word])
        self.place(*go)
        model.step()
        assert cause in (old, model.last_cause), (case, "changed, not fenced", cause)
        assert after in (leaf, leaf | A, leaf | A | D), (case, hex(after))
        # Both sides alike again: what differs is what was allowed to.
        bare.record[s.MCAUSE], bare.record[s.MTVAL] = model.mcause, model.mtval
        bare.record[s.MEPC] = model.mepc
        bare.record[s.NOT_RETIRED] = before + (model.last_cause is not None)
        self.view[:] = np.frombuffer(model.ram, dtype=np.uint8)
        bare.x[:32] = model.x

    def tables(self, case: Case, flags: int) -> tuple[int, int]:
        """Write the case's page table; (where its leaf is, the leaf)."""
        in_root = case.shape in ("4 MiB", "misaligned 4 MiB")
        target = {"4 MiB": RAM_BASE, "misaligned 4 MiB": RAM_BASE | 0x3000}.get(case.shape, PAGE)
        if case.shape == "pointer at level 0":
            flags &= ~(R | W | X)
        leaf = target >> 12 << 10 | flags
        code_flags = V | R | X | A | D | (U if case.mode == "U" else 0)
        self.write(ROOT_PTE, leaf if in_root else TABLE >> 12 << 10 | V)
        self.write(TABLE_PTE, leaf)
        self.write(CODE_PTE, RAM_BASE >> 12 << 10 | code_flags)
        self.write(PAGE + (VA & 0xFFF), DATA)
        return (ROOT_PTE if in_root else TABLE_PTE), leaf

    def entry(self, case: Case) -> tuple[int, int, int, bool]:
        """pc, mode, mstatus, reservation for the access."""
        status = case.sum_ | case.mxr | (0x800 if case.mode.endswith("S") else 0)
        mode = {"U": 0, "S": 1}.get(case.mode, 3)
        if mode == 3:
            status |= MPRV
        # A fetch with MPRV is M-mode's own: MPRV changes loads and stores only.
        pc = VA if case.access == "fetch" else CODE + 4 * ACCESSES.index(case.access)
        if case.access == "fetch" and mode == 3:
            pc = CODE
        return pc, mode, status, case.access == "sc"


@pytest.fixture(scope="module", params=["plain", "ad fault"])
def walker(request: pytest.FixtureRequest) -> Walker:
    return Walker(request.param)


@cache
def order() -> list[tuple[int, Case]]:
    """All cases, in a fixed order that mixes all dimensions."""
    cases = list(enumerate(all_cases()))
    random.Random("Sv32 order").shuffle(cases)
    return cases


def part(number: int) -> list[tuple[int, Case]]:
    """Every sixteenth case."""
    return order()[number::PARTS]


@pytest.mark.parametrize("number", range(PARTS))
def test_every_access(walker: Walker, number: int) -> None:
    walker.begin()
    rng = random.Random(f"Sv32 {number}")
    done = 0
    for _, case in part(number):
        walker.case(case, rng.choice(DONT_CARE), rng.getrandbits(10))
        done += 1
    assert done == 49_152 // PARTS
    faults = {"fetch": 12, "lw": 13, "lr": 13, "sw": 15, "sc": 15, "amo": 15}
    for access, fault in faults.items():
        assert walker.outcomes[access, fault] > 100
    assert sum(walker.outcomes[access, None] for access in faults) > 100


def test_the_parts_are_all_cases() -> None:
    assert len({i for number in range(PARTS) for i, _ in part(number)}) == 49_152


# ---- what the leaf does not say ------------------------------------------------------------------

GOOD = V | R | W | X | A | D


def odd_tables() -> Iterator[tuple[str, dict[int, int], int]]:
    """(name, words, satp): reserved bits, and addresses that lie outside RAM."""
    root = 1 << 31 | ROOT >> 12
    pointer, leaf = TABLE >> 12 << 10 | V, PAGE >> 12 << 10 | GOOD
    for bits in range(8):
        reserved = (bits & 1) * U | (bits >> 1 & 1) * A | (bits >> 2 & 1) * D
        yield f"pointer with {reserved:#x}", {ROOT_PTE: pointer | reserved, TABLE_PTE: leaf}, root
    for bits in DONT_CARE:
        yield f"pointer with {bits:#x}", {ROOT_PTE: pointer | bits, TABLE_PTE: leaf | bits}, root
    # PPN[21:20] makes the address 34 bits wide: 32 bits of it would name RAM.
    for high in (0, 1, 2, 3):
        far = high << 30
        yield f"leaf {high}", {ROOT_PTE: pointer, TABLE_PTE: leaf + far & 0xFFFF_FFFF}, root
        yield f"pointer {high}", {ROOT_PTE: pointer + far & 0xFFFF_FFFF, TABLE_PTE: leaf}, root
        mega = RAM_BASE >> 12 << 10 | GOOD
        yield f"megapage {high}", {ROOT_PTE: mega + far & 0xFFFF_FFFF, TABLE_PTE: leaf}, root
    for pa in (0, 0x0200_0000, RAM_BASE - 0x1000, RAM_BASE + RAM_SIZE, 0xFFFF_F000):
        yield f"leaf at {pa:#x}", {ROOT_PTE: pointer, TABLE_PTE: pa >> 12 << 10 | GOOD}, root
        yield f"table at {pa:#x}", {ROOT_PTE: pa >> 12 << 10 | V, TABLE_PTE: leaf}, root
    last = RAM_BASE + RAM_SIZE - 0x1000
    yield "leaf at the end of RAM", {ROOT_PTE: pointer, TABLE_PTE: last >> 12 << 10 | GOOD}, root


@pytest.mark.parametrize("odd", list(odd_tables()), ids=lambda odd: odd[0])
def test_odd_tables(walker: Walker, odd: tuple[str, dict[int, int], int]) -> None:
    walker.begin()
    name, words, _ = odd
    for mode, access, user in itertools.product(MODES, ACCESSES, (0, U)):
        case = Case(GOOD | user, "4 KiB", 1 << 18, 0, mode, access)
        walker.tables(case, case.flags)
        for pa, word in words.items():
            is_leaf = word & (R | W | X)
            walker.write(pa, word | user if is_leaf else word)
        walker.flush()
        for temperature in ("cold", "warm"):
            walker.place(*walker.entry(case))
            walker.both((name, case, temperature))


@pytest.mark.parametrize("ppn", [0, 0x2000, 0x7FFFF, 0x8_0018, 0x10_0000, 0x18_0010, 0x3F_FFFF])
def test_a_root_table_outside_ram(walker: Walker, ppn: int) -> None:
    walker.begin()
    satp = 1 << 31 | ppn
    walker.model.satp = satp
    walker.bare.record[s.SATP] = satp
    for mode, access in itertools.product(MODES, ACCESSES):
        case = Case(GOOD, "4 KiB", 0, 0, mode, access)
        walker.tables(case, case.flags)
        walker.flush()
        walker.place(*walker.entry(case))
        walker.both((hex(ppn), case))
        expected = {"fetch": 1, "lw": 5, "lr": 5, "sw": 7, "sc": 7, "amo": 7}[access]
        if mode in ("U", "S"):
            expected = 1  # the access's own instruction cannot be fetched
        if not (access == "fetch" and mode.startswith("MPRV")):
            assert walker.model.last_cause == expected
