"""Every operand form that GNU as 2.40 takes for RV32IMA, Zicsr, Zifencei and the privileged
instructions, written from its opcode table (opcodes/riscv-opc.c), not from ours.

{r} is a register, {i} a signed 12-bit number, {u} a 20-bit one, {h} a shift amount,
{z} a 5-bit number, {c} a CSR, {f} a fence set, {b} a near label, {s} any symbol.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

REGISTERS = (
    [f"x{n}" for n in range(32)] + ["zero", "ra", "sp", "gp", "tp", "fp"]
    + [f"t{n}" for n in range(7)] + [f"s{n}" for n in range(12)] + [f"a{n}" for n in range(8)]
)  # fmt: skip
CSRS = (
    "mstatus misa medeleg mideleg mie mtvec mcounteren mscratch mepc mcause mtval mip sstatus "
    "sie stvec scounteren sscratch sepc scause stval sip satp cycle time instret cycleh timeh "
    "instreth mcycle minstret mcycleh minstreth mhartid mvendorid marchid mimpid pmpcfg0 pmpcfg3 "
    "pmpaddr0 pmpaddr15 mcountinhibit menvcfg senvcfg mhpmcounter3 hpmcounter31 mhpmevent3 tselect "
    "tdata1 0x300 0 4095 0xc00"
).split()
FENCES = [
    "i",
    "o",
    "r",
    "w",
    "io",
    "ir",
    "iw",
    "or",
    "ow",
    "rw",
    "ior",
    "iow",
    "irw",
    "orw",
    "iorw",
]
IMMEDIATES = ["0", "1", "-1", "2047", "-2048", "0x7ff", "0xffffffff", "0xfffff800", "017", "0b101",
              "'a'", "1+2*3", "~0", "-(4+4)", "(8)", "1<<10", "K", "K+1", "-K"]  # fmt: skip
UPPER = ["0", "1", "0xfffff", "0x80000", "1048575", "K", "%hi(data)", "%hi(data+0x800)",
         "%hi(0x12345fff)"]  # fmt: skip

_ALU = "add sub sll slt sltu xor srl sra or and mul mulh mulhsu mulhu div divu rem remu".split()
_ALUI = "addi slti sltiu xori ori andi".split()
_LOADS = "lb lh lw lbu lhu".split()
_STORES = "sb sh sw".split()
_BRANCHES = "beq bne blt bge bltu bgeu bgt ble bgtu bleu".split()
_BRANCHES_ZERO = "beqz bnez blez bgez bltz bgtz".split()
_AMO = [f"amo{n}.w" for n in ("swap", "add", "xor", "and", "or", "min", "max", "minu", "maxu")]
_ORDERS = ("", ".aq", ".rl", ".aqrl")

TEMPLATES: list[str] = [
    *(f"{m} {{r}}, {{r}}, {{r}}" for m in _ALU),
    *(f"{m} {{r}}, {{r}}, {{i}}" for m in _ALUI),
    *(f"{m} {{r}}, {{r}}, {{i}}" for m in ("add", "slt", "sltu", "xor", "or", "and")),
    *(f"{m} {{r}}, {{r}}, {{h}}" for m in ("slli", "srli", "srai", "sll", "srl", "sra")),
    *(f"{m} {{r}}, {{i}}({{r}})" for m in _LOADS + _STORES),
    *(f"{m} {{r}}, ({{r}})" for m in _LOADS + _STORES),
    *(f"{m} {{r}}, %lo(data+4)({{r}})" for m in _LOADS + _STORES),
    *(f"{m} {{r}}, {{s}}" for m in _LOADS),
    *(f"{m} {{r}}, {{s}}, {{r}}" for m in _STORES),
    *(f"{m} {{r}}, {{r}}, {{b}}" for m in _BRANCHES),
    *(f"{m} {{r}}, {{b}}" for m in _BRANCHES_ZERO),
    *(f"{m} {{r}}, {{r}}, {{r}}" for m in ("sgt", "sgtu")),
    *(f"{m} {{r}}, {{r}}" for m in ("mv", "move", "not", "neg", "seqz", "snez", "sltz", "sgtz",
                                    "zext.b", "sext.b", "zext.h", "sext.h")),
    "addi {r}, {r}, %lo(data)", "lui {r}, {u}", "auipc {r}, {p}",
    "j {b}", "jal {b}", "jal {r}, {b}", "jr {r}", "jr {i}({r})", "jr ({r})", "jr {r}, {i}",
    "jalr {r}", "jalr {i}({r})", "jalr ({r})", "jalr {r}, {i}", "jalr {r}, {r}",
    "jalr {r}, {i}({r})", "jalr {r}, ({r})", "jalr {r}, {r}, {i}", "ret",
    "call {s}", "call {r}, {s}", "tail {s}", "jump {s}, {r}", "la {r}, {s}", "lla {r}, {s}",
    "li {r}, {l}", "la {r}, {l}", "nop", "unimp", "ebreak", "ecall", "sbreak", "scall",
    "fence", "fence {f}, {f}", "fence.i", "fence.tso",
    "mret", "sret", "wfi", "sfence.vma", "sfence.vma {r}", "sfence.vma {r}, {r}",
    *(f"{m} {{r}}" for m in ("rdcycle", "rdcycleh", "rdtime", "rdtimeh", "rdinstret",
                             "rdinstreth")),
    "csrr {r}, {c}", *(f"{m} {{c}}, {{r}}" for m in ("csrw", "csrs", "csrc")),
    *(f"{m} {{c}}, {{z}}" for m in ("csrw", "csrs", "csrc", "csrwi", "csrsi", "csrci")),
    *(f"{m} {{r}}, {{c}}, {{r}}" for m in ("csrrw", "csrrs", "csrrc")),
    *(f"{m} {{r}}, {{c}}, {{z}}" for m in ("csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi",
                                           "csrrci")),
    *(f"lr.w{o} {{r}}, ({{r}})" for o in _ORDERS), "lr.w {r}, 0({r})",
    *(f"{m}{o} {{r}}, {{r}}, ({{r}})" for m in [*_AMO, "sc.w"] for o in _ORDERS),
    "amoadd.w {r}, {r}, 0({r})",
]  # fmt: skip

LI_VALUES = [
    0, 1, -1, 2047, 2048, -2048, -2049, 4095, 4096, 0x7FF, 0x800, 0xFFF, 0x1000, 0x7FFFF7FF,
    0x7FFFF800, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFF7FF, 0xFFFFF800, -0x80000000,
    0x12345678, 0x87654321, 0xDEADBEEF, 0x12345800, 0x123457FF, 0x80000800, 0xFFFFF000,
]  # fmt: skip


def fill(template: str, rng: random.Random) -> str:
    """One statement of the template's form with random operands."""
    choices = {
        "{r}": lambda: rng.choice(REGISTERS),
        "{i}": lambda: rng.choice([*IMMEDIATES, str(rng.randint(-2048, 2047))]),
        "{u}": lambda: rng.choice([*UPPER, hex(rng.randrange(1 << 20))]),
        "{p}": lambda: rng.choice(["0", "0xfffff", hex(rng.randrange(1 << 20))]),
        "{h}": lambda: str(rng.randint(0, 31)),
        "{z}": lambda: rng.choice(["0", "31", "K-100+5", str(rng.randint(0, 31))]),
        "{c}": lambda: rng.choice(CSRS),
        "{f}": lambda: rng.choice(FENCES),
        "{b}": lambda: rng.choice(["1b", "1f", ".", ".+8", "near", "near+4", ". - 4"]),
        "{s}": lambda: rng.choice(["data", "data+4", "far_label", "near", "data-8", "shared"]),
        "{l}": lambda: rng.choice(
            [str(rng.choice(LI_VALUES)), hex(rng.randrange(1 << 32)), "K", "~K", "K<<12"]
        ),
    }
    out = template
    for key, choose in choices.items():
        while key in out:
            out = out.replace(key, choose(), 1)
    return out


def program(statements: Iterator[str] | list[str]) -> str:
    """A whole source around statements: the symbols that they use, labels among them."""
    lines = [".globl _start", ".equ K, 100", "_start:", "1: nop", "near: nop"]
    for i, statement in enumerate(statements):
        if i % 40 == 0 and i:
            lines.append("1:")
        # A label on every statement: a difference in size shows where it begins.
        lines.append(f"n{i:05}: {statement}")
    lines += ["1: nop", ".data", ".space 0x7fc", "data: .word 1, 2, 3", ".globl shared",
              "shared: .word 4", '.section .text.far, "ax"', "far_label: ret"]  # fmt: skip
    return "\n".join(lines) + "\n"
