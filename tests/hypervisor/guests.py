"""Small guests in assembly, and page tables for them, made by the project's assembler."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from assembler import Image, Source, assemble
from guestos import include_dirs
from toyvm.machine import Program

RAM = 1 << 20
BASE = 0x8000_0000
ROOT = BASE + 0x4_0000
"""Where `Tables` puts its root; its other tables follow."""

# Page-table bits (privileged manual, figure 4.18).
V, R, W, X, U, G, A, D = (1 << i for i in range(8))
RW, RX, RWX = R | W, R | X, R | W | X
URW, URX = U | RW, U | RX

PRELUDE = """
    .include "platform.inc"
    .include "csr.inc"

# pass: end with code 0.
.macro pass
    li   t0, FINISHER_BASE
    li   t1, FINISHER_PASS
    sw   t1, 0(t0)
.endm

# fail CODE: end with this code.
.macro fail code
    li   t0, FINISHER_BASE
    li   t1, FINISHER_FAIL | \\code << 16
    sw   t1, 0(t0)
.endm

# handler LABEL: mtvec.
.macro handler label
    la   t0, \\label
    csrw mtvec, t0
.endm

# shandler LABEL: stvec.
.macro shandler label
    la   t0, \\label
    csrw stvec, t0
.endm

# open_pmp: S and U may do everything that no earlier entry forbids.
.macro open_pmp
    li   t0, -1
    csrw pmpaddr15, t0
    li   t0, (PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 24
    csrw pmpcfg3, t0
.endm

# enter MPP, LABEL: mret to another mode.
.macro enter mpp, label
    la   t0, \\label
    csrw mepc, t0
    li   t0, MSTATUS_MPP
    csrc mstatus, t0
    li   t0, \\mpp
    csrs mstatus, t0
    mret
.endm

# paging: satp names the tables at ROOT.
.macro paging
    li   t0, SATP_MODE | (ROOT >> 12)
    csrw satp, t0
    sfence.vma
.endm

    .section .text
    .globl _start
_start:
"""


@lru_cache(maxsize=256)
def assembled(text: str, base: int = BASE) -> Image:
    """`text` behind the prelude; it begins at _start."""
    defines = {"ROOT": ROOT, "V": V, "R": R, "W": W, "X": X, "U": U, "A": A, "D": D}
    return assemble(
        Source("guest.s", PRELUDE + text),
        include_dirs=include_dirs(),
        defines=defines,
        text_base=base,
    )


@dataclass
class Tables:
    """Sv32 page tables in the making: `map` as often as wanted, then `segments`."""

    root: int = ROOT
    words: dict[int, int] = field(default_factory=dict)
    second: dict[int, int] = field(default_factory=dict)

    def entry(self, va: int) -> int:
        """Address of the second-level entry of `va`, made if need be."""
        slot = va >> 22
        if slot not in self.second:
            self.second[slot] = self.root + 0x1000 * (1 + len(self.second))
            self.words[self.root + 4 * slot] = self.second[slot] >> 12 << 10 | V
        return self.second[slot] + 4 * (va >> 12 & 1023)

    def map(self, va: int, pa: int, flags: int, pages: int = 1) -> Tables:
        """Map pages of 4 KiB; V is added."""
        for page in range(pages):
            at = self.entry(va + 0x1000 * page)
            self.words[at] = (pa + 0x1000 * page) >> 12 << 10 | flags | V
        return self

    def mega(self, va: int, pa: int, flags: int) -> Tables:
        """Map 4 MiB."""
        self.words[self.root + 4 * (va >> 22)] = pa >> 12 << 10 | flags | V
        return self

    def raw(self, at: int, word: int) -> Tables:
        """Any word anywhere."""
        self.words[at] = word
        return self

    def segments(self) -> list[tuple[int, bytes, int]]:
        """The words as segments, one a page."""
        pages: dict[int, bytearray] = {}
        for at, word in self.words.items():
            page = pages.setdefault(at & ~0xFFF, bytearray(0x1000))
            page[at & 0xFFF : (at & 0xFFF) + 4] = word.to_bytes(4, "little")
        return [(at, bytes(data), len(data)) for at, data in sorted(pages.items())]


def guest(text: str, tables: Tables | None = None, base: int = BASE) -> Program:
    """A program: code, and page tables if it has some."""
    image = assembled(text, base)
    segments = [(part.addr, bytes(part.data), part.memsz) for part in image.segments]
    if tables:
        segments += tables.segments()
    return Program("guest.s", segments, image.entry, dict(image.symbols))


def identity(pages: int = 64) -> Tables:
    """Tables that map the first pages of RAM onto themselves, for S-mode."""
    return Tables().map(BASE, BASE, RWX | A | D, pages)
