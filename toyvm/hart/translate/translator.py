"""Tier 2 of one machine: samples where its harts are, and installs regions in decoded words.

Nothing here decides what a guest sees.  A region's head in the decoded words is only followed when
`events.run_regions` finds all its pages in place and unchanged; whether and when that happens
depends on the background thread, what the guest does never.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from toyvm.hart import ops, tlb
from toyvm.hart import state as s
from toyvm.hart.translate.memory import CACHES, MISSED
from toyvm.hart.translate.pool import POOL, Job, Pool, Translated
from toyvm.hart.translate.region import REACH, Region, Snapshot, signed, translatable

INTERVAL: Final = 500_000
"""Steps between two samples, while they find code that is not translated."""
LONGEST: Final = 32 * INTERVAL
"""Steps between two samples that found translated code, time and again."""
FIRST: Final = 20_000
"""Steps to the first sample; intervals then grow with the age of the machine."""
HOT: Final = 16_000_000
"""Steps in a stretch of code that make it hot (docs/translation.md, "When it pays")."""
_STRETCH: Final = 64
"""Instructions that are counted together."""
_TRIAL: Final = 4096
"""Entries after which a region must have proved worth it."""
_PATH: Final = 8
"""Steps between two samples of an eager translator."""
_EAGER: Final = 24
"""New instructions that make an eager translator work."""
_REVIEW: Final = 16
"""Samples between two looks at how the regions do."""
SETTLED: Final = 3_000_000
"""Steps of a region after which its memory accesses are judged."""
REPAID: Final = 1_000_000
"""Steps lost for each instruction of a region that repay translating it again."""
_ENTRY: Final = 100
"""Steps that translated code makes in the time that it takes to leave a region and enter one."""
_MISS: Final = 20
"""The same for an access that does not find its page in its copy of a TLB entry."""
OFTEN: Final = 150
"""A copy of a TLB entry that misses more often than once in that many steps is not worth it."""
_TUNINGS: Final = 4
"""How often a region is translated again because of what it has shown."""
_RUN: Final = 20_000
"""A region that makes fewer steps than that each time it is entered is looked at for more heads."""
_STRIKES: Final = 3
"""How often that may happen in a stretch of code."""
_WORTH: Final = 24
"""Steps that a region must make on average each time it is entered: entering costs about that."""


@dataclass(eq=False)
class Installed:
    """A region in the decoded words of a machine: its row and, by page, (first word, PAGE_END)."""

    translated: Translated
    row: int
    pages: dict[int, tuple[int, int]]
    tuned: int = 0
    """How often it was translated again because of what it had shown."""
    judged: bool = False
    """Have its copies of TLB entries been looked at?"""


def _release_all(pool: Pool, rows: list[Installed | None]) -> None:
    """The machine is gone: so are its uses."""
    for installed in rows:
        if installed is not None:
            pool.release(installed.translated)


class Translator:
    """Tier 2 of the harts that share the decoded words `dec` over `ram`.

    `eager` translates all executed code at once and in this thread: for tests.
    """

    def __init__(
        self, dec: np.ndarray, ram: np.ndarray, pool: Pool = POOL, eager: bool = False
    ) -> None:
        self.dec = dec
        self.ram = ram
        self.pool = pool
        self.eager = eager
        self.installed = 0
        """Regions installed so far."""
        self.dropped = 0
        """Regions taken out again: overwritten, not worth it, or to make room."""
        self._table = len(dec) - ops.REGION_TABLE
        self._rows: list[Installed | None] = [None] * ops.REGION_ROWS
        self._heat: dict[tuple[int, int], int] = {}
        self._strikes: dict[tuple[int, int], int] = {}
        self._jobs: list[tuple[Job, dict[int, tuple[int, int]]]] = []
        self._next = 0
        self._since = 0
        self._seen: dict[int, int] = {}
        self._done = 0
        self._samples = 0
        self._last = 0
        self._jitter = 1
        self._pace = INTERVAL
        weakref.finalize(self, _release_all, pool, self._rows)

    # ---- called around each run of compiled code ----------------------------------------------

    def limit(self, steps: int, end: int) -> int:
        """Where compiled code shall stop at the latest, so that samples come often enough."""
        if not self._next > steps:
            # Not in step with the guest's loops: intervals differ a little.
            self._jitter = self._jitter * 69069 + 1 & 0xFFFF_FFFF
            interval = min(self._pace, max(FIRST, steps // 8))
            self._since = steps
            self._next = steps + interval + (self._jitter >> 16) * interval // 0x4_0000
        return min(end, self._next)

    def sample(self, hart: Any) -> None:
        """A hart has stopped: install what is ready, and see where it was."""
        steps = int(hart.p[s.STEPS])
        if self.eager:
            if abs(steps - self._last) < _PATH:
                return
            self._last = steps
        elif steps < self._next <= steps + 2 * LONGEST:
            return
        passed = max(0, steps - self._since)
        self._since = steps
        self._next = 0
        if int(hart.p[s.BREAKPOINTS]):
            # A region would run past them.
            return
        if self._jobs:
            self._take_results()
        if self.eager:
            self._translate_everything(hart)
            return
        self._samples += 1
        if self._samples % _REVIEW == 0:
            self._review()
        place = self._decoded(hart)
        covered = place is not None and self._covered(*place)
        self._pace = min(2 * self._pace, LONGEST) if covered and not self._jobs else INTERVAL
        if place is None or covered:
            return
        base, index = place
        page = int(self.dec[base + 1024]) >> 32
        key = page, index // _STRETCH
        # Of a long interval most was spent in translated code.
        heat = self._heat.get(key, 0) + min(passed, 2 * INTERVAL)
        if heat >= 0 and self.pool.knows(index, int(self._page(page)[index])):
            # It costs nothing: somebody has had it translated.
            heat = max(heat, HOT)
        self._heat[key] = heat
        waiting = any(base == place[0] for _, places in self._jobs for place in places.values())
        if heat >= HOT and not waiting:
            self._heat[key] = 0
            self._review()
            self._wish(hart, index)
        if len(self._heat) > 4096:
            self._heat.clear()
            self._strikes.clear()

    def forget(self) -> None:
        """All decoded words were forgotten: no region is installed any more."""
        for installed in self._rows:
            if installed is not None:
                self._remove(installed)

    def steps(self) -> int:
        """Steps that translated code has made so far."""
        return self._done + sum(self._field(one, ops.REGION_STEPS) for one in self.regions)

    @property
    def regions(self) -> list[Installed]:
        """The regions that are installed."""
        return [installed for installed in self._rows if installed is not None]

    # ---- sampling ---------------------------------------------------------------------------

    def _decoded(self, hart: Any) -> tuple[int, int] | None:
        """(first decoded word, index) of the instruction that a hart is at, None if unknown."""
        pc = int(hart.p[s.PC])
        fetch = int(hart.p[s.FETCH_BASE]) + tlb.FETCH
        entry = int(hart.core.tlb[fetch + ((pc >> 12) & (tlb.SETS - 1))])
        if entry & s.MASK32 != pc & 0xFFFF_F003:
            return None
        return entry >> 32, (pc >> 2) & 1023

    def _covered(self, base: int, index: int) -> bool:
        """Is the instruction in an installed region that can still be entered?"""
        if not int(self.dec[base + index]) & ops.COVERED:
            return False
        end = int(self.dec[base + 1024])
        for installed in self._rows:
            if installed is not None:
                for page, place in installed.pages.items():
                    if place == (base, end) and index in installed.translated.indices[page]:
                        return True
        return False

    def _snapshot(self, hart: Any) -> tuple[Snapshot, dict[int, tuple[int, int]]]:
        """The code around a hart's pc, and where each of its pages is."""
        here = int(hart.p[s.PC]) >> 12
        fetch = int(hart.p[s.FETCH_BASE]) + tlb.FETCH
        snapshot = Snapshot({}, {}, {}, {})
        for installed in self.regions:
            snapshot.sizes[installed.row + 1] = len(installed.translated.region.words)
        places: dict[int, tuple[int, int]] = {}
        for distance in range(-REACH, REACH + 1):
            number = (here + distance) & 0xF_FFFF
            entry = int(hart.core.tlb[fetch + (number & (tlb.SETS - 1))])
            if entry & s.MASK32 != number << 12:
                continue
            base = entry >> 32
            end = int(self.dec[base + 1024])
            if end & ops.VERSION_MASK == ops.VERSION_MASK:
                # Overwritten so often that its versions are used up.
                continue
            decoded = self.dec[base : base + 1024]
            snapshot.words[distance] = self._page(end >> 32).copy()
            snapshot.known[distance] = decoded & ~ops.COVERED != 0
            snapshot.owners[distance] = self._owners(base, end)
            places[distance] = base, end
        return snapshot, places

    def _page(self, page: int) -> np.ndarray:
        """The words of a page of RAM."""
        return self.ram[page << 12 : (page + 1) << 12].view("<u4")

    def _owners(self, base: int, end: int) -> np.ndarray:
        """The row, plus 1, of the installed region that each instruction of a page is in."""
        owners = np.zeros(1024, dtype=np.int64)
        for installed in self.regions:
            for page, place in installed.pages.items():
                if place == (base, end):
                    owners[installed.translated.indices[page]] = installed.row + 1
        return owners * (self.dec[base : base + 1024] & ops.COVERED != 0)

    # ---- translating ------------------------------------------------------------------------

    def _wish(self, hart: Any, index: int) -> None:
        """Ask for a region around the instruction at `index` of the hart's page."""
        snapshot, places = self._snapshot(hart)
        job = Job(snapshot, 4 * index)
        self._jobs.append((job, places))
        if self.eager:
            self.pool.fulfil(job)
        else:
            self.pool.request(job)

    def _translate_everything(self, hart: Any) -> None:
        """For tests: regions for all executed code of the page that a hart is in."""
        place = self._decoded(hart)
        if place is None:
            return
        base, _ = place
        end = int(self.dec[base + 1024])
        words = self._page(end >> 32)
        known = self.dec[base : base + 1024] & ~ops.COVERED != 0
        known &= self._owners(base, end) == 0
        left = [
            i
            for i in map(int, np.flatnonzero(known))
            if translatable(int(words[i])) and self._heat.get((end >> 32, i // _STRETCH), 0) >= 0
        ]
        # Not while every run finds a few new ones: that would make tiny regions.
        before = self._seen.get(base, 0)
        self._seen[base] = len(left)
        if len(left) < _EAGER and len(left) != before:
            return
        self._review()
        while left:
            self._wish(hart, left[0])
            self._take_results()
            owners = self._owners(base, end)
            left = [i for i in left[1:] if not owners[i]]

    def _take_results(self) -> None:
        """Install the regions that are ready."""
        waiting = []
        for job, places in self._jobs:
            if not job.done:
                waiting.append((job, places))
            elif job.result is not None and not self._install(job, places):
                self.pool.release(job.result)
        self._jobs = waiting

    # ---- installing -------------------------------------------------------------------------

    def _install(self, job: Job, places: dict[int, tuple[int, int]]) -> bool:
        """Put a region in the decoded words, if its code is still there; False if it is not."""
        translated = job.result
        assert translated is not None
        pages: dict[int, tuple[int, int]] = {}
        for page in translated.region.pages:
            place = places.get(page + job.shift)
            if place is None:
                return False
            base, end = place
            words = self._page(end >> 32)[translated.indices[page]]
            if int(self.dec[base + 1024]) != end or not np.array_equal(
                words, translated.words[page]
            ):
                return False
            pages[page] = place
        for page, (base, end) in pages.items():
            for owner in set(self._owners(base, end)[translated.indices[page]].tolist()) - {0}:
                replaced = self._rows[owner - 1]
                if replaced is not None:
                    self._remove(replaced)
        row = self._free_row()
        installed = Installed(translated, row, pages, job.tuned)
        self._rows[row] = installed
        at = self._table + row * ops.REGION_ROW
        entry = [translated.code.address, len(pages), 0, 0]
        for page, (base, end) in pages.items():
            entry += [page << 12, base, end]
            self.dec[base + translated.indices[page]] |= ops.COVERED
        self.dec[at : at + len(entry)] = entry
        cache = self._table + ops.REGION_CACHES + row * ops.REGION_CACHE
        self.dec[cache : cache + ops.REGION_CACHE] = 0
        numbers = {page: i for i, page in enumerate(pages)}
        for head in translated.region.heads:
            where = pages[head >> 12][0] + ((head >> 2) & 1023)
            if int(self.dec[where]) & ops.REGION_WORD_MASK == ops.REGION_WORD:
                continue
            self.dec[where] = (
                ops.REGION_WORD
                | row << ops.REGION_ROW_SHIFT
                | numbers[head >> 12] << ops.REGION_PAGE_SHIFT
                | ops.COVERED
            )
        self.installed += 1
        return True

    def _free_row(self) -> int:
        """A row that is not in use; takes the half that is used least out if there is none."""
        if None not in self._rows:
            self._make_room()
        return self._rows.index(None)

    def _make_room(self) -> None:
        """Take out the half of all regions that has done least since the last time."""
        rows = [installed for installed in self._rows if installed is not None]
        rows.sort(key=lambda one: self._field(one, ops.REGION_STEPS))
        for installed in rows[: (len(rows) + 1) // 2]:
            self._remove(installed)
        for installed in rows[(len(rows) + 1) // 2 :]:
            self._done += self._field(installed, ops.REGION_STEPS)
            self.dec[self._at(installed) + ops.REGION_HITS] = 0
            self.dec[self._at(installed) + ops.REGION_STEPS] = 0

    def _at(self, installed: Installed) -> int:
        return self._table + installed.row * ops.REGION_ROW

    def _field(self, installed: Installed, field: int) -> int:
        return int(self.dec[self._at(installed) + field])

    def _review(self) -> None:
        """Take out what was overwritten, what is not worth it, and half of it if memory is full."""
        for installed in self._rows:
            if installed is None:
                continue
            if any(int(self.dec[base + 1024]) != end for base, end in installed.pages.values()):
                self._remove(installed)
                continue
            hits = self._field(installed, ops.REGION_HITS)
            if hits >= _TRIAL and self._field(installed, ops.REGION_STEPS) < _WORTH * hits:
                self._remove(installed)
                self._strike(installed)
                continue
            self._tune(installed)
        if self.pool.full:
            self._make_room()

    def _tune(self, installed: Installed) -> None:
        """Translate a region again if it has shown how to do better.

        Copies of TLB entries that miss too often go, and where indirect jumps of the region lead
        although nothing in the code says so (a `switch`, say) it can be entered.
        """
        steps = self._field(installed, ops.REGION_STEPS)
        region = installed.translated.region
        if steps < SETTLED or installed.tuned == _TUNINGS:
            return
        if any(places is installed.pages for _, places in self._jobs):
            return
        at = self._table + ops.REGION_CACHES + installed.row * ops.REGION_CACHE
        counters = self.dec[at : at + ops.REGION_CACHE].view(np.uint32)
        misses = counters[2 * ops.REGION_COPIES :].astype(np.int64)
        hits = self._field(installed, ops.REGION_HITS)
        if not self.eager and _ENTRY * hits + _MISS * int(misses.sum()) < REPAID * len(
            region.words
        ):
            # Compiling a large region takes long: what it loses as it is must be worth that.
            return
        bad: set[int] = set()
        if not installed.judged:
            installed.judged = True
            bad = {int(k) for k in np.flatnonzero(misses * OFTEN > steps)}
        heads: set[int] = set()
        if steps < _RUN * hits:
            missed = counters[2 * CACHES : 2 * CACHES + MISSED]
            heads = {signed(int(rel) & ~1, 32) for rel in missed if rel & 1}
            heads = heads & region.words.keys() - set(region.heads)
        if not bad and not heads:
            return
        better = Region(region.words, tuple(sorted({*region.heads, *heads})), region.uncached | bad)
        job = Job(Snapshot({}, {}, {}, {}), 0, better, tuned=installed.tuned + 1)
        self._jobs.append((job, installed.pages))
        if self.eager:
            self.pool.fulfil(job)
        else:
            self.pool.request(job)

    def _strike(self, installed: Installed) -> None:
        """A region was not worth it: once more, perhaps with its neighbours; then never again."""
        for page, (_, end) in installed.pages.items():
            for stretch in set((installed.translated.indices[page] // _STRETCH).tolist()):
                key = end >> 32, stretch
                strikes = self._strikes.get(key, 0) + 1
                self._strikes[key] = strikes
                self._heat[key] = 0 if strikes < _STRIKES else -1 << 40

    def _remove(self, installed: Installed) -> None:
        """Take a region out of the decoded words."""
        self._rows[installed.row] = None
        self._done += self._field(installed, ops.REGION_STEPS)
        self.dropped += 1
        mine = ops.REGION_WORD | installed.row << ops.REGION_ROW_SHIFT
        mask = ops.REGION_WORD_MASK | (ops.REGION_ROWS - 1) << ops.REGION_ROW_SHIFT
        for head in installed.translated.region.heads:
            base, _ = installed.pages[head >> 12]
            where = base + ((head >> 2) & 1023)
            if int(self.dec[where]) & mask == mine:
                self.dec[where] = ops.COVERED
        self.pool.release(installed.translated)
