"""Thousands of programs in both tiers: their regions are compiled before they run, many at a time.

A region costs LLVM milliseconds, most of them for setting up; a batch of programs is therefore
translated as one module, at the lowest level of the code generator.  The IR is the one of users.
Some families go through the whole pipeline of users as well (``thorough``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from tests.support.compare import memcmp
from tests.support.fast import RAM_SIZE, Difference, Runner, Tally, _ram
from tests.support.hot import (
    FAMILY,
    LIBRARY,
    LIBRARY_PAGES,
    HotFamily,
    hot_family,
    hot_program,
    random_sizes,
)
from tests.support.short import KINDS, LAYOUT, Short
from toyvm.hart import ops, tlb
from toyvm.hart import state as s
from toyvm.hart.translate import backend, emit
from toyvm.hart.translate.pool import Job, Pool, Translated
from toyvm.hart.translate.region import Flow, Region, Snapshot, find_heads, form, translatable
from toyvm.hart.translate.translator import Installed, Translator
from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.machine.loader import Program
from toyvm.platform import RAM_BASE

STEPS = 1000
INTERRUPTS = {1 << 31 | i for i in (5, 7, 9)}
"""Causes that nobody writes by chance."""
FIELD_NAMES = {
    at: name
    for name, at in vars(s).items()
    if name.isupper() and isinstance(at, int) and not name.startswith(("MODE_", "EFFECT_"))
}


# ---- many regions at once --------------------------------------------------------------------


@dataclass
class Part:
    """Machine code of one function of a module; as `backend.Code`."""

    address: int
    size: int = 0

    def close(self) -> None:
        self.address = 0


def compile_together(regions: list[Region]) -> tuple[Any, list[Translated]]:
    """Machine code of all of them, and its engine: one module, no passes, the lowest level."""
    if not regions:
        return None, []
    backend._machine()
    machine = backend._target.create_target_machine(opt=0, jit=True, codemodel="jitdefault")
    whole = llvm.parse_assembly(
        one_text([emit.emit(region, f"region{i}") for i, region in enumerate(regions)])
    )
    whole.triple = machine.triple
    whole.data_layout = str(machine.target_data)
    engine = llvm.create_mcjit_compiler(whole, machine)
    engine.finalize_object()
    code = [Part(int(engine.get_function_address(f"region{i}"))) for i in range(len(regions))]
    made: list[Any] = list(zip(regions, code, strict=True))
    return engine, [Translated(region, part, users=1) for region, part in made]


_FUNCTION = re.compile(r"^define .*?^}\n", re.MULTILINE | re.DOTALL)


def one_text(modules: list[str]) -> str:
    """The text of one module with the function of each of these, and once what they all say."""
    parts: dict[str, None] = {}
    for text in modules:
        parts.update(dict.fromkeys(_FUNCTION.findall(text)))
    for text in modules:
        parts.update(dict.fromkeys(_FUNCTION.sub("", text).splitlines(keepends=True)))
    return "".join(parts)


def regions_of(image: bytes, start: int, pages: int) -> list[tuple[int, Region]]:
    """All code of some pages as users would get it if all of it were hot: (home page, region)."""
    snapshot = _snapshot(image, start, pages)
    found: dict[int, tuple[int, Region]] = {}
    for number, at in enumerate(np.flatnonzero(np.concatenate(list(snapshot.known.values()))), 1):
        home, index = divmod(int(at), 1024)
        if snapshot.owners[home][index] or not translatable(int(snapshot.words[home][index])):
            continue
        region = form(_seen_from(snapshot, home), 4 * index)
        if region is None or len(region.words) < 2:
            continue
        for rel in region.words:
            owners = snapshot.owners[home + (rel >> 12)]
            found.pop(int(owners[(rel >> 2) & 1023]), None)
            owners[(rel >> 2) & 1023] = number
        snapshot.sizes[number] = len(region.words)
        found[number] = home, region
    return [(start + 0x1000 * home, region) for home, region in found.values()]


def region_of(image: bytes, start: int, pages: int) -> tuple[int, Region]:
    """The same code as one region, however it hangs together."""
    snapshot = _snapshot(image, start, pages)
    words = {}
    for page, known in snapshot.known.items():
        for index in map(int, np.flatnonzero(known)):
            word = int(snapshot.words[page][index])
            if translatable(word):
                words[(page << 12) + 4 * index] = word
    return start, Region(words, find_heads(Flow(snapshot), words))


def _snapshot(image: bytes, start: int, pages: int) -> Snapshot:
    """Pages of an image that begins at the layout's base, all of whose words have been executed."""
    snapshot = Snapshot({}, {}, {}, {})
    for page in range(pages):
        first = start - LAYOUT.base + 0x1000 * page
        snapshot.words[page] = np.frombuffer(image[first : first + 0x1000], dtype="<u4").copy()
        snapshot.known[page] = snapshot.words[page] != 0
        snapshot.owners[page] = np.zeros(1024, dtype=np.int64)
    return snapshot


