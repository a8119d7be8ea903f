"""The assembler: GNU syntax for RV32IMA, real ELF, errors that teach.

    image = assemble([Path("boot.s"), Source("main.s", text)])
    image.to_elf()

``assemble`` returns an ``Image`` or raises ``AssemblyError`` with the list of diagnostics.

Bytes and addresses are those of ``riscv64-unknown-elf-as -march=rv32ima_zicsr_zifencei
-mabi=ilp32 -mno-relax`` and ``ld -Ttext=BASE``.  The differences that are meant:

- refused, though GNU as takes it silently: ``lw a0, a1`` and ``j a1`` (there: symbols of these
  names), ``li a0, 0x1ffffffff`` (there: the low half), escapes in strings that do not exist,
  a comma with nothing behind it, withdrawn instructions;
- ``.align 2`` and ``.align 1`` align in code as well (there they are ignored);
- ``'\\0'`` and other octal character constants are as in C (there ``'\\0'`` is 48);
- ``//`` begins a comment anywhere; ``.rodata`` is a directive.

docs/assembler.md lists all of them, the warnings (``assemble(..., warnings=["no-NAME"])``) and
the keys of ``Diagnostic.as_json()``.
"""

from __future__ import annotations

from .api import assemble, assemble_object, link
from .archive import Archive, read_archive
from .diagnostics import AssemblyError, Diagnostic, Place
from .image import Image, Row, Segment, SymbolInfo
from .limits import Limits
from .objects import ObjectFile
from .objread import ObjectError, read_object
from .script import parse_script
from .source import Source

__all__ = [
    "Archive",
    "AssemblyError",
    "Diagnostic",
    "Image",
    "Limits",
    "ObjectError",
    "ObjectFile",
    "Place",
    "Row",
    "Segment",
    "Source",
    "SymbolInfo",
    "assemble",
    "assemble_object",
    "link",
    "parse_script",
    "read_archive",
    "read_object",
]
