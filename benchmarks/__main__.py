"""Measure everything and write the tables into docs/performance.md: `make bench`.

    python -m benchmarks [--rounds 5] [--cold]

The text outside the two markers stays as it is.  Peers that are not installed are left out.
`--cold` also measures a first start, with an empty compile cache.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from toyvm.hypervisor.warm import warm
from toyvm.proofs import bench

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def processor() -> str:
    """The processor's own name, where the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine_line() -> str:
    """Machine, versions and date in one line."""
    names = ("numba", "llvmlite", "numpy", "spike")
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    today = datetime.date.today().isoformat()
    return (
        f"{processor()}, {os.cpu_count()} logical processors, Python "
        f"{platform.python_version()}, {', '.join(versions)}; {today}."
    )


def spread(value: dict[str, float] | None) -> str:
    """`median (min-max)`."""
    if value is None:
        return "-"
    return f"{value['median']:.0f} ({value['min']:.0f}-{value['max']:.0f})"


def cpu_section(rounds: int) -> list[str]:
    """The table of MIPS beside Spike."""
    lines = [
        "### Guest MIPS, the same ELF in turns",
        "",
        "| program | instructions | toyvm bare | toyvm in a VM | Spike | bare / Spike |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    product, count = 1.0, 0
    for row in bench.cpu_table(rounds):
        ratio = row.get("ratio")
        if ratio:
            product, count = product * ratio, count + 1
        lines.append(
            f"| {row['program']} | {row['steps']:,} | {spread(row['bare'])} | {spread(row['vm'])} "
            f"| {spread(row.get('spike'))} | {f'{ratio:.2f}' if ratio else '-'} |"
        )
    if count:
        lines.append(f"| geometric mean | | | | | {product ** (1 / count):.2f} |")
    return [*lines, ""]


def plain(value: Any) -> str:
    """A number as people write it."""
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def facts_section(title: str, facts: dict[str, Any]) -> list[str]:
    """A table of two columns."""
    lines = [f"### {title}", "", "| what | value |", "|---|--:|"]
    for name, value in facts.items():
        shown = (
            f"{value:,.3f}"
            if isinstance(value, float)
            else f"{value:,}"
            if isinstance(value, int)
            else value
        )
        lines.append(f"| {name} | {shown} |")
    return [*lines, ""]


def cold_start() -> dict[str, Any]:
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


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    arguments = parser.parse_args()
    warm(lambda *_: None)
    lines = [BEGIN, "", machine_line(), ""]
    lines += cpu_section(arguments.rounds)
    lines += facts_section("Virtualised / bare", bench.overhead(arguments.rounds))
    lines += facts_section("Cost of an exit", bench.exits(arguments.rounds))
    start = bench.start(arguments.rounds)
    if arguments.cold:
        start |= cold_start()
    lines += facts_section("Starts", start)
    lines.append(END)
    text = "\n".join(lines)
    print(text)
    if PAGE.exists():
        page = PAGE.read_text()
        if BEGIN in page and END in page:
            before, rest = page.split(BEGIN, 1)
            after = rest.split(END, 1)[1]
            temporary = PAGE.with_suffix(".tmp")
            temporary.write_text(before + text + after)
            temporary.replace(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