def _seen_from(snapshot: Snapshot, home: int) -> Snapshot:
    """The same code with another home page."""
    return Snapshot(
        {page - home: words for page, words in snapshot.words.items()},
        {page - home: known for page, known in snapshot.known.items()},
        {page - home: owners for page, owners in snapshot.owners.items()},
        snapshot.sizes,
    )


# ---- tier 2 with everything there from the start ---------------------------------------------


class Prepared(Translator):
    """Installs regions that are there already, as soon as their pages have been fetched from.

    They are prepared with their home pages; each may also be mapped where U-mode sees it.
    """

    def __init__(self, dec: np.ndarray, ram: np.ndarray) -> None:
        super().__init__(dec, ram, pool=Pool())
        self._words = memoryview(dec)
        self._wanted: list[tuple[Translated, list[tuple[int, int, int]]]] = []
        self._there: dict[Translated, Installed] = {}

    def prepare(self, ready: list[tuple[int, Translated]]) -> None:
        """From now on these: for each one, (page, its set of the TLB, its tag) of all its pages."""
        self._wanted = [
            (
                translated,
                [
                    (page, tlb.FETCH + ((va >> 12) & (tlb.SETS - 1)), va)
                    for page in translated.indices
                    for va in (start + (page << 12),)
                ],
            )
            for home, translated in ready
            for start in (home, home - LAYOUT.to_user)
        ]

    def sample(self, hart: Any) -> None:
        fetch = int(hart.p[s.FETCH_BASE])
        entries, words = memoryview(hart.core.tlb), self._words
        for translated, pages in self._wanted:
            places = {}
            for page, at, va in pages:
                entry = entries[fetch + at]
                if entry & s.MASK32 != va:
                    break
                places[page] = entry >> 32, words[(entry >> 32) + 1024]
            else:
                self._put(translated, places)

    def _put(self, translated: Translated, places: dict[int, tuple[int, int]]) -> None:
        there = self._there.get(translated)
        if there is not None and self._rows[there.row] is there:
            if there.pages == places:
                return
            self._remove(there)
        job = Job(Snapshot({}, {}, {}, {}), 0, result=translated, done=True)
        translated.users += 1
        if self._install(job, places):
            self._there[translated] = next(
                one for one in self._rows if one is not None and one.translated is translated
            )
        else:
            translated.users -= 1


# ---- both tiers ------------------------------------------------------------------------------


@dataclass
class Counts:
    """What the programs of a run did."""

    programs: int = 0
    translated: int = 0
    """Programs that ran translated code."""
    steps: int = 0
    inside: int = 0
    """Steps made by translated code."""
    stops: int = 0
    dropped: int = 0
    """Regions that were overwritten or moved."""
    traps: int = 0
    covered: int = 0
    """Stops at instructions of translated code."""
    modes: set[tuple[int, bool]] = field(default_factory=set)
    """Modes at stops, with paging or without."""
    causes: set[int] = field(default_factory=set)
    """Exceptions, and interrupts (with bit 31), that came last before a stop."""

    def add(self, other: Counts) -> None:
        """Take over what another one has counted."""
        for name, value in vars(other).items():
            if isinstance(value, set):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)


