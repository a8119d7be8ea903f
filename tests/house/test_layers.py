"""Imports point downward only, and what must start fast loads no compiler."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def lint_imports() -> str | None:
    beside = Path(sys.executable).parent / "lint-imports"
    return str(beside) if beside.exists() else shutil.which("lint-imports")


@pytest.mark.skipif(lint_imports() is None, reason="import-linter is not installed")
@pytest.mark.skipif(not (PROJECT / "pyproject.toml").exists(), reason="runs in a checkout")
def test_the_contracts_hold() -> None:
    program = lint_imports()
    assert program
    done = subprocess.run(
        [program, "--no-cache"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.skipif(not (PROJECT / "pyproject.toml").exists(), reason="runs in a checkout")
def test_every_package_is_in_the_picture() -> None:
    """A new package of toyvm must be given a layer, or the contracts would not see it."""
    import tomllib

    config = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    named = {name.strip() for layer in layers for name in layer.split("|")}
    packages = {
        f"toyvm.{path.stem}"
        for path in (PROJECT / "toyvm").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"toyvm.__init__", "toyvm.__main__"}
    assert packages - named == set()


LIGHT = [
    "toyvm",
    "toyvm.isa",
    "toyvm.isa.table",
    "toyvm.isa.disasm",
    "toyvm.platform",
    "toyvm.devices.bus",
    "toyvm.devices.virtio_mmio",
    "toyvm.storage",
    "toyvm.network",
    "toyvm.firmware.sbi",
    "toyvm.firmware.devicetree",
    "assembler",
    "guestos",
    "toyvm.cli.main",
]


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", LIGHT)
def test_importing_it_loads_no_compiler(name: str) -> None:
    loaded = modules_after(f"import {name}")
    assert name in loaded
    assert not {m for m in loaded if m.split(".")[0] in ("numba", "llvmlite")}


@pytest.mark.parametrize("name", [n for n in LIGHT if not n.startswith("toyvm.cli")])
def test_importing_it_loads_no_terminal_library(name: str) -> None:
    loaded = modules_after(f"import {name}")
    assert not {m for m in loaded if m.split(".")[0] in ("rich", "prompt_toolkit", "typer")}


def test_the_check_can_fail() -> None:
    """The same check on something that does load the compiler."""
    loaded = modules_after("import toyvm.hart.core")
    assert "numba" in loaded


@pytest.mark.parametrize("folder", ["toyvm", "assembler", "guestos", "lessons"])
def test_files_have_one_idea(folder: str) -> None:
    """No file of the packages grows past 700 lines; most have less than 500."""
    sizes = {
        str(path.relative_to(PROJECT)): len(path.read_text("utf-8").splitlines())
        for path in (PROJECT / folder).rglob("*.py")
    }
    assert not {path: lines for path, lines in sizes.items() if lines > 700}


def test_every_module_says_what_it_is() -> None:
    """A docstring for every module of the packages but data and empty __init__ files."""
    silent = []
    for folder in ("toyvm", "assembler", "guestos"):
        for path in (PROJECT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            if text.strip() and not ast.get_docstring(ast.parse(text)):
                silent.append(str(path.relative_to(PROJECT)))
    assert not silent
