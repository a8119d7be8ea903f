"""Which instructions to translate together: the executed code around a hot address.

A region is a set of instructions of at most MAX_PAGES pages.  All addresses in it are relative to
the first byte of its *home* page (`rel`, a signed number of bytes), so it can be used wherever its
pages are mapped side by side, by any hart and any VM with the same bytes there.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

MAX_INSNS: Final = 800
"""Instructions of a region: more of them compile longer and rarely run faster."""
MAX_PAGES: Final = 4
REACH: Final = 16
"""Pages before and after the home page that may become part of a region."""
_CALL_COST: Final = 8
"""Distance of a called function; that of neighbouring instructions is 1."""

# Major opcodes (Unprivileged 20191213, table 24.1).
LOAD: Final = 0x03
FENCE: Final = 0x0F
OP_IMM: Final = 0x13
AUIPC: Final = 0x17
STORE: Final = 0x23
AMO: Final = 0x2F
OP: Final = 0x33
LUI: Final = 0x37
BRANCH: Final = 0x63
JALR: Final = 0x67
JAL: Final = 0x6F
SYSTEM: Final = 0x73


def signed(value: int, bits: int) -> int:
    """The low `bits` bits of `value` as a signed number."""
    top = 1 << (bits - 1)
    return ((value & ((top << 1) - 1)) ^ top) - top


def imm_i(word: int) -> int:
    """The I-type immediate."""
    return signed(word >> 20, 12)


def imm_s(word: int) -> int:
    """The S-type immediate."""
    return signed((word >> 25) << 5 | (word >> 7) & 31, 12)


def imm_b(word: int) -> int:
    """The B-type immediate."""
    high = (word >> 31) << 12 | ((word >> 7) & 1) << 11
    return signed(high | ((word >> 25) & 63) << 5 | ((word >> 8) & 15) << 1, 13)


def imm_j(word: int) -> int:
    """The J-type immediate."""
    high = (word >> 31) << 20 | ((word >> 12) & 255) << 12 | ((word >> 20) & 1) << 11
    return signed(high | ((word >> 21) & 1023) << 1, 21)


_SHIFTS: Final = {1: (0,), 5: (0, 32)}
"""funct7 of the shifts among OP_IMM, by funct3."""


def translatable(word: int) -> bool:
    """Can a region hold this instruction?  Everything else is left to tier 1."""
    opcode = word & 0x7F
    funct3 = (word >> 12) & 7
    funct7 = word >> 25
    if opcode == OP_IMM:
        return funct3 not in _SHIFTS or funct7 in _SHIFTS[funct3]
    if opcode == OP:
        return funct7 in (0, 1) or (funct7 == 32 and funct3 in (0, 5))
    if opcode == LOAD:
        return funct3 in (0, 1, 2, 4, 5)
    if opcode == STORE:
        return funct3 <= 2
    if opcode == BRANCH:
        return funct3 not in (2, 3) and imm_b(word) & 3 == 0
    if opcode == JAL:
        return imm_j(word) & 3 == 0
    if opcode == JALR:
        return funct3 == 0
    if opcode == FENCE:
        return funct3 <= 1
    return opcode in (LUI, AUIPC)


@dataclass
class Snapshot:
    """A copy of the code that a region may be made of, by page distance from the home page.

    `words[k]` is uint32[1024], `known[k]` bool[1024]: has the instruction been executed?
    `owners[k]` int[1024]: the region that it is in already, 0 for none; `sizes` says how many
    instructions each of these has.
    """

    words: dict[int, np.ndarray]
    known: dict[int, np.ndarray]
    owners: dict[int, np.ndarray]
    sizes: dict[int, int]

    def word(self, rel: int) -> int | None:
        """The instruction at `rel` if it has been executed, else None."""
        page = rel >> 12
        index = (rel >> 2) & 1023
        known = self.known.get(page)
        if known is None or not known[index]:
            return None
        return int(self.words[page][index])

    def owner(self, rel: int) -> int:
        """The region that the instruction is in already, 0 for none."""
        owners = self.owners.get(rel >> 12)
        return 0 if owners is None else int(owners[(rel >> 2) & 1023])

    def broken(self, rels: Iterable[int]) -> set[int]:
        """The regions that a new one with these instructions would replace only in part."""
        found = Counter(self.owner(rel) for rel in rels)
        found.pop(0, None)
        return {owner for owner, count in found.items() if count < self.sizes[owner]}


@dataclass(frozen=True)
class Region:
    """Instructions by rel, in order, and the rels at which it may be entered.

    `uncached` are the numbers of the copies of TLB entries (see `emit`) that are not worth it.
    """

    words: Mapping[int, int]
    heads: tuple[int, ...]
    uncached: frozenset[int] = frozenset()

    @property
    def pages(self) -> tuple[int, ...]:
        """Distances of its pages from the home page, the home page first."""
        return tuple(sorted({rel >> 12 for rel in self.words}, key=lambda k: (k != 0, k)))


def far_target(first: int, second: int, rel: int) -> int | None:
    """Where auipc (`first`, at rel - 4) and jalr (`second`, at rel) jump together, if they do."""
    if first & 0x7F != AUIPC or second & 0x7F != JALR:
        return None
    rd = (first >> 7) & 31
    if rd == 0 or (second >> 15) & 31 != rd:
        return None
    target = rel - 4 + signed(first & 0xFFFF_F000, 32) + imm_i(second)
    return signed(target & ~1, 32)


class Flow:
    """Where control goes from an instruction, as far as the code itself tells."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._sources: dict[int, list[tuple[int, int]]] = {}
        self._index()

    def _index(self) -> None:
        """Note for every target the jumps that lead to it (rel, distance)."""
        for page, words in self.snapshot.words.items():
            opcodes = words & 0x7F
            jumps = self.snapshot.known[page] & (
                (opcodes == BRANCH) | (opcodes == JAL) | (opcodes == JALR)
            )
            for index in np.flatnonzero(jumps):
                rel = (page << 12) + 4 * int(index)
                for target, cost in self.after(rel, int(words[index])):
                    if target != rel + 4:
                        self._sources.setdefault(target, []).append((rel, cost))

    def jump(self, rel: int, word: int) -> int | None:
        """The fixed target of a jump, None for other instructions and indirect jumps."""
        opcode = word & 0x7F
        if opcode == BRANCH:
            return rel + imm_b(word)
        if opcode == JAL:
            return rel + imm_j(word)
        if opcode == JALR:
            before = self.snapshot.word(rel - 4)
            return None if before is None else far_target(before, word, rel)
        return None

    def after(self, rel: int, word: int) -> list[tuple[int, int]]:
        """Where control may be after the instruction: (rel, distance), calls included."""
        opcode = word & 0x7F
        if not translatable(word):
            return []
        if opcode not in (BRANCH, JAL, JALR):
            return [(rel + 4, 1)]
        target = self.jump(rel, word)
        if opcode == BRANCH:
            assert target is not None
            return [(rel + 4, 1), (target, 1)]
        links = (word >> 7) & 31 != 0
        places = [(rel + 4, 1)] if links else []
        if target is not None:
            places.append((target, _CALL_COST if links else 1))
        return places

    def before(self, rel: int) -> list[tuple[int, int]]:
        """The executed instructions from which control may come: (rel, distance)."""
        places = list(self._sources.get(rel, ()))
        word = self.snapshot.word(rel - 4)
        if word is not None and any(after == rel for after, _ in self.after(rel - 4, word)):
            places.append((rel - 4, 1))
        return places


