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
from toyvm.hart.translate.region import Region

CACHES: Final = REGION_COPIES
"""Copies of TLB entries that a region may use: 8 bytes each of `cache`; counters follow."""
_TLB_SETS: Final = 256
_COLD: Final = ", !prof !0"
_RARE: Final = ", !prof !1"
_WEIGHTS: Final = """
!0 = !{!"branch_weights", i32 10000, i32 1}
!1 = !{!"branch_weights", i32 1, i32 10000}
"""

_COMPARE: Final = {0: "eq", 1: "ne", 4: "slt", 5: "sge", 6: "ult", 7: "uge"}
_PLAIN: Final = {0: "add", 4: "xor", 6: "or", 7: "and"}


class Emitter:
    """Writes the function of one region; `text` is the module."""

    def __init__(self, region: Region, name: str = "region") -> None:
        self.words = region.words
        self.heads = region.heads
        self.uncached = {*region.uncached, CACHES}
        self.lines: list[str] = []
        self.serial = 0
        self.jumps = {rel: self._jump(rel, word) for rel, word in self.words.items()}
        self.far = self._far_jumps()
        self.longest = r.longest_paths(self.words, self.jumps)
        self.leaders = self._leaders()
        self.used, self.written = self._registers()
        self.caches: dict[object, int] = {}
        self.exits: list[str] = []
        # Of the block that is being written:
        self.values: dict[int, str] = {}
        self.changed: set[int] = set()
        self.made_at: dict[int, int] = {}
        self.begun = 0
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

    # ---- small pieces -----------------------------------------------------------------------

    def add(self, line: str) -> None:
        self.lines.append("  " + line)

    def value(self, code: str) -> str:
        """A new value computed by `code`."""
        self.serial += 1
        name = f"%v{self.serial}"
        self.lines.append(f"  {name} = {code}")
        return name

    def label(self, kind: str) -> str:
        self.serial += 1
        return f"{kind}{self.serial}"

    def place(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def get(self, register: int) -> str:
        if register == 0:
            return "0"
        if register not in self.values:
            self.values[register] = self.value(f"load i32, ptr %x{register}")
        return self.values[register]

    def set(self, register: int, value: str, rel: int) -> None:
        if register:
            self.values[register] = value
            self.changed.add(register)
            self.made_at[register] = rel

    def store_changed(self) -> list[str]:
        """Lines that bring the registers' variables up to date."""
        return [f"  store i32 {self.values[i]}, ptr %x{i}" for i in sorted(self.changed)]

    def spend(self, done: int) -> list[str]:
        """Lines that take `done` instructions off the steps left."""
        if not done:
            return []
        self.serial += 2
        a, b = f"%v{self.serial - 1}", f"%v{self.serial}"
        return [
            f"  {a} = load i32, ptr %left",
            f"  {b} = sub i32 {a}, {done}",
            f"  store i32 {b}, ptr %left",
        ]

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
        if rel > source and not tested:
            return self.block(rel)
        label = self.label("back")
        out = self.label("out")
        self.serial += 2
        a, b = f"%v{self.serial - 1}", f"%v{self.serial}"
        self.exits += [
            f"{label}:",
            f"  {a} = load i32, ptr %left",
            f"  {b} = icmp sge i32 {a}, {self.longest[rel]}",
            f"  br i1 {b}, label %{self.block(rel)}, label %{out}{_COLD}",
            f"{out}:",
            f"  store i32 {rel}, ptr %rel",
            "  br label %exit",
        ]
        return label

    @staticmethod
    def block(rel: int) -> str:
        return f"b{rel}" if rel >= 0 else f"bm{-rel}"

    def head(self, rel: int) -> str:
        return "h" + self.block(rel)

    # ---- the module -------------------------------------------------------------------------

    def _module(self, name: str) -> str:
        for rel in self.words:
            if rel in self.leaders:
                self.place(self.block(rel))
                self.values = {}
                self.changed = set()
                self.made_at = {}
                self.begun = rel
            self.instruction(rel, self.words[rel])
        body, self.lines = self.lines, []
        self._entry()
        entry, self.lines = self.lines, []
        self._exit()
        head = (
            f"define i64 @{name}(ptr noalias %x, ptr noalias %ram, ptr noalias readonly %tlb, "
            "ptr noalias %cache, i64 %state, i32 %home) nounwind {"
        )
        lines = [head, *entry, *body, *self.exits, *self.lines, "}"]
        return "\n".join(lines) + _WEIGHTS

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
            self.add(f"br i1 {fits}, label %{self.block(head)}, label %exit{_COLD}")

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

    def immediate(self, rel: int, rd: int, rs1: int, funct3: int, word: int) -> None:
        if rd == 0:
            return
        imm = r.imm_i(word)
        if funct3 == 0 and rs1 == 0:
            self.set(rd, str(imm), rel)
            return
        a = self.get(rs1)
        if funct3 == 0 and rd == rs1:
            # A moved pointer mostly stays in its page: it keeps its copy of the TLB entry.
            made = self.made_at.get(rs1)
            self.set(rd, self.value(f"add i32 {a}, {imm}"), rel)
            if made is None:
                self.made_at.pop(rd, None)
            else:
                self.made_at[rd] = made
            return
        self.operation(rel, rd, a, str(imm), funct3, int(funct3 == 5 and word >> 30 & 1))

    def operation(self, rel: int, rd: int, a: str, b: str, funct3: int, other: int) -> None:
        """rd = a op b; `other` chooses SUB and SRA."""
        if funct3 in _PLAIN:
            name = "sub" if funct3 == 0 and other else _PLAIN[funct3]
            result = self.value(f"{name} i32 {a}, {b}")
        elif funct3 in (1, 5):
            amount = str(int(b) & 31) if b.lstrip("-").isdigit() else self.value(f"and i32 {b}, 31")
            name = "shl" if funct3 == 1 else ("ashr" if other else "lshr")
            result = self.value(f"{name} i32 {a}, {amount}")
        else:
            test = self.value(f"icmp {'slt' if funct3 == 2 else 'ult'} i32 {a}, {b}")
            result = self.value(f"zext i1 {test} to i32")
        self.set(rd, result, rel)

    def multiply(self, rel: int, rd: int, a: str, b: str, funct3: int) -> None:
        """The M extension (Unprivileged 20191213, chapter 7)."""
        if funct3 == 0:
            result = self.value(f"mul i32 {a}, {b}")
        elif funct3 <= 3:
            left = self.value(f"{'zext' if funct3 == 3 else 'sext'} i32 {a} to i64")
            right = self.value(f"{'sext' if funct3 == 1 else 'zext'} i32 {b} to i64")
            high = self.value(f"lshr i64 {self.value(f'mul i64 {left}, {right}')}, 32")
            result = self.value(f"trunc i64 {high} to i32")
        else:
            zero = self.value(f"icmp eq i32 {b}, 0")
            bad = zero
            if funct3 in (4, 6):
                # -2^31 / -1: the quotient is the dividend, as that of a division by 1.
                least = self.value(f"icmp eq i32 {a}, -2147483648")
                minus = self.value(f"icmp eq i32 {b}, -1")
                overflow = self.value(f"and i1 {least}, {minus}")
                bad = self.value(f"or i1 {zero}, {overflow}")
            divisor = self.value(f"select i1 {bad}, i32 1, i32 {b}")
            name = {4: "sdiv", 5: "udiv", 6: "srem", 7: "urem"}[funct3]
            plain = self.value(f"{name} i32 {a}, {divisor}")
            without = "-1" if funct3 <= 5 else a
            result = self.value(f"select i1 {zero}, i32 {without}, i32 {plain}")
        self.set(rd, result, rel)

    def indirect(self, rel: int, rd: int, rs1: int, imm: int, done: int) -> None:
        """JALR: to a head of this region if the target is one, else out."""
        if rel in self.far and rel != self.begun:
            self.set(rd, self.value(f"add i32 %home, {rel + 4}"), rel)
            self.finish(done)
            self.add(f"br label %{self.go(self.far[rel], rel, tested=True)}")
            return
        total = self.value(f"add i32 {self.get(rs1)}, {imm}")
        target = self.value(f"and i32 {total}, -2")
        odd = self.value(f"icmp ne i32 {self.value(f'and i32 {target}, 2')}, 0")
        aligned = self.label("aligned")
        out = self.leave(rel, done - 1)
        self.add(f"br i1 {odd}, label %{out}, label %{aligned}{_RARE}")
        self.place(aligned)
        self.set(rd, self.value(f"add i32 %home, {rel + 4}"), rel)
        self.finish(done)
        where = self.value(f"sub i32 {target}, %home")
        self.add(f"store i32 {where}, ptr %rel")
        returns = rd == 0 and rs1 in (1, 5)
        places = [head for head in self.heads if not returns or self._follows_call(head)]
        cases = " ".join(f"i32 {head}, label %{self.head(head)}" for head in places)
        self.add(f"switch i32 {where}, label %{'dispatch' if returns else 'exit'} [ {cases} ]")

    def _follows_call(self, rel: int) -> bool:
        word = self.words.get(rel - 4, 0)
        return word & 0x7F in (r.JAL, r.JALR) and (word >> 7) & 31 != 0

    # ---- memory -----------------------------------------------------------------------------

    def address(self, rel: int, rs1: int, imm: int, width: int, write: bool, done: int) -> str:
        """A pointer to the bytes at x[rs1] + imm; leaves the region if the TLB has no entry."""
        base = self.get(rs1)
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
        counter = self.value(f"getelementptr i32, ptr %cache, i64 {2 * CACHES + cache}")
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

    def lookup(self, tag: str, va: str, write: bool, out: str) -> str:
        """The TLB entry of `va`; to `out` if it is another page's or the access is misaligned."""
        number = self.value(f"and i32 {self.value(f'lshr i32 {va}, 12')}, {_TLB_SETS - 1}")
        if write:
            number = self.value(f"or i32 {number}, {_TLB_SETS}")
        wide = self.value(f"zext i32 {number} to i64")
        pointer = self.value(f"getelementptr i64, ptr %tlb, i64 {wide}")
        entry = self.value(f"load i64, ptr {pointer}")
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
