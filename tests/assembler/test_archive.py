"""Archives and gcc's objects: members taken for their symbols, the same program as GNU ld's."""

from __future__ import annotations

import random
import struct

import pytest

from assembler import (
    AssemblyError,
    ObjectError,
    Source,
    assemble,
    assemble_object,
    link,
    read_archive,
)

from .gcc import AR, compile_c, gnu_ld, libgcc, needs_gcc
from .gnu import AS, FLAGS, differences, read_program, run

MAIN = """
int common_one, common_two[20]; static int hidden; const char *message = "hello";
extern int elsewhere; __attribute__((weak)) void weak_one(void) {}
static const char table[][8] = {"one", "two", "three"};
int put(const char *s) { while (*s) *(volatile char *)0x10000000 = *s++; return table[1][0]; }
unsigned long long divide(unsigned long long a, unsigned long long b) { return a / b; }
int main(int c, char **v) {
  switch (c) {
    case 1: return put("a"); case 2: return put("bb"); case 3: return put("hello");
    case 4: return elsewhere; case 5: return 9; case 6: weak_one();
  }
  hidden++; put("ello"); put("hello, wide world"); put("wide world");
  return common_one + common_two[c] + hidden + (int)divide(c, 7) + c * c / 3;
}
"""
START = """
    .globl _start, elsewhere
_start:
    la sp, _stack_top
    la a1, text
    call main
1:  j 1b
    .section .rodata.str1.4, "aMS", @progbits, 1
    .balign 4
text: .asciz "wide world"
    .balign 4
other: .asciz "another"
    .data
elsewhere: .word 5, text, other
    .comm common_one, 4, 4
"""


@needs_gcc
@pytest.mark.parametrize("flags", [("-O0",), ("-O2", "-g"), ("-Os", "-ffunction-sections")])
def test_c_and_assembly_with_libgcc_as_gnu_ld_links_them(tmp_path, flags):
    made = compile_c(tmp_path, "main.c", MAIN, *flags)
    (tmp_path / "start.s").write_text(START)
    run([AS, *FLAGS, "start.s", "-o", "start.o"], tmp_path)
    library = libgcc(tmp_path)
    theirs = read_program(
        gnu_ld(tmp_path, "-Ttext=0x80000000", "--defsym", "_stack_top=0x80100000", "start.o",
               made.name, library)
    )  # fmt: skip
    for first in ("start.s", "start.o"):
        image = assemble(
            [tmp_path / first, made, library], defsyms={"_stack_top": "0x800ffff0 + 0x10"}
        )
        assert differences(read_program(image.to_elf()), theirs) == []


@needs_gcc
def test_code_for_a_relaxing_linker_is_aligned(tmp_path):
    text = """
        .option relax
        .globl _start, f
        _start: nop
        .balign 16
        f: call _start
        .balign 32
        g: .word g, f
        """
    (tmp_path / "r.s").write_text(text)
    run([AS, *FLAGS, "-mrelax", "r.s", "-o", "r.o"], tmp_path)
    theirs = read_program(gnu_ld(tmp_path, "-Ttext=0x80000000", "r.o"))
    ours = read_program(link(tmp_path / "r.o").to_elf())
    assert differences(ours, theirs) == []


def member(name: str, text: str) -> tuple[str, bytes]:
    return name, assemble_object(Source(name, text)).to_elf()


def archive_of(members: list[tuple[str, bytes]], index: dict[str, int] | None = None) -> bytes:
    """An archive; ``index`` maps symbols to numbers of members."""

    def header(name: str, size: int) -> bytes:
        return f"{name:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{size:<10}`\n".encode()

    long_names = b"".join(name.encode() + b"/\n" for name, _ in members)
    names = index or {}
    table = sum(len(n) + 1 for n in names) + 4 + 4 * len(names)
    at = 8 + (60 + table + table % 2 if index is not None else 0)
    at += 60 + len(long_names) + len(long_names) % 2
    places = []
    body = b""
    for number, (_, data) in enumerate(members):
        places.append(at + len(body))
        offset = sum(len(n) + 2 for n, _ in members[:number])
        body += header(f"/{offset}", len(data)) + data + b"\n" * (len(data) % 2)
    out = b"!<arch>\n"
    if index is not None:
        content = struct.pack(
            f">{1 + len(names)}I", len(names), *(places[i] for i in names.values())
        )
        content += b"".join(n.encode() + b"\0" for n in names)
        out += header("/", len(content)) + content + b"\0" * (len(content) % 2)
    out += header("//", len(long_names)) + long_names + b"\n" * (len(long_names) % 2)
    return out + body


