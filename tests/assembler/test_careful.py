"""The loop takes most lines apart itself; the careful parser must give the same for all of them.

A no-break space in a comment makes the assembler look at every line of a source with care, so
one more line at the end compares the two.
"""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from assembler import AssemblyError, Source, assemble, assemble_object
from benchmarks.assembler import dense, generated

from .cases import CASES

CAREFUL = "# a no-break space:\xa0\n"
PLAIN = "# a blank:\n"
SOURCES = {**CASES, "generated": generated(1500, 3), "dense": dense(600, 3)}
JUNK = [
    *" \t\r\f\v,#;/\"'\\()%@=:.-+*~!<>&|^09axz", "//", "/*", "*/", "1f", "1b", "%lo(", "0x",
    ".word ", "lbl: ", "zero", "sp", "nop", "\r\n", "\n", ".if 0\n", ".endif\n", "sw ", "call ",
    "%hi(x)", "  # c", ".data\n", ".equ x, 5\n", "add", "ADDI a0,a0,1\n",
]  # fmt: skip


def outcome(text: str) -> object:
    """All that assembling gives: the files with line tables, or the messages."""
    source = Source("x.s", text)
    try:
        image = assemble(source, debug=True)
        made = assemble_object(source, debug=True)
    except AssemblyError as error:
        return error.render()
    rows = [(row.addr, row.size, row.line, row.code) for row in image.rows]
    return image.to_elf(), made.to_elf(), rows, [d.render() for d in image.warnings]


@pytest.mark.parametrize("name", SOURCES)
def test_both_ways_give_the_same(name):
    assert outcome(SOURCES[name] + PLAIN) == outcome(SOURCES[name] + CAREFUL)


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_say_the_same_about_broken_lines(seed):
    rng = random.Random(seed)
    texts = list(SOURCES.values())
    for _ in range(8):
        lines = rng.choice(texts).split("\n")
        start = rng.randrange(max(1, len(lines) - 30))
        lines = lines[start : start + 30]
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(lines))
            line = lines[at]
            cut = rng.randint(0, len(line))
            lines[at] = line[:cut] + rng.choice(JUNK) + line[cut + rng.randint(0, 2) :]
        text = "\n".join(lines) + "\n"
        assert outcome(text + PLAIN) == outcome(text + CAREFUL), text


def test_importing_leaves_linker_scripts_for_later():
    code = "import assembler, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"assembler.script", "assembler.scripted", "assembler.script_nodes"}.isdisjoint(loaded)
