"""Every mnemonic with every shape of operands: GNU as and we take the same ones, with the same
bytes.

The mnemonics are all that GNU as 2.40 knows for RV32IMA, Zicsr, Zifencei and the privileged
instructions.  Which operands each takes is not written down here: all combinations are tried.
"""

from __future__ import annotations

import re
from itertools import product

from assembler import AssemblyError, Limits, Source, assemble

from .gnu import GNU_SOURCE, differences, gnu_errors, gnu_link, needs_gnu, read_program

ALU = "add sub sll slt sltu xor srl sra or and mul mulh mulhsu mulhu div divu rem remu".split()
MNEMONICS: tuple[str, ...] = (
        *ALU, *"addi slti sltiu xori ori andi slli srli srai lui auipc".split(),
        *"lb lh lw lbu lhu sb sh sw jal jalr beq bne blt bge bltu bgeu".split(),
        *"fence fence.i fence.tso ecall ebreak mret sret wfi sfence.vma".split(),
        *"csrrw csrrs csrrc csrrwi csrrsi csrrci csrr csrw csrs csrc csrwi csrsi csrci".split(),
        *"rdcycle rdcycleh rdtime rdtimeh rdinstret rdinstreth unimp nop li la lla mv move".split(),
        *"not neg seqz snez sltz sgtz sgt sgtu zext.b zext.h sext.b sext.h".split(),
        *"beqz bnez blez bgez bltz bgtz bgt ble bgtu bleu j jr ret call tail jump".split(),
        *"scall sbreak uret hret dret sfence.vm la.tls.gd la.tls.ie".split(),
        *(f"{name}{order}" for name in ("lr.w", "sc.w", "amoadd.w", "amoswap.w", "amoxor.w",
          "amoand.w", "amoor.w", "amomin.w", "amomax.w", "amominu.w", "amomaxu.w")
          for order in ("", ".aq", ".rl", ".aqrl")),
)  # fmt: skip
ANYTHING = ("a0", "5", "-1", "sym", "8(sp)", "(sp)", "%lo(sym)", "%lo(sym)(sp)", "%hi(sym)",
            "mstatus", "rw", "sym+4", "K")  # fmt: skip
OFTEN = ("a0", "5", "sym", "8(sp)", "(sp)", "mstatus")
HEAD = [".equ K, 100", ".globl _start", "_start: sym: rw: mstatus: nop"]

# What we refuse on purpose, with the reason (docs/assembler.md lists them).
REGISTER = re.compile(r"(?:a0|\(sp\))(?:, a0)?$")
WITHDRAWN = ("uret", "hret", "dret", "sfence.vm", "la.tls.gd", "la.tls.ie")


def lines() -> list[str]:
    """Every mnemonic with every combination: two operands of all kinds, three of the usual."""
    shapes = [(), *product(ANYTHING), *product(ANYTHING, repeat=2), *product(OFTEN, repeat=3)]
    shapes += product(("a0", "5"), repeat=4)
    return [f"{m} {', '.join(s)}".rstrip() for m in MNEMONICS for s in shapes]


def our_errors(statements: list[str]) -> dict[int, str]:
    """The first error of each statement, by its index."""
    limits = Limits(errors=10**6)
    text = "\n".join([*HEAD, *statements]) + "\n"
    try:
        assemble(Source("a.s", text), limits=limits)
    except AssemblyError as error:
        return {d.line - len(HEAD) - 1: d.message for d in reversed(error.errors)}
    return {}


def reason(line: str) -> str:
    """Why GNU as and we may differ about a line; "" if they may not."""
    mnemonic, _, operands = line.partition(" ")
    if mnemonic in WITHDRAWN:
        return "not of this machine"
    if mnemonic in ("j", "jal", "call", "tail") and not operands:
        return "a missing target"
    if REGISTER.search(operands):
        return "a register is not a symbol"
    return ""


@needs_gnu
def test_the_same_operands_are_taken_and_give_the_same_bytes(tmp_path):
    every = lines()
    theirs = gnu_errors(tmp_path, HEAD, every)
    mine = our_errors(every)
    wrong, met = [], set()
    for i, line in enumerate(every):
        if (i in theirs) == (i in mine):
            continue
        why = reason(line)
        met.add(why)
        if not why or i in theirs:
            wrong.append((line, theirs.get(i), mine.get(i)))
    assert wrong == []
    assert met == {"not of this machine", "a register is not a symbol", "a missing target"}
    both = [line for i, line in enumerate(every) if i not in theirs and i not in mine]
    # Branches and jumps to odd addresses are for the linkers to refuse, as both do.
    both = [line for line in both if not re.match(r"(?:b[a-z]+|j|jal) (?:.*, )?(?:5|-1)$", line)]
    assert len(both) > 2 * len(MNEMONICS)
    text = "\n".join([*HEAD, *(f"n{i}: {line}" for i, line in enumerate(both))]) + "\n"
    # At address 0, so that numbers are within reach of branches.
    ours = read_program(assemble(Source(GNU_SOURCE, text), text_base=0).to_elf())
    assert differences(ours, gnu_link(tmp_path, {GNU_SOURCE: text}, base=0)) == []


