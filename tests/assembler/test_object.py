"""Relocatable objects: sections, relocations and symbols as GNU as writes them; hostile files."""

from __future__ import annotations

import random
import re
import subprocess

import pytest

import guestos.images
from assembler import (
    AssemblyError,
    ObjectError,
    ObjectFile,
    Source,
    assemble,
    assemble_object,
    link,
    read_object,
)
from guestos.listing import manifest

from .cases import CASES
from .gnu import AS, FLAGS, LD, READELF, differences, needs_gnu, read_program, run
from .objs import object_differences
from .test_random import random_program

RELOCATIONS = """
    .globl _start, glob, unused, shared1
    .weak wk, never
    .equ K, 5
    .globl GK
    .set GK, 0x100
_start:
    call f
    call local
    tail glob
    la a0, data1
    lla a0, data1+4
    la a0, und
    lw a1, data1
    lb a1, data1+1
    sw a1, data1+8, t0
    lui a0, %hi(data1)
    addi a0, a0, %lo(data1)
    sw a0, %lo(und+4)(a0)
    lui a0, %hi(und+0x12345)
    addi a0, a0, %lo(local+0x345)
1:  auipc a0, %pcrel_hi(glob)
    addi a0, a0, %pcrel_lo(1b)
    sw a0, %pcrel_lo(1b)(a0)
.Lx: beq a0, a1, local
    bne a0, a1, 1b
    beqz a0, und
    beqz a0, _start
    bgt a0, a1, far
    beq a0, a1, glob+8
    j local
    j glob
    j und
    jal 2f
    jal a0, 1b
    j 0x100
    call 0x100
    lui a0, %hi(0x12345678)
    addi a0, a0, %lo(0x12345678)
    lui a0, %hi(K)
    lui a0, %hi(GK)
    lui a0, %hi(wk)
    jump local, t2
2:
local: nop
    .word data1, local, local-_start, . - local, und-., data2-data1, und
    .word .Lx, local-_start+4, . + 8, 4 + local - ., local-und+8
    .half 2b-1b
    .byte local-_start, 0
glob: ret
    .type glob, @function
    .size glob, .-glob
wk: ret
    .space 5000
far: nop
    .data
data1: .word 1, data2, glob+8
data2: .dword data1
    .word . - data1, local-data1, data1 - local, ext - data1
    .half data2-data1, local-_start
    .byte data2-data1, local-_start
    .dword local-_start
    .set shared1, data1+4
    .set shared2, und+4
    .set shared3, .
    .equ shared4, shared1+4
    .equ distance, local-_start
    .word shared1, shared2, shared3, shared4, distance
    .comm com, 10, 8
    .type object, %object
    .size object, 12
object: .word 3
    .section .rodata.str, "aMS", @progbits, 1
    .asciz "x"
    .section .debug_x
    .word local, local-_start, far
    .2byte local-_start
    .section .init_array, "aw"
    .balign 4
    .word glob
    .bss
b:  .space 4
"""


def gnu_object(folder, text: str, name: str = "x.s") -> bytes:
    """The object of GNU as."""
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    run([AS, *FLAGS, name, "-o", name + ".o"], folder)
    return (folder / (name + ".o")).read_bytes()


def unmeant(lines: list[str]) -> list[str]:
    """Differences without those that are meant.

    Alignment to 2 bytes works in code here, so marks of code and data ($x, $d) may differ.
    GNU as leaves behind undefined symbols named like registers, which it tried to
    read as addresses.
    """
    meant = ("'$",)
    register = re.compile(r"symbol missing: \('[xast][0-9]+', 0, 0, .*SHN_UNDEF")
    return [
        line
        for line in lines
        if not any(word in line for word in meant) and not register.match(line)
    ]


@needs_gnu
def test_every_relocation_is_that_of_gnu_as(tmp_path):
    ours = assemble_object(Source("x.s", RELOCATIONS)).to_elf()
    assert object_differences(ours, gnu_object(tmp_path, RELOCATIONS)) == []


@needs_gnu
@pytest.mark.parametrize("name", sorted(CASES))
def test_directives_give_the_same_object(tmp_path, name):
    ours = assemble_object(Source("x.s", CASES[name])).to_elf()
    assert unmeant(object_differences(ours, gnu_object(tmp_path, CASES[name]))) == []


def objects_of(folder, sources: dict[str, str]) -> list[ObjectFile]:
    """Our objects of some sources, through their files."""
    made = []
    for name, text in sources.items():
        data = assemble_object(Source(name, text)).to_elf()
        (folder / (name + ".our.o")).write_bytes(data)
        made.append(read_object(data, name))
    return made


def shared_only(*programs) -> None:
    """Take away the names that several sources may have for themselves."""
    for program in programs:
        for name in [n for n in program.symbols if not n.startswith(("shared", "_start"))]:
            del program.symbols[name]


@needs_gnu
@pytest.mark.parametrize("seed", range(12))
def test_random_objects_are_equal_and_both_linkers_agree(tmp_path, seed):
    sources = random_program(random.Random(1000 + seed))
    for name, text in sources.items():
        ours = assemble_object(Source(name, text)).to_elf()
        assert unmeant(object_differences(ours, gnu_object(tmp_path, text, name))) == []
    objects = objects_of(tmp_path, sources)
    direct = read_program(assemble([Source(n, t) for n, t in sources.items()]).to_elf())
    linked = read_program(link(objects).to_elf())
    assert differences(linked, direct) == []
    # GNU ld takes our objects, and we take those of GNU as.
    names = [f"{name}.our.o" for name in sources]
    command = [LD, "-m", "elf32lriscv", "-Ttext=0x80000000", "--no-warn-rwx-segments", *names]
    run([*command, "-o", "ld.elf"], tmp_path)
    theirs = read_program((tmp_path / "ld.elf").read_bytes())
    back = read_program(link([tmp_path / f"{name}.o" for name in sources]).to_elf())
    shared_only(linked, theirs, back)
    assert differences(linked, theirs) == []
    assert differences(back, theirs) == []


