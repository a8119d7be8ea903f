"""Rules of compiled code that no compiler checks (docs/architecture.md, "Kernels")."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.house.kernel_source import ROOT, Kernel, called, kernels, loop_kernels
from toyvm import jit

RAW = {"load8", "load16", "load32", "store8", "store16", "store32", "call_region"}
NAMES = {kernel.name for kernel in kernels()} | RAW | {"clock", "address_of", "core_at", "never"}
#: Never in a kernel: what raises, allocates, or needs Python objects.
FORBIDDEN = (
    ast.Raise,
    ast.Try,
    ast.Assert,
    ast.With,
    ast.Lambda,
    ast.JoinedStr,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.Yield,
    ast.YieldFrom,
    ast.Global,
    ast.Nonlocal,
    ast.FunctionDef,
    ast.Import,
    ast.ImportFrom,
    ast.Delete,
    ast.Starred,
)
#: What a kernel may call besides kernels.
BUILTIN = {"int64", "int32", "uint32", "uint64", "range"}


def failures(check) -> str:  # type: ignore[no-untyped-def]
    """The places where `check(kernel, node)` is true, one a line."""
    return "\n".join(
        kernel.place(node)
        for kernel in loop_kernels()
        for node in kernel.walk()
        if check(kernel, node)
    )


def test_the_kernels_are_found() -> None:
    """The lint sees every function that is compiled, and no other."""
    from toyvm.hypervisor import Vm
    from toyvm.proofs import scan

    assert Vm
    assert scan
    compiled = {(k.py_func if hasattr(k, "py_func") else k).__qualname__ for k in jit.KERNELS}
    assert compiled - RAW == {kernel.name for kernel in loop_kernels()}
    assert len(loop_kernels()) > 80


def test_kernels_neither_raise_nor_allocate() -> None:
    assert not failures(lambda kernel, node: isinstance(node, FORBIDDEN))


def test_kernels_call_kernels_and_conversions_only() -> None:
    def other(kernel: Kernel, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and called(node) not in NAMES | BUILTIN

    assert not failures(other)


def test_strings_are_docstrings() -> None:
    docstrings = {
        id(kernel.function.body[0].value)
        for kernel in kernels()
        if isinstance(kernel.function.body[0], ast.Expr)
    }

    def text(kernel: Kernel, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str | bytes | float)
            and id(node) not in docstrings
        )

    assert not failures(text)


def _is(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id == name
    return isinstance(node, ast.Attribute) and node.attr == name


def test_ram_is_indexed_in_one_place_only() -> None:
    """`ram[...]` is host memory: loads and stores go through the six functions of jit.py."""

    def indexed(kernel: Kernel, node: ast.AST) -> bool:
        return isinstance(node, ast.Subscript) and _is(node.value, "ram")

    assert not failures(indexed)
    assert any(
        indexed(kernel, node)
        for kernel in kernels()
        if kernel.module == "jit"
        for node in kernel.walk()
    )


def test_registers_are_read_as_int64_and_written_as_uint32() -> None:
    """The integer convention: u32 + u32 is 64 bits compiled, and wraps in NumPy."""
    wrong = []
    for kernel in loop_kernels():
        parents = {child: node for node in kernel.walk() for child in ast.iter_child_nodes(node)}
        for node in kernel.walk():
            if not (isinstance(node, ast.Subscript) and _is(node.value, "x")):
                continue
            parent = parents.get(node)
            if isinstance(node.ctx, ast.Store):
                assert isinstance(parent, ast.Assign), kernel.place(node)
                fine = isinstance(parent.value, ast.Call) and called(parent.value) == "uint32"
            else:
                fine = isinstance(parent, ast.Call) and called(parent) in ("int64", "int32")
            index = node.slice
            fine = fine and isinstance(index, ast.Call) and called(index) == "uint64"
            if not fine:
                wrong.append(kernel.place(node))
    assert not wrong


# ---- literal arguments ------------------------------------------------------------


def is_constant(node: ast.expr) -> bool:
    """A Python number, or a name of one: Numba would compile the callee for this very value."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    if isinstance(node, ast.BinOp):
        return is_constant(node.left) and is_constant(node.right)
    if isinstance(node, ast.Name):
        return node.id.lstrip("_").isupper()
    return isinstance(node, ast.Attribute) and node.attr.isupper()


def test_no_kernel_is_called_with_a_literal() -> None:
    """A kernel called with Python literals is compiled once for each of them."""

    def literal(kernel: Kernel, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and called(node) in NAMES
            and any(is_constant(argument) for argument in node.args)
        )

    assert not failures(literal)


def test_kernels_are_called_by_position() -> None:
    def keywords(kernel: Kernel, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and bool(node.keywords)

    assert not failures(keywords)


@pytest.mark.skipif(not jit.COMPILED or jit.CACHE_DIR.name == "", reason="needs compiled kernels")
def test_every_kernel_was_compiled_once() -> None:
    """The cache of these sources holds one machine-code file for each kernel, no more.

    A kernel is named by its folder and its file: an older Numba has a folder for each checkout.
    """
    from tests.hypervisor.guests import RAM, guest
    from toyvm.hypervisor import Vm
    from toyvm.machine import Machine

    for kind in (Machine, Vm):
        computer = kind(ram=RAM, bios="none")
        computer.load(guest("pass\n"))
        assert computer.run(100).reason == "exit"
    compiled = Counter(
        path.parent / path.name.rsplit(".", 2)[0] for path in jit.CACHE_DIR.rglob("*.nbc")
    )
    assert compiled
    assert not {name: count for name, count in compiled.items() if count > 1}


@pytest.mark.skipif(not (jit.COMPILED and jit.is_warm() and jit._SHARED), reason="needs a cache")
def test_a_copy_of_the_sources_compiles_nothing(tmp_path: Path) -> None:
    """A second checkout, elsewhere and with other times, finds the machine code of the first."""
    root = Path(jit.__file__).parents[1]
    for package in ("toyvm", "assembler", "guestos"):
        shutil.copytree(root / package, tmp_path / package, copy_function=shutil.copyfile)
    code = (
        "import toyvm.jit as jit, toyvm.hypervisor.warm as warm;"
        "assert jit.is_warm();"
        "warm._run_both();"
        "print(jit.__file__, sum(sum(k.stats.cache_misses.values()) for k in jit.KERNELS))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{tmp_path / 'toyvm' / 'jit.py'} 0\n", "")


def test_only_the_door_knows_the_compiler() -> None:
    """Only jit.py and its pipeline import numba or llvmlite; tier 2 speaks llvmlite in one file."""
    import assembler
    import guestos
    import lessons

    packages = [ROOT, *(ROOT.parent / m.__name__ for m in (assembler, guestos, lessons))]
    wrong = []
    for path in sorted(file for package in packages for file in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            if {m.split(".")[0] for m in modules} & {"numba", "llvmlite"}:
                wrong.append(str(path.relative_to(ROOT.parent)))
    assert set(wrong) == {"toyvm/jit.py", "toyvm/pipeline.py", "toyvm/hart/translate/backend.py"}


def test_nothing_generates_source() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("exec", "eval", "compile"):
                    wrong.append(f"{path.name}:{node.lineno}")
    assert not wrong