class Pair(Runner):
    """The same programs of one kind in tier 1 and in tier 2, both bare or both in VMs."""

    def __init__(self, kind: str, virtual: bool = False) -> None:
        self.kind = kind
        self.options = {"sstc": kind == "sstc", "ad_fault": kind == "ad fault"}
        options: dict[str, Any] = dict(self.options, tier=1)
        options["bios"] = "sbi" if kind == "sbi" else "none"
        self.computers = [
            Vm(f"tier{tier}", RAM_SIZE, reserved=True, **options)
            if virtual
            else Machine(RAM_SIZE, **options)
            for tier in (1, 2)
        ]
        self.bare: Any = self.computers[0]
        for computer in self.computers:
            computer.load(Program("hot", [(RAM_BASE, bytes(4), 4)], RAM_BASE))
        hart = self.computers[1].hart
        self.translator = Prepared(hart.core.dec, hart.core.ram)
        hart.translator = self.translator
        self.fresh = [computer.record.copy() for computer in self.computers]
        self.views = [_ram(computer) for computer in self.computers]
        self.places = [view.ctypes.data for view in self.views]
        self.counts = Counts()
        self.tally = Tally()

    def both(self, program: Short, ready: list[tuple[int, Translated]], sizes: list[int]) -> None:
        """One program in both, compared after each run."""
        self.start(program)
        counts, translator = self.counts, self.translator
        translator.prepare(ready)
        before, dropped = translator.steps(), translator.dropped
        for size in sizes:
            stops = [_run(computer, size) for computer in self.computers]
            self.equal(program, stops)
            self._note()
            if stops[0] not in ("budget", "idle"):
                break
        inside = translator.steps() - before
        counts.programs += 1
        counts.translated += inside > 0
        counts.inside += inside
        counts.steps += self.bare.steps
        counts.traps += int(self.bare.record[s.NOT_RETIRED])
        counts.dropped += translator.dropped - dropped

    def _note(self) -> None:
        """Count where a run has stopped."""
        hart, record = self.computers[1].hart, self.computers[1].record
        self.counts.stops += 1
        place = self.translator._decoded(hart)
        if place is not None:
            self.counts.covered += bool(int(hart.core.dec[sum(place)]) & ops.COVERED)
        self.counts.modes.add((int(record[s.MODE]), int(record[s.SATP]) >> 31 & 1 == 1))
        # Programs write anything into mcause; what the hart itself notes they cannot reach.
        self.counts.causes.add(int(hart.p[s.CAUSE]))
        interrupts = {int(record[s.MCAUSE]), int(record[s.SCAUSE])} & INTERRUPTS
        self.counts.causes |= interrupts

    def equal(self, program: Short, stops: list[str]) -> None:
        """Everything: stop, registers, records, TLB, RAM."""
        one, two = self.computers
        same = (
            stops[0] == stops[1]
            and one.x[:32].tobytes() == two.x[:32].tobytes()
            and one.record.tobytes() == two.record.tobytes()
            and one.hart.p.tobytes() == two.hart.p.tobytes()
            and one.hart.core.tlb.tobytes() == two.hart.core.tlb.tobytes()
            and memcmp(*self.places, RAM_SIZE) == 0
        )
        if not same:
            raise Difference(self.describe(program, stops))

    def describe(self, program: Short, stops: list[str]) -> str:
        """A table of what differs."""
        one, two = self.computers
        rows: list[tuple[str, Any, Any]] = [("stop", stops[0], stops[1])]
        for title, find in (
            ("x{}", lambda computer: computer.x[:32]),
            ("{}", lambda computer: computer.record),
            ("hart's {}", lambda computer: computer.hart.p),
            ("TLB {}", lambda computer: computer.hart.core.tlb),
        ):
            ours, theirs = find(one), find(two)
            for at in map(int, np.flatnonzero(ours != theirs)):
                named = "hart" in title or title == "{}"
                name = FIELD_NAMES.get(at, str(at)) if named else str(at)
                rows.append((title.format(name), ours[at], theirs[at]))
        for at in np.flatnonzero(self.views[0] != self.views[1])[:8]:
            rows.append((f"RAM+{at:#x}", self.views[0][at], self.views[1][at]))
        lines = [f"{name:24}{_hex(a):>20}{_hex(b):>20}" for name, a, b in rows if a != b]
        return f"{program.name}: after {one.steps} steps tier 1 and tier 2 differ\n" + "\n".join(
            lines[:40]
        )


