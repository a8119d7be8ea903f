"""The assembler's speed from source to executable: lines a second on a large generated source,
on one that is full of relocations and on the largest guest kernel, with and without line
information, beside GNU as and ld on the same files.

    python -m benchmarks.assembler [--lines 100000] [--rounds 5]

prints the table; `python -m benchmarks` writes it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.goals import Goals

AS = "riscv64-unknown-elf-as"
LD = "riscv64-unknown-elf-ld"
FLAGS = ["-march=rv32ima_zicsr_zifencei", "-mabi=ilp32", "-mno-relax"]
_REGISTERS = (
    [f"a{n}" for n in range(8)] + [f"t{n}" for n in range(7)] + [f"s{n}" for n in range(12)]
)
_BLOCK = 40


def generated(lines: int, seed: int = 1) -> str:
    """A program of about ``lines`` lines: functions of arithmetic, memory, branches and calls,
    with labels, comments and data, no two blocks alike."""
    rng = random.Random(seed)
    out = ["    .globl _start", "_start:"]
    number = 0

    def reg() -> str:
        return rng.choice(_REGISTERS)

    while len(out) < lines:
        number += 1
        out += ["", f"# Function {number}: what a compiler or a person might write.", f"f{number}:",
                "    addi sp, sp, -16", "    sw   ra, 12(sp)",
                f"    la   {reg()}, data{number}"]  # fmt: skip
        for i in range(_BLOCK):
            kind = rng.random()
            if kind < 0.3:
                op = rng.choice(["add", "sub", "and", "or", "xor", "sll", "mul", "sltu"])
                out.append(f"    {op:4} {reg()}, {reg()}, {reg()}")
            elif kind < 0.5:
                op = rng.choice(["addi", "andi", "ori", "xori"])
                out.append(f"    {op} {reg()}, {reg()}, {rng.randint(-2048, 2047)}")
            elif kind < 0.7:
                op = rng.choice(["lw", "sw", "lbu", "sb", "lh"])
                out.append(f"    {op:4} {reg()}, {4 * rng.randint(-99, 99)}({reg()})")
            elif kind < 0.8:
                out.append(f"    li   {reg()}, {rng.getrandbits(32):#x}    # a constant")
            elif kind < 0.9:
                out += [f"    beqz {reg()}, 1f", f"    bne  {reg()}, {reg()}, l{number}_{i}",
                        f"l{number}_{i}:", "1:"]  # fmt: skip
            elif kind < 0.95:
                out.append(f"    call f{rng.randint(1, number)}")
            else:
                out.append(f"    csrrw {reg()}, mscratch, {reg()}")
        out += ["    lw   ra, 12(sp)", "    addi sp, sp, 16", "    ret", "    .data",
                f"data{number}:", f"    .word {number}, f{number}, {rng.getrandbits(32):#x}",
                f'    .asciz "function {number}"', "    .balign 4", "    .text"]  # fmt: skip
    return "\n".join(out) + "\n"


def dense(lines: int, seed: int = 1) -> str:
    """A program of about ``lines`` lines of which nearly each needs a relocation."""
    rng = random.Random(seed)
    out = ["    .globl _start", "_start:"]
    n = 0
    while len(out) < lines:
        n += 1
        near = rng.randint(max(1, n - 50), n)
        out += [f"    .globl g{n}", f"g{n}:", f"    la   a0, d{rng.randint(1, n)}",
                f"    call g{rng.randint(1, n)}", f"    lw   a1, d{n}", f"    sw   a1, d{n}, t0",
                f"    beqz a0, .Lx{n}", f"    lui  a2, %hi(d{n})", f"    addi a2, a2, %lo(d{n})",
                f"    j    g{near}", f".Lx{n}:", f"    bne  a1, a2, g{near}", "    tail _start",
                "    .data", f"d{n}: .word g{n}, d{rng.randint(1, n)}, g{n} - _start",
                "    .text"]  # fmt: skip
    return "\n".join(out) + "\n"


def timed(action: Callable[[], object], rounds: int) -> float:
    """The median of the seconds that the action takes."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def largest_guest() -> str:
    """The guest kernel in assembly with the most lines."""
    from guestos import manifest, sources

    sizes = {
        name: sum(path.read_text("utf-8").count("\n") for path in sources(name))
        for name in manifest()
        if all(path.suffix == ".s" for path in sources(name))
    }
    return max(sizes, key=lambda name: sizes[name])


