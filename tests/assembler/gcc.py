"""gcc for RISC-V, the other source of objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .gnu import LD, run

GCC = shutil.which("riscv64-unknown-elf-gcc")
AR = shutil.which("riscv64-unknown-elf-ar")
GCC_FLAGS = ["-march=rv32ima", "-mabi=ilp32", "-mno-relax", "-ffreestanding"]
LD_FLAGS = ["-m", "elf32lriscv", "--no-relax", "--no-warn-rwx-segments"]

needs_gcc = pytest.mark.skipif(
    GCC is None or AR is None or LD is None, reason="riscv64-unknown-elf-gcc is not installed"
)


def compile_c(folder: Path, name: str, text: str, *flags: str) -> Path:
    """The object of a C source."""
    assert GCC is not None
    (folder / name).write_text(text)
    made = folder / (name[:-2] + ".o")
    run([GCC, *GCC_FLAGS, *(flags or ("-O2",)), "-c", name, "-o", made.name], folder)
    return made


def libgcc(folder: Path) -> Path:
    """gcc's own library."""
    import subprocess

    assert GCC is not None
    command = [GCC, "-march=rv32ima", "-mabi=ilp32", "-print-libgcc-file-name"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return Path(done.stdout.strip())


def gnu_ld(folder: Path, *arguments: str | Path) -> bytes:
    """What GNU ld makes of the arguments."""
    assert LD is not None
    run([LD, *LD_FLAGS, *map(str, arguments), "-o", "gnu.elf"], folder)
    return (folder / "gnu.elf").read_bytes()
