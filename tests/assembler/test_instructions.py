"""Every instruction in every operand form gives the bytes that GNU as and ld give."""

from __future__ import annotations

import random

import pytest

from assembler import Source, assemble
from toyvm.isa.pseudo import PSEUDOS
from toyvm.isa.table import INSNS

from .forms import LI_VALUES, TEMPLATES, fill, program
from .gnu import LINKER_SYMBOLS, differences, gnu_link, needs_gnu, read_program


def compare(text: str, folder) -> None:
    """Assemble with both and demand equality, naming the line of the first difference."""
    image = assemble(Source("a.s", text))
    ours = read_program(image.to_elf())
    gnu = gnu_link(folder, {"a.s": text})
    found = differences(ours, gnu)
    if not found:
        return
    for label, value in sorted(gnu.symbols.items(), key=lambda item: item[::-1]):
        if label not in LINKER_SYMBOLS and ours.symbols.get(label) != value:
            # The statement before the first label that moved has another size.
            before = f"n{int(label[1:]) - 1:05}:" if label[1:].isdigit() else label
            found.insert(0, next((x for x in text.split("\n") if x.startswith(before)), label))
            break
    pytest.fail("\n".join(found[:8]))


def test_the_templates_cover_the_table():
    mnemonics = {t.split()[0] for t in TEMPLATES}
    assert {i.mnemonic for i in INSNS} <= mnemonics
    assert {p.mnemonic for p in PSEUDOS} <= mnemonics


@needs_gnu
@pytest.mark.parametrize("seed", range(4))
def test_all_forms(tmp_path, seed):
    rng = random.Random(seed)
    compare(program([fill(t, rng) for t in TEMPLATES for _ in range(4)]), tmp_path)


@needs_gnu
def test_every_register_in_every_position(tmp_path):
    rng = random.Random(99)
    names = [f"x{n}" for n in range(32)]
    statements = []
    for template in TEMPLATES:
        for n in names:
            statement = template
            while "{r}" in statement:
                statement = statement.replace("{r}", n, 1)
                statement = statement.replace("{r}", rng.choice(names), 1)
            statements.append(fill(statement, rng))
    compare(program(statements), tmp_path)


@needs_gnu
def test_li_at_its_boundaries(tmp_path):
    values = [v + d for v in LI_VALUES for d in (-1, 0, 1) if -(1 << 31) <= v + d < 1 << 32]
    rng = random.Random(5)
    values += [rng.randrange(-(1 << 31), 1 << 32) for _ in range(300)]
    lines = [f"li a0, {v}" for v in values] + [f"li t6, {v:#x}" for v in values]
    lines += [f"la a0, {v}" for v in values if v >= 0]
    compare("\n".join([".globl _start", "_start:", *lines]) + "\n", tmp_path)


@needs_gnu
def test_addresses_whose_low_part_is_negative(tmp_path):
    lines = [".globl _start", "_start:"]
    for offset in (0, 0x7FC, 0x800, 0x804, 0xFFC, 0x1000, 0x1800, 0x2800):
        for form in ("la a0, d+{}", "lw a1, d+{}", "sw a1, d+{}, t0", "call d+{}",
                     "lui a2, %hi(d+{})", "lw a2, %lo(d+{})(a2)",
                     "sw a2, %lo(d+{})(a2)"):  # fmt: skip
            lines.append(form.format(offset))
        lines += [f"7: auipc a3, %pcrel_hi(d+{offset})", "lw a3, %pcrel_lo(7b)(a3)",
                  "sw a3, %pcrel_lo(7b)(a4)", "addi a3, a3, %pcrel_lo(7b)"]  # fmt: skip
    compare("\n".join([*lines, ".data", "d: .space 0x3000"]) + "\n", tmp_path)


@needs_gnu
def test_branches_out_of_reach_take_the_long_form(tmp_path):
    lines = [".globl _start", "_start:"]
    rng = random.Random(7)
    count = 2500
    for i in range(count):
        lines.append(f"l{i}: {rng.choice(['beq a0, a1,', 'bnez t0,', 'bgtu s1, s2,'])} "
                     f"l{rng.randrange(count)}")  # fmt: skip
        if i % 50 == 0:
            lines += ["nop"] * rng.randrange(8)
    compare("\n".join(lines) + "\n", tmp_path)


@needs_gnu
@pytest.mark.parametrize("distance", [4088, 4092, 4096, 4100])
@pytest.mark.parametrize("back", [False, True])
def test_the_border_of_the_reach(tmp_path, distance, back):
    nops = "\n".join(["nop"] * (distance // 4 - (not back)))
    branch = "beq a0, a1, there"
    body = f"there:\n{nops}\n{branch}" if back else f"{branch}\n{nops}\nthere:"
    compare(f".globl _start\n_start:\n{body}\nnop\n", tmp_path)


@needs_gnu
def test_branches_to_other_sections_and_weak_symbols(tmp_path):
    compare(
        """
        .globl _start
        .weak soft
        _start: beq a0, a1, elsewhere
        bnez a0, soft
        soft: beqz a1, _start
        j elsewhere
        .section .text.other, "ax"
        elsewhere: blt a0, a1, _start
        """,
        tmp_path,
    )
