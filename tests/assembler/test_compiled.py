"""What gcc -S writes: assembled here as GNU as does it, without warnings; and gcc's objects."""

from __future__ import annotations

import pytest

from assembler import Source, assemble_object, link, read_object

from .gcc import GCC, GCC_FLAGS, compile_c, needs_gcc
from .gnu import FLAGS, needs_gnu, run
from .objs import object_differences
from .test_diagnostics import errors
from .test_object import gnu_object

# Variables and functions whose names are registers, CSRs, mnemonics and operators.
NAMES = """
int a0 = 5, fp, sp = 7, mstatus, lo = 4, pcrel_hi = 5;
int s1[10];
extern int ra;
int *p = &a0;
int t1(int x) { return fp + sp + s1[x] + ra + mstatus; }
int (*f)(int) = t1;
int add(int hi) { return hi + lo + pcrel_hi; }
int call(void) { a0++; return add(3) + t1(4); }
"""
SHARED = """
int __attribute__((weak)) maybe(int a) { return a + 1; }
int one(void) { return 9; }
int two(void) __attribute__((alias("one")));
extern int nothing __attribute__((weak));
int *where(void) { return &nothing; }
int __attribute__((visibility("hidden"))) hid(void) { return maybe(2); }
void __attribute__((constructor)) first(void) { asm volatile("csrw sstatus, %0" : : "r"(3)); }
#define GREETING "hello"
const char *greeting(void) { return GREETING; }
int pick(int x)
{
  switch (x) { case 0: return 5; case 1: return one(); case 2: return 77; case 3: return -1;
               case 4: return maybe(2); default: return 0; }
}
"""


def compiled(folder, text: str, *flags: str) -> str:
    """The assembly that gcc makes of a C source."""
    assert GCC is not None
    (folder / "x.c").write_text(text)
    # What the other tools take is compiled for, and CSRs as well.
    machine = [FLAGS[0], *GCC_FLAGS[1:]]
    run([GCC, *machine, *flags, "-S", "x.c", "-o", "x.s"], folder)
    return (folder / "x.s").read_text()


@needs_gcc
@needs_gnu
@pytest.mark.parametrize("text", [NAMES, SHARED], ids=["names", "shared"])
@pytest.mark.parametrize(
    "flags", ["-O0", "-O2", "-O2 -mcmodel=medany", "-Os -mno-explicit-relocs -fcommon",
              "-O1 -ffunction-sections -fdata-sections"],
)  # fmt: skip
def test_the_object_of_compiled_code_is_that_of_gnu_as(tmp_path, text, flags):
    source = compiled(tmp_path, text, *flags.split())
    made = assemble_object(Source("x.s", source))
    found = object_differences(made.to_elf(), gnu_object(tmp_path, source))
    assert found == []
    # Nobody is told to change what a compiler wrote.
    assert made.warnings == []


@needs_gcc
@needs_gnu
def test_macros_in_debugging_data_are_grouped_as_gnu_as_does_it(tmp_path):
    source = compiled(tmp_path, "#include <stdint.h>\n" + NAMES + SHARED, "-O0", "-g3")
    made = assemble_object(Source("x.s", source))
    assert made.warnings == []
    found = object_differences(made.to_elf(), gnu_object(tmp_path, source))
    # Line tables and unwinding tables have other forms for the same facts (see test_dwarf.py).
    meant = (".debug_line", ".debug_frame")
    assert [line for line in found if not any(word in line[:30] for word in meant)] == []
    assert len(made.groups) > 1


@needs_gcc
def test_objects_with_macros_in_their_debugging_data_are_linked(tmp_path):
    text = "#include <stdint.h>\nint32_t one(void) { return 1; }"
    first = compile_c(tmp_path, "a.c", text, "-O2", "-g3")
    second = compile_c(tmp_path, "b.c", "int one(void); int _start(void) { return one(); }", "-g3")
    groups = read_object(first.read_bytes(), "a.o").groups
    assert len(groups) > 1
    assert all(name.startswith("wm4.") for name in groups)
    image = link([first, second])
    assert {"one", "_start"} <= image.symbols.keys()


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("lui a0, %hi(a1)", 9, "`a1` is a register, not a symbol"),
        ("lw a0, %lo(sp)(a0)", 8, "`sp` is a register, not a symbol"),
        ("la a0, a1+4", 8, "`a1` is a register, not a symbol"),
        ("lw a0, a1", 8, "`a1` is a register; an address is wanted here"),
        (".word a0", 7, "`a0` is a register, not a value"),
        ("j ra", 3, "`ra` is a register, which `j` cannot take here"),
        (".set x, a0", 9, "`a0` is a register, not a symbol"),
    ],
)
def test_a_register_is_no_symbol_unless_the_source_says_so(line, column, message):
    (found,) = errors(f"_start: nop\n/*\na1: sp: a0: ra: .extern a0, a1\n*/\n{line}\n")
    assert (found.line, found.column, found.message) == (5, column, message)
    # The same line behind (or before) a declaration means the symbol.
    name = message.split("`")[1]
    for text in ("{0}\n.globl {1}\n", "{0}\nhere: {1}: nop\n", ".extern {1}\n{0}"):
        assemble_object(Source("a.s", text.format(line, name)))


def test_an_alias_takes_over_type_and_size_wherever_it_stands():
    before = ".globl g, h\n.set h, g\n.set g, f\n"
    function = ".globl f\n.type f, @function\nf: nop\n.size f, .-f\n"
    for text in (before + function, function + before):
        made = assemble_object(Source("a.s", text))
        found = {s.name: (s.type, s.size) for s in made.symbols if s.name in ("f", "g", "h")}
        assert found == dict.fromkeys("fgh", ("FUNC", 4))


def test_what_an_excluded_section_defines_is_not_there():
    text = '_start: la a0, x\n.section .e, "ae"\nx: .word 1\n'
    assert [d.message for d in errors(text)] == ["`x` is not defined"]
