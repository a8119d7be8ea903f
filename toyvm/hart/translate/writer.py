"""The pieces that LLVM IR of a region is put together from: values, registers, arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from toyvm.hart.translate import region as r

MEMORY: Final = "%m"
"""Name, before a register's number, of a pointer to it."""
VARIABLES: Final = "%x"
"""The same for a variable of the region, which LLVM makes values of."""
COLD: Final = ", !prof !0"
"""After a branch whose first way is the usual one."""
_USUAL: Final = ", !prof !2"
WEIGHTS: Final = """
!0 = !{!"branch_weights", i32 10000, i32 1}
!1 = !{!"branch_weights", i32 1, i32 10000}
!2 = !{!"branch_weights", i32 64, i32 1}
"""
_PLAIN: Final = {0: "add", 4: "xor", 6: "or", 7: "and"}


Known = tuple[dict[int, str], dict[int, int]]
"""Values of registers, and where they were made."""


class Writer:
    """Lines of IR, and what is known of the guest's registers in the block that is written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.serial = 0
        # Of the block that is being written:
        self.values: dict[int, str] = {}
        self.changed: set[int] = set()
        self.made_at: dict[int, int] = {}
        self.begun = 0

    # ---- lines ------------------------------------------------------------------------------

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

    def branch_unless(self, test: str, otherwise: str, label: str) -> None:
        """To `otherwise`, which is rare, if `test` is false; else to `label`."""
        self.add(f"br i1 {test}, label %{label}, label %{otherwise}{_USUAL}")

    # ---- registers --------------------------------------------------------------------------

    @property
    def home(self) -> str:
        """Where the registers are between blocks: in MEMORY or in VARIABLES."""
        return MEMORY

    def begin(self, rel: int, label: str, before: Known | None = None) -> None:
        """Begin the block of `rel`.

        `before` is what is known of the registers, where that is the same on every way here.
        """
        self.place(label)
        values, made_at = before or ({}, {})
        self.values = dict(values)
        self.made_at = dict(made_at)
        self.changed = set()
        self.begun = rel

    def get(self, register: int) -> str:
        if register == 0:
            return "0"
        if register not in self.values:
            self.values[register] = self.value(f"load i32, ptr {self.home}{register}")
        return self.values[register]

    def set(self, register: int, value: str, rel: int) -> None:
        if register:
            self.values[register] = value
            self.changed.add(register)
            self.made_at[register] = rel

    def store_changed(self) -> list[str]:
        """Lines that bring the registers up to date where they are between blocks."""
        return [f"  store i32 {self.values[i]}, ptr {self.home}{i}" for i in sorted(self.changed)]

    def move(self, registers: Iterable[int], source: str, to: str) -> list[str]:
        """Lines that copy registers between MEMORY and VARIABLES."""
        lines = []
        for i in registers:
            self.serial += 1
            lines.append(f"  %v{self.serial} = load i32, ptr {source}{i}")
            lines.append(f"  store i32 %v{self.serial}, ptr {to}{i}")
        return lines

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

    # ---- arithmetic -------------------------------------------------------------------------

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
