"""20,000 short random programs, many of them in one source: the same bytes as GNU as and ld.

A program is some instructions, data, labels, macros and conditions of its own; what they are
called begins with the program's number.  ``TOYVM_FULL=1`` tries ten times as many.
"""

from __future__ import annotations

import os
import random
import re

import pytest

from assembler import Limits, Source, assemble
from toyvm.isa.disasm import disasm

from ..isa.words import all_functions, instructions
from .forms import TEMPLATES, fill
from .gnu import differences, gnu_link, needs_gnu, read_program

BATCHES = 80 if os.environ.get("TOYVM_FULL") else 8
PROGRAMS = 2_500
LIMITS = Limits(statements=10_000_000, source_bytes=1 << 28, expansion_bytes=1 << 28)


def short_program(rng: random.Random, n: int) -> list[str]:
    """One program: its code, its data, and the names that they use."""
    near, data = f"near{n}", f"data{n}"
    lines = [f"p{n}: nop", "1:"]
    for i in range(rng.randint(3, 9)):
        what = rng.random()
        if what < 0.7:
            statement = fill(rng.choice(TEMPLATES), rng)
            # A mnemonic is never one of these words.
            statement = re.sub(r"\b(?:data|shared)\b", data, statement)
            lines.append(re.sub(r"\b(?:near|far_label)\b", near, statement))
        elif what < 0.76:
            lines.append(f"l{n}_{i}: .word l{n}_{i}, . - p{n}, {rng.getrandbits(32):#x}")
        elif what < 0.8:
            lines += [f".rept {rng.randint(0, 4)}", "xor a0, a0, a1", ".endr"]
        elif what < 0.84:
            lines += [f".macro m{n}_{i} r, v=3", "addi \\r, \\r, \\v", ".endm",
                      f"m{n}_{i} t{rng.randint(0, 6)}, {rng.randint(-9, 9)}",
                      f"m{n}_{i} s{rng.randint(0, 11)}"]  # fmt: skip
        elif what < 0.88:
            lines.append(f".if K == {rng.choice([100, 7])}; li a0, {i}; .else; mv a0, a1; .endif")
        elif what < 0.92:
            lines += [f".balign {1 << rng.randint(2, 4)}", "1:"]
        elif what < 0.96:
            lines.append(f".irp r, a0, s{rng.randint(0, 11)}; not \\r, \\r; .endr")
        else:
            lines.append(f".set v{n}, {rng.randint(-99, 99)} * 3 + K; li a2, v{n}")
    lines += ["1: nop", f"{near}: ret", ".data", f".byte {rng.getrandbits(8)}",
              rng.choice([".balign 4", ".p2align 3", f".ascii \"{n}\"", f".half {n & 0x7FFF}"]),
              f"{data}: .4byte {near}, {data} + {rng.randint(-9, 9)}"]  # fmt: skip
    if rng.random() < 0.2:
        lines += [".uleb128 " + str(rng.getrandbits(40)), ".sleb128 " + str(-rng.getrandbits(40))]
    if rng.random() < 0.2:
        lines += [".section .rodata", f'.asciz "{n}\\t\\x{rng.getrandbits(8):x}z"']
    return [*lines, ".text"]


@needs_gnu
@pytest.mark.parametrize("batch", range(BATCHES))
def test_short_programs(tmp_path, batch):
    rng = random.Random(f"short programs {batch}")
    lines = [".equ K, 100", ".globl _start", "_start:"]
    for n in range(batch * PROGRAMS, (batch + 1) * PROGRAMS):
        lines += short_program(rng, n)
    text = "\n".join(lines) + "\n"
    image = assemble(Source("a.s", text), limits=LIMITS, warnings=["none"])
    found = differences(read_program(image.to_elf()), gnu_link(tmp_path, {"a.s": text}))
    assert found[:5] == []


BASE = 0x8000_0000
TARGET = re.compile(r"^((?:b|j)[a-z]* .*?)(0x[0-9a-f]+)$")


@pytest.mark.parametrize("pseudo", [True, False])
def test_what_the_disassembler_writes_assembles_to_the_same_word(pseudo):
    words = [*all_functions(samples=1, seed=5), *instructions(samples=40, seed=6)]
    lines = []
    for i, word in enumerate(words):
        line = disasm(word, BASE + 4 * i, pseudo=pseudo)
        # A number as target takes the long form of a branch, as in GNU as: say how far it is.
        found = TARGET.match(line)
        if found:
            distance = int(found[2], 16) - (BASE + 4 * i)
            distance = (distance + (1 << 31)) % (1 << 32) - (1 << 31)
            line = f"{found[1]}. + {distance}"
        lines.append(line)
    # Targets lie outside the source, where only short branches can be judged one by one.
    space = ["_start:", *lines]
    image = assemble(Source("a.s", "\n".join(space) + "\n"), limits=LIMITS, warnings=["none"])
    code = image.to_bin()
    again = [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)]
    assert len(again) == len(words)
    wrong = [
        (hex(a), hex(b), line) for a, b, line in zip(words, again, lines, strict=True) if a != b
    ]
    assert wrong == []
