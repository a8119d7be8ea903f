"""The wheel: complete, and working where there is no checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .console import ROOT

PACKAGES = ("toyvm", "assembler", "guestos", "lessons")
#: Folders that lie elsewhere in the wheel than in a checkout.
MOVED = {"labs": "toyvm/control/data/labs", "docs/checks": "lessons/data/checks"}

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


class Installed:
    """The wheel, installed far from the checkout."""

    def __init__(self, wheel: Path, home: Path) -> None:
        self.site = home / "site"
        self.folder = home / "elsewhere"
        self.folder.mkdir()
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
            "--disable-pip-version-check", "--target", self.site, wheel,
        )  # fmt: skip
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(self.site),
            # A few instructions: compiling the kernels for this place would take far longer.
            "NUMBA_DISABLE_JIT": "1",
            "TOYVM_DATA_DIR": str(home / "data"),
            "TOYVM_STATE_DIR": str(home / "state"),
        }

    def toyvm(self, *words: str | Path) -> str:
        """What the installed program `toyvm` prints."""
        script = self.site / "bin" / ("toyvm.exe" if sys.platform == "win32" else "toyvm")
        return run(script, *words, cwd=self.folder, env=self.environment)

    def python(self, code: str) -> str:
        """What a piece of Python prints, stripped."""
        return run(sys.executable, "-P", "-c", code, cwd=self.folder, env=self.environment).strip()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An installation that does not see the checkout."""
    made = Installed(wheel, tmp_path_factory.mktemp("home"))
    for package in PACKAGES:
        where = made.python(f"import {package}; print({package}.__file__)")
        assert Path(where).is_relative_to(made.site)
    return made


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for package in PACKAGES:
        wanted = tracked(ROOT / package)
        assert len(wanted) > 10
        assert wanted - inside == set()
    for source, goal in MOVED.items():
        moved = {path.replace(source, goal, 1) for path in tracked(ROOT / source)}
        assert moved
        assert moved - inside == set()


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    for name in zipfile.ZipFile(wheel).namelist():
        top, _, rest = name.partition("/")
        assert top in PACKAGES or top.endswith(".dist-info"), name
        assert "__pycache__" not in rest
        known = (ROOT / name).is_file() or name.startswith(tuple(MOVED.values()))
        assert known or ".dist-info/" in name, name


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    text = archive.read(metadata).decode()
    assert "\nName: toyvm\n" in text
    assert "\nLicense-Expression: MIT\n" in text
    assert "\nRequires-Python: >=3.11\n" in text
    assert any(n.endswith("/LICENSE") for n in archive.namelist())


def test_installed_guests_are_listed_and_built(installed: Installed, tmp_path: Path) -> None:
    assert "teachos" in installed.toyvm("guests")
    elf = tmp_path / "teachos.elf"
    installed.toyvm("guests", "teachos", "-o", elf)
    assert elf.read_bytes()[:4] == b"\x7fELF"


def test_installed_assembler_and_machine_work(installed: Installed, tmp_path: Path) -> None:
    source = tmp_path / "one.s"
    source.write_text(".globl _start\n_start: li a0, 1\nebreak\n")
    installed.toyvm("asm", source, "-o", tmp_path / "one.elf")
    assert "li       a0, 1" in installed.toyvm("disasm", tmp_path / "one.elf")
    assert installed.toyvm("run", "hello") == "hello from S-mode\n"
    assert installed.toyvm("run", "hello", "--vm") == "hello from S-mode\n"


def test_installed_lessons_can_be_begun_and_graded(installed: Installed, tmp_path: Path) -> None:
    assert "01_first_instruction" in installed.toyvm("learn", "--plain")
    assert (installed.folder / "toyvm-lessons" / "01_first_instruction" / "start.s").is_file()
    mine = tmp_path / "mine.s"
    mine.write_bytes((ROOT / "lessons/01_first_instruction/solution.s").read_bytes())
    report = json.loads(installed.toyvm("check", "01_first_instruction", mine, "--json"))
    assert report["points"] == report["max_points"]


def test_installed_pages_about_checks_are_named(installed: Installed, tmp_path: Path) -> None:
    page = installed.python("from lessons.report import page_path; print(page_path('result'))")
    assert page == str(installed.site / "lessons" / "data" / "checks" / "result.md")
    assert Path(page).is_file()


def test_installed_labs_are_found_by_the_name_that_pages_use(installed: Installed) -> None:
    code = (
        "from toyvm.cli.cmd_demo import demo_lab; from toyvm.control.labs import load_lab;"
        "a, b = load_lab(demo_lab()), load_lab('labs/demo.toml');"
        "print(a.path, b.path, *(vm.name for vm in b.vms))"
    )
    first, second, *names = installed.python(code).split()
    assert first == second == str(installed.site / MOVED["labs"] / "demo.toml")
    assert names == ["teachos", "appliance"]
