"""`toyvm doctor`: what is installed, the compile cache, what optional tools would add."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import FAILED, OK

PACKAGES = (
    "numba",
    "llvmlite",
    "numpy",
    "prompt_toolkit",
    "rich",
    "typer",
    "pyelftools",
    "platformdirs",
)
OLDEST = (3, 11)
#: Optional tool -> (what it would add, how its presence is found).
TOOLS = {
    "qemu-system-riscv32": "boots the same images on QEMU for comparison",
    "riscv64-unknown-elf-gcc": "builds C programs for RV32IMA",
    "gdb-multiarch": "the independent debugger",
    "tshark": "reads the captures of --net ...,pcap=FILE",
}
MODULES = {"spike": "the reference simulator, for comparison tests"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="doctor",
        help="Check the installation: Python, packages, compile cache, optional tools.",
        epilog="Example: toyvm doctor --json",
    )(doctor)


def doctor(
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Collect the facts; 1 if something needed is missing."""
    from .output import print_json

    facts = collect()
    if json_:
        print_json(facts)
    else:
        _print(facts)
    return OK if facts["ok"] else FAILED


def collect() -> dict[str, Any]:
    """Everything the command reports, as one JSON-ready dictionary."""
    from toyvm import __version__

    packages = {name: _version(name) for name in PACKAGES}
    good = sys.version_info >= OLDEST and all(packages.values())
    return {
        "ok": good,
        "toyvm": __version__,
        "python": platform.python_version(),
        "python_ok": sys.version_info >= OLDEST,
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "packages": packages,
        "cache": cache_facts(packages["numba"]),
        "tools": {name: shutil.which(name) for name in TOOLS},
        "modules": {name: _version(name) for name in MODULES},
    }


def _version(name: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def cache_facts(numba: str | None) -> dict[str, Any]:
    """Folder, size in bytes and files of the compile cache; "error" if it cannot be used."""
    if numba is None:
        return {"folder": None, "error": "numba is missing"}
    from toyvm import jit

    folder = Path(jit.cache_root())
    usable = jit.CACHE_DIR.parts != ()
    facts: dict[str, Any] = {
        "folder": str(folder),
        "present": str(jit.CACHE_DIR) if usable else None,
        "compiled": jit.COMPILED,
        "warm": jit.is_warm(),
        "bytes": 0,
        "files": 0,
        "error": None if usable else "the folder cannot be written",
    }
    if folder.is_dir():
        for path in folder.rglob("*"):
            if path.is_file():
                facts["files"] += 1
                facts["bytes"] += path.stat().st_size
    return facts


def _print(facts: dict[str, Any]) -> None:
    from toyvm.ui.tables import Table, print_table

    table = Table(("what", "state", "remark"))
    python = "ok" if facts["python_ok"] else "too old"
    table.add(f"Python {facts['python']}", python, "3.11 or newer is needed")
    table.add("host", "ok", f"{facts['system']}, {facts['cpus']} processors")
    for name, version in facts["packages"].items():
        table.add(name, version or "missing", "" if version else "pip install toyvm brings it")
    cache = facts["cache"]
    if cache["error"]:
        table.add("compile cache", "not used", f"{cache['error']}: every start compiles anew")
    elif not cache["compiled"]:
        table.add("compile cache", "off", "NUMBA_DISABLE_JIT is set: everything runs very slowly")
    else:
        warm = "ready" if cache["warm"] else "not compiled yet"
        size = cache["bytes"] / (1 << 20)
        remark = f"{cache['folder']}, {size:.1f} MiB in {cache['files']} files"
        table.add("compile cache", warm, remark)
    for name, path in facts["tools"].items():
        table.add(name, "found" if path else "not found", f"optional: {TOOLS[name]}")
    for name, version in facts["modules"].items():
        table.add(name, version or "not found", f"optional: {MODULES[name]}")
    print_table(table)
    if not facts["ok"]:
        sys.stdout.write("Something needed is missing: see the rows above.\n")
