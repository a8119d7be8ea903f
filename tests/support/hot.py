"""Random programs for translated code: loops and calls among everything that disturbs them.

``hot_program(seed)`` is a short random program (``short.py``: mode, registers, every CSR, page
tables, PMP, deadlines are random) whose code runs for as long as one likes.  Its *body*, a page of
its own, sets pointers, calls routines and, between the calls, does what short programs do: CSRs,
mode switches, page tables, PMP, faults, interrupts.  At its end it begins again.

The *routines* are loops with loads and stores over several pages, calls, indirect jumps, division,
atomics, CSRs and fences; some store into code, their own or that of another one.  ``FAMILY``
programs share them and the handlers, as processes share a library: so translating them pays.

Registers: x8 is the pointer and x9 the counter of a loop, x19 and x20 more pointers, x21 what they
may move by; x1, x5 and x18 link, x6 and x7 hold what a routine computes addresses with.  Handlers
keep what short programs say.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache

from tests.support.asm import BRANCHES, LOADS, R_TYPE, SHIFTS, STORES, Asm
from tests.support.kernel_handlers import RESUME
from tests.support.kernel_tables import (
    A_BIT,
    D_BIT,
    VA_ALIAS,
    VA_SUPER,
    VA_USER,
    R,
    V,
    W,
    pte,
)
from tests.support.programs import IMMEDIATE_OPS, immediate
from tests.support.short import KINDS, LAYOUT, Family, Short

FAMILY = 50
LIBRARY = LAYOUT.body + 0x1000
"""Where the routines begin; they fill `LIBRARY_PAGES` pages."""
LIBRARY_PAGES = 3
PARTS = 8
COUNTER, POINTER, LINK, LEAF_LINK, SAVED = 9, 8, 1, 5, 18
POINTERS = (POINTER, 19, 20)
STEP = 21
"""A register that pointers may move by."""
FREE: tuple[int, ...] = (2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22, 23, 24, 25)
"""Registers that a routine may write at any time."""


class HotFamily(Family):
    """Routines, handlers, tables and data of ``FAMILY`` programs, and their bodies."""

    def __init__(self, number: int, kind: str) -> None:
        super().__init__(number, kind)
        self.routines: list[str] = []
        self.slots: list[int] = []
        """Addresses of instructions that programs overwrite with one of `self.patches`."""
        self.patches: list[int] = []
        self.writable = FREE
        self.a = Asm(LIBRARY)
        self.library()
        code = self.a.image()
        assert len(code) <= 0x1000 * LIBRARY_PAGES
        start = LIBRARY - LAYOUT.base
        image = bytearray(self.image[:start] + code + self.image[start + len(code) :])
        for pa, word in self.edges().items():
            image[pa - self.at.base : pa - self.at.base + 4] = word.to_bytes(4, "little")
        self.image = bytes(image)
        self.targets = {name: self.a.labels[name] for name in self.routines}
        disturbing = self.choices
        self.choices = disturbing + [self.call_routine] * (2 * len(disturbing))
        self.choices += [self.patch] * (len(disturbing) // 8)

    def edges(self) -> dict[int, int]:
        """Page tables that also map the first and the last pages of the address space."""
        at = self.at
        table = pte(at.table_identity, V)
        last = pte(at.data + 0x1000 * self.rng.randrange(4), V | R | W | A_BIT | D_BIT)
        return {at.root: table, at.root + 4 * 1023: table, at.table_identity + 4 * 1023: last}

    # ---- routines -------------------------------------------------------------------------

    def library(self) -> None:
        """Leaves, then loops; one of these lies across two pages."""
        rng, a = self.rng, self.a
        leaves = [self.leaf(i) for i in range(2)]
        word = Asm()
        for _ in range(2):
            word.addi(rng.choice(FREE), rng.choice(FREE), rng.randrange(-2048, 2048))
        self.patches = word.words()
        for i in range(3):
            self.routine(f"loop{i}", leaves)
        for i in range(4):
            self.stream(f"stream{i}")
        a.pad_to(LIBRARY + 0x1000 - 4 * rng.randrange(3, 12))
        self.routine("across", leaves)
        a.pad_to(LIBRARY + 0x2000)
        self.routine("patched", leaves, slot=True)
        self.routine("patching", leaves, stores=True)

    def leaf(self, number: int) -> str:
        name = f"leaf{number}"
        self.a.label(name)
        for _ in range(self.rng.randrange(1, 4)):
            self.work()
        self.a.jalr(0, LEAF_LINK, 0)
        return name

    def routine(
        self, name: str, leaves: list[str], slot: bool = False, stores: bool = False
    ) -> None:
        """A loop over memory at the pointer, called with the link in x1."""
        rng, a = self.rng, self.a
        self.routines.append(name)
        a.label(name)
        a.addi(SAVED, LINK, 0)
        a.addi(COUNTER, 0, rng.randrange(2, 24))
        again = self.new_label()
        a.label(again)
        kinds: list[Callable[[], None]] = [self.work] * 8 + [self.reach] * 6
        kinds += [self.skip, self.skip, self.computed, self.far, self.leaves]
        for _ in range(rng.randrange(3, 9)):
            rng.choice(kinds)()
        if slot:
            self.slots.append(a.here)
            a.word(self.patches[0])
        if stores:
            # Into the loop beside it, now and then: a translated one has no write entry.
            self.address_of(6, self.slots[0])
            a.lw(7, 0, 6)
            a.sw(7, 0, 6)
        if rng.random() < 0.5:
            a.jal(LEAF_LINK, rng.choice(leaves))
        a.addi(POINTER, POINTER, rng.choice((4, 4, 4, 8, 12, 16, 64, -4, 2, 0x400)))
        a.addi(COUNTER, COUNTER, -1)
        a.bne(COUNTER, 0, again)
        a.jalr(0, SAVED, 0)

    def stream(self, name: str) -> None:
        """A loop without calls: pointers that move by fixed steps, as most hot loops are."""
        rng, a = self.rng, self.a
        self.routines.append(name)
        a.label(name)
        moving = rng.sample(POINTERS, rng.choice((1, 1, 2, 3)))
        self.writable = tuple(i for i in FREE if i not in (*moving, STEP))
        a.addi(COUNTER, 0, rng.randrange(2, 60))
        if rng.random() < 0.8:
            a.addi(STEP, 0, rng.choice((4, 4, 8, 1, 2, 16, 0x100, 0, -4)))
        again, end = self.new_label(), self.new_label()
        a.label(again)
        kinds = [self.work] * 2 + [lambda: self.walk(moving)] * 5
        kinds += [lambda: self.move(rng.choice(moving))]
        early = rng.random() < 0.25
        for _ in range(rng.randrange(2, 8)):
            if rng.random() < 0.12:
                over = self.new_label()
                a.op(rng.choice(tuple(BRANCHES)), self.source(), self.source(), over)
                rng.choice(kinds)()
                a.label(over)
            rng.choice(kinds)()
        for pointer in moving:
            self.move(pointer)
        a.addi(COUNTER, COUNTER, -1)
        if early:
            a.op("beq", COUNTER, 0, end)
            a.op(rng.choice(tuple(BRANCHES)), self.source(), self.source(), again)
            self.walk(moving)
        a.bne(COUNTER, 0, again)
        a.label(end)
        a.jalr(0, LINK, 0)
        self.writable = FREE

    def walk(self, moving: list[int]) -> None:
        """An access by one of the pointers, nearly always aligned if the pointer is."""
        rng = self.rng
        name = rng.choice(tuple(LOADS) + tuple(STORES))
        width = {"b": 1, "h": 2, "w": 4}[name[1]]
        offset = width * rng.choice((0, 0, 1, 2, 5, -1, rng.randrange(-64, 64)))
        self.a.op(name, self.free(), offset + (rng.random() < 0.03), rng.choice(moving))

    def move(self, pointer: int) -> None:
        """A step of a pointer."""
        rng = self.rng
        if rng.random() < 0.3:
            self.a.add(pointer, *rng.choice(((pointer, STEP), (STEP, pointer))))
        else:
            self.a.addi(pointer, pointer, rng.choice((4, 4, 8, 1, 2, 12, 0x40, -4, -8, 0x200, 0)))

    def address_of(self, register: int, target: int) -> None:
        """A place of the image, wherever it is mapped."""
        distance = target - self.a.here
        self.a.auipc(register, (distance + 0x800) >> 12 & 0xFFFFF)
        self.a.addi(register, register, ((distance & 0xFFF) ^ 0x800) - 0x800)

    def free(self) -> int:
        return self.rng.choice(self.writable)

    def work(self) -> None:
        """Arithmetic."""
        rng, a = self.rng, self.a
        kind = rng.randrange(8)
        if kind < 4:
            a.op(rng.choice(tuple(R_TYPE)), self.free(), self.source(), self.source())
        elif kind < 6:
            a.op(rng.choice(IMMEDIATE_OPS), self.free(), self.source(), immediate(rng))
        elif kind < 7:
            a.op(rng.choice(tuple(SHIFTS)), self.free(), self.source(), rng.randrange(32))
        else:
            a.op(rng.choice(("lui", "auipc")), self.free(), rng.getrandbits(20))

    def source(self) -> int:
        return self.rng.choice((0, COUNTER, POINTER, self.free(), self.free(), self.free()))

    def reach(self) -> None:
        """A load or store near the pointer, aligned for the most part."""
        rng, a = self.rng, self.a
        odd = rng.random() < 0.08
        offset = rng.choice((0, 4, 8, -4, 20, rng.randrange(-512, 512, 4)))
        name = rng.choice(tuple(LOADS) if rng.random() < 0.5 else tuple(STORES))
        a.op(name, self.free(), offset + odd * rng.randrange(4), POINTER)

    def skip(self) -> None:
        """A branch over an instruction or two."""
        rng, a = self.rng, self.a
        over = self.new_label()
        a.op(rng.choice(tuple(BRANCHES)), self.source(), self.source(), over)
        for _ in range(rng.randrange(1, 3)):
            rng.choice((self.work, self.reach))()
        a.label(over)

    def computed(self) -> None:
        """An indirect jump to one of two places, by a bit of the counter."""
        a = self.a
        end = self.new_label()
        a.andi(6, COUNTER, 1)
        a.slli(6, 6, 3)
        a.auipc(7, 0)
        a.add(7, 7, 6)
        a.jalr(self.rng.choice((0, 7)), 7, 12 + self.rng.randrange(2))
        self.a.addi(self.free(), self.free(), 1)
        a.j(end)
        self.a.xori(self.free(), self.free(), 5)
        self.work()
        a.label(end)

    def far(self) -> None:
        """A jump by auipc and jalr, over an instruction."""
        a = self.a
        a.auipc(6, 0)
        a.jalr(self.rng.choice((0, 7)), 6, 12)
        self.work()

    def leaves(self) -> None:
        """What a region leaves to tier 1."""
        rng, a = self.rng, self.a
        kind = rng.randrange(8)
        if kind < 2:
            a.andi(6, POINTER, -4)
            a.op(rng.choice(("amoadd", "amoxor", "amomax", "amominu")), self.free(), 6, self.free())
        elif kind == 2:
            a.andi(6, POINTER, -4)
            a.lr(self.free(), 6)
            a.addi(7, COUNTER, 3)
            a.sc(self.free(), 6, 7)
        elif kind == 3:
            a.csrr(self.free(), rng.choice((0xC00, 0xC01, 0xC02)))
        elif kind == 4:
            a.csrrw(self.free(), 0x140, self.free())
        elif kind == 5:
            a.fence()
        elif kind == 6:
            a.fence_i()
        else:
            a.sfence_vma(rng.choice((0, POINTER)), 0)

    def pointer(self) -> int:
        """An address from which a loop may walk, often at the end of a page."""
        rng = self.rng
        if rng.random() < 0.08:
            return rng.choice((0, -0x1000, -64, 32)) + rng.randrange(0, 64, 4) & 0xFFFF_FFFF
        data = (self.at.data, self.at.data, VA_USER + 0x8000, VA_ALIAS, VA_SUPER + 0x8000)
        page = rng.choice(data) + 0x1000 * rng.randrange(4)
        if rng.random() < 0.4:
            return page + 0x1000 - rng.randrange(4, 128, 4)
        return page + rng.randrange(0, 0x1000, rng.choice((4, 4, 4, 4, 1)))

    # ---- bodies ---------------------------------------------------------------------------

    def call_routine(self) -> None:
        """A pointer, and a call of a routine."""
        rng, a = self.rng, self.a
        name = rng.choice(self.routines)
        a.li(POINTER, self.pointer())
        if "stream" in name:
            for other in POINTERS[1:]:
                if rng.random() < 0.6:
                    a.li(other, self.pointer())
        distance = self.targets[name] - a.here
        if rng.random() < 0.7:
            a.jal(LINK, distance)
        else:
            a.auipc(LINK, (distance + 0x800) >> 12 & 0xFFFFF)
            a.jalr(LINK, LINK, ((distance & 0xFFF) ^ 0x800) - 0x800)

    def patch(self) -> None:
        """One of two instructions into a routine, with fence.i or without."""
        rng, a = self.rng, self.a
        self.address_of(6, self.slots[0])
        a.li(7, rng.choice(self.patches))
        a.sw(7, 0, 6)
        if rng.random() < 0.8:
            a.fence_i()
        a.jal(LINK, self.targets["patched"] - a.here)

    def words(self) -> bytes:
        """A program's code: blocks of parts, again and again."""
        self.a = a = Asm(self.at.body)
        for block in range(3):
            a.label(f"block{block}")
            self.block = block + 1
            if block < 2:
                a.la(RESUME, f"block{self.block}")
                for _ in range(PARTS // 2):
                    self.rng.choice(self.choices)()
        a.la(RESUME, "block0")
        a.j("block0")
        assert a.here <= LIBRARY
        return a.image()

    def variants(self) -> list[bytes]:
        """The image with each of the patches: what its pages may come to hold."""
        found = []
        for word in self.patches:
            at = self.slots[0] - self.at.base
            found.append(self.image[:at] + word.to_bytes(4, "little") + self.image[at + 4 :])
        return found


@lru_cache(maxsize=32)
def hot_family(number: int) -> HotFamily:
    """Number `number`; the kinds of short programs take turns."""
    return HotFamily(number, KINDS[number % len(KINDS)])


def hot_program(seed: int) -> Short:
    """Program number ``seed``."""
    return hot_family(seed // FAMILY).program(seed)


def random_sizes(seed: int, total: int) -> list[int]:
    """Runs of very different length, `total` steps in all: short ones first, then any."""
    rng = random.Random(f"hot runs {seed}")
    found = [rng.choice((1, 2, 3, 7)), rng.choice((12, 25, 40))]
    while sum(found) < total:
        found.append(min(rng.choice((30, 90, 91, 150, 250, 350)), total - sum(found)))
    return found
