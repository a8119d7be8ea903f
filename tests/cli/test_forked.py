"""The forked `toyvm` of these tests is the program: what it prints, its codes, signals, streams."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ECHO, LOOP, environment, program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems start Python")


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["run", "prog.s", "--bios", "none"], "hello\nq"),
        (["run", "none.s"], ""),
        (["run", "prog.s", "--bios", "none", "--max-insns", "5000", "--json"], ""),
    ],
)
def test_the_same_as_a_start_of_python(
    toyvm: Path, source, tmp_path: Path, arguments: list[str], given: str
) -> None:
    source(ECHO)
    forked, started = (
        subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment() | {"COLUMNS": "60"},
            timeout=120,
            check=False,
        )
        for command in ([toyvm, *arguments], program(*arguments))
    )
    assert (forked.returncode, forked.stderr) == (started.returncode, started.stderr)
    if "--json" not in arguments:  # which tells how long it took
        assert forked.stdout == started.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_pass_through(toyvm: Path, source, number: int) -> None:
    command = [toyvm, "run", source(LOOP), "--bios", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as run:
        assert run.stdout
        assert run.stdout.read(1) == b"!"
        run.send_signal(number)
        assert run.wait(60) == (130 if number == signal.SIGINT else -number)


def test_it_ends_with_its_caller(toyvm: Path, source) -> None:
    """Nothing is left running when a test is given up."""
    command = [toyvm, "run", source(LOOP), "--bios", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as run:
        assert run.stdout
        assert run.stdout.read(1) == b"!"
        run.kill()
        # The end of the stream: whoever could write to it is gone.
        assert run.stdout.read() == b""
