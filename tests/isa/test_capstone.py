"""The disassembler against Capstone, over every opcode and function code."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.isa.words import all_functions, all_system, instructions
from toyvm.isa.csr import BY_NUMBER
from toyvm.isa.disasm import disasm
from toyvm.isa.registers import NUMBERS

capstone = pytest.importorskip("capstone", reason="Capstone is not installed")

PC = 0x8000_0000

# What Capstone knows and this machine does not have.
FLOAT = re.compile(r"f(?!ence)[a-z.]+$")
RV64_SHIFTS = ("slli", "srli", "srai")
USER_TRAPS = ("uret",)

# CSR names that Capstone knows and this machine does not have: floating point (1, 2, 3), the
# withdrawn N extension (0, 4, 5, 0x40 to 0x44), its delegation (0x102, 0x103) and debug mode.
OTHER_CSRS = {
    "fflags": 0x001, "frm": 0x002, "fcsr": 0x003,
    "ustatus": 0x000, "uie": 0x004, "utvec": 0x005, "uscratch": 0x040, "uepc": 0x041,
    "ucause": 0x042, "utval": 0x043, "uip": 0x044, "sedeleg": 0x102, "sideleg": 0x103,
    "dcsr": 0x7B0, "dpc": 0x7B1, "dscratch": 0x7B2,
}  # fmt: skip

# Capstone's own mnemonics for the floating-point CSRs.
FLOAT_CSRS = re.compile(r"f[rs](flags|rm|csr)i?$")

# Capstone has these two the wrong way round: pmpaddr0 is 0x3b0 (table 2.5), so 13 is 0x3bd.
SWAPPED_CSRS = {"pmpaddr14": 0x3BD, "pmpaddr13": 0x3BE}

CSR_NAMES = {row.name: row.number for row in BY_NUMBER.values()}
CAPSTONE_CSR_NAMES = CSR_NAMES | OTHER_CSRS | SWAPPED_CSRS
CSR_USERS = re.compile(r"csr[a-z]+$")

Tokens = tuple[str | int, ...]


def tokens(text: str) -> Tokens:
    """The words and numbers of a line: registers and mnemonics as text, numbers as integers."""
    found: list[str | int] = []
    for word in re.findall(r"-?[\w.]+", text):
        try:
            found.append(int(word, 0))
        except ValueError:
            found.append(word)
    return tuple(found)


def with_csr_numbers(line: Tokens, names: dict[str, int]) -> Tokens:
    """The line with CSR names as numbers."""
    if CSR_USERS.match(str(line[0])):
        return (line[0], *(names.get(t, t) if isinstance(t, str) else t for t in line[1:]))
    return line


def ours(word: int) -> Tokens:
    """Our line, to be compared with ``theirs``."""
    return with_csr_numbers(tokens(disasm(word, PC)), CSR_NAMES)


def theirs(mnemonic: str, operands: str) -> Tokens:
    """Capstone's line, respelled as ours; each case is one difference in spelling."""
    line = (mnemonic, *tokens(operands)) if operands else (mnemonic,)
    match line:
        # Targets are relative to the instruction; ours are absolute.
        case ("j" | "jal" | "beq" | "bne" | "blt" | "bge" | "bltu" | "bgeu", *rest, int(offset)):
            return (mnemonic, *rest, (PC + offset) & 0xFFFF_FFFF)
        case ("beqz" | "bnez" | "blez" | "bgez" | "bltz" | "bgtz", str(rs), int(offset)):
            return (mnemonic, rs, (PC + offset) & 0xFFFF_FFFF)
        # li is not used, and mv is used for x0.
        case ("addi", str(rd), "zero", int(value)):
            return ("li", rd, value)
        case ("mv", str(rd), "zero"):
            return ("li", rd, 0)
        # zext.b is not used.
        case ("andi", str(rd), str(rs), 255):
            return ("zext.b", rd, rs)
        # jalr has three operands, and jr and jalr no short form with an offset.
        case ("jalr", "zero", str(rs), int(offset)):
            return ("jr", offset, rs)
        case ("jalr", "ra", str(rs), int(offset)):
            return ("jalr", offset, rs)
        case ("jalr", str(rd), str(rs), 0):
            return ("jalr", rd, rs)
        case ("jalr", str(rd), str(rs), int(offset)):
            return ("jalr", rd, offset, rs)
        # An empty set of accesses.
        case ("fence", pred, succ):
            return ("fence", *(0 if s == "unknown" else s for s in (pred, succ)))
    return with_csr_numbers(line, CAPSTONE_CSR_NAMES)