def form(snapshot: Snapshot, start: int) -> Region | None:
    """The region around `start`: executed instructions, nearest first.

    It replaces the regions there are by now, each of them as a whole or not at all: so code that
    was found in pieces grows together.  None if the instruction at `start` cannot be translated.
    """
    flow = Flow(snapshot)
    blocked: set[int] = set()
    while True:
        words = _gather(flow, start, blocked)
        if not any(rel >> 12 == 0 for rel in words):
            return None
        broken = snapshot.broken(words)
        if not broken:
            return Region(words, find_heads(flow, words))
        blocked |= broken


def _gather(flow: Flow, start: int, blocked: set[int]) -> dict[int, int]:
    """Instructions around `start`, nearest first, none of a blocked region; in order."""
    snapshot = flow.snapshot
    chosen: dict[int, int] = {}
    pages: set[int] = {0}
    queue = [(0, start)]
    seen = {start}
    while queue and len(chosen) < MAX_INSNS:
        distance, rel = heapq.heappop(queue)
        word = snapshot.word(rel)
        if word is None or not translatable(word) or snapshot.owner(rel) in blocked:
            continue
        if rel >> 12 not in pages:
            if len(pages) == MAX_PAGES:
                continue
            pages.add(rel >> 12)
        chosen[rel] = word
        for place, cost in (*flow.after(rel, word), *flow.before(rel)):
            if place not in seen:
                seen.add(place)
                heapq.heappush(queue, (distance + cost, place))
    return {rel: chosen[rel] for rel in sorted(chosen)}


def find_heads(flow: Flow, words: Mapping[int, int]) -> tuple[int, ...]:
    """Where a region is entered: loop heads, functions, returns from calls, and from outside."""
    heads: set[int] = set()
    for rel, word in words.items():
        sources = flow.before(rel)
        if not sources or any(source not in words for source, _ in sources):
            heads.add(rel)
        target = flow.jump(rel, word)
        links = word & 0x7F in (JAL, JALR) and (word >> 7) & 31 != 0
        if target is not None and target in words and (links or target <= rel):
            heads.add(target)
        if links and rel + 4 in words:
            heads.add(rel + 4)
    return tuple(sorted(heads))


def longest_paths(words: Mapping[int, int], jump: Mapping[int, int | None]) -> dict[int, int]:
    """For each instruction, how many can follow one another before the budget is tested again.

    It is tested at every jump backward and at every indirect jump; so a path only goes up.
    """
    longest: dict[int, int] = {}
    for rel in sorted(words, reverse=True):
        opcode = words[rel] & 0x7F
        best = 0
        if opcode not in (JAL, JALR):
            best = longest.get(rel + 4, 0)
        target = jump.get(rel)
        if target is not None and target > rel:
            best = max(best, longest.get(target, 0))
        longest[rel] = best + 1
    return longest
