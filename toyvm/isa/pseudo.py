"""The pseudo-instructions: other spellings of one or more real instructions.

Source: RISC-V Assembly Programmer's Manual, "Pseudoinstructions"; Unprivileged ISA 20211203,
chapter 25, tables 25.2 and 25.3.

The assembler replaces a row's syntax by its expansion.  The disassembler goes the other way
for the rows with one line: the first row that fits wins, so the special ones stand first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .syntax import NAME, bind, split_syntax, substitute


@dataclass(frozen=True)
class Pseudo:
    """One spelling of a pseudo-instruction; a mnemonic may have several rows.

    ``expansion`` has the lines that take its place, with the operand names of ``syntax`` in
    them.  ``computed`` marks the rows whose lines the assembler must work out: the number of
    lines depends on a value (li) or one line refers to the address of another (la, call);
    their expansion shows the longest form.  ``shown`` is False if the disassembler never
    prints this spelling.
    """

    syntax: str
    expansion: tuple[str, ...]
    meaning: str
    computed: bool = False
    shown: bool = True

    @property
    def mnemonic(self) -> str:
        """The first word of the syntax."""
        return self.syntax.split(" ", 1)[0]

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """Names of the operands in the order of the syntax."""
        return tuple(NAME.findall(self.syntax.partition(" ")[2]))


def _loads() -> tuple[Pseudo, ...]:
    return tuple(
        Pseudo(
            f"{name} rd, symbol",
            ("auipc rd, %pcrel_hi(symbol)", f"{name} rd, %pcrel_lo(symbol)(rd)"),
            f"load from the address of symbol, as {name} does",
            computed=True,
        )
        for name in ("lb", "lh", "lw", "lbu", "lhu")
    )


def _stores() -> tuple[Pseudo, ...]:
    return tuple(
        Pseudo(
            f"{name} rs2, symbol, rt",
            ("auipc rt, %pcrel_hi(symbol)", f"{name} rs2, %pcrel_lo(symbol)(rt)"),
            f"store to the address of symbol, as {name} does; changes rt",
            computed=True,
        )
        for name in ("sb", "sh", "sw")
    )


PSEUDOS: tuple[Pseudo, ...] = (
    # Values and registers
    Pseudo("nop", ("addi zero, zero, 0",), "do nothing"),
    Pseudo(
        "li rd, imm", ("lui rd, %hi(imm)", "addi rd, rd, %lo(imm)"),
        "x[rd] = imm, any 32-bit value; one instruction where one is enough", computed=True,
    ),
    Pseudo("li rd, imm", ("addi rd, zero, imm",), "x[rd] = imm, -2048 to 2047", computed=True),
    Pseudo("mv rd, rs1", ("addi rd, rs1, 0",), "x[rd] = x[rs1]"),
    Pseudo("not rd, rs1", ("xori rd, rs1, -1",), "x[rd] = ~x[rs1]"),
    Pseudo("neg rd, rs2", ("sub rd, zero, rs2",), "x[rd] = -x[rs2]"),
    Pseudo("zext.b rd, rs1", ("andi rd, rs1, 255",), "x[rd] = x[rs1] & 0xff"),
    Pseudo(
        "sext.b rd, rs1", ("slli rd, rs1, 24", "srai rd, rd, 24"),
        "x[rd] = low byte of x[rs1], sign-extended",
    ),
    Pseudo(
        "zext.h rd, rs1", ("slli rd, rs1, 16", "srli rd, rd, 16"),
        "x[rd] = x[rs1] & 0xffff",
    ),
    Pseudo(
        "sext.h rd, rs1", ("slli rd, rs1, 16", "srai rd, rd, 16"),
        "x[rd] = low half of x[rs1], sign-extended",
    ),
    # Comparisons
    Pseudo("seqz rd, rs1", ("sltiu rd, rs1, 1",), "x[rd] = 1 if x[rs1] == 0 else 0"),
    Pseudo("snez rd, rs2", ("sltu rd, zero, rs2",), "x[rd] = 1 if x[rs2] != 0 else 0"),
    Pseudo("sltz rd, rs1", ("slt rd, rs1, zero",), "x[rd] = 1 if x[rs1] < 0 else 0"),
    Pseudo("sgtz rd, rs2", ("slt rd, zero, rs2",), "x[rd] = 1 if x[rs2] > 0 else 0"),
    Pseudo(
        "sgt rd, rs1, rs2", ("slt rd, rs2, rs1",),
        "x[rd] = 1 if x[rs1] > x[rs2] (signed) else 0", shown=False,
    ),
    Pseudo(
        "sgtu rd, rs1, rs2", ("sltu rd, rs2, rs1",),
        "x[rd] = 1 if x[rs1] > x[rs2] (unsigned) else 0", shown=False,
    ),
    # Branches
    Pseudo("beqz rs1, imm", ("beq rs1, zero, imm",), "branch if x[rs1] == 0"),
    Pseudo("bnez rs1, imm", ("bne rs1, zero, imm",), "branch if x[rs1] != 0"),
    Pseudo("blez rs2, imm", ("bge zero, rs2, imm",), "branch if x[rs2] <= 0"),
    Pseudo("bgez rs1, imm", ("bge rs1, zero, imm",), "branch if x[rs1] >= 0"),
    Pseudo("bltz rs1, imm", ("blt rs1, zero, imm",), "branch if x[rs1] < 0"),
    Pseudo("bgtz rs2, imm", ("blt zero, rs2, imm",), "branch if x[rs2] > 0"),
    Pseudo(
        "bgt rs1, rs2, imm", ("blt rs2, rs1, imm",),
        "branch if x[rs1] > x[rs2] (signed)", shown=False,
    ),
    Pseudo(
        "ble rs1, rs2, imm", ("bge rs2, rs1, imm",),
        "branch if x[rs1] <= x[rs2] (signed)", shown=False,
    ),
    Pseudo(
        "bgtu rs1, rs2, imm", ("bltu rs2, rs1, imm",),
        "branch if x[rs1] > x[rs2] (unsigned)", shown=False,
    ),
    Pseudo(
        "bleu rs1, rs2, imm", ("bgeu rs2, rs1, imm",),
        "branch if x[rs1] <= x[rs2] (unsigned)", shown=False,
    ),
    # Jumps and calls
    Pseudo("j imm", ("jal zero, imm",), "jump"),
    Pseudo("jal imm", ("jal ra, imm",), "call within 1 MiB"),
    Pseudo("ret", ("jalr zero, 0(ra)",), "return from a function"),
    Pseudo("jr rs1", ("jalr zero, 0(rs1)",), "jump to the address in rs1"),
    Pseudo("jr imm(rs1)", ("jalr zero, imm(rs1)",), "jump to an address relative to rs1"),
    Pseudo("jalr rs1", ("jalr ra, 0(rs1)",), "call the address in rs1"),
    Pseudo("jalr imm(rs1)", ("jalr ra, imm(rs1)",), "call an address relative to rs1"),
    Pseudo("jalr rd, rs1", ("jalr rd, 0(rs1)",), "call the address in rs1, linking in rd"),
    Pseudo(
        "jalr rd, rs1, imm", ("jalr rd, imm(rs1)",),
        "other spelling of jalr rd, imm(rs1)", shown=False,
    ),
    Pseudo(
        "call symbol", ("auipc ra, %pcrel_hi(symbol)", "jalr ra, %pcrel_lo(symbol)(ra)"),
        "call from any distance", computed=True,
    ),
    Pseudo(
        "call rd, symbol", ("auipc t1, %pcrel_hi(symbol)", "jalr rd, %pcrel_lo(symbol)(t1)"),
        "call from any distance, linking in rd; changes t1", computed=True,
    ),
    Pseudo(
        "tail symbol", ("auipc t1, %pcrel_hi(symbol)", "jalr zero, %pcrel_lo(symbol)(t1)"),
        "jump to any distance; changes t1", computed=True,
    ),
    # Addresses and global data
    Pseudo(
        "la rd, symbol", ("auipc rd, %pcrel_hi(symbol)", "addi rd, rd, %pcrel_lo(symbol)"),
        "x[rd] = address of symbol", computed=True,
    ),
    Pseudo(
        "lla rd, symbol", ("auipc rd, %pcrel_hi(symbol)", "addi rd, rd, %pcrel_lo(symbol)"),
        "x[rd] = address of symbol (of the same file)", computed=True,
    ),
    *_loads(),
    *_stores(),
    # Control and status registers
    Pseudo("unimp", ("csrrw zero, cycle, zero",), "an illegal instruction, for certain"),
    Pseudo("rdcycle rd", ("csrrs rd, cycle, zero",), "x[rd] = cycle, low half"),
    Pseudo("rdcycleh rd", ("csrrs rd, cycleh, zero",), "x[rd] = cycle, high half"),
    Pseudo("rdtime rd", ("csrrs rd, time, zero",), "x[rd] = time, low half"),
    Pseudo("rdtimeh rd", ("csrrs rd, timeh, zero",), "x[rd] = time, high half"),
    Pseudo("rdinstret rd", ("csrrs rd, instret, zero",), "x[rd] = instret, low half"),
    Pseudo("rdinstreth rd", ("csrrs rd, instreth, zero",), "x[rd] = instret, high half"),
    Pseudo("csrr rd, csr", ("csrrs rd, csr, zero",), "x[rd] = csr"),
    Pseudo("csrw csr, rs1", ("csrrw zero, csr, rs1",), "csr = x[rs1]"),
    Pseudo("csrs csr, rs1", ("csrrs zero, csr, rs1",), "csr = csr | x[rs1]"),
    Pseudo("csrc csr, rs1", ("csrrc zero, csr, rs1",), "csr = csr & ~x[rs1]"),
    Pseudo("csrwi csr, uimm", ("csrrwi zero, csr, uimm",), "csr = uimm"),
    Pseudo("csrsi csr, uimm", ("csrrsi zero, csr, uimm",), "csr = csr | uimm"),
    Pseudo("csrci csr, uimm", ("csrrci zero, csr, uimm",), "csr = csr & ~uimm"),
    # Fences
    Pseudo("fence", ("fence iorw, iorw",), "order all accesses"),
    Pseudo(
        "fence.tso", (".word 0x8330000f",),
        "order as total store order does: fence rw, rw, but not stores before loads",
    ),
    Pseudo("sfence.vma", ("sfence.vma zero, zero",), "forget all translations"),
    Pseudo(
        "sfence.vma rs1", ("sfence.vma rs1, zero",),
        "forget translations of the address x[rs1]",
    ),
)  # fmt: skip

BY_MNEMONIC: dict[str, tuple[Pseudo, ...]] = {
    name: tuple(p for p in PSEUDOS if p.mnemonic == name)
    for name in dict.fromkeys(p.mnemonic for p in PSEUDOS)
}
"""All rows of each mnemonic, in the order of the table."""


def find(mnemonic: str, operands: Sequence[str]) -> tuple[Pseudo, dict[str, str]] | None:
    """The row for these operand texts, and the text of each operand by name; None if no row.

    Try the real instruction's syntax first (``bind(insn.syntax, operands)``): a mnemonic such
    as jalr or lw is both.
    """
    for row in BY_MNEMONIC.get(mnemonic, ()):
        values = bind(row.syntax, operands)
        if values is not None:
            return row, values
    return None


def expand(mnemonic: str, operands: Sequence[str]) -> tuple[str, ...] | None:
    """The lines that take the place of a pseudo-instruction; None if it is not one.

    Rows marked ``computed`` give their lines with the symbol in them, to be worked out.
    """
    found = find(mnemonic, operands)
    if found is None:
        return None
    row, values = found
    return tuple(substitute(line, values) for line in row.expansion)


def single_lines() -> list[tuple[Pseudo, str, list[str]]]:
    """(row, mnemonic, operand texts) of the one-line rows that the disassembler may print."""
    return [
        (row, *split_syntax(row.expansion[0]))
        for row in PSEUDOS
        if row.shown and len(row.expansion) == 1
    ]
