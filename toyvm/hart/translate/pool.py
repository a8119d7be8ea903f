"""Machine code of regions: made in the background, shared by all harts, bounded in size.

A region knows nothing of the hart, the machine or the address it was made for, so whoever has the
same bytes at the same offsets of its pages can use it: other harts, and other VMs.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from toyvm.hart.translate.backend import Code
from toyvm.hart.translate.emit import emit
from toyvm.hart.translate.region import Region, Snapshot, form

LIMIT: Final = 64 << 20
"""Bytes of machine code (with what LLVM keeps beside it) in a process."""
_PATIENCE: Final = 3
"""Failures of the compiler after which it is not asked any more."""
_OVERHEAD: Final = 24 << 10
"""Bytes that an engine of LLVM takes besides its code, roughly."""


@dataclass(eq=False)
class Translated:
    """A region and its machine code, with its words as arrays by page distance."""

    region: Region
    code: Code
    users: int = 0
    indices: dict[int, np.ndarray] = field(default_factory=dict)
    words: dict[int, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rels = np.array(list(self.region.words), dtype=np.int64)
        words = np.array(list(self.region.words.values()), dtype=np.uint32)
        for page in self.region.pages:
            inside = rels >> 12 == page
            self.indices[page] = (rels[inside] >> 2) & 1023
            self.words[page] = words[inside]

    @property
    def size(self) -> int:
        """Bytes it counts for."""
        return self.code.size + _OVERHEAD

    def matches(self, snapshot: Snapshot, shift: int) -> bool:
        """Can it be used in the snapshot, with its home page at page `shift` there?"""
        for page, indices in self.indices.items():
            there = snapshot.words.get(page + shift)
            if there is None or not np.array_equal(there[indices], self.words[page]):
                return False
        # It must not take the place of half a region.
        return not snapshot.broken(rel + (shift << 12) for rel in self.region.words)


@dataclass(eq=False)
class Job:
    """A wish for a region around `start` of a snapshot; `result` when `done`, None if impossible.

    `shift` is the page of the snapshot that is the result's home page.  With a `region` that very
    region is wanted, at its own place; it is then the `tuned`th improvement.
    """

    snapshot: Snapshot
    start: int
    region: Region | None = None
    result: Translated | None = None
    shift: int = 0
    done: bool = False
    tuned: int = 0


class Pool:
    """All translated regions of this process.  Its methods may be called from any thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.size = 0
        self.made = 0
        """Regions translated so far."""
        self.shared = 0
        """Wishes that an existing region fulfilled."""
        self.failures: list[str] = []
        """Exceptions of the translator (each one a bug; the code then stays in tier 1)."""
        self._lock = threading.RLock()
        self._all: OrderedDict[Translated, None] = OrderedDict()
        self._by_word: dict[tuple[int, int], list[tuple[Translated, int]]] = {}
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None

    # ---- making -----------------------------------------------------------------------------

    def request(self, job: Job) -> None:
        """Fulfil a job in the background."""
        with self._lock:
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(
                    target=self._work, name="toyvm translator", daemon=True
                )
                self._worker.start()
                atexit.register(self.stop)
        self._jobs.put(job)

    def fulfil(self, job: Job) -> None:
        """Find or make the region that a job wants.  Its result is in use until it is released."""
        try:
            if len(self.failures) < _PATIENCE:
                self._fulfil(job)
        except Exception as error:
            # Nothing is lost: tier 1 goes on with this code.
            self.failures.append(f"{type(error).__name__}: {error}")
        job.done = True

    def _fulfil(self, job: Job) -> None:
        region = job.region
        if region is None:
            found = self.find(job.snapshot, job.start)
            if found:
                job.result, job.shift = found
                self.shared += 1
                return
            region = form(job.snapshot, job.start)
        if region is None:
            return
        translated = Translated(region, Code(emit(region), "region"), users=1)
        with self._lock:
            self.made += 1
            self._all[translated] = None
            self.size += translated.size
            for rel, word in region.words.items():
                key = rel & 0xFFF, word
                self._by_word.setdefault(key, []).append((translated, rel >> 12))
            self._shrink()
        job.result = translated

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self.fulfil(job)

    def stop(self) -> None:
        """End the background thread, after what it is doing (LLVM must not outlive Python)."""
        worker, self._worker = self._worker, None
        if worker is not None:
            while not self._jobs.empty():
                self._jobs.get()
            self._jobs.put(None)
            worker.join(timeout=10)

    # ---- sharing and forgetting ------------------------------------------------------------

    def knows(self, index: int, word: int) -> bool:
        """Is there any region with this instruction at this index of a page?"""
        return (4 * index, word) in self._by_word

    def find(self, snapshot: Snapshot, start: int) -> tuple[Translated, int] | None:
        """A region that covers `start` and has the same words as the snapshot, then in use."""
        word = snapshot.word(start)
        if word is None:
            return None
        with self._lock:
            for translated, page in reversed(self._by_word.get((start & 0xFFF, word), [])):
                shift = (start >> 12) - page
                if translated.matches(snapshot, shift):
                    translated.users += 1
                    self._all.move_to_end(translated)
                    return translated, shift
        return None

    def release(self, translated: Translated) -> None:
        """Its user has taken it out of its tables."""
        with self._lock:
            translated.users -= 1
            self._shrink()

    def trim(self) -> None:
        """Unload what nobody uses, as far as the limit asks for it."""
        with self._lock:
            self._shrink()

    @property
    def full(self) -> bool:
        """True if harts must give regions back."""
        return self.size > self.limit

    def _shrink(self) -> None:
        """Unload regions that nobody uses, the least recently found first."""
        if self.size <= self.limit:
            return
        for translated in [t for t in self._all if not t.users]:
            del self._all[translated]
            self.size -= translated.size
            for rel, word in translated.region.words.items():
                key = rel & 0xFFF, word
                self._by_word[key] = [x for x in self._by_word[key] if x[0] is not translated]
                if not self._by_word[key]:
                    del self._by_word[key]
            translated.code.close()
            if self.size <= self.limit:
                return


POOL: Final = Pool()
