"""Running the program: in this process where that is enough, as a program where it matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import forked

ROOT = Path(__file__).parents[2]

HELLO = """
    .globl _start
_start:
    la   s0, text
next:
    lbu  a0, 0(s0)
    beqz a0, over
    li   t0, 0x10000000
    sb   a0, 0(t0)
    addi s0, s0, 1
    j    next
over:
    li   t0, 0x100000
    li   t1, {finish}
    sw   t1, 0(t0)
stop:
    j    stop
    .section .rodata
text:
    .asciz "hello\\n"
"""
ECHO = """
    .globl _start
_start:
    li   t0, 0x10000000
poll:
    lbu  t1, 5(t0)
    andi t1, t1, 1
    beqz t1, poll
    lbu  a0, 0(t0)
    sb   a0, 0(t0)
    li   t2, 'q'
    bne  a0, t2, poll
    li   t0, 0x100000
    li   t1, 0x5555
    sw   t1, 0(t0)
stop:
    j    stop
"""
READY = """
    .globl _start
_start:
    li   t0, 0x10000000
    li   t1, '!'
    sb   t1, 0(t0)
again:
"""
LOOP = READY + "    j again\n"
#: Every fetch of the handler at mtvec = 0 traps: nothing ever retires.
TRAPS = READY + "    .word 0\n"
SLEEP = READY + "    wfi\n    j again\n"


@dataclass
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Nothing of these tests lands in the user's own folders."""
    monkeypatch.setenv("TOYVM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TOYVM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def cli(capsys, compiled) -> Callable[..., Result]:
    """Call the program in this process."""
    from toyvm.cli.main import call

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = call([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def program(*arguments: object) -> list[str]:
    """The command line of a real process."""
    return [sys.executable, "-m", "toyvm.cli.main", *map(str, arguments)]


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(scope="session")
def toyvm(tmp_path_factory) -> Path:
    """What runs the program as a process of its own without starting the interpreter again."""
    return forked.program(tmp_path_factory.mktemp("bin"))


@pytest.fixture
def process(tmp_path, compiled, toyvm) -> Callable[..., Result]:
    """Run the program as a process of its own, outside of the checkout."""

    def run(*arguments: object, stdin: str | None = "", timeout: float = 120) -> Result:
        done = subprocess.run(
            [toyvm, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            env=environment(),
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def source(tmp_path) -> Callable[..., Path]:
    """Write a source file."""

    def write(text: str, name: str = "prog.s") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def hello(source) -> Path:
    return source(HELLO.format(finish="0x5555"), "hello.s")


@pytest.fixture(scope="session")
def compiled() -> None:
    """The kernels are in the cache: what follows is not about compile times."""
    from toyvm.cli.machines import warm_up

    warm_up(quiet=True)
