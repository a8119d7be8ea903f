"""A small encoder for test programs, independent of the project's assembler.

``Asm`` collects instruction words; labels are resolved by ``words()``::

    a = Asm(0x80000000)
    a.li(5, 10)
    a.label("loop")
    a.addi(5, 5, -1)
    a.bne(5, 0, "loop")

Registers are numbers.  A branch or jump target is a label or a byte distance.
The field layouts are those of the unprivileged manual, figure 2.4.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

MASK32 = 0xFFFF_FFFF

R_TYPE = {
    name: (funct7, funct3, 0x33)
    for name, funct7, funct3 in (
        ("add", 0, 0),
        ("sub", 0x20, 0),
        ("sll", 0, 1),
        ("slt", 0, 2),
        ("sltu", 0, 3),
        ("xor", 0, 4),
        ("srl", 0, 5),
        ("sra", 0x20, 5),
        ("or_", 0, 6),
        ("and_", 0, 7),
        ("mul", 1, 0),
        ("mulh", 1, 1),
        ("mulhsu", 1, 2),
        ("mulhu", 1, 3),
        ("div", 1, 4),
        ("divu", 1, 5),
        ("rem", 1, 6),
        ("remu", 1, 7),
    )
}
I_TYPE = {
    "addi": (0, 0x13),
    "slti": (2, 0x13),
    "sltiu": (3, 0x13),
    "xori": (4, 0x13),
    "ori": (6, 0x13),
    "andi": (7, 0x13),
    "jalr": (0, 0x67),
}
SHIFTS = {"slli": (0, 1), "srli": (0, 5), "srai": (0x20, 5)}
LOADS = {"lb": 0, "lh": 1, "lw": 2, "lbu": 4, "lhu": 5}
STORES = {"sb": 0, "sh": 1, "sw": 2}
BRANCHES = {"beq": 0, "bne": 1, "blt": 4, "bge": 5, "bltu": 6, "bgeu": 7}
AMOS = {
    "amoadd": 0x00,
    "amoswap": 0x01,
    "amoxor": 0x04,
    "amoor": 0x08,
    "amoand": 0x0C,
    "amomin": 0x10,
    "amomax": 0x14,
    "amominu": 0x18,
    "amomaxu": 0x1C,
}
CSR_OPS = {"csrrw": 1, "csrrs": 2, "csrrc": 3, "csrrwi": 5, "csrrsi": 6, "csrrci": 7}
WHOLE = {
    "ecall": 0x0000_0073,
    "ebreak": 0x0010_0073,
    "sret": 0x1020_0073,
    "mret": 0x3020_0073,
    "wfi": 0x1050_0073,
    "fence": 0x0FF0_000F,
    "fence_i": 0x0000_100F,
    "nop": 0x0000_0013,
}


def r_type(funct7: int, rs2: int, rs1: int, funct3: int, rd: int, opcode: int) -> int:
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def i_type(imm: int, rs1: int, funct3: int, rd: int, opcode: int) -> int:
    if not -2048 <= imm < 4096:
        raise ValueError(f"immediate {imm} does not fit in 12 bits")
    return (imm & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def s_type(imm: int, rs2: int, rs1: int, funct3: int, opcode: int) -> int:
    if not -2048 <= imm < 2048:
        raise ValueError(f"immediate {imm} does not fit in 12 bits")
    return (imm >> 5 & 0x7F) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | opcode


def b_type(distance: int, rs2: int, rs1: int, funct3: int) -> int:
    if not -4096 <= distance < 4096 or distance & 1:
        raise ValueError(f"branch distance {distance} is not even or out of reach")
    return (
        (distance >> 12 & 1) << 31
        | (distance >> 5 & 0x3F) << 25
        | rs2 << 20
        | rs1 << 15
        | funct3 << 12
        | (distance >> 1 & 0xF) << 8
        | (distance >> 11 & 1) << 7
        | 0x63
    )


def j_type(distance: int, rd: int) -> int:
    if not -(1 << 20) <= distance < 1 << 20 or distance & 1:
        raise ValueError(f"jump distance {distance} is not even or out of reach")
    return (
        (distance >> 20 & 1) << 31
        | (distance >> 1 & 0x3FF) << 21
        | (distance >> 11 & 1) << 20
        | (distance >> 12 & 0xFF) << 12
        | rd << 7
        | 0x6F
    )


class Asm:
    """Instruction words from ``base`` on, with labels."""

    def __init__(self, base: int = 0x8000_0000) -> None:
        self.base = base
        self._items: list[int | Callable[[int], int]] = []
        self.labels: dict[str, int] = {}

    @property
    def here(self) -> int:
        """Address of the next word."""
        return self.base + 4 * len(self._items)

    def label(self, name: str) -> None:
        """Name the next word's address."""
        if name in self.labels:
            raise ValueError(f"label {name} is defined twice")
        self.labels[name] = self.here

    def word(self, *values: int) -> None:
        """Words as they are."""
        for value in values:
            self._items.append(value & MASK32)

    def pad_to(self, address: int) -> None:
        """Fill with zero words up to ``address``."""
        if address < self.here:
            raise ValueError(f"already at {self.here:#x}, past {address:#x}")
        self.word(*[0] * ((address - self.here) // 4))

    def words(self) -> list[int]:
        """All words, labels resolved."""
        return [
            item if isinstance(item, int) else item(self.base + 4 * i)
            for i, item in enumerate(self._items)
        ]

    def image(self) -> bytes:
        """All words as little-endian bytes."""
        words = self.words()
        return struct.pack(f"<{len(words)}I", *words)

    def _distance(self, target: str | int, at: int) -> int:
        return self.labels[target] - at if isinstance(target, str) else target

    # ---- instructions that are not in a table ----------------------------------------

    def lui(self, rd: int, upper: int) -> None:
        self.word((upper & 0xFFFFF) << 12 | rd << 7 | 0x37)

    def auipc(self, rd: int, upper: int) -> None:
        self.word((upper & 0xFFFFF) << 12 | rd << 7 | 0x17)

    def jal(self, rd: int, target: str | int) -> None:
        self._items.append(lambda at: j_type(self._distance(target, at), rd))

    def j(self, target: str | int) -> None:
        self.jal(0, target)

    def lr(self, rd: int, rs1: int, aqrl: int = 0) -> None:
        self.word(r_type(0x02 << 2 | aqrl, 0, rs1, 2, rd, 0x2F))

    def sc(self, rd: int, rs1: int, rs2: int, aqrl: int = 0) -> None:
        self.word(r_type(0x03 << 2 | aqrl, rs2, rs1, 2, rd, 0x2F))

    def sfence_vma(self, rs1: int = 0, rs2: int = 0) -> None:
        self.word(r_type(0x09, rs2, rs1, 0, 0, 0x73))

    def li(self, rd: int, value: int) -> None:
        """Load a 32-bit constant in one or two words."""
        value &= MASK32
        low = (value & 0xFFF) - (0x1000 if value & 0x800 else 0)
        high = (value - low) >> 12 & 0xFFFFF
        if high:
            self.lui(rd, high)
            if low:
                self.addi(rd, rd, low)
        else:
            self.addi(rd, 0, low)

    def la(self, rd: int, label: str) -> None:
        """The absolute address of a label, always two words."""

        def upper(at: int) -> int:
            return (self.labels[label] + 0x800 >> 12 & 0xFFFFF) << 12 | rd << 7 | 0x37

        def lower(at: int) -> int:
            low = self.labels[label] & 0xFFF
            return i_type(low - (0x1000 if low & 0x800 else 0), rd, 0, rd, 0x13)

        self._items.extend((upper, lower))

    def csrw(self, csr: int, rs1: int) -> None:
        self.csrrw(0, csr, rs1)

    def csrr(self, rd: int, csr: int) -> None:
        self.csrrs(rd, csr, 0)

    # ---- table-driven instructions -----------------------------------------------------

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name in R_TYPE:
            return partial(self._r, *R_TYPE[name])
        if name in I_TYPE:
            return partial(self._i, *I_TYPE[name])
        if name in SHIFTS:
            return partial(self._shift, *SHIFTS[name])
        if name in LOADS:
            return partial(self._load, LOADS[name])
        if name in STORES:
            return partial(self._store, STORES[name])
        if name in BRANCHES:
            return partial(self._branch, BRANCHES[name])
        if name in AMOS:
            return partial(self._amo, AMOS[name])
        if name in CSR_OPS:
            return partial(self._csr, CSR_OPS[name])
        if name in WHOLE:
            return partial(self.word, WHOLE[name])
        raise AttributeError(f"no instruction called {name}")

    def op(self, name: str, *operands: Any) -> None:
        """The instruction called ``name``, for generators that choose one."""
        getattr(self, name)(*operands)

    def _r(self, funct7: int, funct3: int, opcode: int, rd: int, rs1: int, rs2: int) -> None:
        self.word(r_type(funct7, rs2, rs1, funct3, rd, opcode))

    def _i(self, funct3: int, opcode: int, rd: int, rs1: int, imm: int) -> None:
        self.word(i_type(imm, rs1, funct3, rd, opcode))

    def _shift(self, funct7: int, funct3: int, rd: int, rs1: int, shamt: int) -> None:
        self.word(r_type(funct7, shamt & 31, rs1, funct3, rd, 0x13))

    def _load(self, funct3: int, rd: int, imm: int, rs1: int) -> None:
        """As written in assembly: lw(rd, imm, rs1) is ``lw rd, imm(rs1)``."""
        self.word(i_type(imm, rs1, funct3, rd, 0x03))

    def _store(self, funct3: int, rs2: int, imm: int, rs1: int) -> None:
        self.word(s_type(imm, rs2, rs1, funct3, 0x23))

    def _branch(self, funct3: int, rs1: int, rs2: int, target: str | int) -> None:
        self._items.append(lambda at: b_type(self._distance(target, at), rs2, rs1, funct3))

    def _amo(self, funct5: int, rd: int, rs1: int, rs2: int, aqrl: int = 0) -> None:
        """amoadd(rd, rs1, rs2) is ``amoadd.w rd, rs2, (rs1)``."""
        self.word(r_type(funct5 << 2 | aqrl, rs2, rs1, 2, rd, 0x2F))

    def _csr(self, funct3: int, rd: int, csr: int, operand: int) -> None:
        self.word(csr << 20 | operand << 15 | funct3 << 12 | rd << 7 | 0x73)
