"""The assembler: GNU syntax for RV32IMA, real ELF, errors that teach.

    image = assemble([Path("boot.s"), Source("main.s", text)])
    image.to_elf()

``assemble`` returns an ``Image`` or raises ``AssemblyError`` with the list of diagnostics.
"""

from __future__ import annotations

from .api import assemble
from .diagnostics import AssemblyError, Diagnostic, Place
from .image import Image, Row, Segment, SymbolInfo
from .limits import Limits
from .source import Source

__all__ = [
    "AssemblyError",
    "Diagnostic",
    "Image",
    "Limits",
    "Place",
    "Row",
    "Segment",
    "Source",
    "SymbolInfo",
    "assemble",
]