@needs_gnu
@pytest.mark.parametrize("name", ["hello", "teachos", "appliance"])
def test_kernels_link_from_their_objects(name):
    sources = guestos.images.sources(name)
    includes = guestos.images.include_dirs()
    base = manifest()[name].base
    direct = assemble(sources, include_dirs=includes, text_base=base)
    objects = [
        read_object(assemble_object(s, include_dirs=includes).to_elf(), str(s)) for s in sources
    ]
    linked = link(objects, text_base=base)
    assert [(s.addr, s.data, s.memsz) for s in linked.segments] == [
        (s.addr, s.data, s.memsz) for s in direct.segments
    ]
    assert linked.entry == direct.entry
    assert {s.name: s.value for s in linked.symtab if s.binding == "GLOBAL"} == {
        s.name: s.value for s in direct.symtab if s.binding == "GLOBAL"
    }


@needs_gnu
def test_readelf_reads_our_objects_without_a_warning(tmp_path):
    path = tmp_path / "x.o"
    for text in (RELOCATIONS, "", "nop\n", ".bss\n.space 8\n", ".comm x, 4\n"):
        path.write_bytes(assemble_object(Source("x.s", text)).to_elf())
        done = subprocess.run([READELF, "-aW", path], capture_output=True, text=True, check=True)
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("call f\n.byte f\n", "an address does not fit in 1 byte"),
        (".word f*2\n", "of an address cannot be written into an object file"),
        (".word f-g-h\n", "cannot be written into an object file"),
        (".word a+b\na: .word b\n", "cannot be written into an object file"),
        (".globl x\n.set x, f+4\n", "no value that other sources could use"),
        ("lui a0, %hi(a-b)\n.data\na: .word 1\n.bss\nb:", "addresses of several symbols"),
    ],
)
def test_what_no_relocation_can_say(text, words):
    with pytest.raises(AssemblyError, match=words):
        assemble_object(Source("x.s", text))


def test_errors_name_the_place_inside_an_object(tmp_path):
    text = ".globl f\n.type f, @function\nnop\nf: call missing\n"
    obj = read_object(assemble_object(Source("f.s", text)).to_elf(), "f.o")
    with pytest.raises(AssemblyError) as caught:
        link([obj, Source("a.s", "_start: call f\n")])
    (error,) = caught.value.errors
    assert error.message == "`missing` is not defined"
    assert error.file == "f.o (.text+0x4, in f)"
    again = read_object(assemble_object(Source("g.s", ".globl f\nf: ret\n")).to_elf(), "g.o")
    obj = read_object(assemble_object(Source("f.s", ".globl f\nf: ret\n")).to_elf(), "f.o")
    with pytest.raises(AssemblyError) as caught:
        link([obj, again])
    (error,) = caught.value.errors
    assert error.message == "`f` is defined twice"
    assert error.file == "g.o (.text+0x0)"
    assert [place.file for _, place in error.related] == ["f.o (.text+0x0)"]
    with pytest.raises(AssemblyError) as caught:
        link([Source("a.s", ".globl f\n_start: nop\nf: nop\n"), obj])
    (error,) = caught.value.errors
    assert str(error.related[0][1]) == "a.s:3:1"


def test_a_static_function_of_another_object_is_named():
    obj = read_object(assemble_object(Source("f.s", "f: ret\n")).to_elf(), "f.o")
    with pytest.raises(AssemblyError) as caught:
        link([Source("a.s", "_start: call f\n"), obj])
    assert "static" in caught.value.errors[0].hint


GOOD = assemble_object(Source("x.s", RELOCATIONS.replace("und", "glob").replace("ext", "f")))


@pytest.mark.parametrize("seed", range(4))
def test_broken_objects_give_errors_and_nothing_else(seed):
    rng = random.Random(seed)
    good = GOOD.to_elf()
    accepted = 0
    messages: list[str] = []
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            where = rng.choice([rng.randrange(52), rng.randrange(len(data)),
                                len(data) - rng.randrange(1, 480)])  # fmt: skip
            data[where] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        try:
            obj = read_object(bytes(data), "x.o")
            link([obj, Source("f.s", ".globl f\nf: nop\n")]).to_elf()
            accepted += 1
        except (ObjectError, AssemblyError) as error:
            messages.append(str(error))
    assert all(messages)
    assert accepted < 150


def test_objects_for_other_machines_say_so():
    good = bytearray(GOOD.to_elf())
    for at, value, words in (
        (4, 2, "64-bit"), (18, 3, "another machine"), (16, 2, "executable"),
        (36, 1, "compressed"), (36, 4, "floating-point"), (36, 8, "RV32E"),
    ):  # fmt: skip
        data = bytearray(good)
        data[at] = value
        with pytest.raises(ObjectError, match=words):
            read_object(bytes(data))
    with pytest.raises(ObjectError, match="not an ELF file"):
        read_object(b"hello")
    with pytest.raises(ObjectError, match="cut off"):
        read_object(bytes(good[:100]))