def rows(lines: int, rounds: int) -> list[dict[str, object]]:
    """What is measured: seconds of both, on the generated sources and the largest kernel.

    Every round gets a source that was not seen before, so that nothing is remembered.
    """
    from assembler import Limits, Source, assemble
    from guestos import include_dirs, sources

    limits = Limits(statements=10_000_000, source_bytes=1 << 28)
    name = largest_guest()
    kernel = sources(name)
    out: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for title, make in (("generated", generated), ("full of relocations", dense)):
            path = Path(folder) / "generated.s"
            path.write_text(make(lines, 0))
            seeds = itertools.count()
            for debug in (False, True):
                texts = [make(lines, next(seeds)) for _ in range(rounds)]

                def build(fresh=iter(texts), debug: bool = debug) -> None:
                    source = Source("generated.s", next(fresh))
                    assemble(source, limits=limits, debug=debug).to_elf()

                out.append(row(title, texts[0].count("\n"), [path], debug, build, rounds, folder))
        size = sum(p.read_text("utf-8").count("\n") for p in kernel)
        for debug in (False, True):

            def build_kernel(debug: bool = debug) -> None:
                assemble(kernel, include_dirs=include_dirs(), debug=debug).to_elf()

            out.append(row(f"guest `{name}`", size, kernel, debug, build_kernel, rounds, folder))
    return out


def row(
    title: str,
    lines: int,
    paths: list[Path],
    debug: bool,
    build: Callable[[], object],
    rounds: int,
    folder: str,
) -> dict[str, object]:
    """One line of the table: seconds of ours, and of GNU's tools if they are installed."""
    from guestos import include_dirs

    found: dict[str, object] = {
        "source": title + (", -g" if debug else ""), "lines": lines, "debug": debug, "gnu": None
    }  # fmt: skip
    found["ours"] = timed(build, rounds)
    if installed():
        found["gnu"] = timed(lambda: gnu(paths, include_dirs(), folder, debug), rounds)
    return found


def installed() -> bool:
    """Whether GNU as and ld are there to be compared with."""
    return shutil.which(AS) is not None and shutil.which(LD) is not None


def gnu(paths: list[Path], includes: list[Path], folder: str, debug: bool) -> None:
    """Assemble the files with GNU as, one call each, as a Makefile does, and link them."""
    flags = [*FLAGS, *(["-g"] if debug else []), *(f"-I{path}" for path in includes)]
    objects = [f"{folder}/{number}.o" for number in range(len(paths))]
    for path, made in zip(paths, objects, strict=True):
        subprocess.run(
            [AS, *flags, f"-I{path.parent}", str(path), "-o", made],
            check=True, capture_output=True, cwd=path.parent,
        )  # fmt: skip
    subprocess.run(
        [LD, "-melf32lriscv", "-Ttext=0x80000000", *objects, "-o", f"{folder}/out.elf"],
        check=True, capture_output=True,
    )  # fmt: skip


def section(rounds: int, goals: Goals, lines: int = 100_000) -> list[str]:
    """The table for docs/performance.md, and what is wanted of it."""
    out = [
        "### The assembler",
        "",
        "From text to the bytes of the executable; GNU's from files to a file, with one process of "
        "`as` for each source and one of `ld`. `-g` means line information, which `toyvm asm` "
        "writes unless told otherwise.",
        "",
        "| source | lines | toyvm | lines/s | GNU as + ld | lines/s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    measured = rows(lines, rounds)
    slowest = max(
        float(str(r["ours"])) for r in measured if str(r["source"]).startswith("generated")
    )
    kernel = max(float(str(r["ours"])) for r in measured if str(r["source"]).startswith("guest"))
    goals.at_least(
        "assembler, generated source to ELF with -g, lines/s",
        int(str(measured[0]["lines"])) / slowest, 80_000,
    )  # fmt: skip
    goals.at_most("assembler, largest guest kernel, s", kernel, 0.3)
    for found in measured:
        count = int(str(found["lines"]))
        cells = [str(found["source"]), f"{count:,}"]
        for who in ("ours", "gnu"):
            seconds = found[who]
            if isinstance(seconds, float):
                cells += [f"{seconds:.2f} s", f"{count / seconds:,.0f}"]
            else:
                cells += ["-", "-"]
        out.append("| " + " | ".join(cells) + " |")
    return [*out, ""]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    goals = Goals()
    table = section(options.rounds, goals, options.lines)
    print("\n".join([*table, *goals.lines()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
