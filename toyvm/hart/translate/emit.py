"""LLVM IR of a region.

    i64 region(x, ram, tlb, cache, state, home)

`x` are the registers, `tlb` the read entries of the context of data (the write entries follow),
`cache` scratch memory, `state` = steps left << 32 | pc, `home` the address of the home page.  It
returns the new state: registers are then those before the instruction at pc.

Within a block guest registers are LLVM values.  At its end those that changed are stored to `x`,
and a way out amid a block stores those that changed so far.  Only in an inner loop they stay values
from round to round: they are loaded where it is entered and stored where it is left.  Values all
over the region would make the code no faster, but its compilation twice as long, because each of
some hundred ways out would need all registers.

Memory is reached through a copy of the TLB entry that was used last by the same base register:
nothing can change the TLB while a region runs, so the copy hits exactly when the TLB does.  Where
such copies miss often (`uncached`) the TLB is asked each time, which costs more but never a
mispredicted branch.  The steps left are counted by block and tested where a path could be endless:
at jumps backward, at indirect jumps and at the entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from toyvm.hart.translate import region as r
from toyvm.hart.translate.loops import Loop, find_loops, prepare
from toyvm.hart.translate.memory import CACHES, MISS, MISSED, Access
from toyvm.hart.translate.region import Region
from toyvm.hart.translate.writer import COLD, MEMORY, VARIABLES, WEIGHTS, Known

_RARE: Final = ", !prof !1"
_OFTEN: Final = ", !prof !2"

_COMPARE: Final = {0: "eq", 1: "ne", 4: "slt", 5: "sge", 6: "ult", 7: "uge"}


class Emitter(Access):
    """Writes the function of one region; `text` is the module."""

    def __init__(self, region: Region, name: str = "region") -> None:
        super().__init__(region.uncached)
        self.words = region.words
        self.heads = region.heads
        self.jumps = {rel: self._jump(rel, word) for rel, word in self.words.items()}
        self.far = self._far_jumps()
        self.longest = r.longest_paths(self.words, self.jumps)
        loops = find_loops(self.words, self.jumps)
        self.walks = {first: loop for first, loop in loops.items() if loop.groups}
        """Loops with a quick copy, by their first instruction."""
        self.kept = {
            rel: loop
            for loop in loops.values()
            if not loop.groups
            for rel in range(loop.first, loop.last + 4, 4)
        }
        """Other inner loops, by each instruction: registers are variables there."""
        self.leaders = self._leaders()
        self.single = self._single()
        self.known: dict[int, Known] = {}
        """What is known where blocks of `single` begin that are still to be written."""
        self.used, _ = self._registers(self.words)
        self._loops: dict[int, tuple[list[int], list[int]]] = {}
        self.bound = ""
        """Steps left down to which the quick copy may begin another round."""
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

    def _single(self) -> set[int]:
        """The blocks that only one branch leads to."""
        ways: Counter[int | None] = Counter({*self.heads, *self.far.values()})
        for rel, word in self.words.items():
            target = self.jumps[rel]
            if target is not None:
                ways[target] += 1
            if word & 0x7F not in (r.JAL, r.JALR):
                ways[rel + 4] += 1
        for loop in self.walks.values():
            # Its two copies are left for the same places.
            body = range(loop.first, loop.last + 4, 4)
            for rel in body:
                ways.update(place for place in (self.jumps[rel], rel + 4) if place not in body)
        return {rel for rel in self.leaders if ways[rel] == 1}

    def _registers(self, rels: Iterable[int]) -> tuple[list[int], list[int]]:
        """Registers that these instructions read or write, and those that they write."""
        read: set[int] = set()
        written: set[int] = set()
        for word in map(self.words.__getitem__, rels):
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
        self.exits += [f"{label}:", *self.store_changed(), *self.flush(), *self.spend(done)]
        self.exits += self.end(rel)
        return label

    def end(self, rel: int | str) -> list[str]:
        """Lines that leave the region for `rel`; the steps left are right.

        Through memory: two values from some hundred places would keep the allocator of registers
        busy for longer than all the rest.
        """
        self.serial += 1
        return [
            f"  %v{self.serial} = load i32, ptr %left",
            f"  store volatile i32 %v{self.serial}, ptr %rest",
            f"  store volatile i32 {rel}, ptr %rel",
            "  br label %exit",
        ]

    def out(self, rel: int) -> str:
        """A label that leaves the region for `rel`; the block is finished."""
        label = self.label("out")
        self.exits += [f"{label}:", *self.flush()]
        self.exits += self.end(rel)
        return label

    def flush(self) -> list[str]:
        """Lines that store the registers that the present loop may have changed."""
        return self.move(self._of(self.loop)[1], VARIABLES, MEMORY) if self.loop else []

    def fetch(self, loop: Loop) -> list[str]:
        """Lines that load the registers that a loop uses."""
        return self.move(self._of(loop)[0], MEMORY, VARIABLES)

    def _of(self, loop: Loop) -> tuple[list[int], list[int]]:
        if loop.first not in self._loops:
            self._loops[loop.first] = self._registers(range(loop.first, loop.last + 4, 4))
        return self._loops[loop.first]

    def go(self, rel: int, source: int, tested: bool = False) -> str:
        """A label inside or outside the region that goes on at `rel`; the block is finished.

        The budget is tested if `tested`, or for a jump backward.
        """
        if rel not in self.words:
            return self.out(rel)
        inside = self.loop is not None and self.loop.first <= rel <= self.loop.last
        if self.quickly and inside:
            return self.quick(rel) if rel > source else self.again()
        tested |= rel <= source
        place = self.block(rel)
        if inside:
            return self.test(rel, place) if tested else place
        if rel in self.walks and source <= self.walks[rel].last and tested:
            place = f"p{place}"
        return self.cross(rel, place, tested)

    def cross(self, rel: int, place: str, tested: bool) -> str:
        """A label that goes on at `place`, where `rel` is, with its loop's registers."""
        lines = self.flush()
        loop, self.loop = self.loop, None
        place = self.enter(rel, place)
        if tested:
            place = self.test(rel, place)
        self.loop = loop
        return self.through(lines, place)

    def enter(self, rel: int, place: str) -> str:
        """A label that goes on at `place`, where `rel` is, from outside of loops."""
        return self.through(self.fetch(self.kept[rel]) if rel in self.kept else [], place)

    def through(self, lines: list[str], place: str) -> str:
        """A label that goes on at `place` after some lines."""
        if not lines:
            return place
        label = self.label("by")
        self.exits += [f"{label}:", *lines, f"  br label %{place}"]
        return label

    def test(self, rel: int, place: str) -> str:
        """A label that goes on at `place`, where `rel` is, if the budget allows."""
        out = self.out(rel)
        label = self.label("back")
        self.serial += 2
        a, b = f"%v{self.serial - 1}", f"%v{self.serial}"
        self.exits += [
            f"{label}:",
            f"  {a} = load i32, ptr %left",
            f"  {b} = icmp sge i32 {a}, {self.longest[rel]}",
            f"  br i1 {b}, label %{place}, label %{out}{COLD}",
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
        lasts = {loop.last: loop for loop in self.walks.values()}
        for rel in self.words:
            self.loop = self.kept.get(rel)
            if rel in self.leaders:
                self.begin(rel, self.block(rel), self.known.pop(rel, None))
            self.instruction(rel, self.words[rel])
            if rel in lasts:
                self.quick_copy(lasts[rel])
        self.loop = None
        body, self.lines = self.lines, []
        self._entry()
        entry, self.lines = self.lines, []
        self._exit()
        head = (
            f"define i64 @{name}(ptr noalias %x, ptr noalias %ram, ptr noalias readonly %tlb, "
            "ptr noalias %cache, i64 %state, i32 %home) nounwind {"
        )
        lines = [head, *entry, *body, *self.exits, *self.lines, "}"]
        return "\n".join(lines) + MISS + WEIGHTS

    def _entry(self) -> None:
        self.place("entry")
        self.add("%left = alloca i32")
        self.add("%rest = alloca i32")
        self.add("%rel = alloca i32")
        for i in self.used:
            self.add(f"{VARIABLES}{i} = alloca i32")
            self.add(f"{MEMORY}{i} = getelementptr i32, ptr %x, i64 {i}")
        self.prepare_copies()
        left = self.value("lshr i64 %state, 32")
        self.add(f"store i32 {self.value(f'trunc i64 {left} to i32')}, ptr %left")
        pc = self.value("trunc i64 %state to i32")
        self.add(f"store volatile i32 {self.value(f'sub i32 {pc}, %home')}, ptr %rel")
        self.add("br label %dispatch")
        self.place("dispatch")
        rel = self.value("load volatile i32, ptr %rel")
        cases = " ".join(f"i32 {head}, label %{self.head(head)}" for head in self.heads)
        self.add(f"switch i32 {rel}, label %nowhere [ {cases} ]")
        self.place("nowhere")
        self.lines += self.end(rel)
        for head in self.heads:
            self.place(self.head(head))
            left = self.value("load i32, ptr %left")
            fits = self.value(f"icmp sge i32 {left}, {self.longest[head]}")
            out = self.label("out")
            place = self.enter(head, self.block(head))
            self.add(f"br i1 {fits}, label %{place}, label %{out}{COLD}")
            self.place(out)
            self.lines += self.end(head)

    def _exit(self) -> None:
        self.place("exit")
        rel = self.value("load volatile i32, ptr %rel")
        pc = self.value(f"zext i32 {self.value(f'add i32 {rel}, %home')} to i64")
        left = self.value(f"zext i32 {self.value('load volatile i32, ptr %rest')} to i64")
        high = self.value(f"shl i64 {left}, 32")
        self.add(f"ret i64 {self.value(f'or i64 {high}, {pc}')}")

    # ---- loops ------------------------------------------------------------------------------

    def quick_copy(self, loop: Loop) -> None:
        """The copy of a loop without TLB lookups (see `loops`), and how it is entered."""
        plain = self.block(loop.first)
        self.begin(loop.first, f"p{plain}")
        self.bound, self.pointers = prepare(self, loop, plain)
        self.lines += self.fetch(loop)
        self.add(f"br label %{self.quick(loop.first)}")
        self.loop, self.quickly = loop, True
        for rel in range(loop.first, loop.last + 4, 4):
            if rel in self.leaders:
                self.begin(rel, self.quick(rel), self.known.pop(rel, None))
            self.instruction(rel, self.words[rel])
        self.loop, self.quickly = None, False

    def again(self) -> str:
        """A label that goes on with the next round of the quick copy, if it may."""
        assert self.loop is not None
        first = self.loop.first
        label = self.label("again")
        end = self.cross(first, f"p{self.block(first)}", tested=True)
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
            for place in {rel + r.imm_b(word), rel + 4} & self.single:
                if place > rel:
                    self.known[place] = self.values, self.made_at
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
            self.lines += self.end(rel)
            self.place(aligned)
        if not returns:
            # Perhaps it should be a head: see `Translator._tune`.
            number = self.value(f"and i32 {self.value(f'lshr i32 {where}, 2')}, {MISSED - 1}")
            slot = self.value(f"zext i32 {self.value(f'add i32 {number}, {2 * CACHES}')} to i64")
            pointer = self.value(f"getelementptr i32, ptr %cache, i64 {slot}")
            self.add(f"store i32 {self.value(f'or i32 {where}, 1')}, ptr {pointer}")
        if returns:
            self.add(f"store volatile i32 {where}, ptr %rel")
            self.add("br label %dispatch")
        else:
            self.lines += self.end(where)

    def _follows_call(self, rel: int) -> bool:
        word = self.words.get(rel - 4, 0)
        return word & 0x7F in (r.JAL, r.JALR) and (word >> 7) & 31 != 0


def emit(region: Region, name: str = "region") -> str:
    """The LLVM IR module of a region, as text."""
    return Emitter(region, name).text
