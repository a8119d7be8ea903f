"""The independent judge: GNU as and ld for RISC-V, and what they make of a source."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

AS = shutil.which("riscv64-unknown-elf-as")
LD = shutil.which("riscv64-unknown-elf-ld")
READELF = shutil.which("riscv64-unknown-elf-readelf")
OBJDUMP = shutil.which("riscv64-unknown-elf-objdump")
FLAGS = ["-march=rv32ima_zicsr_zifencei", "-mabi=ilp32", "-mno-relax"]

SIGXFSZ = 25

needs_gnu = pytest.mark.skipif(
    AS is None or LD is None, reason="riscv64-unknown-elf-as and -ld are not installed"
)


class GnuError(Exception):
    """GNU as or ld refused the source; the text is theirs."""


class GnuTooLarge(GnuError):
    """GNU as or ld took the source, and was stopped when it wrote more than `at_most` allows."""


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file of more bytes: some sources ask for gigabytes of padding."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True)
class Program:
    """A linked program: allocated sections by name, symbols and entry."""

    sections: dict[str, tuple[int, bytes]]
    symbols: dict[str, int]
    entry: int


def run(command: list[str], cwd: Path) -> str:
    """Run a tool; its messages, or GnuError."""
    done = subprocess.run(command, capture_output=True, cwd=cwd, check=False)
    if done.returncode == -SIGXFSZ:
        raise GnuTooLarge(f"{command[0]}: its file was larger than it may be")
    if done.returncode:
        raise GnuError(done.stderr.decode(errors="replace"))
    return done.stderr.decode(errors="replace")


def gnu_link(
    folder: Path,
    sources: dict[str, str] | list[Path],
    includes: list[Path] = (),
    base=0x80000000,
    options: list[str] = (),
) -> Program:
    """Assemble and link with the GNU tools inside ``folder``."""
    assert AS is not None
    assert LD is not None
    objects = []
    paths: list[Path] = []
    if isinstance(sources, dict):
        for name, text in sources.items():
            path = folder / name
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            paths.append(path)
    else:
        paths = list(sources)
    flags = [f"-I{d}" for d in includes]
    for number, path in enumerate(paths):
        obj = folder / f"gnu{number}.o"
        run([AS, *FLAGS, *flags, f"-I{path.parent}", str(path), "-o", str(obj)], folder)
        objects.append(str(obj))
    out = folder / "gnu.elf"
    run(
        [LD, "-m", "elf32lriscv", f"-Ttext={base:#x}", "--no-warn-rwx-segments", *options,
         *objects, "-o", str(out)],
        folder,
    )  # fmt: skip
    return read_program(out.read_bytes())


SYMBOL = struct.Struct("<IIIBBH")
"""Elf32_Sym: name, value, size, info (its low four bits are the type), other, section."""
STT_SECTION, STT_FILE = 3, 4
SHN_UNDEF = 0


def read_program(data: bytes) -> Program:
    """What an ELF executable loads and defines."""
    elf = ELFFile(io.BytesIO(data))
    sections: dict[str, tuple[int, bytes]] = {}
    for section in elf.iter_sections():
        if section["sh_flags"] & 2 and section["sh_size"]:
            content = section.data() if section["sh_type"] != "SHT_NOBITS" else b""
            sections[section.name] = section["sh_addr"], content
    symbols: dict[str, int] = {}
    table = elf.get_section_by_name(".symtab")
    if table:
        # A line of arithmetic for each of them: pyelftools takes a tenth of a millisecond.
        names = elf.get_section(table["sh_link"]).data()
        for at, value, _, info, _, section in SYMBOL.iter_unpack(table.data()):
            name = names[at : names.index(b"\0", at)].decode()
            # Mapping symbols ($x, $d) mark code and data for disassemblers.
            skipped = info & 15 in (STT_SECTION, STT_FILE) or section == SHN_UNDEF
            if name and not skipped and not name.startswith(("$x", "$d")):
                symbols[name] = value
    return Program(sections, symbols, elf["e_entry"])


GNU_SOURCE = "gnu.s"


def gnu_errors(folder: Path, head: list[str], statements: list[str]) -> dict[int, str]:
    """What GNU as says against each statement (by index), all of them in one source.

    Some mistakes are only found once the others are gone: it runs until nothing new comes.
    """
    assert AS is not None
    found: dict[int, str] = {}
    while True:
        kept = [s if i not in found else "" for i, s in enumerate(statements)]
        (folder / GNU_SOURCE).write_text("\n".join([*head, *kept]) + "\n")
        done = subprocess.run(
            [AS, *FLAGS, GNU_SOURCE, "-o", "errors.o"], capture_output=True, cwd=folder,
            check=False, text=True,
        )  # fmt: skip
        before = len(found)
        for line, text in re.findall(r"gnu\.s:(\d+): (?:Fatal e|E)rror: (.*)", done.stderr):
            found.setdefault(int(line) - len(head) - 1, text)
        if done.returncode == 0 or len(found) == before:
            return found


LINKER_SYMBOLS = {
    "__bss_start", "_edata", "edata", "_end", "end", "__BSS_END__", "__DATA_BEGIN__",
    "__SDATA_BEGIN__", "__global_pointer$", "etext", "_etext", "__etext",
}  # fmt: skip


def differences(ours: Program, gnu: Program) -> list[str]:
    """What differs in content, addresses and symbols, in words; empty if nothing."""
    out = []
    for name in sorted(set(ours.sections) | set(gnu.sections)):
        a, b = ours.sections.get(name), gnu.sections.get(name)
        if a is None or b is None:
            out.append(f"{name}: only {'GNU' if a is None else 'ours'} has it")
        elif a[0] != b[0]:
            out.append(f"{name}: at {a[0]:#x}, GNU at {b[0]:#x}")
        elif a[1] != b[1]:
            at = next(
                (i for i, (x, y) in enumerate(zip(a[1], b[1], strict=False)) if x != y),
                min(len(a[1]), len(b[1])),
            )
            at &= ~3
            out.append(
                f"{name}+{at:#x}: ours {a[1][at : at + 8].hex()} ({len(a[1])} bytes), "
                f"GNU {b[1][at : at + 8].hex()} ({len(b[1])} bytes)"
            )
    for name in sorted(set(ours.symbols) | set(gnu.symbols)):
        if ours.symbols.get(name) != gnu.symbols.get(name) and name not in LINKER_SYMBOLS:
            out.append(f"symbol {name}: {ours.symbols.get(name)}, GNU {gnu.symbols.get(name)}")
    if ours.entry != gnu.entry:
        out.append(f"entry {ours.entry:#x}, GNU {gnu.entry:#x}")
    return out
