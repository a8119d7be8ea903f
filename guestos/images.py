"""Images of the guests: made by the project's assembler from the sources in this package, or built
by a C compiler before (see c/README.md)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from .listing import Guest, GuestError, manifest

if TYPE_CHECKING:
    from assembler import Image
    from assembler.image import Segment


@dataclass
class Prebuilt:
    """The ELF file of a guest in C, with the face of an assembled image."""

    name: str
    file: bytes
    entry: int
    segments: list[Segment] = field(default_factory=list)
    symbols: dict[str, int] = field(default_factory=dict)
    warnings: tuple[()] = ()

    def to_elf(self) -> bytes:
        """The file as the compiler's linker made it."""
        return self.file


def root() -> Path:
    """The folder of the guests' sources, wherever the package is installed."""
    return Path(str(files(__package__)))


def include_dirs() -> list[Path]:
    """Where ``.include`` looks for the guests' sources."""
    return [root() / "include", root()]


def guest(name: str) -> Guest:
    """One guest; GuestError names those that exist if it does not."""
    known = manifest()
    if name not in known:
        names = ", ".join(n for n, g in known.items() if g.kind != "probe")
        raise GuestError(f"there is no guest {name!r}; expected one of {names} or a probe")
    return known[name]


def sources(name: str) -> list[Path]:
    """The source files of a guest in link order; GuestError if there is no such guest."""
    return [root() / source for source in guest(name).sources]


def expectation(name: str) -> str:
    """What must happen to a hostile guest, from its source's header; empty for other guests."""
    for line in sources(name)[0].read_text("utf-8").splitlines():
        if line.startswith("# expect: "):
            return line.removeprefix("# expect: ")
    return ""


def build(name: str, defines: Mapping[str, int] | None = None) -> Image | Prebuilt:
    """The guest ``name``, assembled and linked; the second time in one process from a cache.

    A guest in C is read from its ELF file; it takes no ``defines``.

    ``defines`` are symbols for the sources, as ``-D`` gives them to ``toyvm asm``.
    Raises GuestError for an unknown guest and assembler.AssemblyError for sources with errors.
    """
    return _build(name, tuple(sorted((defines or {}).items())))


@lru_cache(maxsize=64)
def _build(name: str, defines: tuple[tuple[str, int], ...]) -> Image | Prebuilt:
    if guest(name).elf:
        return read_elf(name, (root() / guest(name).elf).read_bytes())
    from assembler import assemble

    return assemble(
        sources(name),
        include_dirs=include_dirs(),
        defines=dict(defines),
        text_base=guest(name).base,
    )


def read_elf(name: str, file: bytes) -> Prebuilt:
    """The segments and symbols of an ELF file that a C compiler's linker made."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    from assembler.image import Segment

    elf = ELFFile(io.BytesIO(file))
    image = Prebuilt(name, file, elf.header["e_entry"])
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_LOAD" and segment["p_memsz"]:
            place = segment["p_paddr"], segment.data(), segment["p_memsz"], segment["p_flags"]
            image.segments.append(Segment(*place))
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            for symbol in section.iter_symbols():
                if symbol.name and symbol["st_info"]["type"] not in ("STT_SECTION", "STT_FILE"):
                    image.symbols[symbol.name] = symbol["st_value"]
    return image
