"""Memory accesses of a region: through copies of TLB entries, the TLB, or a page that is known."""

from __future__ import annotations

import platform
from abc import ABC, abstractmethod
from typing import Final

from toyvm.hart.ops import REGION_COPIES
from toyvm.hart.translate.loops import Group, Loop
from toyvm.hart.translate.writer import COLD, MEMORY, VARIABLES, Writer

MISSED: Final = 4
"""32-bit words of `cache`, behind the copies, that note where indirect jumps wanted to go."""
CACHES: Final = REGION_COPIES - MISSED // 2
"""Copies of TLB entries that a region may use: 8 bytes each of `cache`; counters follow."""
_TLB_SETS: Final = 256
_KEEPING: Final = (
    "preserve_mostcc"
    if platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")
    else "ccc"
)
"""A calling convention that keeps the caller's registers, where LLVM has one."""
_WHICH: Final = 16
"""Bit of a copy's number that says: of a write entry."""
MISS: Final = f"""
define internal {_KEEPING} zeroext i1 @miss(ptr %what) nounwind noinline {{
  %tlb = load ptr, ptr %what
  %cache_at = getelementptr ptr, ptr %what, i64 1
  %cache = load ptr, ptr %cache_at
  %copy_at = getelementptr i32, ptr %what, i64 4
  %copy = load i32, ptr %copy_at
  %tag_at = getelementptr i32, ptr %what, i64 5
  %tag = load i32, ptr %tag_at
  %low_number = and i32 %copy, {(1 << _WHICH) - 1}
  %number = zext i32 %low_number to i64
  %counters = getelementptr i64, ptr %cache, i64 {REGION_COPIES}
  %counter = getelementptr i32, ptr %counters, i64 %number
  %before = load i32, ptr %counter
  %count = add i32 %before, 1
  store i32 %count, ptr %counter
  %page = lshr i32 %tag, 12
  %set = and i32 %page, {_TLB_SETS - 1}
  %which = lshr i32 %copy, {_WHICH}
  %half = mul i32 %which, {_TLB_SETS}
  %index = or i32 %set, %half
  %wide = zext i32 %index to i64
  %at = getelementptr i64, ptr %tlb, i64 %wide
  %entry = load i64, ptr %at
  %low = trunc i64 %entry to i32
  %same = icmp eq i32 %low, %tag
  br i1 %same, label %known, label %unknown
known:
  %place = getelementptr i64, ptr %cache, i64 %number
  store i64 %entry, ptr %place
  ret i1 true
unknown:
  ret i1 false
}}
"""
"""For an access whose copy of a TLB entry is another page's: get that page's; false without one.

It keeps the registers of its caller, where it is a rare way aside, and is told in memory what is
wanted: arguments in registers would take a tenth of the time that a region's compilation takes.
"""


