"""Random programs and random expressions: the same bytes as GNU as and ld."""

from __future__ import annotations

import random
import re

import pytest

from assembler import Source, assemble

from .forms import TEMPLATES, fill
from .gnu import GnuError, differences, gnu_link, needs_gnu, read_program

_BINARY = ["+", "-", "*", "/", "%", "<<", ">>", "|", "&", "^", "!", "==", "!=", "<>", "<", ">",
           "<=", ">=", "&&", "||"]  # fmt: skip


def expression(rng: random.Random, depth: int) -> str:
    """A constant expression; shift amounts are small and divisors are not zero."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(
            [str(rng.randrange(100)), hex(rng.randrange(1 << 16)), "'x'", "017", "0b110", "K", "N"]
        )
    kind = rng.random()
    if kind < 0.2:
        return rng.choice("-~!+") + expression(rng, depth - 1)
    if kind < 0.4:
        return "(" + expression(rng, depth - 1) + ")"
    op = rng.choice(_BINARY)
    left = expression(rng, depth - 1)
    if op in ("<<", ">>"):
        return f"({left}) {op} {rng.randrange(8)}"
    if op in ("/", "%"):
        return f"({left}) {op} {rng.choice(['3', '7', '-2', 'K'])}"
    space = rng.choice(["", " "])
    return f"{left}{space}{op} {expression(rng, depth - 1)}"


@needs_gnu
@pytest.mark.parametrize("seed", range(4))
def test_expressions(tmp_path, seed):
    rng = random.Random(seed)
    lines = [".globl _start", "_start: nop", ".equ K, 100", "N = -5", ".data"]
    lines += [f".dword {expression(rng, 4)}" for _ in range(400)]
    text = "\n".join(lines) + "\n"
    image = assemble(Source("a.s", text))
    ours = read_program(image.to_elf()).sections[".data"]
    gnu = gnu_link(tmp_path, {"a.s": text}).sections[".data"]
    for i in range(0, len(gnu[1]), 8):
        assert ours[1][i : i + 8] == gnu[1][i : i + 8], lines[5 + i // 8]
    assert len(ours[1]) == len(gnu[1])


def random_program(rng: random.Random) -> dict[str, str]:
    """One to three sources of random instructions, data, sections, macros and labels."""
    names = [f"u{n}.s" for n in range(rng.randint(1, 3))]
    shared = [f"shared{n}" for n in range(len(names))]
    sources = {}
    for number, name in enumerate(names):
        lines = [".equ K, 100", "1: nop", f".globl shared{number}"]
        if number == 0:
            lines += [".globl _start", "_start:"]
        labels = 0
        for _ in range(rng.randint(10, 120)):
            what = rng.random()
            if what < 0.65:
                statement = fill(rng.choice(TEMPLATES), rng)
                for word in ("data", "near", "far_label", "shared"):
                    other = rng.choice(shared) if word == "shared" else f"{word}_{number}"
                    statement = re.sub(rf"\b{word}\b", other, statement)
                lines.append(statement)
            elif what < 0.75:
                labels += 1
                other = rng.randint(1, labels)
                lines.append(f"label{labels}: .word label{labels}, . - label{other}")
            elif what < 0.8:
                lines.append("1:")
            elif what < 0.85:
                lines.append(f".align {rng.randint(3, 6)}")
            elif what < 0.9:
                lines += [f".rept {rng.randint(0, 5)}", "addi a0, a0, 1", "nop", ".endr"]
            elif what < 0.95:
                section = rng.choice(['.section .text.extra, "ax"', ".data", ".section .rodata"])
                body = ".word 1, 2" if "text" not in section else "ret"
                lines += [f".pushsection {section.removeprefix('.section ')}", body, ".popsection"]
            else:
                lines.append(f".if K == {rng.choice([100, 101])}\nli a0, 1\n.else\nret\n.endif")
        lines += ["1: nop", f"near_{number}: nop", f"shared{number}: ret", ".data", ".balign 4",
                  f".space {rng.randrange(0, 0x1000, 4)}", f"data_{number}: .word 1, 2, 3",
                  '.section .text.far, "ax"', f"far_label_{number}: ret"]  # fmt: skip
        if rng.random() < 0.5:
            lines += [".bss", f".balign {1 << rng.randint(0, 6)}", f".space {rng.randrange(300)}"]
        sources[name] = "\n".join(lines) + "\n"
    return sources


@needs_gnu
@pytest.mark.parametrize("block", range(6))
def test_random_programs(tmp_path, block):
    equal = 0
    for seed in range(block * 40, block * 40 + 40):
        sources = random_program(random.Random(seed))
        image = assemble([Source(name, text) for name, text in sources.items()])
        ours = read_program(image.to_elf())
        try:
            gnu = gnu_link(tmp_path, sources)
        except GnuError as error:
            pytest.fail(f"seed {seed}: GNU refuses what we take: {error}")
        assert differences(ours, gnu) == [], f"seed {seed}"
        equal += 1
    assert equal == 40