def _hex(value: Any) -> str:
    return value if isinstance(value, str) else f"{int(value):#x}"


def _run(computer: Any, steps: int) -> str:
    """So many steps, then sleep if it waits; the reason for the stop."""
    reason = computer.run(steps).reason
    if reason == "budget" and computer.waiting:
        computer.run(0)
    return str(reason)


# ---- families --------------------------------------------------------------------------------


@dataclass
class Batch:
    """Some whole families of programs and their translations."""

    families: range
    thorough: bool = False
    """Routines and handlers through the pipeline of users, one by one."""
    bodies: bool = True
    """Translate the programs' bodies, not only what the families share."""

    def __post_init__(self) -> None:
        self.programs = {
            seed: hot_program(seed)
            for seed in range(self.families.start * FAMILY, self.families.stop * FAMILY)
        }
        wanted: list[tuple[int, int, Region]] = []
        for number in self.families:
            wanted += [(-1 - number, home, one) for home, one in library_of(hot_family(number))]
        self._codes: list[Any] = []
        self._ready: dict[int, list[tuple[int, Translated]]] = {}
        if self.thorough:
            for key, home, region in wanted:
                code = backend.Code(emit.emit(region, "region"), "region")
                self._codes.append(code)
                self._ready.setdefault(key, []).append((home, Translated(region, code, users=1)))
            wanted = []
        if self.bodies:
            for seed, program in self.programs.items():
                wanted.append((seed, *region_of(program.image, LAYOUT.body, 1)))
        engine, made = compile_together([region for _, _, region in wanted])
        self._codes += [engine] if engine else []
        for (key, home, _), translated in zip(wanted, made, strict=True):
            self._ready.setdefault(key, []).append((home, translated))

    def ready(self, seed: int) -> list[tuple[int, Translated]]:
        """What a program may use: its own body, and what its family shares."""
        return [*self._ready[-1 - seed // FAMILY], *self._ready.get(seed, ())]

    def close(self) -> None:
        """Free the machine code; no machine may still have it."""
        for code in self._codes:
            code.close()


def library_of(family: HotFamily) -> list[tuple[int, Region]]:
    """Handlers and routines of a family, with each of the patches."""
    found: dict[tuple[Any, ...], tuple[int, Region]] = {}
    for image in family.variants():
        regions = regions_of(image, LIBRARY, LIBRARY_PAGES)
        regions += [region_of(image, at, 1) for at in (LAYOUT.m_handler, LAYOUT.s_handler)]
        for home, region in regions:
            if region.words:
                found[home, tuple(region.words.items())] = home, region
    return list(found.values())


class Pairs:
    """A pair of machines of each kind, bare or in VMs."""

    def __init__(self, virtual: bool) -> None:
        self.of = {kind: Pair(kind, virtual) for kind in KINDS}

    def run(self, batch: Batch) -> Counts:
        """Every program of the batch in both tiers."""
        for pair in self.of.values():
            pair.counts = Counts()
        try:
            for seed, program in batch.programs.items():
                pair = self.of[program.kind]
                pair.both(program, batch.ready(seed), random_sizes(seed, STEPS))
        finally:
            for pair in self.of.values():
                for computer in pair.computers:
                    computer.hart.flush()
            batch.close()
        counts = Counts()
        for pair in self.of.values():
            counts.add(pair.counts)
            assert not pair.translator.pool.failures
            assert not any(computer.errors for computer in pair.computers)
        return counts
