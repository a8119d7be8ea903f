"""Names and lines: from the assembler and from its ELF file the same."""

from __future__ import annotations

import pytest

from assembler import Source, assemble
from toyvm.debugger.errors import DebugError
from toyvm.debugger.symbols import Symbol, Symbols, from_assembly, from_elf

TEXT = """
    .globl _start
    .equ SIZE, 64
_start:
    nop
inner:
    nop
    ret
other:
    ret
    .data
buffer:
    .space SIZE
"""


@pytest.fixture
def image():
    return assemble([Source("t.s", TEXT)])


def test_both_ways_give_the_same_names(image):
    direct, through = from_assembly(image), from_elf(image.to_elf())
    assert direct.in_order() == through.in_order()
    assert direct.code == through.code
    assert direct.end == through.end


def test_names_of_addresses(image):
    symbols = from_assembly(image)
    start = symbols.address("_start")
    assert symbols.describe(start) == "_start"
    assert symbols.describe(start + 4) == "inner"
    assert symbols.describe(start + 8) == "inner+4"
    assert symbols.describe(start - 4) == ""
    assert symbols.describe(symbols.address("buffer") + 63) == "buffer+63"
    assert symbols.describe(symbols.address("buffer") + 64) == ""
    # A constant is no place.
    assert symbols.address("SIZE") == 64
    assert symbols.describe(64) == ""
    assert symbols.get("nothing") is None


def test_lines(image):
    symbols = from_assembly(image)
    start = symbols.address("_start")
    assert symbols.line_of(start) == ("t.s", 5)
    assert symbols.line_of(start + 8) == ("t.s", 8)
    assert symbols.line_of(start - 4) is None
    assert symbols.at_line("t.s:7") == start + 4
    assert symbols.at_line("t.s:6") == start + 4  # the next line that has code
    assert symbols.at_line("main") is None
    with pytest.raises(DebugError, match=r'did you mean "t\.s"'):
        symbols.at_line("y.s:1")


def test_the_end_of_a_function(image):
    symbols = from_assembly(image)
    other = symbols.get("other")
    assert symbols.end_of(symbols.get("inner")) == other.address
    assert symbols.end_of(other) == other.address + 4


def test_global_names_win_at_one_address():
    text = ".globl zz\n_start:\naa:\nzz: nop\n"
    symbols = from_assembly(assemble([Source("t.s", text)]))
    assert symbols.describe(symbols.address("aa")) == "zz"


def test_sizes_end_a_symbol():
    symbols = Symbols([Symbol("f", 100, 8), Symbol("g", 200)])
    assert symbols.describe(107) == "f+7"
    assert symbols.describe(108) == ""
    assert symbols.describe(300) == "g+100"
