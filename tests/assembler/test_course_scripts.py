"""Linker scripts as courses and boards use them: the program is the one that GNU ld makes."""

from __future__ import annotations

import io

import pytest
from elftools.elf.elffile import ELFFile

from assembler import AssemblyError, Source, assemble, link

from .gcc import compile_c, gnu_ld, needs_gcc
from .gnu import differences, read_program

PROGRAM = """
extern char __bss[], __bss_end[], __stack_top[];
int g = 5;
static int z[300];
const char msg[] = "hi";
const char *const t[] = {"a", "b", "hi"};
double constant(double x) { return x; }
__attribute__((section(".text.boot"), naked)) void boot(void)
{
  __asm__ volatile("la sp, __stack_top\\nj kernel_main");
}
void kernel_main(void)
{
  for (char *p = __bss; p < __bss_end; p++)
    *p = 0;
  z[3] = g + msg[1] + t[1][0];
  for (;;)
    ;
}
__attribute__((section(".init_array"), used)) static void (*const first)(void) = kernel_main;
"""
# One region for everything; symbols that only other PROVIDEs ask for; sections it does not name.
ONE_REGION = """
OUTPUT_ARCH("riscv")
ENTRY(boot)
MEMORY { ram (wxa!ri) : ORIGIN = 0x80000000, LENGTH = 128M }
SECTIONS {
  .text : { PROVIDE(_text_start = .); *(.text.boot) *(.text .text.*) PROVIDE(_text_end = .); } >ram
  .rodata : { PROVIDE(_rodata_start = .); *(.rodata .rodata.*) } >ram
  .data : { . = ALIGN(64); PROVIDE(_data_start = .); *(.sdata .sdata.*) *(.data .data.*) } >ram
  .bss : { __bss = .; *(.sbss .sbss.*) *(.bss .bss.*) *(COMMON) PROVIDE(_bss_end = .); } >ram
  __bss_end = _bss_end;
  PROVIDE(_memory_start = ORIGIN(ram));
  PROVIDE(_memory_end = ORIGIN(ram) + LENGTH(ram));
  PROVIDE(_heap_size = _memory_end - _nobody_asks);
  PROVIDE(__stack_top = _memory_end);
  /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) }
}
"""
# Code in a ROM, data loaded from there, sizes with defaults.
ROM_AND_RAM = """
ENTRY(boot)
MEMORY { ROM (rx) : ORIGIN = 0x80000000, LENGTH = 64K
         RAM (rwx) : ORIGIN = 0x80010000, LENGTH = 64K }
STACK_SIZE = DEFINED(STACK_SIZE) ? STACK_SIZE : 0x400;
SECTIONS {
  .text : { *(.text.boot) *(.text*) } > ROM
  .rodata : { *(.rodata*) *(.srodata*) } > ROM
  .data : { _sdata = .; *(.data*) _edata = .; } > RAM AT> ROM
  .sdata : { *(.sdata*) } > RAM
  _sidata = LOADADDR(.data);
  .bss (NOLOAD) : { __bss = .; *(.bss*) *(.sbss*) *(COMMON) __bss_end = .; } > RAM
  .heap (NOLOAD) : { . = ALIGN(16); _heap = .; . += 0x100; } > RAM
  .stack ORIGIN(RAM) + LENGTH(RAM) - STACK_SIZE : { . = STACK_SIZE; __stack_top = .; } > RAM
  ASSERT(__stack_top > _heap, "no room")
}
"""
SCRIPTS = {"one region": ONE_REGION, "rom and ram": ROM_AND_RAM}


def loaded(data: bytes) -> dict[int, int]:
    """The bytes of a program by the physical address that they are loaded at."""
    found: dict[int, int] = {}
    for segment in ELFFile(io.BytesIO(data)).iter_segments("PT_LOAD"):
        found.update(enumerate(segment.data(), segment["p_paddr"]))
    # Gaps may be filled or not.
    return {address: byte for address, byte in found.items() if byte}


@needs_gcc
@pytest.mark.parametrize("defsym", ["", "STACK_SIZE=0x800"])
@pytest.mark.parametrize("flags", ["-O0 -g", "-O2 -ffunction-sections -fdata-sections"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_program_is_that_of_gnu_ld(tmp_path, name, flags, defsym):
    made = compile_c(tmp_path, "a.c", PROGRAM, *flags.split())
    script = tmp_path / "x.ld"
    script.write_text(SCRIPTS[name])
    given = dict([defsym.split("=")]) if defsym else {}
    ours = link([made], script=script, defsyms=given).to_elf()
    options = [f"--defsym={defsym}"] if defsym else []
    gnu = gnu_ld(tmp_path, *options, "-T", script, made)
    assert differences(read_program(ours), read_program(gnu)) == []
    assert loaded(ours) == loaded(gnu)


def test_a_name_that_nothing_provides_is_still_missed():
    script = Source("x.ld", "SECTIONS { .text : { *(.text) } PROVIDE(a = b + 1); PROVIDE(c = d); }")
    assemble(Source("a.s", "_start: nop\n"), script=script)
    with pytest.raises(AssemblyError) as caught:
        assemble(Source("a.s", "_start: la a0, a\n"), script=script)
    assert [d.message for d in caught.value.errors] == ["`b` is not defined"]