MEMBERS = [
    member("a_long_member_name_first.o", ".globl f\nf: call g\nret\n"),
    member("second.o", ".globl g\ng: ret\n"),
    member("unused.o", ".globl h\nh: call nothing\n"),
]


@pytest.mark.parametrize("index", [None, {"f": 0, "g": 1, "h": 2}])
def test_only_what_is_needed_is_taken(index):
    archive = read_archive(archive_of(MEMBERS, index), "lib.a")
    start = Source("a.s", ".globl _start\n_start: call f\n")
    for order in ([start, archive], [archive, start]):
        image = link(order)
        assert {"f", "g"} <= set(image.symbols)
        assert "h" not in image.symbols
    own = Source("g.s", ".globl g\ng: li a0, 1\n")
    assert len(link([start, own, archive]).segments[0].data) == 8 + 4 + 12
    weak = Source("w.s", ".weak f\n_start: call f\n")
    assert "f" not in link([weak, archive]).symbols


@needs_gcc
def test_gnu_ar_and_we_agree(tmp_path):
    for name, data in MEMBERS:
        (tmp_path / name).write_bytes(data)
    run([AR, "rcs", "lib.a", *(name for name, _ in MEMBERS)], tmp_path)
    archive = read_archive((tmp_path / "lib.a").read_bytes(), "lib.a")
    assert list(archive.defining) == ["f", "g", "h"]
    assert [m.name for m in archive.members.values()] == [name for name, _ in MEMBERS]
    run([AR, "rcS", "noindex.a", *(name for name, _ in MEMBERS)], tmp_path)
    archive = read_archive((tmp_path / "noindex.a").read_bytes(), "lib.a")
    assert set(archive.defining) == {"f", "g", "h"}
    run([AR, "rcT", "thin.a", MEMBERS[0][0]], tmp_path)
    with pytest.raises(ObjectError, match="thin"):
        read_archive((tmp_path / "thin.a").read_bytes())


def test_errors_name_the_member():
    archive = read_archive(archive_of(MEMBERS), "lib.a")
    with pytest.raises(AssemblyError) as caught:
        link([Source("a.s", "_start: call h\n"), archive])
    (error,) = caught.value.errors
    assert error.message == "`nothing` is not defined"
    assert error.file.startswith("lib.a(unused.o) (.text+0x0")


def test_a_missing_helper_of_the_compiler_is_explained():
    with pytest.raises(AssemblyError) as caught:
        link([Source("a.s", "_start: call __udivdi3\n")])
    assert "-print-libgcc-file-name" in caught.value.errors[0].hint


@pytest.mark.parametrize("seed", range(3))
def test_broken_archives_give_errors_and_nothing_else(seed):
    rng = random.Random(seed)
    good = archive_of(MEMBERS, {"f": 0, "g": 1, "h": 2} if seed % 2 else None)
    refused = 0
    for _ in range(200):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            where = rng.choice([rng.randrange(200), rng.randrange(len(data))])
            data[where] = rng.choice([0, 32, 47, 48, 57, 0xFF, rng.randrange(256)])
        if rng.random() < 0.3:
            del data[rng.randrange(8, len(data)) :]
        try:
            archive = read_archive(bytes(data), "lib.a")
            link([Source("a.s", "_start: call f\n"), archive]).to_elf()
        except (ObjectError, AssemblyError):
            refused += 1
    assert 0 < refused < 200