class Access(Writer, ABC):
    """A writer of loads and stores."""

    def __init__(self, uncached: frozenset[int]) -> None:
        super().__init__()
        self.uncached = {*uncached, CACHES}
        self.caches: dict[object, int] = {}
        self.exits: list[str] = []
        """Lines of what is rare, behind all blocks."""
        # The loop whose registers are variables in the block that is being written, and whether
        # that is its quick copy:
        self.loop: Loop | None = None
        self.quickly = False
        self.pointers: dict[Group, str] = {}

    @property
    def home(self) -> str:
        """In a loop without calls they are variables."""
        return VARIABLES if self.loop else MEMORY

    @abstractmethod
    def leave(self, rel: int | str, done: int) -> str:
        """A label that leaves the region for `rel` after `done` instructions of this block."""

    def prepare_copies(self) -> None:
        """At the entry: no copy is valid, and what `miss` is told is in one place."""
        self.add("%missed = alloca [3 x i64]")
        self.add("%missed_cache = getelementptr ptr, ptr %missed, i64 1")
        self.add("%missed_copy = getelementptr i32, ptr %missed, i64 4")
        self.add("%missed_tag = getelementptr i32, ptr %missed, i64 5")
        self.add("store ptr %tlb, ptr %missed")
        self.add("store ptr %cache, ptr %missed_cache")
        for k in sorted({*self.caches.values()} - self.uncached):
            pointer = self.value(f"getelementptr i32, ptr %cache, i64 {2 * k}")
            self.add(f"store i32 -1, ptr {pointer}")

    def address(self, rel: int, rs1: int, imm: int, width: int, write: bool, done: int) -> str:
        """A pointer to the bytes at x[rs1] + imm; leaves the region if the TLB has no entry."""
        base = self.get(rs1)
        if self.quickly and self.loop is not None and rel in self.loop.groups:
            # The page is known, and the register does not wrap around in it.
            pointer = self.pointers[self.loop.groups[rel]]
            moved = self.value(f"getelementptr i8, ptr {pointer}, i64 {imm}") if imm else pointer
            wide = self.value(f"zext i32 {base} to i64")
            return self.value(f"getelementptr i8, ptr {moved}, i64 {wide}")
        va = base if imm == 0 else self.value(f"add i32 {base}, {imm}")
        tag = self.value(f"and i32 {va}, {-4096 | (width - 1)}")
        out = self.leave(rel, done - 1)
        key = (rs1, write, self.made_at.get(rs1))
        if key not in self.caches and len(self.caches) < CACHES:
            self.caches[key] = len(self.caches)
        if self.caches.get(key, CACHES) not in self.uncached:
            delta = self.cached(tag, self.caches[key], write, out)
        else:
            entry = self.lookup(tag, va, write, out)
            delta = self.value(f"trunc i64 {self.value(f'lshr i64 {entry}, 32')} to i32")
        offset = self.value(f"zext i32 {self.value(f'add i32 {va}, {delta}')} to i64")
        return self.value(f"getelementptr i8, ptr %ram, i64 {offset}")

    def cached(self, tag: str, cache: int, write: bool, out: str) -> str:
        """The distance from address to RAM, from the copy `cache` or the TLB."""
        hit, miss = self.label("hit"), self.label("miss")
        tag_at = self.value(f"getelementptr i32, ptr %cache, i64 {2 * cache}")
        delta_at = self.value(f"getelementptr i32, ptr %cache, i64 {2 * cache + 1}")
        same = self.value(f"icmp eq i32 {tag}, {self.value(f'load i32, ptr {tag_at}')}")
        self.add(f"br i1 {same}, label %{hit}, label %{miss}{COLD}")
        # Out of line, with the exits.
        found = self.label("hit")
        self.exits += [
            f"{miss}:",
            f"  store i32 {write << _WHICH | cache}, ptr %missed_copy",
            f"  store i32 {tag}, ptr %missed_tag",
            f"  %{found} = call {_KEEPING} zeroext i1 @miss(ptr %missed)",
            f"  br i1 %{found}, label %{hit}, label %{out}{COLD}",
        ]
        self.place(hit)
        return self.value(f"load i32, ptr {delta_at}")

    def entry(self, va: str, write: bool) -> str:
        """The TLB entry where that of `va` would be."""
        number = self.value(f"and i32 {self.value(f'lshr i32 {va}, 12')}, {_TLB_SETS - 1}")
        if write:
            number = self.value(f"or i32 {number}, {_TLB_SETS}")
        wide = self.value(f"zext i32 {number} to i64")
        pointer = self.value(f"getelementptr i64, ptr %tlb, i64 {wide}")
        return self.value(f"load i64, ptr {pointer}")

    def lookup(self, tag: str, va: str, write: bool, out: str) -> str:
        """The TLB entry of `va`; to `out` if it is another page's or the access is misaligned."""
        entry = self.entry(va, write)
        low = self.value(f"trunc i64 {entry} to i32")
        same = self.value(f"icmp eq i32 {low}, {tag}")
        found = self.label("found")
        self.add(f"br i1 {same}, label %{found}, label %{out}{COLD}")
        self.place(found)
        return entry

    def load(self, rel: int, rd: int, rs1: int, funct3: int, imm: int, done: int) -> None:
        width = 1 << (funct3 & 3)
        pointer = self.address(rel, rs1, imm, width, False, done)
        if rd == 0:
            return
        value = self.value(f"load i{8 * width}, ptr {pointer}, align 1")
        if width < 4:
            extend = "zext" if funct3 & 4 else "sext"
            value = self.value(f"{extend} i{8 * width} {value} to i32")
        self.set(rd, value, rel)

    def store(self, rel: int, rs1: int, rs2: int, funct3: int, imm: int, done: int) -> None:
        width = 1 << funct3
        value = self.get(rs2)
        pointer = self.address(rel, rs1, imm, width, True, done)
        if width < 4:
            value = self.value(f"trunc i32 {value} to i{8 * width}")
        self.add(f"store i{8 * width} {value}, ptr {pointer}, align 1")
