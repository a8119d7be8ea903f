"""LLVM IR of a region.

    i64 region(x, ram, tlb, cache, state, home)

`x` are the registers, `tlb` the read entries of the context of data (the write entries follow),
`cache` scratch memory, `state` = steps left << 32 | pc, `home` the address of the home page.  It
returns the new state: registers are then those before the instruction at pc.

Inside, guest registers are LLVM values.  Every way out stores them, and leads to the one place
that writes them back.  Memory is reached through a copy of the TLB entry that was used last by the
same base register: nothing can change the TLB while a region runs, so the copy hits exactly when
the TLB does.  Where such copies miss often (`uncached`) the TLB is asked each time, which costs
more but never a mispredicted branch.  The steps left are counted by block and tested where a path
could be endless: at jumps backward, at indirect jumps and at the entry.
"""

from __future__ import annotations

from typing import Final

from toyvm.hart.ops import REGION_COPIES
from toyvm.hart.translate import region as r
from toyvm.hart.translate.loops import Group, Loop, find_loops, prepare
from toyvm.hart.translate.region import Region
from toyvm.hart.translate.writer import WEIGHTS, Writer

MISSED: Final = 4
"""32-bit words of `cache`, behind the copies, that note where indirect jumps wanted to go."""
CACHES: Final = REGION_COPIES - MISSED // 2
"""Copies of TLB entries that a region may use: 8 bytes each of `cache`; counters follow."""
_TLB_SETS: Final = 256
_COLD: Final = ", !prof !0"
_RARE: Final = ", !prof !1"
_OFTEN: Final = ", !prof !2"

_COMPARE: Final = {0: "eq", 1: "ne", 4: "slt", 5: "sge", 6: "ult", 7: "uge"}