@needs_gnu
def test_csr_names_of_other_machines_have_gnus_numbers(tmp_path):
    from toyvm.isa.csr_elsewhere import ELSEWHERE

    text = "\n".join([*HEAD, *(f"csrr a0, {name}" for name in ELSEWHERE)]) + "\n"
    image = assemble(
        Source(GNU_SOURCE, text), limits=Limits(warnings=1000), warnings=["no-unused-label"]
    )
    gnu = gnu_link(tmp_path, {GNU_SOURCE: text})
    assert differences(read_program(image.to_elf()), gnu) == []
    assert {w.name for w in image.warnings} == {"csr-missing"}
    assert len(image.warnings) == len(ELSEWHERE)


def test_a_csr_that_this_machine_has_is_not_listed_as_missing():
    from toyvm.isa.csr import CSRS
    from toyvm.isa.csr_elsewhere import ELSEWHERE

    # Whoever adds a CSR to the machine takes its row out of csr_elsewhere.py.
    assert [csr.name for csr in CSRS if csr.name in ELSEWHERE] == []


LI_BOUNDARIES = sorted(
    {
        value
        for bit in range(33)
        for base in (1 << bit, -(1 << bit), (1 << bit) * 3)
        for value in (base - 2049, base - 2048, base - 2047, base - 1, base, base + 1,
                      base + 2047, base + 2048, base + 2049)
        if -(1 << 31) <= value < 1 << 32
    }
)  # fmt: skip


@needs_gnu
def test_li_at_every_bit_boundary(tmp_path):
    statements = [f"li {('a0', 'zero', 'sp')[i % 3]}, {v}" for i, v in enumerate(LI_BOUNDARIES)]
    statements += [f"li a0, {v:#x}" for v in LI_BOUNDARIES if v >= 0]
    statements += [f"li a0, ~{v:#x}" for v in LI_BOUNDARIES if v >= 0]
    text = "\n".join([*HEAD, *(f"n{i}: {line}" for i, line in enumerate(statements))]) + "\n"
    ours = read_program(assemble(Source(GNU_SOURCE, text)).to_elf())
    assert differences(ours, gnu_link(tmp_path, {GNU_SOURCE: text})) == []


RANGES = {
    "addi a0, a0, {}": (-2048, 2047), "lw a0, {}(a1)": (-2048, 2047),
    "sw a0, {}(a1)": (-2048, 2047),
    "jalr a0, {}(a1)": (-2048, 2047), "jr a0, {}": (-2048, 2047), "andi a0, a0, {}": (-2048, 2047),
    "lui a0, {}": (0, 0xFFFFF), "auipc a0, {}": (0, 0xFFFFF), "slli a0, a0, {}": (0, 31),
    "srai a0, a0, {}": (0, 31), "csrwi mscratch, {}": (0, 31), "csrrsi a0, mie, {}": (0, 31),
    "csrr a0, {}": (0, 4095),
}  # fmt: skip


@needs_gnu
def test_ranges_of_immediates_end_where_gnus_end(tmp_path):
    statements = []
    for template, (low, high) in RANGES.items():
        values = {low - 2, low - 1, low, low + 1, high - 1, high, high + 1, high + 2,
                  0xFFFFFFFF, 0xFFFFF800, 0xFFFFF7FF, -(1 << 31), 1 << 31}  # fmt: skip
        statements += [template.format(v) for v in sorted(values)]
    theirs, mine = gnu_errors(tmp_path, HEAD, statements), our_errors(statements)
    assert [s for i, s in enumerate(statements) if (i in theirs) != (i in mine)] == []
    both = [s for i, s in enumerate(statements) if i not in theirs]
    assert len(both) > 3 * len(RANGES)
    text = "\n".join([*HEAD, *both]) + "\n"
    ours = read_program(assemble(Source(GNU_SOURCE, text)).to_elf())
    assert differences(ours, gnu_link(tmp_path, {GNU_SOURCE: text})) == []