def respell_float_csr(word: int) -> Tokens:
    """A CSR instruction on fflags, frm or fcsr, for which Capstone has own mnemonics.

    Our text is compared with the bits of the word, as chapter 9 lays them out.
    """
    rd, rs1, number = word >> 7 & 31, word >> 15 & 31, word >> 20
    names = {v: k for k, v in NUMBERS.items() if k != "fp" and not re.match(r"x\d", k)}
    source: str | int = rs1 if word >> 14 & 1 else names[rs1]
    suffix = "i" if word >> 14 & 1 else ""
    kind = "wsc"[(word >> 12 & 3) - 1]
    if kind == "s" and not suffix and rs1 == 0:
        return ("csrr", names[rd], number)
    if rd == 0:
        return (f"csr{kind}{suffix}", number, source)
    return (f"csrr{kind}{suffix}", names[rd], number, source)


def compare(words: Iterable[int]) -> int:
    """Compare all the words; returns how many of them are instructions."""
    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32)
    differences, known = [], 0
    for word in words:
        found = next(engine.disasm_lite(word.to_bytes(4, "little"), PC), None)
        line = ours(word)
        mine = line[0] != ".word"
        known += mine
        if found is None:
            # Both show a fence with reserved fields as data.
            agree = not mine
        elif not mine:
            name = found[2]
            shift64 = name in RV64_SHIFTS and bool(word >> 25 & 1)
            agree = bool(FLOAT.match(name)) or shift64 or name in USER_TRAPS
        elif FLOAT_CSRS.match(found[2]):
            agree = line == respell_float_csr(word)
        else:
            agree = line == theirs(found[2], found[3])
        if not agree:
            differences.append((f"{word:#010x}", line, found))
    assert not differences, differences[:20]
    return known


def test_every_opcode_and_function_code() -> None:
    known = compare(all_functions(samples=2, seed=1))
    # 30 rows besides the fences fix no more than opcode and funct3: each has at least the 128
    # words without registers here, so the comparison has met instructions in plenty.
    assert known > 30 * 128


def test_every_word_of_the_system_opcode() -> None:
    # ecall, ebreak, sret, wfi, mret and the 32 sfence.vma with rs1 = x0.
    assert compare(all_system()) == 5 + 32


def test_every_instruction_with_sampled_operands() -> None:
    compare(instructions(samples=300, seed=2))


def test_every_csr_in_every_csr_instruction() -> None:
    functions = (1, 2, 3, 5, 6, 7)
    words = [
        number << 20 | registers | funct3 << 12 | 0x73
        for number in range(4096)
        for funct3 in functions
        for registers in (10 << 7 | 11 << 15, 0, 31 << 7, 31 << 15)
    ]
    assert compare(words) == 4096 * len(functions) * 4


def test_every_fence() -> None:
    # fm = 0 with every pair of sets, and fence.tso; all others are reserved.
    known = compare(high << 20 | 0x0F for high in range(4096))
    assert known >= 256


def test_every_atomic_with_every_source_register() -> None:
    words = [
        funct7 << 25 | rs2 << 20 | 12 << 15 | 2 << 12 | 10 << 7 | 0x2F
        for funct7 in range(128)
        for rs2 in range(32)
    ]
    # Nine amo instructions and sc with all registers, lr with rs2 = x0; each in four orders.
    assert compare(words) == 4 * (10 * 32 + 1)


def test_every_register_in_every_place() -> None:
    fixed = (0x33, 0x40000033, 0x13, 0x03, 0x2023, 0x63, 0x67, 0x73 | 2 << 12 | 0x340 << 20)
    words = [
        word | a << 7 | b << 15 | (c << 20 if word & 0x7F in (0x33, 0x23, 0x63) else 0)
        for word in fixed
        for a in range(32)
        for b in range(32)
        for c in (0, 1, 7, 31)
    ]
    assert compare(words) == len(words)
