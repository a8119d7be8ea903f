"""Measure everything and write the tables into docs/performance.md: `make bench`.

    python -m benchmarks [--rounds 5] [--steps 200000000] [--cold] [--long] [--only SECTION]

The text outside the markers stays as it is.  Peers that are not installed are left out.  `--cold`
also measures a first start with an empty compile cache, `--long` runs of 2,000,000,000
instructions with all warm-up included.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import assembler, chart, features
from benchmarks.goals import Goals
from toyvm.hypervisor.warm import warm
from toyvm.proofs import bench, cpu, overhead, scale
from toyvm.proofs.peers import Peer, cold, peers

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
SECTIONS = ("cpu", "features", "overhead", "exits", "scale", "assembler", "start")
LONG_STEPS = 2_000_000_000


def processor() -> str:
    """The processor's own name, where the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def qemu_version() -> str:
    """Version of the installed QEMU, or that there is none."""
    command = shutil.which("qemu-system-riscv32")
    if command is None:
        return "no QEMU"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return "QEMU " + done.stdout.split("version ", 1)[-1].split(" ", 1)[0].strip()


def machine_line() -> str:
    """Machine, versions and date in one line."""
    versions = []
    for name in ("numba", "llvmlite", "numpy", "spike", "unicorn"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    return (
        f"{processor()}, {os.cpu_count()} logical processors, Python "
        f"{platform.python_version()}, {', '.join([*versions, qemu_version()])}; "
        f"{datetime.date.today().isoformat()}."
    )


def table(headings: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table; the first column is text, the others are numbers."""
    return [
        "| " + " | ".join(headings) + " |",
        "|---" + "|--:" * (len(headings) - 1) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]


def facts_table(title: str, facts: dict[str, Any]) -> list[str]:
    """A titled table of two columns."""

    def shown(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.3f}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    rows = [[name, shown(value)] for name, value in facts.items()]
    return [f"### {title}", "", *table(["what", "value"], rows)]


def spread(cell: cpu.Cell) -> str:
    """`median (min-max)`."""
    return f"{cell.median:.0f} ({min(cell.mips):.0f}-{max(cell.mips):.0f})"


def cpu_section(rounds: int, steps: int, goals: Goals) -> list[str]:
    """Guest MIPS of everybody on the six programs, in turns; writes the charts too."""
    result = cpu.measure(steps=steps, rounds=rounds)
    names = [peer.name for peer in result.peers]
    rows = [
        [name, f"{result.instructions[name]:,}"]
        + [spread(result.cells[peer, name]) for peer in names]
        for name in result.programs
    ]
    rows.append(["geometric mean", ""] + [f"**{result.geomean(peer):,.0f}**" for peer in names])
    lines = ["### Guest MIPS on six programs", ""]
    lines += [f"`{peer.name}`: {peer.what}.  " for peer in result.peers] + [""]
    lines += table(["program", "instructions", *names], rows)
    if chart.draw(result, PAGE.parent):
        lines += ["![geometric mean of each](performance.png)", ""]
    ratios = [
        pair
        for pair in (("bare", "spike"), ("paged", "spike"), ("vm", "bare"), ("tier2", "qemu"))
        if result.has(*pair)
    ]
    if ratios:
        lines += ["### Ratios, medians of the rounds' own ratios", ""]
        lines += table(
            ["program", *(f"{a} / {b}" for a, b in ratios)],
            [
                [name, *(f"{result.ratio(a, b, name):.2f}" for a, b in ratios)]
                for name in result.programs
            ]
            + [["geometric mean", *(f"**{result.mean_ratio(a, b):.2f}**" for a, b in ratios)]],
        )
    goals.at_least("tier 1, M-mode, geometric mean, MIPS", result.geomean("bare"), 600)
    if result.has("spike"):
        for peer, what in (("bare", "M-mode"), ("paged", "Sv32 on")):
            goals.at_least(f"tier 1, {what} / Spike", result.mean_ratio(peer, "spike"), 2, "×")
    if result.has("tier2", "qemu"):
        worst = min(result.ratio("tier2", "qemu", name) for name in result.programs)
        goals.at_least("tier 2 in a VM / QEMU, worst program", worst, 1, "×")
        mean = result.mean_ratio("tier2", "qemu")
        goals.at_least("tier 2 in a VM / QEMU, geometric mean", mean, 2, "×")
    return lines


def long_section(rounds: int, goals: Goals) -> list[str]:
    """Runs of 2·10^9 instructions from cold: translation and all."""
    qemu = [peer for peer in peers() if peer.name == "qemu"]
    if not qemu:
        return []
    ours = Peer("tier2", "toyvm in a VM, Sv32, translated", "system", True, cold, False)
    chosen = [ours, Peer("qemu", qemu[0].what, "system", True, qemu[0].run)]
    result = cpu.measure(chosen, steps=LONG_STEPS, rounds=max(1, rounds // 2))
    rows = [
        [name, *(spread(result.cells[peer.name, name]) for peer in chosen)]
        + [f"{result.ratio('tier2', 'qemu', name):.2f}"]
        for name in result.programs
    ]
    mean = result.mean_ratio("tier2", "qemu")
    rows.append(["geometric mean", "", "", f"**{mean:.2f}**"])
    worst = min(result.ratio("tier2", "qemu", name) for name in result.programs)
    goals.at_least("tier 2 / QEMU, 2·10^9 instructions from cold, worst program", worst, 1, "×")
    goals.at_least("tier 2 / QEMU, 2·10^9 instructions from cold, geometric mean", mean, 1, "×")
    return [
        f"### Runs of {LONG_STEPS:,} instructions from cold, warm-up included, MIPS",
        "",
        "Each run of ours is a new process; its start is not counted, the compiling thread is.",
        "",
        *table(["program", "tier2", "qemu", "tier2 / qemu"], rows),
    ]


def features_section(rounds: int) -> list[str]:
    """What each feature costs."""
    rows = [
        [name, f"{mips:.0f}", f"{relative:.3f}"]
        for name, mips, relative in (*features.measure(rounds), *features.stores(rounds))
    ]
    return [
        f"### What a feature costs in the loop (`{features.PROGRAM}`, tier 1)",
        "",
        *table(["with", "MIPS", "time relative to plain"], rows),
    ]


def overhead_section(rounds: int, goals: Goals) -> list[str]:
    """Virtualised / bare of four loads on each rung."""
    loads = overhead.measure(rounds=rounds)
    rows = []
    wanted = {
        "u": {"cpu": 1.01, "syscalls": 5, "faults": 6, "switches": 5},
        "pv": {"cpu": 1.01, "syscalls": 2, "faults": 2, "switches": 2},
    }
    for load in loads:
        for rung, facts in load.facts()["rungs"].items():
            ratio = facts["ratio"]
            rows.append(
                [
                    f"{load.name}: a {overhead.WHAT[load.name]}",
                    rung,
                    f"{load.path:,.0f}",
                    f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})",
                    f"{facts['exits_per_operation']:.2f}",
                    f"{facts['instructions_per_exit']:,.0f}",
                    ", ".join(
                        f"{cause} {count:,}"
                        for cause, count in sorted(
                            facts["exits"].items(), key=lambda pair: -pair[1]
                        )[:4]
                    ),
                ]
            )
            if rung in wanted:
                goals.at_most(
                    f"virtualised / bare, {load.name}, technique {rung}",
                    ratio["median"],
                    wanted[rung][load.name],
                    "×",
                )
    heads = ["load", "rung", "bare path, steps", "virtualised / bare", "exits each"]
    return [
        "### Virtualised against bare",
        "",
        *table([*heads, "steps per exit", "most exits"], rows),
    ]


def exits_section(rounds: int, goals: Goals) -> list[str]:
    """Microbenchmarks of exits."""
    facts = bench.exits(rounds)
    for name, value in facts.items():
        if name.startswith("compiled exit"):
            goals.at_most("a compiled exit, ns", float(value), 50)
        if name.startswith("device exit"):
            goals.at_most("a device exit through Python, µs", float(value) / 1000, 5)
    return facts_table("Cost of an exit", facts)


def scale_section(rounds: int, goals: Goals) -> list[str]:
    """Threads, sleepers, memory, boot."""
    boot, memory = scale.boot(), scale.idle_memory()
    idle, busier = scale.idle_guests(), scale.idle_guests(wakes=100)
    threads = scale.threads(rounds)
    goals.at_least(
        "two VMs on two threads / in turns", threads["throughput, threads / turns"], 1.8, "×"
    )
    goals.at_most(
        "100 idle guests that wake 10 times a second, in real time, % of a core",
        100 * idle["processor seconds a second"],
        5,
    )
    goals.at_most("an idle VM, resident MiB", memory["resident memory of each, MiB"], 2)
    goals.at_most("boot of the smallest guest, warm, ms", next(iter(boot.values())), 5)
    facts = boot | threads
    facts |= {f"memory: {name}": value for name, value in memory.items()}
    facts |= {f"idle guests: {name}": value for name, value in idle.items()}
    facts["the same with 100 wake-ups a second"] = busier["processor seconds a second"]
    return facts_table("Scale", facts)


def cold_start() -> dict[str, float]:
    """Elapsed and processor seconds of a first start with an empty compile cache."""
    import resource

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "toyvm.cli.main", "run", "hello"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        began = time.perf_counter()
        subprocess.run(
            command, env={**os.environ, "TOYVM_CACHE_DIR": folder}, capture_output=True, check=True
        )
        elapsed = time.perf_counter() - began
        return {
            "first start of `toyvm run hello`, elapsed s": elapsed,
            "of which processor s": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before,
        }


def start_section(rounds: int, cold: bool, goals: Goals) -> list[str]:
    """Starts as a user sees them."""
    facts: dict[str, Any] = bench.start(rounds)
    for name, value in facts.items():
        if "--help" in name:
            goals.at_most("`toyvm --help`, s", value, 0.25)
        elif "hello" in name:
            goals.at_most("cached start to the end of `hello`, s", value, 1)
    if cold:
        first = cold_start()
        facts |= first
        goals.at_most("first start with compiling, s", first["of which processor s"], 15)
    return facts_table("Starts", facts)


def put(page: str, marker: str, text: str) -> str:
    """Replace what stands between the markers of that name; the page as it is without them."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    if begin not in page or end not in page:
        return page
    before, rest = page.split(begin, 1)
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.split(end, 1)[1]}"


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=cpu.STEPS)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", choices=SECTIONS, action="append")
    arguments = parser.parse_args()
    rounds, goals = arguments.rounds, Goals()
    chosen = arguments.only or SECTIONS
    warm(lambda *_: None)
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    makers = {
        "cpu": lambda: (
            cpu_section(rounds, arguments.steps, goals)
            + (long_section(rounds, goals) if arguments.long else [])
        ),
        "features": lambda: features_section(rounds),
        "overhead": lambda: overhead_section(rounds, goals),
        "exits": lambda: exits_section(rounds, goals),
        "scale": lambda: scale_section(rounds, goals),
        "assembler": lambda: assembler.section(rounds, goals),
        "start": lambda: start_section(rounds, arguments.cold, goals),
    }
    texts = []
    for name in chosen:
        print(f"measuring {name} ...", file=sys.stderr)
        if affinity:
            os.sched_setaffinity(0, affinity)
        texts.append("\n".join(makers[name]()))
    text = "\n".join([machine_line(), "", "### Goals", "", *goals.lines(), *texts])
    print(text)
    if chosen == SECTIONS and PAGE.exists():
        temporary = PAGE.with_suffix(".tmp")
        temporary.write_text(put(PAGE.read_text(), "measured", text))
        temporary.replace(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
