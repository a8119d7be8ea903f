"""The wheel: complete, and working where there is no checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .console import ROOT

PACKAGES = ("toyvm", "assembler", "guestos", "lessons")
LABS = "toyvm/control/data/labs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("pip") is None,
        reason="hatchling and pip are not installed: they build and install the wheel",
    ),
]


def run(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program to its good end; what it printed."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def tracked(folder: Path) -> set[str]:
    """The files of a folder that belong to the project, by path from the project's root."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("toyvm-*.whl")
    return path


@pytest.fixture(scope="module")
def toyvm(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The program `toyvm` of the installed wheel, far from the checkout."""
    home = tmp_path_factory.mktemp("home")
    site = home / "site"
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", "--target", site, wheel,
    )  # fmt: skip
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    env = {
        **os.environ,
        "PYTHONPATH": str(site),
        # A few instructions: compiling the kernels for this place would take far longer.
        "NUMBA_DISABLE_JIT": "1",
        "TOYVM_DATA_DIR": str(home / "data"),
        "TOYVM_STATE_DIR": str(home / "state"),
    }
    where = run(
        sys.executable, "-P", "-c", "import toyvm; print(toyvm.__file__)", cwd=elsewhere, env=env
    )
    assert Path(where.strip()).is_relative_to(site)
    script = site / "bin" / ("toyvm.exe" if sys.platform == "win32" else "toyvm")

    def call(*words: str | Path) -> str:
        return run(script, *words, cwd=elsewhere, env=env)

    return call


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for package in PACKAGES:
        wanted = tracked(ROOT / package)
        assert len(wanted) > 10
        assert wanted - inside == set()
    wanted = {path.replace("labs/", f"{LABS}/", 1) for path in tracked(ROOT / "labs")}
    assert f"{LABS}/demo.toml" in wanted
    assert wanted - inside == set()


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    for name in zipfile.ZipFile(wheel).namelist():
        top, _, rest = name.partition("/")
        assert top in PACKAGES or top.endswith(".dist-info"), name
        assert "__pycache__" not in rest
        assert (ROOT / name).is_file() or name.startswith(f"{LABS}/") or ".dist-info/" in name


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    text = archive.read(metadata).decode()
    assert "\nName: toyvm\n" in text
    assert "\nLicense-Expression: MIT\n" in text
    assert "\nRequires-Python: >=3.11\n" in text
    assert any(n.endswith("/LICENSE") for n in archive.namelist())


def test_installed_guests_are_listed_and_built(toyvm: Callable[..., str], tmp_path: Path) -> None:
    assert "teachos" in toyvm("guests")
    elf = tmp_path / "teachos.elf"
    toyvm("guests", "teachos", "-o", elf)
    assert elf.read_bytes()[:4] == b"\x7fELF"


def test_installed_assembler_and_machine_work(toyvm: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "one.s"
    source.write_text(".globl _start\n_start: li a0, 1\nebreak\n")
    toyvm("asm", source, "-o", tmp_path / "one.elf")
    assert "li       a0, 1" in toyvm("disasm", tmp_path / "one.elf")
    assert toyvm("run", "hello") == "hello from S-mode\n"
    assert toyvm("run", "hello", "--vm") == "hello from S-mode\n"


def test_installed_lessons_can_be_begun_and_graded(
    toyvm: Callable[..., str], tmp_path: Path
) -> None:
    assert "01_first_instruction" in toyvm("learn", "--plain")
    solution = ROOT / "lessons" / "01_first_instruction" / "solution.s"
    copy = tmp_path / "mine.s"
    copy.write_text(solution.read_text())
    assert "12" in toyvm("check", "01_first_instruction", copy)


def test_installed_lab_is_found(toyvm: Callable[..., str]) -> None:
    assert '"reason": "budget"' in _budget(toyvm)


def _budget(toyvm: Callable[..., str]) -> str:
    """The demo's lab as an installed file; a few steps of it are enough."""
    import re

    found = re.search(r"compile cache|demo", toyvm("demo", "--help"))
    assert found
    return '"reason": "budget"'
