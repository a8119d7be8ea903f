"""The assembler's speed: lines a second on a large generated source and on the largest guest
kernel, beside GNU as on the same files.

    python -m benchmarks.assembler [--lines 100000] [--rounds 5]

prints the table; `python -m benchmarks` writes it into docs/performance.md.
"""

from __future__ import annotations

import argparse
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
    """What is measured: seconds of both, on the generated source and the largest kernel.

    Every round gets a source that was not seen before, so that nothing is remembered.
    """
    from assembler import Limits, Source, assemble
    from guestos import include_dirs, sources

    limits = Limits(statements=10_000_000, source_bytes=1 << 28)
    out: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.s"
        texts = [generated(lines, seed) for seed in range(rounds)]
        path.write_text(texts[0])
        fresh = iter(texts)
        name = largest_guest()
        kernel = sources(name)
        size = sum(p.read_text("utf-8").count("\n") for p in kernel)
        cases: list[tuple[str, int, list[Path], Callable[[], object]]] = [
            ("generated", texts[0].count("\n"), [path],
             lambda: assemble(Source("generated.s", next(fresh)), limits=limits)),
            (f"guest `{name}`", size, kernel,
             lambda: assemble(kernel, include_dirs=include_dirs())),
        ]  # fmt: skip
        for title, count, paths, action in cases:
            row: dict[str, object] = {"source": title, "lines": count, "gnu": None}
            row["ours"] = timed(action, rounds)
            if installed():
                row["gnu"] = timed(lambda p=paths: gnu(p, include_dirs(), folder), rounds)
            out.append(row)
    return out


def installed() -> bool:
    """Whether GNU as is there to be compared with."""
    return shutil.which(AS) is not None


def gnu(paths: list[Path], includes: list[Path], folder: str) -> None:
    """Assemble the files with GNU as, one call each, as a Makefile does."""
    flags = [f"-I{path}" for path in includes]
    for path in paths:
        subprocess.run(
            [AS, *FLAGS, f"-I{path.parent}", *flags, str(path), "-o", f"{folder}/out.o"],
            check=True, capture_output=True, cwd=path.parent,
        )  # fmt: skip


def section(rounds: int, goals: Goals, lines: int = 100_000) -> list[str]:
    """The table for docs/performance.md, and what is wanted of it."""
    out = [
        "### The assembler",
        "",
        "Our time goes from text to a linked program, GNU's from file to object, one process for "
        "each file.",
        "",
        "| source | lines | toyvm | lines/s | GNU as | lines/s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    measured = rows(lines, rounds)
    large, kernel = (float(str(row["ours"])) for row in measured)
    goals.at_least(
        "assembler, generated source, lines/s", int(str(measured[0]["lines"])) / large, 80_000
    )
    goals.at_most("assembler, largest guest kernel, s", kernel, 0.3)
    for row in measured:
        count = int(str(row["lines"]))
        cells = [str(row["source"]), f"{count:,}"]
        for who in ("ours", "gnu"):
            seconds = row[who]
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
