"""The program as a whole: help, exit codes, what it loads, internal errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import environment, program
from toyvm.cli.errors import CliError
from toyvm.cli.main import app, call

COMMANDS = (
    "demo", "run", "up", "asm", "disasm", "guests", "debug", "learn", "check", "hint", "reset",
    "bench", "doctor",
)  # fmt: skip


def test_help_lists_every_command(cli):
    result = cli("--help")
    assert result.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(cli, name):
    result = cli(name, "--help")
    assert result.code == 0
    assert (
        f"Example: toyvm {name}" in result.out or f"toyvm {name}" in result.out.split("Example")[1]
    )


def test_help_starts_fast_and_loads_no_compiler():
    code = (
        "import sys; from toyvm.cli.main import call; call(['--help']);"
        "bad = {'numba', 'llvmlite', 'numpy', 'rich', 'prompt_toolkit'} & set(sys.modules);"
        "sys.exit(f'loaded: {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    resource = pytest.importorskip("resource", reason="processor time of a child: Unix only")
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(program("--help"), capture_output=True, env=environment(), check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    # The goal is 250 ms; processor time, since other tests may share the machine, and the best
    # of five. A busy sibling of the same core may still double it.
    assert min(times) < 0.4


def test_version(cli):
    from toyvm import __version__

    assert cli("--version").out == f"toyvm {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "No such command"),
        (["run"], "Missing argument"),
        (["run", "hello", "--nope"], "No such option"),
        (["run", "hello", "--max-insns", "many"], "--max-insns: expected a whole number"),
        (["check", "--seed", "x"], "--seed: expected a whole number"),
        (["run", "hello", "--technique", "q"], "expected u, s, pv or upv"),
        (["run", "hello", "--initrd", "nosuch"], "--initrd nosuch: no such file"),
        (["run", "hello", "--dtb", "/"], "--dtb /: a directory"),
        (
            ["run", "hello", "--bios", "nosuch"],
            "expected sbi, none, an ELF file, a flat binary or cfirm",
        ),
        (["debug", "hello", "-x", "/"], "-x /: a directory"),
        (["debug", "hello", "--technique", "s"], "need --vm"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(cli, arguments, message):
    result = cli(*arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.startswith("toyvm: error: ")
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_without_arguments_the_help_is_shown(cli):
    result = cli()
    assert result.code == 2
    assert "Commands:" in result.out + result.err


def test_an_internal_error_is_one_line_with_the_log(cli, monkeypatch, tmp_path):
    def broken() -> None:
        raise ZeroDivisionError("of our own")

    monkeypatch.setattr("toyvm.cli.cmd_doctor.collect", broken)
    result = cli("doctor")
    assert result.code == 4
    assert result.err.count("\n") == 1
    assert "internal error: ZeroDivisionError: of our own; please report it" in result.err
    logs = list((tmp_path / "state").iterdir())
    assert len(logs) == 1
    assert str(logs[0]) in result.err
    assert "Traceback" in logs[0].read_text()


def test_an_unwritable_log_folder_changes_nothing_else(cli, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOYVM_STATE_DIR", str(tmp_path / "file" / "x"))
    monkeypatch.setattr("toyvm.cli.cmd_doctor.collect", lambda: 1 / 0)
    result = cli("doctor")
    assert result.code == 4
    assert "please report it\n" in result.err


def test_ctrl_c_is_130(cli, monkeypatch):
    def pressed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("toyvm.cli.cmd_doctor.collect", pressed)
    result = cli("doctor")
    assert result.code == 130
    assert result.err == "toyvm: interrupted\n"


def test_user_errors_have_their_code(cli, monkeypatch):
    def refused() -> None:
        raise CliError("no luck", 3)

    monkeypatch.setattr("toyvm.cli.cmd_doctor.collect", refused)
    result = cli("doctor")
    assert result.code == 3
    assert result.err == "toyvm: error: no luck\n"


def test_a_reader_that_goes_away_causes_no_traceback(tmp_path):
    done = subprocess.run(
        f"{' '.join(program('guests', '--json'))} | head -c 1 >/dev/null",
        shell=True,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_typers_own_runner_works_too():
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert call(["--version"]) == 0


@pytest.mark.parametrize("name", ["run", "asm", "up", "check", "bench", "prove", "disasm"])
def test_help_says_what_stands_for_a_value(cli, name):
    """FILE, N and SIZE: not the names of Python's types."""
    text = cli(name, "--help").out
    options = text.partition("Options:")[2]
    assert "<int>" not in options
    assert "list[" not in options
    assert "--ram SIZE" in text or name != "run"
    assert "{LAB.toml}" in text or name != "up"