class Emitter(Writer):
    """Writes the function of one region; `text` is the module."""

    def __init__(self, region: Region, name: str = "region") -> None:
        super().__init__()
        self.words = region.words
        self.heads = region.heads
        self.uncached = {*region.uncached, CACHES}
        self.jumps = {rel: self._jump(rel, word) for rel, word in self.words.items()}
        self.far = self._far_jumps()
        self.longest = r.longest_paths(self.words, self.jumps)
        self.loops = find_loops(self.words, self.jumps)
        self.leaders = self._leaders()
        self.used, self.written = self._registers()
        self.caches: dict[object, int] = {}
        self.exits: list[str] = []
        # Of the loop whose quick copy is being written:
        self.loop: Loop | None = None
        self.bound = ""
        self.pointers: dict[Group, str] = {}
        self.text = self._module(name)

    # ---- analysis ---------------------------------------------------------------------------

    def _jump(self, rel: int, word: int) -> int | None:
        opcode = word & 0x7F
        if opcode == r.BRANCH:
            return rel + r.imm_b(word)
        if opcode == r.JAL:
            return rel + r.imm_j(word)
        return None

    def _far_jumps(self) -> dict[int, int]:
        """Targets of auipc and jalr pairs."""
        far = {}
        for rel, word in self.words.items():
            if word & 0x7F == r.JALR and rel - 4 in self.words:
                target = r.far_target(self.words[rel - 4], word, rel)
                if target is not None and target & 2 == 0:
                    far[rel] = target
        return far

    def _leaders(self) -> set[int]:
        leaders = {*self.heads, *self.far.values()}
        for rel, word in self.words.items():
            opcode = word & 0x7F
            target = self.jumps[rel]
            if target in self.words and target is not None:
                leaders.add(target)
            if opcode in (r.BRANCH, r.JAL, r.JALR):
                leaders.add(rel + 4)
            if rel - 4 not in self.words:
                leaders.add(rel)
        return {rel for rel in leaders if rel in self.words}

    def _registers(self) -> tuple[list[int], list[int]]:
        """Registers that are read or written, and those that are written."""
        read: set[int] = set()
        written: set[int] = set()
        for word in self.words.values():
            opcode = word & 0x7F
            if opcode in (r.FENCE,):
                continue
            if opcode not in (r.LUI, r.AUIPC, r.JAL):
                read.add((word >> 15) & 31)
            if opcode in (r.OP, r.STORE, r.BRANCH):
                read.add((word >> 20) & 31)
            if opcode not in (r.STORE, r.BRANCH):
                written.add((word >> 7) & 31)
        written.discard(0)
        return sorted((read | written) - {0}), sorted(written)

    # ---- ways on and out --------------------------------------------------------------------

    def leave(self, rel: int | str, done: int) -> str:
        """A label that leaves the region for `rel` after `done` instructions of this block."""
        label = self.label("out")
        self.exits += [f"{label}:", *self.store_changed(), *self.spend(done)]
        self.exits += [f"  store i32 {rel}, ptr %rel", "  br label %exit"]
        return label

    def go(self, rel: int, source: int, tested: bool = False) -> str:
        """A label inside or outside the region that goes on at `rel`; the block is finished.

        Variables are up to date.  The budget is tested if `tested`, or for a jump backward.
        """
        if rel not in self.words:
            label = self.label("out")
            self.exits += [f"{label}:", f"  store i32 {rel}, ptr %rel", "  br label %exit"]
            return label
        if self.loop is not None and self.loop.first <= rel <= self.loop.last:
            return self.quick(rel) if rel > source else self.again()
        if rel > source and not tested:
            return self.block(rel)
        place = self.block(rel)
        if rel in self.loops and source <= self.loops[rel].last:
            place = f"p{place}"
        return self.test(rel, place)

    def test(self, rel: int, place: str) -> str:
        """A label that goes on at `place`, where `rel` is, if the budget allows."""
        label = self.label("back")
        out = self.label("out")
        self.serial += 2
        a, b = f"%v{self.serial - 1}", f"%v{self.serial}"
        self.exits += [
            f"{label}:",
            f"  {a} = load i32, ptr %left",
            f"  {b} = icmp sge i32 {a}, {self.longest[rel]}",
            f"  br i1 {b}, label %{place}, label %{out}{_COLD}",
            f"{out}:",
            f"  store i32 {rel}, ptr %rel",
            "  br label %exit",
        ]
        return label

    @staticmethod
    def block(rel: int) -> str:
        return f"b{rel}" if rel >= 0 else f"bm{-rel}"

    def quick(self, rel: int) -> str:
        return "q" + self.block(rel)

    def head(self, rel: int) -> str:
        return "h" + self.block(rel)

    # ---- the module -------------------------------------------------------------------------

    def _module(self, name: str) -> str:
        lasts = {loop.last: loop for loop in self.loops.values()}
        for rel in self.words:
            if rel in self.leaders:
                self.begin(rel, self.block(rel))
            self.instruction(rel, self.words[rel])
            if rel in lasts:
                self.quick_copy(lasts[rel])
        body, self.lines = self.lines, []
        self._entry()
        entry, self.lines = self.lines, []
        self._exit()
        head = (
            f"define i64 @{name}(ptr noalias %x, ptr noalias %ram, ptr noalias readonly %tlb, "
            "ptr noalias %cache, i64 %state, i32 %home) nounwind {"
        )
        lines = [head, *entry, *body, *self.exits, *self.lines, "}"]
        return "\n".join(lines) + WEIGHTS

    def _entry(self) -> None:
        self.place("entry")
        self.add("%left = alloca i32")
        self.add("%rel = alloca i32")
        for i in self.used:
            self.add(f"%x{i} = alloca i32")
        for i in self.used:
            pointer = self.value(f"getelementptr i32, ptr %x, i64 {i}")
            self.add(f"store i32 {self.value(f'load i32, ptr {pointer}')}, ptr %x{i}")
        for k in sorted({*self.caches.values()} - self.uncached):
            pointer = self.value(f"getelementptr i32, ptr %cache, i64 {2 * k}")
            self.add(f"store i32 -1, ptr {pointer}")
        left = self.value("lshr i64 %state, 32")
        self.add(f"store i32 {self.value(f'trunc i64 {left} to i32')}, ptr %left")
        pc = self.value("trunc i64 %state to i32")
        self.add(f"store i32 {self.value(f'sub i32 {pc}, %home')}, ptr %rel")
        self.add("br label %dispatch")
        self.place("dispatch")
        rel = self.value("load i32, ptr %rel")
        cases = " ".join(f"i32 {head}, label %{self.head(head)}" for head in self.heads)
        self.add(f"switch i32 {rel}, label %exit [ {cases} ]")
        for head in self.heads:
            self.place(self.head(head))
            left = self.value("load i32, ptr %left")
            fits = self.value(f"icmp sge i32 {left}, {self.longest[head]}")
            out = self.label("out")
            self.add(f"br i1 {fits}, label %{self.block(head)}, label %{out}{_COLD}")
            self.place(out)
            self.add(f"store i32 {head}, ptr %rel")
            self.add("br label %exit")

    def _exit(self) -> None:
        self.place("exit")
        for i in self.written:
            value = self.value(f"load i32, ptr %x{i}")
            pointer = self.value(f"getelementptr i32, ptr %x, i64 {i}")
            self.add(f"store i32 {value}, ptr {pointer}")
        rel = self.value("load i32, ptr %rel")
        pc = self.value(f"zext i32 {self.value(f'add i32 {rel}, %home')} to i64")
        left = self.value(f"zext i32 {self.value('load i32, ptr %left')} to i64")
        high = self.value(f"shl i64 {left}, 32")
        self.add(f"ret i64 {self.value(f'or i64 {high}, {pc}')}")

    # ---- loops ------------------------------------------------------------------------------

    def quick_copy(self, loop: Loop) -> None:
        """The copy of a loop without TLB lookups (see `loops`), and how it is entered."""
        plain = self.block(loop.first)
        self.begin(loop.first, f"p{plain}")
        self.bound, self.pointers = prepare(self, loop, plain)
        self.add(f"br label %{self.quick(loop.first)}")
        self.loop = loop
        for rel in range(loop.first, loop.last + 4, 4):
            if rel in self.leaders:
                self.begin(rel, self.quick(rel))
            self.instruction(rel, self.words[rel])
        self.loop = None

    def again(self) -> str:
        """A label that goes on with the next round of the quick copy, if it may."""
        assert self.loop is not None
        first = self.loop.first
        label = self.label("again")
        end = self.test(first, f"p{self.block(first)}")
        self.serial += 2
        a, b = f"%v{self.serial - 1}", f"%v{self.serial}"
        self.exits += [
            f"{label}:",
            f"  {a} = load i32, ptr %left",
            f"  {b} = icmp sge i32 {a}, {self.bound}",
            f"  br i1 {b}, label %{self.quick(first)}, label %{end}{_OFTEN}",
        ]
        return label

    # ---- instructions -----------------------------------------------------------------------

    def instruction(self, rel: int, word: int) -> None:
        """One instruction, and the end of the block after it if there is one."""
        opcode = word & 0x7F
        rd, rs1, rs2 = (word >> 7) & 31, (word >> 15) & 31, (word >> 20) & 31
        funct3 = (word >> 12) & 7
        done = ((rel - self.begun) >> 2) + 1
        if opcode == r.BRANCH:
            a, b = self.get(rs1), self.get(rs2)
            test = self.value(f"icmp {_COMPARE[funct3]} i32 {a}, {b}")
            self.finish(done)
            target = self.go(rel + r.imm_b(word), rel)
            other = self.go(rel + 4, rel)
            self.add(f"br i1 {test}, label %{target}, label %{other}")
            return
        if opcode == r.JAL:
            self.set(rd, self.value(f"add i32 %home, {rel + 4}"), rel)
            self.finish(done)
            self.add(f"br label %{self.go(rel + r.imm_j(word), rel)}")
            return
        if opcode == r.JALR:
            self.indirect(rel, rd, rs1, r.imm_i(word), done)
            return
        if opcode == r.LOAD:
            self.load(rel, rd, rs1, funct3, r.imm_i(word), done)
        elif opcode == r.STORE:
            self.store(rel, rs1, rs2, funct3, r.imm_s(word), done)
        elif opcode == r.LUI:
            self.set(rd, str(r.signed(word & 0xFFFF_F000, 32)), rel)
        elif opcode == r.AUIPC:
            offset = rel + r.signed(word & 0xFFFF_F000, 32)
            self.set(rd, self.value(f"add i32 %home, {r.signed(offset, 32)}"), rel)
        elif opcode == r.OP_IMM:
            self.immediate(rel, rd, rs1, funct3, word)
        elif opcode == r.OP:
            if word >> 25 == 1:
                self.multiply(rel, rd, self.get(rs1), self.get(rs2), funct3)
            else:
                self.operation(rel, rd, self.get(rs1), self.get(rs2), funct3, word >> 30 & 1)
        if rel + 4 in self.leaders or rel + 4 not in self.words:
            self.finish(done)
            self.add(f"br label %{self.go(rel + 4, rel)}")

    def finish(self, done: int) -> None:
        """Bring all variables up to date at the end of a block of `done` instructions."""
        self.lines += self.store_changed()
        self.lines += self.spend(done)
        self.changed = set()

    def indirect(self, rel: int, rd: int, rs1: int, imm: int, done: int) -> None:
        """JALR: to a head of this region if the target is one, else out."""
        if rel in self.far and rel != self.begun:
            self.set(rd, self.value(f"add i32 %home, {rel + 4}"), rel)
            self.finish(done)
            self.add(f"br label %{self.go(self.far[rel], rel, tested=True)}")
            return
        total = self.value(f"add i32 {self.get(rs1)}, {imm}")
        returns = rd == 0 and rs1 in (1, 5)
        # Bit 0 of the target does not count.
        half = self.value(f"lshr i32 {self.value(f'sub i32 {total}, %home')}, 1")
        if rd:
            odd = self.value(f"icmp ne i32 {self.value(f'and i32 {total}, 2')}, 0")
            aligned = self.label("aligned")
            out = self.leave(rel, done - 1)
            self.add(f"br i1 {odd}, label %{out}, label %{aligned}{_RARE}")
            self.place(aligned)
            self.set(rd, self.value(f"add i32 %home, {rel + 4}"), rel)
        self.finish(done)
        places = [head for head in self.heads if not returns or self._follows_call(head)]
        cases = " ".join(
            f"i32 {(head & 0xFFFF_FFFF) >> 1}, label %{self.head(head)}" for head in places
        )
        elsewhere = self.label("elsewhere")
        self.add(f"switch i32 {half}, label %{elsewhere} [ {cases} ]")
        lines, self.lines = self.lines, []
        self.elsewhere(elsewhere, rel, half, rd, returns)
        self.exits += self.lines
        self.lines = lines

    def elsewhere(self, label: str, rel: int, half: str, rd: int, returns: bool) -> None:
        """An indirect jump that goes to none of the heads expected."""
        self.place(label)
        where = self.value(f"shl i32 {half}, 1")
        if rd == 0:
            # Nothing has changed but the steps left: it can still leave before the jump.
            odd = self.value(f"icmp ne i32 {self.value(f'and i32 {where}, 2')}, 0")
            aligned, out = self.label("aligned"), self.label("out")
            self.add(f"br i1 {odd}, label %{out}, label %{aligned}{_RARE}")
            self.place(out)
            left = self.value("load i32, ptr %left")
            self.add(f"store i32 {self.value(f'add i32 {left}, 1')}, ptr %left")
            self.add(f"store i32 {rel}, ptr %rel")
            self.add("br label %exit")
            self.place(aligned)
        self.add(f"store i32 {where}, ptr %rel")
        if not returns:
            # Perhaps it should be a head: see `Translator._tune`.
            number = self.value(f"and i32 {self.value(f'lshr i32 {where}, 2')}, {MISSED - 1}")
            slot = self.value(f"zext i32 {self.value(f'add i32 {number}, {2 * CACHES}')} to i64")
            pointer = self.value(f"getelementptr i32, ptr %cache, i64 {slot}")
            self.add(f"store i32 {self.value(f'or i32 {where}, 1')}, ptr {pointer}")
        self.add(f"br label %{'dispatch' if returns else 'exit'}")

    def _follows_call(self, rel: int) -> bool:
        word = self.words.get(rel - 4, 0)
        return word & 0x7F in (r.JAL, r.JALR) and (word >> 7) & 31 != 0

    # ---- memory -----------------------------------------------------------------------------

    def address(self, rel: int, rs1: int, imm: int, width: int, write: bool, done: int) -> str:
        """A pointer to the bytes at x[rs1] + imm; leaves the region if the TLB has no entry."""
        base = self.get(rs1)
        if self.loop is not None and rel in self.loop.groups:
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
            delta = self.cached(tag, va, self.caches[key], write, out)
        else:
            entry = self.lookup(tag, va, write, out)
            delta = self.value(f"trunc i64 {self.value(f'lshr i64 {entry}, 32')} to i32")
        offset = self.value(f"zext i32 {self.value(f'add i32 {va}, {delta}')} to i64")
        return self.value(f"getelementptr i8, ptr %ram, i64 {offset}")

    def cached(self, tag: str, va: str, cache: int, write: bool, out: str) -> str:
        """The distance from address to RAM, from the copy `cache` or the TLB."""
        hit, miss = self.label("hit"), self.label("miss")
        tag_at = self.value(f"getelementptr i32, ptr %cache, i64 {2 * cache}")
        delta_at = self.value(f"getelementptr i32, ptr %cache, i64 {2 * cache + 1}")
        same = self.value(f"icmp eq i32 {tag}, {self.value(f'load i32, ptr {tag_at}')}")
        self.add(f"br i1 {same}, label %{hit}, label %{miss}{_COLD}")
        # Out of line, with the exits.
        lines, self.lines = self.lines, []
        self.place(miss)
        counter = self.value(f"getelementptr i32, ptr %cache, i64 {2 * REGION_COPIES + cache}")
        count = self.value(f"add i32 {self.value(f'load i32, ptr {counter}')}, 1")
        self.add(f"store i32 {count}, ptr {counter}")
        entry = self.lookup(tag, va, write, out)
        self.add(f"store i32 {self.value(f'trunc i64 {entry} to i32')}, ptr {tag_at}")
        high = self.value(f"lshr i64 {entry}, 32")
        self.add(f"store i32 {self.value(f'trunc i64 {high} to i32')}, ptr {delta_at}")
        self.add(f"br label %{hit}")
        self.exits += self.lines
        self.lines = lines
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
        self.add(f"br i1 {same}, label %{found}, label %{out}{_COLD}")
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


def emit(region: Region, name: str = "region") -> str:
    """The LLVM IR module of a region, as text."""
    return Emitter(region, name).text
