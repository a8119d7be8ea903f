"""Images by name: ELF files, flat binaries, sources assembled on the fly, shipped guests."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toyvm.debugger.symbols import Symbols, from_assembly, from_elf
from toyvm.ui.text import did_you_mean

from .errors import fail

if TYPE_CHECKING:
    from guestos import Guest

DEFAULT_BIOS = "sbi"
DEFAULT_RAM = "128M"
ELF_MAGIC = b"\x7fELF"


@dataclass
class LoadedImage:
    """An image ready for a loader. `data` is what `Machine.load` takes.

    `kind` is "elf", "flat", "source" or "guest"; `bios`, `ram`, `harts`, `sstc` and `ad` are what
    the image asks for.
    `origin` is what symbols and ELF come from: an `assembler.Image`, the bytes of an ELF file,
    or None. Both are made when they are first asked for: most runs never do.
    """

    name: str
    kind: str
    data: Any
    bios: str = DEFAULT_BIOS
    ram: str | int = DEFAULT_RAM
    origin: Any = None
    harts: int = 1
    sstc: bool = False
    ad: str = "hardware"

    @cached_property
    def symbols(self) -> Symbols:
        """The names of the image's addresses."""
        if self.origin is None:
            return Symbols()
        if isinstance(self.origin, bytes):
            return from_elf(self.origin)
        return from_assembly(self.origin)

    @cached_property
    def elf(self) -> bytes:
        """The image as an ELF file, empty for a flat binary."""
        if self.origin is None or isinstance(self.origin, bytes):
            return self.origin or b""
        return bytes(self.origin.to_elf())


def open_image(text: str) -> LoadedImage:
    """The image that `text` names; a file wins over a guest of the same name."""
    if not text:
        fail("an empty image name; expected an ELF file, a flat binary, a .s source or a guest")
    path = Path(text).expanduser()
    if path.is_dir():
        if _is_guest(text):
            return open_guest(text)
        fail(f"{text} is a directory; expected an ELF file, a flat binary or a .s source")
    if not path.exists():
        if _is_guest(text):
            return open_guest(text)
        known = [guest.name for guest in shipped_guests()]
        near = did_you_mean(text, known)
        fail(f'no such file or guest: "{text}"{near} (toyvm guests lists the shipped ones)')
    if path.suffix.lower() == ".s":
        return open_source(path)
    return open_file(path)


def open_file(path: Path) -> LoadedImage:
    """An ELF file or a flat binary."""
    from toyvm.machine.loader import FlatFile, read_image
    from toyvm.machine.loader import from_elf as check_elf

    _, data = read_image(path)
    if not data:
        fail(f"{path} is empty; expected an ELF file or a flat binary")
    if data[:4] == ELF_MAGIC:
        program = check_elf(data, str(path))
        return LoadedImage(path.name, "elf", program, origin=data)
    if path.suffix.lower() == ".elf":
        fail(
            f"{path} is no ELF file: it starts with {data[:4].hex(' ')}, expected "
            f"{ELF_MAGIC.hex(' ')}; name it .bin to load it as a flat binary"
        )
    flat = FlatFile(data)
    flat.name = str(path)
    return LoadedImage(path.name, "flat", flat)


def open_source(path: Path) -> LoadedImage:
    """A source assembled on the fly; its errors are shown as `toyvm asm` shows them."""
    image, problems = assemble_files([path], (), {})
    if problems:
        from .cmd_asm import show

        show(problems, "text")
    if image is None:
        fail(f"{path} does not assemble")
    if not any(segment.memsz or segment.data for segment in image.segments):
        fail(f"{path} holds no code: expected instructions, from the label _start on")
    return from_image(path.name, "source", image)


def from_image(name: str, kind: str, image: Any) -> LoadedImage:
    """An assembled image under its name."""
    from toyvm.machine.loader import load_program

    program = load_program(image, 0)
    program.name = name
    return LoadedImage(name, kind, program, origin=image)


def assemble_files(
    files: Sequence[Path], include: Sequence[Path], defines: Mapping[str, int]
) -> tuple[Any, list[Any]]:
    """(image, diagnostics); the image is None when there are errors."""
    from assembler import AssemblyError, assemble

    for path in files:
        if not path.is_file():
            fail(f"no such file: {path}")
    try:
        image = assemble(list(files), include_dirs=list(include), defines=defines)
    except AssemblyError as error:
        return None, list(error.diagnostics)
    return image, list(image.warnings)


def shipped_guests() -> list[Guest]:
    """The guests of the manifest, probes included."""
    from guestos import manifest

    return list(manifest().values())


def _is_guest(text: str) -> bool:
    return any(guest.name == text for guest in shipped_guests())


def open_guest(name: str) -> LoadedImage:
    """A shipped guest, assembled from its sources."""
    from guestos import build, manifest

    guest = manifest()[name]
    built = build(name)
    image = from_image(name, "guest", built)
    if guest.elf:
        image.origin = built.to_elf()
    image.bios, image.ram = guest.bios, guest.ram
    image.harts, image.sstc, image.ad = guest.harts, guest.sstc, guest.ad
    return image


def parse_address(text: str, what: str) -> int:
    """A 32-bit address that is a multiple of 4."""
    try:
        value = int(text, 0)
    except ValueError:
        fail(f'{what} "{text}": expected an address such as 0x80000000')
    if not 0 <= value < 1 << 32 or value % 4:
        fail(f'{what} "{text}": expected a multiple of 4 below 2^32')
    return value


def code_of(image: LoadedImage, base: int) -> list[tuple[str, int, bytes]]:
    """(section, address, bytes) of what an image holds as code."""
    if image.kind == "flat":
        return [("flat", base, image.data)]
    return _sections(image.elf) or [
        ("segment", address, data) for address, data, _ in image.data.segments
    ]


def _sections(elf_data: bytes) -> list[tuple[str, int, bytes]]:
    """The executable sections of an ELF file, by address; none if it has no section table."""
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(elf_data))
    found = [
        (section.name, section["sh_addr"], section.data())
        for section in elf.iter_sections()
        if section["sh_flags"] & 4 and section["sh_type"] != "SHT_NOBITS" and section["sh_size"]
    ]
    return sorted(found, key=lambda item: item[1])
